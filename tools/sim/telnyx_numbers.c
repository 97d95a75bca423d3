/* telnyx_numbers.c - the account's numbers and messaging profiles (spec sections 3.6 and 4), and the routes of Telnyx v2. How it fails: in Telnyx's
 * envelope. */
#include "telnyx.h"

#include "base/text.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- numbers ---- */

cJSON *telnyx_number_find (const sim_t *sim, const char *id_or_number)
{
    table_entry_t *at = NULL;
    cJSON *one = table_get (sim->telnyx_numbers, id_or_number);
    char number[40];
    if (one != NULL || id_or_number == NULL)
        return one;
    snprintf (number, sizeof number, "+%s", id_or_number);
    one = table_get (sim->telnyx_numbers, number);
    if (one != NULL)
        return one;
    while ((one = table_next (sim->telnyx_numbers, &at)) != NULL)
        if (strcmp (json_text (one, "id"), id_or_number) == 0)
            return one;
    return NULL;
}

static cJSON *number_new (sim_t *sim, const char *number)
{
    char id[24], time[40];
    cJSON *out = cJSON_CreateObject ();
    sim_digits (sim, id, 19);
    id[0] = '1'; /* within 63 bits */
    telnyx_time (sim_now_ms (sim), time);
    json_add_text (out, "id", id);
    json_add_text (out, "record_type", "phone_number");
    json_add_text (out, "phone_number", number);
    json_add_text (out, "status", "active");
    json_add_array (out, "tags");
    json_add_text (out, "connection_id", NULL);
    json_add_text (out, "connection_name", NULL);
    json_add_text (out, "messaging_profile_id", NULL);
    json_add_text (out, "messaging_profile_name", NULL);
    json_add_text (out, "billing_group_id", NULL);
    json_add_text (out, "customer_reference", NULL);
    json_add_text (out, "phone_number_type", "local");
    json_add_text (out, "country_iso_alpha2",
                   strncmp (number, "+1", 2) == 0    ? "US"
                   : strncmp (number, "+44", 3) == 0 ? "GB"
                                                     : "ZZ");
    json_add_bool (out, "emergency_enabled", false);
    json_add_bool (out, "t38_fax_gateway_enabled", false);
    json_add_text (out, "purchased_at", time);
    json_add_text (out, "created_at", time);
    table_put (sim->telnyx_numbers, number, out);
    return out;
}

static void number_profile_set (const sim_t *sim, cJSON *number, const char *profile)
{
    bool given = profile != NULL && *profile != '\0';
    json_set_text (number, "messaging_profile_id", given ? profile : NULL);
    json_set_text (number, "messaging_profile_name",
                   given ? json_text (table_get (sim->telnyx_profiles, profile), "name") : NULL);
}

const char *telnyx_number_put (sim_t *sim, const cJSON *in)
{
    const cJSON *unknown = json_unknown (
        in, "provider phone_number messaging_profile_id connection_id customer_reference tags");
    const char *number = json_text (in, "phone_number"),
               *profile = json_text (in, "messaging_profile_id");
    const cJSON *member;
    if (unknown != NULL)
        return unknown->string;
    if (number == NULL || !text_is_e164 (number))
        return "phone_number";
    if (profile == NULL)
        profile = json_text (telnyx_profile_default (sim), "id");
    if (table_get (sim->telnyx_profiles, profile) == NULL)
        return "messaging_profile_id";
    cJSON *self = table_get (sim->telnyx_numbers, number);
    if (self == NULL)
        self = number_new (sim, number);
    number_profile_set (sim, self, profile);
    cJSON_ArrayForEach (member, in)
    {
        if (word_in ("connection_id customer_reference tags", member->string))
            json_set (self, member->string, cJSON_Duplicate (member, true));
    }
    return NULL;
}

