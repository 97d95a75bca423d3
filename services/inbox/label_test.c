/* label_test.c - labels of teams: made, named once in a team, put on and taken off, in bulk, deleted with their links. */
#include "inbox_world.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static int create (optest_t *test, id16_t team, const char *name, int32_t color,
                   inbox_label_info_t *out, failure_t *failure)
{
    inbox_label_create_in_t in = {.team_id = team, .name = name, .color = color};
    return world_ask (test, "label_create", &in, out, failure);
}

static id16_t label (optest_t *test, id16_t team, const char *name)
{
    inbox_label_info_t out = {0};
    assert_int_equal (create (test, team, name, 0, &out, NULL), 0);
    return out.id;
}

static void test_making_and_naming (void **state)
{
    optest_t *test = *state;
    inbox_label_info_t out = {0}, other = {0};
    failure_t failure = {0};
    assert_int_equal (create (test, id_nil (), "VIP", 0, &out, &failure), E_MISSING_FIELD);
    assert_string_equal (failure.field, "team_id");
    assert_int_equal (create (test, (id16_t){{99}}, "VIP", 0, &out, &failure), E_BAD_REQUEST);
    assert_int_equal (create (test, world_team, "VIP", 0, &out, NULL), 0);
    assert_int_equal (out.color, INBOX_LABEL_COLOR_GRAY);
    assert_int_equal (create (test, world_team, "VIP", 0, &other, &failure), E_BAD_REQUEST);
    assert_string_equal (failure.field, "name");
    assert_int_equal (create (test, world_other_team, "VIP", INBOX_LABEL_COLOR_PINK, &other, NULL),
                      0);
    inbox_label_update_in_t in = {.id = out.id, .color = INBOX_LABEL_COLOR_SKY};
    assert_int_equal (world_ask (test, "label_update", &in, &out, NULL), 0);
    assert_int_equal (out.color, INBOX_LABEL_COLOR_SKY);
    assert_string_equal (out.name, "VIP");
    assert_int_equal (create (test, world_team, "New", 0, &other, NULL), 0);
    in = (inbox_label_update_in_t){.id = other.id, .name = "VIP"};
    assert_int_equal (world_ask (test, "label_update", &in, &other, &failure), E_BAD_REQUEST);
    in.name = "Newer";
    assert_int_equal (world_ask (test, "label_update", &in, &other, NULL), 0);
    inbox_label_get_in_t get = {.id = other.id};
    assert_int_equal (world_ask (test, "label_get", &get, &other, NULL), 0);
    assert_string_equal (other.name, "Newer");
    envelope_t foreign = {.org = world_foreign_org};
    assert_int_equal (optest_ask (test, "label_get", &foreign, &get, &other, NULL), E_NOT_FOUND);
}

static void test_the_only_team_is_meant (void **state)
{
    optest_t *test = *state;
    inbox_label_info_t out = {0};
    accounts_team_changed_t gone = {.id = world_other_team, .org = world_org, .deleted = true};
    event_about_t about = {.record = world_other_team, .version = 2, .org = world_org};
    assert_int_equal (optest_follow (test, &accounts_team_changed_event, &about, &gone, NULL), 0);
    assert_int_equal (create (test, id_nil (), "VIP", 0, &out, NULL), 0);
    assert_true (id_equal (out.team_id, world_team));
    assert_int_equal (create (test, world_other_team, "VIP", 0, &out, NULL), E_BAD_REQUEST);
}

static void test_the_list (void **state)
{
    optest_t *test = *state;
    for (unsigned i = 0; i < 7; i++)
        label (test, world_team, arena_printf (optest_arena (test), "l%u", i));
    inbox_label_list_in_t in = {.limit = 3};
    inbox_label_list_out_t out = {0};
    buf_t seen = buf_in (optest_arena (test));
    do {
        assert_int_equal (world_ask (test, "label_list", &in, &out, NULL), 0);
        const inbox_label_info_t *items = out.labels.items;
        for (size_t i = 0; i < out.labels.count; i++)
            buf_printf (&seen, "%s ", items[i].name);
        in.after = out.next;
    } while (out.next.size);
    assert_string_equal (buf_text (&seen), "l6 l5 l4 l3 l2 l1 l0 ");
}

static int tag (optest_t *test, const char *op, id16_t target, id16_t which, bool *attached)
{
    inbox_tag_in_t in = {.number_ref = WORLD_REF, .id = target, .label_id = which};
    inbox_tag_out_t out = {0};
    int code = world_ask (test, op, &in, &out, NULL);
    *attached = out.attached;
    return code;
}

