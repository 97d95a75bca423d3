/* account.c - this service's own copy of numbers, teams and users, followed from accounts. What is deleted stays as a tombstone with its version. */
#include "inbox.h"

int number_changed (turn_t *t, const journal_event_t *event, const void *body)
{
    const accounts_number_changed_t *in = body;
    inbox_number_t row = {0};
    if (in->channel != ACCOUNTS_CHANNEL_WHATSAPP)
        return 0;
    int code = store_get_any (t->txn, &inbox_number_record, in->id, t->arena, &row);
    if (code && code != E_NOT_FOUND)
        return code;
    if (code == 0 && row.version >= (int64_t) event->version)
        return 0;
    row = (inbox_number_t){.id = in->id,
                           .org = in->org,
                           .ref = in->ref,
                           .number = in->number,
                           .test = in->test,
                           .team = in->team,
                           .version = (int64_t) event->version,
                           .deleted = in->deleted};
    return store_put (t->txn, &inbox_number_record, &row, NULL);
}

int team_changed (turn_t *t, const journal_event_t *event, const void *body)
{
    const accounts_team_changed_t *in = body;
    inbox_team_t row = {0};
    int code = store_get_any (t->txn, &inbox_team_record, in->id, t->arena, &row);
    if (code && code != E_NOT_FOUND)
        return code;
    if (code == 0 && row.version >= (int64_t) event->version)
        return 0;
    row = (inbox_team_t){
        .id = in->id, .org = in->org, .version = (int64_t) event->version, .deleted = in->deleted};
    return store_put (t->txn, &inbox_team_record, &row, NULL);
}

int user_changed (turn_t *t, const journal_event_t *event, const void *body)
{
    const accounts_user_changed_t *in = body;
    inbox_user_t row = {0};
    int code = store_get_any (t->txn, &inbox_user_record, in->id, t->arena, &row);
    if (code && code != E_NOT_FOUND)
        return code;
    if (code == 0 && row.version >= (int64_t) event->version)
        return 0;
    row.id = in->id;
    row.org = in->org;
    row.name = in->name ? in->name : row.name;
    row.email = in->email ? in->email : row.email;
    row.version = (int64_t) event->version;
    row.deleted = in->deleted;
    return store_put (t->txn, &inbox_user_record, &row, NULL);
}

static int number_take (void *context, const void *row)
{
    *(inbox_number_t *) context = *(const inbox_number_t *) row;
    return 0;
}

int number_of (turn_t *t, const char *ref, inbox_number_t *out)
{
    store_key_t keys[] = {{.id = t->ask->org}, {.str = ref}, {.num = false}};
    store_page_t page = {
        .index = "by_ref", .keys = keys, .key_count = 3, .newest_first = true, .limit = 1};
    *out = (inbox_number_t){0};
    int code = store_list (t->txn, &inbox_number_record, &page, t->arena, number_take, out, NULL);
    if (code == 0 && (id_is_nil (t->ask->org) || id_is_nil (out->id)))
        code = fail (t, E_NOT_FOUND, "number_ref", "No such number");
    return code;
}

static int team_take (void *context, const void *row)
{
    *(id16_t *) context = ((const inbox_team_t *) row)->id;
    return 0;
}

int team_of (turn_t *t, id16_t asked, id16_t *out)
{
    inbox_team_t row = {0};
    bool more = false;
    store_key_t keys[] = {{.id = t->ask->org}, {.num = false}};
    store_page_t page = {.index = "by_org", .keys = keys, .key_count = 2, .limit = 1};
    int code;
    if (!id_is_nil (asked)) {
        code = store_get (t->txn, &inbox_team_record, t->ask->org, asked, t->arena, &row);
        *out = asked;
        return code == E_NOT_FOUND || (code == 0 && row.deleted)
                   ? fail (t, E_BAD_REQUEST, "team_id", "No such team")
                   : code;
    }
    *out = id_nil ();
    code = store_list (t->txn, &inbox_team_record, &page, t->arena, team_take, out, &more);
    if (code == 0 && (more || id_is_nil (*out)))
        code = fail (t, E_MISSING_FIELD, "team_id",
                     "The organization has more than one team: say which");
    return code;
}
