/* cmd_key.c - `aviary key create|list|delete|bus`: API keys, and the bus's own keys.
 *
 * A new API key is shown once, alone on stdout, so that KEY=$(aviary key create --app test) works. */
#include "app_ref.h"
#include "bus_keys.h"
#include "cli.h"
#include "commands.h"
#include "gen/accounts.h"
#include "spelling.h"

#include "base/clock.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

enum { ASK_MS = 8000, MEMORY = 4 << 20 };

typedef struct keys {
    const char *data, *app, *org, *name, *out;
    int64_t valid_for_ms;
    bool organization, json;
    arena_t *arena;
    client_t *client;
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

static void print (cJSON *json)
{
    char *text = cJSON_PrintUnformatted (json);
    puts (text ? text : "{}");
    cJSON_free (text);
    cJSON_Delete (json);
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

static int create (keys_t *self, failure_t *failure)
{
    app_ref_t app = {0};
    accounts_key_create_in_t in = {
        .name = self->name, .organization = self->organization, .valid_for_ms = self->valid_for_ms};
    accounts_key_create_out_t out = {0};
    int rc = self->app ? app_ref_read (self->client, self->data, self->app, &app, failure) : 0;
    in.app = app.id;
    if (!rc && self->org && !spelling_read (self->org, &in.org))
        rc =
            failure_set (failure, E_NOT_FOUND, "--org", "'%s' is no id in any spelling", self->org);
    if (!rc)
        rc = client_ask (self->client, "accounts.key_create", NULL, &in, &out, self->arena, ASK_MS,
                         failure);
    if (!rc && (!out.key || !out.info))
        rc = failure_set (failure, E_INTERNAL, "", "accounts told no key");
    if (rc)
        return rc;
    if (self->json) {
        print (key_json (out.info, out.key));
        return 0;
    }
    char id[SPELLING_SIZE];
    key_id_write (out.info, id);
    printf ("%s\n", out.key);
    fprintf (stderr, "%s; the key is shown this once\n", id);
    return 0;
}

static int list (keys_t *self, failure_t *failure)
{
    app_ref_t app = {0};
    accounts_key_list_in_t in = {0};
    accounts_key_list_out_t out = {0};
    int rc = self->app ? app_ref_read (self->client, self->data, self->app, &app, failure) : 0;
    in.app = app.id;
    if (!rc)
        rc = client_ask (self->client, "accounts.key_list", NULL, &in, &out, self->arena, ASK_MS,
                         failure);
    const accounts_key_info_t *rows = out.keys.items;
    cJSON *array = !rc && self->json ? cJSON_CreateArray () : NULL;
    for (size_t i = 0; !rc && i < out.keys.count; i++) {
        if (array)
            cJSON_AddItemToArray (array, key_json (&rows[i], NULL));
        else
            key_line (&rows[i]);
    }
    if (array)
        print (array);
    return rc;
}

static int delete (keys_t *self, const char *text, failure_t *failure)
{
    accounts_key_delete_in_t in;
    accounts_key_delete_out_t out = {0};
    memset (&in, 0, sizeof in);
    if (!spelling_read (text, &in.id))
        return failure_set (failure, E_NOT_FOUND, "", "'%s' is no id in any spelling", text);
    int rc = client_ask (self->client, "accounts.key_delete", NULL, &in, &out, self->arena, ASK_MS,
                         failure);
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

static int bus (keys_t *self, failure_t *failure)
{
    if (!self->out)
        return failure_set (failure, E_BAD_REQUEST, "", "--out DIR is needed");
    cJSON *made = cJSON_CreateArray ();
    int rc = bus_keys_make (self->out, bus_told, made, failure);
    if (!rc && !self->json)
        printf (
            "%s holds a folder of keys for the broker (--keys), each service and cli (--bus-keys)\n",
            self->out);
    if (!rc && self->json)
        print (made);
    else
        cJSON_Delete (made);
    return rc;
}

static int run (keys_t *self, const cli_list_t *given)
{
    const char *verb = given->items[0];
    bool deletes = !strcmp (verb, "delete"), buses = !strcmp (verb, "bus"),
         creates = !strcmp (verb, "create");
    if ((!deletes && !buses && !creates && strcmp (verb, "list") != 0) ||
        given->count != (deletes ? 2 : 1))
        return cli_fail (EX_USAGE, "key: create, list, delete ID or bus");
    failure_t failure = {0};
    self->arena = arena_new (MEMORY);
    int rc = self->arena ? 0 : failure_set (&failure, E_NO_MEMORY, "", "out of memory");
    if (!rc && !buses)
        rc = client_open (self->data, ASK_MS, &self->client, &failure);
    if (!rc)
        rc = creates   ? create (self, &failure)
             : deletes ? delete (self, given->items[1], &failure)
             : buses   ? bus (self, &failure)
                       : list (self, &failure);
    client_close (&self->client);
    arena_destroy (&self->arena);
    return rc ? client_fail ("key", &failure) : EX_OK;
}

int cmd_key (int argc, char **argv)
{
    keys_t self = {.data = "./var", .name = "made by aviary key create"};
    const cli_option_t options[] = {
        {"--data", "DIR", "the house's folder (default ./var)", CLI_TEXT, &self.data, 0, 0},
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
    cli_form_t form = {
        .command = "key",
        .about =
            "API keys: create (shown once), list, delete (refused everywhere when this returns). bus: key pairs for a bus on TCP.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
        .operands = "create | list | delete ID | bus",
        .operand_min = 1,
        .operand_max = 2,
    };
    int rc = cli_read (&form, argc, argv);
    return rc >= 0 ? rc : run (&self, &form.given);
}
