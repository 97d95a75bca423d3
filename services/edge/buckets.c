/* buckets.c - see buckets.h. Fails only where the file cannot be had. */
#include "buckets.h"

#include "mapped.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { PROBES = 64 };
#define NS_PER_MS UINT64_C (1000000)
#define NS_PER_S  UINT64_C (1000000000)
#define MINUTE_NS (60 * NS_PER_S)

typedef struct slot {
    _Atomic uint64_t name;
    _Atomic uint64_t full_at; /* Unix nanoseconds */
} slot_t;

struct buckets {
    slot_t *slots;
};

int buckets_open (const char *path, buckets_t **out, failure_t *failure)
{
    buckets_t *self = malloc (sizeof *self);
    if (!self)
        return failure_set (failure, E_NO_MEMORY, "", "no memory");
    self->slots = mapped_open (path, sizeof (slot_t) * BUCKETS_SLOTS);
    if (!self->slots) {
        free (self);
        return failure_set (failure, E_IO, "", "%s cannot be opened or mapped", path);
    }
    *out = self;
    return 0;
}

void buckets_close (buckets_t **self)
{
    if (!self || !*self)
        return;
    mapped_close ((*self)->slots, sizeof (slot_t) * BUCKETS_SLOTS);
    free (*self);
    *self = NULL;
}

static uint64_t word_of (const uint8_t *data)
{
    uint64_t value;
    memcpy (&value, data, sizeof value);
    return value;
}

/* Full, or so far ahead that only a clock that was set back explains it. */
static bool is_free (uint64_t full_at, uint64_t now_ns)
{
    return full_at <= now_ns || full_at > now_ns + 2 * MINUTE_NS;
}

/* The slot of this name, else with `take` a free one made its own; NULL if there is none. */
static slot_t *slot_find (buckets_t *self, const uint8_t *hash, uint64_t now_ns, bool take)
{
    uint64_t name = word_of (hash) | 1, start = word_of (hash + 8);
    for (size_t i = 0; i < PROBES; i++) {
        slot_t *slot = &self->slots[(start + i) % BUCKETS_SLOTS];
        if (atomic_load (&slot->name) == name)
            return slot;
    }
    for (size_t i = 0; take && i < PROBES; i++) {
        slot_t *slot = &self->slots[(start + i) % BUCKETS_SLOTS];
        uint64_t was = atomic_load (&slot->name);
        if (was == name ||
            (is_free (atomic_load (&slot->full_at), now_ns) &&
             (atomic_compare_exchange_strong (&slot->name, &was, name) || was == name)))
            return slot;
    }
    return NULL;
}

typedef struct rate {
    uint64_t token_ns; /* of one token */
    uint64_t size_ns;  /* of all */
    uint32_t per_minute;
} rate_t;

static rate_t rate_of (uint32_t per_minute)
{
    rate_t rate = {.per_minute = per_minute ? per_minute : 1};
    rate.token_ns = (MINUTE_NS + rate.per_minute - 1) / rate.per_minute;
    rate.size_ns = rate.token_ns * rate.per_minute;
    return rate;
}

/* Within what the bucket can hold: a clock that was set back a little empties it, one that was set back far fills it. */
static uint64_t full_at_of (uint64_t full_at, rate_t rate, uint64_t now_ns)
{
    if (is_free (full_at, now_ns))
        return now_ns;
    return full_at > now_ns + rate.size_ns ? now_ns + rate.size_ns : full_at;
}

static void state_set (limit_state_t *out, rate_t rate, uint64_t full_at, uint64_t now_ns)
{
    uint64_t room = now_ns + rate.size_ns - full_at;
    uint64_t wait = room >= rate.token_ns ? 0 : rate.token_ns - room;
    uint64_t wait_s = (wait + NS_PER_S - 1) / NS_PER_S;
    *out = (limit_state_t){.limit = rate.per_minute,
                           .remaining = (uint32_t) (room / rate.token_ns),
                           .reset_s = (int64_t) ((full_at + NS_PER_S - 1) / NS_PER_S),
                           .retry_after_s = wait_s ? (uint32_t) wait_s : 1};
}

bool buckets_take (buckets_t *self, const uint8_t hash[LIMITS_HASH_SIZE], uint32_t per_minute,
                   int64_t now_ms, limit_state_t *out)
{
    rate_t rate = rate_of (per_minute);
    uint64_t now = (uint64_t) now_ms * NS_PER_MS;
    slot_t *slot = slot_find (self, hash, now, true);
    uint64_t was = slot ? atomic_load (&slot->full_at) : 0, full_at;
    do {
        full_at = full_at_of (was, rate, now);
        if (now + rate.size_ns - full_at < rate.token_ns) {
            state_set (out, rate, full_at, now);
            return false;
        }
        full_at += rate.token_ns;
    } while (slot && !atomic_compare_exchange_weak (&slot->full_at, &was, full_at));
    state_set (out, rate, full_at, now);
    return true;
}

void buckets_peek (buckets_t *self, const uint8_t hash[LIMITS_HASH_SIZE], uint32_t per_minute,
                   int64_t now_ms, limit_state_t *out)
{
    rate_t rate = rate_of (per_minute);
    uint64_t now = (uint64_t) now_ms * NS_PER_MS;
    slot_t *slot = slot_find (self, hash, now, false);
    state_set (out, rate, full_at_of (slot ? atomic_load (&slot->full_at) : 0, rate, now), now);
}
