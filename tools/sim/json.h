/* json.h - small helpers over cJSON. `object` may be NULL everywhere: then nothing is found. */
#ifndef AVIARY_SIM_JSON_H
#define AVIARY_SIM_JSON_H

#include "base/buf.h"

#include <cjson/cJSON.h>

const cJSON *json_get (const cJSON *object,
                       const char *name); /* case-sensitive; a null reads as absent */
const char *json_text (const cJSON *object, const char *name); /* NULL if absent or not a string */
/* String, or number or boolean as its text, written to `out`; "" if absent. Returns out. */
const char *json_word (const cJSON *object, const char *name, char *out, size_t size);
bool json_true (const cJSON *object, const char *name);
double json_number (const cJSON *object, const char *name, double otherwise);
const cJSON *json_at (const cJSON *object, const char *path); /* "a.b.c"; members only */

/* All of these return the new member's value; `text` NULL adds null. */
cJSON *json_add (cJSON *object, const char *name, cJSON *value);
cJSON *json_add_text (cJSON *object, const char *name, const char *text);
cJSON *json_add_number (cJSON *object, const char *name, double value);
cJSON *json_add_bool (cJSON *object, const char *name, bool value);
cJSON *json_add_object (cJSON *object, const char *name);
cJSON *json_add_array (cJSON *object, const char *name);
cJSON *json_add_copy (cJSON *object, const char *name,
                      const cJSON *value); /* NULL value: nothing is added */
/* Replaces or adds; takes over `value`. */
void json_set (cJSON *object, const char *name, cJSON *value);
void json_set_text (cJSON *object, const char *name, const char *text);

/* Parse exactly these bytes (blanks around are fine); NULL if they are not one JSON value. */
cJSON *json_parse (bytes_t text);
cJSON *json_of (const char *text);     /* our own literals: must be right */
char *json_print (const cJSON *value); /* free() it */
/* As Meta writes callbacks: what is not ASCII as \uXXXX, and "/" as "\/". free() it. */
char *json_print_ascii (const cJSON *value);
/* The first member whose name is not among the space-separated `names`; NULL if all are. */
const cJSON *json_unknown (const cJSON *object, const char *names);
/* A copy with only the members that `fields` ("id,name,a{b,c}") names, and always "id"; all members if `fields` is NULL. */
cJSON *json_fields (const cJSON *object, const char *fields);
/* Is `word` one of the words in the list (separated by spaces or commas, braces skipped)? */
bool word_in (const char *words, const char *word);

#endif
