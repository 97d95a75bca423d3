/* message.c - an outbound message comes to life: its row, a row and a send job per recipient, one event. */
#include "messaging.h"
#include "gen/accounts.h"

static int recipient_add (turn_t *t, const messaging_message_t *message, const char *to)
{
    messaging_recipient_t recipient = { .id = turn_id (t), .org = message->org, .message = message->id, .to = to,
                                        .status = MESSAGING_STATUS_QUEUED, .carrier = message->carrier, .version = 1 };
    int code = store_insert (t->txn, &messaging_recipient_record, &recipient, NULL);
    return code ? code : send_job_add (t, message, &recipient);
}

static int accepted_event (turn_t *t, const messaging_message_t *message)
{
    messaging_message_accepted_t event = { .message = content_told (t, message, NULL), .recipients = message->to };
    int code = app_told (t, message->app, &event.apps);
    if (code)
        return code;
    event_about_t about = { .record = message->id, .version = 1, .org = message->org, .app = message->app,
                            .test = message->test, .subject = message->from };
    return event_add (t, &messaging_message_accepted_event, &about, &event);
}

int message_accept (turn_t *t, messaging_message_t *message, const char *const *to, size_t count)
{
    message->id = turn_id (t);
    message->org = t->ask->org;
    message->app = t->ask->app;
    message->test = t->ask->test;
    message->direction = MESSAGING_DIRECTION_OUTBOUND;
    message->created_at = t->now;
    message->occurred_at = t->now;
    message->request_id = t->ask->request_id;
    message->trace = t->ask->trace;
    int code = store_insert (t->txn, &messaging_message_record, message, NULL);
    for (size_t i = 0; i < count && code == 0; i++)
        code = recipient_add (t, message, to[i]);
    if (code == 0)
        code = accepted_event (t, message);
    return code ? fail (t, code, NULL, "The message could not be stored") : 0;
}

static const messaging_window_told_t *window_told (turn_t *t, const messaging_message_t *message)
{
    if (id_is_nil (message->window_id))
        return NULL;
    messaging_window_told_t *told = arena_new_of (t->arena, messaging_window_told_t);
    *told = (messaging_window_told_t) { .id = message->window_id, .expires_at = message->window_expires_at, .test = message->test };
    return told;
}

static const messaging_error_told_t *error_told (turn_t *t, const messaging_send_error_t *error)
{
    if (!error)
        return NULL;
    messaging_error_told_t *told = arena_new_of (t->arena, messaging_error_told_t);
    *told = (messaging_error_told_t) { .code = error->code, .message = error->message, .provider = error->provider };
    return told;
}

static void recipient_told (turn_t *t, const messaging_recipient_t *recipient, messaging_content_t *out)
{
    out->to = recipient->to;
    out->recipient_id = recipient->id;
    out->sent_at = recipient->sent_at;
    out->delivered_at = recipient->delivered_at;
    out->read_at = recipient->read_at;
    out->failed_at = recipient->failed_at;
    out->completed_at = recipient->failed_at ? recipient->failed_at : recipient->delivered_at;
    out->error = error_told (t, recipient->error);
}

const messaging_content_t *content_told (turn_t *t, const messaging_message_t *message, const messaging_recipient_t *recipient)
{
    messaging_content_t *out = arena_new_of (t->arena, messaging_content_t);
    *out = (messaging_content_t) {
        .id = message->id, .channel = message->channel, .direction = message->direction, .kind = message->kind,
        .test = message->test, .from = message->from, .text = message->text, .subject = message->subject,
        .media_urls = message->media_urls, .received_at = message->received_at, .occurred_at = message->occurred_at,
        .source = MESSAGING_SOURCE_CLOUD_API, .window = window_told (t, message),
    };
    if (message->to.count)
        out->to = ((const char *const *) message->to.items)[0];
    if (message->media_urls.count)
        out->media_url = ((const char *const *) message->media_urls.items)[0];
    if (recipient)
        recipient_told (t, recipient, out);
    return out;
}
