/* bus.c - a peer's session with the broker: hello until welcomed, then beats both ways.
 *
 * A session ends when the broker says that it does not know us, shows another incarnation, or is silent for 2 s. What was under way
 * then fails as broker_lost, and the next session begins with a hello. Time in which this process itself stood still does not
 * count as the broker's silence. */
#include "bus/peer.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

static const envelope_t beat_envelope = {.kind = ENV_BEAT};

bool session_is_live (const bus_t *self, int64_t now_ms)
{
    return self->welcomed && now_ms - self->heard_ms <= SESSION_QUIET_MS;
}

bool bus_connected (const bus_t *self)
{
    return session_is_live (self, clock_mono_ms ());
}

static void beat_send (bus_t *self, int64_t now_ms)
{
    self->state.clock_ms = now_ms;
    buf_clear (&self->body);
    beat_write (&self->state, &self->body);
    link_send_envelope (
        self, &beat_envelope,
        buf_bytes (&self->body)); /* a beat that cannot go now is worth nothing later */
    self->beat_ms = now_ms;
}

static void bye_send (bus_t *self)
{
    envelope_t e = {.kind = ENV_BYE};
    link_post (self, &e, (bytes_t){0});
}

static void hello_send (bus_t *self, int64_t now_ms)
{
    envelope_t e = {.kind = ENV_HELLO};
    uint32_t most = self->config.credit;
    hello_t hello = {
        .service = self->service,
        .replica = self->config.replica,
        .pid = self->config.pid,
        .session = self->session,
        .credit = most > self->outstanding ? most - self->outstanding : 0,
        .serves = self->config.ops != NULL,
        .ops = self->config.ops,
        .trains = true,
        .packed = true,
    };
    buf_clear (&self->body);
    hello_write (&hello, &self->body);
    if (link_send_envelope (self, &e, buf_bytes (&self->body)))
        self->hello_ms = now_ms;
}

/* Before the first hello, and whenever the broker has lost us. */
static void session_begin (bus_t *self)
{
    self->welcomed = false;
    self->packed = false;
    link_end (self);
    self->session = hash_seed ();
    self->hello_ms = 0;
    self->credit_owed = 0; /* the hello tells what is left */
    self->clock = (beat_clock_t){0};
    link_forget (self);
}

static void session_lost (bus_t *self, const char *text)
{
    session_begin (self);
    asks_fail_sent (self, E_BROKER_LOST, text);
}

/* Welcomes and beats are of the same form; those of a session before this one are passed over. */
static void beat_came (bus_t *self, bytes_t body, int64_t now_ms, bool welcome)
{
    beat_t beat;
    if (beat_read (body, &beat) || beat.session != self->session || (!welcome && !self->welcomed))
        return;
    if (self->welcomed && beat.incarnation != self->incarnation) {
        session_lost (self, "the broker was restarted");
        return;
    }
    bool first = !self->welcomed;
    self->incarnation = beat.incarnation;
    self->heard_ms = now_ms;
    self->welcomed = true;
    self->refusal = (failure_t){0};
    beat_clock_note (&self->clock, beat.clock_ms, now_ms);
    if (welcome)
        self->packed = beat.packed;
    if (first)
        beat_send (self, now_ms);
    if (first && self->draining && self->config.ops)
        bye_send (self);
}

/* A failure that is of no ask is of our hello. */
static void refusal_read (bus_t *self, bytes_t body)
{
    if (self->welcomed || envelope_failure_read (body, &self->refusal))
        return;
    asks_fail_held (self, self->refusal.code, self->refusal.text);
}

static void message_take (bus_t *self, bytes_t header, bytes_t body, int64_t now_ms)
{
    envelope_route_t route;
    if (envelope_route_peek (header, &route, NULL))
        return;
    switch (route.kind) {
    case ENV_ASK:
        if (self->welcomed)
            inbox_ask (self, &route, body, now_ms);
        break;
    case ENV_ANSWER:
        asks_answered (self, &route, body);
        break;
    case ENV_FAILURE:
        if (id_is_nil (route.id))
            refusal_read (self, body);
        else
            asks_answered (self, &route, body);
        break;
    case ENV_WELCOME:
        beat_came (self, body, now_ms, true);
        break;
    case ENV_BEAT:
        beat_came (self, body, now_ms, false);
        break;
    case ENV_BYE:
        if (self->welcomed)
            session_lost (self, "the broker does not know this peer any more");
        break;
    default:
        break; /* what only a broker takes */
    }
}

/* The clock is read for each: a process that is stopped in between must not take what waited for fresh, nor the beats for early ones. */
static int messages_take (bus_t *self)
{
    int count = 0;
    bytes_t header, body;
    while (count < WORK_BATCH && link_receive (self, &header, &body)) {
        message_take (self, header, body, clock_mono_ms ());
        count++;
    }
    return count;
}

static int64_t hello_again_ms (const bus_t *self)
{
    return self->refusal.code ? HELLO_REFUSED_MS : HELLO_AGAIN_MS;
}

