/* provider_ref.c - between our ids and those of carriers: messages, recipients, numbers.
 *
 * A carrier's id of a message that goes out belongs to its recipient (further ones to records beside it), of one that came in to the message itself. */
#include "gen/accounts.h"
#include "messaging.h"
#include <string.h>

static int recipient_first (void *context, const void *row)
{
    *(messaging_recipient_t *) context = *(const messaging_recipient_t *) row;
    return 0;
}

int provider_id_of (turn_t *t, const messaging_message_t *message, const char **out)
{
    *out = message->provider_id;
    if (message->direction == MESSAGING_DIRECTION_INBOUND)
        return 0;
    messaging_recipient_t recipient = {0};
    store_key_t key = {.id = message->id};
    store_page_t page = {.index = "by_message", .keys = &key, .key_count = 1, .limit = 1};
    bool more = false;
    int code = store_list (t->txn, &messaging_recipient_record, &page, t->arena, recipient_first,
                           &recipient, &more);
    *out = recipient.provider_id;
    return code;
}

int recipient_of_provider_id (turn_t *t, int32_t carrier, const char *provider_id,
                              messaging_recipient_t *out)
{
    store_key_t keys[] = {{.num = carrier}, {.str = provider_id}};
    int code =
        store_find (t->txn, &messaging_recipient_record, "by_provider_id", keys, 2, t->arena, out);
    if (code != E_NOT_FOUND)
        return code;
    messaging_provider_alias_t alias = {0};
    code = store_find (t->txn, &messaging_provider_alias_record, "by_provider_id", keys, 2,
                       t->arena, &alias);
    return code ? code
                : store_get_any (t->txn, &messaging_recipient_record, alias.recipient, t->arena,
                                 out);
}

int message_of_provider_id (turn_t *t, int32_t carrier, id16_t org, id16_t number,
                            const char *provider_id, id16_t *out)
{
    *out = id_nil ();
    if (!provider_id || !*provider_id)
        return 0;
    messaging_recipient_t recipient = {0};
    int code = recipient_of_provider_id (t, carrier, provider_id, &recipient);
    if (code == 0 && id_equal (recipient.org, org)) {
        *out = recipient.message;
        return 0;
    }
    if (code && code != E_NOT_FOUND)
        return code;
    messaging_message_t message = {0};
    store_key_t keys[] = {{.num = carrier}, {.id = number}, {.str = provider_id}};
    code = store_find (t->txn, &messaging_message_record, "by_provider_id", keys, 3, t->arena,
                       &message);
    if (code == 0 && id_equal (message.org, org))
        *out = message.id;
    return code == E_NOT_FOUND ? 0 : code;
}

/* An id that somebody else has already (a carrier's mistake) is not taken: the status goes on without it. */
int provider_ids_note (turn_t *t, messaging_recipient_t *recipient, const char *const *ids,
                       size_t count)
{
    int code = 0;
    for (size_t i = 0; i < count && code == 0; i++) {
        messaging_recipient_t other = {0};
        code = recipient_of_provider_id (t, recipient->carrier, ids[i], &other);
        if (code != E_NOT_FOUND)
            continue;
        code = 0;
        if (!recipient->provider_id) {
            recipient->provider_id = ids[i];
            continue;
        }
        messaging_provider_alias_t alias = {.id = turn_id (t),
                                            .carrier = recipient->carrier,
                                            .provider_id = ids[i],
                                            .recipient = recipient->id};
        if (strcmp (ids[i], recipient->provider_id) != 0)
            code = store_insert (t->txn, &messaging_provider_alias_record, &alias, NULL);
    }
    return code;
}

int message_of_pair (turn_t *t, id16_t id, id16_t number, const char *peer, const char *field,
                     messaging_message_t *out)
{
    int code = store_get (t->txn, &messaging_message_record, t->ask->org, id, t->arena, out);
    if (code && code != E_NOT_FOUND)
        return code;
    const char *other = code                                            ? NULL
                        : out->direction == MESSAGING_DIRECTION_INBOUND ? out->from
                        : out->to.count ? ((const char *const *) out->to.items)[0]
                                        : NULL;
    if (other && out->channel == ACCOUNTS_CHANNEL_WHATSAPP && id_equal (out->number, number) &&
        strcmp (other, peer) == 0)
        return 0;
    return fail (t, E_NOT_FOUND, field, "There is no such message between this number and %s",
                 peer);
}

/* ---- numbers ---- */

static int route_live (void *context, const void *row)
{
    const messaging_route_t *route = row;
    if (route->deleted)
        return 0;
    *(messaging_route_t *) context = *route;
    return E_ALREADY_EXISTS; /* found: no further */
}

int route_of_number (turn_t *t, id16_t number, messaging_route_t *out)
{
    store_key_t key = {.id = number};
    store_page_t page = {.index = "by_number", .keys = &key, .key_count = 1, .limit = 1000};
    bool more = false;
    int code =
        store_list (t->txn, &messaging_route_record, &page, t->arena, route_live, out, &more);
    if (code)
        return code == E_ALREADY_EXISTS ? 0 : code;
    messaging_number_t row = {0};
    code = store_get_any (t->txn, &messaging_number_record, number, t->arena, &row);
    if (code == 0 && !row.deleted)
        number_route (&row, out);
    return code ? code : row.deleted ? E_NOT_FOUND : 0;
}
