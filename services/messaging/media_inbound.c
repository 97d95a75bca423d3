/* media_inbound.c - files that people send: fetched from the carrier when their message is stored, before customers hear of the message.
 *
 * Life of a file: where is it (Meta says so for five minutes, Telnyx in the callback itself) -> fetch into the blob folder -> a row of ours -> the message names it. After three
 * tries that failed the message is told without the file. The job may be begun again at any point: a blob without a row is swept. */
#include "media.h"

#include "base/text.h"
#include <string.h>

enum { FETCH_TRIES = 3, FETCH_WIDTH = 8, FETCH_TIMEOUT_MS = 120000, ITEM_BODY = 0 };
static const uint32_t again_ms[] = {2000, 10000};

typedef struct fetch_work {
    messaging_message_t message;
    messaging_media_fetch_job_t *job;
    const provider_t *provider;
    const messaging_media_content_t *item; /* NULL: there are no more */
} fetch_work_t;

/* The file of the message, then the attachments of an MMS; NULL past the last. */
static const messaging_media_content_t *item_at (const messaging_message_t *message, int64_t index)
{
    static const messaging_media_content_t none;
    const messaging_body_t *body = message->body;
    if (!body || index < 0)
        return NULL;
    if (index == ITEM_BODY)
        return body->media ? body->media : &none;
    const messaging_media_content_t *items = body->media_list.items;
    return (size_t) index <= body->media_list.count ? &items[index - 1] : NULL;
}

static bool is_to_fetch (const messaging_media_content_t *item)
{
    return id_is_nil (item->media) && (item->provider_id || item->url);
}

static int fetch_load (turn_t *t, const job_t *job, fetch_work_t *out)
{
    out->job = job->body;
    int code = store_get_any (t->txn, &messaging_message_record, out->job->message, t->arena,
                              &out->message);
    if (code)
        return code;
    out->provider = carrier_adapter (out->message.carrier);
    out->item = out->provider ? item_at (&out->message, out->job->item) : NULL;
    return 0;
}

static int fetch_request (turn_t *t, fetch_work_t *work, outbound_t *out)
{
    provider_account_t account = {0};
    const char *url = work->job->url ? work->job->url : work->item->url;
    int code = account_open (t, work->message.account, &account);
    if (code)
        return code;
    if (!url)
        return work->provider->media_locate
                   ? work->provider->media_locate (t, &account, work->item->provider_id, out)
                   : E_NOT_FOUND;
    code = work->provider->media_fetch ? work->provider->media_fetch (t, &account, url, out)
                                       : E_NOT_FOUND;
    if (out->request.timeout_ms == 0)
        out->request.timeout_ms = FETCH_TIMEOUT_MS;
    out->request.answer_limit = blob_kind_limit (BLOB_KIND_INBOUND);
    out->request.answer_blobs = media_blobs (t);
    out->request.answer_blob = turn_id (t);
    return code;
}

static int fetch_begin (turn_t *t, job_t *job, outbound_t *out)
{
    fetch_work_t *work = arena_new_of (t->arena, fetch_work_t);
    int code = fetch_load (t, job, work);
    if (code == 0 && work->item && is_to_fetch (work->item))
        code = fetch_request (t, work, out);
    if (code == E_NOT_FOUND || code == E_BAD_REQUEST) /* finish () sees that nothing came */
        *out = (outbound_t){.how = OUT_NOTHING};
    return code == E_NOT_FOUND || code == E_BAD_REQUEST ? 0 : code;
}

/* ---- a file is here ---- */

static int media_store (turn_t *t, const fetch_work_t *work, const fetch_file_t *file,
                        messaging_media_t *media)
{
    char sha256[2 * BLOB_SHA256_SIZE + 1];
    const messaging_message_t *message = &work->message;
    text_write_hex (file->sha256, sizeof file->sha256, sha256);
    bool typed = media_blob_kind (message->kind) != BLOB_KIND_COUNT;
    const char *claimed = work->item->mime_type;
    bool known = file->seen.type != BLOB_UNKNOWN || !claimed;
    *media = (messaging_media_t){.id = file->blob,
                                 .org = message->org,
                                 .number = message->number,
                                 .test = message->test,
                                 .kind = typed ? message->kind : media_kind_of (&file->seen),
                                 .mime_type = known ? blob_type_mime (file->seen.type) : claimed,
                                 .size = (int64_t) file->size,
                                 .sha256 = arena_strdup (t->arena, sha256),
                                 .filename = work->item->filename,
                                 .animated = file->seen.animated,
                                 .created_at = t->now,
                                 .expires_at = media_expiry (t, message->org),
                                 .provider_id = work->item->provider_id,
                                 .message = message->id};
    turn_count (t, MESSAGING_COUNTER_MEDIA_FETCHED_TOTAL, 1);
    return store_put (t->txn, &messaging_media_record, media, NULL);
}

