/* listener.h - a tiny HTTP server on a free loopback port, for webhooks that this process itself wants to see. */
#ifndef AVIARY_LISTENER_H
#define AVIARY_LISTENER_H

#include "base/buf.h"
#include "base/err.h"

/* One request. Everything borrows from the connection's bytes and is valid during the callback. */
typedef struct hook {
    bytes_t method;
    bytes_t path;
    bytes_t headers; /* raw lines, each ended by CR LF */
    bytes_t body;
} hook_t;

enum { HOOK_HEADERS_MAX = 32 << 10, HOOK_BODY_MAX = 2 << 20 };

/* Read one request from the start of `in`: how many bytes it has, 0 = not all there yet, -1 = not a request that we take (malformed, too long,
 * or a body in chunks). */
long hook_read (bytes_t in, hook_t *out);
/* The value of the first header of that name (case ignored) without blanks around it; false and "" if there is none or it does not fit. */
bool hook_header (const hook_t *self, const char *name, char *out, size_t size);

typedef struct listener listener_t;

/* Gives the HTTP status to answer with. */
typedef int (listener_fn) (void *context, const hook_t *hook);

/* Listen on a free port of 127.0.0.1. 0, or E_UNAVAILABLE or E_NO_MEMORY. */
int listener_open (listener_t **out, failure_t *failure);
void listener_close (listener_t **self);
uint16_t listener_port (const listener_t *self);
/* Serve for up to timeout_ms, or until something was served. Returns false as soon as `stop_fd` (-1 = none) is readable. */
bool listener_work (listener_t *self, int timeout_ms, int stop_fd, listener_fn *each,
                    void *context);

#endif
