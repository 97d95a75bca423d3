/* turn_test.c - the runtime's turn, on the test services without threads and bus: savepoints, events, repeats, idempotency, parking, follow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mirror.h"
#include "svc/optest.h"
#include "tally.h"

static int64_t total_of (optest_t *test, const char *name)
{
    tally_total_out_t out;
    assert_int_equal (
        optest_ask (test, "total", NULL, &(tally_total_in_t){.name = name}, &out, NULL), 0);
    return out.total;
}

static void test_incr_and_event (void **state)
{
    (void) state;
    optest_t *test = optest_new (&tally);
    assert_non_null (test);
    tally_incr_out_t out;
    for (int i = 1; i <= 3; i++) {
        assert_int_equal (
            optest_ask (test, "incr", NULL, &(tally_incr_in_t){.name = "a", .add = 2}, &out, NULL),
            0);
        assert_int_equal (out.total, 2 * i);
    }
    assert_int_equal (total_of (test, "a"), 6);
    const common_event_t *events;
    assert_int_equal (optest_events (test, 0, &events), 3);
    tally_counted_t body;
    assert_int_equal (optest_event_body (test, &events[2], &tally_counted_event, &body), 0);
    assert_int_equal (body.total, 6);
    assert_string_equal (body.name, "a");
    assert_int_equal (events[2].sequence, 3);
    assert_int_equal (events[2].version, 3);
    optest_destroy (&test);
}

static void test_one_failure_costs_nobody (void **state)
{
    (void) state;
    optest_t *test = optest_new (&tally);
    optest_put_t *puts[50];
    for (int i = 0; i < 50; i++) {
        char name[16];
        snprintf (name, sizeof name, "n%d", i);
        bool bad = i == 25, memory = i == 26;
        if (bad || memory)
            puts[i] = optest_put (test, "fail_after_write", NULL,
                                  &(tally_fail_after_write_in_t){.name = name, .memory = memory});
        else
            puts[i] = optest_put (test, "incr", NULL, &(tally_incr_in_t){.name = name});
    }
    assert_int_equal (optest_turn (test), 0);
    for (int i = 0; i < 50; i++) {
        failure_t failure;
        int want = i == 25 ? E_CONFLICT : i == 26 ? E_NO_MEMORY : 0;
        assert_int_equal (optest_take (test, puts[i], NULL, &failure), want);
    }
    for (int i = 0; i < 50; i++) {
        char name[16];
        snprintf (name, sizeof name, "n%d", i);
        assert_int_equal (total_of (test, name), i == 25 || i == 26 ? 0 : 1);
    }
    const common_event_t *events;
    assert_int_equal (optest_events (test, 0, &events), 48);
    for (int i = 0; i < 48; i++)
        assert_int_equal (events[i].sequence, i + 1);
    optest_destroy (&test);
}

static void test_lost_commit (void **state)
{
    (void) state;
    optest_t *test = optest_new (&tally);
    store_fail_commit (optest_store (test), true);
    assert_int_equal (optest_ask (test, "incr", NULL, &(tally_incr_in_t){.name = "a"}, NULL, NULL),
                      E_IO);
    assert_int_equal (optest_restart (test), 0);
    assert_int_equal (total_of (test, "a"), 0);
    assert_int_equal (optest_ask (test, "incr", NULL, &(tally_incr_in_t){.name = "a"}, NULL, NULL),
                      0);
    optest_destroy (&test);
}

static void test_every_failing_write (void **state)
{
    (void) state;
    optest_t *test = optest_new (&tally);
    bool done = false;
    for (unsigned n = 1; !done && n < 50; n++) {
        store_fail_write (optest_store (test), n);
        char name[16];
        snprintf (name, sizeof name, "w%u", n);
        int rc = optest_ask (test, "incr", NULL, &(tally_incr_in_t){.name = name}, NULL, NULL);
        store_fail_write (optest_store (test), 0);
        assert_int_equal (total_of (test, name), rc ? 0 : 1);
        done = !rc;
    }
    assert_true (done);
    const common_event_t *events;
    assert_int_equal (optest_events (test, 0, &events), 1);
    optest_destroy (&test);
}

static void test_repeat_by_id (void **state)
{
    (void) state;
    optest_t *test = optest_new (&tally);
    envelope_t header = {0};
    tally_incr_out_t out;
    assert_int_equal (
        optest_ask (test, "incr", &header, &(tally_incr_in_t){.name = "a"}, &out, NULL), 0);
    assert_int_equal (
        optest_ask (test, "incr", &header, &(tally_incr_in_t){.name = "a"}, &out, NULL), 0);
    assert_int_equal (out.total, 1);
    assert_false (optest_replayed (optest_last (test), NULL));
    assert_int_equal (optest_restart (test), 0); /* a new owner knows it too */
    assert_int_equal (
        optest_ask (test, "incr", &header, &(tally_incr_in_t){.name = "a"}, &out, NULL), 0);
    assert_int_equal (total_of (test, "a"), 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal (optest_advance (test, 61000), 0);
    assert_int_equal (
        optest_ask (test, "incr", &header, &(tally_incr_in_t){.name = "a"}, &out, NULL), 0);
    assert_int_equal (total_of (test, "a"), 2); /* forgotten after a minute or two */
    optest_destroy (&test);
}

