/* control_setup.c - the control API's part that sets the simulated accounts up: numbers, templates, settings. How it fails: as control.c. */
#include "callbacks.h"
#include "telnyx.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- numbers ---- */

static cJSON *numbers_show (sim_t *sim)
{
    table_entry_t *at = NULL;
    const meta_number_t *meta;
    const cJSON *telnyx;
    cJSON *out = cJSON_CreateArray ();
    while ((meta = table_next (sim->meta_numbers, &at)) != NULL)
        cJSON_AddItemToArray (out, meta_number_show (meta));
    at = NULL;
    while ((telnyx = table_next (sim->telnyx_numbers, &at)) != NULL) {
        cJSON *one = cJSON_CreateObject ();
        const cJSON *member;
        json_add_text (one, "provider", "telnyx");
        cJSON_ArrayForEach (member, telnyx)
        {
            json_add_copy (one, member->string, member);
        }
        cJSON_AddItemToArray (out, one);
    }
    return out;
}

void control_numbers (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    (void) request;
    answer_json (answer, 200, numbers_show (sim));
}

static const char *number_put (sim_t *sim, const cJSON *in)
{
    provider_t provider = provider_read (json_text (in, "provider"));
    if (provider == PROVIDER_META)
        return meta_number_put (sim, in);
    return provider == PROVIDER_TELNYX ? telnyx_number_put (sim, in) : "provider";
}

/* One, or an array of them. */
void control_numbers_put (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    const cJSON *one = cJSON_IsArray (request->json) ? request->json->child : request->json;
    const char *wrong = one == NULL ? "body" : NULL;
    for (; one != NULL && wrong == NULL; one = one->next)
        wrong = number_put (sim, one);
    if (wrong != NULL)
        control_error (answer, 400, "%.64s: is unknown, missing or not sound", wrong);
    else
        answer_json (answer, 200, numbers_show (sim));
}

void control_number_drop (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    const meta_number_t *meta = meta_number_by_digits (sim, request->params[0]);
    const cJSON *telnyx = telnyx_number_find (sim, request->params[0]);
    bool by_id = table_get (sim->meta_numbers, request->params[0]) != NULL;
    if (by_id || (meta != NULL && telnyx == NULL))
        table_drop (sim->meta_numbers, arena_strdup (request->arena, meta->id));
    else if (telnyx != NULL)
        table_drop (sim->telnyx_numbers,
                    arena_strdup (request->arena, json_text (telnyx, "phone_number")));
    if (meta == NULL && telnyx == NULL)
        control_error (answer, 404, "id: there is no number %s", request->params[0]);
    else
        answer_json (answer, 200, json_of ("{\"deleted\":1}"));
}

/* ---- templates ---- */

static cJSON *template_show (const meta_template_t *template)
{
    cJSON *out = cJSON_Duplicate (template->node, true);
    json_add_text (out, "waba_id", template->account);
    return out;
}

void control_templates (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    const char *account = request_query (request, "waba_id"),
               *name = request_query (request, "name");
    table_entry_t *at = NULL;
    const meta_template_t *one;
    cJSON *out = cJSON_CreateArray ();
    while ((one = table_next (sim->meta_templates, &at)) != NULL)
        if ((account == NULL || strcmp (account, one->account) == 0) &&
            (name == NULL || strcmp (name, json_text (one->node, "name")) == 0))
            cJSON_AddItemToArray (out, template_show (one));
    answer_json (answer, 200, out);
}

void control_template_put (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    const cJSON *one = cJSON_IsArray (request->json) ? request->json->child : request->json,
                *node = NULL;
    const char *wrong = one == NULL ? "body" : NULL;
    cJSON *all = cJSON_CreateArray ();
    for (; one != NULL && wrong == NULL; one = one->next) {
        wrong = meta_template_put (sim, one, &node);
        if (wrong == NULL)
            cJSON_AddItemToArray (all, cJSON_Duplicate (node, true));
    }
    if (wrong != NULL) {
        cJSON_Delete (all);
        control_error (answer, 400, "%.64s: is unknown, missing or not sound", wrong);
    } else if (cJSON_IsArray (request->json)) {
        answer_json (answer, 200, all);
    } else {
        answer_json (answer, 200, cJSON_DetachItemFromArray (all, 0));
        cJSON_Delete (all);
    }
}

