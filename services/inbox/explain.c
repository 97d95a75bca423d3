/* explain.c - what inbox keeps about a contact, a conversation or a label. Of a single message it keeps nothing: messaging tells its conversation. */
#include "inbox.h"

static void contact_explain (turn_t *t, const inbox_contact_t *row, const svc_explain_t *out)
{
    char conversation[ID_UUID_LENGTH + 1];
    id_write_uuid (row->conversation, conversation);
    out->line (out->context, row->created_at, "contact made",
               arena_printf (t->arena, "%s %s by %s, conversation %s", row->phone,
                             row->name ? row->name : "(no name)",
                             schema_enum_word (&inbox_contact_source_enum, row->source),
                             conversation));
    if (row->version > 1)
        out->line (out->context, row->updated_at, "contact changed",
                   arena_printf (t->arena, "version %lld", (long long) row->version));
}

static void conversation_explain (turn_t *t, const inbox_conversation_t *row,
                                  const svc_explain_t *out)
{
    char contact[ID_UUID_LENGTH + 1], user[ID_UUID_LENGTH + 1];
    id_write_uuid (row->contact, contact);
    id_write_uuid (row->assignee, user);
    out->line (out->context, row->created_at, "conversation began",
               arena_printf (t->arena, "with contact %s", contact));
    out->line (out->context, row->updated_at, "conversation",
               arena_printf (t->arena, "is %s, %lld unread, assigned to %s",
                             schema_enum_word (&inbox_conversation_status_enum, row->status),
                             (long long) row->unread, id_is_nil (row->assignee) ? "nobody" : user));
    if (row->last_message_at)
        out->line (out->context, row->last_message_at, "last message", "");
    if (row->last_inbound_at)
        out->line (out->context, row->last_inbound_at, "last inbound message", "");
}

int inbox_explain (turn_t *t, id16_t id, const svc_explain_t *out)
{
    inbox_contact_t contact = {0};
    inbox_conversation_t conversation = {0};
    inbox_label_t label = {0};
    inbox_tombstone_t erased = {0};
    store_key_t key = {.id = id};
    if (store_get_any (t->txn, &inbox_contact_record, id, t->arena, &contact) == 0)
        contact_explain (t, &contact, out);
    if (store_get_any (t->txn, &inbox_conversation_record, id, t->arena, &conversation) == 0)
        conversation_explain (t, &conversation, out);
    if (store_get_any (t->txn, &inbox_label_record, id, t->arena, &label) == 0)
        out->line (out->context, label.updated_at, "label", label.name);
    if (store_get_any (t->txn, &inbox_tombstone_record, id, t->arena, &erased) == 0 ||
        store_find (t->txn, &inbox_tombstone_record, "by_conversation", &key, 1, t->arena,
                    &erased) == 0)
        out->line (out->context, erased.at, "deleted for good", "");
    return 0;
}
