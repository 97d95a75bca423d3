/* optest_nth.h - every fault in every place: an op, a follower or the life of a job is run with its n-th write, commit, allocation or send failing, for every n
 * until a run is through without it.
 *
 * After each fault: the answer says so by a code of its class, or is as without the fault; the store is as before, or as after a whole success; and the same
 * again succeeds, once. What is wrong is told on stderr; the functions return how often. Beyond the first n's they go in growing steps; with AVIARY_LONG=1 not, but in memory.
 * The store is kept at the call, and started again from there. Programs link with --wrap for the heap (the library says so). */
#ifndef AVIARY_SVC_OPTEST_NTH_H
#define AVIARY_SVC_OPTEST_NTH_H

#include "svc/optest.h"

/* A sample of an op: it succeeds, or parks, on the store as it is at the call. Keyed ops get an idempotency key. */
typedef struct nth_ask {
    const char *op;
    envelope_t header;
    const void *in;
} nth_ask_t;

/* Which ops had a sample, by their place in the service's table. */
enum { NTH_OPS_MOST = 256 };
typedef struct nth_seen {
    bool ops[NTH_OPS_MOST];
} nth_seen_t;

unsigned nth_asks (optest_t *test, const nth_ask_t *asks, size_t count, nth_seen_t *seen);
/* Every op of the service must have had one. */
unsigned nth_unseen (optest_t *test, const nth_seen_t *seen);

typedef struct nth_event {
    const schema_event_t *event;
    event_about_t about;
    const void *body;
} nth_event_t;

/* Every event that the service follows must have one at least, which it takes. */
unsigned nth_follows (optest_t *test, const nth_event_t *events, size_t count);

/* What makes jobs, and what is said of those that go outward. */
typedef struct nth_story {
    const char *name;
    const job_kind_t *const *kinds; /* that it passes through, NULL-terminated */
    int (*begin) (optest_t *test);  /* an ask or an event; done again if it fails */
    void (*answer) (const outward_t *job, outcome_t *out); /* *out is an empty 200 */
    bool ends_otherwise; /* where a send failed: then any other fault may leave that, too */
} nth_story_t;

/* Every job kind of the service must be in one at least. */
unsigned nth_stories (optest_t *test, const nth_story_t *stories, size_t count);

/* What the service's timers, and the kinds of its sweeper, have to do. */
typedef struct nth_timer {
    const char *name; /* of the sample */
    const char *const
        *timers; /* with something to do in it, NULL-terminated: names of svc_timer_t */
    const char *const *
        sweeps; /* kinds of svc_retention_t that remove something; the runtime's own, too. NULL = none */
    int (*begin) (optest_t *test); /* makes that; NULL = it is there. Done again for each fault */
    int64_t wait_ms;               /* and is due so much later */
    bool (*is_done) (
        optest_t *
            test); /* false before the pass, true after it. NULL: what changes in the store says it */
} nth_timer_t;

/* One pass of all that is due, with every fault in every place of it: some passes later the store is as after passes without a fault. Every timer of the service and
 * every kind of its sweeper must be in a sample. */
unsigned nth_timers (optest_t *test, const nth_timer_t *samples, size_t count);

/* The events as the services that tell them would hand them out, each in its order and in two batches after a snapshot that holds nothing, with every fault in every place of
 * asking, applying and noting how far it is: in the end all took effect, and the places in the store are behind the last. `check` (may be NULL) looks at what they did. */
unsigned nth_batches (optest_t *test, const nth_event_t *events, size_t count,
                      bool (*check) (optest_t *test));

/* The first turn of an owner, with every fault in every place: on a store that holds nothing, on one in which all the stories have begun and whose process then died, and on that
 * after a restore. The next start does what the first would have done. */
unsigned nth_first_turns (optest_t *test, const nth_story_t *stories, size_t count);

#endif
