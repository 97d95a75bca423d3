/* meta_accounts.c - WABAs, where callbacks go, tokens (spec section 7), and the routes of the Graph API. How it fails: in Graph's envelope. */
#include "callbacks.h"
#include "meta.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void meta_account_free (void *value)
{
    meta_account_t *self = value;
    free (self->name);
    free (self->override_url);
    free (self->override_token);
    free (self);
}

meta_account_t *meta_account_need (sim_t *sim, const char *id)
{
    meta_account_t *self = table_get (sim->meta_accounts, id);
    if (self != NULL)
        return self;
    self = must_alloc (sizeof *self);
    snprintf (self->id, sizeof self->id, "%s", id);
    self->name = must_strdup ("Simulated Account");
    self->subscribed = true;
    table_put (sim->meta_accounts, id, self);
    meta_template_samples (sim, id);
    return self;
}

meta_account_t *meta_account_of (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    meta_account_t *self = table_get (sim->meta_accounts, request->params[0]);
    if (self == NULL)
        meta_unknown_object (answer, request->params[0]);
    return self;
}

/* ---- lists ---- */

/* Cursors are the offset of the item, in a coat. */
static size_t cursor_read (const char *cursor, bool *sound)
{
    *sound = cursor == NULL || strncmp (cursor, "QVFI", 4) == 0;
    return cursor != NULL && *sound ? strtoull (cursor + 4, NULL, 10) : 0;
}

static void paging_add (const sim_request_t *request, cJSON *out, size_t from, size_t to,
                        size_t total, size_t limit)
{
    char cursor[32];
    cJSON *paging = json_add_object (out, "paging"), *cursors = json_add_object (paging, "cursors");
    snprintf (cursor, sizeof cursor, "QVFI%zu", from);
    json_add_text (cursors, "before", cursor);
    snprintf (cursor, sizeof cursor, "QVFI%zu", to);
    json_add_text (cursors, "after", cursor);
    if (to < total) {
        char *next = must_printf ("%s%s?limit=%zu&after=%s", request->base_url, request->path,
                                  limit, cursor);
        json_add_text (paging, "next", next);
        free (next);
    }
}

void meta_paged (sim_request_t *request, sim_answer_t *answer, cJSON *items)
{
    bool sound, sound_before;
    const char *limit_text = request_query (request, "limit"),
               *before = request_query (request, "before");
    size_t limit = limit_text != NULL ? strtoull (limit_text, NULL, 10) : 25;
    size_t from = cursor_read (request_query (request, "after"), &sound);
    size_t until = cursor_read (before, &sound_before);
    size_t total = (size_t) cJSON_GetArraySize (items);
    if (!sound || !sound_before) {
        cJSON_Delete (items);
        meta_error (answer, 131059, "The cursor is not one of ours.");
        return;
    }
    limit = limit == 0 || limit > 1000 ? 25 : limit;
    if (before != NULL)
        from = until > limit ? until - limit : 0;
    cJSON *out = cJSON_CreateObject (), *data = json_add_array (out, "data");
    size_t to = from;
    for (cJSON *item = cJSON_GetArrayItem (items, (int) from); item != NULL && to < from + limit;
         to++) {
        cJSON *next = item->next;
        cJSON_AddItemToArray (data, cJSON_DetachItemViaPointer (items, item));
        item = next;
    }
    cJSON_Delete (items);
    if (to > from)
        paging_add (request, out, from, to, total, limit);
    answer_json (answer, 200, out);
}

/* ---- callbacks: subscribing, with the handshake ---- */

typedef struct subscription {
    char challenge[16];
    const char *url;
    const char *token;
    const char *account; /* NULL = the app */
} subscription_t;

static void subscription_finish (sim_t *sim, sim_request_t *request, const sim_wait_t *wait,
                                 sim_answer_t *answer)
{
    const subscription_t *self = answer->data;
    (void) request;
    if (!handshake_passed (wait, self->challenge)) {
        meta_error (answer, 2200,
                    "The URL couldn't be validated. Response does not match challenge, "
                    "expected value=\"%s\", status %d",
                    self->challenge, wait != NULL ? wait->status : 0);
        return;
    }
    meta_account_t *account = table_get (sim->meta_accounts, self->account);
    if (account != NULL) {
        account->subscribed = true;
        text_replace (&account->override_url, self->url);
        text_replace (&account->override_token, self->token);
    } else {
        text_replace (&sim->settings.meta_callback, self->url);
        text_replace (&sim->settings.meta_verify_token, self->token);
    }
    answer_json (answer, 200, json_of ("{\"success\":true}"));
}

static void subscription_begin (sim_t *sim, sim_request_t *request, const char *url,
                                const char *token, const char *account, sim_answer_t *answer)
{
    subscription_t *self = arena_new_of (request->arena, subscription_t);
    self->url = arena_strdup (request->arena, url);
    self->token = arena_strdup (request->arena, token);
    self->account = account != NULL ? arena_strdup (request->arena, account) : NULL;
    answer->data = self;
    answer->finish = subscription_finish;
    answer->wait = callback_handshake (sim, self->url, self->token, self->challenge);
}

