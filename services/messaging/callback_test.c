/* callback_test.c - carriers call back: what is verified is stored and acted on once, what is not changes nothing, and whom it concerns follows from the account. */
#define _GNU_SOURCE /* memmem */
#include "messaging_world.h"

#include "base/text.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define PHONE_ID "106540352242922"

typedef struct fixture {
    optest_t *test;
    uint8_t secret[64]; /* signs Telnyx's callbacks */
} fixture_t;

/* ---- the carriers' side ---- */

static int account_tell (optest_t *test, id16_t id, id16_t org, int32_t carrier,
                         const char *public_key, uint64_t version, bool deleted)
{
    accounts_carrier_secrets_t secrets = {
        .token = "token", .app_secret = "secret", .verify_token = "verify"};
    buf_t clear = buf_in (optest_arena (test)), sealed = buf_in (optest_arena (test));
    schema_pack (&accounts_carrier_secrets_type, &secrets, &clear);
    keyring_seal (optest_keyring (test), id, "carrier account", buf_bytes (&clear), &sealed);
    accounts_carrier_changed_t body = {.id = id,
                                       .org = org,
                                       .carrier = carrier,
                                       .base_url = "https://carrier.example/v1",
                                       .waba = "1",
                                       .public_key = public_key,
                                       .sealed = buf_bytes (&sealed),
                                       .deleted = deleted};
    event_about_t about = {.record = id, .version = version, .org = org};
    return optest_follow (test, &accounts_carrier_changed_event, &about, &body, NULL);
}

static int setup (void **state)
{
    static fixture_t fixture;
    uint8_t public_key[32];
    char text[48];
    void *world = NULL;
    world_setup (&world);
    fixture.test = world;
    sign_ed25519_keypair (public_key, fixture.secret);
    text_write_base64 (public_key, sizeof public_key, text);
    assert_int_equal (account_tell (fixture.test, world_telnyx, world_org, ACCOUNTS_CARRIER_TELNYX,
                                    text, 2, false),
                      0);
    *state = &fixture;
    return 0;
}

static int teardown (void **state)
{
    void *world = ((fixture_t *) *state)->test;
    return world_teardown (&world);
}

typedef struct call {
    id16_t account;
    int32_t carrier;
    const char *method;
    schema_pair_t query[3];
    size_t query_count;
    schema_pair_t headers[2];
    size_t header_count;
    const char *body;
    messaging_callback_receive_out_t out;
} call_t;

static int called (optest_t *test, call_t *call)
{
    messaging_callback_receive_in_t in = {.account = call->account,
                                          .carrier = call->carrier,
                                          .method = call->method ? call->method : "POST",
                                          .query = {call->query, call->query_count},
                                          .headers = {call->headers, call->header_count},
                                          .body = bytes_of_str (call->body ? call->body : "")};
    return optest_ask (test, "callback_receive", NULL, &in, &call->out, NULL);
}

static int meta_calls (optest_t *test, id16_t account, const char *body)
{
    call_t call = {
        .account = account, .carrier = ACCOUNTS_CARRIER_META, .body = body, .header_count = 1};
    call.headers[0] = (schema_pair_t){"x-hub-signature-256", world_meta_signature (test, body)};
    int code = called (test, &call);
    return code ? code : (int) call.out.status;
}

static int now_read (turn_t *t, void *context)
{
    *(int64_t *) context = t->now;
    return 0;
}

static int telnyx_calls (const fixture_t *f, const char *body, const char *token)
{
    uint8_t signature[64];
    char text[96];
    int64_t now = 0;
    arena_t *arena = optest_arena (f->test);
    call_t call = {.account = world_telnyx,
                   .carrier = ACCOUNTS_CARRIER_TELNYX,
                   .body = body,
                   .header_count = 2};
    assert_int_equal (optest_run (f->test, now_read, &now), 0);
    const char *timestamp = arena_printf (arena, "%lld", (long long) (now / 1000));
    sign_ed25519_sign (f->secret, bytes_of_str (arena_printf (arena, "%s|%s", timestamp, body)),
                       signature);
    text_write_base64 (signature, sizeof signature, text);
    call.headers[0] = (schema_pair_t){"telnyx-signature-ed25519", text};
    call.headers[1] = (schema_pair_t){"telnyx-timestamp", timestamp};
    if (token) {
        call.query[0] = (schema_pair_t){"t", token};
        call.query_count = 1;
    }
    int code = called (f->test, &call);
    return code ? code : (int) call.out.status;
}

