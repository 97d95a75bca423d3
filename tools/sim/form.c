/* form.c - see form.h: the streaming reader of libs/web, gathered. How it fails: a status, and an empty form. */
#include "form.h"

#include "web/multipart.h"
#include <string.h>
#include <strings.h>

typedef struct gathering {
    form_t *form;
    arena_t *arena;
} gathering_t;

bool form_is_multipart (const char *content_type)
{
    return strncasecmp (content_type, "multipart/form-data", 19) == 0;
}

static int part_begin (void *context, const multipart_part_t *part, failure_t *failure)
{
    gathering_t *self = context;
    if (self->form->count == FORM_PARTS_MAX)
        return failure_set (failure, E_TOO_LARGE, "", "more than %d parts", FORM_PARTS_MAX);
    form_part_t *to = &self->form->parts[self->form->count++];
    to->name = arena_strdup (self->arena, part->name);
    to->filename = arena_strdup (self->arena, part->filename);
    to->content_type = arena_strdup (self->arena, part->content_type);
    return 0;
}

static int part_data (void *context, bytes_t data, failure_t *failure)
{
    const gathering_t *self = context;
    buf_t *content = &self->form->parts[self->form->count - 1].content;
    buf_add (content, data.data, data.size);
    return buf_failed (content) ? failure_set (failure, E_NO_MEMORY, "", "no memory") : 0;
}

static long body_pull (void *context, void *out, size_t size)
{
    return web_body_piece (context, out, size);
}

int form_read (web_request_t *web, const char *content_type, size_t limit, form_t *out)
{
    gathering_t gathering = {out, web_arena (web)};
    multipart_limits_t limits = {.parts = FORM_PARTS_MAX, .body = limit};
    multipart_sink_t sink = {.begin = part_begin, .data = part_data, .context = &gathering};
    failure_t failure = {0};
    int code = multipart_read (content_type, body_pull, web, &limits, &sink, &failure);
    if (code == 0)
        return 0;
    form_free (out);
    return code == E_TOO_LARGE ? 413 : code == E_TIMEOUT ? 408 : 400;
}

void form_free (form_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        buf_free (&self->parts[i].content);
    self->count = 0;
}

const form_part_t *form_find (const form_t *self, const char *name)
{
    for (size_t i = 0; i < self->count; i++)
        if (strcmp (self->parts[i].name, name) == 0)
            return &self->parts[i];
    return NULL;
}
