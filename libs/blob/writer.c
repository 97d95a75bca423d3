/* writer.c - streaming a blob to disk: temporary name, hash, sniff, then its place.
 *
 * The temporary file is locked while its writer lives, so that a sweep never takes it away. The file is complete and synced before it gets a name that readers look
 * at, and gets it by a hard link, which unlike a rename cannot replace what is there. Whatever fails, nothing but at most the temporary name (after a crash)
 * is left. */
#include "blob/inner.h"

#include "base/clock.h"
#include "base/text.h"
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER_SIZE = 32 << 10, SPACE_STEP = 4 << 20 };

struct blob_writer {
    blobs_t *blobs;
    EVP_MD_CTX *hash;
    int fd;
    int code; /* of the first failure */
    bool ended;
    uint64_t limit;
    uint64_t size;
    uint64_t look_at; /* size at which free space is looked at again */
    char name[NAME_SIZE];
    size_t held;
    uint8_t buffer[BUFFER_SIZE];
};

static int temporary_make (blob_writer_t *self, failure_t *failure)
{
    id16_t random;
    if (getrandom (random.b, sizeof random.b, 0) != (ssize_t) sizeof random.b)
        return system_fail (failure, "draw a random name");
    name_write (random, self->name);
    self->fd = openat (self->blobs->temp, self->name,
                       O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (self->fd < 0)
        return system_fail (failure, "make a file");
    if (flock (self->fd, LOCK_EX | LOCK_NB) != 0)
        return system_fail (failure, "lock a new file");
    return 0;
}

int blob_writer_new (blobs_t *blobs, uint64_t limit, blob_writer_t **out, failure_t *failure)
{
    int code = space_check (blobs, failure);
    if (code)
        return code;
    blob_writer_t *self = malloc (sizeof *self);
    if (self == NULL)
        return failure_set (failure, E_NO_MEMORY, NULL, "no memory to write a file");
    self->blobs = blobs;
    self->hash = EVP_MD_CTX_new ();
    self->fd = -1;
    self->code = 0;
    self->ended = false;
    self->limit = limit;
    self->size = 0;
    self->look_at = SPACE_STEP;
    self->held = 0;
    if (self->hash == NULL || EVP_DigestInit_ex (self->hash, EVP_sha256 (), NULL) != 1)
        code = failure_set (failure, E_NO_MEMORY, NULL, "no memory to hash a file");
    else
        code = temporary_make (self, failure);
    if (code) {
        blob_writer_destroy (&self);
        return code;
    }
    *out = self;
    return 0;
}

void blob_writer_destroy (blob_writer_t **self)
{
    if (self == NULL || *self == NULL)
        return;
    if ((*self)->fd >= 0) {
        unlinkat ((*self)->blobs->temp, (*self)->name, 0);
        close ((*self)->fd);
    }
    EVP_MD_CTX_free ((*self)->hash);
    free (*self);
    *self = NULL;
}

static int file_write (blob_writer_t *self, const uint8_t *data, size_t size, failure_t *failure)
{
    if (EVP_DigestUpdate (self->hash, data, size) != 1)
        return failure_set (failure, E_INTERNAL, NULL, "hashing failed");
    while (size > 0) {
        ssize_t n = write (self->fd, data, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return system_fail (failure, "write the file");
        data += n;
        size -= (size_t) n;
    }
    return 0;
}

static int buffer_flush (blob_writer_t *self, failure_t *failure)
{
    size_t held = self->held;
    self->held = 0;
    return held > 0 ? file_write (self, self->buffer, held, failure) : 0;
}

static int data_take (blob_writer_t *self, bytes_t data, failure_t *failure)
{
    if (data.size > self->limit - self->size)
        return failure_set (failure, E_MEDIA_TOO_LARGE, "file",
                            "the file is larger than %llu bytes", (unsigned long long) self->limit);
    self->size += data.size;
    if (self->size >= self->look_at) {
        self->look_at = self->size + SPACE_STEP;
        int code = space_check (self->blobs, failure);
        if (code)
            return code;
    }
    if (data.size > sizeof self->buffer - self->held) {
        int code = buffer_flush (self, failure);
        if (code)
            return code;
    }
    if (data.size >= sizeof self->buffer)
        return file_write (self, data.data, data.size, failure);
    if (data.size > 0)
        memcpy (self->buffer + self->held, data.data, data.size);
    self->held += data.size;
    return 0;
}

int blob_writer_add (blob_writer_t *self, bytes_t data, failure_t *failure)
{
    if (self->code)
        return failure_set (failure, self->code, "file", "writing the file failed before");
    if (self->ended)
        return failure_set (failure, E_INTERNAL, NULL, "the file was ended before");
    return self->code = data_take (self, data, failure);
}

static long temporary_read (void *context, uint64_t offset, void *out, size_t size)
{
    const blob_writer_t *self = context;
    size_t got = 0;
    while (got < size) {
        ssize_t n = pread (self->fd, (uint8_t *) out + got, size - got, (off_t) (offset + got));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        got += (size_t) n;
    }
    return (long) got;
}

int blob_writer_end (blob_writer_t *self, blob_seen_t *seen, uint8_t sha256[BLOB_SHA256_SIZE],
                     failure_t *failure)
{
    if (self->code)
        return failure_set (failure, self->code, "file", "writing the file failed before");
    if (self->ended)
        return failure_set (failure, E_INTERNAL, NULL, "the file was ended before");
    int code = buffer_flush (self, failure);
    if (code == 0 && EVP_DigestFinal_ex (self->hash, sha256, NULL) != 1)
        code = failure_set (failure, E_INTERNAL, NULL, "hashing failed");
    if (code == 0 && blob_sniff (temporary_read, self, self->size, seen) != 0)
        code = system_fail (failure, "read the file again");
    self->code = code;
    self->ended = code == 0;
    return code;
}

/* The age of a pending file is told by the house's clock, which tests move. */
static int time_set (int fd)
{
    int64_t now = clock_now_ms ();
    struct timespec at = {.tv_sec = (time_t) (now / 1000),
                          .tv_nsec = (long) (now % 1000) * 1000000};
    const struct timespec times[2] = {at, at};
    return futimens (fd, times);
}

static bool is_kept (const blobs_t *blobs, id16_t id, const char *name)
{
    int leaf = leaf_open (blobs, id, false);
    if (leaf < 0)
        return false;
    bool there = faccessat (leaf, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    close (leaf);
    return there;
}

static int file_place (blob_writer_t *self, id16_t id, failure_t *failure)
{
    blobs_t *blobs = self->blobs;
    char name[NAME_SIZE];
    name_write (id, name);
    if (self->code || !self->ended)
        return failure_set (failure, self->code ? self->code : E_INTERNAL, "file",
                            "the file is not complete");
    if (is_kept (blobs, id, name))
        return failure_set (failure, E_ALREADY_EXISTS, NULL, "a file of this id is there");
    if (time_set (self->fd) != 0 || fsync (self->fd) != 0)
        return system_fail (failure, "sync the file");
    if (linkat (blobs->temp, self->name, blobs->pending, name, 0) != 0)
        return errno == EEXIST
                   ? failure_set (failure, E_ALREADY_EXISTS, NULL, "a file of this id is there")
                   : system_fail (failure, "name the file");
    if (fsync (blobs->pending) == 0)
        return 0;
    int code = system_fail (failure, "sync the media folder");
    unlinkat (blobs->pending, name, 0);
    return code;
}

int blob_writer_finish (blob_writer_t **self, id16_t id, failure_t *failure)
{
    int code = file_place (*self, id, failure);
    blob_writer_destroy (self); /* the temporary name goes in any case */
    return code;
}
