/* nth_test.c - webhooks with every fault in every place: each op, each event it follows, each kind of job. */
#include "webhooks_world.h"
#include "svc/optest_nth.h"

#define COUNT(list) (sizeof (list) / sizeof *(list))
#define HOOK        "http://127.0.0.1:9/hook"

/* A webhook of an app with a delivery that arrived, a subscription of the organization with one that is dead. */
typedef struct world {
    optest_t *test;
    webhooks_webhook_t hook;
    webhooks_subscription_told_t subscription;
    id16_t arrived, failed, payload, second_secret;
    world_sms_t sms;
} world_t;

static world_t world;

static int message_tell (optest_t *test)
{
    return world_sms_tell (test, world_id (99), MESSAGING_STATUS_SENT);
}

static int row_seen (void *context, const void *row)
{
    const webhooks_delivery_t *delivery = row;
    (void) context;
    if (!id_equal (delivery->subscription, world.hook.id))
        return 0;
    world.arrived = delivery->id;
    world.payload = delivery->payload;
    return 0;
}

static void rows_look (optest_t *test)
{
    txn_t *txn = NULL;
    store_page_t page = {.limit = 100};
    assert_int_equal (txn_begin (optest_store (test), TXN_READ, &txn), 0);
    assert_int_equal (store_list (txn, &webhooks_delivery_record, &page, optest_arena (test),
                                  row_seen, NULL, NULL),
                      0);
    txn_abort (&txn);
}

static bool is_dead (optest_t *test)
{
    webhooks_log_list_in_t dead = {.status = WEBHOOKS_DELIVERY_STATUS_DEAD};
    return world_log (test, &dead).count == 1;
}

static int setup (void **state)
{
    optest_t *test = world_new (NULL);
    const char *events[] = {"messages.sms.sent"};
    webhooks_create_in_t create = {.url = HOOK, .events = {events, 1}};
    envelope_t header = world_by_app (world_app);
    world = (world_t){.test = test};
    assert_int_equal (optest_ask (test, "create", &header, &create, &world.hook, NULL), 0);
    world.subscription = world_subscribe (test, HOOK, "conversation.closed");
    webhooks_secret_add_in_t add = {.id = world.subscription.id};
    webhooks_secret_add_out_t added = {0};
    assert_int_equal (world_ask (test, world_org, "secret_add", &add, &added, NULL), 0);
    world.second_secret = added.id;
    assert_int_equal (message_tell (test), 0);
    assert_int_equal (optest_job_answered (test, world_request (test), 204, ""), 0);
    rows_look (test);
    world_close (test, 1);
    for (int64_t tries = 0; tries < 100 && !is_dead (test); tries++) {
        outward_t *job = optest_job (test);
        if (job)
            assert_int_equal (optest_job_answered (test, job, 500, ""), 0);
        else
            assert_int_equal (optest_advance (test, 3600 * 1000), 0);
    }
    webhooks_log_list_in_t all = {.limit = 10};
    schema_list_t log = world_log (test, &all);
    assert_int_equal (log.count, 1);
    world.failed = ((const webhooks_delivery_told_t *) log.items)->id;
    *state = test;
    return 0;
}

static int teardown (void **state)
{
    optest_t *test = *state;
    optest_destroy (&test);
    return 0;
}

