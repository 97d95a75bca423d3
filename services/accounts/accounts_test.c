/* accounts_test.c - the operations of accounts on a temporary store: bootstrap, keys, numbers. */
#include "accounts.h"
#include "svc/optest.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

typedef struct fixture {
    optest_t *test;
    accounts_bootstrap_out_t made;
} fixture_t;

static int setup (void **state)
{
    static fixture_t fixture;
    fixture = (fixture_t) { .test = optest_new (&accounts_tables) };
    assert_non_null (fixture.test);
    accounts_bootstrap_in_t in = { .organization = "Org", .app = "App" };
    assert_int_equal (optest_ask (fixture.test, "bootstrap", NULL, &in, &fixture.made, NULL), 0);
    *state = &fixture;
    return 0;
}

static int teardown (void **state)
{
    optest_destroy (&((fixture_t *) *state)->test);
    return 0;
}

static envelope_t caller (const fixture_t *f, bool test)
{
    return (envelope_t) { .org = f->made.organization_id, .app = test ? f->made.test_app_id : f->made.app_id, .test = test,
                          .principal = PRINCIPAL_APP_KEY };
}

static int resolve (const fixture_t *f, const char *key, accounts_key_resolve_out_t *out)
{
    uint8_t proof[SIGN_SHA256_SIZE];
    accounts_key_resolve_in_t in = { .proof = { proof, sizeof proof } };
    keyring_hash (optest_keyring (f->test), key, proof);
    memcpy (in.lookup.b, proof, sizeof in.lookup.b);
    return optest_ask (f->test, "key_resolve", NULL, &in, out, NULL);
}

static void test_bootstrap_makes_three_keys_once (void **state)
{
    const fixture_t *f = *state;
    accounts_key_resolve_out_t out = { 0 };
    assert_int_equal (resolve (f, f->made.admin_key, &out), 0);
    assert_int_equal (out.kind, ACCOUNTS_KEY_KIND_ADMIN);
    assert_int_equal (resolve (f, f->made.live_key, &out), 0);
    assert_true (id_equal (out.app, f->made.app_id) && !out.test);
    assert_int_equal (resolve (f, f->made.test_key, &out), 0);
    assert_true (id_equal (out.app, f->made.test_app_id) && out.test);
    assert_int_equal (resolve (f, "sk_test_app_nothing", &out), E_UNAUTHORIZED);
    accounts_bootstrap_in_t in = { .organization = "Again", .app = "App" };
    accounts_bootstrap_out_t again = { 0 };
    assert_int_equal (optest_ask (f->test, "bootstrap", NULL, &in, &again, NULL), E_ALREADY_EXISTS);
}

static void test_deleted_key_is_unknown (void **state)
{
    const fixture_t *f = *state;
    accounts_key_create_in_t in = { .app = f->made.test_app_id, .name = "second" };
    accounts_key_create_out_t made = { 0 };
    accounts_key_resolve_out_t out = { 0 };
    accounts_key_delete_out_t gone = { 0 };
    assert_int_equal (optest_ask (f->test, "key_create", NULL, &in, &made, NULL), 0);
    assert_int_equal (resolve (f, made.key, &out), 0);
    assert_int_equal (optest_ask (f->test, "key_delete", NULL, &(accounts_key_delete_in_t) { .id = out.id }, &gone, NULL), 0);
    assert_int_equal (resolve (f, made.key, &out), E_UNAUTHORIZED);
}

static void test_last_admin_key_stays (void **state)
{
    const fixture_t *f = *state;
    accounts_key_resolve_out_t admin = { 0 };
    accounts_key_delete_out_t gone = { 0 };
    assert_int_equal (resolve (f, f->made.admin_key, &admin), 0);
    assert_int_equal (optest_ask (f->test, "key_delete", NULL, &(accounts_key_delete_in_t) { .id = admin.id }, &gone, NULL), E_CONFLICT);
}

