/* erase.h - what was erased leaves every table of a service.
 *
 * An event that the schema declares with `erases = [...]` starts a walk in each service that makes or follows it: the ids and texts in those fields are looked for in all
 * that the runtime keeps (journal, answers for repeats, parked asks, jobs, quarantines) and in the records that the service declares here. What it removes itself when it
 * hears the event needs no row. The walk goes in small steps in turns of the owner, goes on after a crash where it was, and begins anew while something could not go yet.
 * Journal entries become empty ones in their places, so followers' positions hold; answers for repeats become a failure, so a key still acts once. A receipt
 * without content stays: which id, when, and when nothing was left (`aviary explain`). */
#ifndef AVIARY_SVC_ERASE_H
#define AVIARY_SVC_ERASE_H

#include "svc/turn.h"

typedef struct svc_erase {
    const schema_record_t *record;
    /* A row that tells of what was erased, with all that hangs on it, but the row itself, which goes after it. E_CONFLICT: it may not go yet, ask again. NULL: the row
     * alone goes. */
    int (*remove) (turn_t *t, const void *row);
} svc_erase_t;

/* Was this id erased here? 0: yes. E_NOT_FOUND: no. Who hears of a thing late asks before making a row of it. */
int erase_find (turn_t *t, id16_t id);

#endif