static void test_ops (void **state)
{
    optest_t *test = *state;
    const char *events[] = {"messages.sms.sent", "messages.sms.delivered"},
               *closed[] = {"conversation.closed", "contact.created"};
    const schema_list_t told = {events, 2}, told_org = {closed, 2};
    const envelope_t by_app = world_by_app (world_app), by_org = world_by_org (), cli = {0};
    const id16_t hook = world.hook.id, mine = world.subscription.id;
    const nth_ask_t asks[] = {
        {"create", by_app, &(webhooks_create_in_t){.url = HOOK, .events = told}},
        {"list", by_app, &(webhooks_list_in_t){0}},
        {"get", by_app, &(webhooks_get_in_t){.id = hook}},
        {"update", by_app, &(webhooks_update_in_t){.id = hook, .url = HOOK "2", .events = told}},
        {"delete", by_app, &(webhooks_delete_in_t){.id = hook}},
        {"secret_show", cli, &(webhooks_secret_show_in_t){.id = hook}},
        {"secret_rotate", cli, &(webhooks_secret_rotate_in_t){.id = hook}},
        {"deliveries_list", cli, &(webhooks_deliveries_list_in_t){.webhook = hook}},
        {"delivery_show", cli, &(webhooks_delivery_show_in_t){.id = world.arrived}},
        {"delivery_replay", cli, &(webhooks_delivery_replay_in_t){.id = world.arrived}},
        {"temporary_create", cli,
         &(webhooks_temporary_create_in_t){
             .app = world_app, .org = world_org, .test = true, .url = HOOK, .events = told}},
        {"temporary_delete", cli, &(webhooks_temporary_delete_in_t){.id = hook}},
        {"app_counts", by_app, &(webhooks_app_counts_in_t){.app = world_app}},
        {"subscription_create", by_org,
         &(webhooks_subscription_create_in_t){
             .dialect = "kirim", .url = HOOK, .events = told_org, .description = "second"}},
        {"subscription_list", by_org, &(webhooks_subscription_list_in_t){0}},
        {"subscription_get", by_org, &(webhooks_subscription_get_in_t){.id = mine}},
        {"subscription_update", by_org,
         &(webhooks_subscription_update_in_t){.id = mine,
                                              .url = HOOK "2",
                                              .events = told_org,
                                              .status = WEBHOOKS_SUBSCRIPTION_STATUS_PAUSED}},
        {"subscription_delete", by_org, &(webhooks_subscription_delete_in_t){.id = mine}},
        {"secret_add", by_org, &(webhooks_secret_add_in_t){.id = mine, .expires_in_hours = 1}},
        {"secret_delete", by_org,
         &(webhooks_secret_delete_in_t){.id = mine, .secret_id = world.second_secret}},
        {"log_list", by_org, &(webhooks_log_list_in_t){0}},
        {"log_get", by_org, &(webhooks_log_get_in_t){.id = world.failed}},
        {"log_replay", by_org, &(webhooks_log_replay_in_t){.id = world.failed}},
        {"log_replay_many", by_org,
         &(webhooks_log_replay_many_in_t){.subscription = mine,
                                          .status = WEBHOOKS_DELIVERY_STATUS_DEAD}},
    };
    nth_seen_t seen = {0};
    assert_int_equal (nth_asks (test, asks, COUNT (asks), &seen), 0);
    assert_int_equal (nth_unseen (test, &seen), 0);
}

static void test_follows (void **state)
{
    optest_t *test = *state;
    const char *events[] = {"messages.sms.sent", "messages.sms.received"},
               *told[] = {"conversation.assigned", "contact.created"};
    webhooks_update_in_t update = {.id = world.hook.id, .events = {events, 2}};
    webhooks_subscription_update_in_t change = {.id = world.subscription.id, .events = {told, 2}};
    envelope_t header = world_by_app (world_app);
    assert_int_equal (optest_ask (test, "update", &header, &update, NULL, NULL), 0);
    assert_int_equal (world_ask (test, world_org, "subscription_update", &change, NULL, NULL), 0);
    world_sms_fill (&world.sms, world_id (99), MESSAGING_STATUS_SENT);
    messaging_content_t in = world.sms.content;
    in.direction = MESSAGING_DIRECTION_INBOUND;
    inbox_contact_told_t contact = {.id = world_id (5), .phone_number = "+628111222333"};
    id16_t gone[] = {world_id (1), world_id (2), world_id (99)};
    const event_about_t record = world_about (world_id (99), world_app),
                        talk = world_about (world_id (1), id_nil ());
    const nth_event_t happened[] = {
        {&messaging_message_status_event, record, &world.sms.status},
        {&messaging_message_received_event, record,
         &(messaging_message_received_t){.message = &in, .apps = {&world.sms.app, 1}}},
        {&messaging_message_accepted_event, record,
         &(messaging_message_accepted_t){.message = &world.sms.content,
                                         .apps = {&world.sms.app, 1}}},
        {&messaging_messages_erased_event, talk,
         &(messaging_messages_erased_t){.conversation = world_id (1), .messages = {gone, 3}}},
        {&inbox_contact_changed_event, talk,
         &(inbox_contact_changed_t){
             .contact = &contact, .created = true, .source = INBOX_CONTACT_SOURCE_API}},
        {&inbox_conversation_assigned_event, talk,
         &(inbox_conversation_assigned_t){.conversation = world_id (1), .user = {{41}}}},
        {&inbox_conversation_closed_event, talk,
         &(inbox_conversation_closed_t){.conversation = world_id (1),
                                        .status = INBOX_CONVERSATION_STATUS_RESOLVED}},
        {&inbox_erased_event, talk,
         &(inbox_erased_t){
             .contact = world_id (5), .conversation = world_id (1), .peer = "+628111222333"}},
        {&accounts_app_changed_event, record,
         &(accounts_app_changed_t){
             .id = world_app, .org = world_org, .name = "Desk", .test = true, .deleted = true}},
    };
    assert_int_equal (nth_follows (test, happened, COUNT (happened)), 0);
    assert_int_equal (nth_batches (test, happened, COUNT (happened), NULL), 0);
}

/* ---- jobs ---- */

static int replay_begin (optest_t *test)
{
    webhooks_log_replay_many_in_t in = {.subscription = world.subscription.id,
                                        .status = WEBHOOKS_DELIVERY_STATUS_DEAD};
    return world_ask (test, world_org, "log_replay_many", &in, NULL, NULL);
}

