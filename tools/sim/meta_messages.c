/* meta_messages.c - POST /{PHONE}/messages: sends and read receipts (spec section 2). How it fails: in Graph's envelope, nothing kept. */
#include "meta.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- limits: one bucket of tokens per key ---- */

typedef struct bucket {
    double tokens;
    int64_t at_ms;
} bucket_t;

static bool bucket_take (sim_t *sim, const char *key, double burst, double per_ms)
{
    int64_t now_ms = sim_now_ms (sim);
    bucket_t *bucket = table_get (sim->meta_buckets, key);
    if (bucket == NULL) {
        bucket = must_alloc (sizeof *bucket);
        bucket->tokens = burst;
        bucket->at_ms = now_ms;
        table_put (sim->meta_buckets, key, bucket);
    }
    bucket->tokens += (double) (now_ms - bucket->at_ms) * per_ms;
    bucket->at_ms = now_ms;
    if (bucket->tokens > burst)
        bucket->tokens = burst;
    if (bucket->tokens < 1)
        return false;
    bucket->tokens -= 1;
    return true;
}

/* 0, or the code of the limit that was hit. */
static int limit_hit (sim_t *sim, const meta_number_t *number, const char *wa_id)
{
    char key[80];
    const settings_t *settings = &sim->settings;
    double rate = (double) settings->throughput_per_second;
    if (rate > 0 && !bucket_take (sim, number->id, rate, rate / 1000))
        return 130429;
    snprintf (key, sizeof key, "%s|%s", number->id, wa_id);
    if (settings->pair_burst > 0 && !bucket_take (sim, key, (double) settings->pair_burst,
                                                  1.0 / (double) settings->pair_interval_ms))
        return 131056;
    return 0;
}

/* ---- read receipts ---- */

static void message_read (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    static const field_rule_t fields[] = {{"messaging_product", 's', true, 0},
                                          {"status", 's', true, 0},
                                          {"message_id", 's', true, 0},
                                          {"typing_indicator", 'o', false, 0},
                                          {0}};
    static const field_rule_t typing[] = {{"type", 's', true, 0}, {0}};
    check_t check = {0};
    const cJSON *indicator = json_get (request->json, "typing_indicator");
    if (!check_object (&check, request->json, "body", fields) ||
        (indicator != NULL && !check_object (&check, indicator, "typing_indicator", typing))) {
        meta_error (answer, check.code, "%s", check.details);
        return;
    }
    meta_seen_t *seen = table_get (sim->meta_messages, json_text (request->json, "message_id"));
    const char *status = json_text (request->json, "status");
    if (strcmp (status, "read") != 0) {
        meta_error (answer, 100, "Param status must be one of {read} - got \"%.32s\".", status);
    } else if (seen == NULL || !seen->inbound) {
        meta_error (answer, 131009, "Param message_id is not a message received by this number.");
    } else {
        seen->read = true;
        answer_json (answer, 200, json_of ("{\"success\":true}"));
    }
}

/* ---- sends ---- */

typedef struct send {
    meta_number_t *number;
    const cJSON *body;
    const char *type;
    const char *to; /* as given */
    char wa_id[24];
    const cJSON *template; /* its node; NULL if the type is another */
} send_t;

/* `to` wins over `recipient`; our own user ids hold the number. */
static bool send_address (send_t *self, sim_answer_t *answer)
{
    const char *recipient = json_text (self->body, "recipient"), *own;
    self->to = json_text (self->body, "to");
    if (self->to == NULL && recipient == NULL) {
        meta_error (answer, 131008, "The parameter to is required.");
        return false;
    }
    if (self->to == NULL) {
        own = strstr (recipient, ".90");
        if (own == NULL || strlen (own) < 8) {
            meta_error (answer, 131062, "Param recipient is not a user of this business.");
            return false;
        }
        self->to = recipient;
        digits_of (own + 3, self->wa_id, sizeof self->wa_id);
        return true;
    }
    const char *kind = json_text (self->body, "recipient_type");
    if (kind != NULL && strcmp (kind, "individual") != 0) {
        meta_error (answer, strcmp (kind, "group") == 0 ? 131041 : 100,
                    "Param recipient_type '%.32s' has no recipients here.", kind);
        return false;
    }
    digits_of (self->to, self->wa_id, sizeof self->wa_id);
    size_t length = strspn (self->wa_id, "0123456789");
    if (length < 5 || length > 15 || self->wa_id[length] != '\0') {
        meta_error (answer, 131009, "Param to is not a valid WhatsApp number.");
        return false;
    }
    return true;
}

static bool send_template (const sim_t *sim, send_t *self, sim_answer_t *answer)
{
    const cJSON *template = json_get (self->body, "template");
    const char *name = json_text (template, "name"),
               *language = json_text (json_get (template, "language"), "code");
    check_t check = {0};
    if (strcmp (self->type, "template") != 0)
        return true;
    const meta_template_t *stored = meta_template_find (sim, self->number->account, name, language);
    if (stored == NULL) {
        meta_error (answer, 132001, "template name (%.128s) does not exist in %.32s", name,
                    language);
        return false;
    }
    self->template = stored->node;
    if (meta_template_check (&check, stored->node, template))
        return true;
    meta_error (answer, check.code, "%s", check.details);
    return false;
}

