/* callback.c - what a carrier tells us: stored as it came, then acted on.
 *
 * A receipt that names a message whose send has not been answered is parked under its provider id and acted on when the answer comes. Acting twice on
 * the same callback changes nothing: statuses only move forward, inbound messages are known by the carrier's id. */
#include "gen/accounts.h"
#include "messaging.h"
#include <string.h>

enum { CALL_TOLD_MOST = 256 << 10 };

typedef struct callback_work {
    messaging_callback_t row;
    id16_t org;       /* of the carrier account; nil = loopback */
    bool erased;      /* it tells of something erased: its bytes are not kept */
    const char *only; /* the provider id whose receipts are acted on now; NULL = everything */
} callback_work_t;

static int32_t status_of_news (provider_news_t news)
{
    static const int32_t statuses[] = {[NEWS_SENT] = MESSAGING_STATUS_SENT,
                                       [NEWS_DELIVERED] = MESSAGING_STATUS_DELIVERED,
                                       [NEWS_READ] = MESSAGING_STATUS_READ,
                                       [NEWS_FAILED] = MESSAGING_STATUS_FAILED};
    return statuses[news];
}

/* An account speaks of its own organization's messages only. */
static int recipient_own (const callback_work_t *work, int code,
                          const messaging_recipient_t *recipient)
{
    bool foreign = code == 0 && (recipient->carrier != work->row.carrier ||
                                 (!id_is_nil (work->org) && !id_equal (recipient->org, work->org)));
    return foreign ? E_NOT_FOUND : code;
}

/* The query of a URL is not signed, so its token counts only where it does not gainsay what we know: a recipient with another provider id is not meant. */
static bool token_agrees (const messaging_recipient_t *recipient, const char *provider_id)
{
    return !recipient->provider_id || !provider_id ||
           strcmp (recipient->provider_id, provider_id) == 0;
}

static int recipient_find (turn_t *t, const callback_work_t *work, const provider_event_t *event,
                           messaging_recipient_t *out)
{
    if (!id_is_nil (event->token))
        return recipient_own (
            work, store_get_any (t->txn, &messaging_recipient_record, event->token, t->arena, out),
            out);
    int code = event->provider_id
                   ? recipient_of_provider_id (t, work->row.carrier, event->provider_id, out)
                   : E_NOT_FOUND;
    code = recipient_own (work, code, out);
    if (code != E_NOT_FOUND || id_is_nil (work->row.token))
        return code;
    code = recipient_own (
        work, store_get_any (t->txn, &messaging_recipient_record, work->row.token, t->arena, out),
        out);
    return code == 0 && !token_agrees (out, event->provider_id) ? E_NOT_FOUND : code;
}

static int receipt_park (turn_t *t, callback_work_t *work, const provider_event_t *event)
{
    const messaging_settings_t *settings = t->settings;
    if (work->only) /* it is parked already */
        return 0;
    messaging_parked_receipt_t parked = {.id = turn_id (t),
                                         .carrier = work->row.carrier,
                                         .provider_id = event->provider_id,
                                         .callback = work->row.id,
                                         .until = t->now + settings->receipt_parking,
                                         .account = work->row.account};
    work->row.state = MESSAGING_CALLBACK_STATE_PARKED;
    turn_count (t, MESSAGING_COUNTER_RECEIPTS_PARKED_TOTAL, 1);
    return store_insert (t->txn, &messaging_parked_receipt_record, &parked, NULL);
}

static void callback_note (turn_t *t, callback_work_t *work, const char *reason)
{
    work->row.reason = arena_printf (t->arena, "%.200s", reason);
}

/* A number of the organization that no app holds. */
static int number_of_account (turn_t *t, const callback_work_t *work, const char *ref,
                              messaging_route_t *out)
{
    messaging_number_t number = {0};
    int code = number_find (t, work->org, ref, &number);
    if (code == 0 && !id_equal (number.account, work->row.account))
        code = E_NOT_FOUND;
    if (code == 0)
        number_route (&number, out);
    return code;
}

bytes_t call_told (bytes_t body)
{
    return body.size <= CALL_TOLD_MOST ? body : (bytes_t){0};
}

