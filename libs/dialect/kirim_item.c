/* kirim_item.c - an inbound message in Meta's shape, from our own fields: for numbers that are not at Meta. Fails only for memory, which sticks to the buf. */
#include "dialect/kirim_event.h"

#include "gen/messaging.h"

static const schema_ctx_t plain = {0};

const char *kirim_digits (const char *number)
{
    return !number ? "" : *number == '+' ? number + 1 : number;
}

void kirim_member (buf_t *out, const char *name, const char *text)
{
    if (!text)
        return;
    buf_printf (out, ",\"%s\":", name);
    schema_json_string (out, text);
}

/* The same, as the first of an object. */
static void first_member (buf_t *out, const char *name, const char *text)
{
    buf_printf (out, "\"%s\":", name);
    schema_json_string (out, text ? text : "");
}

static void put_text (const messaging_content_t *in, buf_t *out)
{
    buf_add_str (out, ",\"text\":{");
    first_member (out, "body", in->text);
    buf_add_str (out, "}");
}

static void media_object (const char *word, const messaging_media_content_t *media, buf_t *out)
{
    char id[64];
    kirim_id_write ("media", false, media->media, id);
    buf_printf (out, ",\"%s\":{", word);
    first_member (out, "id", media->provider_id ? media->provider_id : id);
    kirim_member (out, "mime_type", media->mime_type);
    kirim_member (out, "sha256", media->sha256);
    kirim_member (out, "caption", media->caption);
    kirim_member (out, "filename", media->filename);
    kirim_member (out, "url", media->url);
    if (media->has & MESSAGING_MEDIA_CONTENT_HAS_VOICE)
        buf_printf (out, ",\"voice\":%s", media->voice ? "true" : "false");
    if (media->has & MESSAGING_MEDIA_CONTENT_HAS_ANIMATED)
        buf_printf (out, ",\"animated\":%s", media->animated ? "true" : "false");
    buf_add_str (out, "}");
}

static void put_image (const messaging_content_t *in, buf_t *out)
{
    if (in->media)
        media_object ("image", in->media, out);
}

static void put_video (const messaging_content_t *in, buf_t *out)
{
    if (in->media)
        media_object ("video", in->media, out);
}

static void put_document (const messaging_content_t *in, buf_t *out)
{
    if (in->media)
        media_object ("document", in->media, out);
}

static void put_audio (const messaging_content_t *in, buf_t *out)
{
    if (in->audio)
        media_object ("audio", in->audio, out);
}

static void put_sticker (const messaging_content_t *in, buf_t *out)
{
    if (in->sticker)
        media_object ("sticker", in->sticker, out);
}

static void put_struct (const char *word, const schema_type_t *type, const void *in, buf_t *out)
{
    if (!in)
        return;
    buf_printf (out, ",\"%s\":", word);
    schema_json_write (type, &plain, in, out);
}

static void put_location (const messaging_content_t *in, buf_t *out)
{
    put_struct ("location", &messaging_location_content_type, in->location, out);
}

static void put_contacts (const messaging_content_t *in, buf_t *out)
{
    const messaging_contact_card_t *cards = in->contacts.items;
    buf_add_str (out, ",\"contacts\":[");
    for (size_t i = 0; i < in->contacts.count; i++) {
        buf_add_str (out, i ? "," : "");
        schema_json_write (&messaging_contact_card_type, &plain, &cards[i], out);
    }
    buf_add_str (out, "]");
}

static void put_reaction (const messaging_content_t *in, buf_t *out)
{
    if (!in->reaction)
        return;
    buf_add_str (out, ",\"reaction\":{");
    first_member (out, "message_id", in->reaction->provider_id);
    kirim_member (out, "emoji", in->reaction->emoji);
    buf_add_str (out, "}");
}

static void put_interactive (const messaging_content_t *in, buf_t *out)
{
    const messaging_reply_told_t *said = in->interactive_reply;
    if (!said)
        return;
    const char *word = schema_enum_word (&messaging_reply_kind_enum, said->kind);
    const messaging_interactive_reply_t *reply = said->button_reply ? said->button_reply
                                                 : said->list_reply ? said->list_reply
                                                                    : said->nfm_reply;
    buf_printf (out, ",\"interactive\":{\"type\":\"%s\"", word);
    if (reply && said->nfm_reply) {
        buf_printf (out, ",\"%s\":{", word);
        first_member (out, "name", reply->name);
        kirim_member (out, "body", reply->body);
        kirim_member (out, "response_json", reply->response_json);
        buf_add_str (out, "}");
    } else if (reply) {
        buf_printf (out, ",\"%s\":{", word);
        first_member (out, "id", reply->id);
        kirim_member (out, "title", reply->title);
        kirim_member (out, "description", reply->description);
        buf_add_str (out, "}");
    }
    buf_add_str (out, "}");
}

