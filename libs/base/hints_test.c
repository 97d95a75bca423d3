/* hints_test.c - against a list of all that was added: nothing is missed, little is told beside it, and transactions are followed. */
#include "base/hints.h"

#include "base/err.h"
#include "base/heap_fail.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { KEYS = 3000, STEPS = 60000 };

static uint64_t hash_of (uint64_t key)
{
    return (key + 1) * 0x9e3779b97f4a7c15u; /* of different keys always another one */
}

/* How often the number is told of the hash, and *more beside it. */
static unsigned told (const hints_t *self, uint64_t hash, uint64_t number, unsigned *more)
{
    hints_walk_t walk = {0};
    uint64_t found;
    unsigned count = 0;
    while (hints_next (self, hash, &walk, &found))
        if (found == number)
            count++;
        else
            (*more)++;
    return count;
}

typedef struct list {
    uint64_t number[KEYS]; /* 0 = not there */
    bool dropped[KEYS];
} list_t;

static void same (const hints_t *self, const list_t *list)
{
    size_t count = 0;
    unsigned more = 0;
    for (uint64_t key = 0; key < KEYS; key++) {
        unsigned want = list->number[key] != 0;
        assert_int_equal (told (self, hash_of (key), list->number[key], &more), want);
        count += want;
    }
    assert_int_equal (self->count, count);
    assert_true (more < 5);
}

static void settle (list_t *now)
{
    for (size_t key = 0; key < KEYS; key++)
        if (now->dropped[key])
            now->number[key] = 0;
    memset (now->dropped, 0, sizeof now->dropped);
}

/* Turns of random changes with a mark in the middle: rewound to it or not, committed or not. */
static void test_follows_transactions (void **state)
{
    (void) state;
    static list_t committed, now, marked;
    hints_t self = {0};
    unsigned seed = 3;
    uint64_t next = 1;
    memset (&now, 0, sizeof now);
    memset (&committed, 0, sizeof committed);
    for (unsigned step = 0; step < STEPS; step++) {
        size_t key = (size_t) rand_r (&seed) % KEYS;
        size_t mark = hints_mark (&self);
        marked = now;
        if (now.number[key] == 0) {
            now.number[key] = next++;
            assert_int_equal (hints_add (&self, hash_of (key), now.number[key]), 0);
            assert_int_equal (hints_add (&self, hash_of (key), now.number[key]), 0);
        } else {
            now.dropped[key] = true;
            assert_int_equal (hints_drop (&self, hash_of (key), now.number[key]), 0);
        }
        if (rand_r (&seed) % 8 == 0) {
            hints_rewind (&self, mark);
            now = marked;
        }
        if (rand_r (&seed) % 50 != 0)
            continue;
        if (rand_r (&seed) % 3 == 0) {
            hints_rewind (&self, 0);
            now = committed;
        } else {
            hints_commit (&self);
            settle (&now);
            committed = now;
        }
        if (rand_r (&seed) % 20 == 0)
            same (&self, &now);
    }
    hints_rewind (&self, 0);
    same (&self, &committed);
    for (size_t key = 0; key < KEYS; key++) {
        if (committed.number[key] != 0)
            assert_int_equal (hints_drop (&self, hash_of (key), committed.number[key]), 0);
        committed.number[key] = 0;
    }
    hints_commit (&self);
    same (&self, &committed);
    assert_true (self.size < 512); /* memory of a backlog that is gone comes back */
    hints_free (&self);
}

/* Numbers are told whole, also long after their 38 bits began anew; several of one hash are all told. */
static void test_numbers_are_whole (void **state)
{
    (void) state;
    static const uint64_t span = UINT64_C (1) << 38;
    const uint64_t pairs[][2] = {
        {1, span - 1}, {span + 5, 2 * span + 4}, {3 * span - 1, 3 * span + 7}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        const uint64_t *numbers = pairs[i];
        hints_t self = {0};
        unsigned more = 0;
        assert_int_equal (hints_load (&self, hash_of (1), numbers[0]), 0);
        assert_int_equal (hints_load (&self, hash_of (1), numbers[1]), 0);
        assert_int_equal (told (&self, hash_of (1), numbers[0], &more), 1);
        assert_int_equal (told (&self, hash_of (1), numbers[1], &more), 1);
        assert_int_equal (more, 2);
        hints_rewind (&self, 0); /* what was loaded stays */
        assert_int_equal (self.count, 2);
        hints_free (&self);
    }
}

static void test_without_memory_nothing_changes (void **state)
{
    (void) state;
    hints_t self = {0};
    unsigned more = 0, failed = 0;
    for (uint64_t key = 0; key < 200; key++) {
        size_t mark = hints_mark (&self), count = self.count;
        heap_fail_nth (1);
        int code = hints_add (&self, hash_of (key), key + 1);
        heap_fail_nth (0);
        if (code == 0)
            continue;
        failed++;
        assert_int_equal (code, E_NO_MEMORY);
        assert_int_equal (hints_mark (&self), mark);
        assert_int_equal (self.count, count);
        assert_int_equal (told (&self, hash_of (key), key + 1, &more), 0);
        assert_int_equal (hints_add (&self, hash_of (key), key + 1), 0);
    }
    assert_true (failed > 3);
    for (uint64_t key = 0; key < 200; key++)
        assert_int_equal (told (&self, hash_of (key), key + 1, &more), 1);
    hints_free (&self);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_follows_transactions),
        cmocka_unit_test (test_numbers_are_whole),
        cmocka_unit_test (test_without_memory_nothing_changes),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
