/* growth.c - what a store takes on its disk and how fast that grew: a sample an hour, kept for a day, and the op `storage`.
 *
 * A sample is a row (time -> bytes of the store's file, bytes free on its disk). Growth is told against the oldest sample of the last day, so it is the present rate
 * and not that of the first import. The file is what counts: freed pages in it are used again before it grows. */
#include "svc/inner.h"

static const int64_t hour_ms = 3600 * INT64_C (1000);
static const int64_t kept_ms = 25 * 3600 * INT64_C (1000);

typedef struct sample {
    int64_t at; /* Unix ms; 0 = there is none */
    int64_t file_bytes, free_bytes;
} sample_t;

static void time_key (int64_t at, uint8_t out[8])
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t) ((uint64_t) at >> (56 - 8 * i));
}

static int64_t key_time (bytes_t key)
{
    uint64_t at = 0;
    for (size_t i = 0; i < 8 && i < key.size; i++)
        at = at << 8 | key.data[i];
    return (int64_t) at;
}

/* The first sample at or after `from`, or in reverse the newest of all. */
static int sample_find (txn_t *txn, table_t *table, int64_t from, bool newest, sample_t *out)
{
    uint8_t space[8];
    time_key (from, space);
    kv_cursor_t walk = {.table = table, .reverse = newest};
    bytes_t key, value;
    if (!newest)
        walk.from = bytes_of (space, sizeof space);
    int rc = kv_next (txn, &walk, &key, &value);
    if (!rc) {
        mp_reader_t in = mp_read (value);
        mp_read_array (&in);
        out->at = key_time (key);
        out->file_bytes = mp_read_int (&in);
        out->free_bytes = mp_read_int (&in);
        rc = in.failed ? E_CORRUPT : 0;
    }
    kv_stop (&walk);
    return rc;
}

static int sample_now (svc_t *svc, sample_t *out)
{
    uint64_t left = 0, used = 0;
    int rc = store_space (svc->store, &left, &used);
    out->file_bytes = (int64_t) used;
    out->free_bytes = (int64_t) left;
    return rc;
}

static int sample_put (turn_t *t, table_t *table)
{
    sample_t now = {0};
    uint8_t key[8];
    buf_t row = {0};
    int rc = sample_now (t->svc, &now);
    if (rc)
        return 0; /* no sample then: nothing else rests on it */
    mp_array (&row, 2);
    mp_int (&row, now.file_bytes);
    mp_int (&row, now.free_bytes);
    time_key (t->now, key);
    rc = buf_failed (&row) ? E_NO_MEMORY
                           : kv_put (t->txn, table, bytes_of (key, sizeof key), buf_bytes (&row));
    buf_free (&row);
    return rc;
}

/* Too old, or of a time that is not yet (the clock stepped back). */
static int samples_trim (turn_t *t, table_t *table)
{
    kv_cursor_t walk = {.table = table};
    bytes_t key, value;
    uint8_t copy[8];
    int rc;
    while (!(rc = kv_next (t->txn, &walk, &key, &value))) {
        int64_t at = key_time (key);
        if (at >= t->now - kept_ms && at <= t->now)
            continue;
        time_key (at, copy);
        rc = kv_del (t->txn, table, bytes_of (copy, sizeof copy));
        if (rc)
            break;
    }
    kv_stop (&walk);
    return rc == E_NOT_FOUND ? 0 : rc;
}

int growth_note (turn_t *t)
{
    writer_t *w = &t->svc->writer;
    table_t *table = store_table (t->svc->store, "svc.growth");
    sample_t newest = {0};
    if (!w->growth_at) {
        int rc = sample_find (t->txn, table, 0, true, &newest);
        if (rc && rc != E_NOT_FOUND)
            return rc;
        w->growth_at = newest.at;
    }
    if (w->growth_at && t->now >= w->growth_at && t->now < w->growth_at + hour_ms)
        return 0;
    int rc = sample_put (t, table);
    if (!rc)
        rc = samples_trim (t, table);
    if (!rc)
        w->growth_at = t->now;
    return rc;
}

/* ---- the op ---- */

typedef struct tables {
    arena_t *arena;
    common_table_bytes_t *items;
    size_t count, most;
} tables_t;

static void table_count (void *context, const char *name, uint64_t rows, uint64_t bytes)
{
    (void) name, (void) rows, (void) bytes;
    ((tables_t *) context)->most++;
}

static void table_add (void *context, const char *name, uint64_t rows, uint64_t bytes)
{
    tables_t *self = context;
    if (self->count < self->most)
        self->items[self->count++] =
            (common_table_bytes_t){.name = arena_strdup (self->arena, name),
                                   .rows = (int64_t) rows,
                                   .bytes = (int64_t) bytes};
}

static int tables_list (txn_t *txn, arena_t *arena, schema_list_t *out)
{
    tables_t tables = {.arena = arena};
    int rc = store_table_stats (txn, table_count, &tables);
    if (rc)
        return rc;
    tables.items = arena_array_of (arena, common_table_bytes_t, tables.most);
    rc = tables.items ? store_table_stats (txn, table_add, &tables) : E_NO_MEMORY;
    *out = (schema_list_t){tables.items, tables.count};
    return rc;
}

static void compacted_fill (svc_t *svc, arena_t *arena, common_storage_out_t *out)
{
    char folder[SVC_FOLDER_SIZE];
    store_compacted_t told;
    if (store_compacted (svc_store_folder (svc, folder), &told))
        return;
    out->compacted_at = told.at;
    out->compacted_from_bytes = (int64_t) told.before;
    out->compacted_to_bytes = (int64_t) told.after;
    out->compact_failed = arena_strdup (arena, told.why);
}

static int storage_fill (svc_t *svc, ask_t *ask, txn_t *txn, common_storage_out_t *out)
{
    sample_t now = {.at = clock_now_ms ()}, then = {0};
    int rc = tables_list (txn, ask->arena, &out->tables);
    if (!rc)
        rc = sample_now (svc, &now);
    if (rc)
        return rc;
    compacted_fill (svc, ask->arena, out);
    out->file_bytes = now.file_bytes;
    out->disk_free_bytes = now.free_bytes;
    rc = sample_find (txn, store_table (svc->store, "svc.growth"), now.at - kept_ms, false, &then);
    if (rc || then.at >= now.at)
        return rc == E_NOT_FOUND || rc == E_UNAVAILABLE ? 0 : rc;
    out->measured_ms = now.at - then.at;
    out->file_grown_bytes = now.file_bytes - then.file_bytes;
    out->disk_lost_bytes = then.free_bytes - now.free_bytes;
    return 0;
}

void storage_run (svc_t *svc, ask_t *ask, txn_t *txn)
{
    common_storage_out_t out = {0};
    int rc = txn ? storage_fill (svc, ask, txn, &out) : 0;
    if (rc)
        ask_fail (ask, rc, "%s", error_doc (rc));
    else
        ask_answer (ask, &common_storage_out_type, &out);
}
