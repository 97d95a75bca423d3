/* keycache.c - a set-associative table with a lock per group of sets; full sets lose their least recently used key. See keycache.h. */
#include "keycache.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { LOCKS = 64 };

typedef struct entry {
    bool used;
    uint32_t touched;
    uint8_t proof[SIGN_SHA256_SIZE];
    key_info_t info;
} entry_t;

struct key_cache {
    pthread_mutex_t locks[LOCKS];
    entry_t *entries; /* KEY_CACHE_SETS times KEY_CACHE_WAYS */
    atomic_uint clock;
    atomic_size_t size;
    atomic_ullong epoch; /* grows before anything is dropped */
    _Atomic int64_t until_ms;
};

key_cache_t *key_cache_new (void)
{
    key_cache_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->entries = calloc ((size_t) KEY_CACHE_SETS * KEY_CACHE_WAYS, sizeof *self->entries);
    if (!self->entries) {
        free (self);
        return NULL;
    }
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_init (&self->locks[i], NULL);
    return self;
}

void key_cache_destroy (key_cache_t **self)
{
    if (!self || !*self)
        return;
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_destroy (&(*self)->locks[i]);
    sign_wipe ((*self)->entries, sizeof (entry_t) * KEY_CACHE_SETS * KEY_CACHE_WAYS);
    free ((*self)->entries);
    free (*self);
    *self = NULL;
}

static size_t set_of (const uint8_t *proof)
{
    return ((size_t) proof[0] << 8 | proof[1]) % KEY_CACHE_SETS;
}

static entry_t *set_lock (key_cache_t *self, size_t set)
{
    pthread_mutex_lock (&self->locks[set % LOCKS]);
    return &self->entries[set * KEY_CACHE_WAYS];
}

static void set_unlock (key_cache_t *self, size_t set)
{
    pthread_mutex_unlock (&self->locks[set % LOCKS]);
}

bool key_cache_find (key_cache_t *self, const uint8_t proof[SIGN_SHA256_SIZE], int64_t now_ms,
                     key_info_t *out)
{
    if (atomic_load (&self->until_ms) <= now_ms)
        return false;
    size_t set = set_of (proof);
    entry_t *ways = set_lock (self, set), *found = NULL;
    for (size_t i = 0; i < KEY_CACHE_WAYS; i++)
        if (ways[i].used && sign_equal (ways[i].proof, proof, SIGN_SHA256_SIZE))
            found = &ways[i];
    if (found) {
        found->touched = atomic_fetch_add_explicit (&self->clock, 1, memory_order_relaxed);
        *out = found->info;
    }
    set_unlock (self, set);
    return found != NULL;
}

uint64_t key_cache_epoch (const key_cache_t *self)
{
    return atomic_load (&self->epoch);
}

/* The key's own place, a free one, or that of the key that was not used for longest. */
static entry_t *place_of (key_cache_t *self, entry_t *ways, const uint8_t *proof)
{
    uint32_t now = atomic_load (&self->clock);
    entry_t *best = ways;
    for (size_t i = 0; i < KEY_CACHE_WAYS; i++) {
        if (ways[i].used && sign_equal (ways[i].proof, proof, SIGN_SHA256_SIZE))
            return &ways[i];
        if (best->used && (!ways[i].used || now - ways[i].touched > now - best->touched))
            best = &ways[i];
    }
    return best;
}

void key_cache_put (key_cache_t *self, uint64_t epoch, const uint8_t proof[SIGN_SHA256_SIZE],
                    const key_info_t *info)
{
    size_t set = set_of (proof);
    entry_t *ways = set_lock (self, set);
    if (atomic_load (&self->epoch) == epoch) {
        entry_t *place = place_of (self, ways, proof);
        if (!place->used)
            atomic_fetch_add (&self->size, 1);
        *place =
            (entry_t){.used = true, .touched = atomic_fetch_add (&self->clock, 1), .info = *info};
        memcpy (place->proof, proof, SIGN_SHA256_SIZE);
    }
    set_unlock (self, set);
}

/* ---- dropping ---- */

typedef bool (drop_test_t) (const key_info_t *info, id16_t id);

static bool is_key (const key_info_t *info, id16_t id)
{
    return id_equal (info->id, id);
}

static bool is_of_app (const key_info_t *info, id16_t id)
{
    return id_equal (info->app, id);
}

static bool is_of_org (const key_info_t *info, id16_t id)
{
    return id_equal (info->org, id);
}

static bool is_any (const key_info_t *info, id16_t id)
{
    (void) info;
    (void) id;
    return true;
}

static void drop_where (key_cache_t *self, drop_test_t *test, id16_t id)
{
    atomic_fetch_add (&self->epoch, 1);
    for (size_t set = 0; set < KEY_CACHE_SETS && atomic_load (&self->size); set++) {
        entry_t *ways = set_lock (self, set);
        for (size_t i = 0; i < KEY_CACHE_WAYS; i++)
            if (ways[i].used && test (&ways[i].info, id)) {
                sign_wipe (&ways[i], sizeof ways[i]);
                atomic_fetch_sub (&self->size, 1);
            }
        set_unlock (self, set);
    }
}

void key_cache_drop_key (key_cache_t *self, id16_t id)
{
    drop_where (self, is_key, id);
}

void key_cache_drop_app (key_cache_t *self, id16_t app)
{
    drop_where (self, is_of_app, app);
}

void key_cache_drop_org (key_cache_t *self, id16_t org)
{
    drop_where (self, is_of_org, org);
}

void key_cache_drop_all (key_cache_t *self)
{
    drop_where (self, is_any, id_nil ());
}

size_t key_cache_size (const key_cache_t *self)
{
    return atomic_load (&self->size);
}

/* ---- the lease ---- */

void key_lease_renew (key_cache_t *self, int64_t sent_ms)
{
    int64_t until = sent_ms + KEY_LEASE_MS, before = atomic_load (&self->until_ms);
    while (before < until && !atomic_compare_exchange_weak (&self->until_ms, &before, until)) {}
}

int64_t key_lease_until (const key_cache_t *self)
{
    return atomic_load (&self->until_ms);
}
