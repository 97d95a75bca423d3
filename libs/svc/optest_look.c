/* optest_look.c - what an operation test sees of the store from outside: how many rows a table has, and where a text stands. */
#include <stdio.h>
#include <string.h>

#include "svc/inner.h"
#include "svc/optest.h"

typedef struct looking {
    store_t *store;
    txn_t *txn;
    const char *text, *but; /* of rows_with */
    const char *table;      /* of rows */
    int64_t found;
} looking_t;

static int tables_look (optest_t *self, looking_t *l,
                        void (*look) (void *context, const char *name, uint64_t entries,
                                      uint64_t bytes))
{
    l->store = optest_store (self);
    int rc = txn_begin (l->store, TXN_READ, &l->txn);
    if (rc)
        return rc;
    rc = store_table_stats (l->txn, look, l);
    txn_abort (&l->txn);
    return rc;
}

static void text_look (void *context, const char *name, uint64_t entries, uint64_t bytes)
{
    (void) entries, (void) bytes;
    looking_t *l = context;
    kv_cursor_t walk = {.table = store_table (l->store, name)};
    bytes_t key, value;
    size_t size = strlen (l->text);
    bool passed = l->but && strcmp (name, l->but) == 0;
    while (walk.table && !passed && !kv_next (l->txn, &walk, &key, &value))
        l->found += memmem (key.data, key.size, l->text, size) ||
                    (value.size && memmem (value.data, value.size, l->text, size));
    kv_stop (&walk);
}

int64_t optest_rows_with (optest_t *self, const char *text, const char *but)
{
    looking_t l = {.text = text, .but = but};
    return tables_look (self, &l, text_look) ? -1 : l.found;
}

static void rows_look (void *context, const char *name, uint64_t entries, uint64_t bytes)
{
    (void) bytes;
    looking_t *l = context;
    if (strcmp (name, l->table) == 0)
        l->found = (int64_t) entries;
}

int64_t optest_rows (optest_t *self, const char *record)
{
    char name[64];
    looking_t l = {.table = name, .found = -1};
    snprintf (name, sizeof name, "%s.%s", optest_svc (self)->schema->name, record);
    return tables_look (self, &l, rows_look) ? -1 : l.found;
}
