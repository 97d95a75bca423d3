/* meta.h - Meta's Graph API: state and functions that its files share. Shapes: spec/providers/meta-cloud-api.md. */
#ifndef AVIARY_SIM_META_H
#define AVIARY_SIM_META_H

#include "sim.h"

#include <stdarg.h>

/* ---- meta_error.c ---- */
/* Title and HTTP status of a code; false (and "Unknown error", 400) if it is not in the table. */
bool meta_code_find (int code, const char **title, int *status);
/* The error envelope; `details` may be NULL. */
void meta_error (sim_answer_t *answer, int code, const char *details, ...)
    __attribute__ ((format (printf, 3, 4)));
void meta_error_full (sim_answer_t *answer, int status, int code, int subcode, const char *title,
                      const char *details);
/* An element of a callback's `errors`; `details` NULL = the table's words. */
cJSON *meta_error_element (int code, const char *details);
void meta_refuse (const rule_action_t *action, sim_answer_t *answer);
void meta_unknown_path (sim_t *sim, sim_request_t *request, sim_answer_t *answer);
/* "Object with ID '...' does not exist". */
void meta_unknown_object (sim_answer_t *answer, const char *id);
bool meta_authorize (sim_t *sim, sim_request_t *request, sim_answer_t *answer);

/* ---- accounts and numbers (meta_accounts.c, meta_numbers.c) ---- */

typedef struct meta_account {
    char id[32];
    char *name;
    bool subscribed;
    char *override_url;
    char *override_token;
} meta_account_t;

typedef struct meta_number {
    char id[32];
    char account[32];
    char digits[24]; /* of display_phone_number */
    cJSON *node;     /* what Graph shows */
    cJSON *profile;
    cJSON *settings;
    char *pin;
    char *override_url;
    char *override_token;
} meta_number_t;

void meta_account_free (void *value);
void meta_number_free (void *value);
/* Made with the sample template hello_world if it is not there. */
meta_account_t *meta_account_need (sim_t *sim, const char *id);
/* Add or change a number from {phone_number_id, waba_id, display_phone_number, ...}; NULL, or the offending member. */
const char *meta_number_put (sim_t *sim, const cJSON *in);
cJSON *meta_number_show (const meta_number_t *self); /* with phone_number_id and waba_id */
/* The number of the path's first {}; NULL after answering that it is not there. */
meta_number_t *meta_number_of (sim_t *sim, sim_request_t *request, sim_answer_t *answer);
meta_account_t *meta_account_of (sim_t *sim, sim_request_t *request, sim_answer_t *answer);
meta_number_t *meta_number_by_digits (sim_t *sim, const char *number);
void meta_paged (sim_request_t *request, sim_answer_t *answer, cJSON *items);

/* ---- callbacks (meta_frames.c) ---- */

/* Where callbacks of this number go: number, then account, then app; NULL if nobody listens. `number` may be NULL. */
const char *meta_callback_url (const sim_t *sim, const meta_account_t *account,
                               const meta_number_t *number);
/* value {messaging_product, metadata}. */
cJSON *meta_value (const meta_number_t *number);
/* The whole callback as text, `value` used up; with `time` for management fields. */
char *meta_frame (const sim_t *sim, const char *account, const char *field, cJSON *value,
                  bool with_time);
/* {profile, wa_id, user_id} */
cJSON *meta_contact (const char *wa_id, const char *name);
void meta_user_id (const char *wa_id, char out[40]);
void meta_wamid (sim_t *sim, const char *wa_id, bool inbound, char out[128]);
/* Post one callback of an account (templates and the like). */
void meta_notify (sim_t *sim, const meta_account_t *account, const char *field, cJSON *value);

/* ---- messages ---- */

typedef struct meta_seen {
    char number[32];
    char wa_id[24];
    bool inbound;
    bool read;
} meta_seen_t;

/* What a check found wrong; code 0 = nothing. */
typedef struct check {
    int code;
    char details[300];
} check_t;
bool check_fail (check_t *check, int code, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));

