/* own.c - what the broker answers itself: ping, metrics and health like every service, and status. */
#include "core.h"

#include "gen/common.h"

#include <string.h>
#include <unistd.h>

static void no_memory (broker_t *self, const peer_t *asker, const envelope_route_t *route)
{
    failure_t failure = {0};
    failure_set (&failure, E_NO_MEMORY, "", "the broker has no memory for the answer");
    refuse (self, asker->connection, route->id, &failure);
}

static void answer_send (broker_t *self, const peer_t *asker, const envelope_route_t *route,
                         const schema_type_t *type, const void *out)
{
    char target[ENVELOPE_TARGET_MAX + 1] = {0};
    memcpy (target, route->target.data, route->target.size);
    envelope_t e = {.kind = ENV_ANSWER, .id = route->id, .target = target, .sender = "broker"};
    buf_clear (&self->body);
    schema_pack (type, out, &self->body);
    if (buf_failed (&self->body)) {
        no_memory (self, asker, route);
        return;
    }
    broker_count (self, BROKER_COUNTER_ANSWERS_TOTAL);
    broker_send_envelope (self, asker->connection, &e, buf_bytes (&self->body));
}

static void ping (broker_t *self, const peer_t *asker, const envelope_route_t *route)
{
    common_ping_out_t out = {
        .service = "broker", .pid = getpid (), .version = self->config.version};
    out.has = COMMON_PING_OUT_HAS_REPLICA;
    answer_send (self, asker, route, &common_ping_out_type, &out);
}

static void health (broker_t *self, const peer_t *asker, const envelope_route_t *route)
{
    common_health_out_t out = {.ready = true, .owner = true};
    answer_send (self, asker, route, &common_health_out_type, &out);
}

/* ---- status ---- */

static int64_t service_oldest_ms (const broker_t *self, const service_t *service)
{
    int64_t oldest = lane_oldest_ms (&service->any), owned = lane_oldest_ms (&service->owned);
    if (owned < oldest)
        oldest = owned;
    for (uint32_t i = 0; i < service->replica_count; i++) {
        int64_t alone = lane_oldest_ms (&service->replicas[i]->lane);
        if (alone < oldest)
            oldest = alone;
    }
    return oldest == INT64_MAX ? 0 : self->now_ms - oldest;
}

static void service_fill (const broker_t *self, const service_t *service,
                          broker_service_state_t *out)
{
    const char *reason = "";
    out->service = service->name;
    out->live = service->live_count;
    out->ready = service_is_ready (service, &reason);
    out->reason = reason;
    out->owned = service->owner != NULL;
    out->owner = service->owner ? service->owner->replica : 0;
    out->queued = (int64_t) service->queued;
    out->oldest_ms = service_oldest_ms (self, service);
    out->has = ~0ull; /* zeros are said too */
}

static void replica_fill (const broker_t *self, const peer_t *peer, broker_replica_state_t *out)
{
    out->service = peer->name;
    out->replica = peer->replica;
    out->pid = peer->pid;
    out->live = peer_is_live (peer);
    out->ready = peer->ready;
    out->owner = peer == peer->service->owner;
    out->reason = peer->reason;
    out->beat_age_ms = self->now_ms - peer->heard_ms;
    out->queued = (int64_t) peer->lane.count;
    out->dispatched = (int64_t) peer->dispatched;
    out->credit = peer->credit;
    out->has = ~0ull;
}

static void status (broker_t *self, const peer_t *asker, const envelope_route_t *route)
{
    size_t count = 0;
    for (uint32_t i = 0; i < self->service_count; i++)
        count += self->services[i]->replica_count;
    arena_reset (self->arena);
    broker_service_state_t *services =
        arena_array_of (self->arena, broker_service_state_t, self->service_count + 1);
    broker_replica_state_t *replicas =
        arena_array_of (self->arena, broker_replica_state_t, count + 1);
    if (!services || !replicas) {
        no_memory (self, asker, route);
        return;
    }
    size_t at = 0;
    for (uint32_t i = 0; i < self->service_count; i++) {
        const service_t *service = self->services[i];
        service_fill (self, service, &services[i]);
        for (uint32_t k = 0; k < service->replica_count; k++)
            replica_fill (self, service->replicas[k], &replicas[at++]);
    }
    broker_status_out_t out = {.services = {services, self->service_count},
                               .replicas = {replicas, count}};
    out.has = BROKER_STATUS_OUT_HAS_SERVICES | BROKER_STATUS_OUT_HAS_REPLICAS;
    answer_send (self, asker, route, &broker_status_out_type, &out);
}

