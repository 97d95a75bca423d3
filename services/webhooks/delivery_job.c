/* delivery_job.c - sending one delivery: the stored bytes, signed anew at each attempt. */
#include "webhooks.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { TRIES_KEPT = 20, STEPS_MAX = 32, RETRY_AFTER_MAX_MS = 24 * 3600 * 1000 };

int delivery_make (turn_t *t, const webhooks_subscription_t *to, const delivery_new_t *new,
                   id16_t *id)
{
    webhooks_delivery_t delivery = {.id = turn_id (t),
                                    .org = to->org,
                                    .app = to->app,
                                    .subscription = to->id,
                                    .payload = new->payload,
                                    .event = new->event,
                                    .subject = new->subject,
                                    .status = WEBHOOKS_DELIVERY_STATUS_PENDING,
                                    .created_at = t->now,
                                    .next_at = t->now,
                                    .replay_of = new->replay_of,
                                    .test = to->test,
                                    .dialect = to->dialect};
    const dialect_t *d = subscription_dialect (to);
    if (d && d->delivery->holder == HOLDER_ORG) {
        delivery.log = to->org;
        delivery.event_id = new->event_id;
        delivery.created_at = id_time_ms (delivery.id); /* the log goes by ids */
    }
    webhooks_delivery_job_t body = {.delivery = delivery.id};
    char lane[ID_CROCKFORD_LENGTH + 1];
    id_write_crockford (new->subject, lane);
    job_new_t job = {.kind = &webhooks_delivery_kind,
                     .tenant = to->org,
                     .group = to->id,
                     .lane = lane,
                     .body = &body};
    int code = store_insert (t->txn, &webhooks_delivery_record, &delivery, NULL);
    if (id)
        *id = delivery.id;
    turn_count (t, WEBHOOKS_COUNTER_DELIVERIES_MADE_TOTAL, 1);
    return code ? code : job_add (t, &job, NULL);
}

/* ---- the request ---- */

/* What a request is made of. */
typedef struct sending {
    webhooks_delivery_t delivery;
    webhooks_subscription_t to;
    webhooks_payload_t payload;
    const dialect_t *dialect;
    bytes_t body;
} sending_t;

/* The subscription's own, a content type if those have none, the dialect's. */
static int headers_make (turn_t *t, const job_t *job, const sending_t *s, const char *const **out)
{
    schema_map_t custom = {0};
    schema_list_t secrets = {0};
    int code = headers_open (t, &s->to, &custom);
    if (code == 0)
        code = secrets_open (t, &s->to, &secrets);
    if (code)
        return code;
    dialect_headers_t list = {
        t->arena, arena_array_of (t->arena, const char *, custom.count + DIALECT_HEADERS_MAX + 2),
        0};
    bool has_type = false;
    for (size_t i = 0; i < custom.count; i++) {
        dialect_header_add (&list, custom.pairs[i].key, custom.pairs[i].value);
        has_type = has_type || strcasecmp (custom.pairs[i].key, "Content-Type") == 0;
    }
    if (!has_type)
        dialect_header_add (&list, "Content-Type", "application/json");
    dialect_sending_t sending = {.event = s->payload.name,
                                 .event_id = s->payload.event_id,
                                 .delivery = s->delivery.id,
                                 .attempt = job->tries,
                                 .timestamp_s = t->now / 1000,
                                 .body = s->body,
                                 .secrets = secrets.items,
                                 .secret_count = secrets.count};
    *out = list.items;
    return s->dialect->delivery->headers (&sending, &list);
}

static int delivery_load (turn_t *t, const job_t *job, webhooks_delivery_t *out)
{
    const webhooks_delivery_job_t *body = job->body;
    return store_get_any (t->txn, &webhooks_delivery_record, body->delivery, t->arena, out);
}

static int delivery_drop (turn_t *t, webhooks_delivery_t *delivery, int32_t status, outbound_t *out)
{
    delivery->status = status;
    delivery->done_at = t->now;
    delivery->next_at = 0;
    out->how = OUT_DROP;
    return store_put (t->txn, &webhooks_delivery_record, delivery, NULL);
}

/* All that belongs to it. E_NOT_FOUND: something of it is gone. */
static int sending_load (turn_t *t, sending_t *s)
{
    int code = store_get_any (t->txn, &webhooks_subscription_record, s->delivery.subscription,
                              t->arena, &s->to);
    if (code == 0)
        code = store_get_any (t->txn, &webhooks_payload_record, s->delivery.payload, t->arena,
                              &s->payload);
    s->dialect = dialect_find (s->delivery.dialect);
    if (code == 0 && (!s->dialect || app_is_gone (t, s->delivery.app)))
        code = E_NOT_FOUND;
    if (code)
        return code;
    s->body = dialect_marked (s->dialect, t->arena, s->payload.body, (size_t) s->payload.mark,
                              s->delivery.id);
    return 0;
}

