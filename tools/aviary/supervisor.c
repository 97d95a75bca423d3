/* supervisor.c - the loop: signals, log lines, ends of processes, restarts, the watcher's words, the drain.
 *
 * One thread, no ZeroMQ context (a fork would copy it): who is ready and who is frozen is told by a child of its own, `aviary watch`.
 * TERM drains in three phases, edges, services, broker, each given a share of ten seconds, then KILL; a second TERM kills at once.
 * A program that ends with 64, 69 or 78 before it was ever up for five seconds at its first start will not do better at the next: then
 * everything stops, with that code. */
#define _GNU_SOURCE /* sigabbrev_np */
#include "supervisor.h"

#include "base/clock.h"
#include "run_file.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

enum { FIRST_START_MS = 5000, PHASES = 4, LIST_AGAIN_MS = 1000 };

/* When each phase of the drain is over at the latest, after TERM: edges, services, broker, KILL. */
static const int64_t phase_end_ms[PHASES] = {4500, 9000, 9700, SUPERVISOR_DRAIN_MS};

void supervisor_init (supervisor_t *self, const char *data)
{
    memset (self, 0, sizeof *self);
    self->data = data;
    self->signals = -1;
    logs_open (&self->logs, STDERR_FILENO);
}

void supervisor_free (supervisor_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        child_free (self->children[i]);
        free (self->children[i]);
    }
    self->count = 0;
    if (self->signals >= 0)
        close (self->signals);
    logs_close (&self->logs);
}

child_t *supervisor_add (supervisor_t *self, child_role_t role, const char *service,
                         unsigned replica)
{
    child_t *child = self->count < SUPERVISOR_CHILDREN_MAX ? malloc (sizeof *child) : NULL;
    if (!child)
        return NULL;
    child_init (child, role, service, replica);
    self->children[self->count++] = child;
    return child;
}

static void list_write (supervisor_t *self)
{
    run_list_t list = {.supervisor = getpid ()};
    for (size_t i = 0; i < self->count; i++) {
        const child_t *c = self->children[i];
        if (c->role == CHILD_WATCH || c->role == CHILD_ONCE)
            continue;
        run_entry_t *entry = &list.entries[list.count++];
        snprintf (entry->service, sizeof entry->service, "%s", c->service);
        entry->replica = c->replica;
        entry->pid = c->pid;
    }
    int rc = run_list_write (self->data, &list);
    if (rc && !self->list_ms)
        logs_printf (&self->logs, "aviary",
                     "cannot write run/supervisor.json: %s; trying again each second",
                     strerror (rc));
    self->list_ms = rc ? clock_mono_ms () + LIST_AGAIN_MS : 0;
}

/* A full disk has room again some day, and nobody need start or end then. */
static void list_again (supervisor_t *self)
{
    if (self->list_ms && clock_mono_ms () >= self->list_ms)
        list_write (self);
}

static void start (supervisor_t *self, child_t *child)
{
    int64_t now = clock_mono_ms ();
    int rc = child_start (child, now);
    if (rc) {
        logs_printf (&self->logs, "aviary", "cannot start %s: %s", child->prefix, strerror (rc));
        child_ended (child, now);
    }
}

/* ---- the drain ---- */

static bool phase_has (unsigned phase, child_role_t role)
{
    if (role == CHILD_WATCH || role == CHILD_ONCE)
        return phase == 0;
    return role == (phase == 0 ? CHILD_EDGE : phase == 1 ? CHILD_SERVICE : CHILD_BROKER);
}

static void signal_all (supervisor_t *self, unsigned phase, int signal)
{
    for (size_t i = 0; i < self->count; i++)
        if (phase == PHASES || phase_has (phase, self->children[i]->role)) {
            child_signal (self->children[i], signal);
            child_signal (self->children[i], SIGCONT); /* a stopped one hears TERM too */
        }
}

static void drain_start (supervisor_t *self, const char *why)
{
    self->stop_ms = clock_mono_ms ();
    self->phase = 0;
    logs_printf (&self->logs, "aviary", "stopping: %s", why);
    for (size_t i = 0; i < self->count; i++)
        self->children[i]->retry_ms = 0;
    signal_all (self, 0, SIGTERM);
}

static bool phase_over (const supervisor_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        if (self->children[i]->pid && phase_has (self->phase, self->children[i]->role))
            return false;
    return true;
}

static bool anyone_left (const supervisor_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        if (self->children[i]->pid)
            return true;
    return false;
}

