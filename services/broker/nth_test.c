/* nth_test.c - the broker with its n-th allocation failing, for every n, over one pass of each kind of frame: hellos, beats, asks of every sort, answers, failures, credit,
 * byes, the tap, its own operations. In this process: one thread turns the broker and its peers, and the heap fails in the broker's turns alone.
 *
 * Whatever fails: every ask ends once, by an answer or a code of that class, or by its own deadline; then nothing is left of it, and new peers are served. */
#include "core.h"

#include "base/clock.h"
#include "base/heap_fail.h"
#include "bus/bus.h"
#include "bus/tap.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum {
    OPS = 8,
    TTL_MS = 120,
    SOON_MS = 250,
    LONG_MS = 8000,
    ASKS_MOST = 64,
    LARGE = 700 /* header bytes */
};

typedef struct server {
    bus_t *bus;
    uint64_t kept; /* token of an ask that is not answered yet */
    bool keeps;    /* the next one */
} server_t;

typedef struct told {
    int calls;
    int code;
} told_t;

typedef struct house {
    char folder[64], bus[96], tap[96];
    broker_t *broker;
    int go_on; /* readable: the broker never sleeps */
    unsigned left;
    bus_t *asker;
    server_t first, second; /* replicas 0, which is the owner, and 1 */
    tap_t *listener, *sieved;
    told_t asks[ASKS_MOST];
    size_t ask_count;
} house_t;

static const char *ops[OPS + 1];
static char op_names[OPS][48];

static void names_make (void)
{
    static const char *const own[] = {"echo", "refuse", "hold", "write!"};
    for (size_t i = 0; i < OPS; i++) {
        snprintf (op_names[i], sizeof op_names[i], "an_operation_that_has_a_long_name_%zu", i);
        ops[i] = i < 4 ? own[i] : op_names[i];
    }
}

/* ---- peers ---- */

static void on_ask (void *context, uint64_t token, const envelope_t *header, bytes_t body,
                    arena_t *arena)
{
    server_t *self = context;
    const char *op = strchr (header->target, '.') + 1;
    failure_t failure = {0};
    bus_credit (self->bus, 1);
    if (strcmp (op, "hold") == 0) {
        self->kept = token;
    } else if (strcmp (op, "refuse") == 0) {
        failure_set (&failure, E_CONFLICT, "", "as asked");
        bus_fail (self->bus, token, &failure, false, NULL);
    } else {
        bus_answer (self->bus, token, body, false, NULL);
    }
    arena_destroy (&arena);
}

static void serve (house_t *self, server_t *server, unsigned replica, bool owner)
{
    bus_config_t config = {.endpoint = self->bus,
                           .service = "alpha",
                           .replica = replica,
                           .pid = (unsigned) getpid (),
                           .ops = ops,
                           .credit = 4,
                           .on_ask = on_ask,
                           .context = server};
    failure_t failure = {0};
    assert_int_equal (bus_new (&config, &server->bus, &failure), 0);
    bus_state (server->bus, true, owner, "");
}

static void asker_make (house_t *self)
{
    bus_config_t config = {.endpoint = self->bus, .service = "cli", .pid = (unsigned) getpid ()};
    failure_t failure = {0};
    assert_int_equal (bus_new (&config, &self->asker, &failure), 0);
}

static void done (void *context, const envelope_t *header, bytes_t body, const failure_t *failure)
{
    told_t *told = context;
    (void) header, (void) body;
    told->calls++;
    told->code = failure ? failure->code : 0;
}

/* `large`: with a name of its trace and key that needs a header of more than a first block. */
static told_t *ask (house_t *self, const char *target, uint32_t ttl_ms, uint8_t tenant, bool large)
{
    static char key[LARGE];
    told_t *told = &self->asks[self->ask_count++];
    assert_true (self->ask_count <= ASKS_MOST);
    memset (key, 'k', sizeof key - 1);
    envelope_t e = {.target = target, .ttl_ms = ttl_ms, .principal = PRINCIPAL_CLI};
    memset (e.org.b, tenant, sizeof e.org.b);
    if (large)
        e.idem.key = key;
    bus_ask (self->asker, &e, bytes_of_str ("text"), done, told);
    return told;
}

/* ---- turning ---- */

static void peer_turn (bus_t *bus)
{
    int next_ms;
    while (bus && bus_work (bus, &next_ms)) {}
}

static void turn (house_t *self)
{
    heap_fail_nth (self->left);
    broker_work (self->broker, self->go_on);
    self->left = heap_fail_nth (0);
    peer_turn (self->asker);
    peer_turn (self->first.bus);
    peer_turn (self->second.bus);
    poll (NULL, 0, 1);
}

static bool is_connected (const house_t *self)
{
    return bus_connected (self->asker) && bus_connected (self->first.bus) &&
           (!self->second.bus || bus_connected (self->second.bus));
}

static bool has_owner (const house_t *self)
{
    const service_t *alpha = service_find (self->broker, bytes_of_str ("alpha"));
    return is_connected (self) && alpha && alpha->owner;
}

static bool is_tapped (const house_t *self)
{
    return router_mirror (self->broker->router) != NULL;
}

static bool all_ended (const house_t *self)
{
    for (size_t i = 0; i < self->ask_count; i++)
        if (!self->asks[i].calls)
            return false;
    return true;
}

static bool first_keeps (const house_t *self)
{
    return self->first.kept || all_ended (self);
}

static bool nothing_is_left (const house_t *self)
{
    return !waiting_first (&self->broker->asks) && !self->broker->held_count;
}

static bool until (house_t *self, bool (*is_so) (const house_t *self), int ms)
{
    int64_t end = clock_mono_ms () + ms;
    do
        turn (self);
    while (!is_so (self) && clock_mono_ms () < end);
    return is_so (self);
}

