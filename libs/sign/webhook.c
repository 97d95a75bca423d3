/* webhook.c - Standard Webhooks signatures (github.com/standard-webhooks/standard-webhooks,
 * symmetric, v1).
 *
 * Fails on a secret that is not "whsec_" and base64 of 24 to 64 bytes, and when the buf cannot
 * grow. */
#include "base/text.h"
#include "sign/sign.h"
#include <string.h>

static const char prefix[] = "whsec_";

enum { PREFIX_LENGTH = sizeof prefix - 1, SECRET_MIN = 24, SECRET_MAX = 64, SECRET_NEW = 32 };

int sign_webhook (const char *secret, const char *id, int64_t timestamp_s, bytes_t body, buf_t *out)
{
    if (!secret || strncmp (secret, prefix, PREFIX_LENGTH) != 0)
        return E_BAD_REQUEST;
    uint8_t key[SECRET_MAX];
    const char *coded = secret + PREFIX_LENGTH;
    long size = text_read_base64 (coded, strlen (coded), key, sizeof key);
    if (size < SECRET_MIN) {
        sign_wipe (key, sizeof key);
        return E_BAD_REQUEST;
    }
    char timestamp[TEXT_NUMBER_SIZE];
    size_t length = text_write_int (timestamp_s, timestamp);
    bytes_t dot = bytes_of_str (".");
    bytes_t parts[] = {bytes_of_str (id), dot, bytes_of (timestamp, length), dot, body};
    uint8_t mac[SIGN_SHA256_SIZE];
    sign_hmac_sha256_parts (bytes_of (key, (size_t) size), parts, 5, mac);
    sign_wipe (key, sizeof key);

    char text[(SIGN_SHA256_SIZE + 2) / 3 * 4 + 1];
    text_write_base64 (mac, sizeof mac, text);
    buf_add_str (out, "v1,");
    buf_add_str (out, text);
    return buf_failed (out) ? E_NO_MEMORY : 0;
}

void sign_webhook_secret (char out[64])
{
    uint8_t key[SECRET_NEW];
    sign_random (key, sizeof key);
    memcpy (out, prefix, PREFIX_LENGTH);
    text_write_base64 (key, sizeof key, out + PREFIX_LENGTH);
    sign_wipe (key, sizeof key);
}
