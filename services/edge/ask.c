/* ask.c - the asks of an operation: first the op that must hold (`ensure`), then the op itself.
 *
 * An ask whose replica or broker got lost is repeated once under the same envelope id, so that what was done already is not done twice. What is lost after that is 503 and
 * says how to repeat. */
#include "edge.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

enum { PARK_GRACE_MS = 250, REPEAT_LEAST_MS = 50, WAIT_GRACE_MS = 200 };

/* "FIRST" "between" "SECOND" of names that the schema bounds; cut if it must be. */
static void name_join (char *out, size_t size, const char *first, char between, const char *second)
{
    size_t head = strnlen (first, size - 2), rest = strnlen (second, size - 2 - head);
    memcpy (out, first, head);
    out[head] = between;
    memcpy (out + head + 1, second, rest);
    out[head + 1 + rest] = 0;
}

call_t *ask_call (exchange_t *x, const schema_op_t *op)
{
    call_t *call = op ? call_new (x->edge->calls) : NULL;
    if (!call)
        return NULL;
    envelope_t *header = &call->ask.header;
    name_join (call->target, sizeof call->target, op->service, '.', op->name);
    memcpy (call->trace, x->trace, sizeof call->trace);
    strcpy (call->request_id, x->request_id); /* both are REQUEST_ID_MAX long at most */
    header->trace = call->trace;
    header->request_id = call->request_id;
    if (!x->known)
        return call;
    header->org = x->who.org;
    header->app = x->who.app;
    header->test = x->who.test;
    header->principal = x->who.kind == ACCOUNTS_KEY_KIND_ADMIN          ? PRINCIPAL_ADMIN_KEY
                        : x->who.kind == ACCOUNTS_KEY_KIND_ORGANIZATION ? PRINCIPAL_ORG_KEY
                                                                        : PRINCIPAL_APP_KEY;
    header->principal_id = x->who.id;
    if (x->route.param_count && strlen (x->route.params[0]) < sizeof call->subject) {
        strcpy (call->subject, x->route.params[0]); /* bounds were just looked at */
        header->subject = call->subject;
    }
    return call;
}

web_next_t ask_park (exchange_t *x, call_t *call, uint32_t ttl_ms, exchange_step_t *then)
{
    if (buf_failed (&call->body)) {
        call_drop (call);
        return answer_fail (x, E_NO_MEMORY, NULL, NULL);
    }
    x->then = then;
    call_send (x->edge->svc, call, ttl_ms);
    web_park (x->web, &call->web, ttl_ms + PARK_GRACE_MS);
    return WEB_WAIT;
}

/* ---- ops that fill up what the op answered ---- */

static web_next_t also_ask (exchange_t *x);

static web_next_t also_answered (exchange_t *x, call_t *call, bool in_time)
{
    const schema_op_t *op = x->op->also[x->also];
    void *out;
    if (!in_time || call->failure.code || answer_read (x, op, call, &out))
        return answer_fail (x, E_UNAVAILABLE, NULL,
                            "A part of the answer is not there at the moment; try again");
    schema_copy_same (op->out, out, x->op->op->out, x->out);
    x->also++;
    return also_ask (x);
}

static int also_pack (exchange_t *x, void *more)
{
    const schema_op_t *op = x->op->also[x->also];
    call_t *call = more;
    void *in = arena_alloc (x->arena, op->in->size);
    schema_copy_same (x->op->op->in, x->in, op->in, in);
    schema_copy_same (x->op->op->out, x->out, op->in, in); /* what was just told is newest */
    schema_pack (op->in, in, &call->body);
    return 0;
}

static web_next_t also_ask (exchange_t *x)
{
    if (x->also == x->op->also_count)
        return answer_struct (x, x->out);
    const schema_op_t *op = x->op->also[x->also];
    call_t *call = ask_call (x, op);
    if (!call)
        return answer_fail (x, E_NO_MEMORY, NULL, NULL);
    int code = exchange_guard (x, also_pack, call);
    if (code) {
        call_drop (call);
        return answer_fail (x, code, NULL, NULL);
    }
    return ask_park (x, call, op->deadline_ms, also_answered);
}

