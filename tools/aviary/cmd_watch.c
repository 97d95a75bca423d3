/* cmd_watch.c - `aviary watch`: the supervisor's eyes on the bus, as a process of its own.
 *
 * The supervisor forks, and a ZeroMQ context must not be forked; so this looks at the broker and writes lines to its stdout: with --first-start or
 * --simulate "first" once, when credentials.json is all there (it asks accounts for what is in it), "ready" once, when all rows are ready, and "frozen SERVICE REPLICA PID" for a process that the broker has known and has not heard for --frozen-after
 * milliseconds while its pid lives. A broker that is there and silent for so long is frozen itself. Ends when nobody reads. */
#include "cli.h"
#include "commands.h"
#include "first.h"
#include "house.h"
#include "simulate.h"

#include "base/clock.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LOOK_EVERY_MS = 250, ASK_MS = 1000, STALL_MS = 2500, FIRST_SAY_MS = 5000 };

typedef struct watched {
    char service[24];
    unsigned replica;
    pid_t pid;
    int64_t
        heard_ms; /* when its last beat came, as far as known; 0 = the broker never knew this pid */
    bool told;
} watched_t;

typedef struct watch {
    watched_t rows[RUN_LIST_MAX];
    size_t count;
    int64_t frozen_ms;
    int64_t looked_ms; /* last look */
    int64_t
        answered_ms; /* first of the answers in a row that the broker gives now; 0 = it gives none */
    bool told_ready;
    const char
        *first_url; /* first start: base_url of credentials.json; NULL = there is nothing to do */
    id16_t first_id;
    int64_t first_said_ms;
    bool held;                /* edges wait for our "first" */
    const char *simulate_url; /* the edge as the simulator reaches it; NULL = no simulator */
    simulate_wired_t wired;
    bool wired_done;
    pid_t preset_pid; /* the simulator that knows its numbers */
} watch_t;

static watched_t *watched_find (watch_t *self, const house_row_t *row)
{
    for (size_t i = 0; i < self->count; i++)
        if (!strcmp (self->rows[i].service, row->service) && self->rows[i].replica == row->replica)
            return &self->rows[i];
    if (self->count == RUN_LIST_MAX)
        return NULL;
    watched_t *w = &self->rows[self->count++];
    memcpy (w->service, row->service, sizeof w->service);
    w->replica = row->replica;
    return w;
}

static void tell_frozen (watched_t *w)
{
    if (!w->told)
        printf ("frozen %s %u %d\n", w->service, w->replica, (int) w->pid);
    w->told = true;
}

static void row_judge (watch_t *self, const house_row_t *row, bool answered, int64_t now)
{
    watched_t *w = watched_find (self, row);
    if (!w)
        return;
    if (w->pid != row->pid) { /* a new process: nothing is known of it */
        w->pid = row->pid;
        w->heard_ms = 0;
        w->told = false;
    }
    bool broker = !strcmp (row->service, "broker");
    if (row->seen)
        w->heard_ms = now - (broker ? 0 : row->beat_age_ms);
    if (!w->pid || !w->heard_ms || now - w->heard_ms < self->frozen_ms)
        return;
    /* Silence counts for a service only while the broker could have told of it: after its own start peers need time to come back. */
    if (broker || (answered && self->answered_ms && now - self->answered_ms >= self->frozen_ms))
        tell_frozen (w);
}

static bool owner_ready (const house_t *house, const char *service)
{
    for (size_t i = 0; i < house->count; i++)
        if (!strcmp (house->rows[i].service, service) && house->rows[i].ready &&
            house->rows[i].owner)
            return true;
    return false;
}

/* Not at every look: what does not work now may work in a moment. */
static void say (watch_t *self, int rc, const char *what, const failure_t *failure)
{
    int64_t now = clock_mono_ms ();
    if (!rc || now - self->first_said_ms < FIRST_SAY_MS)
        return;
    printf ("%s: %s\n", what, failure->text);
    self->first_said_ms = now;
}

/* The first start. Repeats have the same id, so an answer that got lost is told again; what cannot be mended is said and ends it. */
static void first (watch_t *self, const char *data, client_t *client, const house_t *house)
{
    failure_t failure = {0};
    bool done = first_done (data);
    if (!done && !owner_ready (house, "accounts"))
        return;
    int rc = done ? 0 : first_start (client, data, self->first_url, self->first_id, &failure);
    say (self, rc, "first start", &failure);
    if (rc && error_class (rc) == EC_UNAVAILABLE)
        return;
    self->first_url = NULL;
}

