/* messaging.h - what the files of the messaging service share. */
#ifndef AVIARY_MESSAGING_H
#define AVIARY_MESSAGING_H

#include "gen/messaging.h"
#include "provider/provider.h"
#include "svc/svc.h"

/* The adapter of a number's carrier. */
const provider_t *carrier_adapter (int32_t carrier);

/* ---- routes (route.c): who may send from which number; followed from accounts ---- */

/* The calling app's route for `from` on a channel; fails with E_PHONE_NUMBER_NOT_ASSIGNED. */
int number_of_app (turn_t *t, int32_t channel, const char *from, messaging_route_t *out);
/* The same for a send: a paused app gets E_FORBIDDEN. */
int sender_find (turn_t *t, int32_t channel, const char *from, messaging_route_t *out);
/* All live apps that hold a number, at most 100, as told in events. */
int apps_of_number (turn_t *t, id16_t number, schema_list_t *out);
/* Our number as a carrier account names it: by the carrier's id of it (Meta) or the number itself (Telnyx). E_NOT_FOUND if no app holds it. */
int route_of_carrier (turn_t *t, id16_t account, bool whatsapp, const char *ref,
                      messaging_route_t *out);
/* The app as told in events. */
int app_told (turn_t *t, id16_t app, schema_list_t *out);
extern const svc_follow_t messaging_follows[];
extern const size_t messaging_follow_count;

/* ---- numbers and threads (number.c, thread.c, thread_state.c) ---- */

/* A WhatsApp number of the asking organization by its carrier's id of it. Fails with E_NOT_FOUND ("number_ref"). */
int number_of_ref (turn_t *t, const char *ref, messaging_number_t *out);
/* The same, and E_NUMBER_NOT_CONNECTED (thread_send.c). */
int number_connected (turn_t *t, const char *ref, messaging_number_t *out);
/* The same as number_of_ref of any organization; says nothing. */
int number_find (turn_t *t, id16_t org, const char *ref, messaging_number_t *out);
/* What a send needs of it, as a route that is no app's. */
void number_route (const messaging_number_t *number, messaging_route_t *out);
/* Follows accounts.number_changed. */
int number_changed (turn_t *t, const journal_event_t *event, const void *body);
/* Whom a message is to or from; NULL if it does not say. */
const char *message_peer (const messaging_message_t *message);
/* Its text, caption or body; NULL if it has none. */
const char *message_text (const messaging_message_t *message);
/* Put a message that is about to be stored into its thread, which is made if there is none; an SMS stays without. */
int thread_enter (turn_t *t, messaging_message_t *message, bool *created);
/* The same of a stored message that is older than threads; stores it. */
int thread_enter_late (turn_t *t, messaging_message_t *message);
/* As events tell it; NULL: the message is in none. */
const messaging_thread_told_t *thread_told (turn_t *t, const messaging_message_t *message,
                                            bool created);
/* The part of it that says which number of ours. */
void thread_number_tell (turn_t *t, id16_t number, messaging_thread_told_t *out);
typedef struct thread_unread {
    int64_t unread; /* inbound messages after the newest that was marked read, at most 1,000 */
    id16_t newest_read;
} thread_unread_t;
int thread_unread (turn_t *t, id16_t conversation, thread_unread_t *out);
/* Of a thread's row the event that tells it whole (thread_state). */
int thread_state_fill (turn_t *t, const void *row, event_about_t *about, void *body);
int thread_state_tell (turn_t *t, const messaging_thread_t *thread);
/* A timer: puts messages that are older than threads into threads, then tells of all; once in a store's life. */
int thread_fill (turn_t *t);

/* Follows inbox.erased (erase.c). */
int contact_erased (turn_t *t, const journal_event_t *event, const void *body);
/* A recipient with its further ids at the carrier; adds to *rows what was removed (retention.c). */
int recipient_remove (turn_t *t, id16_t recipient, unsigned *rows);

/* ---- apps and organizations (app_count.c) ---- */

/* A recipient's status moved. */
int app_count_move (turn_t *t, const messaging_message_t *message, int32_t from, int32_t to);
/* A message came in for these apps (list of app_ref). */
int app_count_received (turn_t *t, id16_t org, const schema_list_t *apps);
/* Was the app deleted? */
bool app_is_gone (turn_t *t, id16_t id);
/* Follows accounts.org_changed. */
int org_changed (turn_t *t, const journal_event_t *event, const void *body);

/* ---- the end of an app (app_end.c) ---- */

/* An app was deleted: what it has queued fails, in steps. */
int app_end_add (turn_t *t, id16_t app);
/* A recipient that waits fails, because the app that sent the message is gone. */
int recipient_orphaned (turn_t *t, messaging_recipient_t *recipient,
                        const messaging_message_t *message);
