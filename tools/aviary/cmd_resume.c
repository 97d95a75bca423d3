/* cmd_resume.c - `aviary resume --release | --mark-unknown`: what becomes of the provider jobs that a restore held.
 *
 * Each service is asked in steps until it has no more; stopped in the middle, it goes on when run again. Exit EX_SOFTWARE if some could not be ended: they stay held. */
#include "cli.h"
#include "client.h"
#include "commands.h"
#include "copying.h"
#include "gen/common.h"
#include "json.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

enum { ASK_MS = 10000, OPEN_MS = 3000, MEMORY = 1 << 20, STEP = 100 };

typedef struct resume {
    client_t *client;
    arena_t *arena;
    common_resume_in_t in;
    bool json;
    size_t told;
    int64_t failed;
} resume_t;

typedef struct sums {
    int64_t done, passed, failed, left;
    char why[FAILURE_TEXT_SIZE];
} sums_t;

static int service_resume (resume_t *self, const char *service, sums_t *sums, failure_t *failure)
{
    char target[64];
    common_resume_out_t out = {.more = true};
    self->in.after = id_nil ();
    snprintf (target, sizeof target, "%s.resume", service);
    int rc = 0;
    while (!rc && out.more) {
        arena_reset (self->arena);
        out = (common_resume_out_t){0};
        rc = client_ask (self->client, target, NULL, &self->in, &out, self->arena, ASK_MS, failure);
        if (rc)
            break;
        sums->done += out.done;
        sums->passed += out.passed;
        sums->failed += out.failed;
        sums->left = out.left;
        if (out.why && !*sums->why)
            snprintf (sums->why, sizeof sums->why, "%s", out.why);
        self->in.after = out.after;
    }
    return rc;
}

static void tell_json (resume_t *self, const char *service, const sums_t *sums)
{
    buf_t why = {0};
    json_text (&why, sums->why);
    printf ("%s{\"service\": \"%s\", \"done\": %lld, \"passed\": %lld, \"failed\": %lld, "
            "\"left\": %lld, \"why\": %s}",
            self->told++ ? ", " : "", service, (long long) sums->done, (long long) sums->passed,
            (long long) sums->failed, (long long) sums->left, buf_text (&why));
    buf_free (&why);
}

static void tell (resume_t *self, const char *service, const sums_t *sums)
{
    self->failed += sums->failed;
    if (self->json) {
        tell_json (self, service, sums);
        return;
    }
    if (!sums->done && !sums->passed && !sums->failed && !sums->left)
        return;
    printf ("%s: %lld %s, %lld stay held\n", service, (long long) sums->done,
            self->in.mark_unknown ? "ended as unknown" : "go out", (long long) sums->left);
    if (sums->failed)
        fprintf (stderr, "aviary: resume: %s: %lld could not be ended: %s\n", service,
                 (long long) sums->failed, sums->why);
    self->told++;
}

static int resume_all (resume_t *self, failure_t *failure)
{
    int rc = 0;
    if (self->json)
        printf ("{\"services\": [");
    for (size_t i = 0; !rc && backup_order[i]; i++) {
        sums_t sums = {0};
        rc = service_resume (self, backup_order[i], &sums, failure);
        if (!rc)
            tell (self, backup_order[i], &sums);
    }
    if (self->json)
        printf ("]}\n");
    else if (!rc && !self->told)
        printf ("nothing is held\n");
    return rc;
}

int cmd_resume (int argc, char **argv)
{
    const char *data = "./var";
    bool release = false, unknown = false;
    resume_t self = {.in = {.limit = STEP}};
    const cli_option_t options[] = {
        {"--data", "DIR", "the house's folder (default ./var)", CLI_TEXT, &data, 0, 0},
        {"--release", NULL,
         "let them go out now: what had left before the restore is sent a second time", CLI_SWITCH,
         &release, 0, 0},
        {"--mark-unknown", NULL,
         "send nothing: messages end as unconfirmed, unless a receipt tells better; orders and releases of numbers are looked up",
         CLI_SWITCH, &unknown, 0, 0},
        {"--number", "NUMBER", "only those of this number of ours", CLI_TEXT, &self.in.number, 0,
         0},
        {"--json", NULL, "print {services: [{service, done, passed, failed, left, why}]}",
         CLI_SWITCH, &self.json, 0, 0},
    };
    cli_form_t form = {
        .command = "resume",
        .about =
            "Decides about the sends, number orders and releases that a restore held: they were unfinished when the backup was made,\n"
            "and may have left the old house after. `aviary jobs list --held` shows them.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
    };
    int rc = cli_read (&form, argc, argv);
    if (rc >= 0)
        return rc;
    if (release == unknown)
        return cli_fail (EX_USAGE, "resume: say --release or --mark-unknown");
    if (self.in.number && !text_is_e164 (self.in.number))
        return cli_fail (EX_DATAERR, "resume: numbers are in E.164: +14155550142 is");
    failure_t failure = {0};
    self.in.mark_unknown = unknown;
    self.arena = arena_new (MEMORY);
    rc = self.arena ? client_open (data, OPEN_MS, &self.client, &failure)
                    : failure_set (&failure, E_NO_MEMORY, "", "out of memory");
    if (!rc)
        rc = resume_all (&self, &failure);
    client_close (&self.client);
    arena_destroy (&self.arena);
    return rc ? client_fail ("resume", &failure) : self.failed ? EX_SOFTWARE : EX_OK;
}
