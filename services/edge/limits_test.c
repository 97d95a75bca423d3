/* limits_test.c - never more than the limit, over threads and mappings; windows end; the table's slots are used again. */
#include "limits_world.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { THREADS = 8, MINUTE = 60000 };

static limits_t *open_it (void)
{
    limits_t *limits = NULL;
    failure_t failure = {0};
    if (limits_open (world_path (), &limits, &failure))
        fail_msg ("%s", failure.text);
    return limits;
}

static void test_counts (void **state)
{
    (void) state;
    limits_t *limits = open_it ();
    uint8_t hash[LIMITS_HASH_SIZE];
    limit_state_t at;
    int64_t now = INT64_C (1750000020500);
    world_hash (1, hash);
    limits_peek (limits, hash, 3, now, &at);
    assert_int_equal (at.remaining, 3);
    for (uint32_t i = 1; i <= 5; i++) {
        assert_int_equal (limits_take (limits, hash, 3, now, &at), i <= 3);
        assert_int_equal (at.remaining, i <= 3 ? 3 - i : 0);
        assert_int_equal (at.limit, 3);
        assert_int_equal (at.reset_s % 60, 0);
        assert_true (at.reset_s * 1000 > now && at.reset_s * 1000 <= now + MINUTE);
        assert_int_equal (at.retry_after_s, (at.reset_s * 1000 - now + 999) / 1000);
    }
    assert_true (limits_take (limits, hash, 5, now, &at)); /* refused ones did not count */
    assert_int_equal (at.remaining, 1);
    assert_true (limits_take (limits, hash, 3, now + MINUTE, &at));
    assert_int_equal (at.remaining, 2);
    assert_true (limits_take (limits, hash, 3, now + INT64_C (100) * MINUTE, &at));
    assert_int_equal (at.remaining, 2);
    assert_true (limits_take (limits, hash, 3, now, &at)); /* the clock was set back: no dead end */
    limits_close (&limits);
    limits_close (&limits);
}

typedef struct run {
    limits_t *limits;
    uint32_t keys, limit, tries;
    int64_t now;
    atomic_uint *admitted;
} run_t;

static void *take_many (void *context)
{
    run_t *run = context;
    for (uint32_t i = 0; i < run->tries; i++)
        for (uint32_t key = 0; key < run->keys; key++) {
            uint8_t hash[LIMITS_HASH_SIZE];
            limit_state_t at;
            world_hash (key + 1000, hash);
            if (limits_take (run->limits, hash, run->limit, run->now, &at))
                atomic_fetch_add (&run->admitted[key], 1);
        }
    return NULL;
}

static void test_exact_over_mappings (void **state)
{
    (void) state;
    enum { KEYS = 40, LIMIT = 100 };
    limits_t *maps[2] = {open_it (), open_it ()};
    for (int64_t minute = 1; minute <= 3; minute++) {
        atomic_uint admitted[KEYS] = {0};
        pthread_t threads[THREADS];
        run_t runs[THREADS];
        for (size_t i = 0; i < THREADS; i++) {
            runs[i] = (run_t){
                maps[i % 2], KEYS, LIMIT, 50, minute * MINUTE + INT64_C (1760000000000), admitted};
            assert_int_equal (pthread_create (&threads[i], NULL, take_many, &runs[i]), 0);
        }
        for (size_t i = 0; i < THREADS; i++)
            pthread_join (threads[i], NULL);
        for (size_t key = 0; key < KEYS; key++)
            assert_int_equal (atomic_load (&admitted[key]), LIMIT);
    }
    limits_close (&maps[0]);
    limits_close (&maps[1]);
}

static void test_slots_are_used_again (void **state)
{
    (void) state;
    limits_t *limits = open_it ();
    for (uint32_t minute = 0; minute < 6; minute++)
        for (uint32_t key = 0; key < LIMITS_SLOTS / 4; key++) {
            uint8_t hash[LIMITS_HASH_SIZE];
            limit_state_t at;
            int64_t now = INT64_C (1770000000000) + minute * INT64_C (60000);
            world_hash (key, hash);
            assert_true (limits_take (limits, hash, 1, now, &at));
            assert_false (limits_take (limits, hash, 1, now, &at)); /* a full table would admit */
        }
    limits_close (&limits);
}

static void test_file (void **state)
{
    (void) state;
    limits_t *limits = open_it ();
    struct stat st;
    assert_int_equal (stat (world_path (), &st), 0);
    assert_int_equal (st.st_mode & 0777, 0600);
    limits_close (&limits);
    assert_int_equal (truncate (world_path (), 100), 0); /* another program's: replaced */
    limits = open_it ();
    assert_int_equal (stat (world_path (), &st), 0);
    assert_int_equal (st.st_size, 16 * LIMITS_SLOTS);
    limits_close (&limits);
    failure_t failure = {0};
    assert_int_equal (limits_open ("/nowhere/at/all", &limits, &failure), E_IO);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_counts), cmocka_unit_test (test_exact_over_mappings),
        cmocka_unit_test (test_slots_are_used_again), cmocka_unit_test (test_file)};
    return cmocka_run_group_tests (tests, world_folder_make, world_folder_drop);
}
