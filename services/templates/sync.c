/* sync.c - when an account's templates are read: on connecting, on a change, on Meta's word, on demand and every so often.
 *
 * One reading of an account at a time. What happens while one is under way asks for another after it: its pages may have been read before that. */
#include "gen/messaging.h"
#include "templates.h"
#include <string.h>

enum { WAITING_MAX = 100, DUE_MOST = 100 };

static const int64_t never = INT64_MAX;
static const int64_t stuck_ms =
    INT64_C (6) * 3600 * 1000; /* a reading that is under way so long was lost */

int sync_begin (turn_t *t, templates_carrier_account_t *row, schema_list_t asks)
{
    const templates_settings_t *settings = t->settings;
    templates_sync_result_t none = {0};
    row->sync = turn_id (t);
    row->began_at = t->now;
    row->again = false;
    row->next_at = row->deleted ? never : t->now + settings->resync;
    templates_sync_job_t body = {.account = row->id,
                                 .sync = row->sync,
                                 .asks = asks,
                                 .result = &none,
                                 .stage = row->deleted ? TEMPLATES_SYNC_STAGE_SWEEP
                                                       : TEMPLATES_SYNC_STAGE_READ};
    job_new_t job = {.kind = &templates_sync_kind,
                     .tenant = row->org,
                     .group = row->id,
                     .lane = "sync",
                     .body = &body};
    return job_add (t, &job, NULL);
}

static int waiting_add (turn_t *t, templates_carrier_account_t *row, id16_t ask)
{
    if (id_is_nil (ask))
        return 0;
    if (row->waiting.count >= WAITING_MAX)
        return fail (t, E_BUSY, "account", "Too many wait for this account's templates");
    id16_t *ids = arena_array_of (t->arena, id16_t, row->waiting.count + 1);
    if (row->waiting.count)
        memcpy (ids, row->waiting.items, row->waiting.count * sizeof *ids);
    ids[row->waiting.count] = ask;
    row->waiting = (schema_list_t){ids, row->waiting.count + 1};
    return 0;
}

int sync_want (turn_t *t, templates_carrier_account_t *row, id16_t ask)
{
    int code;
    if (id_is_nil (row->sync)) {
        code = sync_begin (t, row, (schema_list_t){&ask, id_is_nil (ask) ? 0 : 1});
    } else {
        row->again = true;
        code = waiting_add (t, row, ask);
    }
    return code ? code : store_put (t->txn, &templates_carrier_account_record, row, NULL);
}

/* A reading that began later has seen it already. */
int template_news (turn_t *t, const journal_event_t *event, const void *body)
{
    const messaging_template_news_t *in = body;
    templates_carrier_account_t row = {0};
    int code =
        store_get_any (t->txn, &templates_carrier_account_record, in->account, t->arena, &row);
    if (code || row.deleted || event->at < row.began_at)
        return code == E_NOT_FOUND ? 0 : code;
    return sync_want (t, &row, id_nil ());
}

/* ---- every so often ---- */

typedef struct due {
    int64_t now;
    templates_carrier_account_t *rows;
    size_t count;
} due_t;

static int due_add (void *context, const void *row)
{
    due_t *due = context;
    const templates_carrier_account_t *account = row;
    if (account->next_at > due->now)
        return 1; /* in order of time: nobody after it either */
    due->rows[due->count++] = *account;
    return 0;
}

/* One that is under way goes on, and is looked at again when the next would have been due. */
static int due_read (turn_t *t, templates_carrier_account_t *row)
{
    const templates_settings_t *settings = t->settings;
    if (t->now - row->began_at > stuck_ms)
        row->sync = id_nil ();
    if (id_is_nil (row->sync))
        return sync_want (t, row, id_nil ());
    row->next_at = t->now + settings->resync;
    return store_put (t->txn, &templates_carrier_account_record, row, NULL);
}

int sync_due (turn_t *t)
{
    due_t due = {t->now, arena_array_of (t->arena, templates_carrier_account_t, DUE_MOST), 0};
    store_page_t page = {.index = "by_next", .limit = DUE_MOST};
    bool more = false;
    int code = store_list (t->txn, &templates_carrier_account_record, &page, t->arena, due_add,
                           &due, &more);
    code = code == 1 ? 0 : code;
    for (size_t i = 0; i < due.count && code == 0; i++)
        code = due_read (t, &due.rows[i]);
    return code;
}

/* ---- on demand ---- */

int templates_sync (turn_t *t, const templates_sync_in_t *in, templates_sync_result_t *out)
{
    (void) out;
    templates_carrier_account_t row = {0};
    int code =
        store_get_any (t->txn, &templates_carrier_account_record, in->account, t->arena, &row);
    if (code == E_NOT_FOUND || (code == 0 && row.deleted))
        return fail (t, E_NOT_FOUND, "account", "No such WhatsApp account");
    if (code == 0)
        code = sync_want (t, &row, turn_ask_id (t));
    return code ? code : park (t);
}

int templates_sync_resume (turn_t *t, const templates_sync_in_t *in, templates_sync_result_t *out)
{
    (void) in;
    const sync_ended_t *ended = turn_result (t);
    if (ended->code)
        return fail (t, ended->code, "account", "%s", ended->text);
    *out = ended->result;
    return 0;
}
