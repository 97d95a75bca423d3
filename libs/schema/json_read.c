/* json_read.c - JSON text straight into a struct, by type: one pass, no tree.
 *
 * Fails with E_BAD_REQUEST (or what a format says) and the first offending field as a path; E_NO_MEMORY if the arena is full. What was
 * read so far stays in the struct, which the caller drops. Recursion is bounded by SCHEMA_JSON_DEPTH. */
#include "schema/inner.h"

#include <stdio.h>
#include <string.h>

typedef int (read_fn) (json_in_t *in, const spot_t *spot, void *slot);

static int read_object (json_in_t *in, const schema_type_t *type, const path_t *path, void *out);

/* ---- composed values ---- */

static int read_obj (json_in_t *in, const spot_t *spot, void *slot)
{
    const schema_type_t *type = spot->field->type;
    void *object = arena_alloc (in->arena, type->size);
    if (!object)
        return path_no_memory (in->failure);
    *(const void **) slot = object;
    return read_object (in, type, spot->path, object);
}

static int read_any (json_in_t *in, const spot_t *spot, void *slot)
{
    buf_t packed = buf_in (in->arena);
    if (json_any (in, &packed))
        return E_BAD_REQUEST;
    if (buf_failed (&packed))
        return path_no_memory (in->failure);
    *(bytes_t *) slot = buf_bytes (&packed);
    if ((int64_t) packed.size > spot->max)
        return path_fail (in->failure, spot->path, E_BAD_REQUEST, "is too large");
    return 0;
}

/* Room for one more of `size` bytes after `count`: arrays double in the arena. */
static void *grow (arena_t *arena, void *items, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return items;
    size_t wider = *capacity ? *capacity * 2 : 4;
    void *out = arena_alloc (arena, wider * size);
    if (out && count)
        memcpy (out, items, count * size);
    *capacity = wider;
    return out;
}

static int read_item (json_in_t *in, const spot_t *list, size_t index, void *slot)
{
    const schema_field_t *field = list->field;
    path_t path = {list->path, NULL, index};
    spot_t spot = {field, &path, field->item_min, field->item_max};
    json_space (in);
    if (field->item == SK_OBJ)
        return read_object (in, field->type, &path, slot);
    return field->item == SK_ANY ? read_any (in, &spot, slot)
                                 : json_value (in, field->item, &spot, slot);
}

static int read_list (json_in_t *in, const spot_t *spot, void *slot)
{
    size_t size = schema_item_size (spot->field), capacity = 0;
    schema_list_t list = {0};
    bool first = true;
    int more;
    if (in->at == in->end || *in->at != '[')
        return spot_wrong (in, spot, "an array");
    if (json_open (in))
        return E_BAD_REQUEST;
    while ((more = json_next (in, ']', &first)) == 1) {
        if ((int64_t) list.count >= spot->max)
            return spot_count_fail (in, spot, true);
        list.items = grow (in->arena, list.items, list.count, &capacity, size);
        if (!list.items)
            return path_no_memory (in->failure);
        int code = read_item (in, spot, list.count, (char *) list.items + list.count * size);
        if (code)
            return code;
        list.count++;
    }
    if (more < 0)
        return E_BAD_REQUEST;
    *(schema_list_t *) slot = list;
    if ((int64_t) list.count < spot->min)
        return spot_count_fail (in, spot, false);
    return spot->field->flags & SF_UNIQUE ? spot_check_unique (in, spot, &list) : 0;
}

static int read_pair (json_in_t *in, const spot_t *spot, schema_pair_t *pair)
{
    json_raw_t raw;
    size_t length;
    if (json_key (in, &raw))
        return E_BAD_REQUEST;
    pair->key = json_keep (in->arena, raw, &length);
    if (!pair->key)
        return path_no_memory (in->failure);
    path_t path = {spot->path, pair->key, 0};
    schema_field_t value = {.kind = SK_STR};
    return json_value (in, SK_STR, &(spot_t){&value, &path, 0, spot->field->item_max},
                       &pair->value);
}

