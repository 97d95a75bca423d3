/* inbound.c - a person wrote to one of our numbers. */
#include "messaging.h"
#include "gen/accounts.h"

static int received_event (turn_t *t, const messaging_message_t *message, const schema_list_t *apps)
{
    messaging_message_received_t event = { .message = content_told (t, message, NULL), .apps = *apps };
    event_about_t about = { .record = message->id, .version = 1, .org = message->org, .test = message->test,
                            .subject = ((const char *const *) message->to.items)[0] };
    turn_count (t, MESSAGING_COUNTER_INBOUND_TOTAL, 1);
    return event_add (t, &messaging_message_received_event, &about, &event);
}

static int window_note (turn_t *t, messaging_message_t *message, int64_t at)
{
    messaging_window_t window = { 0 };
    int code = window_renew (t, message->org, message->number, message->from, at, &window);
    message->window_id = window.id;
    message->window_expires_at = window.expires_at;
    return code;
}

int inbound_take (turn_t *t, int32_t carrier, const provider_event_t *event)
{
    schema_list_t apps = { 0 };
    int code = apps_of_number (t, event->number, &apps);
    if (code)
        return code;
    const char **to = arena_array_of (t->arena, const char *, 1);
    to[0] = event->to;
    messaging_message_t message = {
        .id = turn_id (t), .org = event->org, .number = event->number,
        .channel = event->whatsapp ? ACCOUNTS_CHANNEL_WHATSAPP : ACCOUNTS_CHANNEL_SMS,
        .direction = MESSAGING_DIRECTION_INBOUND, .kind = event->whatsapp ? MESSAGING_KIND_TEXT : MESSAGING_KIND_SMS,
        .test = carrier == ACCOUNTS_CARRIER_LOOPBACK, .from = event->from, .to = { to, 1 }, .text = event->text,
        .subject = event->subject, .created_at = t->now, .received_at = t->now, .occurred_at = event->at,
        .carrier = carrier, .provider_id = event->provider_id,
    };
    code = event->whatsapp ? window_note (t, &message, event->at) : 0;
    if (code == 0)
        code = store_insert (t->txn, &messaging_message_record, &message, NULL);
    if (code == E_ALREADY_EXISTS)
        return 0; /* the carrier told it before */
    return code ? code : received_event (t, &message, &apps);
}
