/* json_test.c - single values out of JSON: paths, and what reads as absent. */
#include "provider/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static const char *const text =
    "{\"a\":{\"b\":[{\"c\":\"x\"},{\"c\":7},null,[1,2]],\"d\":null,\"e\":\"\"},\"n\":-12,\"s\":"
    "\"-12\",\"f\":1.5,\"t\":true,\"at\":\"2026-01-23T18:10:02.574Z\",\"off\":"
    "\"2026-01-23T18:10:02+00:00\",\"big\":\"12345678901234567890\"}";

static bytes_t value_of (arena_t *arena)
{
    bytes_t value;
    assert_int_equal (jval_read (arena, bytes_of_str (text), &value, NULL), 0);
    return value;
}

static void test_paths (void **state)
{
    static const struct {
        const char *path;
        const char *code; /* as jval_code gives it */
    } rows[] = {
        {"a.b.0.c", "x"}, {"a.b.1.c", "7"}, {"a.b.3.1", "2"}, {"n", "-12"},
        {"s", "-12"},     {"a.b.2", NULL},  {"a.b.4", NULL},  {"a.b.x", NULL},
        {"a.d", NULL},    {"a.d.x", NULL},  {"a.e", NULL},    {"a", NULL},
        {"none", NULL},   {"n.x", NULL},    {"", NULL},       {"f", NULL},
        {"t", NULL},      {"a..b", NULL},   {"a.b.", NULL},   {"a.b.00000000", NULL},
    };
    arena_t *arena = *state;
    bytes_t value = value_of (arena);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *code = jval_code (arena, value, rows[i].path);
        if (rows[i].code && code)
            assert_string_equal (code, rows[i].code);
        else
            assert_true (rows[i].code == NULL && code == NULL);
    }
}

static void test_kinds (void **state)
{
    arena_t *arena = *state;
    bytes_t value = value_of (arena);
    int64_t n = 5;
    double f = 0;
    assert_true (jval_int (value, "n", &n) && n == -12);
    assert_true (jval_int (value, "s", &n) && n == -12);
    assert_false (jval_int (value, "f", &n) || jval_int (value, "t", &n) ||
                  jval_int (value, "big", &n) || jval_int (value, "a.e", &n));
    assert_true (jval_number (value, "f", &f) && f == 1.5);
    assert_true (jval_number (value, "n", &f) && f == -12);
    assert_false (jval_number (value, "s", &f));
    assert_true (jval_bool (value, "t"));
    assert_false (jval_bool (value, "n") || jval_bool (value, "none"));
    assert_true (jval_time (value, "at", &n) && n == 1769191802574);
    assert_true (jval_time (value, "off", &n) && n == 1769191802000);
    assert_false (jval_time (value, "s", &n) || jval_time (value, "n", &n));
    assert_string_equal (jval_text (arena, value, "a.e"), "");
    assert_null (jval_word (arena, value, "a.e"));
    assert_null (jval_text (arena, value, "n"));
    assert_true (jval_is (value, "s", "-12") && !jval_is (value, "n", "-12"));
    assert_true (jval_is_map (value, "a") && jval_is_map (value, "") && !jval_is_map (value, "n"));
}

static void test_lists (void **state)
{
    bytes_t item, value = value_of (*state);
    jval_list_t list = jval_list (value, "a.b");
    unsigned count = 0;
    assert_int_equal (list.left, 4);
    while (jval_next (&list, &item))
        count++;
    assert_int_equal (count, 4);
    list = jval_list (value, "a");
    assert_false (jval_next (&list, &item));
    list = jval_list ((bytes_t){0}, "");
    assert_false (jval_next (&list, &item));
}

static void test_refused (void **state)
{
    static const char *const rows[] = {
        "", "{", "{\"a\":1,\"a\":2}", "nul", "{\"a\":\"\\u0000\"}", "\xff"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        failure_t failure = {0};
        bytes_t value = {0};
        assert_int_equal (jval_read (*state, bytes_of_str (rows[i]), &value, &failure),
                          E_BAD_REQUEST);
        assert_int_equal (failure.code, E_BAD_REQUEST);
        assert_int_equal (value.size, 0);
    }
}

static void test_no_memory (void **state)
{
    (void) state;
    static char json[8192];
    bytes_t value;
    jmp_buf trap;
    arena_t *arena = arena_new (1024);
    memset (json, ' ', sizeof json);
    json[0] = json[6000] = '"';
    if (setjmp (trap))
        fail_msg ("the trap was sprung");
    arena_trap (arena, &trap);
    assert_int_equal (jval_read (arena, bytes_of (json, sizeof json), &value, NULL), E_NO_MEMORY);
    assert_ptr_equal (arena_trap (arena, NULL), &trap);
    arena_destroy (&arena);
}

static void test_writing (void **state)
{
    buf_t out = buf_in (*state);
    buf_add_byte (&out, '{');
    jval_put_text (&out, "none", NULL);
    jval_put_text (&out, "a", "x\"\n");
    jval_put_bool (&out, "b", false);
    jval_put_text (&out, "c", "");
    buf_add_byte (&out, '}');
    assert_string_equal (buf_text (&out), "{\"a\":\"x\\\"\\n\",\"b\":false,\"c\":\"\"}");
}

static int setup (void **state)
{
    *state = arena_new (1 << 20);
    return *state == NULL;
}

static int teardown (void **state)
{
    arena_t *arena = *state;
    arena_destroy (&arena);
    return 0;
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_paths),     cmocka_unit_test (test_kinds),
        cmocka_unit_test (test_lists),     cmocka_unit_test (test_refused),
        cmocka_unit_test (test_no_memory), cmocka_unit_test (test_writing),
    };
    return cmocka_run_group_tests (tests, setup, teardown);
}
