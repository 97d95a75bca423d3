/* log.c - a line is built whole and written at once, so that lines of several processes on one stderr do not mix. */
#include "log.h"

#include "base/buf.h"
#include "base/clock.h"

#include <unistd.h>

static void text_add (buf_t *out, const char *text)
{
    buf_add_byte (out, '"');
    for (const char *c = text; *c; c++) {
        if (*c == '"' || *c == '\\')
            buf_printf (out, "\\%c", *c);
        else if ((unsigned char) *c < 0x20)
            buf_printf (out, "\\u%04x", (unsigned) *c);
        else
            buf_add_byte (out, (uint8_t) *c);
    }
    buf_add_byte (out, '"');
}

void log_line (const char *level, const char *msg, const log_field_t *fields)
{
    buf_t line = {0};
    char time[CLOCK_ISO_SIZE];
    clock_write_iso (clock_now_ms (), time);
    buf_printf (&line, "{\"ts\":\"%s\",\"level\":\"%s\",\"service\":\"broker\",\"msg\":", time,
                level);
    text_add (&line, msg);
    for (; fields && fields->name; fields++) {
        buf_printf (&line, ",\"%s\":", fields->name);
        if (fields->text)
            text_add (&line, fields->text);
        else
            buf_printf (&line, "%lld", fields->number);
    }
    buf_add_str (&line, "}\n");
    if (!buf_failed (&line) && write (STDERR_FILENO, line.data, line.size) < 0) {
        /* nobody is there to be told */
    }
    buf_free (&line);
}
