/* core.h - the insides of the broker: peers, services, asks. One thread, no locks.
 *
 *   core.c    life, the loop's steps, messages by kind          peers.c   hello, beats, lost and frozen peers
 *   services.c  services, their ops and owners
 *   asks.c    an ask's way from asker to replica and back       lane.c    waiting asks, round-robin by tenant
 *   held.c    asks that came before a service's first hello
 *   grants.c  who may ask what                                  own.c     the broker's own operations */
#ifndef AVIARY_BROKER_CORE_H
#define AVIARY_BROKER_CORE_H

#include "bus/control.h"
#include "bus/mirror.h"
#include "bus/waiting.h"
#include "bus/wire.h"
#include "gen/broker.h"

#include <sys/queue.h>

enum {
    OWNER_WAIT_MS = 1000,     /* a writing ask waits so long for an owner */
    OWNER_HANDOVER_MS = 4000, /* and so long where one is going and another replica is there */
    TTL_MAX_MS = 3600 * 1000,
    PEER_BUCKETS = 256,
    TENANT_BUCKETS = 256,
    OPS_MAX = 1024, /* of one service, over all versions seen */
    SERVICES_MAX = 256,
    REPLICAS_MAX = 64, /* of one service */
    PEERS_MAX = 4096,
    COUNTERS = BROKER_COUNTER_FROZEN_TOTAL + 1,
    CODES_MAX = 256,
    ASKS_SPARE = 1024
};

typedef struct ask ask_t;
typedef struct held held_t;
typedef struct peer peer_t;
typedef struct service service_t;
typedef struct broker broker_t;

/* ---- lane.c: asks that wait, one queue per tenant, tenants in turn ---- */

typedef struct tenant {
    id16_t org;
    TAILQ_HEAD (tenant_asks, ask) asks;
    TAILQ_ENTRY (tenant) turn;
    struct tenant *next; /* in its bucket, or among the spare */
} tenant_t;

typedef struct lane {
    TAILQ_HEAD (lane_turns, tenant) turns; /* tenants with asks; the first is next */
    tenant_t **buckets;                    /* made with the first ask */
    tenant_t *spare;
    size_t count;
} lane_t;

void lane_init (lane_t *self);
void lane_free (lane_t *self);           /* must be empty */
int lane_put (lane_t *self, ask_t *ask); /* 0 or E_NO_MEMORY */
ask_t *lane_take (lane_t *self);         /* the next tenant's oldest, NULL if empty */
void lane_remove (lane_t *self, ask_t *ask);
ask_t *lane_any (const lane_t *self);        /* some ask, NULL if empty */
int64_t lane_oldest_ms (const lane_t *self); /* arrival of the oldest; INT64_MAX if empty */
/* Some ask that came before or at `came_ms`, NULL if none. */
ask_t *lane_find_old (const lane_t *self, int64_t came_ms);

/* ---- asks ---- */

struct ask {
    waiting_node_t node; /* first: id and deadline */
    uint32_t asker;      /* connection */
    char sender[ENVELOPE_NAME_MAX + 1];
    service_t *service;
    uint32_t op; /* index in service->ops */
    bool owner_only;
    bool addressed; /* to the replica that it waits for or is at */
    frame_t header; /* route's views point into it */
    frame_t body;   /* empty once dispatched */
    envelope_route_t route;
    int64_t came_ms;
    lane_t *lane; /* waits there; NULL = dispatched */
    tenant_t *tenant;
    TAILQ_ENTRY (ask) line; /* in its tenant's queue */
    peer_t *replica;        /* has it; NULL = waits */
    TAILQ_ENTRY (ask) held; /* among the replica's */
    mirror_set_t wanted;    /* by these listeners of the tap, when it was dispatched */
    ask_t *next;            /* among the spare */
};

/* ---- services and peers ---- */

typedef struct op {
    char name[ENVELOPE_TARGET_MAX];
    bool owner_only;
    bool common;               /* an op that every service has */
    const schema_op_t *schema; /* NULL: not in the schema */
} op_t;

struct service {
    char name[ENVELOPE_NAME_MAX + 1];
    op_t *ops;
    uint32_t op_count;
    uint16_t op_slots[OPS_MAX * 2]; /* open hash: index + 1 */
    peer_t *replicas[REPLICAS_MAX];
    uint32_t replica_count;
    uint32_t live_count;
    peer_t *owner;        /* live and says so; the one that said so last */
    int64_t ownerless_ms; /* since when there is none */
    bool handover;        /* the last one said that it goes */
    lane_t any;
    lane_t owned;
    size_t queued; /* in all lanes, those of replicas included */
    uint32_t turn; /* where the next round over the replicas starts */
};

struct peer {
    uint32_t connection;
    char name[ENVELOPE_NAME_MAX + 1];
    bool remote; /* by TCP, with a certificate */
    uint32_t replica;
    uint32_t pid;
    uint64_t session;
    service_t *service;         /* NULL: only asks */
    uint64_t ops[OPS_MAX / 64]; /* which of the service's it has */
    bool ready;
    bool owner;
    bool frozen;
    bool draining;
    bool full;   /* its pipe was: not tried again before the next beat */
    bool packed; /* takes trains in one frame (train.h) */
    bool gone;   /* connection is: removed by peers_sweep */
    char reason[BEAT_REASON_MAX + 1];
    int64_t heard_ms;
    int64_t told_ms; /* that another wants its number */
    beat_clock_t clock;
    uint32_t credit;
    lane_t lane; /* asks for this one alone */
    TAILQ_HEAD (peer_asks, ask) asks;
    size_t dispatched;
    uint32_t asks_turn; /* which lane is next */
    peer_t *next;       /* in its bucket */
};

