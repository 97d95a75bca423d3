/* turned.c - pairs of tables that forget by turning: what is older than two periods is gone, for the price of one clear.
 *
 * Writes go to the active table, reads look at both. At each turn the older table is cleared and becomes the active one. Which one is
 * active and since when is kept in the store. Also the list of the runtime's raw tables. */
#include <string.h>

#include "svc/inner.h"

const char *const svc_tables[] = {
    "svc.state",       "svc.journal", "svc.repeat_a", "svc.repeat_b",   "svc.keyed",
    "svc.keyed_turns", "svc.parked",  "svc.cursors",  "svc.quarantine", "svc.growth",
    "svc.erase",       "svc.erased",  "svc.idem_a",   "svc.idem_b",     NULL};

static int state_write (const turned_t *self, txn_t *txn, table_t *state)
{
    buf_t row = {0};
    mp_array (&row, 2);
    mp_int (&row, self->active);
    mp_int (&row, self->since);
    int rc = buf_failed (&row) ? E_NO_MEMORY
                               : kv_put (txn, state, bytes_of_str (self->name), buf_bytes (&row));
    buf_free (&row);
    return rc;
}

static table_t *half (svc_t *svc, const char *name, const char *suffix)
{
    char text[64];
    size_t length = strlen (name);
    if (length + 3 > sizeof text)
        return NULL;
    memcpy (text, name, length);
    memcpy (text + length, suffix, 3);
    return store_table (svc->store, text);
}

int turned_load (svc_t *svc, txn_t *txn, turned_t *self, const char *name, int64_t period)
{
    *self = (turned_t){
        .name = name, .period = period, .since = svc->writer.now + svc->writer.steps.lag};
    self->table[0] = half (svc, name, "_a");
    self->table[1] = half (svc, name, "_b");
    table_t *state = store_table (svc->store, "svc.state");
    if (!self->table[0] || !self->table[1] || !state)
        return E_INTERNAL;
    bytes_t row;
    int rc = kv_get (txn, state, bytes_of_str (name), &row);
    if (rc == E_NOT_FOUND)
        return state_write (self, txn, state);
    if (rc)
        return rc;
    mp_reader_t in = mp_read (row);
    mp_read_array (&in);
    self->active = mp_read_int (&in) & 1;
    self->since = mp_read_int (&in);
    return in.failed ? E_CORRUPT : 0;
}

int turned_get (const turned_t *self, txn_t *txn, bytes_t key, bytes_t *value)
{
    int rc = kv_get (txn, self->table[self->active], key, value);
    return rc == E_NOT_FOUND ? kv_get (txn, self->table[!self->active], key, value) : rc;
}

int turned_put (const turned_t *self, txn_t *txn, bytes_t key, bytes_t value)
{
    return kv_put (txn, self->table[self->active], key, value);
}

/* What there is; the oldest can be as old as the tables that hold something. */
static int turned_look (const turned_t *self, turn_t *t, uint64_t *active, uint64_t *other,
                        svc_swept_t *out)
{
    int rc = kv_count (t->txn, self->table[self->active], active);
    if (!rc)
        rc = kv_count (t->txn, self->table[!self->active], other);
    if (!rc && out)
        out->oldest = *other ? self->since - self->period : *active ? self->since : 0;
    return rc;
}

int turned_turn (turned_t *self, turn_t *t, svc_swept_t *out)
{
    uint64_t active, other;
    int64_t now = t->now + t->svc->writer.steps.lag; /* a step back forgets nothing early */
    if (now < self->since)
        self->since = now;
    int rc = turned_look (self, t, &active, &other, out);
    if (rc || now < self->since + self->period)
        return rc;
    if (!active && !other) { /* nothing to forget: no write, no flush */
        self->since = now;
        return 0;
    }
    turned_t next = *self;
    next.active = !self->active;
    next.since = now;
    if (other)
        rc = kv_clear (t->txn, self->table[next.active]);
    bool both = now >= self->since + 2 * self->period;
    if (!rc && both)
        rc = kv_clear (t->txn, self->table[self->active]);
    if (out)
        *out = (svc_swept_t){.rows = other + (both ? active : 0),
                             .oldest = active && !both ? self->since : 0};
    if (!rc)
        rc = state_write (&next, t->txn, store_table (t->svc->store, "svc.state"));
    if (!rc)
        *self = next;
    return rc;
}
