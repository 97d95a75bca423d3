/* cmd_app.c - `aviary app list|pause|resume`: apps of all organizations. A paused app reads, but does not send; what it had queued goes out. */
#include "app_ref.h"
#include "cli.h"
#include "commands.h"
#include "gen/accounts.h"
#include "spelling.h"
#include "verbs.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

typedef struct apps {
    bool json;
    verb_means_t means;
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

static void app_line (const accounts_app_info_t *app)
{
    char id[SPELLING_SIZE];
    spelling_write ("app", app->test, app->id, id);
    printf ("%-36s  %-6s  %-4s  %-20s  %s\n", id,
            schema_enum_word (&accounts_app_status_enum, app->status), app->test ? "test" : "live",
            app->slug ? app->slug : "", app->name ? app->name : "");
}

static int list (void *context, const char *operand, failure_t *failure)
{
    apps_t *self = context;
    (void) operand;
    accounts_app_list_in_t in = {0};
    accounts_app_list_out_t out = {0};
    int rc = client_ask (self->means.client, "accounts.app_list", NULL, &in, &out,
                         self->means.arena, VERB_ASK_MS, failure);
    const accounts_app_info_t *rows = out.apps.items;
    cJSON *array = !rc && self->json ? cJSON_CreateArray () : NULL;
    for (size_t i = 0; !rc && i < out.apps.count; i++) {
        if (array)
            cJSON_AddItemToArray (array, app_json (&rows[i]));
        else
            app_line (&rows[i]);
    }
    if (array)
        json_print (array);
    return rc;
}

static int pause_or_resume (apps_t *self, const char *word, bool paused, failure_t *failure)
{
    app_ref_t app;
    accounts_app_info_t out = {0};
    int rc = app_ref_read (self->means.client, self->means.data, word, &app, failure);
    accounts_app_pause_in_t in = {.app = app.id, .paused = paused};
    if (!rc)
        rc = client_ask (self->means.client, "accounts.app_pause", NULL, &in, &out,
                         self->means.arena, VERB_ASK_MS, failure);
    if (rc)
        return rc;
    if (self->json)
        json_print (app_json (&out));
    else
        printf (paused ? "%s is paused: its sends are refused\n" : "%s goes on\n", word);
    return 0;
}

static int pause_app (void *self, const char *word, failure_t *failure)
{
    return pause_or_resume (self, word, true, failure);
}

static int resume_app (void *self, const char *word, failure_t *failure)
{
    return pause_or_resume (self, word, false, failure);
}

int cmd_app (int argc, char **argv)
{
    apps_t self = {.means.data = "./var"};
    const cli_option_t options[] = {
        {"--data", "DIR", "the house's folder (default ./var)", CLI_TEXT, &self.means.data, 0, 0},
        {"--json", NULL, "objects instead of lines", CLI_SWITCH, &self.json, 0, 0},
    };
    static const verb_t verbs[] = {
        {"list", 0, list, false},
        {"pause", 1, pause_app, false},
        {"resume", 1, resume_app, false},
    };
    cli_form_t form = {
        .command = "app",
        .about =
            "Apps of all organizations, each live one with its test twin. A paused app keeps its data and reads, but its sends are refused.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
        .operands = "list | pause APP | resume APP",
    };
    return verbs_main (&form, argc, argv,
                       &(verbs_t){verbs, sizeof verbs / sizeof *verbs, &self.means, &self, NULL});
}
