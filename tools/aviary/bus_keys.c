/* bus_keys.c - `aviary key bus`: key pairs, and copies of public halves to where they are wanted. Files are 0600, folders 0700. */
#include "bus_keys.h"

#include "bus/curve.h"
#include "files.h"
#include "schema/schema.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { KEY_FILE_MAX = 16 << 10 };

static int copy (const char *folder, const char *from, const char *name, const char *to,
                 failure_t *failure)
{
    char source[PATH_MAX], target[PATH_MAX];
    if (snprintf (source, sizeof source, "%s/%s/%s.pub", folder, from, name) >= PATH_MAX ||
        snprintf (target, sizeof target, "%s/%s/%s.pub", folder, to, name) >= PATH_MAX)
        return failure_set (failure, E_BAD_REQUEST, "--out", "the path is too long");
    buf_t text = {0};
    int rc = file_read (source, KEY_FILE_MAX, &text);
    if (!rc)
        rc = file_replace (target, buf_bytes (&text));
    buf_free (&text);
    return rc ? failure_set (failure, E_IO, "", "cannot copy %s to %s: %s", source, target,
                             strerror (rc))
              : 0;
}

static int pair_make (const char *folder, const char *name, failure_t *failure)
{
    char own[PATH_MAX];
    if (snprintf (own, sizeof own, "%s/%s", folder, name) >= PATH_MAX)
        return failure_set (failure, E_BAD_REQUEST, "--out", "the path is too long");
    int rc = folder_make (own);
    return rc ? failure_set (failure, E_IO, "", "cannot make %s: %s", own, strerror (rc))
              : curve_keys_make (own, name, failure);
}

/* Who talks on the bus: what has operations or settings of its own, and the command line. */
static bool is_peer (const schema_service_t *service)
{
    return strcmp (service->name, "broker") != 0 && (service->op_count || service->setting_count);
}

static int peer_make (const char *folder, const char *name, failure_t *failure)
{
    int rc = pair_make (folder, name, failure);
    if (!rc)
        rc = copy (folder, name, name, "broker", failure);
    return rc ? rc : copy (folder, "broker", "broker", name, failure);
}

int bus_keys_make (const char *folder, void (*told) (void *context, const char *name),
                   void *context, failure_t *failure)
{
    int rc = pair_make (folder, "broker", failure);
    if (rc)
        return rc;
    told (context, "broker");
    for (size_t i = 0; !rc && i < schema_all_service_count; i++) {
        const char *name = schema_all_services[i]->name;
        if (!is_peer (schema_all_services[i]))
            continue;
        rc = peer_make (folder, name, failure);
        if (!rc)
            told (context, name);
    }
    if (!rc)
        rc = peer_make (folder, "cli", failure);
    if (!rc)
        told (context, "cli");
    return rc;
}
