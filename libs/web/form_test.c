/* form_test.c - query strings and forms, as rows. */
#include "web/web.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

typedef struct pair_row {
    const char *text;
    const char *want; /* name=value; of each pair, then "!" if malformed */
} pair_row_t;

static const pair_row_t pair_rows[] = {
    {"", ""},
    {"a=1", "a=1;"},
    {"a=1&b=2", "a=1;b=2;"},
    {"a", "a=;"},
    {"a=", "a=;"},
    {"=x", "=x;"},
    {"&&a=1&&", "a=1;"},
    {"a=b=c", "a=b=c;"},
    {"a=x+y%20z", "a=x y z;"},
    {"%61%3D=%26", "a==&;"},
    {"a=%c3%A9", "a=\xc3\xa9;"},
    {"a=%zz", "!"},
    {"a=1&b=%2", "a=1;!"},
    {"a=%", "!"},
    {"a=%00", "!"},
    {"a=%ff", "!"},
    {"a=%c0%af", "!"},
};

static void pairs_are_decoded (void **state)
{
    (void) state;
    arena_t *arena = arena_new (1 << 20);
    for (size_t i = 0; i < sizeof pair_rows / sizeof pair_rows[0]; i++) {
        const char *at = pair_rows[i].text, *name, *value;
        bool malformed = false;
        char got[256] = "";
        size_t size = 0;
        while (web_pair_next (arena, &at, &name, &value, &malformed))
            size += (size_t) snprintf (got + size, sizeof got - size, "%s=%s;", name, value);
        if (malformed)
            snprintf (got + size, sizeof got - size, "!");
        assert_string_equal (got, pair_rows[i].want);
        arena_reset (arena);
    }
    arena_destroy (&arena);
}

static void full_arena_is_an_error_not_a_crash (void **state)
{
    (void) state;
    arena_t *arena = arena_new (1 << 20);
    for (unsigned n = 1; n <= 2; n++) {
        const char *at = "name=value", *name, *value;
        bool malformed = false;
        arena_fail_nth (arena, n);
        assert_false (web_pair_next (arena, &at, &name, &value, &malformed));
        assert_true (malformed);
    }
    arena_destroy (&arena);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (pairs_are_decoded),
        cmocka_unit_test (full_arena_is_an_error_not_a_crash),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
