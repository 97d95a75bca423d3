/* test_replica.c - a service for the broker's tests: test-replica ENDPOINT SERVICE REPLICA CREDIT [owner] [bare]. As test-replica run
 * PROGRAM ARGS it becomes that program, which then ends with the one who started it.
 *
 * Ops: echo (the body back), who ("SERVICE#N sender"), hold (never answers, keeps its credit), slow and later (answer after 20 and 400 ms and give
 * the credit back then), count (how often incr ran), incr (owner only, says "N by REPLICA"), sms_send (to have one of the schema). `bare`
 * leaves out echo. SIGUSR1: become the owner. SIGTERM: bye, and end after 200 ms. */
#include "bus/bus.h"

#include "base/clock.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { SLOW_MAX = 256, SLOW_MS = 20, LATER_MS = 400 };

typedef struct slow {
    uint64_t token;
    int64_t at_ms;
} slow_t;

typedef struct replica {
    bus_t *bus;
    const char *service;
    int number;
    int count;
    slow_t slow[SLOW_MAX];
    int slow_count;
} replica_t;

static void say (replica_t *self, uint64_t token, const char *text)
{
    bus_answer (self->bus, token, bytes_of_str (text), false, NULL);
}

static void on_ask (void *context, uint64_t token, const envelope_t *header, bytes_t body,
                    arena_t *arena)
{
    replica_t *self = context;
    const char *op = strchr (header->target, '.') + 1;
    bool slow = !strcmp (op, "slow"), later = !strcmp (op, "later");
    bool keep = slow || later || !strcmp (op, "hold");
    if ((slow || later) && self->slow_count < SLOW_MAX)
        self->slow[self->slow_count++] =
            (slow_t){token, clock_mono_ms () + (slow ? SLOW_MS : LATER_MS)};
    else if (!strcmp (op, "echo"))
        bus_answer (self->bus, token, body, true, "req_first");
    else if (!strcmp (op, "who"))
        say (self, token,
             arena_printf (arena, "%s#%d %s", self->service, self->number, header->sender));
    else if (!strcmp (op, "incr"))
        say (self, token, arena_printf (arena, "%d by %d", ++self->count, self->number));
    else if (!strcmp (op, "count"))
        say (self, token, arena_printf (arena, "%d", self->count));
    else if (!keep) {
        failure_t failure = {0};
        failure_set (&failure, E_CONFLICT, "from", "always");
        bus_fail (self->bus, token, &failure, false, NULL);
    }
    if (!keep)
        bus_credit (self->bus, 1);
    arena_destroy (&arena);
}

static void slow_answer (replica_t *self)
{
    int64_t now = clock_mono_ms ();
    for (int i = 0; i < self->slow_count; i++) {
        if (self->slow[i].at_ms > now)
            continue;
        say (self, self->slow[i].token, "slow");
        bus_credit (self->bus, 1);
        memmove (&self->slow[i], &self->slow[i + 1],
                 (size_t) (--self->slow_count - i) * sizeof self->slow[0]);
        i--;
    }
}

static int signals_open (void)
{
    sigset_t set;
    sigemptyset (&set);
    sigaddset (&set, SIGTERM);
    sigaddset (&set, SIGUSR1);
    sigprocmask (SIG_BLOCK, &set, NULL);
    return signalfd (-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* When to end: 200 ms after TERM. */
static int64_t signal_take (replica_t *self, int fd, int64_t end_ms)
{
    struct signalfd_siginfo info;
    while (read (fd, &info, sizeof info) == (ssize_t) sizeof info) {
        if (info.ssi_signo == SIGUSR1) {
            bus_state (self->bus, true, true, "");
            continue;
        }
        bus_bye (self->bus);
        end_ms = clock_mono_ms () + 200;
    }
    return end_ms;
}

static void run (replica_t *self, int signals)
{
    int64_t end_ms = INT64_MAX;
    while (clock_mono_ms () < end_ms) {
        int next_ms = 0;
        while (bus_work (self->bus, &next_ms)) {}
        if (next_ms > 5)
            next_ms = 5;
        struct pollfd fds[] = {{bus_fd (self->bus), POLLIN, 0}, {signals, POLLIN, 0}};
        poll (fds, 2, next_ms);
        end_ms = signal_take (self, signals, end_ms);
        slow_answer (self);
    }
}

int main (int argc, char **argv)
{
    static const char *const ops[] = {"who",   "hold",      "slow", "later", "count",
                                      "incr!", "sms_send!", "echo", NULL};
    static const char *const bare_ops[] = {"who",   "hold",  "slow",      "later",
                                           "count", "incr!", "sms_send!", NULL};
    prctl (PR_SET_PDEATHSIG, SIGKILL); /* outlives exec */
    if (argc >= 3 && !strcmp (argv[1], "run"))
        return execv (argv[2], argv + 2);
    if (argc < 5)
        return 64;
    bool owner = false, bare = false;
    for (int i = 5; i < argc; i++) {
        owner = owner || !strcmp (argv[i], "owner");
        bare = bare || !strcmp (argv[i], "bare");
    }
    replica_t self = {.service = argv[2], .number = atoi (argv[3])};
    bus_config_t config = {
        .endpoint = argv[1],
        .service = argv[2],
        .replica = (unsigned) self.number,
        .pid = (unsigned) getpid (),
        .ops = bare ? bare_ops : ops,
        .credit = (uint32_t) atoi (argv[4]),
        .on_ask = on_ask,
        .context = &self,
    };
    failure_t failure = {0};
    int signals = signals_open ();
    if (bus_new (&config, &self.bus, &failure)) {
        fprintf (stderr, "%s\n", failure.text);
        return 70;
    }
    bus_state (self.bus, true, owner, "");
    run (&self, signals);
    bus_destroy (&self.bus);
    return 0;
}
