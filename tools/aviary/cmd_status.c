/* cmd_status.c - `aviary status`: what runs, and whether it is ready.
 *
 * Works while parts or all of the house are down. Exit EX_OK if everything is ready, else EX_UNAVAILABLE; with --json it is EX_OK as long as it
 * could look. */
#include "cli.h"
#include "commands.h"
#include "house.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

static void print_json (const house_t *house)
{
    printf ("[");
    for (size_t i = 0; i < house->count; i++) {
        const house_row_t *row = &house->rows[i];
        char pid[16] = "null";
        if (row->pid)
            snprintf (pid, sizeof pid, "%d", (int) row->pid);
        printf (
            "%s{\"service\": \"%s\", \"replica\": %u, \"pid\": %s, \"ready\": %s, \"owner\": %s}",
            i ? ",\n " : "", row->service, row->replica, pid, row->ready ? "true" : "false",
            row->owner ? "true" : "false");
    }
    printf ("]\n");
}

static void print_lines (const house_t *house)
{
    for (size_t i = 0; i < house->count; i++) {
        const house_row_t *row = &house->rows[i];
        char pid[16] = "-";
        if (row->pid)
            snprintf (pid, sizeof pid, "%d", (int) row->pid);
        const char *state = row->ready ? "ready" : row->pid || row->seen ? "not ready" : "down";
        printf ("%-12s %2u  pid %-8s %-10s %-6s %s\n", row->service, row->replica, pid, state,
                row->owner ? "owner" : "", row->reason);
    }
    if (!house->count)
        printf ("nothing runs here\n");
}

int cmd_status (int argc, char **argv)
{
    const char *data = "./var";
    bool json = false;
    const cli_option_t options[] = {
        {"--data", "DIR", "the house's folder (default ./var)", CLI_TEXT, &data, 0, 0},
        {"--json", NULL, "an array of {service, replica, pid, ready, owner}; pid null while down",
         CLI_SWITCH, &json, 0, 0},
    };
    cli_form_t form = {
        .command = "status",
        .about = "Every process of the house, broker and edge included.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
    };
    int rc = cli_read (&form, argc, argv);
    if (rc >= 0)
        return rc;
    client_t *client = NULL;
    failure_t failure = {0};
    house_t house;
    char bus[PATH_MAX];
    snprintf (bus, sizeof bus, "%s/run/bus", data);
    if (!access (bus, F_OK))
        client_open (data, 1000, &client,
                     &failure); /* no broker: everything is told from the list */
    house_look (data, client, 1000, &house);
    client_close (&client);
    if (json)
        print_json (&house);
    else
        print_lines (&house);
    return json || house_ready (&house) ? EX_OK : EX_UNAVAILABLE;
}
