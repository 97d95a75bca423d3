/* counter.c - counters of indexes.
 *
 * They stand in store.count under (record's number, hash of the index's name, how many fields, the fields): for all fields and, if there are more, for the
 * first alone. The name rather than the position, since indexes may be declared in another order.
 *
 * A turn moves the same few counters for each of its messages. So a write transaction keeps what it moved in memory (pending.c says how) and puts each counter
 * once. Who reads a counter in the transaction is given the moved one. Out of memory: E_NO_MEMORY, and the row that moved it is doomed. */
#include <stdlib.h>
#include <string.h>

#include "store/private.h"

enum { SLOTS_FIRST = 64, KEPT_MOST = 4096 };

/* One that this transaction touched. */
typedef struct counter {
    uint64_t stored, value;
    const schema_index_t *index;
    size_t fields;
    size_t at; /* of its key in `keys`; what the values of the fields begin with is the index's */
    size_t size;
    uint32_t hash;
    uint32_t next; /* in its slot; index + 1, 0 = none */
} counter_t;

typedef struct undo {
    uint32_t counter;
    uint64_t stored, value; /* before */
} undo_t;

struct counters {
    counter_t *items;
    uint32_t *slots; /* a power of two; index + 1 */
    undo_t *undo;
    size_t count, capacity, slot_count, undo_count, undo_capacity;
    buf_t keys;
};

/* ---- in the store ---- */

static uint32_t hash_add (uint32_t hash, const uint8_t *data, size_t size) /* FNV-1a */
{
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ data[i]) * 16777619U;
    return hash;
}

static size_t counter_key (const schema_record_t *record, const schema_index_t *index,
                           size_t fields, const uint8_t *prefix, size_t size,
                           uint8_t out[COUNTER_MAX])
{
    uint32_t hash = hash_add (2166136261U, (const uint8_t *) index->name, strlen (index->name));
    out[0] = (uint8_t) (record->number >> 8);
    out[1] = (uint8_t) record->number;
    for (size_t i = 0; i < 4; i++)
        out[2 + i] = (uint8_t) (hash >> (24 - 8 * i));
    out[6] = (uint8_t) fields;
    if (size)
        memcpy (out + COUNTER_HEAD, prefix, size);
    return COUNTER_HEAD + size;
}

static int stored_get (txn_t *txn, bytes_t key, uint64_t *out)
{
    bytes_t value;
    *out = 0;
    int rc = kv_get (txn, txn->store->counts, key, &value);
    if (rc)
        return rc == E_NOT_FOUND ? 0 : rc;
    if (value.size != sizeof *out)
        return E_CORRUPT;
    for (size_t i = 0; i < sizeof *out; i++)
        *out = *out << 8 | value.data[i];
    return 0;
}

static int stored_put (txn_t *txn, bytes_t key, uint64_t n)
{
    uint8_t b[8];
    for (size_t i = 0; i < 8; i++)
        b[i] = (uint8_t) (n >> (56 - 8 * i));
    return n ? kv_put (txn, txn->store->counts, key, bytes_of (b, sizeof b))
             : kv_del (txn, txn->store->counts, key);
}

/* ---- in memory ---- */

/* A counter is looked for by its index and the values alone; only one that is new here has its key made. */
typedef struct sought {
    const schema_record_t *record;
    const schema_index_t *index;
    size_t fields;
    bytes_t prefix;
    uint32_t hash;
} sought_t;

static sought_t sought_of (const schema_record_t *record, const schema_index_t *index,
                           size_t fields, const uint8_t *prefix, size_t size)
{
    sought_t sought = {record, index, fields, bytes_of (prefix, size), 0};
    sought.hash =
        key_hash (sought.prefix) + (uint32_t) ((uintptr_t) index >> 4) + (uint32_t) fields;
    return sought;
}

static counter_t *counter_find (const counters_t *self, const sought_t *sought)
{
    uint32_t i = self->slot_count ? self->slots[sought->hash & (self->slot_count - 1)] : 0;
    for (; i; i = self->items[i - 1].next) {
        counter_t *item = &self->items[i - 1];
        if (item->hash == sought->hash && item->index == sought->index &&
            item->fields == sought->fields && item->size == COUNTER_HEAD + sought->prefix.size &&
            memcmp (self->keys.data + item->at + COUNTER_HEAD, sought->prefix.data,
                    sought->prefix.size) == 0)
            return item;
    }
    return NULL;
}

static void counter_link (counters_t *self, size_t i)
{
    uint32_t *slot = &self->slots[self->items[i].hash & (self->slot_count - 1)];
    self->items[i].next = *slot;
    *slot = (uint32_t) i + 1;
}

static int counters_grow (counters_t *self)
{
    size_t more = self->slot_count ? 2 * self->slot_count : SLOTS_FIRST;
    uint32_t *slots = calloc (more, sizeof *slots);
    counter_t *items = realloc (self->items, more * sizeof *items);
    if (items)
        self->items = items;
    if (!slots || !items) {
        free (slots);
        return E_NO_MEMORY;
    }
    free (self->slots);
    self->slots = slots;
    self->slot_count = self->capacity = more;
    for (size_t i = 0; i < self->count; i++)
        counter_link (self, i);
    return 0;
}

static bytes_t sought_key (const sought_t *sought, uint8_t space[COUNTER_MAX])
{
    return bytes_of (space, counter_key (sought->record, sought->index, sought->fields,
                                         sought->prefix.data, sought->prefix.size, space));
}

