/* optest_first.c - the first turn of an owner with every fault in every place. See optest_nth.h.
 *
 * A first turn that fails ends the process; the supervisor starts the next, whose store must be as if only that had been. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "svc/inner.h"
#include "svc/optest_fault.h"
#include "svc/optest_nth.h"

enum { TURNS = 5 };

/* Notes of the clock and of what the store takes, answers that are kept for a minute, in which turn which jobs were claimed. */
static const char *const skipped[] = {"svc.state",    "svc.growth", "svc.repeat_a",
                                      "svc.repeat_b", "claimed",    NULL};

typedef struct first {
    optest_t *test;
    int (*start) (optest_t *test);
    bool restored;
    int64_t clock; /* at which each run begins, so that the same jobs are due in all */
    fault_t fault;
    dump_t *base;
    char *delta;
    size_t launched; /* jobs that go outward at once */
    fault_report_t report;
} first_t;

static void wrong (first_t *self, unsigned n, const char *what, const char *more)
{
    fault_tell (&self->report, self->test, self->fault.kind, n, what, more);
}

/* What the first turn left, and after it a few that are as any. *jobs: how many went outward. */
static char *changed (first_t *self, size_t *jobs)
{
    static const int64_t steps[TURNS] = {900, 900, 10000, 10000, 61000};
    outward_t *job;
    *jobs = 0;
    for (int i = 0; i < TURNS; i++) /* a job whose end failed is ended again, a little later */
        optest_advance (self->test, steps[i]);
    char *delta = fault_changed (self->test, self->base, skipped);
    for (; (job = optest_job (self->test)); ++*jobs)
        outward_destroy (&job);
    optest_clock (self->test, self->clock - clock_now_ms ());
    return delta;
}

/* For a restore the store is laid out first, which is a start of its own. */
static bool prepared (first_t *self)
{
    return !self->restored || !fault_again (self->test);
}

static bool learn (first_t *self)
{
    if (!self->base || !prepared (self) || self->start (self->test))
        return false;
    self->delta = changed (self, &self->launched);
    return true;
}

/* Where the first turn went on, a job whose begin failed in it was put off: its row counts that. */
static bool differ_by_a_count (const char *delta, const char *other)
{
    static const char of_jobs[] = ", jobs +";
    const char *at = strstr (delta, of_jobs), *there = strstr (other, of_jobs);
    if (!at || !there)
        return false;
    at = strchr (at, '~');
    there = strchr (there, '~');
    return at - delta == there - other && strncmp (delta, other, (size_t) (at - delta)) == 0 &&
           strcmp (strchr (at, ','), strchr (there, ',')) == 0;
}

static void fault_every (first_t *self, fault_kind_t kind)
{
    enum { MOST = 100000 };
    bool fired = true;
    for (unsigned n = 1; fired && n < MOST && self->report.wrong < 3; n = fault_next (n)) {
        size_t jobs;
        if (!prepared (self))
            wrong (self, n, "the store", "could not be laid out");
        fault_set (&self->fault, self->test, kind, n);
        bool failed = self->start (self->test) != 0;
        optest_watch (self->test, NULL, NULL);
        fired = self->fault.fired;
        if (failed && !fired)
            wrong (self, n, "it failed", "without a fault");
        if (failed && fault_restart (self->test))
            wrong (self, n, "the next", "did not start");
        char *delta = changed (self, &jobs);
        if (strcmp (delta, self->delta) != 0 && (failed || !differ_by_a_count (delta, self->delta)))
            wrong (self, n, "in the end it changed", delta);
        if (jobs != self->launched)
            wrong (self, n, "other jobs", "went outward");
        free (delta);
        if (kind == FAULT_COMMIT)
            break; /* one can be told to fail: the first */
    }
}

static unsigned every_fault (optest_t *test, dump_t *base, const char *name,
                             int (*start) (optest_t *test))
{
    first_t self = {.test = test,
                    .base = base,
                    .report = {.of = name},
                    .start = start,
                    .restored = start == optest_restart_restored,
                    .clock = clock_now_ms ()};
    if (!learn (&self))
        wrong (&self, 0, "without a fault it", "fails");
    for (fault_kind_t kind = FAULT_WRITE; kind <= FAULT_HEAP && !self.report.wrong; kind++)
        if (kind != FAULT_ASK)
            fault_every (&self, kind);
    if (self.report.wrong)
        fprintf (stderr, "without a fault it changes %s\n", self.delta ? self.delta : "?");
    optest_watch (test, NULL, NULL);
    free (self.delta);
    return self.report.wrong;
}

static unsigned all_begin (optest_t *test, const nth_story_t *stories, size_t count)
{
    unsigned failures = 0;
    for (size_t i = 0; i < count; i++) {
        int rc = stories[i].begin (test);
        if (rc)
            fprintf (stderr, "%s does not begin: %s\n", stories[i].name, error_name (rc));
        failures += rc != 0;
    }
    return failures;
}

unsigned nth_first_turns (optest_t *test, const nth_story_t *stories, size_t count)
{
    unsigned failures = fault_begin (test) != 0;
    failures += all_begin (test, stories, count);
    failures += optest_keep (test) != 0; /* as if the process had died here */
    dump_t *base = dump_new (optest_store (test), skipped);
    failures += every_fault (test, base, "the first turn after a crash", optest_again);
    failures += every_fault (test, base, "the first turn after a restore", optest_restart_restored);
    failures += every_fault (test, base, "the first turn on an empty store", optest_empty);
    dump_destroy (&base);
    failures += fault_again (test) != 0;
    return failures;
}
