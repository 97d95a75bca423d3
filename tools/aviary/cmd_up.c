/* cmd_up.c - `aviary up`: flags into a plan, then the supervisor.
 *
 * Checks what would make every program fail before it starts any: the folder, the supervisor's lock, the ports. A busy port is EX_UNAVAILABLE
 * (69) and names the holder. */
#include "cli.h"
#include "commands.h"
#include "files.h"
#include "first.h"
#include "port.h"
#include "simulate.h"
#include "supervisor.h"

#include "bus/bus.h"
#include "gen/accounts.h"
#include "gen/broker.h"
#include "gen/common.h"
#include "gen/edge.h"
#include "gen/inbox.h"
#include "gen/messaging.h"
#include "gen/templates.h"
#include "gen/webhooks.h"
#include "sign/sign.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { REPLICAS_MAX = 16, DATA_LENGTH_MAX = 80 /* socket paths end at 107 bytes */ };

typedef struct up {
    const char *data_text, *listen, *public_url, *rate_limits, *allow;
    cli_list_t replicas;
    int64_t loopback_delay_ms; /* -1 = not given */
    int64_t frozen_ms;
    bool no_demo, test_clock, simulate;
    simulate_t sim;
    char data[PATH_MAX]; /* absolute */
    char bin[PATH_MAX];  /* folder of the programs */
    char host[64];
    uint16_t port;
    char url[512];
} up_t;

/* Starting order; it does not matter to them, each waits for what it needs. */
static const struct {
    const char *name;
    child_role_t role;
    const schema_service_t *contract;
} services[] = {
    {"broker", CHILD_BROKER, &broker_contract},
    {"accounts", CHILD_SERVICE, &accounts_contract},
    {"messaging", CHILD_SERVICE, &messaging_contract},
    {"templates", CHILD_SERVICE, &templates_contract},
    {"inbox", CHILD_SERVICE, &inbox_contract},
    {"webhooks", CHILD_SERVICE, &webhooks_contract},
    {"edge", CHILD_EDGE, &edge_contract},
};
enum { SERVICE_COUNT = sizeof services / sizeof services[0] };

static int replicas_of (const up_t *up, const char *service, unsigned *out)
{
    size_t length = strlen (service);
    *out = 1;
    for (size_t i = 0; i < up->replicas.count; i++) {
        const char *item = up->replicas.items[i];
        if (strncmp (item, service, length) || item[length] != '=')
            continue;
        char *end;
        unsigned long n = strtoul (item + length + 1, &end, 10);
        if (*end || end == item + length + 1 || n < 1 || n > REPLICAS_MAX)
            return cli_fail (EX_USAGE, "up: --replicas %s: from 1 to %d", item, REPLICAS_MAX);
        *out = (unsigned) n;
    }
    return 0;
}

static int replicas_check (const up_t *up)
{
    unsigned n;
    for (size_t i = 0; i < up->replicas.count; i++) {
        const char *item = up->replicas.items[i];
        bool known = false;
        for (size_t k = 0; k < SERVICE_COUNT; k++) {
            size_t length = strlen (services[k].name);
            known = known || (!strncmp (item, services[k].name, length) && item[length] == '=');
        }
        if (!known)
            return cli_fail (
                EX_USAGE, "up: --replicas takes SERVICE=N with a service of ours, not '%s'", item);
    }
    for (size_t k = 0; k < SERVICE_COUNT; k++)
        if (replicas_of (up, services[k].name, &n))
            return EX_USAGE;
    replicas_of (up, "broker", &n);
    return n > 1 ? cli_fail (EX_USAGE, "up: there is one broker; it has no replicas") : 0;
}

static int rate_limits_check (const char *text)
{
    if (!text || !strcmp (text, "on") || !strcmp (text, "off"))
        return 0;
    char *end;
    unsigned long n = strtoul (text, &end, 10);
    if (*text < '0' || *text > '9' || *end || n < 1 || n > 1000000)
        return cli_fail (EX_USAGE,
                         "up: --rate-limits is on, off, or a number from 1 to 1000000, not '%s'",
                         text);
    return 0;
}