static int read_map (json_in_t *in, const spot_t *spot, void *slot)
{
    size_t capacity = 0;
    schema_map_t map = {0};
    bool first = true;
    int more;
    if (in->at == in->end || *in->at != '{')
        return spot_wrong (in, spot, "an object of strings");
    if (json_open (in))
        return E_BAD_REQUEST;
    while ((more = json_next (in, '}', &first)) == 1) {
        if ((int64_t) map.count >= spot->max)
            return spot_count_fail (in, spot, true);
        map.pairs = grow (in->arena, map.pairs, map.count, &capacity, sizeof *map.pairs);
        if (!map.pairs)
            return path_no_memory (in->failure);
        int code = read_pair (in, spot, &map.pairs[map.count]);
        if (code)
            return code;
        map.count++;
    }
    if (more < 0)
        return E_BAD_REQUEST;
    *(schema_map_t *) slot = map;
    if ((int64_t) map.count < spot->min)
        return spot_count_fail (in, spot, false);
    schema_field_t keys = {.kind = SK_MAP};
    long twice = list_repeats (&keys, &(schema_list_t){map.pairs, map.count}, in->arena);
    if (twice == -2)
        return path_no_memory (in->failure);
    if (twice < 0)
        return 0;
    path_t path = {spot->path, map.pairs[twice].key, 0};
    return path_fail (in->failure, &path, E_BAD_REQUEST, "is given twice");
}

static int read_kind (json_in_t *in, uint8_t kind, const spot_t *spot, void *slot)
{
    static read_fn *const reads[] = {
        [SK_OBJ] = read_obj, [SK_LIST] = read_list, [SK_MAP] = read_map, [SK_ANY] = read_any};
    if (kind < sizeof reads / sizeof *reads && reads[kind])
        return reads[kind](in, spot, slot);
    return json_value (in, kind, spot, slot);
}

/* ---- objects ---- */

/* The field of this name; clients mostly send fields in order, so *expect is tried first. */
static const schema_field_t *field_of (const schema_type_t *type, const char *name, size_t length,
                                       size_t *expect)
{
    size_t at = *expect;
    for (size_t i = 0; i < type->field_count; i++, at++) {
        if (at >= type->field_count)
            at = 0;
        const schema_field_t *field = &type->fields[at];
        if (field_name_length (field) == length && memcmp (field->name, name, length) == 0) {
            *expect = at + 1;
            return field;
        }
    }
    return NULL;
}

static int read_name (json_in_t *in, const schema_type_t *type, size_t *expect,
                      const schema_field_t **out)
{
    json_raw_t raw;
    if (json_key (in, &raw))
        return E_BAD_REQUEST;
    size_t length = raw.length;
    const char *name = raw.text;
    if (raw.escaped && !(name = json_keep (in->arena, raw, &length)))
        return path_no_memory (in->failure);
    *out = field_of (type, name, length, expect);
    return 0;
}

/* What null stands for, beside the limits of values that are given. */
static int read_null (json_in_t *in, const schema_field_t *field, const path_t *path, void *out)
{
    if (!(field->flags & SF_NULLABLE))
        return path_fail (in->failure, path, E_BAD_REQUEST, "must not be null");
    if (!field->null_as)
        return 0;
    schema_field_t open = *field;
    open.format = FMT_NONE;
    open.min = INT64_MIN;
    return field_read_constant (&open, in->ctx, field->null_as, in->arena, out, in->failure);
}

static int read_field (json_in_t *in, const schema_field_t *field, const path_t *path, void *out,
                       bool *given)
{
    if (field_is_shown_only (field) || field->flags & SF_OUT_ONLY)
        return json_skip (in);
    if (json_literal (in, "null"))
        return read_null (in, field, path, out);
    *given = true;
    if (field->kind == SK_FLAT)
        return read_object (in, field->type, path, out);
    spot_t spot = {field, path, field->min, field->max};
    int code = read_kind (in, field->kind, &spot, (char *) out + field->offset);
    field_set_has (field, out);
    return code;
}

static bool rule_holds (const schema_rule_t *rule, const schema_type_t *type, const void *out,
                        uint64_t given)
{
    if (!rule->field)
        return true;
    const schema_field_t *field = &type->fields[rule->field_index];
    if (!rule->is)
        return (given >> rule->field_index) & 1;
    int32_t value = field->kind == SK_BOOL ? *(const bool *) field_at (field, out)
                                           : *(const int32_t *) field_at (field, out);
    if (field->kind == SK_BOOL && !field_has (field, out))
        return false;
    for (size_t i = 0; i < rule->is_count; i++)
        if (rule->is[i] == value)
            return true;
    return false;
}

