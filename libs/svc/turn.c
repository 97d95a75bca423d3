/* turn.c - what a handler may do with its turn: ids, events, failures, counters; steps that undo themselves.
 *
 * A step is a run under a savepoint and an arena trap. If it fails, the store forgets its writes and the runtime what it had staged
 * beside (event sequence, counters, answers of resumed asks). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "svc/inner.h"

static const envelope_t no_ask;

void turn_init (svc_t *svc, turn_t *t, turn_inner_t *inner, txn_t *txn, arena_t *arena,
                const envelope_t *header, bool reader)
{
    *inner =
        (turn_inner_t){.svc = svc, .ask_id = header ? header->id : id_nil (), .readonly = reader};
    settings_t *settings = atomic_load (&svc->settings);
    *t = (turn_t){.now = reader ? clock_now_ms () : svc->writer.now,
                  .arena = arena,
                  .txn = txn,
                  .ask = header ? header : &no_ask,
                  .context = svc->context,
                  .settings = settings ? settings->own : NULL,
                  .keyring = svc->keyring,
                  .svc = svc,
                  .inner = inner};
}

lanes_t *turn_lanes (const turn_t *t)
{
    return t->svc->writer.lanes;
}

/* ---- failures ---- */

int fail (turn_t *t, int code, const char *field, const char *format, ...)
{
    char text[FAILURE_TEXT_SIZE * 2];
    va_list args;
    va_start (args, format);
    vsnprintf (text, sizeof text, format, args);
    va_end (args);
    return failure_set (&t->failure, code, field, "%s", text);
}

void failure_finish (failure_t *failure, int code)
{
    if (error_class (code) == EC_SIGNAL)
        code = code == E_CONFLICT_RETRY ? E_UNAVAILABLE : E_INTERNAL;
    if (failure->code == code && *failure->text)
        return;
    int64_t retry = failure->retry_after_ms;
    *failure = (failure_t){0};
    failure_set (failure, code, NULL, "%s", error_doc (code));
    failure->retry_after_ms = retry;
}

/* ---- steps ---- */

turn_mark_t turn_mark (const turn_t *t)
{
    const writer_t *w = &t->svc->writer;
    return (turn_mark_t){.sequence = w->sequence,
                         .last_event = t->inner->last_event,
                         .counted = w->counted_count,
                         .resumed = w->resumed,
                         .keyed = keyed_mark (&w->keyed),
                         .lanes = w->lanes ? lanes_mark (w->lanes) : 0};
}

void turn_unmark (turn_t *t, turn_mark_t mark)
{
    writer_t *w = &t->svc->writer;
    w->sequence = mark.sequence;
    t->inner->last_event = mark.last_event;
    w->counted_count = mark.counted;
    keyed_rewind (&w->keyed, mark.keyed);
    if (w->lanes)
        lanes_rewind (w->lanes, mark.lanes);
    while (w->resumed != mark.resumed) {
        resumed_t *gone = w->resumed;
        w->resumed = gone->next;
        resumed_free (gone);
    }
}

int turn_trapped (turn_t *t, int (*run) (turn_t *t, void *context), void *context)
{
    jmp_buf trap;
    jmp_buf *volatile before = arena_trap (t->arena, &trap);
    volatile int code = E_NO_MEMORY;
    if (setjmp (trap) == 0)
        code = run (t, context);
    arena_trap (t->arena, before);
    return code;
}

int turn_step (turn_t *t, int (*run) (turn_t *t, void *context), void *context)
{
    turn_mark_t mark = turn_mark (t);
    int code = txn_savepoint (t->txn);
    if (code)
        return code;
    code = turn_trapped (t, run, context);
    if (code && code != E_PARKED) {
        txn_rollback (t->txn);
        turn_unmark (t, mark);
        return code;
    }
    int rc = txn_release (t->txn);
    if (rc)
        turn_unmark (t, mark);
    return rc ? rc : code;
}

