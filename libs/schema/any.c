/* any.c - JSON without a type: to msgpack and back. Reading fails with E_BAD_REQUEST and the place as a byte; writing shows what it
 * cannot read as null. */
#define _GNU_SOURCE
#include "schema/inner.h"

#include "base/msgpack.h"
#include "base/text.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- reading ---- */

/* Where a key stands in the packed bytes, which move while they grow. */
typedef struct key_at {
    size_t offset;
    size_t length;
} key_at_t;

static int compare_keys (const void *a, const void *b, void *data)
{
    const key_at_t *x = a, *y = b;
    size_t least = x->length < y->length ? x->length : y->length;
    int order = memcmp ((uint8_t *) data + x->offset, (uint8_t *) data + y->offset, least);
    return order ? order : (x->length > y->length) - (x->length < y->length);
}

/* Room was kept for a header of one byte at `at`; widen it if `count` needs more. */
static void put_header (buf_t *packed, size_t at, uint32_t count, bool is_map)
{
    buf_t header = {0};
    uint8_t space[8];
    if (buf_failed (packed))
        return;
    if (is_map)
        mp_map (&header, count);
    else
        mp_array (&header, count);
    size_t size = header.size;
    if (buf_failed (&header) || size > sizeof space) {
        packed->failed = true;
        buf_free (&header);
        return;
    }
    memcpy (space, header.data, size);
    buf_free (&header);
    if (!buf_reserve (packed, size - 1))
        return;
    memmove (packed->data + at + size, packed->data + at + 1, packed->size - at - 1);
    memcpy (packed->data + at, space, size);
    packed->size += size - 1;
}

static int any_value (json_in_t *in, buf_t *packed, buf_t *keys);

static int any_array (json_in_t *in, buf_t *packed, buf_t *keys)
{
    size_t header = packed->size;
    uint32_t count = 0;
    bool first = true;
    int more, code = json_open (in);
    buf_add_byte (packed, 0);
    while (!code && (more = json_next (in, ']', &first)) != 0) {
        if (more < 0)
            return E_BAD_REQUEST;
        code = any_value (in, packed, keys);
        count++;
    }
    put_header (packed, header, count, false);
    return code;
}

static int any_string (json_in_t *in, json_raw_t raw, buf_t *packed)
{
    if (!raw.escaped) {
        mp_strn (packed, raw.text, raw.length);
        return 0;
    }
    char *text = malloc (raw.length + 1);
    if (!text)
        return path_no_memory (in->failure);
    mp_strn (packed, text, json_decode (raw, text));
    free (text);
    return 0;
}

/* No name twice: the keys of this object are those in `keys` from `base` on. */
static int check_keys (json_in_t *in, buf_t *packed, buf_t *keys, size_t base)
{
    if (buf_failed (packed) || buf_failed (keys))
        return path_no_memory (in->failure);
    size_t count = (keys->size - base) / sizeof (key_at_t);
    if (count < 2) {
        keys->size = base;
        return 0;
    }
    key_at_t *rows = (key_at_t *) (void *) (keys->data + base);
    qsort_r (rows, count, sizeof *rows, compare_keys, packed->data);
    for (size_t i = 1; i < count; i++)
        if (compare_keys (&rows[i - 1], &rows[i], packed->data) == 0)
            return json_fail (in, "a name is given twice in one object");
    keys->size = base;
    return 0;
}

static int any_object (json_in_t *in, buf_t *packed, buf_t *keys)
{
    size_t header = packed->size, base = keys->size;
    uint32_t count = 0;
    bool first = true;
    int more, code = json_open (in);
    buf_add_byte (packed, 0);
    while (!code && (more = json_next (in, '}', &first)) != 0) {
        json_raw_t raw;
        if (more < 0 || json_key (in, &raw))
            return E_BAD_REQUEST;
        size_t at = packed->size;
        code = any_string (in, raw, packed);
        if (code)
            break;
        key_at_t key = {at, packed->size - at};
        buf_add (keys, &key, sizeof key);
        code = any_value (in, packed, keys);
        count++;
    }
    if (!code)
        code = check_keys (in, packed, keys, base);
    put_header (packed, header, count, true);
    return code;
}

