/* inbox.c - what this peer was asked: tokens, answers, credit.
 *
 * An ask whose time ran out on the way (this process was stopped, say) is refused here, so that a timeout mostly means "not done". A
 * token belongs to the session that its ask came in; answers to a broker that is gone are dropped, for nobody waits there. */
#include "bus/peer.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

enum {
    ASK_ARENA = 2 << 20,
    ASK_ARENA_PER_BYTE = 16,
    ASK_BODY_USUAL = 4096, /* up to here all asks get the same memory, and it is used again */
    INBOX_FIRST = 64
};

/* Room for one more; the index + 1, 0 if there is no memory. */
static uint32_t slot_new (bus_t *self)
{
    if (!self->inbox_free) {
        uint32_t size = self->inbox_size ? self->inbox_size * 2 : INBOX_FIRST;
        inbound_t *grown = realloc (self->inbox, size * sizeof *grown);
        if (!grown)
            return 0;
        memset (grown + self->inbox_size, 0, (size - self->inbox_size) * sizeof *grown);
        for (uint32_t i = size; i-- > self->inbox_size;) {
            grown[i].next = self->inbox_free;
            self->inbox_free = i + 1;
        }
        self->inbox = grown;
        self->inbox_size = size;
    }
    uint32_t slot = self->inbox_free;
    self->inbox_free = self->inbox[slot - 1].next;
    return slot;
}

static uint64_t slot_use (bus_t *self, uint32_t slot, id16_t id)
{
    inbound_t *in = &self->inbox[slot - 1];
    in->id = id;
    in->session = self->session;
    in->used = true;
    in->generation++;
    return (uint64_t) in->generation << 32 | slot;
}

/* The ask of a token, whose slot is free again; false if there is none or its session is over. */
static bool slot_take (bus_t *self, uint64_t token, id16_t *id)
{
    uint32_t slot = (uint32_t) token;
    if (slot == 0 || slot > self->inbox_size)
        return false;
    inbound_t *in = &self->inbox[slot - 1];
    if (!in->used || in->generation != (uint32_t) (token >> 32))
        return false;
    in->used = false;
    in->next = self->inbox_free;
    self->inbox_free = slot;
    *id = in->id;
    return in->session == self->session && self->welcomed;
}

static void failure_post (bus_t *self, id16_t id, const failure_t *failure, bool replayed,
                          const char *first_request_id)
{
    envelope_t e = {
        .kind = ENV_FAILURE, .id = id, .replayed = replayed, .first_request_id = first_request_id};
    failure_t clean = *failure;
    if (!text_is_utf8 (clean.text, strlen (clean.text)))
        clean.text[0] = 0;
    if (!text_is_utf8 (clean.field, strlen (clean.field)))
        clean.field[0] = 0;
    buf_clear (&self->body);
    envelope_failure_write (&clean, &self->body);
    link_post (self, &e, buf_bytes (&self->body));
}

/* A great body is copied, unpacked and looked at in parts: its ask gets memory to match. */
static arena_t *arena_of_ask (bus_t *self, size_t body_size)
{
    if (self->config.arena_for_ask)
        return self->config.arena_for_ask (self->config.context);
    if (body_size <= ASK_BODY_USUAL && self->arena_count)
        return self->arenas[--self->arena_count];
    size_t most = body_size <= ASK_BODY_USUAL ? ASK_BODY_USUAL : body_size;
    return arena_new (ASK_ARENA + ASK_ARENA_PER_BYTE * most);
}

void bus_arena_done (bus_t *self, arena_t **arena, size_t body_size)
{
    bool usual = *arena && !self->config.arena_for_ask && body_size <= ASK_BODY_USUAL;
    if (!usual || self->arena_count == ARENAS_SPARE) {
        arena_destroy (arena);
        return;
    }
    arena_trap (*arena, NULL);
    arena_reset (*arena);
    self->arenas[self->arena_count++] = *arena;
    *arena = NULL;
}

/* Hands the ask to the service; 0 or why it cannot. */
static int ask_deliver (bus_t *self, const envelope_route_t *route, bytes_t body, uint32_t age_ms,
                        failure_t *failure)
{
    envelope_t e;
    arena_t *arena = arena_of_ask (self, body.size);
    uint8_t *copy = arena && body.size ? arena_memdup (arena, body.data, body.size) : NULL;
    uint32_t slot = !arena || (body.size && !copy) ? 0 : slot_new (self);
    if (!slot) {
        arena_destroy (&arena);
        return failure_set (failure, E_NO_MEMORY, "", "no memory for the request");
    }
    int code = envelope_rest_read (route, arena, &e, failure);
    if (code) {
        self->inbox[slot - 1].next = self->inbox_free;
        self->inbox_free = slot;
        arena_destroy (&arena);
        return code;
    }
    e.ttl_ms -= age_ms;
    self->config.on_ask (self->config.context, slot_use (self, slot, e.id), &e,
                         bytes_of (copy, body.size), arena);
    return 0;
}

void inbox_ask (bus_t *self, const envelope_route_t *route, bytes_t body, int64_t now_ms)
{
    failure_t failure = {0};
    uint32_t age = beat_clock_age (&self->clock, now_ms);
    self->outstanding++;
    int code;
    if (!self->config.on_ask)
        code = failure_set (&failure, E_UNKNOWN_OP, "", "%s answers no asks", self->service);
    else if (body.size > ENVELOPE_BODY_MAX)
        code = failure_set (&failure, E_TOO_LARGE, "body", "the request is larger than %d bytes",
                            ENVELOPE_BODY_MAX);
    else if (route->ttl_ms <= age)
        code = failure_set (&failure, E_TIMEOUT, "", "the deadline passed before %s could begin",
                            self->service);
    else
        code = ask_deliver (self, route, body, age, &failure);
    if (code) {
        bus_credit (self, 1);
        failure_post (self, route->id, &failure, false, NULL);
    }
}

void bus_answer (bus_t *self, uint64_t token, bytes_t body, bool replayed,
                 const char *first_request_id)
{
    id16_t id;
    if (!slot_take (self, token, &id))
        return;
    if (body.size > ENVELOPE_BODY_MAX) {
        failure_t failure = {0};
        failure_set (&failure, E_INTERNAL, "", "the answer is larger than %d bytes",
                     ENVELOPE_BODY_MAX);
        failure_post (self, id, &failure, false, NULL);
        return;
    }
    envelope_t e = {
        .kind = ENV_ANSWER, .id = id, .replayed = replayed, .first_request_id = first_request_id};
    link_post (self, &e, body);
}

void bus_fail (bus_t *self, uint64_t token, const failure_t *failure, bool replayed,
               const char *first_request_id)
{
    id16_t id;
    if (slot_take (self, token, &id))
        failure_post (self, id, failure, replayed, first_request_id);
}

void inbox_credit_flush (bus_t *self)
{
    if (!self->credit_owed || !self->welcomed)
        return;
    envelope_t e = {.kind = ENV_CREDIT, .count = self->credit_owed};
    if (link_post (self, &e,
                   (bytes_t){0})) /* else with the next, or nobody would ask us any more */
        self->credit_owed = 0;
}

void bus_credit (bus_t *self, uint32_t count)
{
    if (count > self->outstanding)
        count = self->outstanding;
    self->outstanding -= count;
    self->credit_owed += count;
    if (self->credit_owed >= self->config.credit / 4)
        inbox_credit_flush (self);
}
