/* erase_late_test.c - a contact is erased: nothing in any table tells of the person, not even after receipts that come late; other people keep all. */
#include "base/clock.h"
#include "gen/inbox.h"
#include "messaging_world.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#define OTHER  "+15551234568"
#define MARKER "MARKER-of-a-person"

static int64_t rows_with (optest_t *test, const char *text)
{
    int64_t found = optest_rows_with (test, text, NULL);
    assert_true (found >= 0);
    return found;
}

static messaging_thread_told_t send (optest_t *test, envelope_t caller, const char *to,
                                     const char *text)
{
    messaging_message_accepted_t event = {0};
    messaging_whatsapp_send_in_t in = {.kind = MESSAGING_KIND_TEXT, .text = text, .to = to};
    messaging_whatsapp_send_out_t out = {0};
    assert_int_equal (world_whatsapp (test, caller, &in, &out, NULL), 0);
    assert_true (world_last (test, &messaging_message_accepted_event, &event));
    return *event.thread;
}

static void person_writes (optest_t *test, const char *from, const char *provider_id, bool live)
{
    const provider_event_t event = {.news = NEWS_INBOUND,
                                    .provider_id = provider_id,
                                    .whatsapp = true,
                                    .org = world_org,
                                    .from = from,
                                    .text = MARKER,
                                    .contact_name = MARKER,
                                    .number =
                                        live ? world_live_whatsapp_number : world_whatsapp_number,
                                    .to = live ? WORLD_LIVE_WHATSAPP : WORLD_WHATSAPP};
    world_inbound (test, live ? ACCOUNTS_CARRIER_META : ACCOUNTS_CARRIER_LOOPBACK, &event);
}

static void erase (optest_t *test, const messaging_thread_told_t *thread)
{
    inbox_erased_t erased = {.contact = thread->contact,
                             .conversation = thread->conversation,
                             .number_id = thread->number_id,
                             .peer = thread->peer,
                             .at = clock_now_ms ()};
    event_about_t about = {.record = erased.contact, .version = 1, .org = world_org};
    assert_int_equal (optest_follow (test, &inbox_erased_event, &about, &erased, NULL), 0);
}

static void quiet (optest_t *test)
{
    for (int i = 0; i < 20; i++)
        assert_int_equal (optest_advance (test, 10000), 0);
}

static void test_nothing_tells (void **state)
{
    optest_t *test = *state;
    messaging_thread_told_t thread = send (test, world_caller (), WORLD_PERSON, MARKER);
    person_writes (test, WORLD_PERSON, "w-1", false);
    person_writes (test, OTHER, "w-2", false);
    world_run_out (test);
    for (int i = 0; i < 120; i++) /* more than a step */
        send (test, world_caller (), WORLD_PERSON, MARKER);
    send (test, world_caller (), OTHER, "to another");
    send (test, world_caller (), WORLD_PERSON, MARKER); /* its receipts come late */
    int64_t other = rows_with (test, &OTHER[1]);
    erase (test, &thread);
    world_run_out (test);
    quiet (test);
    assert_int_equal (rows_with (test, &WORLD_PERSON[1]), 0);
    assert_int_equal (rows_with (test, "to another") > 0, 1);
    assert_true (rows_with (test, &OTHER[1]) >= other);
    assert_true (rows_with (test, MARKER) > 0); /* the other wrote it too */
    messaging_messages_erased_t told = {0};
    assert_true (world_last (test, &messaging_messages_erased_event, &told));
    assert_true (id_equal (told.conversation, thread.conversation));
    messaging_thread_told_t anew = send (test, world_caller (), WORLD_PERSON, "again");
    assert_true (anew.created);
    assert_false (id_equal (anew.contact, thread.contact));
}

typedef struct late {
    const char *text;
} late_t;

static int late_run (turn_t *t, void *context)
{
    callback_origin_t origin = {.carrier = ACCOUNTS_CARRIER_META, .account = world_meta};
    return callback_take (t, &origin, bytes_of_str (((late_t *) context)->text));
}

/* Meta tells of a message that was erased since: that it called is kept, what it said is not. One about nothing known is parked as ever. */
static void test_late_receipt (void **state)
{
    optest_t *test = *state;
    static const char status[] =
        "{\"object\":\"whatsapp_business_account\",\"entry\":[{\"id\":\"1\",\"changes\":[{\"field\":"
        "\"messages\",\"value\":{\"messaging_product\":\"whatsapp\",\"metadata\":{\"display_phone_number\":"
        "\"15550004444\",\"phone_number_id\":\"" WORLD_LIVE_REF
        "\"},\"statuses\":[{\"id\":\"%s\",\"status\":\"delivered\",\"timestamp\":\"1700000000\","
        "\"recipient_id\":\"15551234567\"}]}}]}]}";
    person_writes (test, WORLD_PERSON, "wamid.in", true);
    messaging_thread_told_t thread = send (test, world_live_caller (), WORLD_PERSON, MARKER);
    outward_t *outward = optest_job (test);
    assert_non_null (outward);
    assert_int_equal (optest_job_answered (test, outward, 200,
                                           "{\"messaging_product\":\"whatsapp\",\"messages\":[{"
                                           "\"id\":\"wamid.erased\"}]}"),
                      0);
    erase (test, &thread);
    quiet (test);
    assert_int_equal (rows_with (test, &WORLD_PERSON[1]), 0);
    assert_int_equal (rows_with (test, "wamid.erased"), 0);
    late_t late = {arena_printf (optest_arena (test), status, "wamid.erased")};
    assert_int_equal (optest_run (test, late_run, &late), 0);
    assert_int_equal (rows_with (test, &WORLD_PERSON[1]), 0);
    assert_int_equal (rows_with (test, "wamid.erased"), 0);
    assert_int_equal (rows_with (test, "erased"), 1); /* that it was about something erased */
    late.text = arena_printf (optest_arena (test), status, "wamid.early");
    assert_int_equal (optest_run (test, late_run, &late), 0);
    assert_true (rows_with (test, "wamid.early") >= 2);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_nothing_tells, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown (test_late_receipt, world_setup, world_teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
