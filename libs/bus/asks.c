/* asks.c - what this peer asked. Every ask ends in exactly one call of its callback: each way out takes the ask off the table first.
 *
 * An ask that cannot go out (no broker yet, or a full pipe) is held for up to a second, then it fails as unavailable: nothing was
 * done. */
#include "bus/peer.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

static pending_t *pending_new (bus_t *self)
{
    pending_t *p = self->spare;
    if (p) {
        self->spare = p->spare;
        self->spare_count--;
        *p = (pending_t){0};
        return p;
    }
    return calloc (1, sizeof *p);
}

/* Takes it off the table; only its callback is left to be called. */
static void pending_take (bus_t *self, pending_t *p)
{
    waiting_remove (&self->asks, &p->node);
    if (p->held)
        TAILQ_REMOVE (&self->held, p, link);
    free (p->held);
    p->held = NULL;
}

static void pending_free (bus_t *self, pending_t *p)
{
    if (self->spare_count >= SPARE_MAX) {
        free (p);
        return;
    }
    p->spare = self->spare;
    self->spare = p;
    self->spare_count++;
}

static void pending_fail (bus_t *self, pending_t *p, const failure_t *failure)
{
    bus_answer_fn *done = p->done;
    void *context = p->context;
    pending_free (self, p);
    done (context, NULL, (bytes_t){0}, failure);
}

/* The ask's header with what is left of its time. */
static bool held_send (bus_t *self, pending_t *p, int64_t now_ms)
{
    envelope_route_t route;
    if (envelope_route_read (parcel_header (p->held), &route, NULL))
        return false;
    int64_t left = p->until_ms - now_ms;
    buf_clear (&self->header);
    envelope_route_write (&route, route.sender, left > 0 ? (uint32_t) left : 0, &self->header);
    return !buf_failed (&self->header) &&
           link_send (self, buf_bytes (&self->header), parcel_body (p->held));
}

void asks_send_held (bus_t *self, int64_t now_ms)
{
    pending_t *p;
    while (session_is_live (self, now_ms) && (p = TAILQ_FIRST (&self->held)) &&
           held_send (self, p, now_ms)) {
        TAILQ_REMOVE (&self->held, p, link);
        free (p->held);
        p->held = NULL;
        waiting_move (&self->asks, &p->node, p->until_ms);
    }
}

static bool pending_hold (bus_t *self, pending_t *p, bytes_t body, int64_t now_ms)
{
    p->held = parcel_new (buf_bytes (&self->header), body);
    if (!p->held)
        return false;
    TAILQ_INSERT_TAIL (&self->held, p, link);
    int64_t end = now_ms + HOLD_MS;
    waiting_move (&self->asks, &p->node, end < p->until_ms ? end : p->until_ms);
    return true;
}

/* What is wrong with an ask before it goes out; 0 if nothing. */
static int ask_check (const bus_t *self, const envelope_t *header, bytes_t body, failure_t *failure)
{
    envelope_target_t target;
    if (self->closing)
        return failure_set (failure, E_UNAVAILABLE, "", "this process is going");
    if (self->refusal.code && !self->welcomed) {
        *failure = self->refusal;
        return failure->code;
    }
    if (!header->target || !envelope_target_read (bytes_of_str (header->target), &target) ||
        strlen (header->target) > ENVELOPE_TARGET_MAX)
        return failure_set (failure, E_BAD_REQUEST, "target", "this is no target");
    if (body.size > ENVELOPE_BODY_MAX)
        return failure_set (failure, E_TOO_LARGE, "body", "the request is larger than %d bytes",
                            ENVELOPE_BODY_MAX);
    if (header->ttl_ms == 0)
        return failure_set (failure, E_TIMEOUT, "",
                            "the deadline of %s had passed before it was asked", header->target);
    return 0;
}

/* Puts the ask on the table, its header into self->header. */
static int ask_register (bus_t *self, envelope_t *header, pending_t *p, failure_t *failure)
{
    buf_clear (&self->header);
    envelope_write (header, &self->header);
    if (buf_failed (&self->header))
        return failure_set (failure, E_NO_MEMORY, "", "no memory for an ask");
    if (self->header.size > ENVELOPE_HEADER_MAX)
        return failure_set (failure, E_TOO_LARGE, "header", "the envelope is larger than %d bytes",
                            ENVELOPE_HEADER_MAX);
    int code = waiting_add (&self->asks, &p->node);
    if (code == E_CONFLICT)
        failure_set (failure, code, "id", "an ask with this id is under way");
    else if (code)
        failure_set (failure, code, "", "no memory for an ask");
    return code;
}

