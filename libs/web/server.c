/* server.c - starting and stopping: the listening socket, the loops, the threads.
 *
 * How it fails: web_server_new says why; afterwards a failing connection is that connection's trouble. */
#include "web/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    CONNECTIONS_DEFAULT = 1024,
    CONNECTIONS_MAX = 1000000,
    THREADS_DEFAULT = 32,
    THREADS_MAX = 8192,
    LOOPS_MAX = 64,
    LOOPS_SELF = 4, /* as many as this, unless told otherwise: half of the processors */
    BACKLOG = 1024,
    DESCRIPTORS_BESIDE = 512,
    HEADER_TIMEOUT_MS = 10000,
    BODY_TIMEOUT_MS = 30000,
    ANSWER_TIMEOUT_MS = 30000,
    IDLE_TIMEOUT_MS = 15000,
    HEADERS_MAX = 16 * 1024,
    ARENA_MAX = 4 * 1024 * 1024,
    ABORT_GRACE_MS = 1000
};

/* ---- starting ---- */

static uint32_t or_default (uint32_t value, uint32_t otherwise)
{
    return value != 0 ? value : otherwise;
}

static void config_complete (web_config_t *config)
{
    long processors = sysconf (_SC_NPROCESSORS_ONLN);
    unsigned loops = processors < 4                ? 1
                     : processors / 2 < LOOPS_SELF ? (unsigned) processors / 2
                                                   : LOOPS_SELF;
    config->loops = or_default (config->loops, loops);
    config->connections = or_default (config->connections, CONNECTIONS_DEFAULT);
    config->threads = or_default (config->threads, THREADS_DEFAULT);
    config->header_timeout_ms = or_default (config->header_timeout_ms, HEADER_TIMEOUT_MS);
    config->body_timeout_ms = or_default (config->body_timeout_ms, BODY_TIMEOUT_MS);
    config->answer_timeout_ms = or_default (config->answer_timeout_ms, ANSWER_TIMEOUT_MS);
    config->idle_timeout_ms = or_default (config->idle_timeout_ms, IDLE_TIMEOUT_MS);
    if (config->headers_max == 0)
        config->headers_max = HEADERS_MAX;
    if (config->arena_max == 0)
        config->arena_max = ARENA_MAX;
}

/* "ADDRESS:PORT" with an IPv4 address. */
static bool listen_read (const char *text, struct sockaddr_in *out)
{
    char address[INET_ADDRSTRLEN];
    const char *colon = text != NULL ? strrchr (text, ':') : NULL;
    if (colon == NULL || (size_t) (colon - text) >= sizeof address)
        return false;
    snprintf (address, sizeof address, "%.*s", (int) (colon - text), text);
    size_t digits = strspn (colon + 1, "0123456789");
    *out = (struct sockaddr_in){.sin_family = AF_INET};
    if (inet_pton (AF_INET, address, &out->sin_addr) != 1)
        return false;
    if (digits == 0 || digits > 5 || colon[1 + digits] != '\0' || atoi (colon + 1) > 65535)
        return false;
    out->sin_port = htons ((uint16_t) atoi (colon + 1));
    return true;
}

static int bound (failure_t *failure, const char *name, unsigned value, unsigned least,
                  unsigned most)
{
    if (value >= least && value <= most)
        return E_OK;
    return failure_set (failure, E_BAD_REQUEST, name, "must be from %u to %u", least, most);
}

static int config_check (const web_config_t *config, struct sockaddr_in *address,
                         failure_t *failure)
{
    if (!listen_read (config->listen, address))
        return failure_set (failure, E_BAD_REQUEST, "listen",
                            "'%s' is not an IPv4 address and a port, as in 127.0.0.1:8080",
                            config->listen != NULL ? config->listen : "");
    int code = bound (failure, "threads", config->threads, 1, THREADS_MAX);
    if (code == E_OK)
        code = bound (failure, "connections", config->connections, 2, CONNECTIONS_MAX);
    if (code == E_OK)
        code = bound (failure, "loops", config->loops, 1, LOOPS_MAX);
    if (code == E_OK && config->submit == NULL)
        return failure_set (failure, E_BAD_REQUEST, "submit", "is missing");
    return code;
}

