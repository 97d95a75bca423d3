/* head.h - the head of a request: request line and headers, read strictly (RFC 9112).
 *
 * What others read otherwise is refused, so that behind any proxy no request hides in another's body: bare line feeds, folded lines, space before a
 * colon, two lengths, a length beside chunks, codings other than chunked, a missing or second Host. */
#ifndef AVIARY_WEB_HEAD_H
#define AVIARY_WEB_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HEAD_LINES_MAX = 64 };

/* Offsets into the text that it was read from, which may move: each begins a NUL-terminated word. */
typedef struct head_line {
    uint32_t name;
    uint32_t value;
} head_line_t;

typedef struct head {
    uint32_t size; /* in bytes, with the empty line; 0 = not read, or refused */
    uint32_t method;
    uint32_t path;   /* as sent */
    uint32_t query;  /* after "?" */
    int64_t length;  /* Content-Length; 0 if none, -1 in chunks */
    bool has_method; /* also of refused ones, if the method and the path could be read */
    bool is_11;
    bool closes;    /* no keep-alive */
    bool expects;   /* an Expect header, of HTTP/1.1 */
    bool continues; /* and it is 100-continue */
    unsigned line_count;
    head_line_t lines[HEAD_LINES_MAX];
} head_t;

/* Size of the head that `text` begins with, empty line included; 0 if its end is not there yet. `from`: how much of it was looked at before. */
size_t head_end (const char *text, size_t size, size_t from);
/* Reads a whole head of `size` bytes as head_end told it, and puts NULs into it. 0, or the status to refuse it with (400, 431, 505). */
int head_read (char *text, size_t size, head_t *out);

/* A body in chunks (RFC 9112, 7.1), read as it comes. Zero-initialised. */
typedef struct chunks {
    int state;
    bool any;      /* a digit of this size was read */
    uint64_t left; /* of this chunk */
    size_t beside; /* bytes of extensions and trailers so far */
} chunks_t;

/* Takes from `in` and writes what belongs to the body to `out` (at most `room` bytes): *used and *got say how much of each. False if it is malformed, or has too much
 * beside the body. */
bool chunks_take (chunks_t *self, const char *in, size_t size, size_t *used, char *out, size_t room,
                  size_t *got);
/* The last chunk and the trailers were read. */
bool chunks_end (const chunks_t *self);

#endif
