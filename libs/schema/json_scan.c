/* json_scan.c - the JSON scanner (RFC 8259), strict: UTF-8 without surrogates, no NUL, no lone \u surrogates, no leading zeros,
 * nothing after the value, at most SCHEMA_JSON_DEPTH levels. Reads in place, allocates nothing; trusts nothing. */
#include "schema/inner.h"

#include "base/text.h"
#include <endian.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_MAX = 64 };

json_in_t json_in (bytes_t json, arena_t *arena, const schema_ctx_t *ctx, failure_t *failure)
{
    static const schema_ctx_t plain = {0};
    const char *text = json.data ? (const char *) json.data : "";
    return (json_in_t){.start = text,
                       .at = text,
                       .end = text + json.size,
                       .arena = arena,
                       .ctx = ctx ? ctx : &plain,
                       .failure = failure};
}

int json_fail (json_in_t *in, const char *what)
{
    return failure_set (in->failure, E_BAD_REQUEST, "",
                        "the body is not valid JSON at byte %zu: %s", (size_t) (in->at - in->start),
                        what);
}

void json_space_pass (json_in_t *in)
{
    while (in->at < in->end &&
           (*in->at == ' ' || *in->at == '\n' || *in->at == '\r' || *in->at == '\t'))
        in->at++;
}

bool json_literal (json_in_t *in, const char *word)
{
    if (in->at == in->end || *in->at != *word)
        return false;
    size_t length = strlen (word);
    if ((size_t) (in->end - in->at) < length || memcmp (in->at, word, length) != 0)
        return false;
    in->at += length;
    return true;
}

/* ---- strings ---- */

#define EACH(byte) ((uint64_t) (byte) *UINT64_C (0x0101010101010101))

/* Nonzero if one of the eight bytes is a quote, a backslash, a control character or not ASCII; the lowest bit that is set is of the lowest such byte. */
static inline uint64_t is_special (uint64_t word)
{
    uint64_t quote = word ^ EACH ('"'), slash = word ^ EACH ('\\');
    uint64_t found = (quote - EACH (1)) | (slash - EACH (1)) | (word - EACH (0x20)) | word;
    return found & EACH (0x80);
}

/* Past plain ASCII, eight bytes at a time. */
static const char *scan_plain (const char *at, const char *end)
{
    while (end - at >= 8) {
        uint64_t word, special;
        memcpy (&word, at, sizeof word);
        special = is_special (le64toh (word));
        if (special)
            return at + __builtin_ctzll (special) / 8;
        at += 8;
    }
    while (at < end && (uint8_t) *at >= 0x20 && (uint8_t) *at < 0x80 && *at != '"' && *at != '\\')
        at++;
    return at;
}

