/* kept_ops.c - the runtime's operations on what was put aside: jobs (list), job_act (quarantine), resume (what a restore held).
 *
 * resume goes through the held jobs in steps, each in a turn, by the id of the job seen last: who asks goes on until there is no more. A job that cannot be ended
 * stays held and is counted; the others are not held up by it. */
#include <string.h>

#include "svc/inner.h"
#include "svc/job_row.h"

enum { PAGE = 200, STEP = 100, CURSOR_MOST = 128 };

/* ---- list ---- */

typedef struct listing {
    svc_t *svc;
    txn_t *txn;
    arena_t *arena;
    common_kept_job_t *rows;
    size_t count, most;
    bytes_t after; /* of the page */
} listing_t;

static const char *kind_name (const svc_t *svc, uint16_t number)
{
    for (size_t i = 0; i < svc->service->job_count; i++)
        if (svc->service->jobs[i]->number == number)
            return svc->service->jobs[i]->name;
    return "?";
}

static void job_show (const listing_t *l, bytes_t key, bytes_t value, common_kept_job_t *out)
{
    kept_job_t kept;
    job_row_t row;
    *out = (common_kept_job_t){.kind = "?", .reason = "its row cannot be read"};
    if (key.size == sizeof out->id.b)
        memcpy (out->id.b, key.data, sizeof out->id.b);
    if (!kept_job_read (value, &kept))
        return;
    out->since = kept.since;
    out->reason = arena_strndup (l->arena, (const char *) kept.reason.data, kept.reason.size);
    if (!job_row_read (kept.packed, &row))
        return;
    out->kind = kind_name (l->svc, row.kind);
    out->made = row.made;
    out->tries = row.tries;
    out->org = row.tenant;
}

static void event_show (const listing_t *l, bytes_t key, bytes_t value, common_kept_job_t *out)
{
    kept_event_t kept;
    *out = (common_kept_job_t){.kind = "?", .reason = "its row cannot be read", .is_event = true};
    if (key.size >= sizeof out->id.b)
        memcpy (out->id.b, key.data + key.size - sizeof out->id.b, sizeof out->id.b);
    if (kept_event_read (key, value, l->arena, &kept))
        return;
    const svc_follow_t *row = follow_row (l->svc, kept.service, kept.event.number);
    out->kind = row ? row->event->name : arena_printf (l->arena, "%s.?", kept.service);
    out->since = kept.since;
    out->reason = error_name (kept.code);
    out->made = kept.event.at;
    out->tries = FOLLOW_TRIES;
    out->org = kept.event.org;
}

/* Of one table, from behind `from` on. The page's cursor is the table's letter and the key. */
static int table_list (listing_t *l, const char *name, char letter, bytes_t from,
                       void (*show) (const listing_t *l, bytes_t key, bytes_t value,
                                     common_kept_job_t *out))
{
    kv_cursor_t walk = {.table = store_table (l->svc->store, name), .from = from, .after = true};
    bytes_t key, value;
    int rc = 0;
    while (l->count < l->most && !(rc = kv_next (l->txn, &walk, &key, &value))) {
        uint8_t *at = arena_alloc (l->arena, key.size + 1);
        if (!at) {
            rc = E_NO_MEMORY;
            break;
        }
        at[0] = (uint8_t) letter;
        memcpy (at + 1, key.data, key.size);
        l->after = bytes_of (at, key.size + 1);
        show (l, key, value, &l->rows[l->count++]);
    }
    kv_stop (&walk);
    return rc == E_NOT_FOUND || rc == E_UNAVAILABLE ? 0 : rc;
}

static int listing_run (listing_t *l, const common_jobs_in_t *in, int64_t *total)
{
    static const char *const tables[] = {"job_quarantine", "svc.quarantine", "job_held"};
    char letter = in->after.size ? (char) in->after.data[0] : in->held ? 'h' : 'j';
    bytes_t from = in->after.size ? bytes_of (in->after.data + 1, in->after.size - 1) : in->after;
    int rc = 0;
    *total = 0;
    for (int i = in->held ? 2 : 0; !rc && i < (in->held ? 3 : 2); i++) {
        uint64_t count = 0;
        rc = kv_count (l->txn, store_table (l->svc->store, tables[i]), &count);
        *total += (int64_t) count;
    }
    if (!rc && in->held)
        return table_list (l, "job_held", 'h', from, job_show);
    if (!rc && letter == 'j')
        rc = table_list (l, "job_quarantine", 'j', from, job_show);
    return rc ? rc
              : table_list (l, "svc.quarantine", 'e', letter == 'e' ? from : (bytes_t){0},
                            event_show);
}

void kept_list_run (svc_t *svc, ask_t *ask, txn_t *txn)
{
    common_jobs_in_t in = {0};
    common_jobs_out_t out = {0};
    failure_t failure = {0};
    int rc = schema_unpack (&common_jobs_in_type, ask->body, ask->arena, &in, &failure);
    if (!rc && in.after.size > CURSOR_MOST)
        rc = failure_set (&failure, E_BAD_REQUEST, "after", "The cursor is none of ours");
    listing_t l = {.svc = svc, .txn = txn, .arena = ask->arena};
    l.most = in.limit > 0 && in.limit <= 500 ? (size_t) in.limit : PAGE;
    l.rows = rc ? NULL : arena_array_of (ask->arena, common_kept_job_t, l.most);
    if (!rc)
        rc = l.rows ? listing_run (&l, &in, &out.total) : E_NO_MEMORY;
    if (rc) {
        ask_fail (ask, rc, "%s", failure.code ? failure.text : error_doc (rc));
        return;
    }
    out.jobs = (schema_list_t){l.rows, l.count};
    if (l.count == l.most)
        out.after = l.after;
    ask_answer (ask, &common_jobs_out_type, &out);
}

