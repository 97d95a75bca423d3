/* meta_inbound.c - a message that a person wrote, in typed fields, by its type.
 *
 * What is of an unknown type, or lacks what its type needs, is an unsupported message that carries Meta's item as it came: told, never lost. Only what has
 * no id or nobody who wrote it is no message. Group messages are none of ours yet: their participant did not write to our number. */
#include "provider/meta.h"

#include "base/text.h"

typedef struct inbound {
    turn_t *t;
    bytes_t item;
    provider_event_t *event;
    messaging_body_t *body;
} inbound_t;

typedef struct inbound_row {
    const char *word;
    int32_t kind;
    bool (*fill) (inbound_t *in, const char *type, int32_t kind);
} inbound_row_t;

int64_t meta_time (const turn_t *t, bytes_t value, const char *name)
{
    int64_t seconds;
    bool good = jval_int (value, name, &seconds) && seconds > 0 && seconds < 253402300800;
    return good ? seconds * 1000 : t->now;
}

/* ---- content by type ---- */

static bool fill_text (inbound_t *in, const char *type, int32_t kind)
{
    (void) type;
    (void) kind;
    in->event->text = jval_text (in->t->arena, in->item, "text.body");
    return in->event->text != NULL;
}

/* Callbacks say base64, the API says hex: ours is hex. */
static const char *hash_hex (arena_t *arena, const char *text)
{
    uint8_t hash[SIGN_SHA256_SIZE];
    char hex[2 * sizeof hash + 1];
    if (!text)
        return NULL;
    if (text_read_hex (text, strlen (text), hash, sizeof hash) != (long) sizeof hash &&
        text_read_base64 (text, strlen (text), hash, sizeof hash) != (long) sizeof hash)
        return NULL;
    text_write_hex (hash, sizeof hash, hex);
    return arena_strdup (arena, hex);
}

/* The last part of a name that may come with a path. */
static const char *base_name (const char *name)
{
    const char *base = name;
    for (const char *at = name; at && *at; at++)
        if (*at == '/' || *at == '\\')
            base = at + 1;
    return base && *base ? base : NULL;
}

static bool fill_media (inbound_t *in, const char *type, int32_t kind)
{
    arena_t *arena = in->t->arena;
    bytes_t object = jval_find (in->item, type);
    messaging_media_content_t *media = arena_new_of (arena, messaging_media_content_t);
    if (!media || !(media->provider_id = jval_code (arena, object, "id")))
        return false;
    media->mime_type = jval_word (arena, object, "mime_type");
    media->caption = meta_cut (arena, jval_word (arena, object, "caption"), 1024);
    media->filename = meta_cut (arena, base_name (jval_word (arena, object, "filename")), 240);
    media->sha256 = hash_hex (arena, jval_word (arena, object, "sha256"));
    media->voice = jval_bool (object, "voice");
    media->animated = jval_bool (object, "animated");
    media->has |= kind == MESSAGING_KIND_AUDIO ? MESSAGING_MEDIA_CONTENT_HAS_VOICE : 0;
    media->has |= kind == MESSAGING_KIND_STICKER ? MESSAGING_MEDIA_CONTENT_HAS_ANIMATED : 0;
    in->body->media = media;
    return true;
}

static bool fill_location (inbound_t *in, const char *type, int32_t kind)
{
    (void) kind;
    messaging_location_content_t *place = arena_new_of (in->t->arena, messaging_location_content_t);
    uint64_t both =
        MESSAGING_LOCATION_CONTENT_HAS_LATITUDE | MESSAGING_LOCATION_CONTENT_HAS_LONGITUDE;
    if (!place)
        return false;
    meta_fill (in->t->arena, jval_find (in->item, type), &messaging_location_content_type, place);
    if ((place->has & both) != both)
        return false;
    in->body->location = place;
    return true;
}

/* A card always has a name. */
static void card_name (arena_t *arena, messaging_contact_card_t *card)
{
    const messaging_contact_phone_t *phones = card->phones.items;
    messaging_contact_name_t *name = arena_new_of (arena, messaging_contact_name_t);
    if (!name || (card->name && card->name->formatted_name && *card->name->formatted_name))
        return;
    if (card->name)
        *name = *card->name;
    name->formatted_name = name->first_name && *name->first_name   ? name->first_name
                           : card->phones.count && phones[0].phone ? phones[0].phone
                                                                   : "?";
    name->has |= MESSAGING_CONTACT_NAME_HAS_FORMATTED_NAME;
    card->name = name;
}

