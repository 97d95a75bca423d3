/* sim.h - the simulator's state, and what its files share.
 *
 * One lock guards everything in sim_t. HTTP threads (libs/web) take it for each request, the callback thread (callbacks.c) for each callback; nothing
 * blocks under it. Handlers run under the lock with a request that is all there, and fill an answer. */
#ifndef AVIARY_SIM_SIM_H
#define AVIARY_SIM_SIM_H

#include "alloc.h"
#include "form.h"
#include "json.h"
#include "rules.h"
#include "table.h"

#include "web/web.h"

#include <pthread.h>

typedef struct sim sim_t;
typedef struct callbacks callbacks_t;

/* ---- settings: flags at the start, PUT /_sim/settings later; one table in settings.c ---- */

typedef enum window_mode {
    WINDOW_CALLBACK, /* 200, then a failed status with 131047: what Meta does */
    WINDOW_ANSWER,   /* 400 with 131047 at once */
    WINDOW_OFF
} window_mode_t;

typedef struct settings {
    char *public_url; /* NULL = the request's Host */
    char *meta_token; /* NULL = any token will do */
    char *meta_app_id;
    char *meta_app_secret;
    char *meta_verify_token;
    char *meta_callback; /* of the app; numbers and WABAs may override it */
    char *telnyx_key;    /* NULL = any key will do */
    char *telnyx_seed;   /* hex of 32 bytes */
    char *telnyx_callback;
    int64_t callback_delay_ms; /* first status; the others come after twice and four times this */
    bool read_receipts;
    char *window; /* callback, answer, off */
    int64_t template_review_ms;
    int64_t order_ms;
    int64_t media_url_ms;
    int64_t callback_timeout_ms;
    int64_t callback_retry_ms; /* first gap, doubled each time */
    int64_t callback_attempts;
    int64_t throughput_per_second; /* of one WhatsApp number; 0 = no limit */
    int64_t pair_burst;            /* to one person; 0 = no limit */
    int64_t pair_interval_ms;
    bool suffix_faults;
    bool fetch_media; /* Telnyx fetches media_urls before it sends */
} settings_t;

/* ---- one exchange ---- */

typedef struct sim_request {
    web_request_t *web;
    arena_t *arena;
    provider_t provider;
    const char *method;
    const char *path;    /* decoded, as sent */
    const char *rest;    /* behind "/v23.0", "/v2" or "/_sim"; begins with "/" */
    const char *version; /* "v23.0"; "" without */
    const char *query;
    const char *content_type; /* "" if absent */
    bytes_t body;
    bool body_is_json;
    cJSON *json; /* JSON body, or the fields of a form as texts; NULL if neither */
    form_t form;
    const char *params[4]; /* what {} in the route's pattern stands for */
    const char *base_url;  /* ours, as the client sees it */
    const char *token;     /* bearer token or access_token; NULL if none */
    char **to;             /* recipients of a send, digits only; to_count 0 = not a send */
    size_t to_count;
    rule_action_t action; /* of the rule that matched */
    const char *rule_to;  /* the rule was for one recipient: its pattern; else NULL */
} sim_request_t;

typedef struct sim_wait sim_wait_t;
typedef struct sim_answer sim_answer_t;
/* Runs under the lock when the callback waited for was answered (`wait` holds how) or 40 s are over (wait NULL). */
typedef void (sim_finish_fn) (sim_t *sim, sim_request_t *request, const sim_wait_t *wait,
                              sim_answer_t *answer);

/* Bytes shared by a table and by answers under way. */
typedef struct blob {
    _Atomic unsigned shares;
    size_t size;
    uint8_t *data;
} blob_t;
blob_t *blob_new (bytes_t bytes);
blob_t *blob_share (blob_t *self);
void blob_release (blob_t *self);

struct sim_answer {
    int status;
    cJSON *json;              /* owned */
    blob_t *blob;             /* instead of json */
    const char *content_type; /* of the blob */
    const char *headers[4];   /* more, NULL-terminated */
    sim_wait_t *wait;         /* park on this; then finish fills the answer */
    sim_finish_fn *finish;
    void *data; /* the handler's, for finish; in the request's arena */
};