void telnyx_number_list (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    static const char *const filters[] = {"phone_number", "status", "connection_id",
                                          "customer_reference", "messaging_profile_id"};
    table_entry_t *at = NULL;
    const cJSON *one;
    cJSON *items = cJSON_CreateArray ();
    while ((one = table_next (sim->telnyx_numbers, &at)) != NULL) {
        bool fits = true;
        for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++) {
            const char *name = arena_printf (request->arena, "filter[%s]", filters[i]);
            const char *wanted = request_query (request, name), *its = json_text (one, filters[i]);
            fits = fits && (wanted == NULL || (its != NULL && strstr (its, wanted) != NULL));
        }
        if (fits)
            cJSON_AddItemToArray (items, cJSON_Duplicate (one, true));
    }
    telnyx_paged (request, answer, items);
}

static cJSON *number_of (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    cJSON *number = telnyx_number_find (sim, request->params[0]);
    if (number == NULL)
        telnyx_error (answer, 404, "10005", NULL, "There is no such phone number.");
    return number;
}

void telnyx_number_get (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    const cJSON *number = number_of (sim, request, answer);
    if (number != NULL)
        telnyx_data (answer, 200, cJSON_Duplicate (number, true));
}

void telnyx_number_patch (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    static const char fields[] = "connection_id billing_group_id customer_reference tags "
                                 "external_pin hd_voice_enabled address_id";
    cJSON *number = number_of (sim, request, answer);
    const cJSON *member;
    if (number == NULL || !telnyx_body_is_object (request, answer))
        return;
    cJSON_ArrayForEach (member, request->json)
    {
        if (word_in (fields, member->string))
            json_set (number, member->string, cJSON_Duplicate (member, true));
    }
    telnyx_data (answer, 200, cJSON_Duplicate (number, true));
}

void telnyx_number_delete (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    cJSON *number = number_of (sim, request, answer);
    if (number == NULL)
        return;
    cJSON *shown = cJSON_Duplicate (number, true);
    json_set_text (shown, "status", "deleted");
    table_drop (sim->telnyx_numbers, json_text (shown, "phone_number"));
    telnyx_data (answer, 200, shown);
}

static cJSON *messaging_show (const cJSON *number)
{
    cJSON *out = cJSON_CreateObject ();
    json_add_text (out, "record_type", "messaging_settings");
    json_add_copy (out, "id", json_get (number, "id"));
    json_add_copy (out, "phone_number", json_get (number, "phone_number"));
    json_add_text (out, "messaging_profile_id", json_text (number, "messaging_profile_id"));
    json_add_text (out, "messaging_product", "A2P");
    json_add_text (out, "traffic_type", "A2P");
    json_add_text (out, "type", "long-code");
    json_add_text (out, "country_code", json_text (number, "country_iso_alpha2"));
    json_add_copy (out, "tags", json_get (number, "tags"));
    json_add (out, "features",
              json_of ("{\"sms\":{\"domestic_two_way\":true,\"international_inbound\":true,"
                       "\"international_outbound\":true},\"mms\":{\"domestic_two_way\":true,"
                       "\"international_inbound\":false,\"international_outbound\":false}}"));
    return out;
}

void telnyx_number_messaging_list (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    table_entry_t *at = NULL;
    const cJSON *one;
    cJSON *items = cJSON_CreateArray ();
    while ((one = table_next (sim->telnyx_numbers, &at)) != NULL)
        cJSON_AddItemToArray (items, messaging_show (one));
    telnyx_paged (request, answer, items);
}

void telnyx_number_messaging_get (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    const cJSON *number = number_of (sim, request, answer);
    if (number != NULL)
        telnyx_data (answer, 200, messaging_show (number));
}

void telnyx_number_messaging_patch (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    cJSON *number = number_of (sim, request, answer);
    const char *profile = json_text (request->json, "messaging_profile_id");
    if (number == NULL || !telnyx_body_is_object (request, answer))
        return;
    if (profile != NULL && *profile != '\0' && table_get (sim->telnyx_profiles, profile) == NULL) {
        telnyx_error (answer, 422, "10015", "/messaging_profile_id", "There is no such profile.");
        return;
    }
    if (profile != NULL)
        number_profile_set (sim, number, profile);
    if (cJSON_IsArray (json_get (request->json, "tags")))
        json_set (number, "tags", cJSON_Duplicate (json_get (request->json, "tags"), true));
    telnyx_data (answer, 200, messaging_show (number));
}

