/* lmdb.c - the LMDB backend; the only file that knows LMDB.
 *
 * The map is set once at open and never resized (a resize under a reader thread crashes it).
 * A write transaction keeps a cursor for each table that it touches: rows of one turn stand close together, and a cursor looks at
 * the page where it stands before it goes down the tree again.
 * MDB_NOTLS: readers' slots belong to transaction objects, so that any thread may use one and the
 * pool may keep them. MDB_NORDAHEAD: rows are read one by one through indexes, and a store larger
 * than memory would otherwise evict 32 pages for each it needs. Not MDB_NOMEMINIT: the unused part of
 * a new page would be written as malloc gave it, with what the process had freed before: a key, a
 * secret that was just opened.
 *
 * The environment's files are never opened by path: closing such a descriptor would drop the
 * process's fcntl locks, and with them its reader slots. A full disk comes as ENOSPC or EIO:
 * E_IO. */
#include <errno.h>
#include <lmdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/private.h"

enum { CORE_TABLES = 2 /* LMDB's own, which have the first numbers */ };

typedef struct lmdb {
    MDB_env *env;
    atomic_int last;           /* last failure, LMDB's number */
    _Atomic (MDB_txn *) write; /* the write transaction; the rest is its thread's */
    MDB_cursor **cursors;      /* by table; LMDB frees them with the transaction */
    unsigned cursor_count;
} lmdb_t;

static int code_of (int rc)
{
    switch (rc) {
    case 0:
        return 0;
    case MDB_NOTFOUND:
        return E_NOT_FOUND;
    case MDB_KEYEXIST:
        return E_ALREADY_EXISTS;
    case MDB_MAP_FULL:
        return E_MAP_FULL;
    case ENOMEM:
        return E_NO_MEMORY;
    case MDB_BAD_VALSIZE:
    case MDB_TXN_FULL:
        return E_TOO_LARGE;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH:
        return E_CORRUPT;
    case MDB_READERS_FULL:
        return E_BUSY;
    case EINVAL: /* a table that was made after this read began */
    case MDB_BAD_DBI:
        return E_UNAVAILABLE;
    default:
        return E_IO;
    }
}

static inline int fail (lmdb_t *self, int rc)
{
    if (!rc)
        return 0;
    if (rc != MDB_NOTFOUND && rc != MDB_KEYEXIST)
        atomic_store (&self->last, rc);
    return code_of (rc);
}

static void text_of (int rc, char *out, size_t size)
{
    char system[128];
    snprintf (out, size, "%s", rc > 0 ? strerror_r (rc, system, sizeof system) : mdb_strerror (rc));
}

static MDB_val val_of (bytes_t b)
{
    return (MDB_val){b.size, (void *) (uintptr_t) b.data};
}

static bytes_t bytes_of_val (const MDB_val *v)
{
    return (bytes_t){v->mv_data, v->mv_size};
}

static bool lmdb_exists (const char *folder)
{
    return host_data_bytes (folder) > 0;
}

/* LMDB must not be opened twice in a process: the second close would drop the first one's locks. */
static bool lmdb_is_open (const char *folder)
{
    return host_data_is_open (folder);
}

static int lmdb_open (const backend_options_t *options, void **env, failure_t *failure)
{
    lmdb_t *self = calloc (1, sizeof *self);
    if (!self)
        return failure_set (failure, E_NO_MEMORY, NULL, "no memory to open the store");
    self->cursor_count = options->tables + CORE_TABLES;
    self->cursors = calloc (self->cursor_count, sizeof (MDB_cursor *));
    unsigned flags = MDB_NOTLS | MDB_NORDAHEAD | (options->no_sync ? MDB_NOSYNC : 0);
    int rc = self->cursors ? mdb_env_create (&self->env) : ENOMEM;
    if (!rc)
        rc = mdb_env_set_mapsize (self->env, options->map_size);
    if (!rc)
        rc = mdb_env_set_maxreaders (self->env, options->readers);
    if (!rc)
        rc = mdb_env_set_maxdbs (self->env, options->tables);
    if (!rc)
        rc = mdb_env_set_userctx (self->env, self);
    if (!rc)
        rc = mdb_env_open (self->env, options->folder, flags, 0600);
    if (!rc) {
        *env = self;
        return 0;
    }
    char text[128];
    text_of (rc, text, sizeof text);
    if (self->env)
        mdb_env_close (self->env);
    free (self->cursors);
    free (self);
    int code = code_of (rc) == E_CORRUPT || rc == ENOMEM ? code_of (rc) : E_IO;
    return failure_set (failure, code, NULL, "cannot open the store in %s: %s", options->folder,
                        text);
}

