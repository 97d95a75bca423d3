/* kirim_event.c - Kirim's webhook payloads: the carrier's own bodies for messages and their statuses, envelopes {id, type, created_at, livemode, data} for the rest.
 *
 * What Meta told in a call of its own goes on byte for byte; anything else is one body for each message or status, so that the event's id names one thing. */
#include "dialect/kirim_event.h"

#include "base/clock.h"
#include "gen/inbox.h"
#include "gen/messaging.h"

#include <stdio.h>
#include <string.h>

const char *const kirim_event_names[] = {
    "message.received", "message.status",  "conversation.assigned", "conversation.closed",
    "contact.created",  "contact.updated", "message.created",       NULL,
};

/* The length of an id that takes its place when the delivery is known. */
static const char unknown_delivery[] = "wbd_00000000000000000000000000";

bool kirim_event_is_relayed (const char *name)
{
    return strcmp (name, "message.received") == 0 || strcmp (name, "message.status") == 0;
}

/* ---- bodies of the carrier ---- */

static const char *status_word (int32_t status)
{
    return status == MESSAGING_STATUS_SENT        ? "sent"
           : status == MESSAGING_STATUS_DELIVERED ? "delivered"
           : status == MESSAGING_STATUS_READ      ? "read"
                                                  : "failed";
}

/* What is relayed of the event; *call: the whole body that the carrier sent. */
static kirim_relay_t relay_of (const journal_event_t *event, const void *body, bytes_t *call)
{
    if (event->event->type == &messaging_message_received_type) {
        const messaging_message_received_t *in = body;
        const messaging_content_t *m = in->message;
        *call = in->call;
        return (kirim_relay_t){.content = m,
                               .thread = in->thread,
                               .provider_id = in->provider_id,
                               .raw = m->raw,
                               .at = m->received_at ? m->received_at : event->at};
    }
    const messaging_message_status_t *in = body;
    *call = in->call;
    return (kirim_relay_t){.content = in->message,
                           .thread = in->thread,
                           .provider_id = in->provider_id,
                           .status = status_word (in->status),
                           .error = in->error ? in->error : in->message->error,
                           .raw = in->raw,
                           .at = in->at                     ? in->at
                                 : in->message->occurred_at ? in->message->occurred_at
                                                            : event->at};
}

static const char *media_url (const messaging_content_t *m)
{
    return m->media     ? m->media->url
           : m->audio   ? m->audio->url
           : m->sticker ? m->sticker->url
                        : NULL;
}

/* Before the last brace of what was written: an object of ours. */
static void extras_add (const kirim_relay_t *relay, size_t *mark, buf_t *out)
{
    char id[64];
    const messaging_content_t *m = relay->content;
    while (out->size && strchr (" \t\r\n", out->data[out->size - 1]))
        out->size--;
    if (!out->size || out->data[out->size - 1] != '}')
        return;
    out->size--;
    buf_add_str (out, ",\"kirim\":{\"delivery_id\":\"");
    *mark = out->size;
    buf_printf (out, "%s\"", unknown_delivery);
    if (relay->thread) {
        kirim_id_write ("cnv", false, relay->thread->conversation, id);
        kirim_member (out, "conversation_id", id);
        kirim_id_write ("ctc", false, relay->thread->contact, id);
        kirim_member (out, "contact_id", id);
    }
    if (m->media || m->audio || m->sticker) {
        kirim_member (out, "media_url", media_url (m));
        kirim_member (out, "media_status", media_url (m) ? "ready" : "pending");
    }
    buf_add_str (out, "}}");
}

static void relay_render (const journal_event_t *event, const void *body, const dialect_how_t *how,
                          dialect_rendered_t *rendered, buf_t *out)
{
    char own[64];
    bytes_t call;
    kirim_relay_t relay = relay_of (event, body, &call);
    kirim_id_write ("msg", false, relay.content->id, own);
    if (!relay.provider_id || !*relay.provider_id)
        relay.provider_id = own; /* it failed before any carrier gave it an id */
    bool tells = relay.status && how->status_in_event_id;
    snprintf (rendered->event_id, sizeof rendered->event_id, "%s%s%s", relay.provider_id,
              tells ? ":" : "", tells ? relay.status : "");
    if (call.size)
        buf_add (out, call.data, call.size);
    else
        kirim_relay_write (&relay, out);
    if (how->extras)
        extras_add (&relay, &rendered->mark, out);
}

/* ---- envelopes of ours ---- */

/* data: {"message": {...}}, to which the thread adds its conversation. */
static void message_data (const schema_public_event_t *row, const schema_ctx_t *ctx,
                          const messaging_message_accepted_t *in, buf_t *out)
{
    char id[64];
    buf_add_str (out, "{\"message\":");
    schema_json_write (row->view, ctx, in->message, out);
    if (in->thread && !buf_failed (out) && out->size) {
        out->size--;
        kirim_id_write ("cnv", false, in->thread->conversation, id);
        kirim_member (out, "conversation_id", id);
        buf_add_str (out, "}");
    }
    buf_add_str (out, "}");
}

static void envelope_render (const dialect_t *d, const schema_public_event_t *row,
                             const journal_event_t *event, const void *body,
                             dialect_rendered_t *rendered, buf_t *out)
{
    char at[CLOCK_ISO_SIZE];
    schema_ctx_t ctx = dialect_ctx (d, event->test);
    kirim_id_write ("evt", false, event->id, rendered->event_id);
    clock_write_iso (event->at, at);
    buf_printf (out,
                "{\"id\":\"%s\",\"type\":\"%s\",\"created_at\":\"%s\",\"livemode\":%s,\"data\":",
                rendered->event_id, row->name, at, event->test ? "false" : "true");
    if (event->event->type == &messaging_message_accepted_type)
        message_data (row, &ctx, body, out);
    else
        schema_json_write (row->view, &ctx, body, out);
    buf_add_str (out, "}");
}

int kirim_event_render (const dialect_t *d, const schema_public_event_t *row,
                        const journal_event_t *event, const void *body, const dialect_how_t *how,
                        dialect_rendered_t *rendered, buf_t *out)
{
    if (kirim_event_is_relayed (row->name))
        relay_render (event, body, how, rendered, out);
    else
        envelope_render (d, row, event, body, rendered, out);
    return buf_failed (out) ? E_NO_MEMORY : 0;
}
