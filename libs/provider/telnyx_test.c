/* telnyx_test.c - Telnyx's adapter: the request of a send, what each answer means, who may call back, and what each callback says. */
#include "provider/provider.h"

#include "provider/json.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define NOW   1760000000000
#define TOKEN "01890a5d-ac96-774b-bcce-b302099a8057"
#define HOOK  "https://house.example/callbacks/telnyx/1"
#define BODY_TEXT                                                                                 \
    "{\"data\":{\"event_type\":\"message.received\",\"id\":\"1\",\"payload\":{},\"record_type\":" \
    "\"event\"},\"meta\":{\"attempt\":1,\"delivered_to\":\"https://example.org/hook\"}}"
#define PUBLIC_KEY "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="
#define SIGNATURE \
    "e8YzsMfTtNp+9YEwOzU1+xp/OiQE9+bBd0D90yT8whSXSG18yYRI9Td2iFw0UB0Qh4DmJRt8+aFa5p81WcP0Ag=="

static turn_t turn_of (void **state)
{
    arena_t *arena = *state;
    arena_reset (arena);
    return (turn_t){.now = NOW, .arena = arena};
}

static provider_account_t account_of (void)
{
    return (provider_account_t){.base_url = "https://api.telnyx.com/v2",
                                .token = "KEY123",
                                .public_key = PUBLIC_KEY,
                                .callback_url = HOOK};
}

/* ---- sends ---- */

static const char *const mms_urls[] = {"https://media.example/a.png",
                                       "https://media.example/b?c=\"d\""};

typedef struct send_row {
    const char *name;
    provider_message_t message;
    const char *profile;
    const char *callback_url;
    const char *want;
} send_row_t;

static const send_row_t sends[] = {
    {"sms",
     {.kind = MESSAGING_KIND_SMS, .text = "hello"},
     NULL,
     HOOK,
     "{\"from\":\"+14155550100\",\"to\":\"+14155550123\",\"type\":\"SMS\",\"text\":\"hello\","
     "\"webhook_url\":\"" HOOK "?t=" TOKEN "\",\"use_profile_webhooks\":false}"},
    {"sms through a profile; a subject is not of an SMS",
     {.kind = MESSAGING_KIND_SMS, .text = "a \"b\"\n\xc3\xa9", .subject = "s"},
     "4000eba1-a0c0-4563-9925-b25e842a7cb6",
     HOOK "?x=1",
     "{\"from\":\"+14155550100\",\"to\":\"+14155550123\",\"type\":\"SMS\",\"text\":\"a \\\"b\\\"\\n\xc3\xa9\","
     "\"messaging_profile_id\":\"4000eba1-a0c0-4563-9925-b25e842a7cb6\","
     "\"webhook_url\":\"" HOOK "?x=1&t=" TOKEN "\",\"use_profile_webhooks\":false}"},
    {"mms",
     {.kind = MESSAGING_KIND_MMS,
      .text = "photo",
      .subject = "news",
      .media_urls = mms_urls,
      .media_url_count = 2},
     "",
     HOOK,
     "{\"from\":\"+14155550100\",\"to\":\"+14155550123\",\"type\":\"MMS\",\"text\":\"photo\",\"subject\":\"news\","
     "\"media_urls\":[\"https://media.example/a.png\",\"https://media.example/b?c=\\\"d\\\"\"],"
     "\"webhook_url\":\"" HOOK "?t=" TOKEN "\",\"use_profile_webhooks\":false}"},
    {"media make it MMS; no text",
     {.kind = MESSAGING_KIND_SMS, .text = "", .media_urls = mms_urls, .media_url_count = 1},
     NULL,
     NULL,
     "{\"from\":\"+14155550100\",\"to\":\"+14155550123\",\"type\":\"MMS\",\"media_urls\":[\"https://media.example/a.png\"]}"},
};

static void test_sends (void **state)
{
    for (size_t i = 0; i < sizeof sends / sizeof *sends; i++) {
        turn_t t = turn_of (state);
        provider_account_t account = account_of ();
        provider_message_t message = sends[i].message;
        outbound_t out = {0};
        account.profile = sends[i].profile;
        account.callback_url = sends[i].callback_url;
        message.account = &account;
        message.from = "+14155550100";
        message.to = "+14155550123";
        assert_true (id_read_uuid (TOKEN, strlen (TOKEN), &message.token));
        assert_int_equal (provider_telnyx.send (&t, &message, &out), 0);
        assert_int_equal (out.how, OUT_HTTP);
        assert_string_equal (out.request.method, "POST");
        assert_string_equal (out.request.url, "https://api.telnyx.com/v2/messages");
        assert_string_equal (out.request.headers[0], "Accept: application/json");
        assert_string_equal (out.request.headers[1], "Content-Type: application/json");
        assert_string_equal (out.request.headers[2], "Authorization: Bearer KEY123");
        assert_null (out.request.headers[3]);
        assert_false (out.request.guarded);
        assert_string_equal (
            arena_strndup (t.arena, (const char *) out.request.body.data, out.request.body.size),
            sends[i].want);
    }
}

