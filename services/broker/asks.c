/* asks.c - an ask's way: checked, placed in a lane, dispatched to a replica with credit, answered.
 *
 * Every ask ends here once: answered, failed, or dropped because its asker is gone or has itself given up (its deadline). The record is
 * freed with its end, so a second answer, or one by a replica that had been given up, finds nothing. */
#include "core.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

/* An ask with the same id may have been shown: who listens knows. */
static const mirror_set_t ASKED_UNKNOWN = ~(mirror_set_t) 0;

/* To those listeners of the tap. */
static void tap (broker_t *self, mirror_set_t to, bytes_t target, uint32_t replica, int64_t came_ms,
                 const frame_t *body)
{
    tap_meta_t meta = {.time_ms = clock_now_ms (), .replica = replica};
    meta.elapsed_ms = (uint32_t) (self->now_ms - came_ms);
    mirror_send (router_mirror (self->router), to, &meta, target, buf_bytes (&self->header), body);
}

static mirror_target_t tap_target (const ask_t *ask)
{
    const op_t *op = &ask->service->ops[ask->op];
    return (mirror_target_t){ask->route.target, bytes_of_str (op->name), op->common};
}

/* The ask remembers who wanted it: only they want what answers it. */
static void tap_ask (broker_t *self, ask_t *ask, uint32_t replica)
{
    mirror_target_t target = tap_target (ask);
    ask->wanted = mirror_of_ask (router_mirror (self->router), &target, &ask->route);
    if (ask->wanted)
        tap (self, ask->wanted, target.target, replica, ask->came_ms, &ask->body);
}

static void tap_answer (broker_t *self, const ask_t *ask, const frame_t *body)
{
    mirror_target_t target = tap_target (ask);
    mirror_set_t to = mirror_of_answer (router_mirror (self->router), &target, ask->wanted);
    if (to)
        tap (self, to, target.target, ask->replica->replica, ask->came_ms, body);
}

static void tap_failure (broker_t *self, bytes_t target, mirror_set_t asked, int64_t came_ms,
                         const frame_t *body)
{
    envelope_target_t parts = {0};
    mirror_target_t failed = {.target = target};
    if (envelope_target_read (target, &parts))
        failed.op = parts.op;
    mirror_set_t to = mirror_of_answer (router_mirror (self->router), &failed, asked);
    if (to)
        tap (self, to, target, 0, came_ms, body);
}

/* Tells an asker that its ask failed here. `asked`: the listeners that had the ask, ASKED_UNKNOWN where that is not known. */
static void failure_send (broker_t *self, uint32_t connection, id16_t id, bytes_t target,
                          mirror_set_t asked, int64_t came_ms, const failure_t *failure)
{
    envelope_route_t route = {.kind = ENV_FAILURE, .id = id, .target = target};
    frame_t body;
    broker_count (self, BROKER_COUNTER_FAILURES_TOTAL);
    if (failure->code == E_UNAVAILABLE)
        broker_count (self, BROKER_COUNTER_UNAVAILABLE_TOTAL);
    self->failures[failure->code < CODES_MAX ? failure->code : 0]++;
    buf_clear (&self->header);
    envelope_route_write (&route, bytes_of_str ("broker"), 0, &self->header);
    buf_clear (&self->body);
    envelope_failure_write (failure, &self->body);
    if (buf_failed (&self->header) || buf_failed (&self->body) ||
        frame_fill (&body, buf_bytes (&self->body)))
        return; /* no memory: the asker's deadline ends it */
    if (target.size && router_mirror (self->router))
        tap_failure (self, target, asked, came_ms, &body);
    if (broker_send (self, connection, buf_bytes (&self->header), &body))
        broker_count (self, BROKER_COUNTER_UNDELIVERED_TOTAL);
    frame_close (&body);
}

void refuse (broker_t *self, uint32_t connection, id16_t id, const failure_t *failure)
{
    failure_send (self, connection, id, (bytes_t){0}, 0, self->now_ms, failure);
}

/* ---- records ---- */

static int ask_enqueue (ask_t *ask, lane_t *lane)
{
    int code = lane_put (lane, ask);
    if (!code)
        ask->service->queued++;
    return code;
}

static void ask_dequeue (ask_t *ask)
{
    lane_remove (ask->lane, ask);
    ask->service->queued--;
}

