/* thread_test.c - threads: one for a number and a person whoever writes first, told in every event of theirs, made for old messages too. */
#include "messaging_world.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static const messaging_thread_told_t *send (optest_t *test, const char *to)
{
    static messaging_message_accepted_t event;
    messaging_whatsapp_send_in_t in = {.kind = MESSAGING_KIND_TEXT, .text = "Hi", .to = to};
    messaging_whatsapp_send_out_t out = {0};
    assert_int_equal (world_whatsapp (test, world_caller (), &in, &out, NULL), 0);
    assert_true (world_last (test, &messaging_message_accepted_event, &event));
    assert_non_null (event.thread);
    return event.thread;
}

static messaging_message_received_t person_writes (optest_t *test, const char *provider_id,
                                                   const char *name)
{
    provider_event_t event = world_hi (provider_id, false);
    event.text = "Hello";
    event.contact_name = name;
    messaging_message_received_t told = {0};
    world_inbound (test, ACCOUNTS_CARRIER_LOOPBACK, &event);
    assert_true (world_last (test, &messaging_message_received_event, &told));
    return told;
}

static void test_one_thread_for_a_number_and_a_person (void **state)
{
    const messaging_thread_told_t *first = send (*state, WORLD_PERSON);
    assert_true (first->created);
    assert_string_equal (first->number_ref, WORLD_REF);
    assert_string_equal (first->waba, "1");
    assert_string_equal (first->number, WORLD_WHATSAPP);
    assert_string_equal (first->peer, WORLD_PERSON);
    assert_false (id_equal (first->conversation, first->contact));
    id16_t conversation = first->conversation, contact = first->contact;
    const messaging_thread_told_t *again = send (*state, WORLD_PERSON);
    assert_false (again->created);
    assert_true (id_equal (again->conversation, conversation));
    messaging_message_received_t in = person_writes (*state, "w-1", "Ann");
    assert_false (in.thread->created);
    assert_true (id_equal (in.thread->conversation, conversation));
    assert_true (id_equal (in.thread->contact, contact));
    assert_string_equal (in.thread->name, "Ann");
    assert_string_equal (in.provider_id, "w-1");
    const messaging_thread_told_t *other = send (*state, "+15551234568");
    assert_true (other->created);
    assert_false (id_equal (other->conversation, conversation));
    messaging_message_status_t moved = {0};
    world_run_out (*state);
    assert_true (world_last (*state, &messaging_message_status_event, &moved));
    bool is_other = strcmp (moved.message->to, WORLD_PERSON) != 0;
    assert_true (
        id_equal (moved.thread->conversation, is_other ? other->conversation : conversation));
    assert_true (moved.at > 0);
    assert_non_null (moved.provider_id);
}

static int count_one (void *context, const void *row)
{
    (void) row;
    ++*(size_t *) context;
    return 0;
}

static int nil_count (turn_t *t, void *context)
{
    store_key_t key = {.id = id_nil ()};
    store_page_t page = {.index = "by_conversation", .keys = &key, .key_count = 1, .limit = 10};
    return store_list (t->txn, &messaging_message_record, &page, t->arena, count_one, context,
                       NULL);
}

static void test_sms_have_none (void **state)
{
    messaging_sms_send_out_t out = {0};
    messaging_message_accepted_t event = {0};
    size_t count = 0;
    assert_int_equal (world_sms (*state, WORLD_PERSON, "Hi", &out, NULL), 0);
    assert_false (world_last (*state, &messaging_message_accepted_event, &event));
    assert_int_equal (optest_run (*state, nil_count, &count), 0);
    assert_int_equal (count, 0); /* nor do they stand in the index */
}

static int ensure (optest_t *test, envelope_t header, const char *ref,
                   messaging_thread_ensure_out_t *out)
{
    messaging_thread_ensure_in_t in = {.number_ref = ref, .phone = WORLD_PERSON};
    *out = (messaging_thread_ensure_out_t){0};
    return optest_ask (test, "thread_ensure", &header, &in, out, NULL);
}

static void test_ensure_is_the_same_thread (void **state)
{
    messaging_thread_ensure_out_t first = {0}, again = {0};
    envelope_t stranger = world_org_caller ();
    stranger.org = (id16_t){{99}};
    assert_int_equal (ensure (*state, world_org_caller (), WORLD_REF, &first), 0);
    assert_true (first.created);
    assert_true (id_equal (first.number_id, world_whatsapp_number));
    assert_int_equal (ensure (*state, world_org_caller (), WORLD_REF, &again), 0);
    assert_false (again.created);
    assert_true (id_equal (again.conversation, first.conversation));
    assert_true (id_equal (again.contact, first.contact));
    assert_int_equal (ensure (*state, world_org_caller (), "999999", &again), E_NOT_FOUND);
    assert_int_equal (ensure (*state, stranger, WORLD_REF, &again), E_NOT_FOUND);
    const messaging_thread_told_t *sent = send (*state, WORLD_PERSON);
    assert_false (sent->created);
    assert_true (id_equal (sent->conversation, first.conversation));
    assert_int_equal (world_number_tell (*state, world_whatsapp_number,
                                         ACCOUNTS_NUMBER_STATUS_CONNECTED, 2, true),
                      0);
    assert_int_equal (ensure (*state, world_org_caller (), WORLD_REF, &again), E_NOT_FOUND);
}

