/* pause_test.c - an event goes to the subscriptions that were active when it happened, however late this service comes to look at it. */
#include "base/clock.h"
#include "webhooks_world.h"

#define URL      "http://127.0.0.1:9/hook"
#define ACTIVE   WEBHOOKS_SUBSCRIPTION_STATUS_ACTIVE
#define PAUSED   WEBHOOKS_SUBSCRIPTION_STATUS_PAUSED
#define DISABLED WEBHOOKS_SUBSCRIPTION_STATUS_DISABLED

enum { SECOND = 1000, HOUR = 3600 * SECOND };

static int setup (void **state)
{
    static const char *const flags[] = {"--auto-disable=1", NULL};
    *state = world_new (flags);
    return 0;
}

static int teardown (void **state)
{
    optest_t *test = *state;
    optest_destroy (&test);
    return 0;
}

/* ---- the rule ---- */

static void test_what_was_active (void **state)
{
    static const webhooks_pause_t pauses[] = {{.until = 100},
                                              {.from = 200, .until = 300},
                                              {.from = 300, .until = 300},
                                              {.from = 400, .until = 500}};
    static const struct {
        int64_t at;
        int32_t status;
        int64_t since;
        bool want;
    } rows[] = {
        {49, 0, 0, false},           {50, 0, 0, false},         {100, 0, 0, true},
        {199, 0, 0, true},           {200, 0, 0, false},        {299, ACTIVE, 0, false},
        {300, ACTIVE, 0, true},      {450, ACTIVE, 0, false},   {500, ACTIVE, 0, true},
        {700, PAUSED, 0, false},     {699, PAUSED, 700, true},  {700, PAUSED, 700, false},
        {150, PAUSED, 0, false},     {250, PAUSED, 700, false}, {699, DISABLED, 700, true},
        {701, DISABLED, 700, false},
    };
    (void) state;
    id_source_t ids = {0};
    webhooks_subscription_t row = {.id = id_next (&ids, 50)};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        row.pauses = (schema_list_t){(void *) (uintptr_t) pauses, 4};
        row.status = rows[i].status;
        row.inactive_since = rows[i].since;
        assert_int_equal (subscription_was_active (&row, rows[i].at), rows[i].want);
    }
    row = (webhooks_subscription_t){.id = row.id};
    assert_false (subscription_was_active (&row, 49));
    assert_true (subscription_was_active (&row, 50));
}

/* ---- in the service ---- */

/* A closed conversation, as its journal has it. */
typedef struct happened {
    int64_t at;
    id16_t id;
    unsigned n;
} happened_t;

static happened_t happen (int64_t at)
{
    static unsigned n;
    id_source_t ids = {0};
    n++;
    return (happened_t){.at = at, .id = id_next (&ids, at), .n = n};
}

static int look_run (turn_t *t, void *context)
{
    const happened_t *what = context;
    inbox_conversation_closed_t body = {.conversation = world_id (what->n),
                                        .status = INBOX_CONVERSATION_STATUS_RESOLVED};
    journal_event_t event = {.sequence = what->n,
                             .event = &inbox_conversation_closed_event,
                             .at = what->at,
                             .id = what->id,
                             .record = body.conversation,
                             .version = 1,
                             .org = world_org};
    for (size_t i = 0; i < WEBHOOKS_FOLLOWS; i++)
        if (webhooks_follows[i].event == event.event)
            return webhooks_follows[i].apply (t, &event, &body);
    return E_NOT_FOUND;
}

/* The service comes to look at it now: is it delivered? */
static bool is_heard (optest_t *test, happened_t what)
{
    outward_t *outward;
    assert_int_equal (optest_run (test, look_run, &what), 0);
    assert_int_equal (optest_advance (test, 0), 0);
    outward = optest_job (test);
    if (!outward)
        return false;
    assert_int_equal (outward->out.how, OUT_HTTP);
    assert_int_equal (optest_job_answered (test, outward, 200, ""), 0);
    return true;
}

static void status_put (optest_t *test, id16_t id, int32_t status)
{
    webhooks_subscription_told_t now;
    webhooks_subscription_update_in_t in = {.id = id, .status = status};
    assert_int_equal (world_ask (test, world_org, "subscription_update", &in, &now, NULL), 0);
    assert_int_equal (now.status, status);
}

static int64_t later (optest_t *test, int64_t ms)
{
    optest_clock (test, ms);
    return clock_now_ms ();
}

static size_t logged (optest_t *test, int32_t status)
{
    return world_log (test, &(webhooks_log_list_in_t){.status = status, .limit = 100}).count;
}

