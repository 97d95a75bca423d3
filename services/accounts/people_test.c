/* people_test.c - organization keys, teams, users, and what is told of numbers to services that know no apps. */
#include "accounts_world.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static void test_organization_key_expires_and_is_revoked (void **state)
{
    const world_t *f = *state;
    accounts_key_create_in_t in = {.name = "Ops", .organization = true, .valid_for_ms = 60000};
    accounts_key_create_out_t made = {0}, lasting = {0};
    accounts_key_resolve_out_t who = {0};
    assert_int_equal (optest_ask (f->test, "key_create", NULL, &in, &made, NULL), 0);
    assert_int_equal (strncmp (made.key, "kdv_live_", 9), 0);
    assert_int_equal (strlen (made.key), 33);
    in.valid_for_ms = 0;
    assert_int_equal (optest_ask (f->test, "key_create", NULL, &in, &lasting, NULL), 0);
    assert_int_equal (world_resolve (f, made.key, &who), 0);
    assert_int_equal (who.kind, ACCOUNTS_KEY_KIND_ORGANIZATION);
    assert_true (id_equal (who.org, f->ours.organization_id));
    assert_true (who.expires_at > 0);
    optest_advance (f->test, 60000);
    assert_int_equal (world_resolve (f, made.key, &who), E_KEY_EXPIRED);
    assert_int_equal (world_resolve (f, lasting.key, &who), 0);
    accounts_key_delete_in_t end = {.id = lasting.info->id};
    accounts_key_delete_out_t none = {0};
    assert_int_equal (optest_ask (f->test, "key_delete", NULL, &end, &none, NULL), 0);
    assert_int_equal (world_resolve (f, lasting.key, &who), E_KEY_REVOKED);
    assert_int_equal (world_resolve (f, "kdv_live_AAAAAAAAAAAAAAAAAAAAAAAA", &who), E_UNAUTHORIZED);
}

static void test_only_organization_keys_expire_and_none_is_of_an_app (void **state)
{
    const world_t *f = *state;
    accounts_key_create_in_t admin = {.name = "n", .valid_for_ms = 60000};
    accounts_key_create_in_t app = {.name = "n", .organization = true, .app = f->ours.app_id};
    accounts_key_create_out_t out = {0};
    failure_t failure = {0};
    assert_int_equal (optest_ask (f->test, "key_create", NULL, &admin, &out, &failure),
                      E_BAD_REQUEST);
    assert_string_equal (failure.field, "valid_for_ms");
    assert_int_equal (optest_ask (f->test, "key_create", NULL, &app, &out, &failure),
                      E_BAD_REQUEST);
    assert_string_equal (failure.field, "app");
}

static void test_me_tells_key_and_organization (void **state)
{
    const world_t *f = *state;
    accounts_key_resolve_out_t who = {0};
    assert_int_equal (world_resolve (f, f->ours.organization_key, &who), 0);
    envelope_t header = {.org = who.org, .principal_id = who.id};
    accounts_me_out_t out = {0};
    assert_int_equal (optest_ask (f->test, "me", &header, &(accounts_me_in_t){0}, &out, NULL), 0);
    assert_string_equal (out.org_name, "Org");
    assert_string_equal (out.label, "first organization key");
    assert_string_equal (out.last4,
                         f->ours.organization_key + strlen (f->ours.organization_key) - 4);
}

/* ---- numbers ---- */

static accounts_app_number_t number_added (const world_t *f, const char *number)
{
    accounts_number_add_in_t in = {
        .number = number, .channel = ACCOUNTS_CHANNEL_WHATSAPP, .test = true};
    accounts_app_number_t out = {0};
    assert_int_equal (optest_ask (f->test, "number_add", NULL, &in, &out, NULL), 0);
    return out;
}

/* The last that was told of a number. */
static accounts_number_changed_t number_told_last (const world_t *w)
{
    accounts_number_changed_t out = {0};
    world_last (w, &accounts_number_changed_event, &out);
    return out;
}

