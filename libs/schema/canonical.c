/* canonical.c - canonical JSON of packed msgpack: keys sorted by code point, no white space, numbers as they were parsed.
 *
 * Two texts of one value have one canonical form, so that a fingerprint of it tells values apart and not spellings. UTF-8 sorts by bytes as by code points. Fails only
 * for memory; what is no JSON (nothing that schema_any_read made) is shown as schema_any_write shows it. */
#include "schema/inner.h"

#include "base/msgpack.h"
#include <stdlib.h>
#include <string.h>

typedef struct entry {
    bytes_t key;
    bytes_t value; /* packed */
} entry_t;

static int canonical_value (mp_reader_t *in, buf_t *json, unsigned depth);

static int compare_entries (const void *a, const void *b)
{
    const entry_t *x = a, *y = b;
    size_t least = x->key.size < y->key.size ? x->key.size : y->key.size;
    int order = least ? memcmp (x->key.data, y->key.data, least) : 0;
    return order ? order : (x->key.size > y->key.size) - (x->key.size < y->key.size);
}

static int canonical_map (mp_reader_t *in, buf_t *json, unsigned depth)
{
    uint32_t count = mp_read_map (in);
    entry_t *entries = calloc (count ? count : 1, sizeof *entries);
    if (!entries)
        return E_NO_MEMORY;
    for (uint32_t i = 0; i < count; i++) {
        entries[i].key = mp_read_str (in);
        entries[i].value = mp_skip (in);
    }
    qsort (entries, count, sizeof *entries, compare_entries);
    buf_add_byte (json, '{');
    int code = 0;
    for (uint32_t i = 0; i < count && !code && !in->failed; i++) {
        if (i)
            buf_add_byte (json, ',');
        json_quote (json, (const char *) entries[i].key.data, entries[i].key.size);
        buf_add_byte (json, ':');
        mp_reader_t value = mp_read (entries[i].value);
        code = canonical_value (&value, json, depth + 1);
    }
    buf_add_byte (json, '}');
    free (entries);
    return code;
}

static int canonical_array (mp_reader_t *in, buf_t *json, unsigned depth)
{
    uint32_t count = mp_read_array (in);
    int code = 0;
    buf_add_byte (json, '[');
    for (uint32_t i = 0; i < count && !code && !in->failed; i++) {
        if (i)
            buf_add_byte (json, ',');
        code = canonical_value (in, json, depth + 1);
    }
    buf_add_byte (json, ']');
    return code;
}

static int canonical_value (mp_reader_t *in, buf_t *json, unsigned depth)
{
    mp_kind_t kind = depth >= MP_DEPTH_MAX ? MP_BAD : mp_peek (in);
    if (kind == MP_MAP)
        return canonical_map (in, json, depth);
    if (kind == MP_ARRAY)
        return canonical_array (in, json, depth);
    schema_any_write (mp_skip (in), json);
    return 0;
}

int schema_any_canonical (bytes_t packed, buf_t *json)
{
    mp_reader_t in = mp_read (packed);
    int code = canonical_value (&in, json, 0);
    return code || buf_failed (json) ? E_NO_MEMORY : 0;
}
