/* broker.c - aviary-broker: every ask between services passes here.
 *
 * Owns nothing durable: which replicas are there it learns from their hellos, and after a restart they come again and fail what was
 * under way as broker_lost. DIR/run/broker.lock keeps a second broker from stealing the peers of the first. Answers status, metrics,
 * health and ping under its own name. Ends with 0 on TERM or INT, 78 if settings or keys do not fit, 69 if the lock or an address is
 * taken, 64 on a wrong flag, 74 if files cannot be written. */
#include "core.h"
#include "log.h"
#include "settings.h"

#include "bus/bus.h"
#include "bus/curve.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

typedef struct places {
    char run[PATH_MAX];
    char bus[PATH_MAX + 8];
    char tap[PATH_MAX + 8];
} places_t;

static int fatal (const failure_t *failure)
{
    log_line ("error", failure->text,
              (log_field_t[]){
                  {"field", failure->field, 0}, {"code", error_name (failure->code), 0}, {0}});
    return failure->code == E_CONFLICT ? EX_UNAVAILABLE
           : failure->code == E_IO     ? EX_IOERR
                                       : EX_CONFIG;
}

static int places_find (const broker_settings_t *settings, places_t *out, failure_t *failure)
{
    char data[PATH_MAX - 8];
    const char *slash = settings->data[0] == '/' ? "" : "/";
    char here[PATH_MAX - 8] = "";
    if (*slash && !getcwd (here, sizeof here))
        return failure_set (failure, E_IO, "data", "cannot tell the working folder: %s",
                            strerror (errno));
    if ((size_t) snprintf (data, sizeof data, "%s%s%s", here, slash, settings->data) >= sizeof data)
        return failure_set (failure, E_BAD_REQUEST, "data", "the path is too long");
    snprintf (out->run, sizeof out->run, "%s/run", data);
    snprintf (out->bus, sizeof out->bus, "ipc://%s/run/bus", data);
    snprintf (out->tap, sizeof out->tap, "ipc://%s/run/tap", data);
    return wire_endpoint_check (out->bus, failure);
}

static int settings_check (const broker_settings_t *settings, failure_t *failure)
{
    curve_keys_t own;
    if (!*settings->listen)
        return 0;
    if (strncmp (settings->listen, "tcp://", 6) != 0)
        return failure_set (failure, E_BAD_REQUEST, "listen", "%s is not tcp://HOST:PORT",
                            settings->listen);
    int code = wire_endpoint_check (settings->listen, failure);
    if (!code && !*settings->keys)
        code =
            failure_set (failure, E_BAD_REQUEST, "keys", "listening on TCP needs a folder of keys");
    if (!code)
        code = curve_keys_load (settings->keys, "broker", &own, failure);
    if (!code)
        curve_keys_wipe (&own);
    return code;
}

static int folders_make (const broker_settings_t *settings, const places_t *places,
                         failure_t *failure)
{
    if ((mkdir (settings->data, 0700) && errno != EEXIST) ||
        (mkdir (places->run, 0700) && errno != EEXIST))
        return failure_set (failure, E_IO, "data", "cannot make %s: %s", places->run,
                            strerror (errno));
    return 0;
}

static void tell (void *context, const char *what, const peer_t *peer, const char *detail)
{
    (void) context;
    bool lost = !strncmp (what, "peer lost", 9) || !strncmp (what, "peer frozen", 11) ||
                !strncmp (what, "hello", 5);
    log_field_t fields[] = {{"detail", detail, 0}, {0}, {0}, {0}, {0}};
    if (peer) {
        fields[1] = (log_field_t){"peer", peer->name, 0};
        fields[2] = (log_field_t){"replica", NULL, peer->replica};
        fields[3] = (log_field_t){"pid", NULL, peer->pid};
    }
    log_line (lost && peer && peer->service ? "warn"
              : lost && !peer               ? "warn"
                                            : "info",
              what, fields);
}

/* TERM and INT as a descriptor; blocked before any thread is made, so that no thread dies of them. */
static int signals_open (void)
{
    sigset_t set;
    sigemptyset (&set);
    sigaddset (&set, SIGTERM);
    sigaddset (&set, SIGINT);
    sigprocmask (SIG_BLOCK, &set, NULL);
    signal (SIGPIPE, SIG_IGN);
    return signalfd (-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Tells systemd or whoever set NOTIFY_SOCKET (sd_notify(3)). */
static void notify (const char *state)
{
    const char *path = getenv ("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!path || strlen (path) >= sizeof address.sun_path)
        return;
    memcpy (address.sun_path, path, strlen (path));
    if (path[0] == '@')
        address.sun_path[0] = 0;
    int fd = socket (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t size = (socklen_t) (offsetof (struct sockaddr_un, sun_path) + strlen (path));
    if (fd >= 0) {
        (void) !sendto (fd, state, strlen (state), MSG_NOSIGNAL, (struct sockaddr *) &address,
                        size);
        close (fd);
    }
}

static int serve (const broker_settings_t *settings, const places_t *places, failure_t *failure)
{
    broker_t *broker = NULL;
    broker_config_t config = {
        .router = {.ipc = places->bus, .tap = places->tap},
        .queue_max = (size_t) settings->queue_max,
        .version = AVIARY_VERSION,
        .tell = tell,
    };
    if (*settings->listen) {
        config.router.tcp = settings->listen;
        config.router.keys = settings->keys;
    }
    int fd = signals_open ();
    int code = fd < 0 ? failure_set (failure, E_IO, "", "no signalfd: %s", strerror (errno))
                      : broker_new (&config, &broker, failure);
    if (code)
        return code;
    log_line ("info", "broker ready",
              (log_field_t[]){{"endpoint", places->bus, 0},
                              {"listen", settings->listen, 0},
                              {"pid", NULL, getpid ()},
                              {0}});
    notify ("READY=1");
    while (!broker_work (broker, fd)) {}
    notify ("STOPPING=1");
    log_line ("info", "broker stops", NULL);
    broker_destroy (&broker);
    close (fd);
    return 0;
}

int main (int argc, char **argv)
{
    broker_settings_t settings;
    settings_action_t action;
    places_t places;
    failure_t failure = {0};
    int code = settings_read (argc, argv, &settings, &action);
    if (code || action == SETTINGS_SHOWN)
        return code;
    code = settings_check (&settings, &failure);
    if (!code)
        code = places_find (&settings, &places, &failure);
    if (!code && action == SETTINGS_CHECK) {
        printf ("the settings fit\n");
        return 0;
    }
    if (!code)
        code = folders_make (&settings, &places, &failure);
    if (!code)
        code = bus_lock (places.run, "broker", &failure);
    if (!code)
        code = serve (&settings, &places, &failure);
    return code ? fatal (&failure) : 0;
}
