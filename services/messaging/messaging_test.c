/* messaging_test.c - the operations of messaging on a temporary store: accept, send, receipts in any order, inbound, idempotency. */
#include "messaging_world.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static void test_sms_goes_to_delivered (void **state)
{
    messaging_sms_send_out_t out = {0};
    assert_int_equal (world_sms (*state, "+15551234567", "Hello", &out, NULL), 0);
    assert_true (id_is_v7 (out.id));
    assert_int_equal (out.segments, 1);
    world_run_out (*state);
    assert_string_equal (world_story (*state), "accepted sent delivered ");
}

static void test_refusals_store_nothing (void **state)
{
    static const struct {
        const char *from;
        const char *text;
        int want;
        const char *field;
    } rows[] = {
        {"+15559999999", "x", E_PHONE_NUMBER_NOT_ASSIGNED, "from"},
        {"+15550002222", "x", E_PHONE_NUMBER_NOT_ASSIGNED, "from"},
        {"+15550001111", "", E_BAD_REQUEST, "text"},
        {"+15550001111", NULL, E_BAD_REQUEST, "text"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *to[] = {"+15551234567"};
        messaging_sms_send_in_t in = {.from = rows[i].from, .to = {to, 1}, .text = rows[i].text};
        messaging_sms_send_out_t out = {0};
        failure_t failure = {0};
        envelope_t header = world_caller ();
        assert_int_equal (optest_ask (*state, "sms_send", &header, &in, &out, &failure),
                          rows[i].want);
        assert_string_equal (failure.field, rows[i].field);
    }
    assert_string_equal (world_story (*state), "");
    assert_null (optest_job (*state));
}

static void test_several_recipients_each_have_a_status (void **state)
{
    const char *to[] = {"+15551230001", "+999140008", "+15551230003"};
    messaging_sms_send_in_t in = {.from = "+15550001111", .to = {to, 3}, .text = "x"};
    messaging_sms_send_out_t out = {0};
    envelope_t header = world_caller ();
    assert_int_equal (optest_ask (*state, "sms_send", &header, &in, &out, NULL), 0);
    world_run_out (*state);
    const char *told = world_story (*state);
    assert_non_null (strstr (told, "failed"));
    const char *first = strstr (told, "delivered");
    assert_non_null (first);
    assert_non_null (strstr (first + 1, "delivered"));
}

static void test_early_receipt_waits_for_the_answer (void **state)
{
    messaging_sms_send_out_t out = {0};
    assert_int_equal (world_sms (*state, "+99930004", "x", &out, NULL), 0);
    outward_t *send = optest_job (*state);
    assert_non_null (send);
    assert_int_equal (optest_advance (*state, 1000), 0);
    assert_string_equal (world_story (*state), "accepted ");
    outcome_t outcome = {.stage = FETCH_ANSWERED, .body = send->out.body};
    assert_int_equal (optest_job_done (*state, send, &outcome), 0);
    world_run_out (*state);
    assert_string_equal (world_story (*state), "accepted sent delivered ");
}

static void test_parked_receipts_expire (void **state)
{
    messaging_sms_send_out_t out = {0};
    assert_int_equal (world_sms (*state, "+99930004", "x", &out, NULL), 0);
    outward_t *send = optest_job (*state);
    assert_non_null (send);
    assert_int_equal (optest_advance (*state, 1000), 0);
    assert_int_equal (optest_advance (*state, INT64_C (73) * 3600 * 1000), 0);
    outcome_t outcome = {.stage = FETCH_ANSWERED, .body = send->out.body};
    assert_int_equal (optest_job_done (*state, send, &outcome), 0);
    assert_string_equal (world_story (*state), "accepted sent ");
}

static void test_silence_fails_after_a_while (void **state)
{
    messaging_sms_send_out_t out = {0};
    assert_int_equal (world_sms (*state, "+99930003", "x", &out, NULL), 0);
    world_run_out (*state);
    assert_string_equal (world_story (*state), "accepted ");
    assert_int_equal (optest_advance (*state, 11 * 60 * 1000), 0);
    assert_string_equal (world_story (*state), "accepted failed ");
}

static void test_a_lost_send_is_made_again (void **state)
{
    messaging_sms_send_out_t out = {0};
    assert_int_equal (world_sms (*state, "+15551234567", "x", &out, NULL), 0);
    outward_t *send = optest_job (*state);
    outcome_t outcome = {.stage = FETCH_SENT, .code = E_REPLICA_LOST};
    assert_int_equal (optest_job_done (*state, send, &outcome), 0);
    world_run_out (*state);
    assert_string_equal (world_story (*state), "accepted sent delivered ");
}

static void test_unassigned_number_is_refused (void **state)
{
    messaging_sms_send_out_t out = {0};
    failure_t failure = {0};
    assert_int_equal (world_assign (*state, (id16_t){{5}}, world_app, world_number, "+15550001111",
                                    ACCOUNTS_CHANNEL_SMS, 2, true),
                      0);
    assert_int_equal (world_sms (*state, "+15551234567", "x", &out, &failure),
                      E_PHONE_NUMBER_NOT_ASSIGNED);
    /* The event of the assignment, told again, is older and brings nothing back. */
    assert_int_equal (world_assign (*state, (id16_t){{5}}, world_app, world_number, "+15550001111",
                                    ACCOUNTS_CHANNEL_SMS, 1, false),
                      0);
    assert_int_equal (world_sms (*state, "+15551234567", "x", &out, &failure),
                      E_PHONE_NUMBER_NOT_ASSIGNED);
}

static int whatsapp (optest_t *test, const char *to, int32_t kind, failure_t *failure)
{
    messaging_whatsapp_send_in_t in = {.to = to, .kind = kind, .text = "Hello"};
    messaging_whatsapp_send_out_t out = {0};
    return world_whatsapp (test, world_caller (), &in, &out, failure);
}

static void test_whatsapp_goes_to_read (void **state)
{
    assert_int_equal (whatsapp (*state, "+15551234567", MESSAGING_KIND_TEXT, NULL), 0);
    world_run_out (*state);
    assert_string_equal (world_story (*state), "accepted sent delivered read ");
}

static void test_whatsapp_refusals (void **state)
{
    failure_t failure = {0};
    assert_int_equal (whatsapp (*state, "+15551234567", MESSAGING_KIND_ORDER, &failure),
                      E_UNSUPPORTED_MESSAGE_TYPE);
    assert_int_equal (whatsapp (*state, "+9992131047", MESSAGING_KIND_TEXT, &failure),
                      E_CONVERSATION_WINDOW_EXPIRED);
    assert_string_equal (world_story (*state), "");
}

static void test_a_person_writes (void **state)
{
    messaging_inbound_simulate_in_t in = {.from = "+15551234567",
                                          .to = "+15550002222",
                                          .text = "Hi",
                                          .channel = ACCOUNTS_CHANNEL_WHATSAPP};
    messaging_inbound_simulate_out_t out = {0};
    envelope_t header = world_caller ();
    assert_int_equal (optest_ask (*state, "inbound_simulate", &header, &in, &out, NULL), 0);
    world_run_out (*state);
    assert_string_equal (world_story (*state), "received ");
    const common_event_t *events = NULL;
    messaging_message_received_t body = {0};
    assert_int_equal (optest_events (*state, 0, &events), 1);
    assert_int_equal (optest_event_body (*state, events, &messaging_message_received_event, &body),
                      0);
    assert_int_equal (body.apps.count, 1);
    assert_string_equal (body.message->text, "Hi");
    assert_non_null (body.message->window);
}

static void test_same_key_acts_once (void **state)
{
    const char *to[] = {"+15551234567"};
    messaging_sms_send_in_t in = {.from = "+15550001111", .to = {to, 1}, .text = "x"};
    messaging_sms_send_out_t first = {0};
    messaging_sms_send_out_t second = {0};
    envelope_t header = world_caller ();
    header.idem = (idempotency_t){.dialect = "chirp",
                                  .scope = world_app,
                                  .route = "POST /v1/sms",
                                  .key = "k",
                                  .request_id = "req_1"};
    assert_int_equal (optest_ask (*state, "sms_send", &header, &in, &first, NULL), 0);
    header.id = id_nil ();
    assert_int_equal (optest_ask (*state, "sms_send", &header, &in, &second, NULL), 0);
    assert_true (id_equal (first.id, second.id));
    header.id = id_nil ();
    header.idem.fingerprint[0] = 1;
    assert_int_equal (optest_ask (*state, "sms_send", &header, &in, &second, NULL),
                      E_IDEMPOTENCY_MISMATCH);
    assert_string_equal (world_story (*state), "accepted ");
}

static void test_failing_writes_leave_nothing_behind (void **state)
{
    for (unsigned nth = 1; nth < 200; nth++) {
        messaging_sms_send_out_t out = {0};
        store_fail_write (optest_store (*state), nth);
        int code = world_sms (*state, "+15551234567", "x", &out, NULL);
        store_fail_write (optest_store (*state), 0);
        assert_string_equal (world_story (*state), code ? "" : "accepted ");
        if (code == 0)
            return;
    }
    fail_msg ("the operation makes over 200 writes");
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_sms_goes_to_delivered, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown (test_refusals_store_nothing, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown (test_several_recipients_each_have_a_status, world_setup,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_early_receipt_waits_for_the_answer, world_setup,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_parked_receipts_expire, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown (test_silence_fails_after_a_while, world_setup,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_a_lost_send_is_made_again, world_setup,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_unassigned_number_is_refused, world_setup,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_whatsapp_goes_to_read, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown (test_whatsapp_refusals, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown (test_a_person_writes, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown (test_same_key_acts_once, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown (test_failing_writes_leave_nothing_behind, world_setup,
                                         world_teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
