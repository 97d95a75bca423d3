/* sync_job.c - the reading of an account: Meta's pages one after the other, then what was not among them becomes deleted.
 *
 * A page that cannot be read is asked for again after the waits of the settings, or as long as Meta says; then, or when Meta refuses for good, the reading fails: nothing is
 * deleted and the account says why. Every page is a turn of its own, and so is every step of the sweep. */
#include "base/text.h"
#include "provider/json.h"
#include "templates.h"
#include <stdlib.h>
#include <string.h>

enum { PAGES_MAX = 500, SWEEP_PAGE = 500, RETRY_STEPS = 16, TEXT_MAX = 300 };

static const int64_t wait_max_ms = INT64_C (10) * 60 * 1000;

typedef struct reading {
    job_t *job;
    templates_sync_job_t *body;
    templates_carrier_account_t account;
    templates_sync_result_t result;
} reading_t;

/* E_NOT_FOUND: it is no longer the account's reading. */
static int reading_load (turn_t *t, job_t *job, reading_t *out)
{
    out->job = job;
    out->body = job->body;
    if (out->body->result)
        out->result = *out->body->result;
    out->body->result = &out->result;
    int code = store_get_any (t->txn, &templates_carrier_account_record, out->body->account,
                              t->arena, &out->account);
    return code == 0 && !id_equal (out->account.sync, out->body->sync) ? E_NOT_FOUND : code;
}

/* ---- its end ---- */

static int asks_answer (turn_t *t, const schema_list_t *asks, const sync_ended_t *ended)
{
    const id16_t *ids = asks->items;
    int code = 0;
    for (size_t i = 0; i < asks->count && code == 0; i++) {
        code = resume (t, ids[i], ended);
        code = code == E_NOT_FOUND ? 0 : code;
    }
    return code;
}

/* Answer who waited, and begin anew if something came up meanwhile. */
static int reading_end (turn_t *t, reading_t *self, const sync_ended_t *ended)
{
    templates_carrier_account_t *account = &self->account;
    schema_list_t waiting = account->waiting;
    int code = asks_answer (t, &self->body->asks, ended);
    account->sync = id_nil ();
    if (code == 0 && account->again) {
        account->waiting = (schema_list_t){0};
        code = sync_begin (t, account, waiting);
    }
    return code ? code : store_put (t->txn, &templates_carrier_account_record, account, NULL);
}

static int reading_done (turn_t *t, reading_t *self)
{
    templates_carrier_account_t *account = &self->account;
    sync_ended_t ended = {.result = self->result};
    bool first = !account->synced_at;
    int code = 0;
    account->failed_at = 0;
    account->error = NULL;
    if (account->deleted)
        ended = (sync_ended_t){.code = E_NOT_FOUND, .text = "The account was deleted"};
    else if (!first ||
             !account->again) /* what is to be read again may be another account's by now */
        account->synced_at = t->now;
    if (first && account->synced_at)
        code = account_synced_tell (t, account);
    turn_count (t, TEMPLATES_COUNTER_SYNCS_TOTAL, 1);
    return code ? code : reading_end (t, self, &ended);
}

static int reading_fail (turn_t *t, reading_t *self, int why, const char *text)
{
    const templates_settings_t *settings = t->settings;
    templates_carrier_account_t *account = &self->account;
    int64_t wait =
        settings->failed_retry < settings->resync ? settings->failed_retry : settings->resync;
    sync_ended_t ended = {.code = why,
                          .text = arena_strndup (t->arena, text, strnlen (text, TEXT_MAX))};
    account->failed_at = t->now;
    account->error = ended.text;
    if (!account->deleted)
        account->next_at = t->now + wait;
    svc_log (t->svc, LOG_WARN, "templates could not be read", "error.code", error_name (why), NULL);
    turn_count (t, TEMPLATES_COUNTER_SYNCS_FAILED_TOTAL, 1);
    return reading_end (t, self, &ended);
}

/* ---- asking for a page ---- */

static bool is_of_the_house (int code)
{
    return code == E_IO || code == E_MAP_FULL || code == E_NO_MEMORY || code == E_CONFLICT_RETRY;
}

static int sync_job_begin (turn_t *t, job_t *job, outbound_t *out)
{
    reading_t *self =
        arena_new_of (t->arena, reading_t); /* the body that finish () gets points into it */
    provider_account_t opened = {0};
    int code = reading_load (t, job, self);
    out->how = OUT_DROP;
    if (code)
        return code == E_NOT_FOUND ? 0 : code;
    if (self->account.deleted || self->body->stage == TEMPLATES_SYNC_STAGE_SWEEP) {
        out->how = OUT_NOTHING;
        return 0;
    }
    code = account_open (t, &self->account, &opened);
    if (code == 0)
        code = provider_meta.templates_list (t, &opened, self->body->after, out);
    if (code == 0 || is_of_the_house (code))
        return code;
    out->how = OUT_DROP;
    return reading_fail (t, self, code, t->failure.text);
}

/* ---- a page ---- */

typedef struct page {
    reading_t *reading;
    int code;
} page_t;