static void test_numbers_belong_to_their_app (void **state)
{
    const fixture_t *f = *state;
    envelope_t header = caller (f, true);
    accounts_number_draw_in_t draw = { .channel = ACCOUNTS_CHANNEL_SMS };
    accounts_app_number_t drawn = { 0 };
    assert_int_equal (optest_ask (f->test, "number_draw", &header, &draw, &drawn, NULL), 0);
    accounts_number_list_in_t list = { .channel = ACCOUNTS_CHANNEL_SMS };
    accounts_number_list_out_t listed = { 0 };
    assert_int_equal (optest_ask (f->test, "number_list", &header, &list, &listed, NULL), 0);
    assert_int_equal (listed.total, 1);
    envelope_t live = caller (f, false);
    assert_int_equal (optest_ask (f->test, "number_list", &live, &list, &listed, NULL), 0);
    assert_int_equal (listed.total, 0);
    accounts_number_unassign_in_t unassign = { .number_id = drawn.number_id };
    accounts_number_unassign_out_t done = { 0 };
    live.id = id_nil ();
    assert_int_equal (optest_ask (f->test, "number_unassign", &live, &unassign, &done, NULL), E_NOT_FOUND);
    header.id = id_nil ();
    assert_int_equal (optest_ask (f->test, "number_unassign", &header, &unassign, &done, NULL), 0);
    header.id = id_nil ();
    assert_int_equal (optest_ask (f->test, "number_unassign", &header, &unassign, &done, NULL), E_NOT_FOUND);
}

static void test_ensure_is_idempotent (void **state)
{
    const fixture_t *f = *state;
    accounts_number_ensure_in_t in = { .number = "+15550001111", .channel = ACCOUNTS_CHANNEL_SMS };
    accounts_number_ensure_out_t first = { 0 };
    accounts_number_ensure_out_t second = { 0 };
    envelope_t header = caller (f, true);
    assert_int_equal (optest_ask (f->test, "number_ensure", &header, &in, &first, NULL), 0);
    header.id = id_nil ();
    assert_int_equal (optest_ask (f->test, "number_ensure", &header, &in, &second, NULL), 0);
    assert_true (id_equal (first.number->number_id, second.number->number_id));
    envelope_t live = caller (f, false);
    assert_int_equal (optest_ask (f->test, "number_ensure", &live, &in, &second, NULL), E_TEST_APP_REQUIRED);
}

static void test_assigning_twice_is_refused (void **state)
{
    const fixture_t *f = *state;
    accounts_number_add_in_t add = { .number = "+15550002222", .channel = ACCOUNTS_CHANNEL_SMS, .test = true };
    accounts_app_number_t number = { 0 };
    assert_int_equal (optest_ask (f->test, "number_add", NULL, &add, &number, NULL), 0);
    accounts_number_assign_in_t in = { .number_id = number.number_id };
    envelope_t header = caller (f, true);
    accounts_app_number_t out = { 0 };
    assert_int_equal (optest_ask (f->test, "number_assign", &header, &in, &out, NULL), 0);
    header.id = id_nil ();
    assert_int_equal (optest_ask (f->test, "number_assign", &header, &in, &out, NULL), E_CONFLICT);
    envelope_t live = caller (f, false);
    assert_int_equal (optest_ask (f->test, "number_assign", &live, &in, &out, NULL), E_NOT_FOUND);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_bootstrap_makes_three_keys_once, setup, teardown),
        cmocka_unit_test_setup_teardown (test_deleted_key_is_unknown, setup, teardown),
        cmocka_unit_test_setup_teardown (test_last_admin_key_stays, setup, teardown),
        cmocka_unit_test_setup_teardown (test_numbers_belong_to_their_app, setup, teardown),
        cmocka_unit_test_setup_teardown (test_ensure_is_idempotent, setup, teardown),
        cmocka_unit_test_setup_teardown (test_assigning_twice_is_refused, setup, teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
