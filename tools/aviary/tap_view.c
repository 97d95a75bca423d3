/* tap_view.c - filtering and showing envelopes. Pure; bodies that do not fit their type show as their size. */
#include "tap_view.h"

#include "base/clock.h"
#include "gen/common.h"
#include "json.h"
#include "schema/schema.h"
#include "spelling.h"

#include <stdio.h>
#include <string.h>

enum { EVENTS_MEMORY = 8 << 20 };

/* "messaging#2.sms_send" and "messaging.sms_send" are the same operation. */
static const schema_op_t *op_find (const char *target, char plain[ENVELOPE_TARGET_MAX + 1])
{
    envelope_target_t parts;
    plain[0] = '\0';
    if (!envelope_target_read (bytes_of_str (target), &parts))
        return NULL;
    size_t service = parts.service.size, size = service + 1 + parts.op.size;
    memcpy (plain, parts.service.data, service);
    plain[service] = '.';
    memcpy (plain + service + 1, parts.op.data, parts.op.size);
    plain[size] = '\0'; /* no longer than the target */
    return schema_op_find (plain, size);
}

/* Ops of every service. */
static const char *const chatter[] = {"journal_read", "snapshot_read", "ping", "metrics", "health"};

enum { CHATTER = sizeof chatter / sizeof chatter[0] };

_Static_assert((int) CHATTER <= (int) SIEVE_WITHOUT, "a sieve names them all");

static bool is_chatter (const schema_op_t *op, const char *plain)
{
    for (size_t i = 0; op && i < CHATTER; i++)
        if (!strcmp (op->service, "common") && !strcmp (op->name, chatter[i]))
            return true;
    return !strcmp (plain, "broker.status");
}

static void subjects_spell (const char *subject, tap_sieve_t *out)
{
    id16_t id;
    out->sieve.subjects[out->sieve.subject_count++] = bytes_of_str (subject);
    if (!spelling_read (subject, &id))
        return;
    id_write_ksuid (id, out->spelled[0]);
    id_write_crockford (id, out->spelled[1]);
    id_write_uuid (id, out->spelled[2]);
    for (int i = 0; i < 3; i++)
        out->sieve.subjects[out->sieve.subject_count++] = bytes_of_str (out->spelled[i]);
}

void tap_sieve (const tap_filter_t *self, const char *service, tap_sieve_t *out)
{
    *out = (tap_sieve_t){.sieve.service = bytes_of_str (service)};
    const char *op = self->op ? strrchr (self->op, '.') : NULL;
    if (op)
        out->sieve.op = bytes_of_str (op + 1);
    for (size_t i = 0; !self->op && !self->all && i < CHATTER; i++)
        out->sieve.without[out->sieve.without_count++] = bytes_of_str (chatter[i]);
    if (self->tenant_given)
        out->sieve.org = self->tenant;
    if (self->trace)
        out->sieve.trace = bytes_of_str (self->trace);
    if (self->subject)
        subjects_spell (self->subject, out);
}

static bool subject_fits (const char *wanted, const char *subject)
{
    id16_t a, b;
    if (!subject)
        return false;
    return !strcmp (wanted, subject) ||
           (spelling_read (wanted, &a) && spelling_read (subject, &b) && id_equal (a, b));
}

static bool ask_fits (const tap_filter_t *self, const envelope_t *e)
{
    return (!self->tenant_given || id_equal (self->tenant, e->org)) &&
           (!self->trace || (e->trace && strstr (e->trace, self->trace))) &&
           (!self->subject || subject_fits (self->subject, e->subject));
}

static bool is_recent (const tap_filter_t *self, id16_t id)
{
    for (size_t i = 0; i < TAP_RECENT; i++)
        if (id_equal (self->recent[i], id))
            return true;
    return false;
}

bool tap_wanted (tap_filter_t *self, const tap_message_t *message)
{
    char plain[ENVELOPE_TARGET_MAX + 1];
    const schema_op_t *op = op_find (message->target, plain);
    const envelope_t *e = &message->envelope;
    if (self->op ? strcmp (self->op, plain) != 0 : !self->all && is_chatter (op, plain))
        return false;
    if (!self->tenant_given && !self->trace && !self->subject)
        return true;
    if (e->kind != ENV_ASK)
        return is_recent (self, e->id);
    if (!ask_fits (self, e))
        return false;
    self->recent[self->next] = e->id;
    self->next = (self->next + 1) % TAP_RECENT;
    return true;
}

