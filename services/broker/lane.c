/* lane.c - asks that wait: first come first served within a tenant, one from each tenant in turn. A tenant is in the lane only while
 * it has asks there. */
#include "core.h"

#include "base/hash.h"

#include <stdlib.h>

enum { LANE_SEED = 0x5bd1e995 }; /* org ids are our own: no need to hide it */

void lane_init (lane_t *self)
{
    *self = (lane_t){0};
    TAILQ_INIT (&self->turns);
}

void lane_free (lane_t *self)
{
    while (self->spare) {
        tenant_t *tenant = self->spare;
        self->spare = tenant->next;
        free (tenant);
    }
    free (self->buckets);
    lane_init (self);
}

static tenant_t **bucket_of (const lane_t *self, id16_t org)
{
    return &self->buckets[hash_id (LANE_SEED, org) % TENANT_BUCKETS];
}

static tenant_t *tenant_new (lane_t *self, id16_t org)
{
    tenant_t *tenant = self->spare;
    if (tenant)
        self->spare = tenant->next;
    else
        tenant = calloc (1, sizeof *tenant);
    if (!tenant)
        return NULL;
    tenant_t **bucket = bucket_of (self, org);
    tenant->org = org;
    tenant->next = *bucket;
    *bucket = tenant;
    TAILQ_INIT (&tenant->asks);
    TAILQ_INSERT_TAIL (&self->turns, tenant, turn);
    return tenant;
}

static void tenant_drop (lane_t *self, tenant_t *tenant)
{
    tenant_t **link = bucket_of (self, tenant->org);
    while (*link != tenant)
        link = &(*link)->next;
    *link = tenant->next;
    TAILQ_REMOVE (&self->turns, tenant, turn);
    tenant->next = self->spare;
    self->spare = tenant;
}

int lane_put (lane_t *self, ask_t *ask)
{
    if (!self->buckets)
        self->buckets = calloc (TENANT_BUCKETS, sizeof *self->buckets);
    if (!self->buckets)
        return E_NO_MEMORY;
    tenant_t *tenant = *bucket_of (self, ask->route.org);
    while (tenant && !id_equal (tenant->org, ask->route.org))
        tenant = tenant->next;
    if (!tenant)
        tenant = tenant_new (self, ask->route.org);
    if (!tenant)
        return E_NO_MEMORY;
    TAILQ_INSERT_TAIL (&tenant->asks, ask, line);
    ask->tenant = tenant;
    ask->lane = self;
    self->count++;
    return 0;
}

void lane_remove (lane_t *self, ask_t *ask)
{
    tenant_t *tenant = ask->tenant;
    TAILQ_REMOVE (&tenant->asks, ask, line);
    if (TAILQ_EMPTY (&tenant->asks))
        tenant_drop (self, tenant);
    ask->lane = NULL;
    ask->tenant = NULL;
    self->count--;
}

ask_t *lane_take (lane_t *self)
{
    tenant_t *tenant = TAILQ_FIRST (&self->turns);
    if (!tenant)
        return NULL;
    ask_t *ask = TAILQ_FIRST (&tenant->asks);
    TAILQ_REMOVE (&self->turns, tenant, turn);
    TAILQ_INSERT_TAIL (&self->turns, tenant, turn);
    lane_remove (self, ask);
    return ask;
}

ask_t *lane_any (const lane_t *self)
{
    tenant_t *tenant = TAILQ_FIRST (&self->turns);
    return tenant ? TAILQ_FIRST (&tenant->asks) : NULL;
}

ask_t *lane_find_old (const lane_t *self, int64_t came_ms)
{
    tenant_t *tenant;
    TAILQ_FOREACH (tenant, &self->turns, turn)
    {
        ask_t *ask = TAILQ_FIRST (&tenant->asks);
        if (ask->came_ms <= came_ms)
            return ask;
    }
    return NULL;
}

int64_t lane_oldest_ms (const lane_t *self)
{
    int64_t oldest = INT64_MAX;
    tenant_t *tenant;
    TAILQ_FOREACH (tenant, &self->turns, turn)
    {
        int64_t came = TAILQ_FIRST (&tenant->asks)->came_ms;
        if (came < oldest)
            oldest = came;
    }
    return oldest;
}