/* ---- quarantine ---- */

/* A provider send whose end cannot be told in its records is forgotten all the same: else nobody would ever be rid of it. */
static int job_drop (turn_t *t, id16_t id, const char **kind)
{
    lanes_t *lanes = turn_lanes (t);
    int rc = lanes_end_kept (lanes, t, KEPT_QUARANTINE, id, kind);
    if (!rc || rc == E_NOT_FOUND || rc == E_NOT_OWNER || rc == E_IO || rc == E_CONFLICT_RETRY)
        return rc;
    return lanes_forget_kept (lanes, t, KEPT_QUARANTINE, id);
}

static int act_run (turn_t *t, const void *asked, void *answer)
{
    const common_job_act_in_t *in = asked;
    common_job_act_out_t *out = answer;
    lanes_t *lanes = turn_lanes (t);
    int rc = !lanes     ? E_NOT_FOUND
             : in->drop ? job_drop (t, in->id, &out->kind)
                        : lanes_release (lanes, t, KEPT_QUARANTINE, in->id, &out->kind);
    if (!rc)
        guard_forget (t->svc->guard, in->id);
    if (rc == E_NOT_FOUND)
        rc = kept_event_act (t, in->id, in->drop, &out->kind);
    return rc == E_NOT_FOUND ? fail (t, rc, "id", "Nothing of this id is in quarantine here") : rc;
}

const schema_op_t kept_act_op = {.service = "common",
                                 .name = "job_act",
                                 .number = 51,
                                 .flags = OP_WRITE | OP_OWNER,
                                 .in = &common_job_act_in_type,
                                 .out = &common_job_act_out_type,
                                 .handler = act_run};

/* ---- what a restore held ---- */

/* Ids of up to `most` held jobs behind `after`. */
static int held_ids (turn_t *t, id16_t after, size_t most, id16_t *ids, size_t *count, bool *more)
{
    kv_cursor_t walk = {.table = store_table (t->svc->store, "job_held"), .after = true};
    bytes_t key, value;
    int rc = 0;
    if (!id_is_nil (after))
        walk.from = bytes_of (after.b, sizeof after.b);
    *more = false;
    while (!*more && !(rc = kv_next (t->txn, &walk, &key, &value))) {
        *more = *count == most;
        if (!*more && key.size == sizeof ids->b)
            memcpy (ids[(*count)++].b, key.data, sizeof ids->b);
    }
    kv_stop (&walk);
    return rc == E_NOT_FOUND ? 0 : rc;
}

/* E_NOT_FOUND: it is about another number. */
static int held_matches (turn_t *t, lanes_t *lanes, id16_t id, const char *number)
{
    job_t job;
    if (!number || !*number)
        return 0;
    int rc = lanes_kept (lanes, t, KEPT_HELD, id, &job);
    if (rc)
        return rc;
    return job.kind->is_about && job.kind->is_about (t, &job, number) ? 0 : E_NOT_FOUND;
}

static bool is_store_failure (int code)
{
    return code == E_IO || code == E_MAP_FULL || code == E_CONFLICT_RETRY || code == E_NOT_OWNER;
}

static int held_decide (turn_t *t, const common_resume_in_t *in, id16_t id,
                        common_resume_out_t *out)
{
    lanes_t *lanes = turn_lanes (t);
    int rc = held_matches (t, lanes, id, in->number);
    if (rc == E_NOT_FOUND) {
        out->passed++;
        return 0;
    }
    if (!rc)
        rc = in->mark_unknown ? lanes_end_kept (lanes, t, KEPT_HELD, id, NULL)
                              : lanes_release (lanes, t, KEPT_HELD, id, NULL);
    if (is_store_failure (rc))
        return rc;
    out->done += !rc;
    out->failed += rc != 0;
    if (rc && !out->why)
        out->why = arena_strdup (t->arena, t->failure.text[0] ? t->failure.text : error_doc (rc));
    memset (&t->failure, 0, sizeof t->failure);
    return 0;
}

static int resume_run (turn_t *t, const void *asked, void *answer)
{
    const common_resume_in_t *in = asked;
    common_resume_out_t *out = answer;
    lanes_t *lanes = turn_lanes (t);
    if (!lanes)
        return 0; /* a service without jobs */
    size_t most = in->limit > 0 && in->limit < STEP ? (size_t) in->limit : STEP, count = 0;
    id16_t *ids = arena_array_of (t->arena, id16_t, most);
    int rc = ids ? held_ids (t, in->after, most, ids, &count, &out->more) : E_NO_MEMORY;
    for (size_t i = 0; i < count && !rc; i++)
        rc = held_decide (t, in, ids[i], out);
    if (rc)
        return rc;
    out->after = count ? ids[count - 1] : in->after;
    out->left = (int64_t) lanes_held (lanes);
    return 0;
}

const schema_op_t kept_resume_op = {.service = "common",
                                    .name = "resume",
                                    .number = 52,
                                    .flags = OP_WRITE | OP_OWNER,
                                    .in = &common_resume_in_type,
                                    .out = &common_resume_out_type,
                                    .handler = resume_run};