static envelope_t keyed (const char *key, uint8_t print, const char *request)
{
    envelope_t header = {.request_id = request};
    header.idem =
        (idempotency_t){.dialect = "test", .route = "POST /x", .key = key, .request_id = request};
    memset (header.idem.fingerprint, print, sizeof header.idem.fingerprint);
    return header;
}

static void test_idempotency (void **state)
{
    (void) state;
    optest_t *test = optest_new (&tally);
    tally_incr_out_t out;
    failure_t failure;
    const char *first;
    envelope_t a = keyed ("k1", 1, "req-1"), b = keyed ("k1", 1, "req-2"),
               c = keyed ("k1", 2, "req-3");
    assert_int_equal (optest_ask (test, "incr", &a, &(tally_incr_in_t){.name = "a"}, &out, NULL),
                      0);
    assert_false (optest_replayed (optest_last (test), NULL));
    assert_int_equal (optest_ask (test, "incr", &b, &(tally_incr_in_t){.name = "a"}, &out, NULL),
                      0);
    assert_true (optest_replayed (optest_last (test), &first));
    assert_string_equal (first, "req-1");
    assert_int_equal (out.total, 1);
    assert_int_equal (optest_ask (test, "incr", &a, &(tally_incr_in_t){.name = "a"}, &out, NULL),
                      0);
    assert_false (
        optest_replayed (optest_last (test), NULL)); /* the same envelope: the edge's own repeat */
    assert_int_equal (
        optest_ask (test, "incr", &c, &(tally_incr_in_t){.name = "a"}, &out, &failure),
        E_IDEMPOTENCY_MISMATCH);
    /* failures: kept when they are the caller's */
    envelope_t d = keyed ("k2", 1, "req-4"), e = keyed ("k2", 1, "req-5");
    assert_int_equal (optest_ask (test, "fail_after_write", &d,
                                  &(tally_fail_after_write_in_t){.name = "a"}, NULL, NULL),
                      E_CONFLICT);
    assert_int_equal (
        optest_ask (test, "incr", &e, &(tally_incr_in_t){.name = "a"}, NULL, &failure), E_CONFLICT);
    assert_true (optest_replayed (optest_last (test), &first));
    assert_string_equal (first, "req-4");
    /* ours are not */
    envelope_t f = keyed ("k3", 1, "req-6"), g = keyed ("k3", 1, "req-7");
    assert_int_equal (optest_ask (test, "fail_after_write", &f,
                                  &(tally_fail_after_write_in_t){.name = "a", .memory = true}, NULL,
                                  NULL),
                      E_NO_MEMORY);
    assert_int_equal (optest_ask (test, "incr", &g, &(tally_incr_in_t){.name = "a"}, &out, NULL),
                      0);
    assert_int_equal (out.total, 2);
    /* a day later */
    assert_int_equal (optest_advance (test, INT64_C (25) * 3600000), 0);
    envelope_t h = keyed ("k1", 1, "req-8");
    assert_int_equal (optest_ask (test, "incr", &h, &(tally_incr_in_t){.name = "a"}, &out, NULL),
                      0);
    assert_int_equal (out.total, 3);
    optest_destroy (&test);
}

