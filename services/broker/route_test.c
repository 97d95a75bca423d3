/* route_test.c - the broker routing: answers, deadlines, queue, tenants, credit, owner, grants, tap, its own operations. */
#include "testbed.h"

#include "base/clock.h"
#include "bus/tap.h"
#include "gen/common.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void asks_are_answered (void **state)
{
    (void) state;
    bed_t *bed = bed_new (NULL);
    bed_replica (bed, "alpha", 0, 16, NULL);
    client_t *cli = client_new (bed->bus, "cli", NULL);
    answer_t a = client_ask (cli, "alpha.echo", "hello", 2000);
    assert_int_equal (a.code, 0);
    assert_string_equal (a.text, "hello");
    assert_string_equal (a.sender, "alpha");
    assert_true (a.replayed);
    assert_string_equal (a.first_request_id, "req_first");
    a = client_ask (cli, "alpha.who", "", 2000);
    assert_string_equal (a.text, "alpha#0 cli");
    a = client_ask (cli, "alpha#0.who", "", 2000);
    assert_string_equal (a.text, "alpha#0 cli");
    assert_int_equal (client_ask (cli, "alpha#3.who", "", 2000).code, E_UNAVAILABLE);
    assert_int_equal (client_ask (cli, "beta.who", "", 2000).code, E_UNAVAILABLE);
    assert_int_equal (client_ask (cli, "alpha.fly", "", 2000).code, E_UNKNOWN_OP);
    assert_int_equal (client_ask (cli, "alpha", "", 2000).code, E_BAD_REQUEST);
    assert_int_equal (client_ask (cli, "alpha.echo", "", 0).code, E_TIMEOUT);
    client_destroy (&cli);
    bed_destroy (&bed);
}

/* Thousands under way at once: none is lost, none answered twice, credit comes back. */
static void many_asks_at_once (void **state)
{
    (void) state;
    enum { ASKS = 3000 };
    bed_t *bed = bed_new (NULL);
    bed_replica (bed, "alpha", 0, 64, NULL);
    bed_replica (bed, "alpha", 1, 64, NULL);
    client_t *cli = client_new (bed->bus, "cli", NULL);
    answer_t *answers = calloc (ASKS, sizeof *answers);
    client_work (cli, 50); /* welcomed: from here on they may go as trains */
    bus_gather (cli->bus);
    for (int i = 0; i < ASKS; i++)
        client_start (cli, &answers[i], "alpha.echo", "x", 9000, (uint8_t) (1 + i % 7));
    for (int i = 0; i < ASKS; i++)
        client_wait (cli, &answers[i]);
    client_work (cli, 50);
    for (int i = 0; i < ASKS; i++) {
        assert_int_equal (answers[i].calls, 1);
        assert_int_equal (answers[i].code, 0);
    }
    free (answers);
    assert_int_equal (client_metric (cli, "late_total"), 0);
    client_destroy (&cli);
    bed_destroy (&bed);
}

static void a_large_body_passes_and_a_larger_is_refused (void **state)
{
    (void) state;
    bed_t *bed = bed_new (NULL);
    bed_replica (bed, "alpha", 0, 16, NULL);
    client_t *cli = client_new (bed->bus, "cli", NULL);
    char *text = calloc (1, ENVELOPE_BODY_MAX + 2);
    memset (text, 'x', ENVELOPE_BODY_MAX);
    answer_t a = client_ask (cli, "alpha.echo", text, 5000);
    assert_int_equal (a.code, 0);
    text[ENVELOPE_BODY_MAX] = 'x';
    a = client_ask (cli, "alpha.echo", text, 5000);
    assert_int_equal (a.code, E_TOO_LARGE);
    free (text);
    client_destroy (&cli);
    bed_destroy (&bed);
}

static void deadlines_end_asks (void **state)
{
    (void) state;
    bed_t *bed = bed_new (NULL);
    bed_replica (bed, "alpha", 0, 1, NULL);
    client_t *cli = client_new (bed->bus, "cli", NULL);
    answer_t held, queued;
    client_start (cli, &held, "alpha.hold", "", 600, 0);
    client_start (cli, &queued, "alpha.incr", "", 150, 0); /* no owner and no credit: never begun */
    client_wait (cli, &queued);
    assert_int_equal (queued.code, E_TIMEOUT);
    assert_int_equal (held.calls, 0);
    client_wait (cli, &held);
    assert_int_equal (held.code, E_TIMEOUT);
    client_work (cli, 50);
    assert_int_equal (held.calls, 1);
    client_destroy (&cli);
    bed_destroy (&bed);
}

