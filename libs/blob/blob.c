/* blob.c - the folder: opening it, names, readers, adopting and deleting.
 *
 * Everything is reached from three open folders, by names made of ids. A change is done when the file's and the folder's fsync came back. A kept folder may
 * be removed by a sweep, when empty, at any moment: who moves a file there makes it again. */
#include "blob/inner.h"

#include "base/text.h"
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct blob_reader {
    int fd;
    uint64_t size;
};

int system_fail (failure_t *failure, const char *what)
{
    int number = errno;
    int code = E_IO;
    char text[128];
    if (number == ENOSPC || number == EDQUOT)
        code = E_DISK_LOW;
    else if (number == ENOMEM)
        code = E_NO_MEMORY;
    return failure_set (failure, code, NULL, "cannot %s: %s", what,
                        strerror_r (number, text, sizeof text));
}

/* ---- names ---- */

void name_write (id16_t id, char out[NAME_SIZE])
{
    text_write_hex (id.b, sizeof id.b, out);
}

bool name_read (const char *name, id16_t *out)
{
    id16_t id = id_nil ();
    char again[NAME_SIZE];
    if (strlen (name) != NAME_SIZE - 1 ||
        text_read_hex (name, NAME_SIZE - 1, id.b, sizeof id.b) != (long) sizeof id.b)
        return false;
    name_write (id, again);
    if (strcmp (again, name) != 0)
        return false;
    *out = id;
    return true;
}

static int folder_make (int parent, const char *name)
{
    if (mkdirat (parent, name, 0700) == 0)
        return fsync (parent);
    return errno == EEXIST ? 0 : -1;
}

