/* sign.c - hashes, signatures and randomness over OpenSSL and libsodium.
 *
 * SHA-256 goes through EVP, which uses the processor's instructions, with an algorithm fetched once
 * by sign_init: fetching at each call costs as much as hashing a short text. Should EVP fail (it
 * allocates), libsodium computes the same: these functions return nothing and so must not fail. */
#include "sign/sign.h"
#include <openssl/evp.h>
#include <pthread.h>
#include <sodium.h>
#include <string.h>

enum { HMAC_BLOCK = 64 };

/* Set once by sign_init, never freed; NULL before that. */
static EVP_MD *sha256_md;
static pthread_once_t init_once = PTHREAD_ONCE_INIT;

static void init (void)
{
    if (sodium_init () >= 0)
        sha256_md = EVP_MD_fetch (NULL, "SHA256", NULL);
}

int sign_init (void)
{
    pthread_once (&init_once, init);
    return sha256_md ? 0 : E_INTERNAL;
}

/* SHA-256 of `first` and then the parts. False if EVP failed; `ctx` may be NULL, which is such a
 * failure. */
static bool evp_sha256 (EVP_MD_CTX *ctx, bytes_t first, const bytes_t *parts, size_t count,
                        uint8_t out[SIGN_SHA256_SIZE])
{
    if (!ctx || !sha256_md || !EVP_DigestInit_ex2 (ctx, sha256_md, NULL) ||
        !EVP_DigestUpdate (ctx, first.data, first.size))
        return false;
    for (size_t i = 0; i < count; i++)
        if (parts[i].size && !EVP_DigestUpdate (ctx, parts[i].data, parts[i].size))
            return false;
    return EVP_DigestFinal_ex (ctx, out, NULL) == 1;
}

static void sodium_sha256 (bytes_t first, const bytes_t *parts, size_t count,
                           uint8_t out[SIGN_SHA256_SIZE])
{
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init (&state);
    if (first.size)
        crypto_hash_sha256_update (&state, first.data, first.size);
    for (size_t i = 0; i < count; i++)
        if (parts[i].size)
            crypto_hash_sha256_update (&state, parts[i].data, parts[i].size);
    crypto_hash_sha256_final (&state, out);
    sodium_memzero (&state, sizeof state);
}

static void sha256 (EVP_MD_CTX *ctx, bytes_t first, const bytes_t *parts, size_t count,
                    uint8_t out[SIGN_SHA256_SIZE])
{
    if (!evp_sha256 (ctx, first, parts, count, out))
        sodium_sha256 (first, parts, count, out);
}

void sign_sha256 (bytes_t data, uint8_t out[SIGN_SHA256_SIZE])
{
    EVP_MD_CTX *ctx = sha256_md ? EVP_MD_CTX_new () : NULL;
    sha256 (ctx, data, NULL, 0, out);
    EVP_MD_CTX_free (ctx);
}

void sign_hmac_sha256 (bytes_t key, bytes_t data, uint8_t out[SIGN_SHA256_SIZE])
{
    sign_hmac_sha256_parts (key, &data, 1, out);
}

/* RFC 2104. */
void sign_hmac_sha256_parts (bytes_t key, const bytes_t *parts, size_t count,
                             uint8_t out[SIGN_SHA256_SIZE])
{
    EVP_MD_CTX *ctx = sha256_md ? EVP_MD_CTX_new () : NULL;
    uint8_t inner[HMAC_BLOCK] = {0};
    uint8_t outer[HMAC_BLOCK];
    if (key.size > HMAC_BLOCK)
        sha256 (ctx, key, NULL, 0, inner);
    else if (key.size)
        memcpy (inner, key.data, key.size);
    for (size_t i = 0; i < HMAC_BLOCK; i++) {
        outer[i] = inner[i] ^ 0x5c;
        inner[i] ^= 0x36;
    }
    uint8_t digest[SIGN_SHA256_SIZE];
    bytes_t last = bytes_of (digest, sizeof digest);
    sha256 (ctx, bytes_of (inner, sizeof inner), parts, count, digest);
    sha256 (ctx, bytes_of (outer, sizeof outer), &last, 1, out);
    EVP_MD_CTX_free (ctx); /* clears the hash state, which holds the key */
    sodium_memzero (inner, sizeof inner);
    sodium_memzero (outer, sizeof outer);
    sodium_memzero (digest, sizeof digest);
}

bool sign_equal (const void *a, const void *b, size_t size)
{
    return size == 0 || sodium_memcmp (a, b, size) == 0;
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
