/* cmd_errors.c - `aviary errors`: every error code of the house with its face in Chirp, and the magic numbers that provoke failures.
 *
 * Needs no house: all comes from the tables that the services are made of. --markdown is docs/testing.md's table. */
#include "cli.h"
#include "commands.h"

#include "provider/provider.h"
#include "schema/schema.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

static const char *const classes[] = {
    [EC_OK] = "ok",
    [EC_INPUT] = "input",
    [EC_AUTH] = "auth",
    [EC_FORBIDDEN] = "forbidden",
    [EC_NOT_FOUND] = "not found",
    [EC_CONFLICT] = "conflict",
    [EC_REFUSED] = "refused",
    [EC_UPSTREAM] = "upstream",
    [EC_LIMITED] = "limited",
    [EC_UNAVAILABLE] = "unavailable",
    [EC_INTERNAL] = "internal",
    [EC_SIGNAL] = "signal",
};

/* Says one row in the form asked for; `chirp` and `number` may be NULL. */
typedef struct teller {
    bool markdown;
    cJSON *errors, *numbers; /* --json */
} teller_t;

static const schema_dialect_t *chirp (void)
{
    for (size_t i = 0; i < schema_all_dialect_count; i++)
        if (!strcmp (schema_all_dialects[i]->name, "chirp"))
            return schema_all_dialects[i];
    return NULL;
}

static void error_tell (const teller_t *self, int code, const schema_public_error_t *told)
{
    const char *word = told && told->word ? told->word : "", *type = told ? told->type : "";
    int status = told ? told->status : 0;
    if (self->errors) {
        cJSON *row = cJSON_CreateObject ();
        cJSON_AddStringToObject (row, "error", error_name (code));
        cJSON_AddNumberToObject (row, "number", code);
        cJSON_AddStringToObject (row, "class", classes[error_class (code)]);
        cJSON_AddStringToObject (row, "type", type);
        cJSON_AddNumberToObject (row, "status", status);
        cJSON_AddItemToObject (row, "code",
                               *word ? cJSON_CreateString (word) : cJSON_CreateNull ());
        cJSON_AddStringToObject (row, "doc", error_doc (code));
        cJSON_AddItemToArray (self->errors, row);
    } else if (self->markdown) {
        printf ("| `%s` | %s | `%s` | %d | %s%s%s | %s |\n", error_name (code),
                classes[error_class (code)], type, status, *word ? "`" : "", word, *word ? "`" : "",
                error_doc (code));
    } else {
        printf ("%-28s %-12s %-22s %d  %-28s %s\n", error_name (code), classes[error_class (code)],
                type, status, word, error_doc (code));
    }
}

static void number_tell (const teller_t *self, const char *number, const char *channel,
                         const char *error, const char *native, const char *doc)
{
    if (self->numbers) {
        cJSON *row = cJSON_CreateObject ();
        cJSON_AddStringToObject (row, "number", number);
        cJSON_AddStringToObject (row, "channel", channel);
        cJSON_AddItemToObject (row, "error",
                               *error ? cJSON_CreateString (error) : cJSON_CreateNull ());
        cJSON_AddItemToObject (row, "provider_code",
                               *native ? cJSON_CreateString (native) : cJSON_CreateNull ());
        cJSON_AddStringToObject (row, "doc", doc);
        cJSON_AddItemToArray (self->numbers, row);
    } else if (self->markdown) {
        printf ("| `%s` | %s | %s%s%s | %s | %s |\n", number, channel, *error ? "`" : "", error,
                *error ? "`" : "", native, doc);
    } else {
        printf ("%-14s %-9s %-28s %-7s %s\n", number, channel, error, native, doc);
    }
}

static const char *magic_word (loopback_magic_t magic)
{
    return magic == MAGIC_WINDOW_CLOSED ? " (refused at once: the 24-hour window counts as closed)"
           : magic == MAGIC_FAILED      ? " (told after the message was sent)"
                                        : "";
}

static void numbers_tell (const teller_t *self)
{
    size_t count;
    const provider_fault_t *faults = provider_faults (&count);
    for (size_t i = 0; i < count; i++) {
        char number[24], doc[FAILURE_TEXT_SIZE];
        bool whatsapp = !strcmp (faults[i].source, "meta");
        loopback_number (&faults[i], number);
        snprintf (doc, sizeof doc, "%s%s", faults[i].text,
                  magic_word (loopback_rule (whatsapp, number).magic));
        number_tell (self, number, whatsapp ? "whatsapp" : "sms", error_name (faults[i].code),
                     faults[i].native, doc);
    }
    const loopback_rule_t *specials = loopback_specials (&count);
    for (size_t i = 0; i < count; i++) {
        bool whatsapp_only = specials[i].magic == MAGIC_REFUSED;
        loopback_rule_t rule = loopback_rule (true, specials[i].number);
        number_tell (self, specials[i].number, whatsapp_only ? "whatsapp" : "both",
                     rule.fault ? error_name (rule.fault->code) : "",
                     rule.fault ? rule.fault->native : "", specials[i].doc);
    }
}

static void errors_tell (const teller_t *self)
{
    const schema_dialect_t *dialect = chirp ();
    for (size_t i = 0; dialect && i < dialect->error_count; i++)
        if (error_class (dialect->errors[i].code) != EC_SIGNAL) /* those never leave a process */
            error_tell (self, dialect->errors[i].code, &dialect->errors[i]);
}

static void tell_text (bool markdown)
{
    teller_t self = {.markdown = markdown};
    if (markdown)
        printf (
            "| Error | Class | Chirp type | HTTP | Chirp code | Meaning |\n| --- | --- | --- | --- | --- | --- |\n");
    else
        printf ("%-28s %-12s %-22s %s %-28s %s\n", "ERROR", "CLASS", "CHIRP TYPE", "HTTP",
                "CHIRP CODE", "MEANING");
    errors_tell (&self);
    if (markdown)
        printf (
            "\n| Number | Channel | Error | Carrier's code | What happens |\n| --- | --- | --- | --- | --- |\n");
    else
        printf (
            "\nNumbers that make the loopback carrier of test apps fail; every other number is delivered, WhatsApp also read.\n"
            "%-14s %-9s %-28s %-7s %s\n",
            "NUMBER", "CHANNEL", "ERROR", "NATIVE", "WHAT HAPPENS");
    numbers_tell (&self);
}

static void tell_json (void)
{
    cJSON *root = cJSON_CreateObject ();
    teller_t self = {.errors = cJSON_AddArrayToObject (root, "errors"),
                     .numbers = cJSON_AddArrayToObject (root, "numbers")};
    errors_tell (&self);
    numbers_tell (&self);
    char *text = cJSON_Print (root);
    puts (text ? text : "{}");
    cJSON_free (text);
    cJSON_Delete (root);
}

int cmd_errors (int argc, char **argv)
{
    const char *data = NULL;
    bool json = false, markdown = false;
    const cli_option_t options[] = {
        {"--data", "DIR", "taken and not needed", CLI_TEXT, &data, 0, 0},
        {"--json", NULL, "{errors: [...], numbers: [...]}", CLI_SWITCH, &json, 0, 0},
        {"--markdown", NULL, "two tables in Markdown", CLI_SWITCH, &markdown, 0, 0},
    };
    cli_form_t form = {
        .command = "errors",
        .about =
            "Every error code with its class and its type, HTTP status and code in Chirp, and the magic numbers of test apps.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
    };
    int rc = cli_read (&form, argc, argv);
    if (rc >= 0)
        return rc;
    if (json)
        tell_json ();
    else
        tell_text (markdown);
    return EX_OK;
}
