/* people_test.c - contacts and conversations: adopted from messaging, counted once, changed, assigned, erased. */
#include "inbox_world.h"
#include "base/clock.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static int contact_get (optest_t *test, unsigned n, inbox_contact_told_t *out)
{
    inbox_contact_get_in_t in = {.number_ref = WORLD_REF, .id = world_contact (n)};
    return world_ask (test, "contact_get", &in, out, NULL);
}

static int conversation_get (optest_t *test, unsigned n, inbox_conversation_info_t *out)
{
    inbox_conversation_get_in_t in = {.number_ref = WORLD_REF, .id = world_conversation (n)};
    return world_ask (test, "conversation_get", &in, out, NULL);
}

static inbox_conversation_info_t conversation (optest_t *test, unsigned n)
{
    inbox_conversation_info_t out = {0};
    assert_int_equal (conversation_get (test, n, &out), 0);
    return out;
}

static int update (optest_t *test, unsigned n, int32_t status, id16_t user, failure_t *failure)
{
    inbox_conversation_update_in_t in = {.number_ref = WORLD_REF,
                                         .id = world_conversation (n),
                                         .status = status,
                                         .assigned_to = user};
    inbox_conversation_info_t out;
    return world_ask (test, "conversation_update", &in, &out, failure);
}

static void test_a_message_brings_contact_and_conversation (void **state)
{
    optest_t *test = *state;
    uint64_t at = 0;
    inbox_contact_told_t contact;
    world_inbound (test, 1, 1, "Budi");
    assert_int_equal (contact_get (test, 1, &contact), 0);
    assert_string_equal (contact.name, "Budi");
    assert_string_equal (contact.phone_number, world_phone (test, 1));
    assert_string_equal (contact.account_number, WORLD_NUMBER);
    inbox_conversation_info_t row = conversation (test, 1);
    assert_int_equal (row.status, INBOX_CONVERSATION_STATUS_OPEN);
    assert_int_equal (row.unread_count, 1);
    assert_true (row.last_message_at && row.last_message_at == row.last_inbound_at);
    assert_true (id_equal (row.contact->id, contact.id));
    assert_string_equal (world_story (test, &at), "created:inbound(Budi) ");
    world_sent (test, 2, 2);
    row = conversation (test, 2);
    assert_int_equal (row.unread_count, 0);
    assert_int_equal (row.last_inbound_at, 0);
    assert_true (row.last_message_at > 0);
    assert_string_equal (world_story (test, &at), "created:send() ");
    world_sent (test, 2, 3);
    assert_string_equal (world_story (test, &at), "");
}

static void test_the_profile_names_whom_nobody_named (void **state)
{
    optest_t *test = *state;
    uint64_t at = 0;
    inbox_contact_told_t contact;
    inbox_contact_update_in_t in = {.number_ref = WORLD_REF, .id = world_contact (1)};
    world_sent (test, 1, 1);
    world_inbound (test, 1, 2, "Budi");
    world_inbound (test, 1, 3, "Budi");
    world_inbound (test, 1, 4, "Budi S");
    assert_string_equal (world_story (test, &at),
                         "created:send() changed:name(Budi) changed:name(Budi S) ");
    in.name = "Mr Santoso";
    assert_int_equal (world_ask (test, "contact_update", &in, &contact, NULL), 0);
    world_inbound (test, 1, 5, "Budi");
    assert_string_equal (world_story (test, &at), "changed:name(Mr Santoso) ");
    in.name = "";
    assert_int_equal (world_ask (test, "contact_update", &in, &contact, NULL), 0);
    assert_null (contact.name);
    world_inbound (test, 1, 6, "Budi");
    assert_string_equal (world_story (test, &at), "changed:name() changed:name(Budi) ");
}

static void test_unread (void **state)
{
    optest_t *test = *state;
    world_inbound (test, 1, 1, NULL);
    world_inbound (test, 1, 2, NULL);
    world_inbound (test, 1, 3, NULL);
    assert_int_equal (conversation (test, 1).unread_count, 3);
    world_read (test, 1, 2, 1);
    assert_int_equal (conversation (test, 1).unread_count, 1);
    world_sent (test, 1, 4);
    assert_int_equal (conversation (test, 1).unread_count, 1);
    world_read (test, 1, 3, 0);
    assert_int_equal (conversation (test, 1).unread_count, 0);
    world_read (test, 9, 3, 0); /* nobody knows it */
}

