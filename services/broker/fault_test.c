/* fault_test.c - replicas and brokers that are killed, stopped or replaced: what was under way fails once with the right code, nothing
 * late is begun, and everybody finds together again. */
#include "testbed.h"

#include "base/clock.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void a_killed_replica_is_lost (void **state)
{
    (void) state;
    bed_t *bed = bed_new (NULL);
    pid_t victim = bed_replica (bed, "alpha", 0, 16, NULL);
    client_t *cli = client_new (bed->bus, "cli", NULL);
    answer_t held[5];
    assert_int_equal (client_ask (cli, "alpha.who", "", 2000).code, 0);
    for (int i = 0; i < 5; i++)
        client_start (cli, &held[i], "alpha.hold", "", 9000, 0);
    client_work (cli, 100);
    bed_kill (bed, victim);
    for (int i = 0; i < 5; i++) {
        client_wait (cli, &held[i]);
        assert_int_equal (held[i].code, E_REPLICA_LOST); /* long before their deadline */
    }
    assert_int_equal (client_ask (cli, "alpha.who", "", 5000).code, E_UNAVAILABLE);
    assert_int_equal (client_metric (cli, "replica_lost_total"), 5);
    bed_replica (bed, "alpha", 0, 16, NULL); /* another with the number */
    assert_int_equal (client_ask (cli, "alpha.who", "", 2000).code, 0);
    client_work (cli, 50);
    for (int i = 0; i < 5; i++)
        assert_int_equal (held[i].calls, 1);
    client_destroy (&cli);
    bed_destroy (&bed);
}

/* What a stopped replica had fails after 2 s; what it reads later than its deadline it does not begin; its late answers go nowhere. */
static void a_frozen_replica_is_lost_and_comes_back (void **state)
{
    (void) state;
    bed_t *bed = bed_new (NULL);
    pid_t sleeper = bed_replica (bed, "alpha", 0, 16, "owner");
    client_t *cli = client_new (bed->bus, "cli", NULL);
    answer_t shortly, longer;
    assert_int_equal (client_ask (cli, "alpha.incr", "", 2000).code, 0);
    bed_freeze (sleeper);
    client_start (cli, &shortly, "alpha.incr", "", 500, 0);
    client_start (cli, &longer, "alpha.incr", "", 9000, 0);
    client_wait (cli, &shortly);
    assert_int_equal (shortly.code, E_TIMEOUT);
    client_wait (cli, &longer);
    assert_int_equal (longer.code, E_REPLICA_LOST);
    assert_int_equal (client_ask (cli, "alpha.count", "", 5000).code,
                      E_UNAVAILABLE); /* frozen: not chosen */
    client_work (cli, 500);
    kill (sleeper, SIGCONT);
    answer_t count = {0};
    for (int64_t until = clock_mono_ms () + 30000;
         clock_mono_ms () < until && (count = client_ask (cli, "alpha.count", "", 2000)).code;)
        client_work (cli, 20);
    assert_int_equal (count.code, 0);
    assert_string_equal (
        count.text, "2"); /* the short one was not begun; the longer may have been done and was */
    client_work (cli, 100);
    assert_int_equal (longer.calls, 1);
    assert_int_equal (shortly.calls, 1);
    assert_int_equal (client_metric (cli, "frozen_total"), 1);
    assert_true (client_metric (cli, "late_total") >= 1);
    client_destroy (&cli);
    bed_destroy (&bed);
}

static void a_restarted_broker_is_met_again (void **state)
{
    (void) state;
    bed_t *bed = bed_new (NULL);
    bed_replica (bed, "alpha", 0, 16, "owner");
    client_t *cli = client_new (bed->bus, "cli", NULL);
    answer_t held, later;
    assert_int_equal (client_ask (cli, "alpha.incr", "", 2000).code, 0);
    client_start (cli, &held, "alpha.hold", "", 9000, 0);
    client_work (cli, 100);
    bed_broker_kill (bed);
    bed_broker_start (bed, NULL);
    client_wait (cli, &held);
    assert_int_equal (held.code, E_BROKER_LOST);
    answer_t again = {0};
    for (int64_t until = clock_mono_ms () + 8000;
         clock_mono_ms () < until && (again = client_ask (cli, "alpha.incr", "", 2000)).code;)
        client_work (cli, 20);
    assert_int_equal (again.code, 0);
    assert_string_equal (again.text,
                         "2 by 0"); /* the same replica, registered anew, still the owner */
    client_start (cli, &later, "alpha.later", "", 5000, 0);
    client_wait (cli, &later);
    assert_int_equal (later.code, 0);
    assert_int_equal (held.calls, 1);
    client_destroy (&cli);
    bed_destroy (&bed);
}

