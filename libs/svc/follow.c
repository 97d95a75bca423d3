/* follow.c - following other services' journals: each event once, its effects and the cursor in one commit.
 *
 * One ask at a time per service: pages of the snapshot first when there is no cursor (or the journal says reset), then long polls of the
 * journal. A batch counts only if the stored cursor is still the one that this process stored last. An event whose apply fails three times
 * goes to the table svc.quarantine and is passed over; health says so. A dead service is asked again and again, and holds up nothing else.
 *
 * The cursor is stored with what a batch wrote, in the same commit. A batch that wrote nothing moves the place in memory only: it goes to the
 * store with the next commit that there is anyway, or a second later, or when the process drains. What a crash makes us read again wrote
 * nothing the first time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "svc/again.h"

enum {
    MODE_SNAPSHOT = 1,
    MODE_JOURNAL = 2,
    RETRY_MS = 200,
    STORE_MS = 1000,
    ABSENT_MS = 5000,
    BATCH = 500,
    NUMBERS_MOST = 64,
    ROW_MAX = 256
};

typedef struct place {
    int mode;
    uint8_t cursor[ROW_MAX];
    size_t cursor_size;
    uint8_t journal[CURSOR_SIZE]; /* where to go on after the snapshot */
    size_t journal_size;
} place_t;

/* The answer, filled by the bus thread. */
typedef struct reply {
    work_t work;
    follow_t *follow;
    buf_t body;
    bool failed;
    failure_t failure;
} reply_t;

struct follow {
    svc_t *svc;
    char service[ENVELOPE_NAME_MAX + 1];
    char target[ENVELOPE_TARGET_MAX];
    int64_t numbers[NUMBERS_MOST]; /* of the events that are followed */
    size_t number_count;
    svc_ask_t ask;
    buf_t body;
    reply_t reply;
    place_t place, next_place; /* followed to: committed, and after this turn */
    place_t stored;            /* as this process stored it last */
    int64_t stored_at;         /* monotonic ms */
    bool staged, storing;      /* in this turn */
    bool handled;              /* in this turn */
    atomic_bool asking;
    int64_t next; /* monotonic ms: ask again */
    int64_t goal; /* head seen at start, -1 = not yet */
    atomic_bool reached;
    bool optional;        /* an installation may lack it */
    int64_t absent_since; /* monotonic ms: nobody has answered for it; 0 = there */
    atomic_bool excused;  /* not waited for: it was absent for long */
    atomic_llong head, applied;
    int64_t fail_sequence;
    id16_t fail_id;
    unsigned fails;
    struct {
        place_t stored;
        int64_t fail_sequence;
        id16_t fail_id;
        unsigned fails;
    } before; /* this turn, if it is handled in it */
};

/* ---- places in the store ---- */

static int place_write (const place_t *place, buf_t *out)
{
    mp_array (out, 3);
    mp_int (out, place->mode);
    mp_bin (out, place->cursor, place->cursor_size);
    mp_bin (out, place->journal, place->journal_size);
    return buf_failed (out) ? E_NO_MEMORY : 0;
}

static bool place_read (bytes_t row, place_t *out)
{
    mp_reader_t in = mp_read (row);
    *out = (place_t){0};
    mp_read_array (&in);
    out->mode = (int) mp_read_int (&in);
    bytes_t cursor = mp_read_bin (&in), journal = mp_read_bin (&in);
    if (in.failed || cursor.size > sizeof out->cursor || journal.size > sizeof out->journal)
        return false;
    memcpy (out->cursor, cursor.data ? cursor.data : (const uint8_t *) "", cursor.size);
    memcpy (out->journal, journal.data ? journal.data : (const uint8_t *) "", journal.size);
    out->cursor_size = cursor.size;
    out->journal_size = journal.size;
    return out->mode == MODE_SNAPSHOT || out->mode == MODE_JOURNAL;
}

static int place_load (writer_t *w, const follow_t *f, place_t *out)
{
    bytes_t row;
    int rc = kv_get (w->txn, w->cursors, bytes_of_str (f->service), &row);
    if (rc == E_NOT_FOUND || (!rc && !place_read (row, out))) {
        *out = (place_t){.mode = MODE_SNAPSHOT};
        return 0;
    }
    return rc;
}

static bool place_equal (const place_t *a, const place_t *b)
{
    return a->mode == b->mode &&
           bytes_equal (bytes_of (a->cursor, a->cursor_size), bytes_of (b->cursor, b->cursor_size));
}

