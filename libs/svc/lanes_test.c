/* lanes_test.c - order, fairness, limits, breaker, failing handlers, pause and drop. */
#include <stdio.h>
#include <string.h>

#include "svc/lanes_world.h"

static void run (world_t *w, unsigned most)
{
    turn_open (w);
    assert_int_equal (turn_close (w, most), 0);
}

static void one (world_t *w, const job_kind_t *kind, const char *lane, body_t body)
{
    turn_open (w);
    assert_int_equal (add (w, kind, 1, 1, lane, body, 0), 0);
    assert_int_equal (turn_close (w, 16), 0);
}

static void end (world_t *w, size_t i, int status)
{
    turn_open (w);
    assert_int_equal (answer (w, i, status), 0);
    assert_int_equal (turn_close (w, 16), 0);
}

/* ---- order ---- */

static void lane_keeps_order (void **state)
{
    world_t *w = *state;
    turn_open (w);
    for (int64_t n = 1; n <= 3; n++)
        assert_int_equal (add (w, &kind_send, 1, 1, "a", (body_t){.n = n, .wait = 5000}, 0), 0);
    assert_int_equal (turn_close (w, 16), 0);
    assert_int_equal (w->out_count, 1);
    assert_int_equal (out_n (w, 0), 1);
    world_check (w);
    end (w, 0, 500);
    assert_int_equal (w->out_count, 1);
    assert_int_equal (lanes_next (w->lanes), w->now + 5000);
    world_check (w);
    w->now += 5000;
    run (w, 16);
    assert_int_equal (w->out_count, 2);
    assert_int_equal (out_n (w, 1), 1);
    assert_int_equal (w->log[w->log_count - 1].tries, 2);
    end (w, 1, 200);
    assert_int_equal (w->out_count, 3); /* in the turn of the finish */
    assert_int_equal (out_n (w, 2), 2);
    world_check (w);
    end (w, 2, 200);
    end (w, 3, 200);
    assert_int_equal (
        rows (w, "jobs") + w->lanes->names.count + rows (w, "due") + rows (w, "claimed"), 0);
    assert_int_equal (lanes_outward (w->lanes), 0);
}

static void retry_lets_others_pass (void **state)
{
    world_t *w = *state;
    turn_open (w);
    for (int64_t n = 1; n <= 2; n++)
        assert_int_equal (add (w, &kind_hook, 1, 1, "a", (body_t){.n = n, .wait = 5000}, 0), 0);
    assert_int_equal (turn_close (w, 16), 0);
    end (w, 0, 500);
    assert_int_equal (w->out_count, 2);
    assert_int_equal (out_n (w, 1), 2);
    world_check (w);
    end (w, 1, 200);
    assert_int_equal (w->lanes->names.count, 0);
    w->now += 5000;
    run (w, 16);
    assert_int_equal (out_n (w, 2), 1);
    world_check (w);
}

static void retry_at_once (void **state)
{
    world_t *w = *state;
    one (w, &kind_send, "a", (body_t){.n = 1});
    end (w, 0, 500);
    assert_int_equal (w->out_count, 2);
    assert_int_equal (w->log[w->log_count - 1].tries, 2);
    assert_int_equal (lanes_outward (w->lanes), 1);
    world_check (w);
    turn_open (w);
    assert_int_equal (answer (w, 1, 500), 0);
    turn_abort (w, 16);
    assert_int_equal (lanes_outward (w->lanes), 1);
    end (w, 1, 200);
    assert_int_equal (rows (w, "jobs"), 0);
}

static void due_later (void **state)
{
    world_t *w = *state;
    turn_open (w);
    assert_int_equal (add (w, &kind_send, 1, 1, "a", (body_t){.n = 1}, w->now + 700), 0);
    assert_int_equal (add (w, &kind_send, 1, 1, NULL, (body_t){.n = 2}, w->now + 300), 0);
    assert_int_equal (turn_close (w, 16), 0);
    assert_int_equal (w->out_count, 0);
    assert_int_equal (lanes_next (w->lanes), w->now + 300);
    w->now += 300;
    run (w, 16);
    assert_int_equal (w->out_count, 1);
    assert_int_equal (lanes_next (w->lanes), w->now + 400);
}

