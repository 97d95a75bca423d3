/* kirim_id_test.c - one id, one spelling; what has the form and is none of ours is nobody's; the rest is malformed. */
#include "dialect/kirim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const id16_t ours = {{0x01, 0x90, 0xb4, 0x5e, 0x7f, 0x3a, 0x7c, 0x11, 0x9a, 0xbc, 0xde, 0xf0,
                             0x12, 0x34, 0x56, 0x78}};

typedef struct row {
    const char *prefix, *text;
    int want;
} row_t;

static const row_t rows[] = {
    {"msg", "msg_01J2T5WZSTFG8SNF6YY0938NKR", 0},
    {"msg", "msg_01HXYZABCDEFGHJKMNPQRSTVWX", 1}, /* a ULID: of the form, no id of ours */
    {"msg", "msg_8ZZZZZZZZZZZZZZZZZZZZZZZZZ", 1}, /* above 128 bits */
    {"msg", "msg_ZZZZZZZZZZZZZZZZZZZZZZZZZZ", 1},
    {"msg", "msg_01hxyzabcdefghjkmnpqrstvwx", 2},
    {"msg", "msg_01HXYZABCDEFGHJKMNPQRSTVW", 2},
    {"msg", "msg_01HXYZABCDEFGHJKMNPQRSTVWXY", 2},
    {"msg", "msg_01HXYZABCDEFGHJKMNPQRSTVWI", 2},
    {"msg", "msg_01HXYZABCDEFGHJKMNPQRSTVWL", 2},
    {"msg", "msg_01HXYZABCDEFGHJKMNPQRSTVWO", 2},
    {"msg", "msg_01HXYZABCDEFGHJKMNPQRSTVWU", 2},
    {"msg", "msg-01HXYZABCDEFGHJKMNPQRSTVWX", 2},
    {"msg", "cnv_01HXYZABCDEFGHJKMNPQRSTVWX", 2},
    {"msg", "01HXYZABCDEFGHJKMNPQRSTVWX", 2},
    {"msg", "msg_", 2},
    {"msg", "", 2},
    {"msg", "msg_0190b45e7f3a7c119abcdef012345678", 2},
    {"tmpl", "tmpl_01HXYZABCDEFGHJKMNPQRSTVWX", 1},
    {"msg", "msg_test_01HXYZABCDEFGHJKMNPQR", 2},
};

static void test_rows (void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        id16_t id = id_nil ();
        bool test = true;
        int got = kirim_id_read (rows[i].prefix, rows[i].text, strlen (rows[i].text), &id, &test);
        if (got != rows[i].want)
            fail_msg ("%s: %d", rows[i].text, got);
        assert_true (test);
        if (got == 1) {
            id16_t nobody;
            memset (&nobody, 0xFF, sizeof nobody);
            assert_true (id_equal (id, nobody));
        }
    }
}

static void test_spelling (void **state)
{
    (void) state;
    static const char *const prefixes[] = {"msg", "cnv", "ctc", "lbl", "tmpl", "wbs", "wbd",
                                           "evt", "sec", "key", "org", "req",  "usr"};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        char text[64], other[64];
        id16_t back;
        bool test = false;
        kirim_id_write (prefixes[i], false, ours, text);
        kirim_id_write (prefixes[i], true, ours, other);
        assert_string_equal (text, other);
        assert_int_equal (strlen (text), strlen (prefixes[i]) + 27);
        assert_int_equal (kirim_id_read (prefixes[i], text, strlen (text), &back, &test), 0);
        assert_true (id_equal (back, ours));
        assert_false (test);
    }
    char text[64];
    kirim_request_id (ours, text);
    assert_int_equal (strncmp (text, "req_", 4), 0);
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_rows),
                                       cmocka_unit_test (test_spelling)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
