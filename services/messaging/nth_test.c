/* nth_test.c - messaging with every fault in every place: each op, each event it follows, each kind of job. */
#include "base/text.h"
#include "gen/inbox.h"
#include "gen/templates.h"
#include "messaging_world.h"
#include "svc/optest_nth.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define COUNT(list) (sizeof (list) / sizeof *(list))
#define OTHER       "+15557654321"
#define SHA         "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define FRAME(item)                                                                                                       \
    "{\"object\":\"whatsapp_business_account\",\"entry\":[{\"id\":\"1\",\"changes\":[{\"field\":\"messages\",\"value\":{" \
    "\"messaging_product\":\"whatsapp\",\"metadata\":{\"display_phone_number\":\"15550004444\","                          \
    "\"phone_number_id\":\"" WORLD_LIVE_REF                                                                               \
    "\"},\"contacts\":[{\"profile\":{\"name\":\"Ann\"},\"wa_id\":\"15551234567\"}],\"messages\":[{"                       \
    "\"from\":\"15551234567\",\"timestamp\":\"1900000000\"," item "}]}}]}]}"
#define TEXT_CALL FRAME ("\"id\":\"wamid.new\",\"type\":\"text\",\"text\":{\"body\":\"Hi\"}")
#define IMAGE_CALL                                      \
    FRAME ("\"id\":\"wamid.image\",\"type\":\"image\"," \
           "\"image\":{\"id\":\"555\",\"mime_type\":\"image/jpeg\",\"sha256\":\"AA==\"}")

/* What ops need to be there: in the test app a message each way, a file and somebody who opted out; in the live app a message that came in. */
typedef struct things {
    id16_t file, sent, came, sms, live;
    const char *came_ref;
    inbox_erased_t erased; /* the person of `came` */
} things_t;

static id16_t came (optest_t *test, int32_t carrier, id16_t number, const provider_event_t *what)
{
    provider_event_t event = *what;
    messaging_message_received_t told = {0};
    event.news = NEWS_INBOUND;
    event.at = 1;
    event.org = world_org;
    event.number = number;
    world_inbound (test, carrier, &event);
    assert_true (world_last (test, &messaging_message_received_event, &told));
    return told.message->id;
}

/* As inbox tells it that the contact of the thread that was told last is gone. */
static inbox_erased_t erased_told (optest_t *test)
{
    messaging_message_received_t told = {0};
    assert_true (world_last (test, &messaging_message_received_event, &told));
    return (inbox_erased_t){.contact = told.thread->contact,
                            .conversation = told.thread->conversation,
                            .number_id = told.thread->number_id,
                            .peer = told.thread->peer,
                            .at = INT64_MAX / 2};
}

static void run_out (optest_t *test)
{
    while (world_carrier_answers (test))
        ;
    optest_advance (test, 1000);
    while (world_carrier_answers (test))
        ;
}

/* Files are kept for a day, and the clock goes on over all that is done to jobs: without them there. */
static things_t things_of (optest_t *test, bool files)
{
    things_t out = {.came_ref = "w-1"};
    const provider_event_t person = {.provider_id = "w-1",
                                     .whatsapp = true,
                                     .from = WORLD_PERSON,
                                     .to = WORLD_WHATSAPP,
                                     .text = "Hi"},
                           live = {.provider_id = "wamid.in1",
                                   .whatsapp = true,
                                   .from = WORLD_PERSON,
                                   .to = WORLD_LIVE_WHATSAPP,
                                   .text = "Hi"},
                           stop = {.provider_id = "s-1",
                                   .from = OTHER,
                                   .to = WORLD_SMS,
                                   .text = "Stop"};
    out.came = came (test, ACCOUNTS_CARRIER_LOOPBACK, world_whatsapp_number, &person);
    out.erased = erased_told (test);
    out.live = came (test, ACCOUNTS_CARRIER_META, world_live_whatsapp_number, &live);
    came (test, ACCOUNTS_CARRIER_LOOPBACK, world_number, &stop);
    if (files)
        out.file = world_file (test, world_app, MESSAGING_KIND_IMAGE);
    messaging_media_content_t media = {.media = out.file};
    messaging_whatsapp_send_in_t image = {.kind =
                                              files ? MESSAGING_KIND_IMAGE : MESSAGING_KIND_TEXT,
                                          .media = files ? &media : NULL,
                                          .text = files ? NULL : "Hi"};
    messaging_whatsapp_send_out_t sent = {0};
    messaging_sms_send_out_t sms = {0};
    assert_int_equal (world_whatsapp (test, world_caller (), &image, &sent, NULL), 0);
    assert_int_equal (world_sms (test, WORLD_PERSON, "Hello", &sms, NULL), 0);
    out.sent = sent.id;
    out.sms = sms.id;
    for (int i = 0; i < 10; i++)
        run_out (test);
    return out;
}

