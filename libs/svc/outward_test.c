/* outward_test.c - the outbound thread against a scripted server: transfers, waits on the tests' clock, asks, and its end. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "fetch/http_peer_test.h"
#include "svc/lanes_state.h"
#include "svc/outward.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

typedef struct rig {
    outward_pool_t *pool;
    queue_t *done;
    http_peer_t *peer;
    char clock[64];
    bool answers; /* asks are answered from within the call */
    pthread_mutex_t lock;
    unsigned asked;
} rig_t;

static id16_t id_of (unsigned n)
{
    id16_t id = {{9}};
    id.b[15] = (uint8_t) n;
    return id;
}

static void on_done (void *context, outward_done_t *done)
{
    queue_put (((rig_t *) context)->done, &done->item);
}

static void on_ask (void *context, const outward_t *outward)
{
    rig_t *r = context;
    pthread_mutex_lock (&r->lock);
    r->asked++;
    bool answers = r->answers;
    pthread_mutex_unlock (&r->lock);
    if (answers)
        outward_pool_answer (r->pool, outward->job, bytes_of_str (outward->out.target), NULL);
}

static int rig_new (void **state)
{
    rig_t *r = calloc (1, sizeof *r);
    failure_t failure = {0};
    *state = r;
    pthread_mutex_init (&r->lock, NULL);
    r->done = queue_new ();
    r->peer = http_peer_new ();
    outward_pool_config_t config = {.fetch = {.allow = "127.0.0.0/8", .allow_http = true},
                                    .ask = on_ask,
                                    .done = on_done,
                                    .context = r};
    return outward_pool_new (&config, &r->pool, &failure);
}

static int rig_free (void **state)
{
    rig_t *r = *state;
    outward_pool_destroy (&r->pool);
    for (queue_item_t *item = queue_take (r->done, 0), *next; item; item = next) {
        next = item->next;
        outward_done_t *done = (outward_done_t *) (void *) item;
        outward_done_destroy (&done);
    }
    queue_destroy (&r->done);
    http_peer_destroy (&r->peer);
    pthread_mutex_destroy (&r->lock);
    free (r);
    return 0;
}

static outward_t *made (rig_t *r, unsigned n, outbound_t out, const char *path)
{
    outward_t *outward = outward_new (arena_new (JOB_ARENA));
    assert_non_null (outward);
    static const job_kind_t kind = {.name = "test"};
    outward->kind = &kind;
    outward->job = outward->done->job = id_of (n);
    outward->slot = outward->done->slot = n;
    outward->out = out;
    if (path) {
        outward->out.request.method = "POST";
        outward->out.request.url = arena_printf (outward->arena, "http://127.0.0.1:%u/%s",
                                                 (unsigned) http_peer_port (r->peer), path);
        outward->out.request.body = bytes_of_str ("hello");
    }
    return outward;
}

/* Of `group`, of which at most `width` requests are on the wire; 0 = it is not counted. */
static void put_of (rig_t *r, unsigned group, unsigned width, unsigned n, outbound_t out,
                    const char *path)
{
    outward_t *outward = made (r, n, out, path);
    outward->group = id_of (group);
    outward->width = width;
    outward_pool_put (r->pool, outward);
}

static void put (rig_t *r, unsigned n, outbound_t out, const char *path)
{
    put_of (r, 0, 0, n, out, path);
}

static outward_done_t *taken (rig_t *r, int timeout_ms)
{
    return (outward_done_t *) (void *) queue_wait (r->done, 1, timeout_ms);
}

static void http (void **state)
{
    rig_t *r = *state;
    static const struct {
        const char *path;
        uint32_t timeout_ms;
        fetch_stage_t stage;
        int status, code;
        const char *body;
        bool retry_after;
    } rows[] = {{"ok", 5000, FETCH_ANSWERED, 200, 0, "fine", false},
                {"seconds", 5000, FETCH_ANSWERED, 429, 0, NULL, true},
                {"slow", 200, FETCH_SENT, 0, E_TIMEOUT, NULL, false},
                {"die", 5000, FETCH_SENT, 0, E_UNAVAILABLE, NULL, false}};
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        put (r, i, (outbound_t){.how = OUT_HTTP, .request.timeout_ms = rows[i].timeout_ms},
             rows[i].path);
        outward_done_t *done = taken (r, 10000);
        assert_non_null (done);
        const outcome_t *o = &done->outcome;
        assert_true (id_equal (done->job, id_of (i)));
        assert_int_equal (done->slot, i);
        assert_int_equal (o->stage, rows[i].stage);
        assert_int_equal (o->status, rows[i].status);
        assert_int_equal (o->code, rows[i].code);
        assert_int_equal (o->retry_after_ms > 0, rows[i].retry_after);
        if (rows[i].body) {
            assert_true (bytes_equal (o->body, bytes_of_str (rows[i].body)));
            assert_string_equal (o->address, "127.0.0.1");
            assert_non_null (strstr (o->headers, "Content-Length"));
        }
        outward_done_destroy (&done);
    }
}

