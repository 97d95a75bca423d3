/* fuzz.h - what the targets share: facts that must hold, and texts cut out of the input. */
#ifndef AVIARY_FUZZ_H
#define AVIARY_FUZZ_H

#include "base/arena.h"
#include "base/buf.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

/* libFuzzer keeps the input of whatever aborts. */
#define must(fact) ((fact) ? (void) 0 : must_have_been (#fact, __FILE__, __LINE__))

static inline _Noreturn void must_have_been (const char *fact, const char *file, int line)
{
    dprintf (STDERR_FILENO, "%s:%d: does not hold: %s\n", file, line, fact);
    abort ();
}

/* The bytes with a NUL behind them, of exact size, so that asan sees a read past the end. To be freed. */
static inline char *text_of (bytes_t bytes)
{
    char *text = malloc (bytes.size + 1);
    must (text != NULL);
    if (bytes.size)
        memcpy (text, bytes.data, bytes.size);
    text[bytes.size] = 0;
    return text;
}

/* What stands before the first `end`, which is taken off too; all of it if there is none. */
static inline bytes_t cut (bytes_t *rest, char end)
{
    const uint8_t *at = rest->size ? memchr (rest->data, end, rest->size) : NULL;
    size_t length = at ? (size_t) (at - rest->data) : rest->size, skip = length + (at != NULL);
    bytes_t out = bytes_of (rest->data, length);
    *rest = rest->size ? bytes_of (rest->data + skip, rest->size - skip) : *rest;
    return out;
}

/* One of `count` things chosen by a text that names none of them: so a corpus names what it means and goes on meaning it, and the fuzzer still gets everywhere. */
static inline size_t pick (bytes_t name, size_t count)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < name.size; i++)
        hash = (hash ^ name.data[i]) * 16777619u;
    return hash % count;
}

#endif