static int delivery_begin (turn_t *t, job_t *job, outbound_t *out)
{
    sending_t *s = arena_new_of (t->arena, sending_t);
    int code = delivery_load (t, job, &s->delivery);
    if (code == E_NOT_FOUND || (code == 0 && !delivery_is_waiting (s->delivery.status))) {
        out->how = OUT_DROP;
        return 0;
    }
    if (code == 0)
        code = sending_load (t, s);
    if (code == E_NOT_FOUND)
        return delivery_drop (t, &s->delivery,
                              id_is_nil (s->delivery.log) ? WEBHOOKS_DELIVERY_STATUS_DROPPED
                                                          : WEBHOOKS_DELIVERY_STATUS_DEAD,
                              out);
    if (code == 0 && subscription_status (&s->to) == WEBHOOKS_SUBSCRIPTION_STATUS_DISABLED)
        return delivery_drop (t, &s->delivery, WEBHOOKS_DELIVERY_STATUS_DEAD, out);
    if (code == 0)
        code = headers_make (t, job, s, &out->request.headers);
    if (code)
        return code;
    uint32_t timeout_ms = s->dialect->delivery->timeout_ms;
    out->how = OUT_HTTP;
    out->request.method = "POST";
    out->request.url = s->to.url;
    out->request.body = s->body;
    out->request.timeout_ms =
        timeout_ms ? timeout_ms : (uint32_t) ((const webhooks_settings_t *) t->settings)->timeout;
    out->request.answer_max = s->dialect->delivery->answer_kept;
    out->request.guarded = true;
    turn_count (t, WEBHOOKS_COUNTER_REQUESTS_TOTAL, 1);
    return 0;
}

/* ---- what came of it ---- */

static bool is_taken (const outcome_t *outcome)
{
    return outcome->stage == FETCH_ANSWERED && outcome->status >= 200 && outcome->status < 300;
}

/* The receiver does not want it, and will not want it later. */
static bool is_refused (const dialect_delivery_t *how, const outcome_t *outcome)
{
    return how->refusal_is_final && outcome->stage == FETCH_ANSWERED && outcome->status >= 400 &&
           outcome->status < 500 && outcome->status != 408 && outcome->status != 429;
}

/* The wait before try number `tries` + 1 with its jitter; false if there is none. */
static bool retry_wait (turn_t *t, const dialect_delivery_t *how, uint32_t tries,
                        const outcome_t *outcome, int64_t *out)
{
    const webhooks_settings_t *settings = t->settings;
    uint32_t steps[STEPS_MAX];
    size_t count =
        retry_steps_read (how->schedule ? how->schedule : settings->schedule, steps, STEPS_MAX);
    uint64_t random;
    if (tries > count || is_refused (how, outcome))
        return false;
    sign_random (&random, sizeof random);
    *out = job_backoff (tries, steps, count, (unsigned) settings->jitter, random);
    int64_t asked = outcome->status == 429 ? outcome->retry_after_ms : 0;
    asked = asked < RETRY_AFTER_MAX_MS ? asked : RETRY_AFTER_MAX_MS;
    *out = asked > *out ? asked : *out;
    return true;
}

static void try_note (turn_t *t, webhooks_delivery_t *delivery, const outcome_t *outcome)
{
    size_t keep = delivery->tries.count < TRIES_KEPT ? delivery->tries.count : TRIES_KEPT - 1;
    bytes_t body = outcome->stage == FETCH_ANSWERED ? outcome->body : (bytes_t){0};
    webhooks_try_t *tries = arena_array_of (t->arena, webhooks_try_t, keep + 1);
    for (size_t i = 0; i < keep; i++)
        tries[i] =
            ((const webhooks_try_t *) delivery->tries.items)[delivery->tries.count - keep + i];
    tries[keep] = (webhooks_try_t){.at = t->now,
                                   .duration_ms = outcome->duration_ms,
                                   .status = outcome->status,
                                   .reason = outcome->reason,
                                   .answer = answer_text (t->arena, body)};
    delivery->tries = (schema_list_t){tries, keep + 1};
}

