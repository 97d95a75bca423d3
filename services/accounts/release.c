/* release.c - giving a number up: at its carrier first, then here.
 *
 * A number on loopback, and one that only stands here (WhatsApp numbers belong to their business account), goes at once. A number at Telnyx goes when Telnyx says that
 * it is gone, and until then nothing changes here: a refusal, and an answer that did not come, are told as they are. A release whose answer got lost is not repeated:
 * the job looks whether the account still has the number, if need be for longer than the caller waits. */
#include "accounts.h"

enum { THERE_MOST = 3, PATIENCE_MS = 12000 };

static int release_new (turn_t *t, const accounts_number_t *number, bool asks,
                        accounts_release_t *out)
{
    *out = (accounts_release_t){.id = turn_id (t),
                                .org = number->org,
                                .number_id = number->id,
                                .number = number->number,
                                .account = asks ? number->account : id_nil (),
                                .state = ACCOUNTS_RELEASE_STATE_RELEASING,
                                .created_at = t->now};
    return store_insert (t->txn, &accounts_release_record, out, NULL);
}

static int release_end (turn_t *t, accounts_release_t *release, int32_t state)
{
    release->state = state;
    release->ended_at = t->now;
    return store_put (t->txn, &accounts_release_record, release, NULL);
}

/* The number is nobody's any more. */
static int number_end (turn_t *t, accounts_number_t *number, accounts_release_t *release,
                       accounts_number_release_out_t *out)
{
    *out = (accounts_number_release_out_t){
        .number_id = number->id, .test = number->test, .success = true};
    int code = number_apps (t, number, &out->affected);
    if (code == 0)
        code = number_forget (t, number);
    return code ? code : release_end (t, release, ACCOUNTS_RELEASE_STATE_RELEASED);
}

static int release_park (turn_t *t, const accounts_number_t *number, accounts_release_t *release)
{
    char lane[ID_CROCKFORD_LENGTH + 1];
    accounts_release_job_t body = {.release = release->id, .ref = number->ref};
    id_write_crockford (number->id, lane);
    job_new_t job = {.kind = &accounts_release_kind,
                     .tenant = t->ask->org,
                     .group = number->account,
                     .lane = lane,
                     .ask = turn_ask_id (t),
                     .body = &body};
    int code = job_add (t, &job, &release->job);
    if (code == 0)
        code = store_put (t->txn, &accounts_release_record, release, NULL);
    return code ? code : park (t);
}

int accounts_number_release (turn_t *t, const accounts_number_release_in_t *in,
                             accounts_number_release_out_t *out)
{
    accounts_number_t number = {0};
    accounts_release_t release;
    int code = org_number (t, in->number_id, in->number_id_test, &number);
    bool asks = number.carrier == ACCOUNTS_CARRIER_TELNYX;
    if (code == 0)
        code = release_new (t, &number, asks, &release);
    if (code)
        return code;
    return asks ? release_park (t, &number, &release) : number_end (t, &number, &release, out);
}

int accounts_number_release_resume (turn_t *t, const accounts_number_release_in_t *in,
                                    accounts_number_release_out_t *out)
{
    (void) in;
    const market_told_t *told = turn_result (t);
    if (!told)
        return fail (t, E_TELNYX_API_UNAVAILABLE, NULL, "The carrier's answer got lost");
    if (told->code)
        return fail (t, told->code, told->code == E_NOT_FOUND ? "number_id" : NULL, "%s",
                     told->text);
    *out = *told->released;
    return 0;
}

/* ---- at the carrier ---- */

typedef struct release_work {
    accounts_release_t release;
    accounts_number_t number;
    provider_account_t account;
    market_told_t why; /* why it cannot be asked, code 0 = it can */
} release_work_t;

static int work_load (turn_t *t, const job_t *job, release_work_t *out)
{
    const accounts_release_job_t *body = job->body;
    int code =
        store_get_any (t->txn, &accounts_release_record, body->release, t->arena, &out->release);
    if (code)
        return code;
    code = store_get_any (t->txn, &accounts_number_record, out->release.number_id, t->arena,
                          &out->number);
    if (code == E_NOT_FOUND) { /* another release was faster */
        out->why = (market_told_t){.code = E_NOT_FOUND, .text = "No such phone number"};
        return 0;
    }
    if (code == 0)
        code = market_account (t, out->release.account, &out->account);
    if (code == 0 || market_is_ours (code))
        return code;
    out->why = (market_told_t){.code = E_TELNYX_API_UNAVAILABLE,
                               .text = "The carrier account cannot be used"};
    return 0;
}

/* Its id at the carrier has to be known, and after a lost answer whether it is still there. */
static bool is_look (const accounts_release_job_t *body)
{
    return body->looking || !body->ref || !*body->ref;
}

