/* call.c - one ask of the edge: made by a request or by the follower, answered on the bus thread.
 *
 * What the bus reads lives in the call itself, so that an asker may give up at any time (web/bridge.h). */
#include "edge.h"

#include <stdlib.h>
#include <string.h>

static void call_destroy (web_call_t *web)
{
    call_t *self = (call_t *) (void *) web;
    buf_free (&self->body);
    buf_free (&self->answer);
    free (self->key);
    free (self);
}

call_t *call_new (void)
{
    call_t *self = calloc (1, sizeof *self);
    if (self)
        web_call_init (&self->web, call_destroy);
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
