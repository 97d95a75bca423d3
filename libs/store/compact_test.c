/* compact_test.c - what was deleted is in no byte of a compacted store's folder; what was kept is there;
 * a store in use is left alone; a kill at any point leaves a whole store and the wish. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/private.h"
#include "test_record.h"

static const char marker[] = "MARKER-that-was-deleted";

/* How often the marker stands in the files of the folder. */
static unsigned marker_count (const char *folder)
{
    unsigned found = 0;
    DIR *dir = opendir (folder);
    assert_non_null (dir);
    for (struct dirent *e; (e = readdir (dir));) {
        char path[1024];
        struct stat st;
        snprintf (path, sizeof path, "%s/%s", folder, e->d_name);
        if (stat (path, &st) || !S_ISREG (st.st_mode) || !st.st_size)
            continue;
        uint8_t *bytes = malloc ((size_t) st.st_size);
        int fd = open (path, O_RDONLY);
        assert_int_equal (read (fd, bytes, (size_t) st.st_size), st.st_size);
        close (fd);
        /* Not memmem: the thread sanitizer looks at all of the rest for each that is found. */
        const uint8_t *end = bytes + st.st_size - (sizeof marker - 1);
        for (const uint8_t *at = bytes; at <= end; at++)
            found += *at == (uint8_t) marker[0] && !memcmp (at, marker, sizeof marker - 1);
        free (bytes);
    }
    closedir (dir);
    return found;
}

static void raw_put (txn_t *txn, table_t *table, unsigned n, bool marked)
{
    static const size_t sizes[] = {60, 900, 3000, 9000}; /* in a page, alone in one, in several */
    char key[16], value[9000];
    size_t size = sizes[n % 4];
    snprintf (key, sizeof key, "%08u", n);
    memset (value, 'x', sizeof value);
    if (marked)
        for (size_t at = 0; at + sizeof marker <= size; at += sizeof marker)
            memcpy (value + at, marker, sizeof marker);
    assert_int_equal (kv_put (txn, table, bytes_of_str (key), bytes_of ((uint8_t *) value, size)),
                      0);
}

/* Marked and other rows in turn, some of them rewritten; then the marked ones are deleted. */
static uint64_t fill_and_delete (fixture_t *f)
{
    store_t *store = open_or_fail (&f->config);
    table_t *raw = store_table (store, "raw");
    char key[16];
    for (unsigned round = 0; round < 4; round++) {
        txn_t *txn = begin_write (store);
        for (unsigned n = 0; n < 400; n++)
            raw_put (txn, raw, n, n / 4 % 2);
        commit (&txn);
    }
    item_t item = item_make (1, 1, marker), other = item_make (2, 1, "+4915100000002");
    put_item (store, &item);
    put_item (store, &other);
    txn_t *txn = begin_write (store);
    for (unsigned n = 0; n < 400; n++) {
        snprintf (key, sizeof key, "%08u", n);
        if (n / 4 % 2)
            assert_int_equal (kv_del (txn, raw, bytes_of_str (key)), 0);
    }
    assert_int_equal (store_del (txn, &item_v1, item.id), 0);
    commit (&txn);
    txn = begin_read (store);
    uint64_t print = fingerprint (txn, store);
    txn_abort (&txn);
    store_close (&store);
    return print;
}

static uint64_t print_of (fixture_t *f)
{
    store_t *store = open_or_fail (&f->config);
    txn_t *txn = begin_read (store);
    uint64_t print = fingerprint (txn, store);
    txn_abort (&txn);
    store_close (&store);
    return print;
}

static void test_nothing_is_left (void **state)
{
    fixture_t *f = *state;
    failure_t failure = {0};
    store_compacted_t told;
    uint64_t print = fill_and_delete (f);
    assert_true (marker_count (f->folder) > 0); /* deleting alone does not overwrite */
    assert_int_equal (store_compact (f->folder, 0, &told, &failure), 0);
    assert_int_equal (marker_count (f->folder), 0);
    assert_true (told.after < told.before);
    assert_string_equal (told.why, "");
    assert_false (store_compact_wanted (f->folder));
    assert_true (print_of (f) == print);
    /* It goes on being written to and compacted. */
    assert_true (fill_and_delete (f) == print);
    assert_true (marker_count (f->folder) > 0);
    assert_int_equal (store_compact (f->folder, 0, NULL, &failure), 0);
    assert_int_equal (marker_count (f->folder), 0);
    assert_true (print_of (f) == print);
}

