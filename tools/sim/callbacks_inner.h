/* callbacks_inner.h - inside the callbacks: one of them, the heap of what is due, and what the three files share. */
#ifndef AVIARY_SIM_CALLBACKS_INNER_H
#define AVIARY_SIM_CALLBACKS_INNER_H

#include "callbacks.h"

#include "fetch/fetch.h"

enum { ANSWERS_KEPT = 8 };

typedef struct attempt {
    int64_t at_ms;
    int status;
    char error[96];
} attempt_t;

struct callback {
    sim_t *sim;
    int64_t id;
    unsigned shares; /* heap or flight, and the list */
    provider_t provider;
    const char *method;
    char *event;
    char *message_id;
    char *url;
    char *failover;
    char *body;
    cJSON *more_headers;
    bool raw;
    signature_t signature;
    int64_t timestamp;
    int64_t delay_ms;
    int64_t due_ms; /* monotonic */
    size_t answer_max;
    callback_t *after; /* next in the chain */
    callback_act_fn *act;
    sim_wait_t *wait;
    cJSON *headers; /* as sent last */
    char *sent;     /* body as sent last */
    char *sent_url;
    unsigned generation;
    unsigned attempts;
    attempt_t answers[ANSWERS_KEPT];
};

struct callbacks {
    sim_t *sim;
    pthread_t thread;
    bool started;
    bool ending; /* under the lock */
    int wake_fd;
    fetch_t *fetch;
    callback_t **heap;
    size_t heap_size;
    size_t heap_capacity;
    int64_t last_id;
    size_t pending;      /* posted and not given up or accepted */
    unsigned generation; /* those of an older one are not sent any more */
    table_t *list;       /* id -> callback_t */
};

/* ---- callbacks.c; all under the lock ---- */
void callback_release (callback_t *self);
void callback_wait_end (callback_t *self); /* wakes who waits for the first attempt */
void callback_heap_put (callbacks_t *self, callback_t *callback);
callback_t *callback_heap_take (callbacks_t *self); /* the earliest; there must be one */
/* One that was posted will not be sent (again), nor, with_chain, those behind it. */
void callback_end (callbacks_t *self, callback_t *callback, bool with_chain);

/* ---- callbacks_send.c ---- */
void *callbacks_run (void *callbacks); /* the thread */

#endif
