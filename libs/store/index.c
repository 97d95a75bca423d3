/* index.c - keys of indexes, their entries and counters.
 *
 * A key is its fields one after another, each written so that byte order is value order and no
 * value is the beginning of another: ids 16 bytes, text its bytes and a 0, numbers 8 bytes big
 * endian with the sign turned, bool one byte. A plain index appends the record's id and has empty
 * values; a unique one has the id as value and no entry for rows whose last field is absent.
 *
 * Counters: counter.c. */
#include <endian.h>
#include <inttypes.h>
#include <string.h>

#include "store/private.h"

/* ---- keys ---- */

const schema_index_t *index_find (const schema_record_t *record, const char *name, size_t *number)
{
    for (size_t i = 0; name && i < record->index_count; i++)
        if (strcmp (record->indexes[i].name, name) == 0) {
            *number = i;
            return &record->indexes[i];
        }
    return NULL;
}

bool index_kind_ok (int kind)
{
    return kind == SK_ID || kind == SK_STR || kind == SK_INT || kind == SK_TIME ||
           kind == SK_ENUM || kind == SK_BOOL;
}

static inline __attribute__ ((always_inline)) store_key_t field_key (const schema_field_t *field,
                                                                     const void *row)
{
    const uint8_t *at = (const uint8_t *) row + field->offset;
    store_key_t key = {0};
    int32_t word;
    bool flag;
    switch (field->kind) {
    case SK_ID:
        memcpy (&key.id, at, sizeof key.id);
        break;
    case SK_STR:
        memcpy (&key.str, at, sizeof key.str);
        break;
    case SK_ENUM:
        memcpy (&word, at, sizeof word);
        key.num = word;
        break;
    case SK_BOOL:
        memcpy (&flag, at, sizeof flag);
        key.num = flag;
        break;
    default:
        memcpy (&key.num, at, sizeof key.num);
    }
    return key;
}

bool index_key_absent (const schema_field_t *field, const store_key_t *key)
{
    return field->kind == SK_ID    ? id_is_nil (key->id)
           : field->kind == SK_STR ? !key->str
                                   : !key->num;
}

static inline __attribute__ ((always_inline)) int key_add (index_key_t *out, const void *data,
                                                           size_t size)
{
    if (size > KEY_MAX - out->size)
        return E_TOO_LARGE;
    memcpy (out->data + out->size, data, size);
    out->size += size;
    return 0;
}

static inline __attribute__ ((always_inline)) int field_add (index_key_t *out, int kind,
                                                             const store_key_t *key)
{
    uint8_t b[8];
    if (kind == SK_ID)
        return key_add (out, key->id.b, sizeof key->id.b);
    if (kind == SK_STR)
        return key_add (out, key->str ? key->str : "", key->str ? strlen (key->str) + 1 : 1);
    if (kind == SK_BOOL) {
        b[0] = key->num != 0;
        return key_add (out, b, 1);
    }
    uint64_t n = htobe64 ((uint64_t) key->num ^ 1ULL << 63);
    memcpy (b, &n, sizeof b);
    return key_add (out, b, 8);
}

static int fields_add (const schema_index_t *index, const store_key_t *keys, size_t key_count,
                       const void *row, size_t count, index_key_t *out)
{
    out->size = out->fields = out->first = 0;
    out->entry = true;
    for (size_t i = 0; i < count; i++) {
        const schema_field_t *field = index->fields[i];
        store_key_t key = keys && i < key_count ? keys[i] : field_key (field, row);
        int rc = field_add (out, field->kind, &key);
        if (rc)
            return rc;
        if (i == 0)
            out->first = out->size;
        if ((index->unique && i + 1 == index->count) || (index->sparse && i == 0))
            out->entry = out->entry && !index_key_absent (field, &key);
    }
    out->fields = out->size;
    return 0;
}

