/* svc.c - the life of a service's process: settings, folders, store, threads, signals, drain, exit codes.
 *
 * Exit: 0 after TERM, 64 and 78 for wrong flags and settings, 69 when another process holds the replica's lock, 74 when the store failed
 * (the supervisor starts anew at once), 75 to be started again (the store is to be compacted), 70 for our own faults. A second TERM ends at once. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "svc/inner.h"
#include "svc/outward.h"

enum {
    EXIT_LOCKED = 69,
    EXIT_SOFTWARE = 70,
    EXIT_AGAIN = 75, /* EX_TEMPFAIL: whoever supervises starts it again, whatever the rule */
    EXIT_CONFIG = 78,
    TICK_MS = 200,
    SECOND_MS = 1000,
    READERS_MS = 5000,
    DRAIN_TICK_MS = 10
};

const char *svc_data (const svc_t *svc)
{
    return svc->data;
}

uint64_t svc_disk_low (const svc_t *svc)
{
    return (uint64_t) svc_common (svc)->disk_low;
}

bool svc_disk_is_scarce (const svc_t *svc)
{
    return atomic_load (&svc->disk_scarce);
}

const char *svc_name (const svc_t *svc)
{
    return svc->schema->name;
}

unsigned svc_replica (const svc_t *svc)
{
    return svc->replica;
}

const keyring_t *svc_keyring (const svc_t *svc)
{
    return svc->keyring;
}

void *svc_context (const svc_t *svc)
{
    return svc->context;
}

void svc_wake (svc_t *svc)
{
    uint64_t one = 1;
    if (svc->wake_fd >= 0)
        (void) !write (svc->wake_fd, &one, sizeof one);
}

void svc_fatal (svc_t *svc, int code, const char *why)
{
    int none = 0;
    if (atomic_compare_exchange_strong (&svc->fatal, &none, code))
        svc_log (svc, LOG_ERROR, "ending", "reason", why, NULL);
    svc_wake (svc);
}

/* ---- opening ---- */

static int folder_make (const char *path, failure_t *failure)
{
    return mkdir (path, 0700) && errno != EEXIST
               ? failure_set (failure, E_IO, NULL, "%s: %s", path, strerror (errno))
               : 0;
}

static int folders_open (svc_t *svc, failure_t *failure)
{
    static const char *const parts[] = {"", "/run", "/keys", "/store"};
    char path[sizeof svc->data + 64];
    int rc = 0;
    for (size_t i = 0; !rc && i < sizeof parts / sizeof *parts; i++) {
        snprintf (path, sizeof path, "%s%s", svc->data, parts[i]);
        rc = folder_make (path, failure);
    }
    if (rc)
        return rc;
    char full[PATH_MAX];
    if (realpath (svc->data, full) && strlen (full) < sizeof svc->data)
        strcpy (svc->data, full);
    snprintf (path, sizeof path, "%s/run/clock", svc->data);
    if (svc_common (svc)->test_clock && clock_attach (path))
        rc = failure_set (failure, E_IO, NULL, "%s cannot be mapped", path);
    return rc;
}

static const char **tables_list (void)
{
    size_t n = 0, count = 0;
    while (svc_tables[count])
        count++;
    for (size_t i = 0; lanes_tables[i]; i++)
        count++;
    const char **list = calloc (count + 1, sizeof *list);
    for (size_t i = 0; list && svc_tables[i]; i++)
        list[n++] = svc_tables[i];
    for (size_t i = 0; list && lanes_tables[i]; i++)
        list[n++] = lanes_tables[i];
    return list;
}

const char *svc_store_folder (const svc_t *svc, char space[SVC_FOLDER_SIZE])
{
    snprintf (space, SVC_FOLDER_SIZE, "%s/store/%s", svc->data, svc->schema->name);
    return space;
}

