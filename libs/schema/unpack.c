/* unpack.c - a msgpack map keyed by field numbers into a struct. The bytes may come from anybody: E_BAD_REQUEST with the field for
 * whatever does not fit, E_NO_MEMORY if the arena is full. Limits (min, max, formats) are not checked again here: they may have
 * been others when a row was written. */
#include "schema/inner.h"

#include "base/msgpack.h"
#include "base/text.h"
#include <string.h>

typedef struct unpacker {
    mp_reader_t in;
    arena_t *arena;
    failure_t *failure;
    uint64_t passed; /* fields of the outermost struct that are passed over */
    unsigned depth;
} unpacker_t;

static int read_struct (unpacker_t *u, const schema_type_t *type, const path_t *path, void *out);
static int read_value (unpacker_t *u, const schema_field_t *field, uint8_t kind, const path_t *path,
                       void *slot);

static int misfit (unpacker_t *u, const path_t *path, const char *want)
{
    return path_fail (u->failure, path, E_BAD_REQUEST, "must be %s", want);
}

static int check (unpacker_t *u, const path_t *path, const char *want)
{
    return u->in.failed ? misfit (u, path, want) : 0;
}

static int read_str (unpacker_t *u, const path_t *path, const char **slot)
{
    bytes_t text = mp_read_str (&u->in);
    if (u->in.failed || !text_is_utf8 ((const char *) text.data, text.size))
        return misfit (u, path, "UTF-8 text");
    *slot = arena_strndup (u->arena, (const char *) text.data, text.size);
    return *slot ? 0 : path_no_memory (u->failure);
}

static int keep_bytes (unpacker_t *u, bytes_t bytes, bytes_t *slot)
{
    void *data = arena_memdup (u->arena, bytes.size ? bytes.data : (const uint8_t *) "",
                               bytes.size ? bytes.size : 1);
    *slot = bytes_of (data, bytes.size);
    return data ? 0 : path_no_memory (u->failure);
}

static int read_bytes (unpacker_t *u, const path_t *path, bytes_t *slot)
{
    bytes_t bytes = mp_read_bin (&u->in);
    return u->in.failed ? misfit (u, path, "bytes") : keep_bytes (u, bytes, slot);
}

static int read_any (unpacker_t *u, const path_t *path, bytes_t *slot)
{
    bytes_t bytes = mp_skip (&u->in);
    return u->in.failed ? misfit (u, path, "a value") : keep_bytes (u, bytes, slot);
}

static int read_enum (unpacker_t *u, const path_t *path, int32_t *slot)
{
    int64_t value = mp_read_int (&u->in);
    if (u->in.failed || value < INT32_MIN || value > INT32_MAX)
        return misfit (u, path, "a small number");
    *slot = (int32_t) value;
    return 0;
}

static int read_obj (unpacker_t *u, const schema_type_t *type, const path_t *path,
                     const void **slot)
{
    void *object = arena_alloc (u->arena, type->size);
    if (!object)
        return path_no_memory (u->failure);
    *slot = object;
    return read_struct (u, type, path, object);
}

static int read_list (unpacker_t *u, const schema_field_t *field, const path_t *path,
                      schema_list_t *slot)
{
    uint32_t count = mp_read_array (&u->in);
    size_t size = schema_item_size (field);
    if (u->in.failed)
        return misfit (u, path, "an array");
    char *items = count ? arena_alloc (u->arena, count * size) : NULL;
    if (count && !items)
        return path_no_memory (u->failure);
    *slot = (schema_list_t){items, count};
    for (uint32_t i = 0; i < count; i++, items += size) {
        path_t at = {path, NULL, i};
        int code = field->item == SK_OBJ ? read_struct (u, field->type, &at, items)
                                         : read_value (u, field, field->item, &at, items);
        if (code)
            return code;
    }
    return 0;
}

static int read_map (unpacker_t *u, const path_t *path, schema_map_t *slot)
{
    uint32_t count = mp_read_map (&u->in);
    if (u->in.failed)
        return misfit (u, path, "a map of strings");
    schema_pair_t *pairs = count ? arena_array_of (u->arena, schema_pair_t, count) : NULL;
    if (count && !pairs)
        return path_no_memory (u->failure);
    *slot = (schema_map_t){pairs, count};
    for (uint32_t i = 0; i < count; i++) {
        int code = read_str (u, path, &pairs[i].key);
        if (!code)
            code = read_str (u, path, &pairs[i].value);
        if (code)
            return code;
    }
    return 0;
}

/* What most fields are; -1: another kind. */
static inline __attribute__ ((always_inline)) int read_plain (unpacker_t *u, uint8_t kind,
                                                              const path_t *path, void *slot)
{
    switch ((schema_kind_t) kind) {
    case SK_BOOL:
        *(bool *) slot = mp_read_bool (&u->in);
        return check (u, path, "true or false");
    case SK_INT:
    case SK_TIME:
        *(int64_t *) slot = mp_read_int (&u->in);
        return check (u, path, "a whole number");
    case SK_ENUM:
        return read_enum (u, path, slot);
    case SK_ID:
        *(id16_t *) slot = mp_read_id (&u->in);
        return check (u, path, "an id");
    case SK_STR:
        return read_str (u, path, slot);
    default:
        return -1;
    }
}

