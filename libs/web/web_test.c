/* web_test.c - the server from outside, over raw sockets: requests, bodies, pipelines, ways over threads and the bus. */
#include "web/web_app_test.h"
#include "web/web_client_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* ---- requests ---- */

typedef struct ask_row {
    const char *ask;
    int status;
    const char *body; /* NULL = not looked at */
} ask_row_t;

static const ask_row_t ask_rows[] = {
    {"GET /a HTTP/1.1\r\n" HOST "\r\n", 200, "GET|/a|/a||0:"},
    {"GET /a%20b/%2F?x=%20&y HTTP/1.1\r\n" HOST "\r\n", 200, "GET|/a%20b/%2F|/a b//|x=%20&y|0:"},
    {"GET /a/../b//c HTTP/1.1\r\n" HOST "\r\n", 200, "GET|/a/../b//c|/a/../b//c||0:"},
    {"GET /%zz HTTP/1.1\r\n" HOST "\r\n", 200, "GET|/%zz|(bad)||0:"},
    {"GET /%00 HTTP/1.1\r\n" HOST "\r\n", 200, "GET|/%00|(bad)||0:"},
    {"POST /a HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello", 200, "POST|/a|/a||5:hello"},
    {"POST /a HTTP/1.1\r\n" HOST "\r\n", 200, "POST|/a|/a||0:"},
    {"PUT /a HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx", 200, "PUT|/a|/a||1:x"},
    {"PATCH /a HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx", 200, "PATCH|/a|/a||1:x"},
    {"DELETE /a HTTP/1.1\r\n" HOST "\r\n", 200, "DELETE|/a|/a||0:"},
    {"OPTIONS /a HTTP/1.1\r\n" HOST
     "Origin: http://o\r\nAccess-Control-Request-Method: POST\r\n\r\n",
     200, "OPTIONS|/a|/a||0:"},
    {"HEAD /a HTTP/1.1\r\n" HOST "\r\n", 200, ""},
    {"POST /a HTTP/1.1\r\n" HOST
     "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
     200, "POST|/a|/a||11:hello world"},
    {"POST /a HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n", 400,
     "no body"},
    {"POST /a HTTP/1.1\r\n" HOST "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     400, NULL},
    {"POST /a HTTP/1.1\r\n" HOST "Content-Length: 4\r\nContent-Length: 5\r\n\r\nhello", 400, NULL},
    {"POST /a HTTP/1.1\r\n" HOST "Content-Length: +4\r\n\r\nhell", 400, NULL},
    {"POST /a HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n", 400, NULL},
    {"POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, NULL},
    {"GET /a HTTP/1.1\r\n\r\n", 400, NULL},
    {"GET /a HTTP/1.1\r\n" HOST HOST "\r\n", 400, NULL},
    {"GET /a HTTP/3.7\r\n" HOST "\r\n", 505, NULL},
    {"garbage\r\n\r\n", 400, NULL},
    {"GET a HTTP/1.1\r\n" HOST "\r\n", 400, NULL},
    {"GET /a HTTP/1.0\r\n\r\n", 200, "GET|/a|/a||0:"},
    {"\r\n\r\nGET /a HTTP/1.1\r\n" HOST "\r\n", 200, "GET|/a|/a||0:"},
    {"GET http://x/a?b HTTP/1.1\r\n" HOST "\r\n", 200, "GET|/a|/a|b|0:"},
    {"GET http://y/a?b HTTP/1.1\r\n" HOST "\r\n", 400, NULL},
    {"OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 200, "OPTIONS|*|*||0:"},
    {"GET /a HTTP/1.1\n" HOST "\r\n\r\n", 400, NULL},
    {"POST /a HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi", 200,
     "POST|/a|/a||2:hi"},
    {"GET /thread HTTP/1.1\r\n" HOST "\r\n", 200, "GET|/thread|/thread||0:"},
    {"POST /thread HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nhi", 200,
     "POST|/thread|/thread||2:hi"},
    {"POST /thread HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", 200,
     "POST|/thread|/thread||2:hi"},
    {"GET /around HTTP/1.1\r\n" HOST "\r\n", 200, "42"},
    {"GET /silent HTTP/1.1\r\n" HOST "\r\n", 500, NULL},
    {"GET /bus HTTP/1.1\r\n" HOST "\r\n", 200, "42"},
    {"GET /twice HTTP/1.1\r\n" HOST "\r\n", 200, "42"},
    {"GET /late HTTP/1.1\r\n" HOST "\r\n", 504, "-1"},
};

static void requests_are_answered (void **state)
{
    app_t *app = *state;
    for (size_t i = 0; i < sizeof ask_rows / sizeof ask_rows[0]; i++) {
        const ask_row_t *row = &ask_rows[i];
        web_reply_t reply = web_client_ask (app->port, row->ask);
        if (reply.status != row->status)
            fail_msg ("%s\ngives %d %s", row->ask, reply.status, reply.body);
        if (row->body != NULL)
            assert_string_equal (reply.body, row->body);
        if (row->status == 400 && row->body == NULL) {
            assert_non_null (strstr (reply.head, "application/json")); /* the application's words */
            assert_non_null (strstr (reply.head, "Connection: close"));
            assert_null (strstr (reply.head, "X-Split"));
        }
    }
}

static void head_has_the_length_and_no_body (void **state)
{
    app_t *app = *state;
    web_client_t client = web_client_open (app->port);
    web_client_send (&client, "HEAD /a HTTP/1.1\r\n" HOST "\r\n");
    web_reply_t reply = web_client_reply (&client, true);
    assert_int_equal (reply.status, 200);
    assert_non_null (strstr (reply.head, "Content-Length: 14\r\n"));
    web_client_send (&client, "GET /a HTTP/1.1\r\n" HOST "\r\n");
    assert_string_equal (web_client_reply (&client, false).body, "GET|/a|/a||0:");
    web_client_close (&client);
}

static void connection_is_kept_and_pipelined (void **state)
{
    app_t *app = *state;
    web_client_t client = web_client_open (app->port);
    for (int i = 0; i < 20; i++) {
        web_client_send (&client, "POST /a HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nhi");
        web_reply_t reply = web_client_reply (&client, false);
        assert_string_equal (reply.body, "POST|/a|/a||2:hi");
        assert_non_null (strstr (reply.head, "Connection: keep-alive"));
    }
    web_client_send (&client, "POST /1 HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nab"
                              "GET /bus HTTP/1.1\r\n" HOST "\r\n"
                              "GET /3 HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
    assert_string_equal (web_client_reply (&client, false).body, "POST|/1|/1||2:ab");
    assert_string_equal (web_client_reply (&client, false).body, "42");
    assert_string_equal (web_client_reply (&client, false).body, "GET|/3|/3||0:");
    assert_true (web_client_at_end (&client));
    web_client_close (&client);
}

static void pipeline_is_answered_in_order (void **state)
{
    enum { MANY = 100 };
    static const char *const paths[] = {"/a", "/bus", "/thread", "/around"};
    app_t *app = *state;
    char text[MANY * 100], want[64];
    size_t size = 0;
    for (int i = 0; i < MANY; i++) {
        size += (size_t) snprintf (text + size, sizeof text - size,
                                   "POST %s?%d HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\n%03d%s",
                                   paths[i % 4], i, i, i % 5 == 0 ? "\r\n" : "");
    }
    web_client_t client = web_client_open (app->port);
    assert_true (web_client_send_bytes (&client, text, size));
    for (int i = 0; i < MANY; i++) {
        const char *path = paths[i % 4];
        if (i % 2 == 0)
            snprintf (want, sizeof want, "POST|%s|%s|%d|3:%03d", path, path, i, i);
        else
            snprintf (want, sizeof want, "42");
        assert_string_equal (web_client_reply (&client, false).body, want);
    }
    web_client_close (&client);
}

static void too_many_or_too_long_headers_are_refused (void **state)
{
    app_t *app = *state;
    char ask[24000];
    size_t size = (size_t) snprintf (ask, sizeof ask, "GET /a HTTP/1.1\r\n" HOST);
    for (int i = 0; i < 80; i++)
        size += (size_t) snprintf (ask + size, sizeof ask - size, "X-%d: y\r\n", i);
    snprintf (ask + size, sizeof ask - size, "\r\n");
    assert_int_equal (web_client_ask (app->port, ask).status, 431);

    memset (ask, 'a', sizeof ask);
    memcpy (ask, "GET /a HTTP/1.1\r\nX: ", 20);
    memcpy (ask + sizeof ask - 5, "\r\n\r\n", 5);
    assert_in_range (web_client_ask (app->port, ask).status, 400, 431);
}

/* ---- bodies ---- */

static void long_bodies_are_refused (void **state)
{
    app_t *app = *state;
    enum { LONG = 3000000 };
    char *body = calloc (1, LONG);
    web_client_t client = web_client_open (app->port);
    web_client_send (&client, "POST /a HTTP/1.1\r\n" HOST "Content-Length: 3000000\r\n\r\n");
    web_client_send_bytes (&client, body, LONG / 30);
    web_reply_t reply = web_client_reply (&client, false);
    assert_int_equal (reply.status, 413);
    assert_non_null (strstr (reply.head, "Connection: close"));
    web_client_close (&client);

    client = web_client_open (app->port);
    web_client_send (&client,
                     "POST /a HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n400\r\n");
    web_client_send_bytes (&client, body, 1024);
    web_client_send (&client, "\r\n0\r\n\r\n");
    assert_int_equal (web_client_reply (&client, false).status, 413);
    web_client_close (&client);

    client = web_client_open (app->port);
    web_client_send (&client, "POST /upload HTTP/1.1\r\n" HOST "Content-Length: 3000000\r\n\r\n");
    assert_true (web_client_send_bytes (&client, body, LONG));
    assert_string_equal (web_client_reply (&client, false).body, "3000000");
    web_client_send (&client, "GET /a HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal (web_client_reply (&client, false).status, 200);
    web_client_close (&client);
    free (body);
}

static void short_unread_body_keeps_the_connection (void **state)
{
    app_t *app = *state;
    web_client_t client = web_client_open (app->port);
    for (int i = 0; i < 3; i++) {
        web_client_send (&client,
                         "POST /refused HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello");
        web_reply_t reply = web_client_reply (&client, false);
        assert_int_equal (reply.status, 401);
        assert_non_null (strstr (reply.head, "Connection: keep-alive"));
    }
    web_client_close (&client);
}

static void expect_gets_its_continue (void **state)
{
    app_t *app = *state;
    web_client_t client = web_client_open (app->port);
    web_client_send (&client, "POST /a HTTP/1.1\r\n" HOST
                              "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    assert_int_equal (web_client_reply (&client, true).status, 100);
    web_client_send (&client, "hi");
    assert_string_equal (web_client_reply (&client, false).body, "POST|/a|/a||2:hi");
    web_client_send (&client, "POST /refused HTTP/1.1\r\n" HOST
                              "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    web_reply_t reply = web_client_reply (&client, false);
    assert_int_equal (reply.status, 401);
    assert_non_null (strstr (reply.head, "Connection: close"));
    web_client_close (&client);
}

static void streamed_answer_is_whole (void **state)
{
    app_t *app = *state;
    web_client_t client = web_client_open (app->port);
    web_client_send (&client,
                     "GET /stream HTTP/1.1\r\n" HOST "\r\nGET /a HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal (web_client_reply (&client, false).body_size, 100000);
    assert_int_equal (web_client_reply (&client, false).status, 200);
    web_client_close (&client);
}

/* On the way from the bus to a thread; what stands behind it on the connection stays. */
static void completed_call_goes_on_on_a_thread (void **state)
{
    app_t *app = *state;
    web_client_t client = web_client_open (app->port);
    web_client_send (&client, "POST /bus-stream HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nhi"
                              "POST /around HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nho"
                              "GET /a HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal (web_client_reply (&client, false).body_size, 100000);
    assert_string_equal (web_client_reply (&client, false).body, "42");
    assert_string_equal (web_client_reply (&client, false).body, "GET|/a|/a||0:");
    web_client_close (&client);
}

/* ---- bodies of all sizes ---- */

/* Bytes of a body, and what /sum says of it. */
static char *body_of (size_t size, char *want, size_t want_size)
{
    char *body = malloc (size + 1);
    unsigned long sum = 0;
    for (size_t i = 0; i < size; i++) {
        body[i] = (char) ('a' + i % 26);
        sum += (unsigned char) body[i];
    }
    snprintf (want, want_size, "%zu:%lu:0", size, sum);
    return body;
}

static void bodies_of_any_size_are_whole (void **state)
{
    static const size_t sizes[] = {1,    2,     4095,  4096,  4097,      8000,          8192,
                                   9000, 16384, 40000, 65535, 64 * 1024, 64 * 1024 + 1, 200000};
    app_t *app = *state;
    web_client_t client = web_client_open (app->port);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char head[128], want[64], count[24];
        char *body = body_of (sizes[i], want, sizeof want);
        snprintf (count, sizeof count, "%zu", sizes[i]);
        for (int way = 0; way < 4; way++) {
            snprintf (head, sizeof head, "POST /%s HTTP/1.1\r\n" HOST "Content-Length: %zu\r\n\r\n",
                      way < 2 ? "sum" : "upload", sizes[i]);
            web_client_send (&client, head);
            size_t first = way % 2 == 0 ? 0 : sizes[i] / 2; /* the rest when this is there */
            web_client_send_bytes (&client, body, first);
            if (first > 0) {
                assert_true (web_client_arrived (&client));
                app_wait_requests (app, 1);
            }
            web_client_send_bytes (&client, body + first, sizes[i] - first);
            web_reply_t reply = web_client_reply (&client, false);
            assert_int_equal (reply.status, 200);
            assert_string_equal (reply.body, way < 2 ? want : count);
            assert_non_null (strstr (reply.head, "Connection: keep-alive"));
        }
        free (body);
    }
    web_client_close (&client);
}

/* A thread reads beyond the last chunk: that is the next request, of whatever size. */
static void what_follows_the_chunks_is_the_next_request (void **state)
{
    static const size_t sizes[] = {1,    100,  3900, 4000, 4020,  4040, 8100,
                                   8120, 8140, 8160, 9000, 12000, 16000};
    app_t *app = *state;
    web_client_t client = web_client_open (app->port);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char text[20000], want[64];
        char *body = body_of (sizes[i], want, sizeof want);
        unsigned before = atomic_load (&app->submitted);
        web_client_send (&client,
                         "POST /upload HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
        app_wait_submitted (app, before + 1); /* so that a thread reads the rest */
        size_t size =
            (size_t) snprintf (text, sizeof text,
                               "5;x\r\nhello\r\n0\r\nT: u\r\n\r\n"
                               "POST /sum HTTP/1.1\r\n" HOST "Content-Length: %zu\r\n\r\n",
                               sizes[i]);
        memcpy (text + size, body, sizes[i]);
        assert_true (web_client_send_bytes (&client, text, size + sizes[i]));
        assert_string_equal (web_client_reply (&client, false).body, "5");
        assert_string_equal (web_client_reply (&client, false).body, want);
        free (body);
    }
    web_client_close (&client);
}

static void chunked_upload_and_more_in_one_write (void **state)
{
    app_t *app = *state;
    web_client_t client = web_client_open (app->port);
    for (int i = 0; i < 3; i++) {
        web_client_send (&client,
                         "POST /upload HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
                         "5\r\nhello\r\n0\r\n\r\nGET /b HTTP/1.1\r\n" HOST "\r\n"
                         "POST /a HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
                         "2\r\nhi\r\n0\r\n\r\n");
        assert_string_equal (web_client_reply (&client, false).body, "5");
        assert_string_equal (web_client_reply (&client, false).body, "GET|/b|/b||0:");
        assert_string_equal (web_client_reply (&client, false).body, "POST|/a|/a||2:hi");
    }
    web_client_close (&client);
}

static web_next_t never_called (void *context, web_request_t *request)
{
    (void) context;
    (void) request;
    abort ();
}

typedef struct config_row {
    const char *listen;
    unsigned connections;
    int want;
} config_row_t;

static void bad_configurations_are_refused (void **state)
{
    app_t *app = *state;
    char taken[32];
    snprintf (taken, sizeof taken, "127.0.0.1:%u", app->port);
    const config_row_t rows[] = {
        {NULL, 0, E_BAD_REQUEST},
        {"8080", 0, E_BAD_REQUEST},
        {"localhost:80", 0, E_BAD_REQUEST},
        {"[::1]:8080", 0, E_BAD_REQUEST},
        {"127.0.0.1:", 0, E_BAD_REQUEST},
        {"127.0.0.1:99999", 0, E_BAD_REQUEST},
        {"127.0.0.1:80s", 0, E_BAD_REQUEST},
        {"127.0.0.1:0", 1, E_BAD_REQUEST},
        {taken, 0, E_UNAVAILABLE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        web_config_t config = {
            .listen = rows[i].listen, .connections = rows[i].connections, .submit = never_called};
        web_server_t *server = NULL;
        failure_t failure = {0};
        assert_int_equal (web_server_new (&config, &server, &failure), rows[i].want);
        assert_null (server);
        assert_int_equal (failure.code, rows[i].want);
        assert_true (failure.text[0] != '\0');
    }
}

#define ROW(name) cmocka_unit_test_setup_teardown (name, app_set_up, app_tear_down)

int main (void)
{
    const struct CMUnitTest tests[] = {
        ROW (requests_are_answered),
        ROW (head_has_the_length_and_no_body),
        ROW (connection_is_kept_and_pipelined),
        ROW (pipeline_is_answered_in_order),
        ROW (too_many_or_too_long_headers_are_refused),
        ROW (long_bodies_are_refused),
        ROW (short_unread_body_keeps_the_connection),
        ROW (expect_gets_its_continue),
        ROW (streamed_answer_is_whole),
        ROW (completed_call_goes_on_on_a_thread),
        ROW (bodies_of_any_size_are_whole),
        ROW (what_follows_the_chunks_is_the_next_request),
        ROW (chunked_upload_and_more_in_one_write),
        ROW (bad_configurations_are_refused),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
