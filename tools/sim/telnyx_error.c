/* telnyx_error.c - Telnyx's error envelope, code titles, auth and paging (spec sections 1 and 3.4). How it fails: an unknown code is "Error". */
#include "telnyx.h"

#include "base/clock.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct code_row {
    const char *code;
    int status;
    const char *title;
    const char *detail;
} code_row_t;

static const code_row_t code_table[] = {
    {"10001", 400, "Inactive phone number", "The number is not active."},
    {"10002", 400, "Invalid phone number", "The phone number is invalid."},
    {"10004", 422, "Missing required parameter", "A required parameter is missing."},
    {"10005", 404, "Resource not found", "The requested resource or URL could not be found."},
    {"10007", 500, "Unexpected error", "An unexpected error occurred."},
    {"10008", 504, "Request timeout", "The request timed out."},
    {"10009", 401, "Authentication failed",
     "The required authentication headers were either invalid or not included in the request."},
    {"10010", 403, "Authorization failed",
     "You do not have permission to perform the requested action."},
    {"10011", 429, "Too many requests",
     "You have exceeded the maximum number of allowed requests."},
    {"10012", 409, "Duplicate resource", "The resource exists already."},
    {"10015", 400, "Bad Request", "The request failed because it was not well-formed."},
    {"10016", 400, "Phone number must be in +E.164 format",
     "The phone number must be in +E.164 format."},
    {"10029", 415, "Invalid content type", "The Content-Type must be application/json."},
    {"10037", 503, "Service unavailable", "The service is temporarily unavailable."},
    {"20100", 403, "Account out of funds", "The account has insufficient funds."},
    {"40001", 400, "Not routable",
     "The destination is a landline or a non-routable wireless number."},
    {"40002", 400, "Blocked as spam - temporary",
     "The message was flagged by a spam filter and was not delivered."},
    {"40003", 400, "Blocked as spam - permanent",
     "The message was flagged by a spam filter and was not delivered."},
    {"40004", 400, "Rejected by destination", "The recipient server rejected the message."},
    {"40005", 400, "Message expired during transmission",
     "The message expired before it could be delivered."},
    {"40006", 400, "Recipient server unavailable", "The recipient server is unavailable."},
    {"40008", 400, "Undeliverable", "The recipient carrier did not accept the message."},
    {"40009", 400, "Invalid message body", "The message body was refused."},
    {"40010", 400, "Not 10DLC registered", "The sending number is not registered for 10DLC."},
    {"40011", 400, "Too many requests", "The upstream rate limit was exceeded."},
    {"40012", 400, "Invalid messaging destination number", "The destination number was refused."},
    {"40013", 400, "Invalid messaging source number", "The source number was refused."},
    {"40014", 400, "Message expired in queue", "The message expired in the queue."},
    {"40015", 400, "Blocked as spam - internal", "The message was flagged by a spam filter."},
    {"40020", 400, "Traffic inflation block", "The destination is blocked for 24 hours."},
    {"40100", 400, "Number not enabled for messaging", "The number is not enabled for messaging."},
    {"40300", 400, "Blocked due to STOP message",
     "Messages cannot be sent from your messaging profile to this recipient, who has opted out."},
    {"40301", 400, "Unsupported message type",
     "The message type is not possible between these numbers."},
    {"40302", 400, "Message too large", "The message has too many segments."},
    {"40304", 400, "Unhealthy content", "The content cannot be mixed."},
    {"40305", 400, "Invalid 'from' address",
     "The 'from' address is not associated with your messaging profile."},
    {"40308", 400, "MMS unsupported", "The 'from' address is not MMS-capable."},
    {"40309", 400, "Invalid destination region",
     "The destination country is not on the profile's list."},
    {"40310", 400, "Invalid 'to' address", "The 'to' address is invalid."},
    {"40312", 403, "Messaging profile is disabled", "The messaging profile is disabled."},
    {"40315", 400, "Unhealthy 'from' address", "The 'from' address is unhealthy."},
    {"40316", 400, "No content provided", "Either text or media_urls is needed."},
    {"40317", 400, "Invalid MMS content",
     "The MMS content cannot be fetched, or is over the limit."},
    {"40318", 400, "Message queue full", "The queue of messages is full."},
    {"40319", 400, "Incompatible message type for 'to' address", "The message type does not fit."},
    {"40321", 400, "No usable numbers on messaging profile", "The number pool is empty."},
    {"40322", 400, "Blocked due to content", "The content is prohibited."},
    {"40325", 400, "Invalid alphanumeric sender ID", "The sender ID is malformed."},
    {"40328", 400, "SMS exceeds recommended size", "The message exceeds the recommended size."},
    {"40333", 400, "Spend limit reached", "The spend limit of the profile is reached."},
    {"85000", 422, "Search for the number first",
     "The number was not in a recent search of this account."},
    {"85001", 422, "Number not available", "The number is no longer available."},
};

static const code_row_t *code_find (const char *code)
{
    for (size_t i = 0; i < sizeof code_table / sizeof code_table[0]; i++)
        if (strcmp (code_table[i].code, code) == 0)
            return &code_table[i];
    return NULL;
}

