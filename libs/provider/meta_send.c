/* meta_send.c - one message as Meta's JSON: POST /{phone number id}/messages.
 *
 * What a kind needs and the message does not have fails with E_BAD_REQUEST before anything is sent; whether Meta likes it is Meta's to say. */
#include "provider/meta.h"

#include "base/msgpack.h"
#include <stdlib.h>

static int lacks (turn_t *t, const char *field)
{
    return fail (t, E_BAD_REQUEST, field, "The message has no %s", field);
}

/* ---- text, media, location, contacts, reaction ---- */

static int put_text (turn_t *t, const provider_message_t *m, buf_t *out)
{
    if (!m->text)
        return lacks (t, "text");
    meta_begin (out, "text", '{');
    jval_put_text (out, "body", m->text);
    if (m->body && (m->body->preview_url || m->body->has & MESSAGING_BODY_HAS_PREVIEW_URL))
        jval_put_bool (out, "preview_url", m->body->preview_url);
    buf_add_byte (out, '}');
    return 0;
}

/* By the carrier's id, else where it is to be fetched. */
static void put_file (buf_t *out, const char *provider_id, const char *link)
{
    jval_put_text (out, provider_id ? "id" : "link", provider_id ? provider_id : link);
}

static int put_media (turn_t *t, const provider_message_t *m, const char *type, buf_t *out)
{
    const messaging_media_content_t *media = m->body ? m->body->media : NULL;
    if (!media || (!media->provider_id && !media->link))
        return lacks (t, "media");
    meta_begin (out, type, '{');
    put_file (out, media->provider_id, media->link);
    if (m->kind != MESSAGING_KIND_AUDIO && m->kind != MESSAGING_KIND_STICKER && media->caption &&
        *media->caption)
        jval_put_text (out, "caption", media->caption);
    if (m->kind == MESSAGING_KIND_DOCUMENT)
        jval_put_text (out, "filename", media->filename);
    if (m->kind == MESSAGING_KIND_AUDIO && media->voice)
        jval_put_bool (out, "voice", true);
    buf_add_byte (out, '}');
    return 0;
}

static int put_location (turn_t *t, const provider_message_t *m, buf_t *out)
{
    if (!m->body || !m->body->location)
        return lacks (t, "location");
    messaging_location_content_t place = *m->body->location;
    place.has |= MESSAGING_LOCATION_CONTENT_HAS_LATITUDE | MESSAGING_LOCATION_CONTENT_HAS_LONGITUDE;
    meta_put (out, "location", &messaging_location_content_type, &place);
    return 0;
}

static int put_contacts (turn_t *t, const provider_message_t *m, buf_t *out)
{
    if (!m->body || !m->body->contacts.count)
        return lacks (t, "contacts");
    const messaging_contact_card_t *cards = m->body->contacts.items;
    meta_begin (out, "contacts", '[');
    for (size_t i = 0; i < m->body->contacts.count; i++)
        meta_put (out, NULL, &messaging_contact_card_type, &cards[i]);
    buf_add_byte (out, ']');
    return 0;
}

static int put_reaction (turn_t *t, const provider_message_t *m, buf_t *out)
{
    const messaging_reaction_content_t *reaction = m->body ? m->body->reaction : NULL;
    if (!reaction || !reaction->provider_id)
        return lacks (t, "reaction");
    meta_begin (out, "reaction", '{');
    jval_put_text (out, "message_id", reaction->provider_id);
    jval_put_text (out, "emoji", reaction->emoji ? reaction->emoji : "");
    buf_add_byte (out, '}');
    return 0;
}

/* ---- template ---- */

static bool is_position (const char *key)
{
    size_t length = strlen (key);
    return length > 0 && length < 5 && strspn (key, "0123456789") == length;
}

static int compare_positions (const void *a, const void *b)
{
    long x = strtol (((const schema_pair_t *) a)->key, NULL, 10);
    long y = strtol (((const schema_pair_t *) b)->key, NULL, 10);
    return (x > y) - (x < y);
}

