/* explain.c - what messaging kept about a message or a recipient. */
#include "gen/accounts.h"
#include "messaging.h"
#include <string.h>

typedef struct telling {
    turn_t *t;
    const svc_explain_t *out;
    id16_t number;    /* of the message */
    int64_t accepted; /* the message */
    bool sms;
} telling_t;

static const char *word (const schema_enum_t *e, int32_t value)
{
    return schema_enum_word (e, value);
}

static void tell (const telling_t *self, int64_t at, const char *what, const char *detail)
{
    self->out->line (self->out->context, at, what, detail ? detail : "");
}

static void tell_message (const telling_t *self, const messaging_message_t *message)
{
    const char *const *to = message->to.items;
    char id[ID_UUID_LENGTH + 1];
    id_write_uuid (message->id, id);
    bool out = message->direction == MESSAGING_DIRECTION_OUTBOUND;
    tell (self, message->created_at, out ? "accepted" : "received",
          arena_printf (self->t->arena, "%s %s from %s to %s%s, %s carrier, id %s%s%s%s%s",
                        word (&accounts_channel_enum, message->channel),
                        word (&messaging_kind_enum, message->kind), message->from,
                        message->to.count ? to[0] : "?", message->to.count > 1 ? " and others" : "",
                        word (&accounts_carrier_enum, message->carrier), id,
                        message->request_id ? ", request " : "",
                        message->request_id ? message->request_id : "",
                        message->trace ? ", trace " : "", message->trace ? message->trace : ""));
}

/* What it holds, without showing it: kinds and sizes; of a file's name its ending. */
static const char *file_shown (const telling_t *self, const messaging_media_content_t *file)
{
    const char *ending = file->filename ? strrchr (file->filename, '.') : NULL;
    char id[ID_UUID_LENGTH + 1];
    id_write_uuid (file->media, id);
    return arena_printf (
        self->t->arena, "%s of %lld bytes%s%s%s%s%s%s", file->mime_type ? file->mime_type : "file",
        (long long) file->size, file->filename ? ", name ***" : "", ending ? ending : "",
        id_is_nil (file->media) ? "" : ", id ", id_is_nil (file->media) ? "" : id,
        file->caption ? ", with a caption" : "",
        file->provider_id ? arena_printf (self->t->arena, ", carrier's id %s", file->provider_id)
                          : "");
}

static const char *content_shown (const telling_t *self, const messaging_message_t *message)
{
    const messaging_body_t *body = message->body;
    if (body->media)
        return file_shown (self, body->media);
    if (body->media_list.count)
        return arena_printf (self->t->arena, "%zu attachments", body->media_list.count);
    if (body->contacts.count)
        return arena_printf (self->t->arena, "%zu contacts", body->contacts.count);
    if (body->template)
        return arena_printf (self->t->arena, "template %s in %s, %zu variables",
                             body->template->name, body->template->language,
                             body->template->variables.count);
    if (body->interactive)
        return word (&messaging_interactive_kind_enum, body->interactive->kind);
    if (body->interactive_reply)
        return word (&messaging_reply_kind_enum, body->interactive_reply->kind);
    if (body->system)
        return word (&messaging_system_kind_enum, body->system->kind);
    return body->reaction
               ? (body->reaction->emoji && *body->reaction->emoji ? "a reaction"
                                                                  : "a reaction taken back")
               : NULL;
}

static void tell_content (const telling_t *self, const messaging_message_t *message)
{
    const char *shown = message->body ? content_shown (self, message) : NULL;
    if (shown)
        tell (self, message->created_at, "content", shown);
    if (message->body && message->body->context)
        tell (self, message->created_at, "content", "quotes or forwards another message");
    if (message->keyword)
        tell (self, message->created_at, "keyword",
              word (&messaging_keyword_enum, message->keyword));
    if (message->read_at)
        tell (self, message->read_at, "marked read", "at the carrier, as the app asked");
}

static void tell_optout (const telling_t *self, const messaging_optout_t *row)
{
    tell (self, row->at, "opted out",
          arena_printf (self->t->arena, "%s wants no messages from %s", row->peer, row->number));
}

