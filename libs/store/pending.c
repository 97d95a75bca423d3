/* pending.c - what a write transaction keeps in memory until its commit: entries of plain indexes, and counters (counter.c).
 *
 * Entries and counters are many small writes to many tables, and hardly ever read in the transaction that makes them; written once, at the
 * outermost level, they need no way back (trail.c), and what is made and taken back again in one transaction is never written. A savepoint that is rolled back takes them back; a walk over
 * an index in the transaction has them written first, at the level where it stands, so nobody can tell. Unique indexes are asked at every write and
 * are not put off.
 *
 * Fails with E_NO_MEMORY, or as writes do: the level is doomed. */
#include <stdlib.h>
#include <string.h>

#include "store/private.h"

enum { ENTRIES_FIRST = 64, KEPT_MOST = 65536 };

typedef struct entry {
    table_t *table;
    size_t at, size; /* of the key in `keys` */
    uint32_t hash;
    uint32_t next; /* in its slot, an earlier one; index + 1, 0 = none */
    uint32_t
        other; /* index + 1 of the one that this one takes back, or is taken back by; 0 = none */
    bool add;  /* else it goes */
} entry_t;

typedef struct place {
    const entry_t *entry;
    const uint8_t *key;
} place_t;

struct entries {
    entry_t *items; /* in the order in which they were made */
    size_t count, capacity;
    size_t written;  /* the first so many are in their tables */
    uint32_t *slots; /* as many as there is room for entries, a power of two; index + 1 */
    buf_t keys;
};

static void entry_link (entries_t *self, size_t i)
{
    uint32_t *slot = &self->slots[self->items[i].hash & (self->capacity - 1)];
    self->items[i].next = *slot;
    *slot = (uint32_t) i + 1;
}

static int entries_grow (entries_t *self)
{
    size_t more = self->capacity ? 2 * self->capacity : ENTRIES_FIRST;
    uint32_t *slots = calloc (more, sizeof *slots);
    entry_t *items = realloc (self->items, more * sizeof *items);
    if (items)
        self->items = items;
    if (!slots || !items || more > UINT32_MAX) {
        free (slots);
        return E_NO_MEMORY;
    }
    free (self->slots);
    self->slots = slots;
    self->capacity = more;
    for (size_t i = 0; i < self->count; i++)
        entry_link (self, i);
    return 0;
}

/* An entry that goes, and was made in this transaction and not written yet: neither is. */
static void entry_cancel (entries_t *self, size_t gone)
{
    entry_t *entry = &self->items[gone];
    const uint8_t *key = self->keys.data + entry->at;
    for (uint32_t i = entry->next; i > self->written; i = self->items[i - 1].next) {
        entry_t *made = &self->items[i - 1];
        if (made->hash != entry->hash || made->table != entry->table || made->size != entry->size ||
            memcmp (self->keys.data + made->at, key, entry->size) != 0)
            continue;
        if (made->add) {
            made->other = (uint32_t) gone + 1;
            entry->other = i;
        }
        return;
    }
}

int entry_later (txn_t *txn, table_t *table, bytes_t key, bool add)
{
    if (txn->levels[txn->depth].doom)
        return txn->levels[txn->depth].doom;
    if (!txn->entries && !(txn->entries = calloc (1, sizeof *txn->entries)))
        return E_NO_MEMORY;
    entries_t *self = txn->entries;
    int rc = self->count == self->capacity ? entries_grow (self) : 0;
    if (rc)
        return rc;
    size_t at = self->keys.size;
    buf_add (&self->keys, key.data, key.size);
    if (buf_failed (&self->keys)) { /* what it holds is whole, and later asks need it */
        self->keys.failed = false;
        return E_NO_MEMORY;
    }
    self->items[self->count] =
        (entry_t){.table = table, .at = at, .size = key.size, .hash = key_hash (key), .add = add};
    entry_link (self, self->count++);
    if (!add)
        entry_cancel (self, self->count - 1);
    table->pending++;
    return 0;
}

/* An entry that is not where it must be, or is where it must not: the index is not that of the rows. */
static int entry_write (txn_t *txn, const entry_t *entry)
{
    bytes_t key = bytes_of (txn->entries->keys.data + entry->at, entry->size);
    int rc = entry->add ? kv_add (txn, entry->table, key, (bytes_t){0})
                        : kv_del (txn, entry->table, key);
    return rc == E_NOT_FOUND || rc == E_ALREADY_EXISTS ? txn_doom (txn, E_CORRUPT) : rc;
}

