/* client_test.c - clients of a house that is not there, and its credentials. */
#include "client.h"
#include "cli.h"
#include "files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void no_broker_is_unavailable (void **state)
{
    (void) state;
    char folder[] = "/tmp/aviary-client-XXXXXX", run[64];
    assert_non_null (mkdtemp (folder));
    snprintf (run, sizeof run, "%s/run", folder);
    assert_int_equal (folder_make (run), 0);
    client_t *client = NULL;
    failure_t failure = {0};
    assert_int_equal (client_open (folder, 100, &client, &failure), E_UNAVAILABLE);
    assert_null (client);
    assert_non_null (strstr (failure.text, "aviary up"));
    assert_int_equal (cli_exit_code (failure.code), EX_UNAVAILABLE);
    assert_int_equal (client_open (folder, 0, &client, &failure), 0); /* nobody waits */
    assert_false (client_connected (client));
    arena_t *arena = arena_new (1 << 16);
    uint64_t in[4] = {0};
    assert_int_equal (client_ask (client, "broker.nothing", NULL, in, in, arena, 100, &failure),
                      E_NOT_FOUND);
    arena_destroy (&arena);
    client_close (&client);
    client_close (&client);
    rmdir (run);
    rmdir (folder);
}

static void http_to_nobody_is_unavailable (void **state)
{
    (void) state;
    int status = 7;
    buf_t answer = {0};
    failure_t failure = {0};
    int rc = client_http ("POST", "http://127.0.0.1:1/v1/sms", "key", NULL, "{}", &status, &answer,
                          &failure);
    assert_int_equal (rc, E_UNAVAILABLE);
    assert_int_equal (status, 0);
    buf_free (&answer);
}

static void credentials_are_read (void **state)
{
    (void) state;
    static const struct {
        const char *text;
        int want;
    } rows[] = {
        {"{\"base_url\": \"http://x\", \"organization_id\": \"org_1\", \"admin_key\": \"a\", \"app\": {\"id\": \"app_1\", "
         "\"live_key\": \"l\", \"test_app_id\": \"app_2\", \"test_key\": \"t\"}}",
         0},
        {"{\"base_url\": 5}", 0},
        {"nonsense", E_NOT_FOUND},
        {"", E_NOT_FOUND},
        {NULL, E_NOT_FOUND},
    };
    char folder[] = "/tmp/aviary-client-XXXXXX", path[64];
    assert_non_null (mkdtemp (folder));
    snprintf (path, sizeof path, "%s/credentials.json", folder);
    arena_t *arena = arena_new (1 << 16);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        credentials_t got = {0};
        failure_t failure = {0};
        unlink (path);
        if (rows[i].text)
            assert_int_equal (file_replace (path, bytes_of_str (rows[i].text)), 0);
        assert_int_equal (credentials_read (folder, arena, &got, &failure), rows[i].want);
        if (i == 0) {
            assert_string_equal (got.base_url, "http://x");
            assert_string_equal (got.test_key, "t");
            assert_string_equal (got.app_id, "app_1");
        }
        if (i == 1)
            assert_string_equal (got.base_url, "");
    }
    arena_destroy (&arena);
    unlink (path);
    rmdir (folder);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (no_broker_is_unavailable),
        cmocka_unit_test (http_to_nobody_is_unavailable),
        cmocka_unit_test (credentials_are_read),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
