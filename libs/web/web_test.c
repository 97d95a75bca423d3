/* web_test.c - the server from outside, over raw sockets: requests, bodies, limits, slow and silent clients, parking, stopping. */
#include "web/web.h"
#include "web/web_client_test.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

/* ---- a small application ---- */

typedef struct app_call {
    web_call_t call;
    int delay_ms;
    int result;
} app_call_t;

typedef struct app {
    web_server_t *server;
    web_bridge_t *bridge;
    pthread_t bus;
    atomic_bool ending;
    atomic_uint submitted;
    atomic_uint late; /* completions that found nobody waiting */
    uint16_t port;
} app_t;

static void app_call_destroy (web_call_t *call)
{
    free (call);
}

static void *app_bus (void *context)
{
    app_t *app = context;
    while (!atomic_load (&app->ending)) {
        struct pollfd poll_fd = {.fd = web_bridge_fd (app->bridge), .events = POLLIN};
        poll (&poll_fd, 1, 20);
        for (web_call_t *call = web_bridge_take (app->bridge, 0), *next; call != NULL;
             call = next) {
            next = web_call_next (call);
            app_call_t *one = (app_call_t *) call;
            if (one->delay_ms > 0)
                usleep ((unsigned) one->delay_ms * 1000);
            one->result = 42;
            if (!web_call_complete (call))
                atomic_fetch_add (&app->late, 1);
        }
    }
    return NULL;
}

static web_next_t app_park (app_t *app, web_request_t *request, int delay_ms, uint32_t timeout_ms)
{
    app_call_t *call = calloc (1, sizeof *call);
    web_call_init (&call->call, app_call_destroy);
    call->delay_ms = delay_ms;
    web_bridge_put (app->bridge, &call->call);
    web_park (request, &call->call, timeout_ms);
    return WEB_WAIT;
}

static void answer_text (web_request_t *request, int status, const char *text)
{
    const char *headers[] = {"Content-Type: text/plain", "X-App: yes", NULL};
    web_answer (request, status, headers, bytes_of_str (text));
}

static void answer_echo (web_request_t *request, size_t limit)
{
    bytes_t body;
    int status = web_body (request, limit, &body);
    char text[512];
    if (status == 0)
        snprintf (text, sizeof text, "%s|%s|%s|%s|%zu:%.100s", web_method (request),
                  web_raw_path (request), web_path (request) != NULL ? web_path (request) : "(bad)",
                  web_query (request), body.size, (const char *) body.data);
    answer_text (request, status != 0 ? status : 200, status != 0 ? "no body" : text);
}

static void answer_stream (web_request_t *request)
{
    char piece[1000];
    memset (piece, 's', sizeof piece);
    web_answer_begin (request, 200, NULL, 100 * sizeof piece);
    for (int i = 0; i < 100; i++)
        if (!web_answer_piece (request, piece, sizeof piece))
            return;
}

/* More than sockets take at once. */
static void answer_large (web_request_t *request)
{
    enum { LARGE = 16 << 20 };
    char *text = malloc (LARGE);
    memset (text, 'l', LARGE);
    web_answer (request, 200, NULL, bytes_of (text, LARGE));
    free (text);
}

static void answer_upload (web_request_t *request)
{
    char piece[3000], text[64];
    size_t total = 0;
    long got;
    while ((got = web_body_piece (request, piece, sizeof piece)) > 0)
        total += (size_t) got;
    snprintf (text, sizeof text, "%zu", total);
    answer_text (request, got < 0 ? (int) -got : 200, text);
}

