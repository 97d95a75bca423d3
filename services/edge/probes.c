/* probes.c - what is served beside the dialect: /healthz, /readyz, /version, /metrics, /openapi.json, /docs.
 *
 * They need no key and count against no limit. /readyz is 200 only when every service that the routes need, and every other that the broker
 * has seen, is ready. /metrics asks every live replica and merges what they say. */
#include "edge.h"

#include "gen/broker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STATUS_TTL_MS = 1000, METRICS_TTL_MS = 1500, NEEDED_MAX = 16, TARGETS_MAX = 128 };

static const char json[] = "application/json";

static bool is_path (const exchange_t *x, const char *path)
{
    const char *raw = web_raw_path (x->web);
    return raw && strcmp (raw, path) == 0;
}

static web_next_t serve (exchange_t *x)
{
    if (strcmp (x->method, "GET") != 0 && strcmp (x->method, "HEAD") != 0)
        return answer_plain (x, 405, "text/plain", bytes_of_str ("GET or HEAD\n"));
    if (is_path (x, "/healthz"))
        return answer_plain (x, 200, json, bytes_of_str ("{\"status\":\"ok\"}"));
    if (is_path (x, "/version"))
        return answer_plain (
            x, 200, json,
            bytes_of_str ("{\"name\":\"aviary\",\"version\":\"" AVIARY_VERSION "\"}"));
    if (is_path (x, "/openapi.json"))
        return answer_plain (x, 200, json, buf_bytes (&x->edge->speakers[0].openapi));
    if (is_path (x, "/docs"))
        return answer_plain (x, 200, "text/html; charset=utf-8", buf_bytes (&x->edge->docs));
    return is_path (x, "/readyz") ? probe_ready (x) : probe_metrics (x);
}