static bool place_set (uint8_t *to, size_t *size, size_t most, bytes_t from)
{
    if (from.size > most)
        return false;
    if (from.size)
        memcpy (to, from.data, from.size);
    *size = from.size;
    return true;
}

/* ---- asking ---- */

static void follow_done (void *context, const envelope_t *header, bytes_t body,
                         const failure_t *failure)
{
    (void) header;
    follow_t *f = context;
    reply_t *r = &f->reply;
    r->failed = failure && failure->code;
    r->failure = r->failed ? *failure : (failure_t){0};
    buf_clear (&r->body);
    if (!r->failed)
        buf_add (&r->body, body.data, body.size);
    if (buf_failed (&r->body)) {
        r->failed = true;
        failure_set (&r->failure, E_NO_MEMORY, NULL, "%s", error_doc (E_NO_MEMORY));
        buf_free (&r->body);
    }
    queue_put (f->svc->writer.inbox, &r->work.item);
}

static void follow_ask (follow_t *f)
{
    svc_t *svc = f->svc;
    bool snapshot = f->place.mode == MODE_SNAPSHOT;
    bytes_t cursor = bytes_of (f->place.cursor, f->place.cursor_size);
    buf_clear (&f->body);
    if (snapshot) {
        common_snapshot_read_in_t in = {.cursor = cursor, .limit = BATCH};
        if (f->number_count <= NUMBERS_MOST)
            in.numbers = (schema_list_t){f->numbers, f->number_count};
        schema_pack (&common_snapshot_read_in_type, &in, &f->body);
    } else {
        /* The first answer tells the head that readiness waits for: at once. */
        common_journal_read_in_t in = {.cursor = cursor,
                                       .limit = BATCH,
                                       .wait_ms = f->goal < 0 ? 0 : FOLLOW_WAIT_MS,
                                       .follower = svc->schema->name};
        if (f->number_count <= NUMBERS_MOST)
            in.numbers = (schema_list_t){f->numbers, f->number_count};
        schema_pack (&common_journal_read_in_type, &in, &f->body);
    }
    snprintf (f->target, sizeof f->target, "%s.%s", f->service,
              snapshot ? "snapshot_read" : "journal_read");
    f->ask =
        (svc_ask_t){.header = {.target = f->target, .ttl_ms = 5000, .principal = PRINCIPAL_SERVICE},
                    .body = buf_bytes (&f->body),
                    .done = follow_done,
                    .context = f};
    atomic_store (&f->asking, true);
    svc_ask (svc, &f->ask);
}

void follow_tick (svc_t *svc, int64_t now)
{
    writer_t *w = &svc->writer;
    if (!atomic_load (&svc->owner) || atomic_load (&svc->draining) ||
        !atomic_load (&svc->connected))
        return;
    for (size_t i = 0; i < w->follow_count; i++)
        if (!atomic_load (&w->follows[i].asking) && w->follows[i].next <= now)
            follow_ask (&w->follows[i]);
}

int64_t follow_next (const svc_t *svc)
{
    const writer_t *w = &svc->writer;
    int64_t next = INT64_MAX;
    if (atomic_load (&svc->draining))
        return next;
    if (w->follow_count && !atomic_load (&svc->connected))
        return clock_mono_ms () + 20;
    for (size_t i = 0; i < w->follow_count; i++)
        if (!atomic_load (&w->follows[i].asking) && w->follows[i].next < next)
            next = w->follows[i].next;
    return next;
}

/* ---- applying ---- */

typedef struct applying {
    const follow_t *f;
    const svc_follow_t *row;
    const common_event_t *e;
    bool snapshot;
    int code;
} applying_t;

int follow_apply (turn_t *t, const svc_follow_t *row, const common_event_t *e, bool snapshot)
{
    void *body = arena_alloc (t->arena, row->event->type->size);
    int rc = schema_unpack (row->event->type, e->body, t->arena, body, &t->failure);
    if (rc)
        return rc;
    journal_event_t event = {.sequence = (uint64_t) e->sequence,
                             .event = row->event,
                             .at = e->at,
                             .id = e->id,
                             .record = e->record,
                             .version = (uint64_t) e->version,
                             .org = e->org,
                             .app = e->app,
                             .test = e->test,
                             .snapshot = snapshot,
                             .trace = e->trace,
                             .body = e->body};
    rc = row->apply (t, &event, body);
    return rc ? rc : erase_heard (t, row->event, body, snapshot);
}

static int apply_run (turn_t *t, void *context)
{
    const applying_t *a = context;
    return follow_apply (t, a->row, a->e, a->snapshot);
}