static void waits_end_in_order (void **state)
{
    rig_t *r = *state;
    static const uint32_t waits[] = {90, 10, 50, 30, 70};
    for (unsigned i = 0; i < 5; i++)
        put (r, i,
             (outbound_t){
                 .how = OUT_WAIT, .wait_ms = 200 + waits[i], .body = bytes_of_str ("receipt")},
             NULL);
    static const unsigned order[] = {1, 3, 2, 4, 0};
    for (unsigned i = 0; i < 5; i++) {
        outward_done_t *done = taken (r, 10000);
        assert_non_null (done);
        assert_int_equal (done->slot, order[i]);
        assert_int_equal (done->outcome.stage, FETCH_ANSWERED);
        assert_true (bytes_equal (done->outcome.body, bytes_of_str ("receipt")));
        outward_done_destroy (&done);
    }
    outward_gauges_t gauges;
    outward_pool_gauges (r->pool, &gauges);
    assert_int_equal (gauges.waits + gauges.http + gauges.asks + gauges.queued, 0);
}

static void waits_follow_the_clock (void **state)
{
    rig_t *r = *state;
    char path[] = "/tmp/aviary-outward-clock-XXXXXX";
    int fd = mkstemp (path);
    assert_true (fd >= 0);
    close (fd);
    unlink (path);
    assert_int_equal (clock_attach (path), 0);
    put (r, 1, (outbound_t){.how = OUT_WAIT, .wait_ms = 3600 * 1000}, NULL);
    put (r, 2, (outbound_t){.how = OUT_WAIT, .wait_ms = 0}, NULL);
    outward_done_t *done = taken (r, 10000);
    assert_int_equal (done->slot, 2);
    outward_done_destroy (&done);
    assert_int_equal (clock_advance (path, 3600 * 1000), 0);
    done = taken (r, 10000);
    assert_non_null (done);
    assert_int_equal (done->slot, 1);
    outward_done_destroy (&done);
    unlink (path);
}

static unsigned asked (rig_t *r)
{
    pthread_mutex_lock (&r->lock);
    unsigned count = r->asked;
    pthread_mutex_unlock (&r->lock);
    return count;
}