static void credit_bounds_what_a_replica_has (void **state)
{
    (void) state;
    bed_t *bed = bed_new ((const char *const[]){"--queue-max", "5", NULL});
    bed_replica (bed, "alpha", 0, 4, NULL);
    client_t *cli = client_new (bed->bus, "cli", NULL);
    arena_t *arena = arena_new (1 << 20);
    answer_t answers[10];
    for (int i = 0; i < 10; i++)
        client_start (cli, &answers[i], "alpha.hold", "", 1500, 0);
    client_wait (cli, &answers[9]);
    assert_int_equal (answers[9].code, E_BUSY); /* 4 there, 5 waiting */
    broker_status_out_t status = client_status (cli, arena);
    const broker_replica_state_t *replica = status_replica (&status, "alpha", 0);
    const broker_service_state_t *service = status.services.items;
    assert_int_equal (replica->dispatched, 4);
    assert_int_equal (replica->credit, 0);
    assert_int_equal (service->queued, 5);
    assert_string_equal (service->service, "alpha");
    assert_int_equal (client_metric (cli, "busy_total"), 1);
    for (int i = 0; i < 9; i++)
        assert_int_equal (answers[i].calls, 0);
    arena_destroy (&arena);
    client_destroy (&cli); /* ends the rest */
    for (int i = 0; i < 9; i++)
        assert_int_equal (answers[i].code, E_UNAVAILABLE);
    bed_destroy (&bed);
}

static void tenants_take_turns (void **state)
{
    (void) state;
    enum { GREEDY = 30 };
    bed_t *bed = bed_new (NULL);
    bed_replica (bed, "alpha", 0, 1, NULL);
    client_t *cli = client_new (bed->bus, "cli", NULL);
    answer_t greedy[GREEDY], modest[2];
    for (int i = 0; i < GREEDY; i++)
        client_start (cli, &greedy[i], "alpha.slow", "", 9000, 1);
    for (int i = 0; i < 2; i++)
        client_start (cli, &modest[i], "alpha.slow", "", 9000, 2);
    for (int i = 0; i < 2; i++)
        client_wait (cli, &modest[i]);
    assert_in_range (modest[0].order, 1, 4);
    assert_in_range (modest[1].order, 1, 6);
    for (int i = 0; i < GREEDY; i++) {
        client_wait (cli, &greedy[i]);
        assert_true (i == 0 || greedy[i].order > greedy[i - 1].order);
    }
    client_destroy (&cli);
    bed_destroy (&bed);
}

static void writes_go_to_the_owner_and_reads_are_spread (void **state)
{
    (void) state;
    bed_t *bed = bed_new (NULL);
    bed_replica (bed, "alpha", 0, 16, NULL);
    bed_replica (bed, "alpha", 1, 16, "owner");
    client_t *cli = client_new (bed->bus, "cli", NULL);
    int by[2] = {0};
    for (int i = 0; i < 20; i++) {
        answer_t a = client_ask (cli, "alpha.incr", "", 2000);
        assert_int_equal (a.code, 0);
        assert_non_null (strstr (a.text, "by 1"));
        a = client_ask (cli, "alpha.who", "", 2000);
        by[strstr (a.text, "#1") != NULL]++;
    }
    assert_true (by[0] >= 5 && by[1] >= 5);
    client_destroy (&cli);
    bed_destroy (&bed);
}

static void without_an_owner_writes_wait_a_second (void **state)
{
    (void) state;
    bed_t *bed = bed_new (NULL);
    pid_t other = bed_replica (bed, "alpha", 0, 16, NULL);
    pid_t owner = bed_replica (bed, "alpha", 1, 16, "owner");
    client_t *cli = client_new (bed->bus, "cli", NULL);
    assert_int_equal (client_ask (cli, "alpha.incr", "", 2000).code, 0);
    bed_kill (bed, owner);
    answer_t a = {0};
    for (int i = 0; i < 50 && a.code != E_UNAVAILABLE;
         i++) /* those that the dead one still got end otherwise */
        a = client_ask (cli, "alpha.incr", "", 5000);
    assert_int_equal (a.code, E_UNAVAILABLE);
    client_start (cli, &a, "alpha.incr", "", 5000, 0);
    client_work (cli, 200);
    assert_int_equal (a.calls, 0);
    kill (other, SIGUSR1); /* takes over */
    client_wait (cli, &a);
    assert_int_equal (a.code, 0);
    assert_non_null (strstr (a.text, "by 0"));
    client_destroy (&cli);
    bed_destroy (&bed);
}

