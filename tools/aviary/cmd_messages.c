/* cmd_messages.c - `aviary messages`: messages by status, number, app and date, newest first, from the indexes that messaging keeps.
 *
 * Asked page by page until there are as many as wanted; --after goes on where it stopped. Text is masked unless --reveal, and so are numbers. */
#include "app_ref.h"
#include "cli.h"
#include "client.h"
#include "commands.h"
#include "gen/accounts.h"
#include "gen/messaging.h"
#include "spelling.h"

#include "base/clock.h"
#include "base/text.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

enum { ASK_MS = 10000, MEMORY = 16 << 20, PAGE = 50, LIMIT_MOST = 1000000 };
static const int64_t day_ms = 86400000;

typedef struct messages {
    const char *data, *org, *app, *number, *status, *channel, *direction, *from, *to, *after;
    int64_t limit;
    bool json, reveal;
    client_t *client;
    arena_t *arena; /* of one page */
    messaging_messages_list_in_t in;
    id16_t app_id, org_id;
    char next[SPELLING_SIZE];
    bool counted;
    int64_t total, told;
} messages_t;

/* ---- what is asked for ---- */

/* A day, UTC, or a moment in RFC 3339; *day says which. */
static bool when_read (const char *text, int64_t *out, bool *day)
{
    char moment[32];
    *day = strlen (text) == strlen ("2026-11-22");
    if (!*day)
        return clock_read_iso (text, strlen (text), out) == 0;
    snprintf (moment, sizeof moment, "%sT00:00:00Z", text);
    return clock_read_iso (moment, strlen (moment), out) == 0;
}

static int dates_read (messages_t *self, failure_t *failure)
{
    bool day = false;
    if (self->from && !when_read (self->from, &self->in.since, &day))
        return failure_set (failure, E_BAD_REQUEST, "--from",
                            "'%s' is no date: 2026-11-22 or 2026-11-22T08:00:00Z", self->from);
    if (self->to && !when_read (self->to, &self->in.until, &day))
        return failure_set (failure, E_BAD_REQUEST, "--to",
                            "'%s' is no date: 2026-11-22 or 2026-11-22T08:00:00Z", self->to);
    if (self->to && day)
        self->in.until += day_ms;
    return 0;
}

static int word_read (const schema_enum_t *words, const char *option, const char *text,
                      int32_t *out, failure_t *failure)
{
    char list[160] = "";
    if (text)
        *out = schema_enum_read (words, text, strlen (text));
    if (!text || *out)
        return 0;
    for (size_t i = 0; i < words->count; i++) {
        size_t at = strlen (list);
        snprintf (list + at, sizeof list - at, "%s%s", i ? ", " : "", words->words[i].word);
    }
    return failure_set (failure, E_BAD_REQUEST, option, "'%s' is none of %s", text, list);
}

static int filters_read (messages_t *self, failure_t *failure)
{
    messaging_messages_list_in_t *in = &self->in;
    int rc = word_read (&messaging_log_status_enum, "--status", self->status, &in->status, failure);
    if (!rc)
        rc = word_read (&accounts_channel_enum, "--channel", self->channel, &in->channel, failure);
    if (!rc)
        rc = word_read (&messaging_direction_enum, "--direction", self->direction, &in->direction,
                        failure);
    if (!rc)
        rc = dates_read (self, failure);
    if (rc)
        return rc;
    if (self->number && !text_is_e164 (self->number))
        return failure_set (failure, E_INVALID_PHONE_NUMBER, "--number",
                            "'%s' is not in E.164: +14155550142 is", self->number);
    if (self->org && !spelling_read (self->org, &self->org_id))
        return failure_set (failure, E_BAD_REQUEST, "--org", "'%s' is no id in any spelling",
                            self->org);
    if (self->after && !spelling_read (self->after, &in->after))
        return failure_set (failure, E_BAD_REQUEST, "--after", "'%s' is no id in any spelling",
                            self->after);
    return 0;
}

/* Without --org and --app: the organization of the first start. */
static int owner_read (messages_t *self, failure_t *failure)
{
    app_ref_t app = {0};
    credentials_t known = {0};
    int rc = 0;
    if (self->app) {
        rc = app_ref_read (self->client, self->data, self->app, &app, failure);
        self->app_id = app.id;
    } else if (!self->org) {
        rc = credentials_read (self->data, self->arena, &known, failure);
        if (!rc &&
            !spelling_read (known.organization_id ? known.organization_id : "", &self->org_id))
            rc = failure_set (failure, E_BAD_REQUEST, "--org", "say which organization: --org ID");
    }
    self->in.app = self->app_id;
    self->in.org = self->org_id;
    self->in.number = self->number;
    return rc;
}

/* ---- one message ---- */

static const char *prefix (int32_t channel)
{
    return channel == ACCOUNTS_CHANNEL_WHATSAPP ? "msg_wa" : "msg_sms";
}

