/* thread_send_test.c - an organization's own messages: each type as it goes to Meta, each refusal, receipts, pages, files. */
#include "gen/templates.h"
#include "messaging_world.h"
#include "provider/json.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#define LINK "https://files.example/a"

static int send_from (optest_t *test, const char *ref, messaging_thread_send_in_t *in,
                      messaging_message_info_t *out, failure_t *failure)
{
    envelope_t header = world_org_caller ();
    in->number_ref = ref;
    in->window = MESSAGING_WINDOW_POLICY_LET_FAIL;
    if (!in->to)
        in->to = WORLD_PERSON;
    *out = (messaging_message_info_t){0};
    return optest_ask (test, "thread_send", &header, in, out, failure);
}

/* "en" as JSON would be read. */
static bytes_t packed (optest_t *test, const char *json)
{
    bytes_t out = {0};
    assert_int_equal (jval_read (optest_arena (test), bytes_of_str (json), &out, NULL), 0);
    return out;
}

/* ---- types ---- */

static const messaging_media_given_t by_link = {
    .link = LINK, .caption = "Look", .filename = "a.pdf"};
static const messaging_media_given_t by_id = {.ref = "1234567890123456"};
static messaging_interactive_button_t buttons[] = {{.id = "a", .title = "A"}};
static messaging_interactive_row_t list_rows[] = {{.id = "r", .title = "R"}};
static messaging_interactive_section_t sections[] = {{.rows = {list_rows, 1}}};
static const messaging_interactive_header_t image = {.kind = MESSAGING_HEADER_KIND_IMAGE,
                                                     .link = LINK};
static messaging_interactive_card_t cards[] = {
    {.index = 0, .header = &image, .body = "One", .button_text = "Go", .url = LINK},
    {.index = 1, .header = &image, .buttons = {buttons, 1}},
};
static const messaging_interactive_content_t chosen[] = {
    {.kind = MESSAGING_INTERACTIVE_KIND_BUTTONS,
     .body = "B",
     .header = &image,
     .footer = "F",
     .buttons = {buttons, 1}},
    {.kind = MESSAGING_INTERACTIVE_KIND_LIST,
     .body = "B",
     .button_text = "Open",
     .sections = {sections, 1}},
    {.kind = MESSAGING_INTERACTIVE_KIND_CTA_URL, .body = "B", .button_text = "Go", .url = LINK},
    {.kind = MESSAGING_INTERACTIVE_KIND_CAROUSEL, .body = "B", .cards = {cards, 2}},
};

static const struct {
    messaging_thread_send_in_t in;
    const char *want;
} types[] = {
    {{.kind = MESSAGING_KIND_TEXT, .text = "Hi", .to = "15551234567", .reply_ref = "wamid.old"},
     "\"to\":\"15551234567\",\"type\":\"text\",\"context\":{\"message_id\":\"wamid.old\"}"},
    {{.kind = MESSAGING_KIND_IMAGE, .image = &by_link},
     "\"image\":{\"link\":\"" LINK "\",\"caption\":\"Look\"}"},
    {{.kind = MESSAGING_KIND_VIDEO, .video = &by_id}, "\"video\":{\"id\":\"1234567890123456\"}"},
    {{.kind = MESSAGING_KIND_AUDIO, .audio = &by_link}, "\"audio\":{\"link\":\"" LINK "\"}"},
    {{.kind = MESSAGING_KIND_DOCUMENT, .document = &by_link},
     "\"document\":{\"link\":\"" LINK "\",\"caption\":\"Look\",\"filename\":\"a.pdf\"}"},
    {{.kind = MESSAGING_KIND_INTERACTIVE, .interactive = &chosen[0]},
     "\"type\":\"button\",\"header\":{\"type\":\"image\",\"image\":{\"link\":\"" LINK "\"}}"},
    {{.kind = MESSAGING_KIND_INTERACTIVE, .interactive = &chosen[1]}, "\"button\":\"Open\""},
    {{.kind = MESSAGING_KIND_INTERACTIVE, .interactive = &chosen[2]},
     "\"parameters\":{\"display_text\":\"Go\",\"url\":\"" LINK "\"}"},
    {{.kind = MESSAGING_KIND_INTERACTIVE, .interactive = &chosen[3]},
     "\"action\":{\"cards\":[{\"card_index\":0,\"type\":\"cta_url\",\"header\":{\"type\":\"image\","
     "\"image\":{\"link\":\"" LINK
     "\"}},\"body\":{\"text\":\"One\"},\"action\":{\"name\":\"cta_url\","
     "\"parameters\":{\"display_text\":\"Go\",\"url\":\"" LINK "\"}}},{\"card_index\":1,"
     "\"type\":\"cta_url\",\"header\":{\"type\":\"image\",\"image\":{\"link\":\"" LINK
     "\"}},\"action\":{\"buttons\":[{\"type\":\"quick_reply\",\"quick_reply\":{\"id\":\"a\",\"title\":\"A\"}}]}}]}"},
};

