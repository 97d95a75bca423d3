/* waiting.c - a chained hash table and a binary heap over the same nodes. Memory that runs out while growing fails the add only. */
#include "bus/waiting.h"

#include "base/clock.h"
#include "base/err.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { BUCKETS_FIRST = 256, HEAP_FIRST = 256 };

uint64_t waiting_random (void)
{
    uint64_t value;
    if (getrandom (&value, sizeof value, 0) != (ssize_t) sizeof value)
        value = (uint64_t) clock_mono_us () *
                0x9e3779b97f4a7c15u; /* only before the kernel's pool is up */
    return value;
}

static uint64_t mix (uint64_t x)
{
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    return x ^ x >> 32;
}

uint64_t waiting_hash (uint64_t seed, id16_t id)
{
    uint64_t high, low;
    memcpy (&high, id.b, 8);
    memcpy (&low, id.b + 8, 8);
    return mix (mix (high ^ seed) ^ low);
}

int waiting_init (waiting_t *self)
{
    *self = (waiting_t){
        .bucket_count = BUCKETS_FIRST, .capacity = HEAP_FIRST, .seed = waiting_random ()};
    self->buckets = calloc (self->bucket_count, sizeof *self->buckets);
    self->heap = calloc (self->capacity, sizeof *self->heap);
    if (self->buckets && self->heap)
        return 0;
    waiting_free (self);
    return E_NO_MEMORY;
}

void waiting_free (waiting_t *self)
{
    free (self->buckets);
    free (self->heap);
    *self = (waiting_t){0};
}

static waiting_node_t **bucket_of (const waiting_t *self, id16_t id)
{
    return &self->buckets[waiting_hash (self->seed, id) & (self->bucket_count - 1)];
}

static void heap_set (waiting_t *self, size_t place, waiting_node_t *node)
{
    self->heap[place] = node;
    node->place = place;
}

static void heap_up (waiting_t *self, waiting_node_t *node)
{
    size_t place = node->place;
    while (place > 0) {
        waiting_node_t *parent = self->heap[(place - 1) / 2];
        if (parent->deadline_ms <= node->deadline_ms)
            break;
        size_t above = parent->place;
        heap_set (self, place, parent);
        place = above;
    }
    heap_set (self, place, node);
}

static void heap_down (waiting_t *self, waiting_node_t *node)
{
    size_t place = node->place;
    for (;;) {
        size_t child = place * 2 + 1;
        if (child >= self->count)
            break;
        if (child + 1 < self->count &&
            self->heap[child + 1]->deadline_ms < self->heap[child]->deadline_ms)
            child++;
        if (self->heap[child]->deadline_ms >= node->deadline_ms)
            break;
        heap_set (self, place, self->heap[child]);
        place = child;
    }
    heap_set (self, place, node);
}

/* Doubles both tables; the old ones stay if memory runs out. */
static int tables_grow (waiting_t *self)
{
    size_t count = self->capacity * 2;
    waiting_node_t **heap = realloc (self->heap, count * sizeof *heap);
    if (!heap)
        return E_NO_MEMORY;
    self->heap = heap;
    waiting_node_t **buckets = calloc (count, sizeof *buckets);
    if (!buckets)
        return E_NO_MEMORY;
    free (self->buckets);
    self->buckets = buckets;
    self->bucket_count = self->capacity = count;
    for (size_t i = 0; i < self->count; i++) {
        waiting_node_t **bucket = bucket_of (self, heap[i]->id);
        heap[i]->next = *bucket;
        *bucket = heap[i];
    }
    return 0;
}

int waiting_add (waiting_t *self, waiting_node_t *node)
{
    if (waiting_find (self, node->id))
        return E_CONFLICT;
    if (self->count == self->capacity && tables_grow (self))
        return E_NO_MEMORY;
    waiting_node_t **bucket = bucket_of (self, node->id);
    node->next = *bucket;
    *bucket = node;
    heap_set (self, self->count++, node);
    heap_up (self, node);
    return 0;
}

waiting_node_t *waiting_find (const waiting_t *self, id16_t id)
{
    waiting_node_t *node = *bucket_of (self, id);
    while (node && !id_equal (node->id, id))
        node = node->next;
    return node;
}

void waiting_remove (waiting_t *self, waiting_node_t *node)
{
    waiting_node_t **link = bucket_of (self, node->id);
    while (*link != node)
        link = &(*link)->next;
    *link = node->next;
    node->next = NULL;

    size_t place = node->place;
    waiting_node_t *last = self->heap[--self->count];
    if (last == node)
        return;
    heap_set (self, place, last);
    heap_up (self, last);
    heap_down (self, last);
}

void waiting_move (waiting_t *self, waiting_node_t *node, int64_t deadline_ms)
{
    node->deadline_ms = deadline_ms;
    heap_up (self, node);
    heap_down (self, node);
}

waiting_node_t *waiting_first (const waiting_t *self)
{
    return self->count ? self->heap[0] : NULL;
}
