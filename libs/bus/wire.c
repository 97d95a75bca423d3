/* wire.c - the ROUTER.
 *
 * Always DONTWAIT and ROUTER_MANDATORY: without the first one full pipe stops the broker, without the second messages to the gone
 * vanish. The ipc address is bound before CURVE is switched on, so each of the two listeners keeps its own way; the authenticator is
 * there before the first listener and goes after the last, and a TCP peer that it did not name is nobody. */
#include "bus/wire.h"

#include "bus/curve.h"
#include "bus/mirror.h"
#include "bus/train.h"

#include <czmq.h>
#include <errno.h>
#include <poll.h>
#include <sys/un.h>

enum {
    ROUTING_ID_SIZE = 5, /* a zero byte and a number: what ROUTER gives to connections */
    SEND_MESSAGES = 20000,
    RECEIVE_MESSAGES = 10000,
    BACKLOG = 512,
    MESSAGE_MAX = ENVELOPE_BODY_MAX + 16384
};

_Static_assert(sizeof (frame_t) == sizeof (zmq_msg_t), "a frame holds a zmq_msg_t");

struct router {
    void *context;
    void *socket;
    mirror_t *tap;     /* NULL without */
    mirror_t *watched; /* the same while somebody listens */
    zactor_t *auth;    /* NULL without TCP; the context is czmq's then */
    curve_names_t *names;
    uint32_t from; /* whose train is being read: the next frame is a header */
    bool reading;
    frame_t packed; /* a train that came */
    bytes_t coming; /* what is left of it */
    uint32_t to;    /* whose train is gathered */
    train_t train;
    int fd; /* ZeroMQ's: readable when the socket has something to look at, and told only once */
    int tap_fd;
    bool touched; /* used since it was last seen empty: a wake may have got lost in that */
    bool silent;  /* nothing has come since then */
};

static zmq_msg_t *msg_of (const frame_t *frame)
{
    return (zmq_msg_t *) (uintptr_t) frame;
}

void frame_init (frame_t *self)
{
    zmq_msg_init (msg_of (self));
}

int frame_fill (frame_t *self, bytes_t data)
{
    if (zmq_msg_init_size (msg_of (self), data.size))
        return E_NO_MEMORY;
    if (data.size)
        memcpy (zmq_msg_data (msg_of (self)), data.data, data.size);
    return 0;
}

void frame_close (frame_t *self)
{
    zmq_msg_close (msg_of (self));
    zmq_msg_init (msg_of (self));
}

void frame_move (frame_t *to, frame_t *from)
{
    zmq_msg_move (msg_of (to), msg_of (from));
}

bytes_t frame_bytes (const frame_t *self)
{
    return bytes_of (zmq_msg_data (msg_of (self)), zmq_msg_size (msg_of (self)));
}

void frame_share (const frame_t *self, void *socket)
{
    frame_t shared;
    frame_init (&shared);
    zmq_msg_copy (msg_of (&shared), msg_of (self));
    zmq_msg_send (msg_of (&shared), socket, ZMQ_DONTWAIT);
    frame_close (&shared);
}

/* It has been addressed. A connection that goes now has it as lost as any other in its pipe. */
static void train_end (router_t *self)
{
    train_t *train = &self->train;
    if (!train->pairs)
        return;
    self->touched = true;
    zmq_send (self->socket, train->data, train->size, ZMQ_DONTWAIT);
    train_clear (train);
}

int wire_endpoint_check (const char *endpoint, failure_t *failure)
{
    struct sockaddr_un address;
    if (!strncmp (endpoint, "ipc://", 6)) {
        if (strlen (endpoint + 6) >= sizeof address.sun_path)
            return failure_set (
                failure, E_BAD_REQUEST, "endpoint",
                "the path %s is longer than the %zu bytes that a socket's path may have: use a shorter folder",
                endpoint + 6, sizeof address.sun_path - 1);
        return 0;
    }
    if (strncmp (endpoint, "tcp://", 6) || !strchr (endpoint + 6, ':'))
        return failure_set (failure, E_BAD_REQUEST, "endpoint",
                            "%s is neither ipc://PATH nor tcp://HOST:PORT", endpoint);
    return 0;
}

static bool option_set (void *socket, int option, int value)
{
    return zmq_setsockopt (socket, option, &value, sizeof value) == 0;
}

