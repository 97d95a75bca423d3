/* cmd_trigger.c - `aviary trigger sms|whatsapp`: a simulated person writes to a test app's number. */
#include "api.h"
#include "cli.h"
#include "commands.h"

#include <stdio.h>
#include <string.h>

typedef struct trigger {
    const char *data, *key, *url, *from, *to, *text;
    bool json;
} trigger_t;

static int run (const trigger_t *self, bool whatsapp, arena_t *arena, failure_t *failure)
{
    api_t api;
    cJSON *answer = NULL;
    int rc = api_open (self->data, self->url, self->key, arena, &api, failure);
    if (rc)
        return rc;
    cJSON *body = cJSON_CreateObject ();
    cJSON_AddStringToObject (body, "from", self->from);
    cJSON_AddStringToObject (body, "to", self->to);
    cJSON_AddStringToObject (body, "text", self->text);
    rc = api_call (&api, "POST",
                   whatsapp ? "/v1/playground/whatsapp/inbound" : "/v1/playground/sms/inbound",
                   body, NULL, &answer, failure);
    if (!rc && self->json)
        printf ("{\"id\": \"%s\", \"status\": \"%s\"}\n", api_text (answer, "id"),
                api_text (answer, "status"));
    else if (!rc)
        printf ("%s %s\n", api_text (answer, "id"), api_text (answer, "status"));
    cJSON_Delete (answer);
    return rc;
}

int cmd_trigger (int argc, char **argv)
{
    trigger_t self = {.data = "./var"};
    const cli_option_t options[] = {
        {"--data", "DIR", "the house's folder, for its test key (default ./var)", CLI_TEXT,
         &self.data, 0, 0},
        {"--from", "NUMBER", "the person who writes", CLI_TEXT, &self.from, 0, 0},
        {"--to", "NUMBER", "the app's number; made if it does not exist yet", CLI_TEXT, &self.to, 0,
         0},
        {"--text", "TEXT", "what they write", CLI_TEXT, &self.text, 0, 0},
        {"--key", "KEY", "another test key than that of DIR/credentials.json", CLI_TEXT, &self.key,
         0, 0},
        {"--url", "URL", "another base URL than that of DIR/credentials.json", CLI_TEXT, &self.url,
         0, 0},
        {"--json", NULL, "print {id, status}", CLI_SWITCH, &self.json, 0, 0},
    };
    cli_form_t form = {
        .command = "trigger",
        .about =
            "Acts as a person who writes to a test app: the message goes the way of a real one, up to the app's webhooks.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
        .operands = "sms|whatsapp",
        .operand_min = 1,
        .operand_max = 1,
    };
    int rc = cli_read (&form, argc, argv);
    if (rc >= 0)
        return rc;
    bool whatsapp = !strcmp (form.given.items[0], "whatsapp");
    if (!whatsapp && strcmp (form.given.items[0], "sms") != 0)
        return cli_fail (EX_USAGE, "trigger: sms or whatsapp, not '%s'", form.given.items[0]);
    if (!self.from || !self.to || !self.text)
        return cli_fail (EX_USAGE, "trigger: --from, --to and --text are needed");
    failure_t failure = {0};
    arena_t *arena = arena_new (1 << 18);
    rc = arena ? run (&self, whatsapp, arena, &failure)
               : failure_set (&failure, E_NO_MEMORY, "", "out of memory");
    arena_destroy (&arena);
    return rc ? client_fail ("trigger", &failure) : EX_OK;
}
