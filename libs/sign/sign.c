/* sign.c - hashes, signatures and randomness over OpenSSL and libsodium.
 *
 * SHA-256 is OpenSSL's own function, which uses the processor's instructions, and not EVP, which allocates and counts references at
 * each call: that cost more than hashing a short text does. These functions return nothing and so must not fail; nor does this one. */
#define OPENSSL_SUPPRESS_DEPRECATED /* SHA256_Init and its like are there as long as OpenSSL 3 is */
#include "sign/sign.h"

#include "base/big_endian.h"
#include <openssl/sha.h>
#include <pthread.h>
#include <sodium.h>
#include <string.h>

enum { HMAC_BLOCK = 64 };

/* Set once by sign_init. */
static bool is_ready;
static pthread_once_t init_once = PTHREAD_ONCE_INIT;

static void init (void)
{
    is_ready = sodium_init () >= 0;
}

int sign_init (void)
{
    pthread_once (&init_once, init);
    return is_ready ? 0 : E_INTERNAL;
}

/* SHA-256 of `first` and then the parts. */
static void sha256 (bytes_t first, const bytes_t *parts, size_t count,
                    uint8_t out[SIGN_SHA256_SIZE])
{
    SHA256_CTX state;
    SHA256_Init (&state);
    if (first.size)
        SHA256_Update (&state, first.data, first.size);
    for (size_t i = 0; i < count; i++)
        if (parts[i].size)
            SHA256_Update (&state, parts[i].data, parts[i].size);
    SHA256_Final (out, &state);
    sodium_memzero (&state, sizeof state); /* may hold a key */
}

void sign_sha256 (bytes_t data, uint8_t out[SIGN_SHA256_SIZE])
{
    sha256 (data, NULL, 0, out);
}

void sign_hmac_sha256 (bytes_t key, bytes_t data, uint8_t out[SIGN_SHA256_SIZE])
{
    sign_hmac_sha256_parts (key, &data, 1, out);
}

typedef struct hmac {
    SHA256_CTX inner, outer; /* after the first block, which is the key's */
} hmac_t;

_Static_assert(sizeof (hmac_t) == sizeof (sign_hmac_t), "a sign_hmac_t holds an hmac_t");

/* RFC 2104. */
void sign_hmac_prepare (bytes_t key, sign_hmac_t *out)
{
    hmac_t *self = (hmac_t *) (void *) out;
    uint8_t inner[HMAC_BLOCK] = {0};
    uint8_t outer[HMAC_BLOCK];
    if (key.size > HMAC_BLOCK)
        sha256 (key, NULL, 0, inner);
    else if (key.size)
        memcpy (inner, key.data, key.size);
    for (size_t i = 0; i < HMAC_BLOCK; i++) {
        outer[i] = inner[i] ^ 0x5c;
        inner[i] ^= 0x36;
    }
    SHA256_Init (&self->inner);
    SHA256_Update (&self->inner, inner, sizeof inner);
    SHA256_Init (&self->outer);
    SHA256_Update (&self->outer, outer, sizeof outer);
    sodium_memzero (inner, sizeof inner);
    sodium_memzero (outer, sizeof outer);
}

void sign_hmac_run (const sign_hmac_t *self, const bytes_t *parts, size_t count,
                    uint8_t out[SIGN_SHA256_SIZE])
{
    hmac_t state = *(const hmac_t *) (const void *) self;
    for (size_t i = 0; i < count; i++)
        if (parts[i].size)
            SHA256_Update (&state.inner, parts[i].data, parts[i].size);
    uint8_t digest[SIGN_SHA256_SIZE];
    SHA256_Final (digest, &state.inner);
    SHA256_Update (&state.outer, digest, sizeof digest);
    SHA256_Final (out, &state.outer);
    sodium_memzero (&state, sizeof state);
    sodium_memzero (digest, sizeof digest);
}

void sign_hmac_sha256_parts (bytes_t key, const bytes_t *parts, size_t count,
                             uint8_t out[SIGN_SHA256_SIZE])
{
    sign_hmac_t prepared;
    sign_hmac_prepare (key, &prepared);
    sign_hmac_run (&prepared, parts, count, out);
    sodium_memzero (&prepared, sizeof prepared);
}

bool sign_equal (const void *a, const void *b, size_t size)
{
    return size == 0 || sodium_memcmp (a, b, size) == 0;
}

uint64_t sign_short_hash (const uint8_t key[16], bytes_t data)
{
    uint8_t hash[crypto_shorthash_BYTES];
    crypto_shorthash (hash, data.data, data.size, key);
    return u64_read (hash);
}

void sign_random (void *out, size_t size)
{
    randombytes_buf (out, size);
}

void sign_wipe (void *data, size_t size)
{
    if (size)
        sodium_memzero (data, size);
}

void sign_random_base62 (char *out, size_t length)
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    enum { FAIR = 62 * 4 }; /* bytes from here on would make some digits likelier */
    uint8_t pool[64];
    size_t left = 0;
    size_t made = 0;
    while (made < length) {
        if (left == 0) {
            randombytes_buf (pool, sizeof pool);
            left = sizeof pool;
        }
        uint8_t byte = pool[--left];
        if (byte < FAIR)
            out[made++] = digits[byte % 62];
    }
    out[length] = 0;
    sodium_memzero (pool, sizeof pool);
}

bool sign_ed25519_verify (const uint8_t public_key[32], bytes_t data, const uint8_t signature[64])
{
    return crypto_sign_ed25519_verify_detached (signature, data.data, data.size, public_key) == 0;
}

void sign_ed25519_keypair (uint8_t public_key[32], uint8_t secret_key[64])
{
    crypto_sign_ed25519_keypair (public_key, secret_key);
}

void sign_ed25519_sign (const uint8_t secret_key[64], bytes_t data, uint8_t signature[64])
{
    crypto_sign_ed25519_detached (signature, NULL, data.data, data.size, secret_key);
}
