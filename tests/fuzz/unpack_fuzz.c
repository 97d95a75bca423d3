/* unpack_fuzz.c - packed structs from the bus or a file: what is accepted must pack to something that is accepted, and show. */
#include "schema/schema.h"

#include "testgen/zoo.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void round_trip (const schema_type_t *type, bytes_t bytes)
{
    arena_t *arena = arena_new (64 << 20);
    void *in = arena_alloc (arena, type->size), *again = arena_alloc (arena, type->size);
    buf_t packed = {0}, shown = {0};
    failure_t failure = {0};
    int code = schema_unpack (type, bytes, arena, in, &failure);
    if (failure.code != code)
        abort ();
    if (!code) {
        schema_pack (type, in, &packed);
        if (schema_unpack (type, buf_bytes (&packed), arena, again, &failure) != 0)
            abort ();
    }
    schema_show (type, NULL, bytes, &shown);
    buf_clear (&shown);
    schema_any_write (bytes, &shown);
    buf_free (&packed);
    buf_free (&shown);
    arena_destroy (&arena);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    if (size > 1 << 16)
        return 0;
    round_trip (&zoo_animal_type, bytes_of (data, size));
    round_trip (&zoo_add_in_type, bytes_of (data, size));
    return 0;
}
