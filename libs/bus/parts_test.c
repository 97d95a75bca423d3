/* parts_test.c - the table of asks under way, hellos and beats, the age of messages, the lock, keys. */
#include "bus/control.h"
#include "bus/curve.h"
#include "bus/tap.h"
#include "bus/waiting.h"
#include "bus/wire.h"

#include "base/msgpack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { NODES = 3000 };

static void waiting_finds_and_orders (void **state)
{
    (void) state;
    waiting_t table;
    static waiting_node_t nodes[NODES];
    assert_int_equal (waiting_init (&table), 0);
    unsigned seed = 1;
    for (int i = 0; i < NODES; i++) {
        memset (&nodes[i], 0, sizeof nodes[i]);
        nodes[i].id.b[0] = (uint8_t) (i >> 8);
        nodes[i].id.b[15] = (uint8_t) i;
        nodes[i].due.at_ms = rand_r (&seed) % 1000;
        assert_int_equal (waiting_add (&table, &nodes[i]), 0);
    }
    waiting_node_t twin = {.id = nodes[7].id};
    assert_int_equal (waiting_add (&table, &twin), E_CONFLICT);
    for (int i = 0; i < NODES; i += 3)
        waiting_remove (&table, &nodes[i]);
    for (int i = 1; i < NODES; i += 3)
        waiting_move (&table, &nodes[i], rand_r (&seed) % 1000);
    for (int i = 0; i < NODES; i++)
        assert_ptr_equal (waiting_find (&table, nodes[i].id), i % 3 ? &nodes[i] : NULL);
    int64_t last = -1;
    size_t count = 0;
    waiting_node_t *node;
    while ((node = waiting_first (&table))) {
        assert_true (node->due.at_ms >= last);
        last = node->due.at_ms;
        waiting_remove (&table, node);
        count++;
    }
    assert_int_equal (count, NODES - NODES / 3);
    waiting_free (&table);
}

static void hello_comes_back (void **state)
{
    (void) state;
    static const char *const ops[] = {"sms_send!", "sms_get", NULL};
    hello_t in = {.service = "messaging",
                  .replica = 2,
                  .pid = 77,
                  .session = 0x1122334455667788u,
                  .credit = 512,
                  .serves = true,
                  .ops = ops,
                  .trains = true,
                  .packed = true},
            out;
    arena_t *arena = arena_new (1 << 16);
    buf_t buf = {0};
    hello_write (&in, &buf);
    assert_int_equal (hello_read (buf_bytes (&buf), arena, &out, NULL), 0);
    assert_string_equal (out.service, "messaging");
    assert_int_equal (out.replica, 2);
    assert_int_equal (out.pid, 77);
    assert_true (out.session == in.session);
    assert_int_equal (out.credit, 512);
    assert_true (out.serves);
    assert_string_equal (out.ops[0], "sms_send!");
    assert_string_equal (out.ops[1], "sms_get");
    assert_null (out.ops[2]);
    assert_true (out.trains);
    for (size_t size = 0; size < buf.size; size++)
        assert_int_equal (hello_read (bytes_of (buf.data, size), arena, &out, NULL), E_BAD_REQUEST);
    assert_true (out.packed);
    assert_int_equal (buf.data[0]--, 0x99); /* as it was before trains were packed */
    assert_int_equal (hello_read (bytes_of (buf.data, buf.size - 1), arena, &out, NULL), 0);
    assert_true (out.trains && !out.packed);
    assert_int_equal (buf.data[0]--, 0x98); /* and before there were trains */
    assert_int_equal (hello_read (bytes_of (buf.data, buf.size - 2), arena, &out, NULL), 0);
    assert_false (out.trains || out.packed);
    buf_free (&buf);
    arena_destroy (&arena);
}

