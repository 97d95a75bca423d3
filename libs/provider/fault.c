/* fault.c - the carriers' error codes in the house's words.
 *
 * Rows come from the public documentation of Chirp's error page (Meta and Telnyx to its codes) as gathered in the project's notes; what those leave open
 * follows their neighbours. A code without a row is the carrier's general error. */
#include "provider/provider.h"
#include <string.h>

#define TELNYX(code, native, title, text) { code, "telnyx", native, title, text }
#define META(code, native, title, text) { code, "meta", native, title, text }

static const provider_fault_t faults[] = {
    TELNYX (E_INVALID_PHONE_NUMBER, "10001", "Inactive phone number", "The number cannot receive messages."),
    TELNYX (E_INVALID_PHONE_NUMBER, "10002", "Invalid phone number", "The number cannot receive messages."),
    TELNYX (E_BAD_REQUEST, "10003", "Invalid URL", "The carrier refused an address in the message."),
    TELNYX (E_BAD_REQUEST, "10004", "Missing required parameter", "The carrier missed a field."),
    TELNYX (E_TELNYX_API_ERROR, "10005", "Resource not found", "The carrier does not know a resource of this account."),
    TELNYX (E_BAD_REQUEST, "10006", "Invalid id", "The carrier refused an id."),
    TELNYX (E_TELNYX_API_ERROR, "10007", "Unexpected error", "The carrier had an unexpected error."),
    TELNYX (E_TELNYX_API_ERROR, "10009", "Authentication failed", "The carrier refused this account's credentials."),
    TELNYX (E_INVALID_PHONE_NUMBER, "40001", "Not routable", "The number is a landline or cannot be reached by messages."),
    TELNYX (E_MESSAGE_UNDELIVERABLE, "40002", "Blocked as spam, temporarily", "The carrier's spam filter held the message."),
    TELNYX (E_MESSAGE_UNDELIVERABLE, "40003", "Blocked as spam, permanently", "The carrier's spam filter refused the message."),
    TELNYX (E_MESSAGE_UNDELIVERABLE, "40004", "Rejected by destination", "The recipient's network refused the message."),
    TELNYX (E_MESSAGE_UNDELIVERABLE, "40005", "Expired in transit", "The message could not be delivered in time."),
    TELNYX (E_MESSAGE_UNDELIVERABLE, "40006", "Recipient server unavailable", "The recipient's network is not available."),
    TELNYX (E_MESSAGE_UNDELIVERABLE, "40007", "Loop detected", "The message went in a loop."),
    TELNYX (E_MESSAGE_UNDELIVERABLE, "40008", "Undeliverable", "The carrier did not deliver this message."),
    TELNYX (E_MESSAGE_UNDELIVERABLE, "40009", "Invalid message body", "The carrier refused the message's text."),
    TELNYX (E_CARRIER_RATE_LIMITED, "40011", "Upstream rate limit", "Messages come too fast for the carrier."),
    TELNYX (E_INVALID_PHONE_NUMBER, "40012", "Invalid destination number", "The carrier refused the recipient's number."),
    TELNYX (E_PHONE_NUMBER_NOT_ASSIGNED, "40013", "Invalid source number", "The carrier refused the sender's number."),
    TELNYX (E_MESSAGE_UNDELIVERABLE, "40014", "Expired in queue", "The message waited too long at the carrier."),
    TELNYX (E_MESSAGE_UNDELIVERABLE, "40015", "Blocked as spam, internally", "The carrier's own filter refused the message."),
    TELNYX (E_MESSAGE_UNDELIVERABLE, "40300", "Blocked", "The recipient has opted out, or the carrier refused the message."),
    TELNYX (E_PHONE_NUMBER_NOT_ASSIGNED, "40305", "Invalid from address", "The carrier refused the sender's number."),
    TELNYX (E_INVALID_PHONE_NUMBER, "40310", "Invalid to address", "The carrier refused the recipient's number."),
    TELNYX (E_MEDIA_TOO_LARGE, "40323", "Media too large", "An attachment is over the carrier's limit."),
    TELNYX (E_TELNYX_API_UNAVAILABLE, "503", "Service unavailable", "The carrier is down."),
    TELNYX (E_TELNYX_API_ERROR, "500", "Unexpected answer", "The carrier answered something unexpected."),
    META (E_META_API_UNAVAILABLE, "503", "Service unavailable", "WhatsApp's API is down."),
    META (E_META_API_ERROR, "1", "API unknown", "WhatsApp's API had an unknown error."),
    META (E_META_API_UNAVAILABLE, "2", "API service", "WhatsApp's API is down or overloaded."),
    META (E_WHATSAPP_RATE_LIMITED, "4", "Too many calls", "Too many calls to WhatsApp's API."),
    META (E_BAD_REQUEST, "33", "Parameter value is not valid", "The sending number is gone at WhatsApp."),
    META (E_BAD_REQUEST, "100", "Invalid parameter", "WhatsApp refused a field."),
    META (E_META_API_ERROR, "190", "Access token expired", "WhatsApp refused this account's credentials."),
    META (E_ACCOUNT_RESTRICTED, "368", "Temporarily blocked for policy violations", "WhatsApp restricted this account."),
    META (E_WHATSAPP_RATE_LIMITED, "80007", "Rate limit issues", "The WhatsApp account is over its limit."),
    META (E_WHATSAPP_RATE_LIMITED, "130429", "Rate limit hit", "Messages come too fast for WhatsApp."),
    META (E_MESSAGE_UNDELIVERABLE, "130472", "User's number is part of an experiment", "WhatsApp withheld the message."),
    META (E_ACCOUNT_RESTRICTED, "130497", "Restricted from messaging users in this country", "WhatsApp restricted this account."),
    META (E_META_API_ERROR, "131000", "Something went wrong", "WhatsApp had an unknown error."),
    META (E_REFUSED, "131005", "Access denied", "This account may not do that at WhatsApp."),
    META (E_BAD_REQUEST, "131008", "Required parameter is missing", "WhatsApp missed a field."),
    META (E_BAD_REQUEST, "131009", "Parameter value is not valid", "WhatsApp refused a field's value."),
    META (E_META_API_UNAVAILABLE, "131016", "Service unavailable", "WhatsApp is not available for the moment."),
    META (E_BAD_REQUEST, "131021", "Recipient cannot be sender", "Sender and recipient are the same number."),
    META (E_MESSAGE_UNDELIVERABLE, "131026", "Message undeliverable", "WhatsApp could not deliver this message."),
    META (E_BAD_REQUEST, "131030", "Recipient not in allowed list", "The recipient is not on the test list."),
    META (E_ACCOUNT_RESTRICTED, "131031", "Account has been locked", "WhatsApp locked this account."),
    META (E_DISPLAY_NAME_NOT_APPROVED, "131037", "Display name needs approval", "The number's display name is not approved."),
    META (E_ACCOUNT_RESTRICTED, "131042", "Payment issue", "The WhatsApp account has a payment problem."),
    META (E_CONVERSATION_WINDOW_EXPIRED, "131047", "Re-engagement message", "The 24-hour window is closed; send a template."),
    META (E_WHATSAPP_RATE_LIMITED, "131048", "Spam rate limit hit", "WhatsApp limits this number for spam."),
    META (E_MESSAGE_UNDELIVERABLE, "131049", "Not delivered to maintain healthy ecosystem", "WhatsApp withheld the message."),
    META (E_UNSUPPORTED_MESSAGE_TYPE, "131051", "Unsupported message type", "WhatsApp does not take this type of message."),
    META (E_BAD_REQUEST, "131052", "Media download error", "WhatsApp could not fetch the media."),
    META (E_BAD_REQUEST, "131053", "Media upload error", "WhatsApp could not take the media."),
    META (E_WHATSAPP_RATE_LIMITED, "131056", "Pair rate limit hit", "Too many messages to this person."),
    META (E_META_API_UNAVAILABLE, "131057", "Account in maintenance mode", "The WhatsApp account is in maintenance."),
    META (E_TEMPLATE_PARAMETER_MISMATCH, "132000", "Template parameter count mismatch", "The template takes another number of variables."),
    META (E_TEMPLATE_NOT_FOUND, "132001", "Template does not exist", "No such template, or it is not approved."),
    META (E_TEMPLATE_PARAMETER_MISMATCH, "132005", "Template text too long", "The template's text is too long with these variables."),
    META (E_REFUSED, "132007", "Template format policy violated", "The template breaks WhatsApp's content policy."),
    META (E_TEMPLATE_PARAMETER_MISMATCH, "132012", "Template parameter format mismatch", "A template variable has another format."),
    META (E_TEMPLATE_NOT_FOUND, "132015", "Template is paused", "The template is paused."),
    META (E_TEMPLATE_NOT_FOUND, "132016", "Template is disabled", "The template is disabled."),
    META (E_TEMPLATE_PARAMETER_MISMATCH, "132018", "Template parameters invalid", "A template variable is not valid."),
    META (E_REFUSED, "132068", "Flow is blocked", "The flow is blocked."),
    META (E_WHATSAPP_RATE_LIMITED, "132069", "Flow is throttled", "The flow is throttled."),
    META (E_REFUSED, "133000", "Incomplete deregistration", "The number is not registered at WhatsApp."),
    META (E_META_API_UNAVAILABLE, "133004", "Server temporarily unavailable", "WhatsApp is not available for the moment."),
    META (E_REFUSED, "133010", "Phone number not registered", "The number is not registered at WhatsApp."),
    META (E_WHATSAPP_RATE_LIMITED, "133016", "Registered too often", "The number was registered too often."),
    META (E_META_API_ERROR, "135000", "Generic user error", "WhatsApp had an unknown error."),
    META (E_META_API_ERROR, "500", "Unexpected answer", "WhatsApp answered something unexpected."),
};

static const provider_fault_t unlisted[] = {
    TELNYX (E_MESSAGE_UNDELIVERABLE, "4", "Carrier error", "The carrier did not deliver this message."),
    TELNYX (E_TELNYX_API_ERROR, "", "Unexpected error", "The carrier answered something unexpected."),
    META (E_META_API_ERROR, "", "Unexpected error", "WhatsApp answered something unexpected."),
};

const provider_fault_t *provider_faults (size_t *count)
{
    *count = sizeof faults / sizeof *faults;
    return faults;
}

const provider_fault_t *provider_fault (bool whatsapp, const char *native)
{
    const char *source = whatsapp ? "meta" : "telnyx";
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        if (strcmp (faults[i].native, native) == 0 && strcmp (faults[i].source, source) == 0)
            return &faults[i];
    if (whatsapp)
        return &unlisted[2];
    return strlen (native) == 5 && native[0] == '4' ? &unlisted[0] : &unlisted[1];
}