static web_next_t also_begin (exchange_t *x, call_t *call)
{
    if (x->op->also_count == 0)
        return answer_out (x, call);
    if (answer_read (x, x->op->op, call, &x->out))
        return answer_fail (x, E_INTERNAL, NULL, NULL);
    return also_ask (x);
}

/* ---- the op itself ---- */

static web_next_t main_answered (exchange_t *x, call_t *call, bool in_time);

static bool is_keyed (const exchange_t *x)
{
    return x->idempotency_key && x->op->op->flags & OP_KEYED;
}

/* How long a repeat waits in the service: at first not at all, so that it is known for one. */
static uint32_t wait_of (const exchange_t *x)
{
    if (!x->dialect->idempotency_wait_ms)
        return 0;
    int64_t left = x->wait_until_ms - clock_mono_ms ();
    int64_t most = (int64_t) x->op->op->deadline_ms - WAIT_GRACE_MS;
    if (!x->waiting || left < IDEM_WAIT_NOT)
        return IDEM_WAIT_NOT;
    return (uint32_t) (left < most ? left : most > IDEM_WAIT_NOT ? most : IDEM_WAIT_NOT);
}

static void idempotency_set (const exchange_t *x, call_t *call)
{
    const dialect_t *d = x->dialect;
    idempotency_t *idem = &call->ask.header.idem;
    if (!is_keyed (x))
        return;
    memcpy (call->key, x->idempotency_key,
            strlen (x->idempotency_key) + 1); /* it was measured when it was read */
    if (d->idempotency_wait_ms) /* one name for all that an organization does: another request under it is told as such */
        snprintf (call->route, sizeof call->route, "%s", x->op->method);
    else
        name_join (call->route, sizeof call->route, x->op->method, ' ', x->op->path);
    *idem = (idempotency_t){.dialect = d->name,
                            .scope = d->scope == SCOPE_ORG ? x->who.org : x->who.id,
                            .route = call->route,
                            .key = call->key,
                            .request_id = call->request_id,
                            .wait_ms = wait_of (x),
                            .forgets = d->idempotency_wait_ms ? x->speaker->forgets : NULL};
    memcpy (idem->fingerprint, x->fingerprint, sizeof idem->fingerprint);
}

static web_next_t main_ask_at (exchange_t *x, int64_t now_ms)
{
    int64_t left = x->until_ms - now_ms;
    call_t *call = left > 0 ? ask_call (x, x->op->op) : NULL;
    if (!call)
        return answer_fail (x, left > 0 ? E_NO_MEMORY : E_TIMEOUT, NULL, NULL);
    call->ask.header.id = x->ask_id;
    idempotency_set (x, call);
    buf_add (&call->body, x->packed.data, x->packed.size);
    return ask_park (x, call, (uint32_t) left, main_answered);
}

static web_next_t main_ask (exchange_t *x)
{
    return main_ask_at (x, clock_mono_ms ());
}

static bool is_lost (int code)
{
    return code == E_REPLICA_LOST || code == E_BROKER_LOST;
}

/* Nobody can say whether it was done. */
static web_next_t answer_lost (exchange_t *x, int code)
{
    const char *text = "No answer came in time; try again";
    if (x->op->op->flags & OP_WRITE)
        text =
            x->idempotency_key
                ? "The answer got lost: a repeat with the same Idempotency-Key is safe and gets the outcome"
                : "The answer got lost and it may have been done: with an Idempotency-Key a repeat would be safe";
    return answer_fail (x, code, NULL, text);
}

/* What a repeat gets is the first one's, its name in the body included. */
static void replay_note (exchange_t *x, const call_t *call)
{
    x->replayed = call->replayed;
    if (call->replayed && call->first_request_id[0])
        x->first_request_id =
            arena_strndup (x->arena, call->first_request_id, strlen (call->first_request_id));
}

