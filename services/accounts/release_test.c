/* release_test.c - giving numbers up against a scripted carrier: nothing goes here before it went there; and what explain tells of purchases and releases. */
#include "accounts_world.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#define NUMBER "+13125550101"
#define ORDER  "12ade33a-21c0-473b-b055-b3c836e1c292"
#define THERE                                              \
    "{\"data\":[{\"id\":\"77\",\"phone_number\":\"" NUMBER \
    "\",\"status\":\"active\"}],\"meta\":{\"total_results\":1}}"
#define NOWHERE "{\"data\":[],\"meta\":{\"total_results\":0}}"
#define DELETED "{\"data\":{\"id\":\"77\",\"phone_number\":\"" NUMBER "\",\"status\":\"deleted\"}}"
#define MISSING "{\"errors\":[{\"code\":\"10005\",\"title\":\"Not found\"}]}"

static id16_t bought (const world_t *w, id16_t *purchase)
{
    accounts_number_buy_in_t in = {
        .app = w->ours.app_id, .number = NUMBER, .kind = ACCOUNTS_NUMBER_KIND_LOCAL};
    accounts_number_buy_out_t out = {0};
    optest_put_t *ask = world_put (w, "number_buy", &in);
    world_answer (w, "POST", "/number_orders", 200,
                  "{\"data\":{\"id\":\"" ORDER "\",\"status\":\"pending\"}}", 1000);
    world_answer (w, "GET", "/number_orders", 200,
                  "{\"data\":[{\"id\":\"" ORDER "\",\"status\":\"pending\"}]}", 1000);
    world_answer (w, "GET", "/number_orders", 200,
                  "{\"data\":[{\"id\":\"" ORDER "\",\"status\":\"success\"}]}", 0);
    assert_int_equal (optest_take (w->test, ask, &out, NULL), 0);
    if (purchase)
        *purchase = out.purchase;
    return out.number_id;
}

static optest_put_t *release (const world_t *w, id16_t number)
{
    accounts_number_release_in_t in = {.number_id = number};
    return world_put (w, "number_release", &in);
}

static int taken (const world_t *w, optest_put_t *ask, accounts_number_release_out_t *out)
{
    *out = (accounts_number_release_out_t){0};
    return optest_take (w->test, ask, out, NULL);
}

static size_t numbers (const world_t *w)
{
    accounts_number_page_in_t in = {.channel = ACCOUNTS_CHANNEL_SMS};
    accounts_number_page_out_t out = {0};
    assert_int_equal (world_ask (w, "number_page", &in, &out, NULL), 0);
    return out.numbers.count;
}

static size_t events_of_assignments (const world_t *w)
{
    return world_events (w, &accounts_assignment_changed_event);
}

static void test_a_number_goes_when_the_carrier_says_so (void **state)
{
    static const struct {
        int status;
        const char *body;
    } rows[] = {{200, DELETED}, {404, MISSING}};
    const world_t *w = *state;
    for (size_t i = 0; i < 2; i++) {
        accounts_number_release_out_t out;
        id16_t number = bought (w, NULL);
        optest_put_t *ask = release (w, number);
        world_answer (w, "GET", "/v2/phone_numbers?", 200, THERE, 0);
        assert_int_equal (numbers (w), 1);
        size_t events = events_of_assignments (w);
        world_answer (w, "DELETE", "/v2/phone_numbers/77", rows[i].status, rows[i].body, 0);
        assert_int_equal (taken (w, ask, &out), 0);
        assert_true (out.success && !out.test && id_equal (out.number_id, number));
        assert_int_equal (out.affected.count, 1);
        assert_int_equal (events_of_assignments (w), events + 1);
        assert_int_equal (numbers (w), 0);
        assert_null (optest_job (w->test));
    }
}

