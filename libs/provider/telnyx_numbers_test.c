/* telnyx_numbers_test.c - numbers at Telnyx: what is asked, and what each answer means. */
#include "gen/accounts.h"
#include "provider/provider.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#define BASE   "https://api.telnyx.com/v2"
#define NUMBER "+13125550101"
#define ERROR_OF(code) \
    "{\"errors\":[{\"code\":\"" code "\",\"title\":\"No\",\"detail\":\"It is so.\"}]}"

static turn_t turn_of (void **state)
{
    arena_reset (*state);
    return (turn_t){.now = 1760000000000, .arena = *state};
}

static const provider_account_t account = {
    .base_url = BASE, .token = "KEY123", .profile = "prof 1"};

static outcome_t answered (int status, const char *body)
{
    return (outcome_t){.stage = FETCH_ANSWERED, .status = status, .body = bytes_of_str (body)};
}

static void check_request (const outbound_t *out, const char *method, const char *url,
                           const char *body)
{
    assert_int_equal (out->how, OUT_HTTP);
    assert_string_equal (out->request.method, method);
    assert_string_equal (out->request.url, url);
    bool authorized = false;
    for (const char *const *header = out->request.headers; *header; header++)
        authorized = authorized || strcmp (*header, "Authorization: Bearer KEY123") == 0;
    assert_true (authorized);
    assert_int_equal (out->request.body.size, body ? strlen (body) : 0);
    if (body)
        assert_memory_equal (out->request.body.data, body, strlen (body));
}

/* ---- searching ---- */

