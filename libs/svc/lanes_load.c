/* lanes_load.c - taking the jobs over from the process before: what waits, what it had claimed, what of that may have left the house.
 *
 * Costs the groups, the jobs that were claimed and a short row for each lane that waits, not the jobs. Fails with the store's codes and E_IO for the file of started jobs, with text in t->failure;
 * then nothing is loaded. */
#include <stdlib.h>
#include <string.h>

#include "svc/lanes_state.h"

typedef struct claims {
    job_claim_t *items;
    size_t count, capacity;
    id16_t *begun; /* those that had started and are tried again */
    size_t begun_count;
} claims_t;

static int claims_add (claims_t *self, const job_claim_t *claim)
{
    if (self->count == self->capacity) {
        size_t capacity = self->capacity ? 2 * self->capacity : 256;
        job_claim_t *items = realloc (self->items, capacity * sizeof *items);
        if (!items)
            return E_NO_MEMORY;
        self->items = items;
        self->capacity = capacity;
    }
    self->items[self->count++] = *claim;
    return 0;
}

static int claims_read (lanes_t *self, txn_t *txn, claims_t *out)
{
    kv_cursor_t cursor = {.table = self->tables.claimed};
    bytes_t key, value;
    int rc;
    while (!(rc = kv_next (txn, &cursor, &key, &value))) {
        for (size_t at = 0; at + CLAIM_SIZE <= value.size && !rc; at += CLAIM_SIZE) {
            job_claim_t claim = job_claim_read (value.data + at);
            rc = claims_add (out, &claim);
        }
        if (rc)
            break;
    }
    kv_stop (&cursor);
    return rc == E_NOT_FOUND ? 0 : rc;
}

/* The slots, so that jobs lost take the first ones in order. Twice as many as may be outward: those that end in a turn free theirs only at its commit. */
static int slots_fill (lanes_t *self, size_t claimed)
{
    size_t count = (claimed > self->outward_max ? claimed : self->outward_max) + self->outward_max;
    self->slots = calloc (count, sizeof *self->slots);
    if (!self->slots)
        return E_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        self->slots[i] = (unsigned) (count - 1 - i);
    self->slot_count = count;
    return 0;
}

/* ---- names of lanes ---- */

static int name_load (lanes_t *self, uint64_t name, uint64_t lane)
{
    return name ? hints_load (&self->names, name, lane) : 0;
}

/* Of a lane whose row in due is from before these had it. */
static int name_of_job (lanes_t *self, txn_t *txn, job_place_t at, uint64_t *name)
{
    uint8_t space[JOB_KEY_SIZE];
    bytes_t packed;
    job_row_t row;
    int rc = kv_get (txn, self->tables.jobs, job_key (at, space), &packed);
    *name = !rc && job_row_read (packed, &row) ? lane_name (row.group, row.lane) : 0;
    return rc == E_NOT_FOUND ? 0 : rc;
}

/* Of lanes that wait; a lane whose first job is claimed is met there. */
static int names_load (lanes_t *self, txn_t *txn)
{
    kv_cursor_t cursor = {.table = self->tables.due};
    bytes_t key, value;
    uint64_t name, before = 0;
    int rc;
    while (!(rc = kv_next (txn, &cursor, &key, &value))) {
        if (key.size != DUE_KEY_SIZE || value.size < 8) {
            rc = E_CORRUPT;
            break;
        }
        job_place_t at = {u64_read (key.data + 24), u64_read (value.data)};
        if (value.size == DUE_SIZE)
            name = u64_read (value.data + 8);
        else
            rc = name_of_job (self, txn, at, &name);
        if (!rc)
            rc = name_load (self, name, at.lane);
        if (rc)
            break;
    }
    kv_stop (&cursor);
    if (rc == E_NOT_FOUND)
        rc = kv_count (txn, self->tables.names_before, &before);
    return rc || !before ? rc : kv_clear (txn, self->tables.names_before);
}

/* ---- what was claimed ---- */

/* Its outcome is unknown: finish () is told so in one of the next turns. */
static int lost_add (lanes_t *self, group_t *group, const job_row_t *row, const job_claim_t *claim)
{
    static const outcome_t lost = {.stage = FETCH_SENT,
                                   .code = E_REPLICA_LOST,
                                   .reason =
                                       "the process that sent it ended before the answer came"};
    if (idmap_find (&self->entries, row->id))
        return 0;
    entry_t *entry = entry_new (self, group, row->id, claim->at, claim->tries);
    if (!entry)
        return E_NO_MEMORY;
    entry->now.state = ENTRY_AGAIN;
    entry->now.outcome = &lost;
    entry_again (self, entry, true);
    group->now.outward++;
    return 0;
}

