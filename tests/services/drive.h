/* drive.h - drives real processes over a real bus: starts, kills, asks. For the runtime's process tests. */
#ifndef AVIARY_TESTS_DRIVE_H
#define AVIARY_TESTS_DRIVE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/clock.h"
#include "bus/bus.h"
#include "schema/schema.h"

enum { DRIVE_PROCESSES = 8, DRIVE_FLAGS = 8 };

typedef struct process {
    const char *program; /* absolute */
    char flags[DRIVE_FLAGS][96];
    const char *preload; /* library, or NULL */
    const char *preload_file;
    pid_t pid; /* 0 = not running */
} process_t;

typedef struct drive {
    char folder[64];
    process_t processes[DRIVE_PROCESSES];
    size_t count;
    bus_t *bus;
} drive_t;

/* A folder and nothing running. */
void drive_open (drive_t *self);
/* Kills what runs, closes the bus, removes the folder. */
void drive_close (drive_t *self);
/* Adds (and starts) a process of BUILD/tests or BUILD/bin; further flags NULL-terminated. */
process_t *drive_start (drive_t *self, const char *program, const char *const *flags);
void process_start (drive_t *self, process_t *process);
void process_kill (process_t *process, int signal);
/* Its exit code after it ended, -signal if killed; waits up to 20 s, then -1000. */
int process_wait (process_t *process);
/* Connect as `edge`; waits for the broker. */
void drive_connect (drive_t *self);
/* Let the bus work for so long, or until *stop. */
void drive_work (drive_t *self, int ms, const bool *stop);

typedef struct call {
    bool done;
    int code;
    bool replayed;
    failure_t failure;
    buf_t body;
} call_t;

/* One ask, answered before it returns. Memory of *out in `arena`. */
int drive_ask (drive_t *self, const char *target, const schema_type_t *in_type, const void *in,
               const schema_type_t *out_type, void *out, arena_t *arena);
/* A keyed ask; `done` gets it. */
void drive_send (drive_t *self, const char *target, const char *key, id16_t id,
                 const schema_type_t *in_type, const void *in, bus_answer_fn *done, void *context);
/* Ask SERVICE.health until it is ready with an owner; false after 20 s. */
bool drive_ready (drive_t *self, const char *service);
/* The path of a program of this build. */
const char *drive_program (const char *name, char out[512]);

#endif
