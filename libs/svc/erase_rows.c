/* erase_rows.c - what the erase walk does to a row that tells of what was erased, table by table. See erase.h.
 *
 * A row that cannot be read is left alone: nothing can be said of it, and its own reader tells. */
#include <string.h>

#include "svc/erase_walk.h"

enum { HEARD_MS = 60000 /* a follower that is away for longer hears ids only */, SINCE_MS = 5000 };

static int row_del (turn_t *t, erase_walk_t *w, const char *table, bytes_t key)
{
    w->writes++;
    return kv_del (t->txn, store_table (t->svc->store, table), key);
}

/* ---- the journal ---- */

static const schema_event_t *event_of (const svc_t *svc, int64_t number)
{
    for (size_t i = 0; i < svc->schema->event_count; i++)
        if (svc->schema->events[i]->number == number)
            return svc->schema->events[i];
    return NULL;
}

static int event_put (turn_t *t, erase_walk_t *w, bytes_t key, const common_event_t *e)
{
    buf_t row = buf_in (w->arena);
    schema_pack (&common_event_type, e, &row);
    w->writes++;
    return buf_failed (&row) ? E_NO_MEMORY
                             : kv_put (t->txn, t->svc->journal.table, key, buf_bytes (&row));
}

/* Have those who follow passed it? Who is away for long does not keep the texts of an erase event here. */
static bool is_heard (svc_t *svc, const common_event_t *e, int64_t now)
{
    journal_t *j = &svc->journal;
    if (now - e->at >= HEARD_MS)
        return true;
    pthread_mutex_lock (&j->lock);
    bool heard = j->follower_count || clock_mono_ms () - j->since >= SINCE_MS;
    for (size_t i = 0; i < j->follower_count; i++)
        heard = heard && j->followers[i].position >= (uint64_t) e->sequence;
    pthread_mutex_unlock (&j->lock);
    return heard;
}

/* The event that says so itself: its ids stay, its texts go once it was heard. */
static int erasing_look (turn_t *t, erase_walk_t *w, bytes_t key, common_event_t *e,
                         const schema_event_t *event)
{
    void *body = arena_alloc (w->arena, event->type->size);
    if (!body || schema_unpack (event->type, e->body, w->arena, body, NULL))
        return 0;
    bool texts = false;
    for (size_t i = 0; i < event->type->field_count; i++) {
        const schema_field_t *field = &event->type->fields[i];
        if (field->kind != SK_STR || !(field->flags & SF_PERSONAL))
            continue;
        const char **text = (const char **) (void *) ((char *) body + field->offset);
        texts = texts || (*text && **text);
        *text = NULL;
    }
    if (!texts)
        return 0;
    if (!is_heard (t->svc, e, t->now)) {
        w->left = true;
        return 0;
    }
    buf_t packed = buf_in (w->arena);
    schema_pack (event->type, body, &packed);
    e->body = buf_bytes (&packed);
    return buf_failed (&packed) ? E_NO_MEMORY : event_put (t, w, key, e);
}

static int journal_look (turn_t *t, erase_walk_t *w, bytes_t key, bytes_t value)
{
    common_event_t e;
    id16_t none = id_nil ();
    if (!erase_match_tells (w->match, value, 0) && !erase_match_text (w->match, value, 0))
        return 0;
    void *copy = arena_memdup (w->arena, value.data, value.size);
    if (!copy || journal_event_read (bytes_of (copy, value.size), w->arena, &e) ||
        e.number == EVENT_BLANK || !erase_match_tells (w->match, bytes_of (copy, value.size), e.at))
        return 0;
    const schema_event_t *event = event_of (t->svc, e.number);
    if (event && event->erases)
        return erasing_look (t, w, key, &e, event);
    common_event_t blank = {
        .sequence = e.sequence, .number = EVENT_BLANK, .at = e.at, .id = e.id, .record = none};
    return event_put (t, w, key, &blank);
}

