/* org.c - organizations and apps: their making, and the first of each. */
#include "accounts.h"

int org_make (turn_t *t, const char *name, accounts_organization_t *out)
{
    *out = (accounts_organization_t){.id = turn_id (t),
                                     .name = name,
                                     .status = ACCOUNTS_ORG_STATUS_ACTIVE,
                                     .created_at = t->now,
                                     .updated_at = t->now,
                                     .version = 1};
    accounts_team_t team;
    int code = store_insert (t->txn, &accounts_organization_record, out, NULL);
    if (code == 0)
        code = org_event (t, out);
    return code ? code : team_make (t, out->id, "Everyone", &team);
}

int app_told_event (const accounts_app_t *app, event_about_t *about, accounts_app_changed_t *body)
{
    *about = (event_about_t){.record = app->id,
                             .version = (uint64_t) app->version,
                             .org = app->org,
                             .app = app->id,
                             .test = app->test};
    *body = (accounts_app_changed_t){.id = app->id,
                                     .org = app->org,
                                     .name = app->name,
                                     .test = app->test,
                                     .status = app->status};
    return 0;
}

int app_event (turn_t *t, const accounts_app_t *app, bool deleted)
{
    event_about_t about;
    accounts_app_changed_t body;
    app_told_event (app, &about, &body);
    body.deleted = deleted;
    return event_add (t, &accounts_app_changed_event, &about, &body);
}

static int app_store (turn_t *t, const accounts_app_t *app)
{
    int code = store_insert (t->txn, &accounts_app_record, app, NULL);
    return code ? code : app_event (t, app, false);
}

int app_make (turn_t *t, id16_t org, const char *name, const char *slug, accounts_app_t *live,
              accounts_app_t *test)
{
    *live = (accounts_app_t){.id = turn_id (t),
                             .org = org,
                             .name = name,
                             .slug = slug,
                             .status = ACCOUNTS_APP_STATUS_ACTIVE,
                             .created_at = t->now,
                             .updated_at = t->now,
                             .version = 1};
    *test = *live;
    test->id = turn_id (t);
    test->test = true;
    test->twin = live->id;
    live->twin = test->id;
    int code = app_store (t, live);
    return code ? code : app_store (t, test);
}

typedef struct org_search {
    accounts_organization_t *out;
    size_t count;
} org_search_t;

static int org_count (void *context, const void *row)
{
    org_search_t *search = context;
    *search->out = *(const accounts_organization_t *) row;
    search->count += 1;
    return 0;
}

int org_only (turn_t *t, accounts_organization_t *out)
{
    org_search_t search = {.out = out};
    store_page_t page = {.limit = 2};
    bool more = false;
    int code = store_list (t->txn, &accounts_organization_record, &page, t->arena, org_count,
                           &search, &more);
    if (code)
        return code;
    if (search.count == 0)
        return E_NOT_FOUND;
    return search.count == 1
               ? 0
               : fail (t, E_CONFLICT, "org", "There are several organizations: say which");
}

int org_named (turn_t *t, id16_t id, id16_t *out)
{
    accounts_organization_t org = {0};
    int code = id_is_nil (id)
                   ? org_only (t, &org)
                   : store_get_any (t->txn, &accounts_organization_record, id, t->arena, &org);
    *out = org.id;
    return code == E_NOT_FOUND ? fail (t, code, "org", "No such organization") : code;
}

int org_found (turn_t *t, const char *name, const char *app, accounts_bootstrap_out_t *out)
{
    accounts_organization_t org = {0};
    accounts_app_t live;
    accounts_app_t test;
    accounts_key_t key;
    int code = org_make (t, name, &org);
    if (code == 0)
        code = app_make (t, org.id, app, "main", &live, &test);
    if (code == 0)
        code = key_make (t, org.id, NULL, "first admin key", &key, &out->admin_key);
    if (code == 0)
        code = key_make (t, org.id, &live, "first live key", &key, &out->live_key);
    if (code == 0)
        code = key_make (t, org.id, &test, "first test key", &key, &out->test_key);
    if (code == 0)
        code = organization_key_make (t, org.id, "first organization key", 0, &key,
                                      &out->organization_key);
    if (code)
        return fail (t, code, NULL, "The organization could not be stored");
    out->organization_id = org.id;
    out->app_id = live.id;
    out->test_app_id = test.id;
    return 0;
}

int accounts_bootstrap (turn_t *t, const accounts_bootstrap_in_t *in, accounts_bootstrap_out_t *out)
{
    accounts_organization_t org = {0};
    int code = org_only (t, &org);
    if (code && code != E_NOT_FOUND && code != E_CONFLICT)
        return code;
    if (code != E_NOT_FOUND)
        return fail (t, E_ALREADY_EXISTS, NULL, "This installation has an organization already");
    return org_found (t, in->organization, in->app, out);
}

typedef struct app_page {
    accounts_app_info_t *items;
    size_t count;
} app_page_t;

static int app_page_add (void *context, const void *row)
{
    app_page_t *page = context;
    const accounts_app_t *app = row;
    page->items[page->count++] = (accounts_app_info_t){.id = app->id,
                                                       .name = app->name,
                                                       .test = app->test,
                                                       .status = app->status,
                                                       .twin = app->twin,
                                                       .org = app->org,
                                                       .slug = app->slug};
    return 0;
}

int accounts_app_list (turn_t *t, const accounts_app_list_in_t *in, accounts_app_list_out_t *out)
{
    enum { MOST = 500 };
    (void) in;
    app_page_t list = {.items = arena_array_of (t->arena, accounts_app_info_t, MOST)};
    store_page_t page = {.limit = MOST};
    bool more = false;
    int code =
        store_list (t->txn, &accounts_app_record, &page, t->arena, app_page_add, &list, &more);
    out->apps = (schema_list_t){list.items, list.count};
    return code;
}
