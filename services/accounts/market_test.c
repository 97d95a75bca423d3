/* market_test.c - searching and buying numbers against a scripted carrier: what is ordered once is never ordered twice. */
#include "accounts_world.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define WANTED "+13125550101"

static accounts_number_buy_in_t wanted (const world_t *f)
{
    return (accounts_number_buy_in_t){
        .app = f->ours.app_id, .number = WANTED, .kind = ACCOUNTS_NUMBER_KIND_LOCAL};
}

static int buy_again (const world_t *f)
{
    accounts_number_buy_in_t in = wanted (f);
    accounts_number_buy_out_t out = {0};
    return world_ask (f, "number_buy", &in, &out, NULL);
}

static size_t numbers (const world_t *f)
{
    accounts_number_page_in_t in = {.channel = ACCOUNTS_CHANNEL_SMS};
    accounts_number_page_out_t out = {0};
    assert_int_equal (world_ask (f, "number_page", &in, &out, NULL), 0);
    return out.numbers.count;
}

static const accounts_org_number_t *number_of (const world_t *f, accounts_number_page_out_t *page)
{
    accounts_number_page_in_t in = {.channel = ACCOUNTS_CHANNEL_SMS};
    assert_int_equal (world_ask (f, "number_page", &in, page, NULL), 0);
    assert_int_equal (page->numbers.count, 1);
    return page->numbers.items;
}

/* A search whose answer is `count` numbers from `first` on, each with voice only. */
static void search_many (const world_t *f, unsigned first, unsigned count)
{
    static char answer[64 * 1024];
    accounts_number_search_in_t in = {.country = "US", .limit = 100};
    accounts_number_search_out_t out = {0};
    size_t size = (size_t) snprintf (answer, sizeof answer, "{\"data\":[");
    for (unsigned i = 0; i < count; i++)
        size += (size_t) snprintf (answer + size, sizeof answer - size,
                                   "%s{\"phone_number\":\"+1312555%04u\",\"region_information\":["
                                   "{\"region_type\":\"state\",\"region_name\":\"IL\"}],"
                                   "\"features\":[{\"name\":\"voice\"}]}",
                                   i ? "," : "", first + i);
    snprintf (answer + size, sizeof answer - size, "]}");
    optest_put_t *ask = world_put (f, "number_search", &in);
    outward_t *job = world_outward (f, "GET", "/v2/available_phone_numbers");
    assert_int_equal (optest_job_answered (f->test, job, 200, answer), 0);
    assert_int_equal (optest_take (f->test, ask, &out, NULL), 0);
    assert_int_equal (out.total, count);
}

static void buy (const world_t *f)
{
    accounts_number_buy_in_t in = wanted (f);
    accounts_number_buy_out_t out = {0};
    optest_put_t *ask = world_put (f, "number_buy", &in);
    outward_t *job = world_outward (f, "POST", "/v2/number_orders");
    assert_int_equal (optest_job_answered (f->test, job, 200,
                                           "{\"data\":{\"id\":\"o1\",\"status\":\"success\"}}"),
                      0);
    assert_int_equal (optest_take (f->test, ask, &out, NULL), 0);
}

/* What the offer said of a number is said of it after it was bought, by all who tell of numbers. */
static void test_bought_number_is_what_was_offered (void **state)
{
    const world_t *f = *state;
    accounts_number_page_out_t page = {0};
    accounts_number_list_in_t list = {.channel = ACCOUNTS_CHANNEL_SMS, .app = f->ours.app_id};
    accounts_number_list_out_t listed = {0};
    search_many (f, 101, 1);
    search_many (f, 1000, 100); /* and others, and itself once more */
    search_many (f, 100, 2);
    buy (f);
    const accounts_org_number_t *number = number_of (f, &page);
    assert_string_equal (number->location, "IL");
    assert_int_equal (number->features.count, 1);
    assert_string_equal (((const char *const *) number->features.items)[0], "Voice");
    assert_int_equal (world_ask (f, "number_list", &list, &listed, NULL), 0);
    const accounts_app_number_t *told = listed.numbers.items;
    assert_string_equal (told->location, "IL");
    assert_int_equal (told->features.count, 1);
    assert_string_equal (((const char *const *) told->features.items)[0], "Voice");
}

/* Nobody searched, or so long ago that it is forgotten: what the channel can. */
static void test_bought_number_that_nobody_offered (void **state)
{
    const world_t *f = *state;
    accounts_number_page_out_t page = {0};
    search_many (f, 101, 1);
    search_many (f, 1000, 100);
    search_many (f, 2000, 100);
    buy (f);
    const accounts_org_number_t *number = number_of (f, &page);
    assert_string_equal (number->location, "");
    assert_int_equal (number->features.count, 2);
    assert_string_equal (((const char *const *) number->features.items)[0], "SMS");
}

