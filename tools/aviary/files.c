/* files.c - reading and replacing small files. Fails with an errno. */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int file_read (const char *path, size_t most, buf_t *out)
{
    int fd = open (path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int rc = 0;
    size_t total = 0;
    for (;;) {
        uint8_t *room = buf_reserve (out, 4096);
        ssize_t n = room ? read (fd, room, 4096) : -1;
        if (n < 0)
            rc = room ? errno : ENOMEM;
        if (n <= 0)
            break;
        out->size += (size_t) n;
        total += (size_t) n;
        if (total > most) {
            rc = EFBIG;
            break;
        }
    }
    close (fd);
    return rc;
}

int file_replace (const char *path, bytes_t content)
{
    char other[PATH_MAX];
    if ((size_t) snprintf (other, sizeof other, "%s.%d.new", path, (int) getpid ()) >= sizeof other)
        return ENAMETOOLONG;
    int fd = open (other, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno;
    errno = 0;
    ssize_t n = write (fd, content.data, content.size);
    int rc = n == (ssize_t) content.size ? 0 : errno ? errno : EIO;
    close (fd);
    if (!rc && rename (other, path))
        rc = errno;
    if (rc)
        unlink (other);
    return rc;
}

int folder_make (const char *path)
{
    char parent[PATH_MAX];
    if ((size_t) snprintf (parent, sizeof parent, "%s", path) >= sizeof parent)
        return ENAMETOOLONG;
    char *slash = strrchr (parent, '/');
    if (slash && slash != parent) {
        *slash = '\0';
        if (mkdir (parent, 0700) && errno != EEXIST)
            return errno;
    }
    struct stat st;
    if (mkdir (path, 0700) && errno != EEXIST)
        return errno;
    return stat (path, &st) ? errno : S_ISDIR (st.st_mode) ? 0 : ENOTDIR;
}
