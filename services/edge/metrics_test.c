/* metrics_test.c - texts of several processes become one that Prometheus reads. */
#include "edge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_merge (void **state)
{
    (void) state;
    static const char in[] =
        "# HELP a_total As.\n# TYPE a_total counter\na_total{replica=\"0\"} 1\n"
        "b{x=\"1 2\"} 3\n"
        "# HELP h Hs.\n# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_sum 2\nh_count 1\n"
        "\n# a remark\n"
        "# HELP a_total As.\n# TYPE a_total counter\na_total{replica=\"1\"} 4\n"
        "b{x=\"2\"} 5\nlast 1";
    static const char want[] =
        "# HELP a_total As.\n# TYPE a_total counter\na_total{replica=\"0\"} 1\na_total{replica=\"1\"} 4\n"
        "b{x=\"1 2\"} 3\nb{x=\"2\"} 5\n"
        "# HELP h Hs.\n# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_sum 2\nh_count 1\n"
        "last 1\n";
    arena_t *arena = arena_new (4 << 20);
    buf_t out = buf_in (arena);
    metrics_merge (bytes_of_str (in), &out);
    assert_string_equal (buf_text (&out), want);
    buf_clear (&out);
    metrics_merge ((bytes_t){0}, &out);
    assert_string_equal (buf_text (&out), "");
    arena_destroy (&arena);
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_merge)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
