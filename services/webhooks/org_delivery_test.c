/* org_delivery_test.c - deliveries to an organization: headers and signatures, the 31 hours, what ends at once, states, auto-disable, pause, erasure. */
#include "base/text.h"
#include "webhooks_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define URL "http://127.0.0.1:9/hook"

static int setup (void **state)
{
    *state = world_new (NULL);
    return 0;
}

static int teardown (void **state)
{
    optest_t *test = *state;
    optest_destroy (&test);
    return 0;
}

/* As a receiver checks it: is there a v1 by this secret over t, "." and the bytes? */
static bool is_signed_by (const outward_t *outward, const char *secret)
{
    const char *header = world_header (outward, "X-Kirim-Signature");
    char at[32], hex[2 * SIGN_SHA256_SIZE + 1], want[80];
    uint8_t mac[SIGN_SHA256_SIZE];
    assert_non_null (header);
    snprintf (at, sizeof at, "%.*s.", (int) strcspn (header + 2, ","), header + 2);
    bytes_t parts[] = {bytes_of_str (at), outward->out.request.body};
    sign_hmac_sha256_parts (bytes_of_str (secret), parts, 2, mac);
    text_write_hex (mac, sizeof mac, hex);
    snprintf (want, sizeof want, ",v1=%s", hex);
    return strstr (header, want) != NULL;
}

static void test_headers_and_signature (void **state)
{
    webhooks_subscription_told_t to = world_subscribe (*state, URL, "conversation.closed");
    assert_int_equal (to.secrets.count, 1);
    assert_memory_equal (to.initial_secret, "whsec_", 6);
    world_close (*state, 1);
    outward_t *outward = world_request (*state);
    assert_int_equal (outward->out.request.timeout_ms, 10000);
    assert_true (outward->out.request.guarded);
    assert_string_equal (world_header (outward, "Content-Type"), "application/json");
    assert_string_equal (world_header (outward, "User-Agent"), "Kirim-Webhook/1.0");
    assert_string_equal (world_header (outward, "X-Kirim-Source"), "kirim");
    assert_string_equal (world_header (outward, "X-Kirim-Event"), "conversation.closed");
    assert_memory_equal (world_header (outward, "X-Kirim-Event-Id"), "evt_", 4);
    assert_memory_equal (world_header (outward, "X-Kirim-Delivery-Id"), "wbd_", 4);
    assert_string_equal (world_header (outward, "X-Kirim-Attempt"), "1");
    assert_true (is_signed_by (outward, to.initial_secret));
    assert_false (is_signed_by (outward, "whsec_other"));
    assert_int_equal (optest_job_answered (*state, outward, 204, ""), 0);
    assert_null (optest_job (*state));
    schema_list_t log = world_log (*state, &(webhooks_log_list_in_t){0});
    const webhooks_delivery_told_t *row = log.items;
    assert_int_equal (log.count, 1);
    assert_int_equal (row->status, WEBHOOKS_DELIVERY_STATUS_DELIVERED);
    assert_int_equal (row->attempts, 1);
    assert_int_equal (row->response_status, 204);
    assert_int_equal (row->next_at, 0);
    assert_memory_equal (row->event_id, "evt_", 4);
}

static int32_t state_of (optest_t *test, int64_t *attempts, int64_t *next_at)
{
    schema_list_t log = world_log (test, &(webhooks_log_list_in_t){0});
    const webhooks_delivery_told_t *row = log.items;
    assert_int_equal (log.count, 1);
    *attempts = row->attempts;
    *next_at = row->next_at;
    return row->status;
}

