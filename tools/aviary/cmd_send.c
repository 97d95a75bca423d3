/* cmd_send.c - `aviary send`: one SMS or WhatsApp text by HTTP. Exit codes by the class of the API's error. */
#include "api.h"
#include "cli.h"
#include "commands.h"

#include <stdio.h>

typedef struct sending {
    const char *data, *key, *url, *from, *text, *repeat;
    cli_list_t to;
    bool whatsapp, json;
} sending_t;

static cJSON *sms_body (const sending_t *self)
{
    cJSON *body = cJSON_CreateObject ();
    cJSON_AddStringToObject (body, "from", self->from);
    cJSON_AddItemToObject (body, "to",
                           cJSON_CreateStringArray (self->to.items, (int) self->to.count));
    cJSON_AddStringToObject (body, "text", self->text);
    return body;
}

static cJSON *whatsapp_body (const sending_t *self)
{
    cJSON *body = cJSON_CreateObject ();
    cJSON_AddStringToObject (body, "from", self->from);
    cJSON_AddStringToObject (body, "to", self->to.items[0]);
    cJSON_AddStringToObject (body, "type", "text");
    cJSON_AddStringToObject (cJSON_AddObjectToObject (body, "text"), "body", self->text);
    return body;
}

static int run (const sending_t *self, arena_t *arena, failure_t *failure)
{
    api_t api;
    cJSON *answer = NULL;
    int rc = api_open (self->data, self->url, self->key, arena, &api, failure);
    if (!rc)
        rc = api_call (&api, "POST", self->whatsapp ? "/v1/whatsapp/messages" : "/v1/sms",
                       self->whatsapp ? whatsapp_body (self) : sms_body (self), self->repeat,
                       &answer, failure);
    if (!rc && self->json) {
        char *text = cJSON_PrintUnformatted (answer);
        puts (text ? text : "{}");
        cJSON_free (text);
    } else if (!rc) {
        printf ("%s %s\n", api_text (answer, "id"), api_text (answer, "status"));
    }
    cJSON_Delete (answer);
    return rc;
}

int cmd_send (int argc, char **argv)
{
    sending_t self = {.data = "./var"};
    const cli_option_t options[] = {
        {"--data", "DIR", "the house's folder, for its test key (default ./var)", CLI_TEXT,
         &self.data, 0, 0},
        {"--from", "NUMBER", "a number of the app", CLI_TEXT, &self.from, 0, 0},
        {"--to", "NUMBER", "to whom; may be repeated for SMS", CLI_LIST, &self.to, 0, 0},
        {"--text", "TEXT", "what", CLI_TEXT, &self.text, 0, 0},
        {"--whatsapp", NULL, "by WhatsApp instead of SMS", CLI_SWITCH, &self.whatsapp, 0, 0},
        {"--idempotency-key", "K", "sent again with the same key it is not sent twice", CLI_TEXT,
         &self.repeat, 0, 0},
        {"--key", "KEY", "another API key than the test key of DIR/credentials.json", CLI_TEXT,
         &self.key, 0, 0},
        {"--url", "URL", "another base URL than that of DIR/credentials.json", CLI_TEXT, &self.url,
         0, 0},
        {"--json", NULL, "print the API's whole answer", CLI_SWITCH, &self.json, 0, 0},
    };
    cli_form_t form = {
        .command = "send",
        .about = "Sends an SMS or a WhatsApp text and prints the message's id and status.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
    };
    int rc = cli_read (&form, argc, argv);
    if (rc >= 0)
        return rc;
    if (!self.from || !self.text || !self.to.count || (self.whatsapp && self.to.count > 1))
        return cli_fail (EX_USAGE, "send: --from, --text and %s are needed",
                         self.whatsapp ? "one --to" : "--to");
    failure_t failure = {0};
    arena_t *arena = arena_new (1 << 18);
    rc = arena ? run (&self, arena, &failure)
               : failure_set (&failure, E_NO_MEMORY, "", "out of memory");
    arena_destroy (&arena);
    return rc ? client_fail ("send", &failure) : EX_OK;
}
