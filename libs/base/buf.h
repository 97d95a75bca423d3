/* buf.h - a growing run of bytes, on the heap or in an arena, and a borrowed view of bytes.
 *
 * Errors stick: after one failed growth every append is a no-op and buf_failed() is true, so that
 * writers check once at the end. A buf is zero-initialised for the heap ({0}) or made by buf_in()
 * for an arena. */
#ifndef AVIARY_BASE_BUF_H
#define AVIARY_BASE_BUF_H

#include "base/arena.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Borrowed bytes; `data` may be NULL when `size` is 0. */
typedef struct bytes {
    const uint8_t *data;
    size_t size;
} bytes_t;

typedef struct buf {
    uint8_t *data;
    size_t size;
    size_t capacity;
    size_t limit;   /* 0 = no limit; growth past it fails */
    arena_t *arena; /* NULL = heap */
    bool failed;
} buf_t;

buf_t buf_in (arena_t *arena);
void buf_free (buf_t *self);  /* heap memory is released; the buf is empty afterwards */
void buf_clear (buf_t *self); /* keeps the memory */
uint8_t *buf_reserve_more (buf_t *self, size_t size); /* behind buf_reserve */

/* Room for `size` more bytes; a pointer to write to (then add to self->size), NULL on failure. */
static inline uint8_t *buf_reserve (buf_t *self, size_t size)
{
    bool fits = !self->failed && !self->limit && size < self->capacity - self->size;
    return __builtin_expect (fits, 1) ? self->data + self->size : buf_reserve_more (self, size);
}

static inline void buf_add (buf_t *self, const void *data, size_t size)
{
    uint8_t *at = buf_reserve (self, size);
    if (!at || size == 0)
        return;
    memcpy (at, data, size);
    self->size += size;
}

static inline void buf_add_byte (buf_t *self, uint8_t byte)
{
    uint8_t *at = buf_reserve (self, 1);
    if (!at)
        return;
    *at = byte;
    self->size++;
}

void buf_add_str (buf_t *self, const char *text);
void buf_printf (buf_t *self, const char *format, ...) __attribute__ ((format (printf, 2, 3)));
bool buf_failed (const buf_t *self);
/* NUL-terminated text of the buf (the NUL is not counted); "" when it failed. */
const char *buf_text (buf_t *self);
bytes_t buf_bytes (const buf_t *self);

static inline bytes_t bytes_of (const void *data, size_t size)
{
    return (bytes_t){(const uint8_t *) data, size};
}

bytes_t bytes_of_str (const char *text);
bool bytes_equal (bytes_t a, bytes_t b); /* not constant time: see sign/secret.h for that */

#endif