/* Variables go into the body: by position, or by name where a key is no position. */
static void put_variables (turn_t *t, const schema_map_t *variables, buf_t *out)
{
    schema_pair_t *pairs =
        arena_memdup (t->arena, variables->pairs, variables->count * sizeof *pairs);
    bool named = false;
    for (size_t i = 0; pairs && i < variables->count; i++)
        named = named || !is_position (pairs[i].key);
    if (pairs && !named)
        qsort (pairs, variables->count, sizeof *pairs, compare_positions);
    out->failed = out->failed || !pairs;
    meta_begin (out, "components", '[');
    meta_begin (out, NULL, '{');
    jval_put_text (out, "type", "body");
    meta_begin (out, "parameters", '[');
    for (size_t i = 0; pairs && i < variables->count; i++) {
        meta_begin (out, NULL, '{');
        jval_put_text (out, "type", "text");
        if (named)
            jval_put_text (out, "parameter_name", pairs[i].key);
        jval_put_text (out, "text", pairs[i].value ? pairs[i].value : "");
        buf_add_byte (out, '}');
    }
    buf_add_str (out, "]}]");
}

static int put_template (turn_t *t, const provider_message_t *m, buf_t *out)
{
    const messaging_template_content_t *template = m->body ? m->body->template : NULL;
    if (!template || !template->name || !template->language)
        return lacks (t, "template");
    meta_begin (out, "template", '{');
    jval_put_text (out, "name", template->name);
    meta_begin (out, "language", '{');
    jval_put_text (out, "code", template->language);
    buf_add_byte (out, '}');
    if (template->components.size) {
        meta_begin (out, "components", 0);
        schema_any_write (template->components, out);
    } else if (template->variables.count)
        put_variables (t, &template->variables, out);
    buf_add_byte (out, '}');
    return 0;
}

/* ---- interactive ---- */

static void put_words (buf_t *out, const char *name, const char *text)
{
    meta_begin (out, name, '{');
    jval_put_text (out, "text", text);
    buf_add_byte (out, '}');
}

static int put_header (turn_t *t, const messaging_interactive_header_t *header, buf_t *out)
{
    static const char *const words[] = {[MESSAGING_HEADER_KIND_TEXT] = "text",
                                        [MESSAGING_HEADER_KIND_IMAGE] = "image",
                                        [MESSAGING_HEADER_KIND_VIDEO] = "video",
                                        [MESSAGING_HEADER_KIND_DOCUMENT] = "document"};
    if (header->kind < MESSAGING_HEADER_KIND_TEXT || header->kind > MESSAGING_HEADER_KIND_DOCUMENT)
        return lacks (t, "interactive.header.type");
    bool text = header->kind == MESSAGING_HEADER_KIND_TEXT;
    if (text ? !header->text : !header->provider_id && !header->link)
        return lacks (t, text ? "interactive.header.text" : "interactive.header.media");
    meta_begin (out, "header", '{');
    jval_put_text (out, "type", words[header->kind]);
    if (text)
        jval_put_text (out, "text", header->text);
    else {
        meta_begin (out, words[header->kind], '{');
        put_file (out, header->provider_id, header->link);
        if (header->kind == MESSAGING_HEADER_KIND_DOCUMENT)
            jval_put_text (out, "filename", header->filename);
        buf_add_byte (out, '}');
    }
    buf_add_byte (out, '}');
    return 0;
}

static int put_buttons (turn_t *t, const messaging_interactive_content_t *in, buf_t *out)
{
    (void) t;
    const messaging_interactive_button_t *buttons = in->buttons.items;
    meta_begin (out, "buttons", '[');
    for (size_t i = 0; i < in->buttons.count; i++) {
        meta_begin (out, NULL, '{');
        jval_put_text (out, "type", "reply");
        meta_put (out, "reply", &messaging_interactive_button_type, &buttons[i]);
        buf_add_byte (out, '}');
    }
    buf_add_byte (out, ']');
    return 0;
}

static int put_list (turn_t *t, const messaging_interactive_content_t *in, buf_t *out)
{
    (void) t;
    const messaging_interactive_section_t *sections = in->sections.items;
    jval_put_text (out, "button", in->button_text);
    meta_begin (out, "sections", '[');
    for (size_t i = 0; i < in->sections.count; i++)
        meta_put (out, NULL, &messaging_interactive_section_type, &sections[i]);
    buf_add_byte (out, ']');
    return 0;
}

