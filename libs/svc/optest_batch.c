/* optest_batch.c - following with every fault in every place: what asks, what applies a batch, what notes how far it is. See optest_nth.h.
 *
 * The services that are followed are played here: they hand out the samples as a journal, by the cursor that they are asked with. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "svc/inner.h"
#include "svc/optest_fault.h"
#include "svc/optest_nth.h"

enum { ROUNDS = 60, LATER_MS = 10000, SECOND_MS = 1000, TELLERS_MOST = 8, EVENTS_MOST = 64 };

static const char *const skipped[] = {"svc.state", "svc.growth", NULL};

/* One that is followed. */
typedef struct teller {
    const char *service;
    common_event_t events[EVENTS_MOST];
    size_t count;
} teller_t;

typedef struct batches {
    optest_t *test;
    fault_t fault;
    arena_t *arena;
    teller_t tellers[TELLERS_MOST];
    size_t teller_count;
    bool (*check) (optest_t *test);
    dump_t *base;
    char *delta;
    fault_report_t report;
} batches_t;

static void wrong (batches_t *self, unsigned n, const char *what, const char *more)
{
    fault_tell (&self->report, self->test, self->fault.kind, n, what, more);
}

/* ---- those that are followed ---- */

static teller_t *teller_of (batches_t *self, const char *service)
{
    for (size_t i = 0; i < self->teller_count; i++)
        if (strcmp (self->tellers[i].service, service) == 0)
            return &self->tellers[i];
    if (self->teller_count == TELLERS_MOST)
        return NULL;
    self->tellers[self->teller_count].service = service;
    return &self->tellers[self->teller_count++];
}

static bool told (batches_t *self, const nth_event_t *sample)
{
    static id_source_t ids;
    teller_t *teller = teller_of (self, sample->event->service);
    if (!teller || teller->count == EVENTS_MOST)
        return false;
    buf_t body = buf_in (self->arena);
    schema_pack (sample->event->type, sample->body, &body);
    teller->events[teller->count] = (common_event_t){.sequence = (int64_t) teller->count + 1,
                                                     .number = sample->event->number,
                                                     .at = clock_now_ms (),
                                                     .id = id_next (&ids, clock_now_ms ()),
                                                     .record = sample->about.record,
                                                     .version = (int64_t) sample->about.version,
                                                     .org = sample->about.org,
                                                     .app = sample->about.app,
                                                     .test = sample->about.test,
                                                     .body = buf_bytes (&body)};
    teller->count++;
    return !buf_failed (&body);
}

static bytes_t cursor_text (arena_t *arena, uint64_t sequence)
{
    cursor_t cursor = {.epoch = {{7}}, .sequence = sequence};
    uint8_t *text = arena_alloc (arena, CURSOR_SIZE);
    cursor_write (&cursor, text);
    return bytes_of (text, CURSOR_SIZE);
}

/* Half of what there is at a time. As a journal does, it takes one who says nothing of where he is to its end. */
static void journal_tell (batches_t *self, const teller_t *teller, bytes_t in, buf_t *out)
{
    common_journal_read_in_t ask = {0};
    cursor_t at = {.sequence = teller->count};
    if (schema_unpack (&common_journal_read_in_type, in, self->arena, &ask, NULL) ||
        (ask.cursor.size && !cursor_read (ask.cursor, &at)))
        return;
    size_t left = teller->count - at.sequence, most = (teller->count + 1) / 2;
    size_t count = left < most ? left : most;
    common_journal_read_out_t answer = {
        .events = {(void *) (uintptr_t) &teller->events[at.sequence], count},
        .cursor = cursor_text (self->arena, at.sequence + count),
        .head = (int64_t) teller->count};
    schema_pack (&common_journal_read_out_type, &answer, out);
}

static void snapshot_tell (batches_t *self, bytes_t in, buf_t *out)
{
    common_snapshot_read_in_t ask = {0};
    common_snapshot_read_out_t answer = {0};
    if (schema_unpack (&common_snapshot_read_in_type, in, self->arena, &ask, NULL))
        return;
    if (ask.cursor.size)
        answer.journal = cursor_text (self->arena, 0);
    else
        answer.cursor = bytes_of ("page", 4);
    schema_pack (&common_snapshot_read_out_type, &answer, out);
}

static void answer (batches_t *self, const svc_ask_t *ask)
{
    buf_t body = buf_in (self->arena);
    const char *dot = strchr (ask->header.target, '.');
    failure_t failure = {0};
    for (size_t i = 0; i < self->teller_count; i++) {
        const teller_t *teller = &self->tellers[i];
        if (strncmp (ask->header.target, teller->service, (size_t) (dot - ask->header.target)) != 0)
            continue;
        if (strcmp (dot, ".snapshot_read") == 0)
            snapshot_tell (self, ask->body, &body);
        else
            journal_tell (self, teller, ask->body, &body);
    }
    if (!body.size)
        failure_set (&failure, E_BAD_REQUEST, NULL, "cannot be read");
    fault_around (&self->fault, NULL, true);
    ask->done (ask->context, &ask->header, buf_bytes (&body), body.size ? NULL : &failure);
    fault_around (&self->fault, NULL, false);
}

