/* org_log_test.c - subscriptions of an organization as its API sees them, the log with its filters and pages, single and bulk replay. */
#include "webhooks_world.h"

#include <string.h>

#define URL "http://127.0.0.1:9/hook"

static int setup (void **state)
{
    *state = world_new (NULL);
    return 0;
}

static int teardown (void **state)
{
    optest_t *test = *state;
    optest_destroy (&test);
    return 0;
}

static void test_bad_input_names_the_field (void **state)
{
    static const struct {
        const char *url, *event;
        int want;
        const char *field;
    } rows[] = {
        {"ftp://127.0.0.1/", "message.received", E_BLOCKED_TARGET, "url"},
        {"no url", "message.received", E_BLOCKED_TARGET, "url"},
        {"https://user@example.com/", "message.received", E_BLOCKED_TARGET, "url"},
        {"https://169.254.169.254/latest", "message.received", E_BLOCKED_TARGET, "url"},
        {"https://10.0.0.1/", "message.received", E_BLOCKED_TARGET, "url"},
        {"https://[::ffff:10.0.0.1]/", "message.received", E_BLOCKED_TARGET, "url"},
        {"https://example.com/", "message.vanished", E_BAD_REQUEST, "events[0]"},
        {"https://example.com/", "messages.sms.sent", E_BAD_REQUEST, "events[0]"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        webhooks_subscription_told_t out = {0};
        failure_t failure = {0};
        webhooks_subscription_create_in_t in = {
            .dialect = "kirim", .url = rows[i].url, .events = {(const char *[]){rows[i].event}, 1}};
        assert_int_equal (world_ask (*state, world_org, "subscription_create", &in, &out, &failure),
                          rows[i].want);
        assert_string_equal (failure.field, rows[i].field);
    }
}

static void test_https_and_port_443_are_the_rule (void **state)
{
    static const struct {
        const char *url;
        int want;
    } rows[] = {
        {"http://example.com/", E_BLOCKED_TARGET},
        {"https://example.com:8443/", E_BLOCKED_TARGET},
        {"https://[2606:4700::1111]:8443/", E_BLOCKED_TARGET},
        {"https://example.com:443/", 0},
        {"https://example.com/a:8443/", 0},
        {"https://[2606:4700::1111]/", 0},
    };
    (void) state;
    optest_t *strict = optest_new (&webhooks_tables);
    assert_non_null (strict);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        webhooks_subscription_told_t out = {0};
        webhooks_subscription_create_in_t in = {
            .dialect = "kirim",
            .url = rows[i].url,
            .events = {(const char *[]){"message.received"}, 1}};
        int code = world_ask (strict, world_org, "subscription_create", &in, &out, NULL);
        if (code != rows[i].want)
            fail_msg ("%s gives %s", rows[i].url, error_name (code));
    }
    optest_destroy (&strict);
}

static void test_unknown_events_where_allowed (void **state)
{
    static const char *const flags[] = {"--unknown-events=on", NULL};
    (void) state;
    optest_t *test = world_new (flags);
    webhooks_subscription_told_t to = world_subscribe (test, URL, "customer.created");
    assert_int_equal (to.events.count, 1);
    world_close (test, 1);
    assert_null (optest_job (test));
    optest_destroy (&test);
}

