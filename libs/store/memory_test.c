/* memory_test.c - what the backend in memory has beyond LMDB: conflicts, values that go, a log that is cut. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/memory.h"
#include "store/private.h"
#include "test_record.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

static memory_options_t options;

static int setup (void **state)
{
    fixture_setup_closed (state);
    fixture_t *f = *state;
    options = (memory_options_t){.seed = 7};
    f->config.backend = &backend_memory;
    f->config.backend_options = &options;
    f->store = open_or_fail (&f->config);
    return 0;
}

static void reopen (fixture_t *f)
{
    store_close (&f->store);
    f->store = open_or_fail (&f->config);
}

static int put (txn_t *txn, const char *key, const char *value)
{
    return kv_put (txn, store_table (txn->store, "raw"), bytes_of_str (key), bytes_of_str (value));
}

static void put_one (fixture_t *f, const char *key, const char *value)
{
    txn_t *txn = begin_write (f->store);
    assert_int_equal (put (txn, key, value), 0);
    commit (&txn);
}

static bool has (fixture_t *f, const char *key, const char *value)
{
    bytes_t found;
    txn_t *txn = begin_read (f->store);
    int rc = kv_get (txn, store_table (f->store, "raw"), bytes_of_str (key), &found);
    bool same = !rc && bytes_equal (found, bytes_of_str (value));
    txn_abort (&txn);
    return same;
}

/* ---- what was committed ---- */

static void a_store_is_there_again (void **state)
{
    fixture_t *f = *state;
    put_one (f, "z", "0");
    txn_t *txn = begin_write (f->store);
    assert_int_equal (kv_clear (txn, store_table (f->store, "raw")), 0);
    assert_int_equal (put (txn, "a", "1"), 0);
    commit (&txn);
    txn = begin_write (f->store);
    assert_int_equal (put (txn, "b", "2"), 0);
    assert_int_equal (txn_savepoint (txn), 0);
    assert_int_equal (put (txn, "c", "3"), 0);
    assert_int_equal (kv_del (txn, store_table (f->store, "raw"), bytes_of_str ("a")), 0);
    txn_rollback (txn);
    assert_int_equal (txn_savepoint (txn), 0);
    assert_int_equal (put (txn, "d", "4"), 0);
    assert_int_equal (kv_del (txn, store_table (f->store, "raw"), bytes_of_str ("a")), 0);
    assert_int_equal (txn_release (txn), 0);
    commit (&txn);
    for (int i = 0; i < 2; i++) {
        assert_true (!has (f, "a", "1") && has (f, "b", "2") && !has (f, "c", "3") &&
                     has (f, "d", "4") && !has (f, "z", "0"));
        reopen (f);
    }
    char to[300];
    failure_t failure = {0};
    snprintf (to, sizeof to, "%s/copy", f->folder);
    assert_int_equal (store_backup (f->store, to, &failure), 0);
    store_close (&f->store);
    f->config.folder = to;
    f->store = open_or_fail (&f->config);
    assert_true (has (f, "b", "2") && has (f, "d", "4"));
    put_one (f, "a", "1");
    reopen (f);
    assert_true (has (f, "a", "1"));
}

static void what_is_cut_off_was_not_committed (void **state)
{
    fixture_t *f = *state;
    char path[300];
    struct stat before, after;
    snprintf (path, sizeof path, "%s/data.mdb", f->folder);
    put_one (f, "a", "1");
    assert_int_equal (stat (path, &before), 0);
    put_one (f, "a", "2");
    assert_int_equal (stat (path, &after), 0);
    for (off_t size = after.st_size; size-- > before.st_size;) {
        store_close (&f->store);
        assert_int_equal (truncate (path, size), 0);
        f->store = open_or_fail (&f->config);
        assert_true (has (f, "a", "1"));
    }
    put_one (f, "b", "3");
    reopen (f);
    assert_true (has (f, "a", "1") && has (f, "b", "3"));
}

