/* meta_numbers.c - WhatsApp numbers: node, registration, profile, settings (spec section 5). How it fails: in Graph's envelope. */
#include "meta.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void meta_number_free (void *value)
{
    meta_number_t *self = value;
    cJSON_Delete (self->node);
    cJSON_Delete (self->profile);
    cJSON_Delete (self->settings);
    free (self->pin);
    free (self->override_url);
    free (self->override_token);
    free (self);
}

/* ---- making ---- */

static meta_number_t *number_new (sim_t *sim, const char *id, const char *account)
{
    meta_number_t *self = must_alloc (sizeof *self);
    snprintf (self->id, sizeof self->id, "%s", id);
    snprintf (self->account, sizeof self->account, "%s", account);
    self->node = json_of (
        "{\"verified_name\":\"Simulated Business\",\"display_phone_number\":\"\","
        "\"quality_rating\":\"GREEN\",\"code_verification_status\":\"VERIFIED\","
        "\"name_status\":\"APPROVED\",\"new_name_status\":\"NONE\",\"status\":\"CONNECTED\","
        "\"platform_type\":\"CLOUD_API\",\"account_mode\":\"LIVE\","
        "\"throughput\":{\"level\":\"STANDARD\"},\"messaging_limit_tier\":\"TIER_2K\","
        "\"whatsapp_business_manager_messaging_limit\":\"TIER_2K\","
        "\"is_official_business_account\":false,\"is_pin_enabled\":false,"
        "\"last_onboarded_time\":\"2026-01-02T03:04:05+0000\"}");
    self->profile = json_of ("{\"messaging_product\":\"whatsapp\",\"about\":\"Simulated\","
                             "\"address\":\"\",\"description\":\"\",\"email\":\"\",\"websites\":[],"
                             "\"vertical\":\"UNDEFINED\"}");
    self->settings = json_of ("{\"calling\":{\"status\":\"DISABLED\"},"
                              "\"payload_encryption\":{\"status\":\"DISABLED\"},"
                              "\"storage_configuration\":{\"status\":\"DEFAULT\"},"
                              "\"user_identity_change\":{\"enable_identity_key_check\":false}}");
    json_set_text (self->node, "id", id);
    meta_account_need (sim, account);
    table_put (sim->meta_numbers, id, self);
    return self;
}

static void number_display (meta_number_t *self, const char *display)
{
    json_set_text (self->node, "display_phone_number", display);
    digits_of (display, self->digits, sizeof self->digits);
}

static bool id_is_sound (const char *id)
{
    return id != NULL && *id != '\0' && strlen (id) < 32 && id[strspn (id, "0123456789")] == '\0';
}

const char *meta_number_put (sim_t *sim, const cJSON *in)
{
    static const char fields[] =
        "provider phone_number_id waba_id display_phone_number verified_name quality_rating status "
        "name_status throughput messaging_limit_tier platform_type account_mode "
        "code_verification_status is_official_business_account";
    const cJSON *unknown = json_unknown (in, fields), *member;
    const char *id = json_text (in, "phone_number_id"), *account = json_text (in, "waba_id"),
               *display = json_text (in, "display_phone_number");
    char digits[24];
    if (unknown != NULL)
        return unknown->string;
    if (!id_is_sound (id))
        return "phone_number_id";
    meta_number_t *self = table_get (sim->meta_numbers, id);
    if (self == NULL || account != NULL)
        if (!id_is_sound (account))
            return "waba_id";
    digits_of (display != NULL ? display : "", digits, sizeof digits);
    if ((self == NULL || display != NULL) &&
        (strlen (digits) < 5 || digits[strspn (digits, "0123456789")] != '\0'))
        return "display_phone_number";
    if (self == NULL)
        self = number_new (sim, id, account);
    else if (account != NULL)
        snprintf (self->account, sizeof self->account, "%s", account);
    meta_account_need (sim, self->account);
    cJSON_ArrayForEach (member, in)
    {
        if (!word_in ("provider phone_number_id waba_id display_phone_number", member->string))
            json_set (self->node, member->string, cJSON_Duplicate (member, true));
    }
    if (display != NULL)
        number_display (self, display);
    return NULL;
}

cJSON *meta_number_show (const meta_number_t *self)
{
    cJSON *out = cJSON_CreateObject ();
    const cJSON *member;
    json_add_text (out, "provider", "meta");
    json_add_text (out, "phone_number_id", self->id);
    json_add_text (out, "waba_id", self->account);
    cJSON_ArrayForEach (member, self->node)
    {
        if (strcmp (member->string, "id") != 0)
            json_add_copy (out, member->string, member);
    }
    return out;
}

/* ---- finding ---- */

meta_number_t *meta_number_of (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    meta_number_t *self = table_get (sim->meta_numbers, request->params[0]);
    if (self == NULL)
        meta_unknown_object (answer, request->params[0]);
    return self;
}

