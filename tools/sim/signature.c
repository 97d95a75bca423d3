/* signature.c - how the carriers sign their callbacks. How it fails: it does not. */
#include "callbacks.h"

#include "base/text.h"
#include "sign/sign.h"
#include <string.h>

void signature_meta (const char *secret, bytes_t body, char out[72])
{
    uint8_t digest[SIGN_SHA256_SIZE];
    sign_hmac_sha256 (bytes_of_str (secret), body, digest);
    memcpy (out, "sha256=", 7);
    text_write_hex (digest, sizeof digest, out + 7);
}

void signature_telnyx (const uint8_t secret[64], const char *timestamp, bytes_t body, char out[89])
{
    uint8_t signature[64];
    buf_t signed_text = {0};
    buf_printf (&signed_text, "%s|", timestamp);
    buf_add (&signed_text, body.data, body.size);
    sign_ed25519_sign (secret, buf_bytes (&signed_text), signature);
    buf_free (&signed_text);
    text_write_base64 (signature, sizeof signature, out);
}
