/* cmd_key.c - `aviary key create|list|delete|bus`: API keys, and the bus's own keys.
 *
 * A new API key is shown once, alone on stdout, so that KEY=$(aviary key create --app test) works. */
#include "app_ref.h"
#include "bus_keys.h"
#include "cli.h"
#include "commands.h"
#include "gen/accounts.h"
#include "spelling.h"
#include "verbs.h"

#include "base/clock.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

typedef struct keys {
    const char *app, *org, *name, *out;
    int64_t valid_for_ms;
    bool organization, json;
    verb_means_t means;
} keys_t;

/* ---- telling ---- */

static void key_id_write (const accounts_key_info_t *info, char out[SPELLING_SIZE])
{
    if (info->kind == ACCOUNTS_KEY_KIND_ORGANIZATION)
        spelling_write_plain ("key", info->id, out);
    else
        spelling_write (info->kind == ACCOUNTS_KEY_KIND_ADMIN ? "key_admin" : "key_app", info->test,
                        info->id, out);
}

static cJSON *key_json (const accounts_key_info_t *info, const char *key)
{
    char id[SPELLING_SIZE], app[SPELLING_SIZE], at[CLOCK_ISO_SIZE];
    key_id_write (info, id);
    spelling_write ("app", info->test, info->app, app);
    clock_write_iso (info->created_at, at);
    cJSON *row = cJSON_CreateObject ();
    cJSON_AddStringToObject (row, "id", id);
    if (key)
        cJSON_AddStringToObject (row, "key", key);
    cJSON_AddStringToObject (row, "kind", schema_enum_word (&accounts_key_kind_enum, info->kind));
    cJSON_AddItemToObject (row, "app_id", *app ? cJSON_CreateString (app) : cJSON_CreateNull ());
    cJSON_AddBoolToObject (row, "test", info->test);
    cJSON_AddStringToObject (row, "name", info->name ? info->name : "");
    cJSON_AddStringToObject (row, "preview", info->preview ? info->preview : "");
    cJSON_AddStringToObject (row, "created_at", at);
    if (info->expires_at) {
        clock_write_iso (info->expires_at, at);
        cJSON_AddStringToObject (row, "expires_at", at);
    }
    if (info->revoked_at) {
        clock_write_iso (info->revoked_at, at);
        cJSON_AddStringToObject (row, "revoked_at", at);
    }
    return row;
}

static void key_line (const accounts_key_info_t *info)
{
    char id[SPELLING_SIZE], app[SPELLING_SIZE], at[CLOCK_ISO_SIZE];
    key_id_write (info, id);
    spelling_write ("app", info->test, info->app, app);
    clock_write_iso (info->created_at, at);
    printf ("%-42s  %-16s  %s  %-36s  %s\n", id, info->preview ? info->preview : "", at,
            *app ? app : schema_enum_word (&accounts_key_kind_enum, info->kind),
            info->name ? info->name : "");
}

/* ---- the four ---- */

static int create (void *context, const char *operand, failure_t *failure)
{
    keys_t *self = context;
    (void) operand;
    app_ref_t app = {0};
    accounts_key_create_in_t in = {
        .name = self->name, .organization = self->organization, .valid_for_ms = self->valid_for_ms};
    accounts_key_create_out_t out = {0};
    int rc = self->app
                 ? app_ref_read (self->means.client, self->means.data, self->app, &app, failure)
                 : 0;
    in.app = app.id;
    if (!rc && self->org && !spelling_read (self->org, &in.org))
        rc =
            failure_set (failure, E_NOT_FOUND, "--org", "'%s' is no id in any spelling", self->org);
    if (!rc)
        rc = client_ask (self->means.client, "accounts.key_create", NULL, &in, &out,
                         self->means.arena, VERB_ASK_MS, failure);
    if (!rc && (!out.key || !out.info))
        rc = failure_set (failure, E_INTERNAL, "", "accounts told no key");
    if (rc)
        return rc;
    if (self->json) {
        json_print (key_json (out.info, out.key));
        return 0;
    }
    char id[SPELLING_SIZE];
    key_id_write (out.info, id);
    printf ("%s\n", out.key);
    fprintf (stderr, "%s; the key is shown this once\n", id);
    return 0;
}