static void test_whatever_the_lag (void **state)
{
    int64_t before_all = clock_now_ms () - SECOND;
    webhooks_subscription_told_t to = world_subscribe (*state, URL, "conversation.closed");
    int64_t before = later (*state, SECOND);
    later (*state, SECOND);
    status_put (*state, to.id, PAUSED);
    int64_t during = later (*state, SECOND);
    assert_true (is_heard (*state, happen (before))); /* what was on its way goes on */
    assert_false (is_heard (*state, happen (during)));
    assert_false (is_heard (*state, happen (before_all)));
    later (*state, SECOND);
    status_put (*state, to.id, PAUSED); /* no news */
    later (*state, SECOND);
    status_put (*state, to.id, ACTIVE);
    later (*state, SECOND);
    status_put (*state, to.id, ACTIVE);
    int64_t after = later (*state, SECOND);
    assert_false (is_heard (*state, happen (during)));
    assert_true (is_heard (*state, happen (before)));
    assert_true (is_heard (*state, happen (after)));
    assert_false (is_heard (*state, happen (before_all)));
    assert_int_equal (logged (*state, 0), 3);
}

static void test_disabled (void **state)
{
    webhooks_subscription_told_t to = world_subscribe (*state, URL, "conversation.closed");
    int64_t before = later (*state, SECOND);
    later (*state, SECOND);
    world_close (*state, 1000);
    assert_int_equal (optest_job_answered (*state, world_request (*state), 401, ""), 0);
    assert_int_equal (world_get (*state, to.id).status, DISABLED);
    int64_t during = later (*state, SECOND);
    assert_false (is_heard (*state, happen (before)));
    assert_int_equal (logged (*state, WEBHOOKS_DELIVERY_STATUS_DEAD), 2); /* to be sent again */
    assert_false (is_heard (*state, happen (during)));
    status_put (*state, to.id, PAUSED); /* one time of silence for both */
    int64_t paused = later (*state, SECOND);
    later (*state, SECOND);
    status_put (*state, to.id, ACTIVE);
    int64_t after = later (*state, SECOND);
    assert_false (is_heard (*state, happen (during)));
    assert_false (is_heard (*state, happen (paused)));
    assert_true (is_heard (*state, happen (after)));
    assert_int_equal (logged (*state, 0), 3);
}

static void test_several_pauses (void **state)
{
    int64_t active[20], silent[20];
    webhooks_subscription_told_t to = world_subscribe (*state, URL, "conversation.closed");
    for (size_t i = 0; i < 20; i++) {
        active[i] = later (*state, SECOND);
        later (*state, SECOND);
        status_put (*state, to.id, PAUSED);
        silent[i] = later (*state, SECOND);
        later (*state, SECOND);
        status_put (*state, to.id, ACTIVE);
    }
    for (size_t i = 0; i < 20; i++) {
        assert_true (is_heard (*state, happen (active[i])));
        assert_int_equal (is_heard (*state, happen (silent[i])), i < 4); /* sixteen are kept */
    }
}

/* The clock is set back during a pause: ids go on, and so does the order of what happened. */
static void test_the_clock_steps_back (void **state)
{
    webhooks_subscription_told_t to = world_subscribe (*state, URL, "conversation.closed");
    later (*state, SECOND);
    status_put (*state, to.id, PAUSED);
    int64_t during = later (*state, SECOND);
    assert_int_equal (optest_advance (*state, SECOND), 0);
    optest_clock (*state, -HOUR);
    status_put (*state, to.id, ACTIVE);
    int64_t after = later (*state, SECOND) + HOUR;
    happened_t made = happen (during), then = happen (after);
    then.at -= HOUR; /* by the clock; its id goes on */
    assert_false (is_heard (*state, made));
    assert_true (is_heard (*state, then));
    optest_clock (*state, HOUR);
}

static int old_row_run (turn_t *t, void *context)
{
    webhooks_subscription_t row = {0};
    int code = store_get_any (t->txn, &webhooks_subscription_record, *(const id16_t *) context,
                              t->arena, &row);
    row.inactive_since = 0;
    return code ? code : store_put (t->txn, &webhooks_subscription_record, &row, NULL);
}

/* Paused by a program that did not note when. */
static void test_of_before (void **state)
{
    webhooks_subscription_told_t to = world_subscribe (*state, URL, "conversation.closed");
    int64_t before = later (*state, SECOND);
    later (*state, SECOND);
    status_put (*state, to.id, PAUSED);
    assert_int_equal (optest_run (*state, old_row_run, &to.id), 0);
    assert_false (is_heard (*state, happen (before)));
    int64_t during = later (*state, SECOND);
    assert_false (is_heard (*state, happen (during)));
    later (*state, SECOND);
    status_put (*state, to.id, ACTIVE);
    int64_t after = later (*state, SECOND);
    assert_false (is_heard (*state, happen (during)));
    assert_true (is_heard (*state, happen (after)));
}

int main (void)
{
#define T(name) cmocka_unit_test_setup_teardown (name, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_what_was_active),
        T (test_whatever_the_lag),
        T (test_disabled),
        T (test_several_pauses),
        T (test_the_clock_steps_back),
        T (test_of_before),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
