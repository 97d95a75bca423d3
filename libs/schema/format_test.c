/* format_test.c - the named checks of strings. */
#include "schema/inner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    schema_format_t format;
    const char *text;
    bool good;
} rows[] = {
    {FMT_NONE, "anything", true},
    {FMT_E164, "+4930123456", true},
    {FMT_E164, "4930123456", false},
    {FMT_E164, "+0123", false},
    {FMT_HTTP_URL, "https://example.test", true},
    {FMT_HTTP_URL, "HTTP://example.test:8080/p?q#f", true},
    {FMT_HTTP_URL, "http://[::1]:80/", true},
    {FMT_HTTP_URL, "http://[::1", false},
    {FMT_HTTP_URL, "http://[]/", false},
    {FMT_HTTP_URL, "http://[fe80%251]/", false},
    {FMT_HTTP_URL, "http://", false},
    {FMT_HTTP_URL, "http:///path", false},
    {FMT_HTTP_URL, "http://user@host/", false},
    {FMT_HTTP_URL, "http://host:0/", false},
    {FMT_HTTP_URL, "http://host:65536/", false},
    {FMT_HTTP_URL, "http://host:/", false},
    {FMT_HTTP_URL, "http://host:8x/", false},
    {FMT_HTTP_URL, "http://ho st/", false},
    {FMT_HTTP_URL, "http://host/\x7f", false},
    {FMT_HTTP_URL, "http://host\\@evil/", false},
    {FMT_HTTP_URL, "ftp://host/", false},
    {FMT_HTTP_URL, "", false},
    {FMT_URI, "mailto:a@b", true},
    {FMT_URI, "x:", false},
    {FMT_URI, "1x:y", false},
    {FMT_URI, "no scheme", false},
    {FMT_URI, "", false},
    {FMT_DATE, "2024-02-29", true},
    {FMT_DATE, "2023-02-29", false},
    {FMT_DATE, "2100-02-29", false},
    {FMT_DATE, "2000-02-29", true},
    {FMT_DATE, "2024-13-01", false},
    {FMT_DATE, "2024-00-01", false},
    {FMT_DATE, "2024-04-31", false},
    {FMT_DATE, "2024-4-01x", false},
    {FMT_DATE, "20240401", false},
    {FMT_EMAIL, "a@example.test", true},
    {FMT_EMAIL, "a@b@c.d", false},
    {FMT_EMAIL, "@example.test", false},
    {FMT_EMAIL, "a@localhost", false},
    {FMT_EMAIL, "a@b..c", false},
    {FMT_EMAIL, "a@.b", false},
    {FMT_EMAIL, "a@b.", false},
    {FMT_EMAIL, "a b@c.d", false},
    {FMT_EMAIL, "a", false},
    {FMT_EVENT_NAME, "messages.sms.sent_2", true},
    {FMT_EVENT_NAME, "messages", false},
    {FMT_EVENT_NAME, "messages.", false},
    {FMT_EVENT_NAME, ".messages", false},
    {FMT_EVENT_NAME, "a..b", false},
    {FMT_EVENT_NAME, "A.b", false},
    {FMT_EVENT_NAME, "", false},
    {FMT_SLUG, "my-app-2", true},
    {FMT_SLUG, "-a", false},
    {FMT_SLUG, "a-", false},
    {FMT_SLUG, "a--b", false},
    {FMT_SLUG, "a_b", false},
    {FMT_SLUG, "", false},
    {FMT_HEADER_NAME, "X-Thing", true},
    {FMT_HEADER_NAME, "X Thing", false},
};

static void test_formats (void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *what = NULL;
        int code = format_check (rows[i].format, rows[i].text, strlen (rows[i].text), &what);
        if ((code == 0) != rows[i].good)
            print_error ("%d '%s'\n", (int) rows[i].format, rows[i].text);
        assert_int_equal (code == 0, rows[i].good);
        assert_int_equal (code != 0, what != NULL);
        if (code)
            assert_int_equal (code,
                              rows[i].format == FMT_E164 ? E_INVALID_PHONE_NUMBER : E_BAD_REQUEST);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_formats)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
