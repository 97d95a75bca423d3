/* chirp_id_test.c - spellings: round trips, aliases that are unknown ids, text that is no id. */
#include "dialect/dialect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const id16_t never = {{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
                              0xFF, 0xFF, 0xFF, 0xFF, 0xFF}};

static int read_as (const char *prefix, const char *text, id16_t *out, bool *test)
{
    return dialect_chirp.id_read (prefix, text, strlen (text), out, test);
}

static void test_round_trips (void **state)
{
    (void) state;
    static const char *const prefixes[] = {"msg_sms", "msg_wa", "rcpt", "whk",      "ph",
                                           "wapn",    "app",    "med",  "ph_purch", "call_rec"};
    id_source_t ids = {0};
    for (int64_t now = 1700000000000; now < 1700000000000 + 200; now++)
        for (size_t p = 0; p < sizeof prefixes / sizeof *prefixes; p++)
            for (int mode = 0; mode < 2; mode++) {
                id16_t id = id_next (&ids, now), back;
                char text[64];
                bool test = !mode;
                dialect_chirp.id_write (prefixes[p], mode, id, text);
                assert_int_equal (read_as (prefixes[p], text, &back, &test), 0);
                assert_true (id_equal (id, back));
                assert_int_equal (test, mode);
            }
}

static void test_form (void **state)
{
    (void) state;
    id_source_t ids = {0};
    id16_t id = id_next (&ids, 1750000000000);
    char text[64], want[64], ksuid[ID_KSUID_LENGTH + 1];
    id_write_ksuid (id, ksuid);
    dialect_chirp.id_write ("msg_wa", true, id, text);
    snprintf (want, sizeof want, "msg_wa_test_%s", ksuid);
    assert_string_equal (text, want);
    dialect_request_id (&dialect_chirp, id, text);
    snprintf (want, sizeof want, "req_%s", ksuid);
    assert_string_equal (text, want);
}

/* Each of these is made from a right "msg_sms_<ksuid>". */
static void test_aliases (void **state)
{
    (void) state;
    id_source_t ids = {0};
    id16_t id = id_next (&ids, 1750000000000), got;
    char ksuid[ID_KSUID_LENGTH + 1], other[ID_KSUID_LENGTH + 1], text[96];
    id_write_ksuid (id, ksuid);
    struct {
        const char *name, *format;
        int want;
    } rows[] = {
        {"right", "msg_sms_%s", 0},
        {"right, test", "msg_sms_test_%s", 0},
        {"another kind", "whk_%s", 1},
        {"another kind, longer", "msg_wa_%s", 1},
        {"prefix cut", "msg_%s", 1},
        {"test twice", "msg_sms_test_test_%s", 1},
        {"another word", "msg_sms_live_%s", 1},
        {"no prefix", "%s", 2},
        {"no prefix but the bar", "_%s", 2},
        {"upper-case prefix", "MSG_SMS_%s", 2},
        {"a character more", "msg_sms_%s0", 2},
        {"a space", "msg_sms_%s ", 2},
        {"a dash", "msg-sms-%s", 2},
        {"Meta's", "wamid.HBgL%s", 2},
        {"empty", "%.0s", 2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool test = false;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf (text, sizeof text, rows[i].format, ksuid);
#pragma GCC diagnostic pop
        int rc = read_as ("msg_sms", text, &got, &test);
        if (rc != rows[i].want)
            fail_msg ("%s: %s gave %d", rows[i].name, text, rc);
        if (rc == 1)
            assert_true (id_equal (got, never));
    }
    /* The KSUID's own time or payload changed, or past the last KSUID: form but no id of ours. */
    for (size_t at = 0; at < ID_KSUID_LENGTH; at++) {
        bool test = false;
        memcpy (other, ksuid, sizeof other);
        other[at] = other[at] == 'a' ? 'b' : 'a';
        snprintf (text, sizeof text, "msg_sms_%s", other);
        int rc = read_as ("msg_sms", text, &got, &test);
        assert_false (rc == 0 && id_equal (got, id));
        if (at < 5) /* the time's digits: no longer the UUID's second */
            assert_int_equal (rc, 1);
    }
    bool test = false;
    assert_int_equal (read_as ("msg_sms", "msg_sms_zzzzzzzzzzzzzzzzzzzzzzzzzzz", &got, &test), 1);
    assert_int_equal (read_as ("msg_sms", "msg_sms_000000000000000000000000000", &got, &test), 1);
}

static void test_media_alias (void **state)
{
    (void) state;
    id_source_t ids = {0};
    id16_t id = id_next (&ids, 1750000000000), got;
    char ksuid[ID_KSUID_LENGTH + 1], text[64];
    bool test = false;
    id_write_ksuid (id, ksuid);
    snprintf (text, sizeof text, "media_test_%s", ksuid);
    assert_int_equal (read_as ("med", text, &got, &test), 0);
    assert_true (test && id_equal (id, got));
    assert_int_equal (read_as ("app", text, &got, &test), 1);
}

/* An organization has no mode: its id has one spelling, and leaves the mode as it was. */
static void test_without_mode (void **state)
{
    (void) state;
    id_source_t ids = {0};
    id16_t id = id_next (&ids, 1750000000000), got;
    char ksuid[ID_KSUID_LENGTH + 1], text[64];
    id_write_ksuid (id, ksuid);
    for (int mode = 0; mode < 2; mode++) {
        bool test = mode;
        dialect_chirp.id_write ("org", mode, id, text);
        assert_int_equal (read_as ("org", text, &got, &test), 0);
        assert_true (id_equal (id, got) && test == (bool) mode);
        snprintf (text, sizeof text, "org_test_%s", ksuid);
        assert_int_equal (read_as ("org", text, &got, &test), 1);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_round_trips), cmocka_unit_test (test_form),
        cmocka_unit_test (test_aliases), cmocka_unit_test (test_media_alias),
        cmocka_unit_test (test_without_mode)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
