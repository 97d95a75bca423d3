/* app_end.c - the end of an app: what it had queued fails, then its files go, in steps.
 *
 * From the turn that takes the deletion on nothing of the app starts any more: its sends are refused (sender_find), and a send job that comes up finds the app gone.
 * A job looks through what waits of the organization and fails what is the app's, without waiting for the carrier's turn: its first step runs in that same turn.
 * What is outward at that moment ends as the carrier says.
 *
 * The failures are told in the journal as any others, for the logs and whoever follows messages; no webhook hears of them, for those of the app are gone. */
#include "messaging.h"

enum { LOOKED_AT_ONCE = 200 /* jobs of a step; each failure takes some nine rows */ };

int recipient_orphaned (turn_t *t, messaging_recipient_t *recipient,
                        const messaging_message_t *message)
{
    bool whatsapp = message->channel == ACCOUNTS_CHANNEL_WHATSAPP;
    status_news_t news = {.status = MESSAGING_STATUS_FAILED,
                          .at = t->now,
                          .message = message,
                          .native_text = "The app that sent it was deleted",
                          .fault = provider_fault (whatsapp, whatsapp ? "33" : "40305")};
    return recipient_move (t, recipient, &news);
}

static int orphan_find (turn_t *t, const job_t *job, void *context)
{
    const messaging_app_end_job_t *end = context;
    const messaging_send_job_t *send = job->body;
    messaging_message_t *message = arena_new_of (t->arena, messaging_message_t);
    messaging_recipient_t *recipient = arena_new_of (t->arena, messaging_recipient_t);
    int code = store_get_any (t->txn, &messaging_message_record, send->message, t->arena, message);
    if (code || !id_equal (message->app, end->app))
        return code == E_NOT_FOUND ? 0 : code;
    code =
        store_get_any (t->txn, &messaging_recipient_record, send->recipient, t->arena, recipient);
    bool waits = recipient->status == MESSAGING_STATUS_QUEUED ||
                 recipient->status == MESSAGING_STATUS_SENDING;
    if (code || !waits)
        return code == E_NOT_FOUND ? 0 : code;
    return recipient_orphaned (t, recipient, message);
}

/* What the app had queued, on whatever number. */
static int queue_clear (turn_t *t, messaging_app_end_job_t *body, unsigned *left, bool *more)
{
    messaging_app_t app = {0};
    int code = store_get_any (t->txn, &messaging_app_record, body->app, t->arena, &app);
    if (code && code != E_NOT_FOUND)
        return code;
    job_walk_t walk = {.kind = &messaging_send_kind,
                       .tenant = app.org, /* nil: nothing is known of it any more */
                       .most = *left,
                       .lane = body->lane,
                       .place = body->place};
    code = job_walk (t, &walk, orphan_find, body, more);
    *left = walk.most;
    body->lane = walk.lane;
    body->place = walk.place;
    return code;
}

/* ---- files ---- */

typedef struct files {
    messaging_media_t *rows;
    size_t count;
} files_t;

static int file_take (void *context, const void *row)
{
    files_t *files = context;
    files->rows[files->count++] = *(const messaging_media_t *) row;
    return 0;
}

/* Deleted as by its app: no link shows a file from here on, and the sweeper takes the bytes. */
static int files_end (turn_t *t, messaging_app_end_job_t *body, unsigned most, bool *more)
{
    store_key_t key = {.id = body->app};
    store_page_t page = {
        .index = "by_app", .keys = &key, .key_count = 1, .after = body->media, .limit = most};
    files_t files = {arena_array_of (t->arena, messaging_media_t, most), 0};
    int code =
        store_list (t->txn, &messaging_media_record, &page, t->arena, file_take, &files, more);
    for (size_t i = 0; i < files.count && code == 0; i++) {
        messaging_media_t *media = &files.rows[i];
        body->media = media->id;
        if (media->deleted)
            continue;
        media->deleted = true;
        media->expires_at = t->now;
        code = store_put (t->txn, &messaging_media_record, media, NULL);
    }
    return code;
}

/* ---- the job ---- */

static int app_end_finish (turn_t *t, job_t *job, const outcome_t *outcome)
{
    messaging_app_end_job_t *body = job->body;
    unsigned left = LOOKED_AT_ONCE;
    bool more = false;
    (void) outcome;
    int code = queue_clear (t, body, &left, &more);
    if (code == 0 && !more)
        code = files_end (t, body, left, &more);
    return code || !more ? code : job_retry (t, job, t->now + 1);
}

const job_kind_t messaging_app_end_kind = {
    .name = "app_end",
    .number = 90,
    .type = &messaging_app_end_job_type,
    .repeatable = true,
    .begin = job_begin_nothing,
    .finish = app_end_finish,
};

int app_end_add (turn_t *t, id16_t app)
{
    messaging_app_end_job_t body = {.app = app};
    job_new_t job = {.kind = &messaging_app_end_kind, .group = app, .body = &body};
    return job_add (t, &job, NULL);
}
