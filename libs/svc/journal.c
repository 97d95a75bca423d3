/* journal.c - the service's events for those who follow it: reading from a cursor, long polls, trimming.
 *
 * Rows are keyed by an 8-byte big-endian sequence that is given inside the owner's turn, so the order of keys is the order of commits. A
 * cursor of an unknown epoch, or from before the first kept row, answers reset = true: the follower pages the snapshot. The newest row
 * is never trimmed: the sequence goes on from it.
 *
 * A follower names the events that it wants. What lies between is passed over here, and counts as passed by the follower: it, the bus and
 * its writer are left alone. */
#include <stdlib.h>
#include <string.h>

#include "svc/inner.h"

enum {
    EVENT_NUMBER_FIELD = 2, /* of common.event */
    PASSED_MOST = 5000,
    LOOKS_MOST = 1000,
    PAGE_FIRST = 8
};

/* ---- cursors ---- */

void cursor_write (const cursor_t *cursor, uint8_t out[CURSOR_SIZE])
{
    memcpy (out, cursor->epoch.b, 16);
    out[16] = (uint8_t) (cursor->partition >> 8);
    out[17] = (uint8_t) cursor->partition;
    u64_write (cursor->sequence, out + 18);
}

bool cursor_read (bytes_t text, cursor_t *out)
{
    if (text.size != CURSOR_SIZE)
        return false;
    memcpy (out->epoch.b, text.data, 16);
    out->partition = (uint16_t) (text.data[16] << 8 | text.data[17]);
    out->sequence = u64_read (text.data + 18);
    return true;
}

static bytes_t cursor_in (arena_t *arena, id16_t epoch, uint64_t sequence)
{
    uint8_t *text = arena_alloc (arena, CURSOR_SIZE);
    cursor_t cursor = {.epoch = epoch, .sequence = sequence};
    if (!text)
        return (bytes_t){0};
    cursor_write (&cursor, text);
    return bytes_of (text, CURSOR_SIZE);
}

/* ---- the ends of the table ---- */

int journal_edge (txn_t *txn, table_t *table, bool last, uint64_t *sequence, bytes_t *value)
{
    kv_cursor_t walk = {.table = table, .reverse = last};
    bytes_t key;
    int rc = kv_next (txn, &walk, &key, value);
    if (!rc)
        *sequence = key.size == 8 ? u64_read (key.data) : 0;
    kv_stop (&walk);
    return rc;
}

int journal_event_read (bytes_t packed, arena_t *arena, common_event_t *out)
{
    *out = (common_event_t){0};
    return schema_unpack (&common_event_type, packed, arena, out, NULL) ? E_CORRUPT : 0;
}

int journal_load (svc_t *svc, txn_t *txn, uint64_t *last, id16_t *last_id)
{
    journal_t *j = &svc->journal;
    bytes_t row;
    *last = 0;
    *last_id = id_nil ();
    j->table = store_table (svc->store, "svc.journal");
    int rc = j->table ? store_epoch (txn, &j->epoch) : E_INTERNAL;
    if (!rc)
        rc = journal_edge (txn, j->table, true, last, &row);
    if (rc)
        return rc == E_NOT_FOUND ? 0 : rc;
    arena_t *arena = arena_new (ASK_MEMORY);
    common_event_t e;
    rc = arena ? journal_event_read (row, arena, &e) : E_NO_MEMORY;
    if (!rc)
        *last_id = e.id;
    arena_destroy (&arena);
    return rc;
}

/* ---- who follows ---- */

static follower_t *follower_get (journal_t *j, const char *name)
{
    follower_t *oldest = &j->followers[0];
    for (size_t i = 0; i < j->follower_count; i++) {
        follower_t *f = &j->followers[i];
        if (strcmp (f->name, name) == 0)
            return f;
        if (f->asked < oldest->asked)
            oldest = f;
    }
    follower_t *f = j->follower_count < FOLLOWERS_MAX ? &j->followers[j->follower_count++] : oldest;
    *f = (follower_t){0};
    strncpy (f->name, name, sizeof f->name - 1);
    return f;
}

static void follower_note (svc_t *svc, const common_journal_read_in_t *in, uint64_t position)
{
    journal_t *j = &svc->journal;
    if (!in->follower || !*in->follower)
        return;
    int64_t now = clock_mono_ms ();
    pthread_mutex_lock (&j->lock);
    follower_t *f = follower_get (j, in->follower);
    f->lease = in->lease;
    f->position = position;
    f->asked = now;
    settle_scan (svc, now);
    pthread_mutex_unlock (&j->lock);
}

/* ---- reading ---- */

typedef struct page {
    const schema_list_t *numbers; /* of events that are wanted; none = all */
    common_event_t *events;
    size_t count, room, most, bytes, passed;
    uint64_t last;
} page_t;

