/* listener.c - plain sockets and poll, one thread, a few connections.
 *
 * It serves our own webhooks service and whoever else on this host finds the port, so nothing is trusted: what is no request, or too long, closes its
 * connection. A connection that is idle for 30 s is closed; a new one over the limit closes the oldest. */
#define _GNU_SOURCE /* accept4, memmem */
#include "listener.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 64, IDLE_MS = 30000, READ_SIZE = 16 << 10, BACKLOG = 64 };

typedef struct connection {
    int fd; /* -1 = free */
    buf_t in;
    int64_t heard_ms;
} connection_t;

struct listener {
    int fd;
    uint16_t port;
    connection_t connections[CONNECTIONS_MAX];
};

/* ---- requests ---- */

static bytes_t word_take (const uint8_t **at, const uint8_t *end)
{
    const uint8_t *start = *at;
    while (*at<end &&* * at> ' ' && **at < 127)
        (*at)++;
    bytes_t word = bytes_of (start, (size_t) (*at - start));
    if (*at < end && **at == ' ')
        (*at)++;
    return word;
}

bool hook_header (const hook_t *self, const char *name, char *out, size_t size)
{
    const char *at = (const char *) self->headers.data, *end = at + self->headers.size;
    size_t length = strlen (name);
    out[0] = '\0';
    while (at && at < end) {
        const char *line_end = memchr (at, '\r', (size_t) (end - at));
        if (!line_end)
            line_end = end;
        if ((size_t) (line_end - at) > length && at[length] == ':' &&
            !strncasecmp (at, name, length)) {
            const char *value = at + length + 1;
            while (value < line_end && (*value == ' ' || *value == '\t'))
                value++;
            while (line_end > value && (line_end[-1] == ' ' || line_end[-1] == '\t'))
                line_end--;
            bool fits = (size_t) (line_end - value) < size;
            if (fits)
                snprintf (out, size, "%.*s", (int) (line_end - value), value);
            return fits;
        }
        at = line_end + 2;
    }
    return false;
}

/* The body's length; -1 if it is not told as a number in the limit. */
static long body_length (const hook_t *hook)
{
    char text[24];
    if (hook_header (hook, "Transfer-Encoding", text, sizeof text) || text[0])
        return -1;
    if (!hook_header (hook, "Content-Length", text, sizeof text))
        return text[0] ? -1 : 0;
    char *end;
    errno = 0;
    long length = strtol (text, &end, 10);
    return *end || end == text || errno || text[0] == '-' || text[0] == '+' ||
                   length > HOOK_BODY_MAX
               ? -1
               : length;
}

long hook_read (bytes_t in, hook_t *out)
{
    const uint8_t *end = in.size ? memmem (in.data, in.size, "\r\n\r\n", 4) : NULL;
    if (!end)
        return in.size > HOOK_HEADERS_MAX ? -1 : 0;
    const uint8_t *at = in.data;
    hook_t hook = {0};
    hook.method = word_take (&at, end);
    hook.path = word_take (&at, end);
    bytes_t version = word_take (&at, end + 2);
    if (!hook.method.size || !hook.path.size || version.size != 8 ||
        memcmp (version.data, "HTTP/1.", 7) != 0 || at[0] != '\r' || at[1] != '\n')
        return -1;
    at += 2;
    hook.headers = bytes_of (at, at < end + 2 ? (size_t) (end + 2 - at) : 0);
    long length = body_length (&hook);
    size_t head = (size_t) (end + 4 - in.data);
    if (length < 0 || head > HOOK_HEADERS_MAX)
        return -1;
    if (in.size - head < (size_t) length)
        return 0;
    hook.body = bytes_of (end + 4, (size_t) length);
    *out = hook;
    return (long) head + length;
}

/* ---- connections ---- */

static void connection_end (connection_t *self)
{
    if (self->fd >= 0)
        close (self->fd);
    self->fd = -1;
    buf_free (&self->in);
}

static bool answer (connection_t *self, int status)
{
    char text[160];
    int n =
        snprintf (text, sizeof text, "HTTP/1.1 %d %s\r\nContent-Length: 0\r\n%s\r\n", status,
                  status < 300 ? "OK" : "Refused", status == 400 ? "Connection: close\r\n" : "");
    return send (self->fd, text, (size_t) n, MSG_NOSIGNAL) == n;
}

