/* webhooks.h - what the files of the webhooks service share. */
#ifndef AVIARY_WEBHOOKS_H
#define AVIARY_WEBHOOKS_H

#include "dialect/dialect.h"
#include "gen/webhooks.h"
#include "svc/svc.h"

/* ---- apps (app.c) ---- */

typedef struct app_asked {
    id16_t id;
    bool test;
} app_asked_t;

/* The calling app; for admin keys the one of their organization that they name, in its mode. Fails with E_NOT_FOUND, field "app". */
int app_asked (turn_t *t, id16_t id, bool test, app_asked_t *out);
bool app_is_gone (turn_t *t, id16_t id);
/* Follows accounts.app_changed. */
int app_changed (turn_t *t, const journal_event_t *event, const void *body);
extern const job_kind_t webhooks_app_end_kind;

/* ---- subscriptions (subscription.c) ---- */

/* The subscription as its app sees it, headers opened. */
int subscription_told (turn_t *t, const webhooks_subscription_t *row, webhooks_webhook_t *out);
/* Custom headers of a subscription, opened from their seal. */
int headers_open (turn_t *t, const webhooks_subscription_t *row, schema_map_t *out);
/* The webhook of this id is deleted, or soon will be: a step of dropping what waits for it; *more: not all of it. */
int subscription_clear (turn_t *t, id16_t id, bool *more);
/* Its row is gone: drop what waits for it, now and by a job (subscription_end.c). */
int subscription_end (turn_t *t, const webhooks_subscription_t *row);
extern const job_kind_t webhooks_subscription_end_kind;
bool subscription_wants (const webhooks_subscription_t *row, const char *event);
/* The networks and schemes that targets may have, from the settings. */
fetch_config_t targets_allowed (const webhooks_settings_t *settings);

/* ---- secrets (secret.c) ---- */

int secret_seal (turn_t *t, id16_t subscription, const char *secret, bytes_t *out);
/* NULL in *out if there is none. */
int secret_open (turn_t *t, id16_t subscription, bytes_t sealed, const char **out);
/* The signatures of a request, by all secrets that are valid now, separated by spaces. */
int signatures_make (turn_t *t, const webhooks_subscription_t *row, const char *event_id,
                     int64_t timestamp_s, bytes_t body, buf_t *out);

/* ---- fan-out and deliveries (fanout.c, delivery.c, delivery_job.c) ---- */

extern const svc_follow_t webhooks_follows[];
extern const size_t webhooks_follow_count;
extern const job_kind_t webhooks_delivery_kind;
extern const job_kind_t webhooks_fanout_kind;

/* Store a delivery and its job. */
int delivery_make (turn_t *t, const webhooks_subscription_t *to, id16_t payload, const char *event,
                   id16_t subject, id16_t replay_of, id16_t *id);
int webhooks_explain (turn_t *t, id16_t id, const svc_explain_t *out);

/* What is not kept for ever (retention.c). */
enum { WEBHOOKS_RETENTIONS = 2 };
extern const svc_retention_t webhooks_retentions[WEBHOOKS_RETENTIONS];

extern const svc_service_t webhooks_tables;

#endif
