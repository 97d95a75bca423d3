/* retention_test.c - deliveries and payloads go when their time is over; a store that keeps them for a short time stops growing. */
#include "webhooks_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROUNDS = 24,
    STEADY = 12,
    PAGES = 128 << 10 /* room for a few pages more or less */,
    SHORT = 4800,
    LONG = 200000
};
static const int64_t hour_ms = 3600 * INT64_C (1000);

static int setup (void **state)
{
    static const char *const flags[] = {"--schedule=1h", "--delivery-retention=6h", NULL};
    *state = world_new (flags);
    return 0;
}

static int teardown (void **state)
{
    optest_t *test = *state;
    optest_destroy (&test);
    return 0;
}

static id16_t webhook_make (optest_t *test)
{
    const char *events[] = {"messages.sms.sent"};
    webhooks_create_in_t in = {.url = "http://127.0.0.1:9/hook", .events = {events, 1}};
    webhooks_webhook_t out = {0};
    envelope_t header = world_by_app (world_app);
    assert_int_equal (optest_ask (test, "create", &header, &in, &out, NULL), 0);
    return out.id;
}

/* An SMS was sent: its n-th. */
static id16_t tell (optest_t *test, unsigned n)
{
    id16_t message = {
        {1, 0x9a, (uint8_t) (n >> 16), (uint8_t) (n >> 8), (uint8_t) n, 0, 0x70, 0, 0x80}};
    assert_int_equal (world_sms_tell (test, message, MESSAGING_STATUS_SENT), 0);
    return message;
}

static void answer_all (optest_t *test, int status)
{
    size_t count = 0;
    assert_int_equal (optest_jobs_all (test, status, &count), 0);
    assert_true (count > 0);
}

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

static bool metrics_have (optest_t *test, const char *line)
{
    common_metrics_out_t out = {0};
    assert_int_equal (optest_ask (test, "metrics", NULL, &(common_metrics_in_t){0}, &out, NULL), 0);
    return strstr (out.text, line) != NULL;
}

static webhooks_deliveries_list_out_t deliveries (optest_t *test)
{
    webhooks_deliveries_list_out_t out = {0};
    assert_int_equal (
        optest_ask (test, "deliveries_list", NULL, &(webhooks_deliveries_list_in_t){0}, &out, NULL),
        0);
    return out;
}

static size_t explained (optest_t *test, id16_t id)
{
    common_explain_out_t out = {0};
    assert_int_equal (
        optest_ask (test, "explain", NULL, &(common_explain_in_t){.id = id}, &out, NULL), 0);
    return out.lines.count;
}

static void test_old_deliveries_go_with_their_payloads (void **state)
{
    id16_t hook = webhook_make (*state);
    webhook_make (*state);
    id16_t old = tell (*state, 1);
    answer_all (*state, 200);
    pass (*state, 5 * hour_ms);
    id16_t young = tell (*state, 2);
    answer_all (*state, 200);
    assert_int_equal (rows_of (*state, "payload"), 2);
    id16_t oldest = ((const webhooks_delivery_info_t *) deliveries (*state).deliveries.items)[3].id;
    pass (*state, 2 * hour_ms);
    assert_int_equal (rows_of (*state, "delivery"), 2);
    assert_int_equal (rows_of (*state, "payload"), 1);
    assert_int_equal (rows_of (*state, "delivery/by_payload"), 2);
    assert_int_equal (explained (*state, old), 0);
    assert_true (explained (*state, young) > 0);
    assert_true (metrics_have (
        *state, "aviary_webhooks_swept_rows_total{kind=\"deliveries\",replica=\"0\"} 2\n"));
    assert_int_equal (optest_ask (*state, "delivery_show", NULL,
                                  &(webhooks_delivery_show_in_t){.id = oldest}, NULL, NULL),
                      E_NOT_FOUND);
    failure_t failure = {0};
    webhooks_deliveries_list_in_t page = {.webhook = hook, .after = oldest};
    assert_int_equal (optest_ask (*state, "deliveries_list", NULL, &page, NULL, &failure),
                      E_NOT_FOUND);
    assert_string_equal (failure.field, "after");
}

/* Between two tries it is held; it goes when it is dead. */
static void test_what_is_under_way_is_held (void **state)
{
    webhook_make (*state);
    tell (*state, 1);
    outward_t *begun = optest_job (*state);
    assert_non_null (begun);
    pass (*state, 7 * hour_ms);
    assert_int_equal (rows_of (*state, "delivery"), 1);
    assert_true (
        metrics_have (*state, "aviary_webhooks_held_rows{kind=\"deliveries\",replica=\"0\"} 1\n"));
    assert_int_equal (optest_job_answered (*state, begun, 500, "no"), 0);
    pass (*state, hour_ms);
    answer_all (*state, 500);
    pass (*state, hour_ms);
    pass (*state, 0);
    assert_int_equal (rows_of (*state, "delivery"), 0);
    assert_int_equal (rows_of (*state, "payload"), 0);
}

