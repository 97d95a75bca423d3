/* private.h - the insides that the files of libs/store share. */
#ifndef AVIARY_STORE_PRIVATE_H
#define AVIARY_STORE_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "store/backend.h"
#include "store/store.h"

enum { ERROR_SIZE = 256, SCRATCH_LIMIT = 64 << 20, POOL_MAX = 64 };
enum { KEY_MAX = 480, COUNTER_HEAD = 7, COUNTER_MAX = COUNTER_HEAD + KEY_MAX /* LMDB: 511 */ };

struct table {
    char *name;
    unsigned handle; /* the backend's number, once `open` */
    atomic_bool open;
    size_t key_max;
    uint64_t generation; /* moves with every write; only the one writer reads and writes it */
    size_t pending;      /* entries that wait in the write transaction; the writer's too */
};

/* A record with its tables. */
typedef struct record_table {
    const schema_record_t *record;
    table_t *rows;
    table_t **indexes;
    uint64_t indexed; /* the fields that its indexes are of; bit i: type->fields[i] */
} record_table_t;

struct store {
    const backend_t *backend;
    void *env;
    char *folder;
    const schema_service_t *service;
    const migration_t *migrations;
    size_t migration_count;

    table_t *tables; /* all of them; never moves after open */
    size_t table_count;
    table_t *meta;
    table_t *counts;
    record_table_t *records;
    size_t record_count;

    int host_fd;
    int owner_fd;
    pthread_mutex_t own_lock;   /* taking and giving up ownership */
    pthread_mutex_t write_lock; /* held for the life of a write transaction; error-checking */
    pthread_mutex_t pool_lock;  /* idle, idle_count, error texts */
    atomic_bool owner;
    atomic_bool failed;      /* a commit failed */
    atomic_uintptr_t writer; /* the thread that holds write_lock for a transaction; 0 = none */

    txn_t *idle; /* read transactions to renew */
    unsigned idle_count;
    txn_t *spare; /* the write transaction's object with its buffers; under write_lock */

    atomic_uint fail_write;
    atomic_bool fail_commit;
    char error[ERROR_SIZE];       /* the first failure */
    char error_fatal[ERROR_SIZE]; /* the commit that failed */
};

typedef struct counters counters_t;
typedef struct entries entries_t;

typedef struct pending_mark {
    size_t counters, entries, written;
} pending_mark_t;

typedef struct trail trail_t;

typedef struct level {
    int doom;        /* first failed write */
    uint64_t writes; /* of the whole transaction when the level began */
    pending_mark_t pending;
    size_t trail;
} level_t;

typedef struct cursor_state {
    struct cursor_state *prev, *next;
    txn_t *txn;
    table_t *table;
    void *handle;
    buf_t last; /* last key given; kept in write transactions only: in others nothing changes */
    bool placed;
    uint64_t generation;
} cursor_state_t;

struct txn {
    txn_t *next; /* in the pool */
    store_t *store;
    int mode;
    void *handle;    /* the backend's */
    level_t *levels; /* [0] is the transaction itself, the rest savepoints */
    size_t depth;    /* index of the innermost */
    size_t level_capacity;
    uint64_t writes;
    bool conflicted; /* E_CONFLICT_RETRY was said: it cannot commit */
    cursor_state_t *cursors;
    buf_t row;            /* packed row on its way */
    arena_t *scratch;     /* old rows, decoded */
    counters_t *counters; /* moved and not stored yet; NULL = none ever */
    entries_t *entries;   /* the same of indexes */
    trail_t *trail;       /* what savepoints changed */
};

/* What the backend said in a transaction; returns it. */
static inline int txn_note (txn_t *self, int code)
{
    if (__builtin_expect (code == E_CONFLICT_RETRY, 0))
        self->conflicted = self->mode == TXN_WRITE;
    return code;
}

/* Address space only. Under tsan there is not always room for more. */
#ifdef __SANITIZE_THREAD__
#define STORE_MAP_SIZE (1ULL << 34)
#else
#define STORE_MAP_SIZE (1ULL << 40)
#endif

/* compact.c: before the store is opened; returns when nobody wishes it (any more). */
void compact_if_wanted (const backend_t *backend, const char *folder, uint64_t map_size);

/* host.c: the folder, who may open it, who owns it. 0 or a code with failure filled. */
int host_folder (const char *folder, failure_t *failure);
int host_enter (store_t *self, failure_t *failure);
int host_owner_open (store_t *self, failure_t *failure);
bool host_owner_try (store_t *self);
int host_sync_folder (const char *folder);
uint64_t host_data_bytes (const char *folder); /* of data.mdb, which is not opened; 0: none */
bool host_data_is_open (const char *folder);   /* by this process, whoever opened it */

/* meta.c: versions, migrations, epoch, opening the tables. */
int meta_open_owner (store_t *self, failure_t *failure); /* create, check, index, migrate */
int meta_open_other (store_t *self, failure_t *failure); /* E_NOT_FOUND: not made yet */

/* store.c */
void store_note_error (store_t *self, int code, const char *what, bool fatal);
record_table_t *store_record (store_t *self, const schema_record_t *record);

