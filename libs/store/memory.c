/* memory.c - the backend in memory: see memory.h. Environment, transactions, cursors.
 *
 * A snapshot is a space (memory_space.h) that nobody changes. A write transaction changes a copy of its
 * own, which shares all rows; a nested one a copy of that; the commit makes it the newest snapshot.
 *
 * Fails with E_NO_MEMORY, E_MAP_FULL (rows larger than the map would be), E_BUSY (too many readers), E_IO
 * and E_CORRUPT of its file, E_CONFLICT_RETRY. Wrong use of it is our own bug: it aborts. */
#include "store/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "store/memory_space.h"
#include "store/private.h"

enum { MEMORY_KEY_MAX = 511, BEGIN_RARER = 4, CALL_RARER = 256, SLEEP_RARER = 8, SLEEP_US = 20 };
enum { USED_STEP = 64 << 10 };

typedef struct memory {
    pthread_mutex_t lock; /* newest, names, readers */
    space_t *newest;
    image_t image; /* names; its space is gone */
    unsigned readers, readers_most;
    atomic_uintptr_t writer; /* the write transaction; 0 = none */
    int fd;
    off_t end;
    atomic_ullong rows_most; /* bytes of all rows, the most there ever were */
    uint64_t map_size;
    memory_options_t options;
    atomic_ullong draws;
    unsigned conflicts; /* since the last commit; the writer's */
    atomic_uint forced; /* of the next commits */
    atomic_int last;    /* errno */
} memory_t;

typedef struct memory_txn {
    memory_t *env;
    struct memory_txn *parent, *child, *root;
    bool write;
    space_t *space; /* NULL: reset */
    unsigned cursors;
    size_t log_before; /* nested: the root's log when it began */

    /* of the root */
    memory_log_t log;
    bool conflicted;
    void *key, *value; /* what was given last */
} memory_txn_t;

typedef struct memory_cursor {
    memory_txn_t *txn;
    unsigned table;
    bool placed;
    size_t key_size;
    uint8_t key[MEMORY_KEY_MAX];
} memory_cursor_t;

/* ---- wrong use, chance ---- */

static void check (bool right, const char *wrong)
{
    if (right)
        return;
    fprintf (stderr, "store, memory backend: %s\n", wrong);
    abort ();
}

static uint64_t draw (memory_t *self)
{
    uint64_t x = self->options.seed + atomic_fetch_add (&self->draws, 1) * 0x9E3779B97F4A7C15ULL;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9ULL;
    x = (x ^ x >> 27) * 0x94D049BB133111EBULL;
    return x ^ x >> 31;
}

static bool chance (memory_t *self, unsigned in)
{
    return in && draw (self) % in == 0;
}

/* Others get their turn, as during a wait for a disk or a network. */
static void delay (memory_t *self)
{
    if (!chance (self, self->options.delay_in))
        return;
    if (chance (self, SLEEP_RARER))
        nanosleep (&(struct timespec){.tv_nsec = 1000 + (long) (draw (self) % SLEEP_US) * 1000},
                   NULL);
    else
        sched_yield ();
}

/* A conflict ends: the same writes, done again, get through. */
static bool conflicts (memory_txn_t *txn, unsigned rarer)
{
    memory_t *env = txn->env;
    if (!txn->root->conflicted && env->conflicts < MEMORY_CONFLICTS_MOST &&
        chance (env, env->options.conflict_in * rarer)) {
        env->conflicts++;
        txn->root->conflicted = true;
    }
    return txn->root->conflicted;
}

static bool forced (memory_t *self)
{
    unsigned left = atomic_load (&self->forced);
    if (left)
        atomic_store (&self->forced, left - 1);
    return left > 0;
}

void memory_conflicts (store_t *store, unsigned commits)
{
    memory_t *self = store->env;
    check (store->backend == &backend_memory, "a store of another backend");
    atomic_store (&self->forced, commits);
}

/* ---- the environment ---- */

static int fail (memory_t *self, int rc)
{
    if (rc == E_IO)
        atomic_store (&self->last, errno);
    return rc;
}

static bool memory_exists (const char *folder)
{
    return host_data_bytes (folder) > 0;
}

static bool memory_is_open (const char *folder)
{
    return host_data_is_open (folder);
}

