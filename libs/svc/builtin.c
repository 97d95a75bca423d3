/* builtin.c - the operations that every service has (schemas/common.toml): ping, metrics, health, explain, backup, compact, log_level, storage, jobs,
 * and the journal's two, which run on a reader; job_act and resume, which run in turns. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "svc/inner.h"

static void run_ping (svc_t *svc, ask_t *ask, txn_t *txn)
{
    (void) txn;
    common_ping_out_t out = {.service = svc->schema->name,
                             .replica = svc->replica,
                             .pid = getpid (),
                             .version = AVIARY_VERSION};
    out.has = COMMON_PING_OUT_HAS_REPLICA;
    ask_answer (ask, &common_ping_out_type, &out);
}

static void run_metrics (svc_t *svc, ask_t *ask, txn_t *txn)
{
    (void) txn;
    buf_t text = {0};
    metrics_write (svc, &text);
    common_metrics_out_t out = {.text = buf_text (&text)};
    ask_answer (ask, &common_metrics_out_type, &out);
    buf_free (&text);
}

static void run_health (svc_t *svc, ask_t *ask, txn_t *txn)
{
    (void) txn;
    pthread_mutex_lock (&svc->state_lock);
    svc_state_t state = svc->state;
    pthread_mutex_unlock (&svc->state_lock);
    common_health_out_t out = {
        .ready = state.ready, .reason = state.reason, .owner = atomic_load (&svc->owner)};
    out.has = COMMON_HEALTH_OUT_HAS_READY | COMMON_HEALTH_OUT_HAS_OWNER;
    health_details (svc, ask->arena, &out.details);
    ask_answer (ask, &common_health_out_type, &out);
}

/* ---- explain ---- */

enum { LINES_MAX = 1000 };

typedef struct lines {
    svc_t *svc;
    arena_t *arena;
    common_explain_line_t *rows;
    size_t count;
    id16_t id;
} lines_t;

static void lines_add (void *context, int64_t at, const char *what, const char *detail)
{
    lines_t *lines = context;
    if (lines->count == LINES_MAX)
        return;
    lines->rows[lines->count++] =
        (common_explain_line_t){.at = at,
                                .service = lines->svc->schema->name,
                                .what = arena_strdup (lines->arena, what),
                                .detail = arena_strdup (lines->arena, detail)};
}

/* The receipt of what was erased, whatever the service itself still knows. */
static int lines_erased (turn_t *t, lines_t *lines)
{
    int64_t asked, done;
    int rc = erase_receipt (t->svc, t->txn, lines->id, &asked, &done);
    if (rc)
        return rc == E_NOT_FOUND || rc == E_UNAVAILABLE ? 0 : rc;
    if (done)
        lines_add (lines, done, "erased", "nothing of it is left here");
    else
        lines_add (lines, asked, "being erased", "since then");
    return 0;
}

static int lines_run (turn_t *t, void *context)
{
    lines_t *lines = context;
    lines->rows = arena_array_of (t->arena, common_explain_line_t, LINES_MAX);
    svc_explain_t out = {.line = lines_add, .context = lines};
    int rc = lines->svc->service->explain ? lines->svc->service->explain (t, lines->id, &out) : 0;
    if (rc && rc != E_NOT_FOUND)
        return rc;
    return t->txn ? lines_erased (t, lines) : 0;
}

static void run_explain (svc_t *svc, ask_t *ask, txn_t *txn)
{
    common_explain_in_t in = {0};
    failure_t failure = {0};
    int rc = schema_unpack (&common_explain_in_type, ask->body, ask->arena, &in, &failure);
    turn_t t;
    turn_inner_t inner;
    turn_init (svc, &t, &inner, txn, ask->arena, &ask->header, true);
    lines_t lines = {.svc = svc, .arena = ask->arena, .id = in.id};
    if (!rc)
        rc = turn_trapped (&t, lines_run, &lines);
    if (rc && rc != E_NOT_FOUND) {
        ask_fail (ask, rc, "%s",
                  failure.code     ? failure.text
                  : t.failure.code ? t.failure.text
                                   : error_doc (rc));
        return;
    }
    common_explain_out_t out = {.lines = {lines.rows, lines.count}};
    ask_answer (ask, &common_explain_out_type, &out);
}

/* ---- backup, level ---- */