static void put_link (const char *text, const char *url, buf_t *out)
{
    jval_put_text (out, "name", "cta_url");
    meta_begin (out, "parameters", '{');
    jval_put_text (out, "display_text", text);
    jval_put_text (out, "url", url);
    buf_add_byte (out, '}');
}

static int put_cta_url (turn_t *t, const messaging_interactive_content_t *in, buf_t *out)
{
    (void) t;
    put_link (in->button_text, in->url, out);
    return 0;
}

/* ---- carousel ---- */

static int put_card (turn_t *t, const messaging_interactive_card_t *card, buf_t *out)
{
    const messaging_interactive_button_t *buttons = card->buttons.items;
    int code = 0;
    meta_begin (out, NULL, '{');
    meta_begin (out, "card_index", 0);
    buf_printf (out, "%d", (int) card->index);
    jval_put_text (out, "type", "cta_url");
    code = card->header ? put_header (t, card->header, out) : lacks (t, "interactive.cards.header");
    if (card->body && *card->body)
        put_words (out, "body", card->body);
    meta_begin (out, "action", '{');
    if (card->buttons.count)
        meta_begin (out, "buttons", '[');
    else
        put_link (card->button_text, card->url, out);
    for (size_t i = 0; i < card->buttons.count; i++) {
        meta_begin (out, NULL, '{');
        jval_put_text (out, "type", "quick_reply");
        meta_put (out, "quick_reply", &messaging_interactive_button_type, &buttons[i]);
        buf_add_byte (out, '}');
    }
    buf_add_str (out, card->buttons.count ? "]}}" : "}}");
    return code;
}

static int put_cards (turn_t *t, const messaging_interactive_content_t *in, buf_t *out)
{
    const messaging_interactive_card_t *cards = in->cards.items;
    int code = 0;
    meta_begin (out, "cards", '[');
    for (size_t i = 0; i < in->cards.count && code == 0; i++)
        code = put_card (t, &cards[i], out);
    buf_add_byte (out, ']');
    return code;
}

static int put_location_request (turn_t *t, const messaging_interactive_content_t *in, buf_t *out)
{
    (void) t;
    (void) in;
    jval_put_text (out, "name", "send_location");
    return 0;
}

static bool is_empty_map (bytes_t packed)
{
    mp_reader_t in = mp_read (packed);
    return mp_peek (&in) == MP_MAP && mp_read_map (&in) == 0;
}

/* The payload is for navigate alone, and Meta refuses empty data in it. */
static int put_flow (turn_t *t, const messaging_interactive_content_t *in, buf_t *out)
{
    (void) t;
    bool navigate = in->flow_action != MESSAGING_FLOW_ACTION_DATA_EXCHANGE;
    jval_put_text (out, "name", "flow");
    meta_begin (out, "parameters", '{');
    jval_put_text (out, "flow_message_version", "3");
    jval_put_text (out, "flow_id", in->flow_id);
    jval_put_text (out, "flow_cta", in->button_text);
    jval_put_text (out, "flow_token", in->flow_token);
    if (in->flow_action)
        jval_put_text (out, "flow_action", navigate ? "navigate" : "data_exchange");
    if (navigate && in->flow_screen) {
        meta_begin (out, "flow_action_payload", '{');
        jval_put_text (out, "screen", in->flow_screen);
        if (in->flow_data.size && !is_empty_map (in->flow_data)) {
            meta_begin (out, "data", 0);
            schema_any_write (in->flow_data, out);
        }
        buf_add_byte (out, '}');
    }
    buf_add_byte (out, '}');
    return 0;
}

typedef struct interactive_row {
    const char *word;
    int (*put) (turn_t *t, const messaging_interactive_content_t *in, buf_t *out);
    bool bare; /* takes a body and nothing else */
} interactive_row_t;

static const interactive_row_t interactive_rows[] = {
    [MESSAGING_INTERACTIVE_KIND_BUTTONS] = {"button", put_buttons, false},
    [MESSAGING_INTERACTIVE_KIND_LIST] = {"list", put_list, false},
    [MESSAGING_INTERACTIVE_KIND_CTA_URL] = {"cta_url", put_cta_url, false},
    [MESSAGING_INTERACTIVE_KIND_LOCATION_REQUEST] = {"location_request_message",
                                                     put_location_request, true},
    [MESSAGING_INTERACTIVE_KIND_FLOW] = {"flow", put_flow, false},
    [MESSAGING_INTERACTIVE_KIND_CAROUSEL] = {"carousel", put_cards, true},
};

