/* head.c - request line and headers, and bodies in chunks. How it fails: with the status to refuse with. Looks at nothing but the text. */
#include "web/head.h"

#include "base/text.h"
#include <string.h>
#include <strings.h>

enum { BESIDE_MAX = 8 * 1024, LENGTH_DIGITS = 18, CHUNK_DIGITS_BITS = 56 };

size_t head_end (const char *text, size_t size, size_t from)
{
    from = from > 3 ? from - 3 : 0;
    const char *end = size - from >= 4 ? memmem (text + from, size - from, "\r\n\r\n", 4) : NULL;
    return end != NULL ? (size_t) (end + 4 - text) : 0;
}

/* ---- the request line ---- */

static bool method_read (char *text, char *end, head_t *out, char **target)
{
    char *space = memchr (text, ' ', (size_t) (end - text));
    if (space == NULL)
        return false;
    *space = '\0';
    *target = space + 1;
    out->method = 0;
    return text_is_token (text);
}

/* "http://HOST:PORT/path": what stands before the path, or NULL if it is none of these. The host is looked at with the headers. */
static char *absolute_path (char *target)
{
    if (strncasecmp (target, "http://", 7) != 0)
        return NULL;
    char *slash = strchr (target + 7, '/');
    return slash != NULL && slash > target + 7 ? slash : NULL;
}

static bool target_is_sound (const char *target)
{
    for (const unsigned char *at = (const unsigned char *) target; *at != '\0'; at++)
        if (*at <= ' ' || *at == 0x7f)
            return false;
    return true;
}

static bool target_read (char *text, char *target, head_t *out, const char **authority)
{
    char *path = target, *absolute = absolute_path (target);
    if (!target_is_sound (target))
        return false;
    if (absolute !=
        NULL) { /* the authority moves down by a byte, so that its NUL does not take the path's slash */
        memmove (target + 6, target + 7, (size_t) (absolute - target) - 7);
        absolute[-1] = '\0';
        *authority = target + 6;
        path = absolute;
    }
    if (*path != '/' && (strcmp (path, "*") != 0 || strcmp (text, "OPTIONS") != 0))
        return false;
    char *query = strchr (path, '?');
    if (query != NULL)
        *query++ = '\0';
    else
        query = path + strlen (path);
    out->path = (uint32_t) (path - text);
    out->query = (uint32_t) (query - text);
    return true;
}

static int version_read (const char *text, head_t *out)
{
    if (strlen (text) != 8 || memcmp (text, "HTTP/", 5) != 0 || text[6] != '.' || text[5] < '0' ||
        text[5] > '9' || text[7] < '0' || text[7] > '9')
        return 400;
    out->is_11 = strcmp (text + 5, "1.1") == 0;
    return out->is_11 || strcmp (text + 5, "1.0") == 0 ? 0 : 505;
}

/* `end` is the line's CR. */
static int line_read (char *text, char *end, head_t *out, const char **authority)
{
    char *target;
    *end = '\0';
    if (!method_read (text, end, out, &target))
        return 400;
    char *space = strchr (target, ' ');
    if (space == NULL)
        return 400;
    *space = '\0';
    if (!target_read (text, target, out, authority))
        return 400;
    out->has_method = true;
    return version_read (space + 1, out);
}

/* ---- headers ---- */

typedef struct seen {
    unsigned length;
    unsigned coding;
    unsigned host;
    bool keeps;
    const char *authority; /* of an absolute target */
} seen_t;

static char lower (char c)
{
    return c >= 'A' && c <= 'Z' ? (char) (c | 0x20) : c;
}

static bool has_word (const char *value, const char *word)
{
    size_t length = strlen (word);
    while (*value != '\0') {
        value += strspn (value, " \t,");
        size_t span = strcspn (value, " \t,");
        if (span == length && strncasecmp (value, word, length) == 0)
            return true;
        value += span;
    }
    return false;
}

static int length_read (const char *value, head_t *out)
{
    size_t digits = strspn (value, "0123456789");
    if (digits == 0 || digits > LENGTH_DIGITS || value[digits] != '\0')
        return 400;
    out->length = 0;
    for (; *value != '\0'; value++)
        out->length = out->length * 10 + (*value - '0');
    return 0;
}

/* Of the headers that say how to read on; all others are the application's. */
static int header_note (const char *name, const char *value, head_t *out, seen_t *seen)
{
    switch (lower (*name)) {
    case 'c':
        if (strcasecmp (name, "Content-Length") == 0) {
            seen->length++;
            return length_read (value, out);
        }
        if (strcasecmp (name, "Connection") == 0) {
            out->closes |= has_word (value, "close");
            seen->keeps |= has_word (value, "keep-alive");
        }
        return 0;
    case 'e':
        if (strcasecmp (name, "Expect") == 0) {
            out->expects = true;
            out->continues = strcasecmp (value, "100-continue") == 0;
        }
        return 0;
    case 'h':
        if (strcasecmp (name, "Host") != 0)
            return 0;
        seen->host++;
        return seen->authority == NULL || strcasecmp (seen->authority, value) == 0 ? 0 : 400;
    case 't':
        if (strcasecmp (name, "Transfer-Encoding") != 0)
            return 0;
        seen->coding++;
        return strcasecmp (value, "chunked") == 0 ? 0 : 400;
    case 'u':
        out->closes |= strcasecmp (name, "Upgrade") == 0; /* what would follow it is no HTTP */
        return 0;
    default:
        return 0;
    }
}

