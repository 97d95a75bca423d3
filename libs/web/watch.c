/* watch.c - the thread that ends what civetweb would let go on: bodies and answers past their time, and silent connections when threads run short.
 *
 * civetweb gives no handle of a connection's socket, so a scan of the process's descriptors finds it by its addresses. While the watch's lock is
 * held no connection closes its socket (connection_close takes the lock first), so what the scan finds is what it shuts. The socket is only shut down,
 * never closed: its thread wakes from its read or write and cleans up as for any client that left. Scans happen only when there is something to
 * end. How it fails: without /proc nothing is cut and civetweb's own, laxer limits remain. */
#include "web/server.h"

#include "base/clock.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

enum { WATCH_TICK_MS = 100, WATCH_STOP_TICK_MS = 20, SILENT_MS = 1000 };

typedef struct silent_socket {
    int fd;
    int64_t since_ms;
} silent_socket_t;

/* What one scan is for, and what it found. */
typedef struct scan {
    web_server_t *server;
    int64_t now_ms;
    bool cut_late;   /* some request is past its time */
    bool cut_silent; /* every silent connection: the server stops */
    bool track;      /* note how long silent ones have been so */
    silent_socket_t *found;
    size_t found_count;
    size_t found_size;
} scan_t;

uint64_t watch_peer (const char *address, int port)
{
    struct in_addr in;
    if (inet_pton (AF_INET, address, &in) != 1)
        return 0;
    return ((uint64_t) ntohl (in.s_addr) << 16) | (uint64_t) (port & 0xffff);
}

void watch_enter (web_server_t *server, watched_t *watched, memory_t **memory)
{
    watch_t *self = &server->watch;
    pthread_mutex_lock (&self->lock);
    watched->previous = NULL;
    watched->next = self->first;
    if (self->first != NULL)
        self->first->previous = watched;
    self->first = watched;
    self->count++;
    *memory = server->idle;
    if (server->idle != NULL)
        server->idle = server->idle->next;
    pthread_mutex_unlock (&self->lock);
}

void watch_leave (web_server_t *server, watched_t *watched, memory_t *memory)
{
    watch_t *self = &server->watch;
    pthread_mutex_lock (&self->lock);
    if (watched->previous != NULL)
        watched->previous->next = watched->next;
    else
        self->first = watched->next;
    if (watched->next != NULL)
        watched->next->previous = watched->previous;
    if (memory != NULL) {
        memory->next = server->idle;
        server->idle = memory;
    }
    if (--self->count == 0 && atomic_load (&server->stopping))
        pthread_cond_broadcast (&self->changed);
    pthread_mutex_unlock (&self->lock);
}

bool watch_phase_set (watched_t *watched, watch_phase_t phase, uint32_t timeout_ms)
{
    atomic_store (&watched->deadline_ms, INT64_MAX); /* the old one must not meet the new phase */
    int old = atomic_exchange (&watched->phase, (int) phase);
    if (timeout_ms != 0)
        atomic_store (&watched->deadline_ms, clock_mono_ms () + timeout_ms);
    return old == WATCH_CUT;
}

/* ---- one scan ---- */

static bool socket_peer (int fd, uint16_t port, uint64_t *out)
{
    struct sockaddr_in local, peer;
    socklen_t size = sizeof local;
    if (getsockname (fd, (struct sockaddr *) &local, &size) != 0 || size < sizeof local ||
        local.sin_family != AF_INET || ntohs (local.sin_port) != port)
        return false;
    size = sizeof peer;
    if (getpeername (fd, (struct sockaddr *) &peer, &size) != 0)
        return false; /* the listener, or already reset */
    *out = ((uint64_t) ntohl (peer.sin_addr.s_addr) << 16) | ntohs (peer.sin_port);
    return true;
}

static watched_t *watched_find (const watch_t *self, uint64_t peer)
{
    for (watched_t *watched = self->first; watched != NULL; watched = watched->next)
        if (watched->peer == peer)
            return watched;
    return NULL;
}

/* A request past its time: a body's reader gets its end (and still answers), an answer's writer an error. */
static void scan_request (scan_t *self, int fd, watched_t *watched)
{
    int phase = atomic_load (&watched->phase);
    bool late = self->now_ms >= atomic_load (&watched->deadline_ms);
    if (!late || (phase != WATCH_BODY && phase != WATCH_ANSWER))
        return;
    int want = phase;
    if (!atomic_compare_exchange_strong (&watched->phase, &want, WATCH_CUT))
        return;
    shutdown (fd, phase == WATCH_BODY ? SHUT_RD : SHUT_RDWR);
    atomic_fetch_add (&self->server->timed_out, 1);
}

static silent_t *silent_of (watch_t *self, int fd)
{
    size_t need = (size_t) fd + 1;
    if (need > self->silent_size) {
        size_t size = need * 2;
        silent_t *grown = realloc (self->silent, size * sizeof *grown);
        if (grown == NULL)
            return NULL;
        memset (grown + self->silent_size, 0, (size - self->silent_size) * sizeof *grown);
        self->silent = grown;
        self->silent_size = size;
    }
    return &self->silent[fd];
}

