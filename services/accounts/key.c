/* key.c - API keys: random, shown once, kept as an HMAC under the installation's key. */
#include "accounts.h"
#include <string.h>

enum { KEY_RANDOM = 40, ORGANIZATION_RANDOM = 18, ORGANIZATION_PREVIEW = 12, LAST = 4 };

static const char organization_prefix[] = "kdv_live_";

static const char *key_prefix (const accounts_app_t *app)
{
    return !app ? "sk_admin_" : app->test ? "sk_test_app_" : "sk_live_app_";
}

int key_make (turn_t *t, id16_t org, const accounts_app_t *app, const char *name,
              accounts_key_t *row, const char **text)
{
    char random[KEY_RANDOM + 1];
    uint8_t *proof = arena_alloc (t->arena, SIGN_SHA256_SIZE);
    sign_random_base62 (random, KEY_RANDOM);
    *text = arena_printf (t->arena, "%s%s", key_prefix (app), random);
    sign_wipe (random, sizeof random);
    keyring_hash (t->keyring, *text, proof);
    *row = (accounts_key_t){
        .id = turn_id (t),
        .org = org,
        .kind = app ? ACCOUNTS_KEY_KIND_APP : ACCOUNTS_KEY_KIND_ADMIN,
        .app = app ? app->id : id_nil (),
        .test = app && app->test,
        .name = name,
        .created_at = t->now,
        .preview = arena_printf (t->arena, "%s****", key_prefix (app)),
        .proof = {proof, SIGN_SHA256_SIZE},
    };
    memcpy (row->lookup.b, proof, sizeof row->lookup.b);
    return store_insert (t->txn, &accounts_key_record, row, NULL);
}

int organization_key_make (turn_t *t, id16_t org, const char *name, int64_t valid_for_ms,
                           accounts_key_t *row, const char **text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint8_t random[ORGANIZATION_RANDOM];
    char tail[ORGANIZATION_RANDOM / 3 * 4 + 1] = {0};
    uint8_t *proof = arena_alloc (t->arena, SIGN_SHA256_SIZE);
    sign_random (random, sizeof random);
    for (size_t i = 0, at = 0; i < sizeof random; i += 3) {
        uint32_t three = (uint32_t) random[i] << 16 | (uint32_t) random[i + 1] << 8 | random[i + 2];
        for (int shift = 18; shift >= 0; shift -= 6)
            tail[at++] = digits[three >> shift & 63];
    }
    *text = arena_printf (t->arena, "%s%s", organization_prefix, tail);
    keyring_hash (t->keyring, *text, proof);
    *row = (accounts_key_t){
        .id = turn_id (t),
        .org = org,
        .kind = ACCOUNTS_KEY_KIND_ORGANIZATION,
        .name = name,
        .created_at = t->now,
        .expires_at = valid_for_ms ? t->now + valid_for_ms : 0,
        .preview = arena_printf (t->arena, "%.*s****", ORGANIZATION_PREVIEW, *text),
        .last4 = arena_printf (t->arena, "%s", tail + sizeof tail - 1 - LAST),
        .proof = {proof, SIGN_SHA256_SIZE},
    };
    memcpy (row->lookup.b, proof, sizeof row->lookup.b);
    sign_wipe (random, sizeof random);
    sign_wipe (tail, sizeof tail);
    return store_insert (t->txn, &accounts_key_record, row, NULL);
}

accounts_key_info_t key_told (const accounts_key_t *row)
{
    return (accounts_key_info_t){.id = row->id,
                                 .kind = row->kind,
                                 .app = row->app,
                                 .test = row->test,
                                 .name = row->name,
                                 .preview = row->preview,
                                 .created_at = row->created_at,
                                 .last_used_at = row->last_used_at,
                                 .expires_at = row->expires_at,
                                 .revoked_at = row->revoked_at};
}

/* Past its time or taken back; who has such a key may know. */
static int key_valid (turn_t *t, const accounts_key_t *key)
{
    if (key->revoked_at)
        return fail (t, E_KEY_REVOKED, NULL, "The API key was revoked");
    if (key->expires_at && key->expires_at <= t->now)
        return fail (t, E_KEY_EXPIRED, NULL, "The API key's time is over");
    return 0;
}

int accounts_key_resolve (turn_t *t, const accounts_key_resolve_in_t *in,
                          accounts_key_resolve_out_t *out)
{
    accounts_key_t key = {0};
    accounts_organization_t org = {0};
    store_key_t lookup = {.id = in->lookup};
    int code = store_find (t->txn, &accounts_key_record, "by_lookup", &lookup, 1, t->arena, &key);
    turn_count (t, ACCOUNTS_COUNTER_KEYS_RESOLVED_TOTAL, 1);
    if (code && code != E_NOT_FOUND)
        return code;
    if (code || in->proof.size != key.proof.size ||
        !sign_equal (in->proof.data, key.proof.data, key.proof.size))
        return fail (t, E_UNAUTHORIZED, NULL, "Unknown API key");
    code = key_valid (t, &key);
    if (code)
        return code;
    code = store_get_any (t->txn, &accounts_organization_record, key.org, t->arena, &org);
    *out = (accounts_key_resolve_out_t){.id = key.id,
                                        .kind = key.kind,
                                        .org = key.org,
                                        .app = key.app,
                                        .test = key.test,
                                        .org_status = org.status,
                                        .expires_at = key.expires_at};
    if (code == 0 && key.kind == ACCOUNTS_KEY_KIND_APP) {
        accounts_app_t app = {0};
        code = store_get_any (t->txn, &accounts_app_record, key.app, t->arena, &app);
        out->app_status = app.status;
        if (code == E_NOT_FOUND) /* the app is deleted, its keys are just being removed */
            return fail (t, E_UNAUTHORIZED, NULL, "Unknown API key");
    }
    return code;
}

