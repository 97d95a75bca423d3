/* deep_test.c - what a write transaction reads of trees that it splits, joins and empties, against a model: long keys make them deep.
 *
 * A backend that keeps its place in a table between calls must follow every page that moves. */
#include <stdlib.h>
#include <string.h>

#include "test_record.h"

#ifndef DEEP_SEEDS
#define DEEP_SEEDS 6
#endif

enum { KEYS = 700, OPS = 400, TURNS = 12, VALUE_MOST = 6000 };

typedef struct model {
    uint32_t sizes[KEYS]; /* of the value and 1; 0 = no row */
} model_t;

typedef struct deep {
    fixture_t *f;
    table_t *table;
    txn_t *txn;
    uint64_t seed;
    unsigned key_size; /* how long keys are at most */
    bool only_grows;
    model_t now, saved[3];
} deep_t;

static unsigned dice (deep_t *self, unsigned below)
{
    self->seed = self->seed * UINT64_C (6364136223846793005) + UINT64_C (1442695040888963407);
    return (unsigned) (self->seed >> 33) % below;
}

static bytes_t key_of (const deep_t *self, unsigned n, uint8_t space[480])
{
    size_t size = 4 + (n * 2654435761U >> 7) % (self->key_size - 3);
    memset (space, 'k', size);
    for (size_t i = 0; i < 4; i++)
        space[i] = (uint8_t) (n >> (24 - 8 * i));
    return bytes_of (space, size);
}

static bytes_t value_of (unsigned n, uint32_t size, uint8_t space[VALUE_MOST])
{
    memset (space, (int) (n + size), size - 1);
    return bytes_of (space, size - 1);
}

/* Few are too large for a page. */
static uint32_t size_draw (deep_t *self)
{
    return 1 + dice (self, dice (self, 50) ? 300 : VALUE_MOST);
}

static unsigned last_of (const deep_t *self)
{
    unsigned n = KEYS;
    while (n && !self->now.sizes[n - 1])
        n--;
    return n;
}

static void row_check (deep_t *self, unsigned n)
{
    uint8_t key[480], want[VALUE_MOST];
    bytes_t value;
    uint32_t size = self->now.sizes[n];
    assert_int_equal (kv_get (self->txn, self->table, key_of (self, n, key), &value),
                      size ? 0 : E_NOT_FOUND);
    if (size)
        assert_true (bytes_equal (value, value_of (n, size, want)));
}

static void row_write (deep_t *self, unsigned n)
{
    uint8_t key[480], value[VALUE_MOST];
    uint32_t size = size_draw (self);
    assert_int_equal (
        kv_put (self->txn, self->table, key_of (self, n, key), value_of (n, size, value)), 0);
    self->now.sizes[n] = size;
}

static void row_append (deep_t *self, unsigned n)
{
    uint8_t key[480], value[VALUE_MOST];
    uint32_t size = size_draw (self);
    bool above = n >= last_of (self);
    assert_int_equal (
        kv_append (self->txn, self->table, key_of (self, n, key), value_of (n, size, value)),
        above ? 0 : E_ALREADY_EXISTS);
    if (above)
        self->now.sizes[n] = size;
}

static void row_drop (deep_t *self, unsigned n)
{
    uint8_t key[480];
    assert_int_equal (kv_del (self->txn, self->table, key_of (self, n, key)),
                      self->now.sizes[n] ? 0 : E_NOT_FOUND);
    self->now.sizes[n] = 0;
}

/* All rows, in order. */
static void rows_check (deep_t *self)
{
    kv_cursor_t walk = {.table = self->table};
    bytes_t key, value;
    uint8_t space[480], want[VALUE_MOST];
    for (unsigned n = 0; n < KEYS; n++) {
        if (!self->now.sizes[n])
            continue;
        assert_int_equal (kv_next (self->txn, &walk, &key, &value), 0);
        assert_true (bytes_equal (key, key_of (self, n, space)));
        assert_true (bytes_equal (value, value_of (n, self->now.sizes[n], want)));
    }
    assert_int_equal (kv_next (self->txn, &walk, &key, &value), E_NOT_FOUND);
}

/* Neighbours are read and written one after another, as a turn does; now and then all of a stretch goes. */
static void step (deep_t *self)
{
    unsigned n = dice (self, KEYS), many = 1 + dice (self, 12);
    unsigned what = dice (self, self->only_grows ? 6 : 10);
    for (unsigned i = 0; i < many; i++) {
        unsigned at = (n + i) % KEYS;
        if (what < 2)
            row_check (self, at);
        else if (what < 5)
            row_write (self, at);
        else if (what < 6)
            row_append (self, last_of (self) < KEYS ? last_of (self) : at);
        else
            row_drop (self, at);
        if (dice (self, 4) == 0)
            row_check (self, dice (self, 2) ? at : dice (self, KEYS));
    }
}

static void turn (deep_t *self)
{
    size_t depth = 0;
    self->txn = begin_write (self->f->store);
    for (unsigned i = 0; i < OPS; i++) {
        step (self);
        unsigned what = dice (self, 30);
        if (what == 0 && depth < 3) {
            assert_int_equal (txn_savepoint (self->txn), 0);
            self->saved[depth++] = self->now;
        } else if (what == 1 && depth) {
            txn_rollback (self->txn);
            self->now = self->saved[--depth];
        } else if (what == 2 && depth) {
            assert_int_equal (txn_release (self->txn), 0);
            depth--;
        } else if (what == 3 && !depth && dice (self, 40) == 0) {
            assert_int_equal (kv_clear (self->txn, self->table), 0);
            self->now = (model_t){0};
        } else if (what == 4)
            rows_check (self);
    }
    while (depth--)
        assert_int_equal (txn_release (self->txn), 0);
    rows_check (self);
    commit (&self->txn);
}

static void follows_every_page (void **state)
{
    static const unsigned key_sizes[] = {480, 60, 8};
    for (unsigned seed = 0; seed < DEEP_SEEDS; seed++) {
        deep_t self = {.f = *state, .seed = seed, .key_size = key_sizes[seed % 3]};
        self.table = store_table (self.f->store, "raw");
        for (unsigned i = 0; i < TURNS; i++) {
            self.only_grows = i < 3;
            turn (&self);
        }
        self.txn = begin_write (self.f->store);
        assert_int_equal (kv_clear (self.txn, self.table), 0);
        commit (&self.txn);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (follows_every_page, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
