/* inbound_test.c - each kind of message that a person can write, as its event shows it. */
#include "messaging_world.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static const messaging_location_content_t place = {
    .latitude = 41.5, .longitude = -0.25, .name = "Pier"};
static const messaging_contact_name_t ada = {.formatted_name = "Ada Byron", .first_name = "Ada"};
static messaging_contact_card_t cards[] = {{.name = &ada, .birthday = "1815-12-10"}};
static const messaging_reaction_content_t reaction = {.provider_id = "wamid.unknown", .emoji = ""};
static const messaging_interactive_reply_t chosen = {
    .kind = MESSAGING_REPLY_KIND_BUTTON_REPLY, .id = "a", .title = "A"};
static const messaging_interactive_reply_t picked = {
    .kind = MESSAGING_REPLY_KIND_LIST_REPLY, .id = "r", .title = "R", .description = "d"};
static const messaging_interactive_reply_t filled = {
    .kind = MESSAGING_REPLY_KIND_NFM_REPLY, .name = "flow", .response_json = "{}"};
static const messaging_button_reply_t pressed = {.text = "Yes", .payload = "YES"};
static messaging_order_item_t items[] = {
    {.product_retailer_id = "p1", .quantity = 2, .item_price = 9.5, .currency = "EUR"}};
static const messaging_order_content_t order = {.catalog_id = "c1", .items = {items, 1}};
static const messaging_system_content_t moved = {.kind = MESSAGING_SYSTEM_KIND_USER_CHANGED_NUMBER,
                                                 .body = "moved",
                                                 .new_phone_number = "+15559990000"};
static const messaging_context_content_t forwarded = {.forwarded = true};
static const messaging_context_content_t asked = {.provider_id = "wamid.q",
                                                  .from = WORLD_LIVE_WHATSAPP,
                                                  .catalog_id = "c1",
                                                  .product_retailer_id = "p1"};
static const messaging_referral_content_t ad = {
    .source_url = "https://a.example/", .source_type = "ad", .ctwa_clid = "x"};
static const messaging_media_content_t not_ours = {.mime_type = "image/jpeg", .caption = "hinge"};

static const struct {
    int32_t kind;
    messaging_body_t body;
    const char *want;
} rows[] = {
    {MESSAGING_KIND_LOCATION,
     {.location = &place},
     "\"location\":{\"latitude\":41.5,\"longitude\":-0.25,\"name\":\"Pier\",\"address\":null}"},
    {MESSAGING_KIND_CONTACTS,
     {.contacts = {cards, 1}},
     "\"contacts\":[{\"name\":{\"formattedName\":\"Ada Byron\",\"firstName\":\"Ada\"},\"birthday\":\"1815-12-10\"}]"},
    {MESSAGING_KIND_REACTION,
     {.reaction = &reaction},
     "\"reaction\":{\"messageId\":\"wamid.unknown\",\"emoji\":\"\"}"},
    {MESSAGING_KIND_INTERACTIVE,
     {.interactive_reply = &chosen},
     "\"interactive\":{\"type\":\"button_reply\",\"buttonReply\":{\"id\":\"a\",\"title\":\"A\"}}"},
    {MESSAGING_KIND_INTERACTIVE,
     {.interactive_reply = &picked},
     "\"listReply\":{\"id\":\"r\",\"title\":\"R\",\"description\":\"d\"}"},
    {MESSAGING_KIND_INTERACTIVE,
     {.interactive_reply = &filled},
     "\"nfmReply\":{\"name\":\"flow\",\"responseJson\":\"{}\"}"},
    {MESSAGING_KIND_BUTTON,
     {.button = &pressed},
     "\"button\":{\"text\":\"Yes\",\"payload\":\"YES\"}"},
    {MESSAGING_KIND_ORDER,
     {.order = &order},
     "\"productItems\":[{\"productRetailerId\":\"p1\",\"quantity\":2,\"itemPrice\":9.5,\"currency\":\"EUR\"}]"},
    {MESSAGING_KIND_SYSTEM,
     {.system = &moved},
     "\"system\":{\"type\":\"user_changed_number\",\"body\":\"moved\",\"newPhoneNumber\":\"+15559990000\"}"},
    {MESSAGING_KIND_TEXT,
     {.context = &forwarded},
     "\"context\":{\"messageId\":null,\"forwarded\":true,\"frequentlyForwarded\":false}"},
    {MESSAGING_KIND_TEXT,
     {.context = &asked},
     "\"metaMessageId\":\"wamid.q\",\"from\":\"" WORLD_LIVE_WHATSAPP
     "\",\"forwarded\":false,\"frequentlyForwarded\":false,\"referredProduct\":{\"catalogId\":\"c1\",\"productRetailerId\":\"p1\"}"},
    {MESSAGING_KIND_TEXT,
     {.referral = &ad},
     "\"referral\":{\"sourceUrl\":\"https://a.example/\",\"sourceType\":\"ad\",\"ctwaClid\":\"x\"}"},
    {MESSAGING_KIND_IMAGE, {.media = &not_ours}, "\"mediaUrl\":null,\"mediaId\":null,\"context\""},
    {MESSAGING_KIND_UNSUPPORTED, {.preview_url = false}, "\"type\":\"unsupported\",\"text\":null"},
};

static void test_each_kind_shows_its_content (void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        messaging_message_received_t told = {0};
        const provider_event_t event = {.news = NEWS_INBOUND,
                                        .provider_id =
                                            arena_printf (optest_arena (*state), "wamid.%zu", i),
                                        .at = 1,
                                        .whatsapp = true,
                                        .org = world_org,
                                        .number = world_live_whatsapp_number,
                                        .from = WORLD_PERSON,
                                        .to = WORLD_LIVE_WHATSAPP,
                                        .kind = rows[i].kind,
                                        .body = &rows[i].body};
        world_inbound (*state, ACCOUNTS_CARRIER_META, &event);
        assert_true (world_last (*state, &messaging_message_received_event, &told));
        const char *shown = world_shown (*state, told.message);
        if (!strstr (shown, rows[i].want))
            fail_msg ("%s is not in %s", rows[i].want, shown);
    }
}

static void test_the_same_callback_tells_once (void **state)
{
    const provider_event_t event = {.news = NEWS_INBOUND,
                                    .provider_id = "wamid.1",
                                    .at = 1,
                                    .whatsapp = true,
                                    .org = world_org,
                                    .text = "Hi",
                                    .number = world_live_whatsapp_number,
                                    .from = WORLD_PERSON,
                                    .to = WORLD_LIVE_WHATSAPP};
    world_inbound (*state, ACCOUNTS_CARRIER_META, &event);
    world_inbound (*state, ACCOUNTS_CARRIER_META, &event);
    assert_string_equal (world_story (*state), "received ");
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_each_kind_shows_its_content, world_setup,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_the_same_callback_tells_once, world_setup,
                                         world_teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