/* ---- bodies ---- */

static void personal_text (const char *text, bool reveal, buf_t *out)
{
    buf_t shown = {0};
    spelling_mask (text, &shown);
    json_text (out, reveal ? text : buf_text (&shown));
    buf_free (&shown);
}

static void event_json (const char *service, const common_event_t *event, const schema_ctx_t *ctx,
                        buf_t *out)
{
    char at[CLOCK_ISO_SIZE], record[SPELLING_SIZE];
    const schema_event_t *known = event->number >= 0 && event->number <= UINT16_MAX
                                      ? schema_event_find (service, (uint16_t) event->number)
                                      : NULL;
    clock_write_iso (event->at, at);
    spelling_write (NULL, false, event->record, record);
    buf_printf (
        out,
        "{\"sequence\":%lld,\"at\":\"%s\",\"event\":\"%s\",\"record\":\"%s\",\"version\":%lld,\"body\":",
        (long long) event->sequence, at, known ? known->name : "?", record,
        (long long) event->version);
    if (known)
        schema_show (known->type, ctx, event->body, out);
    else
        buf_printf (out, "{\"?\":\"*** %zu bytes\"}", event->body.size);
    buf_add_byte (out, '}');
}

/* A journal's or snapshot's events hold packed bodies of their own, which have to be masked by their own types. Both answers begin alike. */
static bool events_json (const tap_message_t *message, const schema_op_t *op,
                         const schema_ctx_t *ctx, buf_t *out)
{
    bool journal = op->out == &common_journal_read_out_type;
    common_journal_read_out_t in = {0};
    common_snapshot_read_out_t page = {0};
    arena_t *arena = arena_new (EVENTS_MEMORY);
    if (!arena || schema_unpack (op->out, message->body, arena,
                                 journal ? (void *) &in : (void *) &page, NULL)) {
        arena_destroy (&arena);
        return false;
    }
    char service[ENVELOPE_NAME_MAX + 1];
    snprintf (service, sizeof service, "%.*s", (int) strcspn (message->target, ".#"),
              message->target);
    const schema_list_t *events = journal ? &in.events : &page.events;
    buf_add_str (out, "{\"events\":[");
    for (size_t i = 0; i < events->count; i++) {
        buf_add_str (out, i ? "," : "");
        event_json (service, (const common_event_t *) events->items + i, ctx, out);
    }
    buf_printf (out, journal ? "],\"head\":%lld,\"reset\":%s}" : "]}", (long long) in.head,
                in.reset ? "true" : "false");
    arena_destroy (&arena);
    return true;
}

static void failure_json (const tap_message_t *message, bool reveal, buf_t *out)
{
    failure_t failure = {0};
    if (envelope_failure_read (message->body, &failure)) {
        buf_add_str (out, "{}");
        return;
    }
    buf_printf (out, "{\"error\":\"%s\",\"field\":", error_name (failure.code));
    json_text (out, failure.field);
    buf_add_str (out, ",\"text\":");
    personal_text (failure.text, reveal, out);
    buf_add_byte (out, '}');
}

static void body_json (const tap_message_t *message, const schema_op_t *op, bool reveal, buf_t *out)
{
    schema_ctx_t ctx = {.mask = true, .reveal = reveal};
    bool answer = message->envelope.kind == ENV_ANSWER;
    bool events =
        answer && op &&
        (op->out == &common_journal_read_out_type || op->out == &common_snapshot_read_out_type);
    if (message->envelope.kind == ENV_FAILURE)
        failure_json (message, reveal, out);
    else if (op && events && events_json (message, op, &ctx, out))
        return;
    else if (op && !events)
        schema_show (answer ? op->out : op->in, &ctx, message->body, out);
    else
        buf_printf (out, "{\"?\":\"*** %zu bytes\"}", message->body.size);
}

/* ---- envelopes ---- */

static const char *kind_word (envelope_kind_t kind)
{
    return kind == ENV_ASK       ? "ask"
           : kind == ENV_ANSWER  ? "answer"
           : kind == ENV_FAILURE ? "failure"
                                 : "?";
}