/* Whose the new key is: of the app if given, else of the organization, else of the only one. */
static int key_owner (turn_t *t, const accounts_key_create_in_t *in, id16_t *org,
                      const accounts_app_t **app)
{
    *app = NULL;
    *org = in->org;
    if (!id_is_nil (in->app)) {
        accounts_app_t *row = arena_new_of (t->arena, accounts_app_t);
        int code = store_get_any (t->txn, &accounts_app_record, in->app, t->arena, row);
        *app = row;
        *org = row->org;
        return code == E_NOT_FOUND ? fail (t, code, "app", "No such app") : code;
    }
    return org_named (t, in->org, org);
}

int accounts_key_create (turn_t *t, const accounts_key_create_in_t *in,
                         accounts_key_create_out_t *out)
{
    id16_t org;
    const accounts_app_t *app;
    accounts_key_t row = {0};
    int code = key_owner (t, in, &org, &app);
    if (code == 0 && in->organization && app)
        return fail (t, E_BAD_REQUEST, "app", "An organization key is of no app");
    if (code == 0 && in->valid_for_ms && !in->organization)
        return fail (t, E_BAD_REQUEST, "valid_for_ms", "Only organization keys expire");
    if (code == 0)
        code = in->organization
                   ? organization_key_make (t, org, in->name, in->valid_for_ms, &row, &out->key)
                   : key_make (t, org, app, in->name, &row, &out->key);
    if (code)
        return code;
    accounts_key_info_t *info = arena_new_of (t->arena, accounts_key_info_t);
    *info = key_told (&row);
    out->info = info;
    return 0;
}

typedef struct key_page {
    accounts_key_info_t *items;
    size_t count;
} key_page_t;

static int key_page_add (void *context, const void *row)
{
    key_page_t *page = context;
    page->items[page->count++] = key_told (row);
    return 0;
}

int accounts_key_list (turn_t *t, const accounts_key_list_in_t *in, accounts_key_list_out_t *out)
{
    enum { MOST = 500 };
    store_key_t app = {.id = in->app};
    key_page_t list = {.items = arena_array_of (t->arena, accounts_key_info_t, MOST)};
    store_page_t page = {.limit = MOST, .newest_first = true};
    bool more = false;
    if (!id_is_nil (in->app)) {
        page.index = "by_app";
        page.keys = &app;
        page.key_count = 1;
    }
    int code =
        store_list (t->txn, &accounts_key_record, &page, t->arena, key_page_add, &list, &more);
    out->keys = (schema_list_t){list.items, list.count};
    return code;
}

/* An organization key stays as a tombstone: its holder is told that it was revoked. */
static int key_end (turn_t *t, const accounts_key_t *row)
{
    accounts_key_t gone = *row;
    gone.revoked_at = gone.revoked_at ? gone.revoked_at : t->now;
    return row->kind == ACCOUNTS_KEY_KIND_ORGANIZATION
               ? store_put (t->txn, &accounts_key_record, &gone, NULL)
               : store_del (t->txn, &accounts_key_record, row->id);
}

int key_forget (turn_t *t, const accounts_key_t *row)
{
    accounts_key_deleted_t body = {.id = row->id, .lookup = row->lookup};
    event_about_t about = {
        .record = row->id, .version = 1, .org = row->org, .app = row->app, .test = row->test};
    int code = key_end (t, row);
    return code ? code : event_add (t, &accounts_key_deleted_event, &about, &body);
}

int key_remove (turn_t *t, const accounts_key_t *row)
{
    uint64_t admins = 0;
    store_key_t keys[] = {{.id = row->org}, {.num = ACCOUNTS_KEY_KIND_ADMIN}};
    int code = store_count (t->txn, &accounts_key_record, "by_org", keys, 2, &admins);
    if (code == 0 && row->kind == ACCOUNTS_KEY_KIND_ADMIN && admins == 1)
        return fail (t, E_CONFLICT, "id",
                     "The last admin key of an organization cannot be deleted");
    return code ? code : key_forget (t, row);
}

int accounts_key_delete (turn_t *t, const accounts_key_delete_in_t *in,
                         accounts_key_delete_out_t *out)
{
    (void) out;
    accounts_key_t key = {0};
    int code = store_get_any (t->txn, &accounts_key_record, in->id, t->arena, &key);
    if (code)
        return code == E_NOT_FOUND ? fail (t, code, "id", "No such key") : code;
    return key_remove (t, &key);
}
