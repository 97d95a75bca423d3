/* messaging_world.h - what messaging's operation tests share: an organization with a test app on loopback and a live app at Meta and Telnyx. Tests only. */
#ifndef AVIARY_MESSAGING_WORLD_H
#define AVIARY_MESSAGING_WORLD_H

#include "gen/accounts.h"
#include "messaging.h"
#include "svc/optest.h"

#define WORLD_SMS           "+15550001111"
#define WORLD_WHATSAPP      "+15550002222"
#define WORLD_LIVE_SMS      "+15550003333"
#define WORLD_LIVE_WHATSAPP "+15550004444"
#define WORLD_PERSON        "+15551234567"
#define WORLD_REF           "100200300400"
#define WORLD_LIVE_REF      "106540352242922"

extern const id16_t world_org, world_app, world_live_app, world_number, world_whatsapp_number,
    world_live_number, world_live_whatsapp_number, world_meta, world_telnyx;

/* For cmocka: *state is the optest_t, of the service with loopback's delay 0. */
int world_setup (void **state);
/* The same with more flags, NULL-terminated, at most 8. */
int world_setup_with (void **state, const char *const *more);
int world_teardown (void **state);

/* A number as accounts tells it: its status, and whether it is gone. */
int world_number_tell (optest_t *test, id16_t number, int32_t status, uint64_t version,
                       bool deleted);
/* The test app's and the live app's calls. */
envelope_t world_caller (void);
envelope_t world_live_caller (void);
/* Calls of the organization's own key, which is no app's. */
envelope_t world_org_caller (void);

/* An assignment as accounts tells it. */
int world_assign (optest_t *test, id16_t id, id16_t app, id16_t number, const char *e164,
                  int32_t channel, uint64_t version, bool deleted);
int world_sms (optest_t *test, const char *to, const char *text, messaging_sms_send_out_t *out,
               failure_t *failure);
int world_whatsapp (optest_t *test, envelope_t header, messaging_whatsapp_send_in_t *in,
                    messaging_whatsapp_send_out_t *out, failure_t *failure);
/* A file of an app, as media_adopt leaves it. */
id16_t world_file (optest_t *test, id16_t app, int32_t kind);
/* WORLD_PERSON writes "Hi" by WhatsApp to the test app's number, or the live one's: for world_inbound, and to be changed before. */
provider_event_t world_hi (const char *provider_id, bool live);
/* What Meta puts into X-Hub-Signature-256, by the secret of the live app's account. */
const char *world_meta_signature (optest_t *test, const char *body);
/* Somebody writes, as the carrier's adapter tells it; event->number and event->to say to whom. */
void world_inbound (optest_t *test, int32_t carrier, const provider_event_t *event);

/* Say of the next outward job what the loopback carrier says; false: there is none. */
bool world_carrier_answers (optest_t *test);
/* Let loopback do all that it has to, for 20 seconds. */
void world_run_out (optest_t *test);
/* Statuses told in the journal, in order, as words with a space each; SMS, whose acceptance is not told there, are accepted first. */
const char *world_story (optest_t *test);
/* The last event of a type, decoded; false: there is none. */
bool world_last (optest_t *test, const schema_event_t *type, void *out);
/* An event of the journal as Chirp shows its message. */
const char *world_shown (optest_t *test, const messaging_content_t *message);

#endif
