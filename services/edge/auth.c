/* auth.c - who is it, and how often may they.
 *
 * Only the HMAC of a key is ever looked up, cached, sent or kept; an unknown key costs the same whatever it begins with. Accounts that cannot be asked is 503, never
 * 401: the key may be good. */
#include "edge.h"

#include "base/clock.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { KEY_TEXT_MAX = 200, RESOLVE_MS = 2000 };

/* ---- rate limits ---- */

/* Of a scope and a bucket: what its slot is found by. */
static void bucket_hash (const edge_t *edge, const void *scope, size_t size, const char *bucket,
                         uint8_t out[LIMITS_HASH_SIZE])
{
    uint8_t mac[SIGN_SHA256_SIZE];
    bytes_t parts[] = {bytes_of_str (bucket), bytes_of ("", 1), bytes_of (scope, size)};
    sign_hmac_sha256_parts (bytes_of (edge->limits_key, sizeof edge->limits_key), parts, 3, mac);
    memcpy (out, mac, LIMITS_HASH_SIZE);
}

static uint32_t bucket_limit (const exchange_t *x, const char *name)
{
    const edge_t *edge = x->edge;
    const schema_bucket_t *bucket = schema_bucket_find (x->dialect->schema, name);
    return edge->limit_all ? edge->limit_all : bucket ? bucket->per_minute : 60;
}

static bool limit_run (exchange_t *x, const uint8_t hash[LIMITS_HASH_SIZE], const char *bucket,
                       bool take)
{
    edge_t *edge = x->edge;
    uint32_t limit = bucket_limit (x, bucket);
    int64_t now = clock_now_ms ();
    if (!take || !edge->limits_on) {
        limits_peek (edge->limits, hash, limit, now, &x->limit);
        return true;
    }
    bool admitted = limits_take (edge->limits, hash, limit, now, &x->limit);
    if (!admitted)
        svc_count (edge->svc, EDGE_COUNTER_LIMITED_TOTAL, 1);
    return admitted;
}

static bool is_private (const char *address)
{
    struct in_addr in;
    if (inet_pton (AF_INET, address, &in) != 1)
        return false;
    uint32_t a = ntohl (in.s_addr);
    return a >> 24 == 127 || a >> 24 == 10 || a >> 20 == 0xAC1 || a >> 16 == 0xC0A8;
}

/* Whose address it is: behind a proxy of this house (on a private address), the last one that the proxy noted. */
static const char *address_of (exchange_t *x, char out[64])
{
    const char *peer = web_remote (x->web), *noted = web_header (x->web, "X-Forwarded-For");
    snprintf (out, 64, "%s", peer ? peer : "");
    if (!noted || !is_private (out))
        return out;
    const char *last = strrchr (noted, ',');
    last = last ? last + 1 : noted;
    last += strspn (last, " ");
    size_t length = strcspn (last, " ");
    if (length > 0 && length < 46)
        snprintf (out, 64, "%.*s", (int) length, last);
    return out;
}

static bool address_run (exchange_t *x, bool take)
{
    char address[64];
    uint8_t hash[LIMITS_HASH_SIZE];
    address_of (x, address);
    bucket_hash (x->edge, address, strlen (address), "address", hash);
    return limit_run (x, hash, "address", take);
}

bool address_take (exchange_t *x)
{
    return address_run (x, true);
}

void address_peek (exchange_t *x)
{
    address_run (x, false);
}

static const char *bucket_of_key (const key_info_t *who)
{
    return who->kind == ACCOUNTS_KEY_KIND_ADMIN ? "admin" : "app";
}

_Static_assert((int) KEY_BUCKET_SIZE == (int) LIMITS_HASH_SIZE,
               "a key's hashes are those of limits");

static const id16_t *bucket_scope (const key_info_t *who)
{
    return who->kind == ACCOUNTS_KEY_KIND_ORGANIZATION ? &who->org : &who->id;
}

/* A key counts against the same few buckets in all its requests: hashed once, when the key is looked up. */
static void key_buckets_hash (const exchange_t *x, key_info_t *who)
{
    const schema_dialect_t *schema = x->dialect->schema;
    const id16_t *scope = bucket_scope (who);
    bool fits = x->dialect->org_buckets == (who->kind == ACCOUNTS_KEY_KIND_ORGANIZATION);
    if (!fits || schema->bucket_count > KEY_BUCKETS)
        return; /* a key of another dialect: refused, or hashed at each request */
    for (size_t i = 0; i < schema->bucket_count; i++)
        bucket_hash (x->edge, scope->b, sizeof scope->b, schema->buckets[i].name, who->buckets[i]);
    who->hashed_for = schema;
}

/* The hash of the bucket that the key has ready, or a new one in `own`. */
static const uint8_t *key_bucket (const exchange_t *x, const char *name, const id16_t *scope,
                                  uint8_t own[LIMITS_HASH_SIZE])
{
    const schema_dialect_t *schema = x->dialect->schema;
    const schema_bucket_t *bucket =
        x->who.hashed_for == schema ? schema_bucket_find (schema, name) : NULL;
    if (bucket)
        return x->who.buckets[bucket - schema->buckets];
    bucket_hash (x->edge, scope->b, sizeof scope->b, name, own);
    return own;
}

static bool key_bucket_run (exchange_t *x, bool take)
{
    uint8_t own[LIMITS_HASH_SIZE];
    const char *name = x->op->bucket ? x->op->bucket : bucket_of_key (&x->who);
    return limit_run (x, key_bucket (x, name, &x->who.id, own), name, take);
}

/* ---- an organization's buckets ---- */

uint32_t org_limit (const exchange_t *x, const char *bucket)
{
    uint32_t said =
        strcmp (bucket, "write") == 0 ? x->speaker->write_per_minute : x->speaker->read_per_minute;
    return said && !x->edge->limit_all ? said : bucket_limit (x, bucket);
}

