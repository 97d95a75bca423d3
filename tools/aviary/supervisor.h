/* supervisor.h - keeps a list of processes running until told to stop. */
#ifndef AVIARY_SUPERVISOR_H
#define AVIARY_SUPERVISOR_H

#include "child.h"

enum { SUPERVISOR_CHILDREN_MAX = 96, SUPERVISOR_DRAIN_MS = 10000 };

typedef struct supervisor {
    child_t *children[SUPERVISOR_CHILDREN_MAX];
    size_t count;
    const char *data;       /* absolute DIR; DIR/run/supervisor.json is written there */
    const char *ready_line; /* said once when everything is ready */
    const char *ready_run;  /* program and one argument of a process to run once then, or NULL */
    const char *ready_args[8];
    logs_t logs;
    int signals;     /* signalfd */
    int64_t stop_ms; /* when TERM came; 0 = running */
    int64_t
        list_ms; /* when the list of processes is to be written again: it could not be; 0 = it is as it should */
    unsigned phase; /* of the drain */
    int exit_code;
    bool told_ready;
} supervisor_t;

void supervisor_init (supervisor_t *self, const char *data);
/* A new child of the plan, or NULL if there are too many or no memory. Give it its arguments with child_arg. */
child_t *supervisor_add (supervisor_t *self, child_role_t role, const char *service,
                         unsigned replica);
/* Start all and stay until TERM or INT, or until a program refuses its settings at the first start. Returns the exit code. */
int supervisor_run (supervisor_t *self);
void supervisor_free (supervisor_t *self);

#endif
