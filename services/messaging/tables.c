/* tables.c - what the runtime needs to know of messaging: follows, snapshots, jobs, hooks. Operation tests run the same tables. */
#include "messaging.h"

/* All numbers of a carrier share its host, so the host is no line of its own here: a number's width bounds it, and its breaker if the carrier hangs for it. */
enum { CONNECTIONS = 512 };

/* Media links that customers and carriers give are fetched behind the guard; carriers' base URLs are the operator's own. */
static void outbound (svc_t *svc, fetch_config_t *out)
{
    const messaging_settings_t *settings = svc_settings (svc);
    *out = (fetch_config_t){.allow = settings->allow_private,
                            .allow_http = settings->allow_http,
                            .connections = CONNECTIONS,
                            .per_host = CONNECTIONS,
                            .user_agent = "Aviary-Messaging/1"};
}

static const job_kind_t *const jobs[] = {
    &messaging_send_kind,     &messaging_unknown_kind,     &messaging_receipt_kind,
    &messaging_callback_kind, &messaging_media_fetch_kind, &messaging_media_check_kind,
    &messaging_read_kind,     &messaging_app_end_kind,     &messaging_erase_kind,
};

static const svc_timer_t timers[] = {
    {"messaging.media_sweep", 60000, media_sweep},
    {"messaging.thread_fill", 1000, thread_fill},
};

static const svc_snapshot_t snapshots[] = {
    {&messaging_thread_record, &messaging_thread_state_event, thread_state_fill},
};

/* Without templates their sends go out unchecked, and Meta says whether they fit; without inbox nobody deletes contacts. */
static const char *const if_there[] = {"templates", "inbox", NULL};

const svc_service_t messaging_tables = {
    .schema = &messaging_service,
    .follows = messaging_follows,
    .follow_count = 8,
    .follows_if_there = if_there,
    .snapshots = snapshots,
    .snapshot_count = sizeof snapshots / sizeof *snapshots,
    .jobs = jobs,
    .job_count = sizeof jobs / sizeof *jobs,
    .timers = timers,
    .timer_count = sizeof timers / sizeof *timers,
    .retentions = messaging_retentions,
    .retention_count = MESSAGING_RETENTIONS,
    .erases = messaging_erases,
    .erase_count = MESSAGING_ERASES,
    .start = messaging_start,
    .stop = messaging_stop,
    .outbound = outbound,
    .explain = messaging_explain,
};
