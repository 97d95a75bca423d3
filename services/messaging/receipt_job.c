/* receipt_job.c - the loopback carrier's side: it calls back when its time has come, through the way of real callbacks. */
#include "gen/accounts.h"
#include "gen/provider.h"
#include "messaging.h"

int receipt_job_add (turn_t *t, const provider_loopback_callback_t *callback, id16_t org,
                     int64_t due)
{
    messaging_receipt_job_t body = {.callback = callback};
    job_new_t new = {
        .kind = &messaging_receipt_kind, .tenant = org, .group = org, .due = due, .body = &body};
    return job_add (t, &new, NULL);
}

static int64_t receipt_due (const turn_t *t)
{
    return t->now + ((const messaging_settings_t *) t->settings)->loopback_delay;
}

int receipts_schedule (turn_t *t, const messaging_message_t *message,
                       const messaging_recipient_t *recipient)
{
    bool whatsapp = message->channel == ACCOUNTS_CHANNEL_WHATSAPP;
    loopback_rule_t rule = loopback_rule (whatsapp, recipient->to);
    if (rule.magic == MAGIC_SILENT || rule.magic == MAGIC_SENT_ONLY || rule.magic == MAGIC_REFUSED)
        return 0;
    char id[ID_UUID_LENGTH + 1];
    id_write_uuid (recipient->id, id);
    bool early = rule.magic == MAGIC_EARLY_RECEIPT;
    provider_loopback_callback_t callback = {
        .news = rule.magic == MAGIC_FAILED ? PROVIDER_LOOPBACK_NEWS_FAILED
                                           : PROVIDER_LOOPBACK_NEWS_DELIVERED,
        .provider_id = arena_join (t->arena, "lb-", id),
        .token = early ? id_nil () : recipient->id,
        .code = rule.fault ? rule.fault->native : NULL,
        .whatsapp = whatsapp,
        .to = recipient->to,
        .org = message->org,
    };
    return receipt_job_add (t, &callback, message->org, early ? t->now : receipt_due (t));
}

static int receipt_finish (turn_t *t, job_t *job, const outcome_t *outcome)
{
    (void) outcome;
    const messaging_receipt_job_t *body = job->body;
    if (!body->callback)
        return 0;
    provider_loopback_callback_t callback = *body->callback;
    callback.at = t->now;
    buf_t raw = buf_in (t->arena);
    schema_pack (&provider_loopback_callback_type, &callback, &raw);
    callback_origin_t origin = {.carrier = ACCOUNTS_CARRIER_LOOPBACK};
    int code = callback_take (t, &origin, buf_bytes (&raw));
    if (code || callback.news != PROVIDER_LOOPBACK_NEWS_DELIVERED || !callback.whatsapp)
        return code;
    callback.news = PROVIDER_LOOPBACK_NEWS_READ;
    return receipt_job_add (t, &callback, callback.org, receipt_due (t));
}

static void receipt_policy (turn_t *t, id16_t group, job_policy_t *out)
{
    (void) t;
    (void) group;
    *out = (job_policy_t){.width = 1024};
}

const job_kind_t messaging_receipt_kind = {
    .name = "receipt",
    .number = 3,
    .type = &messaging_receipt_job_type,
    .repeatable = true,
    .begin = job_begin_nothing,
    .finish = receipt_finish,
    .policy = receipt_policy,
};
