/* nth_test.c - accounts with every fault in every place: each op, each kind of job. It follows nobody. */
#include "accounts_world.h"
#include "base/clock.h"
#include "svc/optest_nth.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define COUNT(list) (sizeof (list) / sizeof *(list))
#define WANTED      "+13125550101"
#define OURS        "+13125550102"
#define ORDERED \
    "{\"data\":{\"id\":\"12ade33a-21c0-473b-b055-b3c836e1c292\",\"status\":\"pending\"}}"
#define ORDERS \
    "{\"data\":[{\"id\":\"12ade33a-21c0-473b-b055-b3c836e1c292\",\"status\":\"success\"}]}"
#define THERE                                            \
    "{\"data\":[{\"id\":\"77\",\"phone_number\":\"" OURS \
    "\",\"status\":\"active\"}],\"meta\":{\"total_results\":1}}"
#define DELETED "{\"data\":{\"id\":\"77\",\"phone_number\":\"" OURS "\",\"status\":\"deleted\"}}"
#define NOWHERE "{\"data\":[],\"meta\":{\"total_results\":0}}"
#define OFFERS  "{\"data\":[{\"phone_number\":\"" WANTED "\"}]}"

/* What ops need to be there. */
typedef struct things {
    id16_t telnyx, meta; /* carrier accounts; no number is Meta's */
    id16_t free, drawn, live;
    id16_t admin_key, org_key, app_key;
    id16_t team, user;
    accounts_key_resolve_in_t resolve;
    uint8_t proof[SIGN_SHA256_SIZE];
} things_t;

static accounts_key_create_out_t key_of (const world_t *w, id16_t app, bool organization)
{
    accounts_key_create_in_t in = {
        .org = w->ours.organization_id, .app = app, .name = "key", .organization = organization};
    accounts_key_create_out_t out = {0};
    assert_int_equal (optest_ask (w->test, "key_create", NULL, &in, &out, NULL), 0);
    return out;
}

static id16_t number_of (const world_t *w, id16_t app, id16_t account, const char *e164)
{
    accounts_number_add_in_t in = {.org = w->ours.organization_id,
                                   .app = app,
                                   .number = e164,
                                   .channel = ACCOUNTS_CHANNEL_SMS,
                                   .test = id_is_nil (account),
                                   .account = account};
    accounts_app_number_t out = {0};
    assert_int_equal (optest_ask (w->test, "number_add", NULL, &in, &out, NULL), 0);
    return out.number_id;
}

static things_t things_of (const world_t *w)
{
    things_t out = {0};
    accounts_carrier_set_in_t telnyx = {.carrier = ACCOUNTS_CARRIER_TELNYX,
                                        .token = "KEY1",
                                        .profile = "prof-1",
                                        .public_key =
                                            "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=",
                                        .base_url = "http://127.0.0.1:9/v2"},
                              meta = {.carrier = ACCOUNTS_CARRIER_META,
                                      .token = "token",
                                      .app_secret = "secret",
                                      .verify_token = "verify",
                                      .waba = "1"};
    accounts_team_create_in_t team = {.name = "second"};
    accounts_user_create_in_t user = {.name = "Ada", .email = "ada@house.example"};
    accounts_team_t team_told = {0};
    accounts_user_t user_told = {0};
    out.telnyx = world_carrier (w, &telnyx);
    out.meta = world_carrier (w, &meta);
    out.free = number_of (w, id_nil (), id_nil (), "+15550001111");
    out.drawn = number_of (w, w->ours.test_app_id, id_nil (), "+15550001112");
    out.live = number_of (w, w->ours.app_id, out.telnyx, OURS);
    accounts_key_create_out_t key = key_of (w, id_nil (), false);
    out.admin_key = key.info->id;
    keyring_hash (optest_keyring (w->test), key.key, out.proof);
    out.org_key = key_of (w, id_nil (), true).info->id;
    out.app_key = key_of (w, w->ours.app_id, false).info->id;
    assert_int_equal (optest_ask (w->test, "team_create", NULL, &team, &team_told, NULL), 0);
    assert_int_equal (optest_ask (w->test, "user_create", NULL, &user, &user_told, NULL), 0);
    out.team = team_told.id;
    out.user = user_told.id;
    return out;
}

