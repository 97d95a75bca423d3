/* json.h - writing JSON by hand. */
#ifndef AVIARY_JSON_H
#define AVIARY_JSON_H

#include "base/buf.h"

/* A UTF-8 text as a JSON string, quotes included. */
void json_text (buf_t *out, const char *text);

#endif
