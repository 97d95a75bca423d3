/* web_app_test.h - a small application for the tests of the server, with a bus thread of its own. */
#ifndef AVIARY_WEB_WEB_APP_TEST_H
#define AVIARY_WEB_WEB_APP_TEST_H

#include "web/web.h"

#include <pthread.h>

#define HOST "Host: x\r\n"

enum { APP_LARGE = 16 << 20 }; /* what /large answers: more than sockets take at once */

typedef struct app {
    web_server_t *server;
    web_bridge_t *bridge;
    pthread_t bus;
    atomic_bool ending;
    atomic_bool held;
    atomic_uint submitted;
    atomic_uint late; /* completions that found nobody waiting */
    uint16_t port;
} app_t;

/* Paths: /bus, /twice, /late (gives up first), /long, /never park; /bus-stream and /around go from the bus to a thread; /stream and /thread to a thread at once; /upload counts
 * a body in pieces, /sum reads it whole; /large; /silent answers nothing, /held holds up its loop while `held`, /refused does not look at the body; any other is echoed, with a body of up to 1,000 bytes. */
app_t *app_new (web_config_t config);
void app_destroy (app_t **app);
/* Around a test: an app with short times and 24 connections. */
int app_set_up (void **state);
int app_tear_down (void **state);
void app_wait_submitted (app_t *app, unsigned count);
void app_wait_late (app_t *app, unsigned count);
/* Until so many connections are open; so many requests under way. */
void app_wait_connections (app_t *app, unsigned count);
void app_wait_requests (app_t *app, unsigned count);

#endif
