/* meta_templates.c - message templates: list, create, edit, delete, review (spec section 4). How it fails: in Graph's envelope. */
#include "callbacks.h"
#include "meta.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void meta_template_free (void *value)
{
    meta_template_t *self = value;
    cJSON_Delete (self->node);
    free (self);
}

static const char *node_id (const meta_template_t *self)
{
    return json_text (self->node, "id");
}

meta_template_t *meta_template_find (const sim_t *sim, const char *account, const char *name,
                                     const char *language)
{
    table_entry_t *at = NULL;
    meta_template_t *one;
    while ((one = table_next (sim->meta_templates, &at)) != NULL)
        if (strcmp (one->account, account) == 0 && name != NULL && language != NULL &&
            strcmp (json_text (one->node, "name"), name) == 0 &&
            strcmp (json_text (one->node, "language"), language) == 0)
            return one;
    return NULL;
}

/* ---- telling ---- */

static void template_tell (sim_t *sim, const meta_template_t *self, const char *event,
                           const char *reason)
{
    const meta_account_t *account = table_get (sim->meta_accounts, self->account);
    cJSON *value = cJSON_CreateObject ();
    if (account == NULL) {
        cJSON_Delete (value);
        return;
    }
    json_add_text (value, "event", event);
    json_add_number (value, "message_template_id", (double) strtoll (node_id (self), NULL, 10));
    json_add_text (value, "message_template_name", json_text (self->node, "name"));
    json_add_text (value, "message_template_language", json_text (self->node, "language"));
    json_add_text (value, "message_template_category", json_text (self->node, "category"));
    json_add_text (value, "reason", reason);
    if (strcmp (event, "PAUSED") == 0) {
        cJSON *info = json_add_object (value, "other_info");
        json_add_text (info, "title", "FIRST_PAUSE");
        json_add_text (info, "description", "Paused for 3 hours");
    }
    meta_notify (sim, account, "message_template_status_update", value);
}

static void template_status (sim_t *sim, meta_template_t *self, const char *status)
{
    const char *before = json_text (self->node, "status"), *reason;
    if (before != NULL && strcmp (before, status) == 0)
        return;
    json_set_text (self->node, "status", status);
    reason = json_text (self->node, "rejected_reason");
    template_tell (sim, self, status, reason != NULL ? reason : "NONE");
}

/* After PENDING: names that hold "reject" are refused. */
static void template_review (sim_t *sim, const char *id)
{
    meta_template_t *self = table_get (sim->meta_templates, id);
    if (self == NULL || strcmp (json_text (self->node, "status"), "PENDING") != 0)
        return;
    bool refused = strstr (json_text (self->node, "name"), "reject") != NULL;
    if (refused)
        json_set_text (self->node, "rejected_reason", "INVALID_FORMAT");
    template_status (sim, self, refused ? "REJECTED" : "APPROVED");
}

/* ---- making ---- */

static meta_template_t *template_new (sim_t *sim, const char *account, const char *name,
                                      const char *language, const char *category,
                                      const char *status)
{
    char id[32];
    meta_template_t *self = must_alloc (sizeof *self);
    sim_digits (sim, id, 15);
    snprintf (self->account, sizeof self->account, "%s", account);
    self->node = cJSON_CreateObject ();
    json_add_text (self->node, "id", id);
    json_add_text (self->node, "name", name);
    json_add_text (self->node, "language", language);
    json_add_text (self->node, "status", status);
    json_add_text (self->node, "category", category);
    json_add_text (self->node, "parameter_format", "POSITIONAL");
    json_add_text (self->node, "rejected_reason", "NONE");
    json_add_text (json_add_object (self->node, "quality_score"), "score", "UNKNOWN");
    json_add_array (self->node, "components");
    table_put (sim->meta_templates, id, self);
    return self;
}

