/* number_ops.c - operations on the calling app's numbers, and the playground's system numbers. */
#include "accounts.h"
#include <string.h>

/* How a caller names a number. */
typedef struct named {
    id16_t id;
    bool test;
    int32_t channel; /* 0 = any */
} named_t;

static int own_number (turn_t *t, const app_asked_t *app, const named_t *named,
                       accounts_number_t *out)
{
    int code = store_get (t->txn, &accounts_number_record, t->ask->org, named->id, t->arena, out);
    if (code == 0 && (out->test != app->test || (named->channel && out->channel != named->channel)))
        code = E_NOT_FOUND;
    if (code == E_NOT_FOUND)
        return fail (t, E_NOT_FOUND, "number_id", "No such phone number");
    return code;
}

int accounts_number_ensure (turn_t *t, const accounts_number_ensure_in_t *in,
                            accounts_number_ensure_out_t *out)
{
    accounts_number_t number = {0};
    accounts_assignment_t assignment = {0};
    if (!t->ask->test)
        return fail (t, E_TEST_APP_REQUIRED, NULL, "Only test apps have a playground");
    int code = number_find (t, t->ask->org, true, in->channel, in->number, &number);
    if (code == E_NOT_FOUND)
        code = number_make (t, t->ask->org, in->channel, in->number, NULL, NULL, &number);
    if (code == 0)
        code = assignment_make (t, t->ask->app, &number, &assignment);
    if (code && code != E_ALREADY_EXISTS)
        return code;
    accounts_app_number_t *told = arena_new_of (t->arena, accounts_app_number_t);
    *told = number_told (&number, &assignment);
    out->number = told;
    return 0;
}

/* +1 555 01xx cannot be real; the middle counts up the organization's numbers. */
static int free_number (turn_t *t, int32_t channel, const char **out)
{
    store_key_t keys[] = {{.id = t->ask->org}, {.num = channel}};
    uint64_t count = 0;
    int code = store_count (t->txn, &accounts_number_record, "by_org", keys, 2, &count);
    for (uint64_t i = 0; i < 1000 && code == 0; i++) {
        uint64_t nth = (count + i) % 80000;
        accounts_number_t taken = {0};
        *out = arena_printf (t->arena, "+1%03u55501%02u", 200 + (unsigned) (nth / 100),
                             (unsigned) (nth % 100));
        code = number_find (t, t->ask->org, true, channel, *out, &taken);
        if (code == E_NOT_FOUND)
            return 0;
    }
    return code ? code : fail (t, E_CONFLICT, NULL, "No playground number is free");
}

/* The number that the caller wants, if its organization's playground does not have it yet. */
static int wanted_number (turn_t *t, int32_t channel, const char *number)
{
    accounts_number_t taken = {0};
    int code = number_find (t, t->ask->org, true, channel, number, &taken);
    if (code == 0)
        return fail (t, E_ALREADY_EXISTS, "number", "%s exists already", number);
    return code == E_NOT_FOUND ? 0 : code;
}

static int playground_app (turn_t *t, id16_t id, bool test, app_asked_t *out)
{
    int code = app_asked (t, id, test, out);
    return code == 0 && !out->test
               ? fail (t, E_TEST_APP_REQUIRED, NULL, "Only test apps have a playground")
               : code;
}

int accounts_number_draw (turn_t *t, const accounts_number_draw_in_t *in,
                          accounts_app_number_t *out)
{
    const char *drawn = in->number;
    app_asked_t app;
    accounts_number_t number = {0};
    accounts_assignment_t assignment = {0};
    int code = playground_app (t, in->app, in->app_test, &app);
    if (code == 0)
        code = drawn ? wanted_number (t, in->channel, drawn) : free_number (t, in->channel, &drawn);
    if (code == 0)
        code = number_make (t, t->ask->org, in->channel, drawn, NULL, NULL, &number);
    if (code == 0)
        code = assignment_make (t, app.id, &number, &assignment);
    if (code == 0)
        *out = number_told (&number, &assignment);
    return code;
}

