/* cmd_carrier.c - `aviary carrier add|set|list|remove`: accounts at Meta and Telnyx, and the callback URL to configure there.
 *
 * Secrets go from a flag or a file to accounts, which seals them; no command shows them again. */
#include "carrier.h"
#include "cli.h"
#include "client.h"
#include "commands.h"
#include "files.h"
#include "gen/accounts.h"
#include "sign/sign.h"
#include "spelling.h"
#include "verbs.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

enum { ASK_MS = 8000, MEMORY = 4 << 20, SECRET_MAX = 8192, VERIFY_TOKEN_LENGTH = 32 };

typedef struct carriers {
    const char *data, *org;
    const char *name, *base_url, *waba, *profile, *public_key;
    const char *token, *token_file, *key, *key_file, *app_secret, *app_secret_file, *verify_token,
        *verify_token_file;
    bool json;
    arena_t *arena;
    client_t *client;
    char made_verify_token[VERIFY_TOKEN_LENGTH + 1]; /* told once, since Meta must be given it */
} carriers_t;

/* ---- reading ---- */

/* The text itself, or the file's without the line's end. */
static int secret_read (carriers_t *self, const char *flag, const char *text, const char *path,
                        const char **out, failure_t *failure)
{
    buf_t content = {0};
    *out = text;
    if (!path)
        return 0;
    if (text)
        return failure_set (failure, E_BAD_REQUEST, flag, "give the text or the file, not both");
    int rc = file_read (path, SECRET_MAX, &content);
    if (!rc) {
        const char *all = buf_text (&content);
        *out = arena_strndup (self->arena, all, strcspn (all, "\r\n"));
        sign_wipe (content.data, content.size);
    }
    buf_free (&content);
    return rc ? failure_set (failure, E_BAD_REQUEST, flag, "%s: %s", path, strerror (rc)) : 0;
}

static int input_read (carriers_t *self, accounts_carrier_set_in_t *in, failure_t *failure)
{
    const char *key = NULL;
    int rc = secret_read (self, "--token-file", self->token, self->token_file, &in->token, failure);
    if (!rc)
        rc = secret_read (self, "--key-file", self->key, self->key_file, &key, failure);
    if (!rc)
        rc = secret_read (self, "--app-secret-file", self->app_secret, self->app_secret_file,
                          &in->app_secret, failure);
    if (!rc)
        rc = secret_read (self, "--verify-token-file", self->verify_token, self->verify_token_file,
                          &in->verify_token, failure);
    if (!in->token)
        in->token = key;
    in->name = self->name;
    in->base_url = self->base_url;
    in->waba = self->waba;
    in->profile = self->profile;
    in->public_key = self->public_key;
    if (!rc && self->org && !spelling_read (self->org, &in->org))
        rc = failure_set (failure, E_BAD_REQUEST, "--org", "'%s' is no id", self->org);
    return rc;
}

/* ---- telling ---- */

static void url_write (const carriers_t *self, const accounts_carrier_info_t *info, char *out,
                       size_t size)
{
    failure_t failure = {0};
    credentials_t known = {0};
    bool told = !credentials_read (self->data, self->arena, &known, &failure) && *known.base_url;
    carrier_callback_url (told ? known.base_url : "PUBLIC_URL", info->carrier, info->id, out, size);
}

static cJSON *info_json (const carriers_t *self, const accounts_carrier_info_t *info)
{
    char id[ID_UUID_LENGTH + 1], url[1024];
    cJSON *row = cJSON_CreateObject ();
    id_write_uuid (info->id, id);
    url_write (self, info, url, sizeof url);
    cJSON_AddStringToObject (row, "id", id);
    cJSON_AddStringToObject (row, "carrier",
                             schema_enum_word (&accounts_carrier_enum, info->carrier));
    cJSON_AddStringToObject (row, "name", info->name ? info->name : "");
    cJSON_AddStringToObject (row, "base_url", info->base_url ? info->base_url : "");
    if (info->waba)
        cJSON_AddStringToObject (row, "waba", info->waba);
    if (info->profile)
        cJSON_AddStringToObject (row, "profile", info->profile);
    cJSON_AddNumberToObject (row, "numbers", (double) info->numbers);
    cJSON_AddStringToObject (row, "callback_url", url);
    return row;
}

