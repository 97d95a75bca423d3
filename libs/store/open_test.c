/* open_test.c - ownership over processes, takeover, dead readers, backup, versions, migrations,
 * indexes built anew, disk failures.
 *
 * Children are forked while this process has no store open and end with _exit; a child says what it
 * saw by its exit status and by bytes through a pipe. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/private.h"
#include "test_record.h"

/* ---- children ---- */

typedef struct child {
    pid_t pid;
    int from, to; /* its words to us, ours to it */
} child_t;

typedef struct pipes {
    int in, out;
} pipes_t;

static child_t child_start (fixture_t *f, void (*run) (fixture_t *f, pipes_t p))
{
    int up[2], down[2];
    assert_int_equal (pipe2 (up, O_CLOEXEC), 0);
    assert_int_equal (pipe2 (down, O_CLOEXEC), 0);
    pid_t pid = fork ();
    assert_true (pid >= 0);
    if (!pid) {
        close (up[0]);
        close (down[1]);
        run (f, (pipes_t){down[0], up[1]});
        _exit (0);
    }
    close (up[1]);
    close (down[0]);
    return (child_t){pid, up[0], down[1]};
}

static char child_hear (child_t *c)
{
    char word = 0;
    return read (c->from, &word, 1) == 1 ? word : 0;
}

static void child_tell (child_t *c)
{
    assert_int_equal (write (c->to, "g", 1), 1);
}

static int child_end (child_t *c, bool kill_it)
{
    int status;
    if (kill_it)
        kill (c->pid, SIGKILL);
    close (c->to);
    waitpid (c->pid, &status, 0);
    close (c->from);
    return status;
}

static void say (pipes_t p, char word)
{
    if (write (p.out, &word, 1) != 1)
        _exit (3);
}

static void hear (pipes_t p)
{
    char word;
    if (read (p.in, &word, 1) != 1)
        _exit (4);
}

static store_t *open_in_child (fixture_t *f)
{
    store_t *store = NULL;
    if (store_open (&f->config, &store, NULL))
        _exit (5);
    return store;
}

static int write_one (store_t *store, const char *key)
{
    txn_t *txn;
    int rc = txn_begin (store, TXN_WRITE, &txn);
    if (rc)
        return rc;
    rc = kv_put (txn, store_table (store, "raw"), bytes_of_str (key), bytes_of_str ("v"));
    if (!rc)
        return txn_commit (&txn);
    txn_abort (&txn);
    return rc;
}

static bool has_one (store_t *store, const char *key)
{
    bytes_t value;
    txn_t *txn = begin_read (store);
    bool yes = kv_get (txn, store_table (store, "raw"), bytes_of_str (key), &value) == 0;
    txn_abort (&txn);
    return yes;
}

/* Opens, writes, says whether it owns, and stays with a write transaction open until it is
 * killed. */
static void run_owner (fixture_t *f, pipes_t p)
{
    store_t *store = open_in_child (f);
    txn_t *txn;
    if (write_one (store, "child") || txn_begin (store, TXN_WRITE, &txn) ||
        kv_put (txn, store_table (store, "raw"), bytes_of_str ("half"), bytes_of_str ("v")))
        _exit (6);
    say (p, store_is_owner (store) ? 'o' : 's');
    hear (p);
}

static void killed_owner_frees (void **state)
{
    fixture_t *f = *state;
    child_t c = child_start (f, run_owner);
    assert_int_equal (child_hear (&c), 'o');
    f->store = open_or_fail (&f->config);
    assert_false (store_is_owner (f->store));
    assert_true (has_one (f->store, "child"));
    assert_int_equal (store_own (f->store), E_NOT_OWNER);
    assert_int_equal (write_one (f->store, "x"), E_NOT_OWNER);
    child_end (&c, true);
    assert_int_equal (store_own (f->store), 0);
    assert_int_equal (store_own (f->store), 0);
    assert_true (store_is_owner (f->store));
    assert_int_equal (write_one (f->store, "mine"), 0);
    assert_false (has_one (f->store, "half"));
    store_disown (f->store);
    assert_false (store_is_owner (f->store));
    assert_int_equal (write_one (f->store, "x"), E_NOT_OWNER);
    assert_int_equal (store_own (f->store), 0);
    txn_t *txn = begin_write (f->store);
    store_disown (f->store); /* not within a write transaction */
    assert_true (store_is_owner (f->store));
    txn_abort (&txn);
}

