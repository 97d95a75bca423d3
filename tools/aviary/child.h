/* child.h - one supervised process: how it is started, when it comes back. */
#ifndef AVIARY_CHILD_H
#define AVIARY_CHILD_H

#include "logs.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { CHILD_ARGS_MAX = 48, CHILD_QUICK_MS = 10000, CHILD_BACKOFF_MAX_MS = 5000 };

typedef enum child_role {
    CHILD_BROKER,  /* drained last */
    CHILD_SERVICE, /* drained second */
    CHILD_EDGE,    /* drained first */
    CHILD_WATCH,   /* tells who is frozen; its lines are for the supervisor; not listed */
    CHILD_ONCE     /* runs once, writes to our own stdout, is not restarted or listed */
} child_role_t;

typedef struct child {
    char service[24];
    unsigned replica;
    char prefix[32];
    child_role_t role;
    char *args[CHILD_ARGS_MAX + 1]; /* owned */
    size_t arg_count;
    pid_t pid; /* 0 = down */
    int pipe;  /* its stdout and stderr, or -1 */
    log_line_t line;
    int64_t started_ms;
    int64_t retry_ms; /* monotonic time of the next start; 0 = not wanted */
    int64_t crash_ms; /* of the last end that was not asked for */
    unsigned quick;   /* how many ends in a row came within CHILD_QUICK_MS of each other */
    unsigned starts;
    bool held; /* not started before the supervisor lets go of it */
} child_t;

void child_init (child_t *self, child_role_t role, const char *service, unsigned replica);
void child_free (child_t *self);
bool child_arg (child_t *self, const char *format, ...)
    __attribute__ ((format (printf, 2, 3))); /* false if there are too many */
/* Fork and exec args[0]. The child dies with us (PDEATHSIG). 0, or an errno of pipe or fork. */
int child_start (child_t *self, int64_t now_ms);
/* It ended unasked: sets retry_ms. At once the first time; then 250 ms doubling to 5 s while ends come within 10 s of each other. */
void child_ended (child_t *self, int64_t now_ms);
void child_signal (child_t *self, int signal); /* nothing if down */

#endif
