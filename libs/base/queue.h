/* queue.h - hands items from many threads to one: a locked list with an eventfd.
 *
 * Items are intrusive: a struct whose first member is queue_item_t. The taker takes all that is
 * there at once. */
#ifndef AVIARY_BASE_QUEUE_H
#define AVIARY_BASE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct queue_item {
    struct queue_item *next;
} queue_item_t;

typedef struct queue queue_t;

queue_t *queue_new (void);           /* NULL if no memory or no eventfd */
void queue_destroy (queue_t **self); /* items still inside are the caller's loss: drain first */
bool queue_put (queue_t *self,
                queue_item_t *item); /* true: it was empty, whoever waits elsewhere wants a wake */
/* Between the two nobody is woken by what is put, so that the taker finds it all at once. For
 * moments. */
void queue_hold (queue_t *self);
void queue_go (queue_t *self);
/* A chain in order of putting, at most `most` items (0 = all), linked by next; NULL if empty. Never
 * blocks. */
queue_item_t *queue_take (queue_t *self, size_t most);
/* As queue_take, but waits up to timeout_ms (-1 = for ever) for a first item. */
queue_item_t *queue_wait (queue_t *self, size_t most, int timeout_ms);
/* As queue_wait, but once there is a first item waits until there are `count` of them, at most patience_us
 * from then on. */
queue_item_t *queue_gather (queue_t *self, size_t most, int timeout_ms, size_t count,
                            int64_t patience_us);
size_t queue_size (const queue_t *self);
/* Readable while items are there; for poll. Level-triggered: queue_take clears it when it empties
 * the queue. */
int queue_fd (const queue_t *self);
/* For a taker that goes on looking while it has work: call before it sleeps in poll. True: empty,
 * and the next put makes the descriptor readable; false: there is something, do not sleep. From
 * the first call on no other put does, so poll only after this said true; and the descriptor may
 * once be readable with nothing there. Not together with queue_wait. */
bool queue_arm (queue_t *self);
/* Wakes a taker that armed it and sleeps, once, with nothing there. */
void queue_nudge (queue_t *self);

#endif
