/* segments_test.c - parts and encodings of SMS texts. */
#include "messaging.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static char *repeat (const char *unit, size_t times)
{
    size_t size = strlen (unit);
    char *out = malloc (size * times + 1);
    assert_non_null (out);
    for (size_t i = 0; i < times; i++)
        memcpy (out + i * size, unit, size);
    out[size * times] = '\0';
    return out;
}

static void test_segments (void **state)
{
    (void) state;
    static const struct {
        const char *unit;
        size_t times;
        size_t want;
        int32_t encoding;
    } rows[] = {
        {"a", 1, 1, MESSAGING_ENCODING_GSM7},
        {"a", 160, 1, MESSAGING_ENCODING_GSM7},
        {"a", 161, 2, MESSAGING_ENCODING_GSM7},
        {"a", 306, 2, MESSAGING_ENCODING_GSM7},
        {"a", 307, 3, MESSAGING_ENCODING_GSM7},
        {"", 0, 1, MESSAGING_ENCODING_GSM7},
        {"a@ Z\r_z?\n", 17, 1, MESSAGING_ENCODING_GSM7}, /* 153 */
        {"a@ Z\r_z?\n", 18, 2, MESSAGING_ENCODING_GSM7},
        {"a[", 1, 1, MESSAGING_ENCODING_GSM7},
        {"aaaaaaaaaaa[", 13, 2, MESSAGING_ENCODING_GSM7}, /* 169 */
        {"a", 1530, 10, MESSAGING_ENCODING_GSM7},
        {"a", 1531, 11, MESSAGING_ENCODING_GSM7},
        {"\xe2\x82\xac", 80, 1, MESSAGING_ENCODING_GSM7}, /* euro sign: two septets */
        {"\xe2\x82\xac", 81, 2, MESSAGING_ENCODING_GSM7},
        {"\xe2\x82\xac", 152, 2,
         MESSAGING_ENCODING_GSM7}, /* 76 a part: an escape pair is not split */
        {"\xe2\x82\xac", 153, 3, MESSAGING_ENCODING_GSM7},
        {"\xc3\xa9", 160, 1, MESSAGING_ENCODING_GSM7}, /* e acute is of the alphabet */
        {"\xd0\xb6", 70, 1, MESSAGING_ENCODING_UCS2},
        {"\xd0\xb6", 71, 2, MESSAGING_ENCODING_UCS2},
        {"\xf0\x9f\x98\x80", 35, 1, MESSAGING_ENCODING_UCS2}, /* an emoji: a surrogate pair */
        {"\xf0\x9f\x98\x80", 36, 2, MESSAGING_ENCODING_UCS2},
        {"\xf0\x9f\x98\x80", 66, 2, MESSAGING_ENCODING_UCS2}, /* 33 a part: a pair is not split */
        {"\xf0\x9f\x98\x80", 67, 3, MESSAGING_ENCODING_UCS2},
        {"`", 1, 1, MESSAGING_ENCODING_UCS2}, /* the backtick is not of the alphabet */
        {"[", 80, 1, MESSAGING_ENCODING_GSM7},
        {"@_\n", 10, 1, MESSAGING_ENCODING_GSM7},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int32_t encoding = 0;
        char *text = repeat (rows[i].unit, rows[i].times);
        assert_int_equal (text_segments (text, &encoding), rows[i].want);
        assert_int_equal (encoding, rows[i].encoding);
        free (text);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_segments)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
