/* multipart.c - finding boundaries in a sliding window of the body, and handing on what is between them.
 *
 * The delimiter is CR LF "--" boundary; the body is read as if a CR LF stood before it, so that the first one is like the others. Of the window all but the last
 * bytes, which may be the start of a delimiter, are handed on at once. Malformed input ends with E_BAD_REQUEST that says what is wrong. */
#include "web/multipart.h"

#include "web/params.h"
#include "base/text.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    WINDOW_SIZE = 16 << 10,
    BOUNDARY_MAX = 70,
    PARTS_DEFAULT = 16,
    HEADERS_DEFAULT = 4 << 10,
};

typedef struct reader {
    multipart_pull_fn *pull;
    void *source;
    const multipart_sink_t *sink;
    failure_t *failure;
    multipart_limits_t limits;
    uint64_t taken; /* bytes from the source */
    bool ended;     /* the source has no more */
    unsigned parts;
    size_t delimiter_size;
    size_t at; /* unread bytes of the window: at to end */
    size_t end;
    bool has_name, has_filename, has_type;
    char name[MULTIPART_TEXT_SIZE];
    char filename[MULTIPART_TEXT_SIZE];
    char type[MULTIPART_TEXT_SIZE];
    char delimiter[4 + BOUNDARY_MAX + 1];
    char window[WINDOW_SIZE];
} reader_t;

static int malformed (reader_t *self, const char *text)
{
    return failure_set (self->failure, E_BAD_REQUEST, self->has_name ? self->name : NULL,
                        "malformed multipart body: %s", text);
}

static int too_large (reader_t *self, const char *text)
{
    return failure_set (self->failure, E_TOO_LARGE, self->has_name ? self->name : NULL,
                        "multipart body: %s", text);
}

/* ---- the window ---- */

static size_t window_left (const reader_t *self)
{
    return self->end - self->at;
}

/* More bytes behind those that are there, which move to the front. */
static int window_fill (reader_t *self)
{
    memmove (self->window, self->window + self->at, window_left (self));
    self->end -= self->at;
    self->at = 0;
    size_t room = sizeof self->window - self->end;
    long got = self->pull (self->source, self->window + self->end, room);
    if (got == -408)
        return failure_set (self->failure, E_TIMEOUT, NULL, "the body comes too slowly");
    if (got == -413)
        return too_large (self, "it is too long");
    if (got < 0 || (size_t) got > room)
        return malformed (self, "it is cut short");
    self->ended = got == 0;
    self->end += (size_t) got;
    self->taken += (uint64_t) got;
    if (self->limits.body != 0 && self->taken > self->limits.body)
        return too_large (self, "it is too long");
    return 0;
}

/* At least `count` bytes in the window, unless the source ends before. */
static int window_need (reader_t *self, size_t count)
{
    int code = 0;
    while (code == 0 && window_left (self) < count && !self->ended)
        code = window_fill (self);
    return code;
}

static bool window_starts (const reader_t *self, const char *text)
{
    size_t length = strlen (text);
    return window_left (self) >= length && memcmp (self->window + self->at, text, length) == 0;
}

/* ---- between delimiters ---- */

static int data_hand (reader_t *self, size_t size)
{
    bytes_t data = bytes_of (self->window + self->at, size);
    self->at += size;
    return size > 0 ? self->sink->data (self->sink->context, data, self->failure) : 0;
}

/* Up to and past the next delimiter. The part's data goes to the sink; a preamble (`part` false) is dropped and bounded. */
static int delimiter_reach (reader_t *self, bool part)
{
    size_t dropped = 0;
    for (;;) {
        const char *start = self->window + self->at;
        const char *hit = memmem (start, window_left (self), self->delimiter, self->delimiter_size);
        size_t size = hit != NULL ? (size_t) (hit - start)
                      : window_left (self) >= self->delimiter_size
                          ? window_left (self) - (self->delimiter_size - 1)
                          : 0;
        int code = 0;
        if (part)
            code = data_hand (self, size);
        else
            self->at += size;
        dropped += size;
        if (code)
            return code;
        if (!part && dropped > self->limits.headers)
            return malformed (self, "there is no boundary at its start");
        if (hit != NULL) {
            self->at += self->delimiter_size;
            return 0;
        }
        if (self->ended)
            return malformed (self, part ? "it is cut short, the closing boundary is missing"
                                         : "the boundary of the content type is not in it");
        code = window_fill (self);
        if (code)
            return code;
    }
}

/* The rest of the delimiter's line: "--" if it was the last, blanks that transport added. The line's end stays. */
static int delimiter_end (reader_t *self, bool *last)
{
    int code = window_need (self, 2);
    if (code)
        return code;
    *last = window_starts (self, "--");
    if (*last)
        self->at += 2;
    for (size_t blanks = 0;; blanks++) {
        code = window_need (self, 2);
        if (code)
            return code;
        if (!window_starts (self, " ") && !window_starts (self, "\t"))
            break;
        if (blanks > self->limits.headers)
            return malformed (self, "a boundary's line is too long");
        self->at++;
    }
    if (window_starts (self, "\r\n") || (*last && window_left (self) == 0 && self->ended))
        return 0;
    if (window_left (self) < 2 && self->ended)
        return malformed (self, "it is cut short after a boundary");
    return malformed (self, "a boundary is followed by something else than a new line");
}