static int put_interactive (turn_t *t, const provider_message_t *m, buf_t *out)
{
    const messaging_interactive_content_t *in = m->body ? m->body->interactive : NULL;
    if (!in || !in->body || in->kind < MESSAGING_INTERACTIVE_KIND_BUTTONS ||
        in->kind > MESSAGING_INTERACTIVE_KIND_CAROUSEL)
        return lacks (t, "interactive");
    const interactive_row_t *row = &interactive_rows[in->kind];
    meta_begin (out, "interactive", '{');
    jval_put_text (out, "type", row->word);
    int code = in->header && !row->bare ? put_header (t, in->header, out) : 0;
    if (code)
        return code;
    put_words (out, "body", in->body);
    if (in->footer && *in->footer && !row->bare)
        put_words (out, "footer", in->footer);
    meta_begin (out, "action", '{');
    code = row->put (t, in, out);
    buf_add_str (out, "}}");
    return code;
}

/* ---- the frame ---- */

static const char *kind_word (int32_t kind)
{
    static const char *const words[] = {
        [MESSAGING_KIND_TEXT] = "text",
        [MESSAGING_KIND_IMAGE] = "image",
        [MESSAGING_KIND_VIDEO] = "video",
        [MESSAGING_KIND_AUDIO] = "audio",
        [MESSAGING_KIND_DOCUMENT] = "document",
        [MESSAGING_KIND_STICKER] = "sticker",
        [MESSAGING_KIND_LOCATION] = "location",
        [MESSAGING_KIND_CONTACTS] = "contacts",
        [MESSAGING_KIND_REACTION] = "reaction",
        [MESSAGING_KIND_TEMPLATE] = "template",
        [MESSAGING_KIND_INTERACTIVE] = "interactive",
    };
    return kind > 0 && (size_t) kind < sizeof words / sizeof *words ? words[kind] : NULL;
}

static int put_content (turn_t *t, const provider_message_t *m, const char *type, buf_t *out)
{
    switch (m->kind) {
    case MESSAGING_KIND_TEXT:
        return put_text (t, m, out);
    case MESSAGING_KIND_LOCATION:
        return put_location (t, m, out);
    case MESSAGING_KIND_CONTACTS:
        return put_contacts (t, m, out);
    case MESSAGING_KIND_REACTION:
        return put_reaction (t, m, out);
    case MESSAGING_KIND_TEMPLATE:
        return put_template (t, m, out);
    case MESSAGING_KIND_INTERACTIVE:
        return put_interactive (t, m, out);
    default:
        return put_media (t, m, type, out);
    }
}

/* A number goes as digits; what is none is a business-scoped user id. */
static void put_recipient (turn_t *t, const char *to, buf_t *out)
{
    const char *number = meta_e164 (t->arena, to);
    if (*number == '+')
        jval_put_text (out, "to", number + 1);
    else
        jval_put_text (out, "recipient", to);
}

int meta_send (turn_t *t, const provider_message_t *m, outbound_t *out)
{
    const char *type = kind_word (m->kind);
    if (!type)
        return fail (t, E_UNSUPPORTED_MESSAGE_TYPE, "type", "WhatsApp does not take this type");
    if (!m->to || !*m->to)
        return lacks (t, "to");
    buf_t json = buf_in (t->arena);
    meta_begin (&json, NULL, '{');
    jval_put_text (&json, "messaging_product", "whatsapp");
    jval_put_text (&json, "recipient_type", "individual");
    put_recipient (t, m->to, &json);
    jval_put_text (&json, "type", type);
    if (m->reply_to && m->kind != MESSAGING_KIND_REACTION) {
        meta_begin (&json, "context", '{');
        jval_put_text (&json, "message_id", m->reply_to);
        buf_add_byte (&json, '}');
    }
    if (!id_is_nil (m->token)) {
        char token[ID_UUID_LENGTH + 1];
        id_write_uuid (m->token, token);
        jval_put_text (&json, "biz_opaque_callback_data", token);
    }
    int code = put_content (t, m, type, &json);
    buf_add_byte (&json, '}');
    return code ? code : meta_post (t, m->account, m->number_ref, "/messages", &json, out);
}
