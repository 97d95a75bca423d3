/* optest_nth.c - ops and followers with every fault in every place. See optest_nth.h. */
#include "svc/optest_nth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "svc/inner.h"
#include "svc/optest_fault.h"

/* Notes of the clock and of what the store takes, which any turn may write. */
static const char *const skipped[] = {"svc.state", "svc.growth", NULL};

typedef struct nth {
    optest_t *test;
    const schema_op_t *op; /* or */
    const nth_event_t *event;
    const nth_ask_t *ask;
    dump_t *base;
    char *delta; /* what a whole success changes */
    char *later; /* and a little later, when jobs that need nobody had another turn */
    int clean;   /* and says */
    fault_report_t report;
} nth_t;

static void wrong (nth_t *self, fault_kind_t kind, unsigned n, const char *what, const char *more)
{
    fault_tell (&self->report, self->test, kind, n, what, more);
}

/* ---- one run ---- */

static void header_fill (const nth_t *self, envelope_t *header)
{
    *header = self->ask->header;
    header->id = id_nil ();
    if (!(self->op->flags & OP_KEYED))
        return;
    header->idem.dialect = "nth";
    header->idem.route = self->op->name;
    header->idem.key = "key";
    header->idem.scope = header->org;
    header->idem.request_id = "req_first";
}

/* The answer packed into *answer. */
static int ask_run (nth_t *self, envelope_t *header, buf_t *answer)
{
    optest_put_t *put = optest_put (self->test, self->ask->op, header, self->ask->in);
    if (self->op->flags & OP_WRITE)
        optest_turn (self->test);
    void *out = arena_alloc (optest_arena (self->test), self->op->out->size);
    int code = optest_take (self->test, put, out, NULL);
    buf_clear (answer);
    if (!code)
        schema_pack (self->op->out, out, answer);
    return code;
}

static int run (nth_t *self, envelope_t *header, buf_t *answer)
{
    return self->event ? optest_follow (self->test, self->event->event, &self->event->about,
                                        self->event->body, NULL)
                       : ask_run (self, header, answer);
}

static bool writes (const nth_t *self)
{
    return self->event || (self->op->flags & OP_WRITE);
}

/* What the store is now against the beginning; lives until the next call with the same place. */
static const char *changed (nth_t *self, dump_t **place)
{
    dump_destroy (place);
    *place = dump_new (optest_store (self->test), skipped);
    return *place ? dump_delta (self->base, *place) : "the store cannot be read";
}

/* ---- what must be ---- */

/* Stores fail as unavailable, memory as no_memory; what was parked in a turn that was lost is lost with the process. */
static bool is_told (const nth_t *self, fault_kind_t kind, int code, bool lost)
{
    if (lost && self->clean == E_PARKED && code == E_REPLICA_LOST)
        return true;
    if (kind == FAULT_WRITE || kind == FAULT_COMMIT)
        return code == E_IO;
    return code == E_NO_MEMORY || (lost && code == E_IO);
}

static void repeat_check (nth_t *self, fault_kind_t kind, unsigned n, envelope_t *header,
                          const buf_t *first)
{
    buf_t again = {0};
    dump_t *after = NULL;
    for (int other = 0; other < 2; other++) {
        bool keyed = self->op->flags & OP_KEYED;
        if (other && (!keyed || self->clean == E_PARKED))
            continue;
        if (other)
            header->id = id_nil ();
        int code = ask_run (self, header, &again);
        if (code != self->clean)
            wrong (self, kind, n, "repeated, it says", error_name (code));
        else if (!code && !bytes_equal (buf_bytes (&again), buf_bytes (first)))
            wrong (self, kind, n, "repeated, it says", "something else");
        if (strcmp (changed (self, &after), self->delta) != 0)
            wrong (self, kind, n, "repeated, it changed", dump_delta (self->base, after));
    }
    dump_destroy (&after);
    buf_free (&again);
}

static void jobs_go_on (nth_t *self)
{
    for (int i = 0; i < 3 || (i < 30 && fault_is_erasing (self->test)); i++)
        optest_advance (self->test, 1000);
}

/* The run was through, with a fault or without. A job that only the fault put off may come later. */
static void success_check (nth_t *self, fault_kind_t kind, unsigned n, envelope_t *header,
                           const buf_t *answer)
{
    dump_t *after = NULL;
    bool late = strcmp (changed (self, &after), self->delta) != 0;
    if (late)
        jobs_go_on (self);
    if (late && strcmp (changed (self, &after), self->later) != 0)
        wrong (self, kind, n, "it succeeded, and changed", dump_delta (self->base, after));
    dump_destroy (&after);
    if (self->op && !late)
        repeat_check (self, kind, n, header, answer);
    if (fault_again (self->test))
        wrong (self, kind, n, "the service", "did not start again");
}

static void failure_check (nth_t *self, fault_kind_t kind, unsigned n, int code, bool lost)
{
    dump_t *after = NULL;
    if (!is_told (self, kind, code, lost))
        wrong (self, kind, n, "it says", error_name (code));
    if (lost && fault_restart (self->test))
        wrong (self, kind, n, "the service", "did not start again");
    if (writes (self) && *changed (self, &after)) {
        wrong (self, kind, n, "it failed, and left", dump_delta (self->base, after));
        fault_again (self->test);
    }
    dump_destroy (&after);
}

