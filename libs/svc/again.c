/* again.c - see again.h. */
#include "svc/again.h"

#include <stdlib.h>

void again_start (writer_t *w, work_t *chain)
{
    again_t *self = &w->again;
    work_t **end = &self->chain;
    for (work_t *work = chain; work; work = (work_t *) (void *) work->item.next) {
        ask_t *ask = work->kind == WORK_ASK ? (ask_t *) (void *) work : NULL;
        if (ask)
            ask->mark = arena_mark (ask->arena);
        *end = work;
        end = &work->also;
    }
    *end = NULL;
    self->tries = 0;
    self->waiting = w->waiting;
    self->sequence = w->sequence;
    self->repeat = w->repeat;
    self->before = w->keyed.before;
    self->has_before = w->keyed.has_before;
    self->growth_at = w->growth_at;
    self->steps_changed = w->steps.changed;
    self->quarantined = atomic_load (&w->svc->metrics.quarantined);
    timers_mark (w);
    sweep_mark (w);
    erase_mark (w);
}

work_t *again_chain (writer_t *w)
{
    for (work_t *work = w->again.chain; work; work = work->also)
        work->item.next = work->also ? &work->also->item : NULL;
    return w->again.chain;
}

/* As it was before it ran; only its credit was given back for good. */
static void ask_unmark (ask_t *ask)
{
    ask->failed = ask->replayed = ask->twin = false;
    ask->answer = (bytes_t){0};
    ask->failure = (failure_t){0};
    ask->first_request_id = NULL;
    ask->settle = 0;
    ask->until = 0;
    ask->parked = id_nil ();
    arena_rewind (ask->arena, &ask->mark);
}

static void asks_unmark (writer_t *w)
{
    while (w->waiting != w->again.waiting) { /* those that this turn parked are in front */
        w->waiting = (ask_t *) (void *) w->waiting->work.item.next;
        atomic_fetch_sub (&w->svc->metrics.parked_waiting, 1);
    }
    for (work_t *work = w->again.chain; work; work = work->also)
        if (work->kind == WORK_ASK)
            ask_unmark ((ask_t *) (void *) work);
}

bool again_take (writer_t *w, int code)
{
    const again_t *self = &w->again;
    if (!txn_again (code, &w->again.tries))
        return false;
    atomic_fetch_add (&w->svc->metrics.again, 1);
    asks_unmark (w);
    w->sequence = self->sequence;
    w->repeat = self->repeat;
    w->keyed.before = self->before;
    w->keyed.has_before = self->has_before;
    w->growth_at = self->growth_at;
    w->steps.changed = self->steps_changed;
    atomic_store (&w->svc->metrics.quarantined, self->quarantined);
    if (w->lanes)
        lanes_aborted (w->lanes);
    timers_unmark (w);
    sweep_unmark (w);
    erase_unmark (w);
    follow_unmark (w);
    writer_forget (w);
    return true;
}

void again_over (writer_t *w)
{
    for (work_t *work = w->again.chain, *next; work; work = next) {
        next = work->also;
        if (work->kind == WORK_OUTWARD)
            outward_work_free (work, w->lanes);
        else if (work->kind == WORK_WAKE)
            free (work);
    }
    w->again.chain = NULL;
}