static void mark_read (optest_t *test, id16_t id)
{
    messaging_message_ref_t in = {.message = id};
    messaging_success_t out = {0};
    envelope_t header = world_caller ();
    assert_int_equal (optest_ask (test, "message_read", &header, &in, &out, NULL), E_PARKED);
    assert_true (world_carrier_answers (test));
}

static size_t reads_told (optest_t *test)
{
    const common_event_t *events = NULL;
    size_t count = optest_events (test, 0, &events), reads = 0;
    for (size_t i = 0; i < count; i++)
        reads += events[i].number == messaging_conversation_read_event.number;
    return reads;
}

static void test_reading_says_what_is_left (void **state)
{
    messaging_conversation_read_t read = {0};
    id16_t first = person_writes (*state, "w-1", NULL).message->id;
    id16_t second = person_writes (*state, "w-2", NULL).message->id;
    messaging_message_received_t third = person_writes (*state, "w-3", NULL);
    mark_read (*state, second);
    assert_true (world_last (*state, &messaging_conversation_read_event, &read));
    assert_true (id_equal (read.conversation, third.thread->conversation));
    assert_true (id_equal (read.message, second));
    assert_int_equal (read.after, 1);
    mark_read (*state, first); /* an older one leaves no more unread */
    assert_true (world_last (*state, &messaging_conversation_read_event, &read));
    assert_true (id_equal (read.message, second));
    assert_int_equal (read.after, 1);
    mark_read (*state, first);
    assert_int_equal (reads_told (*state), 2);
    mark_read (*state, third.message->id);
    assert_true (world_last (*state, &messaging_conversation_read_event, &read));
    assert_int_equal (read.after, 0);
}

/* ---- states, and stores from before there were threads ---- */

typedef struct old_store {
    size_t messages;
    int64_t first_at;
} old_store_t;

static int old_messages (turn_t *t, void *context)
{
    old_store_t *self = context;
    static const char *const person[] = {WORLD_PERSON}, *const ours[] = {WORLD_WHATSAPP};
    id16_t fill = {.b = {[15] = 1}};
    int code = store_del (t->txn, &messaging_thread_fill_record, fill);
    for (size_t i = 0; i < self->messages && code == 0; i++) {
        bool inbound = i % 2;
        messaging_message_t row = {
            .id = turn_id (t),
            .org = world_org,
            .number = world_whatsapp_number,
            .channel = i % 5 == 4 ? ACCOUNTS_CHANNEL_SMS : ACCOUNTS_CHANNEL_WHATSAPP,
            .direction = inbound ? MESSAGING_DIRECTION_INBOUND : MESSAGING_DIRECTION_OUTBOUND,
            .kind = MESSAGING_KIND_TEXT,
            .test = true,
            .from = inbound ? person[0] : ours[0],
            .to = {(void *) (inbound ? ours : person), 1},
            .text = "old",
            .contact_name = inbound ? "Ann" : NULL,
            .created_at = self->first_at + (int64_t) i};
        code = store_insert (t->txn, &messaging_message_record, &row, NULL);
    }
    return code;
}

static void test_old_messages_get_threads (void **state)
{
    enum { OLD = 201 };
    old_store_t old = {.messages = OLD, .first_at = 1000};
    messaging_thread_state_t told = {0};
    assert_int_equal (optest_advance (*state, 2000), 0); /* a new store has none to fill */
    assert_false (world_last (*state, &messaging_thread_state_event, &told));
    assert_int_equal (optest_run (*state, old_messages, &old), 0);
    for (int i = 0; i < 20; i++)
        assert_int_equal (optest_advance (*state, 1000), 0);
    assert_true (world_last (*state, &messaging_thread_state_event, &told));
    assert_int_equal (told.created_at, 1000);
    assert_string_equal (told.thread->peer, WORLD_PERSON);
    assert_string_equal (told.thread->name, "Ann");
    assert_string_equal (told.thread->number_ref, WORLD_REF);
    assert_int_equal (told.last_message_at, 1000 + OLD - 1);
    assert_int_equal (told.last_inbound_at, 1000 + OLD - 4); /* 199 is an SMS */
    assert_int_equal (told.last_direction, MESSAGING_DIRECTION_OUTBOUND);
    assert_string_equal (told.last_text, "old");
    assert_int_equal (told.unread, 80);
    const messaging_thread_told_t *sent = send (*state, WORLD_PERSON);
    assert_false (sent->created);
    assert_true (id_equal (sent->conversation, told.thread->conversation));
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_one_thread_for_a_number_and_a_person, world_setup,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_sms_have_none, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown (test_ensure_is_the_same_thread, world_setup,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_reading_says_what_is_left, world_setup,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_old_messages_get_threads, world_setup,
                                         world_teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
