/* mapped.h - a file of counters that all edges of a host have mapped. */
#ifndef AVIARY_EDGE_MAPPED_H
#define AVIARY_EDGE_MAPPED_H

#include <stddef.h>

/* The file's bytes, shared; made of zeros if absent, replaced if of another size. NULL if it cannot be had. */
void *mapped_open (const char *path, size_t size);
void mapped_close (void *data, size_t size);

#endif
