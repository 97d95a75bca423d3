/* page.c - the cursors of listings: what a service says of where it stopped, bound to the listing, in the client's hands and back (dialect/cursor.h).
 *
 * What a listing is of: the operation, the organization, and all that was read of the request (path, filters, defaults) but for how many at most. */
#include "edge.h"

#include "dialect/cursor.h"

#include <string.h>

static const schema_field_t *cursor_field (const schema_type_t *view)
{
    for (size_t i = 0; view && i < view->field_count; i++)
        if (view->fields[i].kind == SK_CURSOR)
            return &view->fields[i];
    return NULL;
}

static void limit_clear (const schema_type_t *view, uint8_t *in, uint64_t *has)
{
    for (size_t i = 0; i < view->field_count; i++)
        if (view->fields[i].flags & SF_LIMIT) {
            memset (in + view->fields[i].offset, 0, sizeof (int64_t));
            *has &= ~(UINT64_C (1) << view->fields[i].has_bit);
        }
}

/* The binding, of a copy without cursor and limit. */
static int bind (exchange_t *x, const schema_field_t *cursor)
{
    const schema_type_t *type = x->op->op->in;
    buf_t text = buf_in (x->arena);
    uint8_t *in = arena_memdup (x->arena, x->in, type->size);
    if (!in)
        return E_NO_MEMORY;
    uint64_t has;
    memcpy (&has, in, sizeof has);
    memset (in + cursor->offset, 0, sizeof (bytes_t));
    has &= ~(UINT64_C (1) << cursor->has_bit);
    limit_clear (x->op->query_view, in, &has);
    memcpy (in, &has, sizeof has);
    buf_add (&text, x->op->name, strlen (x->op->name) + 1);
    buf_add (&text, x->who.org.b, sizeof x->who.org.b);
    schema_pack (type, in, &text);
    sign_sha256 (buf_bytes (&text), x->listing);
    return buf_failed (&text) ? E_NO_MEMORY : 0;
}

int page_begin (exchange_t *x, failure_t *failure)
{
    const schema_field_t *field = cursor_field (x->op->query_view);
    if (!field)
        return 0;
    if (bind (x, field))
        return failure_set (failure, E_NO_MEMORY, "", "no memory");
    bytes_t *cursor = (void *) ((char *) x->in + field->offset);
    if (cursor->size && cursor_open (x->edge->cursor_key, x->listing, *cursor, cursor))
        return failure_set (failure, E_BAD_CURSOR, field->name,
                            "%s is not one that this listing gave", field->name);
    return 0;
}

int page_end (exchange_t *x, void *out)
{
    const schema_field_t *field = cursor_field (x->op->answer_view);
    bytes_t *cursor = field ? (void *) ((char *) out + field->offset) : NULL;
    if (!cursor || cursor->size == 0)
        return 0;
    return cursor_seal (x->edge->cursor_key, x->listing, *cursor, x->arena, cursor);
}