static void test_send_needs_an_account (void **state)
{
    turn_t t = turn_of (state);
    provider_account_t account = {.base_url = "https://api.telnyx.com/v2"};
    provider_message_t message = {.from = "+14155550100", .to = "+14155550123"};
    outbound_t out = {0};
    assert_int_equal (provider_telnyx.send (&t, &message, &out), E_UNAVAILABLE);
    message.account = &account;
    assert_int_equal (provider_telnyx.send (&t, &message, &out), E_UNAVAILABLE);
    assert_false (provider_telnyx.repeatable);
}

/* ---- answers ---- */

#define ERROR_OF(code) "{\"errors\":[{\"code\":\"" code "\",\"title\":\"T\",\"detail\":\"D\"}]}"

typedef struct answer_row {
    fetch_stage_t stage;
    int status;
    const char *body;
    const char *headers;
    int64_t retry_after_ms;
    provider_word_t word;
    const char *id;     /* or NULL */
    int code;           /* of the fault; 0 = none */
    const char *native; /* of the fault */
    const char *words;
    int64_t wait_ms;
} answer_row_t;

static const answer_row_t answers[] = {
    {FETCH_NOT_SENT, 0, "", NULL, 0, PROVIDER_RETRY, NULL, 0, NULL, NULL, 0},
    {FETCH_SENT, 0, "", NULL, 0, PROVIDER_UNKNOWN, NULL, 0, NULL, NULL, 0},
    {FETCH_ANSWERED, 200, "{\"data\":{\"id\":\"40385f64\",\"errors\":[]}}", NULL, 0,
     PROVIDER_ACCEPTED, "40385f64", 0, NULL, NULL, 0},
    {FETCH_ANSWERED, 201, "{\"data\":{\"id\":\"x\"}}", NULL, 0, PROVIDER_ACCEPTED, "x", 0, NULL,
     NULL, 0},
    {FETCH_ANSWERED, 200, "{\"data\":{\"id\":\"403", NULL, 0, PROVIDER_UNKNOWN, NULL, 0, NULL, NULL,
     0},
    {FETCH_ANSWERED, 200, "{\"data\":{\"id\":7}}", NULL, 0, PROVIDER_UNKNOWN, NULL, 0, NULL, NULL,
     0},
    {FETCH_ANSWERED, 400, ERROR_OF ("40300"), NULL, 0, PROVIDER_REFUSED, NULL,
     E_MESSAGE_UNDELIVERABLE, "40300", "T: D", 0},
    {FETCH_ANSWERED, 400, ERROR_OF ("40310"), NULL, 0, PROVIDER_REFUSED, NULL,
     E_INVALID_PHONE_NUMBER, "40310", "T: D", 0},
    {FETCH_ANSWERED, 400, ERROR_OF ("40305"), NULL, 0, PROVIDER_REFUSED, NULL,
     E_PHONE_NUMBER_NOT_ASSIGNED, "40305", "T: D", 0},
    {FETCH_ANSWERED, 400, ERROR_OF ("40317"), NULL, 0, PROVIDER_REFUSED, NULL, E_MEDIA_TOO_LARGE,
     "40317", "T: D", 0},
    {FETCH_ANSWERED, 400, ERROR_OF ("49876"), NULL, 0, PROVIDER_REFUSED, NULL,
     E_MESSAGE_UNDELIVERABLE, "49876", "T: D", 0},
    {FETCH_ANSWERED, 422, ERROR_OF ("10004"), NULL, 0, PROVIDER_REFUSED, NULL, E_BAD_REQUEST,
     "10004", "T: D", 0},
    {FETCH_ANSWERED, 422, ERROR_OF ("85000"), NULL, 0, PROVIDER_REFUSED, NULL, E_TELNYX_API_ERROR,
     "85000", "T: D", 0},
    {FETCH_ANSWERED, 400, "{\"errors\":[{\"code\":40310,\"detail\":\"only detail\"}]}", NULL, 0,
     PROVIDER_REFUSED, NULL, E_INVALID_PHONE_NUMBER, "40310", "only detail", 0},
    {FETCH_ANSWERED, 400, "{\"errors\":[{\"title\":\"No code\"}]}", NULL, 0, PROVIDER_REFUSED, NULL,
     E_TELNYX_API_ERROR, "500", "No code", 0},
    {FETCH_ANSWERED, 401, ERROR_OF ("10009"), NULL, 0, PROVIDER_REFUSED, NULL, E_TELNYX_API_ERROR,
     "10009", "T: D", 0},
    {FETCH_ANSWERED, 401, "<html>", NULL, 0, PROVIDER_REFUSED, NULL, E_TELNYX_API_ERROR, "10009",
     NULL, 0},
    {FETCH_ANSWERED, 404, "", NULL, 0, PROVIDER_REFUSED, NULL, E_TELNYX_API_ERROR, "10005", NULL,
     0},
    {FETCH_ANSWERED, 302, "", NULL, 0, PROVIDER_REFUSED, NULL, E_TELNYX_API_ERROR, "500", NULL, 0},
    {FETCH_ANSWERED, 429, ERROR_OF ("10011"), NULL, 3000, PROVIDER_RETRY, NULL,
     E_CARRIER_RATE_LIMITED, "10011", "T: D", 3000},
    {FETCH_ANSWERED, 429, "", "x-ratelimit-limit: 50\r\nX-RateLimit-Reset: 7\r\n", 0,
     PROVIDER_RETRY, NULL, E_CARRIER_RATE_LIMITED, "10011", NULL, 7000},
    {FETCH_ANSWERED, 429, "", "x-ratelimit-reset: 1760000000\r\n", 0, PROVIDER_RETRY, NULL,
     E_CARRIER_RATE_LIMITED, "10011", NULL, 3600000},
    {FETCH_ANSWERED, 503, "oops", NULL, 0, PROVIDER_RETRY, NULL, E_TELNYX_API_UNAVAILABLE, "503",
     NULL, 0},
    {FETCH_ANSWERED, 500, ERROR_OF ("10007"), NULL, 0, PROVIDER_RETRY, NULL, E_TELNYX_API_ERROR,
     "10007", "T: D", 0},
    {FETCH_ANSWERED, 504, "{\"errors\":[{}]}", NULL, 0, PROVIDER_RETRY, NULL,
     E_TELNYX_API_UNAVAILABLE, "503", NULL, 0},
    {FETCH_ANSWERED, 400, ERROR_OF ("40318"), NULL, 0, PROVIDER_RETRY, NULL,
     E_MESSAGE_UNDELIVERABLE, "40318", "T: D", 0},
};

