/* lanes_finish.c - the end of jobs: finish () for an outcome, a retry, the next of the lane, quarantine.
 *
 * A finish () that fails is run again a second later with the same outcome, kept in memory; after five failures that are the job's own the job goes to quarantine and
 * its lane goes on. Failures of the store count against no job. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/msgpack.h"
#include "svc/lanes_state.h"

bool is_environment (int code)
{
    return code == E_IO || code == E_MAP_FULL || code == E_DISK_LOW || code == E_NOT_OWNER ||
           code == E_CONFLICT_RETRY;
}

/* ---- entries ---- */

entry_t *entry_new (lanes_t *self, group_t *group, id16_t job, job_place_t at, uint32_t tries)
{
    entry_t *entry = self->slot_count ? malloc (sizeof *entry) : NULL;
    if (!entry)
        return NULL;
    *entry = (entry_t){.node = {.id = job}, .group = group, .at = at, .tries = tries};
    if (!idmap_put (&self->entries, &entry->node)) {
        free (entry);
        return NULL;
    }
    entry->slot = self->slots[--self->slot_count];
    entry_touch (self, entry);
    return entry;
}

void entry_free (lanes_t *self, entry_t *entry)
{
    if (!entry->now.ending)
        idmap_take (&self->entries, entry->node.id);
    entry_again (self, entry, false);
    self->slots[self->slot_count++] = entry->slot;
    if (entry->batch && --entry->batch->live == 0)
        free (entry->batch);
    arena_destroy (&entry->now.kept);
    outward_destroy (&entry->launch);
    free (entry);
}

void entry_touch (lanes_t *self, entry_t *entry)
{
    if (entry->touched)
        return;
    entry->touched = true;
    entry->before = entry->now;
    entry->touched_next = self->entries_touched;
    self->entries_touched = entry;
}

void entry_again (lanes_t *self, entry_t *entry, bool in)
{
    bool is_in = entry->again_prev || self->again == entry;
    if (in == is_in)
        return;
    if (in) {
        entry->again_next = self->again;
        if (self->again)
            self->again->again_prev = entry;
        self->again = entry;
        return;
    }
    if (entry->again_prev)
        entry->again_prev->again_next = entry->again_next;
    else
        self->again = entry->again_next;
    if (entry->again_next)
        entry->again_next->again_prev = entry->again_prev;
    entry->again_prev = entry->again_next = NULL;
}

/* Out of the hash at once: a retry may be claimed again in this same turn. */
static void entry_end (lanes_t *self, entry_t *entry)
{
    idmap_take (&self->entries, entry->node.id);
    entry->now.ending = true;
    entry->batch->ending++;
    entry->group->now.outward--;
    entry_again (self, entry, false);
}

/* ---- rows ---- */

int lanes_step (lanes_t *self, turn_t *t, int (*run) (turn_t *t, void *context), void *context)
{
    size_t notes = self->note_count;
    memset (&t->failure, 0, sizeof t->failure);
    int rc = turn_step (t, run, context);
    if (self->leave)
        self->leave (self->context);
    self->running = NULL;
    if (rc)
        self->note_count = notes;
    return rc;
}

/* The lane's first row, now that the one before is gone. E_NOT_FOUND: the lane is empty. */
static int lane_goes_on (lanes_t *self, turn_t *t, uint64_t lane)
{
    uint8_t prefix[8];
    u64_write (lane, prefix);
    bytes_t key, value;
    int rc = kv_first (t->txn, self->tables.jobs, bytes_of (prefix, sizeof prefix), &key, &value);
    if (rc)
        return rc;
    job_row_t row;
    bool readable = key.size == JOB_KEY_SIZE && job_row_read (value, &row);
    note_t note = {.kind = NOTE_READY};
    if (readable) {
        note.at = job_key_read (key);
        note.group = row.group;
        note.tenant = row.tenant;
        note.name = lane_name (row.group, row.lane);
        note.due = row.due;
    }
    return readable ? lanes_note (self, &note) : E_CORRUPT;
}

int job_remove (lanes_t *self, turn_t *t, job_place_t at, const job_row_t *row)
{
    uint8_t space[JOB_KEY_SIZE];
    int rc = kv_del (t->txn, self->tables.jobs, job_key (at, space));
    if (rc || (row && !row->lane.size))
        return rc;
    rc = lane_goes_on (self, t, at.lane);
    if (rc != E_NOT_FOUND)
        return rc;
    return row ? hints_drop (&self->names, lane_name (row->group, row->lane), at.lane) : 0;
}

