/* logs.c - prefixing and passing on log lines without ever blocking.
 *
 * The descriptor is the caller's terminal or pipe and stays blocking (its flags are shared with others): poll says when a write of up
 * to 4096 bytes cannot block. A closed reader loses the lines, nothing else. */
#include "logs.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { WAITING_MAX = 1 << 20, WRITE_MAX = 4096 };

void logs_open (logs_t *self, int fd)
{
    memset (self, 0, sizeof *self);
    self->fd = fd;
}

void logs_close (logs_t *self)
{
    logs_flush (self);
    buf_free (&self->waiting);
}

bool logs_waiting (const logs_t *self)
{
    return self->waiting.size > 0;
}

static void waiting_take (buf_t *waiting, size_t size)
{
    memmove (waiting->data, waiting->data + size, waiting->size - size);
    waiting->size -= size;
}

void logs_flush (logs_t *self)
{
    while (self->waiting.size) {
        struct pollfd out = {.fd = self->fd, .events = POLLOUT};
        if (poll (&out, 1, 0) != 1)
            return;
        size_t size = self->waiting.size < WRITE_MAX ? self->waiting.size : WRITE_MAX;
        ssize_t n = out.revents & POLLOUT ? write (self->fd, self->waiting.data, size) : -1;
        if (n < 0 && errno == EINTR)
            continue;
        waiting_take (&self->waiting, n > 0 ? (size_t) n : self->waiting.size);
    }
}

void logs_put (logs_t *self, const char *prefix, const char *text, size_t size)
{
    if (self->dropped && self->waiting.size < WAITING_MAX / 2) {
        buf_printf (&self->waiting, "aviary | %zu log lines were dropped: nobody read them\n",
                    self->dropped);
        self->dropped = 0;
    }
    if (self->dropped || self->waiting.size + size > WAITING_MAX)
        self->dropped++;
    else {
        buf_printf (&self->waiting, "%s | ", prefix);
        buf_add (&self->waiting, text, size);
        buf_add_byte (&self->waiting, '\n');
    }
    logs_flush (self);
}

void logs_printf (logs_t *self, const char *prefix, const char *format, ...)
{
    char text[2048];
    va_list args;
    va_start (args, format);
    int n = vsnprintf (text, sizeof text, format, args);
    va_end (args);
    if (n > 0)
        logs_put (self, prefix, text, (size_t) n < sizeof text ? (size_t) n : sizeof text - 1);
}

static void lines_out (logs_t *self, const char *prefix, log_line_t *line)
{
    char *at = line->text;
    char *end = line->text + line->size;
    for (char *newline; (newline = memchr (at, '\n', (size_t) (end - at))); at = newline + 1)
        logs_put (self, prefix, at, (size_t) (newline - at));
    line->size = (size_t) (end - at);
    if (line->size == sizeof line->text) {
        logs_put (self, prefix, line->text, line->size);
        line->size = 0;
    }
    memmove (line->text, at, line->size);
}

bool logs_copy (logs_t *self, const char *prefix, int from, log_line_t *line)
{
    ssize_t n = read (from, line->text + line->size, sizeof line->text - line->size);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    line->size += (size_t) n;
    lines_out (self, prefix, line);
    return n > 0;
}

void logs_end (logs_t *self, const char *prefix, log_line_t *line)
{
    if (line->size)
        logs_put (self, prefix, line->text, line->size);
    line->size = 0;
}