meta_number_t *meta_number_by_digits (sim_t *sim, const char *number)
{
    char digits[24];
    table_entry_t *at = NULL;
    meta_number_t *self;
    digits_of (number, digits, sizeof digits);
    while ((self = table_next (sim->meta_numbers, &at)) != NULL)
        if (strcmp (self->digits, digits) == 0 || strcmp (self->id, number) == 0)
            return self;
    return NULL;
}

/* ---- the node ---- */

static void success (sim_answer_t *answer)
{
    answer_json (answer, 200, json_of ("{\"success\":true}"));
}

static void number_show (const sim_t *sim, sim_request_t *request, const meta_number_t *self,
                         sim_answer_t *answer)
{
    const char *fields = request_query (request, "fields");
    const meta_account_t *account = table_get (sim->meta_accounts, self->account);
    cJSON *full = cJSON_Duplicate (self->node, true),
          *hooks = json_add_object (full, "webhook_configuration");
    if (sim->settings.meta_callback != NULL)
        json_add_text (hooks, "application", sim->settings.meta_callback);
    if (account != NULL && account->override_url != NULL)
        json_add_text (hooks, "whatsapp_business_account", account->override_url);
    if (self->override_url != NULL)
        json_add_text (hooks, "phone_number", self->override_url);
    answer_json (answer, 200,
                 json_fields (full, fields != NULL
                                        ? fields
                                        : "verified_name,display_phone_number,quality_rating,"
                                          "code_verification_status,platform_type,throughput"));
    cJSON_Delete (full);
}

static bool pin_is_sound (const char *pin)
{
    return pin != NULL && strlen (pin) == 6 && strspn (pin, "0123456789") == 6;
}

static void number_edit (sim_request_t *request, meta_number_t *self, sim_answer_t *answer)
{
    const char *pin = request_field (request, "pin"),
               *name = request_field (request, "new_display_name");
    const cJSON *hooks = json_get (request->json, "webhook_configuration");
    const char *url = json_text (hooks, "override_callback_uri");
    if (pin != NULL && !pin_is_sound (pin)) {
        meta_error (answer, 100, "Param pin must be 6 digits.");
        return;
    }
    if (pin == NULL && name == NULL && url == NULL) {
        meta_error (answer, 100,
                    "One of pin, new_display_name and webhook_configuration is needed.");
        return;
    }
    if (pin != NULL) {
        text_replace (&self->pin, pin);
        json_set (self->node, "is_pin_enabled", cJSON_CreateTrue ());
    }
    if (name != NULL)
        json_set_text (self->node, "new_name_status", "PENDING_REVIEW");
    if (url != NULL) {
        text_replace (&self->override_url, *url != '\0' ? url : NULL);
        text_replace (&self->override_token, json_text (hooks, "verify_token"));
    }
    success (answer);
}

/* GET and POST /{PHONE}. */
bool meta_number_node (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    meta_number_t *self = table_get (sim->meta_numbers, request->params[0]);
    if (self == NULL || strcmp (request->method, "DELETE") == 0)
        return false;
    if (strcmp (request->method, "POST") == 0)
        number_edit (request, self, answer);
    else
        number_show (sim, request, self, answer);
    return true;
}

/* ---- registration ---- */

void meta_number_list (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    const meta_account_t *account = meta_account_of (sim, request, answer);
    table_entry_t *at = NULL;
    const meta_number_t *one;
    if (account == NULL)
        return;
    cJSON *items = cJSON_CreateArray ();
    const char *fields = request_query (request, "fields");
    while ((one = table_next (sim->meta_numbers, &at)) != NULL)
        if (strcmp (one->account, account->id) == 0)
            cJSON_AddItemToArray (items, json_fields (one->node, fields));
    meta_paged (request, answer, items);
}

void meta_number_create (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    const meta_account_t *account = meta_account_of (sim, request, answer);
    const char *cc = request_field (request, "cc"),
               *number = request_field (request, "phone_number"),
               *name = request_field (request, "verified_name");
    char id[32];
    if (account == NULL)
        return;
    if (cc == NULL || number == NULL || name == NULL) {
        meta_error (answer, 100, "The parameters cc, phone_number and verified_name are required.");
        return;
    }
    char *display = must_printf ("+%s %s", cc, number);
    if (meta_number_by_digits (sim, display) != NULL) {
        meta_error_full (answer, 400, 100, 2388012, "Phone number already exists",
                         "The number is in use.");
    } else {
        sim_digits (sim, id, 15);
        meta_number_t *self = number_new (sim, id, account->id);
        number_display (self, display);
        json_set_text (self->node, "verified_name", name);
        json_set_text (self->node, "status", "PENDING");
        json_set_text (self->node, "code_verification_status", "NOT_VERIFIED");
        cJSON *out = cJSON_CreateObject ();
        json_add_text (out, "id", id);
        answer_json (answer, 200, out);
    }
    free (display);
}

