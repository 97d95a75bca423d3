/* record_test.c - rows with owners, unique indexes, counters, unknown fields; a write failing at
 * every place. */
#include <string.h>

#include "store/private.h"
#include "test_record.h"

static void insert (store_t *store, const item_t *item)
{
    txn_t *txn = begin_write (store);
    assert_int_equal (store_insert (txn, &item_v1, item, NULL), 0);
    commit (&txn);
}

static void get_names_owner (void **state)
{
    fixture_t *f = *state;
    item_t item = item_make (5, 1, "+15550001"), out = {0};
    item.open = true;
    insert (f->store, &item);
    txn_t *txn = begin_read (f->store);
    assert_int_equal (store_get (txn, &item_v1, test_app (1), test_id (5), f->arena, &out), 0);
    assert_string_equal (out.number, "+15550001");
    assert_int_equal (out.at, 1005);
    assert_int_equal (out.state, 1);
    assert_true (out.open);
    item_t zero = {0};
    memset (&out, 0, sizeof out);
    assert_int_equal (store_get (txn, &item_v1, test_app (2), test_id (5), f->arena, &out),
                      E_NOT_FOUND);
    assert_memory_equal (&out, &zero, sizeof out);
    assert_int_equal (store_get (txn, &item_v1, id_nil (), test_id (5), f->arena, &out),
                      E_NOT_FOUND);
    assert_int_equal (store_get (txn, &item_v1, test_app (1), test_id (6), f->arena, &out),
                      E_NOT_FOUND);
    assert_int_equal (store_get_any (txn, &item_v1, test_id (5), f->arena, &out), 0);
    assert_int_equal (store_get_any (txn, &item_v2, test_id (5), f->arena, &out), E_INTERNAL);
    txn_abort (&txn);
}

static void ids_may_interleave (void **state)
{
    fixture_t *f = *state;
    static const unsigned order[] = {5, 9, 7, 1, 10};
    for (size_t i = 0; i < 5; i++) {
        item_t item = item_make (order[i], 1, NULL);
        insert (f->store, &item);
    }
    item_t again = item_make (7, 1, NULL), nil = {0};
    const char *clash = "unset";
    txn_t *txn = begin_write (f->store);
    assert_int_equal (store_insert (txn, &item_v1, &again, &clash), E_ALREADY_EXISTS);
    assert_null (clash);
    assert_int_equal (store_insert (txn, &item_v1, &nil, NULL), E_INTERNAL);
    assert_int_equal (txn_writes (txn), 0);
    assert_int_equal (count_of (txn, "by_state", (store_key_t[]){{.id = test_app (1)}}, 1), 5);
    txn_abort (&txn);
}

static void unique_clash_is_named (void **state)
{
    fixture_t *f = *state;
    item_t a = item_make (1, 1, "+1"), b = item_make (2, 1, "+1"),
           other_app = item_make (3, 2, "+1"), out = {0};
    item_t none1 = item_make (4, 1, NULL), none2 = item_make (5, 1, NULL);
    insert (f->store, &a);
    insert (f->store, &other_app);
    insert (f->store, &none1); /* an absent last field has no entry: no clash */
    insert (f->store, &none2);
    const char *clash = NULL;
    txn_t *txn = begin_write (f->store);
    assert_int_equal (store_insert (txn, &item_v1, &b, &clash), E_ALREADY_EXISTS);
    assert_string_equal (clash, "by_number");
    assert_int_equal (txn_writes (txn), 0);
    b.number = "+2";
    assert_int_equal (store_insert (txn, &item_v1, &b, &clash), 0);
    assert_null (clash);
    b.number = "+1";
    assert_int_equal (store_put (txn, &item_v1, &b, &clash), E_ALREADY_EXISTS);
    assert_string_equal (clash, "by_number");
    assert_int_equal (store_put (txn, &item_v1, &a, NULL), 0); /* with itself */
    a.number = "+3";
    assert_int_equal (store_put (txn, &item_v1, &a, NULL), 0);
    assert_int_equal (store_put (txn, &item_v1, &b, NULL), 0); /* freed */
    store_key_t keys[] = {{.id = test_app (1)}, {.str = "+1"}};
    assert_int_equal (store_find (txn, &item_v1, "by_number", keys, 2, f->arena, &out), 0);
    assert_true (id_equal (out.id, b.id));
    assert_int_equal (count_of (txn, "by_number", keys, 2), 1);
    assert_int_equal (count_of (txn, "by_number", keys, 1), 4);
    keys[1].str = "+2";
    assert_int_equal (store_find (txn, &item_v1, "by_number", keys, 2, f->arena, &out),
                      E_NOT_FOUND);
    keys[1].str = NULL;
    assert_int_equal (store_find (txn, &item_v1, "by_number", keys, 2, f->arena, &out),
                      E_NOT_FOUND);
    assert_int_equal (store_find (txn, &item_v1, "by_number", keys, 1, f->arena, &out), E_INTERNAL);
    assert_int_equal (store_find (txn, &item_v1, "by_state", keys, 2, f->arena, &out), E_INTERNAL);
    assert_int_equal (store_find (txn, &item_v1, "by_nothing", keys, 2, f->arena, &out),
                      E_INTERNAL);
    txn_abort (&txn);
}