/* ---- cost ---- */

static void hot_path_writes (void **state)
{
    world_t *w = *state;
    char lane[16];
    w->policy.width = 100;
    turn_open (w);
    for (int n = 0; n < 64; n++) {
        snprintf (lane, sizeof lane, "r%d", n);
        assert_int_equal (add (w, &kind_send, 1, 1, lane, (body_t){.n = n}, 0), 0);
    }
    assert_int_equal (turn_close (w, 128), 0);
    assert_int_equal (w->out_count, 64);
    assert_int_equal (w->writes, 64 + 1); /* a row of each job, one of those claimed */
    turn_open (w);
    for (size_t i = 0; i < 64; i++)
        assert_int_equal (answer (w, i, 200), 0);
    assert_int_equal (turn_close (w, 128), 0);
    assert_int_equal (w->writes, 64 + 1); /* a row of each job, one of those claimed */
    run (w, 128);
    assert_int_equal (w->writes, 0);
}

static void small_tenant_is_served_first_pass (void **state)
{
    world_t *w = *state;
    w->policy.width = 2000;
    turn_open (w);
    for (int n = 0; n < 1000; n++)
        assert_int_equal (add (w, &kind_send, 1, 1, NULL, (body_t){.n = n}, 0), 0);
    assert_int_equal (add (w, &kind_send, 2, 2, NULL, (body_t){.n = 5000}, 0), 0);
    assert_int_equal (turn_close (w, 16), 0);
    bool found = false;
    for (size_t i = 0; i < w->out_count; i++)
        found = found || out_n (w, i) == 5000;
    assert_true (found);
    assert_int_equal (w->out_count, 16);
    assert_true (lanes_next (w->lanes) <= w->now);
    assert_int_equal (lanes_waiting_of (w->lanes, id_of (1)), 985);
}

static void dead_group_costs_nothing (void **state)
{
    world_t *w = *state;
    w->policy = (job_policy_t){.breaker_failures = 1, .breaker_open_ms = 60000};
    one (w, &kind_hook, NULL, (body_t){.n = 1, .wait = 1000});
    end (w, 0, 500);
    for (int turn = 0; turn < 10; turn++) {
        turn_open (w);
        for (int n = 0; n < 5000; n++)
            assert_int_equal (add (w, &kind_hook, 1, 1, NULL, (body_t){.n = n}, 0), 0);
        assert_int_equal (turn_close (w, 16), 0);
    }
    assert_int_equal (w->out_count, 1);
    forget (w);
    turn_open (w);
    for (unsigned n = 0; n < 10; n++)
        assert_int_equal (add (w, &kind_hook, n + 2, n + 2, NULL, (body_t){.n = n}, 0), 0);
    uint64_t before = w->lanes->visits;
    assert_int_equal (turn_close (w, 128), 0);
    assert_int_equal (w->out_count, 10);
    assert_int_equal (w->lanes->visits - before, 10);
    turn_open (w);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal (answer (w, i, 200), 0);
    before = w->lanes->visits;
    assert_int_equal (turn_close (w, 128), 0);
    assert_int_equal (w->lanes->visits - before, 0);
    assert_int_equal (lanes_waiting_of (w->lanes, id_of (1)), 50001);
    /* A new process looks at groups, not at jobs. */
    world_close (w);
    world_open (w);
    assert_int_equal (w->lanes->groups.count, 1);
    while (w->lanes->counting)
        run (w, 0);
    assert_int_equal (lanes_waiting_of (w->lanes, id_of (1)), 50001);
}

/* ---- limits ---- */

