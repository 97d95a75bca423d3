/* answer.c - the one way out of an exchange: status, headers and body, in the dialect's words.
 *
 * Texts are written on the heap: an exchange that used up its own memory still gets an answer. */
#include "edge.h"

#include "base/clock.h"
#include "base/text.h"

#include <string.h>

enum { HEADERS_MAX = 12, HEADERS_SIZE = 2048 };

typedef struct headers {
    size_t count;
    size_t used; /* of `text` */
    const char *lines[HEADERS_MAX + 1];
    char text[HEADERS_SIZE];
} headers_t;

static void headers_init (headers_t *self)
{
    self->count = self->used = 0;
    self->lines[0] = NULL;
}

/* "NAME: VALUE"; `name` comes with its colon and space. One that does not fit is left out. */
static void header_add_bytes (headers_t *self, const char *name, const char *value, size_t length)
{
    size_t head = strlen (name);
    char *at = self->text + self->used;
    if (self->count == HEADERS_MAX || head + length >= HEADERS_SIZE - self->used)
        return;
    memcpy (at, name, head);
    memcpy (at + head, value, length);
    at[head + length] = 0;
    self->used += head + length + 1;
    self->lines[self->count++] = at;
    self->lines[self->count] = NULL;
}

static void header_add (headers_t *self, const char *name, const char *value)
{
    header_add_bytes (self, name, value, strlen (value));
}

static void header_add_number (headers_t *self, const char *name, int64_t value)
{
    char digits[TEXT_NUMBER_SIZE];
    size_t length = text_write_int (value, digits);
    header_add_bytes (self, name, digits, length);
}

/* A line of any length, which outlives the answer. */
static void header_add_line (headers_t *self, const char *line)
{
    if (!line || self->count == HEADERS_MAX)
        return;
    self->lines[self->count] = line;
    self->lines[++self->count] = NULL;
}

static void headers_common (headers_t *self, const exchange_t *x, const char *type)
{
    headers_init (self);
    header_add (self, "X-Request-Id: ", x->request_id);
    header_add (self, "Content-Type: ", type);
    header_add_line (self, "X-Content-Type-Options: nosniff");
    if (x->replayed)
        header_add_line (self, "Idempotent-Replayed: true");
    else if (x->idempotency_key && x->dialect->idempotency_wait_ms)
        header_add_line (self, "Idempotent-Replayed: false");
    if (!x->limit_shown)
        return;
    header_add_number (self, "X-RateLimit-Limit: ", x->limit.limit);
    header_add_number (self, "X-RateLimit-Remaining: ", x->limit.remaining);
    header_add_number (self, "X-RateLimit-Reset: ", x->limit.reset_s);
}

/* One line per request where somebody looks; a fault of ours is always told. Neither path nor key stands in it. */
static void answer_note (exchange_t *x, int status)
{
    char number[TEXT_NUMBER_SIZE], took[TEXT_NUMBER_SIZE];
    edge_t *edge = x->edge;
    svc_level_t level = status == 500 ? LOG_WARN : LOG_DEBUG;
    if (x->waiting)
        atomic_fetch_sub (&edge->waiting, 1);
    x->waiting = false;
    atomic_fetch_add_explicit (&edge->answered[status / 100 % STATUS_CLASSES], 1,
                               memory_order_relaxed);
    if (!svc_logs (edge->svc, level))
        return;
    text_write_int (status, number);
    text_write_int (clock_mono_us () - x->began_us, took);
    svc_log (edge->svc, level, "request", "op", x->op ? x->op->name : "-", "status", number, "us",
             took, "request_id", x->request_id, NULL);
}

static web_next_t send (exchange_t *x, int status, const headers_t *headers, bytes_t body)
{
    web_answer (x->web, status, headers->lines, body);
    answer_note (x, status);
    return WEB_DONE;
}

/* ---- errors ---- */

static void headers_of_failure (headers_t *self, const exchange_t *x, int status,
                                const failure_t *failure)
{
    int64_t wait_s = (failure->retry_after_ms + 999) / 1000;
    if (status == 401)
        header_add (self, "WWW-Authenticate: ", x->dialect->auth_scheme);
    if (status == 405 && x->route.allow)
        header_add (self, "Allow: ", x->route.allow);
    if (failure->code == E_RATE_LIMITED && wait_s == 0)
        wait_s = x->limit.retry_after_s;
    if (status == 503 && wait_s == 0)
        wait_s = 1;
    if ((status == 503 || status == 429) && wait_s > 0)
        header_add_number (self, "Retry-After: ", wait_s);
}

