/* org_world.c - what the tests of organization subscriptions share. */
#include "org_world.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

const id16_t world_org = {{7}};
const id16_t world_other_org = {{8}};

enum { FLAGS_MAX = 16 };

optest_t *world_new (const char *const *flags)
{
    const char *all[FLAGS_MAX] = {"--allow-http=on", "--allow-private=127.0.0.0/8", "--jitter=0",
                                  "--breaker-failures=0"};
    size_t count = 4;
    for (; flags && *flags && count + 1 < FLAGS_MAX; flags++)
        all[count++] = *flags;
    optest_t *test = optest_new_with (&webhooks_tables, all);
    assert_non_null (test);
    return test;
}

int world_ask (optest_t *test, id16_t org, const char *op, const void *in, void *out,
               failure_t *failure)
{
    envelope_t header = {.org = org, .principal = PRINCIPAL_ORG_KEY};
    return optest_ask (test, op, &header, in, out, failure);
}

webhooks_subscription_told_t world_subscribe (optest_t *test, const char *url, const char *event)
{
    const char *events[] = {event};
    webhooks_subscription_create_in_t in = {.dialect = "kirim", .url = url, .events = {events, 1}};
    webhooks_subscription_told_t out = {0};
    assert_int_equal (world_ask (test, world_org, "subscription_create", &in, &out, NULL), 0);
    return out;
}

webhooks_subscription_told_t world_get (optest_t *test, id16_t id)
{
    webhooks_subscription_told_t out = {0};
    assert_int_equal (world_ask (test, world_org, "subscription_get",
                                 &(webhooks_subscription_get_in_t){.id = id}, &out, NULL),
                      0);
    return out;
}

id16_t world_id (unsigned n)
{
    id16_t id = {{0x01, 0x9a, 0, 0, 0, 0, 0x70, 0, 0x80}};
    id.b[14] = (uint8_t) (n >> 8);
    id.b[15] = (uint8_t) n;
    return id;
}

void world_close (optest_t *test, unsigned n)
{
    inbox_conversation_closed_t body = {.conversation = world_id (n),
                                        .status = INBOX_CONVERSATION_STATUS_RESOLVED};
    event_about_t about = {.record = body.conversation, .version = 1, .org = world_org};
    assert_int_equal (optest_follow (test, &inbox_conversation_closed_event, &about, &body, NULL),
                      0);
}

const char *world_header (const outward_t *outward, const char *name)
{
    size_t length = strlen (name);
    for (const char *const *h = outward->out.request.headers; *h; h++)
        if (strncasecmp (*h, name, length) == 0 && (*h)[length] == ':')
            return *h + length + 2;
    return NULL;
}

schema_list_t world_log (optest_t *test, const webhooks_log_list_in_t *in)
{
    webhooks_log_list_out_t out = {0};
    assert_int_equal (world_ask (test, world_org, "log_list", in, &out, NULL), 0);
    return out.deliveries;
}

outward_t *world_request (optest_t *test)
{
    outward_t *outward = optest_job (test);
    assert_non_null (outward);
    assert_int_equal (outward->out.how, OUT_HTTP);
    return outward;
}
