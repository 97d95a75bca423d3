/* optest.h - operation tests: a real handler of a service on a temporary store, in this process, with the runtime's own turn and no bus.
 *
 *     optest_t *test = optest_new (&tally);
 *     int code = optest_ask (test, "incr", NULL, &(tally_incr_in_t){.name = "a", .add = 1}, &out, &failure);
 *     optest_destroy (&test);
 *
 * Asks are those of PRINCIPAL_NONE and no tenant unless a header says otherwise. Jobs do not go out: the test takes them and says what came of them.
 * What is handed out lives until optest_destroy. */
#ifndef AVIARY_SVC_OPTEST_H
#define AVIARY_SVC_OPTEST_H

#include "gen/common.h"
#include "svc/lanes.h"
#include "svc/svc.h"

typedef struct optest optest_t;
typedef struct optest_put optest_put_t; /* an ask under way */

/* The service with its own turn run, as owner of a new store. NULL with a line on stderr if it does not start. */
optest_t *optest_new (const svc_service_t *service);
/* With flags as on a command line, NULL-terminated: {"--limit=3", NULL}. */
optest_t *optest_new_with (const svc_service_t *service, const char *const *flags);
/* Ends it and removes the store. */
void optest_destroy (optest_t **self);
/* As if the process had died and started again on the same store: waiting callers are lost. */
int optest_restart (optest_t *self);
/* The same after `aviary restore`: with the mark beside the store, and no file of started jobs. */
int optest_restart_restored (optest_t *self);
/* The same with other tables, as another version of the program would have them. */
int optest_restart_as (optest_t *self, const svc_service_t *service);

/* Keep the store as it is now, and start again on what was kept. One place: keeping again replaces it. Blobs are not kept. */
int optest_keep (optest_t *self);
int optest_again (optest_t *self);
/* Start again on a store that holds nothing. */
int optest_empty (optest_t *self);
/* Called right before a turn or a read runs (true) and right after it (false), the first turn of an owner too: what fails there is told by nobody but the code.
 * `ask` is the arena of the ask that was put last, NULL in turns without one. */
typedef void (optest_watch_t) (void *context, arena_t *ask, bool before);
void optest_watch (optest_t *self, optest_watch_t *watch, void *context);
/* The process would end now: the store failed in a turn. optest_restart. */
bool optest_is_fatal (optest_t *self);

/* Run one op, in a turn of its own or as a read. `header` may be NULL; a nil id gets a new one (in *header too when it is given). 0 and *out filled,
 * or the failure's code; E_PARKED while it waits. */
int optest_ask (optest_t *self, const char *op, envelope_t *header, const void *in, void *out,
                failure_t *failure);
/* The same in pieces, for several in one turn: put them, run the turn, take each. */
optest_put_t *optest_put (optest_t *self, const char *op, envelope_t *header, const void *in);
int optest_turn (
    optest_t *self); /* all that was put, timers that are due, lanes; 0 or the commit's code */
int optest_take (optest_t *self, optest_put_t *put, void *out, failure_t *failure);
/* Free what has been handed out so far: for those who ask millions of times. Every ask must have been taken. */
void optest_forget (optest_t *self);
/* Was the answer a replay? Which was the first request? */
bool optest_replayed (const optest_put_t *put, const char **first_request_id);
/* The ask that optest_ask made last: to take its answer after a resume. */
optest_put_t *optest_last (optest_t *self);

/* Events after a sequence, in order. */
size_t optest_events (optest_t *self, uint64_t after, const common_event_t **out);
/* An event's body, decoded. */
int optest_event_body (optest_t *self, const common_event_t *event, const schema_event_t *type,
                       void *out);

/* The next job that went outward; NULL = none. Ended by one of the two below. */
outward_t *optest_job (optest_t *self);
int optest_job_done (optest_t *self, outward_t *outward,
                     const outcome_t *outcome); /* runs its turn */
/* The same without a turn, for many in one: put them, then run it. */
void optest_job_put (optest_t *self, outward_t *outward, const outcome_t *outcome);
int optest_jobs_turn (optest_t *self);
int optest_job_answered (optest_t *self, outward_t *outward, int status, const char *body);

/* All that are outward, in one turn: waits are answered with what they carry, requests with `status`. *count (may be NULL): how many. */
int optest_jobs_all (optest_t *self, int status, size_t *count);

/* An event of another service, as following would bring it. */
int optest_follow (optest_t *self, const schema_event_t *event, const event_about_t *about,
                   const void *body, failure_t *failure);

/* Move the clock of this process on, and run a turn. */
int optest_advance (optest_t *self, int64_t ms);
/* Move it alone; back, too. */
void optest_clock (optest_t *self, int64_t ms);
/* Any code in a turn of this service. A conflict of the store runs it again from its start, as it does all turns. */
int optest_run (optest_t *self, int (*run) (turn_t *t, void *context), void *context);

/* How many rows of all tables but one (NULL = none) hold a text, in key or value; how many rows a record's table has. -1: there is no such table, or it cannot be read. */
int64_t optest_rows_with (optest_t *self, const char *text, const char *but);
int64_t optest_rows (optest_t *self, const char *record);

svc_t *optest_svc (optest_t *self);
store_t *optest_store (optest_t *self);
const keyring_t *optest_keyring (optest_t *self);
arena_t *optest_arena (optest_t *self);

#endif