static void tell_attempts (const telling_t *self, const messaging_recipient_t *recipient)
{
    const messaging_attempt_t *attempts = recipient->attempts.items;
    for (size_t i = 0; i < recipient->attempts.count; i++)
        tell (self, attempts[i].at, "attempt",
              arena_printf (self->t->arena, "%s: %s after %d ms%s%s%s", recipient->to,
                            attempts[i].code ? error_name ((int) attempts[i].code) : "answered",
                            (int) attempts[i].duration_ms,
                            attempts[i].status ? arena_printf (self->t->arena, ", HTTP %d",
                                                               (int) attempts[i].status)
                                               : "",
                            attempts[i].text && *attempts[i].text ? ", " : "",
                            attempts[i].text ? attempts[i].text : ""));
}

/* A carrier's time, which may be cut to whole seconds: what follows from the sending is not told before it. */
static int64_t carrier_time (const telling_t *self, const messaging_recipient_t *recipient,
                             int64_t at)
{
    int64_t before = recipient->sent_at ? recipient->sent_at : self->accepted;
    return at && at < before && before - at < 1000 ? before : at;
}

static void tell_receipts (const telling_t *self, const messaging_recipient_t *recipient)
{
    const messaging_receipt_note_t *receipts = recipient->receipts.items;
    for (size_t i = 0; i < recipient->receipts.count; i++)
        tell (self, carrier_time (self, recipient, receipts[i].at), "receipt",
              arena_printf (self->t->arena, "%s: carrier says %s%s", recipient->to,
                            word (&messaging_status_enum, receipts[i].status),
                            receipts[i].ignored ? ", which changes nothing" : ""));
}

static const char *error_shown (const telling_t *self, const messaging_send_error_t *error)
{
    const messaging_provider_error_t *provider = error->provider;
    if (!provider || !provider->source || !provider->code)
        return arena_printf (self->t->arena, ", %s", error->message ? error->message : "");
    return arena_printf (self->t->arena, ", %s (%s %s)", error->message ? error->message : "",
                         provider->source, provider->code);
}

static void tell_step (const telling_t *self, const messaging_recipient_t *recipient, int64_t at,
                       const char *what)
{
    char id[ID_UUID_LENGTH + 1];
    id_write_uuid (recipient->id, id);
    if (at)
        tell (self, carrier_time (self, recipient, at), what,
              arena_printf (self->t->arena, "%s, recipient %s%s%s%s", recipient->to, id,
                            recipient->provider_id ? ", provider id " : "",
                            recipient->provider_id ? recipient->provider_id : "",
                            recipient->error ? error_shown (self, recipient->error) : ""));
}

/* In the order in which things happen, which stays where times are equal. */
static void tell_status (const telling_t *self, const messaging_recipient_t *recipient)
{
    tell_step (self, recipient, recipient->sent_at, "sent");
    tell_receipts (self, recipient);
    tell_step (self, recipient, recipient->delivered_at, "delivered");
    tell_step (self, recipient, recipient->read_at, "read");
    tell_step (self, recipient, recipient->failed_at, "failed");
    if (!recipient->sent_at && !recipient->failed_at)
        tell (self, self->t->now, "waiting",
              arena_printf (self->t->arena, "%s is %s", recipient->to,
                            word (&messaging_status_enum, recipient->status)));
}

static int tell_recipient (void *context, const void *row)
{
    const telling_t *self = context;
    const messaging_recipient_t *recipient = row;
    messaging_optout_t optout = {0};
    if (self->sms && optout_holds (self->t, self->number, recipient->to, &optout))
        tell_optout (self, &optout);
    tell_attempts (self, row);
    tell_status (self, row);
    return 0;
}

int messaging_explain (turn_t *t, id16_t id, const svc_explain_t *out)
{
    telling_t telling = {.t = t, .out = out};
    messaging_recipient_t recipient = {0};
    if (store_get_any (t->txn, &messaging_recipient_record, id, t->arena, &recipient) == 0)
        id = recipient.message;
    messaging_message_t message = {0};
    int code = store_get_any (t->txn, &messaging_message_record, id, t->arena, &message);
    if (code)
        return code == E_NOT_FOUND ? callbacks_explain (t, id, out) : code;
    telling.number = message.number;
    telling.accepted = message.created_at;
    telling.sms = message.channel == ACCOUNTS_CHANNEL_SMS;
    tell_message (&telling, &message);
    tell_content (&telling, &message);
    store_key_t key = {.id = id};
    store_page_t page = {.index = "by_message", .keys = &key, .key_count = 1, .limit = 100};
    bool more = false;
    return store_list (t->txn, &messaging_recipient_record, &page, t->arena, tell_recipient,
                       &telling, &more);
}
