/* offer.c - numbers on offer, and what is remembered of them: a carrier tells a number's place and features in a search, and not again once it is bought.
 *
 * One row for each organization holds the last ones, so that searching makes nothing grow. Fails as the store does. */
#include "accounts.h"
#include <string.h>

enum { OFFERS_KEPT = 200 };

accounts_number_offer_t offer_told (turn_t *t, const provider_offer_t *offer, int32_t kind)
{
    const char **features = arena_array_of (t->arena, const char *, offer->feature_count + 1);
    memcpy (features, offer->features, offer->feature_count * sizeof *features);
    accounts_number_t number = {
        .number = offer->number, .kind = kind, .channel = ACCOUNTS_CHANNEL_SMS};
    return (accounts_number_offer_t){.number = offer->number,
                                     .kind =
                                         number_told (&number, &(accounts_assignment_t){0}).kind,
                                     .location = offer->location,
                                     .features = {features, offer->feature_count},
                                     .purchase_fee = offer->upfront,
                                     .monthly_fee = offer->monthly,
                                     .currency = offer->currency ? offer->currency : "USD"};
}

static const accounts_number_offer_t *offer_among (const schema_list_t *offers, const char *number)
{
    const accounts_number_offer_t *items = offers->items;
    for (size_t i = 0; i < offers->count; i++)
        if (items[i].number && strcmp (items[i].number, number) == 0)
            return &items[i];
    return NULL;
}

static int offers_load (turn_t *t, id16_t org, accounts_offers_t *out)
{
    *out = (accounts_offers_t){.id = org, .org = org};
    int code = store_get (t->txn, &accounts_offers_record, org, org, t->arena, out);
    return code == E_NOT_FOUND ? 0 : code;
}

int offers_keep (turn_t *t, id16_t org, const accounts_number_offer_t *found, size_t count)
{
    accounts_offers_t row;
    schema_list_t now = {arena_array_of (t->arena, accounts_number_offer_t, OFFERS_KEPT), 0};
    accounts_number_offer_t *items = now.items;
    int code = count ? offers_load (t, org, &row) : 0;
    if (code || !count)
        return code;
    if (!items)
        return E_NO_MEMORY;
    const accounts_number_offer_t *before = row.numbers.items;
    for (size_t i = 0; i < count && now.count < OFFERS_KEPT; i++)
        items[now.count++] = found[i];
    schema_list_t fresh = now;
    for (size_t i = 0; i < row.numbers.count && now.count < OFFERS_KEPT; i++)
        if (before[i].number && !offer_among (&fresh, before[i].number))
            items[now.count++] = before[i];
    row.numbers = now;
    return store_put (t->txn, &accounts_offers_record, &row, NULL);
}

int offer_find (turn_t *t, id16_t org, const char *number, accounts_number_offer_t *out)
{
    accounts_offers_t row;
    *out = (accounts_number_offer_t){0};
    int code = offers_load (t, org, &row);
    if (code)
        return code;
    const accounts_number_offer_t *offer = offer_among (&row.numbers, number);
    if (!offer)
        return E_NOT_FOUND;
    *out = *offer;
    return 0;
}