/* A record, zeroed: one that was used before, or a new one. NULL: no memory. */
static ask_t *ask_take (broker_t *self)
{
    ask_t *ask = self->spare;
    if (!ask)
        return calloc (1, sizeof *ask);
    self->spare = ask->next;
    self->spare_count--;
    memset (ask, 0, sizeof *ask);
    return ask;
}

static void ask_rest (broker_t *self, ask_t *ask)
{
    if (self->spare_count == ASKS_SPARE) {
        free (ask);
        return;
    }
    ask->next = self->spare;
    self->spare = ask;
    self->spare_count++;
}

static void ask_free (broker_t *self, ask_t *ask)
{
    if (ask->lane)
        ask_dequeue (ask);
    if (ask->replica) {
        TAILQ_REMOVE (&ask->replica->asks, ask, held);
        ask->replica->dispatched--;
    }
    waiting_remove (&self->asks, &ask->node);
    frame_close (&ask->header);
    frame_close (&ask->body);
    ask_rest (self, ask);
}

void broker_asks_free (broker_t *self)
{
    waiting_node_t *node;
    while ((node = waiting_first (&self->asks)))
        ask_free (self, (ask_t *) (void *) node);
    for (ask_t *ask; (ask = self->spare);) {
        self->spare = ask->next;
        free (ask);
    }
}

static void ask_fail (broker_t *self, ask_t *ask, const failure_t *failure)
{
    failure_send (self, ask->asker, ask->node.id, ask->route.target,
                  ask->replica ? ask->wanted : ASKED_UNKNOWN, ask->came_ms, failure);
    ask_free (self, ask);
}

static int absent (failure_t *failure, const char *service, const char *why)
{
    failure_set (failure, E_UNAVAILABLE, "", "%s: %s", service, why);
    failure->retry_after_ms = 1000;
    return E_UNAVAILABLE;
}

static void ask_fail_absent (broker_t *self, ask_t *ask, const char *why)
{
    failure_t failure = {0};
    absent (&failure, ask->service->name, why);
    ask_fail (self, ask, &failure);
}

static void ask_fail_timeout (broker_t *self, ask_t *ask)
{
    failure_t failure = {0};
    failure_set (&failure, E_TIMEOUT, "", "the deadline passed before %s could begin",
                 ask->service->name);
    broker_count (self, BROKER_COUNTER_TIMEOUT_TOTAL);
    ask_fail (self, ask, &failure);
}

void broker_asks_expire (broker_t *self)
{
    waiting_node_t *node;
    while ((node = waiting_first (&self->asks)) && node->due.at_ms <= self->now_ms) {
        ask_t *ask = (ask_t *) (void *) node;
        if (ask->lane)
            ask_fail_timeout (self, ask);
        else
            ask_free (self, ask); /* begun: the asker's own clock says it */
    }
}

/* ---- placing ---- */

/* The live replica that has the op and the least to do. */
static peer_t *replica_with_op (const service_t *service, uint32_t op)
{
    peer_t *best = NULL;
    for (uint32_t i = 0; i < service->replica_count; i++) {
        peer_t *peer = service->replicas[i];
        if (!peer_is_live (peer) || !peer_has_op (peer, op))
            continue;
        if (!best || peer->dispatched + peer->lane.count < best->dispatched + best->lane.count)
            best = peer;
    }
    return best;
}

static bool all_have_op (const service_t *service, uint32_t op)
{
    for (uint32_t i = 0; i < service->replica_count; i++)
        if (peer_is_live (service->replicas[i]) && !peer_has_op (service->replicas[i], op))
            return false;
    return true;
}

/* Where an ask is to wait. While versions are mixed, an op that not every replica has waits for one that has it. */
static int lane_choose (const ask_t *ask, peer_t *peer, lane_t **out, failure_t *failure)
{
    service_t *service = ask->service;
    if (!service->live_count)
        return absent (failure, service->name, "no replica is there");
    if (ask->addressed && (!peer || !peer_is_live (peer)))
        return absent (failure, service->name, "this replica is not there");
    if (ask->addressed)
        *out = &peer->lane;
    else if (ask->owner_only)
        *out = &service->owned;
    else if (all_have_op (service, ask->op))
        *out = &service->any;
    else if ((peer = replica_with_op (service, ask->op)))
        *out = &peer->lane;
    else
        return failure_set (failure, E_UNKNOWN_OP, "", "no replica of %s that is there has this op",
                            service->name);
    bool lacks = ask->addressed
                     ? !peer_has_op (peer, ask->op)
                     : ask->owner_only && service->owner && !peer_has_op (service->owner, ask->op);
    if (lacks)
        return failure_set (failure, E_UNKNOWN_OP, "",
                            "the replica of %s that must answer does not have this op",
                            service->name);
    return 0;
}

