/* messaging_test.c - the operations of messaging on a temporary store: accept, send, receipts in any order, inbound, idempotency. */
#include "gen/accounts.h"
#include "messaging.h"
#include "svc/optest.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static const id16_t org = { { 1 } };
static const id16_t app = { { 2 } };
static const id16_t number = { { 3 } };
static const id16_t whatsapp_number = { { 4 } };

static int assign (optest_t *test, id16_t id, id16_t number_id, const char *e164, int32_t channel, uint64_t version, bool deleted)
{
    accounts_assignment_changed_t body = { .id = id, .org = org, .app = app, .number_id = number_id, .number = e164, .channel = channel,
                                           .carrier = ACCOUNTS_CARRIER_LOOPBACK, .test = true, .deleted = deleted };
    event_about_t about = { .record = id, .version = version, .org = org, .app = app, .test = true };
    return optest_follow (test, &accounts_assignment_changed_event, &about, &body, NULL);
}

static int setup (void **state)
{
    static const char *const flags[] = { "--loopback-delay=0", NULL };
    optest_t *test = optest_new_with (&messaging_tables, flags);
    assert_non_null (test);
    accounts_app_changed_t body = { .id = app, .org = org, .name = "Desk", .test = true, .status = ACCOUNTS_APP_STATUS_ACTIVE };
    event_about_t about = { .record = app, .version = 1, .org = org, .app = app, .test = true };
    assert_int_equal (optest_follow (test, &accounts_app_changed_event, &about, &body, NULL), 0);
    assert_int_equal (assign (test, (id16_t) { { 5 } }, number, "+15550001111", ACCOUNTS_CHANNEL_SMS, 1, false), 0);
    assert_int_equal (assign (test, (id16_t) { { 6 } }, whatsapp_number, "+15550002222", ACCOUNTS_CHANNEL_WHATSAPP, 1, false), 0);
    *state = test;
    return 0;
}

static int teardown (void **state)
{
    optest_t *test = *state;
    optest_destroy (&test);
    return 0;
}

static envelope_t caller (void)
{
    return (envelope_t) { .org = org, .app = app, .test = true, .principal = PRINCIPAL_APP_KEY, .request_id = "req_1" };
}

static int sms (optest_t *test, const char *to, const char *text, messaging_sms_send_out_t *out, failure_t *failure)
{
    const char *list[] = { to };
    messaging_sms_send_in_t in = { .from = "+15550001111", .to = { list, 1 }, .text = text };
    envelope_t header = caller ();
    return optest_ask (test, "sms_send", &header, &in, out, failure);
}

/* Say of the next outward job what the loopback carrier says. */
static bool carrier_answers (optest_t *test)
{
    outward_t *outward = optest_job (test);
    if (!outward)
        return false;
    assert_int_equal (outward->out.how, OUT_WAIT);
    outcome_t outcome = { .stage = FETCH_ANSWERED, .body = outward->out.body };
    assert_int_equal (optest_job_done (test, outward, &outcome), 0);
    return true;
}

/* Statuses told in the journal, in order, as words with a space each. */
static const char *story (optest_t *test)
{
    const common_event_t *events = NULL;
    size_t count = optest_events (test, 0, &events);
    buf_t out = buf_in (optest_arena (test));
    for (size_t i = 0; i < count; i++) {
        messaging_message_status_t body = { 0 };
        if (events[i].number == messaging_message_accepted_event.number)
            buf_add_str (&out, "accepted ");
        else if (events[i].number == messaging_message_received_event.number)
            buf_add_str (&out, "received ");
        else if (optest_event_body (test, &events[i], &messaging_message_status_event, &body) == 0)
            buf_printf (&out, "%s ", schema_enum_word (&messaging_status_enum, body.status));
    }
    return buf_text (&out);
}

static void run_out (optest_t *test)
{
    for (int i = 0; i < 20; i++) {
        carrier_answers (test);
        assert_int_equal (optest_advance (test, 1000), 0);
    }
}

static void test_sms_goes_to_delivered (void **state)
{
    messaging_sms_send_out_t out = { 0 };
    assert_int_equal (sms (*state, "+15551234567", "Hello", &out, NULL), 0);
    assert_true (id_is_v7 (out.id));
    assert_int_equal (out.segments, 1);
    run_out (*state);
    assert_string_equal (story (*state), "accepted sent delivered ");
}

