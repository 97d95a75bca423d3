/* fold.c - text in lower case, for searching: one letter for one letter, of the alphabets that have two cases and that names here are written in (Latin to U+017F, Greek,
 * Cyrillic). The rest stays as it is. */
#include "base/text.h"
#include "inbox.h"

typedef struct cased {
    uint32_t first, last;
    uint32_t step; /* 1 = each of them is upper case; 2 = every other, beginning with the first */
    uint32_t away; /* how far its lower case is */
} cased_t;

static const cased_t cased[] = {
    {0x41, 0x5a, 1, 32},   {0xc0, 0xd6, 1, 32},   {0xd8, 0xde, 1, 32},   {0x100, 0x12e, 2, 1},
    {0x132, 0x136, 2, 1},  {0x139, 0x147, 2, 1},  {0x14a, 0x176, 2, 1},  {0x179, 0x17d, 2, 1},
    {0x391, 0x3a1, 1, 32}, {0x3a3, 0x3ab, 1, 32}, {0x400, 0x40f, 1, 80}, {0x410, 0x42f, 1, 32},
    {0x460, 0x480, 2, 1},  {0x48a, 0x4be, 2, 1},  {0x4d0, 0x52e, 2, 1},
};

static uint32_t lower (uint32_t letter)
{
    for (size_t i = 0; i < sizeof cased / sizeof *cased; i++)
        if (letter >= cased[i].first && letter <= cased[i].last)
            return (letter - cased[i].first) % cased[i].step == 0 ? letter + cased[i].away : letter;
    return letter;
}

/* Letters of two bytes stay letters of two bytes: nothing in the table crosses U+0080 or U+0800. */
char *text_fold (arena_t *arena, const char *text)
{
    char *out = arena_strdup (arena, text);
    size_t left = out ? strlen (out) : 0;
    for (char *at = out; left > 0;) {
        uint8_t *b = (uint8_t *) at;
        size_t step = text_utf8_step (at, left);
        if (step == 1) {
            b[0] = (uint8_t) lower (b[0]);
        } else if (step == 2) {
            uint32_t letter = lower ((uint32_t) (b[0] & 0x1f) << 6 | (b[1] & 0x3f));
            b[0] = (uint8_t) (0xc0 | letter >> 6);
            b[1] = (uint8_t) (0x80 | (letter & 0x3f));
        }
        step = step ? step : 1;
        at += step;
        left -= step;
    }
    return out;
}
