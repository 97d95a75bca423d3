/* messaging_world.c - see messaging_world.h. */
#include "messaging_world.h"
#include "base/text.h"
#include "blob/blob.h"
#include "dialect/dialect.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

const id16_t world_org = {{1}};
const id16_t world_app = {{2}};
const id16_t world_number = {{3}};
const id16_t world_whatsapp_number = {{4}};
const id16_t world_live_app = {{12}};
const id16_t world_live_number = {{13}};
const id16_t world_live_whatsapp_number = {{14}};
const id16_t world_meta = {{21}};
const id16_t world_telnyx = {{22}};

static bool is_live (id16_t app)
{
    return id_equal (app, world_live_app);
}

int world_assign (optest_t *test, id16_t id, id16_t app, id16_t number, const char *e164,
                  int32_t channel, uint64_t version, bool deleted)
{
    bool whatsapp = channel == ACCOUNTS_CHANNEL_WHATSAPP;
    accounts_assignment_changed_t body = {.id = id,
                                          .org = world_org,
                                          .app = app,
                                          .number_id = number,
                                          .number = e164,
                                          .channel = channel,
                                          .carrier = ACCOUNTS_CARRIER_LOOPBACK,
                                          .test = true,
                                          .deleted = deleted};
    if (is_live (app)) {
        body.test = false;
        body.carrier = whatsapp ? ACCOUNTS_CARRIER_META : ACCOUNTS_CARRIER_TELNYX;
        body.account = whatsapp ? world_meta : world_telnyx;
        body.ref = whatsapp ? "106540352242922" : NULL;
    }
    event_about_t about = {
        .record = id, .version = version, .org = world_org, .app = app, .test = body.test};
    return optest_follow (test, &accounts_assignment_changed_event, &about, &body, NULL);
}

int world_number_tell (optest_t *test, id16_t number, int32_t status, uint64_t version,
                       bool deleted)
{
    bool live = id_equal (number, world_live_whatsapp_number);
    accounts_number_changed_t body = {.id = number,
                                      .org = world_org,
                                      .number = live ? WORLD_LIVE_WHATSAPP : WORLD_WHATSAPP,
                                      .channel = ACCOUNTS_CHANNEL_WHATSAPP,
                                      .carrier =
                                          live ? ACCOUNTS_CARRIER_META : ACCOUNTS_CARRIER_LOOPBACK,
                                      .test = !live,
                                      .account = live ? world_meta : id_nil (),
                                      .ref = live ? WORLD_LIVE_REF : WORLD_REF,
                                      .waba = "1",
                                      .name = "Shop",
                                      .status = status,
                                      .deleted = deleted};
    event_about_t about = {.record = number, .version = version, .org = world_org};
    return optest_follow (test, &accounts_number_changed_event, &about, &body, NULL);
}

static int app_add (optest_t *test, id16_t id)
{
    accounts_app_changed_t body = {.id = id,
                                   .org = world_org,
                                   .name = "Desk",
                                   .test = !is_live (id),
                                   .status = ACCOUNTS_APP_STATUS_ACTIVE};
    event_about_t about = {
        .record = id, .version = 1, .org = world_org, .app = id, .test = body.test};
    return optest_follow (test, &accounts_app_changed_event, &about, &body, NULL);
}

static int account_add (optest_t *test, id16_t id, int32_t carrier)
{
    accounts_carrier_secrets_t secrets = {
        .token = "token", .app_secret = "secret", .verify_token = "verify"};
    buf_t clear = buf_in (optest_arena (test)), sealed = buf_in (optest_arena (test));
    schema_pack (&accounts_carrier_secrets_type, &secrets, &clear);
    keyring_seal (optest_keyring (test), id, "carrier account", buf_bytes (&clear), &sealed);
    accounts_carrier_changed_t body = {.id = id,
                                       .org = world_org,
                                       .carrier = carrier,
                                       .name = "main",
                                       .base_url = "https://carrier.example/v1",
                                       .waba = "1",
                                       .sealed = buf_bytes (&sealed)};
    event_about_t about = {.record = id, .version = 1, .org = world_org};
    return optest_follow (test, &accounts_carrier_changed_event, &about, &body, NULL);
}

int world_setup (void **state)
{
    return world_setup_with (state, NULL);
}

