/* lanes_world.h - tests: a scheduler on a temporary store, with kinds whose behaviour the job's body says. */
#ifndef AVIARY_SVC_LANES_WORLD_H
#define AVIARY_SVC_LANES_WORLD_H

#include "svc/lanes_state.h"

/* Behind ours: cmocka has a macro of the name of turn.h's fail (). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#undef fail

typedef enum act {
    ACT_HTTP,    /* goes out; finish: 200 ends it, 500 retries after `wait`, 599 fails */
    ACT_NOTHING, /* ends in the turn that begins it */
    ACT_DROP,
    ACT_FAIL,     /* begin fails */
    ACT_OVERFLOW, /* begin uses more memory than there is */
    ACT_CHAIN     /* as HTTP; finish adds a job n + 1000 to the same lane */
} act_t;

typedef struct body {
    uint64_t has;
    int64_t n;
    int64_t act;
    int64_t wait;
    const char *note;
} body_t;

enum { LOG_MAX = 8192 };

typedef struct line {
    char what; /* b(egun) f(inished) */
    int64_t n;
    uint32_t tries;
    int code, status;
} line_t;

typedef struct world {
    char folder[64];
    char started[96];
    store_t *store;
    lanes_t *lanes;
    id_source_t ids;
    arena_t *arena;
    turn_t turn;
    int64_t now;
    job_policy_t policy; /* of all groups */
    unsigned outward_max;
    outward_t *out[LOG_MAX]; /* launched */
    size_t out_count;
    line_t log[LOG_MAX];
    size_t log_count;
    unsigned buried;
    char reason[200];
    uint64_t writes; /* of the last turn */
    int finish_add;
} world_t;

extern const job_kind_t kind_send; /* a retry holds its lane; not repeatable */
extern const job_kind_t kind_hook; /* a retry leaves its lane; repeatable */

int world_new (void **state);
int world_free (void **state);
void world_close (world_t *w); /* the process dies: nothing is told to anybody */
void world_open (world_t *w);  /* a new process: load in a turn of its own */

id16_t id_of (unsigned n);
void turn_open (world_t *w);
int turn_close (world_t *w, unsigned most);  /* claim, commit, launch; what failed is aborted */
void turn_abort (world_t *w, unsigned most); /* claim, then everything is taken back */
int add (world_t *w, const job_kind_t *kind, unsigned tenant, unsigned group, const char *lane,
         body_t body, int64_t due);
/* The i-th launched ends with `status`, in the open turn. */
int answer (world_t *w, size_t i, int status);
int answer_with (world_t *w, size_t i, const outcome_t *outcome);
int64_t out_n (const world_t *w, size_t i); /* its body's n */
unsigned count_log (const world_t *w, char what);
void forget (world_t *w); /* launched and log */
uint64_t rows (world_t *w, const char *table);
/* Every lane waits or is claimed, never both; every name leads to its lane. */
void world_check (world_t *w);

#endif