typedef struct asking {
    const world_t *w;
    things_t has;
    envelope_t cli, admin, key, org_key;
    nth_seen_t seen;
} asking_t;

static void keys_and_apps (asking_t *a)
{
    const id16_t org = a->w->ours.organization_id, app = a->w->ours.app_id;
    const envelope_t cli = a->cli, admin = a->admin;
    accounts_key_resolve_in_t resolve = {.proof = {a->has.proof, sizeof a->has.proof}};
    memcpy (resolve.lookup.b, a->has.proof, sizeof resolve.lookup.b);
    accounts_key_use_t use = {.id = a->has.app_key, .at = clock_now_ms ()};
    const nth_ask_t asks[] = {
        {"key_resolve", cli, &resolve},
        {"key_create", cli, &(accounts_key_create_in_t){.org = org, .app = app, .name = "new"}},
        {"key_list", cli, &(accounts_key_list_in_t){.app = app}},
        {"key_delete", cli, &(accounts_key_delete_in_t){.id = a->has.app_key}},
        {"app_list", cli, &(accounts_app_list_in_t){0}},
        {"keys_used", cli, &(accounts_keys_used_in_t){.uses = {&use, 1}}},
        {"key_page", admin,
         &(accounts_key_page_in_t){.kind = ACCOUNTS_KEY_KIND_APP, .app = app, .known = true}},
        {"key_issue", admin,
         &(accounts_key_issue_in_t){.kind = ACCOUNTS_KEY_KIND_APP, .name = "k", .app = app}},
        {"key_revoke", admin,
         &(accounts_key_revoke_in_t){.kind = ACCOUNTS_KEY_KIND_ADMIN, .id = a->has.admin_key}},
        {"app_page", admin, &(accounts_app_page_in_t){0}},
        {"app_create", admin, &(accounts_app_create_in_t){.name = "New", .slug = "new"}},
        {"app_slug_check", admin, &(accounts_app_slug_check_in_t){.slug = "desk"}},
        {"app_update", admin, &(accounts_app_update_in_t){.app = app, .name = "Other name"}},
        {"app_delete", admin, &(accounts_app_delete_in_t){.app = app}},
        {"app_pause", cli, &(accounts_app_pause_in_t){.app = app, .paused = true}},
        {"calling_get", admin, &(accounts_calling_get_in_t){.app = app}},
        {"calling_set", admin,
         &(accounts_calling_set_in_t){.app = app,
                                      .voicemail_enabled = true,
                                      .voicemail_greeting_url = "https://example.com/g.mp3",
                                      .max_concurrent_calls = 3}},
        {"settings_get", admin, &(accounts_settings_get_in_t){0}},
        {"settings_set", admin, &(accounts_settings_set_in_t){.media_retention_days = 9}},
        {"app_stats", admin, &(accounts_app_stats_in_t){.app = app}},
    };
    assert_int_equal (nth_asks (a->w->test, asks, COUNT (asks), &a->seen), 0);
}

