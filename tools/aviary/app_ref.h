/* app_ref.h - which app a command means: "test", "live" or an id. */
#ifndef AVIARY_APP_REF_H
#define AVIARY_APP_REF_H

#include "client.h"

typedef struct app_ref {
    id16_t id;
    id16_t org; /* as the credentials file has it; nil if there is none */
    bool test;
} app_ref_t;

/* `word`: "test" and "live" are those of DIR/credentials.json, else an id in any spelling of an app that exists. 0, E_NOT_FOUND, or what the bus says. */
int app_ref_read (client_t *client, const char *data, const char *word, app_ref_t *out,
                  failure_t *failure);

#endif
