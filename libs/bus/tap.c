/* tap.c - a SUB socket on the tap's address. Messages that do not fit the form are passed over.
 *
 * Who has a sieve subscribes to that first. If no word comes, the broker does not sieve, and he subscribes to the service as well; when
 * the word does come after all, he leaves that again. The broker sends the sieved copy first, so nothing is missed or doubled between the two. */
#include "bus/tap.h"

#include "base/clock.h"
#include "base/hash.h"
#include "bus/wire.h"

#include <stdlib.h>
#include <string.h>
#include <zmq.h>

enum {
    PARTS = 4,
    RECEIVE_MESSAGES = 100000,
    RECEIVE_TRAINS = 10000,
    FIRST_WORD_MS = 200, /* a broker that sieves says so at once */
    WORD_MS = 3500       /* and then each second */
};

struct tap {
    void *context;
    void *socket;
    char service[ENVELOPE_TARGET_MAX + 1];
    buf_t topic; /* the sieve's; empty = none */
    bool plain;  /* subscribed to the service */
    int64_t trusted_until_ms;
    zmq_msg_t parts
        [PARTS]; /* of the last message: sieve, train, a body apart; or target, meta, header, body */
    int count;
    mp_reader_t train; /* what is left of it */
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

void tap_pair_write (const tap_meta_t *meta, bytes_t header, const bytes_t *body, buf_t *out)
{
    tap_meta_write (meta, out);
    mp_bin (out, header.data, header.size);
    if (body)
        mp_bin (out, body->data, body->size);
    else
        mp_nil (out);
}

int tap_pair_read (mp_reader_t *in, tap_pair_t *out)
{
    tap_pair_t pair = {0};
    bytes_t meta = mp_skip (in);
    if (in->failed || tap_meta_read (meta, &pair.meta))
        return E_BAD_REQUEST;
    pair.header = mp_read_bin (in);
    pair.apart = mp_read_nil (in);
    if (!pair.apart)
        pair.body = mp_read_bin (in);
    if (in->failed)
        return E_BAD_REQUEST;
    *out = pair;
    return 0;
}

/* ---- life ---- */

static bool subscription (tap_t *self, int option, bytes_t topic)
{
    return zmq_setsockopt (self->socket, option, topic.data, topic.size) == 0;
}

static bool plain_begin (tap_t *self)
{
    self->plain = true;
    return subscription (self, ZMQ_SUBSCRIBE, bytes_of_str (self->service));
}

static void plain_end (tap_t *self)
{
    self->plain = false;
    subscription (self, ZMQ_UNSUBSCRIBE, bytes_of_str (self->service));
}

static bool sieve_begin (tap_t *self, const sieve_t *sieve)
{
    sieve_t own = *sieve;
    own.number = hash_seed ();
    sieve_write (&own, &self->topic);
    self->trusted_until_ms = clock_mono_ms () + FIRST_WORD_MS;
    if (!buf_failed (&self->topic) && self->topic.size <= SIEVE_TOPIC_MAX)
        return subscription (self, ZMQ_SUBSCRIBE, buf_bytes (&self->topic));
    buf_free (&self->topic); /* too much to ask for: he gets all and looks for himself */
    return plain_begin (self);
}

static bool tap_open (tap_t *self, const char *endpoint, bytes_t service, const sieve_t *sieve)
{
    int messages = sieve ? RECEIVE_TRAINS : RECEIVE_MESSAGES;
    self->context = zmq_ctx_new ();
    self->socket = self->context ? zmq_socket (self->context, ZMQ_SUB) : NULL;
    if (!self->socket || service.size >= sizeof self->service)
        return false;
    if (service.size)
        memcpy (self->service, service.data, service.size);
    return !zmq_setsockopt (self->socket, ZMQ_RCVHWM, &messages, sizeof messages) &&
           (sieve ? sieve_begin (self, sieve) : plain_begin (self)) &&
           !zmq_connect (self->socket, endpoint);
}

static int tap_make (const char *endpoint, bytes_t service, const sieve_t *sieve, tap_t **out,
                     failure_t *failure)
{
    int code = wire_endpoint_check (endpoint, failure);
    if (code)
        return code;
    tap_t *self = calloc (1, sizeof *self);
    for (int i = 0; self && i < PARTS; i++)
        zmq_msg_init (&self->parts[i]);
    if (!self || !tap_open (self, endpoint, service, sieve)) {
        failure_set (failure, E_IO, "endpoint", "cannot listen to %s: %s", endpoint,
                     zmq_strerror (zmq_errno ()));
        tap_destroy (&self);
        return E_IO;
    }
    *out = self;
    return 0;
}

int tap_new (const char *endpoint, const char *service, tap_t **out, failure_t *failure)
{
    return tap_make (endpoint, bytes_of_str (service), NULL, out, failure);
}

int tap_new_sieved (const char *endpoint, const sieve_t *sieve, tap_t **out, failure_t *failure)
{
    return tap_make (endpoint, sieve->service, sieve, out, failure);
}

void tap_destroy (tap_t **self)
{
    if (!self || !*self)
        return;
    for (int i = 0; i < PARTS; i++)
        zmq_msg_close (&(*self)->parts[i]);
    if ((*self)->socket)
        zmq_close ((*self)->socket);
    if ((*self)->context)
        zmq_ctx_term ((*self)->context);
    buf_free (&(*self)->topic);
    free (*self);
    *self = NULL;
}

/* ---- messages ---- */

/* All parts of the next message, as far as they are counted; false if there is none. */
static bool parts_receive (tap_t *self)
{
    zmq_msg_t extra, *part = &self->parts[0];
    self->count = 0;
    zmq_msg_init (&extra);
    while (zmq_msg_recv (part, self->socket, ZMQ_DONTWAIT) >= 0) {
        self->count++;
        if (!zmq_msg_more (part))
            break;
        part = self->count < PARTS ? &self->parts[self->count] : &extra;
    }
    zmq_msg_close (&extra);
    return self->count > 0;
}

static bytes_t part_bytes (tap_t *self, int part)
{
    return bytes_of (zmq_msg_data (&self->parts[part]), zmq_msg_size (&self->parts[part]));
}

static bool envelope_take (const tap_meta_t *meta, bytes_t header, bytes_t body, arena_t *arena,
                           tap_message_t *out)
{
    if (envelope_read (header, arena, &out->envelope, NULL))
        return false;
    out->meta = *meta;
    out->target = out->envelope.target;
    out->body = bytes_of (arena_memdup (arena, body.data, body.size), body.size);
    return out->body.data || body.size == 0;
}

static bool plain_read (tap_t *self, arena_t *arena, tap_message_t *out)
{
    tap_meta_t meta;
    bytes_t topic = part_bytes (self, 0);
    if (self->count != PARTS || !self->plain || tap_meta_read (part_bytes (self, 1), &meta) ||
        !envelope_take (&meta, part_bytes (self, 2), part_bytes (self, 3), arena, out))
        return false;
    out->target = arena_strndup (arena, (const char *) topic.data, topic.size);
    return out->target;
}

/* A word or a train: the broker sieves. */
static void train_take (tap_t *self)
{
    self->trusted_until_ms = clock_mono_ms () + WORD_MS;
    if (self->plain)
        plain_end (self);
    if (self->count == 2 || self->count == 3)
        self->train = mp_read (part_bytes (self, 1));
}

/* The next of the train. */
static bool train_read (tap_t *self, arena_t *arena, tap_message_t *out)
{
    while (self->train.at < self->train.end) {
        tap_pair_t pair;
        if (tap_pair_read (&self->train, &pair)) {
            self->train = (mp_reader_t){0};
            break;
        }
        if (pair.apart && self->count == 3)
            pair.body = part_bytes (self, 2);
        if (envelope_take (&pair.meta, pair.header, pair.body, arena, out))
            return true;
    }
    return false;
}

/* False: nothing is there now. */
static bool message_next (tap_t *self, arena_t *arena, tap_message_t *out)
{
    bytes_t sieve = buf_bytes (&self->topic);
    while (!train_read (self, arena, out)) {
        if (!parts_receive (self))
            return false;
        if (sieve.size && bytes_equal (part_bytes (self, 0), sieve))
            train_take (self);
        else if (plain_read (self, arena, out))
            return true;
    }
    return true;
}

bool tap_next (tap_t *self, int timeout_ms, arena_t *arena, tap_message_t *out)
{
    int64_t until = timeout_ms < 0 ? INT64_MAX : clock_mono_ms () + timeout_ms;
    while (!message_next (self, arena, out)) {
        int64_t now = clock_mono_ms (), wake = until;
        if (!self->plain && now >= self->trusted_until_ms)
            plain_begin (self);
        else if (!self->plain && self->trusted_until_ms < wake)
            wake = self->trusted_until_ms;
        if (now >= until)
            return false;
        zmq_pollitem_t item = {self->socket, 0, ZMQ_POLLIN, 0};
        long left = wake == INT64_MAX ? -1 : (long) (wake - now);
        if (zmq_poll (&item, 1, left) < 0)
            return false;
    }
    return true;
}
