/* log.c - the delivery log of an organization: list with filters, read, send again.
 *
 * Lists go along the index that fits the filters best and look at a bounded number of rows; a page that filters left short says where to go on. The time of a row is that
 * of its id, so that bounds of time are places in the index. */
#include "webhooks.h"
#include <string.h>

enum {
    LIMIT = 25,
    SCANNED_AT_ONCE = 500,
    REPLAY_MOST = 1000,
    REPLAY_SCANNED = 1900,
    REPLAYED_AT_ONCE = 150,
    FULL = -1
};

typedef struct filter {
    id16_t subscription;
    int32_t status;
    const char *event;
    int64_t created_after, created_before; /* exclusive; 0 = open */
} filter_t;

/* The lowest or highest id of a millisecond. */
static id16_t id_at (int64_t ms, uint8_t rest)
{
    id16_t id;
    uint64_t time = ms > 0 ? (uint64_t) ms : 0;
    memset (id.b, rest, sizeof id.b);
    for (size_t i = 0; i < 6; i++)
        id.b[i] = (uint8_t) (time >> (40 - 8 * i));
    return id;
}

static bool is_wanted (const filter_t *filter, id16_t org, const webhooks_delivery_t *row)
{
    return id_equal (row->log, org) && (!filter->status || filter->status == row->status) &&
           (id_is_nil (filter->subscription) ||
            id_equal (filter->subscription, row->subscription)) &&
           (!filter->event || (row->event && strcmp (filter->event, row->event) == 0));
}

/* ---- rows as told ---- */

static webhooks_delivery_told_t told (const webhooks_delivery_t *row)
{
    const webhooks_try_t *last =
        row->tries.count ? (const webhooks_try_t *) row->tries.items + row->tries.count - 1 : NULL;
    webhooks_delivery_told_t out = {.id = row->id,
                                    .subscription = row->subscription,
                                    .event = row->event,
                                    .event_id = row->event_id,
                                    .status = row->status,
                                    .attempts = (int64_t) row->tries.count,
                                    .next_at = row->tries.count ? row->next_at : 0,
                                    .replayed_from = row->replay_of,
                                    .created_at = row->created_at};
    if (!last)
        return out;
    out.last_at = last->at;
    out.response_status = last->status;
    out.response_snippet = last->status ? last->answer ? last->answer : "" : NULL;
    out.duration_ms = last->duration_ms;
    out.has |= WEBHOOKS_DELIVERY_TOLD_HAS_DURATION_MS;
    return out;
}

/* ---- list ---- */

typedef struct listing {
    const filter_t *filter;
    id16_t org;
    size_t limit;
    webhooks_delivery_told_t *items;
    size_t count;
    id16_t last;
    bool full; /* and one more was there */
    bool over; /* the rest is too old */
} listing_t;

static int listing_add (void *context, const void *row)
{
    listing_t *self = context;
    const webhooks_delivery_t *delivery = row;
    if (self->filter->created_after && id_time_ms (delivery->id) <= self->filter->created_after) {
        self->over = true;
        return FULL;
    }
    bool wanted = is_wanted (self->filter, self->org, delivery);
    if (wanted && self->count == self->limit) {
        self->full = true;
        return FULL;
    }
    self->last = delivery->id;
    if (wanted)
        self->items[self->count++] = told (delivery);
    return 0;
}

/* The index of the filter; keys has room for two. */
static store_page_t page_of (const filter_t *filter, id16_t org, store_key_t keys[2])
{
    bool one = !id_is_nil (filter->subscription);
    store_page_t page = {.keys = keys, .key_count = one || filter->status ? 2 : 1};
    keys[0].id = one && filter->status ? filter->subscription : org;
    if (filter->status)
        keys[1].num = filter->status;
    else
        keys[1].id = filter->subscription;
    page.index = one && filter->status ? "by_subscription"
                 : one                 ? "log_subscription"
                 : filter->status      ? "log_status"
                                       : "log";
    return page;
}