static void lmdb_close (void *env)
{
    lmdb_t *self = env;
    mdb_env_close (self->env);
    free (self->cursors);
    free (self);
}

static void lmdb_error_text (void *env, char *out, size_t size)
{
    lmdb_t *self = env;
    int last = atomic_load (&self->last);
    *out = 0;
    if (last)
        text_of (last, out, size);
}

static int lmdb_check_readers (void *env)
{
    lmdb_t *self = env;
    int dead = 0;
    return mdb_reader_check (self->env, &dead) ? 0 : dead;
}

static int lmdb_used_bytes (void *env, uint64_t *out)
{
    lmdb_t *self = env;
    int fd;
    struct stat st;
    if (mdb_env_get_fd (self->env, &fd) || fstat (fd, &st))
        return E_IO;
    *out = (uint64_t) st.st_size;
    return 0;
}

/* Compact first. LMDB refuses that with MDB_INCOMPATIBLE if its count of free pages does not fit; a
 * plain copy is as good. */
static int lmdb_copy (void *env, int fd)
{
    lmdb_t *self = env;
    int rc = mdb_env_copyfd2 (self->env, fd, MDB_CP_COMPACT);
    if (rc == MDB_INCOMPATIBLE) {
        if (ftruncate (fd, 0) || lseek (fd, 0, SEEK_SET) != 0)
            return fail (self, errno);
        rc = mdb_env_copyfd2 (self->env, fd, 0);
    }
    return fail (self, rc);
}

/* ---- rebuilding ---- */

enum { REBUILD_TABLES = 1024, REBUILD_BATCH = 32 << 20 };

typedef struct rebuild {
    MDB_env *from, *to;
    MDB_txn *read, *write;
    MDB_dbi made; /* the table that is filled, in `to` */
    size_t bytes; /* in the transaction under way */
} rebuild_t;

static int rebuild_env (MDB_env **env, const char *path, uint64_t map_size, unsigned flags)
{
    int rc = mdb_env_create (env);
    if (!rc)
        rc = mdb_env_set_mapsize (*env, map_size);
    if (!rc)
        rc = mdb_env_set_maxdbs (*env, REBUILD_TABLES);
    return rc ? rc
              : mdb_env_open (*env, path, flags | MDB_NOLOCK | MDB_NOTLS | MDB_NORDAHEAD, 0600);
}

static int rebuild_row (rebuild_t *r, MDB_val *key, MDB_val *value)
{
    if (r->bytes >= REBUILD_BATCH) {
        int rc = mdb_txn_commit (r->write);
        r->write = NULL;
        r->bytes = 0;
        if (!rc)
            rc = mdb_txn_begin (r->to, NULL, 0, &r->write);
        if (rc)
            return rc;
    }
    r->bytes += key->mv_size + value->mv_size;
    return mdb_put (r->write, r->made, key, value, MDB_APPEND);
}

