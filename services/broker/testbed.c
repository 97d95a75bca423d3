/* testbed.c - processes are started with posix_spawn: no fork with a ZeroMQ context open. */
#include "testbed.h"

#include "base/clock.h"
#include "gen/common.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { ARGS_MAX = 24, GIVE_UP_MS = 10000 };

static pid_t start (const char *program, const char *const *args)
{
    char *argv[ARGS_MAX] = {
        "test-replica", "run",
        (char *) (uintptr_t) program}; /* ends with this process, however it ends */
    for (int i = 0; args && args[i]; i++)
        argv[i + 3] = (char *) (uintptr_t) args[i];
    pid_t pid;
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init (&files);
    posix_spawn_file_actions_addopen (&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (!getenv ("BED_VERBOSE"))
        posix_spawn_file_actions_addopen (&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    assert_int_equal (posix_spawn (&pid, REPLICA_BINARY, &files, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy (&files);
    return pid;
}

static int wait_exit (pid_t pid)
{
    int status = 0;
    while (waitpid (pid, &status, 0) < 0)
        assert_int_equal (errno, EINTR);
    return WIFEXITED (status) ? WEXITSTATUS (status) : 1000 + WTERMSIG (status);
}

void bed_sleep (int ms)
{
    poll (NULL, 0, ms);
}

int bed_broker_run (const char *const *args)
{
    return wait_exit (start (BROKER_BINARY, args));
}

void bed_broker_start (bed_t *self, const char *const *args)
{
    const char *all[ARGS_MAX] = {"--data", self->folder};
    for (int i = 0; args && args[i]; i++)
        all[i + 2] = args[i];
    self->broker = start (BROKER_BINARY, all);
}

bed_t *bed_new (const char *const *args)
{
    bed_t *self = calloc (1, sizeof *self);
    assert_non_null (self);
    strcpy (self->folder, "/tmp/aviary-bed-XXXXXX");
    assert_non_null (mkdtemp (self->folder));
    snprintf (self->bus, sizeof self->bus, "ipc://%s/run/bus", self->folder);
    snprintf (self->tap, sizeof self->tap, "ipc://%s/run/tap", self->folder);
    bed_broker_start (self, args);
    return self;
}

void bed_broker_kill (bed_t *self)
{
    kill (self->broker, SIGKILL);
    wait_exit (self->broker);
    self->broker = 0;
}

void bed_freeze (pid_t pid)
{
    int status = 0;
    kill (pid, SIGSTOP);
    assert_int_equal (waitpid (pid, &status, WUNTRACED), pid);
    assert_true (WIFSTOPPED (status));
}

void bed_kill (bed_t *self, pid_t pid)
{
    for (int i = 0; i < self->replica_count; i++)
        if (self->replicas[i] == pid)
            self->replicas[i] = 0;
    kill (pid, SIGKILL);
    wait_exit (pid);
}

static void folder_remove (const char *folder)
{
    static const char *const files[] = {"run/bus", "run/tap", "run/broker.lock", "run", ""};
    char path[128];
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf (path, sizeof path, "%s/%s", folder, files[i]);
        remove (path);
    }
}

void bed_destroy (bed_t **self)
{
    bed_t *b = *self;
    for (int i = 0; i < b->replica_count; i++)
        if (b->replicas[i])
            bed_kill (b, b->replicas[i]);
    if (b->broker) {
        kill (b->broker, SIGTERM);
        assert_int_equal (wait_exit (b->broker), 0);
    }
    folder_remove (b->folder);
    free (b);
    *self = NULL;
}

pid_t bed_replica (bed_t *self, const char *service, int number, int credit, const char *option)
{
    char digits[16], credits[16];
    snprintf (digits, sizeof digits, "%d", number);
    snprintf (credits, sizeof credits, "%d", credit);
    const char *args[] = {self->bus, service, digits, credits, option, NULL};
    pid_t pid = start (REPLICA_BINARY, args);
    self->replicas[self->replica_count++] = pid;
    client_t *cli = client_new (self->bus, "cli", NULL);
    arena_t *arena = arena_new (1 << 20);
    bool there = false;
    for (int64_t until = clock_mono_ms () + GIVE_UP_MS; !there && clock_mono_ms () < until;
         bed_sleep (5)) {
        arena_reset (arena);
        broker_status_out_t status = client_status (cli, arena);
        const broker_replica_state_t *state = status_replica (&status, service, number);
        there = state && state->pid == pid && state->ready &&
                (!option || strcmp (option, "owner") != 0 || state->owner);
    }
    assert_true (there);
    arena_destroy (&arena);
    client_destroy (&cli);
    return pid;
}

/* ---- clients ---- */

client_t *client_new (const char *endpoint, const char *service, const curve_keys_t *keys)
{
    client_t *self = calloc (1, sizeof *self);
    bus_config_t config = {
        .endpoint = endpoint, .service = service, .pid = (unsigned) getpid (), .curve = keys};
    failure_t failure = {0};
    assert_non_null (self);
    if (bus_new (&config, &self->bus, &failure))
        fail_msg ("%s", failure.text);
    return self;
}

void client_destroy (client_t **self)
{
    bus_destroy (&(*self)->bus);
    free (*self);
    *self = NULL;
}

typedef struct waiter {
    client_t *client;
    answer_t *answer;
} waiter_t;

static void done (void *context, const envelope_t *header, bytes_t body, const failure_t *failure)
{
    waiter_t *waiter = context;
    answer_t *answer = waiter->answer;
    answer->calls++;
    answer->order = ++waiter->client->answered;
    answer->code = failure ? failure->code : 0;
    if (failure)
        snprintf (answer->text, sizeof answer->text, "%s", failure->text);
    else
        snprintf (answer->text, sizeof answer->text, "%.*s", (int) body.size,
                  (const char *) body.data);
    if (header) {
        snprintf (answer->sender, sizeof answer->sender, "%s", header->sender);
        snprintf (answer->first_request_id, sizeof answer->first_request_id, "%s",
                  header->first_request_id ? header->first_request_id : "");
        answer->replayed = header->replayed;
    }
    free (waiter);
}

static void envelope_start (client_t *self, answer_t *answer, envelope_t *e, const char *body)
{
    waiter_t *waiter = calloc (1, sizeof *waiter);
    assert_non_null (waiter);
    *waiter = (waiter_t){self, answer};
    *answer = (answer_t){0};
    bus_ask (self->bus, e, bytes_of_str (body), done, waiter);
}

void client_start (client_t *self, answer_t *answer, const char *target, const char *body,
                   uint32_t ttl_ms, uint8_t tenant)
{
    envelope_t e = {.target = target, .ttl_ms = ttl_ms, .principal = PRINCIPAL_CLI};
    if (tenant)
        memset (e.org.b, tenant, sizeof e.org.b);
    envelope_start (self, answer, &e, body);
}

void client_start_as (client_t *self, answer_t *answer, const char *target, id16_t id)
{
    envelope_t e = {.target = target, .ttl_ms = 5000, .id = id};
    envelope_start (self, answer, &e, "");
}

/* All that is there; how long it may sleep then. */
static int client_turn (client_t *self)
{
    int next_ms = 0;
    while (bus_work (self->bus, &next_ms)) {}
    return next_ms;
}

static void client_sleep (client_t *self, int ms)
{
    struct pollfd fd = {bus_fd (self->bus), POLLIN, 0};
    poll (&fd, 1, ms);
}

void client_work (client_t *self, int ms)
{
    int64_t until = clock_mono_ms () + ms;
    int next_ms = client_turn (self);
    for (int64_t now; (now = clock_mono_ms ()) < until; next_ms = client_turn (self))
        client_sleep (self, next_ms < until - now ? next_ms : (int) (until - now));
}

void client_wait (client_t *self, const answer_t *answer)
{
    int64_t until = clock_mono_ms () + GIVE_UP_MS;
    for (;;) {
        int next_ms = client_turn (self);
        if (answer->calls || clock_mono_ms () >= until)
            break;
        client_sleep (self, next_ms);
    }
    assert_int_equal (answer->calls, 1);
}

answer_t client_ask (client_t *self, const char *target, const char *body, uint32_t ttl_ms)
{
    answer_t answer;
    client_start (self, &answer, target, body, ttl_ms, 0);
    client_wait (self, &answer);
    return answer;
}

/* ---- the broker's own answers ---- */

typedef struct packed {
    int calls;
    buf_t body;
} packed_t;

static void packed_done (void *context, const envelope_t *header, bytes_t body,
                         const failure_t *failure)
{
    packed_t *packed = context;
    (void) header;
    packed->calls++;
    if (failure)
        print_message ("%s\n", failure->text);
    else
        buf_add (&packed->body, body.data, body.size);
}

static packed_t client_packed (client_t *self, const char *target)
{
    packed_t packed = {0};
    envelope_t e = {.target = target, .ttl_ms = 5000, .principal = PRINCIPAL_CLI};
    bus_ask (self->bus, &e, (bytes_t){0}, packed_done, &packed);
    for (;;) {
        int next_ms = client_turn (self);
        if (packed.calls)
            return packed;
        client_sleep (self, next_ms);
    }
}

broker_status_out_t client_status (client_t *self, arena_t *arena)
{
    broker_status_out_t out = {0};
    packed_t packed = client_packed (self, "broker.status");
    assert_int_equal (
        schema_unpack (&broker_status_out_type, buf_bytes (&packed.body), arena, &out, NULL), 0);
    buf_free (&packed.body);
    return out;
}

const broker_replica_state_t *status_replica (const broker_status_out_t *status,
                                              const char *service, int number)
{
    const broker_replica_state_t *replicas = status->replicas.items;
    for (size_t i = 0; i < status->replicas.count; i++)
        if (!strcmp (replicas[i].service, service) && replicas[i].replica == number)
            return &replicas[i];
    return NULL;
}

long client_metric (client_t *self, const char *name)
{
    arena_t *arena = arena_new (1 << 20);
    common_metrics_out_t out = {0};
    packed_t packed = client_packed (self, "broker.metrics");
    assert_int_equal (
        schema_unpack (&common_metrics_out_type, buf_bytes (&packed.body), arena, &out, NULL), 0);
    char line[128];
    snprintf (line, sizeof line, "\naviary_broker_%s ", name);
    const char *at = strstr (out.text, line);
    assert_non_null (at);
    long value = strtol (at + strlen (line), NULL, 10);
    buf_free (&packed.body);
    arena_destroy (&arena);
    return value;
}