/* ---- one pass ---- */

static void house_open (house_t *self)
{
    *self = (house_t){.folder = "/tmp/aviary-nth-XXXXXX"};
    failure_t failure = {0};
    assert_non_null (mkdtemp (self->folder));
    snprintf (self->bus, sizeof self->bus, "ipc://%s/bus", self->folder);
    snprintf (self->tap, sizeof self->tap, "ipc://%s/tap", self->folder);
    broker_config_t config = {
        .router = {.ipc = self->bus, .tap = self->tap}, .queue_max = 100, .version = "1"};
    assert_int_equal (broker_new (&config, &self->broker, &failure), 0);
    self->go_on = eventfd (1, EFD_CLOEXEC);
}

static void house_close (house_t *self)
{
    char path[128];
    tap_destroy (&self->listener);
    tap_destroy (&self->sieved);
    bus_destroy (&self->asker);
    bus_destroy (&self->first.bus);
    bus_destroy (&self->second.bus);
    broker_destroy (&self->broker);
    close (self->go_on);
    snprintf (path, sizeof path, "%s/bus", self->folder);
    unlink (path);
    snprintf (path, sizeof path, "%s/tap", self->folder);
    unlink (path);
    rmdir (self->folder);
}

static void many_asks (house_t *self)
{
    static const char *const targets[] = {
        "alpha.echo",    "alpha.refuse",  "alpha.write",    "alpha#1.echo", "alpha#7.echo",
        "alpha.none",    "beta.echo",     "messaging.none", "alpha",        "broker.ping",
        "broker.health", "broker.status", "broker.metrics", "broker.none"};
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
        ask (self, targets[i], TTL_MS, (uint8_t) i, false);
    for (uint8_t i = 0; i < 12; i++) /* more than credit */
        ask (self, i % 2 ? "alpha#0.echo" : "alpha.echo", TTL_MS, i, i == 11);
    until (self, all_ended, LONG_MS);
}

/* What a replica has when it goes. */
static void a_replica_goes (house_t *self)
{
    ask (self, "alpha#0.hold", 3 * TTL_MS, 1, false);
    until (self, first_keeps, SOON_MS);
    bus_bye (self->first.bus);
    ask (self, "alpha.echo", TTL_MS, 1, false);
    turn (self);
    bus_destroy (&self->first.bus);
    until (self, all_ended, LONG_MS);
}

static void pass (house_t *self)
{
    failure_t failure = {0};
    asker_make (self);
    ask (self, "alpha.echo", 2 * TTL_MS, 1, false); /* held: nobody has said hello yet */
    for (int i = 0; i < 5; i++)
        turn (self);
    serve (self, &self->first, 0, true);
    serve (self, &self->second, 1, false);
    until (self, has_owner, SOON_MS);
    sieve_t sieve = {.org = {{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}}};
    assert_int_equal (tap_new_sieved (self->tap, &sieve, &self->sieved, &failure), 0);
    until (self, is_tapped, SOON_MS);
    assert_int_equal (tap_new (self->tap, "", &self->listener, &failure), 0);
    for (int i = 0; i < 20; i++)
        turn (self);
    many_asks (self);
    tap_destroy (&self->listener);
    tap_destroy (&self->sieved);
    a_replica_goes (self);
}

/* The codes of asks that end well or as they should; all others must be of the fault. */
static void codes_check (const house_t *self, unsigned n)
{
    static const int may[] = {0,         E_CONFLICT,  E_UNAVAILABLE, E_UNKNOWN_OP,  E_BAD_REQUEST,
                              E_REFUSED, E_NO_MEMORY, E_TIMEOUT,     E_BROKER_LOST, E_REPLICA_LOST};
    for (size_t i = 0; i < self->ask_count; i++) {
        bool known = false;
        for (size_t k = 0; k < sizeof may / sizeof *may; k++)
            known = known || self->asks[i].code == may[k];
        if (self->asks[i].calls != 1 || !known)
            fail_msg ("allocation %u: ask %zu ended %d times, with %s", n, i, self->asks[i].calls,
                      error_name (self->asks[i].code));
    }
}

/* Others come, and are served. */
static void goes_on (house_t *self, unsigned n)
{
    bus_destroy (&self->asker);
    bus_destroy (&self->second.bus);
    self->ask_count = 0;
    memset (self->asks, 0, sizeof self->asks);
    if (!until (self, nothing_is_left, LONG_MS))
        fail_msg ("allocation %u: the broker keeps asks that nobody waits for", n);
    asker_make (self);
    serve (self, &self->first, 2, true);
    if (!until (self, has_owner, LONG_MS))
        fail_msg ("allocation %u: a new replica is not taken", n);
    for (int i = 0; i < 10; i++) /* more than credit: it comes back */
        ask (self, i % 2 ? "alpha.echo" : "alpha.write", LONG_MS, 1, false);
    until (self, all_ended, LONG_MS);
    for (size_t i = 0; i < self->ask_count; i++)
        if (self->asks[i].calls != 1 || self->asks[i].code)
            fail_msg ("allocation %u: afterwards an ask ends with %s", n,
                      error_name (self->asks[i].code));
}

static void test_every_allocation (void **state)
{
    (void) state;
    house_t house;
    unsigned n = 0;
    bool fired = true;
    names_make ();
    while (fired) {
        house_open (&house);
        house.left = ++n;
        pass (&house);
        fired = !house.left;
        house.left = 0;
        codes_check (&house, n);
        goes_on (&house, n);
        house_close (&house);
    }
    assert_in_range (n, 20, 1000);
    print_message ("%u allocations\n", n - 1);
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_every_allocation)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
