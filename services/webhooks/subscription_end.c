/* subscription_end.c - a webhook that gets nothing any more, being gone or disabled: what waits for it ends, in steps.
 *
 * From the turn that says so no delivery to it starts any more (delivery_begin). Deliveries that wait get their last status in the log, a few hundred in that turn, the
 * rest by a job; one that is out at that moment ends as delivered or with that status. A webhook that is made active again meanwhile keeps what is left. */
#include "webhooks.h"

enum { ENDED_AT_ONCE = 400, JOBS_AT_ONCE = 500 };

bool delivery_is_waiting (int32_t status)
{
    return status == WEBHOOKS_DELIVERY_STATUS_PENDING ||
           status == WEBHOOKS_DELIVERY_STATUS_RETRYING;
}

typedef struct ending {
    turn_t *t;
    int32_t status;
} ending_t;

static int delivery_end (void *context, const void *row)
{
    const ending_t *self = context;
    webhooks_delivery_t delivery = *(const webhooks_delivery_t *) row;
    delivery.status = self->status;
    delivery.done_at = self->t->now;
    delivery.next_at = 0;
    return store_put (self->t->txn, &webhooks_delivery_record, &delivery, NULL);
}

static int waiting_end (turn_t *t, id16_t id, int32_t from, int32_t status, bool *more)
{
    ending_t ending = {t, status};
    store_key_t keys[] = {{.id = id}, {.num = from}};
    store_page_t page = {
        .index = "by_subscription", .keys = keys, .key_count = 2, .limit = ENDED_AT_ONCE};
    return store_list (t->txn, &webhooks_delivery_record, &page, t->arena, delivery_end, &ending,
                       more);
}

/* Deliveries first, then their jobs. */
int subscription_clear (turn_t *t, id16_t id, int32_t status, bool *more)
{
    int code = waiting_end (t, id, WEBHOOKS_DELIVERY_STATUS_PENDING, status, more);
    if (code == 0 && !*more)
        code = waiting_end (t, id, WEBHOOKS_DELIVERY_STATUS_RETRYING, status, more);
    return code || *more ? code : job_group_drop (t, id, JOBS_AT_ONCE, more);
}

int subscription_end (turn_t *t, const webhooks_subscription_t *row, int32_t status)
{
    webhooks_subscription_end_job_t body = {.subscription = row->id, .status = status};
    job_new_t job = {.kind = &webhooks_subscription_end_kind,
                     .tenant = row->org,
                     .group = row->app, /* its own group is emptied */
                     .due = t->now + 1,
                     .body = &body};
    bool more = false;
    int code = subscription_clear (t, row->id, status, &more);
    return code == 0 && more ? job_add (t, &job, NULL) : code;
}

static int subscription_end_finish (turn_t *t, job_t *job, const outcome_t *outcome)
{
    const webhooks_subscription_end_job_t *body = job->body;
    webhooks_subscription_t row = {0};
    bool more = false;
    (void) outcome;
    int code =
        store_get_any (t->txn, &webhooks_subscription_record, body->subscription, t->arena, &row);
    if (code == 0 && subscription_status (&row) != WEBHOOKS_SUBSCRIPTION_STATUS_DISABLED)
        return 0;
    int32_t status = body->status ? body->status : WEBHOOKS_DELIVERY_STATUS_DROPPED;
    if (code == 0 || code == E_NOT_FOUND)
        code = subscription_clear (t, body->subscription, status, &more);
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