static bool url_is_sound (const char *url)
{
    return strncmp (url, "http://", 7) == 0 || strncmp (url, "https://", 8) == 0;
}

void meta_subscribe (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    meta_account_t *account = meta_account_of (sim, request, answer);
    const char *url = request_field (request, "override_callback_uri"),
               *token = request_field (request, "verify_token");
    if (account == NULL)
        return;
    if (url == NULL || *url == '\0') {
        account->subscribed = true;
        text_replace (&account->override_url, NULL);
        text_replace (&account->override_token, NULL);
        answer_json (answer, 200, json_of ("{\"success\":true}"));
    } else if (token == NULL || !url_is_sound (url)) {
        meta_error (answer, 100, "override_callback_uri needs a URL and a verify_token.");
    } else {
        subscription_begin (sim, request, url, token, account->id, answer);
    }
}

void meta_subscriptions (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    const meta_account_t *account = meta_account_of (sim, request, answer);
    if (account == NULL)
        return;
    cJSON *out = cJSON_CreateObject (), *data = json_add_array (out, "data");
    if (account->subscribed) {
        cJSON *item = cJSON_CreateObject (), *app;
        app = json_add_object (item, "whatsapp_business_api_data");
        json_add_text (app, "id", sim->settings.meta_app_id);
        json_add_text (app, "name", "Simulated App");
        json_add_text (app, "link", "https://www.facebook.com/games/?app_id=1");
        if (account->override_url != NULL)
            json_add_text (item, "override_callback_uri", account->override_url);
        cJSON_AddItemToArray (data, item);
    }
    answer_json (answer, 200, out);
}

void meta_unsubscribe (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    meta_account_t *account = meta_account_of (sim, request, answer);
    if (account == NULL)
        return;
    account->subscribed = false;
    answer_json (answer, 200, json_of ("{\"success\":true}"));
}

static bool app_of (const sim_t *sim, const sim_request_t *request, sim_answer_t *answer)
{
    if (strcmp (request->params[0], sim->settings.meta_app_id) == 0)
        return true;
    meta_unknown_object (answer, request->params[0]);
    return false;
}

void meta_app_subscribe (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    const char *url = request_field (request, "callback_url"),
               *token = request_field (request, "verify_token"),
               *object = request_field (request, "object");
    if (!app_of (sim, request, answer))
        return;
    if (object == NULL || strcmp (object, "whatsapp_business_account") != 0 || url == NULL ||
        token == NULL || !url_is_sound (url))
        meta_error (answer, 100,
                    "The parameters object (whatsapp_business_account), callback_url "
                    "and verify_token are required.");
    else
        subscription_begin (sim, request, url, token, NULL, answer);
}

void meta_app_subscriptions (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    if (!app_of (sim, request, answer))
        return;
    cJSON *out = cJSON_CreateObject (), *data = json_add_array (out, "data");
    if (sim->settings.meta_callback != NULL) {
        cJSON *item = cJSON_CreateObject ();
        json_add_text (item, "object", "whatsapp_business_account");
        json_add_text (item, "callback_url", sim->settings.meta_callback);
        json_add_bool (item, "active", true);
        json_add (item, "fields", json_of ("[{\"name\":\"messages\",\"version\":\"v23.0\"}]"));
        cJSON_AddItemToArray (data, item);
    }
    answer_json (answer, 200, out);
}

/* ---- tokens ---- */

void meta_oauth (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    const char *id = request_field (request, "client_id"),
               *secret = request_field (request, "client_secret"),
               *code = request_field (request, "code"),
               *grant = request_field (request, "grant_type");
    bool is_app = grant != NULL && strcmp (grant, "client_credentials") == 0;
    if (id == NULL || secret == NULL || strcmp (id, sim->settings.meta_app_id) != 0 ||
        strcmp (secret, sim->settings.meta_app_secret) != 0) {
        meta_error_full (answer, 400, 1, 0, "Error validating client secret.", NULL);
        return;
    }
    if (!is_app && (code == NULL || *code == '\0' || strstr (code, "invalid") != NULL)) {
        meta_error_full (answer, 400, 100, 36007, "Invalid verification code format.", NULL);
        return;
    }
    cJSON *out = cJSON_CreateObject ();
    char random[25], *token;
    sim_digits (sim, random, 24);
    token = is_app ? must_printf ("%s|%s", id, secret) : must_printf ("EAAG%s", random);
    table_mark (sim->meta_tokens, token);
    json_add_text (out, "access_token", token);
    json_add_text (out, "token_type", "bearer");
    if (!is_app)
        json_add_number (out, "expires_in", 5183944);
    free (token);
    answer_json (answer, 200, out);
}

static bool token_is_valid (const sim_t *sim, const char *token)
{
    return sim->settings.meta_token == NULL || strcmp (sim->settings.meta_token, token) == 0 ||
           table_has (sim->meta_tokens, token);
}