static void test_change_keeps_what_is_left_out (void **state)
{
    webhooks_subscription_told_t to = world_subscribe (*state, URL, "message.received"), out;
    webhooks_subscription_update_in_t in = {.id = to.id, .description = "Orders"};
    assert_int_equal (world_ask (*state, world_org, "subscription_update", &in, &out, NULL), 0);
    assert_string_equal (out.description, "Orders");
    assert_string_equal (out.url, URL);
    assert_null (out.initial_secret);
    in = (webhooks_subscription_update_in_t){
        .id = to.id, .events = {(const char *[]){"contact.created", "contact.updated"}, 2}};
    assert_int_equal (world_ask (*state, world_org, "subscription_update", &in, &out, NULL), 0);
    assert_int_equal (out.events.count, 2);
    assert_string_equal (out.description, "Orders");
    in = (webhooks_subscription_update_in_t){.id = to.id, .description = ""};
    assert_int_equal (world_ask (*state, world_org, "subscription_update", &in, &out, NULL), 0);
    assert_null (out.description);
    in = (webhooks_subscription_update_in_t){.id = to.id, .url = "http://10.0.0.1/"};
    assert_int_equal (world_ask (*state, world_org, "subscription_update", &in, &out, NULL),
                      E_BLOCKED_TARGET);
    in.url = NULL;
    assert_int_equal (world_ask (*state, world_other_org, "subscription_update", &in, &out, NULL),
                      E_NOT_FOUND);
    assert_int_equal (world_ask (*state, id_nil (), "subscription_update", &in, &out, NULL),
                      E_NOT_FOUND);
}