static void test_eight_attempts_over_31_hours (void **state)
{
    static const int64_t waits_s[] = {10, 30, 120, 600, 3600, 21600, 86400};
    int64_t attempts, next_at;
    world_subscribe (*state, URL, "conversation.closed");
    world_close (*state, 1);
    assert_int_equal (state_of (*state, &attempts, &next_at), WEBHOOKS_DELIVERY_STATUS_PENDING);
    outward_t *outward = world_request (*state);
    char *id = arena_strdup (optest_arena (*state), world_header (outward, "X-Kirim-Delivery-Id"));
    char *body =
        arena_strndup (optest_arena (*state), (const char *) outward->out.request.body.data,
                       outward->out.request.body.size);
    for (size_t i = 0; i < 7; i++) {
        char attempt[8];
        assert_int_equal (optest_job_answered (*state, outward, 500, "no"), 0);
        assert_int_equal (state_of (*state, &attempts, &next_at),
                          WEBHOOKS_DELIVERY_STATUS_RETRYING);
        assert_int_equal (attempts, i + 1);
        assert_true (next_at > 0);
        assert_int_equal (optest_advance (*state, waits_s[i] * 1000 - 500), 0);
        assert_null (optest_job (*state));
        assert_int_equal (optest_advance (*state, 1000), 0);
        outward = world_request (*state);
        snprintf (attempt, sizeof attempt, "%zu", i + 2);
        assert_string_equal (world_header (outward, "X-Kirim-Attempt"), attempt);
        assert_string_equal (world_header (outward, "X-Kirim-Delivery-Id"), id);
        assert_int_equal (outward->out.request.body.size, strlen (body));
        assert_memory_equal (outward->out.request.body.data, body, strlen (body));
    }
    assert_int_equal (optest_job_answered (*state, outward, 500, "no"), 0);
    assert_int_equal (state_of (*state, &attempts, &next_at), WEBHOOKS_DELIVERY_STATUS_DEAD);
    assert_int_equal (attempts, 8);
    assert_int_equal (next_at, 0);
    assert_int_equal (optest_advance (*state, INT64_C (48) * 3600 * 1000), 0);
    assert_null (optest_job (*state));
}

static void test_waits_vary_by_a_fifth (void **state)
{
    optest_t *test = *state;
    optest_destroy (&test);
    static const char *const flags[] = {"--jitter=20", NULL};
    *state = test = world_new (flags);
    int64_t least = INT64_MAX, most = 0;
    world_subscribe (test, URL, "conversation.closed");
    for (unsigned i = 0; i < 40; i++) {
        world_close (test, i);
        assert_int_equal (optest_job_answered (test, world_request (test), 503, ""), 0);
        schema_list_t log = world_log (test, &(webhooks_log_list_in_t){.limit = 1});
        const webhooks_delivery_told_t *row = log.items;
        int64_t wait = row->next_at - row->last_at;
        least = wait < least ? wait : least;
        most = wait > most ? wait : most;
    }
    assert_in_range (least, 8000, 9900);
    assert_in_range (most, 10100, 12000);
}

static void test_outcomes (void **state)
{
    static const struct {
        int http;
        int32_t want;
    } rows[] = {
        {200, WEBHOOKS_DELIVERY_STATUS_DELIVERED}, {299, WEBHOOKS_DELIVERY_STATUS_DELIVERED},
        {301, WEBHOOKS_DELIVERY_STATUS_RETRYING},  {408, WEBHOOKS_DELIVERY_STATUS_RETRYING},
        {429, WEBHOOKS_DELIVERY_STATUS_RETRYING},  {500, WEBHOOKS_DELIVERY_STATUS_RETRYING},
        {503, WEBHOOKS_DELIVERY_STATUS_RETRYING},  {400, WEBHOOKS_DELIVERY_STATUS_DEAD},
        {401, WEBHOOKS_DELIVERY_STATUS_DEAD},      {404, WEBHOOKS_DELIVERY_STATUS_DEAD},
        {410, WEBHOOKS_DELIVERY_STATUS_DEAD},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        optest_t *test = world_new (NULL);
        int64_t attempts, next_at;
        world_subscribe (test, URL, "conversation.closed");
        world_close (test, 1);
        assert_int_equal (optest_job_answered (test, world_request (test), rows[i].http, ""), 0);
        assert_int_equal (state_of (test, &attempts, &next_at), rows[i].want);
        optest_destroy (&test);
    }
    int64_t attempts, next_at;
    outcome_t timeout = {
        .stage = FETCH_SENT, .code = E_TIMEOUT, .reason = "timed out", .duration_ms = 10000};
    world_subscribe (*state, URL, "conversation.closed");
    world_close (*state, 1);
    assert_int_equal (optest_job_done (*state, world_request (*state), &timeout), 0);
    assert_int_equal (state_of (*state, &attempts, &next_at), WEBHOOKS_DELIVERY_STATUS_RETRYING);
}

