/* kirim_event_test.c - Kirim's payloads and headers: relayed bodies, envelopes, event ids, the signature's published vectors. */
#include "dialect/dialect.h"

#include "gen/inbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const id16_t one = {
    {0x01, 0x9a, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 1}}; /* 01K8... */

static char payload[8192];
static dialect_rendered_t rendered;

static const char *render (const schema_event_t *core, const void *body, bool test,
                           dialect_how_t how)
{
    journal_event_t event = {.event = core, .id = one, .test = test, .at = 1779530400000};
    buf_t out = {0};
    int rc = dialect_event_render_how (&dialect_kirim, &event, body, &how, &rendered, &out);
    assert_int_equal (rc, dialect_event_name (&dialect_kirim, &event, body) ? 0 : E_NOT_FOUND);
    snprintf (payload, sizeof payload, "%s", buf_text (&out));
    buf_free (&out);
    return rc ? NULL : payload;
}

static const messaging_thread_told_t thread = {.conversation = {{1}},
                                               .contact = {{2}},
                                               .number_ref = "106540352242922",
                                               .waba = "102290129340398",
                                               .number = "+628111000111",
                                               .peer = "+628111222333",
                                               .name = "Sari \"S\""};

static messaging_content_t text_in (void)
{
    return (messaging_content_t){.id = one,
                                 .channel = ACCOUNTS_CHANNEL_WHATSAPP,
                                 .direction = MESSAGING_DIRECTION_INBOUND,
                                 .kind = MESSAGING_KIND_TEXT,
                                 .from = "+628111222333",
                                 .to = "+628111000111",
                                 .text = "Halo",
                                 .received_at = 1779530401234,
                                 .occurred_at = 1779530401234};
}

static void test_received_is_built_from_fields (void **state)
{
    (void) state;
    messaging_content_t content = text_in ();
    messaging_message_received_t body = {
        .message = &content, .thread = &thread, .provider_id = "lb-1"};
    assert_string_equal (
        render (&messaging_message_received_event, &body, false, (dialect_how_t){0}),
        "{\"object\":\"whatsapp_business_account\",\"entry\":[{\"id\":\"102290129340398\",\"changes\":"
        "[{\"value\":{\"messaging_product\":\"whatsapp\",\"metadata\":{\"display_phone_number\":"
        "\"628111000111\",\"phone_number_id\":\"106540352242922\"},\"contacts\":[{\"profile\":{"
        "\"name\":\"Sari \\\"S\\\"\"},\"wa_id\":\"628111222333\"}],\"messages\":[{\"from\":"
        "\"628111222333\",\"id\":\"lb-1\",\"timestamp\":\"1779530401\",\"type\":\"text\",\"text\":{"
        "\"body\":\"Halo\"}}]},\"field\":\"messages\"}]}]}");
    assert_string_equal (rendered.event_id, "lb-1");
    assert_int_equal (rendered.mark, 0);
}

/* Whatever the carrier said stays as it was said. */
static void test_the_carriers_bytes_go_on (void **state)
{
    (void) state;
    static const char call[] = "{ \"object\" : \"whatsapp_business_account\",\n \"entry\":[] }\n";
    messaging_content_t content = text_in ();
    messaging_message_received_t body = {.message = &content,
                                         .thread = &thread,
                                         .provider_id = "wamid.A==",
                                         .call = bytes_of_str (call)};
    assert_string_equal (
        render (&messaging_message_received_event, &body, false, (dialect_how_t){0}), call);
    render (&messaging_message_received_event, &body, false, (dialect_how_t){.extras = true});
    assert_non_null (strstr (payload, "\"entry\":[] ,\"kirim\":{\"delivery_id\":\"wbd_0000"));
    assert_non_null (strstr (payload, "\"conversation_id\":\"cnv_"));
    arena_t *arena = arena_new (1 << 16);
    bytes_t marked =
        dialect_marked (&dialect_kirim, arena, bytes_of_str (payload), rendered.mark, one);
    char id[64];
    dialect_kirim.id_write ("wbd", false, one, id);
    assert_int_equal (marked.size, strlen (payload));
    assert_memory_equal (marked.data + rendered.mark, id, strlen (id));
    assert_memory_equal (marked.data, payload, rendered.mark);
    arena_destroy (&arena);
}

