/* webhooks_test.c - the operations of webhooks on a temporary store: subscriptions, fan-out, attempts, retries, secrets. */
#include "webhooks_world.h"

#include <stdlib.h>
#include <string.h>

static const id16_t other_app = {{3}};
static const id16_t message = {{1, 0x9a, 0, 0, 0, 0, 0x70, 0, 0x80}};

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

static int create_for (optest_t *test, id16_t who, const char *url, const char *event,
                       const schema_map_t *headers, webhooks_webhook_t *out, failure_t *failure)
{
    const char *events[] = {event};
    webhooks_create_in_t in = {.url = url, .events = {events, 1}};
    if (headers)
        in.headers = *headers;
    envelope_t header = world_by_app (who);
    return optest_ask (test, "create", &header, &in, out, failure);
}

static webhooks_webhook_t create (optest_t *test)
{
    webhooks_webhook_t out = {0};
    assert_int_equal (create_for (test, world_app, "http://127.0.0.1:9/hook", "messages.sms.sent",
                                  NULL, &out, NULL),
                      0);
    return out;
}

static void tell (optest_t *test, int32_t status)
{
    assert_int_equal (world_sms_tell (test, message, status), 0);
}

static void test_an_event_becomes_a_signed_request (void **state)
{
    webhooks_webhook_t hook = create (*state);
    tell (*state, MESSAGING_STATUS_SENT);
    outward_t *outward = optest_job (*state);
    assert_non_null (outward);
    assert_int_equal (outward->out.how, OUT_HTTP);
    assert_string_equal (outward->out.request.url, "http://127.0.0.1:9/hook");
    buf_t want = buf_in (optest_arena (*state));
    const char *id = world_header (outward, "webhook-id");
    assert_int_equal (sign_webhook (hook.secret, id,
                                    strtoll (world_header (outward, "webhook-timestamp"), NULL, 10),
                                    outward->out.request.body, &want),
                      0);
    assert_string_equal (world_header (outward, "webhook-signature"), buf_text (&want));
    assert_string_equal (world_header (outward, "X-Chirp-Event"), "messages.sms.sent");
    assert_string_equal (world_header (outward, "X-Chirp-Delivery-Attempt"), "1");
    assert_int_equal (optest_job_answered (*state, outward, 204, ""), 0);
    assert_null (optest_job (*state));
}

static void test_only_what_was_asked_for_comes (void **state)
{
    create (*state);
    tell (*state, MESSAGING_STATUS_DELIVERED);
    assert_null (optest_job (*state));
}

static void test_failures_are_retried_with_the_same_bytes (void **state)
{
    static const int64_t waits[] = {10000, 30000, 90000, 270000, 810000};
    create (*state);
    tell (*state, MESSAGING_STATUS_SENT);
    outward_t *outward = optest_job (*state);
    assert_non_null (outward);
    char *body =
        arena_strndup (optest_arena (*state), (const char *) outward->out.request.body.data,
                       outward->out.request.body.size);
    char *id = arena_strdup (optest_arena (*state), world_header (outward, "webhook-id"));
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal (optest_job_answered (*state, outward, 500, "no"), 0);
        assert_null (optest_job (*state));
        assert_int_equal (optest_advance (*state, waits[i] - 500), 0);
        assert_null (optest_job (*state));
        assert_int_equal (optest_advance (*state, 1000), 0);
        outward = optest_job (*state);
        assert_non_null (outward);
        assert_memory_equal (outward->out.request.body.data, body, strlen (body));
        assert_string_equal (world_header (outward, "webhook-id"), id);
    }
    assert_string_equal (world_header (outward, "X-Chirp-Delivery-Attempt"), "6");
    assert_int_equal (optest_job_answered (*state, outward, 500, "no"), 0);
    assert_int_equal (optest_advance (*state, 10000000), 0);
    assert_null (optest_job (*state));
    webhooks_deliveries_list_out_t list = {0};
    assert_int_equal (optest_ask (*state, "deliveries_list", NULL,
                                  &(webhooks_deliveries_list_in_t){0}, &list, NULL),
                      0);
    assert_int_equal (list.deliveries.count, 1);
    const webhooks_delivery_info_t *delivery = list.deliveries.items;
    assert_int_equal (delivery->status, WEBHOOKS_DELIVERY_STATUS_DEAD);
    assert_int_equal (delivery->tries.count, 6);
    webhooks_delivery_replay_out_t replay = {0};
    assert_int_equal (optest_ask (*state, "delivery_replay", NULL,
                                  &(webhooks_delivery_replay_in_t){.id = delivery->id}, &replay,
                                  NULL),
                      0);
    outward = optest_job (*state);
    assert_non_null (outward);
    assert_string_equal (world_header (outward, "webhook-id"), id);
    assert_int_equal (optest_job_answered (*state, outward, 200, ""), 0);
}

