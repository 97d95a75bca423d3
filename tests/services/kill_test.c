/* kill_test.c - broker, two replicas each of tally and mirror, killed at random: every acknowledged count is there once, repeats with the same
 * key never count twice, the follower equals what it follows, and parked asks end once.
 *
 * SVC_KILL_SEED and SVC_KILL_MS choose the run; the seed is printed. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "drive.h"
#include "testgen/mirror.h"
#include "testgen/tally.h"

#include <cmocka.h>

enum {
    NAMES = 3,
    WINDOW = 24,
    REQUESTS_MAX = 200000,
    SLOW_EVERY = 40,
    SEEN_EVERY = 16,
    PROCESSES = 5
};

typedef struct request {
    char key[32];
    int name;
    bool slow, seen;
    bool done;
    int tries;
    struct run *run;
    int64_t again; /* monotonic ms */
} request_t;

typedef struct run {
    drive_t drive;
    request_t *requests;
    int count, under_way, acked, slow;
    int64_t want[NAMES];
    unsigned seed;
    int kills;
} run_t;

static const char *const names[NAMES] = {"ada", "bob", "cyd"};

static void request_done (void *context, const envelope_t *header, bytes_t body,
                          const failure_t *failure)
{
    (void) header, (void) body;
    request_t *r = context;
    r->run->under_way--;
    if (!failure || !failure->code) {
        r->done = true;
        r->run->acked++;
        return;
    }
    bool retry =
        error_class (failure->code) == EC_UNAVAILABLE || failure->code == E_IDEMPOTENCY_RUNNING;
    if (!retry)
        fprintf (stderr, "key %s: %s: %s\n", r->key, error_name (failure->code), failure->text);
    assert_true (retry);
    r->again = clock_mono_ms () + 20;
}

static void request_send (run_t *run, request_t *r)
{
    r->tries++;
    r->again = 0;
    run->under_way++;
    drive_t *d = &run->drive;
    if (r->slow) {
        mirror_slow_in_t in = {.name = names[r->name], .wait_ms = 20, .ask = r->name == 0};
        drive_send (d, "mirror.slow", r->key, id_nil (), &mirror_slow_in_type, &in, request_done,
                    r);
    } else if (r->seen) {
        tally_incr_seen_in_t in = {.name = names[r->name], .add = 3};
        drive_send (d, "tally.incr_seen", r->key, id_nil (), &tally_incr_seen_in_type, &in,
                    request_done, r);
    } else {
        tally_incr_in_t in = {.name = names[r->name], .add = 3};
        drive_send (d, "tally.incr", r->key, id_nil (), &tally_incr_in_type, &in, request_done, r);
    }
}

static void request_new (run_t *run)
{
    request_t *r = &run->requests[run->count];
    snprintf (r->key, sizeof r->key, "key-%d", run->count);
    r->run = run;
    r->name = run->count % NAMES;
    r->slow = run->count % SLOW_EVERY == SLOW_EVERY - 1;
    r->seen = !r->slow && run->count % SEEN_EVERY == 7;
    run->count++;
    if (r->slow)
        run->slow++;
    else
        run->want[r->name] += 3;
    request_send (run, r);
}

static void requests_step (run_t *run, bool more)
{
    int64_t now = clock_mono_ms ();
    for (int i = 0; i < run->count && run->under_way < 2 * WINDOW; i++)
        if (!run->requests[i].done && run->requests[i].again && run->requests[i].again <= now)
            request_send (run, &run->requests[i]);
    while (more && run->under_way < WINDOW && run->count < REQUESTS_MAX)
        request_new (run);
    drive_work (&run->drive, 5, NULL);
}

static void kill_one (run_t *run)
{
    int pick = rand_r (&run->seed) % 9; /* the broker less often */
    process_t *p = &run->drive.processes[pick == 0 ? 0 : 1 + (pick - 1) % (PROCESSES - 1)];
    process_kill (p, SIGKILL);
    process_wait (p);
    process_start (&run->drive, p);
    run->kills++;
}

