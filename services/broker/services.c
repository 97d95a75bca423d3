/* services.c - services by name: their replicas, their ops as the hellos told them, and who owns. A service that was once there stays
 * known, so that status can say that it is absent. */
#include "core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

service_t *service_find (const broker_t *self, bytes_t name)
{
    for (uint32_t i = 0; i < self->service_count; i++) {
        const char *have = self->services[i]->name;
        if (strlen (have) == name.size && !memcmp (have, name.data, name.size))
            return self->services[i];
    }
    return NULL;
}

service_t *service_get (broker_t *self, const char *name)
{
    service_t *service = service_find (self, bytes_of_str (name));
    if (service || self->service_count == SERVICES_MAX)
        return service;
    service = calloc (1, sizeof *service);
    if (!service)
        return NULL;
    memcpy (service->name, name, strlen (name));
    service->ownerless_ms = self->now_ms;
    lane_init (&service->any);
    lane_init (&service->owned);
    self->services[self->service_count++] = service;
    return service;
}

void services_free (broker_t *self)
{
    for (uint32_t i = 0; i < self->service_count; i++) {
        service_t *service = self->services[i];
        lane_free (&service->any);
        lane_free (&service->owned);
        free (service->ops);
        free (service);
    }
    self->service_count = 0;
}

static uint32_t op_hash (bytes_t name)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < name.size; i++)
        hash = (hash ^ name.data[i]) * 16777619u;
    return hash % (OPS_MAX * 2);
}

/* Where the op is, or where it would stand. */
static uint16_t *op_slot (const service_t *self, bytes_t name)
{
    uint32_t at = op_hash (name);
    for (;; at = (at + 1) % (OPS_MAX * 2)) {
        uint16_t index = self->op_slots[at];
        if (!index)
            break;
        const char *have = self->ops[index - 1].name;
        if (strlen (have) == name.size && !memcmp (have, name.data, name.size))
            break;
    }
    return (uint16_t *) (uintptr_t) &self->op_slots[at];
}

int service_op_find (const service_t *self, bytes_t name)
{
    return *op_slot (self, name) - 1;
}

static int op_add (service_t *self, bytes_t name)
{
    if (self->op_count == OPS_MAX)
        return E_TOO_LARGE;
    op_t *grown = realloc (self->ops, (self->op_count + 1) * sizeof *grown);
    if (!grown)
        return E_NO_MEMORY;
    self->ops = grown;
    op_t *op = &self->ops[self->op_count];
    char target[ENVELOPE_NAME_MAX + 1 + sizeof op->name];
    *op = (op_t){0};
    memcpy (op->name, name.data, name.size); /* the hello was checked: it fits */
    int size = snprintf (target, sizeof target, "%s.%s", self->name, op->name);
    op->schema = schema_op_find (target, (size_t) size);
    op->common = op->schema && !strcmp (op->schema->service, "common");
    *op_slot (self, name) = (uint16_t) ++self->op_count;
    return 0;
}

int service_learn (service_t *self, const hello_t *hello, peer_t *peer)
{
    for (const char *const *text = hello->ops; *text; text++) {
        bytes_t name = bytes_of_str (*text);
        bool owner_only = name.data[name.size - 1] == '!';
        name.size -= owner_only;
        int index = service_op_find (self, name);
        int code = index < 0 ? op_add (self, name) : 0;
        if (code)
            return code;
        if (index < 0)
            index = (int) self->op_count - 1;
        self->ops[index].owner_only = owner_only;
        peer->ops[index / 64] |= 1ull << (index % 64);
    }
    return 0;
}

peer_t *service_replica (const service_t *self, uint32_t replica)
{
    for (uint32_t i = 0; i < self->replica_count; i++)
        if (self->replicas[i]->replica == replica)
            return self->replicas[i];
    return NULL;
}

int service_join (service_t *self, peer_t *peer)
{
    if (self->replica_count == REPLICAS_MAX)
        return E_TOO_LARGE;
    self->replicas[self->replica_count++] = peer;
    peer->service = self;
    return 0;
}

void service_leave (service_t *self, peer_t *peer)
{
    for (uint32_t i = 0; i < self->replica_count; i++)
        if (self->replicas[i] == peer)
            self->replicas[i--] = self->replicas[--self->replica_count];
    if (self->owner == peer)
        self->owner = NULL;
}

void service_review (broker_t *self, service_t *service)
{
    bool had = service->owner != NULL;
    service->live_count = 0;
    if (service->owner && !(peer_is_live (service->owner) && service->owner->owner))
        service->owner = NULL;
    for (uint32_t i = 0; i < service->replica_count; i++) {
        peer_t *peer = service->replicas[i];
        if (!peer_is_live (peer))
            continue;
        service->live_count++;
        if (!service->owner && peer->owner)
            service->owner = peer;
    }
    if (had && !service->owner)
        service->ownerless_ms = self->now_ms;
}

/* Whether the service has ops that need an owner. */
static bool service_is_owned (const service_t *self)
{
    for (uint32_t i = 0; i < self->op_count; i++)
        if (self->ops[i].owner_only)
            return true;
    return false;
}

bool service_is_ready (const service_t *self, const char **reason)
{
    if (!self->live_count) {
        *reason = "no replica is there";
        return false;
    }
    const peer_t *judge = self->owner;
    if (!judge && service_is_owned (self)) {
        *reason = "no replica is the owner";
        return false;
    }
    for (uint32_t i = 0; i < self->replica_count && !self->owner; i++) {
        const peer_t *peer = self->replicas[i];
        if (peer_is_live (peer) && (!judge || peer->ready))
            judge = peer;
    }
    *reason = judge->ready ? "" : judge->reason;
    return judge->ready;
}