int webhooks_log_list (turn_t *t, const webhooks_log_list_in_t *in, webhooks_log_list_out_t *out)
{
    filter_t filter = {in->subscription, in->status, in->event, in->created_after,
                       in->created_before};
    store_key_t keys[2] = {{.num = 0}, {.num = 0}};
    store_page_t page = page_of (&filter, t->ask->org, keys);
    listing_t list = {
        .filter = &filter, .org = t->ask->org, .limit = in->limit > 0 ? (size_t) in->limit : LIMIT};
    bool more = false;
    if (id_is_nil (t->ask->org))
        return 0;
    if (in->after.size && in->after.size != sizeof page.after.b)
        return fail (t, E_BAD_CURSOR, "cursor", "Not a cursor of this listing");
    page.newest_first = true;
    page.limit = SCANNED_AT_ONCE;
    if (in->created_before)
        page.after = id_at (in->created_before, 0);
    if (in->after.size)
        memcpy (page.after.b, in->after.data, sizeof page.after.b);
    list.items = arena_array_of (t->arena, webhooks_delivery_told_t, list.limit + 1);
    int code =
        store_list (t->txn, &webhooks_delivery_record, &page, t->arena, listing_add, &list, &more);
    if (code && code != FULL)
        return code;
    out->deliveries = (schema_list_t){list.items, list.count};
    if (list.full || (more && !list.over))
        out->next =
            bytes_of (arena_memdup (t->arena, list.last.b, sizeof list.last.b), sizeof list.last.b);
    return 0;
}

/* ---- one ---- */

static int delivery_find (turn_t *t, id16_t id, webhooks_delivery_t *out)
{
    int code = id_is_nil (t->ask->org)
                   ? E_NOT_FOUND
                   : store_get (t->txn, &webhooks_delivery_record, t->ask->org, id, t->arena, out);
    return code == E_NOT_FOUND ? fail (t, code, "id", "No such webhook delivery") : code;
}

int webhooks_log_get (turn_t *t, const webhooks_log_get_in_t *in, webhooks_delivery_told_t *out)
{
    webhooks_delivery_t row = {0};
    webhooks_payload_t payload = {0};
    int code = delivery_find (t, in->id, &row);
    if (code)
        return code;
    *out = told (&row);
    code = store_get_any (t->txn, &webhooks_payload_record, row.payload, t->arena, &payload);
    if (code)
        return code == E_NOT_FOUND ? 0 : code;
    const dialect_t *d = dialect_find (row.dialect);
    buf_t packed = buf_in (t->arena);
    bytes_t body = d ? dialect_marked (d, t->arena, payload.body, (size_t) payload.mark, row.id)
                     : payload.body;
    if (schema_any_read (body, &packed, NULL) == 0)
        out->payload = buf_bytes (&packed);
    return 0;
}

/* ---- again ---- */

/* The subscription of a delivery or listing, if it may be sent to. */
static int target_find (turn_t *t, id16_t id, webhooks_subscription_t *out)
{
    int code = subscription_of_org (t, id, out);
    if (code == 0 && subscription_status (out) != WEBHOOKS_SUBSCRIPTION_STATUS_ACTIVE)
        return fail (t, E_SUBSCRIPTION_INACTIVE, NULL, "The webhook subscription is not active");
    return code;
}

static int delivery_again (turn_t *t, const webhooks_subscription_t *to,
                           const webhooks_delivery_t *row, id16_t *id)
{
    delivery_new_t new = {.payload = row->payload,
                          .event = row->event,
                          .event_id = row->event_id,
                          .subject = row->subject,
                          .replay_of = row->id};
    return delivery_make (t, to, &new, id);
}

int webhooks_log_replay (turn_t *t, const webhooks_log_replay_in_t *in,
                         webhooks_log_replay_out_t *out)
{
    webhooks_delivery_t row = {0};
    webhooks_subscription_t to = {0};
    int code = delivery_find (t, in->id, &row);
    if (code)
        return code;
    code = target_find (t, row.subscription, &to);
    if (code == E_NOT_FOUND)
        return fail (t, E_SUBSCRIPTION_INACTIVE, NULL, "The webhook subscription was deleted");
    if (code == 0)
        code = delivery_again (t, &to, &row, &out->id);
    out->replayed_from = row.id;
    out->status = WEBHOOKS_DELIVERY_STATUS_PENDING;
    return code;
}