int svc_store_open (svc_t *svc, failure_t *failure)
{
    char path[SVC_FOLDER_SIZE];
    snprintf (path, sizeof path, "%s/keys/keyring", svc->data);
    int rc = keyring_open (path, &svc->keyring, failure);
    if (rc || svc->service->stateless)
        return rc;
    const char **tables = tables_list ();
    store_config_t config = {.folder = svc_store_folder (svc, path),
                             .backend = svc->backend,
                             .backend_options = svc->backend_options,
                             .service = svc->schema,
                             .tables = tables,
                             .migrations = svc->service->migrations,
                             .migration_count = svc->service->migration_count};
    rc = tables ? store_open (&config, &svc->store, failure)
                : failure_set (failure, E_NO_MEMORY, NULL, "no memory");
    free (tables);
    return rc;
}

static int guard_start (svc_t *svc, failure_t *failure)
{
    char path[sizeof svc->data + 128];
    snprintf (path, sizeof path, "%s/run/%s.%u.running", svc->data, svc->schema->name,
              svc->replica);
    if (svc->service->stateless)
        return 0;
    return guard_open (path, &svc->guard)
               ? failure_set (failure, E_IO, NULL, "%s cannot be mapped", path)
               : 0;
}

/* ---- jobs' way out ---- */

static void outward_answered (void *context, const envelope_t *header, bytes_t body,
                              const failure_t *failure)
{
    (void) header;
    outward_ask_t *ask = context;
    svc_t *svc = ask->svc;
    pthread_mutex_lock (&svc->outward_lock);
    if (svc->outward)
        outward_pool_answer (svc->outward, ask->job, body,
                             failure && failure->code ? failure : NULL);
    pthread_mutex_unlock (&svc->outward_lock);
    free (ask);
}

/* The body and target are copied: the job may end (deadline, drain) before its answer comes. */
static void outward_ask (void *context, const outward_t *outward)
{
    svc_t *svc = context;
    bytes_t body = outward->out.request.body;
    const char *target = outward->out.target ? outward->out.target : "";
    size_t length = strlen (target) + 1;
    outward_ask_t *ask = calloc (1, sizeof *ask + length + body.size);
    if (!ask) {
        failure_t failure = {0};
        failure_set (&failure, E_NO_MEMORY, NULL, "%s", error_doc (E_NO_MEMORY));
        outward_pool_answer (svc->outward, outward->job, (bytes_t){0}, &failure);
        return;
    }
    memcpy (ask->text, target, length);
    if (body.size)
        memcpy (ask->text + length, body.data, body.size);
    ask->svc = svc;
    ask->job = outward->job;
    uint32_t ttl = outward->out.request.timeout_ms ? outward->out.request.timeout_ms : 5000;
    ask->ask =
        (svc_ask_t){.header = {.target = ask->text, .ttl_ms = ttl, .principal = PRINCIPAL_SERVICE},
                    .body = bytes_of (ask->text + length, body.size),
                    .done = outward_answered,
                    .context = ask};
    svc_ask (svc, &ask->ask);
}

static void outward_launch (svc_t *svc, outward_t *outward)
{
    outward_pool_put (svc->outward, outward);
}

static int outward_start (svc_t *svc, failure_t *failure)
{
    if (!svc->service->job_count)
        return 0;
    outward_pool_config_t config = {
        .ask = outward_ask, .done = writer_outward_done, .context = svc};
    if (svc->service->outbound)
        svc->service->outbound (svc, &config.fetch);
    if (!config.fetch.user_agent)
        config.fetch.user_agent = "aviary/" AVIARY_VERSION;
    return outward_pool_new (&config, &svc->outward, failure);
}

/* ---- threads ---- */

static int threads_start (svc_t *svc, failure_t *failure)
{
    int rc = busthread_start (svc, failure);
    if (!rc)
        rc = outward_start (svc, failure);
    unsigned most = svc->service->stateless ? 1 : (unsigned) svc_common (svc)->readers;
    svc->reader_threads = calloc (most, sizeof *svc->reader_threads);
    while (!rc && svc->reader_count < most) {
        if (pthread_create (&svc->reader_threads[svc->reader_count], NULL, reader_main, svc))
            rc = failure_set (failure, E_NO_MEMORY, NULL, "no thread");
        else
            svc->reader_count++;
    }
    if (rc || svc->service->stateless)
        return rc;
    if (pthread_create (&svc->writer_thread, NULL, writer_main, svc))
        return failure_set (failure, E_NO_MEMORY, NULL, "no thread");
    svc->writer_runs = true;
    return 0;
}