/* Its webhook was deleted, and its job with it: nobody would end it. */
static void test_the_rest_of_a_deleted_webhook_goes (void **state)
{
    id16_t hook = webhook_make (*state);
    tell (*state, 1);
    answer_all (*state, 500);
    envelope_t header = world_by_app (world_app);
    assert_int_equal (optest_ask (*state, "delete", &header, &(webhooks_delete_in_t){.id = hook},
                                  &(webhooks_delete_out_t){0}, NULL),
                      0);
    assert_int_equal (rows_of (*state, "delivery"), 1);
    pass (*state, 7 * hour_ms);
    assert_int_equal (rows_of (*state, "delivery"), 0);
    assert_int_equal (rows_of (*state, "payload"), 0);
}

static void test_a_replay_keeps_the_payload (void **state)
{
    webhook_make (*state);
    tell (*state, 1);
    answer_all (*state, 200);
    pass (*state, 5 * hour_ms);
    id16_t first = ((const webhooks_delivery_info_t *) deliveries (*state).deliveries.items)->id;
    assert_int_equal (optest_ask (*state, "delivery_replay", NULL,
                                  &(webhooks_delivery_replay_in_t){.id = first}, NULL, NULL),
                      0);
    answer_all (*state, 200);
    pass (*state, 3 * hour_ms);
    assert_int_equal (rows_of (*state, "delivery"), 1);
    assert_int_equal (rows_of (*state, "payload"), 1);
    id16_t again = ((const webhooks_delivery_info_t *) deliveries (*state).deliveries.items)->id;
    assert_int_equal (optest_ask (*state, "delivery_replay", NULL,
                                  &(webhooks_delivery_replay_in_t){.id = again}, NULL, NULL),
                      0);
    answer_all (*state, 200);
    pass (*state, 7 * hour_ms);
    assert_int_equal (rows_of (*state, "delivery"), 0);
    assert_int_equal (rows_of (*state, "payload"), 0);
}

static int orphan_make (turn_t *t, void *context)
{
    (void) context;
    webhooks_payload_t row = {
        .id = turn_id (t), .event_id = "evt", .name = "messages.sms.sent", .at = t->now};
    return store_insert (t->txn, &webhooks_payload_record, &row, NULL);
}

static void test_a_payload_that_nobody_wanted_goes (void **state)
{
    assert_int_equal (optest_run (*state, orphan_make, NULL), 0);
    pass (*state, 29 * hour_ms);
    assert_int_equal (rows_of (*state, "payload"), 1);
    pass (*state, 2 * hour_ms);
    assert_int_equal (rows_of (*state, "payload"), 0);
}

/* ---- the size of the file ---- */

static void test_a_store_with_short_retention_stops_growing (void **state)
{
    const char *longer = getenv ("AVIARY_LONG");
    unsigned each = (unsigned) (longer && *longer ? LONG : SHORT) / ROUNDS, n = 0;
    uint64_t first = 0, steady = 0, last = 0, left = 0;
    webhook_make (*state);
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < each; i++) {
            tell (*state, n++);
            if (i % 20 == 19 || i + 1 == each)
                answer_all (*state, 200);
        }
        assert_int_equal (optest_advance (*state, hour_ms), 0);
        for (int i = 0; i < 60; i++)
            assert_int_equal (optest_advance (*state, 1000), 0);
        assert_int_equal (store_space (optest_store (*state), &left, &last), 0);
        first = round == 1 ? last : first;
        steady = round == STEADY ? last : steady;
    }
    assert_true (steady > first + 2 * PAGES); /* it did grow while there was nothing to sweep */
    assert_in_range (last, steady, steady + steady / 50 + PAGES);
    int64_t kept = rows_of (*state, "delivery");
    assert_in_range (kept, each, 7 * each);
    assert_int_equal (rows_of (*state, "payload"), kept);
    assert_int_equal (rows_of (*state, "delivery/by_subject"), kept);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_old_deliveries_go_with_their_payloads, setup,
                                         teardown),
        cmocka_unit_test_setup_teardown (test_what_is_under_way_is_held, setup, teardown),
        cmocka_unit_test_setup_teardown (test_the_rest_of_a_deleted_webhook_goes, setup, teardown),
        cmocka_unit_test_setup_teardown (test_a_replay_keeps_the_payload, setup, teardown),
        cmocka_unit_test_setup_teardown (test_a_payload_that_nobody_wanted_goes, setup, teardown),
        cmocka_unit_test_setup_teardown (test_a_store_with_short_retention_stops_growing, setup,
                                         teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