static void test_without_a_carrier (void **state)
{
    const world_t *f = *state;
    accounts_number_search_in_t in = {.country = "US", .limit = 5};
    accounts_number_search_out_t out = {0};
    assert_int_equal (world_ask (f, "number_search", &in, &out, NULL), 0);
    assert_int_equal (out.total, 0);
    assert_int_equal (buy_again (f), E_TELNYX_API_UNAVAILABLE);
}

static void test_search_tells_what_is_on_offer (void **state)
{
    static const char answer[] =
        "{\"data\":[{\"phone_number\":\"+13125550101\",\"region_information\":[{\"region_type\":\"rate_center\",\"region_name\":\"CHICAGO\"},"
        "{\"region_type\":\"state\",\"region_name\":\"IL\"}],\"cost_information\":{\"upfront_cost\":\"1.00000\",\"monthly_cost\":\"1.50000\","
        "\"currency\":\"USD\"},\"features\":[{\"name\":\"sms\"},{\"name\":\"voice\"}]},{\"phone_number\":\"none\"},{}]}";
    const world_t *f = *state;
    accounts_number_search_in_t in = {
        .country = "US", .area_code = "312", .locality = "Oak Park", .limit = 5};
    accounts_number_search_out_t out = {0};
    optest_put_t *ask = world_put (f, "number_search", &in);
    outward_t *job = world_outward (
        f, "GET", "/v2/available_phone_numbers?filter[limit]=5&filter[country_code]=US");
    assert_non_null (strstr (job->out.request.url, "filter[locality]=Oak%20Park"));
    assert_int_equal (optest_job_answered (f->test, job, 200, answer), 0);
    assert_int_equal (optest_take (f->test, ask, &out, NULL), 0);
    const accounts_number_offer_t *offer = out.numbers.items;
    assert_int_equal (out.total, 1);
    assert_string_equal (offer->number, WANTED);
    assert_string_equal (offer->location, "CHICAGO, IL");
    assert_string_equal (offer->monthly_fee, "1.50000");
    assert_int_equal (offer->features.count, 2);
    ask = world_put (f, "number_search", &in);
    assert_int_equal (optest_job_answered (f->test, world_outward (f, "GET", "available"), 503, ""),
                      0);
    assert_int_equal (optest_take (f->test, ask, &out, NULL), E_TELNYX_API_UNAVAILABLE);
    in.country = "us";
    assert_int_equal (world_ask (f, "number_search", &in, &out, NULL), E_BAD_REQUEST);
}

static void test_paused_app_buys_nothing (void **state)
{
    const world_t *f = *state;
    accounts_app_pause_in_t pause = {.app = f->ours.app_id, .paused = true};
    accounts_app_info_t told = {0};
    assert_int_equal (optest_ask (f->test, "app_pause", NULL, &pause, &told, NULL), 0);
    assert_int_equal (buy_again (f), E_FORBIDDEN);
    assert_null (optest_job (f->test));
}

static void test_bought_number_is_assigned (void **state)
{
    const world_t *f = *state;
    accounts_number_buy_in_t in = wanted (f);
    accounts_number_buy_out_t out = {0};
    optest_put_t *ask = world_put (f, "number_buy", &in);
    outward_t *job = world_outward (f, "POST", "/v2/number_orders");
    assert_int_equal (buy_again (f), E_ALREADY_EXISTS); /* while it is on order */
    assert_int_equal (optest_job_answered (f->test, job, 200,
                                           "{\"data\":{\"id\":\"o1\",\"status\":\"pending\"}}"),
                      0);
    assert_int_equal (numbers (f), 0);
    assert_int_equal (optest_advance (f->test, 1000), 0);
    assert_int_equal (optest_turn (f->test), 0);
    job = world_outward (f, "GET", "filter[customer_reference]=");
    assert_int_equal (optest_job_answered (f->test, job, 200,
                                           "{\"data\":[{\"id\":\"o1\",\"status\":\"success\"}]}"),
                      0);
    assert_int_equal (optest_take (f->test, ask, &out, NULL), 0);
    assert_true (id_equal (out.app, f->ours.app_id) && id_is_v7 (out.number_id) &&
                 id_is_v7 (out.purchase));
    assert_int_equal (numbers (f), 1);
    assert_int_equal (buy_again (f), E_ALREADY_EXISTS);
    accounts_number_list_in_t list = {.channel = ACCOUNTS_CHANNEL_SMS, .app = f->ours.app_id};
    accounts_number_list_out_t listed = {0};
    assert_int_equal (world_ask (f, "number_list", &list, &listed, NULL), 0);
    assert_int_equal (listed.total, 1);
}

