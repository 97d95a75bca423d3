/* web_slow_test.c - the server under clients that are slow, silent, gone or too many, and at its end. */
#include "web/web_app_test.h"
#include "web/web_client_test.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

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

/* Who sent in time is not late because the loop was. */
static void loop_that_was_held_up_loses_nobody (void **state)
{
    enum { CLIENTS = 150, TIMEOUT_MS = 2500 };
    (void) state;
    app_t *app = app_new ((web_config_t){.loops = 1, .header_timeout_ms = TIMEOUT_MS});
    web_client_t clients[CLIENTS], held = web_client_open (app->port);
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = web_client_open (app->port);
    app_wait_connections (app, CLIENTS + 1);
    atomic_store (&app->held, true);
    web_client_send (&held, "GET /held HTTP/1.1\r\n" HOST "\r\n");
    app_wait_submitted (app, 1);
    for (int i = 0; i < CLIENTS; i++)
        web_client_send (&clients[i], i % 2 == 0 ? "GET /a HTTP/1.1\r\n" HOST "\r\n"
                                                 : "GET /bus HTTP/1.1\r\n" HOST "\r\n");
    usleep ((TIMEOUT_MS + 100) * 1000); /* until all times are over */
    atomic_store (&app->held, false);
    for (int i = 0; i < CLIENTS; i++) {
        assert_int_equal (web_client_reply (&clients[i], false).status, 200);
        web_client_close (&clients[i]);
    }
    assert_int_equal (web_client_reply (&held, false).status, 200);
    web_client_close (&held);
    app_destroy (&app);
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
    app_wait_submitted (app, 1);
    app_wait_connections (app, 0);
    assert_true (atomic_load (&app->submitted) < 400);
    assert_true (web_server_counts (app->server).timed_out > 0);
    web_client_close (&client);
}

/* 16 MB: the loop keeps what the client does not take, and serves others. */
static void slow_reader_gets_all (void **state)
{
    (void) state;
    app_t *app = app_new ((web_config_t){.loops = 1});
    web_client_t client = web_client_open (app->port);
    for (int round = 0; round < 2; round++) {
        web_client_send (&client,
                         "GET /large HTTP/1.1\r\n" HOST "\r\nGET /a HTTP/1.1\r\n" HOST "\r\n");
        assert_int_equal (web_client_reply (&client, true).status, 200);
        for (int i = 0; i < 3; i++)
            assert_int_equal (
                web_client_ask (app->port, "GET /bus HTTP/1.1\r\n" HOST "\r\n").status, 200);
        app_wait_requests (app, 1); /* that one */
        for (int i = 0; i < 64; i++) {
            assert_true (web_client_skip (&client, APP_LARGE / 64, 'l'));
            usleep (2000);
        }
        assert_string_equal (web_client_reply (&client, false).body, "GET|/a|/a||0:");
    }
    web_client_close (&client);
    app_wait_connections (app, 0);
    assert_int_equal (web_server_counts (app->server).timed_out, 0);
    app_destroy (&app);
}

static void answer_that_nobody_takes_ends (void **state)
{
    app_t *app = *state;
    web_client_t client = web_client_open (app->port);
    web_client_t gone = web_client_open (app->port);
    web_client_send (&client, "GET /large HTTP/1.1\r\n" HOST "\r\n");
    web_client_send (&gone, "GET /large HTTP/1.1\r\n" HOST "\r\n");
    app_wait_submitted (app, 2);
    web_client_close (&gone); /* an end of its own, no slowness */
    app_wait_connections (app, 0);
    assert_int_equal (web_server_counts (app->server).timed_out, 1);
    assert_int_equal (web_server_counts (app->server).requests, 0);
    web_client_close (&client);
}

/* Only who kept a request waiting counts as slow. */
static void slowness_is_counted (void **state)
{
    app_t *app = *state;
    web_client_t silent = web_client_open (app->port);
    web_client_t refused = web_client_open (app->port);
    web_client_send (&refused, "garbage\r\n\r\nand more of it");
    assert_int_equal (web_client_reply (&refused, false).status, 400);
    app_wait_connections (app, 0);
    assert_int_equal (web_server_counts (app->server).timed_out, 0);
    web_client_t slow = web_client_open (app->port);
    web_client_send (&slow, "GET /a HTTP/1.1\r\nX");
    assert_int_equal (web_client_reply (&slow, false).status, 408);
    app_wait_connections (app, 0);
    assert_int_equal (web_server_counts (app->server).timed_out, 1);
    assert_int_equal (web_server_counts (app->server).shed, 0);
    web_client_close (&silent);
    web_client_close (&refused);
    web_client_close (&slow);
}

