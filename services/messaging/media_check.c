/* media_check.c - an MMS's attachments by URL: is none too large?
 *
 * The carrier fetches what the customer's URLs name; we only count its bytes, behind the guard, and keep nothing. Whatever else is wrong with a URL (nobody there,
 * 404, an address that may not be dialled) is the carrier's to judge: it gets the URL as it is. One recipient's job looks for all, the others wait. */
#include "media.h"

#include "gen/accounts.h"

enum { CHECK_WAIT_MS = 200, CHECK_TIMEOUT_MS = 20000, CHECK_STALE_MS = 60000 };

typedef struct check_work {
    messaging_message_t message;
    const char *url; /* to look at; NULL = all were */
    bool mine;
} check_work_t;

static int check_load (turn_t *t, const job_t *job, check_work_t *out)
{
    const messaging_media_check_job_t *body = job->body;
    int code =
        store_get_any (t->txn, &messaging_message_record, body->message, t->arena, &out->message);
    if (code)
        return code;
    const char *const *urls = out->message.media_urls.items;
    if (body->item >= 0 && (size_t) body->item < out->message.media_urls.count)
        out->url = urls[body->item];
    out->mine = id_equal (out->message.media_checker, job->id);
    return 0;
}

static int check_begin (turn_t *t, job_t *job, outbound_t *out)
{
    check_work_t *work = arena_new_of (t->arena, check_work_t);
    int code = check_load (t, job, work);
    if (code == 0 && app_is_gone (t, work->message.app))
        code = E_NOT_FOUND; /* its sends fail unlooked at */
    if (code || work->message.media_checked || !work->url) {
        out->how = code == E_NOT_FOUND ? OUT_DROP : OUT_NOTHING;
        return code == E_NOT_FOUND ? 0 : code;
    }
    bool others = !work->mine && !id_is_nil (work->message.media_checker) &&
                  work->message.media_checking_at + CHECK_STALE_MS > t->now;
    if (others) {
        *out = (outbound_t){.how = OUT_WAIT, .wait_ms = CHECK_WAIT_MS};
        return 0;
    }
    work->message.media_checker = job->id;
    work->message.media_checking_at = t->now;
    *out = (outbound_t){.how = OUT_HTTP,
                        .request = {.method = "GET",
                                    .url = work->url,
                                    .guarded = true,
                                    .timeout_ms = CHECK_TIMEOUT_MS,
                                    .answer_max = 1,
                                    .answer_limit = blob_kind_limit (BLOB_KIND_MMS)}};
    return store_put (t->txn, &messaging_message_record, &work->message, NULL);
}

static int check_settle (turn_t *t, check_work_t *work, int64_t found)
{
    work->message.media_checked = found;
    return store_put (t->txn, &messaging_message_record, &work->message, NULL);
}

static int check_finish (turn_t *t, job_t *job, const outcome_t *outcome)
{
    check_work_t *work = arena_new_of (t->arena, check_work_t);
    int code = check_load (t, job, work);
    if (code || work->message.media_checked)
        return code == E_NOT_FOUND ? 0 : code;
    if (!work->mine && work->url)
        return job_retry (t, job, t->now); /* it was a wait */
    if (outcome->code == E_MEDIA_TOO_LARGE)
        return check_settle (t, work, -1);
    if (!work->url)
        return check_settle (t, work, 1);
    messaging_media_check_job_t *body = job->body;
    body->item += 1;
    return (size_t) body->item < work->message.media_urls.count ? job_retry (t, job, t->now)
                                                                : check_settle (t, work, 1);
}

/* The lane and the group are the send's, and so are its limits. */
static void check_policy (turn_t *t, id16_t group, job_policy_t *out)
{
    if (messaging_send_kind.policy)
        messaging_send_kind.policy (t, group, out);
}

/* A customer's server that is away is no reason to stop sending. */
static bool is_no_failure (const outcome_t *outcome)
{
    (void) outcome;
    return false;
}

const job_kind_t messaging_media_check_kind = {
    .name = "media_check",
    .number = 21,
    .type = &messaging_media_check_job_type,
    .repeatable = true,
    .retry_holds_lane = true,
    .begin = check_begin,
    .finish = check_finish,
    .policy = check_policy,
    .is_breaker_failure = is_no_failure,
};

int mms_check_add (turn_t *t, const messaging_message_t *message, id16_t group, const char *lane)
{
    if (message->media_urls.count == 0 || message->carrier == ACCOUNTS_CARRIER_LOOPBACK)
        return 0;
    messaging_media_check_job_t body = {.message = message->id};
    job_new_t new = {.kind = &messaging_media_check_kind,
                     .tenant = message->org,
                     .group = group,
                     .lane = lane,
                     .body = &body};
    return job_add (t, &new, NULL);
}
