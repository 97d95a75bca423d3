/* backup.c - a consistent copy of a store in use.
 *
 * The copy is one read transaction's view, compacted, written to a fresh folder and flushed before
 * this returns 0; on failure the partial copy is removed. The copy is a store of the same epoch:
 * whoever restores it draws a new one. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/private.h"

static int fail (failure_t *failure, int code, const char *folder, const char *why)
{
    return failure_set (failure, code, NULL, "cannot back up to %s: %s", folder, why);
}

static int fail_errno (failure_t *failure, const char *folder)
{
    char text[128];
    return fail (failure, E_IO, folder, strerror_r (errno, text, sizeof text));
}

static bool folder_is_empty (const char *folder)
{
    DIR *d = opendir (folder);
    bool empty = d != NULL;
    for (struct dirent *e; empty && (e = readdir (d));)
        empty = strcmp (e->d_name, ".") == 0 || strcmp (e->d_name, "..") == 0;
    if (d)
        closedir (d);
    return empty;
}

static int copy_to (store_t *self, const char *path, const char *folder, failure_t *failure)
{
    int fd = open (path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail_errno (failure, folder);
    int rc = self->backend->copy (self->env, fd);
    if (rc) {
        char text[128];
        self->backend->error_text (self->env, text, sizeof text);
        fail (failure, rc, folder, text);
    } else if (fsync (fd)) {
        rc = fail_errno (failure, folder);
    }
    close (fd);
    if (!rc && host_sync_folder (folder))
        rc = fail (failure, E_IO, folder, "the folder cannot be flushed to disk");
    if (rc)
        unlink (path);
    return rc;
}

int store_backup (store_t *self, const char *folder, failure_t *failure)
{
    char path[4096], parent[4096];
    int n = snprintf (path, sizeof path, "%s/data.mdb", folder);
    int p = snprintf (parent, sizeof parent, "%s/..", folder);
    if (n < 0 || p < 0 || (size_t) n >= sizeof path || (size_t) p >= sizeof parent)
        return fail (failure, E_IO, folder, "the name is too long");
    if (mkdir (folder, 0700) && errno != EEXIST)
        return fail_errno (failure, folder);
    if (!folder_is_empty (folder))
        return fail (failure, E_CONFLICT, folder, "it is no empty folder");
    int rc = copy_to (self, path, folder, failure);
    if (!rc && host_sync_folder (parent))
        rc = fail (failure, E_IO, folder, "the folder above cannot be flushed to disk");
    return rc;
}