static void hello_refuses (void **state)
{
    (void) state;
    static const char *const good[] = {"a", NULL}, *const bad_ops[] = {"A", NULL},
                             *const empty[] = {"!", NULL};
    hello_t rows[] = {
        {.service = "Messaging", .ops = good},
        {.service = "", .ops = good},
        {.service = "a", .ops = bad_ops},
        {.service = "a", .ops = empty},
        {.service = "a", .ops = good, .replica = 1000000},
        {.service = "a", .ops = good, .credit = HELLO_CREDIT_MAX + 1},
    };
    arena_t *arena = arena_new (1 << 16);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        hello_t out;
        buf_t buf = {0};
        hello_write (&rows[i], &buf);
        assert_int_equal (hello_read (buf_bytes (&buf), arena, &out, NULL), E_BAD_REQUEST);
        buf_free (&buf);
    }
    arena_destroy (&arena);
}

static void beat_comes_back (void **state)
{
    (void) state;
    beat_t in = {.clock_ms = 123456,
                 .incarnation = 99,
                 .session = 7,
                 .ready = true,
                 .owner = true,
                 .reason = "follows accounts",
                 .trains = true,
                 .packed = true},
           out;
    buf_t buf = {0};
    beat_write (&in, &buf);
    assert_int_equal (beat_read (buf_bytes (&buf), &out), 0);
    assert_int_equal (out.clock_ms, in.clock_ms);
    assert_true (out.incarnation == 99 && out.session == 7 && out.ready && out.owner);
    assert_string_equal (out.reason, in.reason);
    for (size_t size = 0; size < buf.size; size++)
        assert_int_equal (beat_read (bytes_of (buf.data, size), &out), E_BAD_REQUEST);
    assert_true (out.trains);
    assert_true (out.packed);
    assert_int_equal (buf.data[0]--, 0x98); /* as it was before trains were packed */
    assert_int_equal (beat_read (bytes_of (buf.data, buf.size - 1), &out), 0);
    assert_true (out.trains && !out.packed);
    assert_int_equal (buf.data[0]--, 0x97); /* and before there were trains */
    assert_int_equal (beat_read (bytes_of (buf.data, buf.size - 2), &out), 0);
    assert_false (out.trains || out.packed);
    buf_free (&buf);
}

/* The sender's clock is 5000 behind ours; messages take 2 ms. */
static void age_is_known_from_beats (void **state)
{
    (void) state;
    beat_clock_t clock = {0};
    assert_int_equal (beat_clock_age (&clock, 1000), 0);
    for (int64_t t = 10000; t < 40000; t += 100)
        beat_clock_note (&clock, t - 5000, t + 2);
    assert_int_equal (beat_clock_age (&clock, 40002), 0);
    assert_int_equal (beat_clock_age (&clock, 40300), 0);
    uint32_t age = beat_clock_age (&clock, 43000); /* we stood still for 3 s */
    assert_true (age >= 2900 && age <= 3100);
    beat_clock_note (&clock, 37900, 43000); /* the next beat is young, and so is what follows it */
    age = beat_clock_age (&clock, 43000);
    assert_int_equal (age, 0);
    beat_clock_note (&clock, INT64_MIN, 43000); /* nonsense is passed over */
    beat_clock_note (&clock, INT64_MAX, 43000);
    assert_int_equal (beat_clock_age (&clock, 43000), 0);
}

static void lock_has_one_holder (void **state)
{
    (void) state;
    char folder[] = "/tmp/aviary-lock-XXXXXX", path[64], pid[32];
    failure_t failure = {0};
    assert_non_null (mkdtemp (folder));
    assert_int_equal (bus_lock (folder, "broker", &failure), 0);
    assert_int_equal (bus_lock (folder, "other", &failure), 0);
    assert_int_equal (bus_lock (folder, "broker", &failure), E_CONFLICT);
    snprintf (pid, sizeof pid, "process %ld", (long) getpid ());
    assert_non_null (strstr (failure.text, pid));
    assert_int_equal (bus_lock ("/nonexistent/x", "broker", &failure), E_IO);
    static const char *const names[] = {"broker", "other"};
    for (int i = 0; i < 2; i++) {
        snprintf (path, sizeof path, "%s/%s.lock", folder, names[i]);
        unlink (path);
    }
    rmdir (folder);
}

