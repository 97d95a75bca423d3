/* keyuse_test.c - notes of last use: the latest counts, each is taken once, a full table does no harm. */
#include "keyuse.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

static id16_t key_of (unsigned n)
{
    id16_t id = {{1}};
    id.b[13] = (uint8_t) (n >> 16);
    id.b[14] = (uint8_t) (n >> 8);
    id.b[15] = (uint8_t) n;
    return id;
}

static void test_latest_use_is_taken_once (void **state)
{
    (void) state;
    key_uses_t *uses = key_uses_new ();
    accounts_key_use_t taken[4];
    key_uses_note (uses, key_of (1), 10);
    key_uses_note (uses, key_of (2), 20);
    key_uses_note (uses, key_of (1), 30);
    assert_int_equal (key_uses_take (uses, taken, 1), 1);
    assert_int_equal (key_uses_take (uses, taken + 1, 3), 1);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal (taken[i].at, id_equal (taken[i].id, key_of (1)) ? 30 : 20);
    assert_int_equal (key_uses_take (uses, taken, 4), 0);
    key_uses_destroy (&uses);
    assert_null (uses);
}

static void test_full_table_drops (void **state)
{
    (void) state;
    key_uses_t *uses = key_uses_new ();
    accounts_key_use_t *taken = calloc (70000, sizeof *taken);
    for (unsigned n = 0; n < 70000; n++)
        key_uses_note (uses, key_of (n), n + 1);
    size_t count = key_uses_take (uses, taken, 70000);
    assert_true (count > 1000 && count < 70000);
    free (taken);
    key_uses_destroy (&uses);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_latest_use_is_taken_once),
        cmocka_unit_test (test_full_table_drops),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
