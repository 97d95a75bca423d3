/* memory.h - a second backend, for tests: stricter than LMDB, slower at random, with conflicts.
 *
 * Rows are in memory; each commit is also appended to data.mdb in the folder (a log of its own form),
 * so that a store is there again when it is opened anew. One process at a time; nothing is flushed.
 *
 * What LMDB lets pass and another backend would not: what a get or a cursor gave is freed by the next
 * get, move, put, del or clear in the transaction and by its end, and has exactly its size, so that the
 * address sanitizer finds who goes on with it. A read that is used after its reset, two write transactions
 * at once and a cursor that outlives its transaction abort the program.
 *
 * By its seed it yields and sleeps for microseconds in the middle of calls, and says E_CONFLICT_RETRY
 * (backend.h) at the begin or the commit of a write transaction, and now and then at any call in one. */
#ifndef AVIARY_STORE_MEMORY_H
#define AVIARY_STORE_MEMORY_H

#include "store/backend.h"
#include "store/store.h"

typedef struct memory_options {
    uint64_t seed;
    unsigned delay_in;    /* one call in so many is delayed; 0 = none */
    unsigned conflict_in; /* one commit in so many is a conflict; 0 = none */
} memory_options_t;

enum { MEMORY_CONFLICTS_MOST = 3 /* by chance, one after another */ };

extern const backend_t backend_memory; /* its own options: memory_options_t, NULL = all 0 */

/* The next so many commits of a store of this backend, of transactions that wrote, are conflicts. */
void memory_conflicts (store_t *store, unsigned commits);

#endif