static int quarantine_run (turn_t *t, void *context)
{
    const applying_t *a = context;
    return kept_event_write (a->f->service, a->e, a->code, t->now, t->txn,
                             t->svc->writer.quarantine);
}

/* It failed again: true when it is to be passed over. */
static bool give_up (writer_t *w, follow_t *f, turn_t *t, applying_t *a, bool crashed)
{
    bool same = f->fail_sequence == a->e->sequence && id_equal (f->fail_id, a->e->id);
    f->fails = same ? f->fails + 1 : 1;
    f->fail_sequence = a->e->sequence;
    f->fail_id = a->e->id;
    if (!txn_conflicted (w->txn))
        svc_log (w->svc, LOG_WARN, "an event could not be applied", "event", a->row->event->name,
                 "error.code", error_name (a->code), "detail", t->failure.text, NULL);
    bool store = a->code == E_IO || a->code == E_MAP_FULL || a->code == E_CONFLICT_RETRY;
    if (store || (f->fails < FOLLOW_TRIES && !crashed) || turn_step (t, quarantine_run, a))
        return false;
    atomic_fetch_add (&w->svc->metrics.quarantined, 1);
    svc_log (w->svc, LOG_ERROR, "an event went to quarantine", "event", a->row->event->name, NULL);
    f->fails = 0;
    return true;
}

const svc_follow_t *follow_row (const svc_t *svc, const char *name, int64_t number)
{
    const svc_service_t *service = svc->service;
    for (size_t i = 0; i < service->follow_count; i++) {
        const svc_follow_t *row = &service->follows[i];
        if (row->event->number == number && strcmp (row->event->service, name) == 0)
            return row;
    }
    return NULL;
}

static bool apply_one (writer_t *w, follow_t *f, const common_event_t *e, bool snapshot)
{
    applying_t a = {
        .f = f, .row = follow_row (f->svc, f->service, e->number), .e = e, .snapshot = snapshot};
    if (!a.row)
        return true;
    envelope_t header = {
        .org = e->org, .app = e->app, .test = e->test, .trace = e->trace, .subject = e->subject};
    turn_t t;
    turn_inner_t inner;
    turn_init (w->svc, &t, &inner, w->txn, w->arena, &header, false);
    bool runs = guard_enter (w->svc->guard, e->id);
    a.code = runs ? turn_step (&t, apply_run, &a) : E_INTERNAL;
    guard_leave (w->svc->guard);
    return !a.code || give_up (w, f, &t, &a, !runs);
}

/* How many were applied, in order. */
static size_t apply_all (writer_t *w, follow_t *f, const schema_list_t *list, bool snapshot)
{
    const common_event_t *events = list->items;
    size_t n = 0;
    while (n < list->count && apply_one (w, f, &events[n], snapshot))
        n++;
    return n;
}

/* ---- a batch ---- */

typedef struct batch {
    writer_t *w;
    follow_t *f;
    bool again_at_once;
} batch_t;

static void batch_stage (const batch_t *b, const place_t *next)
{
    b->f->next_place = *next;
    b->f->staged = true;
}

static int batch_snapshot (turn_t *t, batch_t *b)
{
    common_snapshot_read_out_t out = {0};
    follow_t *f = b->f;
    int rc = schema_unpack (&common_snapshot_read_out_type, buf_bytes (&f->reply.body), t->arena,
                            &out, &t->failure);
    if (rc)
        return rc;
    if (apply_all (b->w, f, &out.events, true) < out.events.count)
        return 0; /* the page comes again; its rows carry versions */
    place_t next = {.mode = out.cursor.size ? MODE_SNAPSHOT : MODE_JOURNAL};
    bytes_t cursor = out.cursor.size ? out.cursor : out.journal;
    if (!place_set (next.cursor, &next.cursor_size, sizeof next.cursor, cursor))
        return E_BAD_REQUEST;
    b->again_at_once = true;
    batch_stage (b, &next);
    return 0;
}

static int64_t sequence_of (bytes_t text)
{
    cursor_t cursor;
    return cursor_read (text, &cursor) ? (int64_t) cursor.sequence : -1;
}

