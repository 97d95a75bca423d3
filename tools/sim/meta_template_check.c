/* meta_template_check.c - do a send's parameters fit the template (spec sections 2.4 and 9.2)? How it fails: false, with the code. */
#include "meta.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { PLACEHOLDERS_MAX = 64 };

typedef struct placeholders {
    struct {
        const char *name;
        size_t length;
    } all[PLACEHOLDERS_MAX];
    size_t count;
} placeholders_t;

static void placeholder_add (placeholders_t *self, const char *name, size_t length)
{
    for (size_t i = 0; i < self->count; i++)
        if (self->all[i].length == length && strncmp (self->all[i].name, name, length) == 0)
            return;
    if (self->count == PLACEHOLDERS_MAX)
        return;
    self->all[self->count].name = name;
    self->all[self->count++].length = length;
}

static void placeholders_read (const char *text, placeholders_t *out)
{
    out->count = 0;
    while (text != NULL && (text = strstr (text, "{{")) != NULL) {
        text += 2;
        const char *end = strstr (text, "}}");
        if (end == NULL)
            return;
        while (*text == ' ')
            text++;
        size_t length = (size_t) (end - text);
        while (length > 0 && text[length - 1] == ' ')
            length--;
        size_t word =
            strspn (text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
        if (length > 0 && word == length)
            placeholder_add (out, text, length);
        text = end + 2;
    }
}

size_t template_placeholders (const char *text)
{
    placeholders_t found;
    placeholders_read (text, &found);
    return found.count;
}

/* The send's component of a type, for buttons the one of this index; NULL if absent. */
static const cJSON *component_find (const cJSON *sent, const char *type, int index)
{
    const cJSON *one;
    cJSON_ArrayForEach (one, sent)
    {
        char word[16];
        const char *its = json_text (one, "type");
        if (its == NULL || strcasecmp (its, type) != 0)
            continue;
        if (index < 0 || atoi (json_word (one, "index", word, sizeof word)) == index)
            return one;
    }
    return NULL;
}

static bool names_fit (check_t *check, const cJSON *parameters, const placeholders_t *wanted)
{
    const cJSON *one;
    cJSON_ArrayForEach (one, parameters)
    {
        const char *name = json_text (one, "parameter_name");
        bool found = false;
        for (size_t i = 0; name != NULL && i < wanted->count; i++)
            found = found || (strlen (name) == wanted->all[i].length &&
                              strncmp (name, wanted->all[i].name, wanted->all[i].length) == 0);
        if (!found)
            return check_fail (check, 132012, "Parameter name '%.64s' is not in the template.",
                               name != NULL ? name : "");
    }
    return true;
}

/* Texts of a header or body against the placeholders of the template's text. */
static bool texts_fit (check_t *check, const char *where, const char *text, const cJSON *component,
                       bool named)
{
    placeholders_t wanted;
    const cJSON *parameters = json_get (component, "parameters"), *one;
    placeholders_read (text, &wanted);
    size_t given = (size_t) cJSON_GetArraySize (parameters);
    if (given != wanted.count)
        return check_fail (check, 132000,
                           "%s: number of localizable_params (%zu) does not match the expected "
                           "number of params (%zu)",
                           where, given, wanted.count);
    cJSON_ArrayForEach (one, parameters)
    {
        const char *type = json_text (one, "type");
        if (type == NULL || !word_in ("text currency date_time", type) ||
            json_get (one, type) == NULL)
            return check_fail (check, 132012, "%s: Format mismatch, expected text.", where);
    }
    return !named || names_fit (check, parameters, &wanted);
}

static bool header_fits (check_t *check, const cJSON *stored, const cJSON *component, bool named)
{
    const char *format = json_text (stored, "format");
    if (format == NULL || strcmp (format, "TEXT") == 0)
        return texts_fit (check, "header", json_text (stored, "text"), component, named);
    const cJSON *parameters = json_get (component, "parameters");
    const char *type = json_text (cJSON_GetArrayItem (parameters, 0), "type");
    if (cJSON_GetArraySize (parameters) != 1)
        return check_fail (check, 132000, "header: number of params (%d) does not match (1)",
                           cJSON_GetArraySize (parameters));
    if (type == NULL || strcasecmp (type, strcmp (format, "GIF") == 0 ? "video" : format) != 0)
        return check_fail (check, 132012, "header: Format mismatch, expected %s, received %.32s",
                           format, type != NULL ? type : "nothing");
    return true;
}

/* How many parameters a button of the template wants, and of which sub_type. */
static const char *button_want (const cJSON *button, size_t *wanted)
{
    const char *type = json_text (button, "type");
    *wanted = 0;
    if (type == NULL)
        return NULL;
    if (strcmp (type, "URL") == 0)
        *wanted = template_placeholders (json_text (button, "url"));
    if (strcmp (type, "OTP") == 0 || strcmp (type, "COPY_CODE") == 0)
        *wanted = 1;
    return strcmp (type, "OTP") == 0 ? "URL" : type;
}

static bool buttons_fit (check_t *check, const cJSON *buttons, const cJSON *sent)
{
    const cJSON *button;
    int index = 0;
    cJSON_ArrayForEach (button, buttons)
    {
        size_t wanted;
        const char *type = button_want (button, &wanted);
        const cJSON *component = component_find (sent, "button", index);
        const char *sub_type = json_text (component, "sub_type");
        size_t given = (size_t) cJSON_GetArraySize (json_get (component, "parameters"));
        if (component != NULL &&
            (sub_type == NULL || type == NULL || strcasecmp (sub_type, type) != 0))
            return check_fail (check, 132012, "buttons: Button at index %d is of type %s", index,
                               type != NULL ? type : "?");
        if (wanted > 0 && given != wanted)
            return check_fail (check, 132000,
                               "buttons: Button at index %d of type %s requires a parameter", index,
                               type);
        if (wanted == 0 && given > 0 && type != NULL && strcmp (type, "URL") == 0)
            return check_fail (check, 132000, "buttons: Button at index %d takes no parameter",
                               index);
        index++;
    }
    return true;
}

static bool status_fits (check_t *check, const cJSON *node)
{
    const char *status = json_text (node, "status");
    if (status != NULL && strcmp (status, "PAUSED") == 0)
        return check_fail (check, 132015, "Template is paused due to low quality.");
    if (status != NULL && strcmp (status, "DISABLED") == 0)
        return check_fail (check, 132016, "Template is disabled.");
    if (status == NULL || strcmp (status, "APPROVED") != 0)
        return check_fail (check, 132001, "Template is not approved: %s.",
                           status != NULL ? status : "PENDING");
    return true;
}

/* A component that the template does not have. */
static bool no_stranger (check_t *check, const cJSON *node, const cJSON *sent)
{
    const cJSON *one, *stored;
    cJSON_ArrayForEach (one, sent)
    {
        const char *type = json_text (one, "type");
        bool found = false;
        cJSON_ArrayForEach (stored, json_get (node, "components"))
        {
            const char *its = json_text (stored, "type");
            found = found || (type != NULL && its != NULL &&
                              (strcasecmp (type, its) == 0 ||
                               (strcasecmp (type, "button") == 0 && strcmp (its, "BUTTONS") == 0)));
        }
        if (!found && cJSON_GetArraySize (json_get (one, "parameters")) > 0)
            return check_fail (check, 132000, "The template has no component of type %.32s.",
                               type != NULL ? type : "?");
    }
    return true;
}

bool meta_template_check (check_t *check, const cJSON *node, const cJSON *template)
{
    const cJSON *stored, *sent = json_get (template, "components");
    const char *format = json_text (node, "parameter_format");
    bool named = format != NULL && strcmp (format, "NAMED") == 0;
    if (!status_fits (check, node) || !no_stranger (check, node, sent))
        return false;
    cJSON_ArrayForEach (stored, json_get (node, "components"))
    {
        const char *type = json_text (stored, "type");
        bool fits = true;
        if (type == NULL)
            continue;
        if (strcmp (type, "HEADER") == 0)
            fits = header_fits (check, stored, component_find (sent, "header", -1), named);
        else if (strcmp (type, "BODY") == 0 && json_text (stored, "text") != NULL)
            fits = texts_fit (check, "body", json_text (stored, "text"),
                              component_find (sent, "body", -1), named);
        else if (strcmp (type, "BUTTONS") == 0)
            fits = buttons_fit (check, json_get (stored, "buttons"), sent);
        if (!fits)
            return false;
    }
    return true;
}
