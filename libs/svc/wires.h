/* wires.h - private to libs/svc: how many requests of a group are on the wire, and which of its jobs, claimed ahead, wait for a place there.
 *
 * Belongs to the outbound thread. Without memory for a group's line its jobs go at once. */
#ifndef AVIARY_SVC_WIRES_H
#define AVIARY_SVC_WIRES_H

#include <stdatomic.h>

#include "svc/idmap.h"
#include "svc/lanes.h"

/* Zero-initialised: empty. */
typedef struct wires {
    idmap_t groups;
    atomic_uint waiting; /* in all lines; may be read from any thread */
} wires_t;

/* Whether it may go now (a place is its, until wires_leave); false: it waits, and a wires_next or wires_take gives it back. outward->width is not 0. */
bool wires_enter (wires_t *self, outward_t *outward);
/* One of the group has ended, well or not; then ask for who goes next. */
void wires_leave (wires_t *self, id16_t group, bool failed);
/* Who has a place now, which it takes; NULL = nobody. */
outward_t *wires_next (wires_t *self, id16_t group);
/* Takes all that waits, chained by item.next: at the end. */
outward_t *wires_take (wires_t *self);
void wires_free (wires_t *self); /* nothing waits any more */

#endif
