/* cmd_org.c - `aviary org create|list|suspend|resume`: several organizations on one installation.
 *
 * The keys of a new one are printed once. A suspended one is refused from the moment that the command returns; what comes in for it is stored all the same. */
#include "cli.h"
#include "client.h"
#include "commands.h"
#include "gen/accounts.h"
#include "spelling.h"
#include "verbs.h"

#include "base/clock.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

typedef struct orgs {
    const char *name, *app;
    bool json;
    verb_means_t means;
} orgs_t;

static int create (void *context, const char *operand, failure_t *failure)
{
    orgs_t *self = context;
    (void) operand;
    char org[SPELLING_SIZE], app[SPELLING_SIZE], test[SPELLING_SIZE];
    accounts_org_create_in_t in = {.organization = self->name, .app = self->app};
    accounts_bootstrap_out_t out = {0};
    if (!self->name)
        return failure_set (failure, E_BAD_REQUEST, "--name", "--name NAME is needed");
    int rc = client_ask (self->means.client, "accounts.org_create", NULL, &in, &out,
                         self->means.arena, VERB_ASK_MS, failure);
    if (rc)
        return rc;
    spelling_write ("org", false, out.organization_id, org);
    spelling_write ("app", false, out.app_id, app);
    spelling_write ("app", true, out.test_app_id, test);
    const char *rows[][2] = {{"organization_id", org},
                             {"admin_key", out.admin_key},
                             {"app_id", app},
                             {"live_key", out.live_key},
                             {"test_app_id", test},
                             {"test_key", out.test_key},
                             {"organization_key", out.organization_key}};
    cJSON *told = cJSON_CreateObject ();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cJSON_AddStringToObject (told, rows[i][0], rows[i][1]);
        if (!self->json)
            printf ("%-16s %s\n", rows[i][0], rows[i][1]);
    }
    if (self->json)
        json_print (told);
    else
        cJSON_Delete (told);
    fprintf (stderr, "the keys are shown this once\n");
    return 0;
}

static cJSON *org_json (const accounts_org_info_t *org)
{
    char id[SPELLING_SIZE], at[CLOCK_ISO_SIZE];
    spelling_write ("org", false, org->id, id);
    clock_write_iso (org->created_at, at);
    cJSON *row = cJSON_CreateObject ();
    cJSON_AddStringToObject (row, "id", id);
    cJSON_AddStringToObject (row, "name", org->name ? org->name : "");
    cJSON_AddStringToObject (row, "status",
                             schema_enum_word (&accounts_org_status_enum, org->status));
    cJSON_AddNumberToObject (row, "apps", (double) org->apps);
    cJSON_AddStringToObject (row, "created_at", at);
    return row;
}

static int list (void *context, const char *operand, failure_t *failure)
{
    orgs_t *self = context;
    (void) operand;
    accounts_org_list_in_t in = {0};
    accounts_org_list_out_t out = {0};
    char id[SPELLING_SIZE];
    int rc = client_ask (self->means.client, "accounts.org_list", NULL, &in, &out,
                         self->means.arena, VERB_ASK_MS, failure);
    const accounts_org_info_t *rows = out.organizations.items;
    cJSON *array = !rc && self->json ? cJSON_CreateArray () : NULL;
    for (size_t i = 0; !rc && i < out.organizations.count; i++) {
        spelling_write ("org", false, rows[i].id, id);
        if (array)
            cJSON_AddItemToArray (array, org_json (&rows[i]));
        else
            printf ("%-32s  %-9s  %3d apps  %s\n", id,
                    schema_enum_word (&accounts_org_status_enum, rows[i].status),
                    (int) rows[i].apps, rows[i].name ? rows[i].name : "");
    }
    if (array)
        json_print (array);
    return rc;
}

static int set (orgs_t *self, const char *text, bool suspended, failure_t *failure)
{
    accounts_org_suspend_in_t in = {.suspended = suspended};
    accounts_org_info_t out = {0};
    if (!spelling_read (text, &in.id))
        return failure_set (failure, E_NOT_FOUND, "", "'%s' is no id in any spelling", text);
    int rc = client_ask (self->means.client, "accounts.org_suspend", NULL, &in, &out,
                         self->means.arena, VERB_ASK_MS, failure);
    if (rc)
        return rc;
    if (self->json)
        json_print (org_json (&out));
    else
        printf (suspended ? "%s is suspended: no edge takes its keys any more\n" : "%s goes on\n",
                text);
    return 0;
}

static int suspend (void *self, const char *text, failure_t *failure)
{
    return set (self, text, true, failure);
}

static int resume (void *self, const char *text, failure_t *failure)
{
    return set (self, text, false, failure);
}

int cmd_org (int argc, char **argv)
{
    orgs_t self = {.means.data = "./var", .app = "First app"};
    const cli_option_t options[] = {
        {"--data", "DIR", "the house's folder (default ./var)", CLI_TEXT, &self.means.data, 0, 0},
        {"--name", "NAME", "create: the organization's", CLI_TEXT, &self.name, 0, 0},
        {"--app", "NAME", "create: its first app's", CLI_TEXT, &self.app, 0, 0},
        {"--json", NULL, "objects instead of lines", CLI_SWITCH, &self.json, 0, 0},
    };
    static const verb_t verbs[] = {
        {"create", 0, create, false},
        {"list", 0, list, false},
        {"suspend", 1, suspend, false},
        {"resume", 1, resume, false},
    };
    cli_form_t form = {
        .command = "org",
        .about =
            "Organizations of this installation. create makes one with an app, its test twin and a key of each kind, shown once.\n"
            "A suspended one is refused everywhere when the command returns; what comes in for it is still stored.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
        .operands = "create | list | suspend ID | resume ID",
    };
    return verbs_main (&form, argc, argv,
                       &(verbs_t){verbs, sizeof verbs / sizeof *verbs, &self.means, &self, NULL});
}
