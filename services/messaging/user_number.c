/* user_number.c - playground numbers that play users: drawn, or noted when one writes.
 *
 * An app has its own; what an admin key draws belongs to the organization, and it sees those of all apps, each number once. */
#include "gen/accounts.h"
#include "messaging.h"
#include <string.h>

int user_number_note (turn_t *t, id16_t app, int32_t channel, const char *number,
                      messaging_user_number_t *out)
{
    store_key_t keys[] = {{.id = app}, {.num = channel}, {.str = number}};
    int code = store_find (t->txn, &messaging_user_number_record, "by_app", keys, 3, t->arena, out);
    if (code != E_NOT_FOUND)
        return code;
    *out = (messaging_user_number_t){.id = turn_id (t),
                                     .org = t->ask->org,
                                     .app = app,
                                     .number = number,
                                     .channel = channel,
                                     .created_at = t->now};
    return store_insert (t->txn, &messaging_user_number_record, out, NULL);
}

static messaging_playground_number_t number_told (const messaging_user_number_t *user)
{
    return (messaging_playground_number_t){.id = user->id,
                                           .number = user->number,
                                           .role = MESSAGING_USER_ROLE_USER,
                                           .app = user->app,
                                           .created_at = user->created_at,
                                           .test = true};
}

/* +1 555 01xx are never real; after those, +1 555 1xx xxxx of the app's own count. */
static const char *number_draw (turn_t *t, uint64_t nth)
{
    if (nth < 100)
        return arena_printf (t->arena, "+1555555%04u", 100 + (unsigned) nth);
    return arena_printf (t->arena, "+15551%06u", (unsigned) (nth % 1000000));
}

static bool is_admin (const turn_t *t)
{
    return t->ask->principal == PRINCIPAL_ADMIN_KEY;
}

int messaging_user_number_draw (turn_t *t, const messaging_user_number_draw_in_t *in,
                                messaging_playground_number_t *out)
{
    id16_t holder = is_admin (t) ? t->ask->org : t->ask->app;
    store_key_t keys[] = {{.id = holder}, {.num = in->channel}};
    uint64_t count = 0;
    int code = store_count (t->txn, &messaging_user_number_record,
                            is_admin (t) ? "by_org" : "listed", keys, 2, &count);
    for (uint64_t i = 0; i < 1000 && code == 0; i++) {
        messaging_user_number_t user = {0};
        const char *number = number_draw (t, count + i);
        store_key_t full[] = {keys[0], keys[1], {.str = number}};
        code =
            store_find (t->txn, &messaging_user_number_record, "by_app", full, 3, t->arena, &user);
        if (code == E_NOT_FOUND) {
            code = user_number_note (t, holder, in->channel, number, &user);
            *out = number_told (&user);
            return code;
        }
    }
    return code ? code : fail (t, E_CONFLICT, NULL, "No playground number is free");
}

enum { SHOWN_MOST = 100, LOOKED_AT_MOST = 1000 };

typedef struct number_page {
    messaging_playground_number_t *items;
    size_t count;
    bool once; /* each number */
} number_page_t;

static int number_page_add (void *context, const void *row)
{
    number_page_t *page = context;
    messaging_playground_number_t told = number_told (row);
    for (size_t i = 0; page->once && i < page->count; i++)
        if (strcmp (page->items[i].number, told.number) == 0)
            return 0;
    if (page->count < SHOWN_MOST)
        page->items[page->count++] = told;
    return 0;
}

int messaging_user_number_list (turn_t *t, const messaging_user_number_list_in_t *in,
                                messaging_user_number_list_out_t *out)
{
    bool all = is_admin (t);
    store_key_t keys[] = {{.id = all ? t->ask->org : t->ask->app}, {.num = in->channel}};
    number_page_t list = {
        .items = arena_array_of (t->arena, messaging_playground_number_t, SHOWN_MOST), .once = all};
    store_page_t page = {.index = all ? "by_org" : "listed",
                         .keys = keys,
                         .key_count = 2,
                         .newest_first = true,
                         .limit = all ? LOOKED_AT_MOST : SHOWN_MOST};
    bool more = false;
    int code = store_list (t->txn, &messaging_user_number_record, &page, t->arena, number_page_add,
                           &list, &more);
    out->numbers = (schema_list_t){list.items, list.count};
    return code;
}
