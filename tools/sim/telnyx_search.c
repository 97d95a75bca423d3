/* telnyx_search.c - the inventory of numbers, and orders (spec section 4). Numbers are of ranges that belong to nobody. How it fails: in Telnyx's
 * envelope. */
#include "callbacks.h"
#include "telnyx.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef struct area {
    const char *country;
    const char *type;
    const char *code; /* national destination code */
    const char *prefix;
    unsigned digits; /* behind the prefix */
    unsigned first;
    unsigned count;
    const char *locality;
    const char *region;
} area_t;

static const area_t areas[] = {
    {"US", "local", "312", "+1312555", 4, 100, 100, "CHICAGO", "IL"},
    {"US", "local", "212", "+1212555", 4, 100, 100, "NEW YORK", "NY"},
    {"US", "local", "415", "+1415555", 4, 100, 100, "SAN FRANCISCO", "CA"},
    {"US", "local", "206", "+1206555", 4, 100, 100, "SEATTLE", "WA"},
    {"US", "local", "305", "+1305555", 4, 100, 100, "MIAMI", "FL"},
    {"US", "local", "512", "+1512555", 4, 100, 100, "AUSTIN", "TX"},
    {"US", "toll_free", "800", "+1800555", 4, 100, 100, "", ""},
    {"CA", "local", "416", "+1416555", 4, 100, 100, "TORONTO", "ON"},
    {"CA", "local", "604", "+1604555", 4, 100, 100, "VANCOUVER", "BC"},
    {"GB", "local", "20", "+442079460", 3, 0, 100, "LONDON", "ENG"},
    {"GB", "mobile", "7700", "+447700900", 3, 0, 100, "", ""},
    {"DE", "local", "30", "+493023125", 3, 0, 100, "BERLIN", "BE"},
    {"AU", "mobile", "491", "+61491570", 3, 0, 100, "", ""},
};

typedef struct wanted {
    const char *country, *type, *code, *locality, *region, *starts, *ends, *contains;
    size_t limit;
} wanted_t;

static bool is_or_any (const char *wanted, const char *value)
{
    return wanted == NULL || *wanted == '\0' || strcasecmp (wanted, value) == 0;
}

static bool area_fits (const area_t *area, const wanted_t *wanted)
{
    return is_or_any (wanted->country, area->country) && is_or_any (wanted->type, area->type) &&
           is_or_any (wanted->code, area->code) && is_or_any (wanted->locality, area->locality) &&
           is_or_any (wanted->region, area->region);
}

static bool number_fits (const char *number, const wanted_t *wanted)
{
    const char *starts = wanted->starts;
    size_t length = strlen (number), ends = wanted->ends != NULL ? strlen (wanted->ends) : 0;
    if (starts != NULL && strncmp (number + (*starts != '+'), starts, strlen (starts)) != 0 &&
        strstr (number, starts) == NULL)
        return false;
    if (ends > length || (ends > 0 && strcmp (number + length - ends, wanted->ends) != 0))
        return false;
    return wanted->contains == NULL || strstr (number, wanted->contains) != NULL;
}

static cJSON *region_item (const char *type, const char *name)
{
    cJSON *out = cJSON_CreateObject ();
    json_add_text (out, "region_type", type);
    json_add_text (out, "region_name", name);
    return out;
}

static cJSON *available_show (const area_t *area, const char *number)
{
    cJSON *out = cJSON_CreateObject (), *regions;
    json_add_text (out, "record_type", "available_phone_number");
    json_add_text (out, "phone_number", number);
    json_add_text (out, "vanity_format", NULL);
    json_add_bool (out, "best_effort", false);
    json_add_bool (out, "quickship", true);
    json_add_bool (out, "reservable", true);
    regions = json_add_array (out, "region_information");
    if (*area->locality != '\0') {
        cJSON_AddItemToArray (regions, region_item ("rate_center", area->locality));
        cJSON_AddItemToArray (regions, region_item ("state", area->region));
    }
    cJSON_AddItemToArray (regions, region_item ("country_code", area->country));
    json_add (
        out, "cost_information",
        json_of (
            "{\"upfront_cost\":\"1.00000\",\"monthly_cost\":\"1.00000\",\"currency\":\"USD\"}"));
    json_add (out, "features",
              json_of ("[{\"name\":\"sms\"},{\"name\":\"mms\"},{\"name\":\"voice\"}]"));
    return out;
}

