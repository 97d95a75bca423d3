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

typedef struct verbs {
    const verb_t *list;
    size_t count;
    verb_means_t *means; /* lies in `self` */
    void *self;
    int (*prepare) (void *self, failure_t *failure); /* before any verb runs; may be NULL */
} verbs_t;

/* Reads the command line by `form`, which need not tell how many operands there are, and runs the verb that it names. Returns the exit code; failures and what fits no verb are told on
 * stderr. */
int verbs_main (cli_form_t *form, int argc, char **argv, const verbs_t *verbs);

/* One line of JSON on stdout; deletes it. */
void json_print (struct cJSON *json);

#endif
