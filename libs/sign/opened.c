/* opened.c - a table of what was opened lately: two places for each value of a nonce's bits. What fails is only not kept. */
#include "sign/opened.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum {
    SETS = 512,
    WAYS = 2,
    NONCE_AT = 5, /* in sealed bytes, behind version and key id */
    PURPOSE_MAX = 32,
    ENTRY_SIZE = 512
};

typedef struct entry {
    id16_t owner;
    char purpose[PURPOSE_MAX];
    uint32_t sealed_size, clear_size; /* sealed 0: none here */
    uint8_t bytes[ENTRY_SIZE - sizeof (id16_t) - PURPOSE_MAX - 2 * sizeof (uint32_t)];
} entry_t;

struct opened {
    pthread_mutex_t lock;
    uint8_t next[SETS]; /* the place in a set that goes next */
    entry_t *entries;   /* made when the first is kept */
};

opened_t *opened_new (void)
{
    opened_t *self = calloc (1, sizeof *self);
    if (self)
        pthread_mutex_init (&self->lock, NULL);
    return self;
}

void opened_destroy (opened_t **self)
{
    if (!*self)
        return;
    sodium_free ((*self)->entries); /* wipes */
    pthread_mutex_destroy (&(*self)->lock);
    free (*self);
    *self = NULL;
}

static size_t set_of (bytes_t sealed)
{
    uint16_t bits;
    memcpy (&bits, sealed.data + NONCE_AT, sizeof bits);
    return bits % SETS;
}

static bool can_keep (const char *purpose, bytes_t sealed, size_t size)
{
    return sealed.size >= NONCE_AT + sizeof (uint16_t) &&
           sealed.size + size <= sizeof ((entry_t *) 0)->bytes && strlen (purpose) < PURPOSE_MAX;
}

static bool is_of (const entry_t *entry, id16_t owner, const char *purpose, bytes_t sealed)
{
    return entry->sealed_size == sealed.size &&
           memcmp (entry->bytes, sealed.data, sealed.size) == 0 && id_equal (entry->owner, owner) &&
           strcmp (entry->purpose, purpose) == 0;
}

bool opened_find (opened_t *self, id16_t owner, const char *purpose, bytes_t sealed, uint8_t *out,
                  size_t size)
{
    bool found = false;
    if (!can_keep (purpose, sealed, size))
        return false;
    pthread_mutex_lock (&self->lock);
    const entry_t *set = self->entries ? self->entries + WAYS * set_of (sealed) : NULL;
    for (size_t i = 0; set && i < WAYS && !found; i++) {
        found = set[i].clear_size == size && is_of (&set[i], owner, purpose, sealed);
        if (found && size)
            memcpy (out, set[i].bytes + sealed.size, size);
    }
    pthread_mutex_unlock (&self->lock);
    return found;
}

static entry_t *entries_new (void)
{
    entry_t *entries = sodium_malloc (SETS * WAYS * sizeof *entries);
    if (entries)
        memset (entries, 0, SETS * WAYS * sizeof *entries);
    return entries;
}

void opened_keep (opened_t *self, id16_t owner, const char *purpose, bytes_t sealed, bytes_t clear)
{
    if (!can_keep (purpose, sealed, clear.size))
        return;
    pthread_mutex_lock (&self->lock);
    if (!self->entries)
        self->entries = entries_new ();
    if (self->entries) {
        size_t set = set_of (sealed);
        entry_t *entry = &self->entries[WAYS * set + self->next[set]];
        self->next[set] = (uint8_t) ((self->next[set] + 1) % WAYS);
        sodium_memzero (entry, sizeof *entry);
        entry->owner = owner;
        memcpy (entry->purpose, purpose, strlen (purpose));
        entry->sealed_size = (uint32_t) sealed.size;
        entry->clear_size = (uint32_t) clear.size;
        memcpy (entry->bytes, sealed.data, sealed.size);
        if (clear.size)
            memcpy (entry->bytes + sealed.size, clear.data, clear.size);
    }
    pthread_mutex_unlock (&self->lock);
}