static void found_add (scan_t *self, int fd, int64_t since_ms)
{
    if (self->found_count == self->found_size) {
        size_t size = self->found_size != 0 ? self->found_size * 2 : 256;
        silent_socket_t *grown = realloc (self->found, size * sizeof *grown);
        if (grown == NULL)
            return;
        self->found = grown;
        self->found_size = size;
    }
    self->found[self->found_count++] = (silent_socket_t){fd, since_ms};
}

static void scan_silent (scan_t *self, int fd, uint64_t peer)
{
    silent_t *silent = silent_of (&self->server->watch, fd);
    int pending = 0;
    if (silent == NULL)
        return;
    if (ioctl (fd, FIONREAD, &pending) == 0 && pending > 0) { /* waits for a thread */
        silent->since_ms = 0;
        return;
    }
    if (silent->since_ms == 0 || silent->peer != peer)
        *silent = (silent_t){peer, self->now_ms};
    if (self->cut_silent)
        shutdown (fd, SHUT_RDWR);
    else if (self->now_ms - silent->since_ms >= SILENT_MS)
        found_add (self, fd, silent->since_ms);
}

static int by_age (const void *a, const void *b)
{
    const silent_socket_t *x = a, *y = b;
    return (x->since_ms > y->since_ms) - (x->since_ms < y->since_ms);
}

/* The oldest first, and half as many as there are threads at most, so that kept connections of good clients survive a short rush. */
static void shed_silent (scan_t *self)
{
    unsigned most = self->server->config.threads / 2 + 1;
    qsort (self->found, self->found_count, sizeof *self->found, by_age);
    for (size_t i = 0; i < self->found_count && i < most; i++) {
        shutdown (self->found[i].fd, SHUT_RDWR);
        self->server->watch.silent[self->found[i].fd].since_ms = 0;
        atomic_fetch_add (&self->server->shed, 1);
    }
}

static void scan_run (scan_t *self)
{
    watch_t *watch = &self->server->watch;
    DIR *folder = opendir ("/proc/self/fd");
    if (folder == NULL)
        return;
    for (struct dirent *entry; (entry = readdir (folder)) != NULL;) {
        uint64_t peer = 0;
        int fd = atoi (entry->d_name);
        if (entry->d_name[0] == '.' || !socket_peer (fd, self->server->port, &peer))
            continue;
        watched_t *watched = watched_find (watch, peer);
        if (watched != NULL) {
            scan_request (self, fd, watched);
            if ((size_t) fd < watch->silent_size)
                watch->silent[fd].since_ms = 0;
        } else if (self->track || self->cut_silent) {
            scan_silent (self, fd, peer);
        }
    }
    closedir (folder);
    if (self->track && !self->cut_silent && self->found_count > 0)
        shed_silent (self);
    free (self->found);
}

/* ---- the thread ---- */

static bool watch_has_late (const watch_t *self, int64_t now_ms)
{
    for (const watched_t *watched = self->first; watched != NULL; watched = watched->next)
        if (now_ms >= atomic_load (&watched->deadline_ms))
            return true;
    return false;
}

/* Nearly all threads are taken: one in sixteen is left. */
static bool threads_run_short (web_server_t *server)
{
    unsigned reserve = server->config.threads / 16 + 1;
    return atomic_load (&server->connections) + reserve > server->config.threads;
}

static void watch_look (web_server_t *server)
{
    watch_t *self = &server->watch;
    scan_t scan = {.server = server, .now_ms = clock_mono_ms ()};
    scan.cut_late = watch_has_late (self, scan.now_ms);
    scan.cut_silent = atomic_load (&server->stopping);
    scan.track = threads_run_short (server);
    if (!scan.track && self->silent_size > 0)
        memset (self->silent, 0, self->silent_size * sizeof *self->silent);
    if (scan.cut_late || scan.cut_silent || scan.track)
        scan_run (&scan);
}

static void *watch_run (void *context)
{
    web_server_t *server = context;
    watch_t *self = &server->watch;
    pthread_mutex_lock (&self->lock);
    while (!self->ending) {
        int tick_ms = atomic_load (&server->stopping) ? WATCH_STOP_TICK_MS : WATCH_TICK_MS;
        struct timespec until;
        clock_gettime (CLOCK_MONOTONIC, &until);
        until.tv_nsec += tick_ms * 1000000L;
        if (until.tv_nsec >= 1000000000L) {
            until.tv_sec++;
            until.tv_nsec -= 1000000000L;
        }
        while (!self->ending &&
               pthread_cond_timedwait (&self->changed, &self->lock, &until) != ETIMEDOUT)
            ;
        watch_look (server);
    }
    pthread_mutex_unlock (&self->lock);
    return NULL;
}

int watch_start (web_server_t *server)
{
    if (pthread_create (&server->watch.thread, NULL, watch_run, server) != 0)
        return E_NO_MEMORY;
    server->watch.started = true;
    return E_OK;
}

void watch_end (web_server_t *server)
{
    watch_t *self = &server->watch;
    if (!self->started)
        return;
    pthread_mutex_lock (&self->lock);
    self->ending = true;
    pthread_cond_broadcast (&self->changed);
    pthread_mutex_unlock (&self->lock);
    pthread_join (self->thread, NULL);
    self->started = false;
}
