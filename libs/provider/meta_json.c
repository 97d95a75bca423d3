/* meta_json.c - structs to Meta's JSON and back.
 *
 * Meta's names are those of our structs, so both ways go by the struct's table. Reading never fails: what does not fit its field is left out. */
#include "provider/meta.h"

#include "base/text.h"
#include <inttypes.h>

void meta_begin (buf_t *out, const char *name, char open)
{
    if (out->size > 0 && !strchr ("{[", out->data[out->size - 1]))
        buf_add_byte (out, ',');
    if (name) {
        schema_json_string (out, name);
        buf_add_byte (out, ':');
    }
    if (open)
        buf_add_byte (out, (uint8_t) open);
}

void meta_put (buf_t *out, const char *name, const schema_type_t *type, const void *in)
{
    meta_begin (out, name, 0);
    schema_json_write (type, NULL, in, out);
}

const char *meta_cut (arena_t *arena, const char *text, int64_t most)
{
    size_t at = 0, length = text ? strlen (text) : 0;
    for (int64_t count = 0; count < most && at < length; count++) {
        size_t step = text_utf8_step (text + at, length - at);
        at += step ? step : 1;
    }
    return at < length ? arena_strndup (arena, text, at) : text;
}

const char *meta_e164 (arena_t *arena, const char *text)
{
    char digits[17] = "+";
    size_t used = 1;
    for (const char *at = text; at && *at; at++) {
        if (*at >= '0' && *at <= '9' && used < sizeof digits - 1)
            digits[used++] = *at;
        else if (!strchr ("+ -().", *at))
            return text;
    }
    return text && text_is_e164 (digits) ? arena_strdup (arena, digits) : text;
}

/* ---- reading ---- */

static bool fill_text (arena_t *arena, bytes_t value, const schema_field_t *field, void *at)
{
    const char *text = jval_text (arena, value, field->name);
    if (!text)
        text = jval_code (arena, value, field->name);
    if (text)
        *(const char **) at = meta_cut (arena, text, field->max);
    return text != NULL;
}

static bool fill_int (bytes_t value, const schema_field_t *field, int64_t *at)
{
    int64_t number;
    bool fits =
        jval_int (value, field->name, &number) && number >= field->min && number <= field->max;
    if (fits)
        *at = number;
    return fits;
}

/* Numbers may come as text ("51.5"). */
static bool fill_number (arena_t *arena, bytes_t value, const schema_field_t *field, double *at)
{
    double number;
    if (!jval_number (value, field->name, &number)) {
        const char *text = jval_word (arena, value, field->name);
        bytes_t packed;
        if (!text || jval_read (arena, bytes_of_str (text), &packed, NULL) ||
            !jval_number (packed, "", &number))
            return false;
    }
    bool fits = (field->min == INT64_MIN || number >= (double) field->min) &&
                (field->max == INT64_MAX || number <= (double) field->max);
    if (fits)
        *at = number;
    return fits;
}

static bool fill_object (arena_t *arena, bytes_t value, const schema_field_t *field, void *at)
{
    if (!jval_is_map (value, field->name))
        return false;
    void *object = arena_alloc (arena, field->type->size);
    if (!object)
        return false;
    meta_fill (arena, jval_find (value, field->name), field->type, object);
    *(const void **) at = object;
    return true;
}

static bool fill_list (arena_t *arena, bytes_t value, const schema_field_t *field, void *at)
{
    if (field->item != SK_OBJ)
        return false;
    size_t most =
        field->max > 0 && (uint64_t) field->max < SIZE_MAX ? (size_t) field->max : SIZE_MAX;
    schema_list_t list = meta_fill_list (arena, jval_find (value, field->name), field->type, most);
    *(schema_list_t *) at = list;
    return list.count > 0;
}

static bool fill_field (arena_t *arena, bytes_t value, const schema_field_t *field, void *at)
{
    switch ((schema_kind_t) field->kind) {
    case SK_STR:
        return fill_text (arena, value, field, at);
    case SK_INT:
        return fill_int (value, field, at);
    case SK_NUM:
        return fill_number (arena, value, field, at);
    case SK_OBJ:
        return fill_object (arena, value, field, at);
    case SK_LIST:
        return fill_list (arena, value, field, at);
    default:
        return false;
    }
}

void meta_fill (arena_t *arena, bytes_t value, const schema_type_t *type, void *out)
{
    for (size_t i = 0; i < type->field_count; i++) {
        const schema_field_t *field = &type->fields[i];
        if (fill_field (arena, value, field, (char *) out + field->offset))
            *(uint64_t *) out |= 1ull << field->has_bit;
    }
}

schema_list_t meta_fill_list (arena_t *arena, bytes_t array, const schema_type_t *type, size_t most)
{
    jval_list_t list = jval_list (array, "");
    size_t room = list.left < most ? list.left : most;
    schema_list_t out = {0};
    bytes_t item;
    char *items = room ? arena_alloc_many (arena, type->size, room) : NULL;
    while (items && out.count < room && jval_next (&list, &item))
        if (jval_is_map (item, ""))
            meta_fill (arena, item, type, items + type->size * out.count++);
    out.items = out.count ? items : NULL;
    return out;
}