static bool send_allowed (sim_t *sim, const send_t *self, sim_answer_t *answer)
{
    const char *status = json_text (self->number->node, "status");
    int limit;
    if (status != NULL && strcmp (status, "CONNECTED") != 0) {
        meta_error (answer, 133010, "The number's status is %s.", status);
        return false;
    }
    if (strcmp (self->wa_id, self->number->digits) == 0) {
        meta_error (answer, 131021, "Sender and recipient are the same number.");
        return false;
    }
    limit = limit_hit (sim, self->number, self->wa_id);
    if (limit != 0)
        meta_error (answer, limit, "Too many messages from this number%s.",
                    limit == 131056 ? " to this recipient" : "");
    return limit == 0;
}

/* Free-form, and the person has not written within 24 hours? */
static bool send_is_late (const sim_t *sim, const send_t *self)
{
    char key[80];
    if (self->template != NULL || settings_window (&sim->settings) == WINDOW_OFF)
        return false;
    snprintf (key, sizeof key, "%s|%s", self->number->id, self->wa_id);
    const int64_t *last_ms = table_get (sim->meta_windows, key);
    return last_ms == NULL || sim_now_ms (sim) - *last_ms >= INT64_C (86400000);
}

static void send_answer (const send_t *self, const char *wamid, sim_answer_t *answer)
{
    char user_id[40];
    cJSON *out = cJSON_CreateObject (), *contact = cJSON_CreateObject (),
          *message = cJSON_CreateObject ();
    meta_user_id (self->wa_id, user_id);
    json_add_text (out, "messaging_product", "whatsapp");
    cJSON_AddItemToArray (json_add_array (out, "contacts"), contact);
    json_add_text (contact, "input", self->to);
    json_add_text (contact, "wa_id", self->wa_id);
    json_add_text (contact, "user_id", user_id);
    cJSON_AddItemToArray (json_add_array (out, "messages"), message);
    json_add_text (message, "id", wamid);
    if (self->template != NULL)
        json_add_text (message, "message_status", "accepted");
    answer_json (answer, 200, out);
}

static void send_accept (sim_t *sim, sim_request_t *request, const send_t *self, int fail_code,
                         sim_answer_t *answer)
{
    char wamid[128], category[32] = "service";
    meta_seen_t *seen = must_alloc (sizeof *seen);
    const char *kind = json_text (self->template, "category");
    for (size_t i = 0; kind != NULL && i + 1 < sizeof category; i++) {
        category[i] = (char) (kind[i] >= 'A' && kind[i] <= 'Z' ? kind[i] + 32 : kind[i]);
        if (kind[i] == '\0')
            break;
    }
    meta_wamid (sim, self->wa_id, false, wamid);
    snprintf (seen->number, sizeof seen->number, "%s", self->number->id);
    snprintf (seen->wa_id, sizeof seen->wa_id, "%s", self->wa_id);
    table_put (sim->meta_messages, wamid, seen);
    send_answer (self, wamid, answer);
    meta_statuses_post (sim, request, self->number, wamid, self->wa_id, category, fail_code);
}

static void message_send (sim_t *sim, sim_request_t *request, send_t *self, sim_answer_t *answer)
{
    check_t check = {0};
    int fail_code = atoi (request->action.fail_with_code);
    if (!meta_message_check (sim, &check, self->body)) {
        meta_error (answer, check.code, "%s", check.details);
        return;
    }
    if (!send_address (self, answer) || !send_template (sim, self, answer) ||
        !send_allowed (sim, self, answer))
        return;
    bool late = send_is_late (sim, self);
    if (late && settings_window (&sim->settings) == WINDOW_ANSWER) {
        meta_error (answer, 131047,
                    "More than 24 hours have passed since the customer last replied.");
        return;
    }
    if (late && fail_code == 0)
        fail_code = 131047;
    send_accept (sim, request, self, fail_code, answer);
}

static bool body_is_whatsapp (sim_request_t *request, sim_answer_t *answer)
{
    const char *product = json_text (request->json, "messaging_product");
    if (!cJSON_IsObject (request->json)) {
        meta_error (answer, 100, "The body is not a JSON object.");
        return false;
    }
    if (product != NULL && strcmp (product, "whatsapp") == 0)
        return true;
    meta_error (answer, 100, "The parameter messaging_product is required, and must be whatsapp.");
    return false;
}

void meta_send (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    send_t send = {.number = meta_number_of (sim, request, answer), .body = request->json};
    if (send.number == NULL || !body_is_whatsapp (request, answer))
        return;
    if (json_get (request->json, "status") != NULL) {
        message_read (sim, request, answer);
        return;
    }
    const char *type = json_text (request->json, "type");
    send.type = type != NULL ? type : "text";
    message_send (sim, request, &send, answer);
}

void meta_marketing_send (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    const char *type = json_text (request->json, "type");
    if (type == NULL || strcmp (type, "template") != 0)
        meta_error (answer, 100, "Param type must be template.");
    else
        meta_send (sim, request, answer);
}
