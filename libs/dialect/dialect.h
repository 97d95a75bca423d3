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

/* The dialect's name of a core event ("messages.sms.sent"), NULL if it shows no such thing. `body` is the decoded struct of event->event->type. */
const char *dialect_event_name (const dialect_t *d, const journal_event_t *event, const void *body);
/* The payload for one app into *out (appended), and the id of the occurrence, the same for every app and attempt. `now` is told as the time the webhook
 * was built; `public_url` is where our docs are. 0, E_NOT_FOUND if the dialect has no such event, E_NO_MEMORY. */
int dialect_event_render (const dialect_t *d, const journal_event_t *event, const void *body,
                          const messaging_app_ref_t *app, const char *public_url, int64_t now,
                          char event_id[64], buf_t *out);
/* Is it a name that webhooks may subscribe to (whether or not it comes from here already). */
bool dialect_event_known (const dialect_t *d, const char *name);
/* All of them, NULL-terminated. */
const char *const *dialect_event_names (const dialect_t *d);

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
                         const journal_event_t *event, const void *body,
                         const messaging_app_ref_t *app, const char *public_url, int64_t now,
                         char event_id[64], buf_t *out);
};

#endif
