/* url_test.c - what is signed verifies until its time; any other spelling, path, time, key or signature does not. */
#include "sign/url.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char path[] = "/media/org_1/app_2/med_3.jpg";
static const int64_t until = 1760003600;

static void key_make (uint8_t key[SIGN_KEY_SIZE], uint8_t first)
{
    for (unsigned i = 0; i < SIGN_KEY_SIZE; i++)
        key[i] = (uint8_t) (first + i);
}

/* The query of a signed URL, in `out`. */
static void query_make (const char *of, char out[256])
{
    uint8_t key[SIGN_KEY_SIZE];
    buf_t url = {0};
    key_make (key, 1);
    sign_url (key, of, until, &url);
    assert_false (buf_failed (&url));
    assert_memory_equal (buf_text (&url), of, strlen (of));
    assert_int_equal (buf_text (&url)[strlen (of)], '?');
    snprintf (out, 256, "%s", buf_text (&url) + strlen (of) + 1);
    buf_free (&url);
}

static int check (uint8_t first, const char *of, const char *query, int64_t now)
{
    uint8_t key[SIGN_KEY_SIZE];
    failure_t failure = {0};
    key_make (key, first);
    int code = sign_url_verify (key, of, query, now, &failure);
    assert_int_equal (failure.code, code);
    assert_true (code == 0 || failure.text[0] != 0);
    return code;
}

static void test_right (void **state)
{
    (void) state;
    char query[256];
    query_make (path, query);
    assert_int_equal (check (1, path, query, until - 3600), 0);
    assert_int_equal (check (1, path, query, until - 1), 0);
    assert_int_equal (check (1, path, query, until), E_FORBIDDEN);
    assert_int_equal (check (1, path, query, INT64_MAX), E_FORBIDDEN);
    /* HMAC-SHA256 by another hand: python3 hmac, key 01..20, "aviary-url 1\n" path "\n" time. */
    assert_string_equal (query, "expires=1760003600&signature="
                                "04dca50fb7b6f2123963e8c227958fd63452931029f3d85b9bc11a524863d9c9");
}

/* Each single character of the query changed, and each of the path. */
static void test_tampered (void **state)
{
    (void) state;
    char query[256], other[256];
    query_make (path, query);
    for (size_t i = 0; i < strlen (query); i++) {
        strcpy (other, query);
        other[i] = other[i] == '0' ? '1' : '0';
        assert_int_equal (check (1, path, other, until - 10), E_FORBIDDEN);
        strcpy (other, query);
        other[i] = '\0';
        assert_int_equal (check (1, path, other, until - 10), E_FORBIDDEN);
    }
    for (size_t i = 0; i < strlen (path); i++) {
        strcpy (other, path);
        other[i] = other[i] == 'x' ? 'y' : 'x';
        assert_int_equal (check (1, other, query, until - 10), E_FORBIDDEN);
    }
    assert_int_equal (check (2, path, query, until - 10), E_FORBIDDEN);
}

static void test_spelling (void **state)
{
    (void) state;
    char query[256], other[512], hex[65];
    query_make (path, query);
    snprintf (hex, sizeof hex, "%s", strstr (query, "signature=") + 10);
    static const char *const rows[] = {"expires=1760003600&signature=%s0",
                                       "expires=01760003600&signature=%s",
                                       "expires=+1760003600&signature=%s",
                                       "expires=1760003600&signature=%s&x=1",
                                       "x=1&expires=1760003600&signature=%s",
                                       "signature=%s&expires=1760003600",
                                       "Expires=1760003600&signature=%s",
                                       "expires=&signature=%s",
                                       "expires=99999999999999999999&signature=%s",
                                       "signature=%s",
                                       "%.0s",
                                       "expires=1760003600%.0s"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf (other, sizeof other, rows[i], hex);
#pragma GCC diagnostic pop
        assert_int_equal (check (1, path, other, until - 10), E_FORBIDDEN);
    }
    for (char *at = hex; *at; at++) /* upper case is another spelling */
        *at = *at >= 'a' ? (char) (*at - 'a' + 'A') : *at;
    snprintf (other, sizeof other, "expires=1760003600&signature=%s", hex);
    assert_int_equal (check (1, path, other, until - 10), E_FORBIDDEN);
}

static void test_paths (void **state)
{
    (void) state;
    static const char *const rows[] = {"", "media", "/a?b", "/a#b", "/a b", "/a\nb", "/\xc3\xa4"};
    uint8_t key[SIGN_KEY_SIZE];
    key_make (key, 1);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        buf_t url = {0};
        sign_url (key, rows[i], until, &url);
        assert_true (buf_failed (&url));
        buf_free (&url);
    }
    buf_t url = {0};
    sign_url (key, path, 0, &url);
    assert_true (buf_failed (&url));
    buf_free (&url);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_right), cmocka_unit_test (test_tampered),
        cmocka_unit_test (test_spelling), cmocka_unit_test (test_paths)};
    if (sign_init () != 0)
        return 1;
    return cmocka_run_group_tests (tests, NULL, NULL);
}
