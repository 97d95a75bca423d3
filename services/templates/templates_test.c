/* templates_test.c - the reading of accounts on a temporary store: pages, changes, what is gone, failures, who waits. */
#include "gen/messaging.h"
#include "templates_world.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define HELLO \
    "{\"id\":\"1\",\"name\":\"hello\",\"language\":\"en\",\"status\":\"APPROVED\",\"category\":\"UTILITY\",\"components\":[{\"type\":\"BODY\",\"text\":\"Hi {{1}}\"}]}"
#define PAUSED \
    "{\"id\":\"1\",\"name\":\"hello\",\"language\":\"en\",\"status\":\"PAUSED\",\"category\":\"UTILITY\",\"components\":[{\"type\":\"BODY\",\"text\":\"Hi {{1}}\"}]}"
#define ORDER \
    "{\"id\":\"2\",\"name\":\"order\",\"language\":\"en\",\"status\":\"APPROVED\",\"components\":[]}"

static int setup (void **state)
{
    *state = optest_new (&templates_tables);
    assert_non_null (*state);
    assert_int_equal (world_carrier_tell (*state, 1, "waba1", false), 0);
    return 0;
}

static int teardown (void **state)
{
    optest_t *test = *state;
    optest_destroy (&test);
    return 0;
}

/* Answer the next page; `after` NULL = the last one. */
static void page (optest_t *test, const char *items, const char *after)
{
    outward_t *outward = optest_job (test);
    assert_non_null (outward);
    const char *paging =
        after ? arena_printf (optest_arena (test),
                              ",\"paging\":{\"cursors\":{\"after\":\"%s\"},\"next\":\"https://x\"}",
                              after)
              : "";
    assert_int_equal (optest_job_answered (
                          test, outward, 200,
                          arena_printf (optest_arena (test), "{\"data\":[%s]%s}", items, paging)),
                      0);
}

/* What the journal told since *sequence, as words. */
static const char *story (optest_t *test, uint64_t *sequence)
{
    const common_event_t *events;
    size_t count = optest_events (test, *sequence, &events);
    buf_t out = buf_in (optest_arena (test));
    for (size_t i = 0; i < count; i++) {
        templates_template_changed_t changed;
        templates_account_synced_t synced;
        *sequence = (uint64_t) events[i].sequence;
        if (optest_event_body (test, &events[i], &templates_template_changed_event, &changed) == 0)
            buf_printf (&out, "%s:%s/%d v%d ", changed.name,
                        schema_enum_word (&templates_status_enum, changed.status),
                        (int) changed.slots.count, (int) events[i].version);
        else if (optest_event_body (test, &events[i], &templates_account_synced_event, &synced) ==
                 0)
            buf_printf (&out, "%s ", synced.at ? "synced" : "forgotten");
    }
    return buf_text (&out);
}

static void test_an_account_is_read_page_by_page (void **state)
{
    optest_t *test = *state;
    uint64_t at = 0;
    outward_t *first = optest_job (test);
    assert_non_null (first);
    assert_int_equal (first->out.how, OUT_HTTP);
    assert_non_null (
        strstr (first->out.request.url, "https://carrier.example/v23.0/waba1/message_templates?"));
    assert_string_equal (first->out.request.headers[0], "Authorization: Bearer token");
    assert_int_equal (optest_job_answered (
                          test, first, 200,
                          "{\"data\":[" HELLO
                          "],\"paging\":{\"cursors\":{\"after\":\"c1\"},\"next\":\"https://x\"}}"),
                      0);
    outward_t *second = optest_job (test);
    assert_non_null (second);
    assert_non_null (strstr (second->out.request.url, "after=c1"));
    assert_int_equal (
        optest_job_answered (test, second, 200, "{\"data\":[" ORDER ",5,{\"id\":\"3\"}]}"), 0);
    assert_null (optest_job (test));
    assert_string_equal (story (test, &at), "hello:approved/1 v1 order:approved/0 v1 synced ");
}

static envelope_t operator(void)
{
    return (envelope_t){.principal = PRINCIPAL_CLI};
}

static int sync_ask (optest_t *test, optest_put_t **put)
{
    templates_sync_in_t in = {.account = world_account};
    templates_sync_result_t out = {0};
    envelope_t header = operator();
    int code = optest_ask (test, "sync", &header, &in, &out, NULL);
    *put = optest_last (test);
    return code;
}

