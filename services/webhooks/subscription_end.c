/* subscription_end.c - the end of a webhook: what waits for it is dropped, in steps.
 *
 * Once its row is gone no delivery to it starts any more (delivery_begin). Deliveries that wait become `dropped` in the log, a few hundred in the turn that deletes, the
 * rest by a job; one that is out at that moment ends as delivered or dropped. */
#include "webhooks.h"

enum { DROPPED_AT_ONCE = 400, JOBS_AT_ONCE = 500 };

static int delivery_drop (void *context, const void *row)
{
    turn_t *t = context;
    webhooks_delivery_t delivery = *(const webhooks_delivery_t *) row;
    delivery.status = WEBHOOKS_DELIVERY_STATUS_DROPPED;
    delivery.done_at = t->now;
    delivery.next_at = 0;
    return store_put (t->txn, &webhooks_delivery_record, &delivery, NULL);
}

/* Deliveries first, then their jobs. */
int subscription_clear (turn_t *t, id16_t id, bool *more)
{
    store_key_t keys[] = {{.id = id}, {.num = WEBHOOKS_DELIVERY_STATUS_PENDING}};
    store_page_t page = {
        .index = "by_subscription", .keys = keys, .key_count = 2, .limit = DROPPED_AT_ONCE};
    int code =
        store_list (t->txn, &webhooks_delivery_record, &page, t->arena, delivery_drop, t, more);
    return code || *more ? code : job_group_drop (t, id, JOBS_AT_ONCE, more);
}

int subscription_end (turn_t *t, const webhooks_subscription_t *row)
{
    webhooks_subscription_end_job_t body = {.subscription = row->id};
    job_new_t job = {.kind = &webhooks_subscription_end_kind,
                     .tenant = row->org,
                     .group = row->app, /* its own group is emptied */
                     .due = t->now + 1,
                     .body = &body};
    bool more = false;
    int code = subscription_clear (t, row->id, &more);
    return code == 0 && more ? job_add (t, &job, NULL) : code;
}

static int subscription_end_finish (turn_t *t, job_t *job, const outcome_t *outcome)
{
    const webhooks_subscription_end_job_t *body = job->body;
    bool more = false;
    (void) outcome;
    int code = subscription_clear (t, body->subscription, &more);
    return code == 0 && more ? job_retry (t, job, t->now + 1) : code;
}

const job_kind_t webhooks_subscription_end_kind = {
    .name = "subscription_end",
    .number = 45,
    .type = &webhooks_subscription_end_job_type,
    .repeatable = true,
    .begin = job_begin_nothing,
    .finish = subscription_end_finish,
};
