/* loop.c - one thread that waits for all of its connections: sockets, completed calls, connections back from threads, and times that are over.
 *
 * Edges, not levels: a connection is registered once, and remembers that it is readable until a read took all, so that a request costs one read, one
 * write and its share of one epoll_wait. Nothing here blocks. A connection that closes within a round is freed at its end, for a later event of the same round may
 * still name it. How it fails: without descriptors or memory a new connection is closed and none is accepted for a moment; the others go on. */
#include "web/server.h"

#include "base/clock.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    EVENTS_MAX = 64,
    BATCH = 8,          /* sockets whose requests are put on their way together */
    ACCEPT_AT_ONCE = 4, /* the rest is for the other loops */
    SILENT_MS = 1000,   /* who was silent for so long makes room for others */
    DEAF_MS = 50
};

/* ---- timers ---- */

static conn_t *conn_of (due_t *timer)
{
    return (conn_t *) (void *) ((char *) timer - offsetof (conn_t, timer));
}

/* A later time is only noted: the timer finds it when it rings. There is a place for each connection that is open. */
void loop_timer (conn_t *conn, int64_t due_ms)
{
    conn->due_ms = due_ms;
    if (conn->timer.place == 0 || conn->timer.at_ms > due_ms)
        due_heap_put (&conn->loop->timers, &conn->timer, due_ms);
}

static void timers_ring (loop_t *self, int64_t now_ms)
{
    due_t *first;
    while ((first = due_heap_first (&self->timers)) != NULL && first->at_ms <= now_ms) {
        conn_t *conn = conn_of (first);
        if (conn->due_ms > now_ms) {
            due_heap_put (&self->timers, first, conn->due_ms);
            continue;
        }
        due_heap_remove (&self->timers, first);
        conn_late (conn);
    }
}

/* Whoever waits for somebody else waits no longer. What moves up changes places with what was looked at before. */
static void timers_end_now (const due_heap_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        conn_t *conn = conn_of (self->items[i]);
        if (conn->state == CONN_PARKED || conn->state == CONN_BODY)
            loop_timer (conn, 0);
    }
}

/* ---- lists ---- */

void silent_add (conn_t *conn, int64_t now_ms)
{
    loop_t *loop = conn->loop;
    conn->silent_ms = now_ms;
    conn->next = NULL;
    conn->previous = loop->silent_last;
    if (loop->silent_last != NULL)
        loop->silent_last->next = conn;
    else
        loop->silent = conn;
    loop->silent_last = conn;
}

void silent_remove (conn_t *conn)
{
    loop_t *loop = conn->loop;
    if (conn->previous != NULL)
        conn->previous->next = conn->next;
    else
        loop->silent = conn->next;
    if (conn->next != NULL)
        conn->next->previous = conn->previous;
    else
        loop->silent_last = conn->previous;
    conn->next = conn->previous = NULL;
}

void loop_ready (conn_t *conn)
{
    if (conn->ready)
        return;
    conn->ready = true;
    atomic_fetch_add (&conn->loop->server->unseen, 1);
    conn->later = conn->loop->ready;
    conn->loop->ready = conn;
}

static void ready_go_on (loop_t *self)
{
    conn_t *conn = self->ready;
    self->ready = NULL;
    for (conn_t *next; conn != NULL; conn = next) {
        next = conn->later;
        conn->ready = false;
        if (conn->state != CONN_CLOSED)
            conn_advance (conn);
        server_done (self->server, &self->server->unseen);
    }
}

void loop_forget (conn_t *conn)
{
    loop_t *loop = conn->loop;
    if (conn->timer.place != 0)
        due_heap_remove (&loop->timers, &conn->timer);
    conn->next = loop->closed;
    loop->closed = conn;
    loop->connections--;
    atomic_fetch_sub (&loop->server->connections, 1);
}

static void closed_free (loop_t *self)
{
    conn_t *conn = self->closed;
    self->closed = NULL;
    for (conn_t *next; conn != NULL; conn = next) {
        next = conn->next;
        if (conn->ready) { /* that list still names it */
            conn->next = self->closed;
            self->closed = conn;
            continue;
        }
        buf_free (&conn->in);
        buf_free (&conn->rest);
        buf_free (&conn->out);
        free (conn);
    }
}