static messaging_callback_receive_in_t meta_call (optest_t *test, const char *body)
{
    schema_pair_t *header = arena_new_of (optest_arena (test), schema_pair_t);
    *header = (schema_pair_t){"x-hub-signature-256", world_meta_signature (test, body)};
    return (messaging_callback_receive_in_t){.account = world_meta,
                                             .carrier = ACCOUNTS_CARRIER_META,
                                             .method = "POST",
                                             .headers = {header, 1},
                                             .body = bytes_of_str (body)};
}

static void sends_and_threads (optest_t *test, const things_t *has, nth_seen_t *seen)
{
    const envelope_t app = world_caller (), live = world_live_caller (), org = world_org_caller ();
    const char *to[] = {WORLD_PERSON, "+15551234568"}, *urls[] = {"https://x.example/1.jpg"};
    messaging_media_given_t link = {.link = "https://x.example/1.jpg", .caption = "c"};
    messaging_media_content_t media = {.media = has->file, .caption = "c"};
    const nth_ask_t asks[] = {
        {"sms_send", app,
         &(messaging_sms_send_in_t){.from = WORLD_SMS, .to = {to, 2}, .text = "Hello"}},
        {"sms_send", live,
         &(messaging_sms_send_in_t){
             .from = WORLD_LIVE_SMS, .to = {to, 1}, .text = "x", .media_urls = {urls, 1}}},
        {"whatsapp_send", app,
         &(messaging_whatsapp_send_in_t){.from = WORLD_WHATSAPP,
                                         .to = WORLD_PERSON,
                                         .kind = MESSAGING_KIND_TEXT,
                                         .text = "Hello",
                                         .reply_to = has->came}},
        {"whatsapp_send", app,
         &(messaging_whatsapp_send_in_t){.from = WORLD_WHATSAPP,
                                         .to = WORLD_PERSON,
                                         .kind = MESSAGING_KIND_IMAGE,
                                         .media = &media}},
        {"message_read", app, &(messaging_message_ref_t){.message = has->came}},
        {"message_typing", app, &(messaging_message_ref_t){.message = has->came}},
        {"thread_ensure", org,
         &(messaging_thread_ensure_in_t){.number_ref = WORLD_REF, .phone = OTHER}},
        {"thread_send", org,
         &(messaging_thread_send_in_t){.number_ref = WORLD_REF,
                                       .to = WORLD_PERSON,
                                       .kind = MESSAGING_KIND_TEXT,
                                       .text = "Hello"}},
        {"thread_send", org,
         &(messaging_thread_send_in_t){.number_ref = WORLD_REF,
                                       .to = WORLD_PERSON,
                                       .kind = MESSAGING_KIND_IMAGE,
                                       .image = &link}},
        {"thread_read", org,
         &(messaging_thread_read_in_t){.number_ref = WORLD_REF,
                                       .product = MESSAGING_MESSAGING_PRODUCT_WHATSAPP,
                                       .receipt = MESSAGING_RECEIPT_KIND_READ,
                                       .provider_id = has->came_ref}},
        {"thread_messages", org, &(messaging_thread_messages_in_t){.number_ref = WORLD_REF}},
        {"thread_message_get", org,
         &(messaging_thread_message_ref_t){.number_ref = WORLD_REF, .id = has->came}},
        {"thread_media", org,
         &(messaging_thread_message_ref_t){.number_ref = WORLD_REF, .id = has->sent}},
    };
    assert_int_equal (nth_asks (test, asks, COUNT (asks), seen), 0);
}

static void all_others (optest_t *test, const things_t *has, nth_seen_t *seen)
{
    const envelope_t app = world_caller (), org = world_org_caller (), none = {0};
    messaging_callback_receive_in_t call = meta_call (test, TEXT_CALL);
    const nth_ask_t asks[] = {
        {"optout_list", none, &(messaging_optout_list_in_t){.limit = 10}},
        {"optout_clear", none, &(messaging_optout_clear_in_t){.peer = OTHER}},
        {"inbound_simulate", app,
         &(messaging_inbound_simulate_in_t){
             .from = OTHER, .to = WORLD_SMS, .text = "Hello", .channel = ACCOUNTS_CHANNEL_SMS}},
        {"user_number_draw", app,
         &(messaging_user_number_draw_in_t){.channel = ACCOUNTS_CHANNEL_SMS}},
        {"user_number_list", app,
         &(messaging_user_number_list_in_t){.channel = ACCOUNTS_CHANNEL_SMS}},
        {"callback_receive", none, &call},
        {"media_adopt", app,
         &(messaging_media_adopt_in_t){.id = (id16_t){{1, 0x9a, 0, 0, 0, 0, 0x70, 1, 0x80}},
                                       .kind = MESSAGING_KIND_DOCUMENT,
                                       .filename = "a.pdf",
                                       .mime_type = "application/pdf",
                                       .size = 9,
                                       .sha256 = SHA}},
        {"media_get", app, &(messaging_media_get_in_t){.id = has->file}},
        {"media_delete", app, &(messaging_media_delete_in_t){.id = has->file}},
        {"media_open", none,
         &(messaging_media_open_in_t){.org = world_org, .holder = world_app, .id = has->file}},
        {"log_page", org, &(messaging_log_page_in_t){.channel = ACCOUNTS_CHANNEL_WHATSAPP}},
        {"log_get", org,
         &(messaging_log_get_in_t){
             .channel = ACCOUNTS_CHANNEL_SMS, .id = has->sms, .id_test = true}},
        {"messages_list", none, &(messaging_messages_list_in_t){.org = world_org, .limit = 50}},
        {"org_policy", org, &(messaging_org_policy_in_t){0}},
        {"app_counts", org, &(messaging_app_counts_in_t){.app = world_app}},
    };
    assert_int_equal (nth_asks (test, asks, COUNT (asks), seen), 0);
}

