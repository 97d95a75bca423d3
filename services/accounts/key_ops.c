/* key_ops.c - what admin keys do with keys of their organization, and when keys were used last. */
#include "accounts.h"

/* ---- listing ---- */

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

static int key_page_fill (turn_t *t, const accounts_key_page_in_t *in, store_page_t *page,
                          accounts_key_page_out_t *out)
{
    key_page_t list = {arena_array_of (t->arena, accounts_key_info_t, page->limit), 0};
    bool more = false;
    uint64_t total = 0;
    page->newest_first = true;
    page->offset = (size_t) in->offset;
    int code =
        store_list (t->txn, &accounts_key_record, page, t->arena, key_page_add, &list, &more);
    if (code == 0)
        code = store_count (t->txn, &accounts_key_record, page->index, page->keys, page->key_count,
                            &total);
    out->keys = (schema_list_t){list.items, list.count};
    out->total = (int64_t) total;
    return code;
}

int accounts_key_page (turn_t *t, const accounts_key_page_in_t *in, accounts_key_page_out_t *out)
{
    accounts_app_t app = {0};
    store_key_t of_org[] = {{.id = t->ask->org}, {.num = in->kind}};
    store_key_t of_app[] = {{.id = in->app}};
    store_page_t page = {.index = "by_org",
                         .keys = of_org,
                         .key_count = 2,
                         .limit = in->limit ? (size_t) in->limit : 20};
    if (!in->known && id_is_nil (in->app))
        return key_page_fill (t, in, &page, out);
    int code = app_named (t, in->app, in->app_test, &app);
    if (code == E_NOT_FOUND && !in->known)
        return 0;
    page.index = "by_app";
    page.keys = of_app;
    page.key_count = 1;
    return code ? code : key_page_fill (t, in, &page, out);
}

/* ---- making and revoking ---- */

int accounts_key_issue (turn_t *t, const accounts_key_issue_in_t *in, accounts_key_made_t *out)
{
    accounts_app_t app = {0};
    accounts_key_t row = {0};
    const char *text = NULL;
    bool of_app = in->kind == ACCOUNTS_KEY_KIND_APP;
    int code = of_app ? app_named (t, in->app, in->app_test, &app) : 0;
    if (code == 0)
        code = key_make (t, t->ask->org, of_app ? &app : NULL, in->name, &row, &text);
    *out = (accounts_key_made_t){.id = row.id,
                                 .kind = row.kind,
                                 .app = row.app,
                                 .test = row.test,
                                 .name = row.name,
                                 .key = text,
                                 .created_at = row.created_at};
    return code;
}

int accounts_key_revoke (turn_t *t, const accounts_key_revoke_in_t *in,
                         accounts_key_revoke_out_t *out)
{
    (void) out;
    accounts_key_t key = {0};
    int code = store_get (t->txn, &accounts_key_record, t->ask->org, in->id, t->arena, &key);
    if (code == E_NOT_FOUND || (code == 0 && (key.kind != in->kind || key.test != in->id_test)))
        return fail (t, E_NOT_FOUND, "id", "No such key");
    return code ? code : key_remove (t, &key);
}

/* ---- last use ---- */

int accounts_keys_used (turn_t *t, const accounts_keys_used_in_t *in, accounts_keys_used_out_t *out)
{
    (void) out;
    const accounts_key_use_t *uses = in->uses.items;
    int code = 0;
    for (size_t i = 0; i < in->uses.count && code == 0; i++) {
        accounts_key_t key = {0};
        code = store_get_any (t->txn, &accounts_key_record, uses[i].id, t->arena, &key);
        int64_t at = uses[i].at < t->now ? uses[i].at : t->now;
        if (code == 0 && at > key.last_used_at) {
            key.last_used_at = at;
            code = store_put (t->txn, &accounts_key_record, &key, NULL);
        }
        code = code == E_NOT_FOUND ? 0 : code; /* deleted since */
    }
    return code;
}
