/* arena.c - bump allocation over a chain of blocks.
 *
 * What is handed out is zeroed then and no sooner: most requests use a small part of their first
 * block, and zeroing all of it cost more than all else here. Under the address sanitizer everything
 * not handed out is poisoned. Fails over the limit or without memory: jumps to the trap, or returns
 * NULL when none is set. */
#include "base/arena.h"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_POISONS 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define ARENA_POISONS 1
#endif

#ifdef ARENA_POISONS
#include <sanitizer/asan_interface.h>
#define poison(at, size)   ASAN_POISON_MEMORY_REGION ((at), (size))
#define unpoison(at, size) ASAN_UNPOISON_MEMORY_REGION ((at), (size))
#else
#define poison(at, size)   ((void) (at), (void) (size))
#define unpoison(at, size) ((void) (at), (void) (size))
#endif

enum { ALIGN = 16, FIRST_SIZE = 16 * 1024, BLOCK_MAX = 256 * 1024, PRINTF_SIZE = 256 };

typedef struct block {
    struct block *next;
    size_t size;
    _Alignas(ALIGN) uint8_t data[];
} block_t;

struct arena {
    uint8_t *at;  /* where the next allocation goes, in the block that is being filled */
    uint8_t *end; /* of that block */
    size_t used;
    size_t limit;
    unsigned fail_in;
    jmp_buf *trap;
    block_t *first;
    block_t *others;
    size_t next_size;
};

/* Zeroed for what gets a block of its own: calloc knows which of its memory is fresh. */
static block_t *block_new (size_t size, bool zeroed)
{
    if (size > SIZE_MAX / 2)
        return NULL;
    block_t *self = zeroed ? calloc (1, sizeof *self + size) : malloc (sizeof *self + size);
    if (!self)
        return NULL;
    self->next = NULL;
    self->size = size;
    poison (self->data, size);
    return self;
}

static void block_free (block_t *self)
{
    unpoison (self->data, self->size);
    free (self);
}

static void blocks_free (arena_t *self, const block_t *last)
{
    while (self->others != last) {
        block_t *block = self->others;
        self->others = block->next;
        block_free (block);
    }
}

static size_t rounded (size_t size)
{
    return size ? (size + ALIGN - 1) & ~(size_t) (ALIGN - 1) : ALIGN;
}

static size_t first_size (size_t limit)
{
    return limit < FIRST_SIZE ? rounded (limit) : FIRST_SIZE;
}

arena_t *arena_new (size_t limit)
{
    arena_t *self = malloc (sizeof *self);
    block_t *first = self ? block_new (first_size (limit), false) : NULL;
    if (!first) {
        free (self);
        return NULL;
    }
    *self = (arena_t){.first = first, .limit = limit, .next_size = 2 * FIRST_SIZE};
    self->at = self->first->data;
    self->end = self->at + self->first->size;
    return self;
}

void arena_destroy (arena_t **self)
{
    if (!self || !*self)
        return;
    blocks_free (*self, NULL);
    block_free ((*self)->first);
    free (*self);
    *self = NULL;
}

void arena_reset (arena_t *self)
{
    block_t *first = self->first;
    /* While a later block is filled it is not known how far the first one was. */
    size_t dirty = self->others ? first->size : (size_t) (self->at - first->data);

    blocks_free (self, NULL);
    poison (first->data, dirty);
    self->at = first->data;
    self->end = first->data + first->size;
    self->used = 0;
    self->next_size = 2 * FIRST_SIZE;
}

arena_mark_t arena_mark (const arena_t *self)
{
    return (arena_mark_t){self->at, self->end, self->used, self->next_size, self->others};
}

void arena_rewind (arena_t *self, const arena_mark_t *mark)
{
    blocks_free (self, mark->others);
    self->at = mark->at;
    self->end = mark->end;
    self->used = mark->used;
    self->next_size = mark->next_size;
    poison (self->at, (size_t) (self->end - self->at));
}

jmp_buf *arena_trap (arena_t *self, jmp_buf *trap)
{
    jmp_buf *before = self->trap;
    self->trap = trap;
    return before;
}

size_t arena_used (const arena_t *self)
{
    return self->used;
}

unsigned arena_fail_nth (arena_t *self, unsigned n)
{
    unsigned left = self->fail_in;
    self->fail_in = n;
    return left;
}

static void *refuse (arena_t *self, int why)
{
    if (self->trap)
        longjmp (*self->trap, why);
    return NULL;
}

