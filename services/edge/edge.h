/* edge.h - the edge's state and its parts, shared by its files only.
 *
 * A request runs as an exchange: a chain of steps, each of which answers or parks the request on one ask (libs/web: submit and complete). Nothing
 * is kept on a stack between two steps. */
#ifndef AVIARY_EDGE_EDGE_H
#define AVIARY_EDGE_EDGE_H

#include "blob/blob.h"
#include "dialect/dialect.h"
#include "svc/svc.h"
#include "web/web.h"

#include "gen/accounts.h"
#include "gen/edge.h"

#include "buckets.h"
#include "keycache.h"
#include "keyuse.h"
#include "limits.h"
#include "route.h"
#include "speaker.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    REQUEST_ID_MAX = 128,
    TRACE_LENGTH = 55,
    STATUS_CLASSES = 6,
    IDEMPOTENCY_KEY_MAX = 255, /* characters */
    IDEMPOTENCY_KEY_SIZE = 4 * IDEMPOTENCY_KEY_MAX + 1
};

typedef struct follower follower_t;
typedef struct calls calls_t;

typedef struct edge {
    svc_t *svc;
    speaker_t speakers[SPEAKERS_MAX]; /* the first has what no other claims */
    size_t speaker_count;
    char listen[128]; /* of this replica */
    char public_url[512];
    char docs_url[512];
    size_t body_max;
    bool limits_on;
    uint32_t limit_all; /* of every bucket; 0 = as the dialect says */
    web_config_t web;
    web_server_t *server;
    key_cache_t *keys;
    key_uses_t *uses;
    int64_t uses_every_ms;
    follower_t *follower;
    calls_t *calls;
    limits_t *limits;
    buckets_t *buckets;
    uint8_t cursor_key[SIGN_KEY_SIZE]; /* of listings, the same in all edges */
    unsigned waiting_max;              /* repeats that wait for the first to end */
    atomic_uint waiting;
    uint8_t limits_key[SIGN_KEY_SIZE];
    blobs_t *media;                   /* DIR/media, shared with messaging */
    uint8_t media_key[SIGN_KEY_SIZE]; /* of signed links */
    uint32_t upload_timeout_ms;
    buf_t docs;
    pthread_mutex_t id_lock;
    id_source_t ids;
    atomic_ullong traces; /* where the sequence of trace ids is */
    uint64_t trace_mark;
    atomic_ullong answered[STATUS_CLASSES]; /* by hundreds */
} edge_t;

/* ---- an ask on its way: owned by the request and by the bus thread, see web/bridge.h ---- */

typedef struct call {
    web_call_t web; /* first */
    svc_ask_t ask;
    char target[ENVELOPE_TARGET_MAX + 1];
    char trace[TRACE_LENGTH + 1];
    char request_id[REQUEST_ID_MAX + 1];
    char subject[80];
    char route[96];
    char key[IDEMPOTENCY_KEY_SIZE];
    buf_t body;
    /* what came back; only to be read once complete */
    failure_t failure; /* code 0: answered */
    buf_t answer;
    bool by_broker; /* the failure is the broker's word */
    bool replayed;
    char first_request_id[REQUEST_ID_MAX + 1];
    calls_t *calls; /* where it goes when nobody has it any more */
    struct call *spare;
} call_t;

calls_t *calls_new (void); /* NULL: no memory */
void calls_destroy (calls_t **self);
call_t *call_new (calls_t *calls); /* NULL: no memory */
/* Sends it; the bus thread has its share from here on. */
void call_send (svc_t *svc, call_t *call, uint32_t ttl_ms);
/* For a call that was not sent. */
void call_drop (call_t *call);

/* ---- an exchange: one request and its answer ---- */

typedef struct exchange exchange_t;
/* Goes on when the ask was answered; `in_time` false: nobody answered. */
typedef web_next_t (exchange_step_t) (exchange_t *x, call_t *call, bool in_time);
typedef web_next_t (exchange_resume_t) (exchange_t *x);

struct exchange {
    edge_t *edge;
    web_request_t *web;
    arena_t *arena;
    const speaker_t *speaker;
    const dialect_t *dialect; /* the speaker's */
    const char *path;         /* of the contract, as sent */
    bool sure;                /* it is the speaker's whatever the key */
    const char *method;
    char request_id[REQUEST_ID_MAX + 1];
    char trace[TRACE_LENGTH + 1];
    id16_t own_id; /* in request_id, if the client gave none */
    int64_t began_us;
    route_match_t route;
    const schema_public_t *op; /* NULL until routed */
    uint8_t proof[SIGN_SHA256_SIZE];
    uint64_t key_epoch;
    bool known; /* `who` is set */
    key_info_t who;
    limit_state_t limit;
    bool limit_shown; /* rate-limit headers go on the answer */
    exchange_step_t *then;
    exchange_resume_t *resume; /* on a thread */
    void *in;
    void *out;   /* ask.c: of the main op, while others fill it up */
    size_t also; /* how many have */
    bytes_t packed;
    const char *idempotency_key;
    uint8_t fingerprint[SIGN_SHA256_SIZE];
    id16_t ask_id;    /* of the main ask, the same in a repeat */
    int64_t until_ms; /* monotonic: its deadline */
    bool repeated;
    bool replayed;
    const char *first_request_id; /* of what is replayed; NULL = request_id */
    bool waiting;                 /* for the first of its idempotency key: one of edge->waiting */
    int64_t wait_until_ms;
    uint8_t listing[SIGN_SHA256_SIZE]; /* page.c: what cursors are bound to */
    void *gather;                      /* probes.c */
    id16_t blob;                       /* media_upload.c, media_serve.c */
    bool blob_wanted;
    /* Called with what came of the main ask (code 0: answered), before it is told; NULL = nobody. */
    void (*settle) (exchange_t *x, call_t *call, int code);
};

