/* host.c - the folder of a store, which processes may open it, and which one owns it.
 *
 * host.id holds the boot id and pid namespace of the live openers, each of which keeps a shared
 * flock on it; whoever can take it exclusively is alone and writes its own. LMDB finds dead readers
 * by pid and shares memory and mutexes through the lock file, so openers from another host or pid
 * namespace would corrupt it: refused, as are network file systems. owner.lock is flocked by the
 * owner; the kernel frees both when a process dies, however it dies. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "store/private.h"

enum { IDENTITY_SIZE = 96 };

static int system_failure (failure_t *failure, const char *what, const char *folder)
{
    char text[128];
    return failure_set (failure, E_IO, NULL, "%s %s: %s", what, folder,
                        strerror_r (errno, text, sizeof text));
}

int host_sync_folder (const char *folder)
{
    int fd = open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return E_IO;
    int rc = fsync (fd);
    close (fd);
    return rc ? E_IO : 0;
}

int host_folder (const char *folder, failure_t *failure)
{
    static const unsigned long network[] = {0x6969 /* NFS */, 0x517B /* SMB */,
                                            0xFF534D42 /* CIFS */, 0xFE534D42 /* SMB2 */};
    struct statfs fs;
    if (mkdir (folder, 0700) && errno != EEXIST)
        return system_failure (failure, "cannot make", folder);
    if (statfs (folder, &fs))
        return system_failure (failure, "cannot look at", folder);
    for (size_t i = 0; i < sizeof network / sizeof *network; i++)
        if (((unsigned long) fs.f_type & 0xFFFFFFFFUL) == network[i])
            return failure_set (failure, E_CONFLICT, NULL,
                                "%s is on a network file system: a store must be on a local disk",
                                folder);
    return 0;
}

/* ---- its data ---- */

static bool data_stat (const char *folder, struct stat *out)
{
    char path[4096];
    int n = snprintf (path, sizeof path, "%s/data.mdb", folder);
    return n > 0 && (size_t) n < sizeof path && stat (path, out) == 0;
}

uint64_t host_data_bytes (const char *folder)
{
    struct stat st;
    return data_stat (folder, &st) ? (uint64_t) st.st_size : 0;
}

bool host_data_is_open (const char *folder)
{
    struct stat data, st;
    if (!data_stat (folder, &data))
        return false;
    DIR *fds = opendir ("/proc/self/fd");
    bool found = false;
    for (struct dirent *e; fds && !found && (e = readdir (fds));)
        found = e->d_name[0] != '.' && fstat (atoi (e->d_name), &st) == 0 &&
                st.st_dev == data.st_dev && st.st_ino == data.st_ino;
    if (fds)
        closedir (fds);
    return found;
}

/* ---- who may open it, who owns it ---- */

static void identity_write (char out[IDENTITY_SIZE])
{
    char boot[40] = "-";
    struct stat ns;
    int fd = open ("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t n = read (fd, boot, sizeof boot - 1);
        boot[n > 0 ? n : 0] = 0;
        boot[strcspn (boot, "\n")] = 0;
        close (fd);
    }
    unsigned long long ino = stat ("/proc/self/ns/pid", &ns) ? 0 : (unsigned long long) ns.st_ino;
    snprintf (out, IDENTITY_SIZE, "%s %llu\n", boot, ino);
}

static int file_open (store_t *self, const char *name, int *out, failure_t *failure)
{
    char path[4096];
    int n = snprintf (path, sizeof path, "%s/%s", self->folder, name);
    if (n < 0 || (size_t) n >= sizeof path)
        return failure_set (failure, E_IO, NULL, "the folder's name is too long");
    *out = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    return *out < 0 ? system_failure (failure, "cannot open", path) : 0;
}

static int lock_shared (int fd)
{
    int rc;
    do
        rc = flock (fd, LOCK_SH);
    while (rc && errno == EINTR);
    return rc;
}

int host_enter (store_t *self, failure_t *failure)
{
    char mine[IDENTITY_SIZE], theirs[IDENTITY_SIZE];
    int rc = file_open (self, "host.id", &self->host_fd, failure);
    if (rc)
        return rc;
    identity_write (mine);
    size_t length = strlen (mine);
    if (flock (self->host_fd, LOCK_EX | LOCK_NB) == 0 &&
        (ftruncate (self->host_fd, 0) ||
         pwrite (self->host_fd, mine, length, 0) != (ssize_t) length))
        return system_failure (failure, "cannot write host.id in", self->folder);
    /* Turning exclusive into shared lets others in between; they wrote theirs then, and the
     * comparison below finds it. */
    if (lock_shared (self->host_fd))
        return system_failure (failure, "cannot lock host.id in", self->folder);
    ssize_t n = pread (self->host_fd, theirs, sizeof theirs - 1, 0);
    theirs[n > 0 ? n : 0] = 0;
    if (strcmp (mine, theirs) != 0)
        return failure_set (failure, E_CONFLICT, NULL,
                            "the store in %s is in use from another host, boot or pid namespace "
                            "(container): all openers of a store must share them",
                            self->folder);
    return 0;
}

int host_owner_open (store_t *self, failure_t *failure)
{
    return file_open (self, "owner.lock", &self->owner_fd, failure);
}

bool host_owner_try (store_t *self)
{
    return flock (self->owner_fd, LOCK_EX | LOCK_NB) == 0;
}