static void numbers_and_carriers (asking_t *a)
{
    const id16_t org = a->w->ours.organization_id, app = a->w->ours.app_id,
                 twin = a->w->ours.test_app_id;
    const envelope_t cli = a->cli, admin = a->admin, key = a->key;
    const things_t has = a->has;
    id16_t apps[] = {twin};
    const nth_ask_t asks[] = {
        {"number_ensure", key,
         &(accounts_number_ensure_in_t){.number = "+15550009999", .channel = ACCOUNTS_CHANNEL_SMS}},
        {"number_draw", key, &(accounts_number_draw_in_t){.channel = ACCOUNTS_CHANNEL_SMS}},
        {"number_list", key, &(accounts_number_list_in_t){.channel = ACCOUNTS_CHANNEL_SMS}},
        {"number_assign", admin,
         &(accounts_number_assign_in_t){
             .number_id = has.free, .number_id_test = true, .app = twin, .app_test = true}},
        {"number_unassign", admin,
         &(accounts_number_unassign_in_t){
             .number_id = has.drawn, .number_id_test = true, .app = twin, .app_test = true}},
        {"number_add", cli,
         &(accounts_number_add_in_t){.org = org,
                                     .app = twin,
                                     .number = "+15550008888",
                                     .channel = ACCOUNTS_CHANNEL_SMS,
                                     .test = true}},
        {"carrier_set", cli,
         &(accounts_carrier_set_in_t){.org = org,
                                      .carrier = ACCOUNTS_CARRIER_META,
                                      .token = "token",
                                      .app_secret = "secret",
                                      .verify_token = "verify",
                                      .waba = "2"}},
        {"carrier_set", cli, &(accounts_carrier_set_in_t){.id = has.telnyx, .token = "KEY2"}},
        {"carrier_list", cli, &(accounts_carrier_list_in_t){0}},
        {"carrier_delete", cli, &(accounts_carrier_delete_in_t){.id = has.meta}},
        {"number_set", admin,
         &(accounts_number_set_in_t){.app = twin,
                                     .app_test = true,
                                     .number_id = has.drawn,
                                     .number_id_test = true,
                                     .messaging_profile = "p"}},
        {"number_page", admin, &(accounts_number_page_in_t){.channel = ACCOUNTS_CHANNEL_SMS}},
        {"number_apps_set", admin,
         &(accounts_number_apps_set_in_t){
             .number_id = has.free, .number_id_test = true, .app_ids = {apps, 1}}},
        {"number_release", admin, &(accounts_number_release_in_t){.number_id = has.live}},
        {"number_search", admin, &(accounts_number_search_in_t){.country = "US", .limit = 5}},
        {"number_buy", admin,
         &(accounts_number_buy_in_t){
             .app = app, .number = WANTED, .kind = ACCOUNTS_NUMBER_KIND_LOCAL}},
        {"number_change", cli,
         &(accounts_number_change_in_t){.id = has.live, .team = has.team, .name = "Desk"}},
    };
    assert_int_equal (nth_asks (a->w->test, asks, COUNT (asks), &a->seen), 0);
}

static void people_and_organizations (asking_t *a)
{
    const id16_t org = a->w->ours.organization_id;
    const envelope_t cli = a->cli, org_key = a->org_key;
    const things_t has = a->has;
    id16_t teams[] = {has.team};
    const nth_ask_t asks[] = {
        {"org_create", cli, &(accounts_org_create_in_t){.organization = "New", .app = "First"}},
        {"org_list", cli, &(accounts_org_list_in_t){0}},
        {"org_suspend", cli, &(accounts_org_suspend_in_t){.id = org, .suspended = true}},
        {"team_create", cli, &(accounts_team_create_in_t){.org = org, .name = "third"}},
        {"team_list", cli, &(accounts_team_list_in_t){0}},
        {"team_delete", cli, &(accounts_team_delete_in_t){.id = has.team}},
        {"user_create", cli,
         &(accounts_user_create_in_t){
             .org = org, .name = "Bob", .email = "bob@house.example", .teams = {teams, 1}}},
        {"user_list", cli, &(accounts_user_list_in_t){0}},
        {"user_delete", cli, &(accounts_user_delete_in_t){.id = has.user}},
        {"user_teams_set", cli,
         &(accounts_user_teams_set_in_t){.id = has.user, .teams = {teams, 1}}},
        {"me", org_key, &(accounts_me_in_t){0}},
        {"account_page", org_key, &(accounts_account_page_in_t){.status = "all"}},
    };
    assert_int_equal (nth_asks (a->w->test, asks, COUNT (asks), &a->seen), 0);
}

static void an_empty_house (asking_t *a)
{
    optest_t *test = optest_new (&accounts_tables);
    const nth_ask_t ask = {"bootstrap", a->cli,
                           &(accounts_bootstrap_in_t){.organization = "Org", .app = "App"}};
    assert_int_equal (nth_asks (test, &ask, 1, &a->seen), 0);
    optest_destroy (&test);
}

