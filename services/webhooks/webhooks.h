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
/* The webhook of this id gets nothing more, or soon will get nothing: a step of ending what waits for it with this status; *more: not all of it. */
int subscription_clear (turn_t *t, id16_t id, int32_t status, bool *more);
/* Its row is gone or says disabled: end what waits for it, now and by a job (subscription_end.c). */
int subscription_end (turn_t *t, const webhooks_subscription_t *row, int32_t status);
extern const job_kind_t webhooks_subscription_end_kind;
bool delivery_is_waiting (int32_t status);
/* Is it one for events of this name in this dialect? */
bool subscription_wants (const webhooks_subscription_t *row, const dialect_t *d, const char *event);
/* NULL: of a dialect that this program does not know. */
const dialect_t *subscription_dialect (const webhooks_subscription_t *row);
/* Are all of them events of the dialect (or is anything taken)? Fails with E_BAD_REQUEST, field "events[n]". */
int events_check (turn_t *t, const dialect_t *d, const schema_list_t *events);
/* The networks and schemes that targets may have, from the settings. */
fetch_config_t targets_allowed (const webhooks_settings_t *settings);

/* ---- whether a subscription is active, and was (subscription_status.c) ---- */

/* Not given means active. */
int32_t subscription_status (const webhooks_subscription_t *row);
/* Does it get what happened at `at` (Unix milliseconds, as ids tell it)? It was there and active then, whatever it is now. */
bool subscription_was_active (const webhooks_subscription_t *row, int64_t at);
/* It has this status from now on. The row is not stored. */
int subscription_status_set (turn_t *t, int32_t status, webhooks_subscription_t *row);

/* ---- secrets (secret.c) ---- */

int secret_seal (turn_t *t, id16_t subscription, const char *secret, bytes_t *out);
/* NULL in *out if there is none. */
int secret_open (turn_t *t, id16_t subscription, bytes_t sealed, const char **out);
/* All secrets that sign now, opened into the arena: a list of const char *. */
int secrets_open (turn_t *t, const webhooks_subscription_t *row, schema_list_t *out);
/* Does the secret sign? When all have expired the one that lasted longest goes on, so that nothing ever goes out unsigned. */
bool secret_is_live (const webhooks_subscription_t *row, size_t index, int64_t now);
/* A new secret of a subscription that has several; its text into *text. The row is not stored. */
int secret_append (turn_t *t, webhooks_subscription_t *row, int64_t expires_at,
                   webhooks_secret_t *out, const char **text);

/* ---- erasure (erase.c) ---- */

int contact_erased (turn_t *t, const journal_event_t *event, const void *body);
int messages_erased (turn_t *t, const journal_event_t *event, const void *body);
extern const job_kind_t webhooks_erase_kind;

/* ---- the log of an organization (log.c) ---- */

extern const job_kind_t webhooks_replay_kind;
/* The organization's own; fails with E_NOT_FOUND, field "id". */
int subscription_of_org (turn_t *t, id16_t id, webhooks_subscription_t *out);

/* ---- fan-out and deliveries (fanout.c, deliveries.c, delivery_job.c, receiver.c) ---- */

enum { WEBHOOKS_FOLLOWS = 9 };
extern const svc_follow_t webhooks_follows[WEBHOOKS_FOLLOWS];
extern const job_kind_t webhooks_delivery_kind;
/* "10s,30s,90s" to milliseconds, at most `most`; what is no duration ends the list. Returns how many. */
size_t retry_steps_read (const char *text, uint32_t *steps, size_t most);
/* A receiver's answer as the log shows it: what is neither ASCII nor whole UTF-8 is a dot. */
const char *answer_text (arena_t *arena, bytes_t body);
extern const job_kind_t webhooks_fanout_kind;

typedef struct delivery_new {
    id16_t payload;
    const char *event;
    const char *event_id;
    id16_t subject;
    id16_t replay_of; /* nil: from an event */
} delivery_new_t;

/* Store a delivery and its job; *id may be NULL. */
int delivery_make (turn_t *t, const webhooks_subscription_t *to, const delivery_new_t *new,
                   id16_t *id);
int webhooks_explain (turn_t *t, id16_t id, const svc_explain_t *out);

/* What is not kept for ever (retention.c). */
enum { WEBHOOKS_RETENTIONS = 2 };
extern const svc_retention_t webhooks_retentions[WEBHOOKS_RETENTIONS];

extern const svc_service_t webhooks_tables;

#endif
