/* fetch_test.c - transfers against a scripted server on loopback: stages, guard, limits, repeats. */
#include "fetch/fetch.h"
#include "fetch/http_peer_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <cmocka.h>

typedef struct seen {
    unsigned calls;
    fetch_stage_t stage;
    int status;
    int code;
    bool truncated;
    size_t body_size;
    int64_t retry_after_ms;
    char address[64];
    char body[8192];
    char headers[1024];
    char reason[160];
} seen_t;

static void on_done (void *context, const fetch_answer_t *answer)
{
    seen_t *seen = context;
    seen->calls++;
    seen->stage = answer->stage;
    seen->status = answer->status;
    seen->code = answer->code;
    seen->truncated = answer->truncated;
    seen->body_size = answer->body.size;
    seen->retry_after_ms = answer->retry_after_ms;
    snprintf (seen->address, sizeof seen->address, "%s", answer->address);
    snprintf (seen->headers, sizeof seen->headers, "%s", answer->headers);
    snprintf (seen->reason, sizeof seen->reason, "%s", answer->reason);
    size_t size = answer->body.size < sizeof seen->body ? answer->body.size : sizeof seen->body - 1;
    if (size > 0)
        memcpy (seen->body, answer->body.data, size);
    seen->body[size] = '\0';
}

typedef struct fixture {
    http_peer_t *peer;
    fetch_t *fetch;
} fixture_t;

static fetch_t *fetch_made (const char *allow, unsigned per_host)
{
    fetch_config_t config = {
        .allow = allow, .allow_http = true, .per_host = per_host, .user_agent = "Aviary-Test"};
    fetch_t *fetch = NULL;
    failure_t failure = {0};
    assert_int_equal (fetch_new (&config, &fetch, &failure), E_OK);
    return fetch;
}

static int set_up (void **state)
{
    fixture_t *fixture = calloc (1, sizeof *fixture);
    fixture->peer = http_peer_new ();
    fixture->fetch = fetch_made ("127.0.0.0/8", 0);
    *state = fixture;
    return 0;
}

static int tear_down (void **state)
{
    fixture_t *fixture = *state;
    fetch_destroy (&fixture->fetch);
    http_peer_destroy (&fixture->peer);
    free (fixture);
    return 0;
}

static void run_all (fetch_t *fetch)
{
    while (fetch_running (fetch) > 0)
        fetch_work (fetch, 1000, -1);
}

static void url_of (const fixture_t *fixture, const char *path, char out[256])
{
    snprintf (out, 256, "http://127.0.0.1:%u%s", http_peer_port (fixture->peer), path);
}

static seen_t fetch_one (fixture_t *fixture, const char *path, fetch_request_t request)
{
    char url[256];
    seen_t seen = {0};
    if (request.url == NULL) {
        url_of (fixture, path, url);
        request.url = url;
    }
    if (request.method == NULL)
        request.method = "POST";
    if (request.timeout_ms == 0)
        request.timeout_ms = 5000;
    fetch_start (fixture->fetch, &request, on_done, &seen);
    assert_int_equal (seen.calls, 0); /* never from fetch_start */
    run_all (fixture->fetch);
    assert_int_equal (seen.calls, 1);
    return seen;
}

static void post_is_answered (void **state)
{
    fixture_t *fixture = *state;
    const char *headers[] = {"Content-Type: application/json", "X-Mine: 1", NULL};
    seen_t seen = fetch_one (
        fixture, "/echo?a=b",
        (fetch_request_t){.headers = headers, .body = bytes_of_str ("{\"a\":1}"), .guarded = true});
    assert_int_equal (seen.stage, FETCH_ANSWERED);
    assert_int_equal (seen.status, 200);
    assert_int_equal (seen.code, 0);
    assert_string_equal (seen.address, "127.0.0.1");
    assert_non_null (strstr (seen.body, "POST /echo?a=b HTTP/1.1\r\n"));
    assert_non_null (strstr (seen.body, "X-Mine: 1\r\n"));
    assert_non_null (strstr (seen.body, "User-Agent: Aviary-Test\r\n"));
    assert_non_null (strstr (seen.body, "\r\n\r\n{\"a\":1}"));
    assert_null (strstr (seen.body, "Expect:"));
}

