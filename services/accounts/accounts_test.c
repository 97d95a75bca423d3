/* accounts_test.c - the operations of accounts on a temporary store: bootstrap, keys, numbers, carrier accounts. */
#define _GNU_SOURCE /* memmem */
#include "accounts_world.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static void test_bootstrap_makes_three_keys_once (void **state)
{
    const world_t *f = *state;
    accounts_key_resolve_out_t out = {0};
    assert_int_equal (world_resolve (f, f->ours.admin_key, &out), 0);
    assert_int_equal (out.kind, ACCOUNTS_KEY_KIND_ADMIN);
    assert_int_equal (world_resolve (f, f->ours.live_key, &out), 0);
    assert_true (id_equal (out.app, f->ours.app_id) && !out.test);
    assert_int_equal (world_resolve (f, f->ours.test_key, &out), 0);
    assert_true (id_equal (out.app, f->ours.test_app_id) && out.test);
    assert_int_equal (world_resolve (f, "sk_test_app_nothing", &out), E_UNAUTHORIZED);
    accounts_bootstrap_in_t in = {.organization = "Again", .app = "App"};
    accounts_bootstrap_out_t again = {0};
    assert_int_equal (optest_ask (f->test, "bootstrap", NULL, &in, &again, NULL), E_ALREADY_EXISTS);
}

static void test_deleted_key_is_unknown (void **state)
{
    const world_t *f = *state;
    accounts_key_create_in_t in = {.app = f->ours.test_app_id, .name = "second"};
    accounts_key_create_out_t made = {0};
    accounts_key_resolve_out_t out = {0};
    accounts_key_delete_out_t gone = {0};
    assert_int_equal (optest_ask (f->test, "key_create", NULL, &in, &made, NULL), 0);
    assert_int_equal (world_resolve (f, made.key, &out), 0);
    assert_int_equal (optest_ask (f->test, "key_delete", NULL,
                                  &(accounts_key_delete_in_t){.id = out.id}, &gone, NULL),
                      0);
    assert_int_equal (world_resolve (f, made.key, &out), E_UNAUTHORIZED);
}

static void test_last_admin_key_stays (void **state)
{
    const world_t *f = *state;
    accounts_key_resolve_out_t admin = {0};
    accounts_key_delete_out_t gone = {0};
    assert_int_equal (world_resolve (f, f->ours.admin_key, &admin), 0);
    assert_int_equal (optest_ask (f->test, "key_delete", NULL,
                                  &(accounts_key_delete_in_t){.id = admin.id}, &gone, NULL),
                      E_CONFLICT);
}

static void test_numbers_belong_to_their_app (void **state)
{
    const world_t *f = *state;
    envelope_t header = world_caller (f, true);
    accounts_number_draw_in_t draw = {.channel = ACCOUNTS_CHANNEL_SMS};
    accounts_app_number_t drawn = {0};
    assert_int_equal (optest_ask (f->test, "number_draw", &header, &draw, &drawn, NULL), 0);
    accounts_number_list_in_t list = {.channel = ACCOUNTS_CHANNEL_SMS};
    accounts_number_list_out_t listed = {0};
    assert_int_equal (optest_ask (f->test, "number_list", &header, &list, &listed, NULL), 0);
    assert_int_equal (listed.total, 1);
    envelope_t live = world_caller (f, false);
    assert_int_equal (optest_ask (f->test, "number_list", &live, &list, &listed, NULL), 0);
    assert_int_equal (listed.total, 0);
    accounts_number_unassign_in_t unassign = {.number_id = drawn.number_id};
    accounts_number_unassign_out_t done = {0};
    live.id = id_nil ();
    assert_int_equal (optest_ask (f->test, "number_unassign", &live, &unassign, &done, NULL),
                      E_NOT_FOUND);
    header.id = id_nil ();
    assert_int_equal (optest_ask (f->test, "number_unassign", &header, &unassign, &done, NULL), 0);
    header.id = id_nil ();
    assert_int_equal (optest_ask (f->test, "number_unassign", &header, &unassign, &done, NULL),
                      E_NOT_FOUND);
}

static void test_ensure_is_idempotent (void **state)
{
    const world_t *f = *state;
    accounts_number_ensure_in_t in = {.number = "+15550001111", .channel = ACCOUNTS_CHANNEL_SMS};
    accounts_number_ensure_out_t first = {0};
    accounts_number_ensure_out_t second = {0};
    envelope_t header = world_caller (f, true);
    assert_int_equal (optest_ask (f->test, "number_ensure", &header, &in, &first, NULL), 0);
    header.id = id_nil ();
    assert_int_equal (optest_ask (f->test, "number_ensure", &header, &in, &second, NULL), 0);
    assert_true (id_equal (first.number->number_id, second.number->number_id));
    envelope_t live = world_caller (f, false);
    assert_int_equal (optest_ask (f->test, "number_ensure", &live, &in, &second, NULL),
                      E_TEST_APP_REQUIRED);
}

