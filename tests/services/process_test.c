/* process_test.c - a service as a process: settings and their refusal, help, signals, locks, take-over, quarantine, settles. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drive.h"
#include "gen/common.h"
#include "testgen/mirror.h"
#include "testgen/plain.h"
#include "testgen/tally.h"

#include <cmocka.h>

enum { OUTPUT_MAX = 16384 };

/* Run tally to its end with these words; its exit code, and all that it said. */
static int run_tally (const char *words, char out[OUTPUT_MAX])
{
    char path[512], line[1400];
    snprintf (line, sizeof line, "%s %s 2>&1", drive_program ("aviary-test-tally", path), words);
    FILE *pipe = popen (line, "r");
    assert_non_null (pipe);
    size_t n = fread (out, 1, OUTPUT_MAX - 1, pipe);
    out[n] = 0;
    int status = pclose (pipe);
    return WIFEXITED (status) ? WEXITSTATUS (status) : -1;
}

static void test_settings (void **state)
{
    (void) state;
    static const struct {
        const char *words;
        int code;
        const char *says;
    } rows[] = {
        {"--version", 0, "aviary-tally "},
        {"--help", 0, "--journal-retention"},
        {"--check-config", 0, ""},
        {"--check-config --limit 10 --log-level=debug --test-clock", 0, ""},
        {"--check-config --limit 11", 78, "limit"},
        {"--check-config --limit many", 78, "whole number"},
        {"--check-config --nonsense 1", 78, "--nonsense"},
        {"--check-config stray", 78, "stray"},
        {"--check-config --drain soon", 78, "duration"},
        {"--check-config --log-level loud", 78, "log_level"},
        {"--check-config --limit", 78, "needs a value"},
        {"--print-config --password=hunter2", 0, "tally.password = ********"},
        {"--print-config --greeting 'good day'", 0, "tally.greeting = good day"},
    };
    char out[OUTPUT_MAX];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int code = run_tally (rows[i].words, out);
        if (code != rows[i].code || !strstr (out, rows[i].says))
            fprintf (stderr, "%s: %d\n%s\n", rows[i].words, code, out);
        assert_int_equal (code, rows[i].code);
        assert_non_null (strstr (out, rows[i].says));
        assert_null (strstr (out, "hunter2"));
    }
}

static void put_file (const char *path, const char *text)
{
    FILE *file = fopen (path, "w");
    assert_non_null (file);
    fputs (text, file);
    fclose (file);
}

static void test_setting_order (void **state)
{
    (void) state;
    drive_t d;
    char path[160], words[400], out[OUTPUT_MAX];
    drive_open (&d);
    snprintf (path, sizeof path, "%s/aviary.conf", d.folder);
    put_file (
        path,
        "# all\nlog_level = warn\ntally.greeting = from the file\ntally.limit = 2\nmessaging.unknown = 1\n");
    snprintf (words, sizeof words, "--data %s --print-config", d.folder);
    assert_int_equal (run_tally (words, out), 0);
    assert_non_null (strstr (out, "log_level = warn"));
    assert_non_null (strstr (out, "tally.greeting = from the file"));
    setenv ("AVIARY_TALLY_LIMIT", "3", 1);
    snprintf (path, sizeof path, "%s/secret", d.folder);
    put_file (path, "good evening\n");
    setenv ("AVIARY_TALLY_GREETING_FILE", path, 1);
    assert_int_equal (run_tally (words, out), 0);
    assert_non_null (strstr (out, "tally.limit = 3"));
    assert_non_null (strstr (out, "tally.greeting = good evening\n"));
    snprintf (words, sizeof words, "--data %s --print-config --limit 4", d.folder);
    assert_int_equal (run_tally (words, out), 0);
    assert_non_null (strstr (out, "tally.limit = 4"));
    setenv ("AVIARY_TALLY_WRONG", "1", 1);
    assert_int_equal (run_tally (words, out), 78);
    assert_non_null (strstr (out, "AVIARY_TALLY_WRONG"));
    unsetenv ("AVIARY_TALLY_WRONG");
    unsetenv ("AVIARY_TALLY_LIMIT");
    unsetenv ("AVIARY_TALLY_GREETING_FILE");
    snprintf (path, sizeof path, "%s/aviary.conf", d.folder);
    put_file (path, "tally.wrong = 1\n");
    assert_int_equal (run_tally (words, out), 78);
    assert_non_null (strstr (out, "tally.wrong"));
    drive_close (&d);
}

