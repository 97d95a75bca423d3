/* alloc.h - memory that is there. A simulator without memory has nothing useful left to do, so these abort with a line on stderr; what outsiders can
 * make it hold is bounded by the limits of requests, tables and logs. */
#ifndef AVIARY_SIM_ALLOC_H
#define AVIARY_SIM_ALLOC_H

#include <stddef.h>

void *must_alloc (size_t size); /* zeroed */
void *must_grow (void *data, size_t size);
void *must_copy (const void *data, size_t size);
char *must_strdup (const char *text); /* NULL gives NULL */
char *must_printf (const char *format, ...) __attribute__ ((format (printf, 1, 2)));
/* Free *slot and put a copy of `text` there (NULL is fine). */
void text_replace (char **slot, const char *text);

#endif