/* What an envelope says is no outcome runs anew, whatever its class; the rest is kept. */
static void test_forgotten_outcomes (void **state)
{
    (void) state;
    optest_t *test = optest_new (&tally);
    uint8_t forgets[IDEM_FORGETS / 8] = {0};
    forgets[E_CONFLICT / 8] |= 1 << E_CONFLICT % 8;
    tally_incr_out_t out;
    tally_fail_after_write_in_t conflict = {.name = "a"}, memory = {.name = "a", .memory = true};
    envelope_t a = keyed ("k1", 1, "req-1"), b = keyed ("k1", 1, "req-2");
    a.idem.forgets = b.idem.forgets = forgets;
    assert_int_equal (optest_ask (test, "fail_after_write", &a, &conflict, NULL, NULL), E_CONFLICT);
    assert_int_equal (optest_ask (test, "incr", &b, &(tally_incr_in_t){.name = "a"}, &out, NULL),
                      0);
    assert_false (optest_replayed (optest_last (test), NULL));
    envelope_t c = keyed ("k2", 1, "req-3"), e = keyed ("k2", 1, "req-4");
    c.idem.forgets = e.idem.forgets = forgets;
    assert_int_equal (optest_ask (test, "fail_after_write", &c, &memory, NULL, NULL), E_NO_MEMORY);
    assert_int_equal (optest_ask (test, "incr", &e, &(tally_incr_in_t){.name = "a"}, &out, NULL),
                      E_NO_MEMORY);
    assert_true (optest_replayed (optest_last (test), NULL));
    optest_destroy (&test);
}

static int search_store (turn_t *t, void *context)
{
    static const char *const tables[] = {"svc.keyed", "svc.repeat_a", "svc.repeat_b", "svc.parked"};
    bytes_t needle = bytes_of_str (context);
    int found = 0;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        kv_cursor_t walk = {
            .table = store_table (optest_store ((optest_t *) (void *) t->svc), tables[i])};
        bytes_t key, value;
        while (!kv_next (t->txn, &walk, &key, &value))
            found += memmem (value.data, value.size, needle.data, needle.size) != NULL;
        kv_stop (&walk);
    }
    return found ? E_CORRUPT : 0;
}

static void test_secret_is_sealed (void **state)
{
    (void) state;
    optest_t *test = optest_new (&tally);
    tally_secret_out_t one, two;
    envelope_t a = keyed ("s1", 1, "req-1"), b = keyed ("s1", 1, "req-2"), plain = {0};
    assert_int_equal (optest_ask (test, "secret", &a, &(tally_secret_in_t){0}, &one, NULL), 0);
    assert_int_equal (optest_ask (test, "secret", &b, &(tally_secret_in_t){0}, &two, NULL), 0);
    assert_string_equal (one.secret, two.secret);
    assert_int_equal (optest_run (test, search_store, (void *) (uintptr_t) one.secret), 0);
    assert_int_equal (optest_ask (test, "secret", &plain, &(tally_secret_in_t){0}, &one, NULL), 0);
    assert_int_equal (optest_ask (test, "secret", &plain, &(tally_secret_in_t){0}, &two, NULL), 0);
    assert_string_equal (one.secret, two.secret);
    assert_int_equal (optest_run (test, search_store, (void *) (uintptr_t) one.secret), 0);
    optest_destroy (&test);
}

static int64_t mirrored (optest_t *test, const char *name)
{
    mirror_total_out_t out;
    assert_int_equal (
        optest_ask (test, "total", NULL, &(mirror_total_in_t){.name = name}, &out, NULL), 0);
    return out.total;
}

static void test_park_and_resume (void **state)
{
    (void) state;
    optest_t *test = optest_new (&mirror);
    mirror_slow_out_t out;
    mirror_slow_in_t in = {.name = "a", .wait_ms = 10};
    envelope_t a = keyed ("p1", 1, "req-1"), twin = keyed ("p1", 1, "req-2"),
               late = keyed ("p1", 1, "req-3");
    assert_int_equal (optest_ask (test, "slow", &a, &in, &out, NULL), E_PARKED);
    optest_put_t *first = optest_last (test);
    assert_int_equal (optest_ask (test, "slow", &twin, &in, &out, NULL), E_PARKED);
    optest_put_t *second = optest_last (test);
    outward_t *job = optest_job (test);
    assert_non_null (job);
    assert_int_equal (job->out.how, OUT_WAIT);
    assert_int_equal (optest_job_answered (test, job, 0, ""), 0);
    assert_int_equal (optest_take (test, first, &out, NULL), 0);
    assert_int_equal (out.slow, 1);
    assert_false (optest_replayed (first, NULL));
    assert_int_equal (optest_take (test, second, &out, NULL), 0);
    const char *id;
    assert_true (optest_replayed (second, &id));
    assert_string_equal (id, "req-1");
    assert_int_equal (optest_ask (test, "slow", &late, &in, &out, NULL), 0);
    assert_true (optest_replayed (optest_last (test), NULL));
    assert_null (optest_job (test));
    assert_int_equal (mirrored (test, "slow"), 1);
    optest_destroy (&test);
}

