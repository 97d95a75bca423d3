/* telnyx.h - Telnyx v2: state and functions that its files share. Shapes: spec/providers/telnyx.md. */
#ifndef AVIARY_SIM_TELNYX_H
#define AVIARY_SIM_TELNYX_H

#include "meta.h" /* media, control_error */

/* ---- telnyx_error.c ---- */
/* One element of `errors`; `pointer` ("/to") may be NULL. */
void telnyx_error (sim_answer_t *answer, int status, const char *code, const char *pointer,
                   const char *detail, ...) __attribute__ ((format (printf, 5, 6)));
const char *telnyx_title (const char *code);
cJSON *telnyx_error_element (const char *code, const char *detail);
void telnyx_refuse (const rule_action_t *action, sim_answer_t *answer);
bool telnyx_authorize (sim_t *sim, sim_request_t *request, sim_answer_t *answer);
/* {"data": item}, the item owned. */
void telnyx_data (sim_answer_t *answer, int status, cJSON *item);
/* One page of the items (owned), by page[number] and page[size]. */
void telnyx_paged (sim_request_t *request, sim_answer_t *answer, cJSON *items);
/* False after answering 422 when the body is not a JSON object. */
bool telnyx_body_is_object (sim_request_t *request, sim_answer_t *answer);
void telnyx_time (int64_t ms, char out[40]);

/* ---- numbers and profiles ---- */
cJSON *telnyx_profile_default (sim_t *sim); /* made if there is none */
/* Add a number from {phone_number, messaging_profile_id?, id?}; NULL, or the offending member. */
const char *telnyx_number_put (sim_t *sim, const cJSON *in);
cJSON *telnyx_number_find (const sim_t *sim, const char *id_or_number); /* NULL if absent */

/* ---- messages ---- */

typedef struct telnyx_recipient {
    char *number;
    char fail_code[RULE_CODE_SIZE]; /* "" = delivered */
} telnyx_recipient_t;

typedef struct telnyx_message {
    cJSON *base; /* the object as it is at first */
    telnyx_recipient_t *to;
    size_t to_count;
    int64_t received_ms;
    int64_t sent_ms;
    int64_t completed_ms;
    bool is_mms;
    size_t parts;
} telnyx_message_t;

void telnyx_message_free (void *value);
typedef enum telnyx_stage { STAGE_QUEUED, STAGE_SENT, STAGE_FINAL } telnyx_stage_t;
cJSON *telnyx_message_show (const telnyx_message_t *self, telnyx_stage_t stage);
/* Make and post the callbacks of a message; `key` is its id. */
void telnyx_message_start (sim_t *sim, telnyx_message_t *self, const rule_action_t *action);
char *telnyx_event (sim_t *sim, const char *type,
                    cJSON *payload); /* the "data" member; payload used up */
/* The keyword's kind of an inbound text: "STOP", "START", "HELP"; NULL if it is none. */
const char *telnyx_keyword (const char *text);
void telnyx_opt_out_key (const char *profile, const char *number, char *out, size_t size);

/* POST /_sim/inbound for provider telnyx. */
void telnyx_inbound (sim_t *sim, sim_request_t *request, sim_answer_t *answer);

sim_handler_fn telnyx_send, telnyx_send_long_code, telnyx_send_pool, telnyx_send_group,
    telnyx_message_get, telnyx_message_cancel;
sim_handler_fn telnyx_search, telnyx_order_create, telnyx_order_list, telnyx_order_get,
    telnyx_order_patch;
sim_handler_fn telnyx_number_list, telnyx_number_get, telnyx_number_patch, telnyx_number_delete,
    telnyx_number_messaging_list, telnyx_number_messaging_get, telnyx_number_messaging_patch,
    telnyx_number_voice_get, telnyx_number_voice_patch;
sim_handler_fn telnyx_profile_list, telnyx_profile_create, telnyx_profile_get, telnyx_profile_patch,
    telnyx_profile_delete, telnyx_profile_numbers;
sim_handler_fn telnyx_balance, telnyx_public_key, telnyx_media_get;

/* ---- media that a control call brings (inbound_media.c) ---- */

/* Bytes of an element of `media`: base64 text, or an object {base64 | file, mime_type?, content_type?, filename?}, or a file of the form. NULL with a
 * sentence in `error`. `number` owns it (NULL for Telnyx). */
media_t *inbound_media (sim_t *sim, sim_request_t *request, const cJSON *in, const char *number,
                        char *error, size_t size);
/* The file of a multipart control call, kept; NULL if there is none. */
media_t *inbound_form_media (sim_t *sim, sim_request_t *request, const char *number);
/* Answers with the message id once the callback was accepted: for sim_answer_t.finish, with `data` the id. */
void inbound_finish (sim_t *sim, sim_request_t *request, const sim_wait_t *wait,
                     sim_answer_t *answer);

/* control_setup.c */
sim_handler_fn control_numbers, control_numbers_put, control_number_drop, control_templates,
    control_template_put, control_templates_drop, control_template_drop, control_settings,
    control_settings_put;

#endif
