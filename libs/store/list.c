/* list.c - pages of records over an index, in both directions. */
#include <string.h>

#include "store/private.h"

enum { PLACE_FIELDS = 8 };

typedef struct lister {
    txn_t *txn;
    const schema_record_t *record;
    record_table_t *table;
    const schema_index_t *index; /* NULL = by id */
    const store_page_t *page;
    index_key_t prefix;
    index_key_t from;
    kv_cursor_t cursor;
} lister_t;

/* Where it stood, whatever its row says now. */
static int place_told (lister_t *self, void *row)
{
    const store_page_t *page = self->page;
    const schema_record_t *record = self->record;
    store_key_t keys[PLACE_FIELDS];
    if (!self->index || self->index->count > PLACE_FIELDS || page->key_count > self->index->count)
        return E_INTERNAL;
    for (size_t i = 0; i < self->index->count; i++)
        keys[i] = i < page->key_count ? page->keys[i] : page->place[i - page->key_count];
    memcpy ((uint8_t *) row + record->id->offset, page->after.b, sizeof page->after.b);
    return index_row_key (record, self->index, keys, self->index->count, row, &self->from);
}

/* Where the record that was seen last stands: `keys` and, for the other fields, its own. */
static int place_after (lister_t *self, arena_t *arena)
{
    const store_page_t *page = self->page;
    const schema_record_t *record = self->record;
    void *row = arena_alloc (arena, record->type->size);
    if (!row)
        return E_NO_MEMORY;
    if (page->place)
        return place_told (self, row);
    if (!self->index || page->key_count == self->index->count)
        memcpy ((uint8_t *) row + record->id->offset, page->after.b, sizeof page->after.b);
    else {
        int rc = store_get_any (self->txn, record, page->after, arena, row);
        if (rc)
            return rc;
    }
    if (self->index)
        return index_row_key (record, self->index, page->keys, page->key_count, row, &self->from);
    memcpy (self->from.data, page->after.b, sizeof page->after.b);
    self->from.size = sizeof page->after.b;
    return 0;
}

static int lister_start (lister_t *self, arena_t *arena)
{
    const store_page_t *page = self->page;
    size_t n = 0;
    if (page->index)
        self->index = index_find (self->record, page->index, &n);
    if (!self->table || (page->index ? !self->index : page->key_count > 0))
        return E_INTERNAL;
    self->cursor.table = self->index ? self->table->indexes[n] : self->table->rows;
    self->cursor.reverse = page->newest_first;
    int rc =
        self->index ? index_prefix (self->index, page->keys, page->key_count, &self->prefix) : 0;
    if (rc)
        return rc;
    self->cursor.prefix = bytes_of (self->prefix.data, self->prefix.size);
    if (id_is_nil (page->after))
        return 0;
    rc = place_after (self, arena);
    self->cursor.from = bytes_of (self->from.data, self->from.size);
    self->cursor.after = true;
    return rc;
}

/* The next record's id; for lists by id its row too, which saves a look-up. */
static int lister_next (lister_t *self, id16_t *id, bytes_t *row)
{
    bytes_t key, value;
    int rc = self->txn->mode == TXN_WRITE ? entries_settle (self->txn, self->cursor.table) : 0;
    if (!rc)
        rc = kv_next (self->txn, &self->cursor, &key, &value);
    if (rc)
        return rc;
    bytes_t from = self->index && self->index->unique ? value : key;
    if (from.size < sizeof id->b)
        return E_CORRUPT;
    memcpy (id->b, from.data + from.size - sizeof id->b, sizeof id->b);
    *row = value;
    return 0;
}

static int lister_row (lister_t *self, id16_t id, bytes_t packed, arena_t *arena, void **out)
{
    if (self->index) {
        int rc = kv_get (self->txn, self->table->rows, bytes_of (id.b, sizeof id.b), &packed);
        if (rc)
            return rc == E_NOT_FOUND ? E_CORRUPT : rc;
    }
    *out = arena_alloc (arena, self->record->type->size);
    return *out ? row_decode (self->record, packed, arena, *out) : E_NO_MEMORY;
}

static int lister_run (lister_t *self, arena_t *arena, int (*each) (void *context, const void *row),
                       void *context, bool *more)
{
    size_t skip = id_is_nil (self->page->after) ? self->page->offset : 0;
    size_t left = self->page->limit;
    id16_t id;
    bytes_t packed;
    void *row;
    int rc;
    while (!(rc = lister_next (self, &id, &packed))) {
        if (skip) {
            skip--;
            continue;
        }
        if (!left) {
            *more = true;
            return 0;
        }
        left--;
        rc = lister_row (self, id, packed, arena, &row);
        if (!rc)
            rc = each (context, row);
        if (rc)
            return rc;
    }
    return rc == E_NOT_FOUND ? 0 : rc;
}

int store_list (txn_t *txn, const schema_record_t *record, const store_page_t *page, arena_t *arena,
                int (*each) (void *context, const void *row), void *context, bool *more)
{
    lister_t self = {
        .txn = txn, .record = record, .page = page, .table = store_record (txn->store, record)};
    bool unused;
    if (!more)
        more = &unused;
    *more = false;
    int rc = lister_start (&self, arena);
    if (rc) /* keys too long to be in the index: an empty page */
        return rc == E_TOO_LARGE ? 0 : rc;
    rc = lister_run (&self, arena, each, context, more);
    kv_stop (&self.cursor);
    return rc;
}