static void another_file_is_refused (void **state)
{
    fixture_t *f = *state;
    store_t *store = NULL;
    failure_t failure = {0};
    store_close (&f->store);
    folder_remove (f->folder);
    f->config.backend = NULL;
    f->config.backend_options = NULL;
    f->store = open_or_fail (&f->config);
    store_close (&f->store);
    f->config.backend = &backend_memory;
    assert_int_equal (store_open (&f->config, &store, &failure), E_CORRUPT);
}

/* ---- strictness ---- */

#ifdef __SANITIZE_ADDRESS__
static void given_values_go (void **state)
{
    fixture_t *f = *state;
    table_t *raw = store_table (f->store, "raw");
    put_one (f, "a", "one");
    put_one (f, "b", "two");
    bytes_t a, b, key;
    txn_t *txn = begin_write (f->store);
    assert_int_equal (kv_get (txn, raw, bytes_of_str ("a"), &a), 0);
    assert_false (__asan_address_is_poisoned (a.data + a.size - 1));
    assert_true (__asan_address_is_poisoned (a.data + a.size)); /* nothing is behind it */
    kv_cursor_t walk = {.table = raw, .from = bytes_of_str ("b")};
    assert_int_equal (kv_next (txn, &walk, &key, &b), 0);
    assert_true (__asan_address_is_poisoned (a.data));
    assert_false (__asan_address_is_poisoned (b.data));
    kv_stop (&walk);
    assert_false (__asan_address_is_poisoned (b.data)); /* that asked for nothing */
    assert_int_equal (put (txn, "c", "three"), 0);
    assert_true (__asan_address_is_poisoned (b.data) && __asan_address_is_poisoned (key.data));
    assert_int_equal (kv_get (txn, raw, bytes_of_str ("c"), &a), 0);
    txn_abort (&txn);
    assert_true (__asan_address_is_poisoned (a.data));
}
#endif

/* Does it end the program? */
static bool aborts (void (*run) (fixture_t *f), fixture_t *f)
{
    int status = 0;
    pid_t child = fork ();
    if (!child) {
        (void) !freopen ("/dev/null", "w", stderr);
        signal (SIGABRT, SIG_DFL);
        run (f);
        _exit (0);
    }
    assert_int_equal (waitpid (child, &status, 0), child);
    return WIFSIGNALED (status) && WTERMSIG (status) == SIGABRT;
}

static void two_at_once (fixture_t *f)
{
    void *one, *two;
    const backend_t *backend = f->store->backend;
    backend->begin (f->store->env, true, &one);
    backend->begin (f->store->env, true, &two);
}

static void cursor_left (fixture_t *f)
{
    void *txn, *cursor;
    const backend_t *backend = f->store->backend;
    backend->begin (f->store->env, true, &txn);
    backend->cursor_open (f->store->env, txn, 0, &cursor);
    backend->abort (txn);
}

static void read_that_was_reset (fixture_t *f)
{
    void *txn;
    bytes_t value;
    const backend_t *backend = f->store->backend;
    backend->begin (f->store->env, false, &txn);
    backend->reset (txn);
    backend->get (f->store->env, txn, 0, bytes_of_str ("a"), &value);
}

static void wrong_use_aborts (void **state)
{
    assert_true (aborts (two_at_once, *state));
    assert_true (aborts (cursor_left, *state));
    assert_true (aborts (read_that_was_reset, *state));
}

/* ---- conflicts ---- */

