/* kv_test.c - keys, ranges, walks over a table that changes, against a model. */
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "test_record.h"

static bytes_t text (const char *s)
{
    return bytes_of_str (s);
}

static void put_text (txn_t *txn, table_t *table, const char *key)
{
    assert_int_equal (kv_put (txn, table, text (key), text (key)), 0);
}

static void single_keys (void **state)
{
    fixture_t *f = *state;
    table_t *raw = store_table (f->store, "raw");
    uint8_t large[481] = {1};
    uint64_t n;
    bytes_t value;
    assert_null (store_table (f->store, "absent"));
    txn_t *txn = begin_write (f->store);
    assert_int_equal (kv_get (txn, NULL, text ("a"), &value), E_INTERNAL);
    assert_int_equal (kv_get (txn, raw, text ("a"), &value), E_NOT_FOUND);
    bytes_t key;
    assert_int_equal (kv_first (txn, NULL, text ("a"), &key, &value), E_INTERNAL);
    assert_int_equal (kv_first (txn, raw, (bytes_t){0}, &key, &value), E_TOO_LARGE);
    assert_int_equal (kv_first (txn, raw, text ("a"), &key, &value), E_NOT_FOUND);
    assert_int_equal (kv_del (txn, raw, text ("a")), E_NOT_FOUND);
    assert_int_equal (kv_put (txn, raw, text ("b"), text ("1")), 0);
    assert_int_equal (kv_put (txn, raw, text ("b"), (bytes_t){0}), 0);
    assert_int_equal (kv_get (txn, raw, text ("b"), &value), 0);
    assert_int_equal (value.size, 0);
    assert_int_equal (kv_append (txn, raw, text ("a"), text ("1")), E_ALREADY_EXISTS);
    assert_int_equal (kv_append (txn, raw, text ("b"), text ("1")), E_ALREADY_EXISTS);
    assert_int_equal (kv_append (txn, raw, text ("c"), text ("1")), 0);
    assert_int_equal (kv_put (txn, raw, bytes_of (large, 481), text ("1")), E_TOO_LARGE);
    assert_int_equal (kv_put (txn, raw, bytes_of (large, 480), text ("1")), 0);
    assert_int_equal (kv_put (txn, raw, (bytes_t){0}, text ("1")), E_TOO_LARGE);
    assert_int_equal (kv_count (txn, raw, &n), 0);
    assert_int_equal (n, 3);
    commit (&txn);
    txn = begin_read (f->store);
    assert_int_equal (kv_put (txn, raw, text ("a"), text ("1")), E_INTERNAL);
    txn_abort (&txn);
    txn = begin_write (f->store);
    assert_int_equal (kv_clear (txn, raw), 0);
    commit (&txn);
    txn = begin_read (f->store);
    assert_int_equal (kv_count (txn, raw, &n), 0);
    assert_int_equal (n, 0);
    txn_abort (&txn);
}

static const struct {
    const char *name, *prefix, *from;
    bool after, reverse;
    const char *want;
} ranges[] = {
    {"all", "", "", false, false, "a b ba bb bc c \xff \xff\xff"},
    {"all back", "", "", false, true, "\xff\xff \xff c bc bb ba b a"},
    {"prefix", "b", "", false, false, "b ba bb bc"},
    {"prefix back", "b", "", false, true, "bc bb ba b"},
    {"prefix 0xff back", "\xff", "", false, true, "\xff\xff \xff"},
    {"prefix none", "bx", "", false, false, ""},
    {"prefix none back", "bx", "", false, true, ""},
    {"from", "", "bb", false, false, "bb bc c \xff \xff\xff"},
    {"from after", "", "bb", true, false, "bc c \xff \xff\xff"},
    {"from between", "", "bbb", true, false, "bc c \xff \xff\xff"},
    {"from back", "", "bb", false, true, "bb ba b a"},
    {"from after back", "", "bb", true, true, "ba b a"},
    {"from between back", "", "bbb", true, true, "bb ba b a"},
    {"prefix and from", "b", "bb", false, false, "bb bc"},
    {"prefix and from back", "b", "bb", false, true, "bb ba b"},
    {"from under the prefix", "b", "a", true, false, "b ba bb bc"},
    {"from over the prefix back", "b", "c", false, true, "bc bb ba b"},
    {"from over the prefix", "b", "c", false, false, ""},
    {"from under the prefix back", "b", "a", false, true, ""},
    {"from beyond all back", "", "\xff\xff\xff", false, true, "\xff\xff \xff c bc bb ba b a"},
    {"from beyond all", "", "\xff\xff\xff", false, false, ""},
};