static const char *number_shown (const messages_t *self, const char *number)
{
    buf_t out = buf_in (self->arena);
    if (self->reveal || !number)
        return number ? number : "";
    spelling_mask (number, &out);
    return buf_text (&out);
}

/* Of a recipient; of an inbound message always "received", whether it was marked as read or not. */
static const char *status_word (const messaging_log_message_t *m, int32_t status)
{
    if (m->direction == MESSAGING_DIRECTION_INBOUND)
        status = MESSAGING_LOG_STATUS_RECEIVED;
    return schema_enum_word (&messaging_log_status_enum, status);
}

static void time_add (cJSON *object, const char *name, int64_t ms)
{
    char text[CLOCK_ISO_SIZE];
    clock_write_iso (ms, text);
    if (ms)
        cJSON_AddStringToObject (object, name, text);
}

static void text_add (cJSON *object, const char *name, const char *text)
{
    if (text)
        cJSON_AddStringToObject (object, name, text);
}

static cJSON *recipients_json (const messages_t *self, const messaging_log_message_t *m)
{
    const messaging_log_recipient_t *people = m->recipients.items;
    cJSON *list = cJSON_CreateArray ();
    for (size_t i = 0; i < m->recipients.count; i++) {
        cJSON *row = cJSON_CreateObject ();
        cJSON_AddStringToObject (row, "number", number_shown (self, people[i].number));
        cJSON_AddStringToObject (row, "status", status_word (m, people[i].status));
        time_add (row, "sent_at", people[i].sent_at);
        time_add (row, "delivered_at", people[i].delivered_at);
        time_add (row, "read_at", people[i].read_at);
        time_add (row, "failed_at", people[i].failed_at);
        text_add (row, "error_code", people[i].error_code);
        text_add (row, "error_message", people[i].error_message);
        cJSON_AddItemToArray (list, row);
    }
    return list;
}

static cJSON *message_json (const messages_t *self, const messaging_log_message_t *m)
{
    char id[SPELLING_SIZE], app[SPELLING_SIZE];
    cJSON *row = cJSON_CreateObject ();
    spelling_write (prefix (m->channel), m->test, m->id, id);
    spelling_write ("app", m->test, m->app, app);
    cJSON_AddStringToObject (row, "id", id);
    if (*app)
        cJSON_AddStringToObject (row, "app_id", app);
    cJSON_AddStringToObject (row, "channel", schema_enum_word (&accounts_channel_enum, m->channel));
    cJSON_AddStringToObject (row, "direction",
                             schema_enum_word (&messaging_direction_enum, m->direction));
    cJSON_AddStringToObject (row, "kind", schema_enum_word (&messaging_kind_enum, m->kind));
    cJSON_AddStringToObject (row, "number", number_shown (self, m->number));
    cJSON_AddStringToObject (row, "from", number_shown (self, m->from));
    time_add (row, "created_at", m->created_at);
    time_add (row, "completed_at", m->completed_at);
    if (self->reveal)
        text_add (row, "text", m->text ? m->text : m->media_caption);
    cJSON_AddItemToObject (row, "recipients", recipients_json (self, m));
    return row;
}

/* "delivered", or "delivered 2, failed 1" of several. */
static const char *statuses_shown (const messages_t *self, const messaging_log_message_t *m)
{
    const messaging_log_recipient_t *people = m->recipients.items;
    int counts[MESSAGING_LOG_STATUS_RECEIVED + 1] = {0};
    buf_t out = buf_in (self->arena);
    if (m->recipients.count == 1)
        return status_word (m, people->status);
    for (size_t i = 0; i < m->recipients.count; i++)
        if (people[i].status > 0 && people[i].status <= MESSAGING_LOG_STATUS_RECEIVED)
            counts[people[i].status]++;
    for (int32_t status = 1; status <= MESSAGING_LOG_STATUS_RECEIVED; status++)
        if (counts[status])
            buf_printf (&out, "%s%s %d", out.size ? ", " : "", status_word (m, status),
                        counts[status]);
    return buf_text (&out);
}

static void message_line (const messages_t *self, const messaging_log_message_t *m)
{
    char id[SPELLING_SIZE], at[CLOCK_ISO_SIZE], more[24] = "";
    const char *text = m->text ? m->text : m->media_caption;
    spelling_write (prefix (m->channel), m->test, m->id, id);
    clock_write_iso (m->created_at, at);
    if (m->recipients.count > 1)
        snprintf (more, sizeof more, " +%zu", m->recipients.count - 1);
    printf ("%s  %-40s  %-8s  %-3s  %s -> %s%s  %s", at, id,
            schema_enum_word (&accounts_channel_enum, m->channel),
            m->direction == MESSAGING_DIRECTION_INBOUND ? "in" : "out",
            number_shown (self, m->from), number_shown (self, m->to), more,
            statuses_shown (self, m));
    if (m->error_code)
        printf (" (%s)", m->error_code);
    if (text)
        printf ("  %s", self->reveal ? text : "***");
    printf ("\n");
}