static void test_changes_and_what_is_gone (void **state)
{
    optest_t *test = *state;
    uint64_t at = 0;
    optest_put_t *put = NULL;
    templates_sync_result_t out = {0};
    page (test, HELLO "," ORDER, NULL);
    story (test, &at);
    assert_int_equal (sync_ask (test, &put), E_PARKED);
    page (test, PAUSED, NULL);
    assert_string_equal (story (test, &at), "hello:paused/1 v2 order:deleted/0 v2 ");
    assert_int_equal (optest_take (test, put, &out, NULL), 0);
    assert_int_equal (out.templates, 1);
    assert_int_equal (out.added, 0);
    assert_int_equal (out.changed, 1);
    assert_int_equal (out.deleted, 1);
    /* Nothing new: nothing is told. What comes back is told again. */
    assert_int_equal (sync_ask (test, &put), E_PARKED);
    page (test, PAUSED, NULL);
    assert_string_equal (story (test, &at), "");
    assert_int_equal (sync_ask (test, &put), E_PARKED);
    page (test, PAUSED "," ORDER, NULL);
    assert_string_equal (story (test, &at), "order:approved/0 v3 ");
    assert_int_equal (optest_take (test, put, &out, NULL), 0);
    assert_int_equal (out.added, 1);
}

static void test_a_name_listed_twice_is_the_approved_one (void **state)
{
    optest_t *test = *state;
    uint64_t at = 0;
    page (
        test,
        HELLO
        ",{\"id\":\"9\",\"name\":\"hello\",\"language\":\"en\",\"status\":\"PENDING_DELETION\",\"components\":[]}",
        NULL);
    assert_string_equal (story (test, &at), "hello:approved/1 v1 synced ");
}

static int news_tell (optest_t *test)
{
    messaging_template_news_t news = {
        .account = world_account, .org = world_org, .template_id = "1"};
    event_about_t about = {.record = world_account, .version = 1, .org = world_org};
    return optest_follow (test, &messaging_template_news_event, &about, &news, NULL);
}

static void test_news_read_the_account_once_more (void **state)
{
    optest_t *test = *state;
    uint64_t at = 0;
    outward_t *first = optest_job (test);
    assert_non_null (first);
    /* Two while a reading is under way are one more reading. */
    assert_int_equal (news_tell (test), 0);
    assert_int_equal (news_tell (test), 0);
    assert_null (optest_job (test));
    assert_int_equal (optest_job_answered (test, first, 200, "{\"data\":[" HELLO "]}"), 0);
    page (test, PAUSED, NULL);
    assert_null (optest_job (test));
    assert_string_equal (story (test, &at), "hello:approved/1 v1 hello:paused/1 v2 synced ");
    assert_int_equal (optest_advance (test, 1000), 0);
    assert_int_equal (news_tell (test), 0);
    page (test, HELLO, NULL);
    assert_string_equal (story (test, &at), "hello:approved/1 v3 ");
}

static void test_who_asks_meanwhile_waits_for_the_next_reading (void **state)
{
    optest_t *test = *state;
    optest_put_t *put = NULL;
    templates_sync_result_t out = {0};
    outward_t *first = optest_job (test);
    assert_int_equal (sync_ask (test, &put), E_PARKED);
    assert_int_equal (optest_job_answered (test, first, 200, "{\"data\":[" HELLO "]}"), 0);
    assert_int_equal (optest_take (test, put, &out, NULL), E_PARKED);
    page (test, HELLO "," ORDER, NULL);
    assert_int_equal (optest_take (test, put, &out, NULL), 0);
    assert_int_equal (out.templates, 2);
    assert_int_equal (out.added, 1);
}

static const templates_account_info_t *account_show (optest_t *test)
{
    templates_accounts_in_t in = {0};
    templates_accounts_out_t out = {0};
    envelope_t header = operator();
    assert_int_equal (optest_ask (test, "accounts", &header, &in, &out, NULL), 0);
    return out.accounts.count ? out.accounts.items : NULL;
}

