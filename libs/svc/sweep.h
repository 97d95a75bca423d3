/* sweep.h - what a service does not keep for ever: one table of kinds, worked off by one sweeper.
 *
 * A kind is rows of a record in the order of their ids, which is the order of time: the sweeper reads from the front of the table, removes what is past its time, steps
 * over what may not go yet, and stops at the first row that is young enough. Or it is something with an order of its own (files that say when they go, tables that
 * turn), which brings its own step. Steps are small, run in turns of the owner and go on where they stopped. Each kind shows in /metrics: swept_rows_total,
 * oldest_row_seconds, held_rows. */
#ifndef AVIARY_SVC_SWEEP_H
#define AVIARY_SVC_SWEEP_H

#include "svc/turn.h"

/* What a kind's own step did. */
typedef struct svc_swept {
    uint64_t rows;  /* removed */
    int64_t oldest; /* Unix ms of the oldest that is kept; 0 = nothing is, or `record` says */
} svc_swept_t;

typedef struct svc_retention {
    const char *kind; /* a word for the metrics' label */
    const schema_record_t *record;
    /* How long a row of `record` is kept, ms from the time in its id; 0 = for ever. */
    int64_t (*keep) (const turn_t *t);
    /* Remove a row whose time is over, and all that hangs on it; adds to *rows what that wrote beside the row itself. E_CONFLICT: it may not go yet, ask again later. Any other
     * failure undoes what it did and holds the row, too. NULL: the row alone goes. */
    int (*remove) (turn_t *t, const void *row, unsigned *rows);
    /* In place of the two: one small step. E_CONFLICT_RETRY: there is more to do at once. */
    int (*step) (turn_t *t, svc_swept_t *out);
} svc_retention_t;

#endif
