/* sieve.h - what one listener of the tap wants, told to the broker so that it mirrors no more than that.
 *
 * A sieve travels as the topic that its listener subscribes to. Who reads it need not understand ids or dialects: it compares names and
 * texts. It may let more pass than is wanted, never less: the listener looks for himself. */
#ifndef AVIARY_BUS_SIEVE_H
#define AVIARY_BUS_SIEVE_H

#include "bus/envelope.h"

enum {
    SIEVE_MARK = '/', /* a topic's first byte; names of services begin otherwise */
    SIEVE_TOPIC_MAX = 1024,
    SIEVE_WITHOUT = 8,
    SIEVE_SUBJECTS = 4
};

/* Views; empty = all. Asks that fit in every point, and what answers them. */
typedef struct sieve {
    uint64_t number; /* its listener's, by chance: no two subscribe to the same */
    bytes_t service;
    bytes_t op;                     /* without the service */
    bytes_t without[SIEVE_WITHOUT]; /* ops that all services have, and that are not wanted */
    size_t without_count;
    id16_t org;
    bytes_t trace;                    /* part of it */
    bytes_t subjects[SIEVE_SUBJECTS]; /* one of these, whole or behind the last "_" */
    size_t subject_count;
} sieve_t;

void sieve_write (const sieve_t *in, buf_t *topic);
/* The views borrow from the topic. E_BAD_REQUEST: no sieve, or one with points that this version does not know. */
int sieve_read (bytes_t topic, sieve_t *out);

/* Whether it asks for more than an envelope of an answer tells, so that the answer's ask decides. */
bool sieve_is_of_asks (const sieve_t *self);
/* `target` as sent ("messaging#2.sms_send"), `op` its last part, empty if it has none; `common`: all services have this op. */
bool sieve_takes_target (const sieve_t *self, bytes_t target, bytes_t op, bool common);
/* What the header of an ask says beside its target. */
bool sieve_takes_ask (const sieve_t *self, const envelope_route_t *route);

#endif
