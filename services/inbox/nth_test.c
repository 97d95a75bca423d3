/* nth_test.c - inbox with every fault in every place: each op, each event it follows, each kind of job. */
#include "inbox_world.h"
#include "svc/optest_nth.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define COUNT(list) (sizeof (list) / sizeof *(list))

static id16_t label (optest_t *test, const char *name)
{
    inbox_label_info_t out = {0};
    inbox_label_create_in_t in = {.team_id = world_team, .name = name};
    assert_int_equal (world_ask (test, "label_create", &in, &out, NULL), 0);
    return out.id;
}

/* Person 0 wrote and has the label on contact and conversation; person 1 is a contact alone. */
static id16_t people (optest_t *test)
{
    id16_t vip = label (test, "VIP");
    inbox_tag_in_t tag = {.number_ref = WORLD_REF, .id = world_contact (0), .label_id = vip};
    inbox_conversation_update_in_t update = {.number_ref = WORLD_REF,
                                             .id = world_conversation (0),
                                             .status = INBOX_CONVERSATION_STATUS_PENDING,
                                             .assigned_to = world_user};
    world_inbound (test, 0, 1, "Ada");
    assert_int_equal (world_create (test, 1, "Bob", "bob@house.example", NULL, NULL), 0);
    assert_int_equal (world_ask (test, "contact_label", &tag, NULL, NULL), 0);
    tag.id = world_conversation (0);
    assert_int_equal (world_ask (test, "conversation_label", &tag, NULL, NULL), 0);
    assert_int_equal (world_ask (test, "conversation_update", &update, NULL, NULL), 0);
    return vip;
}

static void test_ops (void **state)
{
    optest_t *test = *state;
    id16_t vip = people (test), other = label (test, "other");
    id16_t both[] = {world_contact (0), world_contact (1)};
    inbox_tag_in_t tag = {.number_ref = WORLD_REF, .id = world_contact (0), .label_id = vip};
    inbox_tag_in_t tag_other = {
        .number_ref = WORLD_REF, .id = world_contact (1), .label_id = other};
    inbox_tag_in_t talk = {.number_ref = WORLD_REF, .id = world_conversation (0), .label_id = vip};
    inbox_tag_in_t talk_other = {
        .number_ref = WORLD_REF, .id = world_conversation (0), .label_id = other};
    bytes_t metadata = world_json (test, "{\"plan\":\"gold\"}");
    const envelope_t us = world_caller ();
    const nth_ask_t asks[] = {
        {"conversation_list", us, &(inbox_conversation_list_in_t){.number_ref = WORLD_REF}},
        {"conversation_get", us,
         &(inbox_conversation_get_in_t){.number_ref = WORLD_REF, .id = world_conversation (0)}},
        {"conversation_update", us,
         &(inbox_conversation_update_in_t){.number_ref = WORLD_REF,
                                           .id = world_conversation (0),
                                           .status = INBOX_CONVERSATION_STATUS_RESOLVED,
                                           .assigned_to = world_nobody}},
        {"contact_list", us, &(inbox_contact_list_in_t){.number_ref = WORLD_REF, .search = "o"}},
        {"contact_list", us, &(inbox_contact_list_in_t){.number_ref = WORLD_REF}},
        {"contact_create", us,
         &(inbox_contact_create_in_t){.number_ref = WORLD_REF,
                                      .phone_number = world_phone (test, 2),
                                      .name = "Cleo",
                                      .email = "cleo@house.example",
                                      .metadata = metadata,
                                      .conversation = world_conversation (2),
                                      .contact = world_contact (2),
                                      .number_id = world_number}},
        {"contact_get", us,
         &(inbox_contact_get_in_t){.number_ref = WORLD_REF, .id = world_contact (0)}},
        {"contact_update", us,
         &(inbox_contact_update_in_t){.number_ref = WORLD_REF,
                                      .id = world_contact (0),
                                      .name = "Ada L.",
                                      .email = "ada@house.example",
                                      .metadata = metadata}},
        {"contact_delete", us,
         &(inbox_contact_delete_in_t){.number_ref = WORLD_REF, .id = world_contact (0)}},
        {"contact_label", us, &tag_other},
        {"contact_unlabel", us, &tag},
        {"conversation_label", us, &talk_other},
        {"conversation_unlabel", us, &talk},
        {"bulk_label", us,
         &(inbox_bulk_label_in_t){.number_ref = WORLD_REF,
                                  .contact_ids = {both, 2},
                                  .label_id = other,
                                  .operation = INBOX_LABEL_OPERATION_ATTACH}},
        {"label_list", us, &(inbox_label_list_in_t){0}},
        {"label_create", us,
         &(inbox_label_create_in_t){
             .team_id = world_team, .name = "new", .color = INBOX_LABEL_COLOR_SKY}},
        {"label_get", us, &(inbox_label_get_in_t){.id = vip}},
        {"label_update", us, &(inbox_label_update_in_t){.id = vip, .name = "very"}},
        {"label_delete", us, &(inbox_label_delete_in_t){.id = vip}},
    };
    nth_seen_t seen = {0};
    assert_int_equal (nth_asks (test, asks, COUNT (asks), &seen), 0);
    assert_int_equal (nth_unseen (test, &seen), 0);
}