static void test_answers (void **state)
{
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        const answer_row_t *row = &answers[i];
        turn_t t = turn_of (state);
        outcome_t outcome = {.stage = row->stage,
                             .status = row->status,
                             .body = bytes_of_str (row->body),
                             .headers = row->headers,
                             .retry_after_ms = row->retry_after_ms};
        provider_result_t out;
        memset (&out, 0xa5, sizeof out);
        provider_telnyx.answer (&t, &outcome, &out);
        assert_int_equal (out.word, row->word);
        assert_int_equal (out.id_count, row->id != NULL);
        if (row->id)
            assert_string_equal (out.ids[0], row->id);
        assert_int_equal (out.fault ? out.fault->code : 0, row->code);
        if (row->native)
            assert_string_equal (out.fault->native, row->native);
        if (row->words)
            assert_string_equal (out.native_text, row->words);
        else
            assert_null (out.native_text);
    }
}

static void test_waits (void **state)
{
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        const answer_row_t *row = &answers[i];
        turn_t t = turn_of (state);
        outcome_t outcome = {.stage = row->stage,
                             .status = row->status,
                             .body = bytes_of_str (row->body),
                             .headers = row->headers,
                             .retry_after_ms = row->retry_after_ms};
        provider_result_t out;
        provider_telnyx.answer (&t, &outcome, &out);
        assert_int_equal (out.retry_after_ms, row->wait_ms);
    }
}

static void test_long_words_are_cut_between_characters (void **state)
{
    turn_t t = turn_of (state);
    buf_t body = buf_in (t.arena);
    buf_add_str (&body, "{\"errors\":[{\"code\":\"40008\",\"title\":\"x");
    for (int i = 0; i < 400; i++)
        buf_add_str (&body, "\xc3\xa9");
    buf_add_str (&body, "\"}]}");
    outcome_t outcome = {.stage = FETCH_ANSWERED, .status = 400, .body = buf_bytes (&body)};
    provider_result_t out;
    provider_telnyx.answer (&t, &outcome, &out);
    assert_int_equal (strlen (out.native_text), 239);
    assert_int_equal ((uint8_t) out.native_text[238], 0xa9);
}

/* ---- who calls back ---- */

typedef struct verify_row {
    const char *name;
    const char *method;
    const char *key;
    const char *timestamp; /* NULL = no such header */
    const char *signature;
    const char *body;
    int64_t now;
    int status;
    const char *reason; /* NULL = taken */
} verify_row_t;

