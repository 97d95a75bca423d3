/* app_count.c - what is counted of an app, kept in the turn that changes it, so that nobody has to scan; and its organization's rules for files.
 *
 * A recipient counts as sent when the carrier took its message, as delivered when it arrived, as failed while it is failed: a late receipt that lifts
 * a failure takes it back. */
#include "gen/accounts.h"
#include "media.h"
#include "messaging.h"

enum { DAY_MS = 86400000 };
static const int64_t no_limit_ms = 100LL * 365 * DAY_MS;

static int count_load (turn_t *t, id16_t org, id16_t app, messaging_app_count_t *out)
{
    int code = store_get_any (t->txn, &messaging_app_count_record, app, t->arena, out);
    if (code != E_NOT_FOUND)
        return code;
    *out = (messaging_app_count_t){.id = app, .org = org};
    return 0;
}

static bool is_sent (int32_t status)
{
    return status == MESSAGING_STATUS_SENT || status == MESSAGING_STATUS_DELIVERED ||
           status == MESSAGING_STATUS_READ;
}

static bool is_delivered (int32_t status)
{
    return status == MESSAGING_STATUS_DELIVERED || status == MESSAGING_STATUS_READ;
}

static bool is_failed (int32_t status)
{
    return status == MESSAGING_STATUS_FAILED || status == MESSAGING_STATUS_UNCONFIRMED;
}

int app_count_move (turn_t *t, const messaging_message_t *message, int32_t from, int32_t to)
{
    messaging_app_count_t count = {0};
    int sent = !is_sent (from) && is_sent (to);
    int delivered = !is_delivered (from) && is_delivered (to);
    int failed = is_failed (to) - is_failed (from);
    if (id_is_nil (message->app) || (!sent && !delivered && !failed))
        return 0;
    int code = count_load (t, message->org, message->app, &count);
    count.sent += sent;
    count.delivered += delivered;
    count.failed += failed;
    return code ? code : store_put (t->txn, &messaging_app_count_record, &count, NULL);
}

int app_count_received (turn_t *t, id16_t org, const schema_list_t *apps)
{
    const messaging_app_ref_t *refs = apps->items;
    int code = 0;
    for (size_t i = 0; i < apps->count && code == 0; i++) {
        messaging_app_count_t count = {0};
        code = count_load (t, org, refs[i].id, &count);
        count.received += 1;
        if (code == 0)
            code = store_put (t->txn, &messaging_app_count_record, &count, NULL);
    }
    return code;
}

int messaging_app_counts (turn_t *t, const messaging_app_counts_in_t *in,
                          messaging_app_counts_out_t *out)
{
    messaging_app_count_t count = {0};
    int code =
        store_get (t->txn, &messaging_app_count_record, t->ask->org, in->app, t->arena, &count);
    *out = (messaging_app_counts_out_t){.messages_sent = count.sent,
                                        .messages_received = count.received,
                                        .messages_delivered = count.delivered,
                                        .messages_failed = count.failed};
    return code == E_NOT_FOUND ? 0 : code;
}

bool app_is_gone (turn_t *t, id16_t id)
{
    messaging_app_t app = {0};
    return store_get_any (t->txn, &messaging_app_record, id, t->arena, &app) == 0 && app.deleted;
}

/* ---- organizations ---- */

int org_changed (turn_t *t, const journal_event_t *event, const void *body)
{
    const accounts_org_changed_t *in = body;
    messaging_organization_t org = {0};
    int code = store_get_any (t->txn, &messaging_organization_record, in->id, t->arena, &org);
    if (code && code != E_NOT_FOUND)
        return code;
    if (code == 0 && org.version >= (int64_t) event->version)
        return 0;
    org = (messaging_organization_t){.id = in->id,
                                     .media_retention_days = in->media_retention_days,
                                     .version = (int64_t) event->version};
    if (in->has & ACCOUNTS_ORG_CHANGED_HAS_MEDIA_RETENTION_DAYS)
        org.has |= MESSAGING_ORGANIZATION_HAS_MEDIA_RETENTION_DAYS; /* 0 says something */
    return store_put (t->txn, &messaging_organization_record, &org, NULL);
}

/* How long files of an organization are kept, 0 = without limit. */
static int64_t media_kept_ms (turn_t *t, id16_t owner)
{
    messaging_organization_t org = {0};
    int code = store_get_any (t->txn, &messaging_organization_record, owner, t->arena, &org);
    if (code == 0 && (org.has & MESSAGING_ORGANIZATION_HAS_MEDIA_RETENTION_DAYS))
        return org.media_retention_days * DAY_MS;
    return ((const messaging_settings_t *) t->settings)->media_retention;
}

int64_t media_expiry (turn_t *t, id16_t owner)
{
    int64_t kept = media_kept_ms (t, owner);
    return t->now + (kept ? kept : no_limit_ms);
}

int messaging_org_policy (turn_t *t, const messaging_org_policy_in_t *in,
                          messaging_org_policy_out_t *out)
{
    out->media_retention_days = in->media_retention_days;
    if (in->media_unlimited || in->media_retention_days)
        return 0;
    out->media_retention_days = (media_kept_ms (t, t->ask->org) + DAY_MS - 1) / DAY_MS;
    return 0;
}
