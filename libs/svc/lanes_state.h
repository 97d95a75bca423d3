/* lanes_state.h - private to the files of the scheduler: its memory, and what they call of each other.
 *
 * A group is in one of three places: `ready` (in its tenant's list; tenants with ready groups stand in a ring), `heap` (by the time at which it may go on) or nowhere
 * (nothing due, or full until something of it ends). What a turn changes of a group or of an outward job is copied at its first touch, so that an aborted turn puts
 * it back. What handlers stage is a list of notes that say where to look; they are checked against the store at the end of the turn, since a handler's writes
 * may have been rolled back. */
#ifndef AVIARY_SVC_LANES_STATE_H
#define AVIARY_SVC_LANES_STATE_H

#include "base/due.h"
#include "base/hints.h"
#include "svc/idmap.h"
#include "svc/job_row.h"
#include "svc/lanes.h"
#include "svc/started.h"

#define NEVER INT64_MAX

enum {
    JOB_ARENA = 24 << 20,
    JOB_BODY_MAX = 1 << 20,
    FEW = 4, /* jobs of a group in one visit */
    WIDTH = 16,
    STUMBLES_MAX = 8, /* begin () */
    FINISH_FAILURES_MAX = 5,
    AGAIN_MS = 1000,
    AGAIN_MOST = 256, /* of a turn */
    STUMBLE_MS_MAX = 60000,
    HOLD_MS_MAX = 24 * 3600 * 1000,
    QUICK_MS = 10,     /* what is claimed ahead waits about as long for its place on the wire */
    COUNT_ROWS = 2000, /* of a start's backlog counted in a turn */
    SWEEP_GROUPS = 4096,
    REASON_SIZE = 360,
    SPARES_MOST = 64
};

typedef enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_PROBING } breaker_state_t;

typedef struct group_facts {
    int64_t earliest; /* of its rows in due; NEVER = none */
    uint64_t waiting; /* jobs, claimed ones not */
    unsigned outward;
    bool policy_known;
    job_policy_t policy;
    double tokens;
    int64_t tokens_at;
    breaker_state_t breaker;
    unsigned failures; /* consecutive */
    bool quick;        /* the last one succeeded within QUICK_MS */
    uint32_t open_ms;
    int64_t open_until;
    int64_t hold_until;  /* Retry-After */
    int64_t pause_until; /* job_group_pause */
} group_facts_t;

typedef struct tenant tenant_t;
typedef enum place { PLACE_NONE, PLACE_READY, PLACE_HEAP } place_t;

typedef struct group {
    idnode_t node;
    tenant_t *tenant; /* NULL until a job of it is met */
    group_facts_t now;
    group_facts_t before;
    bool touched;
    struct group *touched_next;
    size_t fresh_first; /* this turn's due notes: index + 1; 0 = none */
    size_t fresh_last;
    bool first_known; /* in a visit: `first` is the lane of the row in due that `earliest` is of */
    job_place_t first;
    place_t place;
    due_t wake; /* in the heap */
    struct group *ready_prev, *ready_next;
} group_t;

struct tenant {
    idnode_t node;
    size_t groups;
    group_t *first, *last; /* ready */
    tenant_t *ring_prev, *ring_next;
};

typedef enum note_kind {
    NOTE_READY,  /* the first job of a lane that has no row in due */
    NOTE_BEHIND, /* a job behind others */
    NOTE_GONE,   /* `count` waiting jobs were dropped, the one at `at` among them */
    NOTE_PAUSE,  /* row in job_pauses changed */
    NOTE_CHANGED /* policy */
} note_kind_t;

typedef struct note {
    note_kind_t kind;
    id16_t group;
    id16_t tenant;
    job_place_t at;
    uint64_t name; /* READY: of the lane, as lane_name gives it */
    int64_t due;
    uint64_t count; /* READY: 1 if it did not count as waiting before */
    bool go_on;     /* PAUSE: at once */
    size_t next;    /* in the group's list of fresh ones */
} note_t;

