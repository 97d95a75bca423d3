/* asked.c - which app an operation is about: an app key's own, or the one that an admin key names.
 *
 * Another organization's app, a deleted one and one spelled in the other mode are all the same to the caller: not there. */
#include "accounts.h"

int app_named (turn_t *t, id16_t id, bool test, accounts_app_t *out)
{
    int code = id_is_nil (id)
                   ? E_NOT_FOUND
                   : store_get (t->txn, &accounts_app_record, t->ask->org, id, t->arena, out);
    if (code == 0 && out->test != test)
        code = E_NOT_FOUND;
    return code == E_NOT_FOUND ? fail (t, code, "app", "No such app") : code;
}

int app_asked (turn_t *t, id16_t id, bool test, app_asked_t *out)
{
    accounts_app_t app = {0};
    *out = (app_asked_t){.id = t->ask->app, .test = t->ask->test};
    if (t->ask->principal != PRINCIPAL_ADMIN_KEY)
        return 0;
    int code = app_named (t, id, test, &app);
    *out = (app_asked_t){.id = app.id, .test = app.test};
    return code;
}
