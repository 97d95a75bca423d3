/* peer.c - stands in for a service where a test is about the supervisor and the broker only: registers under the name it was started as
 * (aviary-NAME), beats as ready, owns if it is replica 0, answers nothing. Ends on TERM with 0; fails with 70 if the bus does. */
#include "bus/bus.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t stopping;

static void stop (int signal)
{
    (void) signal;
    stopping = 1;
}

static void on_ask (void *context, uint64_t token, const envelope_t *header, bytes_t body,
                    arena_t *arena)
{
    bus_t **bus = context;
    failure_t failure = {0};
    (void) header;
    (void) body;
    failure_set (&failure, E_NOT_FOUND, "", "a test peer answers nothing");
    bus_fail (*bus, token, &failure, false, NULL);
    bus_credit (*bus, 1);
    arena_destroy (&arena);
}

int main (int argc, char **argv)
{
    const char *data = ".", *name = strrchr (argv[0], '/');
    unsigned replica = 0;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp (argv[i], "--data"))
            data = argv[i + 1];
        if (!strcmp (argv[i], "--replica"))
            replica = (unsigned) atoi (argv[i + 1]);
    }
    struct sigaction action = {.sa_handler = stop};
    sigaction (SIGTERM, &action, NULL);
    char endpoint[4096];
    snprintf (endpoint, sizeof endpoint, "ipc://%s/run/bus", data);
    static const char *const ops[] = {"ping", NULL};
    bus_t *bus = NULL;
    failure_t failure = {0};
    bus_config_t config = {
        .endpoint = endpoint,
        .service = name && !strncmp (name, "/aviary-", 8) ? name + 8 : "accounts",
        .replica = replica,
        .pid = (unsigned) getpid (),
        .ops = ops,
        .on_ask = on_ask,
        .context = &bus,
    };
    if (bus_new (&config, &bus, &failure)) {
        fprintf (stderr, "%s\n", failure.text);
        return 70;
    }
    bus_state (bus, true, replica == 0, "");
    while (!stopping) {
        int next_ms = 0;
        while (bus_work (bus, &next_ms) && !stopping)
            ;
        struct pollfd in = {.fd = bus_fd (bus), .events = POLLIN};
        poll (&in, 1, next_ms < 0 ? 50 : next_ms);
    }
    bus_destroy (&bus);
    return 0;
}