static void test_whatsapp_numbers_have_digits_for_a_ref (void **state)
{
    const world_t *f = *state;
    accounts_app_number_t made = number_added (f, "+15550170001");
    accounts_number_changed_t told = number_told_last (f);
    assert_string_equal (told.ref, made.ref);
    assert_int_equal (strlen (told.ref), 15);
    assert_int_equal (strspn (told.ref, "0123456789"), 15);
    assert_int_equal (told.status, ACCOUNTS_NUMBER_STATUS_CONNECTED);
    assert_false (id_is_nil (told.team));
    accounts_app_number_t other = number_added (f, "+15550170002");
    assert_string_not_equal (made.ref, other.ref);
}

static void test_account_page_is_of_a_status (void **state)
{
    const world_t *f = *state;
    accounts_app_number_t first = number_added (f, "+15550170001");
    number_added (f, "+15550170002");
    accounts_number_change_in_t off = {
        .id = first.number_id, .status = ACCOUNTS_NUMBER_STATUS_DISCONNECTED, .name = "Front desk"};
    accounts_number_t changed = {0};
    assert_int_equal (optest_ask (f->test, "number_change", NULL, &off, &changed, NULL), 0);
    assert_int_equal (number_told_last (f).status, ACCOUNTS_NUMBER_STATUS_DISCONNECTED);
    assert_string_equal (number_told_last (f).name, "Front desk");
    const struct {
        const char *status;
        int want;
        size_t count;
    } rows[] = {{NULL, 0, 1},          {"connected", 0, 1}, {"disconnected", 0, 1},
                {"all", 0, 2},         {"degraded", 0, 0},  {"Connected", E_BAD_REQUEST, 0},
                {"", E_BAD_REQUEST, 0}};
    envelope_t header = {.org = f->ours.organization_id};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        accounts_account_page_in_t in = {.status = rows[i].status};
        accounts_account_page_out_t out = {0};
        header.id = id_nil ();
        assert_int_equal (optest_ask (f->test, "account_page", &header, &in, &out, NULL),
                          rows[i].want);
        assert_int_equal (out.accounts.count, rows[i].count);
    }
}

/* ---- teams and users ---- */

static int forget_teams (turn_t *t, void *context)
{
    const id16_t *ids = context;
    accounts_number_t number = {0};
    int code = store_get_any (t->txn, &accounts_number_record, ids[0], t->arena, &number);
    number.team = id_nil ();
    if (code == 0)
        code = store_put (t->txn, &accounts_number_record, &number, NULL);
    return code ? code : store_del (t->txn, &accounts_team_record, ids[1]);
}

static int complete (turn_t *t, void *context)
{
    (void) context;
    return teams_complete (t);
}

static void test_what_was_written_before_teams_gets_one (void **state)
{
    const world_t *f = *state;
    accounts_app_number_t made = number_added (f, "+15550170001");
    id16_t team = number_told_last (f).team, ids[] = {made.number_id, team};
    assert_int_equal (optest_run (f->test, forget_teams, ids), 0);
    assert_int_equal (optest_run (f->test, complete, NULL), 0);
    accounts_number_changed_t told = number_told_last (f);
    assert_true (id_equal (told.id, made.number_id));
    assert_false (id_is_nil (told.team));
    assert_false (id_equal (told.team, team));
}