static void area_search (sim_t *sim, const area_t *area, const wanted_t *wanted, cJSON *out)
{
    char number[24];
    for (unsigned i = 0; i < area->count; i++) {
        if ((size_t) cJSON_GetArraySize (out) >= wanted->limit)
            return;
        snprintf (number, sizeof number, "%s%0*u", area->prefix, (int) area->digits,
                  area->first + i);
        if (telnyx_number_find (sim, number) != NULL || !number_fits (number, wanted))
            continue;
        cJSON_AddItemToArray (out, available_show (area, number));
        table_mark (sim->telnyx_searched, number);
    }
}

void telnyx_search (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    const char *limit = request_query (request, "filter[limit]");
    wanted_t wanted = {.country = request_query (request, "filter[country_code]"),
                       .type = request_query (request, "filter[phone_number_type]"),
                       .code = request_query (request, "filter[national_destination_code]"),
                       .locality = request_query (request, "filter[locality]"),
                       .region = request_query (request, "filter[administrative_area]"),
                       .starts = request_query (request, "filter[phone_number][starts_with]"),
                       .ends = request_query (request, "filter[phone_number][ends_with]"),
                       .contains = request_query (request, "filter[phone_number][contains]"),
                       .limit = limit != NULL ? strtoull (limit, NULL, 10) : 20};
    if (wanted.limit < 1 || wanted.limit > 1000) {
        telnyx_error (answer, 422, "10015", "/filter[limit]", "The limit must be 1 to 1000.");
        return;
    }
    cJSON *out = cJSON_CreateObject (), *data = json_add_array (out, "data"), *meta;
    for (size_t i = 0; i < sizeof areas / sizeof areas[0]; i++)
        if (area_fits (&areas[i], &wanted))
            area_search (sim, &areas[i], &wanted, data);
    meta = json_add_object (out, "meta");
    json_add_number (meta, "total_results", cJSON_GetArraySize (data));
    json_add_number (meta, "best_effort_results", 0);
    answer_json (answer, 200, out);
}

/* ---- orders ---- */

static const area_t *area_of (const char *number)
{
    for (size_t i = 0; i < sizeof areas / sizeof areas[0]; i++)
        if (strncmp (areas[i].prefix, number, strlen (areas[i].prefix)) == 0)
            return &areas[i];
    return NULL;
}

static cJSON *order_number (sim_t *sim, const char *number)
{
    char id[37];
    const area_t *area = area_of (number);
    cJSON *out = cJSON_CreateObject ();
    sim_uuid (sim, id);
    json_add_text (out, "record_type", "number_order_phone_number");
    json_add_text (out, "id", id);
    json_add_text (out, "phone_number", number);
    json_add_text (out, "phone_number_type", area != NULL ? area->type : "local");
    json_add_text (out, "country_code", area != NULL ? area->country : "US");
    json_add_text (out, "status", "pending");
    json_add_bool (out, "requirements_met", true);
    json_add_text (out, "requirements_status", "approved");
    json_add_array (out, "regulatory_requirements");
    return out;
}

static void order_touch (const sim_t *sim, cJSON *order, const char *status)
{
    char time[40];
    cJSON *number;
    telnyx_time (sim_now_ms (sim), time);
    json_set_text (order, "status", status);
    json_set_text (order, "updated_at", time);
    cJSON_ArrayForEach (number, cJSON_GetObjectItemCaseSensitive (order, "phone_numbers"))
    {
        json_set_text (number, "status", status);
    }
}

/* The numbers become ours, and the order says so. */
static void order_complete (sim_t *sim, const char *id)
{
    cJSON *order = table_get (sim->telnyx_orders, id);
    const cJSON *number;
    if (order == NULL || strcmp (json_text (order, "status"), "pending") != 0)
        return;
    cJSON_ArrayForEach (number, json_get (order, "phone_numbers"))
    {
        cJSON *in = cJSON_CreateObject ();
        json_add_text (in, "phone_number", json_text (number, "phone_number"));
        json_add_copy (in, "messaging_profile_id", json_get (order, "messaging_profile_id"));
        json_add_copy (in, "connection_id", json_get (order, "connection_id"));
        json_add_copy (in, "customer_reference", json_get (order, "customer_reference"));
        telnyx_number_put (sim, in);
        cJSON_Delete (in);
    }
    order_touch (sim, order, "success");
    callback_t *callback =
        callback_new (PROVIDER_TELNYX, "number_order.complete", sim->settings.telnyx_callback,
                      telnyx_event (sim, "number_order.complete", cJSON_Duplicate (order, true)));
    callback_message (callback, id);
    callbacks_post (sim, &callback, 1, NULL);
}

