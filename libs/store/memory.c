/* memory.c - the backend in memory (memory.h): the environment with its file, chance, wrong use.
 *
 * A snapshot is a space (memory_space.h) that nobody changes; the newest is what reads begin with.
 *
 * Fails with E_NO_MEMORY, E_IO and E_CORRUPT of its file. Wrong use of it is our own bug: it aborts. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "store/memory_inner.h"

enum { SLEEP_RARER = 8, SLEEP_US = 20, USED_STEP = 64 << 10 };

/* ---- wrong use, chance ---- */

void memory_check (bool right, const char *wrong)
{
    if (right)
        return;
    fprintf (stderr, "store, memory backend: %s\n", wrong);
    abort ();
}

static uint64_t draw (memory_t *self)
{
    uint64_t x = self->options.seed + atomic_fetch_add (&self->draws, 1) * 0x9E3779B97F4A7C15ULL;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9ULL;
    x = (x ^ x >> 27) * 0x94D049BB133111EBULL;
    return x ^ x >> 31;
}

bool memory_chance (memory_t *self, unsigned in)
{
    return in && draw (self) % in == 0;
}

/* Others get their turn, as during a wait for a disk or a network. */
void memory_delay (memory_t *self)
{
    if (!memory_chance (self, self->options.delay_in))
        return;
    if (memory_chance (self, SLEEP_RARER))
        nanosleep (&(struct timespec){.tv_nsec = 1000 + (long) (draw (self) % SLEEP_US) * 1000},
                   NULL);
    else
        sched_yield ();
}

/* ---- the environment ---- */

int memory_fail (memory_t *self, int rc)
{
    if (rc == E_IO)
        atomic_store (&self->last, errno);
    return rc;
}

static bool memory_exists (const char *folder)
{
    return host_data_bytes (folder) > 0;
}

static bool memory_is_open (const char *folder)
{
    return host_data_is_open (folder);
}

static int file_open (const char *folder, const char *name, int flags)
{
    char path[4096];
    int n = snprintf (path, sizeof path, "%s/%s", folder, name);
    return n < 0 || (size_t) n >= sizeof path ? -1 : open (path, flags | O_CLOEXEC, 0600);
}

static int file_load (memory_t *self, unsigned tables)
{
    int rc = self->fd < 0 ? E_IO : image_load (&self->image, self->fd, tables, &self->end);
    if (!rc && ftruncate (self->fd, self->end)) /* a commit that was cut off */
        rc = E_IO;
    if (rc)
        return rc;
    self->newest = self->image.space;
    self->image.space = NULL;
    atomic_store (&self->rows_most, self->newest->bytes);
    return 0;
}

static void memory_close (void *env)
{
    memory_t *self = env;
    memory_check (!self->readers && !atomic_load (&self->writer), "closed with a transaction open");
    if (self->fd >= 0)
        close (self->fd);
    space_drop (self->newest);
    image_free (&self->image);
    pthread_mutex_destroy (&self->lock);
    free (self);
}

static int memory_open (const backend_options_t *options, void **env, failure_t *failure)
{
    memory_t *self = calloc (1, sizeof *self);
    if (!self)
        return failure_set (failure, E_NO_MEMORY, NULL, "no memory to open the store");
    pthread_mutex_init (&self->lock, NULL);
    self->map_size = options->map_size;
    self->readers_most = options->readers;
    if (options->own)
        self->options = *(const memory_options_t *) options->own;
    self->fd = file_open (options->folder, "data.mdb", O_RDWR | O_CREAT);
    int rc = file_load (self, options->tables);
    if (!rc) {
        *env = self;
        return 0;
    }
    char text[128] = "";
    if (rc == E_IO)
        snprintf (text, sizeof text, ": %s", strerror (errno));
    memory_close (self);
    return failure_set (failure, rc, NULL, "cannot open the store in %s: %s%s", options->folder,
                        error_name (rc), text);
}

static void memory_error_text (void *env, char *out, size_t size)
{
    memory_t *self = env;
    int last = atomic_load (&self->last);
    char text[128];
    snprintf (out, size, "%s", last ? strerror_r (last, text, sizeof text) : "");
}

static int memory_check_readers (void *env)
{
    (void) env;
    return 0; /* they die with the process, and so does the store */
}

/* As a file that uses again what became free, and grows by steps. */
static int memory_used_bytes (void *env, uint64_t *out)
{
    memory_t *self = env;
    *out = (atomic_load (&self->rows_most) / USED_STEP + 1) * USED_STEP;
    return 0;
}

space_t *memory_newest (memory_t *self)
{
    pthread_mutex_lock (&self->lock);
    space_t *space = space_share (self->newest);
    pthread_mutex_unlock (&self->lock);
    return space;
}

static int memory_copy (void *env, int fd)
{
    memory_t *self = env;
    pthread_mutex_lock (&self->lock); /* for the names */
    int rc = image_write (self->image.names, self->image.count, self->newest, fd);
    pthread_mutex_unlock (&self->lock);
    return memory_fail (self, rc);
}

static int memory_rebuild (const char *folder, const char *file, uint64_t map_size,
                           failure_t *failure)
{
    (void) map_size;
    image_t image = {0};
    off_t end;
    int from = file_open (folder, "data.mdb", O_RDONLY);
    int to = open (file, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int rc = from < 0 || to < 0 ? E_IO : image_load (&image, from, 1, &end);
    if (!rc)
        rc = image_write (image.names, image.count, image.space, to);
    if (!rc && fsync (to))
        rc = E_IO;
    image_free (&image);
    if (from >= 0)
        close (from);
    if (to >= 0)
        close (to);
    return rc ? failure_set (failure, rc, NULL, "cannot compact the store in %s", folder) : 0;
}

const backend_t backend_memory = {
    .name = "memory",
    .exists = memory_exists,
    .is_open = memory_is_open,
    .open = memory_open,
    .close = memory_close,
    .error_text = memory_error_text,
    .check_readers = memory_check_readers,
    .used_bytes = memory_used_bytes,
    .copy = memory_copy,
    .rebuild = memory_rebuild,
    .begin = memory_begin,
    .commit = memory_commit,
    .abort = memory_abort,
    .reset = memory_reset,
    .renew = memory_renew,
    .table = memory_table,
    .table_stat = memory_table_stat,
    .get = memory_get,
    .put = memory_put,
    .del = memory_del,
    .clear = memory_clear,
    .seek = memory_seek,
    .cursor_open = memory_cursor_open,
    .cursor_close = memory_cursor_close,
    .cursor_move = memory_cursor_move,
};
