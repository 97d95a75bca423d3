/* meta_inbound_test.c - what the Meta adapter makes of callbacks: every documented type, statuses, template news, broken batches. */
#include "meta_test.h"

#include <stdio.h>

enum { MOST_EVENTS = 32 };

typedef struct heard {
    size_t count;
    int fail_at; /* 1 = the first; 0 = never */
    provider_event_t events[MOST_EVENTS];
} heard_t;

static int hear (turn_t *t, const provider_event_t *event, void *context)
{
    heard_t *heard = context;
    (void) t;
    assert_true (heard->count < MOST_EVENTS);
    heard->events[heard->count++] = *event;
    return heard->fail_at && heard->count == (size_t) heard->fail_at ? E_IO : 0;
}

#define META_DATA \
    "\"messaging_product\":\"whatsapp\",\"metadata\":{\"display_phone_number\":\"14155550100\",\"phone_number_id\":\"106540352242922\"}"
#define CONTACTS \
    "\"contacts\":[{\"profile\":{\"name\":\"Ada\"},\"wa_id\":\"14155550123\",\"user_id\":\"US.1349\"}]"
#define CHANGE(field, value) "{\"field\":\"" field "\",\"value\":" value "}"
#define CALLBACK(changes)                                                                                                        \
    "{\"object\":\"whatsapp_business_account\",\"entry\":[{\"id\":\"102290129340398\",\"time\":1760000009,\"changes\":[" changes \
    "]}]}"

static int parse (turn_t *t, const char *json, heard_t *heard)
{
    return provider_meta.parse (t, bytes_of_str (json), hear, heard);
}

typedef struct inbound_row {
    const char *name;
    const char *item; /* beside from, id and timestamp */
    int32_t kind;
    const char *text;
    const char *body; /* in the core's names, without raw; NULL = no body */
} inbound_row_t;

