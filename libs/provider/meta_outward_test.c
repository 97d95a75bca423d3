/* meta_outward_test.c - what the Meta adapter sends, compared member by member with the documented JSON. */
#include "meta_test.h"

#include <stdio.h>

typedef struct send_row {
    const char *name;
    int32_t kind;
    const char *text;
    const char *body; /* in the core's names */
    const char *reply_to;
    const char *want; /* beside the frame */
} send_row_t;

#define TOKEN      "018f3c5a-7b2e-7c1d-8e4f-0123456789ab"
#define TYPE(word) "\"type\":\"" word "\",\"" word "\":"

static const send_row_t sends[] = {
    {"text", MESSAGING_KIND_TEXT, "hello \"you\"", NULL, NULL,
     TYPE ("text") "{\"body\":\"hello \\\"you\\\"\"}"},
    {"text with preview and quote", MESSAGING_KIND_TEXT, "See https://example.org",
     "{\"preview_url\":true}", "wamid.PREVIOUS",
     "\"context\":{\"message_id\":\"wamid.PREVIOUS\"}," TYPE (
         "text") "{\"body\":\"See https://example.org\",\"preview_url\":true}"},
    {"image", MESSAGING_KIND_IMAGE, NULL,
     "{\"media\":{\"provider_id\":\"123\",\"caption\":\"A cat\",\"filename\":\"cat.jpg\"}}", NULL,
     TYPE ("image") "{\"id\":\"123\",\"caption\":\"A cat\"}"},
    {"image without caption", MESSAGING_KIND_IMAGE, NULL, "{\"media\":{\"provider_id\":\"123\"}}",
     NULL, TYPE ("image") "{\"id\":\"123\"}"},
    {"video", MESSAGING_KIND_VIDEO, NULL, "{\"media\":{\"provider_id\":\"9\",\"caption\":\"c\"}}",
     NULL, TYPE ("video") "{\"id\":\"9\",\"caption\":\"c\"}"},
    {"audio takes no caption", MESSAGING_KIND_AUDIO, NULL,
     "{\"media\":{\"provider_id\":\"9\",\"caption\":\"c\"}}", NULL,
     TYPE ("audio") "{\"id\":\"9\"}"},
    {"voice note", MESSAGING_KIND_AUDIO, NULL, "{\"media\":{\"provider_id\":\"9\",\"voice\":true}}",
     NULL, TYPE ("audio") "{\"id\":\"9\",\"voice\":true}"},
    {"document", MESSAGING_KIND_DOCUMENT, NULL,
     "{\"media\":{\"provider_id\":\"9\",\"caption\":\"c\",\"filename\":\"a.pdf\"}}", "wamid.Q",
     "\"context\":{\"message_id\":\"wamid.Q\"}," TYPE (
         "document") "{\"id\":\"9\",\"caption\":\"c\",\"filename\":\"a.pdf\"}"},
    {"sticker", MESSAGING_KIND_STICKER, NULL, "{\"media\":{\"provider_id\":\"9\"}}", NULL,
     TYPE ("sticker") "{\"id\":\"9\"}"},
    {"location", MESSAGING_KIND_LOCATION, NULL,
     "{\"location\":{\"latitude\":51.5,\"longitude\":-0.1,\"name\":\"N\",\"address\":\"A\"}}", NULL,
     TYPE ("location") "{\"latitude\":51.5,\"longitude\":-0.1,\"name\":\"N\",\"address\":\"A\"}"},
    {"location at zero", MESSAGING_KIND_LOCATION, NULL, "{\"location\":{}}", NULL,
     TYPE ("location") "{\"latitude\":0,\"longitude\":0}"},
    {"contacts", MESSAGING_KIND_CONTACTS, NULL,
     "{\"contacts\":[{\"name\":{\"formatted_name\":\"Ada Byron\",\"first_name\":\"Ada\",\"last_name\":\"Byron\",\"middle_name\":\"K\",\"prefix\":\"Ms\",\"suffix\":\"II\"},"
     "\"phones\":[{\"phone\":\"+442071234567\",\"type\":\"WORK\",\"wa_id\":\"442071234567\"}],\"emails\":[{\"email\":\"ada@example.org\",\"type\":\"HOME\"}],"
     "\"addresses\":[{\"street\":\"1 Main St\",\"city\":\"London\",\"zip\":\"N1\",\"country\":\"UK\",\"country_code\":\"gb\",\"type\":\"WORK\"}],"
     "\"org\":{\"company\":\"Engines\",\"department\":\"R+D\",\"title\":\"Analyst\"},\"urls\":[{\"url\":\"https://example.org\",\"type\":\"WORK\"}],\"birthday\":\"1815-12-10\"}]}",
     NULL,
     TYPE (
         "contacts") "[{\"name\":{\"formatted_name\":\"Ada Byron\",\"first_name\":\"Ada\",\"last_name\":\"Byron\",\"middle_name\":\"K\",\"prefix\":\"Ms\",\"suffix\":\"II\"},"
                     "\"phones\":[{\"phone\":\"+442071234567\",\"type\":\"WORK\",\"wa_id\":\"442071234567\"}],\"emails\":[{\"email\":\"ada@example.org\",\"type\":\"HOME\"}],"
                     "\"addresses\":[{\"street\":\"1 Main St\",\"city\":\"London\",\"zip\":\"N1\",\"country\":\"UK\",\"country_code\":\"gb\",\"type\":\"WORK\"}],"
                     "\"org\":{\"company\":\"Engines\",\"department\":\"R+D\",\"title\":\"Analyst\"},\"urls\":[{\"url\":\"https://example.org\",\"type\":\"WORK\"}],\"birthday\":\"1815-12-10\"}]"},
    {"reaction is never a quote", MESSAGING_KIND_REACTION, NULL,
     "{\"reaction\":{\"provider_id\":\"wamid.R\",\"emoji\":\"\xf0\x9f\x91\x8d\"}}", "wamid.Q",
     TYPE ("reaction") "{\"message_id\":\"wamid.R\",\"emoji\":\"\xf0\x9f\x91\x8d\"}"},
    {"reaction taken back", MESSAGING_KIND_REACTION, NULL,
     "{\"reaction\":{\"provider_id\":\"wamid.R\",\"emoji\":\"\"}}", NULL,
     TYPE ("reaction") "{\"message_id\":\"wamid.R\",\"emoji\":\"\"}"},
    {"template", MESSAGING_KIND_TEMPLATE, NULL,
     "{\"template\":{\"name\":\"hello\",\"language\":\"en_US\"}}", NULL,
     TYPE ("template") "{\"name\":\"hello\",\"language\":{\"code\":\"en_US\"}}"},
    {"template by position", MESSAGING_KIND_TEMPLATE, NULL,
     "{\"template\":{\"name\":\"order_update\",\"language\":\"en_US\",\"variables\":{\"10\":\"j\",\"2\":\"b\",\"1\":\"a\"}}}",
     NULL,
     TYPE (
         "template") "{\"name\":\"order_update\",\"language\":{\"code\":\"en_US\"},\"components\":[{\"type\":\"body\",\"parameters\":"
                     "[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\",\"text\":\"b\"},{\"type\":\"text\",\"text\":\"j\"}]}]}"},
    {"template by name", MESSAGING_KIND_TEMPLATE, NULL,
     "{\"template\":{\"name\":\"o\",\"language\":\"en\",\"variables\":{\"first_name\":\"Ada\"}}}",
     NULL,
     TYPE (
         "template") "{\"name\":\"o\",\"language\":{\"code\":\"en\"},\"components\":[{\"type\":\"body\",\"parameters\":"
                     "[{\"type\":\"text\",\"parameter_name\":\"first_name\",\"text\":\"Ada\"}]}]}"},
    {"template with components", MESSAGING_KIND_TEMPLATE, NULL,
     "{\"template\":{\"name\":\"o\",\"language\":\"en\",\"variables\":{\"1\":\"x\"},\"components\":[{\"type\":\"header\",\"parameters\":[{\"type\":\"image\",\"image\":{\"id\":\"1\"}}]}]}}",
     NULL,
     TYPE (
         "template") "{\"name\":\"o\",\"language\":{\"code\":\"en\"},\"components\":[{\"type\":\"header\",\"parameters\":[{\"type\":\"image\",\"image\":{\"id\":\"1\"}}]}]}"},
    {"buttons", MESSAGING_KIND_INTERACTIVE, NULL,
     "{\"interactive\":{\"kind\":\"buttons\",\"body\":\"Yes?\",\"header\":{\"kind\":\"text\",\"text\":\"H\"},\"footer\":\"F\",\"buttons\":[{\"id\":\"y\",\"title\":\"Yes\"},{\"id\":\"n\",\"title\":\"No\"}]}}",
     NULL,
     TYPE (
         "interactive") "{\"type\":\"button\",\"header\":{\"type\":\"text\",\"text\":\"H\"},\"body\":{\"text\":\"Yes?\"},\"footer\":{\"text\":\"F\"},\"action\":{\"buttons\":["
                        "{\"type\":\"reply\",\"reply\":{\"id\":\"y\",\"title\":\"Yes\"}},{\"type\":\"reply\",\"reply\":{\"id\":\"n\",\"title\":\"No\"}}]}}"},
    {"buttons under a document", MESSAGING_KIND_INTERACTIVE, NULL,
     "{\"interactive\":{\"kind\":\"buttons\",\"body\":\"b\",\"header\":{\"kind\":\"document\",\"provider_id\":\"5\",\"filename\":\"a.pdf\"},\"buttons\":[{\"id\":\"y\",\"title\":\"Yes\"}]}}",
     NULL,
     TYPE (
         "interactive") "{\"type\":\"button\",\"header\":{\"type\":\"document\",\"document\":{\"id\":\"5\",\"filename\":\"a.pdf\"}},\"body\":{\"text\":\"b\"},"
                        "\"action\":{\"buttons\":[{\"type\":\"reply\",\"reply\":{\"id\":\"y\",\"title\":\"Yes\"}}]}}"},
    {"list", MESSAGING_KIND_INTERACTIVE, NULL,
     "{\"interactive\":{\"kind\":\"list\",\"body\":\"b\",\"button_text\":\"Choose\",\"sections\":[{\"title\":\"S\",\"rows\":[{\"id\":\"r1\",\"title\":\"Row\",\"description\":\"More\"},{\"id\":\"r2\",\"title\":\"Row 2\"}]}]}}",
     NULL,
     TYPE (
         "interactive") "{\"type\":\"list\",\"body\":{\"text\":\"b\"},\"action\":{\"button\":\"Choose\",\"sections\":[{\"title\":\"S\",\"rows\":["
                        "{\"id\":\"r1\",\"title\":\"Row\",\"description\":\"More\"},{\"id\":\"r2\",\"title\":\"Row 2\"}]}]}}"},
    {"cta_url", MESSAGING_KIND_INTERACTIVE, NULL,
     "{\"interactive\":{\"kind\":\"cta_url\",\"body\":\"b\",\"header\":{\"kind\":\"image\",\"provider_id\":\"5\"},\"button_text\":\"View\",\"url\":\"https://example.org/a\"}}",
     NULL,
     TYPE (
         "interactive") "{\"type\":\"cta_url\",\"header\":{\"type\":\"image\",\"image\":{\"id\":\"5\"}},\"body\":{\"text\":\"b\"},"
                        "\"action\":{\"name\":\"cta_url\",\"parameters\":{\"display_text\":\"View\",\"url\":\"https://example.org/a\"}}}"},
    {"location request has a body only", MESSAGING_KIND_INTERACTIVE, NULL,
     "{\"interactive\":{\"kind\":\"location_request\",\"body\":\"Where?\",\"footer\":\"F\",\"header\":{\"kind\":\"text\",\"text\":\"H\"}}}",
     NULL,
     TYPE (
         "interactive") "{\"type\":\"location_request_message\",\"body\":{\"text\":\"Where?\"},\"action\":{\"name\":\"send_location\"}}"},
    {"flow", MESSAGING_KIND_INTERACTIVE, NULL,
     "{\"interactive\":{\"kind\":\"flow\",\"header\":{\"kind\":\"text\",\"text\":\"Booking\"},\"body\":\"Pick a slot\",\"footer\":\"Takes a minute\",\"flow_id\":\"9000000000000001\",\"button_text\":\"Open\","
     "\"flow_token\":\"t-123\",\"flow_action\":\"navigate\",\"flow_screen\":\"START\",\"flow_data\":{\"k\":\"v\"}}}",
     NULL,
     TYPE (
         "interactive") "{\"type\":\"flow\",\"header\":{\"type\":\"text\",\"text\":\"Booking\"},\"body\":{\"text\":\"Pick a slot\"},\"footer\":{\"text\":\"Takes a minute\"},"
                        "\"action\":{\"name\":\"flow\",\"parameters\":{\"flow_message_version\":\"3\",\"flow_id\":\"9000000000000001\",\"flow_cta\":\"Open\",\"flow_token\":\"t-123\","
                        "\"flow_action\":\"navigate\",\"flow_action_payload\":{\"screen\":\"START\",\"data\":{\"k\":\"v\"}}}}}"},
    {"flow without empty data", MESSAGING_KIND_INTERACTIVE, NULL,
     "{\"interactive\":{\"kind\":\"flow\",\"body\":\"b\",\"flow_id\":\"1\",\"button_text\":\"Open\",\"flow_screen\":\"S\",\"flow_data\":{}}}",
     NULL,
     TYPE (
         "interactive") "{\"type\":\"flow\",\"body\":{\"text\":\"b\"},\"action\":{\"name\":\"flow\",\"parameters\":{\"flow_message_version\":\"3\",\"flow_id\":\"1\",\"flow_cta\":\"Open\","
                        "\"flow_action_payload\":{\"screen\":\"S\"}}}}"},
    {"data exchange has no payload", MESSAGING_KIND_INTERACTIVE, NULL,
     "{\"interactive\":{\"kind\":\"flow\",\"body\":\"b\",\"flow_id\":\"1\",\"button_text\":\"Open\",\"flow_action\":\"data_exchange\",\"flow_screen\":\"S\"}}",
     NULL,
     TYPE (
         "interactive") "{\"type\":\"flow\",\"body\":{\"text\":\"b\"},\"action\":{\"name\":\"flow\",\"parameters\":{\"flow_message_version\":\"3\",\"flow_id\":\"1\",\"flow_cta\":\"Open\","
                        "\"flow_action\":\"data_exchange\"}}}"},
};

