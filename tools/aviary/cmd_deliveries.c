/* cmd_deliveries.c - `aviary deliveries list|show|replay`: the log of webhook deliveries, dead letters included. */
#include "cli.h"
#include "client.h"
#include "commands.h"
#include "gen/webhooks.h"
#include "spelling.h"
#include "verbs.h"

#include "base/clock.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

typedef struct deliveries {
    const char *webhook, *status, *after;
    int64_t limit;
    bool json, reveal;
    verb_means_t means;
} deliveries_t;

/* ---- as JSON ---- */

static void id_add (cJSON *object, const char *name, const char *prefix, bool test, id16_t id)
{
    char text[SPELLING_SIZE];
    spelling_write (prefix, test, id, text);
    if (*text)
        cJSON_AddStringToObject (object, name, text);
}

static void time_add (cJSON *object, const char *name, int64_t ms)
{
    char text[CLOCK_ISO_SIZE];
    clock_write_iso (ms, text);
    if (ms)
        cJSON_AddStringToObject (object, name, text);
}

/* As its dialect spells it, else as the first does. */
static const char *shown (const char *told, const char *prefix, bool test, id16_t id,
                          char out[SPELLING_SIZE])
{
    spelling_write (prefix, test, id, out);
    return told ? told : out;
}

static void shown_add (cJSON *object, const char *name, const char *told, const char *prefix,
                       bool test, id16_t id)
{
    if (told)
        cJSON_AddStringToObject (object, name, told);
    else
        id_add (object, name, prefix, test, id);
}

static const char *subject_prefix (const char *event)
{
    return event && strstr (event, ".whatsapp.") ? "msg_wa" : "msg_sms";
}

static cJSON *tries_json (const webhooks_delivery_info_t *d, bool reveal)
{
    const webhooks_try_t *tries = d->tries.items;
    cJSON *list = cJSON_CreateArray ();
    for (size_t i = 0; i < d->tries.count; i++) {
        cJSON *row = cJSON_CreateObject ();
        time_add (row, "at", tries[i].at);
        cJSON_AddNumberToObject (row, "duration_ms", (double) tries[i].duration_ms);
        cJSON_AddNumberToObject (row, "status", (double) tries[i].status);
        cJSON_AddStringToObject (row, "reason", tries[i].reason ? tries[i].reason : "");
        if (reveal)
            cJSON_AddStringToObject (row, "answer", tries[i].answer ? tries[i].answer : "");
        cJSON_AddItemToArray (list, row);
    }
    return list;
}

static cJSON *delivery_json (const webhooks_delivery_info_t *d, bool reveal)
{
    cJSON *row = cJSON_CreateObject ();
    shown_add (row, "id", d->shown_id, "dlv", d->test, d->id);
    shown_add (row, "webhook", d->shown_webhook, "whk", d->test, d->webhook);
    cJSON_AddStringToObject (row, "event", d->event ? d->event : "");
    cJSON_AddStringToObject (row, "event_id", d->event_id ? d->event_id : "");
    shown_add (row, d->shown_subject ? "subject" : "message", d->shown_subject,
               subject_prefix (d->event), d->test, d->subject);
    if (d->replayed_from)
        cJSON_AddStringToObject (row, "replayed_from", d->replayed_from);
    cJSON_AddStringToObject (row, "status",
                             schema_enum_word (&webhooks_delivery_status_enum, d->status));
    time_add (row, "created_at", d->created_at);
    time_add (row, "next_at", d->next_at);
    time_add (row, "done_at", d->done_at);
    cJSON_AddItemToObject (row, "tries", tries_json (d, reveal));
    if (reveal && d->body)
        cJSON_AddStringToObject (row, "body", d->body);
    return row;
}

/* ---- as lines ---- */

static void delivery_line (const webhooks_delivery_info_t *d)
{
    char id[SPELLING_SIZE], webhook[SPELLING_SIZE], at[CLOCK_ISO_SIZE];
    const webhooks_try_t *tries = d->tries.items;
    clock_write_iso (d->created_at, at);
    printf ("%s  %s  %-9s %-28s tries %zu", at, shown (d->shown_id, "dlv", d->test, d->id, id),
            schema_enum_word (&webhooks_delivery_status_enum, d->status), d->event ? d->event : "",
            d->tries.count);
    if (d->tries.count)
        printf (", last %lld", (long long) tries[d->tries.count - 1].status);
    printf ("  %s\n", shown (d->shown_webhook, "whk", d->test, d->webhook, webhook));
}

static void delivery_lines (const webhooks_delivery_info_t *d, bool reveal)
{
    char subject[SPELLING_SIZE], at[CLOCK_ISO_SIZE];
    const webhooks_try_t *tries = d->tries.items;
    delivery_line (d);
    printf ("  event %s of %s\n", d->event_id ? d->event_id : "?",
            shown (d->shown_subject, subject_prefix (d->event), d->test, d->subject, subject));
    for (size_t i = 0; i < d->tries.count; i++) {
        clock_write_iso (tries[i].at, at);
        printf ("  %s  status %lld after %lld ms%s%s\n", at, (long long) tries[i].status,
                (long long) tries[i].duration_ms, tries[i].reason && *tries[i].reason ? ", " : "",
                tries[i].reason ? tries[i].reason : "");
        if (reveal && tries[i].answer && *tries[i].answer)
            printf ("      answer: %s\n", tries[i].answer);
    }
    clock_write_iso (d->next_at, at);
    if (d->next_at)
        printf ("  next try at %s\n", at);
    if (d->body)
        printf ("  body: %s\n", reveal ? d->body : "*** (--reveal shows it)");
}