typedef struct number_page {
    turn_t *t;
    accounts_app_number_t *items;
    size_t count;
} number_page_t;

static int number_page_add (void *context, const void *row)
{
    number_page_t *page = context;
    const accounts_assignment_t *assignment = row;
    accounts_number_t number = {0};
    int code = store_get_any (page->t->txn, &accounts_number_record, assignment->number,
                              page->t->arena, &number);
    if (code == 0)
        page->items[page->count++] = number_told (&number, assignment);
    return code;
}

int accounts_number_list (turn_t *t, const accounts_number_list_in_t *in,
                          accounts_number_list_out_t *out)
{
    app_asked_t app;
    int code = in->playground ? playground_app (t, in->app, in->app_test, &app)
                              : app_asked (t, in->app, in->app_test, &app);
    if (code)
        return code;
    store_key_t keys[] = {{.id = app.id}, {.num = in->channel}};
    size_t limit = in->limit ? (size_t) in->limit : 100;
    number_page_t list = {t, arena_array_of (t->arena, accounts_app_number_t, limit), 0};
    store_page_t page = {.index = "by_app",
                         .keys = keys,
                         .key_count = 2,
                         .newest_first = true,
                         .limit = limit,
                         .offset = (size_t) in->offset};
    bool more = false;
    uint64_t total = 0;
    code = store_list (t->txn, &accounts_assignment_record, &page, t->arena, number_page_add, &list,
                       &more);
    if (code == 0)
        code = store_count (t->txn, &accounts_assignment_record, "by_app", keys, 2, &total);
    out->numbers = (schema_list_t){list.items, list.count};
    out->total = (int64_t) total;
    return code;
}

/* The spelling of a number's mode only counts where the caller has apps of both. */
static int named_number (turn_t *t, const app_asked_t *app, const named_t *named,
                         accounts_number_t *out)
{
    bool other = t->ask->principal == PRINCIPAL_ADMIN_KEY && named->test != app->test;
    return other ? fail (t, E_NOT_FOUND, "number_id", "No such phone number")
                 : own_number (t, app, named, out);
}

int accounts_number_assign (turn_t *t, const accounts_number_assign_in_t *in,
                            accounts_app_number_t *out)
{
    named_t named = {in->number_id, in->number_id_test, in->channel};
    app_asked_t app;
    accounts_number_t number = {0};
    accounts_assignment_t assignment = {0};
    int code = app_asked (t, in->app, in->app_test, &app);
    if (code == 0)
        code = named_number (t, &app, &named, &number);
    if (code)
        return code;
    code = assignment_make (t, app.id, &number, &assignment);
    if (code == E_ALREADY_EXISTS)
        return fail (t, E_CONFLICT, "number_id", "The number is assigned to this app already");
    if (code == 0 && in->messaging_profile) {
        assignment.messaging_profile = in->messaging_profile;
        code = store_put (t->txn, &accounts_assignment_record, &assignment, NULL);
    }
    if (code)
        return code;
    *out = number_told (&number, &assignment);
    return 0;
}

/* A number and its assignment to the app. */
static int assigned_number (turn_t *t, const app_asked_t *app, const named_t *named,
                            accounts_number_t *number, accounts_assignment_t *assignment)
{
    int code = named_number (t, app, named, number);
    if (code == 0)
        code = assignment_find (t, app->id, number->id, assignment);
    return code == E_NOT_FOUND ? fail (t, code, "number_id", "No such phone number in this app")
                               : code;
}

int accounts_number_unassign (turn_t *t, const accounts_number_unassign_in_t *in,
                              accounts_number_unassign_out_t *out)
{
    (void) out;
    named_t named = {in->number_id, in->number_id_test, in->channel};
    app_asked_t app;
    accounts_number_t number = {0};
    accounts_assignment_t assignment = {0};
    int code = app_asked (t, in->app, in->app_test, &app);
    if (code == 0)
        code = assigned_number (t, &app, &named, &number, &assignment);
    return code ? code : assignment_remove (t, &assignment, &number);
}

