/* template_fill.c - a template's variables, by position or by name, as what its components take.
 *
 * Positions count on through the template as one reads it: the header's, the body's, then those of its link and coupon buttons. Named ones may be given by their
 * name or by position, one name being one position. A one-time-code button repeats the body's code. Files and places cannot be given as variables. */
#include "base/msgpack.h"
#include "gen/templates.h"
#include "messaging.h"
#include <stdlib.h>
#include <string.h>

/* A parameter that a variable fills. */
typedef struct wanted {
    const templates_slot_t *slot;
    const char *name; /* NULL = it has none */
    size_t position;  /* from 1 on */
    const char *value;
} wanted_t;

typedef struct fill {
    turn_t *t;
    const schema_list_t *slots;
    const schema_map_t *variables;
    wanted_t *wanted;
    size_t count;
    size_t positions;
    bool plain; /* the body's, by position: as they are */
} fill_t;

/* ---- what is wanted ---- */

static size_t position_of (const fill_t *self, const char *name)
{
    for (size_t i = 0; name && i < self->count; i++)
        if (self->wanted[i].name && strcmp (self->wanted[i].name, name) == 0)
            return self->wanted[i].position;
    return 0;
}

static void wanted_add (fill_t *self, const templates_slot_t *slot, const char *name)
{
    size_t position = position_of (self, name);
    if (!position)
        position = ++self->positions;
    self->plain = self->plain && slot->part == TEMPLATES_PART_BODY && !name;
    self->wanted[self->count++] = (wanted_t){.slot = slot, .name = name, .position = position};
}

static bool takes_text (const templates_slot_t *slot)
{
    return slot->kind == TEMPLATES_SLOT_KIND_TEXT || slot->kind == TEMPLATES_SLOT_KIND_COUPON_CODE;
}

static int slot_want (fill_t *self, const templates_slot_t *slot)
{
    const char *const *names = slot->names.items;
    if (slot->kind == TEMPLATES_SLOT_KIND_CODE) {
        self->plain = false;
        return 0;
    }
    if (!takes_text (slot))
        return fail (self->t, E_TEMPLATE_PARAMETER_MISMATCH, "template.variables",
                     "The template's %s takes a value of kind %s, which is no variable",
                     schema_enum_word (&templates_part_enum, slot->part),
                     schema_enum_word (&templates_slot_kind_enum, slot->kind));
    for (size_t i = 0; i < (size_t) slot->count; i++)
        wanted_add (self, slot, i < slot->names.count ? names[i] : NULL);
    return 0;
}

static int wanted_list (fill_t *self)
{
    const templates_slot_t *slots = self->slots->items;
    size_t most = 0;
    for (size_t i = 0; i < self->slots->count; i++)
        most += slots[i].count > 0 ? (size_t) slots[i].count : 0;
    self->wanted = arena_array_of (self->t->arena, wanted_t, most + 1);
    int code = 0;
    for (size_t i = 0; i < self->slots->count && code == 0; i++)
        code = slot_want (self, &slots[i]);
    return code;
}

/* ---- what is given ---- */

/* "1", "2", ...: as digits, without a zero in front; 0 = it is a name. */
static size_t key_position (const char *key)
{
    size_t length = strlen (key);
    if (!length || length > 4 || *key == '0' || strspn (key, "0123456789") != length)
        return 0;
    return (size_t) strtoul (key, NULL, 10);
}

static bool key_means (const char *key, const wanted_t *wanted)
{
    return (wanted->name && strcmp (key, wanted->name) == 0) ||
           key_position (key) == wanted->position;
}

/* A link's fixed beginning may be given too; WhatsApp takes only what comes after it. */
static const char *value_of (const wanted_t *wanted, const char *value)
{
    const char *prefix = wanted->slot->prefix;
    size_t length = prefix ? strlen (prefix) : 0;
    return length && strncmp (value, prefix, length) == 0 ? value + length : value;
}