static void test_retry_after_is_waited_for (void **state)
{
    world_subscribe (*state, URL, "conversation.closed");
    world_close (*state, 1);
    outcome_t busy = {.stage = FETCH_ANSWERED, .status = 429, .retry_after_ms = 90000};
    assert_int_equal (optest_job_done (*state, world_request (*state), &busy), 0);
    assert_int_equal (optest_advance (*state, 89000), 0);
    assert_null (optest_job (*state));
    assert_int_equal (optest_advance (*state, 2000), 0);
    assert_int_equal (optest_job_answered (*state, world_request (*state), 200, ""), 0);
}

static void test_the_snippet_is_a_thousand_bytes (void **state)
{
    char answer[1200];
    memset (answer, 'x', sizeof answer);
    answer[sizeof answer - 1] = '\0';
    memcpy (answer, "caf\xc3\xa9\x01", 6);
    answer[999] = '\0'; /* as the fetch cuts it */
    world_subscribe (*state, URL, "conversation.closed");
    world_close (*state, 1);
    outward_t *outward = world_request (*state);
    assert_int_equal (outward->out.request.answer_max, 1000);
    assert_int_equal (optest_job_answered (*state, outward, 500, answer), 0);
    schema_list_t log = world_log (*state, &(webhooks_log_list_in_t){0});
    const webhooks_delivery_told_t *row = log.items;
    assert_memory_equal (row->response_snippet, "caf\xc3\xa9.xxx", 9);
    assert_int_equal (strlen (row->response_snippet), 999);
}

static void test_rotation_signs_with_all_live_secrets (void **state)
{
    webhooks_subscription_told_t to = world_subscribe (*state, URL, "conversation.closed");
    webhooks_secret_add_out_t added = {0};
    webhooks_secret_delete_out_t gone = {0};
    webhooks_secret_add_in_t add = {.id = to.id, .expires_in_hours = 2};
    assert_int_equal (world_ask (*state, world_org, "secret_add", &add, &added, NULL), 0);
    world_close (*state, 1);
    outward_t *outward = world_request (*state);
    assert_true (is_signed_by (outward, to.initial_secret));
    assert_true (is_signed_by (outward, added.secret));
    assert_int_equal (optest_job_answered (*state, outward, 200, ""), 0);
    assert_int_equal (optest_advance (*state, 2 * 3600 * 1000 + 1), 0);
    world_close (*state, 2);
    outward = world_request (*state);
    assert_true (is_signed_by (outward, to.initial_secret));
    assert_false (is_signed_by (outward, added.secret));
    assert_int_equal (optest_job_answered (*state, outward, 200, ""), 0);
    assert_int_equal (world_get (*state, to.id).secrets.count, 1);

    const webhooks_secret_told_t *first = to.secrets.items;
    webhooks_secret_delete_in_t revoke = {.id = to.id, .secret_id = first->id};
    assert_int_equal (world_ask (*state, world_org, "secret_delete", &revoke, &gone, NULL),
                      E_LAST_SECRET);
    add.expires_in_hours = 0;
    for (int i = 0; i < 4; i++)
        assert_int_equal (world_ask (*state, world_org, "secret_add", &add, &added, NULL), 0);
    assert_int_equal (added.expires_at, 0);
    assert_int_equal (world_ask (*state, world_org, "secret_add", &add, &added, NULL),
                      E_SECRET_LIMIT);
    assert_int_equal (world_ask (*state, world_org, "secret_delete", &revoke, &gone, NULL), 0);
    assert_int_equal (world_ask (*state, world_org, "secret_delete", &revoke, &gone, NULL),
                      E_NOT_FOUND);
    world_close (*state, 3);
    outward = world_request (*state);
    assert_false (is_signed_by (outward, to.initial_secret));
    assert_int_equal (optest_job_answered (*state, outward, 200, ""), 0);
}

