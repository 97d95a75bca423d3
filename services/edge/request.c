/* request.c - path, query and body of a request into the core op's `in`, through the dialect's views; then packed once, for the ask and for its
 * fingerprint. The first field that does not fit is told by the name that the client used. */
#include "edge.h"

#include "base/msgpack.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static schema_ctx_t ctx_of (const exchange_t *x)
{
    schema_ctx_t ctx = exchange_ctx (x);
    ctx.any_test = x->known && x->who.kind == ACCOUNTS_KEY_KIND_ADMIN;
    return ctx;
}

/* ---- path and query ---- */

/* The parameters stand in the view in the order of its fields, in the route in the path's: they meet by name. */
static size_t param_index (const char *path, const char *name)
{
    size_t index = 0, length = strlen (name);
    for (const char *at = strchr (path, '{'); at; at = strchr (at + 1, '{'), index++)
        if (strncmp (at + 1, name, length) == 0 && at[length + 1] == '}')
            return index;
    return ROUTE_PARAMS_MAX;
}

/* An id in a path that is none is a thing that is not there, or where the dialect looks at forms, a request that is none. */
static int read_path (exchange_t *x, failure_t *failure)
{
    const schema_type_t *view = x->op->path_view;
    if (!view)
        return 0;
    schema_ctx_t ctx = ctx_of (x);
    for (size_t i = 0; i < view->field_count; i++) {
        const schema_field_t *field = &view->fields[i];
        size_t index = param_index (x->op->path, field->name);
        if (index >= x->route.param_count)
            return failure_set (failure, E_INTERNAL, field->name, "no such path parameter");
        int code = schema_text_read (field, &ctx, x->route.params[index], x->arena, x->in, failure);
        if (code && x->dialect->id_forms)
            return code;
        if (code)
            return failure_set (failure, E_NOT_FOUND, field->name, "There is nothing with this %s",
                                field->name);
    }
    return 0;
}

/* Before the query: what stands in both counts as the query says. */
static int read_headers (exchange_t *x, failure_t *failure)
{
    const schema_type_t *view = x->op->header_view;
    int code = 0;
    if (!view)
        return 0;
    schema_ctx_t ctx = ctx_of (x);
    for (size_t i = 0; i < view->field_count && !code; i++) {
        const schema_field_t *field = &view->fields[i];
        const char *value = web_header (x->web, field->name);
        code = value ? schema_text_read (field, &ctx, value, x->arena, x->in, failure)
                     : schema_text_absent (field, &ctx, x->arena, x->in, failure);
    }
    return code;
}

static int read_pair (exchange_t *x, const char *name, const char *value, uint64_t *seen,
                      failure_t *failure)
{
    const schema_type_t *view = x->op->query_view;
    schema_ctx_t ctx = ctx_of (x);
    for (size_t i = 0; i < view->field_count; i++) {
        const schema_field_t *field = &view->fields[i];
        if (strcmp (field->name, name) != 0)
            continue;
        if (*seen >> i & 1 && field->kind != SK_LIST)
            return failure_set (failure, E_BAD_REQUEST, field->name, "%s stands twice in the query",
                                field->name);
        *seen |= UINT64_C (1) << i;
        return schema_text_read (field, &ctx, value, x->arena, x->in, failure);
    }
    return 0;
}

static int read_query (exchange_t *x, failure_t *failure)
{
    const schema_type_t *view = x->op->query_view;
    if (!view)
        return 0;
    schema_ctx_t ctx = ctx_of (x);
    const char *at = web_query (x->web), *name, *value;
    uint64_t seen = 0;
    bool malformed = false;
    int code = 0;
    while (!code && at && web_pair_next (x->arena, &at, &name, &value, &malformed))
        code = read_pair (x, name, value, &seen, failure);
    if (malformed && !code)
        return failure_set (failure, E_BAD_REQUEST, "", "The query is not well encoded");
    for (size_t i = 0; i < view->field_count && !code; i++)
        if (!(seen >> i & 1))
            code = schema_text_absent (&view->fields[i], &ctx, x->arena, x->in, failure);
    return code;
}

/* ---- body ---- */

/* "application/json", with or without parameters. */
static bool is_json (const char *type)
{
    static const char json[] = "application/json";
    if (!type || strncasecmp (type, json, sizeof json - 1) != 0)
        return false;
    type += sizeof json - 1;
    type += strspn (type, " \t");
    return *type == 0 || *type == ';';
}

static int read_body (exchange_t *x, failure_t *failure)
{
    const schema_type_t *view = x->op->body_view;
    if (!view)
        return 0;
    schema_ctx_t ctx = ctx_of (x);
    bytes_t body = {0};
    if (web_body_length (x->web) != 0 && !is_json (web_header (x->web, "Content-Type")))
        return failure_set (failure, E_BAD_REQUEST, "Content-Type",
                            "The body must be sent as application/json");
    int status = web_body (x->web, x->edge->body_max, &body);
    if (status == 413)
        return failure_set (failure, E_TOO_LARGE, "", "The body is longer than %zu bytes",
                            x->edge->body_max);
    if (status == 503)
        return failure_set (failure, E_NO_MEMORY, "", "%s", error_doc (E_NO_MEMORY));
    if (status)
        return failure_set (failure, E_BAD_REQUEST, "",
                            status == 408 ? "The body came too slowly"
                                          : "The body ended too early");
    if (body.size == 0)
        return x->op->body_optional
                   ? 0
                   : failure_set (failure, E_BAD_REQUEST, "", "A JSON body is needed");
    return schema_json_read (view, &ctx, body, x->arena, x->in, failure);
}

