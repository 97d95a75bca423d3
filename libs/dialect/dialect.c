/* dialect.c - what all dialects share: finding the rows of their tables. */
#include "dialect/dialect.h"

#include "base/text.h"
#include "sign/sign.h"

#include <stdio.h>
#include <string.h>

const dialect_t *const dialect_all[] = {&dialect_chirp, &dialect_kirim};
const size_t dialect_count = sizeof dialect_all / sizeof *dialect_all;

const dialect_t *dialect_find (const char *name)
{
    for (size_t i = 0; i < dialect_count; i++)
        if (!name || strcmp (dialect_all[i]->name, name) == 0)
            return dialect_all[i];
    return NULL;
}

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

int dialect_event_render_how (const dialect_t *d, const journal_event_t *event, const void *body,
                              const dialect_how_t *how, dialect_rendered_t *rendered, buf_t *out)
{
    const schema_public_event_t *row = row_of (d, event, body);
    *rendered = (dialect_rendered_t){0};
    if (!row)
        return E_NOT_FOUND;
    int code = d->event_render (d, row, event, body, how, rendered, out);
    return code ? code : buf_failed (out) ? E_NO_MEMORY : 0;
}

int dialect_event_render (const dialect_t *d, const journal_event_t *event, const void *body,
                          const messaging_app_ref_t *app, const char *public_url, int64_t now,
                          char event_id[64], buf_t *out)
{
    dialect_how_t how = {.app = app, .public_url = public_url, .now = now};
    dialect_rendered_t rendered;
    int code = dialect_event_render_how (d, event, body, &how, &rendered, out);
    snprintf (event_id, 64, "%.63s", rendered.event_id);
    return code;
}

bytes_t dialect_marked (const dialect_t *d, arena_t *arena, bytes_t body, size_t mark,
                        id16_t delivery)
{
    char id[64];
    d->id_write (d->delivery->id_prefix, false, delivery, id);
    size_t length = strlen (id);
    if (!mark || mark > body.size || length > body.size - mark)
        return body;
    uint8_t *copy = arena_memdup (arena, body.data, body.size);
    if (!copy)
        return (bytes_t){0};
    memcpy (copy + mark, id, length);
    return bytes_of (copy, body.size);
}

void dialect_header_add (dialect_headers_t *self, const char *name, const char *value)
{
    size_t first = strlen (name), second = strlen (value);
    char *line = arena_alloc (self->arena, first + 2 + second + 1);
    if (line) {
        memcpy (line, name, first);
        memcpy (line + first, ": ", 2);
        memcpy (line + first + 2, value, second);
    }
    self->items[self->count++] = line;
}

void dialect_header_add_number (dialect_headers_t *self, const char *name, int64_t value)
{
    char text[TEXT_NUMBER_SIZE];
    text_write_int (value, text);
    dialect_header_add (self, name, text);
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

int dialect_fingerprint (const char *method, const char *path, bytes_t body, uint8_t out[32])
{
    buf_t packed = {0}, text = {0};
    int code = 0;
    buf_add_str (&text, method);
    buf_add_str (&text, path);
    int read = body.size ? schema_any_read (body, &packed, NULL) : E_BAD_REQUEST;
    if (read == 0)
        code = schema_any_canonical (buf_bytes (&packed), &text);
    else if (read == E_NO_MEMORY) /* the print of a body as it came would be another request's */
        code = read;
    else
        buf_add (&text, body.data, body.size);
    sign_sha256 (buf_bytes (&text), out);
    if (buf_failed (&text) || buf_failed (&packed))
        code = E_NO_MEMORY;
    buf_free (&packed);
    buf_free (&text);
    return code;
}

void dialect_forgets (const dialect_t *d, uint8_t out[IDEM_FORGETS / 8])
{
    memset (out, 0, IDEM_FORGETS / 8);
    for (size_t i = 0; i < d->schema->error_count; i++) {
        const schema_public_error_t *row = &d->schema->errors[i];
        bool again =
            row->status == 401 || row->status == 409 || row->status == 429 || row->status >= 500;
        if (again && row->code < IDEM_FORGETS)
            out[row->code / 8] |= (uint8_t) (1 << row->code % 8);
    }
}

/* ---- names of fields ---- */

/* The field's name in this view into `out`, through flat objects. */
static bool name_in_view (const schema_type_t *view, uint32_t offset, char *out, size_t size)
{
    for (size_t i = 0; view && i < view->field_count; i++) {
        const schema_field_t *field = &view->fields[i];
        if (field->kind == SK_CONST || field->kind == SK_TOLD || field->kind == SK_GIVEN)
            continue;
        if (field->kind == SK_FLAT) {
            int used = snprintf (out, size, "%s.", field->name);
            if (used > 0 && (size_t) used < size &&
                name_in_view (field->type, offset, out + used, size - (size_t) used))
                return true;
        } else if (field->offset == offset) {
            snprintf (out, size, "%s", field->name);
            return true;
        }
    }
    return false;
}

void dialect_field_name (const schema_public_t *op, const char *core, char out[FAILURE_FIELD_SIZE])
{
    char first[FAILURE_FIELD_SIZE];
    size_t length = strcspn (core, ".[");
    snprintf (first, sizeof first, "%.*s", (int) length, core);
    const schema_field_t *field = op->op ? schema_field_find (op->op->in, first) : NULL;
    if (!field) {
        snprintf (out, FAILURE_FIELD_SIZE, "%s", core);
        return;
    }
    const schema_type_t *views[] = {op->body_view, op->path_view, op->query_view, op->header_view};
    for (size_t i = 0; i < sizeof views / sizeof *views; i++)
        if (name_in_view (views[i], field->offset, out, FAILURE_FIELD_SIZE)) {
            size_t used = strlen (out);
            snprintf (out + used, FAILURE_FIELD_SIZE - used, "%s", core + length);
            return;
        }
    *out = 0;
}