static void test_types_as_meta_gets_them (void **state)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        messaging_thread_send_in_t in = types[i].in;
        messaging_message_info_t out = {0};
        assert_int_equal (send_from (*state, WORLD_LIVE_REF, &in, &out, NULL), 0);
        assert_int_equal (out.status, MESSAGING_SHOWN_STATUS_PENDING);
        assert_string_equal (out.to, WORLD_PERSON);
        assert_false (id_is_nil (out.conversation));
        outward_t *outward = optest_job (*state);
        assert_non_null (outward);
        const char *body =
            arena_strndup (optest_arena (*state), (const char *) outward->out.request.body.data,
                           outward->out.request.body.size);
        if (!strstr (body, types[i].want))
            print_error ("%s\n", body);
        assert_non_null (strstr (body, types[i].want));
        const char *answer =
            arena_printf (optest_arena (*state), "{\"messages\":[{\"id\":\"wamid.t%zu\"}]}", i);
        assert_int_equal (optest_job_answered (*state, outward, 200, answer), 0);
    }
}

/* ---- refusals ---- */

static messaging_interactive_card_t cards_turned[] = {
    {.index = 1, .header = &image, .button_text = "Go", .url = LINK},
    {.index = 0, .header = &image, .button_text = "Go", .url = LINK},
};
static const messaging_interactive_content_t one_card = {
    .kind = MESSAGING_INTERACTIVE_KIND_CAROUSEL, .body = "B", .cards = {cards, 1}};
static const messaging_interactive_content_t turned = {
    .kind = MESSAGING_INTERACTIVE_KIND_CAROUSEL, .body = "B", .cards = {cards_turned, 2}};
static const messaging_interactive_content_t no_button = {
    .kind = MESSAGING_INTERACTIVE_KIND_LIST, .body = "B", .sections = {sections, 1}};
static const messaging_interactive_content_t no_body = {.kind = MESSAGING_INTERACTIVE_KIND_BUTTONS,
                                                        .buttons = {buttons, 1}};
static const messaging_media_given_t both = {.link = LINK, .ref = "1"}, neither = {.caption = "x"},
                                     http = {.link = "http://files.example/a"},
                                     inner = {.link = "https://127.0.0.1/a"};
static const messaging_template_given_t nameless = {.language = {0}};

