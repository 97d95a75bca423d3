/* lanes_groups.c - groups in memory: when each may go on (due, width, tokens, breaker, pauses), and where it stands until then.
 *
 * A group that cannot go on costs nothing: it is in the heap under the time at which it may, or nowhere. Fails only without memory. */
#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>

#include "svc/lanes_state.h"

/* ---- the heap by time ---- */

static group_t *group_of (due_t *wake)
{
    return (group_t *) (void *) ((char *) wake - offsetof (group_t, wake));
}

static int heap_add (lanes_t *self, group_t *group, int64_t next)
{
    int rc = due_heap_reserve (&self->heap, self->heap.count + 1);
    if (rc)
        return rc;
    due_heap_put (&self->heap, &group->wake, next);
    group->place = PLACE_HEAP;
    return 0;
}

/* ---- the ring of tenants with ready groups ---- */

static void ring_add (lanes_t *self, tenant_t *tenant)
{
    if (!self->ring) {
        tenant->ring_prev = tenant->ring_next = self->ring = tenant;
        return;
    }
    tenant->ring_next = self->ring;
    tenant->ring_prev = self->ring->ring_prev;
    tenant->ring_prev->ring_next = tenant;
    self->ring->ring_prev = tenant;
}

static void ring_remove (lanes_t *self, tenant_t *tenant)
{
    if (self->ring == tenant)
        self->ring = tenant->ring_next == tenant ? NULL : tenant->ring_next;
    tenant->ring_prev->ring_next = tenant->ring_next;
    tenant->ring_next->ring_prev = tenant->ring_prev;
    tenant->ring_prev = tenant->ring_next = NULL;
}

static void ready_add (lanes_t *self, group_t *group)
{
    tenant_t *tenant = group->tenant;
    group->ready_prev = tenant->last;
    group->ready_next = NULL;
    if (tenant->last)
        tenant->last->ready_next = group;
    else {
        tenant->first = group;
        ring_add (self, tenant);
    }
    tenant->last = group;
    group->place = PLACE_READY;
}

static void ready_remove (lanes_t *self, group_t *group)
{
    tenant_t *tenant = group->tenant;
    if (group->ready_prev)
        group->ready_prev->ready_next = group->ready_next;
    else
        tenant->first = group->ready_next;
    if (group->ready_next)
        group->ready_next->ready_prev = group->ready_prev;
    else
        tenant->last = group->ready_prev;
    if (!tenant->first)
        ring_remove (self, tenant);
}

void group_unplace (lanes_t *self, group_t *group)
{
    if (group->place == PLACE_HEAP)
        due_heap_remove (&self->heap, &group->wake);
    else if (group->place == PLACE_READY)
        ready_remove (self, group);
    group->place = PLACE_NONE;
}

int group_place (lanes_t *self, group_t *group, int64_t now)
{
    int64_t next = group->tenant ? group_next (group, now) : NEVER;
    if (next <= now && group->place == PLACE_READY)
        return 0;
    group_unplace (self, group);
    if (next <= now) {
        ready_add (self, group);
        return 0;
    }
    return next == NEVER ? 0 : heap_add (self, group, next);
}

int groups_wake (lanes_t *self, int64_t now)
{
    for (due_t *first; (first = due_heap_first (&self->heap)) && first->at_ms <= now;) {
        int rc = group_place (self, group_of (first), now);
        if (rc)
            return rc;
    }
    return 0;
}

/* ---- making and forgetting ---- */

static tenant_t *tenant_get (lanes_t *self, id16_t id)
{
    tenant_t *tenant = (tenant_t *) (void *) idmap_find (&self->tenants, id);
    if (tenant || !(tenant = calloc (1, sizeof *tenant)))
        return tenant;
    tenant->node.id = id;
    if (!idmap_put (&self->tenants, &tenant->node)) {
        free (tenant);
        return NULL;
    }
    return tenant;
}

static group_t *group_new (lanes_t *self, id16_t id)
{
    group_t *group = calloc (1, sizeof *group);
    if (!group)
        return NULL;
    group->node.id = id;
    group->now.earliest = NEVER;
    group->now.policy.width = WIDTH;
    if (!idmap_put (&self->groups, &group->node)) {
        free (group);
        return NULL;
    }
    return group;
}

