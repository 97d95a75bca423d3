/* telnyx_callback.c - Telnyx's webhooks: whether they are Telnyx's, and what they say.
 *
 * The signature (Ed25519 over "timestamp|raw body") fails closed: without a key, a header, or within five minutes nothing is taken. Reading fails with
 * E_BAD_REQUEST on what is no event of Telnyx, and on an event of ours that lacks what makes it one; other events of Telnyx say nothing to us.
 * Duplicates and disorder are normal here: statuses only move forward and messages are known by Telnyx's id. */
#include "provider/telnyx.h"

#include "base/text.h"
#include "provider/json.h"
#include <stdlib.h>

enum { AGE_MAX_MS = 5 * 60 * 1000, KEY_SIZE = 32, SIGNATURE_SIZE = 64 };

/* ---- is it Telnyx's? ---- */

static const char *header_of (const provider_callback_t *callback, const char *name)
{
    for (size_t i = 0; i < callback->headers.count; i++)
        if (strcmp (callback->headers.pairs[i].key, name) == 0)
            return callback->headers.pairs[i].value;
    return NULL;
}

static int refuse (provider_verdict_t *out, int status, const char *reason)
{
    *out = (provider_verdict_t){.status = status,
                                .content_type = "text/plain; charset=utf-8",
                                .answer = "refused\n",
                                .reason = reason};
    return 0;
}

/* Exactly `size` bytes of base64? */
static bool read_exactly (const char *text, uint8_t *out, size_t size)
{
    return text && text_read_base64 (text, strlen (text), out, size) == (long) size;
}

static bool read_seconds (const char *text, int64_t *out)
{
    size_t length = strspn (text, "0123456789");
    if (length == 0 || length > 12 || text[length])
        return false;
    *out = strtoll (text, NULL, 10);
    return true;
}

static bool is_signed (turn_t *t, const char *timestamp, bytes_t body, const uint8_t key[KEY_SIZE],
                       const uint8_t signature[SIGNATURE_SIZE])
{
    buf_t text = buf_in (t->arena);
    buf_add_str (&text, timestamp);
    buf_add_byte (&text, '|');
    buf_add (&text, body.data, body.size);
    return !buf_failed (&text) && sign_ed25519_verify (key, buf_bytes (&text), signature);
}

int telnyx_verify (turn_t *t, const provider_account_t *account,
                   const provider_callback_t *callback, provider_verdict_t *out)
{
    uint8_t key[KEY_SIZE], signature[SIGNATURE_SIZE];
    int64_t seconds;
    const char *timestamp = header_of (callback, "telnyx-timestamp");
    const char *signed_by = header_of (callback, "telnyx-signature-ed25519");
    if (!callback->method || strcmp (callback->method, "POST") != 0)
        return refuse (out, 405, "not a POST");
    if (!account || !account->public_key || !*account->public_key)
        return refuse (out, 403, "the carrier account has no public key");
    if (!read_exactly (account->public_key, key, sizeof key))
        return refuse (out, 403, "the carrier account's public key is not base64 of 32 bytes");
    if (!timestamp)
        return refuse (out, 401, "no telnyx-timestamp header");
    if (!signed_by)
        return refuse (out, 401, "no telnyx-signature-ed25519 header");
    if (!read_seconds (timestamp, &seconds))
        return refuse (out, 401, "telnyx-timestamp is not a time in seconds");
    if (llabs (callback->now - seconds * 1000) > AGE_MAX_MS)
        return refuse (out, 401, "telnyx-timestamp is more than five minutes off");
    if (!read_exactly (signed_by, signature, sizeof signature))
        return refuse (out, 401, "telnyx-signature-ed25519 is not base64 of 64 bytes");
    if (!is_signed (t, timestamp, callback->body, key, signature))
        return refuse (out, 401, "the signature is not of this body, time and key");
    *out = (provider_verdict_t){
        .status = 200, .content_type = "text/plain; charset=utf-8", .answer = "ok\n", .take = true};
    return 0;
}

/* ---- what does it say? ---- */

