/* main.c - aviary-sim: plays Meta's Graph API and Telnyx v2 on one port, and is told what goes wrong under /_sim (docs/simulators.md).
 *
 * Security: on loopback unless told otherwise; the control API has no password. How it fails: 64 for wrong flags, 69 when it cannot listen. */
#include "callbacks.h"
#include "telnyx.h"

#include "base/clock.h"
#include "sign/sign.h"
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_USAGE = 64, EXIT_UNAVAILABLE = 69, STOP_MS = 2000 };

typedef struct options {
    const char *listen;
    const char *seed;
    const char *clock;
    bool bare; /* without the sample numbers */
} options_t;

static void help (void)
{
    const char *name, *doc;
    puts ("aviary-sim: Meta's WhatsApp Cloud API and Telnyx v2, simulated for tests\n\n"
          "  --listen HOST:PORT       IPv4 address and port (127.0.0.1:8090; port 0 = any free)\n"
          "  --seed TEXT              makes all made-up ids the same at every start\n"
          "  --clock FILE             share the time offset in this file (aviary up --test-clock)\n"
          "  --bare                   start without the sample numbers\n"
          "  --help, --version\n\nSettings, also at PUT /_sim/settings (with _ for -):");
    for (size_t i = 0; (doc = settings_doc (i, &name)) != NULL; i++) {
        char flag[40];
        snprintf (flag, sizeof flag, "--%s", name);
        for (char *at = flag; *at != '\0'; at++)
            if (*at == '_')
                *at = '-';
        printf ("  %-24s %s\n", flag, doc);
    }
}

static int usage (const char *text, const char *what)
{
    fprintf (stderr, "aviary-sim: %s '%s'; see --help\n", text, what);
    return EXIT_USAGE;
}

/* "--meta-app-secret" is the setting meta_app_secret; --callback-delay is short for callback_delay_ms. */
static int flag_setting (sim_t *sim, const char *flag, const char *value)
{
    char name[64];
    snprintf (name, sizeof name, "%s%s", flag + 2,
              strcmp (flag, "--callback-delay") == 0 ? "_ms" : "");
    for (char *at = name; *at != '\0'; at++)
        if (*at == '-')
            *at = '_';
    int code = settings_set (&sim->settings, name, value);
    if (code == 0)
        return 0;
    return usage (code == -1 ? "unknown flag" : "unsound value of", flag);
}

static int flags_read (sim_t *sim, options_t *options, int argc, char **argv)
{
    const struct {
        const char *flag;
        const char **value;
    } own[] = {
        {"--listen", &options->listen}, {"--seed", &options->seed}, {"--clock", &options->clock}};
    for (int i = 1; i < argc; i++) {
        bool found = false;
        if (strcmp (argv[i], "--bare") == 0) {
            options->bare = true;
            continue;
        }
        if (strncmp (argv[i], "--", 2) != 0 || i + 1 == argc)
            return usage ("a flag and its value are needed, not", argv[i]);
        for (size_t o = 0; o < sizeof own / sizeof own[0]; o++)
            if (strcmp (own[o].flag, argv[i]) == 0) {
                *own[o].value = argv[i + 1];
                found = true;
            }
        int code = found ? 0 : flag_setting (sim, argv[i], argv[i + 1]);
        if (code != 0)
            return code;
        i++;
    }
    return 0;
}

/* One WhatsApp number and one for SMS, so that the first call works. */
static void samples_add (sim_t *sim)
{
    cJSON *meta =
        json_of ("{\"phone_number_id\":\"106540352242922\",\"waba_id\":\"102290129340398\","
                 "\"display_phone_number\":\"+1 415-555-0100\"}");
    cJSON *telnyx = json_of ("{\"phone_number\":\"+14155550199\"}");
    meta_number_put (sim, meta);
    telnyx_number_put (sim, telnyx);
    cJSON_Delete (meta);
    cJSON_Delete (telnyx);
}

static int options_apply (sim_t *sim, const options_t *options)
{
    if (options->seed != NULL)
        text_replace (&sim->seed, options->seed);
    if (options->clock != NULL) {
        int code = clock_attach (options->clock);
        if (code != 0) {
            fprintf (stderr, "aviary-sim: %s: %s\n", options->clock, strerror (-code));
            return EXIT_UNAVAILABLE;
        }
    }
    sim->loopback_only = strncmp (options->listen, "127.", 4) == 0;
    sim_keys_derive (sim);
    if (!options->bare)
        samples_add (sim);
    return 0;
}

static void refuse (void *context, web_request_t *web, int status, const char *text)
{
    (void) context;
    const char *headers[] = {"Content-Type: text/plain; charset=utf-8", NULL};
    web_answer (web, status, headers, bytes_of_str (text));
}

static void url_note (sim_t *sim, const options_t *options, uint16_t port)
{
    const char *colon = strrchr (options->listen, ':');
    int length = colon != NULL ? (int) (colon - options->listen) : 0;
    const char *host = strncmp (options->listen, "0.0.0.0", 7) == 0 ? "127.0.0.1" : options->listen;
    length = host == options->listen ? length : (int) strlen (host);
    pthread_mutex_lock (&sim->lock);
    free (sim->base_url);
    sim->base_url = must_printf ("http://%.*s:%u", length, host, port);
    pthread_mutex_unlock (&sim->lock);
    printf ("aviary-sim: listening on %s\n", sim->base_url);
    fflush (stdout);
}

static int serve (sim_t *sim, const options_t *options)
{
    web_server_t *server = NULL;
    failure_t failure = {0};
    sigset_t signals;
    int got;
    sigemptyset (&signals);
    sigaddset (&signals, SIGINT);
    sigaddset (&signals, SIGTERM);
    pthread_sigmask (SIG_BLOCK, &signals, NULL);
    signal (SIGPIPE, SIG_IGN);
    sim->base_url = must_strdup ("http://127.0.0.1");
    web_config_t config = {.listen = options->listen,
                           .arena_max = 16 * 1024 * 1024,
                           .body_timeout_ms = 120000,
                           .idle_timeout_ms = 300000,
                           .submit = sim_submit,
                           .complete = sim_complete,
                           .refuse = refuse,
                           .context = sim};
    if (callbacks_start (sim->callbacks) != 0 || web_server_new (&config, &server, &failure) != 0) {
        fprintf (stderr, "aviary-sim: %s\n", failure.text[0] != '\0' ? failure.text : "no threads");
        return EXIT_UNAVAILABLE;
    }
    url_note (sim, options, web_server_port (server));
    sigwait (&signals, &got);
    web_server_stop (server, STOP_MS);
    web_server_destroy (&server);
    return EXIT_SUCCESS;
}

int main (int argc, char **argv)
{
    options_t options = {.listen = "127.0.0.1:8090"};
    for (int i = 1; i < argc; i++) {
        if (strcmp (argv[i], "--help") == 0) {
            help ();
            return EXIT_SUCCESS;
        }
        if (strcmp (argv[i], "--version") == 0) {
            puts ("aviary-sim " AVIARY_VERSION);
            return EXIT_SUCCESS;
        }
    }
    if (sign_init () != 0)
        return EXIT_UNAVAILABLE;
    sim_t *sim = sim_new ();
    int code = flags_read (sim, &options, argc, argv);
    if (code == 0)
        code = options_apply (sim, &options);
    if (code == 0)
        code = serve (sim, &options);
    sim_destroy (&sim);
    return code;
}