/* Put the item as it is now into the message. */
static void item_replace (turn_t *t, fetch_work_t *work, const messaging_media_content_t *news)
{
    messaging_body_t *body = arena_new_of (t->arena, messaging_body_t);
    *body = *work->message.body;
    if (work->job->item == ITEM_BODY) {
        body->media = news;
    } else {
        size_t count = body->media_list.count;
        messaging_media_content_t *items =
            arena_array_of (t->arena, messaging_media_content_t, count);
        memcpy (items, body->media_list.items, count * sizeof *items);
        items[work->job->item - 1] = *news;
        body->media_list.items = items;
    }
    work->message.body = body;
}

static int item_keep (turn_t *t, fetch_work_t *work, const fetch_file_t *file)
{
    messaging_media_t media = {0};
    int code = media_store (t, work, file, &media);
    if (code)
        return code;
    messaging_media_content_t *item = arena_new_of (t->arena, messaging_media_content_t);
    *item = *work->item;
    item->media = media.id;
    item->mime_type = media.mime_type;
    item->size = media.size;
    item->sha256 = media.sha256;
    item->test = media.test;
    item_replace (t, work, item);
    return store_put (t->txn, &messaging_message_record, &work->message, NULL);
}

/* ---- what came of it ---- */

/* To the next item, or if this was the last the message is told. */
static int item_next (turn_t *t, job_t *job, fetch_work_t *work)
{
    const messaging_media_content_t *item;
    work->job->url = NULL;
    work->job->failures = 0;
    do
        item = item_at (&work->message, ++work->job->item);
    while (item && !is_to_fetch (item));
    return item ? job_retry (t, job, t->now) : inbound_tell (t, &work->message);
}

static int item_failed (turn_t *t, job_t *job, fetch_work_t *work, const outcome_t *outcome)
{
    work->job->url = NULL; /* it may have been over */
    work->job->failures += 1;
    if (work->job->failures >= FETCH_TRIES || outcome->code == E_MEDIA_TOO_LARGE) {
        turn_count (t, MESSAGING_COUNTER_MEDIA_LOST_TOTAL, 1);
        return item_next (t, job, work);
    }
    int64_t wait = again_ms[work->job->failures - 1];
    if (wait < outcome->retry_after_ms && outcome->retry_after_ms <= 60000)
        wait = outcome->retry_after_ms;
    return job_retry (t, job, t->now + wait);
}

static int fetch_finish (turn_t *t, job_t *job, const outcome_t *outcome)
{
    fetch_work_t *work = arena_new_of (t->arena, fetch_work_t);
    int code = fetch_load (t, job, work);
    if (code)
        return code == E_NOT_FOUND ? 0 : code;
    if (!work->item || !is_to_fetch (work->item))
        return item_next (t, job, work);
    const fetch_file_t *file = outcome->file;
    if (file && file->size > 0 && !id_is_nil (file->blob) && outcome->code == 0) {
        code = item_keep (t, work, file);
        return code ? code : item_next (t, job, work);
    }
    bool locating = !work->job->url && !work->item->url;
    const char *url = locating && work->provider->media_located && outcome->status
                          ? work->provider->media_located (t, outcome)
                          : NULL;
    if (!url)
        return item_failed (t, job, work, outcome);
    work->job->url = url;
    return job_retry (t, job, t->now);
}

static void fetch_policy (turn_t *t, id16_t group, job_policy_t *out)
{
    (void) t;
    (void) group;
    *out = (job_policy_t){.width = FETCH_WIDTH};
}

const job_kind_t messaging_media_fetch_kind = {
    .name = "media_fetch",
    .number = 20,
    .type = &messaging_media_fetch_job_type,
    .repeatable = true,
    .begin = fetch_begin,
    .finish = fetch_finish,
    .policy = fetch_policy,
};

int media_inbound (turn_t *t, messaging_message_t *message, bool *later)
{
    int64_t first = 0;
    const messaging_media_content_t *item = item_at (message, first);
    while (item && !is_to_fetch (item))
        item = item_at (message, ++first);
    *later = item != NULL && !id_is_nil (message->account);
    if (!*later)
        return 0;
    messaging_media_fetch_job_t body = {.message = message->id, .item = first};
    job_new_t new = {.kind = &messaging_media_fetch_kind,
                     .tenant = message->org,
                     .group = message->account,
                     .body = &body};
    return job_add (t, &new, NULL);
}
