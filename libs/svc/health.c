/* health.c - ready or why not; the disk; what USR1 dumps. Runs on the main thread, told to the bus by its own. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "svc/inner.h"

enum { SCARCE_PART = 4 };

static bool is_ready (svc_t *svc, char *reason, size_t size)
{
    const svc_service_t *service = svc->service;
    *reason = 0;
    if (atomic_load (&svc->draining)) {
        snprintf (reason, size, "draining");
        return false;
    }
    if (!atomic_load (&svc->connected)) {
        snprintf (reason, size, "no broker");
        return false;
    }
    if (!follow_ready (svc, reason, size))
        return false;
    if (service->healthy && !service->healthy (svc, svc->context, reason, size)) {
        if (!*reason)
            snprintf (reason, size, "not healthy");
        return false;
    }
    if (atomic_load (&svc->disk_low))
        snprintf (reason, size, "the disk is nearly full: new work is refused");
    else if (guard_quarantined (svc->guard) || atomic_load (&svc->metrics.quarantined) ||
             atomic_load (&svc->metrics.lanes_quarantined))
        snprintf (reason, size, "something is in quarantine: aviary jobs list");
    else if (atomic_load (&svc->metrics.lanes_held))
        snprintf (reason, size, "%llu provider jobs are held since the restore: aviary resume",
                  (unsigned long long) atomic_load (&svc->metrics.lanes_held));
    return true;
}

void health_update (svc_t *svc)
{
    svc_state_t now = {0};
    now.ready = is_ready (svc, now.reason, sizeof now.reason);
    pthread_mutex_lock (&svc->state_lock);
    bool turned = now.ready != svc->state.ready;
    svc->state = now;
    pthread_mutex_unlock (&svc->state_lock);
    if (turned)
        svc_log (svc, LOG_INFO, now.ready ? "ready" : "not ready", "reason", now.reason, NULL);
    if (turned && now.ready)
        notify_systemd ("READY=1");
}

void health_disk (svc_t *svc)
{
    uint64_t left = 0, used = 0;
    if (!svc->store || store_space (svc->store, &left, &used))
        return;
    atomic_store (&svc->disk_free, left);
    atomic_store (&svc->store_used, used);
    uint64_t reserve = (uint64_t) svc_common (svc)->disk_low;
    bool low = left < reserve;
    atomic_store (&svc->disk_scarce, left < reserve / SCARCE_PART);
    if (atomic_exchange (&svc->disk_low, low) != low)
        svc_log (svc, low ? LOG_ERROR : LOG_INFO,
                 low ? "disk low: new work is refused" : "disk no longer low", NULL);
}

/* ---- details ---- */

typedef struct details {
    arena_t *arena;
    schema_pair_t *pairs;
    size_t count, most;
} details_t;

static void detail (details_t *d, const char *key, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));

static void detail (details_t *d, const char *key, const char *format, ...)
{
    if (d->count == d->most)
        return;
    va_list args;
    va_start (args, format);
    const char *value = arena_vprintf (d->arena, format, args);
    va_end (args);
    const char *name = arena_strdup (d->arena, key);
    if (value && name)
        d->pairs[d->count++] = (schema_pair_t){name, value};
}

static void details_followers (svc_t *svc, details_t *d)
{
    journal_t *j = &svc->journal;
    uint64_t head = atomic_load (&j->head);
    int64_t now = clock_mono_ms ();
    pthread_mutex_lock (&j->lock);
    for (size_t i = 0; i < j->follower_count; i++) {
        const follower_t *f = &j->followers[i];
        char key[96];
        snprintf (key, sizeof key, "follower.%s", f->name);
        detail (d, key, "%llu behind, asked %lld ms ago",
                (unsigned long long) (head > f->position ? head - f->position : 0),
                (long long) (now - f->asked));
    }
    pthread_mutex_unlock (&j->lock);
}

void health_details (svc_t *svc, arena_t *arena, schema_map_t *out)
{
    details_t d = {.arena = arena, .most = 256};
    d.pairs = arena_array_of (arena, schema_pair_t, d.most);
    if (!d.pairs)
        return;
    detail (&d, "under_way", "%u", atomic_load (&svc->under_way));
    if (svc->store) {
        detail (&d, "disk_free", "%llu", (unsigned long long) atomic_load (&svc->disk_free));
        detail (&d, "store_bytes", "%llu", (unsigned long long) atomic_load (&svc->store_used));
        detail (&d, "disk_low", "%s", atomic_load (&svc->disk_low) ? "yes" : "no");
    }
    detail (&d, "quarantined_asks", "%u", guard_quarantined (svc->guard));
    detail (&d, "quarantined_events", "%llu",
            (unsigned long long) atomic_load (&svc->metrics.quarantined));
    if (atomic_load (&svc->owner)) {
        detail (&d, "quarantined_jobs", "%llu",
                (unsigned long long) atomic_load (&svc->metrics.lanes_quarantined));
        detail (&d, "held_jobs", "%llu",
                (unsigned long long) atomic_load (&svc->metrics.lanes_held));
        detail (&d, "journal_head", "%llu", (unsigned long long) atomic_load (&svc->journal.head));
        detail (&d, "jobs_waiting", "%llu",
                (unsigned long long) atomic_load (&svc->metrics.lanes_waiting));
        detail (&d, "breakers_open", "%llu",
                (unsigned long long) atomic_load (&svc->metrics.lanes_breakers));
        detail (&d, "waiting_asks", "%llu",
                (unsigned long long) atomic_load (&svc->metrics.parked_waiting));
        details_followers (svc, &d);
        char reason[160];
        if (!follow_ready (svc, reason, sizeof reason))
            detail (&d, "following", "%s", reason);
    }
    *out = (schema_map_t){d.pairs, d.count};
}

void state_dump (svc_t *svc)
{
    arena_t *arena = arena_new (ASK_MEMORY);
    schema_map_t map = {0};
    if (!arena)
        return;
    health_details (svc, arena, &map);
    svc_log (svc, LOG_INFO, "state", "owner", atomic_load (&svc->owner) ? "yes" : "no", NULL);
    for (size_t i = 0; i < map.count; i++)
        svc_log (svc, LOG_INFO, "state", "key", map.pairs[i].key, "value", map.pairs[i].value,
                 NULL);
    arena_destroy (&arena);
}
