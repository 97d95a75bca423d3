/* thread_send.c - accept a WhatsApp message of an organization: no app sends it, the number is named by its carrier's id, files by link or id.
 *
 * What can be told at once is refused: fields, unknown templates, numbers that are not connected. What only the carrier knows is let through and fails later, where
 * the caller says so (window: let_fail). */
#include "base/msgpack.h"
#include "gen/accounts.h"
#include "messaging.h"
#include "provider/json.h"
#include <string.h>

/* ---- files ---- */

/* Our id of a file, in any of its spellings, with or without a prefix. */
static bool own_id_read (const char *text, id16_t *out)
{
    const char *mark = strrchr (text, '_');
    const char *id = mark ? mark + 1 : text;
    size_t length = strlen (id);
    return id_read_crockford (id, length, out) || id_read_ksuid (id, length, out) ||
           id_read_uuid (id, length, out);
}

/* Ours if we have such a file; else the carrier is told it as it is. */
static int file_ref_resolve (turn_t *t, const char *ref, id16_t *media, const char **provider_id)
{
    messaging_media_t row = {0};
    id16_t id;
    int code = own_id_read (ref, &id)
                   ? store_get (t->txn, &messaging_media_record, t->ask->org, id, t->arena, &row)
                   : E_NOT_FOUND;
    *media = code == 0 ? row.id : id_nil ();
    *provider_id = code == 0 ? NULL : ref;
    return code == E_NOT_FOUND ? 0 : code;
}

static int link_check (turn_t *t, const char *link, const char *field)
{
    const messaging_settings_t *settings = t->settings;
    const fetch_config_t allowed = {.allow = settings->allow_private,
                                    .allow_http = settings->allow_http};
    failure_t failure = {0};
    int code = fetch_check_url (&allowed, link, &failure);
    if (code == 0 || code == E_NO_MEMORY) /* without memory nothing is said of the URL */
        return code;
    return fail (t, E_BAD_REQUEST, field, "%s", failure.text);
}

static bool is_given (const char *text)
{
    return text && *text;
}

static int file_take (turn_t *t, int32_t kind, const char *name, const messaging_media_given_t *in,
                      messaging_media_content_t *out)
{
    if (!in)
        return fail (t, E_MISSING_FIELD, name, "%s is missing", name);
    if (is_given (in->ref) == is_given (in->link))
        return fail (t, E_BAD_REQUEST, name, "%s needs exactly one of link and id", name);
    bool document = kind == MESSAGING_KIND_DOCUMENT;
    out->filename = document ? in->filename : NULL; /* others have none at WhatsApp */
    out->caption = kind == MESSAGING_KIND_AUDIO ? NULL : in->caption;
    if (is_given (in->ref))
        return file_ref_resolve (t, in->ref, &out->media, &out->provider_id);
    out->link = in->link;
    return link_check (t, in->link, arena_printf (t->arena, "%s.link", name));
}

/* ---- templates ---- */

/* "en" or {"code": "en", "policy": "deterministic"}. */
static const char *language_of (arena_t *arena, bytes_t given)
{
    mp_reader_t in = mp_read (given);
    if (!given.size)
        return NULL;
    if (mp_peek (&in) == MP_STR) {
        bytes_t text = mp_read_str (&in);
        return in.failed ? NULL : arena_strndup (arena, (const char *) text.data, text.size);
    }
    return jval_text (arena, given, "code");
}

static bool is_list (bytes_t packed)
{
    mp_reader_t in = mp_read (packed);
    return mp_peek (&in) == MP_ARRAY;
}

static int template_take (turn_t *t, const messaging_template_given_t *in,
                          const messaging_template_content_t **out)
{
    messaging_template_content_t *template = arena_new_of (t->arena, messaging_template_content_t);
    if (!in || !is_given (in->name))
        return fail (t, E_MISSING_FIELD, in ? "template.name" : "template",
                     "A template needs a name");
    template->name = in->name;
    template->language = language_of (t->arena, in->language);
    template->components = in->components;
    *out = template;
    if (in->components.size && !is_list (in->components))
        return fail (t, E_BAD_REQUEST, "template.components", "components must be a list");
    if (!is_given (template->language) || strlen (template->language) > 16)
        return fail (t, E_BAD_REQUEST, "template.language",
                     "language must be a language code, or an object with one as code");
    return 0;
}

/* ---- interactive ---- */

