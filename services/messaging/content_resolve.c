/* content_resolve.c - a stored message with the carrier's own ids of what it names, as its adapter wants it.
 *
 * Names may get their ids late: a message reacted to went out in the same lane just before. What still has none then cannot be named at the carrier. */
#include "messaging.h"

id16_t content_media (const messaging_message_t *message)
{
    const messaging_body_t *body = message->body;
    if (!body || message->direction != MESSAGING_DIRECTION_OUTBOUND)
        return id_nil ();
    if (body->media)
        return body->media->media;
    return body->interactive && body->interactive->header ? body->interactive->header->media
                                                          : id_nil ();
}

static int named_resolve (turn_t *t, id16_t message, const char **provider_id)
{
    messaging_message_t target = {0};
    if (*provider_id || id_is_nil (message))
        return 0;
    int code = store_get_any (t->txn, &messaging_message_record, message, t->arena, &target);
    if (code == 0)
        code = provider_id_of (t, &target, provider_id);
    return code ? code : *provider_id ? 0 : E_NOT_FOUND;
}

static int reaction_resolve (turn_t *t, messaging_body_t *body)
{
    if (!body->reaction)
        return 0;
    messaging_reaction_content_t *reaction = arena_new_of (t->arena, messaging_reaction_content_t);
    *reaction = *body->reaction;
    body->reaction = reaction;
    return named_resolve (t, reaction->message, &reaction->provider_id);
}

static void file_resolve (turn_t *t, messaging_body_t *body, const char *media_id)
{
    if (!media_id)
        return;
    if (body->media) {
        messaging_media_content_t *file = arena_new_of (t->arena, messaging_media_content_t);
        *file = *body->media;
        file->provider_id = media_id;
        body->media = file;
    } else if (body->interactive && body->interactive->header) {
        messaging_interactive_content_t *content =
            arena_new_of (t->arena, messaging_interactive_content_t);
        messaging_interactive_header_t *header =
            arena_new_of (t->arena, messaging_interactive_header_t);
        *content = *body->interactive;
        *header = *body->interactive->header;
        header->provider_id = media_id;
        content->header = header;
        body->interactive = content;
    }
}

int content_resolve (turn_t *t, const messaging_message_t *message, const char *media_id,
                     provider_message_t *out)
{
    if (!message->body)
        return 0;
    messaging_body_t *body = arena_new_of (t->arena, messaging_body_t);
    *body = *message->body;
    out->body = body;
    file_resolve (t, body, media_id);
    if (body->context) {
        /* A quote without an id there is left out, as WhatsApp leaves out one of a message that is gone. */
        out->reply_to = body->context->provider_id;
        int code = named_resolve (t, body->context->message, &out->reply_to);
        if (code && code != E_NOT_FOUND)
            return code;
    }
    return reaction_resolve (t, body);
}
