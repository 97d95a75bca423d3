/* nth_test.c - templates with every fault in every place: each op, each event it follows, the reading of an account. */
#include "gen/messaging.h"
#include "svc/optest_nth.h"
#include "templates_world.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#define COUNT(list) (sizeof (list) / sizeof *(list))
#define REF         "106540352242922"
#define FIRST                                                                                  \
    "{\"data\":[{\"id\":\"1\",\"name\":\"hello\",\"language\":\"en\",\"status\":\"APPROVED\"," \
    "\"category\":\"UTILITY\",\"components\":[{\"type\":\"BODY\",\"text\":\"Hi {{1}}\"}]}]"
#define PAGED FIRST ",\"paging\":{\"cursors\":{\"after\":\"c1\"},\"next\":\"https://x\"}}"
#define LAST                                                                                   \
    "{\"data\":[{\"id\":\"2\",\"name\":\"order\",\"language\":\"en\",\"status\":\"APPROVED\"," \
    "\"components\":[]}]}"

static const id16_t number = {{3}};

static accounts_number_changed_t number_body (const char *name)
{
    return (accounts_number_changed_t){.id = number,
                                       .org = world_org,
                                       .number = "+15550002222",
                                       .channel = ACCOUNTS_CHANNEL_WHATSAPP,
                                       .carrier = ACCOUNTS_CARRIER_META,
                                       .account = world_account,
                                       .ref = REF,
                                       .waba = "waba1",
                                       .name = name,
                                       .status = ACCOUNTS_NUMBER_STATUS_CONNECTED};
}

static int setup (void **state)
{
    optest_t *test = optest_new (&templates_tables);
    assert_non_null (test);
    accounts_number_changed_t told = number_body ("Shop");
    event_about_t about = {.record = number, .version = 1, .org = world_org};
    assert_int_equal (world_carrier_tell (test, 1, "waba1", false), 0);
    assert_int_equal (optest_follow (test, &accounts_number_changed_event, &about, &told, NULL), 0);
    assert_int_equal (optest_job_answered (test, optest_job (test), 200, FIRST "}"), 0);
    *state = test;
    return 0;
}

static int teardown (void **state)
{
    optest_t *test = *state;
    optest_destroy (&test);
    return 0;
}

static id16_t first_template (optest_t *test)
{
    templates_list_in_t in = {.account = world_account};
    templates_list_out_t out = {0};
    envelope_t header = {.principal = PRINCIPAL_CLI};
    assert_int_equal (optest_ask (test, "list", &header, &in, &out, NULL), 0);
    assert_int_equal (out.templates.count, 1);
    return ((const templates_template_info_t *) out.templates.items)->id;
}

static void test_ops (void **state)
{
    optest_t *test = *state;
    const envelope_t cli = {.principal = PRINCIPAL_CLI},
                     by_org = {.org = world_org, .principal = PRINCIPAL_ORG_KEY};
    const nth_ask_t asks[] = {
        {"sync", cli, &(templates_sync_in_t){.account = world_account}},
        {"list", cli, &(templates_list_in_t){.account = world_account, .limit = 10}},
        {"show", cli, &(templates_show_in_t){.id = first_template (test)}},
        {"accounts", cli, &(templates_accounts_in_t){0}},
        {"number_page", by_org, &(templates_number_page_in_t){.number_ref = REF, .limit = 10}},
        {"number_template", by_org,
         &(templates_number_template_in_t){.number_ref = REF, .name = "hello"}},
    };
    nth_seen_t seen = {0};
    assert_int_equal (nth_asks (test, asks, COUNT (asks), &seen), 0);
    assert_int_equal (nth_unseen (test, &seen), 0);
}

static void test_follows (void **state)
{
    optest_t *test = *state;
    accounts_carrier_changed_t other = world_carrier (test, "waba2", false),
                               gone = world_carrier (test, "waba1", true);
    accounts_number_changed_t told = number_body ("Other name");
    const event_about_t of_account = {.record = world_account, .version = 9, .org = world_org},
                        of_number = {.record = number, .version = 9, .org = world_org};
    const nth_event_t events[] = {
        {&accounts_carrier_changed_event, of_account, &other},
        {&accounts_carrier_changed_event, of_account, &gone},
        {&accounts_number_changed_event, of_number, &told},
        {&messaging_template_news_event, of_account,
         &(messaging_template_news_t){
             .account = world_account, .org = world_org, .template_id = "1"}},
    };
    assert_int_equal (nth_follows (test, events, COUNT (events)), 0);
    assert_int_equal (nth_batches (test, events, COUNT (events), NULL), 0);
}

static int reading_begin (optest_t *test)
{
    templates_sync_in_t in = {.account = world_account};
    envelope_t header = {.principal = PRINCIPAL_CLI};
    int code = optest_ask (test, "sync", &header, &in, NULL, NULL);
    return code == E_PARKED ? 0 : code;
}

static void meta_says (const outward_t *job, outcome_t *out)
{
    out->body = bytes_of_str (strstr (job->out.request.url, "after=c1") ? LAST : PAGED);
}

static void test_jobs (void **state)
{
    static const job_kind_t *const sync[] = {&templates_sync_kind, NULL};
    const nth_story_t stories[] = {{"a reading", sync, reading_begin, meta_says, true}};
    assert_int_equal (nth_stories (*state, stories, COUNT (stories)), 0);
    assert_int_equal (nth_first_turns (*state, stories, COUNT (stories)), 0);
}

static void test_timers (void **state)
{
    static const char *const resync[] = {"resync", NULL};
    const nth_timer_t sample = {
        .name = "an hour goes by", .timers = resync, .wait_ms = 3600 * 1000};
    assert_int_equal (nth_timers (*state, &sample, 1), 0);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_ops, setup, teardown),
        cmocka_unit_test_setup_teardown (test_follows, setup, teardown),
        cmocka_unit_test_setup_teardown (test_jobs, setup, teardown),
        cmocka_unit_test_setup_teardown (test_timers, setup, teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