static void run_backup (svc_t *svc, ask_t *ask, txn_t *txn)
{
    common_backup_in_t in = {0};
    failure_t failure = {0};
    int rc = schema_unpack (&common_backup_in_type, ask->body, ask->arena, &in, &failure);
    if (!rc && (!svc->store || !in.folder || *in.folder != '/'))
        rc = failure_set (&failure, E_BAD_REQUEST, "folder",
                          "An absolute folder on this service's host is needed, and a store");
    if (!rc)
        rc = store_backup (svc->store, in.folder, &failure);
    if (rc) {
        ask_fail (ask, rc, "%s", failure.code ? failure.text : error_doc (rc));
        return;
    }
    uint64_t left = 0, used = 0;
    store_space (svc->store, &left, &used);
    common_backup_out_t out = {.bytes = (int64_t) used, .schema = svc->schema->version};
    out.has = COMMON_BACKUP_OUT_HAS_BYTES | COMMON_BACKUP_OUT_HAS_SCHEMA;
    if (store_epoch (txn, &out.epoch)) {
        ask_fail (ask, E_CORRUPT, "The store does not say of which life it is");
        return;
    }
    svc_log (svc, LOG_INFO, "store copied", "folder", in.folder, NULL);
    ask_answer (ask, &common_backup_out_type, &out);
}

/* The wish lies with the store: every process of the service sees it and ends (svc.c), and who opens the store next fulfils it. */
static void run_compact (svc_t *svc, ask_t *ask, txn_t *txn)
{
    (void) txn;
    char folder[SVC_FOLDER_SIZE];
    failure_t failure = {0};
    int rc = svc->store
                 ? store_compact_want (svc_store_folder (svc, folder), &failure)
                 : failure_set (&failure, E_CONFLICT, NULL, "%s keeps no store", svc->schema->name);
    common_compact_out_t out = {0};
    if (rc)
        ask_fail (ask, rc, "%s", failure.text);
    else
        ask_answer (ask, &common_compact_out_type, &out);
}

static void run_log_level (svc_t *svc, ask_t *ask, txn_t *txn)
{
    (void) txn;
    common_log_level_in_t in = {0};
    int rc = schema_unpack (&common_log_level_in_type, ask->body, ask->arena, &in, NULL);
    int level = rc ? -1 : log_level_read (in.level);
    if (level < 0) {
        ask_fail (ask, E_BAD_REQUEST, "The level is debug, info, warn or error");
        return;
    }
    atomic_store (&svc->log_level, level);
    svc_log (svc, LOG_INFO, "log level set", "level", in.level, NULL);
    common_log_level_out_t out = {0};
    ask_answer (ask, &common_log_level_out_type, &out);
}

const builtin_t builtins[] = {
    {"journal_read", OP_READ | OP_OWNER, &common_journal_read_in_type,
     &common_journal_read_out_type, journal_read, NULL},
    {"snapshot_read", OP_READ | OP_OWNER, &common_snapshot_read_in_type,
     &common_snapshot_read_out_type, snapshot_read, NULL},
    {"ping", OP_READ, &common_ping_in_type, &common_ping_out_type, run_ping, NULL},
    {"metrics", OP_READ, &common_metrics_in_type, &common_metrics_out_type, run_metrics, NULL},
    {"health", OP_READ, &common_health_in_type, &common_health_out_type, run_health, NULL},
    {"explain", OP_READ, &common_explain_in_type, &common_explain_out_type, run_explain, NULL},
    {"backup", OP_READ | OP_OWNER, &common_backup_in_type, &common_backup_out_type, run_backup,
     NULL},
    {"log_level", OP_READ, &common_log_level_in_type, &common_log_level_out_type, run_log_level,
     NULL},
    {"compact", OP_READ, &common_compact_in_type, &common_compact_out_type, run_compact, NULL},
    {"storage", OP_READ, &common_storage_in_type, &common_storage_out_type, storage_run, NULL},
    {"jobs", OP_READ | OP_OWNER, &common_jobs_in_type, &common_jobs_out_type, kept_list_run, NULL},
    {"job_act", OP_WRITE | OP_OWNER, &common_job_act_in_type, &common_job_act_out_type, NULL,
     &kept_act_op},
    {"resume", OP_WRITE | OP_OWNER, &common_resume_in_type, &common_resume_out_type, NULL,
     &kept_resume_op},
};
const size_t builtin_count = sizeof builtins / sizeof *builtins;

const builtin_t *builtin_find (const char *name)
{
    for (size_t i = 0; i < builtin_count; i++)
        if (strcmp (builtins[i].name, name) == 0)
            return &builtins[i];
    return NULL;
}