static const verify_row_t verifies[] = {
    {"good", "POST", PUBLIC_KEY, "1760000000", SIGNATURE, BODY_TEXT, NOW, 200, NULL},
    {"five minutes old", "POST", PUBLIC_KEY, "1760000000", SIGNATURE, BODY_TEXT, NOW + 300000, 200,
     NULL},
    {"five minutes ahead", "POST", PUBLIC_KEY, "1760000000", SIGNATURE, BODY_TEXT, NOW - 300000,
     200, NULL},
    {"too old", "POST", PUBLIC_KEY, "1760000000", SIGNATURE, BODY_TEXT, NOW + 300001, 401,
     "five minutes"},
    {"of the future", "POST", PUBLIC_KEY, "1760000000", SIGNATURE, BODY_TEXT, NOW - 300001, 401,
     "five minutes"},
    {"another body", "POST", PUBLIC_KEY, "1760000000", SIGNATURE, BODY_TEXT " ", NOW, 401,
     "not of this body"},
    {"no body", "POST", PUBLIC_KEY, "1760000000", SIGNATURE, "", NOW, 401, "not of this body"},
    {"another time", "POST", PUBLIC_KEY, "1760000001", SIGNATURE, BODY_TEXT, NOW, 401,
     "not of this body"},
    {"another spelling of the time", "POST", PUBLIC_KEY, "01760000000", SIGNATURE, BODY_TEXT, NOW,
     401, "not of this body"},
    {"another key", "POST", "BqEHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=", "1760000000", SIGNATURE,
     BODY_TEXT, NOW, 401, "not of this body"},
    {"no time", "POST", PUBLIC_KEY, NULL, SIGNATURE, BODY_TEXT, NOW, 401, "no telnyx-timestamp"},
    {"empty time", "POST", PUBLIC_KEY, "", SIGNATURE, BODY_TEXT, NOW, 401, "not a time"},
    {"no number", "POST", PUBLIC_KEY, "1760000000x", SIGNATURE, BODY_TEXT, NOW, 401, "not a time"},
    {"negative", "POST", PUBLIC_KEY, "-1760000000", SIGNATURE, BODY_TEXT, NOW, 401, "not a time"},
    {"huge time", "POST", PUBLIC_KEY, "99999999999999999999", SIGNATURE, BODY_TEXT, NOW, 401,
     "not a time"},
    {"no signature", "POST", PUBLIC_KEY, "1760000000", NULL, BODY_TEXT, NOW, 401,
     "no telnyx-signature"},
    {"empty signature", "POST", PUBLIC_KEY, "1760000000", "", BODY_TEXT, NOW, 401, "64 bytes"},
    {"short signature", "POST", PUBLIC_KEY, "1760000000", "e8YzsMfT", BODY_TEXT, NOW, 401,
     "64 bytes"},
    {"no base64", "POST", PUBLIC_KEY, "1760000000", "!!!!", BODY_TEXT, NOW, 401, "64 bytes"},
    {"no key", "POST", NULL, "1760000000", SIGNATURE, BODY_TEXT, NOW, 403, "no public key"},
    {"empty key", "POST", "", "1760000000", SIGNATURE, BODY_TEXT, NOW, 403, "no public key"},
    {"short key", "POST", "A6EH", "1760000000", SIGNATURE, BODY_TEXT, NOW, 403, "32 bytes"},
    {"zero key", "POST", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "1760000000", SIGNATURE,
     BODY_TEXT, NOW, 401, "not of this body"},
    {"GET", "GET", PUBLIC_KEY, "1760000000", SIGNATURE, BODY_TEXT, NOW, 405, "POST"},
};

static void test_verify (void **state)
{
    for (size_t i = 0; i < sizeof verifies / sizeof *verifies; i++) {
        const verify_row_t *row = &verifies[i];
        turn_t t = turn_of (state);
        provider_account_t account = account_of ();
        schema_pair_t headers[3] = {{"content-type", "application/json"}};
        size_t count = 1;
        account.public_key = row->key;
        if (row->timestamp)
            headers[count++] = (schema_pair_t){"telnyx-timestamp", row->timestamp};
        if (row->signature)
            headers[count++] = (schema_pair_t){"telnyx-signature-ed25519", row->signature};
        provider_callback_t callback = {.method = row->method,
                                        .headers = {headers, count},
                                        .body = bytes_of_str (row->body),
                                        .now = row->now};
        provider_verdict_t out = {.take = true};
        assert_int_equal (provider_telnyx.verify (&t, &account, &callback, &out), 0);
        if (out.take != (row->reason == NULL) || out.status != row->status)
            fail_msg ("%s: %d %d %s", row->name, out.take, out.status, out.reason);
        assert_non_null (out.answer);
        assert_non_null (out.content_type);
        if (row->reason)
            assert_non_null (strstr (out.reason, row->reason));
    }
    turn_t t = turn_of (state);
    provider_callback_t callback = {.method = "POST"};
    provider_verdict_t out = {.take = true};
    assert_int_equal (provider_telnyx.verify (&t, NULL, &callback, &out), 0);
    assert_false (out.take);
}