static void test_teams_that_are_needed_stay (void **state)
{
    const world_t *f = *state;
    number_added (f, "+15550170001");
    id16_t first = number_told_last (f).team;
    accounts_team_create_in_t make = {.name = "Sales"};
    accounts_team_t sales = {0}, none = {0};
    assert_int_equal (optest_ask (f->test, "team_create", NULL, &make, &sales, NULL), 0);
    assert_int_equal (optest_ask (f->test, "team_create", NULL, &make, &none, NULL),
                      E_ALREADY_EXISTS);
    id16_t teams[] = {sales.id};
    accounts_user_create_in_t person = {
        .name = "Ana", .email = "ana@example.com", .teams = {teams, 1}};
    accounts_user_t ana = {0};
    assert_int_equal (optest_ask (f->test, "user_create", NULL, &person, &ana, NULL), 0);
    assert_int_equal (optest_ask (f->test, "user_create", NULL, &person, &ana, NULL),
                      E_ALREADY_EXISTS);
    accounts_user_list_out_t users = {0};
    assert_int_equal (
        optest_ask (f->test, "user_list", NULL, &(accounts_user_list_in_t){0}, &users, NULL), 0);
    assert_int_equal (users.users.count, 1);
    ana = *(const accounts_user_t *) users.users.items;
    accounts_team_delete_in_t with_number = {.id = first}, with_user = {.id = sales.id};
    accounts_team_delete_out_t gone = {0};
    assert_int_equal (optest_ask (f->test, "team_delete", NULL, &with_number, &gone, NULL),
                      E_CONFLICT);
    assert_int_equal (optest_ask (f->test, "team_delete", NULL, &with_user, &gone, NULL),
                      E_CONFLICT);
    accounts_user_delete_in_t leave = {.id = ana.id};
    accounts_user_delete_out_t left = {0};
    assert_int_equal (optest_ask (f->test, "user_delete", NULL, &leave, &left, NULL), 0);
    assert_int_equal (optest_ask (f->test, "team_delete", NULL, &with_user, &gone, NULL), 0);
    assert_int_equal (optest_ask (f->test, "team_delete", NULL, &with_user, &gone, NULL),
                      E_NOT_FOUND);
}

static void test_teams_of_others_do_not_count (void **state)
{
    const world_t *f = *state;
    accounts_org_create_in_t in = {.organization = "Other", .app = "Theirs"};
    accounts_bootstrap_out_t other = {0};
    accounts_team_list_out_t theirs = {0};
    assert_int_equal (optest_ask (f->test, "org_create", NULL, &in, &other, NULL), 0);
    accounts_team_list_in_t of = {.org = other.organization_id};
    assert_int_equal (optest_ask (f->test, "team_list", NULL, &of, &theirs, NULL), 0);
    assert_int_equal (theirs.teams.count, 1);
    id16_t teams[] = {((const accounts_team_t *) theirs.teams.items)->id};
    accounts_user_create_in_t person = {.org = f->ours.organization_id,
                                        .name = "Ana",
                                        .email = "ana@example.com",
                                        .teams = {teams, 1}};
    accounts_user_t out = {0};
    failure_t failure = {0};
    assert_int_equal (optest_ask (f->test, "user_create", NULL, &person, &out, &failure),
                      E_NOT_FOUND);
    assert_string_equal (failure.field, "teams");
    accounts_app_number_t number = {0};
    accounts_number_add_in_t add = {.org = f->ours.organization_id,
                                    .number = "+15550170001",
                                    .channel = ACCOUNTS_CHANNEL_WHATSAPP,
                                    .test = true};
    assert_int_equal (optest_ask (f->test, "number_add", NULL, &add, &number, NULL), 0);
    accounts_number_change_in_t move = {.id = number.number_id, .team = teams[0]};
    accounts_number_t moved = {0};
    assert_int_equal (optest_ask (f->test, "number_change", NULL, &move, &moved, &failure),
                      E_NOT_FOUND);
    assert_string_equal (failure.field, "team");
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_organization_key_expires_and_is_revoked, world_setup,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_only_organization_keys_expire_and_none_is_of_an_app,
                                         world_setup, world_teardown),
        cmocka_unit_test_setup_teardown (test_me_tells_key_and_organization, world_setup,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_whatsapp_numbers_have_digits_for_a_ref, world_setup,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_account_page_is_of_a_status, world_setup,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_what_was_written_before_teams_gets_one, world_setup,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_teams_that_are_needed_stay, world_setup,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_teams_of_others_do_not_count, world_setup,
                                         world_teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
