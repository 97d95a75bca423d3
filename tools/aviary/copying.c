/* copying.c - see copying.h. Files are mapped, not read: stores are larger than memory. */
#define _GNU_SOURCE /* syncfs */

#include "copying.h"
#include "files.h"

#include "base/text.h"
#include "sign/sign.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Webhooks follow all others, inbox follows messaging and accounts, messaging templates and accounts (and inbox, for erasures only), templates accounts. */
const char *const backup_order[] = {"webhooks",  "inbox",    "messaging",
                                    "templates", "accounts", NULL};

const house_file_t house_files[] = {
    {"keys/keyring", "keyring", true},
    {"credentials.json", "credentials.json", false},
    {"aviary.conf", "aviary.conf", false},
    {"simulator.json", "simulator.json", false},
};
const size_t house_file_count = sizeof house_files / sizeof house_files[0];
const char media_sums[] = "media.sums";

typedef struct mapped {
    void *at;
    size_t size;
    struct timespec changed;
} mapped_t;

static int map_open (const char *path, mapped_t *out)
{
    struct stat st;
    int fd = open (path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno;
    int rc = fstat (fd, &st) ? errno : S_ISREG (st.st_mode) ? 0 : EINVAL;
    *out = (mapped_t){0};
    if (!rc) {
        out->size = (size_t) st.st_size;
        out->changed = st.st_mtim;
        out->at = out->size ? mmap (NULL, out->size, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
        rc = out->at == MAP_FAILED ? errno : 0;
    }
    close (fd);
    return rc;
}

static void map_close (mapped_t *self)
{
    if (self->at)
        munmap (self->at, self->size);
}

static void map_sum (const mapped_t *self, char out[SUM_SIZE])
{
    uint8_t sum[SIGN_SHA256_SIZE];
    sign_sha256 (bytes_of (self->at, self->size), sum);
    text_write_hex (sum, sizeof sum, out);
}

int file_sum (const char *path, char out[SUM_SIZE], int64_t *size)
{
    mapped_t file;
    int rc = map_open (path, &file);
    if (rc)
        return rc;
    map_sum (&file, out);
    *size = (int64_t) file.size;
    map_close (&file);
    return 0;
}

static int bytes_write (int fd, const uint8_t *data, size_t size)
{
    while (size) {
        ssize_t n = write (fd, data, size < (1 << 24) ? size : 1 << 24);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : EIO;
        data += n;
        size -= (size_t) n;
    }
    return 0;
}

static int map_write (const mapped_t *from, const char *to)
{
    const struct timespec times[2] = {from->changed, from->changed};
    int fd = open (to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno;
    int rc = bytes_write (fd, from->at, from->size);
    if (!rc && futimens (fd, times))
        rc = errno;
    if (close (fd) && !rc)
        rc = errno;
    return rc;
}

int file_copy (const char *from, const char *to, char out[SUM_SIZE], int64_t *size)
{
    char sum[SUM_SIZE];
    mapped_t file;
    int rc = map_open (from, &file);
    if (rc)
        return rc;
    map_sum (&file, sum);
    rc = map_write (&file, to);
    map_close (&file);
    if (rc == EEXIST)
        return rc;
    if (!rc)
        rc = file_sum (to, out, size);
    if (!rc && strcmp (sum, out) != 0)
        rc = EBADMSG;
    if (rc)
        unlink (to);
    return rc;
}

int folder_sync (const char *folder)
{
    int fd = open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int rc = syncfs (fd) ? errno : 0;
    close (fd);
    return rc;
}

int folders_make (const char *root, const char *path)
{
    char part[PATH_MAX];
    size_t length = strlen (root);
    if ((size_t) snprintf (part, sizeof part, "%s/%s", root, path) >= sizeof part)
        return ENAMETOOLONG;
    for (char *slash = part + length; (slash = strchr (slash + 1, '/'));) {
        *slash = '\0';
        if (mkdir (part, 0700) && errno != EEXIST)
            return errno;
        *slash = '/';
    }
    return 0;
}

int folder_open_empty (const char *folder, failure_t *failure)
{
    int rc = folder_make (folder);
    DIR *dir = rc ? NULL : opendir (folder);
    bool empty = true;
    if (rc || !dir)
        return failure_set (failure, E_IO, "", "cannot make %s: %s", folder,
                            strerror (rc ? rc : errno));
    for (struct dirent *e; (e = readdir (dir));)
        empty = empty && (!strcmp (e->d_name, ".") || !strcmp (e->d_name, ".."));
    closedir (dir);
    return empty ? 0 : failure_set (failure, E_CONFLICT, "", "%s is not empty", folder);
}

/* ---- media ---- */

static bool is_hex (const char *text, size_t length)
{
    return strspn (text, "0123456789abcdef") >= length;
}

bool is_blob_path (const char *path)
{
    static const char pending[] = "pending/", kept[] = "kept/";
    if (!strncmp (path, pending, sizeof pending - 1))
        return strlen (path + sizeof pending - 1) == 32 && is_hex (path + sizeof pending - 1, 32);
    if (strncmp (path, kept, sizeof kept - 1) != 0)
        return false;
    const char *p = path + sizeof kept - 1;
    return strlen (p) == 4 + 1 + 2 + 1 + 32 && is_hex (p, 4) && p[4] == '/' && is_hex (p + 5, 2) &&
           p[7] == '/' && is_hex (p + 8, 32);
}

typedef struct visit {
    const char *folder;
    int (*each) (void *context, const char *path);
    void *context;
} visit_t;

static int visit_folder (const visit_t *v, const char *inside, unsigned depth)
{
    char path[PATH_MAX], name[128];
    if ((size_t) snprintf (path, sizeof path, "%s/%s", v->folder, inside) >= sizeof path)
        return ENAMETOOLONG;
    DIR *dir = opendir (path);
    if (!dir)
        return errno == ENOENT ? 0 : errno;
    int rc = 0;
    for (struct dirent *e; !rc && (e = readdir (dir));) {
        int n = snprintf (name, sizeof name, "%s/%s", inside, e->d_name);
        if (e->d_name[0] == '.' || n < 0 || (size_t) n >= sizeof name)
            continue;
        if (depth)
            rc = visit_folder (v, name, depth - 1);
        else if (is_blob_path (name))
            rc = v->each (v->context, name);
    }
    closedir (dir);
    return rc;
}

int blobs_visit (const char *folder, int (*each) (void *context, const char *path), void *context)
{
    const visit_t v = {folder, each, context};
    int rc = visit_folder (&v, "pending", 0);
    return rc ? rc : visit_folder (&v, "kept", 2);
}