static int flags_check (up_t *up)
{
    if (!port_read (up->listen, up->host, sizeof up->host, &up->port))
        return cli_fail (EX_USAGE, "up: --listen is HOST:PORT with an IPv4 address, not '%s'",
                         up->listen);
    if (up->public_url && strncmp (up->public_url, "http://", 7) &&
        strncmp (up->public_url, "https://", 8))
        return cli_fail (EX_USAGE, "up: --public-url begins with http:// or https://, unlike '%s'",
                         up->public_url);
    int n = up->public_url ? snprintf (up->url, sizeof up->url, "%s", up->public_url)
                           : snprintf (up->url, sizeof up->url, "http://%s:%u", up->host, up->port);
    if (n < 0 || (size_t) n >= sizeof up->url)
        return cli_fail (EX_USAGE, "up: --public-url is too long");
    if (!cli_absolute (up->data_text, up->data, sizeof up->data) ||
        strlen (up->data) > DATA_LENGTH_MAX)
        return cli_fail (EX_USAGE,
                         "up: the path of --data has over %d bytes, too many for the sockets in it",
                         DATA_LENGTH_MAX);
    int rc = replicas_check (up);
    return rc ? rc : rate_limits_check (up->rate_limits);
}

static int programs_find (up_t *up)
{
    ssize_t n = readlink ("/proc/self/exe", up->bin, sizeof up->bin - 1);
    if (n <= 0)
        return cli_fail (EX_OSERR, "up: cannot read /proc/self/exe: %s", strerror (errno));
    up->bin[n] = '\0';
    char *slash = strrchr (up->bin, '/');
    if (slash)
        *slash = '\0';
    for (size_t i = 0; i < SERVICE_COUNT; i++) {
        char path[PATH_MAX + 64];
        snprintf (path, sizeof path, "%s/aviary-%s", up->bin, services[i].name);
        if (access (path, X_OK))
            return cli_fail (EX_UNAVAILABLE, "up: %s: %s; build the whole tree", path,
                             strerror (errno));
    }
    return 0;
}

static int ports_check (const up_t *up)
{
    unsigned edges;
    char holder[96];
    replicas_of (up, "edge", &edges);
    if ((unsigned) up->port + edges - 1 > 65535)
        return cli_fail (EX_USAGE, "up: port %u leaves no room for %u edges", up->port, edges);
    for (unsigned i = 0; i < edges; i++) {
        uint16_t port = (uint16_t) (up->port + i);
        int rc = port_try (up->host, port);
        if (!rc)
            continue;
        if (rc != EADDRINUSE)
            return cli_fail (EX_UNAVAILABLE, "up: cannot listen on %s:%u: %s", up->host, port,
                             strerror (rc));
        port_holder (port, holder, sizeof holder);
        return cli_fail (EX_UNAVAILABLE,
                         "up: %s:%u is in use by %s; stop it or choose another --listen", up->host,
                         port, holder);
    }
    return 0;
}

static int folder_open (const up_t *up)
{
    char run[PATH_MAX + 8];
    failure_t failure = {0};
    snprintf (run, sizeof run, "%s/run", up->data);
    int rc = folder_make (up->data);
    if (!rc)
        rc = folder_make (run);
    if (rc)
        return cli_fail (EX_CANTCREAT, "up: cannot make %s: %s", run, strerror (rc));
    if (bus_lock (run, "supervisor", &failure))
        return cli_fail (EX_UNAVAILABLE, "up: %s has a supervisor already: %s", up->data,
                         failure.text);
    return 0;
}

enum { SIMULATOR_PORT_AHEAD = 100 };

static int simulator_open (up_t *up)
{
    char path[PATH_MAX + 16];
    failure_t failure = {0};
    if (!up->simulate)
        return 0;
    snprintf (path, sizeof path, "%s/aviary-sim", up->bin);
    if (access (path, X_OK))
        return cli_fail (EX_UNAVAILABLE, "up: %s: %s; build the whole tree", path,
                         strerror (errno));
    unsigned first = up->port + SIMULATOR_PORT_AHEAD;
    if (sign_init ())
        return cli_fail (EX_OSERR, "up: no cryptography");
    if (simulate_open (up->data, (uint16_t) (first < 65000 ? first : 20000), &up->sim, &failure))
        return cli_fail (EX_UNAVAILABLE, "up: %s", failure.text);
    return 0;
}

/* ---- the plan ---- */

static bool local_only (const up_t *up)
{
    return port_is_loopback (up->host) && !up->public_url;
}

/* Flags become settings: each goes to every service whose schema has a setting of that name. Returns false to leave it out. */
typedef bool (value_fn) (const up_t *up, char *out, size_t size);

static bool public_url_value (const up_t *up, char *out, size_t size)
{
    snprintf (out, size, "%s", up->url);
    return true;
}

static bool rate_limits_value (const up_t *up, char *out, size_t size)
{
    snprintf (out, size, "%s", up->rate_limits ? up->rate_limits : "");
    return up->rate_limits;
}

