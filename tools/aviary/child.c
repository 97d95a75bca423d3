/* child.c - starting processes and the restart policy.
 *
 * The supervisor has one thread and no ZeroMQ context or store, so fork is safe. A program that is missing shows as exit 71 with a
 * line from the child itself. */
#define _GNU_SOURCE /* pipe2, vasprintf */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sysexits.h>
#include <unistd.h>

void child_init (child_t *self, child_role_t role, const char *service, unsigned replica)
{
    memset (self, 0, sizeof *self);
    self->role = role;
    self->pipe = -1;
    self->replica = replica;
    snprintf (self->service, sizeof self->service, "%s", service);
    snprintf (self->prefix, sizeof self->prefix, "%s.%u", service, replica);
}

void child_free (child_t *self)
{
    for (size_t i = 0; i < self->arg_count; i++)
        free (self->args[i]);
    self->arg_count = 0;
    if (self->pipe >= 0)
        close (self->pipe);
    self->pipe = -1;
}

bool child_arg (child_t *self, const char *format, ...)
{
    if (self->arg_count == CHILD_ARGS_MAX)
        return false;
    va_list args;
    va_start (args, format);
    char *text = NULL;
    int n = vasprintf (&text, format, args);
    va_end (args);
    if (n < 0)
        return false;
    self->args[self->arg_count++] = text;
    self->args[self->arg_count] = NULL;
    return true;
}

/* In the new process. Only calls that are safe after fork; ends in exec. */
static void child_become (const child_t *self, int out, pid_t parent)
{
    sigset_t none;
    sigemptyset (&none);
    sigprocmask (SIG_SETMASK, &none, NULL);
    signal (SIGPIPE, SIG_DFL);
    prctl (PR_SET_PDEATHSIG, SIGKILL);
    if (getppid () != parent) /* it died before the line above took hold */
        _exit (EX_OSERR);
    setpgid (0, 0); /* Ctrl-C is for the supervisor; it drains us in order */
    if (out >= 0) {
        dup2 (out, STDOUT_FILENO);
        dup2 (out, STDERR_FILENO);
    }
    int null = open ("/dev/null", O_RDONLY);
    if (null >= 0)
        dup2 (null, STDIN_FILENO);
    execv (self->args[0], self->args);
    dprintf (STDERR_FILENO, "cannot run %s: %s\n", self->args[0], strerror (errno));
    _exit (EX_OSERR);
}

int child_start (child_t *self, int64_t now_ms)
{
    int ends[2] = {-1, -1};
    if (self->role != CHILD_ONCE && pipe2 (ends, O_CLOEXEC) < 0)
        return errno;
    pid_t parent = getpid ();
    pid_t pid = fork ();
    if (pid == 0)
        child_become (self, ends[1], parent);
    int rc = pid < 0 ? errno : 0;
    if (ends[1] >= 0)
        close (ends[1]);
    if (rc) {
        if (ends[0] >= 0)
            close (ends[0]);
        return rc;
    }
    if (self->pipe >= 0)
        close (self->pipe);
    self->pipe = ends[0];
    if (self->pipe >= 0)
        fcntl (self->pipe, F_SETFL, O_NONBLOCK);
    self->line.size = 0;
    self->pid = pid;
    self->started_ms = now_ms;
    self->retry_ms = 0;
    self->starts++;
    return 0;
}

void child_ended (child_t *self, int64_t now_ms)
{
    bool quick = self->crash_ms && now_ms - self->crash_ms < CHILD_QUICK_MS;
    self->quick = quick ? self->quick + 1 : 0;
    self->crash_ms = now_ms;
    int64_t wait = 0;
    if (self->quick) {
        unsigned doublings = self->quick - 1 < 8 ? self->quick - 1 : 8;
        wait = (int64_t) 250 << doublings;
        if (wait > CHILD_BACKOFF_MAX_MS)
            wait = CHILD_BACKOFF_MAX_MS;
    }
    self->retry_ms = now_ms + wait;
}

void child_signal (child_t *self, int signal)
{
    if (self->pid > 0)
        kill (self->pid, signal);
}
