/* people_test.c - read receipts and typing as parked asks, opt-out words, and what explain tells. */
#include "messaging_world.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static id16_t person_writes (optest_t *test, int32_t carrier, bool whatsapp, const char *text,
                             const char *provider_id)
{
    bool live = carrier != ACCOUNTS_CARRIER_LOOPBACK;
    const provider_event_t event = {
        .news = NEWS_INBOUND,
        .provider_id = provider_id,
        .at = 1,
        .whatsapp = whatsapp,
        .org = world_org,
        .from = WORLD_PERSON,
        .text = text,
        .number = live       ? world_live_whatsapp_number
                  : whatsapp ? world_whatsapp_number
                             : world_number,
        .to = live       ? WORLD_LIVE_WHATSAPP
              : whatsapp ? WORLD_WHATSAPP
                         : WORLD_SMS,
    };
    messaging_message_received_t told = {0};
    world_inbound (test, carrier, &event);
    assert_true (world_last (test, &messaging_message_received_event, &told));
    return told.message->id;
}

static int mark (optest_t *test, const char *op, envelope_t header, id16_t id, failure_t *failure)
{
    messaging_message_ref_t in = {.message = id};
    messaging_success_t out = {0};
    return optest_ask (test, op, &header, &in, &out, failure);
}

static void test_loopback_marks_read (void **state)
{
    id16_t id = person_writes (*state, ACCOUNTS_CARRIER_LOOPBACK, true, "Hi", "w-1");
    messaging_success_t out = {0};
    assert_int_equal (mark (*state, "message_read", world_caller (), id, NULL), E_PARKED);
    optest_put_t *asked = optest_last (*state);
    assert_true (world_carrier_answers (*state));
    assert_int_equal (optest_take (*state, asked, &out, NULL), 0);
    assert_true (out.success);
}

static void test_only_what_came_in_to_this_app_is_marked (void **state)
{
    messaging_whatsapp_send_in_t in = {.kind = MESSAGING_KIND_TEXT, .text = "x"};
    messaging_whatsapp_send_out_t sent = {0};
    id16_t id = person_writes (*state, ACCOUNTS_CARRIER_LOOPBACK, true, "Hi", "w-1");
    id16_t sms = person_writes (*state, ACCOUNTS_CARRIER_LOOPBACK, false, "Hi", "w-2");
    assert_int_equal (world_whatsapp (*state, world_caller (), &in, &sent, NULL), 0);
    assert_int_equal (mark (*state, "message_read", world_live_caller (), id, NULL), E_NOT_FOUND);
    assert_int_equal (mark (*state, "message_read", world_caller (), sms, NULL), E_NOT_FOUND);
    assert_int_equal (mark (*state, "message_typing", world_caller (), (id16_t){{99}}, NULL),
                      E_NOT_FOUND);
    assert_int_equal (mark (*state, "message_typing", world_caller (), sent.id, NULL),
                      E_BAD_REQUEST);
}

static void test_the_carriers_answer_is_the_callers (void **state)
{
    static const struct {
        const char *op;
        int status;
        const char *body;
        int want;
    } rows[] = {
        {"message_read", 200, "{\"success\":true}", 0},
        {"message_typing", 200, "{\"success\":true}", 0},
        {"message_typing", 400, "{\"error\":{\"message\":\"Locked\",\"code\":131031}}",
         E_ACCOUNT_RESTRICTED},
        {"message_read", 401, "{\"error\":{\"message\":\"Expired\",\"code\":190}}",
         E_CARRIER_CREDENTIALS},
    };
    id16_t id = person_writes (*state, ACCOUNTS_CARRIER_META, true, "Hi", "wamid.1");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        messaging_success_t out = {0};
        assert_int_equal (mark (*state, rows[i].op, world_live_caller (), id, NULL), E_PARKED);
        optest_put_t *asked = optest_last (*state);
        outward_t *job = optest_job (*state);
        assert_non_null (job);
        assert_int_equal (optest_job_answered (*state, job, rows[i].status, rows[i].body), 0);
        assert_int_equal (optest_take (*state, asked, &out, NULL), rows[i].want);
        assert_int_equal (out.success, rows[i].want == 0);
    }
}

static void test_a_carrier_that_does_not_answer_is_asked_twice (void **state)
{
    messaging_success_t out = {0};
    id16_t id = person_writes (*state, ACCOUNTS_CARRIER_META, true, "Hi", "wamid.1");
    assert_int_equal (mark (*state, "message_read", world_live_caller (), id, NULL), E_PARKED);
    optest_put_t *asked = optest_last (*state);
    for (int i = 0; i < 2; i++) {
        outward_t *job = optest_job (*state);
        outcome_t outcome = {.stage = FETCH_SENT, .code = E_TIMEOUT};
        assert_non_null (job);
        assert_int_equal (optest_job_done (*state, job, &outcome), 0);
        assert_int_equal (optest_advance (*state, 1000), 0);
    }
    assert_int_equal (optest_take (*state, asked, &out, NULL), E_META_API_UNAVAILABLE);
}

