/* parts_test.c - small pure parts: SMS segments, signatures (vectors of the provider specs), routes, keywords, media types, settings. */
#include "callbacks.h"
#include "segments.h"
#include "telnyx.h"
#include "test.h"

#include "sign/sign.h"
#include <stdlib.h>

static char *repeated (const char *text, size_t count)
{
    char *out = must_alloc (strlen (text) * count + 1);
    for (size_t i = 0; i < count; i++)
        memcpy (out + i * strlen (text), text, strlen (text) + 1);
    return out;
}

static void counts_segments (void **state)
{
    static const struct {
        const char *text;
        size_t times, parts;
        bool ucs2;
    } rows[] = {{"", 1, 1, false},
                {"a", 160, 1, false},
                {"a", 161, 2, false},
                {"a", 306, 2, false},
                {"a", 307, 3, false},
                {"\xe2\x82\xac", 80, 1, false},
                {"\xe2\x82\xac", 81, 2, false},
                {"[", 80, 1, false},
                {"\xc3\xa9", 160, 1, false},
                {"\xc3\xa7", 70, 1, true},
                {"\xc3\xa7", 71, 2, true},
                {"\xf0\x9f\x98\x80", 35, 1, true},
                {"\xf0\x9f\x98\x80", 36, 2, true},
                {"\xd0\x96", 135, 3, true},
                {"`", 1, 1, true},
                {"\n", 160, 1, false}};
    (void) state;
    for (size_t i = 0; i < COUNT_OF (rows); i++) {
        char *text = repeated (rows[i].text, rows[i].times);
        segments_t got = segments_of (text, false);
        assert_int_equal (got.parts, rows[i].parts);
        assert_int_equal (got.ucs2, rows[i].ucs2);
        free (text);
    }
    assert_true (segments_of ("a", true).ucs2);
}

static void signs_as_the_specs_say (void **state)
{
    static const char meta_body[] =
        "{\"object\":\"whatsapp_business_account\",\"entry\":[{\"id\":\"1\",\"changes\":[{"
        "\"field\":\"messages\",\"value\":{\"messages\":[{\"text\":{\"body\":\"\\u00e9\\ud83d\\udc4d\"}"
        "}]}}]}]}";
    static const char telnyx_body[] =
        "{\"data\":{\"event_type\":\"message.received\",\"id\":\"1\",\"payload\":{},\"record_type\":"
        "\"event\"},\"meta\":{\"attempt\":1,\"delivered_to\":\"https://example.org/hook\"}}";
    char meta[72], telnyx[89];
    (void) state;
    signature_meta ("app-secret", bytes_of_str (meta_body), meta);
    assert_string_equal (meta,
                         "sha256=3344249f160bd7943f8280d14d8ce94de68d3ab32df23df3b93e08aad4b16763");
    sim_t *sim = sim_new ();
    signature_telnyx (sim->telnyx_secret, "1760000000", bytes_of_str (telnyx_body), telnyx);
    assert_string_equal (telnyx,
                         "e8YzsMfTtNp+9YEwOzU1+xp/OiQE9+bBd0D90yT8whSXSG18yYRI9Td2iFw0UB0Qh4Dm"
                         "JRt8+aFa5p81WcP0Ag==");
    sim_destroy (&sim);
}

static void matches_routes (void **state)
{
    static const struct {
        const char *pattern, *path, *first;
        bool want;
    } rows[] = {{"/", "/", NULL, true},
                {"/{}/messages", "/123/messages", "123", true},
                {"/{}/messages", "/123/messages/", "123", true},
                {"/{}/messages", "/123/media", NULL, false},
                {"/{}/messages", "/123", NULL, false},
                {"/{}", "/123", "123", true},
                {"/{}", "/", NULL, false},
                {"/a/{}/b", "/a/x/b", "x", true},
                {"/a/{}/b", "/a/x/b/c", NULL, false}};
    arena_t *arena = arena_new (1 << 16);
    (void) state;
    for (size_t i = 0; i < COUNT_OF (rows); i++) {
        const char *params[4];
        assert_int_equal (route_match (arena, rows[i].pattern, rows[i].path, params), rows[i].want);
        if (rows[i].first != NULL)
            assert_string_equal (params[0], rows[i].first);
    }
    arena_destroy (&arena);
}

