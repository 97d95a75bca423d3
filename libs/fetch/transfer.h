/* transfer.h - inside libs/fetch: one transfer over curl, and the lines of transfers that wait for their host. */
#ifndef AVIARY_FETCH_TRANSFER_H
#define AVIARY_FETCH_TRANSFER_H

#include "fetch/fetch.h"
#include "fetch/guard.h"
#include "fetch/stream.h"

#include <curl/curl.h>

typedef struct host host_t;
typedef struct transfer transfer_t;

struct transfer {
    transfer_t *next; /* in a host's line, or among the idle ones */
    transfer_t *active_next;
    transfer_t *active_previous;
    fetch_t *fetch;
    const guard_t *guard;
    host_t *host;
    CURL *easy; /* kept over uses */
    bool
        is_post; /* its options are those of a POST from memory: the next one sets only what differs */
    buf_t copy; /* of the request: all of the next four */
    struct curl_slist *headers;
    char *method;
    char *url;
    uint8_t *body;
    size_t body_size;
    size_t answer_max;
    bool guarded;
    bool repeatable; /* curl may send it a second time */
    bool plain;      /* http: what was written is what left */
    int refused;     /* E_ code if it cannot even be tried */
    fetch_done_fn *done;
    void *context;
    int64_t deadline_ms; /* monotonic */
    int64_t dialled_ms;

    unsigned sends; /* times a connection was ready and the request was let go */
    bool blocked;   /* the guard refused an address */
    bool opened;    /* the guard let an address pass */
    bool repeat_refused;
    bool enough; /* we stopped an answer that is much longer than asked for */
    size_t dropped;
    stream_t stream;
    buf_t answer_headers;
    buf_t answer_body;
    char address[64];
};

/* A transfer with its curl handle, or NULL. Refilled for each request. */
transfer_t *transfer_new (fetch_t *fetch, const guard_t *guard);
void transfer_destroy (transfer_t **self);
/* Copy the request. 0, or E_BAD_REQUEST or E_NO_MEMORY (it can then only be finished). */
int transfer_fill (transfer_t *self, const fetch_request_t *request);
/* Set curl's options for what was filled. 0, or E_BAD_REQUEST, E_NO_MEMORY, E_NOT_FOUND (the body's file). */
int transfer_arm (transfer_t *self, const char *user_agent, bool allow_http, int64_t now_ms);
/* Call back with curl's result. `code` is 0 or an E_ code that overrides it (refused, ended by us). */
void transfer_finish (transfer_t *self, CURLcode result, int code, const char *reason);
/* Forget the request, keep the handle and modest buffers. */
void transfer_clear (transfer_t *self);

/* What an answer's Retry-After says, seconds or a date, in ms from now; 0 = nothing that can be read, or the past. */
int64_t fetch_retry_after (const fetch_answer_t *answer);

/* ---- lines by host ---- */

typedef struct lines {
    host_t *buckets[256];
    host_t *ready_first; /* hosts with somebody waiting and room for him, in turn */
    host_t *ready_last;
    unsigned per_host;
    unsigned waiting;
} lines_t;

void lines_free (lines_t *self); /* nothing may wait or run any more */
/* Put it at the end of the line for its URL's scheme, host and port. 0, or E_BAD_REQUEST (URL) or E_NO_MEMORY. */
int lines_join (lines_t *self, transfer_t *transfer);
/* The next that may run now, in turn by host; NULL if none. It holds a place at its host until lines_leave. */
transfer_t *lines_next (lines_t *self);
void lines_leave (lines_t *self, transfer_t *transfer);
/* Take out a chain (by next) of those whose deadline is at or before now_ms; *earliest becomes the earliest deadline left, INT64_MAX if none. */
transfer_t *lines_expired (lines_t *self, int64_t now_ms, int64_t *earliest);

#endif
