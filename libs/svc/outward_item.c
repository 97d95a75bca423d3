/* outward_item.c - what goes to the outbound thread and comes back: one arena holds both; and the two rules that the thread shares with the scheduler. Fails only without memory. */
#include <string.h>

#include "svc/lanes_state.h"

outward_t *outward_new (arena_t *arena)
{
    if (!arena)
        return NULL;
    outward_t *self = arena_new_of (arena, outward_t);
    outward_done_t *done = arena_new_of (arena, outward_done_t);
    if (!self || !done) {
        arena_destroy (&arena);
        return NULL;
    }
    self->arena = done->arena = arena;
    self->done = done;
    return self;
}

void outward_destroy (outward_t **self)
{
    if (!self || !*self)
        return;
    arena_t *arena = (*self)->arena;
    arena_destroy (&arena);
    *self = NULL;
}

void outward_done_destroy (outward_done_t **self)
{
    if (!self || !*self)
        return;
    arena_t *arena = (*self)->arena;
    arena_destroy (&arena);
    *self = NULL;
}

static const char *copied (arena_t *arena, const char *text, bool *lost)
{
    const char *copy = arena_strdup (arena, text);
    *lost = *lost || (text && !copy);
    return copy;
}

void outcome_copy (arena_t *arena, const outcome_t *in, outcome_t *out)
{
    bool lost = false;
    outcome_t copy = *in;
    jmp_buf *trap = arena_trap (arena, NULL);
    copy.reason = copied (arena, in->reason, &lost);
    copy.address = copied (arena, in->address, &lost);
    copy.headers = copied (arena, in->headers, &lost);
    copy.body = bytes_of (NULL, 0);
    if (in->body.size) {
        /* A NUL behind it: bodies are often read as text. */
        uint8_t *body = arena_alloc (arena, in->body.size + 1);
        if (body) {
            memcpy (body, in->body.data, in->body.size);
            copy.body = bytes_of (body, in->body.size);
        }
        lost = lost || !body;
    }
    if (in->file) {
        copy.file = arena_memdup (arena, in->file, sizeof *in->file);
        lost = lost || !copy.file;
    }
    arena_trap (arena, trap);
    if (lost && !copy.code)
        copy.code = E_NO_MEMORY;
    *out = copy;
}

/* ---- what a group makes of outcomes ---- */

bool job_has_failed (const job_kind_t *kind, const outcome_t *outcome)
{
    if (kind->is_breaker_failure)
        return kind->is_breaker_failure (outcome);
    return outcome->stage != FETCH_ANSWERED || outcome->status == 429 || outcome->status >= 500;
}

unsigned job_width (unsigned width, unsigned narrow, unsigned after, unsigned failures)
{
    return after && failures >= after && narrow < width ? narrow : width;
}
