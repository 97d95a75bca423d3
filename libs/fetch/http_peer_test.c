/* http_peer_test.c - the scripted server. Paths:
 *   /ok 200 "fine"   /echo the request as the body   /slow no answer   /redirect 302   /seconds, /date 503 with Retry-After   /big 300 KiB
 *   /endless a body without end   /die closes after the request   /stale answers, then closes after the connection's next request unanswered
 *   /partial half of a body   /garbage not HTTP   /continue a 100 first */
#define _GNU_SOURCE /* strcasestr */
#include "fetch/http_peer_test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PEER_CONNECTIONS_MAX = 512, PEER_REQUEST_MAX = 256 * 1024 };

struct http_peer {
    int listener;
    uint16_t port;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_t threads[PEER_CONNECTIONS_MAX];
    int sockets[PEER_CONNECTIONS_MAX];
    unsigned count;
    atomic_uint requests;
    atomic_uint connections;
};

typedef struct peer_call {
    http_peer_t *peer;
    int socket;
    char *text; /* of the request, NUL-terminated */
    size_t size;
    bool stale;
} peer_call_t;

static bool peer_send (int socket, const char *text, size_t size)
{
    while (size > 0) {
        ssize_t n = send (socket, text, size, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        text += n;
        size -= (size_t) n;
    }
    return true;
}

static bool peer_answer (int socket, const char *head, const char *body, size_t size)
{
    char text[512];
    int length =
        snprintf (text, sizeof text, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n", head, size);
    return peer_send (socket, text, (size_t) length) && peer_send (socket, body, size);
}

/* One whole request; false when the connection ends first. */
static bool peer_read (peer_call_t *call)
{
    size_t want = 0;
    call->size = 0;
    for (;;) {
        call->text[call->size] = '\0';
        char *end = strstr (call->text, "\r\n\r\n");
        if (end != NULL && want == 0) {
            char *length = strcasestr (call->text, "\r\nContent-Length:");
            size_t body = length != NULL && length < end ? strtoul (length + 17, NULL, 10) : 0;
            want = (size_t) (end + 4 - call->text) + body;
        }
        if (want != 0 && call->size >= want)
            return true;
        if (call->size + 1 >= PEER_REQUEST_MAX)
            return false;
        ssize_t n =
            recv (call->socket, call->text + call->size, PEER_REQUEST_MAX - 1 - call->size, 0);
        if (n <= 0)
            return false;
        call->size += (size_t) n;
    }
}

static bool peer_big (int socket)
{
    size_t size = 300 * 1024;
    char *body = malloc (size);
    memset (body, 'b', size);
    bool sent = peer_answer (socket, "200 OK", body, size);
    free (body);
    return sent;
}

static bool peer_endless (int socket)
{
    static const char chunk[4096] = {'e'};
    bool sent = peer_send (socket, "HTTP/1.1 200 OK\r\n\r\n", 19);
    while (sent)
        sent = peer_send (socket, chunk, sizeof chunk);
    return false;
}

static bool peer_date (int socket)
{
    char head[128], date[64];
    time_t at = time (NULL) + 120;
    struct tm tm;
    gmtime_r (&at, &tm);
    strftime (date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    snprintf (head, sizeof head, "503 Busy\r\nRetry-After: %s", date);
    return peer_answer (socket, head, "", 0);
}

static bool peer_serve (peer_call_t *call)
{
    int socket = call->socket;
    const char *path = strchr (call->text, ' ');
    if (path == NULL || call->stale)
        return false;
    path++;
    if (strncmp (path, "/echo", 5) == 0)
        return peer_answer (socket, "200 OK\r\nX-Peer:  yes ", call->text, call->size);
    if (strncmp (path, "/slow", 5) == 0) {
        char byte;
        (void) !recv (socket, &byte, 1, 0); /* until the client or the test ends it */
        return false;
    }
    if (strncmp (path, "/redirect", 9) == 0)
        return peer_answer (socket, "302 Found\r\nLocation: /ok", "moved", 5);
    if (strncmp (path, "/seconds", 8) == 0)
        return peer_answer (socket, "429 Slow\r\nretry-after: 7", "", 0);
    if (strncmp (path, "/date", 5) == 0)
        return peer_date (socket);
    if (strncmp (path, "/big", 4) == 0)
        return peer_big (socket);
    if (strncmp (path, "/endless", 8) == 0)
        return peer_endless (socket);
    if (strncmp (path, "/die", 4) == 0)
        return false;
    if (strncmp (path, "/partial", 8) == 0)
        return peer_send (socket, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", 42) && false;
    if (strncmp (path, "/garbage", 8) == 0)
        return peer_send (socket, "SSH-2.0-nothing\r\n\r\n", 19) && false;
    if (strncmp (path, "/continue", 9) == 0 &&
        !peer_send (socket, "HTTP/1.1 100 Continue\r\nX-Early: 1\r\n\r\n", 38))
        return false;
    call->stale = strncmp (path, "/stale", 6) == 0;
    return peer_answer (socket, "200 OK", "fine", 4);
}

static void *peer_connection (void *context)
{
    peer_call_t *call = context;
    while (peer_read (call)) {
        atomic_fetch_add (&call->peer->requests, 1);
        if (!peer_serve (call))
            break;
    }
    shutdown (call->socket, SHUT_RDWR); /* closed by http_peer_destroy */
    free (call->text);
    free (call);
    return NULL;
}

static void *peer_run (void *context)
{
    http_peer_t *self = context;
    for (;;) {
        int socket = accept (self->listener, NULL, NULL);
        if (socket < 0)
            return NULL;
        atomic_fetch_add (&self->connections, 1);
        peer_call_t *call = calloc (1, sizeof *call);
        call->peer = self;
        call->socket = socket;
        call->text = malloc (PEER_REQUEST_MAX);
        pthread_mutex_lock (&self->lock);
        self->sockets[self->count] = socket;
        pthread_create (&self->threads[self->count], NULL, peer_connection, call);
        self->count++;
        pthread_mutex_unlock (&self->lock);
        if (self->count == PEER_CONNECTIONS_MAX)
            return NULL;
    }
}

http_peer_t *http_peer_new (void)
{
    http_peer_t *self = calloc (1, sizeof *self);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl (INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    pthread_mutex_init (&self->lock, NULL);
    self->listener = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind (self->listener, (struct sockaddr *) &address, sizeof address) != 0 ||
        listen (self->listener, 512) != 0 ||
        getsockname (self->listener, (struct sockaddr *) &address, &size) != 0)
        abort ();
    self->port = ntohs (address.sin_port);
    pthread_create (&self->thread, NULL, peer_run, self);
    return self;
}

void http_peer_destroy (http_peer_t **self_p)
{
    http_peer_t *self = *self_p;
    *self_p = NULL;
    shutdown (self->listener, SHUT_RDWR);
    pthread_join (self->thread, NULL);
    for (unsigned i = 0; i < self->count; i++) {
        shutdown (self->sockets[i], SHUT_RDWR);
        pthread_join (self->threads[i], NULL);
        close (self->sockets[i]);
    }
    close (self->listener);
    pthread_mutex_destroy (&self->lock);
    free (self);
}

uint16_t http_peer_port (const http_peer_t *self)
{
    return self->port;
}

unsigned http_peer_requests (http_peer_t *self)
{
    return atomic_load (&self->requests);
}

unsigned http_peer_connections (http_peer_t *self)
{
    return atomic_load (&self->connections);
}
