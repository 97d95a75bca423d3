/* rules.h - faults that a test asks for: which requests, how often, what happens. */
#ifndef AVIARY_SIM_RULES_H
#define AVIARY_SIM_RULES_H

#include "json.h"

#include <stdint.h>

typedef enum provider {
    PROVIDER_NONE,
    PROVIDER_META,
    PROVIDER_TELNYX,
    PROVIDER_CONTROL /* the simulator's own */
} provider_t;

const char *provider_name (provider_t provider);
provider_t provider_read (const char *name); /* PROVIDER_NONE if not a carrier's */

enum { RULE_CODE_SIZE = 16, RULE_TEXT_SIZE = 256, RULES_MAX = 20000 };

typedef struct rule_action {
    int status;                          /* 0 = not said */
    char error_code[RULE_CODE_SIZE];     /* "" = not said */
    char fail_with_code[RULE_CODE_SIZE]; /* accepted, then a callback says that it failed */
    int64_t delay_ms;
    bool drop_answer;
    bool no_callbacks;
    unsigned duplicate_callbacks; /* how many more of each */
    bool reorder_callbacks;
} rule_action_t;

typedef struct rule {
    struct rule *next;
    int64_t id;
    provider_t provider;       /* PROVIDER_NONE = any */
    char path[RULE_TEXT_SIZE]; /* "" = any; a part of the path, or with "*" the whole */
    char to[RULE_TEXT_SIZE];   /* "" = any; digits, "*" for any run of them */
    int64_t times;             /* 0 = for ever */
    int64_t matches;
    rule_action_t action;
} rule_t;

typedef struct rules {
    rule_t *first;
    rule_t **last;
    size_t count;
    int64_t last_id;
} rules_t;

/* What can be matched. */
typedef struct rule_subject {
    provider_t provider;
    const char *path;
    char *const *to; /* digits */
    size_t to_count; /* 0 = not a send */
} rule_subject_t;

void rules_init (rules_t *self);
void rules_clear (rules_t *self);
/* The new rule, or NULL with a sentence (which names the offending member) in `error`. */
const rule_t *rules_add (rules_t *self, const cJSON *in, char *error, size_t size);
bool rules_drop (rules_t *self, int64_t id);
/* The oldest rule that matches and is not used up; counts the match. NULL if none. */
const rule_t *rules_match (rules_t *self, const rule_subject_t *subject);
/* Is the request refused instead of worked on? */
bool rule_refuses (const rule_action_t *action);
bool rule_to_matches (const char *pattern, const char *digits);
cJSON *rule_show (const rule_t *self);
cJSON *rules_show (const rules_t *self);

#endif