static void knows_keywords_and_numbers (void **state)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"STOP", "STOP"},    {" stop all\n", "STOP"}, {"Unsubscribe", "STOP"}, {"start", "START"},
        {"UNSTOP", "START"}, {"help", "HELP"},        {"stop it", NULL},       {"", NULL}};
    char digits[24];
    (void) state;
    for (size_t i = 0; i < COUNT_OF (rows); i++) {
        const char *got = telnyx_keyword (rows[i].text);
        assert_int_equal (got != NULL, rows[i].want != NULL);
        if (got != NULL)
            assert_string_equal (got, rows[i].want);
    }
    digits_of ("+1 (415) 555-0123", digits, sizeof digits);
    assert_string_equal (digits, "14155550123");
    digits_of ("Y2FwaV9n", digits, sizeof digits);
    assert_string_equal (digits, "Y2FwaV9n");
}

static void sniffs_media (void **state)
{
    (void) state;
    assert_string_equal (media_sniff (bytes_of ("\x89PNG\r\n", 6)), "image/png");
    assert_string_equal (media_sniff (bytes_of ("RIFF\0\0\0\0WEBP", 12)), "image/webp");
    assert_string_equal (media_sniff (bytes_of ("OggS", 4)), "audio/ogg");
    assert_string_equal (media_sniff (bytes_of ("plain", 5)), "text/plain");
    assert_string_equal (media_sniff (bytes_of ("\0\1", 2)), "application/octet-stream");
    assert_string_equal (media_sniff (bytes_of (NULL, 0)), "application/octet-stream");
}

static void settings_are_checked_before_any_is_set (void **state)
{
    static const struct {
        const char *in, *wrong;
    } rows[] = {{"{\"nope\":1}", "nope"},
                {"{\"callback_delay_ms\":7,\"window\":\"ajar\"}", "window"},
                {"{\"callback_delay_ms\":7,\"read_receipts\":1}", "read_receipts"},
                {"{\"callback_delay_ms\":-1}", "callback_delay_ms"},
                {"{\"telnyx_seed\":\"00\"}", "telnyx_seed"},
                {"{\"meta_callback\":\"ftp://x\"}", "meta_callback"}};
    settings_t settings;
    (void) state;
    settings_init (&settings);
    for (size_t i = 0; i < COUNT_OF (rows); i++) {
        cJSON *in = json_of (rows[i].in);
        assert_string_equal (settings_merge (&settings, in), rows[i].wrong);
        assert_int_equal (settings.callback_delay_ms, 50);
        cJSON_Delete (in);
    }
    cJSON *in = json_of ("{\"callback_delay_ms\":7,\"window\":\"off\",\"meta_app_secret\":null}");
    assert_null (settings_merge (&settings, in));
    assert_int_equal (settings.callback_delay_ms, 7);
    assert_int_equal (settings_window (&settings), WINDOW_OFF);
    assert_string_equal (settings.meta_app_secret, "sim-app-secret");
    assert_int_equal (settings_set (&settings, "nope", "1"), -1);
    assert_int_equal (settings_set (&settings, "order_ms", "x"), -2);
    assert_int_equal (settings_set (&settings, "order_ms", "5"), 0);
    cJSON_Delete (in);
    settings_free (&settings);
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (counts_segments),
                                       cmocka_unit_test (signs_as_the_specs_say),
                                       cmocka_unit_test (matches_routes),
                                       cmocka_unit_test (knows_keywords_and_numbers),
                                       cmocka_unit_test (sniffs_media),
                                       cmocka_unit_test (settings_are_checked_before_any_is_set)};
    return sign_init () != 0 ? 1 : cmocka_run_group_tests (tests, NULL, NULL);
}
