/* again_test.c - turns that are run again after a conflict of the store: whoever asked, followed, waited or carried a job does not notice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mirror.h"
#include "store/memory.h"
#include "svc/again.h"
#include "svc/optest.h"
#include "tally.h"

enum { MANY = 3, TOO_MANY = 1000 };

static void conflicts (optest_t *test, unsigned count)
{
    memory_conflicts (optest_store (test), count);
}

static uint64_t run_again (optest_t *test)
{
    return atomic_load (&optest_svc (test)->metrics.again);
}

static uint64_t waiting (optest_t *test)
{
    return atomic_load (&optest_svc (test)->metrics.parked_waiting);
}

static int64_t total_of (optest_t *test, const char *name)
{
    tally_total_out_t out = {0};
    assert_int_equal (
        optest_ask (test, "total", NULL, &(tally_total_in_t){.name = name}, &out, NULL), 0);
    return out.total;
}

static int64_t mirrored (optest_t *test, const char *name)
{
    mirror_total_out_t out = {0};
    assert_int_equal (
        optest_ask (test, "total", NULL, &(mirror_total_in_t){.name = name}, &out, NULL), 0);
    return out.total;
}

/* ---- asks ---- */

static void test_asks (void **state)
{
    (void) state;
    optest_t *test = optest_new (&tally);
    uint64_t before = run_again (test);
    conflicts (test, MANY);
    optest_put_t *puts[3] = {
        optest_put (test, "incr", NULL, &(tally_incr_in_t){.name = "a"}),
        optest_put (test, "fail_after_write", NULL, &(tally_fail_after_write_in_t){.name = "b"}),
        optest_put (test, "fail_after_write", NULL,
                    &(tally_fail_after_write_in_t){.name = "c", .memory = true})};
    tally_incr_out_t out = {0};
    failure_t failure = {0};
    assert_int_equal (optest_turn (test), 0);
    assert_int_equal (optest_take (test, puts[0], &out, NULL), 0);
    assert_int_equal (out.total, 1);
    assert_int_equal (optest_take (test, puts[1], NULL, &failure), E_CONFLICT);
    assert_string_equal (failure.field, "name");
    assert_int_equal (optest_take (test, puts[2], NULL, NULL), E_NO_MEMORY);
    assert_true (run_again (test) >= before + MANY);
    assert_int_equal (total_of (test, "a"), 1);
    const common_event_t *events;
    assert_int_equal (optest_events (test, 0, &events), 1);
    assert_int_equal (events[0].sequence, 1);
    assert_int_equal (
        atomic_load (&optest_svc (test)->metrics.counters[TALLY_COUNTER_COUNTED_TOTAL]), 1);
    optest_destroy (&test);
}

/* A request that takes most of its memory has all of it in each try. */
static void test_memory (void **state)
{
    (void) state;
    optest_t *test = optest_new (&tally);
    char *name = arena_alloc (optest_arena (test), 61);
    memset (name, 'x', 60);
    optest_put_t *put = optest_put (test, "incr", NULL, &(tally_incr_in_t){.name = name});
    size_t least = SIZE_MAX, most = 0;
    for (unsigned n = 0; n < 2; n++) {
        conflicts (test, n * MANY);
        if (n)
            put = optest_put (test, "incr", NULL, &(tally_incr_in_t){.name = name});
        assert_int_equal (optest_turn (test), 0);
        assert_int_equal (optest_take (test, put, NULL, NULL), 0);
        size_t peak = atomic_load (&optest_svc (test)->metrics.arena_peak);
        least = peak < least ? peak : least;
        most = peak > most ? peak : most;
    }
    assert_in_range (most, least, least + 256);
    optest_destroy (&test);
}

/* ---- waiting, jobs ---- */

