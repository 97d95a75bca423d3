/* testbed.h - for the broker's tests: a folder, the real broker in it, replicas, and clients that ask. Everything that can go wrong in
 * setting up fails the running test. */
#ifndef AVIARY_BROKER_TESTBED_H
#define AVIARY_BROKER_TESTBED_H

#include "bus/bus.h"
#include "gen/broker.h"

#include <sys/types.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { BED_REPLICAS = 8, BED_TEXT = 512 };

typedef struct bed {
    char folder[64];
    char bus[96];
    char tap[96];
    pid_t broker;
    pid_t replicas[BED_REPLICAS];
    int replica_count;
} bed_t;

/* Starts a broker in a new folder; args end with NULL, may be NULL. */
bed_t *bed_new (const char *const *args);
void bed_destroy (
    bed_t **self); /* TERM to the broker, which must exit 0 if it is there; the folder goes */
void bed_broker_start (bed_t *self, const char *const *args);
void bed_broker_kill (bed_t *self); /* -9 */
/* Runs the broker with the args until it ends; its exit code. */
int bed_broker_run (const char *const *args);
/* Starts a replica and waits until the broker has it. Options as test_replica.c has them, or NULL. */
pid_t bed_replica (bed_t *self, const char *service, int number, int credit, const char *option);
void bed_kill (bed_t *self, pid_t pid); /* -9, and reaped */
void bed_freeze (pid_t pid);            /* SIGSTOP, and every thread of it stands */
void bed_sleep (int ms);

typedef struct answer {
    int calls;           /* of the callback */
    int code;            /* 0 = answered */
    char text[BED_TEXT]; /* body, or the failure's text */
    char sender[64];
    char first_request_id[64];
    bool replayed;
    int order; /* when it came: 1, 2, ... in its client */
} answer_t;

typedef struct client {
    bus_t *bus;
    int answered;
} client_t;

client_t *client_new (const char *endpoint, const char *service, const curve_keys_t *keys);
void client_destroy (client_t **self);
/* Starts an ask; `answer` is zeroed and filled when it ends. */
void client_start (client_t *self, answer_t *answer, const char *target, const char *body,
                   uint32_t ttl_ms, uint8_t tenant);
void client_start_as (client_t *self, answer_t *answer, const char *target,
                      id16_t id);          /* with an id, 5 s */
void client_work (client_t *self, int ms); /* for so long */
void client_wait (client_t *self,
                  const answer_t *answer); /* until it ended; fails the test after 10 s */
answer_t client_ask (client_t *self, const char *target, const char *body, uint32_t ttl_ms);
/* The broker's metrics: value of a counter. */
long client_metric (client_t *self, const char *name);

/* broker.status, decoded; strings in the arena. */
broker_status_out_t client_status (client_t *self, arena_t *arena);
const broker_replica_state_t *status_replica (const broker_status_out_t *status,
                                              const char *service, int number);

#endif