exchange_t *exchange_new (edge_t *edge, web_request_t *web);
/* Runs `work` so that using too much of the request's memory ends it with E_TOO_LARGE, and a lack of it with E_NO_MEMORY. */
int exchange_guard (exchange_t *x, int (*work) (exchange_t *x, void *more), void *more);
id16_t edge_new_id (edge_t *edge);
/* From here on it is spoken so: envelope, ids, the request's own id. */
void exchange_speak (exchange_t *x, const speaker_t *speaker);
/* How ids are spelled for who asks, and what answers tell of the request. */
schema_ctx_t exchange_ctx (const exchange_t *x);

/* exchange.c: what libs/web calls */
web_next_t edge_submit (void *context, web_request_t *web);
web_next_t edge_complete (void *context, web_request_t *web, web_call_t *call, bool in_time);
web_next_t edge_resume (void *context, web_request_t *web);
/* Go on with `step` on a thread, where it may block. */
web_next_t exchange_thread (exchange_t *x, exchange_resume_t *step);
void edge_refuse (void *context, web_request_t *web, int status, const char *text);

/* auth.c: who is it; goes on with exchange_authorized. */
web_next_t auth_begin (exchange_t *x);
web_next_t exchange_authorized (exchange_t *x);
/* Counts against the peer's address; false: too many. */
bool address_take (exchange_t *x);
void address_peek (exchange_t *x);
/* Text after "Bearer ", NULL if there is no such header. */
const char *bearer_text (const exchange_t *x);
/* A minute's worth of the bucket "write" or "read" of organizations. */
uint32_t org_limit (const exchange_t *x, const char *bucket);
bool bucket_take (exchange_t *x);
void bucket_peek (exchange_t *x);

/* request.c: path, query and body into x->in and x->packed, and the idempotency key. 0 or a failure in the public names. */
int request_read (exchange_t *x, failure_t *failure);
/* Its parts, for bodies that are no JSON: an empty x->in; path, query, idempotency key and fixed values; x->packed. */
int request_begin (exchange_t *x);
int request_rest (exchange_t *x, failure_t *failure);
int request_pack (exchange_t *x, failure_t *failure);

/* page.c: after all was read, the position in the request's cursor for the core op; before an answer, the cursor of its position. 0, E_BAD_CURSOR, E_NO_MEMORY. */
int page_begin (exchange_t *x, failure_t *failure);
int page_end (exchange_t *x, void *out);

/* media_upload.c: an operation whose body is a form with a file; goes on with ask_begin. */
web_next_t upload_begin (exchange_t *x);
/* media_serve.c: /media/..., files by signed links; false: not that. */
bool media_serves (exchange_t *x, web_next_t *next);

/* ask.c: the operation's asks. */
web_next_t ask_begin (exchange_t *x);
/* A call about `op` with who asks and for whom filled in; NULL: no memory. */
call_t *ask_call (exchange_t *x, const schema_op_t *op);
web_next_t ask_park (exchange_t *x, call_t *call, uint32_t ttl_ms, exchange_step_t *then);

/* answer.c */
web_next_t answer_failure (exchange_t *x, const failure_t *failure, bool core);
web_next_t answer_fail (exchange_t *x, int code, const char *field, const char *text);
web_next_t answer_status (exchange_t *x, int status, int code, const char *text);
web_next_t answer_out (exchange_t *x, call_t *call);
/* Its parts: what an op answered as its struct (0 or E_); a struct of the operation's op as the answer. */
int answer_read (exchange_t *x, const schema_op_t *op, call_t *call, void **out);
web_next_t answer_struct (exchange_t *x, void *out);
/* Status and headers of an answer whose `length` bytes follow in pieces; `more` are further header lines, NULL-terminated. */
void answer_open (exchange_t *x, int status, const char *type, const char *const *more,
                  uint64_t length);
/* Not of the dialect: probes, docs. */
web_next_t answer_plain (exchange_t *x, int status, const char *type, bytes_t body);
/* The same with one more header line (NULL = none). */
web_next_t answer_plain_with (exchange_t *x, int status, const char *type, const char *header,
                              bytes_t body);

/* probes.c, openapi.c: what is served beside the dialect; false: not theirs. */
bool site_serves (exchange_t *x, web_next_t *next);
/* The dialect's own document, /v1/openapi.json of those that do not own the port. */
bool document_serves (exchange_t *x, web_next_t *next);
/* callback.c: /callbacks/..., where carriers call; false: not that. */
bool callback_serves (exchange_t *x, web_next_t *next);
web_next_t probe_ready (exchange_t *x);
web_next_t probe_metrics (exchange_t *x);
void metrics_merge (bytes_t text, buf_t *out);
int site_build (edge_t *edge);

/* follower.c: follows accounts, so that the cache holds nothing that was revoked. */
int follower_start (edge_t *edge);
void follower_stop (edge_t *edge);

#endif
