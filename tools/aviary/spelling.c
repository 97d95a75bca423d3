/* spelling.c - reading ids in all spellings, writing them in Chirp's, masking phone numbers. Pure; refuses what no writer of ours writes. */
#include "spelling.h"

#include <stdio.h>
#include <string.h>

bool spelling_read (const char *text, id16_t *out)
{
    const char *last = strrchr (text, '_');
    const char *bare = last ? last + 1 : text;
    size_t length = strlen (bare);
    return id_read_ksuid (bare, length, out) || id_read_crockford (bare, length, out) ||
           id_read_uuid (bare, length, out);
}

enum { PREFIX_MAX = SPELLING_SIZE - sizeof "_test_" - ID_KSUID_LENGTH };

void spelling_write (const char *prefix, bool test, id16_t id, char out[SPELLING_SIZE])
{
    size_t length = prefix ? strnlen (prefix, PREFIX_MAX) : 0;
    out[0] = '\0';
    if (id_is_nil (id))
        return;
    if (!prefix) {
        id_write_uuid (id, out);
        return;
    }
    memcpy (out, prefix, length);
    memcpy (out + length, test ? "_test_" : "_", test ? 6 : 1);
    id_write_ksuid (id, out + length + (test ? 6 : 1));
}

void spelling_write_plain (const char *prefix, id16_t id, char out[SPELLING_SIZE])
{
    char crockford[ID_CROCKFORD_LENGTH + 1];
    out[0] = '\0';
    if (id_is_nil (id))
        return;
    id_write_crockford (id, crockford);
    snprintf (out, SPELLING_SIZE, "%s_%s", prefix, crockford);
}

enum { DIGITS_MIN = 7, DIGITS_MAX = 15, SHOWN = 2 };

void spelling_mask (const char *text, buf_t *out)
{
    for (const char *at = text; *at;) {
        size_t digits = *at == '+' ? strspn (at + 1, "0123456789") : 0;
        if (digits < DIGITS_MIN || digits > DIGITS_MAX) {
            buf_add_byte (out, (uint8_t) *at++);
            continue;
        }
        buf_add (out, at, 1 + SHOWN);
        for (size_t i = 2 * SHOWN; i < digits; i++)
            buf_add_byte (out, '*');
        buf_add (out, at + 1 + digits - SHOWN, SHOWN);
        at += 1 + digits;
    }
}