static int entries_write (txn_t *txn)
{
    entries_t *self = txn->entries;
    while (self && self->written < self->count) {
        const entry_t *entry = &self->items[self->written];
        int rc = entry->other ? 0 : entry_write (txn, entry);
        if (rc)
            return rc;
        entry->table->pending--;
        self->written++;
    }
    return 0;
}

/* By table and key; what was made earlier first, for an entry may go and come again. */
static int place_compare (const void *one, const void *two)
{
    const place_t *a = one, *b = two;
    if (a->entry->table != b->entry->table)
        return a->entry->table < b->entry->table ? -1 : 1;
    size_t least = a->entry->size < b->entry->size ? a->entry->size : b->entry->size;
    int order = memcmp (a->key, b->key, least);
    if (order == 0 && a->entry->size != b->entry->size)
        order = a->entry->size < b->entry->size ? -1 : 1;
    return order ? order : a->entry < b->entry ? -1 : a->entry > b->entry;
}

/* All at the end of the transaction: neighbours of one page one after another, where a cursor stands already. Nothing of it is taken back but with everything. */
static int entries_write_last (txn_t *txn)
{
    entries_t *self = txn->entries;
    size_t count = 0;
    if (!self || self->written == self->count)
        return 0;
    place_t *places = malloc ((self->count - self->written) * sizeof *places);
    if (!places) /* in the order in which they were made, then */
        return entries_write (txn);
    for (size_t i = self->written; i < self->count; i++)
        if (!self->items[i].other)
            places[count++] = (place_t){&self->items[i], self->keys.data + self->items[i].at};
    qsort (places, count, sizeof *places, place_compare);
    int rc = 0;
    for (size_t i = 0; i < count && !rc; i++)
        rc = entry_write (txn, places[i].entry);
    free (places);
    if (rc)
        return rc;
    for (; self->written < self->count; self->written++)
        self->items[self->written].table->pending--;
    return 0;
}

int entries_settle (txn_t *txn, const table_t *table)
{
    return txn->entries && table->pending ? entries_write (txn) : 0; /* readers keep none */
}

static void entries_undo (entries_t *self, size_t count, size_t written)
{
    while (self->count > count) {
        const entry_t *entry = &self->items[--self->count];
        if (self->count >= self->written)
            entry->table->pending--;
        self->slots[entry->hash & (self->capacity - 1)] = entry->next;
        if (entry->other)
            self->items[entry->other - 1].other = 0;
        self->keys.size = entry->at;
    }
    if (self->written > self->count)
        self->written = self->count;
    while (self->written > written)
        self->items[--self->written].table->pending++;
}

static void entries_destroy (entries_t **self)
{
    entries_t *gone = *self;
    if (!gone)
        return;
    buf_free (&gone->keys);
    free (gone->items);
    free (gone->slots);
    free (gone);
    *self = NULL;
}

/* ---- with the transaction ---- */

pending_mark_t pending_mark (const txn_t *txn)
{
    pending_mark_t mark = {.counters = counters_mark (txn)};
    if (txn->entries) {
        mark.entries = txn->entries->count;
        mark.written = txn->entries->written;
    }
    return mark;
}

void pending_undo (txn_t *txn, const pending_mark_t *mark)
{
    counters_undo (txn, mark->counters);
    if (txn->entries)
        entries_undo (txn->entries, mark->entries, mark->written);
}

int pending_settle (txn_t *txn)
{
    int rc = txn->depth ? entries_write (txn) : entries_write_last (txn);
    if (!rc)
        rc = counters_store (txn);
    if (!rc && !txn->depth)
        pending_forget (txn);
    return rc;
}

void pending_forget (txn_t *txn)
{
    counters_forget (txn);
    if (!txn->entries)
        return;
    entries_undo (txn->entries, 0, 0);
    if (txn->entries->capacity > KEPT_MOST)
        entries_destroy (&txn->entries);
}

void pending_destroy (txn_t *txn)
{
    counters_destroy (&txn->counters);
    entries_destroy (&txn->entries);
}
