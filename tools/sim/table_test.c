/* table_test.c - bounded tables: order, replacing, forgetting the oldest. */
#include "alloc.h"
#include "table.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

static void keeps_the_newest (void **state)
{
    (void) state;
    table_t *table = table_new (100, free);
    char key[16];
    for (int i = 0; i < 1000; i++) {
        snprintf (key, sizeof key, "%d", i);
        table_put (table, key, must_strdup (key));
    }
    assert_int_equal (table_size (table), 100);
    assert_null (table_get (table, "899"));
    assert_string_equal (table_get (table, "900"), "900");
    table_entry_t *at = NULL;
    int want = 900;
    for (const char *value; (value = table_next (table, &at)) != NULL; want++)
        assert_int_equal (atoi (value), want);
    assert_int_equal (want, 1000);
    table_destroy (&table);
    assert_null (table);
}

static void replaces_and_drops (void **state)
{
    (void) state;
    table_t *table = table_new (10, free);
    table_put (table, "a", must_strdup ("1"));
    table_put (table, "b", must_strdup ("2"));
    table_put (table, "a", must_strdup ("3"));
    assert_int_equal (table_size (table), 2);
    assert_string_equal (table_get (table, "a"), "3");
    assert_true (table_drop (table, "a"));
    assert_false (table_drop (table, "a"));
    assert_false (table_drop (table, NULL));
    table_mark (table, "mark");
    assert_true (table_has (table, "mark"));
    assert_false (table_has (table, "other"));
    assert_null (table_get (table, NULL));
    table_clear (table);
    assert_int_equal (table_size (table), 0);
    table_destroy (&table);
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (keeps_the_newest),
                                       cmocka_unit_test (replaces_and_drops)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
