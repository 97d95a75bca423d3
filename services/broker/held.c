/* held.c - a young broker's patience: asks for a service that has not said hello yet.
 *
 * After a restart the peers say hello in any order, so who asks is often there before who answers. For the first second of the broker's life such asks wait for the
 * hello instead of failing; what it then cannot place, or has no room for, fails as at any other time. */
#include "core.h"

#include <stdlib.h>

enum { HOLD_MS = 1000, HELD_MAX = 4096 };

struct held {
    uint32_t asker;
    int64_t came_ms;
    router_message_t message;
    TAILQ_ENTRY (held) line;
};

static bool is_young (const broker_t *self)
{
    return self->now_ms - self->born_ms < HOLD_MS;
}

bool ask_hold (broker_t *self, const peer_t *asker, router_message_t *message)
{
    held_t *held = is_young (self) && self->held_count < HELD_MAX ? calloc (1, sizeof *held) : NULL;
    if (!held)
        return false;
    held->asker = asker->connection;
    held->came_ms = self->now_ms;
    frame_init (&held->message.header);
    frame_init (&held->message.body);
    frame_move (&held->message.header, &message->header);
    frame_move (&held->message.body, &message->body);
    TAILQ_INSERT_TAIL (&self->held, held, line);
    self->held_count++;
    return true;
}

static void held_free (broker_t *self, held_t *held)
{
    TAILQ_REMOVE (&self->held, held, line);
    self->held_count--;
    frame_close (&held->message.header);
    frame_close (&held->message.body);
    free (held);
}

/* True: it is placed, told as failed, or nobody waits for it any more. */
static bool held_end (broker_t *self, held_t *held)
{
    peer_t *asker = peer_find (self, held->asker);
    uint32_t waited = (uint32_t) (self->now_ms - held->came_ms);
    envelope_route_t route;
    if (!asker || asker->gone ||
        envelope_route_read (frame_bytes (&held->message.header), &route, NULL))
        return true;
    route.ttl_ms -= waited < route.ttl_ms ? waited : route.ttl_ms;
    return ask_come_again (self, asker, &held->message, &route, !is_young (self));
}

void held_retry (broker_t *self)
{
    held_t *held = TAILQ_FIRST (&self->held), *next;
    for (; held; held = next) {
        next = TAILQ_NEXT (held, line);
        if (held_end (self, held))
            held_free (self, held);
    }
}

void held_tick (broker_t *self)
{
    if (self->held_count && !is_young (self))
        held_retry (self);
}

void helds_free (broker_t *self)
{
    while (!TAILQ_EMPTY (&self->held))
        held_free (self, TAILQ_FIRST (&self->held));
}
