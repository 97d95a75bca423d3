/* started.h - private to libs/svc: which jobs were handed to the outside, in a mapped file that survives kill -9.
 *
 * The store says which jobs are claimed; this file says which of them may have left the house. It is believed only for the same boot of the machine and
 * the same life (epoch) of the store: after a power failure or a restore all claimed jobs count as started. */
#ifndef AVIARY_SVC_STARTED_H
#define AVIARY_SVC_STARTED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/id.h"

typedef struct started started_t;

/* Read what the process before left at `path`. A file that is absent, broken, of another boot or epoch is no error: see started_trusted. */
int started_open (const char *path, id16_t epoch, started_t **out, failure_t *failure);
void started_close (started_t **self);

bool started_trusted (const started_t *self);
bool started_was (const started_t *self,
                  id16_t job); /* false also where nothing can be trusted: ask that first */

/* Replace the file by one of `slots` slots (at least `count`), with `jobs` in the first ones. E_IO with text. */
int started_renew (started_t *self, unsigned slots, const id16_t *jobs, size_t count,
                   failure_t *failure);
void started_mark (started_t *self, unsigned slot, id16_t job); /* after started_renew */
void started_clear (started_t *self, unsigned slot);

#endif