static void test_search_asks_for_what_is_given (void **state)
{
    static const struct {
        provider_wanted_t wanted;
        const char *want;
    } rows[] = {
        {{.limit = 20}, "filter[limit]=20"},
        {{.country = "US", .kind = ACCOUNTS_NUMBER_KIND_TOLLFREE, .limit = 1},
         "filter[limit]=1&filter[country_code]=US&filter[phone_number_type]=toll_free"},
        {{.kind = ACCOUNTS_NUMBER_KIND_LOCAL, .area_code = "312", .limit = 5},
         "filter[limit]=5&filter[phone_number_type]=local&filter[national_destination_code]=312"},
        {{.kind = ACCOUNTS_NUMBER_KIND_MOBILE, .locality = "Z\xc3\xbcrich & more", .limit = 5},
         "filter[limit]=5&filter[phone_number_type]=mobile&filter[locality]=Z%C3%BCrich%20%26%20more"},
        {{.contains = "777", .country = "", .limit = 100},
         "filter[limit]=100&filter[phone_number][contains]=777"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        turn_t t = turn_of (state);
        outbound_t out = {0};
        assert_int_equal (provider_telnyx.numbers_search (&t, &account, &rows[i].wanted, &out), 0);
        check_request (&out, "GET",
                       arena_printf (t.arena, BASE "/available_phone_numbers?%s", rows[i].want),
                       NULL);
    }
}

#define REGION(type, name) "{\"region_type\":\"" type "\",\"region_name\":\"" name "\"}"
#define OFFER(inner)       "{\"data\":[{\"phone_number\":\"" NUMBER "\"" inner "}]}"

static void test_offers_are_read (void **state)
{
    static const struct {
        const char *body;
        const char *location, *monthly, *currency;
        size_t features;
    } rows[] = {
        {OFFER (""), "", NULL, NULL, 0},
        {OFFER (",\"region_information\":[" REGION ("state", "IL") "," REGION ("rate_center", "X") "," REGION (
             "location",
             "Chicago") "],\"features\":[{\"name\":\"sms\"},{\"name\":\"hd_voice\"},{\"name\":\"fax\"}]"),
         "Chicago, IL", NULL, NULL, 2},
        {OFFER (",\"region_information\":[" REGION ("rate_center", "CHICAGO") "," REGION (
             "country_code",
             "US") "],\"cost_information\":{\"upfront_cost\":\"1\",\"monthly_cost\":1,\"currency\":\"EUR\"}"),
         "CHICAGO", "1", "EUR", 0},
        {OFFER (",\"region_information\":[" REGION ("state", "IL") "],\"features\":7"), "IL", NULL,
         NULL, 0},
        {OFFER (",\"region_information\":\"x\",\"cost_information\":[]"), "", NULL, NULL, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        turn_t t = turn_of (state);
        provider_offer_t offer[2];
        size_t count = 9;
        outcome_t outcome = answered (200, rows[i].body);
        assert_int_equal (provider_telnyx.numbers_found (&t, &outcome, offer, 2, &count), 0);
        assert_int_equal (count, 1);
        assert_string_equal (offer->number, NUMBER);
        assert_string_equal (offer->location, rows[i].location);
        assert_int_equal (offer->feature_count, rows[i].features);
        assert_string_equal (offer->monthly ? offer->monthly : "none",
                             rows[i].monthly ? rows[i].monthly : "none");
        assert_string_equal (offer->currency ? offer->currency : "none",
                             rows[i].currency ? rows[i].currency : "none");
    }
}

static void test_what_is_no_offer_is_left_out (void **state)
{
    static const struct {
        int status;
        const char *body;
        int code;
        size_t count;
    } rows[] = {
        {200, "{\"data\":[]}", 0, 0},
        {200, "{}", 0, 0},
        {200, "{\"data\":[{},7,null,{\"phone_number\":\"3125550101\"},{\"phone_number\":\"+1x\"}]}",
         0, 0},
        {200,
         "{\"data\":[{\"phone_number\":\"+1\"},{\"phone_number\":\"+2\"},{\"phone_number\":\"+3\"}]}",
         0, 2}, /* no more than asked for */
        {200, "<html>", E_BAD_REQUEST, 0},
        {200, "", E_BAD_REQUEST, 0},
        {422, ERROR_OF ("10015"), E_BAD_REQUEST, 0},
        {503, "{\"data\":[{\"phone_number\":\"+1\"}]}", E_BAD_REQUEST, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        turn_t t = turn_of (state);
        provider_offer_t offers[2];
        size_t count = 9;
        outcome_t outcome = answered (rows[i].status, rows[i].body);
        assert_int_equal (provider_telnyx.numbers_found (&t, &outcome, offers, 2, &count),
                          rows[i].code);
        assert_int_equal (count, rows[i].count);
    }
}

/* ---- orders ---- */

static void test_order_says_what_and_under_which_reference (void **state)
{
    turn_t t = turn_of (state);
    outbound_t out = {0};
    provider_account_t bare = account;
    assert_int_equal (provider_telnyx.number_order (&t, &account, NUMBER, "r-1", &out), 0);
    check_request (&out, "POST", BASE "/number_orders",
                   "{\"phone_numbers\":[{\"phone_number\":\"" NUMBER
                   "\"}],\"messaging_profile_id\":\"prof 1\",\"customer_reference\":\"r-1\"}");
    bare.profile = "";
    assert_int_equal (provider_telnyx.number_order (&t, &bare, NUMBER, "r-1", &out), 0);
    check_request (&out, "POST", BASE "/number_orders",
                   "{\"phone_numbers\":[{\"phone_number\":\"" NUMBER
                   "\"}],\"customer_reference\":\"r-1\"}");
    assert_int_equal (provider_telnyx.number_order_look (&t, &account, "r 1", &out), 0);
    check_request (&out, "GET", BASE "/number_orders?page[size]=1&filter[customer_reference]=r%201",
                   NULL);
}

static void test_states_of_an_order (void **state)
{
    static const struct {
        fetch_stage_t stage;
        int status;
        const char *body;
        provider_order_t want;
        const char *id;
    } rows[] = {
        {FETCH_ANSWERED, 200, "{\"data\":{\"id\":\"o1\",\"status\":\"pending\"}}", ORDER_PENDING,
         "o1"},
        {FETCH_ANSWERED, 201, "{\"data\":{\"id\":\"o1\",\"status\":\"success\"}}", ORDER_DONE,
         "o1"},
        {FETCH_ANSWERED, 200, "{\"data\":{\"id\":\"o1\",\"status\":\"failure\"}}", ORDER_FAILED,
         "o1"},
        {FETCH_ANSWERED, 200, "{\"data\":{\"id\":\"o1\",\"status\":\"strange\"}}", ORDER_UNSAID,
         "o1"},
        {FETCH_ANSWERED, 200, "{\"data\":{\"status\":\"success\"}}", ORDER_DONE, NULL},
        {FETCH_ANSWERED, 200, "{\"data\":[{\"id\":\"o2\",\"status\":\"success\"},{\"id\":\"o3\"}]}",
         ORDER_DONE, "o2"},
        {FETCH_ANSWERED, 200, "{\"data\":[]}", ORDER_NONE, NULL},
        {FETCH_ANSWERED, 200, "{\"data\":null}", ORDER_NONE, NULL},
        {FETCH_ANSWERED, 200, "no json", ORDER_UNSAID, NULL},
        {FETCH_ANSWERED, 422, ERROR_OF ("85001"), ORDER_UNSAID, NULL},
        {FETCH_ANSWERED, 502, "{\"data\":{\"status\":\"success\"}}", ORDER_UNSAID, NULL},
        {FETCH_SENT, 0, "", ORDER_UNSAID, NULL},
        {FETCH_NOT_SENT, 0, "", ORDER_UNSAID, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        turn_t t = turn_of (state);
        const char *id = "left";
        outcome_t outcome = answered (rows[i].status, rows[i].body);
        outcome.stage = rows[i].stage;
        assert_int_equal (provider_telnyx.number_ordered (&t, &outcome, &id), rows[i].want);
        assert_string_equal (id ? id : "none", rows[i].id ? rows[i].id : "none");
    }
}

static void test_faults_of_orders (void **state)
{
    static const struct {
        int status;
        const char *body;
        provider_word_t word;
        const char *native;
        int code;
    } rows[] = {
        {422, ERROR_OF ("85001"), PROVIDER_REFUSED, "85001", E_TELNYX_API_ERROR},
        {422, ERROR_OF ("85000"), PROVIDER_REFUSED, "85000", E_TELNYX_API_ERROR},
        {401, "{}", PROVIDER_REFUSED, "10009", E_TELNYX_API_ERROR},
        {402, "", PROVIDER_REFUSED, "20100", E_TELNYX_API_ERROR},
        {404, ERROR_OF ("10005"), PROVIDER_REFUSED, "10005", E_TELNYX_API_ERROR},
        {429, "", PROVIDER_RETRY, "10011", E_CARRIER_RATE_LIMITED},
        {503, "<html>", PROVIDER_RETRY, "503", E_TELNYX_API_UNAVAILABLE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        turn_t t = turn_of (state);
        provider_result_t result = {0};
        outcome_t outcome = answered (rows[i].status, rows[i].body);
        provider_telnyx.answer (&t, &outcome, &result);
        assert_int_equal (result.word, rows[i].word);
        assert_string_equal (result.fault->native, rows[i].native);
        if (result.fault->code != rows[i].code)
            fail_msg ("%s: %s", rows[i].native, error_name (result.fault->code));
    }
}

/* ---- giving up ---- */

static void test_a_number_is_looked_for_and_given_up (void **state)
{
    turn_t t = turn_of (state);
    outbound_t out = {0};
    assert_int_equal (provider_telnyx.number_look (&t, &account, NUMBER, &out), 0);
    check_request (&out, "GET",
                   BASE "/phone_numbers?page[size]=20&filter[phone_number]=%2B13125550101", NULL);
    assert_int_equal (provider_telnyx.number_release (&t, &account, "12/3", &out), 0);
    check_request (&out, "DELETE", BASE "/phone_numbers/12%2F3", NULL);
}

#define LISTED(total, items) "{\"data\":[" items "],\"meta\":{\"total_results\":" total "}}"
#define HELD(id, number, status) \
    "{\"id\":" id ",\"phone_number\":\"" number "\",\"status\":\"" status "\"}"

static void test_does_the_account_have_it (void **state)
{
    static const struct {
        int status;
        const char *body;
        provider_held_t want;
        const char *id;
    } rows[] = {
        {200, LISTED ("1", HELD ("\"77\"", NUMBER, "active")), HELD_YES, "77"},
        {200, LISTED ("1", HELD ("77", NUMBER, "emergency-only")), HELD_YES, "77"},
        {200,
         LISTED ("2",
                 HELD ("\"1\"", "+131255501011", "active") "," HELD ("\"2\"", NUMBER, "active")),
         HELD_YES, "2"},
        {200, LISTED ("1", HELD ("null", NUMBER, "active")), HELD_UNSAID, NULL},
        {200, LISTED ("0", ""), HELD_NOT, NULL},
        {200, LISTED ("1", HELD ("\"1\"", "+131255501011", "active")), HELD_NOT, NULL},
        {200, LISTED ("1", HELD ("\"1\"", NUMBER, "deleted")), HELD_NOT, NULL},
        {200, LISTED ("1", HELD ("\"1\"", NUMBER, "ported-out")), HELD_NOT, NULL},
        {200, LISTED ("30", HELD ("\"1\"", "+131255501011", "active")), HELD_UNSAID, NULL},
        {200, "{\"data\":[]}", HELD_UNSAID, NULL},
        {200, "{}", HELD_UNSAID, NULL},
        {200, "ok", HELD_UNSAID, NULL},
        {404, ERROR_OF ("10005"), HELD_UNSAID, NULL}, /* the address is wrong, not the number */
        {500, LISTED ("0", ""), HELD_UNSAID, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        turn_t t = turn_of (state);
        const char *id = "left";
        outcome_t outcome = answered (rows[i].status, rows[i].body);
        if (provider_telnyx.number_looked (&t, &outcome, NUMBER, &id) != rows[i].want)
            fail_msg ("%s", rows[i].body);
        assert_string_equal (id ? id : "none", rows[i].id ? rows[i].id : "none");
    }
}

static void test_is_it_given_up (void **state)
{
    static const struct {
        fetch_stage_t stage;
        int status;
        const char *body;
        provider_held_t want;
    } rows[] = {
        {FETCH_ANSWERED, 200, "{\"data\":" HELD ("\"1\"", NUMBER, "deleted") "}", HELD_NOT},
        {FETCH_ANSWERED, 200, "{\"data\":" HELD ("\"1\"", NUMBER, "active") "}", HELD_UNSAID},
        {FETCH_ANSWERED, 200, "{}", HELD_UNSAID},
        {FETCH_ANSWERED, 204, "", HELD_UNSAID},
        {FETCH_ANSWERED, 404, ERROR_OF ("10005"), HELD_NOT},
        {FETCH_ANSWERED, 404, "<html>nginx", HELD_UNSAID},
        {FETCH_ANSWERED, 404, "{\"errors\":[]}", HELD_UNSAID},
        {FETCH_ANSWERED, 401, ERROR_OF ("10009"), HELD_UNSAID},
        {FETCH_ANSWERED, 503, "", HELD_UNSAID},
        {FETCH_SENT, 0, "", HELD_UNSAID},
        {FETCH_NOT_SENT, 0, "", HELD_UNSAID},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        turn_t t = turn_of (state);
        outcome_t outcome = answered (rows[i].status, rows[i].body);
        outcome.stage = rows[i].stage;
        if (provider_telnyx.number_released (&t, &outcome) != rows[i].want)
            fail_msg ("%d %s", rows[i].status, rows[i].body);
    }
}

static int setup (void **state)
{
    *state = arena_new (1 << 20);
    return *state ? 0 : -1;
}

static int teardown (void **state)
{
    arena_destroy ((arena_t **) state);
    return 0;
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_search_asks_for_what_is_given),
        cmocka_unit_test (test_offers_are_read),
        cmocka_unit_test (test_what_is_no_offer_is_left_out),
        cmocka_unit_test (test_order_says_what_and_under_which_reference),
        cmocka_unit_test (test_states_of_an_order),
        cmocka_unit_test (test_faults_of_orders),
        cmocka_unit_test (test_a_number_is_looked_for_and_given_up),
        cmocka_unit_test (test_does_the_account_have_it),
        cmocka_unit_test (test_is_it_given_up),
    };
    return cmocka_run_group_tests (tests, setup, teardown);
}
