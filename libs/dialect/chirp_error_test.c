/* chirp_error_test.c - every code of the house has the documented type, word and status; fields get the names that clients know. */
#include "dialect/dialect.h"

#include "gen/chirp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define IRE  "invalid_request_error"
#define AUTH "authentication_error"
#define PE   "provider_error"
#define AE   "api_error"

typedef struct look {
    int code;
    const char *type, *word;
    int status;
} look_t;

static const look_t looks[] = {
    {E_BAD_REQUEST, IRE, NULL, 400},
    {E_NOT_FOUND, IRE, NULL, 404},
    {E_ALREADY_EXISTS, IRE, "resource_already_exists", 409},
    {E_CONFLICT, IRE, NULL, 409},
    {E_UNAUTHORIZED, AUTH, NULL, 401},
    {E_FORBIDDEN, AUTH, NULL, 403},
    {E_RATE_LIMITED, IRE, "rate_limit_exceeded", 429},
    {E_UNAVAILABLE, AE, NULL, 503},
    {E_BUSY, AE, NULL, 503},
    {E_TIMEOUT, AE, NULL, 503},
    {E_REPLICA_LOST, AE, NULL, 503},
    {E_BROKER_LOST, AE, NULL, 503},
    {E_INTERNAL, AE, NULL, 500},
    {E_NO_MEMORY, AE, NULL, 500},
    {E_IO, AE, NULL, 503},
    {E_DISK_LOW, AE, NULL, 503},
    {E_NOT_OWNER, AE, NULL, 503},
    {E_UNKNOWN_OP, IRE, NULL, 404},
    {E_REFUSED, AUTH, NULL, 403},
    {E_IDEMPOTENCY_MISMATCH, IRE, NULL, 409},
    {E_IDEMPOTENCY_RUNNING, IRE, NULL, 409},
    {E_TOO_LARGE, IRE, NULL, 413},
    {E_MAP_FULL, AE, NULL, 503},
    {E_CONFLICT_RETRY, AE, NULL, 500},
    {E_PARKED, AE, NULL, 500},
    {E_CORRUPT, AE, NULL, 500},
    {E_EXPIRED, AE, NULL, 503},
    {E_METHOD_NOT_ALLOWED, IRE, NULL, 405},
    {E_BLOCKED_TARGET, IRE, NULL, 400},
    {E_PHONE_NUMBER_NOT_ASSIGNED, IRE, "phone_number_not_assigned", 400},
    {E_INVALID_PHONE_NUMBER, IRE, "invalid_phone_number", 400},
    {E_UNSUPPORTED_MESSAGE_TYPE, IRE, "unsupported_message_type", 400},
    {E_MEDIA_TOO_LARGE, IRE, "media_too_large", 400},
    {E_MESSAGE_UNDELIVERABLE, PE, "message_undeliverable", 402},
    {E_CONVERSATION_WINDOW_EXPIRED, PE, "conversation_window_expired", 402},
    {E_RECIPIENT_NOT_ON_WHATSAPP, PE, "recipient_not_on_whatsapp", 402},
    {E_TEMPLATE_NOT_FOUND, IRE, "template_not_found", 404},
    {E_TEMPLATE_PARAMETER_MISMATCH, IRE, "template_parameter_mismatch", 400},
    {E_ACCOUNT_RESTRICTED, PE, "account_restricted", 403},
    {E_DISPLAY_NAME_NOT_APPROVED, PE, "display_name_not_approved", 402},
    {E_WHATSAPP_NOT_CONFIGURED, IRE, "whatsapp_not_configured", 400},
    {E_GROUPS_NOT_ELIGIBLE, PE, "groups_not_eligible", 402},
    {E_META_API_ERROR, AE, "meta_api_error", 424},
    {E_META_API_UNAVAILABLE, AE, "meta_api_unavailable", 424},
    {E_TELNYX_API_ERROR, AE, "telnyx_api_error", 424},
    {E_TELNYX_API_UNAVAILABLE, AE, "telnyx_api_unavailable", 424},
    {E_WHATSAPP_RATE_LIMITED, PE, "whatsapp_rate_limited", 429},
    {E_TEST_APP_REQUIRED, AUTH, "test_app_required", 403},
    {E_CARRIER_RATE_LIMITED, IRE, "rate_limit_exceeded", 429},
    {E_CARRIER_REFUSED, PE, NULL, 402},
    {E_CARRIER_CREDENTIALS, PE, NULL, 424},
    {E_KEY_MISSING, AUTH, NULL, 401},
    {E_KEY_EXPIRED, AUTH, NULL, 401},
    {E_KEY_REVOKED, AUTH, NULL, 401},
    {E_MISSING_FIELD, IRE, NULL, 400},
    {E_BAD_LIMIT, IRE, NULL, 400},
    {E_BAD_CURSOR, IRE, NULL, 400},
    {E_NUMBER_NOT_CONNECTED, IRE, NULL, 409},
    {E_TEAM_MISMATCH, IRE, NULL, 409},
    {E_LAST_SECRET, IRE, NULL, 409},
    {E_SECRET_LIMIT, IRE, NULL, 409},
    {E_SUBSCRIPTION_INACTIVE, IRE, NULL, 409},
};

static const char *render (const failure_t *failure, const dialect_blame_t *blame, int *status)
{
    static char text[2048];
    buf_t out = {0};
    int got = dialect_error_render (&dialect_chirp, failure, blame, &out);
    if (status)
        *status = got;
    snprintf (text, sizeof text, "%s", buf_text (&out));
    buf_free (&out);
    return text;
}