static web_next_t app_submit (void *context, web_request_t *request)
{
    app_t *app = context;
    const char *path = web_raw_path (request);
    atomic_fetch_add (&app->submitted, 1);
    if (strcmp (path, "/bus") == 0)
        return app_park (app, request, 0, 5000);
    if (strcmp (path, "/twice") == 0) {
        web_set_data (request, (void *) "again");
        return app_park (app, request, 0, 5000);
    }
    if (strcmp (path, "/late") == 0)
        return app_park (app, request, 100, 10);
    if (strcmp (path, "/long") == 0)
        return app_park (app, request, 300, 60000);
    if (strcmp (path, "/never") == 0) {
        web_set_data (request, (void *) "never");
        return app_park (app, request, 1500, 60000);
    }
    if (strcmp (path, "/silent") == 0)
        return WEB_DONE;
    if (strcmp (path, "/refused") == 0)
        answer_text (request, 401, "who are you");
    else if (strcmp (path, "/stream") == 0)
        return WEB_THREAD;
    else if (strcmp (path, "/upload") == 0)
        answer_upload (request);
    else if (strcmp (path, "/large") == 0)
        answer_large (request);
    else
        answer_echo (request, 1000);
    return WEB_DONE;
}

static web_next_t app_complete (void *context, web_request_t *request, web_call_t *call,
                                bool in_time)
{
    app_t *app = context;
    const char *data = web_data (request);
    if (in_time && data != NULL && strcmp (data, "again") == 0) {
        web_set_data (request, NULL);
        return app_park (app, request, 0, 5000);
    }
    char text[32];
    snprintf (text, sizeof text, "%d", in_time ? ((app_call_t *) call)->result : -1);
    answer_text (request, in_time ? 200 : 504, text);
    return WEB_DONE;
}

static web_next_t app_resume (void *context, web_request_t *request)
{
    (void) context;
    answer_stream (request);
    return WEB_DONE;
}

static void app_refuse (void *context, web_request_t *request, int status, const char *text)
{
    (void) context;
    const char *headers[] = {"Content-Type: application/json", "X-Bad: a\r\nX-Split: b", NULL};
    char body[256];
    snprintf (body, sizeof body, "{\"status\":%d,\"message\":\"%s\"}", status, text);
    web_answer (request, status, headers, bytes_of_str (body));
}

static app_t *app_new (web_config_t config)
{
    app_t *app = calloc (1, sizeof *app);
    failure_t failure = {0};
    config.listen = "127.0.0.1:0";
    config.submit = app_submit;
    config.complete = app_complete;
    config.resume = app_resume;
    config.refuse = app_refuse;
    config.context = app;
    app->bridge = web_bridge_new ();
    if (web_server_new (&config, &app->server, &failure) != E_OK)
        fail_msg ("%s", failure.text);
    app->port = web_server_port (app->server);
    pthread_create (&app->bus, NULL, app_bus, app);
    return app;
}

static void app_destroy (app_t **app_p)
{
    app_t *app = *app_p;
    *app_p = NULL;
    if (app == NULL)
        return;
    web_server_destroy (&app->server);
    atomic_store (&app->ending, true);
    pthread_join (app->bus, NULL);
    web_bridge_destroy (&app->bridge);
    free (app);
}

static int set_up (void **state)
{
    *state = app_new ((web_config_t){.connections = 24,
                                     .header_timeout_ms = 600,
                                     .body_timeout_ms = 600,
                                     .idle_timeout_ms = 800,
                                     .answer_timeout_ms = 600});
    return 0;
}

static int tear_down (void **state)
{
    app_t *app = *state;
    app_destroy (&app);
    return 0;
}

static void wait_submitted (app_t *app, unsigned count)
{
    while (atomic_load (&app->submitted) < count)
        usleep (1000);
}

/* ---- requests ---- */

#define HOST "Host: x\r\n"

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

/* ---- slow and silent clients ---- */

static void slow_bodies_end (void **state)
{
    app_t *app = *state;
    web_client_t trickle = web_client_open (app->port);
    web_client_t silent = web_client_open (app->port);
    web_client_send (&trickle, "POST /a HTTP/1.1\r\n" HOST "Content-Length: 500\r\n\r\n");
    web_client_send (&silent, "POST /a HTTP/1.1\r\n" HOST "Content-Length: 500\r\n\r\n");
    int sent = 0;
    while (sent < 500 && web_server_counts (app->server).timed_out < 2) {
        usleep (20000); /* never a gap that is too long by itself */
        if (!web_client_send (&trickle, "x"))
            break;
        sent++;
    }
    assert_in_range (sent, 1, 499);
    assert_int_equal (web_client_reply (&trickle, false).status, 408);
    assert_int_equal (web_client_reply (&silent, false).status, 408);
    assert_true (web_client_at_end (&silent));
    web_client_close (&trickle);
    web_client_close (&silent);
}

