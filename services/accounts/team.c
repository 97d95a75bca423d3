/* team.c - teams of an organization, the numbers that belong to them, and what an organization key is shown.
 *
 * Every organization has a team from its first moment, so that a number always belongs to one. What was written before there were teams is completed when the
 * service takes ownership, in small steps. */
#include "accounts.h"
#include <string.h>

enum { LISTED_MOST = 1000, COMPLETED_MOST = 500 };

/* ---- telling ---- */

int team_told_event (const accounts_team_t *team, event_about_t *about,
                     accounts_team_changed_t *body)
{
    *about =
        (event_about_t){.record = team->id, .version = (uint64_t) team->version, .org = team->org};
    *body = (accounts_team_changed_t){.id = team->id, .org = team->org, .name = team->name};
    return 0;
}

static int team_event (turn_t *t, const accounts_team_t *team, bool deleted)
{
    event_about_t about;
    accounts_team_changed_t body;
    team_told_event (team, &about, &body);
    body.deleted = deleted;
    return event_add (t, &accounts_team_changed_event, &about, &body);
}

/* ---- making ---- */

int team_make (turn_t *t, id16_t org, const char *name, accounts_team_t *out)
{
    const char *clash = NULL;
    *out = (accounts_team_t){
        .id = turn_id (t), .org = org, .name = name, .created_at = t->now, .version = 1};
    int code = store_insert (t->txn, &accounts_team_record, out, &clash);
    if (code == E_ALREADY_EXISTS)
        return fail (t, code, "name", "There is a team of this name already");
    return code ? code : team_event (t, out, false);
}

static int id_take (void *context, const void *row)
{
    *(id16_t *) context = ((const accounts_team_t *) row)->id;
    return 0;
}

int team_first (turn_t *t, id16_t org, id16_t *out)
{
    store_key_t key = {.id = org};
    store_page_t page = {.index = "by_org", .keys = &key, .key_count = 1, .limit = 1};
    *out = id_nil ();
    return store_list (t->txn, &accounts_team_record, &page, t->arena, id_take, out, NULL);
}

typedef struct incomplete {
    turn_t *t;
    id16_t ids[COMPLETED_MOST];
    size_t count;
} incomplete_t;

static int org_incomplete (void *context, const void *row)
{
    incomplete_t *self = context;
    id16_t first;
    id16_t org = ((const accounts_organization_t *) row)->id;
    int code = team_first (self->t, org, &first);
    if (code == 0 && id_is_nil (first) && self->count < COMPLETED_MOST)
        self->ids[self->count++] = org;
    return code;
}

static int number_incomplete (void *context, const void *row)
{
    incomplete_t *self = context;
    self->ids[self->count++] = ((const accounts_number_t *) row)->id;
    return 0;
}

static int number_team_give (turn_t *t, id16_t id)
{
    accounts_number_t number = {0};
    int code = store_get_any (t->txn, &accounts_number_record, id, t->arena, &number);
    if (code == 0)
        code = team_first (t, number.org, &number.team);
    return code ? code : number_complete (t, &number);
}

int teams_complete (turn_t *t)
{
    incomplete_t *found = arena_new_of (t->arena, incomplete_t);
    accounts_team_t team;
    store_key_t none = {.id = id_nil ()};
    store_page_t all = {.limit = LISTED_MOST};
    store_page_t without = {
        .index = "by_team", .keys = &none, .key_count = 1, .limit = COMPLETED_MOST};
    found->t = t;
    int code = store_list (t->txn, &accounts_organization_record, &all, t->arena, org_incomplete,
                           found, NULL);
    for (size_t i = 0; i < found->count && code == 0; i++)
        code = team_make (t, found->ids[i], "Everyone", &team);
    found->count = 0;
    if (code == 0)
        code = store_list (t->txn, &accounts_number_record, &without, t->arena, number_incomplete,
                           found, NULL);
    for (size_t i = 0; i < found->count && code == 0; i++)
        code = number_team_give (t, found->ids[i]);
    return code;
}

/* ---- for operators ---- */

int accounts_team_create (turn_t *t, const accounts_team_create_in_t *in, accounts_team_t *out)
{
    id16_t org;
    int code = org_named (t, in->org, &org);
    return code ? code : team_make (t, org, in->name, out);
}

typedef struct team_page {
    accounts_team_t *items;
    size_t count;
} team_page_t;

static int team_page_add (void *context, const void *row)
{
    team_page_t *page = context;
    page->items[page->count++] = *(const accounts_team_t *) row;
    return 0;
}

int accounts_team_list (turn_t *t, const accounts_team_list_in_t *in, accounts_team_list_out_t *out)
{
    store_key_t key = {.id = in->org};
    store_page_t page = {.limit = LISTED_MOST};
    team_page_t list = {arena_array_of (t->arena, accounts_team_t, LISTED_MOST), 0};
    if (!id_is_nil (in->org))
        page =
            (store_page_t){.index = "by_org", .keys = &key, .key_count = 1, .limit = LISTED_MOST};
    int code =
        store_list (t->txn, &accounts_team_record, &page, t->arena, team_page_add, &list, NULL);
    out->teams = (schema_list_t){list.items, list.count};
    return code;
}

