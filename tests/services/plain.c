/* plain.c - a service for the runtime's tests only: no store; says a greeting, and asks tally for a count once the bus is there. */
#include <stdlib.h>

#include "svc/svc.h"
#include "testgen/plain.h"

int plain_hello (turn_t *t, const plain_hello_in_t *in, plain_hello_out_t *out)
{
    (void) in;
    const plain_settings_t *settings = t->settings;
    out->text = settings->greeting;
    return t->txn ? fail (t, E_INTERNAL, NULL, "There should be no store") : 0;
}

typedef struct plain {
    svc_t *svc;
    svc_ask_t ask;
} plain_t;

static int plain_start (svc_t *svc, void **context, failure_t *failure)
{
    plain_t *self = calloc (1, sizeof *self);
    if (!self)
        return failure_set (failure, E_NO_MEMORY, NULL, "no memory");
    self->svc = svc;
    *context = self;
    return 0;
}

static void asked (void *context, const envelope_t *header, bytes_t body, const failure_t *failure)
{
    (void) header, (void) body;
    plain_t *self = context;
    svc_log (self->svc, LOG_INFO, "asked", "answer",
             failure && failure->code ? error_name (failure->code) : "fine", NULL);
}

static int plain_ready (svc_t *svc, void *context, failure_t *failure)
{
    (void) failure;
    plain_t *self = context;
    self->ask = (svc_ask_t){
        .header = {.target = "nobody.home", .ttl_ms = 1000}, .done = asked, .context = self};
    svc_ask (svc, &self->ask);
    return 0;
}

static void plain_drain (svc_t *svc, void *context)
{
    (void) context;
    svc_log (svc, LOG_INFO, "drain hook", NULL);
}

static void plain_stop (void **context)
{
    free (*context);
    *context = NULL;
}

static const svc_service_t plain = {.schema = &plain_service,
                                    .stateless = true,
                                    .start = plain_start,
                                    .ready = plain_ready,
                                    .drain = plain_drain,
                                    .stop = plain_stop};

int main (int argc, char **argv)
{
    return svc_main (&plain, argc, argv);
}
