/* tables.c - what the runtime needs to know of webhooks: follows, snapshots, jobs, hooks. Operation tests run the same tables. */
#include "webhooks.h"

static const job_kind_t *const jobs[] = {&webhooks_delivery_kind, &webhooks_fanout_kind,
                                         &webhooks_app_end_kind,  &webhooks_subscription_end_kind,
                                         &webhooks_replay_kind,   &webhooks_erase_kind};

/* An installation may have no inbox. */
static const char *const if_there[] = {"inbox", NULL};

/* A few receivers that hang, each as wide as it may be, leave room for the others. */
enum { CONNECTIONS = 512 };

static void outbound (svc_t *svc, fetch_config_t *out)
{
    *out = targets_allowed (svc_settings (svc));
    out->connections = CONNECTIONS;
}

const svc_service_t webhooks_tables = {
    .schema = &webhooks_service,
    .follows = webhooks_follows,
    .follow_count = WEBHOOKS_FOLLOWS,
    .follows_if_there = if_there,
    .jobs = jobs,
    .job_count = sizeof jobs / sizeof *jobs,
    .retentions = webhooks_retentions,
    .retention_count = WEBHOOKS_RETENTIONS,
    .outbound = outbound,
    .explain = webhooks_explain,
};
