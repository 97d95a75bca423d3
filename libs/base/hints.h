/* hints.h - where a key may stand: an index in memory from a hash to numbers (of rows, of lanes). It tells too much now and then, never too little; who asks looks.
 *
 * In place of a table sorted by hash, which a store with many keys pays with a cold page for each: rows lie in the order in which they were made, and this finds them. An
 * entry takes 8 bytes (26 bits of the hash, 38 of the number), the table 11 to 21 bytes a key. Numbers begin at 1 and grow; those that are 2^38 apart look alike, so
 * no key may stay while as many come after it.
 *
 * It follows a transaction: what is added is found at once and goes with a rewind, what is dropped goes with the commit. */
#ifndef AVIARY_BASE_HINTS_H
#define AVIARY_BASE_HINTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct hint_change hint_change_t;

/* Zero-initialised: empty. */
typedef struct hints {
    uint64_t *slots; /* 0 = free */
    size_t size;     /* power of two, or 0 */
    size_t count;
    uint64_t seed; /* keys come from outside */
    uint64_t newest;
    hint_change_t *changes; /* since the last commit */
    size_t change_count, change_capacity;
} hints_t;

void hints_free (hints_t *self);
/* Each of these: 0, or E_NO_MEMORY and nothing is changed. What is there already is not added again. `hash` has 64 bits of which nobody can choose many alike. */
int hints_add (hints_t *self, uint64_t hash, uint64_t number);
int hints_drop (hints_t *self, uint64_t hash, uint64_t number);
int hints_load (hints_t *self, uint64_t hash, uint64_t number); /* as if added and committed */

static inline size_t hints_mark (const hints_t *self)
{
    return self->change_count;
}
void hints_rewind (hints_t *self,
                   size_t mark); /* undo what came after it; 0 = all since the last commit */
void hints_commit (hints_t *self);

/* Zero-initialise, and call until it is false: each number that may belong to the hash, in no order. Nothing is changed meanwhile. */
typedef struct hints_walk {
    size_t at; /* slot to look at next + 1 */
} hints_walk_t;
bool hints_next (const hints_t *self, uint64_t hash, hints_walk_t *walk, uint64_t *number);

#endif
