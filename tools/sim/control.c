/* control.c - the control API under /_sim: requests, rules, callbacks, inbound, clock, keys, reset (docs/simulators.md).
 *
 * How it fails: {"error": "FIELD: what is wrong", "field": "FIELD"} with 400, 404 or 409; nothing was changed then. */
#include "callbacks.h"
#include "telnyx.h"

#include "base/text.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void control_error (sim_answer_t *answer, int status, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start (args, format);
    if (vasprintf (&text, format, args) < 0)
        text = NULL;
    va_end (args);
    cJSON *out = cJSON_CreateObject ();
    json_add_text (out, "error", text);
    const char *colon = text != NULL ? strstr (text, ": ") : NULL;
    if (colon != NULL && strcspn (text, " ") == (size_t) (colon - text) + 1) {
        char field[80];
        snprintf (field, sizeof field, "%.*s", (int) (colon - text), text);
        json_add_text (out, "field", field);
    }
    free (text);
    answer_json (answer, status, out);
}

static void deleted (sim_answer_t *answer, size_t count)
{
    cJSON *out = cJSON_CreateObject ();
    json_add_number (out, "deleted", (double) count);
    answer_json (answer, 200, out);
}

static bool body_is_object (const sim_request_t *request, sim_answer_t *answer)
{
    if (cJSON_IsObject (request->json))
        return true;
    control_error (answer, 400, "body: must be a JSON object");
    return false;
}

static int64_t number_of (const char *text)
{
    return text != NULL && *text != '\0' && text[strspn (text, "0123456789")] == '\0'
               ? strtoll (text, NULL, 10)
               : -1;
}

/* A query parameter that is a provider; false after answering. */
static bool provider_query (const sim_request_t *request, const char **out, sim_answer_t *answer)
{
    *out = request_query (request, "provider");
    if (*out == NULL || provider_read (*out) != PROVIDER_NONE)
        return true;
    control_error (answer, 400, "provider: must be meta or telnyx");
    return false;
}

/* ---- requests ---- */

static void control_requests (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    const char *provider;
    if (provider_query (request, &provider, answer))
        answer_json (answer, 200,
                     requests_list (sim, provider, request_query (request, "to"),
                                    request_query (request, "path")));
}

static void control_requests_drop (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    (void) request;
    deleted (answer, table_size (sim->requests));
    table_clear (sim->requests);
    sim->requests_bytes = 0;
}

/* ---- rules ---- */

static void control_rules (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    (void) request;
    answer_json (answer, 200, rules_show (&sim->rules));
}

static void control_rule_add (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    char error[200] = "";
    const rule_t *rule = rules_add (&sim->rules, request->json, error, sizeof error);
    if (rule != NULL)
        answer_json (answer, 201, rule_show (rule));
    else
        control_error (answer, 400, "%s", error);
}

static void control_rules_drop (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    (void) request;
    deleted (answer, sim->rules.count);
    rules_clear (&sim->rules);
}

static void control_rule_drop (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    if (rules_drop (&sim->rules, number_of (request->params[0])))
        deleted (answer, 1);
    else
        control_error (answer, 404, "id: there is no rule %s", request->params[0]);
}

/* ---- inbound ---- */

/* Fields of a form are texts; those that look like JSON are read as such. */
static void form_fields_read (sim_request_t *request)
{
    cJSON *out = cJSON_CreateObject ();
    const cJSON *member;
    cJSON_ArrayForEach (member, request->json)
    {
        const char *text = cJSON_GetStringValue (member);
        cJSON *value = text != NULL && (*text == '{' || *text == '[')
                           ? json_parse (bytes_of_str (text))
                           : NULL;
        json_set (out, member->string, value != NULL ? value : cJSON_Duplicate (member, true));
    }
    cJSON_Delete (request->json);
    request->json = out;
}

static void control_inbound (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    if (!body_is_object (request, answer))
        return;
    if (request->form.count > 0)
        form_fields_read (request);
    provider_t provider = provider_read (json_text (request->json, "provider"));
    if (provider == PROVIDER_META)
        meta_inbound (sim, request, answer);
    else if (provider == PROVIDER_TELNYX)
        telnyx_inbound (sim, request, answer);
    else
        control_error (answer, 400, "provider: must be meta or telnyx");
}

