/* delivery_job.c - sending one delivery: the stored bytes, signed anew at each attempt. */
#include "base/text.h"
#include "webhooks.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { ANSWER_KEPT = 512, TRIES_KEPT = 20, STEPS_MAX = 32 };

int delivery_make (turn_t *t, const webhooks_subscription_t *to, id16_t payload, const char *event,
                   id16_t subject, id16_t replay_of, id16_t *id)
{
    webhooks_delivery_t delivery = {.id = turn_id (t),
                                    .org = to->org,
                                    .app = to->app,
                                    .subscription = to->id,
                                    .payload = payload,
                                    .event = event,
                                    .subject = subject,
                                    .status = WEBHOOKS_DELIVERY_STATUS_PENDING,
                                    .created_at = t->now,
                                    .next_at = t->now,
                                    .replay_of = replay_of,
                                    .test = to->test};
    webhooks_delivery_job_t body = {.delivery = delivery.id};
    char lane[ID_CROCKFORD_LENGTH + 1];
    id_write_crockford (subject, lane);
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

typedef struct header_list {
    arena_t *arena;
    const char **items; /* NULL-terminated */
    size_t count;
} header_list_t;

static void header_add (header_list_t *self, const char *name, const char *value)
{
    self->items[self->count++] = arena_printf (self->arena, "%s: %s", name, value);
}

static int headers_make (turn_t *t, const job_t *job, const webhooks_subscription_t *to,
                         const webhooks_payload_t *payload, const char *const **out)
{
    schema_map_t custom = {0};
    buf_t signature = buf_in (t->arena);
    int64_t timestamp_s = t->now / 1000;
    int code = headers_open (t, to, &custom);
    if (code == 0)
        code = signatures_make (t, to, payload->event_id, timestamp_s, payload->body, &signature);
    if (code)
        return code;
    header_list_t list = {t->arena, arena_array_of (t->arena, const char *, custom.count + 9), 0};
    bool has_type = false;
    for (size_t i = 0; i < custom.count; i++) {
        header_add (&list, custom.pairs[i].key, custom.pairs[i].value);
        has_type = has_type || strcasecmp (custom.pairs[i].key, "Content-Type") == 0;
    }
    if (!has_type)
        header_add (&list, "Content-Type", "application/json");
    header_add (&list, "webhook-id", payload->event_id);
    header_add (&list, "webhook-timestamp",
                arena_printf (t->arena, "%lld", (long long) timestamp_s));
    header_add (&list, "webhook-signature", buf_text (&signature));
    header_add (&list, "X-Chirp-Event", payload->name);
    header_add (&list, "X-Chirp-Event-Id", payload->event_id);
    header_add (&list, "X-Chirp-Delivery-Attempt", arena_printf (t->arena, "%u", job->tries));
    *out = list.items;
    return 0;
}

static int delivery_load (turn_t *t, const job_t *job, webhooks_delivery_t *out)
{
    const webhooks_delivery_job_t *body = job->body;
    return store_get_any (t->txn, &webhooks_delivery_record, body->delivery, t->arena, out);
}

static int delivery_drop (turn_t *t, webhooks_delivery_t *delivery, outbound_t *out)
{
    delivery->status = WEBHOOKS_DELIVERY_STATUS_DROPPED;
    delivery->done_at = t->now;
    delivery->next_at = 0;
    out->how = OUT_DROP;
    return store_put (t->txn, &webhooks_delivery_record, delivery, NULL);
}

static int delivery_begin (turn_t *t, job_t *job, outbound_t *out)
{
    webhooks_delivery_t *delivery = arena_new_of (t->arena, webhooks_delivery_t);
    webhooks_subscription_t *to = arena_new_of (t->arena, webhooks_subscription_t);
    webhooks_payload_t *payload = arena_new_of (t->arena, webhooks_payload_t);
    int code = delivery_load (t, job, delivery);
    if (code == E_NOT_FOUND ||
        (code == 0 && delivery->status != WEBHOOKS_DELIVERY_STATUS_PENDING)) {
        out->how = OUT_DROP;
        return 0;
    }
    if (code == 0)
        code = store_get_any (t->txn, &webhooks_subscription_record, delivery->subscription,
                              t->arena, to);
    if (code == 0)
        code =
            store_get_any (t->txn, &webhooks_payload_record, delivery->payload, t->arena, payload);
    if (code == E_NOT_FOUND || (code == 0 && app_is_gone (t, delivery->app)))
        return delivery_drop (t, delivery, out);
    if (code == 0)
        code = headers_make (t, job, to, payload, &out->request.headers);
    out->how = OUT_HTTP;
    out->request.method = "POST";
    out->request.url = to->url;
    out->request.body = payload->body;
    out->request.timeout_ms = (uint32_t) ((const webhooks_settings_t *) t->settings)->timeout;
    out->request.answer_max = ANSWER_KEPT;
    out->request.guarded = true;
    turn_count (t, WEBHOOKS_COUNTER_REQUESTS_TOTAL, 1);
    return code;
}

/* ---- what came of it ---- */

/* "10s,30s,90s" to milliseconds; what is no duration ends the list. Returns how many. */
static size_t schedule_read (const char *text, uint32_t *steps, size_t most)
{
    size_t count = 0;
    char part[32];
    for (const char *at = text; at && count < most;) {
        size_t length = strcspn (at, ",");
        int64_t ms;
        snprintf (part, sizeof part, "%.*s", (int) length, at);
        if (!text_read_duration (part, &ms) || ms > UINT32_MAX)
            break;
        steps[count++] = (uint32_t) ms;
        at = at[length] ? at + length + 1 : NULL;
    }
    return count;
}

/* The wait before try number `tries` + 1 with its jitter; false if there is none. */
static bool retry_wait (turn_t *t, uint32_t tries, int64_t *out)
{
    const webhooks_settings_t *settings = t->settings;
    uint32_t steps[STEPS_MAX];
    size_t count = schedule_read (settings->schedule, steps, STEPS_MAX);
    uint64_t random;
    if (tries > count)
        return false;
    sign_random (&random, sizeof random);
    *out = job_backoff (tries, steps, count, (unsigned) settings->jitter, random);
    return true;
}

static const char *answer_kept (turn_t *t, bytes_t body)
{
    char *text = arena_strndup (t->arena, (const char *) body.data, body.size);
    for (char *at = text; at && *at; at++)
        if ((unsigned char) *at < ' ' || (unsigned char) *at > '~')
            *at = '.';
    return text;
}

static void try_note (turn_t *t, webhooks_delivery_t *delivery, const outcome_t *outcome)
{
    size_t keep = delivery->tries.count < TRIES_KEPT ? delivery->tries.count : TRIES_KEPT - 1;
    webhooks_try_t *tries = arena_array_of (t->arena, webhooks_try_t, keep + 1);
    for (size_t i = 0; i < keep; i++)
        tries[i] =
            ((const webhooks_try_t *) delivery->tries.items)[delivery->tries.count - keep + i];
    tries[keep] = (webhooks_try_t){.at = t->now,
                                   .duration_ms = outcome->duration_ms,
                                   .status = outcome->status,
                                   .reason = outcome->reason,
                                   .answer = answer_kept (t, outcome->body)};
    delivery->tries = (schema_list_t){tries, keep + 1};
}

static bool is_taken (const outcome_t *outcome)
{
    return outcome->stage == FETCH_ANSWERED && outcome->status >= 200 && outcome->status < 300;
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

static int delivery_finish (turn_t *t, job_t *job, const outcome_t *outcome)
{
    int64_t wait = 0;
    webhooks_delivery_t *delivery = arena_new_of (t->arena, webhooks_delivery_t);
    int code = delivery_load (t, job, delivery);
    if (code)
        return code == E_NOT_FOUND ? 0 : code;
    try_note (t, delivery, outcome);
    if (is_taken (outcome))
        return delivery_end (t, delivery, WEBHOOKS_DELIVERY_STATUS_DELIVERED);
    if (delivery->status != WEBHOOKS_DELIVERY_STATUS_PENDING) /* dropped while it was out */
        return store_put (t->txn, &webhooks_delivery_record, delivery, NULL);
    if (!retry_wait (t, job->tries, &wait))
        return delivery_end (t, delivery, WEBHOOKS_DELIVERY_STATUS_DEAD);
    delivery->next_at = t->now + wait;
    code = store_put (t->txn, &webhooks_delivery_record, delivery, NULL);
    return code ? code : job_retry (t, job, delivery->next_at);
}

static void delivery_policy (turn_t *t, id16_t group, job_policy_t *out)
{
    (void) group;
    const webhooks_settings_t *settings = t->settings;
    *out = (job_policy_t){.width = (unsigned) settings->width,
                          .breaker_failures = (unsigned) settings->breaker_failures,
                          .breaker_open_ms = (uint32_t) settings->breaker_open};
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
