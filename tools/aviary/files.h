/* files.h - small whole files. */
#ifndef AVIARY_FILES_H
#define AVIARY_FILES_H

#include "base/buf.h"

/* Append the file's bytes; EFBIG if it has more than `most`. 0 or an errno. */
int file_read (const char *path, size_t most, buf_t *out);
/* Write beside it (mode 0600) and rename over it. 0 or an errno. */
int file_replace (const char *path, bytes_t content);
/* mkdir -p of the last two levels, mode 0700 for what is made. 0 or an errno. */
int folder_make (const char *path);

#endif
