/* metrics.c - counters and gauges as Prometheus text; names are aviary_<service>_<thing>.
 *
 * Everything is an atomic that any thread may add to. Labels: op and replica, nothing from outside. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "svc/inner.h"
#include "svc/outward.h"

const int64_t metrics_bounds_us[BUCKETS - 1] = {500,   1000,   2500,    5000,   10000,
                                                50000, 250000, 1000000, 5000000};

int metrics_new (svc_t *svc)
{
    metrics_t *m = &svc->metrics;
    m->op_count = svc->schema->op_count + builtin_count + 1; /* the last: unknown ops */
    m->ops = calloc (m->op_count, sizeof *m->ops);
    m->counters = calloc (svc->schema->counter_count + 1, sizeof *m->counters);
    m->swept = calloc (sweep_kinds (svc), sizeof *m->swept);
    return m->ops && m->counters && m->swept ? 0 : E_NO_MEMORY;
}

void metrics_free (svc_t *svc)
{
    free (svc->metrics.ops);
    free (svc->metrics.counters);
    free (svc->metrics.swept);
    svc->metrics.swept = NULL;
    svc->metrics.ops = NULL;
    svc->metrics.counters = NULL;
}

void svc_count (svc_t *svc, unsigned counter, uint64_t add)
{
    if (counter < svc->schema->counter_count)
        atomic_fetch_add_explicit (&svc->metrics.counters[counter], add, memory_order_relaxed);
}

void metrics_ask (svc_t *svc, const ask_t *ask)
{
    op_metrics_t *op = &svc->metrics.ops[ask->slot];
    int64_t us = clock_mono_us () - ask->arrived_us;
    size_t b = 0;
    while (b < BUCKETS - 1 && us > metrics_bounds_us[b])
        b++;
    atomic_fetch_add_explicit (&op->count, 1, memory_order_relaxed);
    atomic_fetch_add_explicit (&op->sum_us, (unsigned long long) us, memory_order_relaxed);
    atomic_fetch_add_explicit (&op->bucket[b], 1, memory_order_relaxed);
    if (ask->failed)
        atomic_fetch_add_explicit (&op->failed, 1, memory_order_relaxed);
}

void metrics_lanes (svc_t *svc)
{
    writer_t *w = &svc->writer;
    uint64_t waiting = 0, breakers = 0;
    int64_t oldest = 0;
    if (!w->lanes)
        return;
    lanes_gauges (w->lanes, w->now, &waiting, &oldest, &breakers);
    atomic_store (&svc->metrics.lanes_waiting, waiting);
    atomic_store (&svc->metrics.lanes_oldest_ms, (unsigned long long) oldest);
    atomic_store (&svc->metrics.lanes_breakers, breakers);
    atomic_store (&svc->metrics.lanes_outward, lanes_outward (w->lanes));
    atomic_store (&svc->metrics.lanes_quarantined, lanes_quarantined (w->lanes));
    atomic_store (&svc->metrics.lanes_held, lanes_held (w->lanes));
}

/* ---- writing ---- */

static const char *op_name (const svc_t *svc, size_t i)
{
    size_t own = svc->schema->op_count;
    return i < own                   ? svc->schema->ops[i].name
           : i < own + builtin_count ? builtins[i - own].name
                                     : "unknown";
}

