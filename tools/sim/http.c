/* http.c - the front: reads a request, finds its rule and its route, answers now, after a delay, after a callback's answer, or not at all.
 *
 * How it fails: with an error in the form of the API that was asked. */
#include "exchange.h"
#include "meta.h"
#include "telnyx.h"

#include <stdlib.h>
#include <string.h>

enum { WAIT_MS = 120000 };

void answer_json (sim_answer_t *answer, int status, cJSON *json)
{
    cJSON_Delete (answer->json);
    answer->status = status;
    answer->json = json;
}

/* ---- sending ---- */

static void headers_fill (const sim_answer_t *answer, const char *type_line, const char *headers[8])
{
    size_t count = 0;
    headers[count++] = type_line;
    for (size_t i = 0; i < 4 && answer->headers[i] != NULL; i++)
        headers[count++] = answer->headers[i];
    headers[count] = NULL;
}

static void exchange_free (exchange_t *self)
{
    cJSON_Delete (self->answer.json);
    self->answer.json = NULL;
    blob_release (self->answer.blob);
    self->answer.blob = NULL;
    asked_free (&self->request);
}

static web_next_t exchange_send (exchange_t *self)
{
    sim_answer_t *answer = &self->answer;
    web_request_t *web = self->request.web;
    const char *headers[8];
    if (self->request.action.drop_answer) {
        web_drop (web);
    } else if (answer->blob != NULL) {
        const char *type =
            arena_printf (self->request.arena, "Content-Type: %s", answer->content_type);
        headers_fill (answer, type, headers);
        web_answer (web, answer->status, headers,
                    bytes_of (answer->blob->data, answer->blob->size));
    } else {
        char *text = answer->json != NULL ? json_print (answer->json) : must_strdup ("");
        headers_fill (answer, "Content-Type: application/json; charset=UTF-8", headers);
        web_answer (web, answer->status, headers, bytes_of_str (text));
        free (text);
    }
    exchange_free (self);
    return WEB_DONE;
}

static void delay_destroy (web_call_t *call)
{
    free (call);
}

/* A call that nobody completes: its time runs out. */
static web_next_t exchange_delay (exchange_t *self)
{
    web_call_t *call = must_alloc (sizeof *call);
    web_call_init (call, delay_destroy);
    web_call_release (call);
    web_park (self->request.web, call, (uint32_t) self->request.action.delay_ms);
    return WEB_WAIT;
}

static web_next_t exchange_go_on (exchange_t *self)
{
    if (self->answer.wait != NULL) {
        self->waiting = true;
        web_park (self->request.web, &self->answer.wait->call, WAIT_MS);
        return WEB_WAIT;
    }
    if (self->request.action.delay_ms > 0)
        return exchange_delay (self);
    return exchange_send (self);
}

/* ---- working, under the lock ---- */

static const sim_route_t *routes_of (provider_t provider)
{
    if (provider == PROVIDER_CONTROL)
        return control_routes;
    return provider == PROVIDER_TELNYX ? telnyx_routes : meta_routes;
}

static void not_found (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    if (request->provider == PROVIDER_META)
        meta_unknown_path (sim, request, answer);
    else if (request->provider == PROVIDER_TELNYX)
        telnyx_error (answer, 404, "10005", NULL,
                      "The requested resource or URL could not be found.");
    else
        control_error (answer, 404, "path: there is nothing at %s %s under /_sim", request->method,
                       request->rest);
}

static void request_work (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    for (const sim_route_t *route = routes_of (request->provider); route->method != NULL; route++)
        if (strcmp (route->method, request->method) == 0 &&
            route_match (request->arena, route->pattern, request->rest, request->params)) {
            route->handler (sim, request, answer);
            return;
        }
    not_found (sim, request, answer);
}

static bool request_allowed (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    if (request->provider == PROVIDER_META)
        return meta_authorize (sim, request, answer);
    if (request->provider == PROVIDER_TELNYX)
        return telnyx_authorize (sim, request, answer);
    return true;
}

/* Own convention: the last four digits of the recipient decide. */
static const struct {
    const char *suffix;
    provider_t provider;
    rule_action_t action;
} suffix_table[] = {
    {"0026", PROVIDER_META, {.fail_with_code = "131026"}},
    {"0049", PROVIDER_META, {.fail_with_code = "131049"}},
    {"0050", PROVIDER_META, {.fail_with_code = "131050"}},
    {"0056", PROVIDER_META, {.error_code = "131056"}},
    {"0429", PROVIDER_META, {.error_code = "130429"}},
    {"4001", PROVIDER_TELNYX, {.fail_with_code = "40001"}},
    {"4002", PROVIDER_TELNYX, {.fail_with_code = "40002"}},
    {"4300", PROVIDER_TELNYX, {.error_code = "40300"}},
    {"4310", PROVIDER_TELNYX, {.error_code = "40310"}},
    {"4318", PROVIDER_TELNYX, {.error_code = "40318"}},
    {"0429", PROVIDER_TELNYX, {.status = 429}},
    {"0503", PROVIDER_NONE, {.status = 503}},
    {"0000", PROVIDER_NONE, {.drop_answer = true}},
};

