/* stream.h - inside libs/fetch: bodies that go from a file or into a blob, piece by piece. */
#ifndef AVIARY_FETCH_STREAM_H
#define AVIARY_FETCH_STREAM_H

#include "fetch/fetch.h"

typedef struct stream {
    /* the request's body: a file between two pieces of memory */
    char *path; /* NULL = none */
    int fd;
    uint64_t file_offset;
    uint64_t file_size;
    uint8_t *tail;
    size_t tail_size;
    uint64_t at; /* bytes of the whole body given so far */
    /* the answer's body */
    uint64_t limit; /* 0 = it stays in memory */
    blobs_t *blobs;
    blob_writer_t *writer;
    bool taken; /* some of it came */
    fetch_file_t file;
    /* of the first failure here */
    int code;
    failure_t failure;
} stream_t;

/* Copy what a request says of files. 0 or E_NO_MEMORY. */
int stream_fill (stream_t *self, const fetch_request_t *request);
/* Open the file of the request's body. 0, or E_NOT_FOUND if it is not there or shorter. */
int stream_open (stream_t *self);
/* The next bytes of the request's body, after `head`; -1 if they cannot be read. */
long stream_read (stream_t *self, bytes_t head, void *out, size_t size);
uint64_t stream_size (const stream_t *self, bytes_t head);
/* A piece of the answer's body; false ends the transfer, `code` says why. */
bool stream_take (stream_t *self, bytes_t piece);
/* All of the answer came: the blob becomes pending. 0 or an E_ code. */
int stream_end (stream_t *self);
void stream_clear (stream_t *self);

#endif
