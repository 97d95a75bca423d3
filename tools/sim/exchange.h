/* exchange.h - inside the front: one request on its way, over parkings. */
#ifndef AVIARY_SIM_EXCHANGE_H
#define AVIARY_SIM_EXCHANGE_H

#include "callbacks.h"

typedef struct exchange {
    sim_t *sim;
    sim_request_t request;
    sim_answer_t answer;
    int64_t log_id; /* 0 = not logged */
    bool waiting;   /* parked on answer.wait, else on the delay */
    bool due;       /* the delay is over */
} exchange_t;

/* Read path, query, headers and body of a request. 0, or the status to refuse with. */
int asked_read (sim_t *sim, sim_request_t *request, web_request_t *web);
void asked_free (sim_request_t *request);
/* Recipients of a send, as digits. */
void request_recipients (sim_request_t *request);

#endif