/* ---- accepting ---- */

static void hear (loop_t *self, bool on)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.ptr = self->server};
    if (self->deaf == !on)
        return;
    self->deaf = !on;
    epoll_ctl (self->epoll, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, self->server->listener, &event);
}

static void deafen (loop_t *self, int64_t now_ms)
{
    hear (self, false);
    self->hear_ms = now_ms + DEAF_MS;
}

/* The longest silent connection, if it was so for long enough. */
static bool shed_one (loop_t *self, int64_t now_ms)
{
    conn_t *conn = self->silent;
    if (conn == NULL || now_ms - conn->silent_ms < SILENT_MS)
        return false;
    conn_close (conn);
    atomic_fetch_add (&self->server->shed, 1);
    return true;
}

static bool has_room (const loop_t *self)
{
    unsigned most = self->server->config.connections;
    return self->connections < (most + self->server->loop_count - 1) / self->server->loop_count;
}

static void adopt (loop_t *self, int fd, const struct sockaddr_in *peer)
{
    int on = 1;
    char remote[INET_ADDRSTRLEN] = "";
    inet_ntop (AF_INET, &peer->sin_addr, remote, sizeof remote);
    setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (due_heap_reserve (&self->timers, self->connections + 1) != 0 ||
        !conn_open (self, fd, remote))
        close (fd);
}

static void accept_some (loop_t *self, int64_t now_ms)
{
    for (int i = 0; i < ACCEPT_AT_ONCE; i++) {
        struct sockaddr_in peer;
        socklen_t size = sizeof peer;
        if (!has_room (self) && !shed_one (self, now_ms)) {
            deafen (self, now_ms);
            return;
        }
        int fd = accept4 (self->server->listener, (struct sockaddr *) &peer, &size,
                          SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            adopt (self, fd, &peer);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            if (self->server->config.log != NULL)
                self->server->config.log (self->server->config.log_context, strerror (errno));
            shed_one (self, now_ms);
            deafen (self, now_ms);
            return;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        }
    }
}

/* ---- the round ---- */

static void take_completed (loop_t *self)
{
    for (queue_item_t *item = queue_take (self->completed, 0), *next; item != NULL; item = next) {
        next = item->next;
        web_call_t *call = (web_call_t *) (void *) item;
        conn_completed (call->asker, call, true);
    }
}

static void take_returned (loop_t *self)
{
    for (queue_item_t *item = queue_take (self->returned, 0), *next; item != NULL; item = next) {
        next = item->next;
        if (item == &self->wake) {
            atomic_store (&self->woken, false);
            continue;
        }
        self->away--;
        conn_returned ((conn_t *) (void *) item);
    }
}

/* The server stops: who is silent goes, who is in the middle of a request gets its answer. */
static void stop_seen (loop_t *self)
{
    if (!self->stopping && atomic_load (&self->server->stopping)) {
        self->stopping = true;
        hear (self, false);
        for (conn_t *conn = self->silent, *next; conn != NULL; conn = next) {
            next = conn->next;
            conn->readable = true; /* perhaps the event has not come yet */
            conn_advance (conn);   /* reads what came, and closes */
        }
        server_done (self->server, &self->server->unseen);
    }
    if (!self->aborting && atomic_load (&self->server->aborting)) {
        self->aborting = true;
        timers_end_now (&self->timers);
    }
}

static int timeout_of (const loop_t *self, int64_t now_ms)
{
    const due_t *first = due_heap_first (&self->timers);
    int64_t until = first != NULL ? first->at_ms : INT64_MAX;
    if (self->deaf && !self->stopping && self->hear_ms < until)
        until = self->hear_ms;
    if (until == INT64_MAX)
        return -1;
    return until <= now_ms ? 0 : until - now_ms < 60000 ? (int) (until - now_ms) : 60000;
}

static bool may_sleep (const loop_t *self)
{
    return self->ready == NULL && queue_arm (self->completed) && queue_arm (self->returned) &&
           (self->beside == NULL ||
            (self->beside_ms != 0 && self->beside->arm (self->server->config.context)));
}

