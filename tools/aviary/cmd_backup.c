/* cmd_backup.c - `aviary backup FOLDER`: each service copies its own store while everything runs; media, and with --with-keys the key file, are copied beside.
 *
 * Followers before those they follow: what a follower's copy has heard of, the copy made after it has too, so a restored house only hears things twice,
 * never not at all. Media are copied before the stores and once more after: a file that a copied row names was there at one of the two times, unless it was made and
 * deleted within the backup. FOLDER must not exist or be empty; a failed backup is left as it is, without manifest.json, which is written last. */
#include "cli.h"
#include "client.h"
#include "commands.h"
#include "copying.h"
#include "files.h"

#include "base/clock.h"
#include "base/text.h"
#include "gen/common.h"
#include "sign/sign.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ASK_MS = 600000, OPEN_MS = 5000, MEMORY = 1 << 18 };

typedef struct backup {
    client_t *client;
    const char *data, *folder;
    bool keys;
    arena_t *arena;
    cJSON *root, *files;
    FILE *sums;
    int64_t media_files, media_bytes;
    failure_t *failure;
    char problem[PATH_MAX]; /* the file that could not be copied */
} backup_t;

static int fail_errno (backup_t *b, const char *what, const char *path, int why)
{
    return failure_set (b->failure, E_IO, "", "cannot %s %s: %s", what, path,
                        why == EBADMSG ? "the copy reads back differently" : strerror (why));
}

static cJSON *file_row (backup_t *b, const char *name, const char *sum, int64_t size)
{
    cJSON *row = cJSON_CreateObject ();
    cJSON_AddStringToObject (row, "file", name);
    cJSON_AddNumberToObject (row, "bytes", (double) size);
    cJSON_AddStringToObject (row, "sha256", sum);
    cJSON_AddItemToArray (b->files, row);
    return row;
}

static int file_note (backup_t *b, const char *name, cJSON **row)
{
    char path[PATH_MAX], sum[SUM_SIZE];
    int64_t size = 0;
    snprintf (path, sizeof path, "%s/%s", b->folder, name);
    int rc = file_sum (path, sum, &size);
    if (rc)
        return fail_errno (b, "read back", path, rc);
    *row = file_row (b, name, sum, size);
    return 0;
}

static void time_add (cJSON *to)
{
    char at[CLOCK_ISO_SIZE];
    clock_write_iso (clock_now_ms (), at);
    cJSON_AddStringToObject (to, "at", at);
}

static int store_copy (backup_t *b, const char *service)
{
    char target[64], name[64], epoch[2 * sizeof (id16_t) + 1];
    common_backup_in_t in = {.folder = arena_printf (b->arena, "%s/%s", b->folder, service)};
    common_backup_out_t out = {0};
    cJSON *row = NULL;
    snprintf (target, sizeof target, "%s.backup", service);
    snprintf (name, sizeof name, "%s/data.mdb", service);
    int rc = client_ask (b->client, target, NULL, &in, &out, b->arena, ASK_MS, b->failure);
    if (!rc)
        rc = file_note (b, name, &row);
    if (rc)
        return rc;
    text_write_hex (out.epoch.b, sizeof out.epoch.b, epoch);
    cJSON_AddStringToObject (row, "service", service);
    cJSON_AddNumberToObject (row, "schema", (double) out.schema);
    cJSON_AddStringToObject (row, "epoch", epoch);
    time_add (row);
    return 0;
}

/* ---- media ---- */

/* Was it copied while it was pending? It is the same file. */
static bool was_pending (const backup_t *b, const char *path)
{
    char other[PATH_MAX];
    snprintf (other, sizeof other, "%s/media/pending/%s", b->folder, strrchr (path, '/') + 1);
    return !strncmp (path, "kept/", 5) && access (other, F_OK) == 0;
}

static int blob_copy (void *context, const char *path)
{
    backup_t *b = context;
    char from[PATH_MAX], to[PATH_MAX], inside[PATH_MAX], sum[SUM_SIZE];
    int64_t size = 0;
    snprintf (from, sizeof from, "%s/media/%s", b->data, path);
    snprintf (inside, sizeof inside, "media/%s", path);
    snprintf (to, sizeof to, "%s/%.512s", b->folder, inside);
    if (access (to, F_OK) == 0 || was_pending (b, path))
        return 0;
    int rc = folders_make (b->folder, inside);
    if (!rc)
        rc = file_copy (from, to, sum, &size);
    if (rc == ENOENT)
        return 0; /* moved or deleted meanwhile: what moved is found by the second walk */
    if (!rc && fprintf (b->sums, "%s %lld %s\n", sum, (long long) size, path) < 0)
        rc = EIO;
    if (rc)
        snprintf (b->problem, sizeof b->problem, "%s", from);
    b->media_files += !rc;
    b->media_bytes += rc ? 0 : size;
    return rc;
}

static int media_copy (backup_t *b)
{
    char media[PATH_MAX];
    snprintf (media, sizeof media, "%s/media", b->data);
    int rc = blobs_visit (media, blob_copy, b);
    return rc ? fail_errno (b, "copy", *b->problem ? b->problem : media, rc) : 0;
}

static int sums_open (backup_t *b)
{
    char path[PATH_MAX];
    snprintf (path, sizeof path, "%s/%s", b->folder, media_sums);
    b->sums = fopen (path, "wxe");
    return b->sums ? 0 : fail_errno (b, "write", path, errno);
}