static bool router_options (void *socket)
{
    int64_t most = MESSAGE_MAX;
    return option_set (socket, ZMQ_ROUTER_MANDATORY, 1) &&
           option_set (socket, ZMQ_SNDHWM, SEND_MESSAGES) &&
           option_set (socket, ZMQ_RCVHWM, RECEIVE_MESSAGES) &&
           option_set (socket, ZMQ_LINGER, 100) && option_set (socket, ZMQ_SNDTIMEO, 0) &&
           option_set (socket, ZMQ_BACKLOG, BACKLOG) &&
           zmq_setsockopt (socket, ZMQ_MAXMSGSIZE, &most, sizeof most) == 0;
}

int wire_bind (void *socket, const char *endpoint, failure_t *failure)
{
    int code = wire_endpoint_check (endpoint, failure);
    if (code)
        return code;
    mode_t mask = umask (0177); /* an ipc socket is the owner's alone from its first moment */
    int rc = zmq_bind (socket, endpoint);
    int why = errno;
    umask (mask);
    if (!rc)
        return 0;
    code = why == EADDRINUSE ? E_CONFLICT : why == EINVAL || why == ENODEV ? E_BAD_REQUEST : E_IO;
    return failure_set (failure, code, "endpoint", "cannot listen on %s: %s", endpoint,
                        zmq_strerror (why));
}

/* The authenticator that lets in those whose certificate lies in the folder. */
static int auth_open (router_t *self, const char *keys, failure_t *failure)
{
    self->names = curve_names_new (keys);
    self->auth = zactor_new (zauth, NULL);
    if (!self->names || !self->auth)
        return failure_set (failure, E_NO_MEMORY, "keys", "cannot start the authenticator");
    zstr_sendx (self->auth, "CURVE", keys, NULL);
    zsock_wait (self->auth);
    return 0;
}

static int curve_bind (router_t *self, const router_config_t *config, failure_t *failure)
{
    curve_keys_t own;
    int code = curve_keys_load (config->keys, "broker", &own, failure);
    if (code)
        return code;
    bool set = option_set (self->socket, ZMQ_CURVE_SERVER, 1) &&
               !zmq_setsockopt (self->socket, ZMQ_CURVE_SECRETKEY, own.secret_key,
                                sizeof own.secret_key) &&
               !zmq_setsockopt (self->socket, ZMQ_ZAP_DOMAIN, "aviary", 6) &&
               option_set (self->socket, ZMQ_HEARTBEAT_IVL, 1000) &&
               option_set (self->socket, ZMQ_HEARTBEAT_TIMEOUT, 5000) &&
               option_set (self->socket, ZMQ_TCP_KEEPALIVE, 1) &&
               option_set (self->socket, ZMQ_IPV6, 1);
    curve_keys_wipe (&own);
    if (!set)
        return failure_set (failure, E_IO, "keys", "cannot set up CURVE: %s", zmq_strerror (errno));
    return wire_bind (self->socket, config->tcp, failure);
}

static int fd_of (void *socket)
{
    int fd = -1;
    size_t size = sizeof fd;
    zmq_getsockopt (socket, ZMQ_FD, &fd, &size);
    return fd;
}

static int router_open (router_t *self, const router_config_t *config, failure_t *failure)
{
    if (config->tcp && !config->keys)
        return failure_set (failure, E_BAD_REQUEST, "keys",
                            "listening on TCP needs a folder of keys");
    if (config->tcp)
        zsys_handler_set (NULL); /* signals are the program's own business */
    self->context = config->tcp ? zsys_init () : zmq_ctx_new ();
    if (!self->context)
        return failure_set (failure, E_NO_MEMORY, "", "no ZeroMQ context: %s",
                            zmq_strerror (errno));
    int code = config->tcp ? auth_open (self, config->keys, failure) : 0;
    if (code)
        return code;
    frame_init (&self->packed);
    self->socket = zmq_socket (self->context, ZMQ_ROUTER);
    if (!self->socket || !router_options (self->socket))
        return failure_set (failure, E_NO_MEMORY, "", "no socket: %s", zmq_strerror (errno));
    if (config->ipc)
        code = wire_bind (self->socket, config->ipc, failure);
    if (!code && config->tcp)
        code = curve_bind (self, config, failure);
    if (!code && config->tap)
        code = mirror_new (self->context, config->tap, &self->tap, failure);
    self->fd = fd_of (self->socket);
    self->tap_fd = self->tap ? mirror_fd (self->tap) : -1;
    self->touched = true;
    return code;
}

