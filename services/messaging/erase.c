/* erase.c - a contact was deleted for good: its thread goes at once, so that who writes again begins a new one; its messages with all that hangs on them go in steps.
 *
 * messages_erased names them, their recipients and (hashed) their ids at the carrier: the runtime takes these out of journal, jobs and answers (svc/erase.h) and knows
 * them afterwards, so that a late receipt makes no copy. Files that people sent go; those that an app uploaded are the app's. Raw callbacks go, unless they have
 * yet to be acted on. Send jobs find nothing and end. */
#include "gen/accounts.h"
#include "gen/inbox.h"
#include "messaging.h"
#include <string.h>

enum { MESSAGES_STEP = 50, RECIPIENTS_MOST = 100, USERS_MOST = 1000 };

id16_t provider_ref_id (int32_t carrier, const char *provider_id)
{
    uint8_t sum[SIGN_SHA256_SIZE], head = (uint8_t) carrier;
    id16_t id;
    buf_t text = {0};
    buf_add_byte (&text, head);
    buf_add_str (&text, provider_id);
    sign_sha256 (buf_bytes (&text), sum);
    buf_free (&text);
    memcpy (id.b, sum, sizeof id.b);
    return id;
}

static int gone (int code)
{
    return code == E_NOT_FOUND ? 0 : code;
}

/* ---- at once ---- */

static int window_end (turn_t *t, id16_t number, const char *peer)
{
    messaging_window_t window = {0};
    store_key_t keys[] = {{.id = number}, {.str = peer}};
    int code = store_find (t->txn, &messaging_window_record, "by_pair", keys, 2, t->arena, &window);
    return gone (code ? code : store_del (t->txn, &messaging_window_record, window.id));
}

typedef struct users {
    const char *number;
    id16_t ids[8]; /* of as many apps; others come at the next page */
    size_t count;
} users_t;

static int user_take (void *context, const void *row)
{
    users_t *users = context;
    const messaging_user_number_t *user = row;
    if (strcmp (user->number, users->number) == 0 &&
        users->count < sizeof users->ids / sizeof *users->ids)
        users->ids[users->count++] = user->id;
    return 0;
}

/* Playground numbers that played the person. */
static int users_end (turn_t *t, id16_t org, const char *number)
{
    users_t users = {.number = number};
    store_key_t keys[] = {{.id = org}, {.num = ACCOUNTS_CHANNEL_WHATSAPP}};
    store_page_t page = {.index = "by_org", .keys = keys, .key_count = 2, .limit = USERS_MOST};
    int code = store_list (t->txn, &messaging_user_number_record, &page, t->arena, user_take,
                           &users, NULL);
    for (size_t i = 0; i < users.count && code == 0; i++)
        code = store_del (t->txn, &messaging_user_number_record, users.ids[i]);
    return code;
}

int contact_erased (turn_t *t, const journal_event_t *event, const void *body)
{
    const inbox_erased_t *in = body;
    messaging_thread_t thread = {0};
    int code =
        store_get_any (t->txn, &messaging_thread_record, in->conversation, t->arena, &thread);
    const char *peer = code == 0 ? thread.peer : in->peer;
    id16_t number = code == 0 ? thread.number : in->number_id;
    if (code == 0)
        code = store_del (t->txn, &messaging_thread_record, thread.id);
    code = gone (code);
    if (code == 0 && peer && *peer)
        code = window_end (t, number, peer);
    if (code == 0 && peer && *peer)
        code = users_end (t, event->org, peer);
    messaging_erase_job_t job = {
        .conversation = in->conversation, .org = event->org, .test = event->test};
    job_new_t new = {.kind = &messaging_erase_kind, .group = in->conversation, .body = &job};
    return code || id_is_nil (in->conversation) ? code : job_add (t, &new, NULL);
}

/* ---- in steps ---- */

typedef struct step {
    messaging_message_t *messages;
    size_t count;
    messaging_recipient_t *recipients; /* of one message */
    size_t recipient_count;
    id16_t *told, *others; /* message ids; what else tells of them */
    size_t other_count, other_most;
} step_t;

static int message_take (void *context, const void *row)
{
    step_t *step = context;
    step->messages[step->count++] = *(const messaging_message_t *) row;
    return 0;
}

static int recipient_take (void *context, const void *row)
{
    step_t *step = context;
    step->recipients[step->recipient_count++] = *(const messaging_recipient_t *) row;
    return 0;
}

static void other_add (step_t *step, id16_t id)
{
    if (!id_is_nil (id) && step->other_count < step->other_most)
        step->others[step->other_count++] = id;
}

static void ref_add (step_t *step, int32_t carrier, const char *provider_id)
{
    if (provider_id && *provider_id)
        other_add (step, provider_ref_id (carrier, provider_id));
}

static int callback_end (turn_t *t, step_t *step, id16_t id)
{
    messaging_callback_t row = {0};
    int code = id_is_nil (id)
                   ? E_NOT_FOUND
                   : store_get_any (t->txn, &messaging_callback_record, id, t->arena, &row);
    if (code)
        return gone (code);
    if (callback_erase (t, &row) == 0)
        return store_del (t->txn, &messaging_callback_record, id);
    other_add (step, id); /* the walk comes again for it */
    return 0;
}