static void test_the_carriers_item_is_wrapped (void **state)
{
    (void) state;
    buf_t raw = {0};
    assert_int_equal (
        schema_any_read (bytes_of_str ("{\"from\":\"1\",\"id\":\"wamid.B\",\"type\":\"poll\"}"),
                         &raw, NULL),
        0);
    messaging_content_t content = text_in ();
    content.kind = MESSAGING_KIND_UNSUPPORTED;
    content.raw = buf_bytes (&raw);
    messaging_message_received_t body = {
        .message = &content, .thread = &thread, .provider_id = "wamid.B"};
    render (&messaging_message_received_event, &body, false, (dialect_how_t){0});
    assert_non_null (
        strstr (payload, "\"messages\":[{\"from\":\"1\",\"id\":\"wamid.B\",\"type\":\"poll\"}]}"));
    buf_free (&raw);
}

static void test_inbound_kinds (void **state)
{
    (void) state;
    static const messaging_media_content_t media = {
        .provider_id = "77", .mime_type = "image/png", .caption = "c"};
    static const messaging_location_content_t place = {
        .has = MESSAGING_LOCATION_CONTENT_HAS_LATITUDE | MESSAGING_LOCATION_CONTENT_HAS_LONGITUDE,
        .latitude = -6.5,
        .longitude = 106.25};
    static const messaging_reaction_content_t reaction = {.provider_id = "wamid.X", .emoji = "+"};
    static const messaging_interactive_reply_t row = {.id = "r1", .title = "Row"};
    static const messaging_reply_told_t chosen = {.kind = MESSAGING_REPLY_KIND_LIST_REPLY,
                                                  .list_reply = &row};
    static const messaging_button_reply_t button = {.text = "Yes", .payload = "y"};
    static const messaging_context_content_t context = {.provider_id = "wamid.Q",
                                                        .from = "+628111000111"};
    messaging_content_t image = text_in (), where = text_in (), react = text_in (),
                        list = text_in (), pressed = text_in ();
    image.kind = MESSAGING_KIND_IMAGE, image.media = &media;
    where.kind = MESSAGING_KIND_LOCATION, where.location = &place;
    react.kind = MESSAGING_KIND_REACTION, react.reaction = &reaction;
    list.kind = MESSAGING_KIND_INTERACTIVE, list.interactive_reply = &chosen,
    list.context = &context;
    pressed.kind = MESSAGING_KIND_BUTTON, pressed.button = &button;
    const struct {
        const messaging_content_t *content;
        const char *want;
    } rows[] = {
        {&image, "\"type\":\"image\",\"image\":{\"id\":\"77\",\"mime_type\":\"image/png\","
                 "\"caption\":\"c\"}}]"},
        {&where, "\"type\":\"location\",\"location\":{\"latitude\":-6.5,\"longitude\":106.25}}]"},
        {&react, "\"reaction\":{\"message_id\":\"wamid.X\",\"emoji\":\"+\"}}]"},
        {&list, "\"interactive\":{\"type\":\"list_reply\",\"list_reply\":{\"id\":\"r1\",\"title\":"
                "\"Row\"}},\"context\":{\"id\":\"wamid.Q\",\"from\":\"628111000111\"}}]"},
        {&pressed, "\"button\":{\"text\":\"Yes\",\"payload\":\"y\"}}]"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        messaging_message_received_t body = {
            .message = rows[i].content, .thread = &thread, .provider_id = "lb-1"};
        render (&messaging_message_received_event, &body, false, (dialect_how_t){0});
        if (!strstr (payload, rows[i].want))
            fail_msg ("no %s in %s", rows[i].want, payload);
    }
}

static void test_statuses (void **state)
{
    (void) state;
    messaging_provider_error_t provider = {
        .source = "meta", .code = "131026", .message = "Message undeliverable"};
    messaging_error_told_t error = {.code = E_RECIPIENT_NOT_ON_WHATSAPP,
                                    .message = "The number has no WhatsApp account.",
                                    .provider = &provider};
    messaging_error_told_t own = {.code = E_CONVERSATION_WINDOW_EXPIRED, .message = "Closed."};
    const struct {
        int32_t status;
        const messaging_error_told_t *error;
        const char *want; /* NULL: no event */
    } rows[] = {
        {MESSAGING_STATUS_QUEUED, NULL, NULL},
        {MESSAGING_STATUS_SENDING, NULL, NULL},
        {MESSAGING_STATUS_SENT, NULL,
         "\"statuses\":[{\"id\":\"wamid.C\",\"status\":\"sent\",\"timestamp\":\"1779530500\","
         "\"recipient_id\":\"628111222333\"}]}"},
        {MESSAGING_STATUS_DELIVERED, NULL, "\"status\":\"delivered\""},
        {MESSAGING_STATUS_READ, NULL, "\"status\":\"read\""},
        {MESSAGING_STATUS_FAILED, &error,
         "\"status\":\"failed\",\"timestamp\":\"1779530500\",\"recipient_id\":\"628111222333\","
         "\"errors\":[{\"code\":131026,\"title\":\"Message undeliverable\",\"message\":"
         "\"Message undeliverable\",\"error_data\":{\"details\":"
         "\"The number has no WhatsApp account.\"}}]}]"},
        {MESSAGING_STATUS_FAILED, &own, "\"errors\":[{\"code\":131047,\"title\":\"Closed.\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        messaging_content_t content = text_in ();
        content.direction = MESSAGING_DIRECTION_OUTBOUND;
        content.from = "+628111000111", content.to = "+628111222333";
        messaging_message_status_t body = {.status = rows[i].status,
                                           .message = &content,
                                           .thread = &thread,
                                           .provider_id = "wamid.C",
                                           .error = rows[i].error,
                                           .at = 1779530500999};
        const char *got =
            render (&messaging_message_status_event, &body, false, (dialect_how_t){0});
        if (!rows[i].want)
            assert_null (got);
        else if (!got || !strstr (got, rows[i].want))
            fail_msg ("no %s in %s", rows[i].want, got ? got : "nothing");
        if (got)
            assert_string_equal (rendered.event_id, "wamid.C");
    }
}

static void test_event_ids_may_tell_the_status (void **state)
{
    (void) state;
    messaging_content_t content = text_in ();
    messaging_message_status_t body = {.status = MESSAGING_STATUS_READ, .message = &content};
    render (&messaging_message_status_event, &body, false,
            (dialect_how_t){.status_in_event_id = true});
    assert_non_null (strstr (rendered.event_id, ":read"));
    assert_memory_equal (rendered.event_id, "msg_", 4); /* no carrier gave it an id */
    content.channel = ACCOUNTS_CHANNEL_SMS;
    assert_null (render (&messaging_message_status_event, &body, false, (dialect_how_t){0}));
}

static void test_envelopes (void **state)
{
    (void) state;
    inbox_conversation_closed_t closed = {.conversation = one,
                                          .status = INBOX_CONVERSATION_STATUS_RESOLVED};
    char id[64], evt[64], want[1024];
    dialect_kirim.id_write ("cnv", false, one, id);
    dialect_kirim.id_write ("evt", false, one, evt);
    snprintf (want, sizeof want,
              "{\"id\":\"%s\",\"type\":\"conversation.closed\",\"created_at\":"
              "\"2026-05-23T10:00:00.000Z\",\"livemode\":true,\"data\":{\"conversation\":{\"id\":"
              "\"%s\",\"object\":\"conversation\",\"status\":\"resolved\",\"closed_by_user_id\":"
              "null}}}",
              evt, id);
    assert_string_equal (
        render (&inbox_conversation_closed_event, &closed, false, (dialect_how_t){0}), want);
    assert_string_equal (rendered.event_id, evt);

    inbox_conversation_assigned_t assigned = {
        .conversation = one, .status = INBOX_CONVERSATION_STATUS_OPEN, .user = one};
    render (&inbox_conversation_assigned_event, &assigned, true, (dialect_how_t){0});
    assert_non_null (strstr (payload, "\"livemode\":false"));
    assert_non_null (strstr (payload, "\"assignee\":{\"user_id\":\"usr_"));
    assert_non_null (strstr (payload, "\"previous_user_id\":null"));

    inbox_contact_told_t contact = {.id = one,
                                    .phone_number = "+628111222333",
                                    .account_number = "+628111000111",
                                    .created_at = 1779530400000,
                                    .updated_at = 1779530400000};
    inbox_contact_changed_t made = {
        .contact = &contact, .created = true, .source = INBOX_CONTACT_SOURCE_INBOUND};
    render (&inbox_contact_changed_event, &made, false, (dialect_how_t){0});
    assert_non_null (strstr (payload, "\"type\":\"contact.created\""));
    assert_non_null (strstr (payload, "\"whatsapp_account\":{\"phone_number\":\"+628111000111\"}"));
    assert_non_null (strstr (payload, "\"acquisition_source\":\"inbound\""));
    const char *changed[] = {"name", "labels"};
    inbox_contact_changed_t renamed = {.contact = &contact, .changed = {changed, 2}};
    render (&inbox_contact_changed_event, &renamed, false, (dialect_how_t){0});
    assert_non_null (strstr (payload, "\"type\":\"contact.updated\""));
    assert_non_null (strstr (payload, "\"changed_fields\":[\"name\",\"labels\"]"));

    messaging_content_t content = text_in ();
    content.direction = MESSAGING_DIRECTION_OUTBOUND;
    messaging_message_accepted_t accepted = {.message = &content, .thread = &thread};
    render (&messaging_message_accepted_event, &accepted, false, (dialect_how_t){0});
    assert_non_null (strstr (payload, "\"type\":\"message.created\""));
    assert_non_null (strstr (payload, "\"status\":\"pending\""));
    assert_non_null (strstr (payload, ",\"conversation_id\":\"cnv_"));
}

/* spec/kirim/behaviour.md, section 15. */
static void test_signature_vectors (void **state)
{
    (void) state;
    static const char body[] =
        "{\"id\":\"evt_01HXYZABCDEFGHJKMNPQRSTVWX\",\"type\":\"conversation.closed\",\"created_at\":"
        "\"2026-05-23T10:00:00.000Z\",\"livemode\":true,\"data\":{\"conversation\":{\"id\":"
        "\"cnv_01HXYZABCDEFGHJKMNPQRSTVWX\",\"object\":\"conversation\",\"status\":\"resolved\","
        "\"closed_by_user_id\":null}}}";
    static const char *const secrets[] = {"whsec_0123456789abcdefghijklmnopqrstuv",
                                          "whsec_rotated_key_for_the_second_slot"};
    static const char signature[] =
        "X-Kirim-Signature: t=1716480000,"
        "v1=5cb253bae027f8b6b9a422a3e1af1901513a69118c84434571eed7316e2e2704,"
        "v1=0f9bbc9b59037f9d93bca4370de6300b8fcb54a8a2bc292425bc54c79e206e41";
    static const char *const wants[] = {
        "Content-Type: application/json",
        "User-Agent: Kirim-Webhook/1.0",
        "X-Kirim-Source: kirim",
        "X-Kirim-Event: conversation.closed",
        "X-Kirim-Event-Id: evt_01HXYZABCDEFGHJKMNPQRSTVWX",
        "X-Kirim-Delivery-Id: ",
        "X-Kirim-Attempt: 3",
        signature,
    };
    arena_t *arena = arena_new (1 << 16);
    const char *items[DIALECT_HEADERS_MAX + 1];
    dialect_headers_t out = {arena, items, 0};
    dialect_sending_t sending = {.event = "conversation.closed",
                                 .event_id = "evt_01HXYZABCDEFGHJKMNPQRSTVWX",
                                 .delivery = one,
                                 .attempt = 3,
                                 .timestamp_s = 1716480000,
                                 .body = bytes_of_str (body),
                                 .secrets = secrets,
                                 .secret_count = 2};
    assert_int_equal (sizeof body - 1, 257);
    dialect_header_add (&out, "Content-Type", "application/json");
    assert_int_equal (dialect_kirim.delivery->headers (&sending, &out), 0);
    assert_int_equal (out.count, sizeof wants / sizeof *wants);
    for (size_t i = 0; i < out.count; i++)
        assert_memory_equal (items[i], wants[i], strlen (wants[i]));
    sending.event = "message.status";
    out.count = 0;
    assert_int_equal (dialect_kirim.delivery->headers (&sending, &out), 0);
    assert_string_equal (items[1], "X-Kirim-Source: meta");
    arena_destroy (&arena);
}

static void test_secrets_are_texts_for_urls (void **state)
{
    (void) state;
    for (int i = 0; i < 50; i++) {
        char secret[64];
        dialect_kirim.delivery->secret_make (secret);
        assert_int_equal (strlen (secret), 6 + 43);
        assert_memory_equal (secret, "whsec_", 6);
        assert_int_equal (strspn (secret + 6, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                              "0123456789-_"),
                          43);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_received_is_built_from_fields),
        cmocka_unit_test (test_the_carriers_bytes_go_on),
        cmocka_unit_test (test_the_carriers_item_is_wrapped),
        cmocka_unit_test (test_inbound_kinds),
        cmocka_unit_test (test_statuses),
        cmocka_unit_test (test_event_ids_may_tell_the_status),
        cmocka_unit_test (test_envelopes),
        cmocka_unit_test (test_signature_vectors),
        cmocka_unit_test (test_secrets_are_texts_for_urls),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