static int rebuild_table (rebuild_t *r, const char *name)
{
    MDB_dbi dbi;
    MDB_cursor *walk = NULL;
    MDB_val key, value;
    unsigned flags = 0;
    int rc = mdb_dbi_open (r->read, name, 0, &dbi);
    if (!rc)
        rc = mdb_dbi_flags (r->read, dbi, &flags);
    if (!rc)
        rc = mdb_dbi_open (r->write, name, flags | MDB_CREATE, &r->made);
    if (!rc)
        rc = mdb_cursor_open (r->read, dbi, &walk);
    while (!rc && !(rc = mdb_cursor_get (walk, &key, &value, MDB_NEXT)))
        rc = rebuild_row (r, &key, &value);
    if (walk)
        mdb_cursor_close (walk);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

/* The main table's keys are the names of all others. */
static int rebuild_tables (rebuild_t *r)
{
    MDB_dbi main;
    MDB_cursor *walk = NULL;
    MDB_val key, value;
    char name[256];
    int rc = mdb_txn_begin (r->from, NULL, MDB_RDONLY, &r->read);
    if (!rc)
        rc = mdb_txn_begin (r->to, NULL, 0, &r->write);
    if (!rc)
        rc = mdb_dbi_open (r->read, NULL, 0, &main);
    if (!rc)
        rc = mdb_cursor_open (r->read, main, &walk);
    while (!rc && !(rc = mdb_cursor_get (walk, &key, &value, MDB_NEXT))) {
        if (key.mv_size >= sizeof name)
            rc = MDB_CORRUPTED;
        else {
            memcpy (name, key.mv_data, key.mv_size);
            name[key.mv_size] = 0;
            rc = rebuild_table (r, name);
        }
    }
    if (walk)
        mdb_cursor_close (walk);
    if (rc != MDB_NOTFOUND)
        return rc;
    rc = mdb_txn_commit (r->write);
    r->write = NULL;
    return rc ? rc : mdb_env_sync (r->to, 1);
}

/* Without MDB_NOMEMINIT: pages of the new file are zeroed where no row is. */
static int lmdb_rebuild (const char *folder, const char *file, uint64_t map_size,
                         failure_t *failure)
{
    rebuild_t r = {0};
    int rc = rebuild_env (&r.from, folder, map_size, MDB_RDONLY);
    if (!rc)
        rc = rebuild_env (&r.to, file, map_size, MDB_NOSUBDIR | MDB_NOSYNC);
    if (!rc)
        rc = rebuild_tables (&r);
    if (r.write)
        mdb_txn_abort (r.write);
    if (r.read)
        mdb_txn_abort (r.read);
    if (r.to)
        mdb_env_close (r.to);
    if (r.from)
        mdb_env_close (r.from);
    if (!rc)
        return 0;
    char text[128];
    text_of (rc, text, sizeof text);
    return failure_set (failure, code_of (rc), NULL, "cannot compact the store in %s: %s", folder,
                        text);
}

static void cursors_forget (lmdb_t *self, MDB_txn *ended)
{
    if (atomic_load_explicit (&self->write, memory_order_relaxed) != ended)
        return;
    atomic_store_explicit (&self->write, NULL, memory_order_relaxed);
    memset (self->cursors, 0, self->cursor_count * sizeof *self->cursors);
}

static int lmdb_begin (void *env, bool write, void **txn)
{
    lmdb_t *self = env;
    MDB_txn *t;
    int rc = mdb_txn_begin (self->env, NULL, write ? 0 : MDB_RDONLY, &t);
    if (!rc && write)
        atomic_store_explicit (&self->write, t, memory_order_relaxed);
    if (!rc)
        *txn = t;
    return fail (self, rc);
}

static int lmdb_commit (void *env, void *txn)
{
    cursors_forget (env, txn);
    int rc = mdb_txn_commit (txn);
    return fail (env, rc);
}

static void lmdb_abort (void *txn)
{
    cursors_forget (mdb_env_get_userctx (mdb_txn_env (txn)), txn);
    mdb_txn_abort (txn);
}

static void lmdb_reset (void *txn)
{
    mdb_txn_reset (txn);
}

static int lmdb_renew (void *env, void *txn)
{
    return fail (env, mdb_txn_renew (txn));
}

static int lmdb_table (void *env, void *txn, const char *name, bool create, unsigned *out)
{
    MDB_dbi dbi;
    int rc = mdb_dbi_open (txn, name, create ? MDB_CREATE : 0, &dbi);
    if (!rc)
        *out = dbi;
    return fail (env, rc);
}

static int lmdb_table_stat (void *env, void *txn, unsigned table, uint64_t *entries,
                            uint64_t *bytes)
{
    MDB_stat st;
    int rc = mdb_stat (txn, table, &st);
    if (rc)
        return fail (env, rc);
    *entries = st.ms_entries;
    *bytes =
        (uint64_t) (st.ms_branch_pages + st.ms_leaf_pages + st.ms_overflow_pages) * st.ms_psize;
    return 0;
}

/* The cursor of a table in the write transaction. NULL: it is another transaction, or there is no memory; all goes without, too. */
static inline MDB_cursor *cursor_of (lmdb_t *self, MDB_txn *txn, unsigned table)
{
    if (atomic_load_explicit (&self->write, memory_order_relaxed) != txn ||
        table >= self->cursor_count)
        return NULL;
    if (!self->cursors[table] && mdb_cursor_open (txn, table, &self->cursors[table]))
        self->cursors[table] = NULL;
    return self->cursors[table];
}

static void cursor_drop (lmdb_t *self, unsigned table)
{
    if (table >= self->cursor_count || !self->cursors[table])
        return;
    mdb_cursor_close (self->cursors[table]);
    self->cursors[table] = NULL;
}

static int lmdb_get (void *env, void *txn, unsigned table, bytes_t key, bytes_t *value)
{
    MDB_val k = val_of (key), v;
    MDB_cursor *at = cursor_of (env, txn, table);
    int rc = at ? mdb_cursor_get (at, &k, &v, MDB_SET) : mdb_get (txn, table, &k, &v);
    if (!rc)
        *value = bytes_of_val (&v);
    return fail (env, rc);
}

static int lmdb_seek (void *env, void *txn, unsigned table, bytes_t *key, bytes_t *value)
{
    MDB_val k = val_of (*key), v;
    MDB_cursor *own = NULL, *at = cursor_of (env, txn, table);
    int rc = at ? 0 : mdb_cursor_open (txn, table, &own);
    if (!rc)
        rc = mdb_cursor_get (at ? at : own, &k, &v, MDB_SET_RANGE);
    if (own)
        mdb_cursor_close (own);
    if (!rc) {
        *key = bytes_of_val (&k);
        *value = bytes_of_val (&v);
    }
    return fail (env, rc);
}

static int lmdb_put (void *env, void *txn, unsigned table, bytes_t key, bytes_t value,
                     backend_put_t how)
{
    MDB_val k = val_of (key), v = val_of (value);
    unsigned flags = how == PUT_NEW ? MDB_NOOVERWRITE : how == PUT_APPEND ? MDB_APPEND : 0;
    MDB_cursor *at = cursor_of (env, txn, table);
    return fail (env,
                 at ? mdb_cursor_put (at, &k, &v, flags) : mdb_put (txn, table, &k, &v, flags));
}

static int lmdb_del (void *env, void *txn, unsigned table, bytes_t key)
{
    MDB_val k = val_of (key), v;
    MDB_cursor *at = cursor_of (env, txn, table);
    int rc = at ? mdb_cursor_get (at, &k, &v, MDB_SET) : mdb_del (txn, table, &k, NULL);
    return fail (env, !rc && at ? mdb_cursor_del (at, 0) : rc);
}

static int lmdb_clear (void *env, void *txn, unsigned table)
{
    cursor_drop (env, table);
    return fail (env, mdb_drop (txn, table, 0));
}

static int lmdb_cursor_open (void *env, void *txn, unsigned table, void **out)
{
    MDB_cursor *c;
    int rc = mdb_cursor_open (txn, table, &c);
    if (!rc)
        *out = c;
    return fail (env, rc);
}

static void lmdb_cursor_close (void *cursor)
{
    mdb_cursor_close (cursor);
}

static int lmdb_cursor_move (void *env, void *cursor, backend_move_t move, bytes_t *key,
                             bytes_t *value)
{
    static const MDB_cursor_op ops[] = {
        [MOVE_FIRST] = MDB_FIRST, [MOVE_LAST] = MDB_LAST,      [MOVE_NEXT] = MDB_NEXT,
        [MOVE_PREV] = MDB_PREV,   [MOVE_SEEK] = MDB_SET_RANGE,
    };
    MDB_val k = val_of (*key), v;
    int rc = mdb_cursor_get (cursor, &k, &v, ops[move]);
    if (!rc) {
        *key = bytes_of_val (&k);
        *value = bytes_of_val (&v);
    }
    return fail (env, rc);
}

const backend_t backend_lmdb = {
    .name = "lmdb",
    .exists = lmdb_exists,
    .is_open = lmdb_is_open,
    .open = lmdb_open,
    .close = lmdb_close,
    .error_text = lmdb_error_text,
    .check_readers = lmdb_check_readers,
    .used_bytes = lmdb_used_bytes,
    .copy = lmdb_copy,
    .rebuild = lmdb_rebuild,
    .begin = lmdb_begin,
    .commit = lmdb_commit,
    .abort = lmdb_abort,
    .reset = lmdb_reset,
    .renew = lmdb_renew,
    .table = lmdb_table,
    .table_stat = lmdb_table_stat,
    .get = lmdb_get,
    .put = lmdb_put,
    .del = lmdb_del,
    .clear = lmdb_clear,
    .seek = lmdb_seek,
    .cursor_open = lmdb_cursor_open,
    .cursor_close = lmdb_cursor_close,
    .cursor_move = lmdb_cursor_move,
};
