/* web.h - inbound HTTP: a server that hands each request to two functions, submit and complete, and takes one answer.
 *
 * Shape. `submit` looks at the request and either answers it (WEB_DONE) or sends a call to another thread (the bus) and parks the request on it
 * (web_park, WEB_WAIT). When the call is completed, or its time is over, `complete` runs and does the same again. Both run in a loop that serves many
 * connections, so neither may block or keep things on the stack between the two (web_set_data is for that). What must block, to take a large body piece by piece or to stream an
 * answer, returns WEB_THREAD and goes on in `resume`, on a thread of its own. Requests with a body above 64 KiB, in chunks, or of a client that expects a go before it sends, are on such a
 * thread from the beginning; any other body is here before submit. See bridge.h for the call and the way to the bus thread.
 *
 * Slow and silent clients. Every state that a client can keep us in has an end: silence before the first byte and slow headers (header_timeout_ms), a slow body (body_timeout_ms in all, not
 * per read), an idle kept connection (idle_timeout_ms), a client that does not take its answer (answer_timeout_ms). At the limit of connections, those that have been silent longest (over a
 * second) are closed to make room, so that any number of silent clients delays others by seconds at most.
 *
 * Plain HTTP/1.1 and 1.0 on IPv4: TLS and IPv6 are the proxy's. Signals: block those that the process handles before web_server_new, so that the server's threads inherit the mask. Starting
 * sets SIGPIPE to ignored. */
#ifndef AVIARY_WEB_WEB_H
#define AVIARY_WEB_WEB_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "web/bridge.h"

typedef struct web_server web_server_t;
typedef struct web_request web_request_t;

typedef enum web_next {
    WEB_DONE,  /* answered */
    WEB_WAIT,  /* parked on a call */
    WEB_THREAD /* resume goes on, on a thread that may block */
} web_next_t;

typedef web_next_t (web_submit_fn) (void *context, web_request_t *request);
/* `call` is the one that was parked on; if not `in_time` it may still be under way: only what this side gave it may be looked at. The server lets go
 * of this side's share of it after the return. */
typedef web_next_t (web_complete_fn) (void *context, web_request_t *request, web_call_t *call,
                                      bool in_time);
/* On a thread, after WEB_THREAD; what it parks on is waited for there, and completes there. */
typedef web_next_t (web_resume_fn) (void *context, web_request_t *request);
/* A request that never reaches submit (malformed, headers too long or too slow) or was left without an answer: give one with web_answer. Method and
 * path may be NULL. `text` is a sentence for people. */
typedef void (web_refuse_fn) (void *context, web_request_t *request, int status, const char *text);
typedef void (web_log_fn) (void *context, const char *text);

/* Other work that the first loop's thread does beside, where it would have to wake and be woken by a thread for it (a bus). All are called there. */
enum { WEB_BESIDE_FDS = 3 };
typedef struct web_beside {
    void (*begin) (void *context, int fds[WEB_BESIDE_FDS]); /* readable: there is something to do */
    bool (*arm) (void *context); /* before a sleep; false: do not sleep */
    /* `silent`: it slept, and the first descriptor was not readable. How many ms it may sleep. */
    int (*run) (void *context, bool silent);
    void (*end) (void *context);
} web_beside_t;

/* Times end with the connection; 0 in a field means the default. */
typedef struct web_config {
    const char *listen;   /* "127.0.0.1:8080", "0.0.0.0:80"; port 0 = any free one */
    unsigned connections; /* open at once; 1024. About 6 KB each once used */
    unsigned loops;       /* threads that serve them; by the processors, up to 4 */
    unsigned threads;     /* requests at once that may block; 32. Made when needed; more wait */
    /* 10 s: from accept to the end of the first request's headers; also the longest gap in a body */
    uint32_t header_timeout_ms;
    uint32_t body_timeout_ms;   /* 30 s: all of the body */
    uint32_t answer_timeout_ms; /* 30 s: the client takes the answer, or a piece of it */
    uint32_t idle_timeout_ms;   /* 15 s: a kept connection, to the end of its next headers */
    size_t headers_max;         /* 16 KiB: request line and headers */
    size_t arena_max;           /* 4 MiB: web_arena of one request */
    web_submit_fn *submit;
    web_complete_fn *complete; /* NULL if submit never parks */
    web_resume_fn *resume;     /* NULL if none asks for a thread */
    web_refuse_fn *refuse;     /* NULL = plain text */
    /* Called around some submits and completes of one loop at a time, so that what they put elsewhere can leave together. NULL = not told. */
    void (*batch) (void *context, bool begins);
    const web_beside_t
        *beside; /* NULL = nothing; with one loop alone, others have a processor for it */
    void *context;
    web_log_fn *log; /* NULL = the server's own troubles are not told */
    void *log_context;
} web_config_t;

