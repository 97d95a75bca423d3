/* txn_test.c - savepoints, doom, failed commits, snapshots, readers in threads. */
#include <pthread.h>
#include <string.h>

#include "test_record.h"

static bool has (txn_t *txn, table_t *table, const char *key)
{
    bytes_t value;
    return kv_get (txn, table, bytes_of_str (key), &value) == 0;
}

static int put (txn_t *txn, table_t *table, const char *key)
{
    return kv_put (txn, table, bytes_of_str (key), bytes_of_str ("v"));
}

static void savepoints_nest (void **state)
{
    fixture_t *f = *state;
    table_t *raw = store_table (f->store, "raw");
    txn_t *txn = begin_write (f->store);
    assert_int_equal (txn_release (txn), E_INTERNAL);
    for (int i = 0; i < 20; i++) /* more than the first room */
        assert_int_equal (txn_savepoint (txn), 0);
    for (int i = 0; i < 19; i++)
        assert_int_equal (txn_release (txn), 0);
    assert_int_equal (txn_writes (txn), 0);
    assert_int_equal (put (txn, raw, "a"), 0);
    assert_int_equal (txn_savepoint (txn), 0);
    assert_int_equal (txn_savepoint (txn), 0);
    assert_int_equal (put (txn, raw, "b"), 0);
    assert_int_equal (txn_writes (txn), 2);
    assert_int_equal (txn_release (txn), 0);
    assert_true (has (txn, raw, "b"));
    txn_rollback (txn);
    assert_false (has (txn, raw, "b"));
    assert_true (has (txn, raw, "a"));
    assert_int_equal (txn_writes (txn), 1);
    assert_int_equal (txn_release (txn), 0);
    commit (&txn);
    txn = begin_read (f->store);
    assert_true (has (txn, raw, "a"));
    assert_int_equal (txn_savepoint (txn), E_INTERNAL);
    txn_abort (&txn);
}

static void open_savepoint_refuses_commit (void **state)
{
    fixture_t *f = *state;
    table_t *raw = store_table (f->store, "raw");
    txn_t *txn = begin_write (f->store);
    txn_t *second;
    assert_int_equal (txn_begin (f->store, TXN_WRITE, &second), E_INTERNAL);
    assert_int_equal (txn_savepoint (txn), 0);
    assert_int_equal (put (txn, raw, "a"), 0);
    assert_int_equal (txn_commit (&txn), E_INTERNAL);
    assert_null (txn);
    txn = begin_write (f->store); /* the store lives */
    assert_false (has (txn, raw, "a"));
    txn_abort (&txn);
    txn_abort (&txn);
}

static void failed_write_dooms (void **state)
{
    fixture_t *f = *state;
    table_t *raw = store_table (f->store, "raw");
    assert_string_equal (store_error (f->store), "");
    txn_t *txn = begin_write (f->store);
    assert_int_equal (put (txn, raw, "a"), 0);
    assert_int_equal (txn_savepoint (txn), 0);
    store_fail_write (f->store, 2);
    assert_int_equal (put (txn, raw, "b"), 0);
    assert_int_equal (put (txn, raw, "c"), E_IO);
    assert_int_equal (put (txn, raw, "d"), E_IO);
    assert_int_equal (txn_savepoint (txn), E_IO);
    assert_int_equal (txn_release (txn), E_IO);
    assert_false (has (txn, raw, "b"));
    assert_int_equal (put (txn, raw, "e"), 0);
    store_fail_write (f->store, 1);
    assert_int_equal (kv_del (txn, raw, bytes_of_str ("a")), E_IO);
    assert_int_equal (txn_commit (&txn),
                      E_IO); /* doomed itself; nothing reached the disk, so the store is fine */
    txn = begin_write (f->store);
    assert_false (has (txn, raw, "a"));
    txn_abort (&txn);
    assert_non_null (strstr (store_error (f->store), "injected"));
}

static void failed_commit_dooms_store (void **state)
{
    fixture_t *f = *state;
    table_t *raw = store_table (f->store, "raw");
    txn_t *txn = begin_write (f->store);
    store_fail_commit (f->store, true);
    commit (&txn); /* empty: there is no commit to fail */
    txn = begin_write (f->store);
    assert_int_equal (put (txn, raw, "a"), 0);
    assert_int_equal (txn_commit (&txn), E_IO);
    assert_int_equal (txn_begin (f->store, TXN_WRITE, &txn), E_IO);
    assert_non_null (strstr (store_error (f->store), "commit"));
    txn = begin_read (f->store);
    assert_false (has (txn, raw, "a"));
    txn_abort (&txn);
    store_close (&f->store);
    f->store = open_or_fail (&f->config);
    txn = begin_write (f->store);
    assert_int_equal (put (txn, store_table (f->store, "raw"), "a"), 0);
    commit (&txn);
}

