/* params.h - header values with parameters: value; name=text; name="quoted text". Inside libs/web only. */
#ifndef AVIARY_WEB_PARAMS_H
#define AVIARY_WEB_PARAMS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct params {
    const char *value; /* before the first ";" */
    size_t value_size;
    const char *at;
    const char *end;
    bool failed; /* malformed: params_next says false */
} params_t;

typedef struct param {
    const char *name; /* borrowed from the header */
    size_t name_size;
    size_t size; /* of the text, which was copied */
} param_t;

bool params_is_token (const char *text, size_t size); /* RFC 9110 token, not empty */
/* Borrow a header's value, blanks around it trimmed. False if nothing stands before the first ";". */
bool params_start (params_t *self, const char *text, size_t size);
bool params_value_is (const params_t *self, const char *want); /* case ignored */
/* The next parameter, its text unquoted, NUL-terminated in out. False at the end, or with `failed`: malformed or longer than out. In quoted text \" is " and \\
 * is \, any other backslash is itself (as browsers send filenames). */
bool params_next (params_t *self, param_t *param, char *out, size_t capacity);
bool params_name_is (const param_t *self, const char *want); /* case ignored */

#endif