static void endpoints (void **state)
{
    (void) state;
    char path[200] = "ipc:///tmp/";
    failure_t failure = {0};
    assert_int_equal (wire_endpoint_check ("ipc:///tmp/x/run/bus", &failure), 0);
    assert_int_equal (wire_endpoint_check ("tcp://127.0.0.1:99", &failure), 0);
    assert_int_equal (wire_endpoint_check ("udp://127.0.0.1:99", &failure), E_BAD_REQUEST);
    assert_int_equal (wire_endpoint_check ("tcp://nowhere", &failure), E_BAD_REQUEST);
    memset (path + 11, 'x', 150);
    assert_int_equal (wire_endpoint_check (path, &failure), E_BAD_REQUEST);
    assert_non_null (strstr (failure.text, "shorter"));
}

static void keys (void **state)
{
    (void) state;
    char folder[] = "/tmp/aviary-keys-XXXXXX", path[128];
    curve_keys_t broker, edge, none;
    struct stat st;
    assert_non_null (mkdtemp (folder));
    assert_int_equal (curve_keys_load (folder, "edge", &none, NULL), E_NOT_FOUND);
    assert_int_equal (curve_keys_make (folder, "broker", NULL), 0);
    assert_int_equal (curve_keys_make (folder, "edge", NULL), 0);
    assert_int_equal (curve_keys_make (folder, "../edge", NULL), E_BAD_REQUEST);
    assert_int_equal (curve_keys_load (folder, "broker", &broker, NULL), 0);
    assert_int_equal (curve_keys_load (folder, "edge", &edge, NULL), 0);
    assert_string_equal (edge.server_key, broker.public_key);
    assert_string_not_equal (edge.public_key, broker.public_key);
    assert_int_equal (curve_keys_make (folder, "edge", NULL), 0); /* stays as it is */
    curve_names_t *names = curve_names_new (folder);
    assert_string_equal (curve_names_find (names, edge.public_key), "edge");
    assert_string_equal (curve_names_find (names, edge.secret_key), "");
    curve_names_destroy (&names);
    snprintf (path, sizeof path, "%s/edge.pub_secret", folder);
    assert_int_equal (stat (path, &st), 0);
    assert_int_equal (st.st_mode & 077, 0);
    unlink (path); /* the public half alone is no identity */
    assert_int_equal (curve_keys_load (folder, "edge", &none, NULL), E_BAD_REQUEST);
    static const char *const files[] = {"edge.pub", "broker.pub", "broker.pub_secret"};
    for (int i = 0; i < 3; i++) {
        snprintf (path, sizeof path, "%s/%s", folder, files[i]);
        unlink (path);
    }
    rmdir (folder);
}

static void tap_meta_comes_back (void **state)
{
    (void) state;
    tap_meta_t in = {1700000000000, 3, 12}, out;
    buf_t buf = {0};
    tap_meta_write (&in, &buf);
    assert_int_equal (tap_meta_read (buf_bytes (&buf), &out), 0);
    assert_memory_equal (&in, &out, sizeof in);
    assert_int_equal (tap_meta_read (bytes_of (buf.data, buf.size - 1), &out), E_BAD_REQUEST);
    buf_free (&buf);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (waiting_finds_and_orders),
        cmocka_unit_test (hello_comes_back),
        cmocka_unit_test (hello_refuses),
        cmocka_unit_test (beat_comes_back),
        cmocka_unit_test (age_is_known_from_beats),
        cmocka_unit_test (lock_has_one_holder),
        cmocka_unit_test (endpoints),
        cmocka_unit_test (keys),
        cmocka_unit_test (tap_meta_comes_back),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
