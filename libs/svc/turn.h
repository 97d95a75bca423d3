/* turn.h - what a handler sees.
 *
 * A handler is a function of (transaction, request). It does no I/O, keeps no memory, and takes time, ids and randomness from the turn. It runs
 * under a savepoint of the store that opens at its first write: if it returns non-zero its writes are gone and nothing else is.
 * Nothing that a turn says leaves the process before the turn's commit. */
#ifndef AVIARY_SVC_TURN_H
#define AVIARY_SVC_TURN_H

#include "bus/envelope.h"
#include "schema/schema.h"
#include "sign/sign.h"
#include "store/store.h"

typedef struct svc svc_t;
typedef struct lanes lanes_t;
typedef struct turn_inner turn_inner_t;

struct turn {
    int64_t now; /* Unix ms, the same for the whole turn */
    arena_t *
        arena; /* freed when the request is answered; an allocation over the limit fails the request */
    txn_t *txn;
    const envelope_t *ask; /* who asks: org, app, test, principal; never NULL: empty outside ops */
    void *context;         /* what the service's start made; does not change */
    const void *settings;  /* NAME_settings_t */
    const keyring_t *keyring;
    failure_t failure; /* filled by fail () */
    svc_t *svc;
    turn_inner_t *inner;
};

#undef fail /* cmocka has a macro of this name */

/* Record why the handler fails and return `code`: `return fail (t, E_NOT_FOUND, "id", "No such webhook");` */
int fail (turn_t *t, int code, const char *field, const char *format, ...)
    __attribute__ ((format (printf, 4, 5)));

id16_t turn_id (turn_t *t); /* a new record id, above all ids of this store */

/* Append an event to the service's journal: true from this turn's commit on. `record` and `version` let followers skip what is older
 * than what they have; `org`, `app` and `test` say whose it is (taken from the ask if nil). */
typedef struct event_about {
    id16_t record;
    uint64_t version;
    id16_t org;
    id16_t app;
    bool test;
    const char *subject; /* for taps; may be NULL */
} event_about_t;
int event_add (turn_t *t, const schema_event_t *event, const event_about_t *about,
               const void *body);

/* Answer later: the job, row or timer that ends the wait calls resume (). The ask's `in` is kept in the store, so that the wait survives the process
 * (its caller then gets replica_lost and may attach again with the same idempotency key). Returns E_PARKED for the handler to return. */
int park (turn_t *t);
id16_t turn_ask_id (const turn_t *t); /* to put into a job or row, for resume */
/* Run NAME_resume of the parked ask in this turn, with `result` (of any type the two agree on) at turn_result (). Its answer goes to whoever waits. E_NOT_FOUND if
 * it was resumed already. */
int resume (turn_t *t, id16_t ask_id, const void *result);
const void *turn_result (const turn_t *t);

/* Add to a counter of the service's schema (NAME_COUNTER_X); shows in /metrics after the commit. */
void turn_count (turn_t *t, unsigned counter, uint64_t add);

/* ---- journal events as followers get them ---- */

typedef struct journal_event {
    uint64_t sequence;
    const schema_event_t *event;
    int64_t at; /* Unix ms of the turn that made it */
    id16_t id;  /* of the occurrence; the same in every reading */
    id16_t record;
    uint64_t version;
    id16_t org;
    id16_t app;
    bool test;
    bool
        snapshot; /* from a snapshot page: the record as it is now, not something that just happened */
    const char *trace;
    bytes_t body; /* packed, of event->type */
} journal_event_t;

#endif
