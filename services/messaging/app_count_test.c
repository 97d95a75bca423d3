/* app_count_test.c - what is counted of an app, the end of an app, and how long an organization's files are kept. */
#include "media.h"
#include "messaging_world.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static messaging_app_counts_out_t counts (optest_t *test)
{
    messaging_app_counts_in_t in = {.app = world_app};
    messaging_app_counts_out_t out = {0};
    envelope_t header = {.org = world_org, .principal = PRINCIPAL_ADMIN_KEY};
    assert_int_equal (optest_ask (test, "app_counts", &header, &in, &out, NULL), 0);
    return out;
}

static void test_recipients_are_counted_once (void **state)
{
    messaging_sms_send_out_t out = {0};
    assert_int_equal (world_sms (*state, "+15551234567", "x", &out, NULL), 0);
    assert_int_equal (world_sms (*state, "+999140008", "x", &out, NULL), 0);
    assert_int_equal (world_sms (*state, "+99930004", "x", &out, NULL),
                      0); /* its receipt comes before its answer */
    world_run_out (*state);
    messaging_app_counts_out_t told = counts (*state);
    assert_int_equal (told.messages_sent,
                      2 + (strstr (world_story (*state), "sent failed") != NULL));
    assert_int_equal (told.messages_delivered, 2);
    assert_int_equal (told.messages_failed, 1);
    messaging_app_counts_out_t nothing = {0};
    envelope_t stranger = {.org = {{99}}, .principal = PRINCIPAL_ADMIN_KEY};
    messaging_app_counts_in_t in = {.app = world_app};
    assert_int_equal (optest_ask (*state, "app_counts", &stranger, &in, &nothing, NULL), 0);
    assert_int_equal (nothing.messages_sent, 0);
}

typedef struct move {
    int32_t from, to;
} move_t;

static int moves_run (turn_t *t, void *context)
{
    const move_t *moves = context;
    messaging_message_t message = {.org = world_org, .app = world_app};
    int code = 0;
    for (; moves->to && code == 0; moves++)
        code = app_count_move (t, &message, moves->from, moves->to);
    return code;
}

static void test_a_lifted_failure_is_taken_back (void **state)
{
    move_t moves[] = {{MESSAGING_STATUS_QUEUED, MESSAGING_STATUS_UNKNOWN},
                      {MESSAGING_STATUS_UNKNOWN, MESSAGING_STATUS_UNCONFIRMED},
                      {MESSAGING_STATUS_UNCONFIRMED, MESSAGING_STATUS_FAILED},
                      {MESSAGING_STATUS_FAILED, MESSAGING_STATUS_DELIVERED},
                      {MESSAGING_STATUS_DELIVERED, MESSAGING_STATUS_READ},
                      {0}};
    assert_int_equal (optest_run (*state, moves_run, moves), 0);
    messaging_app_counts_out_t told = counts (*state);
    assert_int_equal (told.messages_sent, 1);
    assert_int_equal (told.messages_delivered, 1);
    assert_int_equal (told.messages_failed, 0);
}

static void app_delete (optest_t *test)
{
    accounts_app_changed_t body = {
        .id = world_app, .org = world_org, .test = true, .deleted = true};
    event_about_t about = {
        .record = world_app, .version = 99, .org = world_org, .app = world_app, .test = true};
    assert_int_equal (optest_follow (test, &accounts_app_changed_event, &about, &body, NULL), 0);
}

static int send_as (optest_t *test, id16_t app, const char *from, const char *to)
{
    const char *list[] = {to};
    messaging_sms_send_in_t in = {.from = from, .to = {list, 1}, .text = "x"};
    messaging_sms_send_out_t out = {0};
    envelope_t header = world_caller ();
    header.app = app;
    return optest_ask (test, "sms_send", &header, &in, &out, NULL);
}

