/* drive.c - see drive.h. What goes wrong here ends the test with a line on stderr. */
#include "drive.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gen/common.h"

static void die (const char *what)
{
    fprintf (stderr, "drive: %s: %s\n", what, strerror (errno));
    abort ();
}

/* ---- processes ---- */

const char *drive_program (const char *name, char out[512])
{
    char self[400];
    ssize_t n = readlink ("/proc/self/exe", self, sizeof self - 1);
    if (n < 0)
        die ("/proc/self/exe");
    self[n] = 0;
    *strrchr (self, '/') = 0; /* BUILD/tests */
    snprintf (out, 512, "%s/%s", self, name);
    if (access (out, X_OK) != 0)
        snprintf (out, 512, "%s/../bin/%s", self, name);
    return out;
}

void drive_open (drive_t *self)
{
    *self = (drive_t){0};
    const char *base = getenv ("TMPDIR");
    snprintf (self->folder, sizeof self->folder, "%.30s/aviary-svc-XXXXXX",
              base && *base ? base : "/tmp");
    if (!mkdtemp (self->folder))
        die (self->folder);
}

static int remove_one (const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void) st, (void) kind, (void) at;
    return remove (path);
}

void drive_close (drive_t *self)
{
    for (size_t i = self->count; i-- > 0;) {
        if (self->processes[i].pid) {
            process_kill (&self->processes[i], SIGKILL);
            process_wait (&self->processes[i]);
        }
        free ((void *) (uintptr_t) self->processes[i].program);
    }
    bus_destroy (&self->bus);
    nftw (self->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void process_exec (drive_t *self, process_t *process)
{
    char *argv[DRIVE_FLAGS + 4] = {(char *) (uintptr_t) process->program,
                                   (char *) (uintptr_t) "--data", self->folder};
    for (int i = 0; i < DRIVE_FLAGS && process->flags[i][0]; i++)
        argv[3 + i] = process->flags[i];
    prctl (PR_SET_PDEATHSIG, SIGKILL);
    if (process->preload) {
        setenv ("LD_PRELOAD", process->preload, 1);
        setenv ("AVIARY_TEST_SYNC", process->preload_file, 1);
        setenv ("ASAN_OPTIONS", "detect_leaks=0:verify_asan_link_order=0", 1);
    }
    if (!getenv ("SVC_TEST_LOUD")) {
        char path[128];
        snprintf (path, sizeof path, "%s/log", self->folder);
        int log = open (path, O_WRONLY | O_CREAT | O_APPEND, 0600);
        dup2 (log, STDERR_FILENO);
    }
    execv (process->program, argv);
    _exit (127);
}

void process_start (drive_t *self, process_t *process)
{
    process->pid = fork ();
    if (process->pid < 0)
        die ("fork");
    if (!process->pid)
        process_exec (self, process);
}

process_t *drive_start (drive_t *self, const char *program, const char *const *flags)
{
    char path[512];
    process_t *process = &self->processes[self->count++];
    process->program = strdup (drive_program (program, path));
    for (int i = 0; flags && flags[i] && i < DRIVE_FLAGS; i++)
        snprintf (process->flags[i], sizeof process->flags[i], "%s", flags[i]);
    process_start (self, process);
    return process;
}

void process_kill (process_t *process, int signal)
{
    if (process->pid)
        kill (process->pid, signal);
}

int process_wait (process_t *process)
{
    int status = 0;
    for (int64_t end = clock_mono_ms () + 20000; clock_mono_ms () < end; usleep (2000)) {
        pid_t pid = waitpid (process->pid, &status, WNOHANG);
        if (!pid)
            continue;
        process->pid = 0;
        return WIFEXITED (status) ? WEXITSTATUS (status) : -WTERMSIG (status);
    }
    return -1000;
}

/* ---- asking ---- */

void drive_connect (drive_t *self)
{
    char endpoint[128];
    failure_t failure = {0};
    snprintf (endpoint, sizeof endpoint, "ipc://%s/run/bus", self->folder);
    bus_config_t config = {.endpoint = endpoint, .service = "edge", .pid = (unsigned) getpid ()};
    if (bus_new (&config, &self->bus, &failure))
        die (failure.text);
    for (int i = 0; i < 200 && !bus_connected (self->bus); i++)
        drive_work (self, 50, NULL);
    if (!bus_connected (self->bus))
        die ("no broker");
}

void drive_work (drive_t *self, int ms, const bool *stop)
{
    int64_t end = clock_mono_ms () + ms;
    do {
        int next = 100;
        while (bus_work (self->bus, &next))
            continue;
        if (stop && *stop)
            return;
        int64_t left = end - clock_mono_ms ();
        struct pollfd fd = {.fd = bus_fd (self->bus), .events = POLLIN};
        if (left > 0)
            poll (&fd, 1, next < left ? next : (int) left);
    } while (clock_mono_ms () < end);
}

static void call_done (void *context, const envelope_t *header, bytes_t body,
                       const failure_t *failure)
{
    call_t *call = context;
    call->done = true;
    if (failure && failure->code) {
        call->failure = *failure;
        call->code = failure->code;
    } else {
        call->replayed = header && header->replayed;
        buf_add (&call->body, body.data, body.size);
    }
}

int drive_ask (drive_t *self, const char *target, const schema_type_t *in_type, const void *in,
               const schema_type_t *out_type, void *out, arena_t *arena)
{
    buf_t body = {0};
    call_t call = {0};
    envelope_t header = {.target = target, .ttl_ms = 5000};
    schema_pack (in_type, in, &body);
    bus_ask (self->bus, &header, buf_bytes (&body), call_done, &call);
    while (!call.done)
        drive_work (self, 6000, &call.done);
    int code = call.code;
    if (!code && out) {
        memset (out, 0, out_type->size);
        code = schema_unpack (out_type, buf_bytes (&call.body), arena, out, NULL);
    }
    buf_free (&body);
    buf_free (&call.body);
    return code;
}

void drive_send (drive_t *self, const char *target, const char *key, id16_t id,
                 const schema_type_t *in_type, const void *in, bus_answer_fn *done, void *context)
{
    buf_t body = {0};
    envelope_t header = {.target = target, .ttl_ms = 5000, .id = id, .request_id = key};
    header.idem =
        (idempotency_t){.dialect = "test", .route = "POST /test", .key = key, .request_id = key};
    schema_pack (in_type, in, &body);
    bus_ask (self->bus, &header, buf_bytes (&body), done, context);
    buf_free (&body);
}

bool drive_ready (drive_t *self, const char *service)
{
    char target[64];
    arena_t *arena = arena_new (1 << 20);
    snprintf (target, sizeof target, "%s.health", service);
    bool ready = false;
    for (int64_t end = clock_mono_ms () + 20000; !ready && clock_mono_ms () < end;) {
        common_health_out_t out;
        int rc = drive_ask (self, target, &common_health_in_type, &(common_health_in_t){0},
                            &common_health_out_type, &out, arena);
        ready = !rc && out.ready;
        if (!ready)
            drive_work (self, 50, NULL);
        arena_reset (arena);
    }
    arena_destroy (&arena);
    return ready;
}
