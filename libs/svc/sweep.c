/* sweep.c - the sweeper: one timer that works off the retention table of a service and the runtime's own kinds. See sweep.h.
 *
 * Rows that may not go yet are stepped over: the place behind them and their number are kept in the store, so that the next step, also of the next process, goes on
 * there. Once an hour the walk begins at the front again and asks them anew. A row whose removal fails is held like them, so that it stops nothing; it is logged. With nothing to do a pass
 * reads one row of each kind and writes nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "svc/again.h"

enum { LOOKS_MOST = 500, WRITES_MOST = 500, BYTES_MOST = 4 << 20 /* of rows, in one step */ };
static const int64_t revisit_ms = 3600 * INT64_C (1000);

static const svc_retention_t own[] = {
    {.kind = "journal", .step = journal_trim},
    {.kind = "idempotency", .step = keyed_sweep},
    {.kind = "parked", .step = parked_sweep},
};
enum { OWN = sizeof own / sizeof *own };

/* Where the walk over a kind's rows is. */
typedef struct place {
    id16_t after; /* the last row that was held; nil = the front */
    uint64_t held;
    int64_t front_at; /* when it begins at the front again; 0 = nothing is held */
} place_t;

typedef struct kind_place {
    place_t now, before; /* this turn */
    unsigned long long rows, held;
    long long oldest; /* as told before this turn */
} kind_place_t;

struct sweep {
    size_t count;
    kind_place_t places[];
};

size_t sweep_kinds (const svc_t *svc)
{
    return OWN + svc->service->retention_count;
}

const svc_retention_t *sweep_kind (const svc_t *svc, size_t n)
{
    return n < OWN ? &own[n] : &svc->service->retentions[n - OWN];
}

/* ---- places ---- */

static bytes_t place_key (const svc_retention_t *kind, char space[64])
{
    int n = snprintf (space, 64, "sweep.%s", kind->kind);
    return bytes_of ((const uint8_t *) space, n < 64 ? (size_t) n : 63);
}

static int place_load (svc_t *svc, txn_t *txn, const svc_retention_t *kind, int64_t now,
                       place_t *out)
{
    char space[64];
    bytes_t row;
    int rc = kv_get (txn, store_table (svc->store, "svc.state"), place_key (kind, space), &row);
    if (rc)
        return rc == E_NOT_FOUND ? 0 : rc;
    mp_reader_t in = mp_read (row);
    mp_read_array (&in);
    bytes_t after = mp_read_bin (&in);
    int64_t held = mp_read_int (&in);
    if (in.failed || after.size != sizeof out->after.b || held < 0)
        return E_CORRUPT;
    memcpy (out->after.b, after.data, after.size);
    out->held = (uint64_t) held;
    out->front_at = held ? now + revisit_ms : 0;
    return 0;
}

static int place_store (turn_t *t, const svc_retention_t *kind, const place_t *place)
{
    char space[64];
    buf_t row = {0};
    mp_array (&row, 2);
    mp_bin (&row, place->after.b, sizeof place->after.b);
    mp_int (&row, (int64_t) place->held);
    int rc = buf_failed (&row) ? E_NO_MEMORY
                               : kv_put (t->txn, store_table (t->svc->store, "svc.state"),
                                         place_key (kind, space), buf_bytes (&row));
    buf_free (&row);
    return rc;
}

int sweep_open (svc_t *svc)
{
    writer_t *w = &svc->writer;
    size_t count = sweep_kinds (svc);
    w->sweep = calloc (1, sizeof *w->sweep + count * sizeof *w->sweep->places);
    if (!w->sweep)
        return E_NO_MEMORY;
    w->sweep->count = count;
    int rc = 0;
    for (size_t i = 0; i < count && !rc; i++)
        rc = place_load (svc, w->txn, sweep_kind (svc, i), w->now, &w->sweep->places[i].now);
    return rc;
}

void sweep_close (svc_t *svc)
{
    free (svc->writer.sweep);
    svc->writer.sweep = NULL;
}

void sweep_mark (writer_t *w)
{
    for (size_t i = 0; i < w->sweep->count; i++) {
        kind_place_t *place = &w->sweep->places[i];
        const swept_metrics_t *told = &w->svc->metrics.swept[i];
        place->before = place->now;
        place->rows = atomic_load (&told->rows);
        place->held = atomic_load (&told->held);
        place->oldest = atomic_load (&told->oldest);
    }
}

void sweep_unmark (writer_t *w)
{
    for (size_t i = 0; i < w->sweep->count; i++) {
        kind_place_t *place = &w->sweep->places[i];
        swept_metrics_t *told = &w->svc->metrics.swept[i];
        place->now = place->before;
        atomic_store (&told->rows, place->rows);
        atomic_store (&told->held, place->held);
        atomic_store (&told->oldest, place->oldest);
    }
}

/* ---- rows in the order of their ids ---- */

typedef struct step {
    const svc_retention_t *kind;
    place_t place;
    svc_swept_t swept;
    uint64_t held;
    bool more;

    /* of the walk */
    arena_t *arena; /* of one row at a time */
    id16_t id;
    unsigned looks, writes;
    size_t bytes;
} step_t;

static int row_remove (turn_t *t, void *context)
{
    step_t *self = context;
    const schema_record_t *record = self->kind->record;
    unsigned rows = 0;
    if (self->kind->remove) {
        void *row = arena_alloc (t->arena, record->type->size);
        int code = store_get_any (t->txn, record, self->id, t->arena, row);
        if (!code)
            code = self->kind->remove (t, row, &rows);
        if (code)
            return code;
    }
    self->writes += rows + 1;
    return store_del (t->txn, record, self->id);
}

static bool is_store_fault (int code)
{
    return code == E_IO || code == E_MAP_FULL || code == E_CONFLICT_RETRY;
}