static void test_what_the_account_does_not_have_goes (void **state)
{
    const world_t *w = *state;
    accounts_number_release_out_t out;
    optest_put_t *ask = release (w, bought (w, NULL));
    world_answer (w, "GET", "/v2/phone_numbers?", 200, NOWHERE, 0);
    assert_int_equal (taken (w, ask, &out), 0);
    assert_int_equal (numbers (w), 0);
}

static void test_a_refusal_changes_nothing (void **state)
{
    static const struct {
        const char *method;
        int status;
        const char *body;
        int want;
    } rows[] = {
        {"GET", 401, "{}", E_TELNYX_API_ERROR},
        {"GET", 503, "", E_TELNYX_API_UNAVAILABLE},
        {"GET", 404, MISSING, E_TELNYX_API_ERROR},
        {"GET", 200, "<html>", E_TELNYX_API_UNAVAILABLE},
        {"DELETE", 403, "{\"errors\":[{\"code\":\"10010\",\"title\":\"no\"}]}", E_TELNYX_API_ERROR},
        {"DELETE", 422, "{}", E_TELNYX_API_ERROR},
        {"DELETE", 429, "", E_TELNYX_API_UNAVAILABLE},
    };
    const world_t *w = *state;
    id16_t number = bought (w, NULL);
    size_t events = events_of_assignments (w);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        accounts_number_release_out_t out;
        optest_put_t *ask = release (w, number);
        if (strcmp (rows[i].method, "DELETE") == 0)
            world_answer (w, "GET", "/v2/phone_numbers?", 200, THERE, 0);
        world_answer (w, rows[i].method, "/v2/phone_numbers", rows[i].status, rows[i].body, 0);
        assert_int_equal (taken (w, ask, &out), rows[i].want);
        assert_null (optest_job (w->test));
        assert_int_equal (numbers (w), 1);
        assert_int_equal (events_of_assignments (w), events);
    }
}

/* The release's answer got lost: it is not sent again, and the account's list decides. */
static void test_a_lost_answer_is_looked_up (void **state)
{
    const world_t *w = *state;
    accounts_number_release_out_t out;
    id16_t number = bought (w, NULL);
    optest_put_t *ask = release (w, number);
    world_answer (w, "GET", "/phone_numbers?", 200, THERE, 0);
    world_answer (w, "DELETE", "/phone_numbers/77", 502, "<html>", 1000);
    for (int i = 0; i < 3; i++)
        world_answer (w, "GET", "/phone_numbers?", 200, THERE, 1000);
    assert_int_equal (taken (w, ask, &out), E_TELNYX_API_ERROR); /* it is still there */
    assert_null (optest_job (w->test));
    assert_int_equal (numbers (w), 1);
    ask = release (w, number);
    world_answer (w, "GET", "/phone_numbers?", 200, THERE, 0);
    world_answer (w, "DELETE", "/phone_numbers/77", 500, "", 1000);
    world_answer (w, "GET", "/phone_numbers?", 503, "", 1000);
    world_answer (w, "GET", "/phone_numbers?", 200, NOWHERE, 0);
    assert_int_equal (taken (w, ask, &out), 0);
    assert_int_equal (numbers (w), 0);
}

static void test_a_silent_carrier_is_asked_for_longer_than_the_caller_waits (void **state)
{
    const world_t *w = *state;
    accounts_number_release_out_t out;
    optest_put_t *ask = release (w, bought (w, NULL));
    world_answer (w, "GET", "/phone_numbers?", 200, THERE, 0);
    world_answer (w, "DELETE", "/phone_numbers/77", 504, "", 1000);
    for (int i = 0; i < 13; i++)
        world_answer (w, "GET", "/phone_numbers?", 503, "", 1000);
    assert_int_equal (taken (w, ask, &out), E_TELNYX_API_UNAVAILABLE);
    assert_int_equal (numbers (w), 1);
    world_answer (w, "GET", "/phone_numbers?", 200, NOWHERE, 0);
    assert_int_equal (numbers (w), 0);
    assert_null (optest_job (w->test));
}