/* ---- ids, counters, events ---- */

id16_t turn_id (turn_t *t)
{
    writer_t *w =
        &t->svc->writer; /* after a step back of the clock ids go on by the time before it */
    return t->inner->readonly ? id_next (&t->inner->ids, t->now)
                              : id_next (&w->ids, t->now + w->steps.lag);
}

void turn_count (turn_t *t, unsigned counter, uint64_t add)
{
    writer_t *w = &t->svc->writer;
    if (t->inner->readonly) {
        svc_count (t->svc, counter, add);
        return;
    }
    if (w->counted_count == w->counted_capacity) {
        size_t capacity = w->counted_capacity ? w->counted_capacity * 2 : 64;
        counted_t *more = realloc (w->counted, capacity * sizeof *more);
        if (!more)
            return;
        w->counted = more;
        w->counted_capacity = capacity;
    }
    w->counted[w->counted_count++] = (counted_t){counter, add};
}

static void sequence_key (uint64_t sequence, uint8_t out[8])
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t) (sequence >> (56 - 8 * i));
}

int event_add (turn_t *t, const schema_event_t *event, const event_about_t *about, const void *body)
{
    if (t->inner->readonly || !t->svc->journal.table)
        return fail (t, E_INTERNAL, NULL, "Events are made in turns of the owner");
    writer_t *w = &t->svc->writer;
    const envelope_t *ask = t->ask;
    uint64_t sequence = w->sequence + 1;
    buf_clear (&w->event_body);
    buf_clear (&w->event_row);
    schema_pack (event->type, body, &w->event_body);
    common_event_t e = {.sequence = (int64_t) sequence,
                        .number = event->number,
                        .at = t->now,
                        .id = turn_id (t),
                        .record = about->record,
                        .version = (int64_t) about->version,
                        .org = id_is_nil (about->org) ? ask->org : about->org,
                        .app = id_is_nil (about->app) ? ask->app : about->app,
                        .test = about->test || ask->test,
                        .trace = ask->trace,
                        .body = buf_bytes (&w->event_body),
                        .subject = about->subject ? about->subject : ask->subject};
    schema_pack (&common_event_type, &e, &w->event_row);
    uint8_t key[8];
    sequence_key (sequence, key);
    if (buf_failed (&w->event_body) || buf_failed (&w->event_row))
        return E_NO_MEMORY;
    int rc = kv_append (t->txn, t->svc->journal.table, bytes_of (key, sizeof key),
                        buf_bytes (&w->event_row));
    if (rc)
        return rc;
    w->sequence = sequence;
    t->inner->last_event = sequence;
    return erase_heard (t, event, body, false);
}

/* ---- ops ---- */

typedef struct call {
    const schema_op_t *op;
    int (*handler) (turn_t *, const void *, void *);
    bytes_t body;
    bytes_t *answer;
} call_t;

static int call_run (turn_t *t, void *context)
{
    call_t *call = context;
    void *in = arena_alloc (t->arena, call->op->in->size);
    void *out = arena_alloc (t->arena, call->op->out->size);
    int code = schema_unpack (call->op->in, call->body, t->arena, in, &t->failure);
    if (!code)
        code = call->handler (t, in, out);
    if (code)
        return code;
    buf_t packed = buf_in (t->arena);
    schema_pack (call->op->out, out, &packed);
    if (buf_failed (&packed))
        return E_NO_MEMORY;
    if (packed.size > ENVELOPE_BODY_MAX)
        return fail (t, E_TOO_LARGE, NULL,
                     "The answer would be larger than the bus carries; ask for less at a time");
    *call->answer = buf_bytes (&packed);
    return 0;
}

int op_call (turn_t *t, const schema_op_t *op, int (*handler) (turn_t *, const void *, void *),
             bytes_t body, bytes_t *answer)
{
    call_t call = {op, handler, body, answer};
    return turn_trapped (t, call_run, &call);
}
