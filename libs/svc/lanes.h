/* lanes.h - private to libs/svc: the scheduler of jobs, driven by the writer thread.
 *
 * Memory (groups with what is due, outward, tokens, breaker) is derived from the store and changes only after a commit: handlers stage
 * changes in the turn, lanes_committed applies them, lanes_aborted forgets them.
 *
 * The writer's turn: begin, [lanes_load once], handlers and lanes_finish in any order, then **lanes_claim as the last thing before every commit** (with
 * `most` 0 if nothing may go out, as in a drain): it stores what the handlers staged. Commit, then lanes_committed; else lanes_aborted. One turn at a time. */
#ifndef AVIARY_SVC_LANES_H
#define AVIARY_SVC_LANES_H

#include "base/queue.h"
#include "svc/job.h"

struct erase_match;
extern const char *const lanes_tables
    []; /* raw store tables, NULL-terminated: jobs, due, claimed, job_pauses, job_quarantine, job_held */

/* Something to do outward, made by lanes_claim, handed over after the commit. The launcher (outbound thread) ends it with an outward_done_t.
 * The struct itself, and the outward_done_t made for it, lie in `arena` too: free with outward_destroy or outward_done_destroy, not both. */
typedef struct outward {
    queue_item_t item;
    id16_t job;
    const job_kind_t *kind;
    id16_t group;
    /* Most HTTP requests of its group on the wire at once, and most after so many failures one after the other (0 = the same); the others wait their turn. 0 = all that
     * are claimed. */
    unsigned width, narrow, narrow_after;
    unsigned slot;  /* in the started file */
    outbound_t out; /* memory in `arena` */
    arena_t *arena; /* owned */
    struct outward_done
        *done; /* zeroed but for job, slot and arena: fill its outcome and hand it back */
} outward_t;

typedef struct outward_done {
    queue_item_t item;
    id16_t job;
    unsigned slot;
    outcome_t outcome; /* memory in `arena` */
    arena_t *arena;    /* owned */
} outward_done_t;

void outward_destroy (outward_t **self);
void outward_done_destroy (outward_done_t **self);
/* The same for what the scheduler is done with, on its thread: it keeps some of the memory for jobs to come. */
void lanes_done_destroy (lanes_t *self, outward_done_t **done);
/* A copy with memory in `arena`; what does not fit is left out and told as E_NO_MEMORY in code. */
void outcome_copy (arena_t *arena, const outcome_t *in, outcome_t *out);

typedef struct lanes_config {
    const job_kind_t *const *kinds;
    size_t kind_count;
    const char *started_path; /* mapped file DIR/run/NAME.started */
    unsigned outward_max;     /* in all; 0 = 1024 */
    /* A job went to quarantine (after the commit): for the log. May be NULL. */
    void (*quarantined) (void *context, const char *kind, id16_t job, const char *reason);
    /* Crash guard: note that a job's begin () or finish () runs now, and that it ended; false = it was running at three crashes and goes to
     * quarantine unrun. NULL = no guard. */
    bool (*enter) (void *context, id16_t job);
    void (*leave) (void *context);
    void *context;
} lanes_config_t;

int lanes_new (const lanes_config_t *config, store_t *store, lanes_t **out, failure_t *failure);
void lanes_destroy (lanes_t **self);
/* On taking ownership: build memory from the store, resolve what the process before had claimed (begin again) and started (finish as unknown, or
 * begin again if repeatable). Called inside a turn; resolves by making the results due through lanes_claim. If the turn fails, call it again. */
int lanes_load (lanes_t *self, turn_t *t);
/* How far the wall clock stepped back since dues were given: they are stored, and compared, with that much added, so that a step holds nothing up. 0 at first; set it before a
 * turn's first call. lanes_next and lanes_gauges speak in wall time. */
void lanes_lag (lanes_t *self, int64_t lag_ms);
/* In a turn, last: take up to `most` ready jobs, round-robin by tenant, run their begin () each under a savepoint, stage them as outward; run again
 * finish () that failed before; store what the turn staged. Non-zero: the store failed, the turn must be aborted. */