static void *await (void *arg)
{
    store_t *store = arg;
    int rc = store_await_owner (store);
    return (void *) (intptr_t) (rc ? rc : write_one (store, "awaited"));
}

static void awaiting_takes_over (void **state)
{
    fixture_t *f = *state;
    pthread_t thread;
    void *result;
    child_t c = child_start (f, run_owner);
    assert_int_equal (child_hear (&c), 'o');
    f->store = open_or_fail (&f->config);
    assert_int_equal (pthread_create (&thread, NULL, await, f->store), 0);
    for (int i = 0; i < 100; i++)
        assert_true (has_one (f->store, "child"));
    child_end (&c, true);
    pthread_join (thread, &result);
    assert_int_equal ((intptr_t) result, 0);
    assert_true (has_one (f->store, "awaited"));
    assert_int_equal (store_await_owner (f->store), 0);
}

static void on_signal (int signal)
{
    (void) signal;
}

static void signal_ends_waiting (void **state)
{
    fixture_t *f = *state;
    struct sigaction action = {.sa_handler = on_signal}, before;
    pthread_t thread;
    void *result;
    child_t c = child_start (f, run_owner);
    assert_int_equal (child_hear (&c), 'o');
    f->store = open_or_fail (&f->config);
    sigaction (SIGUSR1, &action, &before);
    assert_int_equal (pthread_create (&thread, NULL, await, f->store), 0);
    struct timespec soon;
    do { /* until a signal finds it in flock */
        pthread_kill (thread, SIGUSR1);
        clock_gettime (CLOCK_REALTIME, &soon);
        soon.tv_nsec += 2000000;
        if (soon.tv_nsec >= 1000000000) {
            soon.tv_sec++;
            soon.tv_nsec -= 1000000000;
        }
    } while (pthread_timedjoin_np (thread, &result, &soon));
    sigaction (SIGUSR1, &before, NULL);
    assert_int_equal ((intptr_t) result, E_NOT_OWNER);
    child_end (&c, true);
}

static void run_two_start (fixture_t *f, pipes_t p)
{
    hear (p);
    store_t *store = open_in_child (f);
    say (p, store_is_owner (store) ? 'o' : 's');
    hear (p);
    if (!store_is_owner (store) && store_await_owner (store))
        _exit (7);
    if (write_one (store, "x"))
        _exit (8);
    say (p, 'w');
    hear (p);
    store_close (&store);
}

/* Two replicas start at once over an empty folder: one makes the store, the other finds it. */
static void two_start_at_once (void **state)
{
    fixture_t *f = *state;
    child_t a = child_start (f, run_two_start), b = child_start (f, run_two_start);
    child_tell (&a);
    child_tell (&b);
    char wa = child_hear (&a), wb = child_hear (&b);
    assert_true ((wa == 'o' && wb == 's') || (wa == 's' && wb == 'o'));
    child_t *owner = wa == 'o' ? &a : &b, *standby = wa == 'o' ? &b : &a;
    child_tell (owner);
    assert_int_equal (child_hear (owner), 'w');
    child_tell (standby);
    child_tell (owner); /* closes; the standby takes over */
    assert_int_equal (child_hear (standby), 'w');
    child_tell (standby);
    assert_int_equal (child_end (owner, false), 0);
    assert_int_equal (child_end (standby, false), 0);
}

/* ---- readers of dead processes ---- */

static void run_reader (fixture_t *f, pipes_t p)
{
    store_t *store = open_in_child (f);
    txn_t *txn[3];
    for (int i = 0; i < 3; i++)
        if (txn_begin (store, TXN_READ, &txn[i]))
            _exit (9);
    say (p, 'r');
    hear (p);
}

static void dead_readers_are_dropped (void **state)
{
    fixture_t *f = *state;
    child_t owner = child_start (f, run_owner);
    assert_int_equal (child_hear (&owner), 'o');
    child_t reader = child_start (f, run_reader);
    assert_int_equal (child_hear (&reader), 'r');
    f->store = open_or_fail (&f->config);
    assert_int_equal (store_check_readers (f->store), 0);
    child_end (&reader, true);
    assert_int_equal (store_check_readers (f->store), 3);
    assert_int_equal (store_check_readers (f->store), 0);
    child_end (&owner, true);
}

/* ---- who may open ---- */