/* During a roll one replica has an op that the other does not have yet. */
static void mixed_versions (void **state)
{
    (void) state;
    bed_t *bed = bed_new (NULL);
    bed_replica (bed, "alpha", 0, 16, "bare");
    client_t *cli = client_new (bed->bus, "cli", NULL);
    assert_int_equal (client_ask (cli, "alpha.echo", "", 2000).code, E_UNKNOWN_OP);
    pid_t newer = bed_replica (bed, "alpha", 1, 16, NULL);
    for (int i = 0; i < 10; i++)
        assert_int_equal (client_ask (cli, "alpha.echo", "", 2000).code, 0);
    assert_int_equal (client_ask (cli, "alpha#0.echo", "", 2000).code, E_UNKNOWN_OP);
    kill (newer, SIGTERM); /* says bye first */
    bed_sleep (100);
    assert_int_equal (client_ask (cli, "alpha.echo", "", 2000).code, E_UNKNOWN_OP);
    assert_int_equal (client_ask (cli, "alpha.who", "", 2000).code, 0);
    client_destroy (&cli);
    bed_destroy (&bed);
}

static void the_schema_says_who_may_ask (void **state)
{
    (void) state;
    bed_t *bed = bed_new (NULL);
    bed_replica (bed, "messaging", 0, 16, "owner");
    client_t *edge = client_new (bed->bus, "edge", NULL);
    client_t *billing = client_new (bed->bus, "billing", NULL);
    assert_int_equal (client_ask (edge, "messaging.sms_send", "", 2000).code,
                      E_CONFLICT); /* reached it: that is its answer */
    assert_int_equal (client_ask (billing, "messaging.sms_send", "", 2000).code, E_REFUSED);
    assert_int_equal (client_ask (billing, "messaging.metrics", "", 2000).code, E_REFUSED);
    assert_int_equal (client_ask (billing, "messaging.journal_read", "", 2000).code,
                      E_UNKNOWN_OP); /* may, but it has none */
    assert_int_equal (client_ask (billing, "broker.status", "", 2000).code, E_REFUSED);
    assert_int_equal (client_ask (edge, "broker.fly", "", 2000).code, E_UNKNOWN_OP);
    assert_int_equal (client_metric (edge, "refused_total"), 3);
    client_destroy (&edge);
    client_destroy (&billing);
    bed_destroy (&bed);
}

static void the_tap_shows_what_passes (void **state)
{
    (void) state;
    bed_t *bed = bed_new (NULL);
    bed_replica (bed, "alpha", 0, 16, NULL);
    client_t *cli = client_new (bed->bus, "cli", NULL);
    arena_t *arena = arena_new (1 << 20);
    assert_int_equal (client_ask (cli, "alpha.echo", "unseen", 2000).code, 0);
    assert_int_equal (client_metric (cli, "tapped_total"), 0);
    tap_t *tap;
    tap_message_t ask, answer;
    assert_int_equal (tap_new (bed->tap, "alpha", &tap, NULL), 0);
    bed_sleep (200);
    assert_int_equal (client_ask (cli, "alpha.echo", "seen", 2000).code, 0);
    assert_true (tap_next (tap, 2000, arena, &ask));
    assert_true (tap_next (tap, 2000, arena, &answer));
    assert_false (tap_next (tap, 0, arena, &ask));
    assert_int_equal (ask.envelope.kind, ENV_ASK);
    assert_string_equal (ask.target, "alpha.echo");
    assert_string_equal (ask.envelope.sender, "cli");
    assert_true (bytes_equal (ask.body, bytes_of_str ("seen")));
    assert_int_equal (answer.envelope.kind, ENV_ANSWER);
    assert_string_equal (answer.envelope.sender, "alpha");
    assert_true (id_equal (ask.envelope.id, answer.envelope.id));
    assert_int_equal (client_metric (cli, "tapped_total"), 2);
    tap_destroy (&tap);
    bed_sleep (200);
    assert_int_equal (client_ask (cli, "alpha.echo", "unseen", 2000).code, 0);
    assert_int_equal (client_metric (cli, "tapped_total"), 2);
    arena_destroy (&arena);
    client_destroy (&cli);
    bed_destroy (&bed);
}