static int list (void *context, const char *operand, failure_t *failure)
{
    keys_t *self = context;
    (void) operand;
    app_ref_t app = {0};
    accounts_key_list_in_t in = {0};
    accounts_key_list_out_t out = {0};
    int rc = self->app
                 ? app_ref_read (self->means.client, self->means.data, self->app, &app, failure)
                 : 0;
    in.app = app.id;
    if (!rc)
        rc = client_ask (self->means.client, "accounts.key_list", NULL, &in, &out,
                         self->means.arena, VERB_ASK_MS, failure);
    const accounts_key_info_t *rows = out.keys.items;
    cJSON *array = !rc && self->json ? cJSON_CreateArray () : NULL;
    for (size_t i = 0; !rc && i < out.keys.count; i++) {
        if (array)
            cJSON_AddItemToArray (array, key_json (&rows[i], NULL));
        else
            key_line (&rows[i]);
    }
    if (array)
        json_print (array);
    return rc;
}

static int delete (void *context, const char *text, failure_t *failure)
{
    keys_t *self = context;
    accounts_key_delete_in_t in;
    accounts_key_delete_out_t out = {0};
    memset (&in, 0, sizeof in);
    if (!spelling_read (text, &in.id))
        return failure_set (failure, E_NOT_FOUND, "", "'%s' is no id in any spelling", text);
    int rc = client_ask (self->means.client, "accounts.key_delete", NULL, &in, &out,
                         self->means.arena, VERB_ASK_MS, failure);
    if (!rc)
        printf (self->json ? "{\"deleted\": \"%s\"}\n"
                           : "%s is deleted; no edge takes it any more\n",
                text);
    return rc;
}

static void bus_told (void *context, const char *name)
{
    cJSON_AddItemToArray (context, cJSON_CreateString (name));
}

static int bus (void *context, const char *operand, failure_t *failure)
{
    keys_t *self = context;
    (void) operand;
    if (!self->out)
        return failure_set (failure, E_BAD_REQUEST, "", "--out DIR is needed");
    cJSON *made = cJSON_CreateArray ();
    int rc = bus_keys_make (self->out, bus_told, made, failure);
    if (!rc && !self->json)
        printf (
            "%s holds a folder of keys for the broker (--keys), each service and cli (--bus-keys)\n",
            self->out);
    if (!rc && self->json)
        json_print (made);
    else
        cJSON_Delete (made);
    return rc;
}

int cmd_key (int argc, char **argv)
{
    keys_t self = {.means.data = "./var", .name = "made by aviary key create"};
    const cli_option_t options[] = {
        {"--data", "DIR", "the house's folder (default ./var)", CLI_TEXT, &self.means.data, 0, 0},
        {"--app", "test|live|ID", "create, list: of this app; create without it makes an admin key",
         CLI_TEXT, &self.app, 0, 0},
        {"--org", "ID", "create: an admin key of this organization (default the only one)",
         CLI_TEXT, &self.org, 0, 0},
        {"--organization", NULL, "create: a key of the organization as a whole (Kirim's kdv_live_)",
         CLI_SWITCH, &self.organization, 0, 0},
        {"--valid-for", "TIME", "create --organization: it expires then (default never)",
         CLI_MILLIS, &self.valid_for_ms, 1000, INT64_C (315360000000)},
        {"--name", "NAME", "create: what it is for", CLI_TEXT, &self.name, 0, 0},
        {"--out", "DIR", "bus: where the folders of keys are made", CLI_TEXT, &self.out, 0, 0},
        {"--json", NULL, "objects instead of lines", CLI_SWITCH, &self.json, 0, 0},
    };
    static const verb_t verbs[] = {
        {"create", 0, create, false},
        {"list", 0, list, false},
        {"delete", 1, delete, false},
        {"bus", 0, bus, true},
    };
    cli_form_t form = {
        .command = "key",
        .about =
            "API keys: create (shown once), list, delete (refused everywhere when this returns). bus: key pairs for a bus on TCP.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
        .operands = "create | list | delete ID | bus",
    };
    return verbs_main (&form, argc, argv,
                       &(verbs_t){verbs, sizeof verbs / sizeof *verbs, &self.means, &self, NULL});
}
