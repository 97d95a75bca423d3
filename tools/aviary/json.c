/* json.c - JSON strings for the few places where the command line writes JSON without a schema. Cannot fail but for memory. */
#include "json.h"

void json_text (buf_t *out, const char *text)
{
    buf_add_byte (out, '"');
    for (const unsigned char *c = (const unsigned char *) text; *c; c++) {
        if (*c == '"' || *c == '\\')
            buf_printf (out, "\\%c", *c);
        else if (*c < 0x20)
            buf_printf (out, "\\u%04x", *c);
        else
            buf_add_byte (out, *c);
    }
    buf_add_byte (out, '"');
}
