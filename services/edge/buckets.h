/* buckets.h - token buckets, refilled continuously, over all edges of a host.
 *
 * A mapped file of atomic slots, without a lock, as limits.h. A slot keeps when its bucket would be full (the generic cell rate algorithm): one word that is taken forward by a token's
 * time for every request, so that the count is exact. A bucket that is full is the same as none, and its slot free for another; only where two requests meet on a slot that changes hands may
 * one token be counted to the wrong one. */
#ifndef AVIARY_EDGE_BUCKETS_H
#define AVIARY_EDGE_BUCKETS_H

#include "limits.h"

enum { BUCKETS_SLOTS = 1 << 14 };

typedef struct buckets buckets_t;

/* Map the file at `path`, made if absent. 0 or E_IO. */
int buckets_open (const char *path, buckets_t **out, failure_t *failure);
void buckets_close (buckets_t **self);
/* Take a token of whom `hash` names, if there is one: `per_minute` are the bucket's size and what flows in. True: admitted. A table that is full admits.
 * `reset_s` is when the bucket would be full. */
bool buckets_take (buckets_t *self, const uint8_t hash[LIMITS_HASH_SIZE], uint32_t per_minute,
                   int64_t now_ms, limit_state_t *out);
/* As it stands, without taking. */
void buckets_peek (buckets_t *self, const uint8_t hash[LIMITS_HASH_SIZE], uint32_t per_minute,
                   int64_t now_ms, limit_state_t *out);

#endif
