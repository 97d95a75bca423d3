/* lock.c - one holder of a name per installation: an flock that the kernel frees when the process dies, however it dies. */
#include "bus/bus.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* The pid that the holder wrote, 0 if none can be read. */
static long holder_pid (int fd)
{
    char text[24] = {0};
    if (pread (fd, text, sizeof text - 1, 0) <= 0)
        return 0;
    return strtol (text, NULL, 10);
}

static int pid_write (int fd, const char *path, failure_t *failure)
{
    char text[24];
    int size = snprintf (text, sizeof text, "%ld\n", (long) getpid ());
    if (ftruncate (fd, 0) || pwrite (fd, text, (size_t) size, 0) != size)
        return failure_set (failure, E_IO, "lock", "cannot write %s: %s", path, strerror (errno));
    return 0;
}

int bus_lock (const char *folder, const char *name, failure_t *failure)
{
    char path[PATH_MAX];
    int length = snprintf (path, sizeof path, "%s/%s.lock", folder, name);
    if (length < 0 || (size_t) length >= sizeof path)
        return failure_set (failure, E_BAD_REQUEST, "lock",
                            "the path of the lock of %s is too long", name);
    int fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return failure_set (failure, E_IO, "lock", "cannot open %s: %s", path, strerror (errno));
    if (flock (fd, LOCK_EX | LOCK_NB)) {
        int code = errno == EWOULDBLOCK ? E_CONFLICT : E_IO;
        if (code == E_CONFLICT)
            failure_set (failure, code, "lock", "%s is held by process %ld", path, holder_pid (fd));
        else
            failure_set (failure, code, "lock", "cannot lock %s: %s", path, strerror (errno));
        close (fd);
        return code;
    }
    int code = pid_write (fd, path, failure);
    if (code)
        close (fd);
    return code; /* the descriptor stays open: it is the lock */
}