/* True when this allocation is the one that a test wants to fail. */
static inline bool fails_now (arena_t *self)
{
    return self->fail_in && --self->fail_in == 0;
}

/* `room` does not fit the block that is being filled: a new block. What is large gets one of its
 * own, so that the rest of the current one is not lost to it. */
static void *alloc_in_new_block (arena_t *self, size_t size, size_t room, bool zeroed)
{
    bool own = room > self->next_size / 4;
    block_t *block = block_new (own ? room : self->next_size, own && zeroed);
    if (!block)
        return refuse (self, ARENA_MEMORY);
    block->next = self->others;
    self->others = block;
    if (!own) {
        self->at = block->data + room;
        self->end = block->data + block->size;
        if (self->next_size < BLOCK_MAX)
            self->next_size *= 2;
    }
    self->used += room;
    unpoison (block->data, size);
    if (zeroed && !own)
        memset (block->data, 0, size);
    return block->data;
}

static inline void *alloc (arena_t *self, size_t size, bool zeroed)
{
    if (__builtin_expect (fails_now (self) || size > self->limit - self->used, 0))
        return refuse (self, ARENA_LIMIT);
    size_t room = rounded (size);
    if (__builtin_expect (room > self->limit - self->used, 0))
        return refuse (self, ARENA_LIMIT);
    if (__builtin_expect (room > (size_t) (self->end - self->at), 0))
        return alloc_in_new_block (self, size, room, zeroed);

    void *data = self->at;
    self->at += room;
    self->used += room;
    unpoison (data, size);
    return zeroed ? memset (data, 0, size) : data;
}

void *arena_alloc (arena_t *self, size_t size)
{
    return alloc (self, size, true);
}

void *arena_alloc_many (arena_t *self, size_t size, size_t count)
{
    size_t product;
    if (__builtin_mul_overflow (size, count, &product))
        return refuse (self, ARENA_LIMIT);
    return arena_alloc (self, product);
}

void *arena_grow (arena_t *self, void *data, size_t old_size, size_t new_size)
{
    if (data && new_size <= old_size)
        return data;
    if (data && (uint8_t *) data + rounded (old_size) == self->at) {
        if (fails_now (self) || new_size - old_size > self->limit - self->used)
            return refuse (self, ARENA_LIMIT);
        size_t more = rounded (new_size) - rounded (old_size);
        if (more > self->limit - self->used)
            return refuse (self, ARENA_LIMIT);
        if (more <= (size_t) (self->end - self->at)) {
            self->at += more;
            self->used += more;
            unpoison (data, new_size);
            memset ((uint8_t *) data + old_size, 0, new_size - old_size);
            return data;
        }
    }
    uint8_t *copy = alloc (self, new_size, false);
    if (!data)
        old_size = 0;
    if (copy && old_size)
        memcpy (copy, data, old_size);
    if (copy)
        memset (copy + old_size, 0, new_size - old_size);
    return copy;
}

void *arena_memdup (arena_t *self, const void *data, size_t size)
{
    void *copy = alloc (self, size, false);
    if (copy && size)
        memcpy (copy, data, size);
    return copy;
}

char *arena_strdup (arena_t *self, const char *text)
{
    return text ? arena_strndup (self, text, strlen (text)) : NULL;
}

char *arena_strndup (arena_t *self, const char *text, size_t length)
{
    if (length == SIZE_MAX)
        return refuse (self, ARENA_LIMIT);
    char *copy = alloc (self, length + 1, false);
    if (copy && length)
        memcpy (copy, text, length);
    if (copy)
        copy[length] = 0;
    return copy;
}

char *arena_join (arena_t *self, const char *a, const char *b)
{
    size_t first = strlen (a), second = strlen (b);
    char *text = alloc (self, first + second + 1, false);
    if (!text)
        return NULL;
    memcpy (text, a, first);
    memcpy (text + first, b, second + 1);
    return text;
}

char *arena_printf (arena_t *self, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    char *text = arena_vprintf (self, format, args);
    va_end (args);
    return text;
}

char *arena_vprintf (arena_t *self, const char *format, va_list args)
{
    char small[PRINTF_SIZE];
    va_list first;
    va_copy (first, args);
    int length = vsnprintf (small, sizeof small, format, first);
    va_end (first); /* before anything that may jump */
    if (length < 0)
        return refuse (self, ARENA_LIMIT);
    if ((size_t) length < sizeof small)
        return arena_strndup (self, small, (size_t) length);
    char *text = arena_alloc (self, (size_t) length + 1);
    if (text)
        vsnprintf (text, (size_t) length + 1, format, args);
    return text;
}