static pid_t simulator_pid (const house_t *house)
{
    for (size_t i = 0; i < house->count; i++)
        if (!strcmp (house->rows[i].service, SIMULATE_SERVICE))
            return house->rows[i].pid;
    return 0;
}

/* Accounts and numbers once; the simulator's own memory at each of its starts. What cannot be mended is said and the house goes on without. */
static void simulator (watch_t *self, const char *data, client_t *client, const house_t *house)
{
    failure_t failure = {0};
    pid_t pid = simulator_pid (house);
    int rc = 0;
    if (!self->wired_done && !(owner_ready (house, "accounts") && owner_ready (house, "messaging")))
        return;
    if (!self->wired_done)
        rc = simulate_wire (client, data, self->simulate_url, &self->wired, &failure);
    bool later = rc && error_class (rc) == EC_UNAVAILABLE;
    self->wired_done = !later;
    if (!rc && pid && pid != self->preset_pid) {
        rc = *self->wired.meta_callback ? simulate_preset (data, &self->wired, &failure) : 0;
        if (!rc || error_class (rc) != EC_UNAVAILABLE)
            self->preset_pid = pid;
    }
    say (self, rc, "simulator", &failure);
}

/* The first start and the simulator's wiring come before the edges, so that who sees them ready finds all of credentials.json. */
static void prepare (watch_t *self, const char *data, client_t *client, const house_t *house)
{
    if (self->first_url)
        first (self, data, client, house);
    if (!self->first_url && self->simulate_url)
        simulator (self, data, client, house);
    if (self->held && !self->first_url &&
        (!self->simulate_url || (self->wired_done && self->preset_pid))) {
        puts ("first");
        self->held = false;
    }
}

static void look (watch_t *self, const char *data, client_t *client)
{
    house_t house;
    house_look (data, client_connected (client) ? client : NULL, ASK_MS, &house);
    int64_t now = clock_mono_ms ();
    if (now - self->looked_ms >
        STALL_MS) /* we were away ourselves: nobody else's silence follows from that */
        for (size_t i = 0; i < self->count; i++)
            self->rows[i].heard_ms = self->rows[i].heard_ms ? now : 0;
    self->looked_ms = now;
    if (!house.answered)
        self->answered_ms = 0;
    else if (!self->answered_ms)
        self->answered_ms = now;
    for (size_t i = 0; i < house.count; i++)
        row_judge (self, &house.rows[i], house.answered, now);
    if (house.answered)
        prepare (self, data, client, &house);
    if (!self->told_ready && house.supervised && house_ready (&house)) {
        puts ("ready");
        self->told_ready = true;
    }
    fflush (stdout);
}

int cmd_watch (int argc, char **argv)
{
    const char *data = NULL;
    watch_t watch = {.frozen_ms = 5000, .first_said_ms = -FIRST_SAY_MS};
    const cli_option_t options[] = {
        {"--data", "DIR", "the house's folder", CLI_TEXT, &data, 0, 0},
        {"--frozen-after", "MS", "silence after which a process is told frozen", CLI_MILLIS,
         &watch.frozen_ms, 500, 600000},
        {"--first-start", "URL", "make credentials.json with this base_url", CLI_TEXT,
         &watch.first_url, 0, 0},
        {"--simulate", "URL", "wire the live app to the simulator, which reaches the edge at URL",
         CLI_TEXT, &watch.simulate_url, 0, 0},
    };
    cli_form_t form = {
        .command = "watch",
        .about = "For the supervisor: tells who is ready and who is frozen.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
    };
    int rc = cli_read (&form, argc, argv);
    if (rc >= 0)
        return rc;
    if (!data)
        return cli_fail (EX_USAGE, "watch: --data is needed");
    client_t *client = NULL;
    failure_t failure = {0};
    signal (SIGPIPE, SIG_DFL);
    id_source_t ids = {0};
    watch.held = watch.first_url || watch.simulate_url;
    watch.first_id = id_next (&ids, clock_now_ms ());
    if (client_open (data, 0, &client, &failure))
        return client_fail ("watch", &failure);
    for (;;) {
        look (&watch, data, client);
        client_idle (client, LOOK_EVERY_MS);
    }
}
