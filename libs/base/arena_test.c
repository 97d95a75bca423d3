/* arena_test.c - alignment, zeroing, limits, traps, growth, reset. */
#include "base/arena.h"
#include "base/heap_fail.h"
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static void assert_zero (const void *data, size_t size)
{
    const uint8_t *at = data;
    for (size_t i = 0; i < size; i++)
        assert_int_equal (at[i], 0);
}

static void test_zeroed_and_aligned (void **state)
{
    (void) state;
    arena_t *arena = arena_new (4 * 1024 * 1024);
    for (int round = 0; round < 3; round++) {
        for (size_t size = 0; size < 300; size += 7) {
            uint8_t *data = arena_alloc (arena, size);
            assert_non_null (data);
            assert_int_equal ((uintptr_t) data % 16, 0);
            assert_zero (data, size);
            memset (data, 0xee, size);
        }
        uint8_t *large = arena_alloc (arena, 100000);
        assert_zero (large, 100000);
        memset (large, 0xee, 100000);
        assert_true (arena_used (arena) > 100000);
        arena_reset (arena);
        assert_int_equal (arena_used (arena), 0);
    }
    arena_destroy (&arena);
    assert_null (arena);
    arena_destroy (&arena);
    arena_destroy (NULL);
}

static void test_limit (void **state)
{
    (void) state;
    arena_t *arena = arena_new (1000);
    assert_non_null (arena_alloc (arena, 992));
    assert_null (arena_alloc (arena, 1));
    assert_null (arena_alloc (arena, SIZE_MAX));
    assert_null (arena_alloc (arena, SIZE_MAX - 8));
    assert_null (arena_alloc_many (arena, 16, SIZE_MAX / 8));
    assert_null (arena_array_of (arena, uint64_t, SIZE_MAX / 2));
    arena_reset (arena);
    assert_non_null (arena_alloc (arena, 992));
    arena_destroy (&arena);
}

static void test_mark_and_rewind (void **state)
{
    (void) state;
    arena_t *arena = arena_new (1 << 20);
    for (size_t before = 0; before < 40000;
         before += 13000) { /* in the first block and in later ones */
        char *kept = arena_strdup (arena, "kept");
        memset (arena_alloc (arena, before), 0xee, before);
        arena_mark_t mark = arena_mark (arena);
        size_t used = arena_used (arena);
        void *first = arena_alloc (arena, 40);
        for (int round = 0; round < 3; round++) {
            arena_rewind (arena, &mark);
            assert_int_equal (arena_used (arena), used);
            assert_ptr_equal (arena_alloc (arena, 40), first);
            assert_zero (first, 40);
            memset (first, 0xee, 40);
            for (size_t size = 100; size < 200000; size *= 3)
                memset (arena_alloc (arena, size), 0xee, size);
            assert_string_equal (kept, "kept");
        }
    }
    arena_destroy (&arena);
}

static void test_trap (void **state)
{
    (void) state;
    arena_t *arena = arena_new (1000);
    jmp_buf trap;
    jmp_buf *before = arena_trap (arena, &trap);
    assert_null (before);
    volatile int jumps = 0;
    if (setjmp (trap)) {
        jumps++;
    } else {
        arena_alloc (arena, 500);
        arena_printf (arena, "%2000d", 1);
        fail_msg ("the allocation came back");
    }
    assert_int_equal (jumps, 1);
    assert_ptr_equal (arena_trap (arena, NULL), &trap);
    assert_null (arena_alloc (arena, 2000));
    arena_destroy (&arena);
}

static void test_fail_nth (void **state)
{
    (void) state;
    arena_t *arena = arena_new (100000);
    arena_fail_nth (arena, 3);
    assert_non_null (arena_alloc (arena, 1));
    assert_non_null (arena_strdup (arena, "x"));
    assert_null (arena_printf (arena, "%d", 5));
    assert_non_null (arena_alloc (arena, 1));
    assert_int_equal (arena_fail_nth (arena, 1), 0);
    assert_int_equal (arena_fail_nth (arena, 0), 1);
    assert_non_null (arena_alloc (arena, 1));
    arena_destroy (&arena);
}