static void test_at_the_next_open (void **state)
{
    fixture_t *f = *state;
    failure_t failure = {0};
    store_compacted_t told;
    uint64_t print = fill_and_delete (f);
    assert_int_equal (store_compacted (f->folder, &told), E_NOT_FOUND);
    assert_int_equal (store_compact_want (f->folder, &failure), 0);
    assert_true (store_compact_wanted (f->folder));
    assert_true (print_of (f) == print);
    assert_false (store_compact_wanted (f->folder));
    assert_int_equal (store_compacted (f->folder, &told), 0);
    assert_true (told.at > 0 && told.after < told.before);
    assert_int_equal (marker_count (f->folder), 0);
}

static void test_in_use (void **state)
{
    fixture_t *f = *state;
    failure_t failure = {0};
    store_t *store = open_or_fail (&f->config);
    assert_int_equal (store_compact (f->folder, 0, NULL, &failure), E_CONFLICT);
    assert_true (store_compact_wanted (f->folder)); /* for the next who opens it */
    store_close (&store);
    store = open_or_fail (&f->config);
    assert_false (store_compact_wanted (f->folder));
    store_close (&store);
}

/* Killed at a random moment, again and again: whole at each open, and clean in the end. */
static void test_killed (void **state)
{
    fixture_t *f = *state;
    uint64_t print = fill_and_delete (f);
    failure_t failure = {0};
    for (unsigned i = 0; i < 12; i++) {
        pid_t pid = fork ();
        assert_true (pid >= 0);
        if (!pid) {
            store_compact (f->folder, 0, NULL, &failure);
            _exit (0);
        }
        usleep (i * 2500);
        kill (pid, SIGKILL);
        assert_int_equal (waitpid (pid, NULL, 0), pid);
        if (i % 4 == 3) {
            assert_true (print_of (f) == print);
            assert_int_equal (marker_count (f->folder), 0);
            assert_true (fill_and_delete (f) == print);
        }
    }
    assert_int_equal (store_compact (f->folder, 0, NULL, &failure), 0);
    assert_int_equal (marker_count (f->folder), 0);
    assert_true (print_of (f) == print);
}

/* As a kill between the two names leaves it: the store's own bytes are not overwritten. */
static void test_two_names (void **state)
{
    fixture_t *f = *state;
    char live[512], old[512];
    uint64_t print = fill_and_delete (f);
    failure_t failure = {0};
    snprintf (live, sizeof live, "%s/data.mdb", f->folder);
    snprintf (old, sizeof old, "%s/data.mdb.old", f->folder);
    assert_int_equal (link (live, old), 0);
    assert_int_equal (store_compact (f->folder, 0, NULL, &failure), 0);
    assert_int_equal (access (old, F_OK), -1);
    assert_true (print_of (f) == print);
}

static void test_failure_is_told (void **state)
{
    fixture_t *f = *state;
    char made[512];
    failure_t failure = {0};
    store_compacted_t told;
    uint64_t print = fill_and_delete (f);
    snprintf (made, sizeof made, "%s/data.mdb.new", f->folder);
    assert_int_equal (mkdir (made, 0700), 0); /* in the way */
    assert_int_not_equal (store_compact (f->folder, 0, NULL, &failure), 0);
    assert_int_equal (store_compacted (f->folder, &told), 0);
    assert_true (strlen (told.why) > 0);
    assert_false (store_compact_wanted (f->folder));
    assert_int_equal (rmdir (made), 0);
    assert_true (print_of (f) == print);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
#define CLOSED(test) cmocka_unit_test_setup_teardown (test, fixture_setup_closed, fixture_teardown)
        CLOSED (test_nothing_is_left), CLOSED (test_at_the_next_open),
        CLOSED (test_in_use),          CLOSED (test_killed),
        CLOSED (test_two_names),       CLOSED (test_failure_is_told),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