static void header_of_answer_is_found (void **state)
{
    (void) state;
    fetch_answer_t answer = {.headers = "HTTP/1.1 200 OK\r\nX-Peer:  yes \r\nX-Empty:\r\n\r\n"};
    bytes_t value = {0};
    assert_true (fetch_header (&answer, "x-peer", &value));
    assert_true (bytes_equal (value, bytes_of_str ("yes")));
    assert_true (fetch_header (&answer, "X-Empty", &value));
    assert_int_equal (value.size, 0);
    assert_false (fetch_header (&answer, "X-Pee", &value));
    answer.headers = NULL;
    assert_false (fetch_header (&answer, "X-Peer", &value));
}

static void big_post_has_no_expect (void **state)
{
    fixture_t *fixture = *state;
    char *body = malloc (200000);
    memset (body, 'x', 200000);
    seen_t seen = fetch_one (fixture, "/echo", (fetch_request_t){.body = bytes_of (body, 200000)});
    free (body);
    assert_int_equal (seen.stage, FETCH_ANSWERED);
    assert_null (strstr (seen.body, "Expect:"));
    assert_null (strstr (seen.body, "Content-Type:"));
}

typedef struct method_row {
    const char *method;
    const char *body;
    const char *want;
} method_row_t;

static void methods_are_sent_as_given (void **state)
{
    fixture_t *fixture = *state;
    const method_row_t rows[] = {
        {"GET", NULL, "GET /echo HTTP/1.1\r\n"},       {"GET", "x", "GET /echo HTTP/1.1\r\n"},
        {"POST", NULL, "POST /echo HTTP/1.1\r\n"},     {"PUT", "x", "PUT /echo HTTP/1.1\r\n"},
        {"DELETE", NULL, "DELETE /echo HTTP/1.1\r\n"}, {"PATCH", "x", "PATCH /echo HTTP/1.1\r\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fetch_request_t request = {.method = rows[i].method};
        if (rows[i].body != NULL)
            request.body = bytes_of_str (rows[i].body);
        seen_t seen = fetch_one (fixture, "/echo", request);
        assert_int_equal (seen.stage, FETCH_ANSWERED);
        assert_memory_equal (seen.body, rows[i].want, strlen (rows[i].want));
        assert_true ((strstr (seen.body, "\r\n\r\nx") != NULL) == (rows[i].body != NULL));
    }
    seen_t seen = fetch_one (fixture, "/ok", (fetch_request_t){.method = "HEAD"});
    assert_int_equal (seen.status, 200);
    assert_int_equal (seen.body_size, 0);
}

typedef struct outcome_row {
    const char *path;
    fetch_stage_t stage;
    int status;
    int code;
} outcome_row_t;

static void outcomes_follow_the_peer (void **state)
{
    fixture_t *fixture = *state;
    const outcome_row_t rows[] = {
        {"/ok", FETCH_ANSWERED, 200, 0},
        {"/redirect", FETCH_ANSWERED, 302, 0},
        {"/continue", FETCH_ANSWERED, 200, 0},
        {"/slow", FETCH_SENT, 0, E_TIMEOUT},
        {"/die", FETCH_SENT, 0, E_UNAVAILABLE},
        {"/partial", FETCH_SENT, 0, E_UNAVAILABLE},
        {"/garbage", FETCH_SENT, 0, E_UNAVAILABLE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const outcome_row_t *row = &rows[i];
        uint32_t timeout_ms = row->code == E_TIMEOUT ? 200 : 5000;
        seen_t seen = fetch_one (fixture, row->path, (fetch_request_t){.timeout_ms = timeout_ms});
        if (seen.stage != row->stage || seen.status != row->status || seen.code != row->code)
            fail_msg ("%s: stage %d status %d code %d %s", row->path, (int) seen.stage, seen.status,
                      seen.code, seen.reason);
        assert_null (strstr (seen.headers, "X-Early"));
    }
}

static void retry_after_is_read (void **state)
{
    fixture_t *fixture = *state;
    seen_t seen = fetch_one (fixture, "/seconds", (fetch_request_t){0});
    assert_int_equal (seen.status, 429);
    assert_int_equal (seen.retry_after_ms, 7000);
    seen = fetch_one (fixture, "/date", (fetch_request_t){0});
    assert_int_equal (seen.status, 503);
    assert_in_range (seen.retry_after_ms, 60000, 121000);
}

static void long_answers_are_cut (void **state)
{
    fixture_t *fixture = *state;
    seen_t seen = fetch_one (fixture, "/big", (fetch_request_t){.answer_max = 1000});
    assert_int_equal (seen.status, 200);
    assert_int_equal (seen.body_size, 1000);
    assert_true (seen.truncated);
    seen = fetch_one (fixture, "/big", (fetch_request_t){.answer_max = 1 << 20});
    assert_int_equal (seen.body_size, 300 * 1024);
    assert_false (seen.truncated);
    seen = fetch_one (fixture, "/endless", (fetch_request_t){.answer_max = 10});
    assert_int_equal (seen.stage, FETCH_ANSWERED);
    assert_int_equal (seen.body_size, 10);
    assert_true (seen.truncated);
}

static void blocked_addresses_are_not_dialled (void **state)
{
    fixture_t *fixture = *state;
    fetch_destroy (&fixture->fetch);
    fixture->fetch = fetch_made (NULL, 0);
    char urls[4][256];
    unsigned port = http_peer_port (fixture->peer);
    snprintf (urls[0], 256, "http://127.0.0.1:%u/ok", port);
    snprintf (urls[1], 256, "http://2130706433:%u/ok", port);
    snprintf (urls[2], 256, "http://[::ffff:127.0.0.1]:%u/ok", port);
    snprintf (urls[3], 256, "http://localhost:%u/ok", port);
    for (size_t i = 0; i < 4; i++) {
        seen_t seen = fetch_one (fixture, "", (fetch_request_t){.url = urls[i], .guarded = true});
        assert_int_equal (seen.code, E_BLOCKED_TARGET);
        assert_int_equal (seen.stage, FETCH_NOT_SENT);
        assert_string_equal (seen.address, "");
    }
    assert_int_equal (http_peer_connections (fixture->peer), 0);

    /* A connection that an unguarded transfer opened is not for a guarded one. */
    seen_t seen = fetch_one (fixture, "/ok", (fetch_request_t){0});
    assert_int_equal (seen.status, 200);
    seen = fetch_one (fixture, "/ok", (fetch_request_t){.guarded = true});
    assert_int_equal (seen.code, E_BLOCKED_TARGET);
    assert_int_equal (seen.stage, FETCH_NOT_SENT);
    assert_int_equal (http_peer_requests (fixture->peer), 1);

    seen = fetch_one (fixture, "", (fetch_request_t){.url = "http://169.254.169.254/latest"});
    assert_int_equal (seen.code, E_BLOCKED_TARGET);
}

static void environment_and_redirects_do_not_lead_away (void **state)
{
    fixture_t *fixture = *state;
    setenv ("http_proxy", "http://127.0.0.1:1", 1);
    setenv ("ALL_PROXY", "http://127.0.0.1:1", 1);
    seen_t seen = fetch_one (fixture, "/redirect", (fetch_request_t){.guarded = true});
    unsetenv ("http_proxy");
    unsetenv ("ALL_PROXY");
    assert_int_equal (seen.status, 302);
    assert_string_equal (seen.body, "moved");
    assert_int_equal (http_peer_requests (fixture->peer), 1);
}

static void refused_requests_are_not_sent (void **state)
{
    fixture_t *fixture = *state;
    const char *split[] = {"X-A: b\r\nX-C: d", NULL};
    const char *nameless[] = {"nothing", NULL};
    const fetch_request_t rows[] = {
        {.url = "ftp://127.0.0.1/x"}, {.url = "not a url"}, {.url = "http://user:pw@127.0.0.1/"},
        {.method = "GE T"},           {.headers = split},   {.headers = nameless},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        seen_t seen = fetch_one (fixture, "/ok", rows[i]);
        assert_int_equal (seen.code, E_BAD_REQUEST);
        assert_int_equal (seen.stage, FETCH_NOT_SENT);
    }
    assert_int_equal (http_peer_requests (fixture->peer), 0);
}

static void unreachable_is_not_sent (void **state)
{
    fixture_t *fixture = *state;
    seen_t seen = fetch_one (fixture, "", (fetch_request_t){.url = "http://127.0.0.1:1/"});
    assert_int_equal (seen.code, E_UNAVAILABLE);
    assert_int_equal (seen.stage, FETCH_NOT_SENT);
    assert_string_equal (seen.address, "127.0.0.1");
    seen = fetch_one (fixture, "",
                      (fetch_request_t){.url = "http://nobody.invalid/", .timeout_ms = 1000});
    assert_int_not_equal (seen.code, 0);
    assert_int_equal (seen.stage, FETCH_NOT_SENT);
}

static void plain_http_needs_leave (void **state)
{
    fixture_t *fixture = *state;
    fetch_config_t config = {.allow = "127.0.0.0/8"};
    failure_t failure = {0};
    fetch_destroy (&fixture->fetch);
    assert_int_equal (fetch_new (&config, &fixture->fetch, &failure), E_OK);
    seen_t seen = fetch_one (fixture, "/ok", (fetch_request_t){0});
    assert_int_equal (seen.code, E_BAD_REQUEST);
    assert_int_equal (seen.stage, FETCH_NOT_SENT);
}

/* The server closes a kept connection as the next request arrives. */
static void stale_connection_never_doubles_a_post (void **state)
{
    fixture_t *fixture = *state;
    seen_t seen = fetch_one (fixture, "/stale", (fetch_request_t){0});
    assert_int_equal (seen.status, 200);
    seen = fetch_one (fixture, "/ok", (fetch_request_t){.body = bytes_of_str ("once")});
    assert_int_equal (seen.stage, FETCH_SENT);
    assert_int_equal (seen.code, E_UNAVAILABLE);
    assert_int_equal (http_peer_requests (fixture->peer), 2);
}

static void stale_connection_is_repeated_if_harmless (void **state)
{
    fixture_t *fixture = *state;
    const fetch_request_t rows[] = {{.method = "GET"}, {.method = "POST", .guarded = true}};
    for (size_t i = 0; i < 2; i++) {
        unsigned before = http_peer_requests (fixture->peer);
        seen_t seen = fetch_one (fixture, "/stale", (fetch_request_t){0});
        assert_int_equal (seen.status, 200);
        seen = fetch_one (fixture, "/ok", rows[i]);
        assert_int_equal (seen.stage, FETCH_ANSWERED);
        assert_int_equal (seen.status, 200);
        assert_int_equal (http_peer_requests (fixture->peer) - before, 3);
        fetch_destroy (&fixture->fetch); /* the good connection would be used by the next row */
        fixture->fetch = fetch_made ("127.0.0.0/8", 0);
    }
}

static void many_share_few_connections (void **state)
{
    enum { MANY = 300, PER_HOST = 16 };
    fixture_t *fixture = *state;
    fetch_destroy (&fixture->fetch);
    fixture->fetch = fetch_made ("127.0.0.0/8", PER_HOST);
    char url[256];
    url_of (fixture, "/ok", url);
    seen_t *seen = calloc (MANY, sizeof *seen);
    fetch_request_t request = {.method = "POST", .url = url, .timeout_ms = 20000, .guarded = true};
    for (int i = 0; i < MANY; i++)
        fetch_start (fixture->fetch, &request, on_done, &seen[i]);
    assert_int_equal (fetch_running (fixture->fetch), MANY);
    run_all (fixture->fetch);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal (seen[i].calls, 1);
        assert_int_equal (seen[i].status, 200);
    }
    free (seen);
    assert_int_equal (http_peer_requests (fixture->peer), MANY);
    assert_in_range (http_peer_connections (fixture->peer), 1, PER_HOST);
}

static void slow_host_holds_up_only_itself (void **state)
{
    fixture_t *fixture = *state;
    http_peer_t *other = http_peer_new ();
    fetch_destroy (&fixture->fetch);
    fixture->fetch = fetch_made ("127.0.0.0/8", 2);
    char slow_url[256], url[256];
    url_of (fixture, "/slow", slow_url);
    snprintf (url, sizeof url, "http://127.0.0.1:%u/ok", http_peer_port (other));
    seen_t slow[6] = {0}, quick[6] = {0};
    for (int i = 0; i < 6; i++) {
        /* Two go out, and for longer than the others wait in line: their places come too late. */
        uint32_t timeout_ms = i < 2 ? 1200 : 300;
        fetch_request_t request = {.method = "POST", .url = slow_url, .timeout_ms = timeout_ms};
        fetch_start (fixture->fetch, &request, on_done, &slow[i]);
        request.url = url;
        request.timeout_ms = 10000;
        fetch_start (fixture->fetch, &request, on_done, &quick[i]);
    }
    run_all (fixture->fetch);
    int sent = 0;
    for (int i = 0; i < 6; i++) {
        assert_int_equal (quick[i].status, 200);
        assert_int_equal (slow[i].code, E_TIMEOUT);
        sent += slow[i].stage == FETCH_SENT;
    }
    assert_int_equal (sent, 2); /* the other four timed out in line */
    http_peer_destroy (&other);
}

typedef struct chain {
    fetch_t *fetch;
    const char *url;
    int left;
} chain_t;

static void on_link (void *context, const fetch_answer_t *answer)
{
    chain_t *chain = context;
    assert_int_equal (answer->status, 200);
    fetch_request_t request = {.method = "GET", .url = chain->url, .timeout_ms = 5000};
    if (--chain->left > 0)
        fetch_start (chain->fetch, &request, on_link, chain);
}

static void callbacks_may_start_more (void **state)
{
    fixture_t *fixture = *state;
    char url[256];
    url_of (fixture, "/ok", url);
    chain_t chain = {.fetch = fixture->fetch, .url = url, .left = 5};
    fetch_request_t request = {.method = "GET", .url = url, .timeout_ms = 5000};
    fetch_start (fixture->fetch, &request, on_link, &chain);
    run_all (fixture->fetch);
    assert_int_equal (chain.left, 0);
    assert_int_equal (http_peer_connections (fixture->peer), 1);
}

static void wake_fd_ends_the_wait (void **state)
{
    fixture_t *fixture = *state;
    int fd = eventfd (1, EFD_CLOEXEC);
    fetch_work (fixture->fetch, 60000, fd); /* the test's own time limit judges */
    close (fd);
}

static void destroy_calls_back_what_is_left (void **state)
{
    fixture_t *fixture = *state;
    fetch_destroy (&fixture->fetch);
    fixture->fetch = fetch_made ("127.0.0.0/8", 1);
    char url[256];
    url_of (fixture, "/slow", url);
    seen_t active = {0}, waiting = {0};
    fetch_request_t request = {.method = "POST", .url = url, .timeout_ms = 60000};
    fetch_start (fixture->fetch, &request, on_done, &active);
    fetch_start (fixture->fetch, &request, on_done, &waiting);
    while (http_peer_requests (fixture->peer) == 0)
        fetch_work (fixture->fetch, 10, -1);
    fetch_destroy (&fixture->fetch);
    assert_int_equal (active.calls, 1);
    assert_int_equal (active.stage, FETCH_SENT);
    assert_int_equal (active.code, E_UNAVAILABLE);
    assert_int_equal (waiting.calls, 1);
    assert_int_equal (waiting.stage, FETCH_NOT_SENT);
}

static void bad_allow_list_is_refused (void **state)
{
    (void) state;
    fetch_config_t config = {.allow = "127.0.0.0/8,nonsense"};
    fetch_t *fetch = NULL;
    failure_t failure = {0};
    assert_int_equal (fetch_new (&config, &fetch, &failure), E_BAD_REQUEST);
    assert_null (fetch);
    assert_non_null (strstr (failure.text, "nonsense"));
}

#define ROW(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)

int main (void)
{
    const struct CMUnitTest tests[] = {
        ROW (post_is_answered),
        cmocka_unit_test (header_of_answer_is_found),
        ROW (big_post_has_no_expect),
        ROW (methods_are_sent_as_given),
        ROW (outcomes_follow_the_peer),
        ROW (retry_after_is_read),
        ROW (long_answers_are_cut),
        ROW (blocked_addresses_are_not_dialled),
        ROW (environment_and_redirects_do_not_lead_away),
        ROW (refused_requests_are_not_sent),
        ROW (unreachable_is_not_sent),
        ROW (plain_http_needs_leave),
        ROW (stale_connection_never_doubles_a_post),
        ROW (stale_connection_is_repeated_if_harmless),
        ROW (many_share_few_connections),
        ROW (slow_host_holds_up_only_itself),
        ROW (callbacks_may_start_more),
        ROW (wake_fd_ends_the_wait),
        ROW (destroy_calls_back_what_is_left),
        cmocka_unit_test (bad_allow_list_is_refused),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
