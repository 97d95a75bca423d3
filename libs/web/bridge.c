/* bridge.c - calls with two owners, a futex to wait on, a queue to the bus thread. Nothing here fails but web_bridge_new. */
#include "web/bridge.h"

#include "base/clock.h"
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { WAITER_IDLE, WAITER_ASLEEP, WAITER_TOLD, WAITER_WOKEN, WAITER_GAVE_UP };

void web_waiter_init (web_waiter_t *self)
{
    atomic_init (&self->state, WAITER_IDLE);
}

static void waiter_sleep (web_waiter_t *self, int64_t left_ms)
{
    struct timespec time = {.tv_sec = (time_t) (left_ms / 1000),
                            .tv_nsec = (long) (left_ms % 1000) * 1000000};
    syscall (SYS_futex, (uint32_t *) &self->state, FUTEX_WAIT_PRIVATE, WAITER_ASLEEP, &time, NULL,
             0);
}

bool web_wait_slice (web_waiter_t *self, uint32_t timeout_ms)
{
    int64_t left_ms = timeout_ms, until_ms = clock_mono_ms () + left_ms;
    for (;; left_ms = until_ms - clock_mono_ms ()) {
        uint32_t seen = atomic_load_explicit (&self->state, memory_order_acquire);
        if (seen == WAITER_WOKEN || seen == WAITER_GAVE_UP)
            return seen == WAITER_WOKEN;
        if (left_ms <= 0)
            return false;
        if (seen == WAITER_IDLE &&
            !atomic_compare_exchange_strong (&self->state, &seen, WAITER_ASLEEP))
            continue;
        waiter_sleep (self, left_ms);
    }
}

bool web_wait (web_waiter_t *self, uint32_t timeout_ms)
{
    if (web_wait_slice (self, timeout_ms))
        return true;
    uint32_t seen = atomic_load_explicit (&self->state, memory_order_acquire);
    while (seen != WAITER_WOKEN && seen != WAITER_GAVE_UP)
        if (atomic_compare_exchange_weak (&self->state, &seen, WAITER_GAVE_UP))
            return false;
    return seen == WAITER_WOKEN;
}

/* What it was before; WAITER_WOKEN and WAITER_GAVE_UP stay. */
static uint32_t waiter_end (web_waiter_t *self)
{
    uint32_t seen = atomic_load_explicit (&self->state, memory_order_acquire);
    while (seen != WAITER_WOKEN && seen != WAITER_GAVE_UP)
        if (atomic_compare_exchange_weak_explicit (&self->state, &seen, WAITER_WOKEN,
                                                   memory_order_acq_rel, memory_order_acquire))
            break;
    if (seen == WAITER_ASLEEP)
        syscall (SYS_futex, (uint32_t *) &self->state, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
    return seen;
}

bool web_wake (web_waiter_t *self)
{
    uint32_t was = waiter_end (self);
    return was != WAITER_WOKEN && was != WAITER_GAVE_UP;
}

bool web_waiter_gave_up (const web_waiter_t *self)
{
    return atomic_load_explicit (&self->state, memory_order_acquire) == WAITER_GAVE_UP;
}

void web_call_init (web_call_t *self, void (*destroy) (web_call_t *self))
{
    self->item.next = NULL;
    self->told = NULL;
    self->asker = NULL;
    web_waiter_init (&self->waiter);
    atomic_init (&self->shares, 2);
    self->destroy = destroy;
}

void web_call_release (web_call_t *self)
{
    if (atomic_fetch_sub_explicit (&self->shares, 1, memory_order_acq_rel) == 1 &&
        self->destroy != NULL)
        self->destroy (self);
}

bool web_call_complete (web_call_t *self)
{
    uint32_t was = waiter_end (&self->waiter);
    if (was == WAITER_TOLD)
        queue_put (self->told, &self->item);
    web_call_release (self);
    return was != WAITER_WOKEN && was != WAITER_GAVE_UP;
}

bool web_call_tell (web_call_t *self, queue_t *queue, void *asker)
{
    uint32_t idle = WAITER_IDLE;
    self->told = queue;
    self->asker = asker;
    return atomic_compare_exchange_strong_explicit (&self->waiter.state, &idle, WAITER_TOLD,
                                                    memory_order_acq_rel, memory_order_acquire);
}

bool web_call_give_up (web_call_t *self)
{
    uint32_t told = WAITER_TOLD;
    return atomic_compare_exchange_strong_explicit (&self->waiter.state, &told, WAITER_GAVE_UP,
                                                    memory_order_acq_rel, memory_order_acquire);
}

bool web_call_abandoned (const web_call_t *self)
{
    return web_waiter_gave_up (&self->waiter);
}

struct web_bridge {
    queue_t *queue;
};

web_bridge_t *web_bridge_new (void)
{
    web_bridge_t *self = calloc (1, sizeof *self);
    if (self == NULL)
        return NULL;
    self->queue = queue_new ();
    if (self->queue == NULL) {
        free (self);
        return NULL;
    }
    return self;
}

void web_bridge_destroy (web_bridge_t **self_p)
{
    if (self_p == NULL || *self_p == NULL)
        return;
    web_bridge_t *self = *self_p;
    *self_p = NULL;
    for (web_call_t *call = web_bridge_take (self, 0), *next; call != NULL; call = next) {
        next = web_call_next (call);
        web_call_complete (call);
    }
    queue_destroy (&self->queue);
    free (self);
}

void web_bridge_put (web_bridge_t *self, web_call_t *call)
{
    queue_put (self->queue, &call->item);
}

int web_bridge_fd (const web_bridge_t *self)
{
    return queue_fd (self->queue);
}

web_call_t *web_bridge_take (web_bridge_t *self, size_t most)
{
    return (web_call_t *) (void *) queue_take (self->queue, most);
}

web_call_t *web_call_next (const web_call_t *self)
{
    return (web_call_t *) (void *) self->item.next;
}
