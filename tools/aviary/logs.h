/* logs.h - the supervisor's output: lines of many processes, each with its prefix, on one descriptor that may be slow.
 *
 * A reader that does not read (a stopped terminal, a forgotten pipe) must not stop the services: lines wait here up to 1 MiB, then whole
 * lines are dropped and counted, and a line tells how many. */
#ifndef AVIARY_LOGS_H
#define AVIARY_LOGS_H

#include "base/buf.h"

typedef struct logs {
    int fd;
    buf_t waiting;
    size_t dropped;
} logs_t;

typedef struct log_line { /* what a process has written of a line that is not ended yet */
    char text[8192];
    size_t size;
} log_line_t;

void logs_open (logs_t *self, int fd);
void logs_close (logs_t *self); /* tries once more, without waiting */
/* "PREFIX | TEXT\n" */
void logs_put (logs_t *self, const char *prefix, const char *text, size_t size);
void logs_printf (logs_t *self, const char *prefix, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));
/* Read what is there at `from`; whole lines go out, longer ones in pieces. false at the end of file. */
bool logs_copy (logs_t *self, const char *prefix, int from, log_line_t *line);
void logs_end (logs_t *self, const char *prefix,
               log_line_t *line);       /* a last line without its newline */
bool logs_waiting (const logs_t *self); /* poll fd for writing */
void logs_flush (logs_t *self);         /* as much as goes without blocking */

#endif
