/* cmd_templates.c - `aviary templates list|show|sync`: WhatsApp templates as Meta has them, what a send of each must give, and reading them now. */
#include "cli.h"
#include "client.h"
#include "commands.h"
#include "gen/templates.h"
#include "spelling.h"
#include "verbs.h"

#include "base/clock.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

enum { ASK_MS = 8000, SYNC_MS = 60000, MEMORY = 16 << 20, PAGE = 200 };

typedef struct templates {
    const char *data, *account;
    bool json, deleted;
    id16_t account_id; /* nil = all */
    client_t *client;
    arena_t *arena;
} templates_t;

/* ---- as JSON ---- */

static void id_add (cJSON *object, const char *name, id16_t id)
{
    char text[SPELLING_SIZE];
    spelling_write (NULL, false, id, text);
    cJSON_AddStringToObject (object, name, text);
}

static void text_add (cJSON *object, const char *name, const char *text)
{
    if (text && *text)
        cJSON_AddStringToObject (object, name, text);
}

static void word_add (cJSON *object, const char *name, const schema_enum_t *e, int32_t value)
{
    if (value)
        cJSON_AddStringToObject (object, name, schema_enum_word (e, value));
}

static void time_add (cJSON *object, const char *name, int64_t ms)
{
    char text[CLOCK_ISO_SIZE];
    clock_write_iso (ms, text);
    if (ms)
        cJSON_AddStringToObject (object, name, text);
}

static cJSON *slots_json (const schema_list_t *slots)
{
    const templates_slot_t *all = slots->items;
    cJSON *list = cJSON_CreateArray ();
    for (size_t i = 0; i < slots->count; i++) {
        const char *const *names = all[i].names.items;
        cJSON *row = cJSON_CreateObject ();
        word_add (row, "part", &templates_part_enum, all[i].part);
        if (all[i].part == TEMPLATES_PART_BUTTON)
            cJSON_AddNumberToObject (row, "index", (double) all[i].index);
        word_add (row, "kind", &templates_slot_kind_enum, all[i].kind);
        cJSON_AddNumberToObject (row, "count", (double) all[i].count);
        if (all[i].names.count)
            cJSON_AddItemToObject (row, "names",
                                   cJSON_CreateStringArray (names, (int) all[i].names.count));
        text_add (row, "prefix", all[i].prefix);
        cJSON_AddItemToArray (list, row);
    }
    return list;
}

static cJSON *template_json (const templates_template_info_t *info)
{
    cJSON *row = cJSON_CreateObject ();
    id_add (row, "id", info->id);
    id_add (row, "account", info->account);
    text_add (row, "provider_id", info->provider_id);
    text_add (row, "name", info->name);
    text_add (row, "language", info->language);
    word_add (row, "category", &templates_category_enum, info->category);
    word_add (row, "status", &templates_status_enum, info->status);
    word_add (row, "parameter_format", &templates_parameter_format_enum, info->parameter_format);
    text_add (row, "rejected_reason", info->rejected_reason);
    word_add (row, "quality", &templates_quality_enum, info->quality);
    time_add (row, "updated_at", info->updated_at);
    cJSON_AddItemToObject (row, "parameters", slots_json (&info->slots));
    buf_t components = {0};
    if (info->components.size)
        schema_any_write (info->components, &components);
    if (components.size)
        cJSON_AddRawToObject (row, "components", buf_text (&components));
    buf_free (&components);
    return row;
}

static cJSON *account_json (const templates_account_info_t *info)
{
    cJSON *row = cJSON_CreateObject ();
    id_add (row, "id", info->id);
    text_add (row, "name", info->name);
    text_add (row, "waba", info->waba);
    cJSON_AddBoolToObject (row, "syncing", info->syncing);
    time_add (row, "synced_at", info->synced_at);
    time_add (row, "next_at", info->next_at);
    time_add (row, "failed_at", info->failed_at);
    text_add (row, "error", info->error);
    return row;
}

/* ---- as lines ---- */