static int release_begin (turn_t *t, job_t *job, outbound_t *out)
{
    const accounts_release_job_t *body = job->body;
    release_work_t *work = arena_new_of (t->arena, release_work_t);
    int code = work_load (t, job, work);
    if (code == E_NOT_FOUND || work->why.code) {
        out->how = OUT_NOTHING; /* finish says so */
        return 0;
    }
    if (code == 0)
        code = is_look (body)
                   ? provider_telnyx.number_look (t, &work->account, work->release.number, out)
                   : provider_telnyx.number_release (t, &work->account, body->ref, out);
    out->request.timeout_ms = MARKET_TRY_MS;
    return code;
}

static int release_failed (turn_t *t, const job_t *job, release_work_t *work, market_told_t why)
{
    int code = release_end (t, &work->release, ACCOUNTS_RELEASE_STATE_FAILED);
    return code ? code : market_tell (t, job, &why);
}

static int release_done (turn_t *t, const job_t *job, release_work_t *work)
{
    accounts_number_release_out_t out;
    int code = number_end (t, &work->number, &work->release, &out);
    turn_count (t, ACCOUNTS_COUNTER_NUMBERS_RELEASED_TOTAL, 1);
    return code ? code : market_tell (t, job, &(market_told_t){.released = &out});
}

/* The caller has waited long enough; the job has not. */
static int release_wait (turn_t *t, job_t *job, const release_work_t *work)
{
    static const market_told_t late = {.code = E_TELNYX_API_UNAVAILABLE,
                                       .text = "The carrier does not say what became of it"};
    int code = store_put (t->txn, &accounts_release_record, &work->release, NULL);
    if (code == 0 && t->now - job->made > PATIENCE_MS)
        code = market_tell (t, job, &late);
    return code ? code : market_look_later (t, job);
}

static int looked_finish (turn_t *t, job_t *job, release_work_t *work, const outcome_t *outcome)
{
    static const char *const words[] = {[HELD_UNSAID] = NULL,
                                        [HELD_NOT] = "the account does not have the number",
                                        [HELD_YES] = "the account has the number"};
    accounts_release_job_t *body = job->body;
    const char *id;
    provider_held_t held = provider_telnyx.number_looked (t, outcome, work->release.number, &id);
    market_note (t, &work->release.answers, "look for the number", outcome, words[held]);
    if (held == HELD_NOT)
        return release_done (t, job, work);
    if (!body->looking && held == HELD_UNSAID)
        return release_failed (t, job, work, market_refusal (t, outcome));
    if (!body->looking) {
        int code = store_put (t->txn, &accounts_release_record, &work->release, NULL);
        body->ref = id;
        return code ? code : job_retry (t, job, t->now);
    }
    if (held == HELD_YES && ++body->there >= THERE_MOST)
        return release_failed (t, job, work,
                               (market_told_t){.code = E_TELNYX_API_ERROR,
                                               .text = "The carrier still has the number"});
    return release_wait (t, job, work);
}

/* Nothing was done there for certain: it did not leave, or was refused. */
static bool is_undone (const outcome_t *outcome)
{
    return outcome->stage == FETCH_NOT_SENT ||
           (outcome->stage == FETCH_ANSWERED && outcome->status >= 300 && outcome->status < 500 &&
            outcome->status != 408);
}

static int released_finish (turn_t *t, job_t *job, release_work_t *work, const outcome_t *outcome)
{
    accounts_release_job_t *body = job->body;
    provider_held_t held = provider_telnyx.number_released (t, outcome);
    bool missing = held == HELD_NOT && outcome->status == 404;
    market_note (t, &work->release.answers, "release", outcome,
                 missing            ? "the account does not have the number"
                 : held == HELD_NOT ? "the number is given up"
                                    : NULL);
    if (held == HELD_NOT)
        return release_done (t, job, work);
    if (is_undone (outcome))
        return release_failed (t, job, work, market_refusal (t, outcome));
    body->looking = true;
    return release_wait (t, job, work);
}

static int release_finish (turn_t *t, job_t *job, const outcome_t *outcome)
{
    release_work_t *work = arena_new_of (t->arena, release_work_t);
    int code = work_load (t, job, work);
    if (code)
        return code == E_NOT_FOUND ? 0 : code;
    if (work->why.code)
        return release_failed (t, job, work, work->why);
    return is_look (job->body) ? looked_finish (t, job, work, outcome)
                               : released_finish (t, job, work, outcome);
}

static bool release_is_about (turn_t *t, const job_t *job, const char *number)
{
    const accounts_release_job_t *body = job->body;
    accounts_release_t release = {0};
    return store_get_any (t->txn, &accounts_release_record, body->release, t->arena, &release) ==
               0 &&
           release.number && strcmp (release.number, number) == 0;
}

const job_kind_t accounts_release_kind = {
    .name = "number_release",
    .number = 90,
    .type = &accounts_release_job_type,
    .repeatable = false,
    .retry_holds_lane = true,
    .begin = release_begin,
    .finish = release_finish,
    .is_about = release_is_about,
};
