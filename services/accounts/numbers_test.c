/* numbers_test.c - what admin keys do with numbers: the playground's of an app that they name, and the organization's with their apps. */
#include "accounts.h"
#include "svc/optest.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

typedef struct fixture {
    optest_t *test;
    accounts_bootstrap_out_t made;
} fixture_t;

static int setup (void **state)
{
    static fixture_t fixture;
    fixture = (fixture_t){.test = optest_new (&accounts_tables)};
    assert_non_null (fixture.test);
    accounts_bootstrap_in_t in = {.organization = "Org", .app = "App"};
    assert_int_equal (optest_ask (fixture.test, "bootstrap", NULL, &in, &fixture.made, NULL), 0);
    *state = &fixture;
    return 0;
}

static int teardown (void **state)
{
    optest_destroy (&((fixture_t *) *state)->test);
    return 0;
}

static int ask_of (const fixture_t *f, id16_t org, const char *op, const void *in, void *out,
                   failure_t *failure)
{
    envelope_t header = {.org = org, .principal = PRINCIPAL_ADMIN_KEY};
    return optest_ask (f->test, op, &header, in, out, failure);
}

static int ask (const fixture_t *f, const char *op, const void *in, void *out, failure_t *failure)
{
    return ask_of (f, f->made.organization_id, op, in, out, failure);
}

static accounts_bootstrap_out_t other_org (const fixture_t *f)
{
    accounts_org_create_in_t in = {.organization = "Other", .app = "Theirs"};
    accounts_bootstrap_out_t out = {0};
    assert_int_equal (optest_ask (f->test, "org_create", NULL, &in, &out, NULL), 0);
    return out;
}

