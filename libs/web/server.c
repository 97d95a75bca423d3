/* server.c - starting and stopping civetweb, and its callbacks.
 *
 * civetweb does: sockets, a thread per open connection, parsing of request line and headers, reading and writing. Everything else of it (files,
 * CGI, authentication, CORS, WebSocket, logs) is never reached: begin_request takes every request. How it fails: web_server_new says why; afterwards
 * a failing connection is that connection's trouble, told to the log function at most. */
#include "web/server.h"

#include "base/clock.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    THREADS_DEFAULT = 320,
    THREADS_MAX = 16384,
    HEADER_TIMEOUT_MS = 10000,
    BODY_TIMEOUT_MS = 30000,
    ANSWER_TIMEOUT_MS = 30000,
    IDLE_TIMEOUT_MS = 15000,
    HEADERS_MAX = 16 * 1024,
    ARENA_MAX = 4 * 1024 * 1024,
    ABORT_GRACE_MS = 1000
};

/* ---- civetweb's callbacks ---- */

static int on_connection (const struct mg_connection *connection, void **data)
{
    web_server_t *self = mg_get_user_data (mg_get_context (connection));
    atomic_fetch_add (&self->connections, 1);
    /* Says to on_close that it was counted. */
    *data = atomic_load (&self->stopping) ? (void *) &self->late : (void *) self;
    return 0;
}

static void on_close (const struct mg_connection *connection)
{
    web_server_t *self = mg_get_user_data (mg_get_context (connection));
    if (mg_get_user_connection_data (connection) == NULL)
        return;
    pthread_mutex_lock (&self->watch.lock); /* a scan that may know this socket ends first */
    pthread_mutex_unlock (&self->watch.lock);
    atomic_fetch_sub (&self->connections, 1);
}

static int on_request (struct mg_connection *connection)
{
    web_server_t *self = mg_get_user_data (mg_get_context (connection));
    web_request_t request;
    request_init (&request, self, connection);
    if (request.is_watched)
        watch_enter (self, &request.watched, &request.memory);
    request_run (&request);
    request_drain (&request);
    if (request.close)
        mg_disable_connection_keep_alive (connection);
    request_free (&request);
    return request.status;
}

/* civetweb refuses by itself what it cannot parse; the words are ours, and the connection ends. */
static int on_error (struct mg_connection *connection, int status, const char *text)
{
    (void) text;
    web_server_t *self = mg_get_user_data (mg_get_context (connection));
    web_request_t request;
    request_init (&request, self, connection);
    request.close = true;
    request.body_done = true;
    request_refuse (&request, status,
                    "The request is not well-formed HTTP, or its headers are too long.");
    request_free (&request);
    return 0;
}

static int on_log (const struct mg_connection *connection, const char *text)
{
    const struct mg_context *civetweb = mg_get_context (connection);
    web_server_t *self = civetweb != NULL ? mg_get_user_data (civetweb) : NULL;
    if (self != NULL && self->config.log != NULL)
        self->config.log (self->config.log_context, text);
    return 1; /* not to a file, not to stderr */
}

/* ---- starting ---- */

static uint32_t or_default (uint32_t value, uint32_t otherwise)
{
    return value != 0 ? value : otherwise;
}

