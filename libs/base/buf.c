/* buf.c - growing bytes.
 *
 * Grows by doubling. A failure (memory, limit) sticks in `failed`; with an arena whose trap is set
 * it jumps instead. */
#include "base/buf.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CAPACITY_MIN = 256 };

buf_t buf_in (arena_t *arena)
{
    return (buf_t){.arena = arena};
}

void buf_free (buf_t *self)
{
    if (!self)
        return;
    if (!self->arena)
        free (self->data);
    *self = (buf_t){.arena = self->arena, .limit = self->limit};
}

void buf_clear (buf_t *self)
{
    self->size = 0;
    self->failed = false;
}

static bool fail (buf_t *self)
{
    self->failed = true;
    return false;
}

/* Makes the capacity at least `need`, whatever the limit. */
static bool grow (buf_t *self, size_t need)
{
    if (need <= self->capacity)
        return true;
    size_t capacity = self->capacity < CAPACITY_MIN / 2 ? CAPACITY_MIN : self->capacity;
    if (self->capacity >= CAPACITY_MIN / 2 && capacity <= SIZE_MAX / 2)
        capacity *= 2;
    if (capacity < need)
        capacity = need;
    uint8_t *data = self->arena ? arena_grow (self->arena, self->data, self->capacity, capacity)
                                : realloc (self->data, capacity);
    if (!data)
        return fail (self);
    self->data = data;
    self->capacity = capacity;
    return true;
}

uint8_t *buf_reserve_more (buf_t *self, size_t size)
{
    size_t need;
    if (self->failed)
        return NULL;
    if (__builtin_add_overflow (self->size, size, &need) || (self->limit && need > self->limit)) {
        fail (self);
        return NULL;
    }
    /* One byte at least, so that the pointer is never NULL on success. */
    return grow (self, need ? need : 1) ? self->data + self->size : NULL;
}

void buf_add_str (buf_t *self, const char *text)
{
    buf_add (self, text, strlen (text));
}

static void add_formatted (buf_t *self, size_t length, const char *format, va_list args)
{
    /* vsnprintf writes a NUL too: it needs a byte that does not count against the limit. */
    if (!buf_reserve (self, length) || !grow (self, self->size + length + 1))
        return;
    vsnprintf ((char *) self->data + self->size, length + 1, format, args);
    self->size += length;
}

void buf_printf (buf_t *self, const char *format, ...)
{
    char small[256];
    va_list args;
    va_start (args, format);
    int length = vsnprintf (small, sizeof small, format, args);
    va_end (args);
    if (length < 0) {
        fail (self);
        return;
    }
    if ((size_t) length < sizeof small) {
        buf_add (self, small, (size_t) length);
        return;
    }
    va_start (args, format);
    add_formatted (self, (size_t) length, format, args);
    va_end (args);
}

bool buf_failed (const buf_t *self)
{
    return self->failed;
}

const char *buf_text (buf_t *self)
{
    if (self->failed || self->size == SIZE_MAX || !grow (self, self->size + 1))
        return "";
    self->data[self->size] = 0;
    return (const char *) self->data;
}

bytes_t buf_bytes (const buf_t *self)
{
    return self->failed ? (bytes_t){NULL, 0} : (bytes_t){self->data, self->size};
}

bytes_t bytes_of_str (const char *text)
{
    return text ? bytes_of (text, strlen (text)) : bytes_of (NULL, 0);
}

bool bytes_equal (bytes_t a, bytes_t b)
{
    return a.size == b.size && (a.size == 0 || memcmp (a.data, b.data, a.size) == 0);
}