static int claim_release (lanes_t *self, txn_t *txn, group_t *group, job_row_t *row,
                          const job_claim_t *claim, bool started)
{
    if (started) {
        uint8_t space[JOB_KEY_SIZE];
        buf_t packed = {0};
        row->tries = claim->tries;
        job_row_write (row, &packed);
        int rc = buf_failed (&packed) ? E_NO_MEMORY
                                      : kv_put (txn, self->tables.jobs, job_key (claim->at, space),
                                                buf_bytes (&packed));
        buf_free (&packed);
        if (rc)
            return rc;
    }
    return due_put (self, txn, group, self->now, claim->at, lane_name (row->group, row->lane));
}

static int claim_resolve (lanes_t *self, turn_t *t, claims_t *claims, const job_claim_t *claim,
                          bytes_t packed)
{
    job_row_t row;
    if (!job_row_read (packed, &row))
        return job_bury (self, t, claim->at, "its row cannot be read");
    int named = name_load (self, lane_name (row.group, row.lane), claim->at.lane);
    if (named || row.tries + 1 != claim->tries)
        return named; /* retried since, or begun again: another claim tells */
    const job_kind_t *kind = lanes_kind (self, row.kind);
    if (!kind)
        return job_bury (self, t, claim->at, "its kind is not known");
    group_t *group = group_get (self, row.group, &row.tenant);
    if (!group)
        return E_NO_MEMORY;
    group_touch (self, group);
    bool started = !started_trusted (self->started) || started_was (self->started, row.id);
    if (started && !kind->repeatable)
        return lost_add (self, group, &row, claim);
    if (started)
        claims->begun[claims->begun_count++] = row.id;
    return claim_release (self, t->txn, group, &row, claim, started);
}

static int claims_resolve (lanes_t *self, turn_t *t, claims_t *claims)
{
    uint8_t space[JOB_KEY_SIZE];
    buf_t copy = {0};
    claims->begun = calloc (claims->count + 1, sizeof *claims->begun);
    int rc = claims->begun ? 0 : E_NO_MEMORY;
    for (size_t i = 0; i < claims->count && !rc; i++) {
        bytes_t packed;
        rc = kv_get (t->txn, self->tables.jobs, job_key (claims->items[i].at, space), &packed);
        if (!rc) {
            buf_clear (&copy);
            buf_add (&copy, packed.data, packed.size);
            rc = buf_failed (&copy)
                     ? E_NO_MEMORY
                     : claim_resolve (self, t, claims, &claims->items[i], buf_bytes (&copy));
        } else if (rc == E_NOT_FOUND)
            rc = 0;
    }
    buf_free (&copy);
    return rc;
}

/* The group that begins after `from` in due, by its earliest row. A row without a job is deleted on the way. E_NOT_FOUND at the end. */
static int group_after (lanes_t *self, turn_t *t, uint8_t from[DUE_KEY_SIZE], bool first)
{
    kv_cursor_t cursor = {.table = self->tables.due,
                          .from = bytes_of (from, first ? 0 : DUE_KEY_SIZE),
                          .after = true};
    bytes_t key, value, packed;
    int rc = kv_next (t->txn, &cursor, &key, &value);
    if (rc)
        return rc;
    if (key.size != DUE_KEY_SIZE || value.size < 8) {
        kv_stop (&cursor);
        return E_CORRUPT;
    }
    uint8_t space[JOB_KEY_SIZE];
    job_place_t at = {u64_read (key.data + 24), u64_read (value.data)};
    memcpy (from, key.data, DUE_KEY_SIZE);
    kv_stop (&cursor);
    job_row_t row;
    rc = kv_get (t->txn, self->tables.jobs, job_key (at, space), &packed);
    if (rc == E_NOT_FOUND)
        return kv_del (t->txn, self->tables.due, bytes_of (from, DUE_KEY_SIZE));
    if (rc)
        return rc;
    row.tenant = id_nil ();
    job_row_read (packed, &row); /* else claimed and buried in its turn */
    id16_t id;
    memcpy (id.b, from, sizeof id.b);
    group_t *group = group_get (self, id, &row.tenant);
    if (!group)
        return E_NO_MEMORY;
    group_touch (self, group);
    group->now.earliest = (int64_t) u64_read (from + 16);
    memset (from + 16, 0xFF, DUE_KEY_SIZE - 16);
    return 0;
}

