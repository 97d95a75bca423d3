/* copying.h - what `aviary backup` and `aviary restore` share: files copied with their sums, and what a backup holds. */
#ifndef AVIARY_COPYING_H
#define AVIARY_COPYING_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SUM_SIZE = 65, BACKUP_FORMAT = 1 };

/* Services with a store, NULL-terminated: followers before those they follow, the order of copying. */
extern const char *const backup_order[];
/* Files of the house that are copied with the keys, as they are called in the house and in a backup. */
typedef struct house_file {
    const char *house, *backup;
    bool needed;
} house_file_t;
extern const house_file_t house_files[];
extern const size_t house_file_count;
/* In a backup: what every file of media has for a line, SUM BYTES PATH. */
extern const char media_sums[];

/* SHA-256 as hex of a file's bytes. 0 or an errno. */
int file_sum (const char *path, char out[SUM_SIZE], int64_t *size);
/* `to` must not be there; mode 0600, the time of `from`. What was written is read back: EBADMSG if it is not what was read. 0 or an errno; then `to` is gone. */
int file_copy (const char *from, const char *to, char out[SUM_SIZE], int64_t *size);
/* All that was written on the folder's file system is on disk. 0 or an errno. */
int folder_sync (const char *folder);
/* The folders above `path`, below `root`, are made (0700). 0 or an errno. */
int folders_make (const char *root, const char *path);
/* Made if absent; E_CONFLICT if something is in it. */
int folder_open_empty (const char *folder, failure_t *failure);

/* Is `path`, inside a media folder, one of a blob? pending/ID or kept/AAAA/BB/ID, as libs/blob writes it. */
bool is_blob_path (const char *path);
/* Calls `each` with the path inside `folder` of every finished blob. Non-zero ends the walk. A folder that is not there has none. */
int blobs_visit (const char *folder, int (*each) (void *context, const char *path), void *context);

#endif
