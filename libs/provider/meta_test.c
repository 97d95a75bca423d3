/* meta_test.c - the Meta adapter: who called, what answers mean, JSON both ways; runs the tests of its other files too. */
#include "meta_test.h"

#include "base/msgpack.h"
#include <stdio.h>
#include <stdlib.h>

/* ---- shared ---- */

turn_t *meta_turn (void)
{
    static const envelope_t nobody;
    turn_t *t = calloc (1, sizeof *t);
    assert_non_null (t);
    t->arena = arena_new (32 << 20);
    t->now = (int64_t) TEST_NOW * 1000;
    t->ask = &nobody;
    assert_non_null (t->arena);
    return t;
}

void meta_turn_end (turn_t *t)
{
    arena_destroy (&t->arena);
    free (t);
}

const provider_account_t *meta_account (void)
{
    static const provider_account_t account = {.base_url = "https://graph.example.test/v23.0",
                                               .token = "EAAG-token",
                                               .app_secret = "app-secret",
                                               .verify_token = "hands",
                                               .waba = "102290129340398"};
    return &account;
}

const messaging_body_t *meta_body (turn_t *t, const char *json)
{
    failure_t failure = {0};
    messaging_body_t *body = json ? arena_new_of (t->arena, messaging_body_t) : NULL;
    if (json && schema_json_read (&messaging_body_type, NULL, bytes_of_str (json), t->arena, body,
                                  &failure)) {
        print_error ("%s: %s\n", json, failure.text);
        assert_true (false);
    }
    return body;
}

static bool is_same (bytes_t a, bytes_t b);

static bool is_same_map (bytes_t a, bytes_t b)
{
    mp_reader_t x = mp_read (a), y = mp_read (b);
    uint32_t pairs = mp_read_map (&x);
    if (pairs != mp_read_map (&y))
        return false;
    for (; pairs > 0; pairs--) {
        bytes_t key = mp_read_str (&x), value = mp_skip (&x), found = {0};
        mp_reader_t in = mp_read (b);
        for (uint32_t left = mp_read_map (&in); left > 0; left--) {
            bytes_t other = mp_read_str (&in), there = mp_skip (&in);
            if (bytes_equal (key, other))
                found = there;
        }
        if (!found.size || !is_same (value, found))
            return false;
    }
    return true;
}

static bool is_same (bytes_t a, bytes_t b)
{
    mp_reader_t x = mp_read (a), y = mp_read (b);
    if (mp_peek (&x) != mp_peek (&y))
        return false;
    if (mp_peek (&x) == MP_MAP)
        return is_same_map (a, b);
    if (mp_peek (&x) != MP_ARRAY)
        return bytes_equal (a, b);
    uint32_t items = mp_read_array (&x);
    bool same = items == mp_read_array (&y);
    for (; same && items > 0; items--)
        same = is_same (mp_skip (&x), mp_skip (&y));
    return same;
}

void meta_same (turn_t *t, const char *name, bytes_t got, const char *want)
{
    bytes_t x = {0}, y = {0};
    failure_t failure = {0};
    bool good = jval_read (t->arena, got, &x, &failure) == 0 &&
                jval_read (t->arena, bytes_of_str (want), &y, &failure) == 0 && is_same (x, y);
    if (!good)
        print_error ("%s: %s\n got  %.*s\n want %s\n", name, failure.text, (int) got.size,
                     (const char *) got.data, want);
    assert_true (good);
}

void meta_same_text (const char *name, const char *got, const char *want)
{
    bool good = got && want ? strcmp (got, want) == 0 : got == want;
    if (!good)
        print_error ("%s: got %s, want %s\n", name, got ? got : "(none)", want ? want : "(none)");
    assert_true (good);
}

/* ---- verify ---- */

static const char signed_body[] =
    "{\"object\":\"whatsapp_business_account\",\"entry\":[{\"id\":\"1\",\"changes\":[{\"field\":\"messages\",\"value\":{\"messages\":[{\"text\":{\"body\":"
    "\"\\u00e9\\ud83d\\udc4d\"}}]}}]}]}";
