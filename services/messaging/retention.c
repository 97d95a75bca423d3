/* retention.c - how long messaging keeps what, and how a message goes: with its recipients, their further ids at the carrier, and all index entries.
 *
 * What names a message that is gone finds nothing and says so: a quote goes out without it, a reaction fails, a late receipt is parked and dropped. Counts of apps stay:
 * they are of all time. A message that may still move is held: one of its recipients has a job to come. */
#include "messaging.h"

enum { RECIPIENTS_MOST = 1000, ALIASES_STEP = 32 };
static const int64_t hour_ms = 3600 * INT64_C (1000), window_ms = 24 * 3600 * INT64_C (1000);

/* ---- a message ---- */

typedef struct ids {
    id16_t *items;
    size_t count;
    bool moving; /* one of the recipients is not at its end */
} ids_t;

/* Each of these has a job that ends it. `sent` may stay for ever: not every carrier tells more. */
static bool is_moving (int32_t status)
{
    return status == MESSAGING_STATUS_QUEUED || status == MESSAGING_STATUS_SENDING ||
           status == MESSAGING_STATUS_UNKNOWN;
}

static int recipient_take (void *context, const void *row)
{
    ids_t *list = context;
    const messaging_recipient_t *recipient = row;
    list->moving = list->moving || is_moving (recipient->status);
    list->items[list->count++] = recipient->id;
    return 0;
}

static int alias_take (void *context, const void *row)
{
    ids_t *list = context;
    list->items[list->count++] = ((const messaging_provider_alias_t *) row)->id;
    return 0;
}

int recipient_remove (turn_t *t, id16_t recipient, unsigned *rows)
{
    ids_t list = {.items = arena_array_of (t->arena, id16_t, ALIASES_STEP)};
    store_key_t key = {.id = recipient};
    store_page_t page = {
        .index = "by_recipient", .keys = &key, .key_count = 1, .limit = ALIASES_STEP};
    bool more = true;
    int code = 0;
    while (more && code == 0) {
        list.count = 0;
        code = store_list (t->txn, &messaging_provider_alias_record, &page, t->arena, alias_take,
                           &list, &more);
        for (size_t i = 0; i < list.count && code == 0; i++)
            code = store_del (t->txn, &messaging_provider_alias_record, list.items[i]);
        *rows += (unsigned) list.count;
    }
    *rows += 1;
    return code ? code : store_del (t->txn, &messaging_recipient_record, recipient);
}

static int message_remove (turn_t *t, const void *row, unsigned *rows)
{
    const messaging_message_t *message = row;
    ids_t list = {.items = arena_array_of (t->arena, id16_t, RECIPIENTS_MOST)};
    store_key_t key = {.id = message->id};
    store_page_t page = {
        .index = "by_message", .keys = &key, .key_count = 1, .limit = RECIPIENTS_MOST};
    bool more = false;
    int code = store_list (t->txn, &messaging_recipient_record, &page, t->arena, recipient_take,
                           &list, &more);
    if (code == 0 && (list.moving || more))
        return E_CONFLICT;
    for (size_t i = 0; i < list.count && code == 0; i++)
        code = recipient_remove (t, list.items[i], rows);
    return code;
}

/* ---- callbacks, windows ---- */

/* Not acted on yet: a job tries again. (A parked one is older than its receipts are kept for.) */
static int callback_remove (turn_t *t, const void *row, unsigned *rows)
{
    (void) t, (void) rows;
    const messaging_callback_t *callback = row;
    return callback->state == MESSAGING_CALLBACK_STATE_STORED ? E_CONFLICT : 0;
}

static int window_remove (turn_t *t, const void *row, unsigned *rows)
{
    (void) rows;
    const messaging_window_t *window = row;
    return window->expires_at > t->now ? E_CONFLICT : 0;
}

/* ---- the table ---- */

/* A receipt that is parked needs its callback, and the message that it is for. */
static int64_t past_parking (const turn_t *t, int64_t keep)
{
    int64_t parking = ((const messaging_settings_t *) t->settings)->receipt_parking + hour_ms;
    return keep == 0 ? 0 : keep > parking ? keep : parking;
}

static int64_t message_keep (const turn_t *t)
{
    return past_parking (t, ((const messaging_settings_t *) t->settings)->message_retention);
}

static int64_t callback_keep (const turn_t *t)
{
    return past_parking (t, ((const messaging_settings_t *) t->settings)->callback_retention);
}

static int64_t window_keep (const turn_t *t)
{
    (void) t;
    return window_ms;
}

const svc_retention_t messaging_retentions[MESSAGING_RETENTIONS] = {
    {.kind = "messages",
     .record = &messaging_message_record,
     .keep = message_keep,
     .remove = message_remove},
    {.kind = "callbacks",
     .record = &messaging_callback_record,
     .keep = callback_keep,
     .remove = callback_remove},
    {.kind = "refusals", .record = &messaging_refusal_record, .keep = callback_keep},
    {.kind = "windows",
     .record = &messaging_window_record,
     .keep = window_keep,
     .remove = window_remove},
    {.kind = "receipts", .record = &messaging_parked_receipt_record, .step = receipts_expire},
    {.kind = "media", .record = &messaging_media_record, .step = media_expire},
};
