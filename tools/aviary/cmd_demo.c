/* cmd_demo.c - `aviary demo`: the story of the first run. `aviary up` runs it once, as a process of its own, so that supervising goes on. */
#include "cli.h"
#include "commands.h"
#include "demo.h"
#include "stop.h"

#include "sign/sign.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { DEMO_MEMORY = 1 << 18 };

static int run (demo_t *demo, const char *url, int64_t timeout_ms)
{
    failure_t failure = {0};
    arena_t *arena = arena_new (DEMO_MEMORY);
    int rc = arena ? sign_init () : E_NO_MEMORY;
    if (!rc)
        rc = api_open (demo->data, url, NULL, arena, &demo->api, &failure);
    if (!rc)
        rc = listener_open (&demo->listener, &failure);
    if (!rc)
        rc = demo_tell (demo, timeout_ms, &failure);
    listener_close (&demo->listener);
    arena_destroy (&arena);
    if (rc == E_BLOCKED_TARGET || (rc && !strcmp (failure.field, "url"))) {
        printf (
            "\nThe rest of the demo needs a webhook to this machine, which is refused here; `aviary up --allow-private-targets "
            "127.0.0.1/32` allows it.\n");
        return EX_OK;
    }
    failure.code = rc;
    return rc ? client_fail ("demo", &failure) : EX_OK;
}

int cmd_demo (int argc, char **argv)
{
    demo_t demo = {.data = "./var"};
    const char *url = NULL;
    int64_t timeout_ms = 60000;
    const cli_option_t options[] = {
        {"--data", "DIR", "the house's folder (default ./var)", CLI_TEXT, &demo.data, 0, 0},
        {"--url", "URL", "the edge (default base_url of DIR/credentials.json)", CLI_TEXT, &url, 0,
         0},
        {"--timeout", "MS", "how long to wait for the webhooks (default 60 s)", CLI_MILLIS,
         &timeout_ms, 1000, 3600000},
    };
    cli_form_t form = {
        .command = "demo",
        .about =
            "Sends one SMS and one WhatsApp text with the test key, plays the person who replies, and checks every webhook.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
    };
    int rc = cli_read (&form, argc, argv);
    if (rc >= 0)
        return rc;
    demo.stop_fd = stop_open ();
    rc = run (&demo, url, timeout_ms);
    if (demo.stop_fd >= 0)
        close (demo.stop_fd);
    return rc;
}