static void test_follows (void **state)
{
    optest_t *test = *state;
    people (test);
    const event_about_t about = {.record = {{77}}, .version = 9, .org = world_org};
    const event_about_t message = {.record = world_message (5), .version = 1, .org = world_org};
    id16_t teams[] = {world_team, world_other_team};
    messaging_thread_told_t old = world_thread (test, 0, "Dora"),
                            new = world_thread (test, 3, "Dora");
    messaging_content_t in = {.id = world_message (5),
                              .channel = ACCOUNTS_CHANNEL_WHATSAPP,
                              .direction = MESSAGING_DIRECTION_INBOUND};
    messaging_content_t out = {.id = world_message (5),
                               .channel = ACCOUNTS_CHANNEL_WHATSAPP,
                               .direction = MESSAGING_DIRECTION_OUTBOUND};
    const nth_event_t events[] = {
        {&accounts_number_changed_event, about,
         &(accounts_number_changed_t){.id = {{77}},
                                      .org = world_org,
                                      .number = "+15550007777",
                                      .channel = ACCOUNTS_CHANNEL_WHATSAPP,
                                      .ref = "77",
                                      .team = world_team,
                                      .status = ACCOUNTS_NUMBER_STATUS_CONNECTED}},
        {&accounts_team_changed_event, about,
         &(accounts_team_changed_t){.id = {{77}}, .org = world_org, .name = "third"}},
        {&accounts_user_changed_event, about,
         &(accounts_user_changed_t){.id = {{77}},
                                    .org = world_org,
                                    .name = "Eve",
                                    .email = "eve@house.example",
                                    .teams = {teams, 2}}},
        {&messaging_message_accepted_event, message,
         &(messaging_message_accepted_t){.message = &out, .thread = &new}},
        {&messaging_message_received_event, message,
         &(messaging_message_received_t){.message = &in, .thread = &new}},
        {&messaging_message_received_event, message,
         &(messaging_message_received_t){.message = &in, .thread = &old}},
        {&messaging_conversation_read_event, message,
         &(messaging_conversation_read_t){.conversation = world_conversation (0),
                                          .contact = world_contact (0),
                                          .message = world_message (1)}},
        {&messaging_thread_state_event, message,
         &(messaging_thread_state_t){.thread = &new,
                                     .created_at = 1,
                                     .last_message_at = 2,
                                     .last_inbound_at = 2,
                                     .unread = 1,
                                     .last_message = world_message (5)}},
    };
    assert_int_equal (nth_follows (test, events, COUNT (events)), 0);
    assert_int_equal (nth_batches (test, events, COUNT (events), NULL), 0);
}

static int contact_goes (optest_t *test)
{
    inbox_contact_delete_in_t in = {.number_ref = WORLD_REF, .id = world_contact (0)};
    return world_ask (test, "contact_delete", &in, NULL, NULL);
}

static void test_jobs (void **state)
{
    optest_t *test = *state;
    people (test);
    static const job_kind_t *const unlink[] = {&inbox_unlink_kind, NULL};
    const nth_story_t stories[] = {{.name = "erased", .kinds = unlink, .begin = contact_goes}};
    assert_int_equal (nth_stories (test, stories, COUNT (stories)), 0);
    assert_int_equal (nth_first_turns (test, stories, COUNT (stories)), 0);
}

/* It has none of its own: a sweep or timer that it gets needs a sample here. */
static void test_timers (void **state)
{
    assert_int_equal (nth_timers (*state, NULL, 0), 0);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_ops, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown (test_follows, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown (test_jobs, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown (test_timers, world_setup, world_teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
