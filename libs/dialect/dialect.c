/* dialect.c - what all dialects share: finding the rows of their tables. */
#include "dialect/dialect.h"

#include <string.h>

static const schema_public_event_t *row_of (const dialect_t *d, const journal_event_t *event,
                                            const void *body)
{
    if (event->snapshot || !body)
        return NULL; /* a state that is told again did not happen again */
    for (size_t i = 0; i < d->schema->event_count; i++) {
        const schema_public_event_t *row = &d->schema->events[i];
        if (row->core == event->event && schema_event_applies (row, body) &&
            schema_event_part (row, body))
            return row;
    }
    return NULL;
}

const char *dialect_event_name (const dialect_t *d, const journal_event_t *event, const void *body)
{
    const schema_public_event_t *row = row_of (d, event, body);
    return row ? row->name : NULL;
}

int dialect_event_render (const dialect_t *d, const journal_event_t *event, const void *body,
                          const messaging_app_ref_t *app, const char *public_url, int64_t now,
                          char event_id[64], buf_t *out)
{
    const schema_public_event_t *row = row_of (d, event, body);
    if (!row)
        return E_NOT_FOUND;
    return d->event_render (d, row, event, body, app, public_url, now, event_id, out);
}

bool dialect_event_known (const dialect_t *d, const char *name)
{
    for (const char *const *known = d->events; *known; known++)
        if (strcmp (*known, name) == 0)
            return true;
    return false;
}

const char *const *dialect_event_names (const dialect_t *d)
{
    return d->events;
}

schema_ctx_t dialect_ctx (const dialect_t *d, bool test)
{
    return (schema_ctx_t){.id_read = d->id_read, .id_write = d->id_write, .test = test};
}

int dialect_error_render (const dialect_t *d, const failure_t *failure,
                          const dialect_blame_t *blame, buf_t *out)
{
    return d->error_render (d, failure, blame, out);
}

int dialect_error_status (const dialect_t *d, int code)
{
    const schema_public_error_t *look = schema_public_error_find (d->schema, code);
    return look ? look->status : 500;
}

void dialect_request_id (const dialect_t *d, id16_t id, char out[64])
{
    d->request_id (id, out);
}