/* ---- callbacks ---- */

static void control_callbacks (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    const char *provider;
    int64_t after = number_of (request_query (request, "after"));
    if (provider_query (request, &provider, answer))
        answer_json (answer, 200, callbacks_list (sim, provider, after > 0 ? after : 0));
}

static void control_callbacks_drop (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    (void) request;
    callbacks_forget (sim);
    answer_json (answer, 200, json_of ("{\"deleted\":true}"));
}

static void callback_finish (sim_t *sim, sim_request_t *request, const sim_wait_t *wait,
                             sim_answer_t *answer)
{
    (void) request;
    cJSON *shown = wait != NULL ? callbacks_show_one (sim, wait->id) : NULL;
    if (shown != NULL)
        answer_json (answer, 200, shown);
    else
        control_error (answer, 504, "the callback was not answered");
}

/* Where a raw one goes: as said, or where the number's and the app's go. */
static const char *raw_url (const sim_t *sim, provider_t provider, const cJSON *in)
{
    const char *url = json_text (in, "url"), *account_id = json_text (in, "waba_id"),
               *number_id = json_text (in, "phone_number_id");
    if (url != NULL)
        return url;
    if (provider == PROVIDER_TELNYX)
        return sim->settings.telnyx_callback;
    return meta_callback_url (sim, table_get (sim->meta_accounts, account_id),
                              table_get (sim->meta_numbers, number_id));
}

static const char *const signature_names[] = {"right", "wrong", "none"};

static bool raw_check (const cJSON *in, provider_t *provider, int *signature, sim_answer_t *answer)
{
    static const char known[] =
        "provider body url signature timestamp headers waba_id phone_number_id";
    const cJSON *unknown = json_unknown (in, known), *body = json_get (in, "body");
    const char *name = json_text (in, "signature");
    *provider = provider_read (json_text (in, "provider"));
    *signature = name == NULL ? 0 : -1;
    for (int i = 0; name != NULL && i < 3; i++)
        if (strcmp (signature_names[i], name) == 0)
            *signature = i;
    if (unknown != NULL)
        control_error (answer, 400, "%.64s: there is no such field", unknown->string);
    else if (*provider == PROVIDER_NONE)
        control_error (answer, 400, "provider: must be meta or telnyx");
    else if (*signature < 0)
        control_error (answer, 400, "signature: must be right, wrong or none");
    else if (body == NULL ||
             (!cJSON_IsString (body) && !cJSON_IsObject (body) && !cJSON_IsArray (body)))
        control_error (answer, 400, "body: must be JSON, or text that is sent as it is");
    else
        return true;
    return false;
}

static void control_callback_send (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    provider_t provider;
    int signature;
    const cJSON *in = request->json, *body = json_get (in, "body");
    if (!body_is_object (request, answer) || !raw_check (in, &provider, &signature, answer))
        return;
    const char *url = raw_url (sim, provider, in);
    if (url == NULL) {
        control_error (answer, 409, "url: none is set for this provider");
        return;
    }
    char *text = cJSON_IsString (body)       ? must_strdup (body->valuestring)
                 : provider == PROVIDER_META ? json_print_ascii (body)
                                             : json_print (body);
    callback_t *callback = callback_new (provider, "raw", url, text);
    callback_raw (callback, (signature_t) signature, (int64_t) json_number (in, "timestamp", 0),
                  json_get (in, "headers"));
    answer->wait = callback_wait (callback);
    answer->finish = callback_finish;
    callbacks_post (sim, &callback, 1, NULL);
}

/* ---- the rest ---- */