/* One member of an object. Kinds: s text, n number (or its text), b boolean, o object, a array, l link, * anything. */
typedef struct field_rule {
    const char *name;
    char kind;
    bool required;
    size_t most; /* of a text, in characters; of an array, in elements; 0 = any */
} field_rule_t;

/* Unknown members are 100, missing ones 131008, wrong kinds 100, long or empty ones 131009. `path` is for people: "text", "interactive['body']". */
bool check_object (check_t *check, const cJSON *object, const char *path,
                   const field_rule_t *fields);
/* The whole send body (meta_check.c, meta_interactive.c). */
bool meta_message_check (const sim_t *sim, check_t *check, const cJSON *body);
bool meta_interactive_check (const sim_t *sim, check_t *check, const cJSON *interactive);
bool meta_media_check (const sim_t *sim, check_t *check, const cJSON *media, const char *type);

void meta_statuses_post (sim_t *sim, const sim_request_t *request, const meta_number_t *number,
                         const char *wamid, const char *wa_id, const char *category, int fail_code);

/* ---- media ---- */

typedef struct media {
    char id[32];
    char *number; /* id of the number that owns it; NULL for Telnyx */
    char *mime_type;
    char *filename;
    char sha256[65];
    blob_t *blob;
    int64_t created_ms;
} media_t;

void media_free (void *value);
void upload_free (void *value);
/* Keep bytes (the oldest go over 768 MB); its id is media->id. */
media_t *media_put (sim_t *sim, const char *number, const char *mime_type, const char *filename,
                    bytes_t bytes);
/* A URL of ours for Telnyx's callbacks, in the arena. */
const char *media_telnyx_url (arena_t *arena, const char *base_url, const media_t *media);
/* Type by the first bytes; "application/octet-stream" if unknown. */
const char *media_sniff (bytes_t bytes);
void meta_media_url (const sim_t *sim, const media_t *media, const char *base_url, char *out,
                     size_t size);

/* ---- templates ---- */

typedef struct meta_template {
    char account[32];
    cJSON *node;
} meta_template_t;

void meta_template_free (void *value);
meta_template_t *meta_template_find (const sim_t *sim, const char *account, const char *name,
                                     const char *language);
/* Placeholders {{1}} or {{name}} of a text, each once. */
size_t template_placeholders (const char *text);
/* Do the parameters of a send fit the template's node? */
bool meta_template_check (check_t *check, const cJSON *node, const cJSON *template);
/* Add or change one (from the control API); tells the account if the status changed. NULL, or the offending member. */
const char *meta_template_put (sim_t *sim, const cJSON *in, const cJSON **out);
void meta_template_remove (sim_t *sim, const char *id);
void meta_template_samples (sim_t *sim, const char *account);

/* ---- inbound ---- */

/* POST /_sim/inbound for provider meta. */
void meta_inbound (sim_t *sim, sim_request_t *request, sim_answer_t *answer);

/* Handlers, by file. */
sim_handler_fn meta_send, meta_marketing_send;
sim_handler_fn meta_media_upload, meta_media_download, meta_upload_begin, meta_upload_piece,
    meta_upload_state;
sim_handler_fn meta_templates_list, meta_template_create, meta_templates_delete;
sim_handler_fn meta_number_list, meta_number_create, meta_number_code, meta_number_verify,
    meta_number_register, meta_number_deregister, meta_profile_get, meta_profile_set,
    meta_settings_get, meta_settings_set;
sim_handler_fn meta_subscribe, meta_subscriptions, meta_unsubscribe, meta_app_subscribe,
    meta_app_subscriptions, meta_oauth, meta_debug_token;
sim_handler_fn meta_node_get, meta_node_post, meta_node_delete;
/* Parts of the node handlers: false if the id is not theirs. */
bool meta_media_node (sim_t *sim, sim_request_t *request, sim_answer_t *answer);
bool meta_template_node (sim_t *sim, sim_request_t *request, sim_answer_t *answer);
bool meta_number_node (sim_t *sim, sim_request_t *request, sim_answer_t *answer);

/* control.c */
void control_error (sim_answer_t *answer, int status, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));

#endif