static void info_line (const carriers_t *self, const accounts_carrier_info_t *info)
{
    char id[ID_UUID_LENGTH + 1], url[1024];
    id_write_uuid (info->id, id);
    url_write (self, info, url, sizeof url);
    printf ("%s  %-6s  %-20s  %d numbers  callbacks at %s\n", id,
            schema_enum_word (&accounts_carrier_enum, info->carrier), info->name ? info->name : "",
            (int) info->numbers, url);
}

static void tell_set (const carriers_t *self, const accounts_carrier_info_t *info)
{
    if (self->json) {
        cJSON *row = info_json (self, info);
        if (*self->made_verify_token)
            cJSON_AddStringToObject (row, "verify_token", self->made_verify_token);
        json_print (row);
        return;
    }
    info_line (self, info);
    if (*self->made_verify_token)
        printf ("verify token for Meta's webhook settings, shown this once: %s\n",
                self->made_verify_token);
}

/* ---- the four ---- */

static int set (carriers_t *self, accounts_carrier_set_in_t *in, failure_t *failure)
{
    accounts_carrier_info_t out = {0};
    int rc = input_read (self, in, failure);
    if (!rc && in->carrier == ACCOUNTS_CARRIER_META && !in->verify_token) {
        sign_random_base62 (self->made_verify_token, VERIFY_TOKEN_LENGTH);
        in->verify_token = self->made_verify_token;
    }
    if (!rc)
        rc = client_ask (self->client, "accounts.carrier_set", NULL, in, &out, self->arena, ASK_MS,
                         failure);
    if (!rc)
        tell_set (self, &out);
    return rc;
}

static int add (carriers_t *self, const char *word, failure_t *failure)
{
    accounts_carrier_set_in_t in = {0};
    in.carrier = schema_enum_read (&accounts_carrier_enum, word, strlen (word));
    if (in.carrier != ACCOUNTS_CARRIER_META && in.carrier != ACCOUNTS_CARRIER_TELNYX)
        return failure_set (failure, E_BAD_REQUEST, "", "meta or telnyx, not '%s'", word);
    return set (self, &in, failure);
}

static int change (carriers_t *self, const char *text, failure_t *failure)
{
    accounts_carrier_set_in_t in = {0};
    if (!spelling_read (text, &in.id))
        return failure_set (failure, E_NOT_FOUND, "", "'%s' is no id in any spelling", text);
    return set (self, &in, failure);
}

static int list (carriers_t *self, failure_t *failure)
{
    accounts_carrier_list_in_t in = {0};
    accounts_carrier_list_out_t out = {0};
    int rc = client_ask (self->client, "accounts.carrier_list", NULL, &in, &out, self->arena,
                         ASK_MS, failure);
    const accounts_carrier_info_t *rows = out.accounts.items;
    cJSON *array = !rc && self->json ? cJSON_CreateArray () : NULL;
    for (size_t i = 0; !rc && i < out.accounts.count; i++) {
        if (array)
            cJSON_AddItemToArray (array, info_json (self, &rows[i]));
        else
            info_line (self, &rows[i]);
    }
    if (array)
        json_print (array);
    return rc;
}

static int take_away (carriers_t *self, const char *text, failure_t *failure)
{
    accounts_carrier_delete_in_t in = {0};
    accounts_carrier_delete_out_t out = {0};
    if (!spelling_read (text, &in.id))
        return failure_set (failure, E_NOT_FOUND, "", "'%s' is no id in any spelling", text);
    int rc = client_ask (self->client, "accounts.carrier_delete", NULL, &in, &out, self->arena,
                         ASK_MS, failure);
    if (!rc)
        printf (self->json ? "{\"removed\": \"%s\"}\n"
                           : "%s is removed; its callbacks are refused\n",
                text);
    return rc;
}

