/* tables.c - what the runtime needs to know of templates: follows, snapshots, jobs, timers, hooks. Operation tests run the same tables. */
#include "gen/messaging.h"
#include "templates.h"

static int template_snapshot (turn_t *t, const void *row, event_about_t *about, void *body)
{
    return template_told (t, row, about, body);
}

static int account_snapshot (turn_t *t, const void *row, event_about_t *about, void *body)
{
    (void) t;
    const templates_carrier_account_t *account = row;
    if (!account->revision)
        return E_NOT_FOUND;
    account_synced_told (account, about, body);
    return 0;
}

static const svc_follow_t follows[] = {
    {&accounts_carrier_changed_event, carrier_changed},
    {&accounts_number_changed_event, number_changed},
    {&messaging_template_news_event, template_news},
};

/* Accounts last: what is known of them counts only when all their templates are told. */
static const svc_snapshot_t snapshots[] = {
    {&templates_template_record, &templates_template_changed_event, template_snapshot},
    {&templates_carrier_account_record, &templates_account_synced_event, account_snapshot},
};

static const svc_timer_t timers[] = {{"resync", 5000, sync_due}};

static const job_kind_t *const jobs[] = {&templates_sync_kind};

static void outbound (svc_t *svc, fetch_config_t *out)
{
    const templates_settings_t *settings = svc_settings (svc);
    *out = (fetch_config_t){.allow = settings->allow_private,
                            .allow_http = settings->allow_http,
                            .user_agent = "Aviary-Templates/1"};
}

const svc_service_t templates_tables = {
    .schema = &templates_service,
    .follows = follows,
    .follow_count = sizeof follows / sizeof *follows,
    .snapshots = snapshots,
    .snapshot_count = sizeof snapshots / sizeof *snapshots,
    .timers = timers,
    .timer_count = sizeof timers / sizeof *timers,
    .jobs = jobs,
    .job_count = sizeof jobs / sizeof *jobs,
    .outbound = outbound,
    .explain = templates_explain,
};
