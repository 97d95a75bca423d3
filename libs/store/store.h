/* store.h - where a service keeps its records: ordered tables, transactions with savepoints,
 * indexes with counters.
 *
 * Two levels. Keys and values (kv_*) are bytes in named tables. Records (store_*) are generated
 * structs through the schema codec, found by id, with declared secondary indexes and counters kept
 * in the same transaction, and an owner: a get names the owner and another owner's record is
 * E_NOT_FOUND.
 *
 * The backend is a table of functions (LMDB; for tests one in memory). Nothing here hands out memory that outlives the
 * call but to the arena; kv values are valid until the next call on the transaction.
 *
 * Errors: E_IO (also a full disk), E_MAP_FULL, E_NO_MEMORY, E_NOT_FOUND, E_ALREADY_EXISTS,
 * E_CORRUPT, E_TOO_LARGE (key over 480 bytes), E_CONFLICT_RETRY (distributed backends only, see
 * txn_again). A failed write dooms its savepoint (the transaction, if the backend failed it); a failed
 * commit dooms the store: reopen it. */
#ifndef AVIARY_STORE_STORE_H
#define AVIARY_STORE_STORE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"
#include "schema/schema.h"

typedef struct store store_t;
typedef struct txn txn_t;

typedef struct migration {
    uint32_t to;             /* schema version it brings the store to */
    int (*run) (txn_t *txn); /* in one write transaction with the version bump */
} migration_t;

typedef struct store_config {
    const char *folder; /* made if absent, mode 0700; holds data.mdb, lock.mdb, owner.lock */
    const struct backend *backend; /* NULL = LMDB; another one is linked by tests only (memory.h) */
    const void *backend_options;   /* that backend's own; NULL = its defaults */
    const schema_service_t *service; /* its records become tables */
    const char *const *tables;       /* further raw tables (the runtime's own), NULL-terminated */
    const migration_t *migrations;
    size_t migration_count;
    uint64_t map_size; /* 0 = 1 TiB */
    unsigned readers;  /* most read transactions at once over all processes; 0 = 512 */
    bool no_sync;      /* tests only */
    bool observe;      /* never take the ownership at open (CLI) and wait for no store */
} store_config_t;

/* Open (and if owner, create and migrate): the ownership is taken if it is free. Without it the
 * store must exist; one that its owner is just making is waited for, at most 5 s. E_IO with text in
 * *failure; E_CONFLICT if the store was written by a program too new to read, is open in this
 * process already, or is on a network file system or in use from another host or pid namespace
 * (host.id keeps boot id and pid namespace of its live openers). Everything the config points to
 * but the folder's name must outlive the store. The owner builds indexes that are new or whose
 * fields changed from the rows, then runs the migrations. */
int store_open (const store_config_t *config, store_t **out, failure_t *failure);
/* No transaction may be open. */
void store_close (store_t **self);

/* Ownership of the store's one partition: an flock on owner.lock, freed by the kernel when the
 * process dies. store_own: 0, or E_NOT_OWNER if another process has it. Only the owner may begin
 * write transactions. */
int store_own (store_t *self);
/* The same, but waits; for a takeover thread. A signal (handler without SA_RESTART) ends the wait
 * with E_NOT_OWNER. */
int store_await_owner (store_t *self);
/* Waits for other threads' write transaction; does nothing inside one of the calling thread. */
void store_disown (store_t *self);
bool store_is_owner (const store_t *self);
/* Whether everything in the store is as this program wants it: each table is there, each index is of
 * the fields that it knows. The owner has made it so; another opener beside an owner of another
 * version may find less, and should leave reading to others until this is true. Opens tables that
 * were made since. */
bool store_is_current (store_t *self);

/* What failed, for people: the commit that doomed the store, else the first failed write or open of
 * the store's life; "" if nothing did. Lives as long as the store. */
const char *store_error (const store_t *self);

