/* lanes_names_test.c - names of lanes, which stand in memory: they follow what is rolled back, and the next process makes them anew, also from rows of before. */
#include <string.h>

#include "svc/lanes_world.h"

/* What rolls back takes its lanes' names along, and what was dropped in it keeps its own. */
static int drop_and_fail (turn_t *t, void *context)
{
    world_t *w = context;
    bool more = true;
    assert_int_equal (add (w, &kind_send, 1, 1, "new", (body_t){.n = 9}, 0), 0);
    assert_int_equal (job_group_drop (t, id_of (1), 100, &more), 0);
    assert_false (more);
    return E_CONFLICT;
}

static void names_follow_rollbacks (void **state)
{
    world_t *w = *state;
    w->policy.width = 1;
    turn_open (w);
    for (int n = 1; n <= 4; n++)
        assert_int_equal (add (w, &kind_send, 1, 1, n % 2 ? "a" : "b", (body_t){.n = n}, 0), 0);
    assert_int_equal (turn_close (w, 16), 0); /* 1 goes out */
    turn_open (w);
    assert_int_equal (turn_step (&w->turn, drop_and_fail, w), E_CONFLICT);
    assert_int_equal (turn_close (w, 16), 0);
    world_check (w);
    turn_open (w);
    assert_int_equal (turn_step (&w->turn, drop_and_fail, w), E_CONFLICT);
    assert_int_equal (add (w, &kind_send, 1, 1, "a", (body_t){.n = 5}, 0), 0);
    turn_abort (w, 16);
    world_check (w);
    world_close (w);
    world_open (w);
    turn_open (w);
    assert_int_equal (add (w, &kind_send, 1, 1, "b", (body_t){.n = 6}, 0), 0);
    assert_int_equal (turn_close (w, 16), 0);
    world_check (w);
}

/* Rows of due without the name's hash, and the table that had the names. */
static void make_old (world_t *w)
{
    txn_t *txn;
    table_t *due = store_table (w->store, "due");
    kv_cursor_t cursor = {.table = due};
    bytes_t key, value;
    assert_int_equal (txn_begin (w->store, TXN_WRITE, &txn), 0);
    while (!kv_next (txn, &cursor, &key, &value)) {
        uint8_t old_key[DUE_KEY_SIZE], old[8];
        memcpy (old_key, key.data, sizeof old_key);
        memcpy (old, value.data, sizeof old);
        assert_int_equal (
            kv_put (txn, due, bytes_of (old_key, sizeof old_key), bytes_of (old, sizeof old)), 0);
    }
    kv_stop (&cursor);
    assert_int_equal (
        kv_put (txn, store_table (w->store, "lanes"), bytes_of_str ("name"), bytes_of_str ("8")),
        0);
    assert_int_equal (txn_commit (&txn), 0);
}

static void rows_of_before (void **state)
{
    world_t *w = *state;
    int64_t last[2] = {0};
    turn_open (w);
    for (int n = 1; n <= 6; n++)
        assert_int_equal (add (w, &kind_send, 1, 1, n % 2 ? "a" : "b", (body_t){.n = n}, 0), 0);
    assert_int_equal (add (w, &kind_send, 1, 1, NULL, (body_t){.n = 100}, 0), 0);
    assert_int_equal (turn_close (w, 0), 0); /* nothing goes out */
    world_close (w);
    make_old (w);
    world_open (w);
    assert_int_equal (rows (w, "lanes"), 0);
    assert_int_equal (w->lanes->names.count, 2);
    turn_open (w);
    for (int n = 7; n <= 8; n++)
        assert_int_equal (add (w, &kind_send, 1, 1, n % 2 ? "a" : "b", (body_t){.n = n}, 0), 0);
    assert_int_equal (turn_close (w, 16), 0);
    assert_int_equal (w->out_count, 3);
    for (size_t i = 0; i < w->out_count; i++) {
        turn_open (w);
        assert_int_equal (answer (w, i, 200), 0);
        assert_int_equal (turn_close (w, 16), 0);
    }
    assert_int_equal (w->out_count, 9);
    for (size_t i = 0; i < w->log_count; i++) {
        if (w->log[i].what != 'b' || w->log[i].n == 100)
            continue;
        assert_true (w->log[i].n > last[w->log[i].n % 2]);
        last[w->log[i].n % 2] = w->log[i].n;
    }
    world_check (w);
}

#define T(name) cmocka_unit_test_setup_teardown (name, world_new, world_free)

int main (void)
{
    const struct CMUnitTest tests[] = {T (names_follow_rollbacks), T (rows_of_before)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
