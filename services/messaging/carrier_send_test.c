/* carrier_send_test.c - sends of a live app through a carrier's adapter: the window, files first, tries, limits, unknown outcomes, what the carrier calls its things. */
#define _GNU_SOURCE
#include "messaging_world.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static const char accepted[] =
    "{\"messaging_product\":\"whatsapp\",\"contacts\":[{\"input\":\"+15551234567\",\"wa_id\":\"15551234567\"}],"
    "\"messages\":[{\"id\":\"wamid.A\"}]}";

static void person_writes (optest_t *test, const char *provider_id, const messaging_body_t *body,
                           int32_t kind)
{
    provider_event_t event = world_hi (provider_id, true);
    event.kind = kind;
    event.body = body;
    event.contact_name = "Ada";
    world_inbound (test, ACCOUNTS_CARRIER_META, &event);
}

static int say (optest_t *test, const char *text, id16_t reply_to, id16_t *id, failure_t *failure)
{
    messaging_whatsapp_send_in_t in = {
        .kind = MESSAGING_KIND_TEXT, .text = text, .reply_to = reply_to};
    messaging_whatsapp_send_out_t out = {0};
    int code = world_whatsapp (test, world_live_caller (), &in, &out, failure);
    *id = out.id;
    return code;
}

static bool body_has (const outward_t *job, const char *text)
{
    return memmem (job->out.request.body.data, job->out.request.body.size, text, strlen (text)) !=
           NULL;
}

static outward_t *next_http (optest_t *test)
{
    outward_t *job = optest_job (test);
    assert_non_null (job);
    assert_int_equal (job->out.how, OUT_HTTP);
    return job;
}

static void test_the_window_decides (void **state)
{
    id16_t id;
    failure_t failure = {0};
    assert_int_equal (say (*state, "x", id_nil (), &id, &failure), E_CONVERSATION_WINDOW_EXPIRED);
    assert_string_equal (world_story (*state), "");
    person_writes (*state, "wamid.1", NULL, 0);
    assert_int_equal (say (*state, "x", id_nil (), &id, &failure), 0);
    assert_int_equal (optest_advance (*state, 24 * 3600 * 1000 + 1), 0);
    assert_int_equal (say (*state, "x", id_nil (), &id, &failure), E_CONVERSATION_WINDOW_EXPIRED);
    messaging_whatsapp_send_in_t in = {
        .kind = MESSAGING_KIND_TEXT, .text = "x", .window = MESSAGING_WINDOW_POLICY_LET_FAIL};
    messaging_whatsapp_send_out_t out = {0};
    assert_int_equal (world_whatsapp (*state, world_live_caller (), &in, &out, NULL), 0);
}

static void test_what_opens_no_window (void **state)
{
    id16_t id;
    messaging_system_content_t system = {.kind = MESSAGING_SYSTEM_KIND_USER_CHANGED_NUMBER,
                                         .body = "moved"};
    messaging_body_t body = {.system = &system};
    person_writes (*state, "wamid.1", &body, MESSAGING_KIND_SYSTEM);
    provider_event_t old = world_hi ("wamid.2", true);
    old.at = 1000;
    old.source = MESSAGING_SOURCE_HISTORY_IMPORT;
    world_inbound (*state, ACCOUNTS_CARRIER_META, &old);
    messaging_message_received_t told = {0};
    assert_true (world_last (*state, &messaging_message_received_event, &told));
    assert_true (told.message->historical);
    assert_null (told.message->window);
    assert_int_equal (say (*state, "x", id_nil (), &id, NULL), E_CONVERSATION_WINDOW_EXPIRED);
}

static void test_sent_with_the_quoted_id_and_known_by_the_carriers (void **state)
{
    id16_t id;
    messaging_message_received_t told = {0};
    person_writes (*state, "wamid.1", NULL, 0);
    assert_true (world_last (*state, &messaging_message_received_event, &told));
    assert_string_equal (told.message->contact_name, "Ada");
    assert_int_equal (say (*state, "Hello", told.message->id, &id, NULL), 0);
    outward_t *job = next_http (*state);
    assert_string_equal (job->out.request.url,
                         "https://carrier.example/v1/106540352242922/messages");
    assert_int_equal (job->out.request.timeout_ms, 30000);
    assert_true (body_has (job, "wamid.1"));
    assert_int_equal (optest_job_answered (*state, job, 200, accepted), 0);
    assert_string_equal (world_story (*state), "received accepted sent ");

    /* The person reacts to it: the carrier's id becomes ours. */
    messaging_reaction_content_t reaction = {.provider_id = "wamid.A", .emoji = "+"};
    messaging_context_content_t context = {.provider_id = "wamid.A"};
    messaging_body_t body = {.reaction = &reaction, .context = &context};
    person_writes (*state, "wamid.2", &body, MESSAGING_KIND_REACTION);
    assert_true (world_last (*state, &messaging_message_received_event, &told));
    assert_true (id_equal (told.message->reaction->message, id));
    assert_true (id_equal (told.message->context->message, id));
    assert_string_equal (told.message->reaction->provider_id, "wamid.A");
}

