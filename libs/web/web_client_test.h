/* web_client_test.h - a raw HTTP client of the tests: bytes out, one answer in. */
#ifndef AVIARY_WEB_WEB_CLIENT_TEST_H
#define AVIARY_WEB_WEB_CLIENT_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct web_client {
    int fd;
    char *in; /* read and not yet used, NUL-terminated */
    size_t size;
} web_client_t;

typedef struct web_reply {
    int status; /* 0 = the connection ended first */
    char head[2048];
    char body[4096];
    size_t body_size; /* of which `body` holds the first */
} web_reply_t;

web_client_t web_client_open (uint16_t port);
void web_client_close (web_client_t *self);
bool web_client_send (web_client_t *self, const char *text);
bool web_client_send_bytes (web_client_t *self, const void *data, size_t size);
/* The next answer. `bodiless` for HEAD. */
web_reply_t web_client_reply (web_client_t *self, bool bodiless);
/* Read `size` bytes and throw them away: each must be `byte`. */
bool web_client_skip (web_client_t *self, size_t size, char byte);
/* Waits until all that was sent is with the peer. */
bool web_client_arrived (const web_client_t *self);
/* Waits up to 10 s for the peer's end. */
bool web_client_at_end (web_client_t *self);
/* Open, send, one answer, close. */
web_reply_t web_client_ask (uint16_t port, const char *text);

#endif