group_t *group_get (lanes_t *self, id16_t id, const id16_t *tenant)
{
    group_t *group = (group_t *) (void *) idmap_find (&self->groups, id);
    if (!group && !(group = group_new (self, id)))
        return NULL;
    if (tenant && !group->tenant) {
        group->tenant = tenant_get (self, *tenant);
        if (!group->tenant)
            return NULL;
        group->tenant->groups++;
    }
    return group;
}

static void group_free (lanes_t *self, group_t *group)
{
    group_unplace (self, group);
    idmap_take (&self->groups, group->node.id);
    tenant_t *tenant = group->tenant;
    if (tenant && --tenant->groups == 0) {
        idmap_take (&self->tenants, tenant->node.id);
        free (tenant);
    }
    free (group);
}

static double tokens_at (const group_facts_t *g, int64_t now)
{
    int64_t elapsed = now > g->tokens_at ? now - g->tokens_at : 0;
    return fmin (g->policy.burst, g->tokens + (double) elapsed * g->policy.per_second / 1000);
}

/* Nothing would be lost but what the policy says again. */
static bool group_is_idle (const group_t *group, int64_t now)
{
    const group_facts_t *g = &group->now;
    return g->earliest == NEVER && !g->outward && !g->waiting && g->breaker == BREAKER_CLOSED &&
           !g->failures && g->hold_until <= now && g->pause_until <= now && !group->touched &&
           (g->policy.per_second <= 0 || tokens_at (g, now) >= g->policy.burst);
}

void groups_sweep (lanes_t *self, int64_t now)
{
    if (self->groups.count < self->sweep_at)
        return;
    size_t at = 0;
    for (idnode_t *node = idmap_next (&self->groups, &at, NULL), *next; node; node = next) {
        next = idmap_next (&self->groups, &at, node);
        group_t *group = (group_t *) (void *) node;
        if (group_is_idle (group, now))
            group_free (self, group);
    }
    self->sweep_at = self->groups.count * 2 < SWEEP_GROUPS ? SWEEP_GROUPS : self->groups.count * 2;
}

void groups_free (lanes_t *self)
{
    size_t at = 0;
    for (idnode_t *node = idmap_next (&self->groups, &at, NULL), *next; node; node = next) {
        next = idmap_next (&self->groups, &at, node);
        group_free (self, (group_t *) (void *) node);
    }
    idmap_free (&self->groups);
    idmap_free (&self->tenants);
    due_heap_free (&self->heap);
    self->ring = NULL;
    self->touched = NULL;
}

/* ---- what a turn changes ---- */

void group_touch (lanes_t *self, group_t *group)
{
    if (group->touched)
        return;
    group->touched = true;
    group->before = group->now;
    group->touched_next = self->touched;
    self->touched = group;
}

void groups_committed (lanes_t *self)
{
    for (group_t *group; (group = self->touched); group->touched = false) {
        self->touched = group->touched_next;
        self->waiting += group->now.waiting - group->before.waiting;
        self->open_breakers += (unsigned) (group->now.breaker != BREAKER_CLOSED);
        self->open_breakers -= (unsigned) (group->before.breaker != BREAKER_CLOSED);
    }
}

void groups_aborted (lanes_t *self)
{
    for (group_t *group; (group = self->touched); group->touched = false) {
        self->touched = group->touched_next;
        group->now = group->before;
        group->fresh_first = group->fresh_last = 0;
        group_place (self, group, self->now);
    }
}

bool lanes_counted (const lanes_t *self, job_place_t at)
{
    return !self->counting || at.lane < self->counted.lane ||
           (at.lane == self->counted.lane && at.seq < self->counted.seq);
}

void group_count (lanes_t *self, group_t *group, job_place_t at, int64_t add)
{
    if (!lanes_counted (self, at))
        return;
    if (add < 0 && group->now.waiting < (uint64_t) -add)
        group->now.waiting = 0;
    else
        group->now.waiting += (uint64_t) add;
}

