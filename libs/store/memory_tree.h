/* memory_tree.h - ordered rows that never change under whoever shares them: the tables of memory.c.
 *
 * A treap whose nodes are counted. Sharing a tree costs one count; a change copies the path to where
 * it is made, but for nodes that nobody shares. One thread changes a tree; any may read and drop what
 * it shares. */
#ifndef AVIARY_STORE_MEMORY_TREE_H
#define AVIARY_STORE_MEMORY_TREE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/buf.h"

typedef struct row {
    atomic_uint count;
    uint32_t rank; /* of its node: those above rank higher */
    size_t key_size, value_size;
    uint8_t data[];
} row_t;

typedef struct node node_t;

typedef struct tree {
    node_t *root;
    uint64_t rows, bytes; /* of keys and values */
} tree_t;

static inline bytes_t row_key (const row_t *self)
{
    return bytes_of (self->data, self->key_size);
}

static inline bytes_t row_value (const row_t *self)
{
    return bytes_of (self->data + self->key_size, self->value_size);
}

/* Memory that injected failures of malloc do not meet; freed by free (). */
void *memory_alloc (size_t size);

tree_t tree_share (const tree_t *self);
void tree_drop (tree_t *self); /* empty afterwards */

/* Insert or replace. E_NO_MEMORY: nothing changed. */
int tree_put (tree_t *self, bytes_t key, bytes_t value);
/* E_NOT_FOUND, E_NO_MEMORY: nothing changed. */
int tree_del (tree_t *self, bytes_t key);

/* NULL: none. What is found lives until the tree is changed or dropped. */
const row_t *tree_get (const tree_t *self, bytes_t key);
const row_t *tree_up (const tree_t *self, bytes_t key, bool past); /* at or above; past: above */
const row_t *tree_down (const tree_t *self, bytes_t key);          /* below */
const row_t *tree_edge (const tree_t *self, bool last);

#endif
