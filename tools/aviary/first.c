/* first.c - bootstrapping accounts. The keys are told once and exist in the file only, so the folder is tried for writing before the ask. */
#include "first.h"

#include "files.h"
#include "gen/accounts.h"
#include "spelling.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BOOTSTRAP_MS = 5000, BOOTSTRAP_MEMORY = 1 << 18 };

#define FIRST_NUMBER "+15555550100"

static void path_write (const char *data, char out[PATH_MAX])
{
    snprintf (out, PATH_MAX, "%s/credentials.json", data);
}

bool first_done (const char *data)
{
    char path[PATH_MAX];
    path_write (data, path);
    return access (path, F_OK) == 0;
}

static void id_add (cJSON *object, const char *name, const char *prefix, bool test, id16_t id)
{
    char text[SPELLING_SIZE];
    spelling_write (prefix, test, id, text);
    cJSON_AddStringToObject (object, name, text);
}

/* A WhatsApp number of the test app to try the organization key with: the loopback carrier's, so that it works at once. */
static int number_make (client_t *client, id16_t app, arena_t *arena, const char **ref,
                        failure_t *failure)
{
    accounts_number_add_in_t in = {
        .app = app, .number = FIRST_NUMBER, .channel = ACCOUNTS_CHANNEL_WHATSAPP};
    accounts_app_number_t out = {0};
    int rc =
        client_ask (client, "accounts.number_add", NULL, &in, &out, arena, BOOTSTRAP_MS, failure);
    *ref = out.ref ? out.ref : "";
    return rc;
}

static int credentials_write (const char *data, const char *base_url,
                              const accounts_bootstrap_out_t *made, const char *number_ref,
                              failure_t *failure)
{
    char path[PATH_MAX];
    cJSON *root = cJSON_CreateObject ();
    cJSON_AddStringToObject (root, "base_url", base_url);
    id_add (root, "organization_id", "org", false, made->organization_id);
    cJSON_AddStringToObject (root, "admin_key", made->admin_key);
    cJSON *app = cJSON_AddObjectToObject (root, "app");
    id_add (app, "id", "app", false, made->app_id);
    cJSON_AddStringToObject (app, "live_key", made->live_key);
    id_add (app, "test_app_id", "app", true, made->test_app_id);
    cJSON_AddStringToObject (app, "test_key", made->test_key);
    cJSON *kirim = cJSON_AddObjectToObject (root, "kirim");
    cJSON_AddStringToObject (kirim, "key", made->organization_key);
    cJSON_AddStringToObject (kirim, "phone_number_id", number_ref);
    char *text = cJSON_Print (root);
    cJSON_Delete (root);
    path_write (data, path);
    int rc = text ? file_replace (path, bytes_of_str (text)) : ENOMEM;
    if (text)
        memset (text, 0, strlen (text));
    cJSON_free (text);
    return rc ? failure_set (failure, E_IO, "", "cannot write %s: %s", path, strerror (rc)) : 0;
}

static int explained (int rc, const char *data, failure_t *failure)
{
    if (rc != E_ALREADY_EXISTS)
        return rc;
    return failure_set (
        failure, rc, "",
        "there is an organization already, but no %s/credentials.json. Its keys cannot be shown again; make new ones with "
        "`aviary key create` (admin) and `aviary key create --app ID`; `aviary key list` lists apps' keys",
        data);
}

int first_start (client_t *client, const char *data, const char *base_url, id16_t ask_id,
                 failure_t *failure)
{
    if (access (data, W_OK))
        return failure_set (failure, E_IO, "", "%s cannot be written to: %s", data,
                            strerror (errno));
    arena_t *arena = arena_new (BOOTSTRAP_MEMORY);
    if (!arena)
        return failure_set (failure, E_NO_MEMORY, "", "out of memory");
    envelope_t header = {.id = ask_id, .principal = PRINCIPAL_CLI};
    accounts_bootstrap_in_t in = {.organization = "First organization", .app = "First app"};
    accounts_bootstrap_out_t out = {0};
    int rc =
        client_ask (client, "accounts.bootstrap", &header, &in, &out, arena, BOOTSTRAP_MS, failure);
    if (!rc && (!out.admin_key || !out.live_key || !out.test_key || !out.organization_key))
        rc = failure_set (failure, E_INTERNAL, "", "accounts told no keys");
    const char *ref = "";
    failure_t ignored = {
        0}; /* the keys exist nowhere else: they are written whatever comes of the number */
    if (!rc)
        number_make (client, out.test_app_id, arena, &ref, &ignored);
    rc =
        rc ? explained (rc, data, failure) : credentials_write (data, base_url, &out, ref, failure);
    arena_destroy (&arena);
    return rc;
}
