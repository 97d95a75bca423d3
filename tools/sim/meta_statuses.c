/* meta_statuses.c - sent, delivered, read or failed: the callbacks of a message that was taken (spec section 13). How it fails: it does not. */
#include "callbacks.h"
#include "meta.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct status_frame {
    sim_t *sim;
    const sim_request_t *request;
    const meta_number_t *number;
    const char *wamid;
    const char *wa_id;
    const char *category;
    bool in_window; /* free of charge, if no template */
} status_frame_t;

static bool version_has_conversation (const char *version)
{
    return *version == 'v' && atoi (version + 1) < 24;
}

static void conversation_add (const status_frame_t *self, cJSON *status, int64_t at_s)
{
    char expires[24];
    cJSON *conversation = json_add_object (status, "conversation");
    char id[33];
    snprintf (id, sizeof id, "%.*s", 32, self->wamid + strlen (self->wamid) - 32);
    json_add_text (conversation, "id", id);
    snprintf (expires, sizeof expires, "%" PRId64, at_s + 86400);
    json_add_text (conversation, "expiration_timestamp", expires);
    json_add_text (json_add_object (conversation, "origin"), "type", self->category);
}

static void pricing_add (const status_frame_t *self, cJSON *status)
{
    bool free_of_charge = self->in_window && (strcmp (self->category, "service") == 0 ||
                                              strcmp (self->category, "utility") == 0);
    cJSON *pricing = json_add_object (status, "pricing");
    json_add_bool (pricing, "billable", !free_of_charge);
    json_add_text (pricing, "pricing_model", "PMP");
    json_add_text (pricing, "type", free_of_charge ? "free_customer_service" : "regular");
    json_add_text (pricing, "category", self->category);
}

static callback_t *status_callback (const status_frame_t *self, const char *word, int fail_code,
                                    int64_t delay_ms)
{
    char stamp[24], user_id[40];
    sim_t *sim = self->sim;
    cJSON *value = meta_value (self->number), *status = cJSON_CreateObject ();
    int64_t at_s = (sim_now_ms (sim) + delay_ms) / 1000;
    snprintf (stamp, sizeof stamp, "%" PRId64, at_s);
    meta_user_id (self->wa_id, user_id);
    cJSON_AddItemToArray (json_add_array (value, "contacts"), meta_contact (self->wa_id, "Sim"));
    cJSON_AddItemToArray (json_add_array (value, "statuses"), status);
    json_add_text (status, "id", self->wamid);
    json_add_text (status, "status", word);
    json_add_text (status, "timestamp", stamp);
    json_add_text (status, "recipient_id", self->wa_id);
    json_add_text (status, "recipient_user_id", user_id);
    json_add_copy (status, "biz_opaque_callback_data",
                   json_get (self->request->json, "biz_opaque_callback_data"));
    if (strcmp (word, "sent") == 0 && version_has_conversation (self->request->version))
        conversation_add (self, status, at_s);
    if (strcmp (word, "sent") == 0 || strcmp (word, "delivered") == 0)
        pricing_add (self, status);
    if (fail_code != 0)
        cJSON_AddItemToArray (json_add_array (status, "errors"),
                              meta_error_element (fail_code, NULL));
    const meta_account_t *account = table_get (sim->meta_accounts, self->number->account);
    callback_t *callback =
        callback_new (PROVIDER_META, word, meta_callback_url (sim, account, self->number),
                      meta_frame (sim, self->number->account, "messages", value, false));
    callback_message (callback, self->wamid);
    callback_delay (callback, delay_ms);
    return callback;
}

static bool is_in_window (const sim_t *sim, const meta_number_t *number, const char *wa_id)
{
    char key[80];
    snprintf (key, sizeof key, "%s|%s", number->id, wa_id);
    const int64_t *last_ms = table_get (sim->meta_windows, key);
    return last_ms != NULL && sim_now_ms (sim) - *last_ms < INT64_C (86400000);
}

void meta_statuses_post (sim_t *sim, const sim_request_t *request, const meta_number_t *number,
                         const char *wamid, const char *wa_id, const char *category, int fail_code)
{
    status_frame_t frame = {.sim = sim,
                            .request = request,
                            .number = number,
                            .wamid = wamid,
                            .wa_id = wa_id,
                            .category = category,
                            .in_window = is_in_window (sim, number, wa_id)};
    callback_t *list[3];
    size_t count = 0;
    int64_t delay_ms = sim->settings.callback_delay_ms;
    if (fail_code != 0) {
        list[count++] = status_callback (&frame, "failed", fail_code, delay_ms);
    } else {
        list[count++] = status_callback (&frame, "sent", 0, delay_ms);
        list[count++] = status_callback (&frame, "delivered", 0, 2 * delay_ms);
        if (sim->settings.read_receipts)
            list[count++] = status_callback (&frame, "read", 0, 4 * delay_ms);
    }
    callbacks_post (sim, list, count, &request->action);
}