static void test_ops (void **state)
{
    const world_t *w = *state;
    asking_t asking = {.w = w, .has = things_of (w), .cli = {.principal = PRINCIPAL_CLI}};
    const id16_t org = w->ours.organization_id;
    asking.admin = (envelope_t){.org = org, .principal = PRINCIPAL_ADMIN_KEY};
    asking.key = world_caller (w, true);
    asking.org_key = (envelope_t){
        .org = org, .principal = PRINCIPAL_ORG_KEY, .principal_id = asking.has.org_key};
    keys_and_apps (&asking);
    numbers_and_carriers (&asking);
    people_and_organizations (&asking);
    an_empty_house (&asking);
    assert_int_equal (nth_unseen (w->test, &asking.seen), 0);
}

/* ---- jobs ---- */

static const world_t *story_world;
static id16_t story_number;
static bool story_deleted; /* at the carrier */

static int begun (const char *op, const void *in)
{
    int code = world_ask (story_world, op, in, NULL, NULL);
    return code == E_PARKED ? 0 : code;
}

/* A purchase whose caller was lost in a fault is there when it is asked for again. */
static int buy_begin (optest_t *test)
{
    (void) test;
    accounts_number_buy_in_t in = {
        .app = story_world->ours.app_id, .number = WANTED, .kind = ACCOUNTS_NUMBER_KIND_LOCAL};
    return begun ("number_buy", &in);
}

static int search_begin (optest_t *test)
{
    (void) test;
    accounts_number_search_in_t in = {.country = "US", .limit = 5};
    return begun ("number_search", &in);
}

static int release_begin (optest_t *test)
{
    (void) test;
    story_deleted = false;
    accounts_number_release_in_t in = {.number_id = story_number};
    return begun ("number_release", &in);
}

static int app_end_begin (optest_t *test)
{
    (void) test;
    accounts_app_delete_in_t in = {.app = story_world->ours.app_id};
    return begun ("app_delete", &in);
}

static void carrier_says (const outward_t *job, outcome_t *out)
{
    const char *url = job->out.request.url;
    bool posts = strcmp (job->out.request.method, "POST") == 0,
         deletes = strcmp (job->out.request.method, "DELETE") == 0;
    story_deleted = story_deleted || deletes;
    const char *body = strstr (url, "/available_phone_numbers") ? OFFERS
                       : strstr (url, "/number_orders")         ? posts ? ORDERED : ORDERS
                       : deletes                                ? DELETED
                       : story_deleted                          ? NOWHERE
                                                                : THERE;
    out->body = bytes_of_str (body);
}

static void test_jobs (void **state)
{
    const world_t *w = *state;
    static const job_kind_t *const order[] = {&accounts_order_kind, NULL},
                                   *const search[] = {&accounts_search_kind, NULL},
                                   *const release[] = {&accounts_release_kind, NULL},
                                   *const app_end[] = {&accounts_app_end_kind, NULL};
    story_world = w;
    story_number = things_of (w).live;
    const nth_story_t stories[] = {
        {"a purchase", order, buy_begin, carrier_says, true},
        {"a search", search, search_begin, carrier_says, true},
        {"a release", release, release_begin, carrier_says, true},
        {"an app goes", app_end, app_end_begin, NULL, false},
    };
    assert_int_equal (nth_stories (w->test, stories, COUNT (stories)), 0);
    assert_int_equal (nth_first_turns (w->test, stories, COUNT (stories)), 0);
}

/* ---- timers ---- */

/* As it was written before there were teams. */
static int team_forget (turn_t *t, void *context)
{
    const things_t *has = context;
    accounts_number_t number = {0};
    int code = store_get_any (t->txn, &accounts_number_record, has->free, t->arena, &number);
    number.team = id_nil ();
    return code ? code : store_put (t->txn, &accounts_number_record, &number, NULL);
}

static things_t timer_has;

static int teams_begin (optest_t *test)
{
    return optest_run (test, team_forget, &timer_has);
}

static void test_timers (void **state)
{
    static const char *const teams[] = {"teams", NULL};
    const world_t *w = *state;
    const nth_timer_t sample = {.name = "teams", .timers = teams, .begin = teams_begin};
    timer_has = things_of (w);
    assert_int_equal (nth_timers (w->test, &sample, 1), 0);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_ops, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown (test_jobs, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown (test_timers, world_setup, world_teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
