/* route.c - messaging's own copy of apps and assignments, followed from accounts.
 *
 * Deleted rows stay as tombstones with their version, so that an older event told again cannot bring them back. */
#include "gen/accounts.h"
#include "gen/inbox.h"
#include "gen/templates.h"
#include "messaging.h"

static bool is_live (const messaging_route_t *route)
{
    return !route->deleted;
}

typedef struct route_search {
    messaging_route_t *out;
    bool found;
} route_search_t;

static int route_take_live (void *context, const void *row)
{
    route_search_t *search = context;
    if (!is_live (row))
        return 0;
    *search->out = *(const messaging_route_t *) row;
    search->found = true;
    return 1;
}

int number_of_app (turn_t *t, int32_t channel, const char *from, messaging_route_t *out)
{
    store_key_t keys[] = {{.id = t->ask->app}, {.num = channel}, {.str = from}};
    route_search_t search = {.out = out};
    store_page_t page = {.index = "by_from", .keys = keys, .key_count = 3, .limit = 16};
    bool more = false;
    int code = store_list (t->txn, &messaging_route_record, &page, t->arena, route_take_live,
                           &search, &more);
    if (code && !search.found)
        return fail (t, code, NULL, "The numbers could not be read");
    if (!search.found)
        return fail (t, E_PHONE_NUMBER_NOT_ASSIGNED, "from", "%s is not a number of this app",
                     from);
    return 0;
}

int sender_find (turn_t *t, int32_t channel, const char *from, messaging_route_t *out)
{
    messaging_app_t app = {0};
    int code = number_of_app (t, channel, from, out);
    if (code || store_get_any (t->txn, &messaging_app_record, t->ask->app, t->arena, &app))
        return code;
    if (app.deleted) /* its numbers follow in a moment */
        return fail (t, E_PHONE_NUMBER_NOT_ASSIGNED, "from", "This app was deleted");
    return app.paused ? fail (t, E_FORBIDDEN, NULL, "This app is paused and may not send") : 0;
}

typedef struct ref_search {
    messaging_route_t *out;
    int32_t channel;
    bool found;
} ref_search_t;

static int route_take_channel (void *context, const void *row)
{
    ref_search_t *search = context;
    const messaging_route_t *route = row;
    if (!is_live (route) || route->channel != search->channel)
        return 0;
    *search->out = *route;
    search->found = true;
    return 1;
}

int route_of_carrier (turn_t *t, id16_t account, bool whatsapp, const char *ref,
                      messaging_route_t *out)
{
    static const char *const indexes[] = {"by_ref", "by_account"};
    store_key_t keys[] = {{.id = account}, {.str = ref}};
    ref_search_t search = {.out = out,
                           .channel = whatsapp ? ACCOUNTS_CHANNEL_WHATSAPP : ACCOUNTS_CHANNEL_SMS};
    int code = 0;
    for (size_t i = 0; i < 2 && ref && *ref && code == 0; i++) {
        store_page_t page = {.index = indexes[i], .keys = keys, .key_count = 2, .limit = 1000};
        bool more = false;
        code = store_list (t->txn, &messaging_route_record, &page, t->arena, route_take_channel,
                           &search, &more);
    }
    return search.found ? 0 : code ? code : E_NOT_FOUND;
}

static int app_add (turn_t *t, id16_t id, messaging_app_ref_t *refs, size_t *count)
{
    messaging_app_t app = {0};
    int code = store_get_any (t->txn, &messaging_app_record, id, t->arena, &app);
    if (code == E_NOT_FOUND || (code == 0 && app.deleted))
        return 0;
    if (code)
        return code;
    refs[*count] = (messaging_app_ref_t){.id = app.id, .name = app.name, .test = app.test};
    *count += 1;
    return 0;
}

enum { APPS_MAX = 100 };

typedef struct app_list {
    id16_t ids[APPS_MAX];
    size_t count;
} app_list_t;

static int app_list_add (void *context, const void *row)
{
    app_list_t *list = context;
    const messaging_route_t *route = row;
    if (is_live (route) && list->count < APPS_MAX)
        list->ids[list->count++] = route->app;
    return 0;
}

int apps_of_number (turn_t *t, id16_t number, schema_list_t *out)
{
    store_key_t key = {.id = number};
    app_list_t *list = arena_new_of (t->arena, app_list_t);
    store_page_t page = {.index = "by_number", .keys = &key, .key_count = 1, .limit = 1000};
    bool more = false;
    int code =
        store_list (t->txn, &messaging_route_record, &page, t->arena, app_list_add, list, &more);
    if (code)
        return code;
    messaging_app_ref_t *refs = arena_array_of (t->arena, messaging_app_ref_t, list->count + 1);
    size_t count = 0;
    for (size_t i = 0; i < list->count && code == 0; i++)
        code = app_add (t, list->ids[i], refs, &count);
    *out = (schema_list_t){refs, count};
    return code;
}

int app_told (turn_t *t, id16_t app, schema_list_t *out)
{
    messaging_app_ref_t *refs = arena_array_of (t->arena, messaging_app_ref_t, 1);
    size_t count = 0;
    int code = app_add (t, app, refs, &count);
    *out = (schema_list_t){refs, count};
    return code;
}

static int assignment_changed (turn_t *t, const journal_event_t *event, const void *body)
{
    const accounts_assignment_changed_t *in = body;
    messaging_route_t old = {0};
    int code = store_get_any (t->txn, &messaging_route_record, in->id, t->arena, &old);
    if (code && code != E_NOT_FOUND)
        return code;
    if (code == 0 && old.version >= (int64_t) event->version)
        return 0;
    messaging_route_t route = {.id = in->id,
                               .org = in->org,
                               .app = in->app,
                               .number_id = in->number_id,
                               .number = in->number,
                               .channel = in->channel,
                               .carrier = in->carrier,
                               .test = in->test,
                               .version = (int64_t) event->version,
                               .deleted = in->deleted,
                               .account = in->account,
                               .ref = in->ref};
    return store_put (t->txn, &messaging_route_record, &route, NULL);
}

static int app_changed (turn_t *t, const journal_event_t *event, const void *body)
{
    const accounts_app_changed_t *in = body;
    messaging_app_t old = {0};
    int code = store_get_any (t->txn, &messaging_app_record, in->id, t->arena, &old);
    if (code && code != E_NOT_FOUND)
        return code;
    if (code == 0 && old.version >= (int64_t) event->version)
        return 0;
    messaging_app_t app = {.id = in->id,
                           .org = in->org,
                           .name = in->name,
                           .test = in->test,
                           .paused = in->status == ACCOUNTS_APP_STATUS_PAUSED,
                           .deleted = in->deleted,
                           .version = (int64_t) event->version};
    code = store_put (t->txn, &messaging_app_record, &app, NULL);
    return code == 0 && in->deleted ? app_end_add (t, in->id) : code;
}

const svc_follow_t messaging_follows[] = {
    {&accounts_assignment_changed_event, assignment_changed},
    {&accounts_app_changed_event, app_changed},
    {&accounts_org_changed_event, org_changed},
    {&accounts_carrier_changed_event, carrier_changed},
    {&accounts_number_changed_event, number_changed},
    {&templates_template_changed_event, template_changed},
    {&templates_account_synced_event, template_account_synced},
    {&inbox_erased_event, contact_erased},
};
const size_t messaging_follow_count = sizeof messaging_follows / sizeof *messaging_follows;
