/* waiting.h - asks under way: found by id, and in order of their deadlines.
 *
 * Nodes are intrusive (first member of the owner's struct) and belong to the caller. */
#ifndef AVIARY_BUS_WAITING_H
#define AVIARY_BUS_WAITING_H

#include "base/due.h"
#include "base/id.h"

typedef struct waiting_node {
    id16_t id;
    due_t due;                 /* the deadline, monotonic */
    struct waiting_node *next; /* in its bucket */
} waiting_node_t;

typedef struct waiting {
    waiting_node_t **buckets;
    size_t bucket_count; /* power of two */
    due_heap_t heap;
    uint64_t seed; /* ids come from outside */
} waiting_t;

int waiting_init (waiting_t *self);  /* 0 or E_NO_MEMORY */
void waiting_free (waiting_t *self); /* nodes that are still inside are the caller's */
/* Adds a node with id and due.at_ms set. 0, E_CONFLICT if the id is there, or E_NO_MEMORY. */
int waiting_add (waiting_t *self, waiting_node_t *node);
waiting_node_t *waiting_find (const waiting_t *self, id16_t id); /* or NULL */
void waiting_remove (waiting_t *self, waiting_node_t *node);
void waiting_move (waiting_t *self, waiting_node_t *node, int64_t deadline_ms);
/* The one with the earliest deadline, or NULL. */
waiting_node_t *waiting_first (const waiting_t *self);
/* Each of them, in no order; NULL behind the last. */
waiting_node_t *waiting_at (const waiting_t *self, size_t index);

#endif
