/* mirror.c - an XPUB socket, which hands up who subscribes to what.
 *
 * All but the first frame of a message to a sieved listener is packed envelopes (tap_pair_write), gathered until the broker's round ends. What is
 * gathered leaves before any plain copy of a later envelope, so that who has both sorts of subscription for a moment can tell where one stream
 * takes over from the other. A large body goes as a frame of its own, shared. */
#include "bus/mirror.h"

#include "bus/sieve.h"

#include <errno.h>
#include <stdlib.h>
#include <zmq.h>

enum {
    LISTENERS = 63,        /* and a bit for all others */
    MESSAGES = 4000,       /* of one listener: at most 64 MB, large bodies not counted */
    TRAIN_SIZE = 16 << 10, /* what is gathered at most */
    BODY_SHARED = 8 << 10, /* bodies from here on are not copied */
    WORD_MS = 1000
};

static const mirror_set_t OTHERS = (mirror_set_t) 1 << LISTENERS;

typedef struct listener {
    uint8_t *topic;
    size_t topic_size;
    sieve_t sieve; /* views of the topic */
    buf_t train;
    uint32_t gathered; /* envelopes in it */
} listener_t;

struct mirror {
    void *socket;
    listener_t listeners[LISTENERS];
    mirror_set_t plain;
    mirror_set_t sieved;
    mirror_set_t of_asks; /* of those, whom only the ask of an answer can tell */
    mirror_set_t waiting; /* have something gathered */
    size_t others;        /* topics of plain ones without a place here: they get everything */
    bool touched;         /* used since it was last seen empty: a wake may have got lost in that */
    int64_t word_ms;
    uint64_t sent;
    uint64_t dropped;
    buf_t meta; /* scratch */
};

static bool option_set (void *socket, int option, int value)
{
    return zmq_setsockopt (socket, option, &value, sizeof value) == 0;
}

int mirror_new (void *context, const char *endpoint, mirror_t **out, failure_t *failure)
{
    mirror_t *self = calloc (1, sizeof *self);
    int code = 0;
    if (!self || !(self->socket = zmq_socket (context, ZMQ_XPUB)) ||
        !option_set (self->socket, ZMQ_SNDHWM, MESSAGES) ||
        !option_set (self->socket, ZMQ_LINGER, 0) || !option_set (self->socket, ZMQ_XPUB_NODROP, 1))
        code = failure_set (failure, E_NO_MEMORY, "tap", "no socket for the tap: %s",
                            zmq_strerror (errno));
    if (!code)
        code = wire_bind (self->socket, endpoint, failure);
    if (code)
        mirror_destroy (&self);
    else
        *out = self;
    return code;
}

static void listener_clear (listener_t *self)
{
    free (self->topic);
    buf_free (&self->train);
    *self = (listener_t){0};
}

void mirror_destroy (mirror_t **self)
{
    if (!self || !*self)
        return;
    mirror_t *m = *self;
    for (int i = 0; i < LISTENERS; i++)
        listener_clear (&m->listeners[i]);
    if (m->socket)
        zmq_close (m->socket);
    buf_free (&m->meta);
    free (m);
    *self = NULL;
}

int mirror_fd (const mirror_t *self)
{
    int fd = -1;
    size_t size = sizeof fd;
    zmq_getsockopt (self->socket, ZMQ_FD, &fd, &size);
    return fd;
}

bool mirror_is_watched (const mirror_t *self)
{
    return self->plain || self->sieved || self->others;
}

uint64_t mirror_sent (const mirror_t *self)
{
    return self->sent;
}

uint64_t mirror_dropped (const mirror_t *self)
{
    return self->dropped;
}

/* ---- sieved listeners ---- */

static mirror_set_t bit_of (int at)
{
    return (mirror_set_t) 1 << at;
}

static int lowest_of (mirror_set_t set)
{
    return __builtin_ctzll (set);
}

