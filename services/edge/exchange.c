/* exchange.c - one request from its first look to its answer: what libs/web calls, and the order of the steps.
 *
 * route -> who (auth.c) -> may they, how often -> read (request.c) -> ask (ask.c) -> answer (answer.c). Every way out is an answer in the dialect's
 * envelope with a request id; what cannot even get an exchange (no memory) is closed by libs/web. */
#include "edge.h"

#include "base/clock.h"
#include "base/text.h"

#include <string.h>

id16_t edge_new_id (edge_t *edge)
{
    pthread_mutex_lock (&edge->id_lock);
    id16_t id = id_next (&edge->ids, clock_now_ms ());
    pthread_mutex_unlock (&edge->id_lock);
    return id;
}

/* ---- ids of the request ---- */

static bool is_request_id (const char *text)
{
    size_t length = text ? strlen (text) : 0;
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    return length > 0 && length <= REQUEST_ID_MAX && strspn (text, letters) == length;
}

/* W3C Trace Context, version 00. */
static bool is_trace (const char *text)
{
    static const char hex[] = "0123456789abcdef";
    if (!text || strlen (text) != TRACE_LENGTH || memcmp (text, "00-", 3) != 0)
        return false;
    return strspn (text + 3, hex) == 32 && text[35] == '-' && strspn (text + 36, hex) == 16 &&
           text[52] == '-' && strspn (text + 53, hex) == 2 && strspn (text + 3, "0") < 32 &&
           strspn (text + 36, "0") < 16;
}

