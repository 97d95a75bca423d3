/* form.h - the parts of a multipart/form-data body, all in memory: a carrier that takes uploads keeps them anyway. */
#ifndef AVIARY_SIM_FORM_H
#define AVIARY_SIM_FORM_H

#include "web/web.h"

enum { FORM_PARTS_MAX = 32 };

typedef struct form_part {
    const char *name;         /* in the arena */
    const char *filename;     /* NULL = a plain field */
    const char *content_type; /* NULL if not given */
    buf_t content;
} form_part_t;

typedef struct form {
    form_part_t parts[FORM_PARTS_MAX];
    size_t count;
} form_t;

bool form_is_multipart (const char *content_type);
/* Read the request's body as a form of at most `limit` bytes. 0, or 413, 408 or 400; the form is empty then. */
int form_read (web_request_t *web, const char *content_type, size_t limit, form_t *out);
void form_free (form_t *self);
const form_part_t *form_find (const form_t *self, const char *name); /* NULL if absent */

#endif