static size_t failures (optest_t *test)
{
    const common_event_t *events = NULL;
    size_t count = optest_events (test, 0, &events), found = 0;
    for (size_t i = 0; i < count; i++) {
        messaging_message_status_t body = {0};
        if (events[i].number != messaging_message_status_event.number)
            continue;
        assert_int_equal (
            optest_event_body (test, &events[i], &messaging_message_status_event, &body), 0);
        assert_int_equal (body.status, MESSAGING_STATUS_FAILED);
        assert_int_equal (body.apps.count, 0); /* nobody is left to be told by webhook */
        found++;
    }
    return found;
}

/* Without a word of the carrier, whose one answer is still to come; and no other app's, though it has the number too. */
static void test_the_end_of_an_app_is_not_waited_for (void **state)
{
    enum { MESSAGES = 300, OTHERS = 40 }; /* more than one step looks at */
    static const id16_t other = {{77}};
    static const char second[] = "+15550009999";
    assert_int_equal (world_assign (*state, (id16_t){{71}}, other, world_number, WORLD_SMS,
                                    ACCOUNTS_CHANNEL_SMS, 1, false),
                      0);
    assert_int_equal (world_assign (*state, (id16_t){{72}}, world_app, (id16_t){{73}}, second,
                                    ACCOUNTS_CHANNEL_SMS, 1, false),
                      0);
    assert_int_equal (send_as (*state, world_app, WORLD_SMS, "+15551230000"), 0);
    outward_t *out = optest_job (*state);
    assert_non_null (out);
    for (int i = 0; i < MESSAGES; i++) {
        if (i < OTHERS)
            assert_int_equal (send_as (*state, other, WORLD_SMS, "+15551230000"), 0);
        assert_int_equal (send_as (*state, world_app, WORLD_SMS, "+15551230000"), 0);
    }
    assert_int_equal (send_as (*state, world_app, second, "+15551230001"), 0);
    outward_t *seconds = optest_job (*state);
    assert_non_null (seconds);
    assert_int_equal (send_as (*state, world_app, second, "+15551230001"), 0);
    assert_int_equal (world_assign (*state, (id16_t){{72}}, world_app, (id16_t){{73}}, second,
                                    ACCOUNTS_CHANNEL_SMS, 2, true),
                      0); /* a number that it lost since */
    assert_int_equal (counts (*state).messages_failed, 0);
    app_delete (*state);
    size_t at_once = failures (*state); /* in the turn of the event */
    assert_true (at_once > 0 && at_once < MESSAGES);
    assert_int_equal (send_as (*state, world_app, WORLD_SMS, "+15551230009"),
                      E_PHONE_NUMBER_NOT_ASSIGNED);
    for (int i = 0; i < 5; i++)
        assert_int_equal (optest_advance (*state, 1), 0);
    assert_int_equal (failures (*state), MESSAGES + 1);
    assert_int_equal (counts (*state).messages_failed, MESSAGES + 1);
    assert_int_equal (optest_restart (*state), 0);
    assert_int_equal (optest_turn (*state), 0);
    assert_int_equal (failures (*state), MESSAGES + 3); /* the two that were out begin again */
    outward_destroy (&out);
    outward_destroy (&seconds);
}

static void test_what_a_deleted_app_had_queued_fails (void **state)
{
    messaging_sms_send_out_t out = {0};
    assert_int_equal (world_sms (*state, "+15551234567", "first", &out, NULL), 0);
    assert_int_equal (world_sms (*state, "+15551234567", "second", &out, NULL),
                      0); /* waits behind the first */
    outward_t *first = optest_job (*state);
    assert_non_null (first);
    assert_null (optest_job (*state));
    app_delete (*state);
    outcome_t outcome = {.stage = FETCH_ANSWERED, .body = first->out.body};
    assert_int_equal (optest_job_done (*state, first, &outcome), 0);
    world_run_out (*state);
    const char *story = world_story (*state);
    assert_non_null (strstr (story, "failed"));
    assert_null (strstr (strstr (story, "sent") + 1,
                         "sent")); /* one went out: the one that was on its way */
    assert_int_equal (counts (*state).messages_failed, 1);
}