static void next_is (tap_t *tap, arena_t *arena, envelope_kind_t kind, const char *target,
                     const char *body)
{
    tap_message_t got = {0};
    assert_true (tap_next (tap, 2000, arena, &got));
    assert_int_equal (got.envelope.kind, kind);
    assert_string_equal (got.target, target);
    if (body)
        assert_true (bytes_equal (got.body, bytes_of_str (body)));
}

/* An answer does not say whose it is: its ask does. What fails here, before any replica had it, is for who listens to judge. */
static void the_tap_is_sieved (void **state)
{
    (void) state;
    bed_t *bed = bed_new (NULL);
    bed_replica (bed, "alpha", 0, 16, NULL);
    bed_replica (bed, "beta", 0, 16, NULL);
    client_t *cli = client_new (bed->bus, "cli", NULL);
    arena_t *arena = arena_new (1 << 20);
    sieve_t own = {.service = bytes_of_str ("alpha")}, named = {.op = bytes_of_str ("echo")};
    memset (own.org.b, 7, sizeof own.org.b);
    tap_t *of_org, *of_op;
    answer_t seven, eight, other, fails, refused;
    tap_message_t none;
    assert_int_equal (tap_new_sieved (bed->tap, &own, &of_org, NULL), 0);
    assert_int_equal (tap_new_sieved (bed->tap, &named, &of_op, NULL), 0);
    client_work (cli, 200);
    assert_false (tap_next (of_org, 0, arena, &none)); /* a word came, which is no message */
    assert_false (tap_next (of_op, 0, arena, &none));
    client_start (cli, &eight, "alpha.echo", "eight", 2000, 8);
    client_wait (cli, &eight);
    client_start (cli, &other, "beta#0.echo", "other", 2000, 7);
    client_wait (cli, &other);
    client_start (cli, &fails, "alpha#0.sms_send", "fails", 2000, 7);
    client_wait (cli, &fails);
    client_start (cli, &seven, "alpha#0.echo", "seven", 2000, 7);
    client_wait (cli, &seven);
    client_start (cli, &refused, "alpha.none", "", 2000, 8);
    client_wait (cli, &refused);
    assert_int_equal (refused.code, E_UNKNOWN_OP);
    next_is (of_org, arena, ENV_ASK, "alpha#0.sms_send", "fails");
    next_is (of_org, arena, ENV_FAILURE, "alpha#0.sms_send", NULL);
    next_is (of_org, arena, ENV_ASK, "alpha#0.echo", "seven");
    next_is (of_org, arena, ENV_ANSWER, "alpha#0.echo", "seven");
    next_is (of_org, arena, ENV_FAILURE, "alpha.none", NULL);
    assert_false (tap_next (of_org, 50, arena, &none));
    static const char *const echoed[] = {"eight", "other", "seven"};
    static const char *const targets[] = {"alpha.echo", "beta#0.echo", "alpha#0.echo"};
    for (int i = 0; i < 3; i++) {
        next_is (of_op, arena, ENV_ASK, targets[i], echoed[i]);
        next_is (of_op, arena, ENV_ANSWER, targets[i], echoed[i]);
    }
    assert_false (tap_next (of_op, 50, arena, &none));
    assert_int_equal (client_metric (cli, "tapped_total"), 11);
    tap_destroy (&of_org);
    tap_destroy (&of_op);
    arena_destroy (&arena);
    client_destroy (&cli);
    bed_destroy (&bed);
}

