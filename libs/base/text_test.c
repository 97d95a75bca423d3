/* text_test.c - checks and codings, as tables. */
#include "base/text.h"
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

typedef struct text_row {
    const char *text;
    bool want;
} text_row_t;

static void check_rows (const text_row_t *rows, size_t count, bool (*check) (const char *))
{
    for (size_t i = 0; i < count; i++)
        if (check (rows[i].text) != rows[i].want)
            fail_msg ("row %zu, '%s', want %d", i, rows[i].text, rows[i].want);
}

#define CHECK_ROWS(rows, check) check_rows ((rows), sizeof (rows) / sizeof (rows)[0], (check))

static bool utf8 (const char *text)
{
    return text_is_utf8 (text, strlen (text));
}

static void test_utf8 (void **state)
{
    static const text_row_t rows[] = {
        {"", true},
        {"plain text that is longer than eight bytes", true},
        {"é€🐦 mixed with plain text", true},
        {"\xc2\x80", true},
        {"\xdf\xbf", true},
        {"\xe0\xa0\x80", true},
        {"\xed\x9f\xbf", true},
        {"\xee\x80\x80", true},
        {"\xf0\x90\x80\x80", true},
        {"\xf4\x8f\xbf\xbf", true},
        {"\x80", false},
        {"\xc0\x80", false},
        {"\xc1\xbf", false},
        {"\xe0\x9f\xbf", false},
        {"\xed\xa0\x80", false}, /* surrogate */
        {"\xed\xbf\xbf", false},
        {"\xf0\x8f\xbf\xbf", false},
        {"\xf4\x90\x80\x80", false},
        {"\xf5\x80\x80\x80", false},
        {"\xff", false},
        {"\xc3", false},
        {"\xe2\x82", false},
        {"\xf0\x9f\x90", false},
        {"\xc3"
         "a",
         false},
        {"12345678\x80", false},
        {"1234567\xc3\xa9"
         "1234567",
         true},
    };
    (void) state;
    CHECK_ROWS (rows, utf8);
    assert_false (text_is_utf8 ("a\0b", 3));
    assert_false (text_is_utf8 ("12345678\0"
                                "12345678",
                                17));
    assert_false (text_is_utf8 ("1234\0"
                                "5678",
                                9));
    assert_true (text_is_utf8 (NULL, 0));
}

static void test_code_points (void **state)
{
    (void) state;
    assert_int_equal (text_code_points ("", 0), 0);
    assert_int_equal (text_code_points ("abc", 3), 3);
    assert_int_equal (text_code_points ("é€🐦x", strlen ("é€🐦x")), 4);
}

static void test_e164 (void **state)
{
    static const text_row_t rows[] = {
        {"+14155550100", true},
        {"+12", true},
        {"+123456789012345", true},
        {"+1234567890123456", false},
        {"+12345678901234567890", false},
        {"+1", false},
        {"+", false},
        {"", false},
        {"14155550100", false},
        {"+04155550100", false},
        {"+1415555010a", false},
        {"+1415 5550100", false},
        {" +14155550100", false},
        {"+14155550100\n", false},
        {NULL, false},
    };
    (void) state;
    CHECK_ROWS (rows, text_is_e164);
}

static void test_header_parts (void **state)
{
    static const text_row_t tokens[] = {
        {"X-Trace", true}, {"!#$%&'*+-.^_`|~09azAZ", true},
        {"", false},       {NULL, false},
        {"a b", false},    {"a:b", false},
        {"a\r\n", false},  {"é", false},
        {"a(b)", false},   {"a/b", false},
    };
    static const text_row_t values[] = {
        {"", true},           {"Bearer abc=, \"x\"\t~", true},
        {"a\r\nB: c", false}, {"a\n", false},
        {"\x7f", false},      {"é", false},
        {"\x01", false},      {NULL, false},
    };
    (void) state;
    CHECK_ROWS (tokens, text_is_token);
    CHECK_ROWS (values, text_is_header_value);
}

static void test_hex (void **state)
{
    (void) state;
    uint8_t data[256], back[256];
    char text[513];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t) i;
    text_write_hex (data, sizeof data, text);
    assert_int_equal (strlen (text), 512);
    assert_memory_equal (text, "000102", 6);
    assert_int_equal (text_read_hex (text, 512, back, sizeof back), 256);
    assert_memory_equal (back, data, sizeof data);
    assert_int_equal (text_read_hex ("AbCd", 4, back, 2), 2);
    assert_int_equal (back[0], 0xab);
    assert_int_equal (text_read_hex ("", 0, back, 0), 0);
    assert_int_equal (text_read_hex ("abc", 3, back, 9), -1);
    assert_int_equal (text_read_hex ("abcd", 4, back, 1), -1);
    assert_int_equal (text_read_hex ("ag", 2, back, 9), -1);
    assert_int_equal (text_read_hex ("a\0", 2, back, 9), -1);
}

static void test_base64 (void **state)
{
    static const struct {
        const char *clear;
        const char *coded;
    } rows[] = {
        {"", ""}, /* RFC 4648 section 10 */
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
    };
    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char coded[16];
        uint8_t clear[16];
        size_t size = strlen (rows[i].clear);
        text_write_base64 ((const uint8_t *) rows[i].clear, size, coded);
        assert_string_equal (coded, rows[i].coded);
        assert_int_equal (text_read_base64 (coded, strlen (coded), clear, size), size);
        assert_memory_equal (clear, rows[i].clear, size);
        if (size)
            assert_int_equal (text_read_base64 (coded, strlen (coded), clear, size - 1), -1);
    }
}