static bool log_has (drive_t *d, const char *text)
{
    char path[128], *all = calloc (1, 1 << 20);
    snprintf (path, sizeof path, "%s/log", d->folder);
    FILE *file = fopen (path, "r");
    bool found = file && all && fread (all, 1, (1 << 20) - 1, file) > 0 && strstr (all, text);
    if (file)
        fclose (file);
    free (all);
    return found;
}

static void await_log (drive_t *d, const char *text)
{
    for (int i = 0; i < 500 && !log_has (d, text); i++)
        drive_work (d, 20, NULL);
    if (!log_has (d, text))
        fprintf (stderr, "the log never said: %s\n", text);
    assert_true (log_has (d, text));
}

static int incr (drive_t *d, const char *name)
{
    return drive_ask (d, "tally.incr", &tally_incr_in_type, &(tally_incr_in_t){.name = name}, NULL,
                      NULL, NULL);
}

static void test_signals_and_locks (void **state)
{
    (void) state;
    drive_t d;
    char path[128];
    static const char *const second[] = {"--replica", "1", NULL};
    drive_open (&d);
    process_t *broker = drive_start (&d, "aviary-broker", NULL);
    process_t *one = drive_start (&d, "aviary-test-tally", NULL);
    drive_connect (&d);
    assert_true (drive_ready (&d, "tally"));
    assert_int_equal (incr (&d, "a"), 0);
    /* the same replica twice: refused */
    process_t *twin = drive_start (&d, "aviary-test-tally", NULL);
    assert_int_equal (process_wait (twin), 69);
    /* HUP: what can change does, what cannot says so */
    snprintf (path, sizeof path, "%s/aviary.conf", d.folder);
    put_file (path, "tally.greeting = changed\ntally.limit = 7\n");
    process_kill (one, SIGHUP);
    await_log (&d, "\"msg\":\"setting changed\",\"setting\":\"greeting\",\"value\":\"changed\"");
    await_log (&d, "setting changes at the next start");
    put_file (path, "tally.nonsense = 7\n");
    process_kill (one, SIGHUP);
    await_log (&d, "settings not reloaded");
    put_file (path, "");
    process_kill (one, SIGUSR1);
    await_log (&d, "\"key\":\"journal_head\",\"value\":\"1\"");
    /* a second replica takes over when the first is asked to go */
    process_t *two = drive_start (&d, "aviary-test-tally", second);
    await_log (&d, "\"replica\":1,\"msg\":\"ready\"");
    process_kill (one, SIGTERM);
    assert_int_equal (process_wait (one), 0);
    int rc = E_UNAVAILABLE;
    for (int i = 0; i < 200 && error_class (rc) == EC_UNAVAILABLE; i++) {
        rc = incr (&d, "a");
        drive_work (&d, rc ? 20 : 0, NULL);
    }
    assert_int_equal (rc, 0);
    process_kill (two, SIGINT);
    assert_int_equal (process_wait (two), 0);
    process_kill (broker, SIGTERM);
    assert_int_equal (process_wait (broker), 0);
    drive_close (&d);
}

static void test_without_a_broker (void **state)
{
    (void) state;
    drive_t d;
    drive_open (&d);
    process_t *one = drive_start (&d, "aviary-test-mirror", NULL);
    for (int i = 0; i < 500 && !log_has (&d, "\"msg\":\"owner\""); i++)
        usleep (20000);
    process_kill (one, SIGTERM);
    assert_int_equal (process_wait (one), 0);
    drive_close (&d);
}

