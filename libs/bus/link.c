/* link.c - the DEALER of a peer. ZMQ_IMMEDIATE: nothing is queued for a broker that is away, so nothing arrives after its asker gave
 * up. What must not be lost while a pipe is full (answers, credit) waits in the outbox. */
#include "bus/peer.h"

#include <stdlib.h>
#include <string.h>

enum { SEND_MESSAGES = 10000, RECEIVE_MESSAGES = 100000, RECONNECT_MAX_MS = 250 };

static bool option_set (void *socket, int option, int value)
{
    return zmq_setsockopt (socket, option, &value, sizeof value) == 0;
}

static bool link_options (void *socket)
{
    int64_t most = ENVELOPE_BODY_MAX + 16384;
    return option_set (socket, ZMQ_IMMEDIATE, 1) && option_set (socket, ZMQ_LINGER, 0) &&
           option_set (socket, ZMQ_SNDHWM, SEND_MESSAGES) &&
           option_set (socket, ZMQ_RCVHWM, RECEIVE_MESSAGES) &&
           option_set (socket, ZMQ_RECONNECT_IVL, RECONNECT_MS) &&
           option_set (socket, ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX_MS) &&
           zmq_setsockopt (socket, ZMQ_MAXMSGSIZE, &most, sizeof most) == 0;
}

static bool link_curve (void *socket, const curve_keys_t *keys)
{
    return !zmq_setsockopt (socket, ZMQ_CURVE_SERVERKEY, keys->server_key,
                            sizeof keys->server_key) &&
           !zmq_setsockopt (socket, ZMQ_CURVE_PUBLICKEY, keys->public_key,
                            sizeof keys->public_key) &&
           !zmq_setsockopt (socket, ZMQ_CURVE_SECRETKEY, keys->secret_key,
                            sizeof keys->secret_key) &&
           option_set (socket, ZMQ_HEARTBEAT_IVL, 1000) &&
           option_set (socket, ZMQ_HEARTBEAT_TIMEOUT, 5000) && option_set (socket, ZMQ_IPV6, 1);
}

int link_open (bus_t *self, failure_t *failure)
{
    const char *endpoint = self->config.endpoint;
    int code = wire_endpoint_check (endpoint, failure);
    if (code)
        return code;
    if (!strncmp (endpoint, "tcp://", 6) && !self->config.curve)
        return failure_set (failure, E_BAD_REQUEST, "keys", "%s needs keys", endpoint);
    zmq_msg_init (&self->received[0]);
    zmq_msg_init (&self->received[1]);
    self->context = zmq_ctx_new ();
    if (self->context)
        self->socket = zmq_socket (self->context, ZMQ_DEALER);
    if (!self->socket || !link_options (self->socket))
        return failure_set (failure, E_NO_MEMORY, "", "no socket: %s", zmq_strerror (zmq_errno ()));
    if (self->config.curve && !link_curve (self->socket, self->config.curve))
        return failure_set (failure, E_BAD_REQUEST, "keys",
                            "the keys of the bus are no CURVE keys");
    if (zmq_connect (self->socket, endpoint))
        return failure_set (failure, E_BAD_REQUEST, "endpoint", "cannot connect to %s: %s",
                            endpoint, zmq_strerror (zmq_errno ()));
    self->touched = true;
    return 0;
}

