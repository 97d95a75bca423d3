/* inbound.c - a person wrote to one of our numbers.
 *
 * Stored once, known by the carrier's id. What it names by carriers' ids (the message quoted, the one reacted to) gets ours. Its event goes out when its
 * files are here; a message without files is told at once. */
#include "gen/accounts.h"
#include "messaging.h"

static int received_tell (turn_t *t, const messaging_message_t *message, bytes_t call, bool created)
{
    messaging_message_received_t event = {.message = content_told (t, message, NULL),
                                          .thread = thread_told (t, message, created),
                                          .call = call_told (call),
                                          .provider_id = message->provider_id};
    int code = apps_of_number (t, message->number, &event.apps);
    if (code)
        return code;
    event_about_t about = {.record = message->id,
                           .version = 1,
                           .org = message->org,
                           .test = message->test,
                           .subject = ((const char *const *) message->to.items)[0]};
    turn_count (t, MESSAGING_COUNTER_INBOUND_TOTAL, 1);
    code = app_count_received (t, message->org, &event.apps);
    return code ? code : event_add (t, &messaging_message_received_event, &about, &event);
}

int inbound_tell (turn_t *t, messaging_message_t *message)
{
    messaging_callback_t call = {0};
    int code = thread_enter_late (t, message);
    if (code == 0 && message->called_alone)
        code =
            store_get_any (t->txn, &messaging_callback_record, message->callback, t->arena, &call);
    if (code && code != E_NOT_FOUND)
        return code;
    return received_tell (t, message, call.body, false);
}

/* Only what a person writes now opens a window: no notices of the carrier, nothing out of an old phone's history. */
static bool opens_window (const messaging_message_t *message)
{
    return message->channel == ACCOUNTS_CHANNEL_WHATSAPP &&
           message->kind != MESSAGING_KIND_SYSTEM &&
           (message->source == 0 || message->source == MESSAGING_SOURCE_CLOUD_API);
}

static int window_note (turn_t *t, messaging_message_t *message)
{
    messaging_window_t window = {0};
    int code = opens_window (message) ? window_renew (t, message->org, message->number,
                                                      message->from, message->occurred_at, &window)
                                      : 0;
    message->window_id = window.id;
    message->window_expires_at = window.expires_at;
    return code;
}

/* ---- ids of carriers to ours ---- */

static int context_resolve (turn_t *t, const messaging_message_t *message, messaging_body_t *body)
{
    if (!body->context)
        return 0;
    messaging_context_content_t *context = arena_new_of (t->arena, messaging_context_content_t);
    *context = *body->context;
    context->test = message->test;
    body->context = context;
    return message_of_provider_id (t, message->carrier, message->org, message->number,
                                   context->provider_id, &context->message);
}

static int reaction_resolve (turn_t *t, const messaging_message_t *message, messaging_body_t *body)
{
    if (!body->reaction)
        return 0;
    messaging_reaction_content_t *reaction = arena_new_of (t->arena, messaging_reaction_content_t);
    *reaction = *body->reaction;
    reaction->test = message->test;
    body->reaction = reaction;
    return message_of_provider_id (t, message->carrier, message->org, message->number,
                                   reaction->provider_id, &reaction->message);
}

static int body_resolve (turn_t *t, messaging_message_t *message, const messaging_body_t *told)
{
    if (!told)
        return 0;
    messaging_body_t *body = arena_new_of (t->arena, messaging_body_t);
    *body = *told;
    message->body = body;
    int code = context_resolve (t, message, body);
    if (code == 0)
        code = reaction_resolve (t, message, body);
    if (body->context)
        message->reply_to = body->context->message;
    return code;
}

/* ---- taking it ---- */

static int is_known (turn_t *t, int32_t carrier, const provider_event_t *event)
{
    messaging_message_t old = {0};
    store_key_t keys[] = {{.num = carrier}, {.id = event->number}, {.str = event->provider_id}};
    int code = event->provider_id ? store_find (t->txn, &messaging_message_record, "by_provider_id",
                                                keys, 3, t->arena, &old)
                                  : E_NOT_FOUND;
    return code == 0 ? E_ALREADY_EXISTS : code == E_NOT_FOUND ? 0 : code;
}

static int message_make (turn_t *t, int32_t carrier, const provider_event_t *event,
                         messaging_message_t *out)
{
    messaging_route_t route = {0};
    int code =
        carrier == ACCOUNTS_CARRIER_LOOPBACK ? 0 : route_of_number (t, event->number, &route);
    if (code && code != E_NOT_FOUND)
        return code;
    const char **to = arena_array_of (t->arena, const char *, 1);
    to[0] = event->to;
    *out = (messaging_message_t){
        .id = turn_id (t),
        .org = event->org,
        .number = event->number,
        .channel = event->whatsapp ? ACCOUNTS_CHANNEL_WHATSAPP : ACCOUNTS_CHANNEL_SMS,
        .direction = MESSAGING_DIRECTION_INBOUND,
        .kind = event->kind       ? event->kind
                : event->whatsapp ? MESSAGING_KIND_TEXT
                                  : MESSAGING_KIND_SMS,
        .test = carrier == ACCOUNTS_CARRIER_LOOPBACK,
        .from = event->from,
        .to = {to, 1},
        .text = event->text,
        .subject = event->subject,
        .created_at = t->now,
        .received_at = t->now,
        .occurred_at = event->at ? event->at : t->now,
        .carrier = carrier,
        .account = route.account,
        .number_ref = route.ref,
        .provider_id = event->provider_id,
        .contact_name = event->contact_name,
        .source = event->source,
    };
    return body_resolve (t, out, event->body);
}

/* An inbound message is nobody's; the log shows it with the app that has held its number longest. */
static int log_app_note (turn_t *t, messaging_message_t *message)
{
    schema_list_t apps = {0};
    int code = apps_of_number (t, message->number, &apps);
    if (code == 0 && apps.count)
        message->log_app = ((const messaging_app_ref_t *) apps.items)[0].id;
    return code;
}

static int files_or_tell (turn_t *t, messaging_message_t *message, const inbound_call_t *call,
                          bool created)
{
    bool later = false;
    int code = media_inbound (t, message, &later);
    bytes_t body = message->called_alone ? call->body : (bytes_t){0};
    return code || later ? code : received_tell (t, message, body, created);
}

int inbound_take (turn_t *t, int32_t carrier, const provider_event_t *event,
                  const inbound_call_t *call)
{
    bool created = false;
    messaging_message_t *message = arena_new_of (t->arena, messaging_message_t);
    int code = is_known (t, carrier, event);
    if (code)
        return code == E_ALREADY_EXISTS ? 0 : code;
    if (!event->from || !event->to)
        return fail (t, E_BAD_REQUEST, NULL, "A message without sender or recipient");
    code = message_make (t, carrier, event, message);
    message->callback = call->id;
    message->called_alone = event->alone;
    if (code == 0)
        code = thread_enter (t, message, &created);
    if (code == 0)
        code = window_note (t, message);
    if (code == 0)
        code = keyword_take (t, message, &message->keyword);
    if (code == 0)
        code = log_app_note (t, message);
    if (code == 0)
        code = store_insert (t->txn, &messaging_message_record, message, NULL);
    return code ? code : files_or_tell (t, message, call, created);
}