/* A file that a person sent: its row says so until the sweeper has removed the blob. */
static int file_end (turn_t *t, id16_t id)
{
    messaging_media_t media = {0};
    int code = id_is_nil (id)
                   ? E_NOT_FOUND
                   : store_get_any (t->txn, &messaging_media_record, id, t->arena, &media);
    if (code || !id_is_nil (media.app))
        return gone (code);
    media.deleted = true;
    media.expires_at = 1;
    media.filename = NULL;
    media.sha256 = NULL;
    media.provider_id = NULL;
    return store_put (t->txn, &messaging_media_record, &media, NULL);
}

static int files_end (turn_t *t, const messaging_message_t *message)
{
    const messaging_body_t *body = message->body;
    int code = body && body->media ? file_end (t, body->media->media) : 0;
    const messaging_media_content_t *files = body ? body->media_list.items : NULL;
    for (size_t i = 0; body && i < body->media_list.count && code == 0; i++)
        code = file_end (t, files[i].media);
    return code;
}

static int recipient_end (turn_t *t, step_t *step, const messaging_recipient_t *recipient)
{
    unsigned rows = 0;
    int code = 0;
    const messaging_receipt_note_t *notes = recipient->receipts.items;
    for (size_t i = 0; i < recipient->receipts.count && code == 0; i++)
        code = callback_end (t, step, notes[i].callback);
    other_add (step, recipient->id);
    ref_add (step, recipient->carrier, recipient->provider_id);
    return code ? code : recipient_remove (t, recipient->id, &rows);
}

static int message_end (turn_t *t, step_t *step, const messaging_message_t *message)
{
    store_key_t key = {.id = message->id};
    store_page_t page = {
        .index = "by_message", .keys = &key, .key_count = 1, .limit = RECIPIENTS_MOST};
    step->recipient_count = 0;
    int code = store_list (t->txn, &messaging_recipient_record, &page, t->arena, recipient_take,
                           step, NULL);
    for (size_t i = 0; i < step->recipient_count && code == 0; i++)
        code = recipient_end (t, step, &step->recipients[i]);
    if (code == 0)
        code = files_end (t, message);
    if (code == 0)
        code = callback_end (t, step, message->callback);
    return code ? code : store_del (t->txn, &messaging_message_record, message->id);
}

static int step_tell (turn_t *t, const messaging_erase_job_t *job, const step_t *step)
{
    messaging_messages_erased_t body = {.conversation = job->conversation,
                                        .messages = {step->told, step->count},
                                        .others = {step->others, step->other_count}};
    event_about_t about = {
        .record = job->conversation, .version = 1, .org = job->org, .test = job->test};
    return step->count ? event_add (t, &messaging_messages_erased_event, &about, &body) : 0;
}

static int erase_finish (turn_t *t, job_t *job, const outcome_t *outcome)
{
    (void) outcome;
    const messaging_erase_job_t *body = job->body;
    step_t step = {.messages = arena_array_of (t->arena, messaging_message_t, MESSAGES_STEP),
                   .recipients = arena_array_of (t->arena, messaging_recipient_t, RECIPIENTS_MOST),
                   .told = arena_array_of (t->arena, id16_t, MESSAGES_STEP),
                   .other_most = 500};
    step.others = arena_array_of (t->arena, id16_t, step.other_most);
    store_key_t key = {.id = body->conversation};
    store_page_t page = {
        .index = "by_conversation", .keys = &key, .key_count = 1, .limit = MESSAGES_STEP};
    bool more = false;
    int code =
        store_list (t->txn, &messaging_message_record, &page, t->arena, message_take, &step, &more);
    for (size_t i = 0; i < step.count && code == 0; i++) {
        step.told[i] = step.messages[i].id;
        ref_add (&step, step.messages[i].carrier, step.messages[i].provider_id);
        code = message_end (t, &step, &step.messages[i]);
    }
    if (code == 0)
        code = step_tell (t, body, &step);
    return code || !more ? code : job_retry (t, job, t->now);
}

const job_kind_t messaging_erase_kind = {
    .name = "erase",
    .number = 120,
    .type = &messaging_erase_job_type,
    .repeatable = true,
    .begin = job_begin_nothing,
    .finish = erase_finish,
    .erases = true,
};

/* ---- callbacks ---- */

/* Not acted on yet: that, or its time, comes first. Loopback's say one thing, which can be dropped. */
int callback_erase (turn_t *t, const void *row)
{
    (void) t;
    const messaging_callback_t *callback = row;
    bool parked =
        callback->state == MESSAGING_CALLBACK_STATE_PARKED && !id_is_nil (callback->account);
    return parked || callback->state == MESSAGING_CALLBACK_STATE_STORED ? E_CONFLICT : 0;
}

bool receipt_is_erased (turn_t *t, int32_t carrier, id16_t token, const char *provider_id)
{
    return (!id_is_nil (token) && erase_find (t, token) == 0) ||
           (provider_id && erase_find (t, provider_ref_id (carrier, provider_id)) == 0);
}

const svc_erase_t messaging_erases[MESSAGING_ERASES] = {
    {&messaging_callback_record, callback_erase},
};
