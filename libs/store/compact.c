/* compact.c - a store made anew, row by row, so that nothing of what was deleted is left in its file.
 *
 * Deleted rows stay readable in a file for long: in free pages, and in the gaps of pages in use. The
 * copy is made from what the tables hold now, so it has neither; then it takes the file's place, and
 * the old file is overwritten and removed. That asks for a store that nobody has open: readers of
 * other processes would go on with the old file. So it happens when the store is opened next
 * (store_open), by whoever finds the wish to and is alone; replicas that run leave on seeing it.
 *
 * A kill at any point leaves a whole store under its name, and the wish: it is begun anew. On
 * failure (a full disk) the store is as it was, the wish is gone, and the note of the last
 * compaction says why. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/private.h"

enum {
    PATH_SIZE = 4096,
    NOTE_SIZE = 512,
    WIPE_SIZE = 1 << 20,
    ALONE_MS = 20000,
    ALONE_POLL_MS = 20
};

static const char *const wish_name = "compact.wanted";
static const char *const note_name = "compact.last";
static const char *const new_name = "data.mdb.new";
static const char *const old_name = "data.mdb.old";

static void path_of (const char *folder, const char *name, char out[PATH_SIZE])
{
    snprintf (out, PATH_SIZE, "%s/%s", folder, name); /* a folder that is too long does not open */
}

static int fail_errno (failure_t *failure, const char *what, const char *folder)
{
    char text[128];
    return failure_set (failure, E_IO, NULL, "cannot %s in %s: %s", what, folder,
                        strerror_r (errno, text, sizeof text));
}

/* ---- the wish, and the note of the last time ---- */

bool store_compact_wanted (const char *folder)
{
    char path[PATH_SIZE];
    path_of (folder, wish_name, path);
    return access (path, F_OK) == 0;
}