static void long_key_is_refused (void **state)
{
    fixture_t *f = *state;
    char number[500];
    memset (number, 'x', sizeof number);
    number[480 - 16 - 1] = 0; /* id, text, its 0 */
    item_t item = item_make (1, 1, number), out = {0};
    txn_t *txn = begin_write (f->store);
    assert_int_equal (store_insert (txn, &item_v1, &item, NULL), 0);
    store_key_t keys[] = {{.id = test_app (1)}, {.str = number}};
    assert_int_equal (store_find (txn, &item_v1, "by_number", keys, 2, f->arena, &out), 0);
    assert_int_equal (count_of (txn, "by_number", keys, 2), 1);
    number[480 - 16 - 1] = 'x';
    number[480 - 16] = 0;
    item.id = test_id (2);
    assert_int_equal (store_insert (txn, &item_v1, &item, NULL), E_TOO_LARGE);
    assert_int_equal (store_find (txn, &item_v1, "by_number", keys, 2, f->arena, &out),
                      E_NOT_FOUND);
    assert_int_equal (store_get_any (txn, &item_v1, test_id (2), f->arena, &out), E_NOT_FOUND);
    commit (&txn); /* refused before any write: nothing is doomed */
}

static void counters_follow (void **state)
{
    fixture_t *f = *state;
    store_key_t k1[] = {{.id = test_app (1)}, {.num = 1}},
                k2[] = {{.id = test_app (1)}, {.num = 2}}, other[] = {{.id = test_app (2)}};
    txn_t *txn = begin_write (f->store);
    for (unsigned i = 1; i <= 4; i++) {
        item_t item = item_make (i, 1, NULL);
        assert_int_equal (store_put (txn, &item_v1, &item, NULL), 0);
    }
    assert_int_equal (count_of (txn, "by_state", k1, 2), 4);
    assert_int_equal (count_of (txn, "by_state", k1, 1), 4);
    item_t moved = item_make (2, 1, NULL), gone = item_make (3, 2, NULL);
    moved.state = 2;
    assert_int_equal (store_put (txn, &item_v1, &moved, NULL), 0);
    assert_int_equal (store_put (txn, &item_v1, &gone, NULL), 0); /* to another app */
    assert_int_equal (store_del (txn, &item_v1, test_id (4)), 0);
    assert_int_equal (store_del (txn, &item_v1, test_id (4)), E_NOT_FOUND);
    assert_int_equal (count_of (txn, "by_state", k1, 2), 1);
    assert_int_equal (count_of (txn, "by_state", k2, 2), 1);
    assert_int_equal (count_of (txn, "by_state", k1, 1), 2);
    assert_int_equal (count_of (txn, "by_state", other, 1), 1);
    uint64_t n;
    assert_int_equal (store_count (txn, &item_v1, "by_time", k1, 1, &n), E_INTERNAL);
    for (unsigned i = 1; i <= 3; i++)
        assert_int_equal (store_del (txn, &item_v1, test_id (i)), 0);
    for (size_t i = 0; i < f->store->table_count; i++) { /* nothing is left over, no zeros either */
        assert_int_equal (kv_count (txn, &f->store->tables[i], &n), 0);
        if (&f->store->tables[i] != f->store->meta)
            assert_int_equal (n, 0);
    }
    commit (&txn);
}