static provider_message_t message_of (turn_t *t, const send_row_t *row)
{
    provider_message_t m = {.whatsapp = true,
                            .kind = row->kind,
                            .from = "+14155550100",
                            .to = "+14155550123",
                            .text = row->text,
                            .body = meta_body (t, row->body),
                            .reply_to = row->reply_to,
                            .account = meta_account (),
                            .number_ref = "106540352242922"};
    assert_true (id_read_uuid (TOKEN, strlen (TOKEN), &m.token));
    return m;
}

static void assert_header (const fetch_request_t *request, const char *want)
{
    for (size_t i = 0; request->headers[i]; i++)
        if (strcmp (request->headers[i], want) == 0)
            return;
    print_error ("no header %s\n", want);
    assert_true (false);
}

static void test_sends (void **state)
{
    (void) state;
    turn_t *t = meta_turn ();
    for (size_t i = 0; i < sizeof sends / sizeof *sends; i++) {
        provider_message_t m = message_of (t, &sends[i]);
        outbound_t out = {0};
        assert_int_equal (provider_meta.send (t, &m, &out), 0);
        assert_int_equal (out.how, OUT_HTTP);
        assert_string_equal (out.request.method, "POST");
        assert_string_equal (out.request.url,
                             "https://graph.example.test/v23.0/106540352242922/messages");
        assert_header (&out.request, "Authorization: Bearer EAAG-token");
        assert_header (&out.request, "Content-Type: application/json");
        assert_false (out.request.guarded);
        const char *want = arena_printf (
            t->arena,
            "{\"messaging_product\":\"whatsapp\",\"recipient_type\":\"individual\",\"to\":\"14155550123\","
            "\"biz_opaque_callback_data\":\"" TOKEN "\",%s}",
            sends[i].want);
        meta_same (t, sends[i].name, out.request.body, want);
    }
    meta_turn_end (t);
}

