/* cmd_status.c - `aviary status`: what runs, whether it is ready, what its stores take, and when the disk is full.
 *
 * Works while parts or all of the house are down. Exit EX_OK if everything is ready, else EX_UNAVAILABLE; with --json it is EX_OK as long as it
 * could look. */
#include "cli.h"
#include "commands.h"
#include "house.h"
#include "json.h"
#include "storage.h"

#include "base/clock.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

/* Once a service: with its owner. */
static void print_store (const house_row_t *row, const storage_t *storage,
                         const storage_forecast_t *forecast)
{
    const common_storage_out_t *told = row->owner ? storage_of (storage, row->service) : NULL;
    buf_t text = {0};
    if (!told)
        return;
    storage_json (told, forecast, &text);
    printf (", \"store\": %s", buf_text (&text));
    buf_free (&text);
}

static void print_reason (const house_row_t *row)
{
    buf_t text = {0};
    json_text (&text, row->reason);
    printf (", \"reason\": %s", buf_text (&text));
    buf_free (&text);
}

static void print_json (const house_t *house, const storage_t *storage)
{
    storage_forecast_t forecast = storage_forecast (storage, clock_now_ms ());
    printf ("[");
    for (size_t i = 0; i < house->count; i++) {
        const house_row_t *row = &house->rows[i];
        char pid[16] = "null";
        if (row->pid)
            snprintf (pid, sizeof pid, "%d", (int) row->pid);
        printf (
            "%s{\"service\": \"%s\", \"replica\": %u, \"pid\": %s, \"ready\": %s, \"owner\": %s",
            i ? ",\n " : "", row->service, row->replica, pid, row->ready ? "true" : "false",
            row->owner ? "true" : "false");
        print_reason (row);
        print_store (row, storage, &forecast);
        printf ("}");
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
        {"--json", NULL,
         "an array of {service, replica, pid, ready, owner, reason, store}; pid null while down, store with the "
         "owner",
         CLI_SWITCH, &json, 0, 0},
    };
    cli_form_t form = {
        .command = "status",
        .about =
            "Every process of the house, broker and edge included; what each table takes on the disk, and "
            "the day that is full.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
    };
    int rc = cli_read (&form, argc, argv);
    if (rc >= 0)
        return rc;
    client_t *client = NULL;
    failure_t failure = {0};
    house_t house;
    storage_t storage;
    char bus[PATH_MAX];
    snprintf (bus, sizeof bus, "%s/run/bus", data);
    if (!access (bus, F_OK))
        client_open (data, 1000, &client,
                     &failure); /* no broker: everything is told from the list */
    house_look (data, client, 1000, &house);
    storage_look (client, &house, 1000, &storage);
    client_close (&client);
    if (json)
        print_json (&house, &storage);
    else {
        print_lines (&house);
        storage_print (&storage, clock_now_ms ());
    }
    storage_free (&storage);
    return json || house_ready (&house) ? EX_OK : EX_UNAVAILABLE;
}
