/* verbs.c - see verbs.h. */
#include "verbs.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

enum { MEMORY = 16 << 20 };

static const verb_t *verb_find (const cli_list_t *given, const verbs_t *verbs)
{
    for (size_t i = 0; i < verbs->count && given->count; i++)
        if (strcmp (verbs->list[i].name, given->items[0]) == 0)
            return given->count == 1 + verbs->list[i].operands ? &verbs->list[i] : NULL;
    return NULL;
}

int verbs_main (cli_form_t *form, int argc, char **argv, const verbs_t *verbs)
{
    failure_t failure = {0};
    verb_means_t *means = verbs->means;
    form->operand_min = 1;
    form->operand_max = 2;
    int rc = cli_read (form, argc, argv);
    if (rc >= 0)
        return rc;
    const verb_t *verb = verb_find (&form->given, verbs);
    if (!verb)
        return cli_fail (EX_USAGE, "%s: %s", form->command, form->operands);
    means->arena = arena_new (MEMORY);
    rc = means->arena ? 0 : failure_set (&failure, E_NO_MEMORY, "", "out of memory");
    if (!rc && verbs->prepare)
        rc = verbs->prepare (verbs->self, &failure);
    if (!rc && !verb->offline)
        rc = client_open (means->data, VERB_ASK_MS, &means->client, &failure);
    if (!rc)
        rc = verb->run (verbs->self, verb->operands ? form->given.items[1] : NULL, &failure);
    client_close (&means->client);
    arena_destroy (&means->arena);
    return rc ? client_fail (form->command, &failure) : EX_OK;
}

void json_print (cJSON *json)
{
    char *text = cJSON_PrintUnformatted (json);
    puts (text ? text : "{}");
    cJSON_free (text);
    cJSON_Delete (json);
}