static void refused (fixture_t *f, int code, const char *text)
{
    store_t *store = NULL;
    failure_t failure = {0};
    assert_int_equal (store_open (&f->config, &store, &failure), code);
    assert_null (store);
    assert_int_equal (failure.code, code);
    if (!strstr (failure.text, text))
        fail_msg ("%s", failure.text);
}

static void run_stranger (fixture_t *f, pipes_t p)
{
    char path[300];
    snprintf (path, sizeof path, "%s/host.id", f->folder);
    int fd = open (path, O_RDWR | O_CREAT, 0600);
    if (fd < 0 || flock (fd, LOCK_SH) || pwrite (fd, "another-boot 1\n", 15, 0) != 15)
        _exit (10);
    say (p, 'h');
    hear (p);
}

static void opening_is_refused (void **state)
{
    fixture_t *f = *state;
    f->config.observe = true;
    refused (f, E_IO, "there is no store");
    f->config.observe = false;
    f->config.folder = "/proc/absent/store";
    refused (f, E_IO, "cannot make");
    f->config.folder = f->folder;
    child_t c = child_start (f, run_stranger);
    assert_int_equal (child_hear (&c), 'h');
    refused (f, E_CONFLICT, "pid namespace");
    child_end (&c, true);
    f->store = open_or_fail (&f->config); /* the stranger is gone */
    refused (f, E_CONFLICT, "already open in this process");
    store_close (&f->store);
    static const char *const twice[] = {"raw", "raw", NULL};
    f->config.tables = twice;
    refused (f, E_INTERNAL, "declared twice");
    f->config.tables = raw_tables;
    f->config.observe = true;
    f->store = open_or_fail (&f->config);
    assert_false (store_is_owner (f->store));
    assert_int_equal (write_one (f->store, "x"), E_NOT_OWNER);
    store_close (&f->store);
    f->config.observe = false;
    char path[300];
    snprintf (path, sizeof path, "%s/data.mdb", f->folder);
    int fd = open (path, O_WRONLY);
    static const char junk[8192] = "no store";
    assert_int_equal (pwrite (fd, junk, sizeof junk, 0), sizeof junk);
    close (fd);
    refused (f, E_CORRUPT, "cannot open the store");
}

/* ---- versions ---- */

static int migrate_ok (txn_t *txn)
{
    table_t *raw = store_table (txn->store, "raw");
    item_t item = item_make (50, 3, "+50");
    int rc = kv_put (txn, raw, bytes_of_str ("migrated"), bytes_of_str ("1"));
    return rc ? rc : store_insert (txn, &item_v2, &item, NULL);
}

static int migrate_fails (txn_t *txn)
{
    int rc = migrate_ok (txn);
    return rc ? rc : E_BUSY;
}

static void migrations_run_once (void **state)
{
    fixture_t *f = *state;
    static const migration_t bad[] = {{2, migrate_fails}},
                             good[] = {{1, migrate_fails}, {2, migrate_ok}},
                             disordered[] = {{2, migrate_ok}, {1, migrate_ok}};
    item_t item = item_make (1, 1, "+1");
    item.at = 77;
    f->store = open_or_fail (&f->config);
    put_item (f->store, &item);
    store_close (&f->store);
    f->config.service = &service_v2;
    f->config.migrations = bad;
    f->config.migration_count = 1;
    refused (f, E_BUSY, "version 2 failed");
    f->config.migrations = disordered;
    f->config.migration_count = 2;
    refused (f, E_INTERNAL, "not in order");
    f->config.migrations = good;
    f->store = open_or_fail (&f->config); /* from 1 to 2: the step to 1 was before */
    assert_true (has_one (f->store, "migrated"));
    store_close (&f->store);
    f->store = open_or_fail (&f->config); /* a second run would clash */
}

