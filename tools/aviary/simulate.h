/* simulate.h - `aviary up --simulate`: aviary-sim as a process of the house, and the live app wired to it.
 *
 * DIR/simulator.json keeps the port and the generated secrets, so that each start is the same simulator to its clients. The simulator keeps nothing: it
 * is told its numbers and callback URLs at each of its own starts. */
#ifndef AVIARY_SIMULATE_H
#define AVIARY_SIMULATE_H

#include "child.h"
#include "client.h"

#define SIMULATE_SERVICE "sim" /* its name among the house's processes */

/* Numbers of the live app at the simulator, and the ids that the carriers have for them. */
#define SIMULATE_WHATSAPP_NUMBER "+14155550100"
#define SIMULATE_SMS_NUMBER      "+14155550199"
#define SIMULATE_PHONE_NUMBER_ID "106540352242922"
#define SIMULATE_WABA            "102290129340398"

typedef struct simulate {
    uint16_t port;
    char app_secret[48], verify_token[48], token[64], key[64];
    char seed[65];       /* hex: signs Telnyx's callbacks */
    char public_key[48]; /* base64, of the seed */
} simulate_t;

/* What DIR/simulator.json keeps, or a new one with the first free loopback port from `first_port` on, then written there. 0 or a failure. */
int simulate_open (const char *data, uint16_t first_port, simulate_t *out, failure_t *failure);
/* The command line of aviary-sim in folder `bin`; `clock` is the file of the test clock or NULL. False without memory. */
bool simulate_args (const simulate_t *self, const char *bin, const char *clock, child_t *child);

/* What the wiring found or made; to be told to the simulator again whenever it starts. */
typedef struct simulate_wired {
    char meta_callback[768], telnyx_callback[768];
} simulate_wired_t;

/* Carrier accounts at the simulator, a WhatsApp and an SMS number of the live app, and their place in DIR/credentials.json. What is there already is kept:
 * may be repeated at any time. `base_url` is how the simulator reaches the edge. 0 or what the bus says. */
int simulate_wire (client_t *client, const char *data, const char *base_url, simulate_wired_t *out,
                   failure_t *failure);
/* Tell the simulator its numbers and where callbacks go. 0; E_UNAVAILABLE while it does not answer. */
int simulate_preset (const char *data, const simulate_wired_t *wired, failure_t *failure);

#endif