static void test_resolved_opens_again (void **state)
{
    optest_t *test = *state;
    uint64_t at = 0;
    world_inbound (test, 1, 1, NULL);
    world_story (test, &at);
    assert_int_equal (update (test, 1, INBOX_CONVERSATION_STATUS_RESOLVED, id_nil (), NULL), 0);
    assert_int_equal (update (test, 1, INBOX_CONVERSATION_STATUS_RESOLVED, id_nil (), NULL), 0);
    assert_string_equal (world_story (test, &at), "closed ");
    world_sent (test, 1, 2);
    assert_int_equal (conversation (test, 1).status, INBOX_CONVERSATION_STATUS_RESOLVED);
    world_inbound (test, 1, 3, NULL);
    assert_int_equal (conversation (test, 1).status, INBOX_CONVERSATION_STATUS_OPEN);
    assert_int_equal (update (test, 1, INBOX_CONVERSATION_STATUS_PENDING, id_nil (), NULL), 0);
    world_inbound (test, 1, 4, NULL);
    assert_int_equal (conversation (test, 1).status, INBOX_CONVERSATION_STATUS_PENDING);
    assert_string_equal (world_story (test, &at), "");
}

static void test_assignment (void **state)
{
    optest_t *test = *state;
    uint64_t at = 0;
    failure_t failure = {0};
    world_inbound (test, 1, 1, NULL);
    world_story (test, &at);
    assert_null (conversation (test, 1).assignee);
    assert_int_equal (update (test, 1, 0, world_user, NULL), 0);
    inbox_conversation_info_t row = conversation (test, 1);
    assert_string_equal (row.assignee->name, "Ada");
    assert_string_equal (row.assignee->email, "ada@house.example");
    assert_int_equal (update (test, 1, 0, world_user, NULL), 0);
    assert_string_equal (world_story (test, &at), "assigned:0>41 ");
    assert_int_equal (update (test, 1, 0, (id16_t){{42}}, &failure), E_BAD_REQUEST);
    assert_string_equal (failure.field, "assigned_to");
    assert_int_equal (update (test, 1, 0, id_nil (), &failure), E_MISSING_FIELD);
    assert_int_equal (update (test, 1, INBOX_CONVERSATION_STATUS_RESOLVED, world_nobody, NULL), 0);
    assert_null (conversation (test, 1).assignee);
    assert_string_equal (world_story (test, &at), "assigned:41>0 closed ");
    assert_int_equal (update (test, 1, 0, world_nobody, NULL), 0);
    assert_string_equal (world_story (test, &at), "");
    assert_int_equal (update (test, 7, 0, world_user, NULL), E_NOT_FOUND);
    accounts_user_changed_t gone = {.id = world_user, .org = world_org, .deleted = true};
    event_about_t about = {.record = world_user, .version = 2, .org = world_org};
    assert_int_equal (update (test, 1, 0, world_user, NULL), 0);
    assert_int_equal (optest_follow (test, &accounts_user_changed_event, &about, &gone, NULL), 0);
    assert_string_equal (conversation (test, 1).assignee->name, "Ada");
    assert_int_equal (update (test, 1, 0, world_user, NULL), E_BAD_REQUEST);
}

static void test_a_contact_through_the_api (void **state)
{
    optest_t *test = *state;
    uint64_t at = 0;
    failure_t failure = {0};
    inbox_contact_told_t out = {0};
    inbox_conversation_info_t none;
    assert_int_equal (world_create (test, 1, "Siti", "siti@shop.example", &out, NULL), 0);
    assert_true (id_equal (out.id, world_contact (1)));
    assert_int_equal (conversation_get (test, 1, &none), E_NOT_FOUND); /* nobody has written */
    assert_int_equal (world_create (test, 1, "Siti", NULL, &out, &failure), E_BAD_REQUEST);
    assert_string_equal (failure.field, "phone_number");
    assert_string_equal (world_story (test, &at), "created:api(Siti) ");
    world_inbound (test, 1, 1, "Profile");
    assert_string_equal (conversation (test, 1).contact->name, "Siti");
    assert_string_equal (world_story (test, &at), "");
    assert_int_equal (world_create (test, 2, NULL, "nobody", &out, &failure), E_BAD_REQUEST);
    assert_string_equal (failure.field, "email");
    inbox_contact_create_in_t in = {.number_ref = "999999",
                                    .phone_number = "+15551112222",
                                    .contact = world_contact (3),
                                    .conversation = world_conversation (3),
                                    .number_id = world_number};
    assert_int_equal (world_ask (test, "contact_create", &in, &out, NULL), E_NOT_FOUND);
    in.number_ref = WORLD_OTHER_REF; /* the thread is another number's */
    assert_int_equal (world_ask (test, "contact_create", &in, &out, NULL), E_BAD_REQUEST);
    in.number_ref = WORLD_REF;
    in.phone_number = "12";
    assert_int_equal (world_ask (test, "contact_create", &in, &out, NULL), E_INVALID_PHONE_NUMBER);
}

