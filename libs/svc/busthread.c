/* busthread.c - the one thread that touches the bus: takes asks in, sends answers and asks out, beats, times long polls and settles.
 *
 * It never touches the disk. A bus that is away is not fatal: asks fail, answers are dropped by libs/bus, and it registers again when the
 * broker is back. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bus/curve.h"
#include "svc/inner.h"

enum { BUS_TICK_MS = 100, SPARE_ASKS = 256 };

static void on_ask (void *context, uint64_t token, const envelope_t *header, bytes_t body,
                    arena_t *arena)
{
    svc_t *svc = context;
    ask_t *ask = ask_new (svc, token, header, body, arena);
    if (!ask) {
        failure_t failure = {0};
        failure_set (&failure, E_BUSY, NULL, "%s", error_doc (E_BUSY));
        bus_fail (svc->bus, token, &failure, false, NULL);
        bus_credit (svc->bus, 1);
        arena_destroy (&arena);
        return;
    }
    ask_dispatch (svc, ask);
}

void busthread_release (svc_t *svc, ask_t *ask)
{
    queue_put (svc->out, &ask->work.item);
}

/* Answered: what it was made of serves the next one. */
static void ask_rest (svc_t *svc, ask_t *ask)
{
    bus_arena_done (svc->bus, &ask->arena, ask->body.size);
    if (svc->spare_ask_count == SPARE_ASKS) {
        ask_free (ask);
        return;
    }
    ask->work.item.next = svc->spare_asks ? &svc->spare_asks->work.item : NULL;
    svc->spare_asks = ask;
    svc->spare_ask_count++;
}

static unsigned answers_send (svc_t *svc)
{
    unsigned credit = 0;
    for (queue_item_t *item = queue_take (svc->out, 0), *next; item; item = next) {
        next = item->next;
        ask_t *ask = (ask_t *) (void *) item;
        if (ask->failed)
            bus_fail (svc->bus, ask->token, &ask->failure, ask->replayed, ask->first_request_id);
        else
            bus_answer (svc->bus, ask->token, ask->answer, ask->replayed, ask->first_request_id);
        credit += ask->credited ? 0 : 1;
        ask_rest (svc, ask);
        atomic_fetch_sub (&svc->under_way, 1);
    }
    return credit + atomic_exchange (&svc->credit, 0);
}

static void asks_send (svc_t *svc)
{
    for (queue_item_t *item = queue_take (svc->asks, 0), *next; item; item = next) {
        next = item->next;
        svc_ask_t *ask = (svc_ask_t *) (void *) item;
        bus_ask (svc->bus, &ask->header, ask->body, ask->done, ask->context);
    }
}

static void state_tell (svc_t *svc)
{
    pthread_mutex_lock (&svc->state_lock);
    svc_state_t state = svc->state;
    pthread_mutex_unlock (&svc->state_lock);
    bus_state (svc->bus, state.ready, atomic_load (&svc->owner), state.reason);
    bool connected = bus_connected (svc->bus);
    if (atomic_exchange (&svc->connected, connected) != connected) {
        svc_log (svc, connected ? LOG_INFO : LOG_WARN, connected ? "broker found" : "broker lost",
                 NULL);
        /* Cut off, we miss who follows, and the broker tells edges that we are gone: back again, we know as little as after a start. */
        int64_t now = clock_mono_ms ();
        pthread_mutex_lock (&svc->journal.lock);
        if (!connected)
            svc->journal.since = INT64_MAX;
        else if (svc->journal.since > now)
            svc->journal.since = now;
        pthread_mutex_unlock (&svc->journal.lock);
        svc_wake (svc);
    }
    if (atomic_load (&svc->bus_bye) && !svc->said_bye) {
        svc->said_bye = true;
        bus_bye (svc->bus);
    }
}

bool svc_bus_arm (svc_t *svc)
{
    return queue_arm (svc->out) && queue_arm (svc->asks);
}

static void bus_fds (const svc_t *svc, int fds[SVC_BUS_FDS])
{
    fds[0] = svc->bus_fd;
    fds[1] = queue_fd (svc->out);
    fds[2] = queue_fd (svc->asks);
}