/* txn.c */
int txn_begin_any (store_t *store, txn_t **out); /* write, without being owner yet */
void *txn_handle (txn_t *self);                  /* where reads go */
int txn_write_handle (txn_t *self, void **out);  /* where writes go, if they may */
int txn_doom (txn_t *self, int code);            /* the innermost level; returns code */
int txn_doom_all (txn_t *self, int code);
void txn_free (txn_t *self);
int txn_scratch (txn_t *self, arena_t **out); /* emptied */

/* trail.c: before a write in a savepoint. `old` is the row that is there, NULL: none. 0 or E_NO_MEMORY. */
int trail_note (txn_t *txn, table_t *table, bytes_t key, const bytes_t *old);
int trail_cleared (txn_t *txn, table_t *table); /* whole tables do not come back */
void trail_unstep (txn_t *txn);                 /* the write changed nothing */
size_t trail_mark (const txn_t *txn);
int trail_back (txn_t *txn, size_t mark); /* not 0: the transaction is of no use any more */
void trail_forget (txn_t *txn);
void trail_destroy (trail_t **self);

/* kv.c */
int kv_add (txn_t *txn, table_t *table, bytes_t key,
            bytes_t value); /* E_ALREADY_EXISTS instead of replacing */
/* As kv_put and kv_del, of a row that the caller has read: `old`, as kv_get gave it. */
int kv_replace (txn_t *txn, table_t *table, bytes_t key, bytes_t value, bytes_t old);
int kv_remove (txn_t *txn, table_t *table, bytes_t key, bytes_t old);
void cursors_unhandle (txn_t *txn);
void cursors_free (txn_t *txn);

/* Of a key that is looked for in memory; nothing stored holds it. */
static inline uint32_t key_hash (bytes_t key)
{
    uint64_t hash = key.size, word = 0;
    size_t at = 0;
    for (; at + sizeof word <= key.size; at += sizeof word) {
        memcpy (&word, key.data + at, sizeof word);
        hash = (hash ^ word) * UINT64_C (0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
    }
    for (; at < key.size; at++)
        hash = (hash ^ key.data[at]) * UINT64_C (0x9e3779b97f4a7c15);
    return (uint32_t) (hash ^ hash >> 32);
}

/* counter.c: the counter of an index for its first `fields` fields, whose key is prefix[size]. */
int counter_add (txn_t *txn, const schema_record_t *record, const schema_index_t *index,
                 size_t fields, const uint8_t *prefix, size_t size, int delta /* 1, -1 */);
int counter_get (txn_t *txn, const schema_record_t *record, const schema_index_t *index,
                 size_t fields, const uint8_t *prefix, size_t size, uint64_t *out);
/* All of an index, with nothing pending. */
int counters_clear (txn_t *txn, const schema_record_t *record, const schema_index_t *index);
size_t counters_mark (const txn_t *txn);
void counters_undo (txn_t *txn, size_t mark);
int counters_store (txn_t *txn);
void counters_forget (txn_t *txn);
void counters_destroy (counters_t **self);

/* pending.c: an entry of a plain index is to be made or to go. */
int entry_later (txn_t *txn, table_t *table, bytes_t key, bool add);
/* Before an index is read in a write transaction: write what waits. */
int entries_settle (txn_t *txn, const table_t *table);
pending_mark_t pending_mark (const txn_t *txn); /* where a savepoint begins */
void pending_undo (txn_t *txn, const pending_mark_t *mark);
int pending_settle (txn_t *txn); /* all, before the commit */
void pending_forget (txn_t *txn);
void pending_destroy (txn_t *txn);

/* index.c */
typedef struct index_key {
    uint8_t data[KEY_MAX];
    size_t size;   /* whole key */
    size_t fields; /* of it, the fields */
    size_t first;  /* of it, the first field */
    bool entry;    /* false: unique and its last field absent */
} index_key_t;

const schema_index_t *index_find (const schema_record_t *record, const char *name, size_t *number);
bool index_kind_ok (int kind);
/* The first `count` fields from `keys`. */
int index_prefix (const schema_index_t *index, const store_key_t *keys, size_t count,
                  index_key_t *out);
/* All of a row's; the first `key_count` fields from `keys` in place of the row's. */
int index_row_key (const schema_record_t *record, const schema_index_t *index,
                   const store_key_t *keys, size_t key_count, const void *row, index_key_t *out);
bool index_key_absent (const schema_field_t *field, const store_key_t *key);
/* Would `row` clash with another? E_ALREADY_EXISTS with *clash, E_TOO_LARGE. Writes nothing. `old` is what it replaces (NULL = none). */
int index_check (txn_t *txn, record_table_t *table, const void *old, const void *row,
                 const char **clash);
/* Entries and counters from old (NULL = none) to row (NULL = none). Of old only the indexed fields count. */
int index_update (txn_t *txn, record_table_t *table, const void *old, const void *row);
/* Make index number `n` anew from the rows. */
int index_build (txn_t *txn, record_table_t *table, size_t n);
void index_signature (const schema_index_t *index, buf_t *out);

/* record.c */
id16_t row_id (const schema_field_t *field, const void *row);
int row_decode (const schema_record_t *record, bytes_t packed, arena_t *arena, void *out);
/* What indexes are of and what is unknown, in the scratch arena; *packed too, from there on. */
int row_decode_scratch (txn_t *txn, const record_table_t *table, bytes_t *packed, void **out);

#endif
