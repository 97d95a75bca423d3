/* cmd_restore.c - `aviary restore --from BACKUP --data DIR`: a new house of a backup.
 *
 * All sums are checked before the first byte is written, and again of what was written. A store gets its name only when everything is there and on disk, and beside it
 * the mark that makes its owner begin a new life of it (libs/svc/restored.c): so what was cut off in the middle is no house, and no store of a backup is ever opened as
 * if nothing had happened. DIR must not exist or be empty. Fails with EX_DATAERR for a backup that is not whole. */
#include "cli.h"
#include "client.h"
#include "commands.h"
#include "copying.h"
#include "files.h"

#include "base/text.h"
#include "sign/sign.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MANIFEST_MAX = 1 << 20, LINE_MAX_ = 256 };

typedef struct restore {
    const char *from, *data;
    const char *keyring; /* given; NULL = the backup's */
    cJSON *root, *files;
    int64_t media_files;
    bool lay; /* not only look */
    failure_t *failure;
} restore_t;

static int fail_errno (restore_t *r, const char *what, const char *path, int why)
{
    return failure_set (r->failure, E_IO, "", "cannot %s %s: %s", what, path, strerror (why));
}

static int fail_backup (restore_t *r, const char *path, const char *why)
{
    return failure_set (r->failure, E_BAD_REQUEST, "", "%s: %s", path, why);
}

/* ---- the manifest ---- */

static const cJSON *row_of (const restore_t *r, const char *name)
{
    const cJSON *row;
    cJSON_ArrayForEach (row, r->files)
    {
        const char *file = cJSON_GetStringValue (cJSON_GetObjectItemCaseSensitive (row, "file"));
        if (file && !strcmp (file, name))
            return row;
    }
    return NULL;
}

static int manifest_read (restore_t *r)
{
    char path[PATH_MAX];
    buf_t text = {0};
    snprintf (path, sizeof path, "%s/manifest.json", r->from);
    int rc = file_read (path, MANIFEST_MAX, &text);
    if (!rc)
        r->root = cJSON_ParseWithLength (buf_text (&text), text.size);
    buf_free (&text);
    if (rc == ENOENT)
        return fail_backup (r, path, "is not there: no backup, or one that was not finished");
    if (rc)
        return fail_errno (r, "read", path, rc);
    const cJSON *format = cJSON_GetObjectItemCaseSensitive (r->root, "format");
    r->files = cJSON_GetObjectItemCaseSensitive (r->root, "files");
    if (!cJSON_IsArray (r->files))
        return fail_backup (r, path, "is not what aviary backup wrote");
    if (!cJSON_IsNumber (format) || format->valueint != BACKUP_FORMAT)
        return fail_backup (r, path, "is of a format that this program does not read");
    return 0;
}

/* ---- one file ---- */

/* Looked at, or copied to `inside` of the house, and compared with what the backup says of it. */
static int file_take (restore_t *r, const char *name, const char *inside, const char *sum,
                      int64_t bytes)
{
    char from[PATH_MAX], to[PATH_MAX], got[SUM_SIZE] = "";
    int64_t size = 0;
    snprintf (from, sizeof from, "%s/%s", r->from, name);
    snprintf (to, sizeof to, "%s/%s", r->data, inside);
    int rc = r->lay ? folders_make (r->data, inside) : 0;
    if (!rc)
        rc = r->lay ? file_copy (from, to, got, &size) : file_sum (from, got, &size);
    if (rc == ENOENT)
        return fail_backup (r, from, "is missing");
    if (rc)
        return fail_errno (r, r->lay ? "copy" : "read", from, rc);
    return size == bytes && !strcmp (got, sum)
               ? 0
               : fail_backup (r, from, "is not what the backup wrote: its sum is another");
}

static int row_take (restore_t *r, const char *name, const char *inside)
{
    const cJSON *row = row_of (r, name);
    const char *sum = cJSON_GetStringValue (cJSON_GetObjectItemCaseSensitive (row, "sha256"));
    const cJSON *bytes = cJSON_GetObjectItemCaseSensitive (row, "bytes");
    if (!sum || !cJSON_IsNumber (bytes))
        return fail_backup (r, name, "is not in the backup's manifest");
    return file_take (r, name, inside, sum, (int64_t) bytes->valuedouble);
}

