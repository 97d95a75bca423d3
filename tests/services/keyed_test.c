/* keyed_test.c - records of idempotency keys on the test services: found by the next process, forgotten after a day, not lost by what rolls back, read in their older form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "svc/inner.h"
#include "svc/optest.h"
#include "tally.h"
#undef fail

enum { HOUR = 3600000, KEYS = 40 };

/* Adds one under a key; whether that was a replay. Fails with what the op fails with. */
static int count_in (optest_t *test, const char *key, bool *replayed)
{
    envelope_t header = {
        .request_id = "r",
        .idem = {.dialect = "test", .route = "POST /x", .key = key, .request_id = "r"}};
    tally_incr_out_t out;
    int code = optest_ask (test, "incr", &header, &(tally_incr_in_t){.name = "a"}, &out, NULL);
    *replayed = !code && optest_replayed (optest_last (test), NULL);
    return code;
}

static void counts (optest_t *test, const char *key)
{
    bool replayed;
    assert_int_equal (count_in (test, key, &replayed), 0);
    assert_false (replayed);
}

static void replays (optest_t *test, const char *key)
{
    bool replayed;
    assert_int_equal (count_in (test, key, &replayed), 0);
    assert_true (replayed);
}

static const char *nth_key (unsigned n)
{
    static char text[16];
    snprintf (text, sizeof text, "k%u", n);
    return text;
}

static uint64_t rows_of (optest_t *test, const char *table)
{
    txn_t *txn;
    uint64_t count = 0;
    assert_int_equal (txn_begin (optest_store (test), TXN_READ, &txn), 0);
    assert_int_equal (kv_count (txn, store_table (optest_store (test), table), &count), 0);
    txn_abort (&txn);
    return count;
}

static size_t hints_of (optest_t *test)
{
    return optest_svc (test)->writer.keyed.hints.count;
}

/* ---- the next process ---- */

/* Turns of several keys, some of which fail and keep nothing, some of which keep their failure. */
static void test_a_start_finds_all (void **state)
{
    (void) state;
    optest_t *test = optest_new (&tally);
    optest_put_t *puts[KEYS];
    static char names[KEYS][16];
    static envelope_t headers[KEYS];
    for (unsigned i = 0; i < KEYS; i++) {
        snprintf (names[i], sizeof names[i], "%s", nth_key (i));
        headers[i] = (envelope_t){.idem = {.dialect = "test", .route = "POST /x", .key = names[i]}};
        tally_fail_after_write_in_t refused = {.name = "b", .memory = i % 5 == 2};
        puts[i] = i % 5 == 1 || i % 5 == 2
                      ? optest_put (test, "fail_after_write", &headers[i], &refused)
                      : optest_put (test, "incr", &headers[i], &(tally_incr_in_t){.name = "a"});
        if (i % 8 == 7)
            assert_int_equal (optest_turn (test), 0);
    }
    for (unsigned i = 0; i < KEYS; i++)
        assert_int_equal (optest_take (test, puts[i], NULL, NULL), i % 5 == 1   ? E_CONFLICT
                                                                   : i % 5 == 2 ? E_NO_MEMORY
                                                                                : 0);
    assert_int_equal (rows_of (test, "svc.keyed"), KEYS / 5 * 4);
    assert_int_equal (rows_of (test, "svc.keyed_turns"), KEYS / 8);
    for (unsigned again = 0; again < 2; again++) {
        assert_int_equal (hints_of (test), KEYS / 5 * 4);
        for (unsigned i = 0; i < KEYS; i++) {
            bool replayed;
            int code = i % 5 == 2 ? 0 : count_in (test, nth_key (i), &replayed);
            assert_int_equal (code, i % 5 == 1 ? E_CONFLICT : 0);
            assert_true (i % 5 == 1 || i % 5 == 2 || replayed);
        }
        assert_int_equal (optest_restart (test), 0);
    }
    counts (test, "k2"); /* what failed by our fault kept nothing */
    replays (test, "k2");
    optest_destroy (&test);
}

static void test_a_lost_turn_leaves_nothing (void **state)
{
    (void) state;
    optest_t *test = optest_new (&tally);
    bool replayed;
    counts (test, "before");
    store_fail_commit (optest_store (test), true);
    assert_int_equal (count_in (test, "lost", &replayed), E_IO);
    assert_int_equal (hints_of (test), 1);
    assert_int_equal (optest_restart (test), 0);
    counts (test, "lost");
    replays (test, "before");
    optest_destroy (&test);
}

