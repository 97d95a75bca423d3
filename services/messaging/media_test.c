/* media_test.c - media on a temporary store and folder: who may have a file, how long, its way to carriers and from them, sizes of MMS attachments. */
#include "media.h"

#include "gen/accounts.h"
#include "svc/optest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static const id16_t org = {{1}}, app = {{2}}, other_app = {{3}}, number = {{4}}, account = {{7}};
static const char pdf[] = "%PDF-1.4\nhello\n%%EOF\n";

/* ---- the house ---- */

static void app_follow (optest_t *test, id16_t id)
{
    accounts_app_changed_t body = {
        .id = id, .org = org, .name = "Desk", .status = ACCOUNTS_APP_STATUS_ACTIVE};
    event_about_t about = {.record = id, .version = 1, .org = org, .app = id};
    assert_int_equal (optest_follow (test, &accounts_app_changed_event, &about, &body, NULL), 0);
}

static int account_store (turn_t *t, void *context)
{
    (void) context;
    accounts_carrier_secrets_t secrets = {.token = "T0KEN"};
    buf_t clear = buf_in (t->arena), sealed = buf_in (t->arena);
    schema_pack (&accounts_carrier_secrets_type, &secrets, &clear);
    keyring_seal (t->keyring, account, "carrier account", buf_bytes (&clear), &sealed);
    messaging_carrier_account_t row = {.id = account,
                                       .org = org,
                                       .carrier = ACCOUNTS_CARRIER_META,
                                       .base_url = "https://graph.example/v23.0",
                                       .sealed = buf_bytes (&sealed),
                                       .version = 1};
    return store_put (t->txn, &messaging_carrier_account_record, &row, NULL);
}

static int setup (void **state)
{
    static const char *const flags[] = {"--public-url=https://a.example/", "--media-retention=2d",
                                        NULL};
    optest_t *test = optest_new_with (&messaging_tables, flags);
    assert_non_null (test);
    app_follow (test, app);
    app_follow (test, other_app);
    accounts_assignment_changed_t body = {.id = {{5}},
                                          .org = org,
                                          .app = app,
                                          .number_id = number,
                                          .number = "+15550001111",
                                          .channel = ACCOUNTS_CHANNEL_WHATSAPP,
                                          .carrier = ACCOUNTS_CARRIER_META,
                                          .account = account,
                                          .ref = "111"};
    event_about_t about = {.record = body.id, .version = 1, .org = org, .app = app};
    assert_int_equal (optest_follow (test, &accounts_assignment_changed_event, &about, &body, NULL),
                      0);
    assert_int_equal (optest_run (test, account_store, NULL), 0);
    *state = test;
    return 0;
}

static int teardown (void **state)
{
    optest_t *test = *state;
    optest_destroy (&test);
    return 0;
}

static blobs_t *folder (optest_t *test)
{
    return ((messaging_context_t *) svc_context (optest_svc (test)))->media;
}

static envelope_t caller (id16_t who)
{
    return (envelope_t){
        .org = org, .app = who, .principal = PRINCIPAL_APP_KEY, .request_id = "req_1"};
}

static int id_make (turn_t *t, void *context)
{
    *(id16_t *) context = turn_id (t);
    return 0;
}

static id16_t new_id (optest_t *test)
{
    id16_t id;
    assert_int_equal (optest_run (test, id_make, &id), 0);
    return id;
}

static void blob_make (optest_t *test, id16_t id, fetch_file_t *out)
{
    blob_writer_t *writer = NULL;
    failure_t failure = {0};
    *out = (fetch_file_t){.blob = id, .size = sizeof pdf - 1};
    assert_int_equal (blob_writer_new (folder (test), 1 << 20, &writer, &failure), 0);
    assert_int_equal (blob_writer_add (writer, bytes_of_str (pdf), &failure), 0);
    assert_int_equal (blob_writer_end (writer, &out->seen, out->sha256, &failure), 0);
    assert_int_equal (blob_writer_finish (&writer, id, &failure), 0);
}

