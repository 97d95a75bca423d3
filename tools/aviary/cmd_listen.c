/* cmd_listen.c - `aviary listen`: an app's webhooks as they come, on this terminal.
 *
 * Makes a temporary webhook to a port of its own, checks each signature, prints, forwards if asked, and removes the webhook at the end, also on TERM.
 * What cannot be trusted is printed as such and answered with 401. With --forward the answer is the one of the place forwarded to, so that
 * retries are those of the real thing. */
#include "app_ref.h"
#include "cli.h"
#include "commands.h"
#include "listener.h"
#include "stop.h"
#include "webhook.h"

#include "base/clock.h"
#include "gen/webhooks.h"
#include "sign/sign.h"
#include "spelling.h"

#include <cjson/cJSON.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ASK_MS = 5000, SLICE_MS = 100, MEMORY = 1 << 20, EVENTS_MAX = 64 };

typedef struct listening {
    const char *data, *forward, *events, *app;
    bool json;
    int64_t count; /* 0 = no end */
    char secret[128];
    int64_t came;
} listening_t;

/* ---- what came ---- */

static void print_json (const hook_t *hook, bool good, const char *why, int forwarded)
{
    char id[256];
    hook_header (hook, "webhook-id", id, sizeof id);
    cJSON *row = cJSON_CreateObject ();
    cJSON_AddStringToObject (row, "id", id);
    cJSON_AddBoolToObject (row, "verified", good);
    if (!good)
        cJSON_AddStringToObject (row, "why", why);
    if (forwarded >= 0)
        cJSON_AddNumberToObject (row, "forwarded", forwarded);
    cJSON *payload = cJSON_ParseWithLength ((const char *) hook->body.data, hook->body.size);
    cJSON_AddItemToObject (row, "payload", payload ? payload : cJSON_CreateNull ());
    char *text = cJSON_PrintUnformatted (row);
    puts (text ? text : "{}");
    cJSON_free (text);
    cJSON_Delete (row);
}

static void print_line (const hook_t *hook, bool good, const char *why, int forwarded)
{
    webhook_told_t told;
    char now[CLOCK_ISO_SIZE];
    clock_write_iso (clock_now_ms (), now);
    webhook_read (hook->body, &told);
    printf ("%.12s  %-28s %s  %s -> %s  \"%s\"  %s%s", now + 11, told.event, told.id, told.from,
            told.to, told.text, good ? "signature ok" : "NOT TRUSTED: ", why);
    if (forwarded >= 0)
        printf ("  forwarded: %d", forwarded);
    printf ("\n");
}

/* Status of the place forwarded to; 502 if it did not answer. */
static int forward (const char *url, const hook_t *hook)
{
    static const char *const kept[] = {"webhook-id",        "webhook-timestamp",
                                       "webhook-signature", "X-Chirp-Event",
                                       "X-Chirp-Event-Id",  "X-Chirp-Delivery-Attempt"};
    enum { KEPT = sizeof kept / sizeof kept[0] };
    char lines[KEPT][1200];
    const char *headers[KEPT + 1] = {NULL};
    size_t count = 0;
    for (size_t i = 0; i < KEPT; i++) {
        char value[1024];
        if (hook_header (hook, kept[i], value, sizeof value)) {
            snprintf (lines[count], sizeof lines[count], "%s: %s", kept[i], value);
            headers[count] = lines[count];
            count++;
        }
    }
    buf_t body = {0}, answer = {0};
    failure_t failure = {0};
    int status = 0;
    buf_add (&body, hook->body.data, hook->body.size);
    int rc = client_http ("POST", url, NULL, headers, buf_text (&body), &status, &answer, &failure);
    if (rc)
        cli_fail (0, "listen: %s: %s", url, failure.text);
    buf_free (&body);
    buf_free (&answer);
    return rc ? 502 : status;
}

static int came (void *context, const hook_t *hook)
{
    listening_t *self = context;
    char why[WEBHOOK_TEXT];
    bool good = webhook_check (hook, self->secret, clock_now_ms (), why);
    int forwarded = good && self->forward ? forward (self->forward, hook) : -1;
    if (self->json)
        print_json (hook, good, why, forwarded);
    else
        print_line (hook, good, why, forwarded);
    fflush (stdout);
    self->came++;
    return !good ? 401 : forwarded >= 0 ? forwarded : 200;
}

/* ---- the webhook ---- */