/* ---- forgetting ---- */

static void test_a_day (void **state)
{
    (void) state;
    optest_t *test = optest_new (&tally);
    for (unsigned i = 0; i < KEYS; i++)
        counts (test, nth_key (i));
    assert_int_equal (optest_advance (test, 12 * HOUR), 0);
    counts (test, "noon");
    optest_clock (test, -HOUR); /* the clock steps back: nobody is forgotten early */
    assert_int_equal (optest_advance (test, 11 * HOUR), 0);
    replays (test, nth_key (0));
    assert_int_equal (optest_advance (test, 3 * HOUR), 0);
    assert_int_equal (rows_of (test, "svc.keyed"), 1);
    assert_int_equal (rows_of (test, "svc.keyed_turns"), 1);
    assert_int_equal (hints_of (test), 1);
    replays (test, "noon");
    counts (test, nth_key (0));
    replays (test, nth_key (0));
    assert_int_equal (optest_advance (test, 25 * HOUR), 0);
    assert_int_equal (rows_of (test, "svc.keyed") + rows_of (test, "svc.keyed_turns"), 0);
    assert_int_equal (hints_of (test), 0);
    counts (test, "noon");
    optest_destroy (&test);
}

/* The sweeper's n-th write fails: what it had not forgotten is found, and goes later. */
static void test_forgetting_that_fails (void **state)
{
    (void) state;
    optest_t *test = optest_new (&tally);
    unsigned failed = 0;
    for (unsigned nth = 1; nth <= 12; nth++) {
        assert_int_equal (optest_empty (test), 0);
        for (unsigned i = 0; i < 4; i++)
            counts (test, nth_key (i));
        optest_clock (test, 24 * HOUR + 1);
        store_fail_write (optest_store (test), nth);
        int code = optest_advance (test, 0);
        failed += store_fail_write (optest_store (test), 0) == 0;
        if (code)
            assert_int_equal (optest_restart (test), 0);
        assert_int_equal (hints_of (test), rows_of (test, "svc.keyed"));
        assert_int_equal (optest_advance (test, 60000), 0);
        assert_int_equal (rows_of (test, "svc.keyed") + hints_of (test), 0);
    }
    assert_true (failed > 4);
    optest_destroy (&test);
}

/* ---- as they lay before ---- */

static int make_old (turn_t *t, void *context)
{
    optest_t *test = context;
    table_t *rows = store_table (optest_store (test), "svc.keyed"),
            *old = store_table (optest_store (test), "svc.idem_a");
    kv_cursor_t walk = {.table = rows};
    bytes_t key, value;
    int rc;
    while (!(rc = kv_next (t->txn, &walk, &key, &value))) {
        const uint8_t *copy = arena_memdup (t->arena, value.data, value.size);
        rc = kv_put (t->txn, old, bytes_of (copy, 32), bytes_of (copy + 32, value.size - 32));
        if (rc)
            break;
    }
    kv_stop (&walk);
    if (rc == E_NOT_FOUND)
        rc = kv_clear (t->txn, rows);
    return rc ? rc : kv_clear (t->txn, store_table (optest_store (test), "svc.keyed_turns"));
}

static void test_records_of_before (void **state)
{
    (void) state;
    optest_t *test = optest_new (&tally);
    counts (test, "old");
    assert_int_equal (optest_run (test, make_old, test), 0);
    assert_int_equal (optest_restart (test), 0);
    assert_int_equal (rows_of (test, "svc.idem_a"), 1);
    assert_int_equal (hints_of (test), 0);
    replays (test, "old");
    counts (test, "new");
    replays (test, "new");
    for (int day = 0; day < 3; day++)
        assert_int_equal (optest_advance (test, 25 * HOUR), 0);
    assert_int_equal (rows_of (test, "svc.idem_a") + rows_of (test, "svc.idem_b"), 0);
    assert_false (optest_svc (test)->writer.keyed.has_before);
    counts (test, "old");
    replays (test, "old");
    optest_destroy (&test);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_a_start_finds_all),
        cmocka_unit_test (test_a_lost_turn_leaves_nothing),
        cmocka_unit_test (test_a_day),
        cmocka_unit_test (test_forgetting_that_fails),
        cmocka_unit_test (test_records_of_before),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
