/* clock_test.c - ISO dates both ways, monotony, the shared offset. */
#include "base/clock.h"
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void test_write_iso (void **state)
{
    static const struct {
        int64_t ms;
        const char *want;
    } rows[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {1772442847218, "2026-03-02T09:14:07.218Z"},
        {951782400000, "2000-02-29T00:00:00.000Z"},
        {951868800000, "2000-03-01T00:00:00.000Z"},
        {4107542399999, "2100-02-28T23:59:59.999Z"},
        {4107542400000, "2100-03-01T00:00:00.000Z"},
        {-62167219200000, "0000-01-01T00:00:00.000Z"},
        {253402300799999, "9999-12-31T23:59:59.999Z"},
        {INT64_MIN, "0000-01-01T00:00:00.000Z"},
        {INT64_MAX, "9999-12-31T23:59:59.999Z"},
    };
    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char out[CLOCK_ISO_SIZE];
        clock_write_iso (rows[i].ms, out);
        assert_string_equal (out, rows[i].want);
    }
}

static void test_read_iso (void **state)
{
    static const struct {
        const char *text;
        int64_t want;
    } rows[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2026-03-02T09:14:07.218Z", 1772442847218},
        {"2026-03-02t09:14:07.218z", 1772442847218},
        {"2026-03-02 09:14:07.218Z", 1772442847218},
        {"2026-03-02T09:14:07.2Z", 1772442847200},
        {"2026-03-02T09:14:07.218999999Z", 1772442847218},
        {"2026-03-02T11:14:07.218+02:00", 1772442847218},
        {"2026-03-02T03:44:07.218-05:30", 1772442847218},
        {"2026-03-02T09:14:07.218-00:00", 1772442847218},
        {"1969-12-31T23:59:59.999Z", -1},
        {"2016-12-31T23:59:60Z", 1483228800000},
        {"2017-01-01T00:59:60+01:00", 1483228800000},
        {"2000-02-29T00:00:00Z", 951782400000},
    };
    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t got = 42;
        assert_int_equal (clock_read_iso (rows[i].text, strlen (rows[i].text), &got), 0);
        assert_int_equal (got, rows[i].want);
    }
}

static void test_read_iso_refuses (void **state)
{
    static const char *const rows[] = {
        "",
        "2026",
        "2026-03-02",
        "2026-03-02T09:14:07",
        "2026-03-02T09:14Z",
        "2026-03-02T09:14:07.Z",
        "2026-03-02T09:14:07.1234567890Z",
        "2026-13-02T09:14:07Z",
        "2026-00-02T09:14:07Z",
        "2026-02-29T09:14:07Z",
        "1900-02-29T09:14:07Z",
        "2026-04-31T09:14:07Z",
        "2026-03-00T09:14:07Z",
        "2026-03-02T24:00:00Z",
        "2026-03-02T09:60:07Z",
        "2026-03-02T09:14:60Z",
        "2026-03-02T09:14:61Z",
        "2026-03-02T09:14:07+24:00",
        "2026-03-02T09:14:07+02",
        "2026-03-02T09:14:07+0200",
        "2026-03-02T09:14:07Zx",
        "2026-03-02T09:14:07 Z",
        "26-03-02T09:14:07Z",
        "+2026-03-02T09:14:07Z",
        "2026-3-2T09:14:07Z",
        "2026/03/02T09:14:07Z",
    };
    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t got = 42;
        assert_int_equal (clock_read_iso (rows[i], strlen (rows[i]), &got), -1);
        assert_int_equal (got, 42);
    }
    int64_t got = 42;
    assert_int_equal (clock_read_iso (NULL, 0, &got), -1);
    assert_int_equal (clock_read_iso ("1970-01-01T00:00:00\0Z", 21, &got), -1);
}

static void test_iso_round_trip (void **state)
{
    (void) state;
    for (int64_t ms = -62167219200000; ms < 253402300799999; ms += 8441292345) {
        char out[CLOCK_ISO_SIZE];
        int64_t back = 0;
        clock_write_iso (ms, out);
        assert_int_equal (clock_read_iso (out, strlen (out), &back), 0);
        assert_int_equal (back, ms);
    }
}

static void test_mono (void **state)
{
    (void) state;
    int64_t before = clock_mono_us ();
    assert_true (clock_mono_us () >= before);
    assert_true (clock_mono_ms () >= before / 1000);
}

static void test_offset (void **state)
{
    (void) state;
    char folder[] = "/tmp/clock_test.XXXXXX";
    char path[64];
    assert_non_null (mkdtemp (folder));
    snprintf (path, sizeof path, "%s/offset", folder);

    int64_t real = (int64_t) time (NULL) * 1000;
    assert_int_equal (clock_advance (path, 3600000), 0);
    assert_true (clock_now_ms () < real + 1800000); /* not attached: real time */
    struct stat st;
    assert_int_equal (stat (path, &st), 0);
    assert_int_equal (st.st_mode & 0777, 0600);
    assert_int_equal (st.st_size, 8);

    assert_int_equal (clock_attach ("/nonexistent/folder/offset"), -ENOENT);
    assert_int_equal (clock_attach (folder), -EISDIR);
    assert_int_equal (clock_attach (path), 0);
    assert_int_equal (clock_attach (path), -EALREADY);
    assert_true (clock_now_ms () >= real + 3600000);
    assert_int_equal (clock_advance (path, 3600000), 0);
    assert_true (clock_now_ms () >= real + 7200000);
    assert_int_equal (clock_advance (path, -7200000), 0);
    assert_true (clock_now_ms () < real + 1800000);

    char bad[64];
    snprintf (bad, sizeof bad, "%s/bad", folder);
    FILE *file = fopen (bad, "w");
    assert_non_null (file);
    fputs ("not an offset", file);
    fclose (file);
    assert_int_equal (clock_advance (bad, 1), -EINVAL);
    unlink (bad);
    unlink (path);
    rmdir (folder);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_write_iso),
        cmocka_unit_test (test_read_iso),
        cmocka_unit_test (test_read_iso_refuses),
        cmocka_unit_test (test_iso_round_trip),
        cmocka_unit_test (test_mono),
        cmocka_unit_test (test_offset),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
