/* record.c - rows: get, insert, put, delete, find.
 *
 * Everything that can be refused (a clash, a key too long, memory) is found before the first write
 * of a row; what fails after that dooms the savepoint, so a row and its indexes cannot part. Fields
 * that this program does not know are carried from the old row. */
#include <setjmp.h>
#include <string.h>

#include "store/private.h"

/* ---- rows ---- */

id16_t row_id (const schema_field_t *field, const void *row)
{
    id16_t id;
    memcpy (&id, (const uint8_t *) row + field->offset, sizeof id);
    return id;
}

/* *out is zero again if this fails. */
int row_decode (const schema_record_t *record, bytes_t packed, arena_t *arena, void *out)
{
    int rc = schema_unpack (record->type, packed, arena, out, NULL);
    if (rc)
        memset (out, 0, record->type->size);
    return rc == E_BAD_REQUEST ? E_CORRUPT : rc;
}

int row_decode_scratch (txn_t *txn, const record_table_t *table, bytes_t *packed, void **out)
{
    const schema_type_t *type = table->record->type;
    arena_t *scratch;
    jmp_buf trap;
    int rc = txn_scratch (txn, &scratch);
    if (rc)
        return rc;
    if (setjmp (trap)) {
        arena_trap (txn->scratch, NULL);
        return E_NO_MEMORY;
    }
    arena_trap (scratch, &trap);
    packed->data = arena_memdup (scratch, packed->data, packed->size);
    *out = arena_alloc (scratch, type->size);
    rc = schema_unpack_some (type, table->indexed, *packed, scratch, *out);
    arena_trap (scratch, NULL);
    return rc == E_BAD_REQUEST ? E_CORRUPT : rc;
}

static const bytes_t *row_unknown (const schema_record_t *record, const void *row)
{
    int32_t at = record->type->unknown_offset;
    return at < 0 ? NULL : (const bytes_t *) (const void *) ((const uint8_t *) row + at);
}

/* Into txn->row. The old row's unknown fields go along if the new row has none. */
static int row_pack (txn_t *txn, const schema_record_t *record, const void *old, const void *row)
{
    const bytes_t *has = row_unknown (record, row);
    buf_clear (&txn->row);
    if (old && has && !has->size && row_unknown (record, old)->size) {
        uint8_t *copy = arena_alloc (txn->scratch, record->type->size);
        if (!copy)
            return E_NO_MEMORY;
        memcpy (copy, row, record->type->size);
        memcpy (copy + record->type->unknown_offset, row_unknown (record, old), sizeof (bytes_t));
        row = copy;
    }
    schema_pack (record->type, row, &txn->row);
    if (!buf_failed (&txn->row))
        return 0;
    buf_free (&txn->row);
    return E_NO_MEMORY;
}

static int row_read (txn_t *txn, const record_table_t *table, id16_t id, bytes_t *out)
{
    return kv_get (txn, table->rows, bytes_of (id.b, sizeof id.b), out);
}

/* ---- get ---- */

int store_get_any (txn_t *txn, const schema_record_t *record, id16_t id, arena_t *arena, void *out)
{
    bytes_t packed;
    record_table_t *table = store_record (txn->store, record);
    int rc = table ? row_read (txn, table, id, &packed) : E_INTERNAL;
    return rc ? rc : row_decode (record, packed, arena, out);
}

int store_get (txn_t *txn, const schema_record_t *record, id16_t owner, id16_t id, arena_t *arena,
               void *out)
{
    int rc = store_get_any (txn, record, id, arena, out);
    if (rc)
        return rc;
    if (id_equal (record->owner ? row_id (record->owner, out) : id_nil (), owner))
        return 0;
    memset (out, 0, record->type->size);
    return E_NOT_FOUND;
}