extern const job_kind_t messaging_app_end_kind;

/* ---- messages (message.c) ---- */

/* Store an outbound message with its recipients, its event, and a send job for each. Fills ids and times of *message. */
int message_accept (turn_t *t, messaging_message_t *message, const char *const *to, size_t count);
/* Whose webhooks hear of an outbound message: the app that sent it, else all that hold the number. */
int message_apps (turn_t *t, const messaging_message_t *message, schema_list_t *out);
/* The message as events tell it to one recipient (NULL = none yet); files with fresh links (told.c). */
const messaging_content_t *content_told (turn_t *t, const messaging_message_t *message,
                                         const messaging_recipient_t *recipient);
/* Is the content that `in` names by its kind complete and within WhatsApp's limits, and are the files, messages and templates there that it names? Then it is
 * put into message->text and message->body (content_check.c). `from` is the number that it goes out from. */
int content_check (turn_t *t, const messaging_route_t *from, const messaging_whatsapp_send_in_t *in,
                   messaging_message_t *message);
int interactive_content_check (turn_t *t, id16_t app, const messaging_interactive_content_t *in,
                               const messaging_interactive_content_t **out);
/* The one file that an outbound WhatsApp message carries, nil = none. */
id16_t content_media (const messaging_message_t *message);
/* The message with the carrier's ids of what it names (file, quoted message, message reacted to), for the adapter. E_NOT_FOUND: one of them has none. */
int content_resolve (turn_t *t, const messaging_message_t *message, const char *media_id,
                     provider_message_t *out);

/* ---- logs (log.c, log_told.c) ---- */

/* The message as a log shows it; *recipients counts up by how many it has. */
int log_told (turn_t *t, const messaging_message_t *message, messaging_log_message_t *out,
              size_t *recipients);

/* ---- messages by their carrier's ids (provider_ref.c) ---- */

/* The carrier's id of a message of ours, NULL if it has none (yet). */
int provider_id_of (turn_t *t, const messaging_message_t *message, const char **out);
/* The organization's message that a carrier names, in either direction; nil if there is none. */
int message_of_provider_id (turn_t *t, int32_t carrier, id16_t org, id16_t number,
                            const char *provider_id, id16_t *out);
/* A live route of a number of ours, an app's or nobody's: its carrier, account, ref. E_NOT_FOUND if there is no such number. */
int route_of_number (turn_t *t, id16_t number, messaging_route_t *out);
/* A recipient by a carrier's id, the further ones too. E_NOT_FOUND if there is none. */
int recipient_of_provider_id (turn_t *t, int32_t carrier, const char *provider_id,
                              messaging_recipient_t *out);
/* Keep all that the carrier gave: the first in the recipient, others beside it. */
int provider_ids_note (turn_t *t, messaging_recipient_t *recipient, const char *const *ids,
                       size_t count);
/* A WhatsApp message between a number of ours and a person, that one of them quotes or reacts to. Fails with E_NOT_FOUND and `field`. */
int message_of_pair (turn_t *t, id16_t id, id16_t number, const char *peer, const char *field,
                     messaging_message_t *out);

/* Is the person within 24 hours, or does the message not need it, or may it fail? Notes the window in the message (whatsapp_send.c). */
int window_check (turn_t *t, const messaging_whatsapp_send_in_t *in, messaging_message_t *message);

/* ---- messages as an organization's callers see them (message_info.c) ---- */

int message_info (turn_t *t, const messaging_message_t *message, messaging_message_info_t *out);
/* MESSAGING_SHOWN_STATUS_ of a recipient's status. */
int32_t status_shown_of (int32_t status);
/* A message of a number of the asking organization. Fails with E_NOT_FOUND ("id"). */
int message_of_number (turn_t *t, id16_t id, id16_t number, messaging_message_t *out);

/* Parts of an SMS and their encoding; GSM 03.38 with its extension, else UCS-2. */
size_t text_segments (const char *text, int32_t *encoding);

/* ---- recipients (recipient.c) ---- */

typedef struct status_news {
    int32_t status;                /* MESSAGING_STATUS_ */
    int64_t at;                    /* when the carrier says it was */
    const char *provider_id;       /* to note, or NULL */
    const provider_fault_t *fault; /* of a failure */
    const char *native_text;       /* the carrier's own words of it, or NULL */
    const char *fbtrace_id;
    id16_t callback;                    /* that said it, nil if none */
    bytes_t raw;                        /* the carrier's item as it came, packed */
    bytes_t call;                       /* the whole callback, where it said nothing else */
    const messaging_message_t *message; /* where it is in hand, NULL: read for the event */
} status_news_t;