typedef struct broker_config {
    router_config_t router;
    size_t queue_max;
    const char *version;
    /* Something an operator wants to know. `peer` may be NULL. */
    void (*tell) (void *context, const char *what, const peer_t *peer, const char *detail);
    void *context;
} broker_config_t;

struct broker {
    broker_config_t config;
    router_t *router;
    uint64_t incarnation;
    int64_t now_ms;
    int64_t beat_ms; /* last round of beats */
    service_t *services[SERVICES_MAX];
    uint32_t service_count;
    peer_t *peers[PEER_BUCKETS];
    size_t peer_count;
    waiting_t asks;
    ask_t *spare; /* reusable, by their `next` */
    size_t spare_count;
    TAILQ_HEAD (helds, held) held;
    size_t held_count;
    int64_t born_ms;
    bool sweep;   /* some peer is gone */
    buf_t header; /* scratch */
    buf_t body;
    arena_t *arena;
    uint64_t counters[COUNTERS];
    uint64_t failures[CODES_MAX];
};

int broker_new (const broker_config_t *config, broker_t **out, failure_t *failure);
void broker_destroy (broker_t **self);
/* Waits for messages, beats or `fd`, and does what is to be done. True if `fd` is readable. */
bool broker_work (broker_t *self, int fd);

void broker_count (broker_t *self, int counter);
void broker_tell (broker_t *self, const char *what, const peer_t *peer, const char *detail);
/* Opens a message to a connection; marks the peer gone or full if so. 0, E_UNAVAILABLE or E_BUSY. */
int broker_send (broker_t *self, uint32_t connection, bytes_t header, frame_t *body);
void broker_send_envelope (broker_t *self, uint32_t connection, const envelope_t *e, bytes_t body);

/* ---- peers.c ---- */
peer_t *peer_find (const broker_t *self, uint32_t connection);
void peer_hello (broker_t *self, router_message_t *message);
void peer_beat (broker_t *self, peer_t *peer, bytes_t body);
void peer_credit (broker_t *self, peer_t *peer, uint32_t count);
void peer_bye (broker_t *self, peer_t *peer);
void peers_beat (broker_t *self);                /* to all */
void peers_freeze (broker_t *self);              /* those that were silent too long */
void peers_forgive (broker_t *self, int64_t ms); /* time in which the broker itself stood still */
void peers_sweep (broker_t *self);               /* those that are gone */
void peers_free (broker_t *self);
bool peer_is_live (const peer_t *peer);
bool peer_has_op (const peer_t *peer, uint32_t op);

/* ---- services.c ---- */
service_t *service_find (const broker_t *self, bytes_t name);
service_t *service_get (broker_t *self,
                        const char *name); /* made if it is new; NULL: no memory or too many */
int service_op_find (const service_t *self, bytes_t name); /* index, -1 if none */
/* The service's ops get the hello's, the peer's bits are set. 0, E_NO_MEMORY or E_TOO_LARGE. */
int service_learn (service_t *self, const hello_t *hello, peer_t *peer);
peer_t *service_replica (const service_t *self, uint32_t replica); /* or NULL */
int service_join (service_t *self, peer_t *peer);                  /* 0 or E_TOO_LARGE */
void service_leave (service_t *self, peer_t *peer);
/* Counts the living, finds the owner. Call after any change of a replica, then service_dispatch. */
void service_review (broker_t *self, service_t *service);
bool service_is_ready (const service_t *self, const char **reason);
void services_free (broker_t *self);

/* ---- asks.c ---- */
/* From a registered peer. */
void ask_came (broker_t *self, peer_t *asker, router_message_t *message,
               const envelope_route_t *route);
void answer_came (broker_t *self, peer_t *replica, router_message_t *message,
                  const envelope_route_t *route);
/* One that was held, `route` with what is left of its time. False: there is still nobody, and it is not the last time. */
bool ask_come_again (broker_t *self, peer_t *asker, router_message_t *message,
                     const envelope_route_t *route, bool last);
void broker_asks_expire (broker_t *self);
/* Gives waiting asks to replicas with credit, or fails them if there is nobody to wait for. */
void service_dispatch (broker_t *self, service_t *service);
/* The peer no longer answers: what it has fails, what waits for it alone goes elsewhere or fails. */
void asks_leave (broker_t *self, peer_t *peer);
void asks_move (broker_t *self, peer_t *peer); /* only what waits for it alone */
void services_check_owners (broker_t *self);
void broker_asks_free (broker_t *self);
/* Failure for an ask that never got as far as being one. */
void refuse (broker_t *self, uint32_t connection, id16_t id, const failure_t *failure);

/* ---- held.c ---- */
/* True: the message is kept until somebody says hello, its frames are empty now. */
bool ask_hold (broker_t *self, const peer_t *asker, router_message_t *message);
void held_retry (broker_t *self); /* somebody said hello */
void held_tick (broker_t *self);  /* time goes by */
void helds_free (broker_t *self);

/* ---- grants.c ---- */
/* `service` is who is asked: what every service has, it may also ask of itself (health checks). */
bool grant_is_given (const op_t *op, bytes_t op_name, const char *service, const peer_t *sender);

/* ---- own.c ---- */
/* Asks for the broker itself. */
void own_ask (broker_t *self, const peer_t *asker, const envelope_route_t *route, bytes_t op);

#endif
