/* sign_test.c - published vectors, agreement of both hash engines, randomness, constant-time
 * compare. */
#include "base/text.h"
#include "sign/sign.h"
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static size_t unhex (const char *hex, uint8_t *out, size_t capacity)
{
    long size = text_read_hex (hex, strlen (hex), out, capacity);
    assert_true (size >= 0);
    return (size_t) size;
}

static void assert_hex (const uint8_t *data, size_t size, const char *want)
{
    char hex[129];
    text_write_hex (data, size, hex);
    assert_string_equal (hex, want);
}

/* FIPS 180-4 examples. Runs before and after sign_init: both engines. */
static void test_sha256 (void **state)
{
    (void) state;
    uint8_t out[SIGN_SHA256_SIZE];
    sign_sha256 (bytes_of (NULL, 0), out);
    assert_hex (out, 32, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    sign_sha256 (bytes_of_str ("abc"), out);
    assert_hex (out, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sign_sha256 (bytes_of_str ("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), out);
    assert_hex (out, 32, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

/* RFC 4231, test cases 1 to 4, 6 and 7 (5 is about cut output). */
static void test_hmac (void **state)
{
    static const struct {
        const char *key_hex;
        int key_repeat;
        const char *data;
        int data_byte, data_repeat;
        const char *want;
    } rows[] = {
        {"0b", 20, "Hi There", 0, 0,
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {"4a656665", 1, "what do ya want for nothing?", 0, 0,
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {"aa", 20, NULL, 0xdd, 50,
         "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
        {"0102030405060708090a0b0c0d0e0f10111213141516171819", 1, NULL, 0xcd, 50,
         "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
        {"aa", 131, "Test Using Larger Than Block-Size Key - Hash Key First", 0, 0,
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
        {"aa", 131,
         "This is a test using a larger than block-size key and a larger than block-size data. "
         "The key needs to be hashed before being used by the HMAC algorithm.",
         0, 0, "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
    };
    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t key[256], data[256], out[SIGN_SHA256_SIZE];
        size_t step = unhex (rows[i].key_hex, key, sizeof key);
        size_t key_size = step * (size_t) rows[i].key_repeat;
        for (size_t j = step; j < key_size; j++)
            key[j] = key[j - step];
        size_t data_size = rows[i].data ? strlen (rows[i].data) : (size_t) rows[i].data_repeat;
        if (rows[i].data)
            memcpy (data, rows[i].data, data_size);
        else
            memset (data, rows[i].data_byte, data_size);
        sign_hmac_sha256 (bytes_of (key, key_size), bytes_of (data, data_size), out);
        assert_hex (out, 32, rows[i].want);
        bytes_t parts[] = {bytes_of (data, 3), bytes_of (NULL, 0),
                           bytes_of (data + 3, data_size - 3)};
        sign_hmac_sha256_parts (bytes_of (key, key_size), parts, 3, out);
        assert_hex (out, 32, rows[i].want);
    }
}

static void test_init (void **state)
{
    (void) state;
    assert_int_equal (sign_init (), 0);
    assert_int_equal (sign_init (), 0);
}

/* Against libsodium's own HMAC, over sizes around the block. */
static void test_hmac_agrees (void **state)
{
    (void) state;
    uint8_t data[300];
    sign_random (data, sizeof data);
    for (size_t key_size = 0; key_size < 140; key_size += 3) {
        for (size_t size = 0; size < 300; size += 7) {
            uint8_t got[SIGN_SHA256_SIZE], want[SIGN_SHA256_SIZE];
            crypto_auth_hmacsha256_state mac;
            sign_hmac_sha256 (bytes_of (data, key_size), bytes_of (data, size), got);
            crypto_auth_hmacsha256_init (&mac, data, key_size);
            crypto_auth_hmacsha256_update (&mac, data, size);
            crypto_auth_hmacsha256_final (&mac, want);
            assert_memory_equal (got, want, sizeof got);
        }
    }
}

/* RFC 8032 section 7.1, tests 1 to 3. */
static void test_ed25519 (void **state)
{
    static const struct {
        const char *seed, *public_key, *data, *signature;
    } rows[] = {
        {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
         "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
         "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
         "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
        {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
         "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
         "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
         "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
        {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
         "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
         "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
         "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
    };
    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t secret[64], public_key[32], data[8], want[64], got[64];
        unhex (rows[i].seed, secret, 32);
        unhex (rows[i].public_key, secret + 32, 32);
        unhex (rows[i].public_key, public_key, 32);
        unhex (rows[i].signature, want, 64);
        bytes_t message = bytes_of (data, unhex (rows[i].data, data, sizeof data));
        sign_ed25519_sign (secret, message, got);
        assert_memory_equal (got, want, 64);
        assert_true (sign_ed25519_verify (public_key, message, got));
        for (size_t bit = 0; bit < 512; bit += 37) {
            got[bit / 8] ^= (uint8_t) (1 << bit % 8);
            assert_false (sign_ed25519_verify (public_key, message, got));
            got[bit / 8] ^= (uint8_t) (1 << bit % 8);
        }
        assert_false (sign_ed25519_verify (public_key, bytes_of_str ("other"), got));
        public_key[0] ^= 1;
        assert_false (sign_ed25519_verify (public_key, message, got));
    }
}

static void test_ed25519_keypair (void **state)
{
    (void) state;
    uint8_t public_key[32], secret[64], signature[64];
    sign_ed25519_keypair (public_key, secret);
    sign_ed25519_sign (secret, bytes_of_str ("wren"), signature);
    assert_true (sign_ed25519_verify (public_key, bytes_of_str ("wren"), signature));
    assert_false (sign_ed25519_verify (public_key, bytes_of_str ("tern"), signature));
}

static void test_random (void **state)
{
    (void) state;
    char one[201], two[201];
    int seen[128] = {0};
    sign_random_base62 (one, 0);
    assert_string_equal (one, "");
    for (int i = 0; i < 100; i++) {
        sign_random_base62 (one, 200);
        sign_random_base62 (two, 200);
        assert_int_equal (strlen (one), 200);
        assert_string_not_equal (one, two);
        for (size_t j = 0; j < 200; j++)
            seen[(int) one[j]]++;
    }
    /* 20,000 draws of 62: each about 323 times, far from 100 and 600. */
    for (int c = 0; c < 128; c++) {
        bool digit = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        assert_true (digit ? seen[c] > 100 && seen[c] < 600 : seen[c] == 0);
    }
    uint8_t a[32] = {0}, b[32] = {0};
    sign_random (a, sizeof a);
    sign_random (b, sizeof b);
    assert_false (sign_equal (a, b, sizeof a));
    assert_true (sign_equal (a, a, sizeof a));
    assert_true (sign_equal (NULL, NULL, 0));
    sign_wipe (a, sizeof a);
    memset (b, 0, sizeof b);
    assert_memory_equal (a, b, sizeof a);
    sign_wipe (NULL, 0);
}

/* One bit at each place of texts of up to five words. */
static void test_equal (void **state)
{
    uint8_t a[40], b[40];
    (void) state;
    sign_random (a, sizeof a);
    memcpy (b, a, sizeof b);
    for (size_t size = 0; size <= sizeof a; size++) {
        assert_true (sign_equal (a, b, size));
        for (size_t bit = 0; bit < 8 * sizeof b; bit++) {
            b[bit / 8] ^= (uint8_t) (1 << bit % 8);
            assert_int_equal (sign_equal (a, b, size), bit >= 8 * size);
            b[bit / 8] = a[bit / 8];
        }
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_equal),
        cmocka_unit_test (test_sha256),
        cmocka_unit_test (test_hmac),
        cmocka_unit_test (test_init),
        cmocka_unit_test (test_sha256),
        cmocka_unit_test (test_hmac),
        cmocka_unit_test (test_hmac_agrees),
        cmocka_unit_test (test_ed25519),
        cmocka_unit_test (test_ed25519_keypair),
        cmocka_unit_test (test_random),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