static int variable_take (fill_t *self, const schema_pair_t *pair)
{
    bool used = false;
    for (size_t i = 0; i < self->count; i++)
        if (key_means (pair->key, &self->wanted[i])) {
            self->wanted[i].value = value_of (&self->wanted[i], pair->value ? pair->value : "");
            used = true;
        }
    if (used)
        return 0;
    return fail (self->t, E_TEMPLATE_PARAMETER_MISMATCH, "template.variables",
                 "The template has no variable %.60s; it takes %zu", pair->key, self->positions);
}

static int variables_take (fill_t *self)
{
    int code = 0;
    for (size_t i = 0; i < self->variables->count && code == 0; i++)
        code = variable_take (self, &self->variables->pairs[i]);
    for (size_t i = 0; i < self->count && code == 0; i++)
        if (!self->wanted[i].value || !*self->wanted[i].value)
            code = fail (self->t, E_TEMPLATE_PARAMETER_MISMATCH, "template.variables",
                         "The template takes %zu variables; variable %s is %s", self->positions,
                         self->wanted[i].name
                             ? self->wanted[i].name
                             : arena_printf (self->t->arena, "%zu", self->wanted[i].position),
                         self->wanted[i].value ? "empty" : "missing");
    if (code == 0 && self->variables->count > self->positions)
        code = fail (self->t, E_TEMPLATE_PARAMETER_MISMATCH, "template.variables",
                     "A variable is given twice, by its name and its position");
    return code;
}

/* ---- in Meta's shape ---- */

static void text_put (buf_t *out, const char *type, const char *name, const char *value)
{
    mp_map (out, name ? 3 : 2);
    mp_str (out, "type");
    mp_str (out, type);
    if (name) {
        mp_str (out, "parameter_name");
        mp_str (out, name);
    }
    mp_str (out, type);
    mp_str (out, value);
}

static void slot_begin (buf_t *out, const templates_slot_t *slot, const char *index)
{
    bool button = slot->part == TEMPLATES_PART_BUTTON;
    mp_map (out, button ? 4 : 2);
    mp_str (out, "type");
    mp_str (out, schema_enum_word (&templates_part_enum, slot->part));
    if (button) {
        mp_str (out, "sub_type");
        mp_str (out, slot->kind == TEMPLATES_SLOT_KIND_COUPON_CODE ? "copy_code" : "url");
        mp_str (out, "index");
        mp_str (out, index);
    }
    mp_str (out, "parameters");
}

/* The code that the body shows. */
static const char *code_of (const fill_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        if (self->wanted[i].slot->part == TEMPLATES_PART_BODY)
            return self->wanted[i].value;
    return NULL;
}

static int slot_put (const fill_t *self, const templates_slot_t *slot, buf_t *out)
{
    slot_begin (out, slot, arena_printf (self->t->arena, "%d", (int) slot->index));
    mp_array (out, (uint32_t) slot->count);
    if (slot->kind == TEMPLATES_SLOT_KIND_CODE) {
        const char *code = code_of (self);
        text_put (out, "text", NULL, code);
        return code ? 0
                    : fail (self->t, E_TEMPLATE_PARAMETER_MISMATCH, "template.variables",
                            "The template's button takes a code, and its body has none");
    }
    const char *type = slot->kind == TEMPLATES_SLOT_KIND_COUPON_CODE ? "coupon_code" : "text";
    for (size_t i = 0; i < self->count; i++)
        if (self->wanted[i].slot == slot)
            text_put (out, type, self->wanted[i].name, self->wanted[i].value);
    return 0;
}

static int components_make (const fill_t *self, bytes_t *components)
{
    const templates_slot_t *slots = self->slots->items;
    buf_t out = buf_in (self->t->arena);
    int code = 0;
    mp_array (&out, (uint32_t) self->slots->count);
    for (size_t i = 0; i < self->slots->count && code == 0; i++)
        code = slot_put (self, &slots[i], &out);
    *components = buf_bytes (&out);
    return code == 0 && buf_failed (&out) ? E_NO_MEMORY : code;
}

int template_fill (turn_t *t, const messaging_template_t *template,
                   messaging_template_content_t *content)
{
    fill_t self = {
        .t = t, .slots = &template->slots, .variables = &content->variables, .plain = true};
    int code = wanted_list (&self);
    if (code == 0)
        code = variables_take (&self);
    return code || self.plain ? code : components_make (&self, &content->components);
}
