/* memory_space.h - all tables of a memory store as a transaction sees them. */
#ifndef AVIARY_STORE_MEMORY_SPACE_H
#define AVIARY_STORE_MEMORY_SPACE_H

#include "store/memory_file.h"
#include "store/memory_tree.h"

typedef struct slot {
    tree_t tree;
    bool there; /* false: no such table (yet) */
} slot_t;

/* Counted; changed only by the write transaction that has it for its own. */
typedef struct space {
    atomic_uint count;
    unsigned tables;
    uint64_t bytes;
    slot_t slots[];
} space_t;

space_t *space_new (unsigned tables);
space_t *space_copy (const space_t *self); /* shares the rows; NULL: no memory */
space_t *space_share (space_t *self);
void space_drop (space_t *self);

int space_put (space_t *self, unsigned table, bytes_t key, bytes_t value);
int space_del (space_t *self, unsigned table, bytes_t key);
void space_clear (space_t *self, unsigned table);

/* A store as its file has it. */
typedef struct image {
    space_t *space;
    char **names; /* space->tables of them; NULL: a free one */
    unsigned count;
} image_t;

/* With room for `spare` more tables; empty after a failure. */
int image_load (image_t *self, int fd, unsigned spare, off_t *end);
void image_free (image_t *self);
/* All of it as one commit at the front of `fd`, which is empty. */
int image_write (char *const *names, unsigned count, const space_t *space, int fd);

#endif