/* Numbers stand near the front of a row: looked at without reading all of it. */
static bool is_wanted (const page_t *page, bytes_t packed)
{
    const int64_t *numbers = page->numbers->items;
    mp_reader_t in = mp_read (packed);
    if (!page->numbers->count)
        return true;
    for (uint32_t left = mp_read_map (&in); left && !in.failed; left--) {
        if (mp_read_int (&in) != EVENT_NUMBER_FIELD) {
            mp_skip (&in);
            continue;
        }
        int64_t number = mp_read_int (&in);
        for (size_t i = 0; i < page->numbers->count; i++)
            if (numbers[i] == number)
                return true;
        return in.failed;
    }
    return true; /* no row of ours: reading it says so */
}

/* A poll looks often and finds nothing, or one or two. */
static common_event_t *page_place (page_t *page, arena_t *arena)
{
    size_t size = sizeof *page->events, more = page->room ? 2 * page->room : PAGE_FIRST;
    if (page->count < page->room)
        return &page->events[page->count];
    common_event_t *events = arena_grow (arena, page->events, page->room * size, more * size);
    if (!events)
        return NULL;
    page->events = events;
    page->room = more;
    return &events[page->count];
}

static int page_fill (svc_t *svc, txn_t *txn, arena_t *arena, page_t *page)
{
    uint8_t after[8];
    u64_write (page->last, after);
    kv_cursor_t walk = {
        .table = svc->journal.table, .from = bytes_of (after, sizeof after), .after = true};
    bytes_t key, value;
    int rc = 0;
    while (page->count < page->most && page->bytes < ANSWER_BYTES &&
           !(rc = kv_next (txn, &walk, &key, &value))) {
        uint64_t sequence = u64_read (key.data);
        if (sequence > atomic_load (&svc->journal.head))
            break; /* committed, but its turn has not yet said so */
        if (!is_wanted (page, value)) {
            page->last = sequence;
            if (++page->passed == PASSED_MOST)
                break;
            continue;
        }
        if (page->count && page->bytes + value.size > ANSWER_BYTES)
            break;
        common_event_t *event = page_place (page, arena);
        rc = event ? journal_event_read (value, arena, event) : E_NO_MEMORY;
        if (rc)
            break;
        page->count++;
        page->bytes += value.size;
        page->last = sequence;
    }
    kv_stop (&walk);
    return rc == E_NOT_FOUND ? 0 : rc;
}

static void read_answer (svc_t *svc, ask_t *ask, const page_t *page, bool reset)
{
    common_journal_read_out_t out = {
        .events = {page->events, page->count},
        .cursor = cursor_in (ask->arena, svc->journal.epoch, page->last),
        .head = (int64_t) atomic_load (&svc->journal.head),
        .reset = reset,
    };
    ask_answer (ask, &common_journal_read_out_type, &out);
}

/* Long poll; false: no waiting. What was committed meanwhile is looked at at once. */
static bool poll_add (svc_t *svc, ask_t *ask, const char *follower, int64_t wait_ms,
                      uint64_t position)
{
    journal_t *j = &svc->journal;
    pthread_mutex_lock (&j->lock);
    bool waits = wait_ms > 0 && !j->closed, more = atomic_load (&j->head) > position;
    if (waits) {
        ask->until = clock_mono_ms () + wait_ms;
        ask->position = position;
        if (!more) {
            ask->work.item.next = j->polls ? &j->polls->work.item : NULL;
            j->polls = ask;
        }
        if (follower && *follower)
            follower_get (j, follower)->until = ask->until;
        if (!ask->credited)
            atomic_fetch_add (&svc->credit, 1);
        ask->credited = true;
    }
    pthread_mutex_unlock (&j->lock);
    if (waits && more)
        pool_put (&svc->pool, ask);
    return waits;
}

/* The journal cursor that `in` names: 0 readable, else a reset. */
static bool must_reset (svc_t *svc, txn_t *txn, cursor_t *at, int *rc)
{
    uint64_t first = 0, last = 0;
    bytes_t row;
    bool fits = false;
    *rc = epoch_place (svc, txn, at, &fits);
    if (*rc || !fits)
        return true;
    int code = journal_edge (txn, svc->journal.table, false, &first, &row);
    if (!code)
        code = journal_edge (txn, svc->journal.table, true, &last, &row);
    if (code && code != E_NOT_FOUND)
        *rc = code;
    return (!code && at->sequence + 1 < first) || at->sequence > last;
}

