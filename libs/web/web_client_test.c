/* web_client_test.c - a raw HTTP client for the tests. */
#include "web/web_client_test.h"

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { CLIENT_WAIT_S = 10 };

web_client_t web_client_open (uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons (port),
                                  .sin_addr.s_addr = htonl (INADDR_LOOPBACK)};
    struct timeval wait = {.tv_sec = CLIENT_WAIT_S};
    web_client_t self = {.fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (self.fd < 0 || connect (self.fd, (struct sockaddr *) &address, sizeof address) != 0)
        perror ("connect");
    setsockopt (self.fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    return self;
}

void web_client_close (web_client_t *self)
{
    close (self->fd);
    free (self->in);
    *self = (web_client_t){.fd = -1};
}

bool web_client_send_bytes (web_client_t *self, const void *data, size_t size)
{
    const char *at = data;
    while (size > 0) {
        ssize_t n = send (self->fd, at, size, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        at += n;
        size -= (size_t) n;
    }
    return true;
}

bool web_client_send (web_client_t *self, const char *text)
{
    return web_client_send_bytes (self, text, strlen (text));
}

static bool client_more (web_client_t *self)
{
    char piece[16384];
    ssize_t n = recv (self->fd, piece, sizeof piece, 0);
    if (n <= 0)
        return false;
    self->in = realloc (self->in, self->size + (size_t) n + 1);
    memcpy (self->in + self->size, piece, (size_t) n);
    self->size += (size_t) n;
    self->in[self->size] = '\0';
    return true;
}

static void client_drop (web_client_t *self, size_t size)
{
    memmove (self->in, self->in + size, self->size - size + 1);
    self->size -= size;
}

web_reply_t web_client_reply (web_client_t *self, bool bodiless)
{
    web_reply_t reply = {0};
    char *end = NULL;
    while (self->in == NULL || (end = strstr (self->in, "\r\n\r\n")) == NULL)
        if (!client_more (self))
            return reply;
    size_t head = (size_t) (end + 4 - self->in);
    snprintf (reply.head, sizeof reply.head, "%.*s", (int) head, self->in);
    const char *length = strstr (reply.head, "Content-Length: ");
    size_t body = length != NULL && !bodiless ? strtoul (length + 16, NULL, 10) : 0;
    while (self->size < head + body)
        if (!client_more (self))
            return reply;
    size_t kept = body < sizeof reply.body ? body : sizeof reply.body - 1;
    memcpy (reply.body, self->in + head, kept);
    reply.body_size = body;
    reply.status = atoi (reply.head + 9);
    client_drop (self, head + body);
    return reply;
}

bool web_client_skip (web_client_t *self, size_t size, char byte)
{
    char piece[16384];
    for (size_t span; size > 0; size -= span) {
        span = self->size < sizeof piece ? self->size : sizeof piece;
        span = span < size ? span : size;
        if (span > 0) {
            memcpy (piece, self->in, span);
            client_drop (self, span);
        } else {
            ssize_t n = recv (self->fd, piece, size < sizeof piece ? size : sizeof piece, 0);
            span = n > 0 ? (size_t) n : 0;
        }
        for (size_t i = 0; i < span; i++)
            if (piece[i] != byte)
                return false;
        if (span == 0)
            return false;
    }
    return true;
}

bool web_client_arrived (const web_client_t *self)
{
    int left = 1;
    for (int ms = 0; left > 0 && ms < CLIENT_WAIT_S * 1000; ms++) {
        if (ioctl (self->fd, SIOCOUTQ, &left) != 0)
            return false;
        if (left > 0)
            usleep (1000);
    }
    return left == 0;
}

bool web_client_at_end (web_client_t *self)
{
    char byte;
    return self->size == 0 && recv (self->fd, &byte, 1, 0) <= 0;
}

web_reply_t web_client_ask (uint16_t port, const char *text)
{
    web_client_t client = web_client_open (port);
    web_client_send (&client, text);
    web_reply_t reply = web_client_reply (&client, strncmp (text, "HEAD", 4) == 0);
    web_client_close (&client);
    return reply;
}