static bool blob_is_there (optest_t *test, id16_t id)
{
    blob_reader_t *reader = NULL;
    bool there = blob_reader_new (folder (test), id, &reader, NULL) == 0;
    blob_reader_destroy (&reader);
    return there;
}

static const char *const sha = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

static messaging_media_adopt_in_t adopt_in (id16_t id)
{
    return (messaging_media_adopt_in_t){.id = id,
                                        .kind = MESSAGING_KIND_DOCUMENT,
                                        .filename = "a.pdf",
                                        .mime_type = "application/pdf",
                                        .size = sizeof pdf - 1,
                                        .sha256 = sha};
}

static id16_t adopted (optest_t *test)
{
    fetch_file_t file;
    id16_t id = new_id (test);
    blob_make (test, id, &file);
    envelope_t header = caller (app);
    messaging_media_adopt_in_t in = adopt_in (id);
    messaging_media_info_t out = {0};
    assert_int_equal (optest_ask (test, "media_adopt", &header, &in, &out, NULL), 0);
    assert_true (id_equal (out.id, id));
    return id;
}

static int get (optest_t *test, id16_t who, id16_t id, messaging_media_info_t *out)
{
    envelope_t header = caller (who);
    messaging_media_get_in_t in = {.id = id};
    messaging_media_info_t unused;
    return optest_ask (test, "media_get", &header, &in, out ? out : &unused, NULL);
}

static int open_link (optest_t *test, id16_t holder, id16_t id)
{
    envelope_t header = {.principal = PRINCIPAL_NONE};
    messaging_media_open_in_t in = {.org = org, .holder = holder, .id = id};
    messaging_media_open_out_t out = {0};
    return optest_ask (test, "media_open", &header, &in, &out, NULL);
}

/* ---- operations ---- */

static void test_file_is_its_apps_alone (void **state)
{
    optest_t *test = *state;
    id16_t id = adopted (test);
    messaging_media_info_t out = {0};
    assert_int_equal (get (test, app, id, &out), 0);
    assert_int_equal (out.kind, MESSAGING_KIND_DOCUMENT);
    assert_string_equal (out.filename, "a.pdf");
    assert_int_equal (out.expires_at - out.created_at, INT64_C (2) * 24 * 60 * 60 * 1000);
    assert_memory_equal (out.url, "https://a.example/media/", 24);
    assert_non_null (strstr (out.url, ".pdf?expires="));
    assert_int_equal (get (test, other_app, id, NULL), E_NOT_FOUND);
    assert_int_equal (open_link (test, app, id), 0);
    assert_int_equal (open_link (test, other_app, id), E_NOT_FOUND);
    envelope_t header = caller (other_app);
    messaging_media_delete_in_t in = {.id = id};
    messaging_media_delete_out_t gone = {0};
    assert_int_equal (optest_ask (test, "media_delete", &header, &in, &gone, NULL), E_NOT_FOUND);
    assert_int_equal (get (test, app, id, NULL), 0);
}

static void test_deleted_is_gone_at_once_and_its_bytes_soon (void **state)
{
    optest_t *test = *state;
    id16_t id = adopted (test);
    envelope_t header = caller (app);
    messaging_media_delete_in_t in = {.id = id};
    messaging_media_delete_out_t out = {0};
    assert_int_equal (optest_ask (test, "media_delete", &header, &in, &out, NULL), 0);
    assert_int_equal (get (test, app, id, NULL), E_NOT_FOUND);
    assert_int_equal (open_link (test, app, id), E_NOT_FOUND);
    optest_advance (test, 2000);
    assert_false (blob_is_there (test, id));
    header = caller (app);
    assert_int_equal (optest_ask (test, "media_delete", &header, &in, &out, NULL), E_NOT_FOUND);
}

