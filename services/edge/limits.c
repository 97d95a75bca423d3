/* limits.c - see limits.h.
 *
 * Why it is exact: in one minute a slot, once named, is not named anew, so all that look for a name pass the same taken slots and come to the same
 * one; a count is only overwritten by that of a later minute. */
#include "limits.h"

#include "mapped.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { PROBES = 64, TRIES = 8, TAG_BITS = 40 };
#define WINDOW_MASK 0xFFFFFFu /* of minutes in a name: 31 years */

typedef struct slot {
    _Atomic uint64_t name;  /* minute, 24 bits; tag, 40 bits; 0 = never used */
    _Atomic uint64_t count; /* minute, 32 bits; admitted, 32 bits */
} slot_t;

struct limits {
    slot_t *slots;
};

static const size_t file_size = sizeof (slot_t) * LIMITS_SLOTS;

int limits_open (const char *path, limits_t **out, failure_t *failure)
{
    limits_t *self = malloc (sizeof *self);
    if (!self)
        return failure_set (failure, E_NO_MEMORY, "", "no memory");
    self->slots = mapped_open (path, file_size);
    if (!self->slots) {
        free (self);
        return failure_set (failure, E_IO, "", "%s cannot be opened or mapped", path);
    }
    *out = self;
    return 0;
}

void limits_close (limits_t **self)
{
    if (!self || !*self)
        return;
    mapped_close ((*self)->slots, file_size);
    free (*self);
    *self = NULL;
}

/* Whether what was written in minute `was` is free to be taken in minute `now`, both modulo 2^24: it is past, or so far ahead that only a clock that
 * was set back explains it. */
static bool is_free (uint32_t was, uint32_t now)
{
    uint32_t age = (now - was) & WINDOW_MASK;
    return age != 0 && age <= WINDOW_MASK - 2;
}

static uint64_t read_u64 (const uint8_t *data)
{
    uint64_t value;
    memcpy (&value, data, sizeof value);
    return value;
}

/* The slot of this name, taken if `take`; NULL if there is none. */
static slot_t *slot_find (limits_t *self, const uint8_t *hash, uint32_t minute, bool take)
{
    uint64_t tag = read_u64 (hash) >> (64 - TAG_BITS), start = read_u64 (hash + 8);
    uint64_t mine = (uint64_t) (minute & WINDOW_MASK) << TAG_BITS | tag;
    for (size_t i = 0; i < PROBES; i++) {
        slot_t *slot = &self->slots[(start + i) % LIMITS_SLOTS];
        uint64_t name = atomic_load (&slot->name);
        while (name != mine && (name == 0 || is_free ((uint32_t) (name >> TAG_BITS), minute))) {
            if (!take)
                return NULL;
            if (atomic_compare_exchange_weak (&slot->name, &name, mine))
                return slot;
        }
        if (name == mine)
            return slot;
    }
    return NULL;
}

static void state_set (limit_state_t *out, uint32_t limit, uint32_t used, int64_t now_ms)
{
    int64_t end = (now_ms / LIMITS_WINDOW_MS + 1) * LIMITS_WINDOW_MS;
    *out = (limit_state_t){.limit = limit,
                           .remaining = used < limit ? limit - used : 0,
                           .reset_s = end / 1000,
                           .retry_after_s = (uint32_t) ((end - now_ms + 999) / 1000)};
}

/* 1 admitted, 0 not, -1 the slot is another minute's meanwhile. */
static int slot_take (slot_t *slot, uint32_t minute, uint32_t limit, uint32_t *used)
{
    uint64_t count = atomic_load (&slot->count);
    for (;;) {
        uint32_t was = (uint32_t) (count >> 32), admitted = (uint32_t) count;
        if (was != minute && !is_free (was, minute))
            return -1;
        *used = was == minute ? admitted : 0;
        if (*used >= limit)
            return 0;
        if (atomic_compare_exchange_weak (&slot->count, &count,
                                          (uint64_t) minute << 32 | (*used + 1))) {
            *used += 1;
            return 1;
        }
    }
}

bool limits_take (limits_t *self, const uint8_t hash[LIMITS_HASH_SIZE], uint32_t limit,
                  int64_t now_ms, limit_state_t *out)
{
    uint32_t minute = (uint32_t) (now_ms / LIMITS_WINDOW_MS), used = 0;
    for (int i = 0; i < TRIES; i++) {
        slot_t *slot = slot_find (self, hash, minute, true);
        int taken = slot ? slot_take (slot, minute, limit, &used) : 1;
        if (taken >= 0) {
            state_set (out, limit, used, now_ms);
            return taken;
        }
    }
    state_set (out, limit, 0, now_ms);
    return true;
}

void limits_peek (limits_t *self, const uint8_t hash[LIMITS_HASH_SIZE], uint32_t limit,
                  int64_t now_ms, limit_state_t *out)
{
    uint32_t minute = (uint32_t) (now_ms / LIMITS_WINDOW_MS);
    slot_t *slot = slot_find (self, hash, minute, false);
    uint64_t count = slot ? atomic_load (&slot->count) : 0;
    state_set (out, limit, (uint32_t) (count >> 32) == minute ? (uint32_t) count : 0, now_ms);
}
