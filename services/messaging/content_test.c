/* content_test.c - what a WhatsApp message of each kind must hold, and what its events show of it. */
#include "dialect/chirp.h"
#include "messaging_world.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static const char *spelled (optest_t *test, const char *prefix, id16_t id)
{
    char *out = arena_alloc (optest_arena (test), 64);
    chirp_id_write (prefix, true, id, out);
    return out;
}

/* `from` and `to` are put in front of the rest of a request. */
static int send_json (optest_t *test, const char *rest, messaging_whatsapp_send_out_t *out,
                      failure_t *failure)
{
    const schema_public_t *op = NULL;
    for (size_t i = 0; i < dialect_chirp.schema->op_count; i++)
        if (strcmp (dialect_chirp.schema->ops[i].name, "sendWhatsAppMessage") == 0)
            op = &dialect_chirp.schema->ops[i];
    assert_non_null (op);
    schema_ctx_t ctx = dialect_ctx (&dialect_chirp, true);
    messaging_whatsapp_send_in_t in = {0};
    const char *json = arena_printf (optest_arena (test), "{\"from\":\"%s\",\"to\":\"%s\",%s}",
                                     WORLD_WHATSAPP, WORLD_PERSON, rest);
    int code = schema_json_read (op->body_view, &ctx, bytes_of_str (json), optest_arena (test), &in,
                                 failure);
    return code ? code : world_whatsapp (test, world_caller (), &in, out, failure);
}

/* $I image, $A audio, $D document, $S sticker, $M a message of the person, $O one of somebody else: their ids. */
static const char *filled (optest_t *test, const char *text, const char *const *ids)
{
    static const char letters[] = "IADSMO";
    buf_t out = buf_in (optest_arena (test));
    for (; *text; text++) {
        const char *at = *text == '$' ? strchr (letters, text[1]) : NULL;
        if (at)
            buf_add_str (&out, ids[at - letters]);
        else
            buf_add_byte (&out, (uint8_t) *text);
        text += at != NULL;
    }
    return buf_text (&out);
}

static id16_t written_by (optest_t *test, const char *person, const char *provider_id)
{
    provider_event_t event = world_hi (provider_id, false);
    event.at = 1;
    event.from = person;
    messaging_message_received_t body = {0};
    world_inbound (test, ACCOUNTS_CARRIER_LOOPBACK, &event);
    assert_true (world_last (test, &messaging_message_received_event, &body));
    return body.message->id;
}

static void ids_make (optest_t *test, const char *ids[6])
{
    ids[0] = spelled (test, "med", world_file (test, world_app, MESSAGING_KIND_IMAGE));
    ids[1] = spelled (test, "med", world_file (test, world_app, MESSAGING_KIND_AUDIO));
    ids[2] = spelled (test, "med", world_file (test, world_app, MESSAGING_KIND_DOCUMENT));
    ids[3] = spelled (test, "med", world_file (test, world_app, MESSAGING_KIND_STICKER));
    ids[4] = spelled (test, "msg_wa", written_by (test, WORLD_PERSON, "w-1"));
    ids[5] = spelled (test, "msg_wa", written_by (test, "+15557654321", "w-2"));
}

#define ROW2 "{\"id\":\"a\",\"title\":\"A\"},{\"id\":\"b\",\"title\":\"B\"}"
#define ROW6 \
    ROW2     \
        ",{\"id\":\"c\",\"title\":\"C\"},{\"id\":\"d\",\"title\":\"D\"},{\"id\":\"e\",\"title\":\"E\"},{\"id\":\"f\",\"title\":\"F\"}"
#define ROW5_MORE \
    "{\"id\":\"1\",\"title\":\"A\"},{\"id\":\"2\",\"title\":\"B\"},{\"id\":\"3\",\"title\":\"C\"},{\"id\":\"4\",\"title\":\"D\"},{\"id\":\"5\",\"title\":\"E\"}"
#define INTERACTIVE(rest) "\"type\":\"interactive\",\"interactive\":{\"body\":\"b\"," rest "}"