static const inbound_row_t rows[] = {
    {"text", "\"type\":\"text\",\"text\":{\"body\":\"hello\"}", MESSAGING_KIND_TEXT, "hello", NULL},
    {"text with unknown members",
     "\"type\":\"text\",\"text\":{\"body\":\"\"},\"later\":{\"x\":[1,null]}", MESSAGING_KIND_TEXT,
     "", NULL},
    {"reply",
     "\"type\":\"text\",\"text\":{\"body\":\"x\"},\"context\":{\"from\":\"14155550100\",\"id\":\"wamid.OUT1\"}",
     MESSAGING_KIND_TEXT, "x",
     "{\"context\":{\"provider_id\":\"wamid.OUT1\",\"from\":\"+14155550100\"}}"},
    {"forwarded",
     "\"type\":\"text\",\"text\":{\"body\":\"x\"},\"context\":{\"forwarded\":true,\"frequently_forwarded\":true}",
     MESSAGING_KIND_TEXT, "x", "{\"context\":{\"forwarded\":true,\"frequently_forwarded\":true}}"},
    {"about a product",
     "\"type\":\"text\",\"text\":{\"body\":\"x\"},\"context\":{\"from\":\"14155550100\",\"id\":\"wamid.P\",\"referred_product\":{\"catalog_id\":\"c\",\"product_retailer_id\":\"p\"}}",
     MESSAGING_KIND_TEXT, "x",
     "{\"context\":{\"provider_id\":\"wamid.P\",\"from\":\"+14155550100\",\"catalog_id\":\"c\",\"product_retailer_id\":\"p\"}}"},
    {"from an ad",
     "\"type\":\"text\",\"text\":{\"body\":\"x\"},\"referral\":{\"source_url\":\"https://fb.me/a\",\"source_id\":\"1\",\"source_type\":\"ad\",\"headline\":\"H\",\"body\":\"B\",\"media_type\":\"image\","
     "\"image_url\":\"https://i\",\"thumbnail_url\":\"https://t\",\"ctwa_clid\":\"z\",\"welcome_message\":{\"text\":\"w\"}}",
     MESSAGING_KIND_TEXT, "x",
     "{\"referral\":{\"source_url\":\"https://fb.me/a\",\"source_id\":\"1\",\"source_type\":\"ad\",\"headline\":\"H\",\"body\":\"B\",\"media_type\":\"image\",\"image_url\":\"https://i\","
     "\"thumbnail_url\":\"https://t\",\"ctwa_clid\":\"z\"}}"},
    {"image",
     "\"type\":\"image\",\"image\":{\"id\":\"1\",\"mime_type\":\"image/jpeg\",\"sha256\":\"O5w1jzbzCjGrbXYX8wl8OYrJJG6DFvnOVD1bGawCuAA=\",\"caption\":\"c\",\"url\":\"https://l\",\"test\":true,\"size\":9}",
     MESSAGING_KIND_IMAGE, NULL,
     "{\"media\":{\"provider_id\":\"1\",\"mime_type\":\"image/jpeg\",\"caption\":\"c\",\"sha256\":\"3b9c358f36f30a31ab6d7617f3097c398ac9246e8316f9ce543d5b19ac02b800\"}}"},
    {"video",
     "\"type\":\"video\",\"video\":{\"id\":\"2\",\"mime_type\":\"video/mp4\",\"sha256\":\"odd\"}",
     MESSAGING_KIND_VIDEO, NULL, "{\"media\":{\"provider_id\":\"2\",\"mime_type\":\"video/mp4\"}}"},
    {"voice note",
     "\"type\":\"audio\",\"audio\":{\"id\":\"3\",\"mime_type\":\"audio/ogg; codecs=opus\",\"voice\":true}",
     MESSAGING_KIND_AUDIO, NULL,
     "{\"media\":{\"provider_id\":\"3\",\"mime_type\":\"audio/ogg; codecs=opus\",\"voice\":true}}"},
    {"audio", "\"type\":\"audio\",\"audio\":{\"id\":\"3\",\"mime_type\":\"audio/mpeg\"}",
     MESSAGING_KIND_AUDIO, NULL,
     "{\"media\":{\"provider_id\":\"3\",\"mime_type\":\"audio/mpeg\",\"voice\":false}}"},
    {"document",
     "\"type\":\"document\",\"document\":{\"id\":\"4\",\"mime_type\":\"application/pdf\",\"filename\":\"../../etc/a.pdf\",\"caption\":\"c\"}",
     MESSAGING_KIND_DOCUMENT, NULL,
     "{\"media\":{\"provider_id\":\"4\",\"mime_type\":\"application/pdf\",\"filename\":\"a.pdf\",\"caption\":\"c\"}}"},
    {"sticker",
     "\"type\":\"sticker\",\"sticker\":{\"id\":\"5\",\"mime_type\":\"image/webp\",\"animated\":true}",
     MESSAGING_KIND_STICKER, NULL,
     "{\"media\":{\"provider_id\":\"5\",\"mime_type\":\"image/webp\",\"animated\":true}}"},
    {"location",
     "\"type\":\"location\",\"location\":{\"latitude\":51.5,\"longitude\":-0.1,\"name\":\"N\",\"address\":\"A\",\"url\":\"https://u\"}",
     MESSAGING_KIND_LOCATION, NULL,
     "{\"location\":{\"latitude\":51.5,\"longitude\":-0.1,\"name\":\"N\",\"address\":\"A\"}}"},
    {"location at zero, as text",
     "\"type\":\"location\",\"location\":{\"latitude\":0,\"longitude\":\"10.25\"}",
     MESSAGING_KIND_LOCATION, NULL, "{\"location\":{\"latitude\":0,\"longitude\":10.25}}"},
    {"contacts",
     "\"type\":\"contacts\",\"contacts\":[{\"name\":{\"formatted_name\":\"Ada Byron\",\"first_name\":\"Ada\"},\"phones\":[{\"phone\":\"+44207\",\"type\":\"WORK\",\"wa_id\":\"44207\"},7],"
     "\"emails\":[{\"email\":\"a@e\"}],\"org\":{\"company\":\"E\"},\"urls\":[{\"url\":\"https://e\"}],\"birthday\":\"1815-12-10\",\"origin\":\"x\",\"vcard\":\"v\"},{\"phones\":[{\"phone\":\"1\"}]}]",
     MESSAGING_KIND_CONTACTS, NULL,
     "{\"contacts\":[{\"name\":{\"formatted_name\":\"Ada Byron\",\"first_name\":\"Ada\"},\"phones\":[{\"phone\":\"+44207\",\"type\":\"WORK\",\"wa_id\":\"44207\"}],\"emails\":[{\"email\":\"a@e\"}],"
     "\"org\":{\"company\":\"E\"},\"urls\":[{\"url\":\"https://e\"}],\"birthday\":\"1815-12-10\"},{\"name\":{\"formatted_name\":\"1\"},\"phones\":[{\"phone\":\"1\"}]}]}"},
    {"reaction",
     "\"type\":\"reaction\",\"reaction\":{\"message_id\":\"wamid.OUT1\",\"emoji\":\"\\ud83d\\udc4d\"}",
     MESSAGING_KIND_REACTION, NULL,
     "{\"reaction\":{\"provider_id\":\"wamid.OUT1\",\"emoji\":\"\xf0\x9f\x91\x8d\"}}"},
    {"reaction taken back", "\"type\":\"reaction\",\"reaction\":{\"message_id\":\"wamid.OUT1\"}",
     MESSAGING_KIND_REACTION, NULL,
     "{\"reaction\":{\"provider_id\":\"wamid.OUT1\",\"emoji\":\"\"}}"},
    {"button",
     "\"type\":\"button\",\"button\":{\"payload\":\"P\",\"text\":\"Yes\"},\"context\":{\"from\":\"14155550100\",\"id\":\"wamid.T\"}",
     MESSAGING_KIND_BUTTON, NULL,
     "{\"button\":{\"text\":\"Yes\",\"payload\":\"P\"},\"context\":{\"provider_id\":\"wamid.T\",\"from\":\"+14155550100\"}}"},
    {"button reply",
     "\"type\":\"interactive\",\"interactive\":{\"type\":\"button_reply\",\"button_reply\":{\"id\":\"yes\",\"title\":\"Yes\"}}",
     MESSAGING_KIND_INTERACTIVE, NULL,
     "{\"interactive_reply\":{\"kind\":\"button_reply\",\"id\":\"yes\",\"title\":\"Yes\"}}"},
    {"list reply",
     "\"type\":\"interactive\",\"interactive\":{\"type\":\"list_reply\",\"list_reply\":{\"id\":\"r1\",\"title\":\"Row\",\"description\":\"More\"}}",
     MESSAGING_KIND_INTERACTIVE, NULL,
     "{\"interactive_reply\":{\"kind\":\"list_reply\",\"id\":\"r1\",\"title\":\"Row\",\"description\":\"More\"}}"},
    {"flow reply",
     "\"type\":\"interactive\",\"interactive\":{\"type\":\"nfm_reply\",\"nfm_reply\":{\"name\":\"flow\",\"body\":\"Sent\",\"response_json\":\"{\\\"slot\\\":\\\"10\\\"}\"}}",
     MESSAGING_KIND_INTERACTIVE, NULL,
     "{\"interactive_reply\":{\"kind\":\"nfm_reply\",\"name\":\"flow\",\"body\":\"Sent\",\"response_json\":\"{\\\"slot\\\":\\\"10\\\"}\"}}"},
    {"order",
     "\"type\":\"order\",\"order\":{\"catalog_id\":\"c\",\"text\":\"t\",\"product_items\":[{\"product_retailer_id\":\"p\",\"quantity\":\"2\",\"item_price\":9.5,\"currency\":\"USD\"}]}",
     MESSAGING_KIND_ORDER, NULL,
     "{\"order\":{\"catalog_id\":\"c\",\"text\":\"t\",\"items\":[{\"product_retailer_id\":\"p\",\"quantity\":2,\"item_price\":9.5,\"currency\":\"USD\"}]}}"},
    {"new number",
     "\"type\":\"system\",\"system\":{\"body\":\"Ada changed\",\"type\":\"user_changed_number\",\"wa_id\":\"14155550999\"}",
     MESSAGING_KIND_SYSTEM, NULL,
     "{\"system\":{\"kind\":\"user_changed_number\",\"body\":\"Ada changed\",\"wa_id\":\"14155550999\",\"new_phone_number\":\"+14155550999\"}}"},
    {"new identity",
     "\"type\":\"system\",\"system\":{\"body\":\"b\",\"type\":\"customer_identity_changed\"},\"identity\":{\"hash\":\"h\"}",
     MESSAGING_KIND_SYSTEM, NULL,
     "{\"system\":{\"kind\":\"customer_identity_changed\",\"body\":\"b\"}}"},
    {"unsupported",
     "\"type\":\"unsupported\",\"errors\":[{\"code\":131051,\"title\":\"T\",\"error_data\":{\"details\":\"Not supported\"}}]",
     MESSAGING_KIND_UNSUPPORTED, NULL, "{}"},
    {"call permission",
     "\"type\":\"interactive\",\"interactive\":{\"type\":\"call_permission_reply\",\"call_permission_reply\":{\"response\":\"accept\"}}",
     MESSAGING_KIND_UNSUPPORTED, NULL, "{}"},
    {"edit",
     "\"type\":\"edit\",\"edit\":{\"original_message_id\":\"wamid.X\",\"message\":{\"type\":\"image\",\"image\":{\"id\":\"1\"}}}",
     MESSAGING_KIND_UNSUPPORTED, NULL, "{}"},
    {"revoke", "\"type\":\"revoke\",\"revoke\":{\"original_message_id\":\"wamid.X\"}",
     MESSAGING_KIND_UNSUPPORTED, NULL, "{}"},
    {"welcome", "\"type\":\"request_welcome\"", MESSAGING_KIND_UNSUPPORTED, NULL, "{}"},
    {"a type of tomorrow", "\"type\":\"hologram\",\"hologram\":{\"id\":\"1\"}",
     MESSAGING_KIND_UNSUPPORTED, NULL, "{}"},
    {"no type", "\"text\":{\"body\":\"x\"}", MESSAGING_KIND_UNSUPPORTED, NULL, "{}"},
    {"image without id",
     "\"type\":\"image\",\"image\":{\"mime_type\":\"image/jpeg\"},\"context\":{\"id\":\"wamid.C\"}",
     MESSAGING_KIND_UNSUPPORTED, NULL, "{\"context\":{\"provider_id\":\"wamid.C\"}}"},
    {"text of another type", "\"type\":\"text\",\"text\":[\"x\"]", MESSAGING_KIND_UNSUPPORTED, NULL,
     "{}"},
    {"location off the globe",
     "\"type\":\"location\",\"location\":{\"latitude\":91,\"longitude\":0}",
     MESSAGING_KIND_UNSUPPORTED, NULL, "{}"},
    {"button of numbers",
     "\"type\":\"interactive\",\"interactive\":{\"type\":\"button_reply\",\"button_reply\":7}",
     MESSAGING_KIND_UNSUPPORTED, NULL, "{}"},
};