static void test_stateless (void **state)
{
    (void) state;
    drive_t d;
    static const char *const flags[] = {"--greeting", "good day", NULL};
    drive_open (&d);
    drive_start (&d, "aviary-broker", NULL);
    process_t *plain = drive_start (&d, "aviary-test-plain", flags);
    drive_connect (&d);
    assert_true (drive_ready (&d, "plain"));
    await_log (&d, "\"msg\":\"asked\"");
    arena_t *arena = arena_new (1 << 20);
    plain_hello_out_t out;
    assert_int_equal (drive_ask (&d, "plain.hello", &plain_hello_in_type, &(plain_hello_in_t){0},
                                 &plain_hello_out_type, &out, arena),
                      0);
    assert_string_equal (out.text, "good day");
    common_metrics_out_t metrics;
    assert_int_equal (drive_ask (&d, "plain.metrics", &common_metrics_in_type,
                                 &(common_metrics_in_t){0}, &common_metrics_out_type, &metrics,
                                 arena),
                      0);
    assert_non_null (strstr (metrics.text, "aviary_plain_asks_total"));
    common_journal_read_in_t none = {0};
    assert_int_not_equal (
        drive_ask (&d, "plain.journal_read", &common_journal_read_in_type, &none, NULL, NULL, NULL),
        0);
    process_kill (plain, SIGTERM);
    assert_int_equal (process_wait (plain), 0);
    assert_true (log_has (&d, "drain hook"));
    arena_destroy (&arena);
    drive_close (&d);
}

typedef struct keyed_ask {
    bool done, replayed;
    int code;
    int64_t took_ms, began_ms;
} keyed_ask_t;

static void keyed_done (void *context, const envelope_t *header, bytes_t body,
                        const failure_t *failure)
{
    keyed_ask_t *ask = context;
    (void) body;
    ask->done = true;
    ask->replayed = header && header->replayed;
    ask->code = failure ? failure->code : 0;
    ask->took_ms = clock_mono_ms () - ask->began_ms;
}

static void slow_send (drive_t *d, uint32_t wait_ms, keyed_ask_t *ask)
{
    mirror_slow_in_t in = {.name = "a", .wait_ms = 1500};
    buf_t body = {0};
    envelope_t header = {.target = "mirror.slow", .ttl_ms = 8000, .request_id = "req"};
    header.idem = (idempotency_t){
        .dialect = "test", .route = "POST", .key = "k", .request_id = "req", .wait_ms = wait_ms};
    schema_pack (&mirror_slow_in_type, &in, &body);
    *ask = (keyed_ask_t){.began_ms = clock_mono_ms ()};
    bus_ask (d->bus, &header, buf_bytes (&body), keyed_done, ask);
    buf_free (&body);
}

/* A twin of what still runs is told so at once, or waits as long as it was asked to. */
static void test_twins_wait_as_asked (void **state)
{
    (void) state;
    drive_t d;
    keyed_ask_t first, at_once, soon, patient;
    drive_open (&d);
    drive_start (&d, "aviary-broker", NULL);
    drive_start (&d, "aviary-test-tally", NULL);
    drive_start (&d, "aviary-test-mirror", NULL);
    drive_connect (&d);
    assert_true (drive_ready (&d, "mirror"));
    slow_send (&d, 0, &first);
    drive_work (&d, 200, NULL);
    assert_false (first.done);
    slow_send (&d, IDEM_WAIT_NOT, &at_once);
    slow_send (&d, 300, &soon);
    slow_send (&d, 7000, &patient);
    drive_work (&d, 5000, &patient.done);
    drive_work (&d, 5000, &first.done);
    assert_int_equal (at_once.code, E_IDEMPOTENCY_RUNNING);
    assert_int_equal (soon.code, E_IDEMPOTENCY_RUNNING);
    assert_true (at_once.took_ms < soon.took_ms && soon.took_ms >= 300);
    assert_true (first.done && !first.replayed && patient.done && patient.replayed);
    assert_int_equal (first.code, 0);
    assert_int_equal (patient.code, 0);
    drive_close (&d);
}

static int64_t mirrored (drive_t *d, const char *name)
{
    arena_t *arena = arena_new (1 << 16);
    mirror_total_out_t out = {0};
    int rc = drive_ask (d, "mirror.total", &mirror_total_in_type,
                        &(mirror_total_in_t){.name = name}, &mirror_total_out_type, &out, arena);
    arena_destroy (&arena);
    return rc ? -rc : out.total;
}