static void test_parked_over_a_restart (void **state)
{
    (void) state;
    optest_t *test = optest_new (&mirror);
    mirror_slow_out_t out;
    failure_t failure;
    mirror_slow_in_t in = {.name = "a", .wait_ms = 10, .fail = true};
    envelope_t a = {0};
    assert_int_equal (optest_ask (test, "slow", &a, &in, &out, NULL), E_PARKED);
    assert_int_equal (optest_restart (test), 0);
    assert_int_equal (optest_ask (test, "slow", &a, &in, &out, NULL),
                      E_PARKED); /* the same envelope: attaches */
    optest_put_t *again = optest_last (test);
    assert_int_equal (optest_turn (test), 0);
    outward_t *job = optest_job (test); /* begun again: its kind is repeatable */
    assert_non_null (job);
    assert_int_equal (optest_job_answered (test, job, 0, ""), 0);
    assert_int_equal (optest_take (test, again, &out, &failure), E_CONFLICT);
    assert_string_equal (failure.field, "fail");
    assert_int_equal (mirrored (test, "slow"), 0); /* what the failing resume wrote is gone */
    assert_int_equal (optest_ask (test, "slow", &a, &in, &out, &failure),
                      E_CONFLICT); /* and its outcome is kept */
    optest_destroy (&test);
}

static int count_parked (turn_t *t, void *context)
{
    return kv_count (
        t->txn, store_table (optest_store ((optest_t *) (void *) t->svc), "svc.parked"), context);
}

static void test_forgotten_parked (void **state)
{
    (void) state;
    optest_t *test = optest_new (&mirror);
    mirror_slow_in_t in = {.name = "a", .wait_ms = 10};
    uint64_t rows = 0;
    assert_int_equal (optest_ask (test, "slow", NULL, &in, NULL, NULL), E_PARKED);
    assert_int_equal (optest_run (test, count_parked, &rows), 0);
    assert_int_equal (rows, 1);
    assert_int_equal (optest_advance (test, INT64_C (73) * 3600000), 0);
    assert_int_equal (optest_run (test, count_parked, &rows), 0);
    assert_int_equal (rows, 0);
    outward_t *job = optest_job (test); /* what comes of it now resumes nobody, and is no fault */
    assert_int_equal (optest_job_answered (test, job, 0, ""), 0);
    optest_destroy (&test);
}

static void test_follow (void **state)
{
    (void) state;
    optest_t *test = optest_new (&mirror);
    event_about_t about = {.record = {{1}}, .version = 1};
    tally_counted_t body = {.name = "a", .add = 5, .total = 5};
    assert_int_equal (optest_follow (test, &tally_counted_event, &about, &body, NULL), 0);
    assert_int_equal (optest_follow (test, &tally_counted_event, &about, &body, NULL),
                      0); /* older than what it has */
    assert_int_equal (mirrored (test, "a"), 5);
    failure_t failure = {0};
    body.name = "poison";
    assert_int_equal (optest_follow (test, &tally_counted_event, &about, &body, &failure),
                      E_CONFLICT);
    assert_int_equal (mirrored (test, "poison"), 0);
    optest_destroy (&test);
}

