/* client.h - what subcommands use to talk to a running house: the bus as "cli", HTTP with a key, the credentials file, JSON output. */
#ifndef AVIARY_CLIENT_H
#define AVIARY_CLIENT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "bus/bus.h"
#include "schema/schema.h"

typedef struct client client_t;

/* A bus connection of the house in `data`, as "cli". Waits up to wait_ms for the broker's welcome. 0; E_UNAVAILABLE if none came; or what the
 * bus says. */
int client_open (const char *data, uint32_t wait_ms, client_t **out, failure_t *failure);
/* The same under another name than "cli". For both the environment may say another bus: AVIARY_BUS (tcp://HOST:PORT) with AVIARY_BUS_KEYS, a folder with
 * the name's key pair and broker.pub. */
int client_open_as (const char *data, const char *service, uint32_t wait_ms, client_t **out,
                    failure_t *failure);
void client_close (client_t **self);
bool client_connected (client_t *self);
/* Handle what is there for up to wait_ms: keeps the connection alive between asks. */
void client_idle (client_t *self, uint32_t wait_ms);

/* Ask `target` ("broker.status") with the generated in struct and wait for the out struct (zeroed, of the op's out type); strings of
 * *out live in `arena`. `header` gives tenant and trace, NULL = none. 0 or the E_ code. */
int client_ask (client_t *self, const char *target, const envelope_t *header, const void *in,
                void *out, arena_t *arena, uint32_t timeout_ms, failure_t *failure);

/* DIR/credentials.json, as the first start wrote it. Strings live in the arena. */
typedef struct credentials {
    const char *base_url, *organization_id, *admin_key;
    const char *app_id, *live_key, *test_app_id, *test_key;
} credentials_t;

int credentials_read (const char *data, arena_t *arena, credentials_t *out, failure_t *failure);

/* One HTTP request, waited for: `url` whole, key (NULL = none) as Bearer, body JSON text (NULL = none), `headers` more header lines
 * (NULL-terminated, or NULL). *status and *answer filled when it was answered. 0 or the E_ code. */
int client_http (const char *method, const char *url, const char *key, const char *const *headers,
                 const char *body, int *status, buf_t *answer, failure_t *failure);

/* A failure as "aviary: COMMAND: TEXT" on stderr; returns the exit code that fits. */
int client_fail (const char *command, const failure_t *failure);
/* A struct as one line of JSON on stdout; `reveal` shows personal fields, secrets stay masked. */
void client_print (const schema_type_t *type, const void *in, bool reveal);

#endif
