/* err.c - the table of error codes, and filling a failure.
 *
 * Cannot fail: unknown codes read as internal, text that is too long or not UTF-8 is mended. */
#include "base/err.h"
#include "base/text.h"
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

typedef struct row {
    int code;
    const char *name;
    error_class_t class;
    const char *doc;
} row_t;

/* Indexed by code; codes that nobody has are zero rows. */
#define ROW(code, name, class, doc) [code] = {code, name, class, doc},
static const row_t rows[] = {ERROR_ROWS (ROW)};
#undef ROW

enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

static const row_t *row_of (int code)
{
    if (code <= 0 || code >= ROW_COUNT || !rows[code].name)
        return NULL;
    return &rows[code];
}

const char *error_name (int code)
{
    if (code == E_OK)
        return "ok";
    const row_t *row = row_of (code);
    return row ? row->name : "internal";
}

error_class_t error_class (int code)
{
    if (code == E_OK)
        return EC_OK;
    const row_t *row = row_of (code);
    return row ? row->class : EC_INTERNAL;
}

const char *error_doc (int code)
{
    if (code == E_OK)
        return "";
    const row_t *row = row_of (code);
    return row ? row->doc : error_doc (E_INTERNAL);
}

int error_read (const char *name)
{
    if (!name)
        return E_OK;
    for (int code = 1; code < ROW_COUNT; code++)
        if (rows[code].name && strcmp (rows[code].name, name) == 0)
            return code;
    return E_OK;
}

/* Bytes that are not UTF-8 become '?', but a sequence that the cut left short at the end goes. */
static void mend (char *text, bool was_cut)
{
    size_t length = strlen (text);
    for (size_t i = 0; i < length;) {
        size_t step = text_utf8_step (text + i, length - i);
        if (step == 0 && was_cut && length - i < 4) {
            text[i] = 0;
            return;
        }
        if (step == 0) {
            text[i] = '?';
            step = 1;
        }
        i += step;
    }
}

int failure_set (failure_t *self, int code, const char *field, const char *format, ...)
{
    if (!self)
        return code;
    failure_t made = {.code = code};
    int length = snprintf (made.field, sizeof made.field, "%s", field ? field : "");
    mend (made.field, length >= (int) sizeof made.field);

    va_list args;
    va_start (args, format);
    length = vsnprintf (made.text, sizeof made.text, format, args);
    va_end (args);
    mend (made.text, length >= (int) sizeof made.text);
    *self = made;
    return code;
}