static void test_nothing_goes_out_unsigned (void **state)
{
    webhooks_subscription_told_t to = world_subscribe (*state, URL, "conversation.closed");
    const webhooks_secret_told_t *first = to.secrets.items;
    webhooks_secret_add_out_t added = {0};
    webhooks_secret_delete_out_t gone = {0};
    webhooks_secret_add_in_t add = {.id = to.id, .expires_in_hours = 1};
    webhooks_secret_delete_in_t revoke = {.id = to.id, .secret_id = first->id};
    assert_int_equal (world_ask (*state, world_org, "secret_add", &add, &added, NULL), 0);
    assert_int_equal (world_ask (*state, world_org, "secret_delete", &revoke, &gone, NULL), 0);
    assert_int_equal (optest_advance (*state, 3 * 3600 * 1000), 0);
    world_close (*state, 1);
    outward_t *outward = world_request (*state);
    assert_true (is_signed_by (outward, added.secret));
    assert_int_equal (optest_job_answered (*state, outward, 200, ""), 0);
}

/* Refused for good so many times, one after the other. */
static void refuse (optest_t *test, unsigned from, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        world_close (test, from + i);
        assert_int_equal (optest_job_answered (test, world_request (test), 401, ""), 0);
    }
}

static void test_failures_in_a_row_disable (void **state)
{
    webhooks_subscription_told_t to = world_subscribe (*state, URL, "conversation.closed");
    refuse (*state, 0, 20);
    assert_int_equal (world_get (*state, to.id).consecutive_failures, 20);
    world_close (*state, 100);
    assert_int_equal (optest_job_answered (*state, world_request (*state), 200, ""), 0);
    assert_int_equal (world_get (*state, to.id).consecutive_failures, 0);
    world_close (*state, 101); /* waits for its second attempt */
    assert_int_equal (optest_job_answered (*state, world_request (*state), 500, ""), 0);
    refuse (*state, 200, 23);
    assert_int_equal (world_get (*state, to.id).status, WEBHOOKS_SUBSCRIPTION_STATUS_ACTIVE);
    refuse (*state, 300, 1);
    webhooks_subscription_told_t now = world_get (*state, to.id);
    assert_int_equal (now.status, WEBHOOKS_SUBSCRIPTION_STATUS_DISABLED);
    assert_string_equal (now.disabled_reason, "consecutive_failures");
    assert_int_equal (now.consecutive_failures, 24);
    for (int i = 0; i < 10; i++)
        assert_int_equal (optest_advance (*state, 8 * 3600 * 1000), 0);
    assert_null (optest_job (*state)); /* its scheduled attempt stopped */
    webhooks_log_list_in_t waiting = {.status = WEBHOOKS_DELIVERY_STATUS_RETRYING};
    assert_int_equal (world_log (*state, &waiting).count, 0);
    world_close (*state, 400);
    webhooks_log_list_in_t all = {.limit = 100};
    size_t before = world_log (*state, &all).count;
    assert_int_equal (before, 20 + 1 + 1 + 24); /* nothing of the last one */

    webhooks_subscription_update_in_t wake = {.id = to.id,
                                              .status = WEBHOOKS_SUBSCRIPTION_STATUS_ACTIVE};
    assert_int_equal (world_ask (*state, world_org, "subscription_update", &wake, &now, NULL), 0);
    assert_int_equal (now.consecutive_failures, 0);
    assert_null (now.disabled_reason);
    world_close (*state, 401);
    assert_int_equal (optest_job_answered (*state, world_request (*state), 200, ""), 0);
}

