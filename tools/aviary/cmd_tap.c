/* cmd_tap.c - `aviary tap`: what passes on the bus, live; and `aviary tap replay FILE`.
 *
 * The broker mirrors only while somebody listens, and nobody waits for a slow reader: what he misses is counted by the broker. Secrets are always
 * masked, texts and numbers unless --reveal. A recording holds texts, so --record needs --reveal and makes a file of mode 0600. */
#include "cli.h"
#include "client.h"
#include "commands.h"
#include "spelling.h"
#include "stop.h"
#include "tap_replay.h"
#include "tap_view.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SLICE_MS = 100, MEMORY = 8 << 20, STOP_EVERY = 64 };

typedef struct tapping {
    const char *data, *service, *tenant, *record, *app, *url;
    tap_filter_t filter;
    bool json, reveal;
    int64_t count; /* 0 = no end */
    FILE *file;
    buf_t line, text; /* of one envelope */
} tapping_t;

static void write_line (buf_t *line, FILE *file)
{
    buf_add_byte (line, '\n');
    if (!buf_failed (line))
        fwrite (line->data, 1, line->size, file);
    else
        buf_free (line);
}

/* A recording is revealed, so what is shown beside it is too. */
static void show (tapping_t *self, const tap_message_t *message)
{
    buf_t *line = self->json ? NULL : &self->line, *json = &self->text;
    buf_clear (&self->line);
    buf_clear (&self->text);
    tap_show (message, self->reveal, line, self->json || self->file ? json : NULL);
    write_line (line ? line : json, stdout);
    if (self->file && line)
        buf_add_byte (json, '\n');
    if (self->file && !buf_failed (json))
        fwrite (json->data, 1, json->size, self->file);
}

/* What is there already is written in one go. */
static bool message_next (tapping_t *self, tap_t *tap, arena_t *arena, tap_message_t *out)
{
    *out = (tap_message_t){0};
    arena_reset (arena);
    if (tap_next (tap, 0, arena, out))
        return true;
    fflush (stdout);
    if (self->file)
        fflush (self->file);
    return tap_next (tap, SLICE_MS, arena, out);
}

static bool is_of_service (const char *target, const char *service, size_t length)
{
    return !length || (!strncmp (target, service, length) && strchr (".#", target[length]));
}

/* The broker sieves, if it can; all is looked at again here. */
static void show_all (tapping_t *self, tap_t *tap, const char *service, int stop_fd, arena_t *arena)
{
    tap_message_t message;
    size_t length = strlen (service);
    int64_t shown = 0;
    for (unsigned turn = 0; !self->count || shown < self->count; turn++) {
        bool some = message_next (self, tap, arena, &message);
        if ((!some || turn % STOP_EVERY == 0) && stop_asked (stop_fd))
            break;
        if (!some || !is_of_service (message.target, service, length) ||
            !tap_wanted (&self->filter, &message))
            continue;
        show (self, &message);
        shown++;
    }
    fflush (stdout);
}

static int listen_to (tapping_t *self, failure_t *failure)
{
    char folder[PATH_MAX], endpoint[PATH_MAX + 16], service[ENVELOPE_TARGET_MAX + 1];
    tap_t *tap = NULL;
    tap_sieve_t sieve;
    int stop_fd = stop_open ();
    arena_t *arena = arena_new (MEMORY);
    if (!arena || !cli_absolute (self->data, folder, sizeof folder))
        return failure_set (failure, E_NO_MEMORY, "", "out of memory");
    snprintf (endpoint, sizeof endpoint, "ipc://%s/run/tap", folder);
    const char *of = self->service ? self->service : self->filter.op ? self->filter.op : "";
    snprintf (service, sizeof service, "%.*s", (int) strcspn (of, "."), of);
    tap_sieve (&self->filter, service, &sieve);
    int rc = access (endpoint + 6, F_OK)
                 ? failure_set (failure, E_UNAVAILABLE, "",
                                "there is no tap at %s; is `aviary up` running?", endpoint + 6)
                 : tap_new_sieved (endpoint, &sieve.sieve, &tap, failure);
    if (!rc)
        show_all (self, tap, service, stop_fd, arena);
    tap_destroy (&tap);
    arena_destroy (&arena);
    if (stop_fd >= 0)
        close (stop_fd);
    return rc;
}

