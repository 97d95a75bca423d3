/* json.h - taking single values out of a carrier's JSON.
 *
 * The whole text is checked once (jval_read: UTF-8, depth, double names) and becomes packed msgpack; from then on a value is a borrowed view of its
 * packed bytes, `size` 0 meaning that it is absent. Carriers leave fields out, give null, or another type than they document: each of these reads as
 * absent here and never as an error, so that an adapter asks only for what it needs. A path is names and, in arrays, positions, joined by dots:
 * "to.0.status"; "" is the value itself. Texts are copied into the arena and NUL-terminated. */
#ifndef AVIARY_PROVIDER_JSON_H
#define AVIARY_PROVIDER_JSON_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

/* 0 and *out in the arena, or E_BAD_REQUEST with *failure (may be NULL) filled, or E_NO_MEMORY (the arena's trap is not sprung). */
int jval_read (arena_t *arena, bytes_t json, bytes_t *out, failure_t *failure);

bytes_t jval_find (bytes_t value, const char *path);
bool jval_is_map (bytes_t value, const char *path);
/* A string; NULL if absent. "" is a string. */
const char *jval_text (arena_t *arena, bytes_t value, const char *path);
/* The same, with "" as absent. */
const char *jval_word (arena_t *arena, bytes_t value, const char *path);
/* A string or an integer as text: codes and ids come as either. NULL if absent or "". */
const char *jval_code (arena_t *arena, bytes_t value, const char *path);
/* An integer, or a string of one ("1760000000"); false and *out untouched if it is neither. */
bool jval_int (bytes_t value, const char *path, int64_t *out);
bool jval_number (bytes_t value, const char *path, double *out);
/* Absent reads as false. */
bool jval_bool (bytes_t value, const char *path);
/* An ISO 8601 text as Unix ms; false and *out untouched if it is not. */
bool jval_time (bytes_t value, const char *path, int64_t *out);
bool jval_is (bytes_t value, const char *path, const char *text); /* that very string? */

/* Items of an array: `jval_list_t l = jval_list (v, "errors"); while (jval_next (&l, &item)) ...`. What is no array has no items. */
typedef struct jval_list {
    const uint8_t *at;
    const uint8_t *end;
    uint32_t left;
} jval_list_t;

jval_list_t jval_list (bytes_t value, const char *path);
bool jval_next (jval_list_t *self, bytes_t *item);

/* "name":value, with a comma before it unless an object begins here; text NULL writes nothing. */
void jval_put_text (buf_t *out, const char *name, const char *text);
void jval_put_bool (buf_t *out, const char *name, bool value);

#endif