int store_compact_want (const char *folder, failure_t *failure)
{
    char path[PATH_SIZE];
    path_of (folder, wish_name, path);
    int fd = open (path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail_errno (failure, "ask for a compaction", folder);
    close (fd);
    return host_sync_folder (folder) ? fail_errno (failure, "flush the folder", folder) : 0;
}

static void wish_end (const char *folder)
{
    char path[PATH_SIZE];
    path_of (folder, wish_name, path);
    unlink (path);
    host_sync_folder (folder);
}

/* One line: Unix ms, bytes before and after, why it failed. Lost at worst. */
static void note_write (const char *folder, const store_compacted_t *note)
{
    char path[PATH_SIZE], text[NOTE_SIZE];
    path_of (folder, note_name, path);
    int n = snprintf (text, sizeof text, "%" PRId64 " %" PRIu64 " %" PRIu64 " %s\n", note->at,
                      note->before, note->after, note->why);
    int fd = open (path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    (void) !write (fd, text, n < NOTE_SIZE ? (size_t) n : NOTE_SIZE - 1);
    close (fd);
}

int store_compacted (const char *folder, store_compacted_t *out)
{
    char path[PATH_SIZE];
    *out = (store_compacted_t){0};
    path_of (folder, note_name, path);
    FILE *file = fopen (path, "re");
    if (!file)
        return E_NOT_FOUND;
    int fields = fscanf (file, "%" SCNd64 " %" SCNu64 " %" SCNu64 " %255[^\n]", &out->at,
                         &out->before, &out->after, out->why);
    fclose (file);
    return fields >= 3 ? 0 : E_CORRUPT;
}

/* ---- files ---- */

static int wipe_bytes (int fd, off_t size)
{
    uint8_t *zeros = calloc (1, WIPE_SIZE);
    int rc = zeros ? 0 : E_NO_MEMORY;
    for (off_t at = 0; !rc && at < size;) {
        size_t part = size - at < WIPE_SIZE ? (size_t) (size - at) : WIPE_SIZE;
        ssize_t n = pwrite (fd, zeros, part, at);
        if (n > 0)
            at += n;
        else if (n == 0 || errno != EINTR)
            rc = E_IO;
    }
    free (zeros);
    return rc || fsync (fd) ? E_IO : 0;
}

/* Overwrite and remove. One that is also known as data.mdb keeps its bytes: only the name goes. */
static int file_wipe (const char *folder, const char *name, failure_t *failure)
{
    char path[PATH_SIZE], live[PATH_SIZE];
    struct stat st, now;
    path_of (folder, name, path);
    path_of (folder, "data.mdb", live);
    if (stat (path, &st))
        return errno == ENOENT ? 0 : fail_errno (failure, "look at an old file", folder);
    bool is_live = !stat (live, &now) && now.st_ino == st.st_ino && now.st_dev == st.st_dev;
    int fd = is_live ? -1 : open (path, O_WRONLY | O_CLOEXEC);
    int rc = 0;
    if (!is_live && (fd < 0 || wipe_bytes (fd, st.st_size)))
        rc = fail_errno (failure, "overwrite an old file", folder);
    if (fd >= 0)
        close (fd);
    if (!rc && unlink (path))
        rc = fail_errno (failure, "remove an old file", folder);
    return rc;
}

static int files_swap (const char *folder, failure_t *failure)
{
    char live[PATH_SIZE], old[PATH_SIZE], made[PATH_SIZE];
    path_of (folder, "data.mdb", live);
    path_of (folder, old_name, old);
    path_of (folder, new_name, made);
    if (link (live, old) || host_sync_folder (folder) || rename (made, live) ||
        host_sync_folder (folder))
        return fail_errno (failure, "put the compacted file into place", folder);
    return 0;
}

static uint64_t size_of (const char *folder)
{
    char path[PATH_SIZE];
    struct stat st;
    path_of (folder, "data.mdb", path);
    return stat (path, &st) ? 0 : (uint64_t) st.st_size;
}

/* ---- alone with it ---- */

typedef struct locks {
    int host, owner;
} locks_t;

static void locks_free (locks_t *self)
{
    if (self->owner >= 0)
        close (self->owner);
    if (self->host >= 0)
        close (self->host);
}

static int lock_take (const char *folder, const char *name, int *out)
{
    char path[PATH_SIZE];
    path_of (folder, name, path);
    *out = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    return *out >= 0 && flock (*out, LOCK_EX | LOCK_NB) == 0 ? 0 : E_CONFLICT;
}

/* Every opener holds host.id, the owner its own lock too. */
static int locks_take (const char *folder, locks_t *out, failure_t *failure)
{
    *out = (locks_t){-1, -1};
    if (!lock_take (folder, "host.id", &out->host) &&
        !lock_take (folder, "owner.lock", &out->owner))
        return 0;
    locks_free (out);
    return failure_set (failure, E_CONFLICT, NULL, "the store in %s is in use by another process",
                        folder);
}

static int compact_alone (const backend_t *backend, const char *folder, uint64_t map_size,
                          failure_t *failure)
{
    char made[PATH_SIZE];
    path_of (folder, new_name, made);
    int rc = file_wipe (folder, old_name, failure);
    if (!rc)
        rc = file_wipe (folder, new_name, failure);
    if (!rc)
        rc = backend->rebuild (folder, made, map_size, failure);
    if (!rc)
        rc = files_swap (folder, failure);
    if (!rc)
        return file_wipe (folder, old_name, failure);
    failure_t ignored = {0};
    file_wipe (folder, new_name, &ignored);
    file_wipe (folder, old_name, &ignored);
    return rc;
}

static int compact (const backend_t *backend, const char *folder, uint64_t map_size,
                    store_compacted_t *out, failure_t *failure)
{
    locks_t locks;
    store_compacted_t note = {.before = size_of (folder)};
    int rc = store_compact_want (folder, failure);
    if (!rc)
        rc = locks_take (folder, &locks, failure);
    if (rc)
        return rc;
    if (note.before)
        rc = compact_alone (backend, folder, map_size ? map_size : STORE_MAP_SIZE, failure);
    note.at = clock_now_ms ();
    note.after = size_of (folder);
    if (rc)
        snprintf (note.why, sizeof note.why, "%.255s", failure->text);
    note_write (folder, &note);
    wish_end (folder);
    locks_free (&locks);
    if (out)
        *out = note;
    return rc;
}

int store_compact (const char *folder, uint64_t map_size, store_compacted_t *out,
                   failure_t *failure)
{
    return compact (&backend_lmdb, folder, map_size, out, failure);
}

/* At open: the first to be alone does it. Who cannot get alone in time leaves the store as it is. */
void compact_if_wanted (const backend_t *backend, const char *folder, uint64_t map_size)
{
    failure_t failure = {0};
    int64_t end = clock_mono_ms () + ALONE_MS;
    while (store_compact_wanted (folder)) {
        int rc = compact (backend, folder, map_size, NULL, &failure);
        if (rc != E_CONFLICT)
            return;
        if (clock_mono_ms () >= end) {
            store_compacted_t note = {.at = clock_now_ms (), .before = size_of (folder)};
            note.after = note.before;
            snprintf (note.why, sizeof note.why, "%.255s", failure.text);
            note_write (folder, &note);
            wish_end (folder);
            return;
        }
        nanosleep (&(struct timespec){.tv_nsec = ALONE_POLL_MS * 1000000L}, NULL);
    }
}
