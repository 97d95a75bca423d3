/* log.c - pages of an organization's messages, newest first, and one message.
 *
 * An index holds one direction after the other, so a page of both is two walks merged by id. An offset into both is found by halving: how many of the
 * first `offset` messages are inbound. No page reads more messages than it shows and two; none counts. */
#include "gen/accounts.h"
#include "messaging.h"

enum { OFFSET_MOST = 10000, RECIPIENTS_MOST = 2000 /* that one page reads; then it ends early */ };

/* One walk. */
typedef struct walk {
    const char *index;
    store_key_t keys[3]; /* all of the index */
    uint64_t total;
    size_t offset;
    messaging_message_t *rows;
    size_t count;
    size_t at; /* next to show */
} walk_t;

static int walk_add (void *context, const void *row)
{
    walk_t *self = context;
    self->rows[self->count++] = *(const messaging_message_t *) row;
    return 0;
}

static int walk_read (turn_t *t, walk_t *self, id16_t after, size_t limit)
{
    store_page_t page = {.index = self->index,
                         .keys = self->keys,
                         .key_count = 3,
                         .newest_first = true,
                         .after = after,
                         .offset = self->offset,
                         .limit = limit};
    self->rows = arena_array_of (t->arena, messaging_message_t, limit);
    return store_list (t->txn, &messaging_message_record, &page, t->arena, walk_add, self, NULL);
}

static int walk_id_at (turn_t *t, const walk_t *self, size_t offset, id16_t *out)
{
    walk_t probe = *self;
    probe.count = 0;
    probe.offset = offset;
    int code = walk_read (t, &probe, id_nil (), 1);
    *out = probe.count ? probe.rows[0].id : id_nil ();
    return code;
}

/* ---- both directions ---- */

/* Do at least `n` of `a` stand among the newest `offset` of both? */
static int has_of (turn_t *t, const walk_t *a, const walk_t *b, size_t offset, size_t n, bool *out)
{
    id16_t last = id_nil (), first = id_nil ();
    *out = n == 0 || offset - n >= b->total;
    if (*out)
        return 0;
    int code = walk_id_at (t, a, n - 1, &last);
    if (code == 0)
        code = walk_id_at (t, b, offset - n, &first);
    *out = id_compare (last, first) > 0;
    return code;
}

/* Share an offset into both among the two. */
static int offset_share (turn_t *t, walk_t *a, walk_t *b, size_t offset)
{
    if (offset >= a->total + b->total) {
        a->offset = a->total;
        b->offset = b->total;
        return 0;
    }
    size_t low = offset > b->total ? offset - b->total : 0,
           high = offset < a->total ? offset : a->total;
    int code = 0;
    while (low < high && code == 0) {
        size_t middle = low + (high - low + 1) / 2;
        bool has = false;
        code = has_of (t, a, b, offset, middle, &has);
        if (has)
            low = middle;
        else
            high = middle - 1;
    }
    a->offset = low;
    b->offset = offset - low;
    return code;
}

static const messaging_message_t *newest (walk_t *walks, size_t count)
{
    walk_t *best = NULL;
    for (size_t i = 0; i < count; i++)
        if (walks[i].at < walks[i].count &&
            (!best || id_compare (walks[i].rows[walks[i].at].id, best->rows[best->at].id) > 0))
            best = &walks[i];
    return best ? &best->rows[best->at++] : NULL;
}

/* ---- the page ---- */

static int walks_begin (turn_t *t, const messaging_log_page_in_t *in, walk_t *walks, size_t *count)
{
    static const int32_t both[] = {MESSAGING_DIRECTION_INBOUND, MESSAGING_DIRECTION_OUTBOUND};
    bool of_app = !id_is_nil (in->app);
    int code = 0;
    *count = 0;
    for (size_t i = 0; i < 2 && code == 0; i++) {
        if (in->direction && in->direction != both[i])
            continue;
        walk_t *walk = &walks[(*count)++];
        *walk = (walk_t){.index = of_app ? "log_of_app" : "log",
                         .keys = {{.id = of_app ? in->app : t->ask->org},
                                  {.num = in->channel},
                                  {.num = both[i]}}};
        code = store_count (t->txn, &messaging_message_record, walk->index, walk->keys, 3,
                            &walk->total);
    }
    return code;
}