static void test_subscriptions_in_pages (void **state)
{
    id16_t made[5];
    for (size_t i = 0; i < 5; i++)
        made[i] = world_subscribe (*state, URL, "message.received").id;
    webhooks_subscription_told_t out;
    webhooks_subscription_update_in_t pause = {.id = made[2],
                                               .status = WEBHOOKS_SUBSCRIPTION_STATUS_PAUSED};
    assert_int_equal (world_ask (*state, world_org, "subscription_update", &pause, &out, NULL), 0);
    webhooks_subscription_list_in_t in = {.limit = 2};
    size_t seen = 0;
    for (int pages = 0; pages < 3; pages++) {
        webhooks_subscription_list_out_t page = {0};
        assert_int_equal (world_ask (*state, world_org, "subscription_list", &in, &page, NULL), 0);
        const webhooks_subscription_told_t *rows = page.subscriptions.items;
        for (size_t i = 0; i < page.subscriptions.count; i++)
            assert_true (id_equal (rows[i].id, made[4 - seen++]));
        assert_int_equal (page.next.size, pages < 2 ? 16 : 0);
        in.after = page.next;
    }
    assert_int_equal (seen, 5);
    static const struct {
        int32_t filter;
        size_t want;
    } rows[] = {{0, 5},
                {WEBHOOKS_SUBSCRIPTION_FILTER_ALL, 5},
                {WEBHOOKS_SUBSCRIPTION_FILTER_ACTIVE, 4},
                {WEBHOOKS_SUBSCRIPTION_FILTER_PAUSED, 1},
                {WEBHOOKS_SUBSCRIPTION_FILTER_DISABLED, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        webhooks_subscription_list_out_t page = {0};
        in = (webhooks_subscription_list_in_t){.status = rows[i].filter};
        assert_int_equal (world_ask (*state, world_org, "subscription_list", &in, &page, NULL), 0);
        assert_int_equal (page.subscriptions.count, rows[i].want);
    }
    in = (webhooks_subscription_list_in_t){.after = bytes_of_str ("short")};
    webhooks_subscription_list_out_t page = {0};
    assert_int_equal (world_ask (*state, world_org, "subscription_list", &in, &page, NULL),
                      E_BAD_CURSOR);
}

/* Two subscriptions; of each conversation n: the first refuses odd ones and has trouble with every fourth. */
static void log_fill (optest_t *test, id16_t to[2], int64_t *middle)
{
    to[0] = world_subscribe (test, URL, "conversation.closed").id;
    to[1] = world_subscribe (test, "http://127.0.0.1:9/other", "conversation.closed").id;
    for (unsigned n = 0; n < 20; n++) {
        world_close (test, n);
        for (outward_t *outward; (outward = optest_job (test));) {
            bool other = strstr (outward->out.request.url, "other") != NULL;
            int status = other ? 200 : n % 2 ? 400 : n % 4 == 0 ? 500 : 200;
            assert_int_equal (optest_job_answered (test, outward, status, ""), 0);
        }
        assert_int_equal (optest_advance (test, 5), 0);
        if (n == 9) {
            schema_list_t log = world_log (test, &(webhooks_log_list_in_t){.limit = 1});
            *middle = ((const webhooks_delivery_told_t *) log.items)->created_at;
        }
    }
}

static void test_filters_of_the_log (void **state)
{
    id16_t to[2];
    int64_t middle = 0;
    log_fill (*state, to, &middle);
    const struct {
        webhooks_log_list_in_t in;
        size_t want;
    } rows[] = {
        {{0}, 40},
        {{.subscription = to[0]}, 20},
        {{.status = WEBHOOKS_DELIVERY_STATUS_DELIVERED}, 25},
        {{.status = WEBHOOKS_DELIVERY_STATUS_DEAD}, 10},
        {{.status = WEBHOOKS_DELIVERY_STATUS_RETRYING}, 5},
        {{.subscription = to[1], .status = WEBHOOKS_DELIVERY_STATUS_DEAD}, 0},
        {{.subscription = to[0], .status = WEBHOOKS_DELIVERY_STATUS_DEAD}, 10},
        {{.event = "conversation.closed"}, 40},
        {{.event = "message.status"}, 0},
        {{.created_before = middle}, 18},
        {{.created_after = middle}, 20},
        {{.created_before = middle, .created_after = middle}, 0},
        {{.subscription = to[0], .created_after = middle}, 10},
        {{.subscription = to[0], .status = WEBHOOKS_DELIVERY_STATUS_DEAD, .created_after = middle},
         5},
        {{.subscription = world_id (1)}, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        webhooks_log_list_in_t in = rows[i].in;
        size_t seen = 0;
        int64_t last = INT64_MAX;
        in.limit = 7;
        for (bool more = true; more;) {
            webhooks_log_list_out_t page = {0};
            assert_int_equal (world_ask (*state, world_org, "log_list", &in, &page, NULL), 0);
            const webhooks_delivery_told_t *told = page.deliveries.items;
            for (size_t k = 0; k < page.deliveries.count; k++, seen++) {
                assert_true (told[k].created_at <= last);
                last = told[k].created_at;
            }
            more = page.next.size > 0;
            in.after = page.next;
        }
        if (seen != rows[i].want)
            fail_msg ("row %zu shows %zu", i, seen);
    }
    webhooks_log_list_out_t page = {0};
    webhooks_log_list_in_t all = {0};
    assert_int_equal (world_ask (*state, world_other_org, "log_list", &all, &page, NULL), 0);
    assert_int_equal (page.deliveries.count, 0);
}

/* Ends what is out. */
static void drain (optest_t *test)
{
    for (outward_t *outward; (outward = optest_job (test));)
        assert_int_equal (optest_job_answered (test, outward, 200, ""), 0);
}

static void test_one_delivery_with_its_payload (void **state)
{
    world_subscribe (*state, URL, "conversation.closed");
    world_close (*state, 1);
    schema_list_t log = world_log (*state, &(webhooks_log_list_in_t){0});
    const webhooks_delivery_told_t *row = log.items;
    assert_int_equal (row->payload.size, 0);
    webhooks_delivery_told_t one = {0};
    webhooks_log_get_in_t in = {.id = row->id};
    assert_int_equal (world_ask (*state, world_org, "log_get", &in, &one, NULL), 0);
    buf_t json = buf_in (optest_arena (*state));
    schema_any_write (one.payload, &json);
    assert_non_null (strstr (buf_text (&json), "\"type\":\"conversation.closed\""));
    assert_int_equal (world_ask (*state, world_other_org, "log_get", &in, &one, NULL), E_NOT_FOUND);
    drain (*state);
}

static void test_a_replay_is_a_delivery_of_its_own (void **state)
{
    webhooks_subscription_told_t to = world_subscribe (*state, URL, "conversation.closed"), out;
    world_close (*state, 1);
    outward_t *outward = world_request (*state);
    char *event_id =
        arena_strdup (optest_arena (*state), world_header (outward, "X-Kirim-Event-Id"));
    assert_int_equal (optest_job_answered (*state, outward, 400, ""), 0);
    webhooks_subscription_update_in_t move = {.id = to.id, .url = "http://127.0.0.1:9/new"};
    assert_int_equal (world_ask (*state, world_org, "subscription_update", &move, &out, NULL), 0);
    schema_list_t log = world_log (*state, &(webhooks_log_list_in_t){0});
    id16_t old = ((const webhooks_delivery_told_t *) log.items)->id;
    webhooks_log_replay_in_t in = {.id = old};
    webhooks_log_replay_out_t replay = {0};
    assert_int_equal (world_ask (*state, world_other_org, "log_replay", &in, &replay, NULL),
                      E_NOT_FOUND);
    assert_int_equal (world_ask (*state, world_org, "log_replay", &in, &replay, NULL), 0);
    assert_true (id_equal (replay.replayed_from, old));
    assert_int_equal (replay.status, WEBHOOKS_DELIVERY_STATUS_PENDING);
    outward = world_request (*state);
    assert_string_equal (outward->out.request.url, "http://127.0.0.1:9/new");
    assert_string_equal (world_header (outward, "X-Kirim-Event-Id"), event_id);
    assert_string_equal (world_header (outward, "X-Kirim-Attempt"), "1");
    assert_int_equal (optest_job_answered (*state, outward, 200, ""), 0);
    log = world_log (*state, &(webhooks_log_list_in_t){0});
    const webhooks_delivery_told_t *rows = log.items;
    assert_int_equal (log.count, 2);
    assert_true (id_equal (rows[0].replayed_from, old));
    assert_int_equal (rows[1].status, WEBHOOKS_DELIVERY_STATUS_DEAD); /* as it was */

    webhooks_subscription_update_in_t pause = {.id = to.id,
                                               .status = WEBHOOKS_SUBSCRIPTION_STATUS_PAUSED};
    assert_int_equal (world_ask (*state, world_org, "subscription_update", &pause, &out, NULL), 0);
    assert_int_equal (world_ask (*state, world_org, "log_replay", &in, &replay, NULL),
                      E_SUBSCRIPTION_INACTIVE);
    webhooks_log_replay_many_in_t many = {.subscription = to.id};
    webhooks_log_replay_many_out_t enqueued = {0};
    assert_int_equal (world_ask (*state, world_org, "log_replay_many", &many, &enqueued, NULL),
                      E_SUBSCRIPTION_INACTIVE);
    webhooks_subscription_delete_out_t gone = {0};
    webhooks_subscription_delete_in_t delete = {.id = to.id};
    assert_int_equal (world_ask (*state, world_org, "subscription_delete", &delete, &gone, NULL),
                      0);
    assert_int_equal (world_ask (*state, world_org, "log_replay", &in, &replay, NULL),
                      E_SUBSCRIPTION_INACTIVE);
    assert_int_equal (world_ask (*state, world_org, "log_replay_many", &many, &enqueued, NULL),
                      E_NOT_FOUND);
}

static size_t requests (optest_t *test, int status)
{
    size_t count = 0;
    for (int i = 0; i < 30; i++) {
        for (outward_t *outward; (outward = optest_job (test)); count++)
            assert_int_equal (optest_job_answered (test, outward, status, ""), 0);
        assert_int_equal (optest_advance (test, 1), 0);
    }
    return count;
}

static void test_bulk_replay (void **state)
{
    static const char *const flags[] = {"--auto-disable=0", NULL};
    optest_t *test = *state;
    optest_destroy (&test);
    *state = test = world_new (flags);
    id16_t to = world_subscribe (test, URL, "conversation.closed").id;
    for (unsigned n = 0; n < 1010; n++)
        world_close (test, n);
    assert_int_equal (requests (test, 404), 1010);
    webhooks_log_replay_many_in_t in = {.subscription = to, .event = "message.status"};
    webhooks_log_replay_many_out_t out = {0};
    assert_int_equal (world_ask (test, world_org, "log_replay_many", &in, &out, NULL), 0);
    assert_int_equal (out.enqueued, 0);
    assert_false (out.capped);
    schema_list_t log_now = world_log (test, &(webhooks_log_list_in_t){.limit = 10});
    id16_t eldest_left = ((const webhooks_delivery_told_t *) log_now.items)[9].id;
    in.event = "conversation.closed";
    assert_int_equal (world_ask (test, world_org, "log_replay_many", &in, &out, NULL), 0);
    assert_int_equal (out.enqueued, 1000);
    assert_true (out.capped);
    assert_int_equal (requests (test, 200), 1000);
    webhooks_log_list_in_t page = {.limit = 100};
    for (int pages = 0; pages < 10; pages++) { /* the oldest thousand */
        webhooks_log_list_out_t log = {0};
        assert_int_equal (world_ask (test, world_org, "log_list", &page, &log, NULL), 0);
        const webhooks_delivery_told_t *rows = log.deliveries.items;
        for (size_t i = 0; i < log.deliveries.count; i++)
            assert_true (!id_is_nil (rows[i].replayed_from) &&
                         id_compare (rows[i].replayed_from, eldest_left) < 0);
        page.after = log.next;
    }
    in = (webhooks_log_replay_many_in_t){.subscription = to,
                                         .status = WEBHOOKS_DELIVERY_STATUS_DELIVERED};
    assert_int_equal (world_ask (test, world_org, "log_replay_many", &in, &out, NULL),
                      E_BAD_REQUEST);
    in = (webhooks_log_replay_many_in_t){.subscription = to,
                                         .status = WEBHOOKS_DELIVERY_STATUS_RETRYING};
    world_close (test, 2000);
    assert_int_equal (optest_job_answered (test, world_request (test), 500, ""), 0);
    assert_int_equal (world_ask (test, world_org, "log_replay_many", &in, &out, NULL), 0);
    assert_int_equal (out.enqueued, 1);
    drain (test);
}

/* What operators see of both kinds. */
static void test_operators_see_and_rotate (void **state)
{
    webhooks_subscription_told_t to = world_subscribe (*state, URL, "conversation.closed");
    world_close (*state, 1);
    webhooks_deliveries_list_out_t list = {0};
    webhooks_deliveries_list_in_t in = {0};
    assert_int_equal (optest_ask (*state, "deliveries_list", NULL, &in, &list, NULL), 0);
    const webhooks_delivery_info_t *row = list.deliveries.items;
    assert_int_equal (list.deliveries.count, 1);
    assert_memory_equal (row->shown_id, "wbd_", 4);
    assert_memory_equal (row->shown_webhook, "wbs_", 4);
    assert_memory_equal (row->shown_subject, "cnv_", 4);
    webhooks_secret_show_out_t secret = {0};
    webhooks_secret_rotate_out_t rotated = {0};
    webhooks_secret_show_in_t show = {.id = to.id};
    webhooks_secret_rotate_in_t rotate = {.id = to.id};
    assert_int_equal (optest_ask (*state, "secret_show", NULL, &show, &secret, NULL), 0);
    assert_string_equal (secret.secret, to.initial_secret);
    assert_int_equal (optest_ask (*state, "secret_rotate", NULL, &rotate, &rotated, NULL), 0);
    secret = (webhooks_secret_show_out_t){0};
    assert_int_equal (optest_ask (*state, "secret_show", NULL, &show, &secret, NULL), 0);
    assert_string_equal (secret.secret, rotated.secret);
    assert_string_equal (secret.old_secret, to.initial_secret);
    assert_int_equal (secret.old_until, rotated.old_until);
    assert_int_equal (optest_advance (*state, INT64_C (25) * 3600 * 1000), 0);
    assert_int_equal (world_get (*state, to.id).secrets.count, 1);
    drain (*state);
}

int main (void)
{
#define T(name) cmocka_unit_test_setup_teardown (name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T (test_bad_input_names_the_field),
        T (test_https_and_port_443_are_the_rule),
        T (test_unknown_events_where_allowed),
        T (test_change_keeps_what_is_left_out),
        T (test_subscriptions_in_pages),
        T (test_filters_of_the_log),
        T (test_one_delivery_with_its_payload),
        T (test_a_replay_is_a_delivery_of_its_own),
        T (test_bulk_replay),
        T (test_operators_see_and_rotate),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