static void write_op (svc_t *svc, size_t i, buf_t *out)
{
    op_metrics_t *op = &svc->metrics.ops[i];
    const char *service = svc->schema->name, *name = op_name (svc, i);
    unsigned long long count = atomic_load (&op->count), sum = 0;
    if (!count)
        return;
    buf_printf (out, "aviary_%s_asks_total{op=\"%s\",replica=\"%u\"} %llu\n", service, name,
                svc->replica, count);
    buf_printf (out, "aviary_%s_asks_failed_total{op=\"%s\",replica=\"%u\"} %llu\n", service, name,
                svc->replica, (unsigned long long) atomic_load (&op->failed));
    for (size_t b = 0; b < BUCKETS; b++) {
        sum += atomic_load (&op->bucket[b]);
        if (b < BUCKETS - 1)
            buf_printf (out,
                        "aviary_%s_ask_seconds_bucket{op=\"%s\",replica=\"%u\",le=\"%g\"} %llu\n",
                        service, name, svc->replica, (double) metrics_bounds_us[b] / 1e6, sum);
        else
            buf_printf (out,
                        "aviary_%s_ask_seconds_bucket{op=\"%s\",replica=\"%u\",le=\"+Inf\"} %llu\n",
                        service, name, svc->replica, sum);
    }
    buf_printf (out, "aviary_%s_ask_seconds_sum{op=\"%s\",replica=\"%u\"} %.6f\n", service, name,
                svc->replica, (double) atomic_load (&op->sum_us) / 1e6);
    buf_printf (out, "aviary_%s_ask_seconds_count{op=\"%s\",replica=\"%u\"} %llu\n", service, name,
                svc->replica, count);
}

static void write_one (svc_t *svc, buf_t *out, const char *name, const char *doc,
                       unsigned long long value)
{
    const char *tail = strrchr (name, '_');
    bool counter = tail && strcmp (tail, "_total") == 0;
    buf_printf (
        out, "# HELP aviary_%s_%s %s\n# TYPE aviary_%s_%s %s\naviary_%s_%s{replica=\"%u\"} %llu\n",
        svc->schema->name, name, doc, svc->schema->name, name, counter ? "counter" : "gauge",
        svc->schema->name, name, svc->replica, value);
}

typedef enum swept_what { SWEPT_ROWS, SWEPT_OLDEST, SWEPT_HELD } swept_what_t;

static unsigned long long swept_value (const swept_metrics_t *m, swept_what_t what)
{
    long long oldest = atomic_load (&m->oldest), now = clock_now_ms ();
    if (what == SWEPT_ROWS)
        return atomic_load (&m->rows);
    if (what == SWEPT_HELD)
        return atomic_load (&m->held);
    return oldest && oldest < now ? (unsigned long long) (now - oldest) / 1000 : 0;
}

/* What the sweeper did and left, by kind. */
static void write_swept (svc_t *svc, buf_t *out)
{
    static const char *const names[][3] = {
        [SWEPT_ROWS] = {"swept_rows_total", "Rows removed at the end of their time.", "counter"},
        [SWEPT_OLDEST] = {"oldest_row_seconds", "Age of the oldest row that is kept.", "gauge"},
        [SWEPT_HELD] = {"held_rows", "Rows past their time that may not go yet.", "gauge"},
    };
    const char *service = svc->schema->name;
    for (size_t w = 0; w < sizeof names / sizeof *names; w++) {
        const char *name = names[w][0];
        buf_printf (out, "# HELP aviary_%s_%s %s\n# TYPE aviary_%s_%s %s\n", service, name,
                    names[w][1], service, name, names[w][2]);
        for (size_t i = 0; i < sweep_kinds (svc); i++)
            buf_printf (out, "aviary_%s_%s{kind=\"%s\",replica=\"%u\"} %llu\n", service, name,
                        sweep_kind (svc, i)->kind, svc->replica,
                        swept_value (&svc->metrics.swept[i], (swept_what_t) w));
    }
}

