/* shape.c - a template as Meta lists it: its row, and what its components take when it is sent.
 *
 * Components that take nothing have no slot. What Meta adds some day is no slot either: then Meta itself says whether a send fits. */
#include "base/text.h"
#include "provider/json.h"
#include "sign/sign.h"
#include "templates.h"
#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { PARAMETERS_MAX = 100, BUTTONS_MAX = 32, SLOTS_MAX = BUTTONS_MAX + 8 };

typedef struct shape {
    arena_t *arena;
    int32_t category;
    bool named;
    templates_slot_t *slots;
    size_t count;
} shape_t;

/* Words of Meta are the enum's in upper case. */
static int32_t word_of (const schema_enum_t *e, arena_t *arena, bytes_t value, const char *path,
                        int32_t other)
{
    const char *said = jval_word (arena, value, path);
    char *word = said ? arena_strdup (arena, said) : NULL;
    for (char *at = word; at && *at; at++)
        *at = (char) tolower ((unsigned char) *at);
    int32_t found = word ? schema_enum_read (e, word, strlen (word)) : 0;
    return found ? found : word ? other : 0;
}

id16_t template_key (arena_t *arena, const char *name, const char *language)
{
    uint8_t sum[SIGN_SHA256_SIZE];
    id16_t key;
    buf_t text = buf_in (arena);
    buf_add_str (&text, name);
    buf_add_byte (&text, 0);
    buf_add_str (&text, language);
    sign_sha256 (buf_bytes (&text), sum);
    memcpy (key.b, sum, sizeof key.b);
    return key;
}

/* ---- placeholders ---- */

