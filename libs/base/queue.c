/* queue.c - a locked list whose eventfd is readable while it is not empty.
 *
 * The eventfd is written only when the list turns from empty to not empty and read only when it
 * turns back, both under the lock, so that it never lies but between queue_hold and queue_go. With a
 * taker that arms the queue it is written only for one that sleeps, and after the lock: who is woken
 * by it wants that lock, and would stop at it. Such a write may land late, in an empty queue; `owed`
 * counts those that are not read yet, so that the next take reads it. Putting and taking cannot
 * fail. */
#include "base/queue.h"
#include "base/clock.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t enough; /* `wanted` are there */
    size_t wanted;         /* 0 = nobody gathers */
    queue_item_t *first;
    queue_item_t **tail; /* where the next item is linked */
    _Atomic size_t size; /* changed under the lock, read without */
    bool held;           /* nobody is woken yet */
    bool lazy;           /* the taker arms it */
    bool armed;          /* and sleeps */
    uint64_t owed;       /* writes of the eventfd that were begun and not read */
    int fd;
};

queue_t *queue_new (void)
{
    queue_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (self->fd < 0) {
        free (self);
        return NULL;
    }
    pthread_condattr_t monotonic;
    pthread_condattr_init (&monotonic);
    pthread_condattr_setclock (&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init (&self->enough, &monotonic);
    pthread_condattr_destroy (&monotonic);
    if (pthread_mutex_init (&self->lock, NULL) != 0) {
        close (self->fd);
        free (self);
        return NULL;
    }
    self->tail = &self->first;
    return self;
}

static void event_raise (const queue_t *self)
{
    uint64_t one = 1;
    while (write (self->fd, &one, sizeof one) < 0 && errno == EINTR)
        continue;
}

static void event_lower (queue_t *self)
{
    uint64_t count;
    ssize_t got;
    while ((got = read (self->fd, &count, sizeof count)) < 0 && errno == EINTR)
        continue;
    if (got == sizeof count)
        self->owed -= count;
}

/* Who puts may be at such a write when what was put is taken already. */
static void writes_end (queue_t *self)
{
    struct pollfd event = {.fd = self->fd, .events = POLLIN};
    pthread_mutex_lock (&self->lock);
    while (self->owed) {
        event_lower (self);
        if (self->owed)
            poll (&event, 1, -1);
    }
    pthread_mutex_unlock (&self->lock);
}

void queue_destroy (queue_t **self)
{
    if (!self || !*self)
        return;
    writes_end (*self);
    pthread_mutex_destroy (&(*self)->lock);
    pthread_cond_destroy (&(*self)->enough);
    close ((*self)->fd);
    free (*self);
    *self = NULL;
}

/* Whether there is somebody to wake, who then is being woken. */
static bool wants_wake (queue_t *self, bool otherwise)
{
    bool wants = self->lazy ? self->armed : otherwise;
    if (wants)
        self->armed = false;
    self->owed += wants;
    return wants;
}

bool queue_put (queue_t *self, queue_item_t *item)
{
    item->next = NULL;
    pthread_mutex_lock (&self->lock);
    bool was_empty = !self->first, lazy = self->lazy;
    bool raise = !self->held && wants_wake (self, was_empty);
    if (raise && !lazy)
        event_raise (self);
    *self->tail = item;
    self->tail = &item->next;
    size_t size = atomic_fetch_add_explicit (&self->size, 1, memory_order_relaxed) + 1;
    if (self->wanted && size >= self->wanted)
        pthread_cond_signal (&self->enough);
    pthread_mutex_unlock (&self->lock);
    if (raise && lazy)
        event_raise (self);
    return was_empty;
}

void queue_hold (queue_t *self)
{
    pthread_mutex_lock (&self->lock);
    self->held = true;
    pthread_mutex_unlock (&self->lock);
}

void queue_go (queue_t *self)
{
    pthread_mutex_lock (&self->lock);
    self->held = false;
    bool lazy = self->lazy, raise = self->first && wants_wake (self, true);
    if (raise && !lazy)
        event_raise (self);
    pthread_mutex_unlock (&self->lock);
    if (raise && lazy)
        event_raise (self);
}

queue_item_t *queue_take (queue_t *self, size_t most)
{
    pthread_mutex_lock (&self->lock);
    queue_item_t *chain = self->first;
    size_t size = atomic_load_explicit (&self->size, memory_order_relaxed);
    if (chain && (most == 0 || most >= size)) {
        self->first = NULL;
        self->tail = &self->first;
        atomic_store_explicit (&self->size, 0, memory_order_relaxed);
    } else if (chain) {
        queue_item_t *last = chain;
        for (size_t i = 1; i < most; i++)
            last = last->next;
        self->first = last->next;
        last->next = NULL;
        atomic_store_explicit (&self->size, size - most, memory_order_relaxed);
    }
    self->armed = false;
    if (!self->first && self->owed)
        event_lower (self);
    pthread_mutex_unlock (&self->lock);
    return chain;
}

bool queue_arm (queue_t *self)
{
    pthread_mutex_lock (&self->lock);
    self->lazy = true;
    self->armed = !self->first;
    bool armed = self->armed;
    pthread_mutex_unlock (&self->lock);
    return armed;
}

void queue_nudge (queue_t *self)
{
    pthread_mutex_lock (&self->lock);
    bool raise = self->lazy && wants_wake (self, false);
    pthread_mutex_unlock (&self->lock);
    if (raise)
        event_raise (self);
}

/* Nothing is to be gathered where nothing is. */
static void gather (queue_t *self, size_t count, int64_t patience_us)
{
    int64_t until = clock_mono_us () + patience_us;
    struct timespec deadline = {.tv_sec = until / 1000000, .tv_nsec = until % 1000000 * 1000};
    pthread_mutex_lock (&self->lock);
    self->wanted = count;
    int code = 0;
    while (!code && self->first && atomic_load_explicit (&self->size, memory_order_relaxed) < count)
        code = pthread_cond_timedwait (&self->enough, &self->lock, &deadline);
    self->wanted = 0;
    pthread_mutex_unlock (&self->lock);
}

queue_item_t *queue_wait (queue_t *self, size_t most, int timeout_ms)
{
    return queue_gather (self, most, timeout_ms, 0, 0);
}

queue_item_t *queue_gather (queue_t *self, size_t most, int timeout_ms, size_t count,
                            int64_t patience_us)
{
    int64_t until = timeout_ms < 0 ? INT64_MAX : clock_mono_ms () + timeout_ms;
    for (;;) {
        if (patience_us > 0 && queue_size (self) < count)
            gather (self, count, patience_us);
        queue_item_t *chain = queue_take (self, most);
        if (chain)
            return chain;
        int64_t left = timeout_ms < 0 ? -1 : until - clock_mono_ms ();
        if (timeout_ms >= 0 && left <= 0)
            return NULL;
        struct pollfd event = {.fd = self->fd, .events = POLLIN};
        if (poll (&event, 1, (int) left) < 0 && errno != EINTR)
            return NULL;
    }
}

size_t queue_size (const queue_t *self)
{
    return atomic_load_explicit (&self->size, memory_order_relaxed);
}

int queue_fd (const queue_t *self)
{
    return self->fd;
}