static bool fill_contacts (inbound_t *in, const char *type, int32_t kind)
{
    (void) kind;
    schema_list_t cards = meta_fill_list (in->t->arena, jval_find (in->item, type),
                                          &messaging_contact_card_type, 257);
    messaging_contact_card_t *items = cards.items;
    for (size_t i = 0; i < cards.count; i++)
        card_name (in->t->arena, &items[i]);
    in->body->contacts = cards;
    return cards.count > 0;
}

static bool fill_reaction (inbound_t *in, const char *type, int32_t kind)
{
    (void) kind;
    arena_t *arena = in->t->arena;
    bytes_t object = jval_find (in->item, type);
    messaging_reaction_content_t *reaction = arena_new_of (arena, messaging_reaction_content_t);
    if (!reaction || !(reaction->provider_id = jval_word (arena, object, "message_id")))
        return false;
    const char *emoji = jval_text (arena, object, "emoji");
    reaction->emoji = emoji ? meta_cut (arena, emoji, 64) : "";
    in->body->reaction = reaction;
    return true;
}

static bool fill_button (inbound_t *in, const char *type, int32_t kind)
{
    (void) kind;
    messaging_button_reply_t *button = arena_new_of (in->t->arena, messaging_button_reply_t);
    if (!button)
        return false;
    meta_fill (in->t->arena, jval_find (in->item, type), &messaging_button_reply_type, button);
    in->body->button = button;
    return button->text != NULL;
}

/* Flow answers are JSON within a string; should it ever come as an object, it is spelled out. */
static const char *response_json (arena_t *arena, bytes_t object)
{
    const char *text = jval_text (arena, object, "response_json");
    bytes_t value = jval_find (object, "response_json");
    if (text || !value.size)
        return text;
    buf_t json = buf_in (arena);
    schema_any_write (value, &json);
    return buf_text (&json);
}

static bool fill_interactive (inbound_t *in, const char *type, int32_t kind)
{
    static const struct {
        const char *word;
        int32_t kind;
    } rows[] = {{"button_reply", MESSAGING_REPLY_KIND_BUTTON_REPLY},
                {"list_reply", MESSAGING_REPLY_KIND_LIST_REPLY},
                {"nfm_reply", MESSAGING_REPLY_KIND_NFM_REPLY}};
    (void) kind;
    bytes_t object = jval_find (in->item, type);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bytes_t said = jval_find (object, rows[i].word);
        if (!jval_is (object, "type", rows[i].word) || !jval_is_map (said, ""))
            continue;
        messaging_interactive_reply_t *reply =
            arena_new_of (in->t->arena, messaging_interactive_reply_t);
        if (!reply)
            return false;
        meta_fill (in->t->arena, said, &messaging_interactive_reply_type, reply);
        reply->kind = rows[i].kind;
        reply->response_json = response_json (in->t->arena, said);
        in->body->interactive_reply = reply;
        return reply->kind == MESSAGING_REPLY_KIND_NFM_REPLY || reply->id != NULL;
    }
    return false;
}

static bool fill_order (inbound_t *in, const char *type, int32_t kind)
{
    (void) kind;
    bytes_t object = jval_find (in->item, type);
    messaging_order_content_t *order = arena_new_of (in->t->arena, messaging_order_content_t);
    if (!order)
        return false;
    meta_fill (in->t->arena, object, &messaging_order_content_type, order);
    order->items = meta_fill_list (in->t->arena, jval_find (object, "product_items"),
                                   &messaging_order_item_type, 1000);
    in->body->order = order;
    return order->catalog_id != NULL;
}

static bool fill_system (inbound_t *in, const char *type, int32_t kind)
{
    static const struct {
        const char *word;
        int32_t kind;
    } rows[] = {{"user_changed_number", MESSAGING_SYSTEM_KIND_USER_CHANGED_NUMBER},
                {"customer_identity_changed", MESSAGING_SYSTEM_KIND_CUSTOMER_IDENTITY_CHANGED},
                {"user_preference_changed", MESSAGING_SYSTEM_KIND_USER_PREFERENCE_CHANGED}};
    (void) kind;
    arena_t *arena = in->t->arena;
    bytes_t object = jval_find (in->item, type);
    messaging_system_content_t *system = arena_new_of (arena, messaging_system_content_t);
    if (!system)
        return false;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (jval_is (object, "type", rows[i].word))
            system->kind = rows[i].kind;
    system->body = jval_text (arena, object, "body");
    system->wa_id = jval_code (arena, object, "wa_id");
    if (system->kind == MESSAGING_SYSTEM_KIND_USER_CHANGED_NUMBER)
        system->new_phone_number = meta_e164 (arena, system->wa_id);
    in->body->system = system;
    return system->kind != 0;
}