typedef struct picking {
    const filter_t *filter;
    id16_t org;
    id16_t *ids;
    size_t count;
    bool capped;
} picking_t;

static int picking_add (void *context, const void *row)
{
    picking_t *self = context;
    const webhooks_delivery_t *delivery = row;
    const filter_t *filter = self->filter;
    if (filter->created_before && id_time_ms (delivery->id) >= filter->created_before)
        return FULL;
    if (!is_wanted (filter, self->org, delivery))
        return 0;
    self->capped = self->count == REPLAY_MOST;
    if (self->capped)
        return FULL;
    self->ids[self->count++] = delivery->id;
    return 0;
}

static int replay_add (turn_t *t, id16_t org, id16_t subscription, schema_list_t ids)
{
    webhooks_replay_job_t body = {.subscription = subscription, .deliveries = ids};
    job_new_t job = {.kind = &webhooks_replay_kind, .tenant = org, .group = org, .body = &body};
    return ids.count ? job_add (t, &job, NULL) : 0;
}

int webhooks_log_replay_many (turn_t *t, const webhooks_log_replay_many_in_t *in,
                              webhooks_log_replay_many_out_t *out)
{
    webhooks_subscription_t to = {0};
    store_key_t keys[2] = {{.num = 0}, {.num = 0}};
    filter_t filter = {in->subscription, in->status ? in->status : WEBHOOKS_DELIVERY_STATUS_DEAD,
                       in->event, in->created_after, in->created_before};
    if (filter.status != WEBHOOKS_DELIVERY_STATUS_DEAD &&
        filter.status != WEBHOOKS_DELIVERY_STATUS_RETRYING)
        return fail (t, E_BAD_REQUEST, "status", "Only deliveries that failed are sent again");
    int code = target_find (t, in->subscription, &to);
    if (code == E_NOT_FOUND)
        return fail (t, code, "subscription", "No such webhook subscription");
    if (code)
        return code;
    store_page_t page = page_of (&filter, t->ask->org, keys);
    page.limit = REPLAY_SCANNED;
    page.after = in->created_after ? id_at (in->created_after, 0xFF) : id_nil ();
    picking_t picking = {.filter = &filter,
                         .org = t->ask->org,
                         .ids = arena_array_of (t->arena, id16_t, REPLAY_MOST)};
    bool more = false;
    code = store_list (t->txn, &webhooks_delivery_record, &page, t->arena, picking_add, &picking,
                       &more);
    if (code && code != FULL)
        return code;
    out->enqueued = (int64_t) picking.count;
    out->capped = picking.capped || more;
    return replay_add (t, to.org, to.id, (schema_list_t){picking.ids, picking.count});
}

/* A step of many. */
static int replay_finish (turn_t *t, job_t *job, const outcome_t *outcome)
{
    (void) outcome;
    webhooks_replay_job_t *body = job->body;
    webhooks_subscription_t to = {0};
    id16_t *ids = body->deliveries.items;
    size_t count = body->deliveries.count;
    size_t step = count < REPLAYED_AT_ONCE ? count : REPLAYED_AT_ONCE;
    int code =
        store_get_any (t->txn, &webhooks_subscription_record, body->subscription, t->arena, &to);
    if (code || subscription_status (&to) != WEBHOOKS_SUBSCRIPTION_STATUS_ACTIVE)
        return code == E_NOT_FOUND ? 0 : code;
    for (size_t i = 0; i < step && code == 0; i++) {
        webhooks_delivery_t row = {0};
        code = store_get_any (t->txn, &webhooks_delivery_record, ids[i], t->arena, &row);
        if (code == 0)
            code = delivery_again (t, &to, &row, NULL);
        else if (code == E_NOT_FOUND)
            code = 0; /* erased or purged since */
    }
    if (code || step == count)
        return code;
    body->deliveries = (schema_list_t){ids + step, count - step};
    return job_retry (t, job, t->now);
}

const job_kind_t webhooks_replay_kind = {
    .name = "replay",
    .number = 51,
    .type = &webhooks_replay_job_type,
    .repeatable = true,
    .begin = job_begin_nothing,
    .finish = replay_finish,
};