/* Into a lane, or failed. */
static void ask_place (broker_t *self, ask_t *ask, peer_t *addressed)
{
    lane_t *lane = NULL;
    failure_t failure = {0};
    int code = lane_choose (ask, addressed, &lane, &failure);
    if (!code && ask_enqueue (ask, lane))
        code = failure_set (&failure, E_NO_MEMORY, "", "the broker has no memory for this ask");
    if (code)
        ask_fail (self, ask, &failure);
}

/* ---- dispatch ---- */

/* To the replica. The ask is in no lane now; it is with the replica, in a lane again, or gone afterwards. */
static void ask_dispatch (broker_t *self, ask_t *ask, peer_t *peer)
{
    int64_t left = ask->node.due.at_ms - self->now_ms;
    if (!peer_find (self, ask->asker)) {
        ask_free (self, ask); /* nobody waits for it */
        return;
    }
    if (left <= 0) {
        ask_fail_timeout (self, ask);
        return;
    }
    buf_clear (&self->header);
    envelope_route_write (&ask->route, bytes_of_str (ask->sender), (uint32_t) left, &self->header);
    if (buf_failed (
            &self->header)) { /* a replica drops what has none, and would owe its credit for ever */
        failure_t failure = {0};
        failure_set (&failure, E_NO_MEMORY, "", "the broker has no memory for this ask");
        ask_fail (self, ask, &failure);
        return;
    }
    if (router_mirror (self->router))
        tap_ask (self, ask, peer->replica);
    if (broker_send (self, peer->connection, buf_bytes (&self->header), &ask->body)) {
        ask_place (self, ask, ask->addressed ? peer : NULL);
        return;
    }
    peer->credit--;
    peer->dispatched++;
    ask->replica = peer;
    TAILQ_INSERT_TAIL (&peer->asks, ask, held);
    broker_count (self, BROKER_COUNTER_DISPATCHED_TOTAL);
}

/* What a replica gets next: its own lane, the owner's if it is that, and all replicas' take turns. */
static ask_t *ask_next (service_t *service, peer_t *peer, bool any)
{
    lane_t *lanes[3] = {&peer->lane, peer == service->owner ? &service->owned : NULL,
                        any ? &service->any : NULL};
    for (int i = 0; i < 3; i++) {
        lane_t *lane = lanes[peer->asks_turn++ % 3];
        ask_t *ask = lane ? lane_take (lane) : NULL;
        if (ask) {
            service->queued--;
            return ask;
        }
    }
    return NULL;
}

static bool service_has_ready (const service_t *service)
{
    for (uint32_t i = 0; i < service->replica_count; i++)
        if (peer_is_live (service->replicas[i]) && service->replicas[i]->ready)
            return true;
    return false;
}

/* One ask to each replica that can take one; false if none did. */
static bool dispatch_round (broker_t *self, service_t *service, bool some_ready)
{
    bool any = false;
    uint32_t start = service->turn;
    for (uint32_t i = 0; i < service->replica_count; i++) {
        uint32_t at = (start + i) % service->replica_count;
        peer_t *peer = service->replicas[at];
        if (!peer_is_live (peer) || !peer->credit || peer->full)
            continue;
        ask_t *ask = ask_next (service, peer, peer->ready || !some_ready);
        if (!ask)
            continue;
        if (!ask->owner_only && !ask->addressed)
            service->turn = at + 1; /* spreads what any replica may answer */
        ask_dispatch (self, ask, peer);
        any = true;
    }
    return any;
}

void service_dispatch (broker_t *self, service_t *service)
{
    ask_t *ask;
    bool some_ready = service_has_ready (service);
    while (service->queued && service->live_count && dispatch_round (self, service, some_ready)) {}
    if (service->live_count)
        return;
    while ((ask = lane_any (&service->any)) || (ask = lane_any (&service->owned)))
        ask_fail_absent (self, ask, "no replica is there");
}

void services_check_owners (broker_t *self)
{
    ask_t *ask;
    for (uint32_t i = 0; i < self->service_count; i++) {
        service_t *service = self->services[i];
        int64_t wait = service->handover && service->live_count ? OWNER_HANDOVER_MS : OWNER_WAIT_MS;
        if (service->owner || self->now_ms - service->ownerless_ms < wait)
            continue;
        while ((ask = lane_find_old (&service->owned, self->now_ms - wait)))
            ask_fail_absent (self, ask, "no replica is the owner");
    }
}

