/* hints.c - open addressing with linear probing; a removal moves up what stands behind it. */
#include "base/hints.h"

#include "base/err.h"
#include <stdlib.h>
#include <sys/random.h>

enum { TAG_BITS = 26, NUMBER_BITS = 38, SIZE_FIRST = 64, CHANGES_FIRST = 64 };
#define NUMBER_MASK ((UINT64_C (1) << NUMBER_BITS) - 1)

struct hint_change {
    uint64_t hash, number;
    bool drop;
};

static uint64_t mix (uint64_t x)
{
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    return x ^ x >> 32;
}

static uint64_t entry_of (const hints_t *self, uint64_t hash, uint64_t number)
{
    return mix (hash ^ self->seed) >> NUMBER_BITS << NUMBER_BITS | (number & NUMBER_MASK);
}

/* The slot where the search for it begins follows from its tag, so a table of another size is made of the entries alone. */
static size_t home_of (const hints_t *self, uint64_t entry)
{
    return (size_t) (((entry >> NUMBER_BITS) * self->size) >> TAG_BITS);
}

static size_t behind (const hints_t *self, size_t at)
{
    return (at + 1) & (self->size - 1);
}

/* Where it stands, or the free slot where it would. */
static size_t slot_of (const hints_t *self, uint64_t entry)
{
    size_t at = home_of (self, entry);
    while (self->slots[at] != 0 && self->slots[at] != entry)
        at = behind (self, at);
    return at;
}

static int resize (hints_t *self, size_t size)
{
    uint64_t *slots = calloc (size, sizeof *slots);
    if (slots == NULL)
        return E_NO_MEMORY;
    hints_t before = *self;
    self->slots = slots;
    self->size = size;
    for (size_t i = 0; i < before.size; i++)
        if (before.slots[i] != 0)
            self->slots[slot_of (self, before.slots[i])] = before.slots[i];
    free (before.slots);
    return 0;
}

/* Room for one more: a quarter stays free. */
static int slots_reserve (hints_t *self)
{
    if (self->size == 0)
        while (getrandom (&self->seed, sizeof self->seed, 0) != (ssize_t) sizeof self->seed)
            ;
    if (self->count < self->size / 4 * 3)
        return 0;
    return resize (self, self->size != 0 ? self->size * 2 : SIZE_FIRST);
}

static int changes_reserve (hints_t *self)
{
    if (self->change_count < self->change_capacity)
        return 0;
    size_t capacity = self->change_capacity != 0 ? self->change_capacity * 2 : CHANGES_FIRST;
    hint_change_t *changes = realloc (self->changes, capacity * sizeof *changes);
    if (changes == NULL)
        return E_NO_MEMORY;
    self->changes = changes;
    self->change_capacity = capacity;
    return 0;
}

static void entry_remove (hints_t *self, uint64_t hash, uint64_t number)
{
    if (self->size == 0)
        return;
    size_t hole = slot_of (self, entry_of (self, hash, number));
    if (self->slots[hole] == 0)
        return;
    self->slots[hole] = 0;
    self->count--;
    for (size_t at = behind (self, hole); self->slots[at] != 0; at = behind (self, at)) {
        size_t home = home_of (self, self->slots[at]), mask = self->size - 1;
        if (((at - home) & mask) < ((at - hole) & mask))
            continue; /* it would stand before its home */
        self->slots[hole] = self->slots[at];
        self->slots[at] = 0;
        hole = at;
    }
    if (self->size > SIZE_FIRST && self->count < self->size / 8)
        resize (self, self->size / 2); /* without memory it stays large */
}

void hints_free (hints_t *self)
{
    free (self->slots);
    free (self->changes);
    *self = (hints_t){0};
}

/* *added: it was not there. */
static int entry_add (hints_t *self, uint64_t hash, uint64_t number, bool *added)
{
    int code = slots_reserve (self);
    if (code)
        return code;
    uint64_t entry = entry_of (self, hash, number);
    size_t at = slot_of (self, entry);
    *added = self->slots[at] == 0;
    self->slots[at] = entry;
    self->count += *added;
    if (number > self->newest)
        self->newest = number;
    return 0;
}

int hints_load (hints_t *self, uint64_t hash, uint64_t number)
{
    bool added;
    return entry_add (self, hash, number, &added);
}

int hints_add (hints_t *self, uint64_t hash, uint64_t number)
{
    bool added;
    int code = changes_reserve (self);
    if (code == 0)
        code = entry_add (self, hash, number, &added);
    if (code == 0 && added)
        self->changes[self->change_count++] = (hint_change_t){hash, number, false};
    return code;
}

int hints_drop (hints_t *self, uint64_t hash, uint64_t number)
{
    int code = changes_reserve (self);
    if (code == 0)
        self->changes[self->change_count++] = (hint_change_t){hash, number, true};
    return code;
}

void hints_rewind (hints_t *self, size_t mark)
{
    while (self->change_count > mark) {
        const hint_change_t *last = &self->changes[--self->change_count];
        if (!last->drop)
            entry_remove (self, last->hash, last->number);
    }
}

void hints_commit (hints_t *self)
{
    for (size_t i = 0; i < self->change_count; i++)
        if (self->changes[i].drop)
            entry_remove (self, self->changes[i].hash, self->changes[i].number);
    self->change_count = 0;
}

bool hints_next (const hints_t *self, uint64_t hash, hints_walk_t *walk, uint64_t *number)
{
    if (self->size == 0)
        return false;
    uint64_t tag = entry_of (self, hash, 0);
    size_t at = walk->at != 0 ? walk->at - 1 : home_of (self, tag);
    for (uint64_t entry; (entry = self->slots[at]) != 0; at = behind (self, at))
        if ((entry & ~NUMBER_MASK) == tag) {
            *number = self->newest - ((self->newest - entry) & NUMBER_MASK);
            walk->at = behind (self, at) + 1;
            return true;
        }
    walk->at = at + 1;
    return false;
}
