/* number.c - messaging's own copy of numbers, followed from accounts: for callers that belong to an organization and name a number by its carrier's id.
 *
 * Deleted rows stay as tombstones with their version. */
#include "gen/accounts.h"
#include "messaging.h"

int number_changed (turn_t *t, const journal_event_t *event, const void *body)
{
    const accounts_number_changed_t *in = body;
    messaging_number_t old = {0};
    int code = store_get_any (t->txn, &messaging_number_record, in->id, t->arena, &old);
    if (code && code != E_NOT_FOUND)
        return code;
    if (code == 0 && old.version >= (int64_t) event->version)
        return 0;
    messaging_number_t row = {.id = in->id,
                              .org = in->org,
                              .number = in->number,
                              .channel = in->channel,
                              .carrier = in->carrier,
                              .test = in->test,
                              .account = in->account,
                              .ref = in->ref,
                              .waba = in->waba,
                              .name = in->name,
                              .status = in->status,
                              .team = in->team,
                              .version = (int64_t) event->version,
                              .deleted = in->deleted};
    return store_put (t->txn, &messaging_number_record, &row, NULL);
}

typedef struct number_search {
    messaging_number_t *out;
    bool found;
} number_search_t;

static int number_take_live (void *context, const void *row)
{
    number_search_t *search = context;
    const messaging_number_t *number = row;
    if (number->deleted)
        return 0;
    *search->out = *number;
    search->found = true;
    return E_ALREADY_EXISTS; /* found: no further */
}

int number_find (turn_t *t, id16_t org, const char *ref, messaging_number_t *out)
{
    store_key_t keys[] = {{.id = org}, {.num = ACCOUNTS_CHANNEL_WHATSAPP}, {.str = ref}};
    number_search_t search = {.out = out};
    store_page_t page = {.index = "by_ref", .keys = keys, .key_count = 3, .limit = 1000};
    int code = 0;
    if (ref && *ref && !id_is_nil (org))
        code = store_list (t->txn, &messaging_number_record, &page, t->arena, number_take_live,
                           &search, NULL);
    return search.found ? 0 : code ? code : E_NOT_FOUND;
}

int number_of_ref (turn_t *t, const char *ref, messaging_number_t *out)
{
    int code = number_find (t, t->ask->org, ref, out);
    return code == E_NOT_FOUND ? fail (t, code, "number_ref", "There is no such number") : code;
}

void number_route (const messaging_number_t *number, messaging_route_t *out)
{
    *out = (messaging_route_t){.org = number->org,
                               .number_id = number->id,
                               .number = number->number,
                               .channel = number->channel,
                               .carrier = number->carrier,
                               .test = number->test,
                               .account = number->account,
                               .ref = number->ref};
}
