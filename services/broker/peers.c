/* peers.c - who is connected: hellos, beats, those that are lost or frozen.
 *
 * Beats go out every 100 ms, and the one to a connection that is gone tells that it is: so a killed replica is found within a beat. A
 * frozen one keeps its connection and is found by its silence. */
#include "core.h"

#include <stdlib.h>
#include <string.h>

enum { TELL_AGAIN_MS = 10000 };

static peer_t **bucket_of (broker_t *self, uint32_t connection)
{
    return &self->peers[connection %
                        PEER_BUCKETS]; /* connections are numbered one after the other */
}

peer_t *peer_find (const broker_t *self, uint32_t connection)
{
    peer_t *peer = self->peers[connection % PEER_BUCKETS];
    while (peer && peer->connection != connection)
        peer = peer->next;
    return peer;
}

bool peer_is_live (const peer_t *peer)
{
    return !peer->frozen && !peer->gone && !peer->draining;
}

bool peer_has_op (const peer_t *peer, uint32_t op)
{
    return peer->ops[op / 64] >> (op % 64) & 1;
}

/* Off all lists; its asks are failed or placed elsewhere. */
static void peer_remove (broker_t *self, peer_t *peer)
{
    service_t *service = peer->service;
    peer->gone = true;
    if (service) {
        service_leave (service, peer);
        service_review (self, service);
        asks_leave (self, peer);
        service_dispatch (self, service);
    }
    peer_t **link = bucket_of (self, peer->connection);
    while (*link != peer)
        link = &(*link)->next;
    *link = peer->next;
    self->peer_count--;
    lane_free (&peer->lane);
    free (peer);
}

void peers_free (broker_t *self)
{
    for (int i = 0; i < PEER_BUCKETS; i++)
        while (self->peers[i]) {
            peer_t *peer = self->peers[i];
            self->peers[i] = peer->next;
            lane_free (&peer->lane);
            free (peer);
        }
}

static peer_t *peer_first_gone (const broker_t *self)
{
    for (int i = 0; i < PEER_BUCKETS; i++)
        for (peer_t *peer = self->peers[i]; peer; peer = peer->next)
            if (peer->gone)
                return peer;
    return NULL;
}

void peers_sweep (broker_t *self)
{
    while (self->sweep) {
        peer_t *peer = peer_first_gone (self);
        self->sweep = peer != NULL;
        if (!peer)
            break;
        broker_count (self, BROKER_COUNTER_PEERS_LOST_TOTAL);
        broker_tell (self, "peer lost", peer, "");
        peer_remove (self, peer);
    }
}

/* ---- hello ---- */

static int hello_check (broker_t *self, const router_message_t *message, const hello_t *hello,
                        failure_t *failure)
{
    if (!strcmp (hello->service, "broker"))
        return failure_set (failure, E_REFUSED, "service", "there is one broker");
    if (message->name && strcmp (message->name, hello->service) != 0)
        return failure_set (failure, E_REFUSED, "service",
                            "the certificate of '%s' does not stand for %s", message->name,
                            hello->service);
    if (self->peer_count >= PEERS_MAX)
        return failure_set (failure, E_UNAVAILABLE, "", "the broker has %d peers, no more fit",
                            PEERS_MAX);
    return 0;
}

static peer_t *peer_new (broker_t *self, const router_message_t *message, const hello_t *hello)
{
    peer_t *peer = calloc (1, sizeof *peer);
    if (!peer)
        return NULL;
    peer->connection = message->peer;
    peer->remote = message->name != NULL;
    memcpy (peer->name, hello->service, strlen (hello->service));
    peer->replica = hello->replica;
    peer->pid = hello->pid;
    peer->session = hello->session;
    peer->credit = hello->credit;
    peer->packed = hello->packed;
    peer->heard_ms = self->now_ms;
    lane_init (&peer->lane);
    TAILQ_INIT (&peer->asks);
    peer_t **bucket = bucket_of (self, peer->connection);
    peer->next = *bucket;
    *bucket = peer;
    self->peer_count++;
    return peer;
}

static void beat_send (broker_t *self, peer_t *peer, envelope_kind_t kind)
{
    envelope_t e = {.kind = kind};
    beat_t beat = {.clock_ms = self->now_ms,
                   .incarnation = self->incarnation,
                   .session = peer->session,
                   .trains = true,
                   .packed = true};
    buf_clear (&self->body);
    beat_write (&beat, &self->body);
    broker_send_envelope (self, peer->connection, &e, buf_bytes (&self->body));
}

/* The number of a replica is its own as long as it lives: a second one waits (it says hello again) until the first is gone. */
static bool number_is_free (broker_t *self, const hello_t *hello)
{
    service_t *service = service_find (self, bytes_of_str (hello->service));
    peer_t *other = service ? service_replica (service, hello->replica) : NULL;
    if (!other)
        return true;
    beat_send (self, other, ENV_BEAT); /* tells at once if its connection is gone */
    if (!other->gone && !other->frozen) {
        if (!other->told_ms || self->now_ms - other->told_ms >= TELL_AGAIN_MS) {
            other->told_ms = self->now_ms;
            broker_tell (self, "replica number taken", other, "another process says hello with it");
        }
        return false;
    }
    peer_remove (self, other);
    return true;
}