/* Drop readers of dead processes; run every 5 s. Returns how many. */
int store_check_readers (store_t *self);
/* Bytes free on the file system, bytes the store uses. */
int store_space (store_t *self, uint64_t *free_bytes, uint64_t *used_bytes);
/* A consistent copy into `folder` (made, must be empty) while the store is in use. */
int store_backup (store_t *self, const char *folder, failure_t *failure);
/* Make the store in `folder` anew, without free pages and gaps, and overwrite the old file: nothing
 * of what was deleted is left. Needs nobody to have it open (E_CONFLICT, and the wish stays) and
 * room for the copy. store_compact_want leaves the wish for the next store_open that is alone with
 * the store, which waits for that, at most 20 s; processes that have it open should end then. */
typedef struct store_compacted {
    int64_t at;             /* Unix ms of the last compaction */
    uint64_t before, after; /* bytes of the file */
    char why[256];          /* it failed, and the store is as it was; "" = done */
} store_compacted_t;

int store_compact (const char *folder, uint64_t map_size, store_compacted_t *out,
                   failure_t *failure);
int store_compact_want (const char *folder, failure_t *failure);
bool store_compact_wanted (const char *folder);
int store_compacted (const char *folder, store_compacted_t *out); /* E_NOT_FOUND: never was */
/* Each table's entries and bytes (pages in use). */
int store_table_stats (txn_t *txn,
                       void (*each) (void *context, const char *table, uint64_t entries,
                                     uint64_t bytes),
                       void *context);
/* Random id of this store's life; new at creation and by store_new_epoch (restore). */
int store_epoch (txn_t *txn, id16_t *out);
int store_new_epoch (txn_t *txn);

/* ---- transactions ---- */

enum { TXN_READ = 0, TXN_WRITE = 1 };

/* A write transaction belongs to the thread that began it, and waits for another thread's; a second
 * one in the same thread is E_INTERNAL. Not the owner: E_NOT_OWNER. After a failed commit: E_IO.
 * Any thread may use a read transaction, one at a time. */
int txn_begin (store_t *store, int mode, txn_t **out);
/* Durable when 0; *self is NULL afterwards either way. Writes what was put off (entries of plain
 * indexes, counters) first, so it can fail as writes do; then nothing is written. */
int txn_commit (txn_t **self);
void txn_abort (txn_t **self); /* NULL is fine */
/* A conflict of a write transaction with others: E_CONFLICT_RETRY from its begin, its commit or any call
 * in it. Its writes are lost, commit says so whatever became of the call that met it, and nothing else
 * is wrong. txn_again: is a transaction that ended with `code` to be made again, from its begin? Waits
 * then, longer each time. *tries begins with 0; false after a few, or for other codes. */
bool txn_conflicted (const txn_t *self);
bool txn_again (int code, unsigned *tries);
/* Savepoints nest; release keeps its writes, rollback undoes them. Release of a doomed savepoint
 * rolls it back and returns what doomed it. One without writes costs nothing. A rollback across kv_clear
 * dooms the transaction. Commit with a savepoint open aborts: E_INTERNAL. */
int txn_savepoint (txn_t *self);
int txn_release (txn_t *self);
void txn_rollback (txn_t *self);
/* How many writes were made in this transaction (0: a commit has nothing to flush). */
uint64_t txn_writes (const txn_t *self);
/* Tests: make the n-th write from now (1 = next; counted over kv_put, kv_append, kv_del and
 * kv_clear of all tables) fail with E_IO; 0 = off. Returns what was left of the one set
 * before: 0 when it has failed. store_fail_commit makes the next commit fail. Per store. */
unsigned store_fail_write (store_t *store, unsigned nth);
void store_fail_commit (store_t *store, bool fail);

/* ---- bytes ---- */

typedef struct table table_t;
table_t *store_table (store_t *store, const char *name); /* NULL if not declared; asserts nothing */

/* Keys are 1 to 480 bytes. What kv_get, kv_first and kv_next gave must be copied before it is given to a
 * write. A table that the owner has not made yet is E_UNAVAILABLE to other openers. */