static void check_inbound (turn_t *t, const inbound_row_t *row)
{
    const char *json = arena_printf (
        t->arena,
        CALLBACK (CHANGE (
            "messages",
            "{" META_DATA "," CONTACTS
            ",\"messages\":[{\"from\":\"14155550123\",\"id\":\"wamid.IN1\",\"timestamp\":\"1760000001\",%s}]}")),
        row->item);
    heard_t heard = {0};
    assert_int_equal (parse (t, json, &heard), 0);
    assert_int_equal (heard.count, 1);
    const provider_event_t *event = &heard.events[0];
    if (event->kind != row->kind)
        print_error ("%s: kind %d\n", row->name, event->kind);
    assert_int_equal (event->kind, row->kind);
    assert_int_equal (event->news, NEWS_INBOUND);
    assert_true (event->whatsapp);
    assert_int_equal (event->at, 1760000001000);
    meta_same_text (row->name, event->provider_id, "wamid.IN1");
    meta_same_text (row->name, event->number_ref, "106540352242922");
    meta_same_text (row->name, event->from, "+14155550123");
    meta_same_text (row->name, event->to, "+14155550100");
    meta_same_text (row->name, event->contact_name, "Ada");
    meta_same_text (row->name, event->text, row->text);
    assert_int_equal (event->body != NULL, row->body != NULL);
    if (!row->body)
        return;
    messaging_body_t body = *event->body;
    assert_string_equal (jval_word (t->arena, body.raw, "id"), "wamid.IN1");
    body.raw = (bytes_t){0};
    buf_t got = buf_in (t->arena);
    schema_json_write (&messaging_body_type, NULL, &body, &got);
    meta_same (t, row->name, buf_bytes (&got), row->body);
}