#define META_FRAME(phone, value)                                                                                             \
    "{\"object\":\"whatsapp_business_account\",\"entry\":[{\"id\":\"1\",\"changes\":[{\"field\":\"messages\",\"value\":{"    \
    "\"messaging_product\":\"whatsapp\",\"metadata\":{\"display_phone_number\":\"15550004444\",\"phone_number_id\":\"" phone \
    "\"}," value "}}]}]}"
#define META_TEXT(phone, id)                                                                                                 \
    META_FRAME (                                                                                                             \
        phone,                                                                                                               \
        "\"contacts\":[{\"profile\":{\"name\":\"Ann\"},\"wa_id\":\"15551234567\"}],\"messages\":[{\"from\":\"15551234567\"," \
        "\"id\":\"" id                                                                                                       \
        "\",\"timestamp\":\"1900000000\",\"type\":\"text\",\"text\":{\"body\":\"Hi\"}}]")

/* ---- Meta ---- */

static void test_a_person_writes (void **state)
{
    optest_t *test = ((fixture_t *) *state)->test;
    messaging_message_received_t body = {0};
    assert_int_equal (meta_calls (test, world_meta, META_TEXT (PHONE_ID, "wamid.in1")), 200);
    assert_string_equal (world_story (test), "received ");
    assert_true (world_last (test, &messaging_message_received_event, &body));
    assert_string_equal (body.message->text, "Hi");
    assert_string_equal (body.message->from, WORLD_PERSON);
    assert_string_equal (body.message->contact_name, "Ann");
    assert_int_equal (body.apps.count, 1);
    assert_int_equal (meta_calls (test, world_meta, META_TEXT (PHONE_ID, "wamid.in1")),
                      200); /* told again */
    assert_string_equal (world_story (test), "received ");
}

static void test_a_shared_number_tells_each_app (void **state)
{
    optest_t *test = ((fixture_t *) *state)->test;
    const id16_t other = {{19}};
    accounts_app_changed_t app = {
        .id = other, .org = world_org, .name = "Other", .status = ACCOUNTS_APP_STATUS_ACTIVE};
    event_about_t about = {.record = other, .version = 1, .org = world_org, .app = other};
    assert_int_equal (optest_follow (test, &accounts_app_changed_event, &about, &app, NULL), 0);
    accounts_assignment_changed_t shared = {.id = {{20}},
                                            .org = world_org,
                                            .app = other,
                                            .number_id = world_live_whatsapp_number,
                                            .number = WORLD_LIVE_WHATSAPP,
                                            .channel = ACCOUNTS_CHANNEL_WHATSAPP,
                                            .carrier = ACCOUNTS_CARRIER_META,
                                            .account = world_meta,
                                            .ref = PHONE_ID};
    about.record = shared.id;
    assert_int_equal (
        optest_follow (test, &accounts_assignment_changed_event, &about, &shared, NULL), 0);
    messaging_message_received_t body = {0};
    assert_int_equal (meta_calls (test, world_meta, META_TEXT (PHONE_ID, "wamid.in2")), 200);
    assert_true (world_last (test, &messaging_message_received_event, &body));
    assert_int_equal (body.apps.count, 2);
    assert_string_equal (world_story (test), "received ");
}

static void test_a_number_that_nobody_has_is_left_out (void **state)
{
    optest_t *test = ((fixture_t *) *state)->test;
    assert_int_equal (meta_calls (test, world_meta, META_TEXT ("999", "wamid.in3")), 200);
    assert_string_equal (world_story (test), "");
}

static void test_handshake (void **state)
{
    optest_t *test = ((fixture_t *) *state)->test;
    call_t call = {.account = world_meta,
                   .carrier = ACCOUNTS_CARRIER_META,
                   .method = "GET",
                   .query_count = 3,
                   .query = {{"hub.mode", "subscribe"},
                             {"hub.verify_token", "verify"},
                             {"hub.challenge", "1158201444"}}};
    assert_int_equal (called (test, &call), 0);
    assert_int_equal (call.out.status, 200);
    assert_string_equal (call.out.answer, "1158201444");
    call.query[1].value = "guess";
    assert_int_equal (called (test, &call), 0);
    assert_int_equal (call.out.status, 403);
    assert_true (!call.out.answer || !strstr (call.out.answer, "1158201444"));
}