static int folder_open (int parent, const char *name, bool make)
{
    if (make && folder_make (parent, name) != 0)
        return -1;
    return openat (parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

int leaf_open (const blobs_t *self, id16_t id, bool make)
{
    char name[NAME_SIZE], upper[5], lower[3];
    name_write (id, name);
    snprintf (upper, sizeof upper, "%.4s", name);
    snprintf (lower, sizeof lower, "%.2s", name + 4);
    for (unsigned tries = 0; tries < 16; tries++) {
        int outer = folder_open (self->kept, upper, make);
        int inner = outer < 0 ? -1 : folder_open (outer, lower, make);
        int saved = errno;
        if (outer >= 0)
            close (outer);
        errno = saved;
        if (inner >= 0 || !make || saved != ENOENT)
            return inner;
    }
    return -1;
}

/* ---- the folder ---- */

int blobs_open (const char *folder, uint64_t reserve, blobs_t **out, failure_t *failure)
{
    blobs_t *self = malloc (sizeof *self);
    if (self == NULL)
        return failure_set (failure, E_NO_MEMORY, NULL, "no memory for the media folder");
    *self = (blobs_t){.reserve = reserve, .temp = -1, .pending = -1, .kept = -1};
    self->folder = strdup (folder);
    if (self->folder == NULL) {
        blobs_close (&self);
        return failure_set (failure, E_NO_MEMORY, NULL, "no memory for the media folder");
    }
    int root = mkdir (folder, 0700) != 0 && errno != EEXIST
                   ? -1
                   : open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root >= 0) {
        self->temp = folder_open (root, "temp", true);
        self->pending = self->temp < 0 ? -1 : folder_open (root, "pending", true);
        self->kept = self->pending < 0 ? -1 : folder_open (root, "kept", true);
    }
    if (self->kept < 0) {
        char text[128];
        failure_set (failure, E_IO, NULL, "%s: cannot open the media folder: %s", folder,
                     strerror_r (errno, text, sizeof text));
        if (root >= 0)
            close (root);
        blobs_close (&self);
        return E_IO;
    }
    close (root);
    *out = self;
    return 0;
}

void blobs_close (blobs_t **self)
{
    if (self == NULL || *self == NULL)
        return;
    const int folders[] = {(*self)->temp, (*self)->pending, (*self)->kept};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
        if (folders[i] >= 0)
            close (folders[i]);
    free ((*self)->folder);
    free (*self);
    *self = NULL;
}

int space_check (const blobs_t *self, failure_t *failure)
{
    struct statvfs fs;
    if (self->reserve == 0)
        return 0;
    if (fstatvfs (self->temp, &fs) != 0)
        return system_fail (failure, "look at the disk");
    if ((uint64_t) fs.f_bavail * fs.f_frsize < self->reserve)
        return failure_set (failure, E_DISK_LOW, NULL, "too little disk is left for media");
    return 0;
}

/* ---- readers ---- */

static int kept_file_open (const blobs_t *self, id16_t id, const char *name)
{
    int leaf = leaf_open (self, id, false);
    if (leaf < 0)
        return -1;
    int fd = openat (leaf, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    int saved = errno;
    close (leaf);
    errno = saved;
    return fd;
}

int blob_reader_new (blobs_t *self, id16_t id, blob_reader_t **out, failure_t *failure)
{
    char name[NAME_SIZE];
    struct stat st;
    name_write (id, name);
    int fd = kept_file_open (self, id, name);
    if (fd < 0 && errno == ENOENT)
        fd = openat (self->pending, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT) /* adopted between the two looks */
        fd = kept_file_open (self, id, name);
    if (fd < 0 && errno == ENOENT)
        return failure_set (failure, E_NOT_FOUND, NULL, "there is no such file");
    if (fd < 0)
        return system_fail (failure, "open the file");
    blob_reader_t *reader = NULL;
    int code = 0;
    if (fstat (fd, &st) != 0)
        code = system_fail (failure, "look at the file");
    else if (!S_ISREG (st.st_mode))
        code = failure_set (failure, E_CORRUPT, NULL, "what should be a file is none");
    else if ((reader = malloc (sizeof *reader)) == NULL)
        code = failure_set (failure, E_NO_MEMORY, NULL, "no memory to read a file");
    if (code) {
        close (fd);
        return code;
    }
    *reader = (blob_reader_t){fd, (uint64_t) st.st_size};
    *out = reader;
    return 0;
}

void blob_reader_destroy (blob_reader_t **self)
{
    if (self == NULL || *self == NULL)
        return;
    close ((*self)->fd);
    free (*self);
    *self = NULL;
}

uint64_t blob_reader_size (const blob_reader_t *self)
{
    return self->size;
}

long blob_reader_pread (void *context, uint64_t offset, void *out, size_t size)
{
    blob_reader_t *self = context;
    size_t got = 0;
    while (got < size && offset + got < self->size) {
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

int blob_reader_sha256 (blob_reader_t *self, uint8_t out[BLOB_SHA256_SIZE], failure_t *failure)
{
    uint8_t piece[16384];
    EVP_MD_CTX *hash = EVP_MD_CTX_new ();
    bool ok = hash != NULL && EVP_DigestInit_ex (hash, EVP_sha256 (), NULL) == 1;
    int code = ok ? 0 : failure_set (failure, E_NO_MEMORY, NULL, "no memory to hash a file");
    for (uint64_t at = 0; code == 0 && at < self->size;) {
        long got = blob_reader_pread (self, at, piece, sizeof piece);
        if (got < 0)
            code = system_fail (failure, "read the file");
        else if (got == 0)
            code = failure_set (failure, E_CORRUPT, NULL, "the file is shorter than it was");
        else if (EVP_DigestUpdate (hash, piece, (size_t) got) != 1)
            code = failure_set (failure, E_INTERNAL, NULL, "hashing failed");
        at += got > 0 ? (uint64_t) got : 0;
    }
    if (code == 0 && EVP_DigestFinal_ex (hash, out, NULL) != 1)
        code = failure_set (failure, E_INTERNAL, NULL, "hashing failed");
    EVP_MD_CTX_free (hash);
    return code;
}

/* ---- life ---- */

static bool file_is_there (int folder, const char *name)
{
    return faccessat (folder, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int blob_path (blobs_t *self, id16_t id, char *out, size_t size, failure_t *failure)
{
    char name[NAME_SIZE];
    name_write (id, name);
    int leaf = leaf_open (self, id, false);
    bool kept = leaf >= 0 && file_is_there (leaf, name);
    if (leaf >= 0)
        close (leaf);
    if (!kept && !file_is_there (self->pending, name))
        return failure_set (failure, E_NOT_FOUND, NULL, "there is no such file");
    int used =
        kept ? snprintf (out, size, "%s/kept/%.4s/%.2s/%s", self->folder, name, name + 4, name)
             : snprintf (out, size, "%s/pending/%s", self->folder, name);
    return used > 0 && (size_t) used < size
               ? 0
               : failure_set (failure, E_TOO_LARGE, NULL, "the media folder's name is too long");
}

int blobs_adopt (blobs_t *self, id16_t id, failure_t *failure)
{
    char name[NAME_SIZE];
    name_write (id, name);
    for (unsigned tries = 0; tries < 16; tries++) {
        int leaf = leaf_open (self, id, true);
        if (leaf < 0)
            return system_fail (failure, "make a media folder");
        bool moved = renameat (self->pending, name, leaf, name) == 0;
        bool gone = !moved && errno == ENOENT;
        int code = moved || gone ? 0 : system_fail (failure, "keep the file");
        /* Also when it was kept before: whoever moved it may have died before his fsync. */
        bool kept = moved || (gone && file_is_there (leaf, name));
        if (kept && (fsync (leaf) != 0 || fsync (self->pending) != 0))
            code = system_fail (failure, "sync the media folder");
        close (leaf);
        if (kept || code)
            return code;
        if (!file_is_there (self->pending, name))
            break;
    }
    return failure_set (failure, E_NOT_FOUND, NULL, "there is no such file");
}

/* 1 removed durably, 0 not there, -1 with errno. */
static int file_remove (int folder, const char *name)
{
    if (unlinkat (folder, name, 0) != 0)
        return errno == ENOENT ? 0 : -1;
    return fsync (folder) == 0 ? 1 : -1;
}

int blobs_delete (blobs_t *self, id16_t id, failure_t *failure)
{
    char name[NAME_SIZE];
    name_write (id, name);
    /* Pending first: an adoption meanwhile only moves it to where we look next. */
    int pending = file_remove (self->pending, name);
    int leaf = pending < 0 ? -1 : leaf_open (self, id, false);
    int kept = leaf >= 0 ? file_remove (leaf, name) : errno == ENOENT ? 0 : -1;
    int saved = errno;
    if (leaf >= 0)
        close (leaf);
    errno = saved;
    if (pending < 0 || kept < 0)
        return system_fail (failure, "delete the file");
    if (!pending && !kept)
        return failure_set (failure, E_NOT_FOUND, NULL, "there is no such file");
    return 0;
}
