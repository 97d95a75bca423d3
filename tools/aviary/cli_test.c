/* cli_test.c - the parts of the commands that need no house: spellings, masking, the listener's requests, signatures, stories, taps, recordings, keys. */
#include "bus_keys.h"
#include "first.h"
#include "listener.h"
#include "spelling.h"
#include "story.h"
#include "tap_replay.h"
#include "tap_view.h"
#include "webhook.h"

#include "bus/curve.h"
#include "gen/accounts.h"
#include "gen/common.h"
#include "gen/messaging.h"
#include "sign/sign.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- ids and masks ---- */

static void every_spelling_is_read (void **state)
{
    (void) state;
    id_source_t ids = {0};
    id16_t id = id_next (&ids, 1790000000123), got;
    char ksuid[ID_KSUID_LENGTH + 1], crockford[ID_CROCKFORD_LENGTH + 1], uuid[ID_UUID_LENGTH + 1],
        text[80];
    id_write_ksuid (id, ksuid);
    id_write_crockford (id, crockford);
    id_write_uuid (id, uuid);
    const char *const bodies[] = {ksuid, crockford, uuid};
    for (size_t i = 0; i < 9; i++) {
        snprintf (text, sizeof text,
                  i / 3 == 0   ? "msg_sms_test_%s"
                  : i / 3 == 1 ? "msg_%s"
                               : "%s",
                  bodies[i % 3]);
        got = id_nil ();
        assert_true (spelling_read (text, &got));
        assert_true (id_equal (id, got));
    }
    const char *const bad[] = {
        "", "_", "msg_sms_", "msg_sms_zzz", "00000000-0000-0000-0000-000000000000x", "hello world"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false (spelling_read (bad[i], &got));
    spelling_write ("app", true, id, text);
    assert_true (!strncmp (text, "app_test_", 9) && !strcmp (text + 9, ksuid));
    spelling_write ("app", true, id_nil (), text);
    assert_string_equal (text, "");
    spelling_write (NULL, true, id, text);
    assert_string_equal (text, uuid);
}

static void phone_numbers_are_masked (void **state)
{
    (void) state;
    static const struct {
        const char *in, *want;
    } rows[] = {
        {"+14155550142", "+14*******42"},
        {"from +14155550142 to +4915112345678, 1+1", "from +14*******42 to +49*********78, 1+1"},
        {"+999", "+999"},
        {"trace 00-5f671bcfd5d0d6c65a5b0732294e36ca-01",
         "trace 00-5f671bcfd5d0d6c65a5b0732294e36ca-01"},
        {"+1234567890123456", "+1234567890123456"}, /* no number has 16 digits */
        {"", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        buf_t out = {0};
        spelling_mask (rows[i].in, &out);
        assert_string_equal (buf_text (&out), rows[i].want);
        buf_free (&out);
    }
}

/* ---- requests and signatures ---- */

static void requests_are_read (void **state)
{
    (void) state;
    static const struct {
        const char *in;
        long want; /* -2 = all of it */
    } rows[] = {
        {"", 0},
        {"POST /x HTTP/1.1\r\nContent-Le", 0},
        {"POST /x HTTP/1.1\r\nContent-Length: 3\r\n\r\nab", 0},
        {"POST /x HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", -2},
        {"GET / HTTP/1.0\r\n\r\n", -2},
        {"POST /x HTTP/1.1\r\nContent-Length: -3\r\n\r\nabc", -1},
        {"POST /x HTTP/1.1\r\nContent-Length: 3x\r\n\r\nabc", -1},
        {"POST /x HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", -1},
        {"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", -1},
        {"POST /x\r\n\r\n", -1},
        {"POST /x HTTP/2.0\r\n\r\n", -1},
        {"\r\n\r\n", -1},
        {" \r\n\r\n", -1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        hook_t hook;
        long want = rows[i].want == -2 ? (long) strlen (rows[i].in) : rows[i].want;
        assert_int_equal (hook_read (bytes_of_str (rows[i].in), &hook), want);
    }
    hook_t hook;
    char value[16];
    static const char two[] =
        "POST /a HTTP/1.1\r\nX-Long: 0123456789abcdefgh\r\nwebhook-ID:  evt \r\nContent-Length: 1\r\n\r\nxGET";
    assert_int_equal (hook_read (bytes_of_str (two), &hook), sizeof two - 4);
    assert_true (hook_header (&hook, "Webhook-Id", value, sizeof value));
    assert_string_equal (value, "evt");
    assert_false (hook_header (&hook, "X-Long", value, sizeof value));
    assert_false (hook_header (&hook, "webhook", value, sizeof value));
    assert_int_equal (hook.body.size, 1);
}

static int answer_204 (void *context, const hook_t *hook)
{
    *(size_t *) context += hook->body.size;
    return 204;
}

static void the_listener_serves_what_comes_in_pieces (void **state)
{
    (void) state;
    failure_t failure = {0};
    listener_t *listener = NULL;
    size_t bytes = 0;
    assert_int_equal (listener_open (&listener, &failure), 0);
    int fd = socket (AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl (INADDR_LOOPBACK),
                             .sin_port = htons (listener_port (listener))};
    assert_int_equal (connect (fd, (struct sockaddr *) &to, sizeof to), 0);
    static const char *const pieces[] = {"POST / HTTP/1.1\r\nContent-", "Length: 4\r\n\r\nab",
                                         "cdPOST / HTTP/1.1\r\nContent-Length: 1\r\n\r\nz"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal (write (fd, pieces[i], strlen (pieces[i])), strlen (pieces[i]));
        assert_true (listener_work (listener, i < 2 ? 50 : 2000, -1, answer_204, &bytes));
    }
    assert_int_equal (bytes, 5);
    char got[512] = {0};
    ssize_t n = recv (fd, got, sizeof got - 1, 0);
    assert_true (n > 0 && strstr (got, "HTTP/1.1 204"));
    assert_int_equal (write (fd, "nonsense\r\n\r\n", 12), 12);
    listener_work (listener, 200, -1, answer_204, &bytes);
    n = recv (fd, got, sizeof got - 1, 0);
    assert_true (n > 0 && strstr (got, "400"));
    close (fd);
    listener_close (&listener);
    listener_close (&listener);
}

static void signatures_are_checked (void **state)
{
    (void) state;
    static const char body[] =
        "{\"event\":\"messages.sms.sent\",\"data\":{\"message\":{\"id\":\"m\",\"from\":\"a\",\"to\":\"b\",\"text\":\"x\\u0007y\"}}}";
    char secret[64], other[64], request[2048], why[WEBHOOK_TEXT];
    int64_t now_s = 1790000000;
    sign_webhook_secret (secret);
    sign_webhook_secret (other);
    buf_t signature = {0};
    assert_int_equal (sign_webhook (secret, "evt_1", now_s, bytes_of_str (body), &signature), 0);
    snprintf (
        request, sizeof request,
        "POST / HTTP/1.1\r\nwebhook-id: evt_1\r\nwebhook-timestamp: %lld\r\nwebhook-signature: v1,AAAA %s\r\nContent-Length: %zu\r\n\r\n%s",
        (long long) now_s, buf_text (&signature), sizeof body - 1, body);
    buf_free (&signature);
    hook_t hook;
    assert_int_equal (hook_read (bytes_of_str (request), &hook), strlen (request));
    assert_true (webhook_check (&hook, secret, now_s * 1000, why));
    assert_true (webhook_check (&hook, secret, (now_s + 299) * 1000, why));
    assert_false (webhook_check (&hook, secret, (now_s + 301) * 1000, why));
    assert_false (webhook_check (&hook, other, now_s * 1000, why));
    assert_false (webhook_check (&hook, "no secret", now_s * 1000, why));
    webhook_told_t told;
    webhook_read (hook.body, &told);
    assert_string_equal (told.event, "messages.sms.sent");
    assert_string_equal (told.text, "x y");
    hook.body.size--;
    assert_false (webhook_check (&hook, secret, now_s * 1000, why));
    hook.headers.size = 0;
    assert_false (webhook_check (&hook, secret, now_s * 1000, why));
    assert_non_null (strstr (why, "missing"));
    webhook_read (bytes_of_str ("[1,{"), &told);
    assert_string_equal (told.event, "");
}

/* Times that nobody could have sent a webhook at fail the check and nothing else. */
static void webhook_times_far_away_are_refused (void **state)
{
    (void) state;
    static const char *const times[] = {"-9223372036854775808", "9223372036854775807", "-1", "0",
                                        "99999999999999999999", "1790000000x",         ""};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        char request[256], why[WEBHOOK_TEXT];
        hook_t hook;
        snprintf (request, sizeof request,
                  "POST / HTTP/1.1\r\nwebhook-id: e\r\nwebhook-timestamp: %s\r\nwebhook-signature: "
                  "v1,\r\n\r\n",
                  times[i]);
        assert_int_equal (hook_read (bytes_of_str (request), &hook), strlen (request));
        assert_false (webhook_check (&hook, "whsec_", 1790000000000, why));
        assert_non_null (strstr (why, "timestamp"));
    }
}

/* ---- stories ---- */

static void stories_are_in_order (void **state)
{
    (void) state;
    arena_t *arena = arena_new (4 << 20);
    story_t story;
    assert_true (story_begin (&story, id_nil (), arena));
    story_add (&story, arena, 300, "webhooks", "webhook", "to +14155550142", false);
    story_add (&story, arena, 100, "messaging", "accepted", "first", false);
    story_add (&story, arena, 300, "messaging", "sent", NULL, true);
    story_add (&story, arena, 100, "messaging", "attempt", "second", false);
    story_sort (&story);
    static const char *const want[] = {"accepted", "attempt", "webhook", "sent"};
    for (size_t i = 0; i < 4; i++)
        assert_string_equal (story.lines[i].what, want[i]);
    assert_string_equal (story.lines[2].detail, "to +14*******42");
    static const struct {
        int64_t ms;
        const char *want;
    } rows[] = {{0, "+0 ms"},
                {999, "+999 ms"},
                {1250, "+1.250 s"},
                {200000, "+3 min 20 s"},
                {7500000, "+2 h 5 min"},
                {97200000, "+1 d 3 h"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char ago[32];
        story_ago (rows[i].ms, ago);
        assert_string_equal (ago, rows[i].want);
    }
    arena_destroy (&arena);
}

/* ---- taps ---- */

static const char secret_text[] = "the text of a message";

static void send_fill (buf_t *body)
{
    const char *to[] = {"+13125550178"};
    messaging_sms_send_in_t in = {.from = "+14155550142", .to = {to, 1}, .text = secret_text};
    schema_pack (&messaging_sms_send_in_type, &in, body);
}

static tap_message_t message_of (const char *target, envelope_kind_t kind, const buf_t *body)
{
    id_source_t ids = {0};
    tap_message_t m = {.target = target,
                       .meta = {.time_ms = 1790000000123, .elapsed_ms = 3},
                       .body = buf_bytes (body)};
    m.envelope = (envelope_t){.kind = kind,
                              .target = target,
                              .sender = "edge",
                              .id = id_next (&ids, 1790000000000),
                              .subject = "+14155550142"};
    m.envelope.trace = "00-5f671bcfd5d0d6c65a5b0732294e36ca-ce1d1ddbde27cfa8-01";
    return m;
}

static void taps_are_masked_and_recordings_replayed (void **state)
{
    (void) state;
    buf_t body = {0}, masked = {0}, shown = {0}, request = {0};
    failure_t failure = {0};
    const char *path = NULL;
    send_fill (&body);
    tap_message_t m = message_of ("messaging#0.sms_send", ENV_ASK, &body);
    tap_json (&m, false, &masked);
    assert_null (strstr (buf_text (&masked), secret_text));
    assert_null (strstr (buf_text (&masked), "5550142"));
    tap_json (&m, true, &shown);
    assert_non_null (strstr (buf_text (&shown), secret_text));
    assert_int_equal (tap_request (buf_bytes (&masked), &path, &request, &failure), E_BAD_REQUEST);
    assert_int_equal (tap_request (buf_bytes (&shown), &path, &request, &failure), 0);
    assert_string_equal (path, "/v1/sms");
    assert_non_null (strstr (buf_text (&request), "\"to\":[\"+13125550178\"]"));
    buf_clear (&shown);
    m.envelope.kind = ENV_ANSWER;
    tap_json (&m, true, &shown);
    assert_int_equal (tap_request (buf_bytes (&shown), &path, &request, &failure), E_NOT_FOUND);
    assert_int_equal (tap_request (bytes_of_str ("{}"), &path, &request, &failure), E_BAD_REQUEST);
    assert_int_equal (tap_request (bytes_of_str ("}{"), &path, &request, &failure), E_BAD_REQUEST);
    buf_free (&body);
    buf_free (&masked);
    buf_free (&shown);
    buf_free (&request);
}

static void secrets_are_masked_also_when_revealed (void **state)
{
    (void) state;
    accounts_bootstrap_out_t out = {
        .admin_key = "sk_admin_x", .live_key = "sk_live_app_x", .test_key = "sk_test_app_x"};
    buf_t body = {0}, shown = {0};
    schema_pack (&accounts_bootstrap_out_type, &out, &body);
    tap_message_t m = message_of ("accounts.bootstrap", ENV_ANSWER, &body);
    tap_json (&m, true, &shown);
    tap_line (&m, true, &shown);
    assert_null (strstr (buf_text (&shown), "sk_"));
    buf_free (&body);
    buf_free (&shown);
}

/* A line is a line, whatever a peer of the bus gave as its trace. */
static void traces_are_shown_if_they_are_some (void **state)
{
    (void) state;
    buf_t body = {0}, shown = {0};
    tap_message_t m = message_of ("accounts.bootstrap", ENV_ANSWER, &body);
    m.envelope.trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    tap_line (&m, true, &shown);
    assert_non_null (strstr (buf_text (&shown), "trace 0af7651916cd43dd8448eb211c80319c"));
    buf_clear (&shown);
    m.envelope.trace = "00-0af7651916cd43dd\r\n\x1b[2Jb211c80319c-b7ad6b7169203331-01";
    tap_line (&m, true, &shown);
    assert_null (strstr (buf_text (&shown), "trace"));
    assert_null (strchr (buf_text (&shown), '\n'));
    buf_free (&shown);
}

/* Events in a journal's answer are packed inside bytes: they are masked by their own types. */
static void journals_are_masked (void **state)
{
    (void) state;
    buf_t inner = {0}, body = {0}, shown = {0};
    accounts_assignment_changed_t changed = {.number = "+14155550142"};
    schema_pack (&accounts_assignment_changed_type, &changed, &inner);
    common_event_t event = {.number = 4, .body = buf_bytes (&inner), .subject = "+14155550142"};
    common_journal_read_out_t out = {.events = {&event, 1}};
    schema_pack (&common_journal_read_out_type, &out, &body);
    tap_message_t m = message_of ("accounts.journal_read", ENV_ANSWER, &body);
    tap_filter_t filter = {0};
    assert_false (tap_wanted (&filter, &m));
    filter.all = true;
    assert_true (tap_wanted (&filter, &m));
    tap_json (&m, false, &shown);
    assert_null (strstr (buf_text (&shown), "5550142"));
    assert_non_null (strstr (buf_text (&shown), "accounts.assignment_changed"));
    buf_clear (&shown);
    tap_json (&m, true, &shown);
    assert_non_null (strstr (buf_text (&shown), "+14155550142"));
    buf_free (&inner);
    buf_free (&body);
    buf_free (&shown);
}

static void filters_keep_answers_with_their_asks (void **state)
{
    (void) state;
    buf_t body = {0};
    send_fill (&body);
    tap_message_t ask = message_of ("messaging.sms_send", ENV_ASK, &body), answer = ask;
    answer.envelope.kind = ENV_ANSWER;
    answer.envelope.trace = answer.envelope.subject = NULL;
    tap_filter_t filter = {.trace = "5f671bcfd5d0d6c65a5b0732294e36ca", .subject = "+14155550142"};
    assert_false (tap_wanted (&filter, &answer)); /* not seen yet */
    assert_true (tap_wanted (&filter, &ask));
    assert_true (tap_wanted (&filter, &answer));
    tap_filter_t other = {.op = "messaging.whatsapp_send"};
    assert_false (tap_wanted (&other, &ask));
    tap_filter_t tenant = {.tenant_given = true, .tenant = ask.envelope.id};
    assert_false (tap_wanted (&tenant, &ask));
    buf_free (&body);
}

static void failures_are_shown (void **state)
{
    (void) state;
    failure_t failure = {0};
    failure_set (&failure, E_PHONE_NUMBER_NOT_ASSIGNED, "from",
                 "+14155550142 is not a number of this app");
    buf_t body = {0}, shown = {0};
    envelope_failure_write (&failure, &body);
    tap_message_t m = message_of ("messaging.sms_send", ENV_FAILURE, &body);
    tap_json (&m, false, &shown);
    assert_non_null (strstr (buf_text (&shown), "phone_number_not_assigned"));
    assert_null (strstr (buf_text (&shown), "5550142"));
    buf_clear (&body);
    buf_add_str (&body, "\xff\xff");
    m.body = buf_bytes (&body);
    tap_json (&m, false, &shown);
    m.target = "nobody.nothing";
    m.envelope.kind = ENV_ASK;
    tap_json (&m, true, &shown);
    buf_free (&body);
    buf_free (&shown);
}

/* ---- bus keys ---- */

static void name_count (void *context, const char *name)
{
    (void) name;
    ++*(size_t *) context;
}

static void bus_keys_are_kept_apart (void **state)
{
    (void) state;
    char folder[] = "/tmp/aviary-keys-XXXXXX", path[128], again[64];
    failure_t failure = {0};
    struct stat st;
    size_t count = 0;
    curve_keys_t keys, same;
    assert_non_null (mkdtemp (folder));
    assert_int_equal (bus_keys_make (folder, name_count, &count, &failure), 0);
    assert_true (count >= 6);
    static const char *const names[] = {"accounts", "messaging", "webhooks", "edge", "cli"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf (path, sizeof path, "%s/%s", folder, names[i]);
        assert_int_equal (curve_keys_load (path, names[i], &keys, &failure), 0);
        snprintf (path, sizeof path, "%s/broker/%s.pub", folder, names[i]);
        assert_int_equal (stat (path, &st), 0);
        snprintf (path, sizeof path, "%s/broker/%s.pub_secret", folder, names[i]);
        assert_int_not_equal (stat (path, &st), 0);
        snprintf (path, sizeof path, "%s/%s/%s.pub_secret", folder, names[i], names[i]);
        assert_int_equal (stat (path, &st), 0);
        assert_int_equal (st.st_mode & 0777, 0600);
    }
    assert_int_equal (bus_keys_make (folder, name_count, &count, &failure), 0);
    snprintf (path, sizeof path, "%s/cli", folder);
    assert_int_equal (curve_keys_load (path, "cli", &same, &failure), 0);
    assert_memory_equal (&keys, &same, sizeof keys);
    snprintf (again, sizeof again, "rm -r %s", folder);
    assert_int_equal (system (again), 0);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (every_spelling_is_read),
        cmocka_unit_test (phone_numbers_are_masked),
        cmocka_unit_test (requests_are_read),
        cmocka_unit_test (the_listener_serves_what_comes_in_pieces),
        cmocka_unit_test (signatures_are_checked),
        cmocka_unit_test (stories_are_in_order),
        cmocka_unit_test (taps_are_masked_and_recordings_replayed),
        cmocka_unit_test (secrets_are_masked_also_when_revealed),
        cmocka_unit_test (traces_are_shown_if_they_are_some),
        cmocka_unit_test (webhook_times_far_away_are_refused),
        cmocka_unit_test (journals_are_masked),
        cmocka_unit_test (filters_keep_answers_with_their_asks),
        cmocka_unit_test (failures_are_shown),
        cmocka_unit_test (bus_keys_are_kept_apart),
    };
    return sign_init () ? 1 : cmocka_run_group_tests (tests, NULL, NULL);
}