int index_prefix (const schema_index_t *index, const store_key_t *keys, size_t count,
                  index_key_t *out)
{
    return count > index->count ? E_INTERNAL : fields_add (index, keys, count, NULL, count, out);
}

int index_row_key (const schema_record_t *record, const schema_index_t *index,
                   const store_key_t *keys, size_t key_count, const void *row, index_key_t *out)
{
    int rc = fields_add (index, keys, key_count, row, index->count, out);
    if (rc || index->unique)
        return rc;
    id16_t id = row_id (record->id, row);
    return key_add (out, id.b, sizeof id.b);
}

void index_signature (const schema_index_t *index, buf_t *out)
{
    buf_printf (out, "%c%c%s", index->unique ? 'u' : '-', index->counted ? 'c' : '-',
                index->sparse ? "s" : "");
    for (size_t i = 0; i < index->count; i++)
        buf_printf (out, " %u:%u", index->fields[i]->number, index->fields[i]->kind);
}

/* ---- counters ---- */

static int counter_move (txn_t *txn, const record_table_t *table, const schema_index_t *index,
                         size_t fields, const index_key_t *key, int delta)
{
    return counter_add (txn, table->record, index, fields, key->data,
                        fields == 1 ? key->first : key->fields, delta);
}

static bool same (const index_key_t *a, size_t a_size, const index_key_t *b, size_t b_size)
{
    return a && b && a_size == b_size && memcmp (a->data, b->data, a_size) == 0;
}

static int counters_update (txn_t *txn, const record_table_t *table, const schema_index_t *index,
                            const index_key_t *old, const index_key_t *row)
{
    int rc = 0;
    if (!index->counted || !index->count)
        return 0;
    if (!same (old, old ? old->fields : 0, row, row ? row->fields : 0)) {
        rc = old ? counter_move (txn, table, index, index->count, old, -1) : 0;
        if (!rc && row)
            rc = counter_move (txn, table, index, index->count, row, 1);
    }
    if (!rc && index->count > 1 && !same (old, old ? old->first : 0, row, row ? row->first : 0)) {
        rc = old ? counter_move (txn, table, index, 1, old, -1) : 0;
        if (!rc && row)
            rc = counter_move (txn, table, index, 1, row, 1);
    }
    return rc;
}

int store_count (txn_t *txn, const schema_record_t *record, const char *name,
                 const store_key_t *keys, size_t key_count, uint64_t *out)
{
    size_t n;
    index_key_t key;
    const schema_index_t *index = index_find (record, name, &n);
    if (!index || !index->counted || !key_count || (key_count != 1 && key_count != index->count))
        return E_INTERNAL;
    int rc = index_prefix (index, keys, key_count, &key);
    if (rc)
        return rc;
    return counter_get (txn, record, index, key_count, key.data, key.size, out);
}

/* ---- entries ---- */

static bool field_same (const schema_field_t *field, const void *a, const void *b)
{
    store_key_t x = field_key (field, a), y = field_key (field, b);
    if (field->kind == SK_ID)
        return id_equal (x.id, y.id);
    if (field->kind == SK_STR)
        return x.str && y.str ? strcmp (x.str, y.str) == 0 : x.str == y.str;
    return x.num == y.num;
}

/* The row stands in the index where it stood: nothing to look for and nothing to move. */
static bool stays (const schema_index_t *index, const void *old, const void *row)
{
    for (size_t i = 0; i < index->count; i++)
        if (!field_same (index->fields[i], old, row))
            return false;
    return true;
}

/* Keys without text have one size, and that fits. */
static bool is_sized (const schema_index_t *index)
{
    for (size_t i = 0; i < index->count; i++)
        if (index->fields[i]->kind == SK_STR)
            return false;
    return true;
}

static int clash_check (txn_t *txn, table_t *table, const index_key_t *key, id16_t id)
{
    bytes_t value;
    int rc = kv_get (txn, table, bytes_of (key->data, key->size), &value);
    if (rc)
        return rc == E_NOT_FOUND ? 0 : rc;
    return value.size == sizeof id.b && memcmp (value.data, id.b, sizeof id.b) == 0
               ? 0
               : E_ALREADY_EXISTS;
}