/* The edge's repeat over a new connection: one execution, and the answer goes to where it was asked last. */
static void a_repeat_attaches (void **state)
{
    (void) state;
    bed_t *bed = bed_new (NULL);
    bed_replica (bed, "alpha", 0, 16, NULL);
    client_t *first = client_new (bed->bus, "edge", NULL),
             *second = client_new (bed->bus, "edge", NULL);
    client_t *other = client_new (bed->bus, "cli", NULL);
    id16_t id = {{9}};
    answer_t a, b, c;
    client_work (first, 100);
    client_work (second, 100);
    client_work (other, 100);
    client_start_as (first, &a, "alpha.later", id);
    client_work (first, 50);
    client_start_as (other, &c, "alpha.later", id);
    client_wait (other, &c);
    client_start_as (second, &b, "alpha.later", id);
    client_wait (second, &b);
    assert_int_equal (c.code, E_CONFLICT); /* an id is its asker's */
    assert_int_equal (b.code, 0);
    assert_int_equal (client_metric (second, "dispatched_total"), 1);
    client_work (first, 50);
    assert_int_equal (a.calls, 0); /* asked nowhere: its connection was overtaken */
    client_destroy (&first);
    client_destroy (&second);
    client_destroy (&other);
    assert_int_equal (a.calls, 1);
    bed_destroy (&bed);
}

static void the_broker_ends_as_it_should (void **state)
{
    (void) state;
    bed_t *bed = bed_new (NULL);
    client_t *cli = client_new (bed->bus, "cli", NULL);
    assert_int_equal (client_ask (cli, "broker.ping", "", 2000).code, 0);
    assert_int_equal (client_ask (cli, "broker.health", "", 2000).code, 0);
    char longer[160];
    memset (longer, 'x', sizeof longer);
    memcpy (longer, "/tmp/", 5);
    longer[sizeof longer - 1] = 0;
    assert_int_equal (bed_broker_run ((const char *const[]){"--data", bed->folder, NULL}), 69);
    assert_int_equal (bed_broker_run ((const char *const[]){"--data", longer, NULL}), 78);
    assert_int_equal (
        bed_broker_run ((const char *const[]){"--data", bed->folder, "--check-config", NULL}), 0);
    assert_int_equal (bed_broker_run ((const char *const[]){"--data", bed->folder, "--listen",
                                                            "tcp://127.0.0.1:1", NULL}),
                      78);
    assert_int_equal (bed_broker_run ((const char *const[]){"--data", bed->folder, "--listen",
                                                            "127.0.0.1:1", "--check-config", NULL}),
                      78);
    assert_int_equal (bed_broker_run ((const char *const[]){"--fly", NULL}), 64);
    assert_int_equal (bed_broker_run ((const char *const[]){"--queue-max", "0", NULL}), 64);
    assert_int_equal (bed_broker_run ((const char *const[]){"--queue-max", NULL}), 64);
    setenv ("AVIARY_BROKER_COLOUR", "red", 1);
    assert_int_equal (bed_broker_run ((const char *const[]){"--check-config", NULL}), 64);
    unsetenv ("AVIARY_BROKER_COLOUR");
    assert_int_equal (client_ask (cli, "broker.ping", "", 2000).code,
                      0); /* the second broker did not hurt the first */
    client_destroy (&cli);
    bed_destroy (&bed); /* TERM: 0 */
}

static void a_client_without_a_broker_is_told (void **state)
{
    (void) state;
    client_t *cli = client_new ("ipc:///tmp/aviary-nobody-is-here", "cli", NULL);
    assert_int_equal (client_ask (cli, "alpha.echo", "", 5000).code, E_UNAVAILABLE);
    assert_int_equal (client_ask (cli, "alpha.echo", "", 100).code, E_TIMEOUT);
    assert_false (bus_connected (cli->bus));
    client_destroy (&cli);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (asks_are_answered),
        cmocka_unit_test (many_asks_at_once),
        cmocka_unit_test (a_large_body_passes_and_a_larger_is_refused),
        cmocka_unit_test (deadlines_end_asks),
        cmocka_unit_test (credit_bounds_what_a_replica_has),
        cmocka_unit_test (tenants_take_turns),
        cmocka_unit_test (writes_go_to_the_owner_and_reads_are_spread),
        cmocka_unit_test (without_an_owner_writes_wait_a_second),
        cmocka_unit_test (mixed_versions),
        cmocka_unit_test (the_schema_says_who_may_ask),
        cmocka_unit_test (the_tap_shows_what_passes),
        cmocka_unit_test (the_tap_is_sieved),
        cmocka_unit_test (a_repeat_attaches),
        cmocka_unit_test (the_broker_ends_as_it_should),
        cmocka_unit_test (a_client_without_a_broker_is_told),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
