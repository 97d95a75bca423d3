/* admin_test.c - what admin keys and operators do, on a temporary store: keys, apps and their end, calling, settings, organizations. */
#include "accounts_world.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static int admin (const world_t *w, const char *op, const void *in, void *out)
{
    return world_ask (w, op, in, out, NULL);
}

static int theirs (const world_t *w, const char *op, const void *in, void *out)
{
    return world_ask_of (w, w->theirs.organization_id, op, in, out, NULL);
}

static accounts_key_made_t key_made (const world_t *f, id16_t app, bool test)
{
    accounts_key_issue_in_t in = {
        .kind = ACCOUNTS_KEY_KIND_APP, .name = "k", .app = app, .app_test = test};
    accounts_key_made_t out = {0};
    assert_int_equal (admin (f, "key_issue", &in, &out), 0);
    return out;
}

static size_t keys_of (const world_t *f, id16_t app, bool test, accounts_key_info_t *first)
{
    accounts_key_page_in_t in = {.kind = ACCOUNTS_KEY_KIND_APP, .app = app, .app_test = test};
    accounts_key_page_out_t out = {0};
    assert_int_equal (admin (f, "key_page", &in, &out), 0);
    assert_int_equal (out.total, out.keys.count);
    if (first && out.keys.count)
        *first = *(const accounts_key_info_t *) out.keys.items;
    return out.keys.count;
}

/* ---- keys ---- */

static void test_keys_are_of_their_app_and_mode (void **state)
{
    const world_t *f = *state;
    accounts_app_told_t app = world_app (f, "one");
    accounts_key_made_t test = key_made (f, app.twin->id, true);
    accounts_key_resolve_out_t who = {0};
    assert_true (test.test && strncmp (test.key, "sk_test_app_", 12) == 0);
    assert_int_equal (world_resolve (f, test.key, &who), 0);
    assert_true (id_equal (who.app, app.twin->id));
    assert_int_equal (keys_of (f, app.twin->id, true, NULL), 1);
    assert_int_equal (keys_of (f, app.twin->id, false, NULL), 0);
    accounts_key_issue_in_t wrong = {
        .kind = ACCOUNTS_KEY_KIND_APP, .name = "k", .app = app.id, .app_test = true};
    accounts_key_made_t out = {0};
    assert_int_equal (admin (f, "key_issue", &wrong, &out), E_NOT_FOUND);
    accounts_key_revoke_in_t revoke = {.kind = ACCOUNTS_KEY_KIND_APP, .id = test.id};
    accounts_key_revoke_out_t gone = {0};
    assert_int_equal (admin (f, "key_revoke", &revoke, &gone), E_NOT_FOUND);
    revoke.id_test = true;
    assert_int_equal (theirs (f, "key_revoke", &revoke, &gone), E_NOT_FOUND);
    assert_int_equal (admin (f, "key_revoke", &revoke, &gone), 0);
    assert_int_equal (world_resolve (f, test.key, &who), E_UNAUTHORIZED);
}

static void test_last_admin_key_of_each_organization_stays (void **state)
{
    const world_t *f = *state;
    accounts_key_resolve_out_t ours = {0}, theirs = {0};
    accounts_key_revoke_out_t gone = {0};
    assert_int_equal (world_resolve (f, f->ours.admin_key, &ours), 0);
    assert_int_equal (world_resolve (f, f->theirs.admin_key, &theirs), 0);
    accounts_key_revoke_in_t in = {.kind = ACCOUNTS_KEY_KIND_ADMIN, .id = ours.id};
    assert_int_equal (admin (f, "key_revoke", &in, &gone), E_CONFLICT);
    in.id = theirs.id;
    assert_int_equal (admin (f, "key_revoke", &in, &gone), E_NOT_FOUND);
}

static void test_last_use_only_grows (void **state)
{
    const world_t *f = *state;
    accounts_key_info_t info = {0};
    accounts_key_made_t key = key_made (f, f->ours.app_id, false);
    const int64_t times[] = {5000, 3000, 9000}, want[] = {5000, 5000, 9000};
    for (size_t i = 0; i < 3; i++) {
        accounts_key_use_t uses[] = {{.id = {{7}}, .at = 1}, {.id = key.id, .at = times[i]}};
        accounts_keys_used_in_t in = {.uses = {uses, 2}};
        accounts_keys_used_out_t out = {0};
        assert_int_equal (optest_ask (f->test, "keys_used", NULL, &in, &out, NULL), 0);
        keys_of (f, f->ours.app_id, false, &info);
        assert_int_equal (info.last_used_at, want[i]);
    }
}

/* ---- apps ---- */

