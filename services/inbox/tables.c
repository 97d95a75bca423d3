/* tables.c - what the runtime needs to know of inbox: follows, snapshots, jobs. Operation tests run the same tables. */
#include "inbox.h"

static const svc_follow_t follows[] = {
    {&accounts_number_changed_event, number_changed},
    {&accounts_team_changed_event, team_changed},
    {&accounts_user_changed_event, user_changed},
    {&messaging_message_accepted_event, message_accepted},
    {&messaging_message_received_event, message_received},
    {&messaging_conversation_read_event, conversation_read},
    {&messaging_thread_state_event, thread_state},
};

/* Who missed an erasure hears of it again; contacts and conversations are asked for, not copied. */
static const svc_snapshot_t snapshots[] = {
    {&inbox_tombstone_record, &inbox_erased_event, tombstone_snapshot},
};

static const job_kind_t *const jobs[] = {&inbox_unlink_kind};

const svc_service_t inbox_tables = {
    .schema = &inbox_service,
    .follows = follows,
    .follow_count = sizeof follows / sizeof *follows,
    .snapshots = snapshots,
    .snapshot_count = sizeof snapshots / sizeof *snapshots,
    .jobs = jobs,
    .job_count = sizeof jobs / sizeof *jobs,
    .explain = inbox_explain,
};
