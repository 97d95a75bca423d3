/* lanes_erase.c - takes a waiting job that tells of what was erased out of its lane.
 *
 * A job that is under way ends by itself, and finds what it was for gone; the walk comes again until it has. Fails with what the store says. */
#include "svc/erase_match.h"
#include "svc/lanes_state.h"

enum { DUE_LOOKS = 2000 };

/* The lane's row in due. A job that was put off stands there under another time than its own. E_NOT_FOUND: it has none. */
static int due_find (lanes_t *self, txn_t *txn, const job_row_t *row, job_place_t at,
                     uint8_t out[DUE_KEY_SIZE])
{
    bytes_t key, value;
    int rc = kv_get (txn, self->tables.due, due_key (row->group, row->due, at.lane, out), &value);
    if (rc != E_NOT_FOUND)
        return rc;
    kv_cursor_t walk = {.table = self->tables.due, .prefix = bytes_of (row->group.b, 16)};
    for (int n = 0; n < DUE_LOOKS && !(rc = kv_next (txn, &walk, &key, &value)); n++) {
        if (key.size != DUE_KEY_SIZE || u64_read (key.data + 24) != at.lane)
            continue;
        memcpy (out, key.data, DUE_KEY_SIZE);
        kv_stop (&walk);
        return 0;
    }
    kv_stop (&walk);
    return rc ? rc : E_NOT_FOUND;
}

static bool is_first (lanes_t *self, txn_t *txn, job_place_t at)
{
    uint8_t prefix[8];
    u64_write (at.lane, prefix);
    bytes_t key, value;
    return !kv_first (txn, self->tables.jobs, bytes_of (prefix, sizeof prefix), &key, &value) &&
           key.size == JOB_KEY_SIZE && job_key_read (key).seq == at.seq;
}

/* With it goes its lane's place among those that wait; the next of the lane takes that, or the lane's name goes too. */
static int first_take (lanes_t *self, turn_t *t, job_place_t at, const job_row_t *row, bool *left)
{
    uint8_t due[DUE_KEY_SIZE];
    int rc = due_find (self, t->txn, row, at, due);
    if (rc == E_NOT_FOUND) { /* made or claimed in this turn, or not found in so many */
        *left = true;
        return 0;
    }
    if (!rc)
        rc = kv_del (t->txn, self->tables.due, bytes_of (due, sizeof due));
    return rc ? rc : job_remove (self, t, at, row);
}

static int job_take (lanes_t *self, turn_t *t, job_place_t at, const job_row_t *row, bool *left)
{
    uint8_t space[JOB_KEY_SIZE];
    note_t note = {.kind = NOTE_GONE, .group = row->group, .at = at, .count = 1};
    if (!lanes_counted (self, at))
        note.count = 0;
    int rc = is_first (self, t->txn, at) ? first_take (self, t, at, row, left)
                                         : kv_del (t->txn, self->tables.jobs, job_key (at, space));
    return rc || *left ? rc : lanes_note (self, &note);
}

int lanes_erase (lanes_t *self, turn_t *t, bytes_t key, bytes_t value, erase_match_t *match,
                 bool *left, bool *gone)
{
    job_row_t row;
    if (key.size != JOB_KEY_SIZE || !job_row_read (value, &row))
        return 0;
    const job_kind_t *kind = lanes_kind (self, row.kind);
    if ((kind && kind->erases) || !erase_match_tells (match, value, row.made))
        return 0;
    if (idmap_find (&self->entries, row.id)) {
        *left = true;
        return 0;
    }
    void *copy = arena_memdup (t->arena, value.data, value.size);
    if (!copy)
        return E_NO_MEMORY;
    bool waits = false;
    job_row_read (bytes_of (copy, value.size), &row);
    int rc = job_take (self, t, job_key_read (key), &row, &waits);
    *left = *left || waits;
    *gone = !rc && !waits;
    return rc;
}
