/* meta_error.c - Graph's error envelope and the table of its codes (spec section 9). How it fails: an unknown code is "Unknown error", 400. */
#include "meta.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct code_row {
    int code;
    int status;
    const char *title;
} code_row_t;

static const code_row_t code_table[] = {
    {0, 401, "AuthException"},
    {1, 400, "API Unknown"},
    {2, 503, "API Service"},
    {3, 500, "API Method"},
    {4, 429, "API Too Many Calls"},
    {10, 403, "Permission Denied"},
    {33, 400, "Parameter value is not valid"},
    {100, 400, "Invalid parameter"},
    {104, 401, "An access token is required to request this resource."},
    {190, 401, "Access token has expired"},
    {200, 403, "API Permission"},
    {368, 403, "Temporarily blocked for policies violations"},
    {613, 400, "Calls to this api have exceeded the rate limit."},
    {2200, 400, "Callback verification failed"},
    {2500, 400, "Unknown path components"},
    {80007, 429, "Rate limit issues"},
    {80008, 429, "Rate limit issues"},
    {130429, 429, "Rate limit hit"},
    {130472, 400, "User's number is part of an experiment"},
    {130497, 403, "Business account is restricted from messaging users in this country."},
    {131000, 500, "Something went wrong"},
    {131005, 403, "Access denied"},
    {131008, 400, "Required parameter is missing"},
    {131009, 400, "Parameter value is not valid"},
    {131016, 503, "Service unavailable"},
    {131021, 400, "Recipient cannot be sender"},
    {131026, 400, "Message undeliverable"},
    {131030, 400, "Recipient phone number not in allowed list"},
    {131031, 403, "Account has been locked"},
    {131037, 400,
     "WhatsApp provided number needs display name approval before message can be sent."},
    {131041, 400, "Group does not exist"},
    {131042, 400, "Business eligibility payment issue"},
    {131045, 500, "Incorrect certificate"},
    {131047, 400, "Re-engagement message"},
    {131048, 429, "Spam rate limit hit"},
    {131049, 400, "This message was not delivered to maintain healthy ecosystem engagement."},
    {131050, 400, "User has stopped marketing messages"},
    {131051, 400, "Unsupported message type"},
    {131052, 400, "Media download error"},
    {131053, 400, "Media upload error"},
    {131056, 429, "(Business Account, Consumer Account) pair rate limit hit"},
    {131057, 500, "Account in maintenance mode"},
    {131059, 400, "Invalid paging cursor"},
    {131062, 400, "Recipient is not supported"},
    {131063, 400, "Marketing templates are disabled"},
    {132000, 400, "Number of parameters does not match the expected number of params"},
    {132001, 404, "Template name does not exist in the translation"},
    {132005, 400, "Translated text too long"},
    {132007, 400, "Template format character policy violated"},
    {132008, 400, "Template parameter is invalid"},
    {132012, 400, "Parameter format does not match format in the created template"},
    {132015, 400, "Template is paused"},
    {132016, 400, "Template is disabled"},
    {132068, 400, "Flow is blocked"},
    {132069, 400, "Flow is throttled"},
    {133000, 500, "Incomplete deregistration"},
    {133004, 503, "Server temporarily unavailable"},
    {133005, 400, "Two step verification PIN mismatch"},
    {133006, 400, "Phone number re-verification needed"},
    {133008, 400, "Too many two step verification PIN guesses"},
    {133009, 400, "Two step verification PIN guessed too fast"},
    {133010, 400, "Phone number not registered"},
    {133015, 400, "Please wait a few minutes before attempting to register this phone number"},
    {133016, 400, "Account register deregister rate limit exceeded"},
    {135000, 400, "Generic user error"},
    {137000, 400, "Recipient identity key hash does not match"},
};

/* What a failed status says beyond the title. */
static const struct {
    int code;
    const char *details;
} details_table[] = {
    {130429, "Cloud API message throughput has been reached."},
    {130472, "Failed to send message because this user's phone number is part of an experiment"},
    {131026, "Message Undeliverable."},
    {131047,
     "Message failed to send because more than 24 hours have passed since the customer last replied to this number."},
    {131048,
     "Message failed to send because there are restrictions on how many messages can be sent from this phone number."},
    {131049,
     "In order to maintain a healthy ecosystem engagement, the message failed to be delivered."},
    {131050,
     "User has chosen to stop receiving marketing messages on WhatsApp from your business."},
    {131052, "Failed to download the media from the sender."},
    {131053, "Media upload error."},
    {131056,
     "Message failed to send because there were too many messages sent from this phone number to the same phone number in a short period of time."},
};