static const char name_letters[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

/* The next "{{name}}" from `text` on, spaces inside allowed: its name, and where to go on; NULL: there is none. */
static const char *placeholder_next (const char *text, size_t *length, const char **after)
{
    for (const char *at = text ? strstr (text, "{{") : NULL; at; at = strstr (at + 1, "{{")) {
        const char *name = at + 2 + strspn (at + 2, " ");
        *length = strspn (name, name_letters);
        const char *end = name + *length + strspn (name + *length, " ");
        if (*length && strncmp (end, "}}", 2) == 0) {
            *after = end + 2;
            return name;
        }
    }
    return NULL;
}

/* Names in order of appearance, each once. */
static size_t placeholders_read (arena_t *arena, const char *text,
                                 const char *names[PARAMETERS_MAX])
{
    size_t count = 0, length;
    const char *name;
    while (count < PARAMETERS_MAX && (name = placeholder_next (text, &length, &text))) {
        bool known = false;
        for (size_t i = 0; i < count; i++)
            known = known || (strlen (names[i]) == length && strncmp (names[i], name, length) == 0);
        if (!known)
            names[count++] = arena_strndup (arena, name, length);
    }
    return count;
}

/* ---- slots ---- */

static templates_slot_t *slot_add (shape_t *self, int32_t part, int32_t kind, int64_t count)
{
    templates_slot_t *slot = &self->slots[self->count];
    if (self->count < SLOTS_MAX - 1) /* the last one is a place to write what is too much */
        self->count++;
    *slot = (templates_slot_t){.part = part, .kind = kind, .count = count};
    return slot;
}

static void text_slot (shape_t *self, int32_t part, const char *text)
{
    const char **names = arena_array_of (self->arena, const char *, PARAMETERS_MAX);
    size_t count = placeholders_read (self->arena, text, names);
    if (!count)
        return;
    templates_slot_t *slot = slot_add (self, part, TEMPLATES_SLOT_KIND_TEXT, (int64_t) count);
    if (self->named)
        slot->names = (schema_list_t){names, count};
}

static void header_read (shape_t *self, bytes_t component)
{
    static const struct {
        const char *format;
        int32_t kind;
    } kinds[] = {
        {"IMAGE", TEMPLATES_SLOT_KIND_IMAGE},       {"VIDEO", TEMPLATES_SLOT_KIND_VIDEO},
        {"GIF", TEMPLATES_SLOT_KIND_VIDEO},         {"DOCUMENT", TEMPLATES_SLOT_KIND_DOCUMENT},
        {"LOCATION", TEMPLATES_SLOT_KIND_LOCATION}, {"PRODUCT", TEMPLATES_SLOT_KIND_PRODUCT}};
    const char *format = jval_word (self->arena, component, "format");
    for (size_t i = 0; format && i < sizeof kinds / sizeof *kinds; i++)
        if (strcasecmp (format, kinds[i].format) == 0)
            slot_add (self, TEMPLATES_PART_HEADER, kinds[i].kind, 1);
    if (!format || strcasecmp (format, "TEXT") == 0)
        text_slot (self, TEMPLATES_PART_HEADER, jval_word (self->arena, component, "text"));
}

/* Authentication templates may be listed without their text, which is Meta's own and always holds the code. */
static void body_read (shape_t *self, bytes_t component)
{
    const char *text = jval_word (self->arena, component, "text");
    if (!text && self->category == TEMPLATES_CATEGORY_AUTHENTICATION)
        text = "{{1}}";
    text_slot (self, TEMPLATES_PART_BODY, text);
}

/* A link with a variable at its end. In authentication templates that is how Meta lists a one-time-code button. */
static void url_read (shape_t *self, bytes_t button, int64_t index)
{
    const char *url = jval_word (self->arena, button, "url"), *after;
    size_t length;
    const char *name = placeholder_next (url, &length, &after);
    if (!name)
        return;
    bool code = self->category == TEMPLATES_CATEGORY_AUTHENTICATION;
    templates_slot_t *slot = slot_add (
        self, TEMPLATES_PART_BUTTON, code ? TEMPLATES_SLOT_KIND_CODE : TEMPLATES_SLOT_KIND_TEXT, 1);
    slot->index = index;
    if (!code)
        slot->prefix = arena_strndup (self->arena, url, (size_t) (strstr (url, "{{") - url));
}

static void buttons_read (shape_t *self, bytes_t component)
{
    static const struct {
        const char *type;
        int32_t kind;
    } kinds[] = {{"COPY_CODE", TEMPLATES_SLOT_KIND_COUPON_CODE},
                 {"OTP", TEMPLATES_SLOT_KIND_CODE},
                 {"MPM", TEMPLATES_SLOT_KIND_PRODUCTS}};
    jval_list_t list = jval_list (component, "buttons");
    bytes_t button;
    for (int64_t index = 0; index < BUTTONS_MAX && jval_next (&list, &button); index++) {
        const char *type = jval_word (self->arena, button, "type");
        for (size_t i = 0; type && i < sizeof kinds / sizeof *kinds; i++)
            if (strcasecmp (type, kinds[i].type) == 0)
                slot_add (self, TEMPLATES_PART_BUTTON, kinds[i].kind, 1)->index = index;
        if (type && strcasecmp (type, "URL") == 0)
            url_read (self, button, index);
    }
}

static void offer_read (shape_t *self, bytes_t component)
{
    if (jval_bool (component, "limited_time_offer.has_expiration"))
        slot_add (self, TEMPLATES_PART_OFFER, TEMPLATES_SLOT_KIND_OFFER, 1);
}

static void carousel_read (shape_t *self, bytes_t component)
{
    jval_list_t cards = jval_list (component, "cards");
    bytes_t card;
    int64_t count = 0;
    while (jval_next (&cards, &card))
        count++;
    slot_add (self, TEMPLATES_PART_CAROUSEL, TEMPLATES_SLOT_KIND_CARDS, count);
}

static const struct {
    const char *type;
    void (*read) (shape_t *self, bytes_t component);
} readers[] = {
    {"HEADER", header_read},     {"BODY", body_read},
    {"BUTTONS", buttons_read},   {"LIMITED_TIME_OFFER", offer_read},
    {"CAROUSEL", carousel_read},
};

schema_list_t slots_read (arena_t *arena, bytes_t components, int32_t category, int32_t format)
{
    shape_t self = {arena, category, format == TEMPLATES_PARAMETER_FORMAT_NAMED,
                    arena_array_of (arena, templates_slot_t, SLOTS_MAX), 0};
    jval_list_t list = jval_list (components, "");
    bytes_t component;
    while (jval_next (&list, &component)) {
        const char *type = jval_word (arena, component, "type");
        for (size_t i = 0; type && i < sizeof readers / sizeof *readers; i++)
            if (strcasecmp (type, readers[i].type) == 0)
                readers[i].read (&self, component);
    }
    return (schema_list_t){self.slots, self.count};
}

/* The component of that type ("BODY"); empty: there is none. */
static bytes_t component_of (arena_t *arena, bytes_t components, const char *type)
{
    jval_list_t list = jval_list (components, "");
    bytes_t component;
    while (jval_next (&list, &component)) {
        const char *said = jval_word (arena, component, "type");
        if (said && strcasecmp (said, type) == 0)
            return component;
    }
    return (bytes_t){0};
}

const char *template_body (arena_t *arena, bytes_t components)
{
    return jval_text (arena, component_of (arena, components, "BODY"), "text");
}

schema_list_t template_variables (arena_t *arena, const char *text)
{
    const char **names = arena_array_of (arena, const char *, PARAMETERS_MAX);
    return (schema_list_t){names, placeholders_read (arena, text, names)};
}

bool template_read (arena_t *arena, bytes_t listed, templates_template_t *out, bytes_t *components)
{
    *out = (templates_template_t){
        .provider_id = jval_code (arena, listed, "id"),
        .name = jval_word (arena, listed, "name"),
        .language = jval_word (arena, listed, "language"),
        .category = word_of (&templates_category_enum, arena, listed, "category", 0),
        .status =
            word_of (&templates_status_enum, arena, listed, "status", TEMPLATES_STATUS_UNKNOWN),
        .parameter_format =
            word_of (&templates_parameter_format_enum, arena, listed, "parameter_format", 0),
        .rejected_reason = jval_word (arena, listed, "rejected_reason"),
        .quality = word_of (&templates_quality_enum, arena, listed, "quality_score.score",
                            TEMPLATES_QUALITY_UNKNOWN),
    };
    if (!out->provider_id || !out->name || !out->language)
        return false;
    if (!out->status)
        out->status = TEMPLATES_STATUS_UNKNOWN;
    if (!out->parameter_format)
        out->parameter_format = TEMPLATES_PARAMETER_FORMAT_POSITIONAL;
    if (out->rejected_reason && strcmp (out->rejected_reason, "NONE") == 0)
        out->rejected_reason = NULL;
    *components = jval_find (listed, "components");
    out->slots = slots_read (arena, *components, out->category, out->parameter_format);
    out->key = template_key (arena, out->name, out->language);
    return true;
}
