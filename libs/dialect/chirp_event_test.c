/* chirp_event_test.c - payloads of the nine message events: names, required fields, the error in both places, whose app it is. */
#include "dialect/dialect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { NOW = 1772442903 };

static id16_t id_of (uint8_t last)
{
    id_source_t ids = {0};
    id16_t id = id_next (&ids, 1772442901000);
    id.b[6] = 0x70;
    memset (id.b + 7, 0, 9);
    id.b[8] = 0x80;
    id.b[15] = last;
    return id;
}

static messaging_content_t content_of (bool whatsapp, bool test)
{
    return (messaging_content_t){.id = id_of (1),
                                 .channel =
                                     whatsapp ? ACCOUNTS_CHANNEL_WHATSAPP : ACCOUNTS_CHANNEL_SMS,
                                 .direction = MESSAGING_DIRECTION_OUTBOUND,
                                 .kind = whatsapp ? MESSAGING_KIND_TEXT : MESSAGING_KIND_SMS,
                                 .test = test,
                                 .from = "+14155550142",
                                 .to = "+13125550178",
                                 .recipient_id = id_of (2),
                                 .text = "Yes, ten to four.",
                                 .sent_at = 1772442901004,
                                 .occurred_at = 1772442903550,
                                 .source = MESSAGING_SOURCE_CLOUD_API};
}

static char payload[4096], event_id[64];

static const char *render (const schema_event_t *core, const void *body, bool test,
                           const char **name)
{
    journal_event_t event = {.event = core, .id = id_of (9), .test = test};
    messaging_app_ref_t app = {.id = id_of (3), .name = "Harbour \"Desk\"", .test = test};
    buf_t out = {0};
    *name = dialect_event_name (&dialect_chirp, &event, body);
    int rc = dialect_event_render (&dialect_chirp, &event, body, &app, "https://h", NOW * 1000ll,
                                   event_id, &out);
    assert_int_equal (rc, *name ? 0 : E_NOT_FOUND);
    snprintf (payload, sizeof payload, "%s", buf_text (&out));
    buf_free (&out);
    return payload;
}

static void assert_has (const char *text, const char *const *wants)
{
    for (; *wants; wants++)
        if (!strstr (text, *wants))
            fail_msg ("no %s in %s", *wants, text);
}

