/* buf_test.c - growth on the heap and in an arena, limits, sticky failure. */
#include "base/buf.h"
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

static void fill_and_check (buf_t *buf)
{
    char want[20000];
    for (size_t i = 0; i < sizeof want; i++)
        want[i] = (char) ('a' + i % 26);
    for (size_t i = 0; i < sizeof want;) {
        size_t step = 1 + i % 97;
        if (step > sizeof want - i)
            step = sizeof want - i;
        buf_add (buf, want + i, step);
        i += step;
    }
    assert_false (buf_failed (buf));
    assert_int_equal (buf->size, sizeof want);
    assert_memory_equal (buf->data, want, sizeof want);
}

static void test_grows_on_heap (void **state)
{
    (void) state;
    buf_t buf = {0};
    fill_and_check (&buf);
    buf_clear (&buf);
    fill_and_check (&buf);
    buf_free (&buf);
    assert_null (buf.data);
    assert_int_equal (buf.size, 0);
    buf_free (&buf);
    buf_free (NULL);
}

static void test_grows_in_arena (void **state)
{
    (void) state;
    arena_t *arena = arena_new (1024 * 1024);
    buf_t one = buf_in (arena);
    buf_t two = buf_in (arena);
    for (int i = 0; i < 1000; i++) {
        buf_printf (&one, "%d,", i);
        buf_printf (&two, "%d;", i);
    }
    assert_memory_equal (one.data, "0,1,2,", 6);
    assert_memory_equal (two.data + two.size - 4, "999;", 4);
    buf_free (&one);
    fill_and_check (&one);
    arena_destroy (&arena);
}

static void test_limit_sticks (void **state)
{
    (void) state;
    buf_t buf = {.limit = 10};
    buf_add_str (&buf, "0123456789");
    assert_false (buf_failed (&buf));
    assert_string_equal (buf_text (&buf), "0123456789"); /* the NUL does not count */
    buf_add_byte (&buf, 'x');
    assert_true (buf_failed (&buf));
    assert_string_equal (buf_text (&buf), "");
    assert_int_equal (buf_bytes (&buf).size, 0);
    buf_add (&buf, NULL, 0);
    assert_null (buf_reserve (&buf, 0));
    buf_clear (&buf);
    buf_printf (&buf, "%d", 1234567890);
    assert_string_equal (buf_text (&buf), "1234567890");
    buf_printf (&buf, "%d", 1);
    assert_true (buf_failed (&buf));
    buf_clear (&buf);
    assert_null (buf_reserve (&buf, SIZE_MAX));
    buf_free (&buf);
}

static void test_arena_failure_sticks (void **state)
{
    (void) state;
    arena_t *arena = arena_new (200);
    buf_t buf = buf_in (arena);
    for (int i = 0; i < 300; i++)
        buf_add_byte (&buf, 'x');
    assert_true (buf_failed (&buf));
    assert_string_equal (buf_text (&buf), "");
    arena_destroy (&arena);
}

static void test_printf_sizes (void **state)
{
    (void) state;
    for (int length = 0; length < 700; length += 50) {
        buf_t buf = {.limit = (size_t) length};
        buf_printf (&buf, "%*s", length, "");
        if (length == 0) {
            buf_free (&buf);
            continue;
        }
        assert_int_equal (buf.size, length);
        assert_int_equal (strlen (buf_text (&buf)), length);
        buf_free (&buf);
    }
}

static void test_empty (void **state)
{
    (void) state;
    buf_t buf = {0};
    assert_string_equal (buf_text (&buf), "");
    buf_free (&buf);
    assert_non_null (buf_reserve (&buf, 0));
    buf_free (&buf);
    assert_true (bytes_equal (bytes_of (NULL, 0), bytes_of_str ("")));
    assert_true (bytes_equal (bytes_of_str ("ab"), bytes_of ("abc", 2)));
    assert_false (bytes_equal (bytes_of_str ("ab"), bytes_of_str ("ac")));
    assert_false (bytes_equal (bytes_of_str ("ab"), bytes_of_str ("abc")));
    assert_int_equal (bytes_of_str (NULL).size, 0);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_grows_on_heap), cmocka_unit_test (test_grows_in_arena),
        cmocka_unit_test (test_limit_sticks),  cmocka_unit_test (test_arena_failure_sticks),
        cmocka_unit_test (test_printf_sizes),  cmocka_unit_test (test_empty),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