static void snapshots_hold (void **state)
{
    fixture_t *f = *state;
    table_t *raw = store_table (f->store, "raw");
    txn_t *old[70]; /* more than the pool keeps */
    for (size_t i = 0; i < 70; i++)
        old[i] = begin_read (f->store);
    txn_t *txn = begin_write (f->store);
    assert_int_equal (put (txn, raw, "a"), 0);
    commit (&txn);
    for (size_t i = 0; i < 70; i++) {
        assert_false (has (old[i], raw, "a"));
        txn_abort (&old[i]);
    }
    txn = begin_read (f->store);
    assert_true (has (txn, raw, "a"));
    assert_int_equal (txn_commit (&txn), 0);
}

static void readers_full (void **state)
{
    fixture_t *f = *state;
    store_close (&f->store);
    folder_remove (f->folder);
    f->config.readers = 1;
    f->store = open_or_fail (&f->config);
    txn_t *txn[500]; /* LMDB rounds up to whole pages of its lock file, and keeps a larger one */
    size_t n = 0;
    int rc = 0;
    while (n < 500 && !(rc = txn_begin (f->store, TXN_READ, &txn[n])))
        n++;
    assert_int_equal (rc, E_BUSY);
    txn_abort (&txn[--n]);
    txn[n++] = begin_read (f->store);
    while (n)
        txn_abort (&txn[--n]);
}

static void map_full (void **state)
{
    fixture_t *f = *state;
    static const uint8_t page[100000];
    store_close (&f->store);
    folder_remove (f->folder);
    f->config.map_size = 1 << 20;
    f->store = open_or_fail (&f->config);
    table_t *raw = store_table (f->store, "raw");
    txn_t *txn = begin_write (f->store);
    assert_int_equal (put (txn, raw, "a"), 0);
    commit (&txn);
    txn = begin_write (f->store);
    assert_int_equal (put (txn, raw, "b"), 0);
    assert_int_equal (txn_savepoint (txn), 0);
    int rc = 0;
    for (uint32_t i = 0; !rc && i < 20; i++)
        rc = kv_put (txn, raw, bytes_of (&i, sizeof i), bytes_of (page, sizeof page));
    assert_int_equal (rc, E_MAP_FULL);
    assert_int_equal (txn_release (txn), E_MAP_FULL);
    /* LMDB's pages are half changed then: the transaction is lost, the store is not. */
    assert_int_equal (put (txn, raw, "c"), E_MAP_FULL);
    assert_int_equal (txn_savepoint (txn), E_MAP_FULL);
    assert_int_equal (txn_commit (&txn), E_MAP_FULL);
    txn = begin_write (f->store);
    assert_true (has (txn, raw, "a"));
    assert_false (has (txn, raw, "b"));
    assert_int_equal (put (txn, raw, "d"), 0);
    commit (&txn);
}

typedef struct reading {
    store_t *store;
    int bad;
} reading_t;

/* The writer keeps "x" and "y" equal; no snapshot may show them different. */
static void *read_pairs (void *arg)
{
    reading_t *r = arg;
    table_t *raw = store_table (r->store, "raw");
    for (int i = 0; i < 2000; i++) {
        txn_t *txn;
        bytes_t x, y;
        if (txn_begin (r->store, TXN_READ, &txn)) {
            r->bad++;
            continue;
        }
        int rx = kv_get (txn, raw, bytes_of_str ("x"), &x),
            ry = kv_get (txn, raw, bytes_of_str ("y"), &y);
        r->bad += rx != ry || (!rx && !bytes_equal (x, y));
        txn_abort (&txn);
    }
    return NULL;
}

static void readers_in_threads (void **state)
{
    fixture_t *f = *state;
    table_t *raw = store_table (f->store, "raw");
    pthread_t threads[3];
    reading_t readings[3] = {{f->store, 0}, {f->store, 0}, {f->store, 0}};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal (pthread_create (&threads[i], NULL, read_pairs, &readings[i]), 0);
    for (uint32_t i = 0; i < 500; i++) {
        txn_t *txn = begin_write (f->store);
        assert_int_equal (kv_put (txn, raw, bytes_of_str ("x"), bytes_of (&i, sizeof i)), 0);
        assert_int_equal (kv_put (txn, raw, bytes_of_str ("y"), bytes_of (&i, sizeof i)), 0);
        commit (&txn);
    }
    for (size_t i = 0; i < 3; i++) {
        pthread_join (threads[i], NULL);
        assert_int_equal (readings[i].bad, 0);
    }
}

int main (void)
{
#define T(t) cmocka_unit_test_setup_teardown (t, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        T (savepoints_nest),    T (open_savepoint_refuses_commit),
        T (failed_write_dooms), T (failed_commit_dooms_store),
        T (snapshots_hold),     T (readers_full),
        T (map_full),           T (readers_in_threads),
    };
    return cmocka_run_group_tests_name ("store_txn", tests, NULL, NULL);
}