int world_setup_with (void **state, const char *const *more)
{
    const char *flags[11] = {"--loopback-delay=0", "--send-jitter=0"};
    for (size_t i = 0; more && more[i] && i < 8; i++)
        flags[i + 2] = more[i];
    optest_t *test = optest_new_with (&messaging_tables, flags);
    assert_non_null (test);
    assert_int_equal (app_add (test, world_app), 0);
    assert_int_equal (app_add (test, world_live_app), 0);
    assert_int_equal (account_add (test, world_meta, ACCOUNTS_CARRIER_META), 0);
    assert_int_equal (account_add (test, world_telnyx, ACCOUNTS_CARRIER_TELNYX), 0);
    assert_int_equal (world_assign (test, (id16_t){{5}}, world_app, world_number, WORLD_SMS,
                                    ACCOUNTS_CHANNEL_SMS, 1, false),
                      0);
    assert_int_equal (world_assign (test, (id16_t){{6}}, world_app, world_whatsapp_number,
                                    WORLD_WHATSAPP, ACCOUNTS_CHANNEL_WHATSAPP, 1, false),
                      0);
    assert_int_equal (world_assign (test, (id16_t){{15}}, world_live_app, world_live_number,
                                    WORLD_LIVE_SMS, ACCOUNTS_CHANNEL_SMS, 1, false),
                      0);
    assert_int_equal (world_assign (test, (id16_t){{16}}, world_live_app,
                                    world_live_whatsapp_number, WORLD_LIVE_WHATSAPP,
                                    ACCOUNTS_CHANNEL_WHATSAPP, 1, false),
                      0);
    assert_int_equal (
        world_number_tell (test, world_whatsapp_number, ACCOUNTS_NUMBER_STATUS_CONNECTED, 1, false),
        0);
    assert_int_equal (world_number_tell (test, world_live_whatsapp_number,
                                         ACCOUNTS_NUMBER_STATUS_CONNECTED, 1, false),
                      0);
    *state = test;
    return 0;
}

int world_teardown (void **state)
{
    optest_t *test = *state;
    optest_destroy (&test);
    return 0;
}

envelope_t world_caller (void)
{
    return (envelope_t){.org = world_org,
                        .app = world_app,
                        .test = true,
                        .principal = PRINCIPAL_APP_KEY,
                        .request_id = "req_1"};
}

envelope_t world_live_caller (void)
{
    return (envelope_t){.org = world_org,
                        .app = world_live_app,
                        .principal = PRINCIPAL_APP_KEY,
                        .request_id = "req_2"};
}

envelope_t world_org_caller (void)
{
    return (envelope_t){.org = world_org, .principal = PRINCIPAL_ORG_KEY, .request_id = "req_3"};
}

int world_sms (optest_t *test, const char *to, const char *text, messaging_sms_send_out_t *out,
               failure_t *failure)
{
    const char *list[] = {to};
    messaging_sms_send_in_t in = {.from = WORLD_SMS, .to = {list, 1}, .text = text};
    envelope_t header = world_caller ();
    return optest_ask (test, "sms_send", &header, &in, out, failure);
}

int world_whatsapp (optest_t *test, envelope_t header, messaging_whatsapp_send_in_t *in,
                    messaging_whatsapp_send_out_t *out, failure_t *failure)
{
    if (!in->from)
        in->from = header.test ? WORLD_WHATSAPP : WORLD_LIVE_WHATSAPP;
    if (!in->to)
        in->to = WORLD_PERSON;
    return optest_ask (test, "whatsapp_send", &header, in, out, failure);
}

static int file_insert (turn_t *t, void *context)
{
    messaging_media_t *row = context;
    row->id = turn_id (t);
    row->created_at = t->now;
    row->expires_at = t->now + 24 * 3600 * 1000;
    return store_insert (t->txn, &messaging_media_record, row, NULL);
}

id16_t world_file (optest_t *test, id16_t app, int32_t kind)
{
    static const char *const types[] = {[MESSAGING_KIND_IMAGE] = "image/jpeg",
                                        [MESSAGING_KIND_VIDEO] = "video/mp4",
                                        [MESSAGING_KIND_AUDIO] = "audio/ogg",
                                        [MESSAGING_KIND_DOCUMENT] = "application/pdf",
                                        [MESSAGING_KIND_STICKER] = "image/webp"};
    messaging_media_t row = {.org = world_org,
                             .app = app,
                             .kind = kind,
                             .test = !is_live (app),
                             .mime_type = types[kind],
                             .size = 1000,
                             .sha256 = "00",
                             .filename = "plan.pdf"};
    blobs_t *folder = ((messaging_context_t *) svc_context (optest_svc (test)))->media;
    blob_writer_t *writer = NULL;
    blob_seen_t seen;
    uint8_t sha256[BLOB_SHA256_SIZE];
    assert_int_equal (optest_run (test, file_insert, &row), 0);
    assert_int_equal (blob_writer_new (folder, 1000, &writer, NULL), 0);
    assert_int_equal (blob_writer_add (writer, bytes_of_str ("a file"), NULL), 0);
    assert_int_equal (blob_writer_end (writer, &seen, sha256, NULL), 0);
    assert_int_equal (blob_writer_finish (&writer, row.id, NULL), 0);
    return row.id;
}

