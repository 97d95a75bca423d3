/* watch.c - which of curl's sockets are ready is asked of one epoll, and only those transfers are run: curl's own way of looking (curl_multi_poll, then
 * curl_multi_perform) visits every transfer each time, with a poll of its socket, so a hundred that hang would cost each of the others a hundred visits.
 *
 * How it fails: a socket that cannot be watched (no memory in the kernel) is as one that is never ready, so its transfer ends by its timeout. */
#include "fetch/watch.h"

#include "base/clock.h"
#include "base/err.h"
#include <sys/epoll.h>
#include <unistd.h>

enum { EVENTS_MAX = 64 };

static void socket_set (const watch_t *self, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    if (events == 0)
        epoll_ctl (self->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    else if (epoll_ctl (self->epoll_fd, EPOLL_CTL_MOD, fd, &event) != 0)
        epoll_ctl (self->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static int on_socket (CURL *easy, curl_socket_t fd, int what, void *context, void *own)
{
    (void) easy;
    (void) own;
    uint32_t events = what == CURL_POLL_IN      ? EPOLLIN
                      : what == CURL_POLL_OUT   ? EPOLLOUT
                      : what == CURL_POLL_INOUT ? EPOLLIN | EPOLLOUT
                                                : 0;
    socket_set (context, fd, events);
    return 0;
}

static int on_timer (CURLM *multi, long timeout_ms, void *context)
{
    (void) multi;
    watch_t *self = context;
    self->due_ms = timeout_ms < 0 ? INT64_MAX : clock_mono_ms () + timeout_ms;
    return 0;
}

int watch_open (watch_t *self, CURLM *multi)
{
    *self = (watch_t){.multi = multi, .wake_fd = -1, .due_ms = INT64_MAX};
    self->epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
    if (self->epoll_fd < 0)
        return E_UNAVAILABLE;
    curl_multi_setopt (multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt (multi, CURLMOPT_SOCKETDATA, self);
    curl_multi_setopt (multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt (multi, CURLMOPT_TIMERDATA, self);
    return E_OK;
}

void watch_close (watch_t *self)
{
    if (self->epoll_fd >= 0)
        close (self->epoll_fd);
    self->epoll_fd = -1;
}

static void wake_set (watch_t *self, int wake_fd)
{
    if (wake_fd == self->wake_fd)
        return;
    if (self->wake_fd >= 0)
        socket_set (self, self->wake_fd, 0);
    self->wake_fd = wake_fd;
    if (wake_fd >= 0)
        socket_set (self, wake_fd, EPOLLIN);
}

void watch_timer (watch_t *self)
{
    int running;
    if (self->due_ms == INT64_MAX || self->due_ms > clock_mono_ms ())
        return;
    self->due_ms = INT64_MAX; /* curl says when again */
    curl_multi_socket_action (self->multi, CURL_SOCKET_TIMEOUT, 0, &running);
}

static int wait_bounded (const watch_t *self, int timeout_ms)
{
    int64_t left = self->due_ms == INT64_MAX ? INT64_MAX : self->due_ms - clock_mono_ms ();
    return left >= timeout_ms ? timeout_ms : left < 0 ? 0 : (int) left;
}

void watch_wait (watch_t *self, int timeout_ms, int wake_fd)
{
    struct epoll_event events[EVENTS_MAX];
    int running;
    wake_set (self, wake_fd);
    int count = epoll_wait (self->epoll_fd, events, EVENTS_MAX, wait_bounded (self, timeout_ms));
    for (int i = 0; i < count; i++) {
        int fd = events[i].data.fd;
        uint32_t ready = events[i].events;
        if (fd != self->wake_fd)
            curl_multi_socket_action (self->multi, fd,
                                      (ready & EPOLLIN ? CURL_CSELECT_IN : 0) |
                                          (ready & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                                          (ready & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0),
                                      &running);
    }
}
