/* send_job.c - handing one recipient to its carrier, and what came of it.
 *
 * A send whose answer did not come is `unknown`: never repeated, settled by a receipt with our token or failed after a settable time. Repeated are
 * sends of which nothing left and answers that invite it, on a schedule; a carrier that says "too fast" is obeyed for as long as patience lasts. A
 * message with a file goes in two steps: the carrier gets the file first, if it does not have it. */
#include "gen/accounts.h"
#include "messaging.h"
#include <string.h>

enum { EARLY_RECEIPT_LEAD_MS = 200, NOTE_MAX = 160 };

/* What the jobs about a recipient have in hand. */
typedef struct send_work {
    messaging_recipient_t recipient;
    messaging_message_t message;
    const provider_t *provider;
    provider_account_t account; /* of a real carrier, in begin () */
    loopback_rule_t rule;
    bool whatsapp;
} send_work_t;

static int send_load (turn_t *t, const job_t *job, send_work_t *out)
{
    const messaging_send_job_t *body = job->body;
    int code = store_get_any (t->txn, &messaging_recipient_record, body->recipient, t->arena,
                              &out->recipient);
    if (code == 0)
        code = store_get_any (t->txn, &messaging_message_record, body->message, t->arena,
                              &out->message);
    if (code)
        return code;
    out->provider = carrier_adapter (out->message.carrier);
    out->whatsapp = out->message.channel == ACCOUNTS_CHANNEL_WHATSAPP;
    if (out->provider == &provider_loopback)
        out->rule = loopback_rule (out->whatsapp, out->recipient.to);
    return out->provider ? 0 : E_NOT_FOUND;
}

static bool is_loopback (const send_work_t *work)
{
    return work->provider == &provider_loopback;
}

static bool is_waiting (int32_t status)
{
    return status == MESSAGING_STATUS_QUEUED || status == MESSAGING_STATUS_SENDING;
}

/* The recipient fails without the carrier having been asked. */
static int send_end (turn_t *t, send_work_t *work, const char *native, const char *why,
                     outbound_t *out)
{
    out->how = OUT_DROP;
    status_news_t news = {.status = MESSAGING_STATUS_FAILED,
                          .at = t->now,
                          .message = &work->message,
                          .native_text = why,
                          .fault = provider_fault (work->whatsapp, native)};
    return recipient_move (t, &work->recipient, &news);
}

static bool is_passing (int code)
{
    error_class_t class = error_class (code);
    return class == EC_UNAVAILABLE || class == EC_INTERNAL;
}

/* ---- what goes out ---- */

static int message_make (turn_t *t, const send_work_t *work, const char *media_id,
                         provider_message_t *out)
{
    const messaging_message_t *message = &work->message;
    *out = (provider_message_t){
        .token = work->recipient.id,
        .number = message->number,
        .org = message->org,
        .whatsapp = work->whatsapp,
        .kind = message->kind,
        .from = message->from,
        .to = work->recipient.to,
        .text = message->text,
        .subject = message->subject,
        .media_urls = message->media_urls.items,
        .media_url_count = message->media_urls.count,
        .number_ref = message->number_ref,
        .account = is_loopback (work) ? NULL : &work->account,
        .delay_ms = (uint32_t) ((const messaging_settings_t *) t->settings)->loopback_delay,
    };
    return content_resolve (t, message, media_id, out);
}

static int loopback_begin (turn_t *t, const job_t *job, send_work_t *work, outbound_t *out)
{
    provider_message_t message;
    int code = message_make (t, work, NULL, &message);
    if (code == 0 && work->rule.magic == MAGIC_EARLY_RECEIPT) {
        message.delay_ms += EARLY_RECEIPT_LEAD_MS;
        code = job->tries == 1 ? receipts_schedule (t, &work->message, &work->recipient) : 0;
    }
    if (code == E_NOT_FOUND)
        return send_end (t, work, "100", "The message reacted to never reached WhatsApp", out);
    if (code == 0 && work->message.kind == MESSAGING_KIND_TEMPLATE &&
        template_sample_check (t, work->message.body->template))
        return send_end (t, work, "132000", NULL, out);
    return code ? code : work->provider->send (t, &message, out);
}

