/* wire.h - the broker's end of the bus: one ROUTER on ipc and TCP, and the tap (mirror.h). All of ZeroMQ that the broker sees.
 *
 * A message is a pair of frames, header and body, or a train of pairs in one frame (train.h), for peers that said in their hello that
 * they take them: what is sent in one round then costs libzmq and the kernel little more than one message. Several pairs of frames
 * in one message, as brokers and peers once sent them, are still read.
 *
 * Nothing here blocks but router_wait. A peer is known by the number that its connection got; a connection that is gone or whose
 * pipe is full is told at once. On TCP each connection has proved the key of a certificate in the keys folder. */
#ifndef AVIARY_BUS_WIRE_H
#define AVIARY_BUS_WIRE_H

#include "base/buf.h"
#include "base/err.h"

/* One message part, counted by reference. Move it, never copy the struct. */
typedef struct frame {
    uint64_t opaque[8];
} frame_t;

void frame_init (frame_t *self); /* empty */
int frame_fill (frame_t *self,
                bytes_t data);    /* a new one with a copy of the data; 0 or E_NO_MEMORY */
void frame_close (frame_t *self); /* and empty again */
void frame_move (frame_t *to, frame_t *from); /* `to` is closed first, `from` is empty afterwards */
bytes_t frame_bytes (
    const frame_t *self); /* small messages live inside the frame: good until it moves */

typedef struct router router_t;

typedef struct router_config {
    const char *ipc; /* "ipc://DIR/run/bus" or NULL */
    const char *tcp; /* "tcp://host:port" or NULL; needs `keys` */
    const char *
        keys; /* folder with broker.pub, broker.pub_secret and a NAME.pub for each peer that may come */
    const char *tap; /* "ipc://DIR/run/tap" or NULL */
} router_config_t;

typedef struct router_message {
    uint32_t peer; /* number of the connection */
    const char *
        name; /* whose certificate it is, "" if nobody's any more; NULL on ipc. Good until the next message */
    frame_t header;
    frame_t body;
} router_message_t;

/* 0; E_CONFLICT if an address is in use; E_BAD_REQUEST if an address, path or key does not fit; E_IO. */
int router_new (const router_config_t *config, router_t **out, failure_t *failure);
void router_destroy (router_t **self);

/* Sleeps until there is something to do, `fd` is readable or timeout_ms is over. True if `fd` is readable. */
bool router_wait (router_t *self, int fd, int timeout_ms);
/* The next pair into *out, whose frames are initialised; false if there is none. What is not made of pairs of a peer is dropped. */
bool router_receive (router_t *self, router_message_t *out);
/* 0: the body is taken (NULL = empty). E_UNAVAILABLE: no such connection. E_BUSY: its pipe is full. `train`: it may wait for others to the
 * same peer, until one goes elsewhere or router_wait; whether the connection is there is asked for the first of them only. */
int router_send (router_t *self, uint32_t peer, bytes_t header, frame_t *body, bool train);
/* As router_send, alone and with the body copied. */
int router_send_bytes (router_t *self, uint32_t peer, bytes_t header, bytes_t body);

typedef struct mirror mirror_t;

/* What the tap's listeners get (mirror.h); NULL while nobody listens. */
mirror_t *router_mirror (const router_t *self);
/* Envelopes that listeners got, and those that they were too slow for. */
void router_tapped (const router_t *self, uint64_t *sent, uint64_t *dropped);

/* The path of an ipc endpoint fits the kernel's 107 bytes. 0 or E_BAD_REQUEST. */
int wire_endpoint_check (const char *endpoint, failure_t *failure);

/* Binds, an ipc socket for the owner alone. 0; E_CONFLICT, E_BAD_REQUEST or E_IO. */
int wire_bind (void *socket, const char *endpoint, failure_t *failure);
/* Sends it as the last part of a message; the data are shared. */
void frame_share (const frame_t *self, void *socket);

#endif
