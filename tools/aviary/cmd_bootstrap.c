/* cmd_bootstrap.c - `aviary bootstrap`: the first organization of a house without a supervisor (containers). `aviary up` does it by itself.
 *
 * With a credentials file that is there already it does nothing and exits with EX_OK. */
#include "cli.h"
#include "commands.h"
#include "first.h"

#include "base/clock.h"

#include <stdio.h>

enum { AGAIN_MS = 250 };

/* Services may still be starting: come back for as long as they are away. */
static int bootstrap (client_t *client, const char *data, const char *url, int64_t wait_ms,
                      failure_t *failure)
{
    id_source_t ids = {0};
    id16_t ask_id = id_next (&ids, clock_now_ms ());
    int64_t until = clock_mono_ms () + wait_ms;
    for (;;) {
        int rc = first_start (client, data, url, ask_id, failure);
        if (!rc || error_class (rc) != EC_UNAVAILABLE || rc == E_IO || clock_mono_ms () >= until)
            return rc;
        client_idle (client, AGAIN_MS);
    }
}

int cmd_bootstrap (int argc, char **argv)
{
    const char *data = "./var", *url = "http://127.0.0.1:8080";
    int64_t wait_ms = 10000;
    bool json = false;
    const cli_option_t options[] = {
        {"--data", "DIR", "where credentials.json is written (default ./var)", CLI_TEXT, &data, 0,
         0},
        {"--base-url", "URL", "how clients reach the edge (default http://127.0.0.1:8080)",
         CLI_TEXT, &url, 0, 0},
        {"--wait", "MS", "how long to wait for the services (default 10 s)", CLI_MILLIS, &wait_ms,
         0, 600000},
        {"--json", NULL, "print {\"made\": true} if it was made now, else false", CLI_SWITCH, &json,
         0, 0},
    };
    cli_form_t form = {
        .command = "bootstrap",
        .about =
            "Makes the first organization with its keys and writes DIR/credentials.json. `aviary up` does that at its first start.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
    };
    int rc = cli_read (&form, argc, argv);
    if (rc >= 0)
        return rc;
    bool made = !first_done (data);
    client_t *client = NULL;
    failure_t failure = {0};
    rc = made ? client_open (data, (uint32_t) wait_ms, &client, &failure) : 0;
    if (!rc && made)
        rc = bootstrap (client, data, url, wait_ms, &failure);
    client_close (&client);
    if (rc)
        return client_fail ("bootstrap", &failure);
    if (json)
        printf ("{\"made\": %s}\n", made ? "true" : "false");
    else
        printf ("%s/credentials.json %s\n", data, made ? "written" : "is there already");
    return EX_OK;
}