static long read_hex4 (const char *at, const char *end)
{
    if (end - at < 4)
        return -1;
    long value = 0;
    for (int i = 0; i < 4; i++) {
        char c = at[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* The code point of \uXXXX (with its low surrogate) at `at`, which is past the "\u"; -1 if it may not stand in a string. */
static long read_unicode (const char **at, const char *end)
{
    long high = read_hex4 (*at, end);
    if (high <= 0 || (high >= 0xDC00 && high <= 0xDFFF))
        return -1;
    *at += 4;
    if (high < 0xD800 || high > 0xDBFF)
        return high;
    if (end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u')
        return -1;
    long low = read_hex4 (*at + 2, end);
    if (low < 0xDC00 || low > 0xDFFF)
        return -1;
    *at += 6;
    return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
}

static int scan_escape (json_in_t *in)
{
    const char *at = in->at + 1;
    if (at == in->end)
        return json_fail (in, "the text ends in a string");
    if (*at == 'u') {
        at++;
        if (read_unicode (&at, in->end) < 0)
            return json_fail (in, "a \\u escape is malformed, zero or half of a surrogate pair");
    } else if (*at == 0 || !strchr ("\"\\/bfnrt", *at))
        return json_fail (in, "no such escape");
    else
        at++;
    in->at = at;
    return 0;
}

int json_string (json_in_t *in, json_raw_t *out)
{
    const char *from = ++in->at; /* past the quote */
    bool escaped = false;
    for (;;) {
        in->at = scan_plain (in->at, in->end);
        if (in->at == in->end)
            return json_fail (in, "the text ends in a string");
        if (*in->at == '"')
            break;
        if (*in->at == '\\') {
            escaped = true;
            if (scan_escape (in))
                return E_BAD_REQUEST;
            continue;
        }
        size_t step = text_utf8_step (in->at, (size_t) (in->end - in->at));
        if (step < 2)
            return json_fail (in, "a control character or bytes that are not UTF-8 in a string");
        in->at += step;
    }
    *out = (json_raw_t){from, (size_t) (in->at - from), escaped};
    in->at++;
    return 0;
}

static size_t put_utf8 (long point, char *out)
{
    if (point < 0x80) {
        out[0] = (char) point;
        return 1;
    }
    if (point < 0x800) {
        out[0] = (char) (0xC0 | (point >> 6));
        out[1] = (char) (0x80 | (point & 0x3F));
        return 2;
    }
    if (point < 0x10000) {
        out[0] = (char) (0xE0 | (point >> 12));
        out[1] = (char) (0x80 | ((point >> 6) & 0x3F));
        out[2] = (char) (0x80 | (point & 0x3F));
        return 3;
    }
    out[0] = (char) (0xF0 | (point >> 18));
    out[1] = (char) (0x80 | ((point >> 12) & 0x3F));
    out[2] = (char) (0x80 | ((point >> 6) & 0x3F));
    out[3] = (char) (0x80 | (point & 0x3F));
    return 4;
}

size_t json_decode (json_raw_t raw, char *out)
{
    const char *at = raw.text, *end = raw.text + raw.length;
    char *to = out;
    while (at < end) {
        const char *slash = memchr (at, '\\', (size_t) (end - at));
        size_t plain = (size_t) ((slash ? slash : end) - at);
        memmove (to, at, plain);
        to += plain;
        at += plain;
        if (!slash)
            break;
        at += 2;
        switch (at[-1]) {
        case 'b':
            *to++ = '\b';
            break;
        case 'f':
            *to++ = '\f';
            break;
        case 'n':
            *to++ = '\n';
            break;
        case 'r':
            *to++ = '\r';
            break;
        case 't':
            *to++ = '\t';
            break;
        case 'u':
            to += put_utf8 (read_unicode (&at, end), to);
            break;
        default:
            *to++ = at[-1];
        }
    }
    return (size_t) (to - out);
}

char *json_keep (arena_t *arena, json_raw_t raw, size_t *length)
{
    *length = raw.length;
    if (!raw.escaped)
        return arena_strndup (arena, raw.text, raw.length);
    char *text = arena_alloc (arena, raw.length + 1);
    if (text) {
        *length = json_decode (raw, text);
        text[*length] = 0;
    }
    return text;
}

/* ---- numbers ---- */

static bool is_digit (const json_in_t *in)
{
    return in->at < in->end && *in->at >= '0' && *in->at <= '9';
}

static bool scan_digits (json_in_t *in)
{
    if (!is_digit (in))
        return false;
    while (is_digit (in))
        in->at++;
    return true;
}

int json_number (json_in_t *in, json_raw_t *out, bool *whole)
{
    const char *from = in->at;
    *whole = true;
    if (in->at < in->end && *in->at == '-')
        in->at++;
    bool zero = in->at < in->end && *in->at == '0';
    if (!scan_digits (in) || (zero && in->at - from > (*from == '-' ? 2 : 1)))
        return json_fail (in, "a number is malformed");
    if (in->at < in->end && *in->at == '.') {
        *whole = false;
        in->at++;
        if (!scan_digits (in))
            return json_fail (in, "a number is malformed");
    }
    if (in->at < in->end && (*in->at == 'e' || *in->at == 'E')) {
        *whole = false;
        in->at++;
        if (in->at < in->end && (*in->at == '+' || *in->at == '-'))
            in->at++;
        if (!scan_digits (in))
            return json_fail (in, "a number is malformed");
    }
    *out = (json_raw_t){from, (size_t) (in->at - from), false};
    return 0;
}

bool json_number_int (json_raw_t raw, bool whole, int64_t *out)
{
    if (!whole) {
        double real;
        if (!json_number_real (raw, &real) || real != trunc (real) ||
            fabs (real) > 9007199254740992.0)
            return false;
        *out = (int64_t) real;
        return true;
    }
    bool minus = raw.text[0] == '-';
    int64_t value = 0;
    for (size_t i = minus; i < raw.length; i++) {
        int digit = raw.text[i] - '0';
        if (__builtin_mul_overflow (value, 10, &value) ||
            __builtin_add_overflow (value, minus ? -digit : digit, &value))
            return false;
    }
    *out = value;
    return true;
}

/* strtod in the C locale: no program of ours calls setlocale. */
bool json_number_real (json_raw_t raw, double *out)
{
    char text[NUMBER_MAX];
    if (raw.length >= sizeof text)
        return false;
    memcpy (text, raw.text, raw.length);
    text[raw.length] = 0;
    double value = strtod (text, NULL);
    if (!isfinite (value))
        return false;
    *out = value;
    return true;
}

/* ---- structure ---- */

int json_open (json_in_t *in)
{
    if (++in->depth > SCHEMA_JSON_DEPTH)
        return json_fail (in, "nested too deeply");
    in->at++;
    return 0;
}

int json_next (json_in_t *in, char close, bool *first)
{
    char c = json_peek (in);
    if (c == close) {
        in->at++;
        in->depth--;
        return 0;
    }
    if (!*first) {
        if (c != ',') {
            json_fail (in, close == '}' ? "expected , or }" : "expected , or ]");
            return -1;
        }
        in->at++;
        json_space (in);
    }
    *first = false;
    return 1;
}

int json_key (json_in_t *in, json_raw_t *out)
{
    if (json_peek (in) != '"')
        return json_fail (in, "expected a name in quotes");
    if (json_string (in, out))
        return E_BAD_REQUEST;
    if (json_peek (in) != ':')
        return json_fail (in, "expected :");
    in->at++;
    json_space (in);
    return 0;
}

static int skip_inside (json_in_t *in, char close)
{
    bool first = true;
    int more, code = json_open (in);
    json_raw_t raw;
    while (!code && (more = json_next (in, close, &first)) != 0) {
        if (more < 0)
            return E_BAD_REQUEST;
        if (close == '}')
            code = json_key (in, &raw);
        if (!code)
            code = json_skip (in);
    }
    return code;
}

int json_skip (json_in_t *in)
{
    json_raw_t raw;
    bool whole;
    switch (json_peek (in)) {
    case '"':
        return json_string (in, &raw);
    case '{':
        return skip_inside (in, '}');
    case '[':
        return skip_inside (in, ']');
    case 't':
        return json_literal (in, "true") ? 0 : json_fail (in, "expected a value");
    case 'f':
        return json_literal (in, "false") ? 0 : json_fail (in, "expected a value");
    case 'n':
        return json_literal (in, "null") ? 0 : json_fail (in, "expected a value");
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        return json_number (in, &raw, &whole);
    default:
        return json_fail (in, "expected a value");
    }
}

int json_done (json_in_t *in)
{
    json_space (in);
    return in->at == in->end ? 0 : json_fail (in, "something follows the value");
}
