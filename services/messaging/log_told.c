/* log_told.c - a message as a log shows it: flat, with the state of each recipient. */
#include "gen/accounts.h"
#include "messaging.h"

enum { RECIPIENTS_EACH = 100 };

static int64_t latest (int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t earliest (int64_t a, int64_t b)
{
    return !a || (b && b < a) ? b : a;
}

/* ---- recipients ---- */

typedef struct telling {
    turn_t *t;
    const messaging_message_t *message;
    messaging_log_message_t *out;
    messaging_log_recipient_t *items;
    size_t count;
    size_t final; /* that stay as they are */
} telling_t;

static int32_t status_shown (int32_t status)
{
    switch (status) {
    case MESSAGING_STATUS_SENDING:
    case MESSAGING_STATUS_UNKNOWN:
        return MESSAGING_LOG_STATUS_SENDING;
    case MESSAGING_STATUS_SENT:
        return MESSAGING_LOG_STATUS_SENT;
    case MESSAGING_STATUS_DELIVERED:
        return MESSAGING_LOG_STATUS_DELIVERED;
    case MESSAGING_STATUS_READ:
        return MESSAGING_LOG_STATUS_READ;
    case MESSAGING_STATUS_FAILED:
    case MESSAGING_STATUS_UNCONFIRMED:
        return MESSAGING_LOG_STATUS_FAILED;
    default:
        return MESSAGING_LOG_STATUS_QUEUED;
    }
}

static void error_show (const messaging_send_error_t *error, messaging_log_recipient_t *shown,
                        messaging_log_message_t *out)
{
    const messaging_provider_error_t *provider = error->provider;
    shown->error_code =
        provider && provider->code ? provider->code : error_name ((int) error->code);
    shown->error_message = error->message;
    if (out->error_code)
        return;
    out->error_code = shown->error_code;
    out->error_message = error->message;
    out->error_title = provider ? provider->message : NULL;
}

static int recipient_show (void *context, const void *row)
{
    telling_t *self = context;
    const messaging_recipient_t *recipient = row;
    messaging_log_message_t *out = self->out;
    messaging_log_recipient_t *shown = &self->items[self->count++];
    int64_t moved = latest (latest (recipient->sent_at, recipient->delivered_at),
                            latest (recipient->read_at, recipient->failed_at));
    *shown = (messaging_log_recipient_t){
        .id = recipient->id,
        .test = self->message->test,
        .number = recipient->to,
        .status = status_shown (recipient->status),
        .queued_at = self->message->created_at,
        .sent_at = recipient->sent_at,
        .delivered_at = recipient->delivered_at,
        .read_at = recipient->read_at,
        .failed_at = recipient->failed_at,
        .created_at = self->message->created_at,
        .updated_at = latest (self->message->created_at, moved),
    };
    if (recipient->error)
        error_show (recipient->error, shown, out);
    if (recipient->delivered_at || recipient->failed_at)
        self->final++;
    out->sent_at = earliest (out->sent_at, recipient->sent_at);
    out->delivered_at = earliest (out->delivered_at, recipient->delivered_at);
    out->read_at = earliest (out->read_at, recipient->read_at);
    out->failed_at = earliest (out->failed_at, recipient->failed_at);
    out->completed_at =
        latest (out->completed_at, latest (recipient->delivered_at, recipient->failed_at));
    out->updated_at = latest (out->updated_at, shown->updated_at);
    return 0;
}

static int recipients_show (telling_t *self)
{
    store_key_t key = {.id = self->message->id};
    store_page_t page = {
        .index = "by_message", .keys = &key, .key_count = 1, .limit = RECIPIENTS_EACH};
    self->items = arena_array_of (self->t->arena, messaging_log_recipient_t, RECIPIENTS_EACH);
    int code = store_list (self->t->txn, &messaging_recipient_record, &page, self->t->arena,
                           recipient_show, self, NULL);
    if (self->final < self->count)
        self->out->completed_at = 0;
    return code;
}

/* Who got an inbound message: we did. */
static int ours_show (telling_t *self)
{
    const messaging_message_t *message = self->message;
    self->items = arena_new_of (self->t->arena, messaging_log_recipient_t);
    self->items[self->count++] = (messaging_log_recipient_t){
        .id = message->id,
        .test = message->test,
        .number = self->out->number,
        .status = message->read_at ? MESSAGING_LOG_STATUS_READ : MESSAGING_LOG_STATUS_RECEIVED,
        .delivered_at = message->received_at,
        .read_at = message->read_at,
        .created_at = message->created_at,
        .updated_at = latest (message->created_at, message->read_at),
    };
    if (message->channel == ACCOUNTS_CHANNEL_SMS)
        self->items->status = MESSAGING_LOG_STATUS_RECEIVED;
    self->out->delivered_at = message->received_at;
    self->out->read_at = message->read_at;
    self->out->completed_at = message->received_at;
    self->out->updated_at = self->items->updated_at;
    return 0;
}

/* ---- content ---- */

static void file_show (turn_t *t, int32_t kind, const messaging_media_content_t *file,
                       messaging_log_message_t *out)
{
    if (!file)
        return;
    out->media_url = id_is_nil (file->media) ? file->link : media_link (t, file->media);
    out->media_mime_type = file->mime_type;
    out->media_filename = file->filename;
    out->media_caption = file->caption;
    out->media_file_size = file->size;
    out->media_sha256 = file->sha256;
    out->voice = file->voice;
    out->animated = file->animated;
    if (kind == MESSAGING_KIND_AUDIO)
        out->has |= MESSAGING_LOG_MESSAGE_HAS_VOICE; /* no says something */
    if (kind == MESSAGING_KIND_STICKER)
        out->has |= MESSAGING_LOG_MESSAGE_HAS_ANIMATED;
}

static void place_show (turn_t *t, const messaging_location_content_t *place,
                        messaging_log_message_t *out)
{
    if (!place)
        return;
    out->latitude = arena_printf (t->arena, "%.15g", place->latitude);
    out->longitude = arena_printf (t->arena, "%.15g", place->longitude);
    out->location_name = place->name;
    out->location_address = place->address;
}

static void reply_show (const messaging_body_t *body, messaging_log_message_t *out)
{
    if (body->button) {
        out->button_text = body->button->text;
        out->button_payload = body->button->payload;
    } else if (body->interactive_reply) {
        out->button_text = body->interactive_reply->title;
        out->button_payload = body->interactive_reply->id;
    }
    if (!body->context)
        return;
    out->forwarded = body->context->forwarded;
    out->frequently_forwarded = body->context->frequently_forwarded;
    out->has |=
        MESSAGING_LOG_MESSAGE_HAS_FORWARDED | MESSAGING_LOG_MESSAGE_HAS_FREQUENTLY_FORWARDED;
}

static void referral_show (turn_t *t, const messaging_referral_content_t *from,
                           messaging_log_message_t *out)
{
    if (!from)
        return;
    messaging_log_referral_t *shown = arena_new_of (t->arena, messaging_log_referral_t);
    *shown = (messaging_log_referral_t){
        .id = out->id,
        .test = out->test,
        .source_url = from->source_url,
        .source_type = from->source_type,
        .source_id = from->source_id,
        .headline = from->headline,
        .body = from->body,
        .media_type = from->media_type,
        .image_url = from->image_url,
        .video_url = from->video_url,
        .thumbnail_url = from->thumbnail_url,
        .ctwa_clid = from->ctwa_clid,
    };
    out->referral = shown;
    out->has_referral = true;
}

static void body_show (turn_t *t, const messaging_message_t *message, messaging_log_message_t *out)
{
    const messaging_body_t *body = message->body;
    out->has |= MESSAGING_LOG_MESSAGE_HAS_HAS_REFERRAL;
    if (!body)
        return;
    file_show (t, message->kind, body->media, out);
    place_show (t, body->location, out);
    if (body->reaction) {
        out->reaction_emoji = body->reaction->emoji;
        out->reaction_message = body->reaction->message;
    }
    if (body->interactive && !out->text)
        out->text = body->interactive->body;
    reply_show (body, out);
    referral_show (t, body->referral, out);
}

int log_told (turn_t *t, const messaging_message_t *message, messaging_log_message_t *out,
              size_t *recipients)
{
    bool inbound = message->direction == MESSAGING_DIRECTION_INBOUND;
    const char *to = message->to.count ? ((const char *const *) message->to.items)[0] : "";
    *out = (messaging_log_message_t){
        .id = message->id,
        .test = message->test,
        .app = message->log_app,
        .channel = message->channel,
        .number_id = message->number,
        .number = inbound ? to : message->from,
        .from = message->from,
        .to = to,
        .kind = message->kind,
        .direction = message->direction,
        .text = message->text,
        .subject = message->subject,
        .contact_name = message->contact_name,
        .reply_to = message->reply_to,
        .received_at = message->received_at,
        .queued_at = inbound ? 0 : message->created_at,
        .created_at = message->created_at,
        .updated_at = message->created_at,
        .transport =
            message->kind == MESSAGING_KIND_MMS ? MESSAGING_TRANSPORT_MMS : MESSAGING_TRANSPORT_SMS,
    };
    telling_t telling = {.t = t, .message = message, .out = out};
    body_show (t, message, out);
    int code = inbound ? ours_show (&telling) : recipients_show (&telling);
    out->recipients = (schema_list_t){telling.items, telling.count};
    *recipients += telling.count;
    return code;
}
