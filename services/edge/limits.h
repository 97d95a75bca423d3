/* limits.h - requests a minute, counted exactly over all edges of a host.
 *
 * A mapped file of atomic slots. A slot belongs to one (scope, bucket) in one minute: its first word names both, its second counts. Slots of past minutes
 * are free. No lock: a process that dies anywhere leaves the table good. Windows are whole minutes of Unix time. */
#ifndef AVIARY_EDGE_LIMITS_H
#define AVIARY_EDGE_LIMITS_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LIMITS_SLOTS = 1 << 17, LIMITS_WINDOW_MS = 60000, LIMITS_HASH_SIZE = 16 };

typedef struct limits limits_t;

typedef struct limit_state {
    uint32_t limit;
    uint32_t remaining;
    int64_t reset_s;        /* Unix seconds: end of the window */
    uint32_t retry_after_s; /* until then, at least 1 */
} limit_state_t;

/* Map the file at `path`, made if absent. 0 or E_IO. */
int limits_open (const char *path, limits_t **out, failure_t *failure);
void limits_close (limits_t **self);
/* Count one request of whom `hash` names, if fewer than `limit` were admitted in this minute. True: admitted. A table that is full admits. */
bool limits_take (limits_t *self, const uint8_t hash[LIMITS_HASH_SIZE], uint32_t limit,
                  int64_t now_ms, limit_state_t *out);
/* As it stands, without counting. */
void limits_peek (limits_t *self, const uint8_t hash[LIMITS_HASH_SIZE], uint32_t limit,
                  int64_t now_ms, limit_state_t *out);

#endif