static void test_retention_ends_files (void **state)
{
    enum { MANY = 40, DAY = 24 * 60 * 60 * 1000 };
    optest_t *test = *state;
    id16_t ids[MANY];
    for (size_t i = 0; i < MANY; i++)
        ids[i] = adopted (test);
    optest_advance (test, DAY);
    id16_t later = adopted (test);
    assert_int_equal (get (test, app, ids[0], NULL), 0);
    optest_advance (test, DAY);
    assert_int_equal (get (test, app, ids[0], NULL), E_NOT_FOUND);
    for (size_t i = 0; i < 8; i++)
        optest_advance (test, 1000);
    for (size_t i = 0; i < MANY; i++)
        assert_false (blob_is_there (test, ids[i]));
    assert_true (blob_is_there (test, later));
}

static void test_bad_adoptions_are_refused (void **state)
{
    optest_t *test = *state;
    messaging_media_info_t out = {0};
    messaging_media_adopt_in_t rows[6];
    for (size_t i = 0; i < 6; i++)
        rows[i] = adopt_in (new_id (test));
    rows[0].id = id_nil ();
    rows[1].kind = MESSAGING_KIND_TEXT;
    rows[2].kind = 0;
    rows[3].sha256 = "abc";
    rows[4].mime_type = NULL;
    rows[5].size = 0;
    for (size_t i = 0; i < 6; i++) {
        envelope_t header = caller (app);
        assert_int_equal (optest_ask (test, "media_adopt", &header, &rows[i], &out, NULL),
                          E_BAD_REQUEST);
    }
    messaging_media_adopt_in_t again = adopt_in (adopted (test));
    envelope_t header = caller (app);
    assert_int_equal (optest_ask (test, "media_adopt", &header, &again, &out, NULL),
                      E_ALREADY_EXISTS);
}

static void test_sweep_adopts_what_is_wanted (void **state)
{
    optest_t *test = *state;
    fetch_file_t file;
    id16_t wanted = adopted (test), unwanted = new_id (test);
    char path[1024];
    blob_make (test, unwanted, &file);
    assert_int_equal (blob_path (folder (test), wanted, path, sizeof path, NULL), 0);
    assert_non_null (strstr (path, "/media/pending/"));
    optest_advance (test, 130 * 1000);
    assert_int_equal (blob_path (folder (test), wanted, path, sizeof path, NULL), 0);
    assert_non_null (strstr (path, "/media/kept/"));
    assert_true (blob_is_there (test, unwanted)); /* its ask may be on its way */
    optest_advance (test, 2 * 60 * 60 * 1000);
    assert_false (blob_is_there (test, unwanted));
    assert_true (blob_is_there (test, wanted));
}

/* ---- sends ---- */

typedef struct finding {
    id16_t app, id;
    int32_t kind;
    messaging_media_content_t out;
} finding_t;

static int find (turn_t *t, void *context)
{
    finding_t *f = context;
    envelope_t *ask = arena_new_of (t->arena, envelope_t);
    *ask = caller (f->app);
    t->ask = ask;
    return media_find (t, f->app, f->id, f->kind, &f->out);
}

static void test_find_checks_app_and_kind (void **state)
{
    optest_t *test = *state;
    id16_t id = adopted (test);
    const struct {
        id16_t app, id;
        int32_t kind;
        int code;
    } rows[] = {{app, id, MESSAGING_KIND_DOCUMENT, 0},
                {app, id, MESSAGING_KIND_IMAGE, E_BAD_REQUEST},
                {app, id, MESSAGING_KIND_TEXT, E_BAD_REQUEST},
                {other_app, id, MESSAGING_KIND_DOCUMENT, E_NOT_FOUND},
                {app, {{9}}, MESSAGING_KIND_DOCUMENT, E_NOT_FOUND}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        finding_t f = {.app = rows[i].app, .id = rows[i].id, .kind = rows[i].kind};
        assert_int_equal (optest_run (test, find, &f), rows[i].code);
    }
}

typedef struct uploading {
    id16_t id;
    const char *ref;
    bool needed;
    char provider_id[64];
    outbound_t out;
    outcome_t outcome;
    provider_result_t result;
    const char *gives; /* by the carrier */
} uploading_t;