static void train_send (mirror_t *self, int at, const frame_t *body)
{
    listener_t *listener = &self->listeners[at];
    self->waiting &= ~bit_of (at);
    self->touched = true;
    bool sent = !buf_failed (&listener->train) &&
                zmq_send (self->socket, listener->topic, listener->topic_size,
                          ZMQ_DONTWAIT | ZMQ_SNDMORE) >= 0;
    *(sent ? &self->sent : &self->dropped) += listener->gathered;
    if (sent) {
        zmq_send (self->socket, listener->train.data, listener->train.size,
                  ZMQ_DONTWAIT | (body ? ZMQ_SNDMORE : 0));
        if (body)
            frame_share (body, self->socket);
    }
    if (buf_failed (&listener->train))
        buf_free (&listener->train);
    buf_clear (&listener->train);
    listener->gathered = 0;
}

static void train_add (mirror_t *self, int at, const tap_meta_t *meta, bytes_t header,
                       const frame_t *body)
{
    listener_t *listener = &self->listeners[at];
    bytes_t packed = frame_bytes (body);
    bool shared = packed.size >= BODY_SHARED;
    tap_pair_write (meta, header, shared ? NULL : &packed, &listener->train);
    listener->gathered++;
    self->waiting |= bit_of (at);
    if (shared || listener->train.size >= TRAIN_SIZE || buf_failed (&listener->train))
        train_send (self, at, shared ? body : NULL);
}

static void trains_send (mirror_t *self)
{
    while (self->waiting)
        train_send (self, lowest_of (self->waiting), NULL);
}

static void word_send (mirror_t *self, int at)
{
    if (self->waiting & bit_of (at))
        train_send (self, at, NULL);
    self->touched = true;
    zmq_send (self->socket, self->listeners[at].topic, self->listeners[at].topic_size,
              ZMQ_DONTWAIT);
}

void mirror_beat (mirror_t *self, int64_t now_ms)
{
    if (!self->sieved || now_ms - self->word_ms < WORD_MS)
        return;
    self->word_ms = now_ms;
    for (mirror_set_t left = self->sieved; left; left &= left - 1)
        word_send (self, lowest_of (left));
}

/* ---- who listens ---- */

static bool is_sieved (bytes_t topic)
{
    return topic.size && topic.data[0] == SIEVE_MARK;
}

/* False if there is no place, or it asks for what is not known here. */
static bool listener_add (mirror_t *self, bytes_t topic)
{
    mirror_set_t free_ones = ~(self->plain | self->sieved | OTHERS);
    uint8_t *copy = free_ones ? malloc (topic.size + 1) : NULL;
    if (!copy)
        return false;
    int at = lowest_of (free_ones);
    if (topic.size)
        memcpy (copy, topic.data, topic.size);
    listener_t *listener = &self->listeners[at];
    *listener = (listener_t){.topic = copy, .topic_size = topic.size};
    if (!is_sieved (topic)) {
        self->plain |= bit_of (at);
    } else if (!sieve_read (bytes_of (copy, topic.size), &listener->sieve)) {
        self->sieved |= bit_of (at);
        if (sieve_is_of_asks (&listener->sieve))
            self->of_asks |= bit_of (at);
        word_send (self, at);
    } else {
        listener_clear (listener);
        return false;
    }
    return true;
}

static bool listener_remove (mirror_t *self, bytes_t topic)
{
    for (mirror_set_t left = self->plain | self->sieved; left; left &= left - 1) {
        int at = lowest_of (left);
        listener_t *listener = &self->listeners[at];
        if (!bytes_equal (topic, bytes_of (listener->topic, listener->topic_size)))
            continue;
        self->plain &= ~bit_of (at);
        self->sieved &= ~bit_of (at);
        self->of_asks &= ~bit_of (at);
        self->waiting &= ~bit_of (at);
        listener_clear (listener);
        return true;
    }
    return false;
}

