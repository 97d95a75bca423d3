/* cmd_jobs.c - `aviary jobs list|release ID|drop ID`: work that failed or crashed too often, and what a restore held.
 *
 * A job or a followed event in quarantine is tried again (release), or ended (drop). Services that are down are told on stderr and the others shown. */
#include "cli.h"
#include "client.h"
#include "commands.h"
#include "copying.h"
#include "gen/common.h"
#include "json.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

enum { ASK_MS = 5000, OPEN_MS = 3000, MEMORY = 4 << 20, PAGE = 200, CURSOR_MAX = 128 };

typedef struct jobs {
    client_t *client;
    arena_t *arena;
    const char *service; /* NULL = all */
    bool held, json;
    size_t told;
} jobs_t;

static void tell (jobs_t *self, const char *service, const common_kept_job_t *job)
{
    char id[ID_UUID_LENGTH + 1], since[CLOCK_ISO_SIZE], made[CLOCK_ISO_SIZE];
    const char *kind = job->kind ? job->kind : "?", *reason = job->reason ? job->reason : "";
    id_write_uuid (job->id, id);
    clock_write_iso (job->since, since);
    clock_write_iso (job->made, made);
    if (!self->json) {
        printf ("%s  %-10s %-24s %s  tried %lld times, since %s: %s\n", id, service, kind, made,
                (long long) job->tries, since, reason);
        self->told++;
        return;
    }
    buf_t text = {0};
    buf_printf (&text,
                "%s{\"id\": \"%s\", \"service\": \"%s\", \"kind\": ", self->told++ ? ",\n " : "",
                id, service);
    json_text (&text, kind);
    buf_add_str (&text, ", \"reason\": ");
    json_text (&text, reason);
    buf_printf (&text,
                ", \"since\": \"%s\", \"made\": \"%s\", \"tries\": %lld, \"event\": %s, \"org\": ",
                since, made, (long long) job->tries, job->is_event ? "true" : "false");
    if (id_is_nil (job->org))
        buf_add_str (&text, "null}");
    else {
        id_write_uuid (job->org, id);
        buf_printf (&text, "\"%s\"}", id);
    }
    printf ("%s", buf_text (&text));
    buf_free (&text);
}

static int service_list (jobs_t *self, const char *service, failure_t *failure)
{
    char target[64];
    uint8_t cursor[CURSOR_MAX];
    common_jobs_in_t in = {.held = self->held, .limit = PAGE};
    int rc = 0;
    snprintf (target, sizeof target, "%s.jobs", service);
    do {
        common_jobs_out_t out = {0};
        arena_reset (self->arena);
        rc = client_ask (self->client, target, NULL, &in, &out, self->arena, ASK_MS, failure);
        const common_kept_job_t *rows = out.jobs.items;
        for (size_t i = 0; !rc && i < out.jobs.count; i++)
            tell (self, service, &rows[i]);
        bool more = !rc && out.after.size && out.after.size <= sizeof cursor;
        if (more)
            memcpy (cursor, out.after.data, out.after.size);
        in.after = bytes_of (cursor, more ? out.after.size : 0);
    } while (in.after.size);
    return rc;
}

static bool is_meant (const jobs_t *self, const char *service)
{
    return !self->service || !strcmp (self->service, service);
}

static int list (jobs_t *self, failure_t *failure)
{
    int worst = 0;
    if (self->json)
        printf ("[");
    for (size_t i = 0; backup_order[i]; i++) {
        failure_t why = {0};
        int rc = is_meant (self, backup_order[i]) ? service_list (self, backup_order[i], &why) : 0;
        if (!rc)
            continue;
        worst = rc;
        *failure = why;
        fprintf (stderr, "aviary: jobs: %s: %s\n", backup_order[i], why.text);
    }
    if (self->json)
        printf ("]\n");
    else if (!worst && !self->told)
        printf (self->held ? "nothing is held\n" : "nothing is in quarantine\n");
    return worst;
}

static int act (jobs_t *self, id16_t id, bool drop, failure_t *failure)
{
    char target[64];
    int rc = E_NOT_FOUND;
    common_job_act_in_t in = {.id = id, .drop = drop};
    common_job_act_out_t out = {0};
    size_t i = 0;
    for (; backup_order[i] && rc == E_NOT_FOUND; i++) {
        if (!is_meant (self, backup_order[i]))
            continue;
        *failure = (failure_t){0};
        snprintf (target, sizeof target, "%s.job_act", backup_order[i]);
        rc = client_ask (self->client, target, NULL, &in, &out, self->arena, ASK_MS, failure);
    }
    if (rc)
        return rc;
    const char *kind = out.kind ? out.kind : "?";
    if (self->json)
        printf ("{\"service\": \"%s\", \"kind\": \"%s\"}\n", backup_order[i - 1], kind);
    else
        printf ("%s: %s %s\n", backup_order[i - 1], kind, drop ? "dropped" : "released");
    return 0;
}

static bool service_known (const char *name)
{
    for (size_t i = 0; backup_order[i]; i++)
        if (!strcmp (backup_order[i], name))
            return true;
    return false;
}

int cmd_jobs (int argc, char **argv)
{
    const char *data = "./var";
    jobs_t self = {0};
    const cli_option_t options[] = {
        {"--data", "DIR", "the house's folder (default ./var)", CLI_TEXT, &data, 0, 0},
        {"--service", "NAME", "only of this service", CLI_TEXT, &self.service, 0, 0},
        {"--held", NULL, "list what a restore held instead; aviary resume decides about it",
         CLI_SWITCH, &self.held, 0, 0},
        {"--json", NULL,
         "print [{id, service, kind, reason, since, made, tries, event, org}], or {service, kind}",
         CLI_SWITCH, &self.json, 0, 0},
    };
    cli_form_t form = {
        .command = "jobs",
        .about =
            "Jobs and followed events in quarantine: they failed, or ran at a crash, too often. release tries one again; drop ends it: a send as\n"
            "unknown, whatever else is forgotten.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
        .operands = "list | release ID | drop ID",
        .operand_min = 1,
        .operand_max = 2,
    };
    int rc = cli_read (&form, argc, argv);
    if (rc >= 0)
        return rc;
    const char *verb = form.given.items[0];
    bool lists = form.given.count == 1 && !strcmp (verb, "list");
    bool drop = form.given.count == 2 && !strcmp (verb, "drop");
    if (!lists && !drop && (form.given.count != 2 || strcmp (verb, "release") != 0))
        return cli_fail (EX_USAGE, "jobs: list, release ID, or drop ID");
    if (self.service && !service_known (self.service))
        return cli_fail (EX_USAGE, "jobs: no service with a store is called %s", self.service);
    id16_t id = id_nil ();
    const char *text = lists ? "" : form.given.items[1];
    if (!lists && !id_read_any_uuid (text, strlen (text), &id))
        return cli_fail (EX_DATAERR, "jobs: %s is no id as jobs list shows it", text);
    failure_t failure = {0};
    self.arena = arena_new (MEMORY);
    rc = self.arena ? client_open (data, OPEN_MS, &self.client, &failure)
                    : failure_set (&failure, E_NO_MEMORY, "", "out of memory");
    if (!rc)
        rc = lists ? list (&self, &failure) : act (&self, id, drop, &failure);
    client_close (&self.client);
    arena_destroy (&self.arena);
    return rc ? client_fail ("jobs", &failure) : EX_OK;
}
