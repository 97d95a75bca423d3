/* lanes.c - the scheduler's life: made, a turn's end, gauges.
 *
 * How jobs lie in the store is in job_row.h, how groups are chosen in lanes_groups.c, begin () in lanes_claim.c, finish () in lanes_finish.c. Fails with the
 * store's codes; what cannot go on is in quarantine with its reason. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "svc/lanes_state.h"

const char *const lanes_tables[] = {"jobs",       "lanes",          "due",      "claimed",
                                    "job_pauses", "job_quarantine", "job_held", NULL};

enum { OUTWARD_MAX = 1024, OLDEST_EVERY_MS = 1000 };

/* ---- made and destroyed ---- */

static int tables_find (lanes_t *self, failure_t *failure)
{
    table_t **found[] = {
        &self->tables.jobs,   &self->tables.names_before, &self->tables.due, &self->tables.claimed,
        &self->tables.pauses, &self->tables.quarantine,   &self->tables.held};
    for (size_t i = 0; lanes_tables[i]; i++) {
        *found[i] = store_table (self->store, lanes_tables[i]);
        if (!*found[i])
            return failure_set (failure, E_INTERNAL, "", "The store has no table %s",
                                lanes_tables[i]);
    }
    return 0;
}

int lanes_new (const lanes_config_t *config, store_t *store, lanes_t **out, failure_t *failure)
{
    lanes_t *self = calloc (1, sizeof *self);
    if (!self)
        return failure_set (failure, E_NO_MEMORY, "", "No memory for the jobs");
    self->kinds = config->kinds;
    self->kind_count = config->kind_count;
    self->outward_max = config->outward_max ? config->outward_max : OUTWARD_MAX;
    self->quarantined = config->quarantined;
    self->enter = config->enter;
    self->leave = config->leave;
    self->context = config->context;
    self->store = store;
    self->started_path = strdup (config->started_path);
    int rc = self->started_path ? tables_find (self, failure)
                                : failure_set (failure, E_NO_MEMORY, "", "No memory for the jobs");
    if (rc)
        lanes_destroy (&self);
    else {
        lanes_empty (self);
        *out = self;
    }
    return rc;
}

static void turn_forget (lanes_t *self)
{
    for (size_t i = 0; i < self->kept_count; i++)
        lanes_spare (self, &self->kept[i]);
    self->kept_count = 0;
    for (buried_t *buried; (buried = self->buried); free (buried))
        self->buried = buried->next;
    self->note_count = self->note_absorbed = 0;
}

void lanes_empty (lanes_t *self)
{
    size_t at = 0;
    for (entry_t *entry = self->entries_touched, *next; entry; entry = next) {
        next = entry->touched_next;
        if (entry->now.ending) /* the others are in the hash */
            entry_free (self, entry);
    }
    for (idnode_t *node = idmap_next (&self->entries, &at, NULL), *next; node; node = next) {
        next = idmap_next (&self->entries, &at, node);
        entry_free (self, (entry_t *) (void *) node);
    }
    idmap_free (&self->entries);
    self->entries_touched = self->again = NULL;
    groups_free (self);
    hints_free (&self->names);
    turn_forget (self);
    started_close (&self->started);
    free (self->slots);
    self->slots = NULL;
    self->slot_count = 0;
    self->begun_first = self->begun_end = 0;
    self->loaded = self->loading = self->counting = self->counting_before = false;
    self->waiting = self->open_breakers = self->quarantine_count = self->quarantine_before = 0;
    self->held_count = self->held_before = 0;
    self->oldest_due = NEVER;
    self->oldest_at = 0;
    self->sweep_at = SWEEP_GROUPS;
    self->running = NULL;
}

void lanes_destroy (lanes_t **self)
{
    if (!self || !*self)
        return;
    lanes_empty (*self);
    while ((*self)->spare_count)
        arena_destroy (&(*self)->spares[--(*self)->spare_count]);
    free ((*self)->notes);
    free ((*self)->kept);
    free ((*self)->started_path);
    free (*self);
    *self = NULL;
}

/* ---- the memory of jobs ---- */

arena_t *lanes_arena (lanes_t *self)
{
    return self->spare_count ? self->spares[--self->spare_count] : arena_new (JOB_ARENA);
}

void lanes_spare (lanes_t *self, arena_t **arena)
{
    if (self->spare_count == SPARES_MOST) {
        arena_destroy (arena);
        return;
    }
    arena_trap (*arena, NULL);
    arena_reset (*arena);
    self->spares[self->spare_count++] = *arena;
    *arena = NULL;
}

void lanes_done_destroy (lanes_t *self, outward_done_t **done)
{
    arena_t *arena = (*done)->arena;
    lanes_spare (self, &arena);
    *done = NULL;
}

/* ---- parts that the other files share ---- */

const job_kind_t *lanes_kind (const lanes_t *self, uint16_t number)
{
    for (size_t i = 0; i < self->kind_count; i++)
        if (self->kinds[i]->number == number)
            return self->kinds[i];
    return NULL;
}

bool lanes_full (const lanes_t *self)
{
    return self->entries.count >= self->outward_max || !self->slot_count;
}

int lanes_note (lanes_t *self, const note_t *note)
{
    if (self->note_count == self->note_capacity) {
        size_t capacity = self->note_capacity ? 2 * self->note_capacity : 256;
        note_t *notes = realloc (self->notes, capacity * sizeof *notes);
        if (!notes)
            return E_NO_MEMORY;
        self->notes = notes;
        self->note_capacity = capacity;
    }
    self->notes[self->note_count] = *note;
    self->notes[self->note_count++].next = 0;
    return 0;
}

