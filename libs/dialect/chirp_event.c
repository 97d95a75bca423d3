/* chirp_event.c - Chirp's webhook payloads: {event, eventId, timestamp, data: {message, error?, app}}.
 *
 * The message is written through the event row's view. On failed events the error stands at data.error and at data.message.error, since
 * the documentation leaves open which of the two clients read. */
#include "dialect/chirp.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

/* The union of the names that Chirp's pages list for subscriptions (its reference, its calling guide, and by action alone). */
const char *const chirp_event_names[] = {
    "messages.sms.received",
    "messages.sms.sent",
    "messages.sms.delivered",
    "messages.sms.failed",
    "messages.whatsapp.received",
    "messages.whatsapp.sent",
    "messages.whatsapp.delivered",
    "messages.whatsapp.read",
    "messages.whatsapp.failed",
    "templates.whatsapp.created",
    "templates.whatsapp.updated",
    "templates.whatsapp.deleted",
    "templates.whatsapp.connected",
    "contacts.whatsapp.created",
    "contacts.whatsapp.updated",
    "contacts.whatsapp.deleted",
    "whatsapp.account.connected",
    "whatsapp.account.disconnected",
    "calls.initiated",
    "calls.answered",
    "calls.completed",
    "calls.failed",
    "calls.recording.completed",
    "calls.voicemail.received",
    "contacts.whatsapp.preferences_updated",
    "contacts.whatsapp.conversion",
    "groups.whatsapp.created",
    "groups.whatsapp.deleted",
    "groups.whatsapp.suspended",
    "groups.whatsapp.participants_added",
    "groups.whatsapp.participants_removed",
    "groups.whatsapp.participants_left",
    "groups.whatsapp.join_request_created",
    "groups.whatsapp.join_request_revoked",
    "groups.whatsapp.settings_updated",
    "whatsapp.account.alert",
    "whatsapp.waba.review_updated",
    "whatsapp.waba.capability_updated",
    "whatsapp.phone_number.name_updated",
    "whatsapp.phone_number.quality_changed",
    "whatsapp.phone_number.security_event",
    "whatsapp.phone_number.deregistered",
    "whatsapp.partner_solution.updated",
    "whatsapp.payment_configuration.updated",
    "calls.ringing",
    "calls.no_answer",
    "calls.participant.joined",
    "calls.participant.left",
    NULL,
};

/* The error of a failed event; false if the event is none. A failure whose reason got lost still says that it is one. */
static bool failed_error (const schema_public_event_t *row, const void *body, chirp_error_t *out)
{
    if (row->core->type != &messaging_message_status_type)
        return false;
    const messaging_message_status_t *event = body;
    if (event->status != MESSAGING_STATUS_FAILED)
        return false;
    const messaging_error_told_t *error = event->error ? event->error : event->message->error;
    *out = (chirp_error_t){.code = E_MESSAGE_UNDELIVERABLE};
    if (error)
        *out = (chirp_error_t){
            .code = (int) error->code, .text = error->message, .provider = error->provider};
    return true;
}

static void add_app (const messaging_app_ref_t *app, buf_t *out)
{
    char id[64];
    chirp_id_write ("app", app->test, app->id, id);
    buf_printf (out, ",\"app\":{\"id\":\"%s\"", id);
    if (app->name) {
        buf_add_str (out, ",\"name\":");
        schema_json_string (out, app->name);
    }
    buf_add_str (out, "}");
}

/* data.message; with an error its closing brace is put off until that is in. */
static void add_message (const dialect_t *d, const schema_public_event_t *row,
                         const journal_event_t *event, const void *body, const chirp_error_t *error,
                         buf_t *out)
{
    schema_ctx_t ctx = dialect_ctx (d, event->test);
    buf_add_str (out, "\"data\":{\"message\":");
    schema_json_write (row->view, &ctx, schema_event_part (row, body), out);
    if (!error || buf_failed (out) || out->size == 0)
        return;
    out->size--;
    buf_add_str (out, ",\"error\":");
    chirp_error_object (d, error, out);
    buf_add_str (out, "},\"error\":");
    chirp_error_object (d, error, out);
}

int chirp_event_render (const dialect_t *d, const schema_public_event_t *row,
                        const journal_event_t *event, const void *body, const dialect_how_t *how,
                        dialect_rendered_t *rendered, buf_t *out)
{
    char at[CLOCK_ISO_SIZE], docs_url[512];
    chirp_error_t error;
    bool failed = failed_error (row, body, &error);
    snprintf (docs_url, sizeof docs_url, "%s/docs", how->public_url ? how->public_url : "");
    error.docs_url = how->public_url ? docs_url : NULL;
    chirp_id_write ("evt", false, event->id, rendered->event_id);
    clock_write_iso (how->now, at);
    buf_printf (out, "{\"event\":\"%s\",\"eventId\":\"%s\",\"timestamp\":\"%s\",", row->name,
                rendered->event_id, at);
    add_message (d, row, event, body, failed ? &error : NULL, out);
    add_app (how->app, out);
    buf_add_str (out, "}}");
    return buf_failed (out) ? E_NO_MEMORY : 0;
}