static int rule_fail (json_in_t *in, const schema_rule_t *rule, const path_t *path)
{
    char condition[96] = "";
    if (rule->field)
        snprintf (condition, sizeof condition, " with this %s", rule->field);
    path_t first = {path, rule->any_of[0], 0};
    if (rule->any_count == 1)
        return path_fail (in->failure, &first, E_MISSING_FIELD, "is required%s", condition);
    buf_t names = buf_in (in->arena);
    for (size_t i = 1; i < rule->any_count; i++)
        buf_printf (&names, "%s%s", i > 1 ? ", " : "", rule->any_of[i]);
    return path_fail (in->failure, &first, E_MISSING_FIELD, "is required%s, or %s", condition,
                      buf_text (&names));
}

/* What was not there: required fields, defaults, and the rules of the object. */
static int finish_object (json_in_t *in, const schema_type_t *type, const path_t *path, void *out,
                          uint64_t seen, uint64_t given)
{
    for (size_t i = 0; i < type->field_count; i++) {
        const schema_field_t *field = &type->fields[i];
        if ((seen >> i) & 1 || !(field->constant || field->flags & SF_REQUIRED))
            continue;
        if (field_is_shown_only (field) || field->flags & SF_OUT_ONLY)
            continue;
        path_t at = {path, field->name, 0};
        if (!field->constant)
            return path_fail (in->failure, &at, E_MISSING_FIELD, "is required");
        int code =
            field_read_constant (field, in->ctx, field->constant, in->arena, out, in->failure);
        if (code)
            return code;
        given |= UINT64_C (1) << i;
    }
    for (size_t i = 0; i < type->rule_count; i++)
        if (!(given & type->rules[i].any_mask) && rule_holds (&type->rules[i], type, out, given))
            return rule_fail (in, &type->rules[i], path);
    return 0;
}

static int read_object (json_in_t *in, const schema_type_t *type, const path_t *path, void *out)
{
    uint64_t seen = 0, given = 0;
    size_t expect = 0;
    bool first = true;
    int more, code;
    if (in->at == in->end || *in->at != '{')
        return path_fail (in->failure, path, E_BAD_REQUEST, "must be an object");
    if (json_open (in))
        return E_BAD_REQUEST;
    while ((more = json_next (in, '}', &first)) == 1) {
        const schema_field_t *field;
        if ((code = read_name (in, type, &expect, &field)))
            return code;
        if (!field) {
            if ((code = json_skip (in)))
                return code;
            continue;
        }
        uint64_t bit = UINT64_C (1) << (field - type->fields);
        path_t at = {path, field->name, 0};
        bool has = false;
        if (seen & bit)
            return path_fail (in->failure, &at, E_BAD_REQUEST, "is given twice");
        seen |= bit;
        if ((code = read_field (in, field, &at, out, &has)))
            return code;
        given |= has ? bit : 0;
    }
    return more < 0 ? E_BAD_REQUEST : finish_object (in, type, path, out, seen, given);
}

int schema_json_read (const schema_type_t *type, const schema_ctx_t *ctx, bytes_t json,
                      arena_t *arena, void *out, failure_t *failure)
{
    json_in_t in = json_in (json, arena, ctx, failure);
    if (!json_peek (&in))
        return path_fail (failure, NULL, E_BAD_REQUEST, "must be a JSON object");
    int code = read_object (&in, type, NULL, out);
    return code ? code : json_done (&in);
}

int field_read_constant (const schema_field_t *field, const schema_ctx_t *ctx, const char *json,
                         arena_t *arena, void *out, failure_t *failure)
{
    if (field->kind == SK_ENUM && json[0] == '"') { /* most of them are: a word between quotes */
        int32_t word = schema_enum_read (field->enumeration, json + 1, strlen (json) - 2);
        *(int32_t *) ((char *) out + field->offset) = word;
        field_set_has (field, out);
        if (word)
            return 0;
    }
    json_in_t in = json_in (bytes_of_str (json), arena, ctx, failure);
    path_t path = {NULL, field->name, 0};
    spot_t spot = {field, &path, field->min, field->max};
    int code = read_kind (&in, field->kind, &spot, (char *) out + field->offset);
    field_set_has (field, out);
    return code;
}