static void width_limits (void **state)
{
    world_t *w = *state;
    w->policy.width = 3;
    turn_open (w);
    for (int n = 0; n < 10; n++)
        assert_int_equal (add (w, &kind_send, 1, 1, NULL, (body_t){.n = n}, 0), 0);
    assert_int_equal (turn_close (w, 128), 0);
    assert_int_equal (w->out_count, 3);
    assert_int_equal (lanes_next (w->lanes), INT64_MAX);
    end (w, 0, 200);
    assert_int_equal (w->out_count, 4);
    world_check (w);
}

static void outward_max_limits (void **state)
{
    world_t *w = *state;
    world_close (w);
    w->outward_max = 5;
    world_open (w);
    turn_open (w);
    for (unsigned n = 0; n < 10; n++)
        assert_int_equal (add (w, &kind_send, n, n, NULL, (body_t){.n = n}, 0), 0);
    assert_int_equal (turn_close (w, 128), 0);
    assert_int_equal (w->out_count, 5);
    assert_int_equal (lanes_next (w->lanes), INT64_MAX);
    end (w, 0, 200);
    assert_int_equal (w->out_count, 6);
}

static void tokens_limit (void **state)
{
    world_t *w = *state;
    w->policy = (job_policy_t){.width = 100, .per_second = 10, .burst = 5};
    turn_open (w);
    for (int n = 0; n < 20; n++)
        assert_int_equal (add (w, &kind_send, 1, 1, NULL, (body_t){.n = n}, 0), 0);
    assert_int_equal (turn_close (w, 128), 0);
    assert_int_equal (w->out_count, 5);
    assert_int_equal (lanes_next (w->lanes), w->now + 100);
    w->now += 100;
    run (w, 128);
    assert_int_equal (w->out_count, 6);
    w->now += 10000;
    run (w, 128);
    assert_int_equal (w->out_count, 11);
    /* A changed policy is asked for again. */
    w->policy = (job_policy_t){.width = 100};
    turn_open (w);
    job_group_changed (&w->turn, id_of (1));
    assert_int_equal (turn_close (w, 128), 0);
    w->now += 100;
    run (w, 128);
    assert_int_equal (w->out_count, 20);
}

static void retry_after_holds_group (void **state)
{
    world_t *w = *state;
    one (w, &kind_send, NULL, (body_t){.n = 1});
    turn_open (w);
    assert_int_equal (add (w, &kind_send, 1, 1, NULL, (body_t){.n = 2}, 0), 0);
    assert_int_equal (
        answer_with (w, 0,
                     &(outcome_t){.stage = FETCH_ANSWERED, .status = 429, .retry_after_ms = 3000}),
        0);
    assert_int_equal (turn_close (w, 16), 0);
    assert_int_equal (w->out_count, 1);
    assert_int_equal (lanes_next (w->lanes), w->now + 3000);
    w->now += 3000;
    run (w, 16);
    assert_int_equal (w->out_count, 2);
}

static uint64_t breakers (world_t *w)
{
    uint64_t waiting, open;
    int64_t oldest;
    lanes_gauges (w->lanes, w->now, &waiting, &oldest, &open);
    return open;
}