static void test_parked_and_resumed (void **state)
{
    (void) state;
    optest_t *test = optest_new (&mirror);
    mirror_slow_out_t out = {0};
    mirror_slow_in_t in = {.name = "a", .wait_ms = 10};
    conflicts (test, MANY);
    assert_int_equal (optest_ask (test, "slow", NULL, &in, &out, NULL), E_PARKED);
    optest_put_t *put = optest_last (test);
    assert_int_equal (waiting (test), 1);
    outward_t *job = optest_job (test);
    assert_non_null (job);
    assert_null (optest_job (test)); /* it went out once */
    conflicts (test, MANY);
    assert_int_equal (optest_job_answered (test, job, 0, ""), 0);
    assert_int_equal (optest_take (test, put, &out, NULL), 0);
    assert_int_equal (out.slow, 1);
    assert_int_equal (waiting (test), 0);
    assert_int_equal (mirrored (test, "slow"), 1);
    optest_destroy (&test);
}

static void test_job_that_fails_in_the_end (void **state)
{
    (void) state;
    optest_t *test = optest_new (&mirror);
    svc_t *svc = optest_svc (test);
    mirror_slow_in_t in = {.name = "stuck", .wait_ms = 10};
    assert_int_equal (optest_ask (test, "slow", NULL, &in, NULL, NULL), E_PARKED);
    conflicts (test, MANY);
    assert_int_equal (optest_job_answered (test, optest_job (test), 0, ""), 0);
    for (int i = 1; i < 5; i++) { /* five failures, each counted once */
        assert_int_equal (lanes_quarantined (svc->writer.lanes), 0);
        conflicts (test, MANY);
        assert_int_equal (optest_advance (test, 1001), 0);
    }
    assert_int_equal (lanes_quarantined (svc->writer.lanes), 1);
    optest_destroy (&test);
}

/* ---- following ---- */

/* What the follower asks tally for is answered with one event, or with the end of the snapshot. */
static void tally_tells (optest_t *test, uint64_t sequence, const char *name)
{
    svc_t *svc = optest_svc (test);
    buf_t body = {0}, event = {0};
    uint8_t cursor[CURSOR_SIZE];
    follow_tick (svc, INT64_MAX / 2);
    svc_ask_t *ask = (svc_ask_t *) (void *) queue_take (svc->asks, 0);
    assert_non_null (ask);
    assert_null (ask->item.next);
    bool snapshot = strstr (ask->header.target, "snapshot") != NULL;
    assert_int_equal (snapshot, sequence == 0);
    cursor_write (&(cursor_t){.sequence = sequence}, cursor);
    tally_counted_t told = {.name = name, .add = 1, .total = (int64_t) sequence};
    schema_pack (&tally_counted_type, &told, &event);
    common_event_t e = {.sequence = (int64_t) sequence,
                        .number = tally_counted_event.number,
                        .id = {{(uint8_t) sequence}},
                        .record = {{1}},
                        .version = (int64_t) sequence,
                        .body = buf_bytes (&event)};
    if (snapshot)
        schema_pack (&common_snapshot_read_out_type,
                     &(common_snapshot_read_out_t){.journal = bytes_of (cursor, sizeof cursor)},
                     &body);
    else
        schema_pack (&common_journal_read_out_type,
                     &(common_journal_read_out_t){.events = {&e, 1},
                                                  .cursor = bytes_of (cursor, sizeof cursor),
                                                  .head = (int64_t) sequence},
                     &body);
    ask->done (ask->context, &(envelope_t){0}, buf_bytes (&body), NULL);
    buf_free (&event);
    buf_free (&body);
    assert_int_equal (optest_jobs_turn (test), 0);
}

static void test_followed (void **state)
{
    (void) state;
    optest_t *test = optest_new (&mirror);
    svc_t *svc = optest_svc (test);
    atomic_store (&svc->connected, true);
    tally_tells (test, 0, NULL);
    for (unsigned i = 1; i <= 4; i++) {
        conflicts (test, MANY);
        tally_tells (test, i, "a");
        assert_int_equal (mirrored (test, "a"), i);
    }
    for (int i = 1; i <= FOLLOW_TRIES;
         i++) { /* passed over at the third failure, not at the third try */
        assert_int_equal (atomic_load (&svc->metrics.quarantined), 0);
        conflicts (test, MANY);
        tally_tells (test, 5, "poison");
    }
    assert_int_equal (atomic_load (&svc->metrics.quarantined), 1);
    tally_tells (test, 6, "a");
    assert_int_equal (mirrored (test, "a"), 5);
    optest_destroy (&test);
}