/* The event that could not be applied: shown, not applied by letting it out either, and forgotten when told so. */
static void quarantine_decide (drive_t *d, arena_t *arena)
{
    common_jobs_out_t jobs = {0};
    common_job_act_out_t out = {0};
    common_jobs_in_t all = {0};
    assert_int_equal (drive_ask (d, "mirror.jobs", &common_jobs_in_type, &all,
                                 &common_jobs_out_type, &jobs, arena),
                      0);
    assert_int_equal (jobs.jobs.count, 1);
    const common_kept_job_t *event = jobs.jobs.items;
    assert_true (event->is_event);
    assert_string_equal (event->kind, "tally.counted");
    assert_string_equal (event->reason, error_name (E_CONFLICT));
    common_job_act_in_t in = {.id = event->id};
    assert_int_equal (drive_ask (d, "mirror.job_act", &common_job_act_in_type, &in,
                                 &common_job_act_out_type, &out, arena),
                      E_CONFLICT);
    in.drop = true;
    assert_int_equal (drive_ask (d, "mirror.job_act", &common_job_act_in_type, &in,
                                 &common_job_act_out_type, &out, arena),
                      0);
    assert_int_equal (drive_ask (d, "mirror.jobs", &common_jobs_in_type, &all,
                                 &common_jobs_out_type, &jobs, arena),
                      0);
    assert_int_equal (jobs.jobs.count + (size_t) jobs.total, 0);
}

static void test_settles_and_quarantine (void **state)
{
    (void) state;
    drive_t d;
    drive_open (&d);
    drive_start (&d, "aviary-broker", NULL);
    drive_start (&d, "aviary-test-tally", NULL);
    process_t *mirror = drive_start (&d, "aviary-test-mirror", NULL);
    drive_connect (&d);
    assert_true (drive_ready (&d, "tally"));
    assert_true (drive_ready (&d, "mirror"));
    /* what was answered as done is seen by the follower's next read */
    for (int i = 1; i <= 10; i++) {
        assert_int_equal (drive_ask (&d, "tally.incr_seen", &tally_incr_seen_in_type,
                                     &(tally_incr_seen_in_t){.name = "s"}, NULL, NULL, NULL),
                          0);
        assert_int_equal (mirrored (&d, "s"), i);
    }
    /* an event that cannot be applied is passed over after three tries, and the rest goes on */
    assert_int_equal (incr (&d, "poison"), 0);
    assert_int_equal (incr (&d, "after"), 0);
    await_log (&d, "an event went to quarantine");
    for (int i = 0; i < 500 && mirrored (&d, "after") != 1; i++)
        drive_work (&d, 20, NULL);
    assert_int_equal (mirrored (&d, "after"), 1);
    assert_int_equal (mirrored (&d, "poison"), 0);
    common_health_out_t health;
    arena_t *arena = arena_new (1 << 20);
    for (int i = 0; i < 100; i++) {
        assert_int_equal (drive_ask (&d, "mirror.health", &common_health_in_type,
                                     &(common_health_in_t){0}, &common_health_out_type, &health,
                                     arena),
                          0);
        if (health.reason && strstr (health.reason, "quarantine"))
            break;
        drive_work (&d, 20, NULL);
    }
    assert_non_null (strstr (health.reason ? health.reason : "", "quarantine"));
    assert_true (health.ready);
    quarantine_decide (&d, arena);
    arena_destroy (&arena);
    /* a new follower pages the snapshot */
    process_kill (mirror, SIGKILL);
    assert_int_equal (process_wait (mirror), -SIGKILL);
    char line[256];
    snprintf (line, sizeof line, "rm -r %s/store/mirror", d.folder);
    assert_int_equal (system (line), 0);
    process_start (&d, mirror);
    assert_true (drive_ready (&d, "mirror"));
    assert_int_equal (mirrored (&d, "s"), 10);
    assert_int_equal (mirrored (&d, "after"), 1);
    drive_close (&d);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_settings),
        cmocka_unit_test (test_setting_order),
        cmocka_unit_test (test_signals_and_locks),
        cmocka_unit_test (test_without_a_broker),
        cmocka_unit_test (test_settles_and_quarantine),
        cmocka_unit_test (test_stateless),
        cmocka_unit_test (test_twins_wait_as_asked),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
