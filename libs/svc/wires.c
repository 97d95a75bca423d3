/* wires.c - a line for each group that has a request on the wire. Fails only without memory: then nobody is held back. */
#include "svc/wires.h"

#include <limits.h>
#include <stdlib.h>

typedef struct wire {
    idnode_t node; /* the group */
    unsigned busy;
    unsigned failures;       /* one after the other */
    outward_t *first, *last; /* by item.next */
} wire_t;

static wire_t *wire_open (wires_t *self, id16_t group)
{
    wire_t *wire = (wire_t *) (void *) idmap_find (&self->groups, group);
    if (wire)
        return wire;
    wire = calloc (1, sizeof *wire);
    if (!wire)
        return NULL;
    wire->node.id = group;
    if (idmap_put (&self->groups, &wire->node))
        return wire;
    free (wire);
    return NULL;
}

static bool has_place (const wire_t *wire, const outward_t *outward)
{
    return wire->busy <
           job_width (outward->width, outward->narrow, outward->narrow_after, wire->failures);
}

bool wires_enter (wires_t *self, outward_t *outward)
{
    wire_t *wire = wire_open (self, outward->group);
    outward->item.next = NULL;
    if (!wire)
        return true;
    if (!wire->first && has_place (wire, outward)) {
        wire->busy++;
        return true;
    }
    if (wire->last)
        wire->last->item.next = &outward->item;
    else
        wire->first = outward;
    wire->last = outward;
    atomic_fetch_add (&self->waiting, 1);
    return false;
}

static outward_t *line_take (wires_t *self, wire_t *wire)
{
    outward_t *first = wire->first;
    if (!first)
        return NULL;
    wire->first = (outward_t *) (void *) first->item.next;
    if (!wire->first)
        wire->last = NULL;
    first->item.next = NULL;
    atomic_fetch_sub (&self->waiting, 1);
    return first;
}

void wires_leave (wires_t *self, id16_t group, bool failed)
{
    wire_t *wire = (wire_t *) (void *) idmap_find (&self->groups, group);
    if (!wire)
        return;
    wire->failures = !failed ? 0 : wire->failures < UINT_MAX ? wire->failures + 1 : UINT_MAX;
    if (wire->busy)
        wire->busy--;
    if (!wire->busy && !wire->first)
        free (idmap_take (&self->groups, group));
}

outward_t *wires_next (wires_t *self, id16_t group)
{
    wire_t *wire = (wire_t *) (void *) idmap_find (&self->groups, group);
    if (!wire || !wire->first || !has_place (wire, wire->first))
        return NULL;
    wire->busy++;
    return line_take (self, wire);
}

outward_t *wires_take (wires_t *self)
{
    outward_t *all = NULL;
    size_t at = 0;
    for (idnode_t *node = idmap_next (&self->groups, &at, NULL); node;
         node = idmap_next (&self->groups, &at, node))
        for (outward_t *one; (one = line_take (self, (wire_t *) (void *) node));) {
            one->item.next = all ? &all->item : NULL;
            all = one;
        }
    return all;
}

void wires_free (wires_t *self)
{
    size_t at = 0;
    for (idnode_t *node = idmap_next (&self->groups, &at, NULL), *next; node; node = next) {
        next = idmap_next (&self->groups, &at, node);
        free (node);
    }
    idmap_free (&self->groups);
}