/* Sleeps until something comes; not at all if there is something. True: nothing came over the bus. */
static bool bus_sleep (svc_t *svc, int timeout)
{
    int fds[SVC_BUS_FDS];
    struct pollfd polled[SVC_BUS_FDS];
    bus_fds (svc, fds);
    for (size_t i = 0; i < SVC_BUS_FDS; i++)
        polled[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
    bool empty = timeout != 0 && svc_bus_arm (svc);
    return empty && poll (polled, SVC_BUS_FDS, timeout) >= 0 && polled[0].revents == 0;
}

int svc_bus_run (svc_t *svc, bool silent)
{
    if (silent)
        bus_silent (svc->bus);
    bus_gather (svc->bus);
    unsigned credit = answers_send (svc);
    if (credit)
        bus_credit (svc->bus, credit);
    asks_send (svc);
    state_tell (svc);
    int next = BUS_TICK_MS;
    while (bus_work (svc->bus, &next))
        continue;
    int64_t now = clock_mono_ms ();
    int64_t wake = journal_tick (svc, now);
    int wait = wake == INT64_MAX || wake - now > BUS_TICK_MS ? BUS_TICK_MS
               : wake > now                                  ? (int) (wake - now)
                                                             : 0;
    if (next >= 0 && next < wait)
        wait = next;
    return wait;
}

/* ---- lent ---- */

static void bus_rest (svc_t *svc)
{
    pthread_mutex_lock (&svc->bus_lock);
    if (svc->bus_lent) {
        svc->bus_rests = true;
        pthread_cond_broadcast (&svc->bus_handed);
        while (svc->bus_lent)
            pthread_cond_wait (&svc->bus_handed, &svc->bus_lock);
        svc->bus_rests = false;
    }
    pthread_mutex_unlock (&svc->bus_lock);
}

void svc_bus_borrow (svc_t *svc, int fds[SVC_BUS_FDS])
{
    pthread_mutex_lock (&svc->bus_lock);
    svc->bus_lent = true;
    queue_nudge (svc->asks);
    while (!svc->bus_rests)
        pthread_cond_wait (&svc->bus_handed, &svc->bus_lock);
    pthread_mutex_unlock (&svc->bus_lock);
    bus_fds (svc, fds);
}

void svc_bus_return (svc_t *svc)
{
    pthread_mutex_lock (&svc->bus_lock);
    svc->bus_lent = false;
    pthread_cond_broadcast (&svc->bus_handed);
    pthread_mutex_unlock (&svc->bus_lock);
}

static void *bus_main (void *context)
{
    svc_t *svc = context;
    int timeout = 0;
    while (!atomic_load (&svc->bus_quit)) {
        timeout = svc_bus_run (svc, bus_sleep (svc, timeout));
        bus_rest (svc);
    }
    svc_bus_run (svc, false); /* what the others released last */
    bus_destroy (&svc->bus);
    return NULL;
}

/* ---- start, stop ---- */

static const char **ops_list (const svc_t *svc)
{
    size_t count = svc->schema->op_count + builtin_count;
    const char **list = calloc (count + 1, sizeof *list);
    size_t n = 0;
    for (size_t i = 0; list && i < count; i++) {
        bool own = i < svc->schema->op_count;
        const builtin_t *builtin = own ? NULL : &builtins[i - svc->schema->op_count];
        unsigned flags = own ? svc->schema->ops[i].flags : builtin->flags;
        bool owner = (flags & (OP_WRITE | OP_OWNER)) && !svc->service->stateless;
        if (!own && (flags & OP_OWNER) && svc->service->stateless)
            continue;
        char *name = NULL;
        if (asprintf (&name, "%s%s", own ? svc->schema->ops[i].name : builtin->name,
                      owner ? "!" : "") < 0)
            name = NULL;
        if (name)
            list[n++] = name;
    }
    return list;
}

static void ops_free (const char **list)
{
    for (size_t i = 0; list && list[i]; i++)
        free ((void *) (uintptr_t) list[i]);
    free (list);
}

int busthread_start (svc_t *svc, failure_t *failure)
{
    char ipc[sizeof svc->data + 32];
    const common_settings_t *settings = svc_common (svc);
    snprintf (ipc, sizeof ipc, "ipc://%s/run/bus", svc->data);
    const char *endpoint = settings->bus && *settings->bus ? settings->bus : ipc;
    curve_keys_t curve = {0};
    bool secured = strncmp (endpoint, "ipc://", 6) != 0;
    int rc = secured ? curve_keys_load (settings->bus_keys, svc->schema->name, &curve, failure) : 0;
    svc->ops = ops_list (svc); /* libs/bus borrows it: each HELLO tells it again */
    bus_config_t config = {.endpoint = endpoint,
                           .service = svc->schema->name,
                           .replica = svc->replica,
                           .pid = (unsigned) getpid (),
                           .ops = svc->ops,
                           .credit = 2 * TURN_ITEMS,
                           .curve = secured ? &curve : NULL,
                           .on_ask = on_ask,
                           .context = svc};
    if (!rc && !svc->ops)
        rc = failure_set (failure, E_NO_MEMORY, NULL, "no memory");
    if (!rc)
        rc = bus_new (&config, &svc->bus, failure);
    curve_keys_wipe (&curve);
    if (!rc)
        svc->bus_fd = bus_fd (svc->bus);
    if (!rc && pthread_create (&svc->bus_thread, NULL, bus_main, svc))
        rc = failure_set (failure, E_NO_MEMORY, NULL, "no thread for the bus");
    svc->bus_runs = !rc;
    return rc;
}

void busthread_stop (svc_t *svc)
{
    pthread_mutex_lock (&svc->bus_lock);
    bool lent = svc->bus_lent;
    pthread_mutex_unlock (&svc->bus_lock);
    if (lent)
        return;
    if (svc->bus_runs) {
        atomic_store (&svc->bus_quit, true);
        queue_nudge (svc->asks);
        pthread_join (svc->bus_thread, NULL);
    }
    svc->bus_runs = false;
    ops_free (svc->ops);
    svc->ops = NULL;
    for (ask_t *ask; (ask = svc->spare_asks);) {
        svc->spare_asks = (ask_t *) (void *) ask->work.item.next;
        ask_free (ask);
    }
    failure_t gone = {0};
    failure_set (&gone, E_UNAVAILABLE, NULL, "The process is stopping");
    for (queue_item_t *item = queue_take (svc->asks, 0), *next; item; item = next) {
        next = item->next;
        svc_ask_t *ask = (svc_ask_t *) (void *) item;
        ask->done (ask->context, NULL, (bytes_t){0}, &gone);
    }
    for (queue_item_t *item = queue_take (svc->out, 0), *next; item; item = next) {
        next = item->next;
        ask_free ((ask_t *) (void *) item);
    }
}

void svc_ask (svc_t *svc, svc_ask_t *ask)
{
    queue_put (svc->asks, &ask->item);
}

void svc_asks_hold (svc_t *svc)
{
    queue_hold (svc->asks);
}

void svc_asks_go (svc_t *svc)
{
    queue_go (svc->asks);
}
