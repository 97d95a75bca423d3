/* lanes_held_test.c - what a restore holds: nothing of it goes out, lanes go on without it, and a person's decision about each; letting go of quarantine. */
#include <stdio.h>
#include <string.h>

#include "svc/lanes_world.h"

enum { JOBS = 60, STEP = 7 };

static void process_dies (world_t *w)
{
    world_close (w);
    remove (w->started); /* a restored house has none */
}

static void hold_all (world_t *w, unsigned step, uint64_t expected)
{
    lanes_config_t config = {.kinds = (const job_kind_t *const[]){&kind_send, &kind_hook},
                             .kind_count = 2,
                             .started_path = w->started};
    failure_t failure = {0};
    lanes_t *lanes = NULL;
    lanes_hold_t walk = {0};
    uint64_t held = 0;
    assert_int_equal (lanes_new (&config, w->store, &lanes, &failure), 0);
    do {
        txn_t *txn;
        assert_int_equal (txn_begin (w->store, TXN_WRITE, &txn), 0);
        assert_int_equal (lanes_hold (lanes, txn, w->now, &walk, step), 0);
        assert_true (walk.held <= step);
        held += walk.held;
        assert_int_equal (txn_commit (&txn), 0);
    } while (walk.more);
    lanes_destroy (&lanes);
    assert_int_equal (held, expected);
}

static id16_t kept_id (world_t *w, const char *table, size_t n)
{
    txn_t *txn;
    kv_cursor_t cursor = {.table = store_table (w->store, table)};
    bytes_t key = {0}, value;
    id16_t id;
    assert_int_equal (txn_begin (w->store, TXN_READ, &txn), 0);
    for (size_t i = 0; i <= n; i++)
        assert_int_equal (kv_next (txn, &cursor, &key, &value), 0);
    assert_int_equal (key.size, sizeof id.b);
    memcpy (id.b, key.data, sizeof id.b);
    kv_stop (&cursor);
    txn_abort (&txn);
    return id;
}

/* Sends and hooks mixed in lanes, some outward, some to come later. */
static void world_fill (world_t *w)
{
    char lane[8];
    turn_open (w);
    for (int64_t n = 1; n <= JOBS; n++) {
        snprintf (lane, sizeof lane, "%d", (int) (n % 9));
        const job_kind_t *kind = n % 4 == 0 ? &kind_hook : &kind_send;
        assert_int_equal (add (w, kind, 1, (unsigned) (1 + n % 2), n % 5 ? lane : NULL,
                               (body_t){.n = n}, n % 7 ? 0 : w->now + 5000),
                          0);
    }
    assert_int_equal (turn_close (w, 12), 0);
    assert_true (w->out_count > 4);
}

static void run_all (world_t *w)
{
    w->now += 10000;
    for (size_t done = 0, tries = 0; tries < 200; tries++) {
        turn_open (w);
        for (; done < w->out_count; done++)
            assert_int_equal (answer (w, done, 200), 0);
        assert_int_equal (turn_close (w, 16), 0);
        if (done == w->out_count)
            return;
    }
    assert_string_equal ("the jobs", "end");
}

static void restore_holds_sends_only (void **state)
{
    world_t *w = *state;
    world_fill (w);
    process_dies (w);
    hold_all (w, STEP, JOBS - JOBS / 4);
    world_open (w);
    assert_int_equal (lanes_held (w->lanes), JOBS - JOBS / 4);
    world_check (w);
    turn_open (w);
    assert_int_equal (add (w, &kind_send, 1, 1, "1", (body_t){.n = 1000}, 0), 0);
    assert_int_equal (turn_close (w, 16), 0);
    run_all (w);
    unsigned sends = 0, hooks = 0;
    for (size_t i = 0; i < w->log_count; i++)
        if (w->log[i].what == 'f') {
            assert_int_equal (w->log[i].code, 0);
            assert_true (w->log[i].n == 1000 || w->log[i].n % 4 == 0);
            sends += w->log[i].n == 1000;
            hooks += w->log[i].n % 4 == 0 && w->log[i].n <= JOBS;
        }
    assert_int_equal (sends, 1);
    assert_int_equal (hooks, JOBS / 4);
    assert_int_equal (rows (w, "job_held"), JOBS - JOBS / 4);
    assert_int_equal (rows (w, "jobs") + w->lanes->names.count + rows (w, "due"), 0);
}