/* All whole requests that are there; false when the connection is to be closed. */
static bool requests_take (connection_t *self, listener_fn *each, void *context, bool *served)
{
    for (;;) {
        hook_t hook;
        long used = hook_read (buf_bytes (&self->in), &hook);
        if (used == 0)
            return true;
        if (used < 0) {
            answer (self, 400);
            return false;
        }
        *served = true;
        if (!answer (self, each (context, &hook)))
            return false;
        memmove (self->in.data, self->in.data + used, self->in.size - (size_t) used);
        self->in.size -= (size_t) used;
    }
}

static bool connection_read (connection_t *self, int64_t now)
{
    uint8_t *room = buf_reserve (&self->in, READ_SIZE);
    ssize_t n = room ? recv (self->fd, room, READ_SIZE, MSG_DONTWAIT) : 0;
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    self->in.size += (size_t) n;
    self->heard_ms = now;
    return n > 0;
}

static connection_t *connection_free (listener_t *self)
{
    connection_t *oldest = &self->connections[0];
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        connection_t *c = &self->connections[i];
        if (c->fd < 0)
            return c;
        if (c->heard_ms < oldest->heard_ms)
            oldest = c;
    }
    connection_end (oldest);
    return oldest;
}

static void accept_one (listener_t *self, int64_t now)
{
    int fd = accept4 (self->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    connection_t *c = connection_free (self);
    *c = (connection_t){
        .fd = fd, .heard_ms = now, .in = {.limit = HOOK_HEADERS_MAX + HOOK_BODY_MAX + READ_SIZE}};
}

/* ---- the listener ---- */

int listener_open (listener_t **out, failure_t *failure)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl (INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    listener_t *self = calloc (1, sizeof *self);
    if (!self)
        return failure_set (failure, E_NO_MEMORY, "", "no memory for a listener");
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        self->connections[i].fd = -1;
    self->fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (self->fd < 0 || bind (self->fd, (struct sockaddr *) &address, size) ||
        listen (self->fd, BACKLOG) || getsockname (self->fd, (struct sockaddr *) &address, &size)) {
        failure_set (failure, E_UNAVAILABLE, "", "cannot listen on 127.0.0.1: %s",
                     strerror (errno));
        listener_close (&self);
        return E_UNAVAILABLE;
    }
    self->port = ntohs (address.sin_port);
    *out = self;
    return 0;
}

void listener_close (listener_t **self)
{
    if (!self || !*self)
        return;
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        connection_end (&(*self)->connections[i]);
    if ((*self)->fd >= 0)
        close ((*self)->fd);
    free (*self);
    *self = NULL;
}

uint16_t listener_port (const listener_t *self)
{
    return self->port;
}

bool listener_work (listener_t *self, int timeout_ms, int stop_fd, listener_fn *each, void *context)
{
    bool served = false;
    int64_t until = clock_mono_ms () + timeout_ms;
    for (int64_t now = clock_mono_ms (); !served && now <= until; now = clock_mono_ms ()) {
        struct pollfd fds[CONNECTIONS_MAX + 2] = {{.fd = stop_fd, .events = POLLIN},
                                                  {.fd = self->fd, .events = POLLIN}};
        for (size_t i = 0; i < CONNECTIONS_MAX; i++)
            fds[i + 2] = (struct pollfd){.fd = self->connections[i].fd, .events = POLLIN};
        if (poll (fds, CONNECTIONS_MAX + 2, (int) (until - now)) <= 0)
            break;
        if (fds[0].revents)
            return false;
        now = clock_mono_ms ();
        for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
            connection_t *c = &self->connections[i];
            bool keep = !fds[i + 2].revents ||
                        (connection_read (c, now) && requests_take (c, each, context, &served));
            if (c->fd >= 0 && (!keep || now - c->heard_ms > IDLE_MS))
                connection_end (c);
        }
        if (fds[1].revents)
            accept_one (self, now);
    }
    return true;
}
