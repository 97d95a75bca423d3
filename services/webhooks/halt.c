/* halt.c - a subscription that gets nothing any more, being disabled or gone: what waits for it ends, in steps.
 *
 * From the turn that says so no delivery to it starts (delivery_begin looks); what waits gets its last status here, a few hundred in that turn and the rest by a job.
 * One that is made active again meanwhile keeps what is left. */
#include "webhooks.h"

enum { ENDED_AT_ONCE = 300, JOBS_AT_ONCE = 500 };

bool delivery_is_waiting (int32_t status)
{
    return status == WEBHOOKS_DELIVERY_STATUS_PENDING ||
           status == WEBHOOKS_DELIVERY_STATUS_RETRYING;
}

typedef struct halting {
    turn_t *t;
    int32_t status;
} halting_t;

static int delivery_halt (void *context, const void *row)
{
    const halting_t *self = context;
    webhooks_delivery_t delivery = *(const webhooks_delivery_t *) row;
    delivery.status = self->status;
    delivery.done_at = self->t->now;
    delivery.next_at = 0;
    return store_put (self->t->txn, &webhooks_delivery_record, &delivery, NULL);
}

static int waiting_halt (turn_t *t, id16_t subscription, int32_t from, int32_t status, bool *more)
{
    halting_t halting = {t, status};
    store_key_t keys[] = {{.id = subscription}, {.num = from}};
    store_page_t page = {
        .index = "by_subscription", .keys = keys, .key_count = 2, .limit = ENDED_AT_ONCE};
    return store_list (t->txn, &webhooks_delivery_record, &page, t->arena, delivery_halt, &halting,
                       more);
}

/* Deliveries first, then their jobs. */
static int step (turn_t *t, id16_t subscription, int32_t status, bool *more)
{
    int code = waiting_halt (t, subscription, WEBHOOKS_DELIVERY_STATUS_PENDING, status, more);
    if (code == 0 && !*more)
        code = waiting_halt (t, subscription, WEBHOOKS_DELIVERY_STATUS_RETRYING, status, more);
    return code || *more ? code : job_group_drop (t, subscription, JOBS_AT_ONCE, more);
}

int subscription_halt (turn_t *t, const webhooks_subscription_t *row, int32_t status)
{
    webhooks_halt_job_t body = {.subscription = row->id, .status = status};
    job_new_t job = {.kind = &webhooks_halt_kind,
                     .tenant = row->org,
                     .group = row->app, /* its own group is emptied */
                     .due = t->now + 1,
                     .body = &body};
    bool more = false;
    int code = step (t, row->id, status, &more);
    return code == 0 && more ? job_add (t, &job, NULL) : code;
}

static int halt_finish (turn_t *t, job_t *job, const outcome_t *outcome)
{
    (void) outcome;
    const webhooks_halt_job_t *body = job->body;
    webhooks_subscription_t row = {0};
    bool more = false;
    int code =
        store_get_any (t->txn, &webhooks_subscription_record, body->subscription, t->arena, &row);
    if (code == 0 && subscription_status (&row) != WEBHOOKS_SUBSCRIPTION_STATUS_DISABLED)
        return 0;
    if (code == 0 || code == E_NOT_FOUND)
        code = step (t, body->subscription, body->status, &more);
    return code == 0 && more ? job_retry (t, job, t->now + 1) : code;
}

const job_kind_t webhooks_halt_kind = {
    .name = "halt",
    .number = 50,
    .type = &webhooks_halt_job_type,
    .repeatable = true,
    .begin = job_begin_nothing,
    .finish = halt_finish,
};