static bool order_check (const sim_t *sim, const cJSON *in, sim_answer_t *answer)
{
    const cJSON *numbers = json_get (in, "phone_numbers"), *one;
    const char *profile = json_text (in, "messaging_profile_id");
    if (!cJSON_IsArray (numbers) || numbers->child == NULL) {
        telnyx_error (answer, 422, "10004", "/phone_numbers", "At least one number is needed.");
        return false;
    }
    cJSON_ArrayForEach (one, numbers)
    {
        const char *number = json_text (one, "phone_number");
        if (number == NULL || !table_has (sim->telnyx_searched, number)) {
            telnyx_error (answer, 422, "85000", "/phone_numbers",
                          "You must search for numbers before ordering them.");
            return false;
        }
        if (telnyx_number_find (sim, number) != NULL) {
            telnyx_error (answer, 422, "85001", "/phone_numbers", "%s is not available.", number);
            return false;
        }
    }
    if (profile != NULL && *profile != '\0' && table_get (sim->telnyx_profiles, profile) == NULL) {
        telnyx_error (answer, 422, "85005", "/messaging_profile_id", "There is no such profile.");
        return false;
    }
    return true;
}

void telnyx_order_create (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    static const char *const copied[] = {"connection_id", "messaging_profile_id",
                                         "billing_group_id", "customer_reference"};
    char id[37], sub[37], time[40];
    const cJSON *one, *in = request->json;
    if (!telnyx_body_is_object (request, answer) || !order_check (sim, in, answer))
        return;
    cJSON *order = cJSON_CreateObject (), *numbers;
    sim_uuid (sim, id);
    sim_uuid (sim, sub);
    json_add_text (order, "record_type", "number_order");
    json_add_text (order, "id", id);
    json_add_text (order, "status", "pending");
    numbers = json_add_array (order, "phone_numbers");
    cJSON_ArrayForEach (one, json_get (in, "phone_numbers"))
    {
        cJSON_AddItemToArray (numbers, order_number (sim, json_text (one, "phone_number")));
    }
    json_add_number (order, "phone_numbers_count", cJSON_GetArraySize (numbers));
    cJSON_AddItemToArray (json_add_array (order, "sub_number_orders_ids"),
                          cJSON_CreateString (sub));
    for (size_t i = 0; i < sizeof copied / sizeof copied[0]; i++)
        json_add_text (order, copied[i], json_text (in, copied[i]));
    json_add_bool (order, "requirements_met", true);
    telnyx_time (sim_now_ms (sim), time);
    json_add_text (order, "created_at", time);
    json_add_text (order, "updated_at", time);
    table_put (sim->telnyx_orders, id, order);
    callbacks_later (sim, sim->settings.order_ms, order_complete, id);
    telnyx_data (answer, 200, cJSON_Duplicate (order, true));
}

void telnyx_order_list (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    table_entry_t *at = NULL;
    const cJSON *one;
    const char *status = request_query (request, "filter[status]"),
               *reference = request_query (request, "filter[customer_reference]");
    cJSON *items = cJSON_CreateArray ();
    while ((one = table_next (sim->telnyx_orders, &at)) != NULL) {
        const char *its = json_text (one, "customer_reference");
        if ((status == NULL || strcmp (status, json_text (one, "status")) == 0) &&
            (reference == NULL || (its != NULL && strcmp (reference, its) == 0)))
            cJSON_AddItemToArray (items, cJSON_Duplicate (one, true));
    }
    telnyx_paged (request, answer, items);
}

static cJSON *order_of (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    cJSON *order = table_get (sim->telnyx_orders, request->params[0]);
    if (order == NULL)
        telnyx_error (answer, 404, "10005", NULL, "There is no such order.");
    return order;
}

void telnyx_order_get (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    const cJSON *order = order_of (sim, request, answer);
    if (order != NULL)
        telnyx_data (answer, 200, cJSON_Duplicate (order, true));
}

void telnyx_order_patch (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    cJSON *order = order_of (sim, request, answer);
    const char *reference = json_text (request->json, "customer_reference");
    if (order == NULL)
        return;
    if (reference != NULL)
        json_set_text (order, "customer_reference", reference);
    telnyx_data (answer, 200, cJSON_Duplicate (order, true));
}
