/* stream.c - bodies that do not fit into memory: a request's from a file, an answer's into a blob. Reading and writing happen on the fetch's thread, a piece of
 * at most 64 KiB at a time. How it fails: the transfer ends with the code noted here and nothing is left on disk. */
#include "fetch/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int stream_fill (stream_t *self, const fetch_request_t *request)
{
    *self = (stream_t){.fd = -1,
                       .limit = request->answer_limit,
                       .blobs = request->answer_blobs,
                       .file.blob = request->answer_blob};
    if (request->body_file == NULL)
        return E_OK;
    self->path = strdup (request->body_file);
    self->file_offset = request->body_file_offset;
    self->file_size = request->body_file_size;
    if (request->body_tail.size > 0) {
        self->tail = malloc (request->body_tail.size);
        if (self->tail != NULL)
            memcpy (self->tail, request->body_tail.data, request->body_tail.size);
        self->tail_size = request->body_tail.size;
    }
    return self->path == NULL || (self->tail_size > 0 && self->tail == NULL) ? E_NO_MEMORY : E_OK;
}

void stream_clear (stream_t *self)
{
    if (self->path != NULL && self->fd >= 0)
        close (self->fd);
    free (self->path);
    free (self->tail);
    blob_writer_destroy (&self->writer);
    *self = (stream_t){.fd = -1};
}

/* ---- the request's body ---- */

int stream_open (stream_t *self)
{
    struct stat st;
    if (self->path == NULL)
        return E_OK;
    self->fd = open (self->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (self->fd < 0 || fstat (self->fd, &st) != 0 || !S_ISREG (st.st_mode))
        return E_NOT_FOUND;
    uint64_t size = (uint64_t) st.st_size;
    return self->file_offset > size || self->file_size > size - self->file_offset ? E_NOT_FOUND
                                                                                  : E_OK;
}

uint64_t stream_size (const stream_t *self, bytes_t head)
{
    return head.size + (self->path != NULL ? self->file_size + self->tail_size : 0);
}

static size_t copy_from (bytes_t from, uint64_t at, void *out, size_t size)
{
    size_t left = from.size - (size_t) at;
    size = size < left ? size : left;
    memcpy (out, from.data + at, size);
    return size;
}

long stream_read (stream_t *self, bytes_t head, void *out, size_t size)
{
    uint64_t at = self->at;
    ssize_t got = 0;
    if (at < head.size) {
        got = (ssize_t) copy_from (head, at, out, size);
    } else if ((at -= head.size) < self->file_size) {
        uint64_t left = self->file_size - at;
        do
            got = pread (self->fd, out, size < left ? size : (size_t) left,
                         (off_t) (self->file_offset + at));
        while (got < 0 && errno == EINTR);
        if (got <= 0) { /* it got shorter while it was sent */
            self->code = failure_set (&self->failure, E_IO, "", "the file cannot be read");
            return -1;
        }
    } else if ((at -= self->file_size) < self->tail_size) {
        got = (ssize_t) copy_from (bytes_of (self->tail, self->tail_size), at, out, size);
    }
    self->at += (uint64_t) got;
    return (long) got;
}

/* ---- the answer's body ---- */

static int take (stream_t *self, bytes_t piece)
{
    self->taken = true;
    if (piece.size > self->limit - self->file.size)
        return failure_set (&self->failure, E_MEDIA_TOO_LARGE, "", "it is larger than %llu bytes",
                            (unsigned long long) self->limit);
    self->file.size += piece.size;
    if (self->blobs == NULL)
        return E_OK;
    int code = self->writer != NULL
                   ? E_OK
                   : blob_writer_new (self->blobs, self->limit, &self->writer, &self->failure);
    return code ? code : blob_writer_add (self->writer, piece, &self->failure);
}

bool stream_take (stream_t *self, bytes_t piece)
{
    if (self->code == E_OK)
        self->code = take (self, piece);
    return self->code == E_OK;
}

int stream_end (stream_t *self)
{
    if (self->code == E_OK && self->blobs != NULL) {
        if (self->writer == NULL)
            self->code = blob_writer_new (self->blobs, self->limit, &self->writer, &self->failure);
        if (self->code == E_OK)
            self->code =
                blob_writer_end (self->writer, &self->file.seen, self->file.sha256, &self->failure);
        if (self->code == E_OK)
            self->code = blob_writer_finish (&self->writer, self->file.blob, &self->failure);
    }
    if (self->blobs == NULL)
        self->file.blob = id_nil ();
    return self->code;
}
