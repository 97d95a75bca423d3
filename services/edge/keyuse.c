/* keyuse.c - an open-addressed table of last uses under one lock. See keyuse.h. */
#include "keyuse.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 8192, PROBES = 16 };

struct key_uses {
    pthread_mutex_t lock;
    size_t used;
    accounts_key_use_t slots[SLOTS]; /* nil id = free */
};

key_uses_t *key_uses_new (void)
{
    key_uses_t *self = calloc (1, sizeof *self);
    if (self)
        pthread_mutex_init (&self->lock, NULL);
    return self;
}

void key_uses_destroy (key_uses_t **self)
{
    if (!self || !*self)
        return;
    pthread_mutex_destroy (&(*self)->lock);
    free (*self);
    *self = NULL;
}

static size_t slot_of (id16_t key)
{
    return ((size_t) key.b[15] << 8 | key.b[14]) % SLOTS; /* the random end of a UUIDv7 */
}

void key_uses_note (key_uses_t *self, id16_t key, int64_t at)
{
    size_t first = slot_of (key);
    pthread_mutex_lock (&self->lock);
    for (size_t i = 0; i < PROBES; i++) {
        accounts_key_use_t *slot = &self->slots[(first + i) % SLOTS];
        bool free_slot = id_is_nil (slot->id);
        if (!free_slot && !id_equal (slot->id, key))
            continue;
        slot->id = key;
        slot->at = at;
        self->used += free_slot;
        break;
    }
    pthread_mutex_unlock (&self->lock);
}

/* Taking from the table's start may leave a key in two slots for a while: both times are told, the later one counts. */
size_t key_uses_take (key_uses_t *self, accounts_key_use_t *out, size_t most)
{
    size_t count = 0;
    pthread_mutex_lock (&self->lock);
    for (size_t i = 0; i < SLOTS && count < most && self->used; i++)
        if (!id_is_nil (self->slots[i].id)) {
            out[count++] = self->slots[i];
            memset (&self->slots[i], 0, sizeof self->slots[i]);
            self->used -= 1;
        }
    pthread_mutex_unlock (&self->lock);
    return count;
}
