/* main.c - `aviary`, the command line: a table of subcommands.
 *
 * Fails with EX_USAGE on an unknown name; everything else is the subcommand's. */
#include "cli.h"
#include "commands.h"

#include <stdio.h>
#include <string.h>

const command_t commands[] = {
    {"up", "[flags]", "start everything under one supervisor and stay", cmd_up, false},
    {"status", "[--data DIR] [--json]",
     "what runs, whether it is ready, and what it takes on the disk", cmd_status, false},
    {"doctor", "[--data DIR] [--listen HOST:PORT]", "check this machine and say the mend",
     cmd_doctor, false},
    {"clock", "[--data DIR] +DURATION",
     "advance the test clock of a house started with --test-clock", cmd_clock, false},
    {"send", "--from N --to N --text T [--whatsapp]", "send an SMS or a WhatsApp text", cmd_send,
     false},
    {"trigger", "sms|whatsapp --from N --to N --text T", "a simulated person writes to a test app",
     cmd_trigger, false},
    {"listen", "[--app A] [--forward URL]", "an app's webhooks as they come, checked", cmd_listen,
     false},
    {"explain", "ID", "the story of a message, or of anything that has an id", cmd_explain, false},
    {"tap", "[filters]", "what passes on the bus; record and replay", cmd_tap, false},
    {"deliveries", "list|show|replay", "the log of webhook deliveries", cmd_deliveries, false},
    {"webhook", "secret ID", "show or rotate a webhook's signing secret", cmd_webhook, false},
    {"key", "create|list|delete|bus", "API keys, and the keys of a bus on TCP", cmd_key, false},
    {"app", "list|pause|resume", "apps; a paused one does not send", cmd_app, false},
    {"org", "create|list|suspend|resume", "organizations of this installation", cmd_org, false},
    {"carrier", "add|set|list|remove", "accounts at Meta and Telnyx, and their callback URLs",
     cmd_carrier, false},
    {"team", "create|list|delete", "teams, to which numbers and people belong", cmd_team, false},
    {"user", "create|list|teams|delete", "people, to whom conversations are assigned", cmd_user,
     false},
    {"number", "add --number N | set ID", "phone numbers: give an app one, change one", cmd_number,
     false},
    {"templates", "list|sync|show ID", "WhatsApp templates as Meta has them", cmd_templates, false},
    {"messages", "[filters]", "messages by status, number, app and date", cmd_messages, false},
    {"optout", "list|clear PERSON", "people who wrote STOP to a number", cmd_optout, false},
    {"errors", "[--json|--markdown]", "all error codes, and numbers that provoke them", cmd_errors,
     false},
    {"backup", "FOLDER", "copy every store and all media while everything runs", cmd_backup, false},
    {"restore", "--from BACKUP --data DIR", "make a house of a backup", cmd_restore, false},
    {"resume", "--release|--mark-unknown", "decide about the sends that a restore held", cmd_resume,
     false},
    {"jobs", "list|release ID|drop ID", "work that failed too often, and its end", cmd_jobs, false},
    {"compact", "[SERVICE...]", "overwrite what was deleted: stores made anew, one after the other",
     cmd_compact, false},
    {"bootstrap", "[--base-url URL]", "the first organization of a house without a supervisor",
     cmd_bootstrap, false},
    {"health", "SERVICE | --url URL", "is it ready? for health checks", cmd_health, false},
    {"demo", "[--data DIR]", "the story of the first run", cmd_demo, false},
    {"watch", "--data DIR", "tells the supervisor who is ready and who is frozen", cmd_watch, true},
};
const size_t command_count = sizeof commands / sizeof commands[0];

const command_t *command_find (const char *name)
{
    for (size_t i = 0; i < command_count; i++)
        if (!strcmp (commands[i].name, name))
            return &commands[i];
    return NULL;
}

static void help (FILE *out)
{
    fprintf (out, "usage: aviary COMMAND [flags]\n\n");
    for (size_t i = 0; i < command_count; i++)
        if (!commands[i].hidden)
            fprintf (out, "  %-11s %s\n", commands[i].name, commands[i].help);
    fprintf (out, "\n`aviary COMMAND --help` tells more. `aviary --version` tells the version.\n");
}

int main (int argc, char **argv)
{
    if (argc < 2) {
        help (stderr);
        return EX_USAGE;
    }
    if (!strcmp (argv[1], "--help") || !strcmp (argv[1], "-h") || !strcmp (argv[1], "help")) {
        help (stdout);
        return EX_OK;
    }
    if (!strcmp (argv[1], "--version")) {
        puts ("aviary " AVIARY_VERSION);
        return EX_OK;
    }
    const command_t *command = command_find (argv[1]);
    if (!command)
        return cli_fail (EX_USAGE, "there is no command '%s'; `aviary --help` lists them", argv[1]);
    return command->run (argc - 1, argv + 1);
}
