/* lanes_store.c - the scheduler's rows: due, claimed, and what a turn staged but did not claim.
 *
 * Fails with what the store says; the turn is aborted then. */
#include <stdlib.h>
#include <string.h>

#include "svc/lanes_state.h"

/* ---- due ---- */

int due_first (lanes_t *self, txn_t *txn, id16_t group, int64_t *due, job_place_t *at)
{
    bytes_t key, value;
    *due = NEVER;
    int rc = kv_first (txn, self->tables.due, bytes_of (group.b, sizeof group.b), &key, &value);
    if (rc)
        return rc == E_NOT_FOUND ? 0 : rc;
    if (key.size != DUE_KEY_SIZE || value.size < 8)
        return E_CORRUPT;
    *due = (int64_t) u64_read (key.data + 16);
    *at = (job_place_t){u64_read (key.data + 24), u64_read (value.data)};
    return 0;
}

int due_put (lanes_t *self, txn_t *txn, group_t *group, int64_t due, job_place_t at, uint64_t name)
{
    uint8_t space[DUE_KEY_SIZE], value[DUE_SIZE];
    due = due < 0 ? 0 : due;
    int rc = kv_put (txn, self->tables.due, due_key (group->node.id, due, at.lane, space),
                     due_value (at.seq, name, value));
    group->first_known = false;
    if (!rc && due < group->now.earliest)
        group->now.earliest = due;
    return rc;
}

static int job_exists (lanes_t *self, txn_t *txn, job_place_t at)
{
    uint8_t space[JOB_KEY_SIZE];
    bytes_t value;
    return kv_get (txn, self->tables.jobs, job_key (at, space), &value);
}

/* ---- notes ---- */

/* The lane waits: its row in due, unless whoever noted it was rolled back. */
static int ready_settle (lanes_t *self, txn_t *txn, group_t *group, const note_t *note)
{
    int rc = job_exists (self, txn, note->at);
    if (rc)
        return rc == E_NOT_FOUND ? 0 : rc;
    group_count (self, group, note->at, (int64_t) note->count);
    return due_put (self, txn, group, note->due, note->at, note->name);
}

static int absorb_ready (lanes_t *self, turn_t *t, size_t at)
{
    const note_t *note = &self->notes[at];
    group_t *group = group_get (self, note->group, &note->tenant);
    if (!group)
        return E_NO_MEMORY;
    group_touch (self, group);
    if (note->due > lanes_time (self, t)) {
        int rc = ready_settle (self, t->txn, group, note);
        if (rc)
            return rc;
    } else {
        if (group->fresh_last)
            self->notes[group->fresh_last - 1].next = at + 1;
        else
            group->fresh_first = at + 1;
        group->fresh_last = at + 1;
    }
    return group_place (self, group, lanes_time (self, t));
}

static int absorb_behind (lanes_t *self, turn_t *t, const note_t *note)
{
    group_t *group = group_get (self, note->group, &note->tenant);
    if (!group)
        return E_NO_MEMORY;
    int rc = job_exists (self, t->txn, note->at);
    if (rc)
        return rc == E_NOT_FOUND ? 0 : rc;
    group_touch (self, group);
    group_count (self, group, note->at, 1);
    return 0;
}

static int absorb_gone (lanes_t *self, turn_t *t, group_t *group, const note_t *note)
{
    job_place_t at;
    group->first_known = false;
    int rc = note->count ? job_exists (self, t->txn, note->at) : 0;
    if (rc == E_NOT_FOUND) {
        group->now.waiting -= note->count < group->now.waiting ? note->count : group->now.waiting;
        rc = 0;
    }
    return rc ? rc : due_first (self, t->txn, group->node.id, &group->now.earliest, &at);
}

static int absorb_pause (lanes_t *self, turn_t *t, group_t *group, const note_t *note)
{
    bytes_t value;
    int rc = kv_get (t->txn, self->tables.pauses, bytes_of (note->group.b, 16), &value);
    if (rc && rc != E_NOT_FOUND)
        return rc;
    group->now.pause_until = !rc && value.size == 8 ? (int64_t) u64_read (value.data) : 0;
    if (note->go_on) {
        group->now.hold_until = 0;
        group->now.open_until = 0;
    }
    return 0;
}

static int absorb_one (lanes_t *self, turn_t *t, size_t at)
{
    note_t note = self->notes[at];
    if (note.kind == NOTE_READY)
        return absorb_ready (self, t, at);
    if (note.kind == NOTE_BEHIND)
        return absorb_behind (self, t, &note);
    group_t *group = group_get (self, note.group, NULL);
    if (!group)
        return E_NO_MEMORY;
    group_touch (self, group);
    int rc = 0;
    if (note.kind == NOTE_GONE)
        rc = absorb_gone (self, t, group, &note);
    else if (note.kind == NOTE_PAUSE)
        rc = absorb_pause (self, t, group, &note);
    else
        group->now.policy_known = false;
    return rc ? rc : group_place (self, group, lanes_time (self, t));
}