static int run (carriers_t *self, const cli_list_t *given)
{
    static const struct {
        const char *verb;
        int (*run) (carriers_t *self, const char *operand, failure_t *failure);
    } verbs[] = {{"add", add}, {"set", change}, {"remove", take_away}};
    failure_t failure = {0};
    const char *verb = given->items[0];
    bool lists = !strcmp (verb, "list");
    size_t which = 0;
    while (which < sizeof verbs / sizeof *verbs && strcmp (verbs[which].verb, verb) != 0)
        which++;
    if (given->count != (lists ? 1 : 2) || (!lists && which == sizeof verbs / sizeof *verbs))
        return cli_fail (EX_USAGE, "carrier: add meta|telnyx, set ID, list or remove ID");
    self->arena = arena_new (MEMORY);
    int rc = self->arena ? client_open (self->data, ASK_MS, &self->client, &failure)
                         : failure_set (&failure, E_NO_MEMORY, "", "out of memory");
    if (!rc)
        rc = lists ? list (self, &failure) : verbs[which].run (self, given->items[1], &failure);
    client_close (&self->client);
    arena_destroy (&self->arena);
    return rc ? client_fail ("carrier", &failure) : EX_OK;
}

int cmd_carrier (int argc, char **argv)
{
    carriers_t self = {.data = "./var"};
    const cli_option_t options[] = {
        {"--data", "DIR", "the house's folder (default ./var)", CLI_TEXT, &self.data, 0, 0},
        {"--org", "ID", "whose it is (default the only organization)", CLI_TEXT, &self.org, 0, 0},
        {"--name", "NAME", "for people", CLI_TEXT, &self.name, 0, 0},
        {"--base-url", "URL", "of the carrier's API (default the carrier's own)", CLI_TEXT,
         &self.base_url, 0, 0},
        {"--token", "TEXT", "meta: access token", CLI_TEXT, &self.token, 0, 0},
        {"--token-file", "FILE", "the same from a file", CLI_TEXT, &self.token_file, 0, 0},
        {"--app-secret", "TEXT", "meta: signs callbacks", CLI_TEXT, &self.app_secret, 0, 0},
        {"--app-secret-file", "FILE", "the same from a file", CLI_TEXT, &self.app_secret_file, 0,
         0},
        {"--verify-token", "TEXT", "meta: of the webhook's handshake (default: made, shown once)",
         CLI_TEXT, &self.verify_token, 0, 0},
        {"--verify-token-file", "FILE", "the same from a file", CLI_TEXT, &self.verify_token_file,
         0, 0},
        {"--waba", "ID", "meta: WhatsApp Business Account", CLI_TEXT, &self.waba, 0, 0},
        {"--key", "TEXT", "telnyx: API key", CLI_TEXT, &self.key, 0, 0},
        {"--key-file", "FILE", "the same from a file", CLI_TEXT, &self.key_file, 0, 0},
        {"--public-key", "BASE64", "telnyx: signs callbacks", CLI_TEXT, &self.public_key, 0, 0},
        {"--profile", "ID", "telnyx: messaging profile", CLI_TEXT, &self.profile, 0, 0},
        {"--json", NULL, "objects instead of lines", CLI_SWITCH, &self.json, 0, 0},
    };
    cli_form_t form = {
        .command = "carrier",
        .about =
            "Accounts at carriers, through which live numbers send and receive. add and list tell the callback URL that is to be\n"
            "configured at the carrier. set changes what is given. remove takes accounts that no number goes through.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
        .operands = "add meta|telnyx | set ID | list | remove ID",
        .operand_min = 1,
        .operand_max = 2,
    };
    int rc = cli_read (&form, argc, argv);
    return rc >= 0 ? rc : run (&self, &form.given);
}
