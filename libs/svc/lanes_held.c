/* lanes_held.c - jobs that wait for a person: those in quarantine, and the provider jobs that a restore held.
 *
 * Both lie in tables of their own, by id, with their whole row; lanes go on without them. A job that is let out goes behind what is in its lane by now. One that is ended
 * does that in a lane without a name, so that it neither waits for others nor holds them up. Fails with the store's codes, E_NOT_FOUND, and E_CORRUPT for rows that
 * nobody can read. */
#include <string.h>

#include "base/msgpack.h"
#include "svc/lanes_state.h"

bool kept_job_read (bytes_t row, kept_job_t *out)
{
    mp_reader_t in = mp_read (row);
    if (mp_read_array (&in) != 3)
        return false;
    out->since = mp_read_int (&in);
    out->reason = mp_read_str (&in);
    out->packed = mp_read_bin (&in);
    return !in.failed;
}

/* ---- holding ---- */

static int held_put (lanes_t *self, txn_t *txn, int64_t now, const job_row_t *row, bytes_t packed)
{
    buf_t kept = {0};
    mp_array (&kept, 3);
    mp_int (&kept, now);
    mp_str (&kept, "held by a restore");
    mp_bin (&kept, packed.data, packed.size);
    int rc = buf_failed (&kept)
                 ? E_NO_MEMORY
                 : kv_put (txn, self->tables.held, bytes_of (row->id.b, sizeof row->id.b),
                           buf_bytes (&kept));
    buf_free (&kept);
    return rc;
}

static bool is_to_be_held (const lanes_t *self, const job_row_t *row)
{
    const job_kind_t *kind = lanes_kind (self, row->kind);
    return kind && !kind->repeatable;
}

/* The first job of the lane is gone: its next gets the row in due, unless it will go too. Lanes are not loaded yet. */
static int lane_mend (lanes_t *self, txn_t *txn, job_place_t at)
{
    uint8_t prefix[8], space[DUE_KEY_SIZE], due[DUE_SIZE];
    u64_write (at.lane, prefix);
    kv_cursor_t cursor = {.table = self->tables.jobs, .prefix = bytes_of (prefix, sizeof prefix)};
    bytes_t key, value;
    job_row_t next;
    job_place_t first = {0};
    bool readable = false;
    int rc = kv_next (txn, &cursor, &key, &value);
    if (!rc) {
        first = job_key_read (key);
        readable = job_row_read (value, &next);
    }
    kv_stop (&cursor);
    if (rc == E_NOT_FOUND)
        return 0;
    if (rc || first.seq < at.seq || !readable || is_to_be_held (self, &next))
        return rc;
    return kv_put (txn, self->tables.due, due_key (next.group, next.due, at.lane, space),
                   due_value (first.seq, lane_name (next.group, next.lane), due));
}

/* Its row in due may be another one, after a begin () that failed: that is dropped when it is met. */
static int hold_one (lanes_t *self, txn_t *txn, int64_t now, job_place_t at, bytes_t packed)
{
    uint8_t space[JOB_KEY_SIZE], due[DUE_KEY_SIZE];
    bytes_t value;
    job_row_t row;
    job_row_read (packed, &row);
    int rc = held_put (self, txn, now, &row, packed);
    if (!rc)
        rc = kv_del (txn, self->tables.jobs, job_key (at, space));
    if (rc)
        return rc;
    bytes_t key = due_key (row.group, row.due, at.lane, due);
    rc = kv_get (txn, self->tables.due, key, &value);
    if (!rc && value.size >= 8 && u64_read (value.data) == at.seq)
        rc = kv_del (txn, self->tables.due, key);
    return rc && rc != E_NOT_FOUND ? rc : lane_mend (self, txn, at);
}

int lanes_hold (lanes_t *self, txn_t *txn, int64_t now, lanes_hold_t *walk, unsigned most)
{
    uint8_t from[JOB_KEY_SIZE];
    kv_cursor_t cursor = {.table = self->tables.jobs,
                          .from = job_key ((job_place_t){walk->lane, walk->seq}, from)};
    bytes_t key, value;
    buf_t copy = {0};
    int rc = 0;
    walk->held = 0;
    while (most-- && !(rc = kv_next (txn, &cursor, &key, &value))) {
        job_place_t at = job_key_read (key);
        job_row_t row;
        walk->lane = at.lane;
        walk->seq = at.seq + 1;
        if (!job_row_read (value, &row) || !is_to_be_held (self, &row))
            continue;
        buf_clear (&copy);
        buf_add (&copy, value.data, value.size);
        rc = buf_failed (&copy) ? E_NO_MEMORY : hold_one (self, txn, now, at, buf_bytes (&copy));
        if (rc)
            break;
        walk->held++;
    }
    kv_stop (&cursor);
    buf_free (&copy);
    walk->more = !rc;
    return rc == E_NOT_FOUND ? 0 : rc;
}

/* ---- one of them ---- */

typedef struct keeping {
    lanes_t *self;
    kept_where_t where;
    id16_t id;
    const job_kind_t *kind;
    job_row_t row; /* in the turn's arena */
} keeping_t;

