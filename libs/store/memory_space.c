/* memory_space.c - see memory_space.h. Fails with E_NO_MEMORY, and as memory_file.c does. */
#include "store/memory_space.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

enum { TABLES_MOST = 4096 };

space_t *space_new (unsigned tables)
{
    size_t size = sizeof (space_t) + tables * sizeof (slot_t);
    space_t *self = memory_alloc (size);
    if (!self)
        return NULL;
    memset (self, 0, size);
    atomic_init (&self->count, 1);
    self->tables = tables;
    return self;
}

space_t *space_copy (const space_t *self)
{
    space_t *copy = space_new (self->tables);
    if (!copy)
        return NULL;
    copy->bytes = self->bytes;
    for (unsigned i = 0; i < self->tables; i++)
        copy->slots[i] = (slot_t){tree_share (&self->slots[i].tree), self->slots[i].there};
    return copy;
}

space_t *space_share (space_t *self)
{
    atomic_fetch_add (&self->count, 1);
    return self;
}

void space_drop (space_t *self)
{
    if (!self || atomic_fetch_sub (&self->count, 1) != 1)
        return;
    for (unsigned i = 0; i < self->tables; i++)
        tree_drop (&self->slots[i].tree);
    free (self);
}

int space_put (space_t *self, unsigned table, bytes_t key, bytes_t value)
{
    tree_t *tree = &self->slots[table].tree;
    uint64_t before = tree->bytes;
    int rc = tree_put (tree, key, value);
    self->bytes += tree->bytes - before;
    return rc;
}

int space_del (space_t *self, unsigned table, bytes_t key)
{
    tree_t *tree = &self->slots[table].tree;
    uint64_t before = tree->bytes;
    int rc = tree_del (tree, key);
    self->bytes += tree->bytes - before;
    return rc;
}

void space_clear (space_t *self, unsigned table)
{
    self->bytes -= self->slots[table].tree.bytes;
    tree_drop (&self->slots[table].tree);
}

/* ---- images ---- */

/* Numbers that an aborted transaction gave out may be left out. */
static int image_table (image_t *self, const log_entry_t *entry)
{
    unsigned n = entry->table;
    if (n >= self->space->tables)
        return E_CORRUPT;
    if (!self->names[n]) {
        char *name = memory_alloc (entry->key.size + 1);
        if (!name)
            return E_NO_MEMORY;
        memcpy (name, entry->key.data, entry->key.size);
        name[entry->key.size] = 0;
        self->names[n] = name;
    }
    self->count = n < self->count ? self->count : n + 1;
    self->space->slots[n].there = true;
    return 0;
}

static int image_entry (void *context, const log_entry_t *entry)
{
    image_t *self = context;
    if (entry->op == LOG_TABLE)
        return image_table (self, entry);
    if (entry->table >= self->count || !self->space->slots[entry->table].there)
        return E_CORRUPT;
    switch (entry->op) {
    case LOG_PUT:
        return space_put (self->space, entry->table, entry->key, entry->value);
    case LOG_DEL: {
        int rc = space_del (self->space, entry->table, entry->key);
        return rc == E_NOT_FOUND ? E_CORRUPT : rc;
    }
    case LOG_CLEAR:
        space_clear (self->space, entry->table);
        return 0;
    default:
        return E_CORRUPT;
    }
}

static int number_entry (void *context, const log_entry_t *entry)
{
    unsigned *most = context;
    *most = entry->table < *most || entry->table > TABLES_MOST ? *most : entry->table + 1;
    return 0;
}

int image_load (image_t *self, int fd, unsigned spare, off_t *end)
{
    unsigned tables = 0;
    *self = (image_t){0};
    int rc = log_read (fd, number_entry, &tables, end);
    tables += spare;
    self->names = rc ? NULL : calloc (tables, sizeof *self->names);
    self->space = self->names ? space_new (tables) : NULL;
    if (!rc)
        rc = self->space ? log_read (fd, image_entry, self, end) : E_NO_MEMORY;
    if (rc)
        image_free (self);
    return rc;
}

void image_free (image_t *self)
{
    for (unsigned i = 0; i < self->count; i++)
        free (self->names[i]);
    free (self->names);
    space_drop (self->space);
    *self = (image_t){0};
}

int image_write (char *const *names, unsigned count, const space_t *space, int fd)
{
    memory_log_t log = {0};
    off_t at = 0;
    int rc = 0;
    for (unsigned i = 0; i < count && !rc; i++) {
        const tree_t *tree = &space->slots[i].tree;
        if (!space->slots[i].there)
            continue;
        rc = log_add (&log, LOG_TABLE, i, bytes_of_str (names[i]), (bytes_t){0});
        const row_t *row = tree_edge (tree, false);
        for (; row && !rc; row = tree_up (tree, row_key (row), true))
            rc = log_add (&log, LOG_PUT, i, row_key (row), row_value (row));
    }
    if (!rc)
        rc = log_write (&log, fd, &at);
    log_free (&log);
    return rc;
}