static void breaker_opens_and_probes (void **state)
{
    world_t *w = *state;
    w->policy = (job_policy_t){.breaker_failures = 3, .breaker_open_ms = 1000};
    turn_open (w);
    for (int n = 0; n < 3; n++)
        assert_int_equal (add (w, &kind_hook, 1, 1, NULL, (body_t){.n = n}, 0), 0);
    assert_int_equal (turn_close (w, 16), 0);
    turn_open (w);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal (answer (w, i, 500), 0); /* all retried at once */
    assert_int_equal (add (w, &kind_hook, 1, 1, NULL, (body_t){.n = 9}, 0), 0);
    assert_int_equal (turn_close (w, 16), 0);
    assert_int_equal (w->out_count, 3);
    assert_int_equal (breakers (w), 1);
    static const int64_t open_ms[] = {1000, 2000, 4000, 8000, 16000, 16000};
    for (size_t i = 0; i < sizeof open_ms / sizeof *open_ms; i++) {
        assert_int_equal (lanes_next (w->lanes), w->now + open_ms[i]);
        w->now += open_ms[i] - 1;
        run (w, 16);
        assert_int_equal (w->out_count, 3 + i);
        w->now += 1;
        run (w, 16);
        assert_int_equal (w->out_count, 4 + i); /* one probe */
        assert_int_equal (lanes_next (w->lanes), INT64_MAX);
        end (w, 3 + i, 500);
    }
    w->now += 16000;
    forget (w);
    run (w, 16);
    assert_int_equal (w->out_count, 1);
    end (w, 0, 200);
    assert_int_equal (breakers (w), 0);
    assert_int_equal (w->out_count, 4);
    /* What only waited has used no try. */
    uint32_t tries = 0;
    for (size_t i = 0; i < w->log_count; i++)
        tries += w->log[i].what == 'b' ? w->log[i].tries : 0;
    assert_int_equal (tries, 2 + 2 + 2 + 1 + 6);
    world_check (w);
}

/* In place of a breaker: what fails goes on, through a narrower way, until one succeeds. */
static void failures_narrow_the_way (void **state)
{
    world_t *w = *state;
    w->policy = (job_policy_t){
        .width = 6, .breaker_failures = 3, .breaker_open_ms = 1000, .failing_width = 2};
    turn_open (w);
    for (int n = 0; n < 20; n++)
        assert_int_equal (add (w, &kind_hook, 1, 1, NULL, (body_t){.n = n}, 0), 0);
    assert_int_equal (turn_close (w, 16), 0);
    assert_int_equal (w->out_count, 6);
    for (size_t i = 0; i < 4; i++)
        end (w, i, 500); /* the first two make room for others, from the third on two are out */
    assert_int_equal (breakers (w), 0);
    assert_int_equal (w->out_count, 6 + 2);
    end (w, 4, 500);
    end (w, 5, 500);
    assert_int_equal (w->out_count, 6 + 2);
    end (w, 6, 500);
    assert_int_equal (w->out_count, 6 + 3); /* one out, one in */
    end (w, 7, 200);
    assert_int_equal (w->out_count, 6 + 3 + 5); /* as wide as before */
    world_check (w);
}

/* A receiver that answers at once finds the next ones ready; one that takes its time, or fails, does not. */
static void quick_answers_claim_ahead (void **state)
{
    world_t *w = *state;
    static const struct {
        outcome_t outcome;
        size_t out; /* claimed so far, then */
    } rows[] = {{{.stage = FETCH_ANSWERED, .status = 200, .duration_ms = QUICK_MS + 1}, 4},
                {{.stage = FETCH_ANSWERED, .status = 200, .duration_ms = QUICK_MS}, 8},
                {{.stage = FETCH_ANSWERED, .status = 200}, 9},
                {{.stage = FETCH_ANSWERED, .status = 500}, 9},
                {{.stage = FETCH_ANSWERED, .status = 200}, 11}};
    w->policy = (job_policy_t){.width = 3, .ahead = true};
    turn_open (w);
    for (int n = 0; n < 20; n++)
        assert_int_equal (add (w, &kind_hook, 1, 1, NULL, (body_t){.n = n}, 0), 0);
    assert_int_equal (turn_close (w, 16), 0);
    assert_int_equal (w->out_count, 3);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        turn_open (w);
        assert_int_equal (answer_with (w, i, &rows[i].outcome), 0);
        assert_int_equal (turn_close (w, 16), 0);
        assert_int_equal (w->out_count, rows[i].out);
    }
    for (size_t i = 0; i < w->out_count; i++) {
        assert_int_equal (w->out[i]->width, 3);
        assert_int_equal (w->out[i]->narrow, 1);
        assert_int_equal (w->out[i]->narrow_after, 0);
        assert_true (id_equal (w->out[i]->group, id_of (1)));
    }
    world_check (w);
}

