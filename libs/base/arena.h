/* arena.h - memory of one request: many small allocations, freed together.
 *
 * An arena has a limit in bytes. What goes over it does not return NULL to a hundred callers: if a
 * trap is set (the runtime sets one around each handler) the allocation jumps there and the request
 * fails; without a trap it returns NULL. Memory is zeroed and aligned to 16 bytes. Not thread safe:
 * one thread uses an arena at a time. */
#ifndef AVIARY_BASE_ARENA_H
#define AVIARY_BASE_ARENA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

typedef struct arena arena_t;

/* New arena that hands out at most `limit` bytes between resets; NULL if there is no memory for its
 * first block. */
arena_t *arena_new (size_t limit);

/* Free *self and all that it handed out; sets *self to NULL. NULL and pointer to NULL are fine. */
void arena_destroy (arena_t **self);

/* Forget all allocations. Keeps the first block, frees the others. */
void arena_reset (arena_t *self);

/* Where it is, and back to there: what was handed out since is forgotten. What was handed out before must
 * not have been grown since, and the arena not reset. */
typedef struct arena_mark {
    uint8_t *at, *end;
    size_t used, next_size;
    void *others;
} arena_mark_t;
arena_mark_t arena_mark (const arena_t *self);
void arena_rewind (arena_t *self, const arena_mark_t *mark);

/* Set (or with NULL clear) where an allocation over the limit jumps with value ARENA_LIMIT, and one
 * for which there is no memory with ARENA_MEMORY. Returns the trap set before. */
enum { ARENA_LIMIT = 1, ARENA_MEMORY = 2 };
jmp_buf *arena_trap (arena_t *self, jmp_buf *trap);

/* Bytes handed out since the last reset. */
size_t arena_used (const arena_t *self);

/* Tests: make the n-th allocation from now (1 = the next) fail as if over the limit; 0 turns it
 * off. Returns what was left of the one set before: 0 when it has failed. */
unsigned arena_fail_nth (arena_t *self, unsigned n);

void *arena_alloc (arena_t *self, size_t size);
/* `count` items of `size` bytes; a product that overflows is over the limit. */
void *arena_alloc_many (arena_t *self, size_t size, size_t count);
/* As realloc: `data` (NULL with 0) was given out with `old_size` bytes. In place if it was the last
 * allocation and fits its block; otherwise a copy, and the old bytes stay spent. What is new is
 * zeroed. Never shrinks. */
void *arena_grow (arena_t *self, void *data, size_t old_size, size_t new_size);
void *arena_memdup (arena_t *self, const void *data, size_t size);
char *arena_strdup (arena_t *self, const char *text); /* NULL gives NULL */
char *arena_strndup (arena_t *self, const char *text, size_t length);
char *arena_join (arena_t *self, const char *a, const char *b); /* one text behind the other */
char *arena_printf (arena_t *self, const char *format, ...) __attribute__ ((format (printf, 2, 3)));
char *arena_vprintf (arena_t *self, const char *format, va_list args);

#define arena_new_of(self, type) ((type *) arena_alloc ((self), sizeof (type)))
#define arena_array_of(self, type, count) \
    ((type *) arena_alloc_many ((self), sizeof (type), (count)))

#endif
