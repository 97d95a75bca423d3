/* multipart_fuzz.c - multipart bodies from clients. First byte: how many bytes the source gives at a time; up to the first new line: the content type; the rest: the
 * body.
 *
 * However the body is cut into pieces, the same comes out of it. Texts of parts are UTF-8, filenames have no path. */
#include "web/multipart.h"

#include "base/text.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

typedef struct source {
    bytes_t left;
    size_t step;
} source_t;

typedef struct heard {
    buf_t log; /* parts and their data */
    unsigned begun, ended;
} heard_t;

static void must (bool holds)
{
    if (!holds)
        abort ();
}

static long pull (void *context, void *out, size_t size)
{
    source_t *self = context;
    size_t n = self->step < size ? self->step : size;
    must (size > 0);
    if (n > self->left.size)
        n = self->left.size;
    if (n > 0)
        memcpy (out, self->left.data, n);
    self->left = bytes_of (self->left.data + n, self->left.size - n);
    return (long) n;
}

static int begin (void *context, const multipart_part_t *part, failure_t *failure)
{
    heard_t *self = context;
    (void) failure;
    must (self->begun++ == self->ended && part->index == self->ended);
    must (text_is_utf8 (part->name, strlen (part->name)));
    must (part->filename == NULL || (text_is_utf8 (part->filename, strlen (part->filename)) &&
                                     strpbrk (part->filename, "/\\") == NULL));
    buf_printf (&self->log, "[%s|%s|%s]", part->name, part->filename ? part->filename : "-",
                part->content_type ? part->content_type : "-");
    return 0;
}

static int take (void *context, bytes_t data, failure_t *failure)
{
    heard_t *self = context;
    (void) failure;
    must (self->begun == self->ended + 1 && data.size > 0);
    buf_add (&self->log, data.data, data.size);
    return 0;
}

static int end (void *context, failure_t *failure)
{
    heard_t *self = context;
    (void) failure;
    must (self->begun == ++self->ended);
    return 0;
}

static int run (const char *type, bytes_t body, size_t step, heard_t *heard)
{
    source_t source = {body, step};
    failure_t failure = {0};
    const multipart_sink_t sink = {begin, take, end, heard};
    const multipart_limits_t limits = {.parts = 8, .headers = 512};
    int code = multipart_read (type, pull, &source, &limits, &sink, &failure);
    must (failure.code == code && (code == 0 || failure.text[0] != 0));
    must (code != 0 || (source.left.size == 0 && heard->begun == heard->ended));
    return code;
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    char type[256];
    const uint8_t *line = size > 1 ? memchr (data + 1, '\n', size - 1) : NULL;
    if (line == NULL || (size_t) (line - data) > sizeof type)
        return 0;
    size_t length = (size_t) (line - data) - 1;
    memcpy (type, data + 1, length);
    type[length] = '\0';
    bytes_t body = bytes_of (line + 1, size - length - 2);
    heard_t whole = {0}, pieces = {0};
    int one = run (type, body, SIZE_MAX, &whole);
    int two = run (type, body, 1u + data[0] % 64, &pieces);
    must (one == two);
    must (whole.begun == pieces.begun && whole.ended == pieces.ended);
    must (one != 0 || bytes_equal (buf_bytes (&whole.log), buf_bytes (&pieces.log)));
    buf_free (&whole.log);
    buf_free (&pieces.log);
    return 0;
}
