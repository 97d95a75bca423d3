/* memory_inner.h - what the files of the memory backend share. */
#ifndef AVIARY_STORE_MEMORY_INNER_H
#define AVIARY_STORE_MEMORY_INNER_H

#include "store/memory.h"
#include "store/memory_space.h"
#include "store/private.h"

enum { MEMORY_KEY_MAX = 511 };

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
    bool write;
    space_t *space; /* NULL: reset */
    unsigned cursors;
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

/* memory.c */
void memory_check (bool right, const char *wrong); /* else our own bug: ends the program */
bool memory_chance (memory_t *self, unsigned in);  /* one time in so many; 0 = never */
void memory_delay (memory_t *self);
int memory_fail (memory_t *self, int rc); /* notes errno; returns rc */
space_t *memory_newest (memory_t *self);  /* shared */

/* memory_txn.c */
int memory_begin (void *env, bool write, void **out);
int memory_commit (void *env, void *txn);
void memory_abort (void *txn);
void memory_reset (void *txn);
int memory_renew (void *env, void *txn);
/* Before each call in a transaction: 0 or E_CONFLICT_RETRY. */
int memory_use (const memory_txn_t *txn);
/* A row's key (NULL: not wanted) and value, to be taken back at the next call. */
int memory_give (memory_txn_t *txn, const row_t *row, bytes_t *key, bytes_t *value);
void memory_take_back (memory_txn_t *txn);

/* memory_row.c: see backend.h */
int memory_table (void *env, void *txn, const char *name, bool create, unsigned *out);
int memory_table_stat (void *env, void *txn, unsigned table, uint64_t *entries, uint64_t *bytes);
int memory_get (void *env, void *txn, unsigned table, bytes_t key, bytes_t *value);
int memory_seek (void *env, void *txn, unsigned table, bytes_t *key, bytes_t *value);
int memory_put (void *env, void *txn, unsigned table, bytes_t key, bytes_t value,
                backend_put_t how);
int memory_del (void *env, void *txn, unsigned table, bytes_t key);
int memory_clear (void *env, void *txn, unsigned table);
int memory_cursor_open (void *env, void *txn, unsigned table, void **out);
void memory_cursor_close (void *cursor);
int memory_cursor_move (void *env, void *cursor, backend_move_t move, bytes_t *key, bytes_t *value);

#endif