int lanes_keep (lanes_t *self, arena_t *arena)
{
    if (self->kept_count == self->kept_capacity) {
        size_t capacity = self->kept_capacity ? 2 * self->kept_capacity : 64;
        arena_t **kept = realloc (self->kept, capacity * sizeof *kept);
        if (!kept) {
            arena_destroy (&arena);
            return E_NO_MEMORY;
        }
        self->kept = kept;
        self->kept_capacity = capacity;
    }
    self->kept[self->kept_count++] = arena;
    return 0;
}

/* ---- the end of a turn ---- */

static void entry_commit (lanes_t *self, entry_t *entry,
                          void (*launch) (void *context, outward_t *outward), void *context)
{
    entry->touched = false;
    if (entry->before.kept != entry->now.kept)
        arena_destroy (&entry->before.kept);
    if (entry->now.ending) {
        entry->batch->ending--;
        started_clear (self->started, entry->slot);
        entry_free (self, entry);
        return;
    }
    if (entry->now.state != ENTRY_STAGED)
        return;
    entry->now.state = ENTRY_OUTWARD;
    outward_t *outward = entry->launch;
    entry->launch = NULL;
    started_mark (self->started, entry->slot, entry->node.id);
    launch (context, outward);
}

static void oldest_update (lanes_t *self)
{
    if (self->now >= self->oldest_at && self->now < self->oldest_at + OLDEST_EVERY_MS)
        return;
    size_t at = 0;
    self->oldest_at = self->now;
    self->oldest_due = NEVER;
    for (idnode_t *node = idmap_next (&self->groups, &at, NULL); node;
         node = idmap_next (&self->groups, &at, node)) {
        const group_t *group = (const group_t *) (const void *) node;
        if (group->now.earliest < self->oldest_due)
            self->oldest_due = group->now.earliest;
    }
}

void lanes_committed (lanes_t *self, void (*launch) (void *context, outward_t *outward),
                      void *context)
{
    if (!self->loaded)
        return;
    assert (!self->note_count); /* lanes_claim stores what was noted: it comes last in a turn */
    self->loading = false;
    for (; self->begun_first < self->begun_end; self->begun_first++)
        started_clear (self->started, (unsigned) self->begun_first);
    groups_committed (self);
    hints_commit (&self->names);
    for (entry_t *entry; (entry = self->entries_touched);) {
        self->entries_touched = entry->touched_next;
        entry_commit (self, entry, launch, context);
    }
    self->counting_before = self->counting;
    self->counted_before = self->counted;
    self->quarantine_before = self->quarantine_count;
    self->held_before = self->held_count;
    for (const buried_t *buried = self->buried; buried && self->quarantined; buried = buried->next)
        self->quarantined (self->context, buried->kind, buried->job, buried->reason);
    turn_forget (self);
    oldest_update (self);
    groups_sweep (self, self->now);
}

static void entry_abort (lanes_t *self, entry_t *entry)
{
    entry->touched = false;
    if (entry->before.kept != entry->now.kept)
        arena_destroy (&entry->now.kept);
    if (entry->now.ending) {
        entry->batch->ending--;
        entry->batch->gone = false;
        idmap_put (&self->entries, &entry->node); /* has its table: cannot fail */
    }
    if (entry->now.state == ENTRY_STAGED) {
        entry_free (self, entry);
        return;
    }
    entry->now = entry->before;
    entry_again (self, entry, entry->now.state == ENTRY_AGAIN);
}

void lanes_aborted (lanes_t *self)
{
    if (self->loading) {
        lanes_empty (self);
        return;
    }
    groups_aborted (self);
    hints_rewind (&self->names, 0);
    for (entry_t *entry; (entry = self->entries_touched);) {
        self->entries_touched = entry->touched_next;
        entry_abort (self, entry);
    }
    self->counting = self->counting_before;
    self->counted = self->counted_before;
    self->quarantine_count = self->quarantine_before;
    self->held_count = self->held_before;
    self->running = NULL;
    turn_forget (self);
}

size_t lanes_mark (const lanes_t *self)
{
    return hints_mark (&self->names);
}

void lanes_rewind (lanes_t *self, size_t mark)
{
    hints_rewind (&self->names, mark);
}

/* ---- what others ask ---- */

int64_t lanes_next (const lanes_t *self)
{
    int64_t next = NEVER;
    if (!self->loaded)
        return next;
    if (self->counting || (self->ring && !lanes_full (self)) || self->note_count ||
        self->entries_touched)
        return 0;
    const due_t *first = due_heap_first (&self->heap);
    if (first)
        next = first->at_ms;
    for (const entry_t *entry = self->again; entry; entry = entry->again_next)
        next = entry->now.again_at < next ? entry->now.again_at : next;
    return next == NEVER ? next : next - self->lag;
}

void lanes_lag (lanes_t *self, int64_t lag_ms)
{
    self->lag = lag_ms;
}

int64_t lanes_time (const lanes_t *self, const turn_t *t)
{
    return t->now + self->lag;
}

size_t lanes_outward (const lanes_t *self)
{
    return self->entries.count;
}

void lanes_gauges (const lanes_t *self, int64_t now, uint64_t *waiting, int64_t *oldest_ms,
                   uint64_t *open_breakers)
{
    *waiting = self->waiting;
    now += self->lag;
    *oldest_ms = self->oldest_due < now ? now - self->oldest_due : 0;
    *open_breakers = self->open_breakers;
}

uint64_t lanes_waiting_of (const lanes_t *self, id16_t group)
{
    const group_t *found = (const group_t *) (const void *) idmap_find (&self->groups, group);
    return found ? found->now.waiting : 0;
}

uint64_t lanes_quarantined (const lanes_t *self)
{
    return self->quarantine_count;
}

uint64_t lanes_held (const lanes_t *self)
{
    return self->held_count;
}
