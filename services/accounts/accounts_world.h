/* accounts_world.h - what the operation tests of accounts share: an organization with an app and its test twin, their keys, and how they ask. Tests only. */
#ifndef AVIARY_ACCOUNTS_WORLD_H
#define AVIARY_ACCOUNTS_WORLD_H

#include "accounts.h"
#include "svc/lanes.h"
#include "svc/optest.h"

typedef struct world {
    optest_t *test;
    accounts_bootstrap_out_t ours;
    accounts_bootstrap_out_t theirs; /* another organization, where the set-up makes it */
} world_t;

/* For cmocka: *state is the world_t. _two has another organization, _market a Telnyx account (and no other organization). */
int world_setup (void **state);
int world_setup_two (void **state);
int world_setup_market (void **state);
int world_teardown (void **state);
/* One more organization. */
accounts_bootstrap_out_t world_other (const world_t *w);

/* Ask with an admin key of an organization, or of ours. */
int world_ask_of (const world_t *w, id16_t org, const char *op, const void *in, void *out,
                  failure_t *failure);
int world_ask (const world_t *w, const char *op, const void *in, void *out, failure_t *failure);
/* Calls of our app, or of its test twin. */
envelope_t world_caller (const world_t *w, bool test);
int world_resolve (const world_t *w, const char *key, accounts_key_resolve_out_t *out);

accounts_app_told_t world_app (const world_t *w, const char *slug);
/* A test number of ours that no app has. */
id16_t world_number (const world_t *w, const char *e164);
/* A carrier account of the only organization. */
id16_t world_carrier (const world_t *w, const accounts_carrier_set_in_t *in);

/* Events of a type in the journal, and the last of them, decoded. */
size_t world_events (const world_t *w, const schema_event_t *type);
void world_last (const world_t *w, const schema_event_t *type, void *body);

/* Ask with our admin key and run a turn, as what is parked does. */
optest_put_t *world_put (const world_t *w, const char *op, const void *in);
/* The next outward job, which has to be this request. */
outward_t *world_outward (const world_t *w, const char *method, const char *part);
/* It is answered so; then `after_ms` go by. */
void world_answer (const world_t *w, const char *method, const char *part, int status,
                   const char *body, int64_t after_ms);

#endif
