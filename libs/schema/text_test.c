/* text_test.c - parameters of paths and queries. */
#include "schema/schema.h"

#include "testgen/bird.h"
#include "testgen/zoo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const schema_type_t *query_view (void)
{
    for (size_t i = 0; i < testgen_bird_op_count; i++)
        if (strcmp (testgen_bird_ops[i].name, "listAnimals") == 0)
            return testgen_bird_ops[i].query_view;
    return NULL;
}

static void test_text (void **state)
{
    (void) state;
    static const struct {
        const char *name, *text;
        int code;
        const char *want; /* JSON by the core type, or the sentence */
    } rows[] = {
        {"limit", "7", 0, "{\"limit\":7}"},
        {"limit", "101", E_BAD_REQUEST, "limit must be at most 100"},
        {"limit", "0", E_BAD_REQUEST, "limit must be at least 1"},
        {"limit", "7x", E_BAD_REQUEST, "limit must be a whole number"},
        {"limit", " 7", E_BAD_REQUEST, "limit must be a whole number"},
        {"limit", "", E_BAD_REQUEST, "limit must be a whole number"},
        {"limit", "-", E_BAD_REQUEST, "limit must be a whole number"},
        {"limit", "99999999999999999999", E_BAD_REQUEST, "limit must be a whole number"},
        {"alive", "true", 0, "{\"alive\":true}"},
        {"alive", "false", 0, "{\"alive\":false}"},
        {"alive", "yes", E_BAD_REQUEST, "alive must be true or false"},
        {"alive", "truex", E_BAD_REQUEST, "alive must be true or false"},
        {"weight", "-1.5e2", 0, "{\"weight\":-150}"},
        {"weight", "nan", E_BAD_REQUEST, "weight must be a number"},
        {"since", "1970-01-01T00:00:01Z", 0, "{\"since\":\"1970-01-01T00:00:01.000Z\"}"},
        {"since", "now", E_BAD_REQUEST, "since must be a time as 2026-03-02T09:14:07.218Z"},
        {"name", "abcd", 0, "{\"name\":\"abcd\"}"},
        {"name", "\"", E_BAD_REQUEST, "name must have at least 2 characters"},
        {"name", "abcde", E_BAD_REQUEST, "name must have at most 4 characters"},
        {"name", "\xFF\xFF", E_BAD_REQUEST, "name is not UTF-8 text"},
        {"types", "CAT,OWL", 0, "{\"kinds\":[\"cat\",\"owl\"]}"},
        {"types", "CAT,", E_BAD_REQUEST, "types[1] must be one of OWL, CAT, KITTEN"},
        {"types", "CAT,CAT", E_BAD_REQUEST, "types[1] repeats an earlier item"},
        {"types", "CAT,OWL,CAT,OWL", E_BAD_REQUEST, "types must have at most 3 items"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        arena_t *arena = arena_new (1 << 16);
        zoo_list_in_t in = {0};
        failure_t failure = {0};
        const schema_field_t *field = schema_field_find (query_view (), rows[i].name);
        int code = schema_text_read (field, NULL, rows[i].text, arena, &in, &failure);
        if (code != rows[i].code)
            print_error ("%s=%s: %s\n", rows[i].name, rows[i].text, failure.text);
        assert_int_equal (code, rows[i].code);
        buf_t out = buf_in (arena);
        schema_json_write (&zoo_list_in_type, NULL, &in, &out);
        assert_string_equal (code ? failure.text : buf_text (&out), rows[i].want);
        if (code)
            assert_string_equal (
                strncmp (failure.field, rows[i].name, strlen (rows[i].name)) ? "other" : "", "");
        arena_destroy (&arena);
    }
}

/* A list given in two parameters of one name. */
static void test_text_twice (void **state)
{
    (void) state;
    arena_t *arena = arena_new (1 << 16);
    zoo_list_in_t in = {0};
    const schema_field_t *field = schema_field_find (query_view (), "types");
    assert_int_equal (schema_text_read (field, NULL, "CAT", arena, &in, NULL), 0);
    assert_int_equal (schema_text_read (field, NULL, "OWL", arena, &in, NULL), 0);
    assert_int_equal (in.kinds.count, 2);
    assert_int_equal (schema_text_read (field, NULL, "CAT", arena, &in, NULL), E_BAD_REQUEST);
    arena_destroy (&arena);
}

static void test_absent (void **state)
{
    (void) state;
    arena_t *arena = arena_new (1 << 16);
    zoo_list_in_t in = {0};
    failure_t failure = {0};
    assert_int_equal (
        schema_text_absent (schema_field_find (query_view (), "limit"), NULL, arena, &in, &failure),
        0);
    assert_int_equal (in.limit, 20);
    assert_int_equal (in.has, ZOO_LIST_IN_HAS_LIMIT);
    assert_int_equal (
        schema_text_absent (schema_field_find (query_view (), "alive"), NULL, arena, &in, &failure),
        0);
    assert_int_equal (in.has, ZOO_LIST_IN_HAS_LIMIT);
    assert_int_equal (
        schema_text_absent (schema_field_find (query_view (), "name"), NULL, arena, &in, &failure),
        E_MISSING_FIELD);
    assert_string_equal (failure.text, "name is required");
    arena_destroy (&arena);
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_text),
                                       cmocka_unit_test (test_text_twice),
                                       cmocka_unit_test (test_absent)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