static void test_inbound (void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        turn_t *t = meta_turn ();
        check_inbound (t, &rows[i]);
        meta_turn_end (t);
    }
}

static void test_unsupported_says_why (void **state)
{
    (void) state;
    turn_t *t = meta_turn ();
    heard_t heard = {0};
    assert_int_equal (
        parse (
            t,
            CALLBACK (CHANGE (
                "messages",
                "{" META_DATA
                ",\"messages\":[{\"from\":\"1415\",\"id\":\"w\",\"type\":\"unsupported\","
                "\"errors\":[{\"code\":131051,\"title\":\"T\",\"error_data\":{\"details\":\"Not supported\"}}]}]}")),
            &heard),
        0);
    assert_int_equal (heard.count, 1);
    assert_int_equal (heard.events[0].fault->code, E_UNSUPPORTED_MESSAGE_TYPE);
    assert_string_equal (heard.events[0].native_text, "Not supported");
    assert_int_equal (heard.events[0].at, t->now);
    assert_null (heard.events[0].contact_name);
    meta_turn_end (t);
}

/* Someone with a username and no number to show. */
static void test_people_without_number (void **state)
{
    (void) state;
    turn_t *t = meta_turn ();
    heard_t heard = {0};
    assert_int_equal (
        parse (
            t,
            CALLBACK (CHANGE (
                "messages",
                "{" META_DATA
                ",\"contacts\":[7,{\"user_id\":\"GB.2\",\"profile\":{\"name\":\"No\"}},{\"profile\":{\"username\":\"ada\"},\"user_id\":\"US.1349\"}],"
                "\"messages\":[{\"from_user_id\":\"US.1349\",\"id\":\"w\",\"type\":\"text\",\"text\":{\"body\":\"x\"}}]}")),
            &heard),
        0);
    assert_int_equal (heard.count, 1);
    assert_string_equal (heard.events[0].from, "US.1349");
    assert_string_equal (heard.events[0].contact_name, "ada");
    meta_turn_end (t);
}