static void test_sends_that_lack (void **state)
{
    (void) state;
    static const send_row_t rows[] = {
        {"sms", MESSAGING_KIND_SMS, "x", NULL, NULL, NULL},
        {"inbound only", MESSAGING_KIND_ORDER, "x", NULL, NULL, NULL},
        {"far", 1000, "x", NULL, NULL, NULL},
        {"negative", -1, "x", NULL, NULL, NULL},
        {"no text", MESSAGING_KIND_TEXT, NULL, NULL, NULL, NULL},
        {"no media", MESSAGING_KIND_IMAGE, NULL, NULL, NULL, NULL},
        {"not uploaded", MESSAGING_KIND_IMAGE, NULL, "{\"media\":{\"caption\":\"c\"}}", NULL, NULL},
        {"no location", MESSAGING_KIND_LOCATION, NULL, "{}", NULL, NULL},
        {"no contacts", MESSAGING_KIND_CONTACTS, NULL, "{}", NULL, NULL},
        {"unknown target", MESSAGING_KIND_REACTION, NULL, "{\"reaction\":{\"emoji\":\"x\"}}", NULL,
         NULL},
        {"no language", MESSAGING_KIND_TEMPLATE, NULL, "{\"template\":{\"name\":\"n\"}}", NULL,
         NULL},
        {"no kind", MESSAGING_KIND_INTERACTIVE, NULL, "{\"interactive\":{\"body\":\"b\"}}", NULL,
         NULL},
        {"header not uploaded", MESSAGING_KIND_INTERACTIVE, NULL,
         "{\"interactive\":{\"kind\":\"buttons\",\"body\":\"b\",\"header\":{\"kind\":\"image\"},\"buttons\":[{\"id\":\"1\",\"title\":\"t\"}]}}",
         NULL, NULL},
        {"header of no kind", MESSAGING_KIND_INTERACTIVE, NULL,
         "{\"interactive\":{\"kind\":\"buttons\",\"body\":\"b\",\"header\":{},\"buttons\":[{\"id\":\"1\",\"title\":\"t\"}]}}",
         NULL, NULL},
    };
    turn_t *t = meta_turn ();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        provider_message_t m = message_of (t, &rows[i]);
        outbound_t out = {0};
        t->failure = (failure_t){0};
        int code = provider_meta.send (t, &m, &out);
        assert_int_equal (code, i < 4 ? E_UNSUPPORTED_MESSAGE_TYPE : E_BAD_REQUEST);
        assert_int_equal (t->failure.code, code);
        assert_int_equal (out.how, OUT_NOTHING);
    }
    provider_account_t bare = {.base_url = "https://graph.example.test"};
    provider_message_t m = message_of (t, &sends[0]);
    outbound_t out = {0};
    m.account = &bare;
    assert_int_equal (provider_meta.send (t, &m, &out), E_BAD_REQUEST);
    m.account = NULL;
    assert_int_equal (provider_meta.send (t, &m, &out), E_BAD_REQUEST);
    m.account = meta_account ();
    m.number_ref = NULL;
    assert_int_equal (provider_meta.send (t, &m, &out), E_BAD_REQUEST);
    meta_turn_end (t);
}

