/* json_value.c - the values that are no lists, maps or objects: from JSON into their members, with limits and formats.
 *
 * Fails with E_BAD_REQUEST at the spot (or what a format says), or E_NO_MEMORY. */
#include "schema/inner.h"

#include "base/clock.h"
#include "base/text.h"
#include <string.h>

int spot_wrong (json_in_t *in, const spot_t *spot, const char *want)
{
    return path_fail (in->failure, spot->path, E_BAD_REQUEST, "must be %s", want);
}

int spot_count_fail (json_in_t *in, const spot_t *spot, bool over)
{
    long long limit = over ? spot->max : spot->min;
    return path_fail (in->failure, spot->path, E_BAD_REQUEST, "must have at %s %lld %s",
                      over ? "most" : "least", limit,
                      spot->field->kind == SK_MAP ? (limit == 1 ? "entry" : "entries")
                      : limit == 1                ? "item"
                                                  : "items");
}

int spot_check_unique (json_in_t *in, const spot_t *spot, const schema_list_t *list)
{
    long index = list_repeats (spot->field, list, in->arena);
    if (index == -1)
        return 0;
    if (index < 0)
        return path_no_memory (in->failure);
    path_t path = {spot->path, NULL, (size_t) index};
    return path_fail (in->failure, &path, E_BAD_REQUEST, "repeats an earlier item");
}

static int read_bool (json_in_t *in, const spot_t *spot, void *slot)
{
    bool yes = json_literal (in, "true");
    if (!yes && !json_literal (in, "false"))
        return spot_wrong (in, spot, "true or false");
    *(bool *) slot = yes;
    return 0;
}

static int check_range (json_in_t *in, const spot_t *spot, bool low, bool high)
{
    if (low)
        return path_fail (in->failure, spot->path, E_BAD_REQUEST, "must be at least %lld",
                          (long long) spot->min);
    if (high)
        return path_fail (in->failure, spot->path, E_BAD_REQUEST, "must be at most %lld",
                          (long long) spot->max);
    return 0;
}

bool json_starts_number (const json_in_t *in)
{
    return in->at < in->end && (*in->at == '-' || (*in->at >= '0' && *in->at <= '9'));
}

static int read_int (json_in_t *in, const spot_t *spot, void *slot)
{
    json_raw_t raw;
    bool whole, quoted = (spot->field->flags & SF_TEXT_CODE) && in->at < in->end && *in->at == '"';
    if (quoted)
        in->at++;
    if (!json_starts_number (in))
        return spot_wrong (in, spot, "a whole number");
    if (json_number (in, &raw, &whole))
        return E_BAD_REQUEST;
    int64_t value;
    if ((quoted && !json_literal (in, "\"")) || !json_number_int (raw, whole, &value))
        return spot_wrong (in, spot, "a whole number");
    *(int64_t *) slot = value;
    return check_range (in, spot, value<spot->min, value> spot->max);
}

static int read_num (json_in_t *in, const spot_t *spot, void *slot)
{
    json_raw_t raw;
    bool whole;
    if (!json_starts_number (in))
        return spot_wrong (in, spot, "a number");
    if (json_number (in, &raw, &whole))
        return E_BAD_REQUEST;
    double value;
    if (!json_number_real (raw, &value))
        return spot_wrong (in, spot, "a number within range");
    *(double *) slot = value;
    return check_range (in, spot, value<(double) spot->min, value> (double) spot->max);
}

static int set_time (json_in_t *in, const spot_t *spot, const char *text, size_t length, void *slot)
{
    if (clock_read_iso (text, length, slot))
        return spot_wrong (in, spot, "a time as 2026-03-02T09:14:07.218Z");
    int64_t value = *(int64_t *) slot;
    return check_range (in, spot, value<spot->min, value> spot->max);
}

static int set_enum (json_in_t *in, const spot_t *spot, const char *text, size_t length, void *slot)
{
    const schema_enum_t *e = spot->field->enumeration;
    int32_t value = schema_enum_read (e, text, length);
    *(int32_t *) slot = value;
    if (value)
        return 0;
    buf_t words = buf_in (in->arena);
    for (size_t i = 0; i < e->count && words.size < 160; i++)
        buf_printf (&words, "%s%s", i ? ", " : "", e->words[i].word);
    return path_fail (in->failure, spot->path, E_BAD_REQUEST, "must be one of %s",
                      buf_text (&words));
}

static int set_id (json_in_t *in, const spot_t *spot, const char *text, size_t length, void *slot)
{
    const schema_ctx_t *ctx = in->ctx;
    id16_t id = id_nil ();
    bool test = ctx->test;
    int bad;
    if (ctx->id_read && spot->field->prefix)
        bad = ctx->id_read (spot->field->prefix, text, length, &id, &test);
    else
        bad = id_read_uuid (text, length, &id) ? 0 : 2;
    if (bad == 2)
        return path_fail (in->failure, spot->path, E_BAD_REQUEST, "is not a valid id");
    if (spot->field->test_at && spot->field->kind == SK_ID)
        *(bool *) ((char *) slot - spot->field->offset + spot->field->test_at) = test;
    if (bad == 0 && test != ctx->test && !ctx->any_test)
        memset (&id, 0xFF, sizeof id); /* of the other mode: well formed, and nobody has it */
    *(id16_t *) slot = id;
    return 0;
}