static const struct {
    messaging_thread_send_in_t in;
    int want;
    const char *field;
} refused[] = {
    {{.kind = MESSAGING_KIND_TEXT, .text = "x", .to = "12"}, E_INVALID_PHONE_NUMBER, "to"},
    {{.kind = MESSAGING_KIND_TEXT, .text = "x", .to = "+0123456789"}, E_INVALID_PHONE_NUMBER, "to"},
    {{.kind = MESSAGING_KIND_TEXT}, E_BAD_REQUEST, "text"},
    {{.kind = MESSAGING_KIND_LOCATION}, E_UNSUPPORTED_MESSAGE_TYPE, "kind"},
    {{.kind = MESSAGING_KIND_IMAGE}, E_MISSING_FIELD, "image"},
    {{.kind = MESSAGING_KIND_IMAGE, .image = &both}, E_BAD_REQUEST, "image"},
    {{.kind = MESSAGING_KIND_VIDEO, .video = &neither}, E_BAD_REQUEST, "video"},
    {{.kind = MESSAGING_KIND_IMAGE, .image = &http}, E_BAD_REQUEST, "image.link"},
    {{.kind = MESSAGING_KIND_IMAGE, .image = &inner}, E_BAD_REQUEST, "image.link"},
    {{.kind = MESSAGING_KIND_TEMPLATE}, E_MISSING_FIELD, "template"},
    {{.kind = MESSAGING_KIND_TEMPLATE, .template = &nameless}, E_MISSING_FIELD, "template.name"},
    {{.kind = MESSAGING_KIND_INTERACTIVE}, E_MISSING_FIELD, "interactive"},
    {{.kind = MESSAGING_KIND_INTERACTIVE, .interactive = &no_body},
     E_MISSING_FIELD,
     "interactive.body"},
    {{.kind = MESSAGING_KIND_INTERACTIVE, .interactive = &no_button},
     E_MISSING_FIELD,
     "interactive.action.button"},
    {{.kind = MESSAGING_KIND_INTERACTIVE, .interactive = &one_card},
     E_BAD_REQUEST,
     "interactive.cards"},
    {{.kind = MESSAGING_KIND_INTERACTIVE, .interactive = &turned},
     E_BAD_REQUEST,
     "interactive.cards[0]"},
};

static void test_refusals (void **state)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        messaging_thread_send_in_t in = refused[i].in;
        messaging_message_info_t out;
        failure_t failure = {0};
        assert_int_equal (send_from (*state, WORLD_REF, &in, &out, &failure), refused[i].want);
        assert_string_equal (failure.field, refused[i].field);
    }
    assert_string_equal (world_story (*state), "");
}

static void test_numbers (void **state)
{
    messaging_thread_send_in_t in = {.kind = MESSAGING_KIND_TEXT, .text = "x"};
    messaging_message_info_t out;
    envelope_t stranger = world_org_caller ();
    assert_int_equal (send_from (*state, "999999999", &in, &out, NULL), E_NOT_FOUND);
    stranger.org = (id16_t){{77}};
    in.number_ref = WORLD_REF;
    assert_int_equal (optest_ask (*state, "thread_send", &stranger, &in, &out, NULL), E_NOT_FOUND);
    assert_int_equal (world_number_tell (*state, world_whatsapp_number,
                                         ACCOUNTS_NUMBER_STATUS_DISCONNECTED, 2, false),
                      0);
    assert_int_equal (send_from (*state, WORLD_REF, &in, &out, NULL), E_NUMBER_NOT_CONNECTED);
    assert_int_equal (world_number_tell (*state, world_whatsapp_number,
                                         ACCOUNTS_NUMBER_STATUS_CONNECTED, 1, false),
                      0); /* told again */
    assert_int_equal (send_from (*state, WORLD_REF, &in, &out, NULL), E_NUMBER_NOT_CONNECTED);
}

/* ---- what came of it ---- */

static messaging_message_info_t get (optest_t *test, const char *ref, id16_t id)
{
    messaging_thread_message_ref_t in = {.number_ref = ref, .id = id};
    messaging_message_info_t out = {0};
    envelope_t header = world_org_caller ();
    assert_int_equal (optest_ask (test, "thread_message_get", &header, &in, &out, NULL), 0);
    return out;
}

