/* callbacks_list.c - asking others (handshakes, fetches), and the list of what was sent. How it fails: it does not. */
#include "callbacks_inner.h"

#include "base/clock.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- asking others ---- */

static sim_wait_t *ask_post (sim_t *sim, callback_t *callback)
{
    callback->method = "GET";
    callback->raw = true;
    sim_wait_t *wait = callback_wait (callback);
    callbacks_post (sim, &callback, 1, NULL);
    return wait;
}

static void query_add (buf_t *out, const char *text)
{
    for (; *text != '\0'; text++) {
        bool plain = (*text >= '0' && *text <= '9') || (*text >= 'A' && *text <= 'Z') ||
                     (*text >= 'a' && *text <= 'z') || strchr ("-._~", *text) != NULL;
        buf_printf (out, plain ? "%c" : "%%%02X", (unsigned char) *text);
    }
}

sim_wait_t *callback_handshake (sim_t *sim, const char *url, const char *verify_token,
                                char challenge[16])
{
    buf_t full = {0};
    sim_digits (sim, challenge, 10);
    buf_printf (&full, "%s%chub.mode=subscribe&hub.challenge=%s&hub.verify_token=", url,
                strchr (url, '?') != NULL ? '&' : '?', challenge);
    query_add (&full, verify_token);
    callback_t *callback = callback_new (PROVIDER_META, "handshake", buf_text (&full), NULL);
    buf_free (&full);
    return ask_post (sim, callback);
}

bool handshake_passed (const sim_wait_t *wait, const char *challenge)
{
    return wait != NULL && wait->status == 200 && wait->body != NULL &&
           strcmp (wait->body, challenge) == 0;
}

sim_wait_t *callback_fetch (sim_t *sim, const char *url, size_t most)
{
    callback_t *callback = callback_new (PROVIDER_TELNYX, "media.fetch", url, NULL);
    callback->answer_max = most;
    return ask_post (sim, callback);
}

/* ---- the list ---- */

static cJSON *answers_show (const callback_t *self)
{
    cJSON *out = cJSON_CreateArray ();
    for (unsigned i = 0; i < self->attempts && i < ANSWERS_KEPT; i++) {
        char at[CLOCK_ISO_SIZE];
        cJSON *one = cJSON_CreateObject ();
        clock_write_iso (self->answers[i].at_ms, at);
        json_add_text (one, "at", at);
        if (self->answers[i].status != 0)
            json_add_number (one, "status", self->answers[i].status);
        else
            json_add_text (one, "error", self->answers[i].error);
        cJSON_AddItemToArray (out, one);
    }
    return out;
}

static cJSON *callback_show (const callback_t *self)
{
    static const char *const signatures[] = {"right", "wrong", "none"};
    cJSON *out = cJSON_CreateObject ();
    json_add_number (out, "id", (double) self->id);
    json_add_text (out, "provider", provider_name (self->provider));
    json_add_text (out, "event", self->event);
    json_add_text (out, "message_id", self->message_id);
    json_add_text (out, "method", self->method);
    json_add_text (out, "url", self->sent_url);
    json_add_copy (out, "headers", self->headers);
    json_add_text (out, "body", self->sent);
    json_add_text (out, "signature", self->sent == NULL ? "none" : signatures[self->signature]);
    json_add_number (out, "attempts", self->attempts);
    unsigned kept = self->attempts < ANSWERS_KEPT ? self->attempts : ANSWERS_KEPT;
    int status = kept > 0 ? self->answers[kept - 1].status : 0;
    json_add (out, "answered_status",
              status != 0 ? cJSON_CreateNumber (status) : cJSON_CreateNull ());
    json_add (out, "answers", answers_show (self));
    return out;
}

cJSON *callbacks_list (sim_t *sim, const char *provider, int64_t after)
{
    cJSON *out = cJSON_CreateArray ();
    table_entry_t *at = NULL;
    const callback_t *callback;
    while ((callback = table_next (sim->callbacks->list, &at)) != NULL)
        if (callback->id > after &&
            (provider == NULL || strcmp (provider, provider_name (callback->provider)) == 0))
            cJSON_AddItemToArray (out, callback_show (callback));
    return out;
}

cJSON *callbacks_show_one (sim_t *sim, int64_t id)
{
    char key[24];
    snprintf (key, sizeof key, "%" PRId64, id);
    const callback_t *callback = table_get (sim->callbacks->list, key);
    return callback != NULL ? callback_show (callback) : NULL;
}

void callbacks_forget (sim_t *sim)
{
    table_clear (sim->callbacks->list);
}

size_t callbacks_pending (sim_t *sim)
{
    return sim->callbacks->pending;
}
