/* memory_file.c - see memory_file.h. A commit is a head (mark, size) and its entries: head (op, table,
 * sizes), key, value; numbers as this machine has them. What is cut off at the end was not committed. */
#include "store/memory_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "store/memory_tree.h"

enum { MARK = 0x6D656D31, LOG_FIRST = 1024 };

typedef struct commit_head {
    uint32_t mark;
    uint32_t unused;
    uint64_t size;
} commit_head_t;

typedef struct entry_head {
    uint32_t op, table, key_size, value_size;
} entry_head_t;

/* ---- writing ---- */

static int log_room (memory_log_t *self, size_t more)
{
    size_t capacity = self->capacity ? self->capacity : LOG_FIRST;
    while (capacity - self->size < more)
        capacity *= 2;
    if (capacity == self->capacity)
        return 0;
    uint8_t *data = memory_alloc (capacity);
    if (!data)
        return E_NO_MEMORY;
    if (self->size)
        memcpy (data, self->data, self->size);
    free (self->data);
    self->data = data;
    self->capacity = capacity;
    return 0;
}

static void log_bytes (memory_log_t *self, const void *data, size_t size)
{
    if (size)
        memcpy (self->data + self->size, data, size);
    self->size += size;
}

int log_add (memory_log_t *self, log_op_t op, unsigned table, bytes_t key, bytes_t value)
{
    entry_head_t head = {op, table, (uint32_t) key.size, (uint32_t) value.size};
    int rc = log_room (self, sizeof head + key.size + value.size);
    if (rc)
        return rc;
    log_bytes (self, &head, sizeof head);
    log_bytes (self, key.data, key.size);
    log_bytes (self, value.data, value.size);
    return 0;
}

void log_free (memory_log_t *self)
{
    free (self->data);
    *self = (memory_log_t){0};
}

static bool write_at (int fd, const void *data, size_t size, off_t at)
{
    const uint8_t *from = data;
    while (size) {
        ssize_t n = pwrite (fd, from, size, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        from += n;
        at += n;
        size -= (size_t) n;
    }
    return true;
}

/* The head comes last: until it is there, there is no commit. */
int log_write (const memory_log_t *self, int fd, off_t *at)
{
    commit_head_t head = {.mark = MARK, .size = self->size};
    if (write_at (fd, self->data, self->size, *at + (off_t) sizeof head) &&
        write_at (fd, &head, sizeof head, *at)) {
        *at += (off_t) (sizeof head + self->size);
        return 0;
    }
    int why = errno;
    (void) !ftruncate (fd, *at);
    errno = why;
    return E_IO;
}

/* ---- reading ---- */

static int entries_read (bytes_t in, int (*each) (void *context, const log_entry_t *entry),
                         void *context)
{
    while (in.size) {
        entry_head_t head;
        if (in.size < sizeof head)
            return E_CORRUPT;
        memcpy (&head, in.data, sizeof head);
        in = bytes_of (in.data + sizeof head, in.size - sizeof head);
        if (head.key_size > in.size || head.value_size > in.size - head.key_size)
            return E_CORRUPT;
        log_entry_t entry = {(log_op_t) head.op, head.table, bytes_of (in.data, head.key_size),
                             bytes_of (in.data + head.key_size, head.value_size)};
        size_t size = entry.key.size + entry.value.size;
        in = bytes_of (in.data + size, in.size - size);
        int rc = each (context, &entry);
        if (rc)
            return rc;
    }
    return 0;
}

static int commits_read (bytes_t in, int (*each) (void *context, const log_entry_t *entry),
                         void *context, off_t *end)
{
    commit_head_t head;
    *end = 0;
    while (in.size >= sizeof head) {
        memcpy (&head, in.data, sizeof head);
        if (head.mark != MARK)
            return *end ? 0 : E_CORRUPT;
        if (head.size > in.size - sizeof head)
            return 0;
        int rc = entries_read (bytes_of (in.data + sizeof head, head.size), each, context);
        if (rc)
            return rc;
        in = bytes_of (in.data + sizeof head + head.size, in.size - sizeof head - head.size);
        *end += (off_t) (sizeof head + head.size);
    }
    return 0;
}

int log_read (int fd, int (*each) (void *context, const log_entry_t *entry), void *context,
              off_t *end)
{
    struct stat st;
    if (fstat (fd, &st))
        return E_IO;
    size_t size = (size_t) st.st_size, done = 0;
    uint8_t *data = memory_alloc (size + 1);
    int rc = data ? 0 : E_NO_MEMORY;
    while (!rc && done < size) {
        ssize_t n = pread (fd, data + done, size - done, (off_t) done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            rc = E_IO;
        else
            done += (size_t) n;
    }
    if (!rc)
        rc = commits_read (bytes_of (data, size), each, context, end);
    free (data);
    return rc;
}
