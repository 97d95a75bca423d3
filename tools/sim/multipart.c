/* multipart.c - see multipart.h. How it fails: false, with *out empty. */
#include "multipart.h"

#include <string.h>
#include <strings.h>

typedef struct cursor {
    const char *at;
    const char *end;
} cursor_t;

static const char *find (const char *at, const char *end, const char *what, size_t size)
{
    return memmem (at, (size_t) (end - at), what, size);
}

/* The parameter `name` of a header value ("form-data; name=\"a\""), in the arena; NULL if absent. */
static const char *parameter (arena_t *arena, const char *value, const char *name)
{
    size_t length = strlen (name);
    for (const char *at = value; (at = strchr (at, ';')) != NULL;) {
        at += 1 + strspn (at + 1, " \t");
        if (strncasecmp (at, name, length) != 0 || at[length] != '=')
            continue;
        at += length + 1;
        if (*at != '"')
            return arena_strndup (arena, at, strcspn (at, "; \t"));
        char *out = arena_alloc (arena, strlen (at) + 1);
        size_t size = 0;
        for (at++; *at != '"'; at++) {
            if (*at == '\0')
                return NULL;
            if (*at == '\\' && (at[1] == '"' || at[1] == '\\'))
                at++;
            out[size++] = *at;
        }
        return out;
    }
    return NULL;
}

static void header_take (arena_t *arena, const char *line, multipart_part_t *part)
{
    static const char disposition[] = "Content-Disposition:", type[] = "Content-Type:";
    if (strncasecmp (line, disposition, sizeof disposition - 1) == 0) {
        part->name = parameter (arena, line, "name");
        part->filename = parameter (arena, line, "filename");
    } else if (strncasecmp (line, type, sizeof type - 1) == 0) {
        line += sizeof type - 1;
        part->content_type = line + strspn (line, " \t");
    }
}

/* Headers up to the empty line. */
static bool headers_read (arena_t *arena, cursor_t *in, multipart_part_t *part)
{
    for (;;) {
        const char *stop = find (in->at, in->end, "\r\n", 2);
        if (stop == NULL || stop - in->at > 8192)
            return false;
        const char *line = arena_strndup (arena, in->at, (size_t) (stop - in->at));
        in->at = stop + 2;
        if (*line == '\0')
            return part->name != NULL;
        header_take (arena, line, part);
    }
}

static bool parts_read (arena_t *arena, cursor_t in, const char *boundary, multipart_t *out)
{
    const char *mark = arena_printf (arena, "\r\n--%s", boundary);
    size_t size = strlen (mark);
    if ((size_t) (in.end - in.at) < size || memcmp (in.at, mark + 2, size - 2) != 0)
        return false;
    in.at += size - 2;
    for (;;) {
        if (in.end - in.at >= 2 && memcmp (in.at, "--", 2) == 0)
            return true;
        if (in.end - in.at < 2 || memcmp (in.at, "\r\n", 2) != 0 ||
            out->count == MULTIPART_PARTS_MAX)
            return false;
        in.at += 2;
        multipart_part_t *part = &out->parts[out->count];
        if (!headers_read (arena, &in, part))
            return false;
        const char *stop = find (in.at, in.end, mark, size);
        if (stop == NULL)
            return false;
        part->content = bytes_of (in.at, (size_t) (stop - in.at));
        out->count++;
        in.at = stop + size;
    }
}

bool multipart_read (arena_t *arena, const char *content_type, bytes_t body, multipart_t *out)
{
    memset (out, 0, sizeof *out);
    if (content_type == NULL || strncasecmp (content_type, "multipart/form-data", 19) != 0)
        return false;
    const char *boundary = parameter (arena, content_type, "boundary");
    if (boundary == NULL || *boundary == '\0' || strlen (boundary) > 200 || body.size == 0)
        return false;
    cursor_t in = {.at = (const char *) body.data, .end = (const char *) body.data + body.size};
    if (parts_read (arena, in, boundary, out))
        return true;
    memset (out, 0, sizeof *out);
    return false;
}

const multipart_part_t *multipart_find (const multipart_t *self, const char *name)
{
    for (size_t i = 0; i < self->count; i++)
        if (strcmp (self->parts[i].name, name) == 0)
            return &self->parts[i];
    return NULL;
}