/* A person without a number is addressed by the business-scoped id; ids are escaped in paths. */
static void test_other_recipients (void **state)
{
    (void) state;
    turn_t *t = meta_turn ();
    provider_message_t m = message_of (t, &sends[0]);
    m.to = "US.13491208655302741918";
    m.number_ref = "a/../b?c";
    m.token = id_nil ();
    outbound_t out = {0};
    assert_int_equal (provider_meta.send (t, &m, &out), 0);
    assert_string_equal (out.request.url,
                         "https://graph.example.test/v23.0/a%2F..%2Fb%3Fc/messages");
    meta_same (
        t, "bsuid", out.request.body,
        "{\"messaging_product\":\"whatsapp\",\"recipient_type\":\"individual\",\"recipient\":\"US.13491208655302741918\","
        "\"type\":\"text\",\"text\":{\"body\":\"hello \\\"you\\\"\"}}");
    meta_turn_end (t);
}

static void test_mark_read (void **state)
{
    (void) state;
    turn_t *t = meta_turn ();
    outbound_t out = {0};
    assert_int_equal (
        provider_meta.mark_read (t, meta_account (), "1065", "wamid.INBOUND", true, &out), 0);
    assert_string_equal (out.request.url, "https://graph.example.test/v23.0/1065/messages");
    meta_same (
        t, "typing", out.request.body,
        "{\"messaging_product\":\"whatsapp\",\"status\":\"read\",\"message_id\":\"wamid.INBOUND\",\"typing_indicator\":{\"type\":\"text\"}}");
    assert_int_equal (
        provider_meta.mark_read (t, meta_account (), "1065", "wamid.INBOUND", false, &out), 0);
    meta_same (
        t, "read", out.request.body,
        "{\"messaging_product\":\"whatsapp\",\"status\":\"read\",\"message_id\":\"wamid.INBOUND\"}");
    meta_turn_end (t);
}