static int batch_journal (turn_t *t, batch_t *b)
{
    common_journal_read_out_t out = {0};
    follow_t *f = b->f;
    int rc = schema_unpack (&common_journal_read_out_type, buf_bytes (&f->reply.body), t->arena,
                            &out, &t->failure);
    if (rc)
        return rc;
    if (out.reset) {
        svc_log (b->w->svc, LOG_WARN, "following anew from the snapshot", "journal", f->service,
                 NULL);
        place_t next = {.mode = MODE_SNAPSHOT};
        b->again_at_once = true;
        batch_stage (b, &next);
        return 0;
    }
    cursor_t cursor;
    if (!cursor_read (out.cursor, &cursor))
        return E_BAD_REQUEST;
    size_t done = apply_all (b->w, f, &out.events, false);
    const common_event_t *events = out.events.items;
    b->again_at_once = done == out.events.count;
    if (!b->again_at_once) {
        if (!done)
            return 0;
        cursor.sequence = (uint64_t) events[done - 1].sequence;
    }
    atomic_store (&f->head, out.head);
    atomic_store (&f->applied, (int64_t) cursor.sequence);
    if (f->goal < 0)
        f->goal = out.head;
    place_t next = {.mode = MODE_JOURNAL, .cursor_size = CURSOR_SIZE};
    cursor_write (&cursor, next.cursor);
    batch_stage (b, &next);
    return 0;
}

static int batch_run (turn_t *t, void *context)
{
    batch_t *b = context;
    place_t stored;
    int rc = place_load (b->w, b->f, &stored);
    if (rc)
        return rc;
    if (!place_equal (&stored, &b->f->stored)) { /* somebody else went on: from there */
        b->f->stored = stored;
        batch_stage (b, &stored);
        b->again_at_once = true;
        return 0;
    }
    return b->f->place.mode == MODE_SNAPSHOT ? batch_snapshot (t, b) : batch_journal (t, b);
}

/* Nobody answers for it. One that the installation may lack is not waited for any more; when it comes, following catches up as after any absence. */
static void follow_absent (svc_t *svc, follow_t *f)
{
    int64_t now = clock_mono_ms ();
    if (!f->absent_since)
        f->absent_since = now;
    if (f->optional && now - f->absent_since >= ABSENT_MS && !atomic_exchange (&f->excused, true))
        svc_wake (svc);
}

static void follow_failed (writer_t *w, follow_t *f)
{
    const failure_t *failure = &f->reply.failure;
    if (failure->code == E_UNAVAILABLE)
        follow_absent (w->svc, f);
    svc_log (w->svc, LOG_DEBUG, "a journal could not be read", "journal", f->service, "error.code",
             error_name (failure->code), NULL);
    if (f->place.mode == MODE_SNAPSHOT && f->place.cursor_size && failure->code == E_CONFLICT) {
        f->next_place = (place_t){.mode = MODE_SNAPSHOT};
        f->staged = true;
    }
}

void follow_work (writer_t *w, work_t *work)
{
    reply_t *reply = (reply_t *) (void *) work;
    follow_t *f = reply->follow;
    turn_t t;
    turn_inner_t inner;
    turn_init (w->svc, &t, &inner, w->txn, w->arena, NULL, false);
    f->before.stored = f->stored;
    f->before.fail_sequence = f->fail_sequence;
    f->before.fail_id = f->fail_id;
    f->before.fails = f->fails;
    f->next = clock_mono_ms () + RETRY_MS;
    f->staged = false;
    f->handled = true;
    if (reply->failed) {
        follow_failed (w, f);
        return;
    }
    f->absent_since = 0;
    batch_t batch = {.w = w, .f = f};
    int rc = turn_step (&t, batch_run, &batch);
    if (rc) {
        f->staged = false;
        svc_log (w->svc, LOG_WARN, "a batch was not applied", "journal", f->service, "error.code",
                 error_name (rc), "detail", t.failure.text, NULL);
    } else if (batch.again_at_once) {
        f->next = 0;
    }
}

/* ---- storing the place ---- */

static bool place_due (const follow_t *f, const place_t *place, bool draining)
{
    return draining || place->mode != f->stored.mode || place->mode == MODE_SNAPSHOT ||
           clock_mono_ms () - f->stored_at >= STORE_MS;
}

static int place_store (writer_t *w, follow_t *f, const place_t *place)
{
    buf_t row = {0};
    int rc = place_write (place, &row);
    if (!rc)
        rc = kv_put (w->txn, w->cursors, bytes_of_str (f->service), buf_bytes (&row));
    buf_free (&row);
    f->storing = !rc;
    return rc;
}

int follow_store (writer_t *w)
{
    bool draining = atomic_load (&w->svc->draining);
    int rc = 0;
    for (size_t i = 0; i < w->follow_count && !rc; i++) {
        follow_t *f = &w->follows[i];
        const place_t *place = f->staged ? &f->next_place : &f->place;
        if (!place_equal (place, &f->stored) &&
            (txn_writes (w->txn) > 0 || place_due (f, place, draining)))
            rc = place_store (w, f, place);
    }
    return rc;
}

