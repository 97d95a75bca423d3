/* dialect.h - the public APIs as dialects of one core: how a dialect spells ids, errors and events.
 *
 * A dialect is generated tables (schema_dialect_t: operations, views, error looks, buckets, event rows) and the few functions that
 * tables cannot say. The edge uses it for HTTP, webhooks for payloads; services know none. */
#ifndef AVIARY_DIALECT_DIALECT_H
#define AVIARY_DIALECT_DIALECT_H

#include "schema/schema.h"
#include "svc/turn.h"

#include "gen/messaging.h"

typedef struct dialect dialect_t;

extern const dialect_t dialect_chirp;
extern const dialect_t dialect_kirim;

/* All of them; the first is the one of records from before there were several. */
extern const dialect_t *const dialect_all[];
extern const size_t dialect_count;
/* By name; NULL = the first. NULL if there is none of this name. */
const dialect_t *dialect_find (const char *name);

/* The dialect's name of a core event ("messages.sms.sent"), NULL if it shows no such thing. `body` is the decoded struct of event->event->type. */
const char *dialect_event_name (const dialect_t *d, const journal_event_t *event, const void *body);
/* The payload for one app into *out (appended), and the id of the occurrence, the same for every app and attempt. `now` is told as the time the webhook
 * was built; `public_url` is where our docs are. 0, E_NOT_FOUND if the dialect has no such event, E_NO_MEMORY. */
int dialect_event_render (const dialect_t *d, const journal_event_t *event, const void *body,
                          const messaging_app_ref_t *app, const char *public_url, int64_t now,
                          char event_id[64], buf_t *out);
/* How an event is rendered. Zero-initialised but for what is known. */
typedef struct dialect_how {
    const messaging_app_ref_t *app; /* NULL: for the whole organization */
    const char *public_url;         /* where our docs are; NULL = nowhere */
    int64_t now;
    bool status_in_event_id; /* where the id is the carrier's id of a message: append :STATUS */
    bool extras;             /* an object of ours in bodies that are relayed from the carrier */
} dialect_how_t;

enum { DIALECT_EVENT_ID_SIZE = 256 };

typedef struct dialect_rendered {
    char event_id[DIALECT_EVENT_ID_SIZE]; /* of the occurrence, the same for every attempt */
    size_t mark; /* in the body: where a delivery's own id goes (dialect_marked); 0 = nowhere */
} dialect_rendered_t;

/* As dialect_event_render, with all that may be said of how. */
int dialect_event_render_how (const dialect_t *d, const journal_event_t *event, const void *body,
                              const dialect_how_t *how, dialect_rendered_t *rendered, buf_t *out);
/* The body of one delivery: with its id where `mark` says. In the arena if it differs; size 0 without memory. */
bytes_t dialect_marked (const dialect_t *d, arena_t *arena, bytes_t body, size_t mark,
                        id16_t delivery);
/* Is it a name that webhooks may subscribe to (whether or not it comes from here already). */
bool dialect_event_known (const dialect_t *d, const char *name);
/* All of them, NULL-terminated. */
const char *const *dialect_event_names (const dialect_t *d);

/* ---- deliveries of webhooks ---- */

/* Whose are webhooks: they hear of what happens to the holder. */
typedef enum dialect_holder { HOLDER_APP, HOLDER_ORG } dialect_holder_t;

/* One attempt, for its headers. */
typedef struct dialect_sending {
    const char *event; /* name */
    const char *event_id;
    id16_t delivery;
    uint32_t attempt; /* 1 = the first */
    int64_t timestamp_s;
    bytes_t body;
    const char *const *secrets; /* all that sign */
    size_t secret_count;
} dialect_sending_t;

enum { DIALECT_HEADERS_MAX = 8 };

/* Lines "Name: value", in the arena; there is room for DIALECT_HEADERS_MAX more. */
typedef struct dialect_headers {
    arena_t *arena;
    const char **items;
    size_t count;
} dialect_headers_t;

void dialect_header_add (dialect_headers_t *self, const char *name, const char *value);
void dialect_header_add_number (dialect_headers_t *self, const char *name, int64_t value);

