/* table.c - a chained hash with a line of entries by age. How it fails: it aborts without memory (see alloc.h). */
#include "table.h"
#include "alloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS_FIRST = 64 };

struct table_entry {
    table_entry_t *chain;
    table_entry_t *older;
    table_entry_t *newer;
    uint64_t hash;
    void *value;
    char key[];
};

struct table {
    table_entry_t **buckets;
    size_t bucket_count;
    size_t size;
    size_t most;
    table_free_fn *free_value;
    table_entry_t *oldest;
    table_entry_t *newest;
};

/* FNV-1a: keys come from a test's author, not from an attacker. */
static uint64_t key_hash (const char *key)
{
    uint64_t hash = 1469598103934665603u;
    for (; *key != '\0'; key++)
        hash = (hash ^ (unsigned char) *key) * 1099511628211u;
    return hash;
}

table_t *table_new (size_t most, table_free_fn *free_value)
{
    table_t *self = must_alloc (sizeof *self);
    self->most = most;
    self->free_value = free_value;
    self->bucket_count = BUCKETS_FIRST;
    self->buckets = must_alloc (self->bucket_count * sizeof *self->buckets);
    return self;
}

void table_destroy (table_t **self_p)
{
    if (self_p == NULL || *self_p == NULL)
        return;
    table_clear (*self_p);
    free ((*self_p)->buckets);
    free (*self_p);
    *self_p = NULL;
}

static table_entry_t **entry_slot (const table_t *self, const char *key, uint64_t hash)
{
    table_entry_t **slot = &self->buckets[hash & (self->bucket_count - 1)];
    while (*slot != NULL && ((*slot)->hash != hash || strcmp ((*slot)->key, key) != 0))
        slot = &(*slot)->chain;
    return slot;
}

static void table_widen (table_t *self)
{
    size_t count = self->bucket_count * 2;
    table_entry_t **buckets = must_alloc (count * sizeof *buckets);
    for (table_entry_t *entry = self->oldest; entry != NULL; entry = entry->newer) {
        table_entry_t **slot = &buckets[entry->hash & (count - 1)];
        entry->chain = *slot;
        *slot = entry;
    }
    free (self->buckets);
    self->buckets = buckets;
    self->bucket_count = count;
}

static void value_free (table_t *self, void *value)
{
    if (self->free_value != NULL && value != NULL)
        self->free_value (value);
}

static void entry_remove (table_t *self, table_entry_t **slot)
{
    table_entry_t *entry = *slot;
    *slot = entry->chain;
    *(entry->older != NULL ? &entry->older->newer : &self->oldest) = entry->newer;
    *(entry->newer != NULL ? &entry->newer->older : &self->newest) = entry->older;
    self->size--;
    value_free (self, entry->value);
    free (entry);
}

void table_put (table_t *self, const char *key, void *value)
{
    uint64_t hash = key_hash (key);
    table_entry_t **slot = entry_slot (self, key, hash);
    if (*slot != NULL) {
        value_free (self, (*slot)->value);
        (*slot)->value = value;
        return;
    }
    if (self->size >= self->most && self->oldest != NULL)
        entry_remove (self, entry_slot (self, self->oldest->key, self->oldest->hash));
    if (self->size >= self->bucket_count)
        table_widen (self);
    size_t length = strlen (key) + 1;
    table_entry_t *entry = must_alloc (sizeof *entry + length);
    memcpy (entry->key, key, length);
    entry->hash = hash;
    entry->value = value;
    slot = &self->buckets[hash & (self->bucket_count - 1)];
    entry->chain = *slot;
    *slot = entry;
    entry->older = self->newest;
    *(self->newest != NULL ? &self->newest->newer : &self->oldest) = entry;
    self->newest = entry;
    self->size++;
}

void *table_get (const table_t *self, const char *key)
{
    if (key == NULL)
        return NULL;
    table_entry_t **slot = entry_slot (self, key, key_hash (key));
    return *slot != NULL ? (*slot)->value : NULL;
}

void table_mark (table_t *self, const char *key)
{
    table_put (self, key, NULL);
}

bool table_has (const table_t *self, const char *key)
{
    return key != NULL && *entry_slot (self, key, key_hash (key)) != NULL;
}

bool table_drop (table_t *self, const char *key)
{
    table_entry_t **slot = key != NULL ? entry_slot (self, key, key_hash (key)) : NULL;
    if (slot == NULL || *slot == NULL)
        return false;
    entry_remove (self, slot);
    return true;
}

void table_clear (table_t *self)
{
    while (self->oldest != NULL)
        entry_remove (self, entry_slot (self, self->oldest->key, self->oldest->hash));
}

size_t table_size (const table_t *self)
{
    return self->size;
}

void *table_next (const table_t *self, table_entry_t **at)
{
    *at = *at == NULL ? self->oldest : (*at)->newer;
    return *at != NULL ? (*at)->value : NULL;
}

const char *table_key (const table_entry_t *entry)
{
    return entry->key;
}
