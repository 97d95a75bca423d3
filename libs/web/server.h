/* server.h - inside libs/web: the server, its requests, and the watch over slow and silent connections. */
#ifndef AVIARY_WEB_SERVER_H
#define AVIARY_WEB_SERVER_H

#include "web/web.h"

#include <civetweb.h>
#include <pthread.h>

/* What a request's connection is doing; the first two may take only so long (watched.deadline_ms). */
typedef enum watch_phase {
    WATCH_BODY,   /* reading from the client */
    WATCH_ANSWER, /* writing to the client */
    WATCH_WORK,   /* ours */
    WATCH_CUT     /* the watch has shut the socket */
} watch_phase_t;

/* A connection with a request in it. All others on the server's port are silent ones: new, idle, or still at their headers. */
typedef struct watched {
    struct watched *next;
    struct watched *previous;
    uint64_t peer; /* IPv4 address and port */
    _Atomic int phase;
    _Atomic int64_t deadline_ms; /* monotonic */
} watched_t;

typedef struct silent {
    uint64_t peer;
    int64_t since_ms; /* 0 = not silent */
} silent_t;

/* What a request needs and the next one uses again: as many as were ever in use at once, not one for each thread. */
typedef struct memory {
    struct memory *next;
    arena_t *arena;
    buf_t body;
    buf_t head;     /* of the answer */
    buf_t text;     /* web_text */
    int64_t date_s; /* what `date` says */
    char date[40];
} memory_t;

typedef struct watch {
    pthread_t thread;
    bool started;
    pthread_mutex_t lock; /* while it is held, no connection's socket is closed by its thread */
    pthread_cond_t changed;
    watched_t *first;
    unsigned count;
    silent_t *silent; /* by file descriptor */
    size_t silent_size;
    bool ending;
} watch_t;

struct web_server {
    web_config_t config;
    struct mg_context *civetweb;
    uint16_t port;
    uint32_t address; /* network order: by which we reach ourselves */
    watch_t watch;
    atomic_uint connections;
    atomic_bool stopping;
    char late; /* its address marks connections that came after that */
    atomic_bool aborting;
    atomic_bool stopped;
    _Atomic uint64_t shed;
    _Atomic uint64_t timed_out;
    memory_t *idle; /* under watch.lock */
};

/* Of the headers that this library reads itself, all looked up in one pass; NULL or -1 if not there. */
typedef struct header_facts {
    const char *coding;
    const char *connection;
    const char *expect;
    bool upgrade;
    int64_t length;
} header_facts_t;

struct web_request {
    web_server_t *server;
    struct mg_connection *connection;
    const struct mg_request_info *info; /* NULL if civetweb has none */
    watched_t watched;
    bool is_watched;
    const char *method;
    header_facts_t facts;
    memory_t *memory; /* NULL until it is needed */
    const char *path;
    bool path_read;
    void *data;
    web_call_t *call;
    uint32_t park_ms;
    int64_t body_taken;
    int body_status;
    uint32_t body_timeout_ms; /* 0 = the configuration's */
    bool body_begun;
    bool body_done; /* read to its end, or there was none */
    bool close;
    bool answered;
    int status;
    uint64_t answer_left; /* of web_answer_begin's length */
};

/* ---- watch.c ---- */
int watch_start (web_server_t *server);
void watch_end (web_server_t *server); /* joins */
/* Also hands out and takes back what a request works with, since both go under the one lock: *memory is NULL if none was idle. */
void watch_enter (web_server_t *server, watched_t *watched, memory_t **memory);
void watch_leave (web_server_t *server, watched_t *watched, memory_t *memory);
/* True if the watch had cut the connection before. timeout_ms 0 = no limit. */
bool watch_phase_set (watched_t *watched, watch_phase_t phase, uint32_t timeout_ms);
uint64_t watch_peer (const char *address, int port);

/* ---- request.c ---- */
void request_init (web_request_t *self, web_server_t *server, struct mg_connection *connection);
/* From headers to answer. */
void request_run (web_request_t *self);
/* Answer with the configured refusal. */
void request_refuse (web_request_t *self, int status, const char *text);
void request_free (web_request_t *self);
/* NULL without memory. */
memory_t *request_memory (web_request_t *self);
void memory_destroy (memory_t *self);
/* Take the rest of an unread body, as long as it is short; the connection closes if it is not. */
void request_drain (web_request_t *self);

#endif