static void suffix_apply (sim_request_t *request)
{
    if (request->to_count == 0 || strlen (request->to[0]) < 4)
        return;
    const char *last = request->to[0] + strlen (request->to[0]) - 4;
    for (size_t i = 0; i < sizeof suffix_table / sizeof suffix_table[0]; i++)
        if (strcmp (suffix_table[i].suffix, last) == 0 &&
            (suffix_table[i].provider == PROVIDER_NONE ||
             suffix_table[i].provider == request->provider)) {
            request->action = suffix_table[i].action;
            return;
        }
}

static void rule_apply (sim_t *sim, sim_request_t *request)
{
    rule_subject_t subject = {.provider = request->provider,
                              .path = request->path,
                              .to = request->to,
                              .to_count = request->to_count};
    const rule_t *rule = rules_match (&sim->rules, &subject);
    if (rule != NULL) {
        request->action = rule->action;
        request->rule_to = rule->to[0] != '\0' ? arena_strdup (request->arena, rule->to) : NULL;
    } else if (sim->settings.suffix_faults) {
        suffix_apply (request);
    }
}

static void carrier_work (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    request_recipients (request);
    if (!request_allowed (sim, request, answer))
        return;
    rule_apply (sim, request);
    if (!rule_refuses (&request->action)) {
        request_work (sim, request, answer);
        if (request->action.status != 0 && answer->status / 100 == 2)
            answer->status = request->action.status;
    } else if (request->provider == PROVIDER_META) {
        meta_refuse (&request->action, answer);
    } else {
        telnyx_refuse (&request->action, answer);
    }
}

/* 0 until the answer goes out, and for one that is dropped. */
static int logged_status (const exchange_t *self)
{
    const rule_action_t *action = &self->request.action;
    bool later = self->answer.wait != NULL || (action->delay_ms > 0 && !self->due);
    return action->drop_answer || later ? 0 : self->answer.status;
}

static void exchange_work (exchange_t *self)
{
    sim_request_t *request = &self->request;
    self->answer.status = 500;
    if (request->provider == PROVIDER_CONTROL) {
        request_work (self->sim, request, &self->answer);
        return;
    }
    carrier_work (self->sim, request, &self->answer);
    self->log_id = requests_add (self->sim, request, logged_status (self));
}

/* A request whose path or body could not be read is in no log. */
static void unread (const sim_request_t *request, int status, sim_answer_t *answer)
{
    static const char text[] =
        "The request could not be read: path or body is malformed, cut or too long.";
    if (request->provider == PROVIDER_META)
        meta_error_full (answer, status, 100, 0, "Invalid parameter", text);
    else if (request->provider == PROVIDER_TELNYX)
        telnyx_error (answer, status, "10015", NULL, "%s", text);
    else
        control_error (answer, status, "%s", text);
}

web_next_t sim_submit (void *context, web_request_t *web)
{
    sim_t *sim = context;
    arena_t *arena = web_arena (web);
    exchange_t *self = arena != NULL ? arena_new_of (arena, exchange_t) : NULL;
    if (self == NULL) {
        web_answer (web, 503, NULL, bytes_of_str (""));
        return WEB_DONE;
    }
    self->sim = sim;
    web_set_data (web, self);
    int status = asked_read (sim, &self->request, web);
    if (status != 0) {
        unread (&self->request, status, &self->answer);
        return exchange_send (self);
    }
    pthread_mutex_lock (&sim->lock);
    exchange_work (self);
    pthread_mutex_unlock (&sim->lock);
    return exchange_go_on (self);
}

web_next_t sim_complete (void *context, web_request_t *web, web_call_t *call, bool in_time)
{
    sim_t *sim = context;
    exchange_t *self = web_data (web);
    bool waited = self->waiting;
    self->waiting = false;
    self->due = !waited; /* the rule's delay is over */
    self->answer.wait = NULL;
    pthread_mutex_lock (&sim->lock);
    if (waited)
        self->answer.finish (sim, &self->request, in_time ? (const sim_wait_t *) call : NULL,
                             &self->answer);
    if (self->log_id != 0)
        requests_answered (sim, self->log_id, logged_status (self));
    pthread_mutex_unlock (&sim->lock);
    return waited ? exchange_go_on (self) : exchange_send (self);
}
