/* callbacks.h - what the simulator sends: callbacks, handshakes, fetches of media, and things that happen later by themselves. One thread sends.
 *
 * Callbacks of one message form a chain: the next is sent when its time has come and the first attempt of the one before has been answered, so that
 * only what a rule reorders comes out of order. An attempt that is not answered with 2xx is repeated after growing gaps. */
#ifndef AVIARY_SIM_CALLBACKS_H
#define AVIARY_SIM_CALLBACKS_H

#include "sim.h"

typedef enum signature { SIGNATURE_RIGHT, SIGNATURE_WRONG, SIGNATURE_NONE } signature_t;

typedef struct callback callback_t;

/* How an awaited exchange ended. */
struct sim_wait {
    web_call_t call; /* first */
    bool accepted;   /* answered with 2xx */
    int status;      /* 0 = not answered */
    int64_t id;      /* of the callback */
    char error[160];
    char *body; /* of the answer, its first 64 KiB (a fetch: up to its limit) */
    size_t body_size;
    char content_type[96];
};

callbacks_t *callbacks_new (sim_t *sim);
int callbacks_start (callbacks_t *self);
/* Ends the thread; call without the lock. What was not sent is forgotten. */
void callbacks_destroy (callbacks_t **self);

/* A callback that is not posted yet. `event` is what the list calls it; `url` NULL = there is nobody to tell (posting it then does nothing). For
 * Telnyx `body` is the "data" member: attempt and target are added per attempt. */
callback_t *callback_new (provider_t provider, const char *event, const char *url, char *body);
void callback_delay (callback_t *self, int64_t delay_ms);
void callback_message (callback_t *self, const char *message_id);
void callback_failover (callback_t *self, const char *url);
/* Sent exactly as it is: not wrapped, tried once. `timestamp` of the Telnyx signature, 0 = now. `headers` (object of texts, may be NULL) are added. */
void callback_raw (callback_t *self, signature_t signature, int64_t timestamp,
                   const cJSON *headers);
/* Wait for the first attempt's answer: the share of the asker. Park on it. */
sim_wait_t *callback_wait (callback_t *self);

/* Under the lock. Takes over the callbacks of one message, in order; the action (may be NULL) says what goes wrong with them. */
void callbacks_post (sim_t *sim, callback_t **list, size_t count, const rule_action_t *action);
/* Something that happens by itself: act (sim, key) under the lock. */
typedef void (callback_act_fn) (sim_t *sim, const char *key);
void callbacks_later (sim_t *sim, int64_t delay_ms, callback_act_fn *act, const char *key);

/* Meta's verification handshake with `url`: GET with hub.mode, hub.challenge, hub.verify_token. handshake_passed looks at the wait. */
sim_wait_t *callback_handshake (sim_t *sim, const char *url, const char *verify_token,
                                char challenge[16]);
bool handshake_passed (const sim_wait_t *wait, const char *challenge);
/* GET some bytes. */
sim_wait_t *callback_fetch (sim_t *sim, const char *url, size_t most);

/* Those sent, oldest first, with ids above `after`. */
cJSON *callbacks_list (sim_t *sim, const char *provider, int64_t after);
cJSON *callbacks_show_one (sim_t *sim, int64_t id); /* NULL if it is not there */
void callbacks_forget (sim_t *sim);
/* Posted and not yet accepted or given up, those under way and behind others included. */
size_t callbacks_pending (sim_t *sim);
/* Send nothing of what was posted before. What is under way comes to its end. */
void callbacks_cancel (sim_t *sim);

/* ---- signing (signature.c) ---- */
/* "sha256=" and 64 hex digits. */
void signature_meta (const char *secret, bytes_t body, char out[72]);
/* Base64 of the Ed25519 signature over "timestamp|body". */
void signature_telnyx (const uint8_t secret[64], const char *timestamp, bytes_t body, char out[89]);

#endif
