/* telnyx_numbers.c - numbers on offer at Telnyx, orders of them, and giving them up.
 *
 * Telnyx has no idempotency key: an order carries our reference, by which it is found again when its answer got lost. A number is given up by Telnyx's id of
 * it, and whether it is gone shows in the account's list. */
#include "gen/accounts.h"
#include "provider/json.h"
#include "provider/telnyx.h"
#include <ctype.h>

/* ---- requests ---- */

static void put_encoded (buf_t *out, const char *text)
{
    for (; *text; text++)
        if (isalnum ((unsigned char) *text) || strchr ("-._~", *text))
            buf_add_byte (out, (uint8_t) *text);
        else
            buf_printf (out, "%%%02X", (unsigned) (unsigned char) *text);
}

static void put_filter (buf_t *out, const char *name, const char *value)
{
    if (!value || !*value)
        return;
    buf_printf (out, "&filter%s=", name);
    put_encoded (out, value);
}

static const char *kind_word (int32_t kind)
{
    return kind == ACCOUNTS_NUMBER_KIND_LOCAL      ? "local"
           : kind == ACCOUNTS_NUMBER_KIND_TOLLFREE ? "toll_free"
           : kind == ACCOUNTS_NUMBER_KIND_MOBILE   ? "mobile"
                                                   : NULL;
}

static int request_make (turn_t *t, const provider_account_t *account, const char *method,
                         buf_t *url, buf_t *body, outbound_t *out)
{
    if (buf_failed (url) || (body && buf_failed (body)))
        return fail (t, E_NO_MEMORY, NULL, "No memory for a request to Telnyx");
    out->how = OUT_HTTP;
    out->request = (fetch_request_t){.method = method,
                                     .url = buf_text (url),
                                     .headers = telnyx_headers (t, account, body != NULL)};
    if (body)
        out->request.body = buf_bytes (body);
    return 0;
}

int telnyx_numbers_search (turn_t *t, const provider_account_t *account,
                           const provider_wanted_t *wanted, outbound_t *out)
{
    buf_t url = buf_in (t->arena);
    buf_printf (&url, "%s/available_phone_numbers?filter[limit]=%lld", account->base_url,
                (long long) wanted->limit);
    put_filter (&url, "[country_code]", wanted->country);
    put_filter (&url, "[phone_number_type]", kind_word (wanted->kind));
    put_filter (&url, "[national_destination_code]", wanted->area_code);
    put_filter (&url, "[locality]", wanted->locality);
    put_filter (&url, "[phone_number][contains]", wanted->contains);
    return request_make (t, account, "GET", &url, NULL, out);
}

int telnyx_number_order (turn_t *t, const provider_account_t *account, const char *number,
                         const char *reference, outbound_t *out)
{
    buf_t url = buf_in (t->arena), body = buf_in (t->arena);
    buf_printf (&url, "%s/number_orders", account->base_url);
    buf_add_str (&body, "{\"phone_numbers\":[{");
    jval_put_text (&body, "phone_number", number);
    buf_add_str (&body, "}]");
    jval_put_text (&body, "messaging_profile_id",
                   account->profile && *account->profile ? account->profile : NULL);
    jval_put_text (&body, "customer_reference", reference);
    buf_add_byte (&body, '}');
    return request_make (t, account, "POST", &url, &body, out);
}

/* A page of a list, by one filter. */
static int list_ask (turn_t *t, const provider_account_t *account, const char *list,
                     const char *filter, const char *value, outbound_t *out)
{
    buf_t url = buf_in (t->arena);
    buf_printf (&url, "%s/%s", account->base_url, list);
    put_filter (&url, filter, value);
    return request_make (t, account, "GET", &url, NULL, out);
}

int telnyx_number_order_look (turn_t *t, const provider_account_t *account, const char *reference,
                              outbound_t *out)
{
    return list_ask (t, account, "number_orders?page[size]=1", "[customer_reference]", reference,
                     out);
}

int telnyx_number_look (turn_t *t, const provider_account_t *account, const char *number,
                        outbound_t *out)
{
    return list_ask (t, account, "phone_numbers?page[size]=20", "[phone_number]", number, out);
}

int telnyx_number_release (turn_t *t, const provider_account_t *account, const char *id,
                           outbound_t *out)
{
    buf_t url = buf_in (t->arena);
    buf_printf (&url, "%s/phone_numbers/", account->base_url);
    put_encoded (&url, id);
    return request_make (t, account, "DELETE", &url, NULL, out);
}

/* ---- answers ---- */

static bool answer_read (turn_t *t, const outcome_t *outcome, bytes_t *out)
{
    return outcome->stage == FETCH_ANSWERED && outcome->status >= 200 && outcome->status < 300 &&
           jval_read (t->arena, outcome->body, out, NULL) == 0;
}