typedef struct dialect_delivery {
    dialect_holder_t holder;
    const char *schedule;  /* waits before retries, "10s,30s"; NULL = the installation's setting */
    uint32_t timeout_ms;   /* of an attempt; 0 = the installation's setting */
    size_t answer_kept;    /* bytes of a receiver's answer that the log shows */
    bool refusal_is_final; /* 4xx other than 408 and 429 is not tried again */
    bool tells_retrying;   /* the log tells deliveries with a failed attempt from untried ones */
    bool breaker; /* failures in a row hold deliveries back; else they only narrow the way */
    const char *id_prefix, *subscription_prefix;            /* of ids in the log */
    const char *(*subject_prefix) (const char *event_name); /* of what the event is about */
    void (*secret_make) (char out[64]);                     /* a new signing secret */
    /* 0, or E_BAD_REQUEST (a secret that cannot sign), E_NO_MEMORY. */
    int (*headers) (const dialect_sending_t *sending, dialect_headers_t *out);
} dialect_delivery_t;

/* ---- for HTTP ---- */

typedef enum dialect_scope { SCOPE_KEY, SCOPE_ORG } dialect_scope_t;

/* How ids are read and written for a caller of this mode; everything else zero. */
schema_ctx_t dialect_ctx (const dialect_t *d, bool test);

/* Where an error comes from, for its rendering. Zero-initialised: from nowhere in particular. */
typedef struct dialect_blame {
    const schema_public_t *op; /* its views give the field's public name; may be NULL */
    bool core; /* the failure's field is a name of the core op's `in`, not of the public request */
    const char *docs_url; /* "https://host/docs"; NULL = no doc_url */
    int status;           /* said by the HTTP layer; 0 = by the dialect's table */
    const messaging_provider_error_t *provider; /* or NULL */
    const char *request_id; /* of dialects that tell it in bodies; NULL = unknown */
} dialect_blame_t;

/* The error's body, appended. Returns the HTTP status. */
int dialect_error_render (const dialect_t *d, const failure_t *failure,
                          const dialect_blame_t *blame, buf_t *out);
/* The name that the client used of a field of the core op's `in`: "number_id" -> "phoneNumberId"; "to[0]" stays. What the client cannot say is "". */
void dialect_field_name (const schema_public_t *op, const char *core, char out[FAILURE_FIELD_SIZE]);
/* SHA-256 of method, contract path and the body's canonical JSON (of its bytes, if it is none). 0 or E_NO_MEMORY. */
int dialect_fingerprint (const char *method, const char *path, bytes_t body, uint8_t out[32]);
/* Bits by error code of what is no outcome to be repeated: where the request may be tried again. */
void dialect_forgets (const dialect_t *d, uint8_t out[IDEM_FORGETS / 8]);
/* The HTTP status of a core error. */
int dialect_error_status (const dialect_t *d, int code);
/* An id for a request that brought none: "req_<ksuid>". */
void dialect_request_id (const dialect_t *d, id16_t id, char out[64]);

struct dialect {
    const char *name; /* "chirp" */
    const schema_dialect_t *schema;
    const char *idempotency_header; /* "Idempotency-Key" */
    dialect_scope_t scope;          /* whose are idempotency keys */
    /* How long a repeat waits for the first to end, in the edge; 0 = as the services do, and then the route is part of whose keys they are, the fingerprint is of what was read,
     * and failures are kept by their class. Else keys are any text, the fingerprint is of method, contract path and canonical body, and what is forgotten goes by status. */
    uint32_t idempotency_wait_ms;
    const char *root;       /* of the contract's paths: "/v1" */
    const char *key_prefix; /* of its API keys; NULL = any that no other dialect has */
    bool digits_first;      /* its paths may begin with a number */
    bool
        id_forms; /* an id in a path that has not the form is a bad request, not a thing that is not there */
    bool own_request_ids; /* whatever the client sent */
    bool
        org_buckets; /* rate limits are an organization's: buckets "write" and "read", refilled continuously */
    const char *auth_scheme;   /* "Bearer" */
    const char *const *events; /* names that may be subscribed to, NULL-terminated */
    int (*id_read) (const char *prefix, const char *text, size_t length, id16_t *out, bool *test);
    void (*id_write) (const char *prefix, bool test, id16_t id, char out[64]);
    void (*request_id) (id16_t id, char out[64]);
    int (*error_render) (const dialect_t *d, const failure_t *failure, const dialect_blame_t *blame,
                         buf_t *out);
    int (*event_render) (const dialect_t *d, const schema_public_event_t *row,
                         const journal_event_t *event, const void *body, const dialect_how_t *how,
                         dialect_rendered_t *rendered, buf_t *out);
    const dialect_delivery_t *delivery;
};

#endif
