/* receiver.c - a fast local HTTP receiver for webhooks and for Kannel's reports: answers everything with 200 and counts.
 *
 *   bench_receiver PORT       GET /count says how many other requests came, GET /last gives the last POST as it came
 *
 * One thread, epoll, keep-alive. Says "ready" and runs until it gets TERM. How it fails: a connection that sends what it cannot hold is closed. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HELD_MAX = 64 * 1024, EVENTS = 64, FDS_MAX = 4096 };

typedef struct link {
    size_t held;
    char data[HELD_MAX + 1];
} link_t;

typedef struct receiver {
    unsigned long count;
    size_t last_size;
    char last[HELD_MAX];
    link_t *links[FDS_MAX];
} receiver_t;

static void answer (int fd, const char *body, size_t size)
{
    static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n";
    char head[128];
    int length = snprintf (head, sizeof head, ok, size);
    if (send (fd, head, (size_t) length, MSG_NOSIGNAL | (size ? MSG_MORE : 0)) < 0)
        return;
    if (size && send (fd, body, size, MSG_NOSIGNAL) < 0)
        return;
}

/* Size of the first whole request in `data`, 0 if it is not all there. */
static size_t request_size (const char *data, size_t held)
{
    const char *end = strstr (data, "\r\n\r\n"), *length = strcasestr (data, "\r\nContent-Length:");
    if (!end)
        return 0;
    size_t size = (size_t) (end - data) + 4;
    if (length && length < end)
        size += strtoul (length + 17, NULL, 10);
    return size <= held ? size : 0;
}

static void request_take (receiver_t *self, int fd, const char *data, size_t size)
{
    char count[32];
    if (!strncmp (data, "GET /count ", 11)) {
        answer (fd, count, (size_t) snprintf (count, sizeof count, "%lu", self->count));
        return;
    }
    if (!strncmp (data, "GET /last ", 10)) {
        answer (fd, self->last, self->last_size);
        return;
    }
    self->count++;
    if (!strncmp (data, "POST ", 5)) {
        memcpy (self->last, data, size);
        self->last_size = size;
    }
    answer (fd, NULL, 0);
}

static void link_end (receiver_t *self, int fd)
{
    free (self->links[fd]);
    self->links[fd] = NULL;
    close (fd);
}

static void link_read (receiver_t *self, int fd)
{
    link_t *link = self->links[fd];
    ssize_t got = recv (fd, link->data + link->held, HELD_MAX - link->held, 0);
    if (got <= 0) {
        link_end (self, fd);
        return;
    }
    link->held += (size_t) got;
    link->data[link->held] = 0;
    for (size_t size; (size = request_size (link->data, link->held)) > 0;) {
        request_take (self, fd, link->data, size);
        link->held -= size;
        memmove (link->data, link->data + size, link->held + 1);
    }
}

static void link_accept (receiver_t *self, int poller, int server)
{
    int fd = accept (server, NULL, NULL);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (fd < 0)
        return;
    self->links[fd < FDS_MAX ? fd : 0] = fd < FDS_MAX ? calloc (1, sizeof (link_t)) : NULL;
    if (fd >= FDS_MAX || !self->links[fd] || epoll_ctl (poller, EPOLL_CTL_ADD, fd, &event))
        close (fd);
}

static int server_open (const char *port)
{
    int fd = socket (AF_INET, SOCK_STREAM, 0), yes = 1;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons ((uint16_t) atoi (port))};
    address.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
    setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind (fd, (struct sockaddr *) &address, sizeof address) || listen (fd, 512)) {
        perror ("receiver");
        exit (69);
    }
    return fd;
}

int main (int argc, char **argv)
{
    receiver_t *self = calloc (1, sizeof *self);
    if (argc != 2 || !self) {
        fputs ("usage: bench_receiver PORT\n", stderr);
        return 64;
    }
    int server = server_open (argv[1]), poller = epoll_create1 (0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = server}, events[EVENTS];
    epoll_ctl (poller, EPOLL_CTL_ADD, server, &event);
    puts ("ready");
    fflush (stdout);
    for (;;) {
        int count = epoll_wait (poller, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == server)
                link_accept (self, poller, server);
            else
                link_read (self, events[i].data.fd);
        }
    }
}
