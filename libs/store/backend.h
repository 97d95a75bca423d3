/* backend.h - what a store needs of the thing that keeps its bytes. Private to libs/store.
 *
 * A backend is a table of functions over opaque handles: an environment, transactions,
 * tables by number, cursors. All return 0 or an E_ code. LMDB is the first; one in memory is for tests
 * (memory.h), and PostgreSQL fits the same table. Ownership, versions, records, indexes, lazy savepoints
 * and fault injection are above it, once for all backends.
 *
 * Conflicts. A backend that shares its rows with others may have to refuse a write transaction though
 * nothing is wrong with it (a serialization failure, a deadlock): any call in it, its begin and its
 * commit may say E_CONFLICT_RETRY. Then nothing of the whole transaction is or will be stored, and until
 * its end every further call in it says the same. Reads never conflict. The store passes the code on and
 * refuses the commit (txn_conflicted); it stays in use. Who made the transaction does all of it again
 * from its beginning, as often as txn_again allows, and only then fails: the runtime runs the turn
 * again, and nobody outside notices. LMDB has no conflicts. */
#ifndef AVIARY_STORE_BACKEND_H
#define AVIARY_STORE_BACKEND_H

#include "base/buf.h"
#include "base/err.h"

typedef struct backend_options {
    const char *folder;
    uint64_t map_size;
    unsigned readers;
    unsigned tables; /* most tables that will ever be opened */
    bool no_sync;
    const void *own; /* what only this backend knows (store_config_t.backend_options) */
} backend_options_t;

typedef enum backend_put { PUT_ANY, PUT_NEW, PUT_APPEND } backend_put_t;
typedef enum backend_move {
    MOVE_FIRST,
    MOVE_LAST,
    MOVE_NEXT,
    MOVE_PREV,
    MOVE_SEEK /* first key >= *key */
} backend_move_t;

typedef struct backend {
    const char *name;

    /* Is there anything in the folder? Must not open files by path (see lmdb.c). */
    bool (*exists) (const char *folder);
    /* Has this process the store of this folder open already? */
    bool (*is_open) (const char *folder);
    int (*open) (const backend_options_t *options, void **env, failure_t *failure);
    void (*close) (void *env);
    /* Text of the last failure below E_NOT_FOUND and E_ALREADY_EXISTS, for people. */
    void (*error_text) (void *env, char *out, size_t size);
    int (*check_readers) (void *env);
    int (*used_bytes) (void *env, uint64_t *out);
    int (*copy) (void *env, int fd);
    /* Every row of the store in `folder`, which nobody has open, into a new file, flushed. */
    int (*rebuild) (const char *folder, const char *file, uint64_t map_size, failure_t *failure);

    /* One write transaction at a time. Savepoints in it are the store's own (trail.c). */
    int (*begin) (void *env, bool write, void **txn);
    int (*commit) (void *env, void *txn); /* ended either way */
    void (*abort) (void *txn);
    void (*reset) (void *txn); /* of reads: let go of the snapshot, keep the object */
    int (*renew) (void *env, void *txn);

    /* Table by name; kept after the transaction if it commits. E_NOT_FOUND if absent and not
     * `create`. */
    int (*table) (void *env, void *txn, const char *name, bool create, unsigned *out);
    int (*table_stat) (void *env, void *txn, unsigned table, uint64_t *entries, uint64_t *bytes);
    int (*get) (void *env, void *txn, unsigned table, bytes_t key, bytes_t *value);
    int (*put) (void *env, void *txn, unsigned table, bytes_t key, bytes_t value,
                backend_put_t how);
    int (*del) (void *env, void *txn, unsigned table, bytes_t key);
    int (*clear) (void *env, void *txn, unsigned table);
    /* The first row whose key is at least *key, without a cursor of the caller's. */
    int (*seek) (void *env, void *txn, unsigned table, bytes_t *key, bytes_t *value);

    int (*cursor_open) (void *env, void *txn, unsigned table, void **out);
    void (*cursor_close) (void *cursor);
    int (*cursor_move) (void *env, void *cursor, backend_move_t move, bytes_t *key, bytes_t *value);
} backend_t;

extern const backend_t backend_lmdb;

#endif
