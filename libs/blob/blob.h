/* blob.h - a local folder of media: streamed in, named by record id, adopted or swept.
 *
 * A blob's life. A writer streams bytes to a temporary name, hashing; `end` tells size, SHA-256 and what the bytes are; the caller checks that
 * (blob_type_check) and finishes under a record id, which makes the blob durable and *pending*. An op then commits a record that names the id, and
 * after the commit somebody adopts the blob: it becomes *kept*. The sweep removes temporary files of dead writers and what nobody adopted in an hour; it asks
 * its caller first, so that a crash between commit and adoption loses nothing. Readers find pending and kept blobs alike.
 *
 * Names in the folder are made of the id (lower-case hex) and random bytes; nothing from outside becomes part of a path.
 *
 *   DIR/temp/RANDOM    being written; its writer holds an flock
 *   DIR/pending/ID     finished, not adopted; its mtime is the house's clock at `finish`
 *   DIR/kept/AAAA/BB/ID  adopted; AAAA BB are the id's first three bytes, which are its time: a folder fills for 4.7 hours and empties with retention
 *
 * All functions may be called from several threads and processes at once on one folder (a writer or reader belongs to one thread at a time). They
 * fail with E_IO (the system's text in the failure), E_DISK_LOW (no space, or under the reserve), E_NO_MEMORY, and what each says. */
#ifndef AVIARY_BLOB_BLOB_H
#define AVIARY_BLOB_BLOB_H

#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"

typedef struct blobs blobs_t;
typedef struct blob_writer blob_writer_t;
typedef struct blob_reader blob_reader_t;

enum { BLOB_SHA256_SIZE = 32, BLOB_SWEEP_AGE_MS = 60 * 60 * 1000 };

/* ---- what bytes are ---- */

