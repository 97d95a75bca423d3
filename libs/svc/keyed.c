/* keyed.c - records of idempotency keys, by number in the order in which they were made; an index in memory finds them.
 *
 *   svc.keyed        number (8)               -> SHA-256 of what the key belongs to (32), the outcome
 *   svc.keyed_turns  number of the first (8)  -> Unix ms (8), the first 8 bytes of each hash: what one turn made
 *
 * Numbers are big-endian. A key that gets another outcome gets another record; the newest counts. The rows by turn are what a start reads to make the index, and what the
 * sweeper reads to forget. Records that versions of before made lie in two tables by hash (svc.idem), which are looked at until they are over.
 *
 * Fails with what the store says, E_NO_MEMORY, and E_CORRUPT for rows that are none. */
#include <string.h>

#include "svc/inner.h"

enum { NUMBER_SIZE = 8, HASH_SIZE = 32, TURN_HEAD = 8, SHORT_SIZE = 8, FORGET_ROWS = 500 };

static bytes_t number_key (uint64_t number, uint8_t space[NUMBER_SIZE])
{
    u64_write (number, space);
    return bytes_of (space, NUMBER_SIZE);
}

/* ---- opened ---- */

static int turns_load (keyed_t *self, txn_t *txn)
{
    kv_cursor_t walk = {.table = self->turns};
    bytes_t key, value;
    int rc;
    while (!(rc = kv_next (txn, &walk, &key, &value))) {
        if (key.size != NUMBER_SIZE || value.size < TURN_HEAD || value.size % SHORT_SIZE)
            rc = E_CORRUPT;
        self->next = u64_read (key.data);
        for (size_t at = TURN_HEAD; at < value.size && !rc; at += SHORT_SIZE)
            rc = hints_load (&self->hints, u64_read (value.data + at), self->next++);
        if (rc)
            break;
    }
    kv_stop (&walk);
    return rc == E_NOT_FOUND ? 0 : rc;
}

static int before_look (keyed_t *self, txn_t *txn)
{
    uint64_t a = 0, b = 0;
    int rc = kv_count (txn, self->before.table[0], &a);
    if (!rc)
        rc = kv_count (txn, self->before.table[1], &b);
    self->has_before = rc || a || b;
    return rc;
}

int keyed_open (svc_t *svc, txn_t *txn)
{
    keyed_t *self = &svc->writer.keyed;
    *self = (keyed_t){.rows = store_table (svc->store, "svc.keyed"),
                      .turns = store_table (svc->store, "svc.keyed_turns"),
                      .next = 1};
    if (!self->rows || !self->turns)
        return E_INTERNAL;
    int rc = turned_load (svc, txn, &self->before, "svc.idem", IDEM_MS);
    if (!rc)
        rc = before_look (self, txn);
    if (!rc)
        rc = turns_load (self, txn);
    self->first = self->next;
    return rc;
}

void keyed_close (keyed_t *self)
{
    hints_free (&self->hints);
    buf_free (&self->turn);
    *self = (keyed_t){0};
}

/* ---- found and made ---- */

int keyed_get (const keyed_t *self, txn_t *txn, const uint8_t hash[32], bytes_t *value)
{
    uint8_t space[NUMBER_SIZE];
    uint64_t number, newest = 0;
    hints_walk_t walk = {0};
    bytes_t row;
    while (hints_next (&self->hints, u64_read (hash), &walk, &number)) {
        if (number <= newest)
            continue;
        int rc = kv_get (txn, self->rows, number_key (number, space), &row);
        if (rc && rc != E_NOT_FOUND)
            return rc;
        if (rc || row.size < HASH_SIZE || memcmp (row.data, hash, HASH_SIZE) != 0)
            continue;
        newest = number;
        *value = bytes_of (row.data + HASH_SIZE, row.size - HASH_SIZE);
    }
    if (newest || !self->has_before)
        return newest ? 0 : E_NOT_FOUND;
    return turned_get (&self->before, txn, bytes_of (hash, HASH_SIZE), value);
}

int keyed_put (keyed_t *self, txn_t *txn, bytes_t row)
{
    uint8_t space[NUMBER_SIZE];
    int rc = hints_add (&self->hints, u64_read (row.data), self->next);
    if (!self->turn.size)
        buf_add (&self->turn, (uint8_t[TURN_HEAD]){0}, TURN_HEAD);
    buf_add (&self->turn, row.data, SHORT_SIZE);
    if (!rc && buf_failed (&self->turn))
        rc = E_NO_MEMORY;
    if (!rc)
        rc = kv_append (txn, self->rows, number_key (self->next, space), row);
    if (!rc)
        self->next++;
    return rc; /* the step's rewind takes back what failed */
}

