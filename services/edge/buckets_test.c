/* buckets_test.c - a bucket gives what it holds and what flows in, over threads and mappings; its figures say so; slots are used again. */
#include "buckets.h"
#include "limits_world.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { THREADS = 8, TRIES_EACH = 500 };

static const int64_t start = INT64_C (1800000000000);
static buckets_t *open_it (void)
{
    buckets_t *self = NULL;
    failure_t failure = {0};
    if (buckets_open (world_path (), &self, &failure))
        fail_msg ("%s", failure.text);
    return self;
}

static unsigned take_all (buckets_t *self, const uint8_t *hash, uint32_t per_minute, int64_t now,
                          limit_state_t *state)
{
    unsigned admitted = 0;
    while (buckets_take (self, hash, per_minute, now, state))
        admitted++;
    return admitted;
}

static void test_flow (void **state)
{
    (void) state;
    static const uint32_t sizes[] = {1, 7, 60, 600, 7777};
    buckets_t *self = open_it ();
    for (uint32_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint8_t hash[LIMITS_HASH_SIZE];
        limit_state_t now = {0};
        uint32_t size = sizes[i];
        world_hash (100 + i, hash);
        buckets_peek (self, hash, size, start, &now);
        assert_int_equal (now.limit, size);
        assert_int_equal (now.remaining, size);
        assert_int_equal (now.reset_s, start / 1000);
        assert_true (buckets_take (self, hash, size, start, &now));
        assert_int_equal (now.remaining, size - 1);
        assert_int_equal (take_all (self, hash, size, start, &now), size - 1);
        assert_int_equal (now.remaining, 0);
        assert_true (now.retry_after_s >= 1 &&
                     now.retry_after_s <= (size == 1 ? 60 : 60 / size + 1));
        assert_in_range (now.reset_s, start / 1000 + 59, start / 1000 + 61);
        unsigned half = take_all (self, hash, size, start + 30000, &now);
        assert_in_range (half, size / 2 - (size > 1), size / 2); /* a token's time is rounded up */
        unsigned rest = take_all (self, hash, size, start + 90001, &now);
        assert_in_range (rest, size - 1, size);
        assert_int_equal (take_all (self, hash, size, start + 10000000, &now), size);
    }
    buckets_close (&self);
}

static void test_headers (void **state)
{
    (void) state;
    buckets_t *self = open_it ();
    uint8_t hash[LIMITS_HASH_SIZE];
    limit_state_t now = {0};
    world_hash (1, hash);
    for (int i = 0; i < 60; i++)
        assert_true (buckets_take (self, hash, 60, start, &now));
    assert_false (buckets_take (self, hash, 60, start + 1, &now));
    assert_int_equal (now.retry_after_s, 1);
    assert_int_equal (now.remaining, 0);
    assert_false (buckets_take (self, hash, 60, start + 999, &now));
    assert_true (buckets_take (self, hash, 60, start + 1000, &now));
    assert_false (buckets_take (self, hash, 60, start + 1000, &now));
    buckets_peek (self, hash, 60, start + 4500, &now);
    assert_int_equal (now.remaining, 3);
    world_hash (2, hash);
    assert_true (buckets_take (self, hash, 60, start, &now));
    buckets_close (&self);
}

/* A clock that is set back does not close a bucket for longer than it takes to fill. */
static void test_clock_back (void **state)
{
    (void) state;
    buckets_t *self = open_it ();
    uint8_t hash[LIMITS_HASH_SIZE];
    limit_state_t now = {0};
    world_hash (3, hash);
    take_all (self, hash, 60, start, &now);
    assert_false (buckets_take (self, hash, 60, start - 10000, &now));
    assert_in_range (now.reset_s, start / 1000 - 10, start / 1000 + 50);
    assert_int_equal (take_all (self, hash, 60, start - 86400000, &now), 60);
    buckets_close (&self);
}

typedef struct crowd {
    buckets_t *self;
    uint8_t hash[LIMITS_HASH_SIZE];
    atomic_uint admitted;
} crowd_t;

static void *crowd_run (void *context)
{
    crowd_t *crowd = context;
    limit_state_t state;
    for (int i = 0; i < TRIES_EACH; i++)
        if (buckets_take (crowd->self, crowd->hash, 600, start, &state))
            atomic_fetch_add (&crowd->admitted, 1);
    return NULL;
}

static void test_threads (void **state)
{
    (void) state;
    buckets_t *one = open_it (), *two = open_it ();
    crowd_t crowds[2] = {{.self = one}, {.self = two}};
    pthread_t threads[THREADS];
    world_hash (4, crowds[0].hash);
    world_hash (4, crowds[1].hash);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal (pthread_create (&threads[i], NULL, crowd_run, &crowds[i % 2]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join (threads[i], NULL);
    assert_int_equal (atomic_load (&crowds[0].admitted) + atomic_load (&crowds[1].admitted), 600);
    buckets_close (&one);
    buckets_close (&two);
}

/* More organizations than slots: those of full buckets make room, and a table that has none admits. */
static void test_slots (void **state)
{
    (void) state;
    buckets_t *self = open_it ();
    uint8_t hash[LIMITS_HASH_SIZE];
    limit_state_t now;
    int64_t later = start + INT64_C (200) * 86400000;
    for (uint32_t i = 0; i < 2 * BUCKETS_SLOTS; i++) {
        world_hash (1000 + i, hash);
        assert_true (buckets_take (self, hash, 60, later, &now));
    }
    later += 3600000;
    for (uint32_t i = 0; i < 1000; i++) {
        world_hash (100000 + i, hash);
        assert_true (buckets_take (self, hash, 1, later, &now));
        assert_false (buckets_take (self, hash, 1, later, &now));
    }
    world_hash (7, hash); /* the clock was set back: slots of the time ahead are free */
    assert_true (buckets_take (self, hash, 1, start, &now));
    assert_false (buckets_take (self, hash, 1, start, &now));
    buckets_close (&self);
    buckets_close (&self);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_flow), cmocka_unit_test (test_headers),
        cmocka_unit_test (test_threads), cmocka_unit_test (test_clock_back),
        cmocka_unit_test (test_slots)};
    return cmocka_run_group_tests (tests, world_folder_make, world_folder_drop);
}