static void a_conflict_is_no_fault (void **state)
{
    fixture_t *f = *state;
    unsigned tries = 0;
    memory_conflicts (f->store, 2);
    for (int i = 0; i < 3; i++) {
        txn_t *txn = begin_write (f->store);
        assert_int_equal (put (txn, "a", "1"), 0);
        int rc = txn_commit (&txn);
        assert_null (txn);
        assert_int_equal (rc, i < 2 ? E_CONFLICT_RETRY : 0);
        assert_int_equal (txn_again (rc, &tries), i < 2);
        assert_int_equal (has (f, "a", "1"), i == 2);
    }
    assert_string_equal (store_error (f->store), "");
    tries = 0;
    unsigned most = 0;
    while (txn_again (E_CONFLICT_RETRY, &tries))
        most++;
    assert_in_range (most, MEMORY_CONFLICTS_MOST + 1, 20);
    tries = 0;
    assert_false (txn_again (E_IO, &tries) || txn_again (0, &tries));
}

/* One transaction that looks and writes a lot, in savepoints; its code, or the first that it met. */
static int much (store_t *store, unsigned n, bool *looked)
{
    table_t *raw = store_table (store, "raw");
    txn_t *txn;
    bytes_t value;
    int rc = txn_begin (store, TXN_WRITE, &txn);
    if (rc)
        return rc;
    for (unsigned i = 0; i < 40 && !rc; i++) {
        rc = txn_savepoint (txn);
        if (!rc)
            rc = kv_put (txn, raw, bytes_of (&i, sizeof i), bytes_of (&n, sizeof n));
        if (!rc)
            rc = kv_get (txn, raw, bytes_of (&i, sizeof i), &value);
        if (!rc)
            rc = txn_release (txn);
    }
    assert_true (!rc || rc == E_CONFLICT_RETRY);
    *looked = rc != 0;
    if (rc) { /* whatever comes behind it, and whoever takes no notice */
        assert_true (txn_conflicted (txn));
        while (txn->depth)
            txn_rollback (txn);
        assert_int_equal (kv_get (txn, raw, bytes_of_str ("?"), &value), E_CONFLICT_RETRY);
    }
    return txn_commit (&txn);
}

static void they_come_at_any_call (void **state)
{
    fixture_t *f = *state;
    unsigned met[3] = {0}, done = 0, row = 0;
    options.conflict_in = 4;
    options.delay_in = 10;
    reopen (f);
    for (unsigned n = 0; n < 600; n++) {
        bool looked = false;
        unsigned in_a_row = 0;
        int rc;
        while ((rc = much (f->store, n, &looked)) == E_CONFLICT_RETRY) {
            met[looked]++;
            in_a_row++;
        }
        assert_int_equal (rc, 0);
        done++;
        row = in_a_row > row ? in_a_row : row;
    }
    assert_int_equal (done, 600);
    assert_in_range (met[0], 60, 600); /* one commit in four, some at the begin */
    assert_in_range (met[1], 10, 600);
    assert_in_range (row, 2, MEMORY_CONFLICTS_MOST);
    uint64_t rows = 0;
    txn_t *txn = begin_read (f->store);
    assert_int_equal (kv_count (txn, store_table (f->store, "raw"), &rows), 0);
    assert_int_equal (rows, 40);
    txn_abort (&txn);
}

/* Made, indexed and migrated in spite of them. */
static void opening_goes_on (void **state)
{
    fixture_t *f = *state;
    options.conflict_in = 2;
    for (unsigned n = 0; n < 30; n++) {
        store_close (&f->store);
        folder_remove (f->folder);
        options.seed = n;
        f->config.service = &service_v1;
        f->store = open_or_fail (&f->config);
        f->config.service = &service_v2;
        reopen (f);
    }
}

int main (void)
{
#define T(t) cmocka_unit_test_setup_teardown (t, setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        T (a_store_is_there_again),  T (what_is_cut_off_was_not_committed),
        T (another_file_is_refused),
#ifdef __SANITIZE_ADDRESS__
        T (given_values_go),
#endif
        T (wrong_use_aborts),        T (a_conflict_is_no_fault),
        T (they_come_at_any_call),   T (opening_goes_on),
    };
    return cmocka_run_group_tests_name ("store_memory", tests, NULL, NULL);
}