static void test_refusals_store_nothing (void **state)
{
    static const struct {
        const char *from;
        const char *text;
        int want;
        const char *field;
    } rows[] = {
        { "+15559999999", "x", E_PHONE_NUMBER_NOT_ASSIGNED, "from" },
        { "+15550002222", "x", E_PHONE_NUMBER_NOT_ASSIGNED, "from" },
        { "+15550001111", "", E_BAD_REQUEST, "text" },
        { "+15550001111", NULL, E_BAD_REQUEST, "text" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *to[] = { "+15551234567" };
        messaging_sms_send_in_t in = { .from = rows[i].from, .to = { to, 1 }, .text = rows[i].text };
        messaging_sms_send_out_t out = { 0 };
        failure_t failure = { 0 };
        envelope_t header = caller ();
        assert_int_equal (optest_ask (*state, "sms_send", &header, &in, &out, &failure), rows[i].want);
        assert_string_equal (failure.field, rows[i].field);
    }
    assert_string_equal (story (*state), "");
    assert_null (optest_job (*state));
}

static void test_several_recipients_each_have_a_status (void **state)
{
    const char *to[] = { "+15551230001", "+999140008", "+15551230003" };
    messaging_sms_send_in_t in = { .from = "+15550001111", .to = { to, 3 }, .text = "x" };
    messaging_sms_send_out_t out = { 0 };
    envelope_t header = caller ();
    assert_int_equal (optest_ask (*state, "sms_send", &header, &in, &out, NULL), 0);
    run_out (*state);
    const char *told = story (*state);
    assert_non_null (strstr (told, "failed"));
    const char *first = strstr (told, "delivered");
    assert_non_null (first);
    assert_non_null (strstr (first + 1, "delivered"));
}

static void test_early_receipt_waits_for_the_answer (void **state)
{
    messaging_sms_send_out_t out = { 0 };
    assert_int_equal (sms (*state, "+99930004", "x", &out, NULL), 0);
    outward_t *send = optest_job (*state);
    assert_non_null (send);
    assert_int_equal (optest_advance (*state, 1000), 0);
    assert_string_equal (story (*state), "accepted ");
    outcome_t outcome = { .stage = FETCH_ANSWERED, .body = send->out.body };
    assert_int_equal (optest_job_done (*state, send, &outcome), 0);
    run_out (*state);
    assert_string_equal (story (*state), "accepted sent delivered ");
}

static void test_silence_fails_after_a_while (void **state)
{
    messaging_sms_send_out_t out = { 0 };
    assert_int_equal (sms (*state, "+99930003", "x", &out, NULL), 0);
    run_out (*state);
    assert_string_equal (story (*state), "accepted ");
    assert_int_equal (optest_advance (*state, 11 * 60 * 1000), 0);
    assert_string_equal (story (*state), "accepted failed ");
}

static void test_a_lost_send_is_made_again (void **state)
{
    messaging_sms_send_out_t out = { 0 };
    assert_int_equal (sms (*state, "+15551234567", "x", &out, NULL), 0);
    outward_t *send = optest_job (*state);
    outcome_t outcome = { .stage = FETCH_SENT, .code = E_REPLICA_LOST };
    assert_int_equal (optest_job_done (*state, send, &outcome), 0);
    run_out (*state);
    assert_string_equal (story (*state), "accepted sent delivered ");
}

static void test_unassigned_number_is_refused (void **state)
{
    messaging_sms_send_out_t out = { 0 };
    failure_t failure = { 0 };
    assert_int_equal (assign (*state, (id16_t) { { 5 } }, number, "+15550001111", ACCOUNTS_CHANNEL_SMS, 2, true), 0);
    assert_int_equal (sms (*state, "+15551234567", "x", &out, &failure), E_PHONE_NUMBER_NOT_ASSIGNED);
    /* The event of the assignment, told again, is older and brings nothing back. */
    assert_int_equal (assign (*state, (id16_t) { { 5 } }, number, "+15550001111", ACCOUNTS_CHANNEL_SMS, 1, false), 0);
    assert_int_equal (sms (*state, "+15551234567", "x", &out, &failure), E_PHONE_NUMBER_NOT_ASSIGNED);
}

static int whatsapp (optest_t *test, const char *to, int32_t kind, failure_t *failure)
{
    messaging_whatsapp_send_in_t in = { .from = "+15550002222", .to = to, .kind = kind, .text = "Hello" };
    messaging_whatsapp_send_out_t out = { 0 };
    envelope_t header = caller ();
    return optest_ask (test, "whatsapp_send", &header, &in, &out, failure);
}

static void test_whatsapp_goes_to_read (void **state)
{
    assert_int_equal (whatsapp (*state, "+15551234567", MESSAGING_KIND_TEXT, NULL), 0);
    run_out (*state);
    assert_string_equal (story (*state), "accepted sent delivered read ");
}

static void test_whatsapp_refusals (void **state)
{
    failure_t failure = { 0 };
    assert_int_equal (whatsapp (*state, "+15551234567", MESSAGING_KIND_IMAGE, &failure), E_UNSUPPORTED_MESSAGE_TYPE);
    assert_int_equal (whatsapp (*state, "+9992131047", MESSAGING_KIND_TEXT, &failure), E_CONVERSATION_WINDOW_EXPIRED);
    assert_string_equal (story (*state), "");
}

static void test_a_person_writes (void **state)
{
    messaging_inbound_simulate_in_t in = { .from = "+15551234567", .to = "+15550002222", .text = "Hi", .channel = ACCOUNTS_CHANNEL_WHATSAPP };
    messaging_inbound_simulate_out_t out = { 0 };
    envelope_t header = caller ();
    assert_int_equal (optest_ask (*state, "inbound_simulate", &header, &in, &out, NULL), 0);
    run_out (*state);
    assert_string_equal (story (*state), "received ");
    const common_event_t *events = NULL;
    messaging_message_received_t body = { 0 };
    assert_int_equal (optest_events (*state, 0, &events), 1);
    assert_int_equal (optest_event_body (*state, events, &messaging_message_received_event, &body), 0);
    assert_int_equal (body.apps.count, 1);
    assert_string_equal (body.message->text, "Hi");
    assert_non_null (body.message->window);
}

static void test_same_key_acts_once (void **state)
{
    const char *to[] = { "+15551234567" };
    messaging_sms_send_in_t in = { .from = "+15550001111", .to = { to, 1 }, .text = "x" };
    messaging_sms_send_out_t first = { 0 };
    messaging_sms_send_out_t second = { 0 };
    envelope_t header = caller ();
    header.idem = (idempotency_t) { .dialect = "chirp", .scope = app, .route = "POST /v1/sms", .key = "k", .request_id = "req_1" };
    assert_int_equal (optest_ask (*state, "sms_send", &header, &in, &first, NULL), 0);
    header.id = id_nil ();
    assert_int_equal (optest_ask (*state, "sms_send", &header, &in, &second, NULL), 0);
    assert_true (id_equal (first.id, second.id));
    header.id = id_nil ();
    header.idem.fingerprint[0] = 1;
    assert_int_equal (optest_ask (*state, "sms_send", &header, &in, &second, NULL), E_IDEMPOTENCY_MISMATCH);
    assert_string_equal (story (*state), "accepted ");
}

static void test_failing_writes_leave_nothing_behind (void **state)
{
    for (unsigned nth = 1; nth < 200; nth++) {
        messaging_sms_send_out_t out = { 0 };
        store_fail_write (optest_store (*state), nth);
        int code = sms (*state, "+15551234567", "x", &out, NULL);
        store_fail_write (optest_store (*state), 0);
        const common_event_t *events = NULL;
        size_t count = optest_events (*state, 0, &events);
        if (code == 0) {
            assert_int_equal (count, 1);
            return;
        }
        assert_int_equal (count, 0);
    }
    fail_msg ("the operation makes over 200 writes");
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_sms_goes_to_delivered, setup, teardown),
        cmocka_unit_test_setup_teardown (test_refusals_store_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown (test_several_recipients_each_have_a_status, setup, teardown),
        cmocka_unit_test_setup_teardown (test_early_receipt_waits_for_the_answer, setup, teardown),
        cmocka_unit_test_setup_teardown (test_silence_fails_after_a_while, setup, teardown),
        cmocka_unit_test_setup_teardown (test_a_lost_send_is_made_again, setup, teardown),
        cmocka_unit_test_setup_teardown (test_unassigned_number_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown (test_whatsapp_goes_to_read, setup, teardown),
        cmocka_unit_test_setup_teardown (test_whatsapp_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown (test_a_person_writes, setup, teardown),
        cmocka_unit_test_setup_teardown (test_same_key_acts_once, setup, teardown),
        cmocka_unit_test_setup_teardown (test_failing_writes_leave_nothing_behind, setup, teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