static void test_ops (void **state)
{
    things_t has = things_of (*state, true);
    nth_seen_t seen = {0};
    sends_and_threads (*state, &has, &seen);
    all_others (*state, &has, &seen);
    assert_int_equal (nth_unseen (*state, &seen), 0);
}

static void test_follows (void **state)
{
    optest_t *test = *state;
    things_t has = things_of (test, true);
    const event_about_t of_contact = {.record = has.erased.contact, .version = 2, .org = world_org};
    const id16_t new = {{77}};
    const event_about_t about = {.record = new, .version = 9, .org = world_org, .app = new};
    const event_about_t of_app = {
        .record = world_app, .version = 9, .org = world_org, .app = world_app, .test = true};
    const event_about_t of_org = {.record = world_org, .version = 9, .org = world_org};
    const event_about_t of_number = {
        .record = world_whatsapp_number, .version = 9, .org = world_org};
    const nth_event_t events[] = {
        {&accounts_assignment_changed_event, about,
         &(accounts_assignment_changed_t){.id = new,
                                          .org = world_org,
                                          .app = world_app,
                                          .number_id = {{78}},
                                          .number = "+15550007777",
                                          .channel = ACCOUNTS_CHANNEL_SMS,
                                          .carrier = ACCOUNTS_CARRIER_LOOPBACK,
                                          .test = true}},
        {&accounts_app_changed_event, about,
         &(accounts_app_changed_t){
             .id = new, .org = world_org, .name = "New", .status = ACCOUNTS_APP_STATUS_ACTIVE}},
        {&accounts_app_changed_event, of_app,
         &(accounts_app_changed_t){
             .id = world_app, .org = world_org, .name = "Desk", .test = true, .deleted = true}},
        {&accounts_org_changed_event, of_org,
         &(accounts_org_changed_t){
             .id = world_org, .name = "Org", .status = ACCOUNTS_ORG_STATUS_ACTIVE}},
        {&accounts_carrier_changed_event, about,
         &(accounts_carrier_changed_t){.id = new,
                                       .org = world_org,
                                       .carrier = ACCOUNTS_CARRIER_META,
                                       .name = "second",
                                       .base_url = "https://carrier.example/v1",
                                       .waba = "2"}},
        {&accounts_number_changed_event, of_number,
         &(accounts_number_changed_t){.id = world_whatsapp_number,
                                      .org = world_org,
                                      .number = WORLD_WHATSAPP,
                                      .channel = ACCOUNTS_CHANNEL_WHATSAPP,
                                      .carrier = ACCOUNTS_CARRIER_LOOPBACK,
                                      .test = true,
                                      .ref = WORLD_REF,
                                      .waba = "1",
                                      .name = "Other name",
                                      .status = ACCOUNTS_NUMBER_STATUS_CONNECTED}},
        {&templates_template_changed_event, about,
         &(templates_template_changed_t){.id = new,
                                         .org = world_org,
                                         .account = world_meta,
                                         .name = "order",
                                         .language = "en",
                                         .status = TEMPLATES_STATUS_APPROVED}},
        {&inbox_erased_event, of_contact, &has.erased},
        {&templates_account_synced_event, about,
         &(templates_account_synced_t){.account = world_meta, .org = world_org, .at = 1}},
    };
    assert_int_equal (nth_follows (test, events, COUNT (events)), 0);
    assert_int_equal (nth_batches (test, events, COUNT (events), NULL), 0);
}

/* ---- jobs ---- */

static things_t story_has;

static int sent_by (optest_t *test, envelope_t header, const messaging_sms_send_in_t *in)
{
    return optest_ask (test, "sms_send", &header, in, NULL, NULL);
}

