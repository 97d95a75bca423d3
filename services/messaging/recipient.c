/* recipient.c - the status of one recipient, which only moves forward. */
#include "messaging.h"
#include <string.h>

enum { ATTEMPTS_KEPT = 10, RECEIPTS_KEPT = 10 };

/* `list` with one more item at its end, the oldest dropped beyond `most`. */
static void list_push (turn_t *t, schema_list_t *list, const void *item, size_t size, size_t most)
{
    size_t keep = list->count < most ? list->count : most - 1;
    uint8_t *items = arena_alloc (t->arena, (keep + 1) * size);
    if (keep)
        memcpy (items, (const uint8_t *) list->items + (list->count - keep) * size, keep * size);
    memcpy (items + keep * size, item, size);
    *list = (schema_list_t){items, keep + 1};
}

void recipient_note_attempt (turn_t *t, messaging_recipient_t *recipient, const outcome_t *outcome,
                             int code, const char *text)
{
    messaging_attempt_t attempt = {.at = t->now,
                                   .duration_ms = outcome->duration_ms,
                                   .stage = (int64_t) outcome->stage,
                                   .status = outcome->status,
                                   .code = code,
                                   .text = text};
    list_push (t, &recipient->attempts, &attempt, sizeof attempt, ATTEMPTS_KEPT);
}

static void error_note (turn_t *t, messaging_recipient_t *recipient, const status_news_t *news)
{
    const provider_fault_t *fault = news->fault;
    messaging_provider_error_t *provider = arena_new_of (t->arena, messaging_provider_error_t);
    *provider = (messaging_provider_error_t){.source = fault->source,
                                             .code = fault->native,
                                             .fbtrace_id = news->fbtrace_id,
                                             .message = news->native_text ? news->native_text
                                                                          : fault->title};
    messaging_send_error_t *error = arena_new_of (t->arena, messaging_send_error_t);
    *error =
        (messaging_send_error_t){.code = fault->code, .message = fault->text, .provider = provider};
    recipient->error = error;
}

static void status_apply (turn_t *t, messaging_recipient_t *recipient, const status_news_t *news)
{
    recipient->status = news->status;
    switch (news->status) {
    case MESSAGING_STATUS_READ:
        recipient->read_at = news->at;
        /* fall through */
    case MESSAGING_STATUS_DELIVERED:
        if (!recipient->delivered_at)
            recipient->delivered_at = news->at;
        /* fall through */
    case MESSAGING_STATUS_SENT:
        if (!recipient->sent_at)
            recipient->sent_at = news->at;
        recipient->error = NULL;
        recipient->failed_at = 0;
        break;
    case MESSAGING_STATUS_FAILED:
    case MESSAGING_STATUS_UNCONFIRMED:
        recipient->failed_at = news->at;
        if (news->fault)
            error_note (t, recipient, news);
        break;
    default:
        break;
    }
}

static void status_count (turn_t *t, int32_t status)
{
    if (status == MESSAGING_STATUS_SENT)
        turn_count (t, MESSAGING_COUNTER_RECIPIENTS_SENT_TOTAL, 1);
    else if (status == MESSAGING_STATUS_DELIVERED)
        turn_count (t, MESSAGING_COUNTER_RECIPIENTS_DELIVERED_TOTAL, 1);
    else if (status == MESSAGING_STATUS_FAILED || status == MESSAGING_STATUS_UNCONFIRMED)
        turn_count (t, MESSAGING_COUNTER_RECIPIENTS_FAILED_TOTAL, 1);
}

/* Statuses that customers hear of: what is only known here shows as its neighbour or not at all. */
static int32_t status_told (int32_t status)
{
    switch (status) {
    case MESSAGING_STATUS_UNCONFIRMED:
        return MESSAGING_STATUS_FAILED;
    case MESSAGING_STATUS_SENT:
    case MESSAGING_STATUS_DELIVERED:
    case MESSAGING_STATUS_READ:
    case MESSAGING_STATUS_FAILED:
        return status;
    default:
        return 0;
    }
}

static int status_event (turn_t *t, const messaging_recipient_t *recipient, int32_t before,
                         const status_news_t *news)
{
    messaging_message_t message = {0};
    int code = 0;
    if (news->message)
        message = *news->message;
    else
        code = store_get_any (t->txn, &messaging_message_record, recipient->message, t->arena,
                              &message);
    if (code == 0)
        code = thread_enter_late (t, &message);
    if (code == 0)
        code = app_count_move (t, &message, before, recipient->status);
    if (code)
        return code;
    message.occurred_at = news->at;
    const messaging_content_t *content = content_told (t, &message, recipient);
    messaging_message_status_t event = {.status = status_told (recipient->status),
                                        .message = content,
                                        .error = content->error,
                                        .thread = thread_told (t, &message, false),
                                        .raw = news->raw,
                                        .call = call_told (news->call),
                                        .provider_id = recipient->provider_id,
                                        .at = news->at};
    code = message_apps (t, &message, &event.apps);
    if (code)
        return code;
    event_about_t about = {.record = recipient->id,
                           .version = (uint64_t) recipient->version,
                           .org = recipient->org,
                           .app = message.app,
                           .test = message.test,
                           .subject = message.from};
    return event_add (t, &messaging_message_status_event, &about, &event);
}

int recipient_move (turn_t *t, messaging_recipient_t *recipient, const status_news_t *news)
{
    int32_t before = recipient->status;
    bool moves = schema_may_move (&messaging_recipient_machine, recipient->status, news->status);
    if (!id_is_nil (news->callback)) {
        messaging_receipt_note_t note = {
            .at = news->at, .status = news->status, .callback = news->callback, .ignored = !moves};
        list_push (t, &recipient->receipts, &note, sizeof note, RECEIPTS_KEPT);
    }
    int code = news->provider_id && !recipient->provider_id
                   ? provider_ids_note (t, recipient, &news->provider_id, 1)
                   : 0;
    if (code)
        return code;
    if (moves) {
        status_apply (t, recipient, news);
        recipient->version += 1;
        status_count (t, news->status);
    }
    code = store_put (t->txn, &messaging_recipient_record, recipient, NULL);
    if (code || !moves || status_told (recipient->status) == 0)
        return code;
    return status_event (t, recipient, before, news);
}
