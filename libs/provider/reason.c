/* reason.c - why a WhatsApp message failed, in the few words that callers act upon. Codes from Meta's public error table; what has no row is `other`. */
#include "provider/provider.h"
#include <string.h>

static const struct {
    const char *native;
    int32_t reason;
} reasons[] = {
    {"131047", MESSAGING_FAILURE_REASON_WINDOW_CLOSED},
    {"132015", MESSAGING_FAILURE_REASON_TEMPLATE_PAUSED},
    {"132016", MESSAGING_FAILURE_REASON_TEMPLATE_DISABLED},
    {"132000", MESSAGING_FAILURE_REASON_TEMPLATE_PARAMETER_COUNT},
    {"132001", MESSAGING_FAILURE_REASON_TEMPLATE_PARAMETER_FORMAT},
    {"132012", MESSAGING_FAILURE_REASON_TEMPLATE_PARAMETER_FORMAT},
    {"1006", MESSAGING_FAILURE_REASON_NOT_ON_WHATSAPP},
    {"131026", MESSAGING_FAILURE_REASON_NOT_ON_WHATSAPP},
    {"1013", MESSAGING_FAILURE_REASON_BLOCKED},
    {"131052", MESSAGING_FAILURE_REASON_MEDIA_FAILED},
    {"131053", MESSAGING_FAILURE_REASON_MEDIA_FAILED},
    {"130429", MESSAGING_FAILURE_REASON_RATE_LIMITED},
    {"131056", MESSAGING_FAILURE_REASON_RATE_LIMITED},
    {"131031", MESSAGING_FAILURE_REASON_ACCOUNT_RESTRICTED},
    {"368", MESSAGING_FAILURE_REASON_ACCOUNT_RESTRICTED},
};

int32_t provider_reason (const char *native)
{
    for (size_t i = 0; native && i < sizeof reasons / sizeof *reasons; i++)
        if (strcmp (reasons[i].native, native) == 0)
            return reasons[i].reason;
    return MESSAGING_FAILURE_REASON_OTHER;
}