/* ---- handlers that fail ---- */

static void aborted_turn_happens_again (void **state)
{
    world_t *w = *state;
    w->policy = (job_policy_t){.width = 4, .per_second = 100, .burst = 6, .breaker_failures = 1};
    turn_open (w);
    for (unsigned n = 0; n < 12; n++)
        assert_int_equal (add (w, &kind_send, n % 3, n % 3, NULL, (body_t){.n = n}, 0), 0);
    assert_int_equal (turn_close (w, 0), 0);
    int64_t first[12];
    turn_open (w);
    assert_int_equal (lanes_claim (w->lanes, &w->turn, 9), 0);
    assert_int_equal (w->log_count, 9);
    for (size_t i = 0; i < 9; i++)
        first[i] = w->log[i].n;
    turn_abort (w, 0);
    assert_int_equal (w->out_count + lanes_outward (w->lanes), 0);
    assert_int_equal (lanes_waiting_of (w->lanes, id_of (1)), 4);
    forget (w);
    run (w, 12);
    assert_int_equal (w->out_count, 12);
    for (size_t i = 0; i < 9; i++) {
        bool again = false;
        for (size_t k = 0; k < w->log_count; k++)
            again = again || w->log[k].n == first[i];
        assert_true (again);
    }
    /* An outcome of an aborted turn opened no breaker and ended nothing. */
    turn_open (w);
    assert_int_equal (answer (w, 0, 500), 0);
    turn_abort (w, 16);
    assert_int_equal (breakers (w), 0);
    assert_int_equal (lanes_outward (w->lanes), 12);
    world_check (w);
    turn_open (w);
    for (size_t i = 0; i < 12; i++)
        assert_int_equal (answer (w, i, 200), 0);
    assert_int_equal (turn_close (w, 16), 0);
    assert_int_equal (rows (w, "jobs") + rows (w, "claimed"), 0);
}

static int add_and_fail (turn_t *t, void *context)
{
    (void) t;
    assert_int_equal (add (context, &kind_send, 1, 1, "a", (body_t){.n = 1}, 0), 0);
    assert_int_equal (add (context, &kind_send, 1, 1, "a", (body_t){.n = 2}, 0), 0);
    assert_int_equal (
        add (context, &kind_send, 2, 2, NULL, (body_t){.n = 3}, ((world_t *) context)->now + 5), 0);
    return E_CONFLICT;
}

static void handler_rolled_back (void **state)
{
    world_t *w = *state;
    turn_open (w);
    assert_int_equal (turn_step (&w->turn, add_and_fail, w), E_CONFLICT);
    assert_int_equal (add (w, &kind_send, 1, 1, "a", (body_t){.n = 4}, 0), 0);
    assert_int_equal (turn_close (w, 16), 0);
    assert_int_equal (w->out_count, 1);
    assert_int_equal (out_n (w, 0), 4);
    world_check (w);
    assert_int_equal (rows (w, "jobs"), 1);
}

static void begin_that_fails (void **state)
{
    world_t *w = *state;
    turn_open (w);
    assert_int_equal (add (w, &kind_send, 1, 1, "a", (body_t){.n = 1, .act = ACT_FAIL}, 0), 0);
    assert_int_equal (add (w, &kind_send, 1, 1, "a", (body_t){.n = 2}, 0), 0);
    assert_int_equal (
        add (w, &kind_send, 1, 1, "b", (body_t){.n = 3, .act = ACT_OVERFLOW}, w->now + 200000), 0);
    assert_int_equal (turn_close (w, 16), 0);
    static const int64_t waits[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000};
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        assert_int_equal (w->out_count, 0);
        assert_int_equal (lanes_next (w->lanes), w->now + waits[i]);
        assert_int_equal (w->log[w->log_count - 1].tries, 1);
        world_check (w);
        w->now += waits[i];
        run (w, 16);
    }
    assert_int_equal (w->buried, 1);
    assert_non_null (strstr (w->reason, "told to fail"));
    assert_int_equal (rows (w, "job_quarantine"), 1);
    assert_int_equal (lanes_quarantined (w->lanes), 1);
    assert_int_equal (w->out_count, 1);
    assert_int_equal (out_n (w, 0), 2);
    w->now = lanes_next (w->lanes);
    run (w, 16);
    assert_int_equal (lanes_next (w->lanes), w->now + 1000);
    world_check (w);
}

