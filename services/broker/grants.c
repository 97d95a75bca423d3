/* grants.c - who may ask what. The schema's `from` decides; the ops that every service has are in the table below. What is in neither
 * (test services) is open to the one trust domain that ipc is, and closed to TCP. */
#include "core.h"

#include <string.h>

typedef struct builtin {
    const char *op;
    bool services; /* any service may ask, not only who operates the house */
} builtin_t;

static const builtin_t builtins[] = {
    {"journal_read", true}, {"snapshot_read", true}, {"ping", false},    {"metrics", false},
    {"health", false},      {"explain", false},      {"backup", false},  {"log_level", false},
    {"storage", false},     {"jobs", false},         {"job_act", false}, {"resume", false},
    {"compact", false},
};

static bool is_operator (const char *name)
{
    return !strcmp (name, "cli") || !strcmp (name, "edge") || !strcmp (name, "broker");
}

static bool is_named (const char *const *names, const char *name)
{
    for (; names && *names; names++)
        if (!strcmp (*names, name))
            return true;
    return false;
}

bool grant_is_given (const op_t *op, bytes_t op_name, const char *service, const peer_t *sender)
{
    if (op && op->schema && op->schema->from)
        return is_named (op->schema->from, sender->name);
    for (size_t i = 0; i < sizeof builtins / sizeof builtins[0]; i++)
        if (bytes_equal (op_name, bytes_of_str (builtins[i].op)))
            return builtins[i].services || is_operator (sender->name) ||
                   !strcmp (service, sender->name);
    return (op && op->schema) || !sender->remote;
}