static void test_a_release_outlives_the_process (void **state)
{
    world_t *w = *state;
    id16_t number = bought (w, NULL);
    release (w, number);
    world_answer (w, "GET", "/phone_numbers?", 200, THERE, 0);
    outward_t *lost = world_outward (w, "DELETE", "/phone_numbers/77");
    outward_destroy (&lost);
    assert_int_equal (optest_restart (w->test), 0);
    assert_int_equal (optest_advance (w->test, 1000), 0);
    assert_int_equal (optest_turn (w->test), 0);
    assert_int_equal (numbers (w), 1);
    world_answer (w, "GET", "/phone_numbers?", 200, NOWHERE, 0);
    assert_int_equal (numbers (w), 0);
    assert_null (optest_job (w->test));
}

static void test_two_at_once_ask_the_carrier_once (void **state)
{
    const world_t *w = *state;
    accounts_number_release_out_t out;
    id16_t number = bought (w, NULL);
    optest_put_t *first = release (w, number), *second = release (w, number);
    world_answer (w, "GET", "/phone_numbers?", 200, THERE, 0);
    world_answer (w, "DELETE", "/phone_numbers/77", 200, DELETED, 0);
    assert_int_equal (taken (w, first, &out), 0);
    assert_int_equal (taken (w, second, &out), E_NOT_FOUND);
    assert_null (optest_job (w->test));
}

static void test_a_number_with_its_id_is_not_looked_for (void **state)
{
    const world_t *w = *state;
    accounts_carrier_list_out_t carriers = {0};
    assert_int_equal (optest_ask (w->test, "carrier_list", NULL, &(accounts_carrier_list_in_t){0},
                                  &carriers, NULL),
                      0);
    accounts_number_add_in_t add = {
        .app = w->ours.app_id,
        .number = NUMBER,
        .channel = ACCOUNTS_CHANNEL_SMS,
        .account = ((const accounts_carrier_info_t *) carriers.accounts.items)->id,
        .ref = "5/5"};
    accounts_app_number_t added = {0};
    accounts_number_release_out_t out;
    assert_int_equal (optest_ask (w->test, "number_add", NULL, &add, &added, NULL), 0);
    optest_put_t *ask = release (w, added.number_id);
    world_answer (w, "DELETE", "/v2/phone_numbers/5%2F5", 200, DELETED, 0);
    assert_int_equal (taken (w, ask, &out), 0);
    assert_int_equal (numbers (w), 0);
}

/* ---- explain ---- */

typedef struct story {
    buf_t text;
    id16_t id;
} story_t;

static void line_add (void *context, int64_t at, const char *what, const char *detail)
{
    story_t *story = context;
    assert_true (at > 0);
    buf_printf (&story->text, "[%s] %s\n", what, detail);
}

static int story_run (turn_t *t, void *context)
{
    const story_t *story = context;
    svc_explain_t out = {.context = context, .line = line_add};
    return accounts_explain (t, story->id, &out);
}

static const char *story_of (const world_t *w, id16_t id)
{
    story_t *story = arena_new_of (optest_arena (w->test), story_t);
    *story = (story_t){.text = buf_in (optest_arena (w->test)), .id = id};
    assert_int_equal (optest_run (w->test, story_run, story), 0);
    return buf_text (&story->text);
}

/* Each of these, in this order. */
static void check_story (const char *story, const char *const *parts)
{
    const char *at = story;
    for (; *parts; parts++) {
        at = strstr (at, *parts);
        if (!at)
            fail_msg ("no '%s' in\n%s", *parts, story);
    }
}

