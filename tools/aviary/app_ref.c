/* app_ref.c - finding an app by word or id. */
#include "app_ref.h"

#include "gen/accounts.h"
#include "spelling.h"

#include <string.h>

enum { ASK_MS = 5000, LIST_MEMORY = 4 << 20 };

static int app_find (client_t *client, arena_t *arena, app_ref_t *out, const char *word,
                     failure_t *failure)
{
    accounts_app_list_in_t in = {0};
    accounts_app_list_out_t list = {0};
    int rc = client_ask (client, "accounts.app_list", NULL, &in, &list, arena, ASK_MS, failure);
    const accounts_app_info_t *apps = list.apps.items;
    for (size_t i = 0; !rc && i < list.apps.count; i++)
        if (id_equal (apps[i].id, out->id)) {
            out->test = apps[i].test;
            return 0;
        }
    return rc ? rc : failure_set (failure, E_NOT_FOUND, "app", "there is no app %s", word);
}

int app_ref_read (client_t *client, const char *data, const char *word, app_ref_t *out,
                  failure_t *failure)
{
    arena_t *arena = arena_new (LIST_MEMORY);
    if (!arena)
        return failure_set (failure, E_NO_MEMORY, "", "out of memory");
    credentials_t known = {0};
    bool test = !strcmp (word, "test"), live = !strcmp (word, "live");
    int rc = credentials_read (data, arena, &known, failure);
    if (rc && !test && !live)
        rc = 0; /* an id does without the file */
    const char *text = test ? known.test_app_id : live ? known.app_id : word;
    app_ref_t ref = {0};
    if (known.organization_id && *known.organization_id)
        spelling_read (known.organization_id, &ref.org);
    if (!rc && !spelling_read (text, &ref.id))
        rc = failure_set (failure, E_NOT_FOUND, "app", "'%s' is no app id; test, live, or an id",
                          text);
    if (!rc)
        rc = app_find (client, arena, &ref, text, failure);
    if (!rc)
        *out = ref;
    arena_destroy (&arena);
    return rc;
}