/* ---- media ---- */

static void test_upload (void **state)
{
    (void) state;
    turn_t *t = meta_turn ();
    outbound_t out = {0};
    assert_int_equal (provider_meta.media_upload (t, meta_account (), "1065", "/blobs/a", 1234,
                                                  "image/jpeg", "a\"b\r\nc.jpg", &out),
                      0);
    assert_string_equal (out.request.url, "https://graph.example.test/v23.0/1065/media");
    assert_string_equal (out.request.body_file, "/blobs/a");
    assert_int_equal (out.request.body_file_size, 1234);
    const char *type = out.request.headers[1], *boundary = strstr (type, "boundary=");
    assert_non_null (boundary);
    boundary += strlen ("boundary=");
    const char *head = arena_printf (
        t->arena,
        "--%s\r\nContent-Disposition: form-data; name=\"messaging_product\"\r\n\r\nwhatsapp\r\n"
        "--%s\r\nContent-Disposition: form-data; name=\"type\"\r\n\r\nimage/jpeg\r\n"
        "--%s\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a%%22b%%0D%%0Ac.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n",
        boundary, boundary, boundary);
    assert_true (bytes_equal (out.request.body, bytes_of_str (head)));
    assert_true (bytes_equal (out.request.body_tail,
                              bytes_of_str (arena_printf (t->arena, "\r\n--%s--\r\n", boundary))));
    assert_int_equal (provider_meta.media_upload (t, meta_account (), "1065", "/blobs/a", 1,
                                                  "image/jpeg\r\nX: y", NULL, &out),
                      E_BAD_REQUEST);
    meta_turn_end (t);
}

