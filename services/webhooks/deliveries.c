/* deliveries.c - the delivery log for operators: list, show, replay. */
#include "webhooks.h"

static const char *spelled (turn_t *t, const dialect_t *d, const char *prefix, id16_t id)
{
    char text[64];
    if (id_is_nil (id))
        return NULL;
    d->id_write (prefix, false, id, text);
    return arena_strdup (t->arena, text);
}

/* How its dialect spells its ids, where that is not as the first does. */
static void spelling_add (turn_t *t, const webhooks_delivery_t *row, webhooks_delivery_info_t *out)
{
    const dialect_t *d = row->dialect ? dialect_find (row->dialect) : NULL;
    if (!d)
        return;
    const dialect_delivery_t *how = d->delivery;
    out->shown_id = spelled (t, d, how->id_prefix, row->id);
    out->shown_webhook = spelled (t, d, how->subscription_prefix, row->subscription);
    out->shown_subject = spelled (t, d, how->subject_prefix (row->event), row->subject);
    out->replayed_from = spelled (t, d, how->id_prefix, row->replay_of);
}

static int delivery_told (turn_t *t, const webhooks_delivery_t *row, bool with_body,
                          webhooks_delivery_info_t *out)
{
    webhooks_payload_t payload = {0};
    int code = store_get_any (t->txn, &webhooks_payload_record, row->payload, t->arena, &payload);
    if (code && code != E_NOT_FOUND)
        return code;
    *out = (webhooks_delivery_info_t){
        .id = row->id,
        .webhook = row->subscription,
        .test = row->test,
        .event = row->event,
        .event_id = payload.event_id,
        .subject = row->subject,
        .status = row->status,
        .tries = row->tries,
        .next_at = row->next_at,
        .created_at = row->created_at,
        .done_at = row->done_at,
    };
    spelling_add (t, row, out);
    if (with_body && payload.body.data)
        out->body = arena_strndup (t->arena, (const char *) payload.body.data, payload.body.size);
    return 0;
}

typedef struct delivery_page {
    turn_t *t;
    webhooks_delivery_info_t *items;
    size_t count;
} delivery_page_t;

static int delivery_page_add (void *context, const void *row)
{
    delivery_page_t *page = context;
    return delivery_told (page->t, row, false, &page->items[page->count++]);
}

int webhooks_deliveries_list (turn_t *t, const webhooks_deliveries_list_in_t *in,
                              webhooks_deliveries_list_out_t *out)
{
    store_key_t keys[] = {{.id = in->webhook}, {.num = in->status}};
    size_t limit = in->limit ? (size_t) in->limit : 50;
    delivery_page_t list = {t, arena_array_of (t->arena, webhooks_delivery_info_t, limit), 0};
    store_page_t page = {.newest_first = true, .limit = limit, .after = in->after};
    if (in->status && id_is_nil (in->webhook))
        return fail (t, E_BAD_REQUEST, "webhook", "A status needs the webhook it is of");
    if (!id_is_nil (in->webhook)) {
        page.index = "by_subscription";
        page.keys = keys;
        page.key_count = in->status ? 2 : 1;
    }
    int code = store_list (t->txn, &webhooks_delivery_record, &page, t->arena, delivery_page_add,
                           &list, &out->more);
    if (code == E_NOT_FOUND) /* the delivery named by `after` is no longer kept */
        return fail (t, code, "after", "No such place in this list");
    out->deliveries = (schema_list_t){list.items, list.count};
    return code;
}

static int delivery_find (turn_t *t, id16_t id, webhooks_delivery_t *out)
{
    int code = store_get_any (t->txn, &webhooks_delivery_record, id, t->arena, out);
    return code == E_NOT_FOUND ? fail (t, code, "id", "No such delivery") : code;
}

int webhooks_delivery_show (turn_t *t, const webhooks_delivery_show_in_t *in,
                            webhooks_delivery_info_t *out)
{
    webhooks_delivery_t row = {0};
    int code = delivery_find (t, in->id, &row);
    return code ? code : delivery_told (t, &row, true, out);
}

int webhooks_delivery_replay (turn_t *t, const webhooks_delivery_replay_in_t *in,
                              webhooks_delivery_replay_out_t *out)
{
    webhooks_delivery_t row = {0};
    webhooks_subscription_t to = {0};
    int code = delivery_find (t, in->id, &row);
    if (code == 0 && delivery_is_waiting (row.status))
        return fail (t, E_CONFLICT, "id", "The delivery is still on its way");
    if (code == 0)
        code =
            store_get_any (t->txn, &webhooks_subscription_record, row.subscription, t->arena, &to);
    if (code)
        return code == E_NOT_FOUND ? fail (t, E_CONFLICT, "id", "Its webhook is gone") : code;
    if (subscription_status (&to) != WEBHOOKS_SUBSCRIPTION_STATUS_ACTIVE)
        return fail (t, E_CONFLICT, "id", "Its webhook is not active");
    delivery_new_t new = {.payload = row.payload,
                          .event = row.event,
                          .event_id = row.event_id,
                          .subject = row.subject,
                          .replay_of = row.id};
    return delivery_make (t, &to, &new, &out->id);
}