bool site_serves (exchange_t *x, web_next_t *next)
{
    static const char *const paths[] = {"/healthz", "/readyz",       "/metrics",
                                        "/version", "/openapi.json", "/docs"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        if (is_path (x, paths[i])) {
            *next = serve (x);
            return true;
        }
    return false;
}

bool document_serves (exchange_t *x, web_next_t *next)
{
    size_t root = strlen (x->dialect->root);
    if (x->speaker == &x->edge->speakers[0] || strncmp (x->path, x->dialect->root, root) != 0 ||
        strcmp (x->path + root, "/openapi.json") != 0)
        return false;
    if (strcmp (x->method, "GET") == 0 || strcmp (x->method, "HEAD") == 0) {
        *next = answer_plain (x, 200, json, buf_bytes (&x->speaker->openapi));
        return true;
    }
    x->route.allow = "GET, HEAD";
    *next = answer_fail (x, E_METHOD_NOT_ALLOWED, NULL, "This path does not take this method");
    return true;
}

/* ---- the broker's word ---- */

static web_next_t no_memory (exchange_t *x)
{
    return answer_plain (x, 503, json, bytes_of_str ("{\"ready\":false,\"reason\":\"no memory\"}"));
}

static web_next_t status_ask (exchange_t *x, exchange_step_t *then)
{
    call_t *call = ask_call (x, schema_op_find ("broker.status", strlen ("broker.status")));
    if (!call)
        return no_memory (x);
    broker_status_in_t in = {0};
    schema_pack (&broker_status_in_type, &in, &call->body);
    return ask_park (x, call, STATUS_TTL_MS, then);
}

static int status_unpack (exchange_t *x, void *more)
{
    call_t *call = more;
    broker_status_out_t *out = arena_new_of (x->arena, broker_status_out_t);
    x->in = out;
    return schema_unpack (&broker_status_out_type, buf_bytes (&call->answer), x->arena, out, NULL);
}

static const broker_status_out_t *status_of (exchange_t *x, call_t *call, bool in_time)
{
    if (!in_time || call->failure.code || exchange_guard (x, status_unpack, call))
        return NULL;
    return x->in;
}

/* ---- ready ---- */

static size_t needed_more (const schema_dialect_t *schema, const char *out[NEEDED_MAX],
                           size_t count)
{
    for (size_t i = 0; i < schema->op_count; i++) {
        const schema_op_t *ops[] = {schema->ops[i].op, schema->ops[i].ensure};
        for (size_t k = 0; k < 2; k++) {
            bool known = !ops[k] || count == NEEDED_MAX;
            for (size_t n = 0; n < count && !known; n++)
                known = strcmp (out[n], ops[k]->service) == 0;
            if (!known)
                out[count++] = ops[k]->service;
        }
    }
    return count;
}

/* The services that the dialects' operations go to, and the edge. */
static size_t needed_services (const exchange_t *x, const char *out[NEEDED_MAX])
{
    size_t count = 0;
    out[count++] = "edge";
    for (size_t i = 0; i < x->edge->speaker_count; i++)
        count = needed_more (x->edge->speakers[i].dialect->schema, out, count);
    return count;
}

static void write_replicas (const broker_status_out_t *status, const char *service, buf_t *out)
{
    const broker_replica_state_t *replicas = status->replicas.items;
    bool first = true;
    buf_add_str (out, ",\"replicas\":[");
    for (size_t i = 0; i < status->replicas.count; i++) {
        if (!replicas[i].service || strcmp (replicas[i].service, service) != 0)
            continue;
        buf_printf (out,
                    "%s{\"replica\":%lld,\"ready\":%s,\"owner\":%s,\"reason\":", first ? "" : ",",
                    (long long) replicas[i].replica,
                    replicas[i].live && replicas[i].ready ? "true" : "false",
                    replicas[i].owner ? "true" : "false");
        schema_json_string (out, replicas[i].reason ? replicas[i].reason : "");
        buf_add_byte (out, '}');
        first = false;
    }
    buf_add_byte (out, ']');
}

static bool write_service (const broker_status_out_t *status, const char *name, bool first,
                           buf_t *out)
{
    const broker_service_state_t *services = status->services.items, *found = NULL;
    for (size_t i = 0; i < status->services.count; i++)
        if (services[i].service && strcmp (services[i].service, name) == 0)
            found = &services[i];
    bool ready = found && found->ready;
    const char *reason = !found ? "not there" : found->reason ? found->reason : "";
    buf_add_str (out, first ? "" : ",");
    schema_json_string (out, name);
    buf_printf (out, ":{\"ready\":%s,\"reason\":", ready ? "true" : "false");
    schema_json_string (out, reason);
    write_replicas (status, name, out);
    buf_add_byte (out, '}');
    return ready;
}

static web_next_t ready_answered (exchange_t *x, call_t *call, bool in_time)
{
    const char *needed[NEEDED_MAX];
    const broker_status_out_t *status = status_of (x, call, in_time);
    if (!status)
        return answer_plain (
            x, 503, json,
            bytes_of_str ("{\"ready\":false,\"reason\":\"the broker does not answer\"}"));
    size_t count = needed_services (x, needed);
    buf_t services = {0}, out = {0};
    bool ready = true;
    for (size_t i = 0; i < count; i++)
        ready = write_service (status, needed[i], i == 0, &services) && ready;
    const broker_service_state_t *others = status->services.items;
    for (size_t i = 0; i < status->services.count; i++) {
        bool known = !others[i].service;
        for (size_t k = 0; k < count && !known; k++)
            known = strcmp (needed[k], others[i].service) == 0;
        if (!known)
            ready = write_service (status, others[i].service, false, &services) && ready;
    }
    buf_printf (&out, "{\"ready\":%s,\"services\":{%s}}", ready ? "true" : "false",
                buf_text (&services));
    if (buf_failed (&services) || buf_failed (&out))
        no_memory (x);
    else
        answer_plain (x, ready ? 200 : 503, json, buf_bytes (&out));
    buf_free (&services);
    buf_free (&out);
    return WEB_DONE;
}

web_next_t probe_ready (exchange_t *x)
{
    return status_ask (x, ready_answered);
}

/* ---- metrics: one ask per replica, one wait for all ---- */

typedef struct gather gather_t;

typedef struct part {
    gather_t *gather;
    svc_ask_t ask;
    char target[ENVELOPE_TARGET_MAX + 1];
    buf_t answer;
} part_t;

struct gather {
    web_call_t web; /* first */
    atomic_uint left;
    size_t count;
    part_t parts[];
};

static void gather_destroy (web_call_t *web)
{
    gather_t *self = (gather_t *) (void *) web;
    for (size_t i = 0; i < self->count; i++)
        buf_free (&self->parts[i].answer);
    free (self);
}

static void part_done (void *context, const envelope_t *header, bytes_t body,
                       const failure_t *failure)
{
    part_t *part = context;
    (void) header;
    if (!failure)
        buf_add (&part->answer, body.data, body.size);
    if (atomic_fetch_sub (&part->gather->left, 1) == 1)
        web_call_complete (&part->gather->web);
}

static gather_t *gather_new (const broker_status_out_t *status)
{
    const broker_replica_state_t *replicas = status->replicas.items;
    gather_t *self = calloc (1, sizeof *self + sizeof (part_t) * TARGETS_MAX);
    if (!self)
        return NULL;
    web_call_init (&self->web, gather_destroy);
    snprintf (self->parts[self->count++].target, ENVELOPE_TARGET_MAX, "broker.metrics");
    for (size_t i = 0; i < status->replicas.count && self->count < TARGETS_MAX; i++)
        if (replicas[i].live && replicas[i].service)
            snprintf (self->parts[self->count++].target, ENVELOPE_TARGET_MAX, "%s#%lld.metrics",
                      replicas[i].service, (long long) replicas[i].replica);
    atomic_store (&self->left, (unsigned) self->count);
    return self;
}

static void gather_send (gather_t *self, svc_t *svc)
{
    static const uint8_t nothing[] = {0x80}; /* an empty map */
    for (size_t i = 0; i < self->count; i++) {
        part_t *part = &self->parts[i];
        part->gather = self;
        part->ask.header.target = part->target;
        part->ask.header.ttl_ms = METRICS_TTL_MS;
        part->ask.body = bytes_of (nothing, sizeof nothing);
        part->ask.done = part_done;
        part->ask.context = part;
    }
    for (size_t i = 0; i < self->count; i++)
        svc_ask (svc, &self->parts[i].ask);
}

static int gather_merge (exchange_t *x, void *more)
{
    gather_t *self = x->gather;
    buf_t all = buf_in (x->arena);
    for (size_t i = 0; i < self->count; i++) {
        common_metrics_out_t out = {0};
        if (self->parts[i].answer.size == 0 ||
            schema_unpack (&common_metrics_out_type, buf_bytes (&self->parts[i].answer), x->arena,
                           &out, NULL) ||
            !out.text)
            continue;
        buf_add_str (&all, out.text);
        buf_add_byte (&all, '\n');
    }
    metrics_merge (buf_bytes (&all), more);
    return 0;
}

static web_next_t metrics_gathered (exchange_t *x, call_t *call, bool in_time)
{
    buf_t *out = arena_new_of (x->arena, buf_t);
    x->gather = call;
    if (!in_time || !out)
        return answer_plain (x, 503, "text/plain", bytes_of_str ("some replica does not answer\n"));
    *out = buf_in (x->arena);
    if (exchange_guard (x, gather_merge, out))
        return answer_plain (x, 503, "text/plain", bytes_of_str ("too much to tell\n"));
    return answer_plain (x, 200, "text/plain; version=0.0.4; charset=utf-8", buf_bytes (out));
}

static web_next_t metrics_status (exchange_t *x, call_t *call, bool in_time)
{
    const broker_status_out_t *status = status_of (x, call, in_time);
    gather_t *gather = status ? gather_new (status) : NULL;
    if (!gather)
        return answer_plain (x, 503, "text/plain", bytes_of_str ("the broker does not answer\n"));
    x->then = metrics_gathered;
    gather_send (gather, x->edge->svc);
    web_park (x->web, &gather->web, METRICS_TTL_MS + STATUS_TTL_MS);
    return WEB_WAIT;
}

web_next_t probe_metrics (exchange_t *x)
{
    return status_ask (x, metrics_status);
}
