/* json_write.c - a struct as JSON text, by type. Fails only for memory, which sticks to the buf. */
#include "schema/inner.h"

#include "base/clock.h"
#include "base/text.h"
#include <string.h>

typedef struct writer {
    const schema_ctx_t *ctx;
    buf_t *out;
    bool test; /* of the object around */
} writer_t;

static void write_object (writer_t *w, const schema_type_t *type, const void *in);

static void write_text (buf_t *out, const char *text)
{
    json_quote (out, text ? text : "", text ? strlen (text) : 0);
}

static void write_id (writer_t *w, const schema_field_t *field, id16_t id)
{
    char text[64] = "";
    if (w->ctx->id_write && field->prefix)
        w->ctx->id_write (field->prefix, w->test, id, text);
    else
        id_write_uuid (id, text);
    write_text (w->out, text);
}

static void write_bytes (buf_t *out, bytes_t bytes)
{
    size_t length = (bytes.size + 2) / 3 * 4;
    buf_add_byte (out, '"');
    uint8_t *text = buf_reserve (out, length + 1);
    if (text) {
        text_write_base64 (bytes.data, bytes.size, (char *) text);
        out->size += length;
    }
    buf_add_byte (out, '"');
}

static void write_cursor (buf_t *out, bytes_t bytes)
{
    size_t length = (bytes.size + 2) / 3 * 4;
    buf_add_byte (out, '"');
    char *text = (char *) buf_reserve (out, length + 1);
    if (text)
        out->size += text_write_base64url (bytes.data, bytes.size, text);
    buf_add_byte (out, '"');
}

static void write_int (buf_t *out, int64_t value)
{
    char digits[TEXT_NUMBER_SIZE];
    size_t length = text_write_int (value, digits);
    buf_add (out, digits, length);
}

static void write_told (writer_t *w, schema_told_t what)
{
    if (what == TOLD_RATE_WRITE || what == TOLD_RATE_READ)
        write_int (w->out, w->ctx->told_number[what]);
    else
        write_text (w->out, w->ctx->told_text[what]);
}

/* A field's name needs no escapes. */
static void write_name (buf_t *out, const schema_field_t *field, bool first)
{
    size_t length = field_name_length (field);
    uint8_t *at = buf_reserve (out, length + 4);
    if (!at)
        return;
    if (!first)
        *at++ = ',';
    *at++ = '"';
    memcpy (at, field->name, length);
    memcpy (at + length, "\":", 2);
    out->size += length + 3 + !first;
}

static bool core_given (const schema_field_t *field, const void *in)
{
    schema_field_t core = *field;
    core.kind = field->item;
    return schema_field_given (&core, in);
}

static void write_time (buf_t *out, int64_t ms)
{
    char text[CLOCK_ISO_SIZE];
    clock_write_iso (ms, text);
    write_text (out, text);
}

static void write_any (buf_t *out, bytes_t packed)
{
    if (packed.size)
        schema_any_write (packed, out);
    else
        buf_add_str (out, "null");
}

static void write_map (buf_t *out, const schema_map_t *map)
{
    buf_add_byte (out, '{');
    for (size_t i = 0; i < map->count; i++) {
        if (i)
            buf_add_byte (out, ',');
        write_text (out, map->pairs[i].key);
        buf_add_byte (out, ':');
        write_text (out, map->pairs[i].value);
    }
    buf_add_byte (out, '}');
}

static void write_kind (writer_t *w, const schema_field_t *field, uint8_t kind, const void *at);

static void write_list (writer_t *w, const schema_field_t *field, const schema_list_t *list)
{
    size_t size = schema_item_size (field);
    buf_add_byte (w->out, '[');
    for (size_t i = 0; i < list->count; i++) {
        const char *item = (const char *) list->items + i * size;
        if (i)
            buf_add_byte (w->out, ',');
        if (field->item == SK_OBJ)
            write_object (w, field->type, item);
        else
            write_kind (w, field, field->item, item);
    }
    buf_add_byte (w->out, ']');
}