/* A store that a newer program wrote: readable or not, and its indexes when it comes back. */
static void newer_programs (void **state)
{
    fixture_t *f = *state;
    schema_service_t newer = service_v2;
    item_t item = item_make (1, 1, "+1"), out = {0};
    item.note = "hello";
    f->config.service = &service_v2;
    f->store = open_or_fail (&f->config);
    txn_t *txn = begin_write (f->store);
    assert_int_equal (store_insert (txn, &item_v2, &item, NULL), 0);
    commit (&txn);
    store_close (&f->store);
    f->config.service = &service_v1; /* allowed: readable from 1 */
    f->store = open_or_fail (&f->config);
    txn = begin_write (f->store);
    assert_int_equal (store_del (txn, &item_v1, item.id), 0);
    item.id = test_id (2);
    assert_int_equal (store_insert (txn, &item_v1, &item, NULL), 0);
    store_key_t app[] = {{.id = test_app (1)}};
    assert_int_equal (count_of (txn, "by_state", app, 1), 1);
    commit (&txn);
    store_close (&f->store);
    newer.readable_from = 2;
    f->config.service = &newer;
    f->store = open_or_fail (&f->config); /* builds by_note and by_time again */
    store_key_t none[] = {{.str = NULL}}, hello[] = {{.str = "hello"}};
    uint64_t n;
    txn = begin_read (f->store);
    assert_int_equal (store_count (txn, &item_v2, "by_note", none, 1, &n), 0);
    assert_int_equal (n, 1); /* version 1 knows no note */
    assert_int_equal (store_count (txn, &item_v2, "by_note", hello, 1, &n), 0);
    assert_int_equal (n, 0);
    assert_int_equal (kv_count (txn, store_table (f->store, "test.item/by_note"), &n), 0);
    assert_int_equal (n, 1);
    assert_int_equal (kv_count (txn, store_table (f->store, "test.item/by_time"), &n), 0);
    assert_int_equal (n, 1);
    assert_int_equal (store_get_any (txn, &item_v2, test_id (2), f->arena, &out), 0);
    txn_abort (&txn);
    store_close (&f->store);
    f->config.service = &service_v1;
    refused (f, E_CONFLICT, "needs a program of version 2");
}

