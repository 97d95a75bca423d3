/* optest_dump.c - see optest_dump.h. */
#include "svc/optest_dump.h"

#include <stdlib.h>
#include <string.h>

enum { DUMP_MEMORY = 256 << 20, ROWS_FIRST = 256 };

typedef struct dump_row {
    const char *table;
    bytes_t key, value;
} dump_row_t;

struct dump {
    arena_t *arena;
    dump_row_t *rows; /* by table, then key */
    size_t count, most;
    const char **tables;
    size_t table_count, table_most;
    const char *const *skip;
};

static void table_seen (void *context, const char *table, uint64_t entries, uint64_t bytes)
{
    dump_t *self = context;
    (void) entries, (void) bytes;
    for (const char *const *skip = self->skip; skip && *skip; skip++)
        if (strcmp (*skip, table) == 0)
            return;
    if (self->table_count == self->table_most) {
        size_t more = self->table_most ? 2 * self->table_most : 64;
        self->tables =
            arena_grow (self->arena, self->tables, self->table_most * sizeof *self->tables,
                        more * sizeof *self->tables);
        self->table_most = more;
    }
    self->tables[self->table_count++] = arena_strdup (self->arena, table);
}

static int by_name (const void *a, const void *b)
{
    return strcmp (*(const char *const *) a, *(const char *const *) b);
}

static bytes_t copy (dump_t *self, bytes_t in)
{
    return bytes_of (arena_memdup (self->arena, in.data, in.size), in.size);
}

/* Tables that take turns are one. */
static const char *shown (dump_t *self, const char *name)
{
    size_t length = strlen (name);
    bool turned = strncmp (name, "svc.", 4) == 0 && name[length - 2] == '_' &&
                  (name[length - 1] == 'a' || name[length - 1] == 'b');
    return turned ? arena_strndup (self->arena, name, length - 2) : name;
}

static int table_read (dump_t *self, store_t *store, txn_t *txn, const char *name)
{
    kv_cursor_t walk = {.table = store_table (store, name)};
    const char *shown_as = shown (self, name);
    bytes_t key, value;
    int rc = walk.table ? 0 : E_NOT_FOUND;
    while (!rc && !(rc = kv_next (txn, &walk, &key, &value))) {
        if (self->count == self->most) {
            size_t more = self->most ? 2 * self->most : ROWS_FIRST;
            self->rows = arena_grow (self->arena, self->rows, self->most * sizeof *self->rows,
                                     more * sizeof *self->rows);
            self->most = more;
        }
        self->rows[self->count++] = (dump_row_t){shown_as, copy (self, key), copy (self, value)};
    }
    return rc == E_NOT_FOUND ? 0 : rc;
}

static int bytes_order (bytes_t a, bytes_t b)
{
    int order = memcmp (a.data, b.data, a.size < b.size ? a.size : b.size);
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

static int row_order (const dump_row_t *a, const dump_row_t *b)
{
    if (!a || !b)
        return a ? -1 : 1;
    int order = strcmp (a->table, b->table);
    return order ? order : bytes_order (a->key, b->key);
}

static int by_row (const void *a, const void *b)
{
    return row_order (a, b);
}

dump_t *dump_new (store_t *store, const char *const *skip)
{
    txn_t *txn = NULL;
    dump_t *self = calloc (1, sizeof *self);
    if (!self || !(self->arena = arena_new (DUMP_MEMORY)) || txn_begin (store, TXN_READ, &txn)) {
        dump_destroy (&self);
        return NULL;
    }
    self->skip = skip;
    int rc = store_table_stats (txn, table_seen, self);
    if (self->table_count)
        qsort (self->tables, self->table_count, sizeof *self->tables, by_name);
    for (size_t i = 0; !rc && i < self->table_count; i++)
        rc = table_read (self, store, txn, self->tables[i]);
    txn_abort (&txn);
    if (self->count)
        qsort (self->rows, self->count, sizeof *self->rows, by_row);
    if (rc)
        dump_destroy (&self);
    return self;
}

void dump_destroy (dump_t **self)
{
    if (!*self)
        return;
    arena_destroy (&(*self)->arena);
    free (*self);
    *self = NULL;
}

const char *dump_delta (const dump_t *before, dump_t *after)
{
    buf_t out = buf_in (after->arena);
    const char *table = NULL;
    unsigned came = 0, went = 0, changed = 0;
    size_t i = 0, j = 0;
    for (bool end = false; !end;) {
        const dump_row_t *a = i < before->count ? &before->rows[i] : NULL;
        const dump_row_t *b = j < after->count ? &after->rows[j] : NULL;
        end = !a && !b;
        int order = end ? 0 : row_order (a, b);
        const char *here = end ? NULL : order <= 0 ? a->table : b->table;
        if (table && (!here || strcmp (table, here) != 0)) {
            if (came || went || changed)
                buf_printf (&out, "%s +%u -%u ~%u, ", table, came, went, changed);
            came = went = changed = 0;
        }
        table = here;
        came += !end && order > 0;
        went += !end && order < 0;
        changed += !end && order == 0 && !bytes_equal (a->value, b->value);
        i += order <= 0;
        j += order >= 0;
    }
    return buf_text (&out);
}
