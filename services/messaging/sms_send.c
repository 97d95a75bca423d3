/* sms_send.c - accept an SMS or MMS to one or more recipients. */
#include "gen/accounts.h"
#include "messaging.h"

enum { SEGMENTS_MAX = 10 };

/* Which of SMS and MMS it is; `sms` with media is refused. */
static int transport_choose (turn_t *t, const messaging_sms_send_in_t *in, int32_t *kind)
{
    bool has_media = in->media_urls.count > 0;
    if (in->transport == MESSAGING_TRANSPORT_SMS && has_media)
        return fail (t, E_UNSUPPORTED_MESSAGE_TYPE, "transport",
                     "An SMS carries no media; use mms or automatic");
    *kind = has_media || in->transport == MESSAGING_TRANSPORT_MMS ? MESSAGING_KIND_MMS
                                                                  : MESSAGING_KIND_SMS;
    if (!has_media && (!in->text || !*in->text))
        return fail (t, E_BAD_REQUEST, "text", "text is empty and there are no mediaUrls");
    return 0;
}

static int segments_check (turn_t *t, messaging_message_t *message)
{
    if (message->kind == MESSAGING_KIND_MMS || !message->text)
        return 0;
    message->segments = (int64_t) text_segments (message->text, &message->encoding);
    if (message->segments > SEGMENTS_MAX)
        return fail (t, E_BAD_REQUEST, "text", "text takes %d segments; the most is %d",
                     (int) message->segments, SEGMENTS_MAX);
    return 0;
}

static void sms_answer (const messaging_message_t *message, messaging_sms_send_out_t *out)
{
    *out = (messaging_sms_send_out_t){
        .id = message->id,
        .test = message->test,
        .from = message->from,
        .to = message->to,
        .text = message->text,
        .subject = message->subject,
        .media_urls = message->media_urls,
        .kind = message->kind,
        .transport = message->transport,
        .direction = MESSAGING_DIRECTION_OUTBOUND,
        .status = MESSAGING_STATUS_QUEUED,
        .created_at = message->created_at,
        .segments = message->segments,
    };
}

int messaging_sms_send (turn_t *t, const messaging_sms_send_in_t *in, messaging_sms_send_out_t *out)
{
    messaging_route_t from = {0};
    int32_t kind = 0;
    int code = sender_find (t, ACCOUNTS_CHANNEL_SMS, in->from, &from);
    if (code == 0)
        code = transport_choose (t, in, &kind);
    if (code)
        return code;
    messaging_message_t message = {
        .number = from.number_id,
        .carrier = from.carrier,
        .account = from.account,
        .number_ref = from.ref,
        .channel = ACCOUNTS_CHANNEL_SMS,
        .kind = kind,
        .from = in->from,
        .to = in->to,
        .text = in->text,
        .subject = in->subject,
        .media_urls = in->media_urls,
        .transport = kind == MESSAGING_KIND_MMS ? MESSAGING_TRANSPORT_MMS : MESSAGING_TRANSPORT_SMS,
    };
    code = segments_check (t, &message);
    if (code == 0)
        code = message_accept (t, &message, in->to.items, in->to.count);
    if (code)
        return code;
    turn_count (t, MESSAGING_COUNTER_SMS_ACCEPTED_TOTAL, 1);
    sms_answer (&message, out);
    return 0;
}