static int counter_load (txn_t *txn, const sought_t *sought, counter_t **out)
{
    uint8_t space[COUNTER_MAX];
    counters_t *self = txn->counters;
    bytes_t key = sought_key (sought, space);
    counter_t item = {.index = sought->index,
                      .fields = sought->fields,
                      .at = self->keys.size,
                      .size = key.size,
                      .hash = sought->hash};
    int rc = self->count == self->capacity ? counters_grow (self) : 0;
    if (!rc)
        rc = stored_get (txn, key, &item.stored);
    if (rc)
        return rc;
    buf_add (&self->keys, key.data, key.size);
    if (buf_failed (&self->keys)) { /* what it holds is whole, and later asks need it */
        self->keys.failed = false;
        return E_NO_MEMORY;
    }
    item.value = item.stored;
    self->items[self->count] = item;
    counter_link (self, self->count);
    *out = &self->items[self->count++];
    return 0;
}

/* As it is before a change inside a savepoint. */
static int undo_note (txn_t *txn, const counter_t *item)
{
    counters_t *self = txn->counters;
    if (!txn->depth)
        return 0;
    if (self->undo_count == self->undo_capacity) {
        size_t more = self->undo_capacity ? 2 * self->undo_capacity : SLOTS_FIRST;
        undo_t *undo = realloc (self->undo, more * sizeof *undo);
        if (!undo)
            return E_NO_MEMORY;
        self->undo = undo;
        self->undo_capacity = more;
    }
    self->undo[self->undo_count++] =
        (undo_t){(uint32_t) (item - self->items), item->stored, item->value};
    return 0;
}

int counter_add (txn_t *txn, const schema_record_t *record, const schema_index_t *index,
                 size_t fields, const uint8_t *prefix, size_t size, int delta)
{
    counter_t *item = NULL;
    sought_t sought = sought_of (record, index, fields, prefix, size);
    if (!txn->counters && !(txn->counters = calloc (1, sizeof *txn->counters)))
        return E_NO_MEMORY;
    item = counter_find (txn->counters, &sought);
    int rc = item ? 0 : counter_load (txn, &sought, &item);
    if (!rc && delta < 0 && !item->value)
        rc = E_CORRUPT;
    if (!rc)
        rc = undo_note (txn, item);
    if (!rc)
        item->value += delta < 0 ? UINT64_MAX : 1;
    return rc;
}

int counter_get (txn_t *txn, const schema_record_t *record, const schema_index_t *index,
                 size_t fields, const uint8_t *prefix, size_t size, uint64_t *out)
{
    uint8_t space[COUNTER_MAX];
    sought_t sought = sought_of (record, index, fields, prefix, size);
    const counter_t *item = txn->counters ? counter_find (txn->counters, &sought) : NULL;
    if (!item)
        return stored_get (txn, sought_key (&sought, space), out);
    *out = item->value;
    return 0;
}

/* ---- with the transaction ---- */

size_t counters_mark (const txn_t *txn)
{
    return txn->counters ? txn->counters->undo_count : 0;
}

void counters_undo (txn_t *txn, size_t mark)
{
    counters_t *self = txn->counters;
    while (self && self->undo_count > mark) {
        const undo_t *undo = &self->undo[--self->undo_count];
        self->items[undo->counter].stored = undo->stored;
        self->items[undo->counter].value = undo->value;
    }
}

void counters_forget (txn_t *txn)
{
    counters_t *self = txn->counters;
    if (!self)
        return;
    if (self->capacity > KEPT_MOST) {
        counters_destroy (&txn->counters);
        return;
    }
    self->count = self->undo_count = 0;
    buf_clear (&self->keys);
    if (self->slot_count)
        memset (self->slots, 0, self->slot_count * sizeof *self->slots);
}

void counters_destroy (counters_t **self)
{
    counters_t *gone = *self;
    if (!gone)
        return;
    buf_free (&gone->keys);
    free (gone->items);
    free (gone->slots);
    free (gone->undo);
    free (gone);
    *self = NULL;
}

int counters_store (txn_t *txn)
{
    const counters_t *self = txn->counters;
    int rc = 0;
    for (size_t i = 0; self && i < self->count && !rc; i++) {
        counter_t *item = &self->items[i];
        if (item->value == item->stored)
            continue;
        rc = undo_note (txn, item);
        if (!rc)
            rc = stored_put (txn, bytes_of (self->keys.data + item->at, item->size), item->value);
        if (!rc)
            item->stored = item->value;
    }
    return rc == E_NOT_FOUND ? E_CORRUPT : rc;
}

int counters_clear (txn_t *txn, const schema_record_t *record, const schema_index_t *index)
{
    uint8_t prefix[COUNTER_MAX], copy[COUNTER_MAX];
    int rc = 0;
    counter_key (record, index, 0, NULL, 0, prefix);
    kv_cursor_t c = {.table = txn->store->counts, .prefix = bytes_of (prefix, COUNTER_HEAD - 1)};
    bytes_t key, value;
    while (!rc && !(rc = kv_next (txn, &c, &key, &value))) {
        memcpy (copy, key.data, key.size);
        rc = kv_del (txn, txn->store->counts, bytes_of (copy, key.size));
    }
    kv_stop (&c);
    return rc == E_NOT_FOUND ? 0 : rc;
}