#define TOKEN "018f3c5a-7b2e-7c1d-8e4f-0123456789ab"

static void test_statuses (void **state)
{
    (void) state;
    static const struct {
        const char *item;
        provider_news_t news;
        int code; /* of the fault */
        const char *native, *text;
        bool token;
    } cases[] = {
        {"\"status\":\"sent\",\"biz_opaque_callback_data\":\"" TOKEN
         "\",\"conversation\":{\"id\":\"7\",\"origin\":{\"type\":\"utility\"}},\"pricing\":{\"billable\":true}",
         NEWS_SENT, 0, NULL, NULL, true},
        {"\"status\":\"delivered\",\"biz_opaque_callback_data\":\"m-1\"", NEWS_DELIVERED, 0, NULL,
         NULL, false},
        {"\"status\":\"read\"", NEWS_READ, 0, NULL, NULL, false},
        {"\"status\":\"played\"", NEWS_READ, 0, NULL, NULL, false},
        {"\"status\":\"failed\",\"biz_opaque_callback_data\":\"" TOKEN
         "\",\"errors\":[{\"code\":131047,\"title\":\"Re-engagement message\",\"message\":\"Re-engagement message\",\"error_data\":{\"details\":\"More than 24 hours\"},\"href\":\"https://e\"}]",
         NEWS_FAILED, E_CONVERSATION_WINDOW_EXPIRED, "131047", "More than 24 hours", true},
        {"\"status\":\"failed\",\"errors\":[{\"code\":131026,\"title\":\"Undeliverable\"}]",
         NEWS_FAILED, E_MESSAGE_UNDELIVERABLE, "131026", "Undeliverable", false},
        {"\"status\":\"failed\",\"errors\":[{\"code\":777}]", NEWS_FAILED, E_META_API_ERROR, "777",
         NULL, false},
        {"\"status\":\"failed\"", NEWS_FAILED, E_META_API_ERROR, "500", NULL, false},
        {"\"status\":\"deleted\"", 0, 0, NULL, NULL, false},
        {"\"status\":\"RINGING\",\"type\":\"call\"", 0, 0, NULL, NULL, false},
        {"\"status\":7", 0, 0, NULL, NULL, false},
    };
    id16_t token;
    assert_true (id_read_uuid (TOKEN, strlen (TOKEN), &token));
    turn_t *t = meta_turn ();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *json = arena_printf (
            t->arena,
            CALLBACK (CHANGE (
                "messages",
                "{" META_DATA
                ",\"statuses\":[{\"id\":\"wamid.OUT1\",\"timestamp\":\"1760000001\",\"recipient_id\":\"14155550123\",%s}]}")),
            cases[i].item);
        heard_t heard = {0};
        assert_int_equal (parse (t, json, &heard), 0);
        assert_int_equal (heard.count, cases[i].news != 0);
        const provider_event_t *event = &heard.events[0];
        assert_int_equal (event->news, cases[i].news);
        if (!heard.count)
            continue;
        assert_string_equal (event->provider_id, "wamid.OUT1");
        assert_string_equal (event->to, "+14155550123");
        assert_string_equal (event->number_ref, "106540352242922");
        assert_int_equal (event->at, 1760000001000);
        assert_true (id_equal (event->token, cases[i].token ? token : id_nil ()));
        assert_int_equal (event->fault ? event->fault->code : 0, cases[i].code);
        meta_same_text (cases[i].item, event->fault ? event->fault->native : NULL, cases[i].native);
        meta_same_text (cases[i].item, event->native_text, cases[i].text);
    }
    meta_turn_end (t);
}

