/* restored_test.c - sends that a restore held: nothing goes out unasked; let out they go once; declared unknown they end as after a crash. */
#include "messaging_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void send_one (optest_t *test)
{
    messaging_sms_send_out_t out = {0};
    assert_int_equal (world_sms (test, WORLD_PERSON, "Hi", &out, NULL), 0);
}

static common_resume_out_t resume_step (optest_t *test, bool unknown, const char *number)
{
    common_resume_in_t in = {.mark_unknown = unknown, .number = number};
    common_resume_out_t out = {0};
    assert_int_equal (optest_ask (test, "resume", NULL, &in, &out, NULL), 0);
    assert_false (out.more);
    assert_int_equal (out.failed, 0);
    return out;
}

static uint64_t held (optest_t *test)
{
    common_jobs_out_t out = {0};
    assert_int_equal (
        optest_ask (test, "jobs", NULL, &(common_jobs_in_t){.held = true}, &out, NULL), 0);
    return (uint64_t) out.total;
}

/* Both are held: the one that is on its way, and the one behind it. What is sent after goes its way. */
static void restored_with_two (optest_t *test)
{
    send_one (test);
    send_one (test);
    outward_t *first = optest_job (test);
    assert_non_null (first);
    outward_destroy (&first);
    assert_null (optest_job (test));
    assert_int_equal (optest_restart_restored (test), 0);
    assert_int_equal (optest_advance (test, 3600000), 0);
    assert_null (optest_job (test));
    assert_int_equal (held (test), 2);
    assert_string_equal (world_story (test), "accepted accepted ");
}

static unsigned told (optest_t *test, const char *word)
{
    unsigned count = 0;
    for (const char *at = world_story (test); (at = strstr (at, word)); at++)
        count++;
    return count;
}

static void test_new_sends_go_on (void **state)
{
    optest_t *test = *state;
    restored_with_two (test);
    send_one (test);
    world_run_out (test);
    assert_string_equal (world_story (test), "accepted accepted accepted sent delivered ");
    assert_int_equal (held (test), 2);
    /* a start that is none of a restore changes nothing */
    assert_int_equal (optest_restart (test), 0);
    assert_int_equal (optest_advance (test, 1000), 0);
    assert_null (optest_job (test));
    assert_int_equal (held (test), 2);
}

static void test_released_go_once (void **state)
{
    optest_t *test = *state;
    restored_with_two (test);
    common_resume_out_t out = resume_step (test, false, WORLD_LIVE_SMS);
    assert_true (out.done == 0 && out.passed == 2 && out.left == 2);
    out = resume_step (test, false, WORLD_SMS);
    assert_true (out.done == 2 && out.left == 0);
    world_run_out (test);
    assert_true (told (test, "sent ") == 2 && told (test, "delivered ") == 2);
    assert_int_equal (resume_step (test, false, NULL).done, 0);
}

static void test_unknown_end_unsent (void **state)
{
    optest_t *test = *state;
    restored_with_two (test);
    common_resume_out_t out = resume_step (test, true, NULL);
    assert_true (out.done == 2 && out.left == 0);
    assert_int_equal (optest_advance (test, 1000), 0);
    assert_null (optest_job (test));
    assert_int_equal (optest_advance (test, INT64_C (48) * 3600000), 0);
    assert_null (optest_job (test));
    assert_int_equal (told (test, "sent "), 0);
    assert_int_equal (told (test, "failed "), 2);
}

/* More than a page, and more than a step. */
static void test_many_are_decided_in_steps (void **state)
{
    enum { MANY = 450 };
    optest_t *test = *state;
    common_jobs_in_t page = {.held = true, .limit = 200};
    common_resume_in_t in = {.mark_unknown = true};
    size_t seen = 0, steps = 0, done = 0;
    for (int i = 0; i < MANY; i++)
        send_one (test);
    outward_t *first = optest_job (test);
    outward_destroy (&first);
    assert_int_equal (optest_restart_restored (test), 0);
    id16_t last = id_nil ();
    do {
        common_jobs_out_t out = {0};
        assert_int_equal (optest_ask (test, "jobs", NULL, &page, &out, NULL), 0);
        assert_int_equal (out.total, MANY);
        const common_kept_job_t *rows = out.jobs.items;
        for (size_t i = 0; i < out.jobs.count; i++, seen++) {
            assert_true (id_compare (rows[i].id, last) > 0);
            last = rows[i].id;
        }
        page.after = out.after;
    } while (page.after.size);
    assert_int_equal (seen, MANY);
    common_resume_out_t out = {.more = true};
    for (; out.more; steps++) {
        assert_int_equal (optest_ask (test, "resume", NULL, &in, &out, NULL), 0);
        assert_true (out.done <= 100 && out.failed == 0);
        done += (size_t) out.done;
        in.after = out.after;
    }
    assert_true (done == MANY && steps == 5 && out.left == 0);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_new_sends_go_on, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown (test_released_go_once, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown (test_many_are_decided_in_steps, world_setup,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_unknown_end_unsent, world_setup, world_teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
