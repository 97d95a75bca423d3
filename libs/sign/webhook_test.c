/* webhook_test.c - the Standard Webhooks example (its signature checked with openssl dgst), bad
 * secrets, new secrets. */
#include "base/text.h"
#include "sign/sign.h"
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

static const char secret[] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

static void test_vector (void **state)
{
    (void) state;
    buf_t out = {0};
    int rc = sign_webhook (secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
                           bytes_of_str ("{\"test\": 2432232314}"), &out);
    assert_int_equal (rc, 0);
    assert_string_equal (buf_text (&out), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    buf_free (&out);
}

/* During a rotation a header holds the signatures of two secrets, with a space between. */
static void test_appends (void **state)
{
    (void) state;
    buf_t out = {0};
    assert_int_equal (sign_webhook (secret, "a", 1, bytes_of (NULL, 0), &out), 0);
    buf_add_byte (&out, ' ');
    assert_int_equal (sign_webhook (secret, "b", 1, bytes_of (NULL, 0), &out), 0);
    assert_int_equal (out.size, 2 * 47 + 1);
    assert_memory_equal (out.data + 48, "v1,", 3);
    assert_memory_not_equal (out.data, out.data + 48, 47);
    buf_free (&out);
}

static void test_bad_secrets (void **state)
{
    static const char over_long[] = "whsec_" /* 66 bytes */
                                    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
                                    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    static const char *const rows[] = {
        NULL,
        "",
        "whsec_",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",  /* cut */
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS=", /* 23 bytes */
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa-w",
        over_long,
    };
    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        buf_t out = {0};
        assert_int_equal (sign_webhook (rows[i], "id", 1, bytes_of_str ("x"), &out), E_BAD_REQUEST);
        assert_int_equal (out.size, 0);
        buf_free (&out);
    }
    buf_t small = {.limit = 10};
    assert_int_equal (sign_webhook (secret, "id", 1, bytes_of_str ("x"), &small), E_NO_MEMORY);
    buf_free (&small);
}

static void test_new_secret (void **state)
{
    (void) state;
    char one[64], two[64];
    sign_webhook_secret (one);
    sign_webhook_secret (two);
    assert_int_equal (strlen (one), 50);
    assert_memory_equal (one, "whsec_", 6);
    assert_string_not_equal (one, two);
    uint8_t key[32];
    assert_int_equal (text_read_base64 (one + 6, strlen (one + 6), key, sizeof key), 32);
    buf_t out = {0};
    assert_int_equal (sign_webhook (one, "id", 1, bytes_of_str ("x"), &out), 0);
    buf_free (&out);
}

static int init (void **state)
{
    (void) state;
    return sign_init ();
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_vector),
        cmocka_unit_test (test_appends),
        cmocka_unit_test (test_bad_secrets),
        cmocka_unit_test (test_new_secret),
    };
    return cmocka_run_group_tests (tests, init, NULL);
}
