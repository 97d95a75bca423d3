/* id_test.c - ids only grow; each spelling goes there and back; everything else is refused. */
#include "base/id.h"
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

typedef struct spelling {
    const char *name;
    size_t length;
    void (*write) (id16_t id, char *out);
    bool (*read) (const char *text, size_t length, id16_t *out);
    const char *alphabet;
} spelling_t;

static const spelling_t spellings[] = {
    {"uuid", ID_UUID_LENGTH, id_write_uuid, id_read_uuid, "0123456789abcdef-"},
    {"ksuid", ID_KSUID_LENGTH, id_write_ksuid, id_read_ksuid,
     "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"},
    {"crockford", ID_CROCKFORD_LENGTH, id_write_crockford, id_read_crockford,
     "0123456789ABCDEFGHJKMNPQRSTVWXYZ"},
};

/* 0x019cada9-97b2 is 1772440098738 ms. */
static const id16_t sample = {
    {0x01, 0x9c, 0xad, 0xa9, 0x97, 0xb2, 0x7a, 0xbc, 0x8d, 0xef, 1, 2, 3, 4, 5, 6}};

static void test_grows (void **state)
{
    (void) state;
    id_source_t source = {0};
    id16_t last = id_nil ();
    int64_t now = 1772442847218;
    for (int i = 0; i < 50000; i++) {
        if (i % 1000 == 0)
            now += i % 3000 == 0 ? -5000 : 700; /* back and forth */
        id16_t id = id_next (&source, now);
        assert_true (id_compare (id, last) > 0);
        assert_true (id_is_v7 (id));
        assert_true (id_time_ms (id) >= now);
        last = id;
    }
    id16_t fresh = id_next (&source, now + 1000000);
    assert_int_equal (id_time_ms (fresh), now + 1000000);
}

static void test_seed (void **state)
{
    (void) state;
    id_source_t source = {0};
    id16_t top = sample;
    memset (top.b + 9, 0xff, 7); /* the counter is full */
    top.b[6] = 0x7f;
    top.b[7] = 0xff;
    top.b[8] = 0xbf;
    id_source_seed (&source, top);
    id16_t id = id_next (&source, 5);
    assert_true (id_compare (id, top) > 0);
    assert_true (id_is_v7 (id));
    assert_int_equal (id_time_ms (id), id_time_ms (top) + 1);

    id_source_seed (&source, sample); /* lower: nothing changes */
    assert_true (id_compare (id_next (&source, 5), id) > 0);

    id16_t foreign;
    memset (foreign.b, 0xf0, sizeof foreign.b);
    id_source_seed (&source, foreign);
    assert_true (id_compare (id_next (&source, 5), foreign) > 0);
    id_source_seed (&source, id_nil ());
}

static void test_odd_times (void **state)
{
    static const int64_t rows[] = {INT64_MIN, -1, 0, 1, (int64_t) 1 << 48, INT64_MAX};
    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        id_source_t source = {0};
        id16_t a = id_next (&source, rows[i]);
        id16_t b = id_next (&source, rows[i]);
        assert_true (id_compare (a, b) < 0);
        assert_true (id_is_v7 (a) && id_is_v7 (b));
    }
}

static void test_known_spellings (void **state)
{
    (void) state;
    char out[ID_UUID_LENGTH + 1];
    id_write_uuid (sample, out);
    assert_string_equal (out, "019cada9-97b2-7abc-8def-010203040506");
    id_write_crockford (sample, out);
    assert_string_equal (out, "01KJPTK5XJFAY8VVR1081G8186");
    id_write_ksuid (sample, out);
    assert_string_equal (out, "3ANjodvSSLetIKbbhHSpV66CJ0w");
    id16_t id;
    assert_true (id_read_ksuid (out, strlen (out), &id));
    assert_true (id_equal (id, sample));
    assert_int_equal (id_time_ms (id), 0x019cada997b2);
}

/* Every other text of the same length that differs in one character reads as another id or not at
 * all. */
static void check_one_change (const spelling_t *s, id16_t id, const char *text)
{
    for (size_t i = 0; i < s->length; i++) {
        for (int c = 0; c < 256; c++) {
            char changed[ID_UUID_LENGTH + 1];
            memcpy (changed, text, s->length + 1);
            changed[i] = (char) c;
            id16_t got = sample;
            bool ok = s->read (changed, s->length, &got);
            if (changed[i] == text[i]) {
                assert_true (ok && id_equal (got, id));
                continue;
            }
            if (!ok) {
                assert_true (id_equal (got, sample)); /* untouched */
                continue;
            }
            assert_false (id_equal (got, id));
            assert_non_null (strchr (s->alphabet, c));
            char again[ID_UUID_LENGTH + 1];
            s->write (got, again);
            assert_string_equal (again, changed);
        }
    }
}