/* "body 2, button 1 1", or "-". */
static const char *slots_text (arena_t *arena, const schema_list_t *slots)
{
    const templates_slot_t *all = slots->items;
    buf_t out = buf_in (arena);
    for (size_t i = 0; i < slots->count; i++) {
        buf_printf (&out, "%s%s", i ? ", " : "",
                    schema_enum_word (&templates_part_enum, all[i].part));
        if (all[i].part == TEMPLATES_PART_BUTTON)
            buf_printf (&out, "[%d]", (int) all[i].index);
        buf_printf (&out, " %d %s", (int) all[i].count,
                    schema_enum_word (&templates_slot_kind_enum, all[i].kind));
    }
    return slots->count ? buf_text (&out) : "-";
}

static void template_line (arena_t *arena, const templates_template_info_t *info)
{
    char id[SPELLING_SIZE];
    spelling_write (NULL, false, info->id, id);
    printf ("%s  %-32s %-6s %-16s %s\n", id, info->name, info->language,
            schema_enum_word (&templates_status_enum, info->status),
            slots_text (arena, &info->slots));
}

static void account_line (const templates_account_info_t *info)
{
    char id[SPELLING_SIZE], at[CLOCK_ISO_SIZE];
    spelling_write (NULL, false, info->id, id);
    clock_write_iso (info->synced_at, at);
    printf ("account %s%s%s, WABA %s, read %s%s%s%s\n", id, info->name ? " " : "",
            info->name ? info->name : "", info->waba ? info->waba : "?",
            info->synced_at ? at : "never", info->syncing ? ", being read" : "",
            info->error ? "; the last reading failed: " : "", info->error ? info->error : "");
}

/* ---- the three ---- */

static bool is_meant (const templates_t *self, id16_t account)
{
    return id_is_nil (self->account_id) || id_equal (self->account_id, account);
}

static int accounts_get (const templates_t *self, templates_accounts_out_t *out, failure_t *failure)
{
    templates_accounts_in_t in = {0};
    *out = (templates_accounts_out_t){0};
    return client_ask (self->client, "templates.accounts", NULL, &in, out, self->arena, ASK_MS,
                       failure);
}

/* Every page; to `rows`, or as lines. */
static int list_pages (const templates_t *self, cJSON *rows, failure_t *failure)
{
    templates_list_in_t in = {.account = self->account_id, .limit = PAGE, .deleted = self->deleted};
    templates_list_out_t out = {.more = true};
    int rc = 0;
    while (!rc && out.more) {
        out = (templates_list_out_t){0};
        rc = client_ask (self->client, "templates.list", NULL, &in, &out, self->arena, ASK_MS,
                         failure);
        const templates_template_info_t *items = out.templates.items;
        for (size_t i = 0; !rc && i < out.templates.count; i++) {
            if (rows)
                cJSON_AddItemToArray (rows, template_json (&items[i]));
            else
                template_line (self->arena, &items[i]);
        }
        in.after = out.last;
    }
    return rc;
}

static int list (const templates_t *self, failure_t *failure)
{
    templates_accounts_out_t out;
    int rc = accounts_get (self, &out, failure);
    const templates_account_info_t *items = out.accounts.items;
    cJSON *root = !rc && self->json ? cJSON_CreateObject () : NULL;
    cJSON *accounts = root ? cJSON_AddArrayToObject (root, "accounts") : NULL;
    for (size_t i = 0; !rc && i < out.accounts.count; i++) {
        if (!is_meant (self, items[i].id))
            continue;
        if (root)
            cJSON_AddItemToArray (accounts, account_json (&items[i]));
        else
            account_line (&items[i]);
    }
    if (!rc && !out.accounts.count && !root)
        printf ("no WhatsApp account; `aviary carrier add` makes one\n");
    if (!rc)
        rc = list_pages (self, root ? cJSON_AddArrayToObject (root, "templates") : NULL, failure);
    if (!rc && root)
        json_print (root);
    else
        cJSON_Delete (root);
    return rc;
}

static int show (const templates_t *self, const char *text, failure_t *failure)
{
    templates_show_in_t in = {0};
    templates_template_info_t out = {0};
    if (!spelling_read (text, &in.id))
        return failure_set (failure, E_BAD_REQUEST, "", "'%s' is no id", text);
    int rc =
        client_ask (self->client, "templates.show", NULL, &in, &out, self->arena, ASK_MS, failure);
    if (rc)
        return rc;
    cJSON *json = template_json (&out);
    char *pretty = self->json ? cJSON_PrintUnformatted (json) : cJSON_Print (json);
    puts (pretty ? pretty : "{}");
    cJSON_free (pretty);
    cJSON_Delete (json);
    return 0;
}