static void finish_that_fails (void **state)
{
    world_t *w = *state;
    turn_open (w);
    assert_int_equal (add (w, &kind_send, 1, 1, "a", (body_t){.n = 1}, 0), 0);
    assert_int_equal (add (w, &kind_send, 1, 1, "a", (body_t){.n = 2}, 0), 0);
    assert_int_equal (turn_close (w, 16), 0);
    end (w, 0, 599);
    for (int i = 0; i < 4; i++) {
        assert_int_equal (w->buried, 0);
        assert_int_equal (lanes_outward (w->lanes), 1);
        assert_int_equal (lanes_next (w->lanes), w->now + 1000);
        world_check (w);
        w->now += 1000;
        turn_open (w);
        turn_abort (w, 16); /* changes nothing */
        run (w, 16);
    }
    assert_int_equal (w->buried, 1);
    assert_int_equal (w->out_count, 2);
    assert_int_equal (out_n (w, 1), 2);
    world_check (w);
}

static void at_once_and_dropped (void **state)
{
    world_t *w = *state;
    turn_open (w);
    assert_int_equal (add (w, &kind_send, 1, 1, "a", (body_t){.n = 1, .act = ACT_NOTHING}, 0), 0);
    assert_int_equal (add (w, &kind_send, 1, 1, "a", (body_t){.n = 2, .act = ACT_DROP}, 0), 0);
    assert_int_equal (add (w, &kind_send, 1, 1, "a", (body_t){.n = 3}, 0), 0);
    assert_int_equal (turn_close (w, 16), 0);
    assert_int_equal (w->out_count, 1);
    assert_int_equal (out_n (w, 0), 3);
    assert_int_equal (count_log (w, 'f'), 1);
    world_check (w);
}

static void added_in_finish (void **state)
{
    world_t *w = *state;
    one (w, &kind_send, "chain", (body_t){.n = 1, .act = ACT_CHAIN});
    end (w, 0, 200);
    assert_int_equal (w->out_count, 2);
    assert_int_equal (out_n (w, 1), 1001);
    world_check (w);
    end (w, 1, 200);
    assert_int_equal (rows (w, "jobs"), 0);
}

static void unknown_outcomes_are_ignored (void **state)
{
    world_t *w = *state;
    outward_done_t done = {.job = id_of (99)};
    turn_open (w);
    assert_int_equal (lanes_finish (w->lanes, &w->turn, &done), 0);
    assert_int_equal (job_retry (&w->turn, &(job_t){.tries = 1}, 0), E_CONFLICT);
    char lane[200];
    memset (lane, 'x', sizeof lane);
    lane[121] = 0;
    assert_int_equal (add (w, &kind_send, 1, 1, lane, (body_t){0}, 0), E_TOO_LARGE);
    assert_int_equal (turn_close (w, 16), 0);
}

/* ---- pause, drop ---- */

