/* thread.c - the thread of a number of ours and a person: made with the first WhatsApp message between them, or when somebody asks for its ids before.
 *
 * The thread's id is the conversation's; it has the contact's too. When it was last written to and what is unread is read from its messages (thread_state.c), so
 * that a send to a thread that is there writes nothing more than its message. */
#include "gen/accounts.h"
#include "messaging.h"
#include <string.h>

const char *message_peer (const messaging_message_t *message)
{
    if (message->direction == MESSAGING_DIRECTION_INBOUND)
        return message->from;
    return message->to.count ? ((const char *const *) message->to.items)[0] : NULL;
}

static int thread_find (turn_t *t, id16_t number, const char *peer, messaging_thread_t *out)
{
    store_key_t keys[] = {{.id = number}, {.str = peer}};
    return store_find (t->txn, &messaging_thread_record, "by_pair", keys, 2, t->arena, out);
}

/* A profile's name is new, or a message is older than the thread (one out of the past). */
static int thread_renew (turn_t *t, const messaging_message_t *message, messaging_thread_t *thread)
{
    const char *name =
        message->direction == MESSAGING_DIRECTION_INBOUND ? message->contact_name : NULL;
    bool named = name && *name && (!thread->name || strcmp (thread->name, name) != 0);
    bool older = message->created_at < thread->created_at;
    if (!named && !older)
        return 0;
    if (named)
        thread->name = name;
    if (older)
        thread->created_at = message->created_at;
    thread->version += 1;
    return store_put (t->txn, &messaging_thread_record, thread, NULL);
}

static int thread_make (turn_t *t, const messaging_thread_t *like, messaging_thread_t *out)
{
    *out = *like;
    out->id = turn_id (t);
    out->contact = turn_id (t);
    out->version = 1;
    return store_insert (t->txn, &messaging_thread_record, out, NULL);
}

int thread_enter (turn_t *t, messaging_message_t *message, bool *created)
{
    messaging_thread_t thread = {0};
    const char *peer = message_peer (message);
    *created = false;
    if (message->channel != ACCOUNTS_CHANNEL_WHATSAPP || !peer)
        return 0;
    int code = thread_find (t, message->number, peer, &thread);
    if (code == 0)
        code = thread_renew (t, message, &thread);
    else if (code == E_NOT_FOUND) {
        bool inbound = message->direction == MESSAGING_DIRECTION_INBOUND;
        messaging_thread_t like = {.org = message->org,
                                   .number = message->number,
                                   .peer = peer,
                                   .created_at = message->created_at,
                                   .name = inbound ? message->contact_name : NULL,
                                   .test = message->test};
        code = thread_make (t, &like, &thread);
        *created = true;
    }
    message->conversation = thread.id;
    message->contact = thread.contact;
    return code;
}

int thread_enter_late (turn_t *t, messaging_message_t *message)
{
    bool created = false;
    if (message->channel != ACCOUNTS_CHANNEL_WHATSAPP || !id_is_nil (message->conversation))
        return 0;
    int code = thread_enter (t, message, &created);
    return code || id_is_nil (message->conversation)
               ? code
               : store_put (t->txn, &messaging_message_record, message, NULL);
}

/* ---- as events tell it ---- */

void thread_number_tell (turn_t *t, id16_t number, messaging_thread_told_t *out)
{
    messaging_number_t row = {0};
    out->number_id = number;
    if (store_get_any (t->txn, &messaging_number_record, number, t->arena, &row))
        return;
    out->number_ref = row.ref;
    out->waba = row.waba;
    out->number = row.number;
}

const messaging_thread_told_t *thread_told (turn_t *t, const messaging_message_t *message,
                                            bool created)
{
    if (id_is_nil (message->conversation))
        return NULL;
    bool inbound = message->direction == MESSAGING_DIRECTION_INBOUND;
    messaging_thread_told_t *told = arena_new_of (t->arena, messaging_thread_told_t);
    thread_number_tell (t, message->number, told);
    told->conversation = message->conversation;
    told->contact = message->contact;
    told->peer = message_peer (message);
    told->name = message->contact_name;
    told->created = created;
    if (!told->number_ref)
        told->number_ref = message->number_ref;
    if (!told->number && inbound && message->to.count)
        told->number = ((const char *const *) message->to.items)[0];
    else if (!told->number)
        told->number = message->from;
    return told;
}

/* ---- the op ---- */

int messaging_thread_ensure (turn_t *t, const messaging_thread_ensure_in_t *in,
                             messaging_thread_ensure_out_t *out)
{
    messaging_number_t number = {0};
    messaging_thread_t thread = {0};
    int code = number_of_ref (t, in->number_ref, &number);
    if (code)
        return code;
    code = thread_find (t, number.id, in->phone, &thread);
    if (code == E_NOT_FOUND) {
        messaging_thread_t like = {.org = number.org,
                                   .number = number.id,
                                   .peer = in->phone,
                                   .created_at = t->now,
                                   .test = number.test};
        code = thread_make (t, &like, &thread);
        out->created = true;
    }
    out->conversation = thread.id;
    out->contact = thread.contact;
    out->number_id = number.id;
    return code ? fail (t, code, NULL, "The thread could not be stored") : 0;
}
