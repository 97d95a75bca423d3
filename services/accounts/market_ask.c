/* market_ask.c - what searching, buying and giving up numbers share: the carrier account, what it answered, and the ask that waits. */
#include "accounts.h"
#include <string.h>

enum { ANSWERS_KEPT = 20 };

int market_account (turn_t *t, id16_t id, provider_account_t *out)
{
    accounts_carrier_account_t row = {0};
    int code = store_get_any (t->txn, &accounts_carrier_account_record, id, t->arena, &row);
    *out = (provider_account_t){.id = row.id,
                                .org = row.org,
                                .carrier = row.carrier,
                                .base_url = row.base_url,
                                .profile = row.profile};
    return code ? code : carrier_token (t, &row, &out->token);
}

bool market_is_ours (int code)
{
    return code == E_IO || code == E_MAP_FULL || code == E_NO_MEMORY || code == E_CONFLICT_RETRY;
}

int market_tell (turn_t *t, const job_t *job, const market_told_t *told)
{
    int code = resume (t, job->ask, told);
    return code == E_NOT_FOUND ? 0 : code;
}

market_told_t market_refusal (turn_t *t, const outcome_t *outcome)
{
    provider_result_t result = {0};
    provider_telnyx.answer (t, outcome, &result);
    const provider_fault_t *fault =
        result.fault ? result.fault
                     : provider_fault (false, result.word == PROVIDER_REFUSED ? "500" : "503");
    bool gone = strcmp (fault->native, "85001") == 0;
    /* Its limits are ours to keep, not the caller's. */
    bool limited = error_class (fault->code) == EC_LIMITED;
    return (market_told_t){.code = gone      ? E_CONFLICT
                                   : limited ? E_TELNYX_API_UNAVAILABLE
                                             : fault->code,
                           .text = gone ? "The number is not on offer any more" : fault->text};
}

/* ---- notes ---- */

static accounts_carrier_answer_t answer_of (turn_t *t, const char *what, const outcome_t *outcome,
                                            const char *text)
{
    provider_result_t result = {0};
    accounts_carrier_answer_t out = {.at = t->now,
                                     .last_at = t->now,
                                     .what = what,
                                     .status = outcome->status,
                                     .code = outcome->code,
                                     .text = text,
                                     .count = 1};
    provider_telnyx.answer (t, outcome, &result);
    if (result.fault) {
        out.code = result.fault->code;
        out.text = arena_printf (t->arena, "%s %s", result.fault->native,
                                 result.native_text ? result.native_text : result.fault->title);
    } else if (!out.text)
        out.text = outcome->reason;
    return out;
}

static bool is_same_text (const char *a, const char *b)
{
    return strcmp (a ? a : "", b ? b : "") == 0;
}

static bool is_same (const accounts_carrier_answer_t *a, const accounts_carrier_answer_t *b)
{
    return a->status == b->status && a->code == b->code && is_same_text (a->what, b->what) &&
           is_same_text (a->text, b->text);
}

void market_note (turn_t *t, schema_list_t *answers, const char *what, const outcome_t *outcome,
                  const char *text)
{
    size_t count = answers->count, drop = 0;
    accounts_carrier_answer_t *items =
        arena_array_of (t->arena, accounts_carrier_answer_t, count + 1);
    if (count)
        memcpy (items, answers->items, count * sizeof *items);
    items[count] = answer_of (t, what, outcome, text);
    if (count && is_same (&items[count - 1], &items[count])) {
        items[count - 1].count += 1;
        items[count - 1].last_at = t->now;
    } else
        count += 1;
    drop = count > ANSWERS_KEPT ? count - ANSWERS_KEPT : 0;
    *answers = (schema_list_t){items + drop, count - drop};
}

int market_look_later (turn_t *t, job_t *job)
{
    int64_t wait = job->tries < MARKET_LOOKS_SOON ? MARKET_LOOK_MS : MARKET_LOOK_LATER_MS;
    return job_retry (t, job, t->now + wait);
}
