/* tables.c - what the runtime needs to know of webhooks: follows, snapshots, jobs, hooks. Operation tests run the same tables. */
#include "webhooks.h"

static const job_kind_t *const jobs[] = {&webhooks_delivery_kind, &webhooks_fanout_kind,
                                         &webhooks_app_end_kind, &webhooks_subscription_end_kind};

static void outbound (svc_t *svc, fetch_config_t *out)
{
    *out = targets_allowed (svc_settings (svc));
}

const svc_service_t webhooks_tables = {
    .schema = &webhooks_service,
    .follows = webhooks_follows,
    .follow_count = 3,
    .jobs = jobs,
    .job_count = sizeof jobs / sizeof *jobs,
    .retentions = webhooks_retentions,
    .retention_count = WEBHOOKS_RETENTIONS,
    .outbound = outbound,
    .explain = webhooks_explain,
};