static int erase_begin (optest_t *test)
{
    id16_t gone[] = {world_id (1), world_id (2), world_id (99)};
    messaging_messages_erased_t body = {.conversation = world_id (1), .messages = {gone, 3}};
    event_about_t what = world_about (world_id (1), id_nil ());
    return optest_follow (test, &messaging_messages_erased_event, &what, &body, NULL);
}

static int app_end_begin (optest_t *test)
{
    accounts_app_changed_t body = {
        .id = world_app, .org = world_org, .name = "Desk", .test = true, .deleted = true};
    event_about_t what = world_about (world_app, world_app);
    return optest_follow (test, &accounts_app_changed_event, &what, &body, NULL);
}

/* The rest of a page that was too long for the event's turn: here all of it. */
static int fanout_run (turn_t *t, void *context)
{
    (void) context;
    webhooks_fanout_job_t body = {.app = world_app,
                                  .payload = world.payload,
                                  .subject = world_id (99),
                                  .event = "messages.sms.sent",
                                  .at = t->now,
                                  .dialect = "chirp"};
    job_new_t new = {.kind = &webhooks_fanout_kind, .group = world_app, .body = &body};
    return job_add (t, &new, NULL);
}

static int fanout_begin (optest_t *test)
{
    return optest_run (test, fanout_run, NULL);
}

/* A subscription that was switched off for failing, with more deliveries than fit in that turn: here all are left. */
static int end_run (turn_t *t, void *context)
{
    webhooks_subscription_t row = {0};
    webhooks_subscription_end_job_t body = {.subscription = world.subscription.id,
                                            .status = WEBHOOKS_DELIVERY_STATUS_DEAD};
    job_new_t new = {.kind = &webhooks_subscription_end_kind,
                     .group = world_org,
                     .due = t->now + 1,
                     .body = &body};
    (void) context;
    int rc =
        store_get_any (t->txn, &webhooks_subscription_record, body.subscription, t->arena, &row);
    row.status = WEBHOOKS_SUBSCRIPTION_STATUS_DISABLED;
    if (!rc)
        rc = store_put (t->txn, &webhooks_subscription_record, &row, NULL);
    return rc ? rc : job_add (t, &new, NULL);
}

static int end_begin (optest_t *test)
{
    return optest_run (test, end_run, NULL);
}

static void test_jobs (void **state)
{
    static const job_kind_t *const delivery[] = {&webhooks_delivery_kind, NULL},
                                   *const fanout[] = {&webhooks_fanout_kind, NULL},
                                   *const app_end[] = {&webhooks_app_end_kind, NULL},
                                   *const end[] = {&webhooks_subscription_end_kind, NULL},
                                   *const replay[] = {&webhooks_replay_kind, NULL},
                                   *const erase[] = {&webhooks_erase_kind, NULL};
    optest_t *test = *state;
    world_close (
        test,
        2); /* and another that is tried again in 6 hours: the clock goes on over all that is done here */
    for (int tries = 0; tries < 6; tries++) {
        assert_int_equal (optest_job_answered (test, world_request (test), 500, ""), 0);
        if (tries < 5)
            assert_int_equal (optest_advance (test, 3600 * 1000 + 360000), 0);
    }
    assert_null (optest_job (test));
    const nth_story_t stories[] = {
        {.name = "a delivery", .kinds = delivery, .begin = message_tell},
        {.name = "the rest of a fan-out", .kinds = fanout, .begin = fanout_begin},
        {.name = "an app goes", .kinds = app_end, .begin = app_end_begin},
        {.name = "a replay", .kinds = replay, .begin = replay_begin},
        {.name = "a subscription ends", .kinds = end, .begin = end_begin},
        {.name = "an erasure", .kinds = erase, .begin = erase_begin},
    };
    assert_int_equal (nth_stories (test, stories, COUNT (stories)), 0);
    assert_int_equal (nth_first_turns (test, stories, COUNT (stories)), 0);
}

static bool month_is_done (optest_t *test)
{
    return optest_rows (test, "delivery") == 0 && optest_rows (test, "payload") == 0;
}

/* A payload that nobody wanted. */
static int payload_insert (turn_t *t, void *context)
{
    webhooks_payload_t row = {0};
    (void) context;
    int rc = store_get_any (t->txn, &webhooks_payload_record, world.payload, t->arena, &row);
    row.id = turn_id (t);
    return rc ? rc : store_insert (t->txn, &webhooks_payload_record, &row, NULL);
}

static int month_begin (optest_t *test)
{
    return optest_run (test, payload_insert, NULL);
}

static void test_timers (void **state)
{
    static const char *const kinds[] = {"deliveries", "payloads", NULL};
    const nth_timer_t sample = {.name = "a month goes by",
                                .sweeps = kinds,
                                .begin = month_begin,
                                .wait_ms = 40 * 24 * 3600 * INT64_C (1000),
                                .is_done = month_is_done};
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
