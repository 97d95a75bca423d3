/* cmd_explain.c - `aviary explain ID`: what every service kept about an id, as one story.
 *
 * Exit 1 if nobody knows the id; EX_UNAVAILABLE if nobody knows it and a service that might did not answer. Phone numbers are masked unless --reveal;
 * texts and secrets are not part of the story. */
#include "cli.h"
#include "client.h"
#include "commands.h"
#include "spelling.h"
#include "story.h"

#include "gen/common.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ASK_MS = 5000, MEMORY = 32 << 20, EX_UNKNOWN_ID = 1 };

static void service_ask (story_t *story, client_t *client, const char *service, bool reveal,
                         arena_t *arena)
{
    char target[64];
    failure_t failure = {0};
    common_explain_in_t in = {.id = story->id, .reveal = reveal};
    common_explain_out_t out = {0};
    snprintf (target, sizeof target, "%s.explain", service);
    if (client_ask (client, target, NULL, &in, &out, arena, ASK_MS, &failure)) {
        if (story->silent_count < STORY_SERVICES_MAX)
            story->silent[story->silent_count++] =
                arena_printf (arena, "%s: %s", service, failure.text);
        return;
    }
    const common_explain_line_t *lines = out.lines.items;
    for (size_t i = 0; i < out.lines.count; i++)
        story_add (story, arena, lines[i].at, lines[i].service, lines[i].what, lines[i].detail,
                   reveal);
}

/* Services with records of their own keep something. */
static void services_ask (story_t *story, client_t *client, bool reveal, arena_t *arena)
{
    for (size_t i = 0; i < schema_all_service_count; i++)
        if (schema_all_services[i]->record_count)
            service_ask (story, client, schema_all_services[i]->name, reveal, arena);
    story_sort (story);
}

static int tell (const story_t *story, const char *asked, bool json)
{
    if (!story->count && story->silent_count)
        return cli_fail (EX_UNAVAILABLE, "explain: nobody who answered knows %s; not heard: %s",
                         asked, story->silent[0]);
    if (!story->count)
        return cli_fail (
            EX_UNKNOWN_ID,
            "explain: no service knows %s: it was never made here, or was kept too long ago",
            asked);
    if (json)
        story_print_json (story);
    else
        story_print_lines (story, asked);
    return EX_OK;
}

int cmd_explain (int argc, char **argv)
{
    const char *data = "./var";
    bool json = false, reveal = false;
    const cli_option_t options[] = {
        {"--data", "DIR", "the house's folder (default ./var)", CLI_TEXT, &data, 0, 0},
        {"--reveal", NULL, "show phone numbers", CLI_SWITCH, &reveal, 0, 0},
        {"--json", NULL, "print {id, lines: [{at, after_ms, service, what, detail}], silent}",
         CLI_SWITCH, &json, 0, 0},
    };
    cli_form_t form = {
        .command = "explain",
        .about =
            "Tells what the services kept about an id: acceptance, attempts, receipts, statuses, webhook deliveries, with times.\n"
            "The id may be in any spelling: msg_sms_KSUID, Crockford, UUID; a purchase is known by the carrier's order id too.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
        .operands = "ID",
        .operand_min = 1,
        .operand_max = 1,
    };
    int rc = cli_read (&form, argc, argv);
    if (rc >= 0)
        return rc;
    id16_t id;
    const char *asked = form.given.items[0];
    if (!spelling_read (asked, &id) && !id_read_any_uuid (asked, strlen (asked), &id))
        return cli_fail (EX_UNKNOWN_ID,
                         "explain: '%s' is no id in any spelling (msg_sms_KSUID, Crockford, UUID)",
                         asked);
    story_t story;
    failure_t failure = {0};
    client_t *client = NULL;
    arena_t *arena = arena_new (MEMORY);
    if (!arena || !story_begin (&story, id, arena))
        rc = failure_set (&failure, E_NO_MEMORY, "", "out of memory");
    else
        rc = client_open (data, ASK_MS, &client, &failure);
    if (rc)
        rc = client_fail ("explain", &failure);
    else {
        services_ask (&story, client, reveal, arena);
        rc = tell (&story, asked, json);
    }
    client_close (&client);
    arena_destroy (&arena);
    return rc;
}