/* ---- answers for repeats ---- */

/* Of a kept outcome: `name`, whose first half sealed it, is its key or, under a number, the head of its row. */
typedef struct kept_place {
    const char *table;
    bytes_t key, name, head;
} kept_place_t;

static int kept_put (turn_t *t, erase_walk_t *w, const kept_place_t *at, const kept_t *kept)
{
    static const schema_op_t plain = {0}; /* a failure is not sealed */
    buf_t row = buf_in (w->arena);
    id16_t owner;
    memcpy (owner.b, at->name.data, sizeof owner.b);
    buf_add (&row, at->head.data, at->head.size);
    int rc = kept_write (t->svc, &plain, owner, kept, &row);
    w->writes++;
    return rc ? rc
              : kv_put (t->txn, store_table (t->svc->store, at->table), at->key, buf_bytes (&row));
}

static int kept_look (turn_t *t, erase_walk_t *w, const kept_place_t *at, bytes_t value)
{
    kept_t kept = {0};
    id16_t owner;
    if (at->name.size < sizeof owner.b ||
        (!erase_match_tells (w->match, value, 0) && !erase_match_text (w->match, value, 0)))
        return 0;
    memcpy (owner.b, at->name.data, sizeof owner.b);
    bytes_t copy = bytes_of (arena_memdup (w->arena, value.data, value.size), value.size);
    if (!copy.data || kept_read (t->svc, owner, copy, w->arena, &kept) ||
        kept.state == KEPT_RUNNING)
        return 0;
    bool tells = erase_match_before (w->match, copy, kept.at);
    if (kept.state == KEPT_FAILED && erase_match_text (w->match, copy, 0)) {
        int code = kept.failure.code;
        kept.failure = (failure_t){0};
        failure_set (&kept.failure, code, NULL, "%s", error_doc (code));
    } else if (kept.state == KEPT_DONE && tells) {
        kept.state = KEPT_FAILED;
        kept.answer = (bytes_t){0};
        failure_set (&kept.failure, E_NOT_FOUND, NULL, "What this request made was erased");
    } else {
        return 0;
    }
    return kept_put (t, w, at, &kept);
}

static int keyed_look (turn_t *t, erase_walk_t *w, bytes_t key, bytes_t value)
{
    uint8_t name[SIGN_SHA256_SIZE];
    if (value.size < sizeof name)
        return 0;
    memcpy (name, value.data, sizeof name);
    bytes_t head = bytes_of (name, sizeof name);
    return kept_look (t, w, &(kept_place_t){"svc.keyed", key, head, head},
                      bytes_of (value.data + head.size, value.size - head.size));
}

