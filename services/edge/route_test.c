/* route_test.c - paths to operations: literals before parameters, 404 against 405, encodings. */
#include "route.h"

#include "gen/chirp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const schema_public_t small[] = {
    {.name = "list", .method = "GET", .path = "/v1/things"},
    {.name = "make", .method = "POST", .path = "/v1/things"},
    {.name = "get", .method = "GET", .path = "/v1/things/{id}"},
    {.name = "special", .method = "GET", .path = "/v1/things/special"},
    {.name = "part", .method = "DELETE", .path = "/v1/things/{id}/parts/{part}"},
    {.name = "deep", .method = "GET", .path = "/v1/things/special/deep"},
};

typedef struct row {
    const char *method, *path, *want, *param; /* want NULL: 404; "405 ..." the Allow header */
} row_t;

static const row_t rows[] = {
    {"GET", "/v1/things", "list", NULL},
    {"HEAD", "/v1/things", "list", NULL},
    {"POST", "/v1/things", "make", NULL},
    {"PUT", "/v1/things", "405 GET, HEAD, POST", NULL},
    {"OPTIONS", "/v1/things", "405 GET, HEAD, POST", NULL},
    {"get", "/v1/things", "405 GET, HEAD, POST", NULL},
    {"GET", "/v1/things/", NULL, NULL},
    {"GET", "/v1/things//", NULL, NULL},
    {"GET", "//v1/things", NULL, NULL},
    {"GET", "/v1", NULL, NULL},
    {"GET", "/", NULL, NULL},
    {"GET", "*", NULL, NULL},
    {"GET", "", NULL, NULL},
    {"GET", "/V1/things", NULL, NULL},
    {"GET", "/v1/things/whk_1", "get", "whk_1"},
    {"GET", "/v1/things/a%20b%2Fc", "get", "a b/c"},
    {"GET", "/v1/things/+", "get", "+"},
    {"GET", "/v1/%74hings", "list", NULL},
    {"GET", "/v1/things/%", NULL, NULL},
    {"GET", "/v1/things/%2", NULL, NULL},
    {"GET", "/v1/things/%zz", NULL, NULL},
    {"GET", "/v1/things/%00", NULL, NULL},
    {"GET", "/v1/things/%ff", NULL, NULL},
    {"GET", "/v1/things/special", "special", NULL},
    {"DELETE", "/v1/things/special/parts/9", "part", "special"},
    {"GET", "/v1/things/special/deep", "deep", NULL},
    {"GET", "/v1/things/..", "get", ".."},
    {"GET", "/v1/things/1/parts", NULL, NULL},
    {"GET", "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18", NULL, NULL},
};

static void test_rows (void **state)
{
    (void) state;
    arena_t *arena = arena_new (1 << 20);
    routes_t *routes = routes_new (small, sizeof small / sizeof *small);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        route_match_t match;
        int code = route_find (routes, rows[i].method, rows[i].path, arena, &match);
        char got[128] = "-";
        if (code == 0)
            snprintf (got, sizeof got, "%s", match.op->name);
        else if (code == E_METHOD_NOT_ALLOWED)
            snprintf (got, sizeof got, "405 %s", match.allow);
        if (strcmp (got, rows[i].want ? rows[i].want : "-") != 0)
            fail_msg ("%s %s: %s", rows[i].method, rows[i].path, got);
        if (rows[i].param)
            assert_string_equal (match.params[0], rows[i].param);
        else if (code == 0)
            assert_int_equal (match.param_count, 0);
    }
    routes_destroy (&routes);
    arena_destroy (&arena);
}

static void test_every_operation (void **state)
{
    (void) state;
    arena_t *arena = arena_new (1 << 20);
    routes_t *routes = routes_new (schema_chirp_ops, schema_chirp_op_count);
    assert_non_null (routes);
    for (size_t i = 0; i < schema_chirp_op_count; i++) {
        route_match_t match;
        assert_int_equal (route_find (routes, schema_chirp_ops[i].method, schema_chirp_ops[i].path,
                                      arena, &match),
                          0);
        assert_ptr_equal (match.op, &schema_chirp_ops[i]);
    }
    routes_destroy (&routes);
    routes_destroy (&routes);
    arena_destroy (&arena);
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_rows),
                                       cmocka_unit_test (test_every_operation)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