/* SplitMix64's output for a state. */
static uint64_t mixed (uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C (0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C (0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* Trace ids need to be unlike each other, not secret: they come from a sequence that begins anywhere, with a mark of this process. */
static void trace_random (edge_t *edge, uint8_t out[24])
{
    static const uint64_t step = UINT64_C (0x9e3779b97f4a7c15);
    uint64_t at = atomic_fetch_add_explicit (&edge->traces, 3 * step, memory_order_relaxed);
    uint64_t words[] = {mixed (at) ^ edge->trace_mark, mixed (at + step), mixed (at + 2 * step)};
    memcpy (out, words, sizeof words);
    out[23] |= 1; /* all zeros are no id */
    out[15] |= 1;
}

/* "00-TRACE-PARENT-01" */
static void trace_write (const uint8_t random[24], char out[TRACE_LENGTH + 1])
{
    memcpy (out, "00-", 3);
    text_write_hex (random, 16, out + 3);
    out[35] = '-';
    text_write_hex (random + 16, 8, out + 36);
    memcpy (out + 52, "-01", 4);
}

/* A request's own id and its ask's are drawn under one lock; its trace is made where it brought none. */
static void ids_draw (exchange_t *x)
{
    edge_t *edge = x->edge;
    const char *given = web_header (x->web, "traceparent");
    bool traced = is_trace (given);
    uint8_t random[24];
    int64_t now = clock_now_ms ();
    pthread_mutex_lock (&edge->id_lock);
    x->own_id = id_next (&edge->ids, now);
    x->ask_id = id_next (&edge->ids, now);
    pthread_mutex_unlock (&edge->id_lock);
    if (traced) {
        memcpy (x->trace, given, sizeof x->trace);
        return;
    }
    trace_random (edge, random);
    trace_write (random, x->trace);
}

static void request_id_make (exchange_t *x)
{
    const char *given = x->dialect->own_request_ids ? NULL : web_header (x->web, "X-Request-Id");
    if (is_request_id (given))
        memcpy (x->request_id, given, strlen (given) + 1);
    else
        dialect_request_id (x->dialect, x->own_id, x->request_id);
}

void exchange_speak (exchange_t *x, const speaker_t *speaker)
{
    if (x->speaker == speaker)
        return;
    x->speaker = speaker;
    x->dialect = speaker->dialect;
    request_id_make (x);
}

schema_ctx_t exchange_ctx (const exchange_t *x)
{
    schema_ctx_t ctx = dialect_ctx (x->dialect, x->who.test);
    if (!x->dialect->org_buckets)
        return ctx;
    ctx.told_text[TOLD_REQUEST_ID] = x->first_request_id ? x->first_request_id : x->request_id;
    ctx.told_text[TOLD_RATE_TIER] = x->speaker->tier;
    ctx.told_number[TOLD_RATE_WRITE] = org_limit (x, "write");
    ctx.told_number[TOLD_RATE_READ] = org_limit (x, "read");
    return ctx;
}

exchange_t *exchange_new (edge_t *edge, web_request_t *web)
{
    arena_t *arena = web_arena (web);
    exchange_t *x = arena ? arena_new_of (arena, exchange_t) : NULL;
    if (!x)
        return NULL;
    x->edge = edge;
    x->web = web;
    x->arena = arena;
    x->method = web_method (web) ? web_method (web) : "";
    x->began_us = clock_mono_us ();
    const char *raw = web_raw_path (web);
    speaker_choice_t choice = speaker_choose (edge->speakers, edge->speaker_count, raw ? raw : "",
                                              web_header (web, "Host"), arena);
    if (!choice.path)
        return NULL;
    x->path = choice.path;
    x->sure = choice.sure;
    ids_draw (x);
    exchange_speak (x, choice.speaker);
    web_set_data (web, x);
    return x;
}

int exchange_guard (exchange_t *x, int (*work) (exchange_t *x, void *more), void *more)
{
    jmp_buf trap;
    jmp_buf *volatile before = arena_trap (x->arena, &trap);
    volatile int code = E_NO_MEMORY;
    switch (setjmp (trap)) {
    case 0:
        code = work (x, more);
        break;
    case ARENA_LIMIT:
        code = E_TOO_LARGE;
        break;
    }
    arena_trap (x->arena, before);
    return code;
}

/* ---- steps ---- */

static int find_route (exchange_t *x, void *code)
{
    *(int *) code = route_find (x->speaker->routes, x->method, x->path, x->arena, &x->route);
    return 0;
}

/* Where there is no route and several dialects might have had one, the key says who asks. */
static web_next_t not_routed (exchange_t *x, int code)
{
    const edge_t *edge = x->edge;
    const speaker_t *keyed = speaker_of_key (edge->speakers, edge->speaker_count, bearer_text (x));
    if (code == E_NOT_FOUND && !x->sure)
        exchange_speak (x, keyed ? keyed : &edge->speakers[0]);
    x->limit_shown = !x->dialect->org_buckets;
    if (!address_take (x))
        return answer_fail (x, E_RATE_LIMITED, NULL, NULL);
    if (code == E_METHOD_NOT_ALLOWED)
        return answer_fail (x, code, NULL, "This path does not take this method");
    return answer_fail (x, E_NOT_FOUND, NULL, "There is nothing at this path");
}

web_next_t edge_submit (void *context, web_request_t *web)
{
    edge_t *edge = context;
    exchange_t *x = exchange_new (edge, web);
    web_next_t next;
    if (!x) {
        web_answer (web, 503, NULL, (bytes_t){0});
        return WEB_DONE;
    }
    if (site_serves (x, &next) || callback_serves (x, &next) || media_serves (x, &next) ||
        document_serves (x, &next))
        return next;
    svc_count (edge->svc, EDGE_COUNTER_REQUESTS_TOTAL, 1);
    int code = E_NOT_FOUND;
    int failed = exchange_guard (x, find_route, &code);
    if (failed)
        return answer_fail (x, failed, NULL, NULL);
    if (code)
        return not_routed (x, code);
    x->op = x->route.op;
    x->limit_shown = !x->dialect->org_buckets; /* theirs are known with the key */
    if (!x->op->op)
        return answer_struct (x, &(common_empty_t){0});
    if (x->op->auth != AUTH_NONE)
        return auth_begin (x);
    return address_take (x) ? exchange_authorized (x) : answer_fail (x, E_RATE_LIMITED, NULL, NULL);
}

web_next_t edge_complete (void *context, web_request_t *web, web_call_t *call, bool in_time)
{
    (void) context;
    exchange_t *x = web_data (web);
    return x->then (x, (call_t *) (void *) call, in_time);
}

web_next_t edge_resume (void *context, web_request_t *web)
{
    (void) context;
    exchange_t *x = web_data (web);
    return x->resume (x);
}

web_next_t exchange_thread (exchange_t *x, exchange_resume_t *step)
{
    x->resume = step;
    return WEB_THREAD;
}

/* What never came to edge_submit. */
void edge_refuse (void *context, web_request_t *web, int status, const char *text)
{
    edge_t *edge = context;
    exchange_t *x = exchange_new (edge, web);
    if (!x) {
        web_answer (web, status, NULL, (bytes_t){0});
        return;
    }
    svc_count (edge->svc, EDGE_COUNTER_REQUESTS_TOTAL, 1);
    x->limit_shown = !x->dialect->org_buckets;
    address_peek (x);
    int code = status == 413   ? E_TOO_LARGE
               : status == 503 ? E_UNAVAILABLE
               : status == 500 ? E_INTERNAL
                               : E_BAD_REQUEST;
    answer_status (x, status, code, text);
}

/* ---- after auth.c: may they, how often; then the work ---- */

static web_next_t forbid (exchange_t *x, int code, const char *text)
{
    bucket_peek (x);
    return answer_fail (x, code, NULL, text);
}

static int read_request (exchange_t *x, void *failure)
{
    return request_read (x, failure);
}

web_next_t exchange_authorized (exchange_t *x)
{
    failure_t failure; /* not cleared: large, and mostly nobody looks at more than its code */
    failure.code = 0;
    if (x->known && x->who.org_status == ACCOUNTS_ORG_STATUS_SUSPENDED)
        return forbid (x, E_FORBIDDEN, "The organization is suspended");
    if (x->op->test_only && x->known && !x->who.test)
        return forbid (x, E_TEST_APP_REQUIRED, "Only test apps may do this: use a test key");
    if (x->known && !bucket_take (x))
        return answer_fail (x, E_RATE_LIMITED, NULL, NULL);
    if (x->op->upload)
        return exchange_thread (x, upload_begin);
    int code = exchange_guard (x, read_request, &failure);
    if (code == 0)
        return ask_begin (x);
    if (!failure.code && code == E_NO_MEMORY)
        failure_set (&failure, code, "", "%s", error_doc (code));
    if (!failure.code)
        failure_set (&failure, code, "", "The request needs more memory than a request may use");
    return answer_failure (x, &failure, false);
}
