/* optest_timer.c - passes of timers and of the sweeper with every fault in every place. See optest_nth.h.
 *
 * The clock goes back with the store for each fault, so that every pass finds the same things past their time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "svc/inner.h"
#include "svc/optest_fault.h"
#include "svc/optest_nth.h"

enum {
    PASSES = 3,       /* that can fail */
    SECOND_MS = 1000, /* the sweeper's pace, and when every timer runs first */
    MINUTE_MS = 61 * 1000,
    HOUR_MS = 3601 * 1000, /* a row whose removal failed is looked at again */
    SETTLES = 6,
    ERASES_MOST = 60
};

/* Where the walks are: that depends on how often they were interrupted. */
static const char *const skipped[] = {"svc.state", NULL};

typedef struct pass {
    optest_t *test;
    const nth_timer_t *sample;
    fault_t fault;
    int64_t clock;
    dump_t *base;
    char *delta;
    char *restarted; /* what a restart after the pass adds: jobs that had begun are tried again */
    fault_report_t report;
} pass_t;

static void wrong (pass_t *self, unsigned n, const char *what, const char *more)
{
    fault_tell (&self->report, self->test, self->fault.kind, n, what, more);
}

static void again (pass_t *self)
{
    optest_clock (self->test, self->clock - clock_now_ms ());
    if (fault_again (self->test))
        wrong (self, 0, "the service", "did not start again");
    if (self->sample->begin && self->sample->begin (self->test))
        wrong (self, 0, "the sample", "does not begin");
    optest_clock (self->test, self->sample->wait_ms);
    dump_destroy (&self->base);
    self->base = dump_new (optest_store (self->test), skipped);
    if (!self->base)
        wrong (self, 0, "the store", "cannot be read");
}

/* As the process would: one whose store failed is started again. */
static void turn (pass_t *self, int64_t ms)
{
    optest_advance (self->test, ms);
    if (optest_is_fatal (self->test) && fault_restart (self->test))
        wrong (self, 0, "the service", "did not start after the fault");
}

static void settle (pass_t *self)
{
    static const int64_t steps[SETTLES] = {SECOND_MS, MINUTE_MS, MINUTE_MS,
                                           HOUR_MS,   MINUTE_MS, SECOND_MS};
    optest_watch (self->test, NULL, NULL);
    for (int i = 0; i < SETTLES; i++)
        turn (self, steps[i]);
    for (int i = 0; i < ERASES_MOST && fault_is_erasing (self->test); i++)
        turn (self, SECOND_MS);
}

static char *changed (pass_t *self)
{
    return fault_changed (self->test, self->base, skipped);
}

static bool is_done (const pass_t *self)
{
    return !self->sample->is_done || self->sample->is_done (self->test);
}

/* ---- without a fault ---- */

/* Every kind of the sample removed something in the passes of this process. */
static void sweeps_check (pass_t *self)
{
    svc_t *svc = optest_svc (self->test);
    for (const char *const *name = self->sample->sweeps; name && *name; name++) {
        size_t i = 0;
        while (i < sweep_kinds (svc) && strcmp (sweep_kind (svc, i)->kind, *name) != 0)
            i++;
        if (i == sweep_kinds (svc))
            wrong (self, 0, "there is no sweep", *name);
        else if (!atomic_load (&svc->metrics.swept[i].rows))
            wrong (self, 0, "nothing was removed by", *name);
    }
}

static void restarted_learn (pass_t *self)
{
    again (self);
    turn (self, SECOND_MS);
    if (fault_restart (self->test))
        wrong (self, 0, "the service", "did not start again");
    settle (self);
    self->restarted = changed (self);
}

static void learn (pass_t *self)
{
    again (self);
    if (self->sample->is_done && is_done (self))
        wrong (self, 0, "it is done", "before the pass");
    for (int i = 0; i < PASSES; i++)
        turn (self, SECOND_MS);
    settle (self);
    sweeps_check (self);
    self->delta = changed (self);
    if (!is_done (self) || (!self->sample->is_done && !*self->delta))
        wrong (self, 0, "the pass", "did nothing");
    restarted_learn (self);
}

/* ---- every n ---- */

static void fault_every (pass_t *self, fault_kind_t kind)
{
    enum { MOST = 100000 };
    bool fired = true;
    for (unsigned n = 1; fired && n < MOST && self->report.wrong < 3; n = fault_next (n)) {
        again (self);
        fault_set (&self->fault, self->test, kind, n);
        for (int i = 0; i < PASSES && (i == 0 || !self->fault.fired); i++)
            turn (self, SECOND_MS);
        fired = self->fault.fired;
        settle (self);
        char *delta = changed (self);
        if (strcmp (delta, self->delta) != 0 && strcmp (delta, self->restarted) != 0)
            wrong (self, n, "in the end it changed", delta);
        if (!is_done (self))
            wrong (self, n, "in the end it", "is not done");
        free (delta);
    }
}

static unsigned every_fault (optest_t *test, const nth_timer_t *sample)
{
    pass_t self = {
        .test = test, .sample = sample, .report = {.of = sample->name}, .clock = clock_now_ms ()};
    learn (&self);
    for (fault_kind_t kind = FAULT_WRITE; kind <= FAULT_HEAP && !self.report.wrong; kind++)
        if (kind != FAULT_ASK)
            fault_every (&self, kind);
    if (self.report.wrong)
        fprintf (stderr, "without a fault it changes %s\n", self.delta);
    optest_clock (test, self.clock - clock_now_ms ());
    fault_again (test);
    dump_destroy (&self.base);
    free (self.delta);
    free (self.restarted);
    return self.report.wrong;
}

/* ---- all of a service ---- */

static bool has (const char *const *names, const char *name)
{
    for (; names && *names; names++)
        if (strcmp (*names, name) == 0)
            return true;
    return false;
}

static unsigned missing (const svc_service_t *service, const nth_timer_t *samples, size_t count,
                         const char *name, bool sweep)
{
    for (size_t i = 0; i < count; i++)
        if (has (sweep ? samples[i].sweeps : samples[i].timers, name))
            return 0;
    fprintf (stderr, "%s: no sample has something to do for %s\n", service->schema->name, name);
    return 1;
}

unsigned nth_timers (optest_t *test, const nth_timer_t *samples, size_t count)
{
    const svc_service_t *service = optest_svc (test)->service;
    unsigned failures = fault_begin (test) != 0;
    for (size_t i = 0; i < service->timer_count; i++)
        failures += missing (service, samples, count, service->timers[i].name, false);
    for (size_t i = 0; i < service->retention_count; i++)
        failures += missing (service, samples, count, service->retentions[i].kind, true);
    for (size_t i = 0; i < count; i++)
        failures += every_fault (test, &samples[i]);
    return failures;
}
