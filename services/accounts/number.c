/* number.c - phone numbers and which apps may use them.
 *
 * A live number exists once in the world, a test number once in its organization: the unique index by_number holds both, with scope nil or the organization. */
#include "accounts.h"
#include "base/big_endian.h"
#include <string.h>

enum { REF_SIZE = 16, REF_DIGITS = 15 };

static id16_t number_scope (id16_t org, bool test)
{
    return test ? org : id_nil ();
}

int number_find (turn_t *t, id16_t org, bool test, int32_t channel, const char *number,
                 accounts_number_t *out)
{
    store_key_t keys[] = {{.id = number_scope (org, test)}, {.num = channel}, {.str = number}};
    return store_find (t->txn, &accounts_number_record, "by_number", keys, 3, t->arena, out);
}

int number_make (turn_t *t, id16_t org, int32_t channel, const char *number,
                 const accounts_carrier_account_t *through, const char *ref, accounts_number_t *out)
{
    *out = (accounts_number_t){
        .id = turn_id (t),
        .org = org,
        .number = number,
        .channel = channel,
        .test = !through,
        .scope = number_scope (org, !through),
        .carrier = through ? through->carrier : ACCOUNTS_CARRIER_LOOPBACK,
        .account = through ? through->id : id_nil (),
        .ref = through ? ref : NULL,
        .created_at = t->now,
        .updated_at = t->now,
        .version = 1,
    };
    int code = team_first (t, org, &out->team);
    if (code == 0)
        code = store_insert (t->txn, &accounts_number_record, out, NULL);
    return code ? code : number_event (t, out, false);
}

int number_change (turn_t *t, accounts_number_t *number)
{
    number->updated_at = t->now;
    return number_complete (t, number);
}

int number_complete (turn_t *t, accounts_number_t *number)
{
    number->version += 1;
    int code = store_put (t->txn, &accounts_number_record, number, NULL);
    return code ? code : number_event (t, number, false);
}

int number_remove (turn_t *t, accounts_number_t *number)
{
    number->version += 1;
    int code = store_del (t->txn, &accounts_number_record, number->id);
    return code ? code : number_event (t, number, true);
}

/* ---- telling ---- */

/* The loopback carrier gives a number's digits for its id: made of the number's own, so that they never change. */
static const char *loopback_ref (turn_t *t, id16_t id)
{
    char *out = arena_alloc (t->arena, REF_SIZE);
    uint64_t value = u64_read (id.b + 8);
    out[0] = '9';
    for (size_t i = REF_DIGITS - 1; i > 0; i--, value /= 10)
        out[i] = (char) ('0' + value % 10);
    return out;
}

const char *number_ref (turn_t *t, const accounts_number_t *number)
{
    bool made = number->channel == ACCOUNTS_CHANNEL_WHATSAPP && (!number->ref || !*number->ref);
    return made ? loopback_ref (t, number->id) : number->ref;
}

int32_t number_status (const accounts_number_t *number)
{
    return number->status ? number->status : ACCOUNTS_NUMBER_STATUS_CONNECTED;
}

int number_told_event (turn_t *t, const accounts_number_t *number, event_about_t *about,
                       accounts_number_changed_t *body)
{
    accounts_carrier_account_t account = {0};
    int code = id_is_nil (number->account)
                   ? 0
                   : store_get_any (t->txn, &accounts_carrier_account_record, number->account,
                                    t->arena, &account);
    if (code && code != E_NOT_FOUND)
        return code;
    *about = (event_about_t){.record = number->id,
                             .version = (uint64_t) number->version,
                             .org = number->org,
                             .test = number->test,
                             .subject = number->number};
    *body = (accounts_number_changed_t){.id = number->id,
                                        .org = number->org,
                                        .number = number->number,
                                        .channel = number->channel,
                                        .carrier = number->carrier,
                                        .test = number->test,
                                        .account = number->account,
                                        .ref = number_ref (t, number),
                                        .waba = account.waba,
                                        .name = number->display_name,
                                        .status = number_status (number),
                                        .team = number->team};
    return id_is_nil (body->team) ? team_first (t, number->org, &body->team) : 0;
}

int number_event (turn_t *t, const accounts_number_t *number, bool deleted)
{
    event_about_t about;
    accounts_number_changed_t body;
    int code = number_told_event (t, number, &about, &body);
    body.deleted = deleted;
    return code ? code : event_add (t, &accounts_number_changed_event, &about, &body);
}