static void test_what_the_carrier_refuses_fails_later (void **state)
{
    static const struct {
        const char *to;
        int32_t reason;
        int64_t number;
    } rows[] = {
        {"+9992131047", MESSAGING_FAILURE_REASON_WINDOW_CLOSED, 131047},
        {"+9992132015", MESSAGING_FAILURE_REASON_TEMPLATE_PAUSED, 132015},
        {"+9992131026", MESSAGING_FAILURE_REASON_NOT_ON_WHATSAPP, 131026},
        {"+9992131053", MESSAGING_FAILURE_REASON_MEDIA_FAILED, 131053},
        {"+9992131031", MESSAGING_FAILURE_REASON_ACCOUNT_RESTRICTED, 131031},
        {"+9992131051", MESSAGING_FAILURE_REASON_OTHER, 131051},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        messaging_thread_send_in_t in = {
            .kind = MESSAGING_KIND_TEXT, .text = "x", .to = rows[i].to};
        messaging_message_info_t out;
        assert_int_equal (send_from (*state, WORLD_REF, &in, &out, NULL), 0);
        world_run_out (*state);
        messaging_message_info_t info = get (*state, WORLD_REF, out.id);
        assert_int_equal (info.status, MESSAGING_SHOWN_STATUS_FAILED);
        assert_non_null (info.error);
        assert_int_equal (info.error->reason, rows[i].reason);
        assert_int_equal (info.error->number, rows[i].number);
        assert_non_null (info.error->message);
    }
}