/* ---- policy, tokens, breaker ---- */

void group_policy (group_t *group, const job_policy_t *policy, int64_t now)
{
    group_facts_t *g = &group->now;
    bool first = g->tokens_at == 0;
    double left = tokens_at (g, now);
    g->policy = *policy;
    g->policy_known = true;
    if (!g->policy.width)
        g->policy.width = WIDTH;
    if (!(g->policy.per_second > 0))
        g->policy.per_second = 0;
    if (!(g->policy.burst > 0))
        g->policy.burst = g->policy.per_second;
    g->policy.burst = fmax (1, g->policy.burst);
    g->tokens = first ? g->policy.burst : fmin (left, g->policy.burst);
    g->tokens_at = now;
    if (!g->policy.breaker_failures) {
        g->breaker = BREAKER_CLOSED;
        g->failures = 0;
    }
}

void group_token (group_t *group, int64_t now)
{
    group_facts_t *g = &group->now;
    if (g->policy.per_second <= 0)
        return;
    g->tokens = fmax (0, tokens_at (g, now) - 1);
    g->tokens_at = now;
}

static int64_t later (int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t token_time (const group_facts_t *g, int64_t now)
{
    if (!g->policy_known || g->policy.per_second <= 0)
        return 0;
    double missing = 1 - tokens_at (g, now);
    double ms = ceil (missing * 1000 / g->policy.per_second);
    return missing < 1e-6 ? 0 : ms < 1e15 ? now + (int64_t) ms : NEVER;
}

/* A receiver that fails gets less of what all share. */
static unsigned width_now (const group_facts_t *g)
{
    const job_policy_t *p = &g->policy;
    return p->ahead && g->quick
               ? 2 * p->width
               : job_width (p->width, p->failing_width ? p->failing_width : p->width,
                            p->breaker_failures, g->failures);
}

int64_t group_limit (const group_t *group, int64_t now)
{
    const group_facts_t *g = &group->now;
    if (g->breaker == BREAKER_PROBING || g->outward >= width_now (g))
        return NEVER;
    int64_t at = later (g->hold_until, g->pause_until);
    if (g->breaker == BREAKER_OPEN)
        at = later (at, g->open_until);
    return later (at, token_time (g, now));
}

int64_t group_next (const group_t *group, int64_t now)
{
    int64_t due = group->fresh_first ? 0 : group->now.earliest;
    return due == NEVER ? NEVER : later (due, group_limit (group, now));
}

static void breaker_open (group_facts_t *g, int64_t now)
{
    uint64_t first = g->policy.breaker_open_ms ? g->policy.breaker_open_ms : 30000;
    uint64_t ms = g->breaker == BREAKER_CLOSED ? first : (uint64_t) g->open_ms * 2;
    ms = ms > first * 16 ? first * 16 : ms;
    g->open_ms = ms > UINT32_MAX ? UINT32_MAX : (uint32_t) ms;
    g->open_until = now + g->open_ms;
    g->breaker = BREAKER_OPEN;
}

void group_outcome (group_t *group, const entry_t *entry, bool failed, const outcome_t *outcome,
                    int64_t now)
{
    group_facts_t *g = &group->now;
    if ((outcome->status == 429 || outcome->status == 503) && outcome->retry_after_ms > 0) {
        int64_t hold =
            outcome->retry_after_ms < HOLD_MS_MAX ? outcome->retry_after_ms : HOLD_MS_MAX;
        g->hold_until = later (g->hold_until, now + hold);
    }
    g->quick = !failed && outcome->duration_ms <= QUICK_MS;
    if (!failed) {
        g->failures = 0;
        g->breaker = BREAKER_CLOSED;
        return;
    }
    if (!g->policy.breaker_failures)
        return;
    if (g->failures < UINT_MAX)
        g->failures++;
    if (g->policy.failing_width)
        return;
    if (g->breaker == BREAKER_PROBING
            ? entry->probe
            : g->breaker == BREAKER_CLOSED && g->failures >= g->policy.breaker_failures)
        breaker_open (g, now);
}
