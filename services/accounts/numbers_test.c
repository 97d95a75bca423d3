/* numbers_test.c - what admin keys do with numbers: the playground's of an app that they name, and the organization's with their apps. */
#include "accounts_world.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

/* The app that x-app-id names decides over a playground operation. */
static void test_playground_takes_test_apps_of_the_organization (void **state)
{
    const world_t *f = *state;
    accounts_bootstrap_out_t other = world_other (f);
    const struct {
        id16_t app;
        bool test;
        int want;
    } rows[] = {
        {f->ours.test_app_id, true, 0},
        {f->ours.test_app_id, false, E_NOT_FOUND},
        {f->ours.app_id, false, E_TEST_APP_REQUIRED},
        {other.test_app_id, true, E_NOT_FOUND},
        {id_nil (), true, E_NOT_FOUND},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        accounts_number_draw_in_t draw = {
            .channel = ACCOUNTS_CHANNEL_WHATSAPP, .app = rows[i].app, .app_test = rows[i].test};
        accounts_number_list_in_t list = {.channel = ACCOUNTS_CHANNEL_WHATSAPP,
                                          .app = rows[i].app,
                                          .app_test = rows[i].test,
                                          .playground = true};
        accounts_app_number_t drawn = {0};
        accounts_number_list_out_t listed = {0};
        assert_int_equal (world_ask (f, "number_draw", &draw, &drawn, NULL), rows[i].want);
        assert_int_equal (world_ask (f, "number_list", &list, &listed, NULL), rows[i].want);
        if (rows[i].want == 0) {
            assert_int_equal (listed.numbers.count, 1);
            assert_true (
                id_equal (((const accounts_app_number_t *) listed.numbers.items)->number_id,
                          drawn.number_id));
        }
    }
}

static void test_playground_number_may_be_chosen_once (void **state)
{
    const world_t *f = *state;
    accounts_number_draw_in_t draw = {.channel = ACCOUNTS_CHANNEL_SMS,
                                      .app = f->ours.test_app_id,
                                      .app_test = true,
                                      .number = "+15550160001"};
    accounts_app_number_t drawn = {0};
    failure_t failure = {0};
    assert_int_equal (world_ask (f, "number_draw", &draw, &drawn, NULL), 0);
    assert_string_equal (drawn.number, "+15550160001");
    assert_int_equal (world_ask (f, "number_draw", &draw, &drawn, &failure), E_ALREADY_EXISTS);
    assert_string_equal (failure.field, "number");
}

/* ---- numbers of the organization ---- */

static size_t events_of_assignments (const world_t *w)
{
    return world_events (w, &accounts_assignment_changed_event);
}

static void test_set_of_apps_is_replaced (void **state)
{
    const world_t *f = *state;
    id16_t number = world_number (f, "+15550160002"), second = world_app (f, "second").twin->id;
    id16_t both[] = {f->ours.test_app_id, second}, one[] = {second, second};
    accounts_number_apps_set_in_t in = {
        .number_id = number, .number_id_test = true, .app_ids = {both, 2}};
    accounts_org_number_t out = {0};
    assert_int_equal (world_ask (f, "number_apps_set", &in, &out, NULL), 0);
    assert_int_equal (out.apps.count, 2);
    assert_int_equal (events_of_assignments (f), 2);
    in.app_ids = (schema_list_t){one, 2};
    assert_int_equal (world_ask (f, "number_apps_set", &in, &out, NULL), 0);
    assert_int_equal (out.apps.count, 1);
    assert_string_equal (((const accounts_number_app_t *) out.apps.items)->slug, "second");
    assert_int_equal (events_of_assignments (f), 3); /* only the one that lost it */
    in.app_ids.count = 0;
    assert_int_equal (world_ask (f, "number_apps_set", &in, &out, NULL), 0);
    assert_int_equal (out.apps.count, 0);
    in.number_id_test = false;
    assert_int_equal (world_ask (f, "number_apps_set", &in, &out, NULL), E_NOT_FOUND);
}

static void test_one_unknown_app_changes_nothing (void **state)
{
    const world_t *f = *state;
    accounts_bootstrap_out_t other = world_other (f);
    id16_t number = world_number (f, "+15550160003");
    const struct {
        id16_t app;
        int want;
    } rows[] = {{other.test_app_id, E_NOT_FOUND},
                {id_nil (), E_NOT_FOUND},
                {f->ours.app_id, E_BAD_REQUEST}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        id16_t ids[] = {f->ours.test_app_id, rows[i].app};
        accounts_number_apps_set_in_t in = {
            .number_id = number, .number_id_test = true, .app_ids = {ids, 2}};
        accounts_org_number_t out = {0};
        failure_t failure = {0};
        assert_int_equal (world_ask (f, "number_apps_set", &in, &out, &failure), rows[i].want);
        assert_string_equal (failure.field, "app_ids");
        assert_int_equal (events_of_assignments (f), 0);
    }
    accounts_number_apps_set_in_t in = {.number_id = number, .number_id_test = true};
    accounts_org_number_t out = {0};
    assert_int_equal (world_ask_of (f, other.organization_id, "number_apps_set", &in, &out, NULL),
                      E_NOT_FOUND);
}

