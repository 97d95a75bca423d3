/* contact.c - contacts as they are kept: stored with their place in the search, told when they came or changed. */
#include "inbox.h"
#include <string.h>

inbox_contact_told_t contact_told (const inbox_contact_t *row, const char *number)
{
    return (inbox_contact_told_t){
        .id = row->id,
        .phone_number = row->phone,
        .name = row->name,
        .email = row->email,
        .metadata = row->metadata,
        .account_number = number,
        .created_at = row->created_at,
        .updated_at = row->updated_at,
    };
}

static int tell (turn_t *t, const inbox_contact_t *row, const char *number,
                 const inbox_contact_changed_t *how)
{
    inbox_contact_told_t contact = contact_told (row, number);
    inbox_contact_changed_t body = *how;
    event_about_t about = {
        .record = row->id, .version = (uint64_t) row->version, .org = row->org, .test = row->test};
    body.contact = &contact;
    body.test = row->test;
    return event_add (t, &inbox_contact_changed_event, &about, &body);
}

int contact_of (turn_t *t, const inbox_number_t *number, id16_t id, inbox_contact_t *out)
{
    int code = store_get (t->txn, &inbox_contact_record, t->ask->org, id, t->arena, out);
    if (code == 0 && !id_equal (out->number, number->id))
        code = E_NOT_FOUND;
    return code == E_NOT_FOUND ? fail (t, code, "id", "No such contact") : code;
}

int contact_find (turn_t *t, id16_t number, const char *phone, inbox_contact_t *out)
{
    store_key_t keys[] = {{.id = number}, {.str = phone}};
    return store_find (t->txn, &inbox_contact_record, "by_phone", keys, 2, t->arena, out);
}

int contact_insert (turn_t *t, inbox_contact_t *row, const char *number)
{
    row->version = 1;
    row->updated_at = row->created_at;
    int code = store_insert (t->txn, &inbox_contact_record, row, NULL);
    if (code == 0)
        code = shelf_move (t, NULL, row);
    if (code || !number)
        return code;
    turn_count (t, INBOX_COUNTER_CONTACTS_CREATED_TOTAL, 1);
    return tell (t, row, number,
                 &(inbox_contact_changed_t){.created = true, .source = row->source});
}

static bool same (const char *a, const char *b)
{
    return strcmp (a ? a : "", b ? b : "") == 0;
}

static int changed_put (turn_t *t, inbox_contact_t *row, const char *number, const char **changed,
                        size_t count)
{
    row->version += 1;
    row->updated_at = t->now;
    int code = store_put (t->txn, &inbox_contact_record, row, NULL);
    if (code || !number)
        return code;
    return tell (t, row, number, &(inbox_contact_changed_t){.changed = {changed, count}});
}

int contact_change (turn_t *t, const inbox_contact_t *old, inbox_contact_t *row, const char *number)
{
    const char *changed[3];
    size_t count = 0;
    if (!same (old->name, row->name))
        changed[count++] = "name";
    if (!same (old->email, row->email))
        changed[count++] = "email";
    if (!bytes_equal (old->metadata, row->metadata))
        changed[count++] = "metadata";
    if (!count)
        return old->named == row->named ? 0 : store_put (t->txn, &inbox_contact_record, row, NULL);
    int code = shelf_move (t, old, row);
    return code ? code : changed_put (t, row, number, changed, count);
}

int contact_labelled (turn_t *t, inbox_contact_t *row, const char *number)
{
    const char *changed[] = {"labels"};
    return changed_put (t, row, number, changed, 1);
}
