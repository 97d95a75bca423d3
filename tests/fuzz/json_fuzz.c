/* json_fuzz.c - JSON bodies from clients. First byte: which reader; the rest: the text.
 *
 * What is accepted must pack, unpack, and be written as JSON that is accepted again. */
#include "schema/schema.h"

#include "testgen/bird.h"
#include "testgen/zoo.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void must (bool holds)
{
    if (!holds)
        abort ();
}

static void read_typed (const schema_type_t *type, const schema_type_t *core, bytes_t json)
{
    arena_t *arena = arena_new (8 << 20);
    void *in = arena_alloc (arena, type->size), *copy = arena_alloc (arena, type->size),
         *again = arena_alloc (arena, type->size);
    buf_t packed = {0}, text = {0};
    failure_t failure = {0};
    int code = schema_json_read (type, NULL, json, arena, in, &failure);
    must (failure.code == code);
    if (!code) {
        schema_pack (core, in, &packed);
        must (schema_unpack (core, buf_bytes (&packed), arena, copy, &failure) == 0);
        schema_json_write (core, NULL, copy, &text);
        must (schema_json_read (core, NULL, buf_bytes (&text), arena, again, &failure) == 0);
    } else
        must (failure.text[0] != 0);
    buf_free (&packed);
    buf_free (&text);
    arena_destroy (&arena);
}

static void read_any (bytes_t json)
{
    buf_t packed = {0}, text = {0}, again = {0};
    if (schema_any_read (json, &packed, NULL) == 0) {
        schema_any_write (buf_bytes (&packed), &text);
        must (schema_any_read (buf_bytes (&text), &again, NULL) == 0);
    }
    buf_free (&packed);
    buf_free (&text);
    buf_free (&again);
}

static void read_text (const schema_field_t *field, bytes_t bytes)
{
    arena_t *arena = arena_new (1 << 20);
    zoo_list_in_t in = {0};
    char *text = arena_strndup (arena, (const char *) bytes.data, bytes.size);
    schema_text_read (field, NULL, text, arena, &in, NULL);
    arena_destroy (&arena);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    if (size == 0 || size > 1 << 16)
        return 0;
    bytes_t rest = bytes_of (data + 1, size - 1);
    switch (data[0] % 4) {
    case 0:
        read_typed (&bird_AddRequest_view, &zoo_add_in_type, rest);
        break;
    case 1:
        read_typed (&zoo_animal_type, &zoo_animal_type, rest);
        break;
    case 2:
        read_any (rest);
        break;
    default:
        if (rest.size)
            read_text (&zoo_list_in_fields[rest.data[0] % zoo_list_in_type.field_count],
                       bytes_of (rest.data + 1, rest.size - 1));
    }
    return 0;
}
