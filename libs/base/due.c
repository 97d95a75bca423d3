/* due.c - a binary heap. Only making room can fail. */
#include "base/due.h"

#include "base/err.h"
#include <stdlib.h>

enum { CAPACITY_FIRST = 64 };

int due_heap_reserve (due_heap_t *self, size_t count)
{
    size_t capacity = self->capacity != 0 ? self->capacity : CAPACITY_FIRST;
    while (capacity < count)
        capacity *= 2;
    if (capacity == self->capacity)
        return 0;
    due_t **items = realloc (self->items, capacity * sizeof *items);
    if (items == NULL)
        return E_NO_MEMORY;
    self->items = items;
    self->capacity = capacity;
    return 0;
}

void due_heap_free (due_heap_t *self)
{
    free (self->items);
    *self = (due_heap_t){0};
}

static void place (due_heap_t *self, size_t at, due_t *item)
{
    self->items[at - 1] = item;
    item->place = at;
}

static void move_up (due_heap_t *self, due_t *item)
{
    size_t at = item->place;
    for (; at > 1 && self->items[at / 2 - 1]->at_ms > item->at_ms; at /= 2)
        place (self, at, self->items[at / 2 - 1]);
    place (self, at, item);
}

static void move_down (due_heap_t *self, due_t *item)
{
    size_t at = item->place;
    for (size_t child; (child = at * 2) <= self->count; at = child) {
        if (child < self->count && self->items[child]->at_ms < self->items[child - 1]->at_ms)
            child++;
        if (self->items[child - 1]->at_ms >= item->at_ms)
            break;
        place (self, at, self->items[child - 1]);
    }
    place (self, at, item);
}

void due_heap_put (due_heap_t *self, due_t *item, int64_t at_ms)
{
    item->at_ms = at_ms;
    if (item->place == 0)
        item->place = ++self->count;
    move_up (self, item);
    move_down (self, item);
}

void due_heap_remove (due_heap_t *self, due_t *item)
{
    size_t at = item->place;
    due_t *last = self->items[--self->count];
    item->place = 0;
    if (last == item)
        return;
    place (self, at, last);
    move_up (self, last);
    move_down (self, last);
}
