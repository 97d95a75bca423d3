/* cmd_health.c - `aviary health SERVICE | --url URL`: one question for a container's health check. Exit EX_OK or EX_UNAVAILABLE.
 *
 * Over TCP (AVIARY_BUS and AVIARY_BUS_KEYS) it speaks with the service's own keys: what every service has, it may ask of itself. */
#include "cli.h"
#include "client.h"
#include "commands.h"

#include "gen/common.h"

#include <stdio.h>
#include <stdlib.h>

enum { ASK_MS = 3000, MEMORY = 1 << 18 };

static int url_look (const char *url, failure_t *failure)
{
    int status = 0;
    buf_t answer = {0};
    int rc = client_http ("GET", url, NULL, NULL, NULL, &status, &answer, failure);
    if (!rc && status != 200)
        rc = failure_set (failure, E_UNAVAILABLE, "", "%s: %d %.200s", url, status,
                          buf_text (&answer));
    buf_free (&answer);
    return rc;
}

static int service_look (const char *data, const char *service, arena_t *arena, failure_t *failure)
{
    char target[64];
    client_t *client = NULL;
    common_health_in_t in = {0};
    common_health_out_t out = {0};
    snprintf (target, sizeof target, "%s.health", service);
    const char *bus = getenv ("AVIARY_BUS");
    int rc = client_open_as (data, bus && *bus ? service : "cli", ASK_MS, &client, failure);
    if (!rc)
        rc = client_ask (client, target, NULL, &in, &out, arena, ASK_MS, failure);
    if (!rc && !out.ready)
        rc = failure_set (failure, E_UNAVAILABLE, "", "%s is not ready: %s", service,
                          out.reason ? out.reason : "?");
    client_close (&client);
    return rc;
}

int cmd_health (int argc, char **argv)
{
    const char *data = "./var", *url = NULL;
    bool json = false;
    const cli_option_t options[] = {
        {"--data", "DIR", "the house's folder, for its bus (default ./var)", CLI_TEXT, &data, 0, 0},
        {"--url", "URL", "ask this for a 200 instead of a service", CLI_TEXT, &url, 0, 0},
        {"--json", NULL, "print {\"ready\": true} if it is", CLI_SWITCH, &json, 0, 0},
    };
    cli_form_t form = {
        .command = "health",
        .about = "Is a service ready? For health checks of containers.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
        .operands = "[SERVICE]",
        .operand_max = 1,
    };
    int rc = cli_read (&form, argc, argv);
    if (rc >= 0)
        return rc;
    if (!url == !form.given.count)
        return cli_fail (EX_USAGE, "health: SERVICE or --url URL");
    failure_t failure = {0};
    arena_t *arena = arena_new (MEMORY);
    rc = !arena ? failure_set (&failure, E_NO_MEMORY, "", "out of memory")
         : url  ? url_look (url, &failure)
                : service_look (data, form.given.items[0], arena, &failure);
    arena_destroy (&arena);
    if (!rc && json)
        printf ("{\"ready\": true}\n");
    return rc ? client_fail ("health", &failure) : EX_OK;
}