static void put_button (const messaging_content_t *in, buf_t *out)
{
    put_struct ("button", &messaging_button_reply_type, in->button, out);
}

static void put_order (const messaging_content_t *in, buf_t *out)
{
    if (!in->order)
        return;
    const messaging_order_item_t *items = in->order->items.items;
    buf_add_str (out, ",\"order\":{");
    first_member (out, "catalog_id", in->order->catalog_id);
    kirim_member (out, "text", in->order->text);
    buf_add_str (out, ",\"product_items\":[");
    for (size_t i = 0; i < in->order->items.count; i++) {
        buf_add_str (out, i ? "," : "");
        schema_json_write (&messaging_order_item_type, &plain, &items[i], out);
    }
    buf_add_str (out, "]}");
}

static void put_system (const messaging_content_t *in, buf_t *out)
{
    if (!in->system)
        return;
    buf_printf (out, ",\"system\":{\"type\":\"%s\"",
                schema_enum_word (&messaging_system_kind_enum, in->system->kind));
    kirim_member (out, "body", in->system->body);
    kirim_member (out, "wa_id", in->system->wa_id);
    buf_add_str (out, "}");
}

static void put_unsupported (const messaging_content_t *in, buf_t *out)
{
    (void) in;
    buf_add_str (out, ",\"errors\":[{\"code\":131051,\"title\":\"Message type unknown\","
                      "\"message\":\"Message type unknown\",\"error_data\":{\"details\":"
                      "\"Message type is currently not supported.\"}}]");
}

static const struct {
    int32_t kind;
    const char *word;
    void (*put) (const messaging_content_t *in, buf_t *out);
} kinds[] = {
    {MESSAGING_KIND_TEXT, "text", put_text},
    {MESSAGING_KIND_IMAGE, "image", put_image},
    {MESSAGING_KIND_VIDEO, "video", put_video},
    {MESSAGING_KIND_DOCUMENT, "document", put_document},
    {MESSAGING_KIND_AUDIO, "audio", put_audio},
    {MESSAGING_KIND_STICKER, "sticker", put_sticker},
    {MESSAGING_KIND_LOCATION, "location", put_location},
    {MESSAGING_KIND_CONTACTS, "contacts", put_contacts},
    {MESSAGING_KIND_REACTION, "reaction", put_reaction},
    {MESSAGING_KIND_INTERACTIVE, "interactive", put_interactive},
    {MESSAGING_KIND_BUTTON, "button", put_button},
    {MESSAGING_KIND_ORDER, "order", put_order},
    {MESSAGING_KIND_SYSTEM, "system", put_system},
    {MESSAGING_KIND_UNSUPPORTED, "unsupported", put_unsupported},
};

static void put_context (const messaging_context_content_t *context, buf_t *out)
{
    bool quotes = context->provider_id != NULL;
    buf_add_str (out, ",\"context\":{");
    if (quotes) {
        first_member (out, "id", context->provider_id);
        kirim_member (out, "from", context->from ? kirim_digits (context->from) : NULL);
    }
    if (context->forwarded)
        buf_printf (out, "%s\"forwarded\":true", quotes ? "," : "");
    if (context->frequently_forwarded)
        buf_printf (out, "%s\"frequently_forwarded\":true",
                    quotes || context->forwarded ? "," : "");
    buf_add_str (out, "}");
}

void kirim_item_write (const kirim_relay_t *relay, buf_t *out)
{
    const messaging_content_t *in = relay->content;
    size_t row = 0;
    while (row + 1 < sizeof kinds / sizeof *kinds && kinds[row].kind != in->kind)
        row++;
    buf_add_str (out, "{");
    first_member (out, "from", kirim_digits (in->from));
    kirim_member (out, "id", relay->provider_id);
    buf_printf (out, ",\"timestamp\":\"%lld\"", (long long) (relay->at / 1000));
    kirim_member (out, "type", kinds[row].word);
    kinds[row].put (in, out);
    if (in->context)
        put_context (in->context, out);
    put_struct ("referral", &messaging_referral_content_type, in->referral, out);
    buf_add_str (out, "}");
}