static bool loopback_delay_value (const up_t *up, char *out, size_t size)
{
    snprintf (out, size, "%lldms", (long long) up->loopback_delay_ms);
    return up->loopback_delay_ms >= 0;
}

static bool allow_private_value (const up_t *up, char *out, size_t size)
{
    const char *loopback = local_only (up) ? "127.0.0.0/8,::1/128" : "";
    snprintf (out, size, "%s%s%s", loopback, *loopback && up->allow ? "," : "",
              up->allow ? up->allow : "");
    return *out;
}

/* Who allows private networks has test targets in them, and those speak plain HTTP. */
static bool allow_http_value (const up_t *up, char *out, size_t size)
{
    snprintf (out, size, "on");
    return local_only (up) || up->allow;
}

static bool test_clock_value (const up_t *up, char *out, size_t size)
{
    snprintf (out, size, "on");
    return up->test_clock;
}

/* Edges, then services, get their share of the ten seconds. */
static bool drain_value (const up_t *up, char *out, size_t size)
{
    (void) up;
    snprintf (out, size, "4s");
    return true;
}

static const struct {
    const char *setting;
    value_fn *value;
} settings[] = {
    {"public_url", public_url_value},
    {"rate_limits", rate_limits_value},
    {"loopback_delay", loopback_delay_value},
    {"allow_private", allow_private_value},
    {"allow_http", allow_http_value},
    {"test_clock", test_clock_value},
    {"drain", drain_value},
};

static bool setting_in (const schema_service_t *contract, const char *name)
{
    for (size_t i = 0; i < contract->setting_count; i++)
        if (!strcmp (contract->settings[i].name, name))
            return true;
    return false;
}

static bool setting_arg (child_t *c, const char *setting, const char *value)
{
    char flag[64];
    snprintf (flag, sizeof flag, "--%s", setting);
    for (char *at = flag; (at = strchr (at, '_'));)
        *at = '-';
    return child_arg (c, "%s", flag) && child_arg (c, "%s", value);
}

static bool service_args (const up_t *up, child_t *c, const schema_service_t *contract)
{
    bool runtime =
        c->role !=
        CHILD_BROKER; /* the broker is below the runtime and has settings of its own only */
    char value[4096];
    bool ok =
        child_arg (c, "%s/aviary-%s", up->bin, c->service) && setting_arg (c, "data", up->data);
    snprintf (value, sizeof value, "%u", c->replica);
    if (ok && runtime)
        ok = setting_arg (c, "replica", value);
    snprintf (value, sizeof value, "%s:%u", up->host,
              up->port); /* replica n of the edge adds n itself */
    if (ok && c->role == CHILD_EDGE)
        ok = setting_arg (c, "listen", value);
    for (size_t i = 0; ok && i < sizeof settings / sizeof settings[0]; i++) {
        bool known = setting_in (contract, settings[i].setting) ||
                     (runtime && setting_in (&common_contract, settings[i].setting));
        if (known && settings[i].value (up, value, sizeof value))
            ok = setting_arg (c, settings[i].setting, value);
    }
    /* The simulator speaks plain HTTP; customers' webhooks need not. */
    bool carries = setting_in (contract, "allow_http") && strcmp (c->service, "webhooks") != 0;
    if (ok && up->simulate && carries && !allow_http_value (up, value, sizeof value))
        ok = setting_arg (c, "allow_http", "on");
    return ok;
}

static bool simulator_plan (const up_t *up, supervisor_t *s)
{
    char clock[PATH_MAX + 16];
    child_t *c = up->simulate ? supervisor_add (s, CHILD_SERVICE, SIMULATE_SERVICE, 0) : NULL;
    snprintf (clock, sizeof clock, "%s/run/clock", up->data);
    return !up->simulate ||
           (c && simulate_args (&up->sim, up->bin, up->test_clock ? clock : NULL, c));
}

/* Edges wait for the first start and for the simulator, so that who gets 200 from /readyz finds credentials.json. */
static bool plan (const up_t *up, supervisor_t *s, bool first)
{
    for (size_t i = 0; i < SERVICE_COUNT; i++) {
        unsigned n;
        replicas_of (up, services[i].name, &n);
        for (unsigned k = 0; k < n; k++) {
            child_t *c = supervisor_add (s, services[i].role, services[i].name, k);
            if (!c || !service_args (up, c, services[i].contract))
                return false;
            c->held = (first || up->simulate) && services[i].role == CHILD_EDGE;
        }
    }
    if (!simulator_plan (up, s))
        return false;
    child_t *watch = supervisor_add (s, CHILD_WATCH, "watch", 0);
    return watch && child_arg (watch, "%s/aviary", up->bin) && child_arg (watch, "watch") &&
           child_arg (watch, "--data") && child_arg (watch, "%s", up->data) &&
           child_arg (watch, "--frozen-after") &&
           child_arg (watch, "%lld", (long long) up->frozen_ms) &&
           (!first || (child_arg (watch, "--first-start") && child_arg (watch, "%s", up->url))) &&
           (!up->simulate || (child_arg (watch, "--simulate") && child_arg (watch, "%s", up->url)));
}