static int any_number (json_in_t *in, buf_t *packed)
{
    json_raw_t raw;
    bool whole;
    int64_t value;
    double real;
    if (json_number (in, &raw, &whole))
        return E_BAD_REQUEST;
    if (whole && json_number_int (raw, true, &value))
        mp_int (packed, value);
    else if (json_number_real (raw, &real))
        mp_float (packed, real);
    else
        return json_fail (in, "a number is out of range");
    return 0;
}

static int any_value (json_in_t *in, buf_t *packed, buf_t *keys)
{
    json_raw_t raw;
    switch (json_peek (in)) {
    case '"':
        return json_string (in, &raw) ? E_BAD_REQUEST : any_string (in, raw, packed);
    case '{':
        return any_object (in, packed, keys);
    case '[':
        return any_array (in, packed, keys);
    case 't':
        mp_bool (packed, true);
        return json_literal (in, "true") ? 0 : json_fail (in, "expected a value");
    case 'f':
        mp_bool (packed, false);
        return json_literal (in, "false") ? 0 : json_fail (in, "expected a value");
    case 'n':
        mp_nil (packed);
        return json_literal (in, "null") ? 0 : json_fail (in, "expected a value");
    default:
        return any_number (in, packed);
    }
}

int json_any (json_in_t *in, buf_t *packed)
{
    buf_t keys = {0};
    int code = any_value (in, packed, &keys);
    buf_free (&keys);
    return code;
}

int schema_any_read (bytes_t json, buf_t *packed, failure_t *failure)
{
    json_in_t in = json_in (json, NULL, NULL, failure);
    int code = json_any (&in, packed);
    if (!code)
        code = json_done (&in);
    return code ? code : buf_failed (packed) ? path_no_memory (failure) : 0;
}

/* ---- writing ---- */

/* A character that stands in JSON text as an escape. */
static void json_escape (buf_t *out, uint8_t c)
{
    static const char escapes[] = "\bb\ff\nn\rr\tt\"\"\\\\";
    for (size_t e = 0; e + 1 < sizeof escapes; e += 2)
        if ((uint8_t) escapes[e] == c) {
            buf_add_byte (out, '\\');
            buf_add_byte (out, (uint8_t) escapes[e + 1]);
            return;
        }
    buf_printf (out, "\\u%04x", c);
}

/* A byte of the word that is zero shows as its highest bit, perhaps with bits above it: good to tell whether there is one. */
static uint64_t zero_bytes (uint64_t word)
{
    return (word - 0x0101010101010101u) & ~word & 0x8080808080808080u;
}

/* None of eight bytes is a control character, a quote or a backslash. */
static bool plain8 (const char *text)
{
    uint64_t word;
    memcpy (&word, text, sizeof word);
    uint64_t below = (word - 0x2020202020202020u) & ~word & 0x8080808080808080u;
    return (below | zero_bytes (word ^ 0x2222222222222222u) |
            zero_bytes (word ^ 0x5c5c5c5c5c5c5c5cu)) == 0;
}

/* Of sixteen, as the compiler's vectors do it. */
static bool plain16 (const char *text)
{
    typedef uint8_t row_t __attribute__ ((vector_size (16)));
    row_t row;
    uint64_t found[2];
    memcpy (&row, text, sizeof row);
    row_t special = (row_t) (row < 0x20) | (row_t) (row == '"') | (row_t) (row == '\\');
    memcpy (found, &special, sizeof found);
    return (found[0] | found[1]) == 0;
}

/* Of all of them: the last piece overlaps the one before. */
static bool is_plain (const char *text, size_t length)
{
    char word[8] = "        ";
    if (length < sizeof word) {
        memcpy (word, text, length);
        return plain8 (word);
    }
    if (length < 16)
        return plain8 (text) && plain8 (text + length - 8);
    for (size_t i = 0; length - i > 16; i += 16)
        if (!plain16 (text + i))
            return false;
    return plain16 (text + length - 16);
}

