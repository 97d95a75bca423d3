/* app.c - webhooks' own copy of apps, followed from accounts; and the end of an app: its webhooks go, in steps.
 *
 * From the turn that takes the deletion no delivery of the app starts any more (delivery_begin asks app_is_gone); what is left of it is removed by a job.
 * Deleted apps stay as tombstones with their version, so that an older event told again cannot bring them back. */
#include "gen/accounts.h"
#include "webhooks.h"

int app_asked (turn_t *t, id16_t id, bool test, app_asked_t *out)
{
    webhooks_app_t app = {0};
    *out = (app_asked_t){.id = t->ask->app, .test = t->ask->test};
    if (t->ask->principal != PRINCIPAL_ADMIN_KEY)
        return 0;
    int code = id_is_nil (id) ? E_NOT_FOUND
                              : store_get_any (t->txn, &webhooks_app_record, id, t->arena, &app);
    if (code == 0 && (app.deleted || app.test != test || !id_equal (app.org, t->ask->org)))
        code = E_NOT_FOUND;
    *out = (app_asked_t){.id = app.id, .test = app.test};
    return code == E_NOT_FOUND ? fail (t, code, "app", "No such app") : code;
}

bool app_is_gone (turn_t *t, id16_t id)
{
    webhooks_app_t app = {0};
    return store_get_any (t->txn, &webhooks_app_record, id, t->arena, &app) == 0 && app.deleted;
}

int webhooks_app_counts (turn_t *t, const webhooks_app_counts_in_t *in,
                         webhooks_app_counts_out_t *out)
{
    webhooks_app_t app = {0};
    store_key_t key = {.id = in->app};
    uint64_t count = 0;
    int code = store_get_any (t->txn, &webhooks_app_record, in->app, t->arena, &app);
    if (code || app.deleted || !id_equal (app.org, t->ask->org))
        return code == E_NOT_FOUND ? 0 : code;
    code = store_count (t->txn, &webhooks_subscription_record, "by_app", &key, 1, &count);
    out->webhooks = (int64_t) count;
    return code;
}

/* ---- the end of an app ---- */

static int app_end_add (turn_t *t, id16_t app)
{
    webhooks_app_end_job_t body = {.app = app};
    job_new_t job = {.kind = &webhooks_app_end_kind, .group = app, .body = &body};
    return job_add (t, &job, NULL);
}

int app_changed (turn_t *t, const journal_event_t *event, const void *body)
{
    const accounts_app_changed_t *in = body;
    webhooks_app_t old = {0};
    int code = store_get_any (t->txn, &webhooks_app_record, in->id, t->arena, &old);
    if (code && code != E_NOT_FOUND)
        return code;
    if (code == 0 && old.version >= (int64_t) event->version)
        return 0;
    webhooks_app_t app = {.id = in->id,
                          .org = in->org,
                          .test = in->test,
                          .deleted = in->deleted,
                          .version = (int64_t) event->version};
    code = store_put (t->txn, &webhooks_app_record, &app, NULL);
    return code == 0 && in->deleted ? app_end_add (t, in->id) : code;
}

static int id_take (void *context, const void *row)
{
    *(id16_t *) context = ((const webhooks_subscription_t *) row)->id;
    return 0;
}

static int app_end_finish (turn_t *t, job_t *job, const outcome_t *outcome)
{
    (void) outcome;
    const webhooks_app_end_job_t *body = job->body;
    id16_t next = id_nil ();
    store_key_t key = {.id = body->app};
    store_page_t page = {.index = "by_app", .keys = &key, .key_count = 1, .limit = 1};
    bool more = false;
    int code =
        store_list (t->txn, &webhooks_subscription_record, &page, t->arena, id_take, &next, &more);
    if (code || id_is_nil (next))
        return code;
    code = subscription_clear (t, next, WEBHOOKS_DELIVERY_STATUS_DROPPED, &more);
    if (code == 0 && !more)
        code = store_del (t->txn, &webhooks_subscription_record, next);
    return code ? code : job_retry (t, job, t->now + 1);
}

const job_kind_t webhooks_app_end_kind = {
    .name = "app_end",
    .number = 3,
    .type = &webhooks_app_end_job_type,
    .repeatable = true,
    .begin = job_begin_nothing,
    .finish = app_end_finish,
};