int job_decode (turn_t *t, const job_kind_t *kind, const job_row_t *row, job_t *out)
{
    *out = (job_t){.id = row->id,
                   .kind = kind,
                   .tenant = row->tenant,
                   .group = row->group,
                   .ask = row->ask,
                   .made = row->made};
    out->tries = row->tries + 1;
    if (!kind->type)
        return 0;
    out->body = arena_alloc (t->arena, kind->type->size);
    return out->body && !schema_unpack (kind->type, row->body, t->arena, out->body, NULL)
               ? 0
               : E_CORRUPT;
}

/* The row as it is after a try: under the same key, or behind nobody in a lane of its own. */
static int job_again (lanes_t *self, turn_t *t, job_place_t at, const job_row_t *row, job_t *job)
{
    buf_t body = buf_in (t->arena), packed = buf_in (t->arena);
    uint8_t space[JOB_KEY_SIZE];
    job_row_t next = *row;
    bool moves = row->lane.size && !job->kind->retry_holds_lane;
    if (job->kind->type)
        schema_pack (job->kind->type, job->body, &body);
    next.body = buf_bytes (&body);
    next.tries = job->tries;
    next.stumbles = 0;
    next.due = self->retry_due;
    if (moves)
        next.lane = bytes_of (NULL, 0);
    job_row_write (&next, &packed);
    if (buf_failed (&body) || buf_failed (&packed))
        return E_NO_MEMORY;
    if (next.body.size > JOB_BODY_MAX)
        return E_TOO_LARGE;
    int rc = moves ? job_remove (self, t, at, row) : 0;
    if (rc)
        return rc;
    if (moves)
        at = (job_place_t){self->next_lane++, self->next_seq++};
    note_t note = {NOTE_READY,
                   .group = row->group,
                   .tenant = row->tenant,
                   .at = at,
                   .name = lane_name (next.group, next.lane),
                   .due = next.due,
                   .count = 1};
    rc = kv_put (t->txn, self->tables.jobs, job_key (at, space), buf_bytes (&packed));
    return rc ? rc : lanes_note (self, &note);
}

int job_end (lanes_t *self, turn_t *t, job_place_t at, const job_row_t *row, job_t *job)
{
    return self->retried ? job_again (self, t, at, row, job) : job_remove (self, t, at, row);
}

int job_finish_run (lanes_t *self, turn_t *t, job_place_t at, const job_row_t *row, job_t *job,
                    const outcome_t *outcome)
{
    self->running = job;
    self->retried = false;
    int rc = job->kind->finish (t, job, outcome);
    self->running = NULL;
    if (rc)
        return rc == E_PARKED ? E_INTERNAL : rc;
    return job_end (self, t, at, row, job);
}

/* ---- quarantine ---- */

static int grave_note (lanes_t *self, const job_row_t *row, const char *reason)
{
    buried_t *buried = calloc (1, sizeof *buried);
    if (!buried)
        return E_NO_MEMORY;
    const job_kind_t *kind = row ? lanes_kind (self, row->kind) : NULL;
    buried->kind = kind ? kind->name : "?";
    buried->job = row ? row->id : id_nil ();
    snprintf (buried->reason, sizeof buried->reason, "%s", reason);
    buried->next = self->buried;
    self->buried = buried;
    self->quarantine_count++;
    return 0;
}

static int grave_put (lanes_t *self, turn_t *t, job_place_t at, const job_row_t *row,
                      bytes_t packed, const char *reason)
{
    uint8_t space[JOB_KEY_SIZE];
    buf_t grave = {0};
    mp_array (&grave, 3);
    mp_int (&grave, t->now);
    mp_str (&grave, reason);
    mp_bin (&grave, packed.data, packed.size);
    bytes_t key = row ? bytes_of (row->id.b, sizeof row->id.b) : job_key (at, space);
    int rc = buf_failed (&grave)
                 ? E_NO_MEMORY
                 : kv_put (t->txn, self->tables.quarantine, key, buf_bytes (&grave));
    buf_free (&grave);
    return rc ? rc : grave_note (self, row, reason);
}

int job_bury (lanes_t *self, turn_t *t, job_place_t at, const char *reason)
{
    uint8_t space[JOB_KEY_SIZE];
    bytes_t value;
    buf_t packed = {0};
    int rc = kv_get (t->txn, self->tables.jobs, job_key (at, space), &value);
    if (rc)
        return rc == E_NOT_FOUND ? 0 : rc;
    buf_add (&packed, value.data, value.size);
    job_row_t row;
    bool readable = job_row_read (buf_bytes (&packed), &row);
    rc = buf_failed (&packed)
             ? E_NO_MEMORY
             : grave_put (self, t, at, readable ? &row : NULL, buf_bytes (&packed), reason);
    if (!rc)
        rc = job_remove (self, t, at, readable ? &row : NULL);
    buf_free (&packed);
    return rc;
}