static int64_t total_of (run_t *run, const char *service, const char *name)
{
    char target[32];
    arena_t *arena = arena_new (1 << 16);
    tally_total_out_t out = {0};
    snprintf (target, sizeof target, "%s.total", service);
    int rc = drive_ask (&run->drive, target, &tally_total_in_type,
                        &(tally_total_in_t){.name = name}, &tally_total_out_type, &out, arena);
    arena_destroy (&arena);
    return rc ? -rc : out.total;
}

static void expect_total (run_t *run, const char *service, const char *name, int64_t want)
{
    int64_t is = -1;
    for (int64_t end = clock_mono_ms () + 20000; is != want && clock_mono_ms () < end;) {
        is = total_of (run, service, name);
        if (is != want)
            drive_work (&run->drive, 50, NULL);
    }
    if (is != want)
        fprintf (stderr, "%s of %s: %lld, not %lld\n", name, service, (long long) is,
                 (long long) want);
    assert_int_equal (is, want);
}

static void run_start (run_t *run)
{
    static const char *const second[] = {"--replica", "1", NULL};
    drive_open (&run->drive);
    drive_start (&run->drive, "aviary-broker", NULL);
    drive_start (&run->drive, "aviary-test-tally", NULL);
    drive_start (&run->drive, "aviary-test-tally", second);
    drive_start (&run->drive, "aviary-test-mirror", NULL);
    drive_start (&run->drive, "aviary-test-mirror", second);
    drive_connect (&run->drive);
    assert_true (drive_ready (&run->drive, "tally"));
    assert_true (drive_ready (&run->drive, "mirror"));
}

/* A process that a sanitizer ended would just be started again, or taken over from. */
static bool log_says (run_t *run, const char *text)
{
    char path[128], line[4096];
    bool found = false;
    snprintf (path, sizeof path, "%s/log", run->drive.folder);
    FILE *file = fopen (path, "r");
    while (file && !found && fgets (line, sizeof line, file))
        found = strstr (line, text) != NULL;
    if (file)
        fclose (file);
    if (found)
        fprintf (stderr, "%s", line);
    return found;
}

static void run_end (run_t *run)
{
    for (int i = PROCESSES - 1; i >= 0; i--) {
        process_kill (&run->drive.processes[i], SIGTERM);
        int code = process_wait (&run->drive.processes[i]);
        if (code)
            fprintf (stderr, "process %d ended with %d\n", i, code);
        assert_int_equal (code, 0);
    }
    assert_false (log_says (run, "Sanitizer"));
    assert_false (log_says (run, "runtime error"));
    assert_false (log_says (run, "quarantine"));
    drive_close (&run->drive);
    free (run->requests);
}

static void test_kill (void **state)
{
    (void) state;
    static run_t run;
    const char *seed = getenv ("SVC_KILL_SEED"), *length = getenv ("SVC_KILL_MS");
    run.seed = seed ? (unsigned) strtoul (seed, NULL, 10) : (unsigned) (time (NULL) ^ getpid ());
    int64_t span = length ? strtoll (length, NULL, 10) : 6000;
    fprintf (stderr, "SVC_KILL_SEED=%u\n", run.seed);
    run.requests = calloc (REQUESTS_MAX, sizeof *run.requests);
    run_start (&run);
    int64_t begin = clock_mono_ms (), next = begin + 300;
    while (clock_mono_ms () - begin < span) {
        requests_step (&run, true);
        if (clock_mono_ms () >= next) {
            kill_one (&run);
            next = clock_mono_ms () + 200 + rand_r (&run.seed) % 500;
        }
    }
    for (int64_t end = clock_mono_ms () + 40000; run.acked < run.count && clock_mono_ms () < end;)
        requests_step (&run, false);
    fprintf (stderr, "%d kills, %d requests, %d acknowledged, %d of them slow\n", run.kills,
             run.count, run.acked, run.slow);
    for (int i = 0; i < run.count && run.acked < run.count; i++)
        if (!run.requests[i].done)
            fprintf (stderr, "not done: %s after %d tries\n", run.requests[i].key,
                     run.requests[i].tries);
    assert_int_equal (run.acked, run.count);
    for (int i = 0; i < NAMES; i++) {
        expect_total (&run, "tally", names[i], run.want[i]);
        expect_total (&run, "mirror", names[i], run.want[i]);
    }
    expect_total (&run, "mirror", "slow", run.slow);
    run_end (&run);
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_kill)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