/* Somebody wrote to one of our numbers; carriers name it in their own way. */
static int inbound_act (turn_t *t, callback_work_t *work, const provider_event_t *event)
{
    inbound_call_t call = {work->row.id, work->row.body};
    messaging_route_t route = {0};
    provider_event_t known = *event;
    if (id_is_nil (work->row.account))
        return inbound_take (t, work->row.carrier, event, &call);
    int code = route_of_carrier (t, work->row.account, event->whatsapp, event->number_ref, &route);
    if (code == E_NOT_FOUND && event->whatsapp)
        code = number_of_account (t, work, event->number_ref, &route);
    if (code == E_NOT_FOUND) {
        callback_note (t, work, "it is for a number that nobody has");
        return 0;
    }
    known.org = route.org;
    known.number = route.number_id;
    if (!known.to)
        known.to = route.number;
    return code ? code : inbound_take (t, work->row.carrier, &known, &call);
}

static int template_act (turn_t *t, const callback_work_t *work, const provider_event_t *event)
{
    messaging_template_news_t news = {
        .account = work->row.account, .org = work->org, .template_id = event->template_id};
    event_about_t about = {.record = work->row.id, .version = 1, .org = work->org};
    return event_add (t, &messaging_template_news_event, &about, &news);
}

static int receipt_act (turn_t *t, callback_work_t *work, const provider_event_t *event)
{
    messaging_recipient_t *recipient = arena_new_of (t->arena, messaging_recipient_t);
    int code = recipient_find (t, work, event, recipient);
    if (code == E_NOT_FOUND &&
        receipt_is_erased (t, work->row.carrier,
                           id_is_nil (event->token) ? work->row.token : event->token,
                           event->provider_id)) {
        work->erased = true;
        return 0;
    }
    if (code == E_NOT_FOUND)
        return event->provider_id ? receipt_park (t, work, event) : 0;
    if (code)
        return code;
    status_news_t news = {.status = status_of_news (event->news),
                          .at = event->at,
                          .provider_id = event->provider_id,
                          .fault = event->fault,
                          .native_text = event->native_text,
                          .fbtrace_id = event->fbtrace_id,
                          .raw = event->raw,
                          .callback = work->row.id};
    if (event->alone)
        news.call = work->row.body;
    return recipient_move (t, recipient, &news);
}

static int event_kind_act (turn_t *t, callback_work_t *work, const provider_event_t *event)
{
    switch (event->news) {
    case NEWS_INBOUND:
        return work->only ? 0 : inbound_act (t, work, event);
    case NEWS_TEMPLATE:
        return work->only ? 0 : template_act (t, work, event);
    default:
        return receipt_act (t, work, event);
    }
}

/* One thing that the callback says, under a savepoint of its own: what does not make sense is left out and noted, the rest goes on. */
static int event_act (turn_t *t, const provider_event_t *event, void *context)
{
    callback_work_t *work = context;
    if (work->only && (!event->provider_id || strcmp (event->provider_id, work->only) != 0))
        return 0;
    if (id_is_nil (work->row.account)) /* loopback says one thing at a time */
        return event_kind_act (t, work, event);
    int code = txn_savepoint (t->txn);
    if (code)
        return code;
    code = event_kind_act (t, work, event);
    if (code == 0)
        return txn_release (t->txn);
    txn_rollback (t->txn);
    if (error_class (code) == EC_INTERNAL || error_class (code) == EC_UNAVAILABLE)
        return code;
    callback_note (t, work, t->failure.text[0] ? t->failure.text : error_doc (code));
    return 0;
}

static int callback_org (turn_t *t, callback_work_t *work)
{
    messaging_carrier_account_t account = {0};
    if (id_is_nil (work->row.account))
        return 0;
    int code = store_get_any (t->txn, &messaging_carrier_account_record, work->row.account,
                              t->arena, &account);
    work->org = account.org;
    return code == E_NOT_FOUND ? fail (t, E_BAD_REQUEST, NULL, "Its carrier account is not known")
                               : code;
}

