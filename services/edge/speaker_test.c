/* speaker_test.c - whose request it is: mounts, hosts, shapes of paths, and every overlap of the two contracts. */
#include "speaker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

typedef struct row {
    const char *host, *path, *want, *contract; /* contract NULL = as sent */
    bool sure;
} row_t;

static const row_t rows[] = {
    {NULL, "/v1/health", "kirim", NULL, false},
    {NULL, "/v1/openapi.json", "kirim", NULL, false},
    {NULL, "/v1/me", "kirim", NULL, false},
    {NULL, "/v1/accounts", "kirim", NULL, false},
    {NULL, "/v1/me/more", "kirim", NULL, false},
    {NULL, "/v1/%6De", "kirim", NULL, false},
    {NULL, "/v1/106540352242922/messages", "kirim", NULL, false},
    {NULL, "/v1/12/messages", "kirim", NULL, false},
    {NULL, "/v1/12a/messages", "chirp", NULL, false},
    {NULL, "/v1/whatsapp/messages", "chirp", NULL, false},
    {NULL, "/v1/whatsapp/messages/read", "chirp", NULL, false},
    {NULL, "/v1/whatsapp/templates", "chirp", NULL, false},
    {NULL, "/v1/whatsapp/templates/name", "chirp", NULL, false},
    {NULL, "/v1/webhooks", "chirp", NULL, false},
    {NULL, "/v1/messages", "chirp", NULL, false},
    {NULL, "/v1/contacts", "chirp", NULL, false},
    {NULL, "/v1/sms", "chirp", NULL, false},
    {NULL, "/v1/mes", "chirp", NULL, false},
    {NULL, "/v1/Me", "chirp", NULL, false},
    {NULL, "/v1/", "chirp", NULL, false},
    {NULL, "/v1", "chirp", NULL, false},
    {NULL, "/v1x/me", "chirp", NULL, false},
    {NULL, "/v1/%", "chirp", NULL, false},
    {NULL, "//v1/me", "chirp", NULL, false},
    {NULL, "/kirim/v1/me", "kirim", "/v1/me", true},
    {NULL, "/kirim/v1/whatsapp/messages", "kirim", "/v1/whatsapp/messages", true},
    {NULL, "/kirim/v1/sms", "kirim", "/v1/sms", true},
    {NULL, "/kirim/v1", "kirim", "/v1", true},
    {NULL, "/kirim/v12/me", "chirp", NULL, false},
    {NULL, "/kirim", "chirp", NULL, false},
    {NULL, "*", "chirp", NULL, false},
    {NULL, "", "chirp", NULL, false},
    {"kirim.example.org", "/v1/sms", "kirim", NULL, true},
    {"KIRIM.example.org:8080", "/v1/whatsapp/messages", "kirim", NULL, true},
    {"kirim.example.org.evil", "/v1/sms", "chirp", NULL, false},
    {"example.org", "/v1/sms", "chirp", NULL, false},
    {"example.org", "/v1/me", "kirim", NULL, false},
    {"kirim.example.org", "/healthz", "chirp", NULL, false},
};

static size_t speakers_make (speaker_t *out, const char *kirim)
{
    failure_t failure = {0};
    assert_int_equal (speaker_set (&out[0], &dialect_chirp, "/v1", "", &failure), 0);
    assert_int_equal (speaker_set (&out[1], &dialect_kirim, kirim, "kirim.example.org", &failure),
                      0);
    return 2;
}

static void speakers_clear (speaker_t *speakers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        speaker_clear (&speakers[i]);
}

static void test_rows (void **state)
{
    (void) state;
    arena_t *arena = arena_new (1 << 20);
    speaker_t speakers[SPEAKERS_MAX] = {0};
    size_t count = speakers_make (speakers, "/v1,/kirim/v1");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        speaker_choice_t got = speaker_choose (speakers, count, rows[i].path, rows[i].host, arena);
        if (strcmp (got.speaker->dialect->name, rows[i].want) != 0 || got.sure != rows[i].sure)
            fail_msg ("%s: %s", rows[i].path, got.speaker->dialect->name);
        assert_string_equal (got.path, rows[i].contract ? rows[i].contract : rows[i].path);
    }
    speakers_clear (speakers, count);
    arena_destroy (&arena);
}

/* No operation of one is taken by the other, wherever its parameters lead. */
static void test_every_operation (void **state)
{
    (void) state;
    arena_t *arena = arena_new (1 << 20);
    speaker_t speakers[SPEAKERS_MAX] = {0};
    size_t count = speakers_make (speakers, "/v1,/kirim/v1");
    for (size_t s = 0; s < count; s++)
        for (size_t i = 0; i < speakers[s].dialect->schema->op_count; i++) {
            const schema_public_t *op = &speakers[s].dialect->schema->ops[i];
            if (op->is_picked)
                continue;
            buf_t path = buf_in (arena);
            for (const char *at = op->path; *at; at++) {
                if (*at != '{') {
                    buf_add_byte (&path, (uint8_t) *at);
                    continue;
                }
                buf_add_str (&path, "106540352242922");
                at = strchr (at, '}');
            }
            speaker_choice_t got = speaker_choose (speakers, count, buf_text (&path), NULL, arena);
            route_match_t match;
            assert_ptr_equal (got.speaker, &speakers[s]);
            assert_int_equal (route_find (got.speaker->routes, op->method, got.path, arena, &match),
                              0);
        }
    speakers_clear (speakers, count);
    arena_destroy (&arena);
}

static void test_own_mount (void **state)
{
    (void) state;
    arena_t *arena = arena_new (1 << 20);
    speaker_t speakers[SPEAKERS_MAX] = {0};
    size_t count = speakers_make (speakers, "/kirim/v1");
    speaker_choice_t got = speaker_choose (speakers, count, "/v1/me", NULL, arena);
    assert_ptr_equal (got.speaker, &speakers[0]);
    assert_true (got.sure);
    speakers_clear (speakers, count);
    arena_destroy (&arena);
}

static void test_keys (void **state)
{
    (void) state;
    speaker_t speakers[SPEAKERS_MAX] = {0};
    size_t count = speakers_make (speakers, "/v1");
    assert_ptr_equal (speaker_of_key (speakers, count, "kdv_live_x"), &speakers[1]);
    assert_ptr_equal (speaker_of_key (speakers, count, "kdv_"), &speakers[1]);
    assert_null (speaker_of_key (speakers, count, "sk_test_app_x"));
    assert_null (speaker_of_key (speakers, count, ""));
    assert_null (speaker_of_key (speakers, count, NULL));
    speakers_clear (speakers, count);
}

static void test_refused (void **state)
{
    (void) state;
    static const char *const mounts[] = {"",          "v1",
                                         "/v2",       "/kirim",
                                         "/v1,",      "/v1,,/kirim/v1",
                                         "/KIRIM/v1", "/a b/v1",
                                         "/v1/,/v1",  "/a/v1,/b/v1,/c/v1,/d/v1,/e/v1"};
    for (size_t i = 0; i < sizeof mounts / sizeof *mounts; i++) {
        speaker_t speaker = {0};
        failure_t failure = {0};
        int code = speaker_set (&speaker, &dialect_kirim, mounts[i], "", &failure);
        if (strcmp (mounts[i], "/v1,") == 0)
            assert_int_equal (code, 0);
        else if (code != E_BAD_REQUEST)
            fail_msg ("%s: %d", mounts[i], code);
        speaker_clear (&speaker);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_rows), cmocka_unit_test (test_every_operation),
        cmocka_unit_test (test_own_mount), cmocka_unit_test (test_keys),
        cmocka_unit_test (test_refused)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