static int fake_upload (turn_t *t, const provider_account_t *at, const char *ref, const char *path,
                        uint64_t size, const char *mime_type, const char *filename, outbound_t *out)
{
    (void) t, (void) at, (void) ref;
    FILE *file = fopen (path, "rb");
    assert_non_null (file);
    fclose (file);
    assert_int_equal (size, sizeof pdf - 1);
    assert_string_equal (mime_type, "application/pdf");
    assert_string_equal (filename, "a.pdf");
    out->how = OUT_HTTP;
    return 0;
}

static const char *fake_uploaded (turn_t *t, const outcome_t *outcome, provider_result_t *result)
{
    bool good = outcome->status == 200;
    result->word = good ? PROVIDER_ACCEPTED : PROVIDER_UNKNOWN;
    return good ? arena_strndup (t->arena, (const char *) outcome->body.data, outcome->body.size)
                : NULL;
}

static const provider_t fake = {
    .name = "fake", .media_upload = fake_upload, .media_uploaded = fake_uploaded};

static int needed (turn_t *t, void *context)
{
    uploading_t *u = context;
    const char *provider_id = NULL;
    int code = media_upload_needed (t, account, u->ref, u->id, &u->needed, &provider_id);
    snprintf (u->provider_id, sizeof u->provider_id, "%s", provider_id ? provider_id : "");
    return code;
}

static int begin (turn_t *t, void *context)
{
    uploading_t *u = context;
    provider_account_t at = {.id = account};
    u->out = (outbound_t){0};
    return media_upload_begin (t, &fake, &at, u->ref, u->id, &u->out);
}

static int done (turn_t *t, void *context)
{
    uploading_t *u = context;
    return media_upload_done (t, &fake, account, u->ref, u->id, &u->outcome, &u->result);
}

static void test_upload_happens_once_for_a_number (void **state)
{
    static const outcome_t waited = {.stage = FETCH_ANSWERED};
    optest_t *test = *state;
    uploading_t a = {.id = adopted (test), .ref = "111"}, b = a, other = a;
    other.ref = "222";
    assert_int_equal (optest_run (test, needed, &a), 0);
    assert_true (a.needed);
    assert_int_equal (optest_run (test, begin, &a), 0);
    assert_int_equal (a.out.how, OUT_HTTP);
    assert_int_equal (optest_run (test, begin, &b), 0); /* waits for the first */
    assert_int_equal (b.out.how, OUT_WAIT);
    b.outcome = waited;
    assert_int_equal (optest_run (test, done, &b), 0);
    assert_int_equal (b.result.word, PROVIDER_RETRY);
    a.outcome =
        (outcome_t){.stage = FETCH_ANSWERED, .status = 200, .body = bytes_of_str ("meta-1")};
    assert_int_equal (optest_run (test, done, &a), 0);
    assert_int_equal (a.result.word, PROVIDER_ACCEPTED);
    assert_int_equal (optest_run (test, done, &b), 0);
    assert_int_equal (b.result.word, PROVIDER_ACCEPTED);
    assert_int_equal (optest_run (test, needed, &b), 0);
    assert_false (b.needed);
    assert_string_equal (b.provider_id, "meta-1");
    assert_int_equal (optest_run (test, needed, &other), 0);
    assert_true (other.needed);
    uploading_t nothing = {.id = {{9}}, .ref = "111"};
    assert_int_equal (optest_run (test, needed, &nothing), E_NOT_FOUND);
}

static void test_failed_upload_is_tried_again (void **state)
{
    optest_t *test = *state;
    uploading_t a = {.id = adopted (test), .ref = "111"};
    for (int i = 0; i < 3; i++) {
        assert_int_equal (optest_run (test, begin, &a), 0);
        assert_int_equal (a.out.how, OUT_HTTP);
        a.outcome = (outcome_t){.stage = FETCH_SENT, .code = E_REPLICA_LOST};
        assert_int_equal (optest_run (test, done, &a), 0);
        assert_int_equal (a.result.word, PROVIDER_RETRY);
    }
    assert_int_equal (optest_run (test, begin, &a), 0);
    optest_advance (test, 7 * 60 * 1000); /* whoever began it is gone */
    assert_int_equal (optest_run (test, begin, &a), 0);
    assert_int_equal (a.out.how, OUT_HTTP);
}

