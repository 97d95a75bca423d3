/* heap_fail.c - see heap_fail.h. Linked with --wrap; a counter for each thread. */
#include "base/heap_fail.h"

#include <stdbool.h>
#include <stdlib.h>

void *__real_malloc (size_t size);
void *__real_calloc (size_t count, size_t size);
void *__real_realloc (void *data, size_t size);
void *__wrap_malloc (size_t size);
void *__wrap_calloc (size_t count, size_t size);
void *__wrap_realloc (void *data, size_t size);

static _Thread_local unsigned fail_in;

unsigned heap_fail_nth (unsigned n)
{
    unsigned left = fail_in;
    fail_in = n;
    return left;
}

static bool fails_now (void)
{
    return fail_in && --fail_in == 0;
}

void *__wrap_malloc (size_t size)
{
    return fails_now () ? NULL : __real_malloc (size);
}

void *__wrap_calloc (size_t count, size_t size)
{
    return fails_now () ? NULL : __real_calloc (count, size);
}

void *__wrap_realloc (void *data, size_t size)
{
    return fails_now () ? NULL : __real_realloc (data, size);
}