static void write_kind (writer_t *w, const schema_field_t *field, uint8_t kind, const void *at)
{
    switch ((schema_kind_t) kind) {
    case SK_BOOL:
        buf_add_str (w->out, *(const bool *) at ? "true" : "false");
        break;
    case SK_INT:
        if (field->flags & SF_TEXT_CODE)
            buf_add_byte (w->out, '"');
        write_int (w->out, *(const int64_t *) at);
        if (field->flags & SF_TEXT_CODE)
            buf_add_byte (w->out, '"');
        break;
    case SK_NUM:
        json_real (w->out, *(const double *) at);
        break;
    case SK_TIME:
        write_time (w->out, *(const int64_t *) at);
        break;
    case SK_ENUM:
        write_text (w->out, schema_enum_word (field->enumeration, *(const int32_t *) at));
        break;
    case SK_ID:
        write_id (w, field, *(const id16_t *) at);
        break;
    case SK_STR:
        write_text (w->out, *(const char *const *) at);
        break;
    case SK_BYTES:
        write_bytes (w->out, *(const bytes_t *) at);
        break;
    case SK_OBJ:
        write_object (w, field->type, *(const void *const *) at);
        break;
    case SK_LIST:
        write_list (w, field, at);
        break;
    case SK_MAP:
        write_map (w->out, at);
        break;
    case SK_ANY:
        write_any (w->out, *(const bytes_t *) at);
        break;
    case SK_CURSOR:
        write_cursor (w->out, *(const bytes_t *) at);
        break;
    case SK_FLAT:
    case SK_CONST:
    case SK_TOLD:
    case SK_GIVEN:
        break; /* not a value of their own: write_field */
    }
}

/* A required field that is absent: null, or where it may not be null the empty value where there is one (of a flat object: what it shows anyway). */
static void write_absent (writer_t *w, const schema_field_t *field, const void *at)
{
    bool has_empty = field->kind == SK_BOOL || field->kind == SK_INT || field->kind == SK_NUM ||
                     field->kind == SK_STR || field->kind == SK_LIST || field->kind == SK_MAP ||
                     field->kind == SK_BYTES;
    if (field->kind == SK_FLAT && !(field->flags & SF_NULLABLE))
        write_object (w, field->type, at); /* of the same struct */
    else if (!has_empty || field->flags & SF_NULLABLE)
        buf_add_str (w->out, "null");
    else
        write_kind (w, field, field->kind, at);
}

static bool is_masked (const schema_ctx_t *ctx, const schema_field_t *field)
{
    return ctx->mask && (field->flags & SF_SECRET || (field->flags & SF_PERSONAL && !ctx->reveal));
}

static void write_fields (writer_t *w, const schema_type_t *type, const void *in)
{
    bool first = true;
    for (size_t i = 0; i < type->field_count; i++) {
        const schema_field_t *field = &type->fields[i];
        bool given = field_given (field, in);
        if (!given && !(field->flags & SF_REQUIRED))
            continue;
        write_name (w->out, field, first);
        first = false;
        if (field->kind == SK_CONST)
            buf_add_str (w->out, field->constant);
        else if (field->kind == SK_TOLD)
            write_told (w, (schema_told_t) field->told);
        else if (field->kind == SK_GIVEN)
            buf_add_str (w->out, core_given (field, in) ? "true" : "false");
        else if (!given)
            write_absent (w, field, field_at (field, in));
        else if (is_masked (w->ctx, field))
            buf_add_str (w->out, "\"***\"");
        else if (field->kind == SK_FLAT)
            write_object (w, field->type, in);
        else
            write_kind (w, field, field->kind, field_at (field, in));
    }
}

static void write_object (writer_t *w, const schema_type_t *type, const void *in)
{
    bool outer = w->test;
    if (!in) {
        buf_add_str (w->out, "null");
        return;
    }
    if (type->test_offset >= 0)
        w->test = *(const bool *) ((const char *) in + type->test_offset);
    buf_add_byte (w->out, '{');
    write_fields (w, type, in);
    buf_add_byte (w->out, '}');
    w->test = outer;
}

void schema_json_write (const schema_type_t *type, const schema_ctx_t *ctx, const void *in,
                        buf_t *out)
{
    static const schema_ctx_t plain = {0};
    writer_t w = {ctx ? ctx : &plain, out, ctx && ctx->test};
    write_object (&w, type, in);
}
