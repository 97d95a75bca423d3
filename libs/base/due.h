/* due.h - what is due, the soonest first: a heap by time. Nodes are intrusive and belong to the caller. */
#ifndef AVIARY_BASE_DUE_H
#define AVIARY_BASE_DUE_H

#include <stddef.h>
#include <stdint.h>

typedef struct due {
    int64_t at_ms; /* changed by due_heap_put alone while it is inside */
    size_t place;  /* from 1; 0 = not inside */
} due_t;

/* Zero-initialised. */
typedef struct due_heap {
    due_t **items; /* `count` of them, in no order but that the first is the soonest */
    size_t count;
    size_t capacity;
} due_heap_t;

/* Room for so many in all: 0, or E_NO_MEMORY and all is as it was. */
int due_heap_reserve (due_heap_t *self, size_t count);
void due_heap_free (due_heap_t *self);
/* Adds it, where there is room, or gives it another time. */
void due_heap_put (due_heap_t *self, due_t *item, int64_t at_ms);
void due_heap_remove (due_heap_t *self, due_t *item);

/* NULL if nothing is. */
static inline due_t *due_heap_first (const due_heap_t *self)
{
    return self->count != 0 ? self->items[0] : NULL;
}

#endif