static int file_open (const char *folder, const char *name, int flags)
{
    char path[4096];
    int n = snprintf (path, sizeof path, "%s/%s", folder, name);
    return n < 0 || (size_t) n >= sizeof path ? -1 : open (path, flags | O_CLOEXEC, 0600);
}

static int file_load (memory_t *self, unsigned tables)
{
    int rc = self->fd < 0 ? E_IO : image_load (&self->image, self->fd, tables, &self->end);
    if (!rc && ftruncate (self->fd, self->end)) /* a commit that was cut off */
        rc = E_IO;
    if (rc)
        return rc;
    self->newest = self->image.space;
    self->image.space = NULL;
    atomic_store (&self->rows_most, self->newest->bytes);
    return 0;
}

static void memory_close (void *env)
{
    memory_t *self = env;
    check (!self->readers && !atomic_load (&self->writer), "closed with a transaction open");
    if (self->fd >= 0)
        close (self->fd);
    space_drop (self->newest);
    image_free (&self->image);
    pthread_mutex_destroy (&self->lock);
    free (self);
}

static int memory_open (const backend_options_t *options, void **env, failure_t *failure)
{
    memory_t *self = calloc (1, sizeof *self);
    if (!self)
        return failure_set (failure, E_NO_MEMORY, NULL, "no memory to open the store");
    pthread_mutex_init (&self->lock, NULL);
    self->map_size = options->map_size;
    self->readers_most = options->readers;
    if (options->own)
        self->options = *(const memory_options_t *) options->own;
    self->fd = file_open (options->folder, "data.mdb", O_RDWR | O_CREAT);
    int rc = file_load (self, options->tables);
    if (!rc) {
        *env = self;
        return 0;
    }
    char text[128] = "";
    if (rc == E_IO)
        snprintf (text, sizeof text, ": %s", strerror (errno));
    memory_close (self);
    return failure_set (failure, rc, NULL, "cannot open the store in %s: %s%s", options->folder,
                        error_name (rc), text);
}

static void memory_error_text (void *env, char *out, size_t size)
{
    memory_t *self = env;
    int last = atomic_load (&self->last);
    char text[128];
    snprintf (out, size, "%s", last ? strerror_r (last, text, sizeof text) : "");
}

static int memory_check_readers (void *env)
{
    (void) env;
    return 0; /* they die with the process, and so does the store */
}

/* As a file that uses again what became free, and grows by steps. */
static int memory_used_bytes (void *env, uint64_t *out)
{
    memory_t *self = env;
    *out = (atomic_load (&self->rows_most) / USED_STEP + 1) * USED_STEP;
    return 0;
}

static space_t *newest_share (memory_t *self)
{
    pthread_mutex_lock (&self->lock);
    space_t *space = space_share (self->newest);
    pthread_mutex_unlock (&self->lock);
    return space;
}

static int memory_copy (void *env, int fd)
{
    memory_t *self = env;
    pthread_mutex_lock (&self->lock); /* for the names */
    int rc = image_write (self->image.names, self->image.count, self->newest, fd);
    pthread_mutex_unlock (&self->lock);
    return fail (self, rc);
}