/* Move a recipient's status if the state machine allows it; store, count, append the event. What does not move forward is noted and changes nothing. */
int recipient_move (turn_t *t, messaging_recipient_t *recipient, const status_news_t *news);
/* Note a try at the carrier in the recipient (kept: the last 10). Does not store. */
void recipient_note_attempt (turn_t *t, messaging_recipient_t *recipient, const outcome_t *outcome,
                             int code, const char *text);

/* ---- sending (send_job.c, receipt_job.c) ---- */

extern const job_kind_t messaging_send_kind;
extern const job_kind_t messaging_unknown_kind;
extern const job_kind_t messaging_receipt_kind;
extern const job_kind_t messaging_callback_kind;
extern const job_kind_t messaging_read_kind;
extern const job_kind_t messaging_erase_kind;
/* All kinds of jobs stand in a list in tables.c. */

int send_job_add (turn_t *t, const messaging_message_t *message,
                  const messaging_recipient_t *recipient);
/* The loopback carrier took a message: what it will report, in order. */
int receipts_schedule (turn_t *t, const messaging_message_t *message,
                       const messaging_recipient_t *recipient);
/* Rates, width and breaker of a group of sends: the group is a number, or for loopback an organization (send_policy.c). */
void send_policy (turn_t *t, id16_t group, job_policy_t *out);
/* The wait before the next try when `tries` failed, from the settings' schedule with its jitter and at least what the carrier says; false: it is over. */
bool send_wait (turn_t *t, int64_t tries, int64_t at_least, int64_t *out);
int receipt_job_add (turn_t *t, const provider_loopback_callback_t *callback, id16_t org,
                     int64_t due);

/* ---- what a send needs of accounts, media and templates (account.c, media.c, template.c) ---- */

/* The carrier account with its secrets opened, in the turn's arena. E_NOT_FOUND: there is none any more. */
int account_open (turn_t *t, id16_t id, provider_account_t *out);
/* The same without its secrets; and the follower of accounts.carrier_changed. */
int carrier_account_find (turn_t *t, id16_t id, messaging_carrier_account_t *out);
int carrier_changed (turn_t *t, const journal_event_t *event, const void *body);
/* A file of `app` for a message of this kind (MESSAGING_KIND_IMAGE .. STICKER): fills media, mime_type, filename, size, sha256, animated, test, url of *out.
 * Fails with field "media.mediaId": E_NOT_FOUND (unknown, deleted, expired), E_BAD_REQUEST (of another kind), E_MEDIA_TOO_LARGE. */
int media_find (turn_t *t, id16_t app, id16_t id, int32_t kind, messaging_media_content_t *out);
/* Must the file be handed to the carrier (again) before a message that names it can go? If not, *provider_id is its id there. E_NOT_FOUND: the file is gone. */
int media_upload_needed (turn_t *t, id16_t account, const char *number_ref, id16_t media,
                         bool *needed, const char **provider_id);
/* Hand it over, and what came of that: PROVIDER_ACCEPTED when the carrier's id is noted. */
int media_upload_begin (turn_t *t, const provider_t *provider, const provider_account_t *account,
                        const char *number_ref, id16_t media, outbound_t *out);
int media_upload_done (turn_t *t, const provider_t *provider, id16_t account,
                       const char *number_ref, id16_t media, const outcome_t *outcome,
                       provider_result_t *result);
/* MMS attachments by URL at a real carrier: before the send job is added, in its own lane and group. The carrier gets the customer's URLs as they are; the job looks,
 * behind the guard, that none is over 5 MB. Nothing to look at: adds nothing. A send whose message says media_checked < 0 fails with provider_fault (false, "40323"). */
int mms_check_add (turn_t *t, const messaging_message_t *message, id16_t group, const char *lane);
/* A signed link of one hour to a file of ours, for events; NULL if it is gone. */
const char *media_link (turn_t *t, id16_t media);
/* An inbound message was stored: fetch the carrier's files that it names. *later: its event waits until they are here (or given up on): then body->media holds
 * our ids, the message is stored again and inbound_tell (inbound.c) called. Nothing to fetch: *later is false. */
int media_inbound (turn_t *t, messaging_message_t *message, bool *later);
/* Name, language, approval and variables of a template that is to be sent from a route's number. Fails with E_TEMPLATE_NOT_FOUND ("template.name") or
 * E_TEMPLATE_PARAMETER_MISMATCH ("template.variables", "template.components"); fills `components` of *content where it has to be. Test numbers have two sample
 * templates; of an account whose templates are not known yet nothing is checked: Meta does.
 * `let_fail`: what is wrong with one that is there is the carrier's to say. */
int template_check (turn_t *t, const messaging_route_t *from, messaging_template_content_t *content,
                    bool let_fail);
