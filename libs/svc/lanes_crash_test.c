/* lanes_crash_test.c - processes that die with jobs claimed, rows that cannot be read, writes that fail. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "svc/lanes_world.h"

static void run (world_t *w, unsigned most)
{
    turn_open (w);
    assert_int_equal (turn_close (w, most), 0);
}

/* A turn that claims `count` jobs, one of each of `lanes` lanes. */
static void claim_some (world_t *w, const job_kind_t *kind, int count)
{
    turn_open (w);
    for (int n = 1; n <= count; n++) {
        char lane[16];
        snprintf (lane, sizeof lane, "l%d", n);
        assert_int_equal (add (w, kind, 1, 1, lane, (body_t){.n = n}, 0), 0);
        assert_int_equal (add (w, kind, 1, 1, lane, (body_t){.n = n + 100}, 0), 0);
    }
    assert_int_equal (turn_close (w, 16), 0);
    assert_int_equal (w->out_count, count);
}

static void claimed_not_started (void **state)
{
    world_t *w = *state;
    turn_open (w);
    assert_int_equal (add (w, &kind_send, 1, 1, "a", (body_t){.n = 1}, 0), 0);
    assert_int_equal (lanes_claim (w->lanes, &w->turn, 16), 0);
    assert_int_equal (txn_commit (&w->turn.txn), 0);
    lanes_destroy (&w->lanes); /* dies between the commit and the file */
    world_open (w);
    world_check (w);
    run (w, 16);
    assert_int_equal (w->out_count, 1);
    assert_int_equal (count_log (w, 'f'), 0);
    assert_int_equal (w->log[w->log_count - 1].tries, 1);
    world_check (w);
}

static void started_is_unknown (void **state)
{
    world_t *w = *state;
    claim_some (w, &kind_send, 2);
    for (int i = 0; i < 2; i++) { /* also when the next one dies before it told anybody */
        world_close (w);
        world_open (w);
        world_check (w);
        assert_int_equal (lanes_outward (w->lanes), 2);
        assert_true (lanes_next (w->lanes) <= w->now);
    }
    run (w, 16);
    assert_int_equal (count_log (w, 'f'), 2);
    for (size_t i = 0; i < w->log_count; i++)
        if (w->log[i].what == 'f')
            assert_int_equal (w->log[i].code, E_REPLICA_LOST);
    assert_int_equal (w->out_count, 2); /* those behind */
    assert_true (out_n (w, 0) > 100 && out_n (w, 1) > 100);
    world_check (w);
}

static void started_and_repeatable (void **state)
{
    world_t *w = *state;
    claim_some (w, &kind_hook, 2);
    world_close (w);
    world_open (w);
    assert_int_equal (lanes_outward (w->lanes), 0);
    run (w, 16);
    assert_int_equal (w->out_count, 2);
    assert_int_equal (count_log (w, 'f'), 0);
    assert_int_equal (w->log[0].tries, 2);
    world_check (w);
}

static void file_lost (void **state)
{
    world_t *w = *state;
    turn_open (w);
    assert_int_equal (add (w, &kind_send, 1, 1, "a", (body_t){.n = 1}, 0), 0);
    assert_int_equal (lanes_claim (w->lanes, &w->turn, 16), 0);
    assert_int_equal (txn_commit (&w->turn.txn), 0);
    lanes_destroy (&w->lanes);
    unlink (w->started);
    world_open (w);
    run (w, 16);
    assert_int_equal (count_log (w, 'f'), 1);
    assert_int_equal (rows (w, "jobs"), 0);
}

static void store_restored (void **state)
{
    world_t *w = *state;
    turn_open (w);
    assert_int_equal (add (w, &kind_send, 1, 1, "a", (body_t){.n = 1}, 0), 0);
    assert_int_equal (lanes_claim (w->lanes, &w->turn, 16), 0);
    assert_int_equal (store_new_epoch (w->turn.txn), 0);
    assert_int_equal (txn_commit (&w->turn.txn), 0);
    lanes_destroy (&w->lanes);
    world_open (w);
    run (w, 16);
    assert_int_equal (count_log (w, 'f'), 1);
}

/* Some claims of one row of `claimed` are over, some not; a retried one is not claimed. */
static void some_were_over (void **state)
{
    world_t *w = *state;
    claim_some (w, &kind_send, 4);
    turn_open (w);
    assert_int_equal (answer (w, 0, 200), 0);
    assert_int_equal (answer (w, 1, 500), 0);
    assert_int_equal (turn_close (w, 0), 0);
    world_check (w);
    world_close (w);
    world_open (w);
    world_check (w);
    assert_int_equal (lanes_outward (w->lanes), 2);
    run (w, 16);
    assert_int_equal (count_log (w, 'f'), 2);
    assert_int_equal (w->out_count, 4);
    world_check (w);
}

static void load_aborted (void **state)
{
    world_t *w = *state;
    claim_some (w, &kind_send, 3);
    world_close (w);
    lanes_config_t config = {.kinds = (const job_kind_t *const[]){&kind_send, &kind_hook},
                             .kind_count = 2,
                             .started_path = w->started};
    assert_int_equal (lanes_new (&config, w->store, &w->lanes, NULL), 0);
    for (int i = 0; i < 2; i++) {
        turn_open (w);
        assert_int_equal (lanes_load (w->lanes, &w->turn), 0);
        if (!i) {
            turn_abort (w, 16);
            forget (w);
            assert_int_equal (lanes_next (w->lanes), INT64_MAX);
        }
    }
    assert_int_equal (turn_close (w, 0), 0); /* tells the outcomes, begins nothing */
    assert_int_equal (count_log (w, 'f'), 3);
    assert_int_equal (w->out_count, 0);
    world_check (w);
}

