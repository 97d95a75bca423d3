/* json.c - JSON strings for the few places where the command line writes JSON without a schema. Cannot fail but for memory. */
#include "json.h"

/* How much of it stands for itself. */
static size_t plain_length (const char *text)
{
    size_t length = 0;
    for (const unsigned char *c = (const unsigned char *) text;
         c[length] >= 0x20 && c[length] != '"' && c[length] != '\\';)
        length++;
    return length;
}

void json_text (buf_t *out, const char *text)
{
    buf_add_byte (out, '"');
    for (;;) {
        size_t plain = plain_length (text);
        buf_add (out, text, plain);
        text += plain;
        if (!*text)
            break;
        if (*text == '"' || *text == '\\')
            buf_printf (out, "\\%c", *text);
        else
            buf_printf (out, "\\u%04x", (unsigned char) *text);
        text++;
    }
    buf_add_byte (out, '"');
}