static void test_released_number_is_gone_from_its_apps (void **state)
{
    const world_t *f = *state;
    accounts_bootstrap_out_t other = world_other (f);
    id16_t number = world_number (f, "+15550160004");
    id16_t app = f->ours.test_app_id;
    accounts_number_apps_set_in_t in = {
        .number_id = number, .number_id_test = true, .app_ids = {&app, 1}};
    accounts_org_number_t set = {0};
    assert_int_equal (world_ask (f, "number_apps_set", &in, &set, NULL), 0);
    accounts_number_release_in_t gone = {.number_id = number, .number_id_test = true};
    accounts_number_release_out_t out = {0};
    assert_int_equal (world_ask_of (f, other.organization_id, "number_release", &gone, &out, NULL),
                      E_NOT_FOUND);
    assert_int_equal (world_ask (f, "number_release", &gone, &out, NULL), 0);
    assert_true (out.success && id_equal (out.number_id, number));
    assert_int_equal (out.affected.count, 1);
    assert_true (
        id_equal (((const accounts_number_app_t *) out.affected.items)->app, f->ours.test_app_id));
    assert_int_equal (events_of_assignments (f), 2);
    assert_int_equal (world_ask (f, "number_release", &gone, &out, NULL), E_NOT_FOUND);
    world_number (f, "+15550160004"); /* free again */
}

static void test_settings_of_an_unknown_number (void **state)
{
    const world_t *f = *state;
    accounts_number_set_in_t in = {.app = f->ours.test_app_id,
                                   .app_test = true,
                                   .number_id = f->ours.app_id,
                                   .number_id_test = true};
    accounts_app_number_t out = {0};
    assert_int_equal (world_ask (f, "number_set", &in, &out, NULL), E_NOT_FOUND);
    in.app = f->ours.organization_id;
    assert_int_equal (world_ask (f, "number_set", &in, &out, NULL), E_NOT_FOUND);
}

static void test_list_pages_with_a_total (void **state)
{
    const world_t *f = *state;
    world_number (f, "+15550160005");
    id16_t second = world_number (f, "+15550160006");
    accounts_number_page_in_t in = {.channel = ACCOUNTS_CHANNEL_SMS, .limit = 1};
    accounts_number_page_out_t out = {0};
    assert_int_equal (world_ask (f, "number_page", &in, &out, NULL), 0);
    assert_int_equal (out.total, 2);
    assert_int_equal (out.numbers.count, 1);
    assert_true (id_equal (((const accounts_org_number_t *) out.numbers.items)->number_id, second));
    in.offset = 2;
    assert_int_equal (world_ask (f, "number_page", &in, &out, NULL), 0);
    assert_int_equal (out.numbers.count, 0);
    accounts_bootstrap_out_t other = world_other (f);
    assert_int_equal (world_ask_of (f, other.organization_id, "number_page", &in, &out, NULL), 0);
    assert_int_equal (out.total, 0);
}

/* The longest page fits into a request's memory. */
static void test_list_of_a_hundred (void **state)
{
    const world_t *f = *state;
    char number[32];
    for (int i = 0; i < 100; i++) {
        snprintf (number, sizeof number, "+155501600%02d", i);
        world_number (f, number);
    }
    accounts_number_page_in_t in = {.channel = ACCOUNTS_CHANNEL_SMS, .limit = 100};
    accounts_number_page_out_t out = {0};
    assert_int_equal (world_ask (f, "number_page", &in, &out, NULL), 0);
    assert_int_equal (out.numbers.count, 100);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_playground_takes_test_apps_of_the_organization,
                                         world_setup, world_teardown),
        cmocka_unit_test_setup_teardown (test_playground_number_may_be_chosen_once, world_setup,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_set_of_apps_is_replaced, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown (test_one_unknown_app_changes_nothing, world_setup,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_released_number_is_gone_from_its_apps, world_setup,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_settings_of_an_unknown_number, world_setup,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_list_pages_with_a_total, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown (test_list_of_a_hundred, world_setup, world_teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