typedef struct web_counts {
    unsigned most;        /* connections, as configured */
    unsigned connections; /* open */
    unsigned requests;    /* between headers and answer */
    uint64_t shed;        /* closed to make room, since the start */
    uint64_t timed_out;   /* closed for slowness, since the start */
} web_counts_t;

/* Listen and serve. 0, or E_BAD_REQUEST (the configuration), E_UNAVAILABLE (address in use or not allowed), E_NO_MEMORY; *out untouched then. */
int web_server_new (const web_config_t *config, web_server_t **out, failure_t *failure);
/* Stop: nobody listens any more; kept connections are closed when they are silent, what came on them before that is served. Requests under way
 * have until `deadline_ms` from now; those still parked then are completed with in_time false. Returns when all threads have ended. True if every request ended by itself. */
bool web_server_stop (web_server_t *self, uint32_t deadline_ms);
/* Free; stops with no grace if web_server_stop was not called. */
void web_server_destroy (web_server_t **self);
uint16_t web_server_port (const web_server_t *self);
web_counts_t web_server_counts (web_server_t *self);

/* ---- the request: borrowed, valid until its answer's function returns WEB_DONE ---- */

const char *web_method (const web_request_t *self);
/* The path as sent, percent-encoding kept, beginning with "/" ("*" for OPTIONS *). */
const char *web_raw_path (const web_request_t *self);
/* Decoded, in web_arena; NULL if an escape is malformed, or decodes to NUL or invalid UTF-8. "." and ".." are kept: they are no folders here. */
const char *web_path (web_request_t *self);
/* After the "?", as sent; "" if none. */
const char *web_query (const web_request_t *self);
/* First header of that name, case ignored; NULL if none. */
const char *web_header (const web_request_t *self, const char *name);
/* In order of sending; false past the last. */
bool web_header_at (const web_request_t *self, size_t index, const char **name, const char **value);
/* The peer's IPv4 address as text: the proxy's, if there is one. */
const char *web_remote (const web_request_t *self);
/* Of the body, -1 if sent in chunks, 0 if none. */
int64_t web_body_length (const web_request_t *self);
/* Read the whole body, at most `limit` bytes; valid as long as the request, and a NUL follows it. 0, or the status to answer with: 413 longer, 408 too slow,
 * 400 malformed or cut. A second call gives the same. */
int web_body (web_request_t *self, size_t limit, bytes_t *out);
/* For uploads: the next piece, without a limit but the time. Bytes read (> 0), 0 at the end, or minus the status as above. */
long web_body_piece (web_request_t *self, void *out, size_t size);

/* This request's body may take so long in all, in place of body_timeout_ms. Before its first piece. */
void web_body_allow (web_request_t *self, uint32_t timeout_ms);

arena_t *web_arena (web_request_t *self); /* the request's own memory; reset after the answer */
/* An empty buffer on the heap, for the text of an answer; the same at each call, and the next request's after this one. NULL without memory. */
buf_t *web_text (web_request_t *self);
void web_set_data (web_request_t *self, void *data);
void *web_data (const web_request_t *self);

/* Before returning WEB_WAIT: wait for this call, at most timeout_ms. The server takes over the caller's share of it. */
void web_park (web_request_t *self, web_call_t *call, uint32_t timeout_ms);

/* ---- the answer: one per request ---- */

/* `headers` are "Name: value" lines, NULL-terminated or NULL; lines with control characters are left out. Content-Length, Connection and Date are
 * added. The bytes are copied or written before it returns. HEAD gets no body. A second answer is ignored. */
void web_answer (web_request_t *self, int status, const char *const *headers, bytes_t body);
/* For downloads, on a thread (in a loop what the client is slow to take is kept in memory): status and headers first, then exactly `length` bytes in pieces. web_answer_piece is false when the client is gone. */
void web_answer_begin (web_request_t *self, int status, const char *const *headers,
                       uint64_t length);
bool web_answer_piece (web_request_t *self, const void *data, size_t size);
bool web_answered (const web_request_t *self);
/* Close the connection after this answer. */
void web_close_after (web_request_t *self);
/* In place of an answer: close the connection without a byte (simulated faults). */
void web_drop (web_request_t *self);

/* ---- query strings and forms ---- */

/* Step through "a=1&b=x%20y" (also application/x-www-form-urlencoded bodies): true and the next pair decoded ("+" is a space), or false at the end or
 * with *malformed set. Start with *at = text; empty pairs are skipped; a name without "=" has the value "". */
bool web_pair_next (arena_t *arena, const char **at, const char **name, const char **value,
                    bool *malformed);

#endif
