/* callback.c - carriers call back: GET and POST /callbacks/meta/ACCOUNT, POST /callbacks/telnyx/ACCOUNT.
 *
 * Of no dialect: no key, no rate limit (a carrier that is refused takes its callbacks elsewhere), plain answers. The edge carries method, query, headers
 * and raw body to messaging, which has the secrets and says what to answer. Whatever keeps it from answering is 503, so that the carrier comes again; an
 * account that is not there is 404. Bodies are neither kept nor logged here. */
#include "edge.h"

#include "base/text.h"
#include "gen/messaging.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { CALLBACK_BODY_MAX = 3 << 20, HEADERS_TAKEN = 64, PAIRS_TAKEN = 32, RETRY_AFTER_S = 2 };

static const char prefix[] = "/callbacks/";
static const char plain[] = "text/plain; charset=utf-8";

static web_next_t say (exchange_t *x, int status, const char *header, const char *text)
{
    return answer_plain_with (x, status, plain, header, bytes_of_str (text));
}

static web_next_t say_again (exchange_t *x)
{
    char header[32];
    snprintf (header, sizeof header, "Retry-After: %d", RETRY_AFTER_S);
    return say (x, 503, header, "not now; try again\n");
}

/* ---- the request ---- */

/* "/callbacks/meta/UUID", nothing behind it. */
static bool read_path (const char *path, messaging_callback_receive_in_t *in)
{
    const char *word = path + sizeof prefix - 1, *slash = strchr (word, '/');
    if (!slash || strlen (slash + 1) != ID_UUID_LENGTH ||
        !id_read_uuid (slash + 1, ID_UUID_LENGTH, &in->account))
        return false;
    in->carrier = schema_enum_read (&accounts_carrier_enum, word, (size_t) (slash - word));
    return in->carrier == ACCOUNTS_CARRIER_META || in->carrier == ACCOUNTS_CARRIER_TELNYX;
}

static bool is_known (const schema_map_t *map, const char *key)
{
    for (size_t i = 0; i < map->count; i++)
        if (strcmp (map->pairs[i].key, key) == 0)
            return true;
    return false;
}

static const char *lower (arena_t *arena, const char *name)
{
    char *out = arena_strdup (arena, name);
    for (char *at = out; *at; at++)
        *at = (char) tolower ((unsigned char) *at);
    return out;
}

/* The first of each name; what is no text cannot be a header that anybody looks at. */
static void read_headers (exchange_t *x, schema_map_t *out)
{
    const char *name, *value;
    out->pairs = arena_array_of (x->arena, schema_pair_t, HEADERS_TAKEN);
    for (size_t i = 0; out->count < HEADERS_TAKEN && web_header_at (x->web, i, &name, &value);
         i++) {
        const char *key = lower (x->arena, name);
        if (text_is_utf8 (key, strlen (key)) && text_is_utf8 (value, strlen (value)) &&
            !is_known (out, key))
            out->pairs[out->count++] = (schema_pair_t){key, value};
    }
}

static bool read_query (exchange_t *x, schema_map_t *out)
{
    const char *at = web_query (x->web), *name, *value;
    bool malformed = false;
    out->pairs = arena_array_of (x->arena, schema_pair_t, PAIRS_TAKEN);
    while (out->count < PAIRS_TAKEN && web_pair_next (x->arena, &at, &name, &value, &malformed))
        if (!is_known (out, name))
            out->pairs[out->count++] = (schema_pair_t){name, value};
    return !malformed;
}

typedef struct reading {
    messaging_callback_receive_in_t in;
    call_t *call;
} reading_t;

static int read_rest (exchange_t *x, void *more)
{
    reading_t *reading = more;
    read_headers (x, &reading->in.headers);
    if (!read_query (x, &reading->in.query))
        return E_BAD_REQUEST;
    schema_pack (&messaging_callback_receive_in_type, &reading->in, &reading->call->body);
    return reading->call->body.size > ENVELOPE_BODY_MAX ? E_TOO_LARGE : 0;
}

/* ---- the answer ---- */

static int unpack (exchange_t *x, void *more)
{
    messaging_callback_receive_out_t *out =
        arena_new_of (x->arena, messaging_callback_receive_out_t);
    x->in = out;
    call_t *call = more;
    return schema_unpack (&messaging_callback_receive_out_type, buf_bytes (&call->answer), x->arena,
                          out, NULL);
}

static web_next_t answered (exchange_t *x, call_t *call, bool in_time)
{
    int code = in_time ? call->failure.code : E_TIMEOUT;
    if (code == E_NOT_FOUND)
        return say (x, 404, NULL, "there is no such carrier account\n");
    if (code || exchange_guard (x, unpack, call))
        return say_again (x);
    const messaging_callback_receive_out_t *out = x->in;
    if (out->status < 200 || out->status > 599)
        return say_again (x);
    return answer_plain_with (x, (int) out->status, out->content_type ? out->content_type : plain,
                              NULL, bytes_of_str (out->answer ? out->answer : ""));
}

static web_next_t callback_begin (exchange_t *x, reading_t *reading)
{
    const schema_op_t *op =
        schema_op_find ("messaging.callback_receive", strlen ("messaging.callback_receive"));
    int status = web_body (x->web, CALLBACK_BODY_MAX, &reading->in.body);
    if (status)
        return say (x, status, NULL,
                    status == 413 ? "the body is longer than 3 MiB\n"
                                  : "the body did not come whole\n");
    call_t *call = ask_call (x, op);
    if (!call)
        return say_again (x);
    reading->in.method = x->method;
    reading->call = call;
    int code = exchange_guard (x, read_rest, reading);
    if (code) {
        call_drop (call);
        return code == E_BAD_REQUEST ? say (x, 400, NULL, "the query is not well encoded\n")
               : code == E_TOO_LARGE ? say (x, 413, NULL, "the request is too large\n")
                                     : say_again (x);
    }
    id_write_uuid (reading->in.account, call->subject);
    call->ask.header.subject = call->subject;
    if (buf_failed (&call->body)) {
        call_drop (call);
        return say_again (x);
    }
    return ask_park (x, call, op->deadline_ms, answered);
}

bool callback_serves (exchange_t *x, web_next_t *next)
{
    const char *path = web_raw_path (x->web);
    reading_t reading = {0};
    if (!path || strncmp (path, prefix, sizeof prefix - 1) != 0)
        return false;
    svc_count (x->edge->svc, EDGE_COUNTER_REQUESTS_TOTAL, 1);
    if (!read_path (path, &reading.in)) {
        *next = say (x, 404, NULL, "there is nothing at this path\n");
        return true;
    }
    bool meta = reading.in.carrier == ACCOUNTS_CARRIER_META;
    if (strcmp (x->method, "POST") == 0 || (meta && strcmp (x->method, "GET") == 0))
        *next = callback_begin (x, &reading);
    else
        *next = say (x, 405, meta ? "Allow: GET, POST" : "Allow: POST", "not in this way\n");
    return true;
}
