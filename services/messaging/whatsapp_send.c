/* whatsapp_send.c - accept a WhatsApp message to one user. */
#include "gen/accounts.h"
#include "messaging.h"

static int any_row (void *context, const void *row)
{
    bool *found = context;
    *found = *found || !((const messaging_route_t *) row)->deleted;
    return 0;
}

/* Why the number is not this app's: it may have no WhatsApp at all. */
static int route_find (turn_t *t, const char *from, messaging_route_t *out)
{
    int code = sender_find (t, ACCOUNTS_CHANNEL_WHATSAPP, from, out);
    if (code != E_PHONE_NUMBER_NOT_ASSIGNED)
        return code;
    store_key_t keys[] = {{.id = t->ask->app}, {.num = ACCOUNTS_CHANNEL_WHATSAPP}};
    store_page_t page = {.index = "by_from", .keys = keys, .key_count = 2, .limit = 100};
    bool more = false;
    bool found = false;
    store_list (t->txn, &messaging_route_record, &page, t->arena, any_row, &found, &more);
    return found ? code
                 : fail (t, E_WHATSAPP_NOT_CONFIGURED, "from", "This app has no WhatsApp number");
}

/* Outside the window only templates go. Test apps: it counts as open but for one magic number. */
int window_check (turn_t *t, const messaging_whatsapp_send_in_t *in, messaging_message_t *message)
{
    messaging_window_t window = {0};
    int code = window_open (t, message->number, in->to, &window);
    if (code && code != E_NOT_FOUND)
        return code;
    if (code == 0) {
        message->window_id = window.id;
        message->window_expires_at = window.expires_at;
    }
    bool closed = message->carrier == ACCOUNTS_CARRIER_LOOPBACK
                      ? loopback_rule (true, in->to).magic == MAGIC_WINDOW_CLOSED
                      : code == E_NOT_FOUND;
    if (!closed || in->kind == MESSAGING_KIND_TEMPLATE ||
        in->window == MESSAGING_WINDOW_POLICY_LET_FAIL)
        return 0;
    return fail (t, E_CONVERSATION_WINDOW_EXPIRED, NULL,
                 "The recipient has not written within 24 hours; only a template may be sent");
}

int messaging_whatsapp_send (turn_t *t, const messaging_whatsapp_send_in_t *in,
                             messaging_whatsapp_send_out_t *out)
{
    messaging_route_t from = {0};
    int code = route_find (t, in->from, &from);
    if (code)
        return code;
    const char **to = arena_array_of (t->arena, const char *, 1);
    to[0] = in->to;
    messaging_message_t message = {.app = t->ask->app,
                                   .number = from.number_id,
                                   .carrier = from.carrier,
                                   .account = from.account,
                                   .number_ref = from.ref,
                                   .channel = ACCOUNTS_CHANNEL_WHATSAPP,
                                   .kind = in->kind,
                                   .from = in->from,
                                   .to = {to, 1},
                                   .window = in->window};
    code = content_check (t, &from, in, &message);
    if (code == 0)
        code = window_check (t, in, &message);
    if (code == 0)
        code = message_accept (t, &message, to, 1);
    if (code)
        return code;
    turn_count (t, MESSAGING_COUNTER_WHATSAPP_ACCEPTED_TOTAL, 1);
    *out = (messaging_whatsapp_send_out_t){.id = message.id,
                                           .test = message.test,
                                           .from = in->from,
                                           .to = in->to,
                                           .kind = in->kind,
                                           .status = MESSAGING_STATUS_QUEUED,
                                           .created_at = message.created_at};
    return 0;
}
