/* bus.h - a peer of the broker: asks, answers, registers, beats. Driven by one thread with poll; never blocks, never touches the disk.
 *
 * A peer that serves gives its ops; one that only asks (CLI) gives none. Each ask ends in exactly one call of its callback, with an
 * answer or a failure: E_TIMEOUT at the deadline, E_BROKER_LOST when the broker's incarnation changed or its beats stopped for 2 s,
 * else what the other side said. Endpoint "ipc://DIR/run/bus" or "tcp://host:port" (CURVE then). */
#ifndef AVIARY_BUS_BUS_H
#define AVIARY_BUS_BUS_H

#include "bus/envelope.h"

typedef struct bus bus_t;

typedef struct curve_keys {
    char public_key[41]; /* Z85 */
    char secret_key[41];
    char server_key[41]; /* the broker's public key */
} curve_keys_t;

typedef struct bus_config {
    const char *endpoint;
    const char *service; /* "messaging", "edge", "cli" */
    unsigned replica;
    unsigned pid;
    /* Names without the service, NULL-terminated, "sms_send!" if only the owner may answer; NULL = does not serve. Lives as long as
     * the bus. */
    const char *const *ops;
    uint32_t credit;           /* asks that may be here unprocessed; 0 = 512 */
    const curve_keys_t *curve; /* NULL on ipc */
    /* An ask came in. `header` strings and `body` live in `arena`, which is the receiver's now: arena_destroy it when answered.
     * header->ttl_ms is what is left of its time; what came too late was refused before.
     * `token` must go into bus_answer or bus_fail (exactly one), from the bus thread. */
    void (*on_ask) (void *context, uint64_t token, const envelope_t *header, bytes_t body,
                    arena_t *arena);
    void *context;
    arena_t *(*arena_for_ask) (void *context); /* NULL = arena_new (2 MiB and 16 times the body) */
} bus_config_t;

/* Header and body are good during the call. It may ask anew, but not destroy the bus. */
typedef void (bus_answer_fn) (void *context, const envelope_t *header /* NULL when failed here */,
                              bytes_t body, const failure_t *failure);

int bus_new (const bus_config_t *config, bus_t **out, failure_t *failure);
/* Sends BYE if serving; asks under way fail with E_UNAVAILABLE. Lingers at most 200 ms. */
void bus_destroy (bus_t **self);
/* The descriptor to poll for reading. Because of ZeroMQ's edge triggering always call bus_work until it returns false, also after sending,
 * and look whether what you wait for has come before you poll: callbacks come from bus_work, and nothing wakes the poll after them. */
int bus_fd (bus_t *self);
/* Receive and dispatch up to a batch; beats, deadlines. True if there may be more at once. *next_ms: call again within so many ms. */
bool bus_work (bus_t *self, int *next_ms);
/* poll was called after bus_work had returned false and said that bus_fd is not readable: nothing has come, the next bus_work need not look. */
void bus_silent (bus_t *self);

/* What is asked and answered from now on goes out with the next bus_work, together: far cheaper than each for itself. */
void bus_gather (bus_t *self);

/* Ask; header->kind, id (if nil) and sender are filled; ttl_ms is the caller's, 0 = too late. The callback comes from bus_work, or at once
 * from here if it cannot be sent. Without a connection an ask is held for min (ttl, 1 s), then fails with E_UNAVAILABLE: nothing was done.
 * Codes of the bus's own besides those above: E_REPLICA_LOST, E_BUSY, E_REFUSED, E_UNKNOWN_OP, E_TOO_LARGE, E_CONFLICT (the id is under
 * way), E_NO_MEMORY. Targets: "service.op", or "service#2.op" for the one replica. */
void bus_ask (bus_t *self, envelope_t *header, bytes_t body, bus_answer_fn *done, void *context);
/* Answer an ask received under `token`. `replayed` and `first_request_id` for idempotent replays. */
void bus_answer (bus_t *self, uint64_t token, bytes_t body, bool replayed,
                 const char *first_request_id);
void bus_fail (bus_t *self, uint64_t token, const failure_t *failure, bool replayed,
               const char *first_request_id);
/* The ask whose body had this size is answered and its arena not looked at any more: kept for the next, or destroyed. From the bus thread. */
void bus_arena_done (bus_t *self, arena_t **arena, size_t body_size);
/* `count` asks were taken off the inbox: that many more may come. */
void bus_credit (bus_t *self, uint32_t count);
/* What the next beats say. */
void bus_state (bus_t *self, bool ready, bool owner, const char *reason);
void bus_bye (bus_t *self);             /* no more asks, please */
bool bus_connected (const bus_t *self); /* welcomed by a broker that beats */

/* A lock on DIR/run/NAME.lock held until the process ends; E_CONFLICT if somebody has it (text names the pid). */
int bus_lock (const char *folder, const char *name, failure_t *failure);

#endif