static int delivery_end (turn_t *t, webhooks_delivery_t *delivery, int32_t status)
{
    delivery->status = status;
    delivery->done_at = t->now;
    delivery->next_at = 0;
    bool taken = status == WEBHOOKS_DELIVERY_STATUS_DELIVERED;
    turn_count (
        t, taken ? WEBHOOKS_COUNTER_DELIVERIES_DONE_TOTAL : WEBHOOKS_COUNTER_DELIVERIES_DEAD_TOTAL,
        1);
    return store_put (t->txn, &webhooks_delivery_record, delivery, NULL);
}

/* ---- what it says of the subscription ---- */

static int subscription_disable (turn_t *t, webhooks_subscription_t *to)
{
    int code = subscription_status_set (t, WEBHOOKS_SUBSCRIPTION_STATUS_DISABLED, to);
    to->disabled_reason = "consecutive_failures";
    turn_count (t, WEBHOOKS_COUNTER_SUBSCRIPTIONS_DISABLED_TOTAL, 1);
    return code ? code : subscription_end (t, to, WEBHOOKS_DELIVERY_STATUS_DEAD);
}

/* Counts deliveries that came to nothing one after the other; so many disable an organization's subscription. */
static int subscription_note (turn_t *t, const webhooks_delivery_t *delivery)
{
    webhooks_subscription_t to = {0};
    int64_t most = ((const webhooks_settings_t *) t->settings)->auto_disable;
    bool taken = delivery->status == WEBHOOKS_DELIVERY_STATUS_DELIVERED;
    if (id_is_nil (delivery->log))
        return 0;
    int code = store_get_any (t->txn, &webhooks_subscription_record, delivery->subscription,
                              t->arena, &to);
    if (code || (taken && to.consecutive_failures == 0))
        return code == E_NOT_FOUND ? 0 : code;
    int32_t status = subscription_status (&to);
    to.consecutive_failures = taken ? 0 : to.consecutive_failures + 1;
    if (most && to.consecutive_failures >= most && status == WEBHOOKS_SUBSCRIPTION_STATUS_ACTIVE) {
        code = subscription_disable (t, &to);
        to.updated_at = t->now;
        to.version += 1;
    }
    return code ? code : store_put (t->txn, &webhooks_subscription_record, &to, NULL);
}

static int delivery_finish (turn_t *t, job_t *job, const outcome_t *outcome)
{
    int64_t wait = 0;
    webhooks_delivery_t *delivery = arena_new_of (t->arena, webhooks_delivery_t);
    int code = delivery_load (t, job, delivery);
    const dialect_t *d = dialect_find (delivery->dialect);
    if (code || !d)
        return code == E_NOT_FOUND ? 0 : code;
    bool waiting = delivery_is_waiting (delivery->status);
    try_note (t, delivery, outcome);
    if (is_taken (outcome))
        code = delivery_end (t, delivery, WEBHOOKS_DELIVERY_STATUS_DELIVERED);
    else if (!waiting) /* it ended while it was out */
        return store_put (t->txn, &webhooks_delivery_record, delivery, NULL);
    else if (!retry_wait (t, d->delivery, job->tries, outcome, &wait))
        code = delivery_end (t, delivery, WEBHOOKS_DELIVERY_STATUS_DEAD);
    if (code || !delivery_is_waiting (delivery->status))
        return code ? code : subscription_note (t, delivery);
    delivery->next_at = t->now + wait;
    if (d->delivery->tells_retrying)
        delivery->status = WEBHOOKS_DELIVERY_STATUS_RETRYING;
    code = store_put (t->txn, &webhooks_delivery_record, delivery, NULL);
    return code ? code : job_retry (t, job, delivery->next_at);
}

static void delivery_policy (turn_t *t, id16_t group, job_policy_t *out)
{
    const webhooks_settings_t *settings = t->settings;
    webhooks_subscription_t to = {0};
    int code = store_get_any (t->txn, &webhooks_subscription_record, group, t->arena, &to);
    const dialect_t *d = code == 0 ? subscription_dialect (&to) : NULL;
    *out = (job_policy_t){.width = (unsigned) settings->width,
                          .ahead = true,
                          .breaker_failures = (unsigned) settings->breaker_failures,
                          .breaker_open_ms = (uint32_t) settings->breaker_open};
    if (d && !d->delivery->breaker)
        out->failing_width = (unsigned) settings->failing_width;
}

static bool delivery_is_breaker_failure (const outcome_t *outcome)
{
    return !is_taken (outcome);
}

const job_kind_t webhooks_delivery_kind = {
    .name = "delivery",
    .number = 1,
    .type = &webhooks_delivery_job_type,
    .repeatable = true,
    .retry_holds_lane = false,
    .begin = delivery_begin,
    .finish = delivery_finish,
    .policy = delivery_policy,
    .is_breaker_failure = delivery_is_breaker_failure,
};