static void test_base64_refuses (void **state)
{
    static const char *const rows[] = {
        "Zg",       "Zg=",  "Zg===", "=",    "====",   "Z===", "Zh==", "Zm9=",
        "Zg==Zg==", "Zm9-", "Zm9_",  "Zm 9", "Zm9v\n", "=Zm9", "Z=m9",
    };
    (void) state;
    uint8_t out[32];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (text_read_base64 (rows[i], strlen (rows[i]), out, sizeof out) != -1)
            fail_msg ("'%s' was read", rows[i]);
}

static void test_base64_random (void **state)
{
    (void) state;
    srand (3);
    for (size_t size = 0; size < 200; size++) {
        uint8_t data[200], back[200];
        char text[300];
        for (size_t i = 0; i < size; i++)
            data[i] = (uint8_t) rand ();
        text_write_base64 (data, size, text);
        assert_int_equal (strlen (text), (size + 2) / 3 * 4);
        assert_int_equal (text_read_base64 (text, strlen (text), back, sizeof back), size);
        assert_memory_equal (back, data, size);
    }
}

static void test_duration (void **state)
{
    static const struct {
        const char *text;
        int64_t want; /* -1 = refused */
    } rows[] = {
        {"10m", 600000},
        {"2h", 7200000},
        {"250ms", 250},
        {"7d", 604800000},
        {"30s", 30000},
        {"30", 30000},
        {"0", 0},
        {"106751991167d", 9223372036828800000},
        {"106751991168d", -1},
        {"9223372036854775807ms", INT64_MAX},
        {"9223372036854775808ms", -1},
        {"99999999999999999999", -1},
        {"", -1},
        {"s", -1},
        {"-5s", -1},
        {"+5s", -1},
        {" 5s", -1},
        {"5 s", -1},
        {"5S", -1},
        {"5sm", -1},
        {"1.5h", -1},
        {"1h30m", -1},
    };
    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t got = -1;
        bool ok = text_read_duration (rows[i].text, &got);
        assert_int_equal (ok, rows[i].want >= 0);
        assert_int_equal (got, rows[i].want);
    }
    int64_t got;
    assert_false (text_read_duration (NULL, &got));
}

static void test_numbers (void **state)
{
    static const struct {
        int64_t value;
        const char *want;
    } rows[] = {
        {0, "0"},
        {7, "7"},
        {-1, "-1"},
        {10, "10"},
        {1700000000123, "1700000000123"},
        {INT64_MAX, "9223372036854775807"},
        {INT64_MIN, "-9223372036854775808"},
    };
    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[TEXT_NUMBER_SIZE];
        size_t length = text_write_int (rows[i].value, text);
        assert_string_equal (text, rows[i].want);
        assert_int_equal (length, strlen (rows[i].want));
    }
}

/* Against the characters as RFC 9110 lists them. */
static void test_token_characters (void **state)
{
    (void) state;
    for (int c = 1; c < 256; c++) {
        char text[] = {'a', (char) c, 0};
        bool good = (c < 0x80 && isalnum (c)) || (c < 0x80 && strchr ("!#$%&'*+-.^_`|~", c));
        assert_int_equal (text_is_token (text), good);
    }
}

/* Each byte at each place of texts of up to three words. */
static void test_visible (void **state)
{
    char text[20];
    (void) state;
    assert_false (text_is_visible ("", 0));
    for (size_t length = 1; length <= sizeof text; length++)
        for (size_t at = 0; at < length; at++)
            for (int c = 0; c < 256; c++) {
                memset (text, "!~a"[c % 3], sizeof text);
                text[at] = (char) c;
                assert_int_equal (text_is_visible (text, length), c > ' ' && c <= '~');
            }
}

/* What is no ASCII is seen wherever it stands, also between words and at the end. */
static void test_utf8_places (void **state)
{
    char text[28];
    (void) state;
    for (size_t length = 1; length <= sizeof text; length++)
        for (size_t at = 0; at < length; at++) {
            memset (text, 'a', sizeof text);
            assert_true (text_is_utf8 (text, length));
            text[at] = 0;
            assert_false (text_is_utf8 (text, length));
            text[at] = (char) 0xc3;
            assert_false (text_is_utf8 (text, length));
            if (at + 1 < length) {
                text[at + 1] = (char) 0xa4;
                assert_true (text_is_utf8 (text, length));
            }
        }
}

/* Every length around the blocks that are looked at together, with something odd at each place. */
static void test_utf8_blocks (void **state)
{
    (void) state;
    static const struct {
        const char *odd;
        size_t size;
        bool valid;
    } rows[] = {{"a", 1, true},        {"\0", 1, false},          {"\x80", 1, false},
                {"\xc3\xa9", 2, true}, {"\xe2\x82\xac", 3, true}, {"\xe2\x82", 2, false}};
    char text[80];
    for (size_t length = 0; length <= 70; length++)
        for (size_t at = 0; at <= length; at++)
            for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                memset (text, 'x', sizeof text);
                memcpy (text + at, rows[i].odd, rows[i].size);
                assert_int_equal (text_is_utf8 (text, length + rows[i].size), rows[i].valid);
            }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_utf8),          cmocka_unit_test (test_utf8_places),
        cmocka_unit_test (test_utf8_blocks),   cmocka_unit_test (test_visible),
        cmocka_unit_test (test_code_points),   cmocka_unit_test (test_e164),
        cmocka_unit_test (test_header_parts),  cmocka_unit_test (test_hex),
        cmocka_unit_test (test_base64),        cmocka_unit_test (test_base64_refuses),
        cmocka_unit_test (test_base64_random), cmocka_unit_test (test_duration),
        cmocka_unit_test (test_numbers),       cmocka_unit_test (test_token_characters),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