/* `want`: all keys of the prefix, with blanks between. */
static void first_check (txn_t *txn, table_t *raw, const char *prefix, const char *want)
{
    bytes_t key, value;
    int rc = kv_first (txn, raw, text (prefix), &key, &value);
    assert_int_equal (rc, *want ? 0 : E_NOT_FOUND);
    if (rc == 0) {
        assert_true (bytes_equal (key, bytes_of (want, strcspn (want, " "))));
        assert_true (bytes_equal (key, value));
    }
}

static void range_check (txn_t *txn, table_t *raw)
{
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        char got[64] = "";
        bytes_t key, value;
        kv_cursor_t c = {.table = raw,
                         .prefix = text (ranges[i].prefix),
                         .from = text (ranges[i].from),
                         .after = ranges[i].after,
                         .reverse = ranges[i].reverse};
        while (kv_next (txn, &c, &key, &value) == 0) {
            assert_true (bytes_equal (key, value));
            strcat (got, *got ? " " : "");
            strncat (got, (const char *) key.data, key.size);
        }
        if (strcmp (got, ranges[i].want) != 0)
            fail_msg ("%s: got %s, want %s", ranges[i].name, got, ranges[i].want);
        assert_null (c.state);
        if (*ranges[i].prefix && !*ranges[i].from && !ranges[i].reverse)
            first_check (txn, raw, ranges[i].prefix, ranges[i].want);
    }
}

static void ranges_walk (void **state)
{
    fixture_t *f = *state;
    table_t *raw = store_table (f->store, "raw");
    static const char *const keys[] = {"a", "b", "ba", "bb", "bc", "c", "\xff", "\xff\xff"};
    txn_t *txn = begin_write (f->store);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        put_text (txn, raw, keys[i]);
    range_check (txn, raw);
    assert_int_equal (txn_savepoint (txn), 0);
    put_text (txn, store_table (f->store, "other"), "x");
    range_check (txn, raw);
    assert_int_equal (txn_release (txn), 0);
    commit (&txn);
    txn = begin_read (f->store);
    range_check (txn, raw);
    bytes_t key, value;
    kv_cursor_t c = {.table = raw};
    assert_int_equal (kv_next (txn, &c, &key, &value), 0); /* left to the transaction */
    txn_abort (&txn);
}

/* Walks while deleting what it sees, adding before and behind, in and out of savepoints. */
static void walk_changes (void **state)
{
    fixture_t *f = *state;
    table_t *raw = store_table (f->store, "raw");
    bytes_t key, value;
    for (int reverse = 0; reverse < 2; reverse++) {
        txn_t *txn = begin_write (f->store);
        for (const char *k = "bcde"; *k; k++)
            put_text (txn, raw, (char[]){*k, 0});
        kv_cursor_t c = {.table = raw, .reverse = reverse};
        char seen[16] = "";
        for (int i = 0; kv_next (txn, &c, &key, &value) == 0; i++) {
            char k[2] = {(char) *key.data, 0};
            strcat (seen, k);
            assert_int_equal (txn_savepoint (txn), 0);
            assert_int_equal (kv_del (txn, raw, text (k)), 0);
            if (i == 0)
                put_text (txn, raw, reverse ? "bb" : "x");
            assert_int_equal (i % 2 ? (txn_rollback (txn), 0) : txn_release (txn), 0);
            if (i == 1)
                put_text (txn, raw, reverse ? "x" : "a"); /* behind: not seen */
        }
        assert_string_equal (seen, reverse ? "edcbb" : "bcdex");
        txn_abort (&txn);
    }
}

/* A cleared table does not come back in the transaction: one that would need it is lost, and the store is as before. */
static void clear_in_savepoint (void **state)
{
    fixture_t *f = *state;
    table_t *raw = store_table (f->store, "raw");
    bytes_t key, value;
    uint64_t n;
    txn_t *txn = begin_write (f->store);
    for (const char *k = "abcdef"; *k; k++)
        put_text (txn, raw, (char[]){*k, 0});
    commit (&txn);
    txn = begin_write (f->store);
    kv_cursor_t c = {.table = raw};
    assert_int_equal (kv_next (txn, &c, &key, &value), 0);
    assert_int_equal (txn_savepoint (txn), 0);
    assert_int_equal (kv_clear (txn, raw), 0);
    put_text (txn, raw, "z");
    assert_int_equal (kv_next (txn, &c, &key, &value), 0);
    assert_int_equal (*key.data, 'z');
    txn_rollback (txn);
    kv_stop (&c);
    assert_int_equal (kv_put (txn, raw, text ("z"), text ("z")), E_IO);
    assert_int_equal (txn_commit (&txn), E_IO);
    txn = begin_write (f->store);
    assert_int_equal (kv_count (txn, raw, &n), 0);
    assert_int_equal (n, 6);
    assert_int_equal (txn_savepoint (txn), 0);
    assert_int_equal (kv_clear (txn, raw), 0);
    assert_int_equal (txn_release (txn), 0);
    commit (&txn);
    txn = begin_read (f->store);
    assert_int_equal (kv_next (txn, &(kv_cursor_t){.table = raw}, &key, &value), E_NOT_FOUND);
    txn_abort (&txn);
}

