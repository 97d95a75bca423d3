/* memory_file.h - the log that memory.c keeps of its commits. */
#ifndef AVIARY_STORE_MEMORY_FILE_H
#define AVIARY_STORE_MEMORY_FILE_H

#include <sys/types.h>

#include "base/buf.h"

typedef enum log_op { LOG_TABLE = 1, LOG_PUT, LOG_DEL, LOG_CLEAR } log_op_t;

/* What a transaction did, as it will be written. */
typedef struct memory_log {
    uint8_t *data;
    size_t size, capacity;
} memory_log_t;

/* For LOG_TABLE the key is the table's name. E_NO_MEMORY. */
int log_add (memory_log_t *self, log_op_t op, unsigned table, bytes_t key, bytes_t value);
void log_free (memory_log_t *self);

/* At *at, which moves behind it. E_IO with errno: the file is as it was. */
int log_write (const memory_log_t *self, int fd, off_t *at);

typedef struct log_entry {
    log_op_t op;
    unsigned table;
    bytes_t key, value;
} log_entry_t;

/* Every entry of every whole commit; *end is behind the last one. E_IO, E_NO_MEMORY, E_CORRUPT (it is no
 * such log), or what `each` says. */
int log_read (int fd, int (*each) (void *context, const log_entry_t *entry), void *context,
              off_t *end);

#endif