typedef struct member_search {
    id16_t team;
    bool found;
} member_search_t;

static int member_find (void *context, const void *row)
{
    member_search_t *self = context;
    const accounts_user_t *user = row;
    const id16_t *teams = user->teams.items;
    for (size_t i = 0; i < user->teams.count; i++)
        self->found |= id_equal (teams[i], self->team);
    return 0;
}

/* Nobody and nothing may belong to a team that goes, and one has to stay. */
static int team_free (turn_t *t, const accounts_team_t *team)
{
    store_key_t org = {.id = team->org}, id = {.id = team->id};
    store_page_t users = {.index = "by_org", .keys = &org, .key_count = 1, .limit = LISTED_MOST};
    member_search_t member = {.team = team->id};
    uint64_t numbers = 0, teams = 0;
    int code = store_count (t->txn, &accounts_number_record, "by_team", &id, 1, &numbers);
    if (code == 0)
        code = store_count (t->txn, &accounts_team_record, "by_org", &org, 1, &teams);
    if (code == 0)
        code = store_list (t->txn, &accounts_user_record, &users, t->arena, member_find, &member,
                           NULL);
    if (code)
        return code;
    if (numbers || member.found)
        return fail (t, E_CONFLICT, "id",
                     numbers ? "Numbers belong to the team" : "Users belong to the team");
    return teams > 1 ? 0 : fail (t, E_CONFLICT, "id", "It is the organization's last team");
}

int accounts_team_delete (turn_t *t, const accounts_team_delete_in_t *in,
                          accounts_team_delete_out_t *out)
{
    (void) out;
    accounts_team_t team = {0};
    int code = store_get_any (t->txn, &accounts_team_record, in->id, t->arena, &team);
    if (code)
        return code == E_NOT_FOUND ? fail (t, code, "id", "No such team") : code;
    code = team_free (t, &team);
    if (code == 0)
        code = store_del (t->txn, &accounts_team_record, team.id);
    team.version += 1;
    return code ? code : team_event (t, &team, true);
}

int accounts_number_change (turn_t *t, const accounts_number_change_in_t *in,
                            accounts_number_t *out)
{
    accounts_team_t team = {0};
    int code = store_get_any (t->txn, &accounts_number_record, in->id, t->arena, out);
    if (code)
        return code == E_NOT_FOUND ? fail (t, code, "id", "No such number") : code;
    if (!id_is_nil (in->team)) {
        code = store_get (t->txn, &accounts_team_record, out->org, in->team, t->arena, &team);
        out->team = in->team;
        if (code)
            return code == E_NOT_FOUND ? fail (t, code, "team", "No such team") : code;
    }
    if (in->name)
        out->display_name = in->name;
    if (in->status)
        out->status = in->status;
    return number_change (t, out);
}

/* ---- for organization keys ---- */

int accounts_me (turn_t *t, const accounts_me_in_t *in, accounts_me_out_t *out)
{
    (void) in;
    accounts_organization_t org = {0};
    accounts_key_t key = {0};
    int code = store_get_any (t->txn, &accounts_organization_record, t->ask->org, t->arena, &org);
    if (code == 0)
        code = store_get (t->txn, &accounts_key_record, t->ask->org, t->ask->principal_id, t->arena,
                          &key);
    *out = (accounts_me_out_t){.org = org.id,
                               .org_name = org.name,
                               .key = key.id,
                               .label = key.name,
                               .last4 = key.last4 ? key.last4 : ""};
    return code;
}

typedef struct account_page {
    turn_t *t;
    int32_t status; /* 0 = any */
    accounts_account_told_t *items;
    size_t count;
} account_page_t;

static int account_page_add (void *context, const void *row)
{
    account_page_t *page = context;
    const accounts_number_t *number = row;
    int32_t status = number_status (number);
    if (page->status && page->status != status)
        return 0;
    page->items[page->count++] = (accounts_account_told_t){.ref = number_ref (page->t, number),
                                                           .number = number->number,
                                                           .name = number->display_name,
                                                           .status = status};
    return 0;
}

int accounts_account_page (turn_t *t, const accounts_account_page_in_t *in,
                           accounts_account_page_out_t *out)
{
    store_key_t keys[] = {{.id = t->ask->org}, {.num = ACCOUNTS_CHANNEL_WHATSAPP}};
    store_page_t page = {.index = "by_org",
                         .keys = keys,
                         .key_count = 2,
                         .newest_first = true,
                         .limit = LISTED_MOST};
    account_page_t list = {.t = t, .status = ACCOUNTS_NUMBER_STATUS_CONNECTED};
    bool all = in->status && strcmp (in->status, "all") == 0;
    if (in->status)
        list.status =
            all ? 0
                : schema_enum_read (&accounts_number_status_enum, in->status, strlen (in->status));
    if (in->status && !all && !list.status)
        return fail (t, E_BAD_REQUEST, "status", "There is no such status of a number");
    list.items = arena_array_of (t->arena, accounts_account_told_t, LISTED_MOST);
    int code = store_list (t->txn, &accounts_number_record, &page, t->arena, account_page_add,
                           &list, NULL);
    out->accounts = (schema_list_t){list.items, list.count};
    return code;
}