int lanes_absorb (lanes_t *self, turn_t *t)
{
    int rc = 0;
    while (!rc && self->note_absorbed < self->note_count)
        rc = absorb_one (self, t, self->note_absorbed++);
    return rc;
}

/* ---- claimed ---- */

int batch_put (lanes_t *self, txn_t *txn, entry_t *const *entries, size_t count)
{
    uint8_t row[CLAIMS_PER_ROW * CLAIM_SIZE], key[8];
    batch_t *batch = calloc (1, sizeof *batch);
    if (!batch)
        return E_NO_MEMORY;
    batch->number = self->next_batch++;
    batch->live = (unsigned) count;
    for (size_t i = 0; i < count; i++) {
        job_claim_write (&(job_claim_t){entries[i]->at, entries[i]->tries}, row + i * CLAIM_SIZE);
        entries[i]->batch = batch;
    }
    u64_write (batch->number, key);
    return kv_put (txn, self->tables.claimed, bytes_of (key, sizeof key),
                   bytes_of (row, count * CLAIM_SIZE));
}

static int batches_write (lanes_t *self, txn_t *txn)
{
    entry_t *some[CLAIMS_PER_ROW];
    size_t count = 0;
    int rc = 0;
    for (entry_t *entry = self->entries_touched; entry && !rc; entry = entry->touched_next) {
        if (entry->batch || entry->now.ending)
            continue;
        some[count++] = entry;
        if (count == CLAIMS_PER_ROW) {
            rc = batch_put (self, txn, some, count);
            count = 0;
        }
    }
    return rc || !count ? rc : batch_put (self, txn, some, count);
}

/* Rows whose last job ended in this turn. */
static int batches_drop (lanes_t *self, txn_t *txn)
{
    uint8_t key[8];
    for (entry_t *entry = self->entries_touched; entry; entry = entry->touched_next) {
        batch_t *batch = entry->batch;
        if (!entry->now.ending || !batch || batch->gone || batch->ending < batch->live)
            continue;
        u64_write (batch->number, key);
        int rc = kv_del (txn, self->tables.claimed, bytes_of (key, sizeof key));
        if (rc && rc != E_NOT_FOUND)
            return rc;
        batch->gone = true;
    }
    return 0;
}

/* ---- the end of a turn ---- */

static int fresh_flush (lanes_t *self, turn_t *t, group_t *group)
{
    int rc = 0;
    while (!rc && group->fresh_first) {
        const note_t *note = &self->notes[group->fresh_first - 1];
        rc = ready_settle (self, t->txn, group, note);
        group->fresh_first = note->next;
    }
    group->fresh_last = 0;
    return rc ? rc : group_place (self, group, lanes_time (self, t));
}

int lanes_flush (lanes_t *self, turn_t *t)
{
    int rc = lanes_absorb (self, t);
    for (group_t *group = self->touched; group && !rc; group = group->touched_next)
        rc = fresh_flush (self, t, group);
    if (!rc)
        rc = batches_write (self, t->txn);
    if (!rc)
        rc = batches_drop (self, t->txn);
    if (!rc)
        self->note_count = self->note_absorbed = 0;
    return rc;
}

/* ---- jobs of before the start ---- */

static int count_row (lanes_t *self, bytes_t value)
{
    job_row_t row;
    if (!job_row_read (value, &row))
        return 0;
    const entry_t *entry = (const entry_t *) (void *) idmap_find (&self->entries, row.id);
    if (entry && !entry->now.ending)
        return 0;
    group_t *group = group_get (self, row.group, &row.tenant);
    if (!group)
        return E_NO_MEMORY;
    group_touch (self, group);
    group->now.waiting++;
    return 0;
}

int lanes_count_some (lanes_t *self, txn_t *txn)
{
    if (!self->counting)
        return 0;
    uint8_t from[JOB_KEY_SIZE];
    kv_cursor_t cursor = {.table = self->tables.jobs, .from = job_key (self->counted, from)};
    bytes_t key, value;
    int rc = 0;
    for (unsigned left = COUNT_ROWS; left && !rc; left--) {
        rc = kv_next (txn, &cursor, &key, &value);
        if (rc || key.size != JOB_KEY_SIZE)
            break;
        self->counted = job_key_read (key);
        self->counted.seq++;
        rc = count_row (self, value);
    }
    kv_stop (&cursor);
    if (rc == E_NOT_FOUND) {
        self->counting = false;
        rc = 0;
    }
    return rc;
}
