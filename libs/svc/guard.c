/* guard.c - what was running when the process died: a mapped file that survives kill -9.
 *
 * Before a handler runs, its item's id is put into the file, and taken out after. A process that starts and finds one there adds a crash
 * to that id; at three it is in quarantine and does not run again. A file that does not fit is begun anew. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "svc/inner.h"

enum { GUARD_ROWS = 64, GUARD_CRASHES = 3, GUARD_MAGIC = 0x41564744 };

typedef struct guard_row {
    id16_t id;
    uint32_t crashes;
} guard_row_t;

typedef struct guard_file {
    uint32_t magic;
    uint32_t next; /* row to use */
    id16_t running;
    guard_row_t rows[GUARD_ROWS];
} guard_file_t;

struct guard {
    guard_file_t *file;
    bool any; /* rows to compare with */
};

static void guard_blame (guard_file_t *file)
{
    for (size_t i = 0; i < GUARD_ROWS; i++) {
        if (id_equal (file->rows[i].id, file->running)) {
            file->rows[i].crashes++;
            return;
        }
    }
    guard_row_t *row = &file->rows[file->next % GUARD_ROWS];
    file->next = (file->next + 1) % GUARD_ROWS;
    *row = (guard_row_t){.id = file->running, .crashes = 1};
}

int guard_open (const char *path, guard_t **out)
{
    int fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return E_IO;
    struct stat st;
    bool fresh = fstat (fd, &st) != 0 || st.st_size != sizeof (guard_file_t);
    if (fresh && (ftruncate (fd, 0) != 0 || ftruncate (fd, sizeof (guard_file_t)) != 0)) {
        close (fd);
        return E_IO;
    }
    void *map = mmap (NULL, sizeof (guard_file_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close (fd);
    guard_t *self = map == MAP_FAILED ? NULL : calloc (1, sizeof *self);
    if (!self) {
        if (map != MAP_FAILED)
            munmap (map, sizeof (guard_file_t));
        return E_IO;
    }
    self->file = map;
    if (self->file->magic != GUARD_MAGIC)
        memset (self->file, 0, sizeof *self->file);
    self->file->magic = GUARD_MAGIC;
    if (!id_is_nil (self->file->running))
        guard_blame (self->file);
    self->file->running = id_nil ();
    for (size_t i = 0; i < GUARD_ROWS; i++)
        self->any |= self->file->rows[i].crashes > 0;
    *out = self;
    return 0;
}

void guard_close (guard_t **self)
{
    if (!self || !*self)
        return;
    munmap ((*self)->file, sizeof (guard_file_t));
    free (*self);
    *self = NULL;
}

bool guard_enter (guard_t *self, id16_t id)
{
    if (!self)
        return true;
    for (size_t i = 0; self->any && i < GUARD_ROWS; i++)
        if (self->file->rows[i].crashes >= GUARD_CRASHES && id_equal (self->file->rows[i].id, id))
            return false;
    self->file->running = id;
    atomic_signal_fence (memory_order_seq_cst);
    return true;
}

void guard_leave (guard_t *self)
{
    if (!self)
        return;
    atomic_signal_fence (memory_order_seq_cst);
    self->file->running = id_nil ();
}

unsigned guard_quarantined (const guard_t *self)
{
    unsigned n = 0;
    for (size_t i = 0; self && i < GUARD_ROWS; i++)
        n += self->file->rows[i].crashes >= GUARD_CRASHES;
    return n;
}

void guard_forget (guard_t *self, id16_t id)
{
    for (size_t i = 0; self && i < GUARD_ROWS; i++)
        if (id_equal (self->file->rows[i].id, id))
            self->file->rows[i] = (guard_row_t){0};
}