/* ---- what callbacks say ---- */

#define EVENT(type, payload)                                                             \
    "{\"data\":{\"record_type\":\"event\",\"event_type\":\"" type                        \
    "\",\"id\":\"e1\",\"occurred_at\":\"2026-01-23T18:10:06.000Z\",\"payload\":" payload \
    "},\"meta\":{\"attempt\":1,\"delivered_to\":\"https://example.org/hook\"}}"
#define OUTBOUND(status, rest)                                                                    \
    "{\"record_type\":\"message\",\"id\":\"m1\",\"direction\":\"outbound\",\"type\":\"SMS\","     \
    "\"from\":{\"phone_number\":\"+14155550100\",\"carrier\":\"TELNYX LLC\"},"                    \
    "\"to\":[{\"phone_number\":\"+14155550123\",\"status\":\"" status                             \
    "\",\"carrier\":\"T\"}],\"text\":\"hello\",\"media\":[],\"cost\":null,"                       \
    "\"sent_at\":\"2026-01-23T18:10:03.100Z\",\"completed_at\":\"2026-01-23T18:10:05.000Z\"" rest \
    "}"
#define ERRORS_OF(code) \
    ",\"errors\":[{\"code\":\"" code "\",\"title\":\"Undeliverable\",\"detail\":\"It did not.\"}]"

#define SENT_AT  1769191803100
#define ENDED_AT 1769191805000
#define EVENT_AT 1769191806000

typedef struct receipt_row {
    const char *json;
    provider_news_t news; /* 0 = nothing is told */
    int64_t at;
    int code;
    const char *native;
    const char *words;
} receipt_row_t;