static void test_what_the_carrier_refuses_is_told_in_its_words (void **state)
{
    id16_t id;
    messaging_message_status_t told = {0};
    person_writes (*state, "wamid.1", NULL, 0);
    assert_int_equal (say (*state, "x", id_nil (), &id, NULL), 0);
    assert_int_equal (
        optest_job_answered (
            *state, next_http (*state), 400,
            "{\"error\":{\"message\":\"(#131031) Account locked for now\",\"type\":\"OAuthException\",\"code\":131031,"
            "\"fbtrace_id\":\"Az8\"}}"),
        0);
    assert_true (world_last (*state, &messaging_message_status_event, &told));
    assert_int_equal (told.status, MESSAGING_STATUS_FAILED);
    assert_int_equal (told.error->code, E_ACCOUNT_RESTRICTED);
    assert_string_equal (told.error->provider->source, "meta");
    assert_string_equal (told.error->provider->code, "131031");
    assert_string_equal (told.error->provider->fbtrace_id, "Az8");
}

static void test_a_carrier_that_is_down_is_tried_on_a_schedule (void **state)
{
    id16_t id;
    messaging_message_status_t told = {0};
    person_writes (*state, "wamid.1", NULL, 0);
    assert_int_equal (say (*state, "x", id_nil (), &id, NULL), 0);
    static const int64_t waits[] = {1000, 2000, 5000, 10000, 30000, 60000, 120000, 300000};
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        outcome_t outcome = {
            .stage = FETCH_NOT_SENT, .code = E_UNAVAILABLE, .reason = "connection refused"};
        assert_int_equal (optest_job_done (*state, next_http (*state), &outcome), 0);
        assert_int_equal (optest_advance (*state, waits[i] / 2), 0);
        assert_null (optest_job (*state));
        assert_int_equal (optest_advance (*state, waits[i] - waits[i] / 2), 0);
    }
    outcome_t outcome = {
        .stage = FETCH_NOT_SENT, .code = E_UNAVAILABLE, .reason = "connection refused"};
    assert_int_equal (optest_job_done (*state, next_http (*state), &outcome), 0);
    assert_true (world_last (*state, &messaging_message_status_event, &told));
    assert_int_equal (told.error->code, E_META_API_UNAVAILABLE);
}

static void test_too_fast_waits_and_drops_nothing (void **state)
{
    id16_t id;
    person_writes (*state, "wamid.1", NULL, 0);
    assert_int_equal (say (*state, "x", id_nil (), &id, NULL), 0);
    for (int i = 0; i < 20; i++) {
        assert_int_equal (
            optest_job_answered (
                *state, next_http (*state), 429,
                "{\"error\":{\"message\":\"(#130429) Rate limit hit\",\"code\":130429}}"),
            0);
        assert_int_equal (optest_advance (*state, 400 * 1000), 0);
    }
    assert_int_equal (optest_job_answered (*state, next_http (*state), 200, accepted), 0);
    assert_string_equal (world_story (*state), "received accepted sent ");
}

static void test_an_answer_that_got_lost_is_settled_or_fails_later (void **state)
{
    id16_t id;
    person_writes (*state, "wamid.1", NULL, 0);
    assert_int_equal (say (*state, "x", id_nil (), &id, NULL), 0);
    outcome_t outcome = {.stage = FETCH_SENT, .code = E_TIMEOUT, .reason = "no answer"};
    assert_int_equal (optest_job_done (*state, next_http (*state), &outcome), 0);
    assert_int_equal (optest_advance (*state, 60 * 1000), 0);
    assert_null (optest_job (*state)); /* never sent again */
    assert_string_equal (world_story (*state), "received accepted ");
    assert_int_equal (optest_advance (*state, 11 * 60 * 1000), 0);
    assert_string_equal (world_story (*state), "received accepted failed ");
}