/* The first of its key still runs: wait for it, while not too many do. False: tell so. */
static bool wait_again (exchange_t *x)
{
    edge_t *edge = x->edge;
    int64_t now = clock_mono_ms ();
    if (!is_keyed (x) || !x->dialect->idempotency_wait_ms)
        return false;
    if (!x->waiting) {
        if (atomic_fetch_add (&edge->waiting, 1) >= edge->waiting_max) {
            atomic_fetch_sub (&edge->waiting, 1);
            return false;
        }
        x->waiting = true; /* given back by the answer */
        x->wait_until_ms = now + x->dialect->idempotency_wait_ms;
    }
    x->until_ms = now + x->op->op->deadline_ms;
    return now < x->wait_until_ms;
}

static web_next_t main_answered (exchange_t *x, call_t *call, bool in_time)
{
    int code = in_time ? call->failure.code : E_TIMEOUT;
    if (code == E_IDEMPOTENCY_RUNNING && wait_again (x))
        return main_ask (x);
    bool again =
        is_lost (code) && !x->repeated && x->until_ms - clock_mono_ms () >= REPEAT_LEAST_MS;
    if (x->settle && !again)
        x->settle (x, call, code);
    if (in_time)
        replay_note (x, call);
    if (code == 0)
        return also_begin (x, call);
    if (again) {
        x->repeated = true;
        svc_count (x->edge->svc, EDGE_COUNTER_REPEATS_TOTAL, 1);
        return main_ask (x);
    }
    if (is_lost (code) || code == E_TIMEOUT)
        return answer_lost (x, code);
    if (x->repeated && code == E_UNAVAILABLE)
        return answer_lost (x, code); /* the first may have been done, and nobody is there to say */
    failure_t failure = call->failure;
    if (code == E_UNKNOWN_OP || code == E_REFUSED) /* another version is running there */
        failure_set (&failure, E_UNAVAILABLE, "", "This operation is not there at the moment");
    return answer_failure (x, &failure, true);
}

/* ---- what must hold before it ---- */

/* What it answered is the op's `in` too, where names are the same. The fingerprint was taken before: it is of what the client sent. */
static int ensured_take (exchange_t *x, void *more)
{
    const schema_op_t *op = x->op->ensure;
    call_t *call = more;
    failure_t failure;
    void *out = arena_alloc (x->arena, op->out->size);
    if (schema_unpack (op->out, buf_bytes (&call->answer), x->arena, out, NULL))
        return E_INTERNAL;
    schema_copy_same (op->out, out, x->op->op->in, x->in);
    return request_pack (x, &failure);
}

static web_next_t ensured (exchange_t *x, call_t *call, bool in_time)
{
    if (!in_time)
        return answer_fail (x, E_UNAVAILABLE, NULL, "Nothing was done; try again");
    if (call->failure.code == 0) {
        int code = exchange_guard (x, ensured_take, call);
        return code ? answer_fail (x, code, NULL, NULL) : main_ask (x);
    }
    failure_t failure = call->failure;
    if (error_class (failure.code) == EC_UNAVAILABLE)
        failure_set (&failure, E_UNAVAILABLE, "", "Nothing was done; try again");
    return answer_failure (x, &failure, true);
}

static int ensure_pack (exchange_t *x, void *more)
{
    const schema_op_t *op = x->op->ensure;
    call_t *call = more;
    void *in = arena_alloc (x->arena, op->in->size);
    schema_copy_same (x->op->op->in, x->in, op->in, in);
    for (size_t i = 0; i < x->op->ensure_map_count; i++)
        schema_copy_field (x->op->ensure_map[i].from, x->in, x->op->ensure_map[i].to, in);
    schema_pack (op->in, in, &call->body);
    return 0;
}

web_next_t ask_begin (exchange_t *x)
{
    const schema_op_t *ensure = x->op->ensure;
    int64_t now = clock_mono_ms ();
    x->until_ms = now + x->op->op->deadline_ms;
    if (!ensure)
        return main_ask_at (x, now);
    call_t *call = ask_call (x, ensure);
    if (!call)
        return answer_fail (x, E_NO_MEMORY, NULL, NULL);
    int code = exchange_guard (x, ensure_pack, call);
    if (code) {
        call_drop (call);
        return answer_fail (x, code, NULL, NULL);
    }
    return ask_park (x, call, ensure->deadline_ms, ensured);
}