static void test_names (void **state)
{
    (void) state;
    static const struct {
        bool whatsapp;
        int32_t status;
        const char *want;
    } rows[] = {
        {false, MESSAGING_STATUS_QUEUED, NULL},
        {false, MESSAGING_STATUS_SENT, "messages.sms.sent"},
        {false, MESSAGING_STATUS_DELIVERED, "messages.sms.delivered"},
        {false, MESSAGING_STATUS_READ, NULL},
        {false, MESSAGING_STATUS_FAILED, "messages.sms.failed"},
        {true, MESSAGING_STATUS_SENDING, NULL},
        {true, MESSAGING_STATUS_SENT, "messages.whatsapp.sent"},
        {true, MESSAGING_STATUS_DELIVERED, "messages.whatsapp.delivered"},
        {true, MESSAGING_STATUS_READ, "messages.whatsapp.read"},
        {true, MESSAGING_STATUS_FAILED, "messages.whatsapp.failed"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        messaging_content_t content = content_of (rows[i].whatsapp, false);
        messaging_message_status_t body = {.status = rows[i].status, .message = &content};
        const char *name;
        render (&messaging_message_status_event, &body, false, &name);
        if (!rows[i].want)
            assert_null (name);
        else
            assert_string_equal (name, rows[i].want);
        if (name)
            assert_true (dialect_event_known (&dialect_chirp, name));
    }
    for (int whatsapp = 0; whatsapp < 2; whatsapp++) {
        messaging_content_t content = content_of (whatsapp, true);
        content.direction = MESSAGING_DIRECTION_INBOUND;
        messaging_message_received_t body = {.message = &content};
        const char *name;
        render (&messaging_message_received_event, &body, true, &name);
        assert_string_equal (name,
                             whatsapp ? "messages.whatsapp.received" : "messages.sms.received");
        assert_non_null (strstr (payload, "\"direction\":\"inbound\""));
        journal_event_t again = {.event = &messaging_message_received_event, .snapshot = true};
        assert_null (dialect_event_name (&dialect_chirp, &again, &body));
    }
    messaging_message_accepted_t accepted = {0};
    const char *name;
    render (&messaging_message_accepted_event, &accepted, false, &name);
    assert_null (name);
}

static void test_known (void **state)
{
    (void) state;
    size_t count = 0;
    for (const char *const *name = dialect_event_names (&dialect_chirp); *name; name++, count++)
        assert_true (dialect_event_known (&dialect_chirp, *name));
    assert_int_equal (count, 48);
    assert_false (dialect_event_known (&dialect_chirp, "messages.sms.exploded"));
    assert_false (dialect_event_known (&dialect_chirp, ""));
}

static void test_sms_payload (void **state)
{
    (void) state;
    messaging_content_t content = content_of (false, true);
    messaging_message_status_t body = {.status = MESSAGING_STATUS_SENT, .message = &content};
    const char *name;
    render (&messaging_message_status_event, &body, true, &name);
    static const char *const wants[] = {
        "{\"event\":\"messages.sms.sent\",\"eventId\":\"evt_",
        "\"timestamp\":\"2026-03-02T09:15:03.000Z\",\"data\":{\"message\":{",
        "\"id\":\"msg_sms_test_",
        "\"direction\":\"outbound\"",
        "\"from\":\"+14155550142\"",
        "\"to\":\"+13125550178\"",
        "\"recipientId\":\"rcpt_test_",
        "\"text\":\"Yes, ten to four.\"",
        "\"type\":\"sms\"",
        "\"mediaUrl\":null",
        "\"mediaId\":null",
        "\"receivedAt\":null",
        "\"sentAt\":\"2026-03-02T09:15:01.004Z\"",
        "\"completedAt\":null",
        "\"occurredAt\":\"2026-03-02T09:15:03.550Z\"",
        "\"app\":{\"id\":\"app_test_",
        "\"name\":\"Harbour \\\"Desk\\\"\"}}}",
        NULL};
    assert_has (payload, wants);
    assert_null (strstr (payload, "\"error\""));
    char ksuid[ID_KSUID_LENGTH + 1], want[64];
    id_write_ksuid (id_of (9), ksuid);
    snprintf (want, sizeof want, "evt_%s", ksuid);
    assert_string_equal (event_id, want);
}

static void test_whatsapp_payload (void **state)
{
    (void) state;
    messaging_content_t content = content_of (true, false);
    messaging_window_told_t window = {.id = id_of (4), .expires_at = 1772442903550};
    content.window = &window;
    messaging_message_status_t body = {.status = MESSAGING_STATUS_READ, .message = &content};
    const char *name;
    render (&messaging_message_status_event, &body, false, &name);
    static const char *const wants[] = {"\"event\":\"messages.whatsapp.read\"",
                                        "\"id\":\"msg_wa_",
                                        "\"type\":\"text\"",
                                        "\"context\":null",
                                        "\"conversationWindow\":{\"id\":\"wacw_",
                                        "\"originType\":\"user_initiated\"",
                                        "\"source\":\"cloud_api\"",
                                        "\"isHistoricalImport\":false",
                                        "\"deliveredAt\":null",
                                        "\"readAt\":null",
                                        "\"failedAt\":null",
                                        "\"receivedAt\":null",
                                        NULL};
    assert_has (payload, wants);
    assert_null (strstr (payload, "_test_"));
}

static void test_failed_payload (void **state)
{
    (void) state;
    messaging_provider_error_t provider = {
        .source = "telnyx", .code = "40008", .message = "Undeliverable"};
    messaging_error_told_t error = {
        .code = E_MESSAGE_UNDELIVERABLE, .message = "Not delivered.", .provider = &provider};
    messaging_content_t content = content_of (false, false);
    messaging_message_status_t body = {
        .status = MESSAGING_STATUS_FAILED, .message = &content, .error = &error};
    static const char object[] =
        "\"error\":{\"type\":\"provider_error\",\"code\":\"message_undeliverable\",\"message\":\"Not delivered.\","
        "\"doc_url\":\"https://h/docs#message_undeliverable\",\"provider\":{\"source\":\"telnyx\","
        "\"code\":\"40008\",\"message\":\"Undeliverable\"}}";
    const char *name;
    render (&messaging_message_status_event, &body, false, &name);
    char *first = strstr (payload, object);
    assert_non_null (first);
    char *second = strstr (first + 1, object);
    assert_non_null (second);
    assert_memory_equal (first + sizeof object - 1, "},", 2); /* the message ends with it */
    assert_memory_equal (second + sizeof object - 1, ",\"app\":", 7);
    body.error = NULL; /* the reason got lost: still an error object */
    render (&messaging_message_status_event, &body, false, &name);
    assert_non_null (strstr (
        payload,
        "\"error\":{\"type\":\"provider_error\",\"code\":\"message_undeliverable\",\"message\":\""));
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_names), cmocka_unit_test (test_known),
                                       cmocka_unit_test (test_sms_payload),
                                       cmocka_unit_test (test_whatsapp_payload),
                                       cmocka_unit_test (test_failed_payload)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
