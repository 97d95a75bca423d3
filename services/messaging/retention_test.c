/* retention_test.c - what is not kept for ever goes, with all that hangs on it; what is young or under way stays; what names a row that is gone copes. */
#include "messaging_world.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static const int64_t hour_ms = 3600 * INT64_C (1000);

static int setup (void **state)
{
    static const char *const flags[] = {"--message-retention=10h", "--callback-retention=10h",
                                        "--receipt-parking=1h", NULL};
    return world_setup_with (state, flags);
}

static int setup_parking (void **state)
{
    static const char *const flags[] = {"--message-retention=1h", "--callback-retention=1h",
                                        "--receipt-parking=48h", NULL};
    return world_setup_with (state, flags);
}

static int setup_for_ever (void **state)
{
    static const char *const flags[] = {"--message-retention=0s", "--callback-retention=0s",
                                        "--receipt-parking=1h", NULL};
    return world_setup_with (state, flags);
}

/* Time passes, and the sweeper comes by. */
static void pass (optest_t *test, int64_t ms)
{
    assert_int_equal (optest_advance (test, ms), 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal (optest_advance (test, 1000), 0);
}

static int64_t rows_of (optest_t *test, const char *table)
{
    int64_t rows = optest_rows (test, table);
    assert_true (rows >= 0);
    return rows;
}

static unsigned long long metric (optest_t *test, const char *name, const char *kind)
{
    common_metrics_out_t out = {0};
    char line[128];
    unsigned long long value = 0;
    assert_int_equal (optest_ask (test, "metrics", NULL, &(common_metrics_in_t){0}, &out, NULL), 0);
    snprintf (line, sizeof line, "\naviary_messaging_%s{kind=\"%s\",replica=\"0\"} ", name, kind);
    const char *at = strstr (out.text, line);
    assert_non_null (at);
    assert_int_equal (sscanf (at + strlen (line), "%llu", &value), 1);
    return value;
}

static int64_t log_total (optest_t *test)
{
    envelope_t header = {.org = world_org, .principal = PRINCIPAL_ADMIN_KEY};
    messaging_log_page_in_t in = {
        .channel = ACCOUNTS_CHANNEL_SMS, .app = world_app, .app_test = true};
    messaging_log_page_out_t out = {0};
    assert_int_equal (optest_ask (test, "log_page", &header, &in, &out, NULL), 0);
    assert_int_equal (out.messages.count, out.total);
    return out.total;
}

static int log_get (optest_t *test, id16_t id)
{
    envelope_t header = {.org = world_org, .principal = PRINCIPAL_ADMIN_KEY};
    messaging_log_get_in_t in = {.channel = ACCOUNTS_CHANNEL_SMS, .id = id, .id_test = true};
    messaging_log_message_t out = {0};
    return optest_ask (test, "log_get", &header, &in, &out, NULL);
}

static size_t explained (optest_t *test, id16_t id)
{
    common_explain_out_t out = {0};
    assert_int_equal (
        optest_ask (test, "explain", NULL, &(common_explain_in_t){.id = id}, &out, NULL), 0);
    return out.lines.count;
}

static id16_t delivered (optest_t *test, const char *to)
{
    messaging_sms_send_out_t out = {0};
    assert_int_equal (world_sms (test, to, "Hello", &out, NULL), 0);
    world_run_out (test);
    return out.id;
}

/* ---- messages ---- */

static void test_old_messages_go_and_young_stay (void **state)
{
    id16_t old = delivered (*state, "+15551234501");
    pass (*state, 9 * hour_ms);
    id16_t young = delivered (*state, "+15551234502");
    assert_int_equal (log_total (*state), 2);
    assert_int_equal (log_get (*state, old), 0);
    assert_true (explained (*state, old) > 0);
    assert_in_range (metric (*state, "oldest_row_seconds", "messages"), 9 * 3600, 9 * 3600 + 120);
    pass (*state, 2 * hour_ms);
    assert_int_equal (log_total (*state), 1);
    assert_int_equal (log_get (*state, old), E_NOT_FOUND);
    assert_int_equal (log_get (*state, young), 0);
    assert_int_equal (explained (*state, old), 0);
    assert_true (explained (*state, young) > 0);
    assert_int_equal (rows_of (*state, "message"), 1);
    assert_int_equal (rows_of (*state, "recipient"), 1);
    assert_int_equal (rows_of (*state, "recipient/by_provider_id"), 1);
    assert_int_equal (rows_of (*state, "callback"), 1);
    assert_int_equal (metric (*state, "swept_rows_total", "messages"), 1);
    assert_int_equal (metric (*state, "swept_rows_total", "callbacks"), 1);
    assert_int_equal (metric (*state, "held_rows", "messages"), 0);
    assert_in_range (metric (*state, "oldest_row_seconds", "messages"), 2 * 3600, 2 * 3600 + 120);
    /* what is counted of the app is of all time */
    messaging_app_counts_out_t counts = {0};
    envelope_t header = {.org = world_org, .principal = PRINCIPAL_ADMIN_KEY};
    assert_int_equal (optest_ask (*state, "app_counts", &header,
                                  &(messaging_app_counts_in_t){.app = world_app}, &counts, NULL),
                      0);
    assert_int_equal (counts.messages_delivered, 2);
}

static void test_zero_keeps_for_ever (void **state)
{
    id16_t old = delivered (*state, "+15551234501");
    pass (*state, 4000 * 24 * hour_ms);
    assert_int_equal (log_get (*state, old), 0);
    assert_int_equal (rows_of (*state, "callback"), 1);
    assert_in_range (metric (*state, "oldest_row_seconds", "messages"), 4000 * 86400LL,
                     4000 * 86400LL + 120);
}

static void test_nothing_is_younger_than_parked_receipts (void **state)
{
    id16_t old = delivered (*state, "+15551234501");
    pass (*state, 47 * hour_ms);
    assert_int_equal (log_get (*state, old), 0);
    assert_int_equal (rows_of (*state, "callback"), 1);
    pass (*state, 3 * hour_ms);
    assert_int_equal (log_get (*state, old), E_NOT_FOUND);
    assert_int_equal (rows_of (*state, "callback"), 0);
}

/* A send that waits for its answer holds its message, and nothing behind it; asked again every hour, also by the next process. */
static void test_what_is_under_way_is_held (void **state)
{
    messaging_sms_send_out_t waiting = {0};
    assert_int_equal (world_sms (*state, "+15551234501", "x", &waiting, NULL), 0);
    outward_t *job = optest_job (*state);
    assert_non_null (job);
    id16_t behind = delivered (*state, "+15551234502");
    pass (*state, 12 * hour_ms);
    assert_int_equal (log_get (*state, waiting.id), 0);
    assert_int_equal (log_get (*state, behind), E_NOT_FOUND);
    assert_int_equal (metric (*state, "held_rows", "messages"), 1);
    outcome_t outcome = {.stage = FETCH_ANSWERED, .body = job->out.body};
    assert_int_equal (optest_job_done (*state, job, &outcome), 0);
    world_run_out (*state);
    assert_int_equal (log_get (*state, waiting.id), 0); /* its turn comes within the hour */
    assert_int_equal (optest_restart (*state), 0);
    pass (*state, 2 * hour_ms);
    pass (*state, 0);
    assert_int_equal (log_get (*state, waiting.id), E_NOT_FOUND);
    assert_int_equal (metric (*state, "held_rows", "messages"), 0);
    assert_int_equal (rows_of (*state, "recipient"), 0);
}

static int recipient_keep (void *context, const void *row)
{
    *(messaging_recipient_t *) context = *(const messaging_recipient_t *) row;
    return 0;
}

static int aliases_add (turn_t *t, void *context)
{
    static const char *const ids[] = {"part-1", "part-2", "part-3"};
    messaging_recipient_t recipient = {0};
    store_key_t key = {.id = *(const id16_t *) context};
    store_page_t page = {.index = "by_message", .keys = &key, .key_count = 1, .limit = 1};
    int code = store_list (t->txn, &messaging_recipient_record, &page, t->arena, recipient_keep,
                           &recipient, NULL);
    return code ? code : provider_ids_note (t, &recipient, ids, 3);
}

static void test_further_ids_go_along (void **state)
{
    id16_t id = delivered (*state, "+15551234501");
    assert_int_equal (optest_run (*state, aliases_add, &id), 0);
    assert_int_equal (rows_of (*state, "provider_alias"), 3);
    pass (*state, 11 * hour_ms);
    assert_int_equal (rows_of (*state, "provider_alias"), 0);
    assert_int_equal (rows_of (*state, "provider_alias/by_recipient"), 0);
    assert_int_equal (rows_of (*state, "provider_alias/by_provider_id"), 0);
}

/* ---- what names a message that is gone ---- */

static id16_t person_writes (optest_t *test, const char *provider_id, const messaging_body_t *body,
                             int32_t kind)
{
    provider_event_t event = world_hi (provider_id, false);
    event.kind = kind;
    event.body = body;
    messaging_message_received_t told = {0};
    world_inbound (test, ACCOUNTS_CARRIER_LOOPBACK, &event);
    assert_true (world_last (test, &messaging_message_received_event, &told));
    return told.message->id;
}

static void test_references_to_what_is_gone (void **state)
{
    id16_t gone = person_writes (*state, "w-1", NULL, MESSAGING_KIND_TEXT);
    id16_t sms = delivered (*state, "+15551234501");
    pass (*state, 11 * hour_ms);
    assert_int_equal (rows_of (*state, "message"), 0);
    /* a quote or a reaction of ours names it: refused, as any message that is not there */
    failure_t failure = {0};
    messaging_whatsapp_send_out_t out = {0};
    messaging_whatsapp_send_in_t in = {.kind = MESSAGING_KIND_TEXT, .text = "x", .reply_to = gone};
    assert_int_equal (world_whatsapp (*state, world_caller (), &in, &out, &failure), E_NOT_FOUND);
    assert_string_equal (failure.field, "reply_to");
    /* one of theirs is told without our id */
    const messaging_context_content_t context = {.provider_id = "w-1"};
    const messaging_reaction_content_t reaction = {.provider_id = "w-1", .emoji = "+"};
    const messaging_body_t quoting = {.context = &context}, reacting = {.reaction = &reaction};
    messaging_message_received_t told = {0};
    person_writes (*state, "w-2", &quoting, MESSAGING_KIND_TEXT);
    assert_true (world_last (*state, &messaging_message_received_event, &told));
    assert_true (id_is_nil (told.message->context->message));
    person_writes (*state, "w-3", &reacting, MESSAGING_KIND_REACTION);
    assert_true (world_last (*state, &messaging_message_received_event, &told));
    assert_true (id_is_nil (told.message->reaction->message));
    /* pages of the log go on from its place */
    envelope_t header = {.org = world_org, .principal = PRINCIPAL_ADMIN_KEY};
    messaging_log_page_in_t page = {.channel = ACCOUNTS_CHANNEL_SMS, .cursor = sms};
    messaging_log_page_out_t shown = {0};
    assert_int_equal (optest_ask (*state, "log_page", &header, &page, &shown, &failure), 0);
    assert_int_equal (shown.messages.count, 0);
    assert_true (id_is_nil (shown.next));
    /* marking it read finds nothing */
    messaging_message_ref_t ref = {.message = gone};
    messaging_success_t success = {0};
    header = world_caller ();
    assert_int_equal (optest_ask (*state, "message_read", &header, &ref, &success, NULL),
                      E_NOT_FOUND);
}

static void test_a_late_receipt_is_parked_and_dropped (void **state)
{
    messaging_sms_send_out_t out = {0};
    assert_int_equal (world_sms (*state, "+99930004", "x", &out, NULL), 0);
    outward_t *send = optest_job (*state); /* its receipt comes before its answer */
    assert_non_null (send);
    assert_int_equal (optest_advance (*state, 1000), 0);
    assert_int_equal (rows_of (*state, "parked_receipt"), 1);
    pass (*state, 2 * hour_ms);
    assert_int_equal (rows_of (*state, "parked_receipt"), 0);
    assert_int_equal (metric (*state, "swept_rows_total", "receipts"), 1);
    assert_int_equal (rows_of (*state, "callback"), 1);
    pass (*state, 9 * hour_ms);
    assert_int_equal (rows_of (*state, "callback"), 0);
    outcome_t outcome = {.stage = FETCH_ANSWERED, .body = send->out.body};
    assert_int_equal (optest_job_done (*state, send, &outcome), 0);
    assert_string_equal (world_story (*state), "accepted sent ");
}

/* ---- windows, media, the runtime's own ---- */

static void test_windows_go_when_they_are_over (void **state)
{
    person_writes (*state, "w-1", NULL, MESSAGING_KIND_TEXT);
    assert_int_equal (rows_of (*state, "window"), 1);
    pass (*state, 20 * hour_ms);
    person_writes (*state, "w-2", NULL, MESSAGING_KIND_TEXT); /* renews it */
    pass (*state, 20 * hour_ms);
    assert_int_equal (rows_of (*state, "window"), 1);
    assert_int_equal (metric (*state, "held_rows", "windows"), 1);
    pass (*state, 5 * hour_ms);
    pass (*state, 0);
    assert_int_equal (rows_of (*state, "window"), 0);
    assert_int_equal (rows_of (*state, "window/by_pair"), 0);
}

static void test_files_and_the_runtimes_kinds_show_in_the_metrics (void **state)
{
    world_file (*state, world_app, MESSAGING_KIND_IMAGE);
    delivered (*state, "+15551234501");
    envelope_t keyed = world_caller ();
    keyed.idem = (idempotency_t){
        .dialect = "chirp", .scope = world_org, .route = "POST /v1/sms", .key = "k"};
    const char *to[] = {"+15551234502"};
    messaging_sms_send_in_t in = {.from = WORLD_SMS, .to = {to, 1}, .text = "x"};
    messaging_sms_send_out_t out = {0};
    assert_int_equal (optest_ask (*state, "sms_send", &keyed, &in, &out, NULL), 0);
    world_run_out (*state);
    assert_in_range (metric (*state, "oldest_row_seconds", "idempotency"), 1, 3600);
    assert_in_range (metric (*state, "oldest_row_seconds", "journal"), 1, 3600);
    pass (*state, 25 * hour_ms);
    assert_int_equal (metric (*state, "swept_rows_total", "media"), 1);
    pass (*state, 25 * hour_ms);
    assert_int_equal (metric (*state, "swept_rows_total", "idempotency"), 1);
    assert_int_equal (metric (*state, "oldest_row_seconds", "idempotency"), 0);
    assert_int_equal (metric (*state, "swept_rows_total", "journal"), 0);
    pass (*state, 7 * 24 * hour_ms);
    assert_true (metric (*state, "swept_rows_total", "journal") >= 3);
    assert_int_equal (metric (*state, "swept_rows_total", "parked"), 0);
}

/* ---- a fault in the middle ---- */

/* The n-th write of the turn that sweeps fails, for many n: what is left is whole, and goes with the next. */
static void test_a_failed_write_leaves_nothing_half (void **state)
{
    unsigned hit = 0;
    for (unsigned nth = 1; nth <= 36; nth += 3) {
        delivered (*state, "+15551234501");
        delivered (*state, "+15551234502");
        store_fail_write (optest_store (*state), nth);
        int code = optest_advance (*state, 11 * hour_ms);
        store_fail_write (optest_store (*state), 0);
        assert_true (code == 0 || code == E_IO); /* the handler's write, or one of the commit */
        int64_t left = rows_of (*state, "message");
        hit += left > 0;
        assert_int_equal (rows_of (*state, "recipient"), left);
        assert_int_equal (rows_of (*state, "recipient/by_provider_id"), left);
        assert_int_equal (log_total (*state), left);
        pass (*state, 1000);
        assert_int_equal (rows_of (*state, "message"), 0);
        assert_int_equal (rows_of (*state, "callback"), 0);
    }
    assert_true (hit > 3);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_old_messages_go_and_young_stay, setup,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_zero_keeps_for_ever, setup_for_ever, world_teardown),
        cmocka_unit_test_setup_teardown (test_nothing_is_younger_than_parked_receipts,
                                         setup_parking, world_teardown),
        cmocka_unit_test_setup_teardown (test_what_is_under_way_is_held, setup, world_teardown),
        cmocka_unit_test_setup_teardown (test_further_ids_go_along, setup, world_teardown),
        cmocka_unit_test_setup_teardown (test_references_to_what_is_gone, setup, world_teardown),
        cmocka_unit_test_setup_teardown (test_a_late_receipt_is_parked_and_dropped, setup,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_windows_go_when_they_are_over, setup, world_teardown),
        cmocka_unit_test_setup_teardown (test_files_and_the_runtimes_kinds_show_in_the_metrics,
                                         setup, world_teardown),
        cmocka_unit_test_setup_teardown (test_a_failed_write_leaves_nothing_half, setup,
                                         world_teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