static int header_take (turn_t *t, const messaging_interactive_header_t *in, const char *field,
                        const messaging_interactive_header_t **out)
{
    messaging_interactive_header_t *header =
        arena_new_of (t->arena, messaging_interactive_header_t);
    *header = *in;
    *out = header;
    if (in->kind == MESSAGING_HEADER_KIND_TEXT)
        return 0;
    if (is_given (in->provider_id) == is_given (in->link))
        return fail (t, E_BAD_REQUEST, field, "A header's file needs exactly one of link and id");
    if (is_given (in->link))
        return link_check (t, in->link, field);
    return file_ref_resolve (t, in->provider_id, &header->media, &header->provider_id);
}

static int cards_take (turn_t *t, messaging_interactive_content_t *content)
{
    messaging_interactive_card_t *cards =
        arena_memdup (t->arena, content->cards.items, content->cards.count * sizeof *cards);
    int code = 0;
    for (size_t i = 0; i < content->cards.count && code == 0; i++)
        if (cards[i].header)
            code = header_take (t, cards[i].header,
                                arena_printf (t->arena, "interactive.action.cards[%zu].header", i),
                                &cards[i].header);
    content->cards.items = cards;
    return code;
}

/* What the action of each kind must have, under the caller's names. */
static const char *action_lacks (const messaging_interactive_content_t *in)
{
    switch (in->kind) {
    case MESSAGING_INTERACTIVE_KIND_BUTTONS:
        return in->buttons.count ? NULL : "interactive.action.buttons";
    case MESSAGING_INTERACTIVE_KIND_LIST:
        return !is_given (in->button_text) ? "interactive.action.button"
               : in->sections.count        ? NULL
                                           : "interactive.action.sections";
    case MESSAGING_INTERACTIVE_KIND_CTA_URL:
        return !is_given (in->button_text) ? "interactive.action.parameters.display_text"
               : is_given (in->url)        ? NULL
                                           : "interactive.action.parameters.url";
    case MESSAGING_INTERACTIVE_KIND_CAROUSEL:
        return in->cards.count ? NULL : "interactive.action.cards";
    default:
        return NULL;
    }
}

static int interactive_take (turn_t *t, const messaging_interactive_content_t *in,
                             const messaging_interactive_content_t **out)
{
    messaging_interactive_content_t *content =
        arena_new_of (t->arena, messaging_interactive_content_t);
    const char *lacks = in ? action_lacks (in) : "interactive";
    if (!lacks && !is_given (in->body))
        lacks = "interactive.body";
    if (lacks)
        return fail (t, E_MISSING_FIELD, lacks, "%s is missing", lacks);
    *content = *in;
    *out = content;
    int code = in->header ? header_take (t, in->header, "interactive.header", &content->header) : 0;
    return code || !in->cards.count ? code : cards_take (t, content);
}

/* ---- content ---- */

static const struct {
    int32_t kind;
    const char *name;
    size_t offset;
} files[] = {
    {MESSAGING_KIND_IMAGE, "image", offsetof (messaging_thread_send_in_t, image)},
    {MESSAGING_KIND_VIDEO, "video", offsetof (messaging_thread_send_in_t, video)},
    {MESSAGING_KIND_AUDIO, "audio", offsetof (messaging_thread_send_in_t, audio)},
    {MESSAGING_KIND_DOCUMENT, "document", offsetof (messaging_thread_send_in_t, document)},
};

static const char *file_name (int32_t kind)
{
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (files[i].kind == kind)
            return files[i].name;
    return NULL;
}

/* The request as whatsapp_send has it, so that content is checked in one place. */
static int request_take (turn_t *t, const messaging_thread_send_in_t *in,
                         messaging_whatsapp_send_in_t *out)
{
    messaging_media_content_t *file = arena_new_of (t->arena, messaging_media_content_t);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        const messaging_media_given_t *given = NULL;
        if (files[i].kind != in->kind)
            continue;
        memcpy (&given, (const uint8_t *) in + files[i].offset, sizeof given);
        out->media = file;
        return file_take (t, in->kind, files[i].name, given, file);
    }
    if (in->kind == MESSAGING_KIND_TEMPLATE)
        return template_take (t, in->template, &out->template);
    if (in->kind == MESSAGING_KIND_INTERACTIVE)
        return interactive_take (t, in->interactive, &out->interactive);
    return in->kind == MESSAGING_KIND_TEXT
               ? 0
               : fail (t, E_UNSUPPORTED_MESSAGE_TYPE, "kind", "Messages of this type are not sent");
}

/* Failures of the shared checks under this operation's names. */
static int renamed (turn_t *t, int32_t kind, int code)
{
    const char *name = file_name (kind);
    if (!name || strncmp (t->failure.field, "media.", 6) != 0)
        return code;
    const char *part = t->failure.field + 6;
    const char *field =
        arena_printf (t->arena, "%s.%s", name, strcmp (part, "mediaId") == 0 ? "id" : part);
    const char *text = arena_strdup (t->arena, t->failure.text);
    return fail (t, code, field, "%s", text);
}

