/* steps_test.c - the lag after steps of the wall clock, in a process and over restarts. */
#include "svc/steps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { HOUR = 3600000 };

static void test_lag_is_what_no_step_forward_made_good (void **state)
{
    (void) state;
    /* From a wall clock of 100 h and a monotonic one of 0: how far both go on, and the lag then. */
    const struct {
        const char *what;
        int64_t wall, mono, lag;
    } rows[] = {
        {"both go on", 5000, 5000, 0},
        {"a drift", 4500, 5000, 0},
        {"an hour back", -HOUR, 10, HOUR + 10},
        {"going on so", 1000, 1000, HOUR + 10},
        {"half an hour forward", HOUR / 2, 0, HOUR / 2 + 10},
        {"an hour back again", -HOUR, 0, HOUR + HOUR / 2 + 10},
        {"a day forward", 24 * HOUR, 0, 0},
        {"a day forward with no lag", 24 * HOUR, 0, 0},
    };
    steps_t steps = {.seen = {.wall = 100 * (int64_t) HOUR, .mono = 1}};
    int64_t wall = steps.seen.wall, mono = steps.seen.mono;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        wall += rows[i].wall;
        mono += rows[i].mono;
        if (steps_take (&steps, wall, mono) != rows[i].lag)
            fail_msg ("%s: %lld", rows[i].what, (long long) steps.lag);
    }
}

static const char *const tables[] = {"state", NULL};

static store_t *store_new (char folder[64])
{
    store_t *store = NULL;
    failure_t failure = {0};
    strcpy (folder, "/tmp/steps-XXXXXX");
    assert_non_null (mkdtemp (folder));
    static const schema_service_t service = {.name = "steps", .version = 1, .readable_from = 1};
    store_config_t config = {.folder = folder, .service = &service, .tables = tables};
    assert_int_equal (store_open (&config, &store, &failure), 0);
    return store;
}

static void test_lag_is_known_again_after_a_restart (void **state)
{
    (void) state;
    const steps_clocks_t then = {100 * (int64_t) HOUR, 5000, "this start"};
    const struct {
        const char *what;
        steps_clocks_t now;
        int64_t greatest, lag;
    } rows[] = {
        {"at once", {then.wall, 5000, "this start"}, 0, HOUR},
        {"put right meanwhile", {then.wall + 2 * HOUR, 5000 + HOUR, "this start"}, 0, 0},
        {"an hour later", {then.wall + HOUR, 5000 + HOUR, "this start"}, 0, HOUR},
        {"back once more meanwhile", {then.wall - HOUR, 5000, "this start"}, 0, 2 * HOUR},
        {"the machine started again", {then.wall + 2 * HOUR, 10, "another"}, 0, HOUR},
        {"again, and ids are ahead", {then.wall, 10, "another"}, then.wall + 3 * HOUR, 3 * HOUR},
        {"not known which start", {then.wall, 10, ""}, then.wall + HOUR, HOUR},
    };
    char folder[64], command[96];
    store_t *store = store_new (folder);
    txn_t *txn;
    table_t *table = store_table (store, "state");
    steps_t first = {.seen = then, .lag = HOUR, .changed = true}, steps;
    assert_int_equal (txn_begin (store, TXN_WRITE, &txn), 0);
    assert_int_equal (steps_store (&first, txn, table), 0);
    assert_false (first.changed);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal (steps_load (&steps, txn, table, rows[i].greatest, &rows[i].now), 0);
        if (steps.lag != rows[i].lag)
            fail_msg ("%s: %lld", rows[i].what, (long long) steps.lag);
    }
    assert_int_equal (txn_commit (&txn), 0);
    store_close (&store);
    snprintf (command, sizeof command, "rm -r %s", folder);
    assert_int_equal (system (command), 0);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_lag_is_what_no_step_forward_made_good),
        cmocka_unit_test (test_lag_is_known_again_after_a_restart),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
