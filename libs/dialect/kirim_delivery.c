/* kirim_delivery.c - how Kirim's webhooks go out: X-Kirim-* headers, one HMAC for each live secret over the time and the exact bytes, 8 attempts over about 31 hours.
 *
 * The key is the whole text of a secret, its "whsec_" included, not decoded. Fails only without memory. */
#include "dialect/kirim_event.h"

#include "base/text.h"

#include <string.h>

static const char secret_prefix[] = "whsec_";

enum { SECRET_NEW = 32, MAC_HEX = 2 * SIGN_SHA256_SIZE + 1 };

static void secret_make (char out[64])
{
    uint8_t key[SECRET_NEW];
    sign_random (key, sizeof key);
    memcpy (out, secret_prefix, sizeof secret_prefix - 1);
    text_write_base64 (key, sizeof key, out + sizeof secret_prefix - 1);
    sign_wipe (key, sizeof key);
    for (char *at = out; *at; at++) /* as URLs have it */
        *at = (char) (*at == '+' ? '-' : *at == '/' ? '_' : *at == '=' ? '\0' : *at);
}

static void signature_add (const char *secret, int64_t timestamp_s, bytes_t body, buf_t *out)
{
    char timestamp[TEXT_NUMBER_SIZE], hex[MAC_HEX];
    uint8_t mac[SIGN_SHA256_SIZE];
    size_t length = text_write_int (timestamp_s, timestamp);
    bytes_t parts[] = {bytes_of (timestamp, length), bytes_of_str ("."), body};
    sign_hmac_sha256_parts (bytes_of_str (secret), parts, 3, mac);
    text_write_hex (mac, sizeof mac, hex);
    buf_add_str (out, ",v1=");
    buf_add_str (out, hex);
}

static int headers (const dialect_sending_t *sending, dialect_headers_t *out)
{
    char id[64];
    buf_t signature = buf_in (out->arena);
    kirim_id_write ("wbd", false, sending->delivery, id);
    char timestamp[TEXT_NUMBER_SIZE];
    text_write_int (sending->timestamp_s, timestamp);
    buf_add_str (&signature, "t=");
    buf_add_str (&signature, timestamp);
    for (size_t i = 0; i < sending->secret_count; i++)
        signature_add (sending->secrets[i], sending->timestamp_s, sending->body, &signature);
    dialect_header_add (out, "User-Agent", "Kirim-Webhook/1.0");
    dialect_header_add (out, "X-Kirim-Source",
                        kirim_event_is_relayed (sending->event) ? "meta" : "kirim");
    dialect_header_add (out, "X-Kirim-Event", sending->event);
    dialect_header_add (out, "X-Kirim-Event-Id", sending->event_id);
    dialect_header_add (out, "X-Kirim-Delivery-Id", id);
    dialect_header_add_number (out, "X-Kirim-Attempt", sending->attempt);
    dialect_header_add (out, "X-Kirim-Signature", buf_text (&signature));
    return buf_failed (&signature) ? E_NO_MEMORY : 0;
}

static const char *subject_prefix (const char *event_name)
{
    return !event_name                                      ? "msg"
           : strncmp (event_name, "contact.", 8) == 0       ? "ctc"
           : strncmp (event_name, "conversation.", 13) == 0 ? "cnv"
                                                            : "msg";
}

const dialect_delivery_t kirim_delivery = {
    .holder = HOLDER_ORG,
    .schedule = "10s,30s,2m,10m,1h,6h,24h",
    .timeout_ms = 10000,
    .answer_kept = 1000,
    .refusal_is_final = true,
    .tells_retrying = true,
    .id_prefix = "wbd",
    .subscription_prefix = "wbs",
    .subject_prefix = subject_prefix,
    .secret_make = secret_make,
    .headers = headers,
};
