/* explain.c - what webhooks keeps about a message, a delivery or a webhook. */
#include "webhooks.h"

typedef struct telling {
    turn_t *t;
    const svc_explain_t *out;
} telling_t;

static int tell_delivery (void *context, const void *row)
{
    const telling_t *self = context;
    const webhooks_delivery_t *delivery = row;
    const webhooks_try_t *tries = delivery->tries.items;
    char id[ID_UUID_LENGTH + 1];
    id_write_uuid (delivery->id, id);
    self->out->line (
        self->out->context, delivery->created_at, "webhook",
        arena_printf (self->t->arena, "%s, delivery %s, %s", delivery->event, id,
                      schema_enum_word (&webhooks_delivery_status_enum, delivery->status)));
    for (size_t i = 0; i < delivery->tries.count; i++)
        self->out->line (self->out->context, tries[i].at, "webhook attempt",
                         arena_printf (self->t->arena, "%s: %d after %d ms%s%s", delivery->event,
                                       (int) tries[i].status, (int) tries[i].duration_ms,
                                       tries[i].reason && *tries[i].reason ? ", " : "",
                                       tries[i].reason ? tries[i].reason : ""));
    return 0;
}

int webhooks_explain (turn_t *t, id16_t id, const svc_explain_t *out)
{
    telling_t telling = {t, out};
    webhooks_delivery_t delivery = {0};
    webhooks_subscription_t subscription = {0};
    if (store_get_any (t->txn, &webhooks_delivery_record, id, t->arena, &delivery) == 0)
        return tell_delivery (&telling, &delivery);
    if (store_get_any (t->txn, &webhooks_subscription_record, id, t->arena, &subscription) == 0)
        out->line (out->context, subscription.created_at, "webhook made", subscription.url);
    store_key_t key = {.id = id};
    store_page_t page = {.index = "by_subject", .keys = &key, .key_count = 1, .limit = 200};
    bool more = false;
    return store_list (t->txn, &webhooks_delivery_record, &page, t->arena, tell_delivery, &telling,
                       &more);
}
