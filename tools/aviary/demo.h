/* demo.h - the story of the first run, told over real HTTP. */
#ifndef AVIARY_DEMO_H
#define AVIARY_DEMO_H

#include "api.h"
#include "listener.h"

enum { DEMO_WEBHOOKS = 6 };

/* A webhook that has to come. `id` is the message's, "" for the reply, which is known by its text. */
typedef struct demo_wanted {
    const char *event;
    char id[64];
    unsigned came;
} demo_wanted_t;

typedef struct demo {
    api_t api;
    const char *data; /* DIR, as it is given in the commands that are told */
    listener_t *listener;
    int stop_fd;
    char sms_from[24], whatsapp_from[24];
    char webhook[64], secret[128];
    char sms[64], whatsapp[64];
    demo_wanted_t wanted[DEMO_WEBHOOKS];
    unsigned came, bad;
} demo_t;

/* Numbers, webhook, two sends, one reply; then waits for their webhooks up to timeout_ms. 0 when every one came and was checked. */
int demo_tell (demo_t *self, int64_t timeout_ms, failure_t *failure);

#endif