static int sync_one (const templates_t *self, const templates_account_info_t *account, cJSON *rows,
                     failure_t *failure)
{
    char id[SPELLING_SIZE];
    templates_sync_in_t in = {.account = account->id};
    templates_sync_result_t out = {0};
    int rc =
        client_ask (self->client, "templates.sync", NULL, &in, &out, self->arena, SYNC_MS, failure);
    if (rc)
        return rc;
    spelling_write (NULL, false, account->id, id);
    if (!rows) {
        printf ("account %s has %lld templates: %lld new, %lld changed, %lld gone\n", id,
                (long long) out.templates, (long long) out.added, (long long) out.changed,
                (long long) out.deleted);
        return 0;
    }
    cJSON *row = cJSON_CreateObject ();
    cJSON_AddStringToObject (row, "account", id);
    cJSON_AddNumberToObject (row, "templates", (double) out.templates);
    cJSON_AddNumberToObject (row, "added", (double) out.added);
    cJSON_AddNumberToObject (row, "changed", (double) out.changed);
    cJSON_AddNumberToObject (row, "deleted", (double) out.deleted);
    cJSON_AddItemToArray (rows, row);
    return 0;
}

static int sync (const templates_t *self, failure_t *failure)
{
    templates_accounts_out_t out;
    int rc = accounts_get (self, &out, failure);
    const templates_account_info_t *items = out.accounts.items;
    cJSON *rows = self->json ? cJSON_CreateArray () : NULL;
    size_t meant = 0;
    for (size_t i = 0; !rc && i < out.accounts.count; i++) {
        if (!is_meant (self, items[i].id))
            continue;
        meant++;
        rc = sync_one (self, &items[i], rows, failure);
    }
    if (!rc && !meant)
        rc = failure_set (failure, E_NOT_FOUND, "--account", "there is no such WhatsApp account");
    if (!rc && rows)
        json_print (rows);
    else
        cJSON_Delete (rows);
    return rc;
}

static int run (templates_t *self, const cli_form_t *form, failure_t *failure)
{
    const char *verb = form->given.items[0];
    if (self->account && !spelling_read (self->account, &self->account_id))
        return failure_set (failure, E_BAD_REQUEST, "--account", "'%s' is no id", self->account);
    self->arena = arena_new (MEMORY);
    int rc = self->arena ? client_open (self->data, ASK_MS, &self->client, failure)
                         : failure_set (failure, E_NO_MEMORY, "", "out of memory");
    if (!rc)
        rc = !strcmp (verb, "list")   ? list (self, failure)
             : !strcmp (verb, "sync") ? sync (self, failure)
                                      : show (self, form->given.items[1], failure);
    client_close (&self->client);
    arena_destroy (&self->arena);
    return rc;
}

int cmd_templates (int argc, char **argv)
{
    templates_t self = {.data = "./var"};
    const cli_option_t options[] = {
        {"--data", "DIR", "the house's folder (default ./var)", CLI_TEXT, &self.data, 0, 0},
        {"--account", "ID", "list, sync: of this carrier account only", CLI_TEXT, &self.account, 0,
         0},
        {"--deleted", NULL, "list: also those that are gone", CLI_SWITCH, &self.deleted, 0, 0},
        {"--json", NULL, "list: {accounts, templates}; sync: an array; show: on one line",
         CLI_SWITCH, &self.json, 0, 0},
    };
    cli_form_t form = {
        .command = "templates",
        .about =
            "WhatsApp's message templates as Meta has them, and what a send of each must give. `sync` reads them now; else they are\n"
            "read when an account is connected, when Meta says that one changed, and every hour.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
        .operands = "list|sync|show ID",
        .operand_min = 1,
        .operand_max = 2,
    };
    int rc = cli_read (&form, argc, argv);
    if (rc >= 0)
        return rc;
    const char *verb = form.given.items[0];
    bool shows = !strcmp (verb, "show");
    if ((!shows && strcmp (verb, "list") && strcmp (verb, "sync")) ||
        form.given.count != (shows ? 2 : 1))
        return cli_fail (EX_USAGE, "templates: list, sync, or show ID");
    failure_t failure = {0};
    rc = run (&self, &form, &failure);
    return rc ? client_fail ("templates", &failure) : EX_OK;
}