static void test_assigning_twice_is_refused (void **state)
{
    const world_t *f = *state;
    accounts_number_add_in_t add = {
        .number = "+15550002222", .channel = ACCOUNTS_CHANNEL_SMS, .test = true};
    accounts_app_number_t number = {0};
    assert_int_equal (optest_ask (f->test, "number_add", NULL, &add, &number, NULL), 0);
    accounts_number_assign_in_t in = {.number_id = number.number_id};
    envelope_t header = world_caller (f, true);
    accounts_app_number_t out = {0};
    assert_int_equal (optest_ask (f->test, "number_assign", &header, &in, &out, NULL), 0);
    header.id = id_nil ();
    assert_int_equal (optest_ask (f->test, "number_assign", &header, &in, &out, NULL), E_CONFLICT);
    envelope_t live = world_caller (f, false);
    assert_int_equal (optest_ask (f->test, "number_assign", &live, &in, &out, NULL), E_NOT_FOUND);
}

/* ---- carrier accounts ---- */

static const char telnyx_key[] = "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";

static accounts_carrier_set_in_t meta_in (void)
{
    return (accounts_carrier_set_in_t){.carrier = ACCOUNTS_CARRIER_META,
                                       .name = "Desk",
                                       .waba = "100",
                                       .token = "EAAtoken",
                                       .app_secret = "s3cret-of-app",
                                       .verify_token = "verify-me",
                                       .base_url = "http://127.0.0.1:9/v23.0/"};
}

static accounts_carrier_set_in_t telnyx_in (void)
{
    return (accounts_carrier_set_in_t){
        .carrier = ACCOUNTS_CARRIER_TELNYX, .token = "KEY1", .public_key = telnyx_key};
}

static accounts_carrier_changed_t carrier_told_last (const world_t *w)
{
    accounts_carrier_changed_t body = {0};
    world_last (w, &accounts_carrier_changed_event, &body);
    return body;
}

static void test_carrier_account_travels_sealed (void **state)
{
    const world_t *f = *state;
    accounts_carrier_set_in_t in = meta_in ();
    id16_t id = world_carrier (f, &in);
    accounts_carrier_changed_t told = carrier_told_last (f);
    assert_true (id_equal (told.id, id) && id_equal (told.org, f->ours.organization_id));
    assert_string_equal (told.base_url, "http://127.0.0.1:9/v23.0");
    assert_null (memmem (told.sealed.data, told.sealed.size, "s3cret", 6));
    buf_t clear = buf_in (optest_arena (f->test));
    accounts_carrier_secrets_t secrets = {0};
    assert_int_equal (
        keyring_open_sealed (optest_keyring (f->test), id, "carrier account", told.sealed, &clear),
        0);
    assert_int_equal (schema_unpack (&accounts_carrier_secrets_type, buf_bytes (&clear),
                                     optest_arena (f->test), &secrets, NULL),
                      0);
    assert_string_equal (secrets.token, "EAAtoken");
    assert_string_equal (secrets.app_secret, "s3cret-of-app");
    assert_string_equal (secrets.verify_token, "verify-me");
}

static void test_carrier_account_is_changed_in_part (void **state)
{
    const world_t *f = *state;
    accounts_carrier_set_in_t in = meta_in ();
    accounts_carrier_info_t out = {0};
    accounts_carrier_set_in_t change = {.id = world_carrier (f, &in), .token = "EAAnew"};
    assert_int_equal (optest_ask (f->test, "carrier_set", NULL, &change, &out, NULL), 0);
    assert_string_equal (out.waba, "100");
    accounts_carrier_changed_t told = carrier_told_last (f);
    buf_t clear = buf_in (optest_arena (f->test));
    accounts_carrier_secrets_t secrets = {0};
    assert_int_equal (keyring_open_sealed (optest_keyring (f->test), told.id, "carrier account",
                                           told.sealed, &clear),
                      0);
    assert_int_equal (schema_unpack (&accounts_carrier_secrets_type, buf_bytes (&clear),
                                     optest_arena (f->test), &secrets, NULL),
                      0);
    assert_string_equal (secrets.token, "EAAnew");
    assert_string_equal (secrets.app_secret, "s3cret-of-app");
    change.carrier = ACCOUNTS_CARRIER_TELNYX;
    assert_int_equal (optest_ask (f->test, "carrier_set", NULL, &change, &out, NULL), E_CONFLICT);
}

static void test_carrier_account_is_checked (void **state)
{
    const world_t *f = *state;
    accounts_carrier_set_in_t bad[7];
    static const char *const fields[] = {"carrier",    "app_secret", "verify_token", "waba",
                                         "public_key", "token",      "app_secret"};
    for (size_t i = 0; i < 4; i++)
        bad[i] = meta_in ();
    bad[0].carrier = ACCOUNTS_CARRIER_LOOPBACK;
    bad[1].app_secret = NULL;
    bad[2].verify_token = "";
    bad[3].waba = NULL;
    bad[4] = telnyx_in ();
    bad[4].public_key = "AQID";
    bad[5] = telnyx_in ();
    bad[5].token = "KEY\r\nX: y";
    bad[6] = meta_in ();
    bad[6].app_secret = "two words";
    for (size_t i = 0; i < 7; i++) {
        accounts_carrier_info_t out = {0};
        failure_t failure = {0};
        assert_int_equal (optest_ask (f->test, "carrier_set", NULL, &bad[i], &out, &failure),
                          E_BAD_REQUEST);
        assert_string_equal (failure.field, fields[i]);
        assert_null (strstr (failure.text, "two words"));
    }
    accounts_carrier_list_out_t listed = {0};
    assert_int_equal (
        optest_ask (f->test, "carrier_list", NULL, &(accounts_carrier_list_in_t){0}, &listed, NULL),
        0);
    assert_int_equal (listed.accounts.count, 0);
}