/* Without a new one: 2 s of silence end what was under way, new asks wait a second. */
static void a_broker_that_stays_away (void **state)
{
    (void) state;
    bed_t *bed = bed_new (NULL);
    bed_replica (bed, "alpha", 0, 16, NULL);
    client_t *cli = client_new (bed->bus, "cli", NULL);
    answer_t held;
    assert_int_equal (client_ask (cli, "alpha.who", "", 2000).code, 0);
    assert_true (bus_connected (cli->bus));
    client_start (cli, &held, "alpha.hold", "", 9000, 0);
    client_work (cli, 100);
    bed_broker_kill (bed);
    client_wait (cli, &held);
    assert_int_equal (held.code, E_BROKER_LOST);
    assert_false (bus_connected (cli->bus));
    assert_int_equal (client_ask (cli, "alpha.who", "", 9000).code, E_UNAVAILABLE);
    client_destroy (&cli);
    bed_destroy (&bed);
}

/* A broker that was stopped itself does not take its peers for frozen, and begins nothing whose time is over. */
static void a_broker_that_was_stopped_goes_on (void **state)
{
    (void) state;
    bed_t *bed = bed_new (NULL);
    bed_replica (bed, "alpha", 0, 16, "owner");
    client_t *cli = client_new (bed->bus, "cli", NULL);
    answer_t asked;
    assert_int_equal (client_ask (cli, "alpha.incr", "", 2000).code, 0);
    bed_freeze (bed->broker);
    client_start (cli, &asked, "alpha.incr", "", 700, 0);
    client_wait (cli, &asked);
    assert_int_equal (asked.code, E_TIMEOUT);
    client_work (cli, 700);
    kill (bed->broker, SIGCONT);
    answer_t count = {0};
    for (int64_t until = clock_mono_ms () + 8000;
         clock_mono_ms () < until && (count = client_ask (cli, "alpha.count", "", 2000)).code;)
        client_work (cli, 20);
    assert_string_equal (count.text, "1");
    assert_int_equal (client_metric (cli, "frozen_total"), 0);
    client_destroy (&cli);
    bed_destroy (&bed);
}

/* A number belongs to who has it while he lives. */
static void a_second_replica_with_a_number_waits (void **state)
{
    (void) state;
    bed_t *bed = bed_new (NULL);
    pid_t first = bed_replica (bed, "alpha", 0, 16, NULL);
    client_t *cli = client_new (bed->bus, "cli", NULL);
    static const char *const ops[] = {"who", NULL};
    bus_config_t config = {.endpoint = bed->bus, .service = "alpha", .pid = 1, .ops = ops};
    bus_t *second = NULL;
    int next_ms;
    assert_int_equal (bus_new (&config, &second, NULL), 0);
    for (int i = 0; i < 60; i++, bed_sleep (10))
        bus_work (second, &next_ms);
    assert_false (bus_connected (second));
    assert_int_equal (client_ask (cli, "alpha.who", "", 2000).code, 0);
    bed_kill (bed, first);
    for (int i = 0; i < 500 && !bus_connected (second); i++, bed_sleep (10))
        bus_work (second, &next_ms);
    assert_true (bus_connected (second));
    bus_destroy (&second);
    client_destroy (&cli);
    bed_destroy (&bed);
}

static void a_replica_that_says_bye_finishes_what_it_has (void **state)
{
    (void) state;
    bed_t *bed = bed_new (NULL);
    pid_t going = bed_replica (bed, "alpha", 0, 16, NULL);
    client_t *cli = client_new (bed->bus, "cli", NULL);
    answer_t slow;
    client_work (cli, 100);
    client_start (cli, &slow, "alpha.slow", "", 5000, 0);
    client_work (cli, 5);
    kill (going, SIGTERM);
    client_wait (cli, &slow);
    assert_int_equal (slow.code, 0);
    client_work (cli, 50);
    assert_int_equal (client_ask (cli, "alpha.who", "", 5000).code, E_UNAVAILABLE);
    client_destroy (&cli);
    bed_destroy (&bed);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (a_killed_replica_is_lost),
        cmocka_unit_test (a_frozen_replica_is_lost_and_comes_back),
        cmocka_unit_test (a_restarted_broker_is_met_again),
        cmocka_unit_test (a_broker_that_stays_away),
        cmocka_unit_test (a_broker_that_was_stopped_goes_on),
        cmocka_unit_test (a_second_replica_with_a_number_waits),
        cmocka_unit_test (a_replica_that_says_bye_finishes_what_it_has),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