/* ---- finish () ---- */

typedef struct finishing {
    lanes_t *self;
    const entry_t *entry;
    const outcome_t *outcome;
    const job_kind_t *kind;
    const char *broken; /* why it never can be finished */
} finishing_t;

static int finish_step (turn_t *t, void *context)
{
    finishing_t *f = context;
    uint8_t space[JOB_KEY_SIZE];
    bytes_t packed;
    job_row_t row;
    job_t job;
    int rc = kv_get (t->txn, f->self->tables.jobs, job_key (f->entry->at, space), &packed);
    if (rc)
        return rc == E_NOT_FOUND ? 0 : rc;
    void *copy = arena_memdup (t->arena, packed.data, packed.size);
    if (!copy)
        return E_NO_MEMORY;
    if (!job_row_read (bytes_of (copy, packed.size), &row)) {
        f->broken = "its row cannot be read";
        return E_CORRUPT;
    }
    f->kind = lanes_kind (f->self, row.kind);
    if (!f->kind) {
        f->broken = "its kind is not known";
        return E_CORRUPT;
    }
    if (job_decode (t, f->kind, &row, &job)) {
        f->broken = "its body cannot be read";
        return E_CORRUPT;
    }
    if (f->self->enter && !f->self->enter (f->self->context, row.id)) {
        f->broken = "it ran when the process crashed, three times";
        return E_INTERNAL;
    }
    job.tries = f->entry->tries;
    return job_finish_run (f->self, t, f->entry->at, &row, &job, f->outcome);
}

/* finish () failed: keep the outcome, and try again soon. */
static int finish_later (lanes_t *self, turn_t *t, entry_t *entry, const outcome_t *outcome)
{
    if (entry->now.state != ENTRY_AGAIN) {
        arena_t *kept = arena_new (JOB_ARENA);
        outcome_t *copy = kept ? arena_new_of (kept, outcome_t) : NULL;
        if (!copy) {
            arena_destroy (&kept);
            return E_NO_MEMORY;
        }
        outcome_copy (kept, outcome, copy);
        entry->now.kept = kept;
        entry->now.outcome = copy;
    }
    entry->now.state = ENTRY_AGAIN;
    entry->now.again_at = lanes_time (self, t) + AGAIN_MS;
    entry_again (self, entry, true);
    return 0;
}

static void outcome_account (int64_t now, entry_t *entry, const job_kind_t *kind,
                             const outcome_t *outcome)
{
    group_outcome (entry->group, entry, job_has_failed (kind, outcome), outcome, now);
}

static int finish_entry (lanes_t *self, turn_t *t, entry_t *entry, const outcome_t *outcome)
{
    char reason[REASON_SIZE];
    finishing_t f = {.self = self, .entry = entry, .outcome = outcome};
    group_touch (self, entry->group);
    entry_touch (self, entry);
    int rc = lanes_step (self, t, finish_step, &f);
    if (rc == E_CONFLICT_RETRY)
        return rc;
    if (f.kind && entry->now.state == ENTRY_OUTWARD)
        outcome_account (lanes_time (self, t), entry, f.kind, outcome);
    if (!rc) {
        entry_end (self, entry);
        return 0;
    }
    if (!is_environment (rc))
        entry->now.failures++;
    if (!f.broken && entry->now.failures < FINISH_FAILURES_MAX)
        return finish_later (self, t, entry, outcome);
    snprintf (reason, sizeof reason, "finish failed: %s (%s)",
              f.broken ? f.broken : t->failure.text, error_name (rc));
    rc = job_bury (self, t, entry->at, reason);
    if (!rc)
        entry_end (self, entry);
    return rc;
}

int lanes_finish (lanes_t *self, turn_t *t, const outward_done_t *done)
{
    self->now = lanes_time (self, t);
    entry_t *entry = (entry_t *) (void *) idmap_find (&self->entries, done->job);
    if (!entry || entry->now.ending || entry->now.state != ENTRY_OUTWARD)
        return 0;
    return finish_entry (self, t, entry, &done->outcome);
}

/* Also while nothing may go out: a drain waits for these. */
int lanes_finish_again (lanes_t *self, turn_t *t)
{
    unsigned left = AGAIN_MOST;
    for (entry_t *entry = self->again, *next; entry && left; entry = next) {
        next = entry->again_next;
        if (entry->now.again_at > lanes_time (self, t))
            continue;
        left--;
        int rc = finish_entry (self, t, entry, entry->now.outcome);
        if (rc)
            return rc;
    }
    return 0;
}
