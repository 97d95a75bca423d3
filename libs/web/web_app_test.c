/* web_app_test.c - a small application for the tests of the server: what it answers is told by the path. */
#include "web/web_app_test.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

typedef struct app_call {
    web_call_t call;
    int delay_ms;
    int result;
} app_call_t;

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

static void answer_large (web_request_t *request)
{
    char *text = malloc (APP_LARGE);
    memset (text, 'l', APP_LARGE);
    web_answer (request, 200, NULL, bytes_of (text, APP_LARGE));
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

/* The whole body: its size, the sum of its bytes, and that a NUL follows it. */
static void answer_sum (web_request_t *request)
{
    bytes_t body;
    char text[64];
    unsigned long sum = 0;
    int status = web_body (request, 1 << 20, &body);
    for (size_t i = 0; status == 0 && i < body.size; i++)
        sum += body.data[i];
    if (status == 0)
        snprintf (text, sizeof text, "%zu:%lu:%d", body.size, sum, body.data[body.size]);
    answer_text (request, status != 0 ? status : 200, status != 0 ? "no body" : text);
}

typedef struct park_row {
    const char *path;
    int delay_ms;
    uint32_t timeout_ms;
    const char *data; /* what is to be done when it is completed */
} park_row_t;

static const park_row_t park_rows[] = {{"/bus", 0, 5000, NULL},
                                       {"/twice", 0, 5000, "again"},
                                       {"/bus-stream", 0, 5000, "stream"},
                                       {"/around", 0, 5000, "around"},
                                       {"/late", 100, 10, NULL},
                                       {"/long", 300, 60000, NULL},
                                       {"/never", 1500, 60000, "never"}};

static web_next_t app_submit (void *context, web_request_t *request)
{
    app_t *app = context;
    const char *path = web_raw_path (request);
    atomic_fetch_add (&app->submitted, 1);
    for (size_t i = 0; i < sizeof park_rows / sizeof park_rows[0]; i++)
        if (strcmp (path, park_rows[i].path) == 0) {
            web_set_data (request, (void *) park_rows[i].data);
            return app_park (app, request, park_rows[i].delay_ms, park_rows[i].timeout_ms);
        }
    if (strcmp (path, "/silent") == 0)
        return WEB_DONE;
    if (strcmp (path, "/stream") == 0 || strcmp (path, "/thread") == 0)
        return WEB_THREAD;
    if (strcmp (path, "/held") == 0)
        while (atomic_load (&app->held))
            usleep (1000);
    if (strcmp (path, "/refused") == 0)
        answer_text (request, 401, "who are you");
    else if (strcmp (path, "/upload") == 0)
        answer_upload (request);
    else if (strcmp (path, "/sum") == 0)
        answer_sum (request);
    else if (strcmp (path, "/large") == 0)
        answer_large (request);
    else
        answer_echo (request, 1000);
    return WEB_DONE;
}

static bool data_is (const web_request_t *request, const char *want)
{
    const char *data = web_data (request);
    return data != NULL && strcmp (data, want) == 0;
}

static web_next_t app_complete (void *context, web_request_t *request, web_call_t *call,
                                bool in_time)
{
    app_t *app = context;
    if (in_time && data_is (request, "again")) {
        web_set_data (request, NULL);
        return app_park (app, request, 0, 5000);
    }
    if (in_time && (data_is (request, "stream") || data_is (request, "around")))
        return WEB_THREAD;
    char text[32];
    snprintf (text, sizeof text, "%d", in_time ? ((app_call_t *) call)->result : -1);
    answer_text (request, in_time ? 200 : 504, text);
    return WEB_DONE;
}

static web_next_t app_resume (void *context, web_request_t *request)
{
    if (data_is (request, "around")) {
        web_set_data (request, NULL);
        return app_park (context, request, 0, 5000);
    }
    if (strcmp (web_raw_path (request), "/thread") == 0)
        answer_echo (request, 1000);
    else
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

app_t *app_new (web_config_t config)
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

void app_destroy (app_t **app_p)
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

int app_set_up (void **state)
{
    *state = app_new ((web_config_t){.connections = 24,
                                     .header_timeout_ms = 600,
                                     .body_timeout_ms = 600,
                                     .idle_timeout_ms = 800,
                                     .answer_timeout_ms = 600});
    return 0;
}

int app_tear_down (void **state)
{
    app_t *app = *state;
    app_destroy (&app);
    return 0;
}

/* ---- waiting: as long as it takes on a busy machine, and not for ever ---- */

enum { WAIT_MS = 20000 };

void app_wait_submitted (app_t *app, unsigned count)
{
    for (int ms = 0; atomic_load (&app->submitted) < count; ms++) {
        if (ms == WAIT_MS)
            fail_msg ("%u requests were submitted, not %u", atomic_load (&app->submitted), count);
        usleep (1000);
    }
}

void app_wait_late (app_t *app, unsigned count)
{
    for (int ms = 0; atomic_load (&app->late) < count; ms++) {
        if (ms == WAIT_MS)
            fail_msg ("%u completions were late, not %u", atomic_load (&app->late), count);
        usleep (1000);
    }
}

void app_wait_connections (app_t *app, unsigned count)
{
    for (int ms = 0; web_server_counts (app->server).connections != count; ms++) {
        if (ms == WAIT_MS)
            fail_msg ("%u connections are open, not %u",
                      web_server_counts (app->server).connections, count);
        usleep (1000);
    }
}

void app_wait_requests (app_t *app, unsigned count)
{
    for (int ms = 0; web_server_counts (app->server).requests != count; ms++) {
        if (ms == WAIT_MS)
            fail_msg ("%u requests are under way, not %u", web_server_counts (app->server).requests,
                      count);
        usleep (1000);
    }
}