/* ---- the n-th write fails ---- */

static int step_insert (txn_t *txn)
{
    item_t item = item_make (10, 1, "+10");
    return store_insert (txn, &item_v1, &item, NULL);
}

static int step_between (txn_t *txn)
{
    item_t item = item_make (2, 1, "+11");
    return store_insert (txn, &item_v1, &item, NULL);
}

static int step_change (txn_t *txn)
{
    item_t item = item_make (3, 2, "+12");
    item.state = 2;
    item.at = 5;
    item.open = true;
    return store_put (txn, &item_v1, &item, NULL);
}

static int step_same (txn_t *txn)
{
    item_t item = item_make (3, 1, "+3");
    return store_put (txn, &item_v1, &item, NULL);
}

static int step_delete (txn_t *txn)
{
    return store_del (txn, &item_v1, test_id (3));
}

static const struct {
    const char *name;
    int (*run) (txn_t *txn);
    unsigned writes; /* row, entries, counters */
} steps[] = {
    {"insert", step_insert, 1 + 4 + 4},
    {"insert between", step_between, 2 + 4 + 4}, /* the append was tried first */
    {"change", step_change, 1 + 8 + 8},
    {"put unchanged", step_same, 1},
    {"delete", step_delete, 1 + 4 + 4},
};

static void every_write_fails (void **state)
{
    fixture_t *f = *state;
    item_t a = item_make (1, 1, "+1"), b = item_make (3, 1, "+3");
    insert (f->store, &a);
    insert (f->store, &b);
    for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
        txn_t *txn = begin_write (f->store);
        uint64_t before = fingerprint (txn, f->store);
        unsigned n = 0;
        for (int rc = E_IO; rc;) {
            assert_int_equal (txn_savepoint (txn), 0);
            store_fail_write (f->store, ++n);
            rc = steps[s].run (txn);
            if (!rc) /* entries and counters that were put off */
                rc = pending_settle (txn);
            assert_true (rc == 0 || rc == E_IO);
            store_fail_write (f->store, 0);
            assert_int_equal (txn_release (txn), rc); /* doomed: rolled back */
            assert_int_equal (fingerprint (txn, f->store) == before,
                              rc != 0 || steps[s].run == step_same);
        }
        if (n != steps[s].writes + 1)
            fail_msg ("%s: %u writes, want %u", steps[s].name, n - 1, steps[s].writes);
        txn_abort (&txn);
        txn = begin_read (f->store);
        assert_true (fingerprint (txn, f->store) == before);
        txn_abort (&txn);
    }
}

/* ---- fields of newer versions ---- */

static void unknown_fields_survive (void **state)
{
    fixture_t *f = *state;
    store_close (&f->store);
    f->config.service = &service_v2;
    f->store = open_or_fail (&f->config);
    item_t item = item_make (1, 1, "+1"), out = {0};
    item.note = "kept";
    txn_t *txn = begin_write (f->store);
    assert_int_equal (store_insert (txn, &item_v2, &item, NULL), 0);
    commit (&txn);
    store_close (&f->store);
    f->config.service = &service_v1;
    f->store = open_or_fail (&f->config);
    txn = begin_write (f->store);
    item.note = NULL;
    item.number = "+2";
    assert_int_equal (store_put (txn, &item_v1, &item, NULL),
                      0); /* a fresh struct without unknown fields */
    assert_int_equal (store_get_any (txn, &item_v1, item.id, f->arena, &out), 0);
    assert_true (out.unknown.size > 0);
    out.state = 2;
    assert_int_equal (store_put (txn, &item_v1, &out, NULL), 0); /* and one that carries them */
    commit (&txn);
    store_close (&f->store);
    f->config.service = &service_v2;
    f->store = open_or_fail (&f->config);
    txn = begin_read (f->store);
    memset (&out, 0, sizeof out);
    assert_int_equal (store_get_any (txn, &item_v2, item.id, f->arena, &out), 0);
    assert_string_equal (out.note, "kept");
    assert_string_equal (out.number, "+2");
    assert_int_equal (out.state, 2);
    txn_abort (&txn);
}