/* A connection takes a descriptor. */
static void descriptors_raise (const web_config_t *config)
{
    struct rlimit limit;
    rlim_t want = (rlim_t) config->connections + DESCRIPTORS_BESIDE;
    if (getrlimit (RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= want)
        return;
    limit.rlim_cur = limit.rlim_max < want ? limit.rlim_max : want;
    setrlimit (RLIMIT_NOFILE, &limit); /* else accept4 says when there are no more */
}

static int listener_open (web_server_t *self, struct sockaddr_in *address)
{
    int on = 1;
    socklen_t size = sizeof *address;
    self->listener = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (self->listener < 0)
        return errno;
    setsockopt (self->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind (self->listener, (struct sockaddr *) address, sizeof *address) != 0 ||
        listen (self->listener, BACKLOG) != 0 ||
        getsockname (self->listener, (struct sockaddr *) address, &size) != 0)
        return errno;
    self->port = ntohs (address->sin_port);
    return 0;
}

static web_server_t *server_alloc (const web_config_t *config)
{
    web_server_t *self = calloc (1, sizeof *self);
    loop_t *loops = calloc (config->loops, sizeof *loops);
    if (self == NULL || loops == NULL) {
        free (self);
        free (loops);
        return NULL;
    }
    self->config = *config;
    self->loops = loops;
    self->loop_count = config->loops;
    self->listener = -1;
    for (unsigned i = 0; i < config->loops; i++)
        loops[i].epoll = -1;
    pthread_condattr_t attributes;
    pthread_condattr_init (&attributes);
    pthread_condattr_setclock (&attributes, CLOCK_MONOTONIC);
    pthread_cond_init (&self->changed, &attributes);
    pthread_condattr_destroy (&attributes);
    pthread_mutex_init (&self->lock, NULL);
    threads_begin (&self->threads);
    return self;
}

static void server_free (web_server_t *self)
{
    for (memory_t *memory = self->idle, *next; memory != NULL; memory = next) {
        next = memory->next;
        memory_destroy (memory);
    }
    if (self->listener >= 0)
        close (self->listener);
    pthread_cond_destroy (&self->changed);
    pthread_mutex_destroy (&self->lock);
    free (self->loops);
    free (self);
}

int web_server_new (const web_config_t *config, web_server_t **out, failure_t *failure)
{
    web_config_t complete = *config;
    struct sockaddr_in address;
    config_complete (&complete);
    int code = config_check (&complete, &address, failure);
    if (code != E_OK)
        return code;
    web_server_t *self = server_alloc (&complete);
    if (self == NULL)
        return failure_set (failure, E_NO_MEMORY, "", "no memory for the server");

    signal (SIGPIPE, SIG_IGN);
    descriptors_raise (&complete);
    self->config.listen = NULL; /* the caller's */
    int error = listener_open (self, &address);
    if (error != 0)
        code = failure_set (failure, E_UNAVAILABLE, "listen", "cannot listen on %s: %s",
                            complete.listen, strerror (error));
    for (unsigned i = 0; i < self->loop_count && code == E_OK; i++)
        if (loop_start (&self->loops[i], self) != E_OK)
            code = failure_set (failure, E_NO_MEMORY, "", "no memory or descriptors for a loop");
    if (code != E_OK) {
        web_server_destroy (&self);
        return code;
    }
    *out = self;
    return E_OK;
}

/* ---- stopping ---- */

static void loops_wake (web_server_t *self)
{
    for (unsigned i = 0; i < self->loop_count; i++)
        loop_wake (&self->loops[i]);
}

void server_done (web_server_t *self, atomic_uint *count)
{
    if (atomic_fetch_sub (count, 1) != 1 || !atomic_load (&self->stopping))
        return;
    pthread_mutex_lock (&self->lock);
    pthread_cond_broadcast (&self->changed);
    pthread_mutex_unlock (&self->lock);
}

static bool is_busy (web_server_t *self)
{
    return atomic_load (&self->unseen) > 0 || atomic_load (&self->requests) > 0;
}

/* True when no request is left. */
static bool requests_wait (web_server_t *self, uint32_t timeout_ms)
{
    struct timespec until;
    clock_gettime (CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += (long) (timeout_ms % 1000) * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    int failed = 0;
    pthread_mutex_lock (&self->lock);
    while (is_busy (self) && failed == 0)
        failed = pthread_cond_timedwait (&self->changed, &self->lock, &until);
    pthread_mutex_unlock (&self->lock);
    return !is_busy (self);
}

bool web_server_stop (web_server_t *self, uint32_t deadline_ms)
{
    if (self->stopped)
        return true;
    self->stopped = true;
    for (unsigned i = 0; i < self->loop_count; i++)
        atomic_fetch_add (&self->unseen, self->loops[i].started);
    atomic_store (&self->stopping, true);
    if (self->listener >= 0)
        shutdown (self->listener, SHUT_RDWR); /* whoever connects now goes to another server */
    loops_wake (self);
    bool clean = requests_wait (self, deadline_ms);
    if (!clean) {
        atomic_store (&self->aborting, true);
        loops_wake (self);
        requests_wait (self, ABORT_GRACE_MS);
    }
    atomic_store (&self->aborting, true);
    atomic_store (&self->ending, true);
    loops_wake (self);
    for (unsigned i = 0; i < self->loop_count; i++)
        loop_join (&self->loops[i]);
    threads_end (&self->threads);
    for (unsigned i = 0; i < self->loop_count; i++)
        loop_free (&self->loops[i]);
    return clean;
}

void web_server_destroy (web_server_t **self_p)
{
    if (self_p == NULL || *self_p == NULL)
        return;
    web_server_t *self = *self_p;
    *self_p = NULL;
    web_server_stop (self, 0);
    server_free (self);
}

uint16_t web_server_port (const web_server_t *self)
{
    return self->port;
}

web_counts_t web_server_counts (web_server_t *self)
{
    return (web_counts_t){.most = self->config.connections,
                          .connections = atomic_load (&self->connections),
                          .requests = atomic_load (&self->requests),
                          .shed = atomic_load (&self->shed),
                          .timed_out = atomic_load (&self->timed_out)};
}
