/* erase_match_test.c - which bytes tell of an id or a phone number that was erased. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/msgpack.h"
#include "svc/erase_match.h"

static id16_t id_of (uint8_t n)
{
    id16_t id;
    for (size_t i = 0; i < sizeof id.b; i++)
        id.b[i] = (uint8_t) (n * 17 + i);
    return id;
}

typedef struct row {
    const char *bytes;
    size_t size;
    bool tells;
} row_t;
#define ROW(text, tells)               \
    {                                  \
        text, sizeof (text) - 1, tells \
    }

/* The number is 4917012345678; what stands beside does not matter here. */
static const row_t numbers[] = {
    ROW ("4917012345678", true),
    ROW ("+4917012345678", true),
    ROW ("{\"from\":\"4917012345678\"}", true),
    ROW ("tel:4917012345678;x", true),
    ROW ("49170123456789", false),
    ROW ("14917012345678", false),
    ROW ("491701234567", false),
    ROW ("+491701234567", false),
    ROW ("\xad"
         "4917012345678"
         "2",
         true), /* a msgpack string of 13, then a field whose number looks like a digit */
    ROW ("\xae+4917012345678"
         "2",
         true),
    ROW ("\xae"
         "49170123456782",
         false), /* a string of 14 */
    ROW ("\xd9"
         "0"
         "4917012345678 is a text whose length looks like a 0",
         true),
    ROW ("", false),
};

static void test_numbers (void **state)
{
    (void) state;
    erase_match_t *match = erase_match_new ();
    erase_text_t text = {.text = "+4917012345678", .until = 100};
    assert_int_equal (erase_match_add_text (match, &text), 0);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        bytes_t bytes = bytes_of ((const uint8_t *) numbers[i].bytes, numbers[i].size);
        if (erase_match_tells (match, bytes, 0) != numbers[i].tells)
            fail_msg ("row %zu", i);
        assert_int_equal (erase_match_tells (match, bytes, 99), numbers[i].tells);
        assert_false (erase_match_tells (match, bytes, 100)); /* of somebody who came after */
    }
    erase_match_free (&match);
}

static void test_beside (void **state)
{
    (void) state;
    id16_t ours = id_of (1), other = id_of (2);
    erase_match_t *match = erase_match_new ();
    erase_text_t text = {
        .text = "+4917012345678", .until = 100, .beside = &ours, .beside_count = 1};
    assert_int_equal (erase_match_add_text (match, &text), 0);
    buf_t row = {0};
    mp_str (&row, "+4917012345678");
    assert_false (erase_match_tells (match, buf_bytes (&row), 0));
    assert_true (erase_match_text (match, buf_bytes (&row), 0));
    mp_id (&row, other);
    assert_false (erase_match_tells (match, buf_bytes (&row), 0));
    mp_id (&row, ours);
    assert_true (erase_match_tells (match, buf_bytes (&row), 0));
    buf_free (&row);
    erase_match_free (&match);
}

static void test_ids (void **state)
{
    (void) state;
    erase_match_t *match = erase_match_new ();
    for (uint8_t n = 1; n < 100; n++)
        assert_int_equal (erase_match_add_id (match, id_of (n), n), 0);
    assert_int_equal (erase_match_add_id (match, id_nil (), 1), 0);
    assert_int_equal (erase_match_ids (match), 99);
    buf_t row = {0};
    mp_str (&row, "x");
    mp_id (&row, id_of (120));
    mp_id (&row, id_nil ());
    assert_false (erase_match_tells (match, buf_bytes (&row), 0));
    mp_id (&row, id_of (42));
    assert_true (erase_match_tells (match, buf_bytes (&row), 0));
    assert_true (erase_match_tells (match, buf_bytes (&row), 1000)); /* whenever it was told */
    assert_true (erase_match_before (match, buf_bytes (&row), 41));
    assert_false (erase_match_before (match, buf_bytes (&row), 42)); /* answered with the erasing */
    buf_free (&row);
    erase_match_free (&match);
}

/* Texts without digits are looked for as they are; very short ones not at all. */
static void test_other_texts (void **state)
{
    (void) state;
    erase_match_t *match = erase_match_new ();
    assert_int_equal (erase_match_add_text (match, &(erase_text_t){.text = "ada@example.org"}), 0);
    assert_int_equal (erase_match_add_text (match, &(erase_text_t){.text = "1234"}), 0);
    assert_true (erase_match_text (match, bytes_of_str ("mail to ada@example.org now"), 0));
    assert_false (erase_match_text (match, bytes_of_str ("mail to eda@example.org, 1234"), 0));
    erase_match_free (&match);
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_numbers),
                                       cmocka_unit_test (test_beside), cmocka_unit_test (test_ids),
                                       cmocka_unit_test (test_other_texts)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
