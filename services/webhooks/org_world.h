/* org_world.h - what the tests of organization subscriptions share: the service on a temporary store, an organization, events as other services tell them. */
#ifndef AVIARY_WEBHOOKS_ORG_WORLD_H
#define AVIARY_WEBHOOKS_ORG_WORLD_H

#include "gen/inbox.h"
#include "gen/messaging.h"
#include "svc/optest.h"
#include "webhooks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

extern const id16_t world_org, world_other_org;

/* A service without jitter and breaker, with http and 127.0.0.0/8 allowed; `flags` (or NULL) come behind. */
optest_t *world_new (const char *const *flags);
/* Ask as a key of the organization. */
int world_ask (optest_t *test, id16_t org, const char *op, const void *in, void *out,
               failure_t *failure);
webhooks_subscription_told_t world_subscribe (optest_t *test, const char *url, const char *event);
webhooks_subscription_told_t world_get (optest_t *test, id16_t id);
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