static cJSON *voice_show (const cJSON *number)
{
    cJSON *out = cJSON_CreateObject ();
    json_add_text (out, "record_type", "voice_settings");
    json_add_copy (out, "id", json_get (number, "id"));
    json_add_copy (out, "phone_number", json_get (number, "phone_number"));
    json_add_text (out, "connection_id", json_text (number, "connection_id"));
    json_add_text (out, "customer_reference", json_text (number, "customer_reference"));
    json_add (out, "call_forwarding", json_of ("{\"call_forwarding_enabled\":false}"));
    return out;
}

void telnyx_number_voice_get (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    const cJSON *number = number_of (sim, request, answer);
    if (number != NULL)
        telnyx_data (answer, 200, voice_show (number));
}

void telnyx_number_voice_patch (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    cJSON *number = number_of (sim, request, answer);
    const char *connection = json_text (request->json, "connection_id");
    if (number == NULL)
        return;
    if (connection != NULL)
        json_set_text (number, "connection_id", connection);
    telnyx_data (answer, 200, voice_show (number));
}

/* ---- account ---- */

void telnyx_balance (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    (void) sim;
    (void) request;
    telnyx_data (
        answer, 200,
        json_of ("{\"record_type\":\"balance\",\"balance\":\"300.00\",\"credit_limit\":\"100.00\","
                 "\"available_credit\":\"400.00\",\"pending\":\"10.00\",\"currency\":\"USD\"}"));
}

void telnyx_public_key (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    char base64[48];
    cJSON *out = cJSON_CreateObject ();
    (void) request;
    text_write_base64 (sim->telnyx_public, sizeof sim->telnyx_public, base64);
    json_add_text (out, "record_type", "public_key");
    json_add_text (out, "public", base64);
    telnyx_data (answer, 200, out);
}

const sim_route_t telnyx_routes[] = {
    {"POST", "/messages", telnyx_send},
    {"POST", "/messages/long_code", telnyx_send_long_code},
    {"POST", "/messages/short_code", telnyx_send_long_code},
    {"POST", "/messages/number_pool", telnyx_send_pool},
    {"POST", "/messages/alphanumeric_sender_id", telnyx_send_pool},
    {"POST", "/messages/group_mms", telnyx_send_group},
    {"GET", "/messages/{}", telnyx_message_get},
    {"DELETE", "/messages/{}", telnyx_message_cancel},
    {"GET", "/available_phone_numbers", telnyx_search},
    {"POST", "/number_orders", telnyx_order_create},
    {"GET", "/number_orders", telnyx_order_list},
    {"GET", "/number_orders/{}", telnyx_order_get},
    {"PATCH", "/number_orders/{}", telnyx_order_patch},
    {"GET", "/phone_numbers", telnyx_number_list},
    {"GET", "/phone_numbers/messaging", telnyx_number_messaging_list},
    {"GET", "/phone_numbers/{}", telnyx_number_get},
    {"PATCH", "/phone_numbers/{}", telnyx_number_patch},
    {"DELETE", "/phone_numbers/{}", telnyx_number_delete},
    {"GET", "/phone_numbers/{}/messaging", telnyx_number_messaging_get},
    {"PATCH", "/phone_numbers/{}/messaging", telnyx_number_messaging_patch},
    {"GET", "/phone_numbers/{}/voice", telnyx_number_voice_get},
    {"PATCH", "/phone_numbers/{}/voice", telnyx_number_voice_patch},
    {"GET", "/messaging_profiles", telnyx_profile_list},
    {"POST", "/messaging_profiles", telnyx_profile_create},
    {"GET", "/messaging_profiles/{}", telnyx_profile_get},
    {"PATCH", "/messaging_profiles/{}", telnyx_profile_patch},
    {"DELETE", "/messaging_profiles/{}", telnyx_profile_delete},
    {"GET", "/messaging_profiles/{}/phone_numbers", telnyx_profile_numbers},
    {"GET", "/balance", telnyx_balance},
    {"GET", "/public_key", telnyx_public_key},
    {"GET", "/telnyx-media/{}", telnyx_media_get},
    {0}};