/* By name (and language); every one without either. */
void control_templates_drop (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    const char *name = request_query (request, "name"),
               *language = request_query (request, "language");
    size_t count = 0;
    for (bool again = true; again;) {
        table_entry_t *at = NULL;
        const meta_template_t *one;
        again = false;
        while (!again && (one = table_next (sim->meta_templates, &at)) != NULL)
            again = (name == NULL || strcmp (name, json_text (one->node, "name")) == 0) &&
                    (language == NULL || strcmp (language, json_text (one->node, "language")) == 0);
        if (again) {
            meta_template_remove (sim, arena_strdup (request->arena, table_key (at)));
            count++;
        }
    }
    cJSON *out = cJSON_CreateObject ();
    json_add_number (out, "deleted", (double) count);
    answer_json (answer, 200, out);
}

void control_template_drop (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    if (table_get (sim->meta_templates, request->params[0]) == NULL) {
        control_error (answer, 404, "id: there is no template %s", request->params[0]);
        return;
    }
    meta_template_remove (sim, request->params[0]);
    answer_json (answer, 200, json_of ("{\"deleted\":1}"));
}

/* ---- settings ---- */

void control_settings (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    (void) request;
    answer_json (answer, 200, settings_show (&sim->settings));
}

typedef struct pending {
    char challenge[16];
    const char *url;
} pending_t;

/* The other members were set before; the URL only now. */
static void settings_finish (sim_t *sim, sim_request_t *request, const sim_wait_t *wait,
                             sim_answer_t *answer)
{
    const pending_t *self = answer->data;
    (void) request;
    if (!handshake_passed (wait, self->challenge)) {
        control_error (answer, 422,
                       "meta_callback: the handshake failed: status %d, the answer must be the "
                       "challenge; \"verify\": false sets it without",
                       wait != NULL ? wait->status : 0);
        return;
    }
    text_replace (&sim->settings.meta_callback, self->url);
    answer_json (answer, 200, settings_show (&sim->settings));
}

static void settings_verify (sim_t *sim, sim_request_t *request, const char *url,
                             sim_answer_t *answer)
{
    pending_t *self = arena_new_of (request->arena, pending_t);
    self->url = arena_strdup (request->arena, url);
    answer->data = self;
    answer->finish = settings_finish;
    answer->wait =
        callback_handshake (sim, self->url, sim->settings.meta_verify_token, self->challenge);
}

/* Members as the flags; "verify": false skips the handshake of a new meta_callback. */
void control_settings_put (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    if (!cJSON_IsObject (request->json)) {
        control_error (answer, 400, "body: must be a JSON object");
        return;
    }
    cJSON *in = cJSON_Duplicate (request->json, true);
    const char *url = json_text (request->json, "meta_callback");
    bool verify = !cJSON_IsFalse (json_get (in, "verify")) && url != NULL && *url != '\0';
    const char *before = sim->settings.meta_callback;
    cJSON_DeleteItemFromObjectCaseSensitive (in, "verify");
    char *kept = must_strdup (before);
    const char *wrong = settings_merge (&sim->settings, in);
    if (wrong != NULL) {
        control_error (answer, 400, "%.64s: there is no such setting, or the value is not sound",
                       wrong);
    } else {
        sim_keys_derive (sim);
        if (verify) {
            text_replace (&sim->settings.meta_callback, kept);
            settings_verify (sim, request, url, answer);
        } else {
            answer_json (answer, 200, settings_show (&sim->settings));
        }
    }
    free (kept);
    cJSON_Delete (in);
}