static const struct {
    const char *json;
    int code;
    const char *field;
} refused[] = {
    {"\"type\":\"image\",\"media\":{\"mediaId\":\"$A\"}", E_BAD_REQUEST, "media.mediaId"},
    {"\"type\":\"image\",\"media\":{\"mediaId\":\"$M\"}", E_NOT_FOUND, "media.mediaId"},
    {"\"type\":\"image\",\"media\":{\"mediaId\":\"$I\",\"filename\":\"a.jpg\"}", E_BAD_REQUEST,
     "media.filename"},
    {"\"type\":\"audio\",\"media\":{\"mediaId\":\"$A\",\"caption\":\"x\"}", E_BAD_REQUEST,
     "media.caption"},
    {"\"type\":\"document\",\"media\":{\"mediaId\":\"$D\",\"filename\":\"../a.pdf\"}",
     E_BAD_REQUEST, "media.filename"},
    {"\"type\":\"sticker\",\"sticker\":{\"mediaId\":\"$I\"}", E_BAD_REQUEST, "sticker.mediaId"},
    {"\"type\":\"location\",\"location\":{\"latitude\":91,\"longitude\":0}", E_BAD_REQUEST,
     "location.latitude"},
    {"\"type\":\"contacts\",\"contacts\":{\"contacts\":[{\"name\":{\"formattedName\":\"\"}}]}",
     E_BAD_REQUEST, NULL},
    {"\"type\":\"reaction\",\"reaction\":{\"messageId\":\"$O\",\"emoji\":\"\\u2764\"}", E_NOT_FOUND,
     "reaction.messageId"},
    {"\"type\":\"reaction\",\"reaction\":{\"messageId\":\"$M\",\"emoji\":\"yes\"}", E_BAD_REQUEST,
     "reaction.emoji"},
    {"\"type\":\"reaction\",\"reaction\":{\"messageId\":\"wamid.1\",\"emoji\":\"\"}", E_BAD_REQUEST,
     "reaction.messageId"},
    {"\"type\":\"text\",\"text\":{\"body\":\"x\"},\"replyTo\":\"$O\"", E_NOT_FOUND, "reply_to"},
    {"\"type\":\"template\",\"template\":{\"name\":\"nobody_made_this\",\"language\":\"en_US\"}",
     E_TEMPLATE_NOT_FOUND, NULL},
    {INTERACTIVE (
         "\"type\":\"buttons\",\"buttons\":[{\"id\":\"a\",\"title\":\"A\"},{\"id\":\"a\",\"title\":\"B\"}]"),
     E_BAD_REQUEST, "interactive.buttons[1]"},
    {INTERACTIVE (
         "\"type\":\"buttons\",\"buttons\":[{\"id\":\"a\",\"title\":\"A\"},{\"id\":\"b\",\"title\":\"A\"}]"),
     E_BAD_REQUEST, "interactive.buttons[1]"},
    {INTERACTIVE (
         "\"type\":\"list\",\"buttonText\":\"x\",\"sections\":[{\"title\":\"1\",\"rows\":[" ROW6
         "]},{\"title\":\"2\",\"rows\":[" ROW5_MORE "]}]"),
     E_BAD_REQUEST, "interactive.sections"},
    {INTERACTIVE ("\"type\":\"list\",\"buttonText\":\"x\",\"sections\":[{\"rows\":[" ROW2
                  "]},{\"rows\":[" ROW2 "]}]"),
     E_BAD_REQUEST, "interactive.sections[0]"},
    {INTERACTIVE ("\"type\":\"list\",\"buttonText\":\"x\",\"sections\":[{\"rows\":[" ROW2
                  "]}],\"header\":{\"type\":\"image\",\"mediaId\":\"$I\"}"),
     E_BAD_REQUEST, "interactive.header.type"},
    {INTERACTIVE (
         "\"type\":\"buttons\",\"buttons\":[{\"id\":\"a\",\"title\":\"A\"}],\"header\":{\"type\":\"video\",\"mediaId\":\"$I\"}"),
     E_BAD_REQUEST, "interactive.header.mediaId"},
    {INTERACTIVE ("\"type\":\"cta_url\",\"buttonText\":\"x\",\"url\":\"ftp://a.example/\""),
     E_BAD_REQUEST, "interactive.url"},
    {INTERACTIVE ("\"type\":\"location_request\",\"footer\":\"x\""), E_BAD_REQUEST,
     "interactive.footer"},
    {INTERACTIVE (
         "\"type\":\"flow\",\"flowId\":\"1\",\"buttonText\":\"x\",\"flowAction\":\"data_exchange\",\"flowActionPayload\":{\"screen\":\"S\"}"),
     E_BAD_REQUEST, "interactive.flowActionPayload"},
};