void meta_template_samples (sim_t *sim, const char *account)
{
    meta_template_t *self =
        template_new (sim, account, "hello_world", "en_US", "UTILITY", "APPROVED");
    json_set (
        self->node, "components",
        json_of ("[{\"type\":\"HEADER\",\"format\":\"TEXT\",\"text\":\"Hello World\"},"
                 "{\"type\":\"BODY\",\"text\":\"Welcome and congratulations!! This message "
                 "demonstrates your ability to send a message.\"},"
                 "{\"type\":\"FOOTER\",\"text\":\"WhatsApp Business Platform sample message\"}]"));
}

static bool name_is_sound (const char *name)
{
    size_t length = name != NULL ? strlen (name) : 0;
    return length > 0 && length <= 512 &&
           strspn (name, "abcdefghijklmnopqrstuvwxyz0123456789_") == length;
}

static bool component_is_sound (check_t *check, const cJSON *component)
{
    const char *type = json_text (component, "type"), *text = json_text (component, "text");
    if (type == NULL || !word_in ("HEADER BODY FOOTER BUTTONS CAROUSEL LIMITED_TIME_OFFER", type))
        return check_fail (check, 100,
                           "A component's type must be one of HEADER, BODY, FOOTER, "
                           "BUTTONS, CAROUSEL, LIMITED_TIME_OFFER.");
    size_t most = strcmp (type, "BODY") == 0 ? 1024 : 60;
    if (text != NULL && strlen (text) > most * 4)
        return check_fail (check, 2388040, "The text of %s is too long.", type);
    if (strcmp (type, "FOOTER") == 0 && template_placeholders (text) > 0)
        return check_fail (check, 2388073, "A footer has no variables.");
    if (strcmp (type, "HEADER") == 0 && template_placeholders (text) > 1)
        return check_fail (check, 2388072, "A header has at most one variable.");
    if (strcmp (type, "BODY") == 0 && text != NULL && template_placeholders (text) > 0 &&
        json_get (component, "example") == NULL)
        return check_fail (check, 2388043, "The body has variables and needs an example.");
    return true;
}

static bool components_are_sound (check_t *check, const cJSON *components)
{
    const cJSON *component;
    bool has_body = false;
    cJSON_ArrayForEach (component, components)
    {
        const char *type = json_text (component, "type");
        if (!component_is_sound (check, component))
            return false;
        has_body = has_body || strcmp (type, "BODY") == 0;
    }
    if (!has_body)
        return check_fail (check, 100, "A template needs a BODY component.");
    return true;
}

static bool create_is_sound (check_t *check, const cJSON *in)
{
    const char *category = json_text (in, "category"), *language = json_text (in, "language"),
               *format = json_text (in, "parameter_format");
    if (!name_is_sound (json_text (in, "name")))
        return check_fail (check, 100, "Param name must be 1 to 512 of a-z, 0-9 and _.");
    if (language == NULL || strlen (language) < 2 || strlen (language) > 8)
        return check_fail (check, 100, "Param language must be a language code.");
    if (category == NULL || !word_in ("MARKETING UTILITY AUTHENTICATION", category))
        return check_fail (check, 100,
                           "Param category must be one of {MARKETING, UTILITY, AUTHENTICATION}.");
    if (format != NULL && !word_in ("POSITIONAL NAMED", format))
        return check_fail (check, 100, "Param parameter_format must be POSITIONAL or NAMED.");
    if (json_text (in, "library_template_name") != NULL)
        return true;
    return components_are_sound (check, json_get (in, "components"));
}

static void check_answer (sim_answer_t *answer, const check_t *check)
{
    int subcode = check->code > 2000000 ? check->code : 0;
    meta_error_full (answer, 400, subcode != 0 ? 100 : check->code, subcode, "Invalid parameter",
                     check->details);
}

