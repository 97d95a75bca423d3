/* content_check.c - what a WhatsApp message of each kind must hold, before anything of it is stored.
 *
 * A table by kind. A check puts what it found right into the message's body; fields that belong to other kinds are not looked at. It fails with the
 * field as the operation names it. */
#include "base/text.h"
#include "messaging.h"
#include <math.h>
#include <string.h>

enum { TEXT_MAX = 4096, CAPTION_MAX = 1024, CONTACTS_MAX = 257 };

typedef struct content {
    const messaging_route_t *from;
    const messaging_whatsapp_send_in_t *in;
    messaging_message_t *message;
    messaging_body_t *body;
} content_t;

static size_t points (const char *text)
{
    return text ? text_code_points (text, strlen (text)) : 0;
}

static int text_check (turn_t *t, content_t *self)
{
    const char *text = self->in->text;
    if (!text || !*text)
        return fail (t, E_BAD_REQUEST, "text", "text is empty");
    if (points (text) > TEXT_MAX)
        return fail (t, E_BAD_REQUEST, "text", "text has over %d characters", TEXT_MAX);
    self->message->text = text;
    self->body->preview_url = self->in->preview_url;
    return 0;
}

/* ---- files ---- */

/* A name to show, not a path. */
static bool is_plain_name (const char *name)
{
    for (const char *at = name; *at; at++)
        if ((unsigned char) *at < ' ' || *at == 0x7F || *at == '/' || *at == '\\')
            return false;
    return *name && strcmp (name, ".") != 0 && strcmp (name, "..") != 0;
}

static int file_check (turn_t *t, content_t *self, const messaging_media_content_t *given,
                       const char *field)
{
    messaging_media_content_t *file = arena_new_of (t->arena, messaging_media_content_t);
    if (given && id_is_nil (given->media) && (given->link || given->provider_id)) {
        *file = *given; /* the carrier has it, or fetches it */
        self->body->media = file;
        return 0;
    }
    if (!given || id_is_nil (given->media))
        return fail (t, E_BAD_REQUEST, field, "mediaId is missing");
    int code = media_find (t, self->message->app, given->media, self->in->kind, file);
    if (code)
        return fail (t, code, field, "%s", t->failure.text);
    file->url = NULL; /* links are made when they are shown */
    file->caption = given->caption;
    if (given->filename)
        file->filename = given->filename;
    self->body->media = file;
    return 0;
}

static int media_check (turn_t *t, content_t *self)
{
    const messaging_media_content_t *given = self->in->media;
    if (given && given->caption && self->in->kind == MESSAGING_KIND_AUDIO)
        return fail (t, E_BAD_REQUEST, "media.caption", "Audio takes no caption");
    if (given && points (given->caption) > CAPTION_MAX)
        return fail (t, E_BAD_REQUEST, "media.caption", "The caption has over %d characters",
                     CAPTION_MAX);
    if (given && given->filename && self->in->kind != MESSAGING_KIND_DOCUMENT)
        return fail (t, E_BAD_REQUEST, "media.filename", "Only documents have a filename");
    if (given && given->filename && !is_plain_name (given->filename))
        return fail (t, E_BAD_REQUEST, "media.filename",
                     "The filename must be a name without a path");
    return file_check (t, self, given, "media.mediaId");
}

static int sticker_check (turn_t *t, content_t *self)
{
    messaging_media_content_t plain = {.media = self->in->sticker ? self->in->sticker->media
                                                                  : id_nil ()};
    return file_check (t, self, &plain, "sticker.mediaId");
}

/* ---- location, contacts ---- */

static int location_check (turn_t *t, content_t *self)
{
    const messaging_location_content_t *place = self->in->location;
    if (!place)
        return fail (t, E_BAD_REQUEST, "location", "location is missing");
    if (!isfinite (place->latitude) || place->latitude < -90 || place->latitude > 90)
        return fail (t, E_BAD_REQUEST, "location.latitude", "latitude must be from -90 to 90");
    if (!isfinite (place->longitude) || place->longitude < -180 || place->longitude > 180)
        return fail (t, E_BAD_REQUEST, "location.longitude", "longitude must be from -180 to 180");
    self->body->location = place;
    return 0;
}

static bool is_given (const char *text)
{
    return text && *text;
}

/* WhatsApp wants one more part of a name than the formatted one. */
static int card_check (turn_t *t, messaging_contact_card_t *card, size_t nth)
{
    const messaging_contact_name_t *name = card->name;
    if (!name || !is_given (name->formatted_name))
        return fail (t, E_BAD_REQUEST,
                     arena_printf (t->arena, "contacts[%zu].name.formattedName", nth),
                     "A contact needs a formatted name");
    if (is_given (name->first_name) || is_given (name->last_name) || is_given (name->middle_name) ||
        is_given (name->prefix) || is_given (name->suffix))
        return 0;
    messaging_contact_name_t *whole = arena_new_of (t->arena, messaging_contact_name_t);
    *whole = *name;
    whole->first_name = name->formatted_name;
    card->name = whole;
    return 0;
}