static void test_slugs_are_of_the_organization (void **state)
{
    const world_t *f = *state;
    accounts_app_create_in_t in = {.name = "Name", .slug = "taken"};
    accounts_app_slug_check_in_t check = {.slug = "taken"};
    accounts_app_slug_check_out_t slug = {0};
    accounts_app_told_t out = {0};
    world_app (f, "taken");
    assert_int_equal (admin (f, "app_create", &in, &out), E_ALREADY_EXISTS);
    assert_int_equal (admin (f, "app_slug_check", &check, &slug), 0);
    assert_false (slug.available);
    assert_int_equal (theirs (f, "app_slug_check", &check, &slug), 0);
    assert_true (slug.available);
    assert_int_equal (theirs (f, "app_create", &in, &out), 0);
}

static void run_jobs (const world_t *f)
{
    for (int i = 0; i < 20; i++)
        assert_int_equal (optest_advance (f->test, 1), 0);
}

static void test_a_deleted_app_takes_all_with_it (void **state)
{
    enum { KEYS = 450 }; /* more than one turn removes */
    const world_t *f = *state;
    accounts_app_told_t app = world_app (f, "ends");
    accounts_key_resolve_out_t who = {0};
    accounts_key_made_t key = {0};
    for (int i = 0; i < KEYS; i++)
        key = key_made (f, app.id, false);
    envelope_t caller = {.org = f->ours.organization_id,
                         .app = app.twin->id,
                         .test = true,
                         .principal = PRINCIPAL_APP_KEY};
    accounts_number_draw_in_t draw = {.channel = ACCOUNTS_CHANNEL_SMS};
    accounts_app_number_t number = {0};
    assert_int_equal (optest_ask (f->test, "number_draw", &caller, &draw, &number, NULL), 0);
    size_t keys = world_events (f, &accounts_key_deleted_event),
           numbers = world_events (f, &accounts_assignment_changed_event);
    accounts_app_delete_in_t in = {.app = app.id};
    accounts_app_delete_out_t out = {0};
    assert_int_equal (theirs (f, "app_delete", &in, &out), E_NOT_FOUND);
    assert_int_equal (admin (f, "app_delete", &in, &out), 0);
    assert_int_equal (world_resolve (f, key.key, &who), E_UNAUTHORIZED);
    assert_int_equal (admin (f, "app_delete", &in, &out), E_NOT_FOUND);
    run_jobs (f);
    assert_int_equal (world_events (f, &accounts_key_deleted_event) - keys, KEYS);
    assert_int_equal (world_events (f, &accounts_assignment_changed_event) - numbers, 1);
    accounts_app_told_t again = world_app (f, "ends");
    accounts_number_assign_in_t assign = {.app = again.twin->id,
                                          .app_test = true,
                                          .number_id = number.number_id,
                                          .number_id_test = true};
    assert_int_equal (admin (f, "number_assign", &assign, &number),
                      0); /* the organization kept it */
}

static void test_numbers_go_by_app_and_mode (void **state)
{
    const world_t *f = *state;
    envelope_t caller = world_caller (f, true);
    accounts_number_draw_in_t draw = {.channel = ACCOUNTS_CHANNEL_SMS};
    accounts_app_number_t number = {0}, out = {0};
    assert_int_equal (optest_ask (f->test, "number_draw", &caller, &draw, &number, NULL), 0);
    const struct {
        id16_t org, app;
        bool app_test, number_test;
        int want;
    } rows[] = {
        {f->ours.organization_id, f->ours.test_app_id, true, true, 0},
        {f->ours.organization_id, f->ours.test_app_id, true, false, E_NOT_FOUND},
        {f->ours.organization_id, f->ours.test_app_id, false, true, E_NOT_FOUND},
        {f->ours.organization_id, f->ours.app_id, false, true, E_NOT_FOUND},
        {f->theirs.organization_id, f->ours.test_app_id, true, true, E_NOT_FOUND},
        {f->theirs.organization_id, f->theirs.test_app_id, true, true, E_NOT_FOUND},
        {f->ours.organization_id, id_nil (), false, true,
         E_BAD_REQUEST}, /* refused before the handler */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        accounts_number_set_in_t in = {.app = rows[i].app,
                                       .app_test = rows[i].app_test,
                                       .number_id = number.number_id,
                                       .number_id_test = rows[i].number_test,
                                       .messaging_profile = "p"};
        assert_int_equal (world_ask_of (f, rows[i].org, "number_set", &in, &out, NULL),
                          rows[i].want);
    }
    assert_string_equal (out.messaging_profile, "p");
}

/* ---- calling and settings ---- */

