/* erase.c - a contact is deleted for good: its rows here go at once, what other services have of it when they read the event. The ids stay as a tombstone, so that a
 * message that was on its way makes no new contact of them. */
#include "inbox.h"

int thread_is_erased (turn_t *t, id16_t contact, id16_t conversation, bool *out)
{
    inbox_tombstone_t row = {0};
    store_key_t key = {.id = conversation};
    int code = store_get_any (t->txn, &inbox_tombstone_record, contact, t->arena, &row);
    if (code == E_NOT_FOUND)
        code = store_find (t->txn, &inbox_tombstone_record, "by_conversation", &key, 1, t->arena,
                           &row);
    *out = code == 0;
    return code == E_NOT_FOUND ? 0 : code;
}

static void told (const inbox_tombstone_t *row, const char *peer, event_about_t *about,
                  inbox_erased_t *body)
{
    *about = (event_about_t){.record = row->id, .version = 1, .org = row->org, .test = row->test};
    *body = (inbox_erased_t){.contact = row->id,
                             .conversation = row->conversation,
                             .number_id = row->number,
                             .peer = peer,
                             .at = row->at};
}

int tombstone_snapshot (turn_t *t, const void *row, event_about_t *about, void *body)
{
    (void) t;
    told (row, NULL, about, body);
    return 0;
}

static int gone (int code)
{
    return code == E_NOT_FOUND ? 0 : code;
}

static int rows_delete (turn_t *t, const inbox_contact_t *contact)
{
    int code = shelf_move (t, contact, NULL);
    if (code == 0)
        code = store_del (t->txn, &inbox_contact_record, contact->id);
    if (code == 0)
        code = gone (store_del (t->txn, &inbox_conversation_record, contact->conversation));
    if (code == 0)
        code = links_drop (t, id_nil (), contact->id);
    return code ? code : links_drop (t, id_nil (), contact->conversation);
}

int inbox_contact_delete (turn_t *t, const inbox_contact_delete_in_t *in,
                          inbox_contact_delete_out_t *out)
{
    inbox_number_t number;
    inbox_contact_t contact = {0};
    event_about_t about;
    inbox_erased_t body;
    int code = number_of (t, in->number_ref, &number);
    if (code == 0)
        code = contact_of (t, &number, in->id, &contact);
    if (code == 0)
        code = rows_delete (t, &contact);
    if (code)
        return code;
    inbox_tombstone_t tombstone = {.id = contact.id,
                                   .org = contact.org,
                                   .conversation = contact.conversation,
                                   .number = contact.number,
                                   .at = t->now,
                                   .test = contact.test};
    code = store_insert (t->txn, &inbox_tombstone_record, &tombstone, NULL);
    told (&tombstone, contact.phone, &about, &body);
    turn_count (t, INBOX_COUNTER_CONTACTS_ERASED_TOTAL, 1);
    *out = (inbox_contact_delete_out_t){.id = contact.id, .deleted = true};
    return code ? code : event_add (t, &inbox_erased_event, &about, &body);
}
