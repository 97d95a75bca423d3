/* keycache.h - API keys that accounts resolved, by the HMAC of their text: never the text itself.
 *
 * What is cached may be used only while the lease runs: 1 s from the moment an answered beat (a read of accounts' journal) was sent. Whoever holds no lease
 * finds nothing. All functions may be called from any thread. */
#ifndef AVIARY_EDGE_KEYCACHE_H
#define AVIARY_EDGE_KEYCACHE_H

#include "sign/sign.h"

#include "gen/accounts.h"
#include "gen/common.h"

enum { KEY_CACHE_SETS = 16384, KEY_CACHE_WAYS = 4, KEY_LEASE_MS = 1000 };

enum { KEY_BUCKETS = 8, KEY_BUCKET_SIZE = 16 };

typedef struct key_info {
    id16_t id;
    id16_t org;
    id16_t app;   /* nil for admin keys */
    int32_t kind; /* ACCOUNTS_KEY_KIND_ */
    bool test;
    int32_t app_status;
    int32_t org_status;
    int64_t expires_at; /* Unix ms; 0 = never */
    /* Hashes of the buckets that it counts against, in the order of the dialect's table of buckets (auth.c). */
    const schema_dialect_t *hashed_for;
    uint8_t buckets[KEY_BUCKETS][KEY_BUCKET_SIZE];
} key_info_t;

typedef struct key_cache key_cache_t;

key_cache_t *key_cache_new (void); /* NULL: no memory */
void key_cache_destroy (key_cache_t **self);

/* Found under a lease that runs at now_ms (monotonic). Compares in constant time. */
bool key_cache_find (key_cache_t *self, const uint8_t proof[SIGN_SHA256_SIZE], int64_t now_ms,
                     key_info_t *out);
/* Take before asking accounts, give to key_cache_put: what was dropped in between is not put back by an older answer. */
uint64_t key_cache_epoch (const key_cache_t *self);
void key_cache_put (key_cache_t *self, uint64_t epoch, const uint8_t proof[SIGN_SHA256_SIZE],
                    const key_info_t *info);

void key_cache_drop_key (key_cache_t *self, id16_t id);
void key_cache_drop_app (key_cache_t *self, id16_t app);
void key_cache_drop_org (key_cache_t *self, id16_t org);
void key_cache_drop_all (key_cache_t *self);

/* ---- the lease ---- */

/* A beat sent at sent_ms was answered with all that happened before. */
void key_lease_renew (key_cache_t *self, int64_t sent_ms);
int64_t key_lease_until (const key_cache_t *self);
size_t key_cache_size (const key_cache_t *self);

/* Apply a page of accounts' journal, asked for at sent_ms, from its head if `fresh`: forgets what changed (all of it where the page cannot tell), then renews
 * the lease if the page is the last there is. False: follow anew, from the head. */
bool key_lease_page (key_cache_t *self, const common_journal_read_out_t *page, bool fresh,
                     int64_t sent_ms, arena_t *arena);

#endif