void asks_move (broker_t *self, peer_t *peer)
{
    ask_t *ask;
    while ((ask = lane_any (&peer->lane))) {
        ask_dequeue (ask);
        ask_place (self, ask, NULL);
    }
}

void asks_leave (broker_t *self, peer_t *peer)
{
    ask_t *ask;
    while ((ask = TAILQ_FIRST (&peer->asks))) {
        failure_t failure = {0};
        failure_set (&failure, E_REPLICA_LOST, "", "%s#%u, which had the request, is gone",
                     peer->name, peer->replica);
        broker_count (self, BROKER_COUNTER_REPLICA_LOST_TOTAL);
        ask_fail (self, ask, &failure);
    }
    asks_move (self, peer);
}

/* ---- coming in ---- */

/* A repeat of what is under way, by who asked it: the answer goes to where it was asked last. */
static int ask_attach (broker_t *self, ask_t *ask, const peer_t *asker,
                       const envelope_route_t *route, int64_t deadline_ms, failure_t *failure)
{
    if (strcmp (ask->sender, asker->name) != 0 || !bytes_equal (ask->route.target, route->target))
        return failure_set (failure, E_CONFLICT, "id", "another ask with this id is under way");
    ask->asker = asker->connection;
    waiting_move (&self->asks, &ask->node, deadline_ms);
    return 0;
}

/* The message's frames are the ask's now. */
static ask_t *ask_new (broker_t *self, const peer_t *asker, router_message_t *message,
                       const envelope_route_t *route, int64_t deadline_ms)
{
    ask_t *ask = ask_take (self);
    if (!ask)
        return NULL;
    ask->node.id = route->id;
    ask->node.due.at_ms = deadline_ms;
    if (waiting_add (&self->asks, &ask->node)) {
        ask_rest (self, ask);
        return NULL;
    }
    const uint8_t *was = frame_bytes (&message->header).data;
    frame_init (&ask->header);
    frame_init (&ask->body);
    frame_move (&ask->header, &message->header);
    frame_move (&ask->body, &message->body);
    ask->route = *route;
    if (frame_bytes (&ask->header).data != was) /* a small one moved with its frame */
        envelope_route_read (frame_bytes (&ask->header), &ask->route, NULL);
    ask->asker = asker->connection;
    memcpy (ask->sender, asker->name, sizeof ask->sender);
    ask->came_ms = self->now_ms;
    return ask;
}

/* The service of a target and, in *op, which of its operations; NULL if this peer may not ask it, and *failure says why. */
static service_t *target_find (broker_t *self, const peer_t *asker, const envelope_target_t *target,
                               uint32_t *op, failure_t *failure)
{
    service_t *service = service_find (self, target->service);
    char name[ENVELOPE_NAME_MAX + 1] = {0};
    memcpy (name, target->service.data, target->service.size);
    if (!service || !service->live_count) {
        absent (failure, name, "no replica is there");
        return NULL;
    }
    int at = service_op_find (service, target->op);
    if (!grant_is_given (at < 0 ? NULL : &service->ops[at], target->op, name, asker)) {
        broker_count (self, BROKER_COUNTER_REFUSED_TOTAL);
        failure_set (failure, E_REFUSED, "", "%s may not ask this of %s", asker->name, name);
        return NULL;
    }
    if (at < 0) {
        failure_set (failure, E_UNKNOWN_OP, "", "%s has no such operation", name);
        return NULL;
    }
    if (service->queued >= self->config.queue_max) {
        broker_count (self, BROKER_COUNTER_BUSY_TOTAL);
        failure_set (failure, E_BUSY, "", "the queue of %s is full", name);
        failure->retry_after_ms = 1000;
        return NULL;
    }
    *op = (uint32_t) at;
    return service;
}