void link_close (bus_t *self)
{
    int linger_ms = 200;
    if (self->socket) {
        link_end (self);
        zmq_msg_close (&self->received[0]);
        zmq_msg_close (&self->received[1]);
        zmq_setsockopt (self->socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
        zmq_close (self->socket);
    }
    if (self->context)
        zmq_ctx_term (self->context);
    link_forget (self);
}

/* What goes in the moment of sending is as lost as any other message in its pipe. */
static void train_end (bus_t *self)
{
    train_t *train = &self->train;
    if (!train->pairs)
        return;
    self->touched = true;
    zmq_send (self->socket, train->data, train->size, ZMQ_DONTWAIT);
    train_clear (train);
}

static bool train_may_begin (bus_t *self)
{
    int events = 0;
    size_t size = sizeof events;
    return zmq_getsockopt (self->socket, ZMQ_EVENTS, &events, &size) == 0 && events & ZMQ_POLLOUT;
}

void link_gather (bus_t *self)
{
    self->gathers = self->packed;
}

void link_end (bus_t *self)
{
    self->gathers = false;
    train_end (self);
}

bool link_send (bus_t *self, bytes_t header, bytes_t body)
{
    bool gathers = self->gathers && train_takes (header, body);
    self->touched = true;
    if (!gathers || !train_has_room (&self->train, header, body))
        train_end (self);
    if (!gathers)
        return zmq_send (self->socket, header.data, header.size, ZMQ_DONTWAIT | ZMQ_SNDMORE) >= 0 &&
               zmq_send (self->socket, body.data, body.size, ZMQ_DONTWAIT) >= 0;
    if (!self->train.pairs && !train_may_begin (self))
        return false;
    train_add (&self->train, header, body);
    return true;
}

bool link_send_envelope (bus_t *self, const envelope_t *e, bytes_t body)
{
    buf_clear (&self->header);
    envelope_write (e, &self->header);
    return !buf_failed (&self->header) && link_send (self, buf_bytes (&self->header), body);
}

static bytes_t received (bus_t *self, unsigned part)
{
    zmq_msg_t *frame = &self->received[part];
    return bytes_of (zmq_msg_data (frame), zmq_msg_size (frame));
}

bool link_receive (bus_t *self, bytes_t *header, bytes_t *body)
{
    zmq_msg_t *first = &self->received[0], *second = &self->received[1];
    self->touched = true;
    for (;;) {
        if (train_next (&self->coming, header, body))
            return true;
        if (zmq_msg_recv (first, self->socket, ZMQ_DONTWAIT) < 0)
            break;
        if (!zmq_msg_more (first)) {
            self->coming = train_open (received (self, 0));
        } else if (zmq_msg_recv (second, self->socket, ZMQ_DONTWAIT) >= 0) {
            *header = received (self, 0); /* after a body may come a header again */
            *body = received (self, 1);
            return true;
        }
    }
    self->touched = false; /* it has looked at all that had come */
    return false;
}

bool link_has_more (bus_t *self)
{
    int events = 0;
    size_t size = sizeof events;
    if (!self->touched || self->coming.size)
        return self->coming.size > 0;
    self->touched = false;
    return zmq_getsockopt (self->socket, ZMQ_EVENTS, &events, &size) == 0 && events & ZMQ_POLLIN;
}

parcel_t *parcel_new (bytes_t header, bytes_t body)
{
    parcel_t *self = malloc (sizeof *self + header.size + body.size);
    if (!self)
        return NULL;
    self->header_size = header.size;
    self->body_size = body.size;
    memcpy (self->data, header.data, header.size);
    if (body.size)
        memcpy (self->data + header.size, body.data, body.size);
    return self;
}

bytes_t parcel_header (const parcel_t *self)
{
    return bytes_of (self->data, self->header_size);
}

bytes_t parcel_body (const parcel_t *self)
{
    return bytes_of (self->data + self->header_size, self->body_size);
}

bool link_post (bus_t *self, const envelope_t *e, bytes_t body)
{
    buf_clear (&self->header);
    envelope_write (e, &self->header);
    if (buf_failed (&self->header))
        return false;
    bytes_t header = buf_bytes (&self->header);
    if (STAILQ_EMPTY (&self->outbox) && link_send (self, header, body))
        return true;
    parcel_t *parcel = parcel_new (header, body);
    if (parcel)
        STAILQ_INSERT_TAIL (&self->outbox, parcel, link);
    return parcel != NULL;
}

void link_flush (bus_t *self)
{
    parcel_t *parcel;
    while ((parcel = STAILQ_FIRST (&self->outbox)) &&
           link_send (self, parcel_header (parcel), parcel_body (parcel))) {
        STAILQ_REMOVE_HEAD (&self->outbox, link);
        free (parcel);
    }
}

void link_forget (bus_t *self)
{
    parcel_t *parcel;
    while ((parcel = STAILQ_FIRST (&self->outbox))) {
        STAILQ_REMOVE_HEAD (&self->outbox, link);
        free (parcel);
    }
}
