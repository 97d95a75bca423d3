/* field.c - questions about fields, enums, machines and the tables of the generator. Nothing here fails but by saying no. */
#define _GNU_SOURCE
#include "schema/inner.h"

#include <stdlib.h>
#include <string.h>

size_t schema_item_size (const schema_field_t *field)
{
    static const uint8_t sizes[] = {
        [SK_BOOL] = sizeof (bool),    [SK_INT] = sizeof (int64_t),   [SK_NUM] = sizeof (double),
        [SK_TIME] = sizeof (int64_t), [SK_ENUM] = sizeof (int32_t),  [SK_ID] = sizeof (id16_t),
        [SK_STR] = sizeof (char *),   [SK_BYTES] = sizeof (bytes_t), [SK_ANY] = sizeof (bytes_t),
    };
    if (field->item == SK_OBJ)
        return field->type->size;
    return field->item < sizeof sizes ? sizes[field->item] : 0;
}

const schema_field_t *schema_field_find (const schema_type_t *type, const char *name)
{
    for (size_t i = 0; i < type->field_count; i++)
        if (strcmp (type->fields[i].name, name) == 0)
            return &type->fields[i];
    return NULL;
}

static bool flat_given (const schema_field_t *field, const void *in)
{
    for (size_t i = 0; i < field->type->field_count; i++)
        if (!field_is_shown_only (&field->type->fields[i]) &&
            schema_field_given (&field->type->fields[i], in))
            return true;
    return false;
}

bool schema_field_given (const schema_field_t *field, const void *in)
{
    return field_given (field, in);
}

bool field_given_other (const schema_field_t *field, const void *in)
{
    const void *at = field_at (field, in);
    switch ((schema_kind_t) field->kind) {
    case SK_NUM:
        return *(const double *) at != 0 || field_has (field, in);
    case SK_CURSOR:
        return ((const bytes_t *) at)->size > 0 || field_has (field, in);
    case SK_ANY:
        return ((const bytes_t *) at)->size > 0;
    case SK_MAP:
        return ((const schema_map_t *) at)->count > 0 || field_has (field, in);
    case SK_FLAT:
        return flat_given (field, in);
    case SK_CONST:
    case SK_TOLD:
    case SK_GIVEN:
        return true;
    default: /* field_given's */
        return false;
    }
}

const char *schema_enum_word (const schema_enum_t *e, int32_t value)
{
    for (size_t i = 0; i < e->count; i++)
        if (e->words[i].value == value)
            return e->words[i].word;
    return "?";
}

int32_t schema_enum_read (const schema_enum_t *e, const char *word, size_t length)
{
    for (size_t i = 0; i < e->count; i++)
        if (strlen (e->words[i].word) == length && memcmp (e->words[i].word, word, length) == 0)
            return e->words[i].value;
    return 0;
}

bool schema_may_move (const schema_machine_t *m, int32_t from, int32_t to)
{
    for (size_t i = 0; i < m->count; i++)
        if (m->moves[i].from == from && m->moves[i].to == to)
            return true;
    return false;
}

/* ---- equal items ---- */

typedef struct item_kind {
    uint8_t kind;
    size_t size;
    const char *items;
} item_kind_t;

static int compare_items (const item_kind_t *of, size_t a, size_t b)
{
    const char *x = of->items + a * of->size, *y = of->items + b * of->size;
    if (of->kind == SK_STR || of->kind == SK_MAP) /* a pair begins with its key */
        return strcmp (*(const char *const *) x, *(const char *const *) y);
    return memcmp (x, y, of->size);
}

static int compare_indexes (const void *a, const void *b, void *of)
{
    size_t x = *(const size_t *) a, y = *(const size_t *) b;
    int order = compare_items (of, x, y);
    return order ? order : (x > y) - (x < y);
}

long list_repeats (const schema_field_t *field, const schema_list_t *list, arena_t *arena)
{
    bool is_map = field->kind == SK_MAP;
    item_kind_t of = {is_map ? SK_MAP : field->item,
                      is_map ? sizeof (schema_pair_t) : schema_item_size (field), list->items};
    if (list->count <= 16) {
        for (size_t i = 1; i < list->count; i++)
            for (size_t j = 0; j < i; j++)
                if (compare_items (&of, i, j) == 0)
                    return (long) i;
        return -1;
    }
    size_t *order = arena_array_of (arena, size_t, list->count);
    if (!order)
        return -2;
    for (size_t i = 0; i < list->count; i++)
        order[i] = i;
    qsort_r (order, list->count, sizeof *order, compare_indexes, &of);
    long first = -1;
    for (size_t i = 1; i < list->count; i++)
        if (compare_items (&of, order[i - 1], order[i]) == 0 &&
            (first < 0 || (long) order[i] < first))
            first = (long) order[i];
    return first;
}