/* What follows the last delimiter means nothing, but the body has to end. */
static int epilogue_drop (reader_t *self)
{
    size_t dropped = 0;
    while (!self->ended || window_left (self) > 0) {
        dropped += window_left (self);
        self->at = self->end;
        if (dropped > self->limits.headers)
            return malformed (self, "too much follows the closing boundary");
        int code = window_fill (self);
        if (code)
            return code;
    }
    return 0;
}

/* ---- headers of a part ---- */

/* One of the part's texts: bounded, UTF-8, no control characters. */
static int text_keep (reader_t *self, const char *what, const char *text, size_t length,
                      char out[MULTIPART_TEXT_SIZE])
{
    if (length >= MULTIPART_TEXT_SIZE || !text_is_utf8 (text, length))
        return failure_set (
            self->failure, length >= MULTIPART_TEXT_SIZE ? E_TOO_LARGE : E_BAD_REQUEST,
            self->has_name ? self->name : NULL, "multipart body: a %s is %s", what,
            length >= MULTIPART_TEXT_SIZE ? "longer than 255 bytes" : "not valid UTF-8");
    memcpy (out, text, length);
    out[length] = '\0';
    return 0;
}

static int filename_check (reader_t *self)
{
    const char *name = self->filename;
    if (strpbrk (name, "/\\") != NULL || strcmp (name, ".") == 0 || strcmp (name, "..") == 0)
        return failure_set (self->failure, E_BAD_REQUEST, self->has_name ? self->name : NULL,
                            "the filename must be a plain name, without a path");
    return 0;
}

static int disposition_read (reader_t *self, const char *value, size_t length)
{
    params_t in;
    param_t param;
    char text[MULTIPART_HEADERS_MAX];
    if (self->has_name)
        return malformed (self, "a part has two Content-Disposition headers");
    if (!params_start (&in, value, length) || !params_value_is (&in, "form-data"))
        return malformed (self, "a part's Content-Disposition is not form-data");
    while (params_next (&in, &param, text, sizeof text)) {
        bool name = params_name_is (&param, "name");
        bool file = params_name_is (&param, "filename");
        if ((name && self->has_name) || (file && self->has_filename))
            return malformed (self, "a part has two names");
        int code = name   ? text_keep (self, "part's name", text, param.size, self->name)
                   : file ? text_keep (self, "filename", text, param.size, self->filename)
                          : 0;
        if (code)
            return code;
        self->has_name |= name;
        self->has_filename |= file;
    }
    if (in.failed)
        return malformed (self, "a part's Content-Disposition cannot be read");
    if (!self->has_name)
        return malformed (self, "a part has no name");
    return self->has_filename ? filename_check (self) : 0;
}

static int encoding_read (reader_t *self, const char *value, size_t length)
{
    static const char *const plain[] = {"binary", "8bit", "7bit"};
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        if (length == strlen (plain[i]) && strncasecmp (value, plain[i], length) == 0)
            return 0;
    return malformed (self, "a part has a Content-Transfer-Encoding");
}

static int header_read (reader_t *self, const char *line, size_t length)
{
    const char *colon = memchr (line, ':', length);
    size_t name_length = colon != NULL ? (size_t) (colon - line) : 0;
    if (!params_is_token (line, name_length))
        return malformed (self, "a part's header is not a header");
    const char *value = colon + 1;
    size_t size = length - name_length - 1;
    for (; size > 0 && (*value == ' ' || *value == '\t'); size--)
        value++;
    while (size > 0 && (value[size - 1] == ' ' || value[size - 1] == '\t'))
        size--;
    for (size_t i = 0; i < size; i++)
        if (((uint8_t) value[i] < ' ' && value[i] != '\t') || value[i] == 0x7f)
            return malformed (self, "a part's header has a control character in it");
    if (name_length == 19 && strncasecmp (line, "Content-Disposition", 19) == 0)
        return disposition_read (self, value, size);
    if (name_length == 25 && strncasecmp (line, "Content-Transfer-Encoding", 25) == 0)
        return encoding_read (self, value, size);
    if (name_length == 12 && strncasecmp (line, "Content-Type", 12) == 0) {
        if (self->has_type)
            return malformed (self, "a part has two Content-Type headers");
        self->has_type = true;
        return text_keep (self, "part's Content-Type", value, size, self->type);
    }
    return 0;
}