/* X (NAME, MIME, EXTENSION) */
#define BLOB_TYPES(X)                                                                             \
    X (UNKNOWN, "application/octet-stream", "bin")                                                \
    X (JPEG, "image/jpeg", "jpg")                                                                 \
    X (PNG, "image/png", "png")                                                                   \
    X (WEBP, "image/webp", "webp")                                                                \
    X (GIF, "image/gif", "gif")                                                                   \
    X (HEIC, "image/heic", "heic")                                                                \
    X (MP4, "video/mp4", "mp4")                                                                   \
    X (3GP, "video/3gpp", "3gp")                                                                  \
    X (MOV, "video/quicktime", "mov")                                                             \
    X (M4A, "audio/mp4", "m4a")                                                                   \
    X (AAC, "audio/aac", "aac")                                                                   \
    X (AMR, "audio/amr", "amr")                                                                   \
    X (MP3, "audio/mpeg", "mp3")                                                                  \
    X (OGG, "audio/ogg", "ogg")                                                                   \
    X (WAV, "audio/wav", "wav")                                                                   \
    X (PDF, "application/pdf", "pdf")                                                             \
    X (TXT, "text/plain", "txt")                                                                  \
    X (VCF, "text/vcard", "vcf")                                                                  \
    X (DOC, "application/msword", "doc")                                                          \
    X (XLS, "application/vnd.ms-excel", "xls")                                                    \
    X (PPT, "application/vnd.ms-powerpoint", "ppt")                                               \
    X (DOCX, "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx")   \
    X (XLSX, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx")         \
    X (PPTX, "application/vnd.openxmlformats-officedocument.presentationml.presentation", "pptx") \
    X (OLE, "application/x-ole-storage", "bin")                                                   \
    X (ZIP, "application/zip", "zip")                                                             \
    X (HTML, "text/html", "html")                                                                 \
    X (SVG, "image/svg+xml", "svg")                                                               \
    X (XML, "application/xml", "xml")

typedef enum blob_type {
#define BLOB_TYPE_ENUM(name, mime, extension) BLOB_##name,
    BLOB_TYPES (BLOB_TYPE_ENUM)
#undef BLOB_TYPE_ENUM
        BLOB_TYPE_COUNT
} blob_type_t;

/* What was seen in the bytes themselves, never what somebody said about them. */
typedef struct blob_seen {
    blob_type_t type;
    uint64_t size;
    uint32_t width; /* pixels, of PNG, WebP and GIF; 0 = not known */
    uint32_t height;
    bool animated;    /* WebP */
    bool rgb8;        /* PNG of 8 bits a channel, RGB or RGBA */
    bool opus;        /* Ogg */
    uint8_t channels; /* Ogg Opus; 0 = not known */
    bool cut;         /* WebP, WAV: its own length says that bytes are missing */
} blob_seen_t;

/* Reads `size` bytes at `offset` to `out`: bytes read (fewer only at the end), or -1. */
typedef long (blob_read_fn) (void *context, uint64_t offset, void *out, size_t size);

/* Look at the first bytes, and where containers need it (ISO media, zip, OLE) at more, through a small buffer. What fits nothing is BLOB_UNKNOWN.
 * 0, or E_IO if a read failed. */
int blob_sniff (blob_read_fn *read, void *context, uint64_t size, blob_seen_t *out);

const char *blob_type_mime (blob_type_t type);
const char *blob_type_extension (blob_type_t type); /* without the dot */
/* The type of a MIME text: parameters and case ignored, usual aliases known. BLOB_TYPE_COUNT if none has it. */
blob_type_t blob_type_read (const char *mime);
/* Could run script in a browser (HTML, SVG, XML): never to be served but as an attachment of application/octet-stream. */
bool blob_type_is_active (blob_type_t type);

/* What a blob is to be used as. */
typedef enum blob_kind {
    BLOB_KIND_IMAGE,
    BLOB_KIND_VIDEO,
    BLOB_KIND_AUDIO,
    BLOB_KIND_DOCUMENT,
    BLOB_KIND_STICKER,
    BLOB_KIND_MMS,     /* any attachment of an MMS */
    BLOB_KIND_INBOUND, /* what a person sent us: only the size counts */
    BLOB_KIND_COUNT
} blob_kind_t;

const char *blob_kind_name (blob_kind_t kind);
/* "image" ... "sticker", as clients spell it (not "mms", not "inbound"); BLOB_KIND_COUNT if it is none. */
blob_kind_t blob_kind_read (const char *name);
/* The kind that fits these bytes when the client did not say (WebP = sticker); BLOB_KIND_COUNT if none does. */
blob_kind_t blob_kind_of (const blob_seen_t *seen);
/* Most bytes of the kind (Meta's limits: image 5 MiB, video and audio 16 MiB, document 100 MiB, sticker 500 KiB; MMS 5 MiB; inbound 100 MiB): limit of the
 * writer. BLOB_KIND_COUNT gives the greatest. */
uint64_t blob_kind_limit (blob_kind_t kind);

/* May these bytes be used as `kind`? `claimed` is the MIME type that came with them (NULL, "" and application/octet-stream claim nothing). 0, or
 * E_MEDIA_TOO_LARGE, or E_BAD_REQUEST: nothing in it, the bytes are of another type than claimed, the kind does not take the type, HTML or SVG, a sticker that
 * is not 512x512, audio that is not mono Opus in Ogg, PNG that is not 8-bit RGB or RGBA. The failure's field is "file". */
int blob_type_check (blob_kind_t kind, const char *claimed, const blob_seen_t *seen,
                     failure_t *failure);

/* ---- the folder ---- */

/* Open, making it if absent (0700). Writers refuse with E_DISK_LOW to leave less than `reserve` bytes free on its disk. */
int blobs_open (const char *folder, uint64_t reserve, blobs_t **out, failure_t *failure);
void blobs_close (blobs_t **self); /* writers and readers must be gone */

/* ---- writing ---- */

/* A new temporary file that takes at most `limit` bytes. */
int blob_writer_new (blobs_t *self, uint64_t limit, blob_writer_t **out, failure_t *failure);
/* Append. Holds at most 32 KiB back. E_MEDIA_TOO_LARGE over the limit. Errors stick. */
int blob_writer_add (blob_writer_t *self, bytes_t data, failure_t *failure);
/* No more bytes: what they are, and their SHA-256. Nothing is durable yet. */
int blob_writer_end (blob_writer_t *self, blob_seen_t *seen, uint8_t sha256[BLOB_SHA256_SIZE],
                     failure_t *failure);
/* After end: on disk, under `id`, pending. E_ALREADY_EXISTS if a blob of that id is there. Ends the writer in any case (*self = NULL); unless 0 nothing is
 * left on disk. */
int blob_writer_finish (blob_writer_t **self, id16_t id, failure_t *failure);
/* Abort: removes the temporary file. NULL and pointer to NULL are fine. */
void blob_writer_destroy (blob_writer_t **self);

/* ---- reading ---- */

/* E_NOT_FOUND if there is no such blob. A blob deleted meanwhile stays readable by those who have it open. */
int blob_reader_new (blobs_t *self, id16_t id, blob_reader_t **out, failure_t *failure);
void blob_reader_destroy (blob_reader_t **self);
uint64_t blob_reader_size (const blob_reader_t *self);
/* A blob_read_fn (context = the reader). */
long blob_reader_pread (void *self, uint64_t offset, void *out, size_t size);
/* Where the file of a blob is now, for who reads it by path soon (an adoption meanwhile moves it). E_NOT_FOUND, or E_TOO_LARGE if `out` is too small. */
int blob_path (blobs_t *self, id16_t id, char *out, size_t size, failure_t *failure);
/* Of all bytes, for backups and doubts. */
int blob_reader_sha256 (blob_reader_t *self, uint8_t out[BLOB_SHA256_SIZE], failure_t *failure);

/* ---- life ---- */

/* Pending to kept, durably; nothing to do if it is kept already. To be called after the commit of the record that names it. E_NOT_FOUND. */
int blobs_adopt (blobs_t *self, id16_t id, failure_t *failure);
/* Durably gone, pending or kept. E_NOT_FOUND if there was none. */
int blobs_delete (blobs_t *self, id16_t id, failure_t *failure);

typedef enum blob_wish {
    BLOB_UNWANTED, /* no record names it: remove */
    BLOB_WANTED,   /* a record names it: adopt */
    BLOB_UNSURE    /* cannot tell now: leave it for the next sweep */
} blob_wish_t;
typedef blob_wish_t (blob_wish_fn) (void *context, id16_t id);

typedef struct blob_swept {
    uint64_t temporary; /* files removed */
    uint64_t unadopted; /* removed */
    uint64_t adopted;   /* found wanted */
    uint64_t folders;   /* empty ones removed */
} blob_swept_t;

/* Remove temporary files whose writer is dead and pending blobs, both older than age_ms (BLOB_SWEEP_AGE_MS) at now_ms (clock_now_ms). `wish` NULL = nothing
 * is wanted. Goes on after a failure and tells the first one. */
int blobs_sweep (blobs_t *self, int64_t now_ms, int64_t age_ms, blob_wish_fn *wish, void *context,
                 blob_swept_t *out, failure_t *failure);

/* Called with each blob, in no order; may delete it. Non-zero ends the walk, which returns it. */
typedef int (blob_walk_fn) (void *context, id16_t id, uint64_t size, bool kept);
/* All pending and kept blobs: backup, erasure, search for orphans. One that is adopted meanwhile may come twice. */
int blobs_walk (blobs_t *self, blob_walk_fn *each, void *context, failure_t *failure);

#endif