static const receipt_row_t receipts[] = {
    {EVENT ("message.sent", OUTBOUND ("sent", ",\"errors\":[]")), NEWS_SENT, SENT_AT, 0, NULL,
     NULL},
    {EVENT ("message.sent", OUTBOUND ("queued", "")), NEWS_SENT, SENT_AT, 0, NULL, NULL},
    {EVENT ("message.sent", OUTBOUND ("sending_failed", ERRORS_OF ("40012"))), NEWS_FAILED,
     ENDED_AT, E_INVALID_PHONE_NUMBER, "40012", "Undeliverable: It did not."},
    {EVENT ("message.finalized", OUTBOUND ("delivered", ",\"errors\":[]")), NEWS_DELIVERED,
     ENDED_AT, 0, NULL, NULL},
    {EVENT ("message.finalized", OUTBOUND ("webhook_delivered", "")), NEWS_DELIVERED, ENDED_AT, 0,
     NULL, NULL},
    {EVENT ("message.finalized", OUTBOUND ("sent", "")), NEWS_SENT, SENT_AT, 0, NULL, NULL},
    {EVENT ("message.finalized", OUTBOUND ("delivery_unconfirmed", "")), NEWS_SENT, SENT_AT, 0,
     NULL, NULL},
    {EVENT ("message.finalized", OUTBOUND ("dlr_timeout", "")), NEWS_SENT, SENT_AT, 0, NULL, NULL},
    {EVENT ("message.finalized", OUTBOUND ("delivery_failed", ERRORS_OF ("40008"))), NEWS_FAILED,
     ENDED_AT, E_MESSAGE_UNDELIVERABLE, "40008", "Undeliverable: It did not."},
    {EVENT ("message.finalized", OUTBOUND ("delivery_failed", ERRORS_OF ("40001"))), NEWS_FAILED,
     ENDED_AT, E_INVALID_PHONE_NUMBER, "40001", "Undeliverable: It did not."},
    {EVENT ("message.finalized", OUTBOUND ("delivery_failed", ERRORS_OF ("41234"))), NEWS_FAILED,
     ENDED_AT, E_MESSAGE_UNDELIVERABLE, "41234", "Undeliverable: It did not."},
    {EVENT ("message.finalized", OUTBOUND ("delivery_failed", ",\"errors\":[]")), NEWS_FAILED,
     ENDED_AT, E_MESSAGE_UNDELIVERABLE, "40008", NULL},
    {EVENT ("message.finalized", OUTBOUND ("sending_failed", "")), NEWS_FAILED, ENDED_AT,
     E_MESSAGE_UNDELIVERABLE, "40008", NULL},
    {EVENT ("message.finalized", OUTBOUND ("expired", "")), NEWS_FAILED, ENDED_AT,
     E_MESSAGE_UNDELIVERABLE, "40005", NULL},
    {EVENT ("message.finalized", OUTBOUND ("gw_reject", "")), NEWS_FAILED, ENDED_AT,
     E_MESSAGE_UNDELIVERABLE, "40004", NULL},
    {EVENT ("message.finalized", OUTBOUND ("failed", "")), NEWS_FAILED, ENDED_AT,
     E_MESSAGE_UNDELIVERABLE, "40008", NULL},
    {EVENT ("message.finalized", OUTBOUND ("new_word", "")), 0, 0, 0, NULL, NULL},
    {EVENT ("message.finalized", OUTBOUND ("new_word", ERRORS_OF ("40006"))), NEWS_FAILED, ENDED_AT,
     E_MESSAGE_UNDELIVERABLE, "40006", "Undeliverable: It did not."},
    {EVENT ("message.finalized", OUTBOUND ("queued", "")), 0, 0, 0, NULL, NULL},
    {EVENT ("message.delivered", OUTBOUND ("sent", "")), NEWS_DELIVERED, ENDED_AT, 0, NULL, NULL},
    {EVENT ("message.delivered", OUTBOUND ("delivered", "")), NEWS_DELIVERED, ENDED_AT, 0, NULL,
     NULL},
    {EVENT ("message.delivered", "{\"id\":\"m1\"}"), NEWS_DELIVERED, EVENT_AT, 0, NULL, NULL},
    {EVENT ("message.finalized", "{\"id\":\"m1\"" ERRORS_OF ("40014") "}"), NEWS_FAILED, EVENT_AT,
     E_MESSAGE_UNDELIVERABLE, "40014", "Undeliverable: It did not."},
    {EVENT ("message.finalized", "{\"id\":\"m1\"}"), 0, 0, 0, NULL, NULL},
    {EVENT ("message.finalized",
            "{\"id\":\"m1\",\"direction\":\"inbound\",\"to\":[{\"status\":\"delivered\"}]}"),
     0, 0, 0, NULL, NULL},
    {EVENT ("message.link_click", "{\"id\":\"m1\"}"), 0, 0, 0, NULL, NULL},
    {EVENT ("call.hangup", "{}"), 0, 0, 0, NULL, NULL},
    {EVENT ("number_order.complete", "null"), 0, 0, 0, NULL, NULL},
};

typedef struct told {
    provider_event_t events[8];
    size_t count;
    int answer;
} told_t;

static int note (turn_t *t, const provider_event_t *event, void *context)
{
    told_t *told = context;
    (void) t;
    assert_true (told->count < sizeof told->events / sizeof *told->events);
    told->events[told->count++] = *event;
    return told->answer;
}

static void test_receipts (void **state)
{
    for (size_t i = 0; i < sizeof receipts / sizeof *receipts; i++) {
        const receipt_row_t *row = &receipts[i];
        turn_t t = turn_of (state);
        told_t told = {0};
        assert_int_equal (provider_telnyx.parse (&t, bytes_of_str (row->json), note, &told), 0);
        if (told.count != (row->news != 0))
            fail_msg ("%s: %zu events", row->json, told.count);
        if (told.count == 0)
            continue;
        const provider_event_t *event = &told.events[0];
        assert_int_equal (event->news, row->news);
        assert_string_equal (event->provider_id, "m1");
        assert_true (id_is_nil (event->token));
        assert_int_equal (event->at, row->at);
        assert_int_equal (event->fault ? event->fault->code : 0, row->code);
        if (row->native)
            assert_string_equal (event->fault->native, row->native);
        if (row->words)
            assert_string_equal (event->native_text, row->words);
        else
            assert_null (event->native_text);
    }
}

static void test_receipt_of_several (void **state)
{
    turn_t t = turn_of (state);
    told_t told = {0};
    const char *json = EVENT (
        "message.finalized",
        "{\"id\":\"m1\",\"from\":\"+14155550100\",\"to\":[{\"phone_number\":\"+1\",\"status\":\"delivered\"},"
        "{\"phone_number\":\"+2\",\"status\":\"sending\"},7,{\"phone_number\":\"+3\",\"status\":\"expired\"}]}");
    assert_int_equal (provider_telnyx.parse (&t, bytes_of_str (json), note, &told), 0);
    assert_int_equal (told.count, 2);
    assert_string_equal (told.events[0].to, "+1");
    assert_string_equal (told.events[0].from, "+14155550100");
    assert_string_equal (told.events[1].to, "+3");
    assert_int_equal (told.events[1].news, NEWS_FAILED);
}

