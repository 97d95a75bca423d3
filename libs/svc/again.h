/* again.h - private to libs/svc: a turn is run again when the store says E_CONFLICT_RETRY (libs/store/backend.h).
 *
 *     again_start (w, chain);
 *     do
 *         rc = ... all of the turn over again_chain (w), from its begin to its commit
 *     while (again_take (w, rc));
 *     again_over (w);
 *
 * What leaves a turn leaves after its commit, so a turn that met a conflict has only changed memory of the writer: again_take puts that back as it was at again_start, with
 * the same time and with new ids, and waits a little. It gives up after as many tries as txn_again allows. */
#ifndef AVIARY_SVC_AGAIN_H
#define AVIARY_SVC_AGAIN_H

#include "svc/inner.h"

/* `chain` (may be NULL) is kept: its asks are not to be released, nor its other items freed, before again_over. */
void again_start (writer_t *w, work_t *chain);
work_t *again_chain (writer_t *w); /* as it came in */
/* Is the turn, which ended with `code` and without a commit, to be run again? Then it is as if it had not run. */
bool again_take (writer_t *w, int code);
/* The turn is decided, nothing is released yet: frees the items that are no asks. */
void again_over (writer_t *w);

/* What each keeper of memory does at the turn's start, and to be as it was then. */
void timers_mark (writer_t *w);
void timers_unmark (writer_t *w);
void sweep_mark (writer_t *w);
void sweep_unmark (writer_t *w);
void erase_mark (writer_t *w);
void erase_unmark (writer_t *w);
void follow_unmark (writer_t *w);

#endif
