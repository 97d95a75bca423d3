/* mirror.h - the broker's end of the tap: who listens, what each of them wants, and what goes to them.
 *
 * There are two sorts of listeners. Plain ones subscribe to a service's name ("" = all) and get each envelope as a message of its own. The others subscribe to a
 * sieve (sieve.h): they get only what passes it, many envelopes in one message, and a word each second that says that somebody sieves. Who is slow
 * misses messages, nobody waits for him. */
#ifndef AVIARY_BUS_MIRROR_H
#define AVIARY_BUS_MIRROR_H

#include "bus/tap.h"
#include "bus/wire.h"

/* A bit for each listener that is meant. */
typedef uint64_t mirror_set_t;

typedef struct mirror_target {
    bytes_t target; /* as sent */
    bytes_t op;     /* its last part; empty if it has none */
    bool common;    /* an op that all services have */
} mirror_target_t;

/* In a ZeroMQ context. 0, E_NO_MEMORY, or as router_new. */
int mirror_new (void *context, const char *endpoint, mirror_t **out, failure_t *failure);
void mirror_destroy (mirror_t **self);
int mirror_fd (const mirror_t *self); /* readable: see mirror_look */
/* Takes note of who came and went. */
void mirror_look (mirror_t *self);
/* At the end of a round: what is gathered leaves, and mirror_look if a wake may have got lost. */
void mirror_turn (mirror_t *self);
bool mirror_is_watched (const mirror_t *self);

/* Who wants an ask. */
mirror_set_t mirror_of_ask (const mirror_t *self, const mirror_target_t *target,
                            const envelope_route_t *route);
/* Who wants an answer or failure; `asked`: who wanted its ask, all ones if that is not known. */
mirror_set_t mirror_of_answer (const mirror_t *self, const mirror_target_t *target,
                               mirror_set_t asked);
/* To those of the set. Sieved listeners get it with mirror_turn at the latest. */
void mirror_send (mirror_t *self, mirror_set_t to, const tap_meta_t *meta, bytes_t target,
                  bytes_t header, const frame_t *body);
/* Tells sieved listeners that they are; to be called often. */
void mirror_beat (mirror_t *self, int64_t now_ms);

/* Envelopes given to listeners, and those that were not because they are slow. */
uint64_t mirror_sent (const mirror_t *self);
uint64_t mirror_dropped (const mirror_t *self);

#endif
