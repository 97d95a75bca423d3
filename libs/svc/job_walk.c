/* job_walk.c - looking at a tenant's waiting jobs, in steps that a turn can bear.
 *
 * In the order of lanes, whose numbers stay: what is claimed or moved meanwhile changes no place. Others' jobs are passed over by the heads of their rows. Fails with what the store
 * fails with; a job that cannot be read is passed over too, for claiming it will find that out. */
#include "svc/lanes_state.h"

enum { PASSED_AS_ONE = 16 };

static bool is_claimed (const lanes_t *self, id16_t job)
{
    const entry_t *entry = (const entry_t *) (const void *) idmap_find (&self->entries, job);
    return entry && !entry->now.ending;
}

static int job_meet (turn_t *t, const job_walk_t *walk, const job_row_t *row,
                     int (*each) (turn_t *t, const job_t *job, void *context), void *context)
{
    job_t job;
    if (is_claimed (turn_lanes (t), row->id))
        return 0;
    int rc = job_decode (t, walk->kind, row, &job);
    return rc == E_CORRUPT ? 0 : rc ? rc : each (t, &job, context);
}

int job_walk (turn_t *t, job_walk_t *walk, int (*each) (turn_t *t, const job_t *job, void *context),
              void *context, bool *more)
{
    lanes_t *self = turn_lanes (t);
    uint8_t from[JOB_KEY_SIZE];
    bytes_t key, value;
    unsigned passed = 0;
    int rc = 0;
    if (!self || !self->loaded)
        return failure_set (&t->failure, E_NOT_OWNER, "", "Only the owner's turns look at jobs");
    job_place_t place = {(uint64_t) walk->lane, (uint64_t) walk->place};
    kv_cursor_t cursor = {
        .table = self->tables.jobs, .from = job_key (place, from), .after = place.lane != 0};
    while (!rc && walk->most && !(rc = kv_next (t->txn, &cursor, &key, &value))) {
        job_row_t row;
        place = job_key_read (key);
        walk->lane = (int64_t) place.lane;
        walk->place = (int64_t) place.seq;
        bool meets = job_row_read (value, &row) && row.kind == walk->kind->number &&
                     (id_is_nil (walk->tenant) || id_equal (row.tenant, walk->tenant));
        if (meets || ++passed % PASSED_AS_ONE == 0)
            walk->most--;
        if (meets)
            rc = job_meet (t, walk, &row, each, context);
    }
    kv_stop (&cursor);
    *more = !rc;
    return rc == E_NOT_FOUND ? 0 : rc;
}
