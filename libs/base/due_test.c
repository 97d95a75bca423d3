/* due_test.c - against a list that is searched: items come, go and get other times at random. */
#include "base/due.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

enum { ITEMS = 200, STEPS = 20000 };

static int64_t soonest (const due_t *items)
{
    int64_t soonest = INT64_MAX;
    for (int i = 0; i < ITEMS; i++)
        if (items[i].place != 0 && items[i].at_ms < soonest)
            soonest = items[i].at_ms;
    return soonest;
}

static void test_soonest_is_first (void **state)
{
    (void) state;
    static due_t items[ITEMS];
    due_heap_t heap = {0};
    unsigned seed = 7;
    size_t inside = 0;
    assert_null (due_heap_first (&heap));
    assert_int_equal (due_heap_reserve (&heap, ITEMS), 0);
    assert_true (heap.capacity >= ITEMS);
    for (int i = 0; i < STEPS; i++) {
        due_t *item = &items[rand_r (&seed) % ITEMS];
        if (item->place != 0 && rand_r (&seed) % 3 == 0) {
            due_heap_remove (&heap, item);
            assert_int_equal (item->place, 0);
            inside--;
        } else {
            inside += item->place == 0;
            due_heap_put (&heap, item, rand_r (&seed) % 1000);
        }
        assert_int_equal (heap.count, inside);
        if (inside != 0)
            assert_int_equal (due_heap_first (&heap)->at_ms, soonest (items));
    }
    int64_t last = 0;
    for (due_t *item; (item = due_heap_first (&heap)) != NULL; due_heap_remove (&heap, item)) {
        assert_true (item->at_ms >= last);
        last = item->at_ms;
    }
    due_heap_free (&heap);
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_soonest_is_first)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
