/* core.c - the broker's life and its loop: wait, beat, take messages, look after time.
 *
 * Beats go out before the messages of a round, so that a peer can tell from them how old what follows is, also when this process had
 * been stopped. Time in which it was stopped is not counted against the peers. */
#include "core.h"

#include "base/clock.h"
#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

enum { MESSAGE_BATCH = 1000, STOOD_STILL_MS = 400 };

void broker_count (broker_t *self, int counter)
{
    self->counters[counter]++;
}

void broker_tell (broker_t *self, const char *what, const peer_t *peer, const char *detail)
{
    if (self->config.tell)
        self->config.tell (self->config.context, what, peer, detail);
}

static void send_failed (broker_t *self, uint32_t connection, int code)
{
    peer_t *peer = peer_find (self, connection);
    if (!peer)
        return;
    if (code == E_BUSY)
        peer->full = true;
    else
        peer->gone = self->sweep = true;
}

int broker_send (broker_t *self, uint32_t connection, bytes_t header, frame_t *body)
{
    const peer_t *peer = peer_find (self, connection);
    int code = router_send (self->router, connection, header, body, peer && peer->packed);
    if (code)
        send_failed (self, connection, code);
    return code;
}

void broker_send_envelope (broker_t *self, uint32_t connection, const envelope_t *e, bytes_t body)
{
    buf_clear (&self->header);
    envelope_write (e, &self->header);
    if (buf_failed (&self->header) || buf_failed (&self->body))
        return;
    int code = router_send_bytes (self->router, connection, buf_bytes (&self->header), body);
    if (code)
        send_failed (self, connection, code);
}

int broker_new (const broker_config_t *config, broker_t **out, failure_t *failure)
{
    broker_t *self = calloc (1, sizeof *self);
    if (!self)
        return failure_set (failure, E_NO_MEMORY, "", "no memory for the broker");
    self->config = *config;
    self->incarnation = hash_seed ();
    self->born_ms = self->now_ms = clock_mono_ms ();
    TAILQ_INIT (&self->held);
    self->arena = arena_new (1 << 22);
    int code = self->arena && !waiting_init (&self->asks)
                   ? router_new (&config->router, &self->router, failure)
                   : failure_set (failure, E_NO_MEMORY, "", "no memory for the broker");
    if (code)
        broker_destroy (&self);
    else
        *out = self;
    return code;
}

void broker_destroy (broker_t **self)
{
    if (!self || !*self)
        return;
    broker_t *b = *self;
    if (b->asks.buckets)
        broker_asks_free (b);
    helds_free (b);
    waiting_free (&b->asks);
    peers_free (b);
    services_free (b);
    router_destroy (&b->router);
    arena_destroy (&b->arena);
    buf_free (&b->header);
    buf_free (&b->body);
    free (b);
    *self = NULL;
}

/* Whoever speaks without having said hello to this incarnation learns that he must. */
static void stranger (broker_t *self, uint32_t connection)
{
    envelope_t e = {.kind = ENV_BYE};
    broker_send_envelope (self, connection, &e, (bytes_t){0});
}

static void message_take (broker_t *self, router_message_t *message)
{
    envelope_route_t route;
    if (envelope_route_read (frame_bytes (&message->header), &route, NULL)) {
        broker_count (self, BROKER_COUNTER_MALFORMED_TOTAL);
        return;
    }
    if (route.kind == ENV_HELLO) {
        peer_hello (self, message);
        return;
    }
    peer_t *peer = peer_find (self, message->peer);
    if (!peer || peer->gone) {
        stranger (self, message->peer);
        return;
    }
    switch (route.kind) {
    case ENV_ASK:
        ask_came (self, peer, message, &route);
        break;
    case ENV_ANSWER:
    case ENV_FAILURE:
        answer_came (self, peer, message, &route);
        break;
    case ENV_BEAT:
        peer_beat (self, peer, frame_bytes (&message->body));
        break;
    case ENV_CREDIT:
        peer_credit (self, peer, route.count);
        break;
    case ENV_BYE:
        peer_bye (self, peer);
        break;
    default:
        broker_count (self, BROKER_COUNTER_MALFORMED_TOTAL);
    }
}

/* If we were stopped meanwhile, what peers did not send is not their fault. Looked at for each message: we may be stopped between two, and ages are told from it. */
static void time_look (broker_t *self)
{
    int64_t now = clock_mono_ms ();
    if (now - self->now_ms > STOOD_STILL_MS)
        peers_forgive (self, now - self->now_ms);
    self->now_ms = now;
}

/* True if there may be more. */
static bool messages_take (broker_t *self)
{
    router_message_t message;
    int count = 0;
    frame_init (&message.header);
    frame_init (&message.body);
    while (count < MESSAGE_BATCH && router_receive (self->router, &message)) {
        time_look (self);
        message_take (self, &message);
        count++;
    }
    frame_close (&message.header);
    frame_close (&message.body);
    return count == MESSAGE_BATCH;
}

static int wait_ms (const broker_t *self)
{
    int64_t next = self->beat_ms + BEAT_MS;
    const waiting_node_t *first = waiting_first (&self->asks);
    if (first && first->due.at_ms < next)
        next = first->due.at_ms;
    next -= clock_mono_ms ();
    return next < 0 ? 0 : next > BEAT_MS ? BEAT_MS : (int) next;
}

static void tap_beat (broker_t *self)
{
    mirror_t *mirror = router_mirror (self->router);
    if (mirror)
        mirror_beat (mirror, self->now_ms);
}

bool broker_work (broker_t *self, int fd)
{
    bool readable = router_wait (self->router, fd, wait_ms (self));
    time_look (self);
    bool beat = self->now_ms - self->beat_ms >= BEAT_MS;
    if (beat) {
        self->beat_ms = self->now_ms;
        peers_beat (self);
    }
    bool more = messages_take (self);
    broker_asks_expire (self);
    if (beat && !more)
        peers_freeze (self);
    if (beat) {
        services_check_owners (self);
        held_tick (self);
        tap_beat (self);
    }
    peers_sweep (self);
    return readable;
}
