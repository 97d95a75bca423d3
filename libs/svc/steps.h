/* steps.h - private to libs/svc: how far the wall clock stepped back, so that what is due by it is not held up (docs/architecture.md, section 3).
 *
 * Dues are stored as wall time plus the lag: the sum of all steps back that no step forward has made good. A slow drift is no step. */
#ifndef AVIARY_SVC_STEPS_H
#define AVIARY_SVC_STEPS_H

#include "store/store.h"

enum { STEPS_BOOT_SIZE = 40 };

typedef struct steps_clocks {
    int64_t wall, mono;         /* ms */
    char boot[STEPS_BOOT_SIZE]; /* of this start of the machine; empty = not known */
} steps_clocks_t;

typedef struct steps {
    steps_clocks_t seen; /* when looked last */
    int64_t lag;         /* ms, never below 0 */
    bool changed;        /* since it was stored */
} steps_t;

/* The clocks as they are. */
steps_clocks_t steps_clocks (void);
/* Look at the clocks. Returns the lag. */
int64_t steps_take (steps_t *self, int64_t wall, int64_t mono);
/* What the process before knew, and `greatest`, the time of the newest id in the store: a clock that is behind it stepped back while nobody looked. `table` holds
 * one row of it. 0 or the store's code. */
int steps_load (steps_t *self, txn_t *txn, table_t *table, int64_t greatest,
                const steps_clocks_t *now);
/* Keep it, in a turn, if it changed. */
int steps_store (steps_t *self, txn_t *txn, table_t *table);

#endif