/* Our own beats and hellos. They go out before anything else, so that what follows them is known to be young. */
static void session_beat (bus_t *self, int64_t now_ms)
{
    if (self->welcomed && now_ms - self->beat_ms >= BEAT_MS)
        beat_send (self, now_ms);
    else if (!self->welcomed &&
             (!self->hello_ms || now_ms - self->hello_ms >= hello_again_ms (self)))
        hello_send (self, now_ms);
}

static void session_check (bus_t *self, int64_t now_ms)
{
    if (self->welcomed && now_ms - self->heard_ms >= BEAT_LOST_MS)
        session_lost (self, "the broker is silent");
}

static int work_next_ms (const bus_t *self, int64_t now_ms)
{
    int64_t next = asks_next_ms (self);
    int64_t beat = self->welcomed   ? self->beat_ms + BEAT_MS
                   : self->hello_ms ? self->hello_ms + hello_again_ms (self)
                                    : now_ms + RECONNECT_MS;
    if (beat < next)
        next = beat;
    if (!STAILQ_EMPTY (&self->outbox) || (self->welcomed && !TAILQ_EMPTY (&self->held)))
        next = now_ms + 1 < next ? now_ms + 1 : next; /* a full pipe empties soon */
    return next <= now_ms ? 0 : (int) (next - now_ms);
}

bool bus_work (bus_t *self, int *next_ms)
{
    int64_t now = clock_mono_ms ();
    if (now - self->worked_ms > SESSION_QUIET_MS)
        self->heard_ms += now - self->worked_ms;
    self->worked_ms = now;
    link_gather (self);
    session_beat (self, now);
    bool more = !self->silent && messages_take (self) == WORK_BATCH;
    self->silent = false;
    if (!more)
        session_check (self, now);
    asks_expire (self, now);
    session_beat (self, now);
    link_flush (self);
    inbox_credit_flush (self);
    asks_send_held (self, now);
    link_end (self);
    *next_ms = more ? 0 : work_next_ms (self, now);
    return more || link_has_more (self);
}

void bus_silent (bus_t *self)
{
    self->silent = true;
}

void bus_gather (bus_t *self)
{
    link_gather (self);
}

int bus_fd (bus_t *self)
{
    int fd = -1;
    size_t size = sizeof fd;
    zmq_getsockopt (self->socket, ZMQ_FD, &fd, &size);
    return fd;
}

/* Cut to what a beat may carry, between two characters. */
static void reason_set (beat_t *state, const char *reason)
{
    size_t size = strnlen (reason, BEAT_REASON_MAX + 1);
    if (size > BEAT_REASON_MAX)
        for (size = BEAT_REASON_MAX; size > 0 && ((uint8_t) reason[size] & 0xc0) == 0x80;)
            size--;
    if (!text_is_utf8 (reason, size))
        size = 0;
    memcpy (state->reason, reason, size);
    state->reason[size] = 0;
}

void bus_state (bus_t *self, bool ready, bool owner, const char *reason)
{
    beat_t *s = &self->state;
    bool changed = s->ready != ready || s->owner != owner;
    s->ready = ready;
    s->owner = owner;
    reason_set (s, reason ? reason : "");
    if (changed && self->welcomed)
        beat_send (self, clock_mono_ms ());
}

void bus_bye (bus_t *self)
{
    if (self->draining)
        return;
    self->draining = true;
    if (self->welcomed && self->config.ops)
        bye_send (self);
}

int bus_new (const bus_config_t *config, bus_t **out, failure_t *failure)
{
    if (!envelope_name_is (bytes_of_str (config->service)))
        return failure_set (failure, E_BAD_REQUEST, "service", "%s is no name of a service",
                            config->service);
    bus_t *self = calloc (1, sizeof *self);
    if (!self)
        return failure_set (failure, E_NO_MEMORY, "", "no memory for the bus");
    self->config = *config;
    if (!config->credit || config->credit > HELLO_CREDIT_MAX)
        self->config.credit = config->credit ? HELLO_CREDIT_MAX : CREDIT_DEFAULT;
    memcpy (self->service, config->service, strlen (config->service));
    TAILQ_INIT (&self->held);
    STAILQ_INIT (&self->outbox);
    self->worked_ms = clock_mono_ms ();
    self->scratch = arena_new (1 << 16);
    int code = self->scratch && !waiting_init (&self->asks)
                   ? 0
                   : failure_set (failure, E_NO_MEMORY, "", "no memory for the bus");
    if (!code)
        code = link_open (self, failure);
    if (code) {
        bus_destroy (&self);
        return code;
    }
    session_begin (self);
    *out = self;
    return 0;
}

void bus_destroy (bus_t **self)
{
    if (!self || !*self)
        return;
    bus_t *b = *self;
    b->closing = true;
    if (b->socket && b->welcomed) {
        link_flush (b);
        bus_bye (b);
    }
    if (b->asks.buckets) {
        asks_fail_sent (b, E_UNAVAILABLE, "this process is going");
        asks_fail_held (b, E_UNAVAILABLE, "this process is going");
    }
    link_close (b);
    while (b->arena_count)
        arena_destroy (&b->arenas[--b->arena_count]);
    asks_free (b);
    arena_destroy (&b->scratch);
    buf_free (&b->header);
    buf_free (&b->body);
    free (b->inbox);
    free (b);
    *self = NULL;
}
