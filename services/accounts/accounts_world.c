/* accounts_world.c - see accounts_world.h. */
#include "accounts_world.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

int world_setup (void **state)
{
    world_t *w = calloc (1, sizeof *w);
    assert_non_null (w);
    w->test = optest_new (&accounts_tables);
    assert_non_null (w->test);
    accounts_bootstrap_in_t in = {.organization = "Org", .app = "App"};
    assert_int_equal (optest_ask (w->test, "bootstrap", NULL, &in, &w->ours, NULL), 0);
    *state = w;
    return 0;
}

int world_setup_two (void **state)
{
    world_setup (state);
    world_t *w = *state;
    w->theirs = world_other (w);
    return 0;
}

int world_setup_market (void **state)
{
    world_setup (state);
    accounts_carrier_set_in_t in = {.carrier = ACCOUNTS_CARRIER_TELNYX,
                                    .token = "KEY1",
                                    .profile = "prof-1",
                                    .public_key = "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=",
                                    .base_url = "http://127.0.0.1:9/v2"};
    world_carrier (*state, &in);
    return 0;
}

int world_teardown (void **state)
{
    world_t *w = *state;
    optest_destroy (&w->test);
    free (w);
    return 0;
}

accounts_bootstrap_out_t world_other (const world_t *w)
{
    accounts_org_create_in_t in = {.organization = "Other", .app = "Theirs"};
    accounts_bootstrap_out_t out = {0};
    assert_int_equal (optest_ask (w->test, "org_create", NULL, &in, &out, NULL), 0);
    return out;
}

int world_ask_of (const world_t *w, id16_t org, const char *op, const void *in, void *out,
                  failure_t *failure)
{
    envelope_t header = {.org = org, .principal = PRINCIPAL_ADMIN_KEY};
    return optest_ask (w->test, op, &header, in, out, failure);
}

int world_ask (const world_t *w, const char *op, const void *in, void *out, failure_t *failure)
{
    return world_ask_of (w, w->ours.organization_id, op, in, out, failure);
}

envelope_t world_caller (const world_t *w, bool test)
{
    return (envelope_t){.org = w->ours.organization_id,
                        .app = test ? w->ours.test_app_id : w->ours.app_id,
                        .test = test,
                        .principal = PRINCIPAL_APP_KEY};
}

int world_resolve (const world_t *w, const char *key, accounts_key_resolve_out_t *out)
{
    uint8_t proof[SIGN_SHA256_SIZE];
    accounts_key_resolve_in_t in = {.proof = {proof, sizeof proof}};
    keyring_hash (optest_keyring (w->test), key, proof);
    memcpy (in.lookup.b, proof, sizeof in.lookup.b);
    return optest_ask (w->test, "key_resolve", NULL, &in, out, NULL);
}

accounts_app_told_t world_app (const world_t *w, const char *slug)
{
    accounts_app_create_in_t in = {.name = slug, .slug = slug};
    accounts_app_told_t out = {0};
    assert_int_equal (world_ask (w, "app_create", &in, &out, NULL), 0);
    return out;
}

id16_t world_number (const world_t *w, const char *e164)
{
    accounts_number_add_in_t add = {.org = w->ours.organization_id,
                                    .number = e164,
                                    .channel = ACCOUNTS_CHANNEL_SMS,
                                    .test = true};
    accounts_app_number_t out = {0};
    assert_int_equal (optest_ask (w->test, "number_add", NULL, &add, &out, NULL), 0);
    return out.number_id;
}

id16_t world_carrier (const world_t *w, const accounts_carrier_set_in_t *in)
{
    accounts_carrier_info_t out = {0};
    assert_int_equal (optest_ask (w->test, "carrier_set", NULL, in, &out, NULL), 0);
    return out.id;
}

size_t world_events (const world_t *w, const schema_event_t *type)
{
    const common_event_t *events = NULL;
    size_t count = optest_events (w->test, 0, &events), found = 0;
    for (size_t i = 0; i < count; i++)
        found += events[i].number == type->number;
    return found;
}

void world_last (const world_t *w, const schema_event_t *type, void *body)
{
    const common_event_t *events = NULL;
    size_t count = optest_events (w->test, 0, &events);
    while (count && events[count - 1].number != type->number)
        count--;
    assert_true (count > 0);
    assert_int_equal (optest_event_body (w->test, &events[count - 1], type, body), 0);
}

optest_put_t *world_put (const world_t *w, const char *op, const void *in)
{
    envelope_t header = {.org = w->ours.organization_id, .principal = PRINCIPAL_ADMIN_KEY};
    optest_put_t *ask = optest_put (w->test, op, &header, in);
    assert_int_equal (optest_turn (w->test), 0);
    return ask;
}

outward_t *world_outward (const world_t *w, const char *method, const char *part)
{
    outward_t *job = optest_job (w->test);
    assert_non_null (job);
    assert_string_equal (job->out.request.method, method);
    assert_non_null (strstr (job->out.request.url, part));
    return job;
}

void world_answer (const world_t *w, const char *method, const char *part, int status,
                   const char *body, int64_t after_ms)
{
    outward_t *job = world_outward (w, method, part);
    assert_int_equal (optest_job_answered (w->test, job, status, body), 0);
    if (after_ms) {
        assert_int_equal (optest_advance (w->test, after_ms), 0);
        assert_int_equal (optest_turn (w->test), 0);
    }
}