static void test_changing_a_contact (void **state)
{
    static const struct {
        const char *name, *email, *metadata;
        int code;
        const char *story;
    } rows[] = {
        {NULL, NULL, NULL, 0, ""},
        {"Siti", NULL, NULL, 0, ""},
        {"Siti A", NULL, NULL, 0, "changed:name(Siti A) "},
        {NULL, "a@b.example", "{\"k\":1}", 0, "changed:email:metadata(Siti A) "},
        {NULL, "a@b.example", "{\"k\":1}", 0, ""},
        {NULL, NULL, "{\"j\":2}", 0, "changed:metadata(Siti A) "},
        {NULL, NULL, "[1]", E_BAD_REQUEST, ""},
        {NULL, NULL, "\"x\"", E_BAD_REQUEST, ""},
        {NULL, "nonsense", NULL, E_BAD_REQUEST, ""},
        {NULL, "", NULL, 0, "changed:email(Siti A) "},
        {NULL, NULL, "[null]", 0, "changed:metadata(Siti A) "},
        {"", NULL, NULL, 0, "changed:name() "},
    };
    optest_t *test = *state;
    uint64_t at = 0;
    assert_int_equal (world_create (test, 1, "Siti", NULL, NULL, NULL), 0);
    world_story (test, &at);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        inbox_contact_update_in_t in = {.number_ref = WORLD_REF,
                                        .id = world_contact (1),
                                        .name = rows[i].name,
                                        .email = rows[i].email};
        inbox_contact_told_t out;
        if (rows[i].metadata)
            in.metadata = world_json (test, rows[i].metadata);
        assert_int_equal (world_ask (test, "contact_update", &in, &out, NULL), rows[i].code);
        assert_string_equal (world_story (test, &at), rows[i].story);
    }
}

static void test_others_see_nothing (void **state)
{
    optest_t *test = *state;
    world_inbound (test, 1, 1, "Budi");
    envelope_t foreign = {.org = world_foreign_org};
    inbox_contact_get_in_t get = {.number_ref = WORLD_REF, .id = world_contact (1)};
    inbox_contact_told_t out;
    assert_int_equal (optest_ask (test, "contact_get", &foreign, &get, &out, NULL), E_NOT_FOUND);
    foreign = (envelope_t){.org = world_foreign_org};
    get.number_ref = "106540352242924";
    assert_int_equal (optest_ask (test, "contact_get", &foreign, &get, &out, NULL), E_NOT_FOUND);
    get.number_ref = WORLD_OTHER_REF; /* ours, but not its number */
    assert_int_equal (world_ask (test, "contact_get", &get, &out, NULL), E_NOT_FOUND);
    inbox_conversation_get_in_t talk = {.number_ref = WORLD_OTHER_REF,
                                        .id = world_conversation (1)};
    inbox_conversation_info_t info;
    assert_int_equal (world_ask (test, "conversation_get", &talk, &info, NULL), E_NOT_FOUND);
    foreign = (envelope_t){0};
    get.number_ref = WORLD_REF;
    assert_int_equal (optest_ask (test, "contact_get", &foreign, &get, &out, NULL), E_NOT_FOUND);
}

