/* peer.h - the insides of a bus_t, shared by its files only: bus.c (session), asks.c (what we asked), inbox.c (what we were asked),
 * link.c (the socket). */
#ifndef AVIARY_BUS_PEER_H
#define AVIARY_BUS_PEER_H

#include "bus/bus.h"
#include "bus/control.h"
#include "bus/train.h"
#include "bus/waiting.h"
#include "bus/wire.h"

#include <sys/queue.h>
#include <zmq.h>

enum {
    RECONNECT_MS = 20,
    HOLD_MS = 1000, /* a new ask waits so long for a connection */
    WORK_BATCH = 256,
    CREDIT_DEFAULT = 512,
    SPARE_MAX = 1024,
    SESSION_QUIET_MS = BEAT_QUIET_MS,
    ARENAS_SPARE = 64
};

/* A message that could not be sent yet: header and body in one block. */
typedef struct parcel {
    STAILQ_ENTRY (parcel) link;
    size_t header_size;
    size_t body_size;
    uint8_t data[];
} parcel_t;

/* An ask of ours that has no answer yet. */
typedef struct pending {
    waiting_node_t node; /* first; deadline_ms is the end of holding while held */
    TAILQ_ENTRY (pending) link;
    struct pending *spare;
    bus_answer_fn *done;
    void *context;
    int64_t until_ms; /* the ask's own deadline */
    parcel_t *held;   /* not sent yet; NULL = under way */
} pending_t;

TAILQ_HEAD (pending_list, pending);
STAILQ_HEAD (parcel_list, parcel);

/* An ask that came in and is not answered. */
typedef struct inbound {
    id16_t id;
    uint32_t generation; /* upper half of its token */
    uint32_t next;       /* free list */
    uint64_t session;    /* that it came in; its answer goes to that one only */
    bool used;
} inbound_t;

struct bus {
    bus_config_t config;
    char service[ENVELOPE_NAME_MAX + 1];
    void *context;
    void *socket;
    bool packed;           /* the broker takes trains in one frame */
    bool gathers;          /* until link_end */
    train_t train;         /* that is gathered */
    zmq_msg_t received[2]; /* header and body, or a train */
    bytes_t coming;        /* what is left of the train that was received */
    buf_t header;          /* scratch for what is written */
    buf_t body;
    arena_t *scratch; /* strings of what is read, until the next message */
    id_source_t ids;

    uint64_t session;     /* ours: drawn when we start over */
    uint64_t incarnation; /* the broker's */
    bool welcomed;
    bool draining;
    bool closing;
    bool silent; /* nothing has come since the last look */
    bool
        touched; /* the socket was used since it was last seen to have nothing: a wake may have got lost in that */
    int64_t heard_ms; /* last beat or welcome */
    int64_t worked_ms;
    int64_t beat_ms; /* last one that we sent */
    int64_t hello_ms;
    beat_clock_t clock;
    failure_t refusal; /* why the broker does not take us; code 0 = it did not say */
    beat_t state;      /* what our beats say */

    waiting_t asks;
    struct pending_list held;
    pending_t *spare; /* reusable */
    size_t spare_count;

    inbound_t *inbox;
    uint32_t inbox_size;
    uint32_t inbox_free;  /* index + 1; 0 = none */
    uint32_t outstanding; /* came in and not credited */
    uint32_t credit_owed; /* credited by the service, not told to the broker */
    struct parcel_list outbox;
    arena_t *arenas[ARENAS_SPARE]; /* of asks that were answered */
    size_t arena_count;
};

/* link.c */
int link_open (bus_t *self, failure_t *failure);
void link_close (bus_t *self);
bool link_send (bus_t *self, bytes_t header, bytes_t body); /* false: nothing went out */
bool link_send_envelope (bus_t *self, const envelope_t *e, bytes_t body);
/* Good until the next; false: nothing there. */
bool link_receive (bus_t *self, bytes_t *header, bytes_t *body);
bool link_has_more (bus_t *self);
/* Now or from link_flush; false: there is no memory, and the other side's deadline ends it. */
bool link_post (bus_t *self, const envelope_t *e, bytes_t body);
void link_gather (bus_t *self); /* what is sent from now on waits for link_end, as one train */
void link_end (bus_t *self);
void link_flush (bus_t *self);
void link_forget (bus_t *self); /* what waits to be sent */
parcel_t *parcel_new (bytes_t header, bytes_t body);
bytes_t parcel_header (const parcel_t *self);
bytes_t parcel_body (const parcel_t *self);

/* asks.c */
void asks_send_held (bus_t *self, int64_t now_ms);
void asks_expire (bus_t *self, int64_t now_ms);
void asks_answered (bus_t *self, const envelope_route_t *route, bytes_t body);
void asks_fail_sent (bus_t *self, int code, const char *text); /* what is under way */
void asks_fail_held (bus_t *self, int code, const char *text);
void asks_free (bus_t *self);
int64_t asks_next_ms (const bus_t *self); /* monotonic; INT64_MAX = none */

/* inbox.c */
void inbox_ask (bus_t *self, const envelope_route_t *route, bytes_t body, int64_t now_ms);
void inbox_credit_flush (bus_t *self);

/* bus.c */
bool session_is_live (const bus_t *self, int64_t now_ms); /* welcomed, and beats come */

#endif
