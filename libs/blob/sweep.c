/* sweep.c - going through the folder: sweeping what nobody adopted, and walking all blobs.
 *
 * Files and folders whose names are not ours are left alone. A file that vanishes while we look was moved or deleted by somebody who may: no failure. */
#include "blob/inner.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct sweep {
    blobs_t *blobs;
    int64_t before_ms; /* what is older goes */
    blob_wish_fn *wish;
    void *context;
    blob_swept_t swept;
    int code; /* the first failure */
    failure_t *failure;
} sweep_t;

typedef int (entry_fn) (void *context, int folder, const char *name);

/* Call `each` with the entries of a folder; non-zero ends it and is returned. The handle stays open. -1 with errno if it cannot be read. */
static int folder_each (int folder, entry_fn *each, void *context)
{
    int fd = openat (folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir (fd);
    if (dir == NULL) {
        if (fd >= 0)
            close (fd);
        return -1;
    }
    int code = 0;
    errno = 0;
    for (struct dirent *entry; code == 0 && (entry = readdir (dir)) != NULL; errno = 0)
        if (entry->d_name[0] != '.')
            code = each (context, folder, entry->d_name);
    if (code == 0 && errno != 0)
        code = -1;
    int saved = errno;
    closedir (dir);
    errno = saved;
    return code;
}

/* Of `length` lower-case hex digits, as the folders of kept. */
static bool name_is_folder (const char *name, size_t length)
{
    return strlen (name) == length && strspn (name, "0123456789abcdef") == length;
}

/* ---- sweep ---- */

static void sweep_failed (sweep_t *self, const char *what)
{
    if (self->code == 0)
        self->code = system_fail (self->failure, what);
}

static bool is_old (const sweep_t *self, const struct stat *st)
{
    return (int64_t) st->st_mtim.tv_sec * 1000 + st->st_mtim.tv_nsec / 1000000 < self->before_ms;
}

static int temporary_sweep (void *context, int folder, const char *name)
{
    sweep_t *self = context;
    id16_t id;
    struct stat st;
    if (!name_read (name, &id))
        return 0;
    int fd = openat (folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        if (errno != ENOENT && errno != ELOOP)
            sweep_failed (self, "look at a temporary file");
        return 0;
    }
    /* A living writer holds the lock, however slow it is and whatever the tests' clock says. */
    if (fstat (fd, &st) == 0 && S_ISREG (st.st_mode) && is_old (self, &st) &&
        flock (fd, LOCK_EX | LOCK_NB) == 0) {
        if (unlinkat (folder, name, 0) == 0)
            self->swept.temporary++;
        else if (errno != ENOENT)
            sweep_failed (self, "remove a temporary file");
    }
    close (fd);
    return 0;
}

static int pending_sweep (void *context, int folder, const char *name)
{
    sweep_t *self = context;
    id16_t id;
    struct stat st;
    failure_t failure = {0};
    if (!name_read (name, &id) || fstatat (folder, name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
        !is_old (self, &st))
        return 0;
    blob_wish_t wish = self->wish != NULL ? self->wish (self->context, id) : BLOB_UNWANTED;
    if (wish == BLOB_WANTED) {
        int code = blobs_adopt (self->blobs, id, &failure);
        if (code == 0)
            self->swept.adopted++;
        else if (code != E_NOT_FOUND && self->code == 0)
            self->code = failure_set (self->failure, code, NULL, "%s", failure.text);
    } else if (wish == BLOB_UNWANTED) {
        if (unlinkat (folder, name, 0) == 0)
            self->swept.unadopted++;
        else if (errno != ENOENT)
            sweep_failed (self, "remove a file that nobody adopted");
    }
    return 0;
}

static int lower_sweep (void *context, int folder, const char *name)
{
    sweep_t *self = context;
    if (name_is_folder (name, 2) && unlinkat (folder, name, AT_REMOVEDIR) == 0)
        self->swept.folders++;
    return 0;
}

/* Empty folders of kept; those that are not empty refuse to go. */
static int upper_sweep (void *context, int folder, const char *name)
{
    sweep_t *self = context;
    if (!name_is_folder (name, 4))
        return 0;
    int fd = openat (folder, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0) {
        folder_each (fd, lower_sweep, self);
        close (fd);
    }
    if (unlinkat (folder, name, AT_REMOVEDIR) == 0)
        self->swept.folders++;
    return 0;
}

int blobs_sweep (blobs_t *self, int64_t now_ms, int64_t age_ms, blob_wish_fn *wish, void *context,
                 blob_swept_t *out, failure_t *failure)
{
    sweep_t sweep = {.blobs = self,
                     .before_ms = now_ms - age_ms,
                     .wish = wish,
                     .context = context,
                     .failure = failure};
    if (folder_each (self->temp, temporary_sweep, &sweep) < 0)
        sweep_failed (&sweep, "read the folder of temporary files");
    if (folder_each (self->pending, pending_sweep, &sweep) < 0)
        sweep_failed (&sweep, "read the folder of pending files");
    if (folder_each (self->kept, upper_sweep, &sweep) < 0)
        sweep_failed (&sweep, "read the folder of kept files");
    *out = sweep.swept;
    return sweep.code;
}

/* ---- walk ---- */

typedef struct walk {
    blob_walk_fn *each;
    void *context;
    bool kept;
    int answer;     /* of the caller's function */
    int folder_bad; /* errno of a folder that could not be read */
} walk_t;

static int file_visit (void *context, int folder, const char *name)
{
    walk_t *self = context;
    id16_t id;
    struct stat st;
    if (!name_read (name, &id) || fstatat (folder, name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISREG (st.st_mode))
        return 0;
    self->answer = self->each (self->context, id, (uint64_t) st.st_size, self->kept);
    return self->answer != 0;
}

static int folder_visit (walk_t *self, int folder, const char *name, entry_fn *each)
{
    int fd = openat (folder, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT)
        return 0;
    int code = fd < 0 ? -1 : folder_each (fd, each, self);
    if (code < 0)
        self->folder_bad = errno;
    if (fd >= 0)
        close (fd);
    return code != 0;
}

static int lower_visit (void *context, int folder, const char *name)
{
    return name_is_folder (name, 2) ? folder_visit (context, folder, name, file_visit) : 0;
}

static int upper_visit (void *context, int folder, const char *name)
{
    return name_is_folder (name, 4) ? folder_visit (context, folder, name, lower_visit) : 0;
}

int blobs_walk (blobs_t *self, blob_walk_fn *each, void *context, failure_t *failure)
{
    walk_t walk = {.each = each, .context = context};
    /* Pending first: what is adopted meanwhile comes twice rather than never. */
    int code = folder_visit (&walk, self->pending, ".", file_visit);
    walk.kept = true;
    if (code == 0)
        folder_visit (&walk, self->kept, ".", upper_visit);
    if (walk.folder_bad) {
        errno = walk.folder_bad;
        return system_fail (failure, "read the media folder");
    }
    return walk.answer;
}