/* What a number is, where nobody said so: North American toll-free codes, else local. */
static int32_t number_kind (const accounts_number_t *number)
{
    static const char *const tollfree[] = {"800", "833", "844", "855", "866", "877", "888"};
    if (number->kind || !number->number)
        return number->kind;
    if (strncmp (number->number, "+1", 2) == 0 && strlen (number->number) == 12)
        for (size_t i = 0; i < sizeof tollfree / sizeof *tollfree; i++)
            if (strncmp (number->number + 2, tollfree[i], 3) == 0)
                return ACCOUNTS_NUMBER_KIND_TOLLFREE;
    return ACCOUNTS_NUMBER_KIND_LOCAL;
}

static schema_list_t number_features (const accounts_number_t *number)
{
    static const char *sms[] = {"SMS", "MMS"};
    static const char *whatsapp[] = {"WhatsApp"};
    if (number->features.count)
        return number->features;
    return number->channel == ACCOUNTS_CHANNEL_SMS ? (schema_list_t){sms, 2}
                                                   : (schema_list_t){whatsapp, 1};
}

accounts_app_number_t number_told (const accounts_number_t *number,
                                   const accounts_assignment_t *assignment)
{
    return (accounts_app_number_t){.number_id = number->id,
                                   .app = assignment->app,
                                   .number = number->number,
                                   .channel = number->channel,
                                   .created_at = assignment->created_at,
                                   .updated_at = assignment->updated_at,
                                   .test = number->test,
                                   .kind = number_kind (number),
                                   .location = number->location ? number->location : "",
                                   .features = number_features (number),
                                   .messaging_profile = assignment->messaging_profile};
}

int assignment_find (turn_t *t, id16_t app, id16_t number, accounts_assignment_t *out)
{
    store_key_t keys[] = {{.id = app}, {.id = number}};
    return store_find (t->txn, &accounts_assignment_record, "by_pair", keys, 2, t->arena, out);
}

static int assignment_fill (const accounts_assignment_t *assignment,
                            const accounts_number_t *number, event_about_t *about,
                            accounts_assignment_changed_t *body)
{
    *about = (event_about_t){.record = assignment->id,
                             .version = (uint64_t) assignment->version,
                             .org = assignment->org,
                             .app = assignment->app,
                             .test = number->test,
                             .subject = number->number};
    *body = (accounts_assignment_changed_t){.id = assignment->id,
                                            .org = assignment->org,
                                            .app = assignment->app,
                                            .number_id = number->id,
                                            .number = number->number,
                                            .channel = number->channel,
                                            .carrier = number->carrier,
                                            .test = number->test,
                                            .account = number->account,
                                            .ref = number->ref};
    return 0;
}

int assignment_told (turn_t *t, const accounts_assignment_t *assignment, event_about_t *about,
                     accounts_assignment_changed_t *body)
{
    accounts_number_t number = {0};
    int code =
        store_get_any (t->txn, &accounts_number_record, assignment->number, t->arena, &number);
    return code ? code : assignment_fill (assignment, &number, about, body);
}

static int assignment_event (turn_t *t, const accounts_assignment_t *assignment,
                             const accounts_number_t *number, bool deleted)
{
    event_about_t about;
    accounts_assignment_changed_t body;
    assignment_fill (assignment, number, &about, &body);
    body.deleted = deleted;
    return event_add (t, &accounts_assignment_changed_event, &about, &body);
}

int assignment_make (turn_t *t, id16_t app, const accounts_number_t *number,
                     accounts_assignment_t *out)
{
    int code = assignment_find (t, app, number->id, out);
    if (code != E_NOT_FOUND)
        return code ? code : E_ALREADY_EXISTS;
    *out = (accounts_assignment_t){.id = turn_id (t),
                                   .org = number->org,
                                   .app = app,
                                   .number = number->id,
                                   .channel = number->channel,
                                   .created_at = t->now,
                                   .updated_at = t->now,
                                   .version = 1};
    code = store_insert (t->txn, &accounts_assignment_record, out, NULL);
    return code ? code : assignment_event (t, out, number, false);
}

int assignment_remove (turn_t *t, const accounts_assignment_t *assignment,
                       const accounts_number_t *number)
{
    accounts_assignment_t gone = *assignment;
    gone.version += 1;
    int code = store_del (t->txn, &accounts_assignment_record, assignment->id);
    return code ? code : assignment_event (t, &gone, number, true);
}