/* Go on to the next phase when this one's processes are gone or its time is. */
static void drain_step (supervisor_t *self)
{
    int64_t since = clock_mono_ms () - self->stop_ms;
    while (self->phase < PHASES - 1 && (phase_over (self) || since >= phase_end_ms[self->phase])) {
        self->phase++;
        if (self->phase < PHASES - 1)
            signal_all (self, self->phase, SIGTERM);
    }
    if (self->phase == PHASES - 1 && anyone_left (self)) {
        logs_printf (&self->logs, "aviary", "not drained in time, killing what is left");
        signal_all (self, PHASES, SIGKILL);
        self->phase = PHASES;
    }
}

/* ---- ends ---- */

static void tell_end (supervisor_t *self, const child_t *child, pid_t pid, int status)
{
    char how[48];
    if (WIFSIGNALED (status))
        snprintf (how, sizeof how, "signal %d (%s)", WTERMSIG (status),
                  sigabbrev_np (WTERMSIG (status)));
    else
        snprintf (how, sizeof how, "exit %d", WEXITSTATUS (status));
    int64_t wait = child->retry_ms ? child->retry_ms - child->crash_ms : 0;
    if (self->stop_ms || child->role == CHILD_ONCE)
        return;
    if (wait > 0)
        logs_printf (&self->logs, "aviary", "%s (pid %d) ended with %s; again in %lld ms",
                     child->prefix, (int) pid, how, (long long) wait);
    else
        logs_printf (&self->logs, "aviary", "%s (pid %d) ended with %s; restarting", child->prefix,
                     (int) pid, how);
}

static bool refused (const child_t *child, int status, int64_t now)
{
    int code = WIFEXITED (status) ? WEXITSTATUS (status) : 0;
    return child->starts == 1 && now - child->started_ms < FIRST_START_MS &&
           child->role != CHILD_WATCH && child->role != CHILD_ONCE &&
           (code == EX_USAGE || code == EX_UNAVAILABLE || code == EX_CONFIG);
}

static void ended (supervisor_t *self, pid_t pid, int status)
{
    child_t *child = NULL;
    for (size_t i = 0; i < self->count; i++)
        if (self->children[i]->pid == pid)
            child = self->children[i];
    if (!child)
        return;
    int64_t now = clock_mono_ms ();
    if (child->pipe >= 0) {
        errno = 0;
        while (logs_copy (&self->logs, child->prefix, child->pipe, &child->line) && errno != EAGAIN)
            errno = 0;
        logs_end (&self->logs, child->prefix, &child->line);
    }
    child->pid = 0;
    if (!self->stop_ms && refused (child, status, now)) {
        self->exit_code = WEXITSTATUS (status);
        drain_start (self, "a program refused to start");
    } else if (!self->stop_ms && child->role != CHILD_ONCE) {
        child_ended (child, now);
        tell_end (self, child, pid, status);
    }
}

static void reap (supervisor_t *self)
{
    int status;
    bool any = false;
    for (pid_t pid; (pid = waitpid (-1, &status, WNOHANG)) > 0; any = true)
        ended (self, pid, status);
    if (any)
        list_write (self);
}

/* ---- the watcher's words: "first", "ready", "frozen SERVICE REPLICA PID" ---- */

static void ready (supervisor_t *self)
{
    if (self->told_ready || self->stop_ms)
        return;
    self->told_ready = true;
    logs_printf (&self->logs, "aviary", "%s", self->ready_line);
    child_t *once = self->ready_run ? supervisor_add (self, CHILD_ONCE, "once", 0) : NULL;
    if (!once)
        return;
    child_arg (once, "%s", self->ready_run);
    for (size_t i = 0;
         i < sizeof self->ready_args / sizeof self->ready_args[0] && self->ready_args[i]; i++)
        child_arg (once, "%s", self->ready_args[i]);
    start (self, once);
}

/* The first start is over: what was held back for it starts. */
static void release (supervisor_t *self)
{
    bool any = false;
    for (size_t i = 0; i < self->count; i++) {
        child_t *c = self->children[i];
        if (c->held && !self->stop_ms) {
            c->held = false;
            start (self, c);
            any = true;
        }
    }
    if (any)
        list_write (self);
}

static void frozen (supervisor_t *self, int pid)
{
    for (size_t i = 0; i < self->count; i++) {
        child_t *c = self->children[i];
        if (c->pid == pid && pid > 0 && !self->stop_ms) {
            logs_printf (&self->logs, "aviary", "%s (pid %d) is frozen; killing it", c->prefix,
                         pid);
            child_signal (c, SIGKILL);
        }
    }
}

static void watcher_line (supervisor_t *self, const char *line)
{
    int pid;
    if (!strcmp (line, "ready"))
        ready (self);
    else if (!strcmp (line, "first"))
        release (self);
    else if (sscanf (line, "frozen %*s %*u %d", &pid) == 1)
        frozen (self, pid);
    else
        logs_printf (&self->logs, "watch.0", "%s", line);
}