typedef struct expiry {
    int64_t days;
} expiry_t;

static int expiry_run (turn_t *t, void *context)
{
    expiry_t *out = context;
    out->days = (media_expiry (t, world_org) - t->now) / 86400000;
    return 0;
}

static void org_tell (optest_t *test, uint64_t version, bool given, int64_t days)
{
    accounts_org_changed_t body = {.id = world_org, .media_retention_days = days};
    body.has = given ? ACCOUNTS_ORG_CHANGED_HAS_MEDIA_RETENTION_DAYS : 0;
    event_about_t about = {.record = world_org, .version = version, .org = world_org};
    assert_int_equal (optest_follow (test, &accounts_org_changed_event, &about, &body, NULL), 0);
}

static void test_files_are_kept_as_the_organization_says (void **state)
{
    const struct {
        bool given;
        int64_t days, want;
    } rows[] = {{false, 0, 90}, {true, 7, 7}, {true, 0, 36500}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        expiry_t expiry = {0};
        messaging_org_policy_out_t policy = {0};
        envelope_t header = {.org = world_org, .principal = PRINCIPAL_ADMIN_KEY};
        org_tell (*state, i + 1, rows[i].given, rows[i].days);
        assert_int_equal (optest_run (*state, expiry_run, &expiry), 0);
        assert_int_equal (expiry.days, rows[i].want);
        assert_int_equal (optest_ask (*state, "org_policy", &header,
                                      &(messaging_org_policy_in_t){0}, &policy, NULL),
                          0);
        assert_int_equal (policy.media_retention_days, rows[i].want == 36500 ? 0 : rows[i].want);
        messaging_org_policy_in_t newer = {.media_retention_days = 11};
        assert_int_equal (optest_ask (*state, "org_policy", &header, &newer, &policy, NULL), 0);
        assert_int_equal (policy.media_retention_days, 11);
        newer = (messaging_org_policy_in_t){.media_unlimited = true};
        assert_int_equal (optest_ask (*state, "org_policy", &header, &newer, &policy, NULL), 0);
        assert_int_equal (policy.media_retention_days, 0);
    }
}

typedef struct file_state {
    id16_t id;
    bool deleted;
} file_state_t;

static int file_look (turn_t *t, void *context)
{
    file_state_t *state = context;
    messaging_media_t media = {0};
    int code = store_get_any (t->txn, &messaging_media_record, state->id, t->arena, &media);
    state->deleted = media.deleted;
    return code;
}

static void test_files_of_a_deleted_app_go (void **state)
{
    enum { FILES = 250 /* more than one step */ };
    optest_t *test = *state;
    file_state_t other = {.id = world_file (test, world_live_app, MESSAGING_KIND_IMAGE)};
    file_state_t files[FILES];
    for (size_t i = 0; i < FILES; i++)
        files[i] = (file_state_t){.id = world_file (test, world_app, MESSAGING_KIND_IMAGE)};
    app_delete (test);
    for (int i = 0; i < 4; i++)
        assert_int_equal (optest_advance (test, 1), 0);
    for (size_t i = 0; i < FILES; i++) {
        int code = optest_run (test, file_look, &files[i]);
        assert_true (code == E_NOT_FOUND || (code == 0 && files[i].deleted));
    }
    assert_int_equal (optest_run (test, file_look, &other), 0);
    assert_false (other.deleted);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_recipients_are_counted_once, world_setup,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_a_lifted_failure_is_taken_back, world_setup,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_what_a_deleted_app_had_queued_fails, world_setup,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_the_end_of_an_app_is_not_waited_for, world_setup,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_files_of_a_deleted_app_go, world_setup,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_files_are_kept_as_the_organization_says, world_setup,
                                         world_teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