void meta_template_create (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    const meta_account_t *account = meta_account_of (sim, request, answer);
    const cJSON *in = request->json;
    check_t check = {0};
    if (account == NULL)
        return;
    if (!create_is_sound (&check, in)) {
        check_answer (answer, &check);
        return;
    }
    const char *name = json_text (in, "name"), *language = json_text (in, "language");
    if (meta_template_find (sim, account->id, name, language) != NULL) {
        meta_error_full (answer, 400, 100, 2388024, "Content in this language already exists",
                         "There is already content in this language for this template.");
        return;
    }
    meta_template_t *self =
        template_new (sim, account->id, name, language, json_text (in, "category"), "PENDING");
    static const char *const kept[] = {"components", "parameter_format", "message_send_ttl_seconds",
                                       "sub_category"};
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
        if (json_get (in, kept[i]) != NULL)
            json_set (self->node, kept[i], cJSON_Duplicate (json_get (in, kept[i]), true));
    callbacks_later (sim, sim->settings.template_review_ms, template_review, node_id (self));
    answer_json (answer, 200, json_fields (self->node, "id,status,category"));
}

/* ---- reading, editing, deleting ---- */

static bool template_fits (sim_request_t *request, const meta_template_t *self)
{
    static const char *const exact[] = {"status", "category", "language"};
    const char *name = request_query (request, "name");
    for (size_t i = 0; i < sizeof exact / sizeof exact[0]; i++) {
        const char *wanted = request_query (request, exact[i]);
        if (wanted != NULL && strcmp (wanted, json_text (self->node, exact[i])) != 0)
            return false;
    }
    return name == NULL || strstr (json_text (self->node, "name"), name) != NULL;
}

void meta_templates_list (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    const meta_account_t *account = meta_account_of (sim, request, answer);
    table_entry_t *at = NULL;
    const meta_template_t *one;
    if (account == NULL)
        return;
    const char *fields = request_query (request, "fields");
    cJSON *items = cJSON_CreateArray ();
    while ((one = table_next (sim->meta_templates, &at)) != NULL)
        if (strcmp (one->account, account->id) == 0 && template_fits (request, one))
            cJSON_AddItemToArray (items, json_fields (one->node, fields));
    meta_paged (request, answer, items);
}

void meta_template_remove (sim_t *sim, const char *id)
{
    const meta_template_t *self = table_get (sim->meta_templates, id);
    if (self == NULL)
        return;
    template_tell (sim, self, "PENDING_DELETION", "NONE");
    table_drop (sim->meta_templates, id);
}

/* One of this account with the name, and with the id if one is given; NULL if there is none. */
static const char *deletable (const sim_t *sim, const char *account, const char *name,
                              const char *id)
{
    table_entry_t *at = NULL;
    const meta_template_t *one;
    while ((one = table_next (sim->meta_templates, &at)) != NULL)
        if (strcmp (one->account, account) == 0 &&
            strcmp (json_text (one->node, "name"), name) == 0 &&
            (id == NULL || strcmp (id, table_key (at)) == 0))
            return table_key (at);
    return NULL;
}

void meta_templates_delete (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    const meta_account_t *account = meta_account_of (sim, request, answer);
    const char *name = request_field (request, "name"), *id = request_field (request, "hsm_id"),
               *one;
    size_t count = 0;
    if (account == NULL)
        return;
    if (name == NULL) {
        meta_error (answer, 100, "The parameter name is required.");
        return;
    }
    while ((one = deletable (sim, account->id, name, id)) != NULL) {
        meta_template_remove (sim, arena_strdup (request->arena, one));
        count++;
    }
    if (count == 0)
        meta_error_full (answer, 400, 100, 2593002, "Message Template Not Found",
                         "There is no template with this name.");
    else
        answer_json (answer, 200, json_of ("{\"success\":true}"));
}