/* ---- the runtime's own memory ---- */

typedef struct tries {
    unsigned count;
    id16_t last;
    int64_t now[16];
} tries_t;

static int note_try (turn_t *t, void *context)
{
    tries_t *tries = context;
    unsigned n = tries->count++;
    assert_true (n < 16);
    id16_t id = turn_id (t);
    assert_true (id_compare (id, tries->last) > 0);
    tries->last = id;
    tries->now[n] = t->now;
    return kv_put (t->txn, store_table (t->svc->store, "svc.quarantine"), bytes_of_str ("k"),
                   bytes_of_str ("v"));
}

static void test_time_stands_still (void **state)
{
    (void) state;
    optest_t *test = optest_new (&tally);
    tries_t tries = {0};
    conflicts (test, MANY);
    assert_int_equal (optest_run (test, note_try, &tries), 0);
    assert_true (tries.count > MANY);
    for (unsigned i = 1; i < tries.count; i++)
        assert_int_equal (tries.now[i], tries.now[0]);
    optest_destroy (&test);
}

static uint64_t rows_of (optest_t *test, const char *table)
{
    txn_t *txn;
    uint64_t count = 0;
    store_t *store = optest_store (test);
    assert_int_equal (txn_begin (store, TXN_READ, &txn), 0);
    assert_int_equal (kv_count (txn, store_table (store, table), &count), 0);
    txn_abort (&txn);
    return count;
}

static void test_growth_is_noted (void **state)
{
    (void) state;
    optest_t *test = optest_new (&tally);
    conflicts (test, MANY);
    assert_int_equal (optest_advance (test, 1000), 0);
    assert_int_equal (rows_of (test, "svc.growth"), 1);
    optest_destroy (&test);
}

static void test_step_of_the_clock_is_kept (void **state)
{
    (void) state;
    const int64_t hour = 3600 * INT64_C (1000);
    optest_t *test = optest_new (&tally);
    conflicts (test, MANY);
    assert_int_equal (optest_advance (test, -hour), 0);
    for (int i = 0; i < 2; i++) {
        assert_in_range (optest_svc (test)->writer.steps.lag, hour - 5000, hour + 5000);
        assert_int_equal (optest_restart (test), 0);
    }
    assert_int_equal (optest_advance (test, hour), 0);
    optest_destroy (&test);
}

static void test_sweeps_are_told_once (void **state)
{
    (void) state;
    optest_t *test = optest_new (&mirror);
    svc_t *svc = optest_svc (test);
    mirror_slow_in_t in = {.name = "a", .wait_ms = 10};
    uint64_t swept = 0;
    assert_int_equal (optest_ask (test, "slow", NULL, &in, NULL, NULL), E_PARKED);
    conflicts (test, MANY);
    assert_int_equal (optest_advance (test, 73 * 3600 * INT64_C (1000)), 0);
    assert_int_equal (rows_of (test, "svc.parked"), 0);
    for (size_t i = 0; i < sweep_kinds (svc); i++)
        if (strcmp (sweep_kind (svc, i)->kind, "parked") == 0)
            swept = atomic_load (&svc->metrics.swept[i].rows);
    assert_int_equal (swept, 1);
    optest_destroy (&test);
}

static void test_tables_that_turn (void **state)
{
    (void) state;
    optest_t *test = optest_new (&tally);
    writer_t *w = &optest_svc (test)->writer;
    envelope_t header = {0};
    tally_incr_out_t out;
    assert_int_equal (
        optest_ask (test, "incr", &header, &(tally_incr_in_t){.name = "a"}, &out, NULL), 0);
    unsigned active = w->repeat.active;
    conflicts (test, MANY);
    assert_int_equal (optest_advance (test, REPEAT_MS + 1000), 0);
    assert_int_equal (w->repeat.active, !active); /* once, not once a try */
    assert_int_equal (optest_restart (test), 0);
    assert_int_equal (w->repeat.active, !active); /* and the store knows */
    assert_int_equal (
        optest_ask (test, "incr", &header, &(tally_incr_in_t){.name = "a"}, &out, NULL), 0);
    assert_int_equal (total_of (test, "a"), 1);
    optest_destroy (&test);
}