static void indexes_are_built (void **state)
{
    fixture_t *f = *state;
    f->store = open_or_fail (&f->config);
    txn_t *txn = begin_write (f->store);
    for (unsigned i = 1; i <= 500; i++) {
        item_t item = item_make (i, i % 3, NULL);
        assert_int_equal (store_insert (txn, &item_v1, &item, NULL), 0);
    }
    uint64_t before = fingerprint (txn, f->store), n;
    for (size_t i = 0; i < 4; i++) { /* what building would have to make again */
        assert_int_equal (kv_clear (txn, f->store->records[0].indexes[i]), 0);
    }
    assert_int_equal (kv_clear (txn, f->store->counts), 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal (index_build (txn, &f->store->records[0], i), 0);
    assert_true (fingerprint (txn, f->store) == before);
    commit (&txn);
    store_close (&f->store);
    f->config.service = &service_v2;
    f->store = open_or_fail (&f->config);
    txn = begin_read (f->store);
    assert_int_equal (kv_count (txn, store_table (f->store, "test.item/by_note"), &n), 0);
    assert_int_equal (n, 500);
    assert_int_equal (store_count (txn, &item_v2, "by_note", (store_key_t[]){{.str = NULL}}, 1, &n),
                      0);
    assert_int_equal (n, 500);
    txn_abort (&txn);
}

static void run_quiet_owner (fixture_t *f, pipes_t p)
{
    store_t *store = open_in_child (f);
    say (p, store_is_owner (store) ? 'o' : 's');
    hear (p);
}

/* One version owns in a process of its own; what another one that opens beside it thinks of the store, and once that owner is gone. */
static void beside (fixture_t *f, const schema_service_t *owner, const schema_service_t *other,
                    bool current)
{
    f->config.service = owner;
    child_t c = child_start (f, run_quiet_owner);
    assert_int_equal (child_hear (&c), 'o');
    f->config.service = other;
    f->store = open_or_fail (&f->config);
    assert_false (store_is_owner (f->store));
    assert_int_equal (store_is_current (f->store), current);
    child_tell (&c);
    child_end (&c, false);
    assert_int_equal (store_own (f->store), 0);
    assert_true (store_is_current (f->store));
    store_close (&f->store);
}

static void other_versions_are_noticed (void **state)
{
    fixture_t *f = *state;
    beside (f, &service_v1, &service_v1, true);
    beside (f, &service_v1, &service_v2, false); /* by_note is not there */
    beside (f, &service_v2, &service_v2, true);
    beside (f, &service_v1, &service_v2, false); /* version 1 forgot what it does not know */
}

static void epoch_changes_on_demand (void **state)
{
    fixture_t *f = *state;
    id16_t first, again, fresh;
    f->store = open_or_fail (&f->config);
    txn_t *txn = begin_read (f->store);
    assert_int_equal (store_epoch (txn, &first), 0);
    txn_abort (&txn);
    store_close (&f->store);
    f->store = open_or_fail (&f->config);
    txn = begin_write (f->store);
    assert_int_equal (store_epoch (txn, &again), 0);
    assert_true (id_equal (first, again));
    assert_int_equal (store_new_epoch (txn), 0);
    assert_int_equal (store_epoch (txn, &fresh), 0);
    assert_false (id_equal (first, fresh));
    commit (&txn);
}

/* ---- backup, space, statistics ---- */

typedef struct writing {
    store_t *store;
    atomic_bool stop;
    int rc;
} writing_t;

/* Pairs of rows; a copy with half a pair is not consistent. */
static void *write_pairs (void *arg)
{
    writing_t *w = arg;
    for (unsigned i = 1000; !w->rc && !atomic_load (&w->stop) && i < 50000; i += 2) {
        item_t a = item_make (i, 1, NULL), b = item_make (i + 1, 1, NULL);
        txn_t *txn;
        if ((w->rc = txn_begin (w->store, TXN_WRITE, &txn)))
            break;
        w->rc = store_insert (txn, &item_v1, &a, NULL);
        if (!w->rc)
            w->rc = store_insert (txn, &item_v1, &b, NULL);
        if (!w->rc)
            w->rc = txn_commit (&txn);
        else
            txn_abort (&txn);
    }
    return NULL;
}

static void backup_while_writing (void **state)
{
    fixture_t *f = *state;
    char to[300];
    failure_t failure = {0};
    pthread_t thread;
    f->store = open_or_fail (&f->config);
    writing_t w = {.store = f->store};
    assert_int_equal (pthread_create (&thread, NULL, write_pairs, &w), 0);
    snprintf (to, sizeof to, "%s/copy", f->folder);
    while (!has_one (f->store, "x")) { /* some rows first */
        uint64_t n;
        txn_t *txn = begin_read (f->store);
        assert_int_equal (kv_count (txn, store_table (f->store, "test.item"), &n), 0);
        txn_abort (&txn);
        if (n > 50)
            break;
    }
    assert_int_equal (store_backup (f->store, to, &failure), 0);
    atomic_store (&w.stop, true);
    pthread_join (thread, NULL);
    assert_int_equal (w.rc, 0);
    assert_int_equal (store_backup (f->store, to, &failure), E_CONFLICT); /* not empty */
    store_config_t config = f->config;
    config.folder = to;
    store_t *copy = open_or_fail (&config);
    assert_true (store_is_owner (copy));
    uint64_t rows, entries;
    txn_t *txn = begin_read (copy);
    assert_int_equal (kv_count (txn, store_table (copy, "test.item"), &rows), 0);
    assert_int_equal (kv_count (txn, store_table (copy, "test.item/by_time"), &entries), 0);
    assert_true (rows > 50 && rows % 2 == 0 && rows == entries);
    assert_int_equal (count_of (txn, "by_state", (store_key_t[]){{.id = test_app (1)}}, 1), rows);
    txn_abort (&txn);
    store_close (&copy);
}

static void backup_equals (void **state)
{
    fixture_t *f = *state;
    char to[300];
    failure_t failure = {0};
    f->store = open_or_fail (&f->config);
    for (unsigned i = 1; i < 40; i++) {
        item_t item = item_make (i, i % 4, NULL);
        put_item (f->store, &item);
    }
    snprintf (to, sizeof to, "%s/absent/copy", f->folder);
    assert_int_equal (store_backup (f->store, to, &failure), E_IO);
    snprintf (to, sizeof to, "%s/copy", f->folder);
    assert_int_equal (store_backup (f->store, to, &failure), 0);
    store_config_t config = f->config;
    config.folder = to;
    store_t *copy = open_or_fail (&config);
    txn_t *a = begin_read (f->store), *b = begin_read (copy);
    id16_t ea, eb;
    assert_true (fingerprint (a, f->store) == fingerprint (b, copy));
    assert_int_equal (store_epoch (a, &ea), 0);
    assert_int_equal (store_epoch (b, &eb), 0);
    assert_true (id_equal (ea, eb));
    txn_abort (&a);
    txn_abort (&b);
    store_close (&copy);
}

typedef struct stats {
    int tables;
    uint64_t rows, bytes;
} stats_t;

static void each_table (void *context, const char *table, uint64_t entries, uint64_t bytes)
{
    stats_t *s = context;
    s->tables++;
    s->bytes += bytes;
    if (strcmp (table, "test.item") == 0)
        s->rows = entries;
}

static void stats_and_space (void **state)
{
    fixture_t *f = *state;
    uint64_t free_bytes = 0, used = 0;
    stats_t s = {0};
    item_t item = item_make (1, 1, "+1");
    f->store = open_or_fail (&f->config);
    put_item (f->store, &item);
    txn_t *txn = begin_read (f->store);
    assert_int_equal (store_table_stats (txn, each_table, &s), 0);
    txn_abort (&txn);
    assert_int_equal (s.tables, 2 + 2 + 1 + 4);
    assert_int_equal (s.rows, 1);
    assert_true (s.bytes > 0);
    assert_int_equal (store_space (f->store, &free_bytes, &used), 0);
    assert_true (free_bytes > 0 && used >= s.bytes);
}

/* ---- the disk says no ---- */

static void run_full_disk (fixture_t *f, pipes_t p)
{
    static const uint8_t block[200000];
    store_t *store = open_in_child (f);
    txn_t *txn;
    signal (SIGXFSZ, SIG_IGN);
    if (write_one (store, "before") || setrlimit (RLIMIT_FSIZE, &(struct rlimit){300000, 300000}))
        _exit (11);
    int rc = txn_begin (store, TXN_WRITE, &txn);
    for (uint32_t i = 0; !rc && i < 5; i++)
        rc = kv_put (txn, store_table (store, "raw"), bytes_of (&i, sizeof i),
                     bytes_of (block, sizeof block));
    if (rc || txn_commit (&txn) != E_IO)
        _exit (12);
    if (write_one (store, "after") != E_IO || !strstr (store_error (store), "bytes free"))
        _exit (13);
    if (!has_one (store, "before"))
        _exit (14);
    store_close (&store);
    say (p, 'f');
}

static void full_disk_dooms (void **state)
{
    fixture_t *f = *state;
    child_t c = child_start (f, run_full_disk);
    char word = child_hear (&c);
    int status = child_end (&c, false);
    if (word != 'f' || status)
        fail_msg ("the child ended with %d", WEXITSTATUS (status));
    f->store = open_or_fail (&f->config);
    assert_true (has_one (f->store, "before"));
    assert_int_equal (write_one (f->store, "after"), 0);
}

/* What stood in memory before must not come into the file with the unused part of a page. */
static void pages_hold_nothing_of_the_heap (void **state)
{
    enum { BLOCKS = 512, RUN = 48 };
    fixture_t *f = *state;
    uint8_t *blocks[BLOCKS];
    f->store = open_or_fail (&f->config);
    for (size_t i = 0; i < BLOCKS; i++) {
        assert_non_null (blocks[i] = malloc (4096));
        memset (blocks[i], 0x5e, 4096);
    }
    for (size_t i = 0; i < BLOCKS; i++)
        free (blocks[i]);
    assert_int_equal (write_one (f->store, "one"), 0);
    store_close (&f->store);

    char path[512];
    snprintf (path, sizeof path, "%s/data.mdb", f->config.folder);
    FILE *file = fopen (path, "rb");
    assert_non_null (file);
    size_t run = 0;
    for (int c; (c = getc (file)) != EOF;) {
        /* 0xbe: what asan fills fresh memory with */
        run = c == 0x5e || c == 0xbe ? run + 1 : 0;
        assert_true (run < RUN);
    }
    fclose (file);
}

int main (void)
{
#define T(t) cmocka_unit_test_setup_teardown (t, fixture_setup_closed, fixture_teardown)
    const struct CMUnitTest tests[] = {
        T (killed_owner_frees),
        T (awaiting_takes_over),
        T (signal_ends_waiting),
        T (two_start_at_once),
        T (dead_readers_are_dropped),
        T (opening_is_refused),
        T (migrations_run_once),
        T (newer_programs),
        T (indexes_are_built),
        T (other_versions_are_noticed),
        T (epoch_changes_on_demand),
        T (backup_while_writing),
        T (backup_equals),
        T (stats_and_space),
        T (full_disk_dooms),
        T (pages_hold_nothing_of_the_heap),
    };
    return cmocka_run_group_tests_name ("store_open", tests, NULL, NULL);
}