const char *telnyx_title (const char *code)
{
    const code_row_t *row = code_find (code);
    return row != NULL ? row->title : "Error";
}

cJSON *telnyx_error_element (const char *code, const char *detail)
{
    const code_row_t *row = code_find (code);
    cJSON *out = cJSON_CreateObject ();
    char *url = must_printf ("https://developers.telnyx.com/docs/overview/errors/%s", code);
    if (detail == NULL)
        detail = row != NULL ? row->detail : "The request failed.";
    json_add_text (out, "code", code);
    json_add_text (out, "title", telnyx_title (code));
    json_add_text (out, "detail", detail);
    json_add_text (json_add_object (out, "meta"), "url", url);
    free (url);
    return out;
}

void telnyx_error (sim_answer_t *answer, int status, const char *code, const char *pointer,
                   const char *detail, ...)
{
    char *text = NULL;
    va_list args;
    va_start (args, detail);
    if (vasprintf (&text, detail, args) < 0)
        text = NULL;
    va_end (args);
    cJSON *out = cJSON_CreateObject (), *error = telnyx_error_element (code, text);
    free (text);
    if (pointer != NULL) {
        cJSON *source = json_add_object (error, "source");
        json_add_text (source, "pointer", pointer);
        json_add_text (source, "parameter", pointer + 1);
    }
    cJSON_AddItemToArray (json_add_array (out, "errors"), error);
    answer_json (answer, status, out);
}

static const char *code_of_status (int status)
{
    static const struct {
        int status;
        const char *code;
    } pairs[] = {{400, "10015"}, {401, "10009"}, {402, "20100"}, {403, "10010"}, {404, "10005"},
                 {409, "10012"}, {422, "10004"}, {429, "10011"}, {503, "10037"}, {504, "10008"}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        if (pairs[i].status == status)
            return pairs[i].code;
    return status >= 500 ? "10007" : "10015";
}

void telnyx_refuse (const rule_action_t *action, sim_answer_t *answer)
{
    const char *code =
        action->error_code[0] != '\0' ? action->error_code : code_of_status (action->status);
    const code_row_t *row = code_find (code);
    int status = action->status != 0 ? action->status : row != NULL ? row->status : 400;
    telnyx_error (answer, status, code, NULL, "%s",
                  row != NULL ? row->detail : "The request failed.");
    if (status == 429) {
        answer->headers[0] = "x-ratelimit-limit: 50";
        answer->headers[1] = "x-ratelimit-remaining: 0";
        answer->headers[2] = "x-ratelimit-reset: 1";
    }
}

bool telnyx_authorize (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    const char *wanted = sim->settings.telnyx_key;
    if (strncmp (request->rest, "/telnyx-media/", 14) == 0)
        return true;
    if (request->token != NULL && (wanted == NULL || strcmp (wanted, request->token) == 0))
        return true;
    telnyx_error (answer, 401, "10009", NULL, "%s", code_find ("10009")->detail);
    return false;
}

bool telnyx_body_is_object (sim_request_t *request, sim_answer_t *answer)
{
    if (cJSON_IsObject (request->json))
        return true;
    if (request->body.size > 0 && !request->body_is_json)
        telnyx_error (answer, 415, "10029", NULL, "%s", code_find ("10029")->detail);
    else
        telnyx_error (answer, 400, "10015", NULL, "The body is not a JSON object.");
    return false;
}

void telnyx_data (sim_answer_t *answer, int status, cJSON *item)
{
    cJSON *out = cJSON_CreateObject ();
    json_add (out, "data", item);
    answer_json (answer, status, out);
}

static size_t page_number (const sim_request_t *request, const char *name, size_t otherwise,
                           size_t most)
{
    const char *text = request_query (request, name);
    size_t value = text != NULL ? strtoull (text, NULL, 10) : otherwise;
    return value < 1 ? 1 : value > most ? most : value;
}

void telnyx_paged (sim_request_t *request, sim_answer_t *answer, cJSON *items)
{
    size_t size = page_number (request, "page[size]", 20, 250),
           number = page_number (request, "page[number]", 1, 1000000);
    size_t total = (size_t) cJSON_GetArraySize (items), from = (number - 1) * size;
    size_t pages = (total + size - 1) / size;
    cJSON *out = cJSON_CreateObject (), *data = json_add_array (out, "data"), *meta;
    cJSON *item = from < total ? cJSON_GetArrayItem (items, (int) from) : NULL;
    for (size_t i = 0; item != NULL && i < size; i++) {
        cJSON *next = item->next;
        cJSON_AddItemToArray (data, cJSON_DetachItemViaPointer (items, item));
        item = next;
    }
    cJSON_Delete (items);
    meta = json_add_object (out, "meta");
    json_add_number (meta, "page_number", (double) number);
    json_add_number (meta, "page_size", (double) size);
    json_add_number (meta, "total_pages", (double) pages);
    json_add_number (meta, "total_results", (double) total);
    answer_json (answer, 200, out);
}

void telnyx_time (int64_t ms, char out[40])
{
    clock_write_iso (ms, out);
}
