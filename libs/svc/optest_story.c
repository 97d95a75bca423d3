/* optest_story.c - lives of jobs with every fault in every place. See optest_nth.h.
 *
 * Whatever failed: the jobs go on, in this process or in the next, and in the end the store is as if nothing had been. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "svc/inner.h"
#include "svc/optest_fault.h"
#include "svc/optest_nth.h"

enum { STEPS = 400, SOON_MS = 3600 * 1000, BEGIN_TIMES = 3, ENDS_MOST = 32 };

/* Notes of the clock and of what the store takes, and answers that are kept for a time: clocks move here. */
static const char *const skipped[] = {
    "svc.state",       "svc.growth", "svc.repeat_a", "svc.repeat_b", "svc.keyed",
    "svc.keyed_turns", NULL};

typedef struct tale {
    optest_t *test;
    const nth_story_t *story;
    fault_t fault;
    unsigned sends;
    dump_t *base;
    char *ends
        [ENDS_MOST]; /* what it changes: whole first, then as failed sends left it where the story says that they may */
    size_t end_count;
    fault_report_t report;
} tale_t;

static void wrong (tale_t *self, unsigned n, const char *what, const char *more)
{
    fault_tell (&self->report, self->test, self->fault.kind, n, what, more);
}

/* ---- one run ---- */

static bool is_send (fault_kind_t kind)
{
    return kind >= FAULT_NOT_SENT;
}

static outcome_t failed_send (const outward_t *job, fault_kind_t kind)
{
    if (job->out.how == OUT_ASK)
        return (outcome_t){.stage = FETCH_NOT_SENT,
                           .code = E_UNAVAILABLE,
                           .failure = {.code = E_UNAVAILABLE, .text = "away"}};
    if (kind == FAULT_NOT_SENT)
        return (outcome_t){
            .stage = FETCH_NOT_SENT, .code = E_UNAVAILABLE, .reason = "connection refused"};
    if (kind == FAULT_CUT)
        return (outcome_t){.stage = FETCH_SENT, .code = E_TIMEOUT, .reason = "no answer"};
    return (outcome_t){
        .stage = FETCH_ANSWERED, .status = 500, .body = bytes_of_str ("<html>{\"id\":[")};
}

static void answered (tale_t *self, outward_t *job)
{
    fault_t *fault = &self->fault;
    outcome_t outcome = {.stage = FETCH_ANSWERED, .status = 200};
    if (job->out.how == OUT_WAIT)
        outcome = (outcome_t){.stage = FETCH_ANSWERED, .body = job->out.body};
    else if (is_send (fault->kind) && fault->left && --fault->left == 0)
        outcome = failed_send (job, fault->kind);
    else if (self->story->answer)
        self->story->answer (job, &outcome);
    fault->fired = fault->fired || (is_send (fault->kind) && !fault->left);
    optest_job_done (self->test, job, &outcome);
}

/* Until there is nothing more to do within the hour. */
static bool goes_to_its_end (tale_t *self)
{
    for (int step = 0; step < STEPS; step++) {
        if (optest_is_fatal (self->test) && fault_restart (self->test))
            return false;
        outward_t *job = optest_job (self->test);
        if (job) {
            answered (self, job);
            continue;
        }
        int64_t next = lanes_next (optest_svc (self->test)->writer.lanes), now = clock_now_ms ();
        bool over = next > now + SOON_MS;
        if (over && !fault_is_erasing (self->test))
            return true;
        if (over)
            next = now + 1000;
        optest_advance (self->test, next > now ? next - now : 1);
    }
    return false;
}

static bool begins (tale_t *self)
{
    int rc = E_INTERNAL;
    for (int i = 0; rc && i < BEGIN_TIMES; i++) {
        if (optest_is_fatal (self->test) && fault_restart (self->test))
            return false;
        rc = self->story->begin (self->test);
    }
    return rc == 0;
}

static char *changed (tale_t *self)
{
    return fault_changed (self->test, self->base, skipped);
}

/* ---- every n ---- */

static void told_once (tale_t *self, fault_kind_t kind, unsigned n)
{
    fault_set (&self->fault, self->test, kind, n);
    if (!begins (self))
        wrong (self, n, "it", "does not begin");
    else if (!goes_to_its_end (self))
        wrong (self, n, "it", "does not end");
    optest_watch (self->test, NULL, NULL);
    if (fault_rows (self->test, "svc.quarantine"))
        wrong (self, n, "a job went to", "quarantine");
}

static bool is_an_end (const tale_t *self, const char *delta)
{
    size_t i = 0;
    while (i < self->end_count && strcmp (self->ends[i], delta) != 0)
        i++;
    return i < self->end_count;
}

static void end_add (tale_t *self, char *delta)
{
    if (self->end_count < ENDS_MOST)
        self->ends[self->end_count++] = delta;
    else
        free (delta);
}

static void fault_every (tale_t *self, fault_kind_t kind)
{
    enum { MOST = 100000 };
    bool fired = true;
    for (unsigned n = 1; fired && n < MOST && self->report.wrong < 3; n = fault_next (n)) {
        told_once (self, kind, n);
        fired = self->fault.fired;
        char *delta = changed (self);
        bool known = is_an_end (self, delta), may = is_send (kind) && self->story->ends_otherwise;
        if (!known && !may)
            wrong (self, n, "in the end it changed", delta);
        if (known || !may)
            free (delta);
        else
            end_add (self, delta);
        if (fault_again (self->test))
            wrong (self, n, "the service", "did not start again");
    }
}

static void every_fault (tale_t *self)
{
    self->base = dump_new (optest_store (self->test), skipped);
    told_once (self, FAULT_NONE, 0);
    end_add (self, changed (self));
    if (fault_again (self->test))
        wrong (self, 0, "the service", "did not start again");
    for (fault_kind_t kind = FAULT_NOT_SENT; kind < FAULT_KINDS && !self->report.wrong; kind++)
        fault_every (self, kind);
    for (fault_kind_t kind = FAULT_WRITE; kind <= FAULT_HEAP && !self->report.wrong; kind++)
        if (kind != FAULT_ASK)
            fault_every (self, kind);
    if (self->report.wrong)
        fprintf (stderr, "without a fault it changes %s\n", self->ends[0]);
    dump_destroy (&self->base);
    while (self->end_count)
        free (self->ends[--self->end_count]);
}

static bool has_kind (const nth_story_t *story, const job_kind_t *kind)
{
    for (const job_kind_t *const *k = story->kinds; *k; k++)
        if (*k == kind)
            return true;
    return false;
}

unsigned nth_stories (optest_t *test, const nth_story_t *stories, size_t count)
{
    const svc_service_t *service = optest_svc (test)->service;
    unsigned failures = fault_begin (test) != 0;
    for (size_t i = 0; i < service->job_count; i++) {
        bool found = false;
        for (size_t k = 0; k < count; k++)
            found = found || has_kind (&stories[k], service->jobs[i]);
        if (!found)
            fprintf (stderr, "%s: no story has a job of kind %s\n", service->schema->name,
                     service->jobs[i]->name);
        failures += !found;
    }
    for (size_t i = 0; i < count; i++) {
        tale_t self = {.test = test, .story = &stories[i], .report = {.of = stories[i].name}};
        every_fault (&self);
        if (self.report.wrong)
            fault_again (test);
        failures += self.report.wrong;
    }
    return failures;
}