static const inbound_row_t inbound_rows[] = {
    {"text", MESSAGING_KIND_TEXT, fill_text},
    {"image", MESSAGING_KIND_IMAGE, fill_media},
    {"video", MESSAGING_KIND_VIDEO, fill_media},
    {"audio", MESSAGING_KIND_AUDIO, fill_media},
    {"document", MESSAGING_KIND_DOCUMENT, fill_media},
    {"sticker", MESSAGING_KIND_STICKER, fill_media},
    {"location", MESSAGING_KIND_LOCATION, fill_location},
    {"contacts", MESSAGING_KIND_CONTACTS, fill_contacts},
    {"reaction", MESSAGING_KIND_REACTION, fill_reaction},
    {"button", MESSAGING_KIND_BUTTON, fill_button},
    {"interactive", MESSAGING_KIND_INTERACTIVE, fill_interactive},
    {"order", MESSAGING_KIND_ORDER, fill_order},
    {"system", MESSAGING_KIND_SYSTEM, fill_system},
};

/* ---- what any message may have ---- */

static void fill_context (inbound_t *in)
{
    arena_t *arena = in->t->arena;
    bytes_t object = jval_find (in->item, "context");
    messaging_context_content_t *context = NULL;
    if (!jval_is_map (object, "") || !(context = arena_new_of (arena, messaging_context_content_t)))
        return;
    context->provider_id = jval_word (arena, object, "id");
    context->from = meta_e164 (arena, jval_word (arena, object, "from"));
    context->forwarded = jval_bool (object, "forwarded");
    context->frequently_forwarded = jval_bool (object, "frequently_forwarded");
    context->catalog_id = jval_code (arena, object, "referred_product.catalog_id");
    context->product_retailer_id =
        jval_code (arena, object, "referred_product.product_retailer_id");
    in->body->context = context;
}

static void fill_referral (inbound_t *in)
{
    bytes_t object = jval_find (in->item, "referral");
    messaging_referral_content_t *referral = NULL;
    if (!jval_is_map (object, "") ||
        !(referral = arena_new_of (in->t->arena, messaging_referral_content_t)))
        return;
    meta_fill (in->t->arena, object, &messaging_referral_content_type, referral);
    in->body->referral = referral;
}

static const char *contact_name (turn_t *t, bytes_t value, const char *from)
{
    jval_list_t contacts = jval_list (value, "contacts");
    bytes_t contact;
    while (jval_next (&contacts, &contact)) {
        if (!jval_is (contact, "wa_id", from) && !jval_is (contact, "user_id", from))
            continue;
        const char *name = jval_word (t->arena, contact, "profile.name");
        return name ? name : jval_word (t->arena, contact, "profile.username");
    }
    return NULL;
}

/* A known type whose content reads, else unsupported with whatever was filled taken out. */
static void fill_content (inbound_t *in)
{
    in->event->kind = MESSAGING_KIND_UNSUPPORTED;
    for (size_t i = 0; i < sizeof inbound_rows / sizeof *inbound_rows; i++) {
        const inbound_row_t *row = &inbound_rows[i];
        if (!jval_is (in->item, "type", row->word))
            continue;
        if (row->fill (in, row->word, row->kind)) {
            in->event->kind = row->kind;
            return;
        }
    }
    *in->body = (messaging_body_t){0};
    if (jval_find (in->item, "errors.0").size)
        in->event->fault =
            meta_fault (in->t->arena, jval_find (in->item, "errors.0"), &in->event->native_text);
}

bool meta_inbound (turn_t *t, bytes_t value, bytes_t item, provider_event_t *out)
{
    messaging_body_t *body = arena_new_of (t->arena, messaging_body_t);
    const char *from = jval_word (t->arena, item, "from");
    if (!from)
        from = jval_word (t->arena, item, "from_user_id");
    *out = (provider_event_t){.news = NEWS_INBOUND, .whatsapp = true};
    out->provider_id = jval_word (t->arena, item, "id");
    out->number_ref = jval_code (t->arena, value, "metadata.phone_number_id");
    if (!body || !from || !out->provider_id || !out->number_ref ||
        jval_find (item, "group_id").size)
        return false;
    inbound_t in = {.t = t, .item = item, .event = out, .body = body};
    fill_content (&in);
    fill_context (&in);
    fill_referral (&in);
    out->at = meta_time (t, item, "timestamp");
    out->from = meta_e164 (t->arena, from);
    out->to = meta_e164 (t->arena, jval_word (t->arena, value, "metadata.display_phone_number"));
    out->contact_name = contact_name (t, value, from);
    if (out->kind == MESSAGING_KIND_TEXT && !body->context && !body->referral)
        return true;
    body->raw = item;
    out->body = body;
    return true;
}