/* Makes the ask's record and lets it go its way; 0 or why there is none. */
static int ask_accept (broker_t *self, peer_t *asker, router_message_t *message,
                       const envelope_route_t *route, const envelope_target_t *target,
                       failure_t *failure)
{
    uint32_t age = beat_clock_age (&asker->clock, self->now_ms);
    uint32_t ttl = route->ttl_ms < TTL_MAX_MS ? route->ttl_ms : TTL_MAX_MS;
    if (ttl <= age) {
        broker_count (self, BROKER_COUNTER_TIMEOUT_TOTAL);
        return failure_set (failure, E_TIMEOUT, "",
                            "the deadline passed before the broker had the request");
    }
    int64_t deadline = self->now_ms + ttl - age;
    waiting_node_t *twin = waiting_find (&self->asks, route->id);
    if (twin)
        return ask_attach (self, (ask_t *) (void *) twin, asker, route, deadline, failure);
    uint32_t op = 0;
    service_t *service = target_find (self, asker, target, &op, failure);
    if (!service)
        return failure->code;
    peer_t *addressed = target->addressed ? service_replica (service, target->replica) : NULL;
    ask_t *ask = ask_new (self, asker, message, route, deadline);
    if (!ask)
        return failure_set (failure, E_NO_MEMORY, "", "the broker has no memory for this ask");
    ask->service = service;
    ask->op = op;
    ask->owner_only = service->ops[op].owner_only && !target->addressed;
    ask->addressed = target->addressed;
    ask_place (self, ask, addressed);
    service_dispatch (self, service);
    return 0;
}

void ask_came (broker_t *self, peer_t *asker, router_message_t *message,
               const envelope_route_t *route)
{
    failure_t failure = {0};
    envelope_target_t target;
    int code = 0;
    broker_count (self, BROKER_COUNTER_ASKS_TOTAL);
    if (id_is_nil (route->id) || !envelope_target_read (route->target, &target))
        code = failure_set (&failure, E_BAD_REQUEST, "target", "the ask has no id or no target");
    else if (frame_bytes (&message->body).size > ENVELOPE_BODY_MAX)
        code = failure_set (&failure, E_TOO_LARGE, "body", "the request is larger than %d bytes",
                            ENVELOPE_BODY_MAX);
    else if (bytes_equal (target.service, bytes_of_str ("broker")))
        own_ask (self, asker, route, target.op);
    else
        code = ask_accept (self, asker, message, route, &target, &failure);
    if (code == E_UNAVAILABLE && ask_hold (self, asker, message))
        return;
    if (code && !id_is_nil (route->id))
        failure_send (self, asker->connection, route->id, route->target, ASKED_UNKNOWN,
                      self->now_ms, &failure);
}

bool ask_come_again (broker_t *self, peer_t *asker, router_message_t *message,
                     const envelope_route_t *route, bool last)
{
    failure_t failure = {0};
    envelope_target_t target;
    if (!envelope_target_read (route->target, &target))
        return true; /* it was looked at when it came */
    int code = ask_accept (self, asker, message, route, &target, &failure);
    if (code == E_UNAVAILABLE && !last)
        return false;
    if (code)
        failure_send (self, asker->connection, route->id, route->target, ASKED_UNKNOWN,
                      self->now_ms, &failure);
    return true;
}

static void failure_note (broker_t *self, bytes_t body)
{
    failure_t failure;
    broker_count (self, BROKER_COUNTER_FAILURES_TOTAL);
    bool known = !envelope_failure_read (body, &failure) && failure.code < CODES_MAX;
    self->failures[known ? failure.code : 0]++;
}

void answer_came (broker_t *self, peer_t *replica, router_message_t *message,
                  const envelope_route_t *route)
{
    ask_t *ask = (ask_t *) (void *) waiting_find (&self->asks, route->id);
    if (!ask || ask->replica != replica) {
        broker_count (self, BROKER_COUNTER_LATE_TOTAL);
        return;
    }
    if (route->kind == ENV_FAILURE)
        failure_note (self, frame_bytes (&message->body));
    else
        broker_count (self, BROKER_COUNTER_ANSWERS_TOTAL);
    envelope_route_t out = *route;
    out.target = ask->route.target;
    buf_clear (&self->header);
    envelope_route_write (&out, bytes_of_str (replica->name), 0, &self->header);
    if (buf_failed (&self->header)) {
        failure_t failure = {0};
        failure_set (&failure, E_BROKER_LOST, "", "the broker had no memory for the answer");
        ask_fail (self, ask, &failure);
        return;
    }
    if (router_mirror (self->router))
        tap_answer (self, ask, &message->body);
    if (broker_send (self, ask->asker, buf_bytes (&self->header), &message->body))
        broker_count (self, BROKER_COUNTER_UNDELIVERED_TOTAL);
    ask_free (self, ask);
}