static void threads_stop (svc_t *svc)
{
    atomic_store (&svc->quit, true);
    journal_close (svc);
    if (svc->writer_runs) {
        writer_wake (svc);
        pthread_join (svc->writer_thread, NULL);
    }
    pthread_mutex_lock (&svc->outward_lock);
    outward_pool_t *pool = svc->outward;
    svc->outward = NULL;
    pthread_mutex_unlock (&svc->outward_lock);
    if (pool)
        outward_pool_destroy (&pool);
    pool_close (&svc->pool);
    for (unsigned i = 0; i < svc->reader_count; i++)
        pthread_join (svc->reader_threads[i], NULL);
    busthread_stop (svc);
}

/* ---- new, free ---- */

int svc_open (svc_t *svc, const svc_service_t *service, int argc, char **argv)
{
    *svc = (svc_t){
        .service = service, .schema = service->schema, .argc = argc, .argv = argv, .wake_fd = -1};
    svc->release = busthread_release;
    svc->launch = outward_launch;
    svc->started = clock_mono_ms ();
    svc->writer.svc = svc;
    atomic_store (&svc->log_level, LOG_INFO);
    pthread_mutex_init (&svc->state_lock, NULL);
    pthread_mutex_init (&svc->journal.lock, NULL);
    pthread_mutex_init (&svc->outward_lock, NULL);
    pthread_mutex_init (&svc->bus_lock, NULL);
    pthread_cond_init (&svc->bus_handed, NULL);
    pool_init (&svc->pool);
    svc->out = queue_new ();
    svc->asks = queue_new ();
    svc->writer.inbox = service->stateless ? NULL : queue_new ();
    svc->wake_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
    bool made =
        svc->out && svc->asks && (service->stateless || svc->writer.inbox) && svc->wake_fd >= 0;
    return metrics_new (svc) || !made ? E_NO_MEMORY : sign_init ();
}

static void inbox_drain (svc_t *svc)
{
    for (queue_item_t *item = svc->writer.inbox ? queue_take (svc->writer.inbox, 0) : NULL, *next;
         item; item = next) {
        next = item->next;
        work_t *work = (work_t *) (void *) item;
        if (work->kind == WORK_ASK)
            ask_free ((ask_t *) (void *) work);
        else if (work->kind == WORK_OUTWARD)
            outward_work_free (work, NULL);
        else if (work->kind == WORK_WAKE)
            free (work);
    }
}

void svc_close (svc_t *svc)
{
    inbox_drain (svc);
    writer_close (svc);
    if (svc->store)
        store_disown (svc->store);
    store_close (&svc->store);
    guard_close (&svc->guard);
    keyring_close (&svc->keyring);
    settings_free (svc, atomic_load (&svc->settings));
    metrics_free (svc);
    queue_destroy (&svc->out);
    queue_destroy (&svc->asks);
    queue_destroy (&svc->writer.inbox);
    pool_free (&svc->pool);
    free (svc->reader_threads);
    if (svc->wake_fd >= 0)
        close (svc->wake_fd);
    pthread_mutex_destroy (&svc->state_lock);
    pthread_mutex_destroy (&svc->journal.lock);
    pthread_mutex_destroy (&svc->outward_lock);
    pthread_mutex_destroy (&svc->bus_lock);
    pthread_cond_destroy (&svc->bus_handed);
}

/* ---- running ---- */