/* ---- inbound ---- */

typedef struct arriving {
    messaging_message_t message;
    bool later;
} arriving_t;

static int arrive (turn_t *t, void *context)
{
    arriving_t *a = context;
    static const char *to[] = {"+15550001111"};
    messaging_media_content_t media = {
        .provider_id = "998", .mime_type = "application/pdf", .filename = "x.pdf"};
    messaging_body_t body = {.media = &media};
    a->message = (messaging_message_t){.id = turn_id (t),
                                       .org = org,
                                       .number = number,
                                       .account = account,
                                       .carrier = ACCOUNTS_CARRIER_META,
                                       .channel = ACCOUNTS_CHANNEL_WHATSAPP,
                                       .direction = MESSAGING_DIRECTION_INBOUND,
                                       .kind = MESSAGING_KIND_DOCUMENT,
                                       .from = "+15557770000",
                                       .to = {to, 1},
                                       .provider_id = "wamid.1",
                                       .body = &body,
                                       .received_at = t->now};
    int code = store_insert (t->txn, &messaging_message_record, &a->message, NULL);
    return code ? code : media_inbound (t, &a->message, &a->later);
}

static size_t received (optest_t *test, messaging_message_received_t *out)
{
    const common_event_t *events = NULL;
    size_t count = optest_events (test, 0, &events), found = 0;
    for (size_t i = 0; i < count; i++)
        if (events[i].number == messaging_message_received_event.number) {
            found++;
            assert_int_equal (
                optest_event_body (test, &events[i], &messaging_message_received_event, out), 0);
        }
    return found;
}

static void test_inbound_file_comes_before_its_event (void **state)
{
    optest_t *test = *state;
    arriving_t a = {0};
    messaging_message_received_t event = {0};
    assert_int_equal (optest_run (test, arrive, &a), 0);
    assert_true (a.later);
    outward_t *job = optest_job (test);
    assert_non_null (job);
    assert_string_equal (job->out.request.url, "https://graph.example/v23.0/998");
    optest_job_answered (test, job, 200, "{\"url\":\"https://graph.example/file/998\"}");
    job = optest_job (test);
    assert_non_null (job);
    assert_string_equal (job->out.request.url, "https://graph.example/file/998");
    assert_ptr_equal (job->out.request.answer_blobs, folder (test));
    assert_int_equal (job->out.request.answer_limit, 100 << 20);
    assert_int_equal (received (test, &event), 0);
    fetch_file_t file;
    blob_make (test, job->out.request.answer_blob, &file);
    outcome_t outcome = {.stage = FETCH_ANSWERED, .status = 200, .file = &file};
    assert_int_equal (optest_job_done (test, job, &outcome), 0);
    assert_int_equal (received (test, &event), 1);
    assert_non_null (event.message->media);
    assert_true (id_equal (event.message->media->media, file.blob));
    assert_non_null (strstr (event.message->media->url, "https://a.example/media/"));
    assert_string_equal (event.message->media->mime_type, "application/pdf");
    assert_int_equal (event.message->media->size, sizeof pdf - 1);
    messaging_media_info_t info = {0};
    assert_int_equal (get (test, app, file.blob, &info), 0); /* who holds the number has the file */
    assert_string_equal (info.filename, "x.pdf");
    assert_int_equal (get (test, other_app, file.blob, NULL), E_NOT_FOUND);
    assert_int_equal (open_link (test, number, file.blob), 0);
    assert_null (optest_job (test));
}