static void test_on_and_off (void **state)
{
    optest_t *test = *state;
    uint64_t at = 0;
    bool on = false;
    world_inbound (test, 1, 1, "Budi");
    id16_t vip = label (test, world_team, "VIP"), foreign = label (test, world_other_team, "X");
    id16_t contact = world_contact (1), talk = world_conversation (1);
    world_story (test, &at);
    assert_int_equal (tag (test, "contact_label", contact, vip, &on), 0);
    assert_true (on);
    assert_string_equal (world_story (test, &at), "changed:labels(Budi) ");
    assert_int_equal (tag (test, "contact_label", contact, vip, &on), 0);
    assert_true (on);
    assert_string_equal (world_story (test, &at), "");
    assert_int_equal (tag (test, "conversation_label", talk, vip, &on), 0);
    assert_int_equal (tag (test, "conversation_label", talk, vip, &on), 0);
    assert_string_equal (world_story (test, &at), "");
    assert_int_equal (tag (test, "contact_label", contact, foreign, &on), E_TEAM_MISMATCH);
    assert_int_equal (tag (test, "conversation_label", talk, foreign, &on), E_TEAM_MISMATCH);
    assert_int_equal (tag (test, "contact_label", contact, contact, &on), E_NOT_FOUND);
    assert_int_equal (tag (test, "contact_label", talk, vip, &on), E_NOT_FOUND);
    assert_int_equal (tag (test, "contact_unlabel", contact, vip, &on), 0);
    assert_false (on);
    assert_string_equal (world_story (test, &at), "changed:labels(Budi) ");
    assert_int_equal (tag (test, "contact_unlabel", contact, vip, &on), 0);
    assert_int_equal (tag (test, "contact_unlabel", contact, foreign, &on), 0);
    assert_false (on);
    assert_int_equal (tag (test, "conversation_unlabel", talk, vip, &on), 0);
    assert_string_equal (world_story (test, &at), "");
}

static uint64_t links (optest_t *test)
{
    uint64_t count = 0;
    txn_t *txn = NULL;
    assert_int_equal (txn_begin (optest_store (test), TXN_READ, &txn), 0);
    assert_int_equal (
        kv_count (txn, store_table (optest_store (test), inbox_link_record.table), &count), 0);
    txn_abort (&txn);
    return count;
}

static int bulk (optest_t *test, id16_t which, int32_t operation, id16_t *ids, size_t count,
                 inbox_bulk_label_out_t *out)
{
    inbox_bulk_label_in_t in = {.number_ref = WORLD_REF,
                                .contact_ids = {ids, count},
                                .label_id = which,
                                .operation = operation};
    *out = (inbox_bulk_label_out_t){0};
    return world_ask (test, "bulk_label", &in, out, NULL);
}

/* A thousand contacts at once, and a label's end with more links than one turn removes. */
static void test_in_bulk (void **state)
{
    optest_t *test = *state;
    uint64_t at = 0;
    id16_t *ids = arena_array_of (optest_arena (test), id16_t, 1000);
    inbox_bulk_label_out_t out;
    world_create_many (test, 998);
    for (unsigned i = 0; i < 1000; i++)
        ids[i] = world_contact (i);
    id16_t vip = label (test, world_team, "VIP"), other = label (test, world_other_team, "X");
    world_story (test, &at);
    assert_int_equal (bulk (test, vip, INBOX_LABEL_OPERATION_ATTACH, ids, 1000, &out), 0);
    assert_int_equal (out.applied, 998);
    assert_int_equal (out.skipped_unknown, 2);
    assert_int_equal (links (test), 998);
    assert_int_equal (strlen (world_story (test, &at)), 998 * strlen ("changed:labels() "));
    assert_int_equal (bulk (test, vip, INBOX_LABEL_OPERATION_ATTACH, ids, 3, &out), 0);
    assert_int_equal (out.applied, 3);
    assert_string_equal (world_story (test, &at), "");
    assert_int_equal (bulk (test, other, INBOX_LABEL_OPERATION_ATTACH, ids + 997, 3, &out), 0);
    assert_int_equal (out.skipped_team, 1);
    assert_int_equal (out.skipped_unknown, 2);
    assert_int_equal (out.applied, 0);
    assert_int_equal (bulk (test, ids[0], INBOX_LABEL_OPERATION_ATTACH, ids, 3, &out), E_NOT_FOUND);
    assert_int_equal (bulk (test, vip, INBOX_LABEL_OPERATION_ATTACH, ids, 0, &out), E_BAD_REQUEST);
    assert_int_equal (bulk (test, vip, INBOX_LABEL_OPERATION_DETACH, ids, 10, &out), 0);
    assert_int_equal (out.applied, 10);
    assert_int_equal (links (test), 988);
    inbox_label_delete_in_t gone = {.id = vip};
    inbox_label_delete_out_t deleted;
    assert_int_equal (world_ask (test, "label_delete", &gone, &deleted, NULL), 0);
    assert_true (deleted.deleted);
    for (int i = 0; i < 5; i++)
        optest_advance (test, 10);
    assert_int_equal (links (test), 0);
    assert_int_equal (world_ask (test, "label_delete", &gone, &deleted, NULL), E_NOT_FOUND);
    label (test, world_team, "VIP"); /* its name is free again */
}

static void test_an_erased_contact_has_no_links (void **state)
{
    optest_t *test = *state;
    bool on;
    world_inbound (test, 1, 1, "Budi");
    id16_t vip = label (test, world_team, "VIP");
    assert_int_equal (tag (test, "contact_label", world_contact (1), vip, &on), 0);
    assert_int_equal (tag (test, "conversation_label", world_conversation (1), vip, &on), 0);
    assert_int_equal (links (test), 2);
    inbox_contact_delete_in_t in = {.number_ref = WORLD_REF, .id = world_contact (1)};
    inbox_contact_delete_out_t out;
    assert_int_equal (world_ask (test, "contact_delete", &in, &out, NULL), 0);
    assert_int_equal (links (test), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, world_setup, world_teardown)

int main (void)
{
    const struct CMUnitTest tests[] = {
        TEST (test_making_and_naming), TEST (test_the_only_team_is_meant),
        TEST (test_the_list),          TEST (test_on_and_off),
        TEST (test_in_bulk),           TEST (test_an_erased_contact_has_no_links),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