/* An app of the calling organization, also a deleted one; another's has no messages here. */
static int app_is_ours (turn_t *t, const messaging_log_page_in_t *in, bool *out)
{
    messaging_app_t app = {0};
    *out = true;
    if (id_is_nil (in->app))
        return 0;
    int code = store_get_any (t->txn, &messaging_app_record, in->app, t->arena, &app);
    *out = code == 0 && id_equal (app.org, t->ask->org) && app.test == in->app_test;
    return code == E_NOT_FOUND ? 0 : code;
}

static int page_show (turn_t *t, walk_t *walks, size_t count, size_t limit,
                      messaging_log_page_out_t *out)
{
    messaging_log_message_t *items = arena_array_of (t->arena, messaging_log_message_t, limit);
    size_t shown = 0, recipients = 0;
    const messaging_message_t *message = newest (walks, count);
    int code = 0;
    while (message && shown < limit && recipients < RECIPIENTS_MOST && code == 0) {
        code = log_told (t, message, &items[shown++], &recipients);
        message = newest (walks, count);
    }
    out->messages = (schema_list_t){items, shown};
    if (message && shown) {
        out->next = items[shown - 1].id;
        out->test = items[shown - 1].test;
    }
    return code;
}

/* A cursor is a message of this log. One that is gone since, as another organization's, is a place among ids all the same. */
static int cursor_check (turn_t *t, const messaging_log_page_in_t *in)
{
    messaging_message_t last = {0};
    if (id_is_nil (in->cursor))
        return 0;
    int code =
        store_get (t->txn, &messaging_message_record, t->ask->org, in->cursor, t->arena, &last);
    if (code == 0 && last.channel != in->channel)
        return fail (t, E_BAD_REQUEST, "cursor", "No such place in this list");
    return code == E_NOT_FOUND ? 0 : code;
}

int messaging_log_page (turn_t *t, const messaging_log_page_in_t *in, messaging_log_page_out_t *out)
{
    walk_t walks[2];
    size_t count = 0, limit = in->limit ? (size_t) in->limit : 20;
    size_t offset = id_is_nil (in->cursor) ? (size_t) in->offset : 0;
    bool ours = false;
    if (offset > OFFSET_MOST)
        return fail (t, E_BAD_REQUEST, "offset", "The most is %d; go on with nextCursor as cursor",
                     OFFSET_MOST);
    int code = cursor_check (t, in);
    if (code == 0)
        code = app_is_ours (t, in, &ours);
    if (code || !ours)
        return code;
    code = walks_begin (t, in, walks, &count);
    if (code == 0 && offset && count == 2)
        code = offset_share (t, &walks[0], &walks[1], offset);
    else if (count == 1)
        walks[0].offset = offset;
    for (size_t i = 0; i < count && code == 0; i++) {
        code = walk_read (t, &walks[i], in->cursor, limit + 1);
        out->total += (int64_t) walks[i].total;
    }
    return code ? code : page_show (t, walks, count, limit, out);
}

int messaging_log_get (turn_t *t, const messaging_log_get_in_t *in, messaging_log_message_t *out)
{
    messaging_message_t message = {0};
    size_t recipients = 0;
    int code =
        store_get (t->txn, &messaging_message_record, t->ask->org, in->id, t->arena, &message);
    if (code == 0 && (message.test != in->id_test || message.channel != in->channel))
        code = E_NOT_FOUND;
    if (code)
        return code == E_NOT_FOUND ? fail (t, code, "id", "No such message") : code;
    return log_told (t, &message, out, &recipients);
}