int router_new (const router_config_t *config, router_t **out, failure_t *failure)
{
    router_t *self = calloc (1, sizeof *self);
    if (!self)
        return failure_set (failure, E_NO_MEMORY, "", "no memory for the router");
    bool czmq = config->tcp != NULL;
    int code = router_open (self, config, failure);
    if (code && czmq && !self->auth)
        self->context = NULL; /* czmq's, closed by itself */
    if (code)
        router_destroy (&self);
    else
        *out = self;
    return code;
}

void router_destroy (router_t **self)
{
    if (!self || !*self)
        return;
    router_t *r = *self;
    if (r->socket) {
        train_end (r);
        frame_close (&r->packed);
    }
    mirror_destroy (&r->tap);
    if (r->socket)
        zmq_close (r->socket);
    if (r->auth) {
        zactor_destroy (&r->auth);
        zsys_shutdown ();
    } else if (r->context) {
        zmq_ctx_term (r->context);
    }
    curve_names_destroy (&r->names);
    free (r);
    *self = NULL;
}

static bool has_message (void *socket)
{
    int events = 0;
    size_t size = sizeof events;
    return zmq_getsockopt (socket, ZMQ_EVENTS, &events, &size) == 0 && events & ZMQ_POLLIN;
}

/* `woken`: by the socket; else at the end of a round. */
static void tap_look (router_t *self, bool woken)
{
    if (woken)
        mirror_look (self->tap);
    else
        mirror_turn (self->tap);
    self->watched = mirror_is_watched (self->tap) ? self->tap : NULL;
}

/* In place of zmq_poll, which asks each socket twice at each call, and the kernel behind it. */
bool router_wait (router_t *self, int fd, int timeout_ms)
{
    struct pollfd items[] = {
        {self->fd, POLLIN, 0}, {fd, POLLIN, 0}, {self->tap_fd, POLLIN, 0}}; /* -1 is passed over */
    train_end (self);
    if (self->watched)
        tap_look (self, false);
    bool some = self->coming.size || (self->touched && has_message (self->socket));
    self->touched = some;
    int count = poll (items, 3, some ? 0 : timeout_ms);
    self->silent = !some && count >= 0 && items[0].revents == 0;
    if (count <= 0)
        return false;
    if (items[2].revents & POLLIN)
        tap_look (self, true);
    return items[1].revents & (POLLIN | POLLERR);
}

static bool part_receive (void *socket, frame_t *frame)
{
    return zmq_msg_recv (msg_of (frame), socket, ZMQ_DONTWAIT) >= 0;
}

static bool more_follows (const frame_t *frame)
{
    return zmq_msg_more (msg_of (frame)) != 0;
}

/* The rest of a message that is not of our form. */
static void parts_drop (router_t *self, frame_t *scratch)
{
    while (more_follows (scratch) && part_receive (self->socket, scratch)) {}
}

static bool number_of (bytes_t id, uint32_t *out)
{
    if (id.size != ROUTING_ID_SIZE || id.data[0] != 0)
        return false;
    *out = (uint32_t) id.data[1] << 24 | (uint32_t) id.data[2] << 16 | (uint32_t) id.data[3] << 8 |
           id.data[4];
    return true;
}

/* Name of the certificate behind the message: the authenticator wrote the key into its properties. What came by ipc has no key and
 * "localhost:uid:gid:pid" as its address (those of TCP are numeric); all else without a key is nobody, should there ever be such. */
static const char *name_of (router_t *self, const frame_t *frame)
{
    if (!self->names)
        return NULL;
    const char *key = zmq_msg_gets (msg_of (frame), "User-Id");
    if (key)
        return curve_names_find (self->names, key);
    const char *address = zmq_msg_gets (msg_of (frame), "Peer-Address");
    return address && !strncmp (address, "localhost:", 10) ? NULL : "";
}