static bool value_is_sound (const char *value, const char *end)
{
    for (; value < end; value++)
        if (((unsigned char) *value < ' ' && *value != '\t') || *value == 0x7f)
            return false;
    return true;
}

/* One header line; `end` is its CR. */
static int header_read (char *text, char *at, char *end, head_t *out, seen_t *seen)
{
    char *colon = memchr (at, ':', (size_t) (end - at));
    if (colon == NULL)
        return 400;
    *colon = '\0';
    char *value = colon + 1;
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    *end = '\0';
    if (!text_is_token (at) || !value_is_sound (value, end))
        return 400;
    if (out->line_count == HEAD_LINES_MAX)
        return 431;
    out->lines[out->line_count++] =
        (head_line_t){(uint32_t) (at - text), (uint32_t) (value - text)};
    return header_note (at, value, out, seen);
}

static int headers_judge (head_t *out, const seen_t *seen)
{
    if (seen->length + seen->coding > 1 || seen->host > 1)
        return 400;
    if ((out->is_11 && seen->host == 0) || (!out->is_11 && seen->coding > 0))
        return 400;
    if (seen->coding > 0)
        out->length = -1;
    if (!out->is_11) {
        out->closes |= !seen->keeps;
        out->expects = out->continues = false; /* RFC 9110, 10.1.1: it knows of no 100 */
    }
    return 0;
}

/* The CR of the line that begins at `at`; NULL if it ends in anything but CR LF. */
static char *line_end (char *at, char *last)
{
    char *feed = memchr (at, '\n', (size_t) (last - at));
    return feed != NULL && feed > at && feed[-1] == '\r' ? feed - 1 : NULL;
}

int head_read (char *text, size_t size, head_t *out)
{
    seen_t seen = {0};
    char *last = text + size - 2; /* the empty line's CR */
    memset (out, 0, offsetof (head_t, lines));
    char *end = line_end (text, last);
    if (end == NULL || memchr (text, '\0', size) != NULL)
        return 400;
    int status = line_read (text, end, out, &seen.authority);
    for (char *at = end + 2; at < last && status == 0; at = end + 2) {
        end = line_end (at, last);
        if (end == NULL)
            return 400;
        status = header_read (text, at, end, out, &seen);
    }
    if (status == 0)
        status = headers_judge (out, &seen);
    if (status == 0)
        out->size = (uint32_t) size;
    return status;
}

/* ---- chunks ---- */

enum {
    SIZE_BEGIN,
    SIZE,
    EXTENSION,
    SIZE_END,
    DATA,
    DATA_CR,
    DATA_END,
    TRAILER_BEGIN,
    TRAILER,
    TRAILER_END,
    LAST_END,
    ENDED
};

static int hex_digit (char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = lower (c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool size_take (chunks_t *self, char c)
{
    int digit = hex_digit (c);
    if (digit >= 0) {
        if (self->left >> CHUNK_DIGITS_BITS != 0 || ++self->beside > BESIDE_MAX)
            return false;
        self->left = self->left << 4 | (unsigned) digit;
        self->any = true;
        self->state = SIZE;
        return true;
    }
    self->state = c == '\r' ? SIZE_END : EXTENSION;
    return self->any && (c == '\r' || c == ';' || c == ' ' || c == '\t');
}

static bool is_soft (chunks_t *self, char c)
{
    return ((unsigned char) c >= ' ' || c == '\t') && c != 0x7f && ++self->beside <= BESIDE_MAX;
}

/* `c` must be `want`, and then comes `next`. */
static bool follow (chunks_t *self, char c, char want, int next)
{
    if (c != want)
        return false;
    self->state = next;
    return true;
}

/* One byte that is not of the body. */
static bool byte_take (chunks_t *self, char c)
{
    switch (self->state) {
    case SIZE_BEGIN:
    case SIZE:
        return size_take (self, c);
    case EXTENSION:
        if (c == '\r')
            return follow (self, c, '\r', SIZE_END);
        return is_soft (self, c);
    case SIZE_END:
        self->any = false;
        self->beside = 0;
        return follow (self, c, '\n', self->left > 0 ? DATA : TRAILER_BEGIN);
    case DATA_CR:
        return follow (self, c, '\r', DATA_END);
    case DATA_END:
        return follow (self, c, '\n', SIZE_BEGIN);
    case TRAILER_BEGIN:
        if (c == '\r')
            return follow (self, c, '\r', LAST_END);
        self->state = TRAILER;
        return is_soft (self, c);
    case TRAILER:
        if (c == '\r')
            return follow (self, c, '\r', TRAILER_END);
        return is_soft (self, c);
    case TRAILER_END:
        return follow (self, c, '\n', TRAILER_BEGIN);
    default:
        return follow (self, c, '\n', ENDED);
    }
}

bool chunks_take (chunks_t *self, const char *in, size_t size, size_t *used, char *out, size_t room,
                  size_t *got)
{
    *used = *got = 0;
    while (*used < size && self->state != ENDED) {
        if (self->state != DATA) {
            if (!byte_take (self, in[(*used)++]))
                return false;
            continue;
        }
        size_t most = size - *used < room - *got ? size - *used : room - *got;
        size_t span = self->left < most ? (size_t) self->left : most;
        if (span == 0)
            return true; /* no room */
        memcpy (out + *got, in + *used, span);
        *used += span;
        *got += span;
        self->left -= span;
        if (self->left == 0)
            self->state = DATA_CR;
    }
    return true;
}

bool chunks_end (const chunks_t *self)
{
    return self->state == ENDED;
}