static int read_value (unpacker_t *u, const schema_field_t *field, uint8_t kind, const path_t *path,
                       void *slot)
{
    switch ((schema_kind_t) kind) {
    case SK_BOOL:
    case SK_INT:
    case SK_TIME:
    case SK_ENUM:
    case SK_ID:
    case SK_STR:
        return read_plain (u, kind, path, slot);
    case SK_NUM:
        *(double *) slot = mp_read_float (&u->in);
        return check (u, path, "a number");
    case SK_BYTES:
        return read_bytes (u, path, slot);
    case SK_OBJ:
        return read_obj (u, field->type, path, slot);
    case SK_LIST:
        return read_list (u, field, path, slot);
    case SK_MAP:
        return read_map (u, path, slot);
    case SK_ANY:
        return read_any (u, path, slot);
    case SK_FLAT:
    case SK_CONST:
    case SK_TOLD:
    case SK_GIVEN:
    case SK_CURSOR:
        break;
    }
    return misfit (u, path, "of a type that is packed");
}

/* The index of the field with this number, or field_count. Writers go in order of numbers, so *expect is mostly right. */
static inline size_t field_index (const schema_type_t *type, int64_t number, size_t *expect)
{
    size_t count = type->field_count;
    for (size_t at = *expect; at < count; at++)
        if (type->fields[at].number == number) {
            *expect = at + 1;
            return at;
        }
    for (size_t at = 0; at < *expect; at++)
        if (type->fields[at].number == number) {
            *expect = at + 1;
            return at;
        }
    return count;
}

/* One pair that this program does not know: kept as it is. */
static int read_unknown (unpacker_t *u, const uint8_t *key, const path_t *path, buf_t *unknown)
{
    size_t key_size = (size_t) (u->in.at - key);
    bytes_t value = mp_skip (&u->in);
    if (u->in.failed)
        return misfit (u, path, "well-formed msgpack");
    buf_add (unknown, key, key_size);
    mp_raw (unknown, value);
    return buf_failed (unknown) ? path_no_memory (u->failure) : 0;
}

static inline int read_pair (unpacker_t *u, const schema_type_t *type, const path_t *path,
                             void *out, uint64_t *seen, size_t *expect, buf_t *unknown)
{
    const uint8_t *key = u->in.at;
    int64_t number = mp_read_int (&u->in);
    if (u->in.failed || number <= 0)
        return misfit (u, path, "a map keyed by field numbers");
    size_t i = field_index (type, number, expect);
    if (i == type->field_count)
        return read_unknown (u, key, path, unknown);
    const schema_field_t *field = &type->fields[i];
    path_t at = {path, field->name, 0};
    if ((*seen >> i) & 1)
        return path_fail (u->failure, &at, E_BAD_REQUEST, "is given twice");
    *seen |= UINT64_C (1) << i;
    if (__builtin_expect (u->depth == 1 && (u->passed >> i) & 1, 0)) {
        mp_skip (&u->in);
        return check (u, &at, "well-formed msgpack");
    }
    if (mp_read_nil (&u->in))
        return 0;
    field_set_has (field, out);
    void *slot = (char *) out + field->offset;
    int code = read_plain (u, field->kind, &at, slot);
    return __builtin_expect (code < 0, 0) ? read_value (u, field, field->kind, &at, slot) : code;
}

/* Inputs of ops only (the generator gives other types neither flag nor default): what the caller left out. */
static int fill_absent (unpacker_t *u, const schema_type_t *type, const path_t *path, void *out)
{
    for (size_t i = 0; i < type->field_count; i++) {
        const schema_field_t *field = &type->fields[i];
        if (!(field->constant || field->flags & SF_REQUIRED) || schema_field_given (field, out))
            continue;
        path_t at = {path, field->name, 0};
        if (field->constant) {
            int code =
                field_read_constant (field, NULL, field->constant, u->arena, out, u->failure);
            if (code)
                return code;
        } else if (field->kind == SK_STR || field->kind == SK_ID || field->kind == SK_OBJ ||
                   field->kind == SK_ENUM) {
            return path_fail (u->failure, &at, E_BAD_REQUEST, "is required");
        } /* zero of the other kinds is not packed: absent is zero */
    }
    return 0;
}

static int read_struct (unpacker_t *u, const schema_type_t *type, const path_t *path, void *out)
{
    if (u->depth >= MP_DEPTH_MAX)
        return misfit (u, path, "nested less deeply");
    u->depth++;
    uint32_t count = mp_read_map (&u->in);
    if (u->in.failed)
        return misfit (u, path, "a map");
    uint64_t seen = 0;
    size_t expect = 0;
    buf_t unknown = buf_in (u->arena);
    for (uint32_t i = 0; i < count; i++) {
        int code = read_pair (u, type, path, out, &seen, &expect, &unknown);
        if (code)
            return code;
    }
    if (unknown.size && type->unknown_offset >= 0)
        *(bytes_t *) ((char *) out + type->unknown_offset) = buf_bytes (&unknown);
    u->depth--;
    return type->fills ? fill_absent (u, type, path, out) : 0;
}

static int unpack (unpacker_t *u, const schema_type_t *type, void *out)
{
    int code = read_struct (u, type, NULL, out);
    if (code)
        return code;
    return mp_done (&u->in)
               ? 0
               : path_fail (u->failure, NULL, E_BAD_REQUEST, "must be one msgpack map");
}

int schema_unpack (const schema_type_t *type, bytes_t packed, arena_t *arena, void *out,
                   failure_t *failure)
{
    unpacker_t u = {.in = mp_read (packed), .arena = arena, .failure = failure};
    return unpack (&u, type, out);
}

int schema_unpack_some (const schema_type_t *type, uint64_t fields, bytes_t packed, arena_t *arena,
                        void *out)
{
    unpacker_t u = {.in = mp_read (packed), .arena = arena, .passed = ~fields};
    return unpack (&u, type, out);
}