/* Each topic comes once, with its first subscriber (byte 1), and once when its last is gone (0). */
static void change_note (mirror_t *self, bytes_t change)
{
    bytes_t topic = bytes_of (change.data + 1, change.size - 1);
    if (change.data[0] == 1 && !listener_add (self, topic) && !is_sieved (topic))
        self->others++;
    else if (change.data[0] == 0 && !listener_remove (self, topic) && !is_sieved (topic) &&
             self->others)
        self->others--;
}

void mirror_look (mirror_t *self)
{
    zmq_msg_t change;
    zmq_msg_init (&change);
    while (zmq_msg_recv (&change, self->socket, ZMQ_DONTWAIT) >= 0) {
        if (zmq_msg_size (&change))
            change_note (self, bytes_of (zmq_msg_data (&change), zmq_msg_size (&change)));
    }
    zmq_msg_close (&change);
    self->touched = false; /* it was empty */
}

void mirror_turn (mirror_t *self)
{
    trains_send (self);
    if (self->touched)
        mirror_look (self);
}

/* ---- what they want ---- */

static bool plain_takes (const listener_t *self, bytes_t target)
{
    return !self->topic_size || (target.size >= self->topic_size &&
                                 !memcmp (target.data, self->topic, self->topic_size));
}

static mirror_set_t plain_of (const mirror_t *self, bytes_t target)
{
    mirror_set_t wanted = self->others ? OTHERS : 0;
    for (mirror_set_t left = self->plain; left; left &= left - 1)
        if (plain_takes (&self->listeners[lowest_of (left)], target))
            wanted |= left & -left;
    return wanted;
}

static bool target_fits (const mirror_t *self, int at, const mirror_target_t *target)
{
    return sieve_takes_target (&self->listeners[at].sieve, target->target, target->op,
                               target->common);
}

mirror_set_t mirror_of_ask (const mirror_t *self, const mirror_target_t *target,
                            const envelope_route_t *route)
{
    mirror_set_t wanted = plain_of (self, target->target);
    for (mirror_set_t left = self->sieved; left; left &= left - 1) {
        int at = lowest_of (left);
        if (target_fits (self, at, target) &&
            (!(self->of_asks & bit_of (at)) || sieve_takes_ask (&self->listeners[at].sieve, route)))
            wanted |= bit_of (at);
    }
    return wanted;
}

mirror_set_t mirror_of_answer (const mirror_t *self, const mirror_target_t *target,
                               mirror_set_t asked)
{
    mirror_set_t wanted = plain_of (self, target->target);
    for (mirror_set_t left = self->sieved & (asked | ~self->of_asks); left; left &= left - 1)
        if (target_fits (self, lowest_of (left), target))
            wanted |= left & -left;
    return wanted;
}

static void plain_send (mirror_t *self, const tap_meta_t *meta, bytes_t target, bytes_t header,
                        const frame_t *body)
{
    trains_send (self);
    self->touched = true;
    buf_clear (&self->meta);
    tap_meta_write (meta, &self->meta);
    bool sent = !buf_failed (&self->meta) &&
                zmq_send (self->socket, target.data, target.size, ZMQ_DONTWAIT | ZMQ_SNDMORE) >= 0;
    (*(sent ? &self->sent : &self->dropped))++;
    if (buf_failed (&self->meta))
        buf_free (&self->meta);
    if (!sent)
        return;
    zmq_send (self->socket, self->meta.data, self->meta.size, ZMQ_DONTWAIT | ZMQ_SNDMORE);
    zmq_send (self->socket, header.data, header.size, ZMQ_DONTWAIT | ZMQ_SNDMORE);
    frame_share (body, self->socket);
}

void mirror_send (mirror_t *self, mirror_set_t to, const tap_meta_t *meta, bytes_t target,
                  bytes_t header, const frame_t *body)
{
    for (mirror_set_t left = to & self->sieved; left; left &= left - 1)
        train_add (self, lowest_of (left), meta, header, body);
    if (to & (self->plain | OTHERS))
        plain_send (self, meta, target, header, body);
}