/* Which file is to be handed over first (nil = none), and the carrier's id of it where it has it. */
static int file_needed (turn_t *t, const send_work_t *work, id16_t *media, const char **media_id)
{
    bool needed = false;
    *media = content_media (&work->message);
    if (id_is_nil (*media) || !work->provider->media_upload)
        return 0;
    int code = media_upload_needed (t, work->account.id, work->message.number_ref, *media, &needed,
                                    media_id);
    if (code || !needed)
        *media = id_nil ();
    return code;
}

/* The two steps: what the job's stage does not fit falls through to the other by way of finish (). */
static int carrier_begin (turn_t *t, const job_t *job, send_work_t *work, outbound_t *out)
{
    const messaging_send_job_t *body = job->body;
    provider_message_t message;
    id16_t media;
    const char *media_id = NULL;
    int code = file_needed (t, work, &media, &media_id);
    if (code)
        return is_passing (code) ? code : send_end (t, work, "131053", "The file is gone", out);
    bool preparing = body->stage == MESSAGING_SEND_STAGE_PREPARE;
    if (preparing == id_is_nil (media)) {
        out->how = OUT_NOTHING;
        return 0;
    }
    if (preparing) {
        code = media_upload_begin (t, work->provider, &work->account, work->message.number_ref,
                                   media, out);
        return code == 0 || is_passing (code)
                   ? code
                   : send_end (t, work, "131053", "The file is gone", out);
    }
    code = message_make (t, work, media_id, &message);
    if (code == 0)
        code = work->provider->send (t, &message, out);
    if (code == 0)
        out->request.timeout_ms =
            (uint32_t) ((const messaging_settings_t *) t->settings)->send_timeout;
    if (code == 0 || is_passing (code))
        return code;
    return send_end (t, work, work->whatsapp ? "100" : "10004",
                     t->failure.text[0] ? arena_strdup (t->arena, t->failure.text) : NULL, out);
}

static int send_begin (turn_t *t, job_t *job, outbound_t *out)
{
    send_work_t *work = arena_new_of (t->arena, send_work_t);
    int code = send_load (t, job, work);
    if (code == E_NOT_FOUND || (code == 0 && !is_waiting (work->recipient.status))) {
        out->how = OUT_DROP;
        return 0;
    }
    if (code)
        return code;
    if (app_is_gone (t, work->message.app)) {
        out->how = OUT_DROP;
        return recipient_orphaned (t, &work->recipient, &work->message);
    }
    if (!work->whatsapp && optout_holds (t, work->message.number, work->recipient.to, NULL)) {
        turn_count (t, MESSAGING_COUNTER_OPTOUTS_HELD_TOTAL, 1);
        return send_end (t, work, "40300", "The recipient has opted out", out);
    }
    if (is_loopback (work))
        return loopback_begin (t, job, work, out);
    if (work->message.media_checked < 0)
        return send_end (t, work, "40323", "An attachment is too large", out);
    code = account_open (t, work->message.account, &work->account);
    if (code && (code == E_IO || code == E_NO_MEMORY))
        return code;
    if (code)
        return send_end (t, work, work->whatsapp ? "190" : "10009",
                         "The carrier account is gone or cannot be opened", out);
    return carrier_begin (t, job, work, out);
}

/* ---- what came of it ---- */

static int send_accepted (turn_t *t, send_work_t *work, const provider_result_t *result)
{
    status_news_t news = {.status = MESSAGING_STATUS_SENT, .at = t->now, .message = &work->message};
    int code = provider_ids_note (t, &work->recipient, result->ids, result->id_count);
    if (code == 0)
        code = recipient_move (t, &work->recipient, &news);
    for (size_t i = 0; i < result->id_count && code == 0; i++) {
        messaging_recipient_t known = {.carrier = work->recipient.carrier,
                                       .provider_id = result->ids[i]};
        code = receipts_unpark (t, &known);
    }
    if (code == 0 && is_loopback (work) && work->rule.magic != MAGIC_EARLY_RECEIPT)
        code = receipts_schedule (t, &work->message, &work->recipient);
    return code;
}

static int unknown_job_add (turn_t *t, const job_t *job, const send_work_t *work)
{
    int64_t after = ((const messaging_settings_t *) t->settings)->unknown_after;
    job_new_t new = {.kind = &messaging_unknown_kind,
                     .tenant = work->message.org,
                     .group = work->message.org,
                     .due = t->now + after,
                     .body = job->body};
    return job_add (t, &new, NULL);
}

