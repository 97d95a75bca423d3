/* telnyx_profiles.c - messaging profiles (spec section 3.6). How it fails: in Telnyx's envelope. */
#include "telnyx.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char profile_fields[] =
    "name whitelisted_destinations enabled webhook_url webhook_failover_url webhook_api_version "
    "number_pool_settings url_shortener_settings alpha_sender smart_encoding mms_fall_back_to_sms "
    "mms_transcoding daily_spend_limit daily_spend_limit_enabled mobile_only resource_group_id "
    "health_webhook_url ai_assistant_id";

static cJSON *profile_new (sim_t *sim, const char *name)
{
    char id[37], secret[33], time[40];
    cJSON *out = json_of ("{\"record_type\":\"messaging_profile\",\"enabled\":true,"
                          "\"whitelisted_destinations\":[\"*\"],\"webhook_url\":null,"
                          "\"webhook_failover_url\":null,\"webhook_api_version\":\"2\","
                          "\"number_pool_settings\":null,\"alpha_sender\":null,"
                          "\"smart_encoding\":false,\"mms_fall_back_to_sms\":false,"
                          "\"mms_transcoding\":false,\"daily_spend_limit\":null,"
                          "\"daily_spend_limit_enabled\":false}");
    sim_uuid (sim, id);
    sim_digits (sim, secret, 32);
    telnyx_time (sim_now_ms (sim), time);
    json_add_text (out, "id", id);
    json_add_text (out, "name", name);
    json_add_text (out, "v1_secret", secret);
    json_add_text (out, "created_at", time);
    json_add_text (out, "updated_at", time);
    table_put (sim->telnyx_profiles, id, out);
    return out;
}

cJSON *telnyx_profile_default (sim_t *sim)
{
    table_entry_t *at = NULL;
    cJSON *first = table_next (sim->telnyx_profiles, &at);
    return first != NULL ? first : profile_new (sim, "default");
}

static bool fields_sound (const cJSON *in, bool whole, sim_answer_t *answer)
{
    const cJSON *list = json_get (in, "whitelisted_destinations");
    if (whole && json_text (in, "name") == NULL) {
        telnyx_error (answer, 422, "10004", "/name", "The 'name' parameter is required.");
        return false;
    }
    if ((whole && list == NULL) || (list != NULL && !cJSON_IsArray (list))) {
        telnyx_error (answer, 422, "10004", "/whitelisted_destinations",
                      "The 'whitelisted_destinations' parameter is required, as an array.");
        return false;
    }
    return true;
}

static void fields_copy (cJSON *profile, const cJSON *in)
{
    const cJSON *member;
    cJSON_ArrayForEach (member, in)
    {
        if (word_in (profile_fields, member->string))
            json_set (profile, member->string, cJSON_Duplicate (member, true));
    }
}

static cJSON *profile_of (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    cJSON *profile = table_get (sim->telnyx_profiles, request->params[0]);
    if (profile == NULL)
        telnyx_error (answer, 404, "10005", NULL, "There is no such messaging profile.");
    return profile;
}

void telnyx_profile_list (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    table_entry_t *at = NULL;
    const cJSON *one;
    const char *name = request_query (request, "filter[name]");
    cJSON *items = cJSON_CreateArray ();
    while ((one = table_next (sim->telnyx_profiles, &at)) != NULL)
        if (name == NULL || strcmp (name, json_text (one, "name")) == 0)
            cJSON_AddItemToArray (items, cJSON_Duplicate (one, true));
    telnyx_paged (request, answer, items);
}

void telnyx_profile_create (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    if (!telnyx_body_is_object (request, answer) || !fields_sound (request->json, true, answer))
        return;
    cJSON *profile = profile_new (sim, json_text (request->json, "name"));
    fields_copy (profile, request->json);
    telnyx_data (answer, 200, cJSON_Duplicate (profile, true));
}

void telnyx_profile_get (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    const cJSON *profile = profile_of (sim, request, answer);
    if (profile != NULL)
        telnyx_data (answer, 200, cJSON_Duplicate (profile, true));
}

void telnyx_profile_patch (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    char time[40];
    cJSON *profile = profile_of (sim, request, answer);
    if (profile == NULL || !telnyx_body_is_object (request, answer) ||
        !fields_sound (request->json, false, answer))
        return;
    fields_copy (profile, request->json);
    telnyx_time (sim_now_ms (sim), time);
    json_set_text (profile, "updated_at", time);
    telnyx_data (answer, 200, cJSON_Duplicate (profile, true));
}

void telnyx_profile_delete (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    const cJSON *profile = profile_of (sim, request, answer);
    if (profile == NULL)
        return;
    cJSON *shown = cJSON_Duplicate (profile, true);
    table_drop (sim->telnyx_profiles, request->params[0]);
    telnyx_data (answer, 200, shown);
}

void telnyx_profile_numbers (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    table_entry_t *at = NULL;
    const cJSON *one;
    if (profile_of (sim, request, answer) == NULL)
        return;
    cJSON *items = cJSON_CreateArray ();
    while ((one = table_next (sim->telnyx_numbers, &at)) != NULL) {
        const char *its = json_text (one, "messaging_profile_id");
        if (its != NULL && strcmp (its, request->params[0]) == 0)
            cJSON_AddItemToArray (items, cJSON_Duplicate (one, true));
    }
    telnyx_paged (request, answer, items);
}
