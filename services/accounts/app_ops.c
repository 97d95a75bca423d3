/* app_ops.c - apps of an organization: list, make, rename, pause, delete.
 *
 * Deleting removes the app and its test twin with their keys and assignments in one turn; of what is more than a turn should touch the rest goes by a
 * job: nothing of it works any more once the app's row is gone. Webhooks and messaging hear of it by the journal. */
#include "accounts.h"

enum { REMOVED_AT_ONCE = 400 };

static accounts_app_told_t app_told (turn_t *t, const accounts_app_t *app)
{
    accounts_app_ref_t *twin = arena_new_of (t->arena, accounts_app_ref_t);
    *twin = (accounts_app_ref_t){.id = app->twin, .test = !app->test};
    return (accounts_app_told_t){.id = app->id,
                                 .test = app->test,
                                 .name = app->name,
                                 .slug = app->slug,
                                 .status = app->status,
                                 .twin = twin,
                                 .created_at = app->created_at,
                                 .updated_at = app->updated_at};
}

/* ---- reading ---- */

typedef struct app_list {
    turn_t *t;
    accounts_app_told_t *items;
    size_t count;
} app_list_t;

static int app_list_add (void *context, const void *row)
{
    app_list_t *list = context;
    list->items[list->count++] = app_told (list->t, row);
    return 0;
}

int accounts_app_page (turn_t *t, const accounts_app_page_in_t *in, accounts_app_page_out_t *out)
{
    store_key_t live[] = {{.id = t->ask->org}, {.num = false}};
    size_t limit = in->limit ? (size_t) in->limit : 20;
    app_list_t list = {t, arena_array_of (t->arena, accounts_app_told_t, limit), 0};
    store_page_t page = {.index = "by_mode",
                         .keys = live,
                         .key_count = 2,
                         .newest_first = true,
                         .limit = limit,
                         .offset = (size_t) in->offset};
    bool more = false;
    uint64_t total = 0;
    int code =
        store_list (t->txn, &accounts_app_record, &page, t->arena, app_list_add, &list, &more);
    if (code == 0)
        code = store_count (t->txn, &accounts_app_record, "by_mode", live, 2, &total);
    out->apps = (schema_list_t){list.items, list.count};
    out->total = (int64_t) total;
    return code;
}

static int slug_find (turn_t *t, const char *slug)
{
    accounts_app_t taken = {0};
    store_key_t keys[] = {{.id = t->ask->org}, {.num = false}, {.str = slug}};
    return store_find (t->txn, &accounts_app_record, "by_slug", keys, 3, t->arena, &taken);
}

int accounts_app_slug_check (turn_t *t, const accounts_app_slug_check_in_t *in,
                             accounts_app_slug_check_out_t *out)
{
    int code = slug_find (t, in->slug);
    out->slug = in->slug;
    out->available = code == E_NOT_FOUND;
    return out->available ? 0 : code;
}

int accounts_app_stats (turn_t *t, const accounts_app_stats_in_t *in, accounts_app_stats_out_t *out)
{
    accounts_app_t app = {0};
    store_key_t keys[] = {{.id = in->app}, {.num = ACCOUNTS_CHANNEL_SMS}};
    uint64_t numbers = 0;
    if (id_is_nil (in->app))
        return fail (t, E_BAD_REQUEST, "app", "An app has to be named");
    int code = app_named (t, in->app, in->app_test, &app);
    if (code == 0)
        code = store_count (t->txn, &accounts_assignment_record, "by_app", keys, 2, &numbers);
    *out = (accounts_app_stats_out_t){
        .app = app.id, .test = app.test, .phone_numbers = (int64_t) numbers};
    return code;
}

/* ---- making and changing ---- */

int accounts_app_create (turn_t *t, const accounts_app_create_in_t *in, accounts_app_told_t *out)
{
    accounts_app_t live = {0};
    accounts_app_t test = {0};
    int code = slug_find (t, in->slug);
    if (code == 0)
        return fail (t, E_ALREADY_EXISTS, "slug", "An app of this organization has this slug");
    if (code == E_NOT_FOUND)
        code = app_make (t, t->ask->org, in->name, in->slug, &live, &test);
    if (code)
        return code;
    *out = app_told (t, &live);
    return 0;
}

/* A live app of the calling organization: its test twin comes and goes with it. */
static int app_live (turn_t *t, id16_t id, bool test, accounts_app_t *out)
{
    int code = app_named (t, id, test, out);
    return code == 0 && out->test ? fail (t, E_NOT_FOUND, "app", "No such app") : code;
}

static int app_change (turn_t *t, accounts_app_t *app)
{
    app->updated_at = t->now;
    app->version += 1;
    int code = store_put (t->txn, &accounts_app_record, app, NULL);
    return code ? code : app_event (t, app, false);
}