void json_quote (buf_t *out, const char *text, size_t length)
{
    size_t from = 0, i = 0;
    uint8_t *at = buf_reserve (out, length + 2); /* all of it at once, if nothing is escaped */
    if (at && is_plain (text, length)) {
        at[0] = '"';
        memcpy (at + 1, text, length);
        at[length + 1] = '"';
        out->size += length + 2;
        return;
    }
    buf_add_byte (out, '"');
    while (i < length) {
        if (length - i >= 8 && plain8 (text + i)) {
            i += 8;
            continue;
        }
        uint8_t c = (uint8_t) text[i++];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        buf_add (out, text + from, i - 1 - from);
        json_escape (out, c);
        from = i;
    }
    buf_add (out, text + from, length - from);
    buf_add_byte (out, '"');
}

/* The shortest of 15 to 17 digits that reads back the same. JSON has no infinity: null; and its zero has no sign: as a whole number -0 is 0. */
void json_real (buf_t *out, double value)
{
    char text[40];
    if (!isfinite (value)) {
        buf_add_str (out, "null");
        return;
    }
    if (value == 0)
        value = 0;
    for (int digits = 15; digits <= 17; digits++) {
        snprintf (text, sizeof text, "%.*g", digits, value);
        if (strtod (text, NULL) == value)
            break;
    }
    buf_add_str (out, text);
}

static void base64_quote (buf_t *out, bytes_t bytes)
{
    buf_add_byte (out, '"');
    uint8_t *text = buf_reserve (out, (bytes.size + 2) / 3 * 4 + 1);
    if (text) {
        text_write_base64 (bytes.data, bytes.size, (char *) text);
        out->size += (bytes.size + 2) / 3 * 4;
    }
    buf_add_byte (out, '"');
}

static void show_value (mp_reader_t *in, buf_t *json, unsigned depth);

static void show_key (mp_reader_t *in, buf_t *json)
{
    if (mp_peek (in) == MP_STR) {
        bytes_t key = mp_read_str (in);
        bool good = text_is_utf8 ((const char *) key.data, key.size);
        json_quote (json, good ? (const char *) key.data : "?", good ? key.size : 1);
    } else if (mp_peek (in) == MP_INT)
        buf_printf (json, "\"%lld\"", (long long) mp_read_int (in));
    else {
        mp_skip (in);
        buf_add_str (json, "\"?\"");
    }
}

static void show_inside (mp_reader_t *in, buf_t *json, bool is_map, unsigned depth)
{
    uint32_t count = is_map ? mp_read_map (in) : mp_read_array (in);
    buf_add_byte (json, is_map ? '{' : '[');
    for (uint32_t i = 0; i < count && !in->failed; i++) {
        if (i)
            buf_add_byte (json, ',');
        if (is_map) {
            show_key (in, json);
            buf_add_byte (json, ':');
        }
        show_value (in, json, depth + 1);
    }
    buf_add_byte (json, is_map ? '}' : ']');
}

static void show_text (mp_reader_t *in, buf_t *json)
{
    bytes_t text = mp_read_str (in);
    if (text_is_utf8 ((const char *) text.data, text.size))
        json_quote (json, (const char *) text.data, text.size);
    else
        base64_quote (json, text);
}

static void show_value (mp_reader_t *in, buf_t *json, unsigned depth)
{
    mp_kind_t kind = mp_peek (in);
    if (depth >= MP_DEPTH_MAX)
        kind = MP_BAD;
    switch (kind) {
    case MP_BOOL:
        buf_add_str (json, mp_read_bool (in) ? "true" : "false");
        break;
    case MP_INT:
        buf_printf (json, "%lld", (long long) mp_read_int (in));
        break;
    case MP_UINT:
    case MP_FLOAT:
        json_real (json, mp_read_float (in));
        break;
    case MP_STR:
        show_text (in, json);
        break;
    case MP_BIN:
        base64_quote (json, mp_read_bin (in));
        break;
    case MP_ARRAY:
        show_inside (in, json, false, depth);
        break;
    case MP_MAP:
        show_inside (in, json, true, depth);
        break;
    default:
        mp_skip (in);
        buf_add_str (json, "null");
    }
}

void schema_any_write (bytes_t packed, buf_t *json)
{
    mp_reader_t in = mp_read (packed);
    show_value (&in, json, 0);
}
