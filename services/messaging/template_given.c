/* template_given.c - do components in Meta's shape fit a template?
 *
 * What the template takes must be there in the right number and kind. Of buttons that take nothing by need (a quick reply's payload) anything may be given. */
#include "gen/templates.h"
#include "messaging.h"
#include "provider/json.h"
#include <string.h>
#include <strings.h>

typedef struct given {
    turn_t *t;
    bytes_t components;
} given_t;

static const struct {
    int32_t part;
    const char *type;
} types[] = {
    {TEMPLATES_PART_HEADER, "header"},     {TEMPLATES_PART_BODY, "body"},
    {TEMPLATES_PART_BUTTON, "button"},     {TEMPLATES_PART_OFFER, "limited_time_offer"},
    {TEMPLATES_PART_CAROUSEL, "carousel"},
};

static int32_t part_of (arena_t *arena, bytes_t component)
{
    const char *type = jval_word (arena, component, "type");
    for (size_t i = 0; type && i < sizeof types / sizeof *types; i++)
        if (strcasecmp (type, types[i].type) == 0)
            return types[i].part;
    return 0;
}

/* A button without an index is the first. */
static int64_t index_of (bytes_t component)
{
    int64_t index = 0;
    jval_int (component, "index", &index);
    return index;
}

static bytes_t component_of (const given_t *self, const templates_slot_t *slot)
{
    jval_list_t list = jval_list (self->components, "");
    bytes_t component;
    while (jval_next (&list, &component))
        if (part_of (self->t->arena, component) == slot->part &&
            (slot->part != TEMPLATES_PART_BUTTON || index_of (component) == slot->index))
            return component;
    return (bytes_t){0};
}

static int64_t item_count (bytes_t component, const char *path)
{
    jval_list_t list = jval_list (component, path);
    bytes_t item;
    int64_t count = 0;
    while (jval_next (&list, &item))
        count++;
    return count;
}

static const char *slot_name (const given_t *self, const templates_slot_t *slot)
{
    const char *part = schema_enum_word (&templates_part_enum, slot->part);
    return slot->part == TEMPLATES_PART_BUTTON
               ? arena_printf (self->t->arena, "button %d", (int) slot->index)
               : part;
}

/* Texts may be amounts or dates, codes come as text or as what they are. */
static bool kind_fits (arena_t *arena, const templates_slot_t *slot, bytes_t parameter)
{
    static const struct {
        int32_t kind;
        const char *types;
    } rows[] = {
        {TEMPLATES_SLOT_KIND_TEXT, " text currency date_time "},
        {TEMPLATES_SLOT_KIND_IMAGE, " image "},
        {TEMPLATES_SLOT_KIND_VIDEO, " video gif "},
        {TEMPLATES_SLOT_KIND_DOCUMENT, " document "},
        {TEMPLATES_SLOT_KIND_LOCATION, " location "},
        {TEMPLATES_SLOT_KIND_COUPON_CODE, " coupon_code text "},
        {TEMPLATES_SLOT_KIND_CODE, " text "},
    };
    const char *type = jval_word (arena, parameter, "type");
    const char *word = type ? arena_printf (arena, " %s ", type) : "";
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].kind == slot->kind)
            return type && strstr (rows[i].types, word);
    return true;
}

static bool name_fits (arena_t *arena, const templates_slot_t *slot, bytes_t parameter)
{
    const char *name = jval_word (arena, parameter, "parameter_name");
    const char *const *names = slot->names.items;
    for (size_t i = 0; i < slot->names.count; i++)
        if (name && strcmp (names[i], name) == 0)
            return true;
    return slot->names.count == 0;
}

static int slot_check (const given_t *self, const templates_slot_t *slot)
{
    bytes_t component = component_of (self, slot), parameter;
    const char *path = slot->part == TEMPLATES_PART_CAROUSEL ? "cards" : "parameters";
    int64_t count = item_count (component, path);
    if (count != slot->count)
        return fail (self->t, E_TEMPLATE_PARAMETER_MISMATCH, "template.components",
                     "The template's %s takes %d %s, %d were given", slot_name (self, slot),
                     (int) slot->count, path, (int) count);
    if (slot->part == TEMPLATES_PART_CAROUSEL)
        return 0;
    jval_list_t list = jval_list (component, path);
    while (jval_next (&list, &parameter))
        if (!kind_fits (self->t->arena, slot, parameter) ||
            !name_fits (self->t->arena, slot, parameter))
            return fail (self->t, E_TEMPLATE_PARAMETER_MISMATCH, "template.components",
                         "A parameter of the template's %s has another kind or name",
                         slot_name (self, slot));
    return 0;
}

/* A header or body is given something, and takes nothing? */
static int stranger_check (const given_t *self, const schema_list_t *slots, bytes_t component)
{
    int32_t part = part_of (self->t->arena, component);
    const templates_slot_t *all = slots->items;
    if ((part != TEMPLATES_PART_HEADER && part != TEMPLATES_PART_BODY) ||
        item_count (component, "parameters") == 0)
        return 0;
    for (size_t i = 0; i < slots->count; i++)
        if (all[i].part == part)
            return 0;
    return fail (self->t, E_TEMPLATE_PARAMETER_MISMATCH, "template.components",
                 "The template's %s takes no parameters",
                 schema_enum_word (&templates_part_enum, part));
}

int template_given_check (turn_t *t, const messaging_template_t *template, bytes_t components)
{
    given_t self = {t, components};
    const templates_slot_t *slots = template->slots.items;
    int code = 0;
    for (size_t i = 0; i < template->slots.count && code == 0; i++)
        code = slot_check (&self, &slots[i]);
    jval_list_t list = jval_list (components, "");
    bytes_t component;
    while (code == 0 && jval_next (&list, &component))
        code = stranger_check (&self, &template->slots, component);
    return code;
}