/* What a real carrier would say of a template send from a test number: E_TEMPLATE_PARAMETER_MISMATCH. */
int template_sample_check (turn_t *t, const messaging_template_content_t *content);
/* Do the variables, by position or name, fill what the template takes? Puts them into `components` in Meta's shape where they are not the body's by position
 * (template_fill.c). */
int template_fill (turn_t *t, const messaging_template_t *template,
                   messaging_template_content_t *content);
/* The same of components that the caller gave in Meta's shape (template_given.c). */
int template_given_check (turn_t *t, const messaging_template_t *template, bytes_t components);
/* Followers of templates.template_changed and templates.account_synced. */
int template_changed (turn_t *t, const journal_event_t *event, const void *body);
int template_account_synced (turn_t *t, const journal_event_t *event, const void *body);

/* ---- media (media*.c) ---- */

typedef struct messaging_context {
    blobs_t *media;                   /* DIR/media, shared with the edge */
    uint8_t media_key[SIGN_KEY_SIZE]; /* signs links */
} messaging_context_t;

int messaging_start (svc_t *svc, void **context, failure_t *failure);
void messaging_stop (void **context);
/* Files that were deleted or whose time is over go, in small steps of the sweeper; a timer: pending blobs are adopted or removed. */
int media_expire (turn_t *t, svc_swept_t *out);
int media_sweep (turn_t *t);
extern const job_kind_t messaging_media_fetch_kind;
extern const job_kind_t messaging_media_check_kind;

/* ---- callbacks (callback.c) ---- */

/* Whom a callback is from. Loopback has no account. */
typedef struct callback_origin {
    int32_t carrier;
    id16_t account;
    id16_t token; /* recipient id in the URL called; nil = none */
} callback_origin_t;

/* Store a carrier's callback as it came, then act on it; if that fails it is tried again by a job. */
int callback_take (turn_t *t, const callback_origin_t *origin, bytes_t raw);
/* A carrier's call as events carry it: as it came, unless it is so long that followers would choke on it; then its item alone is told. */
bytes_t call_told (bytes_t body);
/* A callback by its id, or the callbacks that a carrier account's URL refused. */
int callbacks_explain (turn_t *t, id16_t id, const svc_explain_t *out);
/* A send got its answer: act on receipts that came before it. */
int receipts_unpark (turn_t *t, messaging_recipient_t *recipient);
/* A step of the sweeper: drop parked receipts whose time is over. */
int receipts_expire (turn_t *t, svc_swept_t *out);

/* ---- inbound (inbound.c, window.c) ---- */

/* The callback that tells of an inbound message. */
typedef struct inbound_call {
    id16_t id;
    bytes_t body;
} inbound_call_t;
/* Store what somebody wrote to event->number, once, and tell of it. */
int inbound_take (turn_t *t, int32_t carrier, const provider_event_t *event,
                  const inbound_call_t *call);
/* Tell of an inbound message that was stored earlier, when its files are here: its event for all apps that hold the number. */
int inbound_tell (turn_t *t, messaging_message_t *message);
/* Opt-out words of people, by number (optout.c). */
bool optout_holds (turn_t *t, id16_t number, const char *peer,
                   messaging_optout_t *out /* may be NULL */);
/* An SMS arrived: MESSAGING_KEYWORD_ of its text (0 = none), acted on. */
int keyword_take (turn_t *t, const messaging_message_t *message, int32_t *out);
int window_renew (turn_t *t, id16_t org, id16_t number, const char *peer, int64_t at,
                  messaging_window_t *out);
/* The open window of a pair, or E_NOT_FOUND. */
int window_open (turn_t *t, id16_t number, const char *peer, messaging_window_t *out);
int user_number_note (turn_t *t, id16_t app, int32_t channel, const char *number,
                      messaging_user_number_t *out);

/* ---- what comes late of an erased message (erase_late.c) ---- */

/* A carrier's id of a message as the id under which it is remembered that it was erased. */
id16_t provider_ref_id (int32_t carrier, const char *provider_id);
/* Is this about a message that was erased? `token`: our recipient id, may be nil. */
bool receipt_is_erased (turn_t *t, int32_t carrier, id16_t token, const char *provider_id);
/* May this messaging_callback_t go? E_CONFLICT: not yet. */
int callback_erase (turn_t *t, const void *row);
enum { MESSAGING_ERASES = 1 };
extern const svc_erase_t messaging_erases[MESSAGING_ERASES];

/* What is not kept for ever (retention.c). */
enum { MESSAGING_RETENTIONS = 6 };
extern const svc_retention_t messaging_retentions[MESSAGING_RETENTIONS];

int messaging_explain (turn_t *t, id16_t id, const svc_explain_t *out);

extern const svc_service_t messaging_tables;

#endif