typedef struct reading {
    bytes_t data; /* the envelope's `data` */
    bytes_t payload;
    int (*each) (turn_t *t, const provider_event_t *event, void *context);
    void *context;
} reading_t;

/* A person or number: an object with phone_number, in old samples the number itself. */
static const char *phone_of (turn_t *t, bytes_t party)
{
    const char *number = jval_word (t->arena, party, "phone_number");
    return number ? number : jval_word (t->arena, party, "");
}

/* The first of these fields that is a time; else when the event says it happened; else now. */
static int64_t time_of (turn_t *t, const reading_t *in, const char *const fields[2])
{
    int64_t at;
    for (size_t i = 0; i < 2; i++)
        if (fields[i] && jval_time (in->payload, fields[i], &at))
            return at;
    return jval_time (in->data, "occurred_at", &at) ? at : t->now;
}

/* ---- receipts ---- */

/* What a recipient's status says when the message is final. Telnyx's detail records use other words for some: both are here.
 * No receipt from the carrier (unconfirmed, dlr_*) means sent, not failed. */
static const struct status_row {
    const char *word;
    provider_news_t news;
    const char *native; /* of a failure without errors */
} statuses[] = {
    {"sent", NEWS_SENT, NULL},
    {"delivered", NEWS_DELIVERED, NULL},
    {"webhook_delivered", NEWS_DELIVERED, NULL},
    {"delivery_unconfirmed", NEWS_SENT, NULL},
    {"dlr_unconfirmed", NEWS_SENT, NULL},
    {"dlr_timeout", NEWS_SENT, NULL},
    {"gw_timeout", NEWS_SENT, NULL},
    {"sending_failed", NEWS_FAILED, "40008"},
    {"delivery_failed", NEWS_FAILED, "40008"},
    {"failed", NEWS_FAILED, "40008"},
    {"gw_reject", NEWS_FAILED, "40004"},
    {"expired", NEWS_FAILED, "40005"},
};

static const struct status_row *status_row (bytes_t recipient)
{
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        if (jval_is (recipient, "status", statuses[i].word))
            return &statuses[i];
    return NULL;
}

static int tell_status (turn_t *t, const reading_t *in, bytes_t recipient, provider_news_t news,
                        const char *native)
{
    static const char *const sent_at[2] = {"sent_at", NULL};
    static const char *const ended_at[2] = {"completed_at", "sent_at"};
    provider_event_t event = {
        .news = news,
        .provider_id = jval_word (t->arena, in->payload, "id"),
        .at = time_of (t, in, news == NEWS_SENT ? sent_at : ended_at),
        .from = phone_of (t, jval_find (in->payload, "from")),
        .to = phone_of (t, recipient),
    };
    event.number_ref = event.from;
    if (!event.provider_id)
        return fail (t, E_BAD_REQUEST, "data.payload.id", "A receipt without the message's id");
    if (news == NEWS_FAILED)
        event.fault = telnyx_fault (t->arena, in->payload, &event.native_text);
    if (news == NEWS_FAILED && !event.fault)
        event.fault = provider_fault (false, native);
    return in->each (t, &event, in->context);
}

/* `told` is what the event's name says by itself; 0 if only the recipients' statuses say it. */
static int read_receipt (turn_t *t, const reading_t *in, provider_news_t told)
{
    bytes_t recipient = {0};
    jval_list_t to = jval_list (in->payload, "to");
    if (jval_is (in->payload, "direction", "inbound"))
        return 0;
    bool failed = jval_find (in->payload, "errors.0").size > 0;
    if (to.left == 0 && (told || failed))
        return tell_status (t, in, recipient, told ? told : NEWS_FAILED, "40008");
    while (jval_next (&to, &recipient)) {
        const struct status_row *row = status_row (recipient);
        provider_news_t news = row ? row->news : told;
        if (!news && failed)
            news = NEWS_FAILED;
        if (news < told && news != 0)
            news = told;
        int code = news ? tell_status (t, in, recipient, news, row ? row->native : "40008") : 0;
        if (code)
            return code;
    }
    return 0;
}

static int read_sent (turn_t *t, const reading_t *in)
{
    return read_receipt (t, in, NEWS_SENT);
}

