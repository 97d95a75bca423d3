/* mirror.c - a service for the runtime's tests only: follows tally, and has an op that parks on a slow peer.
 *
 * A sum is built from the events' `add`, so that an event that were lost or applied twice would show for ever. */
#include "mirror.h"

#include <string.h>

static int sum_get (turn_t *t, const char *name, mirror_sum_t *out)
{
    store_key_t key = {.str = name};
    *out = (mirror_sum_t){0};
    int rc = store_find (t->txn, &mirror_sum_record, "by_name", &key, 1, t->arena, out);
    if (rc == E_NOT_FOUND)
        *out = (mirror_sum_t){.name = name};
    return rc == E_NOT_FOUND ? 0 : rc;
}

static int sum_put (turn_t *t, mirror_sum_t *row)
{
    if (id_is_nil (row->id))
        row->id = turn_id (t);
    return store_put (t->txn, &mirror_sum_record, row, NULL);
}

static int counted_apply (turn_t *t, const journal_event_t *event, const void *body)
{
    const tally_counted_t *told = body;
    mirror_sum_t row;
    int rc = sum_get (t, told->name, &row);
    if (rc || event->version <= (uint64_t) row.version)
        return rc;
    if (strcmp (told->name, "poison") == 0)
        return fail (t, E_CONFLICT, "name", "This one cannot be applied");
    row.total = event->snapshot ? told->total : row.total + told->add;
    row.version = (int64_t) event->version;
    return sum_put (t, &row);
}

int mirror_total (turn_t *t, const mirror_total_in_t *in, mirror_total_out_t *out)
{
    mirror_sum_t row;
    int rc = sum_get (t, in->name, &row);
    out->total = row.total;
    return rc;
}

/* ---- the slow peer ---- */

static int slow_begin (turn_t *t, job_t *job, outbound_t *out)
{
    const mirror_slow_job_t *slow = job->body;
    out->how = slow->ask ? OUT_ASK : OUT_WAIT;
    out->wait_ms = (uint32_t) slow->wait_ms;
    out->target = "tally.total";
    buf_t body = buf_in (t->arena);
    tally_total_in_t in = {.name = slow->name};
    schema_pack (&tally_total_in_type, &in, &body);
    out->request.body = buf_bytes (&body);
    return 0;
}

/* An answer that did not come is asked for again: the peer may just be restarting. */
static int slow_finish (turn_t *t, job_t *job, const outcome_t *outcome)
{
    const mirror_slow_job_t *slow = job->body;
    tally_total_out_t answer = {0};
    if (slow->ask && (outcome->code || schema_unpack (&tally_total_out_type, outcome->body,
                                                      t->arena, &answer, NULL)))
        return job_retry (t, job, t->now + 100);
    if (strcmp (slow->name, "stuck") == 0)
        return fail (t, E_CONFLICT, "name", "This one cannot be finished");
    int rc = resume (t, job->ask, &answer);
    return rc == E_NOT_FOUND ? 0 : rc;
}

static const job_kind_t slow_kind = {.name = "slow",
                                     .number = 1,
                                     .type = &mirror_slow_job_type,
                                     .repeatable = true,
                                     .begin = slow_begin,
                                     .finish = slow_finish};

int mirror_slow (turn_t *t, const mirror_slow_in_t *in, mirror_slow_out_t *out)
{
    (void) out;
    mirror_slow_job_t body = {.name = in->name, .wait_ms = in->wait_ms, .ask = in->ask};
    job_new_t job = {.kind = &slow_kind, .ask = turn_ask_id (t), .body = &body};
    int rc = job_add (t, &job, NULL);
    return rc ? rc : park (t);
}

int mirror_slow_resume (turn_t *t, const mirror_slow_in_t *in, mirror_slow_out_t *out)
{
    const tally_total_out_t *answer = turn_result (t);
    mirror_sum_t row;
    int rc = sum_get (t, "slow", &row);
    if (!rc) {
        row.total++;
        rc = sum_put (t, &row);
    }
    if (!rc && in->fail)
        return fail (t, E_CONFLICT, "fail", "Ends as a failure, as asked");
    out->total = answer->total;
    out->slow = row.total;
    return rc;
}

/* ---- calls ---- */

static int call_begin (turn_t *t, job_t *job, outbound_t *out)
{
    (void) t, (void) job;
    out->how = OUT_WAIT;
    out->wait_ms = 10;
    return 0;
}

static int call_finish (turn_t *t, job_t *job, const outcome_t *outcome)
{
    (void) t, (void) job, (void) outcome;
    return 0;
}

static const job_kind_t call_kind = {.name = "call",
                                     .number = 2,
                                     .type = &mirror_call_job_type,
                                     .begin = call_begin,
                                     .finish = call_finish};

int mirror_call (turn_t *t, const mirror_call_in_t *in, mirror_call_out_t *out)
{
    (void) out;
    mirror_call_job_t body = {.about = in->about, .phone = in->phone, .number = in->number};
    job_new_t job = {.kind = &call_kind, .lane = in->phone, .due = in->due, .body = &body};
    return job_add (t, &job, NULL);
}

static int forgotten_apply (turn_t *t, const journal_event_t *event, const void *body)
{
    (void) t, (void) event, (void) body; /* it has no rows of people; the runtime has */
    return 0;
}

static const svc_follow_t follows[] = {{&tally_counted_event, counted_apply},
                                       {&tally_forgotten_event, forgotten_apply}};
static const job_kind_t *const jobs[] = {&slow_kind, &call_kind};

const svc_service_t mirror = {
    .schema = &mirror_service, .follows = follows, .follow_count = 2, .jobs = jobs, .job_count = 2};
