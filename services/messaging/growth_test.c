/* growth_test.c - a house that keeps messages for a short time ends with a store file that does not grow any more: sent, delivered and told through the handlers, the
 * clock moved on between. 6,000 messages; with AVIARY_LONG=1 200,000. */
#include "messaging_world.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum {
    ROUNDS = 24,
    STEADY = 12,
    PAGES = 128 << 10 /* room for a few pages more or less */,
    BATCH = 120,
    SHORT = 6000,
    LONG = 200000
};
static const int64_t hour_ms = 3600 * INT64_C (1000);

static int setup (void **state)
{
    static const char *const flags[] = {"--message-retention=6h", "--callback-retention=6h",
                                        "--receipt-parking=1h", "--journal-retention=6h", NULL};
    return world_setup_with (state, flags);
}

/* ---- what a day's work is ---- */

typedef struct batch {
    unsigned first;
    unsigned count;
} batch_t;

static int batch_send (turn_t *t, void *context)
{
    const batch_t *batch = context;
    envelope_t header = world_caller ();
    int code = 0;
    t->ask = &header;
    for (unsigned i = 0; i < batch->count && code == 0; i++) {
        const char *to[] = {arena_printf (t->arena, "+1555%07u", batch->first + i)};
        messaging_sms_send_in_t in = {
            .from = WORLD_SMS, .to = {to, 1}, .text = "Your table is ready at eight."};
        messaging_sms_send_out_t out = {0};
        code = messaging_sms_send (t, &in, &out);
    }
    return code;
}

/* Until the carrier has nothing left to say. */
static void deliver (optest_t *test)
{
    size_t count, quiet = 0;
    for (int i = 0; i < 100 && quiet < 2; i++) {
        assert_int_equal (optest_jobs_all (test, 200, &count), 0);
        assert_int_equal (optest_advance (test, 1), 0);
        quiet = count ? 0 : quiet + 1;
    }
    assert_int_equal (quiet, 2);
}

static void round_run (optest_t *test, unsigned round, unsigned messages)
{
    for (unsigned sent = 0; sent < messages; sent += BATCH) {
        batch_t batch = {.first = round * messages + sent,
                         .count = messages - sent < BATCH ? messages - sent : BATCH};
        assert_int_equal (optest_run (test, batch_send, &batch), 0);
        deliver (test);
    }
}

static uint64_t file_bytes (optest_t *test)
{
    uint64_t left = 0, used = 0;
    assert_int_equal (store_space (optest_store (test), &left, &used), 0);
    return used;
}

static int64_t rows_of (optest_t *test, const char *table)
{
    common_storage_out_t out = {0};
    assert_int_equal (optest_ask (test, "storage", NULL, &(common_storage_in_t){0}, &out, NULL), 0);
    const common_table_bytes_t *tables = out.tables.items;
    for (size_t i = 0; i < out.tables.count; i++)
        if (strcmp (tables[i].name, table) == 0)
            return tables[i].rows;
    fail_msg ("there is no table %s", table);
    return 0;
}

static int64_t log_total (optest_t *test)
{
    envelope_t header = {.org = world_org, .principal = PRINCIPAL_ADMIN_KEY};
    messaging_log_page_in_t in = {.channel = ACCOUNTS_CHANNEL_SMS, .limit = 1};
    messaging_log_page_out_t out = {0};
    assert_int_equal (optest_ask (test, "log_page", &header, &in, &out, NULL), 0);
    return out.total;
}

static void test_a_store_with_short_retention_stops_growing (void **state)
{
    const char *longer = getenv ("AVIARY_LONG");
    bool is_long = longer && *longer;
    unsigned each = (unsigned) (is_long ? LONG : SHORT) / ROUNDS;
    uint64_t first = 0, steady = 0, last = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        round_run (*state, round, each);
        assert_int_equal (optest_advance (*state, hour_ms), 0);
        for (int i = 0; i < 60; i++) /* the sweeper's minute */
            assert_int_equal (optest_advance (*state, 1000), 0);
        last = file_bytes (*state);
        first = round == 1 ? last : first;
        steady = round == STEADY ? last : steady;
        if (is_long)
            printf ("round %u: %llu bytes, %lld messages\n", round, (unsigned long long) last,
                    (long long) rows_of (*state, "messaging.message"));
    }
    assert_true (steady > first + 2 * PAGES); /* it did grow while there was nothing to sweep */
    assert_in_range (last, steady, steady + steady / 50 + PAGES);
    int64_t kept = rows_of (*state, "messaging.message");
    assert_in_range (kept, each, 7 * each);
    assert_int_equal (rows_of (*state, "messaging.recipient"), kept);
    assert_int_equal (rows_of (*state, "messaging.recipient/by_message"), kept);
    assert_int_equal (log_total (*state), kept);
    assert_in_range (rows_of (*state, "messaging.callback"), each, 7 * each);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_a_store_with_short_retention_stops_growing, setup,
                                         world_teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
