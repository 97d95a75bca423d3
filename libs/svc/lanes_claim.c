/* lanes_claim.c - begin (): which jobs go out in this turn.
 *
 * A pass serves tenants in a ring and takes a few jobs of one group at a visit, so its cost is what it takes and the groups it visits; a group that may not go on is not
 * visited. A begin () that fails puts its job off (1 s, doubling to 60 s) without using a try; after eight times that are the job's own it goes to quarantine. */
#include <stdio.h>
#include <string.h>

#include "svc/lanes_state.h"

/* One job on its way to be claimed. */
typedef struct claiming {
    lanes_t *self;
    group_t *group;
    job_place_t at;
    int64_t due; /* of its row in due; -1: it has none */
    const job_kind_t *kind;
    job_row_t row; /* in the arena of `outward` */
    outward_t *outward;
    job_t job;
    bool broken; /* never can be begun */
} claiming_t;

static int due_drop (claiming_t *c, txn_t *txn)
{
    uint8_t space[DUE_KEY_SIZE];
    int rc = c->due < 0 ? 0
                        : kv_del (txn, c->self->tables.due,
                                  due_key (c->group->node.id, c->due, c->at.lane, space));
    return rc == E_NOT_FOUND ? 0 : rc;
}

static int claim_put_off (claiming_t *c, txn_t *txn, int64_t due)
{
    return due_put (c->self, txn, c->group, due, c->at, lane_name (c->row.group, c->row.lane));
}

/* ---- policy ---- */

typedef struct asking {
    const job_kind_t *kind;
    id16_t group;
    job_policy_t policy;
} asking_t;

static int policy_step (turn_t *t, void *context)
{
    asking_t *a = context;
    if (a->kind->policy)
        a->kind->policy (t, a->group, &a->policy);
    return 0;
}

/* A policy that cannot be had is the default one: a broken look-up must not stop a group for good. */
static void policy_ask (claiming_t *c, turn_t *t)
{
    asking_t a = {.kind = c->kind, .group = c->group->node.id};
    if (lanes_step (c->self, t, policy_step, &a))
        memset (&a.policy, 0, sizeof a.policy);
    group_policy (c->group, &a.policy, lanes_time (c->self, t));
}

/* ---- begin () ---- */

static int begin_step (turn_t *t, void *context)
{
    claiming_t *c = context;
    int rc = due_drop (c, t->txn);
    if (rc)
        return rc;
    if (job_decode (t, c->kind, &c->row, &c->job)) {
        c->broken = true;
        return failure_set (&t->failure, E_CORRUPT, "", "its body cannot be read");
    }
    if (c->self->enter && !c->self->enter (c->self->context, c->row.id)) {
        c->broken = true;
        return failure_set (&t->failure, E_INTERNAL, "",
                            "it ran when the process crashed, three times");
    }
    outbound_t *out = &c->outward->out;
    rc = c->kind->begin (t, &c->job, out);
    if (rc)
        return rc == E_PARKED ? E_INTERNAL : rc;
    if (out->how == OUT_DROP)
        return job_remove (c->self, t, c->at, &c->row);
    if (out->how != OUT_NOTHING)
        return 0;
    outcome_t outcome = {.stage = FETCH_ANSWERED};
    return job_finish_run (c->self, t, c->at, &c->row, &c->job, &outcome);
}

/* Never can be begun, or failed too often. */
static int claim_bury (claiming_t *c, turn_t *t, const char *why, int code)
{
    char reason[REASON_SIZE];
    snprintf (reason, sizeof reason, "begin failed: %s (%s)", why, error_name (code));
    int rc = due_drop (c, t->txn);
    if (!rc)
        rc = job_bury (c->self, t, c->at, reason);
    group_count (c->self, c->group, c->at, -1);
    return rc;
}

static int64_t stumble_ms (unsigned stumbles)
{
    int64_t ms = INT64_C (1000) << (stumbles < 7 ? stumbles - 1 : 6);
    return ms < STUMBLE_MS_MAX ? ms : STUMBLE_MS_MAX;
}