/* What to run once everything is ready, at the first start. */
static void demo_plan (const up_t *up, supervisor_t *s, const char *self, const char *edge)
{
    const char *args[] = {"demo", "--data", up->data_text, "--url", edge};
    if (up->no_demo)
        return;
    s->ready_run = self;
    memcpy (s->ready_args, args, sizeof args);
}

static int run (up_t *up)
{
    char self[PATH_MAX + 16], edge[128], line[PATH_MAX + 600];
    bool first = !first_done (up->data);
    snprintf (self, sizeof self, "%s/aviary", up->bin);
    snprintf (edge, sizeof edge, "http://%s:%u",
              strcmp (up->host, "0.0.0.0") ? up->host : "127.0.0.1", up->port);
    snprintf (line, sizeof line, "ready at %s, data in %s", up->url, up->data);
    supervisor_t s;
    supervisor_init (&s, up->data);
    s.ready_line = line;
    if (first)
        demo_plan (up, &s, self, edge);
    if (local_only (up))
        logs_printf (
            &s.logs, "aviary",
            "http:// and loopback webhook targets are allowed: --listen is loopback and there is no "
            "--public-url");
    int rc = plan (up, &s, first) ? supervisor_run (&s) : cli_fail (EX_OSERR, "up: out of memory");
    supervisor_free (&s);
    sign_wipe (&up->sim, sizeof up->sim);
    return rc;
}

int cmd_up (int argc, char **argv)
{
    up_t *up = calloc (1, sizeof *up);
    if (!up)
        return cli_fail (EX_OSERR, "up: out of memory");
    up->data_text = "./var";
    up->listen = "127.0.0.1:8080";
    up->loopback_delay_ms = -1;
    up->frozen_ms = 5000;
    const cli_option_t options[] = {
        {"--data", "DIR", "stores, keys, run files (default ./var)", CLI_TEXT, &up->data_text, 0,
         0},
        {"--listen", "HOST:PORT", "HTTP; edge replica n listens on PORT+n (default 127.0.0.1:8080)",
         CLI_TEXT, &up->listen, 0, 0},
        {"--public-url", "URL", "how clients reach the edge (default http://HOST:PORT)", CLI_TEXT,
         &up->public_url, 0, 0},
        {"--replicas", "SERVICE=N", "processes of a service; may be repeated", CLI_LIST,
         &up->replicas, 0, 0},
        {"--rate-limits", "on|off|N", "as documented, none, or N requests a minute in each bucket",
         CLI_TEXT, &up->rate_limits, 0, 0},
        {"--no-demo", NULL, "do not tell the story of the first run", CLI_SWITCH, &up->no_demo, 0,
         0},
        {"--loopback-delay", "MS", "how long the loopback carrier takes", CLI_MILLIS,
         &up->loopback_delay_ms, 0, 60000},
        {"--allow-private-targets", "CIDR", "webhooks may go to these networks; a list with commas",
         CLI_TEXT, &up->allow, 0, 0},
        {"--frozen-after", "MS", "kill a process that gave no beat for so long (default 5000)",
         CLI_MILLIS, &up->frozen_ms, 3000, 600000},
        {"--simulate", NULL,
         "also run aviary-sim, and wire the live app to it: see credentials.json", CLI_SWITCH,
         &up->simulate, 0, 0},
        {"--test-clock", NULL, "follow the clock that `aviary clock` advances", CLI_SWITCH,
         &up->test_clock, 0, 0},
    };
    cli_form_t form = {
        .command = "up",
        .about =
            "Starts the broker and all services from the folder of this program, restarts what ends, and stays until TERM, which\n"
            "drains within ten seconds. Settings of a service: DIR/aviary.conf or AVIARY_<SERVICE>_<NAME>.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
    };
    int rc = cli_read (&form, argc, argv);
    if (rc < 0) {
        rc = flags_check (up);
        rc = rc ? rc : programs_find (up);
        rc = rc ? rc : ports_check (up);
        rc = rc ? rc : folder_open (up);
        rc = rc ? rc : simulator_open (up);
        rc = rc ? rc : run (up);
    }
    free (up);
    return rc;
}