#define RIGHT "3344249f160bd7943f8280d14d8ce94de68d3ab32df23df3b93e08aad4b16763"

static void test_signature (void **state)
{
    (void) state;
    static const struct {
        const char *header;
        const char *secret;
        const char *body;
        int status;
    } rows[] = {
        {"sha256=" RIGHT, "app-secret", signed_body, 200},
        {"sha256=3344249f160bd7943f8280d14d8ce94de68d3ab32df23df3b93e08aad4b16764", "app-secret",
         signed_body, 401},
        {"sha256=" RIGHT, "other", signed_body, 401},
        {"sha256=" RIGHT, "app-secret", "{}", 401},
        {"sha256=" RIGHT, "", signed_body, 401},
        {"sha256=" RIGHT, NULL, signed_body, 401},
        {"sha256=" RIGHT "00", "app-secret", signed_body, 401},
        {"sha256=3344", "app-secret", signed_body, 401},
        {"sha1=" RIGHT, "app-secret", signed_body, 401},
        {RIGHT, "app-secret", signed_body, 401},
        {"", "app-secret", signed_body, 401},
        {NULL, "app-secret", signed_body, 401},
    };
    assert_int_equal (sizeof signed_body - 1, 154);
    turn_t *t = meta_turn ();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        provider_account_t account = *meta_account ();
        account.app_secret = rows[i].secret;
        schema_pair_t pairs[] = {
            {"content-type", "application/json"},
            {"x-hub-signature-256", rows[i].header ? (char *) rows[i].header : NULL}};
        provider_callback_t callback = {.method = "POST",
                                        .headers = {pairs, rows[i].header ? 2 : 1},
                                        .body = bytes_of_str (rows[i].body),
                                        .now = t->now};
        provider_verdict_t verdict = {0};
        assert_int_equal (provider_meta.verify (t, &account, &callback, &verdict), 0);
        assert_int_equal (verdict.status, rows[i].status);
        assert_int_equal (verdict.take, rows[i].status == 200);
        assert_int_equal (verdict.reason == NULL, verdict.take);
        assert_non_null (verdict.content_type);
        assert_non_null (verdict.answer);
    }
    meta_turn_end (t);
}

static void test_handshake (void **state)
{
    (void) state;
    static const struct {
        const char *mode, *token, *challenge, *ours;
        int status;
    } rows[] = {
        {"subscribe", "hands", "1158201444", "hands", 200},
        {"subscribe", "wrong", "1158201444", "hands", 403},
        {"subscribe", "hand", "1158201444", "hands", 403},
        {"subscribe", "", "1", "", 403},
        {"subscribe", "hands", "1", NULL, 403},
        {"unsubscribe", "hands", "1", "hands", 403},
        {"subscribe", "hands", NULL, "hands", 403},
        {"subscribe", NULL, "1", "hands", 403},
        {NULL, "hands", "1", "hands", 403},
    };
    turn_t *t = meta_turn ();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        provider_account_t account = *meta_account ();
        account.verify_token = rows[i].ours;
        schema_pair_t pairs[] = {{"hub.mode", rows[i].mode},
                                 {"hub.challenge", rows[i].challenge},
                                 {"hub.verify_token", rows[i].token}};
        provider_callback_t callback = {.method = "GET", .query = {pairs, 3}, .now = t->now};
        provider_verdict_t verdict = {0};
        assert_int_equal (provider_meta.verify (t, &account, &callback, &verdict), 0);
        assert_int_equal (verdict.status, rows[i].status);
        assert_false (verdict.take);
        assert_string_equal (verdict.answer, rows[i].status == 200 ? rows[i].challenge : "");
        assert_int_equal (verdict.reason == NULL, rows[i].status == 200);
    }
    provider_callback_t put = {.method = "PUT"};
    provider_verdict_t verdict = {0};
    assert_int_equal (provider_meta.verify (t, meta_account (), &put, &verdict), 0);
    assert_int_equal (verdict.status, 405);
    assert_false (verdict.take);
    meta_turn_end (t);
}

/* ---- answers ---- */