static int peer_serve (broker_t *self, peer_t *peer, const hello_t *hello)
{
    service_t *service = service_get (self, hello->service);
    if (!service)
        return E_NO_MEMORY;
    int code = service_learn (service, hello, peer);
    if (!code)
        code = service_join (service, peer);
    if (!code)
        service_review (self, service);
    return code;
}

static int peer_register (broker_t *self, const router_message_t *message, const hello_t *hello,
                          failure_t *failure)
{
    peer_t *peer = peer_new (self, message, hello);
    if (!peer)
        return failure_set (failure, E_NO_MEMORY, "", "the broker has no memory for a peer");
    int code = hello->serves ? peer_serve (self, peer, hello) : 0;
    if (code) {
        peer_remove (self, peer);
        return failure_set (failure, code, "", "the broker has no room for a replica of %s",
                            hello->service);
    }
    broker_tell (self, "peer registered", peer, hello->serves ? "serves" : "asks");
    beat_send (self, peer, ENV_WELCOME);
    if (peer->service) {
        service_dispatch (self, peer->service);
        held_retry (self);
    }
    return 0;
}

void peer_hello (broker_t *self, router_message_t *message)
{
    hello_t hello;
    failure_t failure = {0};
    arena_reset (self->arena);
    int code = hello_read (frame_bytes (&message->body), self->arena, &hello, &failure);
    if (code)
        broker_count (self, BROKER_COUNTER_MALFORMED_TOTAL);
    else if ((code = hello_check (self, message, &hello, &failure)) == E_REFUSED) {
        broker_count (self, BROKER_COUNTER_REFUSED_TOTAL);
        broker_tell (self, "hello refused", NULL, failure.text);
    }
    peer_t *peer = peer_find (self, message->peer);
    if (!code && peer && peer->session == hello.session) {
        beat_send (self, peer, ENV_WELCOME); /* it asked again before the first one came */
        return;
    }
    if (!code && peer)
        peer_remove (self, peer);
    if (!code && hello.serves && !number_is_free (self, &hello))
        return;
    if (!code)
        code = peer_register (self, message, &hello, &failure);
    if (code)
        refuse (self, message->peer, id_nil (), &failure);
}

/* ---- beats ---- */

static void service_changed (broker_t *self, peer_t *peer)
{
    service_review (self, peer->service);
    service_dispatch (self, peer->service);
}

static void peer_thaw (broker_t *self, peer_t *peer)
{
    peer->frozen = false;
    broker_tell (self, "peer beats again", peer, "");
}

void peer_beat (broker_t *self, peer_t *peer, bytes_t body)
{
    beat_t beat;
    if (beat_read (body, &beat)) {
        broker_count (self, BROKER_COUNTER_MALFORMED_TOTAL);
        return;
    }
    bool changed = peer->frozen || peer->ready != beat.ready || peer->owner != beat.owner;
    bool takes_over = beat.owner && !peer->owner;
    peer->heard_ms = self->now_ms;
    beat_clock_note (&peer->clock, beat.clock_ms, self->now_ms);
    if (peer->frozen)
        peer_thaw (self, peer);
    peer->ready = beat.ready;
    peer->owner = beat.owner;
    memcpy (peer->reason, beat.reason, sizeof peer->reason);
    if (!changed || !peer->service)
        return;
    if (takes_over) {
        peer->service->owner = peer; /* who said so last: the store's own lock keeps it to one */
        peer->service->handover = false;
        broker_tell (self, "owner", peer, "");
    }
    service_changed (self, peer);
}

void peer_credit (broker_t *self, peer_t *peer, uint32_t count)
{
    uint32_t room = HELLO_CREDIT_MAX - peer->credit;
    peer->credit += count < room ? count : room;
    if (peer->service)
        service_dispatch (self, peer->service);
}

void peer_bye (broker_t *self, peer_t *peer)
{
    if (peer->draining || !peer->service)
        return;
    peer->draining = true;
    peer->service->handover = peer->service->owner == peer;
    broker_tell (self, "peer drains", peer, "");
    service_review (self, peer->service);
    asks_move (self, peer); /* what waits for it alone; what it has it answers yet */
    service_dispatch (self, peer->service);
}

void peers_beat (broker_t *self)
{
    for (int i = 0; i < PEER_BUCKETS; i++)
        for (peer_t *peer = self->peers[i]; peer; peer = peer->next) {
            bool was_full = peer->full;
            peer->full = false;
            beat_send (self, peer, ENV_BEAT);
            if (was_full && peer->service)
                service_dispatch (self, peer->service);
        }
}

static void peer_freeze (broker_t *self, peer_t *peer)
{
    peer->frozen = true;
    if (!peer->service)
        return;
    broker_count (self, BROKER_COUNTER_FROZEN_TOTAL);
    broker_tell (self, "peer frozen", peer, "no beat for 2 s");
    service_review (self, peer->service);
    asks_leave (self, peer);
    service_dispatch (self, peer->service);
}

void peers_freeze (broker_t *self)
{
    for (int i = 0; i < PEER_BUCKETS; i++)
        for (peer_t *peer = self->peers[i]; peer; peer = peer->next)
            if (!peer->frozen && !peer->gone && self->now_ms - peer->heard_ms >= BEAT_LOST_MS)
                peer_freeze (self, peer);
}

void peers_forgive (broker_t *self, int64_t ms)
{
    for (int i = 0; i < PEER_BUCKETS; i++)
        for (peer_t *peer = self->peers[i]; peer; peer = peer->next)
            peer->heard_ms += ms;
}
