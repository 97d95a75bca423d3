/* bridge.h - a call from many threads to one, and waiting for its completion.
 *
 * A call has two sides: the asker (a loop or thread of the HTTP server) and the completer (the bus thread). Each holds a share; the memory goes when both have let go, so a
 * completion that comes after the asker gave up finds the call still there and is thrown away. Who owns what:
 *   - asker: fills the call, web_bridge_put, parks on it (web_park, or web_wait by itself), and afterwards looks at the result only if it was
 *     in time; web_park's server, or the asker itself, calls web_call_release.
 *   - completer: web_bridge_take, work, writes the result into the call, then web_call_complete (which lets go of its share).
 * Embed web_call_t as the first member of the caller's own struct. */
#ifndef AVIARY_WEB_BRIDGE_H
#define AVIARY_WEB_BRIDGE_H

#include "base/queue.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* One-shot: woken once, waited for by one thread. The memory must outlive both. */
typedef struct web_waiter {
    _Atomic uint32_t state;
} web_waiter_t;

void web_waiter_init (web_waiter_t *self);
/* True once woken (everything written before web_wake is visible); false after timeout_ms, and then a later wake is told that nobody waits. A wait
 * after a true or false one gives the same again. */
bool web_wait (web_waiter_t *self, uint32_t timeout_ms);
/* As web_wait, but may be asked again after false. */
bool web_wait_slice (web_waiter_t *self, uint32_t timeout_ms);
/* False if the waiter had given up (or was woken before). */
bool web_wake (web_waiter_t *self);
bool web_waiter_gave_up (const web_waiter_t *self);

typedef struct web_call web_call_t;
struct web_call {
    queue_item_t
        item; /* first: it travels through the bridge's queue, and to the asker's where it waits by one */
    web_waiter_t waiter;
    queue_t *told; /* where it goes when it is completed (web_call_tell) */
    void *asker;   /* whose it is there */
    atomic_uint shares;
    void (*destroy) (web_call_t *self);
};

/* Two shares. `destroy` frees the struct that the call is embedded in; it runs on whichever side lets go last. */
void web_call_init (web_call_t *self, void (*destroy) (web_call_t *self));
void web_call_release (web_call_t *self);
/* The completer's end: wake the asker and let go. False if the asker had given up. */
bool web_call_complete (web_call_t *self);
/* In place of web_wait, for an asker that waits for many: once completed, the call itself is put into `queue`. False: it is completed already, and comes into no queue. */
bool web_call_tell (web_call_t *self, queue_t *queue, void *asker);
/* After web_call_tell: true if it is not completed and now never comes; false: it is in the queue or on its way. */
bool web_call_give_up (web_call_t *self);
/* The asker has given up: work that has not begun need not begin. */
bool web_call_abandoned (const web_call_t *self);

typedef struct web_bridge web_bridge_t;

web_bridge_t *web_bridge_new (void); /* NULL without memory or file descriptors */
/* No thread may put any more. Calls never taken are completed as they are: their result says whatever web_call_init's caller put there before. */
void web_bridge_destroy (web_bridge_t **self);
void web_bridge_put (web_bridge_t *self, web_call_t *call);
/* Readable while calls wait; for the bus thread's poll. */
int web_bridge_fd (const web_bridge_t *self);
/* The calls that wait, at most `most` (0 = all), in order, or NULL. Read web_call_next before completing one. Never blocks. */
web_call_t *web_bridge_take (web_bridge_t *self, size_t most);
web_call_t *web_call_next (const web_call_t *self);

#endif