static table_t *table_of (const keeping_t *k)
{
    return k->where == KEPT_HELD ? k->self->tables.held : k->self->tables.quarantine;
}

static int kept_load (turn_t *t, keeping_t *k)
{
    bytes_t value;
    kept_job_t kept;
    int rc = kv_get (t->txn, table_of (k), bytes_of (k->id.b, sizeof k->id.b), &value);
    if (rc)
        return rc;
    if (!kept_job_read (value, &kept))
        return E_CORRUPT;
    void *copy = arena_memdup (t->arena, kept.packed.data, kept.packed.size);
    if (!copy)
        return E_NO_MEMORY;
    if (!job_row_read (bytes_of (copy, kept.packed.size), &k->row))
        return failure_set (&t->failure, E_CORRUPT, "", "The job's row cannot be read");
    k->kind = lanes_kind (k->self, k->row.kind);
    return k->kind ? 0
                   : failure_set (&t->failure, E_CORRUPT, "",
                                  "The job's kind is not known to this program");
}

static int kept_gone (turn_t *t, const keeping_t *k)
{
    return kv_del (t->txn, table_of (k), bytes_of (k->id.b, sizeof k->id.b));
}

void lanes_kept_gone (lanes_t *self, kept_where_t where)
{
    if (!self)
        return;
    uint64_t *count = where == KEPT_HELD ? &self->held_count : &self->quarantine_count;
    *count -= *count > 0;
}

static int release_step (turn_t *t, void *context)
{
    keeping_t *k = context;
    int rc = kept_load (t, k);
    if (rc)
        return rc;
    k->row.stumbles = 0;
    rc = job_put (k->self, t, &k->row);
    return rc ? rc : kept_gone (t, k);
}

static int finish_lost (turn_t *t, keeping_t *k, job_place_t at, job_t *job)
{
    static const outcome_t lost = {.stage = FETCH_SENT,
                                   .code = E_REPLICA_LOST,
                                   .reason = "what became of it was declared unknown"};
    return job_finish_run (k->self, t, at, &k->row, job, &lost);
}

static int end_step (turn_t *t, void *context)
{
    keeping_t *k = context;
    lanes_t *self = k->self;
    uint8_t space[JOB_KEY_SIZE];
    buf_t packed = buf_in (t->arena);
    job_t job;
    int rc = kept_load (t, k);
    if (rc || k->kind->repeatable)
        return rc ? rc : kept_gone (t, k);
    k->row.lane = bytes_of (NULL, 0);
    k->row.stumbles = 0;
    job_place_t at = {self->next_lane++, self->next_seq++};
    job_row_write (&k->row, &packed);
    rc = buf_failed (&packed)
             ? E_NO_MEMORY
             : kv_put (t->txn, self->tables.jobs, job_key (at, space), buf_bytes (&packed));
    if (!rc && job_decode (t, k->kind, &k->row, &job))
        rc = failure_set (&t->failure, E_CORRUPT, "", "The job's body cannot be read");
    if (rc)
        return rc;
    if (k->kind->unknown) {
        rc = k->kind->unknown (t, &job);
        rc = rc ? rc : job_remove (self, t, at, &k->row);
    } else {
        rc = finish_lost (t, k, at, &job);
    }
    return rc ? rc : kept_gone (t, k);
}

static int kept_act (keeping_t *k, turn_t *t, int (*run) (turn_t *t, void *context),
                     const char **kind)
{
    if (!k->self || !k->self->loaded)
        return failure_set (&t->failure, E_NOT_OWNER, "", "Only the owner's turns deal with jobs");
    int rc = lanes_step (k->self, t, run, k);
    if (kind)
        *kind = k->kind ? k->kind->name : "?";
    if (!rc)
        lanes_kept_gone (k->self, k->where);
    return rc == E_PARKED ? E_INTERNAL : rc;
}

int lanes_release (lanes_t *self, turn_t *t, kept_where_t where, id16_t id, const char **kind)
{
    keeping_t k = {.self = self, .where = where, .id = id};
    return kept_act (&k, t, release_step, kind);
}

int lanes_end_kept (lanes_t *self, turn_t *t, kept_where_t where, id16_t id, const char **kind)
{
    keeping_t k = {.self = self, .where = where, .id = id};
    return kept_act (&k, t, end_step, kind);
}

static int forget_step (turn_t *t, void *context)
{
    return kept_gone (t, context);
}

int lanes_forget_kept (lanes_t *self, turn_t *t, kept_where_t where, id16_t id)
{
    keeping_t k = {.self = self, .where = where, .id = id};
    return kept_act (&k, t, forget_step, NULL);
}

int lanes_kept (lanes_t *self, turn_t *t, kept_where_t where, id16_t id, job_t *out)
{
    keeping_t k = {.self = self, .where = where, .id = id};
    if (!self || !self->loaded)
        return E_NOT_OWNER;
    int rc = kept_load (t, &k);
    return rc ? rc : job_decode (t, k.kind, &k.row, out);
}
