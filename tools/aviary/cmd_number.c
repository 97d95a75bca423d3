/* cmd_number.c - `aviary number add|set`: give an app a phone number; change a number's team, name or status. */
#include "app_ref.h"
#include "cli.h"
#include "commands.h"
#include "gen/accounts.h"
#include "spelling.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

enum { ASK_MS = 5000, MEMORY = 1 << 18 };

typedef struct adding {
    const char *data, *app, *number, *channel, *account, *ref, *team, *name, *status;
    bool json;
} adding_t;

static int add (const adding_t *self, client_t *client, arena_t *arena, failure_t *failure)
{
    app_ref_t app;
    accounts_number_add_in_t in = {.number = self->number};
    accounts_app_number_t out = {0};
    char id[SPELLING_SIZE], owner[SPELLING_SIZE];
    in.channel = schema_enum_read (&accounts_channel_enum, self->channel, strlen (self->channel));
    if (!in.channel)
        return failure_set (failure, E_BAD_REQUEST, "--channel", "sms or whatsapp, not '%s'",
                            self->channel);
    if (!text_is_e164 (self->number))
        return failure_set (failure, E_INVALID_PHONE_NUMBER, "--number",
                            "'%s' is not in E.164: +14155550142 is", self->number);
    int rc = app_ref_read (client, self->data, self->app, &app, failure);
    if (rc)
        return rc;
    in.app = app.id;
    in.org = app.org;
    in.test = app.test;
    in.ref = self->ref;
    if (self->account && !spelling_read (self->account, &in.account))
        return failure_set (failure, E_NOT_FOUND, "--carrier-account",
                            "'%s' is no id in any spelling", self->account);
    rc = client_ask (client, "accounts.number_add", NULL, &in, &out, arena, ASK_MS, failure);
    if (rc)
        return rc;
    spelling_write (in.channel == ACCOUNTS_CHANNEL_SMS ? "ph" : "wapn", app.test, out.number_id,
                    id);
    spelling_write ("app", app.test, app.id, owner);
    if (self->json)
        printf (
            "{\"phone_number_id\": \"%s\", \"number\": \"%s\", \"channel\": \"%s\", \"app_id\": \"%s\", \"carrier_ref\": \"%s\"}\n",
            id, self->number, self->channel, owner, out.ref ? out.ref : "");
    else
        printf ("%s %s (%s) is a number of %s\n", id, self->number, self->channel, owner);
    return 0;
}

static int set (const adding_t *self, const char *text, client_t *client, arena_t *arena,
                failure_t *failure)
{
    accounts_number_change_in_t in = {.name = self->name};
    accounts_number_t out = {0};
    char team[SPELLING_SIZE];
    if (!spelling_read (text, &in.id))
        return failure_set (failure, E_NOT_FOUND, "", "'%s' is no id in any spelling", text);
    if (self->team && !spelling_read (self->team, &in.team))
        return failure_set (failure, E_NOT_FOUND, "--team", "'%s' is no id in any spelling",
                            self->team);
    if (self->status)
        in.status =
            schema_enum_read (&accounts_number_status_enum, self->status, strlen (self->status));
    if (self->status && !in.status)
        return failure_set (failure, E_BAD_REQUEST, "--status",
                            "connected, disconnected, degraded, onboarding or pending, not '%s'",
                            self->status);
    int rc = client_ask (client, "accounts.number_change", NULL, &in, &out, arena, ASK_MS, failure);
    if (rc)
        return rc;
    spelling_write_plain ("team", out.team, team);
    const char *status = schema_enum_word (
        &accounts_number_status_enum, out.status ? out.status : ACCOUNTS_NUMBER_STATUS_CONNECTED);
    if (self->json)
        printf ("{\"number\": \"%s\", \"status\": \"%s\", \"team_id\": \"%s\"}\n", out.number,
                status, team);
    else
        printf ("%s is %s, of %s\n", out.number, status, team);
    return 0;
}

int cmd_number (int argc, char **argv)
{
    adding_t self = {.data = "./var", .app = "test", .channel = "sms"};
    const cli_option_t options[] = {
        {"--data", "DIR", "the house's folder (default ./var)", CLI_TEXT, &self.data, 0, 0},
        {"--app", "test|live|ID", "whose it is to be (default test)", CLI_TEXT, &self.app, 0, 0},
        {"--number", "NUMBER", "in E.164: +14155550142", CLI_TEXT, &self.number, 0, 0},
        {"--channel", "C", "sms or whatsapp (default sms)", CLI_TEXT, &self.channel, 0, 0},
        {"--carrier-account", "ID",
         "live apps: the account that it goes through (aviary carrier list)", CLI_TEXT,
         &self.account, 0, 0},
        {"--ref", "ID", "the carrier's id of it; WhatsApp: phone number id", CLI_TEXT, &self.ref, 0,
         0},
        {"--team", "ID", "set: the team that it belongs to", CLI_TEXT, &self.team, 0, 0},
        {"--name", "NAME", "set: what it is called", CLI_TEXT, &self.name, 0, 0},
        {"--status", "S", "set: connected, disconnected, degraded, onboarding or pending", CLI_TEXT,
         &self.status, 0, 0},
        {"--json", NULL, "add: print {phone_number_id, number, channel, app_id, carrier_ref}",
         CLI_SWITCH, &self.json, 0, 0},
    };
    cli_form_t form = {
        .command = "number",
        .about =
            "Gives an app a phone number. Numbers of test apps run on the loopback carrier, those of live apps go through a carrier\naccount (aviary carrier add). set changes a number: only connected ones may send for an organization key.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
        .operands = "add | set ID",
        .operand_min = 1,
        .operand_max = 2,
    };
    int rc = cli_read (&form, argc, argv);
    if (rc >= 0)
        return rc;
    bool sets = strcmp (form.given.items[0], "set") == 0 && form.given.count == 2;
    if (!sets &&
        (strcmp (form.given.items[0], "add") != 0 || form.given.count != 1 || !self.number))
        return cli_fail (EX_USAGE, "number: add --number NUMBER, or set ID");
    failure_t failure = {0};
    client_t *client = NULL;
    arena_t *arena = arena_new (MEMORY);
    rc = arena ? client_open (self.data, ASK_MS, &client, &failure)
               : failure_set (&failure, E_NO_MEMORY, "", "out of memory");
    if (!rc)
        rc = sets ? set (&self, form.given.items[1], client, arena, &failure)
                  : add (&self, client, arena, &failure);
    client_close (&client);
    arena_destroy (&arena);
    return rc ? client_fail ("number", &failure) : EX_OK;
}