/* With its "+". */
static const char *phone_keep (arena_t *arena, const char *text, size_t *length)
{
    if (*length == 0 || *text < '1' || *text > '9')
        return text;
    char *kept = arena_alloc (arena, *length + 2);
    if (!kept)
        return NULL;
    kept[0] = '+';
    memcpy (kept + 1, text, *length);
    ++*length;
    return kept;
}

static int set_str (json_in_t *in, const spot_t *spot, const char *text, size_t length, void *slot)
{
    uint64_t max = spot->max < 0 ? 0 : (uint64_t) spot->max,
             min = spot->min < 0 ? 0 : (uint64_t) spot->min;
    if (length > max || length < min * 4) { /* bytes alone do not decide */
        size_t points = text_code_points (text, length);
        if (points > max)
            return path_fail (in->failure, spot->path, E_BAD_REQUEST,
                              "must have at most %llu characters", (unsigned long long) max);
        if (points < min && length == 0)
            return path_fail (in->failure, spot->path, E_BAD_REQUEST, "must not be empty");
        if (points < min)
            return path_fail (in->failure, spot->path, E_BAD_REQUEST,
                              "must have at least %llu characters", (unsigned long long) min);
    }
    const char *what = "";
    if (spot->field->format == FMT_PHONE && !(text = phone_keep (in->arena, text, &length)))
        return path_no_memory (in->failure);
    int code = spot->field->format ? format_check (spot->field->format, text, length, &what) : 0;
    if (code)
        return path_fail (in->failure, spot->path, code, "%s", what);
    *(const char **) slot = text;
    return 0;
}

static int set_bytes (json_in_t *in, const spot_t *spot, const char *text, size_t length,
                      void *slot)
{
    size_t capacity = length / 4 * 3 + 3;
    uint8_t *data = arena_alloc (in->arena, capacity);
    if (!data)
        return path_no_memory (in->failure);
    long size = text_read_base64 (text, length, data, capacity);
    if (size < 0)
        return spot_wrong (in, spot, "base64");
    if (size > spot->max || size < spot->min)
        return path_fail (in->failure, spot->path, E_BAD_REQUEST, "must have %lld to %lld bytes",
                          (long long) spot->min, (long long) spot->max);
    *(bytes_t *) slot = bytes_of (data, (size_t) size);
    return 0;
}

static int set_cursor (json_in_t *in, const spot_t *spot, const char *text, size_t length,
                       void *slot)
{
    uint8_t *data = arena_alloc (in->arena, length / 4 * 3 + 3);
    long size = data ? text_read_base64url (text, length, data, length / 4 * 3 + 3) : 0;
    if (!data)
        return path_no_memory (in->failure);
    if (size <= 0)
        return path_fail (in->failure, spot->path, E_BAD_CURSOR, "is not a cursor of this listing");
    *(bytes_t *) slot = bytes_of (data, (size_t) size);
    return 0;
}

value_set_fn *value_set_of (uint8_t kind)
{
    static value_set_fn *const sets[] = {
        [SK_TIME] = set_time, [SK_ENUM] = set_enum,   [SK_ID] = set_id,
        [SK_STR] = set_str,   [SK_BYTES] = set_bytes, [SK_CURSOR] = set_cursor};
    return kind < sizeof sets / sizeof *sets ? sets[kind] : NULL;
}

static const char *want_of (uint8_t kind)
{
    return kind == SK_TIME ? "a time as a string"
           : kind == SK_ID ? "an id as a string"
                           : "a string";
}

static int read_text (json_in_t *in, uint8_t kind, const spot_t *spot, void *slot)
{
    json_raw_t raw;
    if (in->at == in->end || *in->at != '"')
        return spot_wrong (in, spot, want_of (kind));
    if (json_string (in, &raw))
        return E_BAD_REQUEST;
    size_t length = raw.length;
    const char *text = raw.text;
    if (raw.escaped || kind == SK_STR) { /* what is looked at only once stays where it is */
        text = json_keep (in->arena, raw, &length);
        if (!text)
            return path_no_memory (in->failure);
    }
    return value_set_of (kind) (in, spot, text, length, slot);
}

int json_value (json_in_t *in, uint8_t kind, const spot_t *spot, void *slot)
{
    switch (kind) {
    case SK_BOOL:
        return read_bool (in, spot, slot);
    case SK_INT:
        return read_int (in, spot, slot);
    case SK_NUM:
        return read_num (in, spot, slot);
    default:
        return read_text (in, kind, spot, slot);
    }
}