/* begin () failed: put off, in front of its lane. */
static int claim_stumble (claiming_t *c, turn_t *t, int code)
{
    uint8_t space[JOB_KEY_SIZE];
    buf_t packed = {0};
    if (is_environment (code) && c->row.stumbles + 1 >= STUMBLES_MAX)
        c->row.stumbles--;
    c->row.stumbles++;
    if (c->broken || c->row.stumbles >= STUMBLES_MAX)
        return claim_bury (c, t, t->failure.text, code);
    int64_t due = lanes_time (c->self, t) + stumble_ms (c->row.stumbles);
    job_row_write (&c->row, &packed);
    int rc = buf_failed (&packed) ? E_NO_MEMORY : due_drop (c, t->txn);
    if (!rc)
        rc = kv_put (t->txn, c->self->tables.jobs, job_key (c->at, space), buf_bytes (&packed));
    buf_free (&packed);
    return rc ? rc : claim_put_off (c, t->txn, due);
}

static int claim_stage (claiming_t *c, turn_t *t)
{
    lanes_t *self = c->self;
    group_facts_t *g = &c->group->now;
    entry_t *entry = entry_new (self, c->group, c->row.id, c->at, c->job.tries);
    if (!entry)
        return E_NO_MEMORY;
    c->outward->job = c->outward->done->job = c->row.id;
    c->outward->kind = c->kind;
    c->outward->group = c->group->node.id;
    if (g->policy.ahead) {
        c->outward->width = g->policy.width;
        c->outward->narrow = g->policy.failing_width ? g->policy.failing_width : 1;
        c->outward->narrow_after = g->policy.breaker_failures;
    }
    c->outward->slot = c->outward->done->slot = entry->slot;
    entry->launch = c->outward;
    c->outward = NULL;
    entry->probe = g->breaker == BREAKER_OPEN;
    if (entry->probe)
        g->breaker = BREAKER_PROBING;
    g->outward++;
    group_token (c->group, lanes_time (c->self, t));
    return 0;
}

static int claim_begin (claiming_t *c, turn_t *t)
{
    arena_t *around = t->arena;
    t->arena = c->outward->arena;
    int rc = lanes_step (c->self, t, begin_step, c);
    t->arena = around;
    if (rc == E_CONFLICT_RETRY)
        return rc;
    if (rc)
        return claim_stumble (c, t, rc);
    group_count (c->self, c->group, c->at, -1);
    outbound_how_t how = c->outward->out.how;
    return how == OUT_NOTHING || how == OUT_DROP ? 0 : claim_stage (c, t);
}

/* Its row into the arena of what will go out. E_NOT_FOUND: there is none. */
static int claim_read (claiming_t *c, turn_t *t)
{
    uint8_t space[JOB_KEY_SIZE];
    bytes_t packed;
    int rc = kv_get (t->txn, c->self->tables.jobs, job_key (c->at, space), &packed);
    if (rc)
        return rc;
    void *copy = arena_memdup (c->outward->arena, packed.data, packed.size);
    if (!copy)
        return E_NO_MEMORY;
    return job_row_read (bytes_of (copy, packed.size), &c->row) ? 0 : E_CORRUPT;
}

/* *held: the group's policy, met now, does not let it go. */
static int claim_one (claiming_t *c, turn_t *t, bool fresh, uint64_t count, bool *held)
{
    int rc = claim_read (c, t);
    if (rc == E_NOT_FOUND) /* rolled back, or a row of due without a job */
        return fresh ? 0 : due_drop (c, t->txn);
    if (!rc || rc == E_CORRUPT)
        group_count (c->self, c->group, c->at, (int64_t) count);
    if (rc == E_CORRUPT)
        return claim_bury (c, t, "its row cannot be read", rc);
    if (rc)
        return rc;
    c->kind = lanes_kind (c->self, c->row.kind);
    if (!c->kind)
        return claim_bury (c, t, "its kind is not known", E_CORRUPT);
    if (!c->group->now.policy_known) {
        policy_ask (c, t);
        *held = group_limit (c->group, lanes_time (c->self, t)) > lanes_time (c->self, t);
        if (*held)
            return fresh ? claim_put_off (c, t->txn, c->row.due) : 0;
    }
    return claim_begin (c, t);
}