static int sums_close (backup_t *b)
{
    cJSON *row;
    int rc = fclose (b->sums) ? errno : 0;
    b->sums = NULL;
    if (rc)
        return fail_errno (b, "write", media_sums, rc);
    rc = file_note (b, media_sums, &row);
    if (rc)
        return rc;
    cJSON_AddNumberToObject (row, "media_files", (double) b->media_files);
    cJSON_AddNumberToObject (row, "media_bytes", (double) b->media_bytes);
    return 0;
}

/* ---- all ---- */

static int keys_copy (backup_t *b)
{
    char from[PATH_MAX], to[PATH_MAX], sum[SUM_SIZE];
    int64_t size = 0;
    for (size_t i = 0; i < house_file_count; i++) {
        const house_file_t *file = &house_files[i];
        snprintf (from, sizeof from, "%s/%s", b->data, file->house);
        snprintf (to, sizeof to, "%s/%s", b->folder, file->backup);
        int rc = file_copy (from, to, sum, &size);
        if (rc == ENOENT && !file->needed)
            continue;
        if (rc)
            return fail_errno (b, "copy", from, rc);
        file_row (b, file->backup, sum, size);
    }
    return 0;
}

static int manifest_write (backup_t *b)
{
    char path[PATH_MAX];
    char *text = cJSON_Print (b->root);
    snprintf (path, sizeof path, "%s/manifest.json", b->folder);
    int rc = folder_sync (b->folder);
    if (!rc)
        rc = text ? file_replace (path, bytes_of_str (text)) : ENOMEM;
    if (!rc)
        rc = folder_sync (b->folder);
    cJSON_free (text);
    return rc ? fail_errno (b, "write", path, rc) : 0;
}

static int copy_all (backup_t *b)
{
    int rc = folder_open_empty (b->folder, b->failure);
    if (rc)
        return rc;
    cJSON_AddStringToObject (b->root, "aviary", AVIARY_VERSION);
    cJSON_AddNumberToObject (b->root, "format", BACKUP_FORMAT);
    time_add (b->root);
    cJSON *order = cJSON_AddArrayToObject (b->root, "order");
    b->files = cJSON_AddArrayToObject (b->root, "files");
    rc = sums_open (b);
    if (!rc)
        rc = media_copy (b);
    for (size_t i = 0; !rc && backup_order[i]; i++) {
        cJSON_AddItemToArray (order, cJSON_CreateString (backup_order[i]));
        rc = store_copy (b, backup_order[i]);
    }
    if (!rc)
        rc = media_copy (b);
    if (!rc)
        rc = sums_close (b);
    if (b->sums)
        fclose (b->sums);
    if (!rc && b->keys)
        rc = keys_copy (b);
    return rc ? rc : manifest_write (b);
}

static void tell (const backup_t *b, bool json)
{
    char *text = cJSON_PrintUnformatted (b->root);
    if (json)
        puts (text ? text : "{}");
    else
        printf ("%d files and %lld of media in %s; manifest.json has their sums\n",
                cJSON_GetArraySize (b->files), (long long) b->media_files, b->folder);
    if (!b->keys)
        fprintf (
            stderr,
            "aviary: backup: without the key file: a restore needs a copy of %s/keys/keyring\n",
            b->data);
    cJSON_free (text);
}

int cmd_backup (int argc, char **argv)
{
    const char *data = "./var";
    bool json = false;
    failure_t failure = {0};
    backup_t b = {.failure = &failure};
    const cli_option_t options[] = {
        {"--data", "DIR", "the house's folder (default ./var)", CLI_TEXT, &data, 0, 0},
        {"--with-keys", NULL,
         "also the key file, credentials.json and aviary.conf: whoever has them opens what is sealed and may call the API",
         CLI_SWITCH, &b.keys, 0, 0},
        {"--json", NULL, "print the manifest", CLI_SWITCH, &json, 0, 0},
    };
    cli_form_t form = {
        .command = "backup",
        .about =
            "Copies every store and all media into a new folder on this host, while everything runs, with a manifest of SHA-256 sums.\n"
            "`aviary restore` makes a house of it. Without --with-keys keep a copy of DIR/keys/keyring elsewhere: a restore needs it.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
        .operands = "FOLDER",
        .operand_min = 1,
        .operand_max = 1,
    };
    int rc = cli_read (&form, argc, argv);
    if (rc >= 0)
        return rc;
    char folder[PATH_MAX - 640];
    if (!cli_absolute (form.given.items[0], folder, sizeof folder))
        return cli_fail (EX_USAGE, "backup: the path is too long");
    b.folder = folder;
    b.data = data;
    b.root = cJSON_CreateObject ();
    b.arena = arena_new (MEMORY);
    rc =
        b.root && b.arena ? sign_init () : failure_set (&failure, E_NO_MEMORY, "", "out of memory");
    if (!rc)
        rc = client_open (data, OPEN_MS, &b.client, &failure);
    if (!rc)
        rc = copy_all (&b);
    if (!rc)
        tell (&b, json);
    cJSON_Delete (b.root);
    arena_destroy (&b.arena);
    client_close (&b.client);
    return rc ? client_fail ("backup", &failure) : EX_OK;
}