/* ---- what does not verify ---- */

static uint64_t refusals (optest_t *test, id16_t account)
{
    txn_t *txn = NULL;
    uint64_t count = 0;
    store_key_t key = {.id = account};
    assert_int_equal (txn_begin (optest_store (test), TXN_READ, &txn), 0);
    assert_int_equal (store_count (txn, &messaging_refusal_record, "by_account", &key, 1, &count),
                      0);
    txn_abort (&txn);
    return count;
}

static void test_bad_signatures_change_nothing (void **state)
{
    optest_t *test = ((fixture_t *) *state)->test;
    static const char body[] = META_TEXT (PHONE_ID, "wamid.in4");
    call_t call = {.account = world_meta, .carrier = ACCOUNTS_CARRIER_META, .body = body};
    assert_int_equal (called (test, &call), 0);
    assert_int_equal (call.out.status, 401);
    call.headers[0] =
        (schema_pair_t){"x-hub-signature-256", world_meta_signature (test, "something else")};
    call.header_count = 1;
    for (int i = 0; i < 60; i++) {
        assert_int_equal (called (test, &call), 0);
        assert_int_equal (call.out.status, 401);
        assert_int_equal (optest_advance (test, 500), 0);
    }
    assert_string_equal (world_story (test), "");
    assert_in_range (refusals (test, world_meta), 25, 40); /* one a second */
    for (int i = 0; i < 60; i++) {
        assert_int_equal (called (test, &call), 0);
        assert_int_equal (optest_advance (test, 1100), 0);
    }
    assert_int_equal (refusals (test, world_meta), 50); /* the last few are kept */
}

static void test_unknown_accounts_are_not_found (void **state)
{
    const fixture_t *f = *state;
    static const char body[] = META_TEXT (PHONE_ID, "wamid.in5");
    assert_int_equal (meta_calls (f->test, (id16_t){{99}}, body), E_NOT_FOUND);
    assert_int_equal (meta_calls (f->test, world_telnyx, body),
                      E_NOT_FOUND); /* of another carrier than the URL says */
    assert_int_equal (
        account_tell (f->test, world_meta, world_org, ACCOUNTS_CARRIER_META, NULL, 3, true), 0);
    assert_int_equal (meta_calls (f->test, world_meta, body), E_NOT_FOUND);
    assert_int_equal (
        account_tell (f->test, world_meta, world_org, ACCOUNTS_CARRIER_META, NULL, 2, false),
        0); /* older news */
    assert_int_equal (meta_calls (f->test, world_meta, body), E_NOT_FOUND);
}

static void test_a_store_that_fails_is_told (void **state)
{
    optest_t *test = ((fixture_t *) *state)->test;
    static const char body[] = META_TEXT (PHONE_ID, "wamid.in6");
    for (unsigned nth = 1; nth < 100; nth++) {
        store_fail_write (optest_store (test), nth);
        int code = meta_calls (test, world_meta, body);
        store_fail_write (optest_store (test), 0);
        if (code == 200)
            break;
        assert_int_equal (code, E_IO);
        assert_string_equal (world_story (test), "");
    }
    assert_int_equal (meta_calls (test, world_meta, body), 200);
    for (int i = 0; i < 3; i++)
        assert_int_equal (optest_advance (test, 2000), 0);
    assert_string_equal (world_story (test), "received ");
}

/* ---- Telnyx: receipts ---- */

static id16_t sms_send (optest_t *test)
{
    const char *to[] = {WORLD_PERSON};
    messaging_sms_send_in_t in = {.from = WORLD_LIVE_SMS, .to = {to, 1}, .text = "Hello"};
    messaging_sms_send_out_t out = {0};
    envelope_t header = world_live_caller ();
    assert_int_equal (optest_ask (test, "sms_send", &header, &in, &out, NULL), 0);
    return out.id;
}