static bool watcher_read (supervisor_t *self, child_t *child)
{
    log_line_t *line = &child->line;
    ssize_t n = read (child->pipe, line->text + line->size, sizeof line->text - 1 - line->size);
    if (n <= 0)
        return n < 0 && (errno == EAGAIN || errno == EINTR);
    line->size += (size_t) n;
    for (char *end; (end = memchr (line->text, '\n', line->size));) {
        *end = '\0';
        watcher_line (self, line->text);
        size_t used = (size_t) (end + 1 - line->text);
        memmove (line->text, end + 1, line->size - used);
        line->size -= used;
    }
    if (line->size == sizeof line->text - 1)
        line->size = 0;
    return true;
}

/* ---- the loop ---- */

static int signals_open (supervisor_t *self)
{
    sigset_t set;
    sigemptyset (&set);
    static const int wanted[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        sigaddset (&set, wanted[i]);
    sigprocmask (SIG_BLOCK, &set, NULL);
    signal (SIGPIPE, SIG_IGN);
    self->signals = signalfd (-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return self->signals < 0 ? errno : 0;
}

/* true = exit at once */
static bool signals_read (supervisor_t *self)
{
    struct signalfd_siginfo info;
    while (read (self->signals, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGCHLD)
            continue;
        if (self->stop_ms &&
            clock_mono_ms () - self->stop_ms > 100) { /* Ctrl-C may come doubled by a wrapper */
            signal_all (self, PHASES, SIGKILL);
            return true;
        }
        if (!self->stop_ms)
            drain_start (self, info.ssi_signo == SIGTERM  ? "TERM"
                               : info.ssi_signo == SIGINT ? "interrupted"
                                                          : "hung up");
    }
    return false;
}

/* Milliseconds until something is due; -1 = nothing. Starts what is due now. */
static int starts_due (supervisor_t *self)
{
    int64_t now = clock_mono_ms ();
    int64_t next = self->stop_ms ? now + 50 : INT64_MAX;
    bool any = false;
    for (size_t i = 0; i < self->count; i++) {
        child_t *c = self->children[i];
        if (c->retry_ms && c->retry_ms <= now) {
            start (self, c);
            any = true;
        }
        if (c->retry_ms && c->retry_ms < next)
            next = c->retry_ms;
    }
    if (any)
        list_write (self);
    return next == INT64_MAX ? -1 : next <= now ? 0 : (int) (next - now);
}

static void pipes_read (supervisor_t *self, const struct pollfd *fds, child_t *const *of,
                        size_t count)
{
    for (size_t i = 2; i < count; i++) {
        if (!fds[i].revents)
            continue;
        child_t *c = of[i];
        bool open = c->role == CHILD_WATCH ? watcher_read (self, c)
                                           : logs_copy (&self->logs, c->prefix, c->pipe, &c->line);
        if (!open) {
            close (c->pipe);
            c->pipe = -1;
        }
    }
}

static void wait_and_read (supervisor_t *self, int timeout_ms)
{
    struct pollfd fds[SUPERVISOR_CHILDREN_MAX + 2];
    child_t *of[SUPERVISOR_CHILDREN_MAX + 2] = {NULL};
    size_t count = 2;
    fds[0] = (struct pollfd){.fd = self->signals, .events = POLLIN};
    fds[1] =
        (struct pollfd){.fd = logs_waiting (&self->logs) ? self->logs.fd : -1, .events = POLLOUT};
    for (size_t i = 0; i < self->count; i++)
        if (self->children[i]->pipe >= 0) {
            of[count] = self->children[i];
            fds[count++] = (struct pollfd){.fd = self->children[i]->pipe, .events = POLLIN};
        }
    if (poll (fds, count, timeout_ms) <= 0)
        return;
    if (fds[1].revents)
        logs_flush (&self->logs);
    pipes_read (self, fds, of, count);
}

int supervisor_run (supervisor_t *self)
{
    int rc = signals_open (self);
    if (rc) {
        logs_printf (&self->logs, "aviary", "signalfd: %s", strerror (rc));
        return EX_OSERR;
    }
    for (size_t i = 0; i < self->count; i++)
        if (!self->children[i]->held)
            start (self, self->children[i]);
    list_write (self);
    while (!self->stop_ms || anyone_left (self)) {
        int timeout_ms = starts_due (self);
        if (self->list_ms && (timeout_ms < 0 || timeout_ms > LIST_AGAIN_MS))
            timeout_ms = LIST_AGAIN_MS;
        wait_and_read (self, timeout_ms);
        list_again (self);
        if (signals_read (self))
            return EX_TEMPFAIL;
        reap (self);
        if (self->stop_ms)
            drain_step (self);
    }
    logs_printf (&self->logs, "aviary", "stopped");
    run_list_remove (self->data);
    return self->exit_code;
}