static void test_every_code (void **state)
{
    (void) state;
    dialect_blame_t blame = {.docs_url = "https://h/docs"};
    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++) {
        failure_t failure = {.code = looks[i].code};
        int status;
        char want[128];
        const char *text = render (&failure, &blame, &status);
        assert_int_equal (status, looks[i].status);
        snprintf (want, sizeof want, "{\"error\":{\"type\":\"%s\",", looks[i].type);
        assert_ptr_equal (strstr (text, want), text);
        if (looks[i].word) {
            snprintf (want, sizeof want, "\"code\":\"%s\",", looks[i].word);
            assert_non_null (strstr (text, want));
            snprintf (want, sizeof want, "\"doc_url\":\"https://h/docs#%s\"", looks[i].word);
            assert_non_null (strstr (text, want));
        } else {
            assert_null (strstr (text, "\"code\""));
            assert_null (strstr (text, "\"doc_url\""));
        }
        assert_non_null (strstr (text, "\"message\":\""));
        assert_null (strstr (text, "\"message\":\"\""));
        assert_null (strstr (text, "null"));
    }
    assert_int_equal (sizeof looks / sizeof *looks, schema_chirp_dialect.error_count);
}

static const schema_public_t *op_named (const char *name)
{
    for (size_t i = 0; i < schema_chirp_op_count; i++)
        if (strcmp (schema_chirp_ops[i].name, name) == 0)
            return &schema_chirp_ops[i];
    fail_msg ("no op %s", name);
    return NULL;
}

static void test_param (void **state)
{
    (void) state;
    static const struct {
        const char *op, *core, *want; /* want NULL: no param */
    } rows[] = {
        {"sendSms", "to[0]", "to[0]"},
        {"sendSms", "media_urls[3]", "mediaUrls[3]"},
        {"assignPhoneNumber", "number_id", "phoneNumberId"},
        {"unassignPhoneNumber", "number_id", "phoneNumberId"},
        {"sendWhatsAppMessage", "text", "text.body"},
        {"sendWhatsAppMessage", "reply_to", "replyTo"},
        {"sendWhatsAppMessage", "kind", "type"},
        {"getAppWebhook", "id", "webhookId"},
        {"createAppWebhook", "headers.Host", "headers.Host"},
        {"simulateInboundSms", "channel", NULL},
        {"sendSms", "Idempotency-Key", "Idempotency-Key"},
        {"sendSms", "", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        failure_t failure = {.code = E_BAD_REQUEST};
        snprintf (failure.field, sizeof failure.field, "%s", rows[i].core);
        dialect_blame_t blame = {.op = op_named (rows[i].op), .core = true};
        const char *text = render (&failure, &blame, NULL);
        char want[128];
        snprintf (want, sizeof want, "\"param\":\"%s\"", rows[i].want ? rows[i].want : "");
        if (!rows[i].want && strstr (text, "\"param\""))
            fail_msg ("%s %s: %s", rows[i].op, rows[i].core, text);
        if (rows[i].want && !strstr (text, want))
            fail_msg ("%s %s: %s", rows[i].op, rows[i].core, text);
    }
    /* What the public reader found has its public name already. */
    failure_t failure = {.code = E_BAD_REQUEST, .field = "text.body"};
    dialect_blame_t blame = {.op = op_named ("sendWhatsAppMessage")};
    assert_non_null (strstr (render (&failure, &blame, NULL), "\"param\":\"text.body\""));
}

static void test_texts (void **state)
{
    (void) state;
    failure_t failure = {0};
    failure_set (&failure, E_BAD_REQUEST, "a\"b", "quotes \" and \\ and \n stay inside");
    assert_non_null (
        strstr (render (&failure, NULL, NULL),
                "\"message\":\"quotes \\\" and \\\\ and \\n stay inside\",\"param\":\"a\\\"b\"}}"));
    failure_set (&failure, E_INTERNAL, "", "row 17 of table secret is odd");
    assert_null (strstr (render (&failure, NULL, NULL), "secret"));
    int status;
    dialect_blame_t blame = {.status = 431};
    failure_set (&failure, E_BAD_REQUEST, "", "headers too long");
    render (&failure, &blame, &status);
    assert_int_equal (status, 431);
}

static void test_provider (void **state)
{
    (void) state;
    messaging_provider_error_t telnyx = {
        .source = "telnyx", .code = "40008", .message = "Undeliverable"};
    messaging_provider_error_t meta = {
        .source = "meta", .code = "131047", .message = "Re-engagement", .fbtrace_id = "Axy"};
    failure_t failure = {.code = E_MESSAGE_UNDELIVERABLE};
    dialect_blame_t blame = {.provider = &telnyx};
    assert_non_null (strstr (
        render (&failure, &blame, NULL),
        "\"provider\":{\"source\":\"telnyx\",\"code\":\"40008\",\"message\":\"Undeliverable\"}"));
    blame.provider = &meta;
    assert_non_null (strstr (
        render (&failure, &blame, NULL),
        "{\"source\":\"meta\",\"code\":131047,\"message\":\"Re-engagement\",\"fbtrace_id\":\"Axy\"}"));
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_every_code),
                                       cmocka_unit_test (test_param), cmocka_unit_test (test_texts),
                                       cmocka_unit_test (test_provider)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