/* ---- clients that are gone ---- */

static void clients_go_while_their_requests_are_under_way (void **state)
{
    static const char *const asks[] = {
        "GET /long HTTP/1.1\r\n" HOST "\r\n",
        "GET /late HTTP/1.1\r\n" HOST "\r\n",
        "POST /bus-stream HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx",
        "GET /large HTTP/1.1\r\n" HOST "\r\n",
        "POST /upload HTTP/1.1\r\n" HOST "Content-Length: 100000\r\n\r\nx",
        "POST /upload HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n5\r\nhe",
        "POST /around HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nxGET /bus HTTP/1.1\r\n" HOST
        "\r\n"};
    enum { ASKS = sizeof asks / sizeof asks[0] };
    app_t *app = *state;
    for (int reset = 0; reset < 2; reset++) {
        for (unsigned i = 0; i < ASKS; i++) {
            unsigned before = atomic_load (&app->submitted);
            web_client_t client = web_client_open (app->port);
            struct linger linger = {.l_onoff = 1};
            if (reset)
                setsockopt (client.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
            web_client_send (&client, asks[i]);
            app_wait_submitted (app, before + 1);
            web_client_close (&client);
        }
        app_wait_connections (app, 0);
        assert_int_equal (web_server_counts (app->server).requests, 0);
    }
    app_wait_late (app, 2); /* what /late gave up is thrown away when it comes */
    assert_int_equal (web_client_ask (app->port, "GET /bus HTTP/1.1\r\n" HOST "\r\n").status, 200);
}

/* No more is to come from them, but they wait for their answer. */
static void half_closed_clients_get_their_answer (void **state)
{
    static const char *const asks[] = {
        "GET /bus HTTP/1.1\r\n" HOST "\r\n", "GET /thread HTTP/1.1\r\n" HOST "\r\n",
        "GET /around HTTP/1.1\r\n" HOST "\r\n", "GET /long HTTP/1.1\r\n" HOST "\r\n",
        "POST /upload HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"};
    app_t *app = *state;
    for (size_t i = 0; i < sizeof asks / sizeof asks[0]; i++) {
        web_client_t client = web_client_open (app->port);
        web_client_send (&client, asks[i]);
        shutdown (client.fd, SHUT_WR);
        assert_int_equal (web_client_reply (&client, false).status, 200);
        assert_true (web_client_at_end (&client));
        web_client_close (&client);
    }
    web_client_t client = web_client_open (app->port);
    web_client_send (&client, "GET /large HTTP/1.1\r\n" HOST "\r\n");
    shutdown (client.fd, SHUT_WR);
    assert_int_equal (web_client_reply (&client, true).status, 200);
    assert_true (web_client_skip (&client, APP_LARGE, 'l'));
    assert_true (web_client_at_end (&client));
    web_client_close (&client);
    app_wait_connections (app, 0);
}

/* ---- more than there is room for ---- */

static void more_uploads_than_threads (void **state)
{
    enum { UPLOADS = 6, SIZE = 100000 };
    (void) state;
    app_t *app = app_new ((web_config_t){.threads = 2});
    char *body = calloc (1, SIZE);
    web_client_t clients[UPLOADS];
    for (int i = 0; i < UPLOADS; i++) {
        clients[i] = web_client_open (app->port);
        web_client_send (&clients[i],
                         "POST /upload HTTP/1.1\r\n" HOST "Content-Length: 100000\r\n\r\n");
        web_client_send_bytes (&clients[i], body, SIZE / 2);
    }
    app_wait_requests (app, UPLOADS);
    app_wait_submitted (app, 2);
    assert_int_equal (atomic_load (&app->submitted), 2); /* the others wait for a thread, */
    assert_int_equal (web_client_ask (app->port, "GET /bus HTTP/1.1\r\n" HOST "\r\n").status,
                      200); /* and nobody for them */
    for (int i = 0; i < UPLOADS; i++)
        assert_true (web_client_send_bytes (&clients[i], body, SIZE - SIZE / 2));
    for (int i = 0; i < UPLOADS; i++) {
        assert_string_equal (web_client_reply (&clients[i], false).body, "100000");
        web_client_close (&clients[i]);
    }
    free (body);
    app_destroy (&app);
}

static void idle_connections_are_in_nobodys_way (void **state)
{
    enum { IDLE = 500 };
    (void) state;
    app_t *app = app_new ((web_config_t){
        .connections = 1000, .loops = 3, .header_timeout_ms = 60000, .idle_timeout_ms = 60000});
    web_client_t *idle = calloc (IDLE, sizeof *idle);
    for (int i = 0; i < IDLE; i++) {
        idle[i] = web_client_open (app->port);
        if (i % 2 == 0)
            web_client_send (&idle[i], "GET /bus HTTP/1.1\r\n" HOST "\r\n");
    }
    for (int i = 0; i < IDLE; i += 2)
        assert_int_equal (web_client_reply (&idle[i], false).status, 200);
    app_wait_connections (app, IDLE);
    for (int i = 0; i < 20; i++)
        assert_int_equal (web_client_ask (app->port, "GET /bus HTTP/1.1\r\n" HOST "\r\n").status,
                          200);
    for (int i = IDLE - 1; i >= 0; i -= 7) {
        web_client_send (&idle[i], "GET /a HTTP/1.1\r\n" HOST "\r\n");
        assert_int_equal (web_client_reply (&idle[i], false).status, 200);
    }
    assert_int_equal (web_server_counts (app->server).shed, 0);
    for (int i = 0; i < IDLE; i++)
        web_client_close (&idle[i]);
    app_wait_connections (app, 0);
    free (idle);
    app_destroy (&app);
}

/* Those that are in the middle of a request are not closed for others: who comes waits. */
static void connections_beyond_the_limit_wait (void **state)
{
    enum { MOST = 4, MORE = 3 };
    (void) state;
    app_t *app = app_new ((web_config_t){.connections = MOST, .loops = 1});
    web_client_t busy[MOST], more[MORE];
    for (int i = 0; i < MOST; i++) {
        busy[i] = web_client_open (app->port);
        web_client_send (&busy[i], "POST /upload HTTP/1.1\r\n" HOST
                                   "Connection: close\r\nContent-Length: 70000\r\n\r\n");
    }
    app_wait_submitted (app, MOST);
    for (int i = 0; i < MORE; i++) {
        more[i] = web_client_open (app->port);
        web_client_send (&more[i], "GET /bus HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
    }
    usleep (200000); /* long enough to be accepted, if somebody did it */
    assert_int_equal (web_server_counts (app->server).connections, MOST);
    assert_int_equal (atomic_load (&app->submitted), MOST);
    char *body = calloc (1, 70000);
    for (int i = 0; i < MOST; i++) {
        web_client_send_bytes (&busy[i], body, 70000);
        assert_string_equal (web_client_reply (&busy[i], false).body, "70000");
        web_client_close (&busy[i]);
    }
    for (int i = 0; i < MORE; i++) {
        assert_string_equal (web_client_reply (&more[i], false).body, "42");
        web_client_close (&more[i]);
    }
    assert_int_equal (web_server_counts (app->server).shed, 0);
    free (body);
    app_destroy (&app);
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
    app_wait_late (app, 3);
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
    app_wait_submitted (app, 2);
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
    app_wait_submitted (app, 2);
    stopper_t stopper = {app, 50, true};
    stop_server (&stopper);
    assert_false (stopper.clean);
    assert_int_equal (web_client_reply (&parked, false).status, 504);
    assert_int_equal (web_client_reply (&reading, false).status, 408);
    web_client_close (&parked);
    web_client_close (&reading);
    app_destroy (&app);
}

/* An upload that a thread reads when the server is told to stop goes on to its end. */
static void stop_waits_for_a_thread (void **state)
{
    (void) state;
    app_t *app = app_new ((web_config_t){.connections = 24});
    char *body = calloc (1, 100000);
    web_client_t idle = web_client_open (app->port);
    web_client_t upload = web_client_open (app->port);
    web_client_send (&upload, "POST /upload HTTP/1.1\r\n" HOST "Content-Length: 100000\r\n\r\n");
    app_wait_submitted (app, 1);
    app_wait_connections (app, 2);
    stopper_t stopper = {app, 20000, false};
    pthread_t thread;
    pthread_create (&thread, NULL, stop_server, &stopper);
    assert_true (web_client_at_end (&idle)); /* it stops */
    web_client_send_bytes (&upload, body, 100000);
    web_reply_t reply = web_client_reply (&upload, false);
    assert_string_equal (reply.body, "100000");
    assert_non_null (strstr (reply.head, "Connection: close"));
    assert_true (web_client_at_end (&upload));
    pthread_join (thread, NULL);
    assert_true (stopper.clean);
    web_client_close (&idle);
    web_client_close (&upload);
    free (body);
    app_destroy (&app);
}

static void stop_ends_what_waits_for_a_thread (void **state)
{
    enum { UPLOADS = 4 };
    (void) state;
    app_t *app = app_new ((web_config_t){.threads = 1});
    web_client_t clients[UPLOADS];
    for (int i = 0; i < UPLOADS; i++) {
        clients[i] = web_client_open (app->port);
        web_client_send (&clients[i],
                         "POST /upload HTTP/1.1\r\n" HOST "Content-Length: 100000\r\n\r\nx");
    }
    app_wait_requests (app, UPLOADS);
    assert_false (web_server_stop (app->server, 20));
    for (int i = 0; i < UPLOADS; i++) {
        assert_int_equal (web_client_reply (&clients[i], false).status, 408);
        web_client_close (&clients[i]);
    }
    assert_int_equal (web_server_counts (app->server).connections, 0);
    app_destroy (&app);
}

/* What was there before the stop is no less served than without it, though nobody had looked at it yet. */
static void stop_serves_what_came_before (void **state)
{
    enum { ROUNDS = 30, MANY = 100 };
    static const char bus[] = "GET /bus HTTP/1.1\r\n" HOST "\r\n";
    static const char plain[] = "GET /a HTTP/1.1\r\n" HOST "\r\n";
    (void) state;
    char many[MANY * sizeof plain];
    for (int i = 0; i < MANY; i++)
        memcpy (many + i * ((int) sizeof plain - 1), plain, sizeof plain);
    for (int round = 0; round < ROUNDS; round++) {
        app_t *app = app_new ((web_config_t){.connections = 24, .loops = 2});
        web_client_t client = web_client_open (app->port);
        web_client_send (&client, plain);
        assert_int_equal (web_client_reply (&client, false).status, 200);
        web_client_send (&client, round % 2 == 0 ? bus : many);
        assert_true (web_client_arrived (&client));
        assert_true (web_server_stop (app->server, 20000));
        web_reply_t reply = {0};
        int left = round % 2 == 0 ? 1 : MANY; /* or up to the one that says so */
        for (; left > 0 && strstr (reply.head, "Connection: close") == NULL; left--) {
            reply = web_client_reply (&client, false);
            assert_int_equal (reply.status, 200);
            assert_string_equal (reply.body, round % 2 == 0 ? "42" : "GET|/a|/a||0:");
        }
        assert_true (web_client_at_end (&client));
        web_client_close (&client);
        app_destroy (&app);
    }
}

#define ROW(name) cmocka_unit_test_setup_teardown (name, app_set_up, app_tear_down)

int main (void)
{
    const struct CMUnitTest tests[] = {
        ROW (slow_bodies_end),
        ROW (cut_body_is_400_or_nothing),
        ROW (silent_and_idle_connections_end),
        cmocka_unit_test (loop_that_was_held_up_loses_nobody),
        cmocka_unit_test (silent_crowd_does_not_starve),
        ROW (reader_that_does_not_read_ends),
        cmocka_unit_test (slow_reader_gets_all),
        ROW (answer_that_nobody_takes_ends),
        ROW (slowness_is_counted),
        ROW (half_closed_clients_get_their_answer),
        ROW (clients_go_while_their_requests_are_under_way),
        cmocka_unit_test (more_uploads_than_threads),
        cmocka_unit_test (idle_connections_are_in_nobodys_way),
        cmocka_unit_test (connections_beyond_the_limit_wait),
        ROW (many_wait_on_the_bridge),
        ROW (late_completions_are_thrown_away),
        cmocka_unit_test (stop_ends_idle_and_finishes_running),
        cmocka_unit_test (stop_does_not_wait_for_ever),
        cmocka_unit_test (stop_waits_for_a_thread),
        cmocka_unit_test (stop_ends_what_waits_for_a_thread),
        cmocka_unit_test (stop_serves_what_came_before),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