static void test_paused_ones_record_nothing (void **state)
{
    webhooks_subscription_told_t to = world_subscribe (*state, URL, "conversation.closed"), now;
    webhooks_subscription_update_in_t in = {.id = to.id,
                                            .status = WEBHOOKS_SUBSCRIPTION_STATUS_PAUSED};
    assert_int_equal (world_ask (*state, world_org, "subscription_update", &in, &now, NULL), 0);
    world_close (*state, 1);
    assert_null (optest_job (*state));
    in.status = WEBHOOKS_SUBSCRIPTION_STATUS_ACTIVE;
    assert_int_equal (world_ask (*state, world_org, "subscription_update", &in, &now, NULL), 0);
    assert_null (optest_job (*state));
    world_close (*state, 2);
    assert_int_equal (optest_job_answered (*state, world_request (*state), 200, ""), 0);
    in.status = WEBHOOKS_SUBSCRIPTION_STATUS_DISABLED;
    assert_int_equal (world_ask (*state, world_org, "subscription_update", &in, &now, NULL),
                      E_BAD_REQUEST);
}

static void test_a_deleted_one_gets_nothing_more (void **state)
{
    webhooks_subscription_told_t to = world_subscribe (*state, URL, "conversation.closed");
    webhooks_subscription_delete_out_t gone = {0};
    webhooks_subscription_delete_in_t in = {.id = to.id};
    for (unsigned i = 0; i < 700; i++)
        world_close (*state, i);
    outward_t *out = world_request (*state);
    assert_int_equal (world_ask (*state, world_other_org, "subscription_delete", &in, &gone, NULL),
                      E_NOT_FOUND);
    assert_int_equal (world_ask (*state, world_org, "subscription_delete", &in, &gone, NULL), 0);
    assert_int_equal (optest_job_answered (*state, out, 500, ""), 0);
    for (outward_t *late; (late = optest_job (*state));)
        assert_int_equal (optest_job_answered (*state, late, 500, ""), 0);
    for (int i = 0; i < 20; i++)
        assert_int_equal (optest_advance (*state, 30000), 0);
    assert_null (optest_job (*state));
    webhooks_log_list_in_t pending = {.status = WEBHOOKS_DELIVERY_STATUS_PENDING};
    webhooks_log_list_in_t retrying = {.status = WEBHOOKS_DELIVERY_STATUS_RETRYING};
    assert_int_equal (world_log (*state, &pending).count, 0);
    assert_int_equal (world_log (*state, &retrying).count, 0);
}

static void contact_tell (optest_t *test, unsigned n)
{
    inbox_contact_told_t contact = {.id = world_id (n), .phone_number = "+628111222333"};
    inbox_contact_changed_t body = {
        .contact = &contact, .created = true, .source = INBOX_CONTACT_SOURCE_API};
    event_about_t about = {.record = contact.id, .version = 1, .org = world_org};
    assert_int_equal (optest_follow (test, &inbox_contact_changed_event, &about, &body, NULL), 0);
}

static int payload_count_each (void *context, const void *row)
{
    (void) row;
    *(size_t *) context += 1;
    return 0;
}

static size_t payload_count (optest_t *test)
{
    txn_t *txn = NULL;
    size_t count = 0;
    store_page_t page = {.limit = 1000};
    assert_int_equal (txn_begin (optest_store (test), TXN_READ, &txn), 0);
    assert_int_equal (store_list (txn, &webhooks_payload_record, &page, optest_arena (test),
                                  payload_count_each, &count, NULL),
                      0);
    txn_abort (&txn);
    return count;
}