static int record_open (tapping_t *self)
{
    if (!self->record)
        return 0;
    if (!self->reveal)
        return cli_fail (EX_USAGE,
                         "tap: --record writes texts and numbers to a file: say --reveal too");
    int fd = open (self->record, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    self->file = fd < 0 ? NULL : fdopen (fd, "w");
    return self->file
               ? 0
               : cli_fail (EX_CANTCREAT, "tap: cannot make %s: %s", self->record, strerror (errno));
}

static int filter_read (tapping_t *self)
{
    self->filter.tenant_given = self->tenant != NULL;
    if (self->tenant && !spelling_read (self->tenant, &self->filter.tenant))
        return cli_fail (EX_USAGE, "tap: --tenant '%s' is no id in any spelling", self->tenant);
    if (self->filter.op && !schema_op_find (self->filter.op, strlen (self->filter.op)))
        return cli_fail (EX_USAGE, "tap: there is no operation %s", self->filter.op);
    if (self->service && !schema_service_find (self->service, strlen (self->service)))
        return cli_fail (EX_USAGE, "tap: there is no service %s", self->service);
    return 0;
}

static int run (tapping_t *self, const cli_list_t *given)
{
    failure_t failure = {0};
    bool replays = given->count > 0;
    if (replays && (strcmp (given->items[0], "replay") != 0 || given->count != 2 || !self->app))
        return cli_fail (EX_USAGE, "tap: replay FILE --app ID");
    int rc = filter_read (self);
    if (!rc && replays) {
        rc = tap_replay (self->data, given->items[1], self->app, self->url, self->json, &failure);
        return rc ? client_fail ("tap", &failure) : EX_OK;
    }
    if (!rc)
        rc = record_open (self);
    if (rc)
        return rc;
    rc = listen_to (self, &failure);
    if (self->file)
        fclose (self->file);
    buf_free (&self->line);
    buf_free (&self->text);
    return rc ? client_fail ("tap", &failure) : EX_OK;
}

int cmd_tap (int argc, char **argv)
{
    tapping_t self = {.data = "./var"};
    const cli_option_t options[] = {
        {"--data", "DIR", "the house's folder (default ./var)", CLI_TEXT, &self.data, 0, 0},
        {"--service", "S", "only what goes to this service", CLI_TEXT, &self.service, 0, 0},
        {"--op", "S.OP", "only this operation", CLI_TEXT, &self.filter.op, 0, 0},
        {"--tenant", "ORG", "only of this organization", CLI_TEXT, &self.tenant, 0, 0},
        {"--trace", "T", "only of this trace", CLI_TEXT, &self.filter.trace, 0, 0},
        {"--subject", "X", "only about this number or id", CLI_TEXT, &self.filter.subject, 0, 0},
        {"--all", NULL, "also journals, pings, metrics, status", CLI_SWITCH, &self.filter.all, 0,
         0},
        {"--count", "N", "end after so many", CLI_NUMBER, &self.count, 1, INT_MAX},
        {"--reveal", NULL, "show texts and numbers; never secrets", CLI_SWITCH, &self.reveal, 0, 0},
        {"--record", "FILE", "write what is shown to a new file, for replay; needs --reveal",
         CLI_TEXT, &self.record, 0, 0},
        {"--app", "test|ID", "replay: to this test app", CLI_TEXT, &self.app, 0, 0},
        {"--url", "URL", "replay: the edge (default base_url of DIR/credentials.json)", CLI_TEXT,
         &self.url, 0, 0},
        {"--json", NULL, "one JSON object a line", CLI_SWITCH, &self.json, 0, 0},
    };
    cli_form_t form = {
        .command = "tap",
        .about =
            "Shows what passes on the bus: asks, answers, failures. replay sends what was recorded (SMS, WhatsApp, simulated inbound)\n"
            "again, as new messages of a test app.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
        .operands = "[replay FILE]",
        .operand_max = 2,
    };
    int rc = cli_read (&form, argc, argv);
    return rc >= 0 ? rc : run (&self, &form.given);
}