static void test_received (void **state)
{
    turn_t t = turn_of (state);
    told_t told = {0};
    const char *json = EVENT (
        "message.received",
        "{\"id\":\"in1\",\"direction\":\"inbound\",\"type\":\"SMS\",\"from\":{\"phone_number\":\"+14155550123\"},"
        "\"to\":[{\"phone_number\":\"+14155550100\",\"status\":\"webhook_delivered\"}],\"cc\":[],\"text\":\"STOP\",\"subject\":null,"
        "\"media\":[],\"autoresponse_type\":\"STOP\",\"received_at\":\"2026-01-23T18:10:02.000+00:00\"}");
    assert_int_equal (provider_telnyx.parse (&t, bytes_of_str (json), note, &told), 0);
    assert_int_equal (told.count, 1);
    const provider_event_t *event = &told.events[0];
    assert_int_equal (event->news, NEWS_INBOUND);
    assert_int_equal (event->kind, MESSAGING_KIND_SMS);
    assert_false (event->whatsapp);
    assert_string_equal (event->provider_id, "in1");
    assert_string_equal (event->from, "+14155550123");
    assert_string_equal (event->to, "+14155550100");
    assert_string_equal (event->number_ref, "+14155550100");
    assert_string_equal (event->text, "STOP");
    assert_string_equal (event->autoresponse, "STOP");
    assert_null (event->subject);
    assert_null (event->body);
    assert_int_equal (event->at, 1769191802000);
}

static void test_received_mms (void **state)
{
    turn_t t = turn_of (state);
    told_t told = {0};
    const char *json = EVENT (
        "message.received",
        "{\"id\":\"in2\",\"type\":\"MMS\",\"from\":{\"phone_number\":\"+14155550123\"},"
        "\"to\":[{\"phone_number\":\"+14155550100\"},{\"phone_number\":\"+14155550101\"},null],\"cc\":[{\"phone_number\":\"+14155550102\"}],"
        "\"text\":\"\",\"subject\":\"photo\",\"media\":["
        "{\"url\":\"https://media.example.org/a.png\",\"content_type\":\"image/png\",\"sha256\":\"ab12\",\"size\":102400},"
        "{\"content_type\":\"image/png\"},null,"
        "{\"url\":\"https://media.example.org/b.smil\",\"content_type\":null,\"hash_sha256\":\"cd34\",\"size\":\"12\"}]}");
    assert_int_equal (provider_telnyx.parse (&t, bytes_of_str (json), note, &told), 0);
    assert_int_equal (told.count, 2);
    assert_string_equal (told.events[0].number_ref, "+14155550100");
    assert_string_equal (told.events[1].number_ref, "+14155550101");
    const provider_event_t *event = &told.events[1];
    assert_int_equal (event->kind, MESSAGING_KIND_MMS);
    assert_null (event->text);
    assert_string_equal (event->subject, "photo");
    assert_int_equal (event->at, EVENT_AT);
    assert_int_equal (event->body->media_list.count, 2);
    const messaging_media_content_t *media = event->body->media_list.items;
    assert_string_equal (media[0].url, "https://media.example.org/a.png");
    assert_string_equal (media[0].mime_type, "image/png");
    assert_string_equal (media[0].sha256, "ab12");
    assert_int_equal (media[0].size, 102400);
    assert_string_equal (media[1].url, "https://media.example.org/b.smil");
    assert_null (media[1].mime_type);
    assert_string_equal (media[1].sha256, "cd34");
    assert_int_equal (media[1].size, 12);
}

static void test_not_telnyx (void **state)
{
    static const char *const rows[] = {
        "",
        "{}",
        "[]",
        "{\"data\":[]}",
        "{\"data\":{\"payload\":{}}}",
        "{\"data\":{\"event_type\":7,\"payload\":{}}}",
        "{\"data\":{\"event_type\":\"message.sent\"}}",
        "{\"data\":{\"event_type\":\"message.sent\",\"payload\":[]}}",
        EVENT ("message.finalized",
               "{\"to\":[{\"phone_number\":\"+1\",\"status\":\"delivered\"}]}"),
        EVENT ("message.received", "{}"),
        EVENT ("message.received", "{\"id\":\"1\",\"to\":[{\"phone_number\":\"+1\"}]}"),
        EVENT ("message.received", "{\"id\":\"1\",\"from\":{\"phone_number\":\"+1\"},\"to\":[]}"),
        EVENT ("message.received", "{\"id\":\"1\",\"from\":{\"phone_number\":\"+1\"},\"to\":[{}]}"),
        "{\"data\":{\"event_type\":\"x\",\"event_type\":\"x\"}}",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        turn_t t = turn_of (state);
        told_t told = {0};
        int code = provider_telnyx.parse (&t, bytes_of_str (rows[i]), note, &told);
        if (code != E_BAD_REQUEST || told.count || !*t.failure.text)
            fail_msg ("%s: %d", rows[i], code);
    }
}

