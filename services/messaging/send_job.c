/* send_job.c - handing one recipient to its carrier, and what came of it.
 *
 * A send whose answer did not come is `unknown`: never repeated, settled by a receipt with our token or failed after a settable time. Repeated are
 * sends of which nothing left and answers that invite it. */
#include "gen/accounts.h"
#include "messaging.h"
#include <string.h>

static const uint32_t retry_steps_ms[] = { 1000, 2000, 5000, 10000, 30000, 60000, 120000, 300000 };
enum { RETRIES = sizeof retry_steps_ms / sizeof *retry_steps_ms, EARLY_RECEIPT_LEAD_MS = 200 };

const provider_t *carrier_adapter (int32_t carrier)
{
    return carrier == ACCOUNTS_CARRIER_LOOPBACK ? &provider_loopback : NULL;
}

/* What the three kinds of jobs about a recipient have in hand. */
typedef struct send_work {
    messaging_recipient_t recipient;
    messaging_message_t message;
    const provider_t *provider;
    loopback_rule_t rule;
    bool whatsapp;
} send_work_t;

static int send_load (turn_t *t, const job_t *job, send_work_t *out)
{
    const messaging_send_job_t *body = job->body;
    int code = store_get_any (t->txn, &messaging_recipient_record, body->recipient, t->arena, &out->recipient);
    if (code == 0)
        code = store_get_any (t->txn, &messaging_message_record, body->message, t->arena, &out->message);
    if (code)
        return code;
    out->provider = carrier_adapter (out->message.carrier);
    out->whatsapp = out->message.channel == ACCOUNTS_CHANNEL_WHATSAPP;
    if (out->provider == &provider_loopback)
        out->rule = loopback_rule (out->whatsapp, out->recipient.to);
    return out->provider ? 0 : E_NOT_FOUND;
}

static int64_t loopback_delay (const turn_t *t)
{
    return ((const messaging_settings_t *) t->settings)->loopback_delay;
}

static int send_begin (turn_t *t, job_t *job, outbound_t *out)
{
    send_work_t *work = arena_new_of (t->arena, send_work_t);
    int code = send_load (t, job, work);
    if (code == E_NOT_FOUND || (code == 0 && work->recipient.status != MESSAGING_STATUS_QUEUED &&
                                work->recipient.status != MESSAGING_STATUS_SENDING)) {
        out->how = OUT_DROP;
        return 0;
    }
    if (code)
        return code;
    provider_message_t message = { .token = work->recipient.id, .number = work->message.number, .org = work->message.org,
                                   .whatsapp = work->whatsapp, .from = work->message.from, .to = work->recipient.to,
                                   .text = work->message.text, .subject = work->message.subject,
                                   .delay_ms = (uint32_t) loopback_delay (t) };
    if (work->rule.magic == MAGIC_EARLY_RECEIPT) {
        message.delay_ms += EARLY_RECEIPT_LEAD_MS;
        code = job->tries == 1 ? receipts_schedule (t, &work->message, &work->recipient) : 0;
    }
    return code ? code : work->provider->send (t, &message, out);
}

static int send_accepted (turn_t *t, send_work_t *work, const provider_result_t *result)
{
    status_news_t news = { .status = MESSAGING_STATUS_SENT, .at = t->now, .message = &work->message,
                           .provider_id = result->id_count ? result->ids[0] : NULL };
    int code = recipient_move (t, &work->recipient, &news);
    if (code == 0 && news.provider_id)
        code = receipts_unpark (t, &work->recipient);
    if (code == 0 && work->provider == &provider_loopback && work->rule.magic != MAGIC_EARLY_RECEIPT)
        code = receipts_schedule (t, &work->message, &work->recipient);
    return code;
}

static int unknown_job_add (turn_t *t, const job_t *job, const send_work_t *work)
{
    int64_t after = ((const messaging_settings_t *) t->settings)->unknown_after;
    job_new_t new = { .kind = &messaging_unknown_kind, .tenant = work->message.org, .group = work->message.org,
                      .due = t->now + after, .body = job->body };
    return job_add (t, &new, NULL);
}

static int send_unknown (turn_t *t, const job_t *job, send_work_t *work)
{
    status_news_t news = { .status = MESSAGING_STATUS_UNKNOWN, .at = t->now };
    int code = recipient_move (t, &work->recipient, &news);
    if (code == 0)
        code = unknown_job_add (t, job, work);
    if (code == 0 && work->rule.magic == MAGIC_ANSWER_LOST)
        code = receipts_schedule (t, &work->message, &work->recipient);
    return code;
}