static void test_uploaded (void **state)
{
    (void) state;
    static const struct {
        outcome_t outcome;
        const char *body;
        provider_word_t word;
        const char *id;
    } rows[] = {
        {{.stage = FETCH_ANSWERED, .status = 200},
         "{\"id\":\"1166846181421424\"}",
         PROVIDER_ACCEPTED,
         "1166846181421424"},
        {{.stage = FETCH_ANSWERED, .status = 200},
         "{\"id\":1166846181421424}",
         PROVIDER_ACCEPTED,
         "1166846181421424"},
        {{.stage = FETCH_ANSWERED, .status = 200}, "{\"success\":true}", PROVIDER_RETRY, NULL},
        {{.stage = FETCH_ANSWERED, .status = 200}, "{", PROVIDER_RETRY, NULL},
        {{.stage = FETCH_SENT}, "", PROVIDER_RETRY, NULL},
        {{.stage = FETCH_NOT_SENT, .code = E_NOT_FOUND}, "", PROVIDER_REFUSED, NULL},
        {{.stage = FETCH_NOT_SENT, .code = E_UNAVAILABLE}, "", PROVIDER_RETRY, NULL},
        {{.stage = FETCH_ANSWERED, .status = 400},
         "{\"error\":{\"code\":131053}}",
         PROVIDER_REFUSED,
         NULL},
    };
    turn_t *t = meta_turn ();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        outcome_t outcome = rows[i].outcome;
        provider_result_t result;
        outcome.body = bytes_of_str (rows[i].body);
        meta_same_text (rows[i].body, provider_meta.media_uploaded (t, &outcome, &result),
                        rows[i].id);
        assert_int_equal (result.word, rows[i].word);
        assert_true (result.word == PROVIDER_ACCEPTED || result.fault);
    }
    meta_turn_end (t);
}

