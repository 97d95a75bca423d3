/* unpack_fuzz.c - packed structs from the bus or a file, of every type that crosses the bus or lies in a store. First line: the type's name, "zoo.animal", "messaging.message",
 * "messaging.sms_send.in"; the rest: the bytes.
 *
 * What is accepted must pack to something that is accepted and packs to the same, and show as JSON that can be read. */
#include "schema/schema.h"
#include "fuzz.h"

#include "testgen/zoo.h"

/* All of them, in the order of the tables; NULL past the last. */
static const schema_type_t *type_at (size_t i)
{
    if (i < 2)
        return i ? &zoo_add_in_type : &zoo_animal_type;
    i -= 2;
    if (i < 2 * schema_all_op_count)
        return i % 2 ? schema_all_ops[i / 2].out : schema_all_ops[i / 2].in;
    i -= 2 * schema_all_op_count;
    if (i < 2 * schema_common_op_count)
        return i % 2 ? schema_common_ops[i / 2].out : schema_common_ops[i / 2].in;
    i -= 2 * schema_common_op_count;
    if (i < schema_all_event_count)
        return schema_all_events[i]->type;
    i -= schema_all_event_count;
    for (size_t s = 0; s < schema_all_service_count; s++) {
        if (i < schema_all_services[s]->record_count)
            return schema_all_services[s]->records[i]->type;
        i -= schema_all_services[s]->record_count;
    }
    return NULL;
}

static const schema_type_t *type_of (bytes_t name)
{
    size_t count = 0;
    for (const schema_type_t *type; (type = type_at (count)) != NULL; count++)
        if (bytes_equal (name, bytes_of_str (type->name)))
            return type;
    return type_at (pick (name, count));
}

static void round_trip (const schema_type_t *type, bytes_t bytes)
{
    arena_t *arena = arena_new (64 << 20);
    void *in = arena_alloc (arena, type->size), *again = arena_alloc (arena, type->size);
    buf_t packed = {0}, twice = {0}, shown = {0};
    failure_t failure = {0};
    int code = schema_unpack (type, bytes, arena, in, &failure);
    must (failure.code == code);
    if (!code) {
        schema_pack (type, in, &packed);
        must (schema_unpack (type, buf_bytes (&packed), arena, again, &failure) == 0);
        schema_pack (type, again, &twice);
        must (bytes_equal (buf_bytes (&packed), buf_bytes (&twice)));
    }
    schema_show (type, NULL, bytes, &shown);
    buf_clear (&packed);
    /* msgpack may be nested deeper, or have keys that look the same, where we would take no such JSON */
    must (schema_any_read (buf_bytes (&shown), &packed, &failure) == 0 ||
          strstr (failure.text, "nested too deeply") || strstr (failure.text, "given twice"));
    buf_clear (&shown);
    schema_any_write (bytes, &shown);
    buf_free (&packed);
    buf_free (&twice);
    buf_free (&shown);
    arena_destroy (&arena);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    bytes_t rest = bytes_of (data, size), name = cut (&rest, '\n');
    if (size <= 1 << 16)
        round_trip (type_of (name), rest);
    return 0;
}