int store_find (txn_t *txn, const schema_record_t *record, const char *name,
                const store_key_t *keys, size_t key_count, arena_t *arena, void *out)
{
    size_t n;
    index_key_t key;
    bytes_t value;
    id16_t id;
    record_table_t *table = store_record (txn->store, record);
    const schema_index_t *index = index_find (record, name, &n);
    if (!table || !index || !index->unique || !key_count || key_count != index->count)
        return E_INTERNAL;
    int rc = index_prefix (index, keys, key_count, &key);
    if (rc) /* too long to be in the index */
        return rc == E_TOO_LARGE ? E_NOT_FOUND : rc;
    if (!key.entry)
        return E_NOT_FOUND;
    rc = kv_get (txn, table->indexes[n], bytes_of (key.data, key.size), &value);
    if (rc)
        return rc;
    if (value.size != sizeof id.b)
        return E_CORRUPT;
    memcpy (id.b, value.data, sizeof id.b);
    rc = store_get_any (txn, record, id, arena, out);
    return rc == E_NOT_FOUND ? E_CORRUPT : rc;
}

/* ---- write ---- */

/* Ids grow, but those of another replica's clock may lie between. */
static int row_add (txn_t *txn, const record_table_t *table, id16_t id)
{
    bytes_t key = bytes_of (id.b, sizeof id.b);
    int rc = kv_append (txn, table->rows, key, buf_bytes (&txn->row));
    return rc == E_ALREADY_EXISTS ? kv_add (txn, table->rows, key, buf_bytes (&txn->row)) : rc;
}

/* After index_check. Old is NULL if there is no row with this id, else its indexed fields stand in the scratch arena, and in `packed` all of it. */
static int row_write (txn_t *txn, record_table_t *table, const void *old, bytes_t packed,
                      const void *row)
{
    id16_t id = row_id (table->record->id, row);
    int rc = row_pack (txn, table->record, old, row);
    if (rc)
        return rc;
    bytes_t key = bytes_of (id.b, sizeof id.b);
    rc = old ? kv_replace (txn, table->rows, key, buf_bytes (&txn->row), packed)
             : row_add (txn, table, id);
    if (rc)
        return rc;
    rc = index_update (txn, table, old, row);
    return rc ? txn_doom (txn, rc) : 0;
}

static int row_check (const record_table_t *table, const void *row, const char **clash)
{
    if (clash)
        *clash = NULL;
    return !table || id_is_nil (row_id (table->record->id, row)) ? E_INTERNAL : 0;
}

int store_insert (txn_t *txn, const schema_record_t *record, const void *row, const char **clash)
{
    record_table_t *table = store_record (txn->store, record);
    int rc = row_check (table, row, clash);
    if (!rc)
        rc = index_check (txn, table, NULL, row, clash);
    return rc ? rc : row_write (txn, table, NULL, (bytes_t){0}, row);
}

int store_put (txn_t *txn, const schema_record_t *record, const void *row, const char **clash)
{
    bytes_t packed = {0};
    void *old = NULL;
    record_table_t *table = store_record (txn->store, record);
    int rc = row_check (table, row, clash);
    if (rc)
        return rc;
    rc = row_read (txn, table, row_id (record->id, row), &packed);
    if (!rc)
        rc = row_decode_scratch (txn, table, &packed, &old);
    else if (rc == E_NOT_FOUND)
        rc = 0;
    if (!rc)
        rc = index_check (txn, table, old, row, clash);
    return rc ? rc : row_write (txn, table, old, packed, row);
}

int store_del (txn_t *txn, const schema_record_t *record, id16_t id)
{
    bytes_t packed;
    void *old;
    record_table_t *table = store_record (txn->store, record);
    int rc = table ? row_read (txn, table, id, &packed) : E_INTERNAL;
    if (!rc)
        rc = row_decode_scratch (txn, table, &packed, &old);
    if (!rc)
        rc = kv_remove (txn, table->rows, bytes_of (id.b, sizeof id.b), packed);
    if (rc)
        return rc;
    rc = index_update (txn, table, old, NULL);
    return rc ? txn_doom (txn, rc) : 0;
}