static void test_download (void **state)
{
    (void) state;
    turn_t *t = meta_turn ();
    outbound_t out = {0};
    assert_int_equal (provider_meta.media_locate (t, meta_account (), "77", &out), 0);
    assert_string_equal (out.request.method, "GET");
    assert_string_equal (out.request.url, "https://graph.example.test/v23.0/77");
    outcome_t outcome = {
        .stage = FETCH_ANSWERED,
        .status = 200,
        .body = bytes_of_str (
            "{\"id\":\"77\",\"file_size\":\"80199\",\"url\":\"https://lookaside.example.test/?mid=77&hash=x\"}")};
    assert_string_equal (provider_meta.media_located (t, &outcome),
                         "https://lookaside.example.test/?mid=77&hash=x");
    outcome.status = 404;
    assert_null (provider_meta.media_located (t, &outcome));
    static const struct {
        const char *url;
        int code;
        bool guarded;
    } rows[] = {
        {"https://lookaside.example.test/?mid=77", 0, true},
        {"https://graph.example.test/x", 0, false},
        {"HTTPS://GRAPH.example.test?x", 0, false},
        {"https://graph.example.test.evil.test/x", 0, true},
        {"http://lookaside.example.test/", E_BAD_REQUEST, false},
        {"file:///etc/passwd", E_BAD_REQUEST, false},
        {"http://graph.example.test/x", E_BAD_REQUEST, false},
        {"", E_BAD_REQUEST, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        out = (outbound_t){0};
        assert_int_equal (provider_meta.media_fetch (t, meta_account (), rows[i].url, &out),
                          rows[i].code);
        assert_int_equal (out.request.guarded, rows[i].guarded);
        if (rows[i].code == 0)
            assert_header (&out.request, "Authorization: Bearer EAAG-token");
    }
    meta_turn_end (t);
}

/* ---- templates ---- */

static int keep_template (turn_t *t, bytes_t json, void *context)
{
    buf_t *all = context;
    (void) t;
    buf_add (all, json.data, json.size);
    buf_add_byte (all, '\n');
    return 0;
}

static void test_templates (void **state)
{
    (void) state;
    turn_t *t = meta_turn ();
    outbound_t out = {0};
    assert_int_equal (provider_meta.templates_list (t, meta_account (), NULL, &out), 0);
    assert_non_null (strstr (
        out.request.url,
        "https://graph.example.test/v23.0/102290129340398/message_templates?limit=100&fields=id,name,"));
    assert_int_equal (provider_meta.templates_list (t, meta_account (), "Q V/=", &out), 0);
    assert_non_null (strstr (out.request.url, "&after=Q%20V%2F%3D"));

    static const char page[] =
        "{\"data\":[{\"id\":\"594425479261596\",\"name\":\"order_update\",\"language\":\"en_US\",\"status\":\"APPROVED\",\"later\":{\"x\":[1]}},7,"
        "{\"id\":\"2\"}],\"paging\":{\"cursors\":{\"before\":\"a\",\"after\":\"QVFI\"}%s}}";
    for (int last = 0; last < 2; last++) {
        buf_t all = buf_in (t->arena);
        const char *after = "?";
        char body[512];
        snprintf (body, sizeof body, page,
                  last ? "" : ",\"next\":\"https://graph.example.test/x\"");
        outcome_t outcome = {.stage = FETCH_ANSWERED, .status = 200, .body = bytes_of_str (body)};
        assert_int_equal (provider_meta.templates_read (t, &outcome, keep_template, &all, &after),
                          0);
        meta_same_text ("after", after, last ? NULL : "QVFI");
        assert_string_equal (
            buf_text (&all),
            "{\"id\":\"594425479261596\",\"name\":\"order_update\",\"language\":\"en_US\",\"status\":\"APPROVED\",\"later\":{\"x\":[1]}}\n{\"id\":\"2\"}\n");
    }
    static const struct {
        outcome_t outcome;
        const char *body;
        int code;
    } bad[] = {
        {{.stage = FETCH_ANSWERED, .status = 401},
         "{\"error\":{\"code\":190,\"message\":\"Expired\"}}",
         E_CARRIER_CREDENTIALS},
        {{.stage = FETCH_ANSWERED, .status = 429},
         "{\"error\":{\"code\":80008}}",
         E_WHATSAPP_RATE_LIMITED},
        {{.stage = FETCH_ANSWERED, .status = 200}, "{\"data\":[", E_META_API_UNAVAILABLE},
        {{.stage = FETCH_ANSWERED, .status = 200}, "{}", E_META_API_ERROR},
        {{.stage = FETCH_NOT_SENT}, "", E_META_API_UNAVAILABLE},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        outcome_t outcome = bad[i].outcome;
        const char *after = "?";
        outcome.body = bytes_of_str (bad[i].body);
        assert_int_equal (provider_meta.templates_read (t, &outcome, keep_template, NULL, &after),
                          bad[i].code);
        assert_null (after);
    }
    meta_turn_end (t);
}

int meta_outward_tests (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_sends),
        cmocka_unit_test (test_sends_that_lack),
        cmocka_unit_test (test_other_recipients),
        cmocka_unit_test (test_mark_read),
        cmocka_unit_test (test_upload),
        cmocka_unit_test (test_uploaded),
        cmocka_unit_test (test_download),
        cmocka_unit_test (test_templates),
    };
    return cmocka_run_group_tests_name ("meta outward", tests, NULL, NULL);
}
