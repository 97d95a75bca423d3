/* told.c - a message as events tell it: everything that a dialect needs, under the names of its parts.
 *
 * Files get fresh links. A file that is not ours (the carrier did not give it) is left out: there is nothing to show. */
#include "gen/accounts.h"
#include "messaging.h"

static const messaging_window_told_t *window_told (turn_t *t, const messaging_message_t *message)
{
    if (id_is_nil (message->window_id))
        return NULL;
    messaging_window_told_t *told = arena_new_of (t->arena, messaging_window_told_t);
    *told = (messaging_window_told_t){
        .id = message->window_id, .expires_at = message->window_expires_at, .test = message->test};
    return told;
}

static const messaging_error_told_t *error_told (turn_t *t, const messaging_send_error_t *error)
{
    if (!error)
        return NULL;
    messaging_error_told_t *told = arena_new_of (t->arena, messaging_error_told_t);
    *told = (messaging_error_told_t){
        .code = error->code, .message = error->message, .provider = error->provider};
    return told;
}

static void recipient_told (turn_t *t, const messaging_recipient_t *recipient,
                            messaging_content_t *out)
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

/* ---- files ---- */

static const messaging_media_content_t *file_told (turn_t *t, const messaging_media_content_t *file,
                                                   messaging_content_t *out)
{
    if (file && id_is_nil (file->media) && file->link) {
        out->media_url = file->link; /* there is no file of ours to name */
        return NULL;
    }
    if (!file || id_is_nil (file->media))
        return NULL;
    messaging_media_content_t *told = arena_new_of (t->arena, messaging_media_content_t);
    *told = *file;
    told->url = media_link (t, file->media);
    out->media_id = file->media;
    out->media_url = told->url;
    return told;
}

static void media_told (turn_t *t, int32_t kind, const messaging_media_content_t *file,
                        messaging_content_t *out)
{
    const messaging_media_content_t *told = file_told (t, file, out);
    if (kind == MESSAGING_KIND_AUDIO)
        out->audio = told;
    else if (kind == MESSAGING_KIND_STICKER)
        out->sticker = told;
    else
        out->media = told;
}

/* Attachments of an MMS that came: a link to each, the first in front. */
static void attachments_told (turn_t *t, const schema_list_t *list, messaging_content_t *out)
{
    const messaging_media_content_t *files = list->items;
    const char **urls = arena_array_of (t->arena, const char *, list->count);
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++) {
        const char *url = id_is_nil (files[i].media) ? NULL : media_link (t, files[i].media);
        if (url && !count)
            out->media_id = files[i].media;
        if (url)
            urls[count++] = url;
    }
    out->media_urls = (schema_list_t){urls, count};
}

/* ---- the other parts ---- */

static const messaging_reply_told_t *reply_told (turn_t *t,
                                                 const messaging_interactive_reply_t *reply)
{
    if (!reply)
        return NULL;
    messaging_reply_told_t *told = arena_new_of (t->arena, messaging_reply_told_t);
    told->kind = reply->kind;
    if (reply->kind == MESSAGING_REPLY_KIND_BUTTON_REPLY)
        told->button_reply = reply;
    else if (reply->kind == MESSAGING_REPLY_KIND_LIST_REPLY)
        told->list_reply = reply;
    else
        told->nfm_reply = reply;
    return told;
}

static void body_told (turn_t *t, const messaging_message_t *message, messaging_content_t *out)
{
    const messaging_body_t *body = message->body;
    if (!body)
        return;
    media_told (t, message->kind, body->media, out);
    if (body->media_list.count)
        attachments_told (t, &body->media_list, out);
    out->location = body->location;
    out->contacts = body->contacts;
    out->reaction = body->reaction;
    out->template = body->template;
    out->interactive = body->interactive;
    out->interactive_reply = reply_told (t, body->interactive_reply);
    out->button = body->button;
    out->order = body->order;
    out->system = body->system;
    out->context = body->context;
    out->referral = body->referral;
    out->raw = body->raw;
}

const messaging_content_t *content_told (turn_t *t, const messaging_message_t *message,
                                         const messaging_recipient_t *recipient)
{
    messaging_content_t *out = arena_new_of (t->arena, messaging_content_t);
    *out = (messaging_content_t){
        .id = message->id,
        .channel = message->channel,
        .direction = message->direction,
        .kind = message->kind,
        .test = message->test,
        .from = message->from,
        .text = message->text,
        .subject = message->subject,
        .media_urls = message->media_urls,
        .received_at = message->received_at,
        .occurred_at = message->occurred_at,
        .source = message->source ? message->source : MESSAGING_SOURCE_CLOUD_API,
        .window = window_told (t, message),
        .historical = message->source == MESSAGING_SOURCE_HISTORY_IMPORT,
        .contact_name = message->contact_name,
    };
    if (message->to.count)
        out->to = ((const char *const *) message->to.items)[0];
    body_told (t, message, out);
    if (!out->media_url && out->media_urls.count)
        out->media_url = ((const char *const *) out->media_urls.items)[0];
    if (recipient)
        recipient_told (t, recipient, out);
    return out;
}