#define ERROR(code, more)                                                                    \
    "{\"error\":{\"message\":\"(#1) Words\",\"type\":\"OAuthException\",\"code\":" code more \
    ",\"fbtrace_id\":\"Az8\"}}"
#define DETAILS(text) \
    ",\"error_data\":{\"messaging_product\":\"whatsapp\",\"details\":\"" text "\"}"

typedef struct answer_row {
    fetch_stage_t stage;
    int status;
    const char *body;
    provider_word_t word;
    int code; /* of the fault; 0 = none */
    const char *native;
    const char *text;
    int64_t wait_ms;
} answer_row_t;

static const answer_row_t answers[] = {
    {FETCH_NOT_SENT, 0, "", PROVIDER_RETRY, E_META_API_UNAVAILABLE, "503", NULL, 0},
    {FETCH_SENT, 0, "", PROVIDER_UNKNOWN, E_META_API_UNAVAILABLE, "503", NULL, 0},
    {FETCH_ANSWERED, 200,
     "{\"messaging_product\":\"whatsapp\",\"contacts\":[{\"input\":\"1\",\"wa_id\":\"1\"}],\"messages\":[{\"id\":\"wamid.A\",\"message_status\":\"accepted\"}]}",
     PROVIDER_ACCEPTED, 0, "wamid.A", NULL, 0},
    {FETCH_ANSWERED, 200, "{\"success\":true}", PROVIDER_ACCEPTED, 0, NULL, NULL, 0},
    {FETCH_ANSWERED, 200, "{\"messages\":[{\"id\":7}]}", PROVIDER_UNKNOWN, 0, NULL,
     "An answer without a message id", 0},
    {FETCH_ANSWERED, 200, "{\"messages\":", PROVIDER_UNKNOWN, E_META_API_UNAVAILABLE, "503", NULL,
     0},
    {FETCH_ANSWERED, 200, "", PROVIDER_UNKNOWN, E_META_API_UNAVAILABLE, "503", NULL, 0},
    {FETCH_ANSWERED, 400, ERROR ("100", DETAILS ("to is bad")), PROVIDER_REFUSED, E_BAD_REQUEST,
     "100", "to is bad", 0},
    {FETCH_ANSWERED, 400, ERROR ("131030", ",\"error_user_msg\":\"Not listed\""), PROVIDER_REFUSED,
     E_BAD_REQUEST, "131030", "Not listed", 0},
    {FETCH_ANSWERED, 401, ERROR ("190", ""), PROVIDER_REFUSED, E_CARRIER_CREDENTIALS, "190",
     "(#1) Words", 0},
    {FETCH_ANSWERED, 403, ERROR ("210", ""), PROVIDER_REFUSED, E_CARRIER_CREDENTIALS, "210",
     "(#1) Words", 0},
    {FETCH_ANSWERED, 401, ERROR ("0", ""), PROVIDER_REFUSED, E_CARRIER_CREDENTIALS, "0",
     "(#1) Words", 0},
    {FETCH_ANSWERED, 403, ERROR ("368", ""), PROVIDER_REFUSED, E_ACCOUNT_RESTRICTED, "368",
     "(#1) Words", 0},
    {FETCH_ANSWERED, 400, ERROR ("131047", ""), PROVIDER_REFUSED, E_CONVERSATION_WINDOW_EXPIRED,
     "131047", "(#1) Words", 0},
    {FETCH_ANSWERED, 400, ERROR ("131050", ""), PROVIDER_REFUSED, E_MESSAGE_UNDELIVERABLE, "131050",
     "(#1) Words", 0},
    {FETCH_ANSWERED, 400, ERROR ("131053", DETAILS ("Media file size too big")), PROVIDER_REFUSED,
     E_MEDIA_TOO_LARGE, "131053", "Media file size too big", 0},
    {FETCH_ANSWERED, 400, ERROR ("131053", DETAILS ("Unsupported type")), PROVIDER_REFUSED,
     E_BAD_REQUEST, "131053", "Unsupported type", 0},
    {FETCH_ANSWERED, 404, ERROR ("132001", ""), PROVIDER_REFUSED, E_TEMPLATE_NOT_FOUND, "132001",
     "(#1) Words", 0},
    {FETCH_ANSWERED, 400, ERROR ("132000", ""), PROVIDER_REFUSED, E_TEMPLATE_PARAMETER_MISMATCH,
     "132000", "(#1) Words", 0},
    {FETCH_ANSWERED, 400, ERROR ("133010", ""), PROVIDER_REFUSED, E_CARRIER_REFUSED, "133010",
     "(#1) Words", 0},
    {FETCH_ANSWERED, 400, ERROR ("131215", ""), PROVIDER_REFUSED, E_GROUPS_NOT_ELIGIBLE, "131215",
     "(#1) Words", 0},
    {FETCH_ANSWERED, 429, ERROR ("131048", ""), PROVIDER_REFUSED, E_WHATSAPP_RATE_LIMITED, "131048",
     "(#1) Words", 0},
    {FETCH_ANSWERED, 400, ERROR ("2388040", ""), PROVIDER_REFUSED, E_META_API_ERROR, "2388040",
     "(#1) Words", 0},
    {FETCH_ANSWERED, 500, ERROR ("131005", ""), PROVIDER_REFUSED, E_CARRIER_CREDENTIALS, "131005",
     "(#1) Words", 0},
    {FETCH_ANSWERED, 400, ERROR ("1", ""), PROVIDER_RETRY, E_META_API_ERROR, "1", "(#1) Words", 0},
    {FETCH_ANSWERED, 503, ERROR ("2", ""), PROVIDER_RETRY, E_META_API_UNAVAILABLE, "2",
     "(#1) Words", 0},
    {FETCH_ANSWERED, 400, ERROR ("4", ""), PROVIDER_RETRY, E_WHATSAPP_RATE_LIMITED, "4",
     "(#1) Words", 5000},
    {FETCH_ANSWERED, 400, ERROR ("80007", ""), PROVIDER_RETRY, E_WHATSAPP_RATE_LIMITED, "80007",
     "(#1) Words", 5000},
    {FETCH_ANSWERED, 429, ERROR ("130429", ""), PROVIDER_RETRY, E_WHATSAPP_RATE_LIMITED, "130429",
     "(#1) Words", 1000},
    {FETCH_ANSWERED, 400, ERROR ("131056", ""), PROVIDER_RETRY, E_WHATSAPP_RATE_LIMITED, "131056",
     "(#1) Words", 4000},
    {FETCH_ANSWERED, 500, ERROR ("131000", ""), PROVIDER_RETRY, E_META_API_ERROR, "131000",
     "(#1) Words", 0},
    {FETCH_ANSWERED, 503, ERROR ("131016", ""), PROVIDER_RETRY, E_META_API_UNAVAILABLE, "131016",
     "(#1) Words", 0},
    {FETCH_ANSWERED, 500, ERROR ("131057", ""), PROVIDER_RETRY, E_META_API_UNAVAILABLE, "131057",
     "(#1) Words", 5000},
    {FETCH_ANSWERED, 503, ERROR ("133004", ""), PROVIDER_RETRY, E_META_API_UNAVAILABLE, "133004",
     "(#1) Words", 0},
    {FETCH_ANSWERED, 400, ERROR ("99", ",\"is_transient\":true"), PROVIDER_RETRY, E_META_API_ERROR,
     "99", "(#1) Words", 0},
    {FETCH_ANSWERED, 400, ERROR ("[]", ""), PROVIDER_REFUSED, E_META_API_ERROR, "500", "(#1) Words",
     0},
    {FETCH_ANSWERED, 502, "<html>Bad gateway</html>", PROVIDER_RETRY, E_META_API_UNAVAILABLE, "503",
     NULL, 0},
    {FETCH_ANSWERED, 500, "", PROVIDER_RETRY, E_META_API_UNAVAILABLE, "503", NULL, 0},
    {FETCH_ANSWERED, 429, "", PROVIDER_RETRY, E_WHATSAPP_RATE_LIMITED, "130429", NULL, 0},
    {FETCH_ANSWERED, 404, "nothing here", PROVIDER_REFUSED, E_META_API_ERROR, "500", NULL, 0},
    {FETCH_ANSWERED, 302, "", PROVIDER_REFUSED, E_META_API_ERROR, "500", NULL, 0},
};