/* ---- every n ---- */

static void fault_every (nth_t *self, fault_kind_t kind)
{
    enum { MOST = 100000 };
    fault_t fault;
    buf_t answer = {0};
    for (unsigned n = 1; n < MOST && self->report.wrong < 3; n = fault_next (n)) {
        envelope_t header = {0};
        if (self->op)
            header_fill (self, &header);
        fault_set (&fault, self->test, kind, n);
        int code = run (self, &header, &answer);
        optest_watch (self->test, NULL, NULL);
        bool lost = optest_is_fatal (self->test);
        if (code != self->clean || lost) {
            failure_check (self, kind, n, code, lost);
            if (!fault.fired)
                break; /* it told so above: nothing was wrong, and it failed */
            continue;
        }
        if (writes (self))
            success_check (self, kind, n, &header, &answer);
        if (!fault.fired)
            break;
    }
    buf_free (&answer);
}

static void later_learn (nth_t *self, buf_t *answer)
{
    envelope_t header = {0};
    dump_t *after = NULL;
    if (self->op)
        header_fill (self, &header);
    run (self, &header, answer);
    jobs_go_on (self);
    self->later = strdup (changed (self, &after));
    dump_destroy (&after);
    if (fault_again (self->test))
        wrong (self, FAULT_NONE, 0, "the service", "did not start again");
}

static void every_fault (nth_t *self)
{
    buf_t answer = {0};
    envelope_t header = {0};
    dump_t *after = NULL;
    if (self->op)
        header_fill (self, &header);
    self->base = dump_new (optest_store (self->test), skipped);
    self->clean = run (self, &header, &answer);
    self->delta = strdup (changed (self, &after));
    if (self->clean && self->clean != E_PARKED)
        wrong (self, FAULT_NONE, 0, "the sample is refused:", error_name (self->clean));
    else if (writes (self))
        success_check (self, FAULT_NONE, 0, &header, &answer);
    if (writes (self) && !self->report.wrong)
        later_learn (self, &answer);
    for (fault_kind_t kind = FAULT_WRITE; kind <= FAULT_HEAP && !self->report.wrong; kind++) {
        bool of_reads = kind == FAULT_ASK || kind == FAULT_HEAP;
        if ((writes (self) || of_reads) && !(self->event && kind == FAULT_ASK))
            fault_every (self, kind);
    }
    dump_destroy (&after);
    dump_destroy (&self->base);
    free (self->delta);
    free (self->later);
    buf_free (&answer);
}

/* ---- all of a service ---- */

static const schema_op_t *op_of (const svc_service_t *service, const char *name)
{
    for (size_t i = 0; i < service->schema->op_count; i++)
        if (strcmp (service->schema->ops[i].name, name) == 0)
            return &service->schema->ops[i];
    return NULL;
}

static unsigned ask_every_fault (optest_t *test, const nth_ask_t *ask)
{
    nth_t self = {.test = test,
                  .ask = ask,
                  .op = op_of (optest_svc (test)->service, ask->op),
                  .report = {.of = ask->op}};
    if (self.op)
        every_fault (&self);
    else
        wrong (&self, FAULT_NONE, 0, "there is", "no such op");
    if (self.report.wrong)
        fault_again (test);
    return self.report.wrong;
}

unsigned nth_asks (optest_t *test, const nth_ask_t *asks, size_t count, nth_seen_t *seen)
{
    const schema_service_t *schema = optest_svc (test)->service->schema;
    unsigned failures = fault_begin (test) != 0;
    for (size_t i = 0; i < count; i++) {
        const schema_op_t *op = op_of (optest_svc (test)->service, asks[i].op);
        if (op && op - schema->ops < NTH_OPS_MOST)
            seen->ops[op - schema->ops] = true;
        failures += ask_every_fault (test, &asks[i]);
    }
    return failures;
}

unsigned nth_unseen (optest_t *test, const nth_seen_t *seen)
{
    const schema_service_t *schema = optest_svc (test)->service->schema;
    unsigned missing = 0;
    for (size_t i = 0; i < schema->op_count; i++) {
        if (i < NTH_OPS_MOST && seen->ops[i])
            continue;
        fprintf (stderr, "%s.%s has no sample\n", schema->name, schema->ops[i].name);
        missing++;
    }
    return missing;
}

unsigned nth_follows (optest_t *test, const nth_event_t *events, size_t count)
{
    const svc_service_t *service = optest_svc (test)->service;
    unsigned failures = fault_begin (test) != 0;
    for (size_t i = 0; i < service->follow_count; i++) {
        const schema_event_t *event = service->follows[i].event;
        bool found = false;
        for (size_t k = 0; k < count; k++)
            found = found || events[k].event == event;
        if (!found)
            fprintf (stderr, "%s has no sample of %s.%s\n", service->schema->name, event->service,
                     event->name);
        failures += !found;
    }
    for (size_t i = 0; i < count; i++) {
        nth_t self = {.test = test, .event = &events[i], .report = {.of = events[i].event->name}};
        every_fault (&self);
        if (self.report.wrong)
            fault_again (test);
        failures += self.report.wrong;
    }
    return failures;
}