static void pause_and_go_on (void **state)
{
    world_t *w = *state;
    turn_open (w);
    assert_int_equal (job_group_pause (&w->turn, id_of (1), w->now + 10000), 0);
    assert_int_equal (add (w, &kind_send, 1, 1, NULL, (body_t){.n = 1}, 0), 0);
    assert_int_equal (turn_close (w, 16), 0);
    assert_int_equal (w->out_count, 0);
    assert_int_equal (lanes_next (w->lanes), w->now + 10000);
    world_close (w);
    world_open (w);
    run (w, 16);
    assert_int_equal (w->out_count, 0);
    assert_int_equal (lanes_next (w->lanes), w->now + 10000);
    turn_open (w);
    assert_int_equal (job_group_pause (&w->turn, id_of (1), 0), 0);
    turn_abort (w, 16);
    assert_int_equal (lanes_next (w->lanes), w->now + 10000);
    turn_open (w);
    assert_int_equal (job_group_pause (&w->turn, id_of (1), 0), 0);
    assert_int_equal (turn_close (w, 16), 0);
    assert_int_equal (w->out_count, 1);
    assert_int_equal (w->log[w->log_count - 1].tries, 1);
}

static void drop_in_parts (void **state)
{
    world_t *w = *state;
    w->policy.width = 1;
    bool more = false;
    turn_open (w);
    for (int n = 0; n < 10; n++) {
        assert_int_equal (add (w, &kind_send, 1, 1, "a", (body_t){.n = n}, 0), 0);
        assert_int_equal (add (w, &kind_send, 1, 1, "b", (body_t){.n = n}, 0), 0);
        assert_int_equal (add (w, &kind_send, 2, 2, "a", (body_t){.n = n}, 0), 0);
    }
    assert_int_equal (turn_close (w, 16), 0); /* one of "a" goes out */
    assert_int_equal (lanes_waiting_of (w->lanes, id_of (1)), 19);
    for (int i = 0; i < 4; i++) {
        turn_open (w);
        assert_int_equal (job_group_drop (&w->turn, id_of (1), 4, &more), 0);
        assert_true (more);
        assert_int_equal (turn_close (w, 16), 0);
        world_check (w);
    }
    turn_open (w);
    assert_int_equal (add (w, &kind_send, 1, 1, "c", (body_t){.n = 70}, 0), 0);
    assert_int_equal (add (w, &kind_send, 1, 1, "c", (body_t){.n = 71}, 0), 0);
    assert_int_equal (job_group_drop (&w->turn, id_of (1), 1, &more), 0);
    assert_true (more);
    assert_int_equal (job_group_drop (&w->turn, id_of (1), 100, &more), 0);
    assert_false (more);
    assert_int_equal (turn_close (w, 16), 0);
    world_check (w);
    assert_int_equal (lanes_waiting_of (w->lanes, id_of (1)), 0);
    assert_int_equal (lanes_waiting_of (w->lanes, id_of (2)), 9);
    for (size_t i = 0; i < 2; i++)
        end (w, i, 200);
    assert_int_equal (rows (w, "jobs"), 9);
    world_check (w);
}

typedef struct met {
    int64_t n[64];
    size_t count;
    int fails_at; /* index of the call that fails; -1 = none */
} met_t;

static int meet (turn_t *t, const job_t *job, void *context)
{
    met_t *met = context;
    (void) t;
    if ((int) met->count == met->fails_at)
        return E_IO;
    met->n[met->count++] = ((const body_t *) job->body)->n;
    return 0;
}

/* Steps of `most`, each in a turn of its own. Returns how many. */
static int walk_all (world_t *w, id16_t tenant, unsigned most, met_t *met)
{
    job_walk_t walk = {.kind = &kind_send, .tenant = tenant};
    bool more = true;
    int steps = 0;
    while (more) {
        walk.most = most;
        turn_open (w);
        assert_int_equal (job_walk (&w->turn, &walk, meet, met, &more), 0);
        assert_int_equal (turn_close (w, 16), 0);
        assert_true (++steps < 64);
    }
    return steps;
}