void meta_number_code (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    const char *method = request_field (request, "code_method");
    if (meta_number_of (sim, request, answer) == NULL)
        return;
    if (method == NULL || !word_in ("SMS VOICE", method) ||
        request_field (request, "language") == NULL)
        meta_error (answer, 100,
                    "The parameters code_method (SMS or VOICE) and language are required.");
    else
        success (answer);
}

/* Any code of six digits but 000000 is right. */
void meta_number_verify (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    meta_number_t *self = meta_number_of (sim, request, answer);
    const char *code = request_field (request, "code");
    if (self == NULL)
        return;
    if (!pin_is_sound (code) || strcmp (code, "000000") == 0) {
        meta_error_full (answer, 400, 136025, 0, "Verification code is wrong", NULL);
        return;
    }
    json_set_text (self->node, "code_verification_status", "VERIFIED");
    success (answer);
}

void meta_number_register (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    meta_number_t *self = meta_number_of (sim, request, answer);
    const char *pin = request_field (request, "pin");
    if (self == NULL)
        return;
    if (!pin_is_sound (pin)) {
        meta_error (answer, 100, "Param pin must be 6 digits.");
    } else if (strcmp (json_text (self->node, "code_verification_status"), "VERIFIED") != 0) {
        meta_error (answer, 133006, "The number must be verified first.");
    } else if (self->pin != NULL && strcmp (self->pin, pin) != 0) {
        meta_error (answer, 133005, "The PIN is not the one that was set.");
    } else {
        text_replace (&self->pin, pin);
        json_set (self->node, "is_pin_enabled", cJSON_CreateTrue ());
        json_set_text (self->node, "status", "CONNECTED");
        success (answer);
    }
}

void meta_number_deregister (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    meta_number_t *self = meta_number_of (sim, request, answer);
    if (self == NULL)
        return;
    json_set_text (self->node, "status", "DISCONNECTED");
    success (answer);
}

/* ---- profile and settings ---- */

void meta_profile_get (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    const meta_number_t *self = meta_number_of (sim, request, answer);
    const char *fields = request_query (request, "fields");
    if (self == NULL)
        return;
    cJSON *out = cJSON_CreateObject (), *item;
    item = json_fields (self->profile, fields != NULL ? fields : "messaging_product");
    if (json_get (item, "messaging_product") == NULL)
        json_add_text (item, "messaging_product", "whatsapp");
    cJSON_AddItemToArray (json_add_array (out, "data"), item);
    answer_json (answer, 200, out);
}

void meta_profile_set (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    static const field_rule_t fields[] = {{"messaging_product", 's', true, 0},
                                          {"about", 's', false, 139},
                                          {"address", 's', false, 256},
                                          {"description", 's', false, 512},
                                          {"email", 's', false, 128},
                                          {"websites", 'a', false, 2},
                                          {"vertical", 's', false, 32},
                                          {"profile_picture_handle", 's', false, 0},
                                          {0}};
    meta_number_t *self = meta_number_of (sim, request, answer);
    check_t check = {0};
    const cJSON *member;
    if (self == NULL)
        return;
    if (!check_object (&check, request->json, "whatsapp_business_profile", fields)) {
        meta_error (answer, 100, "%s", check.details);
        return;
    }
    cJSON_ArrayForEach (member, request->json)
    {
        if (strcmp (member->string, "profile_picture_handle") == 0)
            json_set_text (self->profile, "profile_picture_url",
                           "https://pps.whatsapp.net/v/simulated");
        else if (strcmp (member->string, "messaging_product") != 0)
            json_set (self->profile, member->string, cJSON_Duplicate (member, true));
    }
    success (answer);
}

void meta_settings_get (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    const meta_number_t *self = meta_number_of (sim, request, answer);
    if (self != NULL)
        answer_json (answer, 200, cJSON_Duplicate (self->settings, true));
}

/* One group per call, merged member by member. */
void meta_settings_set (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    meta_number_t *self = meta_number_of (sim, request, answer);
    static const char groups[] =
        "calling payload_encryption storage_configuration user_identity_change";
    const cJSON *group = cJSON_IsObject (request->json) ? request->json->child : NULL, *member;
    if (self == NULL)
        return;
    if (group == NULL || group->next != NULL || !word_in (groups, group->string) ||
        !cJSON_IsObject (group)) {
        meta_error (answer, 100, "Exactly one of {%s} is needed.", groups);
        return;
    }
    cJSON *stored = cJSON_GetObjectItemCaseSensitive (self->settings, group->string);
    cJSON_ArrayForEach (member, group)
    {
        json_set (stored, member->string, cJSON_Duplicate (member, true));
    }
    success (answer);
}
