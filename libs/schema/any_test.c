/* any_test.c - JSON without a type, to msgpack and back. */
#include "schema/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_round (void **state)
{
    (void) state;
    static const struct {
        const char *json;
        const char *want; /* NULL = refused */
    } rows[] = {
        {"null", "null"},
        {" true ", "true"},
        {"-0", "0"},
        {"-0.0", "0"},
        {"[-0E11]", "[0]"},
        {"18446744073709551616", "1.8446744073709552e+19"},
        {"-9223372036854775808", "-9223372036854775808"},
        {"0.1", "0.1"},
        {"1.0", "1"},
        {"123456789.123456789", "123456789.12345679"},
        {"\"\\u2028\\b\\f\\r\\t\"", "\"\u2028\\b\\f\\r\\t\""},
        {"[]", "[]"},
        {"[1,[2,[3]],{}]", "[1,[2,[3]],{}]"},
        {"[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]",
         "[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]"},
        {"{\"b\":{\"a\":1},\"a\":{\"a\":2}}", "{\"b\":{\"a\":1},\"a\":{\"a\":2}}"},
        {"{\"a\":1,\"a\":2}", NULL},
        {"{\"a\":1,\"\\u0061\":2}", NULL},
        {"[{\"a\":1,\"b\":{\"c\":1,\"c\":1}}]", NULL},
        {"1e999", NULL},
        {"", NULL},
        {"[1", NULL},
        {"[1,]", NULL},
        {"{\"a\"}", NULL},
        {"1 2", NULL},
        {"nul", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        buf_t packed = {0}, json = {0};
        failure_t failure = {0};
        int code = schema_any_read (bytes_of_str (rows[i].json), &packed, &failure);
        assert_int_equal (code, rows[i].want ? 0 : E_BAD_REQUEST);
        assert_int_equal (failure.code, code);
        if (rows[i].want) {
            schema_any_write (buf_bytes (&packed), &json);
            assert_string_equal (buf_text (&json), rows[i].want);
        }
        buf_free (&packed);
        buf_free (&json);
    }
}

/* Many keys: headers of three bytes, and twins found without looking at every pair. */
static void test_many_keys (void **state)
{
    (void) state;
    for (int twin = 0; twin < 2; twin++) {
        buf_t json = {0}, packed = {0}, back = {0};
        for (int i = 0; i < 70000; i++)
            buf_printf (&json, "%s\"k%d\":%d", i ? "," : "{", twin && i == 69999 ? 5 : i, i % 10);
        buf_add_byte (&json, '}');
        assert_int_equal (schema_any_read (buf_bytes (&json), &packed, NULL),
                          twin ? E_BAD_REQUEST : 0);
        if (!twin) {
            schema_any_write (buf_bytes (&packed), &back);
            assert_true (bytes_equal (buf_bytes (&json), buf_bytes (&back)));
        }
        buf_free (&json);
        buf_free (&packed);
        buf_free (&back);
    }
}

/* Bytes that we did not write show as something, whatever they are. */
static void test_write_bad (void **state)
{
    (void) state;
    static const struct {
        const char *bytes;
        size_t size;
        const char *want;
    } rows[] = {
        {"", 0, "null"},
        {"\xC1", 1, "null"},
        {"\xA1\xFF", 2, "\"/w==\""},
        {"\xC4\x02hi", 4, "\"aGk=\""},
        {"\x81\x05\xC3", 3, "{\"5\":true}"},
        {"\x81\xC0\xC3", 3, "{\"?\":true}"},
        {"\xCF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 9, "1.8446744073709552e+19"},
        {"\xCB\x7F\xF0\x00\x00\x00\x00\x00\x00", 9, "null"},
        {"\xD4\x01\x02", 3, "null"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        buf_t json = {0};
        schema_any_write (bytes_of (rows[i].bytes, rows[i].size), &json);
        assert_string_equal (buf_text (&json), rows[i].want);
        buf_free (&json);
    }
}

/* Each character at each place of a text longer than the writer's stride. */
static void test_escapes (void **state)
{
    static const char shorts[] = "\bb\ff\nn\rr\tt\"\"\\\\";
    (void) state;
    for (int c = 1; c < 0x80; c++)
        for (size_t place = 0; place < 20; place++) {
            char text[] = "aaaaaaaaaaaaaaaaaaaa", want[64], escape[8] = {(char) c};
            text[place] = (char) c;
            const char *known = strchr (shorts, c);
            if (known && (known - shorts) % 2 == 0)
                snprintf (escape, sizeof escape, "\\%c", known[1]);
            else if (c < 0x20)
                snprintf (escape, sizeof escape, "\\u%04x", (unsigned) c);
            snprintf (want, sizeof want, "\"%.*s%s%s\"", (int) place, text, escape,
                      text + place + 1);
            uint8_t packed[21] = {0xa0 | 20};
            memcpy (packed + 1, text, 20);
            buf_t json = {0};
            schema_any_write (bytes_of (packed, sizeof packed), &json);
            assert_string_equal (buf_text (&json), want);
            buf_free (&json);
        }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_round), cmocka_unit_test (test_many_keys),
        cmocka_unit_test (test_write_bad), cmocka_unit_test (test_escapes)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