typedef void (sim_handler_fn) (sim_t *sim, sim_request_t *request, sim_answer_t *answer);

typedef struct sim_route {
    const char *method;
    const char *pattern; /* "/{}/messages" */
    sim_handler_fn *handler;
} sim_route_t;

/* Does the path fit? Fills params with what {} stood for, in the arena. */
bool route_match (arena_t *arena, const char *pattern, const char *path, const char *params[4]);
/* Query or, for what is not there, form field; NULL if absent. */
const char *request_query (const sim_request_t *self, const char *name);
const char *request_field (const sim_request_t *self, const char *name);
/* Answer with this JSON (owned from now on). */
void answer_json (sim_answer_t *answer, int status, cJSON *json);

/* ---- the state ---- */

struct sim {
    pthread_mutex_t lock;
    settings_t settings;
    char *base_url;
    bool loopback_only;
    char *seed; /* of made-up ids */
    uint64_t counter;
    int64_t clock_offset_ms;
    uint8_t telnyx_public[32];
    uint8_t telnyx_secret[64];
    callbacks_t *callbacks;

    table_t *requests; /* by number: what clients of the provider APIs asked */
    size_t requests_bytes;
    int64_t request_last;
    rules_t rules;

    table_t *meta_numbers;   /* phone_number_id -> meta_number_t */
    table_t *meta_accounts;  /* WABA id -> meta_account_t */
    table_t *meta_templates; /* id -> meta_template_t */
    table_t *meta_messages;  /* wamid -> meta_seen_t */
    table_t *meta_windows;   /* "number|person" -> int64_t, last inbound */
    table_t *meta_buckets;   /* "number" or "number|person" -> bucket */
    table_t *meta_tokens;    /* from the code exchange -> "" */
    table_t *media;          /* id -> media_t */
    size_t media_bytes;
    table_t *uploads; /* resumable: id -> upload_t */

    table_t *telnyx_numbers;  /* E.164 -> cJSON */
    table_t *telnyx_profiles; /* id -> cJSON */
    table_t *telnyx_messages; /* id -> telnyx_message_t */
    table_t *telnyx_orders;   /* id -> cJSON */
    table_t *telnyx_searched; /* E.164 -> "" */
    table_t *telnyx_opt_outs; /* "profile|E.164" -> "" */
};

sim_t *sim_new (void);
void sim_destroy (sim_t **self);
int64_t sim_now_ms (const sim_t *self); /* wall time, with the simulator's own offset */
/* Made-up ids: the same in the same order for the same seed. */
void sim_random (sim_t *self, void *out, size_t size);
void sim_uuid (sim_t *self, char out[37]);
void sim_digits (sim_t *self, char *out,
                 size_t length); /* at most 32; the first is not 0; adds the NUL */

/* ---- settings.c ---- */
void settings_init (settings_t *self);
void settings_free (settings_t *self);
/* Set one from text (a flag). 0, -1 no such setting, -2 bad value. */
int settings_set (settings_t *self, const char *name, const char *value);
/* Set from JSON; NULL, or the name of the offending member (nothing was changed then). */
const char *settings_merge (settings_t *self, const cJSON *in);
cJSON *settings_show (const settings_t *self);
const char *settings_doc (size_t index, const char **name); /* NULL past the last */
window_mode_t settings_window (const settings_t *self);
/* Keys that follow from the seed. False if it is not 64 hex digits. */
bool sim_keys_derive (sim_t *self);

/* ---- http.c ---- */
web_next_t sim_submit (void *context, web_request_t *web);
web_next_t sim_complete (void *context, web_request_t *web, web_call_t *call, bool in_time);

/* ---- requests.c: the log of what was asked ---- */
int64_t requests_add (sim_t *self, const sim_request_t *request, int answered_status);
void requests_answered (sim_t *self, int64_t id, int status);
cJSON *requests_list (sim_t *self, const char *provider, const char *to, const char *path);
void requests_free_entry (void *entry);

/* Digits of a phone number, at most 20, without "+" and punctuation; other texts as they are. */
void digits_of (const char *number, char *out, size_t size);

extern const sim_route_t meta_routes[];
extern const sim_route_t telnyx_routes[];
extern const sim_route_t control_routes[];

#endif