static void walk_in_parts (void **state)
{
    static const int64_t of_one[] = {1, 2, 3, 10, 11, 12, 13, 20, 40},
                         all[] = {1, 2, 3, 10, 11, 12, 13, 31, 32, 33, 20, 40};
    world_t *w = *state;
    w->policy.width = 1;
    turn_open (w);
    for (int n = 0; n < 4; n++) {
        assert_int_equal (add (w, &kind_send, 1, 1, "a1", (body_t){.n = n}, 0), 0);
        assert_int_equal (add (w, &kind_send, 1, 1, "a2", (body_t){.n = 10 + n}, 0), 0);
        assert_int_equal (add (w, &kind_send, 2, 2, "a1", (body_t){.n = 30 + n}, 0), 0);
        for (int i = 0; i < 8; i++) /* half of them passed over count as two */
            assert_int_equal (add (w, &kind_hook, 1, 1, "h", (body_t){.n = 50}, 0), 0);
    }
    assert_int_equal (add (w, &kind_send, 1, 1, "b", (body_t){.n = 20}, 0), 0);
    assert_int_equal (add (w, &kind_send, 1, 1, NULL, (body_t){.n = 40}, 0), 0);
    assert_int_equal (turn_close (w, 16), 0); /* 0 and 30 go out */
    assert_int_equal (w->out_count, 2);
    for (unsigned most = 1; most < 16; most++) {
        met_t met = {.fails_at = -1}, every = {.fails_at = -1};
        int steps = walk_all (w, id_of (1), most, &met);
        assert_int_equal (met.count, 9);
        assert_memory_equal (met.n, of_one, sizeof of_one);
        assert_true (most < 12 ? steps > 1 : steps <= 2);
        walk_all (w, id_nil (), most, &every);
        assert_int_equal (every.count, 12);
        assert_memory_equal (every.n, all, sizeof all);
    }
    met_t none = {.fails_at = 2};
    bool more = false;
    job_walk_t walk = {.kind = &kind_send, .tenant = id_of (1), .most = 100};
    turn_open (w);
    assert_int_equal (job_walk (&w->turn, &walk, meet, &none, &more), E_IO);
    walk = (job_walk_t){.kind = &kind_send, .tenant = id_of (3), .most = 100};
    assert_int_equal (job_walk (&w->turn, &walk, meet, &none, &more), 0);
    assert_false (more);
    assert_int_equal (none.count, 2);
    assert_int_equal (turn_close (w, 16), 0);
    world_check (w);
}

static void backoff (void **state)
{
    (void) state;
    static const uint32_t steps[] = {1000, 5000};
    assert_int_equal (job_backoff (0, steps, 2, 0, 7), -1);
    assert_int_equal (job_backoff (1, steps, 2, 0, 7), 1000);
    assert_int_equal (job_backoff (2, steps, 2, 0, 7), 5000);
    assert_int_equal (job_backoff (3, steps, 2, 0, 7), -1);
    for (uint64_t r = 0; r < 3000; r++) {
        int64_t ms = job_backoff (1, steps, 2, 10, r);
        assert_true (ms >= 900 && ms <= 1100);
    }
}

#define T(f) cmocka_unit_test_setup_teardown (f, world_new, world_free)

int main (void)
{
    const struct CMUnitTest tests[] = {
        T (lane_keeps_order),
        T (retry_lets_others_pass),
        T (retry_at_once),
        T (due_later),
        T (hot_path_writes),
        T (small_tenant_is_served_first_pass),
        T (dead_group_costs_nothing),
        T (width_limits),
        T (outward_max_limits),
        T (tokens_limit),
        T (retry_after_holds_group),
        T (breaker_opens_and_probes),
        T (failures_narrow_the_way),
        T (quick_answers_claim_ahead),
        T (aborted_turn_happens_again),
        T (handler_rolled_back),
        T (begin_that_fails),
        T (finish_that_fails),
        T (at_once_and_dropped),
        T (added_in_finish),
        T (unknown_outcomes_are_ignored),
        T (pause_and_go_on),
        T (drop_in_parts),
        T (walk_in_parts),
        cmocka_unit_test (backoff),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
