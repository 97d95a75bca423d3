/* train.h - a message of several pairs: header and body of each, one after the other in a single frame.
 *
 * A frame more costs libzmq some hundred instructions in each thread that it goes through, a pair more in a train costs its copying. Those that do not say in hello or
 * welcome that they take packed trains get each pair as a message of two frames. */
#ifndef AVIARY_BUS_TRAIN_H
#define AVIARY_BUS_TRAIN_H

#include "base/buf.h"

enum {
    TRAIN_PAIRS = 64,        /* at most */
    TRAIN_BYTES = 1 << 16,   /* at most, with what stands before each pair */
    TRAIN_PAIR_MAX = 1 << 14 /* a larger pair goes alone, uncopied */
};

typedef struct train {
    unsigned pairs;
    size_t size;
    uint8_t data[TRAIN_BYTES];
} train_t;

/* Whether the pair is one for trains at all; whether there is room for it in this one. */
bool train_takes (bytes_t header, bytes_t body);
bool train_has_room (const train_t *self, bytes_t header, bytes_t body);
/* Behind both. */
void train_add (train_t *self, bytes_t header, bytes_t body);
static inline bytes_t train_bytes (const train_t *self)
{
    return bytes_of (self->data, self->size);
}
static inline void train_clear (train_t *self)
{
    self->pairs = 0;
    self->size = 0;
}

/* The pairs of a message's only frame, to be read by train_next; empty if it is no train. */
bytes_t train_open (bytes_t frame);
/* The next pair of *pairs, in place. False: there is none; one that is cut off ends the train. */
bool train_next (bytes_t *pairs, bytes_t *header, bytes_t *body);

#endif