typedef struct inbound {
    int32_t carrier;
    const provider_event_t *event;
} inbound_t;

static int inbound_run (turn_t *t, void *context)
{
    const inbound_t *self = context;
    inbound_call_t call = {.id = turn_id (t), .body = bytes_of_str ("{}")};
    return inbound_take (t, self->carrier, self->event, &call);
}

void world_inbound (optest_t *test, int32_t carrier, const provider_event_t *event)
{
    inbound_t inbound = {carrier, event};
    assert_int_equal (optest_run (test, inbound_run, &inbound), 0);
}

provider_event_t world_hi (const char *provider_id, bool live)
{
    return (provider_event_t){.news = NEWS_INBOUND,
                              .provider_id = provider_id,
                              .at = INT64_MAX / 2,
                              .whatsapp = true,
                              .org = world_org,
                              .number = live ? world_live_whatsapp_number : world_whatsapp_number,
                              .from = WORLD_PERSON,
                              .to = live ? WORLD_LIVE_WHATSAPP : WORLD_WHATSAPP,
                              .kind = MESSAGING_KIND_TEXT,
                              .text = "Hi"};
}

const char *world_meta_signature (optest_t *test, const char *body)
{
    uint8_t mac[SIGN_SHA256_SIZE];
    char hex[2 * SIGN_SHA256_SIZE + 1];
    sign_hmac_sha256 (bytes_of_str ("secret"), bytes_of_str (body), mac);
    text_write_hex (mac, sizeof mac, hex);
    return arena_printf (optest_arena (test), "sha256=%s", hex);
}

bool world_carrier_answers (optest_t *test)
{
    outward_t *outward = optest_job (test);
    if (!outward)
        return false;
    assert_int_equal (outward->out.how, OUT_WAIT);
    outcome_t outcome = {.stage = FETCH_ANSWERED, .body = outward->out.body};
    assert_int_equal (optest_job_done (test, outward, &outcome), 0);
    return true;
}

void world_run_out (optest_t *test)
{
    for (int i = 0; i < 20; i++) {
        world_carrier_answers (test);
        assert_int_equal (optest_advance (test, 1000), 0);
    }
}

static int outbound_count (void *context, const void *row)
{
    const messaging_message_t *message = row;
    *(size_t *) context += message->direction == MESSAGING_DIRECTION_OUTBOUND &&
                           id_is_nil (message->conversation); /* of the others an event tells */
    return 0;
}

static int outbound_find (turn_t *t, void *context)
{
    store_page_t page = {.limit = 1000};
    return store_list (t->txn, &messaging_message_record, &page, t->arena, outbound_count, context,
                       NULL);
}

const char *world_story (optest_t *test)
{
    const common_event_t *events = NULL;
    size_t count = optest_events (test, 0, &events);
    buf_t out = buf_in (optest_arena (test));
    size_t accepted = 0;
    assert_int_equal (optest_run (test, outbound_find, &accepted), 0);
    while (accepted--)
        buf_add_str (&out, "accepted ");
    for (size_t i = 0; i < count; i++) {
        messaging_message_status_t body = {0};
        if (events[i].number == messaging_message_accepted_event.number)
            buf_add_str (&out, "accepted ");
        else if (events[i].number == messaging_message_received_event.number)
            buf_add_str (&out, "received ");
        else if (optest_event_body (test, &events[i], &messaging_message_status_event, &body) == 0)
            buf_printf (&out, "%s ", schema_enum_word (&messaging_status_enum, body.status));
    }
    return buf_text (&out);
}

bool world_last (optest_t *test, const schema_event_t *type, void *out)
{
    const common_event_t *events = NULL;
    size_t count = optest_events (test, 0, &events);
    while (count > 0)
        if (events[--count].number == type->number)
            return optest_event_body (test, &events[count], type, out) == 0;
    return false;
}

const char *world_shown (optest_t *test, const messaging_content_t *message)
{
    buf_t out = buf_in (optest_arena (test));
    const schema_dialect_t *schema = dialect_chirp.schema;
    for (size_t i = 0; i < schema->event_count; i++)
        if (strcmp (schema->events[i].name, "messages.whatsapp.received") == 0) {
            schema_ctx_t ctx = dialect_ctx (&dialect_chirp, message->test);
            schema_json_write (schema->events[i].view, &ctx, message, &out);
        }
    return buf_text (&out);
}
