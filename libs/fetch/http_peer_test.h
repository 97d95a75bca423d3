/* http_peer_test.h - a small scripted HTTP server for the tests: a thread per connection, the path says what it does. */
#ifndef AVIARY_FETCH_HTTP_PEER_TEST_H
#define AVIARY_FETCH_HTTP_PEER_TEST_H

#include <stdatomic.h>
#include <stdint.h>

typedef struct http_peer http_peer_t;

http_peer_t *http_peer_new (void);
void http_peer_destroy (http_peer_t **self);
uint16_t http_peer_port (const http_peer_t *self);
/* Requests whose headers and body arrived completely; connections accepted. */
unsigned http_peer_requests (http_peer_t *self);
unsigned http_peer_connections (http_peer_t *self);

#endif