static void test_what_is_erased_goes (void **state)
{
    world_subscribe (*state, URL, "contact.created");
    world_subscribe (*state, URL, "contact.created");
    contact_tell (*state, 1);
    contact_tell (*state, 2);
    webhooks_log_list_in_t all = {.limit = 100};
    schema_list_t log = world_log (*state, &all);
    assert_int_equal (log.count, 4);
    assert_int_equal (payload_count (*state), 2); /* shared */
    inbox_erased_t erased = {.contact = world_id (1), .peer = "+628111222333"};
    event_about_t about = {.record = erased.contact, .version = 2, .org = world_org};
    assert_int_equal (optest_follow (*state, &inbox_erased_event, &about, &erased, NULL), 0);
    for (outward_t *late; (late = optest_job (*state));)
        assert_int_equal (optest_job_answered (*state, late, 500, ""), 0);
    assert_int_equal (optest_advance (*state, 1), 0);
    assert_int_equal (world_log (*state, &all).count, 2);
    assert_int_equal (payload_count (*state), 1);
    const webhooks_delivery_told_t *rows = log.items;
    size_t left = 0;
    for (size_t i = 0; i < log.count; i++) {
        webhooks_delivery_told_t one = {0};
        webhooks_log_get_in_t in = {.id = rows[i].id};
        left += world_ask (*state, world_org, "log_get", &in, &one, NULL) == 0;
    }
    assert_int_equal (left, 2);
    messaging_messages_erased_t messages = {.messages = {(id16_t[]){world_id (2)}, 1}};
    assert_int_equal (
        optest_follow (*state, &messaging_messages_erased_event, &about, &messages, NULL), 0);
    assert_int_equal (optest_advance (*state, 1), 0);
    assert_int_equal (world_log (*state, &all).count, 0);
    assert_int_equal (payload_count (*state), 0);
}

/* More subscriptions than a page, and of both dialects for one event: each gets its form once. */
static void test_both_dialects_hear_of_one_event (void **state)
{
    static const id16_t app = {{2}};
    webhooks_webhook_t hook = {0};
    envelope_t header = {.org = world_org, .app = app, .principal = PRINCIPAL_APP_KEY};
    const char *names[] = {"messages.whatsapp.received"};
    webhooks_create_in_t in = {.url = URL, .events = {names, 1}};
    assert_int_equal (optest_ask (*state, "create", &header, &in, &hook, NULL), 0);
    for (int i = 0; i < 120; i++)
        world_subscribe (*state, URL, i < 110 ? "message.received" : "message.status");
    messaging_content_t content = {.id = world_id (1),
                                   .channel = ACCOUNTS_CHANNEL_WHATSAPP,
                                   .direction = MESSAGING_DIRECTION_INBOUND,
                                   .kind = MESSAGING_KIND_TEXT,
                                   .test = true,
                                   .from = "+628111222333",
                                   .to = "+628111000111",
                                   .text = "Halo"};
    messaging_app_ref_t refs[] = {{.id = app, .name = "Desk"}};
    messaging_message_received_t body = {
        .message = &content, .apps = {refs, 1}, .provider_id = "lb-1"};
    event_about_t about = {.record = content.id, .version = 1, .org = world_org, .test = true};
    assert_int_equal (
        optest_follow (*state, &messaging_message_received_event, &about, &body, NULL), 0);
    size_t chirp = 0, kirim = 0;
    for (int i = 0; i < 20; i++) {
        for (outward_t *outward; (outward = optest_job (*state));) {
            chirp += world_header (outward, "X-Chirp-Event") != NULL;
            kirim += world_header (outward, "X-Kirim-Event") != NULL &&
                     strcmp (world_header (outward, "X-Kirim-Event-Id"), "lb-1") == 0;
            assert_int_equal (optest_job_answered (*state, outward, 200, ""), 0);
        }
        assert_int_equal (optest_advance (*state, 10), 0);
    }
    assert_int_equal (chirp, 1);
    assert_int_equal (kirim, 110);
}

int main (void)
{
#define T(name) cmocka_unit_test_setup_teardown (name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T (test_headers_and_signature),
        T (test_eight_attempts_over_31_hours),
        T (test_waits_vary_by_a_fifth),
        T (test_outcomes),
        T (test_retry_after_is_waited_for),
        T (test_the_snippet_is_a_thousand_bytes),
        T (test_rotation_signs_with_all_live_secrets),
        T (test_nothing_goes_out_unsigned),
        T (test_failures_in_a_row_disable),
        T (test_paused_ones_record_nothing),
        T (test_a_deleted_one_gets_nothing_more),
        T (test_what_is_erased_goes),
        T (test_both_dialects_hear_of_one_event),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