static int read_delivered (turn_t *t, const reading_t *in)
{
    return read_receipt (t, in, NEWS_DELIVERED);
}

static int read_finalized (turn_t *t, const reading_t *in)
{
    return read_receipt (t, in, 0);
}

/* ---- what people write ---- */

static bool read_media (turn_t *t, bytes_t item, messaging_media_content_t *out)
{
    *out = (messaging_media_content_t){
        .url = jval_word (t->arena, item, "url"),
        .mime_type = jval_word (t->arena, item, "content_type"),
        .sha256 = jval_word (t->arena, item, "sha256"),
    };
    if (!out->sha256)
        out->sha256 = jval_word (t->arena, item, "hash_sha256");
    if (!jval_int (item, "size", &out->size) || out->size < 0)
        out->size = 0;
    return out->url != NULL;
}

/* NULL without attachments. */
static const messaging_body_t *read_body (turn_t *t, bytes_t payload)
{
    jval_list_t media = jval_list (payload, "media");
    if (media.left == 0)
        return NULL;
    messaging_body_t *body = arena_new_of (t->arena, messaging_body_t);
    messaging_media_content_t *items =
        arena_array_of (t->arena, messaging_media_content_t, media.left);
    bytes_t item;
    body->media_list.items = items;
    while (jval_next (&media, &item))
        body->media_list.count += read_media (t, item, items + body->media_list.count);
    return body->media_list.count ? body : NULL;
}

/* A group message names several numbers in `to`; which of them are ours only messaging knows, so each is told. */
static int read_received (turn_t *t, const reading_t *in)
{
    static const char *const received_at[2] = {"received_at", NULL};
    provider_event_t event = {
        .news = NEWS_INBOUND,
        .provider_id = jval_word (t->arena, in->payload, "id"),
        .at = time_of (t, in, received_at),
        .from = phone_of (t, jval_find (in->payload, "from")),
        .text = jval_word (t->arena, in->payload, "text"),
        .subject = jval_word (t->arena, in->payload, "subject"),
        .body = read_body (t, in->payload),
        .autoresponse = jval_word (t->arena, in->payload, "autoresponse_type"),
    };
    bool mms = event.body || jval_is (in->payload, "type", "MMS");
    event.kind = mms ? MESSAGING_KIND_MMS : MESSAGING_KIND_SMS;
    if (!event.provider_id || !event.from)
        return fail (t, E_BAD_REQUEST, "data.payload", "A message without its id or sender");
    bytes_t to;
    unsigned told = 0;
    jval_list_t numbers = jval_list (in->payload, "to");
    while (jval_next (&numbers, &to)) {
        event.to = event.number_ref = phone_of (t, to);
        int code = event.to ? in->each (t, &event, in->context) : 0;
        if (code)
            return code;
        told += event.to != NULL;
    }
    return told ? 0
                : fail (t, E_BAD_REQUEST, "data.payload.to", "A message without a number of ours");
}

int telnyx_parse (turn_t *t, bytes_t raw,
                  int (*each) (turn_t *t, const provider_event_t *event, void *context),
                  void *context)
{
    static const struct {
        const char *event_type;
        int (*read) (turn_t *t, const reading_t *in);
    } rows[] = {
        {"message.sent", read_sent},
        {"message.finalized", read_finalized},
        {"message.delivered", read_delivered},
        {"message.received", read_received},
    };
    bytes_t root = {0};
    int code = jval_read (t->arena, raw, &root, &t->failure);
    if (code)
        return code;
    reading_t in = {.data = jval_find (root, "data"), .each = each, .context = context};
    const char *type = jval_word (t->arena, in.data, "event_type");
    if (!type)
        return fail (t, E_BAD_REQUEST, "data.event_type", "Not a webhook of Telnyx");
    in.payload = jval_find (in.data, "payload");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp (rows[i].event_type, type) == 0)
            return jval_is_map (in.payload, "")
                       ? rows[i].read (t, &in)
                       : fail (t, E_BAD_REQUEST, "data.payload", "An event without payload");
    return 0;
}
