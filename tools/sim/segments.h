/* segments.h - how a text is cut into SMS parts (3GPP TS 23.038): GSM-7 160, or 153 each of several; UCS-2 70 and 67. */
#ifndef AVIARY_SIM_SEGMENTS_H
#define AVIARY_SIM_SEGMENTS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct segments {
    bool ucs2;
    size_t units; /* septets (extension characters count two) or UTF-16 units */
    size_t parts; /* at least 1 */
} segments_t;

/* `ucs2` forces the wider encoding. */
segments_t segments_of (const char *utf8, bool ucs2);

#endif