bool meta_code_find (int code, const char **title, int *status)
{
    for (size_t i = 0; i < sizeof code_table / sizeof code_table[0]; i++)
        if (code_table[i].code == code) {
            *title = code_table[i].title;
            *status = code_table[i].status;
            return true;
        }
    *title = "Unknown error";
    *status = 400;
    return false;
}

static const char *details_find (int code)
{
    for (size_t i = 0; i < sizeof details_table / sizeof details_table[0]; i++)
        if (details_table[i].code == code)
            return details_table[i].details;
    return NULL;
}

void meta_error_full (sim_answer_t *answer, int status, int code, int subcode, const char *title,
                      const char *details)
{
    cJSON *body = cJSON_CreateObject (), *error = json_add_object (body, "error");
    char *message = must_printf ("(#%d) %s", code, title);
    json_add_text (error, "message", message);
    json_add_text (error, "type", "OAuthException");
    json_add_number (error, "code", code);
    if (details != NULL) {
        cJSON *data = json_add_object (error, "error_data");
        json_add_text (data, "messaging_product", "whatsapp");
        json_add_text (data, "details", details);
    }
    if (subcode != 0) {
        json_add_number (error, "error_subcode", subcode);
        json_add_bool (error, "is_transient", false);
        json_add_text (error, "error_user_title", title);
        json_add_text (error, "error_user_msg", details);
    }
    json_add_text (error, "fbtrace_id", "AviarySim0000000000000000");
    free (message);
    answer_json (answer, status, body);
}

void meta_error (sim_answer_t *answer, int code, const char *details, ...)
{
    const char *title;
    int status;
    char *text = NULL;
    va_list args;
    meta_code_find (code, &title, &status);
    va_start (args, details);
    if (details != NULL && vasprintf (&text, details, args) < 0)
        text = NULL;
    va_end (args);
    meta_error_full (answer, status, code, 0, title, text);
    free (text);
}

cJSON *meta_error_element (int code, const char *details)
{
    const char *title;
    int status;
    cJSON *out = cJSON_CreateObject ();
    meta_code_find (code, &title, &status);
    if (details == NULL)
        details = details_find (code) != NULL ? details_find (code) : title;
    json_add_number (out, "code", code);
    json_add_text (out, "title", title);
    json_add_text (out, "message", title);
    json_add_text (json_add_object (out, "error_data"), "details", details);
    json_add_text (out, "href",
                   "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/");
    return out;
}

/* The code that goes with a status when the rule names none. */
static int code_of_status (int status)
{
    static const int pairs[][2] = {{400, 100},    {401, 190},    {403, 10},    {404, 33},
                                   {429, 130429}, {500, 131000}, {503, 131016}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        if (pairs[i][0] == status)
            return pairs[i][1];
    return status >= 500 ? 2 : 1;
}

void meta_refuse (const rule_action_t *action, sim_answer_t *answer)
{
    const char *title;
    int status;
    int code =
        action->error_code[0] != '\0' ? atoi (action->error_code) : code_of_status (action->status);
    meta_code_find (code, &title, &status);
    meta_error_full (answer, action->status != 0 ? action->status : status, code, 0, title,
                     details_find (code));
}

void meta_unknown_path (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    (void) sim;
    char *title = must_printf ("Unknown path components: %.200s", request->rest);
    meta_error_full (answer, 400, 2500, 0, title, NULL);
    free (title);
}

void meta_unknown_object (sim_answer_t *answer, const char *id)
{
    char *title =
        must_printf ("Unsupported request. Object with ID '%.64s' does not exist, cannot be loaded "
                     "due to missing permissions, or does not support this operation",
                     id);
    meta_error_full (answer, 400, 100, 33, title, NULL);
    free (title);
}

bool meta_authorize (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    if (strcmp (request->rest, "/oauth/access_token") == 0)
        return true;
    if (request->token == NULL) {
        meta_error_full (answer, 401, 104, 0,
                         "An access token is required to request this resource.", NULL);
        return false;
    }
    const char *wanted = sim->settings.meta_token;
    size_t app = strlen (sim->settings.meta_app_id);
    bool is_app_token = strncmp (request->token, sim->settings.meta_app_id, app) == 0 &&
                        request->token[app] == '|' &&
                        strcmp (request->token + app + 1, sim->settings.meta_app_secret) == 0;
    if (wanted == NULL || strcmp (wanted, request->token) == 0 || is_app_token ||
        table_has (sim->meta_tokens, request->token))
        return true;
    meta_error_full (answer, 401, 190, 0, "Invalid OAuth access token - Cannot parse access token",
                     NULL);
    return false;
}