typedef struct batch {
    uint64_t number;
    unsigned live;
    unsigned ending; /* in this turn */
    bool gone;       /* its row was deleted in this turn */
} batch_t;

typedef enum entry_state { ENTRY_STAGED, ENTRY_OUTWARD, ENTRY_AGAIN } entry_state_t;

typedef struct entry_facts {
    entry_state_t state;
    unsigned failures; /* of finish () */
    int64_t again_at;
    arena_t *kept;            /* memory of `outcome`; NULL: it is nobody's */
    const outcome_t *outcome; /* of one that finishes again */
    bool ending;
} entry_facts_t;

/* A claimed job: in `entries` from the turn that claims it until it ends; `ending` until that turn is committed. */
typedef struct entry {
    idnode_t node;
    group_t *group;
    job_place_t at;
    uint32_t tries;
    unsigned slot;
    bool probe;
    batch_t *batch;
    entry_facts_t now;
    entry_facts_t before;
    bool touched;
    struct entry *touched_next;
    struct entry *again_prev, *again_next; /* in `again`, by no order */
    outward_t *launch;                     /* staged */
} entry_t;

typedef struct buried {
    struct buried *next;
    const char *kind;
    id16_t job;
    char reason[REASON_SIZE];
} buried_t;

typedef struct lanes_store {
    table_t *jobs, *names_before, *due, *claimed, *pauses, *quarantine, *held;
} lanes_store_t;

struct lanes {
    const job_kind_t *const *kinds;
    size_t kind_count;
    char *started_path;
    unsigned outward_max;
    void (*quarantined) (void *context, const char *kind, id16_t job, const char *reason);
    bool (*enter) (void *context, id16_t job);
    void (*leave) (void *context);
    void *context;
    store_t *store;
    lanes_store_t tables;
    started_t *started;
    bool loaded, loading;
    int64_t now; /* of the last turn, as lanes_time says */
    int64_t lag; /* see lanes_lag */

    idmap_t groups, tenants, entries;
    hints_t names;   /* lane_name -> lane */
    due_heap_t heap; /* groups by when they may go on */
    tenant_t *ring;  /* to be served next */
    size_t sweep_at;
    uint64_t visits; /* of groups by passes, since the start */

    uint64_t next_lane, next_seq, next_batch;

    note_t *notes;
    size_t note_count, note_capacity, note_absorbed;
    group_t *touched;
    entry_t *entries_touched;
    entry_t *again; /* entries that finish again */
    arena_t **kept; /* arenas that end with the turn */
    size_t kept_count, kept_capacity;
    arena_t *spares[SPARES_MOST]; /* empty ones of jobs that ended, for the next */
    size_t spare_count;
    buried_t *buried;
    uint64_t quarantine_count, quarantine_before;
    uint64_t held_count, held_before;

    unsigned *slots; /* free ones */
    size_t slot_count;
    size_t begun_first, begun_end; /* slots with marks of before the first turn, until its commit */

    bool counting; /* jobs of before the start are still being counted */
    bool counting_before;
    job_place_t counted, counted_before; /* below: counted */

    uint64_t waiting, open_breakers; /* gauges, committed */
    int64_t oldest_due, oldest_at;

    job_t *running; /* in finish () now */
    bool retried;
    int64_t retry_due;
};

/* What the turn gives to the lanes (turn.c; inner.h has the same, and these files see no more of it). */
lanes_t *turn_lanes (const turn_t *t);
/* run (t, context) under a savepoint and a trap of t->arena; if it fails all that it wrote and staged in the turn is undone. */
int turn_step (turn_t *t, int (*run) (turn_t *t, void *context), void *context);

/* job.c: into its lane, behind what is there, with its id, tries and times. */
int job_put (lanes_t *self, turn_t *t, const job_row_t *row);

/* lanes.c */
const job_kind_t *lanes_kind (const lanes_t *self, uint16_t number);
bool lanes_full (const lanes_t *self); /* as much is outward as may be */
int lanes_note (lanes_t *self, const note_t *note);
int lanes_keep (lanes_t *self, arena_t *arena); /* ends with the turn */
arena_t *lanes_arena (lanes_t *self);           /* for a job; NULL: no memory */
void lanes_spare (lanes_t *self, arena_t **arena);
void lanes_empty (lanes_t *self); /* all that was loaded */