/* ---- the parts ---- */

static int stores_take (restore_t *r)
{
    char name[64], inside[96];
    int rc = 0;
    for (size_t i = 0; !rc && backup_order[i]; i++) {
        snprintf (name, sizeof name, "%s/data.mdb", backup_order[i]);
        snprintf (inside, sizeof inside, "store/%s/data.mdb.new", backup_order[i]);
        rc = row_take (r, name, inside);
    }
    return rc;
}

/* A line of the sums: SUM BYTES PATH. */
static int media_line (restore_t *r, char *line)
{
    char name[LINE_MAX_ + 8];
    char *path = NULL, *end = NULL;
    line[strcspn (line, "\n")] = '\0';
    bool sound = strlen (line) > SUM_SIZE && line[SUM_SIZE - 1] == ' ';
    long long bytes = sound ? strtoll (line + SUM_SIZE, &end, 10) : -1;
    sound = sound && bytes >= 0 && end && *end == ' ';
    if (sound) {
        line[SUM_SIZE - 1] = '\0';
        path = end + 1;
    }
    if (!sound || !is_blob_path (path))
        return fail_backup (r, media_sums, "has a line that backup did not write");
    snprintf (name, sizeof name, "media/%s", path);
    r->media_files++;
    return file_take (r, name, name, line, bytes);
}

static int media_take (restore_t *r)
{
    char path[PATH_MAX], line[LINE_MAX_];
    if (!r->lay) {
        int rc = row_take (r, media_sums, media_sums);
        if (rc)
            return rc;
    }
    snprintf (path, sizeof path, "%s/%s", r->from, media_sums);
    FILE *file = fopen (path, "re");
    int rc = file ? 0 : fail_errno (r, "read", path, errno);
    r->media_files = 0;
    while (!rc && fgets (line, sizeof line, file))
        rc = media_line (r, line);
    if (file)
        fclose (file);
    return rc;
}

static int keyring_given (restore_t *r)
{
    char to[PATH_MAX], sum[SUM_SIZE];
    int64_t size;
    snprintf (to, sizeof to, "%s/keys/keyring", r->data);
    int rc = r->lay ? folders_make (r->data, "keys/keyring") : 0;
    if (!rc)
        rc = r->lay ? file_copy (r->keyring, to, sum, &size) : file_sum (r->keyring, sum, &size);
    return rc ? fail_errno (r, "read", r->keyring, rc) : 0;
}

static int house_take (restore_t *r)
{
    int rc = r->keyring ? keyring_given (r) : 0;
    for (size_t i = 0; !rc && i < house_file_count; i++) {
        const house_file_t *file = &house_files[i];
        bool given = r->keyring && file->needed;
        if (given || (!file->needed && !row_of (r, file->backup)))
            continue;
        if (!row_of (r, file->backup))
            return failure_set (
                r->failure, E_NOT_FOUND, "",
                "the backup is without the key file: give a copy of the house's DIR/keys/keyring with --keyring");
        rc = row_take (r, file->backup, file->house);
    }
    return rc;
}

static int parts_take (restore_t *r)
{
    int rc = stores_take (r);
    if (!rc)
        rc = media_take (r);
    return rc ? rc : house_take (r);
}

/* ---- the end ---- */

static int store_mark (restore_t *r, const char *service, const char *id)
{
    char path[PATH_MAX];
    snprintf (path, sizeof path, "%s/store/%s/restored", r->data, service);
    int rc = file_replace (path, bytes_of (id, 2 * sizeof (id16_t)));
    return rc ? fail_errno (r, "write", path, rc) : 0;
}

static int store_name (restore_t *r, const char *service)
{
    char from[PATH_MAX], to[PATH_MAX];
    snprintf (to, sizeof to, "%s/store/%s/data.mdb", r->data, service);
    snprintf (from, sizeof from, "%s/store/%s/data.mdb.new", r->data, service);
    return rename (from, to) ? fail_errno (r, "rename", from, errno) : 0;
}

