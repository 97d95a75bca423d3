/* cmd_backup.c - `aviary backup DIR`: each service copies its own store while everything runs.
 *
 * Followers before those they follow: what a follower's copy has heard of, the copy made after it has too, so a restored house only hears things twice,
 * never not at all. The key file is copied only with --keys; without it what is sealed (webhook secrets) cannot be opened again and keys do not fit.
 * DIR must not exist or be empty; a failed backup is left as it is, without manifest.json, which is written last. */
#include "cli.h"
#include "client.h"
#include "commands.h"
#include "files.h"

#include "base/clock.h"
#include "base/text.h"
#include "gen/common.h"
#include "sign/sign.h"

#include <cjson/cJSON.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ASK_MS = 600000, OPEN_MS = 5000, MEMORY = 1 << 18, KEYRING_MAX = 64 << 10 };

/* Who follows whom: webhooks all others, inbox messaging and accounts, messaging templates and accounts (and inbox, for erasures only), templates accounts. */
static const char *const order[] = {"webhooks", "inbox", "messaging", "templates", "accounts"};

/* The copy is mapped, not read: stores are larger than memory. */
static int hash (const char *path, char out[2 * SIGN_SHA256_SIZE + 1], int64_t *size)
{
    uint8_t sum[SIGN_SHA256_SIZE];
    struct stat st;
    int fd = open (path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat (fd, &st)) {
        int why = errno;
        if (fd >= 0)
            close (fd);
        return why;
    }
    size_t length = (size_t) st.st_size;
    void *map = length ? mmap (NULL, length, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
    int rc = map == MAP_FAILED ? errno : 0;
    close (fd);
    if (rc)
        return rc;
    sign_sha256 (bytes_of (map, length), sum);
    if (map)
        munmap (map, length);
    text_write_hex (sum, sizeof sum, out);
    *size = st.st_size;
    return 0;
}

static int file_note (cJSON *files, const char *folder, const char *name, failure_t *failure)
{
    char path[PATH_MAX], sum[2 * SIGN_SHA256_SIZE + 1];
    int64_t size = 0;
    snprintf (path, sizeof path, "%s/%s", folder, name);
    int rc = hash (path, sum, &size);
    if (rc)
        return failure_set (failure, E_IO, "", "cannot read %s back: %s", path, strerror (rc));
    cJSON *row = cJSON_CreateObject ();
    cJSON_AddStringToObject (row, "file", name);
    cJSON_AddNumberToObject (row, "bytes", (double) size);
    cJSON_AddStringToObject (row, "sha256", sum);
    cJSON_AddItemToArray (files, row);
    return 0;
}

static int store_copy (client_t *client, const char *service, const char *folder, arena_t *arena,
                       cJSON *files, failure_t *failure)
{
    char target[64], name[64];
    common_backup_in_t in = {.folder = arena_printf (arena, "%s/%s", folder, service)};
    common_backup_out_t out = {0};
    snprintf (target, sizeof target, "%s.backup", service);
    snprintf (name, sizeof name, "%s/data.mdb", service);
    int rc = client_ask (client, target, NULL, &in, &out, arena, ASK_MS, failure);
    return rc ? rc : file_note (files, folder, name, failure);
}

static int keyring_copy (const char *data, const char *folder, cJSON *files, failure_t *failure)
{
    char from[PATH_MAX], to[PATH_MAX];
    buf_t text = {0};
    snprintf (from, sizeof from, "%s/keys/keyring", data);
    snprintf (to, sizeof to, "%s/keyring", folder);
    int rc = file_read (from, KEYRING_MAX, &text);
    if (!rc)
        rc = file_replace (to, buf_bytes (&text));
    if (text.data)
        sign_wipe (text.data, text.size);
    buf_free (&text);
    return rc ? failure_set (failure, E_IO, "", "cannot copy %s: %s", from, strerror (rc))
              : file_note (files, folder, "keyring", failure);
}

static int folder_open (const char *folder, failure_t *failure)
{
    int rc = folder_make (folder);
    DIR *dir = rc ? NULL : opendir (folder);
    bool empty = true;
    if (rc || !dir)
        return failure_set (failure, E_IO, "", "cannot make %s: %s", folder,
                            strerror (rc ? rc : errno));
    for (struct dirent *e; (e = readdir (dir));)
        empty = empty && (!strcmp (e->d_name, ".") || !strcmp (e->d_name, ".."));
    closedir (dir);
    return empty ? 0 : failure_set (failure, E_CONFLICT, "", "%s is not empty", folder);
}

static int manifest_write (const char *folder, cJSON *root, failure_t *failure)
{
    char path[PATH_MAX];
    char *text = cJSON_Print (root);
    snprintf (path, sizeof path, "%s/manifest.json", folder);
    int rc = text ? file_replace (path, bytes_of_str (text)) : ENOMEM;
    cJSON_free (text);
    return rc ? failure_set (failure, E_IO, "", "cannot write %s: %s", path, strerror (rc)) : 0;
}

static int backup (client_t *client, const char *data, const char *folder, bool keys, cJSON *root,
                   failure_t *failure)
{
    char at[CLOCK_ISO_SIZE];
    arena_t *arena = arena_new (MEMORY);
    int rc = arena ? folder_open (folder, failure)
                   : failure_set (failure, E_NO_MEMORY, "", "out of memory");
    clock_write_iso (clock_now_ms (), at);
    cJSON_AddStringToObject (root, "aviary", AVIARY_VERSION);
    cJSON_AddStringToObject (root, "at", at);
    cJSON *files = cJSON_AddArrayToObject (root, "files");
    for (size_t i = 0; !rc && i < sizeof order / sizeof order[0]; i++)
        rc = store_copy (client, order[i], folder, arena, files, failure);
    if (!rc && keys)
        rc = keyring_copy (data, folder, files, failure);
    if (!rc)
        rc = manifest_write (folder, root, failure);
    arena_destroy (&arena);
    return rc;
}

static void tell (const cJSON *root, const char *folder, bool json)
{
    char *text = cJSON_PrintUnformatted (root);
    if (json)
        puts (text ? text : "{}");
    else
        printf ("%d files in %s; manifest.json has their sums\n",
                cJSON_GetArraySize (cJSON_GetObjectItemCaseSensitive (root, "files")), folder);
    cJSON_free (text);
}

int cmd_backup (int argc, char **argv)
{
    const char *data = "./var";
    bool keys = false, json = false;
    const cli_option_t options[] = {
        {"--data", "DIR", "the house's folder (default ./var)", CLI_TEXT, &data, 0, 0},
        {"--keys", NULL, "also the key file: whoever has it opens what is sealed", CLI_SWITCH,
         &keys, 0, 0},
        {"--json", NULL, "print the manifest", CLI_SWITCH, &json, 0, 0},
    };
    cli_form_t form = {
        .command = "backup",
        .about =
            "Copies every store into a new folder on this host, while everything runs, with a manifest of SHA-256 sums.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
        .operands = "FOLDER",
        .operand_min = 1,
        .operand_max = 1,
    };
    int rc = cli_read (&form, argc, argv);
    if (rc >= 0)
        return rc;
    char folder[PATH_MAX - 64];
    failure_t failure = {0};
    client_t *client = NULL;
    if (!cli_absolute (form.given.items[0], folder, sizeof folder))
        return cli_fail (EX_USAGE, "backup: the path is too long");
    rc = sign_init ();
    if (!rc)
        rc = client_open (data, OPEN_MS, &client, &failure);
    cJSON *root = cJSON_CreateObject ();
    if (!rc)
        rc = backup (client, data, folder, keys, root, &failure);
    if (!rc)
        tell (root, folder, json);
    cJSON_Delete (root);
    client_close (&client);
    return rc ? client_fail ("backup", &failure) : EX_OK;
}
