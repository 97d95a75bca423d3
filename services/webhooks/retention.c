/* retention.c - how long webhooks keeps deliveries: from when they were made, but not before they ended. A payload goes with the last delivery that needs it; a replay is
 * a delivery of its own, and keeps it. */
#include "webhooks.h"

static const int64_t day_ms = 24 * 3600 * INT64_C (1000);

static int delivery_take (void *context, const void *row)
{
    const webhooks_delivery_t *delivery = row;
    *(id16_t *) context = delivery->id;
    return 0;
}

/* Is there a delivery of the payload beside this one? */
static int payload_is_needed (turn_t *t, id16_t payload, id16_t beside, bool *out)
{
    id16_t first = id_nil ();
    store_key_t key = {.id = payload};
    store_page_t page = {.index = "by_payload", .keys = &key, .key_count = 1, .limit = 1};
    bool more = false;
    int code = store_list (t->txn, &webhooks_delivery_record, &page, t->arena, delivery_take,
                           &first, &more);
    *out = more || (!id_is_nil (first) && !id_equal (first, beside));
    return code;
}

/* Under way: its job ends it. A webhook that is gone took its jobs along. */
static int is_under_way (turn_t *t, const webhooks_delivery_t *delivery, bool *out)
{
    webhooks_subscription_t to = {0};
    *out = delivery_is_waiting (delivery->status);
    if (!*out)
        return 0;
    int code = store_get_any (t->txn, &webhooks_subscription_record, delivery->subscription,
                              t->arena, &to);
    *out = code == 0;
    return code == E_NOT_FOUND ? 0 : code;
}

static int delivery_remove (turn_t *t, const void *row, unsigned *rows)
{
    const webhooks_delivery_t *delivery = row;
    bool held = false;
    int code = is_under_way (t, delivery, &held);
    if (code || held)
        return code ? code : E_CONFLICT;
    code = payload_is_needed (t, delivery->payload, delivery->id, &held);
    if (code || held)
        return code;
    *rows += 1;
    code = store_del (t->txn, &webhooks_payload_record, delivery->payload);
    return code == E_NOT_FOUND ? 0 : code;
}

/* Made for webhooks that turned out not to want it. */
static int payload_remove (turn_t *t, const void *row, unsigned *rows)
{
    (void) rows;
    bool needed = false;
    int code = payload_is_needed (t, ((const webhooks_payload_t *) row)->id, id_nil (), &needed);
    return code ? code : needed ? E_CONFLICT : 0;
}

static int64_t delivery_keep (const turn_t *t)
{
    return ((const webhooks_settings_t *) t->settings)->delivery_retention;
}

/* A day later: by then deliveries have taken theirs along. */
static int64_t payload_keep (const turn_t *t)
{
    int64_t keep = delivery_keep (t);
    return keep ? keep + day_ms : 0;
}

const svc_retention_t webhooks_retentions[WEBHOOKS_RETENTIONS] = {
    {.kind = "deliveries",
     .record = &webhooks_delivery_record,
     .keep = delivery_keep,
     .remove = delivery_remove},
    {.kind = "payloads",
     .record = &webhooks_payload_record,
     .keep = payload_keep,
     .remove = payload_remove},
};