/* Act on a callback's bytes under a savepoint of its own. A callback that cannot be read is kept and ignored. */
static int callback_act (turn_t *t, callback_work_t *work)
{
    int code = txn_savepoint (t->txn);
    if (code)
        return code;
    work->row.state = MESSAGING_CALLBACK_STATE_PROCESSED;
    work->row.reason = NULL;
    code = callback_org (t, work);
    if (code == 0)
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
    messaging_callback_job_t body = {.callback = work->row.id};
    job_new_t new = {.kind = &messaging_callback_kind,
                     .group = work->row.id,
                     .due = t->now + 1000,
                     .body = &body};
    return job_add (t, &new, NULL);
}

/* What is kept of it: of what was erased only that a callback came. */
static void callback_blank (turn_t *t, callback_work_t *work)
{
    if (!work->erased || work->row.state != MESSAGING_CALLBACK_STATE_PROCESSED)
        return;
    work->row.body = (bytes_t){0};
    callback_note (t, work, "it tells of something erased");
}

int callback_take (turn_t *t, const callback_origin_t *origin, bytes_t raw)
{
    callback_work_t *work = arena_new_of (t->arena, callback_work_t);
    work->row = (messaging_callback_t){.id = turn_id (t),
                                       .carrier = origin->carrier,
                                       .account = origin->account,
                                       .token = origin->token,
                                       .at = t->now,
                                       .body = raw};
    turn_count (t, MESSAGING_COUNTER_CALLBACKS_TOTAL, 1);
    int code = callback_act (t, work);
    callback_blank (t, work);
    if (code)
        code = callback_retry_later (t, work);
    return code ? code : store_insert (t->txn, &messaging_callback_record, &work->row, NULL);
}

/* ---- receipts that came early ---- */

static int parked_note (void *context, const void *row)
{
    schema_list_t *list = context;
    ((messaging_parked_receipt_t *) list->items)[list->count++] =
        *(const messaging_parked_receipt_t *) row;
    return 0;
}

static int parked_act (turn_t *t, const messaging_parked_receipt_t *parked)
{
    callback_work_t *work = arena_new_of (t->arena, callback_work_t);
    int code = store_del (t->txn, &messaging_parked_receipt_record, parked->id);
    if (code == 0)
        code = store_get_any (t->txn, &messaging_callback_record, parked->callback, t->arena,
                              &work->row);
    if (code)
        return code == E_NOT_FOUND ? 0 : code;
    work->only =
        parked
            ->provider_id; /* the callback may say other things too: those were done, or wait in rows of their own */
    code = callback_act (t, work);
    callback_blank (t, work);
    return code ? code : store_put (t->txn, &messaging_callback_record, &work->row, NULL);
}

int receipts_unpark (turn_t *t, messaging_recipient_t *recipient)
{
    enum { MOST = 16 };
    schema_list_t found = {arena_array_of (t->arena, messaging_parked_receipt_t, MOST), 0};
    store_key_t keys[] = {{.num = recipient->carrier}, {.str = recipient->provider_id}};
    store_page_t page = {.index = "by_provider_id", .keys = keys, .key_count = 2, .limit = MOST};
    bool more = false;
    int code = store_list (t->txn, &messaging_parked_receipt_record, &page, t->arena, parked_note,
                           &found, &more);
    for (size_t i = 0; i < found.count && code == 0; i++)
        code = parked_act (t, (messaging_parked_receipt_t *) found.items + i);
    return code;
}

/* ---- a callback whose processing failed is tried again ---- */

static int callback_finish (turn_t *t, job_t *job, const outcome_t *outcome)
{
    (void) outcome;
    const messaging_callback_job_t *body = job->body;
    callback_work_t *work = arena_new_of (t->arena, callback_work_t);
    int code =
        store_get_any (t->txn, &messaging_callback_record, body->callback, t->arena, &work->row);
    if (code)
        return code == E_NOT_FOUND ? 0 : code;
    code = callback_act (t, work);
    if (code)
        return job_retry (t, job, t->now + 1000 * (int64_t) job->tries);
    callback_blank (t, work);
    return store_put (t->txn, &messaging_callback_record, &work->row, NULL);
}

const job_kind_t messaging_callback_kind = {
    .name = "callback",
    .number = 4,
    .type = &messaging_callback_job_type,
    .repeatable = true,
    .begin = job_begin_nothing,
    .finish = callback_finish,
};
