/* server.h - inside libs/web: the server, its loops, their connections and requests, and the threads for those that block.
 *
 * A connection belongs to one loop (loop.c), which alone reads and writes its fields. While its request is with a thread (CONN_THREAD), the thread has
 * request, socket and `rest` to itself, and the loop only passes over it; the way there and back is a queue each. */
#ifndef AVIARY_WEB_SERVER_H
#define AVIARY_WEB_SERVER_H

#include "base/due.h"
#include "web/head.h"
#include "web/web.h"

#include <pthread.h>

typedef struct loop loop_t;
typedef struct conn conn_t;

/* What a request needs and the next one uses again: as many as were ever in use at once, not one for each connection. */
typedef struct memory {
    struct memory *next;
    arena_t *arena;
    buf_t body;
    buf_t head;     /* of the answer */
    buf_t text;     /* web_text */
    int64_t date_s; /* what `date` says */
    char date[40];
} memory_t;

struct web_request {
    web_server_t *server;
    conn_t *conn;
    head_t head;
    bool on_thread;   /* may block */
    memory_t *memory; /* NULL until it is needed */
    const char *path;
    bool path_read;
    void *data;
    web_call_t *call;
    uint32_t park_ms;
    bytes_t whole; /* the body, if it was there before submit */
    chunks_t chunks;
    int64_t body_taken;
    int body_status;
    uint32_t body_timeout_ms; /* 0 = the configuration's */
    int64_t body_until_ms;    /* monotonic; 0 = not begun */
    bool body_done;           /* read to its end, or there was none */
    bool close;
    bool answered;
    int status;
    uint64_t answer_left; /* of web_answer_begin's length */
};

typedef enum conn_state {
    CONN_HEAD,   /* silent, or a head that is not whole */
    CONN_BODY,   /* a short body that is not whole */
    CONN_WORK,   /* submit, complete or refuse run */
    CONN_PARKED, /* its request waits for a call */
    CONN_THREAD, /* a thread has its request */
    CONN_ANSWER, /* the client is slow to take the answer */
    CONN_LINGER, /* answered and shut; what still comes is thrown away, so that the client gets to read the answer */
    CONN_CLOSED /* freed at the round's end */
} conn_state_t;

struct conn {
    queue_item_t item; /* first: to a thread and back */
    conn_t *next;      /* in its loop's silent or closed list */
    conn_t *later;     /* in its ready list */
    conn_t *previous;  /* in the silent list */
    loop_t *loop;
    int fd;
    conn_state_t state;
    bool readable;     /* until a read says that nothing is left */
    bool hung_up;      /* the end will be read */
    bool ready;        /* in the ready list */
    bool begun;        /* the thread goes on with a request, else it begins it */
    bool counted;      /* among the requests */
    int64_t due_ms;    /* when its state has taken too long; INT64_MAX = never */
    due_t timer;       /* at most due_ms */
    int64_t silent_ms; /* since when */
    size_t looked;     /* for the head's end */
    buf_t in;          /* read and not yet used */
    size_t in_used;    /* by the request that is under way */
    buf_t rest;        /* for a thread: what came behind the head */
    size_t rest_used;
    char kept; /* the byte where its body's NUL is now */
    buf_t out; /* not yet taken by the client */
    size_t out_sent;
    size_t lingered;
    web_request_t request;
    char remote[16];
};

struct loop {
    web_server_t *server;
    pthread_t thread;
    bool started;
    int epoll;
    queue_t *completed; /* web_call_t: of parked requests */
    queue_t *returned;  /* conn_t: from threads; and the server's wakes */
    queue_item_t wake;
    atomic_bool woken;
    const web_beside_t *beside; /* its work, too; NULL = none */
    int beside_ms;              /* when it wants to run again */
    bool beside_heard;
    due_heap_t timers; /* of all connections */
    conn_t *silent;    /* the longest first */
    conn_t *silent_last;
    conn_t *ready;
    conn_t *closed;
    unsigned connections;
    unsigned away; /* with threads */
    unsigned parked;
    bool deaf;       /* no accepting at the moment */
    bool stopping;   /* seen */
    bool aborting;   /* seen */
    int64_t hear_ms; /* when to accept again */
};

typedef struct threads {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    conn_t *first; /* what waits for a thread, by item.next */
    conn_t *last;
    pthread_t *at;
    unsigned count;
    unsigned idle;
    unsigned waiting;
    bool ending;
} threads_t;

struct web_server {
    web_config_t config;
    int listener;
    uint16_t port;
    loop_t *loops;
    unsigned loop_count;
    threads_t threads;
    pthread_mutex_t lock;   /* of `idle` and `changed` */
    pthread_cond_t changed; /* no request is left */
    memory_t *idle;
    atomic_uint connections;
    atomic_uint requests;
    atomic_uint unseen; /* connections in ready lists, loops that did not see the stop */
    atomic_bool stopping;
    atomic_bool aborting;
    atomic_bool ending;
    bool stopped;
    _Atomic uint64_t shed;
    _Atomic uint64_t timed_out;
};

/* ---- server.c ---- */
/* One of `count` (requests, unseen) is done with: web_server_stop may wait for it. */
void server_done (web_server_t *self, atomic_uint *count);

/* ---- loop.c ---- */
int loop_start (loop_t *self, web_server_t *server);
void loop_wake (loop_t *self);
void loop_join (loop_t *self);   /* after `ending` */
void loop_free (loop_t *self);   /* when all loops and threads are joined */
void loop_forget (conn_t *conn); /* it was closed: freed at the round's end */
void loop_ready (conn_t *conn);  /* go on with it soon */
void loop_timer (conn_t *conn, int64_t due_ms);
void silent_add (conn_t *conn, int64_t now_ms);
void silent_remove (conn_t *conn);

/* ---- conn.c ---- */
/* Takes over the socket; false without memory. */
bool conn_open (loop_t *loop, int fd, const char *remote);
void conn_event (conn_t *self, uint32_t events);
/* Read and serve what is there. */
void conn_advance (conn_t *self);
void conn_completed (conn_t *self, web_call_t *call, bool in_time);
void conn_returned (conn_t *self);
void conn_late (conn_t *self); /* past due_ms */
void conn_close (conn_t *self);

/* ---- threads.c ---- */
void threads_begin (threads_t *self);
/* False if there is no thread for it and none can be made. */
bool threads_put (web_server_t *server, conn_t *conn);
void threads_end (threads_t *self); /* joins */

/* ---- request.c ---- */
void request_start (web_request_t *self, conn_t *conn);
/* On a thread: to the answer's end. */
void request_run (web_request_t *self, bool begun);
/* Answer with the configured refusal. */
void request_refuse (web_request_t *self, int status, const char *text);
/* Answers what was left without an answer. */
void request_end (web_request_t *self);
/* Lets go of what the request works with. */
void request_free (web_request_t *self);
/* NULL without memory. */
memory_t *request_memory (web_request_t *self);
void memory_destroy (memory_t *self);

/* ---- answer.c ---- */
/* What the client is slow to take of the answers; false if it is gone. */
bool answer_flush (conn_t *conn);

#endif
