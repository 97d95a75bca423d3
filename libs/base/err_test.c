/* err_test.c - the table of codes, filling and wrapping a failure. */
#include "base/err.h"
#include "base/text.h"
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

static void test_table (void **state)
{
    (void) state;
    assert_string_equal (error_name (E_BAD_REQUEST), "bad_request");
    assert_int_equal (error_class (E_BAD_REQUEST), EC_INPUT);
    assert_int_equal (error_class (E_CORRUPT), EC_INTERNAL);
    assert_int_equal (error_class (E_PARKED), EC_SIGNAL);
    assert_int_equal (error_read ("no_memory"), E_NO_MEMORY);
    assert_true (strlen (error_doc (E_TIMEOUT)) > 5);
    for (int code = 1; code < 10000; code++) {
        int back = error_read (error_name (code));
        assert_true (back == code || back == E_INTERNAL);
    }
}

static void test_unknown_codes (void **state)
{
    static const int rows[] = {-1, 99, 123456, INT32_MAX, INT32_MIN};
    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_string_equal (error_name (rows[i]), "internal");
        assert_int_equal (error_class (rows[i]), EC_INTERNAL);
        assert_string_equal (error_doc (rows[i]), error_doc (E_INTERNAL));
    }
    assert_string_equal (error_name (E_OK), "ok");
    assert_int_equal (error_class (E_OK), EC_OK);
    assert_string_equal (error_doc (E_OK), "");
    assert_int_equal (error_read ("no such error"), 0);
    assert_int_equal (error_read (NULL), 0);
}

static void test_set (void **state)
{
    (void) state;
    failure_t failure = {.retry_after_ms = 5};
    int code = failure_set (&failure, E_BAD_REQUEST, "to[0]", "%s is not a number", "x");
    assert_int_equal (code, E_BAD_REQUEST);
    assert_int_equal (failure.code, E_BAD_REQUEST);
    assert_string_equal (failure.field, "to[0]");
    assert_string_equal (failure.text, "x is not a number");
    assert_int_equal (failure.retry_after_ms, 0);
    assert_int_equal (failure_set (NULL, E_IO, NULL, "gone"), E_IO);
    failure_set (&failure, E_IO, NULL, "inner: %s", failure.text);
    assert_string_equal (failure.text, "inner: x is not a number");
    assert_string_equal (failure.field, "");
}

static void test_cut_is_utf8 (void **state)
{
    static const char *const letters[] = {"a", "é", "€", "🐦"};
    (void) state;
    for (size_t i = 0; i < 4; i++) {
        for (size_t shift = 0; shift < 4; shift++) {
            char text[1024] = "";
            memset (text, 'x', shift);
            while (strlen (text) < 900)
                strcat (text, letters[i]);
            failure_t failure;
            failure_set (&failure, E_BAD_REQUEST, text, "%s", text);
            assert_true (text_is_utf8 (failure.text, strlen (failure.text)));
            assert_true (text_is_utf8 (failure.field, strlen (failure.field)));
            assert_null (strchr (failure.text, '?'));
            assert_in_range (strlen (failure.text), FAILURE_TEXT_SIZE - 4, FAILURE_TEXT_SIZE - 1);
            assert_in_range (strlen (failure.field), FAILURE_FIELD_SIZE - 4,
                             FAILURE_FIELD_SIZE - 1);
        }
    }
}

static void test_not_utf8_is_mended (void **state)
{
    (void) state;
    failure_t failure;
    failure_set (&failure, E_BAD_REQUEST, "\xff", "a%sb\xc3", "\xed\xa0\x80");
    assert_string_equal (failure.field, "?");
    assert_string_equal (failure.text, "a???b?");
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_table),
        cmocka_unit_test (test_unknown_codes),
        cmocka_unit_test (test_set),
        cmocka_unit_test (test_cut_is_utf8),
        cmocka_unit_test (test_not_utf8_is_mended),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