static int live_number (const world_t *f, int32_t channel, id16_t account, const char *ref,
                        failure_t *failure)
{
    accounts_number_add_in_t add = {.app = f->ours.app_id,
                                    .number = "+14155550199",
                                    .channel = channel,
                                    .account = account,
                                    .ref = ref};
    accounts_app_number_t out = {0};
    return optest_ask (f->test, "number_add", NULL, &add, &out, failure);
}

static void test_live_numbers_need_an_account (void **state)
{
    const world_t *f = *state;
    failure_t failure = {0};
    accounts_carrier_set_in_t meta = meta_in (), telnyx = telnyx_in ();
    id16_t whatsapp = world_carrier (f, &meta), sms = world_carrier (f, &telnyx);
    assert_int_equal (live_number (f, ACCOUNTS_CHANNEL_SMS, id_nil (), NULL, &failure),
                      E_BAD_REQUEST);
    assert_string_equal (failure.field, "account");
    assert_int_equal (live_number (f, ACCOUNTS_CHANNEL_SMS, whatsapp, NULL, &failure),
                      E_BAD_REQUEST);
    assert_int_equal (live_number (f, ACCOUNTS_CHANNEL_SMS, f->ours.app_id, NULL, &failure),
                      E_NOT_FOUND);
    assert_int_equal (live_number (f, ACCOUNTS_CHANNEL_WHATSAPP, whatsapp, NULL, &failure),
                      E_BAD_REQUEST);
    assert_string_equal (failure.field, "ref");
    assert_int_equal (live_number (f, ACCOUNTS_CHANNEL_SMS, sms, NULL, &failure), 0);
    assert_int_equal (live_number (f, ACCOUNTS_CHANNEL_WHATSAPP, whatsapp, "1234", &failure), 0);
    assert_int_equal (live_number (f, ACCOUNTS_CHANNEL_WHATSAPP, whatsapp, "1234", &failure),
                      E_ALREADY_EXISTS);
    assert_int_equal (live_number (f, ACCOUNTS_CHANNEL_WHATSAPP, whatsapp, "5678", &failure),
                      E_CONFLICT);
    accounts_assignment_changed_t told = {0};
    world_last (f, &accounts_assignment_changed_event, &told);
    assert_true (id_equal (told.account, whatsapp) && !told.test &&
                 told.carrier == ACCOUNTS_CARRIER_META);
    assert_string_equal (told.ref, "1234");
}

static void test_account_with_numbers_stays (void **state)
{
    const world_t *f = *state;
    accounts_carrier_set_in_t meta = meta_in (), telnyx = telnyx_in ();
    accounts_carrier_delete_in_t used = {.id = world_carrier (f, &meta)},
                                 unused = {.id = world_carrier (f, &telnyx)};
    accounts_carrier_delete_out_t gone = {0};
    assert_int_equal (live_number (f, ACCOUNTS_CHANNEL_WHATSAPP, used.id, "1234", NULL), 0);
    assert_int_equal (optest_ask (f->test, "carrier_delete", NULL, &used, &gone, NULL), E_CONFLICT);
    assert_int_equal (optest_ask (f->test, "carrier_delete", NULL, &unused, &gone, NULL), 0);
    accounts_carrier_changed_t told = carrier_told_last (f);
    assert_true (told.deleted && id_equal (told.id, unused.id) && told.sealed.size == 0);
    assert_int_equal (optest_ask (f->test, "carrier_delete", NULL, &unused, &gone, NULL),
                      E_NOT_FOUND);
    accounts_carrier_list_out_t listed = {0};
    assert_int_equal (
        optest_ask (f->test, "carrier_list", NULL, &(accounts_carrier_list_in_t){0}, &listed, NULL),
        0);
    assert_int_equal (listed.accounts.count, 1);
    assert_int_equal (((const accounts_carrier_info_t *) listed.accounts.items)->numbers, 1);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_bootstrap_makes_three_keys_once, world_setup,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_deleted_key_is_unknown, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown (test_last_admin_key_stays, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown (test_numbers_belong_to_their_app, world_setup,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_ensure_is_idempotent, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown (test_assigning_twice_is_refused, world_setup,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_carrier_account_travels_sealed, world_setup,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_carrier_account_is_changed_in_part, world_setup,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_carrier_account_is_checked, world_setup,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_live_numbers_need_an_account, world_setup,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_account_with_numbers_stays, world_setup,
                                         world_teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