/* From the end of the delimiter's line past the empty line. */
static int headers_read (reader_t *self)
{
    const char *stop;
    while ((stop = memmem (self->window + self->at, window_left (self), "\r\n\r\n", 4)) == NULL) {
        if (window_left (self) >= self->limits.headers + 4) /* so the end lies beyond the limit */
            return too_large (self, "the headers of a part are too long");
        if (self->ended)
            return malformed (self, "it is cut short in the headers of a part");
        int code = window_fill (self);
        if (code)
            return code;
    }
    const char *line = self->window + self->at;
    if ((size_t) (stop - line) > self->limits.headers)
        return too_large (self, "the headers of a part are too long");
    while (line < stop) {
        line += 2;
        const char *next = memmem (line, (size_t) (stop + 2 - line), "\r\n", 2);
        int code = header_read (self, line, (size_t) (next - line));
        if (code)
            return code;
        line = next;
    }
    self->at = (size_t) (stop - self->window) + 4;
    return self->has_name ? 0 : malformed (self, "a part has no Content-Disposition");
}

/* ---- all of it ---- */

static int part_read (reader_t *self)
{
    self->has_name = self->has_filename = self->has_type = false;
    if (self->parts == self->limits.parts)
        return too_large (self, "it has too many parts");
    int code = headers_read (self);
    if (code)
        return code;
    multipart_part_t part = {.name = self->name,
                             .filename = self->has_filename ? self->filename : NULL,
                             .content_type = self->has_type ? self->type : NULL,
                             .index = self->parts++};
    code = self->sink->begin (self->sink->context, &part, self->failure);
    /* The delimiter may follow the empty line at once, and brings the line's end with it. */
    if (code == 0)
        code = delimiter_reach (self, true);
    if (code == 0 && self->sink->end != NULL)
        code = self->sink->end (self->sink->context, self->failure);
    return code;
}

static int body_read (reader_t *self)
{
    bool last = false;
    memcpy (self->window, "\r\n", 2);
    self->end = 2;
    int code = delimiter_reach (self, false);
    if (code == 0)
        code = delimiter_end (self, &last);
    while (code == 0 && !last) {
        code = part_read (self);
        if (code == 0)
            code = delimiter_end (self, &last);
    }
    self->has_name = false;
    return code ? code : epilogue_drop (self);
}

/* RFC 2046 section 5.1.1: 1 to 70 characters of a set, the last no blank. */
static bool boundary_is_good (const char *text, size_t size)
{
    if (size == 0 || size > BOUNDARY_MAX || text[size - 1] == ' ')
        return false;
    for (size_t i = 0; i < size; i++)
        if (!(text[i] >= '0' && text[i] <= '9') && !(text[i] >= 'A' && text[i] <= 'Z') &&
            !(text[i] >= 'a' && text[i] <= 'z') &&
            (text[i] == '\0' || strchr ("'()+_,-./:=? ", text[i]) == NULL))
            return false;
    return true;
}

static int boundary_read (reader_t *self, const char *content_type)
{
    params_t in;
    param_t param;
    char text[BOUNDARY_MAX + 2];
    unsigned count = 0;
    bool good = false;
    if (content_type == NULL || !params_start (&in, content_type, strlen (content_type)) ||
        !params_value_is (&in, "multipart/form-data"))
        return failure_set (self->failure, E_BAD_REQUEST, "Content-Type",
                            "the content type must be multipart/form-data");
    while (params_next (&in, &param, text, sizeof text)) {
        if (!params_name_is (&param, "boundary"))
            continue;
        count++;
        good = boundary_is_good (text, param.size);
        if (good) {
            memcpy (self->delimiter, "\r\n--", 4);
            memcpy (self->delimiter + 4, text, param.size);
            self->delimiter_size = 4 + param.size;
        }
    }
    if (in.failed || count != 1 || !good)
        return failure_set (self->failure, E_BAD_REQUEST, "Content-Type",
                            "the content type has no valid boundary");
    return 0;
}

static void limits_set (multipart_limits_t *self, const multipart_limits_t *wanted)
{
    *self = wanted != NULL ? *wanted : (multipart_limits_t){0};
    if (self->parts == 0)
        self->parts = PARTS_DEFAULT;
    if (self->parts > MULTIPART_PARTS_MAX)
        self->parts = MULTIPART_PARTS_MAX;
    if (self->headers == 0)
        self->headers = HEADERS_DEFAULT;
    if (self->headers > MULTIPART_HEADERS_MAX)
        self->headers = MULTIPART_HEADERS_MAX;
}

int multipart_read (const char *content_type, multipart_pull_fn *pull, void *source,
                    const multipart_limits_t *limits, const multipart_sink_t *sink,
                    failure_t *failure)
{
    reader_t *self = malloc (sizeof *self);
    if (self == NULL)
        return failure_set (failure, E_NO_MEMORY, NULL, "no memory to read a multipart body");
    memset (self, 0, offsetof (reader_t, window));
    self->pull = pull;
    self->source = source;
    self->sink = sink;
    self->failure = failure;
    limits_set (&self->limits, limits);
    int code = boundary_read (self, content_type);
    if (code == 0)
        code = body_read (self);
    free (self);
    return code;
}
