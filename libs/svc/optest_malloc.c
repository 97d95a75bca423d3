/* optest_malloc.c - the heap of a test program whose n-th allocation fails. Linked with --wrap, so what libraries of others (LMDB, OpenSSL) ask for is theirs
 * alone. One counter for the thread that runs the turns. */
#include "svc/optest_nth.h"

#include <stdlib.h>

void *__real_malloc (size_t size);
void *__real_calloc (size_t count, size_t size);
void *__real_realloc (void *data, size_t size);
void *__wrap_malloc (size_t size);
void *__wrap_calloc (size_t count, size_t size);
void *__wrap_realloc (void *data, size_t size);

static _Thread_local unsigned fail_in;

unsigned nth_heap_fail (unsigned n)
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