static void released_go_out_in_order (void **state)
{
    world_t *w = *state;
    turn_open (w);
    for (int64_t n = 1; n <= 3; n++)
        assert_int_equal (add (w, &kind_send, 1, 1, "a", (body_t){.n = n}, 0), 0);
    assert_int_equal (turn_close (w, 0), 0);
    process_dies (w);
    hold_all (w, 1, 3);
    world_open (w);
    id16_t ids[3];
    for (size_t i = 0; i < 3; i++)
        ids[i] = kept_id (w, "job_held", i);
    turn_open (w);
    for (size_t i = 0; i < 3; i++) {
        const char *kind;
        assert_int_equal (lanes_release (w->lanes, &w->turn, KEPT_HELD, ids[i], &kind), 0);
        assert_string_equal (kind, "send");
    }
    assert_int_equal (lanes_release (w->lanes, &w->turn, KEPT_HELD, ids[0], NULL), E_NOT_FOUND);
    assert_int_equal (turn_close (w, 16), 0);
    world_check (w);
    assert_int_equal (lanes_held (w->lanes), 0);
    assert_int_equal (w->out_count, 1);
    run_all (w);
    assert_int_equal (w->out_count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal (out_n (w, i), i + 1);
}

static void unknown_ends_without_going_out (void **state)
{
    world_t *w = *state;
    turn_open (w);
    for (int64_t n = 1; n <= 2; n++)
        assert_int_equal (add (w, &kind_send, 1, 1, "a", (body_t){.n = n}, 0), 0);
    assert_int_equal (turn_close (w, 16), 0);
    process_dies (w);
    hold_all (w, 100, 2);
    world_open (w);
    id16_t first = kept_id (w, "job_held", 0);
    turn_open (w);
    /* New work in the same lane is under way: it must not be begun twice. */
    assert_int_equal (add (w, &kind_send, 1, 1, "a", (body_t){.n = 9}, 0), 0);
    assert_int_equal (turn_close (w, 16), 0);
    assert_int_equal (w->out_count, 1);
    turn_open (w);
    assert_int_equal (lanes_end_kept (w->lanes, &w->turn, KEPT_HELD, first, NULL), 0);
    assert_int_equal (turn_close (w, 16), 0);
    world_check (w);
    assert_int_equal (w->out_count, 1);
    assert_int_equal (lanes_held (w->lanes), 1);
    const line_t *last = &w->log[w->log_count - 1];
    assert_true (last->what == 'f' && last->n == 1 && last->code == E_REPLICA_LOST);
    /* An aborted turn leaves it held. */
    turn_open (w);
    id16_t second = kept_id (w, "job_held", 0);
    assert_int_equal (lanes_end_kept (w->lanes, &w->turn, KEPT_HELD, second, NULL), 0);
    turn_abort (w, 16);
    assert_int_equal (lanes_held (w->lanes), 1);
    assert_int_equal (rows (w, "job_held"), 1);
}

static void kept_tells_what_it_is_about (void **state)
{
    world_t *w = *state;
    turn_open (w);
    assert_int_equal (add (w, &kind_send, 1, 1, "a", (body_t){.n = 77}, 0), 0);
    assert_int_equal (turn_close (w, 0), 0);
    process_dies (w);
    hold_all (w, 100, 1);
    world_open (w);
    turn_open (w);
    job_t job;
    assert_int_equal (lanes_kept (w->lanes, &w->turn, KEPT_HELD, kept_id (w, "job_held", 0), &job),
                      0);
    assert_true (job.kind->is_about (&w->turn, &job, "77"));
    assert_false (job.kind->is_about (&w->turn, &job, "78"));
    assert_int_equal (turn_close (w, 0), 0);
}

/* finish () fails five times, and the job goes to quarantine. */
static id16_t bury_one (world_t *w, const job_kind_t *kind)
{
    turn_open (w);
    assert_int_equal (add (w, kind, 1, 1, "q", (body_t){.n = 5}, 0), 0);
    assert_int_equal (turn_close (w, 16), 0);
    turn_open (w);
    assert_int_equal (answer (w, w->out_count - 1, 599), 0);
    assert_int_equal (turn_close (w, 16), 0);
    for (int i = 0; i < FINISH_FAILURES_MAX; i++) {
        w->now += AGAIN_MS;
        turn_open (w);
        assert_int_equal (turn_close (w, 16), 0);
    }
    assert_int_equal (lanes_quarantined (w->lanes), 1);
    return kept_id (w, "job_quarantine", 0);
}

static void quarantine_lets_go (void **state)
{
    world_t *w = *state;
    id16_t id = bury_one (w, &kind_hook);
    size_t before = w->out_count;
    turn_open (w);
    assert_int_equal (lanes_release (w->lanes, &w->turn, KEPT_QUARANTINE, id, NULL), 0);
    assert_int_equal (turn_close (w, 16), 0);
    assert_int_equal (lanes_quarantined (w->lanes), 0);
    assert_int_equal (w->out_count, before + 1);
    turn_open (w);
    assert_int_equal (answer (w, before, 200), 0);
    assert_int_equal (turn_close (w, 16), 0);
    assert_int_equal (rows (w, "jobs") + rows (w, "job_quarantine"), 0);
}

static void quarantine_drops (void **state)
{
    world_t *w = *state;
    id16_t id = bury_one (w, &kind_send);
    size_t before = w->out_count;
    const char *kind = NULL;
    turn_open (w);
    assert_int_equal (lanes_end_kept (w->lanes, &w->turn, KEPT_QUARANTINE, id, &kind), 0);
    assert_int_equal (turn_close (w, 16), 0);
    assert_string_equal (kind, "send");
    assert_int_equal (w->out_count, before);
    assert_int_equal (lanes_quarantined (w->lanes), 0);
    assert_int_equal (rows (w, "jobs") + rows (w, "job_quarantine"), 0);
    turn_open (w);
    assert_int_equal (lanes_forget_kept (w->lanes, &w->turn, KEPT_QUARANTINE, id), E_NOT_FOUND);
    assert_int_equal (turn_close (w, 16), 0);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (restore_holds_sends_only, world_new, world_free),
        cmocka_unit_test_setup_teardown (released_go_out_in_order, world_new, world_free),
        cmocka_unit_test_setup_teardown (unknown_ends_without_going_out, world_new, world_free),
        cmocka_unit_test_setup_teardown (kept_tells_what_it_is_about, world_new, world_free),
        cmocka_unit_test_setup_teardown (quarantine_lets_go, world_new, world_free),
        cmocka_unit_test_setup_teardown (quarantine_drops, world_new, world_free),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
