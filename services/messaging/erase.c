/* erase.c - a contact was deleted for good: its thread goes in the turn that hears of it, its messages in steps after that.
 *
 * With a message go its recipients, what the carrier said of them (raw callbacks that are done with, receipts that came early), and the file that the person sent; files
 * that an app uploaded stay the app's. Sends that are waiting end when their job finds nothing; what is outward goes out, and its receipts find nobody. A message that
 * came or went after the deletion, before it was heard of here, is put into a new thread. Told in the journal: whoever has copies removes them. Lost on kill -9: nothing, the
 * job goes on with what is left. */
#include "gen/accounts.h"
#include "gen/inbox.h"
#include "media.h"

enum { STEP = 50, RECIPIENTS_MOST = 16, PARKED_MOST = 16, OTHERS_MOST = 500 };

/* ---- the thread ---- */

static int window_drop (turn_t *t, id16_t number, const char *peer)
{
    messaging_window_t window = {0};
    store_key_t keys[] = {{.id = number}, {.str = peer}};
    int code = store_find (t->txn, &messaging_window_record, "by_pair", keys, 2, t->arena, &window);
    if (code == 0)
        code = store_del (t->txn, &messaging_window_record, window.id);
    return code == E_NOT_FOUND ? 0 : code;
}

static int player_drop (turn_t *t, id16_t holder, const char *peer)
{
    messaging_user_number_t user = {0};
    store_key_t keys[] = {{.id = holder}, {.num = ACCOUNTS_CHANNEL_WHATSAPP}, {.str = peer}};
    int code =
        store_find (t->txn, &messaging_user_number_record, "by_app", keys, 3, t->arena, &user);
    if (code == 0)
        code = store_del (t->txn, &messaging_user_number_record, user.id);
    return code == E_NOT_FOUND ? 0 : code;
}

/* Playground numbers of the apps that hold the number, and the organization's own. */
static int players_drop (turn_t *t, const messaging_thread_t *thread)
{
    schema_list_t apps = {0};
    int code = apps_of_number (t, thread->number, &apps);
    const messaging_app_ref_t *refs = apps.items;
    for (size_t i = 0; i < apps.count && code == 0; i++)
        code = player_drop (t, refs[i].id, thread->peer);
    return code ? code : player_drop (t, thread->org, thread->peer);
}

static int thread_of_event (turn_t *t, const journal_event_t *event, const inbox_erased_t *in,
                            messaging_thread_t *out)
{
    store_key_t keys[] = {{.id = in->number_id}, {.str = in->peer}};
    int code =
        !id_is_nil (in->conversation)
            ? store_get_any (t->txn, &messaging_thread_record, in->conversation, t->arena, out)
        : in->peer
            ? store_find (t->txn, &messaging_thread_record, "by_pair", keys, 2, t->arena, out)
            : E_NOT_FOUND;
    return code == 0 && (!id_equal (out->org, event->org) || !id_equal (out->contact, in->contact))
               ? E_NOT_FOUND
               : code;
}

int contact_erased (turn_t *t, const journal_event_t *event, const void *body)
{
    const inbox_erased_t *in = body;
    messaging_thread_t thread = {0};
    int code = thread_of_event (t, event, in, &thread);
    if (code) /* told again, or none of ours */
        return code == E_NOT_FOUND ? 0 : code;
    code = store_del (t->txn, &messaging_thread_record, thread.id);
    if (code == 0)
        code = window_drop (t, thread.number, thread.peer);
    if (code == 0)
        code = players_drop (t, &thread);
    messaging_erase_job_t job = {.conversation = thread.id, .at = in->at ? in->at : event->at};
    job_new_t new = {
        .kind = &messaging_erase_kind, .tenant = thread.org, .group = thread.org, .body = &job};
    return code ? code : job_add (t, &new, NULL);
}

/* ---- a message ---- */

/* What else tells of the messages of a step: recipients, their ids at the carrier (hashed), callbacks that are yet to be acted on. */
typedef struct others {
    id16_t ids[OTHERS_MOST];
    size_t count;
} others_t;

static void other_add (others_t *others, id16_t id)
{
    if (!id_is_nil (id) && others->count < OTHERS_MOST)
        others->ids[others->count++] = id;
}

static void ref_add (others_t *others, int32_t carrier, const char *provider_id)
{
    if (provider_id && *provider_id)
        other_add (others, provider_ref_id (carrier, provider_id));
}

/* What is still to be acted on may be about others too: the runtime's walk takes it when it was. */
static int callback_drop (turn_t *t, others_t *others, id16_t id)
{
    messaging_callback_t row = {0};
    if (id_is_nil (id))
        return 0;
    int code = store_get_any (t->txn, &messaging_callback_record, id, t->arena, &row);
    if (code)
        return code == E_NOT_FOUND ? 0 : code;
    if (callback_erase (t, &row)) {
        other_add (others, id);
        return 0;
    }
    return store_del (t->txn, &messaging_callback_record, id);
}

typedef struct parked_list {
    messaging_parked_receipt_t rows[PARKED_MOST];
    size_t count;
} parked_list_t;

static int parked_take (void *context, const void *row)
{
    parked_list_t *list = context;
    list->rows[list->count++] = *(const messaging_parked_receipt_t *) row;
    return 0;
}

static int parked_drop (turn_t *t, const messaging_recipient_t *recipient)
{
    parked_list_t *list = arena_new_of (t->arena, parked_list_t);
    store_key_t keys[] = {{.num = recipient->carrier}, {.str = recipient->provider_id}};
    store_page_t page = {
        .index = "by_provider_id", .keys = keys, .key_count = 2, .limit = PARKED_MOST};
    int code = recipient->provider_id ? store_list (t->txn, &messaging_parked_receipt_record, &page,
                                                    t->arena, parked_take, list, NULL)
                                      : 0;
    for (size_t i = 0; i < list->count && code == 0; i++)
        code = store_del (t->txn, &messaging_parked_receipt_record, list->rows[i].id);
    return code;
}

