/* segments.c - see segments.h. How it fails: it does not; what is not UTF-8 counts as one UCS-2 unit a byte. */
#include "segments.h"

#include <stdint.h>
#include <string.h>

/* Code points of the default alphabet outside of ASCII, and of its extension table (two septets each). */
static const uint16_t gsm_more[] = {
    0xa3,  0xa5,  0xe8,  0xe9,  0xf9,  0xec,  0xf2,  0xc7,  0xd8,  0xf8, 0xc5, 0xe5, 0x394,
    0x3a6, 0x393, 0x39b, 0x3a9, 0x3a0, 0x3a8, 0x3a3, 0x398, 0x39e, 0xc6, 0xe6, 0xdf, 0xc9,
    0xa4,  0xa1,  0xc4,  0xd6,  0xd1,  0xdc,  0xa7,  0xbf,  0xe4,  0xf6, 0xf1, 0xfc, 0xe0};
static const char gsm_extended[] = "\f^{}\\[~]|";

/* Septets of a code point; 0 if the alphabet has none. */
static size_t gsm_septets (uint32_t point)
{
    if (point == 0x20ac)
        return 2;
    if (point < 0x80) {
        if (point != 0 && strchr (gsm_extended, (int) point) != NULL)
            return 2;
        return (point >= 0x20 && point != '`' && point != 0x7f) || point == '\n' || point == '\r';
    }
    for (size_t i = 0; i < sizeof gsm_more / sizeof gsm_more[0]; i++)
        if (gsm_more[i] == point)
            return 1;
    return 0;
}

static uint32_t point_next (const unsigned char **at)
{
    const unsigned char *in = *at;
    size_t more = in[0] >= 0xf0 ? 3 : in[0] >= 0xe0 ? 2 : in[0] >= 0xc0 ? 1 : 0;
    uint32_t point = more == 0 ? in[0] : in[0] & (0x3fu >> more);
    for (size_t i = 1; i <= more; i++) {
        if ((in[i] & 0xc0) != 0x80) {
            *at = in + 1;
            return 0xfffd;
        }
        point = point << 6 | (in[i] & 0x3fu);
    }
    *at = in + more + 1;
    return point;
}

segments_t segments_of (const char *utf8, bool ucs2)
{
    size_t septets = 0, wide = 0;
    for (const unsigned char *at = (const unsigned char *) utf8; *at != '\0';) {
        uint32_t point = point_next (&at);
        size_t one = gsm_septets (point);
        ucs2 = ucs2 || one == 0;
        septets += one;
        wide += point >= 0x10000 ? 2 : 1;
    }
    segments_t out = {.ucs2 = ucs2, .units = ucs2 ? wide : septets};
    size_t alone = ucs2 ? 70 : 160, each = ucs2 ? 67 : 153;
    out.parts = out.units <= alone ? 1 : (out.units + each - 1) / each;
    return out;
}