/* ---- the three ---- */

static int list (void *context, const char *operand, failure_t *failure)
{
    const deliveries_t *self = context;
    (void) operand;
    webhooks_deliveries_list_in_t in = {.limit = self->limit};
    webhooks_deliveries_list_out_t out = {0};
    if (self->webhook && !spelling_read (self->webhook, &in.webhook))
        return failure_set (failure, E_BAD_REQUEST, "--webhook", "'%s' is no id", self->webhook);
    if (self->after && !spelling_read (self->after, &in.after))
        return failure_set (failure, E_BAD_REQUEST, "--after", "'%s' is no id", self->after);
    if (self->status)
        in.status =
            schema_enum_read (&webhooks_delivery_status_enum, self->status, strlen (self->status));
    if (self->status && !in.status)
        return failure_set (failure, E_BAD_REQUEST, "--status",
                            "pending, retrying, delivered, dead or dropped, not '%s'",
                            self->status);
    int rc = client_ask (self->means.client, "webhooks.deliveries_list", NULL, &in, &out,
                         self->means.arena, VERB_ASK_MS, failure);
    const webhooks_delivery_info_t *rows = out.deliveries.items;
    cJSON *array = !rc && self->json ? cJSON_CreateArray () : NULL;
    for (size_t i = 0; !rc && i < out.deliveries.count; i++) {
        if (array)
            cJSON_AddItemToArray (array, delivery_json (&rows[i], false));
        else
            delivery_line (&rows[i]);
    }
    if (array)
        json_print (array);
    else if (!rc && out.more)
        printf ("... more: --after the last id, or a larger --limit\n");
    else if (!rc && !out.deliveries.count)
        printf ("no deliveries\n");
    return rc;
}

static int id_read (const char *text, id16_t *out, failure_t *failure)
{
    return spelling_read (text, out)
               ? 0
               : failure_set (failure, E_BAD_REQUEST, "", "'%s' is no id in any spelling", text);
}

static int ask_show (const deliveries_t *self, id16_t id, webhooks_delivery_info_t *out,
                     failure_t *failure)
{
    webhooks_delivery_show_in_t in = {.id = id};
    return client_ask (self->means.client, "webhooks.delivery_show", NULL, &in, out,
                       self->means.arena, VERB_ASK_MS, failure);
}

static int show (void *context, const char *word, failure_t *failure)
{
    const deliveries_t *self = context;
    webhooks_delivery_info_t out = {0};
    id16_t id;
    int rc = id_read (word, &id, failure);
    if (!rc)
        rc = ask_show (self, id, &out, failure);
    if (!rc && self->json)
        json_print (delivery_json (&out, self->reveal));
    else if (!rc)
        delivery_lines (&out, self->reveal);
    return rc;
}

static int replay (void *context, const char *word, failure_t *failure)
{
    const deliveries_t *self = context;
    char text[SPELLING_SIZE];
    webhooks_delivery_replay_in_t in = {0};
    webhooks_delivery_replay_out_t out = {0};
    webhooks_delivery_info_t told = {0};
    int rc = id_read (word, &in.id, failure);
    if (!rc)
        rc = client_ask (self->means.client, "webhooks.delivery_replay", NULL, &in, &out,
                         self->means.arena, VERB_ASK_MS, failure);
    if (!rc)
        rc = ask_show (self, out.id, &told, failure); /* tells whether it is of a test app */
    if (!rc)
        printf (self->json ? "{\"id\": \"%s\"}\n" : "%s is on its way\n",
                shown (told.shown_id, "dlv", told.test, out.id, text));
    return rc;
}

int cmd_deliveries (int argc, char **argv)
{
    deliveries_t self = {.means.data = "./var", .limit = 50};
    const cli_option_t options[] = {
        {"--data", "DIR", "the house's folder (default ./var)", CLI_TEXT, &self.means.data, 0, 0},
        {"--webhook", "ID", "list: only of this webhook", CLI_TEXT, &self.webhook, 0, 0},
        {"--status", "S", "list: pending, retrying, delivered, dead or dropped; needs --webhook",
         CLI_TEXT, &self.status, 0, 0},
        {"--limit", "N", "list: at most so many, newest first (default 50)", CLI_NUMBER,
         &self.limit, 1, 1000},
        {"--after", "ID", "list: go on after this one", CLI_TEXT, &self.after, 0, 0},
        {"--reveal", NULL, "show: with body and answers", CLI_SWITCH, &self.reveal, 0, 0},
        {"--json", NULL, "an array (list) or an object", CLI_SWITCH, &self.json, 0, 0},
    };
    static const verb_t verbs[] = {
        {"list", 0, list, false},
        {"show", 1, show, false},
        {"replay", 1, replay, false},
    };
    cli_form_t form = {
        .command = "deliveries",
        .about =
            "The log of webhook deliveries. replay sends one again: the same bytes and event id, a fresh set of attempts.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
        .operands = "list | show ID | replay ID",
    };
    return verbs_main (&form, argc, argv,
                       &(verbs_t){verbs, sizeof verbs / sizeof *verbs, &self.means, &self, NULL});
}
