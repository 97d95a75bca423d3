/* alloc.c - see alloc.h. How it fails: it aborts. */
#include "alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked (void *data)
{
    if (data == NULL) {
        fputs ("aviary-sim: out of memory\n", stderr);
        abort ();
    }
    return data;
}

void *must_alloc (size_t size)
{
    return checked (calloc (1, size > 0 ? size : 1));
}

void *must_grow (void *data, size_t size)
{
    return checked (realloc (data, size > 0 ? size : 1));
}

void *must_copy (const void *data, size_t size)
{
    void *copy = must_alloc (size);
    if (size > 0)
        memcpy (copy, data, size);
    return copy;
}

char *must_strdup (const char *text)
{
    return text != NULL ? must_copy (text, strlen (text) + 1) : NULL;
}

char *must_printf (const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start (args, format);
    int length = vasprintf (&text, format, args);
    va_end (args);
    return checked (length >= 0 ? text : NULL);
}

void text_replace (char **slot, const char *text)
{
    char *copy = must_strdup (text);
    free (*slot);
    *slot = copy;
}