static void test_the_taker_may_fail (void **state)
{
    turn_t t = turn_of (state);
    told_t told = {.answer = E_IO};
    const char *json =
        EVENT ("message.received", "{\"id\":\"1\",\"from\":\"+1\",\"to\":[\"+2\",\"+3\"]}");
    assert_int_equal (provider_telnyx.parse (&t, bytes_of_str (json), note, &told), E_IO);
    assert_int_equal (told.count, 1);
}

/* ---- media ---- */

static void test_media_fetch (void **state)
{
    static const struct {
        const char *base_url;
        const char *url;
        bool keyed, guarded;
    } rows[] = {
        {"https://api.telnyx.com/v2", "https://api.telnyx.com/v2/media/a.png", true, false},
        {"https://api.telnyx.com/v2", "https://media.telnyx.com/a.png", true, true},
        {"https://api.telnyx.com/v2", "http://media.telnyx.com/a.png", false, true},
        {"https://api.telnyx.com/v2", "https://storage.example/a.png?sig=1", false, true},
        {"https://api.telnyx.com/v2", "https://evil.example/https://media.telnyx.com", false, true},
        {"https://api.telnyx.com/v2", "https://evil.example\\.telnyx.com/a", false, true},
        {"https://api.telnyx.com/v2", "https://me:pass@media.telnyx.com/a", false, true},
        {"https://api.telnyx.com/v2", "https://eviltelnyx.com/a", false, true},
        {"http://127.0.0.1:9000/v2", "http://127.0.0.1:9000/media/a.png", true, false},
        {"http://127.0.0.1:9000/v2", "http://127.0.0.1:90001/a.png", false, true},
        {"http://127.0.0.1:9000/v2", "nonsense", false, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        turn_t t = turn_of (state);
        provider_account_t account = account_of ();
        outbound_t out = {0};
        account.base_url = rows[i].base_url;
        assert_int_equal (provider_telnyx.media_fetch (&t, &account, rows[i].url, &out), 0);
        assert_int_equal (out.how, OUT_HTTP);
        assert_string_equal (out.request.method, "GET");
        assert_string_equal (out.request.url, rows[i].url);
        assert_int_equal (out.request.guarded, rows[i].guarded);
        assert_int_equal (out.request.headers != NULL, rows[i].keyed);
        if (rows[i].keyed)
            assert_string_equal (out.request.headers[1], "Authorization: Bearer KEY123");
    }
}

/* ---- memory runs out ---- */

static int nothing (turn_t *t, const provider_event_t *event, void *context)
{
    (void) t;
    (void) event;
    (void) context;
    return 0;
}

/* The n-th allocation fails, for every n: the trap is sprung or E_NO_MEMORY comes back, nothing is lost or half done. */
static void test_every_allocation_may_fail (void **state)
{
    const char *json = receipts[8].json;
    volatile unsigned n = 0;
    volatile bool done = false;
    while (!done) {
        turn_t t = turn_of (state);
        jmp_buf trap;
        arena_fail_nth (t.arena, ++n);
        if (setjmp (trap) == 0) {
            arena_trap (t.arena, &trap);
            int code = provider_telnyx.parse (&t, bytes_of_str (json), nothing, NULL);
            assert_true (code == 0 || code == E_NO_MEMORY);
            done = code == 0;
        }
        arena_trap (t.arena, NULL);
        arena_fail_nth (t.arena, 0);
    }
    assert_true (n > 3);
}

static int setup (void **state)
{
    *state = arena_new (1 << 20);
    return *state == NULL || sign_init ();
}

static int teardown (void **state)
{
    arena_t *arena = *state;
    arena_destroy (&arena);
    return 0;
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_sends),
        cmocka_unit_test (test_send_needs_an_account),
        cmocka_unit_test (test_answers),
        cmocka_unit_test (test_waits),
        cmocka_unit_test (test_long_words_are_cut_between_characters),
        cmocka_unit_test (test_verify),
        cmocka_unit_test (test_receipts),
        cmocka_unit_test (test_receipt_of_several),
        cmocka_unit_test (test_received),
        cmocka_unit_test (test_received_mms),
        cmocka_unit_test (test_not_telnyx),
        cmocka_unit_test (test_the_taker_may_fail),
        cmocka_unit_test (test_media_fetch),
        cmocka_unit_test (test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests (tests, setup, teardown);
}