static void config_complete (web_config_t *config)
{
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

/* "ADDRESS:PORT" with an IPv4 address; *out becomes one by which we reach ourselves. */
static bool listen_read (const char *text, in_addr_t *out)
{
    char address[INET_ADDRSTRLEN];
    struct in_addr in;
    const char *colon = text != NULL ? strrchr (text, ':') : NULL;
    if (colon == NULL || (size_t) (colon - text) >= sizeof address)
        return false;
    snprintf (address, sizeof address, "%.*s", (int) (colon - text), text);
    size_t digits = strspn (colon + 1, "0123456789");
    if (inet_pton (AF_INET, address, &in) != 1)
        return false;
    *out = in.s_addr == htonl (INADDR_ANY) ? htonl (INADDR_LOOPBACK) : in.s_addr;
    return digits > 0 && digits < 6 && colon[1 + digits] == '\0' && atoi (colon + 1) <= 65535;
}

static int config_check (const web_config_t *config, in_addr_t *address, failure_t *failure)
{
    if (!listen_read (config->listen, address))
        return failure_set (failure, E_BAD_REQUEST, "listen",
                            "'%s' is not an IPv4 address and a port, as in 127.0.0.1:8080",
                            config->listen != NULL ? config->listen : "");
    if (config->threads < 2 || config->threads > THREADS_MAX)
        return failure_set (failure, E_BAD_REQUEST, "threads", "must be from 2 to %d", THREADS_MAX);
    if (config->submit == NULL)
        return failure_set (failure, E_BAD_REQUEST, "submit", "is missing");
    return E_OK;
}

static struct mg_context *civetweb_start (web_server_t *self, char *text, size_t text_size)
{
    const web_config_t *config = &self->config;
    char threads[16], header[16], idle[16], size[24];
    snprintf (threads, sizeof threads, "%u", config->threads);
    snprintf (header, sizeof header, "%u", config->header_timeout_ms);
    snprintf (idle, sizeof idle, "%u", config->idle_timeout_ms);
    snprintf (size, sizeof size, "%zu", config->headers_max);
    const char *options[] = {"listening_ports",
                             config->listen,
                             "num_threads",
                             threads,
                             "request_timeout_ms",
                             header,
                             "keep_alive_timeout_ms",
                             idle,
                             "max_request_size",
                             size,
                             "enable_keep_alive",
                             "yes",
                             "tcp_nodelay",
                             "1",
                             "decode_url",
                             "no",
                             "listen_backlog",
                             "1024",
                             "connection_queue",
                             "256",
                             "enable_directory_listing",
                             "no",
                             "enable_auth_domain_check",
                             "no",
                             "access_control_allow_origin",
                             "",
                             NULL};
    const struct mg_callbacks callbacks = {.begin_request = on_request,
                                           .http_error = on_error,
                                           .log_message = on_log,
                                           .init_connection = on_connection,
                                           .connection_close = on_close};
    struct mg_init_data data = {
        .callbacks = &callbacks, .user_data = self, .configuration_options = options};
    unsigned code = 0;
    struct mg_error_data error = {.code = &code, .text = text, .text_buffer_size = text_size};
    struct sigaction children; /* mg_start ignores SIGCHLD, which is not its business */
    sigaction (SIGCHLD, NULL, &children);
    struct mg_context *started = mg_start2 (&data, &error);
    sigaction (SIGCHLD, &children, NULL);
    return started;
}

static web_server_t *server_alloc (const web_config_t *config)
{
    web_server_t *self = calloc (1, sizeof *self);
    if (self == NULL)
        return NULL;
    self->config = *config;
    pthread_condattr_t attributes;
    pthread_condattr_init (&attributes);
    pthread_condattr_setclock (&attributes, CLOCK_MONOTONIC);
    pthread_cond_init (&self->watch.changed, &attributes);
    pthread_condattr_destroy (&attributes);
    pthread_mutex_init (&self->watch.lock, NULL);
    return self;
}

static void server_free (web_server_t *self)
{
    for (memory_t *memory = self->idle, *next; memory != NULL; memory = next) {
        next = memory->next;
        memory_destroy (memory);
    }
    free (self->watch.silent);
    pthread_cond_destroy (&self->watch.changed);
    pthread_mutex_destroy (&self->watch.lock);
    free (self);
}

int web_server_new (const web_config_t *config, web_server_t **out, failure_t *failure)
{
    web_config_t complete = *config;
    config_complete (&complete);
    in_addr_t address = 0;
    int code = config_check (&complete, &address, failure);
    if (code != E_OK)
        return code;
    web_server_t *self = server_alloc (&complete);
    if (self == NULL)
        return failure_set (failure, E_NO_MEMORY, "", "no memory for the server");

    char text[256] = "";
    self->address = address;
    mg_init_library (MG_FEATURES_DEFAULT);
    self->civetweb = civetweb_start (self, text, sizeof text);
    self->config.listen = NULL; /* the caller's */
    struct mg_server_port port;
    if (self->civetweb == NULL || mg_get_server_ports (self->civetweb, 1, &port) != 1) {
        failure_set (failure, E_UNAVAILABLE, "listen", "cannot listen on %s: %s", complete.listen,
                     text);
        web_server_destroy (&self);
        return E_UNAVAILABLE;
    }
    self->port = (uint16_t) port.port;
    if (watch_start (self) != E_OK) {
        web_server_destroy (&self);
        return failure_set (failure, E_NO_MEMORY, "", "no memory for a thread");
    }
    *out = self;
    return E_OK;
}

/* ---- stopping ---- */

/* True when no request is left. */
static bool requests_wait (web_server_t *self, uint32_t timeout_ms)
{
    watch_t *watch = &self->watch;
    struct timespec until;
    clock_gettime (CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += (long) (timeout_ms % 1000) * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    int failed = 0;
    pthread_mutex_lock (&watch->lock);
    while (watch->count > 0 && failed == 0)
        failed = pthread_cond_timedwait (&watch->changed, &watch->lock, &until);
    bool none = watch->count == 0;
    pthread_mutex_unlock (&watch->lock);
    return none;
}

/* After mg_stop civetweb writes nothing any more, so the aborted ones get a moment before it. */
static void requests_abort (web_server_t *self)
{
    atomic_store (&self->aborting, true);
    pthread_mutex_lock (&self->watch.lock);
    for (watched_t *watched = self->watch.first; watched != NULL; watched = watched->next)
        if (atomic_load (&watched->phase) == WATCH_BODY)
            atomic_store (&watched->deadline_ms, 0);
    pthread_mutex_unlock (&self->watch.lock);
    requests_wait (self, ABORT_GRACE_MS);
}

/* civetweb's accepting thread looks at its stop flag when a connection comes, or every two seconds. */
static void *stop_nudge (void *context)
{
    const web_server_t *self = context;
    for (int i = 0; i < 20 && !atomic_load (&self->stopped); i++) {
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_port = htons (self->port),
                                      .sin_addr.s_addr = self->address};
        int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
            break;
        (void) !connect (fd, (struct sockaddr *) &address, sizeof address);
        usleep (20000);
        close (fd);
    }
    return NULL;
}

bool web_server_stop (web_server_t *self, uint32_t deadline_ms)
{
    if (self->civetweb == NULL)
        return true;
    atomic_store (&self->stopping, true);
    bool clean = requests_wait (self, deadline_ms);
    if (!clean)
        requests_abort (self);
    pthread_t nudge;
    bool nudged = pthread_create (&nudge, NULL, stop_nudge, self) == 0;
    mg_stop (self->civetweb);
    atomic_store (&self->stopped, true);
    self->civetweb = NULL;
    if (nudged)
        pthread_join (nudge, NULL);
    watch_end (self);
    return clean;
}

void web_server_destroy (web_server_t **self_p)
{
    if (self_p == NULL || *self_p == NULL)
        return;
    web_server_t *self = *self_p;
    *self_p = NULL;
    web_server_stop (self, 0);
    watch_end (self);
    server_free (self);
    mg_exit_library ();
}

uint16_t web_server_port (const web_server_t *self)
{
    return self->port;
}

web_counts_t web_server_counts (web_server_t *self)
{
    web_counts_t counts = {.threads = self->config.threads,
                           .connections = atomic_load (&self->connections),
                           .shed = atomic_load (&self->shed),
                           .timed_out = atomic_load (&self->timed_out)};
    pthread_mutex_lock (&self->watch.lock);
    counts.requests = self->watch.count;
    pthread_mutex_unlock (&self->watch.lock);
    return counts;
}
