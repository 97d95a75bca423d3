/* path.c - names the place of a failure: "to[0]", "text.body". A path too long for failure_t is cut at its end. */
#include "schema/inner.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static size_t path_write (const path_t *path, char *out, size_t size)
{
    if (!path)
        return 0;
    size_t at = path_write (path->up, out, size);
    if (at + 1 >= size)
        return at;
    int more = path->name ? snprintf (out + at, size - at, "%s%s", at ? "." : "", path->name)
                          : snprintf (out + at, size - at, "[%zu]", path->index);
    return more < 0 ? at : at + (size_t) more;
}

int path_fail (failure_t *failure, const path_t *path, int code, const char *format, ...)
{
    char field[FAILURE_FIELD_SIZE] = "", text[FAILURE_TEXT_SIZE];
    path_write (path, field, sizeof field);
    va_list args;
    va_start (args, format);
    vsnprintf (text, sizeof text, format, args);
    va_end (args);
    return failure_set (failure, code, field, "%s %s", *field ? field : "the body", text);
}

int path_no_memory (failure_t *failure)
{
    return failure_set (failure, E_NO_MEMORY, "",
                        "the request needs more memory than a request may use");
}
