/* conversation.c - list, read and change conversations. */
#include "inbox.h"

/* "Nobody" where a user could be named. */
static const id16_t nobody = {{0, 0, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 0}};

/* ---- as they are shown ---- */

static int user_shown (turn_t *t, id16_t id, const inbox_user_ref_t **out)
{
    inbox_user_t user = {0};
    inbox_user_ref_t *ref = arena_new_of (t->arena, inbox_user_ref_t);
    int code = store_get (t->txn, &inbox_user_record, t->ask->org, id, t->arena, &user);
    *ref = (inbox_user_ref_t){.id = id, .name = user.name, .email = user.email};
    *out = ref;
    return code == E_NOT_FOUND ? 0 : code;
}

static int conversation_shown (turn_t *t, const inbox_number_t *number,
                               const inbox_conversation_t *row, inbox_conversation_info_t *out)
{
    inbox_contact_t contact = {0};
    inbox_contact_ref_t *ref = arena_new_of (t->arena, inbox_contact_ref_t);
    int code = store_get_any (t->txn, &inbox_contact_record, row->contact, t->arena, &contact);
    if (code)
        return code;
    *ref = (inbox_contact_ref_t){
        .id = contact.id, .phone_number = contact.phone, .name = contact.name};
    *out = (inbox_conversation_info_t){.id = row->id,
                                       .status = row->status,
                                       .contact = ref,
                                       .account_number = number->number,
                                       .unread_count = row->unread,
                                       .last_message_at = row->last_message_at,
                                       .last_inbound_at = row->last_inbound_at,
                                       .created_at = row->created_at,
                                       .updated_at = row->updated_at};
    return id_is_nil (row->assignee) ? 0 : user_shown (t, row->assignee, &out->assignee);
}

int conversation_of (turn_t *t, const inbox_number_t *number, id16_t id, inbox_conversation_t *out)
{
    int code = store_get (t->txn, &inbox_conversation_record, t->ask->org, id, t->arena, out);
    if (code == 0 && !id_equal (out->number, number->id))
        code = E_NOT_FOUND;
    return code == E_NOT_FOUND ? fail (t, code, "id", "No such conversation") : code;
}

/* ---- the list ---- */

typedef struct listing {
    turn_t *t;
    const inbox_number_t *number;
    inbox_conversation_info_t *items;
    size_t count;
} listing_t;

static int listing_add (void *context, const void *row)
{
    listing_t *self = context;
    return conversation_shown (self->t, self->number, row, &self->items[self->count++]);
}

static int list_page (listing_t *self, const inbox_conversation_list_in_t *in, place_t from,
                      inbox_conversation_list_out_t *out)
{
    bool more = false;
    store_key_t keys[] = {{.id = self->number->id}, {.num = in->status}}, behind = {.num = from.at};
    store_page_t page = {.index = in->status ? "by_status" : "by_last",
                         .keys = keys,
                         .key_count = in->status ? 2 : 1,
                         .newest_first = true,
                         .after = from.id,
                         .place = &behind,
                         .limit = (size_t) in->limit};
    int code = store_list (self->t->txn, &inbox_conversation_record, &page, self->t->arena,
                           listing_add, self, &more);
    if (code == 0 && more) {
        const inbox_conversation_info_t *last = &self->items[self->count - 1];
        out->next = page_next (self->t, (place_t){last->last_message_at, last->id});
    }
    return code;
}

/* A contact has one conversation with a number, or none yet. */
static int list_of_contact (listing_t *self, const inbox_conversation_list_in_t *in)
{
    inbox_contact_t contact = {0};
    inbox_conversation_t row = {0};
    turn_t *t = self->t;
    int code =
        store_get (t->txn, &inbox_contact_record, t->ask->org, in->contact_id, t->arena, &contact);
    if (code == 0 && id_equal (contact.number, self->number->id))
        code = store_get_any (t->txn, &inbox_conversation_record, contact.conversation, t->arena,
                              &row);
    if (code == 0 && !id_is_nil (row.id) && (!in->status || in->status == row.status))
        code = listing_add (self, &row);
    return code == E_NOT_FOUND ? 0 : code;
}