int lanes_claim (lanes_t *self, turn_t *t, unsigned most);
/* In a turn: run finish () for an outcome, under a savepoint. Jobs unknown by now are none of ours any more: 0. Non-zero: abort the turn; `done` is
 * needed again then. */
int lanes_finish (lanes_t *self, turn_t *t, const outward_done_t *done);
/* After the commit: apply staged changes, note starts in the started file and hand each outward to launch (). */
void lanes_committed (lanes_t *self, void (*launch) (void *context, outward_t *outward),
                      void *context);
void lanes_aborted (lanes_t *self);
/* Taken before a savepoint, given back after its rollback. */
size_t lanes_mark (const lanes_t *self);
void lanes_rewind (lanes_t *self, size_t mark);
/* Unix ms of the next thing to do, INT64_MAX if none: the writer wakes then. Also true work left over by `most` gives a past time. */
int64_t lanes_next (const lanes_t *self);
size_t lanes_outward (
    const lanes_t *self); /* under way, or waiting to finish again; drain waits for 0 */
/* Gauges: jobs waiting, how long the longest-due lane has been due in ms, groups with an open breaker. */
void lanes_gauges (const lanes_t *self, int64_t now, uint64_t *waiting, int64_t *oldest_ms,
                   uint64_t *open_breakers);
/* Jobs waiting in a group. After a start jobs of before are counted in steps, a few thousand a turn. */
uint64_t lanes_waiting_of (const lanes_t *self, id16_t group);
/* In a turn: a waiting job that tells of what `match` looks for is forgotten (lanes_erase.c). *left: it is under way, or just made. *gone: it was one, and its row is
 * gone. `key` and `value` of its row in jobs. */
int lanes_erase (lanes_t *self, turn_t *t, bytes_t key, bytes_t value, struct erase_match *match,
                 bool *left, bool *gone);
uint64_t lanes_quarantined (const lanes_t *self); /* jobs in the quarantine table */
uint64_t lanes_held (const lanes_t *self);        /* jobs in the table of held ones */

/* ---- jobs that wait for a person (lanes_held.c) ---- */

/* A row of job_quarantine or job_held. Strings and bytes lie where the row does. */
typedef struct kept_job {
    int64_t since;
    bytes_t reason;
    bytes_t packed; /* the job's row */
} kept_job_t;
bool kept_job_read (bytes_t row, kept_job_t *out);

/* After a restore, before lanes_load, in transactions of their own: jobs that are not repeatable, claimed or not, go from their lanes to job_held, `most` rows at a
 * step. Zeroed at first; goes on where it stopped. */
typedef struct lanes_hold {
    uint64_t lane, seq; /* to be looked at next */
    uint64_t held;      /* in this step */
    bool more;
} lanes_hold_t;
int lanes_hold (lanes_t *self, txn_t *txn, int64_t now, lanes_hold_t *walk, unsigned most);

typedef enum kept_where { KEPT_QUARANTINE, KEPT_HELD } kept_where_t;

/* In the owner's turn; each undoes what it wrote if it fails. E_NOT_FOUND: there is none of this id. E_CORRUPT: its row or kind cannot be read. *kind (may be NULL): its
 * name, "?" for one of no known kind. */
int lanes_release (lanes_t *self, turn_t *t, kept_where_t where, id16_t id, const char **kind);
/* End it: as unknown if it is no repeatable one, else it is forgotten. */
int lanes_end_kept (lanes_t *self, turn_t *t, kept_where_t where, id16_t id, const char **kind);
/* The same as the two above for one whose end cannot be told in its records: forgotten. */
int lanes_forget_kept (lanes_t *self, turn_t *t, kept_where_t where, id16_t id);
/* Its row was removed in this turn by somebody else; NULL is fine. */
void lanes_kept_gone (lanes_t *self, kept_where_t where);
/* The kept job as its kind's functions get it, in the turn's arena. */
int lanes_kept (lanes_t *self, turn_t *t, kept_where_t where, id16_t id, job_t *out);

#endif