/* ,"name": */
static void name_put (buf_t *out, const char *name)
{
    buf_add (out, ",\"", 2);
    buf_add_str (out, name);
    buf_add (out, "\":", 2);
}

static void pair (buf_t *out, const char *name, const char *value)
{
    if (!value || !*value)
        return;
    name_put (out, name);
    json_text (out, value);
}

static void number_pair (buf_t *out, const char *name, uint32_t value)
{
    char digits[10];
    size_t at = sizeof digits;
    do
        digits[--at] = (char) ('0' + value % 10);
    while (value /= 10);
    name_put (out, name);
    buf_add (out, digits + at, sizeof digits - at);
}

static void id_pair (buf_t *out, const char *name, const char *prefix, bool test, id16_t id)
{
    char text[SPELLING_SIZE];
    spelling_write (prefix, test, id, text);
    pair (out, name, text);
}

/* One line of JSON but for the body and what ends it. */
static void json_head (const tap_message_t *message, const char *plain, bool reveal, buf_t *out)
{
    const envelope_t *e = &message->envelope;
    char at[CLOCK_ISO_SIZE];
    clock_write_iso (message->meta.time_ms, at);
    buf_add_str (out, "{\"at\":\"");
    buf_add_str (out, at);
    buf_add_str (out, "\",\"kind\":\"");
    buf_add_str (out, kind_word (e->kind));
    buf_add_byte (out, '"');
    pair (out, "op", *plain ? plain : message->target);
    pair (out, "sender", e->sender);
    number_pair (out, "replica", message->meta.replica);
    if (e->kind == ENV_ASK)
        number_pair (out, "ttl_ms", e->ttl_ms);
    else
        number_pair (out, "elapsed_ms", message->meta.elapsed_ms);
    id_pair (out, "id", NULL, false, e->id);
    id_pair (out, "tenant", "org", false, e->org);
    id_pair (out, "app", "app", e->test, e->app);
    if (e->subject && *e->subject) {
        buf_add_str (out, ",\"subject\":");
        personal_text (e->subject, reveal, out);
    }
    pair (out, "trace", e->trace);
    pair (out, "request_id", e->request_id);
    if (e->replayed)
        buf_add_str (out, ",\"replayed\":true");
    buf_add_str (out, ",\"body\":");
}

static void line_head (const tap_message_t *message, const char *plain, buf_t *out)
{
    const envelope_t *e = &message->envelope;
    char at[CLOCK_ISO_SIZE], org[SPELLING_SIZE];
    clock_write_iso (message->meta.time_ms, at);
    spelling_write ("org", false, e->org, org);
    if (e->kind == ENV_ASK)
        buf_printf (out, "%.12s ask      %s -> %s#%u", at + 11,
                    e->sender && *e->sender ? e->sender : "?", *plain ? plain : message->target,
                    message->meta.replica);
    else
        buf_printf (out, "%.12s %-8s %s#%u after %u ms", at + 11, kind_word (e->kind),
                    *plain ? plain : message->target, message->meta.replica,
                    message->meta.elapsed_ms);
    if (*org) {
        buf_add_str (out, "  ");
        buf_add_str (out, org);
    }
    if (e->trace && strlen (e->trace) > 35 && strspn (e->trace + 3, "0123456789abcdef") == 32) {
        buf_add_str (out, "  trace ");
        buf_add (out, e->trace + 3, 32);
    }
    buf_add_str (out, "  ");
}

void tap_show (const tap_message_t *message, bool reveal, buf_t *line, buf_t *json)
{
    char plain[ENVELOPE_TARGET_MAX + 1];
    const schema_op_t *op = op_find (message->target, plain);
    buf_t *first = line ? line : json;
    if (line)
        line_head (message, plain, line);
    else
        json_head (message, plain, reveal, json);
    size_t body = first->size;
    body_json (message, op, reveal, first);
    if (line && json) {
        json_head (message, plain, reveal, json);
        buf_add (json, line->data + body, line->size - body);
    }
    if (json)
        buf_add_byte (json, '}');
}

void tap_json (const tap_message_t *message, bool reveal, buf_t *out)
{
    tap_show (message, reveal, NULL, out);
}

void tap_line (const tap_message_t *message, bool reveal, buf_t *out)
{
    tap_show (message, reveal, out, NULL);
}