static void test_a_deleted_number (void **state)
{
    optest_t *test = *state;
    inbox_contact_told_t out;
    accounts_number_changed_t body = {.id = world_number,
                                      .org = world_org,
                                      .channel = ACCOUNTS_CHANNEL_WHATSAPP,
                                      .ref = WORLD_REF,
                                      .number = WORLD_NUMBER,
                                      .deleted = true};
    event_about_t about = {.record = world_number, .version = 1, .org = world_org};
    world_inbound (test, 1, 1, NULL);
    assert_int_equal (optest_follow (test, &accounts_number_changed_event, &about, &body, NULL), 0);
    assert_int_equal (contact_get (test, 1, &out), 0); /* of the same version: known */
    about.version = 2;
    assert_int_equal (optest_follow (test, &accounts_number_changed_event, &about, &body, NULL), 0);
    assert_int_equal (contact_get (test, 1, &out), E_NOT_FOUND);
}

/* ---- snapshot, then follow ---- */

typedef struct read_then {
    journal_event_t event;
    messaging_conversation_read_t body;
} read_then_t;

static int read_run (turn_t *t, void *context)
{
    read_then_t *self = context;
    return conversation_read (t, &self->event, &self->body);
}

static void test_a_state_and_what_followed_before_it (void **state)
{
    optest_t *test = *state;
    uint64_t at = 0;
    messaging_thread_state_t told = {.created_at = 1000,
                                     .last_message_at = 5000,
                                     .last_inbound_at = 4000,
                                     .unread = 2,
                                     .last_message = world_message (5)};
    int64_t before = clock_now_ms () - 1000;
    world_state (test, 1, &told);
    inbox_conversation_info_t row = conversation (test, 1);
    assert_int_equal (row.unread_count, 2);
    assert_int_equal (row.last_message_at, 5000);
    assert_int_equal (row.last_inbound_at, 4000);
    assert_int_equal (row.created_at, 1000);
    world_inbound (test, 1, 4, "Budi"); /* counted already */
    assert_int_equal (conversation (test, 1).unread_count, 2);
    read_then_t read = {{.at = before, .org = world_org},
                        {.conversation = world_conversation (1), .after = 0}};
    assert_int_equal (optest_run (test, read_run, &read), 0);
    assert_int_equal (conversation (test, 1).unread_count, 2);
    world_inbound (test, 1, 6, "Budi");
    assert_int_equal (conversation (test, 1).unread_count, 3);
    told.last_message = world_message (5); /* told of old messages, late */
    told.unread = 0;
    world_state (test, 1, &told);
    assert_int_equal (conversation (test, 1).unread_count, 3);
    world_read (test, 1, 6, 0);
    assert_int_equal (conversation (test, 1).unread_count, 0);
    /* The contact of a state did not just come; that the profile names it is news. */
    assert_string_equal (world_story (test, &at), "changed:name(Budi) ");
    messaging_thread_state_t empty = {.created_at = 1000};
    world_state (test, 2, &empty);
    inbox_contact_told_t none;
    assert_int_equal (contact_get (test, 2, &none), E_NOT_FOUND);
}

static void test_a_newer_state_opens_again (void **state)
{
    optest_t *test = *state;
    messaging_thread_state_t told = {.created_at = 1000,
                                     .last_message_at = 4000,
                                     .last_inbound_at = 4000,
                                     .unread = 1,
                                     .last_message = world_message (5)};
    world_state (test, 1, &told);
    assert_int_equal (update (test, 1, INBOX_CONVERSATION_STATUS_RESOLVED, id_nil (), NULL), 0);
    world_state (test, 1, &told);
    assert_int_equal (conversation (test, 1).status, INBOX_CONVERSATION_STATUS_RESOLVED);
    told.last_inbound_at = told.last_message_at = 9000;
    told.last_message = world_message (9);
    told.unread = 4;
    world_state (test, 1, &told);
    assert_int_equal (conversation (test, 1).status, INBOX_CONVERSATION_STATUS_OPEN);
    assert_int_equal (conversation (test, 1).unread_count, 4);
}

/* ---- erasure ---- */

static int contact_delete (optest_t *test, unsigned n)
{
    inbox_contact_delete_in_t in = {.number_ref = WORLD_REF, .id = world_contact (n)};
    inbox_contact_delete_out_t out;
    return world_ask (test, "contact_delete", &in, &out, NULL);
}

static size_t rows_of (optest_t *test, const schema_record_t *record)
{
    uint64_t count = 0;
    txn_t *txn = NULL;
    assert_int_equal (txn_begin (optest_store (test), TXN_READ, &txn), 0);
    assert_int_equal (kv_count (txn, store_table (optest_store (test), record->table), &count), 0);
    txn_abort (&txn);
    return (size_t) count;
}

