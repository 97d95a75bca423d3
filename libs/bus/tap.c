/* tap.c - a SUB socket on the tap's address. Messages that do not fit the form are passed over. */
#include "bus/tap.h"

#include "base/clock.h"
#include "base/msgpack.h"
#include "bus/wire.h"

#include <stdlib.h>
#include <string.h>
#include <zmq.h>

enum { PARTS = 4, RECEIVE_MESSAGES = 100000 };

struct tap {
    void *context;
    void *socket;
};

void tap_meta_write (const tap_meta_t *in, buf_t *out)
{
    mp_array (out, 3);
    mp_int (out, in->time_ms);
    mp_int (out, in->replica);
    mp_int (out, in->elapsed_ms);
}

int tap_meta_read (bytes_t packed, tap_meta_t *out)
{
    mp_reader_t in = mp_read (packed);
    if (mp_read_array (&in) < 3)
        return E_BAD_REQUEST;
    int64_t time_ms = mp_read_int (&in), replica = mp_read_int (&in),
            elapsed_ms = mp_read_int (&in);
    if (in.failed || replica < 0 || replica > UINT32_MAX || elapsed_ms < 0 ||
        elapsed_ms > UINT32_MAX)
        return E_BAD_REQUEST;
    *out = (tap_meta_t){time_ms, (uint32_t) replica, (uint32_t) elapsed_ms};
    return 0;
}

int tap_new (const char *endpoint, const char *service, tap_t **out, failure_t *failure)
{
    int code = wire_endpoint_check (endpoint, failure);
    if (code)
        return code;
    int messages = RECEIVE_MESSAGES;
    tap_t *self = calloc (1, sizeof *self);
    if (self)
        self->context = zmq_ctx_new ();
    if (self && self->context)
        self->socket = zmq_socket (self->context, ZMQ_SUB);
    bool open = self && self->socket &&
                !zmq_setsockopt (self->socket, ZMQ_RCVHWM, &messages, sizeof messages) &&
                !zmq_setsockopt (self->socket, ZMQ_SUBSCRIBE, service, strlen (service)) &&
                !zmq_connect (self->socket, endpoint);
    if (!open) {
        failure_set (failure, E_IO, "endpoint", "cannot listen to %s: %s", endpoint,
                     zmq_strerror (zmq_errno ()));
        tap_destroy (&self);
        return E_IO;
    }
    *out = self;
    return 0;
}

void tap_destroy (tap_t **self)
{
    if (!self || !*self)
        return;
    if ((*self)->socket)
        zmq_close ((*self)->socket);
    if ((*self)->context)
        zmq_ctx_term ((*self)->context);
    free (*self);
    *self = NULL;
}

/* All parts of one message; false if it has another number of them. */
static bool parts_receive (tap_t *self, zmq_msg_t parts[PARTS])
{
    int count = 0, more = 1;
    while (more) {
        zmq_msg_t extra;
        zmq_msg_t *part = count < PARTS ? &parts[count] : &extra;
        if (part == &extra)
            zmq_msg_init (&extra);
        more = zmq_msg_recv (part, self->socket, ZMQ_DONTWAIT) >= 0 && zmq_msg_more (part);
        if (part == &extra)
            zmq_msg_close (&extra);
        count++;
    }
    return count == PARTS;
}

static bytes_t part_bytes (zmq_msg_t *part)
{
    return bytes_of (zmq_msg_data (part), zmq_msg_size (part));
}

static bool message_read (zmq_msg_t parts[PARTS], arena_t *arena, tap_message_t *out)
{
    bytes_t topic = part_bytes (&parts[0]), body = part_bytes (&parts[3]);
    if (tap_meta_read (part_bytes (&parts[1]), &out->meta) ||
        envelope_read (part_bytes (&parts[2]), arena, &out->envelope, NULL))
        return false;
    out->target = arena_strndup (arena, (const char *) topic.data, topic.size);
    out->body = bytes_of (arena_memdup (arena, body.data, body.size), body.size);
    return out->target && (out->body.data || body.size == 0);
}

bool tap_next (tap_t *self, int timeout_ms, arena_t *arena, tap_message_t *out)
{
    int64_t until = clock_mono_ms () + timeout_ms;
    for (;;) {
        int64_t left = timeout_ms < 0 ? -1 : until - clock_mono_ms ();
        zmq_pollitem_t item = {self->socket, 0, ZMQ_POLLIN, 0};
        if (zmq_poll (&item, 1, timeout_ms < 0 ? -1 : left > 0 ? (long) left : 0) <= 0)
            return false;
        zmq_msg_t parts[PARTS];
        for (int i = 0; i < PARTS; i++)
            zmq_msg_init (&parts[i]);
        bool read = parts_receive (self, parts) && message_read (parts, arena, out);
        for (int i = 0; i < PARTS; i++)
            zmq_msg_close (&parts[i]);
        if (read)
            return true;
    }
}