static int signals_open (void)
{
    sigset_t set;
    sigemptyset (&set);
    sigaddset (&set, SIGTERM);
    sigaddset (&set, SIGINT);
    sigaddset (&set, SIGHUP);
    sigaddset (&set, SIGUSR1);
    pthread_sigmask (SIG_BLOCK, &set, NULL); /* all threads made later inherit it */
    signal (SIGPIPE, SIG_IGN);
    return signalfd (-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void handle_signals (svc_t *svc, int fd)
{
    struct signalfd_siginfo info;
    while (read (fd, &info, sizeof info) == (ssize_t) sizeof info) {
        bool ends = info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT;
        if (ends && svc->terminating)
            _exit (EXIT_SOFTWARE);
        svc->terminating |= ends;
        if (info.ssi_signo == SIGHUP)
            settings_reload (svc);
        else if (info.ssi_signo == SIGUSR1)
            state_dump (svc);
    }
}

static void wait_events (svc_t *svc, int fd, int timeout)
{
    struct pollfd fds[] = {{.fd = fd, .events = POLLIN}, {.fd = svc->wake_fd, .events = POLLIN}};
    uint64_t count;
    poll (fds, 2, timeout);
    if (fds[1].revents)
        (void) !read (svc->wake_fd, &count, sizeof count);
    handle_signals (svc, fd);
}

static void run_ready (svc_t *svc)
{
    failure_t failure = {0};
    if (svc->said_ready || !atomic_load (&svc->connected) || !svc->service->ready)
        return;
    svc->said_ready = true;
    if (svc->service->ready (svc, svc->context, &failure)) {
        svc_log (svc, LOG_ERROR, "not started", "detail", failure.text, NULL);
        svc_fatal (svc, EXIT_SOFTWARE, "the ready hook failed");
    }
}

/* Beside an owner of another version, which may also come later. */
static void store_look (svc_t *svc)
{
    if (svc->store && !atomic_load (&svc->owner))
        atomic_store (&svc->current, store_is_current (svc->store));
}

/* Somebody wishes the store to be made anew, which needs all who have it open to end. */
static void look_for_wish (svc_t *svc)
{
    char folder[SVC_FOLDER_SIZE];
    if (!svc->store || !store_compact_wanted (svc_store_folder (svc, folder)))
        return;
    svc_log (svc, LOG_INFO, "ending for the store to be compacted", NULL);
    svc->compacting = svc->terminating = true;
}

static void main_loop (svc_t *svc, int fd)
{
    int64_t second = 0, readers = clock_mono_ms () + READERS_MS;
    while (!svc->terminating && !atomic_load (&svc->fatal)) {
        wait_events (svc, fd, TICK_MS);
        int64_t now = clock_mono_ms ();
        if (now >= second) {
            health_disk (svc);
            store_look (svc);
            look_for_wish (svc);
            notify_systemd ("WATCHDOG=1");
            second = now + SECOND_MS;
        }
        if (svc->store && now >= readers) {
            store_check_readers (svc->store);
            readers = now + READERS_MS;
        }
        run_ready (svc);
        health_update (svc);
    }
}

/* Callers whose jobs are not under way are not waited for: the next owner begins those, and a repeat attaches to them. */
static bool is_idle (svc_t *svc)
{
    return atomic_load (&svc->under_way) <= atomic_load (&svc->metrics.parked_waiting) &&
           (!svc->outward || !atomic_load (&svc->metrics.lanes_outward)) &&
           (!svc->writer.inbox || !queue_size (svc->writer.inbox));
}

/* An owner begins no more requests to the outside, and answers until those under way are over: only then it makes room for the next one, which can take over at once. */
static void rest (svc_t *svc, int fd)
{
    int64_t end = clock_mono_ms () + svc_common (svc)->drain / 2;
    atomic_store (&svc->resting, true);
    while (svc->outward && atomic_load (&svc->owner) && !atomic_load (&svc->fatal) &&
           atomic_load (&svc->metrics.lanes_outward) && clock_mono_ms () < end)
        wait_events (svc, fd, DRAIN_TICK_MS);
}

static void drain (svc_t *svc, int fd)
{
    int64_t end = clock_mono_ms () + svc_common (svc)->drain;
    svc_log (svc, LOG_INFO, "draining", NULL);
    notify_systemd ("STOPPING=1");
    rest (svc, fd);
    atomic_store (&svc->draining, true);
    health_update (svc);
    atomic_store (&svc->bus_bye, true);
    if (svc->service->drain)
        svc->service->drain (svc, svc->context);
    journal_close (svc);
    while (!is_idle (svc) && !atomic_load (&svc->fatal) && clock_mono_ms () < end)
        wait_events (svc, fd, DRAIN_TICK_MS);
}

static int svc_run (svc_t *svc, failure_t *failure)
{
    char lock[96];
    int fd = signals_open ();
    snprintf (lock, sizeof lock, "%s-%u", svc->schema->name, svc->replica);
    int rc = fd < 0 ? failure_set (failure, E_INTERNAL, NULL, "no signals")
                    : folders_open (svc, failure);
    char run[sizeof svc->data + 8];
    snprintf (run, sizeof run, "%s/run", svc->data);
    if (!rc && bus_lock (run, lock, failure)) {
        close (fd);
        return EXIT_LOCKED;
    }
    if (!rc)
        rc = guard_start (svc, failure);
    if (!rc)
        rc = svc_store_open (svc, failure);
    if (!rc)
        health_disk (svc);
    int exit_code = rc ? EXIT_STORE : 0;
    if (!rc && svc->service->start && (rc = svc->service->start (svc, &svc->context, failure)))
        exit_code = EXIT_CONFIG;
    if (!rc && (rc = threads_start (svc, failure)))
        exit_code = EXIT_SOFTWARE;
    if (!rc) {
        svc_log (svc, LOG_INFO, "started", "version", AVIARY_VERSION, NULL);
        main_loop (svc, fd);
        if (!atomic_load (&svc->fatal))
            drain (svc, fd);
    }
    threads_stop (svc);
    if (svc->service->stop && svc->context)
        svc->service->stop (&svc->context);
    busthread_stop (svc); /* of a service that had it until now: there was no drain */
    if (fd >= 0)
        close (fd);
    if (!exit_code)
        exit_code = atomic_load (&svc->fatal);
    return exit_code || !svc->compacting ? exit_code : EXIT_AGAIN;
}

static int svc_tell (svc_t *svc, int mode)
{
    buf_t text = {0};
    if (mode == SETTINGS_HELP)
        settings_help (svc, &text);
    else if (mode == SETTINGS_VERSION)
        buf_printf (&text, "aviary-%s %s\n", svc->schema->name, AVIARY_VERSION);
    else if (mode == SETTINGS_PRINT)
        settings_print (svc, atomic_load (&svc->settings), &text);
    fputs (buf_text (&text), stdout);
    buf_free (&text);
    return 0;
}

int svc_main (const svc_service_t *service, int argc, char **argv)
{
    svc_t *svc = calloc (1, sizeof *svc);
    failure_t failure = {0};
    settings_t *settings = NULL;
    umask (077);
    if (!svc || svc_open (svc, service, argc, argv)) {
        fputs ("no memory to start\n", stderr);
        free (svc);
        return EXIT_SOFTWARE;
    }
    int mode = settings_mode (svc), code = 0;
    if (mode == SETTINGS_HELP || mode == SETTINGS_VERSION) {
        code = svc_tell (svc, mode);
    } else if (settings_read (svc, &settings, &failure)) {
        svc_log (svc, LOG_ERROR, "settings refused", "detail", failure.text, NULL);
        code = EXIT_CONFIG;
    } else {
        atomic_store (&svc->settings, settings);
        atomic_store (&svc->log_level, log_level_read (settings->common.log_level));
        svc->replica = (unsigned) settings->common.replica;
        snprintf (svc->data, sizeof svc->data, "%s", settings->common.data);
        code = mode == SETTINGS_RUN ? svc_run (svc, &failure) : svc_tell (svc, mode);
        if (failure.code)
            svc_log (svc, LOG_ERROR, "not started", "detail", failure.text, NULL);
    }
    svc_log (svc, mode == SETTINGS_RUN ? LOG_INFO : LOG_DEBUG, "ended", "code",
             code ? "failed" : "0", NULL);
    svc_close (svc);
    free (svc);
    return code;
}
