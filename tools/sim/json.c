/* json.c - see json.h. How it fails: readers with NULL, writers abort without memory. */
#include "json.h"
#include "alloc.h"

#include "base/text.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const cJSON *json_get (const cJSON *object, const char *name)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive (object, name);
    return cJSON_IsNull (value) ? NULL : value;
}

const char *json_text (const cJSON *object, const char *name)
{
    return cJSON_GetStringValue (json_get (object, name));
}

const char *json_word (const cJSON *object, const char *name, char *out, size_t size)
{
    const cJSON *value = json_get (object, name);
    out[0] = '\0';
    if (cJSON_IsString (value))
        snprintf (out, size, "%s", value->valuestring);
    else if (cJSON_IsNumber (value))
        snprintf (out, size, "%.0f", value->valuedouble);
    else if (cJSON_IsBool (value))
        snprintf (out, size, "%s", cJSON_IsTrue (value) ? "true" : "false");
    return out;
}

bool json_true (const cJSON *object, const char *name)
{
    return cJSON_IsTrue (json_get (object, name));
}

double json_number (const cJSON *object, const char *name, double otherwise)
{
    const cJSON *value = json_get (object, name);
    return cJSON_IsNumber (value) ? value->valuedouble : otherwise;
}

const cJSON *json_at (const cJSON *object, const char *path)
{
    char name[64];
    while (object != NULL && *path != '\0') {
        size_t length = strcspn (path, ".");
        snprintf (name, sizeof name, "%.*s", (int) length, path);
        object = json_get (object, name);
        path += length + (path[length] == '.');
    }
    return object;
}

cJSON *json_add (cJSON *object, const char *name, cJSON *value)
{
    if (value == NULL || !cJSON_AddItemToObject (object, name, value))
        abort ();
    return value;
}

cJSON *json_add_text (cJSON *object, const char *name, const char *text)
{
    return json_add (object, name, text != NULL ? cJSON_CreateString (text) : cJSON_CreateNull ());
}

cJSON *json_add_number (cJSON *object, const char *name, double value)
{
    return json_add (object, name, cJSON_CreateNumber (value));
}

cJSON *json_add_bool (cJSON *object, const char *name, bool value)
{
    return json_add (object, name, cJSON_CreateBool (value));
}

cJSON *json_add_object (cJSON *object, const char *name)
{
    return json_add (object, name, cJSON_CreateObject ());
}

cJSON *json_add_array (cJSON *object, const char *name)
{
    return json_add (object, name, cJSON_CreateArray ());
}

cJSON *json_add_copy (cJSON *object, const char *name, const cJSON *value)
{
    return value != NULL ? json_add (object, name, cJSON_Duplicate (value, true)) : NULL;
}

void json_set (cJSON *object, const char *name, cJSON *value)
{
    cJSON_DeleteItemFromObjectCaseSensitive (object, name);
    json_add (object, name, value);
}

void json_set_text (cJSON *object, const char *name, const char *text)
{
    json_set (object, name, text != NULL ? cJSON_CreateString (text) : cJSON_CreateNull ());
}

cJSON *json_parse (bytes_t text)
{
    const char *end = NULL;
    const char *start = (const char *) text.data;
    cJSON *value = text.size > 0 ? cJSON_ParseWithLengthOpts (start, text.size, &end, false) : NULL;
    if (value == NULL)
        return NULL;
    while (end < start + text.size && strchr (" \t\r\n", *end) != NULL && *end != '\0')
        end++;
    if (end == start + text.size)
        return value;
    cJSON_Delete (value);
    return NULL;
}

cJSON *json_of (const char *text)
{
    cJSON *value = cJSON_Parse (text);
    assert (value != NULL);
    return value;
}

char *json_print (const cJSON *value)
{
    char *text = cJSON_PrintUnformatted (value);
    if (text == NULL)
        abort ();
    return text;
}

/* The code point of a UTF-8 sequence; *step its bytes. What is not UTF-8 becomes U+FFFD. */
static unsigned utf8_read (const char *text, size_t *step)
{
    const unsigned char *at = (const unsigned char *) text;
    size_t length = text_utf8_step (text, strnlen (text, 4));
    unsigned value = at[0] & (length == 4 ? 0x07u : length == 3 ? 0x0fu : 0x1fu);
    *step = length > 1 ? length : 1;
    if (length < 2)
        return 0xfffd;
    for (size_t i = 1; i < length; i++)
        value = value << 6 | (at[i] & 0x3fu);
    return value;
}

char *json_print_ascii (const cJSON *value)
{
    char *plain = json_print (value);
    buf_t out = {0};
    for (const unsigned char *at = (const unsigned char *) plain; *at != '\0';) {
        size_t step = 1;
        if (*at < 0x80) {
            if (*at == '/')
                buf_add_byte (&out, '\\');
            buf_add_byte (&out, *at);
        } else {
            unsigned point = utf8_read ((const char *) at, &step);
            if (point >= 0x10000)
                buf_printf (&out, "\\u%04x\\u%04x", 0xd800 + ((point - 0x10000) >> 10),
                            0xdc00 + ((point - 0x10000) & 0x3ff));
            else
                buf_printf (&out, "\\u%04x", point);
        }
        at += step;
    }
    free (plain);
    char *text = must_strdup (buf_text (&out));
    buf_free (&out);
    return text;
}

bool word_in (const char *words, const char *word)
{
    size_t length = strlen (word);
    int depth = 0;
    while (*words != '\0') {
        size_t span = strcspn (words, " ,{}");
        if (depth == 0 && span == length && span > 0 && strncmp (words, word, span) == 0)
            return true;
        words += span;
        depth += *words == '{';
        depth -= *words == '}';
        words += *words != '\0';
    }
    return false;
}

const cJSON *json_unknown (const cJSON *object, const char *names)
{
    const cJSON *member;
    cJSON_ArrayForEach (member, object)
    {
        if (!word_in (names, member->string))
            return member;
    }
    return NULL;
}

cJSON *json_fields (const cJSON *object, const char *fields)
{
    cJSON *out = cJSON_CreateObject ();
    const cJSON *member;
    cJSON_ArrayForEach (member, object)
    {
        if (fields == NULL || word_in (fields, member->string) ||
            strcmp (member->string, "id") == 0)
            json_add_copy (out, member->string, member);
    }
    return out;
}