#define KEPT_LOOK(name)                                                               \
    static int name##_look (turn_t *t, erase_walk_t *w, bytes_t key, bytes_t value)   \
    {                                                                                 \
        return kept_look (t, w, &(kept_place_t){"svc." #name, key, key, {0}}, value); \
    }
KEPT_LOOK (idem_a)
KEPT_LOOK (idem_b)
KEPT_LOOK (repeat_a)
KEPT_LOOK (repeat_b)

/* ---- the others ---- */

/* Its caller gets a timeout; nothing resumes what is gone. */
static int parked_look (turn_t *t, erase_walk_t *w, bytes_t key, bytes_t value)
{
    buf_t clear = buf_in (w->arena);
    id16_t id;
    if (key.size != sizeof id.b || !t->svc->keyring)
        return 0;
    memcpy (id.b, key.data, sizeof id.b);
    if (parked_open (t->svc, id, value, &clear) ||
        !erase_match_tells (w->match, buf_bytes (&clear), id_is_v7 (id) ? id_time_ms (id) : 0))
        return 0;
    return row_del (t, w, "svc.parked", key);
}

static int quarantine_look (turn_t *t, erase_walk_t *w, bytes_t key, bytes_t value)
{
    if (!erase_match_tells (w->match, value, 0))
        return 0;
    atomic_fetch_sub (&t->svc->metrics.quarantined, 1);
    return row_del (t, w, "svc.quarantine", key);
}

static int buried_look (turn_t *t, erase_walk_t *w, bytes_t key, bytes_t value)
{
    if (!erase_match_tells (w->match, value, 0))
        return 0;
    lanes_kept_gone (t->svc->writer.lanes, KEPT_QUARANTINE);
    return row_del (t, w, "job_quarantine", key);
}

static int held_look (turn_t *t, erase_walk_t *w, bytes_t key, bytes_t value)
{
    if (!erase_match_tells (w->match, value, 0))
        return 0;
    lanes_kept_gone (t->svc->writer.lanes, KEPT_HELD);
    return row_del (t, w, "job_held", key);
}

static int job_look (turn_t *t, erase_walk_t *w, bytes_t key, bytes_t value)
{
    bool gone = false;
    int rc = t->svc->writer.lanes
                 ? lanes_erase (t->svc->writer.lanes, t, key, value, w->match, &w->left, &gone)
                 : 0;
    w->writes += gone;
    return rc;
}

/* ---- records that the service declares ---- */

static const svc_erase_t *declared_of (const svc_t *svc, const schema_record_t *record)
{
    for (size_t i = 0; i < svc->service->erase_count; i++)
        if (svc->service->erases[i].record == record)
            return &svc->service->erases[i];
    return NULL;
}

typedef struct removing {
    erase_walk_t *w;
    id16_t id;
} removing_t;

static int record_remove (turn_t *t, void *context)
{
    removing_t *r = context;
    const svc_erase_t *declared = declared_of (t->svc, r->w->record);
    void *row = arena_alloc (t->arena, r->w->record->type->size);
    int rc = store_get_any (t->txn, r->w->record, r->id, t->arena, row);
    if (!rc && declared && declared->remove)
        rc = declared->remove (t, row);
    return rc ? rc : store_del (t->txn, r->w->record, r->id);
}

static int record_look (turn_t *t, erase_walk_t *w, bytes_t key, bytes_t value)
{
    removing_t r = {.w = w};
    if (key.size != sizeof r.id.b)
        return 0;
    memcpy (r.id.b, key.data, sizeof r.id.b);
    int64_t made = id_is_v7 (r.id) ? id_time_ms (r.id) : 0;
    if (!erase_match_tells (w->match, value, made) && !erase_match_tells (w->match, key, made))
        return 0;
    turn_t step;
    turn_inner_t inner;
    turn_init (t->svc, &step, &inner, t->txn, w->arena, NULL, false);
    int rc = turn_step (&step, record_remove, &r);
    w->writes++;
    if (rc == E_CONFLICT)
        w->left = true;
    return rc == E_CONFLICT ? 0 : rc;
}

bool erase_table (const svc_t *svc, size_t n, erase_table_t *out)
{
    static const erase_table_t own[] = {
        {"jobs", job_look, NULL},
        {"job_quarantine", buried_look, NULL},
        {"job_held", held_look, NULL},
        {"svc.parked", parked_look, NULL},
        {"svc.quarantine", quarantine_look, NULL},
        {"svc.idem_a", idem_a_look, NULL},
        {"svc.idem_b", idem_b_look, NULL},
        {"svc.repeat_a", repeat_a_look, NULL},
        {"svc.repeat_b", repeat_b_look, NULL},
        {"svc.journal", journal_look, NULL},
        {"svc.keyed", keyed_look, NULL},
    };
    size_t declared = svc->service->erase_count;
    if (n < declared) {
        const schema_record_t *record = svc->service->erases[n].record;
        *out = (erase_table_t){record->table, record_look, record};
        return true;
    }
    if (n - declared >= sizeof own / sizeof *own)
        return false;
    *out = own[n - declared];
    return true;
}