/* Whose pair comes next. */
static bool sender_receive (router_t *self)
{
    frame_t id;
    if (self->silent)
        return false;
    self->touched = true;
    frame_init (&id);
    while (!self->reading && part_receive (self->socket, &id)) {
        self->reading = number_of (frame_bytes (&id), &self->from) && more_follows (&id);
        if (!self->reading)
            parts_drop (self, &id);
    }
    frame_close (&id);
    if (!self->reading)
        self->touched = false; /* it has looked at all that had come */
    return self->reading;
}

/* The next pair of the train, in frames of its own: they may be kept for longer than the train. */
static bool pair_take (router_t *self, router_message_t *out)
{
    bytes_t header, body;
    if (!train_next (&self->coming, &header, &body))
        return false;
    frame_close (&out->header);
    frame_close (&out->body);
    if (frame_fill (&out->header, header) || frame_fill (&out->body, body))
        return false; /* no memory: its asker hears of it at its deadline */
    out->peer = self->from;
    out->name = name_of (self, &self->packed);
    return true;
}

/* A message of one frame: a train, or nothing of ours. */
static void train_came (router_t *self, frame_t *frame)
{
    frame_move (&self->packed, frame);
    self->coming = train_open (frame_bytes (&self->packed));
}

bool router_receive (router_t *self, router_message_t *out)
{
    for (;;) {
        while (self->coming.size)
            if (pair_take (self, out))
                return true;
        if (!sender_receive (self))
            return false;
        self->reading = false;
        if (!part_receive (self->socket, &out->header))
            continue;
        if (!more_follows (&out->header)) {
            train_came (self, &out->header);
            continue;
        }
        if (!part_receive (self->socket, &out->body))
            continue;
        self->reading = more_follows (&out->body);
        out->peer = self->from;
        out->name = name_of (self, &out->header);
        return true;
    }
}

/* Opens a message to a connection. */
static int address_send (router_t *self, uint32_t peer)
{
    self->touched = true;
    uint8_t id[ROUTING_ID_SIZE] = {0, (uint8_t) (peer >> 24), (uint8_t) (peer >> 16),
                                   (uint8_t) (peer >> 8), (uint8_t) peer};
    while (zmq_send (self->socket, id, sizeof id, ZMQ_DONTWAIT | ZMQ_SNDMORE) < 0) {
        if (errno != EINTR)
            return errno == EAGAIN ? E_BUSY : E_UNAVAILABLE;
    }
    return 0;
}

/* A pair as a message of two frames. */
static int pair_send (router_t *self, uint32_t peer, bytes_t header, frame_t *body)
{
    frame_t first, second;
    if (frame_fill (&first, header))
        return E_BUSY;
    int code = address_send (self, peer);
    if (code) {
        frame_close (&first);
        return code;
    }
    frame_init (&second);
    if (body)
        frame_move (&second, body);
    if (zmq_msg_send (msg_of (&first), self->socket, ZMQ_DONTWAIT | ZMQ_SNDMORE) < 0)
        frame_close (&first);
    if (zmq_msg_send (msg_of (&second), self->socket, ZMQ_DONTWAIT) < 0)
        frame_close (&second);
    return 0;
}

int router_send (router_t *self, uint32_t peer, bytes_t header, frame_t *body, bool train)
{
    bytes_t data = body ? frame_bytes (body) : (bytes_t){0};
    bool packs = train && train_takes (header, data);
    bool joins = packs && self->train.pairs && self->to == peer &&
                 train_has_room (&self->train, header, data);
    if (!joins)
        train_end (self);
    if (!packs)
        return pair_send (self, peer, header, body);
    int code = joins ? 0 : address_send (self, peer);
    if (code)
        return code;
    self->to = peer;
    train_add (&self->train, header, data);
    if (body)
        frame_close (body);
    return 0;
}

int router_send_bytes (router_t *self, uint32_t peer, bytes_t header, bytes_t body)
{
    train_end (self);
    int code = address_send (self, peer);
    if (code)
        return code;
    zmq_send (self->socket, header.data, header.size, ZMQ_DONTWAIT | ZMQ_SNDMORE);
    zmq_send (self->socket, body.data, body.size, ZMQ_DONTWAIT);
    return 0;
}

mirror_t *router_mirror (const router_t *self)
{
    return self->watched;
}

void router_tapped (const router_t *self, uint64_t *sent, uint64_t *dropped)
{
    *sent = self->tap ? mirror_sent (self->tap) : 0;
    *dropped = self->tap ? mirror_dropped (self->tap) : 0;
}
