/* cmd_app.c - `aviary app list|pause|resume`: apps of all organizations. A paused app reads, but does not send; what it had queued goes out. */
#include "app_ref.h"
#include "cli.h"
#include "commands.h"
#include "gen/accounts.h"
#include "spelling.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

enum { ASK_MS = 8000, MEMORY = 4 << 20 };

typedef struct apps {
    const char *data;
    bool json;
    arena_t *arena;
    client_t *client;
} apps_t;

static cJSON *app_json (const accounts_app_info_t *app)
{
    char id[SPELLING_SIZE], twin[SPELLING_SIZE], org[SPELLING_SIZE];
    spelling_write ("app", app->test, app->id, id);
    spelling_write ("app", !app->test, app->twin, twin);
    spelling_write ("org", false, app->org, org);
    cJSON *row = cJSON_CreateObject ();
    cJSON_AddStringToObject (row, "id", id);
    cJSON_AddStringToObject (row, "organization_id", org);
    cJSON_AddStringToObject (row, "name", app->name ? app->name : "");
    cJSON_AddStringToObject (row, "slug", app->slug ? app->slug : "");
    cJSON_AddBoolToObject (row, "test", app->test);
    cJSON_AddStringToObject (row, "twin_id", twin);
    cJSON_AddStringToObject (row, "status",
                             schema_enum_word (&accounts_app_status_enum, app->status));
    return row;
}

static void print (cJSON *json)
{
    char *text = cJSON_PrintUnformatted (json);
    puts (text ? text : "{}");
    cJSON_free (text);
    cJSON_Delete (json);
}

static void app_line (const accounts_app_info_t *app)
{
    char id[SPELLING_SIZE];
    spelling_write ("app", app->test, app->id, id);
    printf ("%-36s  %-6s  %-4s  %-20s  %s\n", id,
            schema_enum_word (&accounts_app_status_enum, app->status), app->test ? "test" : "live",
            app->slug ? app->slug : "", app->name ? app->name : "");
}

static int list (apps_t *self, failure_t *failure)
{
    accounts_app_list_in_t in = {0};
    accounts_app_list_out_t out = {0};
    int rc = client_ask (self->client, "accounts.app_list", NULL, &in, &out, self->arena, ASK_MS,
                         failure);
    const accounts_app_info_t *rows = out.apps.items;
    cJSON *array = !rc && self->json ? cJSON_CreateArray () : NULL;
    for (size_t i = 0; !rc && i < out.apps.count; i++) {
        if (array)
            cJSON_AddItemToArray (array, app_json (&rows[i]));
        else
            app_line (&rows[i]);
    }
    if (array)
        print (array);
    return rc;
}

static int pause_or_resume (apps_t *self, const char *word, bool paused, failure_t *failure)
{
    app_ref_t app;
    accounts_app_info_t out = {0};
    int rc = app_ref_read (self->client, self->data, word, &app, failure);
    accounts_app_pause_in_t in = {.app = app.id, .paused = paused};
    if (!rc)
        rc = client_ask (self->client, "accounts.app_pause", NULL, &in, &out, self->arena, ASK_MS,
                         failure);
    if (rc)
        return rc;
    if (self->json)
        print (app_json (&out));
    else
        printf (paused ? "%s is paused: its sends are refused\n" : "%s goes on\n", word);
    return 0;
}

static int run (apps_t *self, const cli_list_t *given)
{
    failure_t failure = {0};
    const char *verb = given->items[0];
    bool lists = !strcmp (verb, "list"), pauses = !strcmp (verb, "pause");
    if ((!lists && !pauses && strcmp (verb, "resume") != 0) || given->count != (lists ? 1 : 2))
        return cli_fail (EX_USAGE, "app: list, pause test|live|ID or resume test|live|ID");
    self->arena = arena_new (MEMORY);
    int rc = self->arena ? client_open (self->data, ASK_MS, &self->client, &failure)
                         : failure_set (&failure, E_NO_MEMORY, "", "out of memory");
    if (!rc)
        rc = lists ? list (self, &failure)
                   : pause_or_resume (self, given->items[1], pauses, &failure);
    client_close (&self->client);
    arena_destroy (&self->arena);
    return rc ? client_fail ("app", &failure) : EX_OK;
}

int cmd_app (int argc, char **argv)
{
    apps_t self = {.data = "./var"};
    const cli_option_t options[] = {
        {"--data", "DIR", "the house's folder (default ./var)", CLI_TEXT, &self.data, 0, 0},
        {"--json", NULL, "objects instead of lines", CLI_SWITCH, &self.json, 0, 0},
    };
    cli_form_t form = {
        .command = "app",
        .about =
            "Apps of all organizations, each live one with its test twin. A paused app keeps its data and reads, but its sends are refused.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
        .operands = "list | pause APP | resume APP",
        .operand_min = 1,
        .operand_max = 2,
    };
    int rc = cli_read (&form, argc, argv);
    return rc >= 0 ? rc : run (&self, &form.given);
}