static void test_rotation_signs_with_both (void **state)
{
    webhooks_webhook_t hook = create (*state);
    webhooks_secret_rotate_out_t rotated = {0};
    assert_int_equal (optest_ask (*state, "secret_rotate", NULL,
                                  &(webhooks_secret_rotate_in_t){.id = hook.id}, &rotated, NULL),
                      0);
    assert_string_not_equal (rotated.secret, hook.secret);
    tell (*state, MESSAGING_STATUS_SENT);
    outward_t *outward = optest_job (*state);
    assert_non_null (outward);
    assert_non_null (strstr (world_header (outward, "webhook-signature"), " v1,"));
    assert_int_equal (optest_job_answered (*state, outward, 200, ""), 0);
    assert_int_equal (optest_advance (*state, INT64_C (25) * 3600 * 1000), 0);
    tell (*state, MESSAGING_STATUS_SENT);
    outward = optest_job (*state);
    assert_non_null (outward);
    assert_null (strstr (world_header (outward, "webhook-signature"), " v1,"));
    assert_int_equal (optest_job_answered (*state, outward, 200, ""), 0);
}

static void test_bad_input_names_the_field (void **state)
{
    static const struct {
        const char *url;
        const char *event;
        const char *name;
        const char *value;
        int want;
        const char *field;
    } rows[] = {
        {"http://user:pass@127.0.0.1/", "messages.sms.sent", NULL, NULL, E_BAD_REQUEST, "url"},
        {"ftp://127.0.0.1/", "messages.sms.sent", NULL, NULL, E_BAD_REQUEST, "url"},
        {"http://169.254.169.254/latest", "messages.sms.sent", NULL, NULL, E_BLOCKED_TARGET, "url"},
        {"http://10.0.0.1/", "messages.sms.sent", NULL, NULL, E_BLOCKED_TARGET, "url"},
        {"http://127.0.0.1/", "messages.sms.vanished", NULL, NULL, E_BAD_REQUEST, "events[0]"},
        {"http://127.0.0.1/", "messages.sms.sent", "Host", "x", E_BAD_REQUEST, "headers"},
        {"http://127.0.0.1/", "messages.sms.sent", "WEBHOOK-ID", "x", E_BAD_REQUEST, "headers"},
        {"http://127.0.0.1/", "messages.sms.sent", "X-A", "a\r\nX-B: b", E_BAD_REQUEST, "headers"},
        {"http://127.0.0.1/", "messages.sms.sent", "X A", "a", E_BAD_REQUEST, "headers"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        schema_pair_t pair = {rows[i].name, rows[i].value};
        schema_map_t headers = {&pair, rows[i].name ? 1 : 0};
        webhooks_webhook_t out = {0};
        failure_t failure = {0};
        assert_int_equal (
            create_for (*state, world_app, rows[i].url, rows[i].event, &headers, &out, &failure),
            rows[i].want);
        assert_string_equal (failure.field, rows[i].field);
    }
}

static void test_another_app_sees_nothing (void **state)
{
    webhooks_webhook_t hook = create (*state);
    webhooks_webhook_t out = {0};
    webhooks_delete_out_t gone = {0};
    envelope_t stranger = world_by_app (other_app);
    assert_int_equal (
        optest_ask (*state, "get", &stranger, &(webhooks_get_in_t){.id = hook.id}, &out, NULL),
        E_NOT_FOUND);
    stranger.id = id_nil ();
    assert_int_equal (optest_ask (*state, "delete", &stranger,
                                  &(webhooks_delete_in_t){.id = hook.id}, &gone, NULL),
                      E_NOT_FOUND);
    envelope_t owner = world_by_app (world_app);
    assert_int_equal (
        optest_ask (*state, "get", &owner, &(webhooks_get_in_t){.id = hook.id}, &out, NULL), 0);
    assert_null (out.secret);
}

static void test_update_keeps_what_is_left_out (void **state)
{
    schema_pair_t pair = {"X-Token", "t"};
    schema_map_t headers = {&pair, 1};
    webhooks_webhook_t hook = {0};
    assert_int_equal (create_for (*state, world_app, "http://127.0.0.1/a", "messages.sms.sent",
                                  &headers, &hook, NULL),
                      0);
    webhooks_update_in_t in = {.id = hook.id, .url = "http://127.0.0.1/b"};
    webhooks_webhook_t out = {0};
    envelope_t owner = world_by_app (world_app);
    assert_int_equal (optest_ask (*state, "update", &owner, &in, &out, NULL), 0);
    assert_string_equal (out.url, "http://127.0.0.1/b");
    assert_int_equal (out.headers.count, 1);
    assert_int_equal (out.events.count, 1);
    in = (webhooks_update_in_t){.id = hook.id, .has = WEBHOOKS_UPDATE_IN_HAS_HEADERS};
    owner.id = id_nil ();
    assert_int_equal (optest_ask (*state, "update", &owner, &in, &out, NULL), 0);
    assert_int_equal (out.headers.count, 0);
    assert_string_equal (out.url, "http://127.0.0.1/b");
}

static void test_deleted_webhook_gets_nothing_more (void **state)
{
    webhooks_webhook_t hook = create (*state);
    tell (*state, MESSAGING_STATUS_SENT);
    outward_t *outward = optest_job (*state);
    assert_non_null (outward);
    webhooks_delete_out_t gone = {0};
    envelope_t owner = world_by_app (world_app);
    assert_int_equal (
        optest_ask (*state, "delete", &owner, &(webhooks_delete_in_t){.id = hook.id}, &gone, NULL),
        0);
    assert_int_equal (optest_job_answered (*state, outward, 500, ""), 0);
    assert_int_equal (optest_advance (*state, 1000000), 0);
    assert_null (optest_job (*state));
}

static size_t deliveries_of (optest_t *test, id16_t hook, int32_t status)
{
    webhooks_deliveries_list_in_t in = {.webhook = hook, .status = status, .limit = 1000};
    webhooks_deliveries_list_out_t out = {0};
    assert_int_equal (optest_ask (test, "deliveries_list", NULL, &in, &out, NULL), 0);
    return out.deliveries.count;
}

static void test_what_waits_for_a_deleted_webhook_is_dropped (void **state)
{
    enum { EVENTS = 900 }; /* more than one turn drops */
    webhooks_webhook_t hook = create (*state), other = {0};
    assert_int_equal (create_for (*state, world_app, "http://127.0.0.1/other", "messages.sms.sent",
                                  NULL, &other, NULL),
                      0);
    for (int i = 0; i < EVENTS; i++)
        tell (*state, MESSAGING_STATUS_SENT); /* of one message: they wait behind each other */
    outward_t *out = optest_job (*state), *others = optest_job (*state);
    assert_true (out && others);
    webhooks_delete_out_t gone = {0};
    envelope_t owner = world_by_app (world_app);
    assert_int_equal (
        optest_ask (*state, "delete", &owner, &(webhooks_delete_in_t){.id = hook.id}, &gone, NULL),
        0);
    assert_true (deliveries_of (*state, hook.id, WEBHOOKS_DELIVERY_STATUS_PENDING) > 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal (optest_advance (*state, 1), 0);
    assert_int_equal (deliveries_of (*state, hook.id, WEBHOOKS_DELIVERY_STATUS_PENDING), 0);
    assert_int_equal (deliveries_of (*state, hook.id, WEBHOOKS_DELIVERY_STATUS_DROPPED), EVENTS);
    assert_int_equal (deliveries_of (*state, other.id, WEBHOOKS_DELIVERY_STATUS_PENDING), EVENTS);
    /* One was out: what its receiver says still counts, but it is not tried again. */
    assert_int_equal (optest_job_answered (*state, out, 500, ""), 0);
    assert_int_equal (optest_job_answered (*state, others, 500, ""), 0);
    assert_int_equal (optest_advance (*state, 20000), 0);
    for (outward_t *again; (again = optest_job (*state)); outward_destroy (&again))
        assert_string_equal (again->out.request.url, "http://127.0.0.1/other");
    assert_int_equal (deliveries_of (*state, hook.id, WEBHOOKS_DELIVERY_STATUS_DROPPED), EVENTS);
    assert_int_equal (deliveries_of (*state, other.id, WEBHOOKS_DELIVERY_STATUS_PENDING), EVENTS);
}

static void test_many_webhooks_fan_out_as_jobs (void **state)
{
    for (int i = 0; i < 250; i++)
        create (*state);
    tell (*state, MESSAGING_STATUS_SENT);
    size_t count = 0;
    for (int i = 0; i < 50; i++) {
        outward_t *outward;
        while ((outward = optest_job (*state))) {
            assert_int_equal (optest_job_answered (*state, outward, 200, ""), 0);
            count++;
        }
        assert_int_equal (optest_advance (*state, 10), 0);
    }
    assert_int_equal (count, 250);
}

/* ---- apps: what admin keys name, and their end ---- */

static void app_tell (optest_t *test, id16_t id, int64_t version, bool deleted)
{
    accounts_app_changed_t body = {
        .id = id, .org = world_org, .name = "Desk", .test = true, .deleted = deleted};
    event_about_t about = {
        .record = id, .version = (uint64_t) version, .org = world_org, .app = id, .test = true};
    assert_int_equal (optest_follow (test, &accounts_app_changed_event, &about, &body, NULL), 0);
}

static int admin_get (optest_t *test, id16_t of, id16_t named, bool named_test, id16_t id,
                      bool id_test)
{
    envelope_t admin = {.org = of, .principal = PRINCIPAL_ADMIN_KEY};
    webhooks_get_in_t in = {.app = named, .app_test = named_test, .id = id, .id_test = id_test};
    webhooks_webhook_t out = {0};
    return optest_ask (test, "get", &admin, &in, &out, NULL);
}

static void test_admin_keys_name_the_app (void **state)
{
    static const id16_t other_org = {{9}};
    webhooks_webhook_t hook = create (*state);
    assert_int_equal (admin_get (*state, world_org, world_app, true, hook.id, true),
                      E_NOT_FOUND); /* not heard of yet */
    app_tell (*state, world_app, 1, false);
    app_tell (*state, other_app, 1, false);
    assert_int_equal (admin_get (*state, world_org, world_app, true, hook.id, true), 0);
    assert_int_equal (admin_get (*state, world_org, world_app, false, hook.id, true), E_NOT_FOUND);
    assert_int_equal (admin_get (*state, world_org, world_app, true, hook.id, false), E_NOT_FOUND);
    assert_int_equal (admin_get (*state, world_org, other_app, true, hook.id, true), E_NOT_FOUND);
    assert_int_equal (admin_get (*state, other_org, world_app, true, hook.id, true), E_NOT_FOUND);
    assert_int_equal (admin_get (*state, world_org, id_nil (), true, hook.id, true), E_NOT_FOUND);
}

static void test_a_deleted_app_starts_no_delivery (void **state)
{
    for (int i = 0; i < 3; i++)
        create (*state);
    app_tell (*state, world_app, 1, false);
    tell (*state, MESSAGING_STATUS_SENT);
    outward_t *begun = optest_job (*state);
    outward_t *second = optest_job (*state);
    outward_t *third = optest_job (*state);
    assert_true (begun && second && third);
    assert_int_equal (optest_job_answered (*state, second, 500, ""), 0); /* waits for its retry */
    app_tell (*state, world_app, 2, true);
    app_tell (*state, world_app, 1, false); /* an older event told again */
    assert_int_equal (optest_job_answered (*state, begun, 500, ""), 0);
    assert_int_equal (optest_job_answered (*state, third, 200, ""), 0);
    tell (*state, MESSAGING_STATUS_SENT);
    for (int i = 0; i < 20; i++) {
        assert_int_equal (optest_advance (*state, 100000), 0);
        assert_null (optest_job (*state));
    }
    webhooks_list_out_t list = {0};
    envelope_t owner = world_by_app (world_app);
    assert_int_equal (optest_ask (*state, "list", &owner, &(webhooks_list_in_t){0}, &list, NULL),
                      0);
    assert_int_equal (list.total, 0);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_an_event_becomes_a_signed_request, setup, teardown),
        cmocka_unit_test_setup_teardown (test_only_what_was_asked_for_comes, setup, teardown),
        cmocka_unit_test_setup_teardown (test_failures_are_retried_with_the_same_bytes, setup,
                                         teardown),
        cmocka_unit_test_setup_teardown (test_rotation_signs_with_both, setup, teardown),
        cmocka_unit_test_setup_teardown (test_bad_input_names_the_field, setup, teardown),
        cmocka_unit_test_setup_teardown (test_another_app_sees_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown (test_update_keeps_what_is_left_out, setup, teardown),
        cmocka_unit_test_setup_teardown (test_deleted_webhook_gets_nothing_more, setup, teardown),
        cmocka_unit_test_setup_teardown (test_what_waits_for_a_deleted_webhook_is_dropped, setup,
                                         teardown),
        cmocka_unit_test_setup_teardown (test_many_webhooks_fan_out_as_jobs, setup, teardown),
        cmocka_unit_test_setup_teardown (test_admin_keys_name_the_app, setup, teardown),
        cmocka_unit_test_setup_teardown (test_a_deleted_app_starts_no_delivery, setup, teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