static int events_wait (loop_t *self, struct epoll_event *events)
{
    int timeout = may_sleep (self) ? timeout_of (self, clock_mono_ms ()) : 0;
    if (self->beside != NULL && (timeout < 0 || timeout > self->beside_ms))
        timeout = self->beside_ms;
    int count = epoll_wait (self->epoll, events, EVENTS_MAX, timeout);
    self->beside_heard = timeout == 0 || count < 0;
    return count > 0 ? count : 0;
}

/* ---- work beside ---- */

static bool watch_fd (const loop_t *self, int fd, void *of)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = of};
    return epoll_ctl (self->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

static void beside_begin (loop_t *self)
{
    int fds[WEB_BESIDE_FDS];
    if (self->beside == NULL)
        return;
    self->beside->begin (self->server->config.context, fds);
    bool watched = true;
    for (size_t i = 0; i < WEB_BESIDE_FDS; i++)
        watched = watch_fd (self, fds[i], i == 0 ? &self->beside : NULL) && watched;
    if (watched)
        return;
    self->beside->end (self->server->config.context); /* who did it before does it again */
    self->beside = NULL;
}

static void beside_run (loop_t *self)
{
    if (self->beside != NULL)
        self->beside_ms = self->beside->run (self->server->config.context, !self->beside_heard);
}

static void batch (const loop_t *self, bool begins)
{
    const web_config_t *config = &self->server->config;
    if (config->batch != NULL)
        config->batch (config->context, begins);
}

static void loop_round (loop_t *self)
{
    struct epoll_event events[EVENTS_MAX];
    int count = events_wait (self, events);
    int64_t now_ms = clock_mono_ms ();
    batch (self, true);
    for (int i = 0; i < count; i++) {
        void *of = events[i].data.ptr;
        if (i % BATCH == BATCH - 1) {
            batch (self, false);
            batch (self, true);
        }
        if (of == self->server)
            accept_some (self, now_ms);
        else if (of == &self->beside)
            self->beside_heard = true;
        else if (of != NULL)
            conn_event (of, events[i].events);
    }
    if (self->beside != NULL) {
        batch (self, false);
        beside_run (self);
        batch (self, true);
    }
    take_completed (self);
    take_returned (self);
    ready_go_on (self);
    batch (self, false);
    timers_ring (self, now_ms);
    stop_seen (self);
    if (self->deaf && !self->stopping && now_ms >= self->hear_ms)
        hear (self, true);
    closed_free (self);
}

static void *loop_run (void *context)
{
    loop_t *self = context;
    beside_begin (self);
    while (!atomic_load (&self->server->ending) || !self->stopping || self->ready != NULL ||
           self->parked > 0 || self->away > 0)
        loop_round (self);
    if (self->beside != NULL)
        self->beside->end (self->server->config.context);
    return NULL;
}

/* ---- life ---- */

int loop_start (loop_t *self, web_server_t *server)
{
    self->server = server;
    self->deaf = true;
    self->beside = server->config.loops == 1 ? server->config.beside : NULL;
    self->epoll = epoll_create1 (EPOLL_CLOEXEC);
    self->completed = queue_new ();
    self->returned = queue_new ();
    bool good = self->epoll >= 0 && self->completed != NULL && self->returned != NULL &&
                watch_fd (self, queue_fd (self->completed), NULL) &&
                watch_fd (self, queue_fd (self->returned), NULL);
    if (!good)
        return E_NO_MEMORY;
    hear (self, true);
    self->started = pthread_create (&self->thread, NULL, loop_run, self) == 0;
    return self->started ? E_OK : E_NO_MEMORY;
}

void loop_wake (loop_t *self)
{
    if (self->started && !atomic_exchange (&self->woken, true))
        queue_put (self->returned, &self->wake);
}

void loop_join (loop_t *self)
{
    if (self->started)
        pthread_join (self->thread, NULL);
    self->started = false;
}

void loop_free (loop_t *self)
{
    while (self->timers.count > 0)
        conn_close (conn_of (due_heap_first (&self->timers)));
    closed_free (self);
    due_heap_free (&self->timers);
    queue_destroy (&self->completed);
    queue_destroy (&self->returned);
    if (self->epoll >= 0)
        close (self->epoll);
    self->epoll = -1;
}