/* "?t=UUID" of the webhook_url in the request that goes out. */
static const char *token_sent (optest_t *test, const outward_t *outward)
{
    bytes_t body = outward->out.request.body;
    const char *at = memmem (body.data, body.size, "?t=", 3);
    assert_non_null (at);
    return arena_strndup (optest_arena (test), at + 3, ID_UUID_LENGTH);
}

static const char *telnyx_event (optest_t *test, const char *type, const char *id,
                                 const char *status)
{
    return arena_printf (
        optest_arena (test),
        "{\"data\":{\"event_type\":\"%s\",\"id\":\"e-%s-%s\",\"occurred_at\":\"2026-11-21T10:00:00.000+00:00\",\"record_type\":\"event\","
        "\"payload\":{\"id\":\"%s\",\"direction\":\"outbound\",\"record_type\":\"message\",\"type\":\"SMS\","
        "\"from\":{\"phone_number\":\"" WORLD_LIVE_SMS
        "\"},\"to\":[{\"phone_number\":\"" WORLD_PERSON "\",\"status\":\"%s\"}],"
        "\"errors\":[]}},\"meta\":{\"attempt\":1}}",
        type, id, status, id, status);
}

static const char answer_accepted[] =
    "{\"data\":{\"id\":\"m-1\",\"record_type\":\"message\",\"to\":[{\"phone_number\":\"" WORLD_PERSON
    "\",\"status\":\"queued\"}]}}";

static void test_receipts_move_on (void **state)
{
    const fixture_t *f = *state;
    sms_send (f->test);
    outward_t *outward = optest_job (f->test);
    assert_non_null (outward);
    assert_int_equal (outward->out.how, OUT_HTTP);
    const char *token = token_sent (f->test, outward);
    assert_int_equal (optest_job_answered (f->test, outward, 200, answer_accepted), 0);
    assert_string_equal (world_story (f->test), "accepted sent ");
    assert_int_equal (
        telnyx_calls (f, telnyx_event (f->test, "message.finalized", "m-1", "delivered"), token),
        200);
    assert_int_equal (
        telnyx_calls (f, telnyx_event (f->test, "message.sent", "m-1", "sent"), token),
        200); /* out of order */
    assert_int_equal (
        telnyx_calls (f, telnyx_event (f->test, "message.finalized", "m-1", "delivered"), NULL),
        200);
    assert_string_equal (world_story (f->test), "accepted sent delivered ");
}

static void test_a_receipt_comes_before_the_answer (void **state)
{
    const fixture_t *f = *state;
    sms_send (f->test);
    outward_t *outward = optest_job (f->test);
    assert_int_equal (
        telnyx_calls (f, telnyx_event (f->test, "message.finalized", "m-1", "delivered"), NULL),
        200);
    assert_string_equal (world_story (f->test), "accepted ");
    assert_int_equal (optest_job_answered (f->test, outward, 200, answer_accepted), 0);
    assert_string_equal (world_story (f->test), "accepted sent delivered ");
}

static void test_a_token_settles_what_is_unknown (void **state)
{
    const fixture_t *f = *state;
    sms_send (f->test);
    outward_t *outward = optest_job (f->test);
    const char *token = token_sent (f->test, outward);
    outcome_t lost = {.stage = FETCH_SENT, .code = E_TIMEOUT, .reason = "no answer"};
    assert_int_equal (optest_job_done (f->test, outward, &lost), 0);
    assert_string_equal (world_story (f->test), "accepted ");
    assert_int_equal (
        telnyx_calls (f, telnyx_event (f->test, "message.sent", "m-9", "sent"), token), 200);
    assert_string_equal (world_story (f->test), "accepted sent ");
    /* Now its id is known: another message's receipt with this token in its (unsigned) query does not concern it. */
    assert_int_equal (
        telnyx_calls (f, telnyx_event (f->test, "message.finalized", "m-10", "delivery_failed"),
                      token),
        200);
    assert_string_equal (world_story (f->test), "accepted sent ");
    assert_int_equal (
        telnyx_calls (f, telnyx_event (f->test, "message.finalized", "m-9", "delivered"), NULL),
        200);
    assert_string_equal (world_story (f->test), "accepted sent delivered ");
}

