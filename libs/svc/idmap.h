/* idmap.h - private to libs/svc: a hash of things by id; the node is part of the thing, first member. */
#ifndef AVIARY_SVC_IDMAP_H
#define AVIARY_SVC_IDMAP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/id.h"

typedef struct idnode {
    id16_t id;
    struct idnode *next;
} idnode_t;

/* Zero-initialised: empty. */
typedef struct idmap {
    idnode_t **slots;
    size_t size; /* power of two */
    size_t count;
} idmap_t;

/* The id must not be in it. False: no memory, nothing changed. */
bool idmap_put (idmap_t *self, idnode_t *node);
idnode_t *idmap_find (const idmap_t *self, id16_t id);
idnode_t *idmap_take (idmap_t *self, id16_t id); /* found and removed, or NULL */
/* All nodes, in no order: the first after *at = 0, then the next; NULL at the end. `at` is a slot number and `last` the node given before (NULL at first), which may be
 * freed by then only if its successor was asked for before. */
idnode_t *idmap_next (const idmap_t *self, size_t *at, const idnode_t *last);
void idmap_free (idmap_t *self); /* the table; nodes are their owner's */

#endif
