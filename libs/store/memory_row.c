/* memory_row.c - tables, rows and cursors of the memory backend.
 *
 * A cursor is its last key: it finds its place again in whatever the transaction has made of the table.
 *
 * Fails with E_NO_MEMORY, E_MAP_FULL (rows larger than the map would be), E_UNAVAILABLE (no such table
 * for this transaction), E_TOO_LARGE, E_CONFLICT_RETRY. */
#include <stdlib.h>
#include <string.h>

#include "store/memory_inner.h"

/* ---- tables ---- */

static int table_use (const memory_txn_t *txn, unsigned table)
{
    int rc = memory_use (txn);
    return rc                                                             ? rc
           : table < txn->space->tables && txn->space->slots[table].there ? 0
                                                                          : E_UNAVAILABLE;
}

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

int memory_table (void *env, void *txn, const char *name, bool create, unsigned *out)
{
    memory_t *self = env;
    memory_txn_t *t = txn;
    int rc = memory_use (t);
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
        rc = log_add (&t->log, LOG_TABLE, n, bytes_of_str (name), (bytes_t){0});
    if (rc)
        return rc;
    if (!there)
        t->space->slots[n].there = true;
    *out = n;
    return 0;
}

int memory_table_stat (void *env, void *txn, unsigned table, uint64_t *entries, uint64_t *bytes)
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

int memory_get (void *env, void *txn, unsigned table, bytes_t key, bytes_t *value)
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
        return memory_give (t, row, NULL, value);
    memory_take_back (t);
    return E_NOT_FOUND;
}

int memory_seek (void *env, void *txn, unsigned table, bytes_t *key, bytes_t *value)
{
    (void) env;
    memory_txn_t *t = txn;
    int rc = table_use (t, table);
    if (rc)
        return rc;
    if (!key->size || key->size > MEMORY_KEY_MAX)
        return E_TOO_LARGE;
    const row_t *row = tree_up (&t->space->slots[table].tree, *key, false);
    if (row)
        return memory_give (t, row, key, value);
    memory_take_back (t);
    return E_NOT_FOUND;
}

/* What was given goes before the arguments are looked at: they must not be it. */
static int write_use (memory_txn_t *t, unsigned table, bytes_t key)
{
    memory_check (t->write, "a write in a read");
    memory_take_back (t);
    int rc = table_use (t, table);
    return rc ? rc : key.size < 1 || key.size > MEMORY_KEY_MAX ? E_TOO_LARGE : 0;
}

static int logged (memory_txn_t *t, int rc, size_t before)
{
    if (rc)
        t->log.size = before;
    return rc;
}

int memory_put (void *env, void *txn, unsigned table, bytes_t key, bytes_t value, backend_put_t how)
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
    size_t before = t->log.size;
    rc = log_add (&t->log, LOG_PUT, table, key, value);
    return rc ? rc : logged (t, space_put (t->space, table, key, value), before);
}

int memory_del (void *env, void *txn, unsigned table, bytes_t key)
{
    (void) env;
    memory_txn_t *t = txn;
    int rc = write_use (t, table, key);
    if (rc)
        return rc;
    size_t before = t->log.size;
    rc = log_add (&t->log, LOG_DEL, table, key, (bytes_t){0});
    return rc ? rc : logged (t, space_del (t->space, table, key), before);
}

int memory_clear (void *env, void *txn, unsigned table)
{
    (void) env;
    memory_txn_t *t = txn;
    int rc = write_use (t, table, bytes_of_str ("any"));
    if (!rc)
        rc = log_add (&t->log, LOG_CLEAR, table, (bytes_t){0}, (bytes_t){0});
    if (!rc)
        space_clear (t->space, table);
    return rc;
}

/* ---- cursors ---- */

int memory_cursor_open (void *env, void *txn, unsigned table, void **out)
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

void memory_cursor_close (void *cursor)
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

int memory_cursor_move (void *env, void *cursor, backend_move_t move, bytes_t *key, bytes_t *value)
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
        memory_take_back (self->txn);
        return E_NOT_FOUND;
    }
    self->placed = true;
    self->key_size = row->key_size;
    memcpy (self->key, row_key (row).data, row->key_size);
    return memory_give (self->txn, row, key, value);
}
