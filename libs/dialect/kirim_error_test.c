/* kirim_error_test.c - every code of the house has one of the seven types, a code and a status; fields are told by the client's names; what may be tried again is no outcome. */
#include "dialect/dialect.h"

#include "gen/kirim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

typedef struct look {
    int code;
    const char *field, *type, *word;
    int status;
} look_t;

static const look_t looks[] = {
    {E_BAD_REQUEST, "", "invalid_request_error", "invalid_request", 400},
    {E_BAD_REQUEST, "Content-Type", "invalid_request_error", "invalid_request", 400},
    {E_BAD_REQUEST, "to", "invalid_request_error", "invalid_field_value", 400},
    {E_MISSING_FIELD, "to", "invalid_request_error", "missing_required_field", 400},
    {E_INVALID_PHONE_NUMBER, "to", "invalid_request_error", "invalid_phone_number", 400},
    {E_TEMPLATE_NOT_FOUND, "template.name", "invalid_request_error", "invalid_template_name", 400},
    {E_BAD_LIMIT, "limit", "invalid_request_error", "invalid_limit", 400},
    {E_BAD_CURSOR, "cursor", "invalid_request_error", "invalid_cursor", 400},
    {E_BLOCKED_TARGET, "url", "invalid_request_error", "invalid_webhook_url", 400},
    {E_ALREADY_EXISTS, "name", "invalid_request_error", "invalid_field_value", 400},
    {E_KEY_MISSING, "", "authentication_error", "missing_api_key", 401},
    {E_UNAUTHORIZED, "", "authentication_error", "invalid_api_key", 401},
    {E_KEY_REVOKED, "", "authentication_error", "revoked_api_key", 401},
    {E_KEY_EXPIRED, "", "authentication_error", "expired_api_key", 401},
    {E_FORBIDDEN, "", "permission_error", "organization_suspended", 403},
    {E_NOT_FOUND, "id", "not_found", "resource_not_found", 404},
    {E_METHOD_NOT_ALLOWED, "", "invalid_request_error", "method_not_allowed", 405},
    {E_CONFLICT, "", "conflict", "conflict", 409},
    {E_IDEMPOTENCY_RUNNING, "", "conflict", "idempotency_in_progress", 409},
    {E_SUBSCRIPTION_INACTIVE, "", "conflict", "subscription_not_active", 409},
    {E_SECRET_LIMIT, "", "conflict", "secret_limit_reached", 409},
    {E_TOO_LARGE, "", "invalid_request_error", "invalid_request", 413},
    {E_IDEMPOTENCY_MISMATCH, "", "invalid_request_error", "idempotency_key_reuse", 422},
    {E_NUMBER_NOT_CONNECTED, "", "invalid_request_error", "account_not_connected", 422},
    {E_LAST_SECRET, "", "invalid_request_error", "last_active_secret", 422},
    {E_TEAM_MISMATCH, "", "invalid_request_error", "team_mismatch", 422},
    {E_RATE_LIMITED, "", "rate_limit_error", "rate_limit_exceeded", 429},
    {E_INTERNAL, "", "api_error", "internal_error", 500},
    {E_META_API_ERROR, "", "api_error", "whatsapp_upstream_error", 502},
    {E_WHATSAPP_RATE_LIMITED, "", "api_error", "whatsapp_upstream_error", 502},
    {E_CARRIER_REFUSED, "", "api_error", "whatsapp_upstream_error", 502},
    {E_UNAVAILABLE, "", "api_error", "service_unavailable", 503},
    {E_TIMEOUT, "", "api_error", "service_unavailable", 503},
};

static void test_looks (void **state)
{
    (void) state;
    dialect_blame_t blame = {.request_id = "req_1"};
    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++) {
        const look_t *look = &looks[i];
        failure_t failure = {.code = look->code};
        char want[512], param[64] = "";
        buf_t out = {0};
        snprintf (failure.field, sizeof failure.field, "%s", look->field);
        snprintf (failure.text, sizeof failure.text, "inside");
        if (*look->field && strcmp (look->field, "Content-Type") != 0)
            snprintf (param, sizeof param, "\"param\":\"%s\",", look->field);
        snprintf (want, sizeof want,
                  "{\"error\":{\"type\":\"%s\",\"code\":\"%s\",\"message\":\"%s\",%s\"request_id\":"
                  "\"req_1\"}}",
                  look->type, look->word,
                  look->code == E_INTERNAL ? error_doc (E_INTERNAL) : "inside", param);
        assert_int_equal (dialect_error_render (&dialect_kirim, &failure, &blame, &out),
                          look->status);
        assert_string_equal (buf_text (&out), want);
        buf_free (&out);
    }
}

static void test_every_code (void **state)
{
    (void) state;
    static const char types[] =
        " invalid_request_error authentication_error permission_error not_found conflict "
        "rate_limit_error api_error ";
    for (size_t i = 0; i < schema_kirim_dialect.error_count; i++) {
        const schema_public_error_t *row = &schema_kirim_dialect.errors[i];
        char want[64];
        snprintf (want, sizeof want, " %s ", row->type);
        assert_non_null (strstr (types, want));
        assert_non_null (row->word);
    }
    failure_t failure = {.code = E_NOT_FOUND};
    buf_t out = {0};
    assert_int_equal (dialect_error_render (&dialect_kirim, &failure, NULL, &out), 404);
    assert_non_null (strstr (buf_text (&out), "\"request_id\":\"\""));
    buf_free (&out);
}

static void test_forgets (void **state)
{
    (void) state;
    uint8_t bits[IDEM_FORGETS / 8];
    dialect_forgets (&dialect_kirim, bits);
    static const struct {
        int code;
        bool forgotten;
    } rows[] = {
        {E_BAD_REQUEST, false},
        {E_NOT_FOUND, false},
        {E_ALREADY_EXISTS, false},
        {E_IDEMPOTENCY_MISMATCH, false},
        {E_NUMBER_NOT_CONNECTED, false},
        {E_TEMPLATE_NOT_FOUND, false},
        {E_UNAUTHORIZED, true},
        {E_KEY_EXPIRED, true},
        {E_CONFLICT, true},
        {E_SUBSCRIPTION_INACTIVE, true},
        {E_IDEMPOTENCY_RUNNING, true},
        {E_RATE_LIMITED, true},
        {E_INTERNAL, true},
        {E_META_API_ERROR, true},
        {E_CARRIER_REFUSED, true},
        {E_UNAVAILABLE, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if ((bits[rows[i].code / 8] >> rows[i].code % 8 & 1) != rows[i].forgotten)
            fail_msg ("%s", error_name (rows[i].code));
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_looks),
                                       cmocka_unit_test (test_every_code),
                                       cmocka_unit_test (test_forgets)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