/* ---- against a model: 256 keys, savepoints as copies of the model ---- */

enum { KEYS = 256, DEPTH = 4 };

typedef struct model {
    unsigned value[KEYS]; /* 0 = absent */
} model_t;

static void model_compare (txn_t *txn, table_t *raw, const model_t *m, bool reverse)
{
    kv_cursor_t c = {.table = raw, .reverse = reverse};
    bytes_t key, value;
    for (int i = 0; i < KEYS; i++) {
        int k = reverse ? KEYS - 1 - i : i;
        if (!m->value[k])
            continue;
        assert_int_equal (kv_next (txn, &c, &key, &value), 0);
        assert_int_equal (*key.data, k);
        assert_memory_equal (value.data, &m->value[k], sizeof m->value[k]);
    }
    assert_int_equal (kv_next (txn, &c, &key, &value), E_NOT_FOUND);
}

static void model_write (txn_t *txn, table_t *raw, model_t *m, unsigned seed)
{
    static const uint8_t space[3000];
    uint8_t key[40] = {(uint8_t) (seed >> 8)}, value[sizeof space];
    unsigned k = key[0];
    if (seed % 3 == 0) {
        assert_int_equal (kv_del (txn, raw, bytes_of (key, sizeof key)),
                          m->value[k] ? 0 : E_NOT_FOUND);
        m->value[k] = 0;
        return;
    }
    memset (value, 0, sizeof value);
    m->value[k] = seed | 1;
    memcpy (value, &m->value[k], sizeof m->value[k]);
    assert_int_equal (
        kv_put (txn, raw, bytes_of (key, sizeof key), bytes_of (value, 4 + seed % 2900)), 0);
}

/* The first row of a key's first byte, wherever the writes before left the table. */
static void model_first (txn_t *txn, table_t *raw, const model_t *m, unsigned seed)
{
    uint8_t prefix = (uint8_t) (seed >> 8);
    unsigned stored;
    bytes_t key, value;
    int rc = kv_first (txn, raw, bytes_of (&prefix, 1), &key, &value);
    assert_int_equal (rc, m->value[prefix] ? 0 : E_NOT_FOUND);
    if (rc)
        return;
    memcpy (&stored, value.data, sizeof stored);
    assert_int_equal (key.data[0], prefix);
    assert_int_equal (stored, m->value[prefix]);
}

static void model_walk (void **state)
{
    fixture_t *f = *state;
    table_t *raw = store_table (f->store, "raw");
    static model_t models[DEPTH + 1];
    memset (models, 0, sizeof models);
    unsigned seed = 12345;
    for (int turn = 0; turn < 60; turn++) {
        txn_t *txn = begin_write (f->store);
        int depth = 0;
        for (int i = 0; i < 60; i++) {
            seed = seed * 1103515245U + 12345U;
            unsigned r = seed >> 24;
            if (r < 40 && depth < DEPTH) {
                assert_int_equal (txn_savepoint (txn), 0);
                models[depth + 1] = models[depth];
                depth++;
            } else if (r < 60 && depth) {
                assert_int_equal (txn_release (txn), 0);
                models[depth - 1] = models[depth];
                depth--;
            } else if (r < 80 && depth) {
                txn_rollback (txn);
                depth--;
            } else {
                model_write (txn, raw, &models[depth], seed >> 4);
                model_first (txn, raw, &models[depth], seed >> 4);
                model_first (txn, raw, &models[depth], seed >> 2);
            }
        }
        model_compare (txn, raw, &models[depth], turn % 2);
        while (depth) {
            assert_int_equal (txn_release (txn), 0);
            models[depth - 1] = models[depth];
            depth--;
        }
        commit (&txn);
    }
    txn_t *txn = begin_read (f->store);
    model_compare (txn, raw, &models[0], false);
    for (unsigned i = 0; i < 256; i++)
        model_first (txn, raw, &models[0], i << 8);
    txn_abort (&txn);
    /* Nothing leaked: a compact copy counts every page. */
    char to[300];
    failure_t failure = {0};
    snprintf (to, sizeof to, "%s/copy", f->folder);
    assert_int_equal (store_backup (f->store, to, &failure), 0);
}

int main (void)
{
#define T(t) cmocka_unit_test_setup_teardown (t, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {T (single_keys), T (ranges_walk), T (walk_changes),
                                       T (clear_in_savepoint), T (model_walk)};
    return cmocka_run_group_tests_name ("store_kv", tests, NULL, NULL);
}