int inbox_conversation_list (turn_t *t, const inbox_conversation_list_in_t *in,
                             inbox_conversation_list_out_t *out)
{
    inbox_number_t number;
    place_t from;
    int code = number_of (t, in->number_ref, &number);
    if (code == 0)
        code = page_read (t, in->after, in->limit, &from);
    if (code)
        return code;
    listing_t self = {.t = t,
                      .number = &number,
                      .items =
                          arena_array_of (t->arena, inbox_conversation_info_t, (size_t) in->limit)};
    code =
        id_is_nil (in->contact_id) ? list_page (&self, in, from, out) : list_of_contact (&self, in);
    out->conversations = (schema_list_t){self.items, self.count};
    return code;
}

int inbox_conversation_get (turn_t *t, const inbox_conversation_get_in_t *in,
                            inbox_conversation_info_t *out)
{
    inbox_number_t number;
    inbox_conversation_t row = {0};
    int code = number_of (t, in->number_ref, &number);
    if (code == 0)
        code = conversation_of (t, &number, in->id, &row);
    return code ? code : conversation_shown (t, &number, &row, out);
}

/* ---- changing ---- */

static int assignee_read (turn_t *t, id16_t asked, id16_t *out)
{
    inbox_user_t user = {0};
    *out = id_nil ();
    if (id_equal (asked, nobody))
        return 0;
    int code = store_get (t->txn, &inbox_user_record, t->ask->org, asked, t->arena, &user);
    *out = asked;
    return code == E_NOT_FOUND || (code == 0 && user.deleted)
               ? fail (t, E_BAD_REQUEST, "assigned_to", "No such user")
               : code;
}

static int change_tell (turn_t *t, const inbox_number_t *number, const inbox_conversation_t *old,
                        const inbox_conversation_t *row)
{
    event_about_t about = {
        .record = row->id, .version = (uint64_t) row->version, .org = row->org, .test = row->test};
    inbox_conversation_assigned_t assigned = {.conversation = row->id,
                                              .status = row->status,
                                              .user = row->assignee,
                                              .team = number->team,
                                              .previous_user = old->assignee,
                                              .test = row->test};
    inbox_conversation_closed_t closed = {
        .conversation = row->id, .status = row->status, .test = row->test};
    int code = 0;
    if (!id_equal (old->assignee, row->assignee))
        code = event_add (t, &inbox_conversation_assigned_event, &about, &assigned);
    if (code == 0 && old->status != row->status &&
        row->status == INBOX_CONVERSATION_STATUS_RESOLVED)
        code = event_add (t, &inbox_conversation_closed_event, &about, &closed);
    return code;
}

static int change_put (turn_t *t, const inbox_number_t *number, const inbox_conversation_t *old,
                       inbox_conversation_t *row)
{
    if (old->status == row->status && id_equal (old->assignee, row->assignee))
        return 0;
    row->version += 1;
    row->updated_at = t->now;
    int code = store_put (t->txn, &inbox_conversation_record, row, NULL);
    return code ? code : change_tell (t, number, old, row);
}

int inbox_conversation_update (turn_t *t, const inbox_conversation_update_in_t *in,
                               inbox_conversation_info_t *out)
{
    inbox_number_t number;
    inbox_conversation_t old = {0}, row;
    int code = number_of (t, in->number_ref, &number);
    if (code == 0)
        code = conversation_of (t, &number, in->id, &old);
    if (code == 0 && !in->status && id_is_nil (in->assigned_to))
        code = fail (t, E_MISSING_FIELD, "status", "status or assigned_to is required");
    if (code)
        return code;
    row = old;
    if (in->status)
        row.status = in->status;
    if (!id_is_nil (in->assigned_to))
        code = assignee_read (t, in->assigned_to, &row.assignee);
    if (code == 0)
        code = change_put (t, &number, &old, &row);
    return code ? code : conversation_shown (t, &number, &row, out);
}