static void pause_ms (long ms)
{
    nanosleep (&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

static void asks (void **state)
{
    rig_t *r = *state;
    static const struct {
        int code;
        fetch_stage_t stage;
    } rows[] = {{0, FETCH_ANSWERED},
                {E_NOT_FOUND, FETCH_ANSWERED},
                {E_BUSY, FETCH_NOT_SENT},
                {E_TIMEOUT, FETCH_SENT},
                {E_REPLICA_LOST, FETCH_SENT}};
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        put (r, i, (outbound_t){.how = OUT_ASK, .target = "other.op"}, NULL);
        while (asked (r) <= i)
            pause_ms (2);
        failure_t failure = {0};
        if (rows[i].code)
            failure_set (&failure, rows[i].code, "f", "told so");
        outward_pool_answer (r->pool, id_of (77), bytes_of_str ("nobody's"), NULL);
        outward_pool_answer (r->pool, id_of (i), bytes_of_str (rows[i].code ? "" : "answer"),
                             rows[i].code ? &failure : NULL);
        outward_done_t *done = taken (r, 10000);
        assert_non_null (done);
        assert_int_equal (done->slot, i);
        assert_int_equal (done->outcome.code, rows[i].code);
        assert_int_equal (done->outcome.stage, rows[i].stage);
        assert_int_equal (done->outcome.failure.code, rows[i].code);
        if (!rows[i].code)
            assert_true (bytes_equal (done->outcome.body, bytes_of_str ("answer")));
        outward_done_destroy (&done);
    }
    pthread_mutex_lock (&r->lock);
    r->answers = true;
    pthread_mutex_unlock (&r->lock);
    put (r, 9, (outbound_t){.how = OUT_ASK, .target = "other.op"}, NULL);
    outward_done_t *done = taken (r, 10000);
    assert_true (bytes_equal (done->outcome.body, bytes_of_str ("other.op")));
    outward_done_destroy (&done);
}

static void end_of_the_pool (void **state)
{
    rig_t *r = *state;
    put (r, 1, (outbound_t){.how = OUT_WAIT, .wait_ms = 3600 * 1000}, NULL);
    put (r, 2, (outbound_t){.how = OUT_ASK, .target = "other.op"}, NULL);
    put (r, 3, (outbound_t){.how = OUT_HTTP, .request.timeout_ms = 20000}, "slow");
    while (!asked (r) || !http_peer_requests (r->peer))
        pause_ms (2);
    outward_pool_destroy (&r->pool);
    static const fetch_stage_t want[] = {0, FETCH_NOT_SENT, FETCH_SENT, FETCH_SENT};
    for (int i = 0; i < 3; i++) {
        outward_done_t *done = taken (r, 0);
        assert_non_null (done);
        assert_int_equal (done->outcome.stage, want[done->slot]);
        assert_int_equal (done->outcome.code, E_UNAVAILABLE);
        outward_done_destroy (&done);
    }
}

static void requests_await (rig_t *r, unsigned count)
{
    while (http_peer_requests (r->peer) < count)
        pause_ms (2);
}

/* What waits for its place spends none of its time, and holds up no other group. */
static void groups_share_the_wire (void **state)
{
    rig_t *r = *state;
    enum { SLOW = 5, WIDTH_OF = 2 };
    for (unsigned i = 0; i < SLOW; i++)
        put_of (r, 1, WIDTH_OF, i, (outbound_t){.how = OUT_HTTP, .request.timeout_ms = 300},
                "slow");
    put_of (r, 2, WIDTH_OF, SLOW, (outbound_t){.how = OUT_HTTP, .request.timeout_ms = 20000}, "ok");
    outward_done_t *done = taken (r, 10000);
    assert_int_equal (done->slot, SLOW);
    outward_done_destroy (&done);
    requests_await (r, 1 + WIDTH_OF);
    outward_gauges_t gauges;
    outward_pool_gauges (r->pool, &gauges);
    assert_true (gauges.http <= WIDTH_OF);
    for (unsigned i = 0; i < SLOW; i++) {
        done = taken (r, 10000);
        assert_int_equal (done->slot / WIDTH_OF, i / WIDTH_OF); /* in pairs, in their order */
        assert_int_equal (done->outcome.stage, FETCH_SENT);
        assert_int_equal (done->outcome.code, E_TIMEOUT);
        outward_done_destroy (&done);
        outward_pool_gauges (r->pool, &gauges);
        assert_true (gauges.http <= WIDTH_OF);
    }
    assert_int_equal (http_peer_requests (r->peer), 1 + SLOW);
    outward_pool_gauges (r->pool, &gauges);
    assert_int_equal (gauges.http + gauges.queued, 0);
}

/* After two that failed one at a time, and all of them in the end. */
static void failures_narrow_the_wire (void **state)
{
    rig_t *r = *state;
    enum { ALL = 12, WIDTH_OF = 4, NARROW_AFTER = 2 };
    outward_gauges_t gauges;
    for (unsigned i = 0; i < ALL; i++) {
        outward_t *outward = made (r, i, (outbound_t){.how = OUT_HTTP, .request.timeout_ms = 150},
                                   i == ALL - 1 ? "ok" : "slow");
        outward->group = id_of (1);
        outward->width = WIDTH_OF;
        outward->narrow = 1;
        outward->narrow_after = NARROW_AFTER;
        outward_pool_put (r->pool, outward);
    }
    for (unsigned i = 0; i < ALL; i++) {
        outward_done_t *done = taken (r, 10000);
        assert_non_null (done);
        assert_int_equal (done->outcome.code, i == ALL - 1 ? 0 : E_TIMEOUT);
        outward_done_destroy (&done);
        outward_pool_gauges (r->pool, &gauges);
        if (i > 2 * WIDTH_OF)
            assert_true (gauges.http <= 1);
    }
    assert_int_equal (http_peer_requests (r->peer), ALL);
}

static void end_with_a_line (void **state)
{
    rig_t *r = *state;
    for (unsigned i = 0; i < 3; i++)
        put_of (r, 1, 1, i, (outbound_t){.how = OUT_HTTP, .request.timeout_ms = 20000}, "slow");
    requests_await (r, 1);
    outward_pool_destroy (&r->pool);
    assert_int_equal (http_peer_requests (r->peer), 1);
    for (int i = 0; i < 3; i++) {
        outward_done_t *done = taken (r, 0);
        assert_non_null (done);
        assert_int_equal (done->outcome.stage, done->slot ? FETCH_NOT_SENT : FETCH_SENT);
        assert_int_equal (done->outcome.code, E_UNAVAILABLE);
        outward_done_destroy (&done);
    }
}

static void outcome_over_the_limit (void **state)
{
    (void) state;
    arena_t *arena = arena_new (64 * 1024);
    static uint8_t body[128 * 1024];
    outcome_t copy,
        in = {.stage = FETCH_ANSWERED, .status = 200, .reason = "r", .body = {body, sizeof body}};
    outcome_copy (arena, &in, &copy);
    assert_int_equal (copy.code, E_NO_MEMORY);
    assert_int_equal (copy.status, 200);
    assert_int_equal (copy.body.size, 0);
    assert_string_equal (copy.reason, "r");
    arena_destroy (&arena);
}

#define T(f) cmocka_unit_test_setup_teardown (f, rig_new, rig_free)

int main (void)
{
    const struct CMUnitTest tests[] = {
        T (http),
        T (waits_end_in_order),
        T (asks),
        T (end_of_the_pool),
        T (groups_share_the_wire),
        T (failures_narrow_the_wire),
        T (end_with_a_line),
        T (waits_follow_the_clock),
        cmocka_unit_test (outcome_over_the_limit),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