static int ask_send (bus_t *self, envelope_t *header, bytes_t body, pending_t *p,
                     failure_t *failure)
{
    int64_t now = clock_mono_ms ();
    p->until_ms = now + header->ttl_ms;
    p->node.due.at_ms = p->until_ms;
    p->node.id = header->id;
    int code = ask_register (self, header, p, failure);
    if (code)
        return code;
    bool live = session_is_live (self, now) && TAILQ_EMPTY (&self->held);
    if ((live && link_send (self, buf_bytes (&self->header), body)) ||
        pending_hold (self, p, body, now))
        return 0;
    waiting_remove (&self->asks, &p->node);
    return failure_set (failure, E_NO_MEMORY, "", "no memory for an ask");
}

void bus_ask (bus_t *self, envelope_t *header, bytes_t body, bus_answer_fn *done, void *context)
{
    failure_t failure; /* filled by who fails */
    header->kind = ENV_ASK;
    header->sender = self->service;
    if (id_is_nil (header->id))
        header->id = id_next (&self->ids, clock_now_ms ());
    int code = ask_check (self, header, body, &failure);
    if (code) {
        done (context, NULL, (bytes_t){0}, &failure);
        return;
    }
    pending_t *p = pending_new (self);
    if (!p) {
        failure_set (&failure, E_NO_MEMORY, "", "no memory for an ask");
        done (context, NULL, (bytes_t){0}, &failure);
        return;
    }
    p->done = done;
    p->context = context;
    if (ask_send (self, header, body, p, &failure))
        pending_fail (self, p, &failure);
}

void asks_expire (bus_t *self, int64_t now_ms)
{
    waiting_node_t *node;
    while ((node = waiting_first (&self->asks)) && node->due.at_ms <= now_ms) {
        pending_t *p = (pending_t *) (void *) node;
        failure_t failure = {0};
        if (p->held && now_ms < p->until_ms) {
            if (session_is_live (self, now_ms))
                failure_set (&failure, E_BUSY, "", "the way to the broker is full");
            else
                failure_set (&failure, E_UNAVAILABLE, "", "the broker is not there");
            failure.retry_after_ms = HOLD_MS;
        } else {
            failure_set (&failure, E_TIMEOUT, "", "no answer came within the deadline");
        }
        pending_take (self, p);
        pending_fail (self, p, &failure);
    }
}

void asks_answered (bus_t *self, const envelope_route_t *route, bytes_t body)
{
    pending_t *p = (pending_t *) (void *) waiting_find (&self->asks, route->id);
    failure_t failure; /* not cleared: large, and mostly nobody looks at more than its code */
    failure.code = 0;
    envelope_t e;
    if (!p || p->held)
        return; /* its deadline passed, or it went to a broker that was before */
    arena_reset (self->scratch);
    bool read = envelope_rest_read (route, self->scratch, &e, NULL) == 0;
    if (!read || (route->kind == ENV_FAILURE && envelope_failure_read (body, &failure)))
        failure_set (&failure, E_INTERNAL, "", "the answer is not of the form of one");
    bus_answer_fn *done = p->done;
    void *context = p->context;
    pending_take (self, p);
    pending_free (self, p);
    if (failure.code)
        done (context, read ? &e : NULL, (bytes_t){0}, &failure);
    else
        done (context, &e, body, NULL);
}

/* All off the table first, then their callbacks: those may ask anew. */
void asks_fail_sent (bus_t *self, int code, const char *text)
{
    struct pending_list out = TAILQ_HEAD_INITIALIZER (out);
    failure_t failure = {0};
    pending_t *p;
    failure_set (&failure, code, "", "%s", text);
    for (size_t i = 0; (p = (pending_t *) (void *) waiting_at (&self->asks, i)); i++) {
        if (!p->held)
            TAILQ_INSERT_TAIL (&out, p, link);
    }
    TAILQ_FOREACH (p, &out, link)
    waiting_remove (&self->asks, &p->node);
    while ((p = TAILQ_FIRST (&out))) {
        TAILQ_REMOVE (&out, p, link);
        pending_fail (self, p, &failure);
    }
}

void asks_fail_held (bus_t *self, int code, const char *text)
{
    failure_t failure = {0};
    failure_set (&failure, code, "", "%s", text);
    pending_t *p;
    while ((p = TAILQ_FIRST (&self->held))) {
        pending_take (self, p);
        pending_fail (self, p, &failure);
    }
}

void asks_free (bus_t *self)
{
    while (self->spare) {
        pending_t *p = self->spare;
        self->spare = p->spare;
        free (p);
    }
    waiting_free (&self->asks);
}

int64_t asks_next_ms (const bus_t *self)
{
    const waiting_node_t *first = waiting_first (&self->asks);
    return first ? first->due.at_ms : INT64_MAX;
}
