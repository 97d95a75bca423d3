/* find.c - looks things up in the tables that the generator made of schemas/. */
#include "schema/inner.h"

#include <stdlib.h>
#include <string.h>

/* strcmp of a word with `length` bytes of text. */
static int compare_word (const char *word, const char *text, size_t length)
{
    int order = strncmp (word, text, length);
    return order ? order : word[length] != 0;
}

const schema_service_t *schema_service_find (const char *name, size_t length)
{
    for (size_t i = 0; i < schema_all_service_count; i++)
        if (compare_word (schema_all_services[i]->name, name, length) == 0)
            return schema_all_services[i];
    return NULL;
}

static const schema_op_t *op_of (const schema_op_t *ops, size_t count, const char *name,
                                 size_t length)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = compare_word (ops[middle].name, name, length);
        if (order == 0)
            return &ops[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const schema_op_t *schema_op_find (const char *target, size_t length)
{
    const char *dot = memchr (target, '.', length);
    if (!dot || memchr (target, 0, length))
        return NULL;
    const schema_service_t *service = schema_service_find (target, (size_t) (dot - target));
    if (!service)
        return NULL;
    const char *name = dot + 1;
    size_t rest = length - (size_t) (name - target);
    const schema_op_t *op = op_of (service->ops, service->op_count, name, rest);
    return op ? op : op_of (schema_common_ops, schema_common_op_count, name, rest);
}

const schema_record_t *schema_record_find (const char *table)
{
    for (size_t i = 0; i < schema_all_service_count; i++) {
        const schema_service_t *service = schema_all_services[i];
        for (size_t j = 0; j < service->record_count; j++)
            if (strcmp (service->records[j]->table, table) == 0)
                return service->records[j];
    }
    return NULL;
}

const schema_event_t *schema_event_find (const char *service, uint16_t number)
{
    for (size_t i = 0; i < schema_all_event_count; i++)
        if (schema_all_events[i]->number == number &&
            strcmp (schema_all_events[i]->service, service) == 0)
            return schema_all_events[i];
    return NULL;
}

/* ---- dialects ---- */

static const void *part_of (const schema_field_t *part, const void *in)
{
    return part ? *(const void *const *) field_at (part, in) : in;
}

static bool condition_holds (const schema_condition_t *condition, const void *event)
{
    const void *in = part_of (condition->part, event);
    const schema_field_t *field = condition->field;
    if (!in)
        return false;
    if (!condition->is)
        return schema_field_given (field, in);
    int32_t value = field->kind == SK_BOOL ? *(const bool *) field_at (field, in)
                                           : *(const int32_t *) field_at (field, in);
    for (size_t i = 0; i < condition->is_count; i++)
        if (condition->is[i] == value)
            return true;
    return false;
}

bool schema_event_applies (const schema_public_event_t *event, const void *in)
{
    for (size_t i = 0; i < event->when_count; i++)
        if (!condition_holds (&event->when[i], in))
            return false;
    return true;
}

const void *schema_event_part (const schema_public_event_t *event, const void *in)
{
    return part_of (event->part, in);
}

const schema_public_error_t *schema_public_error_find (const schema_dialect_t *dialect, int code)
{
    for (size_t i = 0; i < dialect->error_count; i++)
        if (dialect->errors[i].code == code)
            return &dialect->errors[i];
    return NULL;
}

const schema_bucket_t *schema_bucket_find (const schema_dialect_t *dialect, const char *name)
{
    for (size_t i = 0; i < dialect->bucket_count; i++)
        if (strcmp (dialect->buckets[i].name, name) == 0)
            return &dialect->buckets[i];
    return NULL;
}

int schema_fixed_apply (const schema_public_t *op, arena_t *arena, void *in)
{
    for (size_t i = 0; i < op->fixed_count; i++) {
        int code =
            field_read_constant (op->fixed[i].field, NULL, op->fixed[i].value, arena, in, NULL);
        if (code)
            return code;
    }
    return 0;
}

static size_t kind_size (const schema_field_t *field)
{
    schema_field_t item = {.item = field->kind, .type = field->type};
    switch ((schema_kind_t) field->kind) {
    case SK_OBJ:
        return sizeof (void *);
    case SK_LIST:
        return sizeof (schema_list_t);
    case SK_MAP:
        return sizeof (schema_map_t);
    default:
        return schema_item_size (&item);
    }
}

void schema_copy_field (const schema_field_t *source, const void *from,
                        const schema_field_t *target, void *to)
{
    if (!schema_field_given (source, from))
        return;
    memcpy ((char *) to + target->offset, field_at (source, from), kind_size (target));
    field_set_has (target, to);
}

void schema_copy_same (const schema_type_t *from_type, const void *from,
                       const schema_type_t *to_type, void *to)
{
    for (size_t i = 0; i < to_type->field_count; i++) {
        const schema_field_t *target = &to_type->fields[i];
        const schema_field_t *source = schema_field_find (from_type, target->name);
        if (!source || source->kind != target->kind || source->item != target->item ||
            source->type != target->type || source->enumeration != target->enumeration)
            continue;
        schema_copy_field (source, from, target, to);
    }
}
