/* text.c - checks of text from outside, hex, base64, durations.
 *
 * All of it only looks at its arguments; readers say -1 or false for anything that a writer would
 * not have written. */
#include "base/text.h"
#include <endian.h>
#include <string.h>

size_t text_utf8_step (const char *text, size_t length)
{
    const uint8_t *s = (const uint8_t *) text;
    if (length == 0 || s[0] == 0)
        return 0;
    if (s[0] < 0x80)
        return 1;
    size_t size = s[0] >= 0xc2 && s[0] <= 0xdf   ? 2
                  : s[0] >= 0xe0 && s[0] <= 0xef ? 3
                  : s[0] >= 0xf0 && s[0] <= 0xf4 ? 4
                                                 : 0;
    if (size == 0 || size > length)
        return 0;
    /* The second byte's range is what rules out overlong forms, surrogates and what is above
     * U+10FFFF. */
    uint8_t low = s[0] == 0xe0 ? 0xa0 : s[0] == 0xf0 ? 0x90 : 0x80;
    uint8_t high = s[0] == 0xed ? 0x9f : s[0] == 0xf4 ? 0x8f : 0xbf;
    if (s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    return size;
}

/* Not 0 at the top of the bytes that are no plain ASCII; a NUL is none. */
static inline uint64_t odd_bytes (const char *text)
{
    uint64_t word;
    memcpy (&word, text, sizeof word);
    return word | ((word - 0x0101010101010101u) & ~word);
}

/* Eight and 32 bytes of plain ASCII, the common case. */
static inline bool ascii8 (const char *text)
{
    return (odd_bytes (text) & 0x8080808080808080u) == 0;
}

static inline bool ascii32 (const char *text)
{
    uint64_t odd =
        odd_bytes (text) | odd_bytes (text + 8) | odd_bytes (text + 16) | odd_bytes (text + 24);
    return (odd & 0x8080808080808080u) == 0;
}

bool text_is_utf8 (const char *text, size_t length)
{
    size_t i = 0;
    while (length - i >= 32 && ascii32 (text + i))
        i += 32;
    while (i < length) {
        if (length - i >= 8 && ascii8 (text + i)) {
            i += 8;
            continue;
        }
        if (length >= 8 && length - i < 8 && ascii8 (text + length - 8))
            return true; /* the rest, and of what was seen before nothing but its end */
        if ((uint8_t) text[i] - 1u < 0x7f) { /* ASCII, not NUL */
            i++;
            continue;
        }
        size_t step = text_utf8_step (text + i, length - i);
        if (step == 0)
            return false;
        i += step;
    }
    return true;
}

/* Nonzero if one of the bytes is not from '!' to '~'; the padding of a short text is. */
static uint64_t invisible8 (uint64_t word)
{
    const uint64_t each = 0x0101010101010101u;
    return ((word - 0x21 * each) | (word + each) | word) & 0x80 * each;
}

bool text_is_visible (const char *text, size_t length)
{
    uint64_t word, found = 0;
    size_t i = 0;
    if (length == 0)
        return false;
    for (; length - i >= sizeof word; i += sizeof word) {
        memcpy (&word, text + i, sizeof word);
        found |= invisible8 (word);
    }
    memset (&word, '!', sizeof word);
    memcpy (&word, text + i, length - i);
    return !(found | invisible8 (word));
}

size_t text_code_points (const char *text, size_t length)
{
    size_t count = 0;
    for (size_t i = 0; i < length; i++)
        count += ((uint8_t) text[i] & 0xc0) != 0x80;
    return count;
}

static bool is_digit (char c)
{
    return c >= '0' && c <= '9';
}

bool text_is_e164 (const char *text)
{
    if (!text || text[0] != '+' || !is_digit (text[1]) || text[1] == '0')
        return false;
    size_t length = 1;
    while (length <= 16 && is_digit (text[length]))
        length++;
    return text[length] == 0 && length >= 3 && length <= 16;
}

/* RFC 9110's tchar, a bit for each of the first 128 characters. */
static const uint64_t token_chars[2] = {0x03ff6cfa00000000u, 0x57ffffffc7fffffeu};

bool text_is_token (const char *text)
{
    if (!text || !*text)
        return false;
    for (const uint8_t *at = (const uint8_t *) text; *at; at++)
        if (*at >= 0x80 || !(token_chars[*at >> 6] >> (*at & 63) & 1))
            return false;
    return true;
}

bool text_is_header_value (const char *text)
{
    if (!text)
        return false;
    for (; *text; text++)
        if (*text != '\t' && (*text < ' ' || *text > '~'))
            return false;
    return true;
}

size_t text_write_int (int64_t value, char out[TEXT_NUMBER_SIZE])
{
    char digits[TEXT_NUMBER_SIZE];
    uint64_t left = value < 0 ? 0 - (uint64_t) value : (uint64_t) value;
    size_t at = sizeof digits, length;
    do {
        digits[--at] = (char) ('0' + left % 10);
        left /= 10;
    } while (left != 0);
    if (value < 0)
        digits[--at] = '-';
    length = sizeof digits - at;
    memcpy (out, digits + at, length);
    out[length] = 0;
    return length;
}

static char hex_digit (uint8_t value)
{
    return (char) (value < 10 ? '0' + value : 'a' + value - 10);
}

/* The eight digits of four bytes at once: each half byte in a byte of its own, then '0' added, and to those from ten on what lies between. */
static void hex8_write (const uint8_t data[4], char out[8])
{
    uint32_t four;
    memcpy (&four, data, sizeof four);
    uint64_t w = le32toh (four);
    w = (w | w << 16) & 0x0000ffff0000ffffu;
    w = (w | w << 8) & 0x00ff00ff00ff00ffu;
    w = (w >> 4 | w << 8) & 0x0f0f0f0f0f0f0f0fu;
    uint64_t letters = (w + 0x0606060606060606u) >> 4 & 0x0101010101010101u;
    w = htole64 (w + 0x3030303030303030u + letters * ('a' - '0' - 10));
    memcpy (out, &w, sizeof w);
}

void text_write_hex (const uint8_t *data, size_t size, char *out)
{
    for (; size >= 4; size -= 4, data += 4, out += 8)
        hex8_write (data, out);
    for (; size > 0; size--, data++, out += 2) {
        out[0] = hex_digit (data[0] >> 4);
        out[1] = hex_digit (data[0] & 15);
    }
    *out = 0;
}

static int hex_value (char c)
{
    if (is_digit (c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

long text_read_hex (const char *text, size_t length, uint8_t *out, size_t capacity)
{
    if (length % 2 != 0 || length / 2 > capacity)
        return -1;
    for (size_t i = 0; i < length / 2; i++) {
        int high = hex_value (text[2 * i]);
        int low = hex_value (text[2 * i + 1]);
        if (high < 0 || low < 0)
            return -1;
        out[i] = (uint8_t) (high << 4 | low);
    }
    return (long) (length / 2);
}

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void text_write_base64 (const uint8_t *data, size_t size, char *out)
{
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t group = (uint32_t) data[i] << 16;
        if (left > 1)
            group |= (uint32_t) data[i + 1] << 8;
        if (left > 2)
            group |= data[i + 2];
        *out++ = base64_digits[group >> 18];
        *out++ = base64_digits[group >> 12 & 63];
        *out++ = left > 1 ? base64_digits[group >> 6 & 63] : '=';
        *out++ = left > 2 ? base64_digits[group & 63] : '=';
    }
    *out = 0;
}

/* One more than the value of each digit; 0 = it is none. */
static const uint8_t base64_values[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
    ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
    ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
    ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63, ['/'] = 64};

static int base64_value (char c)
{
    return (int) base64_values[(uint8_t) c] - 1;
}

/* One group of four characters, the last `padding` of which are '='. The group's 24 bits, or -1;
 * bits that the padding leaves over must be zero, else one value would have several spellings. */
static long base64_group (const char *text, size_t padding)
{
    uint32_t group = 0;
    for (size_t i = 0; i < 4; i++) {
        int value = i < 4 - padding ? base64_value (text[i]) : 0;
        if (value < 0)
            return -1;
        group = group << 6 | (uint32_t) value;
    }
    uint32_t unused = (1u << 8 * padding) - 1;
    return group & unused ? -1 : (long) group;
}

long text_read_base64 (const char *text, size_t length, uint8_t *out, size_t capacity)
{
    if (length % 4 != 0)
        return -1;
    if (length == 0)
        return 0;
    size_t padding = text[length - 1] != '=' ? 0 : text[length - 2] != '=' ? 1 : 2;
    size_t size = length / 4 * 3 - padding;
    if (size > capacity)
        return -1;
    for (size_t i = 0; i < length; i += 4) {
        bool last = i + 4 == length;
        long group = base64_group (text + i, last ? padding : 0);
        if (group < 0)
            return -1;
        size_t count = last ? 3 - padding : 3;
        for (size_t j = 0; j < count; j++)
            *out++ = (uint8_t) ((unsigned long) group >> (16 - 8 * j));
    }
    return (long) size;
}

size_t text_write_base64url (const uint8_t *data, size_t size, char *out)
{
    size_t length = (size * 4 + 2) / 3;
    text_write_base64 (data, size, out);
    for (size_t i = 0; i < length; i++)
        out[i] = out[i] == '+' ? '-' : out[i] == '/' ? '_' : out[i];
    out[length] = 0;
    return length;
}

/* As text_read_base64, a group at a time. */
long text_read_base64url (const char *text, size_t length, uint8_t *out, size_t capacity)
{
    long used = 0;
    if (length % 4 == 1)
        return -1;
    for (size_t i = 0; i < length; i += 4) {
        size_t left = length - i < 4 ? length - i : 4;
        char group[4] = {'=', '=', '=', '='};
        for (size_t k = 0; k < left; k++) {
            char c = text[i + k];
            if (c == '+' || c == '/' || c == '=')
                return -1;
            group[k] = c == '-' ? '+' : c == '_' ? '/' : c;
        }
        long size = text_read_base64 (group, 4, out + used, capacity - (size_t) used);
        if (size < 0)
            return -1;
        used += size;
    }
    return used;
}

bool text_read_duration (const char *text, int64_t *out_ms)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};

    if (!text || !is_digit (*text))
        return false;
    int64_t value = 0;
    for (; is_digit (*text); text++)
        if (__builtin_mul_overflow (value, (int64_t) 10, &value) ||
            __builtin_add_overflow (value, (int64_t) (*text - '0'), &value))
            return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp (text, units[i].unit) != 0)
            continue;
        if (__builtin_mul_overflow (value, units[i].ms, &value))
            return false;
        *out_ms = value;
        return true;
    }
    return false;
}