/* ---- the pass ---- */

/* The group's next job: what waits before what came in this turn. False: none. */
static int visit_next (lanes_t *self, turn_t *t, claiming_t *c, note_t *note, bool *fresh)
{
    group_t *group = c->group;
    *fresh = false;
    if (group->now.earliest <= lanes_time (self, t)) {
        int rc = 0;
        c->due = group->now.earliest;
        c->at = group->first;
        if (!group->first_known)
            rc = due_first (self, t->txn, group->node.id, &c->due, &c->at);
        group->first_known = false;
        group->now.earliest = c->due;
        if (rc || c->due <= lanes_time (self, t))
            return rc;
    }
    if (!group->fresh_first)
        return E_NOT_FOUND;
    *note = self->notes[group->fresh_first - 1];
    group->fresh_first = note->next;
    if (!note->next)
        group->fresh_last = 0;
    c->due = -1;
    c->at = note->at;
    *fresh = true;
    return 0;
}

static int visit_one (lanes_t *self, turn_t *t, group_t *group, bool *held)
{
    claiming_t c = {.self = self, .group = group};
    note_t note = {0};
    bool fresh;
    int rc = visit_next (self, t, &c, &note, &fresh);
    if (rc) {
        *held = rc == E_NOT_FOUND;
        return *held ? 0 : rc;
    }
    c.outward = outward_new (lanes_arena (self));
    if (!c.outward)
        return E_NO_MEMORY;
    rc = claim_one (&c, t, fresh, note.count, held);
    if (c.outward) {
        /* Answers that begin () or finish () gave to the turn may lie in it. */
        int kept = lanes_keep (self, c.outward->arena);
        rc = rc ? rc : kept;
    }
    if (rc)
        return rc;
    if (!fresh) {
        rc = due_first (self, t->txn, group->node.id, &group->now.earliest, &group->first);
        group->first_known = !rc && group->now.earliest != NEVER;
    }
    return rc ? rc : lanes_absorb (self, t);
}

static int visit (lanes_t *self, turn_t *t, group_t *group, unsigned *left)
{
    bool held = false;
    int rc = 0;
    group_touch (self, group);
    group->first_known = false; /* others wrote since */
    self->visits++;
    for (unsigned few = FEW; few && *left && !held && !rc; few--) {
        if (lanes_full (self) || group_next (group, lanes_time (self, t)) > lanes_time (self, t))
            break;
        rc = visit_one (self, t, group, &held);
        if (!held)
            (*left)--;
    }
    if (rc)
        return rc;
    group_unplace (self, group);
    return group_place (self, group, lanes_time (self, t));
}

static int pass (lanes_t *self, turn_t *t, unsigned *left)
{
    int rc = groups_wake (self, lanes_time (self, t));
    while (!rc && *left && self->ring && !lanes_full (self)) {
        tenant_t *tenant = self->ring;
        rc = visit (self, t, tenant->first, left);
        if (self->ring == tenant)
            self->ring = tenant->ring_next;
    }
    return rc;
}

int lanes_claim (lanes_t *self, turn_t *t, unsigned most)
{
    if (!self->loaded)
        return 0;
    unsigned left = most;
    self->now = lanes_time (self, t);
    int rc = lanes_absorb (self, t);
    for (group_t *group = self->touched; group && !rc; group = group->touched_next)
        rc = group_place (self, group, lanes_time (self, t));
    if (!rc)
        rc = lanes_finish_again (self, t);
    if (!rc)
        rc = lanes_absorb (self, t);
    if (!rc)
        rc = pass (self, t, &left);
    if (!rc)
        rc = lanes_flush (self, t);
    if (!rc)
        rc = lanes_count_some (self, t->txn);
    memset (&t->failure, 0, sizeof t->failure);
    return rc;
}
