/* multipart.h - streaming reader of multipart/form-data (RFC 7578 over RFC 2046), for uploads of any size in a fixed 20 KiB of memory.
 *
 * Pulls bytes through a function (web_body_piece fits, with the request as context) and calls the sink: begin, data as often as it comes, end, for each
 * part. Strict: the whole body must be there, to the closing boundary; every part is form-data with a name. Nothing is decoded: a
 * Content-Transfer-Encoding other than 7bit, 8bit and binary is refused (RFC 7578 section 4.7). */
#ifndef AVIARY_WEB_MULTIPART_H
#define AVIARY_WEB_MULTIPART_H

#include "base/buf.h"
#include "base/err.h"

enum { MULTIPART_TEXT_SIZE = 256, MULTIPART_HEADERS_MAX = 8 << 10, MULTIPART_PARTS_MAX = 64 };

/* Borrowed until begin returns. All texts are valid UTF-8 without control characters. */
typedef struct multipart_part {
    const char *name;
    const char *
        filename; /* NULL = none was given: a form field. Never has "/" or "\" in it and is not "." or "..": such a part is refused */
    const char *content_type; /* as sent; NULL = none was given (text/plain by RFC 7578) */
    unsigned index;           /* from 0 */
} multipart_part_t;

/* The next bytes of the body: count (> 0), 0 at the end, or minus an HTTP status (408 too slow, 413 too long, else malformed or cut), as web_body_piece. */
typedef long (multipart_pull_fn) (void *context, void *out, size_t size);

/* Each returns 0, or an E_ code with the failure filled, which ends the reading and is its result. After a failure `end` is not called: who holds something
 * for the part drops it. `end` may be NULL. */
typedef struct multipart_sink {
    int (*begin) (void *context, const multipart_part_t *part, failure_t *failure);
    int (*data) (void *context, bytes_t data, failure_t *failure); /* not empty */
    int (*end) (void *context, failure_t *failure);
    void *context;
} multipart_sink_t;

typedef struct multipart_limits {
    unsigned parts; /* 0 = 16; at most MULTIPART_PARTS_MAX */
    size_t
        headers; /* of one part, with the delimiter's line; 0 = 4 KiB; at most MULTIPART_HEADERS_MAX. Also bounds preamble and epilogue */
    uint64_t body; /* all bytes; 0 = no limit */
} multipart_limits_t;

/* Read the body to its end. `content_type` is the request's header (NULL = it has none). `limits` NULL = the defaults. 0, or E_BAD_REQUEST (not such a content
 * type, malformed, cut short), E_TOO_LARGE (a limit), E_TIMEOUT (408 from the source), E_NO_MEMORY, or what the sink returned. The field is "Content-Type", the
 * part's name, or "". */
int multipart_read (const char *content_type, multipart_pull_fn *pull, void *source,
                    const multipart_limits_t *limits, const multipart_sink_t *sink,
                    failure_t *failure);

#endif
