/* tables.c - what the runtime needs to know of accounts: follows, snapshots, jobs, hooks. Operation tests run the same tables. */
#include "accounts.h"

static int app_snapshot (turn_t *t, const void *row, event_about_t *about, void *body)
{
    (void) t;
    return app_told_event (row, about, body);
}

static int assignment_snapshot (turn_t *t, const void *row, event_about_t *about, void *body)
{
    return assignment_told (t, row, about, body);
}

static int carrier_snapshot (turn_t *t, const void *row, event_about_t *about, void *body)
{
    (void) t;
    return carrier_told_event (row, about, body);
}

static int org_snapshot (turn_t *t, const void *row, event_about_t *about, void *body)
{
    (void) t;
    return org_told_event (row, about, body);
}

static int number_snapshot (turn_t *t, const void *row, event_about_t *about, void *body)
{
    return number_told_event (t, row, about, body);
}

static int team_snapshot (turn_t *t, const void *row, event_about_t *about, void *body)
{
    (void) t;
    return team_told_event (row, about, body);
}

static int user_snapshot (turn_t *t, const void *row, event_about_t *about, void *body)
{
    (void) t;
    return user_told_event (row, about, body);
}

static const job_kind_t *const jobs[] = {&accounts_app_end_kind, &accounts_search_kind,
                                         &accounts_order_kind, &accounts_release_kind};

/* Carriers' base URLs are the operator's own. */
static void outbound (svc_t *svc, fetch_config_t *out)
{
    const accounts_settings_t *settings = svc_settings (svc);
    *out = (fetch_config_t){.allow = settings->allow_private,
                            .allow_http = settings->allow_http,
                            .user_agent = "Aviary-Accounts/1"};
}

static const svc_snapshot_t snapshots[] = {
    {&accounts_organization_record, &accounts_org_changed_event, org_snapshot},
    {&accounts_carrier_account_record, &accounts_carrier_changed_event, carrier_snapshot},
    {&accounts_team_record, &accounts_team_changed_event, team_snapshot},
    {&accounts_user_record, &accounts_user_changed_event, user_snapshot},
    {&accounts_number_record, &accounts_number_changed_event, number_snapshot},
    {&accounts_app_record, &accounts_app_changed_event, app_snapshot},
    {&accounts_assignment_record, &accounts_assignment_changed_event, assignment_snapshot},
};

static const svc_timer_t timers[] = {{"teams", 60000, teams_complete}};

const svc_service_t accounts_tables = {
    .schema = &accounts_service,
    .snapshots = snapshots,
    .snapshot_count = sizeof snapshots / sizeof *snapshots,
    .jobs = jobs,
    .job_count = sizeof jobs / sizeof *jobs,
    .outbound = outbound,
    .timers = timers,
    .timer_count = sizeof timers / sizeof *timers,
    .own = teams_complete,
    .explain = accounts_explain,
};