static void test_a_deleted_contact_stays_away (void **state)
{
    optest_t *test = *state;
    uint64_t at = 0;
    inbox_contact_told_t none;
    failure_t failure = {0};
    world_inbound (test, 1, 1, "Budi");
    world_inbound (test, 2, 2, "Siti");
    world_story (test, &at);
    assert_int_equal (contact_delete (test, 1), 0);
    assert_string_equal (world_story (test, &at),
                         arena_printf (optest_arena (test), "erased:%s ", world_phone (test, 1)));
    assert_int_equal (contact_get (test, 1, &none), E_NOT_FOUND);
    assert_int_equal (contact_delete (test, 1), E_NOT_FOUND);
    world_inbound (test, 1, 3, "Budi"); /* was on its way */
    world_sent (test, 1, 4);
    world_read (test, 1, 3, 0);
    world_state (test, 1, &(messaging_thread_state_t){.last_message = world_message (4)});
    assert_int_equal (contact_get (test, 1, &none), E_NOT_FOUND);
    assert_int_equal (world_create (test, 1, "Budi", NULL, NULL, &failure), E_UNAVAILABLE);
    assert_int_equal (rows_of (test, &inbox_contact_record), 1);
    assert_int_equal (rows_of (test, &inbox_conversation_record), 1);
    assert_int_equal (rows_of (test, &inbox_shelf_record), 1);
    assert_int_equal (rows_of (test, &inbox_tombstone_record), 1);
    assert_int_equal (optest_restart (test), 0);
    world_inbound (test, 1, 5, "Budi");
    assert_int_equal (contact_get (test, 1, &none), E_NOT_FOUND);
    assert_string_equal (world_story (test, &at), "");
}

static void test_a_follower_hears_of_erasures_again (void **state)
{
    optest_t *test = *state;
    world_inbound (test, 1, 1, "Budi");
    assert_int_equal (contact_delete (test, 1), 0);
    common_snapshot_read_in_t in = {.limit = 10};
    common_snapshot_read_out_t out = {0};
    inbox_erased_t erased = {0};
    assert_int_equal (optest_ask (test, "snapshot_read", NULL, &in, &out, NULL), 0);
    assert_int_equal (out.events.count, 1);
    assert_int_equal (optest_event_body (test, out.events.items, &inbox_erased_event, &erased), 0);
    assert_true (id_equal (erased.contact, world_contact (1)));
    assert_true (id_equal (erased.conversation, world_conversation (1)));
    assert_null (erased.peer);
}

static void test_explain (void **state)
{
    optest_t *test = *state;
    world_inbound (test, 1, 1, "Budi");
    common_explain_in_t in = {.id = world_conversation (1), .reveal = true};
    common_explain_out_t out = {0};
    assert_int_equal (optest_ask (test, "explain", NULL, &in, &out, NULL), 0);
    assert_int_equal (out.lines.count, 4);
    in.id = world_contact (1);
    assert_int_equal (optest_ask (test, "explain", NULL, &in, &out, NULL), 0);
    assert_int_equal (out.lines.count, 1);
    assert_int_equal (contact_delete (test, 1), 0);
    assert_int_equal (optest_ask (test, "explain", NULL, &in, &out, NULL), 0);
    assert_int_equal (out.lines.count, 2); /* the tombstone, and the runtime */
    assert_string_equal (((common_explain_line_t *) out.lines.items)[0].what, "deleted for good");
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, world_setup, world_teardown)

int main (void)
{
    const struct CMUnitTest tests[] = {
        TEST (test_a_message_brings_contact_and_conversation),
        TEST (test_the_profile_names_whom_nobody_named),
        TEST (test_unread),
        TEST (test_resolved_opens_again),
        TEST (test_assignment),
        TEST (test_a_contact_through_the_api),
        TEST (test_changing_a_contact),
        TEST (test_others_see_nothing),
        TEST (test_a_deleted_number),
        TEST (test_a_state_and_what_followed_before_it),
        TEST (test_a_newer_state_opens_again),
        TEST (test_a_deleted_contact_stays_away),
        TEST (test_a_follower_hears_of_erasures_again),
        TEST (test_explain),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
