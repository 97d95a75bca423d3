/* cmd_optout.c - `aviary optout list|clear`: people who wrote STOP to a number, and forgetting that one did. */
#include "cli.h"
#include "client.h"
#include "commands.h"
#include "gen/messaging.h"

#include "base/clock.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

enum { ASK_MS = 5000, MEMORY = 8 << 20, PAGE = 200 };

typedef struct optout {
    const char *number;
    const char *peer;
    bool json;
    client_t *client;
    arena_t *arena;
    size_t told;
} optout_t;

/* Phone numbers and times hold nothing that JSON would have to escape. */
static void tell (optout_t *self, const messaging_optout_t *row)
{
    char at[CLOCK_ISO_SIZE];
    clock_write_iso (row->at, at);
    const char *peer = row->peer ? row->peer : "";
    const char *number = row->number ? row->number : "";
    if (self->json)
        printf ("%s{\"peer\": \"%s\", \"number\": \"%s\", \"at\": \"%s\"}", self->told ? ", " : "",
                peer, number, at);
    else
        printf ("%s  %-16s wants nothing from %s\n", at, peer, number);
    self->told++;
}

static int list (optout_t *self, failure_t *failure)
{
    messaging_optout_list_in_t in = {.number = self->number, .limit = PAGE};
    messaging_optout_list_out_t out = {.more = true};
    int rc = 0;
    if (self->json)
        printf ("{\"optouts\": [");
    while (!rc && out.more) {
        arena_reset (self->arena);
        out = (messaging_optout_list_out_t){0};
        rc = client_ask (self->client, "messaging.optout_list", NULL, &in, &out, self->arena,
                         ASK_MS, failure);
        const messaging_optout_t *rows = out.optouts.items;
        for (size_t i = 0; i < out.optouts.count && !rc; i++)
            tell (self, rows + i);
        if (!rc && out.optouts.count)
            in.after = rows[out.optouts.count - 1].id;
        out.more = out.more && out.optouts.count;
    }
    if (self->json)
        printf ("]}\n");
    else if (!rc && !self->told)
        fprintf (stderr, "nobody has opted out\n");
    return rc;
}

static int clear (optout_t *self, failure_t *failure)
{
    messaging_optout_clear_in_t in = {.peer = self->peer, .number = self->number};
    messaging_optout_clear_out_t out = {0};
    int rc = client_ask (self->client, "messaging.optout_clear", NULL, &in, &out, self->arena,
                         ASK_MS, failure);
    if (rc)
        return rc;
    if (self->json)
        printf ("{\"cleared\": %lld}\n", (long long) out.cleared);
    else
        printf ("%lld cleared\n", (long long) out.cleared);
    return 0;
}

static bool is_listing (const cli_form_t *form)
{
    return form->given.count == 1 && strcmp (form->given.items[0], "list") == 0;
}

static bool is_clearing (const cli_form_t *form)
{
    return form->given.count == 2 && strcmp (form->given.items[0], "clear") == 0;
}

int cmd_optout (int argc, char **argv)
{
    const char *data = "./var";
    optout_t self = {0};
    const cli_option_t options[] = {
        {"--data", "DIR", "the house's folder (default ./var)", CLI_TEXT, &data, 0, 0},
        {"--number", "NUMBER", "only of this number of ours", CLI_TEXT, &self.number, 0, 0},
        {"--json", NULL, "print {optouts: [{peer, number, at}]}, or {cleared}", CLI_SWITCH,
         &self.json, 0, 0},
    };
    cli_form_t form = {
        .command = "optout",
        .about =
            "Shows who wrote STOP (or another opt-out word) to a number, so that nothing is sent to them from it;\n"
            "clear forgets that for one person, as START from them would.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
        .operands = "list | clear PERSON",
        .operand_min = 1,
        .operand_max = 2,
    };
    int rc = cli_read (&form, argc, argv);
    if (rc >= 0)
        return rc;
    if (!is_listing (&form) && !is_clearing (&form))
        return cli_fail (EX_USAGE, "optout: list, or clear PERSON");
    self.peer = is_clearing (&form) ? form.given.items[1] : NULL;
    if ((self.peer && !text_is_e164 (self.peer)) || (self.number && !text_is_e164 (self.number)))
        return cli_fail (EX_DATAERR, "optout: numbers are in E.164: +14155550142 is");
    failure_t failure = {0};
    self.arena = arena_new (MEMORY);
    rc = self.arena ? client_open (data, ASK_MS, &self.client, &failure)
                    : failure_set (&failure, E_NO_MEMORY, "", "out of memory");
    if (!rc)
        rc = self.peer ? clear (&self, &failure) : list (&self, &failure);
    client_close (&self.client);
    arena_destroy (&self.arena);
    return rc ? client_fail ("optout", &failure) : EX_OK;
}