static void test_journal_ops (void **state)
{
    (void) state;
    optest_t *test = optest_new (&tally);
    common_journal_read_out_t head, read;
    common_journal_read_in_t in = {.follower = "mirror"};
    assert_int_equal (optest_ask (test, "journal_read", NULL, &in, &head, NULL), 0);
    assert_int_equal (head.events.count, 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal (optest_ask (test, "incr", NULL,
                                      &(tally_incr_in_t){.name = i % 2 ? "a" : "b"}, NULL, NULL),
                          0);
    in.cursor = head.cursor;
    in.limit = 3;
    assert_int_equal (optest_ask (test, "journal_read", NULL, &in, &read, NULL), 0);
    assert_int_equal (read.events.count, 3);
    assert_int_equal (read.head, 5);
    in.cursor = read.cursor;
    assert_int_equal (optest_ask (test, "journal_read", NULL, &in, &read, NULL), 0);
    assert_int_equal (read.events.count, 2);
    assert_false (read.reset);
    /* only what is wanted, and the cursor goes past the rest */
    int64_t wanted[] = {tally_counted_event.number, 1000};
    common_journal_read_in_t some = {.cursor = head.cursor, .numbers = {wanted + 1, 1}};
    bytes_t end = read.cursor;
    assert_int_equal (optest_ask (test, "journal_read", NULL, &some, &read, NULL), 0);
    assert_int_equal (read.events.count, 0);
    assert_true (bytes_equal (read.cursor, end));
    some.numbers = (schema_list_t){wanted, 2};
    assert_int_equal (optest_ask (test, "journal_read", NULL, &some, &read, NULL), 0);
    assert_int_equal (read.events.count, 5);
    /* pages of the snapshot, one row each */
    common_snapshot_read_in_t ask = {.limit = 1};
    common_snapshot_read_out_t page;
    int64_t sum = 0, pages = 0;
    do {
        assert_int_equal (optest_ask (test, "snapshot_read", NULL, &ask, &page, NULL), 0);
        const common_event_t *e = page.events.items;
        tally_counted_t body;
        for (size_t i = 0; i < page.events.count; i++) {
            assert_int_equal (optest_event_body (test, &e[i], &tally_counted_event, &body), 0);
            sum += body.total;
        }
        ask.cursor = page.cursor;
        pages++;
    } while (page.cursor.size);
    assert_int_equal (sum, 5);
    assert_int_equal (pages, 2);
    in.cursor = page.journal;
    assert_int_equal (optest_ask (test, "journal_read", NULL, &in, &read, NULL), 0);
    assert_int_equal (read.events.count, 0);
    /* who wants none of what snapshots tell has the journal from its first event on */
    int64_t other[] = {tally_counted_event.number + 1};
    common_snapshot_read_in_t none = {.numbers = {other, 1}};
    assert_int_equal (optest_ask (test, "snapshot_read", NULL, &none, &page, NULL), 0);
    assert_int_equal (page.events.count + page.cursor.size, 0);
    in.cursor = page.journal;
    in.limit = 0;
    assert_int_equal (optest_ask (test, "journal_read", NULL, &in, &read, NULL), 0);
    assert_int_equal (read.events.count, 5);
    /* a week later all but the newest are trimmed; who stopped at the start must begin anew */
    assert_int_equal (optest_advance (test, INT64_C (8) * 24 * 3600000), 0);
    const common_event_t *events;
    assert_int_equal (optest_events (test, 0, &events), 1);
    in.cursor = head.cursor;
    assert_int_equal (optest_ask (test, "journal_read", NULL, &in, &read, NULL), 0);
    assert_true (read.reset);
    in.cursor = bytes_of_str ("nonsense");
    assert_int_equal (optest_ask (test, "journal_read", NULL, &in, &read, NULL), E_BAD_REQUEST);
    /* another life of the store */
    uint8_t foreign[26] = {9};
    in.cursor = bytes_of (foreign, sizeof foreign);
    assert_int_equal (optest_ask (test, "journal_read", NULL, &in, &read, NULL), 0);
    assert_true (read.reset);
    optest_destroy (&test);
}

static common_journal_read_out_t read_from (optest_t *test, bytes_t cursor)
{
    common_journal_read_out_t out = {0};
    common_journal_read_in_t in = {.cursor = cursor, .limit = 10};
    assert_int_equal (optest_ask (test, "journal_read", NULL, &in, &out, NULL), 0);
    return out;
}

static void incr_times (optest_t *test, int times)
{
    for (int i = 0; i < times; i++)
        assert_int_equal (
            optest_ask (test, "incr", NULL, &(tally_incr_in_t){.name = "a"}, NULL, NULL), 0);
}

/* A new life of the store: who stopped before the parting goes on, who heard of what is not in it goes on from there. */
static void test_journal_of_a_restored_store (void **state)
{
    (void) state;
    optest_t *test = optest_new (&tally);
    bytes_t start = read_from (test, (bytes_t){0}).cursor;
    incr_times (test, 5);
    bytes_t end = read_from (test, (bytes_t){0}).cursor;
    uint8_t behind[26];
    memcpy (behind, end.data, sizeof behind);
    behind[25]++;
    assert_int_equal (optest_restart_restored (test), 0);
    common_journal_read_out_t now = read_from (test, (bytes_t){0});
    assert_int_equal (now.head, 5);
    assert_memory_not_equal (now.cursor.data, end.data, 16);
    incr_times (test, 2);
    common_journal_read_out_t read = read_from (test, start);
    assert_false (read.reset);
    assert_int_equal (read.events.count, 7);
    assert_memory_equal (read.cursor.data, now.cursor.data, 16);
    assert_int_equal (read_from (test, end).events.count, 2);
    assert_int_equal (read_from (test, read.cursor).events.count, 0);
    read = read_from (test, bytes_of (behind, sizeof behind));
    assert_true (!read.reset && read.events.count == 2);
    /* a plain restart is no new life; a second restore is, and the first life is still known */
    assert_int_equal (optest_restart (test), 0);
    assert_memory_equal (read_from (test, (bytes_t){0}).cursor.data, now.cursor.data, 16);
    assert_int_equal (optest_restart_restored (test), 0);
    assert_memory_not_equal (read_from (test, (bytes_t){0}).cursor.data, now.cursor.data, 16);
    assert_int_equal (read_from (test, start).events.count, 7);
    assert_int_equal (read_from (test, now.cursor).events.count, 2);
    read = read_from (test, bytes_of (behind, sizeof behind));
    assert_true (!read.reset && read.events.count == 2);
    optest_destroy (&test);
}

static size_t jobs_listed (optest_t *test, bool held, common_kept_job_t *first)
{
    common_jobs_out_t out = {0};
    assert_int_equal (
        optest_ask (test, "jobs", NULL, &(common_jobs_in_t){.held = held}, &out, NULL), 0);
    assert_int_equal (out.total, out.jobs.count);
    if (out.jobs.count)
        *first = *(const common_kept_job_t *) out.jobs.items;
    return out.jobs.count;
}

static void stick (optest_t *test)
{
    outward_t *job = optest_job (test);
    assert_non_null (job);
    assert_int_equal (optest_job_done (test, job, &(outcome_t){.stage = FETCH_ANSWERED}), 0);
    for (int i = 0; i < 6; i++)
        assert_int_equal (optest_advance (test, 1000), 0);
}

/* A job that fails again and again: shown, let out, ended. */
static void test_quarantine_is_decided (void **state)
{
    (void) state;
    optest_t *test = optest_new (&mirror);
    common_kept_job_t job;
    common_job_act_out_t out;
    assert_int_equal (jobs_listed (test, false, &job), 0);
    optest_put (test, "slow", NULL, &(mirror_slow_in_t){.name = "stuck"});
    assert_int_equal (optest_turn (test), 0);
    stick (test);
    assert_int_equal (jobs_listed (test, false, &job), 1);
    assert_string_equal (job.kind, "slow");
    assert_non_null (strstr (job.reason, "This one cannot be finished"));
    assert_true (job.since > 0 && job.made > 0 && job.made <= job.since && !job.is_event);
    common_job_act_in_t in = {.id = job.id};
    assert_int_equal (optest_ask (test, "job_act", NULL, &in, &out, NULL), 0);
    assert_string_equal (out.kind, "slow");
    assert_int_equal (jobs_listed (test, false, &job), 0);
    stick (test);
    assert_int_equal (jobs_listed (test, false, &job), 1);
    assert_true (id_equal (job.id, in.id));
    in.drop = true;
    assert_int_equal (optest_ask (test, "job_act", NULL, &in, &out, NULL), 0);
    assert_int_equal (jobs_listed (test, false, &job), 0);
    assert_null (optest_job (test));
    assert_int_equal (optest_ask (test, "job_act", NULL, &in, &out, NULL), E_NOT_FOUND);
    optest_destroy (&test);
}

static common_storage_out_t storage (optest_t *test)
{
    common_storage_out_t out = {0};
    assert_int_equal (optest_ask (test, "storage", NULL, &(common_storage_in_t){0}, &out, NULL), 0);
    return out;
}

static int64_t table_rows (const common_storage_out_t *told, const char *name)
{
    const common_table_bytes_t *tables = told->tables.items;
    for (size_t i = 0; i < told->tables.count; i++)
        if (strcmp (tables[i].name, name) == 0) {
            assert_int_equal (tables[i].rows > 0, tables[i].bytes > 0);
            return tables[i].rows;
        }
    return -1;
}

/* Samples come once an hour and are kept for a day; growth is told against the oldest of them. */
static void test_storage_is_told_and_measured (void **state)
{
    (void) state;
    optest_t *test = optest_new (&tally);
    const int64_t hour = 3600 * INT64_C (1000);
    common_storage_out_t told = storage (test);
    assert_true (told.file_bytes > 0 && told.disk_free_bytes > 0);
    assert_int_equal (told.measured_ms, 0); /* no pass of the sweeper yet */
    assert_int_equal (optest_advance (test, 1000), 0);
    assert_int_equal (table_rows (&told, "svc.journal"), 0);
    assert_int_equal (optest_ask (test, "incr", NULL, &(tally_incr_in_t){.name = "a"}, NULL, NULL),
                      0);
    assert_int_equal (optest_advance (test, hour / 2), 0);
    told = storage (test);
    assert_int_equal (table_rows (&told, "svc.journal"), 1);
    assert_int_equal (table_rows (&told, "svc.growth"), 1);
    assert_in_range (told.measured_ms, hour / 2, hour / 2 + 10000);
    assert_true (told.file_grown_bytes >= 0);
    assert_int_equal (optest_restart (test), 0); /* no new sample for a new process */
    for (int i = 0; i < 40; i++)
        assert_int_equal (optest_advance (test, hour), 0);
    told = storage (test);
    assert_in_range (table_rows (&told, "svc.growth"), 24, 26);
    assert_in_range (told.measured_ms, 24 * hour, 25 * hour + 10000);
    assert_int_equal (told.file_grown_bytes, 0); /* it wrote the same over and over */
    optest_destroy (&test);
}

static void test_builtin_reads (void **state)
{
    (void) state;
    optest_t *test = optest_new (&tally);
    common_metrics_out_t metrics;
    common_health_out_t health;
    common_ping_out_t ping;
    assert_int_equal (optest_ask (test, "incr", NULL, &(tally_incr_in_t){.name = "a"}, NULL, NULL),
                      0);
    assert_int_equal (optest_ask (test, "metrics", NULL, &(common_metrics_in_t){0}, &metrics, NULL),
                      0);
    assert_non_null (strstr (metrics.text, "aviary_tally_counted_total{replica=\"0\"} 1\n"));
    assert_non_null (
        strstr (metrics.text, "aviary_tally_asks_total{op=\"incr\",replica=\"0\"} 1\n"));
    assert_non_null (strstr (metrics.text, "aviary_tally_journal_head{replica=\"0\"} 1\n"));
    assert_int_equal (optest_ask (test, "health", NULL, &(common_health_in_t){0}, &health, NULL),
                      0);
    assert_true (health.owner);
    assert_int_equal (optest_ask (test, "ping", NULL, &(common_ping_in_t){0}, &ping, NULL), 0);
    assert_string_equal (ping.service, "tally");
    common_log_level_out_t none;
    assert_int_equal (optest_ask (test, "log_level", NULL,
                                  &(common_log_level_in_t){.level = "loud"}, &none, NULL),
                      E_BAD_REQUEST);
    assert_int_equal (optest_ask (test, "log_level", NULL,
                                  &(common_log_level_in_t){.level = "error"}, &none, NULL),
                      0);
    common_explain_out_t lines;
    assert_int_equal (
        optest_ask (test, "explain", NULL, &(common_explain_in_t){.id = {{1}}}, &lines, NULL), 0);
    assert_int_equal (lines.lines.count, 0);
    optest_destroy (&test);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_incr_and_event),
        cmocka_unit_test (test_one_failure_costs_nobody),
        cmocka_unit_test (test_lost_commit),
        cmocka_unit_test (test_every_failing_write),
        cmocka_unit_test (test_repeat_by_id),
        cmocka_unit_test (test_idempotency),
        cmocka_unit_test (test_forgotten_outcomes),
        cmocka_unit_test (test_secret_is_sealed),
        cmocka_unit_test (test_park_and_resume),
        cmocka_unit_test (test_parked_over_a_restart),
        cmocka_unit_test (test_forgotten_parked),
        cmocka_unit_test (test_follow),
        cmocka_unit_test (test_journal_ops),
        cmocka_unit_test (test_journal_of_a_restored_store),
        cmocka_unit_test (test_quarantine_is_decided),
        cmocka_unit_test (test_storage_is_told_and_measured),
        cmocka_unit_test (test_builtin_reads),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
