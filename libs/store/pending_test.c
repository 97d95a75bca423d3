/* pending_test.c - entries and counters that wait for the commit: nobody in the transaction can tell, savepoints take them back, and what stands in the end is
 * what the rows say. */
#include <string.h>

#include "store/private.h"
#include "test_record.h"

enum { ROUNDS = 4000, ITEMS = 40, STATES = 3, DEEPEST = 4 };

/* What there should be: the state of each item of app 1, 0 = none. */
typedef struct model {
    int32_t states[ITEMS];
} model_t;

static unsigned dice (uint64_t *seed, unsigned sides)
{
    *seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (unsigned) (*seed >> 33) % sides;
}

static int count_one (void *context, const void *row)
{
    (void) row;
    *(size_t *) context += 1;
    return 0;
}

static size_t listed (fixture_t *f, txn_t *txn, const store_key_t *keys, size_t key_count)
{
    size_t n = 0;
    store_page_t page = {
        .index = "by_state", .keys = keys, .key_count = key_count, .limit = 2 * ITEMS};
    assert_int_equal (store_list (txn, &item_v1, &page, f->arena, count_one, &n, NULL), 0);
    arena_reset (f->arena);
    return n;
}

static void agree (fixture_t *f, txn_t *txn, const model_t *model)
{
    size_t all = 0;
    store_key_t keys[] = {{.id = test_app (1)}, {.num = 0}};
    for (int32_t state = 1; state <= STATES; state++) {
        size_t want = 0;
        for (size_t i = 0; i < ITEMS; i++)
            want += model->states[i] == state;
        keys[1].num = state;
        assert_int_equal (count_of (txn, "by_state", keys, 2), want);
        assert_int_equal (listed (f, txn, keys, 2), want);
        all += want;
    }
    assert_int_equal (count_of (txn, "by_state", keys, 1), all);
    assert_int_equal (listed (f, txn, keys, 1), all);
}

static void change (txn_t *txn, model_t *model, uint64_t *seed)
{
    unsigned n = dice (seed, ITEMS);
    int32_t state = (int32_t) dice (seed, STATES + 1);
    item_t item = item_make (n + 1, 1, NULL);
    item.state = state;
    if (state)
        assert_int_equal (store_put (txn, &item_v1, &item, NULL), 0);
    else
        assert_int_equal (store_del (txn, &item_v1, item.id), model->states[n] ? 0 : E_NOT_FOUND);
    model->states[n] = state;
}

/* Random changes, savepoints, releases, rollbacks, walks, commits and aborts. */
static void random_story (void **state)
{
    fixture_t *f = *state;
    model_t levels[DEEPEST + 1], committed = {{0}};
    size_t depth = 0;
    memset (levels, 0, sizeof levels);
    uint64_t seed = 1;
    txn_t *txn = begin_write (f->store);
    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned what = dice (&seed, 16);
        if (what < 8)
            change (txn, &levels[depth], &seed);
        else if (what < 10)
            agree (f, txn, &levels[depth]);
        else if (what < 12 && depth < DEEPEST) {
            assert_int_equal (txn_savepoint (txn), 0);
            levels[depth + 1] = levels[depth];
            depth++;
        } else if (what == 12 && depth) {
            assert_int_equal (txn_release (txn), 0);
            depth--;
            levels[depth] = levels[depth + 1];
        } else if (what == 13 && depth) {
            txn_rollback (txn);
            depth--;
        } else if (what == 14 && !depth) {
            if (dice (&seed, 4)) {
                commit (&txn);
                committed = levels[0];
            } else {
                txn_abort (&txn);
                levels[0] = committed;
            }
            txn_t *reader = begin_read (f->store);
            agree (f, reader, &committed);
            txn_abort (&reader);
            txn = begin_write (f->store);
        }
    }
    txn_abort (&txn);
}

/* A commit in which what waited cannot be written writes nothing at all. */
static void commit_that_cannot_write (void **state)
{
    fixture_t *f = *state;
    model_t model = {{0}};
    uint64_t n = 0;
    for (unsigned nth = 1;; nth++) {
        txn_t *txn = begin_write (f->store);
        item_t item = item_make (nth, 1, NULL);
        assert_int_equal (store_insert (txn, &item_v1, &item, NULL), 0);
        store_fail_write (f->store, nth);
        int rc = txn_commit (&txn);
        store_fail_write (f->store, 0);
        txn = begin_read (f->store);
        if (rc)
            agree (f, txn, &model);
        else
            n = count_of (txn, "by_state", (store_key_t[]){{.id = test_app (1)}}, 1);
        txn_abort (&txn);
        if (!rc)
            break;
        assert_int_equal (rc, E_IO);
        assert_true (nth < 20);
    }
    assert_int_equal (n, 1);
}

/* How many writes a commit makes. */
static unsigned commit_writes (store_t *store, txn_t *txn)
{
    enum { MANY = 1000 };
    store_fail_write (store, MANY);
    commit (&txn);
    return MANY - store_fail_write (store, 0);
}

static void put_state (txn_t *txn, unsigned n, int32_t state)
{
    item_t item = item_make (n, 1, NULL);
    item.state = state;
    assert_int_equal (store_put (txn, &item_v1, &item, NULL), 0);
}

/* An entry that was made and went again in one transaction is not written; if only the going is rolled back, it is. */
static void taken_back_is_not_written (void **state)
{
    fixture_t *f = *state;
    model_t model = {{[0] = 3, [1] = 3, [2] = 2}};
    txn_t *txn = begin_write (f->store);
    put_state (txn, 1, 3);
    unsigned once = commit_writes (f->store, txn);
    txn = begin_write (f->store);
    assert_int_equal (txn_savepoint (txn), 0);
    for (int32_t at = 1; at <= 3; at++)
        put_state (txn, 2, at);
    assert_int_equal (txn_release (txn), 0);
    assert_int_equal (commit_writes (f->store, txn), once);
    txn = begin_write (f->store);
    put_state (txn, 3, 1);
    put_state (txn, 3, 2);
    assert_int_equal (txn_savepoint (txn), 0);
    put_state (txn, 3, 3);
    txn_rollback (txn);
    assert_int_equal (commit_writes (f->store, txn), once);
    txn = begin_read (f->store);
    agree (f, txn, &model);
    txn_abort (&txn);
}

int main (void)
{
#define T(t) cmocka_unit_test_setup_teardown (t, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {T (random_story), T (commit_that_cannot_write),
                                       T (taken_back_is_not_written)};
    return cmocka_run_group_tests_name ("store_pending", tests, NULL, NULL);
}
