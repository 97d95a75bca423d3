/* message_info.c - a WhatsApp message as callers see it that belong to an organization: one status, one file, one reason. */
#include "gen/accounts.h"
#include "messaging.h"
#include <stdlib.h>

int32_t status_shown_of (int32_t status)
{
    switch (status) {
    case MESSAGING_STATUS_SENT:
        return MESSAGING_SHOWN_STATUS_SENT;
    case MESSAGING_STATUS_DELIVERED:
        return MESSAGING_SHOWN_STATUS_DELIVERED;
    case MESSAGING_STATUS_READ:
        return MESSAGING_SHOWN_STATUS_READ;
    case MESSAGING_STATUS_FAILED:
    case MESSAGING_STATUS_UNCONFIRMED:
        return MESSAGING_SHOWN_STATUS_FAILED;
    default:
        return MESSAGING_SHOWN_STATUS_PENDING;
    }
}

static const messaging_failure_told_t *failure_told (turn_t *t, const messaging_send_error_t *error)
{
    const messaging_provider_error_t *provider = error->provider;
    messaging_failure_told_t *told = arena_new_of (t->arena, messaging_failure_told_t);
    told->reason = provider_reason (provider ? provider->code : NULL);
    told->message = error->message;
    told->number = provider && provider->code ? strtol (provider->code, NULL, 10) : 0;
    return told;
}

static int recipient_take (void *context, const void *row)
{
    *(messaging_recipient_t *) context = *(const messaging_recipient_t *) row;
    return 0;
}

static int outbound_state (turn_t *t, const messaging_message_t *message,
                           messaging_message_info_t *out)
{
    messaging_recipient_t recipient = {0};
    store_key_t key = {.id = message->id};
    store_page_t page = {.index = "by_message", .keys = &key, .key_count = 1, .limit = 1};
    int code = store_list (t->txn, &messaging_recipient_record, &page, t->arena, recipient_take,
                           &recipient, NULL);
    out->status = status_shown_of (recipient.status);
    out->provider_id = recipient.provider_id;
    if (recipient.error && out->status == MESSAGING_SHOWN_STATUS_FAILED)
        out->error = failure_told (t, recipient.error);
    return code;
}

static void content_show (turn_t *t, const messaging_message_t *message,
                          messaging_message_info_t *out)
{
    const messaging_body_t *body = message->body;
    out->text = message_text (message);
    if (!body || !body->media)
        return;
    out->media_url =
        id_is_nil (body->media->media) ? body->media->link : media_link (t, body->media->media);
}

int message_info (turn_t *t, const messaging_message_t *message, messaging_message_info_t *out)
{
    bool inbound = message->direction == MESSAGING_DIRECTION_INBOUND;
    *out = (messaging_message_info_t){.id = message->id,
                                      .conversation = message->conversation,
                                      .to = inbound ? NULL : message_peer (message),
                                      .direction = message->direction,
                                      .kind = message->kind,
                                      .created_at = message->created_at};
    content_show (t, message, out);
    if (!inbound)
        return outbound_state (t, message, out);
    out->provider_id = message->provider_id;
    out->status = message->read_at ? MESSAGING_SHOWN_STATUS_READ : MESSAGING_SHOWN_STATUS_PENDING;
    return 0;
}

int message_of_number (turn_t *t, id16_t id, id16_t number, messaging_message_t *out)
{
    int code = store_get (t->txn, &messaging_message_record, t->ask->org, id, t->arena, out);
    if (code == 0 && (!id_equal (out->number, number) || out->channel != ACCOUNTS_CHANNEL_WHATSAPP))
        code = E_NOT_FOUND;
    return code == E_NOT_FOUND ? fail (t, code, "id", "There is no such message") : code;
}

/* ---- the ops that show one ---- */

int messaging_thread_message_get (turn_t *t, const messaging_thread_message_ref_t *in,
                                  messaging_message_info_t *out)
{
    messaging_number_t number = {0};
    messaging_message_t message = {0};
    int code = number_of_ref (t, in->number_ref, &number);
    if (code == 0)
        code = message_of_number (t, in->id, number.id, &message);
    return code ? code : message_info (t, &message, out);
}

int messaging_thread_media (turn_t *t, const messaging_thread_message_ref_t *in,
                            messaging_thread_media_out_t *out)
{
    messaging_message_info_t info = {0};
    int code = messaging_thread_message_get (t, in, &info);
    if (code == 0 && !info.media_url)
        return fail (t, E_NOT_FOUND, "id", "The message has no file, or it is not here yet");
    out->url = info.media_url;
    return code;
}