static void test_an_account_speaks_of_its_own_messages_only (void **state)
{
    const fixture_t *f = *state;
    const id16_t stranger = {{77}};
    messaging_whatsapp_send_in_t in = {.kind = MESSAGING_KIND_TEXT, .text = "Hello"};
    messaging_whatsapp_send_out_t out = {0};
    assert_int_equal (
        account_tell (f->test, stranger, (id16_t){{78}}, ACCOUNTS_CARRIER_META, NULL, 1, false), 0);
    assert_int_equal (meta_calls (f->test, world_meta, META_TEXT (PHONE_ID, "wamid.in7")),
                      200); /* opens the window */
    assert_int_equal (world_whatsapp (f->test, world_live_caller (), &in, &out, NULL), 0);
    outward_t *outward = optest_job (f->test);
    assert_int_equal (
        optest_job_answered (
            f->test, outward, 200,
            "{\"messaging_product\":\"whatsapp\",\"messages\":[{\"id\":\"wamid.out1\"}]}"),
        0);
    static const char receipt[] = META_FRAME (
        PHONE_ID,
        "\"statuses\":[{\"id\":\"wamid.out1\",\"status\":\"delivered\",\"timestamp\":\"1760000001\","
        "\"recipient_id\":\"15551234567\"}]");
    assert_int_equal (meta_calls (f->test, stranger, receipt), 200);
    assert_string_equal (world_story (f->test), "received accepted sent ");
    assert_int_equal (meta_calls (f->test, stranger, META_TEXT (PHONE_ID, "wamid.in8")),
                      200); /* nor of its own numbers */
    assert_string_equal (world_story (f->test), "received accepted sent ");
    assert_int_equal (meta_calls (f->test, world_meta, receipt), 200);
    assert_string_equal (world_story (f->test), "received accepted sent delivered ");
}

/* A call that tells one thing goes on as it came; of others the item goes on. */
static void test_calls_that_tell_one_thing (void **state)
{
    const fixture_t *f = *state;
    messaging_message_received_t got = {0};
    messaging_message_status_t moved = {0};
    messaging_whatsapp_send_in_t in = {.kind = MESSAGING_KIND_TEXT, .text = "Hello"};
    messaging_whatsapp_send_out_t out = {0};
    static const char one[] = META_TEXT (PHONE_ID, "wamid.o1");
    assert_int_equal (meta_calls (f->test, world_meta, one), 200);
    assert_true (world_last (f->test, &messaging_message_received_event, &got));
    assert_true (bytes_equal (got.call, bytes_of_str (one)));
    assert_string_equal (got.provider_id, "wamid.o1");
    assert_string_equal (got.thread->name, "Ann");
    assert_int_equal (world_whatsapp (f->test, world_live_caller (), &in, &out, NULL), 0);
    assert_int_equal (
        optest_job_answered (
            f->test, optest_job (f->test), 200,
            "{\"messaging_product\":\"whatsapp\",\"messages\":[{\"id\":\"wamid.o2\"}]}"),
        0);
    static const char alone[] = META_FRAME (
        PHONE_ID,
        "\"statuses\":[{\"id\":\"wamid.o2\",\"status\":\"delivered\",\"timestamp\":\"1760000001\","
        "\"recipient_id\":\"15551234567\"}]");
    assert_int_equal (meta_calls (f->test, world_meta, alone), 200);
    assert_true (world_last (f->test, &messaging_message_status_event, &moved));
    assert_true (bytes_equal (moved.call, bytes_of_str (alone)));
    assert_int_equal (moved.at, 1760000001000);
    static const char two[] = META_FRAME (
        PHONE_ID,
        "\"statuses\":[{\"id\":\"wamid.o2\",\"status\":\"read\",\"timestamp\":\"1760000002\","
        "\"recipient_id\":\"15551234567\"},{\"id\":\"wamid.none\",\"status\":\"read\","
        "\"timestamp\":\"1760000002\"}]");
    assert_int_equal (meta_calls (f->test, world_meta, two), 200);
    assert_true (world_last (f->test, &messaging_message_status_event, &moved));
    assert_int_equal (moved.call.size, 0);
    assert_string_equal (moved.provider_id, "wamid.o2");
    assert_true (id_equal (moved.thread->conversation, got.thread->conversation));
    buf_t raw = buf_in (optest_arena (f->test));
    schema_any_write (moved.raw, &raw);
    assert_non_null (strstr (buf_text (&raw), "\"timestamp\":\"1760000002\""));
}

