/* callback.c - what a carrier tells us: stored as it came, then acted on.
 *
 * A receipt that names a message whose send has not been answered is parked under its provider id and acted on when the answer comes. Acting twice on
 * the same callback changes nothing: statuses only move forward, inbound messages are known by the carrier's id. */
#include "messaging.h"

typedef struct callback_work {
    messaging_callback_t row;
} callback_work_t;

static int32_t status_of_news (provider_news_t news)
{
    static const int32_t statuses[] = { [NEWS_SENT] = MESSAGING_STATUS_SENT, [NEWS_DELIVERED] = MESSAGING_STATUS_DELIVERED,
                                        [NEWS_READ] = MESSAGING_STATUS_READ, [NEWS_FAILED] = MESSAGING_STATUS_FAILED };
    return statuses[news];
}

static int recipient_find (turn_t *t, int32_t carrier, const provider_event_t *event, messaging_recipient_t *out)
{
    if (!id_is_nil (event->token))
        return store_get_any (t->txn, &messaging_recipient_record, event->token, t->arena, out);
    store_key_t keys[] = { { .num = carrier }, { .str = event->provider_id } };
    return store_find (t->txn, &messaging_recipient_record, "by_provider_id", keys, 2, t->arena, out);
}

static int receipt_park (turn_t *t, callback_work_t *work, const provider_event_t *event)
{
    const messaging_settings_t *settings = t->settings;
    messaging_parked_receipt_t parked = { .id = turn_id (t), .carrier = work->row.carrier, .provider_id = event->provider_id,
                                          .callback = work->row.id, .until = t->now + settings->receipt_parking };
    work->row.state = MESSAGING_CALLBACK_STATE_PARKED;
    turn_count (t, MESSAGING_COUNTER_RECEIPTS_PARKED_TOTAL, 1);
    return store_insert (t->txn, &messaging_parked_receipt_record, &parked, NULL);
}

static int event_act (turn_t *t, const provider_event_t *event, void *context)
{
    callback_work_t *work = context;
    if (event->news == NEWS_INBOUND)
        return inbound_take (t, work->row.carrier, event);
    messaging_recipient_t *recipient = arena_new_of (t->arena, messaging_recipient_t);
    int code = recipient_find (t, work->row.carrier, event, recipient);
    if (code == E_NOT_FOUND)
        return receipt_park (t, work, event);
    if (code)
        return code;
    status_news_t news = { .status = status_of_news (event->news), .at = event->at, .provider_id = event->provider_id,
                           .fault = event->fault, .callback = work->row.id };
    return recipient_move (t, recipient, &news);
}

/* Act on a callback's bytes under a savepoint of its own. A callback that cannot be read is kept and ignored. */
static int callback_act (turn_t *t, callback_work_t *work)
{
    int code = txn_savepoint (t->txn);
    if (code)
        return code;
    work->row.state = MESSAGING_CALLBACK_STATE_PROCESSED;
    code = carrier_adapter (work->row.carrier)->parse (t, work->row.body, event_act, work);
    if (code == 0)
        return txn_release (t->txn);
    txn_rollback (t->txn);
    if (code == E_BAD_REQUEST) {
        work->row.state = MESSAGING_CALLBACK_STATE_IGNORED;
        work->row.reason = arena_strdup (t->arena, t->failure.text);
        return 0;
    }
    work->row.state = MESSAGING_CALLBACK_STATE_STORED;
    return code;
}

static int callback_retry_later (turn_t *t, const callback_work_t *work)
{
    messaging_callback_job_t body = { .callback = work->row.id };
    job_new_t new = { .kind = &messaging_callback_kind, .group = work->row.id, .due = t->now + 1000, .body = &body };
    return job_add (t, &new, NULL);
}

int callback_take (turn_t *t, int32_t carrier, bytes_t raw)
{
    callback_work_t *work = arena_new_of (t->arena, callback_work_t);
    work->row = (messaging_callback_t) { .id = turn_id (t), .carrier = carrier, .at = t->now, .body = raw };
    turn_count (t, MESSAGING_COUNTER_CALLBACKS_TOTAL, 1);
    int code = callback_act (t, work);
    if (code)
        code = callback_retry_later (t, work);
    return code ? code : store_insert (t->txn, &messaging_callback_record, &work->row, NULL);
}

/* ---- receipts that came early ---- */

static int parked_note (void *context, const void *row)
{
    schema_list_t *list = context;
    ((messaging_parked_receipt_t *) list->items)[list->count++] = *(const messaging_parked_receipt_t *) row;
    return 0;
}

static int parked_act (turn_t *t, const messaging_parked_receipt_t *parked)
{
    callback_work_t *work = arena_new_of (t->arena, callback_work_t);
    int code = store_del (t->txn, &messaging_parked_receipt_record, parked->id);
    if (code == 0)
        code = store_get_any (t->txn, &messaging_callback_record, parked->callback, t->arena, &work->row);
    if (code)
        return code == E_NOT_FOUND ? 0 : code;
    code = callback_act (t, work);
    return code ? code : store_put (t->txn, &messaging_callback_record, &work->row, NULL);
}

int receipts_unpark (turn_t *t, messaging_recipient_t *recipient)
{
    enum { MOST = 16 };
    schema_list_t found = { arena_array_of (t->arena, messaging_parked_receipt_t, MOST), 0 };
    store_key_t keys[] = { { .num = recipient->carrier }, { .str = recipient->provider_id } };
    store_page_t page = { .index = "by_provider_id", .keys = keys, .key_count = 2, .limit = MOST };
    bool more = false;
    int code = store_list (t->txn, &messaging_parked_receipt_record, &page, t->arena, parked_note, &found, &more);
    for (size_t i = 0; i < found.count && code == 0; i++)
        code = parked_act (t, (messaging_parked_receipt_t *) found.items + i);
    return code;
}

/* ---- a callback whose processing failed is tried again ---- */

static int callback_begin (turn_t *t, job_t *job, outbound_t *out)
{
    (void) t;
    (void) job;
    out->how = OUT_NOTHING;
    return 0;
}

static int callback_finish (turn_t *t, job_t *job, const outcome_t *outcome)
{
    (void) outcome;
    const messaging_callback_job_t *body = job->body;
    callback_work_t *work = arena_new_of (t->arena, callback_work_t);
    int code = store_get_any (t->txn, &messaging_callback_record, body->callback, t->arena, &work->row);
    if (code)
        return code == E_NOT_FOUND ? 0 : code;
    code = callback_act (t, work);
    if (code)
        return job_retry (t, job, t->now + 1000 * (int64_t) job->tries);
    return store_put (t->txn, &messaging_callback_record, &work->row, NULL);
}

const job_kind_t messaging_callback_kind = {
    .name = "callback", .number = 4, .type = &messaging_callback_job_type, .repeatable = true,
    .begin = callback_begin, .finish = callback_finish,
};
