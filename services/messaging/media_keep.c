/* media_keep.c - files go: deleted ones and those past their time, in small steps; and what uploads left behind.
 *
 * The blob is removed before its row: a turn that fails in between finds the blob gone the next time, which is fine. The sweeper and this timer are the only turns that touch
 * files; each run removes a few. */
#include "media.h"

enum { EXPIRE_STEP = 16, SWEEP_AGE_MS = 60 * 1000 };

typedef struct expired {
    int64_t now;
    bool over; /* the rest is later */
    id16_t ids[EXPIRE_STEP];
    size_t count;
} expired_t;

static int expired_note (void *context, const void *row)
{
    expired_t *list = context;
    const messaging_media_t *media = row;
    list->over = media->expires_at > list->now;
    if (list->over)
        return 1;
    list->ids[list->count++] = media->id;
    return 0;
}

int media_expire (turn_t *t, svc_swept_t *out)
{
    expired_t list = {.now = t->now};
    store_page_t page = {.index = "by_expiry", .limit = EXPIRE_STEP};
    bool more = false;
    int code =
        store_list (t->txn, &messaging_media_record, &page, t->arena, expired_note, &list, &more);
    if (code && !list.over)
        return code;
    for (size_t i = 0; i < list.count; i++) {
        code = blobs_delete (media_blobs (t), list.ids[i], &t->failure);
        if (code && code != E_NOT_FOUND)
            return code;
        code = store_del (t->txn, &messaging_media_record, list.ids[i]);
        if (code)
            return code;
    }
    out->rows = list.count;
    if (list.count > 0)
        turn_count (t, MESSAGING_COUNTER_MEDIA_EXPIRED_TOTAL, list.count);
    return list.count == EXPIRE_STEP ? E_CONFLICT_RETRY : 0;
}

/* A row makes a blob wanted. Without one it may be that of an ask on its way, for an hour. */
static blob_wish_t blob_wish (void *context, id16_t id)
{
    turn_t *t = context;
    messaging_media_t media = {0};
    int code = store_get_any (t->txn, &messaging_media_record, id, t->arena, &media);
    if (code == 0)
        return BLOB_WANTED;
    bool old = id_time_ms (id) + BLOB_SWEEP_AGE_MS < t->now;
    return code == E_NOT_FOUND && old ? BLOB_UNWANTED : BLOB_UNSURE;
}

int media_sweep (turn_t *t)
{
    blob_swept_t swept = {0};
    return blobs_sweep (media_blobs (t), t->now, SWEEP_AGE_MS, blob_wish, t, &swept, &t->failure);
}