static void test_templates (void **state)
{
    static const struct {
        const char *name, *language, *components;
        int want;
        int32_t status;
    } rows[] = {
        {"hello_world", "\"en_US\"", NULL, 0, MESSAGING_SHOWN_STATUS_READ},
        {"hello_world", "{\"code\":\"en_US\",\"policy\":\"deterministic\"}", NULL, 0,
         MESSAGING_SHOWN_STATUS_READ},
        {"order_update", "\"en_US\"",
         "[{\"type\":\"body\",\"parameters\":[{\"type\":\"text\",\"text\":\"A\"},{\"type\":\"text\",\"text\":\"B\"}]}]",
         0, MESSAGING_SHOWN_STATUS_READ},
        {"order_update", "\"en_US\"", NULL, 0, MESSAGING_SHOWN_STATUS_FAILED},
        {"order_update", "\"de\"", NULL, E_TEMPLATE_NOT_FOUND, 0},
        {"nobody_knows", "\"en_US\"", NULL, E_TEMPLATE_NOT_FOUND, 0},
        {"hello_world", "5", NULL, E_BAD_REQUEST, 0},
        {"hello_world", "\"en_US\"", "{}", E_BAD_REQUEST, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        messaging_template_given_t template = {.name = rows[i].name,
                                               .language = packed (*state, rows[i].language)};
        if (rows[i].components)
            template.components = packed (*state, rows[i].components);
        messaging_thread_send_in_t in = {.kind = MESSAGING_KIND_TEMPLATE, .template = &template};
        messaging_message_info_t out;
        assert_int_equal (send_from (*state, WORLD_REF, &in, &out, NULL), rows[i].want);
        if (rows[i].want)
            continue;
        world_run_out (*state);
        messaging_message_info_t info = get (*state, WORLD_REF, out.id);
        assert_int_equal (info.status, rows[i].status);
        if (info.error)
            assert_int_equal (info.error->reason,
                              MESSAGING_FAILURE_REASON_TEMPLATE_PARAMETER_COUNT);
    }
}

/* A file of ours in any spelling goes by our id, and every app that holds the number hears of the message. */
static void test_own_files_and_the_apps (void **state)
{
    id16_t file = world_file (*state, world_app, MESSAGING_KIND_IMAGE);
    char crockford[ID_CROCKFORD_LENGTH + 1], ksuid[ID_KSUID_LENGTH + 1], uuid[ID_UUID_LENGTH + 1];
    id_write_crockford (file, crockford);
    id_write_ksuid (file, ksuid);
    id_write_uuid (file, uuid);
    const char *refs[] = {crockford, uuid,
                          arena_printf (optest_arena (*state), "med_test_%s", ksuid)};
    for (size_t i = 0; i < 3; i++) {
        messaging_media_given_t given = {.ref = refs[i]};
        messaging_thread_send_in_t in = {.kind = MESSAGING_KIND_IMAGE, .image = &given};
        messaging_message_info_t out;
        messaging_message_accepted_t event = {0};
        assert_int_equal (send_from (*state, WORLD_REF, &in, &out, NULL), 0);
        assert_true (world_last (*state, &messaging_message_accepted_event, &event));
        assert_true (id_equal (event.message->media_id, file));
        assert_int_equal (event.apps.count, 1);
        assert_true (event.message->test);
        assert_non_null (strstr (get (*state, WORLD_REF, out.id).media_url, "/media/"));
    }
    messaging_media_given_t given = {.ref = crockford};
    messaging_thread_send_in_t in = {.kind = MESSAGING_KIND_VIDEO, .video = &given};
    messaging_message_info_t out;
    failure_t failure = {0};
    assert_int_equal (send_from (*state, WORLD_REF, &in, &out, &failure), E_BAD_REQUEST);
    assert_string_equal (failure.field, "video.id");
    /* the log of apps shows it too, under the one that holds the number */
    messaging_log_page_in_t log = {
        .channel = ACCOUNTS_CHANNEL_WHATSAPP, .app = world_app, .app_test = true, .limit = 10};
    messaging_log_page_out_t page = {0};
    envelope_t header = world_caller ();
    assert_int_equal (optest_ask (*state, "log_page", &header, &log, &page, NULL), 0);
    assert_int_equal (page.messages.count, 3);
}

static void test_quotes_what_we_know (void **state)
{
    messaging_thread_send_in_t in = {.kind = MESSAGING_KIND_TEXT, .text = "x"};
    messaging_message_info_t out;
    messaging_message_accepted_t event = {0};
    assert_int_equal (send_from (*state, WORLD_REF, &in, &out, NULL), 0);
    world_run_out (*state);
    id16_t first = out.id;
    in.reply_ref = get (*state, WORLD_REF, first).provider_id;
    assert_int_equal (send_from (*state, WORLD_REF, &in, &out, NULL), 0);
    assert_true (world_last (*state, &messaging_message_accepted_event, &event));
    assert_true (id_equal (event.message->context->message, first));
    in.to = "+15557654321"; /* of somebody else's: the carrier may say what it thinks */
    assert_int_equal (send_from (*state, WORLD_REF, &in, &out, NULL), 0);
    assert_true (world_last (*state, &messaging_message_accepted_event, &event));
    assert_true (id_is_nil (event.message->context->message));
}

/* ---- receipts ---- */

static id16_t person_writes (optest_t *test, const char *provider_id, bool live)
{
    const provider_event_t event = {.news = NEWS_INBOUND,
                                    .provider_id = provider_id,
                                    .whatsapp = true,
                                    .org = world_org,
                                    .from = WORLD_PERSON,
                                    .text = "Hello",
                                    .number =
                                        live ? world_live_whatsapp_number : world_whatsapp_number,
                                    .to = live ? WORLD_LIVE_WHATSAPP : WORLD_WHATSAPP};
    messaging_message_received_t told = {0};
    world_inbound (test, live ? ACCOUNTS_CARRIER_META : ACCOUNTS_CARRIER_LOOPBACK, &event);
    assert_true (world_last (test, &messaging_message_received_event, &told));
    return told.message->id;
}

static int receipt (optest_t *test, const char *ref, const char *provider_id, bool typing,
                    messaging_message_info_t *out)
{
    messaging_thread_read_in_t in = {.number_ref = ref,
                                     .receipt = MESSAGING_RECEIPT_KIND_READ,
                                     .provider_id = provider_id,
                                     .typing = typing ? MESSAGING_TYPING_KIND_TEXT : 0};
    envelope_t header = world_org_caller ();
    *out = (messaging_message_info_t){0};
    return optest_ask (test, "thread_read", &header, &in, out, NULL);
}

static void test_receipts (void **state)
{
    messaging_message_info_t out;
    id16_t id = person_writes (*state, "wamid.1", true);
    assert_int_equal (get (*state, WORLD_LIVE_REF, id).status, MESSAGING_SHOWN_STATUS_PENDING);
    assert_int_equal (receipt (*state, WORLD_LIVE_REF, "wamid.1", false, &out), E_PARKED);
    optest_put_t *asked = optest_last (*state);
    assert_int_equal (optest_job_answered (*state, optest_job (*state), 200, "{\"success\":true}"),
                      0);
    assert_int_equal (optest_take (*state, asked, &out, NULL), 0);
    assert_true (id_equal (out.id, id));
    assert_int_equal (out.status, MESSAGING_SHOWN_STATUS_READ);
    assert_string_equal (out.provider_id, "wamid.1");
    assert_int_equal (receipt (*state, WORLD_LIVE_REF, "wamid.1", false, &out), 0);
    assert_null (optest_job (*state)); /* a repeat costs no call */
    assert_int_equal (out.status, MESSAGING_SHOWN_STATUS_READ);
    assert_int_equal (receipt (*state, WORLD_LIVE_REF, "wamid.1", true, &out), E_PARKED);
    asked = optest_last (*state);
    outward_t *outward = optest_job (*state);
    assert_non_null (outward); /* but for the sign of typing */
    assert_int_equal (
        optest_job_answered (*state, outward, 400, "{\"error\":{\"message\":\"No\",\"code\":100}}"),
        0);
    assert_int_equal (optest_take (*state, asked, &out, NULL), E_CARRIER_REFUSED);
    assert_int_equal (receipt (*state, WORLD_LIVE_REF, "wamid.none", false, &out), E_NOT_FOUND);
    assert_int_equal (receipt (*state, WORLD_REF, "wamid.1", false, &out), E_NOT_FOUND);
}

static void test_receipts_are_for_what_came_in (void **state)
{
    messaging_thread_send_in_t in = {.kind = MESSAGING_KIND_TEXT, .text = "x"};
    messaging_message_info_t out;
    messaging_thread_read_in_t two = {.number_ref = WORLD_REF, .provider_id = "x", .kind = "text"};
    envelope_t header = world_org_caller ();
    assert_int_equal (send_from (*state, WORLD_REF, &in, &out, NULL), 0);
    world_run_out (*state);
    const char *sent = get (*state, WORLD_REF, out.id).provider_id;
    assert_non_null (sent);
    assert_int_equal (receipt (*state, WORLD_REF, sent, false, &out), E_BAD_REQUEST);
    assert_int_equal (optest_ask (*state, "thread_read", &header, &two, &out, NULL), E_BAD_REQUEST);
}

/* ---- pages ---- */

static int page (optest_t *test, const messaging_thread_messages_in_t *in,
                 messaging_thread_messages_out_t *out)
{
    envelope_t header = world_org_caller ();
    *out = (messaging_thread_messages_out_t){0};
    return optest_ask (test, "thread_messages", &header, in, out, NULL);
}

static void test_pages (void **state)
{
    enum { EACH = 35 };
    messaging_message_info_t info = {0};
    messaging_thread_messages_out_t out;
    id16_t conversation = id_nil ();
    int64_t middle = 0;
    for (int i = 0; i < EACH; i++) {
        messaging_thread_send_in_t in = {
            .kind = MESSAGING_KIND_TEXT, .text = "x", .to = i % 5 ? WORLD_PERSON : "+9992131047"};
        assert_int_equal (send_from (*state, WORLD_REF, &in, &info, NULL), 0);
        if (i == 1)
            conversation = info.conversation;
        if (i == 17)
            middle = info.created_at;
        person_writes (*state, arena_printf (optest_arena (*state), "wamid.%d", i), false);
        assert_int_equal (optest_advance (*state, 10), 0);
    }
    for (int i = 0; i < 3 * EACH; i++)
        world_carrier_answers (*state);
    const struct {
        messaging_thread_messages_in_t in;
        size_t want;
    } rows[] = {
        {{.number_ref = WORLD_REF}, 70},
        {{.number_ref = WORLD_REF, .direction = MESSAGING_DIRECTION_INBOUND}, 35},
        {{.number_ref = WORLD_REF, .status = MESSAGING_SHOWN_STATUS_FAILED}, 7},
        {{.number_ref = WORLD_REF, .conversation = conversation}, 63},
        {{.number_ref = WORLD_REF,
          .conversation = conversation,
          .direction = MESSAGING_DIRECTION_OUTBOUND},
         28},
        {{.number_ref = WORLD_REF, .conversation = {{9}}}, 0},
        {{.number_ref = WORLD_LIVE_REF, .conversation = conversation}, 0},
        {{.number_ref = WORLD_REF,
          .created_after = middle,
          .direction = MESSAGING_DIRECTION_OUTBOUND},
         17},
        {{.number_ref = WORLD_REF,
          .created_before = middle,
          .direction = MESSAGING_DIRECTION_OUTBOUND},
         17},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        messaging_thread_messages_in_t in = rows[i].in;
        id16_t last = id_nil ();
        size_t count = 0;
        in.limit = 8;
        do {
            assert_int_equal (page (*state, &in, &out), 0);
            const messaging_message_info_t *items = out.messages.items;
            for (size_t k = 0; k < out.messages.count; k++) {
                assert_true (id_is_nil (last) || id_compare (items[k].id, last) < 0);
                last = items[k].id;
            }
            assert_true (out.messages.count <= 8);
            count += out.messages.count;
            in.after = out.next;
        } while (out.next.size);
        assert_int_equal (count, rows[i].want);
    }
    messaging_thread_messages_in_t bad = {
        .number_ref = WORLD_REF, .limit = 8, .after = bytes_of_str ("nonsense")};
    assert_int_equal (page (*state, &bad, &out), E_BAD_CURSOR);
    bad = (messaging_thread_messages_in_t){.number_ref = "1", .limit = 8};
    assert_int_equal (page (*state, &bad, &out), E_NOT_FOUND);
}

static int media (optest_t *test, id16_t id, const char **url)
{
    messaging_thread_message_ref_t in = {.number_ref = WORLD_REF, .id = id};
    messaging_thread_media_out_t out = {0};
    envelope_t header = world_org_caller ();
    int code = optest_ask (test, "thread_media", &header, &in, &out, NULL);
    *url = out.url;
    return code;
}

static void test_files (void **state)
{
    messaging_thread_send_in_t in = {.kind = MESSAGING_KIND_TEXT, .text = "x"};
    messaging_message_info_t out;
    const char *url = NULL;
    assert_int_equal (send_from (*state, WORLD_REF, &in, &out, NULL), 0);
    assert_int_equal (media (*state, out.id, &url), E_NOT_FOUND);
    in = (messaging_thread_send_in_t){.kind = MESSAGING_KIND_IMAGE, .image = &by_link};
    assert_int_equal (send_from (*state, WORLD_REF, &in, &out, NULL), 0);
    assert_int_equal (media (*state, out.id, &url), 0);
    assert_string_equal (url, LINK);
    in = (messaging_thread_send_in_t){.kind = MESSAGING_KIND_IMAGE, .image = &by_id};
    assert_int_equal (send_from (*state, WORLD_REF, &in, &out, NULL), 0);
    assert_int_equal (media (*state, out.id, &url), E_NOT_FOUND);
    assert_int_equal (media (*state, (id16_t){{8}}, &url), E_NOT_FOUND);
}

int main (void)
{
#define T(name) cmocka_unit_test_setup_teardown (test_##name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        T (types_as_meta_gets_them),
        T (refusals),
        T (numbers),
        T (what_the_carrier_refuses_fails_later),
        T (templates),
        T (own_files_and_the_apps),
        T (quotes_what_we_know),
        T (receipts),
        T (receipts_are_for_what_came_in),
        T (pages),
        T (files),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