bool follow_unstored (const svc_t *svc)
{
    const writer_t *w = &svc->writer;
    for (size_t i = 0; i < w->follow_count; i++) {
        const follow_t *f = &w->follows[i];
        if (!place_equal (&f->place, &f->stored) &&
            place_due (f, &f->place, atomic_load (&svc->draining)))
            return true;
    }
    return false;
}

void follow_settled (svc_t *svc, bool committed)
{
    writer_t *w = &svc->writer;
    for (size_t i = 0; i < w->follow_count; i++) {
        follow_t *f = &w->follows[i];
        if (f->staged && committed) {
            f->place = f->next_place;
            int64_t at = sequence_of (bytes_of (f->place.cursor, f->place.cursor_size));
            if (f->place.mode == MODE_JOURNAL && f->goal >= 0 && at >= f->goal &&
                !atomic_exchange (&f->reached, true))
                svc_wake (svc);
        }
        if (f->storing && committed) {
            f->stored = f->place;
            f->stored_at = clock_mono_ms ();
        }
        f->staged = f->storing = false;
        if (f->handled)
            atomic_store (&f->asking, false);
        f->handled = false;
    }
}

/* Its answer is still here, and is applied again. */
void follow_unmark (writer_t *w)
{
    for (size_t i = 0; i < w->follow_count; i++) {
        follow_t *f = &w->follows[i];
        if (f->handled) {
            f->stored = f->before.stored;
            f->fail_sequence = f->before.fail_sequence;
            f->fail_id = f->before.fail_id;
            f->fails = f->before.fails;
        }
        f->staged = f->storing = f->handled = false;
    }
}

/* ---- life ---- */

static follow_t *follow_add (writer_t *w, const char *service)
{
    for (size_t i = 0; i < w->follow_count; i++)
        if (strcmp (w->follows[i].service, service) == 0)
            return &w->follows[i];
    follow_t *f = &w->follows[w->follow_count++];
    f->svc = w->svc;
    snprintf (f->service, sizeof f->service, "%s", service);
    f->reply.follow = f;
    f->reply.work.kind = WORK_FOLLOWED;
    f->goal = -1;
    for (const char *const *name = w->svc->service->follows_if_there; name && *name; name++)
        f->optional = f->optional || strcmp (*name, service) == 0;
    return f;
}

int follow_open (svc_t *svc)
{
    writer_t *w = &svc->writer;
    const svc_service_t *service = svc->service;
    w->follows = calloc (service->follow_count + 1, sizeof *w->follows);
    if (!w->follows)
        return E_NO_MEMORY;
    int rc = 0;
    for (size_t i = 0; !rc && i < service->follow_count; i++) {
        const schema_event_t *event = service->follows[i].event;
        follow_t *f = follow_add (w, event->service);
        if (f->number_count++ < NUMBERS_MOST)
            f->numbers[f->number_count - 1] = event->number;
        rc = place_load (w, f, &f->place);
        f->stored = f->place;
    }
    return rc;
}

void follow_close (svc_t *svc)
{
    writer_t *w = &svc->writer;
    for (size_t i = 0; i < w->follow_count; i++) {
        buf_free (&w->follows[i].body);
        buf_free (&w->follows[i].reply.body);
    }
    free (w->follows);
    w->follows = NULL;
    w->follow_count = 0;
}

bool follow_ready (svc_t *svc, char *reason, size_t size)
{
    for (size_t i = 0; atomic_load (&svc->owner) && i < svc->writer.follow_count; i++) {
        follow_t *f = &svc->writer.follows[i];
        if (atomic_load (&f->reached))
            continue;
        if (atomic_load (&f->excused)) {
            snprintf (reason, size, "%s is not there to be followed", f->service);
        } else {
            snprintf (reason, size, "following %s: %lld of %lld", f->service,
                      (long long) atomic_load (&f->applied), (long long) atomic_load (&f->head));
            return false;
        }
    }
    return true;
}

void follow_metrics (svc_t *svc, buf_t *out)
{
    for (size_t i = 0; atomic_load (&svc->owner) && i < svc->writer.follow_count; i++) {
        follow_t *f = &svc->writer.follows[i];
        buf_printf (out, "aviary_%s_follow_lag{journal=\"%s\",replica=\"%u\"} %lld\n",
                    svc->schema->name, f->service, svc->replica,
                    (long long) (atomic_load (&f->head) - atomic_load (&f->applied)));
    }
}
