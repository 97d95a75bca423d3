/* job.h - what goes outward is a job; jobs wait in lanes.
 *
 * A job belongs to a group (a provider account, a webhook subscription: has the breaker, the rate and the width) and in it to a lane (number and
 * recipient, or message): jobs of one lane go one after the other, in order. A job may be claimed in the turn that made it.
 * Life: job_add -> begin () in the claiming turn says what to do outward -> commit -> id into the `started` file -> outward -> finish () in the turn that
 * gets the outcome. After a crash, jobs claimed but not started are begun again; started ones get finish () with stage FETCH_SENT and code E_REPLICA_LOST
 * unless their kind says that a repeat is safe. */
#ifndef AVIARY_SVC_JOB_H
#define AVIARY_SVC_JOB_H

#include "fetch/fetch.h"
#include "svc/turn.h"

typedef struct job_kind job_kind_t;

typedef struct job {
    id16_t id;
    const job_kind_t *kind;
    id16_t tenant;
    id16_t group;
    id16_t ask;     /* parked ask, nil if none */
    uint32_t tries; /* begun so often, this one included */
    int64_t made;   /* Unix ms */
    void *body;     /* decoded struct of kind->type; changes are stored by job_retry */
} job_t;

typedef enum outbound_how {
    OUT_NOTHING =
        0, /* nothing outward: finish () runs in this same turn with stage FETCH_ANSWERED, status 0 */
    OUT_HTTP, /* `request` by libs/fetch */
    OUT_WAIT, /* local carrier: finish () after `wait_ms` with stage FETCH_ANSWERED and `body` as the answer's body */
    OUT_ASK, /* ask another service: `target`, `request.body` packed; the answer's body or the failure comes back in the outcome */
    OUT_DROP /* the job's reason is gone: forget it */
} outbound_how_t;

typedef struct outbound {
    outbound_how_t how;
    fetch_request_t request; /* memory in the turn's arena */
    uint32_t wait_ms;
    bytes_t body;
    const char *target;
} outbound_t;

/* What came of it. Strings live in the turn's arena. */
typedef struct outcome {
    fetch_stage_t stage;
    int status;
    int code; /* 0 or E_ */
    const char *reason;
    const char *headers;
    bytes_t body;
    int64_t retry_after_ms;
    uint32_t duration_ms;
    const char *address;
    const fetch_file_t *file; /* OUT_HTTP with answer_limit: see fetch.h */
    failure_t failure;        /* OUT_ASK */
} outcome_t;

/* A group's policy, asked for when the group is first met in this process and after job_group_changed (). */
typedef struct job_policy {
    unsigned width; /* most jobs of the group outward at once; 0 = 16 */
    /* While the group answers within a few ms, claim as many jobs again: they are committed and signed by the time that one before them is answered. At most `width` of its
     * requests are on the wire. Only for kinds that are repeatable: after a crash these count as sent. */
    bool ahead;
    double per_second; /* 0 = no limit */
    double burst;
    unsigned breaker_failures; /* consecutive failures that open the breaker; 0 = no breaker */
    uint32_t breaker_open_ms;  /* then one probe, doubling up to 16 times as long */
    unsigned
        failing_width; /* in place of the breaker: after so many failures at most so many jobs are outward at once, until one succeeds; 0 = the breaker */
} job_policy_t;

struct job_kind {
    const char *name;
    uint16_t number;           /* on disk; never reused */
    const schema_type_t *type; /* of the body */
    /* A started job whose outcome is unknown may simply be begun again. All others are held by a restore. */
    bool repeatable;
    bool
        retry_holds_lane; /* a job waiting for its retry holds the jobs behind it (sends: order; webhooks: no) */
    int (*begin) (turn_t *t, job_t *job, outbound_t *out);
    /* Must end with the job retried (job_retry) or it is done. A non-zero return undoes the turn's writes for this job and it is tried again in 1 s. */
    int (*finish) (turn_t *t, job_t *job, const outcome_t *outcome);
    void (*policy) (turn_t *t, id16_t group, job_policy_t *out); /* NULL = defaults */
    /* Does this outcome count against the group's breaker? NULL = not answered, 429 or 5xx does. Called from any thread. */
    bool (*is_breaker_failure) (const outcome_t *outcome);
    /* A person decided that nobody will learn what became of it (`aviary resume --mark-unknown`, `aviary jobs drop`): say so in the records; the job is gone then.
     * NULL = finish () is told what it is told after a crash. */
    int (*unknown) (turn_t *t, job_t *job);
    /* Does it concern this phone number of ours? NULL = jobs of this kind concern none. */
    bool (*is_about) (turn_t *t, const job_t *job, const char *number);
    bool erases; /* it is the erasing itself: the erase walk leaves its jobs alone */
};

typedef struct job_new {
    const job_kind_t *kind;
    id16_t tenant;
    id16_t group;
    const char *lane; /* up to 120 bytes; NULL = a lane of its own */
    int64_t due;      /* Unix ms; 0 = now */
    id16_t ask;       /* turn_ask_id () if an ask is parked on it, else nil */
    const void *body; /* struct of kind->type */
} job_new_t;

/* Does it count as a failure of the job's group? By the kind's rule, or the default one. From any thread. */
bool job_has_failed (const job_kind_t *kind, const outcome_t *outcome);
/* How many of a group may be at once: `width`, or less (`narrow`) once so many (`after`, 0 = never) have failed one after the other. */
unsigned job_width (unsigned width, unsigned narrow, unsigned after, unsigned failures);
/* The begin () of a job that does nothing outward: its work is finish (). */
int job_begin_nothing (turn_t *t, job_t *job, outbound_t *out);
int job_add (turn_t *t, const job_new_t *job, id16_t *id /* may be NULL */);
/* In finish (): begin again at `due`, with job->body as it is now. What is due now may run in this same turn: a job that does its work in steps asks for t->now + 1. */
int job_retry (turn_t *t, job_t *job, int64_t due);
/* The policy of a group may have changed. */
void job_group_changed (turn_t *t, id16_t group);
/* Forget all waiting jobs of a group, up to `most`; *more says whether some are left. Jobs outward end by begin's or finish's own checks. */
int job_group_drop (turn_t *t, id16_t group, unsigned most, bool *more);
/* A walk over the waiting jobs of a kind, those under way left out. It goes on where it stopped if `lane` and `place` are as they were: keep them in a job's body. */
typedef struct job_walk {
    const job_kind_t *kind;
    id16_t tenant; /* whose; nil = anybody's */
    unsigned most; /* jobs to look at, 1 at least; counts down, by one for 16 jobs of others */
    int64_t lane, place; /* of the job seen last; 0 = none yet */
} job_walk_t;
/* Calls `each` in the order of lanes and in them of jobs, until there are no more or `most` is used up: then *more. `each` may write records; it leaves jobs alone. */
int job_walk (turn_t *t, job_walk_t *walk, int (*each) (turn_t *t, const job_t *job, void *context),
              void *context, bool *more);
/* Put off all waiting jobs of a group without using up tries (breaker, pause); 0 = go on now. */
int job_group_pause (turn_t *t, id16_t group, int64_t until);

/* Delay in ms before the next try when `tries` were made (1 = the first failed), from a schedule of `n` steps, spread by up to
 * jitter_percent either way with `random`; -1 when the schedule is over. */
int64_t job_backoff (unsigned tries, const uint32_t *steps_ms, size_t n, unsigned jitter_percent,
                     uint64_t random);

#endif
