/* inner.h - what the files of libs/blob share: the folder's handles, names, bytes to sniff in. Not for others. */
#ifndef AVIARY_BLOB_INNER_H
#define AVIARY_BLOB_INNER_H

#include "blob/blob.h"

/* ---- the folder (blob.c) ---- */

enum { NAME_SIZE = 2 * 16 + 1 };

struct blobs {
    uint64_t reserve;
    int temp; /* folders */
    int pending;
    int kept;
    char *folder; /* its name, as given */
};

/* errno as a failure: E_DISK_LOW, E_NO_MEMORY or E_IO. `what` is "write the file". */
int system_fail (failure_t *failure, const char *what);
void name_write (id16_t id, char out[NAME_SIZE]);
/* Exactly as name_write spells it. */
bool name_read (const char *name, id16_t *out);
/* E_DISK_LOW if fewer than the reserve are free. */
int space_check (const blobs_t *self, failure_t *failure);
/* The kept folder of an id as a new handle. `make` = also if absent. -1 with errno. */
int leaf_open (const blobs_t *self, id16_t id, bool make);

/* ---- sniffing (sniff*.c) ---- */

enum { HEAD_SIZE = 4096 };

typedef struct source {
    blob_read_fn *read;
    void *context;
    uint64_t size;
    bool failed;
    size_t head_size;
    uint8_t head[HEAD_SIZE]; /* the first bytes */
} source_t;

/* Exactly `size` bytes at `offset`; false if they are not there or a read failed (`failed`). */
bool source_get (source_t *self, uint64_t offset, void *out, size_t size);
uint32_t read_be32 (const uint8_t *at);
uint32_t read_le32 (const uint8_t *at);
uint32_t read_le24 (const uint8_t *at);
uint16_t read_le16 (const uint8_t *at);

/* Each is called when the magic number matched, with type set to what the table says, and may refine or withdraw it (BLOB_UNKNOWN). */
typedef void (sniff_fn) (source_t *in, blob_seen_t *seen);
sniff_fn sniff_png, sniff_gif, sniff_riff;                  /* sniff_image.c */
sniff_fn sniff_iso, sniff_ogg, sniff_mpeg_audio, sniff_aac; /* sniff_av.c */
sniff_fn sniff_zip, sniff_ole;                              /* sniff_office.c */

#endif
