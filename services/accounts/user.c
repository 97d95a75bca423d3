/* user.c - people of an organization: who conversations are assigned to. They have no password here: they do not sign in. */
#include "accounts.h"

enum { LISTED_MOST = 1000 };

/* ---- telling ---- */

int user_told_event (const accounts_user_t *user, event_about_t *about,
                     accounts_user_changed_t *body)
{
    *about =
        (event_about_t){.record = user->id, .version = (uint64_t) user->version, .org = user->org};
    *body = (accounts_user_changed_t){.id = user->id,
                                      .org = user->org,
                                      .name = user->name,
                                      .email = user->email,
                                      .teams = user->teams};
    return 0;
}

static int user_event (turn_t *t, const accounts_user_t *user, bool deleted)
{
    event_about_t about;
    accounts_user_changed_t body;
    user_told_event (user, &about, &body);
    body.deleted = deleted;
    return event_add (t, &accounts_user_changed_event, &about, &body);
}

/* ---- for operators ---- */

/* The teams that were named, all of the organization; none named: its first. */
static int user_teams (turn_t *t, id16_t org, const schema_list_t *named, schema_list_t *out)
{
    const id16_t *ids = named->items;
    accounts_team_t team = {0};
    *out = *named;
    if (named->count == 0) {
        id16_t *first = arena_new_of (t->arena, id16_t);
        *out = (schema_list_t){first, 1};
        return team_first (t, org, first);
    }
    for (size_t i = 0; i < named->count; i++) {
        int code = store_get (t->txn, &accounts_team_record, org, ids[i], t->arena, &team);
        if (code)
            return code == E_NOT_FOUND ? fail (t, code, "teams", "No such team") : code;
    }
    return 0;
}

int accounts_user_create (turn_t *t, const accounts_user_create_in_t *in, accounts_user_t *out)
{
    id16_t org;
    const char *clash = NULL;
    int code = org_named (t, in->org, &org);
    if (code)
        return code;
    *out = (accounts_user_t){.id = turn_id (t),
                             .org = org,
                             .name = in->name,
                             .email = in->email,
                             .created_at = t->now,
                             .version = 1};
    code = user_teams (t, org, &in->teams, &out->teams);
    if (code == 0)
        code = store_insert (t->txn, &accounts_user_record, out, &clash);
    if (code == E_ALREADY_EXISTS)
        return fail (t, code, "email", "There is a user with this address already");
    return code ? code : user_event (t, out, false);
}

typedef struct user_page {
    accounts_user_t *items;
    size_t count;
} user_page_t;

static int user_page_add (void *context, const void *row)
{
    user_page_t *page = context;
    page->items[page->count++] = *(const accounts_user_t *) row;
    return 0;
}

int accounts_user_list (turn_t *t, const accounts_user_list_in_t *in, accounts_user_list_out_t *out)
{
    store_key_t key = {.id = in->org};
    store_page_t page = {.limit = LISTED_MOST};
    user_page_t list = {arena_array_of (t->arena, accounts_user_t, LISTED_MOST), 0};
    if (!id_is_nil (in->org))
        page =
            (store_page_t){.index = "by_org", .keys = &key, .key_count = 1, .limit = LISTED_MOST};
    int code =
        store_list (t->txn, &accounts_user_record, &page, t->arena, user_page_add, &list, NULL);
    out->users = (schema_list_t){list.items, list.count};
    return code;
}

static int user_get (turn_t *t, id16_t id, accounts_user_t *out)
{
    int code = store_get_any (t->txn, &accounts_user_record, id, t->arena, out);
    return code == E_NOT_FOUND ? fail (t, code, "id", "No such user") : code;
}

int accounts_user_delete (turn_t *t, const accounts_user_delete_in_t *in,
                          accounts_user_delete_out_t *out)
{
    (void) out;
    accounts_user_t user = {0};
    int code = user_get (t, in->id, &user);
    if (code == 0)
        code = store_del (t->txn, &accounts_user_record, user.id);
    user.version += 1;
    return code ? code : user_event (t, &user, true);
}

int accounts_user_teams_set (turn_t *t, const accounts_user_teams_set_in_t *in,
                             accounts_user_t *out)
{
    int code = user_get (t, in->id, out);
    if (code == 0)
        code = user_teams (t, out->org, &in->teams, &out->teams);
    out->version += 1;
    if (code == 0)
        code = store_put (t->txn, &accounts_user_record, out, NULL);
    return code ? code : user_event (t, out, false);
}