/* The walk of an erasure under conflicts ends like one without, and tells as many rows. */
static uint64_t erased (unsigned count, int *turns)
{
    optest_t *test = optest_new (&tally);
    svc_t *svc = optest_svc (test);
    id16_t person = {{42}};
    for (int i = 0; i < 20; i++)
        assert_int_equal (
            optest_ask (test, "note", NULL,
                        &(tally_note_in_t){.about = person, .phone = "+4917012345678", .text = "x"},
                        NULL, NULL),
            0);
    assert_int_equal (optest_advance (test, 10), 0); /* later than what is forgotten */
    assert_int_equal (optest_ask (test, "forget", NULL,
                                  &(tally_forget_in_t){.about = person, .phone = "+4917012345678"},
                                  NULL, NULL),
                      0);
    for (*turns = 0; *turns < 60 && rows_of (test, "svc.erase"); (*turns)++) {
        conflicts (test, count);
        assert_int_equal (optest_advance (test, 3000), 0);
    }
    assert_int_equal (rows_of (test, "svc.erase"), 0);
    assert_int_equal (optest_rows_with (test, "4917012345678", NULL), 0);
    uint64_t rows = atomic_load (&svc->metrics.erase_rows);
    optest_destroy (&test);
    return rows;
}

static void test_erasure (void **state)
{
    (void) state;
    int without, with;
    uint64_t rows = erased (0, &without);
    assert_true (rows > 0);
    assert_int_equal (erased (MANY, &with), rows);
    assert_int_equal (with, without);
}

/* ---- starting, giving up ---- */

static void test_restarts (void **state)
{
    (void) state;
    for (int seed = 1; seed <= 10; seed++) {
        char text[16];
        snprintf (text, sizeof text, "%d", seed);
        setenv ("AVIARY_OPTEST_SEED", text, 1);
        optest_t *test = optest_new (&mirror);
        mirror_slow_in_t in = {.name = "a", .wait_ms = 10};
        assert_int_equal (optest_ask (test, "slow", NULL, &in, NULL, NULL), E_PARKED);
        for (int i = 0; i < 5; i++) {
            assert_int_equal (optest_restart (test), 0);
            assert_int_equal (optest_turn (test), 0);
            outward_t *job = optest_job (test);
            assert_non_null (job);
            outward_destroy (&job);
        }
        assert_int_equal (optest_restart_restored (test), 0);
        assert_int_equal (optest_turn (test), 0);
        optest_destroy (&test);
    }
}

static void test_one_that_never_ends (void **state)
{
    (void) state;
    optest_t *test = optest_new (&tally);
    conflicts (test, TOO_MANY);
    assert_int_equal (optest_ask (test, "incr", NULL, &(tally_incr_in_t){.name = "a"}, NULL, NULL),
                      E_IO);
    assert_true (optest_is_fatal (test));
    assert_int_equal (total_of (test, "a"), 0);
    assert_int_equal (optest_restart (test), 0);
    assert_int_equal (optest_ask (test, "incr", NULL, &(tally_incr_in_t){.name = "a"}, NULL, NULL),
                      0);
    assert_int_equal (total_of (test, "a"), 1);
    optest_destroy (&test);
}

int main (void)
{
    setenv ("AVIARY_OPTEST_BACKEND", "memory", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_asks),
        cmocka_unit_test (test_memory),
        cmocka_unit_test (test_parked_and_resumed),
        cmocka_unit_test (test_job_that_fails_in_the_end),
        cmocka_unit_test (test_followed),
        cmocka_unit_test (test_time_stands_still),
        cmocka_unit_test (test_growth_is_noted),
        cmocka_unit_test (test_step_of_the_clock_is_kept),
        cmocka_unit_test (test_sweeps_are_told_once),
        cmocka_unit_test (test_tables_that_turn),
        cmocka_unit_test (test_erasure),
        cmocka_unit_test (test_restarts),
        cmocka_unit_test (test_one_that_never_ends),
    };
    return cmocka_run_group_tests_name ("svc-again", tests, NULL, NULL);
}
