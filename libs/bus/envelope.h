/* envelope.h - what travels on the bus: two frames, a header that the broker reads and a body that it does not.
 *
 * The header is a msgpack array; the body a msgpack map (schema_pack of the op's in or out type), at most ENVELOPE_BODY_MAX bytes.
 * Reading trusts nothing: a header that does not fit is E_BAD_REQUEST with the field. */
#ifndef AVIARY_BUS_ENVELOPE_H
#define AVIARY_BUS_ENVELOPE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"

/* A callback of Meta has up to 3 MB. */
enum { ENVELOPE_VERSION = 1, ENVELOPE_BODY_MAX = 4 << 20, ENVELOPE_HEADER_MAX = 4096 };

typedef enum envelope_kind {
    ENV_ASK = 1,     /* request for target "service.op" */
    ENV_ANSWER = 2,  /* id = the ask's id; body = the op's out */
    ENV_FAILURE = 3, /* id = the ask's id; body = packed failure_t (envelope_failure_*) */
    ENV_HELLO = 4,   /* peer -> broker: registers; body = hello */
    ENV_WELCOME = 5, /* broker -> peer: body = incarnation of the broker */
    ENV_BEAT = 6,    /* both ways, every 100 ms; from a peer: owner flag, ready flag, reason */
    ENV_CREDIT = 7,  /* peer -> broker: `count` more asks may come */
    ENV_BYE =
        8 /* peer -> broker: draining, send no more asks; broker -> peer: I do not know you, say hello */
} envelope_kind_t;

typedef enum principal_kind {
    PRINCIPAL_NONE = 0,
    PRINCIPAL_APP_KEY = 1,
    PRINCIPAL_ADMIN_KEY = 2,
    PRINCIPAL_SERVICE = 3,
    PRINCIPAL_CLI = 4,
    PRINCIPAL_ORG_KEY = 5 /* of a dialect that knows no apps */
} principal_kind_t;

/* The idempotency fields of a keyed ask; key NULL = none. */
typedef struct idempotency {
    const char *dialect;     /* "chirp" */
    id16_t scope;            /* API key (Chirp) or organization */
    const char *route;       /* "POST /v1/sms" */
    const char *key;         /* as the client sent it, 1 to 255 characters */
    uint8_t fingerprint[32]; /* SHA-256 of the canonical request body */
    const char *request_id;  /* of the first request, told in replays */
    uint32_t wait_ms;        /* for the first to end; 0 = as the house does, IDEM_WAIT_NOT = not */
    const uint8_t *
        forgets; /* IDEM_FORGETS bits by error code: these are no outcomes; NULL = by their class */
} idempotency_t;

enum { IDEM_WAIT_NOT = 1, IDEM_FORGETS = 256 };

typedef struct envelope {
    envelope_kind_t kind;
    id16_t id;          /* of the ask; a repeat has the same */
    const char *target; /* "messaging.sms_send"; "" where there is none */
    const char *sender; /* service name as registered; set by the broker on what it forwards */
    uint32_t
        ttl_ms; /* time left until the deadline when sent; the broker takes off what it kept it */
    id16_t org; /* tenant; nil = none */
    principal_kind_t principal;
    id16_t principal_id;    /* key id */
    id16_t app;             /* nil for admin keys */
    bool test;              /* the app is a test app */
    const char *subject;    /* record or number the ask is about, for tap filters; may be NULL */
    const char *trace;      /* W3C traceparent; may be NULL */
    const char *request_id; /* HTTP request id; may be NULL */
    idempotency_t idem;
    uint32_t count;               /* ENV_CREDIT */
    bool replayed;                /* ENV_ANSWER, ENV_FAILURE: came from the idempotency record */
    const char *first_request_id; /* with replayed */
} envelope_t;

enum { ENVELOPE_TARGET_MAX = 128, ENVELOPE_NAME_MAX = 32 };

void envelope_write (const envelope_t *in, buf_t *out);
/* Strings are copied to the arena; target and sender are "" when absent, all others NULL. */
int envelope_read (bytes_t header, arena_t *arena, envelope_t *out, failure_t *failure);
void envelope_failure_write (const failure_t *in, buf_t *out);
int envelope_failure_read (bytes_t body, failure_t *out); /* E_BAD_REQUEST if it is none */

/* What routing needs of a header, read in one pass without allocating. The views borrow from the header's bytes; what stands
 * behind them is only checked for being msgpack. */
typedef struct envelope_route {
    envelope_kind_t kind;
    id16_t id;
    bytes_t target;
    bytes_t sender;
    uint32_t ttl_ms;
    id16_t org;
    uint32_t count;
    bytes_t rest; /* the packed fields that follow */
    uint32_t rest_count;
} envelope_route_t;

int envelope_route_read (bytes_t header, envelope_route_t *out, failure_t *failure);
/* As that, without a look at what stands behind: for who reads that with envelope_rest_read. */
int envelope_route_peek (bytes_t header, envelope_route_t *out, failure_t *failure);
int envelope_rest_read (const envelope_route_t *route, arena_t *arena, envelope_t *out,
                        failure_t *failure);
/* Two of the fields behind: a look for who forwards the ask. Empty where there is none. */
void envelope_route_about (const envelope_route_t *in, bytes_t *subject, bytes_t *trace);
/* The same header with another sender and another time left. */
void envelope_route_write (const envelope_route_t *in, bytes_t sender, uint32_t ttl_ms, buf_t *out);

/* "messaging.sms_send" or "messaging#2.sms_send", taken apart. */
typedef struct envelope_target {
    bytes_t service;
    bytes_t op;
    bool addressed; /* to the one replica `replica` */
    uint32_t replica;
} envelope_target_t;

bool envelope_target_read (bytes_t target,
                           envelope_target_t *out); /* false and *out untouched if it is none */
/* A service name: a lower-case letter, then lower-case letters, digits, '_' and '-'; at most ENVELOPE_NAME_MAX bytes. */
bool envelope_name_is (bytes_t name);

#endif