static int send_unknown (turn_t *t, const job_t *job, send_work_t *work)
{
    status_news_t news = {.status = MESSAGING_STATUS_UNKNOWN, .at = t->now};
    int code = recipient_move (t, &work->recipient, &news);
    if (code == 0)
        code = unknown_job_add (t, job, work);
    if (code == 0 && work->rule.magic == MAGIC_ANSWER_LOST)
        code = receipts_schedule (t, &work->message, &work->recipient);
    return code;
}

static int send_refused (turn_t *t, send_work_t *work, const provider_result_t *result)
{
    const provider_fault_t *fault =
        result->fault ? result->fault : provider_fault (work->whatsapp, "503");
    status_news_t news = {.status = MESSAGING_STATUS_FAILED,
                          .at = t->now,
                          .message = &work->message,
                          .fault = fault,
                          .native_text = result->native_text,
                          .fbtrace_id = result->fbtrace_id};
    return recipient_move (t, &work->recipient, &news);
}

/* The carrier says that it comes too fast: for one pair of numbers, or for the number, whose other sends wait too. */
static bool is_limited (const outcome_t *outcome, const provider_result_t *result)
{
    return outcome->status == 429 ||
           (result->fault && error_class (result->fault->code) == EC_LIMITED);
}

static bool is_pair_limit (const provider_result_t *result)
{
    return result->fault && result->fault->native && strcmp (result->fault->native, "131056") == 0;
}

static bool retry_wait (turn_t *t, job_t *job, const outcome_t *outcome,
                        const provider_result_t *result, int64_t *out)
{
    messaging_send_job_t *body = job->body;
    const messaging_settings_t *settings = t->settings;
    if (!is_limited (outcome, result)) {
        body->faults++;
        return send_wait (t, body->faults, result->retry_after_ms, out);
    }
    body->limits++;
    send_wait (t, body->limits, result->retry_after_ms, out);
    return job->made + settings->send_patience > t->now + *out;
}

static int send_retry (turn_t *t, job_t *job, send_work_t *work, const outcome_t *outcome,
                       const provider_result_t *result)
{
    int64_t wait = 0;
    bool lost = outcome->code == E_REPLICA_LOST;
    if (!lost && !retry_wait (t, job, outcome, result, &wait))
        return send_refused (t, work, result);
    work->recipient.status = MESSAGING_STATUS_SENDING;
    int code = store_put (t->txn, &messaging_recipient_record, &work->recipient, NULL);
    if (code == 0 && !is_loopback (work) && is_limited (outcome, result) && !is_pair_limit (result))
        code = job_group_pause (t, job->group, t->now + wait);
    return code ? code : job_retry (t, job, t->now + wait);
}

static void attempt_note (turn_t *t, send_work_t *work, const outcome_t *outcome,
                          const provider_result_t *result)
{
    const provider_fault_t *fault = result->fault;
    const char *text = outcome->reason;
    if (fault)
        text = arena_printf (t->arena, "%s %.*s", fault->native, NOTE_MAX,
                             result->native_text ? result->native_text : fault->title);
    recipient_note_attempt (t, &work->recipient, outcome, fault ? fault->code : outcome->code,
                            text);
}

/* On to the other step. */
static int stage_turn (turn_t *t, job_t *job, int32_t stage)
{
    messaging_send_job_t *body = job->body;
    body->stage = stage;
    return job_retry (t, job, t->now);
}

static int prepare_finish (turn_t *t, job_t *job, send_work_t *work, const outcome_t *outcome)
{
    provider_result_t result = {0};
    int code =
        media_upload_done (t, work->provider, work->message.account, work->message.number_ref,
                           content_media (&work->message), outcome, &result);
    if (code)
        return code;
    if (result.word == PROVIDER_ACCEPTED)
        return stage_turn (t, job, MESSAGING_SEND_STAGE_SEND);
    attempt_note (t, work, outcome, &result);
    return result.word == PROVIDER_REFUSED ? send_refused (t, work, &result)
                                           : send_retry (t, job, work, outcome, &result);
}

/* Begun, and there was nothing to do in this step: real carriers answer with an HTTP status. */
static bool is_nothing (const send_work_t *work, const outcome_t *outcome)
{
    return !is_loopback (work) && outcome->stage == FETCH_ANSWERED && outcome->status == 0;
}

