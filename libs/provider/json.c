/* json.c - single values out of a carrier's JSON: see json.h. Cannot fail but in jval_read; all else reads as absent. */
#include "provider/json.h"

#include "base/clock.h"
#include "base/msgpack.h"
#include "schema/schema.h"
#include <inttypes.h>
#include <stdlib.h>

int jval_read (arena_t *arena, bytes_t json, bytes_t *out, failure_t *failure)
{
    /* The reader keeps heap memory while it works: a jump out of it would lose that. */
    jmp_buf *trap = arena_trap (arena, NULL);
    buf_t packed = buf_in (arena);
    int code = schema_any_read (json, &packed, failure);
    arena_trap (arena, trap);
    if (code == 0)
        *out = buf_bytes (&packed);
    return code;
}

static bytes_t member (bytes_t map, const char *name, size_t length)
{
    mp_reader_t in = mp_read (map);
    for (uint32_t pairs = mp_read_map (&in); pairs > 0 && !in.failed; pairs--) {
        bytes_t key = mp_read_str (&in);
        bytes_t value = mp_skip (&in);
        if (!in.failed && key.size == length && memcmp (key.data, name, length) == 0)
            return value;
    }
    return (bytes_t){0};
}

static bytes_t item_at (bytes_t array, const char *position, size_t length)
{
    uint32_t index = 0;
    for (size_t i = 0; i < length; i++) {
        if (position[i] < '0' || position[i] > '9' || i > 6)
            return (bytes_t){0};
        index = index * 10 + (uint32_t) (position[i] - '0');
    }
    jval_list_t list = jval_list (array, "");
    bytes_t item = {0};
    if (index >= list.left)
        return item;
    while (jval_next (&list, &item) && index > 0)
        index--;
    return item;
}

static mp_kind_t kind_of (bytes_t value)
{
    mp_reader_t in = mp_read (value);
    return mp_peek (&in);
}

bytes_t jval_find (bytes_t value, const char *path)
{
    while (*path && value.size > 0) {
        size_t length = strcspn (path, ".");
        value = kind_of (value) == MP_MAP     ? member (value, path, length)
                : kind_of (value) == MP_ARRAY ? item_at (value, path, length)
                                              : (bytes_t){0};
        path += length + (path[length] == '.');
    }
    return kind_of (value) == MP_NIL ? (bytes_t){0} : value;
}

bool jval_is_map (bytes_t value, const char *path)
{
    return kind_of (jval_find (value, path)) == MP_MAP;
}

static bool string_at (bytes_t value, const char *path, bytes_t *out)
{
    bytes_t found = jval_find (value, path);
    if (kind_of (found) != MP_STR)
        return false;
    mp_reader_t in = mp_read (found);
    *out = mp_read_str (&in);
    return !in.failed;
}

const char *jval_text (arena_t *arena, bytes_t value, const char *path)
{
    bytes_t text;
    return string_at (value, path, &text)
               ? arena_strndup (arena, (const char *) text.data, text.size)
               : NULL;
}

const char *jval_word (arena_t *arena, bytes_t value, const char *path)
{
    bytes_t text;
    return string_at (value, path, &text) && text.size > 0
               ? arena_strndup (arena, (const char *) text.data, text.size)
               : NULL;
}

const char *jval_code (arena_t *arena, bytes_t value, const char *path)
{
    bytes_t found = jval_find (value, path);
    if (kind_of (found) != MP_INT)
        return jval_word (arena, found, "");
    mp_reader_t in = mp_read (found);
    return arena_printf (arena, "%" PRId64, mp_read_int (&in));
}

bool jval_int (bytes_t value, const char *path, int64_t *out)
{
    bytes_t text, found = jval_find (value, path);
    mp_reader_t in = mp_read (found);
    if (mp_peek (&in) == MP_INT) {
        *out = mp_read_int (&in);
        return true;
    }
    if (!string_at (found, "", &text) || text.size == 0 || text.size > 18)
        return false;
    int64_t sum = 0;
    size_t sign = text.data[0] == '-';
    if (text.size == sign)
        return false;
    for (size_t i = sign; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        sum = sum * 10 + (text.data[i] - '0');
    }
    *out = sign ? -sum : sum;
    return true;
}

bool jval_number (bytes_t value, const char *path, double *out)
{
    mp_reader_t in = mp_read (jval_find (value, path));
    mp_kind_t kind = mp_peek (&in);
    if (kind != MP_INT && kind != MP_UINT && kind != MP_FLOAT)
        return false;
    double number = mp_read_float (&in);
    if (!in.failed)
        *out = number;
    return !in.failed;
}

bool jval_bool (bytes_t value, const char *path)
{
    mp_reader_t in = mp_read (jval_find (value, path));
    return mp_peek (&in) == MP_BOOL && mp_read_bool (&in);
}

bool jval_time (bytes_t value, const char *path, int64_t *out)
{
    bytes_t text;
    return string_at (value, path, &text) &&
           clock_read_iso ((const char *) text.data, text.size, out) == 0;
}

bool jval_is (bytes_t value, const char *path, const char *text)
{
    bytes_t found;
    return string_at (value, path, &found) && bytes_equal (found, bytes_of_str (text));
}

jval_list_t jval_list (bytes_t value, const char *path)
{
    bytes_t found = jval_find (value, path);
    if (kind_of (found) != MP_ARRAY)
        return (jval_list_t){0};
    mp_reader_t in = mp_read (found);
    uint32_t count = mp_read_array (&in);
    return (jval_list_t){in.at, in.end, in.failed ? 0 : count};
}

bool jval_next (jval_list_t *self, bytes_t *item)
{
    if (self->left == 0)
        return false;
    mp_reader_t in = {.at = self->at, .end = self->end};
    *item = mp_skip (&in);
    self->at = in.at;
    self->left = in.failed ? 0 : self->left - 1;
    return !in.failed;
}

static void put_name (buf_t *out, const char *name)
{
    if (out->size > 0 && !strchr ("{[,", out->data[out->size - 1]))
        buf_add_byte (out, ',');
    schema_json_string (out, name);
    buf_add_byte (out, ':');
}

void jval_put_text (buf_t *out, const char *name, const char *text)
{
    if (!text)
        return;
    put_name (out, name);
    schema_json_string (out, text);
}

void jval_put_bool (buf_t *out, const char *name, bool value)
{
    put_name (out, name);
    buf_add_str (out, value ? "true" : "false");
}