static void control_keys (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    char base64[48];
    cJSON *out = cJSON_CreateObject (), *meta = json_add_object (out, "meta"),
          *telnyx = json_add_object (out, "telnyx");
    text_write_base64 (sim->telnyx_public, sizeof sim->telnyx_public, base64);
    json_add_text (meta, "base_url", request->base_url);
    json_add_text (meta, "app_id", sim->settings.meta_app_id);
    json_add_text (meta, "app_secret", sim->settings.meta_app_secret);
    json_add_text (meta, "verify_token", sim->settings.meta_verify_token);
    char *base = must_printf ("%s/v2", request->base_url);
    json_add_text (telnyx, "base_url", base);
    free (base);
    json_add_text (telnyx, "public_key", base64);
    answer_json (answer, 200, out);
}

static void clock_answer (const sim_t *sim, sim_answer_t *answer)
{
    char now[40];
    cJSON *out = cJSON_CreateObject ();
    telnyx_time (sim_now_ms (sim), now);
    json_add_text (out, "now", now);
    json_add_number (out, "offset_ms", (double) sim->clock_offset_ms);
    answer_json (answer, 200, out);
}

static void control_clock (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    (void) request;
    clock_answer (sim, answer);
}

static void control_clock_advance (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    const cJSON *unknown = json_unknown (request->json, "advance_ms"),
                *advance = json_get (request->json, "advance_ms");
    if (!body_is_object (request, answer))
        return;
    if (unknown != NULL) {
        control_error (answer, 400, "%.64s: there is no such field", unknown->string);
    } else if (!cJSON_IsNumber (advance) || advance->valuedouble < 0 ||
               advance->valuedouble > 1e12) {
        control_error (answer, 400, "advance_ms: must be a number of milliseconds from 0");
    } else {
        sim->clock_offset_ms += (int64_t) advance->valuedouble;
        clock_answer (sim, answer);
    }
}

static void control_health (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    cJSON *out = cJSON_CreateObject ();
    (void) request;
    json_add_text (out, "program", "aviary-sim");
    json_add_text (out, "version", AVIARY_VERSION);
    json_add_number (out, "requests", (double) table_size (sim->requests));
    json_add_number (out, "rules", (double) sim->rules.count);
    json_add_number (out, "callbacks_pending", (double) callbacks_pending (sim));
    answer_json (answer, 200, out);
}

/* What tests made: logs, rules, callbacks not sent yet, windows, opt-outs. Numbers, templates and settings stay. */
static void control_reset (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    (void) request;
    table_clear (sim->requests);
    sim->requests_bytes = 0;
    rules_clear (&sim->rules);
    callbacks_cancel (sim);
    callbacks_forget (sim);
    table_clear (sim->meta_windows);
    table_clear (sim->meta_buckets);
    table_clear (sim->telnyx_opt_outs);
    sim->clock_offset_ms = 0;
    answer_json (answer, 200, json_of ("{\"reset\":true}"));
}

const sim_route_t control_routes[] = {{"GET", "/", control_health},
                                      {"GET", "/requests", control_requests},
                                      {"DELETE", "/requests", control_requests_drop},
                                      {"POST", "/inbound", control_inbound},
                                      {"GET", "/rules", control_rules},
                                      {"POST", "/rules", control_rule_add},
                                      {"DELETE", "/rules", control_rules_drop},
                                      {"DELETE", "/rules/{}", control_rule_drop},
                                      {"GET", "/callbacks", control_callbacks},
                                      {"POST", "/callbacks", control_callback_send},
                                      {"DELETE", "/callbacks", control_callbacks_drop},
                                      {"GET", "/templates", control_templates},
                                      {"PUT", "/templates", control_template_put},
                                      {"POST", "/templates", control_template_put},
                                      {"DELETE", "/templates", control_templates_drop},
                                      {"DELETE", "/templates/{}", control_template_drop},
                                      {"GET", "/numbers", control_numbers},
                                      {"PUT", "/numbers", control_numbers_put},
                                      {"POST", "/numbers", control_numbers_put},
                                      {"DELETE", "/numbers/{}", control_number_drop},
                                      {"GET", "/settings", control_settings},
                                      {"PUT", "/settings", control_settings_put},
                                      {"GET", "/keys", control_keys},
                                      {"GET", "/clock", control_clock},
                                      {"POST", "/clock", control_clock_advance},
                                      {"POST", "/reset", control_reset},
                                      {0}};
