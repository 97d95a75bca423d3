/* job_row.h - private to libs/svc: how jobs lie in the store.
 *
 *   jobs            lane (8), sequence in the lane (8)    -> row (below): the job, its lane's text, the body packed
 *   due             group (16), Unix ms (8), lane (8)     -> sequence (8) of the lane's first job, hash (8) of its name; one row per lane that waits
 *   claimed         batch (8)                             -> (lane, sequence, tries)...: the jobs that one turn claimed
 *   job_pauses      group (16)                            -> Unix ms (8)
 *   job_quarantine  job id (16)                           -> [Unix ms, reason, row]
 *
 * Numbers are big-endian, so keys sort by value. Lane numbers grow: a new lane is appended, and the hot path of a job is two appends (job, due) and two
 * deletes. Which number a name has (of group and text; a lane of its own has none) stands in memory alone, as a hint that is held against the lane's last job; the hashes in `due` and the jobs that were
 * claimed tell it to the next process. (Rows of `due` from before have no hash: there the job is read. The table `lanes`, which had the names, is emptied.) That a job is claimed is not in its row, for that would be a second write of it: a lane with a row in `due` waits, any other has its first job claimed.
 * To find the claimed without reading all lanes each turn notes what it claimed in one row of `claimed`, which goes when the last of them ended. An entry there
 * whose job is gone, or was begun more often by now (tries), is over. */
#ifndef AVIARY_SVC_JOB_ROW_H
#define AVIARY_SVC_JOB_ROW_H

#include "base/big_endian.h"
#include "base/buf.h"
#include "base/id.h"

enum {
    JOB_KEY_SIZE = 16,
    DUE_KEY_SIZE = 32,
    DUE_SIZE = 16,
    LANE_TEXT_MAX = 120,
    CLAIM_SIZE = 20, /* of one entry of a row of `claimed` */
    CLAIMS_PER_ROW = 64
};

typedef struct job_place {
    uint64_t lane;
    uint64_t seq;
} job_place_t;

typedef struct job_row {
    uint16_t kind;
    uint8_t stumbles; /* begin () failed so often in a row */
    uint32_t tries;   /* ended ones */
    int64_t made;
    int64_t due;
    id16_t id;
    id16_t tenant;
    id16_t group;
    id16_t ask;
    bytes_t lane; /* text; empty: a lane of its own */
    bytes_t body;
} job_row_t;

typedef struct job_claim {
    job_place_t at;
    uint32_t tries; /* this one included */
} job_claim_t;

bytes_t job_key (job_place_t at, uint8_t space[JOB_KEY_SIZE]);
bytes_t due_key (id16_t group, int64_t due, uint64_t lane, uint8_t space[DUE_KEY_SIZE]);
/* The hash of a lane's name; 0 = it has none. */
uint64_t lane_name (id16_t group, bytes_t text);
bytes_t due_value (uint64_t seq, uint64_t name, uint8_t space[DUE_SIZE]);
job_place_t job_key_read (bytes_t key); /* of JOB_KEY_SIZE */

void job_row_write (const job_row_t *in, buf_t *out);
bool job_row_read (bytes_t packed, job_row_t *out); /* borrows; false if it is none */
void job_claim_write (const job_claim_t *in, uint8_t out[CLAIM_SIZE]);
job_claim_t job_claim_read (const uint8_t *in);

#endif
