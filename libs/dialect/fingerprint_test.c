/* fingerprint_test.c - canonical JSON and the fingerprint over it: the documented example, and what makes two requests the same. */
#include "dialect/dialect.h"

#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_example (void **state)
{
    (void) state;
    static const char body[] =
        " { \"to\": \"+628111222333\", \"type\":\"text\",\n \"text\" : {\"body\":\"Halo\"}, "
        "\"messaging_product\":\"whats\\u0061pp\" } ";
    uint8_t print[32];
    char hex[65];
    assert_int_equal (
        dialect_fingerprint ("POST", "/v1/106540352242922/messages", bytes_of_str (body), print),
        0);
    text_write_hex (print, sizeof print, hex);
    assert_string_equal (hex, "ae470e0a762597154235c3421fc04fbbef34658eb608cdca163fcf59b29cfaeb");
}

static void test_canonical (void **state)
{
    (void) state;
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"{}", "{}"},
        {"[ ]", "[]"},
        {"{\"b\":1,\"a\":{\"d\":[3, 2],\"c\":null}}", "{\"a\":{\"c\":null,\"d\":[3,2]},\"b\":1}"},
        {"{\"a\":1.50,\"aa\":-0.5,\"A\":true}", "{\"A\":true,\"a\":1.5,\"aa\":-0.5}"},
        {"{\"\xC3\xA4\":1,\"z\":2,\"\xF0\x9F\x98\x80\":3}",
         "{\"z\":2,\"\xC3\xA4\":1,\"\xF0\x9F\x98\x80\":3}"},
        {"\"\\u00e4\\/\\n\"", "\"\xC3\xA4/\\n\""},
        {"9007199254740993", "9007199254740993"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        buf_t packed = {0}, out = {0};
        assert_int_equal (schema_any_read (bytes_of_str (rows[i].text), &packed, NULL), 0);
        assert_int_equal (schema_any_canonical (buf_bytes (&packed), &out), 0);
        assert_string_equal (buf_text (&out), rows[i].want);
        buf_free (&packed);
        buf_free (&out);
    }
}

static void test_apart (void **state)
{
    (void) state;
    static const struct {
        const char *method, *path, *body;
        bool same;
    } rows[] = {
        {"POST", "/v1/labels", "{\"b\":2, \"a\":1}", true},
        {"POST", "/v1/labels", "{\"a\":1,\"b\":3}", false},
        {"POST", "/v1/labels", "{\"a\":1,\"b\":[2]}", false},
        {"POST", "/v1/labels/", "{\"a\":1,\"b\":2}", false},
        {"PUT", "/v1/labels", "{\"a\":1,\"b\":2}", false},
        {"POST", "/v1/labels", "", false},
        {"POST", "/v1/labels", "{\"a\":1,\"b\":2", false},
    };
    uint8_t first[32], next[32];
    dialect_fingerprint ("POST", "/v1/labels", bytes_of_str ("{\"a\":1,\"b\":2}"), first);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal (
            dialect_fingerprint (rows[i].method, rows[i].path, bytes_of_str (rows[i].body), next),
            0);
        if ((memcmp (first, next, sizeof first) == 0) != rows[i].same)
            fail_msg ("row %zu", i);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_example),
                                       cmocka_unit_test (test_canonical),
                                       cmocka_unit_test (test_apart)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