static int send_finish (turn_t *t, job_t *job, const outcome_t *outcome)
{
    const messaging_send_job_t *body = job->body;
    send_work_t *work = arena_new_of (t->arena, send_work_t);
    int code = send_load (t, job, work);
    if (code)
        return code == E_NOT_FOUND ? 0 : code;
    bool preparing = body->stage == MESSAGING_SEND_STAGE_PREPARE;
    if (is_nothing (work, outcome))
        return stage_turn (t, job,
                           preparing ? MESSAGING_SEND_STAGE_SEND : MESSAGING_SEND_STAGE_PREPARE);
    if (preparing)
        return prepare_finish (t, job, work, outcome);
    provider_result_t result = {0};
    work->provider->answer (t, outcome, &result);
    attempt_note (t, work, outcome, &result);
    if (outcome->code == E_REPLICA_LOST && !work->provider->repeatable)
        result.word = PROVIDER_UNKNOWN;
    if (result.word == PROVIDER_ACCEPTED)
        return send_accepted (t, work, &result);
    if (result.word == PROVIDER_REFUSED)
        return send_refused (t, work, &result);
    if (!is_waiting (work->recipient.status) && work->recipient.status != MESSAGING_STATUS_UNKNOWN)
        return 0; /* a receipt was faster */
    return result.word == PROVIDER_UNKNOWN ? send_unknown (t, job, work)
                                           : send_retry (t, job, work, outcome, &result);
}

/* Declared by a person, after a restore or out of quarantine: as if its answer had got lost, at whichever step it was. */
static int send_given_up (turn_t *t, job_t *job)
{
    static const outcome_t lost = {.stage = FETCH_SENT, .code = E_REPLICA_LOST};
    send_work_t *work = arena_new_of (t->arena, send_work_t);
    int code = send_load (t, job, work);
    if (code || !is_waiting (work->recipient.status))
        return code == E_NOT_FOUND ? 0 : code;
    work->rule.magic = MAGIC_NONE;
    recipient_note_attempt (t, &work->recipient, &lost, E_REPLICA_LOST,
                            "declared unknown: whether it was sent is not known");
    return send_unknown (t, job, work);
}

static bool send_is_about (turn_t *t, const job_t *job, const char *number)
{
    const messaging_send_job_t *body = job->body;
    messaging_message_t message = {0};
    return store_get_any (t->txn, &messaging_message_record, body->message, t->arena, &message) ==
               0 &&
           message.from && strcmp (message.from, number) == 0;
}

const job_kind_t messaging_send_kind = {
    .name = "send",
    .number = 1,
    .type = &messaging_send_job_type,
    .retry_holds_lane = true,
    .begin = send_begin,
    .finish = send_finish,
    .policy = send_policy,
    .unknown = send_given_up,
    .is_about = send_is_about,
};

int send_job_add (turn_t *t, const messaging_message_t *message,
                  const messaging_recipient_t *recipient)
{
    char number[ID_CROCKFORD_LENGTH + 1];
    id_write_crockford (message->number, number);
    bool loopback = message->carrier == ACCOUNTS_CARRIER_LOOPBACK;
    bool has_file = !loopback && !id_is_nil (content_media (message));
    messaging_send_job_t body = {.recipient = recipient->id,
                                 .message = message->id,
                                 .stage = has_file ? MESSAGING_SEND_STAGE_PREPARE
                                                   : MESSAGING_SEND_STAGE_SEND};
    job_new_t new = {.kind = &messaging_send_kind,
                     .tenant = message->org,
                     .group = loopback ? message->org : message->number,
                     .body = &body,
                     .lane = arena_join (t->arena, number, recipient->to)};
    int code = loopback || !message->media_urls.count
                   ? 0
                   : mms_check_add (t, message, new.group, new.lane);
    return code ? code : job_add (t, &new, NULL);
}

/* ---- unknown: what no receipt settled in time fails ---- */

static int unknown_finish (turn_t *t, job_t *job, const outcome_t *outcome)
{
    (void) outcome;
    send_work_t *work = arena_new_of (t->arena, send_work_t);
    int code = send_load (t, job, work);
    if (code || work->recipient.status != MESSAGING_STATUS_UNKNOWN)
        return code == E_NOT_FOUND ? 0 : code;
    status_news_t news = {.status = MESSAGING_STATUS_UNCONFIRMED,
                          .at = t->now,
                          .fault = provider_fault (work->whatsapp, "503")};
    return recipient_move (t, &work->recipient, &news);
}

const job_kind_t messaging_unknown_kind = {
    .name = "unknown",
    .number = 2,
    .type = &messaging_send_job_type,
    .repeatable = true,
    .begin = job_begin_nothing,
    .finish = unknown_finish,
    .policy = send_policy,
};