static void test_texts (void **state)
{
    (void) state;
    arena_t *arena = arena_new (1000000);
    assert_null (arena_strdup (arena, NULL));
    assert_string_equal (arena_strdup (arena, ""), "");
    assert_string_equal (arena_strdup (arena, "wren"), "wren");
    assert_string_equal (arena_strndup (arena, "sparrow", 3), "spa");
    assert_string_equal (arena_join (arena, "spar", "row"), "sparrow");
    assert_string_equal (arena_join (arena, "", ""), "");
    assert_memory_equal (arena_memdup (arena, "a\0b", 3), "a\0b", 3);
    assert_string_equal (arena_printf (arena, "%s-%d", "tern", 7), "tern-7");
    char *wide = arena_printf (arena, "%0*d", 70000, 5);
    assert_int_equal (strlen (wide), 70000);
    assert_int_equal (wide[69999], '5');
    for (int length = 250; length < 260; length++)
        assert_int_equal (strlen (arena_printf (arena, "%*s", length, "")), length);
    arena_destroy (&arena);
}

static void test_grow (void **state)
{
    (void) state;
    arena_t *arena = arena_new (100000);
    char *data = arena_grow (arena, NULL, 0, 10);
    for (int i = 0; i < 10; i++)
        data[i] = (char) ('0' + i);
    char *same = arena_grow (arena, data, 10, 900);
    assert_ptr_equal (same, data);
    assert_memory_equal (same, "0123456789", 10);
    assert_zero (same + 10, 890);
    assert_ptr_equal (arena_grow (arena, same, 900, 5), same);

    arena_alloc (arena, 1);
    char *moved = arena_grow (arena, same, 900, 1000);
    assert_ptr_not_equal (moved, same);
    assert_memory_equal (moved, "0123456789", 10);
    assert_zero (moved + 10, 990);
    char *large = arena_grow (arena, moved, 1000, 60000); /* a block of its own */
    assert_memory_equal (large, "0123456789", 10);
    assert_zero (large + 10, 59990);
    assert_null (arena_grow (arena, large, 60000, 200000));
    arena_destroy (&arena);
}

/* Every allocation keeps its bytes whatever comes after it. */
static void test_many (void **state)
{
    (void) state;
    arena_t *arena = arena_new (64 * 1024 * 1024);
    struct {
        uint8_t *data;
        size_t size;
    } made[2000];
    srand (7);
    for (size_t i = 0; i < 2000; i++) {
        made[i].size = (size_t) rand () % (i % 50 == 0 ? 30000 : 200);
        made[i].data = arena_alloc (arena, made[i].size);
        assert_zero (made[i].data, made[i].size);
        memset (made[i].data, (int) (i & 0xff), made[i].size);
    }
    for (size_t i = 0; i < 2000; i++)
        for (size_t j = 0; j < made[i].size; j++)
            if (made[i].data[j] != (i & 0xff))
                fail_msg ("allocation %zu was overwritten", i);
    arena_destroy (&arena);
}

/* What was asked for fits the limit, but the heap has nothing left: told apart from too much. */
static void test_no_memory (void **state)
{
    (void) state;
    arena_t *arena = arena_new (1 << 20);
    jmp_buf trap;
    arena_trap (arena, &trap);
    volatile int why = setjmp (trap);
    if (why == 0) {
        heap_fail_nth (1);
        arena_alloc (arena, 100000);
    }
    heap_fail_nth (0);
    assert_int_equal (why, ARENA_MEMORY);
    why = setjmp (trap);
    if (why == 0)
        arena_alloc (arena, 2 << 20);
    assert_int_equal (why, ARENA_LIMIT);
    arena_trap (arena, NULL);
    heap_fail_nth (1);
    assert_null (arena_alloc (arena, 100000));
    assert_int_equal (heap_fail_nth (0), 0);
    assert_non_null (arena_alloc (arena, 100000));
    arena_destroy (&arena);
    heap_fail_nth (1);
    assert_null (arena_new (1000));
    heap_fail_nth (2);
    assert_null (arena_new (1000));
    heap_fail_nth (0);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_zeroed_and_aligned),
        cmocka_unit_test (test_limit),
        cmocka_unit_test (test_mark_and_rewind),
        cmocka_unit_test (test_trap),
        cmocka_unit_test (test_fail_nth),
        cmocka_unit_test (test_no_memory),
        cmocka_unit_test (test_texts),
        cmocka_unit_test (test_grow),
        cmocka_unit_test (test_many),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