/* ---- metrics ---- */

static void gauge_head (buf_t *text, const char *name, const char *doc)
{
    buf_printf (text, "# HELP aviary_broker_%s %s\n# TYPE aviary_broker_%s gauge\n", name, doc,
                name);
}

static void service_gauges (const broker_t *self, buf_t *text)
{
    gauge_head (text, "queued", "Asks that wait.");
    for (uint32_t i = 0; i < self->service_count; i++)
        buf_printf (text, "aviary_broker_queued{service=\"%s\"} %zu\n", self->services[i]->name,
                    self->services[i]->queued);
    gauge_head (text, "oldest_seconds", "Age of the ask that waits longest.");
    for (uint32_t i = 0; i < self->service_count; i++)
        buf_printf (text, "aviary_broker_oldest_seconds{service=\"%s\"} %.3f\n",
                    self->services[i]->name,
                    (double) service_oldest_ms (self, self->services[i]) / 1000);
    gauge_head (text, "replicas", "Replicas that beat and take asks.");
    for (uint32_t i = 0; i < self->service_count; i++)
        buf_printf (text, "aviary_broker_replicas{service=\"%s\"} %u\n", self->services[i]->name,
                    self->services[i]->live_count);
    gauge_head (text, "owned", "1 if a live replica is the owner.");
    for (uint32_t i = 0; i < self->service_count; i++)
        buf_printf (text, "aviary_broker_owned{service=\"%s\"} %d\n", self->services[i]->name,
                    self->services[i]->owner != NULL);
}

static void metrics (broker_t *self, const peer_t *asker, const envelope_route_t *route)
{
    buf_t text = {0};
    router_tapped (self->router, &self->counters[BROKER_COUNTER_TAPPED_TOTAL],
                   &self->counters[BROKER_COUNTER_TAP_DROPPED_TOTAL]);
    for (int i = 0; i < COUNTERS; i++)
        buf_printf (
            &text,
            "# HELP aviary_broker_%s %s\n# TYPE aviary_broker_%s counter\naviary_broker_%s %llu\n",
            broker_counters[i], broker_counter_docs[i], broker_counters[i], broker_counters[i],
            (unsigned long long) self->counters[i]);
    buf_printf (&text,
                "# HELP aviary_broker_failures_by_code_total Failures told to askers, by code.\n"
                "# TYPE aviary_broker_failures_by_code_total counter\n");
    for (int i = 0; i < CODES_MAX; i++)
        if (self->failures[i])
            buf_printf (&text, "aviary_broker_failures_by_code_total{code=\"%s\"} %llu\n",
                        i ? error_name (i) : "other", (unsigned long long) self->failures[i]);
    gauge_head (&text, "peers", "Registered connections.");
    buf_printf (&text, "aviary_broker_peers %zu\n", self->peer_count);
    service_gauges (self, &text);
    common_metrics_out_t out = {.text = buf_text (&text)};
    if (buf_failed (&text) || !*out.text)
        no_memory (self, asker, route);
    else
        answer_send (self, asker, route, &common_metrics_out_type, &out);
    buf_free (&text);
}

static const struct {
    const char *op;
    void (*answer) (broker_t *self, const peer_t *asker, const envelope_route_t *route);
} own_ops[] = {{"status", status}, {"metrics", metrics}, {"ping", ping}, {"health", health}};

void own_ask (broker_t *self, const peer_t *asker, const envelope_route_t *route, bytes_t op)
{
    failure_t failure = {0};
    op_t named = {.schema = schema_op_find ((const char *) route->target.data, route->target.size)};
    size_t i = 0, count = sizeof own_ops / sizeof own_ops[0];
    while (i < count && !bytes_equal (op, bytes_of_str (own_ops[i].op)))
        i++;
    if (!grant_is_given (&named, op, "broker", asker)) {
        broker_count (self, BROKER_COUNTER_REFUSED_TOTAL);
        failure_set (&failure, E_REFUSED, "", "%s may not ask this of the broker", asker->name);
    } else if (i == count) {
        failure_set (&failure, E_UNKNOWN_OP, "", "the broker has no such operation");
    }
    if (failure.code)
        refuse (self, asker->connection, route->id, &failure);
    else
        own_ops[i].answer (self, asker, route);
}
