/* webhooks_world.c - what the tests of webhooks share. */
#include "webhooks_world.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

const id16_t world_org = {{7}};
const id16_t world_other_org = {{8}};
const id16_t world_app = {{2}};

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

envelope_t world_by_app (id16_t app)
{
    return (envelope_t){.org = world_org, .app = app, .test = true, .principal = PRINCIPAL_APP_KEY};
}

envelope_t world_by_org (void)
{
    return (envelope_t){.org = world_org, .principal = PRINCIPAL_ORG_KEY};
}

event_about_t world_about (id16_t record, id16_t app)
{
    return (event_about_t){
        .record = record, .version = 1, .org = world_org, .app = app, .test = true};
}

void world_sms_fill (world_sms_t *self, id16_t message, int32_t status)
{
    self->content = (messaging_content_t){.id = message,
                                          .channel = ACCOUNTS_CHANNEL_SMS,
                                          .direction = MESSAGING_DIRECTION_OUTBOUND,
                                          .kind = MESSAGING_KIND_SMS,
                                          .test = true,
                                          .from = "+15550001111",
                                          .to = "+15551234567",
                                          .text = "Hello",
                                          .sent_at = 1000,
                                          .occurred_at = 1000};
    self->app = (messaging_app_ref_t){.id = world_app, .name = "Desk", .test = true};
    self->status = (messaging_message_status_t){
        .status = status, .message = &self->content, .apps = {&self->app, 1}};
}

int world_sms_tell (optest_t *test, id16_t message, int32_t status)
{
    world_sms_t sms;
    event_about_t about = world_about (message, world_app);
    world_sms_fill (&sms, message, status);
    return optest_follow (test, &messaging_message_status_event, &about, &sms.status, NULL);
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
