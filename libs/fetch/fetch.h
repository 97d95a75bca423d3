/* fetch.h - outbound HTTP: many transfers on one thread (curl multi), behind one guard.
 *
 * The guard checks the address that is really dialled (after name resolution, at each connect): loopback, private, link-local, CGNAT, multicast,
 * metadata, v4-mapped and NAT64 forms unwrapped. Link-local, metadata and multicast addresses are never dialled, guarded or not; others that are
 * not public only by `allow`. No redirects, no proxy from the environment, no netrc, no cookies, only https (and http with `allow_http`), HTTP/1.1.
 * Name resolution is bounded by the transfer's own timeout.
 *
 * A kept connection may be closed by the server just as a request is written to it. curl would then send the request again by itself; here that
 * happens only (once) for requests that may be repeated: the methods GET, HEAD, OPTIONS, PUT and DELETE, and guarded ones (webhooks, which carry a
 * delivery id). An unguarded POST or PATCH ends as FETCH_SENT instead, so nothing is ever sent twice behind the caller's back.
 *
 * A fetch belongs to one thread. Transfers above `connections` and `per_host` wait in lines by host, so a slow host holds up only itself; the time in
 * line counts towards timeout_ms. */
#ifndef AVIARY_FETCH_FETCH_H
#define AVIARY_FETCH_FETCH_H

#include "base/buf.h"
#include "base/err.h"
#include "blob/blob.h"
#include "schema/schema.h"

typedef struct fetch fetch_t;

/* Networks that are allowed though private: parsed from "127.0.0.0/8,10.0.0.0/8,::1/128". Copied into the fetch. */
typedef struct fetch_config {
    const char *allow;      /* CIDR list or NULL */
    bool allow_http;        /* plain http targets */
    unsigned connections;   /* most at once in all; 0 = 256 */
    unsigned per_host;      /* most at once to one host; 0 = 32 */
    const char *user_agent; /* NULL = none is sent */
} fetch_config_t;

typedef enum fetch_stage {
    FETCH_NOT_SENT, /* failed before a byte of the request left: a repeat is safe */
    FETCH_SENT,     /* something left, no complete answer came: outcome unknown */
    FETCH_ANSWERED  /* a complete answer with a status came */
} fetch_stage_t;

typedef struct fetch_request {
    const char *method; /* "POST" */
    const char *url;
    const char *const *headers; /* "Name: value", NULL-terminated */
    bytes_t body;
    uint32_t timeout_ms; /* fetch_start to end of the answer's body; 0 = 30 s */
    size_t answer_max;   /* bytes of the body kept, the rest is dropped; 0 = 64 KiB */
    bool guarded;        /* customer-given URL; false for configured provider base URLs */

    /* ---- a body that is partly a file (NULL = none): `body`, then `body_file_size` bytes of this file from `body_file_offset`, then `body_tail`. The file is read
     * piece by piece as it is sent; one that is not there or is shorter ends as FETCH_NOT_SENT with
     * E_NOT_FOUND. Such requests have a Content-Length. */
    const char *body_file;
    uint64_t body_file_offset;
    uint64_t body_file_size;
    bytes_t body_tail;

    /* ---- where the body of a 2xx answer goes (others stay in memory, cut at answer_max) */
    uint64_t
        answer_limit; /* 0 = none; else the body is not kept in memory, and one longer than this is E_MEDIA_TOO_LARGE (FETCH_ANSWERED, with the status) */
    blobs_t *
        answer_blobs; /* NULL = the body is only counted; else it becomes a pending blob `answer_blob` there. Must outlive the fetch. Needs answer_limit */
    id16_t answer_blob;
} fetch_request_t;

/* What came of an answer's body that was streamed. */
typedef struct fetch_file {
    id16_t blob; /* pending in answer_blobs; nil if it was only counted */
    uint64_t size;
    blob_seen_t seen; /* of a blob */
    uint8_t sha256[BLOB_SHA256_SIZE];
} fetch_file_t;

typedef struct fetch_answer {
    fetch_stage_t stage;
    int status; /* HTTP status, 0 if not answered */
    /* 0, or E_BLOCKED_TARGET, E_TIMEOUT, E_UNAVAILABLE (connect, DNS, TLS, reset), E_NO_MEMORY, with
     * FETCH_NOT_SENT also E_BAD_REQUEST (URL, method or header), with files also E_NOT_FOUND, E_IO, E_DISK_LOW, E_MEDIA_TOO_LARGE. */
    int code;
    const char *reason;  /* short text for people, no secrets; valid during the callback */
    const char *headers; /* raw header lines, valid during the callback */
    bytes_t body;        /* valid during the callback */
    bool truncated;      /* the body was longer than answer_max */
    const fetch_file_t *
        file; /* a 2xx answer's body where answer_limit was given and all of it came; else NULL. Valid during the callback */
    int64_t retry_after_ms; /* from Retry-After (seconds or date), 0 = none */
    uint32_t duration_ms;   /* from leaving the line to the end */
    char address[64];       /* that was dialled last, an IP literal; "" if none was */
} fetch_answer_t;

typedef void (fetch_done_fn) (void *context, const fetch_answer_t *answer);

/* 0, or E_BAD_REQUEST (the allow list) or E_NO_MEMORY with *out untouched. */
int fetch_new (const fetch_config_t *config, fetch_t **out, failure_t *failure);
/* Transfers under way end with E_UNAVAILABLE, stage as it is, and their callbacks are called. Not from inside a callback. */
void fetch_destroy (fetch_t **self);
/* Everything in *request is copied. The callback comes from fetch_work (or fetch_destroy) on the same thread, exactly once; it may start more. */
void fetch_start (fetch_t *self, const fetch_request_t *request, fetch_done_fn *done,
                  void *context);
/* Wait up to timeout_ms for something to do (also for `wake_fd`, -1 = none, readable) and do it. */
void fetch_work (fetch_t *self, int timeout_ms, int wake_fd);
/* Started and not yet called back, those in line included. */
unsigned fetch_running (const fetch_t *self);
/* The value of the answer's header `name` (first of that name, case ignored), without blanks around it; borrowed. False if there is none. */
bool fetch_header (const fetch_answer_t *answer, const char *name, bytes_t *out);

/* Check of a URL as text, when a customer gives it: scheme, host, no userinfo, port, no literal blocked address. 0, or E_BAD_REQUEST / E_BLOCKED_TARGET with text. */
int fetch_check_url (const fetch_config_t *config, const char *url, failure_t *failure);

#endif
