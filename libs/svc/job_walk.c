/* job_walk.c - looking at waiting jobs by their lanes' names, in steps that a turn can bear.
 *
 * A lane's row leads to its jobs; what is claimed stands in memory and is passed over. Fails with what the store fails with; a job that cannot be read is passed over
 * too, for claiming it will find that out. */
#include <string.h>

#include "svc/lanes_state.h"

typedef struct walking {
    lanes_t *self;
    turn_t *t;
    job_walk_t *walk;
    int (*each) (turn_t *t, const job_t *job, void *context);
    void *context;
} walking_t;

/* The lane that the walk is in or comes to. E_NOT_FOUND: there is none any more. */
static int lane_next (const walking_t *w, bool after, const char **name, uint64_t *lane)
{
    uint8_t prefix[LANE_KEY_MAX], from[LANE_KEY_MAX];
    const job_walk_t *walk = w->walk;
    bytes_t key, value;
    kv_cursor_t cursor = {
        .table = w->self->tables.lanes,
        .prefix = lane_key (walk->group, bytes_of_str (walk->lanes ? walk->lanes : ""), prefix),
        .after = after};
    if (walk->lane)
        cursor.from = lane_key (walk->group, bytes_of_str (walk->lane), from);
    int rc = kv_next (w->t->txn, &cursor, &key, &value);
    if (!rc && (value.size != 8 || key.size < sizeof walk->group.b))
        rc = E_CORRUPT;
    if (!rc) {
        size_t head = sizeof walk->group.b;
        *name = arena_strndup (w->t->arena, (const char *) key.data + head, key.size - head);
        *lane = u64_read (value.data);
    }
    kv_stop (&cursor);
    return rc ? rc : *name ? 0 : E_NO_MEMORY;
}

static bool is_claimed (const lanes_t *self, id16_t job)
{
    const entry_t *entry = (const entry_t *) (const void *) idmap_find (&self->entries, job);
    return entry && !entry->now.ending;
}

static int job_meet (const walking_t *w, bytes_t packed)
{
    job_row_t row;
    job_t job;
    if (!job_row_read (packed, &row) || is_claimed (w->self, row.id))
        return 0;
    const job_kind_t *kind = lanes_kind (w->self, row.kind);
    int rc = kind ? job_decode (w->t, kind, &row, &job) : E_CORRUPT;
    return rc == E_CORRUPT ? 0 : rc ? rc : w->each (w->t, &job, w->context);
}

/* The lane's jobs behind `place`; *rest: not all of them. */
static int lane_walk (const walking_t *w, uint64_t lane, bool *rest)
{
    uint8_t prefix[8], from[JOB_KEY_SIZE];
    bytes_t key, value;
    job_walk_t *walk = w->walk;
    u64_write (lane, prefix);
    kv_cursor_t cursor = {.table = w->self->tables.jobs,
                          .prefix = bytes_of (prefix, sizeof prefix),
                          .from = job_key ((job_place_t){lane, (uint64_t) walk->place + 1}, from)};
    int rc = 0;
    while (!rc && !(rc = kv_next (w->t->txn, &cursor, &key, &value))) {
        *rest = walk->most == 0;
        if (*rest)
            break;
        walk->most--;
        walk->place = (int64_t) job_key_read (key).seq;
        rc = job_meet (w, value);
    }
    kv_stop (&cursor);
    return rc == E_NOT_FOUND ? 0 : rc;
}

int job_walk (turn_t *t, job_walk_t *walk, int (*each) (turn_t *t, const job_t *job, void *context),
              void *context, bool *more)
{
    walking_t w = {turn_lanes (t), t, walk, each, context};
    const char *name = NULL;
    uint64_t lane = 0;
    if (!w.self || !w.self->loaded)
        return failure_set (&t->failure, E_NOT_OWNER, "", "Only the owner's turns look at jobs");
    *more = false;
    for (bool after = false;; after = true) {
        int rc = lane_next (&w, after, &name, &lane);
        if (rc)
            return rc == E_NOT_FOUND ? 0 : rc;
        *more = walk->most == 0;
        if (*more)
            return 0;
        walk->most--;
        if (!walk->lane || strcmp (walk->lane, name) != 0)
            walk->place = -1;
        walk->lane = name;
        rc = lane_walk (&w, lane, more);
        if (rc || *more)
            return rc;
    }
}