/* ---- one run ---- */

static void go_on (batches_t *self)
{
    svc_t *svc = optest_svc (self->test);
    if (optest_is_fatal (self->test) && fault_restart (self->test))
        wrong (self, 0, "the service", "did not start again");
    atomic_store (&svc->connected, true);
}

/* How far the store says that all are. */
static bool are_behind (batches_t *self)
{
    svc_t *svc = optest_svc (self->test);
    txn_t *txn = NULL;
    bool all = !txn_begin (svc->store, TXN_READ, &txn);
    for (size_t i = 0; all && i < self->teller_count; i++) {
        const teller_t *teller = &self->tellers[i];
        bytes_t row;
        cursor_t at = {0};
        all = !kv_get (txn, store_table (svc->store, "svc.cursors"), bytes_of_str (teller->service),
                       &row);
        mp_reader_t in = mp_read (row);
        all = all && mp_read_array (&in) == 3 && mp_read_int (&in) == 2 /* the journal */ &&
              cursor_read (mp_read_bin (&in), &at) && at.sequence == teller->count;
    }
    txn_abort (&txn);
    return all;
}

static void drained (batches_t *self)
{
    svc_t *svc = optest_svc (self->test);
    atomic_store (&svc->draining, true);
    if (follow_unstored (svc))
        optest_turn (self->test);
    go_on (self);
    atomic_store (&svc->draining, false);
}

static void follow (batches_t *self)
{
    svc_t *svc = optest_svc (self->test);
    go_on (self);
    for (int i = 0; i < ROUNDS && !are_behind (self); i++) {
        fault_around (&self->fault, NULL, true);
        follow_tick (svc, clock_mono_ms () + LATER_MS);
        fault_around (&self->fault, NULL, false);
        for (queue_item_t *item = queue_take (svc->asks, 0), *next; item; item = next) {
            next = item->next;
            answer (self, (const svc_ask_t *) (const void *) item);
        }
        optest_jobs_turn (self->test);
        go_on (self);
        drained (self);
    }
}

static char *changed (batches_t *self)
{
    return fault_changed (self->test, self->base, skipped);
}

/* Then once more from the store: what was lost in memory alone would show. */
static char *run (batches_t *self, unsigned n)
{
    follow (self);
    optest_watch (self->test, NULL, NULL);
    if (!are_behind (self))
        wrong (self, n, "the places in the store", "are not behind the last event");
    for (int i = 0; i < 3; i++)
        if (fault_restart (self->test) || optest_advance (self->test, SECOND_MS))
            wrong (self, n, "the service", "did not go on");
    if (self->check && !self->check (self->test))
        wrong (self, n, "what the events did", "is something else");
    return changed (self);
}

/* ---- every n ---- */

static void fault_every (batches_t *self, fault_kind_t kind)
{
    enum { MOST = 100000 };
    bool fired = true;
    for (unsigned n = 1; fired && n < MOST && self->report.wrong < 3; n = fault_next (n)) {
        if (fault_again (self->test))
            wrong (self, n, "the service", "did not start again");
        fault_set (&self->fault, self->test, kind, n);
        char *delta = run (self, n);
        fired = self->fault.fired;
        if (strcmp (delta, self->delta) != 0)
            wrong (self, n, "in the end it changed", delta);
        free (delta);
    }
}

static void every_fault (batches_t *self)
{
    self->base = dump_new (optest_store (self->test), skipped);
    fault_set (&self->fault, self->test, FAULT_NONE, 0);
    self->delta = run (self, 0);
    for (fault_kind_t kind = FAULT_WRITE; kind <= FAULT_HEAP && !self->report.wrong; kind++)
        if (kind != FAULT_ASK)
            fault_every (self, kind);
    if (self->report.wrong)
        fprintf (stderr, "without a fault it changes %s\n", self->delta);
    fault_again (self->test);
    dump_destroy (&self->base);
    free (self->delta);
}

unsigned nth_batches (optest_t *test, const nth_event_t *events, size_t count,
                      bool (*check) (optest_t *test))
{
    batches_t *self = calloc (1, sizeof *self);
    unsigned failures = fault_begin (test) != 0;
    *self = (batches_t){
        .test = test, .report = {.of = "following"}, .arena = optest_arena (test), .check = check};
    for (size_t i = 0; i < count; i++)
        failures += !told (self, &events[i]);
    every_fault (self);
    failures += self->report.wrong;
    free (self);
    return failures;
}