static void test_templates (void **state)
{
    (void) state;
    static const char *const fields[] = {
        "message_template_status_update", "message_template_components_update",
        "message_template_quality_update", "template_category_update"};
    turn_t *t = meta_turn ();
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        heard_t heard = {0};
        const char *json = arena_printf (
            t->arena,
            CALLBACK (
                "{\"value\":{\"event\":\"REJECTED\",\"message_template_id\":1689556908129835,\"message_template_name\":\"n\",\"reason\":null},\"field\":\"%s\"}"),
            fields[i]);
        assert_int_equal (parse (t, json, &heard), 0);
        assert_int_equal (heard.count, 1);
        assert_int_equal (heard.events[0].news, NEWS_TEMPLATE);
        assert_string_equal (heard.events[0].template_id, "1689556908129835");
        assert_int_equal (heard.events[0].at, 1760000009000);
    }
    meta_turn_end (t);
}

#define TEXT(id) \
    "{\"from\":\"14155550123\",\"id\":\"" id "\",\"type\":\"text\",\"text\":{\"body\":\"x\"}}"
#define STATUS(id) "{\"id\":\"" id "\",\"status\":\"read\",\"timestamp\":\"1\"}"

/* Two entries, several changes; between the good ones everything that can be wrong with one item. */
static const char
    batch
        [] =
            "{\"object\":\"whatsapp_business_account\",\"later\":1,\"entry\":[7,{\"id\":\"1\"},{\"id\":\"1\",\"changes\":{}},{\"id\":\"1\",\"changes\":[null,{},{\"field\":\"messages\"},"
            "{\"field\":\"messages\",\"value\":[]}," CHANGE ("account_update", "{\"event\":\"DISABLED_UPDATE\"}") "," CHANGE (
                "calls",
                "{" META_DATA
                ",\"calls\":[{\"id\":\"wacid.A\",\"event\":\"connect\"}],\"statuses\":[" STATUS (
                    "wacid.B") "]}") "," CHANGE ("smb_message_echoes",
                                                 "{\"message_echoes\":[" TEXT (
                                                     "no") "]}") "," CHANGE ("message_template_status_update",
                                                                             "{\"event\":\"APPROVED\"}") "," CHANGE ("messages", "{" META_DATA ",\"errors\":[{\"code\":1}]}") "," CHANGE ("messages", "{\"messages\":[" TEXT ("no number") "]}") "," CHANGE ("messages", "{" META_DATA ",\"messages\":[" TEXT ("a") ",null,[],{\"from\":\"1\"},{\"id\":\"no from\",\"type\":\"text\"},{\"from\":1,\"id\":\"x\"},"
                                                                                                                                                                                                                                                                                                                    "{\"from\":\"1415\",\"group_id\":\"G\",\"id\":\"in a group\",\"type\":\"text\",\"text\":{\"body\":\"x\"}}," TEXT ("b") "],\"statuses\":[{},{\"status\":\"sent\"}," STATUS ("c") ",{\"id\":\"x\"},7," STATUS ("d") "]}") "]},"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                            "{\"id\":\"2\",\"changes\":[" CHANGE ("messages",
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                  "{" META_DATA
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                  ",\"messages\":[" TEXT (
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                      "e") "]}") "]}]}";