static void cut_body_is_400_or_nothing (void **state)
{
    app_t *app = *state;
    web_client_t client = web_client_open (app->port);
    web_client_send (&client, "POST /a HTTP/1.1\r\n" HOST "Content-Length: 500\r\n\r\nx");
    shutdown (client.fd, SHUT_WR);
    assert_int_equal (web_client_reply (&client, false).status, 400);
    web_client_close (&client);
}

static void silent_and_idle_connections_end (void **state)
{
    app_t *app = *state;
    web_client_t silent = web_client_open (app->port);
    web_client_t slow = web_client_open (app->port);
    web_client_t idle = web_client_open (app->port);
    web_client_send (&slow, "GET /a HT");
    web_client_send (&idle, "GET /a HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal (web_client_reply (&idle, false).status, 200);
    assert_true (web_client_at_end (&silent));
    web_client_reply (&slow, false); /* a refusal or nothing */
    assert_true (web_client_at_end (&slow));
    assert_true (web_client_at_end (&idle));
    web_client_close (&silent);
    web_client_close (&slow);
    web_client_close (&idle);
}

/* Far more silent clients than connections, under limits that would let them stay for a minute. */
static void silent_crowd_does_not_starve (void **state)
{
    enum { CROWD = 120 };
    (void) state;
    app_t *app = app_new (
        (web_config_t){.connections = 24, .header_timeout_ms = 60000, .idle_timeout_ms = 60000});
    web_client_t crowd[CROWD];
    for (int i = 0; i < CROWD; i++) {
        crowd[i] = web_client_open (app->port);
        if (i % 2 == 0)
            web_client_send (&crowd[i], "GET /a HTTP/1.1\r\nX-Slow: ");
    }
    for (int i = 0; i < 3; i++)
        assert_int_equal (web_client_ask (app->port, "GET /bus HTTP/1.1\r\n" HOST "\r\n").status,
                          200);
    assert_true (web_server_counts (app->server).shed > 0);
    for (int i = 0; i < CROWD; i++)
        web_client_close (&crowd[i]);
    app_destroy (&app);
}

static void reader_that_does_not_read_ends (void **state)
{
    app_t *app = *state;
    web_client_t client = web_client_open (app->port);
    /* Answers that nobody takes: far above what the sockets buffer. */
    for (int i = 0; i < 400; i++)
        if (!web_client_send (&client, "GET /stream HTTP/1.1\r\n" HOST "\r\n"))
            break;
    wait_submitted (app, 1);
    for (int i = 0; i < 500 && web_server_counts (app->server).connections > 0; i++)
        usleep (20000);
    assert_true (atomic_load (&app->submitted) < 400);
    assert_int_equal (web_server_counts (app->server).connections, 0);
    web_client_close (&client);
}

/* ---- many at once, late completions, the end ---- */

static void *ask_many (void *context)
{
    app_t *app = context;
    web_client_t client = web_client_open (app->port);
    for (int i = 0; i < 100; i++) {
        web_client_send (&client, "GET /bus HTTP/1.1\r\n" HOST "\r\n");
        web_reply_t reply = web_client_reply (&client, false);
        if (reply.status != 200 || strcmp (reply.body, "42") != 0)
            abort ();
    }
    web_client_close (&client);
    return NULL;
}

static void many_wait_on_the_bridge (void **state)
{
    app_t *app = *state;
    pthread_t threads[16];
    for (int i = 0; i < 16; i++)
        pthread_create (&threads[i], NULL, ask_many, app);
    for (int i = 0; i < 16; i++)
        pthread_join (threads[i], NULL);
    assert_int_equal (atomic_load (&app->submitted), 1600);
}

static void late_completions_are_thrown_away (void **state)
{
    app_t *app = *state;
    for (int i = 0; i < 3; i++)
        assert_int_equal (web_client_ask (app->port, "GET /late HTTP/1.1\r\n" HOST "\r\n").status,
                          504);
    for (int i = 0; i < 500 && atomic_load (&app->late) < 3; i++)
        usleep (10000);
    assert_int_equal (atomic_load (&app->late), 3);
}

typedef struct stopper {
    app_t *app;
    uint32_t deadline_ms;
    bool clean;
} stopper_t;

static void *stop_server (void *context)
{
    stopper_t *stopper = context;
    stopper->clean = web_server_stop (stopper->app->server, stopper->deadline_ms);
    return NULL;
}

static void stop_ends_idle_and_finishes_running (void **state)
{
    (void) state;
    app_t *app = app_new ((web_config_t){.connections = 24});
    web_client_t idle = web_client_open (app->port);
    web_client_t silent = web_client_open (app->port);
    web_client_t running = web_client_open (app->port);
    web_client_send (&idle, "GET /a HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal (web_client_reply (&idle, false).status, 200);
    web_client_send (&running, "GET /long HTTP/1.1\r\n" HOST "\r\n");
    wait_submitted (app, 2);
    stopper_t stopper = {app, 20000, false};
    pthread_t thread;
    pthread_create (&thread, NULL, stop_server, &stopper);
    assert_true (web_client_at_end (&idle)); /* long before its 15 s are over */
    assert_true (web_client_at_end (&silent));
    web_client_t late = web_client_open (app->port); /* as if nobody listened any more */
    web_client_send (&late, "GET /a HTTP/1.1\r\n" HOST "\r\n");
    assert_true (web_client_at_end (&late));
    web_client_close (&late);
    web_reply_t reply = web_client_reply (&running, false);
    assert_int_equal (reply.status, 200);
    assert_string_equal (reply.body, "42");
    assert_non_null (strstr (reply.head, "Connection: close"));
    pthread_join (thread, NULL);
    assert_true (stopper.clean);
    web_client_close (&idle);
    web_client_close (&silent);
    web_client_close (&running);
    app_destroy (&app);
}

static void stop_does_not_wait_for_ever (void **state)
{
    (void) state;
    app_t *app = app_new ((web_config_t){.connections = 24});
    web_client_t parked = web_client_open (app->port);
    web_client_t reading = web_client_open (app->port);
    web_client_send (&parked, "GET /never HTTP/1.1\r\n" HOST "\r\n");
    web_client_send (&reading, "POST /upload HTTP/1.1\r\n" HOST "Content-Length: 99999\r\n\r\nx");
    wait_submitted (app, 2);
    stopper_t stopper = {app, 50, true};
    stop_server (&stopper);
    assert_false (stopper.clean);
    assert_int_equal (web_client_reply (&parked, false).status, 504);
    assert_int_equal (web_client_reply (&reading, false).status, 408);
    web_client_close (&parked);
    web_client_close (&reading);
    app_destroy (&app);
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
            .listen = rows[i].listen, .connections = rows[i].connections, .submit = app_submit};
        web_server_t *server = NULL;
        failure_t failure = {0};
        assert_int_equal (web_server_new (&config, &server, &failure), rows[i].want);
        assert_null (server);
        assert_int_equal (failure.code, rows[i].want);
        assert_true (failure.text[0] != '\0');
    }
}

#define ROW(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)

int main (void)
{
    const struct CMUnitTest tests[] = {
        ROW (requests_are_answered),
        ROW (head_has_the_length_and_no_body),
        ROW (connection_is_kept_and_pipelined),
        ROW (too_many_or_too_long_headers_are_refused),
        ROW (long_bodies_are_refused),
        ROW (short_unread_body_keeps_the_connection),
        ROW (expect_gets_its_continue),
        ROW (streamed_answer_is_whole),
        ROW (slow_bodies_end),
        ROW (cut_body_is_400_or_nothing),
        ROW (silent_and_idle_connections_end),
        cmocka_unit_test (silent_crowd_does_not_starve),
        ROW (reader_that_does_not_read_ends),
        ROW (many_wait_on_the_bridge),
        ROW (late_completions_are_thrown_away),
        cmocka_unit_test (stop_ends_idle_and_finishes_running),
        cmocka_unit_test (stop_does_not_wait_for_ever),
        ROW (bad_configurations_are_refused),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