static void test_bad_contents_store_nothing (void **state)
{
    const char *ids[6];
    ids_make (*state, ids);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        messaging_whatsapp_send_out_t out = {0};
        failure_t failure = {0};
        int code = send_json (*state, filled (*state, refused[i].json, ids), &out, &failure);
        if (code != refused[i].code ||
            (refused[i].field && strcmp (failure.field, refused[i].field) != 0))
            fail_msg ("%s: %s at %s (%s)", refused[i].json, error_name (code), failure.field,
                      failure.text);
    }
    assert_string_equal (world_story (*state), "received received ");
    assert_null (optest_job (*state));
}

static const struct {
    const char *json;
    const char *shown; /* is part of the event */
} taken[] = {
    {"\"type\":\"text\",\"text\":{\"body\":\"x\"},\"replyTo\":\"$M\",\"media\":{\"mediaId\":\"$A\"}",
     "\"context\":{\"messageId\":\"$M\",\"metaMessageId\":\"w-1\""},
    {"\"type\":\"image\",\"media\":{\"mediaId\":\"$I\",\"caption\":\"the hinge\"}",
     "\"mimeType\":\"image/jpeg\",\"caption\":\"the hinge\",\"fileSize\":1000"},
    {"\"type\":\"document\",\"media\":{\"mediaId\":\"$D\",\"filename\":\"a.pdf\"}",
     "\"filename\":\"a.pdf\""},
    {"\"type\":\"audio\",\"media\":{\"mediaId\":\"$A\"}", "\"audio\":{\"url\":\"http"},
    {"\"type\":\"sticker\",\"sticker\":{\"mediaId\":\"$S\"}", "\"sticker\":{\"url\":\"http"},
    {"\"type\":\"location\",\"location\":{\"latitude\":0,\"longitude\":0}",
     "\"location\":{\"latitude\":0,\"longitude\":0,\"name\":null,\"address\":null}"},
    {"\"type\":\"contacts\",\"contacts\":{\"contacts\":[{\"name\":{\"formattedName\":\"Ada Byron\"}}]}",
     "\"contacts\":[{\"name\":{\"formattedName\":\"Ada Byron\",\"firstName\":\"Ada Byron\"}"},
    {"\"type\":\"reaction\",\"reaction\":{\"messageId\":\"$M\",\"emoji\":\"\\u2764\\ufe0f\"}",
     "\"reaction\":{\"messageId\":\"w-1\",\"chirpMessageId\":\"$M\""},
    {"\"type\":\"reaction\",\"reaction\":{\"messageId\":\"$M\",\"emoji\":\"\"}", "\"emoji\":\"\""},
    {INTERACTIVE ("\"type\":\"buttons\",\"buttons\":[" ROW2
                  "],\"header\":{\"type\":\"image\",\"mediaId\":\"$I\"}"),
     "\"interactiveContent\":{\"type\":\"buttons\""},
    {INTERACTIVE ("\"type\":\"list\",\"buttonText\":\"x\",\"sections\":[{\"rows\":[" ROW6 "]}]"),
     "\"buttonText\":\"x\""},
    {INTERACTIVE ("\"type\":\"cta_url\",\"buttonText\":\"x\",\"url\":\"https://a.example/\""),
     "\"url\":\"https://a.example/\""},
    {INTERACTIVE ("\"type\":\"location_request\""), "\"type\":\"location_request\""},
    {INTERACTIVE (
         "\"type\":\"flow\",\"flowId\":\"1\",\"buttonText\":\"x\",\"flowActionPayload\":{\"screen\":\"S\",\"data\":{\"k\":1}}"),
     "\"data\":{\"k\":1}"},
};

static void test_good_contents_go_out_and_show_in_events (void **state)
{
    const char *ids[6];
    ids_make (*state, ids);
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        messaging_whatsapp_send_out_t out = {0};
        messaging_message_status_t body = {0};
        failure_t failure = {0};
        int code = send_json (*state, filled (*state, taken[i].json, ids), &out, &failure);
        if (code)
            fail_msg ("%s: %s at %s (%s)", taken[i].json, error_name (code), failure.field,
                      failure.text);
        world_carrier_answers (*state);
        assert_true (world_last (*state, &messaging_message_status_event, &body));
        assert_true (id_equal (body.message->id, out.id));
        const char *shown = world_shown (*state, body.message);
        if (!strstr (shown, filled (*state, taken[i].shown, ids)))
            fail_msg ("%s is not in %s", taken[i].shown, shown);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_bad_contents_store_nothing, world_setup,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_good_contents_go_out_and_show_in_events, world_setup,
                                         world_teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
