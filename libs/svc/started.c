/* started.c - the mapped file of started jobs.
 *
 * A new file is written aside and renamed into place, so there is always a whole one. A mark is a plain store of the id, then of the state: the kernel keeps both when
 * the process is killed, and a kill between the two leaves a job that was not handed over yet as not started, which is right. Fails with E_IO. */
#include "svc/started.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/text.h"

enum { SLOTS_MAX = 1 << 20, PATH_SIZE = 1024 };

static const char started_magic[8] = "AVSTART1";

typedef struct header {
    char magic[8];
    uint32_t slots;
    uint32_t reserved;
    id16_t epoch;
    id16_t boot;
    uint8_t rest[16];
} header_t;

typedef struct slot {
    id16_t job;
    atomic_uint state; /* 1 = started */
    uint8_t rest[12];
} slot_t;

_Static_assert(sizeof (header_t) == 64 && sizeof (slot_t) == 32, "what is on disk");

struct started {
    char path[PATH_SIZE];
    id16_t epoch;
    id16_t boot; /* nil: unknown, nothing is trusted */
    bool trusted;
    id16_t *was; /* sorted */
    size_t was_count;
    header_t *map;
    size_t map_size;
    unsigned slots;
};

static id16_t boot_id (void)
{
    char text[ID_UUID_LENGTH], digits[ID_UUID_LENGTH];
    id16_t id = id_nil ();
    int fd = open ("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return id;
    ssize_t got = read (fd, text, sizeof text);
    close (fd);
    size_t n = 0;
    for (ssize_t i = 0; i < got; i++)
        if (text[i] != '-')
            digits[n++] = text[i];
    if (n != 2 * sizeof id.b || text_read_hex (digits, n, id.b, sizeof id.b) != sizeof id.b)
        return id_nil ();
    return id;
}

static int compare (const void *a, const void *b)
{
    return id_compare (*(const id16_t *) a, *(const id16_t *) b);
}

/* What the file says, if it is ours. */
static int started_read (started_t *self, FILE *file)
{
    header_t header;
    if (fread (&header, sizeof header, 1, file) != 1 ||
        memcmp (header.magic, started_magic, sizeof header.magic) != 0 ||
        header.slots > SLOTS_MAX || !id_equal (header.epoch, self->epoch) ||
        id_is_nil (self->boot) || !id_equal (header.boot, self->boot))
        return 0;
    self->was = calloc (header.slots ? header.slots : 1, sizeof *self->was);
    if (!self->was)
        return E_NO_MEMORY;
    for (uint32_t i = 0; i < header.slots; i++) {
        slot_t slot;
        if (fread (&slot, sizeof slot, 1, file) != 1)
            return 0;
        if (atomic_load (&slot.state))
            self->was[self->was_count++] = slot.job;
    }
    qsort (self->was, self->was_count, sizeof *self->was, compare);
    self->trusted = true;
    return 0;
}

int started_open (const char *path, id16_t epoch, started_t **out, failure_t *failure)
{
    started_t *self = calloc (1, sizeof *self);
    if (!self)
        return failure_set (failure, E_NO_MEMORY, "", "No memory for the file of started jobs");
    self->epoch = epoch;
    self->boot = boot_id ();
    int length = snprintf (self->path, sizeof self->path, "%s", path);
    FILE *file = length > 0 && (size_t) length < sizeof self->path - 8 ? fopen (path, "rbe") : NULL;
    int rc = !file && errno != ENOENT
                 ? failure_set (failure, E_IO, "", "%s cannot be read: %s", path, strerror (errno))
                 : 0;
    if (file) {
        rc = started_read (self, file);
        fclose (file);
    }
    if (rc)
        started_close (&self);
    else
        *out = self;
    return rc;
}

void started_close (started_t **self)
{
    if (!self || !*self)
        return;
    if ((*self)->map)
        munmap ((*self)->map, (*self)->map_size);
    free ((*self)->was);
    free (*self);
    *self = NULL;
}

bool started_trusted (const started_t *self)
{
    return self->trusted;
}

bool started_was (const started_t *self, id16_t job)
{
    return self->was_count && bsearch (&job, self->was, self->was_count, sizeof job, compare);
}

static slot_t *slot_at (const started_t *self, unsigned slot)
{
    return (slot_t *) (void *) (self->map + 1) + slot;
}

static int started_make (started_t *self, const char *path, unsigned slots, const id16_t *jobs,
                         size_t count)
{
    size_t size = sizeof (header_t) + slots * sizeof (slot_t);
    int fd = open (path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    /* posix_fallocate: a full disk is told here, not by SIGBUS at a mark. */
    int no = posix_fallocate (fd, 0, (off_t) size);
    void *map = no ? MAP_FAILED : mmap (NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (!no && map == MAP_FAILED)
        no = errno;
    close (fd);
    errno = no;
    if (no)
        return -1;
    if (self->map)
        munmap (self->map, self->map_size);
    self->map = map;
    self->map_size = size;
    self->slots = slots;
    header_t header = {.slots = slots, .epoch = self->epoch, .boot = self->boot};
    memcpy (header.magic, started_magic, sizeof header.magic);
    *self->map = header;
    for (size_t i = 0; i < count; i++)
        started_mark (self, (unsigned) i, jobs[i]);
    return 0;
}

int started_renew (started_t *self, unsigned slots, const id16_t *jobs, size_t count,
                   failure_t *failure)
{
    char aside[PATH_SIZE + 8];
    snprintf (aside, sizeof aside, "%s.new", self->path);
    if (count > slots)
        slots = (unsigned) count;
    if (slots > SLOTS_MAX || started_make (self, aside, slots, jobs, count) ||
        rename (aside, self->path)) {
        failure_set (failure, E_IO, "", "%s cannot be written: %s", self->path, strerror (errno));
        unlink (aside);
        return E_IO;
    }
    return 0;
}

void started_mark (started_t *self, unsigned slot, id16_t job)
{
    if (!self->map || slot >= self->slots)
        return;
    slot_t *at = slot_at (self, slot);
    at->job = job;
    atomic_store_explicit (&at->state, 1, memory_order_release);
    atomic_thread_fence (memory_order_release);
}

void started_clear (started_t *self, unsigned slot)
{
    if (self->map && slot < self->slots)
        atomic_store_explicit (&slot_at (self, slot)->state, 0, memory_order_release);
}