static int sync_all (restore_t *r)
{
    int rc = folder_sync (r->data);
    return rc ? fail_errno (r, "flush", r->data, rc) : 0;
}

static int restore_finish (restore_t *r)
{
    uint8_t random[sizeof (id16_t)];
    char id[2 * sizeof random + 1];
    int rc = 0;
    sign_random (random, sizeof random);
    text_write_hex (random, sizeof random, id);
    for (size_t i = 0; !rc && backup_order[i]; i++)
        rc = store_mark (r, backup_order[i], id);
    if (!rc)
        rc = sync_all (r);
    for (size_t i = 0; !rc && backup_order[i]; i++)
        rc = store_name (r, backup_order[i]);
    return rc ? rc : sync_all (r);
}

static int restore_all (restore_t *r)
{
    struct stat st;
    int rc = manifest_read (r);
    bool fresh = stat (r->data, &st) != 0;
    if (!rc && !fresh && folder_open_empty (r->data, r->failure))
        return failure_set (
            r->failure, E_CONFLICT, "",
            "%s is not empty: a restore makes a house in a new folder, never over one", r->data);
    if (!rc)
        rc = parts_take (r);
    r->lay = true;
    if (!rc)
        rc = folder_open_empty (r->data, r->failure);
    if (!rc)
        rc = parts_take (r);
    return rc ? rc : restore_finish (r);
}

static void tell (const restore_t *r, bool json)
{
    if (json) {
        cJSON *out = cJSON_CreateObject ();
        cJSON_AddStringToObject (out, "data", r->data);
        cJSON_AddItemToObject (
            out, "at", cJSON_Duplicate (cJSON_GetObjectItemCaseSensitive (r->root, "at"), true));
        cJSON_AddNumberToObject (out, "media_files", (double) r->media_files);
        char *text = cJSON_PrintUnformatted (out);
        puts (text ? text : "{}");
        cJSON_free (text);
        cJSON_Delete (out);
        return;
    }
    const char *at = cJSON_GetStringValue (cJSON_GetObjectItemCaseSensitive (r->root, "at"));
    printf (
        "%s is a house as of %s, with %lld files of media.\n"
        "Start it: aviary up --data %s\n"
        "Sends that were unfinished then are held until you say: aviary resume --release, or --mark-unknown\n",
        r->data, at ? at : "?", (long long) r->media_files, r->data);
}

int cmd_restore (int argc, char **argv)
{
    const char *from = NULL, *data = NULL;
    bool json = false;
    failure_t failure = {0};
    restore_t r = {.failure = &failure};
    const cli_option_t options[] = {
        {"--from", "BACKUP", "a folder that aviary backup made", CLI_TEXT, &from, 0, 0},
        {"--data", "DIR", "the new house's folder: not there, or empty", CLI_TEXT, &data, 0, 0},
        {"--keyring", "FILE", "the house's key file, if the backup is without keys", CLI_TEXT,
         &r.keyring, 0, 0},
        {"--json", NULL, "print {data, at, media_files}", CLI_SWITCH, &json, 0, 0},
    };
    cli_form_t form = {
        .command = "restore",
        .about =
            "Makes a house of a backup, once all of its sums are right. Nothing runs while it does, and the old house must not run on.\n"
            "At the new house's first start sends, number orders and releases that were unfinished are held: see aviary resume.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
    };
    int rc = cli_read (&form, argc, argv);
    if (rc >= 0)
        return rc;
    if (!from || !data)
        return cli_fail (EX_USAGE, "restore: --from BACKUP and --data DIR are needed");
    char source[PATH_MAX - 640], target[PATH_MAX - 640];
    if (!cli_absolute (from, source, sizeof source) || !cli_absolute (data, target, sizeof target))
        return cli_fail (EX_USAGE, "restore: the path is too long");
    r.from = source;
    r.data = target;
    rc = sign_init ();
    if (!rc)
        rc = restore_all (&r);
    if (!rc)
        tell (&r, json);
    cJSON_Delete (r.root);
    return rc ? client_fail ("restore", &failure) : EX_OK;
}
