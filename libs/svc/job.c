/* job.c - what handlers do with jobs: add, retry, drop, pause.
 *
 * Rows are written at once, under the handler's savepoint; the scheduler's memory follows by notes. Fails with E_TOO_LARGE (lane, body), E_CONFLICT (not in finish ()),
 * E_NOT_OWNER (not in the owner's turn) and the store's codes. */
#include <string.h>

#include "svc/lanes_state.h"

/* ---- add ---- */

/* The last job of a lane. E_NOT_FOUND: none of this name there. */
static int lane_last (lanes_t *self, txn_t *txn, uint64_t lane, const job_row_t *of, uint64_t *seq)
{
    uint8_t prefix[8];
    u64_write (lane, prefix);
    kv_cursor_t cursor = {
        .table = self->tables.jobs, .prefix = bytes_of (prefix, sizeof prefix), .reverse = true};
    bytes_t key, value;
    job_row_t row;
    int rc = kv_next (txn, &cursor, &key, &value);
    if (!rc && job_row_read (value, &row) && bytes_equal (row.lane, of->lane) &&
        id_equal (row.group, of->group))
        *seq = job_key_read (key).seq;
    else if (!rc)
        rc = E_NOT_FOUND;
    kv_stop (&cursor);
    return rc;
}

/* Where the job goes, noted; NOTE_BEHIND: others are before it. */
static int lane_find (lanes_t *self, txn_t *txn, const job_row_t *row, note_t *note)
{
    uint64_t last = 0;
    hints_walk_t walk = {0};
    *note = (note_t){.kind = NOTE_READY,
                     .group = row->group,
                     .tenant = row->tenant,
                     .name = lane_name (row->group, row->lane),
                     .at = {.seq = self->next_seq++},
                     .due = row->due,
                     .count = 1};
    while (note->name && hints_next (&self->names, note->name, &walk, &note->at.lane)) {
        int rc = lane_last (self, txn, note->at.lane, row, &last);
        if (rc == E_NOT_FOUND)
            continue;
        note->kind = NOTE_BEHIND;
        if (last >= note->at.seq)
            note->at.seq = last + 1;
        return rc;
    }
    note->at.lane = self->next_lane++;
    return note->name ? hints_add (&self->names, note->name, note->at.lane) : 0;
}

static int job_write (lanes_t *self, turn_t *t, const job_new_t *job, const job_row_t *row,
                      const note_t *note)
{
    uint8_t space[JOB_KEY_SIZE];
    buf_t packed = {0};
    job_row_write (row, &packed);
    /* What follows the head is packed right behind it, to spare a copy. */
    if (job->kind->type)
        schema_pack (job->kind->type, job->body, &packed);
    int rc = buf_failed (&packed) ? E_NO_MEMORY : packed.size > JOB_BODY_MAX ? E_TOO_LARGE : 0;
    if (!rc)
        rc = (note->kind == NOTE_BEHIND ? kv_put : kv_append) (
            t->txn, self->tables.jobs, job_key (note->at, space), buf_bytes (&packed));
    buf_free (&packed);
    return rc;
}

int job_begin_nothing (turn_t *t, job_t *job, outbound_t *out)
{
    (void) t;
    (void) job;
    out->how = OUT_NOTHING;
    return 0;
}

int job_add (turn_t *t, const job_new_t *job, id16_t *id)
{
    lanes_t *self = turn_lanes (t);
    bytes_t text = bytes_of_str (job->lane ? job->lane : "");
    if (!self || !self->loaded)
        return failure_set (&t->failure, E_NOT_OWNER, "", "Only the owner's turns make jobs");
    if (text.size > LANE_TEXT_MAX)
        return failure_set (&t->failure, E_TOO_LARGE, "lane", "A lane's name has at most %d bytes",
                            LANE_TEXT_MAX);
    job_row_t row = {.kind = job->kind->number,
                     .made = t->now,
                     .due = (job->due > 0 ? job->due : t->now) + self->lag,
                     .id = turn_id (t),
                     .tenant = job->tenant,
                     .group = job->group,
                     .ask = job->ask,
                     .lane = text};
    note_t note;
    int rc = lane_find (self, t->txn, &row, &note);
    if (!rc)
        rc = job_write (self, t, job, &row, &note);
    if (!rc)
        rc = lanes_note (self, &note);
    if (!rc && id)
        *id = row.id;
    return rc;
}