static void test_inbound_file_that_does_not_come_is_told_without (void **state)
{
    optest_t *test = *state;
    arriving_t a = {0};
    messaging_message_received_t event = {0};
    assert_int_equal (optest_run (test, arrive, &a), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal (received (test, &event), 0);
        outward_t *job = optest_job (test);
        assert_non_null (job);
        optest_job_answered (test, job, i == 0 ? 500 : 404, "{}");
        optest_advance (test, 20000);
    }
    assert_int_equal (received (test, &event), 1);
    assert_true (!event.message->media || !event.message->media->url);
    assert_null (optest_job (test));
}

/* ---- MMS attachments ---- */

typedef struct checking {
    id16_t message;
    const char *urls[2];
    int64_t found;
} checking_t;

static int check_add (turn_t *t, void *context)
{
    checking_t *c = context;
    messaging_message_t message = {.id = turn_id (t),
                                   .org = org,
                                   .carrier = ACCOUNTS_CARRIER_TELNYX,
                                   .direction = MESSAGING_DIRECTION_OUTBOUND,
                                   .provider_id = "x",
                                   .media_urls = {c->urls, 2}};
    c->message = message.id;
    int code = store_insert (t->txn, &messaging_message_record, &message, NULL);
    for (int i = 0; i < 2 && code == 0; i++)
        code = mms_check_add (t, &message, number, i ? "b" : "a");
    return code;
}

static int check_look (turn_t *t, void *context)
{
    checking_t *c = context;
    messaging_message_t message = {0};
    int code = store_get_any (t->txn, &messaging_message_record, c->message, t->arena, &message);
    c->found = message.media_checked;
    return code;
}

/* One of two recipients' jobs looks, the other waits. */
static void check_run (optest_t *test, int64_t want, size_t fetches, int code)
{
    checking_t c = {.urls = {"https://x.example/1.jpg", "https://x.example/2.jpg"}};
    size_t seen = 0;
    assert_int_equal (optest_run (test, check_add, &c), 0);
    for (outward_t *job; (job = optest_job (test)) != NULL;) {
        outcome_t outcome = {.stage = FETCH_ANSWERED};
        if (job->out.how == OUT_HTTP) {
            assert_true (job->out.request.guarded);
            assert_int_equal (job->out.request.answer_limit, 5 << 20);
            assert_string_equal (job->out.request.url, c.urls[seen++]);
            outcome.status = code == E_MEDIA_TOO_LARGE || code == 0 ? 200 : 0;
            outcome.code = code;
        }
        assert_int_equal (optest_job_done (test, job, &outcome), 0);
    }
    assert_int_equal (optest_run (test, check_look, &c), 0);
    assert_int_equal (c.found, want);
    assert_int_equal (seen, fetches);
}

static void test_mms_attachments_are_weighed_once (void **state)
{
    check_run (*state, 1, 2, 0);
}

static void test_mms_attachment_too_large_is_noted (void **state)
{
    check_run (*state, -1, 1, E_MEDIA_TOO_LARGE);
}

static void test_mms_attachment_out_of_reach_is_the_carriers (void **state)
{
    check_run (*state, 1, 2, E_BLOCKED_TARGET);
}

#define ROW(name) cmocka_unit_test_setup_teardown (name, setup, teardown)

int main (void)
{
    const struct CMUnitTest tests[] = {
        ROW (test_file_is_its_apps_alone),
        ROW (test_deleted_is_gone_at_once_and_its_bytes_soon),
        ROW (test_retention_ends_files),
        ROW (test_bad_adoptions_are_refused),
        ROW (test_sweep_adopts_what_is_wanted),
        ROW (test_find_checks_app_and_kind),
        ROW (test_upload_happens_once_for_a_number),
        ROW (test_failed_upload_is_tried_again),
        ROW (test_inbound_file_comes_before_its_event),
        ROW (test_inbound_file_that_does_not_come_is_told_without),
        ROW (test_mms_attachments_are_weighed_once),
        ROW (test_mms_attachment_too_large_is_noted),
        ROW (test_mms_attachment_out_of_reach_is_the_carriers),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
