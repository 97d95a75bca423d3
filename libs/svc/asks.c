/* asks.c - an ask from its arrival to its answer: where it runs, and the one exit.
 *
 * Every ask_t ends in exactly one ask_release. Writing ops go to the writer's inbox, reads to the readers. What cannot run here
 * (unknown op, not the owner) is answered at once. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "svc/inner.h"

ask_t *ask_new (svc_t *svc, uint64_t token, const envelope_t *header, bytes_t body, arena_t *arena)
{
    ask_t *ask = svc->spare_asks;
    if (ask) {
        svc->spare_asks = (ask_t *) (void *) ask->work.item.next;
        svc->spare_ask_count--;
        memset (ask, 0, sizeof *ask);
    } else if (!(ask = calloc (1, sizeof *ask))) {
        return NULL;
    }
    ask->work.kind = WORK_ASK;
    ask->svc = svc;
    ask->token = token;
    ask->header = *header;
    ask->body = body;
    ask->arena = arena;
    ask->arrived_us = clock_mono_us ();
    ask->deadline = clock_mono_ms () + (header->ttl_ms ? header->ttl_ms : 5000);
    ask->slot = (unsigned) svc->metrics.op_count - 1;
    atomic_fetch_add (&svc->under_way, 1);
    return ask;
}

void ask_free (ask_t *ask)
{
    arena_destroy (&ask->arena);
    free (ask);
}

void ask_set_failure (ask_t *ask, int code, const failure_t *failure)
{
    failure_t told = failure ? *failure : (failure_t){0};
    failure_finish (&told, code);
    ask->failed = true;
    ask->failure = told;
}

void ask_release (ask_t *ask)
{
    svc_t *svc = ask->svc;
    size_t used = arena_used (ask->arena);
    if (used > atomic_load_explicit (&svc->metrics.arena_peak, memory_order_relaxed))
        atomic_store_explicit (&svc->metrics.arena_peak, used, memory_order_relaxed);
    metrics_ask (svc, ask);
    log_ask (svc, ask);
    svc->release (svc, ask);
}

void ask_fail (ask_t *ask, int code, const char *format, ...)
{
    char text[FAILURE_TEXT_SIZE];
    va_list args;
    va_start (args, format);
    vsnprintf (text, sizeof text, format, args);
    va_end (args);
    ask->failed = true;
    ask->failure = (failure_t){0};
    failure_set (&ask->failure, code, NULL, "%s", text);
    ask_release (ask);
}

void ask_answer (ask_t *ask, const schema_type_t *type, const void *out)
{
    buf_t packed = {0};
    schema_pack (type, out, &packed);
    bool large = packed.size > ENVELOPE_BODY_MAX;
    if (!large && !buf_failed (&packed))
        ask->answer = bytes_of (arena_memdup (ask->arena, packed.data, packed.size), packed.size);
    bool failed = buf_failed (&packed) || (packed.size && !large && !ask->answer.data);
    buf_free (&packed);
    if (large)
        ask_fail (ask, E_TOO_LARGE,
                  "The answer would be larger than the bus carries; ask for less at a time");
    else if (failed)
        ask_fail (ask, E_NO_MEMORY, "%s", error_doc (E_NO_MEMORY));
    else
        ask_release (ask);
}

static const schema_op_t *op_find (const svc_t *svc, const char *name, size_t length,
                                   unsigned *slot)
{
    for (size_t i = 0; i < svc->schema->op_count; i++) {
        const schema_op_t *op = &svc->schema->ops[i];
        if (strncmp (op->name, name, length) == 0 && !op->name[length]) {
            *slot = (unsigned) i;
            return op;
        }
    }
    return NULL;
}

static bool to_writer (const ask_t *ask)
{
    return ask->op && (ask->op->flags & OP_WRITE);
}

void ask_dispatch (svc_t *svc, ask_t *ask)
{
    const char *dot = strrchr (ask->header.target, '.');
    const char *name = dot ? dot + 1 : ask->header.target;
    ask->op = op_find (svc, name, strlen (name), &ask->slot);
    const builtin_t *builtin = ask->op ? NULL : builtin_find (name);
    if (builtin)
        ask->slot = (unsigned) (svc->schema->op_count + (size_t) (builtin - builtins));
    if (builtin && svc->service->stateless && (builtin->flags & OP_OWNER))
        builtin = NULL;
    if (!ask->op && !builtin) {
        ask_fail (ask, E_UNKNOWN_OP, "%s has no operation %.64s", svc->schema->name, name);
        return;
    }
    unsigned flags = builtin ? builtin->flags : ask->op->flags;
    if (builtin && builtin->writes && svc->writer.inbox)
        ask->op = builtin->writes; /* its slot stays */
    if (!svc->service->stateless && (flags & (OP_WRITE | OP_OWNER)) && !atomic_load (&svc->owner)) {
        ask_fail (ask, E_NOT_OWNER, "%s", error_doc (E_NOT_OWNER));
        return;
    }
    if (to_writer (ask) && svc->writer.inbox)
        queue_put (svc->writer.inbox, &ask->work.item);
    else
        pool_put (&svc->pool, ask);
}
