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
    TELNYX (E_TELNYX_API_UNAVAILABLE, "10008", "Request timeout", "The carrier took too long."),
    TELNYX (E_TELNYX_API_ERROR, "10009", "Authentication failed", "The carrier refused this account's credentials."),
    TELNYX (E_TELNYX_API_ERROR, "10010", "Authorization failed", "The carrier does not permit this to this account."),
    TELNYX (E_CARRIER_RATE_LIMITED, "10011", "Too many requests", "Requests come too fast for the carrier."),
    TELNYX (E_TELNYX_API_ERROR, "10015", "Bad request", "The carrier refused a field of the message."),
    TELNYX (E_INVALID_PHONE_NUMBER, "10016", "Phone number not in E.164 format", "The carrier takes numbers only with + and country code."),
    TELNYX (E_TELNYX_API_UNAVAILABLE, "10037", "Service unavailable", "The carrier is not available for the moment."),
    TELNYX (E_TELNYX_API_ERROR, "20100", "Account out of funds", "The carrier account has no funds left."),
    TELNYX (E_INVALID_PHONE_NUMBER, "40001", "Not routable", "The number is a landline or cannot be reached by messages."),
    TELNYX (E_MESSAGE_UNDELIVERABLE, "40002", "Blocked as spam, temporarily", "The carrier's spam filter held the message."),
    TELNYX (E_MESSAGE_UNDELIVERABLE, "40003", "Blocked as spam, permanently", "The carrier's spam filter refused the message."),
    TELNYX (E_MESSAGE_UNDELIVERABLE, "40004", "Rejected by destination", "The recipient's network refused the message."),
    TELNYX (E_MESSAGE_UNDELIVERABLE, "40005", "Expired in transit", "The message could not be delivered in time."),
    TELNYX (E_MESSAGE_UNDELIVERABLE, "40006", "Recipient server unavailable", "The recipient's network is not available."),
    TELNYX (E_MESSAGE_UNDELIVERABLE, "40007", "Loop detected", "The message went in a loop."),
    TELNYX (E_MESSAGE_UNDELIVERABLE, "40008", "Undeliverable", "The carrier did not deliver this message."),
    TELNYX (E_MESSAGE_UNDELIVERABLE, "40009", "Invalid message body", "The carrier refused the message's text."),
    TELNYX (E_MESSAGE_UNDELIVERABLE, "40010", "Not 10DLC registered", "The sender's number is not registered for this network."),
    TELNYX (E_CARRIER_RATE_LIMITED, "40011", "Upstream rate limit", "Messages come too fast for the carrier."),
    TELNYX (E_INVALID_PHONE_NUMBER, "40012", "Invalid destination number", "The carrier refused the recipient's number."),
    TELNYX (E_PHONE_NUMBER_NOT_ASSIGNED, "40013", "Invalid source number", "The carrier refused the sender's number."),
    TELNYX (E_MESSAGE_UNDELIVERABLE, "40014", "Expired in queue", "The message waited too long at the carrier."),
    TELNYX (E_MESSAGE_UNDELIVERABLE, "40015", "Blocked as spam, internally", "The carrier's own filter refused the message."),
    TELNYX (E_MESSAGE_UNDELIVERABLE, "40020", "Traffic inflation block", "The carrier blocks the recipient's range for a day."),
    TELNYX (E_MESSAGE_UNDELIVERABLE, "40100", "Number not enabled for messaging", "The sender's number is not set up for messages."),
    TELNYX (E_MESSAGE_UNDELIVERABLE, "40300", "Blocked", "The recipient has opted out, or the carrier refused the message."),
    TELNYX (E_MESSAGE_UNDELIVERABLE, "40301", "Unsupported message type", "This type of message is not possible between these numbers."),
    TELNYX (E_MESSAGE_UNDELIVERABLE, "40302", "Message too large", "The message has too many segments."),
    TELNYX (E_PHONE_NUMBER_NOT_ASSIGNED, "40305", "Invalid from address", "The carrier refused the sender's number."),
    TELNYX (E_MESSAGE_UNDELIVERABLE, "40308", "MMS unsupported", "The sender's number cannot send MMS."),
    TELNYX (E_MESSAGE_UNDELIVERABLE, "40309", "Invalid destination region", "The carrier's profile does not allow the recipient's country."),
    TELNYX (E_INVALID_PHONE_NUMBER, "40310", "Invalid to address", "The carrier refused the recipient's number."),
    TELNYX (E_MESSAGE_UNDELIVERABLE, "40312", "Messaging profile is disabled", "The carrier's messaging profile is switched off."),
    TELNYX (E_MESSAGE_UNDELIVERABLE, "40315", "Unhealthy from address", "The carrier holds the sender's number for too many failures."),
    TELNYX (E_MEDIA_TOO_LARGE, "40317", "Invalid MMS content", "An attachment is over the carrier's limit."),
    TELNYX (E_MESSAGE_UNDELIVERABLE, "40318", "Message queue full", "The carrier's queue is full."),
    TELNYX (E_MESSAGE_UNDELIVERABLE, "40322", "Blocked due to content", "The carrier does not carry such content."),
    TELNYX (E_MESSAGE_UNDELIVERABLE, "40329", "Toll-free number not verified", "The sender's toll-free number is not verified."),
    TELNYX (E_MESSAGE_UNDELIVERABLE, "40333", "Spend limit reached", "The carrier profile's spend limit is reached."),
    TELNYX (E_TELNYX_API_UNAVAILABLE, "503", "Service unavailable", "The carrier is down."),
    TELNYX (E_TELNYX_API_ERROR, "500", "Unexpected answer", "The carrier answered something unexpected."),
    META (E_META_API_UNAVAILABLE, "503", "Service unavailable", "WhatsApp's API is down."),
    META (E_CARRIER_CREDENTIALS, "0", "Authentication failed", "WhatsApp could not check this account's credentials."),
    META (E_META_API_ERROR, "1", "API unknown", "WhatsApp's API had an unknown error."),
    META (E_META_API_UNAVAILABLE, "2", "API service", "WhatsApp's API is down or overloaded."),
    META (E_CARRIER_CREDENTIALS, "3", "Capability or permission issue", "This account may not do that at WhatsApp."),
    META (E_WHATSAPP_RATE_LIMITED, "4", "Too many calls", "Too many calls to WhatsApp's API."),
    META (E_CARRIER_CREDENTIALS, "10", "Permission denied", "This account may not do that at WhatsApp."),
    META (E_BAD_REQUEST, "33", "Parameter value is not valid", "The sending number is gone at WhatsApp."),
    META (E_BAD_REQUEST, "100", "Invalid parameter", "WhatsApp refused a field."),
    META (E_CARRIER_CREDENTIALS, "190", "Access token expired", "WhatsApp refused this account's credentials."),
    META (E_CARRIER_CREDENTIALS, "200", "API permission", "This account may not do that at WhatsApp."),
    META (E_ACCOUNT_RESTRICTED, "368", "Temporarily blocked for policy violations", "WhatsApp restricted this account."),
    META (E_WHATSAPP_RATE_LIMITED, "80007", "Rate limit issues", "The WhatsApp account is over its limit."),
    META (E_WHATSAPP_RATE_LIMITED, "80008", "Too many management calls", "Too many calls to WhatsApp's API."),
    META (E_WHATSAPP_RATE_LIMITED, "130429", "Rate limit hit", "Messages come too fast for WhatsApp."),
    META (E_MESSAGE_UNDELIVERABLE, "130472", "User's number is part of an experiment", "WhatsApp withheld the message."),
    META (E_ACCOUNT_RESTRICTED, "130497", "Restricted from messaging users in this country", "WhatsApp restricted this account."),
    META (E_META_API_ERROR, "131000", "Something went wrong", "WhatsApp had an unknown error."),
    META (E_CARRIER_CREDENTIALS, "131005", "Access denied", "This account may not do that at WhatsApp."),
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
    META (E_MESSAGE_UNDELIVERABLE, "131050", "User stopped marketing messages", "The person stopped marketing messages from this business."),
    META (E_UNSUPPORTED_MESSAGE_TYPE, "131051", "Unsupported message type", "WhatsApp does not take this type of message."),
    META (E_BAD_REQUEST, "131052", "Media download error", "WhatsApp could not fetch the media."),
    META (E_BAD_REQUEST, "131053", "Media upload error", "WhatsApp could not take the media."),
    META (E_WHATSAPP_RATE_LIMITED, "131056", "Pair rate limit hit", "Too many messages to this person."),
    META (E_META_API_UNAVAILABLE, "131057", "Account in maintenance mode", "The WhatsApp account is in maintenance."),
    META (E_WHATSAPP_RATE_LIMITED, "131064", "Limited for misclassified templates", "WhatsApp limits this account for its templates' categories."),
    META (E_GROUPS_NOT_ELIGIBLE, "131215", "Not eligible for the Groups API", "The number may not use the Groups API."),
    META (E_TEMPLATE_PARAMETER_MISMATCH, "132000", "Template parameter count mismatch", "The template takes another number of variables."),
    META (E_TEMPLATE_NOT_FOUND, "132001", "Template does not exist", "No such template, or it is not approved."),
    META (E_TEMPLATE_PARAMETER_MISMATCH, "132005", "Template text too long", "The template's text is too long with these variables."),
    META (E_CARRIER_REFUSED, "132007", "Template format policy violated", "The template breaks WhatsApp's content policy."),
    META (E_TEMPLATE_PARAMETER_MISMATCH, "132012", "Template parameter format mismatch", "A template variable has another format."),
    META (E_TEMPLATE_NOT_FOUND, "132015", "Template is paused", "The template is paused."),
    META (E_TEMPLATE_NOT_FOUND, "132016", "Template is disabled", "The template is disabled."),
    META (E_TEMPLATE_PARAMETER_MISMATCH, "132018", "Template parameters invalid", "A template variable is not valid."),
    META (E_CARRIER_REFUSED, "132068", "Flow is blocked", "The flow is blocked."),
    META (E_WHATSAPP_RATE_LIMITED, "132069", "Flow is throttled", "The flow is throttled."),
    META (E_CARRIER_REFUSED, "133000", "Incomplete deregistration", "The number is not registered at WhatsApp."),
    META (E_META_API_UNAVAILABLE, "133004", "Server temporarily unavailable", "WhatsApp is not available for the moment."),
    META (E_CARRIER_REFUSED, "133005", "Two-step PIN mismatch", "The number's PIN is wrong."),
    META (E_CARRIER_REFUSED, "133006", "Phone number re-verification needed", "The number must be verified first."),
    META (E_CARRIER_REFUSED, "133008", "Too many PIN guesses", "The number's PIN was guessed too often."),
    META (E_CARRIER_REFUSED, "133009", "PIN guessed too fast", "The number's PIN was guessed too fast."),
    META (E_CARRIER_REFUSED, "133010", "Phone number not registered", "The number is not registered at WhatsApp."),
    META (E_CARRIER_REFUSED, "133015", "Phone number was deleted just now", "The number was deleted a moment ago."),
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
    if (whatsapp) /* 200 to 299 are permissions */
        return strlen (native) == 3 && native[0] == '2' ? provider_fault (true, "200") : &unlisted[2];
    return strlen (native) == 5 && native[0] == '4' ? &unlisted[0] : &unlisted[1];
}