int kv_get (txn_t *txn, table_t *table, bytes_t key, bytes_t *value);
/* The first row with this prefix (1 to 480 bytes), without a walk. E_NOT_FOUND: none. */
int kv_first (txn_t *txn, table_t *table, bytes_t prefix, bytes_t *key, bytes_t *value);
int kv_put (txn_t *txn, table_t *table, bytes_t key, bytes_t value);
int kv_append (txn_t *txn, table_t *table, bytes_t key,
               bytes_t value); /* key above all others: cheaper; E_ALREADY_EXISTS if it is not */
int kv_del (txn_t *txn, table_t *table, bytes_t key); /* E_NOT_FOUND if absent */
int kv_clear (txn_t *txn, table_t *table);            /* all of it, cheaply */
int kv_count (txn_t *txn, table_t *table, uint64_t *out);

/* Walks a range of keys in order. Zero-initialise `cursor`, set fields, call kv_next until
 * E_NOT_FOUND. Changing the table while walking is allowed: the cursor re-seeks after its last
 * key. */
typedef struct kv_cursor {
    table_t *table;
    bytes_t prefix; /* only keys with it; size 0 = all */
    /* Start here (inclusive), in reverse at or below it; size 0 = the edge of the range. */
    bytes_t from;
    bool after; /* exclusive start */
    bool reverse;
    /* Private; freed when the walk ends, by kv_stop, or with the transaction (no kv_stop then). */
    void *state;
} kv_cursor_t;
int kv_next (txn_t *txn, kv_cursor_t *cursor, bytes_t *key, bytes_t *value);
void kv_stop (kv_cursor_t *cursor);

/* ---- records ---- */

/* The record with this id, if `owner` owns it, decoded into *out (zeroed struct of the record's
 * type). E_NOT_FOUND else. Records without an owner field take a nil owner. */
int store_get (txn_t *txn, const schema_record_t *record, id16_t owner, id16_t id, arena_t *arena,
               void *out);
/* The same without an owner check: for the runtime, the CLI's explain and jobs that carry a trusted
 * id. */
int store_get_any (txn_t *txn, const schema_record_t *record, id16_t id, arena_t *arena, void *out);
/* Insert (the id is new and above all others: appended) with its index entries. E_ALREADY_EXISTS
 * names the unique index in *clash (may be NULL). */
int store_insert (txn_t *txn, const schema_record_t *record, const void *row, const char **clash);
/* Insert or replace; reads the old row to keep indexes and counters right. Fields of newer versions
 * survive. */
int store_put (txn_t *txn, const schema_record_t *record, const void *row, const char **clash);
int store_del (txn_t *txn, const schema_record_t *record, id16_t id);

/* One value of an index field, in the order of the index; which member counts follows from the
 * field's kind. */
typedef struct store_key {
    id16_t id;
    const char *str;
    int64_t num; /* int, time, enum, bool */
} store_key_t;

/* The record of a unique index. */
int store_find (txn_t *txn, const schema_record_t *record, const char *index,
                const store_key_t *keys, size_t key_count, arena_t *arena, void *out);

/* A page over an index: records whose first `key_count` index fields equal `keys`, in order of the
 * rest and of the id. */
typedef struct store_page {
    const char *index; /* NULL = by id over the whole table */
    const store_key_t *keys;
    size_t key_count;
    bool newest_first;
    /* Cursor: the record with this id was the last seen; nil = from the edge. If it is gone and
     * `keys` do not cover the index (its place is in its fields), store_list gives E_NOT_FOUND. */
    id16_t after;
    /* With `after`: what the fields of the index behind `keys` held when it was seen, one value for
     * each; NULL = what its row holds now. With them the row may have moved or be gone. */
    const store_key_t *place;
    size_t offset; /* skip so many (only if `after` is nil) */
    size_t limit;
} store_page_t;

/* Calls `each` with decoded rows; a non-zero return stops and is returned. *more says whether
 * another page follows. */
int store_list (txn_t *txn, const schema_record_t *record, const store_page_t *page, arena_t *arena,
                int (*each) (void *context, const void *row), void *context, bool *more);
/* Kept counter of a counted index: records with these values of the fields (all of them, or the
 * first alone). */
int store_count (txn_t *txn, const schema_record_t *record, const char *index,
                 const store_key_t *keys, size_t key_count, uint64_t *out);

#endif
