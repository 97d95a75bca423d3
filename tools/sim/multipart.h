/* multipart.h - multipart/form-data of a body that is all there (RFC 7578). */
#ifndef AVIARY_SIM_MULTIPART_H
#define AVIARY_SIM_MULTIPART_H

#include "base/arena.h"
#include "base/buf.h"

enum { MULTIPART_PARTS_MAX = 32 };

typedef struct multipart_part {
    const char *name;
    const char *filename;     /* NULL = a plain field */
    const char *content_type; /* NULL if not given */
    bytes_t content;          /* borrowed from the body */
} multipart_part_t;

typedef struct multipart {
    multipart_part_t parts[MULTIPART_PARTS_MAX];
    size_t count;
} multipart_t;

/* False if the content type is not multipart/form-data with a boundary, or the body is malformed, cut short or of too many parts. Texts are copied to
 * the arena. */
bool multipart_read (arena_t *arena, const char *content_type, bytes_t body, multipart_t *out);
const multipart_part_t *multipart_find (const multipart_t *self, const char *name); /* NULL if absent */

#endif