static int contacts_check (turn_t *t, content_t *self)
{
    schema_list_t list = self->in->contacts;
    if (!list.count || list.count > CONTACTS_MAX)
        return fail (t, E_BAD_REQUEST, "contacts", "There must be 1 to %d contacts", CONTACTS_MAX);
    messaging_contact_card_t *cards =
        arena_memdup (t->arena, list.items, list.count * sizeof *cards);
    int code = 0;
    for (size_t i = 0; i < list.count && code == 0; i++)
        code = card_check (t, cards + i, i);
    self->body->contacts = (schema_list_t){cards, list.count};
    return code;
}

/* ---- reaction ---- */

static uint32_t code_point (const char *at, size_t step)
{
    const uint8_t *p = (const uint8_t *) at;
    uint32_t c = step == 1 ? p[0] : p[0] & (0x7Fu >> step);
    for (size_t i = 1; i < step; i++)
        c = c << 6 | (p[i] & 0x3Fu);
    return c;
}

/* Not text: it begins with a sign above Latin-1's letters (or one of its two marks), or is a keycap. What is one emoji and what two is WhatsApp's to say. */
static bool is_emoji (const char *text)
{
    size_t step = text_utf8_step (text, strlen (text));
    if (!step || points (text) > 16)
        return false;
    uint32_t c = code_point (text, step);
    if (c < 0x80)
        return strchr ("0123456789#*", (int) c) && strstr (text, "\xE2\x83\xA3");
    return c == 0xA9 || c == 0xAE || c > 0x2000;
}

static int reaction_check (turn_t *t, content_t *self)
{
    const messaging_reaction_content_t *given = self->in->reaction;
    if (!given || id_is_nil (given->message))
        return fail (t, E_BAD_REQUEST, "reaction.messageId", "messageId is missing");
    if (!given->emoji)
        return fail (t, E_BAD_REQUEST, "reaction.emoji", "emoji is missing");
    if (*given->emoji && !is_emoji (given->emoji))
        return fail (t, E_BAD_REQUEST, "reaction.emoji",
                     "emoji must be one emoji, or empty to take the reaction back");
    messaging_message_t target = {0};
    messaging_reaction_content_t *reaction = arena_new_of (t->arena, messaging_reaction_content_t);
    *reaction = *given;
    int code = message_of_pair (t, given->message, self->from->number_id, self->in->to,
                                "reaction.messageId", &target);
    if (code == 0)
        code = provider_id_of (t, &target, &reaction->provider_id);
    reaction->test = target.test;
    self->body->reaction = reaction;
    return code;
}

static int template_content_check (turn_t *t, content_t *self)
{
    if (!self->in->template || !is_given (self->in->template->name) ||
        !is_given (self->in->template->language))
        return fail (t, E_BAD_REQUEST, "template", "A template needs name and language");
    messaging_template_content_t *template = arena_new_of (t->arena, messaging_template_content_t);
    *template = *self->in->template;
    self->body->template = template;
    return template_check (t, self->from, template,
                           self->in->window == MESSAGING_WINDOW_POLICY_LET_FAIL);
}

static int interactive_check (turn_t *t, content_t *self)
{
    return interactive_content_check (t, self->message->app, self->in->interactive,
                                      &self->body->interactive);
}

static const struct {
    int32_t kind;
    int (*check) (turn_t *t, content_t *self);
} checks[] = {
    {MESSAGING_KIND_TEXT, text_check},
    {MESSAGING_KIND_IMAGE, media_check},
    {MESSAGING_KIND_VIDEO, media_check},
    {MESSAGING_KIND_AUDIO, media_check},
    {MESSAGING_KIND_DOCUMENT, media_check},
    {MESSAGING_KIND_STICKER, sticker_check},
    {MESSAGING_KIND_LOCATION, location_check},
    {MESSAGING_KIND_CONTACTS, contacts_check},
    {MESSAGING_KIND_REACTION, reaction_check},
    {MESSAGING_KIND_TEMPLATE, template_content_check},
    {MESSAGING_KIND_INTERACTIVE, interactive_check},
};

/* The message that this one quotes; a reaction quotes nothing. */
static int quote_check (turn_t *t, content_t *self)
{
    if (id_is_nil (self->in->reply_to) || self->in->kind == MESSAGING_KIND_REACTION)
        return 0;
    messaging_message_t quoted = {0};
    messaging_context_content_t *context = arena_new_of (t->arena, messaging_context_content_t);
    int code = message_of_pair (t, self->in->reply_to, self->from->number_id, self->in->to,
                                "reply_to", &quoted);
    if (code == 0)
        code = provider_id_of (t, &quoted, &context->provider_id);
    context->message = quoted.id;
    context->test = quoted.test;
    context->from = quoted.from;
    self->body->context = context;
    self->message->reply_to = quoted.id;
    return code;
}

int content_check (turn_t *t, const messaging_route_t *from, const messaging_whatsapp_send_in_t *in,
                   messaging_message_t *message)
{
    content_t self = {from, in, message, arena_new_of (t->arena, messaging_body_t)};
    message->body = self.body;
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        if (checks[i].kind == in->kind) {
            int code = checks[i].check (t, &self);
            return code ? code : quote_check (t, &self);
        }
    return fail (t, E_UNSUPPORTED_MESSAGE_TYPE, "kind",
                 "Messages of this type cannot be sent by WhatsApp");
}