void journal_read (svc_t *svc, ask_t *ask, txn_t *txn)
{
    common_journal_read_in_t in = {0};
    failure_t failure = {0};
    int rc = schema_unpack (&common_journal_read_in_type, ask->body, ask->arena, &in, &failure);
    if (rc) {
        ask_fail (ask, rc, "%s", failure.text);
        return;
    }
    cursor_t at = {.epoch = svc->journal.epoch, .sequence = atomic_load (&svc->journal.head)};
    page_t page = {.numbers = &in.numbers, .last = at.sequence};
    if (in.cursor.size && !cursor_read (in.cursor, &at)) {
        ask_fail (ask, E_BAD_REQUEST, "The cursor is none of ours");
        return;
    }
    bool reset = must_reset (svc, txn, &at, &rc);
    if (!rc && !ask->until) /* not when a long poll comes back: it was noted when it came */
        follower_note (svc, &in, reset ? 0 : at.sequence);
    if (!in.cursor.size || reset || rc) {
        if (rc)
            ask_fail (ask, rc, "%s", error_doc (rc));
        else
            read_answer (svc, ask, &page, reset);
        return;
    }
    page.last = ask->until ? ask->position : at.sequence;
    page.most = in.limit > 0 && in.limit <= 1000 ? (size_t) in.limit : 256;
    rc = page_fill (svc, txn, ask->arena, &page);
    int64_t wait = ask->until          ? ask->until - clock_mono_ms ()
                   : in.wait_ms > 5000 ? 5000
                                       : in.wait_ms;
    if (++ask->looks == LOOKS_MOST)
        wait = 0; /* each takes a little of the ask's memory */
    if (!rc && page.passed && !page.count)
        follower_note (svc, &in, page.last);
    if (rc)
        ask_fail (ask, rc, "%s", error_doc (rc));
    else if (page.count || !poll_add (svc, ask, in.follower, wait, page.last))
        read_answer (svc, ask, &page, false);
}

/* ---- long polls end ---- */

static ask_t *polls_take (journal_t *j, uint64_t head, int64_t now)
{
    ask_t *taken = NULL, *kept = NULL;
    while (j->polls) {
        ask_t *ask = j->polls;
        j->polls = (ask_t *) ask->work.item.next;
        ask_t **to = ask->position < head || ask->until <= now ? &taken : &kept;
        ask->work.item.next = *to ? &(*to)->work.item : NULL;
        *to = ask;
    }
    j->polls = kept;
    return taken;
}

static void polls_answer (svc_t *svc, ask_t *chain)
{
    while (chain) {
        ask_t *ask = chain;
        chain = (ask_t *) ask->work.item.next;
        if (ask->position < atomic_load (&svc->journal.head)) {
            pool_put (&svc->pool, ask);
        } else {
            page_t page = {.last = ask->position};
            read_answer (svc, ask, &page, false);
        }
    }
}

void journal_publish (svc_t *svc, uint64_t head)
{
    journal_t *j = &svc->journal;
    pthread_mutex_lock (&j->lock);
    atomic_store (&j->head, head);
    ask_t *taken = polls_take (j, head, clock_mono_ms ());
    pthread_mutex_unlock (&j->lock);
    polls_answer (svc, taken);
}

int64_t journal_tick (svc_t *svc, int64_t now)
{
    journal_t *j = &svc->journal;
    int64_t next = INT64_MAX;
    pthread_mutex_lock (&j->lock);
    settle_scan (svc, now);
    ask_t *taken = j->polls ? polls_take (j, 0, now) : NULL;
    for (ask_t *a = j->polls; a; a = (ask_t *) a->work.item.next)
        next = a->until < next ? a->until : next;
    for (ask_t *a = j->held; a; a = (ask_t *) a->work.item.next)
        next = a->until < next ? a->until : next;
    pthread_mutex_unlock (&j->lock);
    polls_answer (svc, taken);
    return next;
}

void journal_close (svc_t *svc)
{
    journal_t *j = &svc->journal;
    pthread_mutex_lock (&j->lock);
    j->closed = true;
    ask_t *taken = polls_take (j, UINT64_MAX, 0);
    pthread_mutex_unlock (&j->lock);
    polls_answer (svc, taken);
}

/* ---- trimming ---- */

int journal_trim (turn_t *t, svc_swept_t *out)
{
    svc_t *svc = t->svc;
    int64_t before = t->now - svc_common (svc)->journal_retention;
    uint64_t last = atomic_load (&svc->journal.head), sequence;
    arena_t *arena = arena_new (ASK_MEMORY);
    int rc = arena ? 0 : E_NO_MEMORY;
    for (int n = 0; !rc && n < TURN_ROWS; n++) {
        bytes_t row;
        common_event_t e;
        rc = journal_edge (t->txn, svc->journal.table, false, &sequence, &row);
        if (rc)
            break;
        arena_reset (arena);
        rc = journal_event_read (row, arena, &e);
        out->oldest = e.at;
        if (rc || e.at >= before || sequence >= last)
            break;
        uint8_t key[8];
        u64_write (sequence, key);
        rc = kv_del (t->txn, svc->journal.table, bytes_of (key, sizeof key));
        out->rows += !rc;
        if (!rc && n == TURN_ROWS - 1)
            rc = E_CONFLICT_RETRY;
    }
    arena_destroy (&arena);
    return rc == E_NOT_FOUND ? 0 : rc;
}