/* What is no template is left out; one that there was no memory for is not: the sweep would take it for deleted. */
static int page_take (turn_t *t, bytes_t json, void *context)
{
    page_t *self = context;
    reading_t *reading = self->reading;
    templates_template_t *row = arena_new_of (t->arena, templates_template_t);
    bytes_t listed, components;
    int code = jval_read (t->arena, json, &listed, NULL);
    if (code == E_NO_MEMORY)
        return self->code = code;
    if (code || !template_read (t->arena, listed, row, &components))
        return 0;
    self->code = template_take (t, &reading->account, row, components, &reading->result);
    return self->code;
}

/* Steps of the setting; false: they are over. */
static bool retry_wait (const turn_t *t, int64_t failures, int64_t *out)
{
    const templates_settings_t *settings = t->settings;
    char step[32];
    const char *at = settings->retry;
    for (int64_t i = 0; i < RETRY_STEPS && at && *at; i++) {
        size_t length = strcspn (at, ",");
        if (i == failures && length < sizeof step) {
            memcpy (step, at, length);
            step[length] = '\0';
            return text_read_duration (step + strspn (step, " "), out);
        }
        at += length + (at[length] == ',');
    }
    return false;
}

/* Refused for good: so it is told whoever waits. An account's first reading is tried again all the same: it may just be being set up at Meta. */
static bool is_final (const reading_t *self, const provider_result_t *result)
{
    return result->word == PROVIDER_REFUSED &&
           (self->body->asks.count > 0 || self->account.synced_at);
}

static int page_failed (turn_t *t, reading_t *self, int why, const outcome_t *outcome)
{
    provider_result_t result = {0};
    int64_t wait = 0;
    const char *text = arena_strdup (t->arena, t->failure.text);
    provider_meta.answer (t, outcome, &result);
    if (result.native_text)
        text = arena_printf (t->arena, "%s: %s", text, result.native_text);
    if (is_final (self, &result) || !retry_wait (t, self->body->failures, &wait))
        return reading_fail (t, self, why, text);
    if (wait < result.retry_after_ms)
        wait = result.retry_after_ms;
    self->body->failures += 1;
    return job_retry (t, self->job, t->now + (wait < wait_max_ms ? wait : wait_max_ms));
}

static int page_read (turn_t *t, reading_t *self, const outcome_t *outcome)
{
    templates_sync_job_t *body = self->body;
    const char *after = NULL;
    page_t page = {.reading = self};
    int code = provider_meta.templates_read (t, outcome, page_take, &page, &after);
    if (page.code)
        return page.code;
    if (code)
        return page_failed (t, self, code, outcome);
    body->failures = 0;
    body->pages += 1;
    if (after && (body->pages >= PAGES_MAX || (body->after && strcmp (after, body->after) == 0)))
        return reading_fail (t, self, E_META_API_ERROR, "Meta's pages of templates do not end");
    body->after = after;
    if (!after)
        body->stage = TEMPLATES_SYNC_STAGE_SWEEP;
    return job_retry (t, self->job, t->now);
}

/* ---- the sweep ---- */

typedef struct sweep {
    id16_t sync;
    templates_template_t *gone;
    size_t count;
    id16_t last;
} sweep_t;

static int sweep_look (void *context, const void *row)
{
    sweep_t *self = context;
    const templates_template_t *template = row;
    self->last = template->id;
    if (template->status != TEMPLATES_STATUS_DELETED && !id_equal (template->seen, self->sync))
        self->gone[self->count++] = *template;
    return 0;
}

static int sweep_some (turn_t *t, reading_t *self)
{
    sweep_t sweep = {.sync = self->body->sync,
                     .gone = arena_array_of (t->arena, templates_template_t, SWEEP_PAGE)};
    store_key_t key = {.id = self->account.id};
    store_page_t page = {.index = "by_account",
                         .keys = &key,
                         .key_count = 1,
                         .after = self->body->swept,
                         .limit = SWEEP_PAGE};
    bool more = false;
    int code =
        store_list (t->txn, &templates_template_record, &page, t->arena, sweep_look, &sweep, &more);
    for (size_t i = 0; i < sweep.count && code == 0; i++)
        code = template_delete (t, &sweep.gone[i]);
    self->result.deleted += (int64_t) sweep.count;
    self->body->swept = sweep.last;
    if (code)
        return code;
    return more ? job_retry (t, self->job, t->now) : reading_done (t, self);
}

static int sync_job_finish (turn_t *t, job_t *job, const outcome_t *outcome)
{
    reading_t *self = arena_new_of (t->arena, reading_t);
    int code = reading_load (t, job, self);
    if (code)
        return code == E_NOT_FOUND ? 0 : code;
    if (self->account.deleted)
        self->body->stage = TEMPLATES_SYNC_STAGE_SWEEP;
    return self->body->stage == TEMPLATES_SYNC_STAGE_SWEEP ? sweep_some (t, self)
                                                           : page_read (t, self, outcome);
}

/* The reading has its own retries. */
static void sync_job_policy (turn_t *t, id16_t group, job_policy_t *out)
{
    (void) t;
    (void) group;
    *out = (job_policy_t){.width = 1};
}

const job_kind_t templates_sync_kind = {
    .name = "sync",
    .number = 1,
    .type = &templates_sync_job_type,
    .repeatable = true,
    .retry_holds_lane = true,
    .begin = sync_job_begin,
    .finish = sync_job_finish,
    .policy = sync_job_policy,
};
