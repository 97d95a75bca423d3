/* verbs.h - subcommands whose first operand is a verb: `aviary key create|list|delete ID`. */
#ifndef AVIARY_VERBS_H
#define AVIARY_VERBS_H

#include "cli.h"
#include "client.h"

struct cJSON;

typedef struct verb {
    const char *name;
    size_t operands; /* behind the verb: 0 or 1 */
    int (*run) (void *self, const char *operand /* NULL if none */, failure_t *failure);
    bool offline; /* needs no house */
} verb_t;

/* What a verb works with; made before it runs and gone after it. */
typedef struct verb_means {
    const char *data; /* the house's folder */
    arena_t *arena;
    client_t *client;
} verb_means_t;

enum { VERB_ASK_MS = 8000 };

/* Runs the verb that form->given names; `means` lies in `self`. Returns the exit code; failures and what fits no verb are told on stderr. */
int verbs_run (const cli_form_t *form, const verb_t *verbs, size_t count, verb_means_t *means,
               void *self);

/* One line of JSON on stdout; deletes it. */
void json_print (struct cJSON *json);

#endif