/* A number that no app holds is still the organization's. */
static void test_a_number_without_an_app_receives (void **state)
{
    optest_t *test = ((fixture_t *) *state)->test;
    messaging_message_received_t got = {0};
    assert_int_equal (world_assign (test, (id16_t){{16}}, world_live_app,
                                    world_live_whatsapp_number, WORLD_LIVE_WHATSAPP,
                                    ACCOUNTS_CHANNEL_WHATSAPP, 2, true),
                      0);
    assert_int_equal (meta_calls (test, world_meta, META_TEXT (PHONE_ID, "wamid.n1")), 200);
    assert_true (world_last (test, &messaging_message_received_event, &got));
    assert_int_equal (got.apps.count, 0);
    assert_string_equal (got.thread->number_ref, PHONE_ID);
}

static void test_early_receipts_of_one_batch (void **state)
{
    const fixture_t *f = *state;
    messaging_whatsapp_send_in_t in = {.kind = MESSAGING_KIND_TEXT, .text = "Hello"};
    messaging_whatsapp_send_out_t out = {0};
    assert_int_equal (meta_calls (f->test, world_meta, META_TEXT (PHONE_ID, "wamid.in9")), 200);
    for (int i = 0; i < 3; i++) {
        in.to = NULL;
        assert_int_equal (world_whatsapp (f->test, world_live_caller (), &in, &out, NULL), 0);
    }
    static const char batch[] = META_FRAME (
        PHONE_ID,
        "\"statuses\":[{\"id\":\"wamid.b0\",\"status\":\"delivered\",\"timestamp\":\"1760000001\",\"recipient_id\":\"15551234567\"},"
        "{\"id\":\"wamid.b1\",\"status\":\"delivered\",\"timestamp\":\"1760000001\",\"recipient_id\":\"15551234567\"},"
        "{\"id\":\"wamid.b2\",\"status\":\"delivered\",\"timestamp\":\"1760000001\",\"recipient_id\":\"15551234567\"}]");
    assert_int_equal (meta_calls (f->test, world_meta, batch), 200);
    for (int i = 0; i < 3; i++) {
        outward_t *outward = optest_job (f->test);
        assert_non_null (outward);
        const char *answer = arena_printf (
            optest_arena (f->test),
            "{\"messaging_product\":\"whatsapp\",\"messages\":[{\"id\":\"wamid.b%d\"}]}", i);
        assert_int_equal (optest_job_answered (f->test, outward, 200, answer), 0);
        assert_int_equal (optest_advance (f->test, 1000), 0);
    }
    assert_string_equal (
        world_story (f->test),
        "received accepted accepted accepted sent delivered sent delivered sent delivered ");
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_a_person_writes, setup, teardown),
        cmocka_unit_test_setup_teardown (test_a_shared_number_tells_each_app, setup, teardown),
        cmocka_unit_test_setup_teardown (test_a_number_that_nobody_has_is_left_out, setup,
                                         teardown),
        cmocka_unit_test_setup_teardown (test_handshake, setup, teardown),
        cmocka_unit_test_setup_teardown (test_bad_signatures_change_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown (test_unknown_accounts_are_not_found, setup, teardown),
        cmocka_unit_test_setup_teardown (test_a_store_that_fails_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown (test_receipts_move_on, setup, teardown),
        cmocka_unit_test_setup_teardown (test_a_receipt_comes_before_the_answer, setup, teardown),
        cmocka_unit_test_setup_teardown (test_a_token_settles_what_is_unknown, setup, teardown),
        cmocka_unit_test_setup_teardown (test_an_account_speaks_of_its_own_messages_only, setup,
                                         teardown),
        cmocka_unit_test_setup_teardown (test_early_receipts_of_one_batch, setup, teardown),
        cmocka_unit_test_setup_teardown (test_calls_that_tell_one_thing, setup, teardown),
        cmocka_unit_test_setup_teardown (test_a_number_without_an_app_receives, setup, teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