static int send_retry (turn_t *t, job_t *job, send_work_t *work, const provider_result_t *result, bool lost)
{
    if (job->tries > RETRIES) {
        status_news_t news = { .status = MESSAGING_STATUS_FAILED, .at = t->now, .message = &work->message, .fault = provider_fault (work->whatsapp, "503") };
        return recipient_move (t, &work->recipient, &news);
    }
    work->recipient.status = MESSAGING_STATUS_SENDING;
    int code = store_put (t->txn, &messaging_recipient_record, &work->recipient, NULL);
    int64_t wait = lost ? 0 : retry_steps_ms[job->tries - 1];
    if (wait < result->retry_after_ms)
        wait = result->retry_after_ms;
    return code ? code : job_retry (t, job, t->now + wait);
}

static bool is_final (int32_t status)
{
    return status != MESSAGING_STATUS_QUEUED && status != MESSAGING_STATUS_SENDING && status != MESSAGING_STATUS_UNKNOWN;
}

static int send_finish (turn_t *t, job_t *job, const outcome_t *outcome)
{
    send_work_t *work = arena_new_of (t->arena, send_work_t);
    int code = send_load (t, job, work);
    if (code)
        return code == E_NOT_FOUND ? 0 : code;
    provider_result_t result = { 0 };
    work->provider->answer (t, outcome, &result);
    recipient_note_attempt (t, &work->recipient, outcome, result.fault ? result.fault->code : outcome->code,
                            result.fault ? result.fault->native : outcome->reason);
    bool lost = outcome->code == E_REPLICA_LOST;
    if (lost && !work->provider->repeatable)
        result.word = PROVIDER_UNKNOWN;
    switch (result.word) {
    case PROVIDER_ACCEPTED:
        return send_accepted (t, work, &result);
    case PROVIDER_REFUSED: {
        status_news_t news = { .status = MESSAGING_STATUS_FAILED, .at = t->now, .message = &work->message, .fault = result.fault };
        return recipient_move (t, &work->recipient, &news);
    }
    case PROVIDER_UNKNOWN:
        return is_final (work->recipient.status) ? 0 : send_unknown (t, job, work);
    case PROVIDER_RETRY:
        break;
    }
    return is_final (work->recipient.status) ? 0 : send_retry (t, job, work, &result, lost);
}

static void send_policy (turn_t *t, id16_t group, job_policy_t *out)
{
    (void) t;
    (void) group;
    *out = (job_policy_t) { .width = 1024 };
}

const job_kind_t messaging_send_kind = {
    .name = "send", .number = 1, .type = &messaging_send_job_type, .retry_holds_lane = true,
    .begin = send_begin, .finish = send_finish, .policy = send_policy,
};

int send_job_add (turn_t *t, const messaging_message_t *message, const messaging_recipient_t *recipient)
{
    char number[ID_CROCKFORD_LENGTH + 1];
    id_write_crockford (message->number, number);
    messaging_send_job_t body = { .recipient = recipient->id, .message = message->id };
    job_new_t new = { .kind = &messaging_send_kind, .tenant = message->org, .group = message->org, .body = &body,
                      .lane = arena_printf (t->arena, "%s%s", number, recipient->to) };
    return job_add (t, &new, NULL);
}

/* ---- unknown: what no receipt settled in time fails ---- */

static int unknown_begin (turn_t *t, job_t *job, outbound_t *out)
{
    (void) t;
    (void) job;
    out->how = OUT_NOTHING;
    return 0;
}

static int unknown_finish (turn_t *t, job_t *job, const outcome_t *outcome)
{
    (void) outcome;
    send_work_t *work = arena_new_of (t->arena, send_work_t);
    int code = send_load (t, job, work);
    if (code || work->recipient.status != MESSAGING_STATUS_UNKNOWN)
        return code == E_NOT_FOUND ? 0 : code;
    status_news_t news = { .status = MESSAGING_STATUS_UNCONFIRMED, .at = t->now, .fault = provider_fault (work->whatsapp, "503") };
    return recipient_move (t, &work->recipient, &news);
}

const job_kind_t messaging_unknown_kind = {
    .name = "unknown", .number = 2, .type = &messaging_send_job_type, .repeatable = true,
    .begin = unknown_begin, .finish = unknown_finish, .policy = send_policy,
};

const job_kind_t *const messaging_jobs[] = { &messaging_send_kind, &messaging_unknown_kind, &messaging_receipt_kind,
                                             &messaging_callback_kind };
const size_t messaging_job_count = sizeof messaging_jobs / sizeof *messaging_jobs;
