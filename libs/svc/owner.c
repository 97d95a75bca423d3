/* owner.c - a process becomes the owner of its store: what the writer keeps in memory is loaded, and a first turn runs on it.
 *
 * Fails as its first turn does; a conflict of the store runs all of it again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "svc/again.h"

enum { WRITER_MEMORY = 64 << 20 };

static id16_t greatest_id (svc_t *svc, txn_t *txn, id16_t last)
{
    for (size_t i = 0; i < svc->schema->record_count; i++) {
        kv_cursor_t walk = {.table = store_table (svc->store, svc->schema->records[i]->table),
                            .reverse = true};
        bytes_t key, value;
        id16_t id;
        if (walk.table && !kv_next (txn, &walk, &key, &value) && key.size == sizeof id.b) {
            memcpy (id.b, key.data, sizeof id.b);
            if (id_is_v7 (id) && id_compare (id, last) > 0) /* others tell no time */
                last = id;
        }
        kv_stop (&walk);
    }
    return last;
}

static int own_run (turn_t *t, void *context)
{
    (void) context;
    writer_t *w = &t->svc->writer;
    int rc = w->lanes ? lanes_load (w->lanes, t) : 0;
    return !rc && t->svc->service->own ? t->svc->service->own (t) : rc;
}

/* Ids go on from the newest in the store, and so does time. */
static int clock_load (svc_t *svc, id16_t newest)
{
    writer_t *w = &svc->writer;
    steps_clocks_t clocks = steps_clocks ();
    id_source_seed (&w->ids, newest);
    int rc = steps_load (&w->steps, w->txn, store_table (svc->store, "svc.state"),
                         id_is_v7 (newest) ? id_time_ms (newest) : 0, &clocks);
    if (w->lanes)
        lanes_lag (w->lanes, w->steps.lag);
    return rc;
}

static int own_load (svc_t *svc)
{
    writer_t *w = &svc->writer;
    id16_t last;
    int rc = journal_load (svc, w->txn, &w->sequence, &last);
    if (!rc)
        rc = clock_load (svc, greatest_id (svc, w->txn, last));
    if (!rc)
        rc = turned_load (svc, w->txn, &w->repeat, "svc.repeat", REPEAT_MS);
    if (!rc)
        rc = keyed_open (svc, w->txn);
    if (!rc)
        rc = sweep_open (svc);
    if (!rc)
        rc = erase_open (svc);
    w->parked = store_table (svc->store, "svc.parked");
    w->cursors = store_table (svc->store, "svc.cursors");
    w->quarantine = store_table (svc->store, "svc.quarantine");
    if (!rc && (!w->parked || !w->cursors || !w->quarantine))
        rc = E_INTERNAL;
    uint64_t quarantined = 0;
    if (!rc)
        rc = kv_count (w->txn, w->quarantine, &quarantined);
    atomic_store (&svc->metrics.quarantined, quarantined);
    if (rc)
        return rc;
    atomic_store (&svc->journal.head, w->sequence);
    turn_t t;
    turn_inner_t inner;
    turn_init (svc, &t, &inner, w->txn, w->arena, NULL, false);
    rc = turn_step (&t, own_run, NULL);
    if (rc && !txn_conflicted (w->txn))
        svc_log (svc, LOG_ERROR, "the first turn failed", "error.code", error_name (rc), "detail",
                 t.failure.text, NULL);
    return rc;
}

static void job_quarantined (void *context, const char *kind, id16_t job, const char *reason)
{
    char id[ID_UUID_LENGTH + 1];
    id_write_uuid (job, id);
    svc_log (context, LOG_ERROR, "a job went to quarantine", "kind", kind, "job", id, "detail",
             reason, NULL);
}

static bool job_enter (void *context, id16_t job)
{
    return guard_enter (((svc_t *) context)->guard, job);
}

static void job_leave (void *context)
{
    guard_leave (((svc_t *) context)->guard);
}

static int lanes_open (svc_t *svc)
{
    char path[sizeof svc->data + 128];
    failure_t failure = {0};
    if (!svc->service->job_count)
        return 0;
    snprintf (path, sizeof path, "%s/run/%s.started", svc->data, svc->schema->name);
    lanes_config_t config = {.kinds = svc->service->jobs,
                             .kind_count = svc->service->job_count,
                             .started_path = path,
                             .quarantined = job_quarantined,
                             .enter = job_enter,
                             .leave = job_leave,
                             .context = svc};
    int rc = lanes_new (&config, svc->store, &svc->writer.lanes, &failure);
    if (rc)
        svc_log (svc, LOG_ERROR, "no jobs", "detail", failure.text, NULL);
    return rc;
}

static int owner_open (svc_t *svc)
{
    writer_t *w = &svc->writer;
    w->svc = svc;
    w->answered_end = &w->answered;
    w->now = clock_now_ms ();
    if (!w->arena) /* a test may have one that fails */
        w->arena = arena_new (WRITER_MEMORY);
    int rc = w->arena ? lanes_open (svc) : E_NO_MEMORY;
    if (!rc)
        rc = restored_take (svc);
    if (!rc)
        rc = txn_begin (svc->store, TXN_WRITE, &w->txn);
    if (rc)
        return rc;
    rc = own_load (svc);
    bool heard = w->sequence > 0; /* before this start */
    if (!rc)
        rc = follow_open (svc);
    if (!rc)
        rc = timers_open (svc);
    if (!rc)
        rc = writer_claim (w);
    if (txn_conflicted (w->txn))
        rc = E_CONFLICT_RETRY;
    if (!rc)
        rc = txn_commit (&w->txn);
    else
        txn_abort (&w->txn);
    if (rc)
        return rc;
    pthread_mutex_lock (&svc->journal.lock);
    /* A store that never told anything has nobody who knows something of it: no need to wait for who that might be. */
    svc->journal.since = clock_mono_ms () - (heard ? 0 : FOLLOWER_LIVE_MS);
    pthread_mutex_unlock (&svc->journal.lock);
    writer_committed (w, true);
    writer_forget (w);
    atomic_store (&svc->opened, true);
    atomic_store (&svc->owner, true);
    return 0;
}

int writer_open (svc_t *svc)
{
    unsigned tries = 0;
    int rc;
    while (txn_again (rc = owner_open (svc), &tries)) {
        writer_forget (&svc->writer);
        writer_close (svc);
    }
    return rc;
}

void writer_close (svc_t *svc)
{
    writer_t *w = &svc->writer;
    follow_close (svc);
    timers_close (svc);
    sweep_close (svc);
    erase_close (svc);
    lanes_destroy (&w->lanes);
    keyed_close (&w->keyed);
    writer_resumed_drop (w); /* of a first turn that failed */
    arena_destroy (&w->arena);
    buf_free (&w->event_body);
    buf_free (&w->event_row);
    free (w->counted);
    w->counted = NULL;
    w->counted_capacity = 0;
}