static void check_answer (turn_t *t, size_t i, const answer_row_t *row)
{
    char name[200];
    snprintf (name, sizeof name, "row %zu: %.150s", i, row->body);
    outcome_t outcome = {
        .stage = row->stage, .status = row->status, .body = bytes_of_str (row->body)};
    provider_result_t result;
    provider_meta.answer (t, &outcome, &result);
    if (result.word != row->word || (result.fault ? result.fault->code : 0) != row->code)
        print_error ("%s: word %d, code %d\n", name, (int) result.word,
                     result.fault ? result.fault->code : 0);
    assert_int_equal (result.word, row->word);
    assert_int_equal (result.fault ? result.fault->code : 0, row->code);
    assert_int_equal (result.retry_after_ms, row->wait_ms);
    meta_same_text (name, result.fault ? result.fault->native : result.ids[0], row->native);
    meta_same_text (name, result.native_text, row->text);
    bool traced = result.fault && strstr (row->body, "fbtrace_id");
    meta_same_text (name, result.fbtrace_id, traced ? "Az8" : NULL);
}

static void test_answers (void **state)
{
    (void) state;
    turn_t *t = meta_turn ();
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
        check_answer (t, i, &answers[i]);
    meta_turn_end (t);
}

/* What the answer says about when is obeyed, up to an hour. */
static void test_waits (void **state)
{
    (void) state;
    static const struct {
        const char *headers;
        int64_t retry_after_ms, want;
    } rows[] = {
        {NULL, 0, 5000},
        {NULL, 90000, 90000},
        {NULL, INT64_MAX, 3600000},
        {"x-business-use-case-usage: {\"1\":[{\"type\":\"m\",\"estimated_time_to_regain_access\":19}]}\r\n",
         0, 19 * 60000},
        {"x-business-use-case-usage: {\"1\":[{\"estimated_time_to_regain_access\":99999999999999999999}]}\r\n",
         0, 3600000},
        {"x-business-use-case-usage: {\"1\":[{\"estimated_time_to_regain_access\":-5}]}\r\n", 0,
         5000},
    };
    turn_t *t = meta_turn ();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        outcome_t outcome = {.stage = FETCH_ANSWERED,
                             .status = 429,
                             .headers = rows[i].headers,
                             .body = bytes_of_str (ERROR ("80007", "")),
                             .retry_after_ms = rows[i].retry_after_ms};
        provider_result_t result;
        provider_meta.answer (t, &outcome, &result);
        assert_int_equal (result.word, PROVIDER_RETRY);
        assert_int_equal (result.retry_after_ms, rows[i].want);
    }
    meta_turn_end (t);
}

static void test_numbers (void **state)
{
    (void) state;
    static const struct {
        const char *in, *want;
    } rows[] = {
        {"14155550123", "+14155550123"},
        {"+1 415-555-0100", "+14155550100"},
        {"+14155550123", "+14155550123"},
        {"US.1349", "US.1349"},
        {"", ""},
        {"0123", "0123"},
        {"1234567890123456", "1234567890123456"},
        {"12345678901234567890", "12345678901234567890"},
    };
    turn_t *t = meta_turn ();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal (meta_e164 (t->arena, rows[i].in), rows[i].want);
    assert_null (meta_e164 (t->arena, NULL));
    assert_string_equal (meta_cut (t->arena, "\xc3\xa9\xf0\x9f\x91\x8dx", 2),
                         "\xc3\xa9\xf0\x9f\x91\x8d");
    meta_turn_end (t);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_signature), cmocka_unit_test (test_handshake),
        cmocka_unit_test (test_answers),   cmocka_unit_test (test_waits),
        cmocka_unit_test (test_numbers),
    };
    if (sign_init ())
        return 1;
    int failed = cmocka_run_group_tests_name ("meta", tests, NULL, NULL);
    failed += meta_outward_tests ();
    return failed + meta_inbound_tests ();
}