static void test_calling_is_changed_in_part (void **state)
{
    const world_t *f = *state;
    accounts_calling_set_in_t in = {.app = f->ours.app_id,
                                    .voicemail_enabled = true,
                                    .voicemail_greeting_url = "https://a.example/"};
    accounts_calling_get_in_t get = {.app = f->ours.app_id};
    accounts_calling_config_t out = {0};
    assert_int_equal (admin (f, "calling_get", &get, &out), 0);
    assert_true (!out.voicemail_enabled && out.voicemail_max_duration == 120 &&
                 out.max_concurrent_calls == 100);
    in.has = ACCOUNTS_CALLING_SET_IN_HAS_VOICEMAIL_ENABLED;
    assert_int_equal (admin (f, "calling_set", &in, &out), 0);
    in = (accounts_calling_set_in_t){
        .app = f->ours.app_id, .voicemail_greeting_url = "", .max_concurrent_calls = 3};
    assert_int_equal (admin (f, "calling_set", &in, &out), 0);
    assert_int_equal (admin (f, "calling_get", &get, &out), 0);
    assert_true (out.voicemail_enabled && !out.voicemail_greeting_url &&
                 out.max_concurrent_calls == 3);
    assert_int_equal (theirs (f, "calling_get", &get, &out), E_NOT_FOUND);
}

static accounts_org_changed_t org_told_last (const world_t *w)
{
    accounts_org_changed_t body = {0};
    world_last (w, &accounts_org_changed_event, &body);
    return body;
}

static void test_settings_tell_what_was_set (void **state)
{
    const world_t *f = *state;
    accounts_settings_set_in_t in = {.has = ACCOUNTS_SETTINGS_SET_IN_HAS_MEDIA_RETENTION_DAYS};
    accounts_org_settings_t out = {0};
    accounts_org_changed_t told = org_told_last (f);
    assert_false (told.has & ACCOUNTS_ORG_CHANGED_HAS_MEDIA_RETENTION_DAYS);
    assert_int_equal (admin (f, "settings_set", &in, &out), 0);
    told = org_told_last (f);
    assert_true (told.has & ACCOUNTS_ORG_CHANGED_HAS_MEDIA_RETENTION_DAYS);
    assert_int_equal (told.media_retention_days, 0);
    assert_true (out.media_unlimited);
    in.media_retention_days = 7;
    assert_int_equal (admin (f, "settings_set", &in, &out), 0);
    assert_int_equal (org_told_last (f).media_retention_days, 7);
    assert_int_equal (out.media_retention_days, 7);
    assert_false (out.media_unlimited);
}

/* ---- organizations ---- */

static void test_a_suspended_organization_is_told (void **state)
{
    const world_t *f = *state;
    accounts_org_suspend_in_t in = {.id = f->theirs.organization_id, .suspended = true};
    accounts_org_info_t out = {0};
    accounts_key_resolve_out_t who = {0};
    assert_int_equal (optest_ask (f->test, "org_suspend", NULL, &in, &out, NULL), 0);
    assert_int_equal (org_told_last (f).status, ACCOUNTS_ORG_STATUS_SUSPENDED);
    assert_int_equal (world_resolve (f, f->theirs.admin_key, &who), 0);
    assert_int_equal (who.org_status, ACCOUNTS_ORG_STATUS_SUSPENDED);
    in.suspended = false;
    assert_int_equal (optest_ask (f->test, "org_suspend", NULL, &in, &out, NULL), 0);
    accounts_org_list_out_t list = {0};
    assert_int_equal (
        optest_ask (f->test, "org_list", NULL, &(accounts_org_list_in_t){0}, &list, NULL), 0);
    assert_int_equal (list.organizations.count, 2);
    assert_int_equal (((const accounts_org_info_t *) list.organizations.items)[1].status,
                      ACCOUNTS_ORG_STATUS_ACTIVE);
    in.id = f->ours.app_id;
    assert_int_equal (optest_ask (f->test, "org_suspend", NULL, &in, &out, NULL), E_NOT_FOUND);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_keys_are_of_their_app_and_mode, world_setup_two,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_last_admin_key_of_each_organization_stays,
                                         world_setup_two, world_teardown),
        cmocka_unit_test_setup_teardown (test_last_use_only_grows, world_setup_two, world_teardown),
        cmocka_unit_test_setup_teardown (test_slugs_are_of_the_organization, world_setup_two,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_a_deleted_app_takes_all_with_it, world_setup_two,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_numbers_go_by_app_and_mode, world_setup_two,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_calling_is_changed_in_part, world_setup_two,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_settings_tell_what_was_set, world_setup_two,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_a_suspended_organization_is_told, world_setup_two,
                                         world_teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