/* ---- STOP ---- */

static const char *after_send (optest_t *test)
{
    messaging_sms_send_out_t out = {0};
    messaging_message_status_t told = {0};
    assert_int_equal (world_sms (test, WORLD_PERSON, "Hello", &out, NULL), 0);
    world_run_out (test);
    assert_true (world_last (test, &messaging_message_status_event, &told));
    return told.error ? told.error->provider->code : "";
}

static void test_stop_holds_until_start (void **state)
{
    static const struct {
        const char *text;
        const char *want;
    } rows[] = {
        {"Please stop", ""}, {"help", ""},        {"STOP", "40300"},     {"Start now", "40300"},
        {"start", ""},       {" stop ", "40300"}, {"stop all", "40300"}, {"UNSTOP", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        person_writes (*state, ACCOUNTS_CARRIER_LOOPBACK, false, rows[i].text,
                       arena_printf (optest_arena (*state), "s-%zu", i));
        if (strcmp (after_send (*state), rows[i].want) != 0)
            fail_msg ("after %s", rows[i].text);
    }
}

static void test_optouts_are_listed_and_cleared (void **state)
{
    messaging_optout_list_in_t all = {.limit = 10};
    messaging_optout_list_out_t listed = {0};
    messaging_optout_clear_in_t clear = {.peer = WORLD_PERSON, .number = WORLD_WHATSAPP};
    messaging_optout_clear_out_t cleared = {0};
    person_writes (*state, ACCOUNTS_CARRIER_LOOPBACK, false, "Stop", "s-1");
    assert_int_equal (optest_ask (*state, "optout_list", NULL, &all, &listed, NULL), 0);
    assert_int_equal (listed.optouts.count, 1);
    assert_string_equal (((const messaging_optout_t *) listed.optouts.items)->peer, WORLD_PERSON);
    assert_int_equal (optest_ask (*state, "optout_clear", NULL, &clear, &cleared, NULL), 0);
    assert_int_equal (cleared.cleared, 0);
    clear.number = NULL;
    assert_int_equal (optest_ask (*state, "optout_clear", NULL, &clear, &cleared, NULL), 0);
    assert_int_equal (cleared.cleared, 1);
    assert_string_equal (after_send (*state), "");
}

/* ---- explain ---- */

typedef struct story {
    id16_t id;
    svc_explain_t out;
    buf_t text;
} story_t;

static void line_add (void *context, int64_t at, const char *what, const char *detail)
{
    (void) at;
    buf_printf (&((story_t *) context)->text, "%s: %s\n", what, detail);
}

static int explain_run (turn_t *t, void *context)
{
    story_t *story = context;
    return messaging_explain (t, story->id, &story->out);
}

static void test_explain_tells_kinds_and_codes_but_no_contents (void **state)
{
    story_t story = {.out = {line_add, &story}, .text = buf_in (optest_arena (*state))};
    messaging_media_content_t media = {.media =
                                           world_file (*state, world_app, MESSAGING_KIND_DOCUMENT),
                                       .caption = "our offer",
                                       .filename = "secret.pdf"};
    messaging_whatsapp_send_in_t in = {
        .kind = MESSAGING_KIND_DOCUMENT, .media = &media, .to = "+9992131031"};
    messaging_whatsapp_send_out_t sent = {0};
    assert_int_equal (world_whatsapp (*state, world_caller (), &in, &sent, NULL), 0);
    world_run_out (*state);
    story.id = sent.id;
    assert_int_equal (optest_run (*state, explain_run, &story), 0);
    const char *text = buf_text (&story.text);
    assert_non_null (strstr (text, "content: application/pdf of 1000 bytes, name ***.pdf"));
    assert_non_null (strstr (text, "131031"));
    assert_null (strstr (text, "secret"));
    assert_null (strstr (text, "our offer"));
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_loopback_marks_read, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown (test_only_what_came_in_to_this_app_is_marked, world_setup,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_the_carriers_answer_is_the_callers, world_setup,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_a_carrier_that_does_not_answer_is_asked_twice,
                                         world_setup, world_teardown),
        cmocka_unit_test_setup_teardown (test_stop_holds_until_start, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown (test_optouts_are_listed_and_cleared, world_setup,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_explain_tells_kinds_and_codes_but_no_contents,
                                         world_setup, world_teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