/* "Chicago, IL": what Telnyx says of the region, the narrow before the wide. */
static const char *location_of (turn_t *t, bytes_t item)
{
    const char *place = NULL, *state = NULL;
    jval_list_t regions = jval_list (item, "region_information");
    bytes_t region;
    while (jval_next (&regions, &region)) {
        const char *name = jval_word (t->arena, region, "region_name");
        if (jval_is (region, "region_type", "state"))
            state = name;
        else if (jval_is (region, "region_type", "location") ||
                 (!place && jval_is (region, "region_type", "rate_center")))
            place = name;
    }
    return place && state ? arena_printf (t->arena, "%s, %s", place, state)
           : place        ? place
           : state        ? state
                          : "";
}

static void features_of (turn_t *t, bytes_t item, provider_offer_t *out)
{
    static const char *const words[][2] = {{"sms", "SMS"},
                                           {"mms", "MMS"},
                                           {"voice", "Voice"},
                                           {"fax", "Fax"},
                                           {"emergency", "Emergency"}};
    jval_list_t features = jval_list (item, "features");
    bytes_t feature;
    (void) t;
    while (jval_next (&features, &feature))
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            if (jval_is (feature, "name", words[i][0]) &&
                out->feature_count < sizeof out->features / sizeof *out->features)
                out->features[out->feature_count++] = words[i][1];
}

int telnyx_numbers_found (turn_t *t, const outcome_t *outcome, provider_offer_t *out, size_t most,
                          size_t *count)
{
    bytes_t body, item;
    *count = 0;
    if (!answer_read (t, outcome, &body))
        return E_BAD_REQUEST;
    jval_list_t list = jval_list (body, "data");
    while (*count < most && jval_next (&list, &item)) {
        provider_offer_t *offer = &out[*count];
        *offer = (provider_offer_t){.number = jval_word (t->arena, item, "phone_number")};
        if (!offer->number || *offer->number != '+' ||
            strspn (offer->number + 1, "0123456789") != strlen (offer->number + 1))
            continue;
        offer->location = location_of (t, item);
        offer->upfront = jval_code (t->arena, item, "cost_information.upfront_cost");
        offer->monthly = jval_code (t->arena, item, "cost_information.monthly_cost");
        offer->currency = jval_word (t->arena, item, "cost_information.currency");
        features_of (t, item, offer);
        (*count)++;
    }
    return 0;
}

provider_order_t telnyx_number_ordered (turn_t *t, const outcome_t *outcome, const char **id)
{
    bytes_t body;
    *id = NULL;
    if (!answer_read (t, outcome, &body))
        return ORDER_UNSAID;
    bytes_t order =
        jval_is_map (body, "data") ? jval_find (body, "data") : jval_find (body, "data.0");
    *id = jval_word (t->arena, order, "id");
    if (jval_is (order, "status", "success"))
        return ORDER_DONE;
    if (jval_is (order, "status", "failure"))
        return ORDER_FAILED;
    return jval_is (order, "status", "pending") ? ORDER_PENDING
           : order.size                         ? ORDER_UNSAID
                                                : ORDER_NONE;
}

/* Numbers that left an account show for a while. */
static bool is_gone (bytes_t number)
{
    return jval_is (number, "status", "deleted") || jval_is (number, "status", "ported-out");
}

provider_held_t telnyx_number_looked (turn_t *t, const outcome_t *outcome, const char *number,
                                      const char **id)
{
    bytes_t body, item;
    int64_t total = INT64_MAX, seen = 0;
    *id = NULL;
    if (!answer_read (t, outcome, &body) || !jval_int (body, "meta.total_results", &total))
        return HELD_UNSAID;
    jval_list_t list = jval_list (body, "data");
    for (; jval_next (&list, &item); seen++) {
        if (!jval_is (item, "phone_number", number) || is_gone (item))
            continue;
        *id = jval_code (t->arena, item, "id");
        return *id ? HELD_YES : HELD_UNSAID;
    }
    return seen < total ? HELD_UNSAID : HELD_NOT;
}

/* A 404 counts only in Telnyx's own words: a proxy's, or that of a wrong address, does not say that the number is gone. */
provider_held_t telnyx_number_released (turn_t *t, const outcome_t *outcome)
{
    bytes_t body;
    if (answer_read (t, outcome, &body))
        return is_gone (jval_find (body, "data")) ? HELD_NOT : HELD_UNSAID;
    bool missing = outcome->stage == FETCH_ANSWERED && outcome->status == 404 &&
                   jval_read (t->arena, outcome->body, &body, NULL) == 0 &&
                   jval_find (body, "errors.0").size;
    return missing ? HELD_NOT : HELD_UNSAID;
}