static void test_a_page_is_asked_for_again (void **state)
{
    optest_t *test = *state;
    optest_put_t *put = NULL;
    uint64_t at = 0;
    templates_sync_result_t out = {0};
    failure_t failure = {0};
    static const int64_t waits[] = {1000, 5000, 15000};
    page (test, HELLO, NULL);
    story (test, &at);
    assert_int_equal (sync_ask (test, &put), E_PARKED);
    for (size_t i = 0; i < 3; i++) {
        outward_t *outward = optest_job (test);
        assert_non_null (outward);
        assert_int_equal (optest_job_answered (test, outward, 503, "no"), 0);
        assert_null (optest_job (test));
        assert_int_equal (optest_advance (test, waits[i]), 0);
    }
    outcome_t lost = {.stage = FETCH_NOT_SENT, .code = E_UNAVAILABLE};
    assert_int_equal (optest_job_done (test, optest_job (test), &lost), 0);
    assert_int_equal (optest_take (test, put, &out, &failure), E_META_API_UNAVAILABLE);
    assert_string_equal (story (test, &at), ""); /* nothing is deleted */
    assert_non_null (account_show (test)->error);
    assert_true (account_show (test)->failed_at);
    /* Tried anew after a while. */
    assert_int_equal (optest_advance (test, 5 * 60 * 1000 + 5000), 0);
    page (test, HELLO, NULL);
    assert_null (account_show (test)->error);
}

static void test_a_refusal_is_not_asked_again (void **state)
{
    optest_t *test = *state;
    optest_put_t *put = NULL;
    templates_sync_result_t out = {0};
    failure_t failure = {0};
    page (test, HELLO, NULL);
    assert_int_equal (sync_ask (test, &put), E_PARKED);
    assert_int_equal (
        optest_job_answered (
            test, optest_job (test), 401,
            "{\"error\":{\"message\":\"Token expired\",\"type\":\"OAuthException\",\"code\":190,\"fbtrace_id\":\"x\"}}"),
        0);
    assert_int_not_equal (optest_take (test, put, &out, &failure), 0);
    assert_non_null (strstr (failure.text, "Token expired"));
    assert_null (optest_job (test));
}

/* The account may not be set up at Meta yet when we hear of it. */
static void test_a_first_reading_that_is_refused_is_tried_again (void **state)
{
    optest_t *test = *state;
    uint64_t at = 0;
    assert_int_equal (
        optest_job_answered (test, optest_job (test), 400,
                             "{\"error\":{\"message\":\"Unsupported get request\",\"code\":100}}"),
        0);
    assert_null (optest_job (test));
    assert_int_equal (optest_advance (test, 1000), 0);
    page (test, HELLO, NULL);
    assert_string_equal (story (test, &at), "hello:approved/1 v1 synced ");
}

static void test_pages_that_do_not_end (void **state)
{
    optest_t *test = *state;
    page (test, HELLO, "same");
    page (test, HELLO, "same");
    assert_null (optest_job (test));
    assert_non_null (strstr (account_show (test)->error, "do not end"));
}

static void test_every_hour (void **state)
{
    optest_t *test = *state;
    page (test, HELLO, NULL);
    assert_int_equal (optest_advance (test, 59 * 60 * 1000), 0);
    assert_null (optest_job (test));
    assert_int_equal (optest_advance (test, 2 * 60 * 1000), 0);
    page (test, HELLO, NULL);
    assert_null (optest_job (test));
}

static void test_another_account_at_meta (void **state)
{
    optest_t *test = *state;
    uint64_t at = 0;
    page (test, HELLO, NULL);
    story (test, &at);
    assert_int_equal (world_carrier_tell (test, 2, "waba2", false), 0);
    page (test, ORDER, NULL);
    assert_string_equal (story (test, &at),
                         "forgotten order:approved/0 v1 hello:deleted/1 v2 synced ");
    assert_int_equal (world_carrier_tell (test, 2, "waba3", false), 0); /* told again */
    assert_null (optest_job (test));
}

