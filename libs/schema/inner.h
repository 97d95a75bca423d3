/* inner.h - what the files of libs/schema share: where a field stands, the JSON scanner, presence of fields. Not for others. */
#ifndef AVIARY_SCHEMA_INNER_H
#define AVIARY_SCHEMA_INNER_H

#include "schema/schema.h"

/* ---- where we are, for messages: "to[0]", "text.body" ---- */

typedef struct path {
    const struct path *up;
    const char *name; /* NULL = `index` of the list above */
    size_t index;
} path_t;

/* The failure at `path`: its field is the path, its text the path and then the sentence. NULL path = the body. Returns `code`. */
int path_fail (failure_t *failure, const path_t *path, int code, const char *format, ...)
    __attribute__ ((format (printf, 4, 5)));
int path_no_memory (failure_t *failure);

/* ---- scanning JSON ---- */

typedef struct json_in {
    const char *start;
    const char *at;
    const char *end;
    unsigned depth;
    arena_t *arena;
    const schema_ctx_t *ctx;
    failure_t *failure;
} json_in_t;

/* A string as it stands between its quotes: checked, not yet decoded. */
typedef struct json_raw {
    const char *text;
    size_t length;
    bool escaped;
} json_raw_t;

json_in_t json_in (bytes_t json, arena_t *arena, const schema_ctx_t *ctx, failure_t *failure);
int json_fail (json_in_t *in, const char *what);
void json_space_pass (json_in_t *in);
static inline void json_space (json_in_t *in)
{
    if (in->at < in->end && (uint8_t) *in->at <= ' ')
        json_space_pass (in);
}

/* First character of the next value, 0 at the end. */
static inline char json_peek (json_in_t *in)
{
    json_space (in);
    return in->at < in->end ? *in->at : 0;
}

bool json_literal (json_in_t *in, const char *word);
int json_string (json_in_t *in, json_raw_t *out);
/* Decode a checked string into `out` (raw.length bytes suffice). Returns the length; no NUL is added. */
size_t json_decode (json_raw_t raw, char *out);
/* Decoded and NUL-terminated in the arena; NULL if there is no memory. */
char *json_keep (arena_t *arena, json_raw_t raw, size_t *length);
/* A number of strict JSON grammar; `whole` if it has neither fraction nor exponent. */
int json_number (json_in_t *in, json_raw_t *out, bool *whole);
bool json_number_int (json_raw_t raw, bool whole,
                      int64_t *out);                 /* false if not integral or out of range */
bool json_number_real (json_raw_t raw, double *out); /* false if out of range */
int json_open (json_in_t *in);                       /* past '[' or '{', one deeper */
/* Next element of what json_open opened: 1 = there is one, 0 = closed, -1 = malformed (failure set). */
int json_next (json_in_t *in, char close, bool *first);
int json_key (json_in_t *in, json_raw_t *out); /* and the colon */
int json_skip (json_in_t *in);
int json_done (json_in_t *in); /* nothing but space may follow */

/* The next value as msgpack. */
int json_any (json_in_t *in, buf_t *packed);
/* Text as a JSON string with its quotes. */
void json_quote (buf_t *out, const char *text, size_t length);
void json_real (buf_t *out, double value);

/* ---- values ---- */

/* What is being read: a field's value or one item of its list. */
typedef struct spot {
    const schema_field_t *field;
    const path_t *path;
    int64_t min, max;
} spot_t;

int spot_wrong (json_in_t *in, const spot_t *spot, const char *want); /* "must be ..." */
int spot_count_fail (json_in_t *in, const spot_t *spot, bool over);
int spot_check_unique (json_in_t *in, const spot_t *spot, const schema_list_t *list);
bool json_starts_number (const json_in_t *in);
/* A bool, int, num or a kind that stands as a JSON string. */
int json_value (json_in_t *in, uint8_t kind, const spot_t *spot, void *slot);

/* Text of a kind that stands as a JSON string, into its member. Text of SK_STR is NUL-terminated and stays. */
typedef int (value_set_fn) (json_in_t *in, const spot_t *spot, const char *text, size_t length,
                            void *slot);
value_set_fn *value_set_of (uint8_t kind); /* NULL for other kinds */

/* Written and never read: of no member of its own. */
static inline bool field_is_shown_only (const schema_field_t *field)
{
    return field->kind == SK_CONST || field->kind == SK_TOLD || field->kind == SK_GIVEN;
}

static inline const void *field_at (const schema_field_t *field, const void *in)
{
    return (const char *) in + field->offset;
}

static inline bool field_has (const schema_field_t *field, const void *in)
{
    return (*(const uint64_t *) in >> field->has_bit) & 1;
}

static inline void field_set_has (const schema_field_t *field, void *out)
{
    *(uint64_t *) out |= UINT64_C (1) << field->has_bit;
}

/* schema_field_given, in the few steps that it takes for each field of each row: the kinds that rows have here, the rest there. */
bool field_given_other (const schema_field_t *field, const void *in);
static inline bool field_given (const schema_field_t *field, const void *in)
{
    const void *at = field_at (field, in);
    switch ((schema_kind_t) field->kind) {
    case SK_BOOL:
        return *(const bool *) at || field_has (field, in);
    case SK_INT:
    case SK_TIME:
        return *(const int64_t *) at != 0 || field_has (field, in);
    case SK_ENUM:
        return *(const int32_t *) at != 0;
    case SK_ID:
        return !id_is_nil (*(const id16_t *) at);
    case SK_STR:
    case SK_OBJ:
        return *(const void *const *) at != NULL;
    case SK_BYTES:
        return ((const bytes_t *) at)->size > 0 || field_has (field, in);
    case SK_LIST:
        return ((const schema_list_t *) at)->count > 0 || field_has (field, in);
    default:
        return field_given_other (field, in);
    }
}

static inline size_t field_name_length (const schema_field_t *field)
{
    return field->name_length ? field->name_length : __builtin_strlen (field->name);
}

/* Bytes of one item of the list; 0 if the kind cannot stand in a list. */
size_t schema_item_size (const schema_field_t *field);
/* 0, or the code that the format fails with; *what is then the rest of a sentence ("is not an E.164 number"). */
int format_check (schema_format_t format, const char *text, size_t length, const char **what);
/* A value of the field from JSON text that we wrote ourselves (defaults, fixed values), into the struct. */
int field_read_constant (const schema_field_t *field, const schema_ctx_t *ctx, const char *json,
                         arena_t *arena, void *out, failure_t *failure);
/* The index of the first item that equals an earlier one, or -1. Needs no memory up to 16 items; -2 = no memory. */
long list_repeats (const schema_field_t *field, const schema_list_t *list, arena_t *arena);

#endif