static void bad_rows_are_corrupt (void **state)
{
    fixture_t *f = *state;
    item_t item = item_make (1, 1, "+1"), out = {0}, zero = {0};
    insert (f->store, &item);
    txn_t *txn = begin_write (f->store);
    assert_int_equal (kv_put (txn, store_table (f->store, "test.item"), bytes_of (item.id.b, 16),
                              bytes_of_str ("\x81\x03")),
                      0);
    assert_int_equal (store_get_any (txn, &item_v1, item.id, f->arena, &out), E_CORRUPT);
    assert_memory_equal (&out, &zero, sizeof out);
    assert_int_equal (store_put (txn, &item_v1, &item, NULL), E_CORRUPT);
    assert_int_equal (store_del (txn, &item_v1, item.id), E_CORRUPT);
    assert_int_equal (kv_del (txn, store_table (f->store, "test.item"), bytes_of (item.id.b, 16)),
                      0);
    assert_int_equal (store_find (txn, &item_v1, "by_number",
                                  (store_key_t[]){{.id = test_app (1)}, {.str = "+1"}}, 2, f->arena,
                                  &out),
                      E_CORRUPT);
    txn_abort (&txn);
}

static int number_find (txn_t *txn, fixture_t *f, const char *number)
{
    item_t found = {0};
    store_key_t keys[] = {{.id = test_app (1)}, {.str = number}};
    return store_find (txn, &item_v1, "by_number", keys, 2, f->arena, &found);
}

/* A put that changes no field of an index leaves it alone; no text and empty text are two things. */
static void what_stays_stays (void **state)
{
    fixture_t *f = *state;
    static const struct {
        const char *number;
        int old, empty;
    } rows[] = {{"+1", 0, E_NOT_FOUND}, {"+1", 0, E_NOT_FOUND},           {"", E_NOT_FOUND, 0},
                {"", E_NOT_FOUND, 0},   {NULL, E_NOT_FOUND, E_NOT_FOUND}, {"+1", 0, E_NOT_FOUND}};
    item_t item = item_make (1, 1, NULL), other = item_make (2, 1, "+2");
    insert (f->store, &item);
    insert (f->store, &other);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        item.number = rows[i].number;
        item.note = "changes";
        put_item (f->store, &item);
        txn_t *txn = begin_write (f->store);
        assert_int_equal (number_find (txn, f, "+1"), rows[i].old);
        assert_int_equal (number_find (txn, f, ""), rows[i].empty);
        assert_int_equal (number_find (txn, f, "+2"), 0);
        uint64_t before = fingerprint (txn, f->store);
        for (size_t n = 0; n < item_v1.index_count; n++)
            assert_int_equal (index_build (txn, &f->store->records[0], n), 0);
        assert_int_equal (fingerprint (txn, f->store), before);
        txn_abort (&txn);
    }
    txn_t *txn = begin_write (f->store);
    const char *clash;
    item.number = "+2";
    assert_int_equal (store_put (txn, &item_v1, &item, &clash), E_ALREADY_EXISTS);
    assert_string_equal (clash, "by_number");
    txn_abort (&txn);
}

int main (void)
{
#define T(t) cmocka_unit_test_setup_teardown (t, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        T (get_names_owner),        T (ids_may_interleave),   T (unique_clash_is_named),
        T (long_key_is_refused),    T (counters_follow),      T (every_write_fails),
        T (unknown_fields_survive), T (bad_rows_are_corrupt), T (what_stays_stays),
    };
    return cmocka_run_group_tests_name ("store_record", tests, NULL, NULL);
}
