/* messaging.h - what the files of the messaging service share. */
#ifndef AVIARY_MESSAGING_H
#define AVIARY_MESSAGING_H

#include "gen/messaging.h"
#include "provider/provider.h"
#include "svc/svc.h"

/* The adapter of a number's carrier. */
const provider_t *carrier_adapter (int32_t carrier);

/* ---- routes (route.c): who may send from which number; followed from accounts ---- */

/* The calling app's route for `from` on a channel; fails with E_PHONE_NUMBER_NOT_ASSIGNED. Also refuses a paused app. */
int number_of_app (turn_t *t, int32_t channel, const char *from, messaging_route_t *out);
/* All live apps that hold a number, at most 100, as told in events. */
int apps_of_number (turn_t *t, id16_t number, schema_list_t *out);
/* The app as told in events. */
int app_told (turn_t *t, id16_t app, schema_list_t *out);
extern const svc_follow_t messaging_follows[];
extern const size_t messaging_follow_count;

/* ---- messages (message.c) ---- */

/* Store an outbound message with its recipients, its event, and a send job for each. Fills ids and times of *message. */
int message_accept (turn_t *t, messaging_message_t *message, const char *const *to, size_t count);
/* The message as events tell it to one recipient (NULL = none yet). */
const messaging_content_t *content_told (turn_t *t, const messaging_message_t *message, const messaging_recipient_t *recipient);
/* Parts of an SMS and their encoding; GSM 03.38 with its extension, else UCS-2. */
size_t text_segments (const char *text, int32_t *encoding);

/* ---- recipients (recipient.c) ---- */

typedef struct status_news {
    int32_t status;                 /* MESSAGING_STATUS_ */
    int64_t at;                     /* when the carrier says it was */
    const char *provider_id;        /* to note, or NULL */
    const provider_fault_t *fault;  /* of a failure */
    id16_t callback;                /* that said it, nil if none */
    const messaging_message_t *message; /* where it is in hand, NULL: read for the event */
} status_news_t;

/* Move a recipient's status if the state machine allows it; store, count, append the event. What does not move forward is noted and changes nothing. */
int recipient_move (turn_t *t, messaging_recipient_t *recipient, const status_news_t *news);
/* Note a try at the carrier in the recipient (kept: the last 10). Does not store. */
void recipient_note_attempt (turn_t *t, messaging_recipient_t *recipient, const outcome_t *outcome, int code, const char *text);

/* ---- sending (send_job.c, receipt_job.c) ---- */

extern const job_kind_t messaging_send_kind;
extern const job_kind_t messaging_unknown_kind;
extern const job_kind_t messaging_receipt_kind;
extern const job_kind_t messaging_callback_kind;
extern const job_kind_t *const messaging_jobs[];
extern const size_t messaging_job_count;

int send_job_add (turn_t *t, const messaging_message_t *message, const messaging_recipient_t *recipient);
/* The loopback carrier took a message: what it will report, in order. */
int receipts_schedule (turn_t *t, const messaging_message_t *message, const messaging_recipient_t *recipient);
int receipt_job_add (turn_t *t, const provider_loopback_callback_t *callback, id16_t org, int64_t due);

/* ---- callbacks (callback.c) ---- */

/* Store a carrier's callback as it came, then act on it; if that fails it is tried again by a job. */
int callback_take (turn_t *t, int32_t carrier, bytes_t raw);
/* A send got its answer: act on receipts that came before it. */
int receipts_unpark (turn_t *t, messaging_recipient_t *recipient);

/* ---- inbound (inbound.c, window.c) ---- */

int inbound_take (turn_t *t, int32_t carrier, const provider_event_t *event);
int window_renew (turn_t *t, id16_t org, id16_t number, const char *peer, int64_t at, messaging_window_t *out);
/* The open window of a pair, or E_NOT_FOUND. */
int window_open (turn_t *t, id16_t number, const char *peer, messaging_window_t *out);
int user_number_note (turn_t *t, id16_t app, int32_t channel, const char *number, messaging_user_number_t *out);

int messaging_explain (turn_t *t, id16_t id, const svc_explain_t *out);

extern const svc_service_t messaging_tables;

#endif