/* One row that is past its time: removed, or held. */
static int row_take (turn_t *t, step_t *self)
{
    turn_t row;
    turn_inner_t inner;
    arena_reset (self->arena);
    turn_init (t->svc, &row, &inner, t->txn, self->arena, NULL, false);
    int code = id_is_v7 (self->id) ? turn_step (&row, row_remove, self) : E_CONFLICT;
    if (!code) {
        self->swept.rows++;
        return 0;
    }
    if (is_store_fault (code))
        return code;
    if (code != E_CONFLICT) {
        char id[ID_UUID_LENGTH + 1];
        id_write_uuid (self->id, id);
        svc_log (t->svc, LOG_ERROR, "a row past its time could not be removed", "kind",
                 self->kind->kind, "id", id, "error.code", error_name (code), "detail",
                 row.failure.text, NULL);
    }
    self->place.after = self->id;
    self->place.held++;
    return 0;
}

static bool is_full (const step_t *self)
{
    return self->looks >= LOOKS_MOST || self->writes >= WRITES_MOST || self->bytes >= BYTES_MOST;
}

/* From the place on, up to the first row that is young enough (or the table's end): E_NOT_FOUND. */
static int rows_walk (turn_t *t, step_t *self, table_t *table, int64_t before)
{
    bool front = id_is_nil (self->place.after);
    id16_t after = self->place.after;
    kv_cursor_t walk = {.table = table, .after = true};
    bytes_t key, value;
    int rc = 0;
    if (!front)
        walk.from = bytes_of (after.b, sizeof after.b);
    while (!rc && !is_full (self) && !(rc = kv_next (t->txn, &walk, &key, &value))) {
        if (key.size != sizeof self->id.b) {
            rc = E_CORRUPT;
            break;
        }
        memcpy (self->id.b, key.data, key.size);
        if (id_is_v7 (self->id) && id_time_ms (self->id) > before) {
            rc = E_NOT_FOUND;
            break;
        }
        self->looks++;
        self->bytes += value.size;
        rc = row_take (t, self);
    }
    kv_stop (&walk);
    return rc;
}

static int rows_step (turn_t *t, step_t *self)
{
    int64_t keep = self->kind->keep (t);
    table_t *table = store_table (t->svc->store, self->kind->record->table);
    place_t before = self->place;
    int rc = table ? 0 : E_INTERNAL;
    if (rc || keep <= 0)
        return rc;
    self->arena = arena_new (ASK_MEMORY);
    rc = self->arena ? rows_walk (t, self, table, t->now - keep) : E_NO_MEMORY;
    arena_destroy (&self->arena);
    self->more = rc == 0;
    if (rc && rc != E_NOT_FOUND)
        return rc;
    self->held = self->place.held;
    if (self->place.held && !self->place.front_at)
        self->place.front_at = t->now + revisit_ms;
    bool again = !self->more && self->place.held &&
                 (self->place.front_at <= t->now || self->place.front_at > t->now + revisit_ms);
    if (again)
        self->place = (place_t){0};
    bool stays = id_equal (before.after, self->place.after) && before.held == self->place.held;
    return stays ? 0 : place_store (t, self->kind, &self->place);
}

/* ---- the timer ---- */

/* When the oldest row of a record was made; 0 = there is none. */
static int64_t oldest_of (turn_t *t, const schema_record_t *record)
{
    kv_cursor_t walk = {.table = store_table (t->svc->store, record->table)};
    bytes_t key, value;
    id16_t id = id_nil ();
    if (walk.table && !kv_next (t->txn, &walk, &key, &value) && key.size == sizeof id.b)
        memcpy (id.b, key.data, sizeof id.b);
    kv_stop (&walk);
    return id_is_v7 (id) ? id_time_ms (id) : 0;
}

static int kind_step (turn_t *t, void *context)
{
    step_t *self = context;
    int rc = self->kind->step ? self->kind->step (t, &self->swept) : rows_step (t, self);
    if (rc == E_CONFLICT_RETRY) {
        self->more = true;
        rc = 0;
    }
    if (!rc && self->kind->record)
        self->swept.oldest = oldest_of (t, self->kind->record);
    return rc;
}

/* Told to /metrics before the commit: if that fails the process ends, or sweep_unmark takes it back. */
static void kind_told (svc_t *svc, size_t n, const step_t *step)
{
    swept_metrics_t *m = &svc->metrics.swept[n];
    atomic_fetch_add (&m->rows, step->swept.rows);
    atomic_store (&m->oldest, step->swept.oldest);
    if (!step->more)
        atomic_store (&m->held, step->held);
}

static int growth_run (turn_t *t, void *context)
{
    (void) context;
    return growth_note (t);
}

/* Each kind stands alone: one that fails is undone, told, and tried again at the next pass. */
static void failure_told (turn_t *t, const char *kind, int code)
{
    if (code && !txn_conflicted (t->txn))
        svc_log (t->svc, LOG_ERROR, "a step of the sweeper failed", "kind", kind, "error.code",
                 error_name (code), "detail", t->failure.text, NULL);
}

int sweep_run (turn_t *t)
{
    svc_t *svc = t->svc;
    sweep_t *self = svc->writer.sweep;
    bool more = false;
    failure_told (t, "growth", turn_step (t, growth_run, NULL));
    for (size_t i = 0; i < self->count; i++) {
        step_t step = {.kind = sweep_kind (svc, i), .place = self->places[i].now};
        int code = turn_step (t, kind_step, &step);
        failure_told (t, step.kind->kind, code);
        if (code)
            continue;
        self->places[i].now = step.place;
        kind_told (svc, i, &step);
        more = more || step.more;
    }
    return more ? E_CONFLICT_RETRY : 0;
}
