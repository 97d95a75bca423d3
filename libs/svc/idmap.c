/* idmap.c - chained hash of intrusive nodes by id. Ids are ours, so no seed guards against chosen ones. Fails only without memory. */
#include "svc/idmap.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_SIZE = 64 };

static size_t slot_of (const idmap_t *self, id16_t id)
{
    uint64_t a, b;
    memcpy (&a, id.b, 8);
    memcpy (&b, id.b + 8, 8);
    uint64_t h = a * UINT64_C (0x9e3779b97f4a7c15) ^
                 (b + UINT64_C (0x632be59bd9b4e019)) * UINT64_C (0xff51afd7ed558ccd);
    h ^= h >> 32;
    h *= UINT64_C (0xc4ceb9fe1a85ec53);
    return (size_t) (h >> 32) & (self->size - 1);
}

static bool idmap_grow (idmap_t *self)
{
    idmap_t wide = {.size = self->size ? self->size * 2 : FIRST_SIZE, .count = self->count};
    wide.slots = calloc (wide.size, sizeof *wide.slots);
    if (!wide.slots)
        return false;
    for (size_t i = 0; i < self->size; i++)
        for (idnode_t *node = self->slots[i], *next; node; node = next) {
            next = node->next;
            size_t slot = slot_of (&wide, node->id);
            node->next = wide.slots[slot];
            wide.slots[slot] = node;
        }
    free (self->slots);
    *self = wide;
    return true;
}

bool idmap_put (idmap_t *self, idnode_t *node)
{
    if (self->count >= self->size && !idmap_grow (self) && !self->size)
        return false;
    size_t slot = slot_of (self, node->id);
    node->next = self->slots[slot];
    self->slots[slot] = node;
    self->count++;
    return true;
}

idnode_t *idmap_find (const idmap_t *self, id16_t id)
{
    if (!self->size)
        return NULL;
    idnode_t *node = self->slots[slot_of (self, id)];
    while (node && !id_equal (node->id, id))
        node = node->next;
    return node;
}

idnode_t *idmap_take (idmap_t *self, id16_t id)
{
    if (!self->size)
        return NULL;
    for (idnode_t **at = &self->slots[slot_of (self, id)]; *at; at = &(*at)->next)
        if (id_equal ((*at)->id, id)) {
            idnode_t *node = *at;
            *at = node->next;
            node->next = NULL;
            self->count--;
            return node;
        }
    return NULL;
}

idnode_t *idmap_next (const idmap_t *self, size_t *at, const idnode_t *last)
{
    if (last && last->next)
        return last->next;
    while (*at < self->size) {
        idnode_t *node = self->slots[(*at)++];
        if (node)
            return node;
    }
    return NULL;
}

void idmap_free (idmap_t *self)
{
    free (self->slots);
    *self = (idmap_t){0};
}