static void tell (messages_t *self, const messaging_log_message_t *m)
{
    if (!self->json) {
        message_line (self, m);
    } else {
        cJSON *row = message_json (self, m);
        char *text = cJSON_PrintUnformatted (row);
        printf ("%s%s", self->told ? ", " : "", text ? text : "{}");
        cJSON_free (text);
        cJSON_Delete (row);
    }
    self->told++;
}

/* ---- pages ---- */

static int page_tell (messages_t *self, bool first, failure_t *failure)
{
    messaging_messages_list_out_t out = {0};
    int64_t left = self->limit - self->told;
    self->in.limit = left < PAGE ? left : PAGE;
    int rc = client_ask (self->client, "messaging.messages_list", NULL, &self->in, &out,
                         self->arena, ASK_MS, failure);
    const messaging_log_message_t *rows = out.messages.items;
    if (rc)
        return rc;
    if (first) {
        self->counted = out.counted;
        self->total = out.total;
    }
    if (first && self->json)
        printf ("{\"messages\": [");
    for (size_t i = 0; i < out.messages.count; i++)
        tell (self, &rows[i]);
    spelling_write (prefix (out.next_channel), out.next_test, out.next, self->next);
    self->in.after = out.next;
    return 0;
}

static void end_tell (const messages_t *self)
{
    if (self->json) {
        printf (*self->next ? "], \"next\": \"%s\"" : "], \"next\": null", self->next);
        if (self->counted)
            printf (", \"total\": %lld", (long long) self->total);
        printf ("}\n");
        return;
    }
    if (!self->told && !*self->next)
        fprintf (stderr, "no messages\n");
    if (self->counted && self->told && *self->next)
        printf ("%lld in all; ", (long long) self->total);
    if (*self->next)
        printf ("more with --after %s\n", self->next);
}

static int list (messages_t *self, failure_t *failure)
{
    int rc = owner_read (self, failure);
    for (bool first = true; !rc && self->told < self->limit && (first || *self->next);
         first = false) {
        rc = page_tell (self, first, failure);
        arena_reset (self->arena);
    }
    if (!rc)
        end_tell (self);
    return rc;
}

static int run (messages_t *self)
{
    failure_t failure = {0};
    int rc = filters_read (self, &failure);
    self->arena = arena_new (MEMORY);
    if (!rc)
        rc = self->arena ? client_open (self->data, ASK_MS, &self->client, &failure)
                         : failure_set (&failure, E_NO_MEMORY, "", "out of memory");
    if (!rc)
        rc = list (self, &failure);
    client_close (&self->client);
    arena_destroy (&self->arena);
    return rc ? client_fail ("messages", &failure) : EX_OK;
}

int cmd_messages (int argc, char **argv)
{
    messages_t self = {.data = "./var", .limit = 50};
    const cli_option_t options[] = {
        {"--data", "DIR", "the house's folder (default ./var)", CLI_TEXT, &self.data, 0, 0},
        {"--org", "ID", "whose (default: the app's, else that of the first start)", CLI_TEXT,
         &self.org, 0, 0},
        {"--app", "test|live|ID", "sent by this app, or received for it", CLI_TEXT, &self.app, 0,
         0},
        {"--number", "NUMBER", "of this number of ours, in either direction", CLI_TEXT,
         &self.number, 0, 0},
        {"--status", "S",
         "queued, sending, sent, delivered, read, failed: at least one recipient is; received: inbound",
         CLI_TEXT, &self.status, 0, 0},
        {"--channel", "C", "sms or whatsapp", CLI_TEXT, &self.channel, 0, 0},
        {"--direction", "D", "inbound or outbound", CLI_TEXT, &self.direction, 0, 0},
        {"--from", "DATE", "from this day on (UTC), or this moment: 2026-11-22T08:00:00Z", CLI_TEXT,
         &self.from, 0, 0},
        {"--to", "DATE", "to the end of this day, or before this moment", CLI_TEXT, &self.to, 0, 0},
        {"--limit", "N", "at most so many, newest first (default 50)", CLI_NUMBER, &self.limit, 1,
         LIMIT_MOST},
        {"--after", "ID", "go on after this one", CLI_TEXT, &self.after, 0, 0},
        {"--reveal", NULL, "show texts and numbers", CLI_SWITCH, &self.reveal, 0, 0},
        {"--json", NULL, "print {messages, next, total}; total where it is counted", CLI_SWITCH,
         &self.json, 0, 0},
    };
    cli_form_t form = {
        .command = "messages",
        .about =
            "Lists messages by status, number, app and date. All filters may be combined; a page costs the same anywhere in the log.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
    };
    int rc = cli_read (&form, argc, argv);
    return rc >= 0 ? rc : run (&self);
}
