/* org_number.c - numbers as their organization sees them: all with their apps, and which apps may use one.
 *
 * A number's apps change as one: all that the caller names are looked at first, and one that is not there changes nothing. */
#include "accounts.h"

enum { APPS_MOST = 500 /* of one number; each takes a few rows */ };

/* ---- telling ---- */

typedef struct apps_of {
    turn_t *t;
    accounts_assignment_t *rows;
    size_t count;
} apps_of_t;

static int apps_of_add (void *context, const void *row)
{
    apps_of_t *self = context;
    self->rows[self->count++] = *(const accounts_assignment_t *) row;
    return 0;
}

/* Who may use the number, in the order in which it was assigned. */
static int assignments_of (turn_t *t, id16_t number, apps_of_t *out)
{
    store_key_t key = {.id = number};
    store_page_t page = {.index = "by_number", .keys = &key, .key_count = 1, .limit = APPS_MOST};
    uint64_t held = 0;
    int code = store_count (t->txn, &accounts_assignment_record, "by_number", &key, 1, &held);
    if (held < APPS_MOST) /* a page tells many numbers: no more room than there are apps */
        page.limit = (size_t) held;
    *out = (apps_of_t){t, arena_array_of (t->arena, accounts_assignment_t, page.limit + 1), 0};
    if (code || held == 0)
        return code;
    return store_list (t->txn, &accounts_assignment_record, &page, t->arena, apps_of_add, out,
                       NULL);
}

/* An app that is being deleted still has rows for a while: it is not told any more. */
static int apps_told (turn_t *t, const apps_of_t *of, schema_list_t *out)
{
    accounts_number_app_t *items =
        arena_array_of (t->arena, accounts_number_app_t, of->count ? of->count : 1);
    size_t count = 0;
    int code = 0;
    for (size_t i = 0; i < of->count && code == 0; i++) {
        accounts_app_t app = {0};
        code = store_get_any (t->txn, &accounts_app_record, of->rows[i].app, t->arena, &app);
        if (code == 0)
            items[count++] = (accounts_number_app_t){
                .app = app.id, .test = app.test, .name = app.name, .slug = app.slug};
        else if (code == E_NOT_FOUND)
            code = 0;
    }
    *out = (schema_list_t){items, count};
    return code;
}

int number_apps (turn_t *t, const accounts_number_t *number, schema_list_t *out)
{
    apps_of_t of;
    int code = assignments_of (t, number->id, &of);
    return code ? code : apps_told (t, &of, out);
}

int number_forget (turn_t *t, accounts_number_t *number)
{
    apps_of_t of;
    int code = assignments_of (t, number->id, &of);
    for (size_t i = 0; i < of.count && code == 0; i++)
        code = assignment_remove (t, &of.rows[i], number);
    return code ? code : number_remove (t, number);
}

static int org_number_told (turn_t *t, const accounts_number_t *number, accounts_org_number_t *out)
{
    accounts_app_number_t told = number_told (number, &(accounts_assignment_t){0});
    *out = (accounts_org_number_t){.number_id = number->id,
                                   .test = number->test,
                                   .number = number->number,
                                   .kind = told.kind,
                                   .location = told.location,
                                   .features = told.features,
                                   .created_at = number->created_at,
                                   .updated_at = number->updated_at};
    return number_apps (t, number, &out->apps);
}

/* ---- the list ---- */

typedef struct number_page {
    turn_t *t;
    accounts_org_number_t *items;
    size_t count;
} number_page_t;

static int number_page_add (void *context, const void *row)
{
    number_page_t *page = context;
    return org_number_told (page->t, row, &page->items[page->count++]);
}

int accounts_number_page (turn_t *t, const accounts_number_page_in_t *in,
                          accounts_number_page_out_t *out)
{
    store_key_t keys[] = {{.id = t->ask->org}, {.num = in->channel}};
    size_t limit = in->limit ? (size_t) in->limit : 20;
    number_page_t list = {t, arena_array_of (t->arena, accounts_org_number_t, limit), 0};
    store_page_t page = {.index = "by_org",
                         .keys = keys,
                         .key_count = 2,
                         .newest_first = true,
                         .limit = limit,
                         .offset = (size_t) in->offset};
    uint64_t total = 0;
    int code =
        store_list (t->txn, &accounts_number_record, &page, t->arena, number_page_add, &list, NULL);
    if (code == 0)
        code = store_count (t->txn, &accounts_number_record, "by_org", keys, 2, &total);
    out->numbers = (schema_list_t){list.items, list.count};
    out->total = (int64_t) total;
    return code;
}

/* ---- changing ---- */

int org_number (turn_t *t, id16_t id, bool test, accounts_number_t *out)
{
    int code = store_get (t->txn, &accounts_number_record, t->ask->org, id, t->arena, out);
    if (code == 0 && (out->test != test || out->channel != ACCOUNTS_CHANNEL_SMS))
        code = E_NOT_FOUND;
    return code == E_NOT_FOUND ? fail (t, code, "number_id", "No such phone number") : code;
}

static int app_fits (turn_t *t, id16_t id, const accounts_number_t *number)
{
    accounts_app_t app = {0};
    int code = store_get (t->txn, &accounts_app_record, t->ask->org, id, t->arena, &app);
    if (code)
        return code == E_NOT_FOUND ? fail (t, code, "app_ids", "No such app") : code;
    if (app.test != number->test)
        return fail (t, E_BAD_REQUEST, "app_ids",
                     number->test ? "A test number serves test apps only"
                                  : "A live number serves live apps only");
    return 0;
}

static bool is_among (id16_t id, const id16_t *ids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (id_equal (ids[i], id))
            return true;
    return false;
}

static int apps_replace (turn_t *t, const accounts_number_t *number, const schema_list_t *wanted)
{
    apps_of_t of;
    const id16_t *ids = wanted->items;
    int code = assignments_of (t, number->id, &of);
    for (size_t i = 0; i < of.count && code == 0; i++)
        if (!is_among (of.rows[i].app, ids, wanted->count))
            code = assignment_remove (t, &of.rows[i], number);
    for (size_t i = 0; i < wanted->count && code == 0; i++) {
        accounts_assignment_t made = {0};
        code = assignment_make (t, ids[i], number, &made);
        if (code == E_ALREADY_EXISTS)
            code = 0;
    }
    return code;
}

int accounts_number_apps_set (turn_t *t, const accounts_number_apps_set_in_t *in,
                              accounts_org_number_t *out)
{
    accounts_number_t number = {0};
    int code = org_number (t, in->number_id, in->number_id_test, &number);
    for (size_t i = 0; i < in->app_ids.count && code == 0; i++)
        code = app_fits (t, ((const id16_t *) in->app_ids.items)[i], &number);
    if (code == 0)
        code = apps_replace (t, &number, &in->app_ids);
    number.updated_at = t->now;
    if (code == 0)
        code = store_put (t->txn, &accounts_number_record, &number, NULL);
    return code ? code : org_number_told (t, &number, out);
}