/* The message quoted, if we know it as one of this pair; what we do not know the carrier may. */
static int quote_take (turn_t *t, const messaging_route_t *from, const char *ref, const char *to,
                       messaging_message_t *message)
{
    messaging_message_t quoted = {0};
    messaging_context_content_t *context = arena_new_of (t->arena, messaging_context_content_t);
    id16_t id;
    if (!is_given (ref))
        return 0;
    context->provider_id = ref;
    int code = message_of_provider_id (t, from->carrier, t->ask->org, from->number_id, ref, &id);
    if (code == 0 && !id_is_nil (id))
        code = store_get (t->txn, &messaging_message_record, t->ask->org, id, t->arena, &quoted);
    if (code)
        return code;
    const char *peer = message_peer (&quoted);
    if (!id_is_nil (id) && id_equal (quoted.number, from->number_id) && peer &&
        strcmp (peer, to) == 0) {
        context->message = quoted.id;
        context->test = quoted.test;
        context->from = quoted.from;
        message->reply_to = quoted.id;
    }
    messaging_body_t *body = arena_new_of (t->arena, messaging_body_t);
    *body = *message->body;
    body->context = context;
    message->body = body;
    return 0;
}

/* ---- the op ---- */

/* With its +; what is no number was refused by the caller's own form, or is here. */
static int recipient_read (turn_t *t, const char *given, const char **out)
{
    const char *digits = *given == '+' ? given + 1 : given;
    size_t length = strlen (digits);
    if (length < 7 || length > 15 || *digits == '0' || strspn (digits, "0123456789") != length)
        return fail (t, E_INVALID_PHONE_NUMBER, "to", "to must be a number in E.164 form");
    *out = arena_printf (t->arena, "+%s", digits);
    return 0;
}

int number_connected (turn_t *t, const char *ref, messaging_number_t *out)
{
    int code = number_of_ref (t, ref, out);
    if (code)
        return code;
    if (out->status && out->status != ACCOUNTS_NUMBER_STATUS_CONNECTED)
        return fail (t, E_NUMBER_NOT_CONNECTED, NULL, "The number is %s, not connected",
                     schema_enum_word (&accounts_number_status_enum, out->status));
    return 0;
}

static int content_take (turn_t *t, const messaging_thread_send_in_t *in,
                         const messaging_route_t *from, const char *to,
                         messaging_message_t *message)
{
    messaging_whatsapp_send_in_t *plain = arena_new_of (t->arena, messaging_whatsapp_send_in_t);
    *plain = (messaging_whatsapp_send_in_t){.from = from->number,
                                            .to = to,
                                            .kind = in->kind,
                                            .text = in->text,
                                            .preview_url = in->preview_url,
                                            .window = in->window};
    int code = request_take (t, in, plain);
    if (code)
        return code;
    code = content_check (t, from, plain, message);
    if (code)
        return renamed (t, in->kind, code);
    code = quote_take (t, from, in->reply_ref, to, message);
    return code ? code : window_check (t, plain, message);
}

int messaging_thread_send (turn_t *t, const messaging_thread_send_in_t *in,
                           messaging_message_info_t *out)
{
    messaging_number_t number = {0};
    messaging_route_t from = {0};
    const char **to = arena_array_of (t->arena, const char *, 1);
    int code = number_connected (t, in->number_ref, &number);
    if (code == 0)
        code = recipient_read (t, in->to, &to[0]);
    if (code)
        return code;
    number_route (&number, &from);
    messaging_message_t message = {.number = number.id,
                                   .carrier = number.carrier,
                                   .account = number.account,
                                   .number_ref = number.ref,
                                   .channel = ACCOUNTS_CHANNEL_WHATSAPP,
                                   .kind = in->kind,
                                   .test = number.test,
                                   .from = number.number,
                                   .to = {to, 1},
                                   .window = in->window};
    code = content_take (t, in, &from, to[0], &message);
    if (code == 0)
        code = message_accept (t, &message, to, 1);
    if (code)
        return code;
    turn_count (t, MESSAGING_COUNTER_WHATSAPP_ACCEPTED_TOTAL, 1);
    *out = (messaging_message_info_t){.id = message.id,
                                      .conversation = message.conversation,
                                      .to = to[0],
                                      .direction = message.direction,
                                      .kind = message.kind,
                                      .status = MESSAGING_SHOWN_STATUS_PENDING,
                                      .created_at = message.created_at};
    return 0;
}