static bool org_bucket_run (exchange_t *x, bool take)
{
    edge_t *edge = x->edge;
    bool reads = strcmp (x->method, "GET") == 0 || strcmp (x->method, "HEAD") == 0;
    const char *bucket = x->op->bucket ? x->op->bucket : reads ? "read" : "write";
    uint8_t own[LIMITS_HASH_SIZE];
    const uint8_t *hash = key_bucket (x, bucket, &x->who.org, own);
    uint32_t limit = org_limit (x, bucket);
    int64_t now = clock_now_ms ();
    x->limit_shown = true;
    if (!take || !edge->limits_on) {
        buckets_peek (edge->buckets, hash, limit, now, &x->limit);
        return true;
    }
    bool admitted = buckets_take (edge->buckets, hash, limit, now, &x->limit);
    if (!admitted)
        svc_count (edge->svc, EDGE_COUNTER_LIMITED_TOTAL, 1);
    return admitted;
}

bool bucket_take (exchange_t *x)
{
    return x->dialect->org_buckets ? org_bucket_run (x, true) : key_bucket_run (x, true);
}

void bucket_peek (exchange_t *x)
{
    if (x->dialect->org_buckets)
        org_bucket_run (x, false);
    else
        key_bucket_run (x, false);
}

/* ---- keys ---- */

const char *bearer_text (const exchange_t *x)
{
    const char *text = web_header (x->web, "Authorization");
    if (!text || strncasecmp (text, "Bearer ", 7) != 0)
        return NULL;
    return text + 7 + strspn (text + 7, " ");
}

/* NULL if the header is missing or of another form, or the text is none of a key. */
static const char *bearer_of (const exchange_t *x)
{
    const char *text = bearer_text (x);
    if (!text)
        return NULL;
    size_t length = strlen (text);
    return length <= KEY_TEXT_MAX && text_is_visible (text, length) ? text : NULL;
}

static web_next_t unauthorized (exchange_t *x, int code, const char *text)
{
    if (!address_take (x))
        return answer_fail (x, E_RATE_LIMITED, NULL, NULL);
    return answer_fail (x, code, NULL, text);
}

static const struct {
    int32_t kind;
    const char *needed;
} kinds[] = {
    [AUTH_APP] = {ACCOUNTS_KEY_KIND_APP, "An app key is needed here"},
    [AUTH_ADMIN] = {ACCOUNTS_KEY_KIND_ADMIN, "An admin key is needed here"},
    [AUTH_ORGANIZATION] = {ACCOUNTS_KEY_KIND_ORGANIZATION,
                           "A key of an organization is needed here"},
};

static web_next_t key_known (exchange_t *x, const key_info_t *who)
{
    int64_t now = clock_now_ms ();
    if (who->kind != kinds[x->op->auth].kind)
        return unauthorized (x, E_UNAUTHORIZED, kinds[x->op->auth].needed);
    if (who->expires_at && who->expires_at <= now)
        return unauthorized (x, E_KEY_EXPIRED, NULL);
    x->who = *who;
    x->known = true;
    key_uses_note (x->edge->uses, who->id, now);
    return exchange_authorized (x);
}

static web_next_t key_resolved (exchange_t *x, call_t *call, bool in_time)
{
    accounts_key_resolve_out_t out = {0};
    int code = in_time ? call->failure.code : E_TIMEOUT;
    if (code == E_UNAUTHORIZED)
        return unauthorized (x, code, "The API key is not known");
    if (code == E_KEY_REVOKED || code == E_KEY_EXPIRED)
        return unauthorized (x, code, NULL);
    if (code || schema_unpack (&accounts_key_resolve_out_type, buf_bytes (&call->answer), x->arena,
                               &out, NULL)) {
        address_peek (x);
        return answer_fail (x, E_UNAVAILABLE, NULL,
                            "The API key cannot be checked at the moment; try again soon");
    }
    key_info_t who = {.id = out.id,
                      .org = out.org,
                      .app = out.app,
                      .kind = out.kind,
                      .test = out.test,
                      .app_status = out.app_status,
                      .org_status = out.org_status,
                      .expires_at = out.expires_at};
    key_buckets_hash (x, &who);
    key_cache_put (x->edge->keys, x->key_epoch, x->proof, &who);
    return key_known (x, &who);
}

static web_next_t key_resolve (exchange_t *x)
{
    call_t *call =
        ask_call (x, schema_op_find ("accounts.key_resolve", strlen ("accounts.key_resolve")));
    accounts_key_resolve_in_t in = {.proof = bytes_of (x->proof, sizeof x->proof)};
    memcpy (in.lookup.b, x->proof, sizeof in.lookup.b);
    if (!call) {
        address_peek (x);
        return answer_fail (x, E_UNAVAILABLE, NULL, NULL);
    }
    schema_pack (&accounts_key_resolve_in_type, &in, &call->body);
    x->key_epoch = key_cache_epoch (x->edge->keys);
    return ask_park (x, call, RESOLVE_MS, key_resolved);
}

web_next_t auth_begin (exchange_t *x)
{
    key_info_t who;
    const char *key = bearer_of (x);
    if (!key)
        return unauthorized (x, bearer_text (x) ? E_UNAUTHORIZED : E_KEY_MISSING,
                             web_header (x->web, "Authorization")
                                 ? "The Authorization header must be \"Bearer KEY\""
                                 : "An API key is needed: Authorization: Bearer KEY");
    keyring_hash (svc_keyring (x->edge->svc), key, x->proof);
    if (key_cache_find (x->edge->keys, x->proof, clock_mono_ms (), &who))
        return key_known (x, &who);
    return key_resolve (x);
}
