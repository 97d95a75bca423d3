/* waiting.c - a chained hash table and a heap by deadline over the same nodes. Memory that runs out while growing fails the add only. */
#include "bus/waiting.h"

#include "base/err.h"
#include "base/hash.h"

#include <stddef.h>
#include <stdlib.h>

enum { BUCKETS_FIRST = 256 }; /* and as many places in the heap */

int waiting_init (waiting_t *self)
{
    *self = (waiting_t){.bucket_count = BUCKETS_FIRST, .seed = hash_seed ()};
    self->buckets = calloc (self->bucket_count, sizeof *self->buckets);
    if (self->buckets && !due_heap_reserve (&self->heap, BUCKETS_FIRST))
        return 0;
    waiting_free (self);
    return E_NO_MEMORY;
}

void waiting_free (waiting_t *self)
{
    free (self->buckets);
    due_heap_free (&self->heap);
    *self = (waiting_t){0};
}

static waiting_node_t **bucket_of (const waiting_t *self, id16_t id)
{
    return &self->buckets[hash_id (self->seed, id) & (self->bucket_count - 1)];
}

static waiting_node_t *node_of (due_t *due)
{
    return due ? (waiting_node_t *) ((char *) due - offsetof (waiting_node_t, due)) : NULL;
}

/* Doubles both tables; the old ones stay if memory runs out. */
static int tables_grow (waiting_t *self)
{
    size_t count = self->bucket_count * 2;
    if (due_heap_reserve (&self->heap, count))
        return E_NO_MEMORY;
    waiting_node_t **buckets = calloc (count, sizeof *buckets);
    if (!buckets)
        return E_NO_MEMORY;
    free (self->buckets);
    self->buckets = buckets;
    self->bucket_count = count;
    for (size_t i = 0; i < self->heap.count; i++) {
        waiting_node_t *node = node_of (self->heap.items[i]);
        waiting_node_t **bucket = bucket_of (self, node->id);
        node->next = *bucket;
        *bucket = node;
    }
    return 0;
}

int waiting_add (waiting_t *self, waiting_node_t *node)
{
    if (waiting_find (self, node->id))
        return E_CONFLICT;
    if (self->heap.count == self->bucket_count && tables_grow (self))
        return E_NO_MEMORY;
    waiting_node_t **bucket = bucket_of (self, node->id);
    node->next = *bucket;
    *bucket = node;
    node->due.place = 0;
    due_heap_put (&self->heap, &node->due, node->due.at_ms);
    return 0;
}

waiting_node_t *waiting_find (const waiting_t *self, id16_t id)
{
    waiting_node_t *node = *bucket_of (self, id);
    while (node && !id_equal (node->id, id))
        node = node->next;
    return node;
}

void waiting_remove (waiting_t *self, waiting_node_t *node)
{
    waiting_node_t **link = bucket_of (self, node->id);
    while (*link != node)
        link = &(*link)->next;
    *link = node->next;
    node->next = NULL;
    due_heap_remove (&self->heap, &node->due);
}

void waiting_move (waiting_t *self, waiting_node_t *node, int64_t deadline_ms)
{
    due_heap_put (&self->heap, &node->due, deadline_ms);
}

waiting_node_t *waiting_first (const waiting_t *self)
{
    return node_of (due_heap_first (&self->heap));
}

waiting_node_t *waiting_at (const waiting_t *self, size_t index)
{
    return index < self->heap.count ? node_of (self->heap.items[index]) : NULL;
}
