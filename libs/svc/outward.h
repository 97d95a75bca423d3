/* outward.h - private to libs/svc: the thread that does what jobs ask for outside: HTTP through libs/fetch, waits of local carriers, asks of other services.
 *
 * Each outward_t that is put ends in exactly one call of `done`, on the pool's thread (or in outward_pool_destroy), with an outcome that says how far it got.
 * Waits are measured on clock_now_ms, so that advancing the tests' clock ends them. */
#ifndef AVIARY_SVC_OUTWARD_H
#define AVIARY_SVC_OUTWARD_H

#include "svc/lanes.h"

typedef struct outward_thread outward_pool_t;

typedef struct outward_pool_config {
    fetch_config_t fetch;
    /* Start the ask of an OUT_ASK (out.target, out.request.body; they live until it ends). Whoever answers calls outward_pool_answer with the job's id, once,
     * from any thread, also from within this call. On the pool's thread. */
    void (*ask) (void *context, const outward_t *outward);
    /* Takes the outcome over (outward_done_destroy when done with it). */
    void (*done) (void *context, outward_done_t *done);
    void *context;
} outward_pool_config_t;

int outward_pool_new (const outward_pool_config_t *config, outward_pool_t **out,
                      failure_t *failure);
/* Takes *outward over. From any thread. */
void outward_pool_put (outward_pool_t *self, outward_t *outward);
/* The answer of an ask: body (copied) with failure NULL or code 0, else the failure. Unknown or ended jobs are ignored. From any thread. */
void outward_pool_answer (outward_pool_t *self, id16_t job, bytes_t body, const failure_t *failure);
/* Ends all that is under way: not begun and waits as FETCH_NOT_SENT, asks as FETCH_SENT, transfers as they are, all with E_UNAVAILABLE. Nobody may be calling
 * put or answer any more. */
void outward_pool_destroy (outward_pool_t **self);

typedef struct outward_gauges {
    unsigned queued;
    unsigned http;
    unsigned waits;
    unsigned asks;
} outward_gauges_t;
void outward_pool_gauges (const outward_pool_t *self, outward_gauges_t *out); /* from any thread */

#endif
