/* optest_fault.h - one fault, set around each turn of an operation test, and what every kind of run with faults tells. For optest_nth.c and its like. */
#ifndef AVIARY_SVC_OPTEST_FAULT_H
#define AVIARY_SVC_OPTEST_FAULT_H

#include "svc/optest_dump.h"
#include "svc/optest_nth.h"

typedef enum fault_kind {
    FAULT_NONE,
    FAULT_WRITE,  /* a store write */
    FAULT_COMMIT, /* a commit */
    FAULT_ASK,    /* an allocation in the ask's arena */
    FAULT_TURN,   /* in the turn's */
    FAULT_HEAP,
    FAULT_NOT_SENT, /* a send: no connection */
    FAULT_CUT,      /* no answer, or half of one */
    FAULT_BROKEN,   /* an answer that is none: 500 and not a word that fits */
    FAULT_KINDS
} fault_kind_t;

typedef struct fault {
    optest_t *test;
    fault_kind_t kind;
    unsigned left; /* comes at the so-manieth from now; 0 = it came, or there is none */
    bool fired;
} fault_t;

/* What was wrong, of one thing that faults are set in. */
typedef struct fault_report {
    const char *of;
    unsigned wrong; /* so much was told */
} fault_report_t;

/* Tell on stderr what is wrong with the n-th fault of a kind. */
void fault_tell (fault_report_t *self, optest_t *test, fault_kind_t kind, unsigned n,
                 const char *what, const char *more);
/* What the store has become since `base` but for the tables in `skipped`, as dump_delta tells it; the caller frees it. */
char *fault_changed (optest_t *test, const dump_t *base, const char *const *skipped);
/* From the next turn on. */
void fault_set (fault_t *self, optest_t *test, fault_kind_t kind, unsigned nth);
/* What the turns do by themselves: before and after something of the service that runs outside of them. `ask` may be NULL. */
void fault_around (void *fault, arena_t *ask, bool before);
/* The next n after `nth`. */
unsigned fault_next (unsigned nth);
/* Keep the store for optest_again; the clock is moved away from the end of a day. */
int fault_begin (optest_t *test);
/* How many rows a table has; UINT64_MAX if it cannot be read. */
uint64_t fault_rows (optest_t *test, const char *table);
/* The walk of an erasure is not through: it goes on with the clock. */
bool fault_is_erasing (optest_t *test);
/* Start again on what was kept, or after a fault on what is there, with a log that is silent. */
int fault_again (optest_t *test);
int fault_restart (optest_t *test);

#endif
