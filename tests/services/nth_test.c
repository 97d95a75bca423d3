/* nth_test.c - the runtime's own with every fault in every place, on the test services: its timers and sweeps, following, the first turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "mirror.h"
#include "svc/inner.h"
#include "svc/optest_fault.h"
#include "svc/optest_nth.h"
#include "tally.h"

#define COUNT(list) (sizeof (list) / sizeof *(list))

static const int64_t day_ms = 24 * 3600 * INT64_C (1000);
static const id16_t person = {{1, 2, 3}}, other = {{4, 5, 6}};
static const char phone[] = "+4917012345678";

/* ---- timers and sweeps ---- */

static int week_begin (optest_t *test)
{
    int rc = 0;
    for (int i = 0; i < 3 && !rc; i++) {
        tally_incr_in_t in = {.name = "a", .add = 1};
        envelope_t header = {.idem = {.dialect = "d", .route = "POST /n", .key = i ? "b" : "a"}};
        rc = optest_ask (test, "incr", i < 2 ? &header : NULL, &in, NULL, NULL);
    }
    return rc;
}

/* Answers that are kept for a minute went, one sample of the disk was taken and all older ones went. */
static bool week_is_done (optest_t *test)
{
    return !fault_rows (test, "svc.repeat_a") && !fault_rows (test, "svc.repeat_b") &&
           !fault_rows (test, "svc.keyed") && !fault_rows (test, "svc.keyed_turns") &&
           fault_rows (test, "svc.journal") == 1;
}

static int erase_begin (optest_t *test)
{
    tally_note_in_t note = {.about = person, .phone = phone, .text = "of them"},
                    beside = {.about = other, .phone = "+4917012345679", .text = "of others"};
    tally_forget_in_t forget = {.about = person, .phone = phone};
    int rc = optest_ask (test, "note", NULL, &note, NULL, NULL);
    if (!rc)
        rc = optest_ask (test, "note", NULL, &beside, NULL, NULL);
    optest_clock (test, 10);
    return rc ? rc : optest_ask (test, "forget", NULL, &forget, NULL, NULL);
}

static bool erase_is_done (optest_t *test)
{
    return !fault_is_erasing (test) && optest_rows (test, "note") == 1 &&
           optest_rows_with (test, "of them", NULL) == 0 &&
           optest_rows_with (test, "of others", NULL) > 0;
}

static void test_timers (void **state)
{
    (void) state;
    static const char *const repeat[] = {"svc.repeat", "svc.sweep", NULL},
                             *const erase[] = {"svc.erase", NULL},
                             *const sweeps[] = {"journal", "idempotency", NULL};
    const nth_timer_t samples[] = {
        {"a week goes by", repeat, sweeps, week_begin, 8 * day_ms, week_is_done},
        {"a person goes", erase, NULL, erase_begin, 1000, erase_is_done},
    };
    optest_t *test = optest_new (&tally);
    assert_int_equal (nth_timers (test, samples, COUNT (samples)), 0);
    optest_destroy (&test);
}

static int slow_begin (optest_t *test)
{
    mirror_slow_in_t in = {.name = "a", .wait_ms = 1000};
    int rc = optest_ask (test, "slow", NULL, &in, NULL, NULL);
    return rc == E_PARKED ? 0 : rc;
}

static bool parked_is_done (optest_t *test)
{
    return !fault_rows (test, "svc.parked");
}

static void test_parked (void **state)
{
    (void) state;
    static const char *const timers[] = {"svc.sweep", NULL}, *const sweeps[] = {"parked", NULL};
    const nth_timer_t sample = {"nobody resumed it", timers,     sweeps,
                                slow_begin,          4 * day_ms, parked_is_done};
    optest_t *test = optest_new (&mirror);
    assert_int_equal (nth_timers (test, &sample, 1), 0);
    optest_destroy (&test);
}

/* ---- following ---- */

/* One that looks at no version: an event that came twice would count twice, one that was left out not at all. */
static int counted_add (turn_t *t, const journal_event_t *event, const void *body)
{
    const tally_counted_t *told = body;
    store_key_t key = {.str = told->name};
    mirror_sum_t row = {0};
    (void) event;
    int rc = store_find (t->txn, &mirror_sum_record, "by_name", &key, 1, t->arena, &row);
    if (rc == E_NOT_FOUND)
        row = (mirror_sum_t){.id = turn_id (t), .name = told->name};
    else if (rc)
        return rc;
    if (strcmp (told->name, "poison") == 0)
        return fail (t, E_CONFLICT, "name", "This one cannot be applied");
    row.total += told->add;
    return store_put (t->txn, &mirror_sum_record, &row, NULL);
}

static int forgotten_take (turn_t *t, const journal_event_t *event, const void *body)
{
    (void) t, (void) event, (void) body;
    return 0;
}

static int64_t total_of (optest_t *test, const char *name)
{
    mirror_total_in_t in = {.name = name};
    mirror_total_out_t out = {0};
    return optest_ask (test, "total", NULL, &in, &out, NULL) ? -1 : out.total;
}

static bool sums_are_right (optest_t *test)
{
    return total_of (test, "a") == 1 + 10 + 100 && total_of (test, "b") == 1000 &&
           fault_rows (test, "svc.quarantine") == 1;
}

static void test_batches (void **state)
{
    (void) state;
    const svc_follow_t follows[] = {{&tally_counted_event, counted_add},
                                    {&tally_forgotten_event, forgotten_take}};
    svc_service_t adder = mirror;
    adder.follows = follows;
    const event_about_t about = {.record = {{9}}, .version = 1};
    const nth_event_t events[] = {
        {&tally_counted_event, about, &(tally_counted_t){.name = "a", .add = 1}},
        {&tally_counted_event, about, &(tally_counted_t){.name = "b", .add = 1000}},
        {&tally_counted_event, about, &(tally_counted_t){.name = "a", .add = 10}},
        {&tally_counted_event, about, &(tally_counted_t){.name = "poison", .add = 1}},
        {&tally_forgotten_event, about, &(tally_forgotten_t){.about = person, .phone = phone}},
        {&tally_counted_event, about, &(tally_counted_t){.name = "a", .add = 100}},
    };
    optest_t *test = optest_new (&adder);
    assert_int_equal (nth_batches (test, events, COUNT (events), sums_are_right), 0);
    optest_destroy (&test);
}

/* ---- the first turn ---- */

/* Not to be made twice: after a crash nobody knows whether it was. */
static int call_begin (optest_t *test)
{
    mirror_call_in_t in = {.about = person, .phone = phone};
    return optest_ask (test, "call", NULL, &in, NULL, NULL);
}

static int later_begin (optest_t *test)
{
    mirror_call_in_t in = {.about = other, .phone = phone, .due = clock_now_ms () + day_ms};
    return optest_ask (test, "call", NULL, &in, NULL, NULL);
}

static int clock_begin (optest_t *test)
{
    optest_clock (test, -60 * 1000);
    return optest_turn (test);
}

static void test_first_turn (void **state)
{
    (void) state;
    const nth_story_t stories[] = {{.name = "a call", .begin = call_begin},
                                   {.name = "a call later", .begin = later_begin},
                                   {.name = "a wait", .begin = slow_begin},
                                   {.name = "the clock", .begin = clock_begin}};
    optest_t *test = optest_new (&mirror);
    assert_int_equal (nth_first_turns (test, stories, COUNT (stories)), 0);
    optest_destroy (&test);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_timers),
        cmocka_unit_test (test_parked),
        cmocka_unit_test (test_batches),
        cmocka_unit_test (test_first_turn),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