static void write_owner (svc_t *svc, buf_t *out)
{
    metrics_t *m = &svc->metrics;
    write_one (svc, out, "turns_total", "Turns run.", atomic_load (&m->turns));
    write_one (svc, out, "turns_again_total", "Turns run again after a conflict of the store.",
               atomic_load (&m->again));
    write_one (svc, out, "commits_total", "Turns that wrote and were flushed.",
               atomic_load (&m->commits));
    write_one (svc, out, "turn_items_total", "Asks, batches and outcomes that turns ran.",
               atomic_load (&m->items));
    write_one (svc, out, "events_total", "Events appended to the journal.",
               atomic_load (&m->events));
    write_one (svc, out, "expired_total", "Asks whose deadline had passed.",
               atomic_load (&m->expired));
    write_one (svc, out, "events_quarantined", "Events passed over after three failures.",
               atomic_load (&m->quarantined));
    write_one (svc, out, "journal_head", "Sequence of the newest event.",
               atomic_load (&svc->journal.head));
    write_one (svc, out, "waiting_asks", "Callers that wait for parked asks.",
               atomic_load (&m->parked_waiting));
    write_one (svc, out, "jobs_waiting", "Jobs waiting in lanes.", atomic_load (&m->lanes_waiting));
    write_one (svc, out, "jobs_outward", "Jobs under way.", atomic_load (&m->lanes_outward));
    write_one (svc, out, "jobs_oldest_ms", "Age of the oldest waiting job.",
               atomic_load (&m->lanes_oldest_ms));
    write_one (svc, out, "jobs_quarantined", "Jobs that failed or crashed too often.",
               atomic_load (&m->lanes_quarantined));
    write_one (svc, out, "jobs_held", "Provider jobs that a restore held.",
               atomic_load (&m->lanes_held));
    write_one (svc, out, "breakers_open", "Groups with an open breaker.",
               atomic_load (&m->lanes_breakers));
    write_one (svc, out, "erase_pending", "Erasures of which something may be left.",
               atomic_load (&m->erase_pending));
    write_one (svc, out, "erase_rows_total",
               "Rows emptied or removed because they told of what was erased.",
               atomic_load (&m->erase_rows));
    write_one (svc, out, "store_bytes", "Bytes the store uses.", atomic_load (&svc->store_used));
    write_one (svc, out, "disk_free_bytes", "Bytes free on the store's disk.",
               atomic_load (&svc->disk_free));
    write_swept (svc, out);
    follow_metrics (svc, out);
    pthread_mutex_lock (&svc->journal.lock);
    for (size_t i = 0; i < svc->journal.follower_count; i++) {
        const follower_t *f = &svc->journal.followers[i];
        unsigned long long head = atomic_load (&svc->journal.head);
        bool plain = f->name[strspn (f->name, "abcdefghijklmnopqrstuvwxyz0123456789_-#")] == 0;
        if (plain)
            buf_printf (out, "aviary_%s_follower_lag{follower=\"%s\"} %llu\n", svc->schema->name,
                        f->name, head > f->position ? head - f->position : 0);
    }
    pthread_mutex_unlock (&svc->journal.lock);
}

void metrics_write (svc_t *svc, buf_t *out)
{
    const char *service = svc->schema->name;
    buf_printf (out,
                "# HELP aviary_%s_asks_total Asks answered.\n# TYPE aviary_%s_asks_total counter\n",
                service, service);
    buf_printf (out, "# TYPE aviary_%s_ask_seconds histogram\n", service);
    for (size_t i = 0; i < svc->metrics.op_count; i++)
        write_op (svc, i, out);
    for (size_t i = 0; i < svc->schema->counter_count; i++)
        write_one (svc, out, svc->schema->counters[i], svc->schema->counter_docs[i],
                   atomic_load (&svc->metrics.counters[i]));
    write_one (svc, out, "owner", "1 on the replica that owns the partition.",
               atomic_load (&svc->owner));
    write_one (svc, out, "under_way", "Asks here now.", atomic_load (&svc->under_way));
    write_one (svc, out, "arena_peak_bytes", "Most memory that one ask took.",
               atomic_load (&svc->metrics.arena_peak));
    write_one (svc, out, "log_lines_total", "Lines logged.", atomic_load (&svc->metrics.log_lines));
    write_one (svc, out, "uptime_seconds", "Age of the process.",
               (unsigned long long) (clock_mono_ms () - svc->started) / 1000);
    if (atomic_load (&svc->owner))
        write_owner (svc, out);
    if (svc->service->metrics)
        svc->service->metrics (svc, svc->context, out);
}
