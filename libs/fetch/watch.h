/* watch.h - inside libs/fetch: curl's sockets in an epoll, its timer, and the caller's wake-up descriptor. */
#ifndef AVIARY_FETCH_WATCH_H
#define AVIARY_FETCH_WATCH_H

#include <curl/curl.h>
#include <stdint.h>

typedef struct watch {
    CURLM *multi;
    int epoll_fd;
    int wake_fd; /* in the epoll, -1 = none */
    int64_t
        due_ms; /* monotonic, when curl wants to be called though no socket is ready; INT64_MAX = not at all */
} watch_t;

/* Watch the sockets of `multi` from now on. 0, or E_UNAVAILABLE without a descriptor. `self` stays where it is, and is closed after the multi was cleaned up. */
int watch_open (watch_t *self, CURLM *multi);
void watch_close (
    watch_t *self); /* also what was never opened and is zeroed but for epoll_fd = -1 */
/* Wait up to timeout_ms until a socket or `wake_fd` (-1 = none) is ready or curl's timer is due, and let curl go on with what is. A wake_fd that is closed must
 * not be named again. */
void watch_wait (watch_t *self, int timeout_ms, int wake_fd);
/* Let curl go on with what is due by time: new transfers begin here. */
void watch_timer (watch_t *self);

#endif