void meta_debug_token (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    const char *token = request_query (request, "input_token");
    table_entry_t *at = NULL;
    if (token == NULL) {
        meta_error (answer, 100, "The parameter input_token is required.");
        return;
    }
    cJSON *out = cJSON_CreateObject (), *data = json_add_object (out, "data"), *scope, *targets;
    int64_t now_s = sim_now_ms (sim) / 1000;
    json_add_text (data, "app_id", sim->settings.meta_app_id);
    json_add_text (data, "type", "SYSTEM_USER");
    json_add_text (data, "application", "Simulated App");
    json_add_number (data, "data_access_expires_at", 0);
    json_add_number (data, "expires_at", 0);
    json_add_bool (data, "is_valid", token_is_valid (sim, token));
    json_add_number (data, "issued_at", (double) now_s);
    json_add (data, "scopes",
              json_of ("[\"whatsapp_business_management\",\"whatsapp_business_messaging\"]"));
    scope = cJSON_CreateObject ();
    cJSON_AddItemToArray (json_add_array (data, "granular_scopes"), scope);
    json_add_text (scope, "scope", "whatsapp_business_management");
    targets = json_add_array (scope, "target_ids");
    while (table_next (sim->meta_accounts, &at) != NULL)
        cJSON_AddItemToArray (targets, cJSON_CreateString (table_key (at)));
    json_add_text (data, "user_id", "122100000000001");
    answer_json (answer, 200, out);
}

/* ---- nodes ---- */

static bool account_node (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    const meta_account_t *account = table_get (sim->meta_accounts, request->params[0]);
    const char *fields = request_query (request, "fields");
    if (account == NULL || strcmp (request->method, "GET") != 0)
        return false;
    cJSON *full = cJSON_CreateObject ();
    json_add_text (full, "id", account->id);
    json_add_text (full, "name", account->name);
    json_add_text (full, "currency", "USD");
    json_add_text (full, "timezone_id", "1");
    json_add_text (full, "message_template_namespace", "5a9e1b2c_0000_4000_8000_000000000001");
    json_add_text (full, "account_review_status", "APPROVED");
    json_add_text (full, "business_verification_status", "verified");
    json_add (full, "health_status", json_of ("{\"can_send_message\":\"AVAILABLE\"}"));
    answer_json (answer, 200,
                 json_fields (full, fields != NULL
                                        ? fields
                                        : "name,timezone_id,message_template_namespace"));
    cJSON_Delete (full);
    return true;
}

static void node_any (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    if (!meta_media_node (sim, request, answer) && !meta_number_node (sim, request, answer) &&
        !meta_template_node (sim, request, answer) && !account_node (sim, request, answer))
        meta_unknown_object (answer, request->params[0]);
}

void meta_node_get (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    if (strncmp (request->params[0], "upload:", 7) == 0)
        meta_upload_state (sim, request, answer);
    else
        node_any (sim, request, answer);
}

void meta_node_post (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    if (strncmp (request->params[0], "upload:", 7) == 0)
        meta_upload_piece (sim, request, answer);
    else
        node_any (sim, request, answer);
}

void meta_node_delete (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    node_any (sim, request, answer);
}

const sim_route_t meta_routes[] = {{"POST", "/{}/messages", meta_send},
                                   {"POST", "/{}/marketing_messages", meta_marketing_send},
                                   {"POST", "/{}/media", meta_media_upload},
                                   {"GET", "/whatsapp_business/attachments", meta_media_download},
                                   {"GET", "/{}/message_templates", meta_templates_list},
                                   {"POST", "/{}/message_templates", meta_template_create},
                                   {"DELETE", "/{}/message_templates", meta_templates_delete},
                                   {"GET", "/{}/phone_numbers", meta_number_list},
                                   {"POST", "/{}/phone_numbers", meta_number_create},
                                   {"POST", "/{}/request_code", meta_number_code},
                                   {"POST", "/{}/verify_code", meta_number_verify},
                                   {"POST", "/{}/register", meta_number_register},
                                   {"POST", "/{}/deregister", meta_number_deregister},
                                   {"GET", "/{}/whatsapp_business_profile", meta_profile_get},
                                   {"POST", "/{}/whatsapp_business_profile", meta_profile_set},
                                   {"GET", "/{}/settings", meta_settings_get},
                                   {"POST", "/{}/settings", meta_settings_set},
                                   {"POST", "/{}/subscribed_apps", meta_subscribe},
                                   {"GET", "/{}/subscribed_apps", meta_subscriptions},
                                   {"DELETE", "/{}/subscribed_apps", meta_unsubscribe},
                                   {"POST", "/{}/subscriptions", meta_app_subscribe},
                                   {"GET", "/{}/subscriptions", meta_app_subscriptions},
                                   {"POST", "/{}/uploads", meta_upload_begin},
                                   {"GET", "/oauth/access_token", meta_oauth},
                                   {"POST", "/oauth/access_token", meta_oauth},
                                   {"GET", "/debug_token", meta_debug_token},
                                   {"GET", "/{}", meta_node_get},
                                   {"POST", "/{}", meta_node_post},
                                   {"DELETE", "/{}", meta_node_delete},
                                   {0}};