static web_next_t failure_send (exchange_t *x, const failure_t *failure, bool core, int said)
{
    headers_t headers;
    buf_t none = {0}, *kept = web_text (x->web), *body = kept ? kept : &none;
    dialect_blame_t blame = {.op = x->op,
                             .core = core,
                             .docs_url = x->edge->docs_url,
                             .status = said,
                             .request_id =
                                 x->first_request_id ? x->first_request_id : x->request_id};
    int status = dialect_error_render (x->dialect, failure, &blame, body);
    if (buf_failed (body))
        status = 500; /* without a word, it says no more than that */
    headers_common (&headers, x, "application/json");
    headers_of_failure (&headers, x, status, failure);
    send (x, status, &headers, buf_bytes (body));
    buf_free (&none);
    return WEB_DONE;
}

web_next_t answer_failure (exchange_t *x, const failure_t *failure, bool core)
{
    return failure_send (x, failure, core, 0);
}

web_next_t answer_fail (exchange_t *x, int code, const char *field, const char *text)
{
    failure_t failure = {0};
    if (code == E_RATE_LIMITED && !text)
        failure_set (&failure, code, field, "Too many requests: try again in %u seconds",
                     x->limit.retry_after_s);
    else
        failure_set (&failure, code, field, "%s", text ? text : error_doc (code));
    return failure_send (x, &failure, false, 0);
}

web_next_t answer_status (exchange_t *x, int status, int code, const char *text)
{
    failure_t failure = {0};
    failure_set (&failure, code, "", "%s", text ? text : error_doc (code));
    web_close_after (x->web);
    return failure_send (x, &failure, false, status);
}

/* ---- success ---- */

typedef struct outcome_out {
    const schema_op_t *op;
    call_t *call;
    void *out;
} outcome_out_t;

static int unpack (exchange_t *x, void *more)
{
    outcome_out_t *o = more;
    const schema_type_t *type = o->op->out;
    o->out = arena_alloc (x->arena, type->size);
    return schema_unpack (type, buf_bytes (&o->call->answer), x->arena, o->out, NULL);
}

int answer_read (exchange_t *x, const schema_op_t *op, call_t *call, void **out)
{
    outcome_out_t o = {.op = op, .call = call};
    int code = exchange_guard (x, unpack, &o);
    *out = o.out;
    return code;
}

static const char *location_of (exchange_t *x, const void *out)
{
    const schema_field_t *field = x->op->location;
    const char *url =
        field ? *(const char *const *) (const void *) ((const char *) out + field->offset) : NULL;
    buf_t line = buf_in (x->arena);
    if (!url)
        return NULL;
    buf_printf (&line, "Location: %s", url);
    return buf_text (&line);
}

static int struct_write (exchange_t *x, void *out, buf_t *body)
{
    schema_ctx_t ctx = exchange_ctx (x);
    int code = page_end (x, out);
    if (code)
        return code;
    if (x->op->answer_view)
        schema_json_write (x->op->answer_view, &ctx, out, body);
    return buf_failed (body) ? E_NO_MEMORY : 0;
}

web_next_t answer_struct (exchange_t *x, void *out)
{
    headers_t headers;
    buf_t *body = web_text (x->web);
    int code = body ? struct_write (x, out, body) : E_NO_MEMORY;
    if (code)
        return answer_fail (x, code, NULL, NULL);
    headers_common (&headers, x, "application/json");
    header_add_line (&headers, location_of (x, out));
    return send (x, x->op->status, &headers, buf_bytes (body));
}

web_next_t answer_out (exchange_t *x, call_t *call)
{
    void *out;
    if (answer_read (x, x->op->op, call, &out))
        return answer_fail (x, E_INTERNAL, NULL, NULL);
    return answer_struct (x, out);
}

void answer_open (exchange_t *x, int status, const char *type, const char *const *more,
                  uint64_t length)
{
    headers_t headers;
    headers_common (&headers, x, type);
    for (; *more && headers.count < HEADERS_MAX; more++)
        headers.lines[headers.count++] = *more;
    headers.lines[headers.count] = NULL;
    web_answer_begin (x->web, status, headers.lines, length);
    answer_note (x, status);
}

web_next_t answer_plain (exchange_t *x, int status, const char *type, bytes_t body)
{
    return answer_plain_with (x, status, type, status == 405 ? "Allow: GET, HEAD" : NULL, body);
}

web_next_t answer_plain_with (exchange_t *x, int status, const char *type, const char *header,
                              bytes_t body)
{
    headers_t headers;
    headers_common (&headers, x, type);
    header_add_line (&headers, header);
    header_add_line (&headers, "Cache-Control: no-store");
    return send (x, status, &headers, body);
}