/* The app that x-app-id names decides over a playground operation. */
static void test_playground_takes_test_apps_of_the_organization (void **state)
{
    const fixture_t *f = *state;
    accounts_bootstrap_out_t other = other_org (f);
    const struct {
        id16_t app;
        bool test;
        int want;
    } rows[] = {
        {f->made.test_app_id, true, 0},
        {f->made.test_app_id, false, E_NOT_FOUND},
        {f->made.app_id, false, E_TEST_APP_REQUIRED},
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
        assert_int_equal (ask (f, "number_draw", &draw, &drawn, NULL), rows[i].want);
        assert_int_equal (ask (f, "number_list", &list, &listed, NULL), rows[i].want);
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
    const fixture_t *f = *state;
    accounts_number_draw_in_t draw = {.channel = ACCOUNTS_CHANNEL_SMS,
                                      .app = f->made.test_app_id,
                                      .app_test = true,
                                      .number = "+15550160001"};
    accounts_app_number_t drawn = {0};
    failure_t failure = {0};
    assert_int_equal (ask (f, "number_draw", &draw, &drawn, NULL), 0);
    assert_string_equal (drawn.number, "+15550160001");
    assert_int_equal (ask (f, "number_draw", &draw, &drawn, &failure), E_ALREADY_EXISTS);
    assert_string_equal (failure.field, "number");
}

/* ---- numbers of the organization ---- */

static id16_t number_added (const fixture_t *f, const char *e164)
{
    accounts_number_add_in_t add = {.org = f->made.organization_id,
                                    .number = e164,
                                    .channel = ACCOUNTS_CHANNEL_SMS,
                                    .test = true};
    accounts_app_number_t out = {0};
    assert_int_equal (optest_ask (f->test, "number_add", NULL, &add, &out, NULL), 0);
    return out.number_id;
}

static id16_t test_app_added (const fixture_t *f, const char *slug)
{
    accounts_app_create_in_t in = {.name = slug, .slug = slug};
    accounts_app_told_t out = {0};
    assert_int_equal (ask (f, "app_create", &in, &out, NULL), 0);
    return out.twin->id;
}

static size_t events_of_assignments (const fixture_t *f)
{
    const common_event_t *events = NULL;
    size_t count = 0, all = optest_events (f->test, 0, &events);
    for (size_t i = 0; i < all; i++)
        count += events[i].number == accounts_assignment_changed_event.number;
    return count;
}

static void test_set_of_apps_is_replaced (void **state)
{
    const fixture_t *f = *state;
    id16_t number = number_added (f, "+15550160002"), second = test_app_added (f, "second");
    id16_t both[] = {f->made.test_app_id, second}, one[] = {second, second};
    accounts_number_apps_set_in_t in = {
        .number_id = number, .number_id_test = true, .app_ids = {both, 2}};
    accounts_org_number_t out = {0};
    assert_int_equal (ask (f, "number_apps_set", &in, &out, NULL), 0);
    assert_int_equal (out.apps.count, 2);
    assert_int_equal (events_of_assignments (f), 2);
    in.app_ids = (schema_list_t){one, 2};
    assert_int_equal (ask (f, "number_apps_set", &in, &out, NULL), 0);
    assert_int_equal (out.apps.count, 1);
    assert_string_equal (((const accounts_number_app_t *) out.apps.items)->slug, "second");
    assert_int_equal (events_of_assignments (f), 3); /* only the one that lost it */
    in.app_ids.count = 0;
    assert_int_equal (ask (f, "number_apps_set", &in, &out, NULL), 0);
    assert_int_equal (out.apps.count, 0);
    in.number_id_test = false;
    assert_int_equal (ask (f, "number_apps_set", &in, &out, NULL), E_NOT_FOUND);
}

static void test_one_unknown_app_changes_nothing (void **state)
{
    const fixture_t *f = *state;
    accounts_bootstrap_out_t other = other_org (f);
    id16_t number = number_added (f, "+15550160003");
    const struct {
        id16_t app;
        int want;
    } rows[] = {{other.test_app_id, E_NOT_FOUND},
                {id_nil (), E_NOT_FOUND},
                {f->made.app_id, E_BAD_REQUEST}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        id16_t ids[] = {f->made.test_app_id, rows[i].app};
        accounts_number_apps_set_in_t in = {
            .number_id = number, .number_id_test = true, .app_ids = {ids, 2}};
        accounts_org_number_t out = {0};
        failure_t failure = {0};
        assert_int_equal (ask (f, "number_apps_set", &in, &out, &failure), rows[i].want);
        assert_string_equal (failure.field, "app_ids");
        assert_int_equal (events_of_assignments (f), 0);
    }
    accounts_number_apps_set_in_t in = {.number_id = number, .number_id_test = true};
    accounts_org_number_t out = {0};
    assert_int_equal (ask_of (f, other.organization_id, "number_apps_set", &in, &out, NULL),
                      E_NOT_FOUND);
}

static void test_released_number_is_gone_from_its_apps (void **state)
{
    const fixture_t *f = *state;
    accounts_bootstrap_out_t other = other_org (f);
    id16_t number = number_added (f, "+15550160004");
    id16_t app = f->made.test_app_id;
    accounts_number_apps_set_in_t in = {
        .number_id = number, .number_id_test = true, .app_ids = {&app, 1}};
    accounts_org_number_t set = {0};
    assert_int_equal (ask (f, "number_apps_set", &in, &set, NULL), 0);
    accounts_number_release_in_t gone = {.number_id = number, .number_id_test = true};
    accounts_number_release_out_t out = {0};
    assert_int_equal (ask_of (f, other.organization_id, "number_release", &gone, &out, NULL),
                      E_NOT_FOUND);
    assert_int_equal (ask (f, "number_release", &gone, &out, NULL), 0);
    assert_true (out.success && id_equal (out.number_id, number));
    assert_int_equal (out.affected.count, 1);
    assert_true (
        id_equal (((const accounts_number_app_t *) out.affected.items)->app, f->made.test_app_id));
    assert_int_equal (events_of_assignments (f), 2);
    assert_int_equal (ask (f, "number_release", &gone, &out, NULL), E_NOT_FOUND);
    number_added (f, "+15550160004"); /* free again */
}

static void test_settings_of_an_unknown_number (void **state)
{
    const fixture_t *f = *state;
    accounts_number_set_in_t in = {.app = f->made.test_app_id,
                                   .app_test = true,
                                   .number_id = f->made.app_id,
                                   .number_id_test = true};
    accounts_app_number_t out = {0};
    assert_int_equal (ask (f, "number_set", &in, &out, NULL), E_NOT_FOUND);
    in.app = f->made.organization_id;
    assert_int_equal (ask (f, "number_set", &in, &out, NULL), E_NOT_FOUND);
}

static void test_list_pages_with_a_total (void **state)
{
    const fixture_t *f = *state;
    number_added (f, "+15550160005");
    id16_t second = number_added (f, "+15550160006");
    accounts_number_page_in_t in = {.channel = ACCOUNTS_CHANNEL_SMS, .limit = 1};
    accounts_number_page_out_t out = {0};
    assert_int_equal (ask (f, "number_page", &in, &out, NULL), 0);
    assert_int_equal (out.total, 2);
    assert_int_equal (out.numbers.count, 1);
    assert_true (id_equal (((const accounts_org_number_t *) out.numbers.items)->number_id, second));
    in.offset = 2;
    assert_int_equal (ask (f, "number_page", &in, &out, NULL), 0);
    assert_int_equal (out.numbers.count, 0);
    accounts_bootstrap_out_t other = other_org (f);
    assert_int_equal (ask_of (f, other.organization_id, "number_page", &in, &out, NULL), 0);
    assert_int_equal (out.total, 0);
}

/* The longest page fits into a request's memory. */
static void test_list_of_a_hundred (void **state)
{
    const fixture_t *f = *state;
    char number[32];
    for (int i = 0; i < 100; i++) {
        snprintf (number, sizeof number, "+155501600%02d", i);
        number_added (f, number);
    }
    accounts_number_page_in_t in = {.channel = ACCOUNTS_CHANNEL_SMS, .limit = 100};
    accounts_number_page_out_t out = {0};
    assert_int_equal (ask (f, "number_page", &in, &out, NULL), 0);
    assert_int_equal (out.numbers.count, 100);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_playground_takes_test_apps_of_the_organization, setup,
                                         teardown),
        cmocka_unit_test_setup_teardown (test_playground_number_may_be_chosen_once, setup,
                                         teardown),
        cmocka_unit_test_setup_teardown (test_set_of_apps_is_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown (test_one_unknown_app_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown (test_released_number_is_gone_from_its_apps, setup,
                                         teardown),
        cmocka_unit_test_setup_teardown (test_settings_of_an_unknown_number, setup, teardown),
        cmocka_unit_test_setup_teardown (test_list_pages_with_a_total, setup, teardown),
        cmocka_unit_test_setup_teardown (test_list_of_a_hundred, setup, teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
