/* cmd_webhook.c - `aviary webhook secret ID [--rotate]`: the secret that signs a webhook's deliveries. */
#include "cli.h"
#include "client.h"
#include "commands.h"
#include "gen/webhooks.h"
#include "spelling.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

enum { ASK_MS = 5000, MEMORY = 1 << 18 };

typedef struct told {
    const char *secret, *old_secret;
    int64_t old_until;
} told_t;

static int secret_get (client_t *client, id16_t id, bool rotate, arena_t *arena, told_t *out,
                       failure_t *failure)
{
    if (rotate) {
        webhooks_secret_rotate_in_t in = {.id = id};
        webhooks_secret_rotate_out_t made = {0};
        int rc =
            client_ask (client, "webhooks.secret_rotate", NULL, &in, &made, arena, ASK_MS, failure);
        *out = (told_t){made.secret, NULL, made.old_until};
        return rc;
    }
    webhooks_secret_show_in_t in = {.id = id};
    webhooks_secret_show_out_t shown = {0};
    int rc = client_ask (client, "webhooks.secret_show", NULL, &in, &shown, arena, ASK_MS, failure);
    *out = (told_t){shown.secret, shown.old_secret, shown.old_until};
    return rc;
}

/* Secrets and times hold nothing that JSON would have to escape. */
static void tell (const told_t *told, bool json)
{
    char until[CLOCK_ISO_SIZE];
    clock_write_iso (told->old_until, until);
    const char *secret = told->secret ? told->secret : "";
    if (!json) {
        printf ("%s\n", secret);
        if (told->old_until)
            fprintf (stderr, "the one before goes on signing beside it until %s\n", until);
        return;
    }
    printf ("{\"secret\": \"%s\"", secret);
    if (told->old_secret)
        printf (", \"old_secret\": \"%s\"", told->old_secret);
    if (told->old_until)
        printf (", \"old_until\": \"%s\"", until);
    printf ("}\n");
}

int cmd_webhook (int argc, char **argv)
{
    const char *data = "./var";
    bool rotate = false, json = false;
    const cli_option_t options[] = {
        {"--data", "DIR", "the house's folder (default ./var)", CLI_TEXT, &data, 0, 0},
        {"--rotate", NULL, "make a new secret; the old one signs beside it for the overlap",
         CLI_SWITCH, &rotate, 0, 0},
        {"--json", NULL, "print {secret, old_secret, old_until}", CLI_SWITCH, &json, 0, 0},
    };
    cli_form_t form = {
        .command = "webhook",
        .about = "Prints the secret (whsec_...) that signs a webhook's deliveries.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
        .operands = "secret ID",
        .operand_min = 2,
        .operand_max = 2,
    };
    int rc = cli_read (&form, argc, argv);
    if (rc >= 0)
        return rc;
    id16_t id;
    if (strcmp (form.given.items[0], "secret") != 0)
        return cli_fail (EX_USAGE, "webhook: secret ID, not '%s'", form.given.items[0]);
    if (!spelling_read (form.given.items[1], &id))
        return cli_fail (EX_DATAERR, "webhook: '%s' is no id in any spelling", form.given.items[1]);
    told_t told = {0};
    failure_t failure = {0};
    client_t *client = NULL;
    arena_t *arena = arena_new (MEMORY);
    rc = arena ? client_open (data, ASK_MS, &client, &failure)
               : failure_set (&failure, E_NO_MEMORY, "", "out of memory");
    if (!rc)
        rc = secret_get (client, id, rotate, arena, &told, &failure);
    if (!rc)
        tell (&told, json);
    client_close (&client);
    arena_destroy (&arena);
    return rc ? client_fail ("webhook", &failure) : EX_OK;
}