static void template_edit (sim_t *sim, sim_request_t *request, meta_template_t *self,
                           sim_answer_t *answer)
{
    static const char fields[] = "category components message_send_ttl_seconds parameter_format "
                                 "access_token name language";
    const cJSON *components = json_get (request->json, "components"), *member;
    check_t check = {0};
    const cJSON *unknown = json_unknown (request->json, fields);
    if (unknown != NULL)
        check_fail (&check, 100, "Unexpected key \"%.64s\".", unknown->string);
    else if (!word_in ("APPROVED REJECTED PAUSED", json_text (self->node, "status")))
        check_fail (&check, 100, "A template can be edited when APPROVED, REJECTED or PAUSED.");
    else if (components != NULL)
        components_are_sound (&check, components);
    if (check.code != 0) {
        check_answer (answer, &check);
        return;
    }
    cJSON_ArrayForEach (member, request->json)
    {
        if (strcmp (member->string, "access_token") != 0)
            json_set (self->node, member->string, cJSON_Duplicate (member, true));
    }
    json_set_text (self->node, "status", "PENDING");
    callbacks_later (sim, sim->settings.template_review_ms, template_review, node_id (self));
    answer_json (answer, 200, json_of ("{\"success\":true}"));
}

/* GET and POST /{template-id}. */
bool meta_template_node (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    meta_template_t *self = table_get (sim->meta_templates, request->params[0]);
    if (self == NULL)
        return false;
    if (strcmp (request->method, "POST") == 0)
        template_edit (sim, request, self, answer);
    else if (strcmp (request->method, "GET") == 0)
        answer_json (answer, 200, json_fields (self->node, request_query (request, "fields")));
    else
        return false;
    return true;
}

/* ---- by the control API ---- */

static const char *put_check (const cJSON *in)
{
    static const char statuses[] = "APPROVED PENDING REJECTED PAUSED DISABLED IN_APPEAL "
                                   "PENDING_DELETION DELETED LIMIT_EXCEEDED ARCHIVED";
    const cJSON *unknown = json_unknown (
        in, "id waba_id name language category status components parameter_format rejected_reason "
            "quality_score sub_category message_send_ttl_seconds");
    if (!cJSON_IsObject (in))
        return "body";
    if (unknown != NULL)
        return unknown->string;
    const char *status = json_text (in, "status"), *category = json_text (in, "category");
    if (json_get (in, "status") != NULL && (status == NULL || !word_in (statuses, status)))
        return "status";
    if (json_get (in, "category") != NULL &&
        (category == NULL || !word_in ("MARKETING UTILITY AUTHENTICATION", category)))
        return "category";
    if (json_get (in, "components") != NULL && !cJSON_IsArray (json_get (in, "components")))
        return "components";
    return NULL;
}

static meta_template_t *put_target (sim_t *sim, const cJSON *in, const char **wrong)
{
    const char *id = json_text (in, "id"), *name = json_text (in, "name"),
               *language = json_text (in, "language"), *account = json_text (in, "waba_id");
    table_entry_t *at = NULL;
    *wrong = "id";
    if (id != NULL)
        return table_get (sim->meta_templates, id);
    *wrong = "name";
    if (!name_is_sound (name))
        return NULL;
    language = language != NULL ? language : "en_US";
    *wrong = "waba_id";
    if (account == NULL && table_next (sim->meta_accounts, &at) != NULL)
        account = table_key (at);
    if (account == NULL || table_get (sim->meta_accounts, account) == NULL)
        return NULL;
    meta_template_t *self = meta_template_find (sim, account, name, language);
    if (self != NULL)
        return self;
    self = template_new (sim, account, name, language, "UTILITY", "PENDING");
    json_set (self->node, "components", json_of ("[{\"type\":\"BODY\",\"text\":\"Hello\"}]"));
    return self;
}

const char *meta_template_put (sim_t *sim, const cJSON *in, const cJSON **out)
{
    const char *wrong = put_check (in);
    meta_template_t *self = wrong == NULL ? put_target (sim, in, &wrong) : NULL;
    const cJSON *member;
    if (self == NULL)
        return wrong;
    cJSON_ArrayForEach (member, in)
    {
        if (!word_in ("id waba_id status name language", member->string))
            json_set (self->node, member->string, cJSON_Duplicate (member, true));
    }
    const char *status = json_text (in, "status");
    template_status (sim, self, status != NULL ? status : "APPROVED");
    *out = self->node;
    return NULL;
}