int job_put (lanes_t *self, turn_t *t, const job_row_t *row)
{
    uint8_t space[JOB_KEY_SIZE];
    buf_t packed = {0};
    note_t note;
    int rc = lane_find (self, t->txn, row, &note);
    job_row_write (row, &packed);
    if (!rc && buf_failed (&packed))
        rc = E_NO_MEMORY;
    if (!rc)
        rc = kv_put (t->txn, self->tables.jobs, job_key (note.at, space), buf_bytes (&packed));
    buf_free (&packed);
    return rc ? rc : lanes_note (self, &note);
}

int job_retry (turn_t *t, job_t *job, int64_t due)
{
    lanes_t *self = turn_lanes (t);
    if (!self || !job || self->running != job)
        return failure_set (&t->failure, E_CONFLICT, "", "A job is retried in its own finish");
    self->retried = true;
    self->retry_due = (due > 0 ? due : t->now) + self->lag;
    return 0;
}

void job_group_changed (turn_t *t, id16_t group)
{
    lanes_t *self = turn_lanes (t);
    if (self && idmap_find (&self->groups, group))
        lanes_note (self, &(note_t){.kind = NOTE_CHANGED, .group = group});
}

int job_group_pause (turn_t *t, id16_t group, int64_t until)
{
    lanes_t *self = turn_lanes (t);
    uint8_t value[8];
    if (!self || !self->loaded)
        return failure_set (&t->failure, E_NOT_OWNER, "", "Only the owner's turns pause jobs");
    bool go_on = until <= t->now;
    until = until < NEVER - self->lag ? until + self->lag : NEVER;
    u64_write (go_on ? 0 : (uint64_t) until, value);
    bytes_t key = bytes_of (group.b, sizeof group.b);
    int rc = go_on ? kv_del (t->txn, self->tables.pauses, key)
                   : kv_put (t->txn, self->tables.pauses, key, bytes_of (value, 8));
    if (rc && !(go_on && rc == E_NOT_FOUND))
        return rc;
    return lanes_note (self, &(note_t){.kind = NOTE_PAUSE, .group = group, .go_on = go_on});
}

/* ---- drop ---- */

typedef struct dropping {
    lanes_t *self;
    txn_t *txn;
    id16_t group;
    unsigned left;
    uint64_t counted; /* of those deleted, how many the gauge knows */
    job_place_t last;
    uint64_t name; /* of the lane dropped last */
} dropping_t;

/* Delete the lane's jobs from `from` on. *rest: the first that stays because there was enough; lane 0 = all are gone. */
static int lane_drop (dropping_t *d, job_place_t from, job_place_t *rest)
{
    uint8_t prefix[8], space[JOB_KEY_SIZE], at_space[JOB_KEY_SIZE];
    u64_write (from.lane, prefix);
    bytes_t key, value;
    kv_cursor_t cursor = {.table = d->self->tables.jobs,
                          .prefix = bytes_of (prefix, sizeof prefix),
                          .from = job_key (from, space)};
    *rest = (job_place_t){0};
    d->name = 0;
    int rc;
    while (!(rc = kv_next (d->txn, &cursor, &key, &value))) {
        job_place_t at = job_key_read (key);
        job_row_t row;
        if (!d->name && job_row_read (value, &row))
            d->name = lane_name (row.group, row.lane);
        if (!d->left) {
            *rest = at;
            break;
        }
        rc = kv_del (d->txn, d->self->tables.jobs, job_key (at, at_space));
        if (rc)
            break;
        d->left--;
        d->last = at;
        d->counted += lanes_counted (d->self, at);
    }
    kv_stop (&cursor);
    return rc == E_NOT_FOUND ? 0 : rc;
}