static int live_begin (optest_t *test)
{
    const char *to[] = {WORLD_PERSON};
    messaging_sms_send_in_t in = {.from = WORLD_LIVE_SMS, .to = {to, 1}, .text = "Hello"};
    return sent_by (test, world_live_caller (), &in);
}

static int mms_begin (optest_t *test)
{
    const char *to[] = {WORLD_PERSON}, *urls[] = {"https://x.example/1.jpg"};
    messaging_sms_send_in_t in = {
        .from = WORLD_LIVE_SMS, .to = {to, 1}, .text = "Hello", .media_urls = {urls, 1}};
    return sent_by (test, world_live_caller (), &in);
}

static int loopback_begin (optest_t *test)
{
    const char *to[] = {WORLD_PERSON};
    messaging_sms_send_in_t in = {.from = WORLD_SMS, .to = {to, 1}, .text = "Hello"};
    return sent_by (test, world_caller (), &in);
}

static int called (optest_t *test, const char *body)
{
    messaging_callback_receive_in_t in = meta_call (test, body);
    return optest_ask (test, "callback_receive", NULL, &in, NULL, NULL);
}

static int text_begin (optest_t *test)
{
    return called (test, TEXT_CALL);
}

static int image_begin (optest_t *test)
{
    return called (test, IMAGE_CALL);
}

static int read_begin (optest_t *test)
{
    messaging_message_ref_t in = {.message = story_has.live};
    envelope_t header = world_live_caller ();
    int code = optest_ask (test, "message_read", &header, &in, NULL, NULL);
    return code == E_PARKED ? 0 : code;
}

static int app_end_begin (optest_t *test)
{
    accounts_app_changed_t body = {
        .id = world_app, .org = world_org, .name = "Desk", .test = true, .deleted = true};
    event_about_t about = {
        .record = world_app, .version = 9, .org = world_org, .app = world_app, .test = true};
    return optest_follow (test, &accounts_app_changed_event, &about, &body, NULL);
}

static int erase_begin (optest_t *test)
{
    event_about_t about = {.record = story_has.erased.contact, .version = 2, .org = world_org};
    return optest_follow (test, &inbox_erased_event, &about, &story_has.erased, NULL);
}

static void carrier_says (const outward_t *job, outcome_t *out)
{
    static const fetch_file_t file = {.blob = {{1, 0x9a, 0, 0, 0, 0, 0x70, 9, 0x80}}, .size = 9};
    static const char located[] =
        "{\"id\":\"555\",\"url\":\"https://carrier.example/file\",\"mime_type\":\"image/jpeg\"}";
    static _Thread_local unsigned sends;
    const char *url = job->out.request.url;
    static char sent[128];
    if (strstr (url, "/555"))
        out->body = bytes_of_str (located);
    else if (strstr (url, "/file"))
        out->file = &file;
    else if (strcmp (job->out.request.method, "POST") == 0 && strstr (url, WORLD_LIVE_REF))
        out->body = bytes_of_str ("{\"success\":true}");
    else {
        snprintf (sent, sizeof sent,
                  "{\"data\":{\"id\":\"m-%u\",\"to\":[{\"status\":\"queued\"}]}}", ++sends);
        out->body = bytes_of_str (sent);
    }
}

static void test_jobs (void **state)
{
    optest_t *test = *state;
    static const job_kind_t *const send[] = {&messaging_send_kind, &messaging_unknown_kind, NULL},
                                   *const receipt[] = {&messaging_send_kind,
                                                       &messaging_receipt_kind, NULL},
                                   *const check[] = {&messaging_media_check_kind, NULL},
                                   *const callback[] = {&messaging_callback_kind, NULL},
                                   *const fetch[] = {&messaging_media_fetch_kind, NULL},
                                   *const read[] = {&messaging_read_kind, NULL},
                                   *const app_end[] = {&messaging_app_end_kind, NULL},
                                   *const erase[] = {&messaging_erase_kind, NULL};
    story_has = things_of (test, false);
    const nth_story_t stories[] = {
        {"a send", send, live_begin, carrier_says, true},
        {"a send with an attachment", check, mms_begin, carrier_says, true},
        {"a send over loopback", receipt, loopback_begin, NULL, false},
        {"a callback", callback, text_begin, NULL, false},
        {"a callback with a file", fetch, image_begin, carrier_says, true},
        {"a read receipt", read, read_begin, carrier_says, true},
        {"a contact goes", erase, erase_begin, NULL, false},
        {"an app goes", app_end, app_end_begin, NULL, false},
    };
    assert_int_equal (nth_stories (test, stories, COUNT (stories)), 0);
    assert_int_equal (nth_first_turns (test, stories, COUNT (stories)), 0);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_ops, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown (test_follows, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown (test_jobs, world_setup, world_teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