static void test_purchases_and_releases_tell_their_story (void **state)
{
    static const char *const purchase_story[] = {
        "[purchase accepted] +13125550101, local",
        "[job] number_order ",
        "[carrier answered] order: HTTP 200, the order is pending",
        "[carrier answered] look for the order: HTTP 200, the order is pending",
        "[carrier answered] look for the order: HTTP 200, the order is done",
        "[bought] +13125550101, number ",
        "order 12ade33a-21c0-473b-b055-b3c836e1c292",
        NULL};
    static const char *const number_story[] = {
        "[number] +13125550101, sms, telnyx carrier, carrier account ",
        "1 apps",
        "[purchase accepted]",
        "[bought]",
        "[release accepted]",
        "[job] number_release",
        "HTTP 403, 10010 no",
        "[release failed]",
        NULL};
    static const char *const gone_story[] = {"[bought]",
                                             "[release failed]",
                                             "[release accepted]",
                                             "release: HTTP 200, the number is given up",
                                             "[released] +13125550101",
                                             NULL};
    const world_t *w = *state;
    id16_t purchase, order, number = bought (w, &purchase);
    accounts_number_release_out_t out;
    assert_true (id_read_any_uuid (ORDER, strlen (ORDER), &order));
    check_story (story_of (w, purchase), purchase_story);
    check_story (story_of (w, order), purchase_story);
    optest_put_t *ask = release (w, number);
    world_answer (w, "GET", "/phone_numbers?", 200, THERE, 0);
    world_answer (w, "DELETE", "/phone_numbers/77", 403,
                  "{\"errors\":[{\"code\":\"10010\",\"title\":\"no\"}]}", 0);
    assert_int_equal (taken (w, ask, &out), E_TELNYX_API_ERROR);
    check_story (story_of (w, number), number_story);
    ask = release (w, number);
    world_answer (w, "GET", "/phone_numbers?", 200, THERE, 0);
    world_answer (w, "DELETE", "/phone_numbers/77", 200, DELETED, 0);
    assert_int_equal (taken (w, ask, &out), 0);
    check_story (story_of (w, number), gone_story);
    assert_string_equal (story_of (w, (id16_t){{9}}), "");
    assert_string_equal (story_of (w, id_nil ()), "");
}

static void test_a_long_wait_is_one_line (void **state)
{
    static const char *const story[] = {"[carrier answered] order: no answer",
                                        "look for the order: HTTP 503, ", ", 30 times in ",
                                        "[waiting] +13125550101 is on order", NULL};
    const world_t *w = *state;
    accounts_number_buy_in_t in = {
        .app = w->ours.app_id, .number = NUMBER, .kind = ACCOUNTS_NUMBER_KIND_LOCAL};
    world_put (w, "number_buy", &in);
    outcome_t lost = {.stage = FETCH_SENT, .code = E_UNAVAILABLE, .reason = "closed"};
    assert_int_equal (optest_job_done (w->test, world_outward (w, "POST", "/number_orders"), &lost),
                      0);
    assert_int_equal (optest_advance (w->test, 1000), 0);
    assert_int_equal (optest_turn (w->test), 0);
    for (int i = 0; i < 30; i++)
        world_answer (w, "GET", "/number_orders", 503, "", 31000);
    outward_t *job = world_outward (w, "GET", "customer_reference");
    id16_t purchase;
    const char *reference = strstr (job->out.request.url, "customer_reference]=");
    assert_true (id_read_uuid (strchr (reference, '=') + 1, ID_UUID_LENGTH, &purchase));
    check_story (story_of (w, purchase), story);
    outward_destroy (&job);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
#define MARKET(f) cmocka_unit_test_setup_teardown (f, world_setup_market, world_teardown)
        MARKET (test_a_number_goes_when_the_carrier_says_so),
        MARKET (test_what_the_account_does_not_have_goes),
        MARKET (test_a_refusal_changes_nothing),
        MARKET (test_a_lost_answer_is_looked_up),
        MARKET (test_a_silent_carrier_is_asked_for_longer_than_the_caller_waits),
        MARKET (test_a_release_outlives_the_process),
        MARKET (test_two_at_once_ask_the_carrier_once),
        MARKET (test_a_number_with_its_id_is_not_looked_for),
        MARKET (test_purchases_and_releases_tell_their_story),
        MARKET (test_a_long_wait_is_one_line),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