static int memory_rebuild (const char *folder, const char *file, uint64_t map_size,
                           failure_t *failure)
{
    (void) map_size;
    image_t image = {0};
    off_t end;
    int from = file_open (folder, "data.mdb", O_RDONLY);
    int to = open (file, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int rc = from < 0 || to < 0 ? E_IO : image_load (&image, from, 1, &end);
    if (!rc)
        rc = image_write (image.names, image.count, image.space, to);
    if (!rc && fsync (to))
        rc = E_IO;
    image_free (&image);
    if (from >= 0)
        close (from);
    if (to >= 0)
        close (to);
    return rc ? failure_set (failure, rc, NULL, "cannot compact the store in %s", folder) : 0;
}

/* ---- transactions ---- */

static void given_forget (memory_txn_t *root)
{
    free (root->key);
    free (root->value);
    root->key = root->value = NULL;
}

/* Each with its own memory: neither runs into the other. What was given before goes now, and not
 * sooner: it may be what was asked with. */
static int give (memory_txn_t *txn, const row_t *row, bytes_t *key, bytes_t *value)
{
    memory_txn_t *root = txn->root;
    uint8_t *k = key ? memory_alloc (row->key_size) : NULL, *v = memory_alloc (row->value_size);
    if ((key && !k) || !v) {
        free (k);
        free (v);
        return E_NO_MEMORY;
    }
    if (key) {
        memcpy (k, row_key (row).data, row->key_size);
        *key = bytes_of (k, row->key_size);
    }
    memcpy (v, row_value (row).data, row->value_size);
    *value = bytes_of (v, row->value_size);
    given_forget (root);
    root->key = k;
    root->value = v;
    return 0;
}

/* Before each call in a transaction. */
static int use (const memory_txn_t *txn)
{
    check (txn->space, "a transaction that was reset is used");
    check (!txn->child, "a transaction is used while a nested one is open");
    delay (txn->env);
    return txn->write && conflicts ((memory_txn_t *) (uintptr_t) txn, CALL_RARER)
               ? E_CONFLICT_RETRY
               : 0;
}

static int table_use (const memory_txn_t *txn, unsigned table)
{
    int rc = use (txn);
    return rc ? rc
           : table < txn->space->tables && txn->space->slots[table].there ? 0
                                                                          : E_UNAVAILABLE;
}

static void txn_drop (memory_txn_t *self)
{
    check (!self->child, "a transaction ends before its nested one");
    check (!self->cursors, "a cursor outlives its transaction");
    if (self->parent)
        self->parent->child = NULL;
    else
        given_forget (self);
    space_drop (self->space);
    log_free (&self->log);
    free (self);
}

static void reader_gone (memory_t *self)
{
    pthread_mutex_lock (&self->lock);
    self->readers--;
    pthread_mutex_unlock (&self->lock);
}

static bool reader_comes (memory_t *self)
{
    pthread_mutex_lock (&self->lock);
    bool room = self->readers < self->readers_most;
    self->readers += room;
    pthread_mutex_unlock (&self->lock);
    return room;
}

static int write_start (memory_txn_t *self)
{
    uintptr_t none = 0;
    space_t *from = self->parent ? space_share (self->parent->space) : newest_share (self->env);
    self->space = space_copy (from);
    space_drop (from);
    if (!self->space)
        return E_NO_MEMORY;
    self->log_before = self->root->log.size;
    if (self->parent) {
        self->parent->child = self;
        return 0;
    }
    check (atomic_compare_exchange_strong (&self->env->writer, &none, (uintptr_t) self),
           "two write transactions at once");
    return 0;
}

static int memory_begin (void *env, void *parent, bool write, void **out)
{
    memory_t *self = env;
    memory_txn_t *above = parent;
    int rc = above ? use (above) : 0;
    if (rc)
        return rc;
    memory_txn_t *txn = memory_alloc (sizeof *txn);
    if (!txn)
        return E_NO_MEMORY;
    *txn = (memory_txn_t){.env = self, .parent = above, .write = write};
    txn->root = above ? above->root : txn;
    delay (self);
    if (!write && !reader_comes (self))
        rc = E_BUSY;
    else if (!write)
        txn->space = newest_share (self);
    else if (!above && conflicts (txn, BEGIN_RARER))
        rc = E_CONFLICT_RETRY;
    else
        rc = write_start (txn);
    if (rc) {
        space_drop (txn->space);
        free (txn);
        return rc;
    }
    *out = txn;
    return 0;
}

static void memory_abort (void *txn)
{
    memory_txn_t *self = txn;
    if (self->parent)
        self->root->log.size = self->log_before;
    else if (self->write)
        atomic_store (&self->env->writer, 0);
    else
        reader_gone (self->env);
    txn_drop (self);
}

/* The file first: a snapshot that others see will be there again. */
static int root_commit (memory_txn_t *self)
{
    memory_t *env = self->env;
    if (!self->log.size)
        return 0;
    if (forced (env) || conflicts (self, 1))
        return E_CONFLICT_RETRY;
    int rc = log_write (&self->log, env->fd, &env->end);
    if (rc)
        return fail (env, rc);
    env->conflicts = 0;
    if (self->space->bytes > atomic_load (&env->rows_most))
        atomic_store (&env->rows_most, self->space->bytes);
    delay (env);
    pthread_mutex_lock (&env->lock);
    space_t *old = env->newest;
    env->newest = self->space;
    self->space = NULL;
    pthread_mutex_unlock (&env->lock);
    space_drop (old);
    return 0;
}

static int memory_commit (void *env, void *txn)
{
    (void) env;
    memory_txn_t *self = txn;
    int rc = use (self);
    if (!rc && self->parent) {
        space_drop (self->parent->space);
        self->parent->space = self->space;
        self->space = NULL;
        self->log_before = self->root->log.size;
    } else if (!rc && self->write) {
        rc = root_commit (self);
    }
    memory_abort (self);
    return rc;
}

static void memory_reset (void *txn)
{
    memory_txn_t *self = txn;
    check (!self->write && self->space && !self->cursors, "no read to be reset");
    given_forget (self);
    space_drop (self->space);
    self->space = NULL;
}

static int memory_renew (void *env, void *txn)
{
    memory_txn_t *self = txn;
    check (!self->write && !self->space, "no read to be renewed");
    delay (env);
    self->space = newest_share (env);
    return 0;
}

/* ---- tables ---- */

/* Its number, or where the next one goes. */
static unsigned name_find (const image_t *self, const char *name)
{
    unsigned n = 0;
    while (n < self->count && (!self->names[n] || strcmp (self->names[n], name) != 0))
        n++;
    return n;
}

static int name_add (image_t *self, const char *name, unsigned tables)
{
    size_t size = strlen (name) + 1;
    char *copy = self->count < tables ? memory_alloc (size) : NULL;
    if (!copy)
        return self->count < tables ? E_NO_MEMORY : E_IO;
    memcpy (copy, name, size);
    self->names[self->count++] = copy;
    return 0;
}

static int memory_table (void *env, void *txn, const char *name, bool create, unsigned *out)
{
    memory_t *self = env;
    memory_txn_t *t = txn;
    int rc = use (t);
    if (rc)
        return rc;
    create = create && t->write;
    pthread_mutex_lock (&self->lock);
    unsigned n = name_find (&self->image, name);
    bool there = n < self->image.count && t->space->slots[n].there;
    if (!there && !create)
        rc = E_NOT_FOUND;
    else if (n == self->image.count)
        rc = name_add (&self->image, name, t->space->tables);
    pthread_mutex_unlock (&self->lock);
    if (!rc && !there)
        rc = log_add (&t->root->log, LOG_TABLE, n, bytes_of_str (name), (bytes_t){0});
    if (rc)
        return rc;
    if (!there)
        t->space->slots[n].there = true;
    *out = n;
    return 0;
}

static int memory_table_stat (void *env, void *txn, unsigned table, uint64_t *entries,
                              uint64_t *bytes)
{
    (void) env;
    memory_txn_t *t = txn;
    int rc = table_use (t, table);
    if (rc)
        return rc;
    const tree_t *tree = &t->space->slots[table].tree;
    *entries = tree->rows;
    *bytes = tree->bytes;
    return 0;
}

/* ---- rows ---- */

static int memory_get (void *env, void *txn, unsigned table, bytes_t key, bytes_t *value)
{
    (void) env;
    memory_txn_t *t = txn;
    int rc = table_use (t, table);
    if (rc)
        return rc;
    if (!key.size || key.size > MEMORY_KEY_MAX)
        return E_TOO_LARGE;
    const row_t *row = tree_get (&t->space->slots[table].tree, key);
    if (row)
        return give (t, row, NULL, value);
    given_forget (t->root);
    return E_NOT_FOUND;
}

/* What was given goes before the arguments are looked at: they must not be it. */
static int write_use (memory_txn_t *t, unsigned table, bytes_t key)
{
    check (t->write, "a write in a read");
    given_forget (t->root);
    int rc = table_use (t, table);
    return rc ? rc : key.size < 1 || key.size > MEMORY_KEY_MAX ? E_TOO_LARGE : 0;
}

static int logged (memory_txn_t *t, int rc, size_t before)
{
    if (rc)
        t->root->log.size = before;
    return rc;
}

static int memory_put (void *env, void *txn, unsigned table, bytes_t key, bytes_t value,
                       backend_put_t how)
{
    memory_t *self = env;
    memory_txn_t *t = txn;
    int rc = write_use (t, table, key);
    if (rc)
        return rc;
    const tree_t *tree = &t->space->slots[table].tree;
    const row_t *in_the_way = how == PUT_NEW      ? tree_get (tree, key)
                              : how == PUT_APPEND ? tree_up (tree, key, false)
                                                  : NULL;
    if (in_the_way)
        return E_ALREADY_EXISTS;
    if (t->space->bytes + key.size + value.size > self->map_size)
        return E_MAP_FULL;
    size_t before = t->root->log.size;
    rc = log_add (&t->root->log, LOG_PUT, table, key, value);
    return rc ? rc : logged (t, space_put (t->space, table, key, value), before);
}

static int memory_del (void *env, void *txn, unsigned table, bytes_t key)
{
    (void) env;
    memory_txn_t *t = txn;
    int rc = write_use (t, table, key);
    if (rc)
        return rc;
    size_t before = t->root->log.size;
    rc = log_add (&t->root->log, LOG_DEL, table, key, (bytes_t){0});
    return rc ? rc : logged (t, space_del (t->space, table, key), before);
}

static int memory_clear (void *env, void *txn, unsigned table)
{
    (void) env;
    memory_txn_t *t = txn;
    int rc = write_use (t, table, bytes_of_str ("any"));
    if (!rc)
        rc = log_add (&t->root->log, LOG_CLEAR, table, (bytes_t){0}, (bytes_t){0});
    if (!rc)
        space_clear (t->space, table);
    return rc;
}

/* ---- cursors ---- */

static int memory_cursor_open (void *env, void *txn, unsigned table, void **out)
{
    (void) env;
    memory_txn_t *t = txn;
    int rc = table_use (t, table);
    if (rc)
        return rc;
    memory_cursor_t *self = memory_alloc (sizeof *self);
    if (!self)
        return E_NO_MEMORY;
    *self = (memory_cursor_t){.txn = t, .table = table};
    t->cursors++;
    *out = self;
    return 0;
}

static void memory_cursor_close (void *cursor)
{
    memory_cursor_t *self = cursor;
    self->txn->cursors--;
    free (self);
}

static const row_t *cursor_find (const memory_cursor_t *self, backend_move_t move, bytes_t key)
{
    const tree_t *tree = &self->txn->space->slots[self->table].tree;
    bytes_t at = bytes_of (self->key, self->key_size);
    switch (move) {
    case MOVE_FIRST:
    case MOVE_LAST:
        return tree_edge (tree, move == MOVE_LAST);
    case MOVE_NEXT:
        return self->placed ? tree_up (tree, at, true) : tree_edge (tree, false);
    case MOVE_PREV:
        return self->placed ? tree_down (tree, at) : tree_edge (tree, true);
    default:
        return tree_up (tree, key, false);
    }
}

static int memory_cursor_move (void *env, void *cursor, backend_move_t move, bytes_t *key,
                               bytes_t *value)
{
    (void) env;
    memory_cursor_t *self = cursor;
    int rc = table_use (self->txn, self->table);
    if (rc)
        return rc;
    if (move == MOVE_SEEK && (!key->size || key->size > MEMORY_KEY_MAX))
        return E_TOO_LARGE;
    const row_t *row = cursor_find (self, move, *key);
    if (!row) {
        given_forget (self->txn->root);
        return E_NOT_FOUND;
    }
    self->placed = true;
    self->key_size = row->key_size;
    memcpy (self->key, row_key (row).data, row->key_size);
    return give (self->txn, row, key, value);
}

const backend_t backend_memory = {
    .name = "memory",
    .exists = memory_exists,
    .is_open = memory_is_open,
    .open = memory_open,
    .close = memory_close,
    .error_text = memory_error_text,
    .check_readers = memory_check_readers,
    .used_bytes = memory_used_bytes,
    .copy = memory_copy,
    .rebuild = memory_rebuild,
    .begin = memory_begin,
    .commit = memory_commit,
    .abort = memory_abort,
    .reset = memory_reset,
    .renew = memory_renew,
    .table = memory_table,
    .table_stat = memory_table_stat,
    .get = memory_get,
    .put = memory_put,
    .del = memory_del,
    .clear = memory_clear,
    .cursor_open = memory_cursor_open,
    .cursor_close = memory_cursor_close,
    .cursor_move = memory_cursor_move,
};