static void test_round_trips (void **state)
{
    (void) state;
    id_source_t source = {0};
    for (int i = 0; i < 3000; i++) {
        id16_t id = id_next (&source, i < 20 ? i : (int64_t) i * i * i * 80);
        for (size_t j = 0; j < 3; j++) {
            const spelling_t *s = &spellings[j];
            char text[ID_UUID_LENGTH + 1];
            id16_t back = id_nil ();
            s->write (id, text);
            assert_int_equal (strlen (text), s->length);
            assert_int_equal (strspn (text, s->alphabet), s->length);
            assert_true (s->read (text, s->length, &back));
            assert_true (id_equal (id, back));
            if (i % 500 == 0)
                check_one_change (s, id, text);
            assert_false (s->read (text, s->length - 1, &back));
            assert_false (s->read (text, s->length + 1, &back));
        }
    }
}

/* Texts sort as their ids do, which the dialects' cursors rest on. */
static void test_order (void **state)
{
    (void) state;
    id_source_t source = {0};
    char last[3][ID_UUID_LENGTH + 1] = {"", "", ""};
    for (int i = 0; i < 3000; i++) {
        id16_t id = id_next (&source, 1772442847218 + i / 3 * 511);
        for (size_t j = 0; j < 3; j++) {
            char text[ID_UUID_LENGTH + 1];
            spellings[j].write (id, text);
            assert_true (strcmp (last[j], text) < 0);
            memcpy (last[j], text, sizeof text);
        }
    }
}

static void test_refused (void **state)
{
    static const struct {
        size_t spelling;
        const char *text;
    } rows[] = {
        {0, "019CADA9-97B2-7ABC-8DEF-010203040506"}, /* upper case */
        {0, "019cada9-97b2-4abc-8def-010203040506"}, /* version 4 */
        {0, "019cada9-97b2-7abc-cdef-010203040506"}, /* variant */
        {0, "019cada997b27abc8def010203040506"},     /* no dashes */
        {0, "{19cada9-97b2-7abc-8def-01020304050}"},
        {0, "00000000-0000-0000-0000-000000000000"}, /* nil */
        {1, "zzzzzzzzzzzzzzzzzzzzzzzzzzz"},          /* over 160 bits */
        {1, "aWgEPTl1tmebfsQzFP4bxwgy80W"},          /* just over */
        {1, "aWgEPTl1tmebfsQzFP4bxwgy80V"},          /* all ones: not v7 */
        {1, "000000000000000000000000000"},          /* all zero: not v7 */
        {2, "8ZZZZZZZZZZZZZZZZZZZZZZZZZ"},           /* over 128 bits */
        {2, "ZZZZZZZZZZZZZZZZZZZZZZZZZZ"},
        {2, "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"}, /* all ones: not v7 */
        {2, "00000000000000000000000000"},
    };
    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        id16_t id = sample;
        assert_false (spellings[rows[i].spelling].read (rows[i].text, strlen (rows[i].text), &id));
        assert_true (id_equal (id, sample));
    }
}

/* Crockford's own aliases (lower case, I and L for 1, O for 0) and a KSUID whose time is another
 * second. */
static void test_aliases_refused (void **state)
{
    (void) state;
    char text[ID_UUID_LENGTH + 1];
    id16_t id;
    id_write_crockford (sample, text);
    for (size_t i = 0; i < ID_CROCKFORD_LENGTH; i++) {
        char kept = text[i];
        static const char aliases[] = "ILOUilou";
        for (size_t j = 0; j < sizeof aliases - 1; j++) {
            text[i] = aliases[j];
            assert_false (id_read_crockford (text, ID_CROCKFORD_LENGTH, &id));
        }
        text[i] = kept;
        if (kept >= 'A') {
            text[i] = (char) (kept | 0x20);
            assert_false (id_read_crockford (text, ID_CROCKFORD_LENGTH, &id));
            text[i] = kept;
        }
    }
    /* One second more in the first four bytes, the same UUID after it. */
    assert_false (id_read_ksuid ("3ANjoliWUYvFNoHNRRFyHzDS0d4", ID_KSUID_LENGTH, &id));
    for (size_t i = 0; i < 3; i++)
        assert_false (spellings[i].read (NULL, spellings[i].length, &id));
}

static void test_looking (void **state)
{
    (void) state;
    assert_true (id_is_nil (id_nil ()));
    assert_false (id_is_nil (sample));
    assert_false (id_is_v7 (id_nil ()));
    id16_t more = sample;
    more.b[15]++;
    assert_int_equal (id_compare (sample, more), -1);
    assert_int_equal (id_compare (more, sample), 1);
    assert_int_equal (id_compare (more, more), 0);
    assert_false (id_equal (more, sample));
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_grows),       cmocka_unit_test (test_seed),
        cmocka_unit_test (test_odd_times),   cmocka_unit_test (test_known_spellings),
        cmocka_unit_test (test_round_trips), cmocka_unit_test (test_order),
        cmocka_unit_test (test_refused),     cmocka_unit_test (test_aliases_refused),
        cmocka_unit_test (test_looking),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