static void test_a_file_goes_first_and_once (void **state)
{
    id16_t file = world_file (*state, world_live_app, MESSAGING_KIND_IMAGE);
    messaging_media_content_t media = {.media = file};
    messaging_whatsapp_send_in_t in = {.kind = MESSAGING_KIND_IMAGE, .media = &media};
    messaging_whatsapp_send_out_t out = {0};
    person_writes (*state, "wamid.1", NULL, 0);
    assert_int_equal (world_whatsapp (*state, world_live_caller (), &in, &out, NULL), 0);
    outward_t *job = next_http (*state);
    assert_string_equal (job->out.request.url, "https://carrier.example/v1/106540352242922/media");
    assert_int_equal (optest_job_answered (*state, job, 200, "{\"id\":\"9001\"}"), 0);
    job = next_http (*state);
    assert_true (body_has (job, "\"9001\""));
    assert_int_equal (optest_job_answered (*state, job, 200, accepted), 0);
    assert_int_equal (world_whatsapp (*state, world_live_caller (), &in, &out, NULL), 0);
    job = next_http (*state);
    assert_true (body_has (job, "\"9001\""));
    assert_int_equal (
        optest_job_answered (*state, job, 200, "{\"messages\":[{\"id\":\"wamid.B\"}]}"), 0);
    assert_string_equal (world_story (*state), "received accepted sent accepted sent ");
}

static void test_without_its_account_a_send_fails (void **state)
{
    accounts_carrier_changed_t gone = {
        .id = world_telnyx, .org = world_org, .carrier = ACCOUNTS_CARRIER_TELNYX, .deleted = true};
    event_about_t about = {.record = world_telnyx, .version = 2, .org = world_org};
    const char *to[] = {WORLD_PERSON};
    messaging_sms_send_in_t in = {.from = WORLD_LIVE_SMS, .to = {to, 1}, .text = "x"};
    messaging_sms_send_out_t out = {0};
    envelope_t header = world_live_caller ();
    assert_int_equal (optest_follow (*state, &accounts_carrier_changed_event, &about, &gone, NULL),
                      0);
    assert_int_equal (optest_ask (*state, "sms_send", &header, &in, &out, NULL), 0);
    assert_string_equal (world_story (*state), "accepted failed ");
}

/* ---- several ids of one message ---- */

static int ids_run (turn_t *t, void *context)
{
    static const char *const ids[] = {"part-1", "part-2", "part-3"};
    messaging_recipient_t found = {0};
    messaging_recipient_t recipient = {.id = turn_id (t),
                                       .org = world_org,
                                       .message = turn_id (t),
                                       .carrier = ACCOUNTS_CARRIER_TELNYX};
    int code = provider_ids_note (t, &recipient, ids, 3);
    if (code == 0)
        code = store_insert (t->txn, &messaging_recipient_record, &recipient, NULL);
    for (size_t i = 0; i < 3 && code == 0; i++) {
        code = recipient_of_provider_id (t, ACCOUNTS_CARRIER_TELNYX, ids[i], &found);
        *(size_t *) context += id_equal (found.id, recipient.id);
    }
    return code;
}

static void test_every_id_of_a_message_finds_it (void **state)
{
    size_t found = 0;
    assert_int_equal (optest_run (*state, ids_run, &found), 0);
    assert_int_equal (found, 3);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_the_window_decides, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown (test_what_opens_no_window, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown (test_sent_with_the_quoted_id_and_known_by_the_carriers,
                                         world_setup, world_teardown),
        cmocka_unit_test_setup_teardown (test_what_the_carrier_refuses_is_told_in_its_words,
                                         world_setup, world_teardown),
        cmocka_unit_test_setup_teardown (test_a_carrier_that_is_down_is_tried_on_a_schedule,
                                         world_setup, world_teardown),
        cmocka_unit_test_setup_teardown (test_too_fast_waits_and_drops_nothing, world_setup,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_an_answer_that_got_lost_is_settled_or_fails_later,
                                         world_setup, world_teardown),
        cmocka_unit_test_setup_teardown (test_a_file_goes_first_and_once, world_setup,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_without_its_account_a_send_fails, world_setup,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_every_id_of_a_message_finds_it, world_setup,
                                         world_teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