typedef struct recipient_list {
    messaging_recipient_t rows[RECIPIENTS_MOST];
    size_t count;
} recipient_list_t;

static int recipient_take (void *context, const void *row)
{
    recipient_list_t *list = context;
    list->rows[list->count++] = *(const messaging_recipient_t *) row;
    return 0;
}

static int recipient_drop (turn_t *t, others_t *others, const messaging_recipient_t *recipient)
{
    const messaging_receipt_note_t *notes = recipient->receipts.items;
    unsigned rows = 0;
    int code = parked_drop (t, recipient);
    for (size_t i = 0; i < recipient->receipts.count && code == 0; i++)
        code = callback_drop (t, others, notes[i].callback);
    other_add (others, recipient->id);
    ref_add (others, recipient->carrier, recipient->provider_id);
    return code ? code : recipient_remove (t, recipient->id, &rows);
}

static int recipients_drop (turn_t *t, others_t *others, const messaging_message_t *message)
{
    recipient_list_t *list = arena_new_of (t->arena, recipient_list_t);
    store_key_t key = {.id = message->id};
    store_page_t page = {
        .index = "by_message", .keys = &key, .key_count = 1, .limit = RECIPIENTS_MOST};
    int code = store_list (t->txn, &messaging_recipient_record, &page, t->arena, recipient_take,
                           list, NULL);
    for (size_t i = 0; i < list->count && code == 0; i++)
        code = recipient_drop (t, others, &list->rows[i]);
    return code;
}

/* A file that came with it: nothing of it is shown from here on, and it is removed with those whose time is over. */
static int file_drop (turn_t *t, const messaging_message_t *message)
{
    messaging_media_t media = {0};
    const messaging_media_content_t *file = message->body ? message->body->media : NULL;
    if (!file || id_is_nil (file->media))
        return 0;
    int code = store_get_any (t->txn, &messaging_media_record, file->media, t->arena, &media);
    if (code || !id_equal (media.message, message->id))
        return code == E_NOT_FOUND ? 0 : code;
    media.deleted = true;
    media.expires_at = t->now;
    media.filename = NULL;
    media.provider_id = NULL;
    return store_put (t->txn, &messaging_media_record, &media, NULL);
}

static int message_drop (turn_t *t, others_t *others, const messaging_message_t *message)
{
    int code = recipients_drop (t, others, message);
    ref_add (others, message->carrier, message->provider_id);
    if (code == 0)
        code = file_drop (t, message);
    if (code == 0)
        code = callback_drop (t, others, message->callback);
    return code ? code : store_del (t->txn, &messaging_message_record, message->id);
}

/* It is of the person as they are now. */
static int message_move (turn_t *t, messaging_message_t *message)
{
    messaging_thread_t thread = {0};
    message->conversation = id_nil ();
    int code = thread_enter_late (t, message);
    if (code == 0)
        code = store_get_any (t->txn, &messaging_thread_record, message->conversation, t->arena,
                              &thread);
    return code ? code : thread_state_tell (t, &thread);
}

/* ---- the job ---- */

typedef struct message_list {
    messaging_message_t *rows;
    size_t count;
} message_list_t;

static int message_take (void *context, const void *row)
{
    message_list_t *list = context;
    list->rows[list->count++] = *(const messaging_message_t *) row;
    return 0;
}

static int erased_tell (turn_t *t, id16_t conversation, id16_t org, const id16_t *ids, size_t count,
                        const others_t *others)
{
    messaging_messages_erased_t event = {.conversation = conversation,
                                         .messages = {(void *) ids, count},
                                         .others = {(void *) others->ids, others->count}};
    event_about_t about = {.record = conversation, .version = 1, .org = org};
    return count ? event_add (t, &messaging_messages_erased_event, &about, &event) : 0;
}

static int erase_step (turn_t *t, const messaging_erase_job_t *body, message_list_t *list)
{
    id16_t *ids = arena_array_of (t->arena, id16_t, STEP);
    others_t *others = arena_new_of (t->arena, others_t);
    size_t count = 0;
    int code = 0;
    for (size_t i = 0; i < list->count && code == 0; i++) {
        messaging_message_t *message = &list->rows[i];
        if (message->created_at > body->at) {
            code = message_move (t, message);
            continue;
        }
        ids[count++] = message->id;
        code = message_drop (t, others, message);
    }
    turn_count (t, MESSAGING_COUNTER_MESSAGES_ERASED_TOTAL, count);
    return code || !list->count
               ? code
               : erased_tell (t, body->conversation, list->rows[0].org, ids, count, others);
}

static int erase_finish (turn_t *t, job_t *job, const outcome_t *outcome)
{
    (void) outcome;
    const messaging_erase_job_t *body = job->body;
    message_list_t list = {.rows = arena_array_of (t->arena, messaging_message_t, STEP)};
    store_key_t key = {.id = body->conversation};
    store_page_t page = {.index = "by_conversation", .keys = &key, .key_count = 1, .limit = STEP};
    int code =
        store_list (t->txn, &messaging_message_record, &page, t->arena, message_take, &list, NULL);
    if (code == 0)
        code = erase_step (t, body, &list);
    return code || !list.count ? code : job_retry (t, job, t->now);
}

const job_kind_t messaging_erase_kind = {
    .name = "erase",
    .number = 100,
    .type = &messaging_erase_job_type,
    .repeatable = true,
    .begin = job_begin_nothing,
    .finish = erase_finish,
    .erases = true,
};
