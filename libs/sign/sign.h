/* sign.h - cryptography of the house: HMAC-SHA256, SHA-256, Ed25519, sealing, secrets that do not
 * leak.
 *
 * Over libsodium and OpenSSL's EVP. sign_init once per process before anything else. */
#ifndef AVIARY_SIGN_SIGN_H
#define AVIARY_SIGN_SIGN_H

#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"

enum { SIGN_SHA256_SIZE = 32, SIGN_KEY_SIZE = 32 };

int sign_init (void); /* 0, or E_INTERNAL */

void sign_sha256 (bytes_t data, uint8_t out[SIGN_SHA256_SIZE]);
void sign_hmac_sha256 (bytes_t key, bytes_t data, uint8_t out[SIGN_SHA256_SIZE]);
/* Of `count` parts one after the other, without joining them first. */
void sign_hmac_sha256_parts (bytes_t key, const bytes_t *parts, size_t count,
                             uint8_t out[SIGN_SHA256_SIZE]);
/* A key that many texts are hashed under: half of each HMAC's work is done once. Holds what the key is worth: wipe it. */
typedef struct sign_hmac {
    uint64_t opaque[28];
} sign_hmac_t;

void sign_hmac_prepare (bytes_t key, sign_hmac_t *out);
void sign_hmac_run (const sign_hmac_t *self, const bytes_t *parts, size_t count,
                    uint8_t out[SIGN_SHA256_SIZE]);
/* SipHash-2-4, for tables in memory: not for secrets. */
uint64_t sign_short_hash (const uint8_t key[16], bytes_t data);
bool sign_equal (const void *a, const void *b, size_t size); /* constant time */
void sign_random (void *out, size_t size);
void sign_wipe (void *data, size_t size);
/* `length` random characters of 0-9A-Za-z and a NUL. */
void sign_random_base62 (char *out, size_t length);

bool sign_ed25519_verify (const uint8_t public_key[32], bytes_t data, const uint8_t signature[64]);
void sign_ed25519_keypair (uint8_t public_key[32], uint8_t secret_key[64]);
void sign_ed25519_sign (const uint8_t secret_key[64], bytes_t data, uint8_t signature[64]);

/* The installation's keys, from a file (0600, made with random keys if absent; refused if readable
 * by others). It holds a root secret and the ids of sealing keys; hashing and sealing keys are
 * derived from it by purpose. Lines of text: "aviary-keyring 1", "root HEX" (32 bytes), then 1 to
 * 16 lines "seal HEX" (4 bytes, a key id): the first seals, all of them open. Several processes may
 * make the file at once; they all read the one that won. Fails with E_IO, E_FORBIDDEN (mode or
 * owner), E_CORRUPT (not such a file), E_NO_MEMORY. Threads may share a keyring. */
typedef struct keyring keyring_t;
int keyring_open (const char *path, keyring_t **out, failure_t *failure);
void keyring_close (keyring_t **self); /* wipes */

/* What is stored of an API key or looked up by: HMAC-SHA256 of the key text under the
 * installation's key. */
void keyring_hash (const keyring_t *self, const char *api_key, uint8_t out[SIGN_SHA256_SIZE]);

/* A key of its own for one purpose ("media-url"), the same at every start. */
void keyring_derive (const keyring_t *self, const char *purpose, uint8_t out[SIGN_KEY_SIZE]);

/* AES-256-GCM. Sealed bytes = version, key id, nonce, ciphertext, tag; `owner` and `purpose` are
 * associated data, so that bytes moved to another record or field do not open. Both append to *out;
 * sealing fails through the buf (buf_failed). Opening returns 0, E_CORRUPT (altered, other owner or
 * purpose, unknown key) or E_NO_MEMORY; unless 0 nothing is appended. Short texts opened lately are
 * remembered (opened.h). */
void keyring_seal (const keyring_t *self, id16_t owner, const char *purpose, bytes_t clear,
                   buf_t *out);
int keyring_open_sealed (const keyring_t *self, id16_t owner, const char *purpose, bytes_t sealed,
                         buf_t *out);

/* Standard Webhooks: "v1," + base64 (HMAC-SHA256 (key, id "." timestamp "." body)) appended to
 * *out. `secret` is "whsec_" + base64 of 24 to 64 bytes. 0, E_BAD_REQUEST (the secret is not such a
 * text) or E_NO_MEMORY. */
int sign_webhook (const char *secret, const char *id, int64_t timestamp_s, bytes_t body,
                  buf_t *out);
void sign_webhook_secret (char out[64]); /* a new "whsec_..." of 32 random bytes */

#endif