static int twin_rename (turn_t *t, const accounts_app_t *app)
{
    accounts_app_t twin = {0};
    int code = store_get_any (t->txn, &accounts_app_record, app->twin, t->arena, &twin);
    twin.name = app->name;
    return code ? code : app_change (t, &twin);
}

int accounts_app_update (turn_t *t, const accounts_app_update_in_t *in, accounts_app_told_t *out)
{
    accounts_app_t app = {0};
    int code = app_live (t, in->app, in->app_test, &app);
    if (code == 0 && in->name) {
        app.name = in->name;
        code = app_change (t, &app);
        if (code == 0)
            code = twin_rename (t, &app);
    }
    if (code)
        return code;
    *out = app_told (t, &app);
    return 0;
}

int accounts_app_pause (turn_t *t, const accounts_app_pause_in_t *in, accounts_app_info_t *out)
{
    accounts_app_t app = {0};
    int32_t status = in->paused ? ACCOUNTS_APP_STATUS_PAUSED : ACCOUNTS_APP_STATUS_ACTIVE;
    int code = store_get_any (t->txn, &accounts_app_record, in->app, t->arena, &app);
    if (code)
        return code == E_NOT_FOUND ? fail (t, code, "app", "No such app") : code;
    if (app.status != status) {
        app.status = status;
        code = app_change (t, &app);
    }
    *out = (accounts_app_info_t){.id = app.id,
                                 .name = app.name,
                                 .test = app.test,
                                 .status = app.status,
                                 .twin = app.twin,
                                 .org = app.org,
                                 .slug = app.slug};
    return code;
}

/* ---- deleting ---- */

typedef struct removal {
    turn_t *t;
    size_t left; /* rows that this turn may still touch */
} removal_t;

static int key_remove_each (void *context, const void *row)
{
    removal_t *self = context;
    self->left -= 1;
    return key_forget (self->t, row);
}

static int assignment_remove_each (void *context, const void *row)
{
    removal_t *self = context;
    const accounts_assignment_t *assignment = row;
    accounts_number_t number = {0};
    self->left -= 1;
    int code = store_get_any (self->t->txn, &accounts_number_record, assignment->number,
                              self->t->arena, &number);
    return code ? code : assignment_remove (self->t, assignment, &number);
}

/* Keys, then assignments of an app whose row is gone; *more: not all of them. */
static int app_clear (turn_t *t, id16_t app, bool *more)
{
    removal_t self = {t, REMOVED_AT_ONCE};
    store_key_t key = {.id = app};
    store_page_t page = {.index = "by_app", .keys = &key, .key_count = 1, .limit = self.left};
    int code =
        store_list (t->txn, &accounts_key_record, &page, t->arena, key_remove_each, &self, more);
    page.limit = self.left;
    if (code == 0 && !*more && self.left)
        code = store_list (t->txn, &accounts_assignment_record, &page, t->arena,
                           assignment_remove_each, &self, more);
    if (self.left == 0)
        *more = true;
    return code;
}

static int app_end (turn_t *t, id16_t app)
{
    accounts_app_end_job_t body = {.app = app};
    job_new_t job = {
        .kind = &accounts_app_end_kind, .group = app, .due = t->now + 1, .body = &body};
    bool more = false;
    int code = app_clear (t, app, &more);
    return code == 0 && more ? job_add (t, &job, NULL) : code;
}

static int app_remove (turn_t *t, accounts_app_t *app)
{
    int code = store_del (t->txn, &accounts_app_record, app->id);
    if (code == 0)
        code = store_del (t->txn, &accounts_calling_config_record, app->id);
    if (code == E_NOT_FOUND) /* nothing was ever set */
        code = 0;
    app->version += 1;
    if (code == 0)
        code = app_event (t, app, true);
    return code ? code : app_end (t, app->id);
}

int accounts_app_delete (turn_t *t, const accounts_app_delete_in_t *in,
                         accounts_app_delete_out_t *out)
{
    (void) out;
    accounts_app_t app = {0};
    accounts_app_t twin = {0};
    int code = app_live (t, in->app, in->app_test, &app);
    if (code == 0)
        code = store_get_any (t->txn, &accounts_app_record, app.twin, t->arena, &twin);
    if (code == 0)
        code = app_remove (t, &app);
    return code ? code : app_remove (t, &twin);
}

static int app_end_finish (turn_t *t, job_t *job, const outcome_t *outcome)
{
    (void) outcome;
    const accounts_app_end_job_t *body = job->body;
    return app_end (t, body->app);
}

const job_kind_t accounts_app_end_kind = {
    .name = "app_end",
    .number = 1,
    .type = &accounts_app_end_job_type,
    .repeatable = true,
    .begin = job_begin_nothing,
    .finish = app_end_finish,
};