/* outward_item.c */
outward_t *outward_new (arena_t *arena); /* takes it; NULL: it is NULL, or there is no memory */

/* lanes_groups.c */
/* Made if new; `tenant` NULL if it is not known here. NULL: no memory. */
group_t *group_get (lanes_t *self, id16_t id, const id16_t *tenant);
void group_touch (lanes_t *self, group_t *group);
/* The turn's time by the clock that dues go by: it does not step back. */
int64_t lanes_time (const lanes_t *self, const turn_t *t);
int64_t group_limit (const group_t *group, int64_t now); /* when it might if something were due */
int64_t group_next (const group_t *group, int64_t now);  /* when it may begin a job; <= now: now */
int group_place (lanes_t *self, group_t *group, int64_t now);
void group_unplace (lanes_t *self, group_t *group);
int groups_wake (lanes_t *self, int64_t now); /* those of the heap whose time came become ready */
void groups_sweep (lanes_t *self, int64_t now);
void group_policy (group_t *group, const job_policy_t *policy, int64_t now);
void group_token (group_t *group, int64_t now); /* one was used */
void group_outcome (group_t *group, const entry_t *entry, bool failed, const outcome_t *outcome,
                    int64_t now);
void group_count (lanes_t *self, group_t *group, job_place_t at, int64_t add);
bool lanes_counted (const lanes_t *self, job_place_t at);
void groups_committed (lanes_t *self);
void groups_aborted (lanes_t *self);
void groups_free (lanes_t *self);

/* lanes_store.c */
int due_first (lanes_t *self, txn_t *txn, id16_t group, int64_t *due,
               job_place_t *at); /* NEVER if none */
int due_put (lanes_t *self, txn_t *txn, group_t *group, int64_t due, job_place_t at, uint64_t name);
int lanes_absorb (lanes_t *self, turn_t *t); /* notes -> groups */
int lanes_flush (lanes_t *self, turn_t *t);  /* what was staged and not claimed -> store */
int lanes_count_some (lanes_t *self, txn_t *txn);
int batch_put (lanes_t *self, txn_t *txn, entry_t *const *entries, size_t count);

/* lanes_finish.c */
entry_t *entry_new (lanes_t *self, group_t *group, id16_t job, job_place_t at,
                    uint32_t tries); /* takes a slot; NULL: none or no memory */
void entry_free (lanes_t *self, entry_t *entry);
void entry_touch (lanes_t *self, entry_t *entry);
void entry_again (lanes_t *self, entry_t *entry, bool in); /* in or out of the list */
/* The job's row is dealt with by `job` having been retried or not; the lane goes on. */
int job_end (lanes_t *self, turn_t *t, job_place_t at, const job_row_t *row, job_t *job);
/* Delete the row (NULL: one that cannot be read) and note the next of its lane. */
int job_remove (lanes_t *self, turn_t *t, job_place_t at, const job_row_t *row);
/* Decode the body of a row into a job; E_CORRUPT. */
int job_decode (turn_t *t, const job_kind_t *kind, const job_row_t *row, job_t *out);
/* To quarantine, its lane goes on. The row is read here. */
int job_bury (lanes_t *self, turn_t *t, job_place_t at, const char *reason);
int lanes_finish_again (lanes_t *self, turn_t *t);
/* kind->finish () with what is behind it, for a job begun in this turn (OUT_NOTHING); inside a step. */
int job_finish_run (lanes_t *self, turn_t *t, job_place_t at, const job_row_t *row, job_t *job,
                    const outcome_t *outcome);
/* turn_step, and what was noted since is forgotten too if it fails. */
int lanes_step (lanes_t *self, turn_t *t, int (*run) (turn_t *t, void *context), void *context);
bool is_environment (int code); /* not the job's fault */

#endif
