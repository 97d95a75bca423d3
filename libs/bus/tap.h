/* tap.h - what passes on the bus, seen from outside: `aviary tap` and the metrics of tests.
 *
 * The broker mirrors what it forwards only while somebody listens, and of that only what he wants; who is slow misses messages, nobody
 * waits for him. A broker that does not know sieves sends all of the service, and so does one that has no place for another. */
#ifndef AVIARY_BUS_TAP_H
#define AVIARY_BUS_TAP_H

#include "bus/sieve.h"

#include "base/msgpack.h"

/* Beside each mirrored envelope. */
typedef struct tap_meta {
    int64_t time_ms;     /* Unix */
    uint32_t replica;    /* of the service that answers */
    uint32_t elapsed_ms; /* answers and failures: since the ask came to the broker */
} tap_meta_t;

void tap_meta_write (const tap_meta_t *in, buf_t *out);
int tap_meta_read (bytes_t packed, tap_meta_t *out); /* 0 or E_BAD_REQUEST */

/* What sieved listeners get: one of these after the other. */
typedef struct tap_pair {
    tap_meta_t meta;
    bytes_t header;
    bytes_t body;
    bool apart; /* the body is the frame that follows */
} tap_pair_t;

void tap_pair_write (const tap_meta_t *meta, bytes_t header, const bytes_t *body, /* NULL: apart */
                     buf_t *out);
int tap_pair_read (mp_reader_t *in, tap_pair_t *out); /* 0 or E_BAD_REQUEST; views borrow */

typedef struct tap tap_t;

typedef struct tap_message {
    const char *target; /* "service.op" */
    tap_meta_t meta;
    envelope_t envelope; /* kind: ask, answer or failure; strings in the arena */
    bytes_t body;        /* in the arena */
} tap_message_t;

/* Listen at "ipc://DIR/run/tap". `service` is a service's name, "service.op" or "" for all. */
int tap_new (const char *endpoint, const char *service, tap_t **out, failure_t *failure);
/* As that, and the broker may leave out what the sieve does not take; what it does leave out is not certain. `number` is of no matter. */
int tap_new_sieved (const char *endpoint, const sieve_t *sieve, tap_t **out, failure_t *failure);
void tap_destroy (tap_t **self);
/* The next message within timeout_ms (0 = only what is there, -1 = wait for ever); false if none came. */
bool tap_next (tap_t *self, int timeout_ms, arena_t *arena, tap_message_t *out);

#endif