static void test_batch (void **state)
{
    (void) state;
    static const char *const want[] = {"a", "b", "c", "d", "e"};
    turn_t *t = meta_turn ();
    heard_t heard = {0};
    assert_int_equal (parse (t, batch, &heard), 0);
    assert_int_equal (heard.count, sizeof want / sizeof *want);
    for (size_t i = 0; i < heard.count; i++)
        assert_string_equal (heard.events[i].provider_id, want[i]);
    heard_t failing = {.fail_at = 2};
    assert_int_equal (parse (t, batch, &failing), E_IO);
    assert_int_equal (failing.count, 2);
    meta_turn_end (t);
}

static void test_not_meta (void **state)
{
    (void) state;
    static const char *const bad[] = {"",
                                      "{",
                                      "[]",
                                      "7",
                                      "null",
                                      "{}",
                                      "{\"object\":\"page\",\"entry\":[]}",
                                      "{\"object\":7}",
                                      "{\"object\":\"whatsapp_business_account\"} x",
                                      "\xff\xfe"};
    turn_t *t = meta_turn ();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        heard_t heard = {0};
        assert_int_equal (parse (t, bad[i], &heard), E_BAD_REQUEST);
        assert_int_equal (heard.count, 0);
    }
    heard_t heard = {0};
    assert_int_equal (parse (t, "{\"object\":\"whatsapp_business_account\"}", &heard), 0);
    assert_int_equal (heard.count, 0);
    meta_turn_end (t);
}

/* Half an emoji or a NUL in one name must not cost the batch. */
static void test_broken_text_is_mended (void **state)
{
    (void) state;
    static const struct {
        const char *in, *want;
    } cases[] = {
        {"a\\ud83d", "a\xef\xbf\xbd"},
        {"\\udc4dz", "\xef\xbf\xbdz"},
        {"n\\u0000n", "n\xef\xbf\xbdn"},
        {"\\ud83d\\ud83d\\udc4d", "\xef\xbf\xbd\xf0\x9f\x91\x8d"},
        {"\\\\ud83d \\ud83d", "\\ud83d \xef\xbf\xbd"},
        {"\\uDC4D", "\xef\xbf\xbd"},
    };
    turn_t *t = meta_turn ();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        heard_t heard = {0};
        const char *json = arena_printf (
            t->arena,
            CALLBACK (CHANGE (
                "messages",
                "{" META_DATA
                ",\"messages\":[{\"from\":\"1415\",\"id\":\"w\",\"type\":\"text\",\"text\":{\"body\":\"%s\"}}]}")),
            cases[i].in);
        assert_int_equal (parse (t, json, &heard), 0);
        assert_int_equal (heard.count, 1);
        assert_string_equal (heard.events[0].text, cases[i].want);
    }
    meta_turn_end (t);
}

int meta_inbound_tests (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_inbound),
        cmocka_unit_test (test_unsupported_says_why),
        cmocka_unit_test (test_people_without_number),
        cmocka_unit_test (test_statuses),
        cmocka_unit_test (test_templates),
        cmocka_unit_test (test_batch),
        cmocka_unit_test (test_not_meta),
        cmocka_unit_test (test_broken_text_is_mended),
    };
    return cmocka_run_group_tests_name ("meta inbound", tests, NULL, NULL);
}