/* Restored while it was on order: nothing is sent until somebody decides, and then it is looked for. */
static void test_restored_order_is_held (void **state)
{
    const world_t *f = *state;
    accounts_number_buy_in_t in = wanted (f);
    common_resume_in_t resume = {.mark_unknown = true, .number = "+19995550000"};
    common_resume_out_t told = {0};
    world_put (f, "number_buy", &in);
    outward_t *job = world_outward (f, "POST", "/v2/number_orders");
    outward_destroy (&job);
    assert_int_equal (optest_restart_restored (f->test), 0);
    assert_int_equal (optest_advance (f->test, 60000), 0);
    assert_null (optest_job (f->test));
    assert_int_equal (optest_ask (f->test, "resume", NULL, &resume, &told, NULL), 0);
    assert_true (told.done == 0 && told.passed == 1 && told.left == 1 && !told.more);
    resume.number = NULL;
    assert_int_equal (optest_ask (f->test, "resume", NULL, &resume, &told, NULL), 0);
    assert_true (told.done == 1 && told.left == 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal (optest_advance (f->test, 1000), 0);
        assert_int_equal (optest_job_answered (f->test,
                                               world_outward (f, "GET", "customer_reference"), 200,
                                               "{\"data\":[]}"),
                          0);
    }
    assert_null (optest_job (f->test));
    assert_int_equal (numbers (f), 0);
}

/* The order's answer got lost: it is looked for, not sent again. */
static void test_lost_answer_is_looked_up (void **state)
{
    const world_t *f = *state;
    accounts_number_buy_in_t in = wanted (f);
    accounts_number_buy_out_t out = {0};
    optest_put_t *ask = world_put (f, "number_buy", &in);
    assert_int_equal (optest_job_answered (f->test, world_outward (f, "POST", "/v2/number_orders"),
                                           502, "<html>"),
                      0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal (optest_advance (f->test, 1000), 0);
        assert_int_equal (optest_turn (f->test), 0);
        assert_int_equal (optest_job_answered (f->test,
                                               world_outward (f, "GET", "customer_reference"), 200,
                                               "{\"data\":[]}"),
                          0);
    }
    assert_int_equal (optest_take (f->test, ask, &out, NULL), E_TELNYX_API_UNAVAILABLE);
    assert_int_equal (numbers (f), 0);
    world_put (f, "number_buy", &in); /* it may be tried again */
    assert_int_equal (
        optest_job_answered (f->test, world_outward (f, "POST", "/v2/number_orders"), 422, "{}"),
        0);
}

static void test_refused_order_frees_the_number (void **state)
{
    static const struct {
        const char *answer;
        int want;
    } rows[] = {
        {"{\"errors\":[{\"code\":\"85001\",\"title\":\"not available\"}]}", E_CONFLICT},
        {"{\"errors\":[{\"code\":\"20100\",\"title\":\"no funds\"}]}", E_TELNYX_API_ERROR},
    };
    const world_t *f = *state;
    accounts_number_buy_in_t in = wanted (f);
    accounts_number_buy_out_t out = {0};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        optest_put_t *ask = world_put (f, "number_buy", &in);
        assert_int_equal (optest_job_answered (f->test, world_outward (f, "POST", "number_orders"),
                                               422, rows[i].answer),
                          0);
        assert_int_equal (optest_take (f->test, ask, &out, NULL), rows[i].want);
    }
    in.app = f->ours.test_app_id;
    in.app_test = true;
    assert_int_equal (world_ask (f, "number_buy", &in, &out, NULL), E_BAD_REQUEST);
    in.app_test = false;
    assert_int_equal (world_ask (f, "number_buy", &in, &out, NULL), E_NOT_FOUND);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_without_a_carrier, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown (test_search_tells_what_is_on_offer, world_setup_market,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_paused_app_buys_nothing, world_setup_market,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_bought_number_is_assigned, world_setup_market,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_bought_number_is_what_was_offered, world_setup_market,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_bought_number_that_nobody_offered, world_setup_market,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_lost_answer_is_looked_up, world_setup_market,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_restored_order_is_held, world_setup_market,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_refused_order_frees_the_number, world_setup_market,
                                         world_teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
