/* segments.c - how many parts an SMS has.
 *
 * GSM 03.38: 160 septets alone, 153 in parts, extension characters count twice and are not split; else UCS-2: 70 and 67 code units, surrogate pairs not split. */
#include "messaging.h"
#include <string.h>

static const uint16_t gsm_beyond_ascii[] = {
    0xA3,  0xA5,  0xE8,  0xE9,  0xF9,  0xEC,  0xF2,  0xC7,  0xD8,  0xF8, 0xC5, 0xE5, 0x394,
    0x3A6, 0x393, 0x39B, 0x3A9, 0x3A0, 0x3A8, 0x3A3, 0x398, 0x39E, 0xC6, 0xE6, 0xDF, 0xC9,
    0xA4,  0xA1,  0xC4,  0xD6,  0xD1,  0xDC,  0xA7,  0xBF,  0xE4,  0xF6, 0xF1, 0xFC, 0xE0};

/* Septets that a character takes in GSM 03.38; 0 = it is not of the alphabet. */
static unsigned gsm_septets (uint32_t c)
{
    if (c == '\n' || c == '\r' || (c >= ' ' && c <= 'Z'))
        return 1;
    if (c >= 'a' && c <= 'z')
        return 1;
    if (c == '_')
        return 1;
    if (c == '\f' || c == 0x20AC || (c < 128 && strchr ("^{}\\[~]|", (int) c)))
        return 2;
    for (size_t i = 0; i < sizeof gsm_beyond_ascii / sizeof *gsm_beyond_ascii; i++)
        if (gsm_beyond_ascii[i] == c)
            return 1;
    return 0;
}

/* The next code point of valid UTF-8. */
static uint32_t code_point (const char **at)
{
    const uint8_t *p = (const uint8_t *) *at;
    unsigned more = p[0] < 0x80 ? 0 : p[0] < 0xE0 ? 1 : p[0] < 0xF0 ? 2 : 3;
    uint32_t c = more == 0 ? p[0] : p[0] & (0x3Fu >> more);
    for (unsigned i = 1; i <= more; i++)
        c = c << 6 | (p[i] & 0x3Fu);
    *at += more + 1;
    return c;
}

typedef struct part_counter {
    size_t whole; /* units that fit a single message */
    size_t part;  /* units that fit each part of several */
    size_t total;
    size_t parts;
    size_t filled;
} part_counter_t;

static void count_units (part_counter_t *self, size_t units)
{
    self->total += units;
    if (self->filled + units > self->part) {
        self->parts += 1;
        self->filled = 0;
    }
    self->filled += units;
}

static size_t parts_of (const part_counter_t *self)
{
    return self->total <= self->whole ? 1 : self->parts + 1;
}

/* A bit for each of the first 128 characters: it takes one septet. */
static const uint64_t plain_chars[2] = {0xffffffff00002400u, 0x07fffffe87ffffffu};

/* How many characters of the text's beginning take one septet each. */
static size_t plain_length (const char *text)
{
    const uint8_t *at = (const uint8_t *) text;
    while (*at < 128 && plain_chars[*at >> 6] >> (*at & 63) & 1)
        at++;
    return (size_t) (at - (const uint8_t *) text);
}

size_t text_segments (const char *text, int32_t *encoding)
{
    part_counter_t gsm = {.whole = 160, .part = 153};
    part_counter_t ucs = {.whole = 70, .part = 67};
    bool is_gsm = true;
    size_t plain = plain_length (text);
    if (plain && !text[plain]) { /* most texts */
        *encoding = MESSAGING_ENCODING_GSM7;
        return plain <= gsm.whole ? 1 : (plain - 1) / gsm.part + 1;
    }
    for (const char *at = text; *at;) {
        uint32_t c = code_point (&at);
        unsigned septets = gsm_septets (c);
        is_gsm = is_gsm && septets > 0;
        count_units (&gsm, septets);
        count_units (&ucs, c > 0xFFFF ? 2 : 1);
    }
    *encoding = is_gsm ? MESSAGING_ENCODING_GSM7 : MESSAGING_ENCODING_UCS2;
    return parts_of (is_gsm ? &gsm : &ucs);
}
