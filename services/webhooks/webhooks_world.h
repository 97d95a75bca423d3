/* webhooks_world.h - what the tests of webhooks share: the service on a temporary store, an organization with a test app, events as other services tell them. */
#ifndef AVIARY_WEBHOOKS_WORLD_H
#define AVIARY_WEBHOOKS_WORLD_H

#include "gen/accounts.h"
#include "gen/inbox.h"
#include "gen/messaging.h"
#include "svc/optest.h"
#include "webhooks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

extern const id16_t world_org, world_other_org, world_app;

/* A service without jitter and breaker, with http and 127.0.0.0/8 allowed; `flags` (or NULL) come behind. */
optest_t *world_new (const char *const *flags);
/* Ask as a key of the organization. */
int world_ask (optest_t *test, id16_t org, const char *op, const void *in, void *out,
               failure_t *failure);
webhooks_subscription_told_t world_subscribe (optest_t *test, const char *url, const char *event);
webhooks_subscription_told_t world_get (optest_t *test, id16_t id);
/* The headers of a key of an app of the organization, and of one of the organization itself. */
envelope_t world_by_app (id16_t app);
envelope_t world_by_org (void);
/* What an event is about that concerns an app (nil: none). */
event_about_t world_about (id16_t record, id16_t app);

/* What messaging tells of an SMS of the app. `status` points into the rest. */
typedef struct world_sms {
    messaging_content_t content;
    messaging_app_ref_t app;
    messaging_message_status_t status;
} world_sms_t;
void world_sms_fill (world_sms_t *self, id16_t message, int32_t status);
/* It is told. */
int world_sms_tell (optest_t *test, id16_t message, int32_t status);

/* The n-th conversation was closed: an event that subscriptions to conversation.closed get. */
void world_close (optest_t *test, unsigned n);
id16_t world_id (unsigned n);
/* The value of a header of what goes out; NULL if it is not there. */
const char *world_header (const outward_t *outward, const char *name);
/* What the log shows of all deliveries, newest first; lives until the test ends. */
schema_list_t world_log (optest_t *test, const webhooks_log_list_in_t *in);
/* The request that must be there now. */
outward_t *world_request (optest_t *test);

#endif