/* ---- a turn ---- */

keyed_mark_t keyed_mark (const keyed_t *self)
{
    return (keyed_mark_t){self->next, hints_mark (&self->hints)};
}

/* The row of the turn says what numbers were given. */
static void next_set (keyed_t *self, uint64_t next)
{
    size_t count = (size_t) (next - self->first);
    self->next = next;
    self->turn.failed = false;
    self->turn.size = count ? TURN_HEAD + count * SHORT_SIZE : 0;
}

void keyed_rewind (keyed_t *self, keyed_mark_t mark)
{
    next_set (self, mark.next);
    hints_rewind (&self->hints, mark.hints);
}

int keyed_store (keyed_t *self, txn_t *txn, int64_t now)
{
    uint8_t space[NUMBER_SIZE];
    if (!self->turn.size)
        return 0;
    u64_write ((uint64_t) now, self->turn.data);
    return kv_append (txn, self->turns, number_key (self->first, space), buf_bytes (&self->turn));
}

void keyed_ended (keyed_t *self, bool committed)
{
    if (committed) {
        hints_commit (&self->hints);
        self->first = self->next;
    } else {
        hints_rewind (&self->hints, 0);
    }
    next_set (self, self->first);
}

/* ---- forgotten ---- */

/* The oldest turn's row, in t->arena; E_NOT_FOUND: there is none. */
static int oldest_read (turn_t *t, const keyed_t *self, uint64_t *number, int64_t *at,
                        bytes_t *hashes)
{
    kv_cursor_t walk = {.table = self->turns};
    bytes_t key, value;
    int rc = kv_next (t->txn, &walk, &key, &value);
    if (rc)
        return rc;
    if (key.size != NUMBER_SIZE || value.size < TURN_HEAD || value.size % SHORT_SIZE)
        rc = E_CORRUPT;
    else {
        *number = u64_read (key.data);
        *at = (int64_t) u64_read (value.data);
        hashes->size = value.size - TURN_HEAD;
        hashes->data = arena_memdup (t->arena, value.data + TURN_HEAD, hashes->size);
        rc = hashes->data ? 0 : E_NO_MEMORY;
    }
    kv_stop (&walk);
    return rc;
}

static int turn_forget (turn_t *t, keyed_t *self, uint64_t number, bytes_t hashes)
{
    uint8_t space[NUMBER_SIZE];
    int rc = kv_del (t->txn, self->turns, number_key (number, space));
    for (size_t at = 0; at < hashes.size && !rc; at += SHORT_SIZE, number++) {
        rc = kv_del (t->txn, self->rows, number_key (number, space));
        if (!rc || rc == E_NOT_FOUND)
            rc = hints_drop (&self->hints, u64_read (hashes.data + at), number);
    }
    return rc;
}

static int some_forget (turn_t *t, keyed_t *self, svc_swept_t *out)
{
    int64_t now = t->now + t->svc->writer.steps.lag, at; /* a step back forgets nothing early */
    uint64_t number;
    bytes_t hashes;
    int rc;
    while (!(rc = oldest_read (t, self, &number, &at, &hashes))) {
        out->oldest = at;
        if (at + IDEM_MS > now || number >= self->first)
            return 0;
        if (out->rows >= FORGET_ROWS)
            return E_CONFLICT_RETRY;
        rc = turn_forget (t, self, number, hashes);
        if (rc)
            return rc;
        out->rows += hashes.size / SHORT_SIZE;
        out->oldest = 0;
    }
    return rc == E_NOT_FOUND ? 0 : rc;
}

static int before_forget (turn_t *t, keyed_t *self, svc_swept_t *out)
{
    svc_swept_t swept = {0};
    int rc = self->has_before ? turned_turn (&self->before, t, &swept) : 0;
    if (!rc && self->has_before)
        rc = before_look (self, t->txn);
    out->rows += swept.rows;
    if (swept.oldest)
        out->oldest = swept.oldest; /* all of them are older */
    return rc;
}

int keyed_sweep (turn_t *t, svc_swept_t *out)
{
    keyed_t *self = &t->svc->writer.keyed;
    int rc = some_forget (t, self, out);
    int before = rc && rc != E_CONFLICT_RETRY ? 0 : before_forget (t, self, out);
    return before ? before : rc;
}
