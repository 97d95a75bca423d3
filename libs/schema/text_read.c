/* text_read.c - parameters of paths and queries: decoded text into a struct, one field at a time.
 *
 * Fails as reading JSON does, with the parameter as the field. */
#include "schema/inner.h"

#include "base/text.h"
#include <string.h>

static int text_value (json_in_t *in, uint8_t kind, const spot_t *spot, const char *text,
                       size_t length, void *slot)
{
    *in = json_in (bytes_of (text, length), in->arena, in->ctx, in->failure);
    if (!text_is_utf8 (text, length))
        return path_fail (in->failure, spot->path, E_BAD_REQUEST, "is not UTF-8 text");
    if (value_set_of (kind)) {
        char *kept = arena_strndup (in->arena, text, length);
        return kept ? value_set_of (kind) (in, spot, kept, length, slot)
                    : path_no_memory (in->failure);
    }
    int code = kind == SK_BOOL || json_starts_number (in) ? json_value (in, kind, spot, slot)
                                                          : E_BAD_REQUEST;
    if (code == 0 && in->at == in->end)
        return 0;
    if (code && in->failure && in->failure->field[0])
        return code; /* out of range says more */
    return spot_wrong (in, spot,
                       kind == SK_BOOL  ? "true or false"
                       : kind == SK_INT ? "a whole number"
                                        : "a number");
}

static int text_list (json_in_t *in, const spot_t *spot, const char *text, schema_list_t *list)
{
    const schema_field_t *field = spot->field;
    size_t size = schema_item_size (field), count = 1;
    for (const char *c = text; *c; c++)
        count += *c == ',';
    if ((int64_t) (list->count + count) > spot->max)
        return spot_count_fail (in, spot, true);
    char *items = arena_alloc (in->arena, (list->count + count) * size);
    if (!items)
        return path_no_memory (in->failure);
    if (list->count)
        memcpy (items, list->items, list->count * size);
    list->items = items;
    for (size_t i = 0; i < count; i++, list->count++) {
        size_t length = strcspn (text, ",");
        path_t path = {spot->path, NULL, list->count};
        spot_t item = {field, &path, field->item_min, field->item_max};
        int code = text_value (in, field->item, &item, text, length, items + list->count * size);
        if (code)
            return code;
        text += length + (text[length] == ',');
    }
    return field->flags & SF_UNIQUE ? spot_check_unique (in, spot, list) : 0;
}

/* How many at most: digits, within the limits. */
static int text_limit (json_in_t *in, const spot_t *spot, const char *text, void *slot)
{
    size_t length = strlen (text);
    int64_t value = 0;
    bool good = length > 0 && strspn (text, "0123456789") == length;
    for (size_t i = 0; i < length && good; i++) {
        value = value * 10 + (text[i] - '0');
        good = value <= spot->max;
    }
    if (!good || value < spot->min)
        return path_fail (in->failure, spot->path, E_BAD_LIMIT,
                          "must be a whole number from %lld to %lld", (long long) spot->min,
                          (long long) spot->max);
    *(int64_t *) slot = value;
    return 0;
}

static bool stands_in_text (uint8_t kind)
{
    return kind == SK_BOOL || kind == SK_INT || kind == SK_NUM || value_set_of (kind);
}

int schema_text_read (const schema_field_t *field, const schema_ctx_t *ctx, const char *text,
                      arena_t *arena, void *out, failure_t *failure)
{
    json_in_t in = json_in (bytes_of_str (text), arena, ctx, failure);
    path_t path = {NULL, field->name, 0};
    spot_t spot = {field, &path, field->min, field->max};
    void *slot = (char *) out + field->offset;
    bool list = field->kind == SK_LIST;
    if (!stands_in_text (list ? field->item : field->kind))
        return path_fail (failure, &path, E_BAD_REQUEST, "cannot stand in a URL");
    if (failure)
        *failure = (failure_t){0};
    int code = list ? text_list (&in, &spot, text, slot)
               : field->flags & SF_LIMIT
                   ? text_limit (&in, &spot, text, slot)
                   : text_value (&in, field->kind, &spot, text, strlen (text), slot);
    field_set_has (field, out);
    return code;
}

int schema_text_absent (const schema_field_t *field, const schema_ctx_t *ctx, arena_t *arena,
                        void *out, failure_t *failure)
{
    path_t path = {NULL, field->name, 0};
    if (field->constant && !field_is_shown_only (field))
        return field_read_constant (field, ctx, field->constant, arena, out, failure);
    return field->flags & SF_REQUIRED ? path_fail (failure, &path, E_MISSING_FIELD, "is required")
                                      : 0;
}