/* ---- idempotency ---- */

/* Header bytes that are no UTF-8 are Latin-1, as HTTP had it and some clients have it still. */
static const char *header_text (arena_t *arena, const char *bytes)
{
    size_t length = strlen (bytes), used = 0;
    if (text_is_utf8 (bytes, length))
        return bytes;
    char *out = arena_alloc (arena, 2 * length + 1);
    for (size_t i = 0; out && i < length; i++) {
        uint8_t c = (uint8_t) bytes[i];
        if (c >= 0x80)
            out[used++] = (char) (0xC0 | c >> 6);
        out[used++] = (char) (c >= 0x80 ? 0x80 | (c & 0x3F) : c);
    }
    return out;
}

/* Free text; none is as if there were no header. */
static int read_text_key (exchange_t *x, const char *header, const char *key, failure_t *failure)
{
    if (!*key)
        return 0;
    key = header_text (x->arena, key);
    if (!key)
        return E_NO_MEMORY;
    if (text_code_points (key, strlen (key)) > IDEMPOTENCY_KEY_MAX)
        return failure_set (failure, E_BAD_REQUEST, header, "%s must be at most %d characters",
                            header, IDEMPOTENCY_KEY_MAX);
    x->idempotency_key = key;
    return 0;
}

static int read_key (exchange_t *x, failure_t *failure)
{
    const char *header = x->dialect->idempotency_header, *key = web_header (x->web, header);
    if (!key || strcmp (x->op->method, "POST") != 0)
        return 0;
    if (x->dialect->idempotency_wait_ms)
        return read_text_key (x, header, key, failure);
    size_t length = strlen (key);
    if (length > IDEMPOTENCY_KEY_MAX || !text_is_visible (key, length))
        return failure_set (failure, E_BAD_REQUEST, header,
                            "%s must be 1 to %d visible ASCII characters", header,
                            IDEMPOTENCY_KEY_MAX);
    x->idempotency_key = key;
    return 0;
}

/* Of what the client sent: method, contract path and canonical body. */
static int print_request (exchange_t *x)
{
    bytes_t body = {0};
    if (web_body (x->web, x->edge->body_max, &body))
        body = (bytes_t){0};
    return dialect_fingerprint (x->op->method, x->path, body, x->fingerprint);
}

int request_begin (exchange_t *x)
{
    x->in = arena_alloc (x->arena, x->op->op->in->size);
    return x->in ? 0 : E_NO_MEMORY;
}

int request_rest (exchange_t *x, failure_t *failure)
{
    int code = read_path (x, failure);
    if (!code)
        code = read_headers (x, failure);
    if (!code)
        code = read_query (x, failure);
    if (!code)
        code = read_key (x, failure);
    if (!code && schema_fixed_apply (x->op, x->arena, x->in))
        code = failure_set (failure, E_INTERNAL, "", "a fixed value does not fit");
    return code ? code : page_begin (x, failure);
}

int request_pack (exchange_t *x, failure_t *failure)
{
    buf_t packed = buf_in (x->arena);
    schema_pack (x->op->op->in, x->in, &packed);
    if (buf_failed (&packed) || packed.size > ENVELOPE_BODY_MAX)
        return failure_set (failure, E_TOO_LARGE, "", "The request is longer than %d bytes",
                            ENVELOPE_BODY_MAX);
    x->packed = buf_bytes (&packed);
    return 0;
}

/* Two operations on one route: a member of the body says which. What cannot be read is told by the one that the route names. */
static void pick_op (exchange_t *x)
{
    bytes_t body = {0};
    buf_t packed = buf_in (x->arena);
    if (!x->op->pick || web_body (x->web, x->edge->body_max, &body) || !body.size ||
        schema_any_read (body, &packed, NULL))
        return;
    mp_reader_t in = mp_read (buf_bytes (&packed));
    uint32_t members = mp_peek (&in) == MP_MAP ? mp_read_map (&in) : 0;
    for (uint32_t i = 0; i < members && !in.failed; i++) {
        bytes_t name = mp_read_str (&in);
        if (bytes_equal (name, bytes_of_str (x->op->pick))) {
            x->op = x->op->picked;
            return;
        }
        mp_skip (&in);
    }
}

int request_read (exchange_t *x, failure_t *failure)
{
    pick_op (x);
    int code = request_begin (x);
    if (!code) /* first: a bad one is told as what it is, and all of it is taken off the connection */
        code = read_body (x, failure);
    if (!code)
        code = request_rest (x, failure);
    if (!code)
        code = request_pack (x, failure);
    if (code || !x->idempotency_key)
        return code;
    if (x->dialect->idempotency_wait_ms)
        return print_request (x);
    sign_sha256 (x->packed, x->fingerprint);
    return 0;
}
