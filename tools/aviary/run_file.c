/* run_file.c - writing and reading DIR/run/supervisor.json.
 *
 * Written to a temporary name and renamed, so a reader sees one whole list. What a killed supervisor left behind reads as no
 * supervisor, since its pid is gone. */
#include "run_file.h"

#include "files.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void path_of (const char *data, char out[PATH_MAX])
{
    snprintf (out, PATH_MAX, "%s/run/supervisor.json", data);
}

int run_list_write (const char *data, const run_list_t *list)
{
    char path[PATH_MAX];
    path_of (data, path);
    buf_t text = {0};
    buf_printf (&text, "{\"pid\": %d, \"children\": [", (int) list->supervisor);
    for (size_t i = 0; i < list->count; i++) {
        const run_entry_t *e = &list->entries[i];
        buf_printf (&text, "%s\n  {\"service\": \"%s\", \"replica\": %u, \"pid\": ", i ? "," : "",
                    e->service, e->replica);
        if (e->pid)
            buf_printf (&text, "%d}", (int) e->pid);
        else
            buf_add_str (&text, "null}");
    }
    buf_add_str (&text, "\n]}\n");
    int rc = buf_failed (&text) ? ENOMEM : file_replace (path, buf_bytes (&text));
    buf_free (&text);
    return rc;
}

void run_list_remove (const char *data)
{
    char path[PATH_MAX];
    path_of (data, path);
    unlink (path);
}

static bool alive (pid_t pid)
{
    return pid > 0 && (!kill (pid, 0) || errno == EPERM);
}

static void entry_read (const cJSON *item, run_list_t *list)
{
    const char *service = cJSON_GetStringValue (cJSON_GetObjectItem (item, "service"));
    const cJSON *replica = cJSON_GetObjectItem (item, "replica");
    const cJSON *pid = cJSON_GetObjectItem (item, "pid");
    if (!service || !cJSON_IsNumber (replica) || list->count == RUN_LIST_MAX)
        return;
    run_entry_t *entry = &list->entries[list->count++];
    snprintf (entry->service, sizeof entry->service, "%s", service);
    entry->replica = (unsigned) replica->valueint;
    if (cJSON_IsNumber (pid) && alive (pid->valueint))
        entry->pid = pid->valueint;
}

int run_list_read (const char *data, run_list_t *list)
{
    char path[PATH_MAX];
    path_of (data, path);
    memset (list, 0, sizeof *list);
    buf_t text = {0};
    int rc = file_read (path, 1 << 20, &text);
    cJSON *root = rc ? NULL : cJSON_Parse (buf_text (&text));
    const cJSON *pid = cJSON_GetObjectItem (root, "pid");
    const cJSON *item;
    if (!rc && !cJSON_IsNumber (pid))
        rc = EINVAL;
    if (!rc && !alive (pid->valueint))
        rc = ENOENT;
    if (!rc) {
        list->supervisor = pid->valueint;
        cJSON_ArrayForEach (item, cJSON_GetObjectItem (root, "children")) entry_read (item, list);
    }
    cJSON_Delete (root);
    buf_free (&text);
    return rc;
}
