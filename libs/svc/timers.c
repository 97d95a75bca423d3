/* timers.c - what runs by the clock: the service's timers and the runtime's own (turning tables, the sweeper).
 *
 * Each run is a step in a turn of the owner. E_CONFLICT_RETRY keeps what was done and runs again in the next turn. They follow wall time,
 * so that tests that advance the clock see them; a clock that stepped back does not stop them. */
#include <stdlib.h>

#include "svc/again.h"

struct timer_state {
    const char *name;
    int64_t every, next;
    int64_t next_before; /* this turn */
    int (*run) (turn_t *t);
    bool again;
};

static int run_repeat (turn_t *t)
{
    return turned_turn (&t->svc->writer.repeat, t, NULL);
}

static const svc_timer_t own[] = {
    {"svc.repeat", REPEAT_MS / 4, run_repeat},
    {"svc.sweep", 1000, sweep_run},
    {"svc.erase", 1000, erase_run},
};
enum { OWN = sizeof own / sizeof *own };

int timers_open (svc_t *svc)
{
    writer_t *w = &svc->writer;
    size_t count = OWN + svc->service->timer_count;
    w->timers = calloc (count, sizeof *w->timers);
    if (!w->timers)
        return E_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const svc_timer_t *row = i < OWN ? &own[i] : &svc->service->timers[i - OWN];
        int64_t first = row->every_ms < 1000 ? row->every_ms : 1000;
        w->timers[i] = (timer_state_t){
            .name = row->name, .every = row->every_ms, .next = w->now + first, .run = row->run};
    }
    w->timer_count = count;
    return 0;
}

void timers_close (svc_t *svc)
{
    free (svc->writer.timers);
    svc->writer.timers = NULL;
    svc->writer.timer_count = 0;
}

void timers_mark (writer_t *w)
{
    for (size_t i = 0; i < w->timer_count; i++)
        w->timers[i].next_before = w->timers[i].next;
}

void timers_unmark (writer_t *w)
{
    for (size_t i = 0; i < w->timer_count; i++)
        w->timers[i].next = w->timers[i].next_before;
}

static bool is_due (const timer_state_t *timer, int64_t now)
{
    return timer->next <= now || timer->next > now + timer->every + 1000;
}

bool timers_due (svc_t *svc, int64_t now)
{
    for (size_t i = 0; i < svc->writer.timer_count; i++)
        if (is_due (&svc->writer.timers[i], now))
            return true;
    return false;
}

int64_t timers_next (const svc_t *svc, int64_t now)
{
    int64_t wait = INT64_MAX;
    for (size_t i = 0; i < svc->writer.timer_count; i++) {
        const timer_state_t *timer = &svc->writer.timers[i];
        int64_t left = is_due (timer, now) ? 0 : timer->next - now;
        wait = left < wait ? left : wait;
    }
    return wait;
}

static int timer_run (turn_t *t, void *context)
{
    timer_state_t *timer = context;
    int rc = timer->run (t);
    timer->again = rc == E_CONFLICT_RETRY;
    return timer->again ? 0 : rc;
}

void timers_run (writer_t *w)
{
    for (size_t i = 0; i < w->timer_count; i++) {
        timer_state_t *timer = &w->timers[i];
        if (!is_due (timer, w->now))
            continue;
        turn_t t;
        turn_inner_t inner;
        turn_init (w->svc, &t, &inner, w->txn, w->arena, NULL, false);
        timer->again = false;
        int rc = turn_step (&t, timer_run, timer);
        if (rc && !txn_conflicted (w->txn))
            svc_log (w->svc, LOG_ERROR, "a timer failed", "timer", timer->name, "error.code",
                     error_name (rc), "detail", t.failure.text, NULL);
        timer->next = !rc && timer->again ? w->now : w->now + timer->every;
    }
}
