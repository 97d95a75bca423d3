/* snapshot.c - pages of all that a new follower must know, as events made from rows.
 *
 * The cursor is (journal position when the snapshot began, row of svc_snapshot_t, last id). A row that changes between pages is told
 * again by the journal, from the position on; versions sort that out. Without snapshot rows that it wants a follower starts at the
 * journal's first kept event. */
#include <stdlib.h>
#include <string.h>

#include "svc/inner.h"

enum { PAGE_CURSOR_SIZE = CURSOR_SIZE + 2 + 16, PAGE_MEMORY = 32 << 20 };

typedef struct walk {
    svc_t *svc;
    ask_t *ask;
    schema_list_t wanted; /* numbers of events; empty = all */
    turn_t turn;
    turn_inner_t inner;
    const svc_snapshot_t *row;
    common_event_t *events;
    size_t count, most, bytes;
    id16_t last;
    bool full;
} walk_t;

static int walk_row (void *context, const void *row)
{
    walk_t *w = context;
    if (w->count == w->most || w->bytes >= ANSWER_BYTES) {
        w->full = true;
        return E_ALREADY_EXISTS; /* stops the walk */
    }
    event_about_t about = {0};
    id16_t id;
    memcpy (&id, (const uint8_t *) row + w->row->record->id->offset, sizeof id);
    void *body = arena_alloc (w->turn.arena, w->row->event->type->size);
    int rc = w->row->fill (&w->turn, row, &about, body);
    if (rc == E_NOT_FOUND)
        w->last = id;
    if (rc)
        return rc == E_NOT_FOUND ? 0 : rc;
    buf_t packed = buf_in (w->turn.arena);
    schema_pack (w->row->event->type, body, &packed);
    if (buf_failed (&packed))
        return E_NO_MEMORY;
    w->events[w->count++] = (common_event_t){.number = w->row->event->number,
                                             .at = w->turn.now,
                                             .id = about.record,
                                             .record = about.record,
                                             .version = (int64_t) about.version,
                                             .org = about.org,
                                             .app = about.app,
                                             .test = about.test,
                                             .subject = about.subject,
                                             .body = buf_bytes (&packed)};
    w->bytes += packed.size + 128;
    w->last = id;
    return 0;
}

static bool is_wanted (const schema_list_t *wanted, const svc_snapshot_t *row)
{
    const int64_t *numbers = wanted->items;
    for (size_t i = 0; i < wanted->count; i++)
        if (numbers[i] == row->event->number)
            return true;
    return wanted->count == 0;
}

/* From (row, after) on until the page is full; *row == snapshot_count at the end. */
static int walk_rows (turn_t *t, void *context)
{
    walk_t *w = context;
    const svc_service_t *service = w->svc->service;
    for (; w->row < service->snapshots + service->snapshot_count; w->row++, w->last = id_nil ()) {
        bool more = is_wanted (&w->wanted, w->row);
        while (more) {
            store_page_t page = {.after = w->last, .limit = 200};
            int rc = store_list (t->txn, w->row->record, &page, t->arena, walk_row, w, &more);
            if (w->full)
                return 0;
            if (rc)
                return rc;
        }
    }
    return 0;
}

static bytes_t page_cursor (walk_t *w, const cursor_t *start, unsigned row)
{
    uint8_t *text = arena_alloc (w->ask->arena, PAGE_CURSOR_SIZE);
    if (!text)
        return (bytes_t){0};
    cursor_write (start, text);
    text[CURSOR_SIZE] = (uint8_t) (row >> 8);
    text[CURSOR_SIZE + 1] = (uint8_t) row;
    memcpy (text + CURSOR_SIZE + 2, w->last.b, 16);
    return bytes_of (text, PAGE_CURSOR_SIZE);
}

/* As this read transaction sees it: the newest event, or without snapshot rows what is before the first. */
static bool position_now (svc_t *svc, txn_t *txn, const schema_list_t *wanted, uint64_t *out)
{
    bool rows = false;
    for (size_t i = 0; i < svc->service->snapshot_count; i++)
        rows = rows || is_wanted (wanted, &svc->service->snapshots[i]);
    bytes_t row;
    int rc = journal_edge (txn, svc->journal.table, rows, out, &row);
    if (!rc && !rows)
        *out -= 1;
    return !rc || rc == E_NOT_FOUND;
}

static bool page_start (svc_t *svc, txn_t *txn, const common_snapshot_read_in_t *in,
                        cursor_t *start, unsigned *row, id16_t *last)
{
    bytes_t text = in->cursor;
    start->epoch = svc->journal.epoch;
    if (!text.size)
        return position_now (svc, txn, &in->numbers, &start->sequence);
    if (text.size != PAGE_CURSOR_SIZE || !cursor_read (bytes_of (text.data, CURSOR_SIZE), start))
        return false;
    *row = (unsigned) (text.data[CURSOR_SIZE] << 8 | text.data[CURSOR_SIZE + 1]);
    memcpy (last->b, text.data + CURSOR_SIZE + 2, 16);
    bool fits = false;
    if (epoch_place (svc, txn, start, &fits) || !fits)
        return false;
    start->epoch = svc->journal.epoch;
    return *row < svc->service->snapshot_count;
}

void snapshot_read (svc_t *svc, ask_t *ask, txn_t *txn)
{
    common_snapshot_read_in_t in = {0};
    cursor_t start = {0};
    unsigned row = 0;
    walk_t w = {.svc = svc, .ask = ask};
    int rc = schema_unpack (&common_snapshot_read_in_type, ask->body, ask->arena, &in, NULL);
    if (rc || !page_start (svc, txn, &in, &start, &row, &w.last)) {
        ask_fail (ask, rc ? rc : E_CONFLICT,
                  "The cursor is none of this store's life; start again");
        return;
    }
    arena_t *arena = arena_new (PAGE_MEMORY);
    if (!arena) {
        ask_fail (ask, E_NO_MEMORY, "%s", error_doc (E_NO_MEMORY));
        return;
    }
    turn_init (svc, &w.turn, &w.inner, txn, arena, &ask->header, true);
    w.wanted = in.numbers;
    w.row = svc->service->snapshots + row;
    w.most = in.limit > 0 && in.limit <= 1000 ? (size_t) in.limit : 256;
    w.events = arena_array_of (arena, common_event_t, w.most);
    rc = turn_trapped (&w.turn, walk_rows, &w);
    uint8_t journal[CURSOR_SIZE];
    cursor_write (&start, journal);
    common_snapshot_read_out_t out = {.events = {w.events, w.count},
                                      .journal = bytes_of (journal, CURSOR_SIZE)};
    if (w.full)
        out.cursor = page_cursor (&w, &start, (unsigned) (w.row - svc->service->snapshots));
    if (rc)
        ask_fail (ask, rc, "%s", error_doc (rc));
    else
        ask_answer (ask, &common_snapshot_read_out_type, &out);
    arena_destroy (&arena);
}