static int groups_load (lanes_t *self, turn_t *t)
{
    uint8_t from[DUE_KEY_SIZE] = {0};
    int rc = group_after (self, t, from, true);
    while (!rc)
        rc = group_after (self, t, from, false);
    return rc == E_NOT_FOUND ? 0 : rc;
}

static int pauses_load (lanes_t *self, turn_t *t)
{
    kv_cursor_t cursor = {.table = self->tables.pauses};
    bytes_t key, value;
    int rc;
    while (!(rc = kv_next (t->txn, &cursor, &key, &value))) {
        if (key.size != sizeof (id16_t) || value.size != 8)
            continue;
        id16_t id;
        memcpy (id.b, key.data, sizeof id.b);
        int64_t until = (int64_t) u64_read (value.data);
        if (until <= lanes_time (self, t)) {
            rc = kv_del (t->txn, self->tables.pauses, bytes_of (id.b, sizeof id.b));
            if (rc)
                break;
            continue;
        }
        group_t *group = group_get (self, id, NULL);
        if (!group) {
            rc = E_NO_MEMORY;
            break;
        }
        group_touch (self, group);
        group->now.pause_until = until;
    }
    kv_stop (&cursor);
    return rc == E_NOT_FOUND ? 0 : rc;
}

/* Lane numbers go on above all that are in use. */
static int numbers_load (lanes_t *self, txn_t *txn)
{
    kv_cursor_t cursor = {.table = self->tables.jobs, .reverse = true};
    bytes_t key, value;
    self->next_lane = self->next_seq = self->next_batch = 1;
    int rc = kv_next (txn, &cursor, &key, &value);
    if (!rc && key.size == JOB_KEY_SIZE)
        self->next_lane = job_key_read (key).lane + 1;
    kv_stop (&cursor);
    if (rc && rc != E_NOT_FOUND)
        return rc;
    self->counting = !rc;
    self->counted = (job_place_t){0};
    rc = kv_count (txn, self->tables.quarantine, &self->quarantine_count);
    return rc ? rc : kv_count (txn, self->tables.held, &self->held_count);
}

/* The file is new before the store is: if this turn is lost, the next one must read in it all that this one did. So those that are tried again keep a mark, in free
 * slots, until the commit. */
static int started_load (lanes_t *self, turn_t *t, const claims_t *claims)
{
    size_t count = 0, at = 0, slots = self->slot_count + self->entries.count;
    id16_t *lost = calloc (self->entries.count + claims->begun_count + 1, sizeof *lost);
    if (!lost)
        return E_NO_MEMORY;
    for (idnode_t *node = idmap_next (&self->entries, &at, NULL); node;
         node = idmap_next (&self->entries, &at, node)) {
        lost[((entry_t *) (void *) node)->slot] = node->id;
        count++;
    }
    self->begun_first = count;
    memcpy (lost + count, claims->begun, claims->begun_count * sizeof *lost);
    self->begun_end = count += claims->begun_count;
    int rc = started_renew (self->started, (unsigned) slots, lost, count, &t->failure);
    free (lost);
    return rc;
}

static int load_steps (lanes_t *self, turn_t *t, claims_t *claims)
{
    id16_t epoch;
    int rc = store_epoch (t->txn, &epoch);
    if (!rc)
        rc = started_open (self->started_path, epoch, &self->started, &t->failure);
    if (!rc)
        rc = numbers_load (self, t->txn);
    if (!rc)
        rc = claims_read (self, t->txn, claims);
    if (!rc && claims->count)
        rc = kv_clear (t->txn, self->tables.claimed);
    if (!rc)
        rc = slots_fill (self, claims->count);
    if (!rc)
        rc = names_load (self, t->txn);
    if (!rc)
        rc = pauses_load (self, t);
    if (!rc)
        rc = claims_resolve (self, t, claims);
    if (!rc)
        rc = groups_load (self, t);
    if (!rc)
        rc = lanes_flush (self, t);
    return rc ? rc : started_load (self, t, claims);
}

int lanes_load (lanes_t *self, turn_t *t)
{
    claims_t claims = {0};
    lanes_empty (self);
    self->now = lanes_time (self, t);
    self->loading = true;
    int rc = load_steps (self, t, &claims);
    free (claims.items);
    free (claims.begun);
    if (rc) {
        lanes_empty (self);
        return rc;
    }
    self->loaded = true;
    return 0;
}