int index_check (txn_t *txn, record_table_t *table, const void *old, const void *row,
                 const char **clash)
{
    const schema_record_t *record = table->record;
    id16_t id = row_id (record->id, row);
    index_key_t key;
    for (size_t i = 0; i < record->index_count; i++) {
        const schema_index_t *index = &record->indexes[i];
        if ((old && stays (index, old, row)) || (!index->unique && is_sized (index)))
            continue;
        int rc = index_row_key (record, index, NULL, 0, row, &key);
        if (!rc && index->unique && key.entry)
            rc = clash_check (txn, table->indexes[i], &key, id);
        if (rc == E_ALREADY_EXISTS && clash)
            *clash = index->name;
        if (rc)
            return rc;
    }
    return 0;
}

/* Entries of plain indexes are put off (pending.c). */
static int entry_set (txn_t *txn, const record_table_t *table, size_t n, const index_key_t *key,
                      id16_t id, bool add)
{
    bytes_t at = bytes_of (key->data, key->size);
    if (!table->record->indexes[n].unique)
        return entry_later (txn, table->indexes[n], at, add);
    int rc = add ? kv_add (txn, table->indexes[n], at, bytes_of (id.b, sizeof id.b))
                 : kv_del (txn, table->indexes[n], at);
    return rc == E_NOT_FOUND ? E_CORRUPT : rc;
}

static int entry_move (txn_t *txn, record_table_t *table, size_t n, const void *old,
                       const void *row)
{
    const schema_record_t *record = table->record;
    const schema_index_t *index = &record->indexes[n];
    index_key_t old_key, row_key;
    if (old && row && stays (index, old, row))
        return 0;
    int rc = old ? index_row_key (record, index, NULL, 0, old, &old_key) : 0;
    if (!rc && row)
        rc = index_row_key (record, index, NULL, 0, row, &row_key);
    if (rc)
        return rc;
    bool still = old && row && old_key.entry == row_key.entry &&
                 same (&old_key, old_key.size, &row_key, row_key.size); /* NULL and "" */
    if (old && old_key.entry && !still)
        rc = entry_set (txn, table, n, &old_key, row_id (record->id, old), false);
    if (!rc && row && row_key.entry && !still)
        rc = entry_set (txn, table, n, &row_key, row_id (record->id, row), true);
    return rc ? rc
              : counters_update (txn, table, index, old ? &old_key : NULL, row ? &row_key : NULL);
}

int index_update (txn_t *txn, record_table_t *table, const void *old, const void *row)
{
    int rc = 0;
    for (size_t i = 0; !rc && i < table->record->index_count; i++)
        rc = entry_move (txn, table, i, old, row);
    /* Clashes were looked for before: this entry is nobody's. */
    return rc == E_ALREADY_EXISTS ? E_CORRUPT : rc;
}

/* ---- building ---- */

enum { BUILD_BATCH = 10000 /* entries kept in memory */ };

int index_build (txn_t *txn, record_table_t *table, size_t n)
{
    int rc = pending_settle (txn);
    if (!rc)
        rc = kv_clear (txn, table->indexes[n]);
    if (!rc)
        rc = counters_clear (txn, table->record, &table->record->indexes[n]);
    if (rc)
        return rc;
    kv_cursor_t c = {.table = table->rows};
    bytes_t key, value;
    void *row;
    while (!(rc = kv_next (txn, &c, &key, &value))) {
        rc = row_decode_scratch (txn, table, &value, &row);
        if (!rc)
            rc = entry_move (txn, table, n, NULL, row);
        if (!rc && table->indexes[n]->pending >= BUILD_BATCH)
            rc = pending_settle (txn);
        if (rc)
            break;
    }
    kv_stop (&c);
    return rc == E_NOT_FOUND ? 0 : rc;
}
