/* call.c - one ask of the edge: made by a request or by the follower, answered on the bus thread.
 *
 * What the bus reads lives in the call itself, so that an asker may give up at any time (web/bridge.h). */
#include "edge.h"

#include <stdlib.h>
#include <string.h>

enum { SPARE_MAX = 1024, BUFFER_KEPT = 4096 };

/* Calls are large and live on two threads: used again they spare the heap and its locks. */
struct calls {
    pthread_mutex_t lock;
    call_t *first;
    size_t count;
};

static void call_free (call_t *self)
{
    buf_free (&self->body);
    buf_free (&self->answer);
    free (self);
}

static void buffer_rest (buf_t *self)
{
    if (self->capacity > BUFFER_KEPT)
        buf_free (self);
    buf_clear (self);
}

/* Nobody has it any more. */
static void call_rest (web_call_t *web)
{
    call_t *self = (call_t *) (void *) web;
    calls_t *calls = self->calls;
    buffer_rest (&self->body);
    buffer_rest (&self->answer);
    pthread_mutex_lock (&calls->lock);
    bool kept = calls->count < SPARE_MAX;
    if (kept) {
        self->spare = calls->first;
        calls->first = self;
        calls->count++;
    }
    pthread_mutex_unlock (&calls->lock);
    if (!kept)
        call_free (self);
}

calls_t *calls_new (void)
{
    calls_t *self = calloc (1, sizeof *self);
    if (self)
        pthread_mutex_init (&self->lock, NULL);
    return self;
}

void calls_destroy (calls_t **self)
{
    if (!self || !*self)
        return;
    for (call_t *call = (*self)->first, *next; call; call = next) {
        next = call->spare;
        call_free (call);
    }
    pthread_mutex_destroy (&(*self)->lock);
    free (*self);
    *self = NULL;
}

static call_t *spare_take (calls_t *self)
{
    pthread_mutex_lock (&self->lock);
    call_t *call = self->first;
    if (call) {
        self->first = call->spare;
        self->count--;
    }
    pthread_mutex_unlock (&self->lock);
    return call;
}

call_t *call_new (calls_t *calls)
{
    call_t *self = spare_take (calls);
    if (!self)
        self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->calls = calls;
    memset (&self->ask, 0, sizeof self->ask);
    self->target[0] = self->trace[0] = self->request_id[0] = self->subject[0] = self->route[0] = 0;
    self->first_request_id[0] = self->key[0] = 0;
    self->failure.code = 0;
    self->by_broker = self->replayed = false;
    web_call_init (&self->web, call_rest);
    return self;
}

void call_drop (call_t *call)
{
    web_call_release (&call->web);
    web_call_release (&call->web);
}

static void call_done (void *context, const envelope_t *header, bytes_t body,
                       const failure_t *failure)
{
    call_t *self = context;
    if (header) {
        self->replayed = header->replayed;
        self->by_broker = header->sender && strcmp (header->sender, "broker") == 0;
        if (header->first_request_id)
            strncpy (self->first_request_id, header->first_request_id, REQUEST_ID_MAX);
    }
    if (failure)
        self->failure = *failure;
    else
        buf_add (&self->answer, body.data, body.size);
    if (buf_failed (&self->answer))
        failure_set (&self->failure, E_NO_MEMORY, "", "no memory for the answer");
    web_call_complete (&self->web);
}

void call_send (svc_t *svc, call_t *call, uint32_t ttl_ms)
{
    call->ask.header.target = call->target;
    call->ask.header.ttl_ms = ttl_ms;
    call->ask.body = buf_bytes (&call->body);
    call->ask.done = call_done;
    call->ask.context = call;
    svc_ask (svc, &call->ask);
}
