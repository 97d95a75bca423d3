/* tables.c - what the runtime needs to know of messaging: follows, snapshots, jobs, hooks. Operation tests run the same tables. */
#include "messaging.h"

const svc_service_t messaging_tables = {
    .schema = &messaging_service,
    .follows = messaging_follows,
    .follow_count = 2,
    .jobs = messaging_jobs,
    .job_count = 4,
    .explain = messaging_explain,
};