static void test_a_deleted_account (void **state)
{
    optest_t *test = *state;
    uint64_t at = 0;
    optest_put_t *put = NULL;
    page (test, HELLO, NULL);
    story (test, &at);
    assert_int_equal (world_carrier_tell (test, 2, "waba1", true), 0);
    assert_int_equal (optest_advance (test, 10), 0);
    assert_null (optest_job (test));
    assert_string_equal (story (test, &at), "forgotten hello:deleted/1 v2 ");
    assert_int_equal (sync_ask (test, &put), E_NOT_FOUND);
    assert_null (account_show (test));
    assert_int_equal (optest_advance (test, 3 * 3600 * 1000), 0);
    assert_null (optest_job (test));
}

/* Deleted while a page is on its way: the reading ends and its templates go. */
static void test_deleted_while_it_is_read (void **state)
{
    optest_t *test = *state;
    optest_put_t *put = NULL;
    templates_sync_result_t out = {0};
    page (test, HELLO, NULL);
    assert_int_equal (sync_ask (test, &put), E_PARKED);
    outward_t *outward = optest_job (test);
    assert_int_equal (world_carrier_tell (test, 2, "waba1", true), 0);
    assert_int_equal (optest_job_answered (test, outward, 200, "{\"data\":[" HELLO "]}"), 0);
    assert_int_equal (optest_take (test, put, &out, NULL), E_NOT_FOUND);
    templates_list_in_t in = {.deleted = true};
    templates_list_out_t list = {0};
    envelope_t header = operator();
    assert_int_equal (optest_ask (test, "list", &header, &in, &list, NULL), 0);
    assert_int_equal (list.templates.count, 1);
    assert_int_equal (((templates_template_info_t *) list.templates.items)[0].status,
                      TEMPLATES_STATUS_DELETED);
}

static void test_a_reading_survives_its_process (void **state)
{
    optest_t *test = *state;
    uint64_t at = 0;
    page (test, HELLO, "c1"); /* the next one is asked for */
    assert_int_equal (optest_restart (test), 0);
    assert_int_equal (optest_advance (test, 10), 0);
    outward_t *again = optest_job (test);
    assert_non_null (again);
    assert_non_null (strstr (again->out.request.url, "after=c1"));
    assert_int_equal (optest_job_answered (test, again, 200, "{\"data\":[" ORDER "]}"), 0);
    assert_string_equal (story (test, &at), "hello:approved/1 v1 order:approved/0 v1 synced ");
}

static void test_lists_and_shows (void **state)
{
    optest_t *test = *state;
    page (test, HELLO "," ORDER, NULL);
    envelope_t header = operator();
    templates_list_in_t in = {.account = world_account, .limit = 1};
    templates_list_out_t out = {0};
    assert_int_equal (optest_ask (test, "list", &header, &in, &out, NULL), 0);
    assert_int_equal (out.templates.count, 1);
    assert_true (out.more);
    in = (templates_list_in_t){.after = out.last};
    header = operator();
    assert_int_equal (optest_ask (test, "list", &header, &in, &out, NULL), 0);
    assert_int_equal (out.templates.count, 1);
    assert_false (out.more);
    const templates_template_info_t *order = out.templates.items;
    assert_string_equal (order->name, "order");
    templates_show_in_t which = {.id = order->id};
    templates_template_info_t shown = {0};
    header = operator();
    assert_int_equal (optest_ask (test, "show", &header, &which, &shown, NULL), 0);
    assert_int_equal (shown.components.size, 1); /* [] */
    which.id = world_account;
    header = operator();
    assert_int_equal (optest_ask (test, "show", &header, &which, &shown, NULL), E_NOT_FOUND);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, setup, teardown)

int main (void)
{
    const struct CMUnitTest tests[] = {
        TEST (test_an_account_is_read_page_by_page),
        TEST (test_changes_and_what_is_gone),
        TEST (test_a_name_listed_twice_is_the_approved_one),
        TEST (test_news_read_the_account_once_more),
        TEST (test_who_asks_meanwhile_waits_for_the_next_reading),
        TEST (test_a_page_is_asked_for_again),
        TEST (test_a_refusal_is_not_asked_again),
        TEST (test_a_first_reading_that_is_refused_is_tried_again),
        TEST (test_pages_that_do_not_end),
        TEST (test_every_hour),
        TEST (test_another_account_at_meta),
        TEST (test_a_deleted_account),
        TEST (test_deleted_while_it_is_read),
        TEST (test_a_reading_survives_its_process),
        TEST (test_lists_and_shows),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