/* ---- bytes that are not what was written ---- */

static void rows_that_cannot_be_read (void **state)
{
    static const struct {
        const char *name;
        uint8_t at, value;
    } cases[] = {{"version", 0, 9}, {"kind", 2, 77}, {"body", 90, 0xC1}};
    world_t *w = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        turn_open (w);
        assert_int_equal (add (w, &kind_send, 1, 1, "a", (body_t){.n = 1}, 0), 0);
        assert_int_equal (add (w, &kind_send, 1, 1, "a", (body_t){.n = 2}, 0), 0);
        assert_int_equal (turn_close (w, 0), 0);
        turn_open (w);
        kv_cursor_t cursor = {.table = store_table (w->store, "jobs")};
        bytes_t key, value;
        uint8_t copy[512], place[JOB_KEY_SIZE];
        assert_int_equal (kv_next (w->turn.txn, &cursor, &key, &value), 0);
        size_t size = value.size;
        memcpy (copy, value.data, size);
        memcpy (place, key.data, sizeof place);
        kv_stop (&cursor);
        copy[cases[i].at] = cases[i].value;
        assert_int_equal (kv_put (w->turn.txn, cursor.table, bytes_of (place, sizeof place),
                                  bytes_of (copy, size)),
                          0);
        assert_int_equal (turn_close (w, 16), 0);
        assert_int_equal (w->buried, i + 1);
        assert_int_equal (w->out_count, 1);
        assert_int_equal (out_n (w, 0), 2);
        turn_open (w);
        assert_int_equal (answer (w, 0, 200), 0);
        assert_int_equal (turn_close (w, 16), 0);
        assert_int_equal (rows (w, "jobs") + rows (w, "due") + w->lanes->names.count, 0);
        forget (w);
    }
}

/* ---- every write fails once ---- */

/* One life: add, claim, answers of all kinds, drop. What fails is aborted and done again. */
static int life_step (world_t *w, int step)
{
    bool more;
    int rc = 0;
    turn_open (w);
    if (step == 0)
        for (int n = 1; n <= 3 && !rc; n++)
            rc = add (w, n == 3 ? &kind_hook : &kind_send, 1, 1, n < 3 ? "a" : "b",
                      (body_t){.n = n, .wait = 50}, 0);
    else if (step == 1)
        rc = add (w, &kind_send, 2, 2, "a", (body_t){.n = 4, .act = ACT_NOTHING}, 0);
    else if (step == 2)
        rc = answer (w, 0, 500);
    else if (step == 3)
        rc = answer (w, 1, 500);
    else if (step == 4)
        rc = add (w, &kind_send, 3, 3, "c", (body_t){.n = 5, .act = ACT_FAIL}, 0);
    else if (step == 5)
        rc = job_group_pause (&w->turn, id_of (3), w->now + 100);
    else if (step == 6)
        rc = job_group_drop (&w->turn, id_of (3), 10, &more);
    if (rc) {
        txn_abort (&w->turn.txn);
        lanes_aborted (w->lanes);
        arena_reset (w->arena);
        return rc;
    }
    return turn_close (w, 16);
}

static void live (world_t *w, unsigned nth, bool *failed)
{
    store_fail_write (w->store, nth);
    *failed = false;
    for (int step = 0; step < 8; step++) {
        int rc = life_step (w, step);
        if (rc) {
            assert_int_equal (rc, E_IO);
            *failed = true;
            world_check (w);
            assert_int_equal (life_step (w, step), 0);
        }
        world_check (w);
    }
    for (int i = 0; i < 30 && rows (w, "jobs"); i++) {
        w->now += 2000;
        int rc = life_step (w, 7);
        *failed = *failed || rc;
        for (size_t k = 0; k < w->out_count; k++) {
            turn_open (w);
            answer (w, k, 200);
            rc = turn_close (w, 16);
            *failed = *failed || rc;
        }
        world_check (w);
    }
    store_fail_write (w->store, 0);
    assert_int_equal (
        rows (w, "jobs") + w->lanes->names.count + rows (w, "due") + rows (w, "claimed"), 0);
    assert_int_equal (lanes_outward (w->lanes), 0);
    assert_int_equal (w->buried, 0);
}

static void every_write_fails_once (void **state)
{
    world_t *w = *state;
    bool failed;
    unsigned hits = 0;
    for (unsigned nth = 1; nth < 120; nth++) {
        live (w, nth, &failed);
        hits += failed;
        forget (w);
        world_close (w);
        world_open (w);
    }
    assert_true (hits > 10);
}

#define T(f) cmocka_unit_test_setup_teardown (f, world_new, world_free)

int main (void)
{
    const struct CMUnitTest tests[] = {
        T (claimed_not_started), T (started_is_unknown),       T (started_and_repeatable),
        T (file_lost),           T (store_restored),           T (some_were_over),
        T (load_aborted),        T (rows_that_cannot_be_read), T (every_write_fails_once),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