/* Names parted by commas, or all that the dialect has. */
static size_t events_list (const char *given, arena_t *arena, const char **out)
{
    size_t count = 0;
    if (!given) {
        for (size_t i = 0; i < schema_chirp_event_count && count < EVENTS_MAX; i++)
            out[count++] = schema_chirp_events[i].name;
        return count;
    }
    char *rest = arena_strdup (arena, given);
    for (char *one; count < EVENTS_MAX && (one = strsep (&rest, ","));)
        if (*one)
            out[count++] = one;
    return count;
}

static int webhook_make (listening_t *self, client_t *client, uint16_t port, arena_t *arena,
                         id16_t *id, failure_t *failure)
{
    app_ref_t app;
    const char *events[EVENTS_MAX];
    int rc = app_ref_read (client, self->data, self->app, &app, failure);
    if (rc)
        return rc;
    webhooks_temporary_create_in_t in = {
        .app = app.id,
        .org = app.org,
        .test = app.test,
        .url = arena_printf (arena, "http://127.0.0.1:%u/listen", port),
        .events = {events, events_list (self->events, arena, events)},
    };
    webhooks_webhook_t out = {0};
    rc = client_ask (client, "webhooks.temporary_create", NULL, &in, &out, arena, ASK_MS, failure);
    if (rc)
        return rc;
    char text[SPELLING_SIZE];
    spelling_write ("whk", app.test, out.id, text);
    snprintf (self->secret, sizeof self->secret, "%s", out.secret ? out.secret : "");
    *id = out.id;
    fprintf (stderr, "listening to the %s app with the temporary webhook %s; Ctrl-C removes it\n",
             app.test ? "test" : "live", text);
    return 0;
}

static void webhook_remove (client_t *client, id16_t id, arena_t *arena)
{
    webhooks_temporary_delete_in_t in = {.id = id};
    webhooks_temporary_delete_out_t out = {0};
    failure_t failure = {0};
    if (client_ask (client, "webhooks.temporary_delete", NULL, &in, &out, arena, ASK_MS, &failure))
        cli_fail (0, "listen: the temporary webhook is still there: %s", failure.text);
}

static int listen_to (listening_t *self, client_t *client, arena_t *arena, int stop_fd,
                      failure_t *failure)
{
    listener_t *listener = NULL;
    id16_t id;
    int rc = listener_open (&listener, failure);
    if (!rc)
        rc = webhook_make (self, client, listener_port (listener), arena, &id, failure);
    if (!rc) {
        while (listener_work (listener, SLICE_MS, stop_fd, came, self) &&
               (!self->count || self->came < self->count))
            client_idle (client, 0); /* beats: the connection stays for the removal */
        webhook_remove (client, id, arena);
    }
    listener_close (&listener);
    return rc;
}

static int run (listening_t *self)
{
    char clock[PATH_MAX];
    failure_t failure = {0};
    client_t *client = NULL;
    int stop_fd = stop_open ();
    arena_t *arena = arena_new (MEMORY);
    int rc = arena && stop_fd >= 0 ? sign_init ()
                                   : failure_set (&failure, E_NO_MEMORY, "", "out of memory");
    snprintf (clock, sizeof clock, "%s/run/clock", self->data);
    if (!rc && !access (clock, R_OK | W_OK))
        clock_attach (clock); /* timestamps are judged by the clock of the house */
    if (!rc)
        rc = client_open (self->data, ASK_MS, &client, &failure);
    if (!rc)
        rc = listen_to (self, client, arena, stop_fd, &failure);
    sign_wipe (self->secret, sizeof self->secret);
    client_close (&client);
    arena_destroy (&arena);
    if (stop_fd >= 0)
        close (stop_fd);
    return rc ? client_fail ("listen", &failure) : EX_OK;
}

int cmd_listen (int argc, char **argv)
{
    listening_t self = {.data = "./var", .app = "test"};
    const cli_option_t options[] = {
        {"--data", "DIR", "the house's folder (default ./var)", CLI_TEXT, &self.data, 0, 0},
        {"--app", "test|live|ID", "whose webhooks (default test)", CLI_TEXT, &self.app, 0, 0},
        {"--events", "A,B", "only these events (default all)", CLI_TEXT, &self.events, 0, 0},
        {"--forward", "URL", "send each one on, and answer what that answers", CLI_TEXT,
         &self.forward, 0, 0},
        {"--count", "N", "end after so many", CLI_NUMBER, &self.count, 1, INT_MAX},
        {"--json", NULL, "one JSON object a line: id, verified, payload", CLI_SWITCH, &self.json, 0,
         0},
    };
    cli_form_t form = {
        .command = "listen",
        .about =
            "Prints an app's webhooks as they come, through a temporary webhook that is removed at the end. Needs loopback targets to be allowed.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
    };
    int rc = cli_read (&form, argc, argv);
    return rc >= 0 ? rc : run (&self);
}
