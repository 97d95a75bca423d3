/* pack.c - a struct as a msgpack map keyed by field numbers. Fails only for memory, which sticks to the buf. */
#include "schema/inner.h"

#include "base/msgpack.h"
#include <endian.h>
#include <string.h>

static void pack_kind (const schema_field_t *field, uint8_t kind, const void *at, buf_t *out);

static void pack_list (const schema_field_t *field, const schema_list_t *list, buf_t *out)
{
    size_t size = schema_item_size (field);
    mp_array (out, (uint32_t) list->count);
    for (size_t i = 0; i < list->count; i++) {
        const char *item = (const char *) list->items + i * size;
        if (field->item == SK_OBJ)
            schema_pack (field->type, item, out);
        else
            pack_kind (field, field->item, item, out);
    }
}

static void pack_map (const schema_map_t *map, buf_t *out)
{
    mp_map (out, (uint32_t) map->count);
    for (size_t i = 0; i < map->count; i++) {
        mp_str (out, map->pairs[i].key);
        mp_str (out, map->pairs[i].value);
    }
}

static void pack_any (bytes_t packed, buf_t *out)
{
    if (packed.size)
        mp_raw (out, packed);
    else
        mp_nil (out);
}

static void pack_kind (const schema_field_t *field, uint8_t kind, const void *at, buf_t *out)
{
    const bytes_t *bytes = at;
    switch ((schema_kind_t) kind) {
    case SK_BOOL:
        mp_bool (out, *(const bool *) at);
        break;
    case SK_INT:
    case SK_TIME:
        mp_int (out, *(const int64_t *) at);
        break;
    case SK_NUM:
        mp_float (out, *(const double *) at);
        break;
    case SK_ENUM:
        mp_int (out, *(const int32_t *) at);
        break;
    case SK_ID:
        mp_id (out, *(const id16_t *) at);
        break;
    case SK_STR:
        mp_str (out, *(const char *const *) at);
        break;
    case SK_BYTES:
        mp_bin (out, bytes->data, bytes->size);
        break;
    case SK_OBJ:
        schema_pack (field->type, *(const void *const *) at, out);
        break;
    case SK_LIST:
        pack_list (field, at, out);
        break;
    case SK_MAP:
        pack_map (at, out);
        break;
    case SK_ANY:
        pack_any (*bytes, out);
        break;
    case SK_FLAT:
    case SK_CONST:
    case SK_TOLD:
    case SK_GIVEN:
    case SK_CURSOR:
        mp_nil (out); /* views are not packed */
        break;
    }
}

static bytes_t unknown_of (const schema_type_t *type, const void *in)
{
    return type->unknown_offset < 0 ? (bytes_t){0}
                                    : *(const bytes_t *) ((const char *) in + type->unknown_offset);
}

enum { SHORT_MOST = 31, SMALL_MOST = 2 + SHORT_MOST /* number of a field, head and text */ };

/* The value at `at`, where there is room for SMALL_MOST; where it ends, NULL: it takes more, and nothing is written. */
static inline uint8_t *write_small (const schema_field_t *field, const void *value, uint8_t *at)
{
    const char *text;
    uint64_t number;
    size_t length;
    switch ((schema_kind_t) field->kind) {
    case SK_BOOL:
        *at++ = *(const bool *) value ? 0xc3 : 0xc2;
        return at;
    case SK_ENUM:
        *at = (uint8_t) * (const uint32_t *) value;
        return *(const uint32_t *) value <= 127 ? at + 1 : NULL;
    case SK_INT:
    case SK_TIME:
        number = *(const uint64_t *) value;
        *at++ = number <= 127 ? (uint8_t) number : 0xcf;
        if (number <= 127)
            return at;
        if (number <= UINT32_MAX || number > INT64_MAX)
            return NULL;
        number = htobe64 (number);
        memcpy (at, &number, sizeof number);
        return at + sizeof number;
    case SK_ID:
        *at++ = 0xc4;
        *at++ = sizeof (id16_t);
        memcpy (at, value, sizeof (id16_t));
        return at + sizeof (id16_t);
    case SK_STR:
        text = *(const char *const *) value;
        length = text ? strlen (text) : SIZE_MAX;
        if (length > SHORT_MOST)
            return NULL;
        *at++ = (uint8_t) (0xa0 | length);
        memcpy (at, text, length);
        return at + length;
    default:
        return NULL;
    }
}

/* A field that takes little, with its number, in one piece of what the buf has. False: nothing is written. */
static inline bool pack_small (const schema_field_t *field, const void *in, buf_t *out)
{
    uint8_t *at = out->data + out->size;
    if (field->number > 127 || out->failed || out->limit || out->capacity - out->size <= SMALL_MOST)
        return false;
    *at = (uint8_t) field->number;
    const uint8_t *end = write_small (field, field_at (field, in), at + 1);
    if (!end)
        return false;
    out->size += (size_t) (end - at);
    return true;
}

static uint32_t pair_count (bytes_t packed)
{
    mp_reader_t in = mp_read (packed);
    uint32_t values = 0;
    while (in.at < in.end && !in.failed) {
        mp_skip (&in);
        values++;
    }
    return values / 2;
}

void schema_pack (const schema_type_t *type, const void *in, buf_t *out)
{
    bytes_t unknown = unknown_of (type, in);
    uint32_t count = unknown.size ? pair_count (unknown) : 0;
    uint64_t given = 0;
    for (size_t i = 0; i < type->field_count; i++)
        if (type->fields[i].number && field_given (&type->fields[i], in)) {
            given |= UINT64_C (1) << i;
            count++;
        }
    mp_map (out, count);
    for (; given; given &= given - 1) {
        const schema_field_t *field = &type->fields[__builtin_ctzll (given)];
        if (pack_small (field, in, out))
            continue;
        mp_int (out, field->number);
        pack_kind (field, field->kind, field_at (field, in), out);
    }
    if (unknown.size)
        mp_raw (out, unknown);
}