/* A lane from its first job: its name and its row in due (if it has one) go too, or the row in due says what is left. */
static int lane_drop_whole (dropping_t *d, job_place_t first, const uint8_t due[DUE_KEY_SIZE],
                            bool has_due)
{
    job_place_t rest;
    uint8_t value[DUE_SIZE];
    int rc = lane_drop (d, first, &rest);
    if (rc || rest.lane)
        return rc ? rc
                  : kv_put (d->txn, d->self->tables.due, bytes_of (due, DUE_KEY_SIZE),
                            due_value (rest.seq, d->name, value));
    rc = has_due ? kv_del (d->txn, d->self->tables.due, bytes_of (due, DUE_KEY_SIZE)) : 0;
    return rc || !d->name ? rc : hints_drop (&d->self->names, d->name, first.lane);
}

static int drop_due (dropping_t *d)
{
    uint8_t due[DUE_KEY_SIZE];
    int rc = 0;
    while (!rc && d->left) {
        int64_t at;
        job_place_t first;
        rc = due_first (d->self, d->txn, d->group, &at, &first);
        if (rc || at == NEVER)
            return rc;
        due_key (d->group, at, first.lane, due);
        rc = lane_drop_whole (d, first, due, true);
    }
    return rc;
}

/* Lanes that this turn made or moved on, which have no row in due yet. What a note says may be gone, or be in due by now. */
static int drop_fresh (dropping_t *d, bool *rest_left)
{
    for (size_t i = 0; i < d->self->note_count; i++) {
        const note_t *note = &d->self->notes[i];
        if (note->kind != NOTE_READY || !id_equal (note->group, d->group))
            continue;
        uint8_t space[JOB_KEY_SIZE], due[DUE_KEY_SIZE];
        bytes_t value;
        int rc = kv_get (d->txn, d->self->tables.jobs, job_key (note->at, space), &value);
        if (rc == E_NOT_FOUND)
            continue;
        if (!rc && !d->left) {
            *rest_left = true;
            return 0;
        }
        due_key (d->group, note->due, note->at.lane, due);
        if (!rc)
            rc = lane_drop_whole (d, note->at, due, false);
        if (rc)
            return rc;
    }
    return 0;
}

/* What waits behind jobs that are outward. */
static int drop_behind (dropping_t *d, bool *rest_left)
{
    size_t at = 0;
    const idmap_t *entries = &d->self->entries;
    for (idnode_t *node = idmap_next (entries, &at, NULL); node;
         node = idmap_next (entries, &at, node)) {
        const entry_t *entry = (const entry_t *) (const void *) node;
        job_place_t rest;
        if (entry->now.ending || !id_equal (entry->group->node.id, d->group))
            continue;
        int rc = lane_drop (d, (job_place_t){entry->at.lane, entry->at.seq + 1}, &rest);
        if (rc)
            return rc;
        *rest_left = *rest_left || rest.lane;
    }
    return 0;
}

int job_group_drop (turn_t *t, id16_t group, unsigned most, bool *more)
{
    lanes_t *self = turn_lanes (t);
    if (!self || !self->loaded)
        return failure_set (&t->failure, E_NOT_OWNER, "", "Only the owner's turns drop jobs");
    dropping_t d = {.self = self, .txn = t->txn, .group = group, .left = most};
    bool rest_left = false;
    int64_t due = NEVER;
    job_place_t at;
    int rc = drop_due (&d);
    if (!rc)
        rc = drop_fresh (&d, &rest_left);
    if (!rc)
        rc = drop_behind (&d, &rest_left);
    if (!rc)
        rc = due_first (self, t->txn, group, &due, &at);
    if (rc)
        return rc;
    *more = rest_left || due != NEVER;
    note_t note = {.kind = NOTE_GONE, .group = group, .at = d.last, .count = d.counted};
    return lanes_note (self, &note);
}

/* ---- schedules ---- */

int64_t job_backoff (unsigned tries, const uint32_t *steps_ms, size_t n, unsigned jitter_percent,
                     uint64_t random)
{
    if (!tries || tries > n)
        return -1;
    uint64_t step = steps_ms[tries - 1];
    uint64_t spread = step * (jitter_percent < 100 ? jitter_percent : 100) / 100;
    return (int64_t) (step - spread + random % (2 * spread + 1));
}
