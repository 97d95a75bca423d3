/* thread.c - what messaging tells of its threads: contacts and conversations come from it, with its ids.
 *
 * A message counts once: live events come once each, and those that a whole state (a snapshot's, or of threads made for old messages) has counted already are known by
 * their ids, which messaging gives in the order of its journal. */
#include "inbox.h"
#include <string.h>

/* What an event says of a thread. */
typedef struct told {
    const journal_event_t *event;
    const messaging_thread_told_t *thread;
    int32_t source; /* of a contact that it makes */
    bool quiet;     /* nothing happened now: no events */
    int64_t at;     /* of a conversation that it makes */
} told_t;

/* Its thread is another one now: messaging's store is older than this one, or was made anew. */
static int contact_rejoin (turn_t *t, inbox_contact_t *old, inbox_contact_t *row,
                           id16_t conversation)
{
    old->conversation = row->conversation = conversation;
    return store_put (t->txn, &inbox_contact_record, row, NULL);
}

static int contact_adopt (turn_t *t, const told_t *told, inbox_contact_t *out)
{
    const messaging_thread_told_t *thread = told->thread;
    const char *number = told->quiet ? NULL : thread->number;
    int code = store_get_any (t->txn, &inbox_contact_record, thread->contact, t->arena, out);
    if (code == E_NOT_FOUND)
        code = contact_find (t, thread->number_id, thread->peer, out);
    if (code == 0) {
        inbox_contact_t row = *out;
        if (!id_equal (row.conversation, thread->conversation))
            code = contact_rejoin (t, out, &row, thread->conversation);
        if (code)
            return code;
        if (!row.named && thread->name && *thread->name)
            row.name = thread->name;
        code = contact_change (t, out, &row, number);
        *out = row;
    }
    if (code != E_NOT_FOUND)
        return code;
    *out = (inbox_contact_t){.id = thread->contact,
                             .org = told->event->org,
                             .number = thread->number_id,
                             .phone = thread->peer,
                             .name = thread->name && *thread->name ? thread->name : NULL,
                             .source = told->source,
                             .conversation = thread->conversation,
                             .created_at = told->at,
                             .test = told->event->test};
    return contact_insert (t, out, number);
}

/* The conversation with its contact, made if this is the first message. E_NOT_FOUND: it was erased. */
static int adopt (turn_t *t, const told_t *told, inbox_conversation_t *out)
{
    const messaging_thread_told_t *thread = told->thread;
    inbox_contact_t contact = {0};
    bool erased = false;
    if (!thread || id_is_nil (thread->conversation) || id_is_nil (thread->contact) || !thread->peer)
        return E_NOT_FOUND;
    int code =
        store_get_any (t->txn, &inbox_conversation_record, thread->conversation, t->arena, out);
    bool known = code == 0;
    if (code && code != E_NOT_FOUND)
        return code;
    if (known && (!thread->name || !*thread->name))
        return 0; /* nothing new of the person: spare reading the contact */
    code = known ? 0 : thread_is_erased (t, thread->contact, thread->conversation, &erased);
    if (code || erased)
        return code ? code : E_NOT_FOUND;
    code = contact_adopt (t, told, &contact);
    if (code || known)
        return code;
    *out = (inbox_conversation_t){.id = thread->conversation,
                                  .org = told->event->org,
                                  .number = thread->number_id,
                                  .contact = contact.id,
                                  .status = INBOX_CONVERSATION_STATUS_OPEN,
                                  .created_at = told->at,
                                  .test = told->event->test};
    return 0;
}

static int conversation_put (turn_t *t, inbox_conversation_t *row)
{
    row->version += 1;
    row->updated_at = t->now;
    return store_put (t->txn, &inbox_conversation_record, row, NULL);
}

static void reopen (turn_t *t, inbox_conversation_t *row)
{
    if (row->status != INBOX_CONVERSATION_STATUS_RESOLVED)
        return;
    row->status = INBOX_CONVERSATION_STATUS_OPEN;
    turn_count (t, INBOX_COUNTER_CONVERSATIONS_REOPENED_TOTAL, 1);
}

static int64_t later (int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* An imported message is as old as it says. */
static int64_t message_at (const journal_event_t *event, const messaging_content_t *message)
{
    return message->historical && message->occurred_at ? message->occurred_at : event->at;
}

static void message_note (inbox_conversation_t *row, id16_t id, int64_t at)
{
    if (id_compare (id, row->newest) > 0)
        row->newest = id;
    row->last_message_at = later (row->last_message_at, at);
}

int message_accepted (turn_t *t, const journal_event_t *event, const void *body)
{
    const messaging_message_accepted_t *in = body;
    inbox_conversation_t row = {0};
    if (!in->thread || !in->message)
        return 0;
    int64_t at = message_at (event, in->message);
    told_t told = {event, in->thread, INBOX_CONTACT_SOURCE_SEND, event->snapshot, at};
    int code = adopt (t, &told, &row);
    if (code)
        return code == E_NOT_FOUND ? 0 : code;
    message_note (&row, in->message->id, at);
    return conversation_put (t, &row);
}

int message_received (turn_t *t, const journal_event_t *event, const void *body)
{
    const messaging_message_received_t *in = body;
    inbox_conversation_t row = {0};
    if (!in->thread || !in->message)
        return 0;
    int64_t at = message_at (event, in->message);
    told_t told = {event, in->thread, INBOX_CONTACT_SOURCE_INBOUND, event->snapshot, at};
    int code = adopt (t, &told, &row);
    if (code)
        return code == E_NOT_FOUND ? 0 : code;
    bool counted = id_compare (in->message->id, row.counted) <= 0;
    message_note (&row, in->message->id, at);
    row.last_inbound_at = later (row.last_inbound_at, at);
    if (!counted && !in->message->historical) {
        row.unread += 1;
        reopen (t, &row);
    }
    return conversation_put (t, &row);
}

int conversation_read (turn_t *t, const journal_event_t *event, const void *body)
{
    const messaging_conversation_read_t *in = body;
    inbox_conversation_t row = {0};
    int code = store_get_any (t->txn, &inbox_conversation_record, in->conversation, t->arena, &row);
    if (code)
        return code == E_NOT_FOUND ? 0 : code;
    if (event->at < row.counted_at || row.unread == in->after)
        return 0; /* the state that was told last is newer */
    row.unread = in->after;
    return conversation_put (t, &row);
}

int thread_state (turn_t *t, const journal_event_t *event, const void *body)
{
    const messaging_thread_state_t *in = body;
    inbox_conversation_t row = {0};
    if (!in->thread || id_is_nil (in->last_message))
        return 0; /* nobody has written yet */
    told_t told = {event, in->thread,
                   in->last_inbound_at ? INBOX_CONTACT_SOURCE_INBOUND : INBOX_CONTACT_SOURCE_SEND,
                   true, in->created_at ? in->created_at : event->at};
    int code = adopt (t, &told, &row);
    if (code)
        return code == E_NOT_FOUND ? 0 : code;
    if (id_compare (in->last_message, row.newest) < 0)
        return 0; /* told before what is known */
    if (in->last_inbound_at > row.last_inbound_at && row.version)
        reopen (t, &row);
    row.newest = row.counted = in->last_message;
    row.counted_at = event->at;
    row.unread = in->unread;
    row.last_message_at = later (row.last_message_at, in->last_message_at);
    row.last_inbound_at = later (row.last_inbound_at, in->last_inbound_at);
    return conversation_put (t, &row);
}