int accounts_number_set (turn_t *t, const accounts_number_set_in_t *in, accounts_app_number_t *out)
{
    named_t named = {in->number_id, in->number_id_test, in->channel};
    app_asked_t app;
    accounts_number_t number = {0};
    accounts_assignment_t assignment = {0};
    int code = app_asked (t, in->app, in->app_test, &app);
    if (code == 0)
        code = assigned_number (t, &app, &named, &number, &assignment);
    if (code == 0 && in->messaging_profile) {
        assignment.messaging_profile = in->messaging_profile;
        assignment.updated_at =
            t->now; /* the version is of what followers get, which is as it was */
        code = store_put (t->txn, &accounts_assignment_record, &assignment, NULL);
    }
    if (code == 0)
        *out = number_told (&number, &assignment);
    return code;
}

/* The organization that gets the number: of the app if given, else as said, else the only one. */
static int number_owner (turn_t *t, const accounts_number_add_in_t *in, id16_t *org, bool *test)
{
    *test = in->test;
    *org = in->org;
    if (!id_is_nil (in->app)) {
        accounts_app_t app = {0};
        int code = store_get_any (t->txn, &accounts_app_record, in->app, t->arena, &app);
        *org = app.org;
        *test = app.test;
        return code == E_NOT_FOUND ? fail (t, code, "app", "No such app") : code;
    }
    return org_named (t, in->org, org);
}

/* The carrier account of a live number, NULL for a test number. */
static int number_way (turn_t *t, const accounts_number_add_in_t *in, id16_t org, bool test,
                       const accounts_carrier_account_t **out)
{
    *out = NULL;
    if (test && !id_is_nil (in->account))
        return fail (t, E_BAD_REQUEST, "account",
                     "Test numbers run on the loopback carrier; they go through no account");
    if (test)
        return 0;
    accounts_carrier_account_t *account = arena_new_of (t->arena, accounts_carrier_account_t);
    int code = carrier_for_number (t, org, in->channel, in->account, account);
    if (code == 0 && account->carrier == ACCOUNTS_CARRIER_META && (!in->ref || !*in->ref))
        return fail (t, E_BAD_REQUEST, "ref",
                     "A WhatsApp number needs its phone number id at Meta");
    *out = account;
    return code;
}

/* A number that exists already may go to another app, but not by another way than it has. */
static int number_same (turn_t *t, const accounts_number_t *number, id16_t org,
                        const accounts_carrier_account_t *way, const char *ref)
{
    if (!id_equal (number->org, org))
        return fail (t, E_ALREADY_EXISTS, "number", "%s exists already", number->number);
    if (way && (!id_equal (number->account, way->id) ||
                strcmp (number->ref ? number->ref : "", ref ? ref : "") != 0))
        return fail (t, E_CONFLICT, "number",
                     "%s exists already and goes through another carrier account or ref",
                     number->number);
    return 0;
}

int accounts_number_add (turn_t *t, const accounts_number_add_in_t *in, accounts_app_number_t *out)
{
    id16_t org;
    bool test;
    const accounts_carrier_account_t *way = NULL;
    accounts_number_t number = {0};
    accounts_assignment_t assignment = {0};
    int code = number_owner (t, in, &org, &test);
    if (code == 0)
        code = number_way (t, in, org, test, &way);
    if (code)
        return code;
    code = number_find (t, org, test, in->channel, in->number, &number);
    if (code == 0 && id_is_nil (in->app))
        return fail (t, E_ALREADY_EXISTS, "number", "%s exists already", in->number);
    if (code == E_NOT_FOUND)
        code = number_make (t, org, in->channel, in->number, way, in->ref, &number);
    else if (code == 0)
        code = number_same (t, &number, org, way, in->ref);
    if (code == 0 && !id_is_nil (in->app)) {
        code = assignment_make (t, in->app, &number, &assignment);
        if (code == E_ALREADY_EXISTS)
            return fail (t, code, "number", "%s is assigned to this app already", in->number);
    }
    if (code)
        return code;
    *out = number_told (&number, &assignment);
    out->ref = number_ref (t, &number);
    return 0;
}
