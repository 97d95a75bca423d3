/* chirp_delivery.c - how Chirp's webhooks go out: Standard Webhooks headers beside Chirp's own; the installation's schedule. */
#include "dialect/chirp.h"

#include <string.h>

static const char *subject_prefix (const char *event_name)
{
    return event_name && strstr (event_name, ".whatsapp.") ? "msg_wa" : "msg_sms";
}

static int headers (const dialect_sending_t *sending, dialect_headers_t *out)
{
    buf_t signature = buf_in (out->arena);
    int code = 0;
    for (size_t i = 0; i < sending->secret_count && code == 0; i++) {
        if (i)
            buf_add_byte (&signature, ' ');
        code = sign_webhook (sending->secrets[i], sending->event_id, sending->timestamp_s,
                             sending->body, &signature);
    }
    if (code)
        return code;
    dialect_header_add (out, "webhook-id", sending->event_id);
    dialect_header_add_number (out, "webhook-timestamp", sending->timestamp_s);
    dialect_header_add (out, "webhook-signature", buf_text (&signature));
    dialect_header_add (out, "X-Chirp-Event", sending->event);
    dialect_header_add (out, "X-Chirp-Event-Id", sending->event_id);
    dialect_header_add_number (out, "X-Chirp-Delivery-Attempt", sending->attempt);
    return 0;
}

const dialect_delivery_t chirp_delivery = {
    .holder = HOLDER_APP,
    .answer_kept = 512,
    .breaker = true,
    .id_prefix = "dlv",
    .subscription_prefix = "whk",
    .subject_prefix = subject_prefix,
    .secret_make = sign_webhook_secret,
    .headers = headers,
};
